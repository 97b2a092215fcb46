"""Adapters beside the layers of one frozen base: one of each candidate, over its own part of a stream."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data import TrainSpec
from harness.errors import AdapterError, did_you_mean
from harness.train.card import write_file
from harness.train.fused import lora_linear

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Weights:
    """One adapter. layers: (A, B) of each adapted layer by its name in the base, (rank, in) and (out, rank), float32
    over a 16-bit base. scale: alpha / rank."""

    layers: Mapping[str, tuple[Tensor, Tensor]]
    scale: float

    def named(self) -> dict[str, Tensor]:
        """Every tensor by the name it has in a PEFT folder."""
        return {
            f"base_model.model.{name}.lora_{side}.weight": weight
            for name, pair in self.layers.items()
            for side, weight in zip("AB", pair, strict=True)
        }


@dataclass(frozen=True)
class Part:
    """Tokens start..stop of a stream, which go through this adapter; stop None is the end.

    labels: which of the stream's labels are predicted from them, first and last + 1.
    """

    start: int
    stop: int | None
    weights: Weights
    labels: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Late:
    """Layers whose output matters at some places of the stream alone, by name. places: M that matter, then some that
    fill up a product; count: M."""

    layers: frozenset[str] = frozenset()
    places: Any = None
    count: int = 0


def linears(base: Any) -> dict[str, Any]:
    """Every linear layer of a transformers model by name, its output head left out."""
    import torch
    from transformers.pytorch_utils import Conv1D

    head = base.get_output_embeddings()
    return {
        name: layer
        for name, layer in base.named_modules()
        if isinstance(layer, (torch.nn.Linear, Conv1D)) and layer is not head
    }


def check_targets(spec: TrainSpec, layers: Mapping[str, Any], where: str = "target_modules") -> None:
    """Raises AdapterError for a target that is no layer, with those there are. layers: by name, see `linears`.

    The output head is none, as servers drop or refuse an adapter on it.
    """
    known = sorted({name.rsplit(".", 1)[-1] for name in layers})
    for target in spec.target_modules:
        if target not in known:
            hint = did_you_mean(target, known) or " Take some of those."
            raise AdapterError(f"{where}: no linear layer '{target}' to adapt: the model has {', '.join(known)}.{hint}")


def config_of(spec: TrainSpec) -> Any:
    """The adapter's PEFT configuration."""
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=spec.rank,
        lora_alpha=spec.alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules=list(spec.target_modules),
    )


def start(base: Any, spec: TrainSpec) -> Weights:
    """The adapter that peft starts from with spec.seed: the identity. Raises AdapterError for an unknown target."""
    import torch
    from peft import get_peft_model
    from transformers.pytorch_utils import Conv1D

    layers = linears(base)
    check_targets(spec, layers)
    for name, layer in layers.items():
        plain = type(layer) in (torch.nn.Linear, Conv1D) or (spec.quantize and hasattr(layer.weight, "quant_state"))
        if name.rsplit(".", 1)[-1] in spec.target_modules and not plain:
            raise AdapterError(
                f"target_modules: layer {name} is a {type(layer).__name__}, no plain linear layer. Train on the base "
                "before it was quantised; quantize: nf4 does so while it is loaded."
            )
    with torch.random.fork_rng():
        torch.manual_seed(spec.seed)
        model = get_peft_model(base, config_of(spec))
    found = {}
    for name, layer in base.named_modules():
        if hasattr(layer, "lora_A"):
            pair = layer.lora_A["default"].weight, layer.lora_B["default"].weight
            found[name] = tuple(weight.detach().clone().requires_grad_() for weight in pair)
    model.unload()
    base.requires_grad_(False)
    return Weights(found, spec.alpha / spec.rank)


def dense(layer: Any, dtype: Any) -> Tensor:
    """The weight of a linear layer as (out, in): itself, or what its four bits stand for."""
    import torch

    if (state := getattr(layer.weight, "quant_state", None)) is not None:
        from bitsandbytes.functional import dequantize_4bit

        return dequantize_4bit(layer.weight.data, state).to(dtype)
    # GPT-2's Conv1D holds its weight the other way round
    return layer.weight if isinstance(layer, torch.nn.Linear) else layer.weight.t()


class Frozen:
    """A base whose linear layers take every part of a stream through the adapter of its candidate."""

    def __init__(self, base: Any) -> None:
        self.base = base
        self.parts: Sequence[Part] = ()
        self.late = Late()
        for name, layer in linears(base).items():
            layer.forward = self._forward(name, layer)

    @contextlib.contextmanager
    def through(self, parts: Sequence[Part], late: Late | None = None) -> Iterator[None]:
        """Forward passes in this block are of a stream with these parts; what is in none of them is the base's.

        late: layers that are computed where it matters alone.
        """
        self.parts, self.late = parts, late or Late()
        try:
            yield
        finally:
            self.parts, self.late = (), Late()

    def _forward(self, name: str, layer: Any) -> Any:
        plain, function = type(layer).forward, lora_linear()

        def forward(x: Tensor) -> Any:
            mine = [part for part in self.parts if name in part.weights.layers]
            late = name in self.late.layers
            if not mine and not late:
                return plain(layer, x)
            places = [(*(part.labels if late else (part.start, part.stop)), part.weights.scale) for part in mine]
            kept = (self.late.places, self.late.count) if late else None
            pairs = [one for part in mine for one in part.weights.layers[name]]
            return function.apply(x, lambda: dense(layer, x.dtype), layer.bias, kept, places, *pairs)

        return forward


def save(weights: Weights, spec: TrainSpec, folder: Path, base_name: str) -> None:
    """Writes adapter_model.safetensors and adapter_config.json; the same adapter always gives the same bytes.

    base_name: what models.yaml calls the base's path; it is written down so that no machine's folders are.
    """
    from safetensors.torch import save as to_bytes

    tensors = {name: weight.detach().cpu().contiguous() for name, weight in weights.named().items()}
    config: Mapping[str, Any] = config_of(spec).to_dict()
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    plain |= {"base_model_name_or_path": base_name, "inference_mode": True}
    write_file(folder / "adapter_model.safetensors", to_bytes(tensors, metadata={"format": "pt"}))
    write_file(folder / "adapter_config.json", json.dumps(plain, indent=2, sort_keys=True).encode() + b"\n")
