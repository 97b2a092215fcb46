"""A batch of sequences on a transformers model: prompts in, next-token logits out, one token per row and step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.engines import kv

if TYPE_CHECKING:
    import torch


class Batch:
    """Left-padded rows and what the model remembers of them.

    prompts: token ids per row, continuing the tokens of `prefix` (a batch of one row) if there is one, which only a
    plain model allows. logits: [rows, positions, vocabulary], of the last `keep` positions, then of each step's newest.
    """

    def __init__(
        self, model: Any, prompts: Sequence[Sequence[int]], keep: int = 1, prefix: Batch | None = None
    ) -> None:
        import torch
        from transformers import DynamicCache

        self.model = model
        config = model.config.get_text_config()
        self.plain = config._attn_implementation == kv.ATTENTION
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=model.device)
        pads = torch.tensor([width - len(prompt) for prompt in prompts], device=model.device)
        places = torch.arange(width, device=model.device)[None] - pads[:, None]
        self.cache: Any = (
            kv.BatchCache(pads, prefix.cache if prefix else None) if self.plain else DynamicCache(config=config)
        )
        self.mask = (places >= 0).long()
        self.positions = places[:, -1:]
        if prefix:
            self.positions = self.positions + prefix.positions + 1
        self.logits = self._forward(ids, places.clamp(min=0) + (self.positions - places[:, -1:]), keep)

    def step(self, tokens: Sequence[int]) -> None:
        """One more token per row."""
        import torch

        self.positions = self.positions + 1
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], dim=1)
        self.logits = self._forward(torch.tensor(tokens, device=self.mask.device)[:, None], self.positions, 1)

    def select(self, rows: Sequence[int]) -> None:
        """Keeps only these rows."""
        import torch

        index = torch.tensor(rows, device=self.mask.device)
        if self.plain:
            self.cache.select(index)
        else:
            self.cache.batch_select_indices(index)
        self.mask, self.positions = self.mask[index], self.positions[index]

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, keep: int) -> torch.Tensor:
        import torch

        more = {} if self.plain else {"attention_mask": self.mask}
        with torch.inference_mode(), kv.reading(self.cache if self.plain else None):
            if self.plain:
                self.cache.extend(ids)
            return self.model(
                input_ids=ids,
                position_ids=positions,
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=keep,
                **more,
            ).logits


def token_logprobs(logits: torch.Tensor, ids: Sequence[int]) -> list[float]:
    """log p of ids[i] under logits[i], in nats; logits [len(ids), vocabulary]."""
    import torch

    chosen = torch.tensor(list(ids), device=logits.device)[:, None]
    logprobs: list[float] = torch.log_softmax(logits.float(), dim=-1).gather(1, chosen)[:, 0].tolist()
    return logprobs
