"""What a sandboxed process may do, made here and put on by zygote.py: Landlock for files, seccomp for system calls.

Landlock (Linux 5.13 and later): the process reads the standard library and the system's shared libraries, writes to
the files its job declares, and nothing else. seccomp: no new processes or programs, sockets, signals, tracing,
namespaces, mounts, shared memory, kernel interfaces, nothing done to another process; what is denied says EPERM.
Neither is enough alone: Landlock stops no signal and no UDP, seccomp no reading. Sources: Linux,
Documentation/userspace-api/landlock.rst and seccomp_filter.rst.
What is not covered: bugs of the kernel, side channels; whether a file exists and how large it is can still be asked.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE_FILE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
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
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "sched_setattr": (314, 274), "sched_setaffinity": (203, 122),
    "process_mrelease": (448, 448),
    # the network
    "socket": (41, 198), "connect": (42, 203), "accept": (43, 202), "accept4": (288, 242), "bind": (49, 200),
    "listen": (50, 201), "sendmmsg": (307, 269),
    "setsockopt": (54, 208),
    # users and limits
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setresuid": (117, 147), "setresgid": (119, 149), "setgroups": (116, 159), "setfsuid": (122, 151),
    "setfsgid": (123, 152), "capset": (126, 91), "setrlimit": (160, 164), "seccomp": (317, 277),
    # namespaces and mounts
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467), "statmount": (457, 457), "listmount": (458, 458),
    # memory that no limit counts, and channels between processes
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmctl": (31, 195),
    "shmat": (30, 196), "shmdt": (67, 197), "msgget": (68, 186), "msgctl": (71, 187), "msgrcv": (70, 188),
    "msgsnd": (69, 189), "semget": (64, 190), "semctl": (66, 191), "semtimedop": (220, 192), "semop": (65, 193),
    "mq_open": (240, 180), "mq_unlink": (241, 181), "mq_timedsend": (242, 182), "mq_timedreceive": (243, 183),
    "mq_notify": (244, 184), "mq_getsetattr": (245, 185), "userfaultfd": (323, 282), "mbind": (237, 235),
    "set_mempolicy": (238, 237), "migrate_pages": (256, 238), "move_pages": (279, 239),
    # the kernel
    "bpf": (321, 280), "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "io_setup": (206, 0), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218),
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
    "setxattrat": (463, 463), "removexattrat": (466, 466), "file_setattr": (469, 469),
    "flock": (73, 32), "inotify_init": (253, 0), "inotify_init1": (294, 26), "sync": (162, 81), "syncfs": (306, 267),
}  # fmt: skip
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
"""Of these the shared libraries may be read, not the folders beside them: a Python's packages lie there too."""
ZONES = "/usr/share/zoneinfo"
DEVICES = ("/dev/null", "/dev/urandom", "/dev/zero")
# calls whose arguments decide, on x86-64 and aarch64
CLONE, CLONE3, PRLIMIT = (56, 220), (435, 435), (302, 261)
SOCKETPAIR, FCNTL, IOCTL, PRCTL = (53, 199), (72, 25), (16, 29), (157, 167)
OPEN, OPENAT, OPENAT2 = (2, 0), (257, 56), (437, 437)
COMMANDS = (0, 1, 2, 3, 4, 5, 1030, 1032)
"""What fcntl may ask: F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_DUPFD_CLOEXEC, F_GETPIPE_SZ. With an
owner and a signal a pipe kills any process of the same user; with a lease a file stops everybody who opens it."""
CONTROLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""What ioctl may ask: TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX. Others set owners, list interfaces."""
SETTINGS = (1, 4, 0x59616D61, 35)
"""prctl's PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_PTRACER, PR_SET_MM."""
TRUNCATE, TEMPORARY = 0o1000, 0o20000000
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
FILES = READ_FILE | WRITE_FILE | TRUNCATE_FILE
"""What a declared file allows: reading, writing, truncating."""


@dataclass(frozen=True)
class Jail:
    """What zygote.py needs: Landlock's rights as masks, (path, rights) of what may be read, the seccomp program."""

    abi: int
    readable: tuple[tuple[str, int], ...]
    filter: bytes

    @property
    def handled(self) -> int:
        """The file rights that this kernel can withhold."""
        return (1 << RIGHTS.get(self.abi, 16)) - 1

    def orders(self, work: str) -> dict[str, object]:
        """As plain values, for a zygote whose jobs declare files in the folder `work`."""
        folder = [(work, (FILES | READ_DIR) & self.handled)]
        return {
            "handled": self.handled,
            "handled_network": 3 if self.abi >= 4 else 0,  # TCP bind and connect
            "scoped": 3 if self.abi >= 6 else 0,  # abstract sockets and signals of others
            "quiet": 1 if self.abi >= 7 else 0,  # what is denied does not fill the machine's audit log
            "ruleset_size": 24 if self.abi >= 6 else 16 if self.abi >= 4 else 8,
            "readable": [*self.readable, *folder],
            "filter": self.filter,
        }


