"""An adapter on a frozen base: attached and saved as a plain PEFT folder that peft and vLLM load as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data import TrainSpec
from harness.errors import AdapterError, did_you_mean
from harness.train.card import write_file

if TYPE_CHECKING:
    from torch import Tensor


def linear_names(base: Any) -> set[str]:
    """The last name part of every linear layer of a transformers model, its output head left out."""
    import torch
    from transformers.pytorch_utils import Conv1D

    head = base.get_output_embeddings()
    return {
        name.rsplit(".", 1)[-1]
        for name, layer in base.named_modules()
        if isinstance(layer, (torch.nn.Linear, Conv1D)) and layer is not head
    }


def attach(base: Any, spec: TrainSpec) -> Any:
    """A peft model over `base` with one trainable adapter, initialised by spec.seed; all else is frozen.

    The adapter starts as the identity. Its weights are float32 over a 16-bit base. Raises AdapterError for a target
    that is no linear layer of the model; the output head is none, as servers drop or refuse an adapter on it.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    known = linear_names(base)
    for target in spec.target_modules:
        if target not in known:
            raise AdapterError(f"target_modules: no linear layer '{target}' to adapt.{did_you_mean(target, known)}")
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=spec.rank,
        lora_alpha=spec.alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules=list(spec.target_modules),
    )
    with torch.random.fork_rng():
        torch.manual_seed(spec.seed)
        model = get_peft_model(base, config)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name)
    return model


def trainable(model: Any) -> dict[str, Tensor]:
    """The adapter's weights by name: what is trained, and nothing else."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def save(model: Any, folder: Path, base_name: str) -> None:
    """Writes adapter_model.safetensors and adapter_config.json; the same adapter always gives the same bytes.

    base_name: what models.yaml calls the base's path; it is written down so that no machine's folders are.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save as to_bytes

    weights = {name: weight.detach().cpu().contiguous() for name, weight in get_peft_model_state_dict(model).items()}
    config: Mapping[str, Any] = model.peft_config["default"].to_dict()
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    plain |= {"base_model_name_or_path": base_name, "inference_mode": True}
    write_file(folder / "adapter_model.safetensors", to_bytes(weights, metadata={"format": "pt"}))
    write_file(folder / "adapter_config.json", json.dumps(plain, indent=2, sort_keys=True).encode() + b"\n")
