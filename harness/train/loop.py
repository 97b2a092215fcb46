"""train(): LoRA candidates from rows. A finished adapter is kept, a broken-off one goes on where it stopped.

On a CPU the same recipe, data, base, thread count and versions give the same adapter bit for bit, interrupted or not,
alone or beside others: the order of rows comes from the seed alone and nothing else is random. On a GPU expect equality
up to rounding.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import resource
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import harness
from harness.data import AdapterRef, Model, TrainSpec
from harness.digests import adapter_digest, model_digest, resolve_model
from harness.errors import AdapterError, ConfigError, MachineError, SuiteError
from harness.progress import say
from harness.train import card as cards
from harness.train.card import TrainResult, on_disk
from harness.train.checkpoint import read_checkpoint, write_checkpoint
from harness.train.data import Segment, TrainRow, check_rows, share
from harness.train.probe import check_memory, free_memory, time_groups
from harness.train.ranks import current
from harness.train.steps import CHECKPOINT_SECONDS, Candidate, DevScorer, Progress, Trunk, fit, mean_loss, prepare
from harness.words import count

CHECKPOINT = "checkpoint"  # no ending that the digest of an adapter folder would take for weights


@dataclass(frozen=True)
class Wanted:
    """A candidate to be trained. rows: all training rows, of which spec.data_fraction are used. out: its folder.

    dev_rows: for the loss before and after. data: digest of each suite's train split, for the card. score: validates,
    see steps.DevScorer. examine: called before a training, for what the card says of the data; may refuse it.
    chosen_by: identity of `score`, see card.training_digest.
    """

    spec: TrainSpec
    rows: Sequence[TrainRow]
    dev_rows: Sequence[TrainRow]
    out: Path
    data: Mapping[str, str] = field(default_factory=dict)
    score: DevScorer | None = None
    examine: Callable[[], list[dict[str, Any]]] | None = None
    chosen_by: str = ""


Served = Callable[[Model, str, Sequence[tuple[AdapterRef, Sequence[TrainRow]]]], Mapping[str, list[float]]]
"""An engine's view: called with model, its folder, and adapters with rows; see served.served_nats."""
AGREE = {2: 0.25, 4: 1e-3, 8: 1e-3}
"""By bytes per number: how far log-probabilities may be apart, in nats; 1e-5 is usual in float32."""
PROBED = 8
"""Rows whose log-probabilities are compared, the shortest ones."""


@dataclass(frozen=True)
class _Asked:
    """How to train, see `train`."""

    progress: Progress | None
    resume: bool
    every: float
    drop: bool
    served: Served | None


@dataclass(frozen=True)
class Job:
    """What is trained on what. folder: where the base lies. rows: those used. identity: see card.training_digest."""

    spec: TrainSpec
    model: Model
    folder: str
    rows: tuple[TrainRow, ...]
    dev_rows: tuple[TrainRow, ...]
    out: Path
    base_digest: str
    data_digest: str
    wanted: Wanted

    @property
    def identity(self) -> str:
        return cards.training_digest(self.spec, self.base_digest, self.data_digest, self.wanted.chosen_by)


def train(
    wanted: Sequence[Wanted],
    model: Model,
    *,
    root: Path | None = None,
    progress: Progress | None = None,
    resume: bool = True,
    checkpoint_every: float = CHECKPOINT_SECONDS,
    drop: bool = False,
    served: Served | None = None,
) -> list[TrainResult]:
    """Finished adapters, one for each that is wanted: PEFT folders with their training.json, trained on one base.

    Their recipes may differ in all but `quantize`.
    root: where relative model paths start from. If `out` holds the adapter of the same recipe, rows and base, it is
    kept. A broken-off training of that identity goes on in `out`.partial unless `resume` is False; an adapter of
    another recipe is replaced at the very end. checkpoint_every: seconds between two checkpoints, 0 for every step.
    A candidate that diverges is `stopped` in its result, and the others go on. drop: end those of one set of suites
    that are clearly behind the best on dev; their adapters are kept as they were then. served: an engine's view of the
    files, held to the trainer's.

    Under torchrun the first process does so, and the others work with it; their results are the same.

    Raises, before anything is trained: SuiteError for a row that cannot be taught whole, AdapterError for a target that
    is no layer or a folder that is not ours, ConfigError for a base that cannot be loaded. Later: MachineError for
    memory or disk. KeyboardInterrupt leaves checkpoints.
    """
    folder = resolve_model(model.path, root)
    base_digest = model_digest(folder, model.revision)
    jobs = [_job(one, model, folder, base_digest) for one in wanted]
    ranks = current()
    if not ranks.first:
        return _follow(jobs, _Asked(None, resume, float("inf"), drop, None))
    done = {job.out: card for job in jobs if (card := _kept(job, drop)) is not None}
    kept = set(done)
    todo = [job for job in jobs if job.out not in done]
    _check(todo)
    examined = {job.out: job.wanted.examine() if job.wanted.examine else [] for job in todo}
    with contextlib.ExitStack() as held:
        works = {job.out: held.enter_context(_workplace(job.out)) for job in todo}
        for job in todo:
            if (card := cards.finished(works[job.out], job.identity, drop)) is not None:
                done[job.out] = card
        rest = [job for job in todo if job.out not in done]
        asked = _Asked(progress, resume, checkpoint_every, drop, served)
        ranks.told([job.out for job in rest])
        stopped = _train(rest, works, done, examined, asked) if rest else {}
        for job in todo:
            if job.out not in stopped:
                with on_disk(job.out):
                    publish(works[job.out], job.out)
    ranks.told(None)
    return [TrainResult(str(job.out), done.get(job.out, {}), job.out in kept, stopped.get(job.out, "")) for job in jobs]


