"""The engine of a run is killed (kill -9 of vLLM's engine process) again and again: is anything lost, or done twice?

Moments are random, as shares of the answers that are stored. The run is held to one that nobody disturbed.
What is not covered: kill -9 of the harness itself, which tests/test_scoring.py does thirty times.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from benchmarks.run_arms import ENVIRONMENT, HARNESS, make_adapter
from harness.digests import EMBEDDED
from harness.errors import MachineError
from harness.store import read_run

LONGEST = 7200.0
"""Seconds after which the run counts as stuck."""


def kills(folder: Path, file: Path, samples: int, times: int, seed: int = 0) -> dict[str, Any]:
    """What became of a run of `samples` questions to a base and an adapter, killed `times` times. Raises MachineError.

    file: models.yaml with a model m, beside a suite sums.
    """
    make_adapter(str(EMBEDDED), folder / "a", seed)
    about = file.read_text("utf-8")
    arms = "arms:\n  base: {model: m, system: true}\n  tuned: {model: m, system: true, adapter: a}\n"
    file.write_text(f"{about.split('arms:')[0]}adapters:\n  a: {{model: m, path: {folder / 'a'}}}\n{arms}", "utf-8")
    rng = random.Random(seed)
    moments = sorted(rng.randrange(1, 2 * samples) for _ in range(times))
    with ThreadPoolExecutor(2) as side_by_side:
        disturbed = side_by_side.submit(_run, file, folder / "killed", moments, rng)
        side_by_side.submit(_run, file, folder / "whole", [], rng).result()
        killed = disturbed.result()
    lines = [json.loads(line) for line in (folder / "killed" / "completions.jsonl").read_text("utf-8").splitlines()]
    often = Counter((line["arm"], line["sample"]) for line in lines)
    done, whole = read_run(folder / "killed"), read_run(folder / "whole")
    expected = {(row.arm, row.sample): row for row in whole.rows}
    texts = {(row.arm, row.sample): row.completion.text for row in done.rows}
    values = {(score.arm, score.sample): score.score.value for score in done.scores}
    return {
        "answers": len(expected),
        "killed_at": killed,
        "restarts": done.manifest["models"]["m"].get("engine_deaths", 0),
        "lost": len(expected.keys() - texts.keys()),
        "failed": sum(row.completion.finish_reason == "error" for row in done.rows),
        "twice": sum(count - 1 for count in often.values()),
        "other_key": sum(row.key != expected[row.arm, row.sample].key for row in done.rows),
        "other_text": sum(texts.get(place) != row.completion.text for place, row in expected.items()),
        "other_score": sum(values.get((s.arm, s.sample)) != s.score.value for s in whole.scores),
    }


def _run(file: Path, out: Path, moments: list[int], rng: random.Random) -> list[int]:
    """One run to its end; the numbers of answers at which its engine was killed."""
    command = [*HARNESS, "run", "--config", str(file), "-s", "sums", "--no-dev", "--no-aa", "--engine", "vllm"]
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(Path(__file__).parents[1])}
    stored, killed, deadline = out / "completions.jsonl", list[int](), time.monotonic() + LONGEST
    with (out.parent / f"{out.name}.log").open("w") as log:
        child = subprocess.Popen(
            [*command, "--out", str(out)], stdout=log, stderr=log, env=environment, cwd=file.parent
        )
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
            count = stored.read_bytes().count(b"\n") if stored.is_file() else 0
            if moments and count >= moments[0] and count > (killed or [0])[-1]:
                time.sleep(rng.random() / 4)
                if _kill_engine(child.pid):
                    killed.append(count)
                    moments = moments[1:]
        if child.poll() is None:
            child.kill()
            raise MachineError(f"the run was stuck for {LONGEST:g} seconds")
    if child.returncode:
        raise MachineError(f"a run of killed engines failed: {(out.parent / f'{out.name}.log').read_text()[-600:]}")
    return killed


def _kill_engine(pid: int) -> bool:
    """kill -9 of the engine process of a run; False where there is none at this moment."""
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if "EngineCore" in " ".join(process.cmdline()) + process.name():
                process.kill()
                return True
        except psutil.NoSuchProcess:
            continue
    return False
