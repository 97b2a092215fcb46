"""Suites over several runs: what each run decided, and how every arm did against its own run before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.compare import Table, arm_names, compare_tables, suite_names, summarize_arm, tabulate
from harness.data import Run
from harness.errors import HarnessError
from harness.report import charts
from harness.report.headline import headline
from harness.report.text import moment, number, one_line, percent, points, prose
from harness.rungs import unsolved
from harness.verdict import decide, picks


@dataclass(frozen=True)
class RunFact:
    """One run of the report, and what it decided."""

    name: str
    created: str
    git: str
    decided: str


@dataclass(frozen=True)
class Point:
    """An arm in one run; difference (with its interval) is to the run before, None with a reason in note."""

    run: str
    arm: str
    n: int
    mean: float
    low: float
    high: float
    difference: float | None
    difference_low: float
    difference_high: float
    wins: int
    losses: int
    side: str
    note: str


@dataclass(frozen=True)
class SuiteHistory:
    """One suite over the runs that asked it, oldest first, arm by arm."""

    title: str
    points: tuple[Point, ...]
    chart: Markup

    def grid(self, runs: Sequence[str]) -> list[tuple[str, list[str]]]:
        """(arm, its score in each of `runs` with the change against the run before) per arm; "–" where not asked."""
        found = {(point.arm, point.run): _said(point) for point in self.points}
        arms = dict.fromkeys(point.arm for point in self.points)
        return [(arm, [found.get((arm, run), "–") for run in runs]) for arm in arms]

    def notes(self, runs: Sequence[str]) -> list[str]:
        """What is to say about the changes of `runs` against those before them, each thing once, the worst first."""
        found: dict[str, str] = {}
        for point in sorted(self.points, key=lambda point: point.difference is not None):
            if point.note and point.run in runs:
                found.setdefault(point.note, f"{point.arm}, {point.run}: {point.note}")
        return list(found.values())


def _said(point: Point) -> str:
    if point.difference is None:
        return percent(point.mean) + (" (not comparable)" if point.note else "")
    sign = {"gain": "▲", "loss": "▼", "unclear": "≈"}[point.side]
    return f"{percent(point.mean)} ({sign} {points(point.difference)})"


def in_order(runs: Sequence[Run]) -> list[Run]:
    """Oldest first, by the date in the manifest; as given where that is the same or missing."""
    return sorted(runs, key=lambda run: str(run.manifest.get("created") or ""))


def run_names(runs: Sequence[Run]) -> list[str]:
    """The names of the run folders, numbered where two are the same."""
    names: list[str] = []
    for run in runs:
        name = one_line(run.path.rstrip("/").rsplit("/", 1)[-1], 60)
        again = sum(other == name or other.startswith(f"{name} (") for other in names)
        names.append(f"{name} ({again + 1})" if again else name)
    return names


def run_facts(runs: Sequence[Run]) -> tuple[RunFact, ...]:
    """What each run is and what it decided, oldest first."""
    return tuple(
        RunFact(
            name,
            moment(run.manifest.get("created")),
            number(run.manifest.get("git")),
            headline(decide(run), picks(run), unsolved(tabulate(run))),
        )
        for name, run in zip(run_names(runs), runs, strict=True)
    )


def histories(runs: Sequence[Run]) -> list[SuiteHistory]:
    """Every suite of the newest run, over all runs. Runs are oldest first."""
    names = run_names(runs)
    tables = [tabulate(run) for run in runs]
    found = []
    for suite in suite_names(tables[-1]):
        arms = list(dict.fromkeys(arm for table in reversed(tables) if suite in table.suites for arm in table.arms))
        points = [point for arm in arms for point in _points(tables, names, suite, arm)]
        title = one_line(tables[-1].suites[suite].get("title") or suite)
        found.append(SuiteHistory(title, tuple(points), _chart(title, names, points)))
    return found


def _points(tables: Sequence[Table], names: Sequence[str], suite: str, arm: str) -> Iterator[Point]:
    before: Table | None = None
    for name, table in zip(names, tables, strict=True):
        if suite not in table.suites or arm not in arm_names(table, suite):
            continue
        summary = summarize_arm(table, suite, arm)
        if summary is None:
            continue
        difference, low, high, wins, losses, note = None, 0.0, 0.0, 0, 0, ""
        if before is not None:
            try:
                c = compare_tables(before, arm, table, arm, suite)
                difference, low, high, wins, losses = c.difference, c.interval.low, c.interval.high, c.wins, c.losses
                note = prose(c.note)
            except HarnessError as problem:
                note = prose(str(problem).removeprefix(f"{suite}: "))
        side = "unclear" if difference is None else "gain" if low > 0 else "loss" if high < 0 else "unclear"
        measured = (summary.n, summary.mean, summary.interval.low, summary.interval.high)
        yield Point(name, one_line(arm), *measured, difference, low, high, wins, losses, side, note)
        before = table


def _chart(title: str, names: Sequence[str], points: Sequence[Point]) -> Markup:
    arms = list(dict.fromkeys(point.arm for point in points))
    series = [
        charts.Series(arm, tuple((names.index(p.run), p.mean, p.low, p.high) for p in points if p.arm == arm))
        for arm in arms
    ]
    return charts.history_chart(title, names, series)
