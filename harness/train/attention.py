"""Causal attention within each row of a stream, the beginning that rows share computed once, with gradient.

Rows are laid out block by block: a few rows of alike length as a padded block whose scores fit a processor's cache,
the shared beginning as a block of its own. What pads a row on its right is in nobody's past. A long row is left to
torch's own kernel, which keeps no scores: its memory grows with its length, not with the square of it.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.train.data import Stream

if TYPE_CHECKING:
    from torch import Tensor

SCORES = {"cpu": 2**18, "cuda": 2**40}
"""Attention scores of a block of several rows; a CPU keeps so many in its cache, a GPU takes all rows at once."""
LONG = 2**21
"""Attention scores of a row, of all heads, above which a CPU leaves it to torch's kernel: as fast there, or faster."""


@dataclass(frozen=True)
class Block:
    """Rows that attend together: the tokens start..stop of a stream, and the `shared` ones from `first` before each.

    kernel: whether it is left to torch's. mask: (longest, shared + longest), 0 for what a token sees; None where that
    kernel needs none, as nothing is shared. queries: (rows x longest), keys: (rows x (shared + longest)): places in the
    stream of what stands in the padded block; its padding repeats the row's last token. real: places in the padded
    block of the tokens start..stop.
    """

    start: int
    stop: int
    first: int
    shared: int
    rows: int
    longest: int
    kernel: bool
    mask: Tensor | None
    queries: Tensor
    keys: Tensor
    real: Tensor


