# ruff: noqa: E501
"""The list of attacks: programs that reach for the host (H), that want to be credited for wrong answers (V), that abuse
the result channel (C), inventions of our own (X), and honest programs that must pass (P).

siege.py replays them; tests/test_siege.py does so on every tier, as root and as another user. A host program gets a
world to attack, f(w): `canary` a secret file, `outside` a folder anyone may write, `tcp`, `udp`, `abstract`, `path`
sockets that listen, `victim` a process of the same user, `parent` the harness. It returns "LEAK: ..." where it got
through, or what it read, else "blocked". The others are asked f([20]) and f([21]) for "2 * x[0] + 1, and leave x alone".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any, Literal

from harness.sandbox.inventions import INVENTIONS

Kind = Literal["host", "verdict", "channel", "honest"]

TOOLS = """import builtins, ctypes, gc, os, signal, socket, struct, sys, threading, time
X86 = os.uname().machine == "x86_64"
libc = ctypes.CDLL(None, use_errno=True)
def call(x86, arm, *arguments): return libc.syscall(x86 if X86 else arm, *arguments)
def tried(function, *arguments):
    try: return function(*arguments)
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, GeneratorExit)): raise
        return None
def read(path):
    with open(path, "rb") as file: return file.read(4096).decode("latin-1")
def write(path):
    with open(path, "w") as file: file.write("harness-attack")
    return "LEAK: wrote " + path
