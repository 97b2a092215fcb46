"""Values as they cross from the sandbox: typed JSON, decoded strictly, compared by exact type.

null, true, false, integers and strings are themselves; everything else is a pair [tag, payload]:
["float", hex text], ["bytes", hex text], ["list" | "tuple" | "set" | "frozenset", [item, ...]],
["dict", [[key, value], ...]], and ["opaque", type name] for what is none of these. child.py writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MOST_EQUAL_HASHES = 100


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
        pairs = [(decode(key), decode(value)) for key, value in payload]
        _spread([key for key, _ in pairs])
        return dict(pairs)
    if tag in ("list", "tuple"):
        items = [decode(item) for item in payload]
        return items if tag == "list" else tuple(items)
    if tag in ("set", "frozenset"):
        members = [decode(item) for item in payload]
        _spread(members)
        return set(members) if tag == "set" else frozenset(members)
    raise ValueError("not a typed value")


def _spread(keys: list[Any]) -> None:
    """Raises ValueError where hashes were made to be equal: such keys would keep a table busy for minutes."""
    if len(keys) - len({hash(key) for key in keys}) > MOST_EQUAL_HASHES:
        raise ValueError("hashes made to be equal")


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
