"""Answers of any server that speaks OpenAI's chat protocol (`vllm serve`, hosted models), by the official client.

The server renders the conversation and counts the tokens. A request that fails is asked again, later each time; one
that fails for good is a completion with finish_reason "error", and the others go on. What no other request would
survive (no server, a refused key, an unknown model, a used-up account) ends the run in one line.
"""

from __future__ import annotations

import json
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from harness import endpoint
from harness.data import AdapterRef, Completion, Message, Model, Request
from harness.digests import text_digest
from harness.engines import replies, stopping
from harness.engines.options import engine_options
from harness.engines.replies import Reply
from harness.errors import ConfigError, EngineError, HarnessError, did_you_mean
from harness.progress import say

OPTIONAL = ("temperature", "top_p", "seed", "stop")
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_WISH = 0.5, 30.0, 300.0
FAILURES_IN_A_ROW, GRACE = 8, 5.0
TRANSIENT = (408, 409, 425, 429)
TOP_LOGPROBS = 20
Answer = tuple[Request, "Completion | BaseException"]
Work = queue.SimpleQueue["Request | None"]
Done = queue.SimpleQueue[Answer]
Seat = Callable[[Work, Done, threading.Event], None]


class Failed(Exception):
    """A request failed for good, and others may not."""


class Refused(Failed):
    """The server does not take this very request (a 4xx)."""


class Exhausted(Failed):
    """It was asked as often as it may be; another server might have answered."""


