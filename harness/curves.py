"""Learning curves of a run: arms whose adapters differ in nothing but training size and seed, see stats/curve.py."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from harness import words
from harness.compare import Table, scorer_names, suite_names, tabulate
from harness.data import Run
from harness.recipes import alike
from harness.stats.curve import REACH, Curve, learning_curve
from harness.stats.paired import mean


@dataclass(frozen=True)
class SuiteCurve:
    """The curve of one recipe on one suite. arms: those it was drawn from. curve: None where `refused` says why."""

    suite: str
    arms: tuple[str, ...]
    curve: Curve | None
    refused: str = ""

    @property
    def sentence(self) -> str:
        """What the curve says, with its band; or why there is none."""
        names = f"{self.arms[0]} and {len(self.arms) - 1} more"
        if self.curve is None:
            return f"{self.suite}: no learning curve from {names}: {self.refused}."
        last = self.curve.measured[-1]
        text = (
            f"{self.suite}: with {last[0]:,} training samples {words.percent(last[1])} ({names}); with more of them: "
        )
        ahead = [point for point in self.curve.fitted if point.size > last[0]]
        text += "; ".join(
            f"{words.percent(p.interval.low)} to {words.percent(p.interval.high)} at {p.size:,}" for p in ahead
        )
        return f"{text} (90 % band). {_needed(self.curve)}".rstrip()


def curves(run: Run, target: float | None = None) -> list[SuiteCurve]:
    """A curve per recipe and suite where a run has candidates of two training sizes or more.

    target: a score, 0..1, whose training size is asked for; None: the suite's own `target`.
    """
    table = tabulate(run)
    return [
        _curve(table, suite, mine, table.suites[suite].get("target") if target is None else target)
        for suite in suite_names(table)
        if table.suites[suite].get("kind") != "general"
        for mine in _sized(table, suite)
        if len({size for size, _ in mine}) > 1
    ]


def _sized(table: Table, suite: str) -> list[list[tuple[int, str]]]:
    """(training samples, arm) of the arms of each recipe."""
    groups = alike(table, suite, ("data_fraction", "seed", "max_steps")).values()
    return [[(int(card["examples"]), arm) for card, arm in group] for group in groups]


def _curve(table: Table, suite: str, mine: list[tuple[int, str]], target: float | None) -> SuiteCurve:
    scorer = scorer_names(table, suite)[0]
    by_arm = {arm: table.scores.get((suite, arm, scorer), {}) for _, arm in mine}
    shared = sorted(set.intersection(*(set(scores) for scores in by_arm.values())))
    sizes: dict[int, list[list[float]]] = defaultdict(list)
    for size, arm in sorted(mine):
        sizes[size].append([mean(by_arm[arm][digest]) for digest in shared])
    names = tuple(arm for _, arm in sorted(mine))
    try:
        return SuiteCurve(suite, names, learning_curve(sizes, target))
    except ValueError as problem:
        return SuiteCurve(suite, names, None, str(problem))


def _needed(curve: Curve) -> str:
    if curve.target is None:
        return ""
    wanted = words.percent(curve.target)
    if curve.needed is None:
        return f"{wanted} is not reached within {REACH} times the data."
    low, high = curve.needed
    most = f"to {high:,}" if high is not None else f"up, and perhaps not within {REACH} times the data"
    return f"{wanted} needs {low:,} {most} training samples."
