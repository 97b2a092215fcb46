"""Checked access to YAML and JSON mappings: unknown keys and wrong types are one clear line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.errors import HarnessError, did_you_mean

_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}


class Fields:
    """A mapping read key by key; `where` starts every message and `error` is the class raised."""

    def __init__(self, value: Any, where: str, error: type[HarnessError]) -> None:
        self.where, self.error = where, error
        if not isinstance(value, Mapping):
            raise error(f"{where}: must be a mapping, not {describe(value)}.")
        self.value = value

    def only(self, known: Iterable[str]) -> None:
        """Every key must be one of `known`."""
        known = tuple(known)
        for key in self.value:
            if key not in known:
                raise self.error(f"{self.where}: unknown key '{key}'.{did_you_mean(str(key), known)}")

    def get(self, key: str, kind: type, default: Any = None) -> Any:
        """The value of `key`, or the default if it is absent or null. A whole number is accepted as a number."""
        value = self.value.get(key)
        if value is None:
            return default
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            hint = ""
            if kind in (int, float) and isinstance(value, str) and _number(value):
                hint = f" YAML reads {value!s} as text; write it as {float(value)!r}" if "e" in value.lower() else ""
                hint = f"{hint or ' Remove the quotes'}."
            raise self.error(f"{self.where}.{key}: must be {_NAMES[kind]}, not {describe(value)}.{hint}")
        return value

    def need(self, key: str, kind: type) -> Any:
        """Like `get`, but the key must be there."""
        if self.value.get(key) is None:
            raise self.error(f"{self.where}: '{key}' is missing. Add it.")
        return self.get(key, kind)

    def names(self, key: str) -> tuple[str, ...]:
        """A text or a list of texts, as a tuple."""
        value = self.value.get(key)
        if value is None:
            return ()
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise self.error(f"{self.where}.{key}: must be text or a list of texts, not {describe(value)}.")
        return tuple(items)


def in_range(fields: Fields, key: str, value: float, low: float, high: float) -> None:
    """Raises when low <= value <= high does not hold."""
    if not low <= value <= high:
        raise fields.error(f"{fields.where}.{key}: must be between {low:g} and {high:g}, not {value:g}.")


def check_name(name: Any, where: str, error: type[HarnessError]) -> None:
    """Raises for what cannot be the name of a file or of an option's value."""
    if not isinstance(name, str) or not name or any(bad in name for bad in "/\\:,\"'<> \t\n") or name.startswith("."):
        raise error(f"{where}: '{name}' is not a name. Use letters, digits, '-', '_', '+' or '.'; quote numbers.")


def describe(value: Any) -> str:
    """A value as a short phrase for an error message.

    >>> describe("yes")
    "text 'yes'"
    """
    if isinstance(value, str):
        return f"text '{value[:40]}'"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, Mapping):
        return "a mapping"
    return "nothing" if value is None else f"{value}"


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
