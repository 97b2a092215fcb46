"""Scores a clause summary: the house format, the facts of the clause, and nothing beyond the clause.

The gold is metadata `facts`; the closed world is the passage of corpus.jsonl that metadata `passage` names.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
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
WORDING = "wording.txt"
MANY = 4
"""So many telling phrases in words that nobody listed are no summary."""


def _tables() -> dict[str, tuple[tuple[str, ...], ...]]:
    """The lines of wording.txt by their label, each a group of words."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for line in Path(__file__).with_name(WORDING).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            label, group = line.split(": ", 1)
            found.setdefault(label, []).append(tuple(group.split("|")))
    return {label: tuple(groups) for label, groups in found.items()}


_WORDING = _tables()


def _listed(label: str) -> list[str]:
    return [word for group in _WORDING[label] for word in group]


def _mapped(label: str) -> dict[str, str]:
    return {group[0]: group[1] for group in _WORDING[label]}


_MONTHS, _SMALL, _ORDINALS = _listed("month"), _listed("number"), _listed("ordinal")
_TENS = {word: 10 * i for i, word in enumerate(_listed("tens"), 2)}
_CURRENCIES, _UNITS, _EVERY = _mapped("currency"), _mapped("unit"), _mapped("every")
_TIME_UNITS = frozenset(_listed("time unit"))
_EVENTS, _UNIT_WORDS = frozenset(_listed("event")), frozenset(_listed("unit word"))
_PARTICLES, _LINKING, _WEAK = frozenset(_listed("particle")), frozenset(_listed("linking")), frozenset(_listed("weak"))
_IDLE_WORDS = _WEAK | _LINKING | frozenset(_listed("light") + _listed("shade"))
_GLUE_WORDS = _WEAK | _LINKING | frozenset(_listed("light") + _listed("glue"))
_LEAVING = frozenset(_listed("leaving"))
_FORMS = {form: group[0] for group in _WORDING["form"] for form in group[1:]}

_AMOUNT = r"(?:[A-Z]{3} \d{1,3}(?:,\d{3})*\.\d{2}|\d+(?:\.\d+)? percent)"
_ITEM = re.compile(
    rf"(?:([a-z]+) pays|(cap|cover)) ({_AMOUNT})((?: per(?: [a-z-]+){{1,5}})?)(?: for((?: [a-z'-]+){{1,5}}))?"
)
_SAID = re.compile(r"\b(cover(?= at least)|cap(?= (?:at most|up to))) (?:at least|at most|up to)\b")
_PARTIES = re.compile(r"([^(),;]+) \(([a-z]+)\), ([^(),;]+) \(([a-z]+)\)")
_MATTER = re.compile(r"([^,;]{3,20}), ([^A-Z;]{2,60})")
_PERIOD = re.compile(r"[1-9]\d* [a-z]+(?: [a-z]+)?")
_LEAD = r"(?:if|when|where|once|in|after|for|until|on|otherwise|else|failing|then|which)\b"
_PART = re.compile(
    rf"({_LEAD}[^;]*?,?)?\s*(?:the )?"
    r"(either party|[a-z]+)(, [^,;]+,)? (must not|must never|may not|must|may),? (\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_NEXT = (
    r"(?:,|,? and|,? but|,? or)( (?:otherwise|else|failing (?:that|which|this)|then|which))? (?:the )?"
    r"(({0}) (?:must not|must never|may not|must|may)) "
)
_SAME_MODAL = {"must never": "must not", "may not": "must not"}
_AGAIN = re.compile(r"(?:, and|,| and|, but| but) (?=(?:must not|must never|may not|must|may) )", re.IGNORECASE)
_BOUND = re.compile(
    r"\b(?:not|no) (?:more|later|less|longer|sooner|earlier|above|below|over|under)\b|\bat or (?:above|below)\b"
)
_NOT = r"not|never|no|nor|neither|nothing|nobody|without|\w+n't"
_BUT = r"unless|except|excluding|excepted|save|barring|other than|apart from|but for"
_DENIAL = re.compile(rf"\b(?:(?P<no>{_NOT})|(?P<but>{_BUT}))\b")
_LEFT_OUT = re.compile(
    r"\b(?:left out|excluded|excepted|ends? where|an excuse|not count(?:ed)?|void|"
    r"(?:no|not) \w+ is (?:needed|necessary)|not apply)\b"
)

