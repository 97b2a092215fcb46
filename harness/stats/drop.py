"""Has the share of good answers dropped? A test that may be looked at after every request, for as long as one likes.

Evaluated: n answers of which s passed. Live: one value 0..1 after the other. Evidence for a drop is a likelihood ratio:
how much likelier are the live values if the share has fallen by 2 to 50 points than if it is what was evaluated? What
was evaluated is an estimate, so that both sides are averaged over the shares that it leaves plausible, Beta(s + 1/2,
n - s + 1/2). Under "nothing has changed" the ratio is a martingale of mean 1, and it ever reaches 1 / alpha with a
probability of alpha at most, however often one looks and however long it runs (Ville 1939; Robbins 1970; as an
e-process Ramdas, Grünwald, Vovk and Shafer, Stat. Science 38, 2023). That holds on average over the plausible shares;
for single shares it is measured (benchmarks/monitor.py: 1.3 to 4.1 % of months alarm falsely where 5 % may).

A drop may begin late, when the requests before it have long buried it. So the ratio is formed anew from ever later
starts, each with its weight in one sum (the mixture of e-detectors: Shin, Ramdas and Rinaldo, NEJSDS 2024). The first
start compares with what was evaluated alone; a later one also with the live values before it. The weights fall with the
requests before a start, not with how many starts there were, so that starts may lie close together late as well: where
95 % pass, a drop after 10,000 requests is found about as often as one after 1,000 (benchmarks/monitor.py).

Of several tests each has a share of alpha of its own (`shared`), fixed by the evaluation before any live value is seen:
the chances of false alarms add up to alpha at most, however the tests hang together (Bonferroni).

Values between 0 and 1 are treated as so much of a pass, which only makes the test slower.
What is not covered: live requests that hang together (a user's retries, a bot) are more alike than this assumes and
raise false alarms; and a drop says nothing of its cause: other inputs than the evaluated ones look the same.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from harness.stats.clusters import cluster_error, effective

ALPHA = 0.05
EVERY = 25
"""Requests from one look to the next. More looks would not raise false alarms, and save little time."""
DROPS = ((0.02, 0.03), (0.05, 0.94), (0.2, 0.03))
"""(drop of the share, weight); a share falls to half of itself at most. Larger drops are found as soon without more."""
FIRST = 0.65
"""The weight of the first start among all."""
APART = 250
"""Requests from one start to the next, up to 10,000; then a fortieth of the requests so far."""
SMALL = 0.05
"""The drop that one wants to see."""
SOON = 1000
"""Requests within which a drop is to be found."""
SURE = 0.8
MOST = 20_000
"""Evaluated answers beyond which none are asked for."""
_NODES = 16


@dataclass(frozen=True)
class Watch:
    """A test as far as it has come. It is all that has to be kept to go on.

    baseline_passed of baseline_n: what was evaluated. alpha: the chance of ever saying drift falsely. passed of n: live
    values so far, looked at after every EVERY of them. starts: (requests before a start, passed among them). evidence:
    log of the sum of ratios at the last look; `peak` its highest so far; `since`: requests before the start that spoke
    loudest then, or when a drop was found. alarm: n at the look that found it, None as long as none did.
    """

    baseline_passed: float
    baseline_n: float
    alpha: float = ALPHA
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
    Watch(baseline_passed=3.0, baseline_n=4.0, alpha=0.05, n=0, passed=0.0, starts=((0, 0.0),), evidence=0.0, \
peak=0.0, since=0, alarm=None)
    """
    n, mean = float(len(values)), math.fsum(values) / len(values)
    spread = math.fsum((value - mean) ** 2 for value in values) / max(1.0, n - 1)
    worth = n
    if len(set(clusters)) < len(clusters):
        error, _ = cluster_error(values, clusters)
        worth = min(n, spread / error**2) if 0 < error < math.inf else effective(clusters)
    return Watch(mean * worth, worth)


def shared(watches: Sequence[Watch], alpha: float = ALPHA) -> list[Watch]:
    """These tests with a share of alpha each, before they see live values; the shares add up to alpha.

    Half of alpha is shared alike. The other half goes to the tests that would not find a drop of SMALL four times in
    five with that; the others do not need it. It is shared alike where all, or none, need it.

    >>> [round(one.alpha, 4) for one in shared([Watch(500, 500), Watch(950, 1000), Watch(900, 1000)])]
    [0.0083, 0.0083, 0.0333]
    """
    each = alpha / 2 / max(1, len(watches))
    short = [_short(one.baseline_passed, one.baseline_n, each) for one in watches]
    needing = sum(short) or len(watches)
    return [
        replace(one, alpha=each + (alpha / 2 / needing if needs or not any(short) else 0.0))
        for one, needs in zip(watches, short, strict=True)
    ]


@cache
def _short(passed: float, n: float, alpha: float) -> bool:
    return power(Watch(passed, n, alpha), SMALL) < SURE


