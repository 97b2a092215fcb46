"""Ends an engine's processes where their parent was killed and could not: a program of its own, standard library only.

    python guard.py PID...    stdin is the parent's end of a pipe

A parent that sees to them itself ends this program first; the end of the pipe says that it is gone. Then the processes
that are still those of the start are killed, and the shared memory that they held is removed (Linux).
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

GRACE = 2.0
"""Seconds in which they may end by themselves."""


def started(pid: int) -> str:
    """When a process was started, in ticks since boot; "" if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def held(pids: Iterable[int]) -> set[str]:
    """Names of the shared memory of Python's multiprocessing that these processes hold."""
    found: set[str] = set()
    for pid in pids:
        with suppress(OSError):  # psutil takes a hundred times as long: it has the sizes counted, too
            maps = Path(f"/proc/{pid}/maps").read_text(errors="replace")
            found.update(re.findall(r"/dev/shm/(psm_[^ \n/]+)", maps))
    return found


def main(pids: list[int]) -> None:
    """Waits for the parent, and sees to the processes if it is gone."""
    known = {pid: started(pid) for pid in pids}
    sys.stdin.buffer.read()
    names: set[str] = set()
    until = time.monotonic() + GRACE
    while left := [pid for pid, start in known.items() if start and started(pid) == start]:
        names |= held(left)
        if time.monotonic() > until:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.2)
    for name in names:
        with suppress(OSError):
            os.unlink(f"/dev/shm/{name}")


if __name__ == "__main__":
    main([int(one) for one in sys.argv[1:]])
