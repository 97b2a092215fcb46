"""`harness export`: a trained adapter as a folder to serve, and the command that serves it.

Bare: the PEFT folder as it is, served beside its base. Merged: base and adapter as one model, rounded to the type the
base is stored in; how far that moves log-probabilities is measured and said.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.data import Adapter, AdapterRef, Config, Model
from harness.digests import adapter_digest, model_digest, resolve_model
from harness.engines import PROBE, open_engine
from harness.engines.adapters import read_adapter
from harness.errors import AdapterError, HarnessError, MachineError
from harness.served import NEUTRAL, Proof, check_before, prove
from harness.store import read_run, write_json
from harness.suite import read_suite

CARD = "export.json"
ROUNDING = 0.05
"""A merge that moves a log-probability further than this, in nats, is worth a warning."""
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "training.json")


@dataclass(frozen=True)
class Exported:
    """path: the folder. command: what serves it. moved: how far merging moved log-probabilities, nats; None if bare."""

    path: Path
    command: str
    moved: float | None

    def as_text(self) -> str:
        """Lines for a terminal; the last one is the command."""
        lines = [f"{self.path}: " + ("the adapter, to be served beside its base" if self.moved is None else "merged")]
        if self.moved is not None:
            lines.append(f"merging moved log-probabilities of a probe by up to {self.moved:.4f} nats")
            if self.moved > ROUNDING:
                lines.append("that is more than rounding should: serve the adapter beside its base instead")
        return "\n".join([*lines, self.command])


def export_adapter(
    config: Config, adapter: Adapter, out: Path, *, merged: bool, root: Path, against: tuple[str, str] | None = None
) -> Exported:
    """Writes the folder `out`, which must not exist yet. root: where relative model paths start.

    against: (run folder, arm) that `verify` will hold it to, looked at before anything is written.
    Raises AdapterError (not trained yet, not a LoRA, not what was evaluated), RunError (no such arm), HarnessError (out
    is there already; no vLLM to verify with), MachineError (disk).
    """
    if not Path(adapter.path).is_dir():
        todo = f"Train it with: harness train {adapter.name}" if adapter.train else "Fix its path in models.yaml."
        raise AdapterError(f"adapter '{adapter.name}': nothing at {adapter.path}. {todo}")
    files = read_adapter(adapter.path)
    if not merged and files.rank > RANKS[-1]:
        raise AdapterError(
            f"adapter '{adapter.name}': rank {files.rank} is above vLLM's largest, {RANKS[-1]}: it cannot be "
            "served beside its base. Export it with --merged, or train a smaller rank."
        )
    if out.exists():
        raise HarnessError(f"{out}: is there already. Choose another --out, or remove it.")
    model = config.models[adapter.model]
    base = resolve_model(model.path, root)
    ref = AdapterRef(adapter.name, adapter.path, adapter_digest(adapter.path))
    if against:
        check_before(read_run(against[0]), against[1], adapter.name, ref.digest)
    part = out.with_name(f".{out.name}.partial")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        if merged:
            moved: float | None = _merge(replace(model, path=base), ref, part)
            command = ["vllm", "serve", str(out), "--served-model-name", adapter.name]
        else:
            moved = None
            _copy(adapter, base, part)
            rank = next(rank for rank in RANKS if rank >= files.rank)
            command = ["vllm", "serve", base, *(["--revision", model.revision] if model.revision else [])]
            command += ["--enable-lora", "--max-lora-rank", str(rank), "--lora-modules", f"{adapter.name}={out}"]
        command += [*_options(model.engine), *NEUTRAL]
        card = {
            "adapter": {"name": adapter.name, "digest": ref.digest},
            "base": {"path": base, "revision": model.revision, "digest": model_digest(base, model.revision)},
            "merged": merged,
            "max_logprob_difference": moved,
            "command": shlex.join(command),
        }
        (part / CARD).write_text(json.dumps(card, indent=2) + "\n", "utf-8")
        part.replace(out)
    except OSError as problem:
        raise MachineError(f"{out}: {problem.strerror or problem}. Free some space or choose another --out.") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Exported(out, shlex.join(command), moved)


def verify(done: Exported, against: tuple[str, str], root: Path) -> Proof:
    """Serves what was exported and asks it what the run asked the arm; what came of it is added to export.json.

    The suites are read as they are now, from where the run found them. Raises what `served.prove` raises.
    """
    card = json.loads((done.path / CARD).read_text("utf-8"))
    run, arm = read_run(against[0]), against[1]
    suites = {name: read_suite(about.get("path") or name, root) for name, about in run.manifest["suites"].items()}
    merged = f"merge: it moved log-probabilities of a probe by up to {done.moved or 0:.4f} nats; try the adapter bare."
    notes = [merged] if done.moved is not None else []
    proof = prove(done.command, card["adapter"]["name"], run, arm, suites, notes)
    write_json(done.path / CARD, {**card, "verified": proof.as_dict()})
    return proof


def _copy(adapter: Adapter, base: str, out: Path) -> None:
    """The adapter's files, with its base named as it is here."""
    for name in _ADAPTER_FILES:
        if (file := Path(adapter.path, name)).is_file():
            shutil.copyfile(file, out / name)
    settings = json.loads((out / "adapter_config.json").read_text("utf-8"))
    settings["base_model_name_or_path"] = base
    (out / "adapter_config.json").write_text(json.dumps(settings, indent=2) + "\n", "utf-8")


def _merge(model: Model, ref: AdapterRef, out: Path) -> float:
    """Writes the merged model; returns the largest difference of a probe's log-probabilities, in nats."""
    from peft import PeftModel
    from transformers import AutoConfig

    from harness.engines.loading import load_tokenizer, load_weights

    stored = AutoConfig.from_pretrained(model.path, revision=model.revision).dtype
    whole = PeftModel.from_pretrained(load_weights(model, "float32"), ref.path).merge_and_unload()
    (whole.to(stored) if stored else whole).save_pretrained(out)
    load_tokenizer(model).save_pretrained(out)
    beside, after = _probe(model, ref), _probe(replace(model, path=str(out)), None)
    return max(abs(a - b) for a, b in zip(beside, after, strict=True))


def _probe(model: Model, ref: AdapterRef | None) -> list[float]:
    engine = open_engine(model, (ref,) if ref else (), "transformers")
    ids = engine.tokenizer.encode(PROBE, add_special_tokens=False)
    try:
        return engine.token_logprobs(ids[:1], ids[1:], ref)
    finally:
        engine.close()


def _options(engine: Mapping[str, Any]) -> list[str]:
    """The evaluated engine's settings that change answers, as arguments of `vllm serve`."""
    known = {"dtype": "--dtype", "max_model_len": "--max-model-len", "tensor_parallel_size": "--tensor-parallel-size"}
    found: list[str] = []
    for key, flag in known.items():
        if engine.get(key) is not None:
            found += [flag, str(engine[key])]
    return found
