"""Engines that die, hang and run out of memory: the work goes on, and the request that kills is found."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from project import make_project

from harness.compare import compare, tabulate
from harness.config import read_config
from harness.data import Completion, Model, Request, Run, Sampling
from harness.engines import supervised
from harness.engines.fake import FakeEngine, FakeTokenizer
from harness.engines.supervised import Supervised
from harness.engines.watchdog import Watchdog
from harness.errors import EngineDied, EngineError
from harness.runner import run
from harness.store import read_run
from harness.suite import read_suite


def _engine(**options: object) -> Supervised:
    model = Model("m", "fake", engine=options)
    return Supervised(lambda: FakeEngine(model, (), lambda text, adapter: f"re {text[-9:]}"))


def _requests(texts: Iterable[str]) -> list[Request]:
    return [Request(str(n), tuple(FakeTokenizer().encode(text)), Sampling()) for n, text in enumerate(texts)]


def _answers(engine: Supervised, requests: list[Request]) -> dict[str, Completion]:
    found = list(engine.generate(requests))
    assert len({request.key for request, _ in found}) == len(found), "answered twice"
    return {request.key: completion for request, completion in found}


@pytest.mark.parametrize("at_once", [1, 7, 64])
def test_an_engine_that_dies_again_and_again_answers_everything_once(at_once: int) -> None:
    requests = _requests(f"question {n}" for n in range(200))
    sound = _answers(_engine(), requests)
    engine = _engine(batch_size=at_once, dies_every=17)
    found = _answers(engine, requests)
    assert {key: one.text for key, one in found.items()} == {key: one.text for key, one in sound.items()}
    assert engine.deaths >= 10
    assert engine.take_deaths() == engine.deaths
    assert engine.take_deaths() == 0


@pytest.mark.parametrize(("at_once", "most"), [(1, 2), (16, 4), (256, 5)])
def test_the_request_that_kills_is_found_and_the_others_are_answered(at_once: int, most: int) -> None:
    texts = [f"question {n}" for n in range(300)]
    texts[123] = "poison"
    engine = _engine(batch_size=at_once, kills="poison")
    found = _answers(engine, _requests(texts))
    failed = {key: one for key, one in found.items() if one.finish_reason == "error"}
    assert (len(found), list(failed)) == (300, ["123"])
    assert failed["123"].error == "The fake engine was killed by a request."
    assert engine.deaths <= most


def test_two_poisonous_requests_are_found() -> None:
    texts = [f"poison {n}" if n in (3, 40) else f"question {n}" for n in range(64)]
    found = _answers(_engine(batch_size=64, kills="poison"), _requests(texts))
    assert {key for key, one in found.items() if one.finish_reason == "error"} == {"3", "40"}


def test_out_of_memory_asks_fewer_at_once_and_stays_there() -> None:
    engine = _engine(batch_size=64, memory=10)
    found = _answers(engine, _requests(f"question {n}" for n in range(400)))
    assert {one.finish_reason for one in found.values()} == {"stop"}
    assert engine.at_once == 8
    assert engine.deaths == 3


def test_an_engine_that_answers_nothing_any_more_ends_in_one_line() -> None:
    texts = [f"poison {n}" for n in range(64)]
    with pytest.raises(
        EngineError, match=r"died 11 times without an answer in between.*Finished answers are kept"
    ) as e:
        _answers(_engine(batch_size=64, memory=64, kills="poison"), _requests(texts))
    assert "\n" not in str(e.value)


def test_a_start_that_fails_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised, "PAUSE", 0.0)
    starts: list[int] = []

    def start() -> FakeEngine:
        starts.append(1)
        if len(starts) in (2, 5, 6):
            raise EngineError("no memory yet.")
        return FakeEngine(Model("m", "fake", engine={"dies_every": 30}))

    engine = Supervised(start)
    stream = engine.generate(_requests("x" * n for n in range(1, 100)))
    assert len([next(stream) for _ in range(60)]) == 60
    with pytest.raises(EngineError, match="no memory yet"):
        list(stream)


def test_leaving_early_closes_the_engines_stream() -> None:
    closed = []

    class Watched(FakeEngine):
        def generate(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Completion]]:
            try:
                yield from super().generate(requests)
            finally:
                closed.append(True)

    stream = Supervised(lambda: Watched(Model("m", "fake"))).generate(_requests(["a", "b"]))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert closed == [True]


def test_probes_survive_a_death() -> None:
    deaths = [EngineDied("gone.")]

    class Frail(FakeEngine):
        def token_logprobs(self, *given: object) -> list[float]:
            if deaths:
                raise deaths.pop()
            return [-1.0]

    assert Supervised(lambda: Frail(Model("m", "fake"))).token_logprobs((1,), (2,), None) == [-1.0]


# --- a whole run -----------------------------------------------------------------------------------------------------


def _run(file: Path, out: Path) -> Run:
    config = read_config(file)
    suite = read_suite("sums", file.parent)
    return run(config, [suite], [config.arms[name] for name in ("base", "lora")], out)


def test_a_run_with_ten_engine_deaths_equals_an_undisturbed_one(tmp_path: Path) -> None:
    whole = _run(make_project(tmp_path), tmp_path / "whole")
    done = _run(make_project(tmp_path, more="dies_every: 7, batch_size: 5"), tmp_path / "run")
    assert done.manifest["models"]["toy"]["engine_deaths"] >= 10
    assert sorted((row.arm, row.sample, row.completion.text) for row in done.rows) == sorted(
        (row.arm, row.sample, row.completion.text) for row in whole.rows
    )
    assert {(s.arm, s.sample): s.score for s in done.scores} == {(s.arm, s.sample): s.score for s in whole.scores}
    lines = (tmp_path / "run" / "completions.jsonl").read_text().splitlines()
    assert set(Counter((row["arm"], row["sample"]) for row in map(json.loads, lines)).values()) == {1}


def test_the_request_that_kills_is_recorded_and_counts_as_missing(tmp_path: Path) -> None:
    file = make_project(tmp_path, more='kills: "What is 7 plus", batch_size: 16')
    done = _run(file, tmp_path / "run")
    failed = [row for row in done.rows if row.completion.finish_reason == "error"]
    assert {row.sample for row in failed} == {"test-7"}
    assert failed[0].completion.error
    assert compare(done, "sums", "base", "lora").missing == 1
    assert len(tabulate(done).rows["sums", "base"]) == 39
    make_project(tmp_path)
    assert compare(_run(file, tmp_path / "run"), "sums", "base", "lora").missing == 0
    assert not [row for row in read_run(tmp_path / "run").rows if row.completion.error]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_an_interrupted_run_is_taken_up(tmp_path: Path, how: signal.Signals) -> None:
    file = make_project(tmp_path, more="delay: 0.05")
    command = [sys.executable, "-m", "harness", "run", "--config", str(file), "-s", "sums", "-a", "base", "-a", "lora"]
    command += ["--no-dev", "--out", str(tmp_path / "run")]
    completions = tmp_path / "run" / "completions.jsonl"
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (completions.is_file() and completions.read_bytes().count(b"\n") >= 5):
        time.sleep(0.02)
    child.send_signal(how)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 130
    assert told.strip().splitlines()[-1].startswith("harness: interrupted. What was finished is kept")
    before = completions.read_bytes().count(b"\n")
    assert 5 <= before < 80
    make_project(tmp_path)
    done = _run(file, tmp_path / "run")
    assert len(done.rows) == 80
    assert completions.read_bytes().count(b"\n") == 80


# --- an engine in a process of its own -------------------------------------------------------------------------------

CHILD = """
import sys, time
for line in sys.stdin:
    if "hang" in line:
        time.sleep(600)
    print("re " + line.strip(), flush=True)
