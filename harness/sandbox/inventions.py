# ruff: noqa: E501
"""Attacks of our own invention on the sandbox: small programs that must come to nothing.

INVENTIONS: id -> (title, kind, code). "host": f(w) returns "LEAK: ..." where it got through, else "blocked" (being killed is
fine too). "verdict": f(x) is wrong for "return 2 * x + 1" (20, 21) and must not be credited, must not end as "sandbox
error", and must neither raise nor linger in the harness. Programs touch what w names and themselves, nothing else.
"""

from __future__ import annotations

from typing import Literal

INVENTIONS: dict[str, tuple[str, Literal["host", "verdict"], str]] = {}

HOST = """
def tools():
    import ctypes, os
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    arm = os.uname().machine == "aarch64"
    def call(x86, other, *args):
        number = other if arm else x86
        if number is None:
            raise OSError(38, "no such call here")
        args = [ctypes.c_long(a) if type(a) is int else a for a in args]
        found = libc.syscall(ctypes.c_long(number), *args)
        if found < 0:
            raise OSError(ctypes.get_errno(), "call")
        return found
    return ctypes, os, libc, call

def tried(*routes):
    for route in routes:
        try:
            found = route()
        except Exception:
            continue
        if found:
            return ("LEAK: %s: %s" % (route.__name__, found))[:300]
    return "blocked"
"""

VERDICT = """
def nonce():
    import sys
    return sys.modules["__main__"].JOB["nonce"]

def raw(text):
    import os
    data = text if type(text) is bytes else text.encode()
    while data:
        data = data[os.write(3, data):]

def line(*fields):
    import json
    raw(json.dumps(list(fields)) + "\\n")
"""


def _host(title: str, code: str) -> None:
    INVENTIONS[f"X{len(INVENTIONS) + 1:02d}"] = (title, "host", HOST + code)


def _verdict(title: str, code: str) -> None:
    INVENTIONS[f"X{len(INVENTIONS) + 1:02d}"] = (title, "verdict", VERDICT + code)


# --- channels to other processes -------------------------------------------------------------------------------------

_host(
    "a pair of datagram sockets sends to sockets that have a name",
    """
def f(w):
    import socket
    ctypes, os, libc, call = tools()
    places = ["\\0" + w["abstract"], w["path"]]
    def through(kind):
        a, b = socket.socketpair(socket.AF_UNIX, kind)
        for place in places:
            for send in (lambda: a.sendto(b"harness-attack", place),
                         lambda: a.sendmsg([b"harness-attack"], [], 0, place),
                         lambda: (a.connect(place), a.send(b"harness-attack"))):
                try:
                    send()
                    return "sent to " + repr(place)
                except (OSError, ValueError):
                    pass
    def datagram(): return through(socket.SOCK_DGRAM)
    def seqpacket(): return through(socket.SOCK_SEQPACKET)
    def stream(): return through(socket.SOCK_STREAM)
    def rawkind(): return through(socket.SOCK_RAW)
    def flagged(): return through(socket.SOCK_DGRAM | 0o4000 | 0o2000000)
    def high():
        pair = (ctypes.c_int * 2)()
        call(53, 199, 1 | 1 << 32, 2 | 1 << 33, 0, pair)
        return "a pair of datagram sockets"
    def netlink():
        pair = (ctypes.c_int * 2)()
        call(53, 199, 16, 2, 0, pair)
        return "a pair of netlink sockets"
    def vsock():
        pair = (ctypes.c_int * 2)()
        call(53, 199, 40, 1, 0, pair)
        return "a pair of vsock sockets"
    return tried(datagram, seqpacket, stream, rawkind, flagged, high, netlink, vsock)
""",
)

_host(
    "sockets by ctypes and by number",
    """
def f(w):
    import socket, struct
    ctypes, os, libc, call = tools()
    inet = struct.pack("=H", 2) + struct.pack("!H", w["tcp"]) + bytes([127, 0, 0, 1]) + bytes(8)
    def lib():
        s = libc.socket(2, 1, 0)
        return s >= 0 and libc.connect(s, inet, 16) == 0 and "tcp connected"
    def number():
        s = call(41, 198, 2, 1, 0)
        call(42, 203, s, inet, 16)
        return "tcp connected"
    def kinds():
        for family in (1, 2, 10, 16, 17, 38, 40, 44):
            for kind in (1, 2, 3):
                try:
                    return "socket of family %d: %d" % (family, call(41, 198, family, kind, 0))
                except OSError:
                    pass
    def named():
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.sendto(b"harness-attack", w["path"])
        return "sent"
    def inherited():
        for d in range(32):
            try:
                s = socket.socket(fileno=os.dup(d))
                return "descriptor %d is a socket %r" % (d, s)
            except OSError:
                pass
    def fastopen():
        a, b = socket.socketpair()
        a.sendto(b"harness-attack", 0x20000000, ("127.0.0.1", w["tcp"]))
        return "sent by MSG_FASTOPEN"
    return tried(lib, number, kinds, named, inherited, fastopen)
""",
)

_host(
    "a connection by the library: create_connection, asyncio, http, udp",
    """
def f(w):
    def tcp():
        import socket
        socket.create_connection(("127.0.0.1", w["tcp"]), 1).sendall(b"harness-attack")
        return "connected"
    def udp():
        import socket
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"harness-attack", ("127.0.0.1", w["udp"]))
        return "sent"
    def http():
        import http.client
        http.client.HTTPConnection("127.0.0.1", w["tcp"], timeout=1).connect()
        return "connected"
    def aio():
        import asyncio
        async def go():
            await asyncio.wait_for(asyncio.open_connection("127.0.0.1", w["tcp"]), 1)
            return "connected"
        return asyncio.run(go())
    def handler():
        import logging.handlers
        h = logging.handlers.SysLogHandler(w["path"])
        return "syslog over a path" if h.socket else ""
    def server():
        import socketserver
        socketserver.TCPServer(("127.0.0.1", 0), None)
        return "listening"
    return tried(tcp, udp, http, aio, handler, server)
""",
)

_host(
    "the network interfaces of the machine by ioctl on a pair of sockets",
    """
def f(w):
    import fcntl, socket, struct
    a, b = socket.socketpair()
    def names():
        found = []
        for index in range(1, 200):
            try:
                got = fcntl.ioctl(a, 0x8910, struct.pack("16sI20x", b"", index))
                name = got[:16].split(b"\\0")[0]
                if name not in (b"lo", b"tunl0", b"sit0", b"ip6tnl0", b"gre0", b"gretap0", b"erspan0", b"ip_vti0"):
                    found.append(name.decode())
            except OSError:
                pass
        return found and "%d interfaces, the first %s" % (len(found), found[0])
    def space():
        return "network namespace, descriptor %d" % fcntl.ioctl(a, 0x894C)
    def unixfile():
        return "O_PATH of a socket, descriptor %d" % fcntl.ioctl(a, 0x89E0)
    return tried(names, space, unixfile)
""",
)

_host(
    "descriptors by SCM_RIGHTS: nothing sent is more than what was held",
    """
def f(w):
    import os, socket
    def rights():
        a, b = socket.socketpair()
        d = os.open(w["canary"], os.O_PATH)
        socket.send_fds(a, [b"x"], [d])
        _, got, _, _ = socket.recv_fds(b, 1, 1)
        return os.read(got[0], 200)
    def credentials():
        a, b = socket.socketpair()
        b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        import struct
        a.sendmsg([b"x"], [(socket.SOL_SOCKET, 2, struct.pack("iII", w["victim"], os.getuid(), os.getgid()))])
        return "claimed to be the victim"
    return tried(rights, credentials)
""",
)

_host(
    "shared memory, message queues, semaphores (System V)",
    """
def f(w):
    ctypes, os, libc, call = tools()
    def shm():
        got = call(29, 194, 0, 4096, 0o1600)
        call(31, 195, got, 0, None)
        return "shmget"
    def msg():
        got = call(68, 186, 0, 0o1600)
        call(71, 187, got, 0, None)
        return "msgget"
    def sem():
        got = call(64, 190, 0, 1, 0o1600)
        call(66, 191, got, 0, 0)
        return "semget"
    def seen():
        return call(31, 195, 0, 14, ctypes.create_string_buffer(256)) >= 0 and "SHM_INFO"
    return tried(shm, msg, sem, seen)
""",
)

_host(
    "POSIX shared memory, queues and named semaphores",
    """
def f(w):
    ctypes, os, libc, call = tools()
    name = b"/harness-attack-own"
    def queue():
        q = call(240, 180, name[1:], os.O_CREAT | os.O_RDWR, 0o600, None)
        call(241, 181, name[1:])
        return "mq_open"
    def shm():
        d = libc.shm_open(name, os.O_CREAT | os.O_RDWR, 0o600)
        if d >= 0:
            libc.shm_unlink(name)
            return "shm_open"
    def sem():
        libc.sem_open.restype = ctypes.c_void_p
        s = libc.sem_open(name, os.O_CREAT, 0o600, 1)
        if s:
            libc.sem_unlink(name)
            return "sem_open"
    def module():
        from multiprocessing import shared_memory
        s = shared_memory.SharedMemory("harness-attack-own", True, 4096)
        s.unlink()
        return "SharedMemory"
    def manager():
        from multiprocessing import Lock
        Lock()
        return "multiprocessing.Lock"
    return tried(queue, shm, sem, module, manager)
""",
)

_host(
    "memory without a name that no limit counts",
    """
def f(w):
    ctypes, os, libc, call = tools()
    def memfd(): return "descriptor %d" % os.memfd_create("harness-attack")
    def number(): return "descriptor %d" % call(319, 279, b"harness-attack", 0)
    def secret(): return "descriptor %d" % call(447, 447, 0)
    def fault(): return "descriptor %d" % call(323, 282, 1)
    def huge():
        import mmap
        m = mmap.mmap(-1, 8 << 30)
        return "8 GiB mapped"
    def lock():
        import mmap
        m = mmap.mmap(-1, 1 << 20)
        return libc.mlock(ctypes.addressof(ctypes.c_char.from_buffer(m)), ctypes.c_size_t(1 << 20)) == 0 and "locked"
    def lock_all(): return libc.mlockall(3) == 0 and "locked all"
    return tried(memfd, number, secret, fault, huge, lock, lock_all)
""",
)

