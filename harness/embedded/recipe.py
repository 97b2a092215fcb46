"""Makes the embedded model: text, tokenizer, training, weights.

    python -m harness.embedded.recipe --out DIR --tokens 30e6 --seed 0
    python -m harness.embedded.recipe --out DIR --tokens 150e6 --device cuda --writers 12 --batch 16384
    python -m harness.embedded.recipe --out DIR --smoke

Training goes chapter by chapter; the next chapter's text is written while this one is learned, so no text is seen
twice. Interrupted runs go on where they stopped. Float32 throughout: the weights are rounded to bfloat16 at the end.
Two workers that average their gradients are faster on a CPU than one worker with two threads.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.embedded import network, pack, vocabulary
from harness.embedded.network import Shape

CHAPTER = 600_000
BATCH = 2048
MUON, ADAM = 0.02, 4e-3
DECAY_FROM = 0.37


def rate(progress: float, step: int) -> float:
    """The learning rate's factor: warm-up over 60 steps, constant, then a straight line to zero."""
    fall = 1.0 if progress < DECAY_FROM else max(0.02, (1 - progress) / (1 - DECAY_FROM))
    return min(1.0, (step + 1) / 60) * fall


def stage(progress: float) -> float:
    """Which mixture the text has, from first lessons (0) over half way (0.5) to the last one (1)."""
    points = ((0.0, 0.0), (0.1, 0.0), (0.3, 0.5), (0.45, 0.5), (0.5, 1.0), (1.0, 1.0))
    for (left, low), (right, high) in pairwise(points):
        if progress <= right:
            return low + (high - low) * (progress - left) / (right - left)
    return 1.0


def config(shape: Shape) -> dict[str, Any]:
    """config.json of a LlamaForCausalLM of this shape."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.mlp,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_size,
        "max_position_embeddings": shape.positions,
        "rms_norm_eps": shape.epsilon,
        "rope_theta": shape.rope,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": vocabulary.BOS,
        "eos_token_id": vocabulary.END,
        "pad_token_id": vocabulary.PAD,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "initializer_range": 0.02,
    }


def export(parameters: dict[str, Any], shape: Shape, tokenizer: Any, folder: Path) -> None:
    """Writes a folder that transformers, peft and vLLM load; a reader never sees a half-written weight file."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config(shape), indent=2) + "\n", "utf-8")
    generation = {
        "bos_token_id": vocabulary.BOS,
        "eos_token_id": vocabulary.END,
        "pad_token_id": vocabulary.PAD,
        "do_sample": False,
    }
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n", "utf-8")
    if not (folder / "tokenizer_config.json").exists():
        vocabulary.save(tokenizer, folder, shape.positions)
    save_file(network.exported(parameters, shape), str(folder / "model.part"), metadata={"format": "pt"})
    (folder / "model.part").replace(folder / "model.safetensors")


