"""A policy's further rules, each held to one suite: a Check that holds, is violated, or is open.

    at_least       the candidate's mean score: its lower bound, or the plain mean, is at least `score`
    better_than    the lower bound of candidate - baseline is above `gain`
    no_flip        of the samples the baseline had right (and that carry the tag), at most so many are wrong now; open
                   while `run --until-decided` has not asked them all
    no_new_failures  no more complete failures of a graded score (0, see failures.py) than the baseline has: violated
                   where more are shown; with `margin`, open until more than that are ruled out
    tokens_ratio, latency_ratio, cost_ratio    candidate over baseline: the upper bound is at most so much

Rules on a bound are violated only where it is shown: the one-sided p is at most alpha/2 after Holm, in one family with
the suites of the gate (gate.py). no_flip and a plain mean are counts, without inference, and so is a ratio that is the
same on every sample. Cost is engine time, which is measured for all samples together; its interval is as wide as that
of their seconds.

What is not covered: the interval of a ratio knows how samples differ, not how two runs do. Seconds of the same model
differ by a tenth or more on a busy machine, so leave room in a limit on latency or cost. An answer reused from another
run brings its seconds along.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness import failures, words
from harness.baseline import measured
from harness.compare import Pairs, Table, asked, pair, scope, scorer_names
from harness.errors import ConfigError, did_you_mean
from harness.policy import Policy, Rule
from harness.stats.paired import SAME, deviation, difference_bound, difference_p, flips, mean, mean_bound
from harness.stats.power import samples_for_difference, samples_for_margin, spread
from harness.stats.ratio import Ratio, p95, ratio_of_means, ratio_of_p95

State = Literal["holds", "violated", "open"]
LEAST_P = 1e-12


@dataclass(frozen=True)
class Check:
    """One rule on one suite. value is held to limit; low, high: one-sided bounds of it at 1 - alpha.

    low, high, p are None where nothing is inferred. p: one-sided, that the rule is broken; p_holm: after Holm.
    n: what was counted. said: the rule and what was found, in words. name: the rule with its options, unique on its
    suite. more_samples: to settle it with 80 % power.
    """

    suite: str
    rule: str
    scorer: str
    n: int
    value: float | None
    limit: float
    state: State
    said: str
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    more_samples: int | None = None
    name: str = ""


def scorer_of(rule: Rule, table: Table, suite: str, policy: Policy) -> str:
    """The scorer a rule is about. Raises ConfigError for one that the suite does not have, or that asks a model."""
    names = scorer_names(table, suite)
    if rule.scorer is None:
        return names[0]
    asking = [spec["name"] for spec in table.suites[suite].get("graders", ())]
    if rule.scorer in asking:
        raise ConfigError(
            f"{policy.path}: {rule.kind}: '{rule.scorer}' of suite {suite} asks a model, and no verdict rests on that. "
            "Name another scorer."
        )
    if rule.scorer not in names:
        raise ConfigError(
            f"{policy.path}: {rule.kind}: suite {suite} has no scorer '{rule.scorer}'."
            f"{did_you_mean(rule.scorer, [name for name in names if name not in asking])}"
        )
    return rule.scorer


def check(rule: Rule, a: Table, base_arm: str, b: Table, cand_arm: str, suite: str, policy: Policy) -> Check:
    """A rule held to one suite that nothing is missing of. What is inferred is "open" at most: see `settle`."""
    options = ", ".join(filter(None, (rule.scorer, rule.by, rule.tag and f"tag {rule.tag}")))
    return replace(_checked(rule, a, base_arm, b, cand_arm, suite, policy), name=f"{rule.kind}({options})")


def _checked(rule: Rule, a: Table, base_arm: str, b: Table, cand_arm: str, suite: str, policy: Policy) -> Check:
    if rule.kind.endswith("_ratio"):
        return _ratio(rule, a, base_arm, b, cand_arm, suite, policy.alpha)
    scorer = scorer_of(rule, a, suite, policy)
    if rule.kind == "no_flip":
        return _no_flip(rule, a, base_arm, b, cand_arm, suite, scorer, policy)
    if rule.kind == "no_new_failures":
        return _no_new_failures(rule, suite, scorer, failures.above_zero(a, base_arm, b, cand_arm, suite), policy.alpha)
    pairs = pair(a, base_arm, b, cand_arm, suite, scorer)
    return (_at_least if rule.kind == "at_least" else _better_than)(rule, suite, scorer, pairs, policy.alpha)


def settle(checks: Sequence[Check], broken: Sequence[bool], p_holm: Sequence[float]) -> list[Check]:
    """The checks that have a p, violated where that is shown."""
    return [
        replace(one, p_holm=p, state="violated" if shown else one.state)
        for one, shown, p in zip(checks, broken, p_holm, strict=True)
    ]


def _at_least(rule: Rule, suite: str, scorer: str, pairs: Pairs, alpha: float) -> Check:
    values, limit = pairs.candidate, float(rule.limit or 0)
    confidence = 1 - pairs.error(2 * alpha) / 2
    low, high = (mean_bound(values, confidence, side, pairs.clusters) for side in ("lower", "upper"))
    found = mean(values)
    said = f"{suite} {scorer} at least {words.percent(limit)}: {words.percent(found)}"
    if rule.by == "mean":
        state: State = "holds" if found >= limit - SAME else "violated"
        return Check(suite, rule.kind, scorer, len(values), found, limit, state, said + " (mean)", low, high)
    return Check(
        suite,
        rule.kind,
        scorer,
        len(values),
        found,
        limit,
        "holds" if low >= limit else "open",
        f"{said} (shown: {words.percent(low)})",
        low,
        high,
        _p_below(lambda c: mean_bound(values, c, "upper", pairs.clusters), limit),
        more_samples=None if low >= limit else _more(len(values), deviation(values), found - limit, alpha),
    )


def _better_than(rule: Rule, suite: str, scorer: str, pairs: Pairs, alpha: float) -> Check:
    base, cand, limit = pairs.baseline, pairs.candidate, float(rule.limit or 0)
    confidence = 1 - pairs.error(2 * alpha) / 2
    low, high = (difference_bound(base, cand, confidence, side, pairs.clusters) for side in ("lower", "upper"))
    found = mean(cand) - mean(base)
    size = spread(base, cand, pairs.clusters)
    return Check(
        suite,
        rule.kind,
        scorer,
        len(cand),
        found,
        limit,
        "holds" if low > limit else "open",
        f"{suite} {scorer} better by {words.plain_points(limit)}: {words.points(found)} (shown: {words.points(low)})",
        low,
        high,
        _p_below(lambda c: difference_bound(base, cand, c, "upper", pairs.clusters), limit),
        more_samples=None if low > limit else _more(len(cand), size, found - limit, alpha),
    )


def _no_new_failures(rule: Rule, suite: str, scorer: str, pairs: Pairs | None, alpha: float) -> Check:
    limit = float(rule.limit or 0)
    if pairs is None:
        return Check(suite, rule.kind, scorer, 0, 0.0, limit, "holds", f"{suite} {scorer}: no complete failure")
    base, cand = pairs.baseline, pairs.candidate
    confidence = 1 - pairs.error(2 * alpha) / 2
    low, high = (difference_bound(base, cand, confidence, side, pairs.clusters) for side in ("lower", "upper"))
    won, lost = flips(base, cand)
    holds = rule.limit is None or low > -limit
    return Check(
        suite,
        rule.kind,
        scorer,
        len(cand),
        mean(cand) - mean(base),
        limit,
        "holds" if holds else "open",
        f"{suite} {scorer} no new complete failures (score 0): {lost} of {len(cand)} new, {won} gone",
        low,
        high,
        difference_p(base, cand, "less", pairs.clusters)[0],
        more_samples=None
        if holds
        else _more(len(cand), spread(base, cand, pairs.clusters), limit + mean(cand) - mean(base), alpha),
    )


def _p_below(upper: Callable[[float], float], limit: float) -> float:
    """The smallest p for which the upper bound at 1 - p is below the limit; 1 where even p = 0.5 does not do."""
    if upper(0.5 + SAME) >= limit:
        return 1.0
    low, high = LEAST_P, 0.5
    if upper(1 - low) < limit:
        return low
    while high / low > 1.001:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if upper(1 - middle) < limit else (middle, high)
    return high


def _more(n: int, size: float, room: float, alpha: float) -> int | None:
    """More samples that would settle a rule with 80 % power at the observed distance from its limit."""
    size = size or min(1.0, 3 / n) ** 0.5
    needed = samples_for_margin(size, room, alpha) if room > 0 else samples_for_difference(size, -room, 1 - alpha)
    return needed - n if needed is not None and needed > n else None


def _no_flip(
    rule: Rule, a: Table, base_arm: str, b: Table, cand_arm: str, suite: str, scorer: str, policy: Policy
) -> Check:
    held = scope(a, b, suite)
    left, right = (held.of(t.scores.get((suite, arm, scorer), {})) for t, arm in ((a, base_arm), (b, cand_arm)))
    among = left.keys() & right.keys()
    if rule.tag is not None:
        tagged_ = {
            row.sample_digest
            for row in (*a.run.rows, *b.run.rows)
            if row.suite == suite and _tagged(row.metadata, rule.tag)
        }
        if not tagged_ and all(asked(t.suites[suite]) >= int(t.suites[suite].get("n_test") or 0) for t in (a, b)):
            raise ConfigError(
                f"{policy.path}: no_flip: no sample of suite {suite} has the tag '{rule.tag}' in its metadata. "
                "Correct it, or tag samples."
            )
        among &= tagged_
    had = [digest for digest in among if mean(left[digest]) >= rule.right - SAME]
    lost = [digest for digest in had if mean(right[digest]) < rule.right - SAME]
    limit = float(rule.limit or 0)
    names = {row.sample_digest: row.sample for row in b.rows[suite, cand_arm]}
    listed = sorted(names[digest] for digest in lost)
    which = f" ({', '.join(listed[:5])}{', ...' if len(listed) > 5 else ''})" if listed else ""
    whole = not held.sizes or held.look == len(held.sizes)  # those not asked may be lost too
    state: State = "violated" if len(lost) > limit else "holds" if had and whole else "open"
    tagged = (f" tagged {rule.tag}" if rule.tag else "") + ("" if whole else " so far")
    said = f"{suite} {scorer} at most {limit:.0f} of {words.count(len(had), 'right answer')}{tagged} lost: "
    return Check(suite, rule.kind, scorer, len(had), float(len(lost)), limit, state, f"{said}{len(lost)}{which}")


def _tagged(metadata: Mapping[str, Any], tag: str) -> bool:
    """Whether metadata has a true value under the tag, or names it in its list `tags`."""
    tags = metadata.get("tags")
    return bool(metadata.get(tag)) or (isinstance(tags, list) and tag in tags)


def _ratio(rule: Rule, a: Table, base_arm: str, b: Table, cand_arm: str, suite: str, alpha: float) -> Check:
    limit = float(rule.limit or 0)
    name = f"{suite} {rule.kind.replace('_', ' ')}{f' ({rule.by})' * bool(rule.by)} at most {limit:g}"
    pairs = _taken(a, base_arm, b, cand_arm, suite, "tokens" if rule.kind == "tokens_ratio" else "seconds")
    found = _measure(rule, pairs)
    measured_ = found is not None
    old, new = (p95(side) if rule.by == "p95" and side else mean(side) for side in (pairs.baseline, pairs.candidate))
    if found is not None and rule.kind == "cost_ratio":
        old, new = (measured(t.run, suite, arm)["engine_seconds"] or 0.0 for t, arm in ((a, base_arm), (b, cand_arm)))
        found = replace(found, value=new / old) if old and new else None
    if found is None:
        if measured_:
            why = "engine time was not measured (answers were reused)"
        elif min((*pairs.baseline, *pairs.candidate), default=0.0) <= 0:
            why = "not measured by sample"
        else:
            why = f"{len(pairs.baseline)} samples are too few"
        return Check(suite, rule.kind, "", len(pairs.baseline), None, limit, "open", f"{name}: {why}")
    unit = "tokens" if rule.kind == "tokens_ratio" else "s"
    if found.error == 0:
        state: State = "holds" if found.value <= limit + SAME else "violated"
        said = f"{name}: {found.value:.2f} on every sample ({old:.4g} and {new:.4g} {unit})"
        return Check(suite, rule.kind, "", found.n, found.value, limit, state, said)
    confidence = 1 - pairs.error(2 * alpha) / 2
    low, high = (found.bound(confidence, side) for side in ("lower", "upper"))
    size, room = found.error * found.n**0.5, math.log(limit / found.value)
    return Check(
        suite,
        rule.kind,
        "",
        found.n,
        found.value,
        limit,
        "holds" if high <= limit else "open",
        f"{name}: {found.value:.2f}, {low:.2f} to {high:.2f} ({old:.4g} and {new:.4g} {unit})",
        low,
        high,
        found.p_at_most(limit),
        more_samples=None if high <= limit else _more(found.n, size, room, alpha),
    )


def _measure(rule: Rule, pairs: Pairs) -> Ratio | None:
    """The ratio a rule is about; None where there are too few samples, or nothing was measured."""
    base, cand = pairs.baseline, pairs.candidate
    if not base or min(*base, *cand) <= 0:
        return None
    return (ratio_of_p95 if rule.by == "p95" else ratio_of_means)(base, cand, pairs.clusters)


def _taken(a: Table, base_arm: str, b: Table, cand_arm: str, suite: str, what: str) -> Pairs:
    """Tokens or seconds of each sample on both sides, paired; the mean where a question was answered several times."""
    sides: list[dict[str, list[float]]] = [{}, {}]
    for found, table, arm in zip(sides, (a, b), (base_arm, cand_arm), strict=True):
        for row in table.rows[suite, arm]:
            done = row.completion
            taken = done.seconds if what == "seconds" else done.prompt_tokens + done.completion_tokens
            found.setdefault(row.sample_digest, []).append(taken)
    both = sorted(sides[0].keys() & sides[1].keys())
    scored = pair(a, base_arm, b, cand_arm, suite, scorer_names(a, suite)[0])
    return replace(
        scored,
        baseline=tuple(mean(sides[0][digest]) for digest in both),
        candidate=tuple(mean(sides[1][digest]) for digest in both),
        probes=(),
        clusters=tuple(a.clusters[suite][digest] for digest in both) if scored.clusters else (),
    )
