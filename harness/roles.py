"""Which arm plays which part: cheapest first, the reference, the candidates, the base a candidate is held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from harness.compare import KEPT, Table, arm_names, one_of, scorer_names
from harness.prices import by_price, is_trained
from harness.stats.paired import SAME, mean


def is_tuned(table: Table, arm: str) -> bool:
    """Whether the arm answers with a fine-tuned adapter."""
    return is_trained(table, arm)


def is_ceiling(table: Table, arm: str) -> bool:
    """Whether the arm is given the passages that hold the answer: nobody could run it, so no decision rests on it."""
    return table.arms[arm].get("retrieve") == "gold"


def recipes_tried(table: Table, suite: str, arm: str) -> Sequence[Mapping[str, Any]]:
    """The recipes that an arm's adapter was chosen from on dev (see train.candidate); none where there was one."""
    adapters: Mapping[str, Any] = table.run.manifest.get("adapters", {})
    card = (adapters.get(dials(table, suite, arm).get("adapter") or "") or {}).get("train") or {}
    return card.get("tries") or ()


def tried(table: Table, suite: str, arm: str) -> tuple[list[Mapping[str, Any]], int]:
    """What an arm tried on a suite's dev split (see rivals.Choices.card), and the place of what was chosen; [], 0 for
    none.
    """
    found = table.run.manifest.get("dev", {}).get(suite, {}).get("arms", {}).get(arm)
    return (found["tries"], found["chosen"]) if found else ([], 0)


def dials(table: Table, suite: str, arm: str) -> Mapping[str, Any]:
    """model, adapter, system, shots and retrieve of an arm as it answered a suite's test split."""
    tries, chosen = tried(table, suite, arm)
    if tries:
        return {**table.arms[arm], **{key: tries[chosen][key] for key in ("system", "shots", "retrieve")}}
    return {key: value[0] if isinstance(value, list) else value for key, value in table.arms[arm].items()}


def by_cost(table: Table, suite: str) -> list[str]:
    """Arms on a suite, cheapest per request first, as measured; see prices.py.

    Ceilings have no part in decisions and are left out, unless there is nothing else.
    """
    names = arm_names(table, suite)
    return by_price(table, suite, [arm for arm in names if not is_ceiling(table, arm)] or names)


def candidates(table: Table, suite: str) -> list[str]:
    """The arms a decision is about, cheapest first: the fine-tuned ones; without any, all but the cheapest arm."""
    arms = [arm for arm in by_cost(table, suite) if not is_ceiling(table, arm)]
    tuned = [arm for arm in arms if is_tuned(table, arm)]
    return (tuned if len(tuned) < len(arms) else tuned[1:]) if tuned else arms[1:]


def reference(table: Table, suite: str) -> tuple[str, str]:
    """(arm, what it is): the best arm without fine-tuning; without a fine-tuned arm, the cheapest one.

    Best by the primary score, on dev where all of them answered it; of equals, the cheapest.
    """
    arms = by_cost(table, suite)
    plain = [arm for arm in arms if not is_tuned(table, arm)]
    if not plain or len(plain) == len(arms):
        return arms[0], "the cheapest arm"
    if len(plain) == 1:
        return plain[0], "the only arm without fine-tuning"
    on_dev = dev_means(table, suite, plain)
    if on_dev:
        top = max(on_dev.values())
        return next(arm for arm in plain if on_dev[arm] >= top - SAME), f"the best arm without fine-tuning, {ON_DEV}"
    return best(table, suite, plain), "the best arm without fine-tuning"


ON_DEV = "chosen on dev"
LEAST = 30
"""Fewer dev samples than this choose no reference."""


def dev_means(table: Table, suite: str, arms: list[str]) -> dict[str, float]:
    """The mean primary score on dev of each arm, with the dials chosen; empty unless all answered the same samples.

    Also empty where the suite's scores were made anew since (`harness score`): those on dev were not.
    """
    if table.run.manifest.get("dev", {}).get(suite, {}).get("digest") != table.suites[suite].get("digest"):
        return {}
    found = {arm: tries[chosen] for arm in arms for tries, chosen in [tried(table, suite, arm)] if tries}
    sizes = {int(one["n"]) for one in found.values()}
    if len(found) < len(arms) or len(sizes) != 1 or min(sizes) < LEAST:
        return {}
    return {arm: float(one["mean"]) for arm, one in found.items()}


def best(table: Table, suite: str, arms: list[str]) -> str:
    """The arm with the highest mean of the primary score; of equals the one named first."""
    scorer = scorer_names(table, suite)[0]
    means = {arm: _mean(table, suite, arm, scorer) for arm in arms}
    top = max(means.values())
    return next(arm for arm in arms if means[arm] >= top - SAME)


def base_of(table: Table, suite: str, arm: str) -> str | None:
    """The arm that a loss of general ability is measured from, among those with answers on the suite.

    For a fine-tuned arm: the same model and dials without the adapter; else the model's plain arm (no system prompt,
    shots or passages); else the model's cheapest arm without an adapter. For any other arm: the model's plain arm.
    None if there is none, and for the plain arm itself.
    """
    own = table.arms[arm].get("model")
    others = [
        a for a in by_cost(table, suite) if a != arm and not is_tuned(table, a) and table.arms[a].get("model") == own
    ]
    plain = [a for a in others if _dials(table, suite, a) == PLAIN]
    if not is_tuned(table, arm):
        return plain[0] if plain and _dials(table, suite, arm) != PLAIN else None
    same = [a for a in others if _dials(table, suite, a) == _dials(table, suite, arm)]
    return next(iter(same + plain + others), None)


PLAIN = (False, 0, 0, False)


def _dials(table: Table, suite: str, arm: str) -> tuple[bool | str, int, int | str, bool]:
    own = dials(table, suite, arm)
    constrained = bool(own.get("constrain"))
    return own.get("system") or False, int(own.get("shots") or 0), own.get("retrieve") or 0, constrained


@lru_cache(maxsize=KEPT)
def _mean(table: Table, suite: str, arm: str, scorer: str) -> float:
    scores = table.scores.get((suite, arm, scorer), {})
    return mean(list(map(one_of, scores.values()))) if scores else 0.0
