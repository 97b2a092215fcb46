"""Parts: what was written since the last one, as bytes of an object, and back into the files of a folder."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import RunError

PART = 16 << 20
"""Bytes of a file in one part, at most: beyond 100 MB s3fs writes in pieces."""
FORMAT = 1
PARTS = "parts/"
WHOLE = PARTS + "whole"
"""Holds the number of the last part that the plain objects contain."""


@dataclass(frozen=True)
class Change:
    """Bytes of one file, from `at` on, or all of it where `at` is None."""

    file: str
    at: int | None
    data: bytes


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
        path = inside(folder, one.file, address)
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


def inside(folder: Path, file: str, address: str) -> Path:
    path = folder / file
    if not file or ".." in path.parts or not path.is_relative_to(folder):
        raise RunError(f"{address}: holds an object named '{file}', which no run folder does.")
    return path


def number_of(file: str) -> float:
    """Of a part; infinite for any other object.

    >>> [number_of(file) for file in ("parts/00000012", "parts/whole", "run.json")]
    [12, inf, inf]
    """
    number = file.removeprefix(PARTS)
    return int(number) if file.startswith(PARTS) and number.isdecimal() else math.inf
