"""Logs of live traffic: OpenAI chat requests with their replies, one JSON object a line, from a file or an address.

The shapes understood (docs/monitoring.md shows them):

    {"request": {"messages": [...]}, "response": {"choices": [...], "usage": {...}}, "time": ..., "latency_s": ...}
    {"messages": [...], "choices": [...], "usage": {...}}              request and reply side by side
    {"messages": [..., {"role": "assistant", "content": "..."}]}       a conversation that ends with the reply

`request` and `response` may be called input and output, may hold a `body` (batch files), or be JSON in a text; a reply
may be a list of streamed chunks. Nothing here is trusted: what does not fit is a `Broken` line that says why.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import math
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from harness.data import Completion, Message
from harness.engines import replies
from harness.errors import HarnessError, MachineError
from harness.reasoning import separated

LONGEST = 16_000_000
"""Bytes of one line."""
TAIL = 4_096
"""Bytes before the place where reading stopped by which a log is known again."""
FIRST_LINES = 100
"""Lines among which a log that is fetched has a request with its reply; else it is none (a page that says "later")."""
TIMEOUT = 60
LATENCY = {"latency_s": 1.0, "latency": 1.0, "duration_s": 1.0, "duration": 1.0}
LATENCY |= {"latency_ms": 0.001, "duration_ms": 0.001}
"""The keys that a latency may have, and the seconds of their unit."""
LONGEST_LATENCY = 1e6
LATEST_TIME = 1e11
"""Seconds; what is beyond them says nothing."""
TIMES = ("time", "timestamp", "created_at", "start_time")
ROLES = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True)
class Exchange:
    """A question and its reply. line: its number in the log, from 1. time: seconds since 1970, None where not said.

    completion.seconds is 0 where the log gives no latency. model: what the reply, or else the request, names.
    """

    line: int
    messages: tuple[Message, ...]
    completion: Completion
    model: str = ""
    time: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Broken:
    """A line that is no exchange, and why."""

    line: int
    why: str


@dataclass(frozen=True)
class Place:
    """How far a log was read: bytes and lines, and digests of the last bytes before that place and of its first lines.

    first: of those up to the first exchange (a log may begin with the same empty line or header each time), or up to
    where reading stopped before there was one; "" where it is not known.
    """

    bytes: int = 0
    lines: int = 0
    digest: str = ""
    first: str = ""


def is_address(log: str) -> bool:
    """Whether a log is fetched rather than opened."""
    return urlsplit(log).scheme in ("http", "https")


def name_of(log: str) -> str:
    """A log's name without what an address may hold of secrets.

    >>> name_of("https://me:secret@host/log.jsonl?token=x")
    'https://host/log.jsonl'
    """
    if not is_address(log):
        return log
    parts = urlsplit(log)
    return parts._replace(query="", fragment="", netloc=parts.netloc.rpartition("@")[2]).geturl()


def read_log(log: str, place: Place) -> Iterator[tuple[Exchange | Broken, Place]]:
    """What follows after `place`, each with the place after it; a last line without its end is left for the next time.

    A log that is another one up to there (rotated, cut) is read from its beginning. Raises HarnessError (no such file,
    not an address), MachineError (no answer, or a part of one, or none that is a log).
    """
    with _opened(log) as stream:
        tail, known = _skipped(stream, place, log)
        if known:
            yield from _lines(stream, place, tail, log)
            return
    with _opened(log) as again:
        yield from _another(again, log)


def was_read(log: str, place: Place) -> bool:
    """Whether the log still begins with what was read of it. Raises what `read_log` raises."""
    with _opened(log) as stream:
        if _skipped(stream, place, log)[1]:
            return True
    with _opened(log) as again:
        next(_another(again, log), None)
    return False


def _skipped(stream: BinaryIO, place: Place, log: str) -> tuple[bytes, bool]:
    """Goes to a place: (the last bytes before it, whether they are those that were there).

    An address that sends less of the same log (a lost connection, an older copy) is a MachineError.
    """
    tail, left = b"", place.bytes
    first, same = hashlib.sha256(), not place.first
    while left:
        piece = stream.readline(min(left, LONGEST)) if not same else stream.read(min(left, 1 << 20))
        if not piece:
            _whole(stream, log)
            if is_address(log) and ((same and place.first) or left == place.bytes):
                raise MachineError(
                    f"{name_of(log)}: sends {place.bytes - left:,} bytes of a log of which {place.bytes:,} were read "
                    f"before. Try again; if the log was cut, begin anew with --fresh."
                )
            return b"", False
        tail, left = (tail + piece)[-TAIL:], left - len(piece)
        if not same:
            first.update(piece)
            same = piece.endswith(b"\n") and first.hexdigest() == place.first
    return tail, not place.bytes or (same and hashlib.sha256(tail).hexdigest() == place.digest)


def _lines(stream: BinaryIO, place: Place, tail: bytes, log: str) -> Iterator[tuple[Exchange | Broken, Place]]:
    first = None if place.lines else hashlib.sha256()
    while line := stream.readline(LONGEST):
        size, piece = 0, line
        while True:
            size, tail = size + len(piece), (tail + piece)[-TAIL:]
            if first:
                first.update(piece)
            if piece.endswith(b"\n"):
                break
            if not (piece := stream.readline(LONGEST)):
                _whole(stream, log)
                return
        begins = first.hexdigest() if first else place.first
        place = Place(place.bytes + size, place.lines + 1, hashlib.sha256(tail).hexdigest(), begins)
        if line.strip():
            read = exchange(line, place.lines)
            first = None if isinstance(read, Exchange) else first
            yield read, place
    _whole(stream, log)


def _another(stream: BinaryIO, log: str) -> Iterator[tuple[Exchange | Broken, Place]]:
    """Another log from its beginning. Raises MachineError where an address sends what is none."""
    lines = _lines(stream, Place(), b"", log)
    begun = list(islice(lines, FIRST_LINES))
    if is_address(log) and not any(isinstance(one, Exchange) for one, _ in begun):
        raise MachineError(
            f"{name_of(log)}: sends neither the log that was read before nor another: no request with its reply in "
            f"its first lines. Try again; if that is the log, begin anew with --fresh."
        )
    yield from begun
    yield from lines


def _whole(stream: BinaryIO, log: str) -> None:
    """Raises MachineError where an answer ended before the length that it gave."""
    left = getattr(stream, "length", None)
    if is_address(log) and left:
        raise MachineError(f"{name_of(log)}: the connection was lost {left:,} bytes before the end. Try again.")


@contextmanager
def _opened(log: str) -> Iterator[BinaryIO]:
    """The bytes of a log. Raises HarnessError, MachineError."""
    if not is_address(log):
        try:
            with Path(log).open("rb") as stream:
                yield stream
        except (FileNotFoundError, IsADirectoryError):
            raise HarnessError(f"{log}: no such file. Give a JSONL file of requests and replies, or its URL.") from None
        return
    shown = name_of(log)
    try:
        with urllib.request.urlopen(urllib.request.Request(log), timeout=TIMEOUT) as stream:
            yield stream
    except urllib.error.HTTPError as error:
        raise MachineError(f"{shown}: answers {error.code} ({error.reason}). Check the address.") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        raise MachineError(f"{shown}: no answer ({why}). Is the server running, and the address right?") from None


# --- one line --------------------------------------------------------------------------------------------------------


def exchange(line: bytes | str, number: int) -> Exchange | Broken:
    """A line as an exchange.

    >>> turns = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
    >>> found = exchange(json.dumps({"messages": turns}), 1)
    >>> found.messages, found.completion.text
    (({'role': 'user', 'content': '2+2?'},), '4')
    >>> exchange("{", 7)
    Broken(line=7, why='not JSON')
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return Broken(number, "not JSON")
    if not isinstance(value, dict):
        return Broken(number, "not a JSON object")
    try:
        return _exchange(value, number)
    except (ValueError, OverflowError) as error:
        return Broken(number, str(error))
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError) as error:
        return Broken(number, f"a form that is not understood ({type(error).__name__})")


