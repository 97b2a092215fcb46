"""A run out of a store into a folder: its plain objects, then what the parts add, in their order."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.errors import RunError
from harness.remote.lock import LOCK
from harness.remote.objects import ObjectStore
from harness.remote.parts import PARTS, WHOLE, Change, decode, inside, number_of, replay

BATCH = 64
"""Parts that are read at once."""
TRIES = 3


def fetch(store: ObjectStore, folder: Path, torn: bool = False) -> tuple[int, set[str]]:
    """Copies a run into an empty folder: the number of its last part, and the files that parts have changed.

    torn: a last part that is torn is removed in the store, too. A run that is made whole meanwhile is fetched again.
    Files two folders down are left: a folder with runs is none.
    """
    for attempt in range(TRIES):
        try:
            return _fetch_once(store, folder, torn)
        except FileNotFoundError:
            if attempt == TRIES - 1:
                raise RunError(f"{store.address}: changes as it is read. Try again when its run has ended.") from None
            shutil.rmtree(folder)
            folder.mkdir()
    raise AssertionError


def _fetch_once(store: ObjectStore, folder: Path, torn: bool) -> tuple[int, set[str]]:
    names = store.names()
    told = store.read([WHOLE])[WHOLE] if WHOLE in names else b"0"
    if not told.isdigit():
        raise RunError(f"{store.address}/{WHOLE}: holds no number. Restore it, or run into another --out.")
    whole = int(told)
    for file in names:
        if file != LOCK and file.count("/") <= 1 and not file.startswith((PARTS, ".")):
            store.download(file, inside(folder, file, store.address))
    numbers = sorted(number for file in names if whole < (number := number_of(file)) < math.inf)
    if numbers != list(range(whole + 1, whole + 1 + len(numbers))):
        raise RunError(f"{store.address}: one of its parts is missing. Restore it, or run into another --out.")
    last = whole
    changed: set[str] = set()

    def changes() -> Iterator[Change]:
        nonlocal last
        for start in range(0, len(numbers), BATCH):
            batch = [f"{PARTS}{number:08d}" for number in numbers[start : start + BATCH]]
            for file, data in store.read(batch).items():
                found = decode(data)
                if found is not None:
                    last += 1
                    changed.update(one.file for one in found)
                    yield from found
                elif last + 1 != numbers[-1]:
                    raise RunError(f"{store.address}/{file}: is damaged. Restore it, or run into another --out.")
                elif torn:
                    store.remove([file])

    replay(changes(), folder, store.address)
    return last, changed
