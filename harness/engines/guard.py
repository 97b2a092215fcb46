"""Ends an engine's processes where their parent was killed and could not: a program of its own, standard library only.

    python guard.py PARENT EARLIER...    process ids; stdin is the parent's end of a pipe, stdout gets this one's id

It looks for processes below the parent, without those that were there earlier, until the pipe names those to see to. A
parent that sees to them itself ends this program first. When the parent is gone, the processes that are still the same
are killed, and the shared memory that they held is removed (Linux).

It is no child of the parent, and notes the shared memory while they live: of a worker that it ends Ray kills the
children, and of one that was killed the process group, at once.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

GRACE = 2.0
"""Seconds in which they may end by themselves."""
LOOK = 1.0
"""Seconds between two looks at what the parent has started, and at whether it is there."""


def started(pid: int) -> str:
    """When a process was started, in ticks since boot; "" if there is none, or only its exit status."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""


def below(pid: int) -> set[int]:
    """Processes under this one, without multiprocessing's resource tracker, which clears away and then ends itself."""
    found: set[int] = set()
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found.update(map(int, thread.read_text().split()))
    found = {one for one in found if b"resource_tracker" not in _command(one)}
    return found.union(*map(below, found))


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def maps(pids: Iterable[int]) -> str:
    """What these processes have in memory, as Linux lists it; psutil takes a hundred times as long."""
    found = []
    for pid in pids:
        with suppress(OSError):
            found.append(Path(f"/proc/{pid}/maps").read_text(errors="replace"))
    return "".join(found)


def held(listed: str) -> set[str]:
    """Names of the shared memory of Python's multiprocessing, and of vLLM's, in what `maps` has listed."""
    return set(re.findall(r"/dev/shm/((?:psm|vllm_dist)_[^ \n/]+)", listed))


def semaphores(listed: str) -> set[str]:
    """Names of the semaphores of Python's multiprocessing in what `maps` has listed."""
    inodes = set(re.findall(r" (\d+) +/dev/shm/sem\.", listed))  # who made one has it under another name
    found: set[str] = set()
    for file in Path("/dev/shm").glob("sem.mp-*") if inodes else ():
        with suppress(OSError):
            if str(file.stat().st_ino) in inodes:
                found.add(file.name)
    return found


def _shared(pids: Iterable[int]) -> set[str]:
    listed = maps(pids)
    return held(listed) | semaphores(listed)


def main(parent: int, *earlier: int) -> None:
    """Waits for the parent, and sees to the processes if it is gone."""
    begun = started(parent)
    if os.fork():
        os._exit(0)
    print(os.getpid(), flush=True)
    if not begun:  # no Linux
        sys.stdin.read()
    known: dict[int, str] = {}
    names: set[str] = set()
    pipe, looking = [sys.stdin], True
    while begun and started(parent) == begun:  # what it has forked may hold the pipe open beyond its end
        if not select.select(pipe, [], [], LOOK if pipe else LOOK / 10)[0]:
            if looking:
                known |= {pid: started(pid) for pid in below(parent).difference(earlier)}
                names |= _shared(known)
        elif told := os.read(sys.stdin.fileno(), 1 << 16):
            known, looking = {int(pid): started(int(pid)) for pid in told.split()}, False
            names |= _shared(known)
        else:  # its end is near
            pipe = []
    known |= {pid: started(pid) for one in known for pid in below(one)}
    until = time.monotonic() + GRACE
    while left := [pid for pid, start in known.items() if start and started(pid) == start]:
        names |= _shared(left)
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
    main(*map(int, sys.argv[1:]))
