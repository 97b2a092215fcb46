from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.check import check_suite
from harness.config import read_config
from harness.errors import HarnessError
from harness.init import init_project
from harness.suite import read_suite

ANIMALS = ["cat", "dog", "cow", "pig", "hen", "fox", "owl", "bat", "ant", "bee", "elk", "emu"]


def pairs(n: int = 60) -> list[dict[str, Any]]:
    return [{"prompt": f"How many {ANIMALS[i % 12]}s are {i} and {i * 3}?", "completion": str(4 * i)} for i in range(n)]


def chats(n: int = 60) -> list[dict[str, Any]]:
    return [
        {"messages": [{"role": "system", "content": "Be a clerk."}, {"role": "user", "content": row["prompt"]},
                      {"role": "assistant", "content": row["completion"]}]}
        for row in pairs(n)
    ]  # fmt: skip


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def init(folder: Path, source: Path, **options: Any) -> str:
    return init_project(folder, source, **{"model": "embedded", "scorer": None, "seed": 0, **options})


@pytest.mark.parametrize("rows", [pairs(), chats()])
def test_pairs_become_a_suite_that_keeps_the_laws(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    init(tmp_path / "my task", write(tmp_path, rows))
    config = read_config(tmp_path / "my task" / "models.yaml")
    assert set(config.arms) == {"base", "prompted", "lora"}
    suite = read_suite("my-task", tmp_path / "my task")
    assert len(suite.test) + len(suite.dev) + len(suite.train) + len(suite.shots) == 60
    assert not [finding for finding in check_suite(suite) if finding.level == "fail"]
    assert suite.scorers[0].scorer == "exact"


def test_the_system_message_of_chats_becomes_the_suites(tmp_path: Path) -> None:
    init(tmp_path / "task", write(tmp_path, chats()))
    assert read_suite("task", tmp_path / "task").system == "Be a clerk."


def test_near_duplicates_stay_in_one_split(tmp_path: Path) -> None:
    long = "please tell me in one short line what the word on page {} of the big red book by the door of the hall means"
    rows = pairs(60)
    for i in range(20):
        text = f"{ANIMALS[i % 12]} {i}: " + long.format(i // 2)
        rows.append({"prompt": text, "completion": f"word {i}"})
    init(tmp_path / "task", write(tmp_path, rows))
    suite = read_suite("task", tmp_path / "task")
    assert not [f for f in check_suite(suite) if f.law == "splits share nothing"]


def test_a_shared_instruction_does_not_make_all_prompts_duplicates(tmp_path: Path) -> None:
    start = "Read the line below and then answer with exactly one number and nothing else at all, please: "
    rows = [{**row, "prompt": start + row["prompt"]} for row in pairs()]
    init(tmp_path / "task", write(tmp_path, rows))
    assert len(read_suite("task", tmp_path / "task").test) == 18


def test_the_same_file_and_seed_give_the_same_suite(tmp_path: Path) -> None:
    source = write(tmp_path, pairs())
    init(tmp_path / "a" / "task", source)
    init(tmp_path / "b" / "task", source)
    one, two = (read_suite("task", tmp_path / x / "task") for x in "ab")
    assert one.digest == two.digest


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (pairs(10), "at least 30"),
        ([*pairs(), {"prompt": "x", "completion": " "}], "pairs.jsonl:61: the completion is empty"),
        ([*pairs(), {"prompt": "x"}], 'needs "prompt" and "completion", or "messages"'),
        ([{"messages": [{"role": "user", "content": "x"}]}], "pairs.jsonl:1"),
        ([{"messages": [{"role": "user", "content": "x"}, {"role": "bot", "content": "y"}]}], '"role"'),
        ([{"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]}], "must end with"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(HarnessError) as caught:
        init(tmp_path / "task", write(tmp_path, rows))
    assert message in str(caught.value)
    assert not (tmp_path / "task").exists()
