"""Arms side by side on the same samples: what was measured (summarize) and how two arms differ (compare).

Samples are paired by content (Row.sample_digest), never by position or id. Two sides that were not measured the same
way raise NotComparable before any number. An answer the engine failed to give (finish_reason "error") counts as
missing, as does an answer without a score; an answer the model got wrong does not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from typing import Any

from harness.data import ArmSummary, Comparison, Interval, Row, Run
from harness.errors import NotComparable, RunError, did_you_mean
from harness.stats.agreement import LEAST
from harness.stats.clusters import LEAST as CLUSTERS
from harness.stats.paired import SAME, difference_interval, difference_p, flips, mean, mean_interval
from harness.stats.power import smallest_difference, spread
from harness.stats.ratio import p95
from harness.stats.sequential import alpha_at
from harness.store import engine_seconds, without_collection

ALPHA = 0.05
KEPT = 64
"""Results kept per function here: one report or verdict asks for the same few again and again."""
SMALL = 30
"""Below this many samples a comparison says so."""


@dataclass(frozen=True, eq=False)  # equal only to itself: what is worked out from a table is kept for that table
class Table:
    """A run, indexed: answers by (suite, arm), and scores by (suite, arm, scorer) and sample digest, and
    the probe (metadata key "probe", else "all") and the cluster (the metadata key that the suite names, else the sample
    itself) by suite and sample digest. Scores stand in the order of the digests, whatever the order of the run.

    attempted: (suite, arm) with any row, also where the engine failed on all of them and `rows` holds none.

    A question that was asked several times (same digest) holds several scores; it counts once, with their mean. Of the
    draws of one sample only the mean is kept: draws are no samples of their own.
    """

    run: Run
    suites: Mapping[str, Mapping[str, Any]]
    arms: Mapping[str, Mapping[str, Any]]
    rows: Mapping[tuple[str, str], tuple[Row, ...]]
    scores: Mapping[tuple[str, str, str], Mapping[str, tuple[float, ...]]]
    probes: Mapping[str, Mapping[str, str]]
    clusters: Mapping[str, Mapping[str, str]]
    attempted: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Pairs:
    """Scores of two arms on the same samples, ordered by digest. missing: samples that one side or both lack.

    clusters: the name of each sample's source, empty where the suite has none. sizes, look: samples in at each declared
    look, and the look reached, 1, 2, ...; (), 0 where all samples were asked at once.
    """

    baseline: tuple[float, ...]
    candidate: tuple[float, ...]
    probes: tuple[str, ...]
    missing: int
    clusters: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    look: int = 0

    def error(self, wanted: float = ALPHA) -> float:
        """The nominal two-sided error with which all looks together err as often as wanted (stats/sequential.py)."""
        return alpha_at(self.sizes, self.look, wanted) if self.sizes else wanted


@dataclass(frozen=True)
class Lost:
    """A sample on which the candidate scores less than the baseline did; scores 0..1."""

    suite: str
    scorer: str
    sample: str
    digest: str
    before: float
    now: float


def _kept_for_two_runs(make: Callable[[Run], Table]) -> Callable[[Run], Table]:
    """`make`, with the tables of the last two runs kept: a verdict asks for the same one many times."""
    kept: deque[Table] = deque(maxlen=2)

    @wraps(make)
    def look_up(run: Run) -> Table:
        found = next((table for table in kept if table.run is run), None)
        if found is None:
            found = make(run)
            kept.append(found)
        return found

    return look_up


@_kept_for_two_runs
@without_collection()
def tabulate(run: Run) -> Table:
    """A run as lookup tables. Of two rows for one draw of one sample of one arm, the later one counts."""
    latest = {(row.suite, row.arm, row.sample, row.draw): row for row in run.rows}
    suites = run.manifest.get("suites", {})
    keys = {suite: about.get("cluster") or "" for suite, about in suites.items()}
    digests: dict[tuple[str, str], dict[str, str]] = {}
    rows: dict[tuple[str, str], list[Row]] = {}
    probes: dict[str, dict[str, str]] = {}
    clusters: dict[str, dict[str, str]] = {}
    for (suite, arm, sample, _), row in latest.items():
        digest, metadata = row.sample_digest, row.metadata
        digests.setdefault((suite, arm), {})[sample] = digest
        if row.completion.finish_reason != "error":
            rows.setdefault((suite, arm), []).append(row)
            probes.setdefault(suite, {})[digest] = str(metadata.get("probe", "all")) if metadata else "all"
            source = metadata.get(keys.get(suite, "")) if metadata else None
            clusters.setdefault(suite, {})[digest] = digest if source is None else f"source {source}"
    scores: dict[tuple[str, str, str], dict[str, tuple[float, ...]]] = {}
    for (suite, arm, scorer), values in sample_scores(run).items():
        by_digest: dict[str, tuple[float, ...]] = {}
        known = digests[suite, arm]
        for sample, value in values.items():
            digest = known[sample]
            by_digest[digest] = (*by_digest[digest], value) if digest in by_digest else (value,)
        scores[suite, arm, scorer] = {digest: by_digest[digest] for digest in sorted(by_digest)}
    return Table(
        run,
        suites,
        run.manifest.get("arms", {}),
        {key: tuple(found) for key, found in rows.items()},
        scores,
        probes,
        clusters,
        frozenset(digests),
    )


def sample_scores(run: Run) -> dict[tuple[str, str, str], dict[str, float]]:
    """(suite, arm, scorer) -> sample -> score, the mean over the sample's draws.

    Left out where the engine failed, and where a draw or its score is missing: a mean over those that happen to be
    there would favour whoever fails on the harder ones.
    """
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    if all(row.draws == 1 for row in run.rows):
        good: dict[tuple[str, str], set[str]] = {}
        for row in run.rows:
            there = good.setdefault((row.suite, row.arm), set())
            (there.discard if row.completion.finish_reason == "error" else there.add)(row.sample)
        for s in run.scores:
            if s.sample in good.get((s.suite, s.arm), ()):
                found.setdefault((s.suite, s.arm, s.scorer), {})[s.sample] = float(s.score.value)
        return found
    wanted: dict[tuple[str, str], int] = {}
    answered: set[tuple[str, str, str, int]] = set()
    for row in run.rows:
        place = row.suite, row.sample
        wanted[place] = max(row.draws, wanted.get(place, 1))
        draw = (row.suite, row.arm, row.sample, row.draw)
        (answered.discard if row.completion.finish_reason == "error" else answered.add)(draw)
    drawn: dict[tuple[str, str, str, str], dict[int, float]] = {}
    for s in run.scores:
        if (s.suite, s.arm, s.sample, s.draw) in answered:
            drawn.setdefault((s.suite, s.arm, s.scorer, s.sample), {})[s.draw] = float(s.score.value)
    for (suite, arm, scorer, sample), values in drawn.items():
        if len(values) == wanted[suite, sample]:
            found.setdefault((suite, arm, scorer), {})[sample] = mean(list(values.values()))
    return found


def suite_names(table: Table) -> list[str]:
    """Suites of the manifest that hold at least one answer, in the manifest's order."""
    return [suite for suite in table.suites if any((suite, arm) in table.rows for arm in table.arms)]


