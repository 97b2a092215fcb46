"""A drop in live traffic: false alarms and power over 1,000 simulated months, beside a test that may be used once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, norm

from harness.stats import drop
from harness.stats.drop import ALPHA, EVERY, Watch, begin, detects, enough, go_on, power, power_once, shared

MONTHS, DAYS, PER_DAY = 1000, 30, 75


@dataclass(frozen=True)
class Months:
    """evaluated, good: passed among n answers, and live up to each look; log: the evidence at each look."""

    evaluated: Any
    good: Any
    looks: Any
    log: Any

    def found(self, alpha: float = ALPHA) -> Any:
        """Requests until drift is said, infinite where it never is."""
        over = self.log >= -math.log(alpha)
        return np.where(over.any(axis=1), self.looks[over.argmax(axis=1)], np.inf)


def simulate(n: int, share: float, fall: float = 0.0, after: int = 0, requests: int = DAYS * PER_DAY) -> Months:
    """1,000 months, each with an evaluation of its own; the live share falls after so many requests."""
    random = np.random.default_rng([n, round(1000 * share), round(1000 * abs(fall)), after])
    evaluated = random.binomial(n, share, MONTHS).astype(float)
    looks = np.arange(EVERY, requests + 1, EVERY)
    live = np.where(looks > after, share - fall, share)
    good = np.cumsum(random.binomial(EVERY, live, (MONTHS, len(looks))), axis=1).astype(float)
    log = np.full(good.shape, -np.inf)
    for start in [0, *drop.later_starts(0, requests - 1)]:
        at = start // EVERY
        before = good[:, at - 1] if at else np.zeros(MONTHS)
        since = good[:, at:] - before[:, None]
        for part in np.split(np.arange(MONTHS), 10):
            ratio = drop.log_ratio(
                (evaluated + before)[part],
                (n - evaluated + start - before)[part],
                since[part],
                (looks[at:] - start) - since[part],
            )
            log[part, at:] = np.logaddexp(log[part, at:], math.log(drop.weight(start)) + ratio)
    return Months(evaluated, good, looks, log)


def once(months: Months, n: int) -> Any:
    """One-sided p of the two-proportion z test with a pooled share, as it would stand at each look."""
    evaluated = months.evaluated[:, None] / n
    pooled = (months.evaluated[:, None] + months.good) / (n + months.looks)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / months.looks))
    return norm.sf((evaluated - months.good / months.looks) / np.maximum(error, 1e-9))


@pytest.mark.parametrize(("n", "share"), [(100, 0.9), (300, 0.95), (1000, 0.95), (500, 0.5), (300, 0.999)])
def test_at_most_one_month_in_twenty_says_drift_where_there_is_none(n: int, share: float) -> None:
    found = simulate(n, share).found()
    assert np.isfinite(found).mean() <= ALPHA  # measured: 0.000 to 0.036


def test_a_share_that_is_better_than_evaluated_is_no_drift() -> None:
    assert np.isfinite(simulate(300, 0.9, fall=-0.05).found()).mean() <= ALPHA


@pytest.mark.parametrize(
    ("n", "share", "after", "tests"),
    [(400, 0.95, 0, 1), (1000, 0.9, 0, 1), (300, 0.95, 1000, 1), (500, 0.95, 1000, 1), (1000, 0.95, 0, 8)],
)
def test_a_fall_of_five_points_is_found_within_1000_requests(n: int, share: float, after: int, tests: int) -> None:
    found = simulate(n, share, fall=0.05, after=after, requests=after + 1000).found(ALPHA / tests)
    assert np.mean((found > after) & np.isfinite(found)) >= 0.8  # measured: 0.85, 0.85, 0.86, 0.88, 0.88


@pytest.mark.parametrize(("after", "tests"), [(3000, 1), (3000, 8), (10_000, 1), (10_000, 8)])
def test_a_fall_late_in_the_month_is_found_as_well(after: int, tests: int) -> None:
    values = np.random.default_rng(after + tests).binomial(1, np.repeat([0.95, 0.9], [after, 1000]), (60, after + 1000))
    found = [go_on(Watch(228.0, 240.0, ALPHA / tests), month.tolist()).alarm or 0 for month in values]
    assert np.mean(np.array(found) > after) >= 0.7  # measured in 1,000 months: 0.92, 0.83, 0.93, 0.85


@pytest.mark.parametrize(("n", "share", "tests"), [(300, 0.95, 1), (1000, 0.9, 1), (1000, 0.95, 8), (300, 0.8, 1)])
def test_what_an_evaluation_can_find_is_what_simulations_find(n: int, share: float, tests: int) -> None:
    months = simulate(n, share, fall=0.05, requests=1000)
    watch = Watch(share * n, n, ALPHA / tests)
    assert power(watch, 0.05) == pytest.approx(np.isfinite(months.found(watch.alpha)).mean(), abs=0.08)
    assert power_once(watch, 0.05) == pytest.approx(np.mean(once(months, n)[:, -1] <= watch.alpha), abs=0.03)


def test_the_smallest_drop_that_is_found_and_the_answers_that_find_five_points() -> None:
    small = Watch(285.0, 300.0)
    least = detects(small)
    assert least is not None
    assert power(small, least - 0.005) < drop.SURE <= power(small, least)
    n = enough(small, 0.05)
    assert n is not None
    assert power(Watch(0.95 * n, n), 0.05) >= drop.SURE > power(Watch(0.95 * 0.9 * n, 0.9 * n), 0.05)
    assert enough(replace(small, alpha=ALPHA / 8), 0.05) > n  # type: ignore[operator]
    assert enough(Watch(150.0, 300.0), 0.05) is None  # of a share of a half no number of answers does
    assert detects(Watch(4.0, 20.0, ALPHA / 1000)) is None
    assert power(Watch(1.0, 1.0), 0.05) < 0.5


def test_a_test_that_may_be_used_once_fails_when_it_is_used_daily() -> None:
    months = simulate(1000, 0.95)
    p = once(months, 1000)[:, PER_DAY // EVERY - 1 :: PER_DAY // EVERY]
    assert p.shape == (MONTHS, DAYS)
    assert np.mean(p[:, -1] <= ALPHA) <= 0.07  # used once, at the end of the month, it is right
    assert np.mean((p <= ALPHA).any(axis=1)) >= 0.15  # looked at daily, it alarms in one month of five or so
    assert np.isfinite(months.found()).mean() <= ALPHA


def test_the_ratio_is_what_numerical_integration_says() -> None:
    passed, failed, good, bad = 90.0, 10.0, 40.0, 12.0
    plausible = beta(passed + 0.5, failed + 0.5)

    def of(share: float) -> float:
        return share**good * (1 - share) ** bad

    null = quad(lambda share: plausible.pdf(share) * of(share), 0, 1)[0]
    shares = plausible.ppf((np.arange(16) + 0.5) / 16)
    fallen = sum(weight * np.mean([of(max(s - fall, s / 2)) for s in shares]) for fall, weight in drop.DROPS)
    found = drop.log_ratio(*(np.array([x]) for x in (passed, failed)), *(np.array([[x]]) for x in (good, bad)))
    assert found[0, 0] == pytest.approx(math.log(fallen / null), abs=1e-5)


def test_the_ratio_has_mean_one_where_nothing_has_changed() -> None:
    """Over all live results of 60 requests, each as likely as the evaluation of 20 of 24 makes it."""
    good = np.arange(61.0)
    from scipy.stats import betabinom

    likely = betabinom(60, 20.5, 4.5).pmf(good)
    ratio = np.exp(drop.log_ratio(np.array([20.0]), np.array([4.0]), good[None], 60 - good[None]))[0]
    assert float(likely @ ratio) == pytest.approx(1.0, abs=1e-9)
    assert sum(map(drop.weight, [0, *drop.later_starts(0, 10**8)])) == pytest.approx(1.0, abs=1e-5)


def test_portions_do_not_matter() -> None:
    values = np.random.default_rng(3).binomial(1, np.repeat([0.95, 0.6], [900, 200])).tolist()
    start = Watch(285.0, 300.0)
    whole, step = go_on(start, values), start
    for at in range(0, len(values), 37):
        step = go_on(step, values[at : at + 37])
    assert step == whole
    assert whole.alarm is not None
    assert 900 < whole.alarm <= 1000
    assert whole.since in (750, 1000)


def test_a_fall_that_was_found_stays_found() -> None:
    fallen = go_on(Watch(285.0, 300.0), [0.0] * 100)
    assert fallen.alarm == EVERY
    assert go_on(fallen, [1.0] * 5000).alarm == EVERY


def test_more_tests_at_once_need_more_evidence() -> None:
    values = np.random.default_rng(1).binomial(1, 0.88, 1000).tolist()
    alone, among = (go_on(Watch(950.0, 1000.0, ALPHA / tests), values).alarm or 10**9 for tests in (1, 50))
    assert alone < among


def test_the_shares_of_alpha_add_up_and_go_where_they_are_needed() -> None:
    easy, hard = Watch(500.0, 500.0), Watch(450.0, 500.0)
    for watches in ([easy], [hard], [easy, easy, hard], [hard, hard], [easy, easy]):
        found = shared(watches)
        assert sum(one.alpha for one in found) == pytest.approx(ALPHA)
        assert min(one.alpha for one in found) >= ALPHA / 2 / len(watches)
    first, _, last = shared([easy, easy, hard])
    assert last.alpha == pytest.approx(4 * first.alpha)
    assert power(first, 0.05) >= drop.SURE
    assert shared([]) == []


def test_evaluated_answers_of_one_source_count_for_fewer() -> None:
    values = [1.0, 1.0, 0.0, 0.0] * 30
    apart = begin(values, [str(i) for i in range(120)])
    together = begin(values, [str(i // 2) for i in range(120)])  # both of a source pass, or both fail
    assert apart.baseline_n == 120
    assert together.baseline_n == pytest.approx(60, rel=0.03)
    assert begin([1.0] * 120, [str(i // 2) for i in range(120)]).baseline_n == 60
    assert begin([1.0] * 3, ["a"] * 3).baseline_n == 1


@pytest.mark.parametrize("seed", range(6))
def test_any_portions_give_the_same_test(seed: int) -> None:
    random = np.random.default_rng(seed)
    begun, later = int(random.integers(0, 900)), float(random.choice([0.9, 0.5, 0.0]))
    values = random.binomial(1, np.repeat([0.95, later], [begun, 2000 - begun])).astype(float)
    values[::10] = 0.3
    whole = go_on(Watch(190.0, 200.0), values.tolist())
    assert whole.alarm is not None
    assert whole.since < whole.alarm
    for size in (1, 7, 25, 249, 500):
        parts = Watch(190.0, 200.0)
        for at in range(0, len(values), size):
            parts = go_on(parts, values[at : at + size].tolist())
        assert (parts.alarm, parts.since, parts.n, parts.passed) == (whole.alarm, whole.since, whole.n, whole.passed)
        assert parts.starts == whole.starts
        assert (parts.peak, parts.evidence) == pytest.approx((whole.peak, whole.evidence))
