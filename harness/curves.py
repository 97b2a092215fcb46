"""Learning curves of a run: arms whose adapters differ in nothing but training size and seed, see stats/curve.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness import words
from harness.compare import Table, arm_names, scorer_names, suite_names, tabulate
from harness.data import Run
from harness.roles import dials
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
    """A curve per recipe and suite where a run has candidates of two training sizes or more. target: a score, 0..1."""
    table = tabulate(run)
    return [
        _curve(table, suite, mine, target)
        for suite in suite_names(table)
        if table.suites[suite].get("kind") != "general"
        for mine in _recipes(table, suite).values()
        if len({size for size, _ in mine}) > 1
    ]


def _recipes(table: Table, suite: str) -> dict[str, list[tuple[int, str]]]:
    """(training samples, arm) of the arms that share dials, base and recipe, except for data fraction and seed."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    adapters: Mapping[str, Any] = table.run.manifest.get("adapters", {})
    for arm in arm_names(table, suite):
        own = dials(table, suite, arm)
        card = (adapters.get(own.get("adapter") or "") or {}).get("train") or {}
        recipe = card.get("recipe")
        if not recipe or not card.get("examples") or suite not in recipe.get("suites", ()):
            continue
        same = {key: value for key, value in recipe.items() if key not in ("data_fraction", "seed", "max_steps")}
        rest = {key: value for key, value in own.items() if key != "adapter"}
        found[repr((sorted(same.items()), sorted(rest.items())))].append((int(card["examples"]), arm))
    return found


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
