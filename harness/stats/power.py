"""How small a difference can be seen with n samples, and how many samples a question needs.

`spread` is the standard deviation of the paired differences. For 0/1 scores it is the square root of the share of
samples on which the two arms differ (the discordance), with a floor of 3/n: n samples without a single disagreement
are compatible with disagreement on up to 3/n of all samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.stats.clusters import cluster_error, shared
from harness.stats.paired import deviation, flips, is_binary, z_value

POWER = 0.8
LARGEST = 10_000_000
"""More samples than this are "not with this suite", not a number to print."""


def spread(baseline: Sequence[float], candidate: Sequence[float], clusters: Sequence[str] = ()) -> float:
    """Standard deviation of the differences, floored so that equal answers do not look like perfect precision.

    Where samples share clusters, that of independent samples which would give the same standard error, if larger.
    """
    n = len(baseline)
    differences = [c - b for b, c in zip(baseline, candidate, strict=True)]
    if is_binary(baseline) and is_binary(candidate):
        plain = discordance_spread(*flips(baseline, candidate), n)
    else:
        plain = deviation(differences) or math.sqrt(min(1.0, 3 / n))
    return max(plain, min(1.0, cluster_error(differences, clusters)[0]) * math.sqrt(n)) if shared(clusters) else plain


def discordance_spread(wins: int, losses: int, n: int) -> float:
    """The spread of 0/1 differences: sqrt of the discordance, at least sqrt(3/n)."""
    return math.sqrt(min(1.0, max(wins + losses, 3) / n))


def smallest_difference(spread: float, n: int, level: float = 0.95, power: float = POWER) -> float:
    """Smallest true difference a two-sided test finds with this power: 2.80 * spread / sqrt(n), at most 1.

    >>> round(smallest_difference(0.2**0.5, 200), 3)
    0.089
    """
    return min(1.0, (z_value((1 + level) / 2) + z_value(power)) * spread / math.sqrt(n))


def samples_for_difference(spread: float, difference: float, level: float = 0.95, power: float = POWER) -> int | None:
    """Samples needed to find a true difference (0..1) with this power; None if it is zero or out of reach.

    >>> samples_for_difference(0.2**0.5, 0.05)
    628
    """
    return _samples(spread, difference, z_value((1 + level) / 2) + z_value(power))


def samples_for_margin(
    spread: float, room: float, alpha: float = 0.05, power: float = POWER, suites: int = 1
) -> int | None:
    """Samples needed per suite to prove a loss smaller than a margin, one-sided, on every one of `suites` suites.

    room: the margin plus the true difference (so the margin itself for an unchanged candidate).

    >>> samples_for_margin(0.1**0.5, 0.05)
    248
    """
    z = z_value(1 - alpha)
    needed = _samples(spread, room, z + z_value(power ** (1 / suites)))
    if needed is None:
        return None
    return max(needed, math.floor(z * z * (1 - room) / room) + 1)


def seeds_for_difference(
    seed_sd: float, spread: float, n: int, difference: float, level: float = 0.95, power: float = POWER
) -> int | None:
    """Training seeds needed to claim a true difference (0..1) for a recipe, on n samples; at least 3.

    The difference of the mean over s trainings from an arm that is not trained has the variance seed_sd**2 / s +
    spread**2 / n: samples and seeds are two sources of variance that add (Bouthillier et al. 2021, arXiv 2103.03098),
    and more seeds do not make up for few samples. s is the smallest number for which (z_level + z_power)**2 times that
    variance is at most difference**2. seed_sd is taken as known; where both arms are trained, double its square.
    None where the samples alone leave more variance than allowed, or more than 1,000 seeds would be needed.

    >>> seeds_for_difference(0.02, 0.2**0.5, 1000, 0.05)
    4
    """
    z = z_value((1 + level) / 2) + z_value(power)
    left = (difference / z) ** 2 - spread**2 / n
    if left <= 0 or seed_sd**2 > 1000 * left:
        return None
    return max(3, math.ceil(seed_sd**2 / left - 1e-9))


def _samples(spread: float, effect: float, z: float) -> int | None:
    if effect <= 0:
        return None
    needed = math.ceil((spread * z / effect) ** 2)
    return needed if needed <= LARGEST else None
