# ruff: noqa: E501
"""The sandbox against programs that do not want to be measured. No assertion here looks at a clock."""

from __future__ import annotations

import errno
import os
import platform
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import harness
from harness.errors import SandboxError, SuiteError
from harness.sandbox import (
    Call,
    CallResult,
    Limits,
    Opaque,
    Tier,
    described,
    jail,
    pool,
    run_calls,
    run_queries,
    same,
    tiers,
)
from harness.sandbox.values import decode

QUICK = Limits(cpu_seconds=1, wall_seconds=5)
TWICE = [Call("f", (3,)), Call("f", (4,))]


def one(code: str, *args: object, limits: Limits = QUICK, tier: Tier | None = None) -> CallResult:
    return run_calls(code, [Call("f", args)], limits, tier=tier)[0]


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


def test_no_process_can_be_started() -> None:
    assert "Error" in one(body("import subprocess", "subprocess.Popen(['sleep', '100'])")).detail


def test_threads_end_with_their_program() -> None:
    code = body("import threading", "threading.Thread(target=time.sleep, args=(100,)).start()", "return 'started'")
    assert one(code).value == "started"


def test_threads_are_few() -> None:
    code = body("import threading", "threading.stack_size(32768)", "n = 0", "try:", "    for _ in range(1000):",
                "        threading.Thread(target=time.sleep, args=(100,), daemon=True).start()", "        n += 1",
                "except RuntimeError: pass", "return n")  # fmt: skip
    assert one(code).value < 1000


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


@pytest.fixture(params=["T2", "T1"])
def tier(request: pytest.FixtureRequest) -> Tier:
    found: Tier = request.param
    if found == "T2" and found not in tiers():
        pytest.skip(f"no namespaces here: {pool.why_not('T2')}")
    assert found in tiers(), "these tests need a kernel with Landlock and seccomp (Linux 5.13 or later)"
    return found


@pytest.mark.parametrize("attack", FORBIDDEN)
def test_jail_forbids(attack: str, tier: Tier) -> None:
    found = one(body(FORBIDDEN[attack]), tier=tier)
    assert found.status == "exception"
    assert found.detail.startswith(("PermissionError", "BlockingIOError", "FileNotFoundError", "OSError"))


@pytest.mark.parametrize("name", CALLS)
def test_jail_denies_the_system_call(name: str, tier: Tier) -> None:
    number = CALLS[name][platform.machine() == "aarch64"]
    code = body("import ctypes", "libc = ctypes.CDLL(None, use_errno=True)",
                f"return [libc.syscall({number}, 0, 0, 0, 0, 0), ctypes.get_errno()]")  # fmt: skip
    assert one(code, tier=tier).value == [-1, errno.EPERM]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the x32 ABI belongs to x86-64")
def test_other_numbers_for_the_same_calls_kill(tier: Tier) -> None:
    code = body("import ctypes", "return ctypes.CDLL(None).syscall(0x40000000 + 39)")
    assert one(code, tier=tier).status == "crash"


