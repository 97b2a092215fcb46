"""An engine that is started again when it dies. What it had answered is kept, what it had left is asked again.

Which of the requests under way killed it is not known: they are asked again in parts, and a part that kills it again
in smaller ones. A request that kills the engine ALONE times by itself is given up: finish_reason "error". An engine
that runs out of memory gets fewer requests at once.

What is not covered: a death that takes this process along, as of the transformers engine, which lives in it; a hung
engine is noticed where it is a process of its own (vLLM: `hang_after` seconds without a sign of life).
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TypeVar

from harness.data import AdapterRef, Completion, Request
from harness.engines import Engine
from harness.errors import EngineDied, EngineError, EngineOutOfMemory
from harness.progress import say

ALONE = 2
PARTS = 8
FRUITLESS = 10
"""Deaths in a row without an answer in between after which nothing is tried any more."""
PAUSE = 5.0
"""Seconds to wait before a start that failed is tried once more: a GPU's memory is not free at once."""
T = TypeVar("T")


class Supervised:
    """An `Engine` made by `start`, and made anew by it. deaths: how many there were. Raises what `start` raises."""

    def __init__(self, start: Callable[[], Engine]) -> None:
        self._start = start
        self._engine: Engine | None = start()
        self.name, self.version = self._engine.name, self._engine.version
        self.tokenizer, self.max_model_len = self._engine.tokenizer, self._engine.max_model_len
        self.max_rank, self.at_once = self._engine.max_rank, self._engine.at_once
        self.constrains = self._engine.constrains
        self.device = str(getattr(self._engine, "device", "cpu"))
        self.deaths = self._counted = 0

    def generate(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Completion]]:
        """See `Engine.generate`."""
        groups: deque[Iterator[Request]] = deque([iter(requests)])
        alone = Counter[str]()
        fruitless, since = 0, 0
        while groups:
            under_way: dict[str, Request] = {}
            try:
                with closing(_closable(self.engine.generate(_noted(groups[0], under_way)))) as answers:
                    for request, completion in answers:
                        del under_way[request.key]
                        fruitless, since = 0, since + 1
                        yield request, completion
                groups.popleft()
                continue
            except EngineDied as death:
                why, memory = str(death), isinstance(death, EngineOutOfMemory)
            suspects, fruitless = list(under_way.values()), fruitless + 1
            if fruitless > FRUITLESS:
                raise EngineError(
                    f"the engine died {fruitless} times without an answer in between, the last time: {why} Finished "
                    "answers are kept."
                )
            if memory or (self.deaths and since < 2 * self.at_once <= 4 * len(suspects)):
                self.at_once = max(1, min(self.at_once, len(suspects)) // 2)
            given_up = suspects[:1] if self._kills(suspects, alone) else []
            said = f"{self.at_once} at once" if memory else f"{len(suspects)} requests were under way"
            say(f"{why} It is started again; {said}.")
            since = 0
            self._restart()
            if given_up:
                yield suspects[0], Completion("", len(suspects[0].prompt_ids), finish_reason="error", error=why)
            else:
                groups.extendleft(reversed(_parts(suspects)))

    def token_logprobs(
        self, prompt_ids: Sequence[int], continuation_ids: Sequence[int], adapter: AdapterRef | None
    ) -> list[float]:
        """See `Engine.token_logprobs`."""
        return self._once_more(lambda engine: engine.token_logprobs(prompt_ids, continuation_ids, adapter))

    def likeliest(self, prompts: Sequence[Sequence[int]], count: int) -> list[list[tuple[int, float]]]:
        """See `Engine.likeliest`."""
        return self._once_more(lambda engine: engine.likeliest(prompts, count))

    def take_deaths(self) -> int:
        """How often the engine has died since this was last asked."""
        deaths, self._counted = self.deaths - self._counted, self.deaths
        return deaths

    def close(self) -> None:
        """See `Engine.close`."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    @property
    def engine(self) -> Engine:
        """The engine that is running, with as many requests at once as it has been found to stand."""
        if self._engine is None:
            raise EngineError("the engine is closed. Open it again.")
        self._engine.at_once = self.at_once
        return self._engine

    def _restart(self) -> None:
        self.deaths += 1
        self.close()
        try:
            self._engine = self._start()
        except EngineError as problem:
            say(f"{problem} Trying once more in {PAUSE:g} seconds.")
            time.sleep(PAUSE)
            self._engine = self._start()

    def _once_more(self, ask: Callable[[Engine], T]) -> T:
        try:
            return ask(self.engine)
        except EngineDied as death:
            say(f"{death} It is started again.")
        self._restart()
        return ask(self.engine)

    @staticmethod
    def _kills(suspects: Sequence[Request], alone: Counter[str]) -> bool:
        """Whether the death is this one request's doing, beyond bad luck."""
        if len(suspects) != 1:
            return False
        alone[suspects[0].key] += 1
        return alone[suspects[0].key] >= ALONE


def _noted(requests: Iterator[Request], under_way: dict[str, Request]) -> Iterator[Request]:
    for request in requests:
        under_way[request.key] = request
        yield request


def _closable(answers: Iterator[T]) -> Generator[T, None, None]:
    """A generator over any iterator, which can be closed."""
    yield from answers


def _parts(requests: Sequence[Request]) -> list[Iterator[Request]]:
    """The requests in at most PARTS parts."""
    size = -(-len(requests) // PARTS) or 1
    return [iter(requests[first : first + size]) for first in range(0, len(requests), size)]
