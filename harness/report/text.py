"""Text for the page: what a model wrote made visible and bounded, and numbers said the same way everywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

PREVIEW = 10_000
"""Characters of one text that are shown at first, and that a cell of samples.csv holds."""

# Every code point of the Unicode categories Cc, Cf, Cs, Zl and Zp except tab and newline (a test compares the two),
# then the fillers and selectors of other categories that are drawn as nothing, and what is no character at all, two
# of which are illegal in XML.
_NO_CHARACTERS = "".join(f"{chr(plane | 0xFFFE)}{chr(plane | 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
_UNSEEN = re.compile(
    f"[{_NO_CHARACTERS}\ufdd0-\ufdef\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800"
    "\u3164\ufe00-\ufe0d\uffa0]|(?<=[\ufe00-\ufe0f])[\ufe0e\ufe0f]"
)
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0" + "".join(
    map(chr, range(0xFE00, 0xFE10))
)
"""Of these, the ones below U+10000 that Python takes for printable."""


_CONTROLS = (
    *("NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR", "SO", "SI"),
    *("DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US"),
)


def visible(text: str) -> str:
    """`text` with every invisible character drawn: control codes by name, the rest by number.

    Covers C0 and C1 controls, bidirectional overrides, zero-width characters and lone surrogates. Newlines and tabs
    stay. What is not covered: letters of one script that look like letters of another.

    >>> visible("a\\x1b[31m")
    'a⟨ESC⟩[31m'
    >>> visible("a\\u202eb")
    'a⟨U+202E⟩b'
    """

    if harmless(text):
        return text

    def mark(match: re.Match[str]) -> str:
        code = ord(match.group())
        return f"⟨{_CONTROLS[code]}⟩" if code < 0x20 else f"⟨U+{code:04X}⟩"

    return _UNSEEN.sub(mark, text.replace("\r\n", "\n"))


def harmless(text: str) -> bool:
    """Whether a quick look shows that nothing in `text` is invisible; False where only a slow one can tell.

    Of many texts it is quickest to look at all of them joined.
    """
    if not text.isprintable() and not (text := text.replace("\n", "").replace("\t", "")).isprintable():
        return False
    if text.isascii():
        return True
    beyond_16_bits = len(text.encode("utf-16-le")) > 2 * len(text)
    return not beyond_16_bits and not any(map(text.__contains__, _FILLERS))


def preview(text: str, limit: int = PREVIEW) -> str:
    """`text` made visible and cut to `limit` characters, with a note that says how many are left out."""
    if len(text) <= limit:
        return visible(text)
    return (
        visible(text[:limit]) + f"\n[… {len(text) - limit:,} more characters: see completions.jsonl in the run folder]"
    )


@lru_cache(maxsize=4096)
def one_line(text: str, limit: int = 200) -> str:
    """A short text for a table cell or a sentence: visible, without line breaks, cut with an ellipsis."""
    line = " ".join(visible(text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def prose(text: str) -> str:
    """A sentence for the page: minus signs as such, and no line break inside "95 %" or before an interval's sign.

    >>> prose("a loss of -4.1 points").replace(chr(160), "_")
    'a loss of −4.1_points'
    """
    line = one_line(text, 1_500)
    line = re.sub(r"(?<![\w.)])-(?=\d)", "−", line)
    return re.sub(r"(?<=\d) (?=%|points?\b)|(?<=%) (?=CI\b)", "\xa0", line)


def percent(value: float) -> str:
    """A score 0..1 as "73.8 %", with a space that does not break.

    >>> percent(0.738)
    '73.8\\xa0%'
    """
    return f"{100 * value:.1f}\xa0%"


def points(value: float) -> str:
    """A difference of scores, -1..1, in percentage points with its sign: "+6.2", "−4.1", "0.0".

    >>> points(-0.041)
    '−4.1'
    """
    rounded = round(100 * value, 1)
    if rounded == 0:
        return "0.0"
    return f"{'+' if rounded > 0 else '−'}{abs(rounded):.1f}"


def seconds(value: float) -> str:
    """A duration: three digits below a minute, then minutes, then hours.

    >>> seconds(0.0421), seconds(3.2), seconds(190), seconds(9000)
    ('0.042 s', '3.20 s', '3.2 min', '2.5 h')
    """
    if value >= 5400:
        return f"{value / 3600:.1f} h"
    if value >= 90:
        return f"{value / 60:.1f} min"
    return f"{value:.3f} s" if value < 1 else f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def count(value: float) -> str:
    """A count with thousands separated by commas; one decimal below ten if it is not whole.

    >>> count(12345), count(3.25)
    ('12,345', '3.2')
    """
    return f"{value:.1f}" if value < 10 and value != int(value) else f"{value:,.0f}"


def number(value: object) -> str:
    """Any value of a manifest as short text: lists joined by commas, floats without noise, None as a dash."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        if len(value) > 12:
            return f"{number(value[0])} … {number(value[-1])} ({len(value):,} values)"
        return ", ".join(number(item) for item in value)
    return one_line(str(value))