@cache
def jail() -> Jail | None:
    """The jail of this machine; None where it has no Landlock or another kind of processor."""
    abi = landlock_abi()
    machine = platform.machine()
    if abi < 1 or machine not in ARCHITECTURES or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    return Jail(abi, readable(), program(machine, abi))


def landlock_abi() -> int:
    """The kernel's Landlock ABI, 0 where there is none."""
    version = 1
    found = ctypes.CDLL(None, use_errno=True).syscall(
        CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(version)
    )
    return max(0, int(found))


def readable() -> tuple[tuple[str, int], ...]:
    """The standard library without site-packages, shared libraries, time zones: (path, Landlock rights).

    The library's own folder cannot be listed, or site-packages could be too; the zygote has listed it before.
    """
    library = Path(os.__file__).parent
    found: list[tuple[str, int]] = []
    for entry in sorted(library.iterdir()):
        if entry.name not in ("site-packages", "dist-packages"):
            found.append((str(entry), READ_FILE | (READ_DIR if entry.is_dir() else 0)))
    for folder in dict.fromkeys(Path(name).resolve() for name in (*LIBRARIES, str(library.parent))):
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            if "linux-gnu" in entry.name and entry.is_dir():
                found.append((str(entry), READ_FILE | READ_DIR))
            elif ".so" in entry.name and entry.is_file():
                found.append((str(entry), READ_FILE))
    if Path(ZONES).is_dir():
        found.append((ZONES, READ_FILE | READ_DIR))
    for name in ("/etc/ld.so.cache", "/etc/localtime", *DEVICES):
        if Path(name).exists():
            found.append((name, READ_FILE | (WRITE_FILE if name == "/dev/null" else 0)))
    return tuple(found)


def mounted() -> list[str]:
    """What a file system of its own is made of: folders, files, devices, and symbolic links between them."""
    wanted = [*LIBRARIES, str(Path(os.__file__).parents[1]), ZONES, "/etc/ld.so.cache", "/etc/localtime", *DEVICES]
    links = [name for name in wanted if Path(name).is_symlink() and name in LIBRARIES]
    real = dict.fromkeys(os.path.realpath(name) if name in LIBRARIES else name for name in wanted)
    places = [name for name in real if Path(name).exists()]
    inner = [one for one in places if any(one.startswith(f"{other}/") for other in places)]
    return [*links, *(name for name in places if name not in inner)]


def strangers_read(folder: str) -> bool:
    """May any user import the standard library from here? Not where Python lies in root's home."""
    while os.stat(folder).st_mode & 0o001:
        if folder == os.path.dirname(folder):
            return True
        folder = os.path.dirname(folder)
    return False


def program(machine: str, abi: int) -> bytes:
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
    thread = [_load(16), _jump(0x45, THREAD, 1, 0), _end(DENY), _end(ALLOW)]
    own = [_load(32), _jump(0x15, 0, 1, 0), _end(DENY), _load(36), _jump(0x15, 0, 1, 0), _end(DENY)]
    # a pair of datagram sockets could still send to any socket that has a name
    local = [_load(16), _jump(0x15, 1, 1, 0), _end(DENY)]
    stream = [*local, _load(24), _line(0x54, 0xF), _jump(0x15, 1, 1, 0), _end(DENY)]
    lines += _when(CLONE[place], thread)
    lines += _when(PRLIMIT[place], own)
    lines += _when(SOCKETPAIR[place], stream)
    lines += _when(FCNTL[place], _one_of(24, COMMANDS))
    lines += _when(IOCTL[place], _one_of(24, CONTROLS))
    lines += _when(PRCTL[place], _none_of(16, SETTINGS))
    lines += [_jump(0x15, OPENAT2[place], 0, 1), _end(MISSING)]  # its flags lie in memory too
    # files without a name, which no rule counts; and, before Landlock withheld it, opening for reading that truncates
    flags = TEMPORARY | (TRUNCATE if abi < 3 else 0)
    for numbers, offset in ((OPEN, 24), (OPENAT, 32)):
        if numbers[place]:
            lines += _when(numbers[place], [_load(offset), _jump(0x45, flags, 0, 1), _end(DENY)])
    return b"".join([*lines, _end(ALLOW)])


def _when(number: int, lines: list[bytes]) -> list[bytes]:
    """These lines for this call; a call that passes them is allowed."""
    return [_jump(0x15, number, 0, len(lines) + 1), *lines, _end(ALLOW)]


def _none_of(offset: int, values: tuple[int, ...]) -> list[bytes]:
    lines = [_load(offset)]
    for value in values:
        lines += [_jump(0x15, value, 0, 1), _end(DENY)]
    return lines


def _one_of(offset: int, values: tuple[int, ...]) -> list[bytes]:
    lines = [_load(offset)]
    for value in values:
        lines += [_jump(0x15, value, 0, 1), _end(ALLOW)]
    return [*lines, _end(DENY)]


def _load(offset: int) -> bytes:
    return _line(0x20, offset)


def _end(verdict: int) -> bytes:
    return _line(0x06, verdict)


def _line(code: int, value: int) -> bytes:
    return struct.pack("HBBI", code, 0, 0, value)


def _jump(code: int, value: int, yes: int, no: int) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)
