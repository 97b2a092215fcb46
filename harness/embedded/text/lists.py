"""The word lists of lists.txt."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def _all() -> dict[str, tuple[str, ...]]:
    found: dict[str, str] = {}
    name = ""
    for line in Path(__file__).with_name("lists.txt").read_text("utf-8").splitlines():
        if line.startswith("  "):
            found[name] += f" {line.strip()}"
        elif not line.startswith("#"):
            name = line.removesuffix(":")
            found[name] = ""
    return {name: tuple(item.strip() for item in text.split(";")) for name, text in found.items()}


def items(name: str) -> list[str]:
    """A list by its name."""
    return list(_all()[name])


def pairs(name: str) -> list[tuple[str, str]]:
    """A list of "a = b" by its name."""
    return [(a, b) for a, b in (item.split(" = ") for item in _all()[name])]
