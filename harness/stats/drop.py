"""Has the share of good answers dropped? A test that may be looked at after every request, for as long as one likes.

Evaluated: n answers of which s passed. Live: one value 0..1 after the other. Evidence for a drop is a likelihood ratio:
how much likelier are the live values if the share has fallen by 2 to 50 points than if it is what was evaluated? What
was evaluated is an estimate, so that both sides are averaged over the shares that it leaves plausible, Beta(s + 1/2,
n - s + 1/2). Under "nothing has changed" the ratio is a martingale of mean 1, and it ever reaches 1 / alpha with a
probability of alpha at most, however often one looks and however long it runs (Ville 1939; Robbins 1970; as an
e-process Ramdas, Grünwald, Vovk and Shafer, Stat. Science 38, 2023). That holds on average over the plausible shares;
for single shares it is measured (tests/test_stats_drop.py: at most 3.5 % of months alarm falsely where 5 % may).

A drop may begin late, when the requests before it have long buried it. So the ratio is formed anew from ever later
starts, each with its weight in one sum (the mixture of e-detectors: Shin, Ramdas and Rinaldo, NEJSDS 2024). The first
start compares with what was evaluated alone; a later one also with the live values before it.

Values between 0 and 1 are treated as so much of a pass, which only makes the test slower.
What is not covered: live requests that hang together (a user's retries, a bot) are more alike than this assumes and
raise false alarms; and a drop says nothing of its cause: other inputs than the evaluated ones look the same.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.stats.clusters import cluster_error, effective

ALPHA = 0.05
EVERY = 25
"""Requests from one look to the next. More looks would not raise false alarms, and save little time."""
DROPS = ((0.02, 0.05), (0.05, 0.85), (0.2, 0.1))
"""(drop of the share, weight); a share falls to half of itself at most. Larger drops are found as soon without more."""
FIRST = 0.7
"""The weight of the first start among all."""
SOON = 1000
"""Requests within which a drop is to be found."""
SURE = 0.8
MOST = 20_000
"""Evaluated answers beyond which none are asked for."""
_NODES = 16


@dataclass(frozen=True)
class Watch:
    """A test as far as it has come. It is all that has to be kept to go on.

    baseline_passed of baseline_n: what was evaluated. passed of n: live values so far, of which the first `looked` were
    looked at. starts: (requests before a start, passed among them). evidence: log of the sum of ratios at the last
    look; `peak` its highest so far; `since`: requests before the start that spoke loudest then. alarm: n at the look
    that found a drop, None as long as none did.
    """

    baseline_passed: float
    baseline_n: float
    n: int = 0
    passed: float = 0.0
    starts: tuple[tuple[int, float], ...] = ((0, 0.0),)
    evidence: float = 0.0
    peak: float = 0.0
    since: int = 0
    alarm: int | None = None


def begin(values: Sequence[float], clusters: Sequence[str]) -> Watch:
    """A test against these evaluated values, 0..1. Values of one cluster count for fewer, as their error says.

    >>> begin([1, 1, 1, 0], ["a", "b", "c", "d"])
    Watch(baseline_passed=3.0, baseline_n=4.0, n=0, passed=0.0, starts=((0, 0.0),), evidence=0.0, peak=0.0, since=0, \
alarm=None)
    """
    n, mean = float(len(values)), math.fsum(values) / len(values)
    spread = math.fsum((value - mean) ** 2 for value in values) / max(1.0, n - 1)
    worth = n
    if len(set(clusters)) < len(clusters):
        error, _ = cluster_error(values, clusters)
        worth = min(n, spread / error**2) if 0 < error < math.inf else effective(clusters)
    return Watch(mean * worth, worth)


def go_on(watch: Watch, values: Sequence[float], tests: int = 1, alpha: float = ALPHA) -> Watch:
    """The test after further values, in the order of the requests. It is the same in whatever portions they come.

    tests: how many are run side by side; the chance that any of them ever says drift falsely is alpha together.
    """
    import numpy as np

    if not values:
        return watch
    total = watch.passed + np.cumsum(np.asarray(values, dtype=float))
    first = EVERY - watch.n % EVERY  # the first look among the new values, counted from 1
    places = np.arange(first - 1, len(values), EVERY)
    watch = replace(watch, n=watch.n + len(values), passed=float(total[-1]))
    if not len(places):
        return watch
    passed, n = total[places], watch.n - len(values) + places + 1
    starts = dict(watch.starts)
    for at in later_starts(max(starts), int(n[-1])):
        starts[at] = float(passed[np.searchsorted(n, at)])
    found = np.stack(
        [
            _from_start(watch, place, at, before, passed, n) if at < n[-1] else np.full(len(n), -np.inf)
            for place, (at, before) in enumerate(starts.items(), 1)
        ]
    )
    whole = np.logaddexp.reduce(found, axis=0)
    top = int(whole.argmax())
    watch = replace(watch, starts=tuple(starts.items()), evidence=float(whole[-1]))
    if whole[top] > watch.peak:
        watch = replace(watch, peak=float(whole[top]), since=list(starts)[int(found[:, top].argmax())])
    over = np.flatnonzero(whole >= math.log(tests / alpha))
    if watch.alarm is None and len(over):
        at_alarm = int(over[0])
        watch = replace(watch, alarm=int(n[at_alarm]), since=list(starts)[int(found[:, at_alarm].argmax())])
    return watch


def visible(watch: Watch, tests: int = 1, alpha: float = ALPHA) -> float | None:
    """The smallest drop since the first request, 0..1 in steps of 0.01, that so many requests would show by now.

    For counts as they are expected, so that a true drop of that size is found about half the time. None where even a
    fall to nothing would not show yet.
    """
    import numpy as np

    share = watch.baseline_passed / watch.baseline_n
    looked = watch.n - watch.n % EVERY
    drops = np.arange(1, max(2, int(100 * share) + 1)) / 100
    good = looked * np.maximum(0.0, share - drops)
    passed, failed = np.array([watch.baseline_passed]), np.array([watch.baseline_n - watch.baseline_passed])
    ratio = math.log(weight(1)) + log_ratio(passed, failed, good[None], looked - good[None])[0]
    enough = np.flatnonzero(ratio >= math.log(tests / alpha))
    return float(drops[enough[0]]) if looked and len(enough) else None


def power(watch: Watch, fall: float, tests: int = 1, alpha: float = ALPHA) -> float:
    """How probably a drop by `fall`, 0..1, from the first request on, is found within SOON requests.

    Over the shares that the evaluation leaves plausible, without later starts: up to 7 points beside simulations with a
    known share (below them where it is small).
    """
    return _power(watch, fall, _most_good(watch, tests, alpha))


def power_once(watch: Watch, fall: float, tests: int = 1, alpha: float = ALPHA) -> float:
    """How probably a test that may be used once, at the SOON-th request, finds a drop by `fall`: no test finds more.

    The z test of two proportions with a pooled share, in the normal approximation (Fleiss, Levin and Paik, Statistical
    Methods for Rates and Proportions, 3rd ed. 2003, ch. 4).
    """
    from scipy.stats import norm

    n, share = watch.baseline_n, watch.baseline_passed / watch.baseline_n
    share = min(share, 1 - 0.5 / n)
    later = max(0.0, share - fall)
    pooled = (n * share + SOON * later) / (n + SOON)
    wanted = norm.isf(alpha / tests) * math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / SOON))
    error = math.sqrt(share * (1 - share) / n + later * (1 - later) / SOON)
    return float(norm.cdf((share - later - wanted) / error))


def detects(watch: Watch, tests: int = 1, alpha: float = ALPHA) -> float | None:
    """The smallest drop, in steps of half a point, whose `power` is SURE; None where no drop has it."""
    most = _most_good(watch, tests, alpha)
    largest = int(200 * watch.baseline_passed / watch.baseline_n)
    found = bisect_left(range(1, largest + 1), SURE, key=lambda step: _power(watch, step / 200, most))
    return (found + 1) / 200 if found < largest else None


def enough(watch: Watch, fall: float, tests: int = 1, alpha: float = ALPHA) -> int | None:
    """How many evaluated answers of this share give `power` SURE, to two digits; None: more than MOST."""
    share = watch.baseline_passed / watch.baseline_n

    def does(n: int) -> bool:
        return power(Watch(share * n, n), fall, tests, alpha) >= SURE

    if not does(MOST):
        return None
    low, high = 1, MOST
    while high - low > max(1, high // 50):
        middle = math.isqrt(low * high) if high > 4 * low else (low + high) // 2
        low, high = (low, middle) if does(middle) else (middle, high)
    step: int = 10 ** max(0, len(str(high)) - 2)
    return -(-high // step) * step


def _most_good(watch: Watch, tests: int, alpha: float) -> Any:
    """At each look up to SOON, with how many passes drift is still said; -1: with none."""
    import numpy as np

    looks = np.arange(EVERY, SOON + 1, EVERY)
    passed, failed = np.array([watch.baseline_passed]), np.array([watch.baseline_n - watch.baseline_passed])
    low, high = np.full(len(looks), -1), np.floor(looks * watch.baseline_passed / watch.baseline_n).astype(int)
    while (low < high).any():  # fewer passes are always more evidence
        middle = (low + high + 1) // 2
        ratio = math.log(weight(1)) + log_ratio(passed, failed, 1.0 * middle[None], 1.0 * (looks - middle)[None])[0]
        says = ratio >= math.log(tests / alpha)
        low, high = np.where(says, middle, low), np.where(says, high, middle - 1)
    return low


def _power(watch: Watch, fall: float, most: Any) -> float:
    """The chance to be at or below `most` at any look, request by request as random walks of the passes."""
    import numpy as np
    from scipy.stats import binom

    failed = watch.baseline_n - watch.baseline_passed
    plausible = _plausible(np.array([watch.baseline_passed]), np.array([failed]), _NODES // 2)[0]
    of_failures = binom.pmf(np.arange(EVERY + 1), EVERY, np.minimum(1.0, 1 - plausible + fall)[:, None])
    likely = np.flatnonzero(of_failures.max(axis=0) > 1e-6)
    widest = int((EVERY * np.arange(1, len(most) + 1) - most).max()) + EVERY  # beyond so many failures it has been said
    left = np.zeros((len(plausible), min(SOON, widest) + 1))
    left[:, 0] = 1.0
    for look, passes in enumerate(most, 1):
        after = np.zeros_like(left)
        for failures in likely:
            after[:, failures:] += left[:, : left.shape[1] - failures] * of_failures[:, failures, None]
        after[:, max(0, EVERY * look - int(passes)) :] = 0.0
        left = after
    return float(1 - left.sum(axis=1).mean())


def later_starts(last: int, n: int) -> list[int]:
    """The starts after `last` up to n requests: 250 apart, and from 2,500 on a tenth further each.

    >>> later_starts(0, 1000)
    [250, 500, 750, 1000]
    """
    found = []
    while (last := last + EVERY * max(10, last // (10 * EVERY))) <= n:
        found.append(last)
    return found


def weight(place: int) -> float:
    """Of the first, second, ... start in the sum; all together 1: most for the first, the others less and less."""
    return FIRST if place == 1 else (1 - FIRST) / (place * (place - 1))


def _from_start(watch: Watch, place: int, at: int, before: float, passed: Any, n: Any) -> Any:
    """Log of a start's weighted ratio at each look; -inf before the start."""
    import numpy as np

    later = n > at
    found = np.full(len(n), -np.inf)
    known = np.array([watch.baseline_passed + before])
    good = passed[later] - before
    ratio = log_ratio(known, watch.baseline_n + at - known, good[None], n[later][None] - at - good[None])
    found[later] = math.log(weight(place)) + ratio[0]
    return found


