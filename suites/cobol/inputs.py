"""Inputs of a program, drawn from its PICTURE clauses: the values where translations go wrong, and ordinary ones.

A spec line describes the lines of one source; several lines of the same source follow each other:

    stdin[0-6,sort=0] | X(4) | 9(3)V99 @40,40.01 | S9(5)V99:lead | X(1)=A/B/C | N(8)

`[low-high]` is how many records there are (default 0-6), `sort=k` sorts them by field k, `unique=k` also drops repeats.
X(n) is text, `=A/B/C` the values it takes, `~` a blank one; 9(n)V9(m) digits with an implied point; S..:lead or :trail
a sign of its own; N(n) a number as people type it; `@` values that matter to a program, tried with their neighbours.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Case = dict[str, Any]
CASES = 14
CROWD, KINDS = 12, 6
WORDS: tuple[str, ...] = tuple(
    re.findall(
        r"\S+",
        "ANVIL BRASS CEDAR DELTA EMBER FLINT GROVE HAZEL INLET JASPER KELP LARCH MAPLE NORTH OTTER PEARL QUARTZ RIVER "
        "SLATE THORN UMBER VALE WILLOW YARROW ZINC oak Elm ash Birch x 42 7B A-1",
    )
)
TYPED = (
    "0",
    "1",
    "-1",
    "12.5",
    "-3.75",
    "  8",
    "1000",
    "0.005",
    "99999.99",
    "-0.01",
    "007",
    "",
    "-1000",
    "3.",
    ".5",
    "+4",
)


@dataclass(frozen=True)
class Field:
    """One field of a record. kind: "X", "9", "S" or "N"; sign: "lead" or "trail" of an S field."""

    kind: str
    size: int
    places: int = 0
    sign: str = ""
    choices: tuple[str, ...] = ()
    marks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Source:
    """The records of one source. sort: the field they are sorted by, or None. open: any number of records may come."""

    name: str
    low: int
    high: int
    fields: tuple[Field, ...]
    sort: int | None = None
    unique: bool = False
    open: bool = False


def field(text: str) -> Field:
    """A field from its text.

    >>> field("S9(3)V99:lead @1.5")
    Field(kind='S', size=5, places=2, sign='lead', choices=(), marks=(150,))
    """
    found = re.fullmatch(r"(X|S?9|N)\((\d+)\)(?:V(9+))?(?::(\w+))?(?:=(\S*))?(?:\s+@(\S+))?", text.strip())
    if not found:
        raise ValueError(f"not a field: {text!r}")
    kind, size, point, sign, choices, marks = found.groups()
    places = len(point or "")
    listed = tuple("" if choice == "~" else choice.replace("_", " ") for choice in (choices or "").split("/") if choice)
    if max(map(len, listed), default=0) > int(size) + places:
        raise ValueError(f"a choice is longer than its field: {text!r}")
    scaled = tuple(int(Decimal(mark) * 10**places) for mark in (marks or "").split(",") if mark)
    return Field("S" if kind == "S9" else kind, int(size) + places, places, sign or "", listed, scaled)


def source(line: str) -> Source:
    """A source from a line of the spec."""
    head, *fields = line.split("|")
    found = re.fullmatch(r"([\w.\-]+)(?:\[(\d+)(?:-(\d+))?(?:,(sort|unique)=(\d+))?\])?", head.strip())
    if not found:
        raise ValueError(f"not a source: {head!r}")
    name, low, high, how, key = found.groups()
    least = int(low or 0)
    most = int(high or low or 6)
    return Source(name, least, most, tuple(map(field, fields)), int(key) if key else None, how == "unique", low is None)


def edges(what: Field) -> list[str]:
    """The values of a field at which a translation may go wrong."""
    if what.choices:
        return [choice.ljust(what.size) for choice in what.choices]
    if what.kind == "N":
        typed = (*TYPED, *(sign + str(mark) for mark in what.marks for sign in ("", "-")))
        return [text.ljust(what.size)[: what.size] for text in typed]
    if what.kind == "X":
        return [text.ljust(what.size)[: what.size] for text in ("", "A", "Z" * what.size, "ab cd", " LEAD", "9")]
    most = 10**what.size - 1
    unit = 10**what.places
    numbers = [0, 1, 5, most, most - 1, unit, most // 2, 5 * unit // 10, 15, 125, unit + 5]
    numbers += [mark + step for mark in what.marks for step in (-1, 0, 1)]
    kept = [number for number in dict.fromkeys(numbers) if 0 <= number <= most]
    return [shown(what, number) for number in kept] + (
        [shown(what, -number) for number in kept if number] if what.kind == "S" else []
    )


def shown(what: Field, number: int) -> str:
    """A number as it stands in a record."""
    digits = f"{abs(number):0{what.size}d}"
    if what.kind != "S":
        return digits
    sign = "-" if number < 0 else "+"
    return sign + digits if what.sign == "lead" else digits + sign


def ordinary(what: Field, draw: random.Random) -> str:
    """Some value of a field; now and then an edge."""
    if what.choices or draw.random() < 0.15:
        return draw.choice(edges(what))
    if what.kind == "N":
        typed = str(Decimal(draw.randrange(-9999, 999999)).scaleb(-draw.randrange(4)))
        return typed.ljust(what.size)[: what.size]
    if what.kind == "X":
        return draw.choice(WORDS).ljust(what.size)[: what.size]
    if what.marks and draw.random() < 0.3:
        number = max(0, draw.choice(what.marks) + draw.choice((-1, 0, 1)))
    else:
        number = draw.randrange(int(10 ** draw.randrange(max(1, what.size - 2), what.size + 1)))
    number = min(number, 10**what.size - 1)
    return shown(what, -number if what.kind == "S" and draw.random() < 0.4 else number)


def record(where: Source, draw: random.Random, fixed: tuple[int, str] | None = None) -> list[str]:
    """The fields of one record; `fixed` sets one of them."""
    values = [ordinary(what, draw) for what in where.fields]
    if fixed:
        values[fixed[0]] = fixed[1]
    return values


def text(where: Source, records: Sequence[list[str]]) -> str:
    """The lines of a source. Blanks at the end of a line are not written, as editors do."""
    if where.sort is not None:
        key = where.sort
        records = sorted(records, key=lambda values: values[key])
        if where.unique:
            records = list({values[key]: values for values in records}.values())
    return "".join("".join(values).rstrip(" ") + "\n" for values in records)


def extreme(where: Source, number: str, draw: random.Random) -> list[str]:
    """A record whose numbers are all 0 ("0") or all as large as they can be ("9")."""
    values = record(where, draw)
    for index, what in enumerate(where.fields):
        if what.kind in "9S" and not what.choices:
            values[index] = shown(what, int(number * what.size))
    return values


def cases(spec: Sequence[str], seed: str, count: int = CASES, fuzz: bool = False) -> list[Case]:
    """`count` inputs ({"stdin": text, "files": {name: text}}), all different; with `fuzz` only ordinary records."""
    draw = random.Random(seed)
    sources = [source(line) for line in spec]
    queues = {}
    for index, where in enumerate(sources):
        tried = [(place, value) for place, what in enumerate(where.fields) for value in edges(what)]
        draw.shuffle(tried)
        queues[index] = tried
    found: list[Case] = []
    seen: set[str] = set()
    for turn in range(count * 4):
        if len(found) == count:
            break
        texts: dict[str, str] = {}
        for index, where in enumerate(sources):
            texts[where.name] = texts.get(where.name, "") + text(
                where, _records(where, turn, queues[index], draw, fuzz)
            )
        case = {"stdin": texts.pop("stdin", ""), "files": texts}
        key = repr(case)
        if key not in seen:
            seen.add(key)
            found.append(case)
    return found


def crowds(spec: Sequence[str], seed: str) -> list[Case]:
    """Inputs of many records: a dozen of a kind, which overflow small counters, and each kind with 0, 1 and the most.

    And inputs of a single record that holds a value that matters. Only of sources of which any number of records may
    come; the other sources of the program are ordinary.
    """
    draw = random.Random(seed)
    sources = [source(line) for line in spec]
    found = []
    for index, where in enumerate(sources):
        if where.open:
            found += [_beside(sources, index, records, draw) for records in _many(where, draw)]
    return found


NUMBERS = ("near", "near", "share", "share", "round", "small", "most", "same", "any", "any")
SIGNS = ("any", "any", "all", "last", "first", "largest", "none")
TEXTS = ("any", "any", "two", "one", "blank")


def wide(spec: Sequence[str], seed: str, count: int, limits: Sequence[Decimal] = ()) -> list[Case]:
    """`count` inputs, all different, in which the records of a source have something to do with each other.

    Numbers near each other or near one of `limits` (constants of the program), shares that add up to one exactly, ties,
    round, small and large ones; all negative, or only the first, the last or the largest; repeated keys, blanks in and
    around a text.
    """
    draw = random.Random(seed)
    sources = [source(line) for line in spec]
    found: dict[str, Case] = {}
    for _ in range(count * 3):
        if len(found) == count:
            break
        anchor = draw.choice(limits) if limits and draw.random() < 0.6 else _anchor(sources, draw)
        ways = (draw.choice(NUMBERS), draw.choice(SIGNS), draw.choice(TEXTS))
        texts: dict[str, str] = {}
        for where in sources:
            records = _related(where, anchor, ways, draw)
            texts[where.name] = texts.get(where.name, "") + text(where, records)
        case = {"stdin": texts.pop("stdin", ""), "files": texts}
        found.setdefault(repr(case), case)
    return list(found.values())


def _anchor(sources: Sequence[Source], draw: random.Random) -> Decimal:
    """A number of some field's size, or one that matters to it."""
    fields = [what for where in sources for what in where.fields if what.kind in "9S" and not what.choices]
    if not fields:
        return Decimal(draw.randrange(100))
    what = draw.choice(fields)
    number = draw.choice(what.marks) if what.marks and draw.random() < 0.4 else draw.randrange(10**what.size)
    return Decimal(number).scaleb(-what.places)


