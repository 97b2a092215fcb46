"""How many workers can one driver keep busy?

    python -m benchmarks.scale                                # some minutes
    python -m benchmarks.scale --ray                          # also what Ray costs the driver (pip install '.[ray]')
    python -m benchmarks.scale --answers 200 --most 8         # only to see that it works
    python -m benchmarks.scale --json benchmarks/scale.json

1. The driver's cost of an answer, in CPU seconds of this process around workers that answer at once: rendering and
   encoding the question (before the queue starts), and handing it out, storing the answer, scoring it (exact) and
   writing the score.
2. --ray: what sending a request and receiving its answer costs the driver beyond that, with two workers on a cluster of
   this machine.
3. A simulation of 1 to 512 workers: the pool's own code hands out the work, and time is virtual. A worker answers
   `--at-once` requests side by side; each takes its time, drawn from the seconds of the answers of a run folder (--run)
   or spread evenly between 0.5 and 1.5 times --seconds. The driver does one thing at a time, and needs what was
   measured for it.

Prints answers per second for each number of workers, their share of what so many workers could do, and where the driver
saturates: the reciprocal of its cost. What is not covered: the network, scorers that cost more than a comparison (they
run in processes beside the driver, `harness.scoring`), and starts and deaths of workers.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import harness.runner
from benchmarks.run import Instant, project, recipe
from benchmarks.sandbox import positive
from harness.config import read_config
from harness.data import AdapterRef, Completion, Model, Request, Sampling
from harness.engines import Cluster, open_engine
from harness.engines.pool import Answered, Card, Event, Handed, Pool, Ready, Returned
from harness.runner import run
from harness.store import read_run
from harness.suite import read_suite
from harness.tasks import plan

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
PER_WORKER = 12
"""Answers simulated per place of a worker. The end of a queue, when places run empty, costs about one in so many."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, simulates, prints, writes. 0 whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--answers", type=positive(int), default=20_000, help="for the driver's cost (default 20000)")
    parser.add_argument("--most", type=positive(int), default=512, help="workers at most (default 512)")
    parser.add_argument("--at-once", type=positive(int), default=32, help="requests of a worker (default 32)")
    parser.add_argument("--seconds", type=positive(float), default=4.0, help="of an answer on average (default 4)")
    parser.add_argument("--run", type=Path, metavar="RUN", help="a run folder whose answers say how long one takes")
    parser.add_argument("--ray", action="store_true", help="also measure Ray")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        render, keep = driver(Path(name), options.answers)
    sent = ray_cost(options.answers) if options.ray else 0.0
    times = service(options.run, options.seconds)
    cost = keep + sent
    sizes = [size for size in WORKERS if size <= options.most]
    rates = [simulate(size, options.at_once, times, cost) for size in sizes]
    mean = sum(times) / len(times)
    rows = [
        {"workers": size, "answers_per_second": rate, "share": rate * mean / (size * options.at_once)}
        for size, rate in zip(sizes, rates, strict=True)
    ]
    figures: dict[str, Any] = {
        "recipe": recipe(1, 1.0), "answers": options.answers, "at_once": options.at_once, "seconds": mean,
        "render_us": render * 1e6, "keep_us": keep * 1e6, "ray_us": sent * 1e6, "saturates": 1 / cost, "rows": rows,
    }  # fmt: skip
    print(f"driver, microseconds of CPU per answer: render {render * 1e6:.0f}, hand out, store and score "
          f"{keep * 1e6:.0f}, Ray {f'{sent * 1e6:.0f}' if options.ray else 'not measured'}")  # fmt: skip
    print(f"a worker: {options.at_once} requests at once, {mean:.2f} s each: {options.at_once / mean:.1f} answers/s")
    print(f"the driver saturates at {1 / cost:.0f} answers/s\n\nworkers  answers/s  share of what they could do")
    for row in rows:
        print(f"{row['workers']:7}  {row['answers_per_second']:9.1f}  {row['share']:.0%}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


# --- what the driver costs -------------------------------------------------------------------------------------------


class AtOnce:
    """A crew of workers in this process that answer everything as soon as it is handed over."""

    def __init__(self, model: Model, adapters: Sequence[AdapterRef]) -> None:
        self.engine = Instant(model, adapters)
        self.news: list[Event] = []
        self.started = 0

    def start(self) -> int:
        self.started += 1
        self.news.append(Ready(self.started, card(self.engine.tokenizer, 32)))
        return self.started

    def give(self, worker: int, handed: Sequence[Handed]) -> None:
        done = Completion("42", 60, 1)
        self.news.append(Answered(worker, [(number, done) for number, _ in handed]))

    def take_back(self, worker: int, count: int) -> None:
        self.news.append(Returned(worker, []))

    def forget(self, worker: int, below: int) -> None:
        pass

    def ask(self, worker: int, what: str, *given: Any) -> Any:
        return getattr(self.engine, what)(*given)

    def events(self, seconds: float) -> Sequence[Event]:
        news, self.news = self.news, []
        return news

    def end(self, worker: int) -> None:
        pass

    def close(self) -> None:
        pass


def card(tokenizer: Any, at_once: int) -> Card:
    """What a worker of these measurements says of itself."""
    return Card("fake", "1", tokenizer, 1 << 20, 512, at_once, True, "cpu", "fake", "here")


def driver(folder: Path, answers: int) -> tuple[float, float]:
    """CPU seconds per answer: to render and encode the question; to hand it out, store the answer and score it."""
    project(folder, answers)
    config, suite = read_config(folder / "models.yaml"), read_suite("sums", folder)
    plain = harness.runner.open_engine
    pool = Pool(AtOnce(config.models["m"], ()), 64)
    harness.runner.open_engine = lambda model, adapters, name: pool
    try:
        start = time.process_time()
        list(plan(pool, "fake", [suite], [config.arms["base"]], {}))
        render = time.process_time() - start
        start = time.process_time()
        run(config, [suite], [config.arms["base"]], folder / "run", engine=Cluster(), root=folder)
        whole = time.process_time() - start
    finally:
        harness.runner.open_engine = plain
    return render / answers, max(whole - render, 0.0) / answers


def ray_cost(answers: int) -> float:
    """CPU seconds of this process per request sent to a worker on a cluster and answered, the pool's code included."""
    engine = open_engine(Model("m", "fake", engine={"batch_size": 32}), (), Cluster(workers=2))
    try:
        text = "A crate holds 123456 pears and 654321 plums. How many fruits?" * 4
        ids = tuple(engine.tokenizer.encode(text))
        requests = [Request(str(number), ids, Sampling(max_tokens=32)) for number in range(answers)]
        list(engine.generate(requests[:200]))
        start = time.process_time()
        found = sum(1 for _ in engine.generate(requests))
        assert found == answers
        return (time.process_time() - start) / answers
    finally:
        engine.close()


def service(folder: Path | None, seconds: float) -> list[float]:
    """How long answers take, to draw from."""
    if folder is None:
        return [seconds * (0.5 + place / 100) for place in range(101)]
    return [row.completion.seconds for row in read_run(folder).rows if row.completion.seconds > 0]


# --- the simulation --------------------------------------------------------------------------------------------------


class Simulated:
    """A crew in virtual time. The driver's time goes by as it takes answers in: `cost` seconds each."""

    def __init__(self, at_once: int, times: Sequence[float], cost: float) -> None:
        self.at_once, self.times, self.cost = at_once, times, cost
        self.now = 0.0
        self.draw = random.Random(0)
        self.news: list[Event] = []
        self.started = 0
        self.busy: dict[int, int] = {}
        self.waiting: dict[int, deque[int]] = {}
        self.ends: list[tuple[float, int, int]] = []  # when, worker, number

    def start(self) -> int:
        self.started += 1
        self.busy[self.started], self.waiting[self.started] = 0, deque()
        self.news.append(Ready(self.started, card(None, self.at_once)))
        return self.started

    def give(self, worker: int, handed: Sequence[Handed]) -> None:
        self.waiting[worker].extend(number for number, _ in handed)
        self._begin(worker, self.now)

    def take_back(self, worker: int, count: int) -> None:
        back = [self.waiting[worker].pop() for _ in range(min(count, len(self.waiting[worker])))]
        self.news.append(Returned(worker, back))

    def forget(self, worker: int, below: int) -> None:
        self.waiting[worker].clear()

    def ask(self, worker: int, what: str, *given: Any) -> Any:
        raise AssertionError

    def events(self, seconds: float) -> Sequence[Event]:
        news, self.news = self.news, []
        if not news and self.ends:
            self.now = max(self.now, self.ends[0][0])
        done: dict[int, list[tuple[int, Completion]]] = {}
        until = self.now  # what ends while the driver takes these in waits for the next time
        while self.ends and self.ends[0][0] <= until:
            when, worker, number = heapq.heappop(self.ends)
            self.busy[worker] -= 1
            self._begin(worker, when)
            done.setdefault(worker, []).append((number, ANSWER))
            self.now += self.cost
        return [*news, *(Answered(worker, answers) for worker, answers in done.items())]

    def end(self, worker: int) -> None:
        pass

    def close(self) -> None:
        pass

    def _begin(self, worker: int, when: float) -> None:
        while self.waiting[worker] and self.busy[worker] < self.at_once:
            number = self.waiting[worker].popleft()
            self.busy[worker] += 1
            heapq.heappush(self.ends, (when + self.draw.choice(self.times), worker, number))


ANSWER = Completion("42", 60, 1)


def simulate(workers: int, at_once: int, times: Sequence[float], cost: float) -> float:
    """Answers per virtual second of so many workers under one driver."""
    crew = Simulated(at_once, times, cost)
    pool = Pool(crew, workers)
    count = workers * at_once * PER_WORKER
    begun = crew.now
    wanted = Sampling()
    found = sum(1 for _ in pool.generate(Request(str(number), (1,), wanted) for number in range(count)))
    assert found == count
    return count / (crew.now - begun)


if __name__ == "__main__":
    sys.exit(main())