# --- other processes -------------------------------------------------------------------------------------------------

_host(
    "signals by the owner of a pipe: F_SETOWN, F_SETSIG, O_ASYNC",
    """
def f(w):
    import fcntl, socket, struct
    ctypes, os, libc, call = tools()
    def armed(read, write, own):
        fcntl.fcntl(read, 10, 9)
        own(read)
        fcntl.fcntl(read, fcntl.F_SETFL, fcntl.fcntl(read, fcntl.F_GETFL) | 0o20000)
        os.write(write, b"x")
        return "the victim owns a descriptor"
    def pipe():
        r, x = os.pipe()
        return armed(r, x, lambda d: fcntl.fcntl(d, 8, w["victim"]))
    def extended():
        r, x = os.pipe()
        return armed(r, x, lambda d: fcntl.fcntl(d, 15, struct.pack("ii", 1, w["victim"])))
    def pair():
        a, b = socket.socketpair()
        return armed(a.fileno(), b.fileno(), lambda d: fcntl.fcntl(d, 8, w["victim"]))
    def owner_only():
        r, x = os.pipe()
        fcntl.fcntl(r, 8, w["victim"])
        return fcntl.fcntl(r, 9) == w["victim"] and "F_SETOWN"
    def high():
        r, x = os.pipe()
        call(72, 25, r, 8 | 1 << 32, w["victim"])
        return "F_SETOWN with a high half"
    def results():
        fcntl.fcntl(3, 8, w["victim"])
        return "F_SETOWN on the result pipe"
    return tried(pipe, extended, pair, owner_only, high, results)
""",
)

_host(
    "signals by ioctl: FIOSETOWN, SIOCSPGRP, FIOASYNC, TIOCSPGRP",
    """
def f(w):
    import fcntl, socket, struct
    ctypes, os, libc, call = tools()
    pid = struct.pack("i", w["victim"])
    def sock(request):
        a, b = socket.socketpair()
        fcntl.ioctl(a, request, pid)
        return "ioctl %x" % request
    def one(): return sock(0x8901)
    def two(): return sock(0x8902)
    def high():
        a, b = socket.socketpair()
        call(16, 29, a.fileno(), 0x8901 | 1 << 40, pid)
        return "FIOSETOWN with a high half"
    def flag():
        r, x = os.pipe()
        fcntl.ioctl(r, 0x5452, struct.pack("i", 1))
        return "FIOASYNC"
    def terminal():
        for d in range(4):
            try:
                fcntl.ioctl(d, 0x5410, pid)
                return "TIOCSPGRP"
            except OSError:
                pass
    return tried(one, two, high, flag, terminal)
""",
)

_host(
    "signals by number, by pidfd, by queue, by timer",
    """
def f(w):
    import signal, struct
    ctypes, os, libc, call = tools()
    v = w["victim"]
    def kill(): os.kill(v, signal.SIGUSR1); return "killed"
    def tkill(): call(200, 130, v, 10); return "tkill"
    def tgkill(): call(234, 131, v, v, 10); return "tgkill"
    def queue():
        call(129, 138, v, 10, struct.pack("iii", 10, 0, -1) + bytes(116)); return "rt_sigqueueinfo"
    def queue2():
        call(297, 240, v, v, 10, struct.pack("iii", 10, 0, -1) + bytes(116)); return "rt_tgsigqueueinfo"
    def pidfd(): return "pidfd %d" % os.pidfd_open(v)
    def by_number(): return "pidfd %d" % call(434, 434, v, 0)
    def by_folder():
        d = os.open("/proc/%d" % v, os.O_DIRECTORY | os.O_RDONLY)
        return "folder of the victim, %d" % d
    def send_own(): call(424, 424, 3, 10, None, 0); return "pidfd_send_signal"
    def timer():
        got = ctypes.c_int()
        call(222, 107, 1, struct.pack("qiii", 0, 10, 4, v) + bytes(44), ctypes.byref(got))
        return "timer_create for the victim's thread"
    def cancel():
        return libc.pthread_kill(ctypes.c_ulong(v), 0) and ""
    def exists(): os.kill(v, 0); return "kill with 0"
    return tried(kill, tkill, tgkill, queue, queue2, pidfd, by_number, by_folder, send_own, timer, exists)
""",
)

_host(
    "priority, processors, scheduling and i/o class of the victim",
    """
def f(w):
    import struct
    ctypes, os, libc, call = tools()
    v = w["victim"]
    def nice(): os.setpriority(os.PRIO_PROCESS, v, 19); return "setpriority"
    def nice_user(): call(141, 140, 2, os.getuid(), 19); return "setpriority of the user"
    def processors(): os.sched_setaffinity(v, {0}); return "sched_setaffinity"
    def scheduler(): os.sched_setscheduler(v, os.SCHED_IDLE, os.sched_param(0)); return "sched_setscheduler"
    def parameter(): os.sched_setparam(v, os.sched_param(0)); return "sched_setparam"
    def attribute(): call(314, 274, v, struct.pack("IIQiIQQQ", 48, 5, 0, 0, 0, 0, 0, 0), 0); return "sched_setattr"
    def io(): call(251, 30, 1, v, 3 << 13); return "ioprio_set"
    def own(): os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)); return "realtime for itself"
    return tried(nice, nice_user, processors, scheduler, parameter, attribute, io, own)
""",
)

_host(
    "limits: of the victim, of itself",
    """
def f(w):
    import resource, struct
    ctypes, os, libc, call = tools()
    v = w["victim"]
    every = (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE, resource.RLIMIT_CPU, resource.RLIMIT_AS)
    def victim():
        now = resource.prlimit(v, resource.RLIMIT_CORE)
        resource.prlimit(v, resource.RLIMIT_CORE, now)
        return "set the victim's"
    def number():
        call(302, 261, v, 4, struct.pack("QQ", 0, 0), None); return "set by number"
    def zero():
        call(302, 261, 0, 9, struct.pack("qq", -1, -1), None); return "set its own by prlimit"
    def high():
        import mmap
        call(302, 261, v | 1 << 32, 4, struct.pack("QQ", 0, 0), None); return "set, high half"
    def own():
        for what in every:
            try:
                resource.setrlimit(what, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                return "setrlimit %d" % what
            except (OSError, ValueError):
                pass
    return tried(victim, number, zero, high, own)
""",
)

_host(
    "prctl: death signal, dumpable, tracer, memory map, core scheduling",
    """
def f(w):
    ctypes, os, libc, call = tools()
    def pdeath(): call(157, 167, 1, 0, 0, 0, 0); return "PR_SET_PDEATHSIG"
    def dumpable(): call(157, 167, 4, 1, 0, 0, 0); return "PR_SET_DUMPABLE"
    def tracer(): call(157, 167, 0x59616D61, -1, 0, 0, 0); return "PR_SET_PTRACER"
    def high(): call(157, 167, 4 | 1 << 32, 1, 0, 0, 0); return "PR_SET_DUMPABLE with a high half"
    def memory(): call(157, 167, 35, 13, 3, 0, 0); return "PR_SET_MM_EXE_FILE"
    def core(): call(157, 167, 62, 2, w["victim"], 0, 0); return "PR_SCHED_CORE_SHARE_TO the victim"
    def core_from(): call(157, 167, 62, 3, w["victim"], 0, 0); return "PR_SCHED_CORE_SHARE_FROM the victim"
    def ambient(): call(157, 167, 47, 2, 21, 0, 0); return "PR_CAP_AMBIENT_RAISE"
    def securebits(): call(157, 167, 28, 1, 0, 0, 0); return "PR_SET_SECUREBITS"
    def seccomp(): return call(157, 167, 21, 0, 0, 0, 0) == 0 and "no seccomp"
    def privileges(): return call(157, 167, 39, 0, 0, 0, 0) == 0 and "no no_new_privs"
    return tried(pdeath, dumpable, tracer, high, memory, core, core_from, ambient, securebits, seccomp, privileges)
""",
)

_host(
    "becoming somebody: setuid, setgid, groups, capset",
    """
def f(w):
    ctypes, os, libc, call = tools()
    def uid(): os.setresuid(0, 0, 0); return "root"
    def gid(): os.setresgid(0, 0, 0); return "group 0"
    def groups(): os.setgroups([0]); return "setgroups"
    def reuid(): os.setreuid(os.getuid(), os.getuid()); return "setreuid"
    def fsuid(): call(122, 151, 0); return "setfsuid"
    def caps():
        call(126, 91, (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6))
        return "capset"
    def held():
        data = (ctypes.c_uint32 * 6)()
        call(125, 90, (ctypes.c_uint32 * 2)(0x20080522, 0), data)
        return any(data) and "capabilities %r" % list(data)
    def session(): os.setsid(); return "setsid"
    def group(): os.setpgid(0, 0); return "setpgid"
    def who(): call(135, 92, 0x0040000); return "personality"
    return tried(uid, gid, groups, reuid, fsuid, caps, held, session, group, who)
""",
)