def _follow(jobs: Sequence[Job], asked: _Asked) -> list[TrainResult]:
    """What another process than the first does: the same steps on its share of the rows, and no file is written."""
    outs = set(current().told(None))
    rest = [job for job in jobs if job.out in outs]
    works = {job.out: _beside(job.out, ".partial") for job in rest}
    stopped = _train(rest, works, {}, {}, asked) if rest else {}
    current().told(None)
    return [
        TrainResult(str(job.out), cards.read_card(job.out) or {}, job.out not in outs, stopped.get(job.out, ""))
        for job in jobs
    ]


def _job(one: Wanted, model: Model, folder: str, base_digest: str) -> Job:
    if not one.rows:
        names = ", ".join(one.spec.suites)
        raise SuiteError(f"adapter {one.out.name}: no training rows. Add a train.jsonl to suite {names}.")
    used = share(one.rows, one.spec.data_fraction, one.spec.seed)
    return Job(one.spec, model, folder, used, tuple(one.dev_rows), one.out, base_digest, cards.data_digest(used), one)


def _kept(job: Job, drop: bool) -> Mapping[str, Any] | None:
    """The card of the adapter that is there already. Raises AdapterError where something else is."""
    with on_disk(job.out):
        _recover(job.out)
        card = cards.finished(job.out, job.identity, drop)
    if card is None and job.out.exists() and cards.read_card(job.out) is None:
        raise AdapterError(f"adapter {job.out}: was not made by harness train. Move it, or choose another path.")
    return card


