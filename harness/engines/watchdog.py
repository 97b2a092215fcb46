"""Notices when a call does not return."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HANG_AFTER = 600.0
"""Seconds without a sign of life after which an engine counts as hung; `engine: {hang_after: ...}` in models.yaml."""


class Watchdog:
    """Calls `hung` from a thread of its own when what is watched takes longer than `seconds`; once.

    `hung` is to end whatever the call is waiting for, so that it returns. Stop the watchdog after use.
    """

    def __init__(self, seconds: float, hung: Callable[[], None]) -> None:
        self.seconds, self.barked = seconds, False
        self._hung = hung
        self._since: float | None = None
        self._stop = threading.Event()
        threading.Thread(target=self._watch, daemon=True, name="watchdog").start()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Around the call."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def stop(self) -> None:
        """Watches no longer."""
        self._stop.set()

    def _watch(self) -> None:
        while not self._stop.wait(min(1.0, self.seconds / 4)):
            since = self._since
            if since is not None and time.monotonic() - since > self.seconds:
                self.barked = True
                self._hung()
                return
