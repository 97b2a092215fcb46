"""Complete failures of a graded score: a score of 0, or no answer at all, as a 0/1 comparison of its own.

A mean hides a few of them, and its interval is too narrow for them (82 % instead of 95 % at n=30). So a graded score
is read twice: how often did it fail completely (Tango's interval), and how good is it where neither arm did.

What is not covered: a crash that still scores something. A score of 0 may be a bad answer, not a broken one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness import words
from harness.compare import Pairs, Table, compare_pairs, pair, scope, scorer_names
from harness.data import Comparison
from harness.stats.paired import is_binary, mean


def above_zero(a: Table, baseline: str, b: Table, candidate: str, suite: str) -> Pairs | None:
    """Per sample 1 for a primary score above 0, and 0 for a complete failure; None for 0/1 scores, or without failures.

    A sample that the engine failed to answer (finish_reason "error") counts as a failure here, not as missing.
    """
    held, scorer = scope(a, b, suite), scorer_names(a, suite)[0]
    pairs = pair(a, baseline, b, candidate, suite, scorer)
    if is_binary([*pairs.baseline, *pairs.candidate]):
        return None
    left, right = (
        {**_unanswered(table, suite, arm), **table.scores.get((suite, arm, scorer), {})}
        for table, arm in ((a, baseline), (b, candidate))
    )
    shared = sorted(held.of(left).keys() & held.of(right).keys())
    scores = [[mean(side[digest]) for digest in shared] for side in (left, right)]
    if len(shared) < 2 or 0 not in {*scores[0], *scores[1]}:
        return None
    probes, clusters = a.probes.get(suite, {}), a.clusters.get(suite, {})
    return replace(
        pairs,
        baseline=tuple(float(value > 0) for value in scores[0]),
        candidate=tuple(float(value > 0) for value in scores[1]),
        probes=tuple(probes.get(digest, "all") for digest in shared),
        missing=max(0, pairs.missing - (len(shared) - len(pairs.baseline))),
        clusters=tuple(clusters.get(digest, digest) for digest in shared) if pairs.clusters else (),
    )


def split(a: Table, baseline: str, b: Table, candidate: str, suite: str) -> list[Comparison]:
    """How often above 0, and how good where both are above 0; empty for 0/1 scores, and without failures."""
    above = above_zero(a, baseline, b, candidate, suite)
    if above is None:
        return []
    scorer = scorer_names(a, suite)[0]
    found = [compare_pairs(suite, f"{scorer} above 0", baseline, candidate, above)]
    pairs = pair(a, baseline, b, candidate, suite, scorer)
    both = [i for i, (old, new) in enumerate(zip(pairs.baseline, pairs.candidate, strict=True)) if old > 0 and new > 0]
    if len(both) > 1:
        rest = replace(
            pairs,
            baseline=tuple(pairs.baseline[i] for i in both),
            candidate=tuple(pairs.candidate[i] for i in both),
            probes=tuple(pairs.probes[i] for i in both),
            missing=0,
            clusters=tuple(pairs.clusters[i] for i in both) if pairs.clusters else (),
        )
        found.append(compare_pairs(suite, f"{scorer} where both are above 0", baseline, candidate, rest))
    return found


def noted(c: Comparison, found: list[Comparison]) -> Comparison:
    """The comparison with what `split` found in its note."""
    return replace(c, note="; ".join(filter(None, (c.note, said(found[0]))))) if found else c


def said(c: Comparison) -> str:
    """E.g. "4.0 % new complete failures (score 0 or no answer; 8 of 200, 1 the other way): -3.5 points ..., shown"."""
    shown = ", shown" if c.interval.high < 0 else ""
    share = f"{words.percent(c.losses / c.n)} new complete failures"
    counts = f"score 0 or no answer; {c.losses} of {c.n}, {c.wins} the other way"
    return (
        f"{share} ({counts}): {words.points(c.difference)} points without failure, {words.interval(c.interval)}{shown}"
    )


def _unanswered(table: Table, suite: str, arm: str) -> Mapping[str, tuple[float, ...]]:
    latest = {(row.sample, row.draw): row for row in table.run.rows if (row.suite, row.arm) == (suite, arm)}
    answered = {row.sample_digest for row in latest.values() if row.completion.finish_reason != "error"}
    return {row.sample_digest: (0.0,) for row in latest.values() if row.sample_digest not in answered}