HEADERS = (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h"))


@pytest.mark.skipif(not all(file.exists() for file in HEADERS), reason="needs the kernel's headers (linux-libc-dev)")
def test_numbers_of_system_calls_are_the_kernels() -> None:
    for place, file in enumerate(HEADERS):
        defined = dict(re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", file.read_text()))
        known = {name: numbers[place] for name, numbers in jail.DENIED.items() if name in defined}
        assert len(known) > 100
        assert {name: str(number) for name, number in known.items()} == {name: defined[name] for name in known}


def test_jail_cannot_be_taken_off_and_no_right_is_left(tier: Tier) -> None:
    code = body("import ctypes", "libc = ctypes.CDLL(None)", "rights = (ctypes.c_uint32 * 6)(*range(6))",
                "libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), rights)",
                "return [list(rights), libc.prctl(39, 0, 0, 0, 0), libc.prctl(21, 0, 0, 0, 0)]")  # fmt: skip
    assert one(code, tier=tier).value == [[0] * 6, 1, 2]  # no new privileges; seccomp by a filter


def test_honest_code_works_in_the_jail(tier: Tier) -> None:
    lines = ["import asyncio, collections, csv, dataclasses, datetime, decimal, fractions, functools, heapq, hashlib",
             "import itertools, json, math, random, re, sqlite3, statistics, string, textwrap, unicodedata, zoneinfo",
             "import email, html, http, logging, queue, secrets, ssl, threading, uuid, urllib.parse, xml.etree.ElementTree",
             "from concurrent.futures import ThreadPoolExecutor",
             "async def g(): return await asyncio.to_thread(abs, -3)",
             "there = zoneinfo.ZoneInfo('Europe/Oslo').key",
             "with open(os.devnull, 'w') as file: print('hello', file=file)",
             "with ThreadPoolExecutor(4) as pool: squares = list(pool.map(lambda n: n * n, range(4)))",
             "seven = sqlite3.connect(':memory:').execute('select 7').fetchone()[0]",
             "return [asyncio.run(g()), there, seven, squares]"]  # fmt: skip
    assert one(body(*lines), tier=tier).value == [3, "Europe/Oslo", 7, [0, 1, 4, 9]]


def test_dataclasses_and_type_hints_find_their_module() -> None:
    code = """from __future__ import annotations
import dataclasses, typing
@dataclasses.dataclass
class Point:
    x: int
def f(n): return [Point(n).x, typing.get_type_hints(Point)['x'] is int]"""
    assert one(code, 3).value == [3, True]


FILES = {"in.txt": b"seven\n", "out.txt": b""}
USES_FILES = body("with open('in.txt') as file: text = file.read()",
                  "with open('out.txt', 'w') as file: file.write(text * 2)",
                  "with open('out.txt') as file: return [file.read(), sorted(os.listdir('.'))]")  # fmt: skip


def test_declared_files_are_there_and_gone_afterwards(tier: Tier) -> None:
    for _ in range(2):
        found = run_calls(USES_FILES, [Call("f")], files=FILES, tier=tier)[0]
        assert found.value == ["seven\nseven\n", ["in.txt", "out.txt"]]
    assert one(body("return os.listdir('.')"), tier=tier).value == []


def test_declared_files_are_all_there_is_to_write(tier: Tier) -> None:
    tries = ["open('other', 'w')", "os.rename('out.txt', 'x')", "os.remove('in.txt')", "os.mkdir('x')",
             "os.open('.', os.O_TMPFILE | os.O_RDWR)"]  # fmt: skip
    for line in tries:
        assert run_calls(body(line), [Call("f")], files=FILES, tier=tier)[0].status == "exception", line
    big = body("with open('out.txt', 'wb') as file: file.write(bytes(2 << 20))")
    assert "Error" in run_calls(big, [Call("f")], files=FILES, tier=tier)[0].detail


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "..", ".", "a/b", "a\0b", ""])
def test_file_outside_the_folder_is_one_line(name: str) -> None:
    with pytest.raises(SuiteError, match="outside the program's folder") as error:
        run_calls("def f(): pass", [Call("f")], files={name: b""})
    assert "\n" not in str(error.value)


def test_job_above_the_limits_is_one_line() -> None:
    with pytest.raises(SuiteError, match="above the 16,777,216 allowed"):
        one("def f(x): pass", "x" * (17 << 20))
    with pytest.raises(SuiteError, match="more than 10000"):
        run_calls("def f(): pass", [Call("f")] * 10_001)
    with pytest.raises(SuiteError, match="no plain value"):
        one("def f(x): pass", object())


def test_without_a_jail_programs_are_refused_unless_the_user_accepts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sandbox.pool.tiers", lambda: ())
    with pytest.raises(SandboxError, match="--i-accept-unsandboxed-code") as error:
        one("def f(x): return 2 * x", 4)
    assert "\n" not in str(error.value)
    monkeypatch.setattr("harness.sandbox.process._accepted", True)
    assert described() == "T0: NO JAIL, limits alone; accepted by the user"
    assert one("def f(x): return 2 * x", 4).value == 8
    assert one(body("while True: pass")).status == "timeout"
    assert one(body("with open('x', 'w') as file: file.write('y')")).status == "exception"


def test_kernel_without_landlock_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sandbox.jail.jail", lambda: None)
    monkeypatch.setattr("harness.sandbox.pool.tiers", lambda: ())
    monkeypatch.setattr("harness.sandbox.pool.why_not", pool.why_not.__wrapped__)
    with pytest.raises(SandboxError, match=r"no Landlock .* are not run here"):
        one("def f(): return 1")


def test_folders_of_killed_harnesses_are_swept() -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    folder = Path(tempfile.gettempdir(), f"{pool.FOLDER}{pool._namespace()}-{dead.pid}-left")
    folder.mkdir()
    pool._sweep.__wrapped__()
    assert not folder.exists()


