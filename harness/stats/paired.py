"""Two arms on the same samples: how large is the difference, and how sure are we?

0/1 scores: Tango's score interval and the mid-p McNemar test. Graded scores: the paired t interval and test.
Both sides are arrays in 0..1 units; a difference is candidate - baseline.

Samples that share a source carry the name of their cluster; then intervals and tests are no narrower than those by
clusters (stats/clusters.py).

What is not covered: graded scores that are almost always equal with rare large drops (the t interval is then too
narrow: about 91 % instead of 95 % at n=100); complete failures are therefore compared in a row of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import gt, lt
from statistics import NormalDist
from typing import Literal

from harness.data import Interval
from harness.stats.clusters import cluster_error, shared

LEVEL = 0.95
SAME = 1e-9
"""Two scores closer than this are the same score."""
CLOSE = 0.01
AT_REST = 0.8
"""With this share of values within CLOSE of their median, a t interval needs its guard."""

Alternative = Literal["two-sided", "greater", "less"]


def z_value(probability: float) -> float:
    """The standard normal quantile, e.g. 1.96 for 0.975."""
    return NormalDist().inv_cdf(probability)


def is_binary(values: Sequence[float]) -> bool:
    """Whether every score is 0 or 1."""
    return set(values) <= {0, 1}


# --- 0/1 scores ------------------------------------------------------------------------------------------------------


def wilson(successes: int, n: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval for one share: n >= 1, 0 <= successes <= n.

    Never of zero width, and never below 92 % true coverage where the usual +-1.96 standard errors fall to 45 %.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"wilson: {successes} of {n}: needs n >= 1 and 0 <= successes <= n")
    z = z_value((1 + level) / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(low, high, level, "Wilson")


def mcnemar_midp(wins: int, losses: int, alternative: Alternative = "two-sided") -> float:
    """Mid-p McNemar test that wins and losses are equally likely; ties carry no information.

    "greater": the candidate is better; "less": it is worse. No wins and no losses: p = 1 (0.5 one-sided).
    """
    m = wins + losses
    if alternative == "two-sided":
        return min(1.0, 2 * _midp_tail(m, max(wins, losses)))
    return _midp_tail(m, wins if alternative == "greater" else losses)


@lru_cache(maxsize=64)
def _midp_tail(m: int, k: int) -> float:
    """P(X > k) + P(X = k) / 2 for X ~ binomial(m, 1/2), in whole numbers, of which less than 2^-64 is left out."""
    least = min(k, m - k)  # by symmetry P(X > k) = P(X < m - k): the sum goes down from the side that is the smaller
    middle = term = math.comb(m, least)
    beyond = 0
    for i in range(least, 0, -1):
        term = term * i // (m - i + 1)
        beyond += term
        if (term * i) << 64 < beyond:  # the terms that follow are i - 1, and smaller
            break
    tail = 2 * beyond + middle
    return (tail if least == m - k else (2 << m) - tail) / (2 << m)


def tango_z(wins: int, losses: int, n: int, difference: float) -> float:
    """Tango's score statistic against a true difference in -1..1; large when the data lie above it."""
    top, spread = _tango_parts(wins, losses, n, difference)
    if spread > 0:
        return top / spread
    return 0.0 if abs(top) < SAME else math.copysign(math.inf, top)


def _tango_parts(wins: int, losses: int, n: int, difference: float) -> tuple[float, float]:
    # q is the share of losses that is likeliest under the difference: Tango (1998), Statistics in Medicine 17, 891.
    a = 2 * n
    b = (2 * n - wins + losses) * difference - wins - losses
    c = -losses * difference * (1 - difference)
    q = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * q + difference * (1 - difference))
    return wins - losses - n * difference, math.sqrt(max(0.0, variance))


def tango_lower(wins: int, losses: int, n: int, confidence: float = 0.95) -> float:
    """One-sided lower confidence bound of the difference, e.g. for "not worse by the margin"."""
    _check_table(wins, losses, n)
    z = z_value(confidence)
    if losses == n:
        return -1.0
    if wins == n:
        return (n - z * z) / (n + z * z)
    if wins == losses == 0:
        return -z * z / (n + z * z)

    def excess(difference: float) -> float:
        top, spread = _tango_parts(wins, losses, n, difference)
        return top - z * spread

    return _root(excess, -1.0, (wins - losses) / n, n * 1e-12)


def _root(f: Callable[[float], float], low: float, high: float, close: float) -> float:
    """Where f falls through zero between low (f > 0) and high (f < 0): false position, Illinois variant."""
    f_low, f_high, last = f(low), f(high), 0
    x = low
    for _ in range(200):
        x = (low * f_high - high * f_low) / (f_high - f_low)
        value = f(x)
        if abs(value) <= close:
            break
        if value > 0:
            low, f_low, f_high = x, value, f_high / 2 if last == 1 else f_high
            last = 1
        else:
            high, f_high, f_low = x, value, f_low / 2 if last == -1 else f_low
            last = -1
    return x


