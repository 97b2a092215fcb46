"""What is computed around a frozen weight: a linear layer with the adapters beside it, and the loss on the head.

Both are autograd functions, as the frozen weight needs no gradient: the same sums as peft's in fewer passes over
memory, and logits that never exist all at once. What is not covered: dropout.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

LOGITS = {"cpu": 2**22, "cuda": 2**27}
"""Logits that exist at the same time."""
Dense = Callable[[], "Tensor"]


@functools.cache
def lora_linear() -> Any:
    """The autograd function (x, W, bias, kept, parts, A1, B1, ...) -> x W' + bias, plus scale (x A') B' in each part.

    x: (1, N, in), W: called both ways for (out, in), frozen, as one of few bits is not kept in full. bias: (out) or
    None. kept: None, or the places among the N that are computed
    (ids, M) of which the first M are meant and the rest fills up; other rows of the output are zero. parts: (start,
    stop, scale) of each adapter's tokens among the N or the M, A: (rank, in), B: (out, rank), computed in the type of
    x. Made on first use: torch is loaded late.

    The frozen product is taken over all N at once, the rest part by part: on a CPU no part depends on its neighbours,
    not even in the last bit, as a row of a matrix product does not depend on how many rows there are.
    """
    import torch

    class LoRALinear(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(
            ctx: Any, x: Tensor, dense: Dense, bias: Tensor | None, kept: Any, parts: Any, *adapters: Tensor
        ) -> Tensor:
            weight = dense()
            flat = x.reshape(-1, x.shape[-1])
            if kept is not None:
                flat = flat.index_select(0, kept[0])
            out = flat @ weight.t() if bias is None else torch.addmm(bias, flat, weight.t())
            saved = []
            for (start, stop, scale), a, b in zip(parts, adapters[::2], adapters[1::2], strict=True):
                a, b = a.to(x.dtype), b.to(x.dtype)
                low = flat[start:stop] @ a.t()
                out[start:stop].addmm_(low, b.t(), alpha=scale)
                saved += [a, b, low]
            ctx.save_for_backward(flat, *saved)
            ctx.dense, ctx.kept, ctx.parts = dense, kept, parts
            ctx.shape, ctx.types = x.shape, [one.dtype for one in adapters]
            return _spread(out, x.shape, kept)

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
            flat, *saved = ctx.saved_tensors
            out = gradient.reshape(-1, gradient.shape[-1])
            if ctx.kept is not None:
                out = out.index_select(0, ctx.kept[0])
            x = out @ ctx.dense() if ctx.needs_input_grad[0] else None
            found: list[Tensor] = []
            for (start, stop, scale), a, b, low in zip(ctx.parts, saved[::3], saved[1::3], saved[2::3], strict=True):
                own = out[start:stop]
                out_low = (own @ b).mul_(scale)
                if x is not None:
                    x[start:stop].addmm_(out_low, a)
                found += [out_low.t() @ flat[start:stop], own.t() @ (low * scale)]
            found = [one.to(dtype) for one, dtype in zip(found, ctx.types, strict=True)]
            return (None if x is None else _spread(x, ctx.shape, ctx.kept), None, None, None, None, *found)

    return LoRALinear


def _spread(rows: Tensor, shape: Sequence[int], kept: Any) -> Tensor:
    """Rows as (*shape but for its last number, width); those that are not kept are zero."""
    if kept is None:
        return rows.view(*shape[:-1], -1)
    places, count = kept
    whole = rows.new_zeros((math.prod(shape[:-1]), rows.shape[-1]))
    return whole.index_copy_(0, places[:count], rows[:count]).view(*shape[:-1], -1)


@functools.cache
def head_nats() -> Any:
    """The autograd function (hidden, W, labels) -> minus the log-probability of each label, in nats.

    hidden: (M, in), W: (vocabulary, in) frozen, labels: (M). The gradient is found on the way forward, in pieces, so
    that no more than LOGITS logits exist.
    """
    import torch

    class HeadNats(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
            most = max(16, LOGITS[hidden.device.type] // len(weight))
            rows = -(-len(hidden) // -(-len(hidden) // most))  # pieces of one size: a small last one is slow
            nats, gradients = [], []
            for part, wanted in zip(hidden.split(rows), labels.split(rows), strict=True):
                logits = part @ weight.t()
                logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
                logits -= logits.amax(-1, keepdim=True)
                own = logits.gather(1, wanted[:, None])
                shares = logits.exp_()
                whole = shares.sum(-1, keepdim=True)
                nats.append((whole.log() - own)[:, 0])
                if ctx.needs_input_grad[0]:
                    shares.scatter_add_(1, wanted[:, None], -whole)
                    gradients.append((shares.to(weight.dtype) @ weight / whole).to(weight.dtype))
            ctx.save_for_backward(*gradients)
            return torch.cat(nats)

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
            hidden = torch.cat(ctx.saved_tensors)
            return hidden * gradient.to(hidden.dtype)[:, None], None, None

    return HeadNats
