"""Scores a clause summary: the house format, the facts of the clause, and nothing beyond the clause.

The gold is metadata `facts`; the closed world is the passage of corpus.jsonl that metadata `passage` names.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from harness.data import Completion, Sample, Score, Scorer
from harness.scorers.text import visible

LABELS = ("PARTIES", "MATTER", "TERMS", "MONEY", "DATES", "NOTICE")
NONE = "none stated"
MAX_WORDS = 40
MAX_CHARACTERS = 8_000
MODALS = ("must not", "must", "may")
EITHER = "either party"

_AMOUNT = r"(?:[A-Z]{3} \d{1,3}(?:,\d{3})*\.\d{2}|\d+(?:\.\d+)? percent)"
_ITEM = re.compile(rf"(?:([a-z]+) pays|(cap|cover)) ({_AMOUNT})(?: per [a-z-]+(?: (?:per|and) [a-z-]+)?)?")
_PARTIES = re.compile(r"([^(),;]+) \(([a-z]+)\), ([^(),;]+) \(([a-z]+)\)")
_MATTER = re.compile(r"([^,;]{3,20}), ([^A-Z;]{2,60})")
_PERIOD = re.compile(r"[1-9]\d* [a-z]+(?: [a-z]+)?")
_PART = re.compile(r"(either party|[a-z]+) (must not|must|may) (\S.*)", re.IGNORECASE | re.DOTALL)
_AGAIN = re.compile(r"(?:, and|,| and|, but| but) (?=(?:must not|must|may) )", re.IGNORECASE)
_BOUND = re.compile(r"\b(?:not|no) (?:more|later|less|longer|sooner|earlier|above|below|over|under)\b")
_DENIAL = re.compile(r"\b(?:not|never|no|nor|without|unless|except|excluding|neither|\w+n't)\b")

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_MONTH = "|".join(_MONTHS)
_DATES = (
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})\b"),
    re.compile(rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m>{_MONTH}),? (?P<y>\d{{4}})\b"),
    re.compile(rf"\b(?P<m>{_MONTH}) (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}})\b"),
    re.compile(r"\b(?P<d>\d{1,2})[./](?P<m>\d{1,2})[./](?P<y>\d{4})\b"),
)
_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_CURRENCIES = {
    "€": "EUR",
    "eur": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "£": "GBP",
    "gbp": "GBP",
    "pound": "GBP",
    "pounds": "GBP",
    "$": "USD",
    "us$": "USD",
    "usd": "USD",
    "dollar": "USD",
    "dollars": "USD",
    "chf": "CHF",
    "swiss francs": "CHF",
    "francs": "CHF",
}
_SIGN = r"us\$|[€£$]|\b(?:eur|gbp|usd|chf)\b"
_WORD = r"euros?|pounds?|dollars?|swiss francs|francs|eur|gbp|usd|chf"
_MONEY = (
    re.compile(rf"(?P<c>{_SIGN}) ?(?P<n>{_NUMBER})(?P<k> million)?"),
    re.compile(rf"\b(?P<n>{_NUMBER})(?P<k> million)? ?(?P<c>{_WORD}|[€£$])(?!\w)"),
)
_PERCENT = re.compile(rf"\b({_NUMBER}) ?(?:percent\b|per cent\b|%)")
_COUNT = re.compile(rf"(?<![\w.])({_NUMBER})(?: (working days?|[a-z]+))?")
_TIME_UNITS = frozenset(("minute", "hour", "day", "week", "month", "quarter", "year", "working day"))
_SMALL = [
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
_TENS = {
    word: 10 * i
    for i, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_SPELLED = re.compile(rf"\b(?:({'|'.join(_TENS)})(?:[- ]({'|'.join(_SMALL[1:10])}))?|({'|'.join(_SMALL)}))\b")
_ORDINALS = [
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
]
_ORDINAL = re.compile(rf"\b(?:{'|'.join(_ORDINALS)})\b")
_WEAK = frozenset(
    [
        "with",
        "that",
        "than",
        "this",
        "from",
        "into",
        "over",
        "have",
        "been",
        "will",
        "would",
        "any",
        "such",
        "they",
        "them",
        "their",
        "its",
    ]
)
_NAME = re.compile(r"[^\W\d_][\w'-]*")


class Figures(NamedTuple):
    """What a text states in figures. money: (currency, amount); counts: (number, unit or "")."""

    money: frozenset[tuple[str, float]]
    percents: frozenset[float]
    dates: frozenset[str]
    counts: frozenset[tuple[float, str]]

    def numbers(self) -> set[float]:
        """Every number there is, whatever it counts."""
        return {value for _, value in self.money} | set(self.percents) | {value for value, _ in self.counts}


class Summary(NamedTuple):
    """An answer that keeps the house format. Roles, modals and units are in small letters."""

    parties: frozenset[tuple[str, str]]
    number: str
    heading: str
    terms: tuple[tuple[str, str, str], ...]
    money: tuple[str, ...]
    dates: tuple[str, ...]
    notice: tuple[str, ...]
    terms_text: str


# --- reading ---------------------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Small letters, number words as digits, one space between words.

    >>> plain("Thirty-five  days")
    '35 days'
    """
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("per cent", "percent")
    return " ".join(_SPELLED.sub(_digits, text).split())


