"""Lines of JSON files as a crash may leave them: the last one can be torn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from msgspec import ValidationError, convert
from msgspec.json import Decoder

from harness.errors import RunError

Made = TypeVar("Made")
_decode = json.JSONDecoder().decode
_VALUES = Decoder(dict[str, Any])
RESTORE = "The file was edited; restore it, or delete the run and run again."


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Parsed lines; a torn last line is dropped, a broken one elsewhere is a RunError."""
    return parsed(path, _VALUES)


def parsed(
    path: Path,
    decoder: Decoder[Made],
    mended: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    advice: str = RESTORE,
) -> Iterator[Made]:
    """`read_lines`, of one kind; a line that is of another kind is a RunError too, which ends with the advice.

    mended: makes of a line that is not as it should be one that is, where no harm is done.
    """
    if not path.is_file():
        return
    decode = decoder.decode
    with path.open("rb") as stream:
        for place, line in enumerate(stream, 1):
            if not line.endswith(b"\n"):
                return
            try:
                found = decode(line)
            except ValueError:
                try:
                    value = _decode(line.decode())  # takes NaN, an infinity, and half a surrogate pair as well
                except ValueError:
                    if not stream.read(1):
                        return
                    raise RunError(f"{path}:{place}: not JSON. {advice}") from None
                try:
                    found = convert(mended(value) if isinstance(value, dict) else value, decoder.type)
                except ValidationError as error:
                    raise RunError(f"{path}:{place}: {error}. {advice}") from None
            yield found


def cut_torn_line(path: Path) -> bool:
    """Cuts off what `read_lines` drops: a last line without its end, or one that is not JSON. False: nothing."""
    if not path.is_file():
        return False
    with path.open("rb+") as stream:
        data = stream.read()
        keep = data.rfind(b"\n") + 1
        last = data.rfind(b"\n", 0, max(0, keep - 1)) + 1
        if keep == len(data) and keep and not _is_json(data[last:keep]):
            keep = last
        if keep < len(data):
            stream.truncate(keep)
    return keep < len(data)


def _is_json(line: bytes) -> bool:
    try:
        _decode(line.decode())
    except ValueError:
        return False
    return True
