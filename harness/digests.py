"""Content hashes: what makes two computations the same one. And where a model's files lie."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import endpoint
from harness.data import Model, Sample, Sampling, Suite
from harness.errors import AdapterError, ConfigError

PACKAGE = Path(__file__).resolve().parent
EMBEDDED = PACKAGE / "embedded" / "weights"
_WEIGHT_FILES = ("*.safetensors", "*.bin", "*.pt")
_MODEL_FILES = ("config.json", "generation_config.json", "tokenizer*", "vocab*", "merges.txt", "chat_template*")
_MOVES_ANSWERS = ("quantization", "kv_cache_dtype", "load_format", "trust_remote_code")
"""Keys of `engine:` with which the same files are another model. dtype is part of an engine's version."""
_AS_IT_IS = (None, False, "auto")

_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=list).encode


def text_digest(*parts: Any) -> str:
    """A 16-hex-digit digest of JSON-serialisable parts; the same parts always give the same digest.

    >>> text_digest("a", [1, 2]) == text_digest("a", (1, 2))
    True
    """
    return hashlib.sha256(_canonical(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def tokens_digest(ids: Sequence[int]) -> str:
    """A digest of token ids, much faster than `text_digest` of so many numbers.

    >>> tokens_digest((1, 23)) == tokens_digest([1, 23]), tokens_digest((12, 3)) == tokens_digest((1, 23))
    (True, False)
    """
    return hashlib.sha256(array("q", ids).tobytes()).hexdigest()[:16]


def sampling_parts(sampling: Sampling) -> dict[str, Any]:
    """What of a way of decoding goes into digests and run.json; what it does not use is left out.

    >>> sampling_parts(Sampling(max_tokens=8, temperature=1.0, samples=4))["samples"]
    4
    """
    parts = dict(vars(sampling))
    if sampling.samples == 1:
        del parts["samples"]
    if parts.pop("constraint"):
        parts["constraint"] = dict(vars(sampling.constraint))
    return parts


def drawn(sampling: Sampling, draw: int) -> Sampling:
    """How one of several answers to a question is decoded. The first has the seed itself: more are added to it later.

    >>> drawn(Sampling(samples=4), 0) == Sampling(), drawn(Sampling(samples=4), 1).seed == Sampling().seed
    (True, False)
    """
    if sampling.samples == 1 and not draw:
        return sampling
    seed = int(text_digest(sampling.seed, draw), 16) >> 1 if draw else sampling.seed
    return replace(sampling, samples=1, seed=seed)


def draws(suite: Suite, sample: Sample) -> int:
    """How many answers to a sample are wanted: one where they would all be the same."""
    sampling = sample.sampling or suite.sampling
    return 1 if sample.choices or not sampling.temperature else sampling.samples


def files_digest(folder: Path, patterns: tuple[str, ...]) -> str:
    """A digest over names and bytes of the files in `folder` that match, in sorted order."""
    digest = hashlib.sha256()
    for file in sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


def resolve_model(path: str, root: Path | None = None) -> str:
    """What to hand to `from_pretrained`: the embedded model's folder, a local folder, or a hub id as it is.

    `root` is the folder of models.yaml, which relative paths start from. A path that looks local
    (starts with ".", "/" or "~") and is not there is a ConfigError.
    """
    if path == "embedded":
        return str(EMBEDDED)
    local = Path(path).expanduser()
    if root is not None and not local.is_absolute():
        local = root / local
    if (local / "config.json").is_file():
        return str(local)
    if path.startswith((".", "/", "~")) or local.is_dir():
        raise ConfigError(f"model folder {path}: no config.json there. Give a Hugging Face model folder or a hub id.")
    return path


def model_digest(path: str, revision: str | None = None) -> str:
    """Identity of a base model: the content of a local folder, or of the hub snapshot behind id and revision."""
    folder = Path(path)
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        patterns = [*_WEIGHT_FILES, *_MODEL_FILES]
        folder = Path(snapshot_download(path, revision=revision, allow_patterns=patterns))
    return files_digest(folder, _WEIGHT_FILES + _MODEL_FILES)


def located(model: Model, root: Path | None = None) -> Model:
    """The model with its files found, see `resolve_model`; a model of an endpoint as it is."""
    return model if model.endpoint else replace(model, path=resolve_model(model.path, root))


def identity(model: Model) -> str:
    """What a located model is known by: its content, and the options of its engine that make it another model.

    Of an endpoint: address, name and what is not sent to it.
    What is not covered: an endpoint's weights. Another model behind the same name has the same identity.
    """
    if model.endpoint:
        return text_digest(endpoint.shown(model), model.path, sorted(model.engine.get("leave_out") or ()))
    if model.path == "fake":
        return fake_identity(model)
    content = model_digest(model.path, model.revision)
    moved = {name: model.engine[name] for name in _MOVES_ANSWERS if model.engine.get(name) not in _AS_IT_IS}
    return text_digest(content, moved) if moved else content


def fake_identity(model: Model) -> str:
    """What the fake engine's answers are known by: they stand in for weights."""
    given = {name: model.engine.get(name) for name in ("answers", "default")}
    file = Path(str(given["answers"]))
    if given["answers"] and file.is_file():
        given["answers"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return text_digest("fake", given)


def answerer(model: str, adapter: str | None) -> str:
    """Who answers, from the digests of a model and its adapter.

    >>> answerer("1f", None), answerer("1f", "a0")
    ('1f', '1f+a0')
    """
    return f"{model}+{adapter}" if adapter else model


def answerers(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Who answers as each arm, by a run's manifest; arms of which it does not say so are left out."""
    found = {}
    for name, arm in manifest.get("arms", {}).items():
        model = manifest.get("models", {}).get(arm.get("model"), {}).get("digest")
        adapter = manifest.get("adapters", {}).get(arm.get("adapter"), {}).get("digest")
        if model and (adapter or not arm.get("adapter")):
            found[name] = answerer(model, adapter)
    return found


def adapter_digest(path: Path | str) -> str:
    """Identity of a PEFT adapter folder: its weights and its adapter_config.json. A retrained adapter differs."""
    folder = Path(path)
    if not (folder / "adapter_config.json").is_file():
        raise AdapterError(
            f"adapter folder {folder}: no adapter_config.json there. Train it with `harness train`, or fix its path."
        )
    return files_digest(folder, (*_WEIGHT_FILES, "adapter_config.json"))