def tango_upper(wins: int, losses: int, n: int, confidence: float = 0.95) -> float:
    """One-sided upper confidence bound of the difference."""
    return -tango_lower(losses, wins, n, confidence)


def tango(wins: int, losses: int, n: int, level: float = LEVEL) -> Interval:
    """Tango's score interval for the difference of two paired shares, by inverting its score test.

    wins, losses: samples that only the candidate, only the baseline answered right; n >= 2 samples in all.
    Without wins and losses it is +- z^2/(n + z^2), never zero: n equal answers do not prove equality.
    """
    confidence = (1 + level) / 2
    return Interval(
        tango_lower(wins, losses, n, confidence), tango_upper(wins, losses, n, confidence), level, "Tango score"
    )


def _check_table(wins: int, losses: int, n: int) -> None:
    if n < 2:
        raise ValueError(f"a paired comparison needs at least 2 samples, got {n}")
    if wins < 0 or losses < 0 or wins + losses > n:
        raise ValueError(f"{wins} wins and {losses} losses do not fit n={n}")


# --- graded scores ---------------------------------------------------------------------------------------------------


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if len(values) != 1 else float(values[0])


def deviation(values: Sequence[float]) -> float:
    """Sample standard deviation (n - 1), 0 where rounding is all that differs."""
    centre = mean(values)
    spread = math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (len(values) - 1))
    return spread if spread > SAME else 0.0


def t_lower(values: Sequence[float], confidence: float, lowest: float = -1.0, highest: float = 1.0) -> float:
    """One-sided lower confidence bound of a mean of values in lowest..highest: Student's t.

    Where nearly all values are the same, t takes their agreement for certainty; then the bound is no closer to the mean
    than what n values leave open: a share q of samples that would fall to `lowest` stays unseen in n draws with
    probability (1 - q)^n, and the largest q that is still plausible is taken off.
    """
    n = len(values)
    if n < 2:
        raise ValueError(f"an interval for graded scores needs at least 2 samples, got {n}")
    centre = mean(values)
    reach = student_quantile(confidence, n - 1) * deviation(values) / math.sqrt(n)
    if _at_rest(values):
        unseen = 1 - (1 - confidence) ** (1 / n)
        reach = max(reach, unseen * (centre - lowest))
    return float(max(lowest, centre - reach))