_host(
    "the harness's memory: process_vm_readv, /proc/parent/mem, kcmp, robust list",
    """
def f(w):
    ctypes, os, libc, call = tools()
    here = ctypes.create_string_buffer(64)
    both = (ctypes.addressof(here), 64)
    def vm():
        for pid in (w["parent"], w["victim"], os.getppid()):
            local = (ctypes.c_size_t * 2)(*both)
            remote = (ctypes.c_size_t * 2)(*both)
            try:
                call(310, 270, pid, local, 1, remote, 1, 0)
                return "read %d" % pid
            except OSError as e:
                if e.errno == 14:
                    return "EFAULT: allowed, only the address was wrong"
    def files():
        for pid in (w["parent"], w["victim"], os.getppid()):
            for name in ("maps", "mem", "stack", "syscall", "auxv", "smaps", "pagemap"):
                try:
                    with open("/proc/%d/%s" % (pid, name), "rb") as file:
                        return "opened %s of %d" % (name, pid)
                except OSError:
                    pass
    def own():
        d = os.open("/proc/self/mem", os.O_RDWR)
        return "opened its own mem for writing"
    def compare(): call(312, 272, w["parent"], w["parent"], 0, 0, 0); return "kcmp"
    def robust():
        head, size = ctypes.c_size_t(), ctypes.c_size_t()
        call(274, 100, w["parent"], ctypes.byref(head), ctypes.byref(size))
        return "get_robust_list of the parent"
    def madvise(): call(440, 440, 3, None, 0, 21, 0); return "process_madvise"
    def pages(): call(279, 239, w["parent"], 0, None, None, None, 0); return "move_pages"
    return tried(vm, files, own, compare, robust, madvise, pages)
""",
)

_host(
    "the harness's descriptors: pidfd_getfd, /proc/parent/fd",
    """
def f(w):
    ctypes, os, libc, call = tools()
    def getfd():
        p = call(434, 434, w["parent"], 0)
        return "descriptor %d" % call(438, 438, p, 1, 0)
    def spray():
        for p in range(32):
            try:
                return "descriptor %d" % call(438, 438, p, 0, 0)
            except OSError:
                pass
    def listed():
        for pid in (w["parent"], w["victim"], os.getppid()):
            try:
                return "%d descriptors of %d" % (len(os.listdir("/proc/%d/fd" % pid)), pid)
            except OSError:
                pass
    def opened():
        for pid in (w["parent"], w["victim"], os.getppid()):
            for d in range(40):
                for flags in (os.O_RDONLY, os.O_WRONLY, os.O_PATH):
                    try:
                        os.close(os.open("/proc/%d/fd/%d" % (pid, d), flags | os.O_NONBLOCK))
                        return "opened descriptor %d of %d" % (d, pid)
                    except OSError:
                        pass
    def more():
        found = []
        for d in range(4, 64):
            try:
                os.fstat(d)
                found.append(d)
            except OSError:
                pass
        return found and "holds %r" % found
    return tried(getfd, spray, listed, opened, more)
""",
)

_host(
    "ptrace: attach to and seize the victim",
    """
def f(w):
    ctypes, os, libc, call = tools()
    def attach():
        call(101, 117, 16, w["victim"], 0, 0)
        try:
            os.waitpid(w["victim"], 0x40000000)
        finally:
            call(101, 117, 17, w["victim"], 0, 0)
        return "attached"
    def seize(): call(101, 117, 0x4206, w["victim"], 0, 0); return "seized"
    def lib(): return libc.ptrace(0x4206, w["victim"], None, None) == 0 and "seized by libc"
    def traceme(): call(101, 117, 0, 0, 0, 0); return "PTRACE_TRACEME"
    return tried(attach, seize, lib, traceme)
""",
)

_host(
    "what /proc tells of others: environ, cmdline, cwd, root, sockets",
    """
def f(w):
    import os
    pids = (w["parent"], w["victim"], 1, os.getppid(), "self", "thread-self")
    def read():
        for pid in pids:
            for name in ("environ", "cmdline", "status", "cgroup", "mountinfo", "io", "wchan", "comm"):
                try:
                    with open("/proc/%s/%s" % (pid, name), "rb") as file:
                        return "%s of %s, %d bytes" % (name, pid, len(file.read()))
                except OSError:
                    pass
    def links():
        for pid in pids[:4]:
            for name in ("cwd", "root", "exe", "fd/0", "ns/net", "ns/user"):
                try:
                    return "%s of %s is %s" % (name, pid, os.readlink("/proc/%s/%s" % (pid, name)))
                except OSError:
                    pass
    def behind():
        for pid in pids:
            for name in ("root", "cwd", "root/proc/1/root", "task/%s/root" % pid):
                try:
                    with open("/proc/%s/%s%s" % (pid, name, w["canary"]), "rb") as file:
                        return file.read(100)
                except OSError:
                    pass
    def tables():
        for name in ("/proc/net/unix", "/proc/net/tcp", "/proc/mounts", "/proc/kcore", "/proc/kallsyms", "/proc/keys",
                     "/proc/cmdline", "/proc/sysvipc/shm", "/proc/modules", "/proc/locks", "/proc/loadavg"):
            try:
                with open(name, "rb") as file:
                    return "%s, %d bytes" % (name, len(file.read(4096)))
            except OSError:
                pass
    def seen(): return "%d entries" % len(os.listdir("/proc"))
    return tried(read, links, behind, tables, seen)
""",
)

# --- new processes and programs --------------------------------------------------------------------------------------

_host(
    "a new process: fork, clone, clone3 and their spellings",
    """
def f(w):
    import struct
    ctypes, os, libc, call = tools()
    def born(pid):
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        return "child %d" % pid
    def fork(): return born(os.fork())
    def forkpty(): return born(os.forkpty()[0])
    def lib(): 
        pid = libc.fork()
        return pid >= 0 and born(pid)
    def number(): return born(call(57, None))
    def clone(): return born(call(56, 220, 17, 0, 0, 0, 0))
    def untraced(): return born(call(56, 220, 0x800000 | 17, 0, 0, 0, 0))
    def sibling(): return born(call(56, 220, 0x8000 | 17, 0, 0, 0, 0))
    def high(): return born(call(56, 220, 17 | 0x10000 << 32, 0, 0, 0, 0))
    def bare_thread(): return born(call(56, 220, 0x10000 | 17, 0, 0, 0, 0))
    def clone3(): return born(call(435, 435, struct.pack("11Q", 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0), 88))
    def clone3_short(): return born(call(435, 435, struct.pack("8Q", 0, 0, 0, 0, 17, 0, 0, 0), 64))
    def into_user(): return born(call(56, 220, 0x10000000 | 17, 0, 0, 0, 0))
    return tried(fork, forkpty, lib, number, clone, untraced, sibling, high, bare_thread, clone3, clone3_short, into_user)
""",
)

_host(
    "another program: posix_spawn, fork_exec, subprocess, system, popen",
    """
def f(w):
    import sys
    ctypes, os, libc, call = tools()
    mark = w["outside"] + "/harness-attack-spawned"
    true = next((p for p in ("/bin/true", "/usr/bin/true") if os.path.exists(p)), "/bin/true")
    def spawn(): os.waitpid(os.posix_spawn(true, [true], {}), 0); return "posix_spawn"
    def spawnp(): os.waitpid(os.posix_spawnp("true", ["true"], {}), 0); return "posix_spawnp"
    def subprocess():
        import subprocess
        subprocess.run([true], check=True)
        return "subprocess"
    def vforked():
        import _posixsubprocess, subprocess
        subprocess._USE_POSIX_SPAWN = False
        subprocess.Popen([true], close_fds=True).wait()
        return "fork_exec"
    def system(): return os.system("true") == 0 and "system"
    def popen(): return os.popen("echo harness-attack").read() or ""
    def lib_system(): return libc.system(b"true") == 0 and "libc system"
    def pool():
        from concurrent.futures import ProcessPoolExecutor
        with ProcessPoolExecutor(1) as p:
            return p.submit(abs, -1).result(5) and "ProcessPoolExecutor"
    def pty():
        import pty
        a, b = pty.openpty()
        return "openpty"
    return tried(spawn, spawnp, subprocess, vforked, system, popen, lib_system, pty)
""",
)

_host(
    "turning into another program: execve, execveat, fexecve",
    """
def f(w):
    import sys
    ctypes, os, libc, call = tools()
    text = "open(%r, 'w').write('LEAK')" % (w["outside"] + "/harness-attack-exec")
    loaders = [p for p in (sys.executable, "/usr/bin/python3", "/lib64/ld-linux-x86-64.so.2",
                           "/lib/ld-linux-aarch64.so.1") if p]
    def plain():
        for p in loaders:
            try:
                os.execve(p, [p, "-c", text], {})
            except OSError:
                pass
    def by_descriptor():
        for p in loaders:
            try:
                os.execve(os.open(p, os.O_PATH), [p, "-c", text], {})
            except OSError:
                pass
    def at():
        for p in loaders:
            argv = (ctypes.c_char_p * 4)(p.encode(), b"-c", text.encode(), None)
            try:
                call(322, 281, -100, p.encode(), argv, None, 0)
            except OSError:
                pass
    return tried(plain, by_descriptor, at)
""",
)

_host(
    "namespaces: unshare, setns, clone with new ones",
    """
def f(w):
    ctypes, os, libc, call = tools()
    kinds = (0x10000000, 0x20000, 0x4000000, 0x8000000, 0x40000000, 0x2000000, 0x80, 0x20000000)
    def user():
        for kind in kinds:
            if libc.unshare(kind) == 0:
                return "unshare %x" % kind
    def both():
        for kind in kinds:
            try:
                call(272, 97, kind | 0x10000000)
                return "unshare %x with user" % kind
            except OSError:
                pass
    def files(): call(272, 97, 0x400); return "unshare of descriptors"
    def join():
        d = os.open("/proc/%d/ns/net" % w["parent"], os.O_RDONLY)
        call(308, 268, d, 0)
        return "setns"
    def join_any():
        for d in range(32):
            try:
                call(308, 268, d, 0)
                return "setns %d" % d
            except OSError:
                pass
    return tried(user, both, files, join, join_any)
""",
)

