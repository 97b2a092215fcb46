"""One arm over all suites: a row of the table at a glance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.compare import Table, suite_names
from harness.costs import BreakEven
from harness.data import Verdict
from harness.report.suite_view import Line, SuiteView
from harness.report.text import count, how, one_line, percent, seconds
from harness.roles import dials, is_tuned, tried
from harness.stats.forgetting import Retention


@dataclass(frozen=True)
class Cell:
    """One arm on one suite at a glance; side is "gain", "loss" or "unclear" against the reference."""

    mean: float
    reference: str
    difference: float | None
    side: str


@dataclass(frozen=True)
class Forgot:
    """A change of general ability, -1..1, with its interval and the loss allowed; word: the verdict, "" if none."""

    suite: str
    difference: float
    low: float
    high: float
    limit: float
    word: str


@dataclass(frozen=True)
class Rung:
    """One arm on one suite as a row of the ladder: its line of the table, its dials there, and the whole arm."""

    line: Line
    how: str
    arm: ArmView


@dataclass(frozen=True)
class ArmView:
    """One arm over all suites."""

    name: str
    how: str
    cells: tuple[Cell | None, ...]
    kept: str
    kept_range: str
    forgot: tuple[Forgot, ...]
    tokens: str
    training: str
    training_note: str
    break_even: str
    break_even_note: str
    pays: Mapping[str, str]


def chosen(table: Table, arm: str) -> str:
    """How an arm answered: "chosen on dev among 6: system prompt, 2 examples", by suite where that differs."""
    found = {suite: tried(table, suite, arm) for suite in suite_names(table)}
    places = {one_line(suite): how(dials(table, suite, arm)) for suite, (tries, _) in found.items() if len(tries) > 1}
    if not places:
        return how(table.arms[arm])
    said = list(dict.fromkeys(places.values()))
    text = said[0] if len(said) == 1 else "; ".join(f"{suite}: {dials_}" for suite, dials_ in places.items())
    return f"chosen on dev among {max(len(tries) for tries, _ in found.values())}: {text}"


def arm_view(
    table: Table,
    arm: str,
    suites: Sequence[SuiteView],
    kept: Sequence[Retention],
    every: Sequence[BreakEven],
    verdicts: Sequence[Verdict],
) -> ArmView:
    about, pays = table.arms[arm], pays_off(arm, every, verdicts)
    lines = [next((line for line in suite.lines if line.name == one_line(arm)), None) for suite in suites]
    tokens = [line.tokens_in + line.tokens_out for line in lines if line]
    tuned = any(is_tuned(table, retention.arm) for retention in kept)
    mine = [r for r in kept if r.arm == arm and r.macro is not None and (is_tuned(table, arm) or not tuned)]
    training, training_note = _training_cost(table, about)
    several_models = len({str(other.get("model")) for other in table.arms.values()}) > 1
    return ArmView(
        name=one_line(arm),
        how=chosen(table, arm) + (f", model {one_line(str(about.get('model')), 40)}" if several_models else ""),
        cells=tuple(
            None
            if line is None
            else Cell(line.mean, suite.reference_word if line.reference else "", line.difference, line.side)
            for line, suite in zip(lines, suites, strict=True)
        ),
        kept=", ".join(percent(retention.macro) for retention in mine if retention.macro is not None),
        kept_range=", ".join(
            f"{percent(r.interval.low)} to {percent(r.interval.high)}" for r in mine if r.interval is not None
        ),
        forgot=tuple(_forgot(one_line(arm), suites)),
        tokens=count(sum(tokens) / len(tokens)) if tokens else "–",
        training=training,
        training_note=training_note,
        break_even=pays[0],
        break_even_note=pays[1],
        pays={one_line(one.suite): _paid(one) for one in every if one.arm == arm},
    )


def _forgot(name: str, suites: Sequence[SuiteView]) -> Iterator[Forgot]:
    """What the arm's answers to the suites of general ability say, suite by suite."""
    for suite in suites:
        line = next((line for line in suite.lines if line.name == name), None)
        if suite.general and line is not None and line.difference is not None:
            word = next((said.word for said in suite.said if said.arm == name), "")
            low, high = line.difference_low, line.difference_high
            yield Forgot(suite.name, line.difference, low, high, suite.margin, word)


def ladder(table: Table, suite: SuiteView, arms: Sequence[ArmView]) -> tuple[Rung, ...]:
    """The suite's arms in the order of the run, each with what it costs to answer and to build."""
    by_name = {arm.name: arm for arm in arms}
    key = next(name for name in suite_names(table) if one_line(name) == suite.name)
    named = {one_line(arm): arm for arm in table.arms}

    def answered(arm: str) -> str:
        tries = len(tried(table, key, arm)[0])
        return (f"chosen on dev among {tries}: " if tries > 1 else "") + how(dials(table, key, arm))

    return tuple(Rung(line, answered(named[line.name]), by_name[line.name]) for line in suite.lines)


def _training_cost(table: Table, arm: Mapping[str, Any]) -> tuple[str, str]:
    """Training time, and its price as a note where the price of a GPU hour is known."""
    if not arm.get("adapter"):
        return "none", ""
    train = table.run.manifest.get("adapters", {}).get(arm["adapter"], {}).get("train") or {}
    if train.get("seconds") is None:
        return "not recorded", ""
    price = table.run.manifest.get("costs", {}).get("gpu_hour_usd")
    return seconds(train["seconds"]), f"${train['seconds'] * price / 3600:.2f}" if price else ""


def _paid(one: BreakEven) -> str:
    return one_line(one.reason) if one.requests is None else f"pays off after {one.requests:,} requests"


def pays_off(arm: str, pays: Sequence[BreakEven], verdicts: Sequence[Verdict]) -> tuple[str, str]:
    """The earliest break-even over the suites where the arm is not turned down, or why there is none."""
    turned_down = {v.suite for v in verdicts if v.candidate == arm and v.decision == "do not adopt"}
    mine = [entry for entry in pays if entry.arm == arm and entry.suite not in turned_down]
    reached = [entry for entry in mine if entry.requests is not None]
    if reached:
        first = min(reached, key=lambda entry: entry.requests or 0)
        return f"{first.requests:,} requests", f"to {one_line(first.suite, 20)}, not {one_line(first.against, 20)}"
    return ("never", one_line(mine[0].reason)) if mine else ("–", "")
