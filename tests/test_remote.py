"""Run folders in object storage: in memory, on disk, and on a real S3-compatible server of this machine (moto's)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest
from project import make_project

from harness import remote
from harness.cli import main
from harness.errors import HarnessError, MachineError, RunError
from harness.remote import Change, decode, encode, kept, replay, shipper
from harness.remote.fetching import fetch
from harness.remote.lock import Lock
from harness.remote.objects import ObjectStore
from harness.remote.shipper import Shipper
from harness.store import RunWriter, read_run

MEMORY = "memory://runs/one"


@pytest.fixture
def memory(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[fsspec.AbstractFileSystem]:
    """A store in memory; scratch folders, also those that stay, are among pytest's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("scratch")))
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a server that speaks S3."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"{address}/moto-api/", timeout=5).close()
            break
        except OSError:
            assert child.poll() is None
            assert time.monotonic() < until, "the S3 server did not start"
            time.sleep(0.2)
    yield address
    child.terminate()
    child.wait()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, and an environment that leads to it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    _post(f"{server}/moto-api/reset")
    _s3().mkdir("bucket")
    return "s3://bucket"


def _post(address: str, data: bytes = b"") -> None:
    asked = urllib.request.Request(address, data=data, method="POST", headers={"Content-Type": "text/plain"})
    urllib.request.urlopen(asked).close()


def _s3() -> fsspec.AbstractFileSystem:
    return fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)


def _append(file: Path, text: str) -> None:
    with file.open("a") as stream:
        stream.write(text)


def _objects(store: fsspec.AbstractFileSystem, root: str) -> list[str]:
    return sorted(one.split(f"{root}/", 1)[1] for one in store.find(root) if f"{root}/" in one)


def _wait(what: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


def _same(one: Path, other: Path) -> None:
    """Two run folders with the same answers, scores and identities."""

    def told(folder: Path, file: str, *left_out: str) -> list[str]:
        rows = [json.loads(line) for line in (folder / file).read_text().splitlines()]
        return sorted(json.dumps({k: v for k, v in row.items() if k not in left_out}, sort_keys=True) for row in rows)

    assert told(one, "completions.jsonl", "seconds") == told(other, "completions.jsonl", "seconds")
    assert told(one, "scores.jsonl") == told(other, "scores.jsonl")


# --- what is stored --------------------------------------------------------------------------------------------------


def test_parts_replayed_on_what_contains_them_already_change_nothing(tmp_path: Path) -> None:
    log = [
        Change("scores.jsonl", None, b"abc\n"),
        Change("scores.jsonl", 4, b"de\n"),
        Change("run.json", None, b"{}"),
        Change("scores.jsonl", None, b"x\n"),
        Change("scores.jsonl", 2, b"y\n"),
    ]
    for begun in range(len(log) + 1):
        replay(log[:begun], tmp_path, "s3://b/r")
        replay(log, tmp_path, "s3://b/r")
        assert (tmp_path / "scores.jsonl").read_bytes() == b"x\ny\n"
    (tmp_path / "scores.jsonl").write_bytes(b"x\ny\n")
    assert [decode(encode(log)), decode(encode([]))] == [log, []]


def test_a_part_that_is_missing_or_leads_out_of_the_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"^s3://b/r: a part of scores\.jsonl is missing"):
        replay([Change("scores.jsonl", 4, b"x")], tmp_path, "s3://b/r")
    for file in ("../x", "/etc/x", ""):
        with pytest.raises(RunError, match="which no run folder does"):
            replay([Change(file, None, b"x")], tmp_path, "s3://b/r")