def arm_names(table: Table, suite: str) -> list[str]:
    """Arms with at least one answer on this suite, in the manifest's order."""
    return [arm for arm in table.arms if (suite, arm) in table.rows]


def attempted_suites(table: Table, arm: str | None = None) -> list[str]:
    """Suites that the arm (None: any arm) was asked, also where the engine failed on every sample."""
    asked_ = {suite for suite, name in table.attempted if arm in (None, name)}
    return [suite for suite in table.suites if suite in asked_]


def attempted_arms(table: Table, suite: str) -> list[str]:
    """Arms that were asked this suite, also where the engine failed on every sample, in the manifest's order."""
    return [arm for arm in table.arms if (suite, arm) in table.attempted]


def scorer_names(table: Table, suite: str) -> list[str]:
    """The suite's scorers, the primary one first."""
    about = table.suites[suite]
    specs = sorted(about["scorers"], key=lambda spec: not spec.get("primary", False))
    return [spec["name"] for spec in (*specs, *about.get("graders", ()))]


def grader(table: Table, suite: str, scorer: str) -> Mapping[str, Any] | None:
    """What the run says of a scorer that asks a model (see grading); None for any other scorer."""
    return _graders(table, suite).get(scorer)


def agreement(card: Mapping[str, Any] | None, arm: str) -> str:
    """A judge's agreement with people about one arm, in words; "" for a scorer that needs none.

    >>> agreement({"wants_labels": True, "labels": 3, "kappa": {}}, "lora")
    'not validated'
    """
    if not card or not card.get("wants_labels"):
        return ""
    if card.get("labels", 0) < LEAST:
        return "not validated"
    found = card["kappa"].get(arm) or {}
    if found.get("kappa") is None:
        return "agreement unknown for this arm"
    return f"kappa {found['kappa']:.2f}, {found['low']:.2f} to {found['high']:.2f}, {found['n']} labels"


