"""train(): a LoRA candidate from rows. A finished adapter is kept, a broken-off one goes on where it stopped.

On a CPU the same recipe, data, base, thread count and versions give the same adapter bit for bit, interrupted or not:
the order of rows comes from the seed alone and nothing else is random. On a GPU expect equality up to rounding.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import platform
import resource
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import harness
from harness.data import Model, TrainSpec
from harness.digests import adapter_digest, model_digest, resolve_model
from harness.errors import AdapterError, ConfigError, MachineError, SuiteError
from harness.train import card as cards
from harness.train.card import TrainResult, on_disk
from harness.train.checkpoint import read_checkpoint, write_checkpoint
from harness.train.data import TrainRow, check_rows, plan, share
from harness.train.steps import CHECKPOINT_SECONDS, Candidate, Diverged, Progress, fit, mean_loss, prepare

CHECKPOINT = "checkpoint"  # no ending that the digest of an adapter folder would take for weights


@dataclass(frozen=True)
class Job:
    """What is trained on what. folder: where the base lies. rows: those used. identity: see card.training_digest.

    data: digest of each suite's train split, so that a run can look for its test samples in it.
    """

    spec: TrainSpec
    model: Model
    folder: str
    rows: tuple[TrainRow, ...]
    dev_rows: tuple[TrainRow, ...]
    base_digest: str
    data_digest: str
    data: Mapping[str, str]

    @property
    def identity(self) -> str:
        return cards.training_digest(self.spec, self.base_digest, self.data_digest)


def train(
    spec: TrainSpec,
    model: Model,
    rows: Sequence[TrainRow],
    dev_rows: Sequence[TrainRow],
    out: Path,
    *,
    root: Path | None = None,
    data: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    resume: bool = True,
    checkpoint_every: float = CHECKPOINT_SECONDS,
) -> TrainResult:
    """A finished adapter in `out`: a PEFT folder with its training.json.

    rows: all training rows; spec.data_fraction of them are used. dev_rows: for the loss before and after only.
    root: where relative model paths start from. data: digest of each suite's train split, for the card. If `out` holds
    the adapter of the same recipe, rows and base, it is kept.
    A broken-off training of that identity goes on in `out`.partial unless `resume` is False; an adapter of
    another recipe is replaced at the very end. checkpoint_every: seconds between two checkpoints, 0 for every step.

    Raises SuiteError for a row that cannot be taught whole, AdapterError for a target that is no layer or a folder
    that is not ours, ConfigError for a base that cannot be loaded, MachineError for divergence, memory or disk.
    KeyboardInterrupt leaves a checkpoint.
    """
    if not rows:
        raise SuiteError(f"adapter {out.name}: no training rows. Add a train.jsonl to suite {', '.join(spec.suites)}.")
    folder = resolve_model(model.path, root)
    used = share(rows, spec.data_fraction, spec.seed)
    base_digest = model_digest(folder, model.revision)
    job = Job(spec, model, folder, used, tuple(dev_rows), base_digest, cards.data_digest(used), data or {})
    with on_disk(out):
        _recover(out)
        card = cards.finished(out, job.identity)
    if card is not None:
        return TrainResult(str(out), card, reused=True)
    if out.exists() and cards.read_card(out) is None:
        raise AdapterError(f"adapter {out}: was not made by harness train. Move it, or choose another path.")
    _check(job)
    with _workplace(out) as work:
        card = cards.finished(work, job.identity) or _train(job, work, progress, resume, checkpoint_every)
        with on_disk(out):
            _publish(work, out)
    return TrainResult(str(out), card)


def _check(job: Job) -> None:
    """Everything that can be wrong with the rows, before the weights are even read."""
    from transformers import AutoConfig

    with _loading(job.model):
        config = AutoConfig.from_pretrained(job.folder, revision=job.model.revision).get_text_config()
    context = getattr(config, "max_position_embeddings", None)
    check_rows(job.rows, context, config.vocab_size)
    check_rows(job.dev_rows, context, config.vocab_size, "dev")


def _train(job: Job, work: Path, progress: Progress | None, resume: bool, every: float) -> dict[str, Any]:
    """Trains in the folder `work` and leaves the adapter and its card there. Returns the card."""
    import torch

    from harness.train import lora

    file = work / CHECKPOINT
    try:
        candidate = prepare(load_base(job.model, job.folder), job.spec, job.rows)
        if not (resume and read_checkpoint(file, job.identity, candidate)):
            candidate.dev_before = mean_loss(candidate, job.dev_rows)
        save = functools.partial(write_checkpoint, file, job.identity)
        fit(candidate, progress=progress, checkpoint=save, every=every)
        dev_after = mean_loss(candidate, job.dev_rows)
    except Diverged as error:
        shutil.rmtree(work)
        raise Diverged(f"adapter {work.stem}: {error}") from None
    except torch.OutOfMemoryError:
        raise MachineError(
            f"adapter {work.stem}: out of GPU memory. Use shorter rows, a smaller rank, or a smaller model."
        ) from None
    with on_disk(work):
        lora.save(candidate.model, work, job.model.path)
        card = _card(job, candidate, dev_after, adapter_digest(work))
        cards.write_card(work, card)
        file.unlink(missing_ok=True)
    return card


def load_base(model: Model, folder: str) -> Any:
    """The frozen base: float32 on a CPU, bfloat16 on a GPU that has it. Raises ConfigError if it cannot be read."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    cuda = torch.cuda.is_available()
    dtype = torch.bfloat16 if cuda and torch.cuda.is_bf16_supported() else torch.float32
    with _loading(model):
        base = AutoModelForCausalLM.from_pretrained(folder, revision=model.revision, dtype=dtype)
    return base.to("cuda" if cuda else "cpu").eval().requires_grad_(False)


