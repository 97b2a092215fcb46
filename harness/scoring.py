"""Scores answers while the engine goes on: in threads, and in processes of their own where that pays.

It pays where answers are many and their scorers take long. Answers go out in parcels and come back as lines of
scores.jsonl. A worker process loads the suites' scorers itself; what they print goes to stderr. A scorer that crashes
is a defect, raised here with the sample's id.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Number
from types import TracebackType
from typing import Any

from harness import scorers
from harness.data import Completion, Sample, Score, Scorer, ScoreRow, ScorerSpec, Suite
from harness.errors import HarnessError, MachineError, SuiteError
from harness.sandbox import accept_unsandboxed, accepted
from harness.store import line_of, score_to_json

MANY = 1000
"""From so many answers on, starting processes may pay."""
CHEAP = 0.002
"""Seconds per answer up to which scoring takes less than handing it to another process and standing in its way."""
NICE = 10
"""How far worker processes stand back: scores can wait, an engine that waits for its next request cannot."""
PARCEL = 32
LONGEST = 0.5
"""Seconds that an answer may wait for a parcel to fill."""
AHEAD = 200
"""Parcels under way beyond which the engine has to wait: answers must not pile up in memory."""
_WORKER = [sys.executable, "-c", "from harness.scoring import serve; serve()"]


@dataclass(frozen=True)
class Job:
    """An answer to be scored."""

    suite: str
    arm: str
    sample: Sample
    completion: Completion
    draw: int = 0
    key: str = ""


@dataclass(frozen=True)
class Specs:
    """A suite's scorers by name, and the folder that their files lie in."""

    path: str
    scorers: tuple[ScorerSpec, ...]


def score_sample(specs: Sequence[ScorerSpec], of_suite: Mapping[str, Scorer], job: Job) -> list[ScoreRow]:
    """Every scorer's view of one answer. A scorer that raises is a defect, reported with the sample's id.

    Raises what `checked` raises.
    """
    rows = []
    for spec in specs:
        try:
            score: Score = of_suite[spec.name](job.sample, job.completion)
        except HarnessError:
            raise
        except (Exception, SystemExit) as error:
            raise RuntimeError(
                f"scorer '{spec.name}' of suite '{job.suite}' crashed on sample '{job.sample.id}'"
            ) from error
        score = checked(score, job.suite, spec.name, job.sample.id)
        rows.append(ScoreRow(job.suite, job.arm, job.sample.id, spec.name, spec.primary, score, job.draw, job.key))
    return rows


def checked(score: object, suite: str, scorer: str, sample: str) -> Score:
    """What a scorer gave, as it can be stored: a number in answer or explanation becomes text, None becomes "".

    Raises SuiteError for what is no Score, a value that is no number in 0..1, and texts that are neither.
    """
    who = f"suite {suite}: scorer '{scorer}' gave"
    if not isinstance(score, Score):
        raise SuiteError(
            f"{who} {type(score).__name__} {score!r:.80} on sample '{sample}', a scorer gives a harness.data.Score. "
            "Correct it and run again; answers are kept."
        )
    if not (isinstance(score.value, int | float) and 0 <= score.value <= 1):
        raise SuiteError(
            f"{who} {score.value!r} on sample '{sample}', a score lies in 0..1. Correct the scorer and run again; "
            "answers that are there are kept."
        )
    given: dict[str, object] = {"answer": score.answer, "explanation": score.explanation}
    if all(isinstance(text, str) for text in given.values()):
        return score
    for name, text in given.items():
        if not isinstance(text, str | Number | None):
            raise SuiteError(
                f"{who} the {name} {text!r:.80} on sample '{sample}', which is no text. Write it as text in the scorer "
                "and run again; answers are kept."
            )
    answer, explanation = ("" if text is None else str(text) for text in given.values())
    return Score(score.value, answer, explanation)