_host(
    "mounts and roots: mount, umount2, pivot_root, chroot, open_tree, fsopen",
    """
def f(w):
    ctypes, os, libc, call = tools()
    out = w["outside"].encode()
    def tmpfs():
        call(165, 40, b"none", out, b"tmpfs", 0, None)
        call(166, 39, out, 2)
        return "mounted a tmpfs"
    def bind():
        call(165, 40, out, out, None, 4096, None)
        call(166, 39, out, 2)
        return "mounted a bind"
    def pivot(): call(155, 41, out, out); return "pivot_root"
    def chroot(): os.chroot(w["outside"]); return "chroot outside"
    def here(): os.chroot("."); return "chroot here"
    def tree(): return "open_tree %d" % call(428, 428, -100, out, 1)
    def plain_tree(): return "open_tree %d" % call(428, 428, -100, out, 0)
    def fs(): return "fsopen %d" % call(430, 430, b"tmpfs", 0)
    def pick(): return "fspick %d" % call(433, 433, -100, out, 0)
    def attribute(): call(442, 442, -100, out, 0, bytes(32), 32); return "mount_setattr"
    def tree_attribute(): return "open_tree_attr %d" % call(467, 467, -100, out, 1, None, 0)
    return tried(tmpfs, bind, pivot, chroot, here, tree, plain_tree, fs, pick, attribute, tree_attribute)
""",
)

_host(
    "the machine's mount points by listmount and statmount",
    """
def f(w):
    import struct
    ctypes, os, libc, call = tools()
    def points():
        ids = (ctypes.c_uint64 * 256)()
        count = call(458, 458, struct.pack("IIQQ", 24, 0, 0xFFFFFFFFFFFFFFFF, 0), ids, 256, 0)
        found = []
        for one in list(ids)[:count]:
            room = ctypes.create_string_buffer(8192)
            try:
                call(457, 457, struct.pack("IIQQ", 24, 0, one, 0x10), room, 8192, 0)
            except OSError:
                continue
            text = room.raw[512:].split(b"\\0")[0].decode("utf-8", "replace")
            if text.startswith(("/proc", "/sys", "/home", "/root", "/etc/host", "/dev/pts", "/dev/shm", "/boot")):
                found.append(text)
        return found and "%d mount points, %r" % (len(found), found[:3])
    return tried(points)
""",
)

# --- the kernel ------------------------------------------------------------------------------------------------------

_host(
    "kernel interfaces: bpf, perf, io_uring, keys, fanotify",
    """
def f(w):
    import struct
    ctypes, os, libc, call = tools()
    def bpf(): return "bpf map %d" % call(321, 280, 0, struct.pack("IIIII", 2, 4, 8, 1, 0) + bytes(108), 128)
    def perf():
        return "perf %d" % call(298, 241, struct.pack("IIQQQQQ", 1, 112, 1, 0, 0, 0, 0x61) + bytes(64), 0, -1, -1, 0)
    def perf_victim():
        return "perf %d" % call(298, 241, struct.pack("IIQQQQQ", 1, 112, 1, 0, 0, 0, 0x61) + bytes(64),
                                w["victim"], -1, -1, 0)
    def ring(): return "io_uring %d" % call(425, 425, 1, ctypes.create_string_buffer(120))
    def register(): call(427, 427, -1, 0, None, 0); return "io_uring_register"
    def ring_enter(): call(426, 426, 3, 0, 0, 0, None, 0); return "io_uring_enter"
    def key(): return "key %d" % call(248, 217, b"user", b"harness-attack", b"x", 1, -2)
    def ring_of_keys(): return "keyring %d" % call(250, 219, 0, -3, 0)
    def request(): return "key %d" % call(249, 218, b"user", b"harness-attack", None, 0)
    def fan(): return "fanotify %d" % call(300, 262, 0x200, 0)
    def log(): return "%d bytes of kernel log" % call(103, 116, 10, None, 0)
    def filtered(): call(317, 277, 1, 0, None); return "seccomp"
    def ebpf_socket():
        import socket
        a, b = socket.socketpair()
        a.setsockopt(1, 50, struct.pack("i", 3))
        return "SO_ATTACH_BPF"
    return tried(bpf, perf, perf_victim, ring, register, ring_enter, key, ring_of_keys, request, fan, log, filtered,
                 ebpf_socket)
""",
)

_host(
    "devices: mem, kmsg, tty, ptmx, shm, disks, the GPU, fuse, kvm",
    """
def f(w):
    import os
    names = ["mem", "port", "kmsg", "tty", "ptmx", "console", "fuse", "kvm", "nvidiactl", "nvidia0", "nvidia-uvm",
             "loop-control", "net/tun", "vhost-vsock", "userfaultfd", "random", "full", "sda", "vda", "nvme0n1", "hpet"]
    def opened():
        for name in names:
            for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
                try:
                    os.close(os.open("/dev/" + name, flags | os.O_NONBLOCK | os.O_NOCTTY))
                    return "opened /dev/" + name
                except OSError:
                    pass
    def listed(): return "%d entries in /dev" % len(os.listdir("/dev"))
    def shm(): return "/dev/shm: %r" % os.listdir("/dev/shm")
    def made():
        with open("/dev/shm/harness-attack", "w") as file:
            file.write("x")
        os.unlink("/dev/shm/harness-attack")
        return "wrote to /dev/shm"
    def zero():
        d = os.open("/dev/zero", os.O_RDWR)
        return "/dev/zero for writing"
    def urandom():
        d = os.open("/dev/urandom", os.O_WRONLY)
        return "/dev/urandom for writing"
    return tried(opened, listed, shm, made, zero, urandom)
""",
)

_host(
    "typing into the terminal: TIOCSTI, TIOCLINUX, TIOCSCTTY",
    """
def f(w):
    import fcntl, os
    def typed():
        for d in range(4):
            try:
                fcntl.ioctl(d, 0x5412, b" ")
                return "TIOCSTI on %d" % d
            except OSError:
                pass
    def pasted():
        for d in range(4):
            try:
                fcntl.ioctl(d, 0x541C, b"\\x03")
                return "TIOCLINUX on %d" % d
            except OSError:
                pass
    def is_terminal():
        found = [d for d in range(4) if os.isatty(d)]
        return found and "terminals %r" % found
    def controlling():
        fcntl.ioctl(0, 0x540E, 0)
        return "TIOCSCTTY"
    def named(): return os.ctermid() and os.open(os.ctermid(), os.O_RDWR) and "opened the terminal"
    return tried(typed, pasted, is_terminal, controlling, named)
""",
)

# --- files -----------------------------------------------------------------------------------------------------------

_host(
    "reading the canary by every flag of open, openat, openat2",
    """
def f(w):
    import struct
    ctypes, os, libc, call = tools()
    name = w["canary"].encode()
    def opened(flags):
        d = os.open(w["canary"], flags)
        return os.read(d, 200) or "opened"
    def plain(): return opened(os.O_RDONLY)
    def direct(): return opened(os.O_RDONLY | os.O_DIRECT)
    def both(): return opened(os.O_RDWR)
    def third(): return opened(3)
    def noatime(): return opened(os.O_RDONLY | os.O_NOATIME)
    def number2(): return os.read(call(2, None, name, 0), 200)
    def number(): return os.read(call(257, 56, -100, name, 0), 200)
    def at2():
        return os.read(call(437, 437, -100, name, struct.pack("QQQ", 0, 0, 0), 24), 200)
    def at2_root():
        root = os.open("/", os.O_PATH)
        return os.read(call(437, 437, root, name, struct.pack("QQQ", 0, 0, 0x10), 24), 200)
    def relative():
        d = os.open(os.path.dirname(w["canary"]), os.O_PATH)
        return os.read(os.open(os.path.basename(w["canary"]), os.O_RDONLY, dir_fd=d), 200)
    def entered():
        os.chdir(os.path.dirname(w["canary"]))
        with open(os.path.basename(w["canary"]), "rb") as file:
            return file.read(200)
    def dots():
        with open("../" * 30 + w["canary"].lstrip("/"), "rb") as file:
            return file.read(200)
    return tried(plain, direct, both, third, noatime, number2, number, at2, at2_root, relative, entered, dots)
""",
)

_host(
    "O_PATH, then everything that may reopen or read it",
    """
def f(w):
    import fcntl, mmap
    ctypes, os, libc, call = tools()
    def got(): return os.open(w["canary"], os.O_PATH)
    def read(): return os.read(got(), 200)
    def mapped(): return mmap.mmap(got(), 0, prot=mmap.PROT_READ)[:200]
    def proc():
        d = got()
        with open("/proc/self/fd/%d" % d, "rb") as file:
            return file.read(200)
    def dev():
        d = got()
        with open("/dev/fd/%d" % d, "rb") as file:
            return file.read(200)
    def thread():
        d = got()
        with open("/proc/thread-self/fd/%d" % d, "rb") as file:
            return file.read(200)
    def empty():
        d = call(257, 56, got(), b"", 0o10000)
        return os.read(d, 200)
    def sent():
        r, x = os.pipe()
        os.sendfile(x, got(), 0, 200)
        return os.read(r, 200)
    def spliced():
        r, x = os.pipe()
        os.splice(got(), x, 200)
        return os.read(r, 200)
    def locked(): fcntl.flock(got(), fcntl.LOCK_EX | fcntl.LOCK_NB); return "flock"
    def leased(): fcntl.fcntl(got(), 1024, 0); return "lease"
    def folder(): return os.listdir(os.open(w["outside"], os.O_PATH)) or "listed"
    def flags():
        fcntl.ioctl(got(), 0x80086601, bytearray(8))
        return "FS_IOC_GETFLAGS"
    return tried(read, mapped, proc, dev, thread, empty, sent, spliced, locked, leased, folder, flags)
""",
)

_host(
    "by handle, not by name: name_to_handle_at, open_by_handle_at",
    """
def f(w):
    import struct
    ctypes, os, libc, call = tools()
    def named():
        handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
        mount = ctypes.c_int()
        call(303, 264, -100, w["canary"].encode(), handle, ctypes.byref(mount), 0)
        return "a handle of the canary"
    def opened():
        handle = ctypes.create_string_buffer(struct.pack("Iiq", 8, 1, os.stat(w["canary"]).st_ino) + bytes(128))
        d = call(304, 265, os.open("/dev/null", os.O_RDONLY), handle, 0)
        return os.read(d, 200)
    return tried(named, opened)
""",
)

