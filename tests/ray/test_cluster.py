"""`harness run --ray` on a cluster of this machine: workers are killed, and the run is the single-machine one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from project import SUITE, make_project
from tiny_models import make_adapter

from harness.config import read_config
from harness.data import Model, Request, Run, Sampling
from harness.digests import EMBEDDED
from harness.engines import Cluster, open_engine
from harness.engines.fake import FakeTokenizer
from harness.engines.pool import Pool
from harness.errors import HarnessError
from harness.runner import run
from harness.suite import read_suite


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    yield
    ray.shutdown()


class Killer:
    """Kills a worker process whenever so many more answers are in the file; kills: how many it has, at most `most`.

    how: SIGSTOP makes it hang instead.
    """

    def __init__(self, file: Path, every: int, most: int, seed: int = 0, how: signal.Signals = signal.SIGKILL) -> None:
        self.file, self.every, self.most, self.how, self.kills = file, every, most, how, 0
        self.draw = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._kill)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _kill(self) -> None:
        while self.kills < self.most and not self._stop.wait(0.01):
            written = self.file.read_bytes().count(b"\n") if self.file.is_file() else 0
            if written >= (self.kills + 1) * self.every and (found := workers(ready=True)):
                self.draw.choice(found).send_signal(self.how)
                self.kills += 1


def workers(ready: bool = False) -> list[psutil.Process]:
    """Processes of actors; ready: without those that are still loading their engine, as Ray titles them."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            title = process.cmdline()[0]
            if title.startswith("ray::Worker") and not (ready and title.startswith("ray::Worker.start")):
                found.append(process)
        except (psutil.Error, IndexError):
            continue
    return found


def _run(file: Path, out: Path, engine: Cluster | None, arms: tuple[str, ...], suite: str = "sums") -> Run:
    config = read_config(file)
    read = read_suite(suite, file.parent)
    return run(config, [read], [config.arms[name] for name in arms], out, engine=engine, twice=False)


def _same(found: Run, alone: Run) -> None:
    def told(one: Run) -> Any:
        return {(row.suite, row.arm, row.sample): (row.key, row.completion.text, row.completion.finish_reason)
                for row in one.rows}  # fmt: skip

    def scored(one: Run) -> Any:
        return {(s.suite, s.arm, s.sample, s.scorer): s.score for s in one.scores}

    assert told(found) == told(alone)
    assert scored(found) == scored(alone)
    lines = (Path(found.path) / "completions.jsonl").read_text().splitlines()
    times = Counter((row["arm"], row["sample"]) for row in map(json.loads, lines))
    assert (len(times), set(times.values())) == (len(alone.rows), {1})
    for kind in ("models", "adapters"):
        cards = [{name: card["digest"] for name, card in one.manifest[kind].items()} for one in (found, alone)]
        assert cards[0] == cards[1]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_run_whose_workers_are_killed_at_random_equals_the_one_without_a_cluster(tmp_path: Path, seed: int) -> None:
    arms = ("base", "prompted", "lora")
    alone = _run(make_project(tmp_path), tmp_path / "alone", None, arms)
    file = make_project(tmp_path, more="delay: 0.1, batch_size: 4")
    with Killer(tmp_path / "ray" / "completions.jsonl", 20, 4, seed) as killer:
        found = _run(file, tmp_path / "ray", Cluster(workers=3), arms)
    _same(found, alone)
    assert killer.kills == 4
    assert found.manifest["models"]["toy"]["engine_deaths"] >= 1
    assert found.manifest["engine"]["workers"] == 3


def test_the_embedded_model_on_two_workers_one_killed_equals_the_one_without(tmp_path: Path) -> None:
    suite = make_project(tmp_path).parent / "suites" / "sums"
    make_adapter(EMBEDDED, tmp_path / "tuned", seed=1, rank=8, strength=0.25)
    (suite / "suite.yaml").write_text(SUITE.replace("max_tokens: 8", "max_tokens: 48"))
    file = tmp_path / "models.yaml"
    file.write_text(
        "models: {small: {path: embedded, engine: {batch_size: 4, dtype: float32}}}\n"
        f"adapters: {{tuned: {{model: small, path: {tmp_path / 'tuned'}}}}}\n"
        "arms: {base: {model: small}, prompted: {model: small, system: true, shots: 1}, "
        "lora: {model: small, adapter: tuned}}\n"
    )
    arms = ("base", "prompted", "lora")
    alone = _run(file, tmp_path / "alone", None, arms)
    assert alone.manifest["engine"]["name"] == "transformers"
    with Killer(tmp_path / "ray" / "completions.jsonl", 5, 1) as killer:
        found = _run(file, tmp_path / "ray", Cluster(workers=2), arms)
    _same(found, alone)
    assert killer.kills == 1
    assert found.manifest["models"]["small"]["engine_deaths"] == 1


