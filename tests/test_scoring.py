"""Scoring beside the engine, in threads and in processes; and runs that are killed at any moment."""

from __future__ import annotations

import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from project import make_project

from harness import scorers, scoring
from harness.config import read_config
from harness.data import Completion, Run, Suite
from harness.errors import MachineError, SuiteError
from harness.runner import run
from harness.scoring import Job, Scoring
from harness.store import read_run
from harness.suite import read_suite

PRINTS = """
import sys

def noisy(*, suite_path):
    def score(sample, completion):
        from harness.data import Score
        print("to stdout", sample.id)
        return Score(float(completion.text == sample.target), completion.text)
    return score
"""


def _suite(folder: Path, scorer: str = "exact", code: str = "") -> Suite:
    make_project(folder)
    suite = folder / "suites" / "sums"
    (suite / "suite.yaml").write_text((suite / "suite.yaml").read_text().replace("exact", scorer))
    (suite / "scorer.py").write_text(code)
    return read_suite("sums", folder)


def _lines(suite: Suite, expected: int) -> list[str]:
    of_suite = {"sums": {spec.name: scorers.load(spec, suite.path) for spec in suite.scorers}}
    found: list[str] = []
    with Scoring([suite], of_suite, expected) as pool:
        if expected >= scoring.MANY:
            pool.start_processes()
        for place, sample in enumerate(suite.test * 3):
            answer = Completion(sample.target if place % 3 else "no")
            pool.put(Job("sums", "base", sample, answer, place // 40))
            for lines in pool.done():
                found += lines
        for lines in pool.done(all_of_them=True):
            found += lines
    return found


def test_processes_score_as_threads_do(tmp_path: Path) -> None:
    suite = _suite(tmp_path)
    threads = _lines(suite, 10)
    assert sorted(_lines(suite, scoring.MANY)) == sorted(threads)
    assert len(threads) == 120
    assert {json.loads(line)["value"] for line in threads} == {0.0, 1.0}


SLEEPS = """
import time
from harness.data import Score
def slow(*, suite_path):
    def score(sample, completion):
        time.sleep(0.01)
        return Score(1.0)
    return score
"""


@pytest.mark.parametrize(("scorer", "code"), [("exact", ""), ("scorer.py:slow", SLEEPS)], ids=["quick", "slow"])
def test_many_answers_start_processes_only_where_scoring_takes_long(tmp_path: Path, scorer: str, code: str) -> None:
    suite = _suite(tmp_path, scorer, code)
    of_suite = {"sums": {spec.name: scorers.load(spec, suite.path) for spec in suite.scorers}}
    found: list[str] = []
    with Scoring([suite], of_suite, scoring.MANY) as pool:
        for draw in range(2):
            for sample in suite.test:
                pool.put(Job("sums", "base", sample, Completion("no"), draw))
            for lines in pool.done(all_of_them=True):
                found += lines
        assert bool(pool._children) == bool(code)
    assert len(found) == 2 * len(suite.test)


def test_a_scorer_of_the_suites_own_that_prints_disturbs_nothing(tmp_path: Path) -> None:
    suite = _suite(tmp_path, "scorer.py:noisy", PRINTS)
    assert len(_lines(suite, scoring.MANY)) == 120


@pytest.mark.parametrize("expected", [10, scoring.MANY])
def test_a_scorer_that_crashes_is_named_with_its_sample(tmp_path: Path, expected: int) -> None:
    suite = _suite(tmp_path, "scorer.py:bad", "def bad(*, suite_path):\n    return lambda sample, done: 1 / 0\n")
    with pytest.raises(RuntimeError, match=r"scorer 'scorer.py:bad' of suite 'sums' crashed on sample 'test-\d+'"):
        _lines(suite, expected)


def test_a_mistake_of_the_users_stays_one_line(tmp_path: Path) -> None:
    code = "from harness.errors import SuiteError\ndef bad(*, suite_path):\n    def score(sample, done):\n"
    code += "        raise SuiteError('cases.jsonl: no cases.')\n    return score\n"
    with pytest.raises(SuiteError, match=r"^cases\.jsonl: no cases\.$"):
        _lines(_suite(tmp_path, "scorer.py:bad", code), scoring.MANY)


def test_a_scoring_process_that_is_killed_is_one_line(tmp_path: Path) -> None:
    code = "import os\ndef bad(*, suite_path):\n    return lambda sample, done: os.kill(os.getpid(), 9)\n"
    with pytest.raises(MachineError, match="a scoring process ended early"):
        _lines(_suite(tmp_path, "scorer.py:bad", code), scoring.MANY)


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    _lines(_suite(tmp_path), scoring.MANY)
    assert set(psutil.Process().children(recursive=True)) <= before


def test_scoring_goes_on_while_the_engine_does(tmp_path: Path) -> None:
    """Of 40 answers that take 2 s, most are scored before the last one is there."""
    code = f"""
import time
def timed(*, suite_path):
    def score(sample, completion):
        from harness.data import Score
        with open({str(tmp_path / "times")!r}, "a") as file:
            file.write(f"{{time.time()}}\\n")
        return Score(1.0)
    return score
"""
    _suite(tmp_path, "scorer.py:timed", code)
    file = tmp_path / "models.yaml"
    file.write_text(file.read_text().replace("engine: {", "engine: {delay: 0.05, "))
    config = read_config(file)
    run(config, [read_suite("sums", tmp_path)], [config.arms["base"]], tmp_path / "run")
    last = (tmp_path / "run" / "completions.jsonl").stat().st_mtime
    times = sorted(map(float, (tmp_path / "times").read_text().split()))
    assert len(times) == 40
    assert times[20] < last


# --- kill -9 ---------------------------------------------------------------------------------------------------------


def _run(file: Path, out: Path, many: int = scoring.MANY) -> Run:
    scoring.MANY, scoring.CHEAP = many, 0.0
    config = read_config(file)
    arms = [config.arms[name] for name in ("base", "lora")]
    return run(config, [read_suite("sums", file.parent)], arms, out)


def _orphans(folder: Path) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(one.info["cmdline"] or ())]


@pytest.mark.parametrize(("kills", "many"), [(30, 10**9), (3, 1)], ids=["threads", "processes"])
def test_kill_9_at_random_moments_loses_nothing_and_computes_nothing_twice(
    tmp_path: Path, kills: int, many: int
) -> None:
    file = make_project(tmp_path, n=600, more="delay: 0.002")
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_scoring import _run; "
        f"from pathlib import Path; _run(Path({str(file)!r}), Path({str(tmp_path / 'run')!r}), {many})"
    )
    completions = tmp_path / "run" / "completions.jsonl"
    rng = random.Random(7)

    def size() -> int:
        return completions.stat().st_size if completions.is_file() else 0

    for _ in range(kills):
        before = size()
        child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and child.poll() is None and size() == before:
            time.sleep(0.002)
        time.sleep(rng.random() * 0.08)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert size() >= before
    assert completions.read_bytes().count(b"\n") > 0
    make_project(tmp_path, n=600)
    done, whole = _run(file, tmp_path / "run"), _run(file, tmp_path / "whole")
    lines = completions.read_text().splitlines()
    assert set(Counter((row["arm"], row["sample"]) for row in map(json.loads, lines)).values()) == {1}
    assert len(lines) == 1200
    key = [(row.arm, row.sample, row.key, row.completion.text, row.messages) for row in done.rows]
    assert sorted(key) == sorted((r.arm, r.sample, r.key, r.completion.text, r.messages) for r in whole.rows)
    assert {(s.arm, s.sample): s.score for s in done.scores} == {(s.arm, s.sample): s.score for s in whole.scores}
    assert not _orphans(tmp_path)
    assert read_run(tmp_path / "run").manifest["finished"]


