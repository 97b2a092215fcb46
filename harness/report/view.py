"""What the page says, as plain records for the templates. Nothing here is HTML except the finished SVG charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare import scorer_names, suite_names, tabulate
from harness.costs import break_evens
from harness.data import Run
from harness.report.arm_view import ArmView, arm_view, pays_off
from harness.report.cases import Case, cases
from harness.report.headline import OVERALL, headline
from harness.report.provenance import TrainingCard, method, training_cards
from harness.report.suite_view import Said, SuiteView, say, suite_view
from harness.report.text import one_line
from harness.report.trust import Check, checks
from harness.verdict import comparisons, decide, retentions

CARDS = 40
"""Samples that the page shows without JavaScript, over all suites."""


@dataclass(frozen=True)
class Few:
    """The samples of one suite that changed most, one way."""

    title: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class PageView:
    """The whole page."""

    title: str
    facts: tuple[str, ...]
    headline: str
    overall: tuple[Said, ...]
    suites: tuple[SuiteView, ...]
    arms: tuple[ArmView, ...]
    arm_names: tuple[str, ...]
    has_retention: bool
    has_break_even: bool
    checks: tuple[Check, ...]
    training: tuple[TrainingCard, ...]
    cases: tuple[Case, ...]
    few: tuple[Few, ...]
    method: tuple[tuple[str, str], ...]
    total: int


def view(run: Run, title: str | None = None) -> PageView:
    """Everything the report says about one run. Numbers come from compare, costs and verdict; none is made here."""
    table = tabulate(run)
    verdicts, every, kept = decide(run), cases(run), retentions(run)
    found = [c for c in comparisons(run) if c.scorer == scorer_names(table, c.suite)[0]]
    names = [arm for arm in table.arms if any((suite, arm) in table.rows for suite in table.suites)]
    suites = [
        suite_view(
            table,
            suite,
            place,
            names,
            [verdict for verdict in verdicts if verdict.suite == suite],
            {c.candidate: c for c in found if c.suite == suite},
            [case for case in every if case.suite == suite],
            [retention for retention in kept if retention.suite == suite],
        )
        for place, suite in enumerate(suite_names(table))
    ]
    pays = break_evens(run)
    arms = [arm_view(table, arm, suites, kept, pays_off(arm, pays, verdicts)) for arm in names]
    per_group = max(1, min(5, CARDS // max(1, 2 * len(suites))))
    few = [group for suite in suites for group in _few(suite, names, every, per_group)]
    return PageView(
        title=one_line(title or _title(run)),
        facts=_facts(run, suites, names),
        headline=headline(verdicts, {suite: str(about.get("kind")) for suite, about in table.suites.items()}),
        overall=tuple(say(verdict) for verdict in verdicts if verdict.suite == OVERALL),
        suites=tuple(suites),
        arms=tuple(arms),
        arm_names=tuple(names),
        has_retention=any(arm.kept for arm in arms),
        has_break_even=any(arm.break_even != "–" for arm in arms),
        checks=tuple(checks(table, verdicts)),
        training=tuple(training_cards(run)),
        cases=tuple(every),
        few=tuple(few[: CARDS // per_group]),
        method=method(run),
        total=len(every),
    )


def _few(suite: SuiteView, names: Sequence[str], every: Sequence[Case], most: int) -> list[Few]:
    """The largest losses and gains of the suite's candidate against its reference."""
    reference, candidate = names[suite.reference_place], names[suite.candidate_place]
    mine = [case for case in every if one_line(case.suite) == suite.name]
    changed = [(change, case) for case in mine if (change := case.change(reference, candidate))]
    worst = sorted((pair for pair in changed if pair[0] < 0), key=lambda pair: (pair[0], pair[1].sample))
    best = sorted((pair for pair in changed if pair[0] > 0), key=lambda pair: (-pair[0], pair[1].sample))
    said = f"{one_line(candidate)} against {one_line(reference)}"
    groups = [(f"{suite.title}: worse, {said}", worst), (f"{suite.title}: better, {said}", best)]
    return [Few(name, tuple(case for _, case in pairs[:most])) for name, pairs in groups if pairs]


def _title(run: Run) -> str:
    tuned = any(arm.get("adapter") for arm in run.manifest.get("arms", {}).values())
    return "Prompt, retrieval or fine-tuning?" if tuned else "Which way to answer?"


def _facts(run: Run, suites: Sequence[SuiteView], arms: Sequence[str]) -> tuple[str, ...]:
    manifest = run.manifest
    models = ", ".join(one_line(str(name), 60) for name in manifest.get("models", {}))
    total = sum(suite.n for suite in suites)
    return (
        f"Model: {models or 'not recorded'}",
        f"{len(arms)} arms, {len(suites)} suite{'s' if len(suites) != 1 else ''}, {total:,} samples",
        f"Run: {one_line(run.path.rstrip('/').rsplit('/', 1)[-1], 60)}",
        f"Measured: {one_line(str(manifest.get('created', 'date not recorded')), 40)}",
    )