def _at_rest(values: Sequence[float]) -> bool:
    """Whether nearly all values are the same, for a t interval."""
    centre = sorted(values)[len(values) // 2]
    return sum(abs(value - centre) <= CLOSE for value in values) >= AT_REST * len(values)


def t_upper(values: Sequence[float], confidence: float, lowest: float = -1.0, highest: float = 1.0) -> float:
    """One-sided upper confidence bound of a mean; see t_lower."""
    return -t_lower([-v for v in values], confidence, -highest, -lowest)


def mean_t(values: Sequence[float], level: float = LEVEL) -> Interval:
    """t interval for the mean of one arm's graded scores (0..1), n >= 2."""
    confidence = (1 + level) / 2
    return Interval(t_lower(values, confidence, 0.0, 1.0), t_upper(values, confidence, 0.0, 1.0), level, "t")


def paired_t(differences: Sequence[float], level: float = LEVEL) -> Interval:
    """t interval for the mean of paired differences (-1..1), n >= 2."""
    confidence = (1 + level) / 2
    return Interval(t_lower(differences, confidence), t_upper(differences, confidence), level, "paired t")


def paired_t_p(differences: Sequence[float], alternative: Alternative = "two-sided") -> float:
    """p of the paired t test, never below the least p that n signs can give (2^-n one-sided): a few values that hardly
    differ prove little. All differences equal: the exact sign-flip p (1 when they are all zero).
    """
    n = len(differences)
    if n < 2:
        raise ValueError(f"a paired comparison needs at least 2 samples, got {n}")
    centre, spread = mean(differences), deviation(differences)
    if spread == 0:
        return _equal_differences_p(centre, n, alternative)
    from scipy.special import stdtr

    t = centre / (spread / math.sqrt(n))
    if alternative == "two-sided":
        return max(2.0 ** (1 - n), min(1.0, 2 * float(stdtr(n - 1, -abs(t)))))
    return max(2.0**-n, float(stdtr(n - 1, -t if alternative == "greater" else t)))


def _equal_differences_p(centre: float, n: int, alternative: Alternative) -> float:
    if abs(centre) <= SAME:
        return 1.0
    if alternative == "two-sided":
        return min(1.0, 2.0 ** (1 - n))
    return 2.0**-n if (centre > 0) == (alternative == "greater") else 1.0


def student_quantile(probability: float, df: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


# --- either kind -----------------------------------------------------------------------------------------------------


def flips(baseline: Sequence[float], candidate: Sequence[float]) -> tuple[int, int]:
    """(wins, losses): samples where the candidate scores higher, lower."""
    counted = _counted(tuple(baseline), tuple(candidate))
    if counted is not None:
        return counted
    pairs = list(zip(baseline, candidate, strict=True))
    return sum(c > b + SAME for b, c in pairs), sum(c < b - SAME for b, c in pairs)


@lru_cache(maxsize=4)
def _counted(baseline: tuple[float, ...], candidate: tuple[float, ...]) -> tuple[int, int] | None:
    """(wins, losses) of 0/1 scores, None for graded ones: one comparison asks for it ten times."""
    if not (is_binary(baseline) and is_binary(candidate)):
        return None
    return sum(map(gt, candidate, baseline)), sum(map(lt, candidate, baseline))


def _differences(baseline: Sequence[float], candidate: Sequence[float]) -> list[float]:
    return [c - b for b, c in zip(baseline, candidate, strict=True)]


def difference_bound(
    baseline: Sequence[float], candidate: Sequence[float], confidence: float, side: str, clusters: Sequence[str] = ()
) -> float:
    """One-sided bound (side "lower" or "upper") of candidate - baseline: Tango for 0/1 scores, t for graded ones.

    clusters: the name of each sample's source; where samples share one, the bound is no tighter than that by clusters.
    """
    lower = side == "lower"
    counted = _counted(tuple(baseline), tuple(candidate))
    if counted is not None:
        bound = (tango_lower if lower else tango_upper)(*counted, len(baseline), confidence)
    else:
        bound = (t_lower if lower else t_upper)(_differences(baseline, candidate), confidence)
    if not shared(clusters):
        return bound
    differences = _differences(baseline, candidate)
    error, freedom = cluster_error(differences, clusters)
    reach = student_quantile(confidence, freedom) * error
    if lower:
        return max(-1.0, min(bound, mean(differences) - reach))
    return min(1.0, max(bound, mean(differences) + reach))


def difference_interval(
    baseline: Sequence[float], candidate: Sequence[float], level: float = LEVEL, clusters: Sequence[str] = ()
) -> Interval:
    """Two-sided interval of candidate - baseline: Tango for 0/1 scores, paired t for graded ones; clusters as above."""
    confidence = (1 + level) / 2
    low, high = (difference_bound(baseline, candidate, confidence, side, clusters) for side in ("lower", "upper"))
    method = "paired t" if _counted(tuple(baseline), tuple(candidate)) is None else "Tango score"
    return Interval(low, high, level, f"{method}, by clusters" if shared(clusters) else method)


def difference_p(
    baseline: Sequence[float],
    candidate: Sequence[float],
    alternative: Alternative = "two-sided",
    clusters: Sequence[str] = (),
) -> tuple[float, str]:
    """(p, name of the test): mid-p McNemar for 0/1 scores, paired t for graded ones; by clusters, the larger p."""
    counted = _counted(tuple(baseline), tuple(candidate))
    if counted is not None:
        p, name = mcnemar_midp(*counted, alternative), "mid-p McNemar"
    else:
        p, name = paired_t_p(_differences(baseline, candidate), alternative), "paired t"
    if not shared(clusters):
        return p, name
    differences = _differences(baseline, candidate)
    error, freedom = cluster_error(differences, clusters)
    if error > 0:
        from scipy.special import stdtr

        t = mean(differences) / error
        sides = {"greater": -t, "less": t, "two-sided": -abs(t)}
        p = max(p, min(1.0, (2 if alternative == "two-sided" else 1) * float(stdtr(freedom, sides[alternative]))))
    return p, f"{name}, by clusters"


def mean_interval(values: Sequence[float], level: float = LEVEL, clusters: Sequence[str] = ()) -> Interval:
    """Interval of one arm's mean score: Wilson for 0/1 scores, t for graded ones; clusters as in mean_bound.

    One graded score says nothing.
    """
    found = _alone(values, level)
    if not shared(clusters):
        return found
    low, high = (mean_bound(values, (1 + level) / 2, side, clusters) for side in ("lower", "upper"))
    return Interval(low, high, level, f"{found.method}, by clusters")


def _alone(values: Sequence[float], level: float) -> Interval:
    if is_binary(values):
        return wilson(round(math.fsum(values)), len(values), level)
    if len(values) == 1:
        return Interval(0.0, 1.0, level, "one sample")
    return mean_t(values, level)


def mean_bound(values: Sequence[float], confidence: float, side: str, clusters: Sequence[str] = ()) -> float:
    """One-sided bound (side "lower" or "upper") of one arm's mean, 0..1: Wilson for 0/1 scores, t for graded ones.

    clusters: the name of each sample's source; where samples share one, the bound is no tighter than that by clusters.
    """
    lower = side == "lower"
    plain = _alone(values, 2 * confidence - 1)
    bound = plain.low if lower else plain.high
    if not shared(clusters):
        return bound
    error, freedom = cluster_error(values, clusters)
    reach = student_quantile(confidence, freedom) * error
    return max(0.0, min(bound, mean(values) - reach)) if lower else min(1.0, max(bound, mean(values) + reach))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given: compare each with alpha itself."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted
