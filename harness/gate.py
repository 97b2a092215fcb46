"""Did the newest candidate make anything worse? One answer for a CI job, over any number of suites.

The rule (alpha is 0.05 unless said; d is candidate - baseline on the same samples):

    FAIL          a suite is shown worse (one-sided p <= alpha/2 after Holm over the suites), or the mean over suites
                  is (upper bound < 0 at alpha/2): at most alpha false alarms, however many suites there are
    PASS          not FAIL, every suite's lower bound (one-sided, 1 - alpha) is above -its margin, and with two suites
                  or more the mean's lower bound is above -macro_margin: tight on the average, loose per suite
    INCONCLUSIVE  neither; more samples would tell. Never silently a PASS
    NOT COMPARABLE  suites, scorers or sampling differ, or any sample is missing on either side

Lower bounds are Tango's for 0/1 scores. Two candidates with equal answers still need 52 samples to clear 5 points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness import __version__, words
from harness.compare import Pairs, Table, compare_pairs, differences, pair, scorer_names, suite_names, tabulate
from harness.data import Comparison, Interval, Run
from harness.errors import (
    EXIT_INCONCLUSIVE,
    EXIT_NOT_COMPARABLE,
    EXIT_OK,
    EXIT_REGRESSION,
    RunError,
    did_you_mean,
)
from harness.roles import is_ceiling
from harness.stats.paired import difference_bound, difference_p, holm, mean, z_value
from harness.stats.power import LARGEST, POWER, samples_for_difference, samples_for_margin, spread
from harness.verdict import MARGIN, json_safe

MACRO_MARGIN = 0.03
"""The largest loss of the mean over suites that still passes, 0..1."""
ALPHA = 0.05

Status = Literal["PASS", "FAIL", "INCONCLUSIVE", "NOT COMPARABLE"]
EXIT_CODES: Mapping[str, int] = {
    "PASS": EXIT_OK,
    "FAIL": EXIT_REGRESSION,
    "INCONCLUSIVE": EXIT_INCONCLUSIVE,
    "NOT COMPARABLE": EXIT_NOT_COMPARABLE,
}


@dataclass(frozen=True)
class GateRow:
    """One suite. lower: one-sided bound held against -margin. p, p_holm: one-sided, that the candidate is worse.

    worse: shown worse after Holm. holds: lower > -margin. more_samples: to prove the margin with 80 % power at the
    observed difference, None where it holds or no number of samples would.
    """

    suite: str
    scorer: str
    n: int
    missing: int
    baseline_mean: float
    candidate_mean: float
    difference: float
    interval: Interval
    lower: float
    margin: float
    p: float
    p_holm: float
    worse: bool
    holds: bool
    wins: int
    losses: int
    mde: float
    more_samples: int | None
    note: str = ""


@dataclass(frozen=True)
class Macro:
    """The plain mean of the suites' differences; lower at 1 - alpha, upper at 1 - alpha/2, both one-sided."""

    difference: float
    lower: float
    upper: float
    margin: float


@dataclass(frozen=True)
class GateResult:
    """What CI obeys. differing: what kept the two sides from being compared; notes: what does not change the answer."""

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


def gate(
    base_run: Run,
    base_arm: str,
    cand_run: Run,
    cand_arm: str,
    *,
    suites: Sequence[str] | None = None,
    margin: float | None = None,
    macro_margin: float = MACRO_MARGIN,
    alpha: float = ALPHA,
    tolerate_small: bool = False,
) -> GateResult:
    """Hold an arm of one run (candidate) to an arm of another or the same run (baseline).

    suites: names; None takes every suite the baseline arm answered. margin: the largest loss per suite, 0..1; None
    takes each suite's own. tolerate_small: a loss that is shown, but within all margins, passes with a note.
    Raises RunError for arms or suites neither run knows; everything that cannot be compared is a GateResult.
    """
    a, b = tabulate(base_run), tabulate(cand_run)
    for table, arm in ((a, base_arm), (b, cand_arm)):
        if arm not in table.arms:
            raise RunError(f"{table.run.path}: no arm '{arm}'.{did_you_mean(arm, table.arms)}")
        if is_ceiling(table, arm):
            raise RunError(
                f"{table.run.path}: arm '{arm}' is shown the passages that hold the answer: a ceiling, no candidate. "
                f"Name an arm with `retrieve: k`."
            )
    names = _suites(a, base_arm, b, suites)
    labels = f"{base_run.path}:{base_arm}", f"{cand_run.path}:{cand_arm}"
    spoken = (base_arm, cand_arm) if base_arm != cand_arm else labels
    differing = [text for suite in names for text in _differing(a, base_arm, b, cand_arm, suite)]
    if not names:
        differing = [f"{base_arm} answered no suite"]
    notes = _notes(a, b, names)
    if differing:
        return GateResult(
            "NOT COMPARABLE",
            EXIT_NOT_COMPARABLE,
            f"NOT COMPARABLE: {'; '.join(differing)}. Run both sides the same way, to the end.",
            *labels,
            alpha,
            differing=tuple(differing),
            notes=notes,
        )
    pairs = {suite: pair(a, base_arm, b, cand_arm, suite, scorer_names(a, suite)[0]) for suite in names}
    found = [compare_pairs(s, scorer_names(a, s)[0], base_arm, cand_arm, pairs[s]) for s in names]
    margins = [float(a.suites[s].get("margin") or MARGIN) if margin is None else margin for s in names]
    rows = hold(found, [pairs[s] for s in names], margins, alpha)
    macro = macro_bounds([pairs[s] for s in names], macro_margin, alpha) if len(names) > 1 else None
    status, tolerated = judge(rows, macro, tolerate_small)
    more = max([row.more_samples or 0 for row in rows] + [_more_macro(macro, rows, alpha) or 0]) or None
    return GateResult(
        status,
        EXIT_CODES[status],
        _sentence(status, rows, macro, spoken[1], spoken[0], more),
        *labels,
        alpha,
        rows=rows,
        macro=macro,
        notes=notes + (("a loss is shown, but it is within every margin",) if tolerated else ()),
        more_samples=more if status == "INCONCLUSIVE" else None,
    )


