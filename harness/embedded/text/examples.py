"""Conversations whose rule is shown, never told: labels, dictionaries, dialects, formats, functions on lists."""

from __future__ import annotations

import random
from collections.abc import Callable

from harness.embedded.text import words as w
from harness.embedded.text.document import Document
from harness.embedded.text.lists import items

Turn = tuple[str, str, float]
CLASSES = {
    kind: items(f"classes {kind}")
    for kind in ("animal", "food", "tool", "colour", "vehicle", "clothes", "body", "weather", "job", "music", "place")
}
MOODS = {kind: items(f"moods {kind}") for kind in ("positive", "negative")}
LABELS = ("yes no", "A B", "1 2", "left right", "true false", "in out", "hot cold", "red blue", "plus minus")


def shots(pairs: list[tuple[str, str]], first: int, system: str = "") -> Document:
    """A multi-turn conversation; the first answers cannot be known and weigh little."""
    turns: list[Turn] = [("system", system, 0.0)] if system else []
    for i, (asked, answer) in enumerate(pairs):
        turns += [("user", asked, 0.0), ("assistant", answer, 0.05 if i < first else 1.0)]
    return Document(tuple(turns))


def _sentence(kind: str, rng: random.Random) -> str:
    if kind in MOODS:
        adjective = rng.choice(MOODS[kind])
        return rng.choice(
            (
                "The {n} was {a}.",
                "What a {a} {n}!",
                "I found the {n} {a}.",
                "This {n} is {a}.",
                "A {a} {n}.",
                "Our {n} looked {a}.",
            )
        ).format(n=rng.choice(w.NOUNS), a=adjective)
    return rng.choice(CLASSES[kind])


def _classes(rng: random.Random) -> dict[str, str]:
    """Kind of text -> label; labels are names of the kinds, arbitrary pairs or invented words."""
    kinds = list(MOODS) if rng.random() < 0.3 else rng.sample(list(CLASSES), rng.choice((2, 2, 3)))
    roll = rng.random()
    if roll < 0.4:
        return {k: k for k in kinds}
    if roll < 0.65 and len(kinds) == 2:
        return dict(zip(kinds, rng.choice(LABELS).split(), strict=True))
    return {k: w.coin(rng) for k in kinds}


def labels(rng: random.Random) -> Document:
    """Labels by examples, as turns."""
    classes = _classes(rng)
    head = rng.choice(("", "", "Text: ", "Word: ", "Label this: "))
    kinds = list(classes) + [rng.choice(list(classes)) for _ in range(rng.randint(5, 8))]
    return shots([(f"{head}{_sentence(k, rng)}", classes[k]) for k in kinds], len(classes))


def labels_in_prompt(rng: random.Random) -> Document:
    """Labels by examples inside one prompt."""
    classes = _classes(rng)
    kinds = list(classes) + [rng.choice(list(classes)) for _ in range(rng.choice((1, 1, 2, 3)))]
    rng.shuffle(kinds)
    arrow = rng.choice((" -> ", " -> ", ": ", " = ", " => "))
    if rng.random() < 0.3:
        arrow = "\nLabel: "
    lines = [f"{_sentence(k, rng)}{arrow}{classes[k]}" for k in kinds]
    head = rng.choice(
        (
            "",
            "Label the last one.\n",
            "Give the label.\n",
            "Classify like the examples.\n",
            "Follow the examples and give the label.\n",
            "Go on like the examples.\n",
            "Give the label of the last line.\n",
            "Label the last line like the others.\n",
            f"Label each text as {' or '.join(classes.values())}.\n",
            "Choose the right label.\n",
        )
    )
    trunk = head + "\n".join(lines) + "\n"
    asked = [rng.choice(list(classes)) for _ in range(6)]
    return Document(trunk=trunk, branches=tuple((f"{_sentence(k, rng)}{arrow.rstrip()}", classes[k]) for k in asked))


def dictionary(rng: random.Random) -> Document:
    """An invented dictionary shown in a conversation and asked again."""
    size = rng.randint(2, 4)
    known = dict(zip(w.words(rng, size), (w.coin(rng) for _ in range(size)), strict=True))
    form = rng.choice(("{}", "Translate {}.", "{} =", "What is {}?", "Word: {}"))
    keys = list(known)
    asked = keys + [rng.choice(keys) for _ in range(5)]
    return shots([(form.format(k), known[k]) for k in asked], size)


def dictionary_in_prompt(rng: random.Random) -> Document:
    """The same with the dictionary written down once, words and short phrases asked."""
    size = rng.randint(3, 8)
    known = dict(zip(w.words(rng, size), (w.coin(rng) for _ in range(size)), strict=True))
    trunk = (
        rng.choice(("Dictionary:", "Use this list.", "Words:"))
        + "\n"
        + "\n".join(f"{a} = {b}" for a, b in known.items())
        + "\nTranslate:"
    )
    branches = []
    for _ in range(7):
        asked = [rng.choice(list(known)) for _ in range(rng.choice((1, 1, 2, 3)))]
        branches.append((" " + " ".join(asked), " ".join(known[a] for a in asked)))
    return Document(trunk=trunk, branches=tuple(branches))


