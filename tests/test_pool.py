"""A pool of workers: whatever dies, every request is answered once, and the one that kills is found.

The workers are threads here, killed by the test; tests/ray has processes of a real cluster.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from project import make_project

import harness.runner
from harness import __version__
from harness.config import read_config
from harness.data import AdapterRef, Completion, Model, Request, Run, Sampling
from harness.digests import adapter_digest
from harness.engines import Cluster, pool
from harness.engines.fake import FakeEngine, FakeTokenizer
from harness.engines.pool import ALONE, Answered, Event, Gone, Handed, Pool, Ready, Returned, WorkerGone
from harness.engines.worker import Worker
from harness.errors import AdapterError, EngineError, HarnessError
from harness.runner import run
from harness.store import read_run
from harness.suite import read_suite

Fate = Callable[[int, Worker], bool]


class Threads:
    """A crew in this process. fate: called with a worker's number and itself whenever events are asked for; True kills.

    A killed worker's thread may go on; what it answers is never seen, as with a node that is cut off. delays: seconds
    per answer of the first, second, ... worker; start_fails: how many starts fail first.
    """

    def __init__(
        self,
        model: Model,
        adapters: Sequence[AdapterRef] = (),
        fate: Fate = lambda number, worker: False,
        delays: Sequence[float] = (),
        start_fails: Sequence[int] = (),
        version: str = __version__,
    ) -> None:
        self.model, self.adapters, self.fate, self.version = model, adapters, fate, version
        self.delays, self.start_fails = delays, start_fails
        self.workers: dict[int, Worker] = {}
        self.news: list[Event] = []
        self.started = 0
        self.given: Counter[int] = Counter()
        self.back: list[int] = []

    def start(self) -> int:
        number = self.started = self.started + 1
        if number in self.start_fails:
            self.news.append(Gone(number, "no memory.", EngineError("no memory.")))
            return number
        engine = dict(self.model.engine)
        if number <= len(self.delays):
            engine["delay"] = self.delays[number - 1]
        made = Model(self.model.name, self.model.path, engine=engine)
        worker = self.workers[number] = Worker(made, self.adapters, "fake", self.version)
        card = worker.start()
        is_error = isinstance(card, HarnessError)
        self.news.append(Gone(number, str(card), card) if is_error else Ready(number, card))  # type: ignore[arg-type]
        return number

    def give(self, worker: int, handed: Sequence[Handed]) -> None:
        self.given[worker] += len(handed)
        self.workers[worker].give(handed)

    def take_back(self, worker: int, count: int) -> None:
        self.back += (found := self.workers[worker].take_back(count))
        self.news.append(Returned(worker, found))

    def forget(self, worker: int, below: int) -> None:
        self.workers[worker].forget(below)

    def ask(self, worker: int, what: str, *given: Any) -> Any:
        if self.fate(worker, self.workers[worker]):
            raise WorkerGone("A worker died.")
        return self.workers[worker].ask(what, *given)

    def events(self, seconds: float) -> Sequence[Event]:
        until = time.monotonic() + seconds
        while True:
            news, self.news = self.news, []
            for number, worker in list(self.workers.items()):
                if self.fate(number, worker):
                    news.append(Gone(number, f"Worker {number} died."))
                elif worker._error is not None and not worker._outbox:
                    error = worker._error
                    assert isinstance(error, HarnessError)
                    news.append(Gone(number, str(error), error))
                elif worker._outbox:
                    found = worker.take()
                    assert isinstance(found, tuple)
                    news.append(Answered(number, *found))
            if news or time.monotonic() > until:
                return news
            time.sleep(0.001)

    def end(self, worker: int) -> None:
        gone = self.workers.pop(worker, None)
        if gone is not None:
            gone.forget(1 << 60)

    def close(self) -> None:
        for worker in list(self.workers):
            self.end(worker)


def fake(**options: object) -> Model:
    return Model("m", "fake", engine={"default": "yes", **options})


def requests_of(texts: Iterable[str]) -> list[Request]:
    return [Request(str(n), tuple(FakeTokenizer().encode(text)), Sampling()) for n, text in enumerate(texts)]


def answers(engine: Pool, requests: Sequence[Request]) -> dict[str, Completion]:
    found = list(engine.generate(requests))
    assert len({request.key for request, _ in found}) == len(found), "answered twice"
    return {request.key: completion for request, completion in found}


def begun(worker: Worker, key: str) -> bool:
    return key in worker._numbers


@pytest.mark.parametrize("seed", range(20))
def test_workers_killed_at_random_lose_nothing_and_answer_nothing_twice(seed: int) -> None:
    draw = random.Random(seed)
    crew = Threads(fake(batch_size=draw.choice([1, 4, 16])), fate=lambda *_: draw.random() < 0.02)
    engine = Pool(crew, draw.choice([1, 2, 5]))
    found = answers(engine, requests_of(f"question {n}" for n in range(300)))
    assert sorted(map(int, found)) == list(range(300))
    assert {(one.text, one.error) for one in found.values()} == {("yes", "")}
    assert engine.take_deaths() == engine.deaths
    assert engine.take_deaths() == 0


def test_there_were_deaths_in_that_test() -> None:
    draw = random.Random(1)
    engine = Pool(Threads(fake(delay=0.001), fate=lambda *_: draw.random() < 0.02), 4)
    answers(engine, requests_of(f"question {n}" for n in range(300)))
    assert engine.deaths >= 10


@pytest.mark.parametrize("at_once", [1, 16])
@pytest.mark.parametrize("workers", [1, 3])
def test_the_request_that_kills_workers_is_found_and_the_others_are_answered(at_once: int, workers: int) -> None:
    crew = Threads(fake(batch_size=at_once), fate=lambda _, worker: begun(worker, "123"))
    engine = Pool(crew, workers)
    found = answers(engine, requests_of(f"question {n}" for n in range(300)))
    failed = {key: one for key, one in found.items() if one.finish_reason == "error"}
    assert (len(found), list(failed)) == (300, ["123"])
    assert failed["123"].error.endswith("died.")
    assert ALONE <= engine.deaths <= ALONE + 4


@pytest.mark.parametrize("harmless", [0, 1, 20])
@pytest.mark.parametrize("at_once", [1, 16])
@pytest.mark.parametrize("workers", [1, 2])
def test_several_requests_that_kill_workers_do_not_keep_the_others_from_being_answered(
    at_once: int, workers: int, harmless: int
) -> None:
    deadly = {str(number) for number in range(4 if harmless else 3)}
    crew = Threads(fake(batch_size=at_once), fate=lambda _, worker: any(begun(worker, key) for key in deadly))
    found = answers(Pool(crew, workers), requests_of(f"question {n}" for n in range(len(deadly) + harmless)))
    assert {key for key, one in found.items() if one.finish_reason == "error"} == deadly
    assert len(found) == len(deadly) + harmless


def test_a_pool_that_only_dies_ends_in_one_line() -> None:
    engine = Pool(Threads(fake(delay=1), fate=lambda _, worker: bool(worker._numbers)), 2)
    with pytest.raises(
        EngineError, match=r"died 11 times without an answer in between.*Finished answers are kept"
    ) as e:
        answers(engine, requests_of(f"question {n}" for n in range(300)))
    assert "\n" not in str(e.value)


def test_an_engine_that_dies_within_its_worker_is_started_again_there() -> None:
    crew = Threads(fake(dies_every=20))
    engine = Pool(crew, 2)
    assert len(answers(engine, requests_of(f"question {n}" for n in range(200)))) == 200
    assert (crew.started, engine.deaths >= 6) == (2, True)


def test_the_faster_worker_takes_more_and_what_a_slow_one_has_not_begun() -> None:
    crew = Threads(fake(batch_size=1), delays=[0.05, 0.0005])
    engine = Pool(crew, 2)
    start = time.monotonic()
    assert len(answers(engine, requests_of(f"question {n}" for n in range(200)))) == 200
    assert crew.given[2] > 5 * crew.given[1]
    assert time.monotonic() - start < 3, "half of them would take the slow one 5 s"


def test_what_was_not_begun_is_taken_back_and_answered_by_others() -> None:
    crew = Threads(fake(batch_size=8), delays=[0.05])
    engine = Pool(crew, 2)
    assert len(answers(engine, requests_of(f"question {n}" for n in range(200)))) == 200
    assert len(crew.back) >= 4


def test_leaving_early_forgets_the_rest_and_what_comes_late_is_not_taken_for_a_later_answer() -> None:
    crew = Threads(fake(delay=0.01, batch_size=8))
    engine = Pool(crew, 2)
    requests = requests_of(f"question {n}" for n in range(40))
    stream = engine.generate(requests)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not any(worker._inbox for worker in crew.workers.values())
    assert len(answers(engine, requests)) == 40


def test_what_is_forgotten_leaves_later_hand_overs_alone() -> None:
    worker = Worker(fake(), (), "fake", __version__)
    worker.give([(number, request) for number, request in enumerate(requests_of("abcd"))])
    worker.forget(below=3)
    assert worker.take_back(9) == [3]


def test_a_worker_without_answers_says_that_it_lives() -> None:
    worker = Worker(fake(), (), "fake", __version__)
    assert worker.take(0.01) == ([], 0)


def test_a_start_that_fails_is_tried_again_and_then_given_up() -> None:
    engine = Pool(Threads(fake(), start_fails=[1, 2]), 2)
    assert len(answers(engine, requests_of("ab"))) == 2
    with pytest.raises(EngineError, match=r"no memory"):
        Pool(Threads(fake(), start_fails=range(1, 10)), 2)


def test_a_pool_goes_on_with_the_workers_it_can_have() -> None:
    draw = iter([False] * 5 + [True] + [False] * 10_000)
    crew = Threads(fake(delay=0.002), fate=lambda number, _: number == 1 and next(draw), start_fails=range(3, 99))
    engine = Pool(crew, 2)
    assert len(answers(engine, requests_of(f"question {n}" for n in range(60)))) == 60
    assert list(crew.workers) == [2]


def test_no_worker_in_time_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nobody(Threads):
        def start(self) -> int:
            return 1

    monkeypatch.setattr(pool, "LONGEST_START", -1.0)
    monkeypatch.setattr(Nobody, "events", lambda *_: [])
    with pytest.raises(EngineError, match="no worker could be started"):
        Pool(Nobody(fake()), 1)


def test_workers_that_would_answer_differently_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = iter(["1", "1", "2"])
    monkeypatch.setattr(
        FakeEngine, "__setattr__",
        lambda self, name, value: object.__setattr__(self, name, next(versions) if name == "version" else value),
    )  # fmt: skip
    with pytest.raises(HarnessError, match="the workers differ: engine version is '2'"):
        Pool(Threads(fake()), 3)


def test_another_harness_on_a_node_is_one_line() -> None:
    with pytest.raises(HarnessError, match=r"has harness .* and the driver 0.0. Install the same"):
        Pool(Threads(fake(), version="0.0"), 2)


def test_an_adapter_that_a_node_lacks_or_has_otherwise_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    ref = AdapterRef("tuned", str(tmp_path), adapter_digest(tmp_path))
    Pool(Threads(fake(), [ref]), 1)
    with pytest.raises(AdapterError, match="answers as if it were not there"):
        Pool(Threads(fake(ignore_adapters=True), [ref]), 1)
    (tmp_path / "adapter_config.json").write_text('{"r": 8}')
    with pytest.raises(AdapterError, match=r"'tuned': .* does not hold it. Put it on a file system"):
        Pool(Threads(fake(), [ref]), 1)


def test_probes_survive_a_death() -> None:
    fates = iter([True])
    crew = Threads(fake(), fate=lambda *_: False)
    engine = Pool(crew, 2)
    crew.fate = lambda *_: next(fates, False)
    assert len(engine.token_logprobs((5, 6), (7,), None)) == 1
    assert engine.deaths == 1
    assert engine.likeliest([(5, 6)], 2)[0][0][0] == 0


def test_a_request_that_does_not_fit_is_the_users_mistake() -> None:
    engine = Pool(Threads(fake(max_model_len=20)), 2)
    with pytest.raises(HarnessError, match="do not fit the model's context of 20"):
        answers(engine, [Request("1", (5,) * 19, Sampling(max_tokens=8))])


# --- a whole run -----------------------------------------------------------------------------------------------------


def _run(file: Path, out: Path, engine: Cluster | None = None) -> Run:
    config = read_config(file)
    suite = read_suite("sums", file.parent)
    return run(config, [suite], [config.arms[name] for name in ("base", "prompted", "lora")], out, engine=engine)


def test_a_run_on_a_pool_equals_one_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_project(tmp_path)
    alone = _run(file, tmp_path / "alone")
    draw = random.Random(0)
    plain = harness.runner.open_engine

    def opened(model: Model, adapters: Sequence[AdapterRef], name: Any) -> Any:
        if isinstance(name, Cluster):
            return Pool(Threads(model, adapters, fate=lambda *_: draw.random() < 0.05), 3)
        return plain(model, adapters, name)

    monkeypatch.setattr(harness.runner, "open_engine", opened)
    found = _run(file, tmp_path / "pool", Cluster())
    assert {(row.arm, row.sample): (row.key, row.completion.text) for row in found.rows} == {
        (row.arm, row.sample): (row.key, row.completion.text) for row in alone.rows
    }
    assert {(s.arm, s.sample): s.score for s in found.scores} == {(s.arm, s.sample): s.score for s in alone.scores}
    assert (tmp_path / "pool" / "completions.jsonl").read_text().count("\n") == 120
    assert found.manifest["engine"] == {**alone.manifest["engine"], "workers": 3}
    assert found.manifest["models"]["toy"]["digest"] == alone.manifest["models"]["toy"]["digest"]
    assert found.manifest["models"]["toy"]["engine_deaths"] > 0
    again = _run(file, tmp_path / "pool")  # goes on without a cluster, and has nothing left to ask
    assert again.rows == read_run(tmp_path / "pool").rows == found.rows
