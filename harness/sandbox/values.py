"""Values as they cross from the sandbox: typed JSON, decoded strictly, compared by exact type.

null, true, false, integers and strings are themselves; everything else is a pair [tag, payload]:
["float", hex text], ["bytes", hex text], ["int", hex text] where it is very long, ["dict", [[key, value], ...]],
["list" | "tuple" | "set" | "frozenset", [item, ...]], and ["opaque", type name] for what is none of these. zygote.py
writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MOST_EQUAL_HASHES, MOST_KEYS = 100, 100_000


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
    if tag == "int":
        if type(payload) is not str:
            raise ValueError("not a typed value")
        return int(payload, 16)
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
    if len(keys) > MOST_KEYS:
        raise ValueError("a table too large")
    if len(keys) - len({hash(key) for key in keys}) > MOST_EQUAL_HASHES:
        raise ValueError("hashes made to be equal")


def shown(value: Any) -> str:
    """repr(value), also where a number in it is too long for Python to print."""
    try:
        return repr(value)
    except ValueError:
        return f"a {type(value).__name__} with a number of more than 4300 digits"


def same(left: Any, right: Any) -> bool:
    """Equal in value and in type, all the way down: 1, 1.0 and True differ, so do [1] and (1,).

    >>> same([1, "a"], [1, "a"]), same([1], [True]), same((1,), [1])
    (True, False, False)
    """
    return bool(_form(left) == _form(right))


def _form(value: Any) -> Any:
    """A hashable stand-in that is equal exactly where type and value are, all the way down. Opaque equals nothing."""
    name = type(value).__name__
    if isinstance(value, list | tuple):
        return name, tuple(map(_form, value))
    if isinstance(value, set | frozenset):
        return name, frozenset(map(_form, value))
    if isinstance(value, dict):
        return name, frozenset((_form(key), _form(item)) for key, item in value.items())
    if isinstance(value, float):
        return name, value.hex()
    return (name, value) if not isinstance(value, Opaque) else object()
