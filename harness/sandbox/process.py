"""Run a model's Python or SQL where it can neither harm nor lie, and get plain values back.

A zygote (zygote.py) forks one process per job. Before the program starts that process gives up every right: it reads
the standard library and nothing else, writes to the files its job declares, has no network, sends no signal, starts no
process, holds no descriptor but the result pipe, and lives under limits of CPU time, memory, threads, file size and
wall-clock time (jail.py, pool.py). It is told calls, never what they should return: right or wrong is decided out here.

What is not covered: bugs of the kernel and of Python's own C code that lead out of all three of Landlock, seccomp and,
on T2, namespaces; side channels (timing, caches; whether a file exists and how large it is); GPUs. A program can report
its arguments as untouched when it touched them, if it takes the trouble to forge result lines; it cannot forge values
it does not know. Linux only.
"""

from __future__ import annotations

import json
import marshal
import os
import secrets
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from harness.errors import SandboxError, SuiteError
from harness.sandbox import jail, pool
from harness.sandbox.pool import ATTEMPTS, Ending, Lost, Tier
from harness.sandbox.query import Result
from harness.sandbox.values import decode

Status = Literal["ok", "exception", "timeout", "out of memory", "crash", "protocol error", "no code", "sandbox error"]
MOST_JOB_BYTES = 16 << 20
MOST_CALLS = 10_000

_accepted = False


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
    file_bytes: int = 1 << 20


@dataclass(frozen=True)
class CallResult:
    """What one call did.

    value: what it returned (status "ok"), an Opaque where that is no plain value. args: its arguments afterwards.
    detail: why not "ok", e.g. "ValueError: ...", written by the program: untrusted text. "sandbox error": this machine
    could not run the program, several times, though it runs others; it says nothing about the program.
    """

    status: Status
    value: Any = None
    args: tuple[Any, ...] | None = None
    detail: str = ""


def accept_unsandboxed() -> None:
    """From here on programs run without a jail where this machine has none; manifests and reports say so."""
    global _accepted
    _accepted = True


def accepted() -> bool:
    """Whether `accept_unsandboxed` was called."""
    return _accepted


def tier() -> Tier:
    """What holds a program here: the best tier that works, tried out. "T0": none does."""
    return next(iter(pool.tiers()), "T0")


def described() -> str:
    """The tier in words, for a run's manifest and its report."""
    layers = f"Landlock (ABI {jail.landlock_abi()}), seccomp, limits"
    if tier() == "T0":
        return "T0: NO JAIL, limits alone" + ("; accepted by the user" if _accepted else "; programs are refused")
    return f"T2: namespaces, {layers}" if tier() == "T2" else f"T1: {layers}"


def ready() -> None:
    """Raises SandboxError where programs would be refused."""
    if tier() == "T0":
        _accepted_or_refused()


def _accepted_or_refused() -> None:
    if not _accepted:
        raise SandboxError(
            f"sandbox: {pool.why_not('T1')}: programs written by a model are not run here. Use such a kernel, or add "
            "--i-accept-unsandboxed-code, which the report will say."
        )


def run_calls(
    code: str,
    calls: Sequence[Call],
    limits: Limits = Limits(),
    *,
    files: Mapping[str, bytes] | None = None,
    tier: Tier | None = None,
) -> list[CallResult]:
    """One result per call, in order; all calls run in one process, after each other. Safe from several threads.

    files: name -> content of the files that lie in the program's folder; it may read, write and truncate these and no
    others. tier: another than the best one. Nothing the program does raises here. SuiteError: a file name that leads
    out of the folder, or a job above the limits. SandboxError: no jail here (see `ready`), or nothing runs at all.
    """
    if not code.strip():
        return [CallResult("no code", detail="there is no code")] * len(calls)
    if len(calls) > MOST_CALLS:
        raise SuiteError(f"sandbox: {len(calls)} calls of one program are more than {MOST_CALLS}. Ask in parts.")
    job = {"kind": "calls", "code": code, "calls": [(call.function, call.args) for call in calls]}
    results = _run(job, len(calls), limits, files or {}, tier)
    # a process that left its arguments as they were says so and does not repeat them
    return [replace(r, args=call.args) if r.args == () else r for r, call in zip(results, calls, strict=True)]


def run_queries(databases: Sequence[bytes], query: str, limits: Limits = Limits()) -> list[Result]:
    """What a query gives on each database (SQLite files as bytes); see query.py for what it may do and its bounds."""
    results = _run({"kind": "query", "query": query, "databases": list(databases)}, len(databases), limits, {}, None)
    return [_table(result) for result in results]