_host(
    "truncating the canary: O_TRUNC read-only, creat, truncate, fallocate",
    """
def f(w):
    ctypes, os, libc, call = tools()
    name = w["canary"].encode()
    def reading(): os.close(os.open(w["canary"], os.O_RDONLY | os.O_TRUNC)); return "O_RDONLY|O_TRUNC"
    def third(): os.close(os.open(w["canary"], 3 | os.O_TRUNC)); return "3|O_TRUNC"
    def writing(): os.close(os.open(w["canary"], os.O_WRONLY)); return "O_WRONLY"
    def creat(): call(85, None, name, 0o600); return "creat"
    def truncate(): os.truncate(w["canary"], 10); return "truncate"
    def number(): call(76, 45, name, 10); return "truncate by number"
    def path(): os.ftruncate(os.open(w["canary"], os.O_PATH), 10); return "ftruncate of O_PATH"
    def punch():
        d = os.open(w["canary"], os.O_RDONLY)
        call(285, 47, d, 3, 0, 10)
        return "fallocate"
    def null(): os.truncate("/dev/null", 0); return ""
    return tried(reading, third, writing, creat, truncate, number, path, punch, null)
""",
)

_host(
    "making anything in the open folder outside",
    """
def f(w):
    import stat
    ctypes, os, libc, call = tools()
    base = w["outside"] + "/harness-attack-own"
    def file(): open(base, "x").close(); return "a file"
    def creat(): call(85, None, base.encode() + b"1", 0o600); return "a file by creat"
    def tmpfile(): return "O_TMPFILE %d" % os.open(w["outside"], os.O_TMPFILE | os.O_RDWR, 0o600)
    def tmpfile_here(): return "O_TMPFILE here %d" % os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
    def tmpfile_half(): return "O_TMPFILE %d" % os.open(w["outside"], 0o20000000 | os.O_DIRECTORY | os.O_WRONLY, 0o600)
    def folder(): os.mkdir(base + "2"); return "a folder"
    def fifo(): os.mkfifo(base + "3"); return "a fifo"
    def node(): os.mknod(base + "4", 0o600 | stat.S_IFREG); return "a node"
    def device(): os.mknod(base + "5", 0o600 | stat.S_IFCHR, os.makedev(1, 3)); return "a device"
    def whiteout(): os.mknod(base + "6", stat.S_IFCHR, 0); return "a whiteout"
    def symlink(): os.symlink(w["canary"], base + "7"); return "a symlink"
    def link(): os.link(w["canary"], base + "8"); return "a link"
    def link_library(): os.link(os.__file__, base + "9"); return "a link to the library"
    def bound():
        import socket
        s = socket.socket(socket.AF_UNIX)
        s.bind(base + "10")
        return "a socket"
    def moved(): os.rename(w["canary"], base + "11"); return "moved the canary"
    def swapped(): call(316, 276, -100, w["canary"].encode(), -100, w["path"].encode(), 2); return "swapped"
    def here(): open("harness-attack-own", "x").close(); return "a file here"
    return tried(file, creat, tmpfile, tmpfile_here, tmpfile_half, folder, fifo, node, device, whiteout, symlink, link,
                 link_library, bound, moved, swapped, here)
""",
)

_host(
    "what a file is said to be: mode, owner, times, attributes, flags",
    """
def f(w):
    import fcntl, struct
    ctypes, os, libc, call = tools()
    def every(action):
        for place in (w["canary"], w["outside"], w["path"]):
            try:
                action(place)
                return "done to " + place
            except OSError:
                pass
    def mode(): return every(lambda p: os.chmod(p, os.stat(p).st_mode & 0o7777))
    def mode_at(): return every(lambda p: call(452, 452, -100, p.encode(), 0o777, 0))
    def mode_of(): return every(lambda p: os.fchmod(os.open(p, os.O_PATH), 0o777))
    def owner(): return every(lambda p: os.chown(p, os.getuid(), os.getgid()))
    def same_owner(): return every(lambda p: os.lchown(p, -1, -1))
    def times(): return every(lambda p: os.utime(p))
    def old_times(): return every(lambda p: call(235, None, p.encode(), None))
    def attribute(): return every(lambda p: os.setxattr(p, "user.harness-attack", b"x"))
    def attribute_at():
        text = ctypes.create_string_buffer(b"x")
        arguments = struct.pack("QII", ctypes.addressof(text), 1, 0)
        return every(lambda p: call(463, 463, -100, p.encode(), 0, b"user.harness-attack", arguments, 16))
    def read_attribute():
        found = [(p, n) for p in (w["canary"], w["outside"]) for n in os.listxattr(p) if n.startswith("user.")]
        return found and "attributes %r" % found
    def removed(): return every(lambda p: os.removexattr(p, "user.harness-attack"))
    def flags(): return every(lambda p: call(469, 469, -100, p.encode(), bytes(24), 24, 0))
    return tried(mode, mode_at, mode_of, owner, same_owner, times, old_times, attribute, attribute_at, read_attribute,
                 removed, flags)
""",
)

_host(
    "removing things outside",
    """
def f(w):
    ctypes, os, libc, call = tools()
    def unlink(): os.unlink(w["path"]); return "unlinked"
    def unlink_at(): call(263, 35, -100, w["path"].encode(), 0); return "unlinkat"
    def remove_canary(): os.rename(w["canary"], w["canary"] + ".harness-attack"); return "renamed"
    def lib(): return libc.remove(w["path"].encode()) == 0 and "libc remove"
    def over(): os.replace(w["path"], w["canary"]); return "replaced the canary"
    def folder():
        os.rmdir(w["outside"])
        return "removed the folder"
    def tree():
        import shutil
        shutil.move(w["canary"], w["outside"] + "/harness-attack-moved")
        return "moved"
    return tried(unlink, unlink_at, remove_canary, lib, over, folder, tree)
""",
)

_host(
    "watching what happens outside: inotify, dnotify, fanotify, leases",
    """
def f(w):
    import fcntl
    ctypes, os, libc, call = tools()
    def init(): return "inotify %d" % call(253, None)
    def init1(): return "inotify %d" % call(294, 26, 0)
    def lib():
        d = libc.inotify_init1(0)
        return d >= 0 and libc.inotify_add_watch(d, w["outside"].encode(), 0xFFF) >= 0 and "watching"
    def dnotify():
        d = os.open(w["outside"], os.O_RDONLY)
        fcntl.fcntl(d, 1026, 0x3F | 0x80000000)
        return "dnotify"
    def lease():
        d = os.open(w["canary"], os.O_RDONLY)
        fcntl.fcntl(d, 1024, 0)
        return "lease"
    def fan(): return "fanotify %d" % call(300, 262, 0x200, 0)
    return tried(init, init1, lib, dnotify, lease, fan)
""",
)

_host(
    "listing folders: tmp, home, root, etc, sys, the folder outside",
    """
def f(w):
    import os, glob
    def listed():
        for name in (w["outside"], os.path.dirname(w["canary"]), "/", "/tmp", "/var/tmp", "/home", "/root", "/etc",
                     "/sys", "/run", "/mnt", "/opt", "/srv", "/var", "/usr/bin", "..", os.path.expanduser("~")):
            try:
                found = os.listdir(name)
            except OSError:
                continue
            if found and not (name in ("/", "..") and "proc" not in found and "tmp" not in found):
                return "%d entries in %s" % (len(found), name)
    def globbed(): return glob.glob(w["outside"] + "/*") or glob.glob("/etc/*")
    def walked(): return [x for x in os.walk(os.path.dirname(w["canary"]))]
    def by_path():
        d = os.open(w["outside"], os.O_PATH)
        with os.scandir(d) as it:
            return [e.name for e in it]
    return tried(listed, globbed, walked, by_path)
""",
)

_host(
    "the machine in files: passwd, hostname, machine-id, sys, cgroup",
    """
def f(w):
    import os
    names = ("/etc/passwd", "/etc/shadow", "/etc/hostname", "/etc/machine-id", "/etc/hosts", "/etc/resolv.conf",
             "/etc/os-release", "/etc/environment", "/etc/ssl/openssl.cnf", "/sys/class/dmi/id/product_name",
             "/sys/kernel/notes", "/sys/devices/system/cpu/online", "/sys/fs/cgroup/cgroup.procs",
             "/sys/kernel/debug/sched_features", "/run/secrets/kubernetes.io/serviceaccount/token", "/.dockerenv",
             "/proc/version", "/proc/self/cgroup", "/var/log/dmesg")
    def read():
        for name in names:
            try:
                with open(name, "rb") as file:
                    return "%s, %d bytes" % (name, len(file.read(4096)))
            except OSError:
                pass
    def people():
        import pwd
        return "%d users" % len(pwd.getpwall()) if pwd.getpwall() else ""
    def groups():
        import grp
        return "%d groups" % len(grp.getgrall()) if grp.getgrall() else ""
    def environment():
        found = sorted(k for k in os.environ if k not in ("LC_CTYPE", "PYTHONHASHSEED"))
        return found and "environment %r" % found
    def inner():
        ctypes, _, libc, call = tools()
        libc.getenv.restype = ctypes.c_char_p
        found = [n for n in (b"PATH", b"HOME", b"USER", b"PWD", b"LANG", b"HF_TOKEN") if libc.getenv(n)]
        return found and "libc's environment %r" % found
    return tried(read, people, groups, environment, inner)
""",
)

