"""Which arm plays which part: cheapest first, the reference, the candidates, the base a candidate is held to."""

from __future__ import annotations

from harness.compare import Table, arm_names, scorer_names
from harness.stats.paired import SAME, mean


def is_tuned(table: Table, arm: str) -> bool:
    """Whether the arm answers with a fine-tuned adapter."""
    return table.arms[arm].get("adapter") is not None


def is_ceiling(table: Table, arm: str) -> bool:
    """Whether the arm is given the passages that hold the answer: nobody could run it, so no decision rests on it."""
    return table.arms[arm].get("retrieve") == "gold"


def by_cost(table: Table, suite: str) -> list[str]:
    """Arms on a suite, cheapest first: no training before training, first model before later ones, then tokens.

    Ceilings have no part in decisions and are left out, unless there is nothing else. Tokens per request are counted,
    not timed, so that the same answers always give the same order.
    """
    models = list(table.run.manifest.get("models", {}))

    def cost(arm: str) -> tuple[bool, int, float, str]:
        model = table.arms[arm].get("model")
        completions = [row.completion for row in table.rows[suite, arm]]
        tokens = mean([c.prompt_tokens + c.completion_tokens for c in completions])
        return is_tuned(table, arm), models.index(model) if model in models else len(models), tokens, arm

    names = arm_names(table, suite)
    return sorted([arm for arm in names if not is_ceiling(table, arm)] or names, key=cost)


def candidates(table: Table, suite: str) -> list[str]:
    """The arms a decision is about, cheapest first: the fine-tuned ones; without any, all but the cheapest arm."""
    arms = [arm for arm in by_cost(table, suite) if not is_ceiling(table, arm)]
    tuned = [arm for arm in arms if is_tuned(table, arm)]
    return (tuned if len(tuned) < len(arms) else tuned[1:]) if tuned else arms[1:]


def reference(table: Table, suite: str) -> tuple[str, str]:
    """(arm, what it is): the best arm without fine-tuning; without a fine-tuned arm, the cheapest one.

    Best by the primary score; of equals, the cheapest.
    """
    arms = by_cost(table, suite)
    plain = [arm for arm in arms if not is_tuned(table, arm)]
    if not plain or len(plain) == len(arms):
        return arms[0], "the cheapest arm"
    if len(plain) == 1:
        return plain[0], "the only arm without fine-tuning"
    return best(table, suite, plain), "the best arm without fine-tuning"


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
    plain = [a for a in others if _dials(table, a) == PLAIN]
    if not is_tuned(table, arm):
        return plain[0] if plain and _dials(table, arm) != PLAIN else None
    same = [a for a in others if _dials(table, a) == _dials(table, arm)]
    return next(iter(same + plain + others), None)


PLAIN = (False, 0, 0)


def _dials(table: Table, arm: str) -> tuple[bool, int, int | str]:
    dials = table.arms[arm]
    return bool(dials.get("system")), int(dials.get("shots") or 0), dials.get("retrieve") or 0


def _mean(table: Table, suite: str, arm: str, scorer: str) -> float:
    scores = table.scores.get((suite, arm, scorer), {})
    return mean([mean(values) for values in scores.values()]) if scores else 0.0
