"""The decision: which arm to use for each suite, and whether a fine-tuned candidate is worth having.

The ladder: start from the cheapest option and move to a dearer one only if, on the same samples, it is shown better
(95 % interval above zero, corrected for the number of candidates) by an observed `gain` or more. Candidates are the
fine-tuned arms; each is held to the best arm without fine-tuning. On suites of kind "general" a candidate is held to
its own base, and may lose at most the suite's margin.

    adopt          shown better by enough; on a general suite: the interval excludes a loss as large as the margin
    do not adopt   shown worse, or a gain that counts is ruled out; general: shown to have lost more than the margin
    not decided    neither: more samples, or another suite, would tell
    not comparable samples are missing that could turn the decision, or there is nothing to compare with

What is not covered: a fine-tuned arm is one adapter from one training seed; the words are about this adapter, not
about the recipe that made it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness import __version__, words
from harness.compare import (
    Pairs,
    Table,
    arm_names,
    compare_tables,
    pair,
    scorer_names,
    suite_names,
    summarize,
    tabulate,
)
from harness.costs import BreakEven, break_even, break_even_of, break_evens
from harness.data import Comparison, Decision, Run, Verdict
from harness.errors import NotComparable
from harness.retention import retention, retention_of, retentions
from harness.roles import base_of, best, by_cost, candidates, is_tuned, reference
from harness.stats.forgetting import Retention
from harness.stats.paired import difference_interval, difference_p, holm, mean
from harness.stats.power import samples_for_difference, spread

__all__ = [
    "GAIN",
    "break_even",
    "break_evens",
    "comparisons",
    "decide",
    "picks",
    "retention",
    "retentions",
    "verdict_json",
]

GAIN = 0.03
"""The smallest observed gain that is worth a dearer arm, 0..1."""
ALPHA = 0.05
OVERALL = "overall"


@dataclass(frozen=True)
class Finding:
    """A verdict on one suite with what it rests on. comparison is None when nothing could be compared."""

    verdict: Verdict
    kind: str
    comparison: Comparison | None = None
    margin: float = 0.0


def decide(run: Run, *, margin: float | None = None, gain: float = GAIN) -> list[Verdict]:
    """Verdicts per suite and candidate, then one per candidate with suite "overall". Empty for an empty run.

    margin: the largest loss allowed on general suites, 0..1; None takes each suite's own.
    gain: the smallest observed gain that justifies a dearer arm, 0..1.
    """
    table = tabulate(run)
    findings = [f for suite in suite_names(table) for f in _suite(table, suite, margin, gain)]
    compared = [f for f in findings if f.verdict.reference]
    names = list(dict.fromkeys(f.verdict.candidate for f in compared))
    return [f.verdict for f in findings] + [
        _overall(table, name, [f for f in compared if f.verdict.candidate == name]) for name in names
    ]


def comparisons(run: Run) -> list[Comparison]:
    """Every arm against its suite's reference (on general suites, against its base), primary scorer first.

    Other scorers follow for information; no verdict rests on them. Pairs that share fewer than two samples are left
    out: the verdict says so.
    """
    table = tabulate(run)
    found = []
    for suite in suite_names(table):
        held_to = reference(table, suite)[0]
        general = table.suites[suite].get("kind") == "general"
        for scorer in scorer_names(table, suite):
            for arm in by_cost(table, suite):
                baseline = (base_of(table, suite, arm) if general else None) or held_to
                if arm == baseline:
                    continue
                try:
                    found.append(compare_tables(table, baseline, table, arm, suite, scorer))
                except NotComparable:
                    continue
    return found


def picks(run: Run, gain: float = GAIN) -> dict[str, str]:
    """The arm the ladder ends on, per suite that is not a general one: suite -> arm. Suites with one arm included.

    Climbing is one-sided at 5 %, divided by the number of steps: of equal arms the cheapest is kept in >= 95 % of runs.
    """
    table = tabulate(run)
    return {
        suite: _climb(table, suite, gain)
        for suite in suite_names(table)
        if table.suites[suite].get("kind") != "general"
    }


def verdict_json(run: Run, *, margin: float | None = None, gain: float = GAIN) -> dict[str, Any]:
    """Everything the report and other programs read, JSON-safe (numbers that do not exist are null).

    format       1
    harness      version that wrote it
    gain         smallest gain that counts, 0..1
    verdicts     one per suite and candidate, then suite "overall"; fields of data.Verdict
    picks        {suite: arm the ladder ends on}
    arms         data.ArmSummary per suite and arm
    comparisons  data.Comparison: every arm against its suite's reference, every scorer
    retentions   stats.forgetting.Retention per arm and general suite
    break_even   costs.BreakEven per fine-tuned arm and suite
    costs        the assumptions from models.yaml: gpu_hour_usd, requests_per_month
    """
    content = {
        "format": 1,
        "harness": __version__,
        "gain": gain,
        "verdicts": decide(run, margin=margin, gain=gain),
        "picks": picks(run, gain),
        "arms": summarize(run),
        "comparisons": comparisons(run),
        "retentions": retentions(run),
        "break_even": break_evens(run),
        "costs": dict(run.manifest.get("costs", {})),
    }
    return {key: json_safe(value) for key, value in content.items()}


def json_safe(value: Any) -> Any:
    """Dataclasses as dicts, tuples as lists, NaN and infinity as None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: json_safe(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


# --- one suite -------------------------------------------------------------------------------------------------------


def _suite(table: Table, suite: str, margin: float | None, gain: float) -> list[Finding]:
    arms = arm_names(table, suite)
    kind = str(table.suites[suite].get("kind", "skill"))
    if len(arms) < 2:
        sentence = f"{suite}: not decided: only one arm ({arms[0]}) was run. Run another arm to compare it with."
        return [Finding(Verdict(suite, "not decided", arms[0], "", sentence), kind)]
    if kind == "general":
        allowed = float(table.suites[suite].get("margin") or 0.05) if margin is None else margin
        return [_general(table, suite, arm, allowed) for arm in candidates(table, suite)]
    return _ladder(table, suite, kind, gain)


def _ladder(table: Table, suite: str, kind: str, gain: float) -> list[Finding]:
    held_to, role = reference(table, suite)
    scorer = scorer_names(table, suite)[0]
    names = candidates(table, suite)
    pairs = {name: pair(table, held_to, table, name, suite, scorer) for name in names}
    usable = [name for name in names if len(pairs[name].baseline) >= 2]
    p_values = [difference_p(pairs[name].baseline, pairs[name].candidate)[0] for name in usable]
    adjusted = dict(zip(usable, holm(p_values), strict=True))
    factor = {name: adjusted[name] / p if p > 0 else 1.0 for name, p in zip(usable, p_values, strict=True)}
    findings: list[Finding] = []
    standing: str | None = None
    for name in names:
        if name not in factor:
            findings.append(_nothing_shared(suite, kind, name, held_to, len(pairs[name].baseline)))
            continue
        c = compare_tables(table, held_to, table, name, suite)
        word, why = _robust(pairs[name], lambda left, right, k=factor[name]: gain_word(left, right, gain, k))
        step = None
        if word == "adopt" and standing is not None:
            between = pair(table, standing, table, name, suite, scorer)
            if len(between.baseline) >= 2:
                word, _ = gain_word(between.baseline, between.candidate, gain)
                step = compare_tables(table, standing, table, name, suite)
        if word == "adopt":
            standing = name
        findings.append(_gain_finding(table, kind, c, role, word, why, pairs[name], adjusted[name], step, gain))
    return findings


def gain_word(
    left: Sequence[float], right: Sequence[float], gain: float = GAIN, factor: float = 1.0
) -> tuple[Decision, str]:
    """(decision, why) from paired scores: is the dearer right side worth it? factor multiplies p (Holm)."""
    found = difference_interval(left, right)
    difference = mean(right) - mean(left)
    if max(left) == max(right) == 0:
        return "not decided", "floor"
    if found.high < 0:
        return "do not adopt", "worse"
    if found.low > 0 and difference_p(left, right)[0] * factor <= ALPHA:
        return ("adopt", "better") if difference >= gain else ("not decided", "small")
    if found.high < gain:
        return "do not adopt", "ruled out"
    return "not decided", "open"


def loss_word(left: Sequence[float], right: Sequence[float], margin: float) -> tuple[Decision, str]:
    """(decision, why) from paired scores: did the right side lose no more than the margin?"""
    found = difference_interval(left, right)
    if max(left) == 0:
        return "not decided", "floor"
    if found.low > -margin:
        return "adopt", "kept"
    if found.high < 0 and mean(right) - mean(left) < -margin:
        return "do not adopt", "forgot"
    return "not decided", "open"


def _robust(pairs: Pairs, judge: Any) -> tuple[Decision, str]:
    """The word, if missing samples could not turn it: judged as they are, as all lost, and as all won."""
    word, why = judge(pairs.baseline, pairs.candidate)
    if not pairs.missing:
        return word, why
    zeros, ones = (0.0,) * pairs.missing, (1.0,) * pairs.missing
    lost, _ = judge(pairs.baseline + ones, pairs.candidate + zeros)
    won, _ = judge(pairs.baseline + zeros, pairs.candidate + ones)
    return (word, why) if word == lost == won else ("not comparable", "missing")


def _gain_finding(
    table: Table,
    kind: str,
    c: Comparison,
    role: str,
    word: Decision,
    why: str,
    pairs: Pairs,
    adjusted_p: float,
    step: Comparison | None,
    gain: float,
) -> Finding:
    paid = break_even_of(table, c.suite, c.candidate, c.baseline) if is_tuned(table, c.candidate) else None
    more = _more_samples(pairs, gain) if word == "not decided" and why != "floor" and step is None else None
    reasons = [_mde(c), *_selection(table, c, role), _test(c, adjusted_p)]
    reasons += _retrieval(table, c) if kind == "knowledge" else []
    reasons += [_sentence_case(c.note)] if c.note else []
    reasons += [_paid(paid)] if paid is not None else []
    verdict = Verdict(
        suite=c.suite,
        decision=word,
        candidate=c.candidate,
        reference=c.baseline,
        sentence=_gain_sentence(table, kind, c, role, word, why, step, more, gain),
        reasons=tuple(reasons),
        would_change=_would_change(c, word, why, step, more, gain, paid, float(table.suites[c.suite].get("margin", 0))),
        more_samples=more,
    )
    return Finding(verdict, kind, c)


def _gain_sentence(
    table: Table,
    kind: str,
    c: Comparison,
    role: str,
    word: Decision,
    why: str,
    step: Comparison | None,
    more: int | None,
    gain: float,
) -> str:
    head = f"{c.suite}: {word}"
    shown = _scores(c, f"{c.baseline}, {role}")
    if why == "missing":
        return (
            f"{head}: {c.candidate} against {c.baseline}: {c.missing} of {c.n + c.missing} samples are missing, "
            "which could turn the decision. Finish the run."
        )
    if step is not None and word != "adopt":
        return (
            f"{head} {c.candidate}. It gains {words.evidence(c)} on {c.baseline}, but {step.baseline}, which costs "
            f"less, is adopted already, and {c.candidate} against it is {words.evidence(step)}."
        ).replace("not decided ", "not decided on ", 1)
    if word == "not decided":
        tail = f" About {_about(more)} more samples would decide it." if more else ""
        if why == "floor":
            return (
                f"{head}. {c.candidate} and {c.baseline} are both at 0 %: this suite cannot tell them apart (n={c.n})."
            )
        small = f"; the gain is less than the {words.plain_points(gain)} that count" if why == "small" else ""
        return f"{head}. {c.candidate} {shown}{small}. {_mde(c)}{tail}"
    if word == "do not adopt" and kind == "knowledge" and _retrieves(table, c.baseline):
        return (
            f"{c.suite}: do not adopt {c.candidate}: do not fine-tune for facts that can be looked up. "
            f"{c.baseline}, {role}, {_verb(c)} {words.percent(c.baseline_mean)}{_right(c)}, {c.candidate} "
            f"{words.percent(c.candidate_mean)}: {words.evidence(c)}."
        )
    ruled_out = f"; a gain of {words.plain_points(gain)} or more is ruled out" if why == "ruled out" else ""
    return f"{head} {c.candidate}. It {shown}{ruled_out}."


def _scores(c: Comparison, other: str) -> str:
    return (
        f"{_verb(c)} {words.percent(c.candidate_mean)}{_right(c)} against {words.percent(c.baseline_mean)} "
        f"for {other}: {words.evidence(c)}"
    )


def _verb(c: Comparison) -> str:
    return "answers" if c.p_method == "mid-p McNemar" else "scores"


def _right(c: Comparison) -> str:
    return " right" if c.p_method == "mid-p McNemar" else ""


def _mde(c: Comparison) -> str:
    return f"This run can see differences from {words.plain_points(c.mde)} up (80 % power)."


def _test(c: Comparison, adjusted_p: float) -> str:
    corrected = f", {words.p_value(adjusted_p)} after Holm's correction" if adjusted_p > c.p else ""
    return f"Test: {c.p_method}, {words.p_value(c.p)}{corrected}."


def _selection(table: Table, c: Comparison, role: str) -> list[str]:
    if role != "the best arm without fine-tuning":
        return []
    return [f"Reference {c.baseline} was chosen on the same samples, which favours it."]


def _retrieves(table: Table, arm: str) -> bool:
    return int(table.arms[arm].get("retrieve") or 0) > 0


def _retrieval(table: Table, c: Comparison) -> list[str]:
    """On a knowledge suite: what does looking the facts up do, against having them trained in?"""
    if _retrieves(table, c.candidate) or not is_tuned(table, c.candidate):
        return []
    plain = [a for a in by_cost(table, c.suite) if _retrieves(table, a) and not is_tuned(table, a)]
    if not plain:
        return ["No arm retrieves: for facts, add an arm with `retrieve` before training."]
    rag = best(table, c.suite, plain)
    try:
        against = compare_tables(table, rag, table, c.candidate, c.suite)
    except NotComparable:
        return [f"{rag} shares no samples with {c.candidate}: what retrieval does is not known."]
    return [
        f"Retrieval against fine-tuning: {rag} {words.percent(against.baseline_mean)}, {c.candidate} "
        f"{words.percent(against.candidate_mean)}: {words.evidence(against)} for {c.candidate}."
    ]


def _paid(paid: BreakEven) -> str:
    if paid.requests is None:
        return f"No break-even with {paid.against}: {paid.reason}."
    months = f", {paid.months:.1f} months at the stated volume" if paid.months is not None else ""
    return f"Training pays back against {paid.against} after {words.count(paid.requests, 'request')}{months}."


def _would_change(
    c: Comparison,
    word: Decision,
    why: str,
    step: Comparison | None,
    more: int | None,
    gain: float,
    paid: BreakEven | None,
    margin: float,
) -> str:
    count = words.plain_points(gain)
    if word == "not comparable":
        return f"Would change this: the {c.missing} missing samples."
    if word == "adopt":
        fewer = f"; fewer than {words.count(paid.requests, 'request')} in all" if paid and paid.requests else ""
        return f"Would change this: a cheaper arm within {count} of {c.candidate}{fewer}."
    if word == "do not adopt":
        held_to = step.baseline if step is not None else c.baseline
        saves = ""
        if paid and paid.requests and c.interval.low > -margin:
            saves = (
                f"; or cost: it is no worse by {words.plain_points(margin)} and pays its training back after "
                f"{words.count(paid.requests, 'request')}"
            )
        return f"Would change this: a candidate shown better than {held_to} by {count} or more{saves}."
    if why == "floor":
        return "Would change this: easier samples, or an arm that answers some of them."
    if more:
        return f"Would change this: about {_about(more)} more samples, if the difference stays as observed."
    return "Would change this: more samples, or a larger difference."


def _more_samples(pairs: Pairs, gain: float) -> int | None:
    """Samples still missing for 80 % power to decide, if difference and disagreement stay as observed."""
    n = len(pairs.baseline)
    difference = mean(pairs.candidate) - mean(pairs.baseline)
    size = spread(pairs.baseline, pairs.candidate)
    ways = [difference if difference >= gain else gain - difference, -difference]
    needed = [k for k in (samples_for_difference(size, way) for way in ways) if k is not None and k > n]
    return min(needed) - n if needed else None


def _nothing_shared(suite: str, kind: str, candidate: str, held_to: str, shared: int) -> Finding:
    sentence = (
        f"{suite}: not comparable: {candidate} and {held_to} share {words.count(shared, 'scored sample')}. "
        "Finish the run."
    )
    return Finding(Verdict(suite, "not comparable", candidate, held_to, sentence), kind)


def _climb(table: Table, suite: str, gain: float) -> str:
    arms = by_cost(table, suite)
    scorer = scorer_names(table, suite)[0]
    current = arms[0]
    for arm in arms[1:]:
        pairs = pair(table, current, table, arm, suite, scorer)
        if len(pairs.baseline) < 2:
            continue
        p, _ = difference_p(pairs.baseline, pairs.candidate, "greater")
        if p <= ALPHA / (len(arms) - 1) and mean(pairs.candidate) - mean(pairs.baseline) >= gain:
            current = arm
    return current


# --- general ability -------------------------------------------------------------------------------------------------


def _general(table: Table, suite: str, arm: str, margin: float) -> Finding:
    base = base_of(table, suite, arm)
    if base is None:
        model = table.arms[arm].get("model")
        sentence = f"{suite}: not comparable: no arm answers with {model} without an adapter. Run one on this suite."
        return Finding(Verdict(suite, "not comparable", arm, "base", sentence), "general")
    pairs = pair(table, base, table, arm, suite, scorer_names(table, suite)[0])
    if len(pairs.baseline) < 2:
        return _nothing_shared(suite, "general", arm, base, len(pairs.baseline))
    c = compare_tables(table, base, table, arm, suite)
    kept = retention_of(table, suite, arm)
    word, why = _robust(pairs, lambda left, right: loss_word(left, right, margin))
    if why != "missing" and (kept is None or kept.macro is None):
        word, why = "not decided", "floor"
    more = _more_for_margin(pairs, margin) if word == "not decided" and why != "floor" else None
    verdict = Verdict(
        suite=suite,
        decision=word,
        candidate=arm,
        reference=base,
        sentence=_general_sentence(c, word, why, margin, kept, more, is_tuned(table, arm)),
        reasons=(_mde(c), *_retention_reasons(kept), *([_sentence_case(c.note)] if c.note else [])),
        would_change=_general_change(word, why, margin, more, c),
        more_samples=more,
    )
    return Finding(verdict, "general", c, margin)


def _general_sentence(
    c: Comparison, word: Decision, why: str, margin: float, kept: Retention | None, more: int | None, tuned: bool
) -> str:
    allowed = words.plain_points(margin)
    shown = f"It {_scores(c, f'{c.baseline}, the same model without the adapter' if tuned else c.baseline)}"
    if why == "missing":
        return (
            f"{c.suite}: not comparable: {c.candidate} against {c.baseline}: {c.missing} of {c.n + c.missing} samples "
            "are missing, which could turn the decision. Finish the run."
        )
    if why == "floor":
        return (
            f"{c.suite}: not decided. {c.baseline} is at chance ({words.percent(c.baseline_mean)}, n={c.n}): "
            f"nothing that {c.candidate} could forget can be seen."
        )
    if word == "adopt":
        return f"{c.suite}: adopt {c.candidate} as far as this goes. {shown}, within the allowed loss of {allowed}."
    if word == "do not adopt":
        return (
            f"{c.suite}: do not adopt {c.candidate} as a general model. {shown}, more than the allowed loss of "
            f"{allowed}{_keeps(kept)}."
        )
    tail = f" About {_about(more)} more samples would decide it." if more else ""
    return f"{c.suite}: not decided. {c.candidate}: {shown.removeprefix('It ')}; the allowed loss is {allowed}.{tail}"


def _keeps(kept: Retention | None) -> str:
    if kept is None or kept.macro is None or kept.interval is None:
        return ""
    low, high = words.percent(kept.interval.low, 0), words.percent(kept.interval.high, 0)
    return f"; it keeps {words.percent(kept.macro, 0)} of its base's ability above chance (95 % CI {low} to {high})"


def _retention_reasons(kept: Retention | None) -> list[str]:
    if kept is None:
        return []
    reasons = []
    if kept.macro is not None:
        worst = min((p for p in kept.probes if p.retention is not None), key=lambda p: p.difference)
        reasons.append(_sentence_case(_keeps(kept).removeprefix("; ")))
        if len(kept.probes) > 1:
            reasons.append(
                f"Worst probe: {worst.probe}, {words.points(worst.difference)} points "
                f"({words.interval(worst.interval)}, n={worst.n})."
            )
    share = words.percent(kept.negative_flip_rate)
    reasons.append(f"{words.count(kept.negative_flips, 'answer')} got worse ({share} of {kept.n}).")
    if kept.left_out:
        reasons.append(f"Left out, the base is at chance there: {words.listing(kept.left_out)}.")
    return reasons


def _general_change(word: Decision, why: str, margin: float, more: int | None, c: Comparison) -> str:
    allowed = words.plain_points(margin)
    if why == "missing":
        return f"Would change this: the {c.missing} missing samples."
    if why == "floor":
        return "Would change this: probes that the base can answer."
    if word == "adopt":
        return f"Would change this: a smaller allowed loss than {words.plain_points(-min(0.0, c.interval.low))}."
    if word == "do not adopt":
        return f"Would change this: a candidate that loses less than {allowed}, or use for its own suites only."
    if more:
        return f"Would change this: about {_about(more)} more samples, if the difference stays as observed."
    return "Would change this: more samples."


def _more_for_margin(pairs: Pairs, margin: float) -> int | None:
    n = len(pairs.baseline)
    room = margin + mean(pairs.candidate) - mean(pairs.baseline)
    size = spread(pairs.baseline, pairs.candidate)
    needed = samples_for_difference(size, room if room > 0 else margin - room)
    return needed - n if needed is not None and needed > n else None


# --- the candidate as a whole ----------------------------------------------------------------------------------------


def _overall(table: Table, candidate: str, findings: Sequence[Finding]) -> Verdict:
    targets = [f for f in findings if f.kind != "general"]
    general = [f for f in findings if f.kind == "general"]
    by_word: dict[str, list[str]] = {}
    for f in targets:
        by_word.setdefault(f.verdict.decision, []).append(f.verdict.suite)
    ability, clause = _ability(general, is_tuned(table, candidate))
    word = _overall_word(by_word, ability)
    as_what = " as a general model" if ability in ("forgot", "unmeasured") and by_word.get("adopt") else ""
    sentence = f"{candidate}: {_for_suites(by_word)}{clause}: {word}{as_what}."
    return Verdict(
        suite=OVERALL,
        decision=word,
        candidate=candidate,
        reference=next((f.verdict.reference for f in targets), findings[0].verdict.reference),
        sentence=sentence,
        reasons=tuple(f.verdict.sentence for f in findings)
        + (
            ("One adapter, one training seed: this is about this adapter, not about the recipe.",)
            if is_tuned(table, candidate)
            else ()
        ),
        would_change=" ".join(
            f"{f.verdict.suite}: {f.verdict.would_change}" for f in findings if f.verdict.would_change
        ),
        more_samples=max((f.verdict.more_samples or 0 for f in findings), default=0) or None,
    )


def _for_suites(by_word: dict[str, list[str]]) -> str:
    parts = []
    if adopted := by_word.get("adopt"):
        parts.append(f"adopt for {words.listing(adopted)}")
    if rejected := by_word.get("do not adopt"):
        parts.append(f"{'not' if adopted else 'do not adopt'} for {words.listing(rejected)}")
    if undecided := by_word.get("not decided"):
        parts.append(f"not decided for {words.listing(undecided)}")
    if unequal := by_word.get("not comparable"):
        parts.append(f"not comparable on {words.listing(unequal)}")
    return ", ".join(parts) or "nothing was measured that it should improve"


def _ability(general: Sequence[Finding], tuned: bool) -> tuple[str, str]:
    """What happened to general ability: (kept | forgot | open | unmeasured, the clause that says it)."""
    if not general:
        return ("unmeasured", "; general ability was not measured") if tuned else ("kept", "")
    order = ["do not adopt", "not comparable", "not decided", "adopt"]
    worst = min(
        general, key=lambda f: (order.index(f.verdict.decision), f.comparison.difference if f.comparison else 0)
    )
    c, allowed = worst.comparison, f"{100 * worst.margin:g}"
    if c is None or worst.verdict.decision == "not comparable":
        return "open", f"; whether it kept general ability could not be compared ({worst.verdict.suite})"
    found = f"{words.points(c.difference)} points, {words.interval(c.interval)}, n={c.n} paired"
    if worst.verdict.decision == "do not adopt":
        low, high = words.size(-c.interval.high), words.size(-c.interval.low)
        loss = f"{words.size(-c.difference)} points of general ability (95 % CI {low} to {high}, n={c.n} paired)"
        return "forgot", f"; it forgot {loss}, more than the allowed {allowed}"
    if worst.verdict.decision == "adopt":
        return "kept", f"; it kept general ability within the allowed loss of {allowed} points ({found})"
    return "open", f"; whether it lost more general ability than the allowed {allowed} points is not decided ({found})"


def _overall_word(by_word: dict[str, list[str]], ability: str) -> Decision:
    if ability == "forgot":
        return "do not adopt"
    if by_word.get("adopt"):
        return "adopt" if ability == "kept" else "not decided"
    if list(by_word) == ["do not adopt"]:
        return "do not adopt"
    if list(by_word) == ["not comparable"]:
        return "not comparable"
    return "not decided"


def _about(n: int | None) -> str:
    """A count of samples to two digits, rounded up: 137 -> "140"."""
    if not n:
        return "0"
    step = 10 ** max(0, len(str(n)) - 2)
    return f"{-(-n // step) * step:,}"


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