def _exchange(value: Mapping[str, Any], number: int) -> Exchange:
    asked = _part(value, "request", "input", "kwargs") or value
    said = _part(value, "response", "output") or value
    messages = _messages(asked.get("messages"))
    if said is value and "choices" not in value and "error" not in value:
        if len(messages) < 2 or messages[-1]["role"] != "assistant":
            raise ValueError("no reply: neither a response with choices, nor a last message of the assistant")
        messages, completion = messages[:-1], Completion(messages[-1]["content"])
    else:
        completion = _completion(said)
    if not messages or not any(turn["role"] == "user" for turn in messages):
        raise ValueError("the request has no message of a user")
    seconds = _latency(value)
    completion = separated(
        Completion(
            completion.text, completion.prompt_tokens, completion.completion_tokens, completion.finish_reason, seconds,
            error=completion.error, reasoning=completion.reasoning, reasoning_tokens=completion.reasoning_tokens,
        )
    )  # fmt: skip
    model = said.get("model") or asked.get("model") or ""
    return Exchange(number, messages, completion, str(model), _time(value, said), _metadata(value, asked))


def _part(value: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The first of these parts that is there, unpacked; {} where none is."""
    found: Any = next((value[name] for name in names if value.get(name)), None)
    for _ in range(2):
        if isinstance(found, str):
            try:
                found = json.loads(found)
            except (ValueError, RecursionError):
                return {}
        if isinstance(found, list) and found and all(isinstance(one, dict) for one in found):
            found = _joined(found)
        if isinstance(found, dict) and isinstance(found.get("body"), dict | str):
            found = found["body"]
    return found if isinstance(found, dict) else {}


def _joined(chunks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Streamed chunks as the reply that they are pieces of; {} for other lists."""
    text, reason = "", None
    usage: dict[str, Any] = {}
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        choices = chunk.get("choices") or []
        if not isinstance(choices, list):
            raise ValueError("the response has no choices")
        for choice in choices:
            if not isinstance(choice, dict) or choice.get("index", 0):
                continue
            delta = choice.get("delta")
            piece = delta.get("content") if isinstance(delta, dict) else None
            text += piece if isinstance(piece, str) else ""
            reason = choice.get("finish_reason") or reason
    if not any("choices" in chunk for chunk in chunks):
        return {}
    message = {"role": "assistant", "content": text}
    return {**chunks[0], "choices": [{"message": message, "finish_reason": reason}], "usage": usage}


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
        raise ValueError("no messages: a request holds a list of them")
    found = []
    for turn in value:
        role = turn.get("role")
        if role not in ROLES:
            raise ValueError(f"a message has the role {str(role)[:40]!r}")
        content = turn.get("content")
        if isinstance(content, list):  # parts; what is no text (an image) is left out
            content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict)).strip()
        found.append({"role": "system" if role == "developer" else role, "content": str(content or "")})
    return tuple(found)


