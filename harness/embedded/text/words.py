"""Word lists and name makers. Names come from syllables, so that copying pays better than remembering."""

from __future__ import annotations

import random

from harness.embedded.text.lists import items

FIRST = items("first")
LAST = items("last")
PLACES = items("places")
NOUNS = items("nouns")
ADJECTIVES = items("adjectives")
VERBS = items("verbs")
THINGS = items("things")
FIELDS = items("fields")
UNITS = items("units")
MONTHS = items("months")
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
START = items("start")
MIDDLE = items("middle")
END = items("end")


def coin(rng: random.Random, low: int = 1, high: int = 3) -> str:
    """An invented lower-case word of one to three syllables."""
    out = ""
    for _ in range(rng.randint(low, high)):
        out += rng.choice(START) + rng.choice(MIDDLE) + (rng.choice(END) if rng.random() < 0.45 else "")
    return out


def name(rng: random.Random) -> str:
    """An invented capitalised name."""
    return coin(rng, 2, 3).capitalize()


def person(rng: random.Random) -> str:
    """First and last name; either may be invented."""
    first = rng.choice(FIRST) if rng.random() < 0.6 else name(rng)
    last = rng.choice(LAST) if rng.random() < 0.5 else name(rng)
    return f"{first} {last}"


def place(rng: random.Random) -> str:
    """A town, real or invented."""
    return rng.choice(PLACES) if rng.random() < 0.4 else name(rng)


def word(rng: random.Random) -> str:
    """A lower-case word, mostly a real one."""
    return rng.choice(NOUNS) if rng.random() < 0.7 else coin(rng)


def words(rng: random.Random, count: int) -> list[str]:
    """Different lower-case words."""
    found: list[str] = []
    while len(found) < count:
        one = word(rng)
        if one not in found:
            found.append(one)
    return found


def number(rng: random.Random) -> int:
    """A whole number as they occur in rules: small ones often, round ones sometimes."""
    return rng.choice((rng.randint(2, 12), rng.randint(10, 99), rng.randrange(10, 100, 5), rng.randrange(50, 2000, 50)))


def clock(rng: random.Random) -> str:
    """A time of day."""
    return rng.choice(
        (
            f"{rng.randint(6, 22)}:{rng.choice(('00', '15', '30', '45'))}",
            f"{rng.randint(1, 12)} {rng.choice(('am', 'pm'))}",
        )
    )


def date(rng: random.Random) -> str:
    """A day of the year."""
    return f"{rng.randint(1, 28)} {rng.choice(MONTHS)}"


COMMON = items("common")
