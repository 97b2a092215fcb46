"""One engine made of many: workers, each with an engine of its own, and one queue that the driver alone knows.

A worker that has room is handed the next few requests, fewer towards the end; what a busy one has not begun when others
have nothing left is taken back and handed to them. A worker that dies is replaced, and what it had is asked again of
others. Every hand-over has a number of its own, so an answer counts once, and one that comes too late not at all.

Which of its requests killed a worker it is not known, and most deaths are nobody's doing: the first one costs nothing.
Requests that were there at two deaths are asked again in parts, each part by a worker that has nothing else. A request
that was the only one at ALONE deaths is given up: finish_reason "error".

What is not covered: the driver's own death (run again: finished answers are kept), and an engine that hangs in a worker
that lives, unless it is a process of its own (vLLM).
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.data import AdapterRef, Completion, Request
from harness.errors import EngineError, HarnessError, MachineError
from harness.progress import say

ALONE = 3
PARTS = 8
AHEAD = 3
"""Times what a worker computes at once: so much it is handed at most, and more when a third of it is answered. vLLM
takes in twice what it computes, and the rest is for the time that an answer takes to the driver, and the next request
back."""
FRUITLESS = 10
"""Deaths without an answer in between after which the workers are at fault, and not what they are asked."""
LOST = 3
"""Requests that may be given up although nothing has been answered yet. Each one given up counts as an answer, as long
as there are no more of them, beyond these, than answers: a cluster on which all die does not give up everything."""
LONGEST_START = 1800.0
"""Seconds without a single worker after which the driver waits no longer."""

Handed = tuple[int, Request]  # the number of the hand-over


@dataclass(frozen=True)
class Card:
    """What a worker says of its engine, see `Engine`. identity: of the base model, as its files are there."""

    name: str
    version: str
    tokenizer: Any
    max_model_len: int
    max_rank: int
    at_once: int
    constrains: bool
    device: str
    identity: str
    where: str


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its engine."""

    worker: int
    card: Card


@dataclass(frozen=True)
class Answered:
    """Answers of a worker, by the numbers of their hand-over. deaths: of its engine, which it has restarted."""

    worker: int
    answers: Sequence[tuple[int, Completion]]
    deaths: int = 0


@dataclass(frozen=True)
class Returned:
    """What a worker had not begun and has given back: the numbers of the hand-over."""

    worker: int
    numbers: Sequence[int]


@dataclass(frozen=True)
class Gone:
    """A worker is there no more. why: in a sentence. error: what it raised, where it could say so itself."""

    worker: int
    why: str
    error: HarnessError | None = None


Event = Ready | Answered | Returned | Gone


class WorkerGone(Exception):
    """A worker went while it was asked something."""


class Crew(Protocol):
    """Workers somewhere. `Gone` is the last event of a worker; nothing comes of one that was ended.

    One that gives no sign of life any more is `Gone`, too; the pool ends it.
    """

    def start(self) -> int:
        """Begins to start a worker, and returns its number at once; Ready or Gone follows."""
        ...

    def give(self, worker: int, handed: Sequence[Handed]) -> None:
        """Hands requests over; Answered follows, or Gone."""
        ...

    def take_back(self, worker: int, count: int) -> None:
        """Asks for requests that have not been begun, the last ones first; Returned follows."""
        ...

    def forget(self, worker: int, below: int) -> None:
        """What the worker has not begun is wanted no more, of the hand-overs with numbers below this one."""
        ...

    def ask(self, worker: int, what: str, *given: Any) -> Any:
        """A method of the worker's engine, called when it is idle. Raises WorkerGone."""
        ...

    def events(self, seconds: float) -> Sequence[Event]:
        """What has happened; waits so long for something to happen."""
        ...

    def end(self, worker: int) -> None:
        """Ends a worker at once."""
        ...

    def close(self) -> None:
        """Ends all that is left."""
        ...