def _digits(match: re.Match[str]) -> str:
    tens, unit, small = match.groups()
    if small:
        return str(_SMALL.index(small))
    return str(_TENS[tens] + (_SMALL.index(unit) if unit else 0))


def figures(text: str) -> Figures:
    """The money, percentages, dates and counts of a text, however they are written.

    >>> sorted(figures("EUR 1,200 within thirty (30) days, from 1 April 2027").dates)
    ['2027-04-01']
    """
    text = _ORDINAL.sub(lambda match: f"{_ORDINALS.index(match.group()) + 4}th", plain(text))
    dates: set[str] = set()
    money: set[tuple[str, float]] = set()
    percents: set[float] = set()
    for pattern in _DATES:
        text = pattern.sub(lambda match: _keep(dates, _iso(match)), text)
    for pattern in _MONEY:
        text = pattern.sub(lambda match: _keep(money, (_CURRENCIES[match["c"]], _value(match))), text)
    text = _PERCENT.sub(lambda match: _keep(percents, float(match[1].replace(",", ""))), text)
    text = re.sub(r"(\d+) \((\d+)\)", r"\1", text)
    counts = {(float(n.replace(",", "")), singular(unit)) for n, unit in _COUNT.findall(text) if len(n) < 20}
    return Figures(frozenset(money), frozenset(percents), frozenset(dates), frozenset(counts))


def _keep(found: set[Any], value: Any) -> str:
    found.add(value)
    return " | "


def _iso(match: re.Match[str]) -> str:
    month = match["m"]
    number = _MONTHS.index(month) + 1 if month in _MONTHS else int(month)
    return f"{match['y']}-{number:02d}-{int(match['d']):02d}"


def _value(match: re.Match[str]) -> float:
    return float(match["n"].replace(",", "")) * (1e6 if match["k"] else 1)


def singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def words(text: str) -> list[str]:
    """Words and numbers of a text, for looking up phrases."""
    return re.findall(r"\d+(?:\.\d+)?|[^\W\d_]+", plain(text.replace("%", " percent")).replace(",", ""))


@lru_cache(maxsize=16_384)
def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def same_word(one: str, other: str) -> bool:
    """Equal but for the ending: insure and insurance, day and days.

    >>> same_word("deliver", "delivery"), same_word("30", "300")
    (True, False)
    """
    if one == other:
        return True
    if not (one.isalpha() and other.isalpha()):
        return False
    short, long = sorted((_stem(one), _stem(other)), key=len)
    longest = len(short) + (3 if len(short) == 4 else 5)
    return short == long or (len(short) >= 4 and len(long) <= longest and long.startswith(short))