def batches(chapter: dict[str, Any], seed: int, worker: int, workers: int, tokens: int) -> list[tuple[int, list[int]]]:
    """One worker's steps through a chapter: (row length, row numbers); every worker has equally many of each length."""
    rng = random.Random(seed)
    steps: list[tuple[int, list[list[int]]]] = []
    for length in pack.LENGTHS:
        order = list(range(len(chapter[f"{length}.ids"])))
        rng.shuffle(order)
        size = max(1, tokens // length)
        whole = len(order) // (size * workers)
        for step in range(whole):
            part = order[step * size * workers : (step + 1) * size * workers]
            steps.append((length, [part[w::workers] for w in range(workers)]))
    rng.shuffle(steps)
    return [(length, parts[worker]) for length, parts in steps]


def gather(chapter: dict[str, Any], length: int, picked: list[int]) -> dict[str, Any]:
    """Rows of a chapter as tensors."""
    import torch

    names = ("ids", "position", "group", "branch", "place", "target")
    out = {n: torch.from_numpy(chapter[f"{length}.{n}"][picked].astype("int64")) for n in names}
    out["weight"] = torch.from_numpy(chapter[f"{length}.weight"][picked])
    return out


def probes(parameters: dict[str, Any], shape: Shape, tokenizer: Any, tables: Any, count: int = 4) -> dict[str, float]:
    """Share of held-out answers whose every token is the most likely one, for each family of the mixture."""
    from harness.embedded.text.mixture import FAMILIES

    found: dict[str, float] = {}
    for name, (family, *_) in FAMILIES.items():
        rng = random.Random(f"probe {name}")
        marks: list[bool] = []
        for one in pack.encode_all([family(rng) for _ in range(count)], tokenizer):
            good = True
            best = network.predictions(parameters, one, tables, shape)
            for guess, target, weight in zip(best, one.target, one.weight, strict=True):
                good = good and guess == target
                if target == vocabulary.END:
                    if weight * 4 > 0.3:
                        marks.append(good)
                    good = True
        found[name] = round(sum(marks) / max(1, len(marks)), 3)
    return found


def write(out: Path, number: int, plan: dict[str, Any], at: float) -> subprocess.Popen[bytes]:
    """Starts writing a chapter of text in another process; `at` is the progress (0..1) at which it will be read."""
    command = [sys.executable, "-m", "harness.embedded.pack", str(out / "tokenizer.raw.json"), str(_file(out, number))]
    command += ["--seed", str(plan["seed"] * 100_003 + number), "--stage", f"{stage(at):.4f}"]
    command += ["--tokens", str(int(plan["chapter"]))]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"})


def _file(out: Path, number: int) -> Path:
    return out / f"chapter-{number}.npz"


class Writers:
    """The chapters that are being written ahead of the one that is learned, each by a process of its own."""

    def __init__(self, out: Path, plan: dict[str, Any]) -> None:
        self.out, self.plan = out, plan
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def ahead(self, number: int, now: float) -> None:
        """Sees to it that chapter `number` and those after it, `plan["writers"]` in all, are written or begun."""
        step = self.plan["chapter"] / self.plan["tokens"] if not self.plan["minutes"] else 0.02
        for offset in range(self.plan["writers"]):
            wanted = number + offset
            if wanted not in self.running and not _file(self.out, wanted).exists():
                self.running[wanted] = write(self.out, wanted, self.plan, min(1.0, now + offset * step))

    def collect(self) -> None:
        """Notes finished writers. Raises SystemExit where one failed."""
        for number, process in list(self.running.items()):
            if process.poll() is not None:
                if process.wait():
                    raise SystemExit(f"writing the text of chapter {number} failed")
                del self.running[number]

    def close(self) -> None:
        """Stops what is still being written."""
        for process in self.running.values():
            process.terminate()
            process.wait()


def read(out: Path, number: int, writers: Writers | None) -> dict[str, Any]:
    """A chapter, as soon as it is written."""
    import numpy as np

    while not _file(out, number).exists():
        if writers:
            writers.collect()
        time.sleep(0.2)
    with np.load(_file(out, number)) as packed:
        return dict(packed)


def average(parameters: dict[str, Any], workers: int) -> None:
    """Makes every worker's gradients the mean of all workers'."""
    import torch

    flat = torch.cat([p.grad.reshape(-1) for p in parameters.values()])
    torch.distributed.all_reduce(flat)
    for p, part in zip(parameters.values(), flat.split([p.numel() for p in parameters.values()]), strict=True):
        p.grad = part.view_as(p) / workers


def keep(out: Path, parameters: dict[str, Any], state: dict[str, Any], done: dict[str, Any]) -> None:
    """Writes a checkpoint; a run that is broken off later goes on from it."""
    import torch

    whole = {"parameters": {name: p.detach() for name, p in parameters.items()}, "state": state, "done": done}
    torch.save(whole, out / "checkpoint.part")
    (out / "checkpoint.part").replace(out / "checkpoint.pt")


class Log:
    """One line about every minute, to the screen and to training_log.jsonl."""

    def __init__(self, out: Path, every: float, tokens: int) -> None:
        self.out, self.every = out, every
        self.since, self.said, self.losses = tokens, time.monotonic(), list[float]()

    def step(self, loss: float, tokens: int, seconds: float, factor: float) -> bool:
        """Notes a step; True if a line was written."""
        self.losses.append(loss)
        passed = time.monotonic() - self.said
        if passed < self.every:
            return False
        mean = sum(self.losses) / len(self.losses)
        row = {"tokens": tokens, "minutes": round(seconds / 60, 2), "loss": round(mean, 4), "rate": round(factor, 3)}
        self.line(row | {"tokens_per_second": round((tokens - self.since) / passed)})
        self.since, self.said, self.losses = tokens, time.monotonic(), []
        return True

    def line(self, row: dict[str, Any]) -> None:
        """Writes a line."""
        text = json.dumps(row)
        print(text, file=sys.stderr, flush=True)
        with (self.out / "training_log.jsonl").open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def learn(worker: int, workers: int, out: Path, plan: dict[str, Any]) -> None:
    """One worker's training run, from the last checkpoint to the end."""
    import torch
    from tokenizers import Tokenizer

    torch.set_num_threads(1)
    if workers > 1:
        meeting = f"file://{out / 'meeting'}"
        torch.distributed.init_process_group("gloo", init_method=meeting, rank=worker, world_size=workers)
    device, first = plan["device"], worker == 0
    shape, tokenizer = Shape(**plan["shape"]), Tokenizer.from_file(str(out / "tokenizer.raw.json"))
    parameters = {name: p.to(device) for name, p in network.initial(shape, plan["seed"]).items()}
    state, done = network.optimiser(parameters), {"chapter": 0, "tokens": 0, "seconds": 0.0}
    if (out / "checkpoint.pt").exists():
        saved = torch.load(out / "checkpoint.pt", weights_only=True, map_location=device)
        parameters, state, done = saved["parameters"], saved["state"], saved["done"]
    tables = tuple(table.to(device) for table in network.rotation(shape))
    for p in parameters.values():
        p.requires_grad_()
    forward = torch.compile(network.loss, dynamic=False) if plan["compile"] else network.loss
    begun = time.monotonic() - done["seconds"]
    log, writers = Log(out, plan["every"], int(done["tokens"])), Writers(out, plan) if first else None
    while (now := _agreed(_progress(done, begun, plan), workers)) < 1:
        number = int(done["chapter"])
        if writers:
            writers.ahead(number, now)
        chapter = read(out, number, writers)
        if writers:
            writers.ahead(number + 1, now)
        for length, picked in batches(chapter, plan["seed"] + number, worker, workers, plan["batch"]):
            now = _agreed(_progress(done, begun, plan), workers)
            if now >= 1:
                break
            batch = {name: value.to(device) for name, value in gather(chapter, length, picked).items()}
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                nats = forward(parameters, batch, tables, shape)
            nats.backward()
            if workers > 1:
                average(parameters, workers)
            factor = rate(now, int(state["step"]))
            network.update(parameters, state, factor, MUON, ADAM, worker, workers)
            done["tokens"] += workers * int((batch["group"] >= 0).sum())
            if first and log.step(float(nats.detach()), int(done["tokens"]), time.monotonic() - begun, factor):
                export(parameters, shape, tokenizer, out / "model")
        done["chapter"], done["seconds"] = number + 1, time.monotonic() - begun
        if first:
            _file(out, number).unlink(missing_ok=True)
            keep(out, parameters, state, done)
            if plan["probe"] and number % plan["probe"] == 0:
                log.line({"tokens": done["tokens"], "probes": probes(parameters, shape, tokenizer, tables)})
        if workers > 1:
            torch.distributed.barrier()
    if writers:
        writers.close()
        export(parameters, shape, tokenizer, out / "model")
        if plan["probe"]:
            log.line({"tokens": done["tokens"], "probes": probes(parameters, shape, tokenizer, tables, 8)})
    if workers > 1:
        torch.distributed.destroy_process_group()


def _progress(done: dict[str, Any], begun: float, plan: dict[str, Any]) -> float:
    by_tokens = float(done["tokens"] / plan["tokens"])
    return max(by_tokens, (time.monotonic() - begun) / 60 / plan["minutes"]) if plan["minutes"] else by_tokens


def _agreed(progress: float, workers: int) -> float:
    if workers == 1:
        return progress
    import torch

    value = torch.tensor([progress])
    torch.distributed.broadcast(value, 0)
    return float(value)


def make(out: Path, plan: dict[str, Any], workers: int) -> None:
    """Trains the tokenizer if there is none yet, then the model, with `workers` processes."""
    import torch.multiprocessing as processes

    from harness.embedded.text.mixture import lines

    out.mkdir(parents=True, exist_ok=True)
    (out / "meeting").unlink(missing_ok=True)
    if not (out / "tokenizer.raw.json").exists():
        vocabulary.train(lines(plan["seed"], plan["lines"]), plan["shape"]["vocabulary"]).save(
            str(out / "tokenizer.raw.json")
        )
    if workers == 1:
        learn(0, 1, out, plan)
    else:
        processes.spawn(learn, (workers, out, plan), nprocs=workers)


SMOKE: dict[str, Any] = {
    "shape": asdict(Shape(vocabulary=512, hidden=64, layers=2, heads=2, kv_heads=1, head_size=32, mlp=128)),
    "tokens": 60_000,
    "minutes": 0,
    "chapter": 40_000,
    "batch": 2048,
    "lines": 300,
    "compile": False,
    "probe": 0,
    "every": 5,
    "device": "cpu",
    "writers": 1,
}
FULL: dict[str, Any] = {
    "shape": asdict(Shape()),
    "tokens": 30_000_000,
    "minutes": 0,
    "chapter": CHAPTER,
    "batch": BATCH,
    "lines": 12_000,
    "compile": True,
    "probe": 6,
    "every": 60,
    "device": "cpu",
    "writers": 1,
}


def main(argv: list[str] | None = None) -> int:
    """Trains the embedded model from nothing."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint, the log and the model")
    parser.add_argument("--tokens", type=float, help="how many tokens to learn from")
    parser.add_argument(
        "--minutes", type=float, default=0, help="stop, decayed, after this time even if tokens are left"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="cuda: one worker, bfloat16 arithmetic"
    )
    parser.add_argument("--writers", type=int, default=1, help="processes that write text ahead; many for a GPU")
    parser.add_argument("--batch", type=int, help="tokens a worker learns from in one step")
    parser.add_argument(
        "--smoke", action="store_true", help="a tiny model in under a minute, to see that the recipe runs"
    )
    given = parser.parse_args(argv)
    plan = dict(SMOKE if given.smoke else FULL) | {"seed": given.seed, "minutes": given.minutes}
    plan |= {"device": given.device, "writers": given.writers}
    if given.batch:
        plan["batch"] = given.batch
    if given.tokens:
        plan["tokens"] = given.tokens
    make(given.out, plan, given.workers)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