def layout(laid: Stream, heads: int, device: Any, dtype: Any) -> list[Block]:
    """The blocks of a stream in its order; how a segment is cut depends on nothing but its own rows."""
    blocks = []
    for segment, start in zip(laid.segments, laid.starts, strict=False):
        shared, at = segment.shared, start + segment.shared
        if shared:
            blocks.append(_block(start, start, 0, (shared,), heads, device, dtype))
        for lengths in _together(segment.lengths, shared, SCORES[device.type] // heads):
            blocks.append(_block(at, start, shared, lengths, heads, device, dtype))
            at += sum(lengths)
    return blocks


def _together(lengths: Sequence[int], shared: int, scores: int) -> Iterator[tuple[int, ...]]:
    """Neighbouring rows that fit one block. scores: per head."""
    group: list[int] = []
    for length in lengths:
        longest = max(*group, length, 0)
        if group and (len(group) + 1) * longest * (shared + longest) > scores:
            yield tuple(group)
            group = []
        group.append(length)
    yield tuple(group)


def _block(start: int, first: int, shared: int, lengths: Sequence[int], heads: int, device: Any, dtype: Any) -> Block:
    import torch

    rows, longest = len(lengths), max(lengths)
    starts = itertools.accumulate(lengths, initial=start)
    one = torch.arange(longest)
    queries = torch.stack([at + one.clamp(max=length - 1) for at, length in zip(starts, lengths, strict=False)])
    keys = torch.cat([torch.arange(first, first + shared).expand(rows, -1), queries], 1)
    real = torch.cat([row * longest + one[:length] for row, length in enumerate(lengths)])
    kernel = device.type != "cpu" or (rows == 1 and heads * longest * (shared + longest) > LONG)
    mask = None
    if shared or not kernel:
        mask = torch.full((longest, shared + longest), -math.inf, dtype=dtype, device=device).triu_(shared + 1)
    places = (x.to(device) for x in (queries.flatten(), keys.flatten(), real))
    return Block(start, start + sum(lengths), first, shared, rows, longest, kernel, mask, *places)


def attend(query: Tensor, key: Tensor, value: Tensor, scale: float, blocks: Sequence[Block]) -> Tensor:
    """query: (heads, N, size), key, value: (groups, N, size) -> (N, heads, size); what is in no block becomes zero."""
    import torch

    if query.device.type == "cpu":
        found: Tensor = _on_cpu().apply(query, key, value, scale, blocks)
        return found
    each = query.shape[0] // key.shape[0]
    key, value = (x.repeat_interleave(each, 0) for x in (key, value))
    done = [_kernel(block, scale, query, key, value) for block in blocks]
    done.append(query.new_zeros((query.shape[1] - blocks[-1].stop, query.shape[0], value.shape[-1])))
    return torch.cat(done)


def _kernel(block: Block, scale: float, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """One block by the kernels torch has; (heads, N, size) each -> (tokens, heads, size)."""

    def rows(x: Tensor, places: Tensor) -> Tensor:
        return x.index_select(1, places).unflatten(1, (block.rows, -1)).transpose(0, 1)

    out = _of_torch(block, scale, rows(query, block.queries), rows(key, block.keys), rows(value, block.keys))
    return out.transpose(1, 2).flatten(0, 1).index_select(0, block.real)


def _of_torch(block: Block, scale: float, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """query: (rows, heads, longest, size), key, value: (rows, heads or groups, shared + longest, size) -> as query."""
    from torch.nn.functional import scaled_dot_product_attention

    causal, grouped = block.mask is None, query.shape[1] != key.shape[1]
    return scaled_dot_product_attention(
        query, key, value, attn_mask=block.mask, is_causal=causal, scale=scale, enable_gqa=grouped
    )


@functools.cache
def _on_cpu() -> Any:
    """The autograd function (query, key, value, scale, blocks) -> `attend`. The heads of a group look at the same keys
    in one product; both ways in as few passes over the scores as there are. A block for torch's kernel has a graph of
    its own, which lasts until the first backward pass."""
    import torch

    class Attend(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, scale: float, blocks: Any) -> Tensor:
            q, k, v = (x.transpose(0, 1) for x in (query, key, value))
            groups, each = k.shape[1], q.shape[1] // k.shape[1]
            out = q.new_empty((len(q), q.shape[1], v.shape[-1]))
            saved = []
            for block in (block for block in blocks if not block.kernel):
                own = _folded(q.index_select(0, block.queries), block.rows, groups)
                past, values = (_folded(x.index_select(0, block.keys), block.rows, groups) for x in (k, v))
                scores = torch.bmm(own, past.transpose(1, 2)).view(-1, each, *block.mask.shape)
                shares = torch.softmax(scores.mul_(scale).add_(block.mask), -1).flatten(1, 2)
                rows = _unfolded(torch.bmm(shares, values), block.rows, each)
                torch.index_select(rows, 0, block.real, out=out[block.start : block.stop])
                saved += [own, past, values, shares]
            out[blocks[-1].stop :] = 0
            ctx.graphs = [(block, *_graph(block, scale, q, k, v)) for block in blocks if block.kernel]
            for block, found, _ in ctx.graphs:
                out[block.start : block.stop] = found.detach()
            ctx.save_for_backward(*saved)
            ctx.scale, ctx.blocks, ctx.each, ctx.shapes = scale, blocks, each, [x.shape for x in (q, k, v)]
            return out

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
            each, groups = ctx.each, ctx.shapes[1][1]
            for_q, for_k, for_v = (gradient.new_zeros(shape) for shape in ctx.shapes)
            for number, block in enumerate(block for block in ctx.blocks if not block.kernel):
                own, past, values, shares = ctx.saved_tensors[4 * number : 4 * number + 4]
                mine = slice(block.start, block.stop)
                padded = gradient.new_zeros((block.rows * block.longest, *gradient.shape[1:]))
                out = _folded(padded.index_copy_(0, block.real, gradient[mine]), block.rows, groups)
                scores = torch.bmm(out, values.transpose(1, 2))
                scores = torch._softmax_backward_data(scores, shares, -1, shares.dtype)
                rows = _unfolded(torch.bmm(scores, past), block.rows, each)
                torch.index_select(rows, 0, block.real, out=for_q[mine])
                for whole, part in (
                    (for_k, torch.bmm(scores.transpose(1, 2), own)),
                    (for_v, torch.bmm(shares.transpose(1, 2), out)),
                ):
                    rows = _unfolded(part, block.rows, 1).unflatten(0, (block.rows, -1))
                    if block.shared:
                        whole[block.first : block.first + block.shared] += rows[:, : block.shared].sum(0)
                    whole[mine] += rows[:, block.shared :].flatten(0, 1).index_select(0, block.real)
            for_q, for_k = for_q.mul_(ctx.scale), for_k.mul_(ctx.scale)
            graphs, ctx.graphs = ctx.graphs, None
            for block, found, leaves in graphs:
                mine = slice(block.start, block.stop)
                for_q[mine], *parts = torch.autograd.grad(found, leaves, gradient[mine].clone())
                for whole, part in zip((for_k, for_v), parts, strict=True):
                    whole[block.first : block.first + block.shared] += part[: block.shared]
                    whole[mine] += part[block.shared :]
            return (*(x.transpose(0, 1) for x in (for_q, for_k, for_v)), None, None)

    return Attend


def _graph(block: Block, scale: float, *streams: Tensor) -> tuple[Tensor, list[Tensor]]:
    """A block of one row by torch's kernel: what is found, (tokens, heads, size), and the row's own query, key and
    value, on which it hangs. streams: (N, heads or groups, size)."""
    import torch

    leaves = [x.index_select(0, at) for x, at in zip(streams, (block.queries, block.keys, block.keys), strict=True)]
    with torch.enable_grad():
        found = _of_torch(block, scale, *(x.requires_grad_().transpose(0, 1).unsqueeze(0) for x in leaves))
        return found[0].transpose(0, 1), leaves


def _folded(x: Tensor, rows: int, groups: int) -> Tensor:
    """(rows x n, heads, size) -> (rows x groups, heads of a group x n, size)."""
    heads, size = x.shape[1:]
    return x.view(rows, -1, groups, heads // groups, size).permute(0, 2, 3, 1, 4).reshape(rows * groups, -1, size)


def _unfolded(x: Tensor, rows: int, each: int) -> Tensor:
    """(rows x groups, each x n, size) -> (rows x n, heads, size)."""
    size = x.shape[-1]
    x = x.view(rows, len(x) // rows, each, -1, size).permute(0, 3, 1, 2, 4)
    return x.reshape(-1, x.shape[2] * each, size)
