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
class Segment:
    """Rows of one candidate in one forward pass. shared: tokens that all of them begin with, computed once.

    A row's last token is a label alone: nothing is predicted from it, and it is in no stream.
    """

    rows: tuple[TrainRow, ...]
    shared: int = 0

    def __len__(self) -> int:
        return self.shared + sum(self.lengths)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of each row, its tokens in the stream that are its own."""
        return tuple(len(row) - 1 - self.shared for row in self.rows)

    @property
    def labels(self) -> tuple[int, ...]:
        return tuple(label for row in self.rows for label in row.completion_ids)


@dataclass(frozen=True)
class Stream:
    """Segments laid end to end: N tokens in all, M of them to be predicted, the segments' labels in their order.

    ids, positions: N each; positions restart at 0 with every segment, and at `shared` with every row of it. keep: the
    M places in the stream whose output predicts a label. starts: where each segment begins; the last one is its end,
    behind which `ids` is filled up with tokens that belong to nobody.
    """

    segments: tuple[Segment, ...]
    ids: tuple[int, ...]
    positions: tuple[int, ...]
    keep: tuple[int, ...]
    starts: tuple[int, ...]


def stream(segments: Sequence[Segment], least: int = 1, grain: int = 1) -> Stream:
    """Segments as one stream, filled up to at least `least` tokens and to a multiple of `grain`.

    Masking is by position, never by token id, so a pad or end token in a prompt is no label.

    >>> s = stream([Segment((TrainRow((5, 6, 7), (8, 2)), TrainRow((5, 6), (2,))), shared=1)])
    >>> s.ids, s.positions, s.keep
    ((5, 6, 7, 8, 6), (0, 1, 2, 3, 1), (2, 3, 4))
    """
    ids: list[int] = []
    positions: list[int] = []
    keep: list[int] = []
    starts = [0]
    for segment in segments:
        shared = segment.shared
        ids += segment.rows[0].prompt_ids[:shared]
        positions += range(shared)
        for row in segment.rows:
            first = len(ids) + len(row.prompt_ids) - shared - 1
            keep += range(first, first + len(row.completion_ids))
            positions += range(shared, len(row) - 1)
            ids += (row.prompt_ids + row.completion_ids)[shared:-1]
        starts.append(len(ids))
    fill = max(0, least - len(ids))
    fill += -(len(ids) + fill) % grain
    return Stream(tuple(segments), (*ids, *[0] * fill), (*positions, *[0] * fill), tuple(keep), tuple(starts))


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


SHARED = 8
"""Tokens at the beginning of all prompts of a step from which on it pays to compute them once."""


def segments(rows: Sequence[TrainRow], tokens: int, share: bool = True) -> list[Segment]:
    """A step's rows in groups of similar length, each of at most `tokens` tokens (or a single longer row).

    share: whether the beginning that all rows have in common, SHARED tokens or more, is computed once per group.
    """
    shared = _shared(rows) if share else 0
    groups: list[list[TrainRow]] = []
    room = 0
    for row in sorted(rows, key=len, reverse=True):
        if len(row) - shared > room:
            groups.append([])
            room = tokens - shared
        groups[-1].append(row)
        room -= len(row) - shared
    return [Segment(tuple(group), shared if len(group) > 1 else 0) for group in groups]


def _shared(rows: Sequence[TrainRow]) -> int:
    """Tokens that all prompts begin with, their last one left out: what follows it differs."""
    first, last = min(row.prompt_ids for row in rows), max(row.prompt_ids for row in rows)
    most = min(len(row.prompt_ids) for row in rows) - 1
    count = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), most)
    return min(count, most) if min(count, most) >= SHARED else 0


def rate(spec: TrainSpec, step: int, steps: int) -> float:
    """The learning rate of a step, counted from 0. The first and the last step have a rate above 0."""
    warmup = math.ceil(spec.warmup * steps)
    if step < warmup:
        return spec.learning_rate * (step + 1) / warmup
    done = (step - warmup) / (steps - warmup)
    scale = {"constant": 1.0, "linear": 1.0 - done, "cosine": 0.5 * (1.0 + math.cos(math.pi * done))}
    return spec.learning_rate * scale[spec.schedule]