def one_of(scores: Sequence[float]) -> float:
    """The one score of a question that was asked several times: their mean. At least one."""
    return scores[0] if len(scores) == 1 else mean(scores)


def summarize(run: Run) -> list[ArmSummary]:
    """Every arm on every suite, by the primary scorer; see ArmSummary. Arms without any score are left out."""
    table = tabulate(run)
    found = [summarize_arm(table, suite, arm) for suite in suite_names(table) for arm in arm_names(table, suite)]
    return [summary for summary in found if summary is not None]


@lru_cache(maxsize=KEPT)
def summarize_arm(table: Table, suite: str, arm: str) -> ArmSummary | None:
    """One arm on one suite, None if nothing of it was scored."""
    scorer = scorer_names(table, suite)[0]
    found = table.scores.get((suite, arm, scorer), {})
    scores = list(map(one_of, found.values()))
    if not scores:
        return None
    sources = [table.clusters[suite][digest] for digest in found] if table.suites[suite].get("cluster") else []
    completions = [row.completion for row in table.rows[suite, arm]]
    seconds = [c.seconds for c in completions]
    return ArmSummary(
        suite=suite,
        arm=arm,
        scorer=scorer,
        n=len(scores),
        mean=mean(scores),
        interval=mean_interval(scores, clusters=sources),
        prompt_tokens=mean([c.prompt_tokens for c in completions]),
        completion_tokens=mean([c.completion_tokens for c in completions]),
        seconds=mean(seconds),
        seconds_p95=p95(seconds),
        engine_seconds=engine_seconds(table.run, suite, arm),
        fine_tuned=table.arms[arm].get("adapter") is not None,
        cut_off=sum(c.finish_reason in ("length", "thinking") for c in completions),
    )


def compare(run: Run, suite: str, baseline: str, candidate: str, scorer: str | None = None) -> Comparison:
    """Two arms of one run on one suite, by its primary scorer unless another is named.

    Raises NotComparable when they share fewer than two samples, RunError for a name the run does not know.
    """
    table = tabulate(run)
    return compare_tables(table, baseline, table, candidate, suite, scorer)


def compare_runs(run_a: Run, arm_a: str, run_b: Run, arm_b: str, suite: str, scorer: str | None = None) -> Comparison:
    """An arm of one run (baseline) against an arm of another (candidate) on one suite.

    Raises NotComparable, naming what differs, when the suite's version or content, the scorer or the sampling differ.
    """
    return compare_tables(tabulate(run_a), arm_a, tabulate(run_b), arm_b, suite, scorer)


