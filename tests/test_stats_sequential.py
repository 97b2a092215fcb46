"""Repeated confidence intervals and clusters: held to numerical integration, to statsmodels and to simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from harness.compare import Pairs
from harness.ladder import judge_gain
from harness.stats.clusters import cluster_error, shared
from harness.stats.paired import difference_interval, difference_p, mcnemar_midp, tango_z
from harness.stats.sequential import alpha_at, bounds, order, schedule

FIVE = (0.2, 0.4, 0.6, 0.8, 1.0)


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.01])
@pytest.mark.parametrize("fractions", [FIVE, (0.5, 1.0), (0.1, 0.35, 1.0)])
def test_bounds_spend_alpha_as_multivariate_integration_says(fractions: tuple[float, ...], alpha: float) -> None:
    found = bounds(fractions, alpha)
    t = np.array(fractions)
    covariance = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
    c = np.array(found)
    inside = multivariate_normal.cdf(
        c, np.zeros(len(t)), covariance, lower_limit=-c, maxpts=2_000_000, abseps=1e-6, rng=np.random.default_rng(0)
    )
    assert 1 - inside == pytest.approx(alpha, abs=2e-4)
    assert 2 * norm.sf(found[0]) == pytest.approx(2 * norm.sf(norm.isf(alpha / 2) / math.sqrt(fractions[0])), abs=1e-6)


@pytest.mark.parametrize("alpha", [0.05, 0.001, 0.0001])
def test_an_early_look_is_cautious_but_no_certainty(alpha: float) -> None:
    for n, looks in ((400, 20), (1000, 50), (240, 5)):
        sizes = schedule(n, looks)
        early = [alpha_at(sizes, look, alpha) for look in (1, 2, looks)]
        assert all(1 - one / 2 < 1 for one in early)
        assert early == sorted(early)
        assert 0.2 * alpha < early[-1] <= alpha


def test_bounds_of_five_looks_are_the_known_ones() -> None:
    assert bounds(FIVE) == pytest.approx((4.383, 3.099, 2.556, 2.254, 2.064), abs=4e-3)
    assert bounds(FIVE, 0.1) == pytest.approx((3.676, 2.606, 2.169, 1.936, 1.792), abs=4e-3)


@pytest.mark.parametrize("fractions", [(), (0.5,), (0.5, 0.4, 1.0), (0.0, 1.0), (0.5, 0.5, 1.0)])
def test_looks_that_make_no_sense_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="looks after"):
        bounds(fractions)


def _tables(n: int, d: float, difference: float, runs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Wins and losses after each of n samples: (runs, n) twice."""
    draws = np.random.default_rng(seed).random((runs, n))
    win, loss = (d + difference) / 2, (d - difference) / 2
    return np.cumsum(draws < win, axis=1), np.cumsum((draws >= win) & (draws < win + loss), axis=1)


def _at_looks(n: int, d: float, difference: float, runs: int = 4_000) -> tuple[float, float, float]:
    """(share of runs that reject with five looks, share that reject once at the end, share of samples used)."""
    wins, losses = _tables(n, d, difference, runs, seed=5)
    sizes = schedule(n)
    levels = [alpha_at(sizes, look) for look in range(1, 6)]
    rejected = used = fixed = 0.0
    for w, b in zip(wins, losses, strict=True):
        fixed += mcnemar_midp(int(w[-1]), int(b[-1])) <= 0.05
        for size, level in zip(sizes, levels, strict=True):
            z = tango_z(int(w[size - 1]), int(b[size - 1]), size, 0.0)
            if abs(z) >= norm.isf(level / 2):
                rejected += 1
                break
        used += size
    return rejected / runs, fixed / runs, used / runs / n


