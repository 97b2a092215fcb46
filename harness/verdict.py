"""The decision: which arm to use for each suite, and whether a fine-tuned candidate is worth having.

Candidates are the fine-tuned arms; each is held to the best arm without fine-tuning by the rules in ladder.py. On
suites of kind "general" a candidate is held to its own base, and may lose at most the suite's margin.

    adopt          shown better by enough; on a general suite: a loss as large as the margin is ruled out
    do not adopt   shown worse, or a gain that counts is ruled out; general: shown to have lost more than the margin
    not decided    neither: more samples, or another suite, would tell
    (as good as the reference and cheaper per request: adopt where training pays within a year of the stated volume)
    not comparable samples are missing that could turn the decision, or there is nothing to compare with

What is not covered: a fine-tuned arm is one adapter from one training seed; the words are about this adapter. Of the
recipe that made it something is said beside them where a run holds three seeds of it or more (recipes.py).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from harness import __version__, failures, sentences
from harness.compare import (
    KEPT,
    Table,
    agreement,
    arm_names,
    asked,
    attempted_arms,
    attempted_suites,
    compare_tables,
    grader,
    pair,
    scorer_names,
    suite_names,
    summarize,
    tabulate,
)
from harness.corpus_scores import corpus_scores
from harness.costs import BreakEven, break_even, break_even_of, break_evens
from harness.curves import curves
from harness.data import Comparison, Decision, Run, Verdict
from harness.errors import NotComparable
from harness.ladder import GAIN, as_good, judge_gain, judge_loss, judge_with_missing, more_for_gain, more_for_loss
from harness.ledger import met
from harness.prices import MONTHS, NEAR, share
from harness.recipes import recipe_of
from harness.retention import retention, retention_of, retentions
from harness.roles import (
    base_of,
    best,
    by_cost,
    candidates,
    dials,
    is_ceiling,
    is_tuned,
    recipes_tried,
    reference,
    tried,
)
from harness.rungs import ends, ladders
from harness.seen import seen
from harness.sentences import Judged
from harness.stats.paired import difference_p, holm

__all__ = [
    "GAIN",
    "break_even",
    "break_evens",
    "comparisons",
    "decide",
    "margin_of",
    "picks",
    "retention",
    "retentions",
    "verdict_json",
]

OVERALL = "overall"
MARGIN = 0.05
"""The allowed loss where a suite's manifest entry names none."""


@dataclass(frozen=True)
class Finding:
    """A verdict on one suite with what it rests on; judged is None when nothing could be compared."""

    verdict: Verdict
    kind: str
    judged: Judged | None = None


def decide(run: Run, *, margin: float | None = None, gain: float = GAIN) -> list[Verdict]:
    """Verdicts per suite and candidate, then one per candidate with suite "overall". Empty for an empty run.

    margin: the largest loss allowed on general suites, 0..1; None takes each suite's own.
    gain: the smallest observed gain that justifies a dearer arm, 0..1.
    """
    table = tabulate(run)
    findings = [f for suite in attempted_suites(table) for f in _on_suite(table, suite, margin, gain)]
    compared = [f for f in findings if f.verdict.reference]
    names = list(dict.fromkeys(f.verdict.candidate for f in compared))
    return [f.verdict for f in findings] + [
        _overall(table, name, [f for f in compared if f.verdict.candidate == name]) for name in names
    ]


def comparisons(run: Run) -> list[Comparison]:
    """Every arm against its suite's reference (on general suites, against its base), primary scorer first.

    Other scorers follow for information; no verdict rests on them. So do, of a graded primary score, its complete
    failures, and the score where there is none (see failures.py). Pairs that share fewer than two samples are left
    out: the verdict says so.
    """
    table = tabulate(run)
    found = []
    for suite in suite_names(table):
        general = table.suites[suite].get("kind") == "general"
        held_to = by_cost(table, suite)[0] if general else reference(table, suite)[0]
        for scorer in scorer_names(table, suite):
            for arm in dict.fromkeys((*by_cost(table, suite), *arm_names(table, suite))):  # ceilings come last
                baseline = (base_of(table, suite, arm) if general else None) or held_to
                if arm == baseline:
                    continue
                c = _try_compare(table, baseline, arm, suite, scorer)
                if c is not None and (said := agreement(grader(table, suite, scorer), arm)):
                    c = dataclasses.replace(c, note="; ".join(filter(None, (c.note, f"judge: {said}"))))
                if c is not None and scorer == scorer_names(table, suite)[0]:
                    apart = failures.split(table, baseline, table, arm, suite)
                    found += [failures.noted(c, apart), *apart]
                else:
                    found += [c] if c is not None else []
    return found


