"""Each suite held to its margin, and their mean to its own: the numbers that the gate's rule is about (gate.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare import Pairs
from harness.data import Comparison, Interval
from harness.policy import ALPHA
from harness.stats.paired import difference_bound, difference_p, holm, mean, z_value
from harness.stats.power import LARGEST, POWER, samples_for_difference, samples_for_margin, spread


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


def hold(
    found: Sequence[Comparison],
    pairs: Sequence[Pairs],
    margins: Sequence[float],
    alpha: float = ALPHA,
    others: Sequence[float] = (),
) -> tuple[GateRow, ...]:
    """Each suite held to its margin, with Holm's correction over all of them. The arguments go suite by suite.

    others: p values of further tests that share the correction.
    Where the samples were looked at several times the bounds are the repeated ones, and Bonferroni takes Holm's place.
    """
    p_values = [difference_p(p.baseline, p.candidate, "less", p.clusters)[0] for p in pairs]
    family = len(pairs) + len(others)
    adjusted = holm([*p_values, *others])[: len(pairs)]
    rows = []
    for c, scores, margin, p, p_holm in zip(found, pairs, margins, p_values, adjusted, strict=True):
        confidence = 1 - scores.error(2 * alpha) / 2
        lower = difference_bound(scores.baseline, scores.candidate, confidence, "lower", scores.clusters)
        worse = p <= scores.error(alpha / family) / 2 if scores.sizes else p_holm <= alpha / 2
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


def more_samples_for_mean(macro: Macro | None, rows: Sequence[GateRow], alpha: float) -> int | None:
    """More samples per suite for the mean to clear its margin with 80 % power; None where it does, or cannot."""
    if macro is None or macro.lower > -macro.margin or macro.difference <= -macro.margin:
        return None
    z = z_value(1 - alpha)
    wider = (z + z_value(POWER)) / z * (macro.difference - macro.lower) / (macro.margin + macro.difference)
    n = mean([row.n for row in rows])
    return max(1, math.ceil(n * (wider**2 - 1))) if n * wider**2 <= LARGEST else None


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