def _check(jobs: Sequence[Job]) -> None:
    """Everything that can be wrong with rows, targets and memory, before the weights are even read."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from harness.train.lora import check_targets, linears

    if not jobs:
        return
    if jobs[0].spec.quantize:
        _four_bits()
        names = ", ".join(job.out.name for job in jobs)
        say(f"{names}: trained on the base in {jobs[0].spec.quantize}; an engine serves it on the base in its own type")
    model, folder = jobs[0].model, jobs[0].folder
    with _loading(model), torch.device("meta"):
        whole = AutoConfig.from_pretrained(folder, revision=model.revision)
        skeleton = AutoModelForCausalLM.from_config(whole)
    config = whole.get_text_config()
    context = getattr(config, "max_position_embeddings", None)
    for job in jobs:
        check_targets(job.spec, linears(skeleton), f"adapter {job.out.name}: target_modules")
        check_rows(job.rows, context, config.vocab_size)
        check_rows(job.dev_rows, context, config.vocab_size, "dev")
    check_memory(skeleton, {job.out.name: job.spec for job in jobs}, base_type().itemsize)


def _train(
    jobs: Sequence[Job],
    works: Mapping[Path, Path],
    done: dict[Path, Mapping[str, Any]],
    examined: Mapping[Path, list[dict[str, Any]]],
    asked: _Asked,
) -> dict[Path, str]:
    """Trains in the folders `works`, leaves adapters and cards there, and adds the cards to `done`.

    Returns why a candidate was stopped, by its folder.
    """
    import torch

    from harness.train import lora

    model = jobs[0].model
    by_name = {str(job.out): job for job in jobs}
    files = {name: works[job.out] / CHECKPOINT for name, job in by_name.items()}

    def save(candidate: Candidate) -> None:
        if current().first:
            write_checkpoint(files[candidate.name], by_name[candidate.name].identity, candidate)

    try:
        base = load_base(model, jobs[0].folder, jobs[0].spec.quantize)
        trunk, candidates = prepare(base, [(name, job.spec, job.rows) for name, job in by_name.items()])
        for one in candidates:
            job = by_name[one.name]
            one.score, one.rival = job.wanted.score, f"{' '.join(job.spec.suites)} {job.spec.dev_limit}"
            if not (asked.resume and read_checkpoint(files[one.name], job.identity, one)):
                one.dev_before = mean_loss(trunk, one, job.dev_rows)
            if one.ended.startswith(cards.DROPPED) and not asked.drop:
                one.ended = ""
        timing = time_groups(trunk, candidates)
        trunk.group = timing.group
        if timing.seconds is not None:
            say(f"training takes about {timing.seconds:.0f} s, {count(timing.group, 'candidate')} in a forward pass")
        fit(trunk, candidates, progress=asked.progress, checkpoint=save, every=asked.every, drop=asked.drop)
        after = {one.name: mean_loss(trunk, one, by_name[one.name].dev_rows) for one in candidates if not one.stopped}
    except torch.OutOfMemoryError:
        names = ", ".join(job.out.name for job in jobs)
        raise MachineError(
            f"adapter {names}: out of GPU memory, even one row at a time ({free_memory() / 2**30:.1f} GiB are free). "
            "Use shorter rows, a smaller rank, or a smaller model."
        ) from None
    stopped = {
        by_name[one.name].out: f"adapter {Path(one.name).name}: {one.stopped}" for one in candidates if one.stopped
    }
    if not current().first:
        return stopped
    for one in candidates:
        job, work = by_name[one.name], works[by_name[one.name].out]
        if one.stopped:
            shutil.rmtree(work)
            continue
        with on_disk(job.out):
            lora.save(one.weights, one.spec, work, model.path)
    finished = [one for one in candidates if not one.stopped]
    refs = {one.name: _ref(by_name[one.name], works) for one in finished}
    agreed = _agreement(trunk, finished, refs, by_name, asked.served) if asked.served else {}
    for one in finished:
        job = by_name[one.name]
        card = _card(job, trunk, one, after[one.name], refs[one.name].digest)
        card |= {"data_check": examined[job.out], "served": agreed.get(one.name)}
        with on_disk(job.out):
            cards.write_card(works[job.out], card)
            files[one.name].unlink(missing_ok=True)
        done[job.out] = card
    return stopped


def _ref(job: Job, works: Mapping[Path, Path]) -> AdapterRef:
    return AdapterRef(str(job.out), str(works[job.out]), adapter_digest(works[job.out]))


def _agreement(
    trunk: Trunk,
    candidates: Sequence[Candidate],
    refs: Mapping[str, AdapterRef],
    jobs: Mapping[str, Job],
    served: Served,
) -> dict[str, dict[str, Any]]:
    """By candidate, how far an engine's log-probabilities of a few rows are from the trainer's, in nats.

    Raises MachineError where they are further apart than rounding explains: scores would be of another adapter.
    """
    rows = {one.name: sorted(one.rows, key=len)[:PROBED] for one in candidates}
    ours = _nats(trunk, candidates, rows)
    job, base = next(iter(jobs.values())), trunk.frozen.base
    device = base.device
    base.to("cpu")  # a GPU need not hold two copies
    in_bits = ours
    if job.spec.quantize:
        ours = _as_served(job, candidates, rows, trunk.tokens)
    alike = {**job.model.engine, "dtype": str(base_type()).removeprefix("torch.")}  # another one is apart by itself
    theirs = served(replace(job.model, engine=alike), job.folder, [(refs[name], mine) for name, mine in rows.items()])
    base.to(device)
    limit = AGREE[base_type().itemsize]
    found = {}
    for name, mine in ours.items():
        gap = max(abs(a - b) for a, b in zip(mine, theirs[name], strict=True))
        if gap > limit:
            raise MachineError(
                f"adapter {jobs[name].out.name}: the engine's log-probabilities are up to {gap:.3g} nats from the "
                f"trainer's, at most {limit:g} is rounding: what was trained is not what is served. Please report it."
            )
        found[name] = {"tokens": len(mine), "max_nats": gap}
        if job.spec.quantize:
            apart = max(abs(a - b) for a, b in zip(in_bits[name], theirs[name], strict=True))
            found[name] |= {"max_nats_quantized": apart}
            say(
                f"adapter {jobs[name].out.name}: {apart:.2g} nats at most between the {job.spec.quantize} base it was "
                "trained on and the base it is served on"
            )
    return found


def _as_served(
    job: Job, candidates: Sequence[Candidate], rows: Mapping[str, Sequence[TrainRow]], tokens: int
) -> dict[str, list[float]]:
    """`_nats` on the base in its own type, as an engine has it."""
    from harness.train import forward, lora

    whole = load_base(job.model, job.folder)
    way = forward.choose(whole, [row for mine in rows.values() for row in mine])
    found = _nats(Trunk(lora.Frozen(whole), way, tokens), candidates, rows)
    whole.to("cpu")  # frees a GPU at once
    return found


def _nats(
    trunk: Trunk, candidates: Sequence[Candidate], rows: Mapping[str, Sequence[TrainRow]]
) -> dict[str, list[float]]:
    """By candidate, minus the log-probability of every completion token of its rows, row by row."""
    import torch

    with torch.no_grad():
        return {
            one.name: [
                value for row in rows[one.name] for value in trunk.nats([(one, Segment((row,)))])[0].float().tolist()
            ]
            for one in candidates
        }


def load_base(model: Model, folder: str, quantize: str = "") -> Any:
    """The frozen base: float32 on a CPU, bfloat16 on a GPU that has it; with "nf4" its linear layers in four bits.

    Raises ConfigError if it cannot be read.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    more = {"quantization_config": _four_bits(), "device_map": {"": device}} if quantize else {}
    with _loading(model):
        base = AutoModelForCausalLM.from_pretrained(folder, revision=model.revision, dtype=base_type(), **more)
    for layer in base.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):  # else reading it once would repack it
            layer.support_avx512bf16_for_cpu = False
    return base.to(device).eval().requires_grad_(False)


