"""What the page says, as plain records for the templates. Nothing here is HTML except the finished SVG charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from harness.compare import Table, arm_names, scorer_names, suite_names, summarize_arm, tabulate
from harness.costs import BreakEven, break_evens
from harness.data import ArmSummary, Comparison, Run, Verdict
from harness.report import charts
from harness.report.breakdown import Breakdown, SubScores, breakdowns, sub_scores
from harness.report.cases import Case, cases
from harness.report.headline import OVERALL, headline
from harness.report.text import count, number, one_line, percent, prose, seconds
from harness.report.trust import Check, checks
from harness.roles import is_tuned, reference
from harness.stats.forgetting import Retention
from harness.verdict import comparisons, decide, retentions

CARDS = 40
"""Samples that the page shows without JavaScript, over all suites."""

GENERAL = "as a general model"

KINDS = {
    "skill": "a skill",
    "style": "a style",
    "format": "a format",
    "knowledge": "facts",
    "general": "general ability",
}


@dataclass(frozen=True)
class Said:
    """A verdict as the page says it: the word and its scope, about which arm, the sentence, what would change it."""

    word: str
    scope: str
    arm: str
    sentence: str
    reasons: tuple[str, ...]
    change: str


@dataclass(frozen=True)
class Line:
    """One arm in a suite's table, compared with the arm `against`; difference is None for the reference itself."""

    name: str
    place: int
    reference: bool
    against: str
    against_place: int
    fine_tuned: bool
    mean: float
    low: float
    high: float
    difference: float | None
    difference_low: float
    difference_high: float
    side: str
    wins: int
    losses: int
    note: str
    forest: Markup
    tokens_in: float
    tokens_out: float
    seconds: float
    p95: float
    engine: float | None
    money: str | None


@dataclass(frozen=True)
class SuiteView:
    """One suite: its decision, its table of arms, its charts and its breakdowns."""

    name: str
    place: int
    title: str
    question: str
    kind: str
    facts: str
    n: int
    said: tuple[Said, ...]
    reference: str
    reference_word: str
    candidate_place: int
    reference_place: int
    summaries: tuple[ArmSummary, ...]
    comparisons: tuple[Comparison, ...]
    lines: tuple[Line, ...]
    has_money: bool
    sub_scores: SubScores | None
    breakdowns: tuple[Breakdown, ...]
    chart: Markup | None
    changes: Markup | None
    changes_base: str


@dataclass(frozen=True)
class Cell:
    """One arm on one suite at a glance; side is "gain", "loss" or "unclear" against the reference."""

    mean: float
    reference: str
    difference: float | None
    side: str


@dataclass(frozen=True)
class ArmView:
    """One arm over all suites."""

    name: str
    how: str
    cells: tuple[Cell | None, ...]
    kept: str
    kept_range: str
    tokens: str
    training: str
    training_note: str
    break_even: str
    break_even_note: str


