"""Engines answer requests. `open_engine` picks one: vLLM where CUDA and vLLM are there, else transformers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from harness.data import AdapterRef, Completion, Request


class Engine(Protocol):
    """One base model and every adapter on it.

    name and version go into the identity of each answer. tokenizer is the transformers tokenizer used for rendering.
    max_model_len: tokens of prompt and answer together. max_rank: the largest adapter rank served.
    """

    name: str
    version: str
    tokenizer: Any
    max_model_len: int
    max_rank: int

    def generate(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Completion]]:
        """Answers in the order they finish, each as soon as it is there. Adapters may be mixed freely."""
        ...

    def token_logprobs(
        self, prompt_ids: Sequence[int], continuation_ids: Sequence[int], adapter: AdapterRef | None
    ) -> list[float]:
        """log p(continuation[i] | prompt, continuation[:i]) in nats: the probe behind "the adapter is applied"."""
        ...

    def close(self) -> None:
        """Shut down: no process, no shared memory left behind."""
        ...
