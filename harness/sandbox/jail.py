"""What a sandboxed process may do, made here and put on by child.py: Landlock for files, seccomp for system calls.

Landlock (Linux 5.13 and later): the process reads the standard library and the system's shared libraries, and nothing
else; it writes nowhere. seccomp: no new processes or programs, sockets, signals, tracing, namespaces, mounts, shared
memory, kernel interfaces; what is denied says EPERM. Neither is enough alone: Landlock stops no signal and no UDP,
seccomp no reading. Sources: Linux, Documentation/userspace-api/landlock.rst and seccomp_filter.rst.
What is not covered: bugs of the kernel, side channels, time spent on the CPU (limits do that).
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

READ_FILE, READ_DIR = 1 << 2, 1 << 3
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many file rights a Landlock ABI knows; ABI 5 and later know 16."""
CREATE_RULESET = 444
ALLOW, DENY, MISSING, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
THREAD = 0x10000
# name: number on x86-64, number on aarch64; 0 where there is none
DENIED = {
    # processes and programs
    "fork": (57, 0), "vfork": (58, 0), "execve": (59, 221), "execveat": (322, 281), "setpgid": (109, 154),
    "setsid": (112, 157), "personality": (135, 92),
    # others' processes
    "ptrace": (101, 117), "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "process_madvise": (440, 440), "kcmp": (312, 272),
    # the network
    "socket": (41, 198), "connect": (42, 203), "accept": (43, 202), "accept4": (288, 242), "bind": (49, 200),
    "listen": (50, 201),
    # users and limits
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setresuid": (117, 147), "setresgid": (119, 149), "setgroups": (116, 159), "setfsuid": (122, 151),
    "setfsgid": (123, 152), "capset": (126, 91), "setrlimit": (160, 164), "seccomp": (317, 277),
    # namespaces and mounts
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    # memory that no limit counts, and channels between processes
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmctl": (31, 195),
    "shmat": (30, 196), "shmdt": (67, 197), "msgget": (68, 186), "msgctl": (71, 187), "msgrcv": (70, 188),
    "msgsnd": (69, 189), "semget": (64, 190), "semctl": (66, 191), "semtimedop": (220, 192), "semop": (65, 193),
    "mq_open": (240, 180), "mq_unlink": (241, 181), "mq_timedsend": (242, 182), "mq_timedreceive": (243, 183),
    "mq_notify": (244, 184), "mq_getsetattr": (245, 185), "userfaultfd": (323, 282), "mbind": (237, 235),
    "set_mempolicy": (238, 237), "migrate_pages": (256, 238), "move_pages": (279, 239),
    # the kernel
    "bpf": (321, 280), "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "init_module": (175, 105), "delete_module": (176, 106), "finit_module": (313, 273), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "acct": (163, 89), "quotactl": (179, 60), "quotactl_fd": (443, 443), "syslog": (103, 116),
    "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "clock_adjtime": (305, 266), "iopl": (172, 0), "ioperm": (173, 0),
    "modify_ldt": (154, 0), "uselib": (134, 0), "vhangup": (153, 58), "lookup_dcookie": (212, 18),
    # files by other roads than opening them, and what Landlock leaves alone
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263), "mknod": (133, 0), "mknodat": (259, 33), "symlink": (88, 0), "symlinkat": (266, 36),
    "link": (86, 0), "linkat": (265, 37), "chmod": (90, 0), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "chown": (92, 0), "fchown": (93, 55), "lchown": (94, 0), "fchownat": (260, 54),
    "utime": (132, 0), "utimes": (235, 0), "futimesat": (261, 0), "utimensat": (280, 88), "setxattr": (188, 5),
    "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15),
    "fremovexattr": (199, 16), "truncate": (76, 45), "rename": (82, 0), "renameat": (264, 38), "renameat2": (316, 276),
    "unlink": (87, 0), "unlinkat": (263, 35), "mkdir": (83, 0), "mkdirat": (258, 34), "rmdir": (84, 0),
}  # fmt: skip
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
"""Of these the shared libraries may be read, not the folders beside them: a Python's packages lie there too."""
ZONES = "/usr/share/zoneinfo"
CLONE, CLONE3, PRLIMIT = (56, 220), (435, 435), (302, 261)


