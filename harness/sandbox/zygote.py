"""The small server inside the sandbox: forks one child per job, so that a program costs a fork and not an interpreter.

Started by process.py as a script with an empty environment; imports nothing of the harness. Over one SOCK_SEQPACKET
socket it first gets its orders (trusted, marshal), then jobs: a header and two descriptors, the job to read and the
pipe for results. What a model wrote is only ever read by the child, after the fork and inside the jail; the zygote
passes descriptors on, waits until the child ends or its time is over, and answers with how it ended.

A result is one JSON line [nonce, index, status, value, arguments afterwards]. The child is told calls, never what they
should return. What a program does to its process it does to itself.
"""

from __future__ import annotations

import _thread
import ctypes
import gc
import importlib.util
import marshal
import os
import resource
import select
import signal
import socket
import struct
import sys
import types
from typing import Any

COMMON = """abc array ast base64 bisect calendar cmath collections.abc contextlib copy csv dataclasses datetime decimal
    enum fractions functools heapq io itertools json keyword math numbers operator pprint random re sqlite3 statistics
    string textwrap traceback unicodedata"""
for _name in COMMON.split():
    importlib.import_module(_name)

from json.encoder import encode_basestring_ascii as quoted  # noqa: E402

DEEPEST = 50
DESCRIPTORS = 64
RESULTS = 3
"""The descriptor that results are written to; 0, 1 and 2 are /dev/null, and there are no others."""
UNKNOWN_USER = 1_000_000  # plus the pid: a user id of its own, so that two answers cannot signal each other
THREADS = 64
DRIFT = 4096
"""By how many threads a user's other processes may grow while a zygote lives; only where the user is not our own."""
JAIL_FAILED = 97
NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, REMOUNT, BIND, RECURSIVE, PRIVATE, RELATIME = 1, 2, 4, 32, 4096, 16384, 1 << 18, 1 << 21
LOCKED = 2 | 4 | 8 | 1024 | 2048  # nosuid, nodev, noexec, noatime, nodiratime: a bind mount keeps what it had

libc = ctypes.CDLL(None, use_errno=True)


def call(number: int, *arguments: Any) -> int:
    """A system call by number. Raises OSError."""
    found = int(libc.syscall(ctypes.c_long(number), *arguments))
    if found < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return found


# --- the zygote ------------------------------------------------------------------------------------------------------


def serve(control: socket.socket, orders: dict[str, Any], query: types.ModuleType) -> None:
    """Job after job until the other end of the socket is closed."""
    ruleset = landlock(orders) if orders["readable"] else -1
    filters = (ctypes.c_char * len(orders["filter"])).from_buffer_copy(orders["filter"])
    most = own_threads() + THREADS + DRIFT
    gc.collect()
    gc.freeze()
    control.send(b"ready")
    while True:
        header, descriptors, _, _ = socket.recv_fds(control, 64, 3)
        if not header:
            return
        if len(descriptors) != 3:
            continue  # "stop" for a child that had ended by itself
        (seconds,) = struct.unpack(orders["header"], header)
        job, results, starter = descriptors
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                enter(job, results, starter, parent, orders, ruleset, filters, most)
                answer(query)
            except BaseException:
                os._exit(JAIL_FAILED)
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)
        late = wait(pid, control, seconds)
        _, status, usage = os.wait4(pid, 0)
        control.send(struct.pack(orders["answer"], status, late, usage.ru_utime + usage.ru_stime))


def wait(pid: int, control: socket.socket, seconds: float) -> bool:
    """Until the child has ended, by itself or by us; True if its time was over. A word on `control` ends it at once."""
    watched = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    poll.register(control, select.POLLIN)
    ready = poll.poll(seconds * 1000)
    late = not ready
    if not any(descriptor == watched for descriptor, _ in ready):
        os.kill(pid, signal.SIGKILL)
        if ready and not control.recv(64):
            os._exit(0)  # the harness is gone, and so is the program
    os.close(watched)
    return late