@contextlib.contextmanager
def _loading(model: Model) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(f"models.{model.name}: cannot load {model.path}: {reason}") from None


def _card(job: Job, candidate: Candidate, dev_after: float | None, digest: str) -> dict[str, Any]:
    """training.json. Losses are thinned to about 100; memory is the GPU's peak, or on a CPU that of this process."""
    steps = plan(len(job.rows), job.spec)
    seen = [job.rows[number] for step in steps for number in step]
    every = max(1, len(steps) // 100)
    losses = [(number, round(loss, 4)) for number, loss in enumerate(candidate.losses, 1)]
    device = candidate.model.get_base_model().device.type
    return {
        "format": cards.FORMAT,
        "training_digest": job.identity,
        "adapter_digest": digest,
        "data_digest": job.data_digest,
        "data": dict(job.data),
        "model": {
            "name": job.model.name,
            "path": job.model.path,
            "revision": job.model.revision,
            "digest": job.base_digest,
        },
        "recipe": asdict(job.spec),
        "examples": len(job.rows),
        "dev_examples": len(job.dev_rows),
        "steps": len(steps),
        "tokens": sum(len(row) for row in seen),
        "completion_tokens": sum(len(row.completion_ids) for row in seen),
        "trainable_parameters": sum(weight.numel() for weight in candidate.weights.values()),
        "seconds": round(candidate.seconds, 3),
        "peak_memory_mb": _peak_memory_mb(device),
        "losses": [*losses[: len(losses) - 1 : every], losses[-1]],
        "dev_loss": {"before": candidate.dev_before, "after": dev_after},
        "device": device,
        "dtype": str(candidate.model.get_base_model().dtype).removeprefix("torch."),
        "versions": {"harness": harness.__version__, "python": platform.python_version()}
        | {package: version(package) for package in ("torch", "transformers", "peft")},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _peak_memory_mb(device: str) -> int:
    import torch

    if device == "cuda":
        return int(torch.cuda.max_memory_allocated() / 2**20)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 2**20 if sys.platform == "darwin" else peak / 2**10)


@contextlib.contextmanager
def _workplace(out: Path) -> Iterator[Path]:
    """`out`.partial, held by this process alone until the block ends. It is left there for a later resume."""
    work = _beside(out, ".partial")
    with on_disk(out):
        work.mkdir(parents=True, exist_ok=True)
        handle = os.open(work, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AdapterError(f"adapter {out}: another process is training it. Wait for it, or stop it.") from None
        yield work
    finally:
        os.close(handle)


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(out.name + ending)


def _publish(work: Path, out: Path) -> None:
    """Puts a complete adapter in its place. A crash in between is mended by `_recover`."""
    old = _beside(out, ".old")
    if out.exists():
        out.rename(old)
    work.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _recover(out: Path) -> None:
    old = _beside(out, ".old")
    if old.exists() and not out.exists():
        old.rename(out)
    shutil.rmtree(old, ignore_errors=True)
