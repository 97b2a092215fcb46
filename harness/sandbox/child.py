"""The program that runs inside the sandbox process: limit itself, load the answer, make the calls, write the results.

Started by process.py as a script; imports nothing of the harness and as little of the standard library as it can
(start-up is most of the cost). Each result is one JSON line [nonce, index, status, value, arguments afterwards].
It is told calls, never what they should return. What the answer does to this process it does to itself.
"""

from __future__ import annotations

import marshal
import os
import resource
import sys

TYPE_CHECKING = False  # importing typing would double the start-up time
if TYPE_CHECKING:
    from typing import Any

try:
    from _json import encode_basestring_ascii as quoted
except ImportError:  # an interpreter without the C accelerator
    from json.encoder import encode_basestring_ascii as quoted

DEEPEST = 50
UNKNOWN_USER = 1_000_000  # plus the pid: a user id of its own, so that two answers cannot signal each other


def limit(cpu_seconds: int, memory_bytes: int) -> None:
    """Give up root where there is any, then lower every limit for good."""
    leave_root()
    for what, soft, hard in (
        (resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1),
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_NOFILE, 32, 32),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NPROC, 0, 0),
    ):
        resource.setrlimit(what, (soft, hard))


def leave_root() -> None:
    """Become a user of nobody's: RLIMIT_NPROC does not bind root, and root may signal everybody."""
    if os.geteuid() != 0:
        return
    bare = readable_by_all(os.path.dirname(os.__file__))
    libc = None if bare else keep_capabilities()
    for user in (UNKNOWN_USER + os.getpid(), 65534):
        try:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            break
        except OSError:  # not mapped in this container's user namespace
            continue
    if libc:
        keep_only_reading(libc)


def enter(handled: int, readable: Any, program: bytes) -> None:
    """Put the jail on: from here on nothing can be opened but what `readable` names, and no call that `program` denies.

    Raises OSError where the kernel does not take it.
    """
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: Any) -> int:
        found = int(libc.syscall(ctypes.c_long(number), *arguments))
        if found < 0:
            raise OSError(ctypes.get_errno(), f"system call {number}")
        return found

    if libc.prctl(38, 1, 0, 0, 0) != 0:  # PR_SET_NO_NEW_PRIVS
        raise OSError("no_new_privs")
    attribute = ctypes.c_uint64(handled)
    ruleset = call(444, ctypes.byref(attribute), ctypes.c_size_t(8), ctypes.c_uint32(0))
    for path, rights in readable:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # gone meanwhile: then it cannot be read either
        rule = ctypes.create_string_buffer(rights.to_bytes(8, sys.byteorder) + place.to_bytes(4, sys.byteorder), 12)
        call(445, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
        os.close(place)
    call(446, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)
    code = ctypes.create_string_buffer(program, len(program))
    header = (ctypes.c_size_t * 2)(len(program) // 8, ctypes.addressof(code))
    if libc.prctl(22, 2, header, 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "seccomp")


def readable_by_all(folder: str) -> bool:
    """May any user import the standard library from here? Not where Python lies in root's home."""
    while os.stat(folder).st_mode & 0o001:
        if folder == os.path.dirname(folder):
            return True
        folder = os.path.dirname(folder)
    return False


def keep_capabilities() -> Any:
    import ctypes  # 5 ms, so only where root's interpreter is hidden from others

    libc = ctypes.CDLL(None)
    libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
    return libc


def keep_only_reading(libc: Any) -> None:
    """Every capability goes but CAP_DAC_READ_SEARCH, without which nothing more could be imported."""
    import ctypes

    version_3, reading = 0x20080522, 1 << 2
    if libc.capset((ctypes.c_uint32 * 2)(version_3, 0), (ctypes.c_uint32 * 6)(reading, reading, 0, 0, 0, 0)) != 0:
        raise OSError("capset")


def encoded(value: Any, depth: int = 0) -> str:
    """The typed JSON text of a value; see values.py. Exact types only: a subclass may lie about itself."""
    kind = type(value)
    if kind.__module__ == "collections" and isinstance(
        value, dict
    ):  # Counter and its like are what an honest answer returns
        kind, value = dict, dict(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
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


def said(error: BaseException) -> str:
    """'ValueError: text', whatever the error's own __str__ does."""
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except BaseException:
        return "an error that cannot be shown"


def main() -> None:
    with os.fdopen(0, "rb", closefd=False) as source:
        nonce, channel, cpu_seconds, memory_bytes, jail, code, calls = marshal.loads(source.read())
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    limit(cpu_seconds, memory_bytes)
    if jail:
        enter(*jail)

    def tell(index: int, status: str, value: str, arguments: str = "null") -> None:
        line = f'["{nonce}",{index},"{status}",{value},{arguments}]\n'.encode()
        while line:
            line = line[os.write(channel, line) :]

    def tell_error(index: int, error: BaseException) -> None:
        tell(index, "out of memory" if isinstance(error, MemoryError) else "exception", quoted(said(error)))

    tell(-1, "ready", "null")
    namespace: dict[str, Any] = {"__name__": "answer"}
    try:
        exec(compile(code, "<answer>", "exec"), namespace)
    except BaseException as error:
        for index in range(len(calls)):
            tell_error(index, error)
        os._exit(0)
    for index, (function, arguments) in enumerate(calls):
        try:
            value = encoded(namespace[function](*arguments))
            tell(index, "ok", value, encoded(arguments))
        except BaseException as error:
            tell_error(index, error)
    os._exit(0)  # no atexit hooks, no finalizers


if __name__ == "__main__":
    sys.setrecursionlimit(1000)
    main()
