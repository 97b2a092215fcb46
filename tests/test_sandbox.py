# ruff: noqa: E501
"""The sandbox against programs that do not want to be measured. No assertion here looks at a clock."""

from __future__ import annotations

import errno
import os
import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import harness
from harness.sandbox import Call, CallResult, Limits, Opaque, run_calls, same, tier
from harness.sandbox.values import decode

QUICK = Limits(cpu_seconds=1, wall_seconds=5)
TWICE = [Call("f", (3,)), Call("f", (4,))]


def one(code: str, *args: object, limits: Limits = QUICK) -> CallResult:
    return run_calls(code, [Call("f", args)], limits)[0]


def body(*lines: str) -> str:
    return "import os, sys, time\ndef f(*args):\n    " + "\n    ".join(lines)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        7,
        -(10**30),
        1.5,
        float("inf"),
        "été \ud800 \0",
        b"\xff",
        [1, [2]],
        (1,),
        {1, "a"},
        frozenset({2}),
        {1: "a"},
    ],
    ids=repr,
)
def test_values_come_back_with_their_types(value: object) -> None:
    assert same(one("def f(x): return x", value).value, value)


def test_equal_values_of_other_types_are_not_the_same() -> None:
    pairs = [(1, True), (1, 1.0), ([1], (1,)), ({1}, {True}), ({1: 2}, {True: 2}), ("a", b"a"), (0.0, -0.0)]
    assert not any(same(left, right) for left, right in pairs)


def test_arguments_are_reported_as_they_were_left() -> None:
    assert one("def f(x): x.append(1)", [0]).args == ([0, 1],)


def test_counter_comes_back_as_the_dictionary_it_is() -> None:
    assert one("from collections import Counter\ndef f(x): return Counter(x)", "aab").value == {"a": 2, "b": 1}


def test_calls_share_a_process_and_keep_their_order() -> None:
    results = run_calls("seen = []\ndef f(x):\n    seen.append(x)\n    return list(seen)", TWICE)
    assert [result.value for result in results] == [[3], [3, 4]]


def test_results_before_a_timeout_are_kept() -> None:
    code = "def f(x):\n    while x == 4: pass\n    return x"
    assert [result.status for result in run_calls(code, TWICE, QUICK)] == ["ok", "timeout"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (" \n", "no code"),
        ("def f(x)", "exception"),
        ("x = 1", "exception"),
        ("\0", "exception"),
        ("def f(x): raise ValueError(x)", "exception"),
        ("def f(x): raise SystemExit(0)", "exception"),
        ("import sys\nsys.exit(0)", "exception"),
        ("def f(x): return f(x)", "exception"),
        ("def f(x): return input()", "exception"),
        (body("while True: pass"), "timeout"),
        (body("import signal", "signal.signal(signal.SIGXCPU, lambda *a: None)", "while True: pass"), "timeout"),
        (body("return 7 ** (7 ** 9)"), "timeout"),
        (body("time.sleep(1000)"), "timeout"),
        (body("return bytearray(2 << 30)"), "out of memory"),
        (body("return [0] * (1 << 40)"), "out of memory"),
        (body("os._exit(0)"), "crash"),
        ("import os\nos._exit(0)", "crash"),
        (body("os.abort()"), "crash"),
        (body("import ctypes", "ctypes.string_at(0)"), "crash"),
        (body("os.closerange(0, 64)"), "crash"),
    ],
    ids=repr,
)
def test_program_that_fails_is_told_apart(code: str, status: str) -> None:
    assert one(code, 3).status == status


def test_fork_bomb_starts_nothing() -> None:
    code = body("n = 0", "for _ in range(50):", "    try:", "        if os.fork() == 0: os._exit(0)", "        n += 1",
                "    except OSError: pass", "return n")  # fmt: skip
    assert one(code).value == 0


def test_no_child_and_no_thread_can_be_left_behind() -> None:
    assert "Error" in one(body("import subprocess", "subprocess.Popen(['sleep', '100'])")).detail
    assert "thread" in one(body("import threading", "threading.Thread(target=time.sleep).start()")).detail


def test_environment_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_TEST_TOKEN", "s3cret")
    seen = one(body("return dict(os.environ)")).value
    assert seen.keys() <= {"PYTHONHASHSEED", "LC_CTYPE"}


def test_open_files_are_the_result_channel_and_null_only() -> None:
    code = body("found = []", "for n in range(64):", "    try: found.append(oct(os.fstat(n).st_mode >> 12))",
                "    except OSError: pass", "return found")  # fmt: skip
    assert one(code).value == ["0o2", "0o2", "0o2", "0o1"]  # three times a device, one pipe


