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
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError, MachineError
from harness.lines import cut_torn_line
from harness.remote.fetching import fetch
from harness.remote.lock import Lock
from harness.remote.objects import ObjectStore
from harness.remote.parts import Change, decode, encode, replay
from harness.remote.shipper import Shipper

__all__ = ["FLUSH", "Change", "decode", "encode", "fetched", "folder", "is_remote", "kept", "name", "replay", "same"]
FLUSH = 5.0
"""Seconds from one part to the next."""
_LOCAL = ("file://", "local://")
_open: dict[str, Path] = {}
"""Addresses to the scratch folders they are made in."""
_copies: dict[str, Path] = {}
"""Addresses to the folders they were last fetched into."""


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
    store = ObjectStore(address)
    if (old := _copies.pop(address, None)) is not None:
        shutil.rmtree(old.parent, ignore_errors=True)
    copy = _scratch(address)
    atexit.register(shutil.rmtree, copy.parent, ignore_errors=True)
    fetch(store, copy)
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
    store = ObjectStore(_address(where))
    work = _scratch(store.address)
    lock: Lock | None = None
    to_keep = False
    try:
        lock = Lock(store)
        number, touched = fetch(store, work, torn=True)
        cut = {file.relative_to(work).as_posix() for file in work.rglob("*.jsonl") if cut_torn_line(file)}
        shipper = Shipper(store, lock, work, number, touched, cut)
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