def go_on(watch: Watch, values: Sequence[float]) -> Watch:
    """The test after further values, in the order of the requests. It is the same in whatever portions they come."""
    import numpy as np

    if not values:
        return watch
    total = np.cumsum(np.asarray([watch.passed, *values], dtype=float))[1:]  # added up alike in whatever portions
    first = EVERY - watch.n % EVERY  # the first look among the new values, counted from 1
    places = np.arange(first - 1, len(values), EVERY)
    watch = replace(watch, n=watch.n + len(values), passed=float(total[-1]))
    if not len(places):
        return watch
    passed, n = total[places], watch.n - len(values) + places + 1
    starts = dict(watch.starts)
    for at in later_starts(max(starts), int(n[-1])):
        starts[at] = float(passed[np.searchsorted(n, at)])
    found = _from_starts(watch, starts, passed, n)
    whole = np.logaddexp.reduce(found, axis=0)
    top = int(whole.argmax())
    watch = replace(watch, starts=tuple(starts.items()), evidence=float(whole[-1]))
    if whole[top] > watch.peak:
        loudest = list(starts)[int(found[:, top].argmax())]
        watch = replace(watch, peak=float(whole[top]), since=loudest if watch.alarm is None else watch.since)
    over = np.flatnonzero(whole >= -math.log(watch.alpha))
    if watch.alarm is None and len(over):
        at_alarm = int(over[0])
        watch = replace(watch, alarm=int(n[at_alarm]), since=list(starts)[int(found[:, at_alarm].argmax())])
    return watch


def visible(watch: Watch) -> float | None:
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
    ratio = math.log(FIRST) + log_ratio(passed, failed, good[None], looked - good[None])[0]
    enough = np.flatnonzero(ratio >= -math.log(watch.alpha))
    return float(drops[enough[0]]) if looked and len(enough) else None


def power(watch: Watch, fall: float) -> float:
    """How probably a drop by `fall`, 0..1, from the first request on, is found within SOON requests.

    Over the shares that the evaluation leaves plausible, without later starts: up to 7 points beside simulations with a
    known share (below them where it is small).
    """
    return _power(watch, fall, _most_good(watch))


def power_once(watch: Watch, fall: float) -> float:
    """How probably a test that may be used once, at the SOON-th request, finds a drop by `fall`: no test finds more.

    The z test of two proportions with a pooled share, in the normal approximation (Fleiss, Levin and Paik, Statistical
    Methods for Rates and Proportions, 3rd ed. 2003, ch. 4).
    """
    from scipy.stats import norm

    n, share = watch.baseline_n, watch.baseline_passed / watch.baseline_n
    share = min(share, 1 - 0.5 / n)
    later = max(0.0, share - fall)
    pooled = (n * share + SOON * later) / (n + SOON)
    wanted = norm.isf(watch.alpha) * math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / SOON))
    error = math.sqrt(share * (1 - share) / n + later * (1 - later) / SOON)
    return float(norm.cdf((share - later - wanted) / error))


def detects(watch: Watch) -> float | None:
    """The smallest drop, in steps of half a point, whose `power` is SURE; None where no drop has it."""
    most = _most_good(watch)
    largest = int(200 * watch.baseline_passed / watch.baseline_n)
    found = bisect_left(range(1, largest + 1), SURE, key=lambda step: _power(watch, step / 200, most))
    return (found + 1) / 200 if found < largest else None


def enough(watch: Watch, fall: float) -> int | None:
    """How many evaluated answers of this share give `power` SURE, to two digits; None: more than MOST."""
    share = watch.baseline_passed / watch.baseline_n

    def does(n: int) -> bool:
        return power(Watch(share * n, n, watch.alpha), fall) >= SURE

    if not does(MOST):
        return None
    low, high = 1, MOST
    while high - low > max(1, high // 50):
        middle = math.isqrt(low * high) if high > 4 * low else (low + high) // 2
        low, high = (low, middle) if does(middle) else (middle, high)
    step: int = 10 ** max(0, len(str(high)) - 2)
    return -(-high // step) * step


def _most_good(watch: Watch) -> Any:
    """At each look up to SOON, with how many passes drift is still said; -1: with none."""
    import numpy as np

    looks = np.arange(EVERY, SOON + 1, EVERY)
    passed, failed = np.array([watch.baseline_passed]), np.array([watch.baseline_n - watch.baseline_passed])
    low, high = np.full(len(looks), -1), np.floor(looks * watch.baseline_passed / watch.baseline_n).astype(int)
    while (low < high).any():  # fewer passes are always more evidence
        middle = (low + high + 1) // 2
        ratio = math.log(FIRST) + log_ratio(passed, failed, 1.0 * middle[None], 1.0 * (looks - middle)[None])[0]
        says = ratio >= -math.log(watch.alpha)
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
    """The starts after `last` up to n requests.

    >>> later_starts(0, 1000)
    [250, 500, 750, 1000]
    """
    found = []
    while (last := _next(last)) <= n:
        found.append(last)
    return found


def _next(start: int) -> int:
    return start + max(APART, start // (40 * EVERY) * EVERY)


def weight(start: int) -> float:
    """Of a start after so many requests in the sum; those of all starts together are 1.

    >>> [round(weight(start), 3) for start in (0, 250, 1000, 10_000)]
    [0.65, 0.117, 0.023, 0.0]
    """
    return FIRST if not start else (1 - FIRST) * (_later(start) - _later(_next(start)))


def _later(start: int) -> float:
    """What of the later weight lies at this start and after it: 1 at the second, half with twice the requests."""
    return 2 * APART / (APART + start)


def _from_starts(watch: Watch, starts: Mapping[int, float], passed: Any, n: Any) -> Any:
    """Log of each start's weighted ratio at each look, of shape (starts, looks); -inf before the start."""
    import numpy as np

    at, before = np.array(list(starts)), np.array(list(starts.values()))
    good = np.maximum(0.0, passed - before[:, None])
    bad = np.maximum(0.0, n - at[:, None] - good)
    known = watch.baseline_passed + before
    ratio = log_ratio(known, watch.baseline_n + at - known, good, bad)
    return np.where(n > at[:, None], np.log([[weight(start)] for start in starts]) + ratio, -np.inf)


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
