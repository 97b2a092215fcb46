"""`harness run --ray` with vLLM in its workers: one is killed, and the run is the one without a cluster."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from tiny_models import make_adapter

from harness.digests import EMBEDDED
from harness.store import read_run

ENDS_WITHIN = 1500
MODELS = """
models: {{small: {{path: embedded, engine: {{dtype: float32, max_num_seqs: 2, threads: 1}}}}}}
adapters: {{tuned: {{model: small, path: {folder}/tuned}}}}
arms: {{base: {{model: small}}, rag: {{model: small, retrieve: 1}}, lora: {{model: small, adapter: tuned}}}}
"""


class Started:
    """A run in a process of its own; `look` notes what it has under it, and the shared memory of that."""

    def __init__(self, folder: Path, out: str, *more: str) -> None:
        self.out, self.log = folder / out, folder / f"{out}.log"
        self.processes: set[psutil.Process] = set()
        self.memory: set[str] = set()
        self.until = time.monotonic() + ENDS_WITHIN
        command = [sys.executable, "-m", "harness", "run", "-s", "handbook", "--limit", "40", "--no-dev", "--no-aa"]
        command += ["--engine", "vllm", "--out", out, *more]
        environment = os.environ | {"RAY_worker_niceness": "0"}
        with self.log.open("w") as log:
            self.child = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def look(self) -> None:
        under = psutil.Process(self.child.pid).children(recursive=True)
        self.processes.update(under)
        for one in under:
            with suppress(OSError):
                maps = Path(f"/proc/{one.pid}/maps").read_text(errors="replace")
                self.memory.update(re.findall(r"/dev/shm/((?:psm|sem)[^ \n/]+)", maps))

    def answers(self) -> int:
        file = self.out / "completions.jsonl"
        return file.read_bytes().count(b"\n") if file.is_file() else 0

    def running(self) -> bool:
        return self.child.poll() is None and time.monotonic() < self.until

    def end(self) -> None:
        """Leaves nothing of a run that failed."""
        for one in [self.child, *self.processes]:
            with suppress(psutil.NoSuchProcess):
                one.kill()


def _ready_worker(run: Started) -> psutil.Process | None:
    """A worker whose engine has been loaded, as Ray titles it."""
    for process in run.processes:
        with suppress(psutil.Error, IndexError):
            title = process.cmdline()[0]
            if title.startswith("ray::Worker") and not title.startswith("ray::Worker.start"):
                return process
    return None


def _gone(processes: set[psutil.Process], seconds: float = 60) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return not [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def _told(out: Path) -> tuple[Any, Any]:
    run = read_run(out)
    rows = {(one.arm, one.sample): (one.key, one.completion.text, one.completion.finish_reason) for one in run.rows}
    return rows, {(one.arm, one.sample, one.scorer): one.score for one in run.scores}


def test_a_worker_killed_with_its_engine_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    make_adapter(EMBEDDED, tmp_path / "tuned", seed=1, rank=8, strength=0.25)
    (tmp_path / "models.yaml").write_text(MODELS.format(folder=tmp_path))
    ray = Started(tmp_path, "ray", "--ray", "local", "--ray-workers", "2")
    alone = Started(tmp_path, "alone")
    engine: set[psutil.Process] = set()
    try:
        while ray.running() or alone.running():
            for one in (ray, alone):
                with suppress(psutil.NoSuchProcess):
                    one.look()
            if not engine and ray.answers() and (worker := _ready_worker(ray)):
                engine = set(worker.children(recursive=True))
                worker.kill()
            time.sleep(0.1 if ray.answers() else 1)
        assert (ray.child.returncode, alone.child.returncode) == (0, 0), ray.log.read_text() + alone.log.read_text()
        assert len(engine) >= 2
        assert _gone(ray.processes | alone.processes)
        assert not [name for name in ray.memory | alone.memory if Path("/dev/shm", name).exists()]
        assert ray.memory
    finally:
        for one in (ray, alone):
            one.end()
    assert "died. Another worker is started;" in ray.log.read_text()
    rows, scores = _told(ray.out)
    assert (rows, scores) == _told(alone.out)
    assert len({score.value for score in scores.values()}) > 1
    lines = (ray.out / "completions.jsonl").read_text().splitlines()
    times = Counter((row["arm"], row["sample"]) for row in map(json.loads, lines))
    assert (len(times), set(times.values())) == (120, {1})
    manifest = read_run(ray.out).manifest
    assert manifest["models"]["small"]["engine_deaths"] >= 1
    assert manifest["engine"] == {**read_run(alone.out).manifest["engine"], "workers": 2}
