"""A frozen linear layer plus its LoRA as one autograd function: the same sums as peft's, in fewer passes over memory.

What is not covered: a bias on the base layer, dropout, quantised weights, mixed types. There peft's own forward stays.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@functools.cache
def lora_linear() -> Any:
    """The autograd function (x, W, A, B, scale) -> x W' + scale (x A') B'.

    x: (..., in), W: (out, in) frozen, A: (rank, in), B: (out, rank). Made on first use, so that torch is loaded late.
    """
    import torch

    class LoRALinear(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Tensor, weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
            flat = x.reshape(-1, x.shape[-1])
            low, scaled = flat @ a.t(), b * scale
            ctx.save_for_backward(flat, weight, a, scaled, low)
            ctx.scale, ctx.shape = scale, x.shape
            return (flat @ weight.t()).addmm_(low, scaled.t()).view(*x.shape[:-1], -1)

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, Tensor, Tensor, None]:
            flat, weight, a, scaled, low = ctx.saved_tensors
            out = gradient.reshape(-1, gradient.shape[-1])
            out_low = out @ scaled
            x = (out @ weight).addmm_(out_low, a).view(ctx.shape) if ctx.needs_input_grad[0] else None
            return x, None, out_low.t() @ flat, (out.t() @ low) * ctx.scale, None

    return LoRALinear


def fuse(model: Any, adapter: str = "default") -> int:
    """Gives every plain LoRA layer of a peft model the fused forward; returns how many.

    Such a layer no longer knows disabled, merged or further adapters: it is for training only.
    """
    import torch
    from peft.tuners.lora import Linear

    function = lora_linear()

    def fused(layer: Any) -> Any:
        def forward(x: Tensor) -> Any:
            a, b = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight
            return function.apply(x, layer.base_layer.weight, a, b, layer.scaling[adapter])

        return forward

    count = 0
    for layer in model.modules():
        if not isinstance(layer, Linear) or type(layer.base_layer) is not torch.nn.Linear:
            continue
        weights = {layer.base_layer.weight.dtype, layer.lora_A[adapter].weight.dtype}
        plain = layer.base_layer.bias is None and isinstance(layer.lora_dropout[adapter], torch.nn.Identity)
        if plain and len(weights) == 1:
            layer.forward = fused(layer)
            count += 1
    return count