def _table(result: CallResult) -> Result:
    if result.status == "exception":
        return Result([], 0, result.detail)
    if result.status != "ok":
        return Result([], 0, f"the query ended in: {result.status}")
    columns, rows = result.value if type(result.value) is tuple and len(result.value) == 2 else (None, None)
    if (
        type(columns) is not int
        or type(rows) is not list
        or any(type(r) is not tuple or len(r) != columns for r in rows)
    ):
        return Result([], 0, "the query ended in: protocol error")
    return Result(rows, columns)


def _run(
    job: dict[str, Any], count: int, limits: Limits, files: Mapping[str, bytes], wanted: Tier | None
) -> list[CallResult]:
    ready()
    nonce = secrets.token_hex(8)
    memory = limits.memory_mb << 20
    bounds = (limits.cpu_seconds, memory, limits.file_bytes if files else 0)
    try:
        packed = marshal.dumps({**job, "nonce": nonce, "limits": bounds}, 2)  # no references between arguments
    except ValueError:
        raise SuiteError(
            "sandbox: an argument is no plain value. Use numbers, texts, and containers of them."
        ) from None
    if len(packed) > MOST_JOB_BYTES:
        raise SuiteError(
            f"sandbox: a job of {len(packed):,} bytes is above the {MOST_JOB_BYTES:,} allowed. Shorten it."
        )
    for name in files:
        if name != Path(name).name or name in ("", ".", "..") or "\0" in name or len(name.encode()) > 200:
            raise SuiteError(f"sandbox: file {name!r} is outside the program's folder. Declare plain file names.")
    chosen = wanted or tier()
    if chosen == "T0":
        _accepted_or_refused()
    for attempt in range(ATTEMPTS):
        results = _attempt(packed, nonce, count, limits, files, chosen, attempt > 0)
        if results is not None:
            return results
    probe = {"kind": "calls", "code": "", "calls": [], "nonce": nonce, "limits": bounds}
    if _attempt(marshal.dumps(probe, 2), nonce, 0, limits, {}, chosen, True) is None:
        raise SandboxError("sandbox: no process starts in it any more. Free memory or processes and run again.")
    return [CallResult("sandbox error", detail="the program could not be run, three times")] * count


def _attempt(
    packed: bytes, nonce: str, count: int, limits: Limits, files: Mapping[str, bytes], chosen: Tier, fresh: bool
) -> list[CallResult] | None:
    """The results, or None where the sandbox itself failed."""
    try:
        with pool.zygote(chosen, fresh) as zygote, _declared(zygote.work, files):
            ended = zygote.run(packed, limits.wall_seconds, limits.result_bytes)
    except (Lost, OSError):
        return None
    results = _parse(ended.output, nonce, count)
    return results + [_ending(ended, limits)] * (count - len(results))


@contextmanager
def _declared(folder: Path, files: Mapping[str, bytes]) -> Iterator[None]:
    """The files of a job, in the folder of its zygote for as long as the job runs."""
    try:
        for name, content in files.items():
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o666)
        yield
    finally:
        for name in files:
            (folder / name).unlink(missing_ok=True)


def _ending(ended: Ending, limits: Limits) -> CallResult:
    """Why a program stopped before its last result."""
    code = os.waitstatus_to_exitcode(ended.status)
    if ended.flooded:
        return CallResult("protocol error", detail=f"more than {limits.result_bytes} bytes of results")
    if ended.late:
        return CallResult("timeout", detail=f"no end after {limits.wall_seconds:g} s")
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and ended.cpu_seconds >= limits.cpu_seconds):
        return CallResult("timeout", detail=f"no end after {limits.cpu_seconds} s of CPU time")
    if code < 0:
        return CallResult("crash", detail=f"killed by signal {-code}")
    return CallResult("crash", detail=f"the program ended itself with exit code {code}")


def _parse(output: bytes, nonce: str, count: int) -> list[CallResult]:
    """The results in order, up to the first line that is not exactly as it should be."""
    results: list[CallResult] = []
    for line in output.split(b"\n")[:-1]:  # what follows the last newline is a torn line
        result = _line(line, nonce, len(results))
        if len(results) == count or result.status == "protocol error":
            # a line nobody may write: whatever came before it is no longer trusted either
            return [CallResult("protocol error", detail="unexpected text in the result channel")] * count
        results.append(result)
    return results


def _line(line: bytes, nonce: str, index: int) -> CallResult:
    """One line of the channel; status "protocol error" where it is malformed, out of order or from somebody else."""
    try:
        sender, number, status, value, args = json.loads(line.decode())
        if sender != nonce or type(number) is not int or number != index:
            return CallResult("protocol error")
        if status == "ok":
            changed = () if args is True else tuple(decode(args))
            return CallResult("ok", value=decode(value), args=changed)
        if status in ("exception", "out of memory"):
            return CallResult(status, detail=str(value)[:300])
    except (ValueError, TypeError, RecursionError, OverflowError):
        pass
    return CallResult("protocol error")
