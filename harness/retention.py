"""What each arm of a run kept of its base model's general ability; the arithmetic is in stats/forgetting.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.compare import Table, pair, scorer_names, suite_names, tabulate
from harness.data import Run
from harness.errors import RunError, did_you_mean
from harness.roles import base_of, by_cost
from harness.stats import forgetting
from harness.stats.forgetting import Retention


def retentions(run: Run) -> list[Retention]:
    """Every arm that has a base, on every suite of kind "general", cheapest arm first. Empty without such a suite."""
    table = tabulate(run)
    found = [retention_of(table, suite, arm) for suite in general_suites(table) for arm in by_cost(table, suite)]
    return [r for r in found if r is not None]


def retention(run: Run, arm: str, suite: str | None = None) -> Retention | None:
    """One arm on one general suite (the first, unless named); None if the run holds nothing to compare it with."""
    table = tabulate(run)
    if arm not in table.arms:
        raise RunError(f"{run.path}: no arm '{arm}'.{did_you_mean(arm, table.arms)}")
    names = [suite] if suite else general_suites(table)[:1]
    return retention_of(table, names[0], arm) if names else None


def general_suites(table: Table) -> list[str]:
    return [suite for suite in suite_names(table) if table.suites[suite].get("kind") == "general"]


def retention_of(table: Table, suite: str, arm: str) -> Retention | None:
    """retention on a run that is already indexed. Probes with fewer than two paired samples are left out and named."""
    base = base_of(table, suite, arm)
    if base is None:
        return None
    pairs = pair(table, base, table, arm, suite, scorer_names(table, suite)[0])
    probes: dict[str, tuple[list[float], list[float]]] = {}
    sources: dict[str, list[str]] = {}
    for place, (probe, left, right) in enumerate(zip(pairs.probes, pairs.baseline, pairs.candidate, strict=True)):
        scores = probes.setdefault(probe, ([], []))
        scores[0].append(left)
        scores[1].append(right)
        if pairs.clusters:
            sources.setdefault(probe, []).append(pairs.clusters[place])
    enough = {name: scores for name, scores in probes.items() if len(scores[0]) >= 2}
    if not enough:
        return None
    about = table.suites[suite]
    chance = {name: chance_of(about, name) for name in enough}
    own = {name: sources[name] for name in enough if name in sources}
    found = forgetting.retention(suite, arm, base, enough, chance, pairs.missing, 1 - pairs.error(), own)
    return replace(found, left_out=(*found.left_out, *sorted(probes.keys() - enough.keys())))


def chance_of(about: Mapping[str, Any], probe: str) -> float:
    """The score of guessing on a probe, from a suite's `chance`: one number, or one per probe ("all" for the rest)."""
    chance = about.get("chance") or 0.0
    if isinstance(chance, Mapping):
        return float(chance.get(probe, chance.get("all", 0.0)))
    return float(chance)
