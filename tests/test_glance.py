"""The tiles of the first screen say what the verdicts say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from made_up_run import made_up_run
from runs import make_run, right

from harness.report import write_report
from harness.report.glance import TILES, Tile
from harness.report.view import view


def tiles(scores: Mapping[str, Mapping[str, Sequence[float | None]]], kinds: Mapping[str, str]) -> list[Tile]:
    return list(view([make_run(scores, kinds=kinds)]).tiles)


KINDS = {"task": "skill", "general": "general"}


@pytest.mark.parametrize(
    ("arms", "word", "title", "detail"),
    [
        ({"prompted": right(60, 200), "lora": right(150, 200)}, "adopt", "Use lora", "75.0 %; prompted has 30.0 %"),
        ({"prompted": right(150, 200), "lora": right(60, 200)}, "keep", "Keep prompted", "75.0 %; lora has 30.0 %"),
        (
            {"prompted": right(20, 40), "lora": right(22, 40, 10)},
            "not decided", "Keep prompted for now", "50.0 %; lora has 55.0 %: not decided",
        ),
        ({"prompted": right(20, 40)}, "not decided", "Not decided", ""),
        (
            {"prompted": right(0, 40), "lora": right(0, 40)},
            "do not adopt", "No arm is of use", "every arm scores 0.0 %",
        ),
    ],
    ids=["better", "worse", "unclear", "alone", "hopeless"],
)  # fmt: skip
def test_tile_of_a_task(arms: Mapping[str, Sequence[float]], word: str, title: str, detail: str) -> None:
    (tile,) = tiles({"task": arms}, KINDS)
    assert (tile.suite, tile.place, tile.word, tile.title) == ("task", 0, word, title)
    assert tile.detail.replace("\xa0", " ").startswith(detail)


@pytest.mark.parametrize(
    ("kept", "word", "title", "detail"),
    [
        (right(100, 200), "do not adopt", "General ability lost", "lora: −40.0 points, 5 allowed"),
        (right(180, 200), "adopt", "General ability kept", "lora: 0.0 points, 5 allowed"),
    ],
)
def test_tile_of_general_ability(kept: Sequence[float], word: str, title: str, detail: str) -> None:
    scores = {
        "task": {"base": right(20, 200), "lora": right(150, 200)},
        "general": {"base": right(180, 200), "lora": kept},
    }
    task, general = tiles(scores, KINDS)
    assert (task.word, task.title) == ("adopt", "Use lora")
    assert (general.suite, general.word, general.title, general.detail) == ("general", word, title, detail)


def test_an_arm_is_not_kept_where_none_scores_anything() -> None:
    nothing = {"prompted": right(0, 40), "lora": right(0, 40)}
    page = view([make_run({"task": nothing, "other": {"prompted": right(9, 40), "lora": right(0, 40)}})])
    assert page.headline == "Keep prompted for other. No arm is of use for task: every one scores 0 %."


def test_many_suites_have_no_tiles() -> None:
    arms = {"prompted": right(5, 20), "lora": right(15, 20)}
    assert len(tiles({f"s{n:02d}": arms for n in range(TILES)}, {})) == TILES
    assert tiles({f"s{n:02d}": arms for n in range(TILES + 1)}, {}) == []


def test_every_tile_stands_in_the_decision_with_a_link_to_its_suite_and_in_markdown(tmp_path: Path) -> None:
    run = made_up_run(60)
    paths = write_report([run], tmp_path / "report.html")
    page, text = paths.html.read_text("utf-8"), paths.markdown.read_text("utf-8")
    decision = page[page.index('id="decision"') : page.index('id="ladder"')]
    made = view([run]).tiles
    assert [tile.suite for tile in made] == ["sql", "handbook", "forgetting"]
    for number, tile in enumerate(made, 1):
        assert f'<a href="#suite-{number}">{tile.suite}</a>' in decision
        assert f"</svg>{tile.title}</b><small>{tile.detail}</small>" in decision
        assert f"- {tile.suite}: **{tile.title}**" in text