def test_lost_zygote_is_replaced_and_its_job_done_again(tier: Tier) -> None:
    assert one("def f(): return 1", tier=tier).value == 1
    for zygote in pool._idle[tier]:
        assert zygote.process
        os.kill(zygote.process.pid, signal.SIGKILL)
    assert one("def f(): return 2", tier=tier).value == 2


def test_many_open_descriptors_do_not_reach_a_program(tier: Tier) -> None:
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(120)]
    try:
        code = body("return [n for n in range(4, 1000) if not isinstance(tried(n), OSError)]",
                    ) + "\ndef tried(n):\n    try: return os.fstat(n)\n    except OSError as error: return error"  # fmt: skip
        pool.close()
        assert one(code, tier=tier).value == []
    finally:
        for number in held:
            os.close(number)


def test_a_tier_without_a_jail_is_not_had_by_asking_for_it() -> None:
    with pytest.raises(SandboxError, match="--i-accept"):
        one("def f(): return 1", tier="T0")


def test_program_is_compiled_as_it_stands() -> None:
    assert one("def f(x: int): return f.__annotations__['x'] is int", 1).value is True


def test_imports_work_after_the_finders_were_told_to_look_again() -> None:
    code = "import importlib\nimportlib.invalidate_caches()\nimport colorsys, wave\ndef f(): return 1"
    assert one(code).value == 1


def test_arguments_of_two_calls_are_two_things() -> None:
    shared = [1]
    results = run_calls("def f(x):\n    x.append(2)\n    return len(x)", [Call("f", (shared,)), Call("f", (shared,))])
    assert [result.value for result in results] == [2, 2]


def test_limits_that_the_user_has_already_stay(tier: Tier) -> None:
    script = (
        "import resource as r\nfor what, most in ((r.RLIMIT_STACK, 4 << 20), (r.RLIMIT_NOFILE, 50)):\n"
        "    r.setrlimit(what, (most, most))\nimport signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        f"from harness.sandbox import *\nprint(run_calls('def f(): return 7', [Call('f')], tier={tier!r})[0].value)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False).stdout == "7\n"