"""


class ProcessEngine(FakeEngine):
    """Asks a child process; a watchdog kills it when a reply takes too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(Model("m", "fake"))
        self.child = subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.watchdog = Watchdog(seconds, self.child.kill)

    def generate(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Completion]]:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        for request in requests:
            self.child.stdin.write(self.tokenizer.decode(request.prompt_ids) + "\n")
            self.child.stdin.flush()
            with self.watchdog.watching():
                reply = self.child.stdout.readline()
            if not reply:
                raise EngineDied("It hung." if self.watchdog.barked else "It died.")
            yield request, Completion(reply.strip())

    def close(self) -> None:
        self.watchdog.stop()
        self.child.kill()
        self.child.communicate()


def test_a_hung_engine_is_noticed_and_its_request_given_up() -> None:
    engines: list[ProcessEngine] = []

    def start() -> ProcessEngine:
        engines.append(ProcessEngine(1.5))
        return engines[-1]

    engine = Supervised(start)
    found = _answers(engine, _requests(["a", "hang", "b"]))
    engine.close()
    assert {key: (one.text, one.error) for key, one in found.items()} == {
        "0": ("re a", ""), "1": ("", "It hung."), "2": ("re b", ""),
    }  # fmt: skip
    assert engine.deaths == supervised.ALONE
    assert all(one.child.poll() is not None for one in engines)


def test_a_watchdog_lets_slow_consumers_be() -> None:
    barks: list[int] = []
    dog = Watchdog(0.2, lambda: barks.append(1))
    with dog.watching():
        pass
    time.sleep(0.5)
    assert not barks
    with dog.watching():
        time.sleep(0.6)
    dog.stop()
    assert (barks, dog.barked) == ([1], True)