def picks(run: Run, gain: float = GAIN) -> dict[str, str]:
    """The arm the ladder ends on, for every suite that is not a general one: suite -> arm; see rungs.py."""
    return ends(tabulate(run), decide(run, gain=gain), gain)


def verdict_json(
    run: Run, *, margin: float | None = None, gain: float = GAIN, target: float | None = None
) -> dict[str, Any]:
    """Everything the report and other programs read, JSON-safe (numbers that do not exist are null).

    format       1
    harness      version that wrote it
    gain         smallest gain that counts, 0..1
    verdicts     one per suite and candidate, then suite "overall"; fields of data.Verdict
    picks        {suite: arm the ladder ends on}
    ladders      rungs.Ladder per suite that is not a general one: a word for every arm, where it ends, how firmly
    summaries    data.ArmSummary per suite and arm, by the primary scorer, plus "primary": true
    comparisons  data.Comparison: every arm against its suite's reference, every scorer, plus "primary": true | false
    retentions   stats.forgetting.Retention per arm and general suite
    break_even   costs.BreakEven per fine-tuned arm and suite
    curves       curves.SuiteCurve: score against training size, where a run has candidates of several sizes; target: a
                 score whose training size they tell, None: each suite's own
    corpus_scores  corpus_scores.CorpusScore per suite, metric and arm, where a suite names such scores
    recipes      recipes.Recipe: where a recipe has three training seeds or more, its difference over samples and seeds
    contamination  seen.Seen per candidate and suite with test samples in its training data: with and without them
    met_before   ledger.Met: earlier runs of the same arm on the same suite, by the ledger beside the run
    looks        {suite: {"sizes", "used", "seed", "asked", "n_test"}} of suites asked until decided
    costs        the assumptions from models.yaml: gpu_hour_usd, requests_per_month
    dev          what was tried on dev: {suite: {"digest", "arms": {arm: {"chosen": place, "tries": [...]}}}}
    """
    primary = {suite: scorer_names(tabulate(run), suite)[0] for suite in run.manifest.get("suites", {})}
    return {
        "format": 1,
        "harness": __version__,
        "gain": gain,
        "verdicts": json_safe(decide(run, margin=margin, gain=gain)),
        "picks": picks(run, gain),
        "ladders": json_safe(ladders(tabulate(run), decide(run, margin=margin, gain=gain), gain)),
        "summaries": [json_safe(s) | {"primary": s.scorer == primary[s.suite]} for s in summarize(run)],
        "comparisons": [json_safe(c) | {"primary": c.scorer == primary[c.suite]} for c in comparisons(run)],
        "retentions": json_safe(retentions(run)),
        "break_even": json_safe(break_evens(run)),
        "curves": [json_safe(curve) | {"sentence": curve.sentence} for curve in curves(run, target)],
        "corpus_scores": [json_safe(one) | {"sentence": one.sentence} for one in corpus_scores(tabulate(run))],
        "recipes": _recipes(tabulate(run)),
        "contamination": json_safe(seen(tabulate(run))),
        "met_before": json_safe(met(run)),
        "looks": {
            suite: {**card["looks"], "asked": asked(card), "n_test": card["n_test"]}
            for suite, card in run.manifest.get("suites", {}).items()
            if card.get("looks")
        },
        "costs": json_safe(dict(run.manifest.get("costs", {}))),
        "dev": json_safe(dict(run.manifest.get("dev", {}))),
    }


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


