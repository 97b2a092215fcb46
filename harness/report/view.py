"""What the page says, as plain records for the templates. Nothing here is HTML except the finished SVG charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.compare import attempted_suites, scorer_names, suite_names, tabulate
from harness.corpus_scores import corpus_scores
from harness.costs import break_evens
from harness.curves import curves
from harness.data import Run
from harness.report.arm_view import ArmView, Rung, arm_view, ladder
from harness.report.cases import Case, beside, cases
from harness.report.glance import Tile, tiles
from harness.report.headline import headline
from harness.report.history import RunFact, SuiteHistory, histories, run_facts, run_names
from harness.report.provenance import TrainingCard, method, training_cards
from harness.report.suite_view import Said, SuiteView, say, suite_view
from harness.report.text import moment, number, one_line
from harness.report.trust import Check, checks
from harness.rungs import ends, unsolved
from harness.verdict import OVERALL, comparisons, decide, retentions

CARDS = 40
"""Samples that the page shows without JavaScript, over all suites."""


LADDERS = 3
"""Suites whose ladders fit the first screen; with more of them it shows the table of all arms and suites."""
FIRST = 5
"""Worst regressions, and best wins, on the first screen."""


@dataclass(frozen=True)
class Few:
    """The samples of one suite that changed most, one way: each with its change, -1..1."""

    title: str
    worse: bool
    cases: tuple[Case, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True)
class Link:
    """A sample whose answer changed: where it is on the page, the question's beginning, and both scores 0..1."""

    anchor: str
    suite: str
    sample: str
    asked: str
    before_arm: str
    before: float
    after_arm: str
    after: float


@dataclass(frozen=True)
class PageView:
    """The whole page."""

    title: str
    facts: tuple[str, ...]
    headline: str
    changes: tuple[tuple[str, str], ...]
    tiles: tuple[Tile, ...]
    overall: tuple[Said, ...]
    suites: tuple[SuiteView, ...]
    arms: tuple[ArmView, ...]
    ladders: tuple[tuple[SuiteView, tuple[Rung, ...]], ...]
    worst: tuple[Link, ...]
    best: tuple[Link, ...]
    command: str
    made_with: tuple[str, ...]
    arm_names: tuple[str, ...]
    sample_arms: tuple[str, ...]
    sample_folders: tuple[str, ...]
    runs: tuple[RunFact, ...]
    histories: tuple[SuiteHistory, ...]
    text: bool
    has_retention: bool
    has_break_even: bool
    checks: tuple[Check, ...]
    training: tuple[TrainingCard, ...]
    cases: tuple[Case, ...]
    few: tuple[Few, ...]
    method: tuple[tuple[str, str], ...]
    total: int


