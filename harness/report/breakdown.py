"""Scores cut two ways: by scorer, and by a metadata key with few values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.report.cases import Case
from harness.report.text import number, one_line

MOST_VALUES = 12
"""A metadata key with more values than this is not a breakdown."""


@dataclass(frozen=True)
class SubScores:
    """columns: scorer names; rows: (arm, per scorer its mean, None where it was not scored, and what to say of it)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[float | None, str], ...]], ...]


@dataclass(frozen=True)
class Breakdown:
    """title: a metadata key; columns: arms; rows: (value, samples, mean primary score per arm)."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[float | None, ...]], ...]


def sub_scores(
    mine: Sequence[Case], scorers: Sequence[str], arms: Sequence[str], remark: Callable[[str, str], str]
) -> SubScores | None:
    """Mean of every scorer per arm; None for a suite with the primary scorer only. remark: of (scorer, arm)."""
    if len(scorers) < 2:
        return None
    rows = []
    for arm in arms:
        values: dict[str, list[float]] = {}
        for case in mine:
            if (answer := case.answers.get(arm)) is not None:
                for score in (*([answer.primary] if answer.primary else []), *answer.others):
                    values.setdefault(score.scorer, []).append(score.score.value)
        rows.append((one_line(arm), tuple((_mean(values.get(name, [])), remark(name, arm)) for name in scorers)))
    return SubScores(tuple(map(one_line, scorers)), tuple(rows))


def breakdowns(mine: Sequence[Case], arms: Sequence[str]) -> Iterator[Breakdown]:
    """One table per metadata key that has 2 to 12 different values, each shared by two samples or more on average."""
    for key in sorted({key for case in mine for key in case.metadata}, key=str):
        groups: dict[str, list[Case]] = {}
        for case in mine:
            value = case.metadata.get(key)
            if not isinstance(value, (list, tuple, dict)):
                groups.setdefault(number(value), []).append(case)
        if 2 <= len(groups) <= min(MOST_VALUES, len(mine) // 2):
            rows = tuple(
                (value, len(group), tuple(_mean([v for c in group if (v := c.value(arm)) is not None]) for arm in arms))
                for value, group in sorted(groups.items())
            )
            yield Breakdown(one_line(str(key)), tuple(map(one_line, arms)), rows)


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
