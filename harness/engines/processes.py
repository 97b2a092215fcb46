"""The processes that an engine starts, and their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines.guard import held, maps, semaphores

if TYPE_CHECKING:
    from psutil import Process

GRACE = 10.0


def under() -> list[Process]:
    """Processes under this one, without multiprocessing's resource tracker, which lives as long as Python does."""
    import psutil

    return [one for one in psutil.Process().children(recursive=True) if "resource_tracker" not in _command(one)]


def since(earlier: Sequence[Process]) -> list[Process]:
    """Processes under this one that are not among the earlier ones."""
    return [one for one in under() if one not in earlier]


def end(processes: Sequence[Process]) -> None:
    """Returns when all have ended: they get GRACE seconds to do so by themselves, then they are killed."""
    import psutil

    _, alive = psutil.wait_procs(processes, timeout=GRACE)
    kill(alive)
    psutil.wait_procs(alive, timeout=GRACE)


def kill(processes: Sequence[Process]) -> None:
    """Ends them at once."""
    import psutil

    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def shared_memory(processes: Sequence[Process]) -> list[str]:
    """Names of the shared memory and semaphores that these processes hold, and not this one, from Python (Linux)."""
    theirs, own = maps(one.pid for one in processes), maps([os.getpid()])
    return sorted((held(theirs) | semaphores(theirs)) - held(own) - semaphores(own))


def free(names: Sequence[str]) -> None:
    """Removes what is left of this shared memory: a killed process cannot do it itself."""
    from multiprocessing import resource_tracker

    for name in names:
        kind, known = ("semaphore", name[4:]) if name.startswith("sem.") else ("shared_memory", name)
        with suppress(FileNotFoundError):
            os.unlink(f"/dev/shm/{name}")
            resource_tracker.register(f"/{known}", kind)  # it may be another tracker's
            resource_tracker.unregister(f"/{known}", kind)


class Guard:
    """Sees to processes that this one starts, should it be killed (kill -9, memory): see guard.py. Linux only.

    Make it before they are started, name them to `keep` when they are, and release it when they have been seen to.
    """

    def __init__(self) -> None:
        program = str(Path(__file__).with_name("guard.py"))
        command = [sys.executable, "-IS", program, *map(str, [os.getpid(), *(one.pid for one in under())])]
        first = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        assert first.stdin is not None
        assert first.stdout is not None
        self._told = first.stdin
        with first.stdout as said:
            self._pid = int(said.readline())
        first.wait()

    def keep(self, processes: Sequence[Process]) -> None:
        """These are all that there are to see to, with the shared memory that they hold now."""
        with suppress(BrokenPipeError):
            self._told.write(" ".join(str(one.pid) for one in processes).encode() + b"\n")
            self._told.flush()

    def release(self) -> None:
        """They have been seen to."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with suppress(BrokenPipeError):
            self._told.close()


def _command(process: Process) -> str:
    import psutil

    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
