"""Training speed beside TRL's SFTTrainer and transformers' Trainer with peft: tokens per CPU-second on one core.

    python -m benchmarks.train                             # all settings; an hour on a busy machine
    python -m benchmarks.train --setting short --rounds 1 --steps 1 --tiny   # only to see that it works
    python -m benchmarks.train --json benchmarks/train.json

Every trainer gets the same rows in the same order as token ids, the same random model in float32 and a LoRA of rank 16
on all linear layers. Tokens are those of the rows, without padding; CPU time is this process's from the end of
a first step to the end of the last, so that neither imports nor set-up count. Rounds are interleaved; a ratio is taken
within a round. The peers train one candidate after another, so their rate for several is that for one.

What is not covered: a GPU; adapters of other ranks; longer rows than 150 tokens.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.sandbox import one_core, positive, spread
from harness.data import TrainSpec
from harness.train.data import TrainRow, plan

TRL, TRL_DEFAULT, TRAINER = "TRL SFTTrainer", "TRL SFTTrainer, defaults", "transformers Trainer + peft"
OURS, ALONE = "ours", "ours, one after another"


@dataclass(frozen=True)
class Setting:
    """What is trained. shared: tokens that all prompts begin with. bars: ours over each peer."""

    size: str
    candidates: int
    batch: int
    shared: int
    bars: Mapping[str, float]


SETTINGS = {
    "short": Setting("M", 1, 8, 0, {TRL: 1.4, TRAINER: 1.2}),
    "shared prompt": Setting("M", 4, 8, 50, {TRL: 3.5, TRAINER: 2.4, ALONE: 0.97}),
    "small batches": Setting("S", 8, 1, 0, {TRL: 1.8, ALONE: 0.97}),
    "batches of two": Setting("S", 8, 2, 0, {TRL: 1.8, ALONE: 0.97}),
    "large batches": Setting("M", 4, 8, 0, {ALONE: 0.97}),
}
SHAPES = {"S": (256, 4, 4096), "M": (512, 8, 16384), "tiny": (64, 2, 512)}
MEMORY_BAR = 2.0

Runner = Callable[[int], tuple[int, float]]
"""Trains so many steps and one before them; (tokens of the rows, CPU-seconds) of all but that first."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints, writes. 0 whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--setting", choices=SETTINGS, action="append", help="repeat; default: all")
    parser.add_argument("--rounds", type=positive(int), default=5, help="default 5")
    parser.add_argument("--steps", type=positive(int), default=3, help="per runner and round (default 3)")
    parser.add_argument("--tiny", action="store_true", help="a model too small to mean anything")
    parser.add_argument("--memory", type=positive(int), metavar="K", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args(argv)
    import torch

    torch.set_num_threads(1)
    if options.memory:
        print(peak_mb(options.memory, options.tiny))
        return 0
    figures: dict[str, Any] = {"settings": {}}
    with one_core() as core, tempfile.TemporaryDirectory() as folder:
        figures["recipe"] = recipe(core, options.rounds, options.steps)
        for name in options.setting or SETTINGS:
            setting = SETTINGS[name]
            rates, group = measure(setting, options, Path(folder))
            found = [
                {"over": other, "bar": bar, **spread([a / b for a, b in zip(rates[OURS], rates[other], strict=True)])}
                for other, bar in setting.bars.items()
                if other in rates
            ]
            tokens = {runner: spread(values) for runner, values in rates.items()}
            figures["settings"][name] = {"tokens_per_cpu_second": tokens, "ratios": found, "group": group}
            print("\n".join(lines(name, setting, figures["settings"][name])), flush=True)
        if not options.setting:
            one, eight = (_peak_of(count, options.tiny) for count in (1, 8))
            figures["memory"] = {"one_mb": one, "eight_mb": eight, "ratio": eight / one, "bar": MEMORY_BAR}
            print(f"peak memory: 8 candidates {eight} MB, one {one} MB: {eight / one:.2f}x (bar {MEMORY_BAR}x)")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def recipe(core: int | None, rounds: int, steps: int) -> dict[str, Any]:
    """What the figures depend on."""
    versions = {}
    for package in ("torch", "transformers", "peft", "trl"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": versions,
        "core": core,
        "load_before": os.getloadavg()[0],
        "rounds": rounds,
        "steps": steps,
    }


def lines(name: str, setting: Setting, figures: Mapping[str, Any]) -> list[str]:
    """A setting's figures for a terminal."""
    about = f"{setting.candidates} candidates" if setting.candidates > 1 else "1 candidate"
    found = [f"{name}: {about}, model {setting.size}, batch {setting.batch}, {setting.shared} shared prompt tokens"]
    for runner, rate in figures["tokens_per_cpu_second"].items():
        found.append(f"  {runner:30} {rate['median']:7.0f} tokens/CPU-s  ({rate['min']:.0f} to {rate['max']:.0f})")
    for one in figures["ratios"]:
        held = "holds" if one["median"] >= one["bar"] else "MISSED"
        span = f"({one['min']:.2f} to {one['max']:.2f})"
        found.append(f"  over {one['over']:25} {one['median']:6.2f}x {span}, bar {one['bar']}x: {held}")
    return [*found, f"  candidates in a forward pass, chosen by the probe: {figures['group']}"]


def model_of(size: str) -> Any:
    """A random Llama of one of SHAPES in float32."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    hidden, layers, vocabulary = SHAPES[size]
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=hidden, intermediate_size=hidden * 11 // 4 // 32 * 32, num_hidden_layers=layers,
        num_attention_heads=hidden // 32, num_key_value_heads=hidden // 64, vocab_size=vocabulary,
        max_position_embeddings=512, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config).requires_grad_(False)


def rows_of(setting: Setting, size: str, seed: int, count: int = 96) -> list[TrainRow]:
    """Prompts of 16 to 48 tokens behind the shared ones, completions of 9 to 25."""
    import torch

    draw = torch.Generator().manual_seed(seed)

    def some(low: int, high: int) -> tuple[int, ...]:
        length = int(torch.randint(low, high + 1, (1,), generator=draw))
        return tuple(torch.randint(3, SHAPES[size][2], (length,), generator=draw).tolist())

    shared = tuple(range(10, 10 + setting.shared))
    return [TrainRow(shared + some(16, 48), (*some(8, 24), 2), f"{i}") for i in range(count)]


def spec_of(setting: Setting, seed: int = 0) -> TrainSpec:
    return TrainSpec(suites=("random",), batch_size=setting.batch, seed=seed, epochs=500.0)


def measure(setting: Setting, options: Any, folder: Path) -> tuple[dict[str, list[float]], int]:
    """Tokens per CPU-second by runner, one figure per round; and the group that the probe chose."""
    size = "tiny" if options.tiny else setting.size
    found, group = ours(setting, size)
    for name, make in ((TRL, trl), (TRL_DEFAULT, trl_default), (TRAINER, trainer)):
        try:
            if name in setting.bars or (name == TRL_DEFAULT and setting.candidates == 1):
                found[name] = make(setting, size, folder)
        except ImportError as error:
            print(f"{name}: {error}. Left out. Install it with: pip install '.[benchmark]'", file=sys.stderr)
    rates: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(options.rounds):
        for name, run in found.items():
            tokens, seconds = run(options.steps)
            rates[name].append(tokens / seconds)
    return rates, group


def ours(setting: Setting, size: str) -> tuple[dict[str, Runner], int]:
    """Our trainer with the group that its probe chooses and, for several candidates, one after another."""
    from harness.train.probe import time_groups
    from harness.train.steps import one_round, prepare

    count = setting.candidates
    wanted = [(str(seed), spec_of(setting, seed), rows_of(setting, size, seed)) for seed in range(count)]
    trunk, candidates = prepare(model_of(size).eval(), wanted)
    group = time_groups(trunk, candidates).group

    def run(steps: int, group: int) -> tuple[int, float]:
        trunk.group = group
        for one in candidates:
            one.step = 0  # the same rows in every round, as the peers get them
        one_round(trunk, candidates)
        start, tokens = time.process_time(), 0
        for _ in range(steps):
            tokens += sum(len(one.rows[number]) for one in candidates for number in one.steps[one.step])
            one_round(trunk, candidates)
        return tokens, time.process_time() - start

    found: dict[str, Runner] = {OURS: lambda steps: run(steps, group)}
    if count > 1:
        found[ALONE] = lambda steps: run(steps, 1)
    return found, group


def _arguments(setting: Setting, folder: Path) -> dict[str, Any]:
    return {
        "output_dir": str(folder), "per_device_train_batch_size": setting.batch, "learning_rate": 2.0e-4,
        "lr_scheduler_type": "linear", "report_to": [], "save_strategy": "no", "logging_strategy": "no",
        "disable_tqdm": True, "use_cpu": True, "bf16": False, "remove_unused_columns": False,
    }  # fmt: skip


def _peer(setting: Setting, size: str, build: Callable[[list[TrainRow], int, Any], Any]) -> Runner:
    """Feeds a peer the rows of our first candidate in our order. build: its trainer for rows, steps and a callback."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.ends: list[float] = []

        def on_step_end(self, *unused: Any, **more: Any) -> None:
            self.ends.append(time.process_time())

    rows = rows_of(setting, size, 0)
    steps = plan(len(rows), spec_of(setting))

    def run(count: int) -> tuple[int, float]:
        order = [rows[number] for step in steps[: count + 1] for number in step]
        clock = Clock()
        build(order, count + 1, clock).train()
        return sum(len(row) for row in order[setting.batch :]), clock.ends[-1] - clock.ends[0]

    return run


def trainer(setting: Setting, size: str, folder: Path) -> Runner:
    """transformers.Trainer over a peft model, batches padded to their longest row."""
    import torch
    from peft import get_peft_model
    from transformers import Trainer, TrainingArguments

    from harness.train.lora import config_of

    class InOrder(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, dataset: Any = None) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    model = get_peft_model(model_of(size), config_of(spec_of(setting)))

    def build(order: list[TrainRow], steps: int, clock: Any) -> Any:
        arguments = TrainingArguments(**_arguments(setting, folder), max_steps=steps)
        return InOrder(model, arguments, train_dataset=order, data_collator=_padded, callbacks=[clock])

    return _peer(setting, size, build)


def _padded(rows: Sequence[TrainRow]) -> dict[str, Any]:
    import torch

    longest = max(map(len, rows))
    ids, mask, labels = [], [], []
    for row in rows:
        pad = longest - len(row)
        ids.append([*row.prompt_ids, *row.completion_ids, *[0] * pad])
        mask.append([1] * len(row) + [0] * pad)
        labels.append([-100] * len(row.prompt_ids) + [*row.completion_ids] + [-100] * pad)
    return {
        "input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask), "labels": torch.tensor(labels)
    }  # fmt: skip


def trl(setting: Setting, size: str, folder: Path, **more: Any) -> Runner:
    """TRL's SFTTrainer without gradient checkpointing, its fastest setting here; packing needs FlashAttention."""
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from harness.data import Model
    from harness.digests import resolve_model
    from harness.engines.loading import load_tokenizer
    from harness.train.lora import config_of

    class InOrder(SFTTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, dataset: Any = None) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    tokenizer = load_tokenizer(Model("embedded", resolve_model("embedded")))

    def build(order: list[TrainRow], steps: int, clock: Any) -> Any:
        rows = [
            {
                "input_ids": [*row.prompt_ids, *row.completion_ids],
                "completion_mask": [0] * len(row.prompt_ids) + [1] * len(row.completion_ids),
            }
            for row in order
        ]
        settings = {**_arguments(setting, folder), "gradient_checkpointing": False, **more}
        arguments = SFTConfig(**settings, max_steps=steps, completion_only_loss=True)
        return InOrder(
            model_of(size), arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer,
            peft_config=config_of(spec_of(setting)), callbacks=[clock],
        )  # fmt: skip

    return _peer(setting, size, build)


def trl_default(setting: Setting, size: str, folder: Path) -> Runner:
    """TRL's SFTTrainer as it comes, with gradient checkpointing."""
    return trl(setting, size, folder, gradient_checkpointing=True)


# --- memory -----------------------------------------------------------------------------------------------------------


def peak_mb(candidates: int, tiny: bool) -> int:
    """Peak resident memory of this process after two rounds with so many candidates, in MB."""
    import resource

    from harness.train.steps import one_round, prepare

    setting = Setting("M", candidates, 8, 0, {})
    size = "tiny" if tiny else "M"
    wanted = [(str(seed), spec_of(setting, seed), rows_of(setting, size, seed)) for seed in range(candidates)]
    trunk, made = prepare(model_of(size).eval(), wanted)
    for _ in range(2):
        one_round(trunk, made)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _peak_of(candidates: int, tiny: bool) -> int:
    """`peak_mb` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.train", "--memory", str(candidates), *(["--tiny"] if tiny else [])]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


if __name__ == "__main__":
    sys.exit(main())
