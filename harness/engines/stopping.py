"""When an answer ends: stop strings looked for in the tokens as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of an answer's tokens, without special tokens and with every space as the model wrote it."""
    return str(tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def cut(text: str, stops: Sequence[str]) -> str | None:
    """The text before the first stop string in it; None where there is none.

    >>> cut("one; two. three", [".", ";"])
    'one'
    """
    found = [place for place in (text.find(stop) for stop in stops if stop) if place >= 0]
    return text[: min(found)] if found else None


def tail_length(stops: Sequence[str]) -> int:
    """How many of the newest tokens can hold a stop string that has just been completed: a token is at least a byte."""
    return max((len(stop.encode()) for stop in stops), default=0) + 4