def log_ratio(passed: Any, failed: Any, good: Any, bad: Any) -> Any:
    """Log of P(live values if the share fell) / P(live values if not), of shape (tests, looks).

    passed, failed: before, shape (tests,). good, bad: live up to each look, shape (tests, looks). All >= 0.
    """
    import numpy as np
    from scipy.special import betaln

    a, b = passed + 0.5, failed + 0.5
    null = betaln(a[:, None] + good, b[:, None] + bad) - betaln(a, b)[:, None]
    shares = _plausible(passed, failed)
    fallen = np.concatenate([np.maximum(shares - drop, shares / 2) for drop, _ in DROPS], axis=1)
    weights = np.repeat([weight for _, weight in DROPS], _NODES) / _NODES
    each = good[:, :, None] * np.log(fallen)[:, None] + bad[:, :, None] * np.log1p(-fallen)[:, None]
    highest = each.max(axis=2)
    return highest + np.log(np.exp(each - highest[:, :, None]) @ weights) - null


def _plausible(passed: Any, failed: Any, nodes: int = _NODES) -> Any:
    """Shares that so many passed and failed leave plausible, equally likely ones, of shape (tests, nodes)."""
    import numpy as np
    from scipy.special import betaincinv

    places = (np.arange(nodes) + 0.5) / nodes
    return np.clip(betaincinv(passed[:, None] + 0.5, failed[:, None] + 0.5, places), 1e-12, 1 - 1e-12)