def _related(where: Source, anchor: Decimal, ways: tuple[str, str, str], draw: random.Random) -> list[list[str]]:
    most = CROWD if where.open and draw.random() < 0.1 else where.high
    size = draw.randint(where.low, draw.choice((most, min(most, max(where.low, 3)))))
    numbers, signs, texts = ways
    kept = [draw.choices(_texts(what, texts), k=2) for what in where.fields]
    scale = draw.choice((1, 5, 10, 50, 100))
    records = []
    for number in range(size):
        values = []
        for what, two in zip(where.fields, kept, strict=True):
            if what.kind == "X" or what.choices:
                pool = _texts(what, texts) if texts in ("any", "blank") else two[: 1 + (texts == "two")]
                values.append(draw.choice(pool))
                continue
            units = int(anchor.scaleb(what.places))
            amount = _amount(what, numbers, units, (number, size, scale), draw)
            values.append(_signed(what, amount, _negative(signs, number, size, draw), draw))
        records.append(values)
    if signs == "largest":
        records = _largest_negative(where, records)
    return records


def _texts(what: Field, way: str) -> list[str]:
    """What a text field may hold."""
    if what.choices or what.kind != "X":
        return edges(what)
    inside = ("", "A B", " LEAD", "a  b", "Zz") if way == "blank" else WORDS
    return [word.ljust(what.size)[: what.size] for word in inside]


