"""One suite of the page: its verdicts, its table of arms, its charts and its breakdowns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from harness.compare import Table, agreement, arm_names, grader, scorer_names, summarize_arm
from harness.corpus_scores import CorpusScore
from harness.costs import usd_per_request
from harness.curves import SuiteCurve
from harness.data import ArmSummary, Comparison, Verdict
from harness.report import charts
from harness.report.breakdown import Breakdown, SubScores, breakdowns, sub_scores
from harness.report.cases import Case
from harness.report.text import how, number, one_line, prose, seconds
from harness.roles import by_cost, is_tuned, reference, tried
from harness.rungs import ladder
from harness.stats.forgetting import Retention
from harness.verdict import OVERALL, margin_of

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
    per_1000: str


@dataclass(frozen=True)
class Tried:
    """One combination of an arm's dials on dev: whether it answered test, its dials, samples, score, prompt tokens."""

    arm: str
    chosen: bool
    how: str
    n: int
    mean: float
    tokens: float


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
    general: bool
    margin: float
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
    curves: tuple[tuple[str, Markup | None], ...]
    breakdowns: tuple[Breakdown, ...]
    tried: tuple[Tried, ...]
    ladder: str
    words: tuple[tuple[str, str, str], ...]
    whole: tuple[str, ...]
    chart: Markup | None
    changes: Markup | None
    changes_base: str


def say(verdict: Verdict) -> Said:
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


def validity(about: Mapping[str, Any]) -> str:
    """What the suite's certificate says of its score; nothing for runs of older versions, which did not ask."""
    if "certificate" not in about:
        return ""
    found = about["certificate"]
    if not isinstance(found, Mapping) or not found.get("valid"):
        return "; score not validated"
    said = [
        f"{found[kind]['held']:,} of {found[kind]['n']:,} {words}"
        for kind, words in (("paraphrase", "paraphrased targets accepted"), ("corrupted", "corrupted ones refused"))
    ]
    style = found.get("style")
    if isinstance(style, Mapping):
        rivals = f"length alone {style['length_only']:.2f}, marker words {style['marker_words']:.2f}"
        said.append(f"style classifier AUROC {style['auroc']:.2f} on unseen writers ({rivals})")
    return f"; score validated: {', '.join(said)}"


def suite_view(
    table: Table,
    suite: str,
    place: int,
    names: Sequence[str],
    verdicts: Sequence[Verdict],
    found: Mapping[str, Comparison],
    mine: Sequence[Case],
    kept: Sequence[Retention],
    drawn: Sequence[SuiteCurve],
    whole: Sequence[CorpusScore],
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
    axis = charts.span(edges)
    lines = [_line(s, found.get(s.arm), s.arm == held_to, names, axis, usd_per_request(table, s)) for s in summaries]
    scorer, version = one_line(scorer_names(table, suite)[0]), number(about.get("version"))
    title, n = one_line(about.get("title") or suite), max((summary.n for summary in summaries), default=0)
    losses = [r for r in kept if is_tuned(table, r.arm)] or list(kept)
    arms = [summary.arm for summary in summaries]
    several = about.get("kind") != "general" and len(by_cost(table, suite)) > 1
    steps = ladder(table, suite, verdicts) if several else None
    return SuiteView(
        name=one_line(suite),
        place=place,
        title=title,
        question=one_line(about.get("question") or "", 400),
        kind=KINDS.get(about.get("kind", ""), one_line(str(about.get("kind", "")))),
        facts=f"{n:,} samples{_looks(about)}, scored by {scorer}, version {version}{validity(about)}",
        n=n,
        general=about.get("kind") == "general",
        margin=margin_of(table, suite),
        said=tuple(say(verdict) for verdict in verdicts),
        reference=one_line(held_to),
        reference_word=role.removeprefix("the ").replace("best arm without fine-tuning", "best not fine-tuned"),
        candidate_place=names.index(shown.candidate),
        reference_place=names.index(shown.reference or held_to),
        summaries=tuple(summaries),
        comparisons=tuple(found.values()),
        lines=tuple(lines),
        has_money=any(line.money for line in lines),
        sub_scores=sub_scores(
            mine, scorer_names(table, suite), arms, lambda name, arm: agreement(grader(table, suite, name), arm)
        ),
        breakdowns=tuple(breakdowns(mine, arms)),
        curves=tuple(
            (prose(one.sentence), charts.learning_curve(title, one.curve) if one.curve else None) for one in drawn
        ),
        tried=tuple(_tried(table, suite, arms)),
        ladder=prose(steps.sentence) if steps else "",
        whole=tuple(prose(one.sentence) for one in whole),
        words=tuple((one_line(r.arm), r.decision, prose(r.sentence)) for r in steps.rungs) if steps else (),
        chart=_quality(title, summaries),
        changes=_changes(title, losses),
        changes_base=", ".join(sorted({one_line(r.base) for r in losses})),
    )


def _looks(about: Mapping[str, Any]) -> str:
    looks = about.get("looks")
    return f" (look {looks['used']} of {len(looks['sizes'])} of {about.get('n_test')})" if looks else ""


def _tried(table: Table, suite: str, arms: Sequence[str]) -> Iterator[Tried]:
    for arm in arms:
        tries, chosen = tried(table, suite, arm)
        for place, one in enumerate(tries):
            dials = how({**one, "adapter": table.arms[arm].get("adapter")})
            yield Tried(one_line(arm), place == chosen, dials, one["n"], one["mean"], one["prompt_tokens"])


def _line(
    summary: ArmSummary,
    found: Comparison | None,
    is_reference: bool,
    names: Sequence[str],
    axis: tuple[float, float],
    usd: float | None,
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
        money=_dollars(1000 * usd) if usd else None,
        per_1000=seconds(1000 * engine) if engine else "",
    )


def _dollars(usd: float) -> str:
    """Cents, and two digits of smaller amounts.

    >>> _dollars(1.5), _dollars(0.0042)
    ('$1.50', '$0.0042')
    """
    return f"${usd:.2f}" if usd >= 0.1 else f"${usd:.2g}"


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
