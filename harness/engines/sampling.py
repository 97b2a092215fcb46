"""The next token of each row of a batch: greedy, or drawn with the row's own seeded generator."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.data import Request, Sampling

if TYPE_CHECKING:
    import torch


def seed_of(sampling: Sampling, prompt_ids: Sequence[int]) -> int:
    """A 63-bit seed from the sampling seed and the prompt, so that two questions never share their random numbers."""
    text = f"{sampling.seed}:{','.join(map(str, prompt_ids))}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class Row:
    """A request while it is being answered: the tokens so far, and its own random numbers (None decodes greedily)."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.ids: list[int] = []
        self.generator: torch.Generator | None = None
        if request.sampling.temperature > 0:
            import torch

            self.generator = torch.Generator().manual_seed(seed_of(request.sampling, request.prompt_ids))


def next_tokens(logits: torch.Tensor, rows: Sequence[Row | None]) -> list[int]:
    """One token id per row of logits [rows, vocabulary]; the choice does not depend on the other rows."""
    chosen: list[int] = logits.argmax(dim=-1).tolist()
    for place, row in enumerate(rows):
        if row and row.generator:
            wanted = row.request.sampling
            chosen[place] = _draw(logits[place].float().cpu() / wanted.temperature, wanted.top_p, row.generator)
    return chosen


def _draw(logits: torch.Tensor, top_p: float, source: torch.Generator) -> int:
    """A token from softmax(logits), among the fewest likeliest tokens whose probabilities reach top_p."""
    import torch

    probabilities, order = torch.softmax(logits, dim=-1).sort(descending=True)
    if top_p < 1:
        probabilities[probabilities.cumsum(0) - probabilities >= top_p] = 0
    return int(order[torch.multinomial(probabilities, 1, generator=source)])
