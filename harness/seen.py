"""Candidates that had test samples in their training data: the difference with those samples and without them.

Which samples these are stands in the manifest (contamination.of_adapter), entered when the run was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.compare import Table, asked, compare_tables, suite_names
from harness.data import Comparison
from harness.errors import NotComparable
from harness.roles import base_of, candidates, reference


@dataclass(frozen=True)
class Seen:
    """One candidate on one suite. flagged: {sample id: "exact" | "13-gram" | "near"}, of n_test answered samples.

    with_them: the comparison as it stands; without: on the other samples alone, None where fewer than two are left.
    """

    suite: str
    arm: str
    adapter: str
    n_test: int
    flagged: Mapping[str, str]
    with_them: Comparison
    without: Comparison | None


def seen(table: Table) -> list[Seen]:
    """Every candidate and suite with a flagged sample among those it answered, suites in the manifest's order."""
    found = []
    for suite in suite_names(table):
        for arm in candidates(table, suite):
            adapter = table.arms[arm].get("adapter")
            rows = table.rows[suite, arm]
            listed = flagged(table, str(adapter)).get(suite) or {} if adapter else {}
            mine = {row.sample: str(listed[row.sample]) for row in rows if row.sample in listed}
            general = table.suites[suite].get("kind") == "general"
            held_to = base_of(table, suite, arm) if general else reference(table, suite)[0]
            if not mine or held_to is None or held_to == arm:
                continue
            digests = {row.sample_digest for row in rows if row.sample in mine}
            whole = _compare(table, held_to, arm, suite)
            if whole is not None:
                rest = _compare(_without(table, suite, digests, len(mine)), held_to, arm, suite)
                n = len({row.sample for row in rows})
                found.append(Seen(suite, arm, str(adapter), n, mine, whole, rest))
    return found


def flagged(table: Table, adapter: str) -> Mapping[str, Mapping[str, str]]:
    """{suite: {sample id: how}} of an adapter; empty where nothing was found or nothing was looked for."""
    about: Mapping[str, Any] = table.run.manifest.get("adapters", {}).get(adapter, {}).get("contamination") or {}
    listed: Mapping[str, Mapping[str, str]] = about.get("flagged") or {}
    return listed


def _without(table: Table, suite: str, digests: set[str], samples: int) -> Table:
    """The table without the scores of so many samples of a suite, of these digests: none of them is missing."""
    card = table.suites[suite]
    shorter = {**card, "n_test": int(card["n_test"]) - samples, "n_asked": asked(card) - samples}
    left = {
        key: {digest: values for digest, values in scores.items() if digest not in digests}
        if key[0] == suite
        else scores
        for key, scores in table.scores.items()
    }
    return replace(table, scores=left, suites={**table.suites, suite: shorter})


def _compare(table: Table, baseline: str, candidate: str, suite: str) -> Comparison | None:
    try:
        return compare_tables(table, baseline, table, candidate, suite)
    except NotComparable:
        return None
