"""A run folder: run.json (manifest), completions.jsonl (append only), scores.jsonl (rewritable). Format 1, public.

Each answer is handed to the operating system before it is counted, and synced to disk about once a second. A last line
torn by a crash is dropped on reading and cut off before anything is appended. One process writes at a time (a lock).
A score says which answer it is of, and an answer who gave it: what belongs to an adapter or model that has changed
since (run.json says which it is now) is not read.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from msgspec import Struct, convert
from msgspec.json import Decoder

from harness import remote
from harness.data import Completion, Row, Run, Score, ScoreRow
from harness.digests import answerers
from harness.errors import MachineError, RunError
from harness.lines import cut_torn_line, parsed

Made = TypeVar("Made")
FORMAT = 1
RESCORE = "The file was edited; restore it, or score the answers again with: harness score RUN"
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns a full disk or a missing permission into one clear line."""
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"{path}: cannot be written ({error.strerror or error}). Free some space or fix the permission."
        ) from None


def write_bytes(path: Path, data: bytes) -> None:
    """Replaces a file at once: readers see the old content or the new, never half of it."""
    partial = path.with_name(f".{path.name}.partial")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """`write_text` of indented JSON; half a surrogate pair, which UTF-8 cannot hold, is written as its escape."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=list)
    write_text(path, _HALF_A_PAIR.sub(lambda half: f"\\u{ord(half.group()):04x}", text) + "\n")


_encode = json.JSONEncoder(default=list).encode


def line_of(value: Mapping[str, Any]) -> str:
    """A line of a .jsonl file, without its end."""
    return _encode(value)


def row_to_json(row: Row) -> dict[str, Any]:
    """A line of completions.jsonl: flat, so that pandas.read_json(path, lines=True) gives one column per field."""
    done = row.completion
    return {
        "suite": row.suite, "arm": row.arm, "sample": row.sample, "sample_digest": row.sample_digest, "key": row.key,
        "text": done.text, "target": row.target, "prompt_tokens": done.prompt_tokens,
        "completion_tokens": done.completion_tokens, "finish_reason": done.finish_reason,
        "seconds": round(done.seconds, 6), "choice_logprobs": done.choice_logprobs,
        "messages": list(map(dict, row.messages)), "passages": row.passages, "metadata": dict(row.metadata),
        "reused": row.reused, **({"error": done.error} if done.error else {}),
        **({"reasoning": done.reasoning, "reasoning_tokens": done.reasoning_tokens} if done.reasoning else {}),
        **({"draw": row.draw, "draws": row.draws} if row.draws > 1 else {}),
        **({"by": row.by} if row.by else {}),
    }  # fmt: skip


def _made(kind: type[Made], fields: dict[str, Any]) -> Made:
    """A frozen dataclass with all its fields given; its own __init__ takes three times as long, for a million rows."""
    made = object.__new__(kind)
    made.__dict__.update(fields)
    return made


class _RowLine(Struct, gc=False):
    """A line of completions.jsonl as it is parsed: the fields of `row_to_json`."""

    suite: str
    arm: str
    sample: str
    sample_digest: str
    key: str
    text: str
    target: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str
    seconds: float
    messages: tuple[Any, ...]
    choice_logprobs: tuple[float, ...] | None = None
    passages: tuple[str, ...] | None = ()
    metadata: dict[str, Any] | None = None
    reused: bool = False
    error: str = ""
    reasoning: str = ""
    reasoning_tokens: int = 0
    draw: int = 0
    draws: int = 1
    by: str = ""

    def row(self) -> Row:
        """As the row it is of."""
        completion = {
            "text": self.text, "prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens,
            "finish_reason": self.finish_reason, "seconds": self.seconds, "choice_logprobs": self.choice_logprobs,
            "error": self.error, "reasoning": self.reasoning, "reasoning_tokens": self.reasoning_tokens,
        }  # fmt: skip
        row = {
            "suite": self.suite, "arm": self.arm, "sample": self.sample, "sample_digest": self.sample_digest,
            "key": self.key, "messages": self.messages, "completion": _made(Completion, completion),
            "target": self.target, "metadata": self.metadata or {}, "passages": self.passages or (),
            "reused": self.reused, "draw": self.draw, "draws": self.draws, "by": self.by,
        }  # fmt: skip
        return _made(Row, row)


class _ScoreLine(Struct, gc=False):
    """A line of scores.jsonl as it is parsed: the fields of `score_to_json`."""

    suite: str
    arm: str
    sample: str
    scorer: str
    primary: bool
    value: float | bool
    answer: str
    explanation: str
    draw: int = 0
    key: str = ""

    def row(self) -> ScoreRow:
        """As the row it is of."""
        row = {
            "suite": self.suite, "arm": self.arm, "sample": self.sample, "scorer": self.scorer,
            "primary": self.primary, "draw": self.draw, "key": self.key,
            "score": _made(Score, {"value": self.value, "answer": self.answer, "explanation": self.explanation}),
        }  # fmt: skip
        return _made(ScoreRow, row)


_ROWS, _SCORES = Decoder(_RowLine), Decoder(_ScoreLine)
_TEXTS = ("target", "answer", "explanation")
"""What is shown and never computed with: of any kind in a run of an older harness, as its scorer or a user wrote it."""


def _mended(line: dict[str, Any]) -> dict[str, Any]:
    """A line with text in the place of other values that are only shown, and 1 for 1.0, as other programs write it."""
    texts = {key: "" if line[key] is None else str(line[key]) for key in _TEXTS if key in line}
    whole = {key: int(value) for key, value in line.items() if isinstance(value, float) and value.is_integer()}
    return {**line, **whole, **texts}


def row_from_json(value: Mapping[str, Any]) -> Row:
    """The inverse of `row_to_json`."""
    return convert(value, _RowLine).row()


def score_to_json(row: ScoreRow) -> dict[str, Any]:
    """A line of scores.jsonl."""
    score = row.score
    return {
        "suite": row.suite, "arm": row.arm, "sample": row.sample, "scorer": row.scorer, "primary": row.primary,
        **({"draw": row.draw} if row.draw else {}), **({"key": row.key} if row.key else {}),
        "value": score.value, "answer": score.answer, "explanation": score.explanation,
    }  # fmt: skip


@contextmanager
def without_collection() -> Iterator[None]:
    """Rows hold no cycles; looking for some takes a third of the time that a large run takes to read."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def read_run(path: Path | str, *, scored: bool = True) -> Run:
    """Reads a run folder, or its address. Where an arm answered a sample twice (a retrained adapter), the last counts.

    scored: False leaves scores.jsonl unread, whatever it holds.

    Answers of an adapter or a model as it was before, and scores of another answer than the one that counts, are left
    out; rows of an older harness, which do not say whose they are, all count.
    """
    folder = remote.fetched(path)
    shown = str(path) if remote.is_remote(path) else remote.name(folder)
    manifest_file = folder / "run.json"
    if not manifest_file.is_file():
        raise RunError(f"{shown}: not a run folder (no run.json). Give a folder made by `harness run`.")
    try:
        manifest = json.loads(manifest_file.read_text("utf-8"))
        number = manifest["format"]
    except (ValueError, KeyError, TypeError, OSError):
        raise RunError(f"{shown}/run.json: not a run manifest. Give a folder made by `harness run`.") from None
    if number != FORMAT:
        raise RunError(
            f"{shown}/run.json: run format {number}, this harness reads {FORMAT}. Use the harness that made it."
        )
    with without_collection():
        now = answerers(manifest)
        rows = {
            (line.suite, line.arm, line.sample, line.draw): line.row()
            for line in parsed(folder / "completions.jsonl", _ROWS, _mended)
            if not line.by or line.by == now.get(line.arm, line.by)
        }
        scores = {
            (line.suite, line.arm, line.sample, line.scorer, line.draw): line.row()
            for line in (parsed(folder / "scores.jsonl", _SCORES, _mended, RESCORE) if scored else ())
            if not line.key or _is_of(line, rows.get((line.suite, line.arm, line.sample, line.draw)))
        }
    return Run(shown, manifest, tuple(rows.values()), tuple(scores.values()))


