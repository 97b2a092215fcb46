"""Four arms (a base and three adapters) on three suites: `harness run` beside lm-eval's vLLM model, once per arm.

Both get the same conversations, rendered before the clock runs for lm-eval, the same limits, greedy decoding, and the
same engine options, but for what the harness sets by itself (vLLM's one worker in the engine's process); engine starts
are counted for both. lm-eval's exact_match is compared with ours of the same texts.
What is not covered: multiple choice (benchmarks.run has it; with adapters lm-eval's way ends a CPU engine); how large
the advantage is where the engine's start is small beside the answers. lm-eval 0.4.13 has to be installed beside vLLM.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from benchmarks.sandbox import spread
from harness.data import Arm, Suite
from harness.digests import EMBEDDED
from harness.errors import MachineError
from harness.prompt import chat_text, render
from harness.store import read_run
from harness.suite import read_suite

SUITES = ("forgetting", "handbook", "sql")
ADAPTERS = ("a", "b", "c")
OPTIONS = {"dtype": "float32", "max_num_seqs": 32}
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "1"}
HARNESS = [sys.executable, "-m", "harness"]


@dataclass(frozen=True)
class Spent:
    """Seconds."""

    wall: float
    cpu: float


def arms(folder: Path, samples: int, rounds: int, model: str = str(EMBEDDED)) -> dict[str, Any]:
    """Wall seconds of both, round by round, and whether the scores are the same. Raises MachineError.

    samples: of each suite.
    """
    suites = [_suite(folder, name, samples) for name in SUITES]
    adapters = {name: make_adapter(model, folder / name, seed) for seed, name in enumerate(ADAPTERS)}
    _write_config(folder, model, adapters)
    _write_tasks(folder / "tasks", suites, model)
    ours: list[Spent] = []
    theirs: list[Spent] = []
    found: dict[str, Any] = {}
    for number in range(rounds):
        out = folder / f"arms-{number}"
        arguments = [part for name in SUITES for part in ("-s", name)] + ["--no-dev", "--no-aa", "--engine", "vllm"]
        command = [*HARNESS, "run", "--config", "models.yaml", *arguments, "--out", str(out)]
        if number % 2:
            found, spent = _lm_eval(folder, model, adapters)
        ours.append(_timed(command, folder))
        if not number % 2:
            found, spent = _lm_eval(folder, model, adapters)
        theirs.append(spent)
    return {
        "arms": 1 + len(adapters),
        "suites": list(SUITES),
        "answers": sum(len(suite.test) for suite in suites) * (1 + len(adapters)),
        "harness_s": [spent.wall for spent in ours],
        "lm_eval_s": [spent.wall for spent in theirs],
        "ratio": spread([other.wall / mine.wall for mine, other in zip(ours, theirs, strict=True)]),
        "cpu_ratio": spread([other.cpu / mine.cpu for mine, other in zip(ours, theirs, strict=True)]),
        "scores": _scores(out, found),
    }


def _suite(folder: Path, name: str, samples: int) -> Suite:
    """A copy of a suite with fewer questions, all of them answered in words."""
    here = Path(__file__).parents[1] / "suites" / name
    copy = folder / "suites" / name
    shutil.copytree(here, copy, ignore=shutil.ignore_patterns("drift.jsonl"))  # lm-eval measures no drift
    rows = [line for line in (here / "test.jsonl").read_text("utf-8").splitlines() if "choices" not in json.loads(line)]
    kept = islice(rows[:: max(1, len(rows) // samples)], samples)
    (copy / "test.jsonl").write_text("".join(f"{row}\n" for row in kept), encoding="utf-8")
    return read_suite(name, folder)


def make_adapter(model: str, folder: Path, seed: int, strength: float = 0.03) -> Path:
    """A LoRA candidate of rank 8 whose B is drawn, not 0, so that it changes the answers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    shape = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM")
    tuned = get_peft_model(AutoModelForCausalLM.from_pretrained(model), shape)
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, strength)
    tuned.save_pretrained(folder)
    return folder


def _write_config(folder: Path, model: str, adapters: Mapping[str, Path]) -> None:
    config = {
        "models": {"m": {"path": model, "engine": {**OPTIONS, "kv_cache_gib": 1, "threads": 1}}},
        "adapters": {name: {"model": "m", "path": str(path)} for name, path in adapters.items()},
        "arms": {
            "base": {"model": "m", "system": True},
            **{name: {"model": "m", "system": True, "adapter": name} for name in adapters},
        },
    }
    (folder / "models.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _write_tasks(folder: Path, suites: Sequence[Suite], model: str) -> None:
    """Each suite as a task of lm-eval: its conversations as the model's chat template has them."""
    from transformers import AutoTokenizer

    tokenizer, arm = AutoTokenizer.from_pretrained(model), Arm("base", "m", system=True)
    folder.mkdir()
    for suite in suites:
        rows = [
            {
                "id": sample.id,
                "prompt": chat_text(tokenizer, render(suite, arm, sample), generation=True),
                "target": sample.target,
            }
            for sample in suite.test
        ]
        data = folder / f"{suite.name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        task = {
            "task": suite.name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(data)}},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "prompt",
            "doc_to_target": "target",
            "generation_kwargs": {
                "until": list(suite.sampling.stop),
                "do_sample": False,
                "temperature": 0.0,
                "max_gen_toks": suite.sampling.max_tokens,
            },
            "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
            "num_fewshot": 0,
        }
        (folder / f"{suite.name}.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")


def _lm_eval(folder: Path, model: str, adapters: Mapping[str, Path]) -> tuple[dict[str, Any], Spent]:
    """What lm-eval found, by arm and suite, and what its processes took, one after the other."""
    found: dict[str, Any] = {}
    wall = cpu = 0.0
    for arm, path in {"base": "", **adapters}.items():
        out = folder / f"lm-eval-{arm}.json"
        options = json.dumps({**OPTIONS, "enforce_eager": True})
        command = [sys.executable, "-m", "benchmarks.run_lm_eval", str(folder / "tasks"), model, str(path), options]
        spent = _timed([*command, str(out)], Path(__file__).parents[1])
        wall, cpu = wall + spent.wall, cpu + spent.cpu
        found[arm] = json.loads(out.read_text("utf-8"))
    return found, Spent(wall, cpu)


def _timed(command: Sequence[str], folder: Path) -> Spent:
    """What a process takes from its start to its end, its engine included."""
    root = str(Path(__file__).parents[1])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": paths}
    start, before = time.monotonic(), _cpu()
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    if done.returncode:
        raise MachineError(f"{' '.join(command[1:4])} failed: {done.stderr.strip()[-600:]}")
    return Spent(time.monotonic() - start, _cpu() - before)


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def _scores(run: Path, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Per arm and suite: both exact matches, and how many of the answers are the same to the letter."""
    mine: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
    for row in read_run(run).rows:
        mine.setdefault((row.arm, row.suite), {})[row.sample] = row.completion.text, row.target
    return [
        {
            "arm": arm,
            "suite": suite,
            "n": len(texts),
            "harness": sum(text == target for text, target in texts.values()) / len(texts),
            "lm_eval": found[arm][suite]["exact_match"],
            "same_text": sum(text == found[arm][suite]["texts"].get(name) for name, (text, _) in texts.items()),
        }
        for (arm, suite), texts in mine.items()
    ]
