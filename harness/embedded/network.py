"""The training-time twin of the embedded Llama: the same sums, written for packed rows on a CPU.

`transformers` runs the exported weights; this file exists because training packs many short documents into a row,
lets several questions share one passage, and computes the last layer only where something is learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

MATRICES = ("q", "k", "v", "o", "gate", "up", "down")


@dataclass(frozen=True)
class Shape:
    """Sizes of the network, in units (not bytes)."""

    vocabulary: int = 2048
    hidden: int = 192
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    head_size: int = 64
    mlp: int = 512
    positions: int = 1024
    rope: float = 10000.0
    epsilon: float = 1e-5


def initial(shape: Shape, seed: int) -> dict[str, torch.Tensor]:
    """Fresh float32 parameters; matrices of all layers are stacked: `q` is (layers, heads * head_size, hidden)."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    h, q, kv = shape.hidden, shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    sizes = {
        "q": (q, h),
        "k": (kv, h),
        "v": (kv, h),
        "o": (h, q),
        "gate": (shape.mlp, h),
        "up": (shape.mlp, h),
        "down": (h, shape.mlp),
    }
    parameters: dict[str, torch.Tensor] = {}
    for name, (rows, columns) in sizes.items():
        scale = columns**-0.5 * (0.3 if name in ("o", "down") else 1.0)
        parameters[name] = torch.randn(shape.layers, rows, columns, generator=generator) * scale
    parameters["embed"] = torch.randn(shape.vocabulary, h, generator=generator) * 0.05
    parameters["norm1"] = torch.ones(shape.layers, h)
    parameters["norm2"] = torch.ones(shape.layers, h)
    parameters["norm"] = torch.ones(h)
    return parameters


def rotation(shape: Shape) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine tables, each (positions, head_size), in the half-split order that Llama uses."""
    import torch

    frequency = shape.rope ** (-torch.arange(0, shape.head_size, 2).float() / shape.head_size)
    angle = torch.outer(torch.arange(shape.positions).float(), frequency)
    angle = torch.cat((angle, angle), dim=-1)
    return angle.cos(), angle.sin()


def _norm(x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    import torch

    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * weight


def _rotate(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    import torch

    half = x.shape[-1] // 2
    return x * cosine + torch.cat((-x[..., half:], x[..., :half]), dim=-1) * sine


def logits(p: dict[str, torch.Tensor], batch: dict[str, torch.Tensor], tables: Any, shape: Shape) -> torch.Tensor:
    """Logits (rows, places, vocabulary) at the supervised places of a packed batch.

    `batch`: `ids`, `position`, `group`, `branch` are (rows, length); `place` is (rows, places).
    A token sees earlier tokens of its own group that lie in the trunk (branch 0) or in its own branch.
    """
    import torch
    from torch.nn import functional as F

    ids, group, branch, place = batch["ids"], batch["group"], batch["branch"], batch["place"]
    rows, length = ids.shape
    places = place.shape[1]
    same = (group[:, :, None] == group[:, None, :]) & (
        (branch[:, None, :] == 0) | (branch[:, :, None] == branch[:, None, :])
    )
    causal = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
    mask = torch.zeros(rows, 1, 1, length, length, device=ids.device)
    mask = mask.masked_fill_(~(same & causal)[:, None, None], -1e4)
    cosine, sine = tables[0][batch["position"]][:, None], tables[1][batch["position"]][:, None]
    pick = place[:, :, None]
    repeat = shape.heads // shape.kv_heads
    x = F.embedding(ids, p["embed"])
    for layer in range(shape.layers):
        last = layer == shape.layers - 1
        y = _norm(x, p["norm1"][layer], shape.epsilon)
        k = (y @ p["k"][layer].t()).view(rows, length, shape.kv_heads, shape.head_size).transpose(1, 2)
        v = (y @ p["v"][layer].t()).view(rows, length, shape.kv_heads, shape.head_size).transpose(1, 2)
        k = _rotate(k, cosine, sine)
        if last:
            width = places
            y = y.gather(1, pick.expand(-1, -1, shape.hidden))
            x = x.gather(1, pick.expand(-1, -1, shape.hidden))
            turn = pick[:, None].expand(-1, 1, -1, shape.head_size)
            c, s = cosine.gather(2, turn), sine.gather(2, turn)
            seen = mask.gather(3, place[:, None, None, :, None].expand(-1, 1, 1, -1, length))
        else:
            width, c, s, seen = length, cosine, sine, mask
        q = (y @ p["q"][layer].t()).view(rows, width, shape.heads, shape.head_size).transpose(1, 2)
        q = _rotate(q, c, s).reshape(rows, shape.kv_heads, repeat, width, shape.head_size)
        score = q @ k[:, :, None].transpose(-1, -2) * shape.head_size**-0.5 + seen
        mixed = torch.softmax(score, dim=-1) @ v[:, :, None]
        mixed = mixed.reshape(rows, shape.heads, width, shape.head_size).transpose(1, 2).reshape(rows, width, -1)
        x = x + mixed @ p["o"][layer].t()
        y = _norm(x, p["norm2"][layer], shape.epsilon)
        x = x + (F.silu(y @ p["gate"][layer].t()) * (y @ p["up"][layer].t())) @ p["down"][layer].t()
    return _norm(x, p["norm"], shape.epsilon) @ p["embed"].t()


def loss(p: dict[str, torch.Tensor], batch: dict[str, torch.Tensor], tables: Any, shape: Shape) -> torch.Tensor:
    """Weighted cross entropy (nats per unit of weight) over the supervised places of a packed batch."""
    from torch.nn import functional as F

    flat = logits(p, batch, tables, shape).reshape(-1, shape.vocabulary)
    nats = F.cross_entropy(flat, batch["target"].reshape(-1), reduction="none")
    weight = batch["weight"].reshape(-1)
    return (nats * weight).sum() / weight.sum().clamp_min(1e-6)


def predictions(p: dict[str, torch.Tensor], one: Any, tables: Any, shape: Shape) -> list[int]:
    """The most likely token at every supervised place of one encoded document."""
    import torch

    names = {"ids": one.ids, "position": one.position, "branch": one.branch, "place": one.place}
    batch = {name: torch.tensor([value], device=p["embed"].device) for name, value in names.items()}
    batch["group"] = torch.zeros_like(batch["ids"])
    with torch.no_grad():
        return [int(x) for x in logits(p, batch, tables, shape)[0].argmax(-1)]


def orthogonal(update: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Newton-Schulz: every matrix of the stack replaced by (about) its nearest orthogonal one (Jordan, 2024: Muon)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = update.shape[-2] > update.shape[-1]
    x = update.transpose(-1, -2) if tall else update
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.transpose(-1, -2)
        x = a * x + (b * square + c * square @ square) @ x
    return x.transpose(-1, -2) if tall else x


def optimiser(parameters: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Optimiser state: one momentum for every matrix, two moments for everything else, and the step count."""
    import torch

    state = {f"m.{name}": torch.zeros_like(value) for name, value in parameters.items()}
    state.update({f"v.{n}": torch.zeros_like(x) for n, x in parameters.items() if n not in MATRICES})
    state["step"] = torch.zeros(())
    return state