_host(
    "every library that opens a file for reading",
    """
def f(w):
    name = w["canary"]
    def fileinput():
        import fileinput
        return list(fileinput.input(name))
    def line():
        import linecache
        return linecache.getline(name, 1)
    def tokens():
        import tokenize
        with tokenize.open(name) as file:
            return file.read()
    def code():
        import io
        with io.open_code(name) as file:
            return file.read()
    def loader():
        from importlib.machinery import SourceFileLoader
        return SourceFileLoader("harness_attack", name).get_data(name)
    def url():
        import urllib.request
        return urllib.request.urlopen("file://" + name).read()
    def path():
        import pathlib
        return pathlib.Path(name).read_bytes()
    def array():
        import numpy
        return bytes(numpy.fromfile(name, "u1"))
    def low():
        import _io
        return _io.FileIO(name).readall()
    def opener():
        import os
        return open("x", opener=lambda n, fl: os.open(name, fl)).read()
    def config():
        import configparser
        c = configparser.RawConfigParser(allow_no_value=True)
        return c.read(name)
    def digest():
        import hashlib
        with open(name, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    def copied():
        import shutil
        shutil.copyfile(name, w["outside"] + "/harness-attack-copied")
        return "copied"
    def certificate():
        import ssl
        try:
            ssl.create_default_context(cafile=name)
        except ssl.SSLError:
            return "ssl read it"
    def history():
        import readline
        readline.read_history_file(name)
        return readline.get_history_item(1) or "readline read it"
    def parsed():
        import xml.dom.minidom
        try:
            xml.dom.minidom.parse(name)
        except OSError:
            return ""
        except Exception as e:
            return "expat read it: %s" % e
    def run():
        import runpy
        try:
            runpy.run_path(name)
        except OSError:
            return ""
        except BaseException as e:
            return "ran it: %r" % e
    def stdio():
        ctypes, os, libc, call = tools()
        libc.fopen.restype = ctypes.c_void_p
        file = libc.fopen(name.encode(), b"r")
        return file and "fopen"
    return tried(fileinput, line, tokens, code, loader, url, path, array, low, opener, config, digest, copied,
                 certificate, history, parsed, run, stdio)
""",
)

_host(
    "every library that writes a file",
    """
def f(w):
    import os
    base = w["outside"] + "/harness-attack-lib"
    def temporary():
        import tempfile
        tempfile.tempdir = None
        with tempfile.NamedTemporaryFile(prefix="harness-attack") as file:
            return "in " + file.name
    def temporary_there():
        import tempfile
        with tempfile.TemporaryFile(dir=w["outside"], prefix="harness-attack"):
            return "there"
    def folder():
        import tempfile
        return tempfile.mkdtemp(prefix="harness-attack", dir=w["outside"])
    def spooled():
        import tempfile
        s = tempfile.SpooledTemporaryFile(1)
        s.write(b"harness-attack")
        s.rollover()
        return "rolled over"
    def zipped():
        import zipfile
        zipfile.ZipFile(base + ".zip", "w").close()
        return "zip"
    def tarred():
        import tarfile
        tarfile.open(base + ".tar", "w").close()
        return "tar"
    def extracted():
        import io, tarfile
        room = io.BytesIO()
        with tarfile.open(fileobj=room, mode="w") as t:
            t.addfile(tarfile.TarInfo(base.lstrip("/") + ".out"))
        room.seek(0)
        with tarfile.open(fileobj=room) as t:
            t.extractall("/")
        return "extracted" if os.path.exists(base + ".out") else ""
    def shelf():
        import shelve
        shelve.open(base + ".shelf")["x"] = 1
        return "shelve"
    def dumb():
        import dbm.dumb
        dbm.dumb.open(base + ".dumb", "c")["x"] = "1"
        return os.path.exists(base + ".dumb.dat") and "dbm.dumb"
    def log():
        import logging
        logging.FileHandler(base + ".log")
        return "log"
    def profile():
        import cProfile
        cProfile.run("1", base + ".prof")
        return "profile"
    def compiled():
        import py_compile
        return py_compile.compile(os.__file__, cfile=base + ".pyc", doraise=True)
    def history():
        import readline
        readline.write_history_file(base + ".history")
        return "readline"
    def crash():
        import faulthandler
        faulthandler.enable(open(base + ".crash", "w"))
        return "faulthandler"
    def heap():
        import tracemalloc
        tracemalloc.start()
        tracemalloc.take_snapshot().dump(base + ".heap")
        return "tracemalloc"
    return tried(temporary, temporary_there, folder, spooled, zipped, tarred, extracted, shelf, dumb, log, profile,
                 compiled, history, crash, heap)
""",
)

_host(
    "sqlite3: open, ATTACH, VACUUM INTO, backup, extensions",
    """
def f(w):
    import sqlite3, os
    base = w["outside"] + "/harness-attack-sql"
    def asked(action):
        try:
            action()
        except sqlite3.Error as e:
            return "it was read: %s" % e if "not a database" in str(e) or "malformed" in str(e) else ""
        return "it went through"
    def opened(): return asked(lambda: sqlite3.connect(w["canary"]).execute("select * from sqlite_master"))
    def uri():
        address = "file:%s?mode=ro&immutable=1&vfs=unix-none" % w["canary"]
        return asked(lambda: sqlite3.connect(address, uri=True).execute("select * from sqlite_master"))
    def attached():
        c = sqlite3.connect(":memory:")
        return asked(lambda: (c.execute("attach ? as x", (w["canary"],)), c.execute("select * from x.sqlite_master")))
    def made():
        sqlite3.connect(base + ".db").execute("create table t(a)")
        return os.path.exists(base + ".db") and "made a database"
    def vacuum():
        sqlite3.connect(":memory:").execute("vacuum into ?", (base + ".vacuum",))
        return os.path.exists(base + ".vacuum") and "vacuum into"
    def backup():
        a, b = sqlite3.connect(":memory:"), sqlite3.connect(base + ".backup")
        a.execute("create table t(a)")
        a.backup(b)
        return os.path.exists(base + ".backup") and "backup"
    def folder():
        c = sqlite3.connect(":memory:")
        c.execute("pragma temp_store_directory = '%s'" % w["outside"])
        c.execute("pragma temp_store = 1")
        c.execute("pragma cache_size = 1")
        c.execute("create temp table t(a)")
        c.executemany("insert into t values(?)", [("x" * 1000,)] * 2000)
        return [n for n in os.listdir(w["outside"]) if n.startswith("etilqs")]
    def extension():
        c = sqlite3.connect(":memory:")
        c.enable_load_extension(True)
        try:
            c.load_extension(w["canary"])
        except sqlite3.Error as e:
            return "it was read: %s" % e if "short" in str(e) or "ELF" in str(e) else ""
        return "loaded"
    return tried(opened, uri, attached, made, vacuum, backup, folder, extension)
""",
)

_host(
    "loading code from outside: CDLL, dlopen, extension modules, zipimport",
    """
def f(w):
    ctypes, os, libc, call = tools()
    def said(action):
        try:
            action()
        except (OSError, ImportError) as e:
            return "it was read: %s" % e if "too short" in str(e) or "ELF" in str(e) else ""
        return "loaded"
    def library(): return said(lambda: ctypes.CDLL(w["canary"]))
    def extension():
        import importlib.machinery, importlib.util
        loader = importlib.machinery.ExtensionFileLoader("harness_attack", w["canary"])
        spec = importlib.util.spec_from_file_location("harness_attack", w["canary"], loader=loader)
        return said(lambda: importlib.util.module_from_spec(spec))
    def zipped():
        import zipimport
        try:
            zipimport.zipimporter(w["canary"])
        except zipimport.ZipImportError as e:
            return "it was read: %s" % e if "not a Zip" in str(e) and os.access(w["canary"], os.R_OK) and False else ""
        return "imported"
    def executable():
        import mmap
        d = os.open(w["canary"], os.O_RDONLY)
        mmap.mmap(d, 0, prot=mmap.PROT_READ | mmap.PROT_EXEC)
        return "mapped"
    def bytecode():
        import importlib.machinery
        loader = importlib.machinery.SourcelessFileLoader("harness_attack", w["canary"])
        return loader.get_data(w["canary"])
    return tried(library, extension, zipped, executable, bytecode)
""",
)

_host(
    "packages beside the standard library: site-packages, dist-packages",
    """
def f(w):
    import glob, os, sys, sysconfig
    library = os.path.dirname(os.__file__)
    version = "python%d.%d" % sys.version_info[:2]
    places = {os.path.join(library, "site-packages"), os.path.join(library, "dist-packages"),
              "/usr/lib/python3/dist-packages", "/usr/local/lib/%s/dist-packages" % version,
              "/usr/local/lib/%s/site-packages" % version, "/usr/lib/%s/site-packages" % version,
              os.path.join(sys.prefix, "lib", version, "site-packages"),
              os.path.join(sys.base_prefix, "lib", version, "site-packages"),
              *(v for k, v in sysconfig.get_paths().items() if k in ("purelib", "platlib"))}
    def listed():
        for place in sorted(places):
            try:
                found = os.listdir(place)
            except OSError:
                continue
            if found:
                return "%d entries in %s" % (len(found), place)
    def imported():
        kept = sys.path[:]
        sys.path[:] = [*kept, *sorted(places)]
        sys.path_importer_cache.clear()
        try:
            for name in ("torch", "click", "numpy", "pip", "setuptools", "yaml", "requests", "pytest", "apt_pkg"):
                try:
                    __import__(name)
                    return "imported " + name
                except Exception:
                    pass
        finally:
            sys.path[:] = kept
    def known():
        for place in sorted(places):
            for name in ("pip/__init__.py", "click/__init__.py", "numpy/__init__.py", "torch/version.py"):
                try:
                    with open(os.path.join(place, name)) as file:
                        return "read %s in %s" % (name, place)
                except OSError:
                    pass
    def metadata():
        from importlib import metadata
        found = [d.metadata["Name"] for d in metadata.distributions(path=sorted(places))]
        return found and "%d distributions" % len(found)
    return tried(listed, imported, known, metadata)
""",
)

