"""One word for every arm of a suite, by the ladder: where it ends, how firmly, and why the others are not it.

Start from the cheapest arm and move to a dearer one only if it is shown better, by an observed gain that counts
(ladder.py). Fine-tuned arms have their verdict (verdict.py): one that is adopted is the end, unless a dearer arm is
shown better still. Every other arm is held to the end, an adopted one that is passed, too: the end alone is adopted.
Headline, picks and the column of words all go by `end_of`.

    settled    every other arm is shown to be less than the gain better than the end (95 % interval)
    leaning    not; so many more samples would settle it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from harness import words
from harness.compare import ALPHA, Table, compare_tables, pair, scorer_names, suite_names
from harness.data import Comparison, Decision, Verdict
from harness.errors import NotComparable
from harness.ladder import GAIN, climb, judge_gain, judge_with_missing
from harness.prices import cost, unit_of
from harness.roles import by_cost, is_ceiling
from harness.stats.clusters import LEAST, shared
from harness.stats.paired import difference_bound, mean
from harness.stats.power import samples_for_margin, spread


@dataclass(frozen=True)
class Rung:
    """One arm: its word, against which arm, in a sentence, and what a request costs (in the ladder's unit)."""

    arm: str
    decision: Decision
    against: str
    sentence: str
    cost: float | None


@dataclass(frozen=True)
class Ladder:
    """All arms of one suite, cheapest first. end: where the ladder ends. unit: of costs: "usd", "seconds", "tokens".

    more_samples: that would settle it, None where it is settled or no number would.
    """

    suite: str
    end: str
    grade: Literal["settled", "leaning"]
    sentence: str
    more_samples: int | None
    unit: str
    rungs: tuple[Rung, ...]


def ladders(table: Table, verdicts: Sequence[Verdict], gain: float = GAIN) -> list[Ladder]:
    """A ladder per suite that is not a general one and has two arms or more, ceilings aside."""
    names = [suite for suite in suite_names(table) if table.suites[suite].get("kind") != "general"]
    return [
        ladder(table, suite, [verdict for verdict in verdicts if verdict.suite == suite], gain)
        for suite in names
        if len(arms := by_cost(table, suite)) > 1 and not is_ceiling(table, arms[0])
    ]


def ladder(table: Table, suite: str, verdicts: Sequence[Verdict], gain: float = GAIN) -> Ladder:
    """The ladder of one suite. verdicts: those on this suite."""
    arms = by_cost(table, suite)
    end = end_of(table, suite, verdicts, gain)
    said = {verdict.candidate: verdict for verdict in verdicts if verdict.reference}
    unit = unit_of(table, suite, arms)
    rungs = []
    for arm in arms:
        if arm in said and (arm == end or said[arm].decision != "adopt"):
            word, against, sentence = said[arm].decision, said[arm].reference, said[arm].sentence
        elif arm == end and _unsolved(table, suite):
            word, against, sentence = "do not adopt", "", f"{suite}: do not adopt {arm}. Every arm scores 0 %."
        elif arm == end:
            word, against = "adopt", ""
            sentence = f"{suite}: adopt {arm}. No dearer arm is shown better by {words.plain_points(gain)} or more."
        else:
            word, against, sentence = _against_end(table, suite, arm, end, arms, gain)
        rungs.append(Rung(arm, word, against, sentence, cost(table, suite, arm, unit)))
    rivals, more = _rivals(table, suite, end, arms, gain)
    text = f"{suite}: the ladder ends on {end}, "
    if not rivals:
        text += f"settled: no other arm can be better by {words.plain_points(gain)} or more."
    else:
        several = f"{words.listing(rivals)} may still be better by {words.plain_points(gain)} or more"
        text += f"leaning: {several}." + (f" About {words.about(more)} more samples would settle it." if more else "")
    return Ladder(suite, end, "leaning" if rivals else "settled", text, more, unit, tuple(rungs))


def ends(table: Table, verdicts: Sequence[Verdict], gain: float = GAIN) -> dict[str, str]:
    """The arm to use for every suite that is not a general one and has more than ceilings: suite -> `end_of`."""
    names = [suite for suite in suite_names(table) if table.suites[suite].get("kind") != "general"]
    found = {suite: end_of(table, suite, [v for v in verdicts if v.suite == suite], gain) for suite in names}
    return {suite: arm for suite, arm in found.items() if not is_ceiling(table, arm)}


def unsolved(table: Table) -> list[str]:
    """Suites that are not general ones and on which no arm scores above 0: there, no arm is worth keeping."""
    names = [suite for suite in suite_names(table) if table.suites[suite].get("kind") != "general"]
    return [suite for suite in names if _unsolved(table, suite)]


def _unsolved(table: Table, suite: str) -> bool:
    main = scorer_names(table, suite)[0]
    return not any(
        value for arm in table.arms for draws in table.scores.get((suite, arm, main), {}).values() for value in draws
    )


def end_of(table: Table, suite: str, verdicts: Sequence[Verdict], gain: float = GAIN) -> str:
    """The arm to use: the last adopted one, or a dearer one shown better still; else the climb over untrained arms."""
    arms = by_cost(table, suite)
    adopted = [verdict.candidate for verdict in verdicts if verdict.decision == "adopt"]
    judged = {verdict.candidate for verdict in verdicts if verdict.reference}
    start = adopted[-1] if adopted else next((arm for arm in arms if arm not in judged), arms[0])
    above = arms[arms.index(start) + 1 :] if start in arms else []
    return climb(table, suite, gain, start, [arm for arm in above if arm not in judged])


def _against_end(
    table: Table, suite: str, arm: str, end: str, arms: Sequence[str], gain: float
) -> tuple[Decision, str, str]:
    """The word on an arm that is not the end."""
    found = _compared(table, suite, end, arm)
    if found is None:
        return "not comparable", end, f"{suite}: not comparable: {arm} and {end} share fewer than two samples."
    evidence = f"{arm} against {end}, where the ladder ends: {words.evidence(found)}"
    cheaper = arms.index(arm) < arms.index(end)
    low, high = (arm, end) if cheaper else (end, arm)
    pairs = pair(table, low, table, high, suite, scorer_names(table, suite)[0])
    word, _ = judge_with_missing(pairs, partial(judge_gain, gain=gain))
    if word == "not comparable":
        return word, end, f"{suite}: not comparable: samples are missing that could turn it. {evidence}."
    turned = word == "adopt" if cheaper else word == "do not adopt"
    if turned:
        return "do not adopt", end, f"{suite}: do not adopt {arm}. {evidence}."
    return "not decided", end, f"{suite}: not decided on {arm}. {evidence}."


def _rivals(table: Table, suite: str, end: str, arms: Sequence[str], gain: float) -> tuple[list[str], int | None]:
    """(arms that may be better than the end by the gain or more, how many more samples would rule that out)."""
    rivals, more = [], []
    for arm in arms:
        if arm == end:
            continue
        pairs = pair(table, end, table, arm, suite, scorer_names(table, suite)[0])
        left, right = pairs.baseline, pairs.candidate
        few = len(left) < 2 or (shared(pairs.clusters) and len(set(pairs.clusters)) < LEAST)
        confidence = 1 - pairs.error() / 2  # as judge_gain rules a gain out
        if not few and not pairs.missing and difference_bound(left, right, confidence, "upper", pairs.clusters) < gain:
            continue
        rivals.append(arm)
        if not few:
            needed = samples_for_margin(
                spread(left, right, pairs.clusters), gain - (mean(right) - mean(left)), ALPHA / 2
            )
            more.append(needed - len(left) if needed is not None and needed > len(left) else 0)
        else:
            more.append(0)
    return rivals, max(more) if more and min(more) > 0 else None


def _compared(table: Table, suite: str, baseline: str, candidate: str) -> Comparison | None:
    try:
        return compare_tables(table, baseline, table, candidate, suite)
    except NotComparable:
        return None