def update(
    parameters: dict[str, torch.Tensor],
    state: dict[str, torch.Tensor],
    rate: float,
    muon: float,
    adam: float,
    worker: int = 0,
    workers: int = 1,
) -> None:
    """One optimiser step in place: Muon for matrices, Adam for embeddings and norms; `rate` scales both (0..1).

    Several workers share the costly part: each makes the directions of its own matrices, and their sum is everybody's.
    """
    import torch

    state["step"] += 1
    count = float(state["step"])
    with torch.no_grad():
        size = sum(parameters[name].numel() for name in MATRICES)
        made = torch.zeros(size, device=parameters["embed"].device)
        at, parts = 0, {}
        for name in MATRICES:
            value, m = parameters[name], state[f"m.{name}"]
            parts[name] = made[at : at + value.numel()].view_as(value)
            at += value.numel()
            gradient = value.grad
            if gradient is None:
                continue
            m.mul_(0.95).add_(gradient)
            share = slice(worker * len(value) // workers, (worker + 1) * len(value) // workers)
            parts[name][share] = orthogonal((gradient + 0.95 * m)[share])
        if workers > 1:
            torch.distributed.all_reduce(made)
        for name, value in parameters.items():
            gradient = value.grad
            if gradient is None:
                continue
            if name in MATRICES:
                stretch = max(1.0, value.shape[-2] / value.shape[-1]) ** 0.5
                value.mul_(1 - rate * muon * 0.02).sub_(parts[name] * (rate * muon * stretch))
            else:
                m, v = state[f"m.{name}"], state[f"v.{name}"]
                m.mul_(0.9).add_(gradient, alpha=0.1)
                v.mul_(0.95).addcmul_(gradient, gradient, value=0.05)
                step = m / (1 - 0.9**count) / ((v / (1 - 0.95**count)).sqrt() + 1e-8)
                value.sub_(step * (rate * adam))
            value.grad = None


def exported(parameters: dict[str, torch.Tensor], shape: Shape) -> dict[str, torch.Tensor]:
    """The same weights in bfloat16 under the names that transformers' LlamaForCausalLM reads (tied embeddings)."""
    import torch

    names = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj"}
    names.update({"gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"})
    names.update({"norm1": "input_layernorm", "norm2": "post_attention_layernorm"})
    out = {"model.embed_tokens.weight": parameters["embed"], "model.norm.weight": parameters["norm"]}
    for ours, theirs in names.items():
        for layer in range(shape.layers):
            out[f"model.layers.{layer}.{theirs}.weight"] = parameters[ours][layer]
    return {name: value.detach().to(torch.bfloat16).contiguous().clone() for name, value in out.items()}