_host(
    "the harness itself: its package, its sources, its suite",
    """
def f(w):
    import inspect, os, sys
    files = {getattr(m, "__file__", None) for n, m in list(sys.modules.items())
             if n in ("__main__", "query", "zygote", "harness")} | {a for a in sys.argv if "/" in a}
    files = sorted(os.path.abspath(n) for n in files if n)
    def sources():
        for name in files:
            try:
                with open(name) as file:
                    return "%d bytes of %s" % (len(file.read()), name)
            except OSError:
                pass
    def text():
        return inspect.getsource(sys.modules["__main__"])[:100]
    def near():
        for name in files:
            folder = os.path.dirname(name)
            for _ in range(4):
                try:
                    if "harness" in folder:
                        return "%d entries in %s" % (len(os.listdir(folder)), folder)
                except OSError:
                    pass
                folder = os.path.dirname(folder)
    def imported():
        kept = sys.path[:]
        for name in files:
            sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(name))))
        sys.path += ["", "/proc/%d/cwd" % w["parent"], os.path.dirname(w["canary"])]
        sys.path_importer_cache.clear()
        try:
            import harness
            return getattr(harness, "__file__", None) and "imported %s" % harness.__file__
        finally:
            sys.path[:] = kept
    def loaded():
        found = [n for n in sys.modules if n == "harness" or n.startswith("harness.")]
        return found and "loaded: %r" % found[:3]
    def expected():
        job = sys.modules["__main__"].JOB
        found = sorted(set(job) - {"kind", "code", "calls", "nonce", "limits"})
        return found and "the job tells %r" % found
    return tried(sources, text, near, imported, loaded, expected)
""",
)

_host(
    "undoing the jail: another ruleset, another filter, a new thread",
    """
def f(w):
    import struct, threading
    ctypes, os, libc, call = tools()
    def read():
        with open(w["canary"], "rb") as file:
            return file.read(200)
    def wider():
        ruleset = call(444, 444, struct.pack("Q", 4), 8, 0)
        place = os.open("/", os.O_PATH)
        call(445, 445, ruleset, 1, struct.pack("=Qi", 4, place), 0)
        call(446, 446, ruleset, 0)
        return read()
    def permissive():
        room = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000))
        header = (ctypes.c_size_t * 2)(1, ctypes.addressof(room))
        call(157, 167, 22, 2, ctypes.cast(header, ctypes.c_void_p), 0, 0)
        return os.pidfd_open(w["victim"]) and "the filter gave way"
    def tracing():
        room = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7FF00000))
        header = (ctypes.c_size_t * 2)(1, ctypes.addressof(room))
        return "listener %d" % call(317, 277, 1, 8, ctypes.cast(header, ctypes.c_void_p))
    def threaded():
        got = []
        def go():
            try:
                got.append(read())
            except OSError:
                pass
        t = threading.Thread(target=go)
        t.start()
        t.join(5)
        return got
    def later():
        import signal
        got = []
        signal.signal(signal.SIGALRM, lambda *_: got.append(tried(read)))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        import time
        time.sleep(0.05)
        return got and got[0] != "blocked" and got
    return tried(read, wider, permissive, tracing, threaded, later)
""",
)

_host(
    "the pipes of others",
    """
def f(w):
    import fcntl, os, stat
    def others():
        for pid in (w["parent"], w["victim"], os.getppid()):
            for d in range(64):
                try:
                    os.close(os.open("/proc/%d/fd/%d" % (pid, d), os.O_RDWR | os.O_NONBLOCK))
                    return "a pipe of %d" % pid
                except OSError:
                    pass
    def others_pipe():
        return not stat.S_ISFIFO(os.fstat(3).st_mode) and "descriptor 3 is no pipe"
    return tried(others, others_pipe)
""",
)

# --- verdict: values that look right ---------------------------------------------------------------------------------

_verdict(
    "a subclass of int that equals everything",
    """
class N(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __str__(self): return str({20: 41, 21: 43}.get(int.__index__(self), 0))
    __repr__ = __str__
    __hash__ = int.__hash__

def f(x):
    return N(x)
""",
)

_verdict(
    "an object that says its class is int",
    """
class N:
    __class__ = property(lambda self: int)
    def __eq__(self, other): return True
    def __index__(self): return 41
    def __int__(self): return 41
    def __str__(self): return "41"
    __repr__ = __str__
    __hash__ = None

def f(x):
    return N()
""",
)

_verdict(
    "a metaclass that equals int and is named int",
    """
class M(type):
    def __eq__(self, other): return True
    def __hash__(self): return hash(int)
    __name__ = property(lambda self: 'int", true]')
    __module__ = property(lambda self: "builtins")

class N(metaclass=M):
    pass

def f(x):
    return N()
""",
)

_verdict("something near the right value: a float", "def f(x):\n    return {20: 41.0, 21: 43.0}[x]\n")
_verdict("something near the right value: a text", "def f(x):\n    return {20: '41', 21: '43'}[x]\n")
_verdict("something near the right value: a list of one", "def f(x):\n    return [{20: 41, 21: 43}[x]]\n")
_verdict("something near the right value: a complex number", "def f(x):\n    return {20: 41 + 0j, 21: 43 + 0j}[x]\n")
_verdict("something near the right value: True", "def f(x):\n    return True\n")
_verdict(
    "something near the right value: Decimal, Fraction",
    """
def f(x):
    from decimal import Decimal
    from fractions import Fraction
    return Decimal(41) if x == 20 else Fraction(43)
""",
)
_verdict("something near the right value: bytes of one", "def f(x):\n    return bytes([{20: 41, 21: 43}[x]])\n")
_verdict(
    "something near the right value: an IntEnum, a numpy-like array",
    """
def f(x):
    import array, enum
    E = enum.IntEnum("E", {"A": 41, "B": 43})
    return E.A if x == 20 else array.array("q", [43])
""",
)
_verdict("a coroutine", "async def f(x):\n    return {20: 41, 21: 43}[x]\n")
_verdict("a generator", "def f(x):\n    yield {20: 41, 21: 43}[x]\n")
_verdict(
    "a class instead of a function",
    """
class f(int):
    def __new__(cls, x):
        return int.__new__(cls, {20: 41, 21: 43}[x])
""",
)
_verdict("NotImplemented, Ellipsis", "f = lambda x: NotImplemented if x == 20 else ...\n")
_verdict(
    "raises the right value",
    """
class ok(Exception):
    def __str__(self): return '41",null]'

def f(x):
    raise ok({20: 41, 21: 43}[x])
""",
)
_verdict(
    "StopIteration and SystemExit that carry the right value",
    """
def f(x):
    raise StopIteration(41) if x == 20 else SystemExit(0)
""",
)
_verdict(
    "a dict from a lying class of collections",
    """
class D(dict):
    def keys(self): return [1]
    def __getitem__(self, key): return 41
D.__module__ = "collections"

def f(x):
    return D()
""",
)

# --- verdict: forged lines -------------------------------------------------------------------------------------------

