"""Before anything is spent: what can be seen, how many samples and seeds a question needs, what an answer will cost.

No model is loaded, only tokenizers: prompts are rendered by the pipeline itself (tasks.plan), so their tokens are
exact. What cannot be known beforehand comes from earlier runs (`--from`), or from a probe of a few dev samples through
the engine (`--probe`; never test samples). What neither tells is None, "unknown" in words, and nobody's guess.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import words
from harness.compare import Table, pair, scorer_names, summarize_arm, tabulate
from harness.data import Arm, Config, Run, Suite
from harness.effort import Training, Work, probe_arms, same_arm, tokenizers_of, trainings_of, work_of
from harness.roles import candidates, reference
from harness.stats.paired import deviation
from harness.stats.power import samples_for_difference, seeds_for_difference, smallest_difference, spread

SHARES = (0.05, 0.1, 0.2, 0.3)
"""Shares of samples on which two arms disagree, for which the smallest visible difference is always said."""
ASSUMED_SHARE = 0.2
ASSUMED_SEED_SD = 0.02


@dataclass(frozen=True)
class Sight:
    """What one suite can show. Differences are 0..1, found with 80 % power by a two-sided test at 5 %.

    visible: smallest difference per share of SHARES. share: of samples on which two arms disagree (for graded scores
    the variance of differences), and `basis` where it comes from; smallest: the smallest difference at that share.
    needed: test samples to see the wanted difference. seed_sd: of the mean score over training seeds, and its basis.
    seeds: trainings for a claim about a recipe. needed, seeds: None where no number would do (for seeds: not with so
    few samples).
    """

    suite: str
    samples: int
    sources: int
    visible: Mapping[str, float]
    share: float
    basis: str
    smallest: float
    needed: int | None
    seed_sd: float
    seed_basis: str
    seeds: int | None


@dataclass(frozen=True)
class Plan:
    """detect: the wanted difference, 0..1. price: US dollars per GPU hour, None where models.yaml has none."""

    detect: float
    price: float | None
    sights: tuple[Sight, ...]
    works: tuple[Work, ...]
    trainings: tuple[Training, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return asdict(self)

    def tables(self) -> Iterator[tuple[str, list[str], list[list[str]]]]:
        """(question, header, rows) for a terminal."""
        wanted = words.plain_points(self.detect)
        yield (
            "What can be seen? The smallest true difference in points (80 % power), by how often arms differ",
            [
                "suite",
                "samples",
                "sources",
                *(f"at {share:.0%}" for share in SHARES),
                "here",
                "differ on",
                f"for {wanted}",
            ],
            [_seen(sight) for sight in self.sights],
        )
        yield (
            f"How many trainings for a claim about a recipe, not one adapter ({wanted})?",
            ["suite", "seed SD", "from", "seeds"],
            [
                [s.suite, words.plain_points(s.seed_sd), s.seed_basis, _or(s.seeds, "more samples first")]
                for s in self.sights
            ],
        )
        yield (
            "What will be asked?",
            ["suite", "arm", "requests", "prompt tokens", "completion tokens", "at most", "from"],
            [
                [
                    w.suite,
                    w.arm,
                    f"{w.requests:,}",
                    _or(w.prompt_tokens),
                    _or(w.completion_tokens),
                    _or(w.at_most),
                    w.basis,
                ]
                for w in self.works
            ],
        )
        yield (
            "How long will it take, and what will it cost?",
            ["suite", "arm", "time", "cost", "from"],
            [[w.suite, w.arm, _time(w.seconds), _money(w.usd), w.time_basis] for w in self.works] + [self._total()],
        )
        if self.trainings:
            yield (
                "What is to be trained?",
                ["adapter", "examples", "tokens", "time", "cost", "from"],
                [
                    [t.adapter, "-", "-", "-", "-", t.basis]
                    if t.done
                    else [t.adapter, _or(t.examples), _or(t.tokens), _time(t.seconds), _money(t.usd), t.basis]
                    for t in self.trainings
                ],
            )

    def _total(self) -> list[str]:
        known = [w for w in self.works if w.seconds is not None]
        some = "" if len(known) == len(self.works) else f"{len(self.works) - len(known)} unknown"
        seconds = sum(w.seconds or 0.0 for w in known)
        priced = [w.usd for w in self.works if w.usd is not None]
        return ["all", "", _time(seconds if known else None), _money(sum(priced) if priced else None), some]


def make_plan(
    config: Config,
    suites: Sequence[Suite],
    arms: Sequence[Arm],
    *,
    detect: float = 0.05,
    earlier: Sequence[Run] = (),
    probe: int = 0,
    engine: str | None = None,
    root: Path | None = None,
) -> Plan:
    """What running these arms on these suites can show and will take.

    detect: the difference one wants to see, 0..1. earlier: runs to learn from. probe: dev samples per suite and arm
    that are sent through the engine. engine: as in runner.run; times of earlier runs count only if they used it.
    Raises HarnessError for arms or suites that cannot be read, and what an engine raises in a probe.
    """
    notes: list[str] = []
    tables = [tabulate(run) for run in earlier]
    probed = probe_arms(config, suites, arms, probe, engine, root, notes) if probe else {}
    price = config.costs.gpu_hour_usd
    if price is None:
        notes.append(f"No price: {Path(config.path).name} has no costs.gpu_hour_usd.")
    sights = [_sight(config, suite, arms, tables, detect) for suite in suites]
    for suite, sight in zip(suites, sights, strict=True):
        if sight.sources < sight.samples and "assumed" in sight.basis:
            alone = smallest_difference(ASSUMED_SHARE**0.5, sight.sources)
            notes.append(
                f"{suite.name}: {sight.samples} samples of {sight.sources} sources; if those of one source all agree, "
                f"they count as {sight.sources}, and {words.plain_points(alone)} is the smallest difference."
            )
        if suite.graders:
            notes.append(f"{suite.name}: what {words.listing([s.name for s in suite.graders])} ask is not counted.")
    tokenizers = tokenizers_of(config, arms, root, notes)
    works = [
        max(
            (
                work_of(config, suite, one, tokenizers[arm.model], tables, probed.get(place), engine, notes)
                for one in (replace(way, name=arm.name) for way in arm.tries or (arm,))
            ),
            key=lambda work: work.prompt_tokens or -1,
        )
        for suite in suites
        for arm in arms
        for place in [(suite.name, arm.name)]
    ]
    notes += [
        f"{arm.name}: lists {len(arm.tries)} combinations of dials; its rows are the one with the longest prompts."
        for arm in arms
        if arm.tries
    ]
    if any(suite.dev for suite in suites) and len(arms) > 1:
        notes.append(
            "Answers on dev, which `harness run` asks first to choose dials and the reference, are not counted."
        )
    trainings = trainings_of(config, arms, tokenizers, tables, root)
    return Plan(detect, price, tuple(sights), tuple(works), tuple(trainings), tuple(notes))


# --- what can be seen ------------------------------------------------------------------------------------------------


def _sight(config: Config, suite: Suite, arms: Sequence[Arm], tables: Sequence[Table], detect: float) -> Sight:
    n = len(suite.test)
    found = [one for table in tables for one in _spreads(config, table, suite, arms)]
    size, basis = max(found, default=(ASSUMED_SHARE**0.5, "assumed"))
    seed_sd, seed_basis = _seed_sd(tables, suite)
    sources = {str(s.metadata.get(suite.cluster, s.digest)) for s in suite.test} if suite.cluster else range(n)
    return Sight(
        suite=suite.name,
        samples=n,
        sources=len(sources),
        visible={f"{share:g}": smallest_difference(share**0.5, n) for share in SHARES},
        share=size**2,
        basis=basis,
        smallest=smallest_difference(size, n),
        needed=samples_for_difference(size, detect),
        seed_sd=seed_sd,
        seed_basis=seed_basis,
        seeds=seeds_for_difference(seed_sd, size, n, detect),
    )


def _spreads(config: Config, table: Table, suite: Suite, arms: Sequence[Arm]) -> Iterator[tuple[float, str]]:
    """(spread, where from) of every candidate of an earlier run against its reference, where both are planned arms."""
    about = table.suites.get(suite.name)
    names = {name for arm in arms if (name := same_arm(config, table, arm)) and (suite.name, name) in table.rows}
    if about is None or len(names) < 2:
        return
    held_to = reference(table, suite.name)[0]
    other = "" if about.get("digest") == suite.digest else ", another version"
    for name in candidates(table, suite.name):
        pairs = pair(table, held_to, table, name, suite.name, scorer_names(table, suite.name)[0])
        if {name, held_to} <= names and len(pairs.baseline) > 1:
            size = spread(pairs.baseline, pairs.candidate, pairs.clusters)
            yield size, f"{table.run.path}: {name}, {held_to}{other}"


def _seed_sd(tables: Sequence[Table], suite: Suite) -> tuple[float, str]:
    """(standard deviation of the mean score over training seeds of one recipe, where from), pooled over recipes."""
    squares, freedom, seen = 0.0, 0, 0
    for table in tables:
        groups: dict[str, list[float]] = defaultdict(list)
        for name, about in table.arms.items():
            card = (table.run.manifest.get("adapters", {}).get(about.get("adapter")) or {}).get("train") or {}
            recipe = {key: value for key, value in (card.get("recipe") or {}).items() if key != "seed"}
            summary = summarize_arm(table, suite.name, name) if recipe and (suite.name, name) in table.rows else None
            if summary:
                dials = {key: value for key, value in about.items() if key != "adapter"}
                groups[json.dumps([dials, recipe], sort_keys=True, default=list)].append(summary.mean)
        for scores in groups.values():
            if len(scores) > 1:
                squares += (len(scores) - 1) * deviation(scores) ** 2
                freedom, seen = freedom + len(scores) - 1, seen + len(scores)
    if not freedom:
        return ASSUMED_SEED_SD, "assumed: no earlier candidates that differ in their seed alone"
    return (squares / freedom) ** 0.5, f"{seen} earlier candidates"


# --- words -----------------------------------------------------------------------------------------------------------


def _seen(sight: Sight) -> list[str]:
    sizes = [words.size(sight.visible[f"{share:g}"]) for share in SHARES]
    about = f"{words.percent(sight.share, 0)} ({sight.basis})"
    needed = "out of reach" if sight.needed is None else words.count(sight.needed, "sample")
    return [sight.suite, f"{sight.samples:,}", f"{sight.sources:,}", *sizes, words.size(sight.smallest), about, needed]


def _or(value: int | None, otherwise: str = "unknown") -> str:
    return otherwise if value is None else f"{value:,}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _money(usd: float | None) -> str:
    return "unknown" if usd is None else f"${usd:.2f}" if usd >= 0.01 else "under $0.01"
