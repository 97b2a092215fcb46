"""Keys and values of a batch that grows, shrinks and may share a prefix; and the attention that reads them.

For decoders with plain causal attention (`is_plain`). Other models keep the cache and attention of transformers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

ATTENTION = "harness_shared_prefix"
_PLAIN = ("llama", "qwen2", "qwen3")
_ROOM = 64


def is_plain(config: Any) -> bool:
    """Whether a model's attention is the plain causal one that this module computes."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    return config.model_type in _PLAIN and kinds == {"full_attention"}


class BatchCache:
    """What transformers asks of a cache, for a batch whose rows are padded on the left.

    prefix: a one-row cache of tokens that come before every row's own; never copied per row.
    pads: [rows], how many of a row's own tokens are padding. Keys and values are [rows, heads, tokens, size], in
    buffers with room to grow, so that a step copies nothing.
    """

    is_compileable = False

    def __init__(self, pads: torch.Tensor, prefix: BatchCache | None = None) -> None:
        self.pads = pads if bool(pads.any()) else None
        self.prefix = prefix
        self.shared = prefix.get_seq_length() if prefix else 0
        self.length = 0  # own tokens, padding included
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []
        self.mask: torch.Tensor | None = None

    def update(
        self, key: torch.Tensor, value: torch.Tensor, layer: int, *unused: Any, **more: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Takes in a layer's newest keys and values, and returns all of the rows' own."""
        start, end = self.length - key.shape[2], self.length
        for buffers, new in ((self.keys, key), (self.values, value)):
            if layer == len(buffers):
                buffers.append(new.new_empty(*new.shape[:2], 0, new.shape[-1]))
            if end > buffers[layer].shape[2]:
                bigger = new.new_empty(*new.shape[:2], end + _ROOM, new.shape[-1])
                bigger[:, :, :start] = buffers[layer][:, :, :start]
                buffers[layer] = bigger
            buffers[layer][:, :, start:end] = new
        return self.own(layer)

    def own(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(keys, values) of a layer, without the prefix."""
        return self.keys[layer][:, :, : self.length], self.values[layer][:, :, : self.length]

    def extend(self, ids: torch.Tensor) -> None:
        """Makes ready for a forward pass over ids [rows, queries], and works out who may see whom."""
        import torch

        queries = ids.shape[1]
        self.length += queries
        self.mask = None
        if self.pads is None and (queries == 1 or (queries == self.length and not self.shared)):
            return
        slots = torch.arange(-self.shared, self.length, device=ids.device)
        mask = slots <= torch.arange(self.length - queries, self.length, device=slots.device)[:, None]
        if self.pads is not None:
            mask = mask & ((slots < 0) | (slots >= self.pads[:, None]))[:, None]
        self.mask = mask[:, None] if mask.dim() == 3 else mask

    def select(self, rows: torch.Tensor) -> None:
        """Keeps only these rows of the batch."""
        self.keys = [buffer[rows] for buffer in self.keys]
        self.values = [buffer[rows] for buffer in self.values]
        self.pads = None if self.pads is None else self.pads[rows]

    def get_seq_length(self, layer: int = 0) -> int:
        return self.shared + self.length


_reading: ContextVar[BatchCache | None] = ContextVar("the cache of the forward pass under way", default=None)


@contextmanager
def reading(cache: BatchCache | None) -> Iterator[None]:
    """Around a forward pass: transformers hands attention its keys and values, but not the cache with the prefix."""
    token = _reading.set(cache)
    try:
        yield
    finally:
        _reading.reset(token)


def register() -> None:
    """Makes the attention known to transformers under the name ATTENTION, without a mask: the cache knows it."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, attention)


def attention(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *unused: Any, scaling: float, **more: Any
) -> tuple[torch.Tensor, None]:
    """Attention over [prefix | own tokens] of query [rows, heads, queries, size], as [rows, queries, heads, size]."""
    cache = _reading.get()
    if cache is None:
        raise RuntimeError("a forward pass outside of kv.reading")
    prefix = cache.prefix.own(module.layer_idx) if cache.prefix else None
    if query.shape[2] > 1:
        return _many(query, key, value, prefix, cache.mask, scaling), None
    return _one(query, key, value, prefix, cache.mask, scaling), None


def _many(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    prefix: tuple[torch.Tensor, torch.Tensor] | None,
    mask: torch.Tensor | None,
    scaling: float,
) -> torch.Tensor:
    """Several queries per row: a prompt."""
    import torch

    rows, heads = query.shape[:2]
    if prefix:
        key = torch.cat([prefix[0].expand(rows, -1, -1, -1), key], dim=2)
        value = torch.cat([prefix[1].expand(rows, -1, -1, -1), value], dim=2)
    times = heads // key.shape[1]
    out = torch.nn.functional.scaled_dot_product_attention(
        query,
        key.repeat_interleave(times, dim=1),
        value.repeat_interleave(times, dim=1),
        attn_mask=mask,
        is_causal=mask is None,
        scale=scaling,
    )
    return out.transpose(1, 2)


def _one(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    prefix: tuple[torch.Tensor, torch.Tensor] | None,
    mask: torch.Tensor | None,
    scaling: float,
) -> torch.Tensor:
    """One query per row: the newest token of an answer. All rows meet the prefix in one matrix product."""
    import torch

    rows, heads, _, size = query.shape
    groups = key.shape[1]
    grouped = query.reshape(rows, groups, heads // groups, size) * scaling
    scores = grouped @ key.transpose(-1, -2)
    if prefix:
        flat = grouped.transpose(0, 1).reshape(groups, -1, size)
        before = (flat @ prefix[0][0].transpose(-1, -2)).view(groups, rows, heads // groups, -1).transpose(0, 1)
        scores = torch.cat([before, scores], dim=-1)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(value.dtype)
    length = prefix[0].shape[2] if prefix else 0
    out = weights[..., length:] @ value
    if prefix:
        flat = weights[..., :length].transpose(0, 1).reshape(groups, -1, length)
        out = out + (flat @ prefix[1][0]).view(groups, rows, heads // groups, -1).transpose(0, 1)
    return out.reshape(rows, 1, heads, -1)