_SYNONYMS = (
    "end|terminate|cancel",
    "tell|notify|inform|announce|advise",
    "return|refund|repay|give back|pay back",
    "repair|mend|fix",
    "maintain|see to|keep in repair|look after",
    "at once|immediately|promptly|without delay|straight away|forthwith",
    "apart|separate|separately",
    "written|in writing|writing",
    "small|minor",
    "real|actual",
    "renew|extend|prolong",
    "remove|take out|take away",
    "replace|substitute",
    "inspect|check|examine",
    "agree|consent|approve",
    "refuse|reject|decline|turn down",
    "hand in|submit|deliver|hand over",
    "raise|increase",
    "lower|reduce|cut",
    "free|free of charge|without charge|at no charge|at no cost",
    "yearly|annually|once a year|each year|every year|per year|a year",
    "monthly|each month|every month|per month|a month",
    "weekly|each week|every week|per week|a week",
    "daily|each day|every day|per day|a day",
    "whole|intact|undamaged",
    "invoice|bill",
    "order|place orders",
    "above|over|more than|beyond|exceeding",
    "under|below|less than|fewer than",
)
_GROUPS = tuple(tuple(group.split("|")) for group in _SYNONYMS)


@lru_cache(maxsize=4096)
def _readings(phrase: str) -> tuple[str, ...]:
    """A telling phrase and what means the same in any contract."""
    return (phrase, *(other for group in _GROUPS if phrase in group for other in group if other != phrase))


def _states(text: Sequence[str], key: Iterable[str]) -> bool:
    """Whether a text holds a telling phrase in one of its readings."""
    return any(holds(text, reading) for phrase in key for reading in _readings(phrase))


def holds(text: Sequence[str], phrase: str) -> bool:
    """Whether the words of a phrase stand in a text side by side."""
    wanted = words(phrase)
    size = len(wanted)
    return any(all(map(same_word, wanted, text[i : i + size])) for i in range(len(text) - size + 1))


# --- the house format ------------------------------------------------------------------------------------------------


def parse(text: str) -> Summary | str:
    """The summary that a text holds in the house format, or what is wrong with its form."""
    if len(text) > MAX_CHARACTERS:
        return f"{len(text)} characters are no summary"
    lines = [" ".join(line.split()) for line in visible(text).splitlines() if line.strip()]
    if not lines:
        return "empty answer"
    if len(lines) != len(LABELS):
        return f"{len(lines)} lines, not {len(LABELS)}"
    values = []
    for label, line in zip(LABELS, lines, strict=True):
        if not line.startswith(f"{label}: "):
            return f"expected the line {label}, got '{line[:40]}'"
        values.append(line.removeprefix(f"{label}: ").removesuffix("."))
    return _summary(values)


def _summary(values: Sequence[str]) -> Summary | str:
    parties, matter = _PARTIES.fullmatch(values[0]), _MATTER.fullmatch(values[1])
    if not parties:
        return "PARTIES is not 'name (role), name (role)'"
    if not matter:
        return "MATTER is not 'number, heading in small letters'"
    roles = (parties[2], parties[4])
    terms = read_terms(values[2], roles)
    if isinstance(terms, str):
        return terms
    money = _items(values[3])
    for item in money:
        found = _ITEM.fullmatch(item)
        if not found or (found[1] and found[1] not in roles):
            return f"MONEY: '{item[:40]}' is not in the house form"
    dates = _items(values[4].replace(",", ";"))
    if not all(map(_is_date, dates)) or list(dates) != sorted(set(dates)):
        return "DATES are not 2027-03-31, earliest first"
    notice = _items(values[5])
    if not all(map(_PERIOD.fullmatch, notice)):
        return "NOTICE is not a number and a unit"
    named = frozenset({(_name(parties[1]), parties[2]), (_name(parties[3]), parties[4])})
    return Summary(named, _code(matter[1]), plain(matter[2]), terms, money, dates, notice, values[2])