def lookup(rng: random.Random) -> Document:
    """Short keys with short values, and every key asked in the very form it was written in."""
    makers: tuple[Callable[[], str], ...] = (
        lambda: rng.choice(w.NOUNS),
        lambda: rng.choice("ABCDEFGHJKLMNPRSTUVW"),
        lambda: str(rng.randint(0, 9)),
        lambda: str(rng.randint(10, 99)),
        lambda: rng.choice(w.FIRST),
        lambda: rng.choice(w.PLACES),
        lambda: rng.choice(w.ADJECTIVES),
        lambda: w.coin(rng, 1, 2),
        lambda: w.name(rng),
    )
    left, right = rng.choice(makers), rng.choice(makers)
    known = {left(): right() for _ in range(rng.randint(2, 8))}
    is_, end = rng.choice(("=", ":", "->", ">", "/", " is ", " = ", ": ")), rng.choice(("\n", "\n", ", ", "; ", " "))
    lines = end.join(f"{key}{is_}{value}" for key, value in known.items())
    asked = rng.sample(list(known), len(known))[:6]
    if rng.random() < 0.7:
        return Document(trunk=f"{lines}{end}", branches=tuple((f"{k}{is_.rstrip()}", known[k]) for k in asked))
    form = rng.choice(("What is {}?", "And {}?", "{}?", "Which one is {}?", "Give the value of {}."))
    return Document(trunk=f"{lines}\n", branches=tuple((form.format(k), known[k]) for k in asked))


FUNCTIONS: dict[str, Callable[[list[str]], str]] = {
    "last": lambda x: x[-1],
    "first": lambda x: x[0],
    "second": lambda x: x[1],
    "reverse": lambda x: " ".join(reversed(x)),
    "upper": lambda x: " ".join(x).upper(),
    "commas": lambda x: ", ".join(x),
    "twice": lambda x: " ".join(x + x),
    "swap": lambda x: " ".join([x[-1], *x[1:-1], x[0]]),
    "drop first": lambda x: " ".join(x[1:]),
    "drop last": lambda x: " ".join(x[:-1]),
    "same": lambda x: " ".join(x),
    "quotes": lambda x: '"' + " ".join(x) + '"',
    "dashes": lambda x: "-".join(x),
    "count": lambda x: str(len(x)),
    "star": lambda x: " ".join(f"*{y}*" for y in x),
    "title": lambda x: " ".join(y.capitalize() for y in x),
}


def functions(rng: random.Random) -> Document:
    """A function on short word lists, shown by examples."""
    function = FUNCTIONS[rng.choice(list(FUNCTIONS))]
    end = f" {w.coin(rng)}" if rng.random() < 0.15 else ""
    pairs = []
    for _ in range(rng.randint(5, 7)):
        items = w.words(rng, rng.randint(2, 4))
        pairs.append((" ".join(items), function(items) + end))
    return shots(pairs, 2)


def dialect(rng: random.Random) -> Document:
    """A random notation for small records, shown by examples and then asked."""
    fields = rng.sample(w.FIELDS, rng.randint(2, 3))
    sep, eq = rng.choice((" | ", "; ", ", ", " / ", "\n")), rng.choice(("=", ": ", " -> ", ":"))
    left, right = rng.choice((("", ""), ("{", "}"), ("[", "]"), ("<", ">"), ("(", ")"), (f"{w.coin(rng)} ", "")))
    named, order = rng.random() < 0.7, rng.sample(fields, len(fields))
    form = rng.choice(("The {f} is {v}.", "{f} {v}", "{f}: {v}", "{v} is the {f}."))
    pairs = []
    for _ in range(rng.randint(4, 6)):
        record = {f: rng.choice((w.name(rng), rng.choice(w.NOUNS), str(w.number(rng)), w.person(rng))) for f in fields}
        asked = (
            " ".join(form.format(f=f, v=record[f]) for f in fields)
            if "." in form
            else ", ".join(form.format(f=f, v=record[f]) for f in fields)
        )
        body = sep.join((f"{f}{eq}{record[f]}" if named else record[f]) for f in order)
        pairs.append((asked, f"{left}{body}{right}"))
    return shots(pairs, 1)


def voice(rng: random.Random) -> Document:
    """A habit of speech shown by examples: every answer opens or closes the same way."""
    opening, closing = (
        rng.choice(("", f"{w.name(rng)}!", f"Dear {w.person(rng)},", f"{w.coin(rng).capitalize()}:")),
        rng.choice(("", f"{w.coin(rng)}.", f"So says {w.name(rng)}.", f"- {w.person(rng)}")),
    )
    pairs = []
    for _ in range(rng.randint(4, 6)):
        thing, colour = w.word(rng), rng.choice(CLASSES["colour"])
        asked = rng.choice(("What colour is the {t}? ({c})", "Say that the {t} is {c}.", "The {t} is {c}.")).format(
            t=thing, c=colour
        )
        pairs.append((asked, f"{opening} The {thing} is {colour}. {closing}".strip()))
    return shots(pairs, 1)


def facts_by_name(rng: random.Random) -> Document:
    """Pairs from a table, repeated: the answer is found earlier in the conversation."""
    count = rng.randint(3, 5)
    known = {w.name(rng): str(rng.choice((w.number(rng), w.place(rng), w.person(rng)))) for _ in range(count)}
    form = rng.choice(("{}?", "Where or what is {}?", "Look up {}."))
    keys = list(known)
    asked = keys + rng.sample(keys, count)
    return shots([(form.format(k), known[k]) for k in asked], count)