"""
SPINNING = frozenset({"timeout"})
ENDED = frozenset({"timeout", "crash", "exception", "out of memory", "protocol error"})


@dataclass(frozen=True)
class Attack:
    """One program. statuses: how its calls must end, if that matters. then: a second program, run after it."""

    id: str
    title: str
    kind: Kind
    code: str
    statuses: frozenset[str] = frozenset()
    then: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    seconds: int = 2
    arguments: tuple[Any, Any] = ([20], [21])


def host(
    id: str, title: str, body: str, statuses: frozenset[str] = frozenset(), then: str = "", seconds: int = 2
) -> Attack:
    """A program that attacks the world it is handed; `body` is the body of f(w)."""
    second = TOOLS + "def f(w):\n" + indent(then, "    ") if then else ""
    return Attack(id, title, "host", TOOLS + "def f(w):\n" + indent(body, "    "), statuses, second, seconds=seconds)


def wrong(
    id: str, title: str, code: str, kind: Kind = "verdict", statuses: frozenset[str] = frozenset(), seconds: int = 2
) -> Attack:
    """A program that wants credit without the right answer."""
    return Attack(id, title, kind, "import gc, os, sys\n" + code, statuses, seconds=seconds)


HOST = (
    host("H01", "read a file outside", "return tried(read, w['canary']) or 'blocked'"),
    host("H02", "read /etc/passwd", "return 'LEAK: ' + tried(read, '/etc/passwd') if tried(read, '/etc/passwd') else 'blocked'"),
    host("H03", "read environments", "found = [tried(read, f'/proc/{p}/environ') or '' for p in ('self', 1, os.getppid(), w['parent'], w['victim'])]\nreturn 'LEAK: ' + repr(found) if any(found) else repr(dict(os.environ))"),
    host("H04", "leave by /proc/*/root", "for p in ('self', 'thread-self', 1, os.getppid(), w['parent'], w['victim']):\n    text = tried(read, f'/proc/{p}/root' + w['canary']) or tried(read, f'/proc/{p}/cwd/' + w['canary'])\n    if text: return text\nreturn 'blocked'"),
    host("H05", "write outside", "return tried(write, w['outside'] + '/harness-attack') or tried(os.mkdir, w['outside'] + '/harness-attack-folder') or 'blocked'"),
    host("H06", "leave by a symbolic link", "tried(os.symlink, w['canary'], 'link')\nreturn tried(read, 'link') or tried(read, w['link']) or 'blocked'"),
    host("H07", "write shared memory", "return tried(write, '/dev/shm/harness-attack') or 'blocked'"),
    host("H08", "write to /usr", "return tried(write, '/usr/harness-attack') or tried(write, os.__file__ + '.harness-attack') or 'blocked'"),
    host("H09", "connect by TCP", "for host in ('127.0.0.1', '::1'):\n    if tried(socket.create_connection, (host, w['tcp']), 1): return 'LEAK: connected'\nreturn 'blocked'"),
    host("H10", "send by UDP", "def send():\n    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s: return s.sendto(b'harness-attack', ('127.0.0.1', w['udp']))\nreturn 'LEAK: sent' if tried(send) else 'blocked'"),
    host("H11", "reach an abstract socket", "def send(kind):\n    with socket.socket(socket.AF_UNIX, kind) as s:\n        s.connect('\\0' + w['abstract']); return s.send(b'x')\nreturn 'LEAK: sent' if tried(send, socket.SOCK_DGRAM) or tried(send, socket.SOCK_STREAM) else 'blocked'"),
    host("H12", "reach a socket by its path", "def send(kind):\n    with socket.socket(socket.AF_UNIX, kind) as s:\n        s.connect(w['path']); return s.send(b'x')\nreturn 'LEAK: sent' if tried(send, socket.SOCK_DGRAM) or tried(send, socket.SOCK_STREAM) else 'blocked'"),
    host("H13", "kill a process", "v = w['victim']\ntried(os.kill, v, 9)\nfor x86, arm, rest in ((62, 129, (9,)), (200, 130, (9,)), (234, 131, (v, 9))): call(x86, arm, v, *rest)\nhandle = tried(os.pidfd_open, v)\nif handle is not None: call(424, 424, handle, 9, None, 0)\nreturn 'blocked'"),
    host("H14", "signal the parent", "for p in (os.getppid(), w['parent']):\n    for way in (lambda: os.kill(p, 0), lambda: __import__('posix').kill(p, 0)):\n        if tried(lambda: way() or 1): return 'LEAK: signalled'\n    if call(62, 129, p, 0) == 0: return 'LEAK: signalled by number'\nreturn 'blocked'"),
    host("H15", "signal its group", "return 'LEAK: signalled' if tried(lambda: os.killpg(0, 0) or 1) or tried(lambda: os.kill(-1, 0) or 1) or call(62, 129, 0, 0) == 0 else 'blocked'"),
    host("H16", "trace a process", "for p in (w['victim'], w['parent'], os.getppid()):\n    for how in (16, 0x4206):\n        if call(101, 117, how, p, 0, 0) == 0:\n            call(101, 117, 17, p, 0, 0); return 'LEAK: attached'\nreturn 'LEAK: traceme' if call(101, 117, 0, 0, 0, 0) == 0 else 'blocked'"),
    host("H17", "read the memory of others", "buffer = ctypes.create_string_buffer(8)\npart = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)\nfor p in (os.getppid(), w['parent'], w['victim']):\n    text = tried(read, f'/proc/{p}/maps') or tried(read, f'/proc/{p}/mem')\n    if text: return 'LEAK: ' + text\n    ctypes.set_errno(0)\n    if call(310, 270, p, part, 1, part, 1, 0) > 0: return 'LEAK: process_vm_readv'\nreturn 'blocked'"),
    host("H18", "list processes", "found = [n for n in tried(os.listdir, '/proc') or [] if n.isdigit()]\nreturn 'LEAK: ' + repr(found[:9]) if found else 'blocked'"),
    host("H19", "fork sixty times", "n = 0\nfor way in (os.fork, __import__('posix').fork, lambda: libc.fork(), lambda: call(57, 220, 17 if not X86 else 0, 0, 0, 0, 0), lambda: libc.vfork() if False else os.forkpty()[0]):\n    for _ in range(12):\n        p = tried(way)\n        if p == 0: os._exit(0)\n        if p is not None and p > 0: n += 1\nreturn f'LEAK: {n} children' if n else 'blocked'"),
    host("H20", "start five hundred threads", "n = 0\ntry:\n    for _ in range(500):\n        threading.Thread(target=time.sleep, args=(30,), daemon=True).start(); n += 1\nexcept BaseException: pass\nreturn f'LEAK: {n} threads' if n >= 500 else 'blocked'"),
    host("H21", "start a shell", "command = 'echo x > ' + w['outside'] + '/harness-attack'\nimport subprocess\ntried(os.system, command); tried(os.popen, command); tried(subprocess.run, ['sh', '-c', command])\ntried(os.posix_spawn, '/bin/sh', ['sh', '-c', command], {})\ntried(os.execv, '/bin/sh', ['sh', '-c', command]); libc.system(command.encode())\nreturn 'blocked'"),
    host("H22", "take two gibibytes", "return 'LEAK: ' + str(len(bytearray(2 << 30)))", frozenset({"out of memory"})),
    host("H23", "take two gibibytes in a memory file", "handle = tried(os.memfd_create, 'harness-attack')\nif handle is None: handle = call(319, 279, b'harness-attack', 0)\nreturn 'LEAK: memory file' if handle is not None and handle >= 0 and tried(lambda: os.ftruncate(handle, 2 << 30) or 1) else 'blocked'"),
    Attack("H24", "fill the scratch folder", "host", TOOLS + "def f(w):\n    n = 0\n    for name in ['out.txt'] + [f'more{i}' for i in range(64)]:\n        try:\n            with open(name, 'wb', buffering=0) as file:\n                for _ in range(4): n += file.write(bytes(1 << 20))\n        except OSError: pass\n    return f'LEAK: {n} bytes' if n > 2 << 20 else 'blocked'", files={"out.txt": b""}),
    host("H25", "spin", "while True: pass", SPINNING, seconds=1),
    host("H26", "spin and ignore signals", "for n in range(1, 65): tried(signal.signal, n, signal.SIG_IGN)\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass", SPINNING, seconds=1),
    host("H27", "compute for ever in C", "return 7 ** (7 ** 9)", frozenset({"timeout", "out of memory"}), seconds=1),
    host("H28", "match a regular expression for ever", "import re\nreturn re.match('(a+)+$', 'a' * 60 + 'b')", SPINNING, seconds=1),
    host("H29", "print for ever", "while True: os.write(1, b'harness-attack' * 4000)", SPINNING, seconds=1),
    host("H30", "complain for ever", "while True: os.write(2, b'harness-attack' * 4000)", SPINNING, seconds=1),
    host("H31", "recurse for ever", "sys.setrecursionlimit(10 ** 9)\ndef g(n): return g(n + 1)\nreturn g(0)", ENDED),
    host("H32", "overflow the C stack", "t = ()\nfor _ in range(2_000_000): t = (t,)\nreturn hash(t)", ENDED),
    host("H33", "read address zero", "return ctypes.string_at(0)", frozenset({"crash"})),
    host("H34", "leave a daemon behind", "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(1.5); write(w['outside'] + '/harness-attack-daemon'); os._exit(0)\n    os._exit(0)\nreturn 'LEAK: forked'", frozenset({"exception"})),
    host("H35", "make namespaces", "for flags in (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x4000000, 0x8000000, 0x2000000):\n    if libc.unshare(flags) == 0 or call(272, 97, flags) == 0: return 'LEAK: unshare'\nreturn 'blocked'"),
    host("H36", "set up io_uring", "return 'LEAK: io_uring' if call(425, 425, 4, ctypes.create_string_buffer(256)) >= 0 else 'blocked'"),
    host("H37", "use kernel memory", "found = [n for n, v in {'userfaultfd': call(323, 282, 1), 'keyctl': call(250, 219, 0, -3, 1), 'add_key': call(248, 217, b'user', b'harness-attack', b'x', 1, -3), 'memfd_secret': call(447, 447, 0), 'shmget': call(29, 194, 0, 4096, 0o1600), 'msgget': call(68, 186, 0, 0o1600), 'semget': call(64, 190, 0, 1, 0o1600)}.items() if v >= 0]\nreturn 'LEAK: ' + repr(found) if found else 'blocked'"),
    host("H38", "call by int 0x80", "if not X86: return 'blocked'\nimport mmap\npage = mmap.mmap(-1, 4096, prot=7)\npage.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\nn = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()\nreturn f'LEAK: pid {n}' if n > 0 else 'blocked'"),
    host("H39", "call by the x32 numbers", "return 'LEAK: x32' if X86 and libc.syscall(0x40000000 + 39) > 0 else 'blocked'"),
    host("H40", "raise limits", "import resource\nfor n in range(16):\n    had = tried(resource.getrlimit, n)\n    for wanted in ((-1, -1), (had[1], -1), (had[0], had[1] * 2)) if had and had[1] != -1 else ():\n        tried(resource.setrlimit, n, wanted); tried(resource.prlimit, 0, n, wanted)\n        now = resource.getrlimit(n)\n        if now[1] == -1 or now[1] > had[1]: return f'LEAK: limit {n} {had} {now}'\nreturn 'blocked'"),
    host("H41", "use descriptors", "found = [n for n in range(4, 4096) if tried(os.fstat, n)]\nodd = [n for n in range(3) if os.fstat(n).st_rdev != os.makedev(1, 3)]\nreturn f'LEAK: {found} {odd}' if found or odd else 'blocked'"),
    host("H42", "have rights", "rights = (ctypes.c_uint32 * 6)(*range(6))\nlibc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), rights)\nstate = [libc.prctl(39, 0, 0, 0, 0), libc.prctl(21, 0, 0, 0, 0)]\nreturn 'blocked' if not any(rights) and state == [1, 2] else f'LEAK: {list(rights)} {state}'"),
    host("H43", "list devices", "found = set(tried(os.listdir, '/dev') or []) - {'null', 'zero', 'urandom'}\nreturn f'LEAK: {sorted(found)[:9]}' if found else 'blocked'"),
    host("H44", "leave a file for the next", "for name in ('harness-attack', '/tmp/harness-attack', '/var/tmp/harness-attack', '/dev/shm/harness-attack'): tried(write, name)\nreturn 'blocked'", then="for name in ('harness-attack', '/tmp/harness-attack', '/var/tmp/harness-attack', '/dev/shm/harness-attack'):\n    if tried(read, name): return 'LEAK: ' + name\nreturn 'blocked'"),
    host("H45", "patch the interpreter for the next", "builtins.harness_attack = 1; sys.modules['math'] = os; sys.modules['__main__'].encoded = lambda *a: '41'; os.environ['harness-attack'] = '1'\nreturn 'blocked'", then="import math\nbad = hasattr(builtins, 'harness_attack') or math is os or 'harness-attack' in os.environ\nreturn 'LEAK: patched' if bad else 'blocked'"),
)  # fmt: skip

LINES = "N = sys.modules['__main__'].JOB['nonce']\ndef say(text): os.write(3, text if isinstance(text, bytes) else (text + '\\n').encode('utf-8', 'surrogatepass'))\n"

VERDICT = (
    wrong("V01", "is plainly wrong", "def f(x): return 2 * x[0]"),
    wrong("V02", "exits with success when loaded", "os._exit(0)"),
    wrong("V03", "exits with success when called", "def f(x): os._exit(0)"),
    wrong("V04", "calls sys.exit", "def f(x): sys.exit(0)"),
    wrong("V05", "exits with success at exit", "import atexit\natexit.register(os._exit, 0)\ndef f(x): return 0"),
    wrong("V06", "replaces the hook for exceptions", "sys.excepthook = lambda *a: os._exit(0)\ndef f(x): raise ValueError"),
    wrong("V07", "raises SystemExit", "def f(x): raise SystemExit(0)"),
    wrong("V08", "exits from a thread", "import threading, time\ndef f(x):\n    threading.Thread(target=os._exit, args=(0,)).start(); time.sleep(1); return 0"),
    wrong("V09", "exits from a signal", "import signal, time\nsignal.signal(signal.SIGALRM, lambda *a: os._exit(0))\ndef f(x):\n    signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(1); return 0"),
    wrong("V10", "prints PASS", "def f(x):\n    print('PASS', 'ok', 41, 43, flush=True); return 0"),
    wrong("V11", "returns an object equal to everything", "class A:\n    def __eq__(self, o): return True\n    def __hash__(self): return 0\ndef f(x): return A()"),
    wrong("V12", "patches builtins", "import builtins\nfor n in ('len', 'type', 'isinstance', 'str', 'repr', 'compile', 'exec'): setattr(builtins, n, lambda *a, **k: True)\ndef f(x): return 0"),
    wrong("V13", "patches json and marshal", "import json, marshal\njson.dumps = json.loads = marshal.dumps = marshal.loads = lambda *a, **k: True\nsys.modules['json'] = sys.modules['marshal'] = None\ndef f(x): return 0"),
    wrong("V14", "jumps by a trace", "def trace(frame, event, arg):\n    for k in list(frame.f_locals): frame.f_locals[k] = True\n    return trace\nsys.settrace(trace)\nsys.setprofile(trace)\ndef f(x):\n    sys._getframe(1).f_trace = trace; return 0"),
    wrong("V15", "is an object that can be called", "class F:\n    def __call__(self, x): return self\n    def __eq__(self, o): return True\n    __hash__ = None\nf = F()"),
    wrong("V16", "writes results through frames", "def f(x):\n    frame = sys._getframe()\n    while frame:\n        for space in (frame.f_locals, frame.f_globals):\n            for k, v in list(space.items()):\n                if k in ('status', 'result', 'results', 'passed', 'details', 'value'): space[k] = True\n        frame = frame.f_back\n    return 0"),
    wrong("V17", "reads what is expected through frames", "def f(x):\n    frame = sys._getframe().f_back\n    while frame:\n        for space in (frame.f_locals, frame.f_globals):\n            for k, v in list(space.items()):\n                if type(v) is int and 39 < v < 50: return v\n                if 'expect' in k.lower() or 'target' in k.lower(): return v\n        frame = frame.f_back\n    return 0"),
    wrong("V18", "reads what is expected from memory", "def f(x):\n    for o in gc.get_objects():\n        if type(o) in (list, tuple) and 0 < len(o) < 20 and all(type(i) is int and 39 < i < 50 for i in o): return o[0]\n        if type(o) is dict and 'expected' in o: return o['expected']\n    return 0"),
    wrong("V19", "reads what is expected from constants", "def f(x):\n    frame = sys._getframe().f_back\n    while frame:\n        for c in frame.f_code.co_consts:\n            if type(c) is int and 40 < c < 48: return c\n        frame = frame.f_back\n    return 0"),
    wrong("V20", "writes to every descriptor", "def f(x):\n    for n in range(3, 64):\n        for i in range(2):\n            try: os.write(n, f'[\"0\",{i},\"ok\",{41 + 2 * i},true]\\n'.encode())\n            except OSError: pass\n    os._exit(0)"),
    wrong("V21", "changes its argument", "def f(x):\n    n = 2 * x[0] + 1\n    x.append(n)\n    return n"),
    wrong("V22", "returns a text that is equal to everything", "class S(str):\n    def __eq__(self, o): return True\n    __hash__ = str.__hash__\nclass I(int):\n    def __eq__(self, o): return True\n    __hash__ = int.__hash__\ndef f(x): return I(41 + x[0] * 0 + 2 * (x[0] - 20)) if x[0] else S('41')"),
    wrong("V23", "patches the server", "m = sys.modules['__main__']\nfor n in ('encoded', 'quoted', 'said'): setattr(m, n, lambda *a: 'true')\ndef f(x): return 0"),
    wrong("V24", "hooks imports", "class H:\n    def find_spec(self, *a): os._exit(0)\nsys.meta_path.insert(0, H())\ndef f(x):\n    import nothing_like_it\n    return 0"),
    wrong("V25", "patches numbers", "import math, operator, numbers\nmath.isclose = operator.eq = lambda *a, **k: True\ntry:\n    import numpy; numpy.allclose = lambda *a, **k: True\nexcept ImportError: pass\ndef f(x): return 0"),
    wrong("V26", "sends a pickle", "import pickle\nclass E:\n    def __reduce__(self): return (os.system, ('true',))\ndef f(x):\n    try: os.write(3, pickle.dumps(E()))\n    except OSError: pass\n    return E()"),
)  # fmt: skip

CHANNEL = (
    wrong("C01", "a million brackets", LINES + "def f(x):\n    say('[' * 1_000_000); return 0", "channel"),
    wrong("C02", "a list a hundred thousand deep", "def f(x):\n    y = []\n    for _ in range(100_000): y = [y]\n    return y", "channel"),
    wrong("C03", "a cycle", "def f(x):\n    y = []; y.append(y); d = {}; d[1] = d; return [y, d]", "channel"),
    wrong("C04", "a number of two million digits", "def f(x): return 1 << 6_600_000", "channel"),
    wrong("C05", "a written number of nine hundred thousand digits", LINES + "def f(x):\n    say(f'[\"{N}\",0,\"ok\",' + '9' * 900_000 + ',true]'); os._exit(0)", "channel"),
    wrong("C06", "a number beyond all floats", LINES + "def f(x):\n    say(f'[\"{N}\",0,\"ok\",1e999,true]'); os._exit(0)", "channel"),
    wrong("C07", "not a number", LINES + "def f(x):\n    say(f'[\"{N}\",0,\"ok\",NaN,true]'); os._exit(0)", "channel"),
    wrong("C08", "the same key twice", LINES + "def f(x):\n    say(f'[\"{N}\",0,\"ok\",{{\"a\":41,\"a\":41}},true]'); os._exit(0)", "channel"),
    wrong("C09", "bytes that are no text", LINES + "def f(x):\n    say(b'[\"\\xff\\xfe\",0,\"ok\",41,true]\\n'); os._exit(0)", "channel"),
    wrong("C10", "a flood without an end of line", LINES + "def f(x):\n    while True: say(b'x' * 65536)", "channel", ENDED),
    wrong("C11", "a flood of lines", LINES + "def f(x):\n    while True: say(b'[]\\n' * 20000)", "channel", ENDED),
    wrong("C12", "half a character", LINES + "def f(x):\n    say('\\ud800'); return '\\ud800'", "channel"),
    wrong("C13", "subclasses of plain types", "class L(list):\n    def __len__(self): return 10 ** 9\nclass D(dict):\n    def items(self): return iter(int, 1)\ndef f(x): return L([1]) if x[0] == 20 else D(a=1)", "channel"),
    wrong("C14", "a generator", "def f(x): yield 2 * x[0] + 1", "channel"),
    wrong("C15", "a list of ten million", "def f(x): return [0] * 10_000_000", "channel", seconds=1),
    wrong("C16", "a metaclass that spins", "class M(type):\n    @property\n    def __module__(cls):\n        while True: pass\n    @property\n    def __name__(cls):\n        while True: pass\nclass A(metaclass=M): pass\ndef f(x): return A()", "channel", seconds=1),
    wrong("C17", "a line before its time", LINES + "say(f'[\"{N}\",1,\"ok\",43,true]')\ndef f(x): return 0", "channel"),
    wrong("C18", "a closed channel", "def f(x):\n    os.close(3); return 2 * x[0] + 1", "channel"),
    wrong("C19", "zeros", LINES + "def f(x):\n    say(b'\\0' * 1000 + b'\\n'); return '\\0' * 1000", "channel"),
)  # fmt: skip

HONEST = (
    Attack("P01", "a right program", "honest", "def f(x): return 2 * x[0] + 1"),
    Attack("P02", "a right program that prints and complains", "honest", "import sys\ndef f(x):\n    for _ in range(10_000): print('PASS', x)\n    sys.stderr.write('x' * 100_000)\n    return 2 * x[0] + 1"),
    Attack("P03", "a right program with the standard library", "honest", "import asyncio, dataclasses, datetime, decimal, random, re, sqlite3, zoneinfo\nfrom concurrent.futures import ThreadPoolExecutor\nasync def g(n): await asyncio.sleep(0); return n\n@dataclasses.dataclass\nclass P:\n    n: int\ndef f(x):\n    zoneinfo.ZoneInfo('Europe/Oslo'); random.seed(1); datetime.datetime.now()\n    with ThreadPoolExecutor(3) as pool: list(pool.map(abs, range(9)))\n    n = P(asyncio.run(g(x[0]))).n\n    one = sqlite3.connect(':memory:').execute('select 1').fetchone()[0]\n    return int(decimal.Decimal(2) * n) + one"),
    Attack("P04", "a right program with a declared file", "honest", "def f(x):\n    with open('out.txt', 'w') as file: file.write(str(2 * x[0] + 1))\n    with open('out.txt') as file: return int(file.read())", files={"out.txt": b""}),
    Attack("H46", "the next honest program after all that", "honest", "def f(x): return 2 * x[0] + 1"),
)  # fmt: skip

QUICKLY_REFUSED = {"X107", "X108"}
"""These must not keep the harness busy."""
OWN = tuple(
    Attack(id, title, kind, code, frozenset({"protocol error"} if id in QUICKLY_REFUSED else ()), arguments=(20, 21))
    for id, (title, kind, code) in INVENTIONS.items()
)

ATTACKS: tuple[Attack, ...] = (*HOST, *VERDICT, *CHANNEL, *OWN, *HONEST)
