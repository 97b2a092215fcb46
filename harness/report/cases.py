"""One case per sample: the question once, and every arm's answer to it side by side."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.data import Row, Run, ScoreRow
from harness.stats.paired import mean

RIGHT = 0.5
"""A primary score of at least this counts as right where the page must say right or wrong."""

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Answer:
    """What one arm answered: the stored row, its primary score (None if unscored) and the other scores."""

    row: Row
    primary: ScoreRow | None
    others: tuple[ScoreRow, ...] = ()

    @property
    def value(self) -> float | None:
        return None if self.primary is None else self.primary.score.value


@dataclass(frozen=True)
class Case:
    """One sample of one suite. question: the shortest user turn any arm sent, i.e. the one without passages."""

    suite: str
    sample: str
    anchor: str
    question: str
    target: str
    metadata: Mapping[str, Any]
    answers: Mapping[str, Answer]

    def change(self, reference: str, candidate: str) -> float | None:
        """Candidate's score minus the reference's, -1..1; None where one of the two is missing."""
        before, after = self.value(reference), self.value(candidate)
        return None if before is None or after is None else after - before

    def value(self, arm: str) -> float | None:
        return self.answers[arm].value if arm in self.answers else None


def anchor(suite: str, sample: str) -> str:
    """The permalink of a sample: "suite/id" where both are plain, a hash of them otherwise.

    >>> anchor("sql", "sql-0001")
    'sql/sql-0001'
    """
    if _SAFE.fullmatch(suite) and _SAFE.fullmatch(sample):
        return f"{suite}/{sample}"
    return "s-" + hashlib.sha256(f"{suite}\0{sample}".encode("utf-8", "surrogatepass")).hexdigest()[:12]


def cases(run: Run) -> list[Case]:
    """Every sample of the run: suites and arms in the order of the manifest, samples by id."""
    scored: dict[tuple[str, str, str], list[ScoreRow]] = {}
    for score in run.scores:
        scored.setdefault((score.suite, score.sample, score.arm), []).append(score)
    asked: dict[tuple[str, str], list[Row]] = {}
    for row in run.rows:
        asked.setdefault((row.suite, row.sample), []).append(row)
    suites = {name: place for place, name in enumerate(run.manifest.get("suites", {}))}
    arms = {name: place for place, name in enumerate(run.manifest.get("arms", {}))}
    made = [_case(rows, arms, scored) for rows in asked.values()]
    return sorted(made, key=lambda case: (suites.get(case.suite, len(suites)), case.sample))


def beside(mine: Sequence[Case], others: Sequence[tuple[str, Run]]) -> tuple[list[Case], dict[str, str]]:
    """The cases with the answers of other (named) runs to the same samples added, and the run of each of those arms.

    Samples are matched by content hash. Samples that only the other runs hold are left out.
    """
    if not others:
        return list(mine), {}
    added: dict[tuple[str, str], dict[str, Answer]] = {}
    names: dict[str, str] = {}
    for name, run in others:
        for case in cases(run):
            for arm, answer in case.answers.items():
                label = f"{arm} · {name}"
                names[label] = name
                added.setdefault((case.suite, answer.row.sample_digest), {})[label] = answer
    made = []
    for case in mine:
        digest = next(iter(case.answers.values())).row.sample_digest
        made.append(replace(case, answers={**case.answers, **added.get((case.suite, digest), {})}))
    return made, names


def _case(
    rows: Sequence[Row], arms: Mapping[str, int], scored: Mapping[tuple[str, str, str], Sequence[ScoreRow]]
) -> Case:
    answers: dict[str, Answer] = {}
    for row in sorted(rows, key=lambda row: (arms.get(row.arm, len(arms)), row.arm, row.draw)):
        if row.arm in answers:
            continue
        mine = _over_draws(scored.get((row.suite, row.sample, row.arm), ()))
        if len(mine) == 1 and mine[0].primary:
            answers[row.arm] = Answer(row, mine[0])
            continue
        primary = next((score for score in mine if score.primary), None)
        answers[row.arm] = Answer(row, primary, tuple(score for score in mine if not score.primary))
    first = next(iter(answers.values())).row
    question = min((_last_user_turn(row) for row in rows), key=len)
    return Case(
        first.suite, first.sample, anchor(first.suite, first.sample), question, first.target, first.metadata, answers
    )


def _over_draws(scores: Sequence[ScoreRow]) -> list[ScoreRow]:
    """A row per scorer: where several answers were drawn the first one, with their mean and all values in words."""
    if len(scores) == 1:
        return list(scores)
    by_scorer: dict[str, list[ScoreRow]] = {}
    for row in sorted(scores, key=lambda row: row.draw):
        by_scorer.setdefault(row.scorer, []).append(row)
    made = []
    for first, *others in by_scorer.values():
        values = [row.score.value for row in (first, *others)]
        said = f"{len(values)} answers: {', '.join(f'{value:.3g}' for value in values)}. The first: "
        score = replace(first.score, value=mean(values), explanation=said + first.score.explanation)
        made.append(replace(first, score=score) if others else first)
    return made


def _last_user_turn(row: Row) -> str:
    return next((turn["content"] for turn in reversed(row.messages) if turn["role"] == "user"), "")
