"""Score against training size: would more data help, and how much is needed?

acc(n) = ceiling - scale * n ** -rate (a power law in the manner of Hestness et al. 2017, arXiv 1712.00409, with the
ceiling of accuracy), fitted to candidates trained on 1/16 .. 1 of the data with three seeds or more each. The band
comes from a bootstrap over test samples and seeds together; it is a statement about curves of this form, and is never
carried beyond four times the largest size. The curve itself ends at 1 or below; the curves of the band may aim higher
(their scores are cut at 1), because a bootstrap whose fits pile up at a limit covers too seldom (Andrews 2000,
Econometrica 68:399). One seed says nothing about a recipe and is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from harness.data import Interval

SEEDS = 3
REACH = 4
SIZES = 3
DRAWS = 400
_RATES = 40


@dataclass(frozen=True)
class CurvePoint:
    """sizes: training samples. score: fitted, 0..1. interval: the band there."""

    size: int
    score: float
    interval: Interval


@dataclass(frozen=True)
class Curve:
    """A learning curve. measured: (size, mean score, number of seeds) per trained size.

    fitted: at the measured sizes and on to REACH times the largest. needed: (fewest, most) training samples with which
    the band reaches the target, `most` None where it does not within REACH; None where no target was given or the
    target is out of reach altogether.
    """

    measured: tuple[tuple[int, float, int], ...]
    fitted: tuple[CurvePoint, ...]
    ceiling: float
    target: float | None
    needed: tuple[int, int | None] | None


def learning_curve(
    scores: Mapping[int, Sequence[Sequence[float]]],
    target: float | None = None,
    level: float = 0.9,
    seed: int = 0,
    draws: int = DRAWS,
) -> Curve:
    """The curve of scores per training size: size -> one row per training seed of scores (0..1) on the same samples.

    target: a mean score one would like to know the training size for. ValueError: fewer than three sizes, or fewer
    than three seeds at any of them, rows of unequal length, or fewer than two samples.
    """
    import numpy as np

    sizes = sorted(scores)
    if len(sizes) < SIZES:
        raise ValueError(f"a learning curve needs at least {SIZES} training sizes, got {len(sizes)}")
    if (fewest := min(len(rows) for rows in scores.values())) < SEEDS:
        raise ValueError(f"a learning curve needs at least {SEEDS} training seeds per size, got {fewest}")
    if len({len(row) for rows in scores.values() for row in rows}) > 1:
        raise ValueError("a learning curve needs the same test samples for every candidate")
    if (n := min(len(row) for rows in scores.values() for row in rows)) < 2:
        raise ValueError(f"a learning curve needs at least 2 test samples that every candidate answered, got {n}")
    table = {size: np.asarray(scores[size], dtype=float) for size in sizes}
    grid = _grid(sizes)
    rng = np.random.default_rng(seed)
    means = np.empty((draws, len(sizes)))
    for draw in range(draws):
        items = rng.integers(0, n, n)
        for column, size in enumerate(sizes):
            rows = table[size]
            means[draw, column] = _redrawn(rows.mean(axis=1), rows[:, items].mean(axis=1), rng)
    whole = np.array([[table[size].mean() for size in sizes]])
    best, ceiling = _fit(sizes, whole, grid, 1.0)
    found, _ = _fit(sizes, means, grid, math.inf)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], axis=0)
    sure = ((1 - level) / 2) ** (
        1 / n
    )  # n samples all alike leave so much open (Clopper and Pearson 1934): no band is a line
    low, high = np.minimum(np.minimum(low, best[0]), sure), np.maximum(np.maximum(high, best[0]), 1 - sure)
    points = tuple(
        CurvePoint(size, float(score), Interval(float(lo), float(hi), level, "bootstrap over samples and seeds"))
        for size, score, lo, hi in zip(grid, best[0], low, high, strict=True)
    )
    measured = tuple((size, float(table[size].mean()), len(table[size])) for size in sizes)
    return Curve(measured, points, float(ceiling[0]), target, _needed(points, target))


def _redrawn(full: Any, resampled: Any, rng: Any) -> float:
    """The mean over seeds drawn anew, on samples drawn anew; the spread of so few seeds is widened by s/(s-1)."""
    import numpy as np

    s = len(full)
    picked = resampled[rng.integers(0, s, s)]
    centre = resampled.mean()
    return float(centre + (picked.mean() - centre) * np.sqrt(s / (s - 1)))


def _grid(sizes: Sequence[int]) -> list[int]:
    """The measured sizes, and doublings of the largest up to REACH times it."""
    more = [sizes[-1] * 2**k for k in range(1, int(math.log2(REACH)) + 1)]
    return [*sizes, *more]


def _fit(sizes: Sequence[int], means: Any, grid: Sequence[int], highest: float) -> tuple[Any, Any]:
    """(fitted scores (rows, grid), ceilings (rows)) by least squares: for each rate the rest is linear.

    The scale is not negative (more data does not hurt) and the ceiling not above `highest`.
    """
    import numpy as np

    x, g = np.asarray(sizes, dtype=float), np.asarray(grid, dtype=float)
    best = np.full(len(means), np.inf)
    fitted, ceilings = np.empty((len(means), len(g))), np.empty(len(means))
    for rate in np.geomspace(0.05, 2.0, _RATES):
        basis, out = x**-rate, g**-rate
        centred = basis - basis.mean()
        scale = np.maximum(0.0, -(means @ centred) / (centred @ centred))
        ceiling = means.mean(axis=1) + scale * basis.mean()
        if (over := ceiling > highest).any():
            scale = np.where(over, np.maximum(0.0, ((highest - means) @ basis) / (basis @ basis)), scale)
            ceiling = np.minimum(ceiling, highest)
        error = ((means - ceiling[:, None] + scale[:, None] * basis) ** 2).sum(axis=1)
        better = error < best
        best = np.where(better, error, best)
        fitted[better] = (ceiling[:, None] - scale[:, None] * out)[better]
        ceilings[better] = ceiling[better]
    return np.clip(fitted, 0.0, 1.0), ceilings


def _needed(points: Sequence[CurvePoint], target: float | None) -> tuple[int, int | None] | None:
    if target is None:
        return None
    first = _crossing([(p.size, p.interval.high) for p in points], target)
    last = _crossing([(p.size, p.interval.low) for p in points], target)
    return None if first is None else (first, last)


def _crossing(curve: Sequence[tuple[int, float]], target: float) -> int | None:
    """The size at which a curve reaches the target, between its points on a scale of logarithms."""
    for (left, low), (right, high) in pairwise(curve):
        if low >= target:
            return left
        if high >= target:
            share = (target - low) / (high - low)
            return math.ceil(math.exp(math.log(left) + share * (math.log(right) - math.log(left))))
    return None
