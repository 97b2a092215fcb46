"""Several servers of one model as one engine: each works on the queue as fast as it is, within its own limits.

A server that does not answer, or fails FAILING requests in a row, is put aside: its requests go to the others, and it
is tried again after a while. (One that fails fast would else draw the queue to itself.) The run ends only where none of
them answers. What is not covered: whether they serve the same model; only that each knows its name.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial

from harness import endpoint
from harness.data import Completion, Model, Request
from harness.engines.openai import Done, Exhausted, OpenAIEngine, Seat, Work
from harness.errors import EngineError, HarnessError
from harness.progress import say

ASIDE = 30.0
"""Seconds until a server that was put aside is tried again."""
FAILING = 2
VISIT = 1
"""Retries at one server before a request goes to another."""


class Server:
    """One of the servers. until: when it may be tried again, 0.0 while it is in service. failed: requests in a row."""

    def __init__(self, model: Model) -> None:
        self.engine = OpenAIEngine(model, call=False)
        self.retries = self.engine.retries
        self.engine.retries = min(VISIT, self.retries)
        self.until, self.failed = 0.0, 0
        self._trying = threading.Lock()

    def put_aside(self, problem: Exception) -> None:
        """Nothing is asked of it for a while."""
        if not self.until:
            reason = str(problem).split(" Is the server")[0]
            said = reason if self.engine.host in reason else f"{self.engine.host}: {reason}"
            say(f"{said} It is put aside; the others go on.")
        self.until = time.monotonic() + ASIDE

    def is_back(self, now: bool = False) -> bool:
        """Whether it is in service; one that was put aside is asked when its time has come, or now."""
        with self._trying:
            if not self.until:
                return True
            if time.monotonic() < self.until and not now:
                return False
            try:
                self.engine.offered()
            except HarnessError:
                self.until = time.monotonic() + ASIDE
                return False
            self.until, self.failed = 0.0, 0
            say(f"{self.engine.host}: answers again.")
            return True


class BalancedEngine(OpenAIEngine):
    """An `OpenAIEngine` over the servers of `model.endpoint`. concurrency, pace and timeout hold for each of them.

    Raises what `OpenAIEngine` raises; EngineError where no server answers.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.servers = [Server(one) for one in endpoint.servers(model)]
        self.host = f"{endpoint.shown(model)} and {len(self.servers) - 1} more"
        self.at_once = sum(server.engine.at_once for server in self.servers)
        self._visits = -(-(self.servers[0].retries + 1) // (VISIT + 1))
        self._used = Counter()
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        for server in self.servers:
            try:
                server.engine.offered()
            except EngineError as problem:
                server.put_aside(problem)
                if all(one.until for one in self.servers):
                    raise

    def close(self) -> None:
        """Closes the connections."""
        for server in self.servers:
            server.engine.close()

    def answer(self, request: Request, stop: threading.Event) -> Completion:
        """The answer of a server that is up. Raises what `OpenAIEngine.answer` raises."""
        up = next((server for server in self.servers if not server.until), self.servers[0])
        return up.engine.answer(request, stop)

    def _seats(self) -> Sequence[Seat]:
        self._asked.clear()
        return [partial(self._serve, one) for one in self.servers for _ in range(one.engine.at_once)]

    def _serve(self, server: Server, work: Work, done: Done, stop: threading.Event) -> None:
        """One seat at one server."""
        while not stop.is_set():
            if not server.is_back():
                stop.wait(0.1)
                continue
            request = work.get()
            if request is None:
                return
            if server.until:  # meanwhile
                work.put(request)
                continue
            try:
                done.put((request, server.engine.answer(request, stop)))
                server.failed = 0
            except EngineError as problem:
                with self._lock:
                    server.put_aside(problem)
                    nobody = all(one.until and not one.is_back(now=True) for one in self.servers)
                if nobody:
                    done.put((request, problem))
                else:
                    work.put(request)
            except Exhausted as failed:
                with self._lock:
                    self._asked[request.key] += 1
                    again = self._asked[request.key] < self._visits
                    server.failed += 1
                    if server.failed >= FAILING and not all(one.until for one in self.servers if one is not server):
                        server.put_aside(failed)
                if again:
                    work.put(request)
                else:
                    done.put((request, failed))
            except BaseException as error:  # whoever waits for the answer gets it
                done.put((request, error))
