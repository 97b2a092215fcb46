"""How many times as much does one arm take as the other, of tokens, seconds, cost? Ratios of paired measurements.

Means: Fieller's interval (Fieller 1954, J. R. Stat. Soc. B 16:175), that is the limits r for which a paired t test of
y - r x against 0 finds nothing; over clusters where samples share a source. One stalled request does not decide it, as
it does with an interval of the logarithm.
95th percentiles: the seeded paired bootstrap of pairs, or of clusters, percentile method (Efron and Tibshirani 1993).

What is not covered: pairs measure how requests differ, not how two runs of one machine do. Seconds of an unchanged
model differ between runs by a tenth or more on a busy machine, and no interval over pairs knows of it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.stats.clusters import LEAST, cluster_error, shared
from harness.stats.paired import SAME, deviation, mean, student_quantile

DRAWS = 2_000
LEAST_P95 = 59
"""Below this many pairs there is no upper bound of a 95th percentile: 0.95 ** 58 > 0.05."""


@dataclass(frozen=True)
class Ratio:
    """A ratio and its uncertainty: that of two means (`moments`, t with `df`), or sorted bootstrap `draws` of its log.

    error: standard error of its logarithm; 0 where every pair has the same ratio, so that nothing is known of its
    variation: there are no bounds then. moments: variance of the mean of baseline and candidate, each in units of that
    mean, and their covariance.
    """

    value: float
    n: int
    error: float
    df: float = 0
    moments: tuple[float, float, float] = (0.0, 0.0, 0.0)
    draws: tuple[float, ...] = ()

    def bound(self, confidence: float, side: str) -> float:
        """One-sided confidence bound, side "lower" or "upper"; 0 or infinity where the data leave it open."""
        upper = side == "upper"
        if self.draws:
            place = (confidence if upper else 1 - confidence) * (len(self.draws) - 1)
            return math.exp(self.draws[math.ceil(place) if upper else math.floor(place)])
        t2 = student_quantile(confidence, self.df) ** 2
        base, cand, both = (1 - t2 * moment for moment in self.moments)
        if base <= 0:
            return math.inf if upper else 0.0
        half = math.sqrt(max(0.0, both * both - base * cand))
        return max(0.0, self.value * (both + (half if upper else -half)) / base)

    def p_at_most(self, limit: float) -> float:
        """One-sided p that the true ratio is at most the limit, 0..1; small where it is shown to be more."""
        if self.draws:
            return (bisect_right(self.draws, math.log(limit)) + 1) / (len(self.draws) + 1)
        from scipy.special import stdtr

        share = limit / self.value
        base, cand, both = self.moments
        error = math.sqrt(max(SAME**2, cand - 2 * share * both + share * share * base))
        return float(stdtr(self.df, (share - 1) / error))


def ratio_of_means(baseline: Sequence[float], candidate: Sequence[float], clusters: Sequence[str] = ()) -> Ratio | None:
    """Mean candidate over mean baseline, both above 0; None with fewer than 10 pairs.

    >>> found = ratio_of_means([1.0, 2.0] * 10, [1.3, 2.4] * 10)
    >>> round(found.value, 3), round(found.bound(0.95, "lower"), 3), round(found.bound(0.95, "upper"), 3)
    (1.233, 1.218, 1.254)
    """
    n = len(baseline)
    if n < LEAST:
        return None
    x, y = mean(baseline), mean(candidate)
    base, cand = [value / x for value in baseline], [value / y for value in candidate]
    names = clusters if shared(clusters) else [str(i) for i in range(n)]
    error = cluster_error([c - b for b, c in zip(base, cand, strict=True)], names)[0]
    if error <= SAME:
        return Ratio(y / x, n, 0.0)
    (of_base, df), (of_cand, _) = cluster_error(base, names), cluster_error(cand, names)
    both = (of_base**2 + of_cand**2 - error**2) / 2
    return Ratio(y / x, n, error, df, (of_base**2, of_cand**2, both))


def ratio_of_p95(
    baseline: Sequence[float], candidate: Sequence[float], clusters: Sequence[str] = (), seed: int = 0
) -> Ratio | None:
    """The candidate's 95th percentile over the baseline's, both above 0; None with fewer than 59 pairs."""
    import numpy as np

    n = len(baseline)
    if n < LEAST_P95:
        return None
    pairs = np.array([baseline, candidate], dtype=float)
    low, high = _p95(pairs)
    generator = np.random.default_rng(seed)
    groups = _members(clusters) if shared(clusters) else []
    logs = []
    for _ in range(DRAWS):
        if groups:
            drawn = np.concatenate([groups[i] for i in generator.integers(len(groups), size=len(groups))])
        else:
            drawn = generator.integers(n, size=n)
        a, b = _p95(pairs[:, drawn])
        logs.append(math.log(b / a))
    return Ratio(high / low, n, deviation(logs), draws=tuple(sorted(logs)))


def p95(values: Sequence[float]) -> float:
    """The 95th percentile, an observed value: rank 0.95 n, counted from 0."""
    return float(sorted(values)[int(0.95 * len(values))])


def _p95(pairs: Any) -> tuple[float, float]:
    import numpy as np

    place = int(0.95 * pairs.shape[1])
    a, b = np.partition(pairs, place, axis=1)[:, place]
    return float(a), float(b)


def _members(clusters: Sequence[str]) -> list[Any]:
    import numpy as np

    _, place = np.unique(np.asarray(clusters), return_inverse=True)
    return [np.flatnonzero(place == i) for i in range(int(place.max()) + 1)]