@dataclass(frozen=True)
class Few:
    """The samples of one suite that changed most, one way."""

    title: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class TrainingCard:
    title: str
    facts: tuple[tuple[str, str], ...]


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
        _suite(
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
    arms = [_arm(table, arm, suites, kept, _pays(arm, pays, verdicts)) for arm in names]
    per_group = max(1, min(5, CARDS // max(1, 2 * len(suites))))
    few = [group for suite in suites for group in _few(suite, names, every, per_group)]
    return PageView(
        title=one_line(title or _title(run)),
        facts=_facts(run, suites, names),
        headline=headline(verdicts, {suite: str(about.get("kind")) for suite, about in table.suites.items()}),
        overall=tuple(_said(verdict) for verdict in verdicts if verdict.suite == OVERALL),
        suites=tuple(suites),
        arms=tuple(arms),
        arm_names=tuple(names),
        has_retention=any(arm.kept for arm in arms),
        has_break_even=any(arm.break_even != "–" for arm in arms),
        checks=tuple(checks(table, verdicts)),
        training=tuple(_training(run)),
        cases=tuple(every),
        few=tuple(few[: CARDS // per_group]),
        method=_method(run, suites),
        total=len(every),
    )


def _said(verdict: Verdict) -> Said:
    """A verdict without the words that its place on the page already says."""
    sentence = verdict.sentence.removeprefix(f"{verdict.suite}: ")
    if verdict.suite == OVERALL:
        sentence = sentence.removeprefix(f"{verdict.candidate}: ")
    else:
        sentence = sentence[:1].upper() + sentence[1:]
    change = verdict.would_change.removeprefix("Would change this: ")
    return Said(
        verdict.decision,
        GENERAL if GENERAL in sentence else "",
        one_line(verdict.candidate),
        prose(sentence),
        tuple(prose(reason) for reason in verdict.reasons),
        prose(change[:1].upper() + change[1:]),
    )


# --- one suite -------------------------------------------------------------------------------------------------------


def _suite(
    table: Table,
    suite: str,
    place: int,
    names: Sequence[str],
    verdicts: Sequence[Verdict],
    found: Mapping[str, Comparison],
    mine: Sequence[Case],
    kept: Sequence[Retention],
) -> SuiteView:
    about = table.suites[suite]
    held_to, role = reference(table, suite)
    shown = next((v for v in reversed(verdicts) if v.decision == "adopt"), verdicts[0])
    if about.get("kind") == "general":
        role, held_to = "untrained", shown.reference if shown.reference in names else held_to
        shown = next((v for v in verdicts if v.decision == "do not adopt"), shown)
    found = {arm: comparison for arm, comparison in found.items() if arm != held_to}
    summaries = [s for arm in arm_names(table, suite) if (s := summarize_arm(table, suite, arm)) is not None]
    edges = [edge for c in found.values() for edge in (c.interval.low, c.interval.high)]
    axis, price = charts.span(edges), table.run.manifest.get("costs", {}).get("gpu_hour_usd")
    lines = [_line(s, found.get(s.arm), s.arm == held_to, names, axis, price) for s in summaries]
    scorer, version = one_line(scorer_names(table, suite)[0]), number(about.get("version"))
    title, n = one_line(about.get("title") or suite), max((summary.n for summary in summaries), default=0)
    losses = [r for r in kept if is_tuned(table, r.arm)] or list(kept)
    arms = [summary.arm for summary in summaries]
    return SuiteView(
        name=one_line(suite),
        place=place,
        title=title,
        question=one_line(about.get("question") or "", 400),
        kind=KINDS.get(about.get("kind", ""), one_line(str(about.get("kind", "")))),
        facts=f"{n:,} samples, scored by {scorer}, version {version}",
        n=n,
        said=tuple(_said(verdict) for verdict in verdicts),
        reference=one_line(held_to),
        reference_word=role.removeprefix("the ").replace("best arm without fine-tuning", "best not fine-tuned"),
        candidate_place=names.index(shown.candidate),
        reference_place=names.index(shown.reference or held_to),
        summaries=tuple(summaries),
        comparisons=tuple(found.values()),
        lines=tuple(lines),
        has_money=any(line.money for line in lines),
        sub_scores=sub_scores(mine, scorer_names(table, suite), arms),
        breakdowns=tuple(breakdowns(mine, arms)),
        chart=_quality(title, summaries),
        changes=_changes(title, losses),
        changes_base=", ".join(sorted({one_line(r.base) for r in losses})),
    )


def _line(
    summary: ArmSummary,
    found: Comparison | None,
    is_reference: bool,
    names: Sequence[str],
    axis: tuple[float, float],
    price: float | None,
) -> Line:
    engine = summary.engine_seconds
    low, high = (found.interval.low, found.interval.high) if found else (0.0, 0.0)
    return Line(
        name=one_line(summary.arm),
        place=names.index(summary.arm),
        reference=is_reference,
        against=one_line(found.baseline) if found else "",
        against_place=names.index(found.baseline) if found else 0,
        fine_tuned=summary.fine_tuned,
        mean=summary.mean,
        low=summary.interval.low,
        high=summary.interval.high,
        difference=found.difference if found else None,
        difference_low=low,
        difference_high=high,
        side=_side(low, high),
        wins=found.wins if found else 0,
        losses=found.losses if found else 0,
        note=prose(found.note) if found else "",
        forest=charts.forest_row(found.difference, low, high, axis, summary.fine_tuned) if found else Markup(""),
        tokens_in=summary.prompt_tokens,
        tokens_out=summary.completion_tokens,
        seconds=summary.seconds,
        p95=summary.seconds_p95,
        engine=engine,
        money=None if engine is None or not price else f"${1000 * engine * price / 3600:.2f}",
    )


def _side(low: float, high: float) -> str:
    return "gain" if low > 0 else "loss" if high < 0 else "unclear"


def _quality(title: str, summaries: Sequence[ArmSummary]) -> Markup | None:
    """Score against measured engine seconds where every arm has them, against tokens otherwise."""
    if len(summaries) < 2:
        return None
    timed = all(summary.engine_seconds for summary in summaries)
    dots = [
        charts.Point(
            s.arm,
            (s.engine_seconds or 0.0) if timed else s.prompt_tokens + s.completion_tokens,
            s.mean,
            s.interval.low,
            s.interval.high,
            s.fine_tuned,
        )
        for s in summaries
    ]
    return charts.quality_chart(title, "seconds" if timed else "tokens", dots)


def _changes(title: str, losses: Sequence[Retention]) -> Markup | None:
    """The chart of changes by probe; None where no fine-tuned arm has probes on this suite."""
    rows: dict[str, list[charts.Change]] = {}
    sizes: dict[str, int] = {}
    for retention in losses:
        for probe in retention.probes:
            rows.setdefault(probe.probe, []).append(
                charts.Change(retention.arm, probe.difference, probe.interval.low, probe.interval.high)
            )
            sizes[probe.probe] = probe.n
    if not rows:
        return None
    worst_first = sorted(rows, key=lambda name: (min(change.difference for change in rows[name]), name))
    probes = [charts.Probe(name, sizes[name], tuple(rows[name])) for name in worst_first]
    return charts.change_chart(title, probes, [retention.arm for retention in losses])


# --- all arms --------------------------------------------------------------------------------------------------------


def how(arm: Mapping[str, Any]) -> str:
    """An arm's dials in words: "system prompt, 4 examples", "3 passages, adapter staff", "bare question".

    >>> how({"system": True, "shots": 4})
    'system prompt, 4 examples'
    """
    words = []
    if arm.get("system"):
        words.append("system prompt")
    if arm.get("shots"):
        words.append(f"{arm['shots']} example{'s' if arm['shots'] != 1 else ''}")
    if arm.get("retrieve"):
        words.append(f"{arm['retrieve']} passage{'s' if arm['retrieve'] != 1 else ''}")
    if arm.get("adapter"):
        words.append(f"adapter {one_line(str(arm['adapter']), 40)}")
    return ", ".join(words) or "bare question"


def _arm(
    table: Table, arm: str, suites: Sequence[SuiteView], kept: Sequence[Retention], pays: tuple[str, str]
) -> ArmView:
    about = table.arms[arm]
    lines = [next((line for line in suite.lines if line.name == one_line(arm)), None) for suite in suites]
    tokens = [line.tokens_in + line.tokens_out for line in lines if line]
    tuned = any(is_tuned(table, retention.arm) for retention in kept)
    mine = [r for r in kept if r.arm == arm and r.macro is not None and (is_tuned(table, arm) or not tuned)]
    training, training_note = _training_cost(table, about)
    several_models = len({str(other.get("model")) for other in table.arms.values()}) > 1
    return ArmView(
        name=one_line(arm),
        how=how(about) + (f", model {one_line(str(about.get('model')), 40)}" if several_models else ""),
        cells=tuple(
            None
            if line is None
            else Cell(line.mean, suite.reference_word if line.reference else "", line.difference, line.side)
            for line, suite in zip(lines, suites, strict=True)
        ),
        kept=", ".join(percent(retention.macro) for retention in mine if retention.macro is not None),
        kept_range=", ".join(
            f"{percent(r.interval.low)} to {percent(r.interval.high)}" for r in mine if r.interval is not None
        ),
        tokens=count(sum(tokens) / len(tokens)) if tokens else "–",
        training=training,
        training_note=training_note,
        break_even=pays[0],
        break_even_note=pays[1],
    )


def _training_cost(table: Table, arm: Mapping[str, Any]) -> tuple[str, str]:
    """Training time, and its price as a note where the price of a GPU hour is known."""
    if not arm.get("adapter"):
        return "none", ""
    train = table.run.manifest.get("adapters", {}).get(arm["adapter"], {}).get("train") or {}
    if train.get("seconds") is None:
        return "not recorded", ""
    price = table.run.manifest.get("costs", {}).get("gpu_hour_usd")
    return seconds(train["seconds"]), f"${train['seconds'] * price / 3600:.2f}" if price else ""


def _pays(arm: str, pays: Sequence[BreakEven], verdicts: Sequence[Verdict]) -> tuple[str, str]:
    """The earliest break-even over the suites where the arm is not turned down, or why there is none."""
    turned_down = {v.suite for v in verdicts if v.candidate == arm and v.decision == "do not adopt"}
    mine = [entry for entry in pays if entry.arm == arm and entry.suite not in turned_down]
    reached = [entry for entry in mine if entry.requests is not None]
    if reached:
        first = min(reached, key=lambda entry: entry.requests or 0)
        return f"{first.requests:,} requests", f"to {one_line(first.suite, 20)}, not {one_line(first.against, 20)}"
    return ("never", one_line(mine[0].reason)) if mine else ("–", "")


# --- the rest --------------------------------------------------------------------------------------------------------


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


def _training(run: Run) -> list[TrainingCard]:
    cards = []
    for name, adapter in run.manifest.get("adapters", {}).items():
        facts = [("base model", number(adapter.get("model"))), ("digest", number(adapter.get("digest")))]
        train = adapter.get("train")
        if not train:
            facts.append(("recipe", "not recorded: trained elsewhere"))
        for key, value in (train or {}).items():
            shown = seconds(value) if key == "seconds" else _flat(value)
            facts.append((one_line(str(key)).replace("_", " "), shown))
        cards.append(TrainingCard(one_line(str(name)), tuple(facts)))
    return cards


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{one_line(str(key))} {number(item)}" for key, item in value.items()) or "–"
    return number(value)


def _method(run: Run, suites: Sequence[SuiteView]) -> tuple[tuple[str, str], ...]:
    manifest = run.manifest
    facts = [
        ("command", number(manifest.get("command"))),
        ("harness", number(manifest.get("harness"))),
        ("git", _flat(manifest.get("git"))),
        ("engine", _flat(manifest.get("engine", {}))),
        ("hardware", _flat(manifest.get("hardware", {}))),
        ("costs", _flat(manifest.get("costs", {}))),
    ]
    facts += [(f"model {one_line(str(name))}", _flat(about)) for name, about in manifest.get("models", {}).items()]
    by_name = {one_line(name): about for name, about in manifest.get("suites", {}).items()}
    for suite in suites:
        about = by_name[suite.name]
        scorers = ", ".join(f"{s['name']} ({s['scorer']})" for s in about.get("scorers", ()))
        facts.append(
            (f"suite {suite.name}", f"version {number(about.get('version'))}, digest {number(about.get('digest'))}")
        )
        facts.append((f"suite {suite.name}: scorers", one_line(scorers, 400)))
        facts.append((f"suite {suite.name}: decoding", _flat(about.get("sampling", {}))))
    statistics = (
        "scores: Wilson interval (0/1) or t interval; differences: Tango score interval and mid-p McNemar test (0/1), "
        "or paired t; 95 %, two-sided; samples are paired by content hash"
    )
    return (*facts, ("statistics", statistics))
