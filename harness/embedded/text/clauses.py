"""Rules put together from sentences of general build, with things, people and verbs from open lists."""

from __future__ import annotations

import random
import re

from harness.embedded.text import words as w
from harness.embedded.text.lists import items

VERBS = [tuple(entry.split("/")) for entry in items("verb forms")]
PEOPLE = items("staff")


def forms(entry: tuple[str, ...]) -> tuple[str, str, str, str]:
    """A verb as (wash, washes, washed, washing); "keep/kept" names its participle, "stop/stopped/stopping" both."""
    base = entry[0]
    ends = base.endswith(("s", "x", "z", "ch", "sh"))
    y = base.endswith("y") and base[-2] not in "aeiou"
    third = f"{base[:-1]}ies" if y else f"{base}es" if ends else f"{base}s"
    past = entry[1] if len(entry) > 1 else f"{base[:-1]}ied" if y else f"{base}d" if base.endswith("e") else f"{base}ed"
    active = entry[2] if len(entry) > 2 else f"{base.removesuffix('e')}ing" if not base.endswith("ee") else f"{base}ing"
    return base, third, past, active


def plural(noun: str) -> str:
    """Several of a thing."""
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "z", "ch", "sh")) else f"{noun}s"


def filling(rng: random.Random) -> dict[str, str]:
    """What the places <n>, <v>, ... of a sentence hold, the same everywhere in it."""
    found: dict[str, str] = {}
    nouns = w.words(rng, 4)
    for name, noun in zip("nmop", nouns, strict=True):
        roll = rng.random()
        one, many = noun, plural(noun)
        if roll < 0.45:
            extra = rng.choice(w.ADJECTIVES) if rng.random() < 0.6 else rng.choice((w.word(rng), w.name(rng)))
            one, many = f"{extra} {noun}", f"{extra} {plural(noun)}"
        elif roll < 0.52:
            many = f"{plural(noun)} from {w.place(rng)}"
        found[name] = many if name in "nm" else f"{rng.choice(('the', 'the', 'a', 'your', 'our'))} {one}"
    for name, entry in zip("vw", rng.sample(VERBS, 2), strict=True):
        base, third, past, active = forms(entry)
        found |= {name: base, f"{name}s": third, f"{name}ed": past, f"{name}ing": active}
    first, second = rng.sample(PEOPLE, 2)
    found |= {"g": first, "h": second, "g1": rng.choice(items("jobs"))}
    return found


def filled(text: str, found: dict[str, str]) -> str:
    """The text with its places filled; "a" before a vowel becomes "an"."""
    text = re.sub(r"<(\w+)>", lambda m: found[m[1]], text)
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