@lru_cache(maxsize=KEPT)
def _on_suite(table: Table, suite: str, margin: float | None, gain: float) -> Sequence[Finding]:
    kind = str(table.suites[suite].get("kind", "skill"))
    if not (answered := arm_names(table, suite)):
        arm = attempted_arms(table, suite)[0]
        return [Finding(Verdict(suite, "not comparable", arm, "", sentences.nothing_answered(suite, arm)), kind)]
    arms = [arm for arm in answered if not is_ceiling(table, arm)] or answered[:1]
    failed = _failed(table, suite, kind)
    if len(arms) < 2:
        alone = Verdict(suite, "not decided", arms[0], "", sentences.only_one_arm(suite, arms[0]))
        return failed or [Finding(alone, kind)]
    if kind != "general":
        return [*_climbing(table, suite, kind, gain), *failed]
    allowed = margin_of(table, suite) if margin is None else margin
    held = [arm for arm in candidates(table, suite) if is_tuned(table, arm) or base_of(table, suite, arm)]
    nobody = Verdict(suite, "not decided", arms[0], "", sentences.nobody_held(suite))
    return [*(_on_general(table, suite, arm, allowed) for arm in held), *failed] or [Finding(nobody, kind)]


def _failed(table: Table, suite: str, kind: str) -> list[Finding]:
    """The arms that answered nothing because the engine failed on every sample: not comparable."""
    held_to = reference(table, suite)[0]
    failed = [arm for arm in attempted_arms(table, suite) if (suite, arm) not in table.rows]
    return [_nothing_shared(suite, kind, arm, held_to, 0) for arm in failed if not is_ceiling(table, arm)]


def _climbing(table: Table, suite: str, kind: str, gain: float) -> list[Finding]:
    """Each candidate against the reference, cheapest first; then against the candidate adopted before it."""
    held_to, role = reference(table, suite)
    scorer = scorer_names(table, suite)[0]
    names = candidates(table, suite)
    pairs = {name: pair(table, held_to, table, name, suite, scorer) for name in names}
    p = {
        n: difference_p(q.baseline, q.candidate, clusters=q.clusters)[0]
        for n, q in pairs.items()
        if len(q.baseline) >= 2
    }
    adjusted = dict(zip(p, holm(list(p.values())), strict=True))
    findings: list[Finding] = []
    adopted: str | None = None
    for name in names:
        if name not in p:
            findings.append(_nothing_shared(suite, kind, name, held_to, len(pairs[name].baseline)))
            continue
        correction = adjusted[name] / p[name] if p[name] > 0 else 1.0
        word, why = judge_with_missing(pairs[name], partial(judge_gain, gain=gain, correction=correction))
        step, between = None, pairs[name]
        if word == "adopt" and adopted is not None:
            between = pair(table, adopted, table, name, suite, scorer)
            if len(between.baseline) >= 2:
                word, why = judge_with_missing(between, partial(judge_gain, gain=gain))
                step = compare_tables(table, adopted, table, name, suite) if word != "adopt" else None
        paid = break_even_of(table, suite, name, held_to) if is_tuned(table, name) else None
        saved = share(table, suite, name, held_to)
        bargain = paid and saved and saved[0] * NEAR < 1 and adopted is None and why not in ("better", "missing")
        if paid and bargain and as_good(pairs[name], gain):
            word, why = _by_price(paid), "cheaper"
        adopted = name if word == "adopt" else adopted
        c = compare_tables(table, held_to, table, name, suite)
        c = failures.noted(c, failures.split(table, held_to, table, name, suite))
        tuned = is_tuned(table, name)
        judged = Judged(
            comparison=c,
            kind=kind,
            role=role,
            word=word,
            why=why,
            limit=gain,
            margin=margin_of(table, suite),
            p=adjusted[name],
            more=more_for_gain(between if step else pairs[name], gain) if why in ("open", "small") else None,
            step=step,
            looked_up=kind == "knowledge"
            and tuned
            and _retrieves(table, suite, held_to)
            and not _retrieves(table, suite, name),
            tuned=tuned,
            paid=paid,
            saved=saved,
            rivals=sum(not is_tuned(table, arm) for arm in by_cost(table, suite)),
            others=(*_others(table, kind, c), *_tried(table, c)),
        )
        findings.append(_finding(judged))
    return findings


