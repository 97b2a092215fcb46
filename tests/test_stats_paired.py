"""Paired statistics against scipy, statsmodels, published figures, brute force, and exact enumeration."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from harness.stats import paired, power
from harness.stats.permutation import sign_flip_p

TABLES = [(0, 0, 10), (0, 0, 200), (3, 0, 30), (0, 3, 30), (1, 7, 21), (40, 20, 160), (112, 3, 200), (10, 10, 20)]
TABLES += [(20, 0, 20), (0, 20, 20), (150, 86, 1600), (1, 0, 2)]


# --- Wilson ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 30), (7, 30), (29, 30), (100, 200), (999, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_agrees_with_statsmodels(successes: int, n: int, level: float) -> None:
    found = paired.wilson(successes, n, level)
    low, high = proportion_confint(successes, n, 1 - level, "wilson")
    assert found.low == pytest.approx(low, abs=1e-12)
    assert found.high == pytest.approx(high, abs=1e-12)


def test_wilson_covers_92_percent_at_extreme_rates() -> None:
    for n, rate in itertools.product((30, 50, 100), (0.5, 0.7, 0.9, 0.95, 0.98)):
        bounds = [paired.wilson(k, n) for k in range(n + 1)]
        chances = stats.binom.pmf(np.arange(n + 1), n, rate)
        cover = sum(p for p, i in zip(chances, bounds, strict=True) if i.low <= rate <= i.high)
        assert cover >= 0.92, (n, rate, cover)


# --- McNemar ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wins", "losses"), [(1, 7), (7, 1), (0, 5), (20, 12), (200, 150), (1000, 900)])
def test_midp_is_the_exact_p_less_the_chance_of_the_observed_table(wins: int, losses: int) -> None:
    exact = mcnemar([[0, wins], [losses, 0]], exact=True).pvalue
    here = stats.binom.pmf(min(wins, losses), wins + losses, 0.5)
    assert paired.mcnemar_midp(wins, losses) == pytest.approx(exact - here, rel=1e-9)


@pytest.mark.parametrize("m", [0, 1, 2, 7, 40, 301])
def test_midp_leaves_out_only_what_no_float_can_hold(m: int) -> None:
    for wins in range(m + 1):
        above = Fraction(sum(math.comb(m, k) for k in range(wins + 1, m + 1)), 2**m)
        whole = above + Fraction(math.comb(m, wins), 2 ** (m + 1))
        assert paired.mcnemar_midp(wins, m - wins, "greater") == float(whole)


def test_midp_of_the_airway_data_is_the_published_0_039() -> None:
    # Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13: 1 and 7 discordant pairs
    assert round(paired.mcnemar_midp(1, 7), 3) == 0.039


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (4, 4)])
def test_midp_sees_nothing_where_wins_equal_losses(wins: int, losses: int) -> None:
    assert paired.mcnemar_midp(wins, losses) == 1
    assert paired.mcnemar_midp(wins, losses, "less") == pytest.approx(0.5)


def test_one_sided_midp_values_of_both_directions_add_to_one() -> None:
    for wins, losses in [(3, 9), (0, 1), (50, 40)]:
        both = paired.mcnemar_midp(wins, losses, "less") + paired.mcnemar_midp(wins, losses, "greater")
        assert both == pytest.approx(1)
    assert paired.mcnemar_midp(3, 9, "less") < 0.1 < paired.mcnemar_midp(3, 9, "greater")


def _rejection_rate(n: int, discordance: float, difference: float) -> float:
    """Exact chance that mid-p McNemar says p <= 0.05 at these true rates."""
    share = (discordance + difference) / (2 * discordance)
    total = 0.0
    for m in range(1, n + 1):
        weight = stats.binom.pmf(m, n, discordance)
        if weight < 1e-7:
            continue
        # reject for few wins or few losses: find the largest k whose two-sided p is small
        k = -1
        while k + 1 <= m // 2 and paired.mcnemar_midp(k + 1, m - k - 1) <= 0.05:
            k += 1
        total += weight * (stats.binom.cdf(k, m, share) + stats.binom.sf(m - k - 1, m, share))
    return float(total)


@pytest.mark.parametrize("discordance", [0.1, 0.2, 0.3])
@pytest.mark.parametrize("n", [50, 200, 500, 1000])
def test_midp_finds_a_difference_between_equal_arms_in_at_most_5_5_percent(n: int, discordance: float) -> None:
    assert _rejection_rate(n, discordance, 0.0) <= 0.055


@pytest.mark.parametrize(("n", "discordance", "least"), [(500, 0.1, 0.94), (500, 0.2, 0.68), (1000, 0.2, 0.93)])
def test_midp_has_the_power_it_should_have_for_five_points(n: int, discordance: float, least: float) -> None:
    assert _rejection_rate(n, discordance, 0.05) >= least


# --- Tango -----------------------------------------------------------------------------------------------------------


def _brute_force_bound(wins: int, losses: int, n: int, z: float) -> float:
    """Lower bound by maximising the likelihood numerically under each difference, and root finding on the score."""

    def score(difference: float) -> float:
        least, most = max(0.0, -difference) + 1e-15, (1 - difference) / 2 - 1e-15

        def slope(q: float) -> float:
            terms = [(wins, q + difference), (losses, q), (-2 * (n - wins - losses), 1 - 2 * q - difference)]
            return sum(k / p for k, p in terms if k)

        if slope(least) <= 0 or slope(most) >= 0:
            q = least if slope(least) <= 0 else most
        else:
            q = optimize.brentq(slope, least, most, xtol=1e-15)
        variance = n * (2 * q + difference * (1 - difference))
        return (wins - losses - n * difference) / math.sqrt(variance) - z

    top = (wins - losses) / n
    return float(optimize.brentq(score, -1 + 1e-9, top - 1e-9, xtol=1e-12))


@pytest.mark.parametrize(("wins", "losses", "n"), [t for t in TABLES if t[1] < t[2] and t != (20, 0, 20)])
def test_tango_agrees_with_brute_force(wins: int, losses: int, n: int) -> None:
    for confidence in (0.95, 0.975):
        z = stats.norm.ppf(confidence)
        assert paired.tango_lower(wins, losses, n, confidence) == pytest.approx(
            _brute_force_bound(wins, losses, n, z), abs=1e-6
        )


def test_tango_of_the_airway_data_is_the_published_interval() -> None:
    # Fagerland, Lydersen and Laake (2014), Statistics in Medicine 33: 1 and 7 discordant pairs of 21, -0.517 to -0.026
    found = paired.tango(1, 7, 21)
    assert (round(found.low, 3), round(found.high, 3)) == (-0.517, -0.026)


@pytest.mark.parametrize("n", [2, 52, 200])
def test_equal_answers_leave_z2_over_n_plus_z2_open(n: int) -> None:
    z2 = stats.norm.ppf(0.975) ** 2
    found = paired.tango(0, 0, n)
    assert found.high == pytest.approx(z2 / (n + z2), abs=1e-9)
    assert found.low == pytest.approx(-z2 / (n + z2), abs=1e-9)


def test_equal_answers_need_52_samples_to_clear_a_margin_of_five_points() -> None:
    assert paired.tango_lower(0, 0, 51) < -0.05 < paired.tango_lower(0, 0, 52)


@pytest.mark.parametrize(("wins", "losses", "n"), TABLES)
def test_tango_holds_the_difference_and_mirrors(wins: int, losses: int, n: int) -> None:
    found, mirrored = paired.tango(wins, losses, n), paired.tango(losses, wins, n)
    assert -1 <= found.low <= (wins - losses) / n <= found.high <= 1
    assert found.low < found.high
    assert (mirrored.low, mirrored.high) == (-found.high, -found.low)


@pytest.mark.parametrize(("wins", "losses", "n"), [(1, 7, 21), (40, 20, 160), (0, 3, 30), (0, 0, 9), (20, 0, 20)])
def test_bound_and_statistic_are_one_thing(wins: int, losses: int, n: int) -> None:
    z = stats.norm.ppf(0.95)
    lower = paired.tango_lower(wins, losses, n, 0.95)
    assert paired.tango_z(wins, losses, n, lower) == pytest.approx(z, abs=1e-6)


def _tables(n: int) -> list[tuple[int, int]]:
    return [(b, c) for b in range(n + 1) for c in range(n + 1 - b)]


def _chances(tables: list[tuple[int, int]], n: int, discordance: float, difference: float) -> np.ndarray:
    p, q = (discordance + difference) / 2, (discordance - difference) / 2
    b, c = np.array(tables).T
    return np.asarray(stats.multinomial.pmf(np.stack([b, c, n - b - c], axis=1), n, [p, q, 1 - p - q]))


RATES = [(d, x) for d in (0.05, 0.1, 0.2, 0.3) for x in (0.0, 0.05, 0.1) if x <= d]


@pytest.mark.parametrize("n", [30, 50, 100, 200])
def test_tango_covers_93_percent_by_exact_enumeration(n: int) -> None:
    tables = [t for t in _tables(n) if sum(t) <= 0.7 * n]  # d <= 0.3: more discordant pairs have a chance below 1e-6
    bounds = {t: paired.tango(*t, n) for t in tables if t[0] >= t[1]}
    for discordance, difference in RATES:
        cover = 0.0
        for (b, c), chance in zip(tables, _chances(tables, n, discordance, difference), strict=True):
            i = bounds[max(b, c), min(b, c)]
            low, high = (i.low, i.high) if b >= c else (-i.high, -i.low)
            cover += chance * (low <= difference <= high)
        assert cover >= 0.93, (n, discordance, difference, cover)


@pytest.mark.parametrize("margin", [0.05, 0.1])
def test_a_candidate_worse_by_the_margin_passes_in_at_most_6_percent(margin: float) -> None:
    for n in (30, 50, 100, 200):
        tables = [t for t in _tables(n) if sum(t) <= 0.6 * n]
        passes = np.array([paired.tango_z(*t, n, -margin) > 1.6449 for t in tables])
        for discordance in (0.05, 0.1, 0.2, 0.3):
            if discordance >= margin:
                size = float(_chances(tables, n, discordance, -margin)[passes].sum())
                assert size <= 0.06, (n, margin, discordance, size)


@pytest.mark.parametrize("n", [0, 1])
def test_comparisons_of_fewer_than_two_samples_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match="at least 2 samples"):
        paired.tango(0, 0, n)
    with pytest.raises(ValueError, match="at least 2 samples"):
        paired.paired_t([0.5] * n)
    with pytest.raises(ValueError, match="at least 2 samples"):
        paired.paired_t_p([0.5] * n)
    with pytest.raises(ValueError, match="at least 2 samples"):
        sign_flip_p([0.5] * n)


def test_a_share_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="n >= 1"):
        paired.wilson(0, 0)


# --- graded scores ---------------------------------------------------------------------------------------------------


@pytest.fixture
def graded() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    base = generator.uniform(0, 1, 40)
    return base, np.clip(base + generator.normal(0.03, 0.1, 40), 0, 1)


def test_paired_t_agrees_with_scipy(graded: tuple[np.ndarray, np.ndarray]) -> None:
    base, candidate = graded
    theirs = stats.ttest_rel(candidate, base)
    ours = paired.paired_t(candidate - base)
    assert paired.paired_t_p(candidate - base) == pytest.approx(theirs.pvalue)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    for alternative in ("greater", "less"):
        one = stats.ttest_rel(candidate, base, alternative=alternative).pvalue
        assert paired.paired_t_p(candidate - base, alternative) == pytest.approx(one)  # type: ignore[arg-type]


def test_sign_flip_agrees_with_scipy_on_all_sign_patterns(graded: tuple[np.ndarray, np.ndarray]) -> None:
    differences = (graded[1] - graded[0])[:12]
    theirs = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_p(differences, seed=1, draws=20_000) == pytest.approx(theirs.pvalue, abs=0.012)
    assert sign_flip_p(differences, seed=1) == sign_flip_p(differences, seed=1)


@pytest.mark.parametrize("value", [0.0, 0.25, -0.5])
def test_constant_differences_never_give_a_zero_width_interval(value: float) -> None:
    for n in (2, 20, 1000):
        found = paired.paired_t([value] * n)
        assert found.low < value < found.high
        assert found.low >= -1
        assert found.high <= 1


@pytest.mark.parametrize("n", [2, 3, 30])
def test_one_hair_of_difference_proves_no_more_than_none(n: int) -> None:
    for value in (0.0, 0.04):
        equal, hair = [value] * n, [value] * (n - 1) + [value + 1e-6]
        found, wanted = paired.paired_t(hair), paired.paired_t(equal)
        assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-5)
        assert paired.paired_t_p(hair) >= 2.0 ** (1 - n)


def test_a_loss_by_rare_failures_passes_a_margin_as_large_in_at_most_6_percent() -> None:
    generator = np.random.default_rng(8)
    for n in (20, 50, 100):
        values = -0.8 * (generator.random((3_000, n)) < 0.0625) + generator.normal(0, 1e-4, (3_000, n))
        assert sum(paired.t_lower(one.tolist(), 0.95) > -0.05 for one in values) / 3_000 <= 0.06, n


def test_constant_differences_have_the_exact_sign_flip_p() -> None:
    assert paired.paired_t_p([0.1] * 5) == pytest.approx(2 / 2**5)
    assert paired.paired_t_p([0.0] * 5) == 1
    assert paired.paired_t_p([-0.1] * 5, "less") == pytest.approx(1 / 2**5)


def test_the_interval_of_constant_graded_scores_covers_a_rare_failure() -> None:
    # with a failure rate q, all n samples are equal with chance (1-q)^n; the bound is the q where that is 2.5 %
    found = paired.mean_t([0.8] * 50)
    assert found.low == pytest.approx(0.8 * 0.025 ** (1 / 50))


def test_kind_of_scores_chooses_the_method() -> None:
    assert paired.difference_interval([0, 1, 1], [1, 1, 0]).method == "Tango score"
    assert paired.difference_interval([0, 1, 0.5], [1, 1, 0]).method == "paired t"
    assert paired.mean_interval([0, 1, 1]).method == "Wilson"
    assert paired.mean_interval([0, 0.5, 1]).method == "t"
    assert (paired.mean_interval([0.5]).low, paired.mean_interval([0.5]).high) == (0, 1)


def test_holm_agrees_with_statsmodels() -> None:
    for p_values in ([0.01], [0.04, 0.01, 0.03, 0.2], [0.5, 0.5, 0.9], [0.001, 0.001]):
        assert paired.holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


# --- power -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "seen"),
    [(50, (8.9, 12.5, 17.7, 21.7)), (200, (4.4, 6.3, 8.9, 10.8)), (1000, (2.0, 2.8, 4.0, 4.8))],
)
def test_smallest_visible_differences_are_the_table(n: int, seen: tuple[float, ...]) -> None:
    for discordance, points in zip((0.05, 0.1, 0.2, 0.3), seen, strict=True):
        assert 100 * power.smallest_difference(math.sqrt(discordance), n) == pytest.approx(points, abs=0.06)


@pytest.mark.parametrize(
    ("suites", "margin", "needed"), [(1, 0.05, (124, 248, 495, 742)), (10, 0.1, (67, 134, 268, 402))]
)
def test_samples_for_a_margin_are_the_table(suites: int, margin: float, needed: tuple[int, ...]) -> None:
    for discordance, n in zip((0.05, 0.1, 0.2, 0.3), needed, strict=True):
        assert power.samples_for_margin(math.sqrt(discordance), margin, suites=suites) == pytest.approx(n, abs=1)


def test_samples_for_the_smallest_visible_difference_are_the_samples_at_hand() -> None:
    size = math.sqrt(0.2)
    assert power.samples_for_difference(size, power.smallest_difference(size, 500)) == pytest.approx(500, abs=1)


def test_no_difference_and_no_room_need_no_finite_number_of_samples() -> None:
    assert power.samples_for_difference(0.5, 0.0) is None
    assert power.samples_for_margin(0.5, -0.01) is None
    assert power.samples_for_difference(0.5, 1e-6) is None


def test_equal_answers_still_need_samples() -> None:
    assert power.discordance_spread(0, 0, 200) == pytest.approx(math.sqrt(3 / 200))
    assert power.smallest_difference(power.spread([1.0] * 200, [1.0] * 200), 200) > 0.02
    assert power.spread([0.5] * 10, [0.5] * 10) > 0
    assert power.samples_for_margin(0.0, 0.05) == 52