def test_what_is_written_comes_as_parts_of_whole_lines_and_ends_as_plain_objects(
    memory: fsspec.AbstractFileSystem,
) -> None:
    with kept(MEMORY, every=0.02) as folder, RunWriter(folder) as writer:
        writer.manifest({"format": 1})
        _wait(lambda: len(memory.find("/runs/one/parts")) == 1)
        writer.append("completions.jsonl", {"n": 1})
        _wait(lambda: len(memory.find("/runs/one/parts")) == 2)
        (folder / "dev").mkdir()
        (folder / "dev" / "scores.jsonl").write_text('{"n": 2}\n{"torn')
        _wait(lambda: len(memory.find("/runs/one/parts")) == 3)
        writer.manifest({"format": 1, "finished": "now"})
        assert memory.exists("/runs/one/lock")
        again = remote._scratch(MEMORY)
        fetch(ObjectStore(MEMORY), again)
        assert (again / "completions.jsonl").read_text() == '{"n": 1}\n'
        assert (again / "dev" / "scores.jsonl").read_text() == '{"n": 2}\n'
    assert not folder.exists()
    assert _objects(memory, "/runs/one") == ["completions.jsonl", "dev/scores.jsonl", "parts/whole", "run.json"]
    assert json.loads(memory.cat_file("/runs/one/run.json"))["finished"] == "now"
    assert memory.cat_file("/runs/one/completions.jsonl") == b'{"n": 1}\n'


def test_files_that_are_replaced_are_replaced_in_the_store(memory: fsspec.AbstractFileSystem) -> None:
    for text in ("long " * 20, "short", "", "other"):
        with kept(MEMORY) as folder:
            (folder / ".scores.jsonl.partial").write_text(text + "\n" if text else "")
            (folder / ".scores.jsonl.partial").replace(folder / "scores.jsonl")
        assert remote.fetched(MEMORY).joinpath("scores.jsonl").read_text().strip() == text.strip()


