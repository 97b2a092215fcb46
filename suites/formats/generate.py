"""Writes test.jsonl, dev.jsonl, train.jsonl and shots.jsonl of this suite from json.yaml, xml.yaml and shell.yaml.

    python suites/formats/generate.py

The same seed gives the same bytes. A frame (one way to tell the facts) is used by one split only, names come from pools
that are cut into one part per split, and two in five test samples ask for schemas that no other split has.
"""

from __future__ import annotations

import calendar
import json
import random
import re
import shlex
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import yaml

HERE = Path(__file__).parent
SEED = 20267
NEAR = 13
SIZES = {
    "test": {"json": 120, "xml": 52, "shell": 76},
    "dev": {"json": 30, "xml": 12, "shell": 20},
    "train": {"json": 180, "xml": 72, "shell": 108},
    "shots": {"json": 4, "xml": 1, "shell": 3},
}
FRAMES = {"train": (0, 2), "dev": (2, 3), "shots": (2, 3), "test": (3, 5)}
SHOTS: tuple[str, ...] = (
    "meter_reading",
    "chmod_tree",
    "menu_card",
    "feature_flag",
    "tidelog",
    "lost_property",
    "tee_log",
)
SHOTS += ("parcel_return",)
PARTS = {"test": (0.0, 0.5), "train": (0.5, 0.84), "dev": (0.84, 0.95), "shots": (0.95, 1.0)}
POOLS: dict[str, Any] = yaml.safe_load((HERE / "pools.yaml").read_text("utf-8"))
PROGRAMS: dict[str, Any] = json.loads((HERE / "programs.json").read_text("utf-8"))
MONTHS = tuple(calendar.month_name)[1:]
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
CLOCK = "pattern", "^([01][0-9]|2[0-3]):[0-5][0-9]$"

Slot = tuple[Any, str]
Row = dict[str, Any]