@lru_cache(maxsize=KEPT)
def compare_tables(
    a: Table, baseline: str, b: Table, candidate: str, suite: str, scorer: str | None = None
) -> Comparison:
    """compare_runs on runs that are already indexed."""
    _check_names(a, suite, baseline)
    _check_names(b, suite, candidate)
    differing = differences(a, b, suite)
    if differing:
        raise NotComparable(f"{suite}: measured in two ways: {'; '.join(differing)}. Run both sides the same way.")
    name = scorer or scorer_names(a, suite)[0]
    if name not in scorer_names(a, suite):
        raise RunError(f"{suite}: no scorer '{name}'.{did_you_mean(name, scorer_names(a, suite))}")
    pairs = pair(a, baseline, b, candidate, suite, name)
    if len(pairs.baseline) < 2:
        raise NotComparable(
            f"{suite}: {baseline} and {candidate} share {len(pairs.baseline)} scored samples, at least 2 are needed. "
            "Finish both runs."
        )
    return compare_pairs(suite, name, baseline, candidate, pairs)


def differences(a: Table, b: Table, suite: str) -> list[str]:
    """What keeps two runs from being compared on a suite: version, scorers, sampling, content. Empty if nothing."""
    if a.run is b.run:
        return []
    one, two = a.suites[suite], b.suites[suite]
    found = [
        f"{what} {one.get(key)} and {two.get(key)}"
        for key, what in (("version", "suite version"), ("scorers", "scorers"), ("sampling", "sampling"))
        if one.get(key) != two.get(key)
    ]
    asked = [{name: card["digest"] for name, card in _graders(side, suite).items()} for side in (a, b)]
    if asked[0] != asked[1]:
        found.append("the model that graders ask")
    if one.get("digest") != two.get("digest"):
        found.append(f"suite digest {str(one.get('digest'))[:12]} and {str(two.get('digest'))[:12]}")
    orders = [(side["looks"]["seed"], list(side["looks"]["sizes"])) for side in (one, two) if _stopped(side)]
    if len(orders) == 2 and orders[0] != orders[1]:
        found.append(f"asked until decided in two orders (--seed {orders[0][0]} and {orders[1][0]})")
    return found


def _stopped(about: Mapping[str, Any]) -> bool:
    """Whether a suite was asked until decided, and not to the end."""
    return bool(about.get("looks")) and asked(about) < int(about.get("n_test") or 0)


@dataclass(frozen=True)
class Scope:
    """What two sides are held to each other on. digests: of the samples, None: all; wanted: how many those are.

    sizes, look: as in Pairs. Where a side was asked until decided, its samples are the first of a random order that was
    declared beforehand: the other side is held to it on those, with the intervals of that look.
    """

    digests: frozenset[str] | None
    wanted: int
    sizes: tuple[int, ...] = ()
    look: int = 0

    def of(self, scores: Mapping[str, tuple[float, ...]]) -> Mapping[str, tuple[float, ...]]:
        """The scores (by digest) of these samples."""
        return scores if self.digests is None else {d: v for d, v in scores.items() if d in self.digests}


def scope(a: Table, b: Table, suite: str) -> Scope:
    """The samples of a suite that both sides should have answered."""
    sides = [(asked(table.suites[suite]), table) for table in (a, b) if suite in table.suites]
    looked = [(wanted, table) for wanted, table in sides if table.suites[suite].get("looks")]
    if not looked:
        return Scope(None, max(wanted for wanted, _ in sides))
    wanted, table = min(looked, key=lambda side: side[0])
    looks = table.suites[suite]["looks"]
    known = None if a.run is b.run else frozenset(row.sample_digest for row in table.run.rows if row.suite == suite)
    return Scope(known, wanted, tuple(looks["sizes"]), int(looks["used"]))


@lru_cache(maxsize=KEPT)
def pair(a: Table, baseline: str, b: Table, candidate: str, suite: str, scorer: str) -> Pairs:
    """Scores of both sides on the samples they share, in an order that does not depend on the runs' order."""
    held = scope(a, b, suite)
    left = held.of(a.scores.get((suite, baseline, scorer), {}))
    right = held.of(b.scores.get((suite, candidate, scorer), {}))
    shared = [digest for digest in left if digest in right]
    given = [sum(map(len, side.values())) for side in (left, right)]
    if given == [len(left), len(right)]:  # one score of each question; the others need not be looked for
        answered = len(shared)
        scores = [tuple([side[d][0] for d in shared]) for side in (left, right)]
    else:
        answered = sum(min(len(left[d]), len(right[d])) for d in shared)
        scores = [tuple([one_of(side[d]) for d in shared]) for side in (left, right)]
    there = sum(given) - answered  # of a question that both sides have several scores of, the larger number
    wanted = max(held.wanted, there)
    probes, clusters = a.probes[suite] if shared else {}, a.clusters[suite] if shared else {}
    return Pairs(
        scores[0],
        scores[1],
        tuple([probes[d] for d in shared]),
        wanted - answered,
        tuple([clusters[d] for d in shared]) if a.suites[suite].get("cluster") else (),
        held.sizes,
        held.look,
    )


