"""Replays the list of attacks on this machine and says what held.

    python -m harness.sandbox.siege --tier T1 --json

`harness doctor --sandbox` does the same for every tier. Exit code 5 if anything did not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.sandbox.attacks import ATTACKS, Attack
from harness.sandbox.pool import Tier, servers, tiers
from harness.sandbox.process import Call, CallResult, Limits, run_calls
from harness.sandbox.values import same, shown

Outcome = Literal["blocked", "passed", "leaked", "spoofed", "misjudged", "failed", "survived"]
EXPECTED = (41, 43)
DAEMON_SECONDS = 2.0
"""How long after the last attack to look for what it may have left behind."""


@dataclass(frozen=True)
class Finding:
    """What an attack did here. leaked: it reached the host; spoofed: credited for a wrong answer; misjudged: ended in
    another status than it must; failed: an honest program did not pass; survived: a process outlived it."""

    attack: Attack
    outcome: Outcome
    detail: str = ""

    @property
    def held(self) -> bool:
        """Was it as it should be?"""
        return self.outcome in ("blocked", "passed")

    def as_dict(self) -> dict[str, str]:
        """JSON-safe form."""
        return {"id": self.attack.id, "title": self.attack.title, "outcome": self.outcome, "detail": self.detail}


class World:
    """Things worth attacking, made for the purpose: a secret file, a process, sockets, a folder anyone may write."""

    def __init__(self) -> None:
        self.secret = f"harness-canary-{secrets.token_hex(8)}"
        place = "/tmp" if os.access("/tmp", os.W_OK) else None  # the name of a socket must be short
        self.folder = Path(tempfile.mkdtemp(prefix="harness-world-", dir=place))
        self.folder.chmod(0o755)
        self.outside = self.folder / "outside"
        self.outside.mkdir()
        self.outside.chmod(0o777)
        self.canary = self.folder / "canary"
        self.canary.write_text(self.secret)
        self.canary.chmod(0o644)
        (self.folder / "link").symlink_to(self.canary)
        self.victim = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(3600)"], env={"HARNESS_SECRET": self.secret}
        )
        self.sockets = {
            "tcp": socket.socket(socket.AF_INET),
            "udp": socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            "abstract": socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
            "path": socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
        }
        for name, address in (
            ("tcp", ("127.0.0.1", 0)),
            ("udp", ("127.0.0.1", 0)),
            ("abstract", f"\0{self.secret}-socket"),
            ("path", str(self.folder / "socket")),
        ):
            self.sockets[name].bind(address)
            self.sockets[name].setblocking(False)
        (self.folder / "socket").chmod(0o777)
        self.sockets["tcp"].listen()
        self.before = self._state()

    def argument(self) -> dict[str, Any]:
        """What a host program is told; not the secret."""
        return {
            "canary": str(self.canary),
            "link": str(self.folder / "link"),
            "outside": str(self.outside),
            "tcp": self.sockets["tcp"].getsockname()[1],
            "udp": self.sockets["udp"].getsockname()[1],
            "abstract": f"{self.secret}-socket",
            "path": str(self.folder / "socket"),
            "victim": self.victim.pid,
            "parent": os.getpid(),
        }

    def changes(self) -> str:
        """What has changed out here since last time; "" if nothing has."""
        found = [name for name, socket in self.sockets.items() if _heard(socket)]
        now = self._state()
        found += [f"{name}: {self.before[name]} -> {now[name]}" for name in now if now[name] != self.before[name]]
        self.before = now
        return "; ".join(found)

    def _state(self) -> dict[str, Any]:
        pid = self.victim.pid
        with contextlib.suppress(OSError):
            return {
                "victim ended": self._ended(),
                "victim priority": os.getpriority(os.PRIO_PROCESS, pid),
                "victim cores": os.sched_getaffinity(pid),
                "victim scheduler": os.sched_getscheduler(pid),
                "canary": (self.canary.read_text(), self.canary.stat().st_mtime_ns, oct(self.canary.stat().st_mode)),
                "folders": (sorted(os.listdir(self.folder)), sorted(os.listdir(self.outside)), _planted()),
                "outside": (self.outside.stat().st_mtime_ns, oct(self.outside.stat().st_mode)),
            }
        return {"victim ended": self.victim.wait()}

    def _ended(self) -> int | None:
        """The victim's exit code; one that has been killed may need a moment to end."""
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{self.victim.pid}/status").read_text()
            waiting = re.findall(r"^(?:Sig|Shd)Pnd:\s*(\w+)", status, re.MULTILINE)
            if any(int(signals, 16) & 1 << (signal.SIGKILL - 1) for signals in waiting):
                return self.victim.wait()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.victim.wait(0.02)
        return self.victim.poll()

    def close(self) -> None:
        """Removes it all."""
        self.victim.kill()
        self.victim.wait()
        for one in self.sockets.values():
            one.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _heard(listening: socket.socket) -> bool:
    try:
        if listening.type == socket.SOCK_STREAM:
            listening.accept()[0].close()
        else:
            listening.recv(4096)
    except BlockingIOError:
        return False
    return True