def read_terms(text: str, roles: Sequence[str]) -> tuple[tuple[str, str, str], ...] | str:
    """(role, modal, what) per part of the TERMS line, or what is wrong with it."""
    if len(text.split()) > MAX_WORDS:
        return f"TERMS has {len(text.split())} words, more than {MAX_WORDS}"
    found = []
    for part in _items(text) or ("",):
        match = _PART.fullmatch(part)
        if not match or match[1].lower() not in (*roles, EITHER):
            return f"TERMS: '{part[:40]}' does not begin with a role and must, must not or may"
        first, *more = _AGAIN.split(match[3])
        found.append((match[1].lower(), match[2].lower(), first))
        for piece in more:
            modal = next(modal for modal in MODALS if piece.lower().startswith(f"{modal} "))
            found.append((match[1].lower(), modal, piece[len(modal) :].strip()))
    return tuple(found)


def _items(value: str) -> tuple[str, ...]:
    return () if value == NONE else tuple(item.strip() for item in value.split(";"))


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _name(text: str) -> str:
    return plain(text.replace(".", "")).removeprefix("the ")


def _code(text: str) -> str:
    return "".join(re.findall(r"\w", text.casefold()))


# --- the facts -------------------------------------------------------------------------------------------------------


def wrong(summary: Summary, sample: Sample, passage: str) -> str:
    """The first thing in a well-formed summary that is not so, or ""."""
    facts = sample.metadata["facts"]
    parties = frozenset((_name(name), role) for name, role in facts["parties"])
    if summary.parties != parties:
        return f"PARTIES are not {', '.join(f'{name} ({role})' for name, role in facts['parties'])}"
    if summary.number != _code(facts["number"]):
        return f"the contract is {facts['number']}"
    if summary.heading != plain(facts["heading"]):
        return f"the matter is {facts['heading']}"
    if not any(_same_money(summary.money, money, passage) for money in facts["money"]):
        return f"MONEY is not {'; '.join(facts['money'][0]) or NONE}"
    if list(summary.dates) != facts["dates"]:
        return f"DATES are not {'; '.join(facts['dates']) or NONE}"
    if sorted(map(_loose, summary.notice)) != sorted(map(_loose, facts["notice"])):
        return f"NOTICE is not {'; '.join(facts['notice']) or NONE}"
    denials = _denials(sample)
    problems = [_wrong_terms(summary.terms, variant, facts, denials, passage) for variant in facts["terms"]]
    if all(problems):
        return min(filter(None, problems), key=len) if len(problems) > 1 else problems[0]
    sources = (passage, sample.target, *facts["wordings"])
    return (
        beyond(summary.terms_text, passage, facts)
        or turned(summary.terms_text, sources)
        or _swapped(summary.terms, sample)
        or _unfounded(summary.terms, sources, facts)
    )


_UP = (
    r"at least|a minimum of|minimum|(?:no|not) (?:less|fewer|sooner|earlier) than|"
    r"over|more than|above|exceeding|longer than|later than|after"
)
_DOWN = (
    r"at most|a maximum of|maximum|(?:no|not) (?:more|later|longer) than|up to|below|under|less than|"
    r"fewer than|within|by"
)
_BEFORE = re.compile(rf"\b(?:(?P<up>{_UP})|(?P<down>{_DOWN}))\b(?: the| each| every)? ?\Z")
_AFTER = re.compile(
    r"(?: percent)?(?: (?:working )?(?:minute|hour|day|week|month|quarter|year)s?)?"
    r" (?:(?P<up>or more|after|past|following)|"
    r"(?P<down>or less|or fewer|before|ahead|prior|beforehand))\b"
)
_OPPOSITES = (
    "inside|outside",
    "accepted|rejected",
    "allowed|forbidden",
    "smaller|larger",
    "above|below",
    "before|after",
    "earlier|later",
    "increase|decrease",
    "raise|lower",
    "including|excluding",
    "first|last",
    "beginning|end",
    "paid|unpaid",
    "full|empty",
    "buys|sells",
)

