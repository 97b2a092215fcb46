"""A worker of a pool: an engine that is started again when it dies, with an inbox and an outbox, in any process."""

from __future__ import annotations

import platform
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from harness import __version__
from harness.data import AdapterRef, Completion, Model, Request
from harness.digests import adapter_digest, fake_identity, identity
from harness.engines import applied, open_engine
from harness.engines.pool import Card, Handed
from harness.engines.supervised import Supervised
from harness.errors import AdapterError, HarnessError

Taken = tuple[list[tuple[int, Completion]], int]  # answers by number, deaths of the engine


class Worker:
    """Every method may be called from a thread of its own. harness: the driver's version.

    model: located (`digests.located`), as this machine sees it.
    """

    def __init__(self, model: Model, adapters: Sequence[AdapterRef], engine: str | None, harness: str) -> None:
        self._model, self._adapters, self._name, self._harness = model, tuple(adapters), engine, harness
        self._engine: Supervised | None = None
        self._inbox: deque[Handed] = deque()
        self._outbox: list[tuple[int, Completion]] = []
        self._numbers: dict[str, int] = {}
        self._news = threading.Condition()
        self._idle = threading.Lock()
        self._error: BaseException | None = None

    def start(self) -> Card | HarnessError:
        """Loads the engine, and proves every adapter on it."""
        where = platform.node()
        try:
            if __version__ != self._harness:
                raise HarnessError(
                    f"{where} has harness {__version__}, and the driver {self._harness}. Install the same "
                    "on every node."
                )
            for ref in self._adapters:
                self._same(ref, where)
            own = fake_identity(self._model) if self._name == "fake" else identity(self._model)
            engine = Supervised(lambda: open_engine(self._model, self._adapters, self._name))
            for ref in self._adapters:
                if 0.0 in applied(engine, ref):
                    raise AdapterError(
                        f"adapter '{ref.name}': the engine answers as if it were not there. Train it again, or check "
                        "its path."
                    )
        except HarnessError as error:
            return error
        self._engine = engine
        threading.Thread(target=self._work, daemon=True).start()
        return Card(
            engine.name, engine.version, engine.tokenizer, engine.max_model_len, engine.max_rank, engine.at_once,
            engine.constrains, engine.device, own, where,
        )  # fmt: skip

    def give(self, handed: Sequence[Handed]) -> None:
        """Takes requests in."""
        with self._news:
            self._inbox.extend(handed)
            self._news.notify_all()

    def take(self, seconds: float | None = None) -> Taken | HarnessError:
        """Answers, as soon as there are any, or what the engine raised. Other errors are raised.

        After so many seconds without an answer it returns none: a sign that this process lives.
        """
        with self._news:
            self._news.wait_for(lambda: self._outbox or self._error, seconds)
            if self._outbox or not self._error:
                found, self._outbox = self._outbox, []
                return found, self._engine.take_deaths() if self._engine else 0
        if isinstance(self._error, HarnessError):
            return self._error
        raise self._error

    def take_back(self, count: int) -> list[int]:
        """Numbers of requests that have not been begun, at most so many, the last ones; they are not answered then."""
        with self._news:
            return [self._inbox.pop()[0] for _ in range(min(count, len(self._inbox)))][::-1]

    def forget(self, below: int) -> None:
        """What has not been begun is wanted no more; later hand-overs, which may have overtaken this call, stay."""
        with self._news:
            self._inbox = deque(one for one in self._inbox if one[0] >= below)

    def ask(self, what: str, *given: Any) -> Any:
        """A method of the engine."""
        with self._idle:
            return getattr(self._engine, what)(*given)

    def close(self) -> None:
        """Ends the engine's processes."""
        if self._engine is not None:
            self._engine.close()

    def _same(self, ref: AdapterRef, where: str) -> None:
        """Raises AdapterError where the adapter here is not the one that the driver sees."""
        try:
            same = adapter_digest(ref.path) == ref.digest
        except AdapterError:
            same = False
        if not same:
            raise AdapterError(
                f"adapter '{ref.name}': {ref.path} on {where} does not hold it. Put it on a file system that every "
                "node sees at the same path."
            )

    def _work(self) -> None:
        """Answers whatever is in the inbox, for ever."""
        assert self._engine is not None
        try:
            while True:
                with self._news:
                    self._news.wait_for(lambda: self._inbox)
                with self._idle:
                    for request, completion in self._engine.generate(self._fed()):
                        with self._news:
                            self._outbox.append((self._numbers[request.key], completion))
                            self._news.notify_all()
        except BaseException as error:  # whoever takes the answers gets it
            with self._news:
                self._error = error
                self._news.notify_all()

    def _fed(self) -> Iterator[Request]:
        """The inbox, one by one, until it is empty; what comes meanwhile belongs to it."""
        while True:
            with self._news:
                if not self._inbox:
                    return
                number, request = self._inbox.popleft()
                self._numbers[request.key] = number
            yield request