def view(runs: Sequence[Run], title: str | None = None, text: bool = True, target: float | None = None) -> PageView:
    """Everything the report says about the newest of one or more runs, oldest first, and about what came before it.

    Numbers come from compare, costs and verdict; none is made here. text: whether the runs hold texts.
    """
    run = runs[-1]
    table = tabulate(run)
    verdicts, every, kept, drawn = decide(run), cases(run), retentions(run), curves(run, target)
    whole = corpus_scores(table)
    found = [c for c in comparisons(run) if c.scorer == scorer_names(table, c.suite)[0]]
    names = [arm for arm in table.arms if attempted_suites(table, arm)]
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
            [one for one in drawn if one.suite == suite],
            [one for one in whole if one.suite == suite],
        )
        for place, suite in enumerate(suite_names(table))
    ]
    *earlier, folder = run_names(runs)
    shown, earlier_arms = beside(every, list(zip(earlier, runs[:-1], strict=True)))
    pays = break_evens(run)
    arms = [arm_view(table, arm, suites, kept, pays, verdicts) for arm in names]
    judged = [suite for suite in suites if not suite.general] or suites
    per_group = max(1, min(5, CARDS // max(1, 2 * len(suites))))
    few = [group for suite in suites for group in _few(suite, names, every, per_group)][: CARDS // per_group]
    return PageView(
        title=one_line(title or _title(run)),
        facts=_facts(run, suites, names),
        headline=headline(verdicts, ends(table, verdicts), unsolved(table)),
        changes=_changes(suites),
        tiles=tiles(suites),
        overall=tuple(say(verdict) for verdict in verdicts if verdict.suite == OVERALL),
        suites=tuple(suites),
        arms=tuple(arms),
        ladders=tuple((suite, ladder(table, suite, arms)) for suite in judged) if len(judged) <= LADDERS else (),
        worst=_turns([group.links for group in few if group.worse]),
        best=_turns([group.links for group in few if not group.worse]),
        made_with=_made_with(run),
        command=one_line(str(run.manifest.get("command") or ""), 1_000),
        arm_names=tuple(names),
        sample_arms=(*names, *earlier_arms),
        sample_folders=(*[folder] * len(names), *earlier_arms.values()),
        runs=run_facts(runs) if len(runs) > 1 else (),
        histories=tuple(histories(runs)) if len(runs) > 1 else (),
        text=text,
        has_retention=any(arm.kept for arm in arms),
        has_break_even=any(arm.break_even != "–" for arm in arms),
        checks=tuple(checks(table, verdicts)),
        training=tuple(training_cards(run)),
        cases=tuple(shown),
        few=tuple(few),
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
    groups = [(f"{suite.title}: worse, {said}", True, worst), (f"{suite.title}: better, {said}", False, best)]
    return [
        Few(
            name,
            is_worse,
            tuple(case for _, case in pairs[:most]),
            tuple(_link(case, reference, candidate) for _, case in pairs[:most]),
        )
        for name, is_worse, pairs in groups
        if pairs
    ]


def _link(case: Case, reference: str, candidate: str) -> Link:
    before, after = case.value(reference), case.value(candidate)
    return Link(
        case.anchor,
        one_line(case.suite),
        one_line(case.sample),
        one_line(_ends(case.question), 90),
        one_line(reference),
        before or 0.0,
        one_line(candidate),
        after or 0.0,
    )


def _made_with(run: Run) -> tuple[str, ...]:
    """What a second run needs to be the same: versions and digests."""
    manifest = run.manifest
    facts = [f"harness {number(manifest.get('harness'))}"]
    facts += [f"git {number(manifest['git'])}"] if manifest.get("git") else []
    for kind in ("models", "adapters", "suites"):
        facts += [
            f"{kind[:-1]} {one_line(str(name), 40)} {number(about['digest'])[:12]}"
            for name, about in manifest.get(kind, {}).items()
            if isinstance(about, Mapping) and about.get("digest")
        ]
    return tuple(facts)


def _changes(suites: Sequence[SuiteView]) -> tuple[tuple[str, str], ...]:
    """(suite and arm, what would change the decision): of each suite the verdict its decision rests on."""
    found = []
    for suite in suites:
        words = [said.word for said in suite.said]
        for word in ("not comparable", "not decided", "adopt", "do not adopt"):
            if word in words:
                said = suite.said[len(words) - 1 - words[::-1].index(word)]
                found += [(f"{suite.name}, {said.arm}", said.change)] if said.change else []
                break
    return tuple(found)


def _ends(question: str) -> str:
    """The last line that says something: what comes before it is often the same for every sample."""
    return next((line for line in reversed(question.splitlines()) if len(line.strip()) > 9), question)


def _turns(groups: Sequence[Sequence[Link]]) -> tuple[Link, ...]:
    """The first of every group, then the second of every group, up to FIRST: no suite crowds out another."""
    rounds = [link for place in range(FIRST) for group in groups for link in group[place : place + 1]]
    return tuple(rounds[:FIRST])


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
        f"Measured: {moment(manifest.get('created') or 'date not recorded')}",
    )
