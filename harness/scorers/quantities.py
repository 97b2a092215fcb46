"""Numbers that a text gives in other words: sums, Roman numerals, counts of well-known things, other units.

`computed` finds numbers that have to be worked out ("365 plus one", "half a dozen", "one short of eight", "XII", "as
many as the days of the week"), `measured` quantities in base units ("a mile every five seconds" is 321.9 m/s).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isclose
from operator import add, mul, sub, truediv

MAX_WORDS = 400
MAX_CHARACTERS = 20_000
MOST_OPERANDS = 4
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[-+*/×÷·=²³−–]")
_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBERS = {word: value for value, word in enumerate(_SMALL.split())} | {
    word: 10 * value for value, word in enumerate(_TENS.split(), 2)
}
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "dozen": 12, "score": 20}
FRACTIONS = {"half": 0.5, "third": 1 / 3, "quarter": 0.25, "fifth": 0.2, "tenth": 0.1}
PREFIXES = {"half": 0.5, "halve": 0.5, "twice": 2.0, "double": 2.0, "thrice": 3.0, "triple": 3.0, "treble": 3.0}
ABROAD = {
    1: "un une uno eins ein", 2: "deux dos zwei due", 3: "trois tres drei tre", 4: "quatre cuatro vier quattro",
    5: "cinq cinco fünf cinque", 6: "seis sechs sei", 7: "sept siete sieben sette", 8: "huit ocho acht otto",
    9: "neuf nueve neun nove", 10: "dix diez zehn dieci", 11: "onze once elf undici", 12: "douze doce zwölf dodici",
    20: "vingt veinte zwanzig venti", 28: "veintiocho achtundzwanzig ventotto", 50: "cinquante cincuenta fünfzig",
}  # fmt: skip
COUNTED = {
    3: "musketeers|little pigs|blind mice|stooges|wise men|wheels (?:of|on) a tricycle|primary colou?rs",
    4: "seasons|beatles|horsemen of|"
    "legs (?:of|on) a (?:table|chair|dog|cat|horse)|wheels (?:of|on) a car|gospels",
    5: "fingers (?:of|on) (?:a|one|your|each|either) hand|"
    "olympic rings|toes (?:of|on) (?:a|one|your) foot|human senses",
    6: "sides (?:of|on) a (?:die|cube)|"
    "legs (?:of|on) an? (?:insect|ant|bee|fly)|faces (?:of|on) a (?:die|cube)|"
    "strings (?:of|on) a guitar|wives of henry",
    7: "days (?:of|in) (?:the|a|any) week|deadly sins|dwarfs|dwarves|wonders of the (?:ancient )?world|"
    "colou?rs (?:of|in) (?:the|a) rainbow|seas\\b",
    8: "legs (?:of|on) an? (?:spider|octopus)|arms (?:of|on) an octopus|tentacles",
    9: "lives (?:of|in) a cat|muses|lives a cat has|cat's lives",
    10: "commandments|fingers you have|your fingers|fingers and thumbs|toes you have|your toes",
    11: "players (?:of|in|on) a (?:football|cricket|soccer) (?:team|side)",
    12: "apostles|disciples|months (?:of|in) (?:the|a|any) year|"
    "signs of the zodiac|eggs in a box|hours on (?:the|a) clock|"
    "jurors|days of christmas",
    24: "hours (?:of|in) (?:the|a) day", 26: "letters (?:of|in) the alphabet", 28: "days (?:of|in) february",
    30: "days (?:of|in) (?:april|june|september|november)", 32: "teeth (?:of|in) an adult|pieces on a chess ?board",
    50: "states (?:of|in) (?:america|the union|the usa?)|stars on the american flag", 52: "cards in a (?:pack|deck)|"
    "weeks (?:of|in) (?:the|a) year", 60: "minutes (?:of|in) an hour|seconds (?:of|in) a minute",
    64: "squares (?:of|on) a chess ?board", 100: "(?:a|one|full) century|"
    "cents (?:of|in) a (?:dollar|euro)|years in a century",
    360: "degrees (?:of|in) a circle",
    365: "days (?:of|in) (?:the|a|an ordinary) year",
}  # fmt: skip
_COUNTED = {value: re.compile(rf"\b(?:{things})") for value, things in COUNTED.items()}
_ROMAN = re.compile(r"\b(?=[MDCLXVI]{2,}\b)M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})\b")
_LETTERS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_UNITS = {
    "m": {
        "km|kilometers?|kilometres?": 1000, "m|meters?|metres?": 1, "cm|centimet(?:er|re)s?": 0.01,
        "miles?": 1609.34, "feet|foot|ft": 0.3048, "inch|inches": 0.0254, "yards?": 0.9144,
    },
    "s": {
        "seconds?|secs?|s": 1, "minutes?|mins?|min": 60, "hours?|hrs?|h": 3600, "days?": 86400, "weeks?": 7 * 86400,
        "fortnights?": 14 * 86400, "years?": 365.25 * 86400,
    },
    "kg": {
        "kg|kilos?|kilograms?|kilogrammes?": 1, "g|grams?|grammes?": 0.001, "ounces?|oz": 0.02835,
        "pounds?|lbs?": 0.4536,
    },
    "l": {"l|lit(?:er|re)s?": 1, "ml|millilit(?:er|re)s?": 0.001, "pints?": 0.5, "gallons?": 3.9, "quarts?": 0.95},
    "money": {"dollars?|bucks?": 1, "cents?": 0.01, "quarters?": 0.25, "dimes?": 0.1},
}  # fmt: skip
UNITS = {name: (kind, size) for kind, units in _UNITS.items() for name, size in units.items()}
_UNIT = [(re.compile(name), kind, size) for name, (kind, size) in UNITS.items()]
_TEMPERATURE = re.compile(r"celsius|centigrade|c|fahrenheit|f|kelvin|k")
_PER = frozenset(["per", "a", "an", "each", "every", "in", "/", "the", "takes"])


@dataclass(frozen=True)
class Number:
    """A number in a list of words: its value, and the words from start up to end that say it."""

    value: float
    start: int
    end: int


def words(text: str) -> list[str]:
    """Small words, numbers and signs of a sum, of the first 400.

    >>> words("Twenty-nine, or 3×4")
    ['twenty', '-', 'nine', 'or', '3', '×', '4']
    """
    return [token.lower() for token in _TOKEN.findall(text[:MAX_CHARACTERS])[:MAX_WORDS]]


def numbers(said: Sequence[str]) -> list[Number]:
    """The numbers in a text, in digits or words, from left to right.

    >>> [one.value for one in numbers(words("three hundred and forty-three, half a dozen, 8,849 or 4.5"))]
    [343.0, 6.0, 8849.0, 4.5]
    """
    found, at = [], 0
    while at < len(said):
        one = _number(said, at)
        found += [one] if one else []
        at = one.end if one else at + 1
    return found


def _number(said: Sequence[str], at: int) -> Number | None:
    word, start = said[at], at
    if word[0].isdigit():
        whole = _digits(word)
        return None if whole is None else _scaled(said, whole, start, at + 1)
    if word in PREFIXES and at + 1 < len(said):  # half a dozen, twice forty, half of six hundred
        after = at + 1 + (said[at + 1] in ("of", "the"))
        one = _number(said, after) if after < len(said) else None
        if one and (said[after] not in ("one",) or one.end > after + 1):
            return Number(PREFIXES[word] * one.value, start, one.end)
    if word in ("a", "an", "one") and at + 1 < len(said) and said[at + 1] in FRACTIONS:
        end = at + 2
        after = end + (end < len(said) and said[end] == "of")
        one = _number(said, after) if after < len(said) else None
        if one and said[after] not in ("a", "an", "one"):
            return Number(FRACTIONS[said[at + 1]] * one.value, start, one.end)
        return Number(FRACTIONS[said[at + 1]], start, end)
    if word in ("a", "an") and at + 1 < len(said) and said[at + 1] in SCALES:
        return _scaled(said, 1.0, start, at + 1)
    if word not in NUMBERS:
        return None
    value, at = float(NUMBERS[word]), at + 1
    if value >= 20:
        more = at + (at < len(said) and said[at] == "-")
        if more < len(said) and 0 < NUMBERS.get(said[more], 0) < 10:
            value, at = value + NUMBERS[said[more]], more + 1
    if 10 < value < 100 and at < len(said):  # nineteen eighty-nine
        rest = _number(said, at) if said[at] in NUMBERS and NUMBERS[said[at]] >= 10 else None
        if rest and rest.value < 100 and rest.end == at + 1 + 2 * (rest.end - at > 1):
            return Number(100 * value + rest.value, start, rest.end)
    return _scaled(said, value, start, at)


def _scaled(said: Sequence[str], value: float, start: int, at: int) -> Number:
    """A number with what follows it: its scale, what is added below that, and a half."""
    size = 10.0**12
    while at < len(said) and (scale := SCALES.get(said[at].removesuffix("s"), 0)):
        value, size, at = value * scale, min(size, scale), at + 1
    if size < 10.0**12:
        after = at + (at < len(said) and said[at] == "and")
        small = after < len(said) and (said[after] in NUMBERS or said[after][0].isdigit())
        rest = _number(said, after) if small else None
        if rest and rest.value < size:
            value, at = value + rest.value, rest.end
    if list(said[at : at + 3]) == ["and", "a", "half"]:
        value, at = value + 0.5, at + 3
    if at + 1 < len(said) and said[at] == "point" and said[at + 1] in NUMBERS:
        value, at = value + NUMBERS[said[at + 1]] / 10, at + 2
    return Number(value, start, at)


def _digits(word: str) -> float | None:
    """None for what is no number (a date, a version), or has more digits than are kept."""
    grouped = re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", word)
    clean = word.replace(",", "") if grouped else word.replace(",", ".")
    return float(clean) if re.fullmatch(r"\d{1,15}(?:\.\d{1,9})?", clean) else None


_SIGNS = {
    "+": add, "plus": add, "and": add, "-": sub, "−": sub, "–": sub, "minus": sub, "less": sub, "times": mul,
    "x": mul, "×": mul, "*": mul, "·": mul, "by": mul, "over": truediv, "/": truediv, "÷": truediv,
}  # fmt: skip
_FILLERS = frozenset(
    [
        "a",
        "an",
        "the",
        "another",
        "further",
        "extra",
        "more",
        "of",
        "it",
        "that",
        "added",
        "multiplied",
        "divided",
        "taken",
        "take",
        "away",
    ]
)


def computed(text: str, known: Sequence[float] = ()) -> Iterator[tuple[float, str]]:
    """(value, how it is said) of every number that a reader has to work out.

    known: numbers of the question; a sum of these alone is the question and not its answer.

    >>> [round(value) for value, _ in computed("365 plus one, or half a dozen, or XII")]
    [366, 6, 12]
    >>> [round(value) for value, _ in computed("it is one short of eight")]
    [7]
    """
    text = text[:MAX_CHARACTERS]
    said = words(text)
    found = numbers(said)
    for i, first in enumerate(found):
        if said[first.start] in PREFIXES or any(
            word in SCALES and SCALES[word] < 100 for word in said[first.start : first.end]
        ):
            yield first.value, " ".join(said[first.start : first.end])
        value, used = first.value, [first.value]
        for one, two in zip(found[i:], found[i + 1 : i + MOST_OPERANDS], strict=False):
            between = [word for word in said[one.end : two.start] if word not in _FILLERS]
            taken = "away" in said[one.end : two.start] or "divided" in said[one.end : two.start]
            sign = _SIGNS.get(between[0]) if len(between) == 1 else None
            if taken and between[:1] == ["by"]:
                sign = truediv
            if len(said[one.end : two.start]) > 4 or sign is None or (sign is truediv and not two.value):
                break
            value, used = sign(value, two.value), [*used, two.value]
            if not all(any(isclose(number, other) for other in known) for number in used):
                yield value, " ".join(said[first.start : two.end])
        if first.end < len(said) and said[first.end] in ("squared", "²"):
            yield first.value * first.value, " ".join(said[first.start : first.end + 1])
    for one, two in pairwise(found):
        between = said[one.end : two.start]
        if any(isclose(two.value, number) for number in known) and any(isclose(one.value, number) for number in known):
            continue
        if len(between) <= 5 and ({"more", "than"} <= {*between} or {"after", "above", "beyond"} & {*between}):
            yield one.value + two.value, " ".join(said[one.start : two.end])
        if len(between) <= 5 and (
            ({"less", "fewer"} & {*between} and "than" in between) or {"short", "shy"} & {*between}
        ):
            yield two.value - one.value, " ".join(said[one.start : two.end])
        if between == ["and"] and one.start and said[one.start - 1] == "between" and two.value - one.value == 2:
            yield one.value + 1, " ".join(said[one.start - 1 : two.end])
        if between == ["from"]:
            yield two.value - one.value, " ".join(said[one.start : two.end])
    for roman in filter(None, _ROMAN.findall(text)):  # of "IVIV" the pattern finds nothing
        yield _roman(roman), roman
    lower = text.lower()
    for count, pattern in _COUNTED.items():
        if match := pattern.search(lower):
            yield float(count), match.group()
    for count, names in ABROAD.items():
        for name in names.split():
            if name in said and name not in ("once", "due", "sept", "seis", "un", "ein", "elf", "tres", "tre"):
                yield float(count), name
    digits = [int(one.value) if one.value in range(10) and one.end - one.start == 1 else -1 for one in found]
    for i in range(len(found)):
        for j in range(i + 2, min(i + 6, len(found)) + 1):
            gaps = [said[one.end : two.start] for one, two in zip(found[i:j], found[i + 1 : j], strict=False)]
            near = all(gap in ([], ["-"], ["–"]) for gap in gaps)
            if near and min(digits[i:j]) >= 0:
                yield float("".join(map(str, digits[i:j]))), " ".join(said[found[i].start : found[j - 1].end])


def _roman(letters: str) -> float:
    values = [_LETTERS[letter] for letter in letters]
    return float(sum(-one if one < two else one for one, two in zip(values, [*values[1:], 0], strict=True)))


def measured(text: str) -> Iterator[tuple[float, str, str]]:
    """(value in base units, their kind, how it is said) of every quantity: m, s, kg, l, C, m/s, money.

    >>> [(round(value), kind) for value, kind, _ in measured("a mile every five seconds")]
    [(1609, 'm'), (5, 's'), (322, 'm/s')]
    """
    said = words(text)
    found = {one.start: one for one in numbers(said)}
    plain: list[tuple[float, str, int, int]] = []
    at = 0
    while at < len(said):
        one = found.get(at) or _single(said, at)
        if not one:
            at += 1
            continue
        end = one.end + (one.end < len(said) and said[one.end] in ("of", "a", "an", "-", "degrees", "degree", "whole"))
        end += end < len(said) and said[end] in ("a", "an", "degrees")
        kind, value = _in_units(said[end], one.value) if end < len(said) else ("", 0.0)
        if kind:
            plain.append((value, kind, at, end + 1))
            yield value, kind, " ".join(said[at : end + 1])
            if len(plain) > 1:
                yield from _together(said, plain[-2], plain[-1])
        at = end + 1 if kind else max(at + 1, one.end)


def _single(said: Sequence[str], at: int) -> Number | None:
    """A mile, half a mile, per hour: quantities without a number."""
    if said[at] == "half" and said[at + 1 : at + 2] in (["a"], ["an"]):
        return Number(0.5, at, at + 2)
    return Number(1.0, at, at + 1) if said[at] in ("a", "an", "one", "every", "per", "each", "/") else None


def _in_units(word: str, value: float) -> tuple[str, float]:
    if _TEMPERATURE.fullmatch(word):
        celsius = {"f": (value - 32) / 1.8, "k": value - 273.15, "c": value}[word[0]]
        return "C", celsius
    return next(((kind, value * size) for name, kind, size in _UNIT if name.fullmatch(word)), ("", 0.0))


def _together(
    said: Sequence[str], one: tuple[float, str, int, int], two: tuple[float, str, int, int]
) -> Iterator[tuple[float, str, str]]:
    """Two quantities next to each other: a sum of one kind, or a speed."""
    between, text = said[one[3] : two[2]], " ".join(said[one[2] : two[3]])
    if one[1] == two[1] and between in ([], ["and"], ["plus"]):
        yield one[0] + two[0], one[1], text
    if one[1] == "m" and two[1] == "s" and {*between} <= _PER and two[0]:
        yield one[0] / two[0], "m/s", text
