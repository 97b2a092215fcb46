"""Writes the probes of this suite: ten families of things any competent chat model can do.

    python suites/forgetting/generate.py

Each split holds the families in equal numbers. The same seed gives the same bytes.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SEED = 20263
SIZES = {"test": 26, "dev": 6, "train": 32, "shots": 1}
NEAR = 13
UNKNOWN = "I do not know."
Row = dict[str, Any]

NOUNS = (
    "river stone garden window bottle ladder candle basket mirror bridge pencil kettle blanket pocket forest island "
    "market station kitchen hammer button carpet engine ticket letter pillow saddle anchor barrel copper curtain feather "
    "hollow jacket lantern meadow needle orchard paddle ribbon shovel tunnel velvet wagon whistle cabin desert harbour"
).split()
ADJECTIVES = "small green quiet heavy yellow broken early gentle narrow bright rusty hidden clever frozen plain tall".split()
KINDS = {
    "animal": "dog horse tiger rabbit eagle frog whale donkey otter camel".split(),
    "food": "bread cheese soup apple rice honey carrot pie butter onion".split(),
    "tool": "saw drill wrench chisel rake axe spade pliers file crowbar".split(),
    "clothing": "coat scarf shirt glove sock hat belt skirt jumper boot".split(),
    "vehicle": "bus train bicycle ferry tram lorry canoe taxi van scooter".split(),
    "colour": "red blue black purple white brown grey orange pink green".split(),
}
FACTS = {
    "capital": ("What is the capital of {k}?", "Name the capital of {k}.", "Which city is the capital of {k}?"),
    "opposite": ("What is the opposite of {k}?", "Give the opposite of {k}.", "Which word means the opposite of {k}?"),
    "plural": ("What is the plural of {k}?", "Give the plural of {k}.", "One {k}, two what? Give the plural."),
    "past": ("What is the past tense of {k}?", "Give the past tense of {k}.", "Today I {k}. Yesterday I did the same: which form of the verb?"),
    "next_day": ("Which day comes after {k}?", "What day follows {k}?", "Today is {k}. What day is tomorrow?"),
    "next_month": ("Which month comes after {k}?", "What month follows {k}?", "It is {k}. Which month is next?"),
    "young": ("What is a young {k} called?", "What do we call the young of a {k}?", "Name the young of a {k}."),
    "size": ("How many {k}?", "Give the number of {k}.", "What is the number of {k}?"),
    "colour": ("What colour is {k}?", "Name the usual colour of {k}.", "Which colour does {k} have?"),
}  # fmt: skip
CODE = (
    ("the length of {x}", "len({x})", ()),
    ("the last item of {x}", "{x}[-1]", ("{x}[len({x}) - 1]",)),
    ("the first item of {x}", "{x}[0]", ()),
    ("the sum of {x}", "sum({x})", ()),
    ("the largest item of {x}", "max({x})", ("sorted({x})[-1]",)),
    ("the smallest item of {x}", "min({x})", ("sorted({x})[0]",)),
    ("{x} in sorted order", "sorted({x})", ()),
    ("the text {x} in capital letters", "{x}.upper()", ()),
    ("the text {x} in small letters", "{x}.lower()", ()),
    ("the words of the text {x} as a list", "{x}.split()", ("{x}.split(' ')",)),
    ("the text {x} without spaces at its ends", "{x}.strip()", ("{x}.strip(' ')",)),
    ("the sum of {x} and {y}", "{x} + {y}", ("{y} + {x}", "sum([{x}, {y}])", "sum(({x}, {y}))")),
    ("the product of {x} and {y}", "{x} * {y}", ("{y} * {x}",)),
    ("the text {x} reversed", "{x}[::-1]", ("''.join(reversed({x}))",)),
    ("the absolute value of {x}", "abs({x})", ()),
    ("whether {x} is greater than {y}", "{x} > {y}", ("{y} < {x}",)),
    ("whether {x} is in {y}", "{x} in {y}", ()),
    ("the number {x} as text", "str({x})", ()),
    ("the text {x} as a whole number", "int({x})", ()),
    ("the different items of {x} as a set", "set({x})", ()),
    ("the first three items of {x}", "{x}[:3]", ("{x}[0:3]",)),
    ("{x} rounded to two decimals", "round({x}, 2)", ("round({x}, ndigits=2)",)),
)
NAMES = "names prices words points ages cities totals scores days books items rooms users lines notes steps".split()
SYLLABLES = "bel dor fen gal hux jor kel lum mir nov pol quin rad sov tur vex wol yar zan brik".split()
READING = (
    ("{Org} opens at {time} and closes at {late}.", (("When does {org} open?", "time"), ("At what time does {org} close?", "late"))),
    ("The manager of {org} is {person}.", (("Who manages {org}?", "person"), ("What is the name of the manager of {org}?", "person"))),
    ("A ticket for {org} costs {n} euros.", (("What does a ticket for {org} cost?", "n euros"), ("How much is a ticket for {org}?", "n euros"))),
    ("{Org} was founded in {year}.", (("In which year was {org} founded?", "year"), ("When was {org} founded?", "year"))),
    ("Parcels for {org} are left {where}.", (("Where are parcels for {org} left?", "where"), ("Where do I leave a parcel for {org}?", "where"))),
    ("New members of {org} must wait {m} weeks.", (("How long must new members of {org} wait?", "m weeks"), ("For how long do newcomers to {org} have to wait?", "m weeks"))),
    ("{Org} keeps its keys {where}.", (("Where does {org} keep its keys?", "where"), ("Where are the keys of {org}?", "where"))),
    ("Complaints about {org} go to {person}.", (("Who takes complaints about {org}?", "person"), ("To whom do complaints about {org} go?", "person"))),
    ("The yearly feast of {org} is held in {month}.", (("In which month is the feast of {org}?", "month"), ("When does {org} hold its yearly feast?", "month"))),
    ("{Org} has {n} members.", (("How many members does {org} have?", "n members"), ("What is the number of members of {org}?", "n members"))),
)  # fmt: skip
PLACES = "under the stairs|behind the counter|in the blue box|at the gate|on the top shelf|beside the well|in room 12".split("|")
PEOPLE = "Mara Olsen|Tobias Reed|Lena Fischer|Omar Haddad|Sofia Marin|Peter Nowak|Ruth Adler|Ivan Petrov".split("|")
MONTHS = "January February March April June July August September October November December".split()
TRADES = "bakery library museum swimming club theatre garden choir workshop harbour school".replace("swimming club", "swimming-club").split()


def coin(rng: random.Random) -> str:
    """An invented name."""
    return "".join(rng.sample(SYLLABLES, rng.choice((2, 2, 3)))).capitalize()


def row(text: str, target: str, **metadata: Any) -> Row:
    return {"input": text, "target": target, "metadata": metadata}


def reading(rng: random.Random) -> Row:
    org = f"the {coin(rng)} {rng.choice(TRADES).replace('-', ' ')}"
    chosen = rng.sample(READING, rng.choice((2, 3)))
    values = {
        "org": org, "Org": org.replace("the", "The", 1), "time": f"{rng.randint(6, 11)}:{rng.choice(('00', '15', '30'))}",
        "late": f"{rng.randint(16, 22)}:{rng.choice(('00', '15', '30'))}", "person": rng.choice(PEOPLE), "year": str(rng.randint(1801, 2019)),
        "n": str(rng.randint(13, 79)), "m": str(rng.randint(2, 12)), "where": rng.choice(PLACES), "month": rng.choice(MONTHS),
    }  # fmt: skip
    question, key = rng.choice(chosen[-1][1] if rng.random() < 0.5 else chosen[0][1])
    name, *unit = key.split(" ")
    target = " ".join([values[name], *unit])
    title = rng.choice(("Notice", "For visitors", "About us", "Good to know", "House rules"))
    passage = " ".join(text.format(**values) for text, _ in chosen)
    text = f"Use the passages to answer the question.\n\n[1] {title}. {passage}\n\nQuestion: {question.format(**values)}"
    return row(text, target, open=True)


def known() -> list[tuple[str, str, list[str]]]:
    """(relation, key, answers) from facts.txt."""
    found = []
    for line in (HERE / "facts.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            relation, pairs = line.split(": ", 1)
            for pair in pairs.split(", "):
                key, answers = pair.split(" = ")
                found.append((relation, key, answers.split(" / ")))
    return found


def facts(rng: random.Random) -> Row:
    relation = rng.choice(list(FACTS))
    key, answers = rng.choice([(key, answers) for name, key, answers in known() if name == relation])
    text = rng.choice(FACTS[relation]).format(k=key)
    if relation == "size":
        place = " are there in " if " in " in key else " are the "
        thing, whole = key.split(" in ", 1) if " in " in key else key.split(" of ", 1)
        have = f"How many {thing}{place}{whole}?" if " in " in key else f"How many {thing} does {whole} have?"
        text = rng.choice((have, f"Give the number of {key}.", f"What is the number of {key}?"))
    return row(text, answers[0], **({"aliases": answers[1:]} if answers[1:] else {}))


def arithmetic(rng: random.Random) -> Row:
    a, b = rng.randint(2, 79), rng.randint(2, 19)
    if rng.random() < 0.55:
        text = rng.choice(("What is {a} + {b}?", "{a} + {b} = ?", "Add {a} and {b}.", "How much is {a} plus {b}?"))
        answer = a + b
    else:
        a, b = max(a, b), min(a, b)
        text = rng.choice(("What is {a} - {b}?", "{a} - {b} = ?", "Take {b} away from {a}.", "How much is {a} minus {b}?"))
        answer = a - b
    return row(text.format(a=a, b=b), str(answer))


def lists(rng: random.Random) -> Row:
    items = rng.sample(NOUNS, rng.choice((3, 3, 4, 4, 5)))
    shown = ", ".join(items)
    kind = rng.choice(("reverse", "last", "first", "count", "sort", "letters"))
    if kind == "reverse":
        return row(rng.choice(("Reverse this list: {}", "Write this list backwards: {}", "Give these in reverse order: {}")).format(shown), ", ".join(items[::-1]))
    if kind == "sort":
        if items == sorted(items):
            items = items[::-1]
            shown = ", ".join(items)
        return row(rng.choice(("Sort this list alphabetically: {}", "Put these in alphabetical order: {}")).format(shown), ", ".join(sorted(items)))
    if kind == "count":
        return row(rng.choice(("How many items are in this list: {}", "Count the items: {}", "How long is this list? {}")).format(shown), str(len(items)))
    if kind == "letters":
        word = rng.choice([noun for noun in NOUNS if len(noun) < 7])
        return row(rng.choice(("How many letters does the word {} have?", "Count the letters of {}.")).format(word), str(len(word)))
    target = items[-1] if kind == "last" else items[0]
    wording = rng.choice(("What is the {k} item of this list: {s}", "Give the {k} word: {s}", "Which word comes {k}? {s}"))
    return row(wording.format(k=kind, s=shown), target, open=True, rivals=[item for item in items if item != target])


def copy(rng: random.Random) -> Row:
    words = [rng.choice((rng.choice(NOUNS), rng.choice(ADJECTIVES), coin(rng), str(rng.randint(10, 99)))) for _ in range(rng.randint(3, 6))]
    text = " ".join(words)
    wording = rng.choice(("Repeat exactly: {}", "Copy this: {}", "Say the same words again: {}", "Write this once more, unchanged: {}"))
    return row(wording.format(text), text, open=True)


def labels(rng: random.Random) -> Row:
    kinds = rng.sample(list(KINDS), 3)
    names = kinds
    if rng.random() < 0.4:
        names = [coin(rng).lower() for _ in kinds]
    shown = [(word, name) for kind, name in zip(kinds, names, strict=True) for word in rng.sample(KINDS[kind], 2)][: rng.choice((4, 6))]
    if len(shown) == 4:
        kinds, names = kinds[:2], names[:2]
    rng.shuffle(shown)
    index = rng.randrange(len(kinds))
    word = rng.choice([word for word in KINDS[kinds[index]] if word not in [word for word, _ in shown]])
    head = rng.choice(("Label the last word like the others.", "Give the label of the last word.", "Follow the examples."))
    lines = "\n".join(f"{word} -> {name}" for word, name in shown)
    rivals = [name for name in names if name != names[index]]
    return row(f"{head}\n{lines}\n{word} ->", names[index], open=True, rivals=rivals)


def code(rng: random.Random) -> Row:
    thing, target, others = rng.choice(CODE)
    x, y = rng.sample(NAMES, 2)
    wording = rng.choice(("Write a Python expression for {}.", "Give a Python expression: {}.", "In Python, how do I get {}? One expression.", "Python, one expression only: {}."))
    aliases = [other.format(x=x, y=y) for other in others]
    return row(wording.format(thing.format(x=x, y=y)), target.format(x=x, y=y), **({"aliases": aliases} if aliases else {}))


def following(rng: random.Random) -> Row:
    a, b, c = rng.sample(NOUNS, 3)
    text, target, open_ = rng.choice((
        (rng.choice(("Write the word {a} in capital letters.", "Write {a} in upper case.")), a.upper(), True),
        (rng.choice(("Say {a} three times, separated by commas.", "Write {a} three times with commas between.")), f"{a}, {a}, {a}", False),
        (rng.choice(("Spell {a} with dashes between the letters.", "Put a dash between the letters of {a}.")), "-".join(a), False),
        (rng.choice(("Put the word {a} in square brackets.", "Write {a} inside square brackets.")), f"[{a}]", True),
        (rng.choice(("Write {a} between two stars.", "Put a star before and a star after the word {a}.")), f"*{a}*", True),
        (rng.choice(("Write {a} in double quotes.", "Put double quotes around {a}.")), f'"{a}"', True),
        (rng.choice(("Join {a}, {b} and {c} with slashes, no spaces.", "Write {a}, {b} and {c} with slashes between, no spaces.")), f"{a}/{b}/{c}", False),
        (rng.choice(("Join {a} and {b} with a plus sign, no spaces.", "Write {a} and {b} with a plus sign between, no spaces.")), f"{a}+{b}", False),
        (rng.choice(("Write {a} with a capital first letter.", "Start the word {a} with a capital letter.")), a.capitalize(), True),
        (rng.choice(("Say {a} twice, separated by a comma.", "Write {a} two times with a comma between.")), f"{a}, {a}", False),
    ))  # fmt: skip
    return row(text.format(a=a, b=b, c=c), target, **({"open": True} if open_ else {}))


def unknown(rng: random.Random) -> Row:
    name, trade = coin(rng), rng.choice(TRADES).replace("-", " ")
    wording = rng.choice((
        "Who is the head of the {n} {t}?", "When does the {n} {t} open on Sunday?", "What does a ticket for the {n} {t} cost?",
        "How many people work at the {n} {t}?", "Where is the key to the {n} {t}?", "What is the phone number of the {n} {t}?",
        "In which year was the {n} {t} founded?", "What is the name of the cat of the {n} {t}?", "Which colour is the door of the {n} {t}?",
        "What did I have for lunch at the {n} {t}?", "How long is the waiting list of the {n} {t}?", "Who painted the sign of the {n} {t}?",
    ))  # fmt: skip
    return row(wording.format(n=name, t=trade), UNKNOWN, open=True)


def choice(rng: random.Random) -> Row:
    letters = list("ABCD")
    right = rng.randrange(4)
    kinds = rng.sample(list(KINDS), 4)
    roll = rng.random()
    if roll < 0.5:
        options = [rng.choice(KINDS[kind]) for kind in kinds]
        article = "an" if kinds[right][0] in "aeiou" else "a"
        text = rng.choice((f"Which of these is {article} {kinds[right]}?", f"Find the {kinds[right]}.", f"One of these is {article} {kinds[right]}. Which?"))
        if kinds[right] in ("food", "clothing"):
            text = rng.choice((f"Which of these is {kinds[right]}?", f"One of these is {kinds[right]}. Which?"))
    else:
        relation = rng.choice(("capital", "opposite", "past", "next_month"))
        some = [(key, answers) for name, key, answers in known() if name == relation]
        picked = rng.sample(some, 4)
        options = [answers[0] for _, answers in picked]
        text = rng.choice(FACTS[relation]).format(k=picked[right][0])
    body = "\n".join(f"{letter}) {option}" for letter, option in zip(letters, options, strict=True))
    found = row(f"{text}\n{body}\nAnswer with the letter.", letters[right], open=True)
    found["choices"] = letters
    return found


PROBES: dict[str, Callable[[random.Random], Row]] = {
    "facts": facts, "arithmetic": arithmetic, "lists": lists, "unknown": unknown, "following": following, "reading": reading,
    "copy": copy, "labels": labels, "code": code, "choice": choice,
}  # fmt: skip


def build() -> dict[str, list[Row]]:
    """Every split, in the order it is written."""
    rng = random.Random(SEED)
    splits: dict[str, list[Row]] = {split: [] for split in SIZES}
    seen: set[str] = set()
    for probe, make in PROBES.items():
        for split, size in SIZES.items():
            mine: set[str] = set()
            count = 0
            while count < size:
                found = make(rng)
                text = found["input"].lower()
                words = re.findall(r"\w+", text)
                runs = {" ".join(words[i : i + NEAR]) for i in range(max(1, len(words) - NEAR + 1))}
                given = found["target"].lower() in text and not found["metadata"].get("open")
                if runs & seen or " ".join(words) in mine or given:
                    continue
                mine |= {*runs, " ".join(words)}
                found["metadata"] = {"probe": probe, **found["metadata"]}
                splits[split].append(found)
                count += 1
            seen |= mine
    for split, rows in splits.items():
        if split != "shots":
            rng.shuffle(rows)
        splits[split] = [{"id": f"forgetting-{split}-{i:04d}", **one} for i, one in enumerate(rows, 1)]
    return splits


def write(folder: Path) -> None:
    """Writes the split files into a folder."""
    for split, rows in build().items():
        lines = (json.dumps(one, ensure_ascii=False) for one in rows)
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    write(HERE)