def _is_of(score: _ScoreLine, row: Row | None) -> bool:
    return row is not None and row.key == score.key


def write_scores(folder: Path, scores: Iterable[ScoreRow]) -> None:
    """Replaces scores.jsonl."""
    write_text(folder / "scores.jsonl", "".join(json.dumps(score_to_json(score)) + "\n" for score in scores))


def engine_seconds(run: Run, suite: str, arm: str) -> float | None:
    """Seconds of engine time per request that was computed; None where none was, or it was not measured."""
    spent = run.manifest.get("seconds", {}).get(suite, {}).get(arm)
    if not spent:
        return None
    timed = run.manifest.get("timed", {}).get(suite, {}).get(arm)
    if timed is None:  # a run made by an older harness
        timed = sum(not row.reused for row in run.rows if (row.suite, row.arm) == (suite, arm))
    return float(spent) / timed if timed else None


def name_answers(run: Run) -> Run:
    """The same run, its scores with the keys of their answers, as an older harness has not written them."""
    if all(score.key for score in run.scores):
        return run
    keys = {(row.suite, row.arm, row.sample, row.draw): row.key for row in run.rows}
    scores = [replace(s, key=s.key or keys.get((s.suite, s.arm, s.sample, s.draw), "")) for s in run.scores]
    write_scores(remote.folder(run.path), scores)
    return replace(run, scores=tuple(scores))


class RunWriter:
    """The one writer of a run folder. A second process gets a RunError that names the first one's pid."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / "lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "unknown"
            self._lock.close()
            raise RunError(
                f"{folder}: in use by process {holder}. Wait for it, stop it, or use another --out folder."
            ) from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()
        self._streams: dict[str, BinaryIO] = {}
        self._synced = time.monotonic()

    def manifest(self, value: Mapping[str, Any]) -> None:
        """Replaces run.json."""
        write_json(self.folder / "run.json", value)

    def append(self, file: str, value: Mapping[str, Any]) -> None:
        """One line, handed to the operating system before this returns."""
        self.lines(file, [line_of(value)])

    def lines(self, file: str, lines: Sequence[str]) -> None:
        """`append` of lines that are JSON already."""
        with writing(self.folder):
            if file not in self._streams:
                cut_torn_line(self.folder / file)
                self._streams[file] = (self.folder / file).open("ab", buffering=0)
            data = memoryview("".join(f"{line}\n" for line in lines).encode())
            while data:  # a disk that is nearly full takes a part
                data = data[self._streams[file].write(data) :]
            if time.monotonic() - self._synced > 1:
                self._synced = time.monotonic()
                for stream in self._streams.values():
                    os.fsync(stream.fileno())

    def close(self) -> None:
        """Closes the files and gives the lock back."""
        for stream in self._streams.values():
            with writing(self.folder):
                stream.close()
        self._streams.clear()
        if not self._lock.closed:
            self._lock.truncate(0)
            self._lock.close()

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
