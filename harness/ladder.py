"""The rules of the decision, on numbers alone: when is a dearer arm worth it, and when has ability been lost?

Start from the cheapest option and move to a dearer one only if, on the same samples, it is shown better (95 % interval
above zero, p corrected for the number of candidates) by an observed GAIN or more. verdict.py applies the rules to a
run, sentences.py says the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from harness.compare import Pairs, Table, pair, scorer_names
from harness.data import Decision
from harness.roles import by_cost
from harness.stats.clusters import LEAST, shared
from harness.stats.paired import difference_interval, difference_p, mean
from harness.stats.power import samples_for_difference, spread

GAIN = 0.03
"""The smallest observed gain that is worth a dearer arm, 0..1."""
Why = Literal["better", "small", "worse", "ruled out", "kept", "forgot", "floor", "open", "missing", "few", "cheaper"]
Judge = Callable[[Pairs], tuple[Decision, Why]]


def judge_gain(pairs: Pairs, gain: float = GAIN, correction: float = 1.0) -> tuple[Decision, Why]:
    """Is the dearer arm (candidate) worth it? correction multiplies p (Holm, over the candidates).

    adopt: shown better, and by `gain` or more. do not adopt: shown worse, or a gain as large as `gain` is ruled out.
    """
    cheaper, dearer = pairs.baseline, pairs.candidate
    if max(cheaper) == max(dearer) == 0:
        return "not decided", "floor"
    if _few_sources(pairs):
        return "not decided", "few"
    found = difference_interval(cheaper, dearer, 1 - pairs.error(), pairs.clusters)
    if found.high < gain:
        return "do not adopt", "worse" if found.high < 0 else "ruled out"
    if found.low > 0 and difference_p(cheaper, dearer, clusters=pairs.clusters)[0] * correction <= pairs.error():
        return ("adopt", "better") if mean(dearer) - mean(cheaper) >= gain else ("not decided", "small")
    return "not decided", "open"


def as_good(pairs: Pairs, gain: float = GAIN) -> bool:
    """Whether it is shown that the candidate is not `gain` or more behind the baseline; no sample may be missing."""
    if pairs.missing or _few_sources(pairs) or max(*pairs.baseline, *pairs.candidate) == 0:
        return False
    return difference_interval(pairs.baseline, pairs.candidate, 1 - pairs.error(), pairs.clusters).low > -gain


def judge_loss(pairs: Pairs, margin: float) -> tuple[Decision, Why]:
    """Did the candidate keep what its base could do?

    adopt: a loss as large as the margin is ruled out. do not adopt: a loss is shown, and observed above the margin.
    """
    base, candidate = pairs.baseline, pairs.candidate
    if max(base) == 0:
        return "not decided", "floor"
    if _few_sources(pairs):
        return "not decided", "few"
    found = difference_interval(base, candidate, 1 - pairs.error(), pairs.clusters)
    if found.low > -margin:
        return "adopt", "kept"
    if found.high < 0 and mean(candidate) - mean(base) < -margin:
        return "do not adopt", "forgot"
    return "not decided", "open"


def judge_with_missing(pairs: Pairs, judge: Judge) -> tuple[Decision, Why]:
    """The word, if missing samples could not turn it: judged as they are, as all lost, and as all won."""
    word, why = judge(pairs)
    if not pairs.missing:
        return word, why
    zeros, ones = (0.0,) * pairs.missing, (1.0,) * pairs.missing
    sources = pairs.clusters and (*pairs.clusters, *(f"missing {i}" for i in range(pairs.missing)))
    whole = replace(pairs, missing=0, clusters=sources)
    lost, _ = judge(replace(whole, baseline=pairs.baseline + ones, candidate=pairs.candidate + zeros))
    won, _ = judge(replace(whole, baseline=pairs.baseline + zeros, candidate=pairs.candidate + ones))
    return (word, why) if word == lost == won else ("not comparable", "missing")


def _few_sources(pairs: Pairs) -> bool:
    """Whether the samples come from too few sources to conclude anything."""
    return shared(pairs.clusters) and len(set(pairs.clusters)) < LEAST


def more_for_gain(pairs: Pairs, gain: float) -> int | None:
    """Samples still needed to decide with 80 % power, if difference and disagreement stay as observed."""
    difference = mean(pairs.candidate) - mean(pairs.baseline)
    return _more(pairs, difference if difference >= gain else gain - difference, -difference)


def more_for_loss(pairs: Pairs, margin: float) -> int | None:
    """Samples still needed to decide about a loss, as more_for_gain."""
    difference = mean(pairs.candidate) - mean(pairs.baseline)
    room = margin + difference
    return _more(pairs, room if room > 0 else -difference)


def climb(table: Table, suite: str, gain: float, start: str, dearer: Sequence[str]) -> str:
    """The arm that the ladder ends on from `start`, over arms that cost more, cheapest first.

    One-sided 5 % divided by the number of steps between all arms of the suite: of equal arms the cheapest is kept in
    95 % of runs or more.
    """
    steps, current = max(1, len(by_cost(table, suite)) - 1), start
    for arm in dearer:
        pairs = pair(table, current, table, arm, suite, scorer_names(table, suite)[0])
        if len(pairs.baseline) < 2 or _few_sources(pairs):
            continue
        p, _ = difference_p(pairs.baseline, pairs.candidate, "greater", pairs.clusters)
        if p <= pairs.error() / steps and mean(pairs.candidate) - mean(pairs.baseline) >= gain:
            current = arm
    return current


def _more(pairs: Pairs, *effects: float) -> int | None:
    n, size = len(pairs.baseline), spread(pairs.baseline, pairs.candidate, pairs.clusters)
    needed = [k for k in (samples_for_difference(size, effect) for effect in effects) if k is not None and k > n]
    return min(needed) - n if needed else None