class Pool:
    """An `Engine` of `size` workers of a crew. It can be used as soon as one is ready; the others join in.

    workers: how many there are to be. deaths: of workers. Raises what a worker raises when it starts its engine.
    """

    def __init__(self, crew: Crew, size: int) -> None:
        self._crew, self.workers = crew, size
        self._card: Card | None = None
        self._under_way: dict[int, dict[int, Request]] = {}
        self._starting = {crew.start() for _ in range(size)}
        self._news: deque[Event] = deque()
        self._todo: deque[Request] = deque()
        self._parts: deque[list[Request]] = deque()
        self._with_part: set[int] = set()
        self._asked_back: set[int] = set()
        self._killed, self._alone = Counter[str](), Counter[str]()
        self._number = self._fruitless = self._failed_starts = self._answered = self._given_up = 0
        self.deaths = self._counted = 0
        try:
            card = self._first()
        except BaseException:
            self.close()
            raise
        self.name, self.version, self.tokenizer = card.name, card.version, card.tokenizer
        self.max_model_len, self.max_rank = card.max_model_len, card.max_rank
        self.at_once = card.at_once * size
        self.constrains, self.device, self.identity = card.constrains, card.device, card.identity

    # --- the protocol ---

    def generate(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Completion]]:
        """See `Engine.generate`."""
        self._todo = deque(requests)
        self._parts.clear()
        self._killed.clear()
        self._alone.clear()
        self._fruitless = self._answered = self._given_up = 0
        try:
            while self._todo or self._parts or any(self._under_way.values()):
                self._hand_out()
                self._even_out()
                self._wait()
                while self._news:
                    yield from self._handled(self._news.popleft())
        finally:
            for worker, mine in self._under_way.items():
                if mine:
                    mine.clear()
                    self._crew.forget(worker, self._number)

    def token_logprobs(
        self, prompt_ids: Sequence[int], continuation_ids: Sequence[int], adapter: AdapterRef | None
    ) -> list[float]:
        """See `Engine.token_logprobs`; one worker is asked."""
        found: list[float] = self._ask("token_logprobs", tuple(prompt_ids), tuple(continuation_ids), adapter)
        return found

    def likeliest(self, prompts: Sequence[Sequence[int]], count: int) -> list[list[tuple[int, float]]]:
        """See `Engine.likeliest`; one worker is asked."""
        found: list[list[tuple[int, float]]] = self._ask("likeliest", [tuple(prompt) for prompt in prompts], count)
        return found

    def take_deaths(self) -> int:
        """How often a worker, or the engine in one, has died since this was last asked."""
        deaths, self._counted = self.deaths - self._counted, self.deaths
        return deaths

    def close(self) -> None:
        """See `Engine.close`."""
        self._under_way.clear()
        self._starting.clear()
        self._crew.close()

    # --- handing out ---

    def _hand_out(self) -> None:
        """Gives every worker that has room something to do."""
        assert self._card is not None
        window, low = AHEAD * self._card.at_once, (AHEAD - 1) * self._card.at_once
        for worker in sorted(self._under_way, key=lambda one: len(self._under_way[one])):
            mine = self._under_way[worker]
            if not mine:
                self._with_part.discard(worker)
            if self._parts and not mine:
                self._with_part.add(worker)
                self._give(worker, self._parts.popleft())
            elif self._todo and worker not in self._with_part and len(mine) <= low:
                share = -(-len(self._todo) // (2 * len(self._under_way)))
                count = min(window - len(mine), share)
                self._give(worker, [self._todo.popleft() for _ in range(count)])

    def _give(self, worker: int, requests: Sequence[Request]) -> None:
        handed = [(self._number + place, request) for place, request in enumerate(requests)]
        self._number += len(handed)
        self._under_way[worker].update(handed)
        self._crew.give(worker, handed)

    def _even_out(self) -> None:
        """Where some have nothing left to do, the busiest are asked for what they have not begun."""
        if self._todo or self._parts:
            return
        assert self._card is not None
        idle = sum(not mine for mine in self._under_way.values())
        busy = sorted(self._under_way, key=lambda one: -len(self._under_way[one]))
        for worker in busy[:idle]:
            spare = len(self._under_way[worker]) - self._card.at_once
            if spare > 0 and worker not in self._asked_back:
                self._asked_back.add(worker)
                self._crew.take_back(worker, -(-spare // 2))

    # --- what happens ---

    def _wait(self) -> None:
        """Until something has happened. Raises EngineError where no worker comes."""
        since = time.monotonic()
        while not self._news:
            self._news.extend(self._crew.events(1.0))
            if not self._under_way and time.monotonic() - since > LONGEST_START:
                raise EngineError(
                    f"no worker could be started within {LONGEST_START:g} seconds. Is there room on the cluster? "
                    "Finished answers are kept."
                )

    def _handled(self, event: Event) -> Iterator[tuple[Request, Completion]]:
        """What an event brings: answers, or the errors of requests that are given up."""
        if isinstance(event, Ready):
            self._starting.discard(event.worker)
            self._failed_starts = 0
            self._welcome(event)
        elif isinstance(event, Answered):
            self.deaths += event.deaths
            mine = self._under_way.get(event.worker, {})
            found = [(mine.pop(number), said) for number, said in event.answers if number in mine]
            if found:
                self._fruitless = 0
                self._answered += len(found)
                self._asked_back.discard(event.worker)
            yield from found
        elif isinstance(event, Returned):
            mine = self._under_way.get(event.worker, {})
            back = [mine.pop(number) for number in event.numbers if number in mine]
            self._todo.extend(back)
            if back:
                self._asked_back.discard(event.worker)
        else:
            yield from self._replaced(event)

    def _welcome(self, event: Ready) -> None:
        """A worker joins, if it would give the same answers as the others."""
        known, new = self._card or event.card, event.card
        for what in ("name", "version", "identity"):
            was, now = getattr(known, what), getattr(new, what)
            if was != now:
                raise HarnessError(
                    f"the workers differ: engine {what} is '{now}' on {new.where} and '{was}' on {known.where}. "
                    "Install the same packages and put the same model on every node."
                )
        self._card = known
        self._under_way[event.worker] = {}

    def _replaced(self, gone: Gone) -> Iterator[tuple[Request, Completion]]:
        """A worker is gone: another one is started, and what it had is asked again or, beyond bad luck, given up."""
        mine = self._under_way.pop(gone.worker, None)
        self._crew.end(gone.worker)
        self._with_part.discard(gone.worker)
        self._asked_back.discard(gone.worker)
        if gone.error is not None and not isinstance(gone.error, MachineError):
            raise gone.error
        if mine is None:
            self._starting.discard(gone.worker)
            self._failed_starts += 1
            if self._failed_starts <= self.workers:
                say(f"a worker could not be started: {gone.why} It is tried again.")
                self._starting.add(self._crew.start())
            elif not self._starting and not self._under_way:
                raise gone.error or EngineError(f"no worker can be started: {gone.why} Finished answers are kept.")
            return
        self.deaths += 1
        self._fruitless += 1
        if self._fruitless > max(FRUITLESS, 2 * self.workers):
            raise EngineError(
                f"workers died {self._fruitless} times without an answer in between, the last time: {gone.why} "
                "Finished answers are kept."
            )
        say(f"{gone.why} Another worker is started; {len(mine)} requests are asked again.")
        self._starting.add(self._crew.start())
        suspects = list(mine.values())
        self._killed.update(request.key for request in suspects)
        if len(suspects) == 1:
            (request,) = suspects
            self._alone[request.key] += 1
            if self._alone[request.key] >= ALONE:
                self._given_up += 1
                if self._given_up <= self._answered + LOST:
                    self._fruitless = 0
                yield request, Completion("", len(request.prompt_ids), finish_reason="error", error=gone.why)
                return
        again = [request for request in suspects if self._killed[request.key] > 1]
        self._todo.extendleft(reversed([request for request in suspects if self._killed[request.key] == 1]))
        size = -(-len(again) // PARTS) or 1
        self._parts.extend(again[first : first + size] for first in range(0, len(again), size))

    # --- questions outside the queue ---

    def _first(self) -> Card:
        """The card of the first worker that is ready."""
        while self._card is None or not self._under_way:
            self._wait()
            while self._news:
                list(self._handled(self._news.popleft()))
        return self._card

    def _ask(self, what: str, *given: Any) -> Any:
        while True:
            self._first()
            worker = next(iter(self._under_way))
            try:
                return self._crew.ask(worker, what, *given)
            except WorkerGone as gone:
                list(self._replaced(Gone(worker, str(gone))))
