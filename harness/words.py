"""How numbers are said, everywhere the same: percent, points, intervals, counts. No numbers are made here."""

from __future__ import annotations

from collections.abc import Sequence

from harness.data import Comparison, Interval


def percent(value: float, digits: int = 1) -> str:
    """A share as "78.5 %"."""
    return f"{_clean(100 * value, digits):.{digits}f} %"


def points(value: float, digits: int = 1) -> str:
    """A difference in percentage points with its sign, "+54.5"; never "-0.0"."""
    rounded = _clean(100 * value, digits)
    return f"{rounded:+.{digits}f}" if rounded else f"{rounded:.{digits}f}"


def size(value: float, digits: int = 1) -> str:
    """A share or a loss in points as a bare number, "12.0"."""
    return f"{_clean(100 * value, digits):.{digits}f}"


def plain_points(value: float, digits: int = 1) -> str:
    """A size in points without a sign, without a needless ".0": "5 points", "1 point", "2.5 points"."""
    text = f"{_clean(100 * value, digits):.{digits}f}".removesuffix(".0")
    return f"{text} point" if text == "1" else f"{text} points"


def interval(found: Interval) -> str:
    """An interval in points, "95 % CI +47.6 to +61.0"."""
    return f"{found.level:.0%}".replace("%", " %") + f" CI {points(found.low)} to {points(found.high)}"


def evidence(c: Comparison) -> str:
    """The whole evidence of a comparison: "+54.5 points (95 % CI +47.6 to +61.0, n=200 paired, 112 wins, 3 losses)"."""
    return (
        f"{points(c.difference)} points ({interval(c.interval)}, n={c.n} paired, "
        f"{count(c.wins, 'win')}, {count(c.losses, 'loss', 'losses')})"
    )


def count(n: int, one: str, many: str = "") -> str:
    """A count with its noun: "1 win", "2 wins", "1,200 samples"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def wait(months: float) -> str:
    """A length of time that starts as months: "less than a day", "9 days", "2.4 months"."""
    days = months * 365.25 / 12
    if days < 1:
        return "less than a day"
    return count(round(days), "day") if months < 1 else f"{months:.1f} months"


def listing(names: Sequence[str]) -> str:
    """Names as "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def p_value(p: float) -> str:
    """A p value as "p = 0.031" or "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def about(n: int) -> str:
    """A count to two digits, rounded up: 137 is "140"."""
    step: int = 10 ** max(0, len(str(n)) - 2)
    return f"{-(-n // step) * step:,}"


def as_sentence(text: str) -> str:
    """A clause with a capital and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _clean(value: float, digits: int) -> float:
    return round(value, digits) + 0.0