_EVERY = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter"}
_EVERY |= {"yearly": "year", "annual": "year", "annually": "year"}


def _bounds(text: str) -> dict[tuple[float, str], set[str]]:
    """For each number of a text, by what stands before or after it: the ways ("up", "down") in which it bounds."""
    text = plain(re.sub(r"\((\d+)\)", " ", text))
    found: dict[tuple[float, str], set[str]] = {}
    for match in re.finditer(_NUMBER, text):
        value = float(match.group().replace(",", ""))
        before = _BEFORE.search(re.sub(rf"(?:{_SIGN}) ?\Z", "", text[: match.start()]))
        after = _AFTER.match(text, match.end())
        for place, one in (("before", before), ("after", after)):
            if one:
                found.setdefault((value, place), set()).add(str(one.lastgroup))
    return found


def turned(text: str, sources: Iterable[str]) -> str:
    """The first bound or relation of a text that the sources have only the other way round, or "".

    "At most 15 trips" for at least 15, "after 2 days" for within 2 days, "outside the premises" for inside.
    """
    known: dict[tuple[float, str], set[str]] = {}
    for source in sources:
        for key, ways in _bounds(source).items():
            known.setdefault(key, set()).update(ways)
    for key, ways in _bounds(text).items():
        strictly = key[1] == "before" and re.search(rf"\b(?:under|below|(?:less|fewer) than) {key[0]:g}\b", plain(text))
        if (known.get(key) or strictly) and not ways <= known.get(key, set()):
            return f"TERMS: {key[0]:g} is a bound the other way round"
    said, world = set(words(text)), {word for source in sources for word in words(source)}
    units = {_EVERY.get(word, singular(word)) for word in world}
    for word in said:
        if word.startswith("un") and word[2:] in world and word not in world:
            return f"TERMS: '{word}', the clause has '{word[2:]}'"
        if singular(word) in _TIME_UNITS and singular(word) not in units:
            return f"TERMS: '{word}' is not in the clause"
        if word in _EVERY and _EVERY[word] not in units:
            return f"TERMS: '{word}' is not in the clause"
    for pair in _OPPOSITES:
        for one, other in (pair.split("|"), pair.split("|")[::-1]):
            if one in said and one not in world and other in world and other not in said:
                return f"TERMS: '{one}', the clause has '{other}'"
    return ""


def _swapped(terms: Iterable[tuple[str, str, str]], sample: Sample) -> str:
    """A telling phrase of what a role must not do, told as what it may or must do (or the other way), or ""."""
    facts = sample.metadata["facts"]
    roles = [role for _, role in facts["parties"]]
    said = _by_role(terms, roles)
    right = [_by_role(parts, roles) for parts in _right_terms(sample)]
    for variant in facts["terms"]:
        for (role, modal), groups in _by_role(variant, roles).items():
            for other in ("must", "may") if modal == "must not" else ("must not",):
                told = "; ".join(said.get((role, other), ()))
                allowed = words("; ".join(text for gold in right for text in gold.get((role, other), ())))
                if not told or not allowed or _DENIAL.search(told):
                    continue
                for key in (key for keys in groups for key in keys):
                    if _states(words(told), key) and not _states(allowed, key):
                        return f"TERMS: '{role} {other}' has what it {modal}: '{key[0]}'"
    return ""


