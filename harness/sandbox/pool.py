"""The zygotes of this process: started when first wanted, one job each at a time, replaced when lost.

What holds a program is its tier, tried out here and never guessed:
T2  namespaces (files, processes, network, IPC) + Landlock + seccomp + limits
T1  Landlock + seccomp + limits; works inside ordinary containers, where new namespaces are often forbidden
T0  limits alone: refused, unless the user accepts it (`harness ... --i-accept-unsandboxed-code`), and then reported
"""

from __future__ import annotations

import atexit
import contextlib
import marshal
import os
import platform
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from harness.errors import SandboxError
from harness.sandbox import jail

Tier = Literal["T2", "T1", "T0"]
HERE = Path(__file__).parent
START_SECONDS = 60.0
"""How long a zygote may take to start before the machine is to blame."""
HEADER, ANSWER = struct.Struct("=d"), struct.Struct("=iid")
"""A job's seconds; how it ended: wait status, whether it was late, CPU seconds."""
LATE_SECONDS = 5.0
"""How long after a job's time a zygote may still be silent before it counts as lost."""
FOLDER = "harness-sandbox-"
SLOTS = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))
"""At most this many programs of one harness process run at once, whatever the number of threads that ask."""

_idle: dict[Tier, list[Zygote]] = {"T2": [], "T1": [], "T0": []}
_lock = threading.Lock()


@dataclass(frozen=True)
class Ending:
    """How a child ended: its wait status, CPU seconds, and whether its time was over or its output too long."""

    status: int
    cpu_seconds: float
    late: bool
    flooded: bool
    output: bytes


class Lost(Exception):
    """The zygote died, fell silent or did not start; the job says nothing about its program."""


class Zygote:
    """One server process. Raises Lost where it does not start."""

    def __init__(self, tier: Tier) -> None:
        self.tier = tier
        _sweep()
        self.base = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-"))
        self.work = self.base / "work"
        self.process: subprocess.Popen[bytes] | None = None
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self.base.chmod(0o755)
            for folder in (self.work, self.base / "root"):
                folder.mkdir(mode=0o755)
            # -P -s -S is -I without -E: we own the whole environment, and the hash seed makes set order repeatable
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-s", "-S", "-B", str(HERE / "zygote.py"), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                cwd="/",
                env={"PYTHONHASHSEED": "0"},
                start_new_session=True,
            )
            theirs.close()
            self.control.send(marshal.dumps(orders(tier, str(self.work), str(self.base / "root"))))
            self.control.settimeout(START_SECONDS)
            said = self.control.recv(256)
            if said != b"ready":
                raise Lost(said.decode(errors="replace") or "it ended at once")
        except (OSError, Lost) as error:
            theirs.close()
            self.close()
            raise Lost(str(error)) from None

    def run(self, job: bytes, seconds: float, most: int) -> Ending:
        """One child. seconds: wall-clock time; most: bytes of output. Raises Lost."""
        memory = os.memfd_create("job", os.MFD_CLOEXEC)
        reader, writer = os.pipe2(os.O_CLOEXEC)
        # a pipe of its own says that the jail is on: what was said in the other a program could read back, by /proc
        started, starter = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        ours = [memory, reader, started, writer, starter]
        try:
            with os.fdopen(memory, "wb", closefd=False) as file:
                file.write(job)
            os.lseek(memory, 0, os.SEEK_SET)
            socket.send_fds(self.control, [HEADER.pack(seconds)], [memory, writer, starter])
            os.close(ours.pop())
            os.close(ours.pop())
            ended = self._listen(reader, seconds, most)
            if os.read(started, 1) != b"1":
                raise Lost("the jail could not be put on")
            return ended
        except OSError as error:
            raise Lost(str(error)) from None
        finally:
            for end in ours:
                os.close(end)

    def _listen(self, reader: int, seconds: float, most: int) -> Ending:
        output = bytearray()
        flooded = False
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        poll.register(self.control, select.POLLIN)
        deadline = time.monotonic() + seconds + LATE_SECONDS
        answer = b""
        while not answer:
            ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not ready:
                raise Lost("it is silent")
            for place, _ in ready:
                if place == self.control.fileno():
                    answer = self.control.recv(256)
                    if len(answer) != ANSWER.size:
                        raise Lost("it ended")
                elif not (chunk := os.read(reader, 1 << 16)):
                    poll.unregister(reader)
                else:
                    output += chunk
                    if len(output) > most and not flooded:
                        flooded = True
                        poll.unregister(reader)
                        self.control.send(b"stop")
        os.set_blocking(reader, False)
        with contextlib.suppress(BlockingIOError):
            while not flooded and (chunk := os.read(reader, 1 << 16)):
                output += chunk
                flooded = len(output) > most
        status, late, cpu = ANSWER.unpack(answer)
        return Ending(status, cpu, bool(late), flooded, bytes(output[:most]))

    def close(self) -> None:
        """Ends it, and with it whatever it started; removes its folder."""
        self.control.close()
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.base, ignore_errors=True)


