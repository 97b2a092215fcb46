"""One limited, jailed process per program.

What it does: a fresh interpreter without site-packages in a fresh empty folder that is removed afterwards; no
environment but a fixed hash seed; no open files but the job, the result pipe and /dev/null; limits on CPU time, address
space, open files, and none at all of new processes, threads, file contents and core dumps; a wall-clock deadline; a
bounded result pipe; its own process group, killed as a whole. Started by root, it runs as a user of nobody's. Before
the program starts the process puts on a jail (jail.py): it reads the standard library and nothing else, writes nowhere,
has no network, sends no signal and starts nothing.

What is not covered: bugs of the kernel, side channels. Where the kernel has no Landlock or takes no seccomp filter
(`tier` says so, and every run records it), the limits stand alone: then a program can read every file its user may
read, reach the network, create empty files, signal that user's processes and exec another program in its place. A
program can report its arguments as untouched when it touched them, if it takes the trouble to forge result lines; it
cannot forge values it does not know. Linux only.
"""

from __future__ import annotations

import json
import marshal
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from harness.errors import SandboxError
from harness.sandbox.jail import Jail, jail, landlock_abi
from harness.sandbox.values import decode

Status = Literal["ok", "exception", "timeout", "out of memory", "crash", "protocol error", "no code"]

CHILD = Path(__file__).with_name("child.py")
START_SECONDS = 60.0
"""How long an interpreter may take to start before the machine is to blame, not the program."""

SLOTS = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))
"""At most this many programs of one harness process run at once, whatever the number of threads that ask."""


@dataclass(frozen=True)
class Call:
    """A function of the program by name, and its arguments: plain values and containers of them (see values.py)."""

    function: str
    args: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Limits:
    """For one program with all its calls. CPU time is the limit that bites, so that a busy machine changes nothing."""

    cpu_seconds: int = 2
    wall_seconds: float = 20.0
    memory_mb: int = 256
    result_bytes: int = 4 << 20


@dataclass(frozen=True)
class CallResult:
    """What one call did.

    value: what it returned (status "ok"), an Opaque where that is no plain value. args: its arguments afterwards.
    detail: why not "ok", e.g. "ValueError: ...", written by the program: untrusted text.
    """

    status: Status
    value: Any = None
    args: tuple[Any, ...] | None = None
    detail: str = ""


def run_calls(code: str, calls: Sequence[Call], limits: Limits = Limits()) -> list[CallResult]:
    """One result per call, in order; all calls run in one process, after each other. Safe from several threads.

    Nothing the program does raises here. SandboxError: this machine could not start an interpreter, twice.
    """
    if not code.strip():
        return [CallResult("no code", detail="there is no code")] * len(calls)
    with SLOTS:
        closed = jail() if tier() == "jail" else None
        results = _attempt(code, calls, limits, closed) or _attempt(code, calls, limits, closed)
    if results is None:
        raise SandboxError(f"sandbox: {sys.executable} did not start twice. Free memory or processes and run again.")
    return results


@cache
def tier() -> Literal["jail", "limits only"]:
    """What holds a program here: tried out, not guessed."""
    closed = jail()
    return "jail" if closed and _attempt("pass", [], Limits(), closed) is not None else "limits only"


def described() -> str:
    """The tier in words, for a run's manifest and its report."""
    if tier() == "jail":
        return f"a process of its own in a jail: Landlock (ABI {landlock_abi()}), seccomp, limits"
    return "a separate process with limits, not a jail: this kernel has no Landlock or takes no seccomp filter"