def markdown(text: str) -> str:
    """A short text for a Markdown table or sentence: no markup, no raw HTML, no mention of anybody, no link.

    Hosts make links of bare addresses, of @names and of #numbers (GitLab: %, & and ! too) after they have read the
    entities, and pictures of :names:; an empty comment keeps the two parts of them apart. Two dollars are mathematics.

    >>> markdown("a|b <i> @you")
    'a\\\\|b &lt;i&gt; &#64;<!-- -->you'
    """
    line = one_line(text, 1_500).replace("\xa0", " ").replace("&", "&amp;")
    line = re.sub(r"([\\`*_\[\]|~])", r"\\\1", line)
    line = line.replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(
        r"(@|#(?=\w)|!(?=\d)|%(?=[\w\"])|&amp;(?=\d)|:(?=(?:[a-z+-][\w+-]*|100|1234):)"
        r"|\\~|/(?=/)|\bwww(?=\.)|\bGH(?=-\d)|\bmailto(?=:))",
        r"\1<!-- -->",
        line,
        flags=re.I,
    )
    line = line.replace("@", "&#64;")
    return line.replace("$", "&#36;") if line.count("$") > 1 else line


def moment(value: object) -> str:
    """A date of a manifest to the minute, in UTC where it says its zone; as it stands where it is no date.

    >>> moment("2026-11-21T14:17:10+02:00"), moment("long ago"), moment(None)
    ('2026-11-21 12:17 UTC', 'long ago', '–')
    """
    said = str(value or "–")
    try:
        date = datetime.fromisoformat(said.replace("Z", "+00:00"))
    except ValueError:
        return one_line(said, 40)
    if "T" not in said:
        return said
    return f"{date.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if date.tzinfo else f"{date:%Y-%m-%d %H:%M}"


def how(arm: Mapping[str, Any]) -> str:
    """An arm's dials in words: "system prompt, 4 examples", "3 passages, adapter staff", "bare question".

    >>> how({"system": True, "shots": 4})
    'system prompt, 4 examples'
    """
    words = []
    if arm.get("system"):
        words.append("system prompt" + (f" “{one_line(arm['system'], 60)}”" if isinstance(arm["system"], str) else ""))
    if arm.get("shots"):
        words.append(f"{arm['shots']} example{'s' if arm['shots'] != 1 else ''}")
    if arm.get("retrieve") == "gold":
        words.append("gold passages (a ceiling)")
    elif arm.get("retrieve"):
        words.append(f"{arm['retrieve']} passage{'s' if arm['retrieve'] != 1 else ''}")
    if arm.get("constrain"):
        words.append("constrained output")
    if arm.get("adapter"):
        words.append(f"adapter {one_line(str(arm['adapter']), 40)}")
    return ", ".join(words) or "bare question"
