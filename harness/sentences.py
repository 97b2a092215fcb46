"""What a decision sounds like: every sentence of a verdict, made from numbers by template. Nothing is decided here."""

from __future__ import annotations

from dataclasses import dataclass

from harness import words
from harness.costs import BreakEven
from harness.data import Comparison, Decision
from harness.ladder import Why
from harness.stats.forgetting import ProbeRetention, Retention


@dataclass(frozen=True)
class Judged:
    """One candidate on one suite: the word, why, and all that a sentence about it needs.

    role: what the baseline is, e.g. "the best arm without fine-tuning". limit: the gain that counts, or on a general
    suite the loss allowed. margin: the suite's own. p: after Holm over the candidates. step: against a cheaper
    candidate that is adopted already. saved: the candidate's cost per request as a share of the baseline's, and its
    unit. looked_up: the baseline retrieves and the suite asks for facts.
    rivals: arms without fine-tuning, of which the reference is the best. others: reasons that were found on the way.
    """

    comparison: Comparison
    kind: str
    role: str
    word: Decision
    why: Why
    limit: float
    margin: float
    p: float
    more: int | None = None
    step: Comparison | None = None
    looked_up: bool = False
    tuned: bool = False
    paid: BreakEven | None = None
    saved: tuple[float, str] | None = None
    rivals: int = 1
    kept: Retention | None = None
    others: tuple[str, ...] = ()


# --- one suite -------------------------------------------------------------------------------------------------------


def only_one_arm(suite: str, arm: str) -> str:
    return f"{suite}: not decided: only one arm ({arm}) was run. Run another arm to compare it with."


def nothing_answered(suite: str, arm: str) -> str:
    return f"{suite}: not comparable: {arm} answered no sample, the engine failed on all of them. Finish the run."


def nobody_held(suite: str) -> str:
    return f"{suite}: not decided: no arm has its base beside it, so no loss is measured. Run an adapter and its base."


def nothing_shared(suite: str, candidate: str, baseline: str, shared: int) -> str:
    return (
        f"{suite}: not comparable: {candidate} and {baseline} share {words.count(shared, 'scored sample')}. "
        "Finish the run."
    )


def no_base(suite: str, model: str) -> str:
    return f"{suite}: not comparable: no arm answers with {model} without an adapter. Run one on this suite."


def sentence(j: Judged) -> str:
    """The decision with its uncertainty, in one or two sentences."""
    if j.why == "missing":
        c = j.step or j.comparison
        return (
            f"{c.suite}: not comparable: {c.candidate} against {c.baseline}: {c.missing} of {c.n + c.missing} samples "
            "are missing, which could turn the decision. Finish the run."
        )
    return _about_ability(j) if j.kind == "general" else _about_gain(j)


def _about_gain(j: Judged) -> str:
    c = j.comparison
    if j.step is not None:
        against = f"{j.step.baseline}, which costs less, is adopted already: against it {c.candidate} is"
        return (
            f"{c.suite}: {j.word}{_on(j)} {c.candidate}. It gains {words.evidence(c)} on {c.baseline}, but {against} "
            f"{words.evidence(j.step)}.{_more(j)}"
        )
    if j.why == "floor":
        return (
            f"{c.suite}: not decided. {c.candidate} and {c.baseline} are both at 0 %: this suite cannot tell them "
            f"apart (n={c.n})."
        )
    if j.why == "cheaper":
        return f"{c.suite}: {j.word}{_on(j)} {c.candidate}. It {_against(j)}. {_cheaper(j)}"
    if j.word == "not decided":
        small = f"; the gain is less than the {words.plain_points(j.limit)} that count" if j.why == "small" else ""
        return f"{c.suite}: not decided. {c.candidate} {_against(j)}{small}. {mde(c)}{_more(j)}"
    if j.word == "do not adopt" and j.looked_up and j.why != "ruled out":
        return (
            f"{c.suite}: do not adopt {c.candidate}: do not fine-tune for facts that can be looked up. "
            f"{c.baseline}, {j.role}, {_verb(c)} {words.percent(c.baseline_mean)}{_right(c)}, {c.candidate} "
            f"{words.percent(c.candidate_mean)}: {words.evidence(c)}."
        )
    ruled_out = f"; a gain of {words.plain_points(j.limit)} or more is ruled out" if j.why == "ruled out" else ""
    return f"{c.suite}: {j.word} {c.candidate}. It {_against(j)}{ruled_out}."


def _on(j: Judged) -> str:
    return " on" if j.word == "not decided" else ""


def _cheaper(j: Judged) -> str:
    """Equally good, for less per request: whether, and when, training pays for that."""
    saved, unit = j.saved or (1.0, "")
    what = {"seconds": "engine seconds", "usd": "price"}.get(unit, unit)
    text = (
        f"Equally good (a loss of {words.plain_points(j.limit)} is ruled out) at {words.percent(saved)} of the {what} "
        f"per request of {j.comparison.baseline}"
    )
    if j.paid is None or j.paid.requests is None:
        return f"{text}; what its training cost is not known{f': {j.paid.reason}' if j.paid else ''}."
    after = f"{text}: cheaper after {words.count(j.paid.requests, 'request')}"
    if j.paid.months is None:
        return f"{after}. State costs.requests_per_month to decide it."
    return f"{after}, {words.wait(j.paid.months)} at the stated volume{'' if j.word == 'adopt' else ': too late'}."