def _attempt(code: str, calls: Sequence[Call], limits: Limits, closed: Jail | None) -> list[CallResult] | None:
    """The results, or None where the interpreter itself did not come up."""
    nonce = secrets.token_hex(8)
    folder = tempfile.mkdtemp(prefix="harness-sandbox-")
    reader, writer = os.pipe()
    try:
        with tempfile.TemporaryFile() as job:
            wanted = [(call.function, call.args) for call in calls]
            memory = limits.memory_mb << 20
            worn = closed.wire() if closed else None
            job.write(marshal.dumps((nonce, writer, limits.cpu_seconds, memory, worn, code, wanted)))
            job.seek(0)
            process = _start(job, folder, writer)
        os.close(writer)
        writer = -1
        try:
            output, stopped = _read(reader, limits)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    except OSError as error:
        raise SandboxError(f"sandbox: {error}. Free memory, processes or disk and run again.") from error
    finally:
        for end in (reader, writer):
            if end >= 0:
                os.close(end)
        shutil.rmtree(folder, ignore_errors=True)
    results = _parse(output, nonce, len(calls))
    if results is None:
        return None
    cpu = usage.ru_utime + usage.ru_stime
    ending = stopped or _ending(process.returncode, cpu, limits)
    return results + [ending] * (len(calls) - len(results))


def _start(job: Any, folder: str, channel: int) -> subprocess.Popen[bytes]:
    """-P -s -S is -I without -E: we own the whole environment, and the hash seed in it makes set order repeatable."""
    return subprocess.Popen(
        [sys.executable, "-P", "-s", "-S", "-B", str(CHILD)],
        stdin=job,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(channel,),
        cwd=folder,
        env={"PYTHONHASHSEED": "0"},
        start_new_session=True,
    )


def _read(reader: int, limits: Limits) -> tuple[bytes, CallResult | None]:
    """What came through the pipe, and why we stopped listening if it was us who stopped.

    The program's clock starts with its first byte, the line that says the interpreter is up.
    """
    output = bytearray()
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    deadline = time.monotonic() + START_SECONDS
    while True:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return bytes(output), CallResult("timeout", detail=f"no end after {limits.wall_seconds:g} s")
        chunk = os.read(reader, 1 << 16)
        if not chunk:
            return bytes(output), None
        if not output:
            deadline = time.monotonic() + limits.wall_seconds
        output += chunk
        if len(output) > limits.result_bytes:
            return bytes(output), CallResult(
                "protocol error", detail=f"more than {limits.result_bytes} bytes of results"
            )


def _ending(code: int, cpu: float, limits: Limits) -> CallResult:
    """Why a program stopped by itself before its last result."""
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and cpu >= limits.cpu_seconds):
        return CallResult("timeout", detail=f"no end after {limits.cpu_seconds} s of CPU time")
    if code == -signal.SIGKILL:
        return CallResult("crash", detail="it closed its result channel or was killed")
    if code < 0:
        return CallResult("crash", detail=f"killed by signal {-code}")
    return CallResult("crash", detail=f"the program ended itself with exit code {code}")


def _parse(output: bytes, nonce: str, calls: int) -> list[CallResult] | None:
    """The results in order, up to the first line that is not exactly as it should be. None without the ready line."""
    lines = output.split(b"\n")[:-1]  # what follows the last newline is a torn line
    if not lines or _line(lines[0], nonce, -1) != CallResult("ok"):
        return None
    results: list[CallResult] = []
    for line in lines[1:]:
        result = _line(line, nonce, len(results))
        if len(results) == calls or result.status == "protocol error":
            # a line nobody may write: whatever came before it is no longer trusted either
            return [CallResult("protocol error", detail="unexpected text in the result channel")] * calls
        results.append(result)
    return results


def _line(line: bytes, nonce: str, index: int) -> CallResult:
    """One line of the channel; status "protocol error" where it is malformed, out of order or from somebody else."""
    try:
        sender, number, status, value, args = json.loads(line.decode())
        if sender != nonce or type(number) is not int or number != index:
            return CallResult("protocol error")
        if status == "ready" and index == -1:
            return CallResult("ok")
        if status == "ok":
            return CallResult("ok", value=decode(value), args=tuple(decode(args)))
        if status in ("exception", "out of memory"):
            return CallResult(status, detail=str(value)[:300])
    except (ValueError, TypeError, RecursionError):
        pass
    return CallResult("protocol error")