def _unfounded(terms: Iterable[tuple[str, str, str]], sources: Iterable[str], facts: Mapping[str, Any]) -> str:
    """The first part of TERMS most of whose telling words neither the clause nor a known wording has, or ""."""
    keys = (key for variant in facts["terms"] for _, _, groups in variant for key in groups)
    more = (key for _, _, groups in facts["optional"] for key in groups)
    known = {_stem(word) for source in sources for word in words(source)}
    known |= {_stem(word) for key in (*keys, *more) for one in key for text in _readings(one) for word in words(text)}
    for role, modal, what in terms:
        for piece in re.split(r",|\band\b", what):
            telling = {word for word in words(piece) if len(word) > 3 and word not in _WEAK and not word.isdigit()}
            strange = {word for word in telling if not any(same_word(_stem(word), one) for one in known)}
            if len(strange) >= 2 and 2 * len(strange) > len(telling):
                return f"TERMS: {role} {modal} '{piece.strip()[:40]}': the clause does not say so"
    return ""


def _same_money(said: Sequence[str], gold: Sequence[str], passage: str) -> bool:
    """Whether two MONEY lines agree. A unit that the gold leaves open may be named, unless it is a time."""
    left = sorted(map(_loose, gold))
    for item in sorted(map(_loose, said)):
        bare, _, unit = item.partition(" per ")
        if item in left:
            left.remove(item)
        elif bare in left and unit not in _TIME_UNITS and holds(words(passage), unit):
            left.remove(bare)
        else:
            return False
    return not left


def _loose(item: str) -> str:
    return " ".join(singular(word) for word in item.lower().replace(" and ", " per ").split())


def _denials(sample: Sample) -> set[tuple[str, str]]:
    """The parts (role, modal) that hold a denial in some right wording of TERMS."""
    roles = [role for _, role in sample.metadata["facts"]["parties"]]
    found: set[tuple[str, str]] = set()
    for terms in _right_terms(sample):
        found |= {key for key, what in _by_role(terms, roles).items() if _denied("; ".join(what))}
    return found


def _right_terms(sample: Sample) -> list[tuple[tuple[str, str, str], ...]]:
    """The parts of TERMS in the gold and in its other wordings."""
    roles = [role for _, role in sample.metadata["facts"]["parties"]]
    gold = next(line for line in sample.target.splitlines() if line.startswith("TERMS: "))
    texts = (gold.removeprefix("TERMS: "), *sample.metadata["facts"]["wordings"])
    return [terms for text in texts if not isinstance(terms := read_terms(text, roles), str)]


def _by_role(parts: Iterable[tuple[str, str, Any]], roles: Sequence[str]) -> dict[tuple[str, str], list[Any]]:
    """What is said per role and modal. "Either party may" is said of both."""
    found: dict[tuple[str, str], list[Any]] = {}
    for role, modal, what in parts:
        for one in roles if role == EITHER else (role,):
            found.setdefault((one, modal), []).append(what)
    return found


def _wrong_terms(
    terms: Iterable[tuple[str, str, str]],
    variant: Sequence[Sequence[Any]],
    facts: Mapping[str, Any],
    denials: set[tuple[str, str]],
    passage: str,
) -> str:
    """What is missing or too much in TERMS, held to one gold version of it."""
    roles = [role for _, role in facts["parties"]]
    said = _by_role(terms, roles)
    gold = _by_role(((role, modal, keys) for role, modal, keys in variant), roles)
    extra = {who: keys for who, keys in _by_role(facts["optional"], roles).items() if who in said and who not in gold}
    if not gold.keys() <= said.keys() or not said.keys() <= gold.keys() | extra.keys():
        missing = [f"no '{' '.join(who)}'" for who in sorted(gold.keys() - said.keys())]
        strange = [f"'{' '.join(who)}'?" for who in sorted(said.keys() - gold.keys() - extra.keys())]
        return "TERMS: " + ", ".join(missing + strange)
    for who, groups in gold.items():
        text = "; ".join(said[who])
        found = words(text)
        if who[1] == "must" and (who[0], "must not") in extra:  # "must not let anybody without a licence"
            found += words("; ".join(said[who[0], "must not"]))
        for key in (key for keys in groups for key in keys):
            if not _states(found, key):
                return f"TERMS: {' '.join(who)}: '{key[0]}' is missing"
        if who not in denials and not _denied(text) <= _denied(passage):
            return f"TERMS: {' '.join(who)}: a denial that the clause does not have"
    for who, groups in extra.items():
        found = words("; ".join(said[who]))
        if not any(all(_states(found, key) for key in keys) for keys in groups):
            return f"TERMS: '{' '.join(who)}' what?"
    return ""


