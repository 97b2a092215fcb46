"""Several rows of several candidates in one forward pass that do not see each other, and the loss on their completions.

Rows lie end to end in one stream, so no linear layer works on padding. Only attention needs them apart (see
`attention`). The beginning that a segment's rows share is in the stream once; each row attends to it and to itself,
and the gradients of all of them meet in it.

What a model does beyond that (soft caps, sinks, a window shorter than a row) is left to its own attention and the
block-diagonal mask that transformers builds from restarting positions. `choose` tries, and takes nothing on trust.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.train.attention import Block, attend, layout
from harness.train.data import Segment, Stream, TrainRow, stream
from harness.train.fused import head_nats
from harness.train.lora import Late, linears

if TYPE_CHECKING:
    from torch import Tensor

NAME = "harness_rows"


@dataclass(frozen=True)
class Way:
    """How a base is taken through a stream.

    together: rows may lie in one stream. apart: several candidates may, and rows may share their beginning. fused: the
    head's loss is computed in pieces. least, grain: see `stream`; a product of few rows is rounded otherwise than one
    of many, and so is the end of a block that no vector fits in. late: layers whose output matters only where a label
    is predicted: those of the last block but for its keys and values.
    """

    together: bool
    apart: bool = False
    fused: bool = False
    least: int = 1
    grain: int = 1
    late: frozenset[str] = frozenset()


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, **options: Any
) -> tuple[Tensor, None]:
    """Causal attention within each row. query, key, value: (1, heads, N, size), as transformers hands them over."""
    blocks: list[Block] = options["harness_layout"]
    window = options.get("sliding_window")
    longest = max(block.shared + block.longest for block in blocks)
    if options.get("softcap") or options.get("s_aux") is not None or (window is not None and longest > window):
        raise NotImplementedError("attention with a soft cap, sinks or a window shorter than a row")
    scale = options.get("scaling") or query.shape[-1] ** -0.5
    return attend(query[0], key[0], value[0], scale, blocks).unsqueeze(0), None


@functools.cache
def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, lambda *args, **kwargs: None)


def use(base: Any, attention: str) -> None:
    """Switches a transformers model to an attention by name."""
    _register()
    base.set_attn_implementation(attention)


def nats(base: Any, laid: Stream, fused: bool = False) -> list[Tensor]:
    """Minus the log-probability of every label, in nats, per segment, with gradient. Only their logits are computed."""
    import torch
    from torch.nn.functional import cross_entropy

    device, head = base.device, base.get_output_embeddings()
    extra: dict[str, Any] = {}
    if base.config._attn_implementation == NAME:
        heads = getattr(base.config.get_text_config(), "num_attention_heads", 1)
        extra["harness_layout"] = layout(laid, heads, device, base.dtype)
    if fused:
        head.forward = lambda hidden: hidden
    try:
        out = base(
            input_ids=torch.tensor([laid.ids], device=device),
            position_ids=torch.tensor([laid.positions], device=device),
            logits_to_keep=torch.tensor(laid.keep, device=device),
            use_cache=False,
            **extra,
        ).logits[0]
    finally:
        if fused:
            del head.forward
    wanted = [torch.tensor(segment.labels, device=device) for segment in laid.segments]
    parts = out.split([len(labels) for labels in wanted])
    if fused:
        function = head_nats()
        return [function.apply(part, head.weight, labels) for part, labels in zip(parts, wanted, strict=True)]
    wide = torch.promote_types(out.dtype, torch.float32)
    return [cross_entropy(part.to(wide), labels, reduction="none") for part, labels in zip(parts, wanted, strict=True)]


def late(base: Any, laid: Stream, way: Way) -> Late:
    """Where the late layers of a way are computed for a stream."""
    import torch

    if not way.late:
        return Late()
    keep = laid.keep
    fill = max(0, way.least - len(keep))
    fill += -(len(keep) + fill) % way.grain
    return Late(way.late, torch.tensor((*keep, *[0] * fill), device=base.device), len(keep))


def _late(base: Any, rows: Sequence[TrainRow], fused: bool) -> frozenset[str]:
    """Layers of the last block that may compute nonsense where no label is predicted: found by letting them.

    rows: any; their first tokens suffice.
    """
    import torch

    layers = linears(base)
    blocks = getattr(base.config.get_text_config(), "num_hidden_layers", len(layers))
    laid = stream([Segment(tuple(TrainRow((row.prompt_ids * 4)[:4], (row.completion_ids * 2)[:2]) for row in rows))])
    others = torch.tensor(sorted({*range(len(laid.ids))} - {*laid.keep}), device=base.device)
    expected = nats(base, laid, fused)[0]

    def spoil(layer: Any, given: Any, out: Tensor) -> Tensor:
        return out.index_fill(1, others, math.nan) if out.shape[:2] == (1, len(laid.ids)) else out * math.nan

    def unmoved(layer: Any) -> bool:
        hook = layer.register_forward_hook(spoil)
        try:
            return bool(torch.equal(nats(base, laid, fused)[0], expected))
        finally:
            hook.remove()

    last = list(layers)[-(len(layers) // blocks) :]
    return frozenset(name for name in last if unmoved(layers[name]))


def choose(base: Any, rows: Sequence[TrainRow]) -> Way:
    """Switches `base` to the fastest attention under which rows in a stream give what each gives alone.

    Tried on the longest and the shortest row, and on rows that share a beginning. A model that carries a state from
    token to token cannot be told where a row ends: then every row needs a stream of its own.
    """
    import torch

    own: str = base.config._attn_implementation
    long, short = max(rows, key=len), min(rows, key=len)
    other = TrainRow(long.prompt_ids, long.completion_ids[-1:])
    pair = Segment((long, short))
    close = 1e-3 if base.dtype in (torch.float32, torch.float64) else 0.25

    def near(one: Sequence[Tensor], two: Sequence[Tensor]) -> bool:
        return float((torch.cat(list(one)) - torch.cat(list(two))).abs().max()) <= close

    with torch.no_grad():
        first, second, third = (nats(base, stream([Segment((row,))]))[0] for row in (long, short, other))
        fused = _head_is_plain(base) and near(nats(base, stream([Segment((long,))]), True), [first])
        try:
            use(base, NAME)
            beginning = Segment((long, other), len(long.prompt_ids) - 1)
            found = nats(base, stream([pair, beginning], grain=7), fused)
            if near(found, [first, second, first, third]):
                return Way(True, True, fused, *_grain(base), _late(base, (long, short), fused))
        except (NotImplementedError, ValueError, TypeError, KeyError):
            pass
        try:
            use(base, own)
            if near(nats(base, stream([pair]), fused), [first, second]):
                return Way(True, fused=fused)
        except (NotImplementedError, ValueError, TypeError, KeyError):
            pass
    use(base, own)
    return Way(False, fused=fused)


def _head_is_plain(base: Any) -> bool:
    import torch

    head = base.get_output_embeddings()
    return type(head) is torch.nn.Linear and head.bias is None


def _grain(base: Any) -> tuple[int, int]:
    """least, grain of a `Way`: measured with MKL on one to four threads; nothing on a GPU, which promises no bits."""
    import torch

    if base.device.type != "cpu":
        return 1, 1
    threads = torch.get_num_threads()
    sizes = [(one.in_features, one.out_features) for one in base.modules() if isinstance(one, torch.nn.Linear)]
    widths = [width for pair in sizes for width in pair]
    return 8 * threads, threads * (32 // math.gcd(32, *widths))
