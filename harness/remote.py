"""Run folders on object storage: `s3://bucket/run`, and what else fsspec knows (`pip install '.[storage]'`).

A run is made in a scratch folder of this machine, as any other. Every FLUSH seconds, and at its end, what is new there
goes up as one object, parts/00000001 and so on: "these bytes of this file, from there on" or "this file is now". An
object store puts an object whole or not at all, so what is read is always a state the folder was in. At the end of a
run that was not interrupted its files are written as plain objects, and the parts go. Readers fetch into a temporary
folder: the plain objects, then what the parts add, in their order.

A process that is killed loses what it wrote after the last part, at most FLUSH seconds and the time of one upload; the
same command goes on from there. One process writes: it holds the object `lock`, which says who and when, and is renewed
every BEAT seconds. Of a process of this machine that is gone it is taken over at once, else after EXPIRES seconds
without a sign. A part is only ever created, never replaced: of two that think they are the one, the second stops.

What is not covered: clocks of two machines that differ by minutes; a store without create-only writes, where two
writers may go on side by side after a lock was taken over. `file://` is the path itself, and nothing of this is used.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import HarnessError, MachineError, RunError
from harness.progress import say

FLUSH = 5.0
"""Seconds from one part to the next."""
BEAT = 60.0
EXPIRES = 600.0
PART = 16 << 20
"""Bytes of a file in one part, at most: beyond 100 MB s3fs writes in pieces."""
FORMAT = 1
LOCK = "lock"
PARTS = "parts/"
WHOLE = PARTS + "whole"
"""Holds the number of the last part that the plain objects contain."""
_BATCH = 64
_TRIES = 3
_LOCAL = ("file://", "local://")
_open: dict[str, Path] = {}
"""Addresses to the scratch folders they are made in."""
_copies: dict[str, Path] = {}
"""Addresses to the folders they were last fetched into."""


@dataclass(frozen=True)
class Change:
    """Bytes of one file, from `at` on, or all of it where `at` is None."""

    file: str
    at: int | None
    data: bytes


def is_remote(where: Path | str) -> bool:
    """Whether a run lies in a store.

    >>> [is_remote(one) for one in ("runs/sql", "s3://bucket/sql", "file:///tmp/sql")]
    [False, True, False]
    """
    return isinstance(where, str) and "://" in where and not where.startswith(_LOCAL)


def same(one: str, other: str) -> bool:
    """Whether two places are one.

    >>> [same("s3://bucket/run/", "s3://bucket/run"), same("runs/a", "runs/b"), same("runs/a", "./runs/a")]
    [True, False, True]
    """
    if is_remote(one) or is_remote(other):
        return _address(one) == _address(other)
    return _local(one).resolve() == _local(other).resolve()


def name(folder: Path) -> str:
    """What the user calls a folder: the address of what is made in it, or itself."""
    for address, work in _open.items():
        if folder.is_relative_to(work):
            return "/".join((address, *folder.relative_to(work).parts))
    return str(folder)


def fetched(where: Path | str) -> Path:
    """The folder with a run: where it lies, or is being made, or a new copy that lives as long as this process."""
    if not is_remote(where):
        return _local(where)
    address = _address(str(where))
    if address in _open:
        return _open[address]
    store = _Store(address)
    if (old := _copies.pop(address, None)) is not None:
        shutil.rmtree(old.parent, ignore_errors=True)
    copy = _scratch(address)
    atexit.register(shutil.rmtree, copy.parent, ignore_errors=True)
    _fetch(store, copy)
    _copies[address] = copy
    return copy


def folder(where: Path | str) -> Path:
    """`fetched`, but a copy that there is already is good enough."""
    address = _address(str(where))
    return _open.get(address) or _copies.get(address) or fetched(where)


@contextmanager
def kept(where: str, every: float = FLUSH) -> Iterator[Path]:
    """A folder to make or continue a run in. What is written there is at `where` when this ends.

    every: seconds from one part to the next. Raises HarnessError (no fsspec), RunError (no such bucket, in use),
    MachineError (no permission, no credentials, no answer); what could not be stored is then kept, and it says where.
    """
    if not is_remote(where):
        yield _local(where)
        return
    store = _Store(_address(where))
    work = _scratch(store.address)
    lock: _Lock | None = None
    to_keep = False
    try:
        lock = _Lock(store)
        shipper = _Shipper(store, lock, work, *_fetch(store, work, torn=True))
        _open[store.address] = work
        try:
            to_keep = True
            with shipper.working(every):
                yield work
        except BaseException as error:
            shipper.last(error)
            to_keep = False
            if isinstance(error, HarnessError) and not isinstance(error, MachineError):
                raise type(error)(str(error).replace(str(work), store.address)) from None
            raise
        shipper.last()
        to_keep = False
        shipper.make_whole()
    finally:
        _open.pop(store.address, None)
        if lock:
            lock.release()
        if not to_keep:
            shutil.rmtree(work.parent, ignore_errors=True)


def _local(where: Path | str) -> Path:
    text = str(where)
    return Path(next((text.removeprefix(start) for start in _LOCAL if text.startswith(start)), text))


def _address(where: str) -> str:
    return where if where.endswith("://") else where.rstrip("/")


def _scratch(address: str) -> Path:
    work = Path(tempfile.mkdtemp(prefix="harness-")) / (address.rpartition("/")[2] or "run")
    work.mkdir()
    return work


# --- parts -----------------------------------------------------------------------------------------------------------


def encode(changes: Sequence[Change]) -> bytes:
    """A part: a line of JSON that says what follows, and the bytes."""
    about = [{"file": one.file, "at": one.at, "size": len(one.data)} for one in changes]
    head = json.dumps({"format": FORMAT, "changes": about}).encode()
    return b"".join([head, b"\n", *(one.data for one in changes)])


def decode(part: bytes) -> list[Change] | None:
    """The inverse of `encode`; None for a part that is torn.

    >>> part = encode([Change("run.json", None, b"{}"), Change("scores.jsonl", 7, b"[]")])
    >>> decode(part)
    [Change(file='run.json', at=None, data=b'{}'), Change(file='scores.jsonl', at=7, data=b'[]')]
    >>> [decode(part[:-1]), decode(part[:9])]
    [None, None]
    """
    head, end, data = part.partition(b"\n")
    if not end:
        return None
    try:
        about = json.loads(head)
        if about["format"] != FORMAT:
            raise RunError(
                f"a part of format {about['format']}, this harness reads {FORMAT}. Use the one that made it."
            )
        sizes = [int(one["size"]) for one in about["changes"]]
        if sum(sizes) != len(data):
            return None
        starts = [sum(sizes[:place]) for place in range(len(sizes))]
        return [
            Change(str(one["file"]), None if one["at"] is None else int(one["at"]), data[start : start + size])
            for one, start, size in zip(about["changes"], starts, sizes, strict=True)
        ]
    except (ValueError, KeyError, TypeError):
        return None


def replay(changes: Iterable[Change], folder: Path, address: str) -> None:
    """Does to the files of a folder what the changes say. Changes that the files contain already do no harm."""
    gaps = set()
    for one in changes:
        path = _inside(folder, one.file, address)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("r+b" if one.at is not None and path.exists() else "wb") as stream:
            if one.at is None:
                gaps.discard(one.file)
            elif one.at > stream.seek(0, os.SEEK_END):
                gaps.add(one.file)  # of a state before the file was replaced, where a later one is there already
            stream.seek(one.at or 0)
            stream.write(one.data)
    if gaps:
        raise RunError(f"{address}: a part of {sorted(gaps)[0]} is missing. Restore it, or run into another --out.")


def _inside(folder: Path, file: str, address: str) -> Path:
    path = folder / file
    if not file or ".." in path.parts or not path.is_relative_to(folder):
        raise RunError(f"{address}: holds an object named '{file}', which no run folder does.")
    return path


def _fetch(store: _Store, folder: Path, torn: bool = False) -> tuple[int, set[str]]:
    """Copies a run into an empty folder: the number of its last part, and the files that parts have changed.

    torn: a last part that is torn is removed in the store, too. A run that is made whole meanwhile is fetched again.
    """
    for attempt in range(_TRIES):
        try:
            return _fetch_once(store, folder, torn)
        except FileNotFoundError:
            if attempt == _TRIES - 1:
                raise RunError(f"{store.address}: changes as it is read. Try again when its run has ended.") from None
            shutil.rmtree(folder)
            folder.mkdir()
    raise AssertionError


def _fetch_once(store: _Store, folder: Path, torn: bool) -> tuple[int, set[str]]:
    names = store.names()
    told = store.read([WHOLE])[WHOLE] if WHOLE in names else b"0"
    if not told.isdigit():
        raise RunError(f"{store.address}/{WHOLE}: holds no number. Restore it, or run into another --out.")
    whole = int(told)
    for file in names:
        if file != LOCK and file.count("/") <= 1 and not file.startswith((PARTS, ".")):
            store.download(file, _inside(folder, file, store.address))
    numbers = sorted(int(file.removeprefix(PARTS)) for file in names if _is_part(file))
    numbers = [number for number in numbers if number > whole]
    if numbers != list(range(whole + 1, whole + 1 + len(numbers))):
        raise RunError(f"{store.address}: one of its parts is missing. Restore it, or run into another --out.")
    changes: list[Change] = []
    last = whole
    for start in range(0, len(numbers), _BATCH):
        batch = [f"{PARTS}{number:08d}" for number in numbers[start : start + _BATCH]]
        for file, data in store.read(batch).items():
            found = decode(data)
            if found is not None:
                changes += found
                last += 1
            elif last + 1 != numbers[-1]:
                raise RunError(f"{store.address}/{file}: is damaged. Restore it, or run into another --out.")
            elif torn:
                store.remove([file])
    replay(changes, folder, store.address)
    return last, {one.file for one in changes}


def _is_part(file: str) -> bool:
    return file.startswith(PARTS) and file.removeprefix(PARTS).isdecimal()


@dataclass(frozen=True)
class _Stored:
    """A file as it was stored. stream: the open file, which keeps its place on disk from being used for another."""

    stream: BinaryIO
    size: int
    changed: int


class _Shipper:
    """Brings what is new in a folder into a store, now and then, from a thread."""

    def __init__(self, store: _Store, lock: _Lock, work: Path, number: int, touched: set[str]) -> None:
        self._store, self._lock, self._work, self._number, self._touched = store, lock, work, number, touched
        self._held: dict[str, _Stored] = {}
        for file in self._files():
            stream = (work / file).open("rb")
            about = os.fstat(stream.fileno())
            self._held[file] = _Stored(stream, about.st_size, about.st_mtime_ns)
        self._stop = threading.Event()
        self._failed: HarnessError | None = None

    @contextmanager
    def working(self, every: float) -> Iterator[None]:
        """Ships every so many seconds while the body runs. A lock that was lost ends it as Ctrl-C would."""
        thread = threading.Thread(target=self._work_on, args=(every,), name="storage", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _work_on(self, every: float) -> None:
        said = ""
        while not self._stop.wait(every):
            try:
                self.ship()
                self._lock.beat()
                said = ""
            except RunError as error:
                self._failed = error
                os.kill(os.getpid(), signal.SIGINT)
                return
            except MachineError as error:
                if str(error) != said:
                    said = str(error)
                    say(f"{said} The run goes on in {self._work}; stored again as soon as that is possible.")

    def last(self, error: BaseException | None = None) -> None:
        """Ships what is left. Where that fails, the folder stays, and the error says where.

        error: what has ended the run, if anything.
        """
        try:
            if self._failed is not None:
                raise self._failed
            self.ship()
        except (RunError, MachineError) as problem:
            also = f" ({error})" if isinstance(error, HarnessError) else ""
            raise type(problem)(
                f"{problem}{also} What was answered is in {self._work}: `--reuse {self._work}` takes it over."
            ) from None
        finally:
            for one in self._held.values():
                one.stream.close()

    def ship(self) -> None:
        """Puts everything new into further parts."""
        while found := self._new():
            changes = [change for change, _ in found]
            try:
                self._put(f"{PARTS}{self._number + 1:08d}", encode(changes))
            except BaseException:
                for change, one in found:
                    if change.at is None:
                        one.stream.close()
                raise
            self._number += 1
            for change, one in found:
                if change.at is None and (old := self._held.get(change.file)) is not None:
                    old.stream.close()
                self._held[change.file] = one
                self._touched.add(change.file)

    def _put(self, part: str, data: bytes) -> None:
        try:
            self._store.write(part, data, new=True)
        except FileExistsError:  # ours, if an answer got lost and it was put again
            if self._store.read([part])[part] != data:
                raise RunError(
                    f"{self._store.address}: another process has gone on with it. Wait for it, then run again."
                ) from None

    def _new(self) -> list[tuple[Change, _Stored]]:
        """What was written since the last part: of lines only whole ones. Scores are looked at before their answers."""
        found = []
        for file in self._files():
            stream: BinaryIO = (self._work / file).open("rb")
            about, held, at = os.fstat(stream.fileno()), self._held.get(file), None
            if held is not None and os.path.samestat(os.fstat(held.stream.fileno()), about):
                grown = file.endswith(".jsonl") and held.size <= about.st_size
                if grown or (held.size, held.changed) == (about.st_size, about.st_mtime_ns):
                    stream.close()
                    stream, at = held.stream, held.size
            stream.seek(at or 0)
            data = stream.read(min(PART, about.st_size - (at or 0)) if file.endswith(".jsonl") else -1)
            if file.endswith(".jsonl") and (b"\n" in data or len(data) < PART):
                data = data[: data.rfind(b"\n") + 1]
            if data or at is None:
                found.append((Change(file, at, data), _Stored(stream, (at or 0) + len(data), about.st_mtime_ns)))
        return found

    def _files(self) -> list[str]:
        names = [path.relative_to(self._work).as_posix() for path in self._work.rglob("*") if path.is_file()]
        wanted = [file for file in names if not (part := file.rpartition("/")[2]).startswith(".") and part != LOCK]
        return sorted(wanted, key=lambda file: (not file.endswith("scores.jsonl"), not file.endswith(".jsonl"), file))

    def make_whole(self) -> None:
        """Plain objects in the place of parts."""
        if not self._touched:
            return
        for file in sorted(self._touched):
            self._store.upload(self._work / file, file)
        self._store.write(WHOLE, str(self._number).encode())
        self._store.remove([file for file in self._store.names() if _is_part(file)])


class _Lock:
    """The object that says who writes. Raises RunError where somebody else does."""

    def __init__(self, store: _Store) -> None:
        self._store, self._id, self._told = store, uuid.uuid4().hex, time.monotonic()
        try:
            store.write(LOCK, self._content(), new=True)
        except FileExistsError:
            held = self._read()
            if not _gone(held):
                raise RunError(
                    f"{store.address}: in use by process {held.get('pid')} on {held.get('host')}. Wait for it, stop "
                    f"it, or use another --out. Without a sign from it the lock falls after {EXPIRES / 60:.0f} minutes."
                ) from None
            say(f"{store.address}: taken over from process {held.get('pid')} on {held.get('host')}, which is gone")
            store.write(LOCK, self._content())

    def beat(self) -> None:
        """Renews it now and then. Raises RunError where it is another's by now."""
        if time.monotonic() - self._told < BEAT:
            return
        if self._read().get("id") != self._id:
            raise RunError(f"{self._store.address}: another process has taken it over. Wait for it, then run again.")
        self._store.write(LOCK, self._content())
        self._told = time.monotonic()

    def release(self) -> None:
        """Gives it back; where the store does not answer any more, it falls by itself."""
        with suppress(HarnessError):
            if self._read().get("id") == self._id:
                self._store.remove([LOCK])

    def _content(self) -> bytes:
        who = {"id": self._id, "host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}
        return json.dumps(who).encode()

    def _read(self) -> Mapping[str, Any]:
        try:
            found = json.loads(self._store.read([LOCK])[LOCK])
            return found if isinstance(found, dict) else {}
        except (FileNotFoundError, ValueError):
            return {}


def _gone(held: Mapping[str, Any]) -> bool:
    """Whether who holds a lock has ended, as far as can be told from here."""
    if time.time() - float(held.get("time", 0)) > EXPIRES:
        return True
    if held.get("host") != socket.gethostname():
        return False
    try:
        os.kill(int(held.get("pid", 0)), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


# --- the store -------------------------------------------------------------------------------------------------------


class _Store:
    """Objects under an address, by their names below it. FileNotFoundError and FileExistsError are the caller's."""

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            import fsspec
        except ImportError:
            raise HarnessError(
                f"{address}: fsspec is not installed. Install it with: pip install '.[storage]'"
            ) from None
        try:  # an instance of our own, which looks every time
            self._fs, root = fsspec.core.url_to_fs(address, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as error:
            todo = "pip install '.[storage]'" if address.startswith(("s3://", "s3a://")) else "see its message"
            raise HarnessError(f"{address}: {_first_line(error)}. Install what it needs: {todo}.") from None
        except ValueError as error:
            raise HarnessError(f"{address}: {_first_line(error)}. Write an address such as s3://bucket/run.") from None
        self._root = str(root).rstrip("/")
        if not self._root:
            raise HarnessError(f"{address}: names no run. Write an address such as s3://bucket/run.")

    def names(self) -> list[str]:
        """Every object. Raises RunError where not even the bucket is there."""
        try:
            with self._asked():
                found = self._fs.find(self._root)
        except FileNotFoundError as error:
            raise RunError(f"{self.address}: {_first_line(error)}. Make it, or correct the address.") from None
        inside = f"{self._root}/"  # where the first object appears just now, s3fs finds the folder itself
        return [str(one).removeprefix(inside) for one in found if str(one).startswith(inside)]

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        with self._asked():
            found = self._fs.cat([self._path(file) for file in names])
        held = {str(path).strip("/"): data for path, data in found.items()}
        return {file: held[self._path(file).strip("/")] for file in names}

    def download(self, file: str, to: Path) -> None:
        to.parent.mkdir(parents=True, exist_ok=True)
        with self._asked():
            self._fs.get_file(self._path(file), str(to))

    def write(self, file: str, data: bytes, new: bool = False) -> None:
        """new: FileExistsError where it is there already."""
        try:
            with self._asked():
                self._fs.pipe_file(self._path(file), data, mode="create" if new else "overwrite")
        except FileNotFoundError as error:
            raise RunError(f"{self.address}: {_first_line(error)}. Make it, or correct the address.") from None

    def upload(self, path: Path, file: str) -> None:
        with self._asked():
            self._fs.put_file(str(path), self._path(file))

    def remove(self, names: Sequence[str]) -> None:
        with self._asked():
            if names:
                self._fs.rm([self._path(file) for file in names])

    def _path(self, file: str) -> str:
        return f"{self._root}/{file}"

    @contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, FileExistsError):
            raise
        except PermissionError as error:
            raise MachineError(f"{self.address}: not allowed ({_first_line(error)}). Fix the permission.") from None
        except Exception as error:  # every store brings errors of its own library
            raise MachineError(
                f"{self.address}: {_first_line(error)}. Is the address right, are there credentials, is it up?"
            ) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
