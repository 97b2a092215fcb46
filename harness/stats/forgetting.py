"""What a candidate kept of its base model's general ability.

Chance-corrected retention of a probe = (candidate - chance) / (base - chance): 1 is all kept, 0 is back to guessing.
The macro is the plain mean over probes. A probe on which the base itself is at chance (its 95 % interval reaches the
score of guessing) has nothing to lose: it is named and left out, never divided by.

Intervals (deterministic, no resampling): the ratio's numerator is the paired difference with its Tango or t interval,
the denominator is base - chance with its Wilson or t interval, both on the same samples; their half-widths and
observed correlation are combined (method of variance estimates recovery: Donner and Zou 2012), and no interval is
narrower than what n samples without any change would leave open. Probes are independent samples, so macro half-widths
add in squares; where a source has samples in several probes they are not, and half-widths add as they are. Samples of
one source widen every interval as in stats/clusters.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.data import Interval
from harness.stats.paired import LEVEL, deviation, difference_interval, flips, is_binary, mean, mean_interval, z_value

METHOD = "delta (recovered half-widths)"


@dataclass(frozen=True)
class ProbeRetention:
    """One probe. difference = candidate - base in 0..1 units. negative_flips: base higher, candidate lower.

    retention and its interval are None where the base is at chance; `note` then says so.
    """

    probe: str
    n: int
    chance: float
    base_mean: float
    candidate_mean: float
    difference: float
    interval: Interval
    retention: float | None
    retention_interval: Interval | None
    negative_flips: int
    positive_flips: int
    note: str = ""


@dataclass(frozen=True)
class Retention:
    """What `arm` kept of `base` on one suite, per probe and as the plain mean over probes that can show a loss.

    macro is None when the base is at chance on every probe. negative_flip_rate: share of all samples that the base
    had better. left_out: probes that are not in the macro, because the base is at chance there; or that are not in
    `probes` either, because fewer than two of their samples are paired.
    """

    suite: str
    arm: str
    base: str
    n: int
    missing: int
    probes: tuple[ProbeRetention, ...]
    macro: float | None
    interval: Interval | None
    negative_flips: int
    negative_flip_rate: float
    left_out: tuple[str, ...] = ()


def probe_retention(
    probe: str,
    base: Sequence[float],
    candidate: Sequence[float],
    chance: float = 0.0,
    level: float = LEVEL,
    clusters: Sequence[str] = (),
) -> ProbeRetention:
    """Retention on one probe from paired scores (0..1, same length n >= 2); chance is the score of guessing.

    clusters: the name of each sample's source.
    """
    difference = difference_interval(base, candidate, level, clusters)
    base_mean, candidate_mean = mean(base), mean(candidate)
    delta = candidate_mean - base_mean
    wins, losses = flips(base, candidate)
    ratio, ratio_interval, note = None, None, f"{probe}: the base is at chance, nothing to forget can be seen"
    own = mean_interval(base, level, clusters)
    if own.low > chance and base_mean > chance:
        ratio = 1 + delta / (base_mean - chance)
        ratio_interval = _ratio_interval(base, candidate, chance, difference, own)
        note = ""
    return ProbeRetention(
        probe,
        len(base),
        chance,
        base_mean,
        candidate_mean,
        delta,
        difference,
        ratio,
        ratio_interval,
        negative_flips=losses,
        positive_flips=wins,
        note=note,
    )


def macro_retention(
    probes: Sequence[ProbeRetention], level: float = LEVEL, independent: bool = True
) -> tuple[float | None, Interval | None]:
    """Mean retention over the probes that have one, with its interval; (None, None) if none has.

    independent: no source has samples in two probes.
    """
    kept = [(p.retention, p.retention_interval) for p in probes if p.retention is not None]
    pairs = [(r, i) for r, i in kept if i is not None]
    if not pairs:
        return None, None
    macro = mean([r for r, _ in pairs])
    below, above = [r - i.low for r, i in pairs], [i.high - r for r, i in pairs]
    low, high = (math.hypot(*widths) if independent else math.fsum(widths) for widths in (below, above))
    return macro, Interval(macro - low / len(pairs), macro + high / len(pairs), level, METHOD)


def retention(
    suite: str,
    arm: str,
    base_arm: str,
    probes: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    chance: Mapping[str, float],
    missing: int = 0,
    level: float = LEVEL,
    clusters: Mapping[str, Sequence[str]] | None = None,
) -> Retention:
    """Retention of an arm from paired scores per probe: name -> (base scores, candidate scores).

    chance: the score of guessing per probe; 0 where it is not named. clusters: the source of each sample per probe.
    """
    sources = clusters or {}
    rows = tuple(
        probe_retention(name, b, c, chance.get(name, 0.0), level, sources.get(name, ()))
        for name, (b, c) in sorted(probes.items())
    )
    met = [source for of_probe in sources.values() for source in set(of_probe)]
    macro, interval = macro_retention(rows, level, independent=len(set(met)) == len(met))
    n = sum(r.n for r in rows)
    losses = sum(r.negative_flips for r in rows)
    left_out = tuple(r.probe for r in rows if r.retention is None)
    return Retention(suite, arm, base_arm, n, missing, rows, macro, interval, losses, losses / max(n, 1), left_out)


def _ratio_interval(
    base: Sequence[float], candidate: Sequence[float], chance: float, difference: Interval, bounds: Interval
) -> Interval:
    level = difference.level
    base_mean, n = mean(base), len(base)
    span = base_mean - chance
    delta = mean(candidate) - base_mean
    change = delta / span
    r = _correlation([c - b for b, c in zip(base, candidate, strict=True)], base)
    z2 = z_value((1 + level) / 2) ** 2
    least = z2 / (n + z2) if is_binary(base) and is_binary(candidate) else 0.0

    def half(numerator: float, denominator: float) -> float:
        d = abs(change) * denominator
        squared = numerator**2 - 2 * math.copysign(1.0, change) * r * numerator * d + d**2
        return max(math.sqrt(max(0.0, squared)), least) / span

    up, down = bounds.high - base_mean, base_mean - bounds.low
    # The ratio is low when the difference is low, and when the denominator is large (gain) or small (loss).
    low = half(delta - difference.low, up if change > 0 else down)
    high = half(difference.high - delta, down if change > 0 else up)
    return Interval(1 + change - low, 1 + change + high, level, METHOD)


def _correlation(x: Sequence[float], y: Sequence[float]) -> float:
    sx, sy = deviation(x), deviation(y)
    if sx == 0 or sy == 0:
        return 0.0
    mx, my = mean(x), mean(y)
    covariance = math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / (len(x) - 1)
    return max(-1.0, min(1.0, covariance / (sx * sy)))