@pytest.mark.parametrize(("n", "d"), [(200, 0.2), (500, 0.1), (500, 0.2), (1000, 0.3)])
def test_five_looks_keep_the_error_that_naive_peeking_breaks(n: int, d: float) -> None:
    rejected, _, _ = _at_looks(n, d, 0.0)
    assert rejected <= 0.055
    if n < 500:
        return
    wins, losses = _tables(n, d, 0.0, 1_000, seed=6)
    looks = [n * k // 10 for k in range(1, 11)]
    peeked = sum(
        any(mcnemar_midp(int(w[size - 1]), int(b[size - 1])) <= 0.05 for size in looks)
        for w, b in zip(wins, losses, strict=True)
    )
    assert peeked / 1_000 >= 0.15


@pytest.mark.parametrize(
    ("n", "d", "difference"), [(200, 0.2, 0.1), (500, 0.2, 0.05), (500, 0.1, 0.05), (1000, 0.2, 0.05)]
)
def test_five_looks_lose_at_most_three_points_of_power_and_save_samples(n: int, d: float, difference: float) -> None:
    rejected, fixed, used = _at_looks(n, d, difference)
    assert rejected >= fixed - 0.03
    assert used <= 0.86


def test_repeated_intervals_all_hold_at_once() -> None:
    """A 95 % sequence of intervals misses the truth at any look in at most 5 % of runs (here 1,000, and its error)."""
    n, d, truth, runs = 200, 0.25, 0.06, 1_000
    wins, losses = _tables(n, d, truth, runs, seed=7)
    sizes = schedule(n)
    cuts = [norm.isf(alpha_at(sizes, look) / 2) for look in range(1, 6)]
    held = 0
    for w, b in zip(wins, losses, strict=True):
        z = [abs(tango_z(int(w[s - 1]), int(b[s - 1]), s, truth)) for s in sizes]
        held += all(one <= cut for one, cut in zip(z, cuts, strict=True))
    assert held / runs >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / runs)


def test_no_disagreement_at_the_first_look_does_not_settle_anything() -> None:
    found = difference_interval([1.0] * 48, [1.0] * 48, 1 - alpha_at(schedule(240), 1))
    assert found.low < -0.2
    assert found.high > 0.2


def test_order_is_seeded_and_keeps_clusters_together() -> None:
    clusters = [f"c{i // 3}" for i in range(30)]
    found = order(clusters, seed=3)
    assert sorted(found) == list(range(30))
    assert found == order(clusters, seed=3)
    assert found != order(clusters, seed=4)
    assert all(len({clusters[i] for i in found[k : k + 3]}) == 1 for k in range(0, 30, 3))


def test_schedule_of_few_samples_has_fewer_looks() -> None:
    assert schedule(3) == (1, 2, 3)
    assert schedule(1) == (1,)


# --- clusters --------------------------------------------------------------------------------------------------------


def _clustered(rng: np.random.Generator, groups: int, size: int, icc: float) -> tuple[list[float], list[str]]:
    """Normal differences with mean 0: `size` in each of `groups` clusters, correlated by icc."""
    values = math.sqrt(icc) * rng.normal(size=(groups, 1)) + math.sqrt(1 - icc) * rng.normal(size=(groups, size))
    return (0.2 * values).ravel().tolist(), [f"g{g}" for g in range(groups) for _ in range(size)]


def test_error_by_clusters_is_statsmodels() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    values, clusters = _clustered(rng, 14, 6, 0.4)
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    error, freedom = cluster_error(values, clusters)
    assert freedom == pytest.approx(13)
    assert error == pytest.approx(float(fit.bse[0]), rel=1e-9)
    zeros = [0.5] * len(values)
    found = difference_interval(zeros, [0.5 + v for v in values], clusters=clusters)
    low, high = fit.conf_int()[0]
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6)
    assert difference_p(zeros, [0.5 + v for v in values], clusters=clusters)[0] == pytest.approx(float(fit.pvalues[0]))


@pytest.mark.parametrize("icc", [0.1, 0.3, 0.6])
def test_intervals_by_clusters_cover_at_ten_clusters_where_plain_ones_do_not(icc: float) -> None:
    rng = np.random.default_rng(int(100 * icc))
    runs, held, plain = 1_500, 0, 0
    for _ in range(runs):
        values, clusters = _clustered(rng, 10, 8, icc)
        base = [0.5] * len(values)
        other = [0.5 + v for v in values]
        held += (i := difference_interval(base, other, clusters=clusters)).low <= 0 <= i.high
        plain += (i := difference_interval(base, other)).low <= 0 <= i.high
    assert held / runs >= 0.93
    assert plain / runs < held / runs