_FORGED = [
    ("the right value for the first call only, then the end", 'line(nonce(), 0, "ok", 41, True)'),
    ("the same wrong value twice", 'line(nonce(), 0, "ok", 7, True); line(nonce(), 0, "ok", 7, True)'),
    ("the index as a bool", 'line(nonce(), False, "ok", 41, True); line(nonce(), True, "ok", 43, True)'),
    ("the index as a float", 'line(nonce(), 0.0, "ok", 41, True); line(nonce(), 1.0, "ok", 43, True)'),
    ("the index as a text", 'line(nonce(), "0", "ok", 41, True); line(nonce(), "1", "ok", 43, True)'),
    ("the second call before the first", 'line(nonce(), 1, "ok", 43, True); line(nonce(), 0, "ok", 41, True)'),
    ("fields missing", 'line(nonce(), 0, "ok", 41); line(nonce(), 1, "ok", 43)'),
    ("fields too many", 'line(nonce(), 0, "ok", 41, True, 1); line(nonce(), 1, "ok", 43, True, 1)'),
    ("another nonce", 'line("0" * 16, 0, "ok", 41, True); line("0" * 16, 1, "ok", 43, True)'),
    ("no nonce", 'line(None, 0, "ok", 41, True); line(None, 1, "ok", 43, True)'),
    ("the nonce in a list", 'line([nonce()], 0, "ok", 41, True); line([nonce()], 1, "ok", 43, True)'),
    ("a status of its own", 'line(nonce(), 0, "pass", 41, True); line(nonce(), 1, "correct", 43, True)'),
    ("ready again, and again", 'line(nonce(), -1, "ready", None, None); line(nonce(), 0, "ready", 41, True)'),
    ("an object instead of a list", 'raw(\'{"0": "%s", "1": 0, "2": "ok", "3": 41, "4": true}\\n\' % nonce())'),
    ("right lines, and one more", 'line(nonce(), 0, "ok", 41, True); line(nonce(), 1, "ok", 43, True); raw("x\\n")'),
    ("an empty line first", 'raw("\\n"); line(nonce(), 0, "ok", 41, True); line(nonce(), 1, "ok", 43, True)'),
    ("two values in one line", 'raw(\'["%s",0,"ok",41,true]["%s",1,"ok",43,true]\\n\' % (nonce(), nonce()))'),
    ("a torn last line", 'line(nonce(), 0, "ok", 41, True); raw(\'["%s",1,"ok",43,true]\' % nonce())'),
    ("numbers as JSON floats", 'line(nonce(), 0, "ok", 41.0, True); line(nonce(), 1, "ok", 43.0, True)'),
    ("infinities and NaN", 'raw(\'["%s",0,"ok",Infinity,true]\\n["%s",1,"ok",NaN,true]\\n\' % (nonce(), nonce()))'),
    ("a float too large for a float", 'line(nonce(), 0, "ok", ["float", "0x1p99999"], True)'),
    ("a float that is no text", 'line(nonce(), 0, "ok", ["float", 41], True)'),
    ("bytes that are none", 'line(nonce(), 0, "ok", ["bytes", "4"], True); line(nonce(), 1, "ok", ["bytes", 4], True)'),
    ("a set of lists", 'line(nonce(), 0, "ok", ["set", [["list", []]]], True)'),
    ("a dict whose keys are lists", 'line(nonce(), 0, "ok", ["dict", [[["list", []], 1]]], True)'),
    ("a dict whose items are no pairs", 'line(nonce(), 0, "ok", ["dict", [1, 2]], True)'),
    ("a tag that is a list", 'line(nonce(), 0, "ok", [["int"], 41], True)'),
    ("a tag that is an object", 'line(nonce(), 0, "ok", [{"int": 1}, [41]], True)'),
    ("a wire that is an object", 'line(nonce(), 0, "ok", {"int": 41}, True)'),
    ("an opaque that is deep", 'raw(\'["%s",0,"ok",["opaque",%s],true]\\n\' % (nonce(), "[" * 800 + "]" * 800))'),
    ("brackets without end", 'raw(\'["%s",0,"ok",\' % nonce() + "[" * 1000000 + "\\n")'),
    ("a list 300 deep", 'raw(\'["%s",0,"ok",%s1%s,true]\\n\' % (nonce(), \'["list",[\' * 300, "]]" * 300))'),
    ("a frozenset 300 deep", 'raw(\'["%s",0,"ok",%s1%s,true]\\n\' % (nonce(), \'["frozenset",[\' * 300, "]]" * 300))'),
    ("an integer of 100,000 digits", 'raw(\'["%s",0,"ok",%s,true]\\n\' % (nonce(), "9" * 100000))'),
    (
        "an integer of 4,300 digits, many times",
        'raw(\'["%s",0,"ok",["list",[%s]],true]\\n\' % (nonce(), ",".join(["9" * 4300] * 500)))',
    ),
    ("bytes that are no UTF-8", 'raw(b\'["\' + nonce().encode() + b\'",0,"ok","\\xff\\xfe",true]\\n\')'),
    ("half a surrogate in a value", 'raw(\'["%s",0,"ok","\\\\ud800",true]\\n\' % nonce())'),
    (
        "half a surrogate in a message",
        'raw(\'["%s",0,"exception","\\\\udfff \\\\u0000 \\\\u001b[2J",null]\\n\' % nonce())',
    ),
    ("a message that is an object", 'line(nonce(), 0, "exception", {"a": [1] * 1000}, None)'),
    ("arguments that are a text, a number", 'line(nonce(), 0, "ok", 7, "ab"); line(nonce(), 1, "ok", 7, 3)'),
    ("arguments that are opaque", 'line(nonce(), 0, "ok", 7, ["opaque", "x"])'),
    ("arguments too many", 'line(nonce(), 0, "ok", 7, ["tuple", [20, 20, 20]])'),
    (
        "20,000 numbers with one hash (must be quick outside)",
        'raw(\'["%s",0,"ok",["set",[%s]],true]\\n\' % (nonce(), ",".join(str(k * (2**61 - 1)) for k in range(20000))))',
    ),
    (
        "20,000 keys with one hash (must be quick outside)",
        'raw(\'["%s",0,"ok",["dict",[%s]],true]\\n\' % (nonce(), ",".join("[%d,0]" % (k * (2**61 - 1)) for k in range(20000))))',
    ),
    ("a million empty lines", 'raw("\\n" * 1000000)'),
]
for _title, _text in _FORGED:
    _verdict(f"forged lines, {_title}", f"\ndef f(x):\n    import os\n    {_text}\n    os._exit(0)\n")

_verdict(
    "forged lines at import, then wrong answers",
    """
line(nonce(), 0, "ok", 41, True)
line(nonce(), 1, "ok", 43, True)

def f(x):
    return -1
""",
)
_verdict(
    "the nonce through frames, the index as a bool",
    """
def f(x):
    import os, sys
    frame = sys._getframe()
    while frame and "JOB" not in frame.f_globals:
        frame = frame.f_back
    secret = frame.f_globals["JOB"]["nonce"]
    line(secret, False, "ok", 41, True)
    line(secret, True, "ok", 43, True)
    os._exit(0)
""",
)
_verdict(
    "the nonce through gc; looks for the expected values too",
    """
def f(x):
    import gc, os
    gc.unfreeze()
    for thing in gc.get_objects():
        if type(thing) is dict and "nonce" in thing and "calls" in thing:
            value = thing.get("expected", thing.get("want", thing.get("answers")))
            if value is not None:
                return value[0] if x == 20 else value[1]
            line(thing["nonce"], 0, "ok", 0, True)
    return 0
""",
)
_verdict(
    "a thread that writes lines after the answer",
    """
def f(x):
    import threading, time
    def later():
        for _ in range(200):
            line(nonce(), 0 if x == 20 else 1, "ok", 41 if x == 20 else 43, True)
            time.sleep(0)
    threading.Thread(target=later, daemon=True).start()
    return 0
""",
)
_verdict(
    "a __del__ that writes",
    """
class D:
    def __del__(self):
        raw("harness-attack\\n")

def f(x):
    D()
    return 0
""",
)
_verdict(
    "swallows the ready line, so that the sandbox seems to have failed",
    """
def f(x):
    import os
    for place in ("/proc/self/fd/3", "/dev/fd/3"):
        try:
            d = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            os.read(d, 65536)
        except OSError:
            pass
    os._exit(0)
""",
)
_verdict("exit code 97, as if the jail had failed", "def f(x):\n    import os\n    os._exit(97)\n")
_verdict(
    "closes the result pipe and waits a little",
    """
def f(x):
    import os, time
    os.close(3)
    time.sleep(0.1)
    return 0
""",
)
_verdict(
    "dup2 over the result pipe",
    """
def f(x):
    import os
    r, w = os.pipe()
    os.dup2(w, 3)
    return 0
""",
)
_verdict(
    "does not let the pipe wait: O_NONBLOCK, and a long answer",
    """
def f(x):
    import fcntl, os
    fcntl.fcntl(3, fcntl.F_SETFL, os.O_NONBLOCK)
    return "x" * 1000000
""",
)

# --- verdict: patched sandbox ----------------------------------------------------------------------------------------

_verdict(
    "patches encoded, tell and quoted of the sandbox",
    """
import sys
main = sys.modules["__main__"]
main.encoded = lambda value, depth=0: "true"
main.quoted = lambda text: '"ok"'

def f(x):
    return 0
""",
)
_verdict(
    "patches tell so that every error is ok",
    """
import sys
main = sys.modules["__main__"]
old = main.tell
main.tell_error = lambda index, error: old(index, "ok", '["float","0x1.48p+5"]', "true")

def f(x):
    raise ValueError
""",
)
_verdict(
    "patches builtins: type, len, isinstance, str",
    """
import builtins
kept = builtins.type
class N:
    def __str__(self): return "41.0"
builtins.type = lambda value, *rest: int if kept(value) is N else kept(value, *rest)
builtins.isinstance = lambda *a: True
builtins.len = lambda value: 0
builtins.str = lambda value="": "41.0"

def f(x):
    return N()
""",
)
_verdict(
    "patches json, marshal, types, struct and os for whoever comes after",
    """
import json, marshal, os, struct, sys, types
class Everything:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __getattr__(self, name): return lambda *a, **k: Everything()
    def __call__(self, *a, **k): return Everything()
for module in (json, marshal, struct, types):
    for name in ("loads", "dumps", "unpack", "pack", "ModuleType"):
        if hasattr(module, name):
            setattr(module, name, Everything())
sys.modules["json"] = sys.modules["marshal"] = Everything()

def f(x):
    return 0
""",
)
_verdict(
    "overwrites cached small integers by ctypes",
    """
def f(x):
    import ctypes, sys
    room = sys.getsizeof(0)
    size = object.__basicsize__ + 8
    ctypes.memmove(id(7) + size, id(41 if x == 20 else 42) + size, 4)
    return 7.0
""",
)
_verdict(
    "changes its call: the job's arguments and number of calls",
    """
import sys
job = sys.modules["__main__"].JOB
job["calls"][:] = []

def f(x):
    return 0
""",
)
_verdict(
    "changes its argument in place of an answer",
    """
import sys
for index, (name, arguments) in enumerate(sys.modules["__main__"].JOB["calls"]):
    sys.modules["__main__"].JOB["calls"][index] = ("g", ())

def g():
    return None

def f(x):
    return g()
""",
)
_verdict(
    "no stack left: recursion limit",
    """
import sys
sys.setrecursionlimit(10**8)

def f(x):
    return f(x)
""",
)
_verdict(
    "recursion limit of 5 for what reads the answer",
    """
def f(x):
    import sys
    try:
        sys.setrecursionlimit(5)
    except RecursionError:
        sys.setrecursionlimit(20)
    return [[[[[[[[0]]]]]]]]
""",
)
_verdict(
    "a trace that changes what the caller sees",
    """
import sys

def seen(frame, event, arg):
    frame.f_trace_lines = True
    for name in ("value", "after", "before"):
        if name in frame.f_locals:
            frame.f_locals[name] = "true"
    return seen

def f(x):
    frame = sys._getframe(1)
    frame.f_trace = seen
    sys.settrace(seen)
    return 0
""",
)
_verdict(
    "an error whose text never ends",
    """
class E(Exception):
    def __str__(self): return "x" * 100_000_000

def f(x):
    raise E
""",
)
_verdict(
    "an error that raises when it is shown",
    """
class M(type):
    @property
    def __name__(cls): raise SystemExit(0)

class E(BaseException, metaclass=M):
    def __str__(self): raise KeyboardInterrupt

def f(x):
    raise E
""",
)
_verdict(
    "a half surrogate, a NUL and terminal codes in an error",
    """
def f(x):
    raise ValueError("\\ud800\\x00\\x1b[2J\\x1b]0;passed\\x07\\r\\u202e<script>alert(1)</script>")
""",
)
_verdict(
    "a module in place of the answer",
    """
import sys

class A:
    def __getattr__(self, name): return lambda x: 0

sys.modules["answer"] = A()
""",
)