_MONTH = "|".join(_MONTHS)
_DATES = (
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})\b"),
    re.compile(rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m>{_MONTH}),? (?P<y>\d{{4}})\b"),
    re.compile(rf"\b(?P<m>{_MONTH}) (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}})\b"),
    re.compile(r"\b(?P<d>\d{1,2})[./](?P<m>\d{1,2})[./](?P<y>\d{4})\b"),
)
_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_SIGN = r"us\$|[€£$]|\b(?:eur|gbp|usd|chf)\b"
_WORD = r"euros?|pounds?|dollars?|swiss francs|francs|eur|gbp|usd|chf"
_MONEY = (
    re.compile(rf"(?P<c>{_SIGN}) ?(?P<n>{_NUMBER})(?P<k> million)?"),
    re.compile(rf"\b(?P<n>{_NUMBER})(?P<k> million)? ?(?P<c>{_WORD}|[€£$])(?!\w)"),
)
_PERCENT = re.compile(rf"\b({_NUMBER}) ?(?:percent\b|per cent\b|%)")
_COUNT = re.compile(rf"(?<![\w.])({_NUMBER})(?: (working days?|[a-z]+))?")
_SHORT = re.compile(r"(?:(?<=\d)|(?<=\d )|\b)(?:kg|km|gb|tb|db|hrs|mins)\b| ?°c?")
_SPELLED = re.compile(rf"\b(?:({'|'.join(_TENS)})(?:[- ]({'|'.join(_SMALL[1:10])}))?|({'|'.join(_SMALL)}))\b")
_ORDINAL = re.compile(rf"\b(?:{'|'.join(_ORDINALS)})\b")
_STRICT = re.compile(rf"\d|\b(?:{_NOT}|{_BUT}|only|if|when|before|first|late|more|above|over|under|below)\b")
"""Telling phrases for which no other word stands: figures, conditions, exceptions and bounds."""
_IDLE = re.compile(
    r"\b(?:without (?:it|this|that|them|one)\b|if not\b|if (?:it|they|\w+) (?:does|do|is|are|has|have) not(?! \w)|"
    r"says? no to|saying no to|not without|without delay|without fail|without exception|whether or not|no matter)\b"
)
_TURNS = {
    "must not": {
        "may": r"\b(?:only|solely|unless|without|except|not|never|nor)\b",
        "must": r"\b(?:refrain|avoid|abstain|ban|no|not|nobody|nothing|none|only|solely|without|free|off|out of|away|"
        r"leave \w+ \w+ to|los(?:e|ing)|no longer|despite|even (?:if|with)|in spite of|at least|at or above)\b",
    },
    "may": {"must not": rf"\b(?:{_NOT}|{_BUT}|only|before|until)\b"},
}
"""By the modal of the gold: the modals that say the same, if the part also holds such a word."""
_SPARED = {
    (one, other): rf"{sign}|{_DENIAL.pattern}|\bonly\b"
    for one, turns in _TURNS.items()
    for other, sign in turns.items()
}
_LINKS = re.compile(
    r"([,;]|\b(?:with|by|to|at|on|in|for|from|plus|including|and|or|after|before|until|if|when|unless|except|as|of|than|via|"
    r"through|under|per|during|about|against|once|where|while|because|so)\b)"
)
_ADDING = frozenset(["with", "plus", "including", "also"])
_AND = re.compile(r",? and |,")
_CONJUNCTS = re.compile(r",? and |, (?:but )?(?!as |since |because |which |so )|\bbut (?=not\b)")
_CONDITION = re.compile(r"\b(?:if|when|where|once)\b[^,;]*")
_TIME = re.compile(
    r"\b(?:(?P<until>until|till|before|prior to|up to)|(?:from|after|since|following))(?: the| its)? (?P<event>\w+)"
)
_PRONOUN = re.compile(r"\b(?:it|this|these|them|then)\b", re.IGNORECASE)
_FRACTION = re.compile(r"\b(?:half|halves|double|triple)\b")
_DESPITE = re.compile(
    r"\b(?:regardless|irrespective|whatever (?:happens|the|comes)|no matter|even (?:if|when|though|where)|despite|"
    r"in any case|always|anyway|at (?:any|all) times?|any time)\b"
)
_EXCUSE = re.compile(
    r"\b(?:whether or not|all the same|nonetheless|not excuse|any hour|at any|also when|even|in any)\b"
)
_LOOSELY = r"\b(?:in|inside|under|cap of|limit of|exceed|exceeds|exceeding|beyond|past|from|every|latest|or)"
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


@lru_cache(maxsize=8192)
def plain(text: str) -> str:
    """Small letters, number words as digits, one space between words.

    >>> plain("Thirty-five  days")
    '35 days'
    """
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("per cent", "percent")
    text = re.sub(r"\btwice\b", "2 times", re.sub(r"\bon[ -]line\b", "online", text))
    text = _SHORT.sub(lambda match: f" {_UNITS[match[0].strip()]}", text)
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


_ENDINGS = ("ations", "ation", "ments", "ment", "ings", "ing", "ed", "es", "s", "e", "y")


@lru_cache(maxsize=16_384)
def _stem(word: str) -> str:
    word = _FORMS.get(word, word)
    for ending in _ENDINGS:
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def same_word(one: str, other: str) -> bool:
    """Equal but for the ending: insure and insurance, day and days.

    >>> same_word("deliver", "delivery"), same_word("30", "300")
    (True, False)
    """
    if one == other:
        return True
    if not (one.isalpha() and other.isalpha()) or "without" in (one, other):
        return False
    return _same_stem(_stem(one), _stem(other))