def _about_ability(j: Judged) -> str:
    c, allowed = j.comparison, words.plain_points(j.limit)
    if j.why == "floor":
        return (
            f"{c.suite}: not decided. {c.baseline} is at chance ({words.percent(c.baseline_mean)}, n={c.n}): "
            f"nothing that {c.candidate} could forget can be seen."
        )
    if j.word == "adopt":
        within = f"within the allowed loss of {allowed}"
        return f"{c.suite}: adopt {c.candidate} as far as this goes. It {_against(j)}, {within}."
    if j.word == "do not adopt":
        keeps = f"; {_keeps(j.kept)}" if _keeps(j.kept) else ""
        what = " as a general model" if j.tuned else ""
        return (
            f"{c.suite}: do not adopt {c.candidate}{what}. It {_against(j)}, more than the allowed loss of "
            f"{allowed}{keeps}."
        )
    return f"{c.suite}: not decided. {c.candidate} {_against(j)}; the allowed loss is {allowed}.{_more(j)}"


def _against(j: Judged) -> str:
    c = j.comparison
    return (
        f"{_verb(c)} {words.percent(c.candidate_mean)}{_right(c)} against {words.percent(c.baseline_mean)} for "
        f"{c.baseline}, {j.role}: {words.evidence(c)}"
    )


def _verb(c: Comparison) -> str:
    return "answers" if _right(c) else "scores"


def _right(c: Comparison) -> str:
    return " right" if c.p_method == "mid-p McNemar" else ""


def _more(j: Judged) -> str:
    return f" About {words.about(j.more)} more samples would decide it." if j.more else ""


def _keeps(kept: Retention | None) -> str:
    if kept is None or kept.macro is None or kept.interval is None:
        return ""
    low, high = words.percent(kept.interval.low, 0), words.percent(kept.interval.high, 0)
    return f"it keeps {words.percent(kept.macro, 0)} of its base's ability above chance (95 % CI {low} to {high})"


# --- reasons ---------------------------------------------------------------------------------------------------------


def reasons(j: Judged) -> tuple[str, ...]:
    """What stands behind the decision and its limits, one sentence each; the smallest visible difference first.

    It is left out where the decision's own sentence has said it.
    """
    c = j.comparison
    found = [] if mde(c) in sentence(j) else [mde(c)]
    if j.kind == "general":
        found += _what_was_kept(j.kept)
    else:
        if j.role == "the best arm without fine-tuning":
            found.append(
                f"Reference {c.baseline} was chosen among {j.rivals} arms on the same samples, which favours it: "
                f"{favour(j.rivals)}."
            )
        corrected = f"; {words.p_value(j.p)} after Holm's correction" if j.p > c.p and j.p >= 0.001 else ""
        found.append(f"Test: {c.p_method}, {words.p_value(c.p)}{corrected}.")
    found += j.others
    if c.note:
        found.append(words.as_sentence(c.note))
    if j.paid is not None:
        found.append(break_even(j.paid))
    return tuple(found)


def favour(rivals: int) -> str:
    """How large the favour can be: the best of k is shown better than an equal arm at most k times as often as one."""
    return f"an equal candidate is shown worse in up to {words.percent(0.025 * rivals)} of runs, not 2.5 %"


def mde(c: Comparison) -> str:
    return f"This run can see differences from {words.plain_points(c.mde)} up (80 % power)."


def break_even(paid: BreakEven) -> str:
    if paid.requests is None:
        return f"No break-even with {paid.against}: {paid.reason}."
    wait = f", {words.wait(paid.months)} at the stated volume" if paid.months is not None else ""
    return f"Training pays back against {paid.against} after {words.count(paid.requests, 'request')}{wait}."


def retrieval_against_training(c: Comparison) -> str:
    """c: the best retrieving arm without fine-tuning (baseline) against a fine-tuned arm that does not retrieve."""
    return (
        f"Looking up against training: {c.baseline} {words.percent(c.baseline_mean)}, {c.candidate} "
        f"{words.percent(c.candidate_mean)}: {words.evidence(c)} for {c.candidate}."
    )


def same_model(c: Comparison) -> str:
    """c: against the best arm without fine-tuning on the candidate's own model; the reference is another model."""
    return f"On its own model, against {c.baseline} ({words.percent(c.baseline_mean)}): {words.evidence(c)}."


def tried(arm: str, tries: int, n: int) -> str:
    """What an arm with lists of dials was chosen from."""
    return f"{arm} answers with dials chosen on dev among {tries} combinations (n={n})."


def swept(arm: str, tries: int, n: int) -> str:
    """What an arm's adapter was chosen from."""
    return f"{arm}'s adapter was chosen on dev among {tries} training recipes (n={n})."


