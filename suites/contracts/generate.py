"""Writes the corpus and the splits of this suite from clauses-*.txt and names.txt.

    python suites/contracts/generate.py

clauses-*.txt hold 12 clauses for each kind of contract ("== role of the corpus | names of the kind | role A | role B"):

    # heading
    the clause; {A}, {A's} a party, {m1:100-400/25} money, {c1:2,3 %}, {p1:2,3 weeks}, {n1:2,3 times}, {d1:2026-2027}
    ? what people call it, three ways            [this|or that] is drawn by seed
    = gold TERMS; A and B become the roles; *a telling phrase|a synonym* is what an answer must hold
      what is not marked need not be said, and a part without a mark need not stand
    ~ another right wording of it                % another right reading, with its own telling phrases
    + parts that TERMS may hold besides
    $ MONEY | another right reading              @ DATES              ! NOTICE | none: it may stand in TERMS instead

Of the 12 clauses five make the test contracts, two the dev contracts, five the train contracts, drawn by seed. So no
clause, party, number or question is shared between splits. The same seed gives the same bytes.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SEED = 20265
SPLITS = {"test": 5, "dev": 2, "train": 5}
CONTRACTS = {"test": 3, "dev": 2, "train": 5}
MARKS = {
    "?": "ask",
    "=": "terms",
    "~": "also",
    "%": "other",
    "+": "optional",
    "$": "money",
    "@": "dates",
    "!": "notice",
}
PAYING = [
    "pay",
    "owe",
    "bear",
    "compensate",
    "credit",
    "refund",
    "return",
    "lose",
    "forgo",
    "lodge",
    "leave",
    "deposit",
]
TELLING = ["give", "tell", "announce", "notify", "inform", "write", "send", "notice", "letter", "report", "warn"]
NONE = "none stated"
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["_", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SIGNS = {"EUR": "€", "GBP": "£", "USD": "$", "CHF": "CHF "}
UNITS = {"EUR": "euros", "GBP": "pounds", "USD": "dollars", "CHF": "Swiss francs"}

Row = dict[str, Any]


# --- the material ----------------------------------------------------------------------------------------------------


def read_clauses() -> list[Row]:
    """The kinds of contract, each with its clauses."""
    kinds: list[Row] = []
    text = "\n".join(path.read_text("utf-8") for path in sorted(HERE.glob("clauses-*.txt")))
    for line in filter(str.strip, text.splitlines()):
        if line.startswith("== "):
            key, names, a, b = (part.strip() for part in line[3:].split("|"))
            kinds.append({"key": key, "names": names.split("; "), "a": a, "b": b, "clauses": []})
        elif line.startswith("# "):
            kinds[-1]["clauses"].append({"heading": line[2:], "also": [], "other": []})
        elif line[:2] in {f"{mark} " for mark in MARKS}:
            clause, name = kinds[-1]["clauses"][-1], MARKS[line[0]]
            clause[name] = [*clause[name], line[2:]] if name in ("also", "other") else line[2:]
        else:
            kinds[-1]["clauses"][-1]["text"] = line
    return kinds


def read_names() -> dict[str, list[str]]:
    """Everything in names.txt: "what: values", values of a repeated key in order."""
    found: dict[str, list[str]] = {}
    for line in (HERE / "names.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            key, value = line.split(": ", 1)
            if key.startswith("first") or key == "person roles":
                found[key] = value.split()
            elif key in ("legal", "currency") or key.startswith(("trade", "person")):
                found[key] = value.split("|")
            else:
                found.setdefault(key, []).append(value)
    return found


# --- contracts -------------------------------------------------------------------------------------------------------


class Makers:
    """Draws parties and numbers; none is drawn twice for the same side of a contract."""

    def __init__(self, rng: random.Random, names: dict[str, list[str]]) -> None:
        self.rng, self.names = rng, names
        self.used: set[str] = set()
        self.pools: dict[str, list[str]] = {}

    def party(self, role: str, split: str) -> str:
        persons = self.names[f"person {split}"]
        if role in self.names["person roles"] and persons and self.rng.random() < 0.4:
            return persons.pop(self.rng.randrange(len(persons)))
        while True:
            pool = self.pools.setdefault(split, [])
            if not pool:
                pool += self.rng.sample(self.names[f"first {split}"], len(self.names[f"first {split}"]))
            short = f"{pool.pop()} {self.rng.choice(self.names[f'trade {role}'])}"
            if short not in self.used:
                self.used.add(short)
                legal = "" if split == "shots" else self.rng.choice(self.names["legal"])
                return f"{short} {legal}".strip()

    def number(self) -> str:
        while True:
            digits = str(self.rng.randrange(2101, 9899))
            if digits not in self.used:
                self.used.add(digits)
                letters = "".join(self.rng.sample("ABCDEFGHKLMNPRSTVWX", 2))
                forms = (f"{letters}-{digits}", f"{letters} {digits}", f"{digits}/{letters}", f"{letters}.{digits}")
                return self.rng.choice(forms)


def contract(kind: Row, split: str, makers: Makers) -> Row:
    rng = makers.rng
    return {
        "no": makers.number(),
        "kind": rng.choice(kind["names"]),
        "a": kind["a"],
        "b": kind["b"],
        "A": makers.party(kind["a"], split),
        "B": makers.party(kind["b"], split),
        "style": rng.choice(("Role", "role", "name")),
        "currency": rng.choice(makers.names["currency"]),
        "header": rng.choice(makers.names["header"]),
    }


# --- values ----------------------------------------------------------------------------------------------------------


def draw(slot: str, rng: random.Random, currency: str) -> tuple[str, str]:
    """(as the clause has it, as the house writes it) of one slot such as m1:100-400/25 or p1:2,3 weeks."""
    name, spec = slot.split(":")
    if name[0] == "m":
        low, high, step = map(float, re.split(r"[-/]", spec))
        value = low + step * rng.randrange(round((high - low) / step) + 1)
        return in_prose(value, currency, rng), f"{currency} {value:,.2f}"
    if name[0] == "d":
        years = [int(year) for year in spec.split("-")]
        year, month = rng.randint(years[0], years[-1]), rng.randint(1, 12)
        day = rng.choice((1, 1, 1, 15, rng.randint(2, 28), 28 if month == 2 else 30))
        forms = (f"{day} {MONTHS[month - 1]} {year}",) * 3 + (f"{MONTHS[month - 1]} {day}, {year}",)
        forms += (f"the {ordinal(day)} of {MONTHS[month - 1]} {year}",)
        return rng.choice(forms), f"{year}-{month:02d}-{day:02d}"
    choices, _, unit = spec.partition(" ")
    if "-" in choices:
        low, high, step = map(int, re.split(r"[-/]", choices))
        number = str(low + step * rng.randrange((high - low) // step + 1))
    else:
        number = rng.choice(choices.split(","))
    if unit == "%":
        return rng.choice((f"{number} percent", f"{number} per cent", f"{number}%")), f"{number} percent"
    unit = unit.removesuffix("s") if number == "1" and unit != "persons" else unit
    if number == "1" and unit == "people":
        unit = "person"
    return counted(number, unit, rng), f"{number} {unit}"


def in_prose(value: float, currency: str, rng: random.Random) -> str:
    """An amount as contracts write it."""
    number = f"{value:,.2f}" if value % 1 else f"{value:,.0f}"
    forms = [
        f"{currency} {number}",
        f"{currency} {number}",
        f"{SIGNS[currency]}{number}",
        f"{number} {UNITS[currency]}",
    ]
    if value >= 1e6 and value % 1e5 == 0:
        forms += [f"{currency} {value / 1e6:g} million", f"{value / 1e6:g} million {UNITS[currency]}"]
    return rng.choice(forms)


def counted(number: str, unit: str, rng: random.Random) -> str:
    value = float(number)
    if value % 1 or value >= 100 or rng.random() < 0.4:
        return f"{number} {unit}"
    word = spelled(int(value))
    return f"{word} ({number}) {unit}" if rng.random() < 0.15 else f"{word} {unit}"


def spelled(value: int) -> str:
    """
    >>> spelled(45)
    'forty-five'
    """
    if value < 20:
        return SMALL[value]
    return TENS[value // 10] + (f"-{SMALL[value % 10]}" if value % 10 else "")


def ordinal(day: int) -> str:
    ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


# --- clauses ---------------------------------------------------------------------------------------------------------


def choose(text: str, rng: random.Random) -> str:
    """One of each [this|or that]."""
    return re.sub(r"\[([^\]]*)\]", lambda match: rng.choice(match[1].split("|")), text)


def body(clause: Row, deal: Row, rng: random.Random) -> tuple[str, dict[str, str]]:
    """(the clause's text, slot -> value in house form)."""
    values: dict[str, str] = {}

    def slot(match: re.Match[str]) -> str:
        prose, values[match[1].split(":")[0]] = draw(match[1], rng, deal["currency"])
        return prose

    text = re.sub(r"\{([a-z]\d:[^}]*)\}", slot, choose(clause["text"], rng))
    for side in "AB":
        role = deal[side.lower()]
        name = re.sub(r" (?:Ltd|GmbH|AG|BV|AB|plc|LLP)$", "", deal[side])
        label = {"Role": f"the {role.capitalize()}", "role": f"the {role}", "name": name}[deal["style"]]
        text = text.replace(f"{{{side}}}", label).replace(f"{{{side}'s}}", f"{label}'s")
    text = re.sub(r"\b(\w+s) notice\b", r"\1' notice", text)
    text = re.sub(r"\b((?:one|1) (?:\(1\) )?(?:month|week|day)) notice\b", r"\1's notice", text)
    return re.sub(r"(?:^|(?<=\. ))[a-z]", lambda match: match[0].upper(), text), values


def fill(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\{([a-z]\d)\}", lambda match: values[match[1]], text)


def roles(part: str, deal: Row) -> tuple[str, str, str]:
    """(role, modal, what) of "B must pay"."""
    match = re.fullmatch(r"(A|B|Either party) (must not|must|may) (.+)", part.strip())
    if not match:
        raise SystemExit(f"clauses: '{part}' does not begin with A, B or Either party and must, must not or may.")
    role = deal[match[1].lower()] if match[1] in ("A", "B") else "either party"
    return role, match[2], match[3]


def written(terms: str, deal: Row, values: dict[str, str]) -> str:
    """A TERMS line: roles for letters, the first of every marked phrase."""
    parts = [roles(part, deal) for part in re.split(r"[;,] (?=[AB] (?:must|may) |Either )", terms)]
    text = "; ".join(f"{role.capitalize()} {modal} {what}" for role, modal, what in parts)
    return fill(re.sub(r"\*([^*|]+)(?:\|[^*]*)?\*", r"\1", text), values)


def telling(terms: str, deal: Row, values: dict[str, str]) -> list[list[Any]]:
    """[role, modal, [[phrase, synonym ...] ...]] per part with a marked phrase; a part without one is not required."""
    found = []
    for part in re.split(r"[;,] (?=[AB] (?:must|may) |Either )", terms):
        role, modal, what = roles(part, deal)
        keys = [fill(key, values).split("|") for key in re.findall(r"\*([^*]+)\*", what)]
        found += [[role, modal, keys]] if keys else []
    return found


def optional(clause: Row, items: list[str], notice: list[str], deal: Row, values: dict[str, str]) -> list[list[Any]]:
    """Parts that a summary may hold and need not: what "+" says, that the payer must pay, that who may must tell."""
    found = telling(clause["optional"], deal, values) if "optional" in clause else []
    found += [[item.split(" pays ")[0], "must", [PAYING]] for item in items if " pays " in item]
    if notice:
        found += [
            [role, "must", [TELLING]] for role, modal, _ in telling(clause["terms"], deal, values) if modal == "may"
        ]
    return found


def money(line: str, deal: Row, values: dict[str, str]) -> list[str]:
    """The items of a MONEY line."""
    found = []
    for item in line.split("; "):
        if item.strip() != "none":
            words = [{"A": deal["a"], "B": deal["b"]}.get(word, values.get(word, word)) for word in item.split()]
            found.append(" ".join(words))
    return found


def entry(clause: Row, deal: Row, number: int, rng: random.Random) -> Row:
    """One clause of one contract: its passage, its gold and everything a question needs."""
    text, values = body(clause, deal, rng)
    passage = deal["header"]
    heading = clause["heading"]
    kind = deal["kind"]
    slots = {**deal, "Kind": kind[0].upper() + kind[1:], "n": str(number), "heading": heading, "text": text}
    passage = re.sub(r"\{(\w+)\}", lambda match: slots[match[1]], passage)
    readings = [money(line, deal, values) for line in clause.get("money", "none").split(" | ")]
    dates = sorted({values[name] for name in clause.get("dates", "").split("; ") if name})
    periods, _, instead = clause.get("notice", "").partition(" | ")
    notice = [values[name] for name in periods.split("; ") if name]
    terms = [clause["terms"], *clause["other"]]
    facts = {
        "number": deal["no"],
        "heading": heading[0].lower() + heading[1:],
        "parties": [[deal["A"], deal["a"]], [deal["B"], deal["b"]]],
        "terms": [telling(line, deal, values) for line in terms],
        "money": readings,
        "dates": dates,
        "notice": notice,
        "notice_in_terms": instead == NONE.split()[0],
        "optional": optional(clause, readings[0], notice, deal, values),
        "wordings": [written(line, deal, values) for line in (*clause["also"], *clause["other"])],
    }
    target = [
        "PARTIES: " + ", ".join(f"{name} ({role})" for name, role in facts["parties"]),
        f"MATTER: {deal['no']}, {facts['heading']}",
        f"TERMS: {written(clause['terms'], deal, values)}",
        f"MONEY: {'; '.join(readings[0]) or NONE}",
        f"DATES: {'; '.join(dates) or NONE}",
        f"NOTICE: {'; '.join(notice) or NONE}",
    ]
    identity = "clause-" + "-".join([*re.findall(r"\w+", deal["no"].lower()), str(number)])
    return {
        "id": identity,
        "text": passage,
        "target": "\n".join(target),
        "facts": facts,
        "deal": deal,
        "ask": clause["ask"].split(" | "),
    }


def question(one: Row, frame: str, rng: random.Random) -> str:
    text = re.sub(r"\{(\w+)\}", lambda match: {**one["deal"], "ask": rng.choice(one["ask"])}[match[1]], frame)
    return text[0].upper() + text[1:]


# --- the suite -------------------------------------------------------------------------------------------------------


def build() -> dict[str, list[Row]]:
    """Every file of the suite, in the order it is written."""
    rng = random.Random(SEED)
    names = read_names()
    makers = Makers(rng, names)
    entries: dict[str, list[Row]] = {split: [] for split in (*SPLITS, "shots")}
    for kind in read_clauses():
        clauses = rng.sample(kind["clauses"], len(kind["clauses"]))
        for split, size in SPLITS.items():
            mine, clauses = clauses[:size], clauses[size:]
            for _ in range(CONTRACTS[split]):
                deal = contract(kind, split, makers)
                numbers = sorted(rng.sample(range(2, 24), size))
                entries[split] += [entry(one, deal, n, rng) for one, n in zip(mine, numbers, strict=True)]
            if split == "train":
                entries["shots"].append(
                    entry(rng.choice(mine), contract(kind, "shots", makers), rng.randint(2, 23), rng)
                )
    corpus: list[Row] = []
    splits: dict[str, list[Row]] = {}
    for split, found in entries.items():
        rows = []
        frames: list[str] = []
        for one in found:
            frames = frames or rng.sample(names[f"frame {split}"], len(names[f"frame {split}"]))
            one["input"] = question(one, frames.pop(), rng)
        order = sorted(found, key=lambda one: len(one["input"] + one["target"])) if split == "shots" else found
        if split != "shots":
            rng.shuffle(order)
        for i, one in enumerate(order, 1):
            passage = one["id"]
            corpus.append({"id": passage, "text": one["text"]})
            meta = {"passage": passage, "kind": one["deal"]["a"], "facts": one["facts"]}
            rows.append(
                {"id": f"contracts-{split}-{i:04d}", "input": one["input"], "target": one["target"], "metadata": meta}
            )
        splits[split] = rows
    rng.shuffle(corpus)
    return {**splits, "corpus": corpus}


def write(folder: Path) -> None:
    """Writes the split files and the corpus into a folder."""
    for split, rows in build().items():
        lines = (json.dumps(one, ensure_ascii=False) for one in rows)
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    write(HERE)