def hold(
    found: Sequence[Comparison], pairs: Sequence[Pairs], margins: Sequence[float], alpha: float = ALPHA
) -> tuple[GateRow, ...]:
    """Each suite held to its margin, with Holm's correction over all of them. The arguments go suite by suite.

    Where the samples were looked at several times the bounds are the repeated ones, and Bonferroni takes Holm's place.
    """
    p_values = [difference_p(p.baseline, p.candidate, "less", p.clusters)[0] for p in pairs]
    rows = []
    for c, scores, margin, p, p_holm in zip(found, pairs, margins, p_values, holm(p_values), strict=True):
        confidence = 1 - scores.error(2 * alpha) / 2
        lower = difference_bound(scores.baseline, scores.candidate, confidence, "lower", scores.clusters)
        worse = p <= scores.error(alpha / len(pairs)) / 2 if scores.sizes else p_holm <= alpha / 2
        holds = lower > -margin
        rows.append(
            GateRow(
                suite=c.suite,
                scorer=c.scorer,
                n=c.n,
                missing=c.missing,
                baseline_mean=c.baseline_mean,
                candidate_mean=c.candidate_mean,
                difference=c.difference,
                interval=c.interval,
                lower=lower,
                margin=margin,
                p=p,
                p_holm=p_holm,
                worse=worse,
                holds=holds,
                wins=c.wins,
                losses=c.losses,
                mde=c.mde,
                more_samples=None if holds else _more(scores, margin, alpha, len(pairs)),
                note=c.note,
            )
        )
    return tuple(rows)


def judge(rows: Sequence[GateRow], macro: Macro | None, tolerate_small: bool = False) -> tuple[Status, bool]:
    """(status, whether a shown loss was tolerated) by the rule at the top of this file."""
    worse = any(row.worse for row in rows) or (macro is not None and macro.upper < 0)
    holds = all(row.holds for row in rows) and (macro is None or macro.lower > -macro.margin)
    if worse and not (holds and tolerate_small):
        return "FAIL", False
    return ("PASS", worse) if holds else ("INCONCLUSIVE", False)


def macro_bounds(pairs: Sequence[Pairs], margin: float, alpha: float = ALPHA) -> Macro:
    """Mean difference over suites with one-sided bounds; the suites' own half-widths add in squares.

    Never of zero width, since no suite's bounds are.
    """
    found = [mean(p.candidate) - mean(p.baseline) for p in pairs]
    below = [
        d - difference_bound(p.baseline, p.candidate, 1 - p.error(2 * alpha) / 2, "lower", p.clusters)
        for d, p in zip(found, pairs, strict=True)
    ]
    above = [
        difference_bound(p.baseline, p.candidate, 1 - p.error(alpha) / 2, "upper", p.clusters) - d
        for d, p in zip(found, pairs, strict=True)
    ]
    centre = mean(found)
    return Macro(
        centre,
        centre - math.sqrt(math.fsum(w * w for w in below)) / len(pairs),
        centre + math.sqrt(math.fsum(w * w for w in above)) / len(pairs),
        margin,
    )


def gate_json(result: GateResult) -> dict[str, Any]:
    """A GateResult as gate.json: format 1, harness, and the fields of GateResult, GateRow and Macro; no NaN."""
    content: dict[str, Any] = json_safe(result)
    return {"format": 1, "harness": __version__, **content}


