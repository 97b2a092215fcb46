"""Did the newest candidate make anything worse? One answer for a CI job, over any number of suites.

The rule (alpha is 0.05 unless said; d is candidate - baseline on the same samples):

    FAIL          a suite is shown worse (one-sided p <= alpha/2 after Holm over the suites), or the mean over suites
                  is (upper bound < 0 at alpha/2): at most alpha false alarms, however many suites there are
    PASS          not FAIL, every suite's lower bound (one-sided, 1 - alpha) is above -its margin, and with two suites
                  or more the mean's lower bound is above -macro_margin: tight on the average, loose per suite
    INCONCLUSIVE  neither; more samples would tell. Never silently a PASS
    NOT COMPARABLE  suites, scorers, sampling or prompts differ, or a sample is missing on the baseline's side

A sample that only the candidate lacks is NOT COMPARABLE too, unless the policy says `missing: fail`, the default in a
policy file. A policy adds rules (rules.py): one that is violated fails, one that is open leaves INCONCLUSIVE, and those
that rest on a test share the Holm correction with the suites. One rule holds unsaid: no new complete failures of a
graded score may be shown (failures.py). Samples in quarantine are left out beforehand.

Lower bounds are Tango's for 0/1 scores. Two candidates with equal answers still need 52 samples to clear 5 points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from harness import __version__, words
from harness.comparable import differing, leave_out, missing
from harness.compare import (
    Lost,
    Pairs,
    Table,
    attempted_suites,
    compare_pairs,
    losses,
    pair,
    scope,
    scorer_names,
    tabulate,
)
from harness.data import Run
from harness.errors import (
    EXIT_INCONCLUSIVE,
    EXIT_NOT_COMPARABLE,
    EXIT_OK,
    EXIT_REGRESSION,
    RunError,
    did_you_mean,
)
from harness.failures import above_zero
from harness.margins import GateRow, Macro, hold, macro_bounds, more_samples_for_mean
from harness.policy import Policy, Rule
from harness.roles import is_ceiling
from harness.rules import Check, check, scorer_of, settle
from harness.stats.clusters import LEAST as CLUSTERS
from harness.stats.clusters import shared
from harness.stats.paired import holm
from harness.verdict import json_safe, margin_of

LISTED = 20
"""Lost samples of one row that are named."""
Status = Literal["PASS", "FAIL", "INCONCLUSIVE", "NOT COMPARABLE"]
EXIT_CODES: Mapping[str, int] = {
    "PASS": EXIT_OK,
    "FAIL": EXIT_REGRESSION,
    "INCONCLUSIVE": EXIT_INCONCLUSIVE,
    "NOT COMPARABLE": EXIT_NOT_COMPARABLE,
}

_TODO: Mapping[Status, str] = {
    "NOT COMPARABLE": "Run both sides the same way, to the end.",
    "FAIL": "Missing samples fail.",
    "INCONCLUSIVE": "Add samples from other sources.",
}


@dataclass(frozen=True)
class GateResult:
    """What CI obeys. differing: what kept the two sides from being compared; notes: what does not change the answer.

    checks: the policy's further rules. quarantined: samples left out; expired: entries that count again. policy: the
    file and the tier, "" without one. lost: of every row the samples that the candidate answers worse, LISTED at most.
    """

    status: Status
    exit_code: int
    sentence: str
    baseline: str
    candidate: str
    alpha: float
    rows: tuple[GateRow, ...] = ()
    macro: Macro | None = None
    differing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    more_samples: int | None = None
    checks: tuple[Check, ...] = ()
    quarantined: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    policy: str = ""
    lost: tuple[Lost, ...] = ()


def gate(
    base_run: Run,
    base_arm: str,
    cand_run: Run,
    cand_arm: str,
    policy: Policy | None = None,
    today: date = date.min,
) -> GateResult:
    """Hold an arm of one run (candidate) to an arm of another or the same run (baseline).

    today: quarantine entries until an earlier day have expired. Raises RunError for arms or suites neither run knows,
    ConfigError for scorers, tags or quarantined samples they do not have; all else is a GateResult.
    """
    policy = policy or Policy()
    a, b = tabulate(base_run), tabulate(cand_run)
    for table, arm in ((a, base_arm), (b, cand_arm)):
        if arm not in table.arms:
            raise RunError(f"{table.run.path}: no arm '{arm}'.{did_you_mean(arm, table.arms)}")
        if is_ceiling(table, arm):
            raise RunError(
                f"{table.run.path}: arm '{arm}' is shown the passages that hold the answer: a ceiling, no candidate. "
                f"Name an arm with `retrieve: k`."
            )
    names = _suites(a, base_arm, b, policy.suites)
    base_left, cand_left, quarantined, expired = leave_out(base_run, cand_run, names, policy, today)
    if quarantined:
        a, b = tabulate(base_left), tabulate(cand_left)
    status, found = _admitted(a, base_arm, b, cand_arm, names, policy)
    result = GateResult(
        status,
        EXIT_CODES[status],
        f"{status}: {'; '.join(found)}. {_TODO.get(status, '')}",
        f"{base_run.path}:{base_arm}",
        f"{cand_run.path}:{cand_arm}",
        policy.alpha,
        differing=tuple(found),
        notes=_notes(a, b, names),
        quarantined=quarantined,
        expired=expired,
        policy=f"{policy.path}: {policy.tier}" if policy.path else "",
    )
    if found:
        return result

    held = [(suite, *one) for suite in names for one in _held(a, suite, policy)]
    pairs = [pair(a, base_arm, b, cand_arm, suite, scorer) for suite, scorer, _ in held]
    compared = [
        compare_pairs(suite, scorer, base_arm, cand_arm, p) for (suite, scorer, _), p in zip(held, pairs, strict=True)
    ]
    checks = [
        check(rule, a, base_arm, b, cand_arm, suite, policy)
        for suite in names
        for rule in _further(policy, suite, above_zero(a, base_arm, b, cand_arm, suite) is not None)
    ]
    tests = [one for one in checks if one.p is not None]
    others = [one.p or 0.0 for one in tests]
    rows = hold(compared, pairs, [margin for _, _, margin in held], policy.alpha, others)
    settled = iter(_settled(tests, rows, pairs, policy.alpha))
    checks = [one if one.p is None else next(settled) for one in checks]
    primary = [p for (suite, scorer, _), p in zip(held, pairs, strict=True) if scorer == scorer_names(a, suite)[0]]
    macro = macro_bounds(primary, policy.macro_margin, policy.alpha) if len(names) > 1 else None
    status, tolerated = judge(rows, macro, checks, policy.tolerate_small)
    wanted = [row.more_samples for row in rows] + [one.more_samples for one in checks]
    more = max(count or 0 for count in [*wanted, more_samples_for_mean(macro, rows, policy.alpha)])
    spoken = (cand_arm, base_arm) if base_arm != cand_arm else (result.candidate, result.baseline)
    return replace(
        result,
        status=status,
        exit_code=EXIT_CODES[status],
        sentence=_sentence(status, rows, macro, checks, *spoken, more or None),
        rows=rows,
        macro=macro,
        checks=tuple(checks),
        notes=result.notes + (("a loss is shown, but it is within every margin",) if tolerated else ()),
        more_samples=more or None if status == "INCONCLUSIVE" else None,
        lost=tuple(one for suite, scorer, _ in held for one in losses(a, base_arm, b, cand_arm, suite, scorer, LISTED)),
    )


def _admitted(
    a: Table, base_arm: str, b: Table, cand_arm: str, names: Sequence[str], policy: Policy
) -> tuple[Status, list[str]]:
    """What is said instead of any number, and why; nothing where the two sides may be compared."""
    if not names:
        return "NOT COMPARABLE", [f"{base_arm} answered no suite"]
    found = [text for suite in names for text in differing(a, base_arm, b, cand_arm, suite, policy)]
    if found:
        return "NOT COMPARABLE", found
    gaps = [
        missing(a, base_arm, b, cand_arm, suite, scorer) for suite in names for scorer in _scorers(a, b, suite, policy)
    ]
    before, now = ([text for gap in gaps for text in gap[side]] for side in (0, 1))
    if before:
        return "NOT COMPARABLE", before + now
    if now:
        return ("FAIL" if policy.missing == "fail" else "NOT COMPARABLE"), now
    pairs = {suite: pair(a, base_arm, b, cand_arm, suite, scorer_names(a, suite)[0]) for suite in names}
    small = [f"{suite}: 1 sample, at least 2 are needed" for suite in names if len(pairs[suite].baseline) < 2]
    if small:
        return "NOT COMPARABLE", small
    sources = {suite: len(set(p.clusters)) for suite, p in pairs.items() if shared(p.clusters)}
    return "INCONCLUSIVE", [
        f"{suite}: {words.count(len(pairs[suite].baseline), 'sample')} from {words.count(n, 'source')}, "
        f"{CLUSTERS} are needed for a verdict"
        for suite, n in sources.items()
        if n < CLUSTERS
    ]


def _scorers(a: Table, b: Table, suite: str, policy: Policy) -> list[str]:
    """Every scorer that the gate looks at on a suite, the primary one first."""
    table = a if suite in a.suites else b
    named = [scorer_of(rule, table, suite, policy) for rule in policy.on(suite)]
    return list(dict.fromkeys([scorer_names(table, suite)[0], *named]))


def _held(table: Table, suite: str, policy: Policy) -> list[tuple[str, float]]:
    """(scorer, margin) of each score that must be no worse: the primary one first, always; then those a rule names."""
    own = margin_of(table, suite)
    margins = {scorer_names(table, suite)[0]: own}
    for rule in policy.on(suite):
        if rule.kind == "no_worse_than":
            margins[scorer_of(rule, table, suite, policy)] = own if rule.limit is None else rule.limit
    return list(margins.items())


def _further(policy: Policy, suite: str, failures: bool) -> list[Rule]:
    """The rules of a suite beside `no_worse_than`; and no more complete failures where a graded score has any."""
    rules = [rule for rule in policy.on(suite) if rule.kind != "no_worse_than"]
    said = any(rule.kind == "no_new_failures" for rule in rules)
    return rules if said or not failures else [*rules, Rule("no_new_failures")]


def _settled(tests: Sequence[Check], rows: Sequence[GateRow], pairs: Sequence[Pairs], alpha: float) -> list[Check]:
    """The rules that rest on a test, corrected together with the rows; by Bonferroni where there were several looks."""
    family = len(rows) + len(tests)
    p_holm = holm([row.p for row in rows] + [one.p or 0.0 for one in tests])[len(rows) :]
    looked = {row.suite: p for row, p in zip(rows, pairs, strict=True) if p.sizes}
    broken = [
        (one.p or 0.0) <= looked[one.suite].error(alpha / family) / 2 if one.suite in looked else p <= alpha / 2
        for one, p in zip(tests, p_holm, strict=True)
    ]
    return settle(tests, broken, p_holm)


def judge(
    rows: Sequence[GateRow], macro: Macro | None, checks: Sequence[Check] = (), tolerate_small: bool = False
) -> tuple[Status, bool]:
    """(status, whether a shown loss was tolerated) by the rule at the top of this file."""
    if any(one.state == "violated" for one in checks):
        return "FAIL", False
    worse = any(row.worse for row in rows) or (macro is not None and macro.upper < 0)
    holds = all(row.holds for row in rows) and (macro is None or macro.lower > -macro.margin)
    if worse and not (holds and tolerate_small):
        return "FAIL", False
    return ("PASS", worse) if holds and all(one.state == "holds" for one in checks) else ("INCONCLUSIVE", False)


def stands(result: GateResult, tolerate_small: bool = False) -> bool:
    """Whether more samples could not turn the answer: bounds, tests and lost answers (no_flip) have decided.

    What is measured without inference (ratios, `by: mean`) neither stops a run nor keeps it going.
    """
    firm = [one for one in result.checks if one.p is not None or one.rule == "no_flip"]
    return bool(result.rows) and judge(result.rows, result.macro, firm, tolerate_small)[0] != "INCONCLUSIVE"


def gate_json(result: GateResult) -> dict[str, Any]:
    """A GateResult as gate.json: format 1, harness, and the fields of GateResult, GateRow, Macro and Check; no NaN."""
    content: dict[str, Any] = json_safe(result)
    return {"format": 1, "harness": __version__, **content}


def _suites(a: Table, base_arm: str, b: Table, wanted: Mapping[str, Any] | None) -> list[str]:
    if wanted is None:
        return attempted_suites(a, base_arm)
    known = [*a.suites, *(s for s in b.suites if s not in a.suites)]
    for suite in wanted:
        if suite not in known:
            raise RunError(f"gate: no suite '{suite}' in either run.{did_you_mean(suite, known)}")
    return list(wanted)


def _notes(a: Table, b: Table, names: Sequence[str]) -> tuple[str, ...]:
    notes = []
    for what in ("engine", "harness"):
        one, two = a.run.manifest.get(what), b.run.manifest.get(what)
        if isinstance(one, Mapping) and isinstance(two, Mapping):
            one, two = f"{one.get('name')} {one.get('version')}", f"{two.get('name')} {two.get('version')}"
        if one != two:
            notes.append(f"{what} differs: {one} and {two}")
    for suite in names:
        if suite in a.suites and suite in b.suites and (held := scope(a, b, suite)).sizes:
            all_ = max(int(table.suites[suite].get("n_test") or 0) for table in (a, b))
            notes.append(
                f"{suite} was asked until decided: look {held.look} of {len(held.sizes)}, {held.wanted} of {all_} "
                "samples; bounds hold at all looks together"
            )
    extra = [s for s in attempted_suites(b) if s not in names]
    if extra:
        notes.append(f"not held to anything: {words.listing(extra)}")
    return tuple(notes)


def _sentence(
    status: Status,
    rows: Sequence[GateRow],
    macro: Macro | None,
    checks: Sequence[Check],
    cand: str,
    base: str,
    more: int | None,
) -> str:
    suites = len({row.suite for row in rows})
    over = words.count(suites, "suite") + (f" and {words.count(len(rows) - suites, 'score')}" * (len(rows) > suites))
    broken = [one.said for one in checks if one.state == "violated"]
    unsettled = [one.said for one in checks if one.state == "open"]
    if status == "FAIL" and broken:
        lost = [f"{_name(row, rows)} {_row(row)}" for row in rows if row.worse]
        also = f" And it is worse than {base} on {'; '.join(lost)}." if lost else ""
        return f"FAIL: {cand} breaks {words.count(len(broken), 'rule')}: {'; '.join(broken)}.{also}"
    if status == "FAIL":
        worse = [row for row in rows if row.worse]
        shown = "; ".join(f"{_name(row, rows)} {_row(row)}" for row in worse)
        if not worse and macro is not None:
            shown = f"the mean over suites {words.points(macro.difference)} points, at most {words.points(macro.upper)}"
        return f"FAIL: {cand} is worse than {base} on {shown}; {over}{' (Holm)' * (len(rows) > 1)} tested."
    if status == "PASS":
        tightest = min(rows, key=lambda row: row.lower + row.margin)
        mean_over = f"; mean over suites at least {words.points(macro.lower)}" if macro else ""
        stated = sum(one.rule != "no_new_failures" or one.limit > 0 for one in checks)
        rules = f"; {words.count(stated, 'further rule')} kept" if stated else ""
        return (
            f"PASS: {cand} is no worse than {base} on {over}; closest: {_name(tightest, rows)} "
            f"{_row(tightest)}{mean_over}{rules}."
        )
    open_rows = [row for row in rows if not row.holds]
    shown = "; ".join(f"{_name(row, rows)} {_row(row)}" for row in open_rows)
    if not open_rows and macro is not None and macro.lower <= -macro.margin:
        shown = (
            f"the mean over suites {words.points(macro.difference)} points, possibly {words.points(macro.lower)}, "
            f"allowed {words.points(-macro.margin)}"
        )
    tail = f" About {words.about(more)} more samples per suite would tell." if more else ""
    loss = f" a loss beyond the margin is neither shown nor ruled out: {shown}." if shown else ""
    rest = f" not settled: {'; '.join(unsettled)}." if unsettled else ""
    return f"INCONCLUSIVE:{loss}{rest}{tail}"


def _name(row: GateRow, rows: Sequence[GateRow]) -> str:
    """The suite, with the scorer where the suite is held by several."""
    return f"{row.suite} {row.scorer}" if sum(other.suite == row.suite for other in rows) > 1 else row.suite


def _row(row: GateRow) -> str:
    flips = f"{words.count(row.wins, 'win')}, {words.count(row.losses, 'loss', 'losses')}"
    return (
        f"{words.points(row.difference)} points (at least {words.points(row.lower)}, allowed "
        f"{words.points(-row.margin)}, n={row.n}, {flips})"
    )