def _same_stem(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    longest = len(short) + (3 if len(short) == 4 else 5)
    return short == long or (len(short) >= 4 and len(long) <= longest and long.startswith(short))


@lru_cache(maxsize=1024)
def _stems_of(group: tuple[str, ...]) -> frozenset[str]:
    return frozenset(_stem(one) for one in group if one.isalpha())


@lru_cache(maxsize=4096)
def _readings(phrase: str) -> tuple[str, ...]:
    """A telling phrase and what means the same in any contract."""
    stem = _stem(phrase.lower()) if phrase.isalpha() else phrase
    groups = [group for group in _WORDING["same"] if phrase in group or stem in _stems_of(group)]
    found = [other for group in groups for other in group]
    return tuple(dict.fromkeys((phrase, *found)))


_LIGHT, _GLUE = (
    frozenset(_stem(word) for label in ("light", more) for word in _listed(label) if len(word) > 3)
    for more in ("shade", "glue")
)
_LOADED = frozenset(_stem(word) for word in _listed("loaded"))


def _by_stem() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for group in _WORDING["same"]:
        stems = {_stem(one) for one in group if " " not in one}
        for stem in stems:
            found.setdefault(stem, set()).update(stems)
    return found


_SAME_STEMS = _by_stem()


def _alike(word: str) -> set[str]:
    """The stems of the words that mean the same as a word, and its own."""
    stem = _stem(word)
    return {stem} | _SAME_STEMS.get(stem, set())


def _states(text: Sequence[str], key: Iterable[str]) -> bool:
    """Whether a text holds a telling phrase in one of its readings."""
    return any(holds(text, reading) or _leaves_out(text, reading) for phrase in key for reading in _readings(phrase))


def _leaves_out(text: Sequence[str], phrase: str) -> bool:
    """Whether a phrase such as "not Sundays" is said in other words: "with the exception of Sundays"."""
    sign, _, word = phrase.lower().partition(" ")
    if sign not in ("not", "except", "excluding", "without") or not word.isalpha():
        return False
    near = (text[max(0, i - 4) : i + 4] for i, one in enumerate(text) if same_word(word, one))
    return any(one in _LEAVING for some in near for one in some)


def holds(text: Sequence[str], phrase: str) -> bool:
    """Whether the words of a phrase stand in a text side by side; a unit may be two words off its number.

    >>> holds(["3", "successive", "deliveries"], "3 deliveries")
    True
    """
    wanted = words(phrase)
    size = len(wanted)
    if size == 2 and wanted[0].isdigit() and wanted[1].isalpha():
        if wanted[1] != "times" and singular(wanted[1]) not in _TIME_UNITS:
            return wanted[0] in text and any(same_word(wanted[1], word) for word in text)
        places = [i for i, word in enumerate(text) if word == wanted[0]]
        near = [text[i + 1 : i + (7 if text[i + 1 : i + 2] in (["and"], ["or"]) else 4)] for i in places]
        near += [text[:i] for i in places if text[i + 1 : i + 2] in ([], ["and"], ["or"])]  # "and parts for 18"
        return any(wanted[1] == "times" or any(same_word(wanted[1], word) for word in unit) for unit in near)
    if (
        size == 2
        and wanted[1] in _PARTICLES
        and any(same_word(wanted[0], word) and wanted[1] in text[i + 1 : i + 5] for i, word in enumerate(text))
    ):
        return True  # "pass the claim on"
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
    money = tuple(_SAID.sub(r"\1", item) for item in _items(values[3]))
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
    again = re.compile(_NEXT.format("|".join((*roles, EITHER))), re.IGNORECASE)
    for part in _items(text) or ("",):
        part = re.sub(rf"\b({'|'.join(roles)}), who (?={'|'.join(MODALS)})", r"\1; \1 ", part)
        for piece in [part] if re.match(_LEAD, part) else again.sub(r";\1 \2 ", part).split(";"):
            match = _PART.fullmatch(piece.strip())
            if not match or match[2].lower() not in (*roles, EITHER):
                return f"TERMS: '{piece[:40]}' does not begin with a role and must, must not or may"
            role, modal = match[2].lower(), match[4].lower()
            first, *more = _AGAIN.split(match[5] + (f" {match[1]}" if match[1] else "") + (match[3] or ""))
            found.append((role, _SAME_MODAL.get(modal, modal), first))
            for extra in more:
                modal = next(modal for modal in (*_SAME_MODAL, *MODALS) if extra.lower().startswith(f"{modal} "))
                found.append((role, _SAME_MODAL.get(modal, modal), extra[len(modal) :].strip()))
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


_Parts = dict[tuple[str, str], list[str]]


class Held(NamedTuple):
    """TERMS held to one gold version of it. left_out and unknown: the telling phrases that are not found."""

    wrong: str
    left_out: tuple[str, ...]
    unknown: tuple[str, ...]
    facts: int

    def worth(self, others: int) -> float:
        """0 if something is wrong, else the share of facts, halved if one is left out. others: those of other lines."""
        if self.wrong:
            return 0.0
        total = self.facts + others
        share = 1 - (len(self.left_out) + len(self.unknown) / 2) / total
        return share if not self.left_out and len(self.unknown) < MANY else share / 2


def judge(summary: Summary, sample: Sample, passage: str) -> tuple[float, str]:
    """(value 0..1, what is missing or wrong) of a well-formed summary."""
    facts = sample.metadata["facts"]
    if why := _wrong_lines(summary, facts, passage):
        return 0.0, why
    sources = (passage, sample.target, *facts["wordings"])
    others = 4 + sum(max(1, len(found)) for found in (summary.money, summary.dates, summary.notice))
    every = [_held(summary.terms, variant, sample, passage) for variant in facts["terms"]]
    held = max(every, key=lambda one: one.worth(others))
    why = (
        held.wrong
        or beyond(summary.terms_text, passage, facts)
        or turned(summary.terms_text, sources)
        or _swapped(summary.terms, sample)
        or _exchanged(summary.terms_text, sources[1:])
        or _despite(summary.terms_text, sources)
        or _affirmed(summary.terms_text, passage)
        or _either(summary.terms, sources)
        or _unfounded(summary.terms, sources, facts, len(held.unknown))
    )
    if why:
        return 0.0, why
    if loose := _unbound(summary, sample):
        return held.worth(others) / 2, loose
    if added := _added(summary, sample, passage):
        return held.worth(others) / 2, f"TERMS: the clause does not say {', '.join(map(repr, added))}"
    missing = [*held.left_out, *held.unknown]
    return held.worth(others), f"TERMS: missing or not known in these words: {', '.join(missing)}" if missing else ""


def _wrong_lines(summary: Summary, facts: Mapping[str, Any], passage: str) -> str:
    """The first thing in the lines other than TERMS that is not so, or ""."""
    parties = frozenset((_name(name), role) for name, role in facts["parties"])
    if summary.parties != parties:
        return f"PARTIES are not {', '.join(f'{name} ({role})' for name, role in facts['parties'])}"
    if summary.number != _code(facts["number"]):
        return f"the contract is {facts['number']}"
    if summary.heading != plain(facts["heading"]):
        return f"the matter is {facts['heading']}"
    roles = {role for _, role in facts["parties"]}
    if not any(_same_money(summary.money, money, passage, roles) for money in facts["money"]):
        return f"MONEY is not {'; '.join(facts['money'][0]) or NONE}"
    if list(summary.dates) != facts["dates"]:
        return f"DATES are not {'; '.join(facts['dates']) or NONE}"
    told = figures(summary.terms_text).counts
    elsewhere = facts.get("notice_in_terms") and all(figures(one).counts <= told for one in facts["notice"])
    if sorted(map(_loose, summary.notice)) != sorted(map(_loose, facts["notice"])) and (
        summary.notice or not elsewhere
    ):
        return f"NOTICE is not {'; '.join(facts['notice']) or NONE}"
    return ""


_UP = (
    r"at least|(?:a )?minimum(?: [a-z]+)? of|minimum|(?:no|not) (?:less|fewer|sooner|earlier) than|"
    r"over|more than|above|exceeding|longer than|later than|after"
)
_DOWN = (
    r"at most|(?:a )?maximum(?: [a-z]+)? of|maximum|(?:no|not) (?:more|later|longer) than|up to|below|under|less than|"
    r"fewer than|within|by"
)
_BEFORE = re.compile(rf"\b(?:(?P<up>{_UP})|(?P<down>{_DOWN}))\b(?: the| each| every)? ?\Z")
_AFTER = re.compile(
    r"(?: percent)?(?: (?:working )?[a-z]+)?"
    r" (?:(?P<up>or more|after|past|beyond|following|at least|minimum)|"
    r"(?P<down>or less|or fewer|at most|maximum|before|ahead|prior|beforehand))\b"
)


def _bounds(text: str) -> dict[tuple[float, str], set[str]]:
    """For each number of a text, by what stands before or after it: the ways ("up", "down") in which it bounds."""
    text = plain(re.sub(r"\((\d+)\)", " ", text))
    found: dict[tuple[float, str], set[str]] = {}
    for match in re.finditer(_NUMBER, text):
        value = float(match.group().replace(",", ""))
        before = _BEFORE.search(re.sub(rf"(?:{_SIGN}) ?\Z", "", text[: match.start()]))
        after = _AFTER.match(text, match.end())
        for place, one in (("before", before), ("after", after)):
            if one and not (one.group().startswith("by") and _PERCENT.match(text, match.start())):
                found.setdefault((value, place), set()).add(str(one.lastgroup))
    return found


def _both(one: str, other: str, said: Iterable[str], world: Iterable[str]) -> bool:
    """Whether a text with `one` has the `other`, too, in any words, and its source both: "indoors", "outside walls"."""
    other_said = any(same_word(word, like) for word in said for like in _alike(other))
    return other_said and any(same_word(word, like) for word in world for like in _alike(one))


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
    if "not only" in plain(text) and not any("not only" in plain(source) for source in sources):
        return "TERMS: 'not only', which the clause does not have"
    sources = tuple(sources)
    said = set(words(_BOUND.sub(" ", plain(text))))
    world = {word for source in sources for word in words(_BOUND.sub(" ", plain(source)))}
    units = {_EVERY.get(word, singular(word)) for word in world}
    for word in said:
        if word.startswith("un") and word[2:] in world and word not in world and not _is_denied(word[2:], sources):
            return f"TERMS: '{word}', the clause has '{word[2:]}'"
        if singular(word) in _TIME_UNITS and singular(word) not in units:
            return f"TERMS: '{word}' is not in the clause"
        if word in _EVERY and _EVERY[word] not in units:
            return f"TERMS: '{word}' is not in the clause"
    times, usual = _times([text]), _times(sources)
    for event in times.keys() & usual.keys():
        if not times[event] & usual[event]:
            return f"TERMS: '{event}' is a time the other way round"
    for pair in _WORDING["opposite"]:
        for one, other in (pair, pair[::-1]):
            if one in said and one not in world and other in world and not _both(one, other, said, world):
                return f"TERMS: '{one}', the clause has '{other}'"
    stems = _stems(sources)
    for group in _WORDING["sibling"]:
        mine = [one for one in group if one not in world and any(same_word(one, word) for word in said)]
        strange = [one for one in mine if not _is_known(one, stems)]
        left = [one for one in group if one in world and not any(same_word(one, word) for word in said)]
        if strange and left:
            return f"TERMS: '{strange[0]}', the clause has '{left[0]}'"
    for match in _FRACTION.finditer(plain(text)):
        if not _is_known(match[0], stems):
            return f"TERMS: '{match[0]}', which the clause does not say"
    return ""


def _times(texts: Iterable[str]) -> dict[str, set[str]]:
    """For each event of some texts, whether they say "until" it, "from" it, or both."""
    found: dict[str, set[str]] = {}
    for text in texts:
        for match in _TIME.finditer(plain(text)):
            if match["event"].isalpha() and match["event"] not in _IDLE_WORDS:
                found.setdefault(_stem(match["event"]), set()).add("until" if match["until"] else "from")
    return found


def _is_denied(word: str, sources: Sequence[str]) -> bool:
    """Whether a source denies a word ("without a booking")."""
    return any(same_word(word, other) for source in sources for _, _, right in _denials(source) for other in right)


def _swapped(terms: Iterable[tuple[str, str, str]], sample: Sample) -> str:
    """A telling phrase of what a role must not do, told as what it may or must do (or the other way), or ""."""
    facts = sample.metadata["facts"]
    roles = [role for _, role in facts["parties"]]
    said = _by_role(terms, roles)
    right = [_by_role(parts, roles) for parts in _right_terms(sample)]
    listed = [_by_role(parts, roles) for parts in (*facts["terms"], facts["optional"])]
    for variant in facts["terms"]:
        for (role, modal), groups in _by_role(variant, roles).items():
            for other in {"must not": ("may", "must"), "may": ("must not",)}.get(modal, ()):
                told = "; ".join(said.get((role, other), ()))
                allowed = words("; ".join(text for gold in right for text in gold.get((role, other), ())))
                allowed += [word for gold in listed for keys in gold.get((role, other), ()) for key in keys
                            for one in key for word in words(one)]  # fmt: skip
                if not told or (other == "must" and not allowed) or re.search(_SPARED[modal, other], plain(told)):
                    continue
                for keys in groups:
                    stated = [key for key in keys if any(holds(words(told), one) for one in key)]
                    key = next((key for key in stated if not _states(allowed, key)), None)
                    if key and (stated == keys or (modal == "must not" and key is keys[0])):
                        return f"TERMS: '{role} {other}' has what it {modal}: '{key[0]}'"
    return ""


def _exchanged(text: str, sources: Sequence[str]) -> str:
    """Two figures of one unit, or two opposites, in each other's place by the words beside them, or ""."""
    said: dict[str, dict[float, set[str]]] = {}
    world: dict[str, dict[float, set[str]]] = {}
    for found, texts in ((said, [text]), (world, sources)):
        unit = ""  # that of the figure before: "labour for 18 months and parts for 30"
        for part in (part for one in texts for part in re.split(r"[;,\n]| and ", f"\n{one}")):
            tokens = words(part)
            unit = unit if part.strip() else ""
            for i, token in enumerate(tokens):
                if token[0].isdigit():
                    unit = singular(tokens[i + 1]) if tokens[i + 1 : i + 2] not in ([], ["and"], ["or"]) else unit
                    around = [*tokens[max(0, i - 4) : i], *tokens[i + 2 : i + 5]]
                    beside = {_stem(word) for word in around if len(word) > 1 and word not in ("the", "of", "in", "is")}
                    found.setdefault(unit, {}).setdefault(float(token), set()).update(beside)
    for unit, near in said.items():
        values = sorted(near.keys() & world.get(unit, {}).keys())
        for i, one in enumerate(values):
            for other in values[i + 1 :]:
                gold = world[unit]
                straight = len(near[one] & gold[one]) + len(near[other] & gold[other])
                crossed = len(near[one] & gold[other]) + len(near[other] & gold[one])
                if crossed > straight:
                    return f"TERMS: {one:g} {unit} and {other:g} {unit} are exchanged"
    for this, that in _WORDING["opposite"]:
        mine, theirs = _beside(this, that, [text]), _beside(this, that, sources)
        if all(mine + theirs):
            straight = len(mine[0] & theirs[0]) + len(mine[1] & theirs[1])
            if len(mine[0] & theirs[1]) + len(mine[1] & theirs[0]) > straight:
                return f"TERMS: {this} and {that} are exchanged"
    return ""


def _beside(one: str, other: str, texts: Iterable[str]) -> list[set[str]]:
    """For each of two words, the stems of the telling words near it in some texts."""
    found: list[set[str]] = [set(), set()]
    for text in texts:
        tokens = words(text)
        for i, token in enumerate(tokens):
            for near, word in zip(found, (one, other), strict=True):
                if same_word(token, word):
                    near.update(_stem(telling) for telling in _telling(" ".join(tokens[max(0, i - 1) : i + 5])))
    return found


_BEARING = re.compile(r"\b(?:own (?:cost|expense|pocket)|itself|charg\w+|nothing|bear\w*|free)\b")


def _despite(text: str, sources: Sequence[str]) -> str:
    """The words of a text that lift a condition or shift a cost although neither clause nor wordings do so, or ""."""
    found = _DESPITE.search(plain(text))
    if found and not any(_DESPITE.search(plain(one)) or _EXCUSE.search(plain(one)) for one in sources):
        return f"TERMS: '{found[0]}', which the clause does not say"
    if re.search(r"\bits own (?:cost|expense)\b", plain(text)) and not any(map(_BEARING.search, map(plain, sources))):
        return "TERMS: 'its own cost', which the clause does not say"
    for match in re.finditer(r"\b(\w+)'s (?:own )?(?:cost|expense|risk)s?\b", plain(text)):
        if not any(re.search(rf"{match[0]}|cost of|\b{match[1]} pays", plain(one)) for one in sources):
            return f"TERMS: '{match[0]}', which the clause does not say"
    return ""


_INCLUDING = re.compile(r"\b(?:including|includes?|also for|even for)\b([^;,]*)")
_INCLUDED = re.compile(r"([^;,]*)\b(?<!not )included\b")


def _affirmed(text: str, passage: str) -> str:
    """What a text includes although the clause leaves it out, or ""."""
    listed = [_telling(match[1])[:2] for match in _INCLUDING.finditer(plain(text))]
    listed += [_telling(match[1])[-2:] for match in _INCLUDED.finditer(plain(text))]
    for found in listed:
        for word in found:
            for sentence in re.split(r"[.;] ", plain(passage)):
                if any(same_word(word, one) for one in words(sentence)) and _LEFT_OUT.search(sentence):
                    return f"TERMS: '{word}', which the clause leaves out"
    return ""


def _either(terms: Iterable[tuple[str, str, str]], sources: Sequence[str]) -> str:
    """Two things that a role must do or have both and of which TERMS asks for one or the other, or ""."""
    world = [_joined(source) for source in sources]
    for _, modal, what in terms:
        first, *later = re.split(r"\b(?:if|when|where|unless|except|without|not|after|before|for|of)\b", plain(what))
        for part in (first, *later) if modal == "must" and not _DENIAL.search(plain(what)) else ():
            for link, left, right in _joined(part):
                same = [one for found in world for one, *sides in found if _share(sides, (left, right))]
                if link == "or" and same and "or" not in same:
                    return f"TERMS: '{left[-1]} or {right[0]}' for both"
    return ""


def _joined(text: str) -> list[tuple[str, list[str], list[str]]]:
    """("and" or "or", the two telling words before it, the two after it) wherever a text joins things."""
    found = []
    for match in re.finditer(r"\b(and|or)\b(?! else\b| otherwise\b)", plain(text)):
        left = _telling(re.split(r"[.;]", plain(text)[: match.start()])[-1])[-2:]
        right = _telling(re.split(r"[.;]", plain(text)[match.end() :])[0])[:3]
        if left and right:
            found.append((match[1], left, right))
    return found


def _share(sides: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> bool:
    return all(any(same_word(one, other) for one in mine for other in theirs)
               for mine, theirs in zip(sides, others, strict=True))  # fmt: skip


def _unbound(summary: Summary, sample: Sample) -> str:
    """The first number that every right wording bounds (at least, within, over) and TERMS states bare, or ""."""
    gold = next(line for line in sample.target.splitlines() if line.startswith("TERMS: "))
    right = [gold, *sample.metadata["facts"]["wordings"]]
    for value in sorted({value for value, _ in _bounds(gold)}):
        shape = rf"(?<![\d.]){value:g}(?![\d.])"
        having = [text for text in right if re.search(shape, plain(text))]
        told = plain(summary.terms_text)
        if not all(any(value == one for one, _ in _bounds(text)) for text in having) or not re.search(shape, told):
            continue
        ways = {way for text in having for (one, _), found in _bounds(text).items() if one == value for way in found}
        loosely = rf"(?:{_LOOSELY}|\b(?:for|during)\b)" if ways != {"up"} else _LOOSELY
        if not any(value == one for one, _ in _bounds(told)) and not re.search(rf"{loosely} (?:the |a )?{shape}", told):
            return f"TERMS: {value:g} without its bound"
    return ""


def _unfounded(
    terms: Iterable[tuple[str, str, str]], sources: Iterable[str], facts: Mapping[str, Any], unknown: int
) -> str:
    """The first thing in TERMS all or most of whose telling words neither the clause nor a known wording has, or ""."""
    roles = [role for _, role in facts["parties"]]
    known = _known_words((*sources, *roles), facts)
    every, strange = 0, 0
    for role, modal, what in terms:
        why = f"TERMS: {role} {modal} '{{}}': the clause does not say so"
        for piece in re.split(r",|\band\b", what):
            telling, new = _claims(piece, known)
            every, strange = every + len(telling), strange + len(new)
            if loaded := next((word for word in new if _stem(word) in _LOADED), ""):
                return why.format(loaded)
            if len(new) >= 2 + unknown and 2 * len(new) > len(telling):
                return why.format(piece.strip()[:40])
        links = ["", *_LINKS.split(plain(what))]
        pieces = [*zip(links[2::2], links[3::2], strict=True), *(("also", one) for one in _AND.split(plain(what))[1:])]
        for link, piece in pieces:
            telling, new = _claims(piece, known)
            if link in _ADDING and telling and len(new) == len(telling):
                unknown -= 1
                if unknown < 0:
                    return why.format(piece.strip()[:40])
    if strange >= 3 + unknown and 4 * strange > every:
        return "TERMS: too much that the clause does not say"
    return ""


def _added(summary: Summary, sample: Sample, passage: str) -> list[str]:
    """The words of TERMS that claim something, that nothing bears out, and that stand for no word of a right wording.

    A word is borne out by the clause, the question, a right wording or a telling phrase, with another ending or in a
    listed synonym. One that is not may be an unlisted synonym: it then stands for a word that the nearest right
    wording lays on the same role and that the answer lacks. Words beyond that are additions.
    """
    facts = sample.metadata["facts"]
    roles = [role for _, role in facts["parties"]]
    texts = (passage, sample.target, *facts["wordings"])
    keys = (phrase for variant in facts["terms"] for _, _, groups in variant for key in groups for phrase in key)
    world, said = Lexicon((*texts, *roles, *keys), str(sample.input)), Lexicon((summary.terms_text,))
    lacking = [
        Counter(role for role, _, what in parts for word in _standing(what) if not said.bears_out(word, what))
        for parts in _right_terms(sample)
    ]
    nearest = min(lacking, key=Counter.total)
    added: list[str] = []
    for role, _, what in summary.terms:
        for word in _claiming(what):
            if not world.bears_out(word, what):
                owner = next((one for one in (role, EITHER, *(roles if role == EITHER else ())) if nearest[one]), None)
                if owner:
                    nearest[owner] -= 1
                else:
                    added.append(word)
    told, spaced = _spaced(summary.terms_text), [_spaced(text) for text in texts]
    added += [
        one
        for one in _listed("phrase")
        if f" {one} " in told
        and tuple(one.split()) not in world.phrases
        and not any(f" {one} " in text for text in spaced)
    ]
    less = re.search(r"\b(?:less|minus|net of) (?!than\b)", _BOUND.sub(" ", plain(summary.terms_text)))
    added += [less[0].strip()] if less and not any(_LESS.search(plain(text)) for text in texts) else []
    return list(dict.fromkeys(added))


_LESS = re.compile(r"\b(?:less(?! than)|minus|net|deduct\w*|subtract\w*|reduc\w+|off|lower|cut|fewer|smaller|short)\b")
"""What takes something off, in a clause."""


def _spaced(text: str) -> str:
    return f" {' '.join(words(text))} "


def _claiming(text: str) -> list[str]:
    """The words of a text that say more than any sentence of a contract does, each once, in their order."""
    found = [word for word in dict.fromkeys(words(text)) if len(word) > 2 and word.isalpha()]
    return [word for word in found if word not in _GLUE_WORDS and _stem(word) not in _GLUE]


def _standing(text: str) -> list[str]:
    """The words of a text for which others may stand, each once: all but those that join."""
    found = [word for word in dict.fromkeys(words(text)) if len(word) > 3 and word.isalpha()]
    return [word for word in found if word not in _WEAK and word not in _LINKING]


class Lexicon:
    """What some texts say: the stems of their words, and what the listed groups of words make of them."""

    def __init__(self, texts: Sequence[str], question: str = "") -> None:
        self.stems = frozenset(_stem(word) for text in texts for word in words(text))
        spaced = "".join(map(_spaced, texts))
        groups = [group for group in _SAME if any(self._holds(one, spaced) for one in group)]
        groups += [group for group in _NEAR if self._holds(group[0], spaced)]
        self.borne = self.stems | {_stem(one[0]) for group in groups for one in group if len(one) == 1}
        self.borne |= {_stem(word) for word in words(question)}
        self.phrases = [one for group in groups for one in group if len(one) > 1]
        self.denials = tuple(texts)

    def _holds(self, phrase: tuple[str, ...], spaced: str) -> bool:
        return _stem(phrase[0]) in self.stems if len(phrase) == 1 else f" {' '.join(phrase)} " in spaced

    def bears_out(self, word: str, text: str) -> bool:
        """Whether a word of a text is here, with another ending, as a synonym, or as part of one that is a phrase."""
        stem = _stem(word)
        if stem in self.borne or any(_same_stem(stem, one) and abs(len(stem) - len(one)) < 4 for one in self.borne):
            return True
        if word.startswith("un") and any(same_word(word[2:], other) for other in self.stems):
            return _is_denied(word[2:], self.denials)
        spaced = _spaced(text)
        return any(word in phrase and f" {' '.join(phrase)} " in spaced for phrase in self.phrases)


def _phrases(label: str) -> list[list[tuple[str, ...]]]:
    return [[tuple(words(one)) for one in group] for group in _WORDING[label]]


_SAME, _NEAR = _phrases("same"), _phrases("near")


def _claims(text: str, known: frozenset[str]) -> tuple[set[str], set[str]]:
    """(the words of a text that claim something, those of them that are not known)."""
    telling = {word for word in words(text) if len(word) > 2 and word.isalpha() and word not in _IDLE_WORDS}
    telling = {word for word in telling if _stem(word) not in _LIGHT}
    return telling, {word for word in telling if not _is_known(word, known)}


def _allowed(sample: Sample, passage: str) -> Denied:
    """What may be denied: what the clause, the right wordings and the telling phrases deny."""
    facts = sample.metadata["facts"]
    texts, bans = [passage], []
    parts = [part for terms in _right_terms(sample) for part in terms]
    keyed = [part for variant in (*facts["terms"], facts["optional"]) for part in variant]
    parts += [(role, modal, one) for role, modal, keys in keyed for key in keys for one in key]
    for _, modal, what in parts:
        texts.append(what)
        bans += [f"not {what}"] if modal == "must not" else []
    literal = _denied(tuple(texts))
    return Denied(literal.after, literal.around | _denied(tuple(bans)).around)


def _known_words(sources: Iterable[str], facts: Mapping[str, Any]) -> frozenset[str]:
    """The stems of the words of the clause, of the known wordings, and of what means the same."""
    keys = (key for variant in (*facts["terms"], facts["optional"]) for _, _, groups in variant for key in groups)
    return _stems((*sources, *(reading for key in keys for phrase in key for reading in _readings(phrase))))


@lru_cache(maxsize=1024)
def _stems(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(stem for text in texts for word in words(text) for stem in _alike(word))


@lru_cache(maxsize=65_536)
def _is_known(word: str, known: frozenset[str]) -> bool:
    return any(same_word(one, other) for one in _alike(word) for other in known)


def _telling(text: str) -> list[str]:
    """The words of a text that say something, in their order."""
    found = [_FORMS.get(word, word) for word in words(text)]
    found = [word for word in found if word.isalpha() and (len(word) > 3 or word not in _IDLE_WORDS)]
    return [word for word in found if len(word) > 2 and word not in _WEAK and word not in _LINKING]


def _same_money(said: Sequence[str], gold: Sequence[str], passage: str, roles: set[str]) -> bool:
    """Whether two MONEY lines agree. The unit may be worded in other words of the clause; its times are strict."""
    left = list(gold)
    for item in said:
        same = next((one for one in left if _same_item(item, one, passage, roles)), None)
        if same is None:
            return False
        left.remove(same)
    return not left


def _same_item(said: str, gold: str, passage: str, roles: set[str]) -> bool:
    one, other = _ITEM.fullmatch(said), _ITEM.fullmatch(gold)
    assert one is not None
    assert other is not None
    if one.group(1, 2, 3) != other.group(1, 2, 3):
        return False
    if not {word for word in words(one[5] or "") if len(word) > 3} <= {*words(passage), *roles}:
        return False
    mine, theirs = _unit(one[4]), _unit(other[4])
    if {word for word in mine if word in _TIME_UNITS} != {word for word in theirs if word in _TIME_UNITS}:
        return False
    things, wanted = ([word for word in unit if word not in _TIME_UNITS] for unit in (mine, theirs))
    if wanted and not things:
        return False
    event = any(word in _EVENTS for word in wanted)
    clause = words(passage)
    for word in wanted:
        if not any(same_word(word, thing) or (event and (thing in _EVENTS or thing in clause)) for thing in things):
            return False
    fitting = {*wanted, *clause, *_EVENTS} - roles
    return not things or any(same_word(thing, word) for thing in things for word in fitting)


def _unit(text: str) -> list[str]:
    """The telling words of "per further day"."""
    return [singular(word) for word in words(text) if word not in _UNIT_WORDS]


def _loose(item: str) -> str:
    return " ".join(singular(word) for word in item.lower().replace(" and ", " per ").split())


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


def _held(
    terms: Iterable[tuple[str, str, str]], variant: Sequence[Sequence[Any]], sample: Sample, passage: str
) -> Held:
    """TERMS held to one gold version of it: what is wrong, left out, or there in words that nobody listed."""
    facts = sample.metadata["facts"]
    roles = [role for _, role in facts["parties"]]
    gold = _by_role(((role, modal, keys) for role, modal, keys in variant), roles)
    right = _right_terms(sample)
    rights = _by_role((part for parts in right for part in parts), roles)
    said = _meant(_by_role(terms, roles), gold, rights)
    total = sum(1 + len(keys) for _, _, keys in variant)
    left_out = [" ".join(who) for who in gold.keys() - said.keys()]
    unknown: list[str] = []
    may_stand = _by_role(facts["optional"], roles)
    known = _known_words((passage, sample.target, *facts["wordings"], *roles), facts)
    besides: list[tuple[tuple[str, str], str]] = []
    for who, texts in said.items():
        own = [key for keys in gold.get(who, ()) for key in keys]
        for text in texts:
            stated = any(_states(words(text), key) for key in own) or _may_stand(text, may_stand.get(who, ()), known)
            if not stated and (not own or len(texts) > 1 or 2 * _strangeness(text, known) > 1):
                besides.append((who, text))
    denied = _allowed(sample, passage)
    clause = frozenset(_stem(word) for word in words(passage))
    usual = {_stem(word) for parts in right for _, _, what in parts for word in words(what)}
    money = words("; ".join(facts["money"][0]))
    denied_in = {who: _denied(tuple(texts)).after for who, texts in rights.items()}
    for who, groups in gold.items():
        if who not in said:
            keys = [key for group in groups for key in group]
            for (role, modal), texts in said.items():
                told = words("; ".join(texts))
                if (role == who[0]) != (modal == who[1]) and keys and all(_states(told, key) for key in keys):
                    return Held(f"TERMS: '{role} {modal}' has what the {' '.join(who)}", (), (), total)
            continue
        text = "; ".join(said[who])
        found = words(text)
        if who[1] == "must" and (who[0], "must not") not in gold:  # "must not let anybody without a licence"
            found += words("; ".join(f"not {one}" for one in said.get((who[0], "must not"), ())))
        misplaced, order = 0, list(said)
        allowed = denied_in.get(who, frozenset()) if who[1] != "must not" else None
        stand_in = [
            word for word in dict.fromkeys(_telling(text)) if not _alike(word) & usual and not _is_known(word, clause)
        ]
        for key in (key for keys in groups for key in keys):
            if _states(found, key) or ("percent" in key[0] and holds(money, key[0])):
                if allowed is not None and (word := _denied_key(text, key, allowed)):
                    return Held(f"TERMS: {' '.join(who)}: '{word}' is denied", (), (), total)
                continue
            if contrary := _contrary(found, key):
                return Held(f"TERMS: {' '.join(who)}: '{contrary}' for '{key[0]}'", (), (), total)
            others = [other for other in said if other != who and _states(words("; ".join(said[other])), key)]
            modals = {modal for _, modal in others}
            strict = bool(_STRICT.search(key[0]))
            referred = _PRONOUN.search(text) and any(order.index(other) < order.index(who) for other in others)
            misplaced += who[1] in modals and not referred
            elsewhere = ((who[1] == "may" and modals == {"must"}) or referred) and len(groups[0]) > 1
            if not strict and elsewhere:  # "if a debit bounces", "must defend it"
                unknown.append(key[0])
            elif not strict and who[1] not in modals and stand_in:
                unknown.append(key[0])
                stand_in.pop(0)
            else:
                left_out.append(key[0])
        if misplaced > 1 or misplaced == sum(map(len, groups)) > 0:
            return Held(f"TERMS: what the {' '.join(who)} is laid on the other side", (), (), total)
    for who, texts in said.items():
        for text in texts:
            denial = who[1] == "must not" and not _DENIAL.search(plain(text))
            if word := _new_denial(f"not {text}" if denial else text, denied, passage):
                return Held(f"TERMS: {' '.join(who)}: a denial that the clause does not have: '{word}'", (), (), total)
    for who, text in besides:
        if left_out or len(unknown) > 1 or not _borne_out(who, text, gold, rights, known, passage):
            return Held(f"TERMS: '{' '.join(who)} {text[:40]}'?", (), (), total)
    return Held("", tuple(dict.fromkeys(left_out)), tuple(dict.fromkeys(unknown)), total)


def _borne_out(
    who: tuple[str, str],
    text: str,
    gold: Mapping[tuple[str, str], Any],
    rights: _Parts,
    known: frozenset[str],
    passage: str,
) -> bool:
    """Whether a part that nobody listed says, in words of the clause, what is not told of another role or modal."""
    found = words(text)
    claims = frozenset(_stem(word) for word in _claims(text, frozenset())[0])
    own = frozenset(_stem(word) for what in rights.get(who, ()) for word in words(what))
    for other, groups in gold.items():
        if other != who and any(keys and all(_states(found, key) for key in keys) for keys in groups):
            return False
    for other, texts in rights.items():
        if other != who and not claims <= own and any(claims <= _stems((what,)) for what in texts):
            return False
    denied = {word for kind, _, right in _denials(passage) for word in right[:1] if kind == "no"}
    out = {word for one in re.split(r"[.;] ", plain(passage)) if _LEFT_OUT.search(one) for word in _telling(one)}
    affirms = who[1] != "must not" and not _DENIAL.search(plain(text))
    if affirms and any(same_word(word, other) for word in _telling(text) for other in denied | out):
        return False
    if who[1] == "must not":
        banned = {_stem(word) for parts in (_denied((passage,)).around, out) for word in parts}
        mine = [word for word in _telling(text) if _stem(word) not in _LIGHT]
        return all(_is_known(word, frozenset(banned)) for word in mine)
    return 3 * _strangeness(text, known) <= 1


def _denied_key(text: str, key: Sequence[str], allowed: frozenset[str]) -> str:
    """The word of a telling phrase that a text denies and no right wording does, or ""."""
    if any(_DENIAL.search(one) for one in key):
        return ""
    for _, _, after in _denials(_CONDITION.sub(" ", plain(text))):
        for word in after[:1]:
            if holds([word], key[0]) and not any(same_word(word, other) for other in allowed):
                return word
    return ""


def _may_stand(text: str, optional: Iterable[Sequence[Sequence[str]]], known: frozenset[str]) -> bool:
    """Whether a part without a telling phrase of the gold is one that the clause bears out."""
    found = words(text)
    return 2 * _strangeness(text, known) <= 1 and any(all(_states(found, key) for key in keys) for keys in optional)


def _strangeness(text: str, known: frozenset[str]) -> float:
    """The share, 0..1, of the telling words of a text that are not known; 1 if it has none."""
    telling = {word for word in _telling(text) if word not in _IDLE_WORDS and _stem(word) not in _LIGHT}
    telling = telling or set(words(text))
    return sum(not _is_known(word, known) for word in telling) / max(1, len(telling))


def _meant(said: _Parts, gold: Iterable[tuple[str, str]], right: _Parts) -> _Parts:
    """The parts by role and modal; "may only if" is read as "must not unless" (and so on) where the gold has it so."""
    meant = {who: list(texts) for who, texts in said.items()}
    for role, modal in gold:
        usual = plain("; ".join(right.get((role, modal), ())))
        for other, sign in _TURNS.get(modal, {}).items():
            moved, kept = [], []
            for text in meant.get((role, other), []) if (role, modal) not in meant else []:
                pieces = _CONJUNCTS.split(text) if (role, other) in gold else [text]
                mine = [one for one in pieces if set(re.findall(sign, plain(one))) - set(re.findall(sign, usual))]
                moved += [" and ".join(mine)] if mine else []
                kept += [" and ".join(one for one in pieces if one not in mine) if mine else text]
            kept = [text for text in kept if text]
            if moved and (kept or (role, other) not in gold):
                meant[role, modal], meant[role, other] = moved, kept
    return {who: texts for who, texts in meant.items() if texts}


def _contrary(found: Sequence[str], key: Iterable[str]) -> str:
    """What a text says in the place of a telling phrase that means the contrary, or ""."""
    pairs = (pair for label in ("contrary", "opposite") for pair in _WORDING[label])
    turned = [*pairs, *(pair[::-1] for pair in _WORDING["opposite"])]
    for phrase, contrary in turned:
        if any(phrase == one or phrase in words(one) for one in key) and holds(found, contrary):
            return contrary
    return ""


class Denied(NamedTuple):
    """Stems of the telling words around the denials of some texts: after any, after an exception, before or after."""

    after: frozenset[str]
    around: frozenset[str]


@lru_cache(maxsize=4096)
def _denied(texts: tuple[str, ...]) -> Denied:
    after: set[str] = set()
    around: set[str] = set()
    for text in texts:
        for _, left, right in _denials(text):
            after.update(right)
            around.update(left, right)
    return Denied(frozenset(after), frozenset(around))


def _denials(text: str) -> list[tuple[str, list[str], list[str]]]:
    """For each denial of a text: "no" or "but" (an exception), and the telling words before and after it."""
    found = []
    for clause in re.split(r"[.;] ", _IDLE.sub(" ", _BOUND.sub(" ", plain(text)))):
        for match in _DENIAL.finditer(clause):
            left, right = _telling(clause[: match.start()])[-3:], _telling(clause[match.end() :])[:4]
            found.append((str(match.lastgroup), left, right))
    return found


def _new_denial(text: str, denied: Denied, passage: str) -> str:
    """The first thing that a text denies and neither the clause nor a right wording does, or ""."""
    free = (
        {"charge", "cost", "payment", "fee"}
        if re.search(r"\b(?:free|charge|nothing|include)", plain(passage))
        else set()
    )
    out = {word for one in re.split(r"[.;] ", plain(passage)) if _LEFT_OUT.search(one) for word in words(one)}
    for kind, left, right in _denials(re.sub(r"\byes or no\b", "answer", text, flags=re.IGNORECASE)):
        known = frozenset((denied.after if kind == "but" else denied.around) | out | free)
        told = right[:2] if kind == "but" else [*left[-1:], *right[:3]]
        claimed = [word for word in told if _stem(word) not in _LIGHT]
        if claimed and not any(_is_known(word, known) for word in told):
            return claimed[-1]
    return ""


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


def summary(*, suite_path: str, wording: str = WORDING) -> Scorer:
    """The share, 0..1, of the facts that an answer in the house format states; 0 for anything wrong or invented.

    TERMS is free in wording: who is bound or entitled (role), must, must not or may, and the telling words of each
    part have to be there, in any order, with other endings or one of the listed synonyms.
    0: the format is not kept; another party, number, matter, amount, payer, date or notice; a number, date, name, part
    or denial that the clause does not have; bounds, exceptions, opposites, roles or figures turned round.
    A telling phrase in whose place there are words that nobody listed costs one fact; one simply left out, or a bound
    left out, halves the value, as do three such phrases.
    wording: the synonyms; read from beside this file, named in suite.yaml so that they count in the suite's digest.
    What is not covered: a wrong relation between right words ("return the deposit before the keys"), a small claim in
    plain words inside a right part, and a wrong word for a single telling phrase that has no listed contrary.
    """
    passages = _passages(suite_path)

    def score(sample: Sample, completion: Completion) -> Score:
        found = parse(completion.text)
        if isinstance(found, str):
            return Score(0.0, completion.text[:200], found)
        value, why = judge(found, sample, passages.get(str(sample.metadata["passage"]), ""))
        return Score(value, completion.text[:2_000], why)

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
