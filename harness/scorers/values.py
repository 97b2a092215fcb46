"""Values in one spelling: times of day, durations, rates, prices and units, so that equal ones can be found equal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_MONTH_NAMES = "january february march april may june july august october november december september"
_NTH = "fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_NUMBER = {word: i for i, word in enumerate(_SMALL.split())} | {word: 10 * i for i, word in enumerate(_TENS.split(), 2)}
_WORD = "|".join(_NUMBER)
_DAYS = "|".join(f"{day}days?" for day in ["mon", "tues", "wednes", "thurs", "fri", "satur", "sun"])
_SHORT_DAYS = {"mon": "monday", "tue": "tuesday", "wed": "wednesday", "thu": "thursday", "fri": "friday"}
_MONTHS = {name[:3]: name for name in _MONTH_NAMES.split()}
_SHORT = "|".join(_MONTHS)
_PERIOD = "hour|day|night|week|month|quarter|year"
_RATED = rf"{_PERIOD}|kwh|km|kilomet\w+|h|head|person|page|lit\w+|trip|piece|job|ride|bill"
_UNITS = {"g": "gram", "h": "hour", "hr": "hour", "min": "minute", "sec": "second", "wk": "week", "yr": "year"}
_UNITS |= {
    "kilo": "kg",
    "ct": "cent",
    "¢": "cent",
    "db": "decibel",
    "l": "litre",
    "t": "tonne",
    "m": "metre",
    "m²": "square metre",
}
_UNITS |= {"qm": "square metre", "sqm": "square metre", "sq m": "square metre", "gigabyte": "gb", "megabyte": "mb"}
_UNITS |= {"kilowatt hour": "kwh", "kilowatt-hour": "kwh", "square meter": "square metre", "meter": "metre"}
_SIZES = {"hour": ("minute", 60), "week": ("day", 7), "year": ("month", 12), "euro": ("cent", 100)}
_SIZES |= {"kg": ("gram", 1000), "km": ("metre", 1000)}
_ORDINALS = {"third": ("3", "rd")} | {word: (str(i), "th") for i, word in enumerate(_NTH.split(), 4)}
_SAME: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"(?<=\d)\s?½", ".5"),
    (r"‰|\bper ?mill?e?\b", " permille "),
    (r"\bper cent\b", "percent"),
    (r"\bp\. ?a\.|\bper annum\b", "a year"),
    # hundreds and thousands in words
    (rf"\b(hundred|thousand) and (?=(?:{_WORD})\b)", r"\1 "),
    (
        rf"\b(?:(?:{_WORD}|a)[ -])?(?:hundred|thousand)(?:[ -](?:{_WORD}|hundred|thousand))*\b",
        lambda found: str(_large(found[0])),
    ),
    (r"\bno one\b", "nobody"),
    (r"(?<!no )(?<!not )\b(?:more|longer) than\b", "over"),
    # times of day
    (r"\b(?:12 |twelve )?(?:noon|midday)\b", "12:00"),
    (r"\b(?:12 |twelve )?midnight\b", "0:00"),
    (rf"\b(half|quarter) (past|to) ({_WORD}|\d\d?)\b", lambda found: _past(*found.groups())),
    (
        rf"\b({_WORD})(?= (?:o'clock|in the (?:morning|afternoon|evening)|[ap]\.?m\b))",
        lambda found: str(_NUMBER[found[1]]),
    ),
    (r"(?<=\d) (?:o'clock )?in the morning\b", " am"),
    (r"(?<=\d) (?:o'clock )?in the (?:afternoon|evening)\b", " pm"),
    (r"\b(\d\d?:\d\d|\d\d? ?[ap]\.?m\b\.?)\s*(?:[-–—]|until|till|to|and)\s*(?=\d\d?(?::\d\d| ?[ap]\.?m\b))", r"\1 to "),
    (rf"\b(\d\d?:\d\d),? (?:on )?({_DAYS})\b", r"\2 \1"),
    (rf"\b({_DAYS}),? at (?=\d\d?:\d\d)", r"\1 "),
    # dates
    (rf"\b(\d\d?)(st|nd|rd|th)? ({_SHORT})t?\b\.?", lambda found: f"{found[1]}{found[2] or ''} {_MONTHS[found[3]]}"),
    (rf"\b({_SHORT})t?\b\.? (?=\d)", lambda found: f"{_MONTHS[found[1]]} "),
    (r"\b(mon|tue|wed|thu|fri)(?:rs?|s)?\b\.?(?!-)", lambda found: _SHORT_DAYS[found[1]]),
    (rf"({_DAYS}|weekend|week) in (?=(?:{'|'.join(_MONTHS.values())})\b)", r"\1 of "),
    # durations and rates
    (r"\b(?:a |one )?fortnight\b", "2 weeks"),
    (r"\b(?:a )?half an hour\b|\b(?:a |one )?half[- ]hour\b", "30 minutes"),
    (r"\b(?:a )?half a year\b|\b(?:a |one )?half[- ]year\b", "6 months"),
    (r"\bthree quarters of an hour\b", "45 minutes"),
    (r"\b(?:a )?quarter of an hour\b", "15 minutes"),
    (rf"\b(?:an?|one) ({_PERIOD}) and a half\b", r"1.5 \1s"),
    (rf"\b({_WORD}|\d+) and (?:a|one) half\b", lambda found: f"{_NUMBER.get(found[1], found[1])}.5"),
    (r"\btwice\b", "2 times"),
    (rf"\bonce (?=(?:an?|per|every|each|in a) (?:{_PERIOD})\b|/)", "1 time "),
    (r"(?<=\d)\s?[x×](?=[\s/])", " times"),
    (rf"\s*/\s*(?=(?:{_RATED})\b)", " per "),
    (rf"(?<=[a-z€%]) (?:every|each|in an?|per) (?=(?:{_PERIOD})\b)", " a "),
    # units after a number
    (
        rf"(?<=\d)\s?({'|'.join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))})s?(?![\w'])\.?",
        lambda found: f" {_UNITS[found[1]]}",
    ),
    (r"\bext\b\.?", "extension"),
    (r"\b(?:my|our)\b", "your"),
]
_RULES = [(re.compile(pattern), said) for pattern, said in _SAME]


def plain(text: str) -> str:
    """The text in lower case, each value in one of its spellings.

    >>> plain("a quarter past nine, 22 ct/kWh")
    'a 9:15, 22 cent per kwh'
    >>> plain("two times a year"), plain("twice per year"), plain("Fri, 12 noon")
    ('two times a year', '2 times a year', 'friday, 12:00')
    """
    text = text.casefold().replace("’", "'")
    for pattern, said in _RULES:
        text = pattern.sub(said, text)
    return text


def forms(target: Sequence[str]) -> Iterator[list[str]]:
    """Words of a target, and the same with its values in another unit or in digits: "3 year", "36 month"; 9.15.

    Only what is the same in any context: working days are no days, a month is not 30 days.
    """
    yield list(target)
    for i, word in enumerate(target):
        if word in _ORDINALS:
            yield [*target[:i], *_ORDINALS[word], *target[i + 1 :]]
        unit = target[i + 1] if i + 1 < len(target) else ""
        if re.fullmatch(r"\d\d?:\d\d", word):
            yield [*target[:i], f"{float(word.replace(':', '.')):g}", *target[i + 1 :]]
        if not re.fullmatch(r"\d+(?:\.\d+)?", word):
            continue
        for large, (small, size) in _SIZES.items():
            if unit in (large, small):
                value = float(word) * size if unit == large else float(word) / size
                if round(value, 3) == round(value, 9) and value:
                    yield [*target[:i], f"{value:.10g}", small if unit == large else large, *target[i + 2 :]]


def _past(part: str, side: str, hour: str) -> str:
    """ "half past nine" as 9:30; what is no such time stays as it is."""
    number = _NUMBER.get(hour, int(hour) if hour.isdigit() else 99)
    if number > 24 or (part, side) == ("half", "to"):
        return f"{part} {side} {hour}"
    return f"{number if side == 'past' else (number - 1) % 24}:{30 if part == 'half' else 15 if side == 'past' else 45}"


def _large(text: str) -> int:
    """The value of a number word from a hundred on."""
    total = part = 0
    for word in re.split(r"[ -]", text):
        if word == "hundred":
            part = (part or 1) * 100
        elif word == "thousand":
            total, part = total + (part or 1) * 1000, 0
        else:
            part += _NUMBER.get(word, 1)
    return total + part
