# ruff: noqa: E501
"""The sandbox against programs that do not want to be measured. No assertion here looks at a clock."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.sandbox import Call, CallResult, Limits, Opaque, run_calls, same
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
        (body("os.kill(os.getpid(), 9)"), "crash"),
        (body("os.abort()"), "crash"),
        (body("import ctypes", "ctypes.string_at(0)"), "crash"),
        (body("os.closerange(0, 64)"), "crash"),
        (body("os.execv('/bin/true', ['true'])"), "crash"),
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
    assert "BlockingIOError" in one(body("import subprocess", "subprocess.Popen(['sleep', '100'])")).detail
    assert "thread" in one(body("import threading", "threading.Thread(target=time.sleep).start()")).detail


def test_environment_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_TEST_TOKEN", "s3cret")
    seen = one(body("return [repr(dict(os.environ)), open('/proc/self/environ').read()]")).value
    assert seen is not None
    assert "s3cret" not in "".join(seen)


def test_open_files_are_the_result_channel_and_null_only() -> None:
    code = body("return sorted(os.readlink(f'/proc/self/fd/{n}').split(':')[0] for n in range(64) "
                "if os.path.lexists(f'/proc/self/fd/{n}'))")  # fmt: skip
    assert one(code).value == ["/dev/null", "/dev/null", "/dev/null", "pipe"]


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
