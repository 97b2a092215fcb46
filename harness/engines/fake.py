"""The engine of the tests: no model, the same answers every time, and troubles on request.

Ships with the package so that a suite's author can try a pipeline in a second: a model whose path is "fake".
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from harness.data import AdapterRef, Completion, Constraint, Model, Request
from harness.engines import stopping
from harness.engines.limits import check_length
from harness.engines.options import engine_options
from harness.engines.sampling import seed_of
from harness.errors import ConfigError, EngineDied, EngineError, EngineOutOfMemory

AnswerOf = Callable[[str, str], "str | Sequence[str]"]
"""(the rendered conversation, the adapter's name or "") -> the answer, or several of which the seed draws one."""

_SPECIAL = ("<|bos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
_SPLIT = re.compile("(" + "|".join(map(re.escape, _SPECIAL)) + ")")
_LAST_TURN = re.compile(r"<\|user\|>((?:(?!<\|user\|>).)*?)<\|end\|><\|assistant\|>\Z", re.DOTALL)


class FakeTokenizer:
    """A token is up to four bytes, or one of the chat marks. Any text survives encode and decode."""

    chat_template = "built in"
    eos_token = "<|end|>"
    eos_token_id = 1

    def apply_chat_template(
        self, messages: Sequence[dict[str, str]], tokenize: bool = False, add_generation_prompt: bool = False
    ) -> str:
        turns = "".join(f"<|{message['role']}|>{message['content']}<|end|>" for message in messages)
        return "<|bos|>" + turns + ("<|assistant|>" if add_generation_prompt else "")

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        ids = []
        for piece in _SPLIT.split(text):
            if piece in _SPECIAL:
                ids.append(_SPECIAL.index(piece))
                continue
            data = piece.encode("utf-8", "surrogatepass")
            ids += [int.from_bytes(b"\x01" + data[place : place + 4], "big") for place in range(0, len(data), 4)]
        return ids

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False, **unused: Any) -> str:
        data = b""
        for token in ids:
            if token >= len(_SPECIAL):
                data += token.to_bytes((token.bit_length() + 7) // 8, "big")[1:]
            elif not skip_special_tokens:
                data += _SPECIAL[token].encode()
        return data.decode("utf-8", "replace")


class FakeEngine:
    """Answers from a function, or from a table of what a question's last turn says.

    model.engine: answers (a .jsonl file of {"prompt", "answer", "adapter"?}; a prompt matches the last user turn it
    equals or, failing that, is part of; the longest wins, and one naming the adapter beats one that does not; of an
    answer that is a list one is drawn),
    default (the answer to everything else), delay (seconds per answer), die_after (answers, then an EngineError),
    batch_size (requests at once, 1), dies_every (answers, then EngineDied), kills (a text: a request that holds it is
    the engine's death), memory (more requests at once are an EngineOutOfMemory), ignore_adapters (true: proof of
    application fails), max_model_len, max_rank.
    """

    name = "fake"
    constrains = True

    def __init__(self, model: Model, adapters: Sequence[AdapterRef] = (), answer: AnswerOf | None = None) -> None:
        options = engine_options(model)
        self.version = "1"
        self.tokenizer = FakeTokenizer()
        self.max_model_len = int(options.get("max_model_len", 1 << 20))
        self.max_rank = int(options.get("max_rank", 512))
        self.delay = float(options.get("delay", 0.0))
        self.die_after = options.get("die_after")
        self.at_once = int(options.get("batch_size") or 1)
        self.dies_every = int(options.get("dies_every") or 0)
        self.kills = str(options.get("kills") or "")
        self.memory = int(options.get("memory") or 0)
        self.ignore_adapters = bool(options.get("ignore_adapters", False))
        table = _table(model.name, options["answers"]) if options.get("answers") else {}
        self.answer = answer or _from_table(table, str(options.get("default", "I do not know.")))
        self.closed = False
        self._given = 0

    def generate(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Completion]]:
        """See `Engine.generate`; here in the order asked."""
        for request in self._taken(requests):
            if self.closed:
                raise EngineError("the engine is closed. Open it again.")
            if self.dies_every and self._given >= self.dies_every:
                raise EngineDied(f"The fake engine died after {self._given} answers, as it was told to.")
            if self.die_after is not None and self._given >= int(self.die_after):
                raise EngineError(f"the fake engine died after {self._given} answers, as it was told to.")
            start = time.perf_counter()
            if self.delay:
                time.sleep(self.delay)
            completion = self._complete(request, start)
            self._given += 1
            yield request, completion

    def token_logprobs(
        self, prompt_ids: Sequence[int], continuation_ids: Sequence[int], adapter: AdapterRef | None
    ) -> list[float]:
        """Made-up numbers in -4..0 that depend on the tokens and on the adapter."""
        who = adapter.digest if adapter and not self.ignore_adapters else ""
        told = [
            f"{who}:{list(prompt_ids)}:{list(continuation_ids[: place + 1])}" for place in range(len(continuation_ids))
        ]
        return [-4 * hashlib.sha256(text.encode()).digest()[0] / 255 for text in told]

    def likeliest(self, prompts: Sequence[Sequence[int]], count: int) -> list[list[tuple[int, float]]]:
        """Made-up numbers, those of a request with as many choices."""
        return [[(token, -3.0 - token) for token in range(count)] for _ in prompts]

    def close(self) -> None:
        self.closed = True

    def _taken(self, requests: Iterable[Request]) -> Iterator[Request]:
        """The requests, taken in as many at once as there may be, with the troubles that this makes."""
        todo = iter(requests)
        while batch := list(islice(todo, self.at_once)):
            for request in batch:
                check_length(request, self.max_model_len)
            if self.memory and len(batch) > self.memory:
                raise EngineOutOfMemory(f"The fake engine ran out of memory with {len(batch)} requests.")
            if self.kills and any(self.kills in self.tokenizer.decode(one.prompt_ids) for one in batch):
                raise EngineDied("The fake engine was killed by a request.")
            yield from batch

    def _drawn(self, request: Request) -> int:
        return seed_of(request.sampling, request.prompt_ids) if request.sampling.temperature else 0

    def _complete(self, request: Request, start: float) -> Completion:
        said = self.answer(self.tokenizer.decode(request.prompt_ids), request.adapter.name if request.adapter else "")
        text = said if isinstance(said, str) else said[self._drawn(request) % len(said)]
        prompt = len(request.prompt_ids)
        if request.choices:
            logprobs = tuple(
                -0.1 if choice == text else -3.0 - place for place, choice in enumerate(request.choice_texts)
            )
            best = logprobs.index(max(logprobs))
            tokens = len(request.choices[best])
            return Completion(
                request.choice_texts[best], prompt, tokens, "choice", time.perf_counter() - start, logprobs
            )
        if request.sampling.constraint:
            text = _held(text, request.sampling.constraint)
        shortened = stopping.cut(text, request.sampling.stop)
        ids = self.tokenizer.encode(text if shortened is None else shortened)
        reason = "stop"
        if len(ids) > request.sampling.max_tokens:
            ids, reason = ids[: request.sampling.max_tokens], "length"
        return Completion(self.tokenizer.decode(ids), prompt, len(ids), reason, time.perf_counter() - start)


def _held(text: str, constraint: Constraint) -> str:
    """The first part of the text that may be written; as it is where there is none."""
    if constraint.kind == "json":
        return text[text.find("{") : text.rfind("}") + 1] or text
    choices = [constraint.value] if constraint.kind == "regex" else map(re.escape, json.loads(constraint.value))
    found = re.search("|".join(choices), text)
    return found[0] if found else text


Table = dict[tuple[str, str], "str | Sequence[str]"]


def _table(model: str, path: str) -> Table:
    """(adapter's name or "", prompt) -> answer."""
    file = Path(path)
    if not file.is_file():
        raise ConfigError(
            f"models.{model}.engine.answers: no such file: {path}. Give a .jsonl file of prompts and answers."
        )
    table = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            table[row.get("adapter") or "", row["prompt"]] = row["answer"]
        except (ValueError, KeyError, AttributeError):
            raise ConfigError(
                f'{path}: line {number}: not {{"prompt": ..., "answer": ...}}. Correct the line.'
            ) from None
    return table


def _from_table(table: Table, default: str) -> AnswerOf:
    longest_first = sorted(table, key=lambda key: -len(key[1]))

    def answer(conversation: str, adapter: str) -> str | Sequence[str]:
        found = _LAST_TURN.search(conversation)
        question = found[1] if found else conversation
        for who in dict.fromkeys((adapter, "")):
            if (who, question) in table:
                return table[who, question]
            for key in longest_first:
                if key[0] == who and key[1] in question:
                    return table[key]
        return default

    return answer