_IRREGULAR = {"paid": "pay", "kept": "keep", "held": "hold", "sent": "send", "given": "give", "made": "make"}
_IRREGULAR |= {"taken": "take", "sold": "sell", "left": "leave", "borne": "bear", "brought": "bring"}


@lru_cache(maxsize=4096)
def _denied(text: str) -> frozenset[str]:
    """What a text denies: the stem of the first telling word after each denial."""
    found = set()
    pieces = _DENIAL.split(_BOUND.sub(" ", plain(text)))
    for piece in pieces[1:]:
        plainly = [_IRREGULAR.get(word, word) for word in words(piece)[:6]]
        telling = [word for word in plainly if len(word) > 3 and word not in _WEAK]
        found |= {_stem(word) for word in telling[:1]}
    return frozenset(found)


@lru_cache(maxsize=4096)
def _world(passage: str) -> tuple[Figures, frozenset[str]]:
    return figures(passage), frozenset(words(passage))


def beyond(text: str, passage: str, facts: Mapping[str, Any]) -> str:
    """The first number, amount, date or name that the passage does not hold, or ""."""
    text = re.sub(re.escape(facts["number"]), " ", text, flags=re.IGNORECASE)
    said, (world, known) = figures(text), _world(passage)
    numbers = world.numbers() | {1.0}
    units = {unit for _, unit in world.counts}
    for money in said.money - world.money:
        return f"an amount that the clause does not have: {money[0]} {money[1]:,.2f}"
    for percent in said.percents - world.percents:
        return f"a percentage that the clause does not have: {percent:g}"
    for day in said.dates - world.dates:
        return f"a date that the clause does not have: {day}"
    for number, unit in said.counts - world.counts:
        if number not in numbers or (unit in _TIME_UNITS and (unit in units or number != 1)):
            return f"a number that the clause does not have: {number:g} {unit}".rstrip()
    own = {
        word for variant in facts["terms"] for _, _, keys in variant for key in keys for word in words(" ".join(key))
    }
    own |= {word for _, role in facts["parties"] for word in (role, "party", "either")} | set(words(facts["number"]))
    for sentence in re.split(r"[.;:!?()\n]+\s*|^\s*[-*]\s*", text):
        for name in _NAME.findall(sentence)[1:]:
            if name[0].isupper() and not all(_known(word, known, own) for word in words(name)):
                return f"a name that the clause does not have: {name}"
    return ""


def _known(word: str, known: Iterable[str], own: Iterable[str]) -> bool:
    return (
        word in known
        or word in own
        or word in _CURRENCIES
        or word in _MONTHS
        or any(same_word(word, other) for other in (*known, *own))
    )


# --- the scorers -----------------------------------------------------------------------------------------------------


def summary(*, suite_path: str) -> Scorer:
    """1 if the answer keeps the house format, states every fact of the clause rightly and nothing beyond it; else 0.

    TERMS is free in wording: who is bound or entitled (role), must, must not or may, and the telling words of each
    part have to be there, in any order, with other endings or one of the listed synonyms.
    Bounds turned round (at most for at least), opposites, and parts mostly in words that the clause lacks score 0.
    What is not covered: a wrong relation between right words ("return the deposit before the keys"), a small claim in
    plain words inside a right part, and right synonyms that are not listed (they score 0).
    """
    passages = _passages(suite_path)

    def score(sample: Sample, completion: Completion) -> Score:
        found = parse(completion.text)
        if isinstance(found, str):
            return Score(0.0, completion.text[:200], found)
        why = wrong(found, sample, passages.get(str(sample.metadata["passage"]), ""))
        return Score(float(not why), completion.text[:2_000], why)

    return score