def test_a_file_larger_than_a_part_takes_several(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.remote.shipper.PART", 64)
    text = "".join(f'{{"n": {n}}}\n' for n in range(50)) + f'"{"x" * 200}"\n'
    with pytest.raises(ZeroDivisionError), kept(MEMORY) as folder:  # noqa: PT012
        (folder / "completions.jsonl").write_text(text)
        raise ZeroDivisionError
    assert len(memory.find("/runs/one/parts")) > 8
    assert (remote.fetched(MEMORY) / "completions.jsonl").read_text() == text
    with kept(MEMORY) as folder:
        assert (folder / "completions.jsonl").read_text() == text
    assert memory.cat_file("/runs/one/completions.jsonl").decode() == text


def test_a_torn_last_part_is_dropped_and_one_in_the_middle_is_not_overlooked(
    memory: fsspec.AbstractFileSystem,
) -> None:
    parts = [encode([Change("completions.jsonl", 2 * n or None, f"{n}\n".encode())]) for n in range(3)]
    for n, part in enumerate(parts, 1):
        memory.pipe_file(f"/runs/one/parts/{n:08d}", part[: -1 if n == 3 else None])
    assert (remote.fetched(MEMORY) / "completions.jsonl").read_text() == "0\n1\n"
    with kept(MEMORY) as folder:
        _append(folder / "completions.jsonl", "7\n")
    assert memory.cat_file("/runs/one/completions.jsonl") == b"0\n1\n7\n"
    memory.pipe_file("/runs/one/parts/00000004", parts[0][:-1])
    memory.pipe_file("/runs/one/parts/00000005", parts[1])
    with pytest.raises(RunError, match=r"parts/00000004: is damaged"):
        remote.fetched(MEMORY)
    memory.rm("/runs/one/parts/00000004")
    with pytest.raises(RunError, match="one of its parts is missing"):
        remote.fetched(MEMORY)


@pytest.mark.parametrize("died_at", range(1, 6))
def test_a_run_made_whole_only_half_is_still_the_run(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch, died_at: int
) -> None:
    """The process dies before its n-th request of that last step."""
    with pytest.raises(ZeroDivisionError), kept(MEMORY) as folder:  # noqa: PT012
        (folder / "run.json").write_text("{}")
        (folder / "completions.jsonl").write_text("1\n")
        raise ZeroDivisionError
    done = 0

    def dies(real: Callable[..., object]) -> Callable[..., object]:
        def called(*given: object, **more: object) -> object:
            nonlocal done
            done += 1
            if done == died_at:
                raise MachineError("gone")
            return real(*given, **more)

        return called

    with pytest.raises(MachineError), kept(MEMORY) as folder:  # noqa: PT012
        (folder / "run.json").write_text('{"format": 1}')
        _append(folder / "completions.jsonl", "2\n")
        for name in ("upload", "write", "remove"):
            monkeypatch.setattr(ObjectStore, name, dies(getattr(ObjectStore, name)))
    monkeypatch.undo()
    found = remote.fetched(MEMORY)
    if died_at > 1:
        assert (found / "completions.jsonl").read_text() == "1\n2\n"
        assert (found / "run.json").read_text() == '{"format": 1}'
    else:  # even the last part did not arrive
        assert (found / "completions.jsonl").read_text() == "1\n"


# --- who writes ------------------------------------------------------------------------------------------------------


def test_a_part_whose_answer_got_lost_is_put_again_as_it_was(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, lost = ObjectStore.write, []

    def loses_the_first_answer(self: ObjectStore, file: str, data: bytes, new: bool = False) -> None:
        write(self, file, data, new)
        if file.startswith("parts/") and not lost:
            lost.append(file)
            raise MachineError("no answer")

    monkeypatch.setattr(ObjectStore, "write", loses_the_first_answer)
    with kept(MEMORY, every=0.02) as work:
        _append(work / "completions.jsonl", '{"n": 1}\n')
        _wait(lambda: bool(lost))
        _append(work / "completions.jsonl", '{"n": 2}\n')
    assert memory.cat_file("/runs/one/completions.jsonl") == b'{"n": 1}\n{"n": 2}\n'


def test_who_was_taken_over_at_the_end_removes_nothing_of_the_other(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, theirs = Shipper.make_whole, encode([Change("completions.jsonl", 9, b'{"n": 2}\n')])

    def after_the_other(self: Shipper) -> None:
        _lock(memory, "elsewhere", 1)
        memory.pipe_file("/runs/one/parts/00000002", theirs)
        whole(self)

    monkeypatch.setattr(Shipper, "make_whole", after_the_other)
    with pytest.raises(RunError, match="another process has taken it over"), kept(MEMORY, every=60) as work:
        _append(work / "completions.jsonl", '{"n": 1}\n')
    assert _objects(memory, "/runs/one") == ["lock", "parts/00000001", "parts/00000002"]
    assert (remote.fetched(MEMORY) / "completions.jsonl").read_text() == '{"n": 1}\n{"n": 2}\n'


def test_a_torn_line_of_a_plain_object_is_cut_there_too(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe_file("/runs/one/run.json", b'{"format": 1}')
    memory.pipe_file("/runs/one/completions.jsonl", b'{"n": 1}\n{"n": 2, "text": "tor')

    def interrupted() -> None:
        with kept(MEMORY, every=60) as work, RunWriter(work) as writer:
            for number in range(2, 9):
                writer.append("completions.jsonl", {"n": number, "text": "x" * number})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(_objects(memory, "/runs/one"))[-1].startswith("run.json")  # not made whole: it was interrupted
    rows = [json.loads(line) for line in (remote.fetched(MEMORY) / "completions.jsonl").read_text().splitlines()]
    assert [row["n"] for row in rows] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_files_that_come_and_go_are_no_error(memory: fsspec.AbstractFileSystem) -> None:
    with kept(MEMORY, every=0.02) as work:
        (work / "run.json").write_text("{}")
        (work / "notes.txt").write_text("for a moment")
        _wait(lambda: memory.exists("/runs/one/parts/00000001"))
        (work / "notes.txt").unlink()
        for number in range(200):
            (work / f"{number}.txt").write_text("x")
            (work / f"{number}.txt").unlink()
    assert _objects(memory, "/runs/one") == ["parts/whole", "run.json"]


def test_a_lock_that_no_process_has_written_is_taken_over(memory: fsspec.AbstractFileSystem) -> None:
    for content in (b"", b"[]", b'{"time": "yesterday", "pid": "x"}', b'{"time": 1e999, "pid": 1e999}'):
        memory.pipe_file("/runs/one/lock", content)
        with kept(MEMORY, every=60) as work:
            (work / "run.json").write_text("{}")
        assert _objects(memory, "/runs/one") == ["parts/whole", "run.json"]


def _lock(store: fsspec.AbstractFileSystem, host: str, pid: int, age: float = 0) -> None:
    held = {"id": "x", "host": host, "pid": pid, "time": time.time() - age}
    store.pipe_file("/runs/one/lock", json.dumps(held).encode())


def test_a_run_in_use_is_refused_and_one_whose_process_is_gone_is_taken_over(
    memory: fsspec.AbstractFileSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with kept(MEMORY), pytest.raises(RunError, match=rf"in use by process {os.getpid()} on"), kept(MEMORY):
        pass
    assert not memory.exists("/runs/one/lock")
    _lock(memory, "elsewhere", 1)
    with pytest.raises(RunError, match="in use by process 1 on elsewhere"), kept(MEMORY):
        pass
    assert memory.exists("/runs/one/lock")
    for host, pid, age in (("elsewhere", 1, 700.0), (socket.gethostname(), child.pid, 0.0)):
        _lock(memory, host, pid, age)
        with kept(MEMORY):
            pass
        assert "taken over from process" in capsys.readouterr().err


def test_a_run_that_was_taken_over_ends_in_one_line_and_writes_nothing_more(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.remote.lock.BEAT", 0.0)
    with pytest.raises(RunError, match="another process has taken it over") as told, kept(MEMORY, every=0.02) as folder:  # noqa: PT012
        (folder / "run.json").write_text("{}")
        _wait(lambda: bool(memory.find("/runs/one/parts")))
        _lock(memory, "elsewhere", 1)
        time.sleep(30)  # Ctrl-C comes first
    assert (folder / "run.json").is_file()
    assert str(folder) in str(told.value)
    assert json.loads(memory.cat_file("/runs/one/lock"))["host"] == "elsewhere"


def test_two_that_both_think_they_are_the_one_do_not_mix(memory: fsspec.AbstractFileSystem) -> None:
    with pytest.raises(RunError, match="another process has gone on with it"), kept(MEMORY, every=60) as folder:  # noqa: PT012
        memory.pipe_file("/runs/one/parts/00000001", encode([Change("run.json", None, b"theirs")]))
        (folder / "run.json").write_text("ours")
    assert (remote.fetched(MEMORY) / "run.json").read_text() == "theirs"


# --- the commands ----------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "-s", "sums", "--out", "runs/here"]) == 0
    return tmp_path


def _commands(address: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command that takes a run, on one in a store; held to the same run on disk."""
    assert main(["run", "-s", "sums", "--limit", "10", "--out", address]) == 0
    assert main(["run", "-s", "sums", "--out", address]) == 0
    assert f"Next: harness report {address}" in capsys.readouterr().err
    _same(project / "runs" / "here", remote.fetched(address))
    assert main(["compare", address, "--csv"]) == 0
    there = capsys.readouterr().out
    assert main(["compare", str(remote.fetched(address)), "--csv"]) == 0
    assert capsys.readouterr().out == there
    assert main(["score", address]) == 0
    assert main(["report", address]) == 0
    assert (project / "reports" / "there.html").is_file()
    assert main(["gate", f"{address}:lora", "--baseline", f"{address}:base"]) == 0
    assert json.loads((project / "gate.json").read_text())["candidate"] == f"{address}:lora"
    assert main(["run", "-s", "sums", "--reuse", address, "--out", "runs/again"]) == 0
    assert all(row.reused for row in read_run("runs/again").rows)
    capsys.readouterr()
    assert main(["compare", f"{address}-not"]) == 2
    assert "not a run folder" in capsys.readouterr().err


def test_every_command_takes_a_run_in_memory(
    project: Path, memory: fsspec.AbstractFileSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    _commands("memory://runs/there", project, capsys)


def test_every_command_takes_a_run_on_s3(project: Path, bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    _commands(f"{bucket}/runs/there", project, capsys)
    assert "lock" not in _objects(_s3(), "bucket/runs/there")
    assert not [one for one in _objects(_s3(), "bucket/runs/there") if one.startswith("parts/0")]


def test_file_addresses_are_folders(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-s", "sums", "--out", f"file://{project}/runs/there"]) == 0
    _same(project / "runs" / "here", project / "runs" / "there")
    assert main(["compare", f"file://{project}/runs/there"]) == 0


def test_live_traffic_is_held_to_a_run_in_a_store(
    project: Path, memory: fsspec.AbstractFileSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    with (project / "suites" / "sums" / "suite.yaml").open("a") as stream:
        stream.write("monitor: [{scorer: markdown}]\n")
    assert main(["run", "-s", "sums", "-a", "lora", "--out", "memory://runs/there"]) == 0
    turns = [{"role": "user", "content": "What is 1 plus 101?"}, {"role": "assistant", "content": "102"}]
    (project / "log.jsonl").write_text(json.dumps({"messages": turns}) + "\n")
    assert main(["monitor", "log.jsonl", "-s", "sums", "--baseline", "memory://runs/there:lora"]) == 3
    assert list((project / "monitor").iterdir())


@pytest.mark.parametrize("seed", [0, 1])
def test_a_killed_run_goes_on_and_loses_only_what_came_after_the_last_part(
    tmp_path: Path, bucket: str, seed: int
) -> None:
    file = make_project(tmp_path, more="delay: 0.1, batch_size: 2")
    code = (
        "import sys; from harness import remote; remote.FLUSH = 0.2; remote.kept.__wrapped__.__defaults__ = (0.2,); "
        "from harness.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "run", "-s", "sums", "--no-dev", "--no-aa", "--config", str(file)]
    address = f"{bucket}/killed"
    for killed in range(2):
        child = subprocess.Popen([*command, "--out", address], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        store = _s3()
        before = len(_objects(store, "bucket/killed"))
        _wait(lambda store=store, before=before: len(_objects(store, "bucket/killed")) >= before + 3, 200)  # type: ignore[misc]
        time.sleep(0.15 * (seed + killed))
        child.send_signal(signal.SIGKILL)
        _, told = child.communicate()
        assert child.returncode == -signal.SIGKILL, told
        assert _objects(store, "bucket/killed")[0] == "lock", told
    stored = len(remote.fetched(address).joinpath("completions.jsonl").read_text().splitlines())
    assert 0 < stored < 120
    done = subprocess.run([*command, "--out", address], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "taken over from process" in done.stderr
    make_project(tmp_path)
    command = [*command[:1], "-m", "harness", *command[3:], "--out", "runs/here"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    _same(tmp_path / "runs" / "here", remote.fetched(address))


# --- mistakes --------------------------------------------------------------------------------------------------------


def _refused(address: str, capsys: pytest.CaptureFixture[str], code: int, said: str, verb: str = "compare") -> None:
    given = ["compare", address] if verb == "compare" else ["run", "-s", "sums", "--out", address]
    capsys.readouterr()
    assert main(given) == code
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith(f"harness: {address}")
    assert said in line, line


def test_what_is_wrong_with_an_address_is_one_line(
    project: Path, bucket: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for verb in ("compare", "run"):
        _refused("s3://nowhere/run", capsys, 2, "The specified bucket does not exist", verb)
        _refused("s4://bucket/run", capsys, 2, "Protocol not known", verb)
        _refused("gs://bucket/run", capsys, 2, "Install what it needs", verb)
        _refused(f"{bucket}/run*", capsys, 2, "holds one of * ? [ ]", verb)
        _refused(f"{bucket}/run/..", capsys, 2, "leads through '.' or '..'", verb)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(project))
    for verb in ("compare", "run"):
        _refused(f"{bucket}/run", capsys, 5, "credentials", verb)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    for verb in ("compare", "run"):
        _refused(f"{bucket}/run", capsys, 2, "pip install '.[storage]'", verb)


def test_a_store_that_may_only_be_read_is_one_line_before_anything_is_asked(
    project: Path, server: str, bucket: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import botocore.session

    assert main(["run", "-s", "sums", "--out", f"{bucket}/there"]) == 0
    iam = botocore.session.get_session().create_client("iam", endpoint_url=server, region_name="us-east-1")
    iam.create_user(UserName="reader")
    allowed = {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    _post(f"{server}/moto-api/reset-auth", b"0")
    try:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        assert main(["compare", f"{bucket}/there"]) == 0
        _refused(f"{bucket}/there", capsys, 5, "not allowed", "run")
        _refused(f"{bucket}/new", capsys, 5, "not allowed", "run")
    finally:
        _post(f"{server}/moto-api/reset-auth", b"Infinity")


def _slow_parts(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Parts take until the second event; the first says that one is on its way."""
    write, begun, goes_on = ObjectStore.write, threading.Event(), threading.Event()

    def slow(self: ObjectStore, file: str, data: bytes, new: bool = False) -> None:
        if file.startswith("parts/"):
            begun.set()
            assert goes_on.wait(60)
        write(self, file, data, new)

    monkeypatch.setattr(ObjectStore, "write", slow)
    return begun, goes_on


def _shippers(monkeypatch: pytest.MonkeyPatch) -> list[Shipper]:
    """Grows by every shipper that is made."""
    init, made = Shipper.__init__, []

    def noted(self: Shipper, *given: Any) -> None:
        init(self, *given)
        made.append(self)

    monkeypatch.setattr(Shipper, "__init__", noted)
    return made


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Fails a body that takes longer, also where it waits for what never comes."""

    def late(*_: object) -> None:
        raise AssertionError(f"not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _none_ships() -> bool:
    return not any(one.name == "storage" for one in threading.enumerate())


def _interrupted(times: int, begun: threading.Event, goes_on: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that is interrupted while a part is on its way, and so often in all; returns its folder."""
    made, say, said = _shippers(monkeypatch), shipper.say, []

    def noted(text: str) -> None:
        say(text)
        said.append(text)

    monkeypatch.setattr(shipper, "say", noted)

    def again() -> None:
        _wait(made[0]._stop.is_set)
        os.kill(os.getpid(), signal.SIGINT)
        _wait(lambda: any("Ctrl-C once more" in text for text in said))
        if times < 3:
            goes_on.set()
        else:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), kept(MEMORY, every=0.02) as work:  # noqa: PT012
        _append(work / "completions.jsonl", "1\n")
        assert begun.wait(60)
        _append(work / "completions.jsonl", "2\n")
        threading.Thread(target=again, daemon=True).start()
        raise KeyboardInterrupt
    return work


def test_interrupted_twice_while_a_part_is_on_its_way_all_is_stored(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work = _interrupted(2, *_slow_parts(monkeypatch), monkeypatch)
    assert (remote.fetched(MEMORY) / "completions.jsonl").read_text() == "1\n2\n"
    assert "Ctrl-C once more leaves them here" in capsys.readouterr().err
    assert not work.exists()


def test_interrupted_a_third_time_the_folder_that_keeps_the_answers_is_named(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun, goes_on = _slow_parts(monkeypatch)
    work = _interrupted(3, begun, goes_on, monkeypatch)
    assert f"What was answered is in {work}: `--reuse {work}` takes it over.\n" in capsys.readouterr().err
    assert (work / "completions.jsonl").read_text() == "1\n2\n"
    goes_on.set()
    _wait(_none_ships)


def test_without_a_thread_to_store_from_the_run_ends_with_the_reason(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def fails(self: threading.Thread) -> None:
        if self.name == "storage":
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", fails)
    with pytest.raises(RuntimeError, match="can't start new thread"), _within(20), kept(MEMORY, every=0.02):
        pass
    assert not memory.find("/runs/one")


@pytest.mark.parametrize("begins", ["at once", "too late"])
def test_interrupted_while_the_thread_starts_nothing_is_waited_for_and_nothing_ships_on(
    begins: str, memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, late = threading.Thread.start, []

    def interrupted(self: threading.Thread) -> None:
        if self.name != "storage":
            start(self)
        elif begins == "at once":
            start(self)
            raise KeyboardInterrupt
        else:
            late.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), _within(20), kept(MEMORY, every=0.02):
        pass
    for one in late:
        start(one)
    _wait(_none_ships)
    assert not memory.find("/runs/one")


def test_interrupted_before_the_thread_is_told_to_stop_all_is_stored_and_nothing_ships_on(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _shippers(monkeypatch)

    def interrupted() -> None:
        monkeypatch.delattr(made[0]._stop, "set")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), _within(20), kept(MEMORY, every=0.02) as work:  # noqa: PT012
        _append(work / "completions.jsonl", "1\n")
        monkeypatch.setattr(made[0]._stop, "set", interrupted)
    _wait(_none_ships)
    assert (remote.fetched(MEMORY) / "completions.jsonl").read_text() == "1\n"


def test_two_that_ship_at_once_take_turns(memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, goes_on = _slow_parts(monkeypatch)
    with kept(MEMORY, every=60) as work:
        (work / "completions.jsonl").write_text("1\n")
        store = ObjectStore("memory://runs/two")
        one_more = Shipper(store, Lock(store), work, 0, set(), {"completions.jsonl"})
        others = [threading.Thread(target=one_more.ship) for _ in range(2)]
        for one in others:
            one.start()
        assert begun.wait(60)
        time.sleep(0.2)
        goes_on.set()
        for one in others:
            one.join()
        one_more.last()
    assert _objects(memory, "/runs/two") == ["lock", "parts/00000001"]


def test_a_disk_that_cannot_be_read_for_a_while_does_not_end_storing(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files, failed = Shipper._files, []

    def fails(self: Shipper) -> list[str]:
        failed.append(1)
        if len(failed) < 4:
            raise OSError(24, "Too many open files")
        return files(self)

    with kept(MEMORY, every=0.02) as work:
        monkeypatch.setattr(Shipper, "_files", fails)
        _append(work / "completions.jsonl", "1\n")
        _wait(lambda: bool(memory.find("/runs/one/parts")))
    assert capsys.readouterr().err.count(f"{work}: cannot be read (Too many open files). The run goes on in") == 1


def test_a_disk_that_cannot_be_read_at_the_end_is_one_line_that_names_the_folder(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Shipper) -> list[str]:
        raise OSError(5, "Input/output error")

    with pytest.raises(MachineError, match="cannot be read") as told, kept(MEMORY, every=60) as work:  # noqa: PT012
        (work / "completions.jsonl").write_text("1\n")
        monkeypatch.setattr(Shipper, "_files", fails)
    assert f"{work}: cannot be read (Input/output error). What was answered is in {work}: `--reuse" in str(told.value)
    assert (work / "completions.jsonl").is_file()


def test_a_store_that_goes_away_keeps_the_answers_here(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    with pytest.raises(MachineError, match=r"no route to host.*--reuse") as told, kept(MEMORY, every=0.02) as folder:  # noqa: PT012
        (folder / "completions.jsonl").write_text("1\n")
        _wait(lambda: bool(memory.find("/runs/one/parts")))
        monkeypatch.setattr(type(memory), "pipe_file", gone)
        _append(folder / "completions.jsonl", "2\n")
        time.sleep(0.2)
        assert capsys.readouterr().err.count("The run goes on in") == 1
    assert str(folder) in str(told.value)
    assert (folder / "completions.jsonl").read_text() == "1\n2\n"


def test_an_error_of_the_run_names_the_address_and_not_the_scratch_folder(memory: fsspec.AbstractFileSystem) -> None:
    with pytest.raises(RunError, match=r"^memory://runs/one/run\.json: bad"), kept(MEMORY) as folder:
        raise RunError(f"{folder}/run.json: bad")
    with pytest.raises(HarnessError, match="names no run"), kept("s3://"):
        pass