def _planted() -> list[str]:
    """Files in common places that an attack may have left."""
    return sorted(str(f) for place in ("/tmp", "/dev/shm", "/var/tmp") for f in Path(place).glob("*harness-attack*"))


def judge(attack: Attack, results: Sequence[CallResult], world: World) -> Finding:
    """What came of it, from its results alone."""
    said = " ".join(f"{r.status} {shown(r.value)} {r.detail}"[:2000] for r in results)
    if attack.kind == "host":
        if world.secret in said.replace(f"{world.secret}-socket", "") or "LEAK" in said:
            return Finding(attack, "leaked", said)
    else:
        right = all(
            r.status == "ok" and same(r.value, value) and same(r.args, (asked,))
            for r, value, asked in zip(results, EXPECTED, attack.arguments, strict=True)
        )
        if attack.kind == "honest":
            return Finding(attack, "passed" if right else "failed", said)
        if right:
            return Finding(attack, "spoofed", said)
    if any(r.status == "sandbox error" for r in results):
        return Finding(attack, "misjudged", said)
    if attack.statuses and any(r.status not in attack.statuses for r in results[:1]):
        return Finding(attack, "misjudged", said)
    return Finding(attack, "blocked", said)


def replay(
    tier: Tier,
    attacks: Sequence[Attack] = ATTACKS,
    progress: Callable[[Finding], None] = lambda _: None,
) -> list[Finding]:
    """Runs every attack, in the order given; host programs one by one, so that what changed out here has one author."""
    return [finding for _, finding in replay_all((tier,), attacks, progress)]


def replay_all(
    tiers: Sequence[Tier],
    attacks: Sequence[Attack] = ATTACKS,
    progress: Callable[[Finding], None] = lambda _: None,
) -> list[tuple[Tier, Finding]]:
    """Every attack on every tier, the tiers side by side, each with a world of its own; one look at what is left."""
    before = descendants()
    worlds = {tier: World() for tier in tiers}
    try:
        with ThreadPoolExecutor(max(1, len(worlds))) as threads:
            started = {t: threads.submit(_besiege, t, world, attacks, progress) for t, world in worlds.items()}
            found = [(tier, finding) for tier, running in started.items() for finding in running.result()]
        time.sleep(DAEMON_SECONDS)
        left = descendants() - before - {world.victim.pid for world in worlds.values()}
        for tier, world in worlds.items():
            if changed := world.changes() or (f"processes {sorted(left)}" if left else ""):
                found.append((tier, Finding(Attack("END", "what is left at the end", "host", ""), "survived", changed)))
        return found
    finally:
        for world in worlds.values():
            world.close()


def _besiege(tier: Tier, world: World, attacks: Sequence[Attack], progress: Callable[[Finding], None]) -> list[Finding]:
    found: list[Finding] = []
    quick = [one for one in attacks if one.kind in ("verdict", "channel")]
    with ThreadPoolExecutor(4) as threads:
        waiting = {one.id: threads.submit(_run, one, tier, world) for one in quick}
        for one in attacks:
            finding = waiting[one.id].result() if one.id in waiting else _run(one, tier, world)
            if one.kind == "host" and (changed := world.changes()):
                finding = Finding(one, "leaked", f"outside has changed: {changed}")
            found.append(finding)
            progress(finding)
    return found


def _run(attack: Attack, tier: Tier, world: World) -> Finding:
    limits = Limits(cpu_seconds=attack.seconds)
    calls = (
        [Call("f", (world.argument(),))]
        if attack.kind == "host"
        else [Call("f", (asked,)) for asked in attack.arguments]
    )
    results = run_calls(attack.code, calls, limits, files=attack.files, tier=tier)
    finding = judge(attack, results, world)
    if attack.then and finding.held:
        finding = judge(attack, run_calls(attack.then, calls, limits, tier=tier), world)
    return finding


def descendants() -> set[int]:
    """Processes that descend from this one, without the sandbox's own idle servers."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            parents[int(entry.parent.name)] = int(entry.read_text().rsplit(")", 1)[1].split()[1])
    found: set[int] = set()
    wave = {os.getpid()}
    while wave := {pid for pid, parent in parents.items() if parent in wave} - found:
        found |= wave
    outer = servers()
    inner = {pid for pid, parent in parents.items() if outer.get(parent) == "T2"}
    return found - outer.keys() - inner


def main(argv: Sequence[str] | None = None) -> int:
    """Replays the list on one tier."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--tier", choices=("T2", "T1"), default=next(iter(tiers()), "T1"))
    parser.add_argument("--json", action="store_true", help="print every finding")
    given = parser.parse_args(argv)
    found = replay(given.tier)
    if given.json:
        print(json.dumps([one.as_dict() for one in found], indent=1))
    else:
        for one in found:
            print(f"{one.outcome:<9}  {one.attack.id:<4}  {one.attack.title}")
    return 0 if all(one.held for one in found) else 5


if __name__ == "__main__":
    raise SystemExit(main())
