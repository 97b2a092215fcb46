"""Each suite's decision as a tile for the first screen: a word, the arm to use, and the number behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.suite_view import SuiteView
from harness.report.text import percent, points
from harness.words import listing

TILES = 12
"""Suites that have a tile; with more of them the first screen would be tiles only."""


@dataclass(frozen=True)
class Tile:
    """word: one of the four, or "keep" where nothing is adopted; it gives the colour and the sign, not the text."""

    suite: str
    place: int
    word: str
    title: str
    detail: str


def tiles(suites: Sequence[SuiteView]) -> tuple[Tile, ...]:
    """A tile per suite that has verdicts; none for more suites than TILES. Numbers are those of the suite's table."""
    made = [_ability(suite) if suite.general else _task(suite) for suite in suites if suite.said]
    return tuple(made) if len(made) <= TILES else ()


def _task(suite: SuiteView) -> Tile:
    lines = {line.name: line for line in suite.lines}
    held = lines.get(suite.reference)
    end = lines.get(next((arm for arm, word, _ in suite.words if word == "adopt"), suite.reference))
    open_ = [said for said in suite.said if said.word in ("not decided", "not comparable")]
    if end and held and any(said.word == "adopt" for said in suite.said):
        return _tile(suite, "adopt", f"Use {end.name}", f"{percent(end.mean)}; {held.name} has {percent(held.mean)}")
    if lines and not any(line.mean for line in suite.lines):
        return _tile(suite, "do not adopt", "No arm is of use", f"every arm scores {percent(0.0)}")
    held = end
    if held is None or len(lines) < 2:
        return _tile(suite, suite.said[-1].word, suite.said[-1].word.capitalize(), suite.said[-1].change)
    detail = percent(held.mean)
    if open_:
        whose = [f"{said.arm} has {percent(lines[said.arm].mean)}" if said.arm in lines else said.arm for said in open_]
        detail += f"; {listing(whose)}: {open_[-1].word}"
        return _tile(suite, open_[-1].word, f"Keep {held.name} for now", detail)
    best = max((lines[said.arm] for said in suite.said if said.arm in lines), key=lambda line: line.mean, default=held)
    detail += "" if best is held else f"; {best.name} has {percent(best.mean)}"
    return _tile(suite, "keep", f"Keep {held.name}", detail)


def _ability(suite: SuiteView) -> Tile:
    lines = {line.name: line for line in suite.lines}
    titles = {
        "do not adopt": "General ability lost",
        "not decided": "Loss not settled",
        "adopt": "General ability kept",
    }
    for word, title in titles.items():
        found = [lines[said.arm] for said in suite.said if said.word == word and said.arm in lines]
        if found:
            worst = min(line.difference or 0.0 for line in found)
            detail = f"{listing([line.name for line in found])}: {points(worst)} points, {100 * suite.margin:g} allowed"
            return _tile(suite, word, title, detail)
    return _tile(suite, suite.said[-1].word, suite.said[-1].word.capitalize(), suite.said[-1].change)


def _tile(suite: SuiteView, word: str, title: str, detail: str) -> Tile:
    return Tile(suite.name, suite.place, word, title, detail)
