"""Logs of live traffic: every shape that is understood, and what is said of a line that is not one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.errors import MachineError
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
        ({"latency_s": 1.79e308}, 0),
        ({"latency_s": 1e6}, 1e6),
        ({"latency_s": 1e7, "duration_ms": 250}, 0.25),
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
        ({"time": "9999-12-31T23:59:59-01:00"}, 1_700_000_000),
        ({"time": "0001-01-01T00:00:00+14:00", "timestamp": 1_750_000_000}, 1_750_000_000),
        ({"time": 1e14}, 1_700_000_000),
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
        (json.dumps({**ASKED, "response": [{"choices": 5}]}), "no choices"),
        (json.dumps({**ASKED, "response": [*CHUNKS, {"choices": {"index": 0}}]}), "no choices"),
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


@pytest.fixture
def served() -> Iterator[dict[str, Any]]:
    """A server's `address`, the `body` it sends, and the `length` that it gives for it; None: none."""
    said: dict[str, Any] = {"body": b"", "length": None}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if said["length"] is not None:
                self.send_header("Content-Length", str(said["length"]))
            self.end_headers()
            self.wfile.write(said["body"])

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        said["address"] = f"http://127.0.0.1:{httpd.server_address[1]}/log.jsonl"
        yield said
        httpd.shutdown()


def _lines(*numbers: int) -> bytes:
    return b"".join(json.dumps({**ASKED, **SAID, "id": str(number)}).encode() + b"\n" for number in numbers)


def _read(served: dict[str, Any], *numbers: int) -> Place:
    """The place after these lines of the server's log."""
    served["body"] = _lines(*numbers)
    return list(read_log(served["address"], Place()))[-1][1]


@pytest.mark.parametrize("kept", [0, 100, 5000])
def test_a_connection_that_is_lost_is_no_other_log(served: dict[str, Any], kept: int) -> None:
    place = _read(served, *range(40))
    served |= {"length": len(served["body"]), "body": served["body"][:kept]}
    for before in (place, replace(place, first="")):  # a state that knows no first line, too
        with pytest.raises(MachineError, match=r"log.jsonl: the connection was lost [\d,]+ bytes before the end. Try"):
            was_read(served["address"], before)
        with pytest.raises(MachineError, match="the connection was lost"):
            list(read_log(served["address"], before))


def test_what_came_before_a_connection_was_lost_is_read(served: dict[str, Any]) -> None:
    place = _read(served, 1, 2)
    served |= {"length": len(_lines(1, 2, 3, 4)), "body": _lines(1, 2, 3) + b"{"}
    lines = read_log(served["address"], place)
    assert next(lines)[0].line == 3
    with pytest.raises(MachineError, match="the connection was lost"):
        next(lines)


@pytest.mark.parametrize("body", [b"", _lines(1), _lines(1, 2)[:-9]])
def test_less_of_the_same_log_is_no_other_log(served: dict[str, Any], body: bytes) -> None:
    place = _read(served, 1, 2)
    served["body"] = body
    for read in (was_read, lambda *given: list(read_log(*given))):
        with pytest.raises(MachineError, match=f"sends {len(body)} bytes of a log of which {place.bytes} were read"):
            read(served["address"], place)


@pytest.mark.parametrize(
    "body",
    [b"<html>\n<p>We are back soon.</p>\n</html>\n" * 50, b'{"error": "later"}', b'{"error": "later"}\n' * 99, b"\n"],
)
def test_a_page_that_says_later_is_no_other_log(served: dict[str, Any], body: bytes) -> None:
    place = _read(served, 1, 2)
    served["body"] = body
    for before in (place, replace(place, first="")):
        for read in (was_read, lambda *given: list(read_log(*given))):
            with pytest.raises(MachineError, match="neither the log that was read before nor another"):
                read(served["address"], before)


def test_another_log_at_an_address_is_read_from_its_beginning(served: dict[str, Any]) -> None:
    place = _read(served, *range(40))
    for body in (_lines(50), b"torn\n" + _lines(*range(50, 200))):
        served["body"] = body
        assert not was_read(served["address"], place)
        assert len(list(read_log(served["address"], place))) == body.count(b"\n")


@pytest.mark.parametrize("begin", [b"\n", b"# model, time\n", b'{"log": "of the day"}\n\n\n# one\n'])
def test_a_rotated_log_that_begins_with_the_same_line_is_another(served: dict[str, Any], begin: bytes) -> None:
    served["body"] = begin + _lines(*range(10, 50))
    *_, (_, place) = read_log(served["address"], Place())
    served["body"] += _lines(50)
    assert was_read(served["address"], place)
    served["body"] = begin + _lines(*range(10, 20))
    with pytest.raises(MachineError, match="bytes of a log of which"):
        was_read(served["address"], place)
    for body in (begin + _lines(60, 61), begin + _lines(*range(60, 160))):
        served["body"] = body
        assert not was_read(served["address"], place)
        found = [one for one, _ in read_log(served["address"], place) if isinstance(one, Exchange)]
        assert len(found) == body.count(b'"messages"')
