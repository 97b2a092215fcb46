"""Logs of live traffic: every shape that is understood, and what is said of a line that is not one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.traffic import Broken, Exchange, Place, exchange, read_log, was_read

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "2+2?"}]}
SAID: dict[str, Any] = {
    "id": "1",
    "created": 1_700_000_000,
    "model": "m-2",
    "choices": [{"message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 1},
}
CHUNKS = [
    {"model": "m-2", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
    {"choices": [{"index": 0, "delta": {"content": "4"}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 1}},
]


@pytest.mark.parametrize(
    "line",
    [
        {"request": ASKED, "response": SAID},
        {"request": {"body": ASKED}, "response": {"status_code": 200, "body": SAID}},
        {"request": json.dumps(ASKED), "response": json.dumps(SAID)},
        {"input": ASKED, "output": SAID},
        {"kwargs": ASKED, "response": SAID},
        {**ASKED, **SAID},
        {**ASKED, "response": SAID},
        {"request": ASKED, "response": CHUNKS},
        {"request": {"messages": [{"role": "user", "content": [{"type": "text", "text": "2+2?"}]}]}, "response": SAID},
    ],
)
def test_every_shape_gives_the_same_exchange(line: dict[str, Any]) -> None:
    found = exchange(json.dumps(line), 3)
    assert isinstance(found, Exchange)
    assert (found.line, found.messages) == (3, ({"role": "user", "content": "2+2?"},))
    said = found.completion
    assert (said.text, said.finish_reason, said.prompt_tokens, said.completion_tokens) == ("4", "stop", 5, 1)
    assert found.model == "m-2"


def test_a_conversation_may_end_with_its_reply() -> None:
    turns = [{"role": "developer", "content": "Be brief."}, *ASKED["messages"], {"role": "assistant", "content": "4"}]
    found = exchange(json.dumps({"messages": turns}), 1)
    assert isinstance(found, Exchange)
    assert [turn["role"] for turn in found.messages] == ["system", "user"]
    assert found.completion.text == "4"


@pytest.mark.parametrize(
    ("more", "seconds"),
    [
        ({"latency_s": 1.5}, 1.5),
        ({"duration_ms": 250}, 0.25),
        ({"latency_s": -1}, 0),
        ({"latency_s": True}, 0),
        ({}, 0),
    ],
)
def test_latency_in_seconds_or_milliseconds(more: dict[str, Any], seconds: float) -> None:
    found = exchange(json.dumps({"request": ASKED, "response": SAID, **more}), 1)
    assert isinstance(found, Exchange)
    assert found.completion.seconds == seconds


@pytest.mark.parametrize(
    ("more", "at"),
    [
        ({"time": 1_750_000_000.5}, 1_750_000_000.5),
        ({"timestamp": 1_750_000_000_500}, 1_750_000_000.5),
        ({"time": "2025-06-15T15:06:40Z"}, 1_750_000_000),
        ({"time": "2025-06-15T17:06:40+02:00"}, 1_750_000_000),
        ({"time": "yesterday"}, 1_700_000_000),
        ({}, 1_700_000_000),
    ],
)
def test_times_as_numbers_and_dates(more: dict[str, Any], at: float) -> None:
    found = exchange(json.dumps({"request": ASKED, "response": SAID, **more}), 1)
    assert isinstance(found, Exchange)
    assert found.time == at


def test_an_error_is_a_reply_that_failed() -> None:
    found = exchange(json.dumps({"request": ASKED, "response": {"error": {"message": "overloaded"}}}), 1)
    assert isinstance(found, Exchange)
    assert (found.completion.finish_reason, found.completion.error) == ("error", "overloaded.")


def test_thinking_is_taken_off_and_a_cut_is_seen() -> None:
    said = {**SAID, "choices": [{"message": {"content": "<think>hm</think>4"}, "finish_reason": "length"}]}
    found = exchange(json.dumps({"request": ASKED, "response": said}), 1)
    assert isinstance(found, Exchange)
    assert (found.completion.text, found.completion.reasoning, found.completion.finish_reason) == ("4", "hm", "length")


def test_a_schema_that_is_asked_for_is_metadata() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    asked = {**ASKED, "response_format": form, "metadata": {"team": "x"}}
    found = exchange(json.dumps({"request": asked, "response": SAID}), 1)
    assert isinstance(found, Exchange)
    assert found.metadata == {"kind": "json", "schema": {"type": "object"}, "team": "x"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("3", "not a JSON object"),
        ('{"request": {}, "response": {}}', "no messages"),
        ('{"messages": "hello"}', "no messages"),
        ('{"messages": [{"role": "user", "content": "a"}]}', "no reply"),
        ('{"messages": [{"role": "alien", "content": "a"}]}', "'alien'"),
        ('{"messages": [{"role": "system", "content": "a"}], "choices": []}', "no choices"),
        ('{"messages": [{"role": "user", "content": "a"}], "choices": [{"text": "b"}]}', "no chat completion"),
        ('{"messages": [{"role": "user", "content": "a"}], "choices": 5}', "no choices"),
        ('{"messages": [{"role": "user", "content": "a"}], "response": {"status": 200}}', "no choices"),
        ('{"messages": [{"role": "system", "content": "a"}, {"role": "assistant"}]}', "no message of a user"),
        (json.dumps({"request": "[" * 100_000, "response": "[" * 100_000}), "no messages"),
        (json.dumps({**ASKED, **SAID, "duration_ms": 10**400}), "too large"),
        *(
            (json.dumps({**ASKED, **SAID, "usage": {"prompt_tokens": number}}), "its usage")
            for number in (10**400, -5)
        ),
    ],
)  # fmt: skip
def test_a_line_that_is_no_exchange_says_why(line: str, why: str) -> None:
    found = exchange(line, 7)
    assert isinstance(found, Broken)
    assert found.line == 7
    assert why in found.why


def _write(path: Path, first: int, last: int, end: str = "\n") -> None:
    lines = [json.dumps({**ASKED, **SAID, "id": str(number)}) for number in range(first, last + 1)]
    with path.open("a") as stream:
        stream.write("\n".join(lines) + end)


def test_a_grown_log_is_read_on_and_a_torn_line_waits(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    _write(log, 1, 3)
    _write(log, 4, 4, end="")
    first = list(read_log(str(log), Place()))
    assert [one.line for one, _ in first] == [1, 2, 3]
    place = first[-1][1]
    assert list(read_log(str(log), place)) == []
    with log.open("a") as stream:
        stream.write("\n")
    _write(log, 5, 6)
    assert was_read(str(log), place)
    assert [one.line for one, _ in read_log(str(log), place)] == [4, 5, 6]


def test_another_log_under_the_name_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    _write(log, 1, 3)
    place = list(read_log(str(log), Place()))[-1][1]
    log.unlink()
    _write(log, 11, 19)
    assert not was_read(str(log), place)
    assert [one.line for one, _ in read_log(str(log), place)] == list(range(1, 10))
    log.write_text("")
    assert not was_read(str(log), place)


def test_a_line_without_end_is_broken_and_the_next_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.traffic.LONGEST", 1000)
    log = tmp_path / "log.jsonl"
    log.write_text("x" * 5000 + "\n")
    _write(log, 2, 2)
    found = list(read_log(str(log), Place()))
    assert [type(one) for one, _ in found] == [Broken, Exchange]
    assert found[-1][1].bytes == log.stat().st_size
    assert was_read(str(log), found[-1][1])
