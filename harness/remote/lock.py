"""Who writes: an object that names the one process, renewed while it works."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from harness.errors import HarnessError, RunError
from harness.progress import say
from harness.remote.objects import ObjectStore

BEAT = 60.0
EXPIRES = 600.0
LOCK = "lock"


class Lock:
    """The object that says who writes. Raises RunError where somebody else does."""

    def __init__(self, store: ObjectStore) -> None:
        self._store, self._id, self._told = store, uuid.uuid4().hex, time.monotonic()
        try:
            store.write(LOCK, self._content(), new=True)
        except FileExistsError:
            held = self._read()
            if not gone(held):
                raise RunError(
                    f"{store.address}: in use by process {held.get('pid')} on {held.get('host')}. Wait for it, stop "
                    f"it, or use another --out. Without a sign from it the lock falls after {EXPIRES / 60:.0f} minutes."
                ) from None
            say(f"{store.address}: taken over from process {held.get('pid')} on {held.get('host')}, which is gone")
            store.write(LOCK, self._content())

    def beat(self) -> None:
        """Renews it now and then. Raises RunError where it is another's by now."""
        if time.monotonic() - self._told < BEAT:
            return
        self.check()
        self._store.write(LOCK, self._content())
        self._told = time.monotonic()

    def check(self) -> None:
        """Raises RunError where it is another's by now."""
        if self._read().get("id") != self._id:
            raise RunError(f"{self._store.address}: another process has taken it over. Wait for it, then run again.")

    def release(self) -> None:
        """Gives it back; where the store does not answer any more, it falls by itself."""
        with suppress(HarnessError, FileNotFoundError):
            if self._read().get("id") == self._id:
                self._store.remove([LOCK])

    def _content(self) -> bytes:
        who = {"id": self._id, "host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}
        return json.dumps(who).encode()

    def _read(self) -> Mapping[str, Any]:
        """{} where there is none, or none that a process has written."""
        try:
            found = json.loads(self._store.read([LOCK])[LOCK])
            return {**found, "time": float(found["time"]), "pid": int(found["pid"])}
        except (FileNotFoundError, ValueError, KeyError, TypeError, OverflowError):
            return {}


def gone(held: Mapping[str, Any]) -> bool:
    """Whether who holds a lock has ended, as far as can be told from here."""
    if not held or time.time() - held["time"] > EXPIRES:
        return True
    if held.get("host") != socket.gethostname():
        return False
    try:
        os.kill(held["pid"], 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False
