"""What a candidate is taught: rows, the mask over them, and which rows meet in which step. Pure, without torch."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from harness.data import TrainSpec
from harness.errors import SuiteError


@dataclass(frozen=True)
class TrainRow:
    """One example as token ids. The loss is on the completion only, its end-of-turn token included.

    prompt_ids: exactly what the evaluator sends. id: the sample's name, for messages.
    """

    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    id: str = ""

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.completion_ids)


@dataclass(frozen=True)
class Stream:
    """Rows laid end to end: N tokens in all, M of them to be predicted.

    ids, positions: N each; positions restart at 0 with every row. keep: the M places in the stream whose output
    predicts labels[i]. lengths: tokens of each row.
    """

    ids: tuple[int, ...]
    positions: tuple[int, ...]
    keep: tuple[int, ...]
    labels: tuple[int, ...]
    lengths: tuple[int, ...]


def stream(rows: Sequence[TrainRow]) -> Stream:
    """Rows as one stream. Masking is by position, never by token id, so a pad or end token in a prompt is no label.

    >>> s = stream([TrainRow((5, 6, 7), (8, 2)), TrainRow((5,), (2,))])
    >>> s.keep, s.labels, s.positions
    ((2, 3, 5), (8, 2, 2), (0, 1, 2, 3, 4, 0, 1))
    """
    ids: list[int] = []
    positions: list[int] = []
    keep: list[int] = []
    labels: list[int] = []
    for row in rows:
        first = len(ids) + len(row.prompt_ids) - 1
        keep += range(first, first + len(row.completion_ids))
        labels += row.completion_ids
        positions += range(len(row))
        ids += row.prompt_ids + row.completion_ids
    return Stream(tuple(ids), tuple(positions), tuple(keep), tuple(labels), tuple(len(row) for row in rows))


def check_rows(rows: Sequence[TrainRow], context: int | None, vocabulary: int, split: str = "train") -> None:
    """Raises SuiteError for the first row that cannot be taught whole. Nothing is ever cut off.

    context: the longest sequence the model takes, in tokens; None if it has no limit. vocabulary: its token count.
    """
    for number, row in enumerate(rows, 1):
        where = f"{split} row {row.id or number}"
        if not row.completion_ids:
            raise SuiteError(f"{where}: empty completion. Give it a target, or take it out.")
        if not row.prompt_ids:
            raise SuiteError(f"{where}: empty prompt. Give it an input, or take it out.")
        if context is not None and len(row) > context:
            raise SuiteError(
                f"{where}: {len(row)} tokens with its answer, the model takes {context}. Shorten it, or take it out."
            )
        if max(*row.prompt_ids, *row.completion_ids) >= vocabulary or min(*row.prompt_ids, *row.completion_ids) < 0:
            raise SuiteError(
                f"{where}: a token id outside the model's {vocabulary} tokens. "
                "Use the tokenizer that belongs to the model."
            )


def share(rows: Sequence[TrainRow], fraction: float, seed: int) -> tuple[TrainRow, ...]:
    """The share of rows that is used, at least one, in their order. A smaller share is a subset of a larger one."""
    if fraction >= 1.0:
        return tuple(rows)
    order = list(range(len(rows)))
    random.Random(f"share {seed}").shuffle(order)
    return tuple(rows[i] for i in sorted(order[: max(1, round(fraction * len(rows)))]))


def plan(count: int, spec: TrainSpec) -> tuple[tuple[int, ...], ...]:
    """The row numbers of every optimizer step.

    Epochs follow each other without a gap, each in its own seeded order, so that all steps but the last hold
    batch_size rows; fractional epochs end on time. max_steps cuts the plan, and the schedule with it.

    >>> [len(step) for step in plan(10, TrainSpec(suites=("s",), batch_size=4, epochs=1.5))]
    [4, 4, 4, 3]
    """
    total = max(1, round(spec.epochs * count))
    order: list[int] = []
    for epoch in range(math.ceil(total / count)):
        shuffled = list(range(count))
        random.Random(f"order {spec.seed} {epoch}").shuffle(shuffled)
        order += shuffled
    order = order[:total]
    steps = tuple(tuple(order[i : i + spec.batch_size]) for i in range(0, total, spec.batch_size))
    return steps if spec.max_steps is None else steps[: spec.max_steps]


def micro_batches(rows: Sequence[TrainRow], tokens: int) -> list[list[TrainRow]]:
    """A step's rows in groups of similar length, each of at most `tokens` tokens (or a single longer row)."""
    groups: list[list[TrainRow]] = []
    room = 0
    for row in sorted(rows, key=len, reverse=True):
        if len(row) > room:
            groups.append([])
            room = tokens
        groups[-1].append(row)
        room -= len(row)
    return groups


def rate(spec: TrainSpec, step: int, steps: int) -> float:
    """The learning rate of a step, counted from 0. The first and the last step have a rate above 0."""
    warmup = math.ceil(spec.warmup * steps)
    if step < warmup:
        return spec.learning_rate * (step + 1) / warmup
    done = (step - warmup) / (steps - warmup)
    scale = {"constant": 1.0, "linear": 1.0 - done, "cosine": 0.5 * (1.0 + math.cos(math.pi * done))}
    return spec.learning_rate * scale[spec.schedule]
