"""Prompt/completion pairs: reading them from JSONL, and dividing them so that no split knows another."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.check import telling_grams
from harness.contamination import SHINGLE, near_duplicates, normal, telling
from harness.data import Message
from harness.errors import HarnessError, SuiteError
from harness.rows import read_rows

MINIMUM = 30
MOST_TEST, MOST_DEV, SHOTS = 400, 100, 6
KEYS = (("prompt", "completion"), ("input", "target"), ("question", "answer"))


@dataclass(frozen=True)
class Pair:
    """A question and its answer. where: file and line. metadata: what else the row says, e.g. its source."""

    input: str | tuple[Message, ...]
    target: str
    where: str
    system: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The question as one text."""
        return self.input if isinstance(self.input, str) else "\n".join(turn["content"] for turn in self.input)


def read_pairs(source: Path) -> tuple[list[Pair], int]:
    """(different pairs, how many rows repeat one) of a JSONL, CSV or Parquet file.

    A row has the columns of one of KEYS, or "messages" that end with the assistant. Raises HarnessError.
    """
    if not source.is_file():
        raise HarnessError(f"{source}: no such file. Give a JSONL file of prompt/completion pairs.")
    found: dict[str, Pair] = {}
    rows = 0
    for where, row in read_rows(source):
        pair = _pair(row, where)
        if not pair.target.strip():
            raise SuiteError(f"{where}: the completion is empty. Remove the row or give its answer.")
        rows += 1
        found.setdefault(json.dumps([pair.input, pair.target]), pair)
    return list(found.values()), rows - len(found)


def _pair(row: Any, where: str) -> Pair:
    known = row if isinstance(row, Mapping) else {}
    for key, answered in KEYS:
        asked, target = known.get(key), known.get(answered)
        if isinstance(asked, str | list) and asked and isinstance(target, str):
            question = asked if isinstance(asked, str) else _turns(asked, where, "user")
            return Pair(question, target, where, metadata=_metadata(known, key, answered))
    messages = known.get("messages")
    if not isinstance(messages, list) or len(messages) < 2:
        raise SuiteError(f'{where}: needs "prompt" and "completion", or "messages". Add the missing key.')
    turns = _turns(messages, where, "assistant")
    if turns[-2]["role"] != "user":
        raise SuiteError(f"{where}: messages must end with a user turn and the assistant's answer.")
    system = turns[0]["content"] if turns[0]["role"] == "system" else None
    before = turns[1:-1] if system else turns[:-1]
    question = before[0]["content"] if len(before) == 1 else before
    return Pair(question, turns[-1]["content"], where, system, _metadata(known, "messages"))


def _turns(messages: Sequence[Any], where: str, last: str) -> tuple[Message, ...]:
    """Messages with role and content alone, the last of which is of the role `last`."""
    for turn in messages:
        if (
            not isinstance(turn, Mapping)
            or not isinstance(turn.get("content"), str)
            or turn.get("role") not in ("system", "user", "assistant")
        ):
            raise SuiteError(f'{where}: a message needs "role" (system, user or assistant) and text "content".')
    if messages[-1]["role"] != last:
        raise SuiteError(f"{where}: messages must end with a {last} turn.")
    return tuple({"role": turn["role"], "content": turn["content"]} for turn in messages)


def _metadata(row: Mapping[str, Any], *read: str) -> dict[str, Any]:
    """The other columns: texts and numbers, and what a column "metadata" holds."""
    plain = {
        key: value for key, value in row.items() if key not in (*read, "id") and isinstance(value, str | int | float)
    }
    inside = row.get("metadata")
    return {**plain, **inside} if isinstance(inside, Mapping) else plain


def split_pairs(
    pairs: Sequence[Pair], seed: int, *, most_test: int = MOST_TEST, group: str | None = None
) -> dict[str, list[Pair]]:
    """test 30 % (at most `most_test`), dev 10 % (at most 100), a few shots, train the rest.

    Pairs whose prompts share a word 13-gram (one that is not the task's fixed wording), or nearly all words and the
    answer, stay together and go to train.
    group: a metadata key; pairs that share its value stay together too, in whatever split, a tenth of all at most.
    Raises SuiteError where too few are left to test with.
    """
    units = _units(pairs, group)
    free = [unit for unit in units if _may_test(unit, pairs, group)]
    left = sum(map(len, free))
    if left < MINIMUM // 2:
        raise SuiteError(
            f"only {left} prompts differ from all others by more than a few words, too few for a test split. "
            f"Vary the prompts, or build the suite by hand (docs/writing-a-suite.md)."
        )
    random.Random(seed).shuffle(free)
    sizes = {
        "test": min(most_test, len(pairs) * 3 // 10, left // 2),
        "dev": min(MOST_DEV, len(pairs) // 10, left // 8),
        "shots": SHOTS,
    }
    splits: dict[str, list[int]] = {}
    for split, wanted in sizes.items():
        splits[split] = []
        while free and len(splits[split]) < wanted:
            splits[split] += free.pop(0)
    taken = {index for indices in splits.values() for index in indices}
    splits["train"] = [index for index in range(len(pairs)) if index not in taken]
    return {split: [pairs[index] for index in indices] for split, indices in splits.items()}


def repeated(pairs: Sequence[Pair]) -> int:
    """How many pairs ask nearly what another one asks."""
    return sum(len(unit) for unit in _units(pairs, None) if len(unit) > 1)


def _units(pairs: Sequence[Pair], group: str | None) -> list[list[int]]:
    """Places of pairs that belong together: near-duplicates, as a run looks for them too, and those of one group."""
    parent = list(range(len(pairs)))
    first: dict[str, int] = {}

    def find(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for index, mine in enumerate(telling_grams([pair.text for pair in pairs])):
        own = [f"group {pairs[index].metadata[group]}"] if group else []
        for gram in (*sorted(f"gram {gram}" for gram in mine), f"same {normal(pairs[index].text)}", *own):
            parent[find(index)] = find(first.setdefault(gram, index))
    texts = [normal(pair.text) for pair in pairs]
    for index, others in near_duplicates(*telling(texts, texts, SHINGLE)).items():
        for other in others:
            if normal(pairs[index].target) == normal(pairs[other].target):
                parent[find(index)] = find(other)
    units: dict[int, list[int]] = {}
    for index in range(len(pairs)):
        units.setdefault(find(index), []).append(index)
    return list(units.values())


def _may_test(unit: Sequence[int], pairs: Sequence[Pair], group: str | None) -> bool:
    """Whether a unit may be tested on: one pair, or one group that is not a tenth of all."""
    if group is None:
        return len(unit) == 1
    return len({pairs[index].metadata[group] for index in unit}) == 1 and len(unit) <= max(1, len(pairs) // 10)