def _by_price(paid: BreakEven) -> Decision:
    """The word on an arm that is as good and costs less per request: whether its training pays in time."""
    if paid.months is None:
        return "not decided"
    return "adopt" if paid.months <= MONTHS else "do not adopt"


def _on_general(table: Table, suite: str, arm: str, allowed: float) -> Finding:
    base = base_of(table, suite, arm)
    if base is None:
        text = sentences.no_base(suite, str(table.arms[arm].get("model")))
        return Finding(Verdict(suite, "not comparable", arm, "base", text), "general")
    pairs = pair(table, base, table, arm, suite, scorer_names(table, suite)[0])
    if len(pairs.baseline) < 2:
        return _nothing_shared(suite, "general", arm, base, len(pairs.baseline))
    c = compare_tables(table, base, table, arm, suite)
    c = failures.noted(c, failures.split(table, base, table, arm, suite))
    kept = retention_of(table, suite, arm)
    word, why = judge_with_missing(pairs, partial(judge_loss, margin=allowed))
    if why != "missing" and (kept is None or kept.macro is None):
        word, why = "not decided", "floor"
    tuned = is_tuned(table, arm)
    judged = Judged(
        comparison=c,
        kind="general",
        role="the same model without the adapter" if tuned else "the plain model",
        word=word,
        why=why,
        limit=allowed,
        margin=allowed,
        p=c.p,
        more=more_for_loss(pairs, allowed) if why == "open" else None,
        tuned=tuned,
        kept=kept,
        others=_tried(table, c),
    )
    return _finding(judged)


def _finding(j: Judged) -> Finding:
    c = j.comparison
    verdict = Verdict(
        suite=c.suite,
        decision=j.word,
        candidate=c.candidate,
        reference=c.baseline,
        sentence=sentences.sentence(j),
        reasons=sentences.reasons(j),
        would_change=sentences.would_change(j),
        more_samples=j.more,
    )
    return Finding(verdict, j.kind, j)


def _others(table: Table, kind: str, c: Comparison) -> tuple[str, ...]:
    """Comparisons a reader would ask for: with retrieval on a knowledge suite, with the candidate's own model."""
    found = []
    plain = [a for a in by_cost(table, c.suite) if not is_tuned(table, a)]
    if kind == "knowledge" and is_tuned(table, c.candidate) and not _retrieves(table, c.suite, c.candidate):
        lookups = [a for a in plain if _retrieves(table, c.suite, a)]
        against = _try_compare(table, best(table, c.suite, lookups), c.candidate, c.suite) if lookups else None
        if not lookups:
            found.append(sentences.NO_RETRIEVAL)
        elif against is not None and against.baseline != c.baseline:
            found.append(sentences.retrieval_against_training(against))
    model = table.arms[c.candidate].get("model")
    if table.arms[c.baseline].get("model") != model:
        own = [a for a in plain if table.arms[a].get("model") == model and a != c.candidate]
        against = _try_compare(table, best(table, c.suite, own), c.candidate, c.suite) if own else None
        found += [sentences.same_model(against)] if against is not None else []
    return tuple(found)


def _try_compare(table: Table, a: str, b: str, suite: str, scorer: str | None = None) -> Comparison | None:
    try:
        return compare_tables(table, a, table, b, suite, scorer)
    except NotComparable:
        return None


def _nothing_shared(suite: str, kind: str, candidate: str, held_to: str, shared: int) -> Finding:
    text = sentences.nothing_shared(suite, candidate, held_to, shared)
    return Finding(Verdict(suite, "not comparable", candidate, held_to, text), kind)