class Scoring:
    """Use it as a context. What was put in and has not come out when it is left is dropped; its answers are stored.

    expected: how many answers there will be. Many are scored in one thread, and in processes from the first parcel on
    that takes long.
    """

    def __init__(self, suites: Sequence[Suite], by_suite: Mapping[str, Mapping[str, Scorer]], expected: int) -> None:
        self._specs = {suite.name: Specs(suite.path, suite.scorers) for suite in suites}
        self._by_suite = by_suite
        self._todo: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[list[str] | BaseException] = queue.SimpleQueue()
        self._parcel: list[Job] = []
        self._since = 0.0
        self._under_way = 0
        self._children: list[subprocess.Popen[bytes]] = []
        self._many = expected >= MANY
        self._dear = False
        self.workers = 0
        for _ in range(1 if self._many else 2):
            self._start(self._score)

    def put(self, job: Job) -> None:
        """Takes an answer in."""
        if not self._parcel:
            self._since = time.monotonic()
        self._parcel.append(job)

    def done(self, *, all_of_them: bool = False) -> Iterator[list[str]]:
        """Lines of scores.jsonl, parcel by parcel, as far as they are there; or waits for all."""
        if self._parcel and (all_of_them or len(self._parcel) >= PARCEL or time.monotonic() - self._since > LONGEST):
            self._todo.put(self._parcel)
            self._parcel = []
            self._under_way += 1
        while self._under_way and (all_of_them or self._under_way > AHEAD or not self._done.empty()):
            if self._many and self._dear and not self._children:
                self.start_processes()
            found = self._done.get()
            self._under_way -= 1
            if isinstance(found, BaseException):
                raise found
            yield found

    def __enter__(self) -> Scoring:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        with suppress(queue.Empty):
            while True:
                self._todo.get_nowait()
        for _worker in range(self.workers):
            self._todo.put(None)
        for child in self._children:
            if kind is not None:
                child.kill()
            assert child.stdin is not None
            assert child.stdout is not None
            with suppress(OSError):  # a child that died has left in the pipe what it was to get
                child.stdin.close()
            child.wait()
            child.stdout.close()

    def start_processes(self) -> None:
        """From now on processes do the work."""
        for _ in range(min(8, os.cpu_count() or 1)):
            self._start(self._process())

    def _start(self, score: Callable[[list[Job]], list[str]]) -> None:
        self.workers += 1
        threading.Thread(target=self._work, args=(score,), daemon=True).start()

    def _work(self, score: Callable[[list[Job]], list[str]]) -> None:
        while jobs := self._todo.get():
            if self._children and score == self._score:
                self._todo.put(jobs)  # theirs now
                return
            try:
                self._done.put(score(jobs))
            except BaseException as error:
                self._done.put(error)  # whoever waits for the scores gets it

    def _score(self, jobs: Sequence[Job]) -> list[str]:
        start = time.monotonic()
        lines = lines_of(self._specs, self._by_suite, jobs)
        self._dear = self._dear or time.monotonic() - start > CHEAP * len(jobs)
        return lines

    def _process(self) -> Callable[[list[Job]], list[str]]:
        """A worker process; Ctrl-C at a terminal is not for it: it ends when its input does."""
        child = subprocess.Popen(_WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self._children.append(child)
        inbox, outbox = child.stdin, child.stdout
        assert inbox is not None
        assert outbox is not None
        pickle.dump((sys.path, self._specs, accepted()), inbox)
        inbox.flush()

        def score(jobs: list[Job]) -> list[str]:
            try:
                pickle.dump(jobs, inbox)
                inbox.flush()
                reply: list[str] | BaseException = pickle.load(outbox)
            except (EOFError, OSError, ValueError):
                raise MachineError(
                    "a scoring process ended early (out of memory?). Run again: finished answers are kept."
                ) from None
            if isinstance(reply, BaseException):
                raise reply
            return reply

        return score


def lines_of(
    specs: Mapping[str, Specs], by_suite: Mapping[str, Mapping[str, Scorer]], jobs: Sequence[Job]
) -> list[str]:
    """The lines of scores.jsonl of some answers."""
    return [
        line_of(score_to_json(row))
        for job in jobs
        for row in score_sample(specs[job.suite].scorers, by_suite[job.suite], job)
    ]


def serve() -> None:
    """A worker process: parcels of jobs from stdin, lines or an exception to stdout, pickled, until stdin ends."""
    os.nice(NICE)
    inbox, outbox = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    path, specs, unsandboxed = pickle.load(inbox)
    sys.path[:] = path
    if unsandboxed:
        accept_unsandboxed()
    loaded: dict[str, Mapping[str, Scorer]] = {}
    while True:
        try:
            jobs: list[Job] = pickle.load(inbox)
        except EOFError:
            return
        reply: Any
        try:
            for name in {job.suite for job in jobs} - loaded.keys():
                loaded[name] = {spec.name: scorers.load(spec, specs[name].path) for spec in specs[name].scorers}
            reply = lines_of(specs, loaded, jobs)
        except Exception as error:
            if not isinstance(error, HarnessError):
                error.add_note("".join(traceback.format_exception(error.__cause__ or error)))
            reply = error
        pickle.dump(reply, outbox)
        outbox.flush()
