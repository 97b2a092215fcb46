"""Several rows in one forward pass that do not see each other, and the loss on their completions.

Rows lie end to end in one stream, so no linear layer works on padding. Only attention needs them apart: it lays
queries, keys and values out as a padded block (rows x longest), where plain causal attention suffices, because what
pads a row on its right is in nobody's past. What a model does beyond that (soft caps, sinks, a window shorter than a
row) is left to its own attention and the block-diagonal mask that transformers builds from restarting positions.
`choose` tries, and takes nothing on trust: two rows together must give what each gives alone.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.train.data import Stream, TrainRow, stream

if TYPE_CHECKING:
    from torch import Tensor

NAME = "harness_rows"


def _layout(lengths: Sequence[int], device: Any, dtype: Any) -> dict[str, Any]:
    """Where each token of the stream lies in the padded block, and the causal mask over that block."""
    import torch

    longest = max(lengths)
    places = [torch.arange(length) + row * longest for row, length in enumerate(lengths)]
    future = torch.full((longest, longest), float("-inf"), dtype=dtype).triu(1)
    return {
        "rows": len(lengths),
        "longest": longest,
        "places": torch.cat(places).to(device),
        "future": future.to(device),
    }


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, **options: Any
) -> tuple[Tensor, None]:
    """Causal attention within each row. query, key, value: (1, heads, N, size), as transformers hands them over."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    layout = options["harness_layout"]
    rows, longest, places = layout["rows"], layout["longest"], layout["places"]
    window = options.get("sliding_window")
    if options.get("softcap") or options.get("s_aux") is not None or (window is not None and longest > window):
        raise NotImplementedError("attention with a soft cap, sinks or a window shorter than a row")

    def block(stream: Tensor) -> Tensor:
        heads, size = stream.shape[1], stream.shape[3]
        empty = stream.new_zeros((rows * longest, heads, size))
        return empty.index_copy(0, places, stream[0].transpose(0, 1)).view(rows, longest, heads, size).transpose(1, 2)

    query, key, value = block(query), block(key), block(value)
    scale = options.get("scaling") or query.shape[-1] ** -0.5
    heads, groups = query.shape[1], key.shape[1]
    if query.device.type == "cpu":
        together = query.reshape(rows, groups, heads // groups * longest, query.shape[-1])
        scores = torch.matmul(together * scale, key.transpose(2, 3)).view(rows, heads, longest, longest)
        weights = torch.softmax(scores + layout["future"], -1).view(rows, groups, heads // groups * longest, longest)
        out = torch.matmul(weights, value).view(rows, heads, longest, value.shape[-1])
    else:
        key, value = (x.repeat_interleave(heads // groups, 1) for x in (key, value))
        out = scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale)
    out = out.transpose(1, 2).reshape(rows * longest, heads, -1)
    return out[places].unsqueeze(0), None


@functools.cache
def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, lambda *args, **kwargs: None)


def use(base: Any, attention: str) -> None:
    """Switches a transformers model to an attention by name."""
    _register()
    base.set_attn_implementation(attention)


def nats(base: Any, rows: Stream) -> Tensor:
    """Minus the log-probability of every label, in nats: M values, with gradient. Logits exist for these M only."""
    import torch
    from torch.nn.functional import cross_entropy

    device = base.device
    extra: dict[str, Any] = {}
    if base.config._attn_implementation == NAME:
        extra["harness_layout"] = _layout(rows.lengths, device, base.dtype)
    out = base(
        input_ids=torch.tensor([rows.ids], device=device),
        position_ids=torch.tensor([rows.positions], device=device),
        logits_to_keep=torch.tensor(rows.keep, device=device),
        use_cache=False,
        **extra,
    )
    logits = out.logits[0].to(torch.promote_types(out.logits.dtype, torch.float32))
    return cross_entropy(logits, torch.tensor(rows.labels, device=device), reduction="none")


def choose(base: Any, rows: Sequence[TrainRow]) -> bool:
    """Switches `base` to the fastest attention under which two rows in a stream give what each gives alone.

    Tried on the longest and the shortest row. False if none does, as with models that carry a state from token to
    token and cannot be told where a row ends: then every row needs a stream of its own.
    """
    import torch

    own: str = base.config._attn_implementation
    pair = [max(rows, key=len), min(rows, key=len)]
    close = 1e-3 if base.dtype in (torch.float32, torch.float64) else 0.25
    with torch.no_grad():
        alone = torch.cat([nats(base, stream([row])) for row in pair])
        for attention in (NAME, own):
            try:
                use(base, attention)
                together = nats(base, stream(pair))
            except (NotImplementedError, ValueError, TypeError, KeyError):
                continue
            if float((together - alone).abs().max()) <= close:
                return True
    use(base, own)
    return False