def _completion(said: Mapping[str, Any]) -> Completion:
    if "choices" not in said:
        why = replies.message(said.get("error") or "")
        if not why:
            raise ValueError("the response has no choices")
        return Completion("", finish_reason="error", error=replies.one_sentence(why))
    try:
        reply = replies.read(said)
    except ValueError as error:
        calls = said["choices"] if isinstance(said["choices"], list) else []
        raise ValueError(f"the response is {error}" if calls else "the response has no choices") from None
    return Completion(
        reply.text, reply.prompt_tokens, reply.completion_tokens, reply.finish_reason,
        reasoning=reply.reasoning, reasoning_tokens=reply.reasoning_tokens,
    )  # fmt: skip


def _latency(value: Mapping[str, Any]) -> float:
    for name, unit in LATENCY.items():
        found = value.get(name)
        if isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found):
            seconds = float(found) * unit
            if 0 < seconds <= LONGEST_LATENCY:
                return seconds
    return 0.0


def _time(value: Mapping[str, Any], said: Mapping[str, Any]) -> float | None:
    """Seconds since 1970: a number (milliseconds where it is too large for seconds), or a date by ISO 8601."""
    for found in (*(value.get(name) for name in TIMES), said.get("created")):
        if isinstance(found, int | float) and not isinstance(found, bool) and 0 < found < 1000 * LATEST_TIME:
            return float(found) / (1000 if found >= LATEST_TIME else 1)
        if isinstance(found, str):
            try:
                read = datetime.fromisoformat(found)
            except ValueError:
                continue
            seconds = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
            if 0 < seconds < LATEST_TIME:
                return seconds
    return None


def _metadata(value: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the log, or the request, says of the sample; a JSON Schema that the request asks for is metadata, too."""
    found: dict[str, Any] = {}
    form = asked.get("response_format")
    schema = form.get("json_schema") if isinstance(form, dict) else None
    if isinstance(schema, dict) and isinstance(schema.get("schema"), dict):
        found = {"kind": "json", "schema": schema["schema"]}
    for given in (asked.get("metadata"), value.get("metadata")):
        found |= given if isinstance(given, dict) else {}
    return found
