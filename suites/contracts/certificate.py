"""Right and wrong answers to every sample, made from its gold: what proves the primary scorer of this suite.

Each wrong answer has one defect that a model would make. Standard library only; the same sample, the same answers.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

NONE = "none stated"
MOST = 10
MOST_WORDS = 40
ADDITIONS = "additions.txt"
OTHER_UNIT = {"day": "week", "week": "month", "month": "week", "hour": "day", "minute": "hour", "year": "month"}
Lines = dict[str, str]


class Addition(NamedTuple):
    """Words that a clause does not bear out. known: stems; with one of them a clause may bear the words out."""

    written: str
    kind: str
    place: str
    text: str
    known: tuple[str, ...]


class Sample(Protocol):
    """What is read of a sample."""

    @property
    def id(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...


def answers(sample: Sample) -> Mapping[str, Sequence[str]]:
    """{"paraphrase": right answers in other words, "corrupted": answers with exactly one defect each}."""
    rng = random.Random(hashlib.sha256(sample.id.encode()).hexdigest())
    lines = dict(line.split(": ", 1) for line in sample.target.splitlines())
    facts = sample.metadata["facts"]
    made = [make(dict(lines), facts, rng) for make in DEFECTS]
    wrong = list(dict.fromkeys(text for text in made if text and text != sample.target))
    wrong = rng.sample(wrong, min(MOST, len(wrong)))
    return {"paraphrase": list(dict.fromkeys(paraphrases(lines, facts))), "corrupted": wrong}


def paraphrases(lines: Lines, facts: Mapping[str, Any]) -> list[str]:
    """Other wordings of TERMS, other spacing, other order where order says nothing."""
    wordings = facts["wordings"]
    first, last = wordings[0], wordings[-1]
    parts = lines["TERMS"].split("; ")
    parties = ", ".join(f"{name} ({role})" for name, role in reversed(facts["parties"]))
    return [
        written({**lines, "TERMS": f"{first}."}),
        "\n\n" + written({**lines, "TERMS": last}).replace("\n", "  \n\n") + "\n",
        "```\n" + written({**lines, "PARTIES": parties, "TERMS": "; ".join(reversed(parts))}) + "\n```",
    ]


def written(lines: Lines) -> str:
    return "\n".join(f"{label}: {value}" for label, value in lines.items())


# --- one defect each -------------------------------------------------------------------------------------------------


def wrong_amount(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """The first amount or percentage is another."""
    money = re.sub(r"\d[\d,]*(?:\.\d+)?", lambda match: _other(match[0], rng), lines["MONEY"], count=1)
    return written({**lines, "MONEY": money})


def _other(number: str, rng: random.Random) -> str:
    value = float(number.replace(",", "")) * rng.choice((2, 10, 1.5))
    return f"{value:,.2f}" if number.endswith(".00") or re.search(r"\.\d\d$", number) else f"{value:g}"


def wrong_party(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """One name is that of a firm that has nothing to do with it."""
    name = facts["parties"][rng.randrange(2)][0]
    return written(
        {**lines, "PARTIES": lines["PARTIES"].replace(name, rng.choice(("Sable Marine Ltd", "Corvin & Roe")))}
    )


def swapped_roles(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """What one side must or may do is laid on the other."""
    (_, a), (_, b) = facts["parties"]
    other = {a: b, b: a, "either party": a}
    who = re.compile(rf"\b({a}|{b}|Either party)(?= (?:must|may) )", re.IGNORECASE)
    return written({**lines, "TERMS": who.sub(lambda match: other[match[0].lower()].capitalize(), lines["TERMS"])})


def wrong_payer(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """The other side pays."""
    (_, a), (_, b) = facts["parties"]
    other = {a: b, b: a}
    money = re.sub(rf"\b({a}|{b}) pays", lambda match: f"{other[match[1]]} pays", lines["MONEY"], count=1)
    return written({**lines, "MONEY": money})


def right_for_duty(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """A duty has become a right, a right or a ban a duty."""
    found = re.search(r" (must not|must|may) ", lines["TERMS"])
    assert found is not None
    modal = {"must": "may", "may": "must", "must not": "may"}[found[1]]
    return written({**lines, "TERMS": lines["TERMS"].replace(found[0], f" {modal} ", 1)})


def left_out(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """A telling phrase of TERMS is gone, everywhere."""
    keys = [key[0] for _, _, part in facts["terms"][0] for key in part]
    key = rng.choice(keys)
    return written({**lines, "TERMS": lines["TERMS"].replace(key, "it")})


def changed_unit(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """Days for months, per week for per month."""
    for label in ("NOTICE", "MONEY", "TERMS"):
        found = re.search(r"(?<=\d )(hour|day|week|month|year|minute)(?=s?\b)|(?<=\bper )([a-z-]+)", lines[label])
        if found:
            unit = OTHER_UNIT.get(found[0], "year")
            return written({**lines, label: lines[label][: found.start()] + unit + lines[label][found.end() :]})
    return ""


def none_for_something(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """ "none stated" where the clause states something."""
    labels = [label for label in ("MONEY", "DATES", "NOTICE") if lines[label] != NONE] or ["TERMS"]
    return written({**lines, rng.choice(labels): NONE})


def invented_date(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """A date that nobody agreed on, instead of or beside what is stated."""
    return written({**lines, "DATES": f"{rng.choice((2019, 2020, 2021))}-0{rng.randint(1, 9)}-14"})


def invented_number(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """A time limit in TERMS that the clause does not have."""
    return written({**lines, "TERMS": f"{lines['TERMS']} within {rng.choice((97, 113, 127))} days"})


def invented_words(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """An obligation, a condition, a right or an adjective in plain words that the contract does not have."""
    found = additions()
    made = (added(one, lines, facts, rng) for one in rng.sample(found, len(found)))
    return next((text for text in made if text), "")


@cache
def additions() -> Sequence[Addition]:
    rows = Path(__file__).with_name(ADDITIONS).read_text("utf-8").splitlines()
    split = ([cell.strip() for cell in row.split("|")] for row in rows if not row.startswith("#"))
    return [Addition(when, kind, place, text, tuple(known.split(","))) for when, kind, place, text, known in split]


@cache
def _contract(number: str) -> str:
    """The clauses of a contract, in small letters."""
    rows = map(json.loads, Path(__file__).with_name("corpus.jsonl").read_text("utf-8").splitlines())
    return " ".join(row["text"] for row in rows if number in row["text"]).lower()


def added(one: Addition, lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """The answer with an addition in its TERMS, or "" where the contract may bear it out or there is no room for it."""
    world = f"{_contract(facts['number'])} {lines['TERMS']} {' '.join(facts['wordings'])}".lower()
    if any(re.search(rf"\b{stem}", world) for stem in one.known):
        return ""
    parts = lines["TERMS"].split("; ")
    i = rng.randrange(len(parts))
    role, other = rng.sample([role for _, role in facts["parties"]], 2)
    put = _put(parts[i], one, one.text.replace("{R}", role).replace("{O}", f"the {other}"), rng)
    terms = "; ".join([*parts[:i], put, *parts[i + 1 :]])
    return written({**lines, "TERMS": terms}) if put != parts[i] and len(terms.split()) <= MOST_WORDS else ""


def _put(part: str, one: Addition, text: str, rng: random.Random) -> str:
    if one.place == "part":
        return f"{part}; {text[0].upper()}{text[1:]}"
    if one.place == "tail":
        return f"{part} {text}"
    if one.place == "head":
        return f"{text} {part[0].lower()}{part[1:]}"
    if one.place == "after":
        space = "" if text.startswith(",") else " "
        return re.sub(r"\b(must not|must|may) ", rf"\1{space}{text} ", part, count=1)
    if one.place == "modal":
        old, new = text.split(">")
        return re.sub(rf" {old} (?!not )", f" {new} ", part, count=1)
    nouns = [match.end() for match in re.finditer(r"\b(?:the|its|a|any|every) (?=[a-z]{4,})", part)]
    place = rng.choice(nouns) if nouns else 0
    return f"{part[:place]}{text} {part[place:]}" if nouns else part


def missing_line(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    del lines[rng.choice(sorted(lines))]
    return written(lines)


def extra_line(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    return written(lines) + rng.choice(("\nREMARKS: none stated", "\nLet me know if you need anything else."))


def wrong_order(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    i = rng.randrange(len(lines) - 1)
    labels = list(lines)
    labels[i], labels[i + 1] = labels[i + 1], labels[i]
    return written({label: lines[label] for label in labels})


def preamble(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    return rng.choice(("Here is the summary of the clause:\n", "Sure! ", "Summary\n\n")) + written(lines)


def loose_date(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """A date as the clause writes it, not as the house does."""
    return written({**lines, "DATES": re.sub(r"(\d{4})-(\d\d)-(\d\d)", r"\3/\2/\1", lines["DATES"])})


def loose_money(lines: Lines, facts: Mapping[str, Any], rng: random.Random) -> str:
    """An amount without its cents."""
    return written({**lines, "MONEY": re.sub(r"([A-Z]{3} [\d,]+)\.\d\d", r"\1", lines["MONEY"])})


DEFECTS: Sequence[Callable[[Lines, Mapping[str, Any], random.Random], str]] = (
    wrong_amount,
    wrong_party,
    swapped_roles,
    wrong_payer,
    right_for_duty,
    left_out,
    changed_unit,
    none_for_something,
    invented_date,
    invented_number,
    invented_words,
    missing_line,
    extra_line,
    wrong_order,
    preamble,
    loose_date,
    loose_money,
)