def _amount(what: Field, way: str, units: int, place: tuple[int, int, int], draw: random.Random) -> int:
    """A number of a field, in its smallest units, without its sign. place: which record, of how many, and a scale."""
    number, size, scale = place
    most = 10**what.size - 1 if what.kind != "N" else 99999
    amounts = {
        "near": units + draw.choice((0, 0, 1, -1, draw.randint(-9, 9), int(units * draw.uniform(-0.06, 0.06)))),
        "share": units // size if number + 1 < size else units - (size - 1) * (units // size),
        "round": 10**what.places * scale * draw.randrange(12),
        "small": draw.randrange(20),
        "most": most - draw.choice((0, 1, draw.randrange(100), most // 2)),
        "same": units,
        "any": draw.randrange(10 ** draw.randint(1, len(str(most)))),
    }
    return min(abs(amounts[way]), most)


def _negative(way: str, number: int, size: int, draw: random.Random) -> bool:
    return {"all": True, "last": number == size - 1, "first": number == 0, "any": draw.random() < 0.4}.get(way, False)


def _signed(what: Field, amount: int, negative: bool, draw: random.Random) -> str:
    if what.kind != "N":
        return shown(what, -amount if negative and what.kind == "S" else amount)
    typed = ("-" if negative else "") + str(Decimal(amount).scaleb(-draw.choice((0, 0, 1, 2, 3))))
    return (typed if len(typed) <= what.size else "1").ljust(what.size)


def _largest_negative(where: Source, records: list[list[str]]) -> list[list[str]]:
    """The record with the largest number of its field has a minus sign there."""
    for place, what in enumerate(where.fields):
        if records and what.kind in "SN" and not what.choices:
            digits = [int("0" + re.sub(r"\D", "", values[place])) for values in records]
            values = records[digits.index(max(digits))]
            if what.kind == "S":
                values[place] = values[place].replace("+", "-")
            elif values[place][-1] == " ":
                values[place] = "-" + values[place][:-1]
    return records


def _many(where: Source, draw: random.Random) -> list[list[list[str]]]:
    kinds = [(place, value) for place, what in enumerate(where.fields) if what.choices for value in edges(what)]
    kinds = [kind for kind in dict.fromkeys(kinds) if kind[0] == kinds[0][0]][:KINDS]
    numbers = [place for place, what in enumerate(where.fields) if what.kind in "9S" and not what.choices]
    dozens = [[record(where, draw, kind) for _ in range(CROWD)] for kind in kinds or [None]]
    crossed = []
    for kind in kinds if numbers else ():
        for number in (0, 1, 10 ** where.fields[numbers[0]].size - 1):
            values = record(where, draw, kind)
            values[numbers[0]] = shown(where.fields[numbers[0]], number)
            crossed.append(values)
    marks = [(place, mark) for place, what in enumerate(where.fields) for mark in what.marks if what.kind in "9S"]
    numbers_shown = [(place, shown(where.fields[place], sign * mark)) for place, mark in marks for sign in (1, -1)]
    alone = [[record(where, draw, fixed)] for fixed in dict.fromkeys(numbers_shown)]
    return [*dozens, *([crossed] if crossed else []), *alone]


def _beside(sources: Sequence[Source], index: int, records: list[list[str]], draw: random.Random) -> Case:
    """An input in which one source has these records."""
    texts: dict[str, str] = {}
    for number, where in enumerate(sources):
        own = records if number == index else [record(where, draw) for _ in range(max(where.low, 1))]
        texts[where.name] = texts.get(where.name, "") + text(where, own)
    return {"stdin": texts.pop("stdin", ""), "files": texts}


def _records(
    where: Source, turn: int, queue: list[tuple[int, str]], draw: random.Random, fuzz: bool
) -> list[list[str]]:
    if turn == 0 and not fuzz:
        return [record(where, draw) for _ in range(where.low)]
    if turn in (1, 2) and not fuzz:
        number = "90"[turn - 1]
        return [extreme(where, number, draw) for _ in range(where.high if turn == 1 else max(1, where.low))]
    size = draw.randint(max(where.low, 1), where.high) if turn > 5 or fuzz else max(where.low, 1)
    if where.low == 0 and where.high > 0 and draw.random() < 0.05:
        size = 0
    return [record(where, draw, queue.pop() if queue and not fuzz else None) for _ in range(size)]
