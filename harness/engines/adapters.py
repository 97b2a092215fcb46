"""Is this folder a LoRA adapter the engine will serve as it was trained? Asked before an engine sees it.

An engine that drops a tensor or ignores a setting gives wrong scores without a word, so everything that is not known
to be served right is refused here, in one line.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import AdapterError

LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The modules an adapter may touch when vLLM serves it: every linear layer of a decoder block, never lm_head."""

_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
_PLAIN_INITS = ("gaussian", "eva", "orthogonal", "mica", "lora_ga")
_UNSERVED = {
    "use_dora": "DoRA",
    "lora_bias": "a LoRA bias",
    "modules_to_save": "whole modules (modules_to_save)",
    "trainable_token_indices": "trained tokens (trainable_token_indices)",
    "alora_invocation_tokens": "activation by tokens (aLoRA)",
    "layer_replication": "layer replication",
    "use_bdlora": "block-diagonal LoRA",
    "use_qalora": "QALoRA",
    "target_parameters": "bare parameters (target_parameters)",
}


@dataclass(frozen=True)
class AdapterFiles:
    """An adapter folder as read: its adapter_config.json, and the shape of every tensor by name."""

    config: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def rank(self) -> int:
        """The largest rank of any module."""
        return max([int(self.config["r"]), *map(int, (self.config.get("rank_pattern") or {}).values())])


def read_adapter(path: str | Path) -> AdapterFiles:
    """The folder's configuration and tensor shapes; the weights themselves are not loaded.

    Raises AdapterError where a file is missing or torn, or the adapter is not a LoRA.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise AdapterError(f"adapter {folder}: no such folder. Train the adapter first, or fix its path.")
    file = folder / "adapter_config.json"
    if not file.is_file():
        raise AdapterError(
            f"adapter {folder}: adapter_config.json is missing. Give the folder PEFT saved the adapter to."
        )
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AdapterError(
            f"adapter {folder}: adapter_config.json is not JSON ({error}). Save the adapter again."
        ) from None
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        kind = config.get("peft_type") if isinstance(config, dict) else None
        raise AdapterError(f"adapter {folder}: peft_type is {kind!r}, and only 'LORA' is served. Train a LoRA adapter.")
    if not isinstance(config.get("r"), int) or config["r"] < 1:
        raise AdapterError(
            f"adapter {folder}: rank r is {config.get('r')!r}, not a whole number above 0. Save the adapter again."
        )
    return AdapterFiles(config, _tensor_shapes(folder))


def _tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes from the safetensors header, after checking that the file is as long as the header says."""
    file = folder / "adapter_model.safetensors"
    if not file.is_file():
        found = "only adapter_model.bin is there" if (folder / "adapter_model.bin").is_file() else "it is missing"
        raise AdapterError(
            f"adapter {folder}: adapter_model.safetensors is needed, {found}. Save the adapter as safetensors."
        )
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        head = stream.read(length) if length <= size - 8 else b""
    try:
        header = json.loads(head)
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise AdapterError(
            f"adapter {folder}: adapter_model.safetensors is torn ({size:,} bytes). Copy it again or train it again."
        )
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    expected = 8 + length + max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
    if size != expected:
        raise AdapterError(
            f"adapter {folder}: adapter_model.safetensors is torn ({size:,} of {expected:,} bytes). "
            "Copy it again or train it again."
        )
    return {name: tuple(entry["shape"]) for name, entry in tensors.items()}


def check_adapter(path: str | Path, max_rank: int, *, patterns: bool = True) -> None:
    """Refuses what vLLM would not serve as it was trained: an AdapterError says which and what to do.

    max_rank: the engine's largest rank. patterns: whether this vLLM honours rank_pattern and alpha_pattern.
    What is not covered: whether the tensors fit the base model, see `check_fit`.
    """
    files = read_adapter(path)
    config = files.config
    for key, what in _UNSERVED.items():
        if config.get(key):
            raise AdapterError(
                f"adapter {path}: vLLM does not serve {what}. Train without it, or use the transformers engine."
            )
    if config.get("bias", "none") != "none":
        raise AdapterError(
            f"adapter {path}: vLLM does not serve trained biases (bias: {config['bias']}). Train with bias: none."
        )
    init = config.get("init_lora_weights", True)
    if isinstance(init, str) and init.lower() not in _PLAIN_INITS:
        raise AdapterError(
            f"adapter {path}: init_lora_weights is {init!r}, which changes the base's weights, and vLLM does not. "
            "Convert it to a plain LoRA with PEFT, or use the transformers engine."
        )
    if not patterns and (config.get("rank_pattern") or config.get("alpha_pattern")):
        raise AdapterError(
            f"adapter {path}: this vLLM ignores rank_pattern and alpha_pattern. Install vLLM 0.32 or newer, "
            "or use the transformers engine."
        )
    if files.rank > max_rank:
        raise AdapterError(
            f"adapter {path}: rank {files.rank} is above the engine's {max_rank}. "
            f"Set engine: {{max_rank: {files.rank}}} for its model."
        )
    for name in files.shapes:
        match = _KEY.fullmatch(name)
        module = match["module"] if match else name
        if module.split(".")[-1] in ("lm_head", "embed_tokens"):
            raise AdapterError(
                f"adapter {path}: it adapts {module}, which vLLM leaves out of log-probabilities. Train without it."
            )
        if not match or module.split(".")[-1] not in LINEAR:
            raise AdapterError(
                f"adapter {path}: tensor {name} is outside the served modules and would be dropped. "
                f"Train on {', '.join(LINEAR)} only, or use the transformers engine."
            )


def check_fit(path: str | Path, files: AdapterFiles, linears: Mapping[str, tuple[int, int]]) -> None:
    """Refuses an adapter trained on another base. linears: (out, in) features of each linear module, by its name."""
    if not files.shapes:
        raise AdapterError(f"adapter {path}: it holds no tensors. Train it again.")
    for name, shape in files.shapes.items():
        match = _KEY.fullmatch(name)
        if not match:
            continue
        if match["module"] not in linears:
            raise AdapterError(
                f"adapter {path}: the base model has no {match['module']}. It was trained on another base model."
            )
        out_features, in_features = linears[match["module"]]
        width, wanted = (shape[-1], in_features) if match["side"] == "A" else (shape[0], out_features)
        if width != wanted:
            raise AdapterError(
                f"adapter {path}: {name} is {width} wide where the base model has {wanted}. "
                "It was trained on another base model."
            )