FORBIDDEN = {
    "read a file": "return open('/etc/passwd').read()",
    "read the suite": f"return open({str(Path(__file__).parents[1] / 'suites' / 'sql' / 'test.jsonl')!r}).read()",
    "read the harness": f"return open({harness.__file__!r}).read()",
    "read through /proc": "return open('/proc/self/root/etc/passwd').read()",
    "environment of the parent": "return open(f'/proc/{os.getppid()}/environ').read()",
    "memory of the parent": "return open(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
    "list processes": "return os.listdir('/proc')",
    "list the root": "return os.listdir('/')",
    "write here": "open('x', 'w').close()",
    "write a temporary file": "open('/tmp/harness-sandbox-leak', 'w').close()",
    "write shared memory": "open('/dev/shm/harness-sandbox-leak', 'w').close()",
    "make a folder": "os.mkdir('/tmp/harness-sandbox-leak')",
    "make a link": "os.symlink('/etc/passwd', 'x')",
    "tcp": "import socket; socket.create_connection(('127.0.0.1', 1))",
    "udp": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "unix socket": "import socket; socket.socket(socket.AF_UNIX)",
    "signal itself": "os.kill(os.getpid(), 9)",
    "signal the parent": "os.kill(os.getppid(), 0)",
    "signal its group": "os.killpg(0, 9)",
    "another program": "os.execv('/bin/true', ['true'])",
    "a pipe to a shell": "os.popen('true').close()",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "fork": "os.fork()",
    "memory file": "os.memfd_create('x')",
    "change the mode": "os.chmod('/dev/null', 0o777)",
    "another user": "os.setuid(12345)",
    "a session of its own": "os.setsid()",
}
CALLS = {
    "ptrace": (101, 117), "unshare": (272, 97), "mount": (165, 40), "bpf": (321, 280), "io_uring_setup": (425, 425),
    "userfaultfd": (323, 282), "keyctl": (250, 219), "memfd_secret": (447, 447), "shmget": (29, 194),
    "process_vm_readv": (310, 270), "pidfd_open": (434, 434), "perf_event_open": (298, 241), "kexec_load": (246, 104),
}  # fmt: skip


@pytest.fixture(scope="module")
def jailed() -> None:
    assert tier() == "jail", "these tests need a kernel with Landlock and seccomp (Linux 5.13 or later)"


@pytest.mark.usefixtures("jailed")
@pytest.mark.parametrize("attack", FORBIDDEN)
def test_jail_forbids(attack: str) -> None:
    found = one(body(FORBIDDEN[attack]))
    assert found.status == "exception"
    assert found.detail.startswith(("PermissionError", "BlockingIOError"))


@pytest.mark.usefixtures("jailed")
@pytest.mark.parametrize("name", CALLS)
def test_jail_denies_the_system_call(name: str) -> None:
    number = CALLS[name][platform.machine() == "aarch64"]
    code = body("import ctypes", "libc = ctypes.CDLL(None, use_errno=True)",
                f"return [libc.syscall({number}, 0, 0, 0, 0, 0), ctypes.get_errno()]")  # fmt: skip
    assert one(code).value == [-1, errno.EPERM]


@pytest.mark.usefixtures("jailed")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the x32 ABI belongs to x86-64")
def test_other_numbers_for_the_same_calls_kill() -> None:
    code = body("import ctypes", "return ctypes.CDLL(None).syscall(0x40000000 + 39)")
    assert one(code).status == "crash"


@pytest.mark.usefixtures("jailed")
def test_jail_cannot_be_taken_off() -> None:
    code = body("status = []", "import ctypes", "libc = ctypes.CDLL(None)",
                "status.append(libc.prctl(39, 0, 0, 0, 0))", "status.append(libc.prctl(21, 0, 0, 0, 0))",
                "return status")  # fmt: skip
    assert one(code).value == [1, 2]  # no new privileges; seccomp by a filter


@pytest.mark.usefixtures("jailed")
def test_honest_code_works_in_the_jail() -> None:
    lines = ["import asyncio, collections, csv, dataclasses, datetime, decimal, fractions, functools, heapq, hashlib",
             "import itertools, json, math, random, re, sqlite3, statistics, string, textwrap, unicodedata, zoneinfo",
             "async def g(): return 3",
             "there = zoneinfo.ZoneInfo('Europe/Oslo').key",
             "return [asyncio.run(g()), there, sqlite3.connect(':memory:').execute('select 7').fetchone()[0]]"]  # fmt: skip
    assert one(body(*lines)).value == [3, "Europe/Oslo", 7]


def test_limits_alone_still_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sandbox.process.tier", lambda: "limits only")
    assert one("def f(x): return 2 * x", 4).value == 8
    assert one(body("while True: pass")).status == "timeout"
    assert one(body("open('x', 'w').write('y')")).status == "exception"