def house_format(*, suite_path: str) -> Scorer:
    """1 if the answer is six lines in the house format, whatever they state; else 0."""

    def score(sample: Sample, completion: Completion) -> Score:
        found = parse(completion.text)
        return Score(float(not isinstance(found, str)), completion.text[:200], found if isinstance(found, str) else "")

    return score


def facts(*, suite_path: str) -> Scorer:
    """The share, 0..1, of the clause's facts that stand in the answer, in whatever format.

    Facts: contract number, both names, matter, who must or may what, every telling phrase, amount, payer, date, notice.
    What is not covered: whether a fact stands in its place, and whether a wrong one stands beside it.
    """

    def score(sample: Sample, completion: Completion) -> Score:
        if len(completion.text) > MAX_CHARACTERS:
            return Score(0.0, "", f"{len(completion.text)} characters are no summary")
        text = visible(completion.text)
        counts = [_found(text, sample.metadata["facts"], terms) for terms in sample.metadata["facts"]["terms"]]
        best = max(counts, key=lambda found: sum(found.values()) / len(found))
        missing = [name for name, hit in best.items() if not hit]
        value = 1 - len(missing) / len(best)
        return Score(value, text[:200], f"missing: {', '.join(missing[:6])}" if missing else "")

    return score


def invented(*, suite_path: str) -> Scorer:
    """1 if the answer states nothing in figures or names that the clause does not have; else 0.

    An answer without a single fact of the clause gets 0: saying nothing is no merit.
    What is not covered: claims in plain words.
    """
    passages = _passages(suite_path)
    share = facts(suite_path=suite_path)

    def score(sample: Sample, completion: Completion) -> Score:
        if share(sample, completion).value == 0:
            return Score(0.0, completion.text[:200], "states no fact of the clause")
        passage = passages.get(str(sample.metadata["passage"]), "")
        lines = "\n".join(re.sub(r"^\s*[A-Z]+:", "", line) for line in visible(completion.text).splitlines())
        why = beyond(lines.replace(NONE, ""), passage, sample.metadata["facts"])
        return Score(float(not why), completion.text[:200], why)

    return score


def _found(text: str, gold: Mapping[str, Any], terms: Sequence[Sequence[Any]]) -> dict[str, bool]:
    """Every fact of a clause, and whether a text states it."""
    said, low, found = figures(text), plain(text), words(text)
    hits = {"number": _code(gold["number"]) in _code(text), "matter": plain(gold["heading"]) in low}
    for name, _ in gold["parties"]:
        hits[name] = _name(name) in _name(text)
    for role, modal, keys in terms:
        other = {"must": "must|shall|has to|is to", "may": "may|can", "must not": "must not|may not|shall not|cannot"}
        hits[f"{role} {modal}"] = bool(re.search(rf"\b{role} (?:{other[modal]})\b", low))
        for key in keys:
            hits[key[0]] = _states(found, key)
    for item in gold["money"][0]:
        match = _ITEM.fullmatch(item)
        assert match is not None
        stated = figures(match[3])
        hits[match[3]] = stated.money <= said.money and stated.percents <= said.percents
        if match[1]:
            hits[f"{match[1]} pays"] = f"{match[1]} pays" in low or f"{match[1]} must pay" in low
    for day in gold["dates"]:
        hits[day] = day in said.dates
    for period in gold["notice"]:
        hits[period] = figures(period).counts <= said.counts
    return hits


@lru_cache(maxsize=8)
def _passages(suite_path: str) -> Mapping[str, str]:
    """The clauses by id. The closed world of a sample is the clause it asks for."""
    lines = Path(suite_path, "corpus.jsonl").read_text("utf-8").splitlines()
    return {row["id"]: row["text"] for row in map(json.loads, lines)}