class Teller:
    """Draws the facts of one split: every slot is a value and the phrase that tells it."""

    def __init__(self, split: str, rng: random.Random) -> None:
        self.split, self.rng = split, rng

    def pool(self, name: str) -> list[str]:
        """The part of a pool that belongs to this split."""
        found = POOLS[name]
        if isinstance(found, str):
            found = [one.strip() for one in found.split("|")] if "|" in found else found.split()
        low, high = PARTS[self.split]
        return list(found[int(low * len(found)) : max(int(high * len(found)), int(low * len(found)) + 1)])

    def slots(self, specs: dict[str, Any]) -> dict[str, Slot]:
        """All slots of a scenario, drawn in the order in which they are written."""
        env: dict[str, Slot] = {}
        for name, spec in specs.items():
            if isinstance(spec, dict):
                env[name] = self.listing(spec) if "list" in spec else self.perhaps(spec, env)
            elif "+" in name:
                left, right = name.split("+")
                value, phrase = self.pick(spec)
                env[left], env[right] = (value, str(value)), (phrase, phrase)
            else:
                env[name] = self.draw(spec, env)
                if spec == "person":
                    given, family = str(env[name][0]).split(" ", 1)
                    env[f"{name}.first"], env[f"{name}.last"] = (given, given), (family, family)
        return env

    def draw(self, spec: str, env: dict[str, Slot]) -> Slot:
        """One slot from its short description: a type with its range, or values to pick from."""
        kind, _, rest = spec.partition(" ")
        if "|" in spec or kind not in KINDS:
            return self.pick(spec)
        return KINDS[kind](self, rest, env)

    def pick(self, spec: str) -> Slot:
        """One of `a | b`, or of `value=phrase | value=phrase`; `parts a;b` is a list of texts."""
        parts = spec.startswith("parts ")
        options = [one.strip() for one in spec.removeprefix("parts ").split("|")]
        chosen = self.rng.choice(options)
        value, equals, phrase = re.sub(r"\\=", "\0", chosen).partition("=")
        value, phrase = value.replace("\0", "="), (phrase if equals else value).replace("\0", "=")
        if parts:
            return value.split(";"), "; ".join(value.split(";"))
        if equals and value in ("null", "omit"):
            return None, phrase
        return {"true": True, "false": False}.get(value, value) if equals else value, phrase

    def perhaps(self, spec: dict[str, Any], env: dict[str, Slot]) -> Slot:
        """A slot that may be absent (`maybe` is how often), told by the sentence `as` or `empty`."""
        kind, rest = next(iter(spec.items()))
        if self.rng.random() < spec.get("maybe", 0.0):
            return None, spec["empty"]
        value, phrase = KINDS[kind](self, str(rest), env)
        return value, spec.get("as", "{x}").replace("{x}", phrase)

    def listing(self, spec: dict[str, Any]) -> Slot:
        """A list of elements, told one after the other."""
        low, high = map(int, spec["list"].split("-"))
        inner = {key: value for key, value in spec.items() if key not in ("list", "as", "empty", "ordered")}
        wanted = self.rng.randint(low, high)
        found: list[dict[str, Slot]] = []
        while len(found) < wanted:
            one = self.slots(inner)
            keys = [key for key, value in inner.items() if isinstance(value, str) and value.count("|") + 1 >= high]
            names = [part for key in keys for part in key.split("+")[:1]]
            if any(one[name] == other[name] for other in found for name in names) or one in found:
                continue
            if "ordered" in spec:
                one[spec["ordered"]] = (len(found) + 1, "")
            found.append(one)
        if "ordered" in spec:
            times = sorted((one["s"] for one in found), key=lambda slot: slot[0])
            for one, time in zip(found, times, strict=True):
                one["s"] = time
        told = [fill(spec["as"], one) for one in found]
        separator = "; " if any("," in one or " and " in one for one in told) else ", "
        last = separator if separator == "; " else " and "
        phrase = separator.join(told[:-1]) + (last if len(told) > 1 else "") + told[-1] if told else spec["empty"]
        return found, phrase

    # --- kinds of slots ---

    def person(self, rest: str, env: dict[str, Slot]) -> Slot:
        name = f"{self.rng.choice(POOLS['first'].split())} {self.rng.choice(self.pool('last'))}"
        return name, name

    def email(self, rest: str, env: dict[str, Slot]) -> Slot:
        given, family = str(env[rest][0] or self.person("", env)[0]).lower().split(" ", 1)
        clean = family.replace("'", "").replace("ö", "oe").replace("ü", "ue")
        name = self.rng.choice((f"{given}.{clean}", f"{given[0]}.{clean}", f"{clean}+{given}"))
        mail = f"{name}@{self.rng.choice(('post', 'mail', 'tide', 'office'))}.example"
        return mail, mail

    def from_pool(self, rest: str, env: dict[str, Slot], *, name: str) -> Slot:
        value = self.rng.choice(self.pool(name))
        return value, value

    def file(self, rest: str, env: dict[str, Slot]) -> Slot:
        name = f"{self.rng.choice(self.pool('stems'))}.{rest}"
        return name, name

    def code(self, rest: str, env: dict[str, Slot]) -> Slot:
        def one(match: re.Match[str]) -> str:
            pattern = match.group()
            if pattern.startswith("["):
                return self.rng.choice([chr(n) for n in range(ord(pattern[1]), ord(pattern[3]) + 1)])
            letters = {"?": "ABCDEFGHJKLMNPRSTUVWXYZ", "@": "abcdefhkmnpqrstuvwxyz", "#": "0123456789"}[pattern]
            return self.rng.choice(letters)

        text = re.sub(r"\[.-.\]|[?@#]", one, rest)
        return text, text

    def phone(self, rest: str, env: dict[str, Slot]) -> Slot:
        digits = "".join(self.rng.choice("23456789") for _ in range(7))
        return digits, self.rng.choice(
            (digits, f"{digits[:3]} {digits[3:]}", f"{digits[:3]}-{digits[3:5]}-{digits[5:]}")
        )

    def whole(self, rest: str, env: dict[str, Slot]) -> Slot:
        low, high = map(int, rest.split())
        value = self.rng.randint(low, high)
        return value, str(value)

    def money(self, rest: str, env: dict[str, Slot]) -> Slot:
        low, high = map(int, rest.split())
        cents = (
            self.rng.randint(low * 20, high * 20) * 5 if self.rng.random() < 0.7 else self.rng.randint(low, high) * 100
        )
        told = f"{cents / 100:,.2f}" if self.rng.random() < 0.5 else f"{cents / 100:.2f}"
        return (cents // 100 if cents % 100 == 0 else cents / 100), told

    def dec(self, rest: str, env: dict[str, Slot]) -> Slot:
        low, high = map(int, rest.split())
        tenths = self.rng.randint(low * 10, high * 10)
        return (tenths // 10 if tenths % 10 == 0 else tenths / 10), f"{tenths / 10:.1f}"

    def signed(self, rest: str, env: dict[str, Slot]) -> Slot:
        hundredths = self.rng.choice((-1, 1)) * self.rng.randint(1, 299)
        told = f"{'minus' if hundredths < 0 else 'plus'} {abs(hundredths) / 100:.2f}"
        return (hundredths // 100 if hundredths % 100 == 0 else hundredths / 100), told

    def coord(self, rest: str, env: dict[str, Slot]) -> Slot:
        low, high = map(int, rest.split())
        value = self.rng.randint(low * 10000, high * 10000 - 1) / 10000
        return value, f"{value:.4f}"

    def percent(self, rest: str, env: dict[str, Slot]) -> Slot:
        return self.rng.choice(
            ((0.25, "a quarter"), (0.5, "half"), (0.1, "10 percent"), (0.05, "5 %"), (1, "100 %"), (0, "0 percent"))
        )

    def version(self, rest: str, env: dict[str, Slot]) -> Slot:
        text = f"{self.rng.randint(0, 9)}.{self.rng.randint(0, 24)}.{self.rng.randint(0, 15)}"
        return text, text

    def seconds(self, rest: str, env: dict[str, Slot]) -> Slot:
        told = ((30, "half a minute"), (45, "45 seconds"), (60, "one minute"), (90, "90 seconds"), (120, "two minutes"))
        return self.rng.choice((*told, (300, "five minutes"), (600, "ten minutes"), (900, "a quarter of an hour")))

    def minutes(self, rest: str, env: dict[str, Slot]) -> Slot:
        low, high = map(int, rest.split())
        value = 5 * self.rng.randint(low // 5, high // 5)
        hours, left = divmod(value, 60)
        told = f"{hours} hour{'s' if hours > 1 else ''}" + (f" {left} minutes" if left else "")
        told = {30: "half an hour", 90: "an hour and a half", 45: "three quarters of an hour"}.get(value, told)
        return value, self.rng.choice((f"{value} minutes", told)) if hours or value in (30, 45) else f"{value} minutes"

    def grams(self, rest: str, env: dict[str, Slot]) -> Slot:
        low, high = map(int, rest.split())
        value = 10 * self.rng.randint(low // 10, high // 10)
        kilos = f"{value / 1000:.2f}".rstrip("0").rstrip(".")
        return value, f"{kilos} kg" if value >= 1000 and self.rng.random() < 0.7 else f"{value} g"

    def cm(self, rest: str, env: dict[str, Slot]) -> Slot:
        low, high = map(int, rest.split())
        value = self.rng.randint(low, high)
        return value * 10, self.rng.choice((f"{value} cm", f"{value} centimetres", f"{value * 10} mm"))

    def metres(self, rest: str, env: dict[str, Slot]) -> Slot:
        low, high = map(int, rest.split())
        tenths = self.rng.randint(low * 10, high * 10)
        return tenths * 10, f"{tenths / 10:.1f} m"

    def km(self, rest: str, env: dict[str, Slot]) -> Slot:
        low, high = map(int, rest.split())
        halves = self.rng.randint(low * 2, high * 2)
        return halves * 500, f"{halves / 2:g} km"

    def day(self, rest: str, env: dict[str, Slot]) -> Slot:
        return self.told_date(date(2025, 1, 1) + timedelta(days=self.rng.randrange(900)))

    def told_date(self, day: date) -> Slot:
        month = MONTHS[day.month - 1]
        forms = [f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}", f"{day.day} {month[:3]} {day.year}"]
        forms += [
            f"{day:%A} {day.day} {month} {day.year}",
            day.isoformat(),
            f"the {ordinal(day.day)} of {month} {day.year}",
        ]
        return day.isoformat(), self.rng.choice(forms)

    def later(self, rest: str, env: dict[str, Slot]) -> Slot:
        name, low, high = rest.split()
        add, start = self.rng.randint(int(low), int(high)), env[name][0]
        if isinstance(start, int):
            return start + add, str(start + add)
        return self.told_date(date.fromisoformat(str(start)) + timedelta(days=add))

    def time(self, rest: str, env: dict[str, Slot]) -> Slot:
        low, high = map(int, rest.split())
        hour, minute = self.rng.randint(low, high), self.rng.choice((0, 0, 5, 10, 15, 20, 30, 30, 40, 45, 50))
        part = "in the morning" if hour < 12 else "in the afternoon" if hour < 18 else "in the evening"
        small = (hour - 1) % 12 + 1
        forms = [f"{hour:02}:{minute:02}", f"{small}:{minute:02} {'am' if hour < 12 else 'pm'}"]
        words = {
            0: f"{NUMBERS[small]} o'clock",
            15: f"a quarter past {NUMBERS[small]}",
            30: f"half past {NUMBERS[small]}",
        }
        words[45] = f"a quarter to {NUMBERS[small % 12 + 1]}"
        if minute in words and hour not in (11, 12, 17):
            forms.append(f"{words[minute]} {part}")
        return f"{hour:02}:{minute:02}", self.rng.choice(forms)

    def stamp(self, rest: str, env: dict[str, Slot]) -> Slot:
        day, told = self.day("", env)
        clock = f"{self.rng.randint(0, 23):02}:{self.rng.randint(0, 59):02}:{self.rng.randint(0, 59):02}"
        return f"{day}T{clock}Z", f"{clock} on {told}"

    def same(self, rest: str, env: dict[str, Slot]) -> Slot:
        return env[rest][0] is not None, ""


def _pooled(name: str) -> Callable[[Teller, str, dict[str, Slot]], Slot]:
    return lambda teller, rest, env: teller.from_pool(rest, env, name=name)


_OWN = "person email file code phone money dec signed coord percent version seconds minutes grams cm metres km later"
KINDS: dict[str, Callable[[Teller, str, dict[str, Slot]], Slot]] = {
    **{name: getattr(Teller, name) for name in (*_OWN.split(), "time", "stamp", "same")},
    "int": Teller.whole,
    "date": Teller.day,
    **{kind: _pooled(f"{kind}s") for kind in ("town", "firm", "text", "dir", "rdir", "host", "url")},
}


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th ..."""
    return f"{n}{'th' if 10 <= n % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def fill(frame: str, env: dict[str, Slot]) -> str:
    """A frame with its slots told: {slot}, or {slot|word} (small numbers), {slot|cap}, {slot|sep} (thousands)."""

    def told(match: re.Match[str]) -> str:
        name, _, how = match.group(1).partition("|")
        value, phrase = env[name]
        if how in ("word", "cap") and isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 12:
            phrase = NUMBERS[value]
        if how == "sep":
            phrase = f"{value:,}"
        return phrase[:1].upper() + phrase[1:] if how == "cap" else phrase

    text = re.sub(r"\{([\w.]+(?:\|\w+)?)\}", told, frame)
    return re.sub(r" {2,}", " ", text).strip()


# --- fields: one description makes the schema and the answer ---------------------------------------------------------


def parse_field(text: str) -> tuple[str, str, str, bool]:
    """(type, description, slot, nullable) of "null integer 1..9 -- grams = w"."""
    head, _, slot = text.rpartition(" = ")
    kind, _, description = head.partition(" -- ")
    return kind.removeprefix("null ").strip(), description, slot.strip(), kind.startswith("null ")


def bounds(kind: str) -> tuple[str | None, str | None]:
    """The lower and upper bound in "integer 1..9"."""
    found = re.search(r" (-?[\d.]+?)?\.\.(-?[\d.]+)?$", kind)
    return (found.group(1), found.group(2)) if found else (None, None)


def simple_schema(kind: str, description: str, nullable: bool) -> Row:
    base = kind.split(" ")[0]
    form: Row = {"type": base}
    if kind.startswith("/"):
        form = {"type": "string", "pattern": kind.strip("/")}
    elif base == "enum":
        form = {"enum": kind.split(" ", 1)[1].split("|")}
    elif base in ("date", "email"):
        form = {"type": "string", "format": base}
    elif base == "time":
        form = {"type": "string", CLOCK[0]: CLOCK[1]}
    low, high = bounds(kind)
    if low:
        form["minimum"] = int(low)
    if high:
        form["maximum"] = int(high)
    if nullable:
        form["type"] = [form["type"], "null"]
    if description:
        form["description"] = description
    return form


def plain(key: str) -> str:
    return key.rstrip("?*^")


def json_schema(fields: Row, specs: Row) -> Row:
    """The JSON Schema of a mapping of fields."""
    properties = {}
    for key, field in fields.items():
        if isinstance(field, dict):
            source = str(field.get("of", ""))
            form = json_schema({k: v for k, v in field.items() if k != "of"}, specs.get(source, specs))
        else:
            kind, description, source, nullable = parse_field(field)
            form = simple_schema(kind, description, nullable)
        if key.endswith(("*", "^")):
            form = {"type": "array", "items": form}
            low = str(specs[source]["list"]).split("-")[0] if isinstance(specs.get(source), dict) else "1"
            if low != "0":
                form["minItems"] = int(low)
            if key.endswith("^"):
                form["uniqueItems"] = True
            if "description" in form["items"]:
                form["description"] = form["items"].pop("description")
        properties[plain(key)] = form
    required = [plain(key) for key in fields if not key.endswith("?")]
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def cast(kind: str, value: Any) -> Any:
    base = kind.split(" ")[0]
    if isinstance(value, str) and base == "integer":
        return int(value)
    if isinstance(value, str) and base == "number":
        return float(value) if "." in value else int(value)
    return value


def scalars(slot: Any) -> list[Any]:
    """The values of a list slot whose elements have one part each."""
    return [next(iter(one.values()))[0] if isinstance(one, dict) else one for one in slot]


def answer(fields: Row, env: dict[str, Slot]) -> Row:
    """The right values for a mapping of fields; optional ones are left out where the facts have none."""
    found: Row = {}
    for key, field in fields.items():
        value: Any
        if isinstance(field, dict) and "of" in field:
            inner = {k: v for k, v in field.items() if k != "of"}
            value = [answer(inner, {**env, **one}) for one in env[field["of"]][0]]
        elif isinstance(field, dict):
            value = answer(field, env)
            if key.endswith("?") and all(one is None for one in value.values()):
                continue
        else:
            kind, _, slot, _ = parse_field(field)
            value = env[slot][0]
            value = [cast(kind, one) for one in scalars(value)] if key[-1] in "*^" else cast(kind, value)
            if value is None and key.endswith("?"):
                continue
        found[plain(key)] = value
    return found


# --- XML -------------------------------------------------------------------------------------------------------------

XS_TYPES = {"string": "string", "integer": "integer", "number": "decimal", "boolean": "boolean", "date": "date"}


def xs_simple(kind: str) -> tuple[str, str]:
    """(built-in type, inline restriction or "") of a field type."""
    base = kind.split(" ")[0]
    facets = ""
    if kind.startswith("/"):
        facets = f"<xs:pattern value={quoteattr(kind.strip('/').strip('^$'))}/>"
    elif base == "time":
        facets = '<xs:pattern value="([01][0-9]|2[0-3]):[0-5][0-9]"/>'
    elif base == "enum":
        facets = "".join(f"<xs:enumeration value={quoteattr(v)}/>" for v in kind.split(" ", 1)[1].split("|"))
    low, high = bounds(kind)
    facets += f'<xs:minInclusive value="{low}"/>' if low else ""
    facets += f'<xs:maxInclusive value="{high}"/>' if high else ""
    name = f"xs:{XS_TYPES.get(base, 'string')}"
    return (
        name,
        f'<xs:simpleType><xs:restriction base="{name}">{facets}</xs:restriction></xs:simpleType>' if facets else "",
    )


def xs_node(tag: str, name: str, kind: str, extra: str) -> str:
    base, inline = xs_simple(kind)
    if inline:
        return f'<xs:{tag} name="{name}"{extra}>{inline}</xs:{tag}>'
    return f'<xs:{tag} name="{name}" type="{base}"{extra}/>'


def xs_complex(fields: Row, specs: Row, depth: int) -> str:
    pad = "\n" + " " * depth
    attributes = "".join(
        pad
        + xs_node("attribute", plain(key)[1:], parse_field(field)[0], "" if key.endswith("?") else ' use="required"')
        for key, field in fields.items()
        if key.startswith("@")
    )
    if "#" in fields:
        base, _ = xs_simple(parse_field(fields["#"])[0])
        inner = f'<xs:simpleContent><xs:extension base="{base}">{attributes}</xs:extension></xs:simpleContent>'
        return f"<xs:complexType>{inner}</xs:complexType>"
    elements = "".join(
        pad + xs_element(key, field, specs, depth + 1)
        for key, field in fields.items()
        if not key.startswith("@") and key != "of"
    )
    sequence = f"<xs:sequence>{elements}</xs:sequence>" if elements else ""
    return f"<xs:complexType>{sequence}{attributes}</xs:complexType>"


def times(key: str, field: Any, specs: Row) -> tuple[int, bool]:
    """(least number, may repeat) of an element."""
    if key.endswith("?"):
        return 0, False
    if not key.endswith(("*", "^")):
        return 1, False
    source = field["of"] if isinstance(field, dict) else parse_field(field)[2]
    return min(1, int(str(specs[source]["list"]).split("-")[0])), True


def xs_element(key: str, field: Any, specs: Row, depth: int) -> str:
    least, many = times(key, field, specs)
    extra = (' minOccurs="0"' if least == 0 else "") + (' maxOccurs="unbounded"' if many else "")
    if isinstance(field, dict):
        return f'<xs:element name="{plain(key)}"{extra}>{xs_complex(field, specs, depth)}</xs:element>'
    kind, _, _, nullable = parse_field(field)
    return xs_node("element", plain(key), kind, extra + (' nillable="true"' if nullable else ""))


def xsd(task: Row) -> str:
    """The XML Schema of a scenario."""
    space = f' targetNamespace="{task["ns"]}" elementFormDefault="qualified"' if "ns" in task else ""
    body = xs_complex(task["fields"], task["slots"], 1)
    return (
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"{space}>\n<xs:element name="{task["root"]}">'
        f"{body}</xs:element>\n</xs:schema>"
    )


def in_words(kind: str) -> str:
    base = kind.split(" ")[0]
    if kind.startswith("/"):
        return f"pattern {kind.strip('/')}"
    if base == "enum":
        return "one of " + ", ".join(kind.split(" ", 1)[1].split("|"))
    words = {"integer": "whole number", "number": "decimal number", "boolean": "true or false", "string": "text"}
    return words.get(base, base)


def outline(name: str, fields: Row, specs: Row, depth: int = 0, count: str = "") -> list[str]:
    """The structure in words: a line per element, indented, with its attributes."""
    attributes = [f"@{plain(k)[1:]} ({in_words(parse_field(f)[0])})" for k, f in fields.items() if k.startswith("@")]
    text = [in_words(parse_field(fields["#"])[0])] if "#" in fields else []
    lines = [f"{'  ' * depth}{name}{count}" + (": " if text or attributes else "") + ", ".join(text + attributes)]
    for key, field in fields.items():
        if key[0] in "@#" or key == "of":
            continue
        least, many = times(key, field, specs)
        number = {(0, False): " (optional)", (0, True): " (none or more)", (1, True): " (one or more)"}.get(
            (least, many), ""
        )
        if isinstance(field, dict):
            lines += outline(plain(key), field, specs, depth + 1, number)
        else:
            lines.append(f"{'  ' * (depth + 1)}{plain(key)}{number}: {in_words(parse_field(field)[0])}")
    return lines


def as_text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def xml_lines(name: str, value: Any, indent: str = "", space: str = "") -> list[str]:
    """An element as indented lines; the answer of `answer` has "@x" for attributes and "#" for text."""
    if value is None:
        return [f'{indent}<{name} xsi:nil="true"/>']
    if not isinstance(value, dict):
        return [f"{indent}<{name}>{escape(as_text(value))}</{name}>"]
    head = name + space + "".join(f" {k[1:]}={quoteattr(as_text(v))}" for k, v in value.items() if k[0] == "@")
    if "#" in value:
        return [f"{indent}<{head}>{escape(as_text(value['#']))}</{name}>"]
    inner: list[str] = []
    for key, one in value.items():
        if key[0] != "@":
            for element in one if isinstance(one, list) else [one]:
                inner += xml_lines(key, element, indent + "  ")
    return [f"{indent}<{head}>", *inner, f"{indent}</{name}>"] if inner else [f"{indent}<{head}/>"]


# --- samples ---------------------------------------------------------------------------------------------------------


def shell_words(template: str, env: dict[str, Slot]) -> str:
    """A command with its slots quoted; {x|--name} is a flag if x is true, an option with its value unless x is null."""

    def word(match: re.Match[str]) -> str:
        name, _, option = match.group(1).partition("|")
        value = env[name][0]
        if option:
            return "" if value in (None, False) else option if value is True else f"{option} {shlex.quote(str(value))}"
        value = shown(value)
        inside = template[: match.start()].count("'") % 2
        return str(value) if inside else shlex.quote(str(value))

    return re.sub(r" {2,}", " ", re.sub(r"\{([\w.]+(?:\|-[\w-]+)?)\}", word, template)).strip()


def shown(value: Any) -> str:
    """A value as a command line has it: amounts with two decimals."""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def make_json(task: Row, text: str, env: dict[str, Slot], lead: str) -> Row:
    schema = json.dumps(json_schema(task["fields"], task["slots"]), ensure_ascii=False)
    target = json.dumps(answer(task["fields"], env), ensure_ascii=False)
    return row(f"{lead}\n\n{text}\n\nSchema: {schema}\n\n{POOLS['rules']['json']}", target, schema=schema)


def make_xml(task: Row, text: str, env: dict[str, Slot], lead: str) -> Row:
    schema = xsd(task)
    shown = f"XML Schema:\n{schema}"
    if task["show"] == "outline":
        shown = "Elements, with their @attributes:\n" + "\n".join(outline(task["root"], task["fields"], task["slots"]))
    value = answer(task["fields"], env)
    space = f' xmlns="{task["ns"]}"' if "ns" in task else ""
    target = "\n".join(xml_lines(task["root"], value, "", space))
    if "xsi:nil" in target:
        declared = f'{task["root"]}{space} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        target = target.replace(f"<{task['root']}{space}", f"<{declared}", 1)
    return row(f"{lead}\n\n{text}\n\n{shown}\n\n{POOLS['rules']['xml']}", target, schema=schema)


def make_shell(task: Row, text: str, env: dict[str, Slot], lead: str) -> Row:
    programs = [name.strip() for name in task["use"].split(",")]
    usage = "".join(f"\nUsage: {PROGRAMS[name]['usage']}" for name in programs if "usage" in PROGRAMS[name])
    same = {f"{env[name][0]}/": str(env[name][0]) for name in task.get("dirs", ())}
    same |= task.get("same", {})
    for value, phrase in env.values():
        if re.fullmatch(r"[\d,]+\.\d\d", phrase):
            spellings = (f"{value:g}", f"{value:.1f}", f"{value:.2f}")
            same |= {one: shown(value) for one in spellings if one != shown(value) and float(one) == value}
    return row(
        f"{lead}\n\n{text}\n\nUse only: {', '.join(programs)}.{usage}\n\n{POOLS['rules']['shell']}",
        shell_words(task["gold"], env),
        programs=programs,
        accept=[shell_words(one, env) for one in task.get("accept", ())],
        same=same,
        free=task.get("free", {}),
    )


MAKERS = {"json": make_json, "xml": make_xml, "shell": make_shell}


def row(text: str, target: str, **metadata: Any) -> Row:
    return {"input": text, "target": target, "metadata": metadata}


def grams(text: str) -> set[str]:
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[i : i + NEAR]) for i in range(max(1, len(words) - NEAR + 1))}


def frames(tasks: list[Row], split: str) -> Iterator[tuple[Row, str]]:
    """The (scenario, frame) pairs of a split."""
    for task in tasks:
        lines = task["frames"].strip().split("\n")
        if task.get("held"):
            if split == "test":
                yield from ((task, line) for line in lines)
            continue
        if (split == "shots" and task["name"] not in SHOTS) or (split == "dev" and task["name"] in SHOTS):
            continue
        low, high = FRAMES[split]
        yield from ((task, line) for line in lines[low:high])


def draw(kind: str, split: str, pairs: list[tuple[Row, str]], size: int, seen: set[str]) -> list[Row]:
    """Samples of one kind for one split: every frame in turn, with new facts each time."""
    rng = random.Random(f"{SEED} {kind} {split}")
    if split != "shots":
        rng.shuffle(pairs)
    found: list[Row] = []
    mine: set[str] = set()
    turn = 0
    while len(found) < size:
        task, frame = pairs[turn % len(pairs)]
        turn += 1
        if turn > 40 * size:
            raise SystemExit(f"formats: not enough different {kind} samples for {split}")
        env = Teller(split, rng).slots(task["slots"])
        if kind == "shell" and repeats(env):
            continue
        text = fill(frame, env)
        runs = grams(text)
        if runs & seen or text in mine:
            continue
        mine |= {*runs, text}
        made = MAKERS[kind](task, text, env, rng.choice(POOLS["leads"][kind]))
        schema = "held out" if task.get("held") else "seen"
        made["metadata"] = {"kind": kind, "task": task["name"], "wording": schema, "question": text, **made["metadata"]}
        found.append(made)
    seen |= mine
    return found


def repeats(env: dict[str, Slot]) -> bool:
    """Whether two slots hold the same text: source and target of a copy must differ."""
    texts = [value for value, _ in env.values() if isinstance(value, str)]
    return len(set(texts)) < len(texts)


def build() -> dict[str, list[Row]]:
    """Every split, in the order it is written."""
    tasks = {kind: yaml.safe_load((HERE / f"{kind}.yaml").read_text("utf-8")) for kind in MAKERS}
    splits: dict[str, list[Row]] = {}
    seen: set[str] = set()
    for split, sizes in SIZES.items():
        drawn = {kind: draw(kind, split, list(frames(tasks[kind], split)), size, seen) for kind, size in sizes.items()}
        rows = [one for kind in drawn for one in drawn[kind]]
        if split == "shots":
            rows.sort(key=lambda one: SHOTS.index(one["metadata"]["task"]))
        else:
            random.Random(f"{SEED} {split}").shuffle(rows)
        splits[split] = [{"id": f"formats-{split}-{i:04d}", **one} for i, one in enumerate(rows, 1)]
    return splits


def write(folder: Path) -> None:
    """Writes the split files of the suite into a folder."""
    for split, rows in build().items():
        lines = (json.dumps(one, ensure_ascii=False) for one in rows)
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    write(HERE)