NO_RETRIEVAL = "No arm retrieves: for facts, add an arm with `retrieve` before training."
ONE_SEED = "One adapter, one training seed: this is about this adapter, not about the recipe."


def _what_was_kept(kept: Retention | None) -> list[str]:
    if kept is None:
        return []
    found = [words.as_sentence(_keeps(kept))] if _keeps(kept) else []
    seen: list[ProbeRetention] = [p for p in kept.probes if p.retention is not None]
    if len(seen) > 1:
        worst = min(seen, key=lambda p: p.difference)
        change = f"{words.points(worst.difference)} points ({words.interval(worst.interval)}, n={worst.n})"
        found.append(f"Worst probe: {worst.probe}, {change}.")
    share = words.percent(kept.negative_flip_rate)
    found.append(f"{words.count(kept.negative_flips, 'answer')} got worse ({share} of {kept.n}).")
    at_chance = [p.probe for p in kept.probes if p.probe in kept.left_out]
    few = [name for name in kept.left_out if name not in at_chance]
    if at_chance:
        found.append(f"Left out, the base is at chance there: {words.listing(at_chance)}.")
    if few:
        found.append(f"Left out, fewer than two samples were answered by both: {words.listing(few)}.")
    return found


# --- what would change it --------------------------------------------------------------------------------------------


def would_change(j: Judged) -> str:
    """What would change the decision, without the words "would change"."""
    c, limit = j.comparison, words.plain_points(j.limit)
    if j.why == "missing":
        return f"The {words.count((j.step or c).missing, 'missing sample')}."
    if j.why == "floor":
        return (
            "Samples that the base can answer."
            if j.kind == "general"
            else "Easier samples, or an arm that answers some."
        )
    if j.why == "cheaper":
        return f"Another number of requests than stated, or {c.baseline} shown better by {limit} or more."
    if j.more:
        return f"About {words.about(j.more)} more samples, if the difference stays as observed."
    if j.word == "not decided":
        return "More samples, or a larger difference."
    if j.kind == "general":
        if j.word == "adopt":
            if c.interval.low >= 0:
                return "Nothing measured here: it lost nothing."
            return f"An allowed loss below {words.plain_points(-c.interval.low)}."
        return f"A candidate that loses less than {limit}, or use for its own suites only."
    requests = j.paid.requests if j.paid else None
    if j.word == "adopt":
        fewer = f"; or fewer than {words.count(requests, 'request')} in all" if requests else ""
        return f"A cheaper arm within {limit} of {c.candidate}{fewer}."
    held_to = j.step.baseline if j.step is not None else c.baseline
    saves = ""
    if requests and c.interval.low > -j.margin:
        saves = (
            f"; or cost: it is no worse by {words.plain_points(j.margin)} and pays its training back after "
            f"{words.count(requests, 'request')}"
        )
    return f"A candidate shown better than {held_to} by {limit} or more{saves}."


# --- the candidate as a whole ----------------------------------------------------------------------------------------


def overall(candidate: str, by_word: dict[Decision, list[str]], ability: str, word: Decision, general: bool) -> str:
    """E.g. "lora: adopt for sql, not for handbook; it forgot ...: do not adopt as a general model."

    by_word: suites per decision. ability: the clause about general ability, "" if it is not asked for.
    general: whether the final word is about the candidate as a general model.
    """
    parts = []
    if adopted := by_word.get("adopt"):
        parts.append(f"adopt for {words.listing(adopted)}")
    if rejected := by_word.get("do not adopt"):
        parts.append(f"{'not' if adopted else 'do not adopt'} for {words.listing(rejected)}")
    if undecided := by_word.get("not decided"):
        parts.append(f"not decided for {words.listing(undecided)}")
    if unequal := by_word.get("not comparable"):
        parts.append(f"not comparable on {words.listing(unequal)}")
    suites = ", ".join(parts) or "nothing was measured that it should improve"
    if not ability and list(by_word) == [word]:
        return f"{candidate}: {suites}."
    return f"{candidate}: {suites}{ability}: {word}{' as a general model' if general else ''}."


def ability_clause(worst: Judged | None, suite: str) -> str:
    """What happened to general ability, as a clause; worst: the general suite that looks worst, None if unequal."""
    if worst is None or worst.word == "not comparable":
        return f"; whether it kept general ability could not be compared ({suite})"
    c, allowed = worst.comparison, words.size(worst.limit).removesuffix(".0")
    found = f"{words.points(c.difference)} points, {words.interval(c.interval)}, n={c.n} paired"
    if worst.word == "do not adopt":
        low, high = words.size(-c.interval.high), words.size(-c.interval.low)
        loss = f"{words.size(-c.difference)} points of general ability (95 % CI {low} to {high}, n={c.n} paired)"
        return f"; it forgot {loss}, more than the allowed {allowed}"
    if worst.word == "adopt":
        return f"; it kept general ability within the allowed loss of {allowed} points ({found})"
    return f"; whether it lost more general ability than the allowed {allowed} points is not decided ({found})"


ABILITY_UNMEASURED = "; general ability was not measured"