# --- mistakes and ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expected", [10, scoring.MANY])
def test_a_scorer_that_gives_a_number_is_named_with_its_sample(tmp_path: Path, expected: int) -> None:
    suite = _suite(tmp_path, "scorer.py:bad", "def bad(*, suite_path):\n    return lambda sample, done: 1.0\n")
    with pytest.raises(
        SuiteError, match=r"scorer 'scorer.py:bad' gave float 1\.0 on sample 'test-\d+', a scorer gives"
    ):
        _lines(suite, expected)


@pytest.mark.parametrize("expected", [10, scoring.MANY])
def test_a_scorer_that_ends_the_program_has_crashed(tmp_path: Path, expected: int) -> None:
    code = "import sys\ndef bad(*, suite_path):\n    return lambda sample, done: sys.exit(0)\n"
    with pytest.raises(RuntimeError, match=r"crashed on sample 'test-\d+'"):
        _lines(_suite(tmp_path, "scorer.py:bad", code), expected)


def test_a_process_that_is_killed_while_idle_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """A small parcel stays in the pipe of the dead child, which cannot be closed then without an error."""
    suite = _suite(tmp_path)
    before = set(psutil.Process().children(recursive=True))
    of_suite = {"sums": {spec.name: scorers.load(spec, suite.path) for spec in suite.scorers}}

    def one_answer() -> None:
        with Scoring([suite], of_suite, scoring.MANY) as pool:
            pool.start_processes()
            for child in pool._children:
                child.kill()
                child.wait()
            pool.put(Job("sums", "base", suite.test[0], Completion("no")))
            list(pool.done(all_of_them=True))

    with pytest.raises(MachineError, match="a scoring process ended early"):
        one_answer()
    assert set(psutil.Process().children(recursive=True)) <= before


def test_leaving_does_not_wait_for_a_parcel_that_a_worker_has_just_taken(tmp_path: Path) -> None:
    """The queue says that it is not empty, and then is."""
    suite = _suite(tmp_path)
    of_suite = {"sums": {spec.name: scorers.load(spec, suite.path) for spec in suite.scorers}}

    class Raced(queue.SimpleQueue[Any]):
        def empty(self) -> bool:
            return False

    def leave() -> None:
        with Scoring([suite], of_suite, 10) as pool:
            pool._todo = Raced()

    thread = threading.Thread(target=leave, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