def _four_bits() -> Any:
    """As QLoRA has it: NF4, its scales quantised once more. Raises ConfigError without bitsandbytes."""
    from importlib.util import find_spec

    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise ConfigError("quantize: bitsandbytes is not installed. Install it with: pip install '.[quantize]'")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=base_type(),
    )


def base_type() -> Any:
    """The torch dtype that a base is trained in."""
    import torch

    return torch.bfloat16 if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else torch.float32


@contextlib.contextmanager
def _loading(model: Model) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(f"models.{model.name}: cannot load {model.path}: {reason}") from None


def _card(job: Job, trunk: Trunk, candidate: Candidate, dev_after: float | None, digest: str) -> dict[str, Any]:
    """training.json. Losses are thinned to about 100; memory is the GPU's peak, or on a CPU that of this process."""
    steps = candidate.steps[: candidate.step]
    seen = [job.rows[number] for step in steps for number in step]
    every = max(1, len(steps) // 100)
    losses = [(number, round(loss, 4)) for number, loss in enumerate(candidate.losses, 1)]
    base = trunk.frozen.base
    device = base.device.type
    return {
        "format": cards.FORMAT,
        "training_digest": job.identity,
        "adapter_digest": digest,
        "data_digest": job.data_digest,
        "data": dict(job.wanted.data),
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
        "trainable_parameters": sum(weight.numel() for weight in candidate.tensors),
        "seconds": round(candidate.seconds, 3),
        "passes": {"tokens": trunk.tokens, "candidates": trunk.group, "splits": trunk.splits},
        "peak_memory_mb": _peak_memory_mb(device),
        "losses": [*losses[: len(losses) - 1 : every], losses[-1]],
        "dev_loss": {"before": candidate.dev_before, "after": dev_after},
        "dev_scores": [[one.step, round(one.mean, 6), len(one.scores)] for one in candidate.dev],
        "best_step": candidate.top.step if candidate.top else None,
        "ended": candidate.ended,
        "device": device,
        "processes": current().world,
        "dtype": str(base.dtype).removeprefix("torch."),
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


def publish(work: Path, out: Path) -> None:
    """Puts a complete adapter in its place. A crash in between is mended by `_recover`."""
    old, replaces = _aside(out), out.exists()
    if replaces:
        out.rename(old)
    work.rename(out)
    if replaces:
        shutil.rmtree(old, ignore_errors=True)


def _recover(out: Path) -> None:
    old = _aside(out)
    if not (old / cards.CARD).is_file():  # not ours
        return
    if not out.exists():
        old.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _aside(out: Path) -> Path:
    """Where an adapter lies for the moment in which another one takes its place: a hidden name."""
    return out.with_name(f".{out.name}.old")
