"""Processes whose parent is killed end with it; those that it has seen to are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.engines.guard import LOOK, held, maps, semaphores, started

HOLDER = """
import sys, time
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
memory = SharedMemory(create=True, size=64)
lock = get_context("spawn").Lock()
print(memory.name, flush=True)
time.sleep(120)
"""
PARENT = f"""
import subprocess, sys
from psutil import Process
from harness.engines.processes import Guard
guard = Guard()
child = subprocess.Popen([sys.executable, "-c", {HOLDER!r}], stdout=subprocess.PIPE, text=True, start_new_session=True)
name = child.stdout.readline().strip()
if sys.argv[1] != "starting":
    guard.keep([Process(child.pid)])
if sys.argv[1] == "released":
    guard.release()
print(child.pid, name, flush=True)
sys.stdin.readline()
"""

FREED = """
import os, time
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
from psutil import Process
from harness.engines import processes

def hold(there, shared):
    memory, lock, seen = SharedMemory(create=True, size=64), get_context("spawn").Lock(), SharedMemory(shared)
    there.send(memory.name)
    time.sleep(120)

if __name__ == "__main__":
    own, memory = get_context("spawn").Lock(), SharedMemory(create=True, size=64)
    here, there = get_context("spawn").Pipe()
    child = get_context("spawn").Process(target=hold, args=(there, memory.name))
    child.start()
    name = here.recv()
    names = processes.shared_memory([Process(child.pid)])
    child.kill()
    child.join()
    os.truncate(f"/dev/shm/{name}", 0)  # as of one that was killed while it made it
    processes.free(names)
    assert memory.name not in names and name in names
    memory.close()
    memory.unlink()
    print(*names)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="reads /proc")
@pytest.mark.parametrize("way", ["starting", "kept", "group", "released"])
def test_a_guard_ends_what_its_parent_could_not(way: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, way], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    pid, name = parent.stdout.readline().split()
    start = started(int(pid))
    assert start
    listed = maps([int(pid)])
    assert held(listed) == {name}
    names = {name} | semaphores(listed)
    assert len(names) == 2
    if way in ("starting", "group"):
        time.sleep(4 * LOOK)
    if way == "group":  # as Ray does, with the resource tracker
        os.killpg(int(pid), signal.SIGKILL)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + (5 if way == "released" else 30)
    there = True, 2
    while time.monotonic() < deadline and there != (False, 0):
        time.sleep(0.1)
        there = started(int(pid)) == start, sum(Path("/dev/shm", one).exists() for one in names)
    if way == "released":
        os.kill(int(pid), signal.SIGKILL)
        for one in names:
            Path("/dev/shm", one).unlink(missing_ok=True)
    assert there == ((True, 2) if way == "released" else (False, 0))


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="reads /proc")
def test_what_a_killed_process_leaves_is_freed_without_a_word(tmp_path: Path) -> None:
    program = tmp_path / "freed.py"
    program.write_text(FREED)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    names = done.stdout.split()
    assert [name.split("_")[0].split(".")[0] for name in names] == ["psm", "sem"]
    assert not [name for name in names if Path("/dev/shm", name).exists()]