def test_binary_scores_in_clusters_cover() -> None:
    """Whole clusters flip together: with 12 clusters of 10 the plain interval holds in far fewer runs."""
    rng = np.random.default_rng(9)
    runs, held, plain = 1_000, 0, 0
    clusters = [f"g{g}" for g in range(12) for _ in range(10)]
    for _ in range(runs):
        sides = rng.choice([-1, 0, 1], p=[0.3, 0.4, 0.3], size=12)
        base = [float(s < 0) for s in sides for _ in range(10)]
        other = [float(s > 0) for s in sides for _ in range(10)]
        held += (i := difference_interval(base, other, clusters=clusters)).low <= 0 <= i.high
        plain += (i := difference_interval(base, other)).low <= 0 <= i.high
    assert held / runs >= 0.93
    assert plain / runs <= 0.7


@pytest.mark.parametrize("sizes", [[40, 35, 30, 25, 20, 15, 10, 10, 8, 7], [100] + [5] * 9, [91] + [1] * 9])
def test_intervals_by_clusters_of_unequal_size_cover(sizes: list[int]) -> None:
    rng = np.random.default_rng(len(sizes) + sizes[0])
    clusters = [f"g{g}" for g, size in enumerate(sizes) for _ in range(size)]
    runs, held, base = 1_000, 0, [0.5] * len(clusters)
    for _ in range(runs):
        shift = rng.normal(0, 0.3**0.5, len(sizes)).repeat(sizes) + rng.normal(0, 0.7**0.5, len(clusters))
        found = difference_interval(base, (0.5 + 0.1 * shift).tolist(), clusters=clusters)
        held += found.low <= 0 <= found.high
    assert held / runs >= 0.93


def test_the_error_by_clusters_is_the_jackknife() -> None:
    values, clusters = [0.1, 0.4, 0.9, 0.2, 0.7, 0.7], ["a", "a", "a", "b", "b", "c"]
    without = [np.mean([v for v, c in zip(values, clusters, strict=True) if c != one]) for one in "abc"]
    error, freedom = cluster_error(values, clusters)
    assert error == pytest.approx(math.sqrt(2 / 3 * sum((m - np.mean(without)) ** 2 for m in without)))
    assert freedom == pytest.approx(36 / 14 - 1)


def test_one_cluster_says_nothing() -> None:
    base, other, one = [0.0] * 20, [1.0] * 20, ["text"] * 20
    found = difference_interval(base, other, clusters=one)
    assert (found.low, found.high) == (-1.0, 1.0)
    assert difference_p(base, other, clusters=one)[0] == 1.0
    assert judge_gain(Pairs(tuple(base), tuple(other), ("all",) * 20, 0, tuple(one))) == ("not decided", "few")


def test_clusters_of_one_change_nothing() -> None:
    base, other = [0.0, 1.0, 1.0, 0.0] * 10, [1.0, 1.0, 0.0, 0.0] * 10
    alone = [str(i) for i in range(40)]
    assert not shared(alone)
    assert difference_interval(base, other, clusters=alone) == difference_interval(base, other)
    assert difference_p(base, other, clusters=alone) == difference_p(base, other)


def test_fewer_than_ten_clusters_refuse_a_verdict() -> None:
    clusters = tuple(f"g{i % 9}" for i in range(180))
    pairs = Pairs((0.0,) * 180, (1.0,) * 180, ("all",) * 180, 0, clusters)
    assert judge_gain(pairs) == ("not decided", "few")
    ten = tuple(f"g{i % 10}" for i in range(180))
    assert judge_gain(Pairs((0.0,) * 180, (1.0,) * 180, ("all",) * 180, 0, ten)) == ("adopt", "better")


def test_equal_answers_in_clusters_never_have_an_interval_without_width() -> None:
    clusters = [f"g{i % 20}" for i in range(100)]
    found = difference_interval([1.0] * 100, [1.0] * 100, clusters=clusters)
    assert found.high - found.low > 0.05