def _tried(table: Table, c: Comparison) -> tuple[str, ...]:
    """How many combinations of dials, and how many training recipes, each side was chosen from, where it was."""
    found = [(arm, tried(table, c.suite, arm)[0]) for arm in (c.baseline, c.candidate)]
    dialled = [sentences.tried(arm, len(tries), int(tries[0]["n"])) for arm, tries in found if len(tries) > 1]
    swept = [(arm, recipes_tried(table, c.suite, arm)) for arm in (c.baseline, c.candidate)]
    return (*dialled, *(sentences.swept(arm, len(tries), int(tries[0]["n"])) for arm, tries in swept if tries))


def _retrieves(table: Table, suite: str, arm: str) -> bool:
    return bool(dials(table, suite, arm).get("retrieve"))


def margin_of(table: Table, suite: str) -> float:
    """The loss that a suite allows, 0..1."""
    return float(table.suites[suite].get("margin") or MARGIN)


# --- the candidate as a whole ----------------------------------------------------------------------------------------

SEVERITY: Sequence[Decision] = ("do not adopt", "not comparable", "not decided", "adopt")


def _overall(table: Table, candidate: str, findings: Sequence[Finding]) -> Verdict:
    tuned = is_tuned(table, candidate)
    targets = [f for f in findings if f.kind != "general"]
    by_word: dict[Decision, list[str]] = {}
    for f in targets:
        by_word.setdefault(f.verdict.decision, []).append(f.verdict.suite)
    ability, clause = _ability([f for f in findings if f.kind == "general"], tuned)
    word = _overall_word(by_word, ability)
    about_general = ability in ("do not adopt", "unmeasured") and "adopt" in by_word
    return Verdict(
        suite=OVERALL,
        decision=word,
        candidate=candidate,
        reference=(targets or findings)[0].verdict.reference,
        sentence=sentences.overall(candidate, by_word, clause, word, about_general),
        reasons=(*(f.verdict.sentence for f in findings), *(_about_recipe(table, candidate, targets) if tuned else ())),
        would_change=" ".join(
            f"{f.verdict.suite}: {f.verdict.would_change}" for f in findings if f.verdict.would_change
        ),
        more_samples=max((f.verdict.more_samples or 0 for f in findings), default=0) or None,
    )


def _about_recipe(table: Table, candidate: str, targets: Sequence[Finding]) -> list[str]:
    """What holds for the recipe where it was trained with enough seeds; else that it is about this adapter only."""
    held = [(f.verdict.suite, f.verdict.reference) for f in targets if f.verdict.reference]
    found = [recipe_of(table, suite, candidate, against) for suite, against in held]
    return [one.sentence for one in found if one is not None] or [sentences.ONE_SEED]


def _recipes(table: Table) -> list[dict[str, Any]]:
    """Every recipe of the run with enough seeds, on every suite it was trained for, against the reference."""
    found = {
        (one.suite, one.arms): json_safe(one) | {"sentence": one.sentence}
        for suite in suite_names(table)
        if table.suites[suite].get("kind") != "general"
        for arm in candidates(table, suite)
        if (one := recipe_of(table, suite, arm, reference(table, suite)[0])) is not None
    }
    return list(found.values())


def _ability(general: Sequence[Finding], tuned: bool) -> tuple[str, str]:
    """The word on general ability from its worst suite ("unmeasured" without one), and the clause that says it."""
    if not general:
        return ("unmeasured", sentences.ABILITY_UNMEASURED) if tuned else ("adopt", "")

    def severity(f: Finding) -> tuple[int, float]:
        return SEVERITY.index(f.verdict.decision), f.judged.comparison.difference if f.judged else 0.0

    worst = min(general, key=severity)
    return worst.verdict.decision, sentences.ability_clause(worst.judged, worst.verdict.suite)


def _overall_word(by_word: dict[Decision, list[str]], ability: str) -> Decision:
    if ability == "do not adopt":
        return "do not adopt"
    if "adopt" in by_word:
        return "adopt" if ability == "adopt" else "not decided"
    return next(iter(by_word)) if len(by_word) == 1 else "not decided"