def test_a_fork_of_the_harness_has_a_sandbox_of_its_own() -> None:
    script = (
        "import os, threading, time\nfrom harness.sandbox import *\nfrom harness.sandbox import pool\n"
        "busy = 'import time\\ndef f(): time.sleep(3)'\n"
        "for _ in range(pool.MOST_AT_ONCE): threading.Thread(target=run_calls, args=(busy, [Call('f')])).start()\n"
        "time.sleep(1)\npid = os.fork()\n"
        "if pid == 0:\n    print(run_calls('def f(): return 7', [Call('f')])[0].value, flush=True)\n    os._exit(0)\n"
        "os.waitpid(pid, 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "7\n", done.stderr


def test_sets_of_sets_are_compared_by_what_they_hold() -> None:
    assert same({frozenset([0, 8])}, {frozenset([8, 0])})
    assert same({float("nan"): 1}, {float("nan"): 1})
    assert same(3**10_000, one("def f(): return 3 ** 10_000").value)
    assert not same({(1,): 2}, {(True,): 2})


def test_program_that_ends_with_a_zygote_is_no_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    run = pool.Zygote.run

    def dies(self: pool.Zygote, job: bytes, seconds: float, most: int) -> pool.Ending:
        if b"poison" in job:
            raise pool.Lost("killed")
        return run(self, job, seconds, most)

    monkeypatch.setattr(pool.Zygote, "run", dies)
    assert one("poison = 1\ndef f(): return 1").status == "sandbox error"
    monkeypatch.setattr(pool.Zygote, "run", lambda *_: (_ for _ in ()).throw(pool.Lost("killed")))
    with pytest.raises(SandboxError, match="Free memory or processes"):
        one("def f(): return 1")


def test_program_left_alone_by_its_harness_ends(tier: Tier) -> None:
    script = (
        "import os, threading, time\nfrom harness.sandbox import *\nfrom harness.sandbox import pool\n"
        "code = 'import time\\ndef f(): time.sleep(60)'\n"
        f"threading.Thread(target=run_calls, args=(code, [Call('f')]), kwargs=dict(tier={tier!r})).start()\n"
        "time.sleep(2)\nprint(*[one.process.pid for one in pool._alive], flush=True)\nos.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=60, capture_output=True, text=True)
    sessions = {int(pid) for pid in done.stdout.split()}  # every zygote leads a session, which its programs share
    assert sessions
    for _ in range(100):
        if not (left := running(sessions)):
            break
        time.sleep(0.1)
    assert not left


def running(sessions: set[int]) -> list[str]:
    """Processes of these sessions that have not ended."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = entry.read_text().rsplit(")", 1)[1].split()[:4]
        except OSError:
            continue  # it ended meanwhile
        if int(session) in sessions and state not in "ZX":
            found.append(entry.parent.name)
    return found


def test_queries_run_in_the_jail_on_databases_without_a_file() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("create table t (x)")
        database.executemany("insert into t values (?)", [(1,), (None,), ("a",), (2.5,)])
        image = database.serialize()
    found = run_queries([image, image], "select x, 1 from t order by rowid")
    assert [(r.rows, r.columns) for r in found] == [([(1, 1), (None, 1), ("a", 1), (2.5, 1)], 2)] * 2
    for query, why in (
        ("select load_extension('x')", "fails"),
        ("attach 'x' as y", "fails"),
        ("vacuum into '/tmp/harness-sandbox-leak'", "fails"),
        ("pragma page_count", "fails"),
        ("select * from sqlite_master", "fails"),
        ("with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n", "too long"),
        ("select printf('%.*c', 900000000, 'x')", "fails"),
        ("select a.x from t a, t b, t c, t d, t e, t f, t g", "more than 2000 rows"),
    ):
        (result,) = run_queries([image], query)
        assert why in result.error, query
    assert run_queries([b"no database"], "select 1 from t")[0].error


def test_nothing_is_written_and_nothing_is_left() -> None:
    code = body("here = os.getcwd()", "try:", "    with open('note', 'w') as file: file.write('x' * 10)",
                "except OSError as error: return [here, type(error).__name__]", "return [here, 'written']")  # fmt: skip
    folder, outcome = one(code).value
    assert outcome in ("PermissionError", "OSError")
    assert os.listdir(folder) == []


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


HOSTILE = [
    (body("return 2 * args[0]"), "ok"),
    (body("os._exit(0)"), "crash"),
    (body("import ctypes", "ctypes.string_at(0)"), "crash"),
    (body("raise ValueError('x' * 100_000)"), "exception"),
    (body("return [0] * (1 << 40)"), "out of memory"),
    (body("os.write(3, b'[]\\n' * 1000)", "return 6"), "protocol error"),
    (body("os.write(3, b'[' * 60_000 + b'\\n')", "return 6"), "protocol error"),
    (body("x = []", "x.append(x)", "return x"), "ok"),
    (body("os.close(3)", "return 6"), "crash"),
    (body("return 'x' * 50_000"), "protocol error"),
    ("import sys\nsys.exit(0)", "exception"),
    ("def f(", "exception"),
    (" ", "no code"),
    (body("open('/etc/passwd')"), "exception"),
    (body("os.fork()"), "exception"),
    (
        body("for n in range(64):", "    try: os.write(n, b'x' * 1000)", "    except OSError: pass", "return 6"),
        "protocol error",
    ),
]


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_ten_thousand_hostile_programs_leave_nothing() -> None:
    limits = Limits(cpu_seconds=5, wall_seconds=60, result_bytes=40_000)

    def run_one(number: int) -> tuple[str, str]:
        code, status = HOSTILE[number % len(HOSTILE)]
        return one(code, 3, limits=limits).status, status

    def left() -> list[Path]:
        folders = Path(tempfile.gettempdir()).glob(f"{pool.FOLDER}{pool._namespace()}-{os.getpid()}-*")
        return sorted(file for folder in folders for file in folder.rglob("*"))

    with ThreadPoolExecutor(2) as threads:
        assert all(found == status for found, status in threads.map(run_one, range(200)))
        memory, before, open_files = resident(), left(), len(os.listdir("/proc/self/fd"))
        servers = pool.servers().keys()
        wrong = [pair for pair in threads.map(run_one, range(10_000)) if pair[0] != pair[1]]
    assert not wrong
    assert resident() - memory < 20 << 20
    assert left() == before
    assert servers <= pool.servers().keys()
    assert len(os.listdir("/proc/self/fd")) == open_files
    states = [stat.read_text().rsplit(")", 1)[1].split()[0] for stat in Path("/proc").glob("[0-9]*/stat") if mine(stat)]
    assert "Z" not in states


def mine(stat: Path) -> bool:
    """Is this a child of this process, or of one of its zygotes?"""
    try:
        return int(stat.read_text().rsplit(")", 1)[1].split()[1]) in {os.getpid(), *pool.servers()}
    except OSError:
        return False  # it ended meanwhile