class OpenAIEngine:
    """model.engine may hold concurrency (requests under way, 8), timeout (seconds, 300), retries (6),
    requests_per_minute (no limit), leave_out (of temperature, top_p, seed, stop: what the server does not take).

    Multiple choice: the log-probabilities of the first token where the server gives them and the likeliest one that
    begins a choice begins only one; a choice outside the 20 likeliest has the last one's, an upper bound. Else the
    choices are listed in the question and the reply is read; one that is no choice stands as it is.
    Raises ConfigError (address, key, options, unknown model), EngineError (no server, account used up).
    Constraints: a JSON Schema as `response_format`; choices and regular expressions as vLLM's `structured_outputs`.
    What is not covered: adapters, drift and likelihoods of whole texts; whether the server obeys seed and temperature.
    """

    name = "openai"
    version = "1"
    device = "endpoint"
    tokenizer = None
    max_model_len = 1 << 40
    max_rank = 0
    constrains = True

    def __init__(self, model: Model, call: bool = True) -> None:
        """call: whether the server has to be there already."""
        try:
            import openai
        except ImportError:
            raise HarnessError("the openai client is not installed. Install it with: pip install '.[openai]'") from None
        self.model = model
        self.host = endpoint.shown(model)
        assert model.endpoint is not None
        self.at_once = model.endpoint.concurrency or int(_number(model, "concurrency", 8, 1, 1000))
        self.retries = int(_number(model, "retries", 6, 0, 100))
        per_minute = _number(model, "requests_per_minute", 0, 0, 1e6)
        self.interval = 60 / per_minute if per_minute else 0.0
        self.leave_out = _leave_out(model)
        self._key = endpoint.key(model)
        self._openai = openai
        self.client: Any = openai.OpenAI(
            base_url=endpoint.url(model),
            api_key=self._key or "none",
            timeout=_number(model, "timeout", 300, 0.01, 86_400),
            max_retries=0,
        )
        self._limit = "max_tokens"
        self._logprobs = True
        self._turn = threading.Lock()
        self._next = 0.0  # nobody asks before this moment: the pace, and what the server wished for
        self._used: Counter[str] = Counter()
        if call:
            self.offered()

    # --- the protocol ---

    def generate(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Completion]]:
        """See `Engine.generate`. Leaving early, by an error or Ctrl-C, waits for no answer."""
        todo = iter(requests)
        work: Work = queue.SimpleQueue()
        done: Done = queue.SimpleQueue()
        stop = threading.Event()
        for seat in self._seats():
            threading.Thread(target=seat, args=(work, done, stop), daemon=True).start()
        flying, in_a_row, reasons, answers = 0, 0, Counter[str](), False
        try:
            while True:
                while flying < self.at_once and (request := next(todo, None)):
                    work.put(request)
                    flying += 1
                if not flying:
                    return
                request, found = done.get()
                flying -= 1
                if isinstance(found, Failed):
                    reasons[str(found)] += 1
                    in_a_row += not (answers and isinstance(found, Refused))
                    yield request, Completion("", finish_reason="error", error=str(found))
                    if in_a_row >= FAILURES_IN_A_ROW and isinstance(found, Refused) and self._answers(request, stop):
                        in_a_row, answers = 0, True
                    if in_a_row >= FAILURES_IN_A_ROW:
                        raise EngineError(
                            f"{self.host}: {in_a_row} requests in a row failed, the last one: {found} "
                            "Run again: finished answers are kept."
                        )
                elif isinstance(found, Completion):
                    in_a_row, answers = 0, True
                    yield request, self._count(found)
                else:
                    stop.set()
                    yield from self._finished(done, flying)
                    raise found
        finally:
            stop.set()
            for _ in range(self.at_once):
                work.put(None)
            for reason, times in reasons.most_common(3):
                say(f"{self.host}: {times} requests failed for good and count as missing: {reason}")

    def token_logprobs(
        self, prompt_ids: Sequence[int], continuation_ids: Sequence[int], adapter: AdapterRef | None
    ) -> list[float]:
        """Not to be had of an endpoint."""
        raise HarnessError(
            f"{self.host}: an endpoint gives no log-probabilities of texts. Use a model on this machine."
        )

    def likeliest(self, prompts: Sequence[Sequence[int]], count: int) -> list[list[tuple[int, float]]]:
        """Not to be had of an endpoint."""
        raise HarnessError(f"{self.host}: an endpoint takes no token ids. Use a model on this machine.")

    def take_usage(self) -> dict[str, int]:
        """Answers and the tokens that the server counted for them, since this was last asked."""
        used, self._used = self._used, Counter()
        return {name: used[name] for name in ("requests", "prompt_tokens", "completion_tokens")}

    def close(self) -> None:
        """Closes the connections."""
        self.client.close()

    def _finished(self, done: Done, flying: int) -> Iterator[tuple[Request, Completion]]:
        """Answers that are under way when the run has to end, and come soon: they are paid for."""
        until = time.monotonic() + GRACE
        for _ in range(flying):
            try:
                request, found = done.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return
            if isinstance(found, Completion):
                yield request, self._count(found)

    def _count(self, completion: Completion) -> Completion:
        self._used.update(
            requests=1, prompt_tokens=completion.prompt_tokens, completion_tokens=completion.completion_tokens
        )
        return completion

    # --- one request ---

    def _seats(self) -> Sequence[Seat]:
        """What works on the queue side by side."""
        return [self._work] * self.at_once

    def _work(self, work: Work, done: Done, stop: threading.Event) -> None:
        while request := work.get():
            try:
                done.put((request, self.answer(request, stop)))
            except BaseException as error:
                done.put((request, error))  # whoever waits for the answer gets it

    def answer(self, request: Request, stop: threading.Event) -> Completion:
        """The answer to one request, waited for. Raises Failed, ConfigError, EngineError."""
        return self._choose(request, stop) if request.choice_texts else self._write(request, stop)

    def _answers(self, refused: Request, stop: threading.Event) -> bool:
        """Whether a plain question is answered, decoded like one that was refused: then it was refused for itself."""
        plain = replace(refused, messages=({"role": "user", "content": "Say yes."},), choice_texts=())
        try:
            self._count(self.answer(plain, stop))
        except Failed:
            return False
        return True

    def _write(self, request: Request, stop: threading.Event) -> Completion:
        wanted = request.sampling
        more: dict[str, Any] = {"temperature": wanted.temperature}
        if wanted.temperature:
            more |= {"top_p": wanted.top_p, "seed": int(text_digest(wanted.seed, request.messages), 16) >> 1}
        if wanted.stop:
            more["stop"] = list(wanted.stop)
        if wanted.constraint:
            more |= replies.constrained(wanted.constraint)
        reply, seconds = self._ask(request.messages, wanted.max_tokens, more, stop)
        shortened = stopping.cut(reply.text, wanted.stop)
        text = reply.text if shortened is None else shortened
        return Completion(
            text, reply.prompt_tokens, reply.completion_tokens, reply.finish_reason, seconds,
            reasoning=reply.reasoning, reasoning_tokens=reply.reasoning_tokens,
        )  # fmt: skip

    def _choose(self, request: Request, stop: threading.Event) -> Completion:
        choices, greedy = request.choice_texts, {"temperature": 0.0}
        used, waited = (0, 0), 0.0
        if self._logprobs:
            more = {**greedy, "logprobs": True, "top_logprobs": TOP_LOGPROBS}
            reply, waited = self._ask(request.messages, 1, more, stop)
            found = replies.of_first_token(choices, reply.first_tokens)
            if found:
                best = choices[found.index(max(found))]
                return Completion(best, reply.prompt_tokens, reply.completion_tokens, "choice", waited, found)
            self._logprobs = self._logprobs and bool(reply.first_tokens)
            used = reply.prompt_tokens, reply.completion_tokens
        room = max(16, max(len(choice.encode()) for choice in choices) + 8)  # a token is a byte at least
        reply, seconds = self._ask(replies.listed(request.messages, choices), room, greedy, stop)
        text = replies.chosen_in(reply.text, choices)
        prompt, completion = used[0] + reply.prompt_tokens, used[1] + reply.completion_tokens
        return Completion(text, prompt, completion, "choice", waited + seconds)

    def _ask(
        self, messages: Sequence[Message], max_tokens: int, more: Mapping[str, Any], stop: threading.Event
    ) -> tuple[Reply, float]:
        """The reply, and the seconds of the attempt that brought it. Raises Failed, ConfigError, EngineError."""
        turns = [{"role": turn["role"], "content": replies.sendable(turn["content"])} for turn in messages]
        kept = {name: value for name, value in more.items() if name not in self.leave_out}
        for attempt in count():
            self._wait(stop)
            limit, logprobs = self._limit, self._logprobs
            sent = {name: value for name, value in kept.items() if logprobs or "logprobs" not in name}
            start = time.perf_counter()
            try:
                raw = self.client.chat.completions.with_raw_response.create(
                    model=self.model.path, messages=turns, **{limit: max_tokens}, **sent
                )
                return replies.read(json.loads(raw.http_response.content)), time.perf_counter() - start
            except (self._openai.OpenAIError, ValueError) as error:
                if self._adapted(error, limit, logprobs):
                    continue
                problem, wish = self._again(error, last=attempt >= self.retries)
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt) * random.uniform(0.5, 1)
            if wish:  # a wish is everybody's: the limit is the key's, not the request's
                with self._turn:
                    self._next = max(self._next, time.monotonic() + wish)
                pause *= 0.2
            if stop.wait(pause):
                raise Failed(problem)
        raise AssertionError

    def _wait(self, stop: threading.Event) -> None:
        """Until it is this request's turn. Raises Failed when nobody wants it any more."""
        while not stop.is_set():
            with self._turn:
                now = time.monotonic()
                if now >= self._next:
                    self._next = now + self.interval
                    return
                left = self._next - now
            stop.wait(left)
        raise Failed("broken off.")

    # --- what goes wrong ---

    def _adapted(self, error: Exception, limit: str, logprobs: bool) -> bool:
        """Whether a refused parameter is now asked for in the other way there is."""
        if getattr(error, "status_code", None) not in (400, 422):
            return False
        said = f"{getattr(error, 'param', '')} {error}"
        if logprobs and "logprobs" in said:
            self._logprobs = False
        elif limit == "max_tokens" and "max_completion_tokens" in said:
            self._limit = "max_completion_tokens"
        else:
            return False
        return True

    def _again(self, error: Exception, last: bool) -> tuple[str, float]:
        """(what is wrong, the seconds that the server wants us to wait) if asking again may help; raises otherwise."""
        problem, status = self._said(error), getattr(error, "status_code", None)
        self._stop_for(error)
        wish = replies.wished(error.response.headers) if status is not None else 0.0  # type: ignore[attr-defined]
        if wish > LONGEST_WISH:
            raise EngineError(
                f"{self.host}: asks to wait {wish:.0f} seconds ({problem}) Run again then: finished answers are kept."
            ) from None
        if status is not None and status < 500 and status not in TRANSIENT:
            raise Refused(problem) from None
        if last:
            if isinstance(error, self._openai.APIConnectionError):
                self.offered()
            raise Exhausted(problem) from None
        return problem, wish

    def _stop_for(self, error: Exception) -> None:
        """Raises where no other request would fare better."""
        status, code = getattr(error, "status_code", None), getattr(error, "code", None)
        where, name = f"models.{self.model.name}", endpoint.key_name(self.model)
        if status in (401, 403):
            what = f"refuses the key in {name}" if self._key else f"wants a key, and {name} is not set"
            raise ConfigError(f"{where}: {self.host} {what} ({self._said(error)}) Set {name} to a valid key.") from None
        if status == 402 or code == "insufficient_quota":
            raise EngineError(
                f"{where}: the account at {self.host} is used up ({self._said(error)}) Run again when it is not: "
                "finished answers are kept."
            ) from None
        if status == 404 or code == "model_not_found":
            offered = self.offered()
            if not offered:
                raise ConfigError(
                    f"{where}: nothing at {self.host} answers chats ({self._said(error)}) Check the address; most end "
                    "in /v1."
                ) from None
            if self.model.path not in offered:
                names = ", ".join(offered[:20]) + (", ..." if len(offered) > 20 else "")
                hint = did_you_mean(self.model.path, offered)
                raise ConfigError(
                    f"{where}.name: {self.host} has no model '{self.model.path}'."
                    f"{hint if 'Did' in hint else ''} It offers: {names}"
                ) from None

    def offered(self) -> list[str]:
        """The models that the server lists, [] where it lists none. Raises where there is no server or no entry."""
        try:
            raw = self.client.models.with_raw_response.list(timeout=30)
            return replies.names(json.loads(raw.http_response.content))
        except self._openai.APIConnectionError as error:
            raise EngineError(
                f"models.{self.model.name}: no answer from {self.host} ({self._said(error)}) Is the server running, "
                "and the address right? Finished answers are kept."
            ) from None
        except self._openai.APIStatusError as error:
            if error.status_code in (401, 403):
                self._stop_for(error)
            return []
        except ValueError:
            return []

    def _said(self, error: Exception) -> str:
        """What went wrong, in one short line that ends in a full stop, without the key."""
        if getattr(error, "status_code", None) is not None:
            text = f"{error.status_code}: {replies.message(error.body)}"  # type: ignore[attr-defined]
        elif isinstance(error, self._openai.APITimeoutError):
            text = "no answer in time"
        elif isinstance(error, self._openai.APIConnectionError):
            text = str(error.__cause__ or error)
        elif isinstance(error, ValueError):
            text = f"malformed reply: {error}"
        else:
            text = f"{type(error).__name__}: {error}"
        return replies.one_sentence(text.replace(self._key, "***") if self._key else text)


def _number(model: Model, key: str, default: float, low: float, high: float) -> float:
    value = engine_options(model).get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigError(f"models.{model.name}.engine.{key}: must be a number between {low:g} and {high:g}.")
    return value


def _leave_out(model: Model) -> tuple[str, ...]:
    given = engine_options(model).get("leave_out") or []
    if not isinstance(given, list) or any(name not in OPTIONAL for name in given):
        raise ConfigError(f"models.{model.name}.engine.leave_out: must be a list of {', '.join(OPTIONAL)}.")
    return tuple(given)