@dataclass(frozen=True)
class Jail:
    """What child.py needs: Landlock's file rights as a mask, (path, rights) of what may be read, the BPF program."""

    handled: int
    readable: tuple[tuple[str, int], ...]
    program: bytes

    def wire(self) -> tuple[int, tuple[tuple[str, int], ...], bytes]:
        """As plain values, to travel with a job."""
        return self.handled, self.readable, self.program


@cache
def jail() -> Jail | None:
    """The jail of this machine; None where it has no Landlock, no seccomp filters or another kind of processor."""
    abi = landlock_abi()
    machine = platform.machine()
    if abi < 1 or machine not in ARCHITECTURES or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    return Jail((1 << RIGHTS.get(abi, 16)) - 1, readable(), program(machine))


def landlock_abi() -> int:
    """The kernel's Landlock ABI, 0 where there is none."""
    version = 1
    found = ctypes.CDLL(None, use_errno=True).syscall(
        CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(version)
    )
    return max(0, int(found))


def readable() -> tuple[tuple[str, int], ...]:
    """The standard library without site-packages, shared libraries, time zones: (path, Landlock rights)."""
    library = Path(os.__file__).parent
    found = [(str(library), READ_DIR)]
    for entry in sorted(library.iterdir()):
        if entry.name not in ("site-packages", "dist-packages"):
            found.append((str(entry), READ_FILE | (READ_DIR if entry.is_dir() else 0)))
    for folder in dict.fromkeys(Path(name).resolve() for name in LIBRARIES):
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            if "linux-gnu" in entry.name and entry.is_dir():
                found.append((str(entry), READ_FILE | READ_DIR))
            elif ".so" in entry.name and entry.is_file():
                found.append((str(entry), READ_FILE))
    if Path(ZONES).is_dir():
        found.append((ZONES, READ_FILE | READ_DIR))
    for name in ("/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/urandom", "/dev/zero"):
        if Path(name).exists():
            found.append((name, READ_FILE))
    return tuple(found)


def program(machine: str) -> bytes:
    """The seccomp filter for this kind of processor, as the kernel's array of sock_filter."""
    x86 = machine == "x86_64"
    place = 0 if x86 else 1
    lines = [_load(4), _jump(0x15, ARCHITECTURES[machine], 1, 0), _end(KILL), _load(0)]
    if x86:
        lines += [_jump(0x35, 0x40000000, 0, 1), _end(KILL)]  # the x32 ABI has other numbers for the same calls
    for numbers in DENIED.values():
        if numbers[place]:
            lines += [_jump(0x15, numbers[place], 0, 1), _end(DENY)]
    lines += [_jump(0x15, CLONE3[place], 0, 1), _end(MISSING)]  # its flags lie in memory; libc then takes clone
    lines += [_jump(0x15, CLONE[place], 0, 4), _load(16), _jump(0x45, THREAD, 1, 0), _end(DENY), _end(ALLOW)]
    lines += [_jump(0x15, PRLIMIT[place], 0, 6), _load(32), _jump(0x15, 0, 1, 0), _end(DENY)]
    lines += [_load(36), _jump(0x15, 0, 1, 0), _end(DENY)]
    return b"".join([*lines, _end(ALLOW)])


def _load(offset: int) -> bytes:
    return struct.pack("HBBI", 0x20, 0, 0, offset)


def _jump(code: int, value: int, yes: int, no: int) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)


def _end(verdict: int) -> bytes:
    return struct.pack("HBBI", 0x06, 0, 0, verdict)