@cache
def _sweep() -> None:
    """Removes what harnesses that were killed left behind."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*-*"):
        owner = folder.name.removeprefix(FOLDER).split("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(folder, ignore_errors=True)


def orders(tier: Tier, work: str, root: str) -> dict[str, object]:
    """What a zygote is told when it starts."""
    known = jail.jail()
    worn = known.orders(work) if known and tier != "T0" else {"readable": [], "filter": b"", "handled": 0}
    library = os.path.dirname(os.__file__)
    return {
        **worn,
        "namespaces": tier == "T2",
        "alone": False,
        "strangers_read": tier == "T2" or jail.strangers_read(library),
        "query": str(HERE / "query.py"),
        "header": HEADER.format,
        "answer": ANSWER.format,
        "work": work,
        "root": root,
        "mounted": [*jail.mounted(), work] if tier == "T2" else [],
        "pivot_root": jail.PIVOT_ROOT.get(platform.machine(), 0),
    }


@contextlib.contextmanager
def zygote(tier: Tier) -> Iterator[Zygote]:
    """A zygote for one job; it goes back to the idle ones unless it was lost. Raises Lost."""
    with SLOTS:
        with _lock:
            found = _idle[tier].pop() if _idle[tier] else None
        found = found or Zygote(tier)
        try:
            yield found
        except BaseException:  # an interrupt leaves a job behind
            found.close()
            raise
        with _lock:
            _idle[tier].append(found)


@atexit.register
def close() -> None:
    """Ends all idle zygotes."""
    with _lock:
        gone = [one for tier in _idle.values() for one in tier]
        for tier in _idle.values():
            tier.clear()
    for one in gone:
        one.close()


def servers() -> dict[int, Tier]:
    """The process ids of the idle zygotes; one of T2 has the first process of its namespaces as its only child."""
    with _lock:
        return {one.process.pid: tier for tier, found in _idle.items() for one in found if one.process}


def _forget() -> None:
    """After a fork the zygotes are the parent's."""
    global _lock
    _lock = threading.Lock()
    for tier in _idle.values():
        for one in tier:
            one.control.close()
        tier.clear()


os.register_at_fork(after_in_child=_forget)


@cache
def tiers() -> tuple[Tier, ...]:
    """The tiers that work here, best first; tried out once. Empty where there is no jail at all."""
    return tuple(tier for tier in ("T2", "T1") if why_not(tier) == "")


@cache
def why_not(tier: Tier) -> str:
    """ "" if a zygote of this tier starts and jails a program here, else the reason."""
    known = jail.jail()
    if known is None:
        return "this kernel has no Landlock (Linux 5.13 and later have it, if it is switched on)"
    try:
        with zygote(tier) as one:
            job = {"nonce": "probe", "kind": "calls", "limits": (2, 256 << 20, 0), "code": "", "calls": []}
            ended = one.run(marshal.dumps(job), 20.0, 1000)
    except (Lost, SandboxError) as error:
        return str(error)
    return "" if ended.status == 0 else f"a program that does nothing ended with {ended.status}"