def test_a_worker_that_hangs_is_replaced_and_the_run_equals_the_one_without_a_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = _run(make_project(tmp_path), tmp_path / "alone", None, ("base", "lora"))
    file = make_project(tmp_path, more="delay: 0.1, batch_size: 4, hang_after: 6")
    with Killer(tmp_path / "ray" / "completions.jsonl", 20, 1, how=signal.SIGSTOP) as killer:
        found = _run(file, tmp_path / "ray", Cluster(workers=2), ("base", "lora"))
    _same(found, alone)
    assert killer.kills == 1
    assert found.manifest["models"]["toy"]["engine_deaths"] >= 1
    assert "A worker gave no sign of life for 6 seconds. Another worker is started;" in capsys.readouterr().err
    _end_of_workers()


def test_a_slow_worker_lives_and_one_that_hangs_when_it_is_asked_is_replaced() -> None:
    model = Model("m", "fake", engine={"delay": 9, "hang_after": 6})
    with closing(open_engine(model, (), Cluster(workers=1))) as engine:
        assert isinstance(engine, Pool)
        stream = engine.generate([Request("1", tuple(FakeTokenizer().encode("q")), Sampling())])
        assert [(request.key, said.error) for request, said in stream] == [("1", "")]
        assert engine.deaths == 0
        (worker,) = workers()
        worker.suspend()
        assert len(engine.likeliest([(5, 6)], 2)[0]) == 2
        assert engine.deaths == 1
    _end_of_workers()


def test_closing_leaves_no_worker() -> None:
    with closing(open_engine(Model("m", "fake", engine={"delay": 5}), (), Cluster(workers=2))) as engine:
        stream = engine.generate([Request("1", tuple(FakeTokenizer().encode("q")), Sampling())])
        assert next(iter(stream))[0].key == "1"
        assert workers()
    _end_of_workers()


def _end_of_workers() -> None:
    until = time.monotonic() + 30
    while workers() and time.monotonic() < until:
        time.sleep(0.1)
    assert not workers()


def test_more_workers_than_there_is_room_for_are_refused() -> None:
    with pytest.raises(HarnessError, match=r"the cluster has room for 4 workers of 1 CPUs, not 9"):
        open_engine(Model("m", "fake"), (), Cluster(workers=9))


# --- the command -----------------------------------------------------------------------------------------------------


def _harness(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    command = [sys.executable, "-m", "harness", "run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, **more)


def test_ray_without_an_address_starts_a_cluster_here_and_stdout_holds_nothing_of_its_troubles(tmp_path: Path) -> None:
    make_project(tmp_path, more="delay: 0.1")
    with Killer(tmp_path / "runs" / "sums" / "completions.jsonl", 5, 1):
        done = _harness("-s", "sums", "-a", "base", "--no-dev", "--ray", "--ray-workers", "2", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    assert json.loads(done.stdout)
    assert "Another worker is started" in done.stderr
    manifest = json.loads((tmp_path / "runs" / "sums" / "run.json").read_text())
    assert manifest["engine"]["workers"] == 2
    assert manifest["models"]["toy"]["engine_deaths"] == 1


def test_ctrl_c_ends_the_cluster_and_keeps_what_was_answered(tmp_path: Path) -> None:
    make_project(tmp_path, more="delay: 0.3")
    command = [sys.executable, "-m", "harness", "run", "-s", "sums", "-a", "base", "--no-dev", "--ray", "local"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    child = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    written = tmp_path / "runs" / "sums" / "completions.jsonl"
    until = time.monotonic() + 120
    while time.monotonic() < until and not (written.is_file() and written.read_bytes().count(b"\n") >= 3):
        time.sleep(0.05)
    under = psutil.Process(child.pid).children(recursive=True)
    child.send_signal(signal.SIGTERM)
    _, told = child.communicate(timeout=90)
    assert child.returncode == 130, told
    assert told.strip().splitlines()[-1].startswith("harness: interrupted. What was finished is kept")
    _, alive = psutil.wait_procs(under, timeout=30)
    assert not alive
    assert written.read_bytes().count(b"\n") >= 3


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("127.0.0.1:9", 5, "no cluster answers there"),
        ("ray://127.0.0.1:10001", 2, "not an address. Give HOST:PORT"),
        ("nowhere", 2, "not an address. Give HOST:PORT"),
    ],
)
def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path, address: str, code: int, said: str) -> None:
    make_project(tmp_path)
    done = _harness("-s", "sums", "-a", "base", "--no-dev", "--ray", address, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("Traceback")) == (code, 0), done.stderr
    assert said in done.stderr.strip().splitlines()[-1]
    assert not done.stdout