def landlock(orders: dict[str, Any]) -> int:
    """The ruleset that children put on: reading what is listed, writing to the declared files, nothing else."""
    attribute = struct.pack("=QQQ", orders["handled"], orders["handled_network"], orders["scoped"])
    size = orders["ruleset_size"]
    ruleset = call(444, ctypes.create_string_buffer(attribute, 24), ctypes.c_size_t(size), ctypes.c_uint32(0))
    for path, rights in orders["readable"]:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # gone meanwhile: then it cannot be read either
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place), 12)
        call(445, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
        os.close(place)
    return ruleset


def module(name: str, path: str) -> types.ModuleType:
    """The module in a file."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    found = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def own_threads() -> int:
    """How many threads this user has now: RLIMIT_NPROC counts them all."""
    count = 0
    try:
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    if entry.stat().st_uid == os.geteuid():
                        count += max(1, os.stat(f"/proc/{entry.name}/task").st_nlink - 2)
                except OSError:
                    continue  # it ended meanwhile
    except OSError:
        return 0  # no /proc in a namespace of our own, whose count starts at nothing
    return count


# --- namespaces ------------------------------------------------------------------------------------------------------


def isolate(orders: dict[str, Any], control: socket.socket) -> None:
    """Namespaces for files, processes, network, IPC and host name; returns in the first process of the new ones.

    Root that may needs no user namespace; everybody else gets one in which he is himself and no more.
    """
    user, group = os.geteuid(), os.getegid()
    flags = NEWNS | NEWPID | NEWNET | NEWIPC | NEWUTS
    if libc.unshare(flags) != 0:
        checked("unshare", libc.unshare(flags | NEWUSER))
        orders["alone"] = True
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    first = os.fork()
    if first:
        control.close()
        _, status = os.waitpid(first, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: with the outer process goes everything in here
    build(orders)


def build(orders: dict[str, Any]) -> None:
    """A file system of its own: what may be read, read-only; the folder of declared files; three devices; no /proc."""
    root = orders["root"]
    mount(None, "/", None, RECURSIVE | PRIVATE)
    mount("none", root, "tmpfs", NOSUID | NODEV, "size=1m,mode=755")
    for path in orders["mounted"]:
        if os.path.islink(path):
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            os.symlink(os.readlink(path), root + path)
            continue
        target = root + path
        if os.path.isdir(path):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            open(target, "x").close()
        mount(path, target, None, BIND | RECURSIVE)
        if not path.startswith("/dev/"):
            had = os.statvfs(path).f_flag
            closed = 0 if path == orders["work"] else RDONLY
            kept = had & LOCKED | (RELATIME if had & 4096 else 0)
            mount(None, target, None, BIND | REMOUNT | NOSUID | NODEV | closed | kept)
    os.mkdir(f"{root}/.old")
    checked("pivot_root", libc.syscall(orders["pivot_root"], root.encode(), f"{root}/.old".encode()))
    os.chdir("/")
    checked("umount2", libc.umount2(b"/.old", 2))  # MNT_DETACH
    os.rmdir("/.old")
    mount(None, "/", None, REMOUNT | BIND | RDONLY | NOSUID | NODEV)


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    texts = [None if text is None else text.encode() for text in (source, target, kind, data)]
    checked(f"mount {target}", libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]))


def checked(what: str, found: int) -> None:
    if found != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


# --- the child: into the jail ----------------------------------------------------------------------------------------


def enter(
    job: int, results: int, starter: int, parent: int, orders: dict[str, Any], ruleset: int, filters: Any, most: int
) -> None:
    """Nothing is open but null, the results and, until it is read, the job; no rights; every limit; then the jail."""
    global JOB
    with os.fdopen(job, "rb") as source:
        JOB = marshal.loads(source.read())
    nowhere = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    top, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    kept = range(top - 3, top)  # out of the way of the low numbers
    os.dup2(results, kept[0])
    os.dup2(starter, kept[1])
    if ruleset >= 0:
        os.dup2(ruleset, kept[2])
    os.dup2(kept[0], RESULTS)
    os.closerange(RESULTS + 1, kept[1])
    os.chdir(orders["work"])
    alone = leave_root(orders)
    cpu_seconds, memory, file_bytes = JOB["limits"]
    for what, soft, hard in (
        (resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1),
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_STACK, 8 << 20, 8 << 20),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
        (resource.RLIMIT_NOFILE, 32, 32),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_MEMLOCK, 0, 0),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
        (resource.RLIMIT_RTPRIO, 0, 0),
        (resource.RLIMIT_NICE, 0, 0),
        (resource.RLIMIT_NPROC, THREADS if alone else most, THREADS if alone else most),
    ):
        lower(what, soft, hard)
    libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
    libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        raise OSError("the zygote is gone")
    if ruleset >= 0:
        wear(kept[2], filters, orders["quiet"])
    os.write(kept[1], b"1")
    os.close(kept[1])


def leave_root(orders: dict[str, Any]) -> bool:
    """Drop every capability, and where root's rights were behind them become a user of nobody's; True if alone then."""
    for capability in range(64):
        if libc.prctl(24, capability, 0, 0, 0) != 0:  # PR_CAPBSET_DROP: no such capability, or no right to
            break
    alone = bool(orders["alone"])
    if os.geteuid() == 0 and orders["strangers_read"]:
        for user in (orders["user"], 65534):
            try:
                os.setgroups([])
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
                alone = user != 65534
                break
            except OSError:  # not mapped in this container's user namespace, or not allowed to
                continue
    version_3 = 0x20080522
    checked("capset", libc.capset((ctypes.c_uint32 * 2)(version_3, 0), (ctypes.c_uint32 * 6)()))
    return alone


def wear(ruleset: int, filters: Any, quiet: int) -> None:
    """From here on nothing can be opened but what the ruleset names, and no call made that the filter denies."""
    checked("no_new_privs", libc.prctl(38, 1, 0, 0, 0))
    call(446, ctypes.c_int(ruleset), ctypes.c_uint32(quiet))
    os.close(ruleset)
    header = (ctypes.c_size_t * 2)(len(filters) // 8, ctypes.addressof(filters))
    checked("seccomp", libc.prctl(22, 2, header, 0, 0))  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


# --- the child: the job ----------------------------------------------------------------------------------------------


JOB: dict[str, Any] = {}


def answer(query: Any) -> None:
    """Make the calls, or ask the databases, one result line for each."""
    if JOB["kind"] == "query":
        for index, database in enumerate(JOB["databases"]):
            found = query.run(database, JOB["query"])
            told = encoded((found.columns, found.rows))
            tell(index, "exception", quoted(found.error)) if found.error else tell(index, "ok", told, "true")
        return
    program = types.ModuleType("answer")
    sys.modules["answer"] = program
    calls = JOB["calls"]
    try:
        exec(compile(JOB["code"], "<answer>", "exec", dont_inherit=True), program.__dict__)
    except BaseException as error:
        for index in range(len(calls)):
            tell_error(index, error)
        return
    for index, (function, arguments) in enumerate(calls):
        try:
            before = encoded(arguments)
            value = encoded(program.__dict__[function](*arguments))
            after = encoded(arguments)
            tell(index, "ok", value, "true" if after == before else after)
        except BaseException as error:
            tell_error(index, error)


def tell(index: int, status: str, value: str, arguments: str = "null") -> None:
    """One line into the pipe for results."""
    line = f'["{JOB["nonce"]}",{index},"{status}",{value},{arguments}]\n'.encode()
    while line:
        line = line[os.write(RESULTS, line) :]


def tell_error(index: int, error: BaseException) -> None:
    tell(index, "out of memory" if isinstance(error, MemoryError) else "exception", quoted(said(error)))


def said(error: BaseException) -> str:
    """'ValueError: text', whatever the error's own __str__ does."""
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except BaseException:
        return "an error that cannot be shown"


def encoded(value: Any, depth: int = 0) -> str:
    """The typed JSON text of a value; see values.py. Exact types only: a subclass may lie about itself."""
    kind = type(value)
    if kind.__module__ == "collections" and isinstance(value, dict):
        kind, value = dict, dict(value)  # Counter and its like are what an honest answer returns
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value) if value.bit_length() < 10_000 else f'["int","{value:#x}"]'
    if kind is str:
        return quoted(value)
    if kind is float:
        return f'["float",{quoted(value.hex())}]'
    if kind is bytes:
        return f'["bytes",{quoted(value.hex())}]'
    if depth < DEEPEST:
        if kind is dict:
            pairs = [f"[{encoded(key, depth + 1)},{encoded(item, depth + 1)}]" for key, item in value.items()]
            return f'["dict",[{",".join(pairs)}]]'
        if kind in (list, tuple, set, frozenset):
            return f'["{kind.__name__}",[{",".join([encoded(item, depth + 1) for item in value])}]]'
    return f'["opaque",{quoted(str(kind.__name__))}]'