def losses(a: Table, baseline: str, b: Table, candidate: str, suite: str, scorer: str, most: int) -> list[Lost]:
    """The samples that the candidate answers worse, the largest losses first, at most so many."""
    left = a.scores.get((suite, baseline, scorer), {})
    right = b.scores.get((suite, candidate, scorer), {})
    names: dict[str, str] = {}
    for row in b.rows.get((suite, candidate), ()):
        names[row.sample_digest] = min(row.sample, names.get(row.sample_digest, row.sample))
    found = [
        Lost(suite, scorer, names[digest], digest, mean(left[digest]), mean(right[digest]))
        for digest in left.keys() & right.keys()
    ]
    found = [one for one in found if one.before - one.now > SAME]
    return sorted(found, key=lambda one: (one.now - one.before, one.sample))[:most]


def _graders(table: Table, suite: str) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = table.run.manifest.get("graders", {}).get(suite, {})
    return found


def asked(about: Mapping[str, Any]) -> int:
    """How many samples a run set out to answer: all of the test split, unless it was limited (n_asked)."""
    return int(about.get("n_asked") or about.get("n_test") or 0)


def compare_pairs(suite: str, scorer: str, baseline: str, candidate: str, pairs: Pairs) -> Comparison:
    """The Comparison of two arms whose scores are already paired; at least two pairs."""
    left, right = pairs.baseline, pairs.candidate
    n = len(left)
    wins, losses = flips(left, right)
    p, p_method = difference_p(left, right, clusters=pairs.clusters)
    sources = len(set(pairs.clusters)) or n
    return Comparison(
        suite=suite,
        scorer=scorer,
        baseline=baseline,
        candidate=candidate,
        n=n,
        missing=pairs.missing,
        baseline_mean=mean(left),
        candidate_mean=mean(right),
        difference=mean([c - b for b, c in zip(left, right, strict=True)]),
        interval=_said(difference_interval(left, right, 1 - pairs.error(), pairs.clusters), pairs),
        p=p,
        p_method=p_method,
        wins=wins,
        losses=losses,
        ties=n - wins - losses,
        mde=smallest_difference(spread(left, right, pairs.clusters), n, 1 - pairs.error()),
        note=_note(mean(left), mean(right), n, pairs.missing, sources),
    )


def _said(interval: Interval, pairs: Pairs) -> Interval:
    """Where there were several looks, the level that all their intervals have together."""
    if not pairs.sizes:
        return interval
    return replace(interval, level=1 - ALPHA, method=f"{interval.method}, repeated looks")


def _note(baseline: float, candidate: float, n: int, missing: int, sources: int) -> str:
    notes = []
    if baseline == candidate and baseline in (0, 1):
        notes.append(f"both at {baseline:.0%}: this suite cannot tell them apart".replace("%", " %"))
    if n < SMALL:
        notes.append(f"only {n} samples")
    if sources < n:
        few = f", {CLUSTERS} are needed for a verdict" if sources < CLUSTERS else ""
        notes.append(f"{n} samples from {sources} sources{few}")
    if missing:
        notes.append(f"{missing} of {n + missing} samples are missing")
    return "; ".join(notes)


def _check_names(table: Table, suite: str, arm: str) -> None:
    where = table.run.path
    if suite not in table.suites:
        raise RunError(f"{where}: no suite '{suite}'.{did_you_mean(suite, table.suites)}")
    if arm not in table.arms:
        raise RunError(f"{where}: no arm '{arm}'.{did_you_mean(arm, table.arms)}")
