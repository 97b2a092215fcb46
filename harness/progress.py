"""Progress for people: a bar on a terminal, a plain line now and then elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from harness.plain import plain


def say(text: str) -> None:
    """A line on stderr, of text that may hold names and replies of others; stdout stays free for the answer."""
    print(plain(text), file=sys.stderr, flush=True)


class Progress:
    """Counts to `total`. `update` may carry a note, e.g. the loss; plain lines come at most every `every` seconds."""

    def __init__(self, label: str, total: int, unit: str, every: float = 10.0) -> None:
        self.label, self.total, self.unit, self.every = label, total, unit, every
        self.done, self.note = 0, ""
        self._start = self._said = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=label, unit=f" {unit}", leave=False, dynamic_ncols=True, mininterval=0.2)

    def update(self, count: int = 1, note: str = "") -> None:
        """`count` more are done."""
        self.done += count
        self.note = note or self.note
        if self._bar is not None:
            self._bar.update(count)
            if note:
                self._bar.set_postfix_str(note, refresh=False)
        elif time.monotonic() - self._said >= self.every:
            self._said = time.monotonic()
            say(f"{self.label}: {self.done}/{self.total} {self.unit}" + (f" ({self.note})" if self.note else ""))

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = time.monotonic() - self._start
        if self._bar is not None:
            self._bar.close()
        if kind is None:
            say(f"{self.label}: {self.done} {self.unit} in {seconds:.0f} s" + (f" ({self.note})" if self.note else ""))
