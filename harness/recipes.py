"""What a run can say about a recipe rather than one adapter: arms whose training differs in nothing but the seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness import words
from harness.compare import Table, arm_names, pair, scorer_names
from harness.data import Interval
from harness.roles import dials
from harness.stats.paired import mean
from harness.stats.seeds import SEEDS, over_seeds


@dataclass(frozen=True)
class Recipe:
    """One recipe on one suite against `baseline`. arms: its trainings, a seed each; n: samples all of them share."""

    suite: str
    baseline: str
    arms: tuple[str, ...]
    n: int
    difference: float
    interval: Interval

    @property
    def sentence(self) -> str:
        """What holds for the recipe, the spread of its trainings included."""
        found = f"{words.points(self.difference)} points ({words.interval(self.interval)} over samples and seeds"
        return (
            f"{self.suite}: the recipe of {words.listing(self.arms)} (mean of {len(self.arms)} training seeds) against "
            f"{self.baseline}: {found}, n={self.n})."
        )


def alike(table: Table, suite: str, apart: Sequence[str]) -> dict[str, list[tuple[Mapping[str, Any], str]]]:
    """(training card, arm) of the arms that share dials, base and recipe, except for the settings named in `apart`.

    Only arms whose adapter was trained on the suite, by a recipe that is on record.
    """
    found: dict[str, list[tuple[Mapping[str, Any], str]]] = defaultdict(list)
    adapters: Mapping[str, Any] = table.run.manifest.get("adapters", {})
    for arm in arm_names(table, suite):
        own = dials(table, suite, arm)
        card = (adapters.get(own.get("adapter") or "") or {}).get("train") or {}
        recipe = card.get("recipe")
        if not recipe or not card.get("examples") or suite not in recipe.get("suites", ()):
            continue
        same = {key: value for key, value in recipe.items() if key not in apart}
        rest = {key: value for key, value in own.items() if key != "adapter"}
        found[repr((sorted(same.items()), sorted(rest.items())))].append((card, arm))
    return found


def recipe_of(table: Table, suite: str, arm: str, baseline: str) -> Recipe | None:
    """The recipe that the arm is one training of, against another arm; None with fewer than SEEDS seeds."""
    groups = alike(table, suite, ("seed",)).values()
    mine = next((group for group in groups if any(name == arm for _, name in group)), [])
    by_seed = {card["recipe"].get("seed"): name for card, name in reversed(mine)}
    names = [name for _, name in mine if name in by_seed.values()]
    if len(names) < SEEDS or baseline in names:
        return None
    scorer = scorer_names(table, suite)[0]
    scores = {name: table.scores.get((suite, name, scorer), {}) for name in (*names, baseline)}
    shared = sorted(set.intersection(*(set(one) for one in scores.values())))
    if len(shared) < 2:
        return None
    rows = [[mean(scores[name][d]) - mean(scores[baseline][d]) for d in shared] for name in names]
    pairs = pair(table, baseline, table, arm, suite, scorer)
    sources = [table.clusters[suite][d] for d in shared] if table.suites[suite].get("cluster") else []
    difference, interval = over_seeds(rows, 1 - pairs.error(), sources)
    return Recipe(suite, baseline, tuple(names), len(shared), difference, interval)