def test_nothing_is_written_and_nothing_is_left() -> None:
    code = body("here = os.getcwd()", "try:", "    with open('note', 'w') as file: file.write('x' * 10)",
                "except OSError as error: return [here, type(error).__name__]", "return [here, 'written']")  # fmt: skip
    folder, outcome = one(code).value
    assert outcome in ("PermissionError", "OSError")
    assert not Path(folder).exists()


def test_limits_cannot_be_raised_again() -> None:
    code = body("import resource", "try: resource.setrlimit(resource.RLIMIT_CPU, (99, 99))",
                "except (ValueError, OSError): return 'refused'")  # fmt: skip
    assert one(code).value == "refused"


def test_flood_of_output_is_thrown_away() -> None:
    code = body("for _ in range(2000): print('x' * 10_000)", "sys.stderr.write('y' * 10_000_000)", "return 'done'")
    assert one(code).value == "done"


def test_result_larger_than_the_channel_is_no_result() -> None:
    assert one("def f(): return 'x' * 10_000_000").status == "protocol error"


FORGERIES = {
    "prints a result": body("print('[\"\", 0, \"ok\", 42, [\"list\", []]]')", "return 41"),
    "prints PASS": body("print('PASS', flush=True)", "return 41"),
    "exits with success": body("os._exit(0)"),
    "exits in atexit": "import atexit, os\natexit.register(os._exit, 0)\ndef f(): return 41",
    "writes to every descriptor": body(
        "for n in range(64):", "    try: os.write(n, b'[\"\",0,\"ok\",42,[\"list\",[]]]\\n')", "    except OSError: pass", "return 41"
    ),
    "equal to everything": "class Any:\n    def __eq__(self, other): return True\ndef f(): return Any()",
    "a subclass of int": "class N(int):\n    def __eq__(self, other): return True\n    __hash__ = None\ndef f(): return N(41)",
    "patches builtins": "import builtins\nbuiltins.len = builtins.type = lambda *a: 42\ndef f(): return 41",
    "traces its caller": body("def trace(frame, event, arg):", "    frame.f_locals.update(status='ok', passed=True, expected=41)", "    return trace",
                              "sys.settrace(trace)", "return 41"),
    "patches the encoder": body("sys.modules['__main__'].encoded = lambda *a: '41'", "return 41"),
    "an exception called ok": "class ok(Exception): pass\ndef f(): raise ok(42)",
    "deep nesting": body("x = []", "for _ in range(100_000): x = [x]", "return x"),
    "a cycle": body("x = []", "x.append(x)", "return x"),
    "a huge integer": body("return 10 ** 100_000"),
    "a spinning metaclass": "class M(type):\n    @property\n    def __name__(cls): return 42\nclass A(metaclass=M): pass\ndef f(): return A()",
}  # fmt: skip


@pytest.mark.parametrize("code", FORGERIES.values(), ids=FORGERIES)
def test_forged_result_is_not_the_expected_one(code: str) -> None:
    result = one(code)
    assert not (result.status == "ok" and same(result.value, 42))


def test_program_that_knows_the_channel_but_not_the_nonce_gets_nothing() -> None:
    code = body(
        "for n in range(3, 64):",
        '    try: os.write(n, b\'["0",0,"ok",42,["list",[]]]\\n\')',
        "    except OSError: pass",
    )
    assert one(code).status == "protocol error"


@pytest.mark.parametrize(
    "wire",
    [{}, 1.5, [], ["list"], ["list", 3], ["no", []], ["float", 1], ["dict", [1]], ["set", [["list", []]]]],
    ids=repr,
)
def test_malformed_values_are_refused(wire: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        decode(wire)


def test_unknown_types_equal_nothing() -> None:
    assert one("def f(): return (n for n in [])").value == Opaque("generator")
    assert not same(Opaque("generator"), Opaque("generator"))


def test_set_order_is_the_same_in_every_process() -> None:
    code = "def f(): return list({'alpha', 'beta', 'gamma', 'delta', 'epsilon'})"
    assert one(code).value == one(code).value


def test_answers_cannot_see_each_other() -> None:
    one("import builtins\nbuiltins.leak = 1\ndef f(): return 1")
    assert one("def f(): return leak").status == "exception"


def test_several_threads_may_ask_at_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda n: one("def f(x): return x * x", n, limits=Limits()).value, range(8)))
    assert values == [n * n for n in range(8)]


def test_no_descriptor_leaks_in_the_harness() -> None:
    one("def f(): return 1")
    before = len(os.listdir("/proc/self/fd"))
    for code in ("def f(): return 1", "import os\nos._exit(3)", "syntax error"):
        one(code)
    assert len(os.listdir("/proc/self/fd")) == before