def main() -> None:
    """Take orders, put on namespaces if told so, serve."""
    sys.setrecursionlimit(1000)
    for one in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
        signal.signal(one, signal.SIG_DFL)  # a harness that ignores SIGCHLD would leave us without wait statuses
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    lower(resource.RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS)
    control = socket.socket(fileno=os.dup(int(sys.argv[1])))  # a low number, which every child closes
    os.close(int(sys.argv[1]))
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass  # then the kernel chooses as it likes
    _, descriptors, _, _ = socket.recv_fds(control, 64, 1)
    with os.fdopen(descriptors[0], "rb") as source:
        orders: dict[str, Any] = marshal.loads(source.read())
    orders["user"] = UNKNOWN_USER + os.getpid()
    query = module("query", orders["query"])
    know_library()
    _thread.stack_size(1 << 20)
    libc.mallopt(-8, 1)  # M_ARENA_MAX: every further arena would take its share of the address space
    try:
        if orders["namespaces"]:
            isolate(orders, control)
        serve(control, orders, query)
    except OSError as error:
        control.send(str(error).encode()[:200])
    os._exit(0)


def know_library() -> None:
    """Children may not list the library's folder: the finder keeps what it has read of it, whatever it is asked."""
    finder = sys.path_importer_cache.get(os.path.dirname(os.__file__))
    if finder is not None and hasattr(finder, "_fill_cache"):
        finder._fill_cache()
        finder._fill_cache = lambda: None


def lower(what: int, soft: int, hard: int) -> None:
    """Sets a limit, or what is left of it where the user has a lower one already."""
    _, most = resource.getrlimit(what)
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(what, (soft, hard))


if __name__ == "__main__":
    main()
