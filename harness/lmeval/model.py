"""An engine as a model of lm-eval: hand it to `lm_eval.simple_evaluate(model=...)` and its evaluator does the rest.

A suite with `lm_eval` does not need it: there all arms' requests go into one queue, and scores are paired and kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from harness import prompt
from harness.data import AdapterRef, Completion, Request, Sampling
from harness.digests import sampling_parts, text_digest
from harness.engines import Engine
from harness.engines.stopping import decode
from harness.lmeval.documents import sampling_of

Pair = tuple[tuple[int, ...], tuple[int, ...]]  # token ids of a context and of what follows it


def language_model(engine: Engine, adapter: AdapterRef | None = None) -> Any:
    """An `lm_eval.api.model.LM` over an open engine, with one of its adapters or none.

    Several share the engine. What is not covered: prompts beyond the context are errors, never shortened.
    """
    from lm_eval.api.model import LM

    class EngineModel(LM):  # type: ignore[misc]
        tokenizer_name = str(getattr(engine.tokenizer, "name_or_path", engine.name))

        def loglikelihood(self, requests: Sequence[Any], **unused: Any) -> list[tuple[float, bool]]:
            found = loglikelihoods(engine, adapter, [request.args for request in requests])
            return self._cached("loglikelihood", requests, found)

        def loglikelihood_rolling(self, requests: Sequence[Any], **unused: Any) -> list[float]:
            found = [rolling(engine, adapter, request.args[0]) for request in requests]
            return self._cached("loglikelihood_rolling", requests, found)

        def generate_until(self, requests: Sequence[Any], **unused: Any) -> list[str]:
            asked = [
                (prompt.encode_text(engine.tokenizer, request.args[0]), sampling_of(request.args[1], request.task_name))
                for request in requests
            ]
            answers = [completion.text for completion in _ask(engine, adapter, asked)]
            return self._cached("generate_until", requests, answers)

        def apply_chat_template(self, turns: Sequence[dict[str, str]], add_generation_prompt: bool = True) -> str:
            text = prompt.chat_text(engine.tokenizer, turns, add_generation_prompt)
            last = turns[-1]["content"]  # without a generation prompt it is gone on with, its turn not closed
            return text if add_generation_prompt else text[: text.rindex(last) + len(last)]

        def chat_template(self, chat_template: bool | str = False) -> str:
            return str(getattr(engine.tokenizer, "chat_template", "") or "")

        def _cached(self, kind: str, requests: Sequence[Any], found: list[Any]) -> list[Any]:
            for request, answer in zip(requests, found, strict=True):
                self.cache_hook.add_partial(kind, request.args, answer)
            return found

    return EngineModel()


def loglikelihoods(
    engine: Engine, adapter: AdapterRef | None, texts: Sequence[tuple[str, str]]
) -> list[tuple[float, bool]]:
    """(log p in nats, is it what greedy decoding writes?) of each (context, continuation).

    Continuations of one context are the choices of one request. Greedy: the answer of as many tokens has the same text.
    """
    pairs = [prompt.continued(engine.tokenizer, context, continuation) for context, continuation in texts]
    groups: dict[tuple[int, ...], list[tuple[int, ...]]] = defaultdict(list)
    for context, continuation in dict.fromkeys(pairs):
        groups[context].append(continuation)
    choices = [
        Request(f"{number}", context, Sampling(), adapter, tuple(group), tuple(map(str, range(len(group)))))
        for number, (context, group) in enumerate(groups.items())
    ]
    logprobs: dict[Pair, float] = {}
    for request, completion in engine.generate(choices):
        assert completion.choice_logprobs is not None
        for continuation, value in zip(request.choices, completion.choice_logprobs, strict=True):
            logprobs[request.prompt_ids, continuation] = value
    lengths = list(dict.fromkeys((context, len(continuation)) for context, continuation in logprobs))
    written = _ask(engine, adapter, [(context, Sampling(max_tokens=length)) for context, length in lengths])
    texts_of = {place: completion.text for place, completion in zip(lengths, written, strict=True)}
    return [(logprobs[pair], texts_of[pair[0], len(pair[1])] == decode(engine.tokenizer, pair[1])) for pair in pairs]


def rolling(engine: Engine, adapter: AdapterRef | None, text: str) -> float:
    """log p of a whole text, in nats: disjoint windows of the model's context, each after the token before it."""
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    ids = list(prompt.encode_text(engine.tokenizer, text))
    windows = get_rolling_token_windows(ids, prompt.prefix_token(engine.tokenizer), engine.max_model_len - 1, 1)
    pairs = map(make_disjoint_window, windows)
    return sum(sum(engine.token_logprobs(context, following, adapter)) for context, following in pairs)


def _ask(
    engine: Engine, adapter: AdapterRef | None, asked: Sequence[tuple[tuple[int, ...], Sampling]]
) -> list[Completion]:
    """The answers, in the order asked; the same question is asked once."""
    keys = [text_digest(ids, sampling_parts(sampling)) for ids, sampling in asked]
    requests = {key: Request(key, ids, sampling, adapter) for key, (ids, sampling) in zip(keys, asked, strict=True)}
    answers = {request.key: completion for request, completion in engine.generate(requests.values())}
    return [answers[key] for key in keys]
