"""What a request of an arm costs, as measured, and in what order that puts the arms.

Money where every arm has a price (an endpoint's tokens, engine seconds at that of a GPU hour), else engine seconds,
else tokens. Training is no part of a request. It is spread over what the stated volume asks in MONTHS; without a volume
(costs.requests_per_month) or without its seconds a fine-tuned arm stays behind the others, and only its verdict says
after how many requests it would be the cheaper one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from harness.compare import KEPT, Table
from harness.stats.paired import mean
from harness.store import engine_seconds

MONTHS = 12
"""Training has to pay within so many months of requests."""
NEAR = 1.25
"""Costs within this factor are the same: seconds differ by a tenth or two between runs of the same model."""


def by_price(table: Table, suite: str, arms: Sequence[str]) -> list[str]:
    """The arms, cheapest per request first; among equally cheap ones no training first, then model, tokens, name."""
    unit = unit_of(table, suite, arms)
    costs = {arm: _with_training(table, suite, arm, unit) for arm in arms}
    tokens = {arm: cost(table, suite, arm, "tokens") or 0.0 for arm in arms}
    models = list(table.run.manifest.get("models", {}))

    def rest(arm: str) -> tuple[bool, int, float, str]:
        model = table.arms[arm].get("model")
        rank = models.index(model) if model in models else len(models)
        return is_trained(table, arm), rank, tokens[arm], arm

    known = sorted([arm for arm in arms if costs[arm] is not None], key=lambda arm: (costs[arm] or 0.0, rest(arm)))
    groups: list[list[str]] = []
    for arm in known:
        if groups and (costs[arm] or 0.0) <= NEAR * (costs[groups[-1][0]] or 0.0):
            groups[-1].append(arm)
        else:
            groups.append([arm])
    ordered = [arm for group in groups for arm in sorted(group, key=rest)]
    return [*ordered, *sorted([arm for arm in arms if costs[arm] is None], key=rest)]


def unit_of(table: Table, suite: str, arms: Sequence[str]) -> str:
    """What all these arms can be compared in: "usd", "seconds", or "tokens", which says little across models."""
    made_up = (table.run.manifest.get("engine") or {}).get("name") == "fake"  # its seconds are nobody's
    if made_up and not all(priced_by_token(table, arm) for arm in arms):
        return "tokens"
    for unit in ("usd", "seconds"):
        if all(cost(table, suite, arm, unit) is not None for arm in arms):
            return unit
    return "tokens"


@lru_cache(maxsize=4 * KEPT)
def cost(table: Table, suite: str, arm: str, unit: str) -> float | None:
    """Per request: engine seconds (none of an endpoint), USD, or tokens in and out."""
    completions = [row.completion for row in table.rows.get((suite, arm), ())]
    if not completions:
        return None
    if unit == "tokens":
        return mean([c.prompt_tokens + c.completion_tokens for c in completions])
    if unit == "seconds":
        return None if priced_by_token(table, arm) else engine_seconds(table.run, suite, arm)
    if not priced_by_token(table, arm):
        seconds, hour = cost(table, suite, arm, "seconds"), table.run.manifest.get("costs", {}).get("gpu_hour_usd")
        return None if seconds is None or hour is None else float(seconds * hour / 3600)
    card = model_of(table, arm)
    usd_in, usd_out = card.get("usd_per_million_input"), card.get("usd_per_million_output")
    if usd_in is None or usd_out is None:
        return None
    tokens_in, tokens_out = (
        mean([c.prompt_tokens for c in completions]),
        mean([c.completion_tokens for c in completions]),
    )
    return float(tokens_in * usd_in + tokens_out * usd_out) / 1e6


def share(table: Table, suite: str, arm: str, against: str) -> tuple[float, str] | None:
    """(cost of `arm` as a share of that of `against`, unit); None where they cannot be compared."""
    unit = unit_of(table, suite, (arm, against))
    if unit == "tokens" and table.arms[arm].get("model") != table.arms[against].get("model"):
        return None
    one, other = cost(table, suite, arm, unit), cost(table, suite, against, unit)
    return (one / other, unit) if one is not None and other else None


def is_trained(table: Table, arm: str) -> bool:
    """Whether the arm answers with a fine-tuned adapter."""
    return table.arms[arm].get("adapter") is not None


def priced_by_token(table: Table, arm: str) -> bool:
    """Whether an endpoint answers for the arm."""
    return "endpoint" in model_of(table, arm)


def model_of(table: Table, arm: str) -> Mapping[str, Any]:
    """What run.json says of an arm's model."""
    found: Mapping[str, Any] = table.run.manifest.get("models", {}).get(table.arms[arm].get("model")) or {}
    return found


def training_seconds(table: Table, arm: str) -> float | None:
    """Of an arm's adapter; None where it was trained elsewhere."""
    adapter = table.arms[arm].get("adapter")
    recorded: Mapping[str, Any] | None = table.run.manifest.get("adapters", {}).get(adapter, {}).get("train")
    seconds = (recorded or {}).get("seconds")
    return None if seconds is None else float(seconds)


def _with_training(table: Table, suite: str, arm: str, unit: str) -> float | None:
    """Per request, with a share of the training; None where tokens are all that is known, or the volume is not."""
    own = cost(table, suite, arm, unit)
    if not is_trained(table, arm):
        return own if unit != "tokens" else None
    costs = table.run.manifest.get("costs", {})
    monthly, seconds, hour = costs.get("requests_per_month"), training_seconds(table, arm), costs.get("gpu_hour_usd")
    if own is None or unit == "tokens" or not monthly or seconds is None or (unit == "usd" and hour is None):
        return None
    training = seconds * hour / 3600 if unit == "usd" else seconds
    return own + float(training / (MONTHS * monthly))
