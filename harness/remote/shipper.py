"""What is new in a folder, brought into a store while a run goes on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harness.errors import HarnessError, MachineError, RunError
from harness.progress import say
from harness.remote.lock import LOCK, Lock
from harness.remote.objects import ObjectStore
from harness.remote.parts import PART, PARTS, WHOLE, Change, encode, number_of


@dataclass(frozen=True)
class Stored:
    """A file as it was stored. stream: the open file, which keeps its place on disk from being used for another."""

    stream: BinaryIO
    size: int
    changed: int


class Shipper:
    """Brings what is new in a folder into a store, now and then, from a thread."""

    def __init__(
        self, store: ObjectStore, lock: Lock, work: Path, number: int, touched: set[str], cut: Container[str] = ()
    ) -> None:
        """number: of the last part. touched: files changed by parts. cut: those that are not as they are stored."""
        self._store, self._lock, self._work, self._number, self._touched = store, lock, work, number, touched
        self._held: dict[str, Stored] = {}
        self._part: tuple[bytes, list[tuple[Change, Stored]]] | None = None
        for file in self._files():
            if file in cut:
                continue
            stream = (work / file).open("rb")
            about = os.fstat(stream.fileno())
            self._held[file] = Stored(stream, about.st_size, about.st_mtime_ns)
        self._stop = threading.Event()
        self._shipping = threading.Lock()
        self._failed: HarnessError | None = None
        self._ended = threading.Event()  # of the thread; one whose join is interrupted passes for ended
        self._ended.set()
        self._left = False

    @contextmanager
    def working(self, every: float) -> Iterator[None]:
        """Ships every so many seconds while the body runs. A lock that was lost ends it as Ctrl-C would."""
        try:
            threading.Thread(target=self._until_stopped, args=(every,), name="storage", daemon=True).start()
            yield
        finally:
            self._stop.set()
            self._ended.wait()

    def _until_stopped(self, every: float) -> None:
        """The thread says itself that it is there: one that could not start, or starts too late, holds up nobody."""
        try:
            self._ended.clear()
            self._work_on(every)
        finally:
            self._ended.set()
            if self._left:  # nobody has waited
                self._close()

    def _work_on(self, every: float) -> None:
        said = ""
        while not self._stop.wait(every):
            try:
                self.ship()
                self._lock.beat()
                said = ""
            except RunError as error:
                self._failed = error
                if not self._stop.is_set():
                    os.kill(os.getpid(), signal.SIGINT)
                return
            except (MachineError, OSError) as error:
                if (now := str(self._told(error))) != said:
                    said = now
                    say(f"{said} The run goes on in {self._work}; stored again as soon as that is possible.")

    def last(self, error: BaseException | None = None) -> None:
        """Waits for the thread, and ships what is left. Where that fails or is interrupted, the folder stays, and a
        line says where.

        error: what has ended the run, if anything.
        """
        stays = f"What was answered is in {self._work}: `--reuse {self._work}` takes it over."
        try:
            self._stop.set()
            if not self._ended.is_set() and self._failed is None:
                say(f"{self._store.address}: the last answers are being stored. Ctrl-C once more leaves them here.")
            self._ended.wait()
            if self._failed is not None:
                raise self._failed
            self.ship()
        except (RunError, MachineError, OSError) as problem:
            told = self._told(problem)
            also = f" ({error})" if isinstance(error, HarnessError) else ""
            raise type(told)(f"{told}{also} {stays}") from None
        except BaseException:
            say(stays)
            raise
        finally:
            self._left = True
            if self._ended.is_set():
                self._close()

    def _close(self) -> None:
        for one in [*self._held.values(), *(one for _, one in (self._part or (b"", []))[1])]:
            one.stream.close()

    def _told(self, error: HarnessError | OSError) -> HarnessError:
        """The same as one line; an OSError is of the disk here, the store's own are told already."""
        if isinstance(error, HarnessError):
            return error
        return MachineError(f"{self._work}: cannot be read ({error.strerror or error}).")

    def ship(self) -> None:
        """Puts everything new into further parts. One that failed is put again first, as it was: it may be there."""
        with self._shipping:
            self._ship()

    def _ship(self) -> None:
        while not self._left and (self._part is not None or (new := self._new())):
            if self._part is None:
                self._part = encode([change for change, _ in new]), new
            data, found = self._part
            self._put(f"{PARTS}{self._number + 1:08d}", data)
            self._part = None
            self._number += 1
            for change, one in found:
                if change.at is None and (old := self._held.get(change.file)) is not None:
                    old.stream.close()
                self._held[change.file] = one
                self._touched.add(change.file)
            self._lock.beat()

    def _put(self, part: str, data: bytes) -> None:
        try:
            self._store.write(part, data, new=True)
        except FileExistsError:  # ours, if an answer got lost and it was put again
            if self._store.read([part])[part] != data:
                raise RunError(
                    f"{self._store.address}: another process has gone on with it. Wait for it, then run again."
                ) from None

    def _new(self) -> list[tuple[Change, Stored]]:
        """What was written since the last part: of lines only whole ones. Scores are looked at before their answers."""
        found = []
        for file in self._files():
            try:
                stream: BinaryIO = (self._work / file).open("rb")
            except FileNotFoundError:  # renamed or removed just now
                continue
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
                found.append((Change(file, at, data), Stored(stream, (at or 0) + len(data), about.st_mtime_ns)))
        return found

    def _files(self) -> list[str]:
        names = [path.relative_to(self._work).as_posix() for path in self._work.rglob("*") if path.is_file()]
        wanted = [file for file in names if not (part := file.rpartition("/")[2]).startswith(".") and part != LOCK]
        return sorted(wanted, key=lambda file: (not file.endswith("scores.jsonl"), not file.endswith(".jsonl"), file))

    def make_whole(self) -> None:
        """Plain objects in the place of parts. Raises RunError where another process has taken the run over."""
        if not self._touched:
            return
        self._lock.check()
        there = [file for file in sorted(self._touched) if (self._work / file).is_file()]
        for file in there:
            self._store.upload(self._work / file, file)
        self._store.write(WHOLE, str(self._number).encode())
        gone = self._touched - set(there)
        self._store.remove([file for file in self._store.names() if file in gone or number_of(file) <= self._number])
