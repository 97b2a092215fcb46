"""Makes the embedded model: text, tokenizer, training, weights.

    python -m harness.embedded.recipe --out DIR --tokens 30e6 --seed 0
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
DECAY_FROM = 0.6


def rate(progress: float, step: int) -> float:
    """The learning rate's factor: warm-up over 60 steps, constant, then a straight line to zero."""
    fall = 1.0 if progress < DECAY_FROM else max(0.02, (1 - progress) / (1 - DECAY_FROM))
    return min(1.0, (step + 1) / 60) * fall


def stage(progress: float) -> float:
    """Which mixture the text has, from first lessons (0) over half way (0.5) to the last one (1)."""
    points = ((0.0, 0.0), (0.1, 0.0), (0.3, 0.5), (0.6, 0.5), (0.7, 1.0), (1.0, 1.0))
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


def text(out: Path, number: int, seed: int, at: float, tokens: int) -> subprocess.Popen[bytes]:
    """Starts writing a chapter of text in another process."""
    command = [
        sys.executable,
        "-m",
        "harness.embedded.pack",
        str(out / "tokenizer.raw.json"),
        str(out / f"chapter-{number}.npz"),
    ]
    command += ["--seed", str(seed * 100_003 + number), "--stage", f"{stage(at):.4f}", "--tokens", str(tokens)]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"})


def learn(worker: int, workers: int, out: Path, plan: dict[str, Any]) -> None:
    """One worker's training run, from the last checkpoint to the end."""
    import numpy as np
    import torch
    from tokenizers import Tokenizer
    from torch import distributed

    torch.set_num_threads(1)
    torch.manual_seed(plan["seed"])
    if workers > 1:
        distributed.init_process_group("gloo", init_method=f"file://{out / 'meeting'}", rank=worker, world_size=workers)
    shape, tokenizer = Shape(**plan["shape"]), Tokenizer.from_file(str(out / "tokenizer.raw.json"))
    parameters = network.initial(shape, plan["seed"])
    state, tables = network.optimiser(parameters), network.rotation(shape)
    done = {"chapter": 0, "tokens": 0, "seconds": 0.0}
    kept = out / "checkpoint.pt"
    if kept.exists():
        saved = torch.load(kept, weights_only=True)
        parameters, state, done = saved["parameters"], saved["state"], saved["done"]
    for value in parameters.values():
        value.requires_grad_()
    forward = torch.compile(network.loss, dynamic=False) if plan["compile"] else network.loss
    begun, since, said = time.monotonic() - done["seconds"], done["tokens"], time.monotonic()
    saved_at, progress, mean, quiet = time.monotonic(), 0.0, 0.0, 0
    writer = None
    if worker == 0 and not (out / f"chapter-{done['chapter']}.npz").exists():
        writer = text(out, done["chapter"], plan["seed"], _progress(done, begun, plan), plan["chapter"])
    while True:
        now = _agreed(_progress(done, begun, plan), workers)
        if now >= 1:
            break
        number = done["chapter"]
        file = out / f"chapter-{number}.npz"
        while not file.exists():
            time.sleep(0.3)
            if writer and writer.poll():
                raise SystemExit(f"writing the text of chapter {number} failed")
        with np.load(file) as packed:
            chapter = dict(packed)
        if worker == 0:
            if writer:
                writer.wait()
            ahead = now + plan["chapter"] / max(plan["tokens"], 1) if not plan["minutes"] else now + 0.04
            writer = text(out, number + 1, plan["seed"], ahead, plan["chapter"])
        for length, picked in batches(chapter, plan["seed"] + number, worker, workers, plan["batch"]):
            progress = _agreed(_progress(done, begun, plan), workers)
            if progress >= 1:
                break
            batch = gather(chapter, length, picked)
            nats = forward(parameters, batch, tables, shape)
            nats.backward()
            if workers > 1:
                flat = torch.cat([p.grad.reshape(-1) for p in parameters.values()])
                distributed.all_reduce(flat)
                flat /= workers
                at = 0
                for p in parameters.values():
                    p.grad = flat[at : at + p.numel()].view_as(p)
                    at += p.numel()
            network.update(parameters, state, rate(progress, int(state["step"])), MUON, ADAM, worker, workers)
            done["tokens"] += workers * int((batch["group"] >= 0).sum())
            mean, quiet = mean + float(nats.detach()), quiet + 1
            if worker == 0 and time.monotonic() - said > plan["every"]:
                row = {
                    "tokens": done["tokens"],
                    "minutes": round((time.monotonic() - begun) / 60, 2),
                    "loss": round(mean / quiet, 4),
                }
                row |= {
                    "rate": round(rate(progress, 999), 3),
                    "tokens_per_second": round((done["tokens"] - since) / (time.monotonic() - said)),
                }
                _log(out, row)
                since, said, mean, quiet = done["tokens"], time.monotonic(), 0.0, 0
                if time.monotonic() - saved_at > plan["save"]:
                    export(parameters, shape, tokenizer, out / "model")
                    saved_at = time.monotonic()
        done["chapter"], done["seconds"] = number + 1, time.monotonic() - begun
        if worker == 0:
            file.unlink(missing_ok=True)
            torch.save(
                {"parameters": {n: p.detach() for n, p in parameters.items()}, "state": state, "done": done},
                out / "checkpoint.part",
            )
            (out / "checkpoint.part").replace(kept)
            export(parameters, shape, tokenizer, out / "model")
            if plan["probe"] and (number % plan["probe"] == 0):
                _log(out, {"tokens": done["tokens"], "probes": probes(parameters, shape, tokenizer, tables)})
        if workers > 1:
            distributed.barrier()
    if worker == 0:
        if writer:
            writer.terminate()
            writer.wait()
        export(parameters, shape, tokenizer, out / "model")
        if plan["probe"]:
            _log(out, {"tokens": done["tokens"], "probes": probes(parameters, shape, tokenizer, tables, 8)})


def _progress(done: dict[str, Any], begun: float, plan: dict[str, Any]) -> float:
    by_tokens = float(done["tokens"] / plan["tokens"])
    return max(by_tokens, (time.monotonic() - begun) / 60 / plan["minutes"]) if plan["minutes"] else by_tokens


def _agreed(progress: float, workers: int) -> float:
    if workers == 1:
        return progress
    import torch
    from torch import distributed

    value = torch.tensor([progress])
    distributed.broadcast(value, 0)
    return float(value)


def _log(out: Path, row: dict[str, Any]) -> None:
    line = json.dumps(row)
    print(line, file=sys.stderr, flush=True)
    with (out / "training_log.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


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
    "save": 600,
}
FULL: dict[str, Any] = {
    "shape": asdict(Shape()),
    "tokens": 30_000_000,
    "minutes": 0,
    "chapter": CHAPTER,
    "batch": BATCH,
    "lines": 12_000,
    "compile": True,
    "probe": 4,
    "every": 60,
    "save": 180,
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
        "--smoke", action="store_true", help="a tiny model in under a minute, to see that the recipe runs"
    )
    given = parser.parse_args(argv)
    plan = dict(SMOKE if given.smoke else FULL) | {"seed": given.seed, "minutes": given.minutes}
    if given.tokens:
        plan["tokens"] = given.tokens
    make(given.out, plan, given.workers)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
