"""Values as they cross from the sandbox: typed JSON, decoded strictly, compared by exact type.

null, true, false, integers and strings are themselves; everything else is a pair [tag, payload]:
["float", hex text], ["bytes", hex text], ["list" | "tuple" | "set" | "frozenset", [item, ...]],
["dict", [[key, value], ...]], and ["opaque", type name] for what is none of these. child.py writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Opaque:
    """A result that is no plain value (a generator, a subclass of str, a cycle); it equals nothing we expect."""

    type_name: str


def decode(wire: Any) -> Any:
    """The value that `wire` (already parsed JSON) stands for. ValueError or TypeError where it stands for none."""
    if wire is None or type(wire) in (bool, int, str):
        return wire
    if type(wire) is not list:
        raise ValueError("not a typed value")
    tag, payload = wire
    if tag == "float":
        return float.fromhex(payload)
    if tag == "bytes":
        return bytes.fromhex(payload)
    if tag == "opaque":
        return Opaque(str(payload)[:80])
    if type(payload) is not list:
        raise ValueError("not a typed value")
    if tag == "dict":
        return {decode(key): decode(value) for key, value in payload}
    if tag in ("list", "tuple", "set", "frozenset"):
        kinds: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
        return kinds[tag](decode(item) for item in payload)
    raise ValueError("not a typed value")


def same(left: Any, right: Any) -> bool:
    """Equal in value and in type, all the way down: 1, 1.0 and True differ, so do [1] and (1,).

    >>> same([1, "a"], [1, "a"]), same([1], [True]), same((1,), [1])
    (True, False, False)
    """
    if type(left) is not type(right) or isinstance(left, Opaque):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return _typed(left) == _typed(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, set | frozenset):
        return _typed(left) == _typed(right)
    if isinstance(left, float):
        return bool(left.hex() == right.hex())
    return bool(left == right)


def _typed(items: Any) -> set[tuple[str, str]]:
    """Hashable items with their types spelled out, because {1} == {True}."""
    return {(type(item).__name__, repr(item)) for item in items}