def _suites(a: Table, base_arm: str, b: Table, wanted: Sequence[str] | None) -> list[str]:
    if wanted is None:
        return [s for s in suite_names(a) if (s, base_arm) in a.rows]
    known = [*a.suites, *(s for s in b.suites if s not in a.suites)]
    for suite in wanted:
        if suite not in known:
            raise RunError(f"gate: no suite '{suite}' in either run.{did_you_mean(suite, known)}")
    return list(dict.fromkeys(wanted))


def _differing(a: Table, base_arm: str, b: Table, cand_arm: str, suite: str) -> list[str]:
    for table in (a, b):
        if suite not in table.suites:
            return [f"{suite}: {table.run.path} did not run it"]
    found = [f"{suite}: {text}" for text in differences(a, b, suite)]
    if found:
        return found
    pairs = pair(a, base_arm, b, cand_arm, suite, scorer_names(a, suite)[0])
    n = len(pairs.baseline)
    if pairs.missing:
        return [f"{suite}: {pairs.missing} of {n + pairs.missing} samples are missing"]
    return [f"{suite}: {words.count(n, 'sample')}, at least 2 are needed"] if n < 2 else []


def _notes(a: Table, b: Table, names: Sequence[str]) -> tuple[str, ...]:
    notes = []
    for what in ("engine", "harness"):
        one, two = a.run.manifest.get(what), b.run.manifest.get(what)
        if isinstance(one, Mapping) and isinstance(two, Mapping):
            one, two = f"{one.get('name')} {one.get('version')}", f"{two.get('name')} {two.get('version')}"
        if one != two:
            notes.append(f"{what} differs: {one} and {two}")
    extra = [s for s in suite_names(b) if s not in names]
    if extra:
        notes.append(f"not held to anything: {words.listing(extra)}")
    return tuple(notes)


def _more(pairs: Pairs, margin: float, alpha: float, suites: int) -> int | None:
    n = len(pairs.baseline)
    size = spread(pairs.baseline, pairs.candidate, pairs.clusters)
    difference = mean(pairs.candidate) - mean(pairs.baseline)
    room = margin + difference
    if room > 0:
        needed = samples_for_margin(size, room, alpha, suites=suites)
    else:
        needed = samples_for_difference(size, -difference, 1 - alpha)
    return needed - n if needed is not None and needed > n else None


def _more_macro(macro: Macro | None, rows: Sequence[GateRow], alpha: float) -> int | None:
    """More samples per suite for the mean to clear its margin with 80 % power; None where it does, or cannot."""
    if macro is None or macro.lower > -macro.margin or macro.difference <= -macro.margin:
        return None
    z = z_value(1 - alpha)
    wider = (z + z_value(POWER)) / z * (macro.difference - macro.lower) / (macro.margin + macro.difference)
    n = mean([row.n for row in rows])
    return max(1, math.ceil(n * (wider**2 - 1))) if n * wider**2 <= LARGEST else None


def _sentence(
    status: Status, rows: Sequence[GateRow], macro: Macro | None, cand: str, base: str, more: int | None
) -> str:
    over = f"{words.count(len(rows), 'suite')}" + (" (Holm)" if len(rows) > 1 else "")
    if status == "FAIL":
        worse = [row for row in rows if row.worse]
        shown = "; ".join(f"{row.suite} {_row(row)}" for row in worse)
        if not worse and macro is not None:
            shown = f"the mean over suites {words.points(macro.difference)} points, at most {words.points(macro.upper)}"
        return f"FAIL: {cand} is worse than {base} on {shown}; {over} tested."
    if status == "PASS":
        tightest = min(rows, key=lambda row: row.lower + row.margin)
        mean_over = f"; mean over suites at least {words.points(macro.lower)}" if macro else ""
        return (
            f"PASS: {cand} is no worse than {base} on {over.removesuffix(' (Holm)')}; closest: {tightest.suite} "
            f"{_row(tightest)}{mean_over}."
        )
    open_rows = [row for row in rows if not row.holds]
    shown = "; ".join(f"{row.suite} {_row(row)}" for row in open_rows)
    if not open_rows and macro is not None:
        shown = (
            f"the mean over suites {words.points(macro.difference)} points, possibly {words.points(macro.lower)}, "
            f"allowed {words.points(-macro.margin)}"
        )
    tail = f" About {words.about(more)} more samples per suite would tell." if more else ""
    return f"INCONCLUSIVE: a loss beyond the margin is neither shown nor ruled out: {shown}.{tail}"


def _row(row: GateRow) -> str:
    flips = f"{words.count(row.wins, 'win')}, {words.count(row.losses, 'loss', 'losses')}"
    return (
        f"{words.points(row.difference)} points (at least {words.points(row.lower)}, allowed "
        f"{words.points(-row.margin)}, n={row.n}, {flips})"
    )
