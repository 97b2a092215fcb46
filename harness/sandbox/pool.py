"""The zygotes of this process: started when first wanted, one job each at a time, replaced when lost.

What holds a program is its tier, tried out here and never guessed:
T2  namespaces (files, processes, network, IPC) + Landlock + seccomp + limits
T1  Landlock + seccomp + limits; works inside ordinary containers, where new namespaces are often forbidden
T0  limits alone: refused, unless the user accepts it (`harness ... --i-accept-unsandboxed-code`), and then reported
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
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

from harness.sandbox import jail

Tier = Literal["T2", "T1", "T0"]
HERE = Path(__file__).parent
START_SECONDS = 60.0
"""How long a zygote may take to start before the machine is to blame."""
HEADER, ANSWER = struct.Struct("=d"), struct.Struct("=iid")
"""A job's seconds; how it ended: wait status, whether it was late, CPU seconds."""
ATTEMPTS = 3
LATE_SECONDS = 5.0
"""How long after a job's time a zygote may still be silent before it counts as lost."""
FOLDER = "harness-sandbox-"
MOST_AT_ONCE = max(2, os.cpu_count() or 2)
SLOTS = threading.BoundedSemaphore(MOST_AT_ONCE)
"""At most this many programs of one harness process run at once, whatever the number of threads that ask."""

_idle: dict[Tier, list[Zygote]] = {"T2": [], "T1": [], "T0": []}
_alive: set[Zygote] = set()
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


class Descriptor:
    """A file descriptor that is closed once, however often it is told to."""

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        """Closes it."""
        number, self.number = self.number, -1
        if number >= 0:
            os.close(number)


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[int]:
    """A descriptor to read these bytes from."""
    with os.fdopen(os.memfd_create("job", os.MFD_CLOEXEC), "wb") as file:
        file.write(content)
        file.flush()
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        yield file.fileno()


class Zygote:
    """One server process. Raises Lost where it does not start."""

    def __init__(self, tier: Tier) -> None:
        self.tier = tier
        self.process: subprocess.Popen[bytes] | None = None
        with contextlib.ExitStack() as started:
            try:
                self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                started.callback(self.control.close)
                # above the standard three, which a harness may have closed
                end = Descriptor(fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD_CLOEXEC, 3))
                theirs.close()
                started.callback(end.close)
                _sweep()
                self.base = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{_namespace()}-{os.getpid()}-"))
                started.callback(shutil.rmtree, self.base, ignore_errors=True)
                self._start(end)
            except (OSError, Lost) as error:
                raise Lost(str(error)) from None
            started.pop_all()
        with _lock:
            _alive.add(self)

    def _start(self, theirs: Descriptor) -> None:
        self.work = self.base / "work"
        self.base.chmod(0o755)
        for folder in (self.work, self.base / "root"):
            folder.mkdir(mode=0o755)
        # -P -s -S is -I without -E: we own the whole environment, and the hash seed makes set order repeatable
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-S", "-B", str(HERE / "zygote.py"), str(theirs.number)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs.number,),
            cwd="/",
            env={"PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        try:
            theirs.close()
            with _in_memory(marshal.dumps(orders(self.tier, str(self.work), str(self.base / "root")))) as told:
                socket.send_fds(self.control, [b"orders"], [told])
            self.control.settimeout(START_SECONDS)
            said = self.control.recv(256)
            if said != b"ready":
                raise Lost(said.decode(errors="replace") or "it ended at once")
        except BaseException:
            self._kill()
            raise

    def run(self, job: bytes, seconds: float, most: int) -> Ending:
        """One child. seconds: wall-clock time; most: bytes of output. Raises Lost."""
        with contextlib.ExitStack() as open_until_then:
            try:
                memory = open_until_then.enter_context(_in_memory(job))
                reader, writer = map(Descriptor, os.pipe2(os.O_CLOEXEC))
                open_until_then.callback(reader.close)
                open_until_then.callback(writer.close)
                # a pipe of its own says that the jail is on: what was said in the other a program could read back
                started, starter = map(Descriptor, os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK))
                open_until_then.callback(started.close)
                open_until_then.callback(starter.close)
                socket.send_fds(self.control, [HEADER.pack(seconds)], [memory, writer.number, starter.number])
                writer.close()
                starter.close()
                ended = self._listen(reader.number, seconds, most)
                if os.read(started.number, 1) != b"1":
                    raise Lost("the jail could not be put on")
            except OSError as error:
                raise Lost(str(error)) from None
        return ended

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

    def alive(self) -> bool:
        """Has it not ended?"""
        return self.process is not None and self.process.poll() is None

    def close(self) -> None:
        """Ends it, and with it whatever it started; removes its folder."""
        self.control.close()
        self._kill()
        shutil.rmtree(self.base, ignore_errors=True)
        with _lock:
            _alive.discard(self)

    def _kill(self) -> None:
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _namespace() -> int:
    """Process numbers mean something in here only."""
    return os.stat("/proc/self/ns/pid").st_ino


@cache
def _sweep() -> None:
    """Removes what harnesses that were killed left behind."""
    mine = f"{FOLDER}{_namespace()}-"
    for folder in Path(tempfile.gettempdir()).glob(f"{mine}*"):
        owner = folder.name.removeprefix(mine).split("-")[0]
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
def zygote(tier: Tier, fresh: bool = False) -> Iterator[Zygote]:
    """A zygote for one job; it goes back to the idle ones unless it was lost. fresh: not one of these. Raises Lost."""
    with SLOTS:
        found = None if fresh else _taken(tier)
        found = found or Zygote(tier)
        try:
            yield found
        except BaseException:  # an interrupt leaves a job behind
            found.close()
            raise
        with _lock:
            _idle[tier].append(found)


def _taken(tier: Tier) -> Zygote | None:
    """An idle zygote that still lives."""
    while True:
        with _lock:
            if not _idle[tier]:
                return None
            found = _idle[tier].pop()
        if found.alive():
            return found
        found.close()


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
    """After a fork the zygotes are the parent's, and its locks may be held by threads that are not here."""
    global _lock, SLOTS
    _lock, SLOTS = threading.Lock(), threading.BoundedSemaphore(MOST_AT_ONCE)
    for one in _alive:
        one.control.close()
        one.process = None
    _alive.clear()
    for tier in _idle.values():
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
    job = marshal.dumps({"nonce": "", "kind": "calls", "limits": (2, 256 << 20, 0), "code": "", "calls": []}, 2)
    reason = ""
    for _ in range(ATTEMPTS):  # a machine short of memory for a moment is no machine without a jail
        try:
            with zygote(tier) as one:
                ended = one.run(job, 20.0, 1000)
            reason = "" if ended.status == 0 else f"a program that does nothing ended with {ended.status}"
        except (Lost, OSError) as error:
            reason = str(error)
        if not reason:
            break
    return reason
