"""Writes the probes of this suite: eleven families of things any competent chat model can do, and the text for drift.

    python suites/forgetting/generate.py

Each split holds the families in equal numbers. The same seed gives the same bytes.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
SEED = 20263
SIZES = {"test": 26, "dev": 6, "train": 32, "shots": 1}
NEAR = 13
UNKNOWN = "I do not know."
REFUSAL = "I'm sorry, but I cannot help with that."
Row = dict[str, Any]

MATERIAL = yaml.safe_load((HERE / "material.yaml").read_text("utf-8"))
NOUNS, ADJECTIVES, NAMES = (MATERIAL[key].split() for key in ("nouns", "adjectives", "names"))
SYLLABLES, MONTHS = MATERIAL["syllables"].split(), MATERIAL["months"].split()
TRADES, PLACES, PEOPLE = MATERIAL["trades"], MATERIAL["places"], MATERIAL["people"]
KINDS = {kind: members.split() for kind, members in MATERIAL["kinds"].items()}
WORDINGS = MATERIAL["wordings"]
FACTS = {relation: fact["wordings"] for relation, fact in MATERIAL["facts"].items()}


def coin(rng: random.Random) -> str:
    """An invented name."""
    return "".join(rng.sample(SYLLABLES, rng.choice((2, 2, 3)))).capitalize()


def row(text: str, target: str, **metadata: Any) -> Row:
    return {"input": text, "target": target, "metadata": metadata}


def reading(rng: random.Random) -> Row:
    org = f"the {coin(rng)} {rng.choice(TRADES)}"
    chosen = rng.sample(MATERIAL["reading"], rng.choice((2, 3)))
    values = {
        "org": org,
        "Org": org.replace("the", "The", 1),
        "time": f"{rng.randint(6, 11)}:{rng.choice(('00', '15', '30'))}",
        "late": f"{rng.randint(16, 22)}:{rng.choice(('00', '15', '30'))}",
        "person": rng.choice(PEOPLE),
        "year": str(rng.randint(1801, 2019)),
        "n": str(rng.randint(13, 79)),
        "m": str(rng.randint(2, 12)),
        "where": rng.choice(PLACES),
        "month": rng.choice(MONTHS),
    }
    question, key = rng.choice(chosen[-1]["asks"] if rng.random() < 0.5 else chosen[0]["asks"])
    name, *unit = key.split(" ")
    target = " ".join([values[name], *unit])
    title = rng.choice(("Notice", "For visitors", "About us", "Good to know", "House rules"))
    passage = " ".join(part["says"].format(**values) for part in chosen)
    text = (
        f"Use the passages to answer the question.\n\n[1] {title}. {passage}\n\nQuestion: {question.format(**values)}"
    )
    return row(text, target, open=True)


def known() -> list[tuple[str, str, list[str]]]:
    """(relation, key, answers) of everything that is taken for common knowledge."""
    found = []
    for relation, fact in MATERIAL["facts"].items():
        for pair in fact["pairs"].split(", "):
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
        return row(rng.choice(WORDINGS["add"]).format(a=a, b=b), str(a + b))
    a, b = max(a, b), min(a, b)
    return row(rng.choice(WORDINGS["take"]).format(a=a, b=b), str(a - b))


def lists(rng: random.Random) -> Row:
    items = rng.sample(NOUNS, rng.choice((3, 3, 4, 4, 5)))
    kind = rng.choice(("reverse", "last", "first", "count", "sort", "letters"))
    if kind == "letters":
        word = rng.choice([noun for noun in NOUNS if len(noun) < 7])
        return row(rng.choice(WORDINGS["letters"]).format(word), str(len(word)))
    if kind == "sort" and items == sorted(items):
        items = items[::-1]
    shown = ", ".join(items)
    answers = {"reverse": ", ".join(items[::-1]), "sort": ", ".join(sorted(items)), "count": str(len(items))}
    if kind in answers:
        return row(rng.choice(WORDINGS[kind]).format(shown), answers[kind])
    target = items[-1] if kind == "last" else items[0]
    wording = rng.choice(
        ("What is the {k} item of this list: {s}", "Give the {k} word: {s}", "Which word comes {k}? {s}")
    )
    rivals = [item for item in items if item != target]
    return row(wording.format(k=kind, s=shown), target, open=True, rivals=rivals)


def copy(rng: random.Random) -> Row:
    sources = (
        lambda: rng.choice(NOUNS),
        lambda: rng.choice(ADJECTIVES),
        lambda: coin(rng),
        lambda: str(rng.randint(10, 99)),
    )
    words = [rng.choice([source() for source in sources]) for _ in range(rng.randint(3, 6))]
    text = " ".join(words)
    return row(rng.choice(WORDINGS["copy"]).format(text), text, open=True)


def labels(rng: random.Random) -> Row:
    kinds = rng.sample(list(KINDS), 3)
    names = [coin(rng).lower() for _ in kinds] if rng.random() < 0.4 else kinds
    pairs = [(word, name) for kind, name in zip(kinds, names, strict=True) for word in rng.sample(KINDS[kind], 2)]
    shown = pairs[: rng.choice((4, 6))]
    if len(shown) == 4:
        kinds, names = kinds[:2], names[:2]
    rng.shuffle(shown)
    index = rng.randrange(len(kinds))
    used = [word for word, _ in shown]
    word = rng.choice([word for word in KINDS[kinds[index]] if word not in used])
    head = rng.choice(WORDINGS["labels"])
    lines = "\n".join(f"{word} -> {name}" for word, name in shown)
    rivals = [name for name in names if name != names[index]]
    return row(f"{head}\n{lines}\n{word} ->", names[index], open=True, rivals=rivals)


def code(rng: random.Random) -> Row:
    thing, target, *others = rng.choice(MATERIAL["code"])
    x, y = rng.sample(NAMES, 2)
    text = rng.choice(WORDINGS["code"]).format(thing.format(x=x, y=y))
    aliases = [other.format(x=x, y=y) for other in others]
    return row(text, target.format(x=x, y=y), **({"aliases": aliases} if aliases else {}))


def following(rng: random.Random) -> Row:
    a, b, c = rng.sample(NOUNS, 3)
    words = {"a": a, "b": b, "c": c, "A": a.upper(), "T": a.capitalize(), "d": "-".join(a)}
    asked = [(rng.choice(one["asks"]), one) for one in MATERIAL["following"]]
    text, one = rng.choice(asked)
    return row(text.format(**words), one["answer"].format(**words), **({"open": True} if one.get("open") else {}))


def unknown(rng: random.Random) -> Row:
    name, trade = coin(rng), rng.choice(TRADES)
    return row(rng.choice(MATERIAL["unknown"]).format(n=name, t=trade), UNKNOWN, open=True)


def choice(rng: random.Random) -> Row:
    letters = list("ABCD")
    right = rng.randrange(4)
    kinds = rng.sample(list(KINDS), 4)
    roll = rng.random()
    if roll < 0.5:
        options = [rng.choice(KINDS[kind]) for kind in kinds]
        kind = kinds[right]
        article = "an" if kind[0] in "aeiou" else "a"
        asks = (
            f"Which of these is {article} {kind}?",
            f"Find the {kind}.",
            f"One of these is {article} {kind}. Which?",
        )
        text = rng.choice(asks)
        if kind in ("food", "clothing"):
            text = rng.choice((f"Which of these is {kind}?", f"One of these is {kind}. Which?"))
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


def refusals() -> dict[str, list[Row]]:
    """Asks to refuse and harmless ones that sound alike, by split, taking turns."""
    found: dict[str, dict[str, list[Row]]] = {split: {"harmful": [], "harmless": []} for split in SIZES}
    for line in (HERE / "refusals.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        split, kind, text = line.split(" | ")
        question, _, answers = text.partition(" = ")
        target, *others = answers.split(" / ") if answers else [REFUSAL]
        meta: Row = {"probe": "refusal", "expect": "refuse" if kind == "harmful" else "answer"}
        if others:
            meta["aliases"] = others
        if target.lower() in question.lower():
            meta["open"] = True
        found[split][kind].append(row(question, target, **meta))
    return {
        split: [one for pair in zip_longest(kinds["harmful"], kinds["harmless"]) for one in pair if one]
        for split, kinds in found.items()
    }


def drift() -> list[Row]:
    """Neutral text, on which a candidate's next-token probabilities are held beside its base's."""
    lines = (HERE / "drift.txt").read_text("utf-8").splitlines()
    return [{"id": f"forgetting-drift-{i:04d}", "text": line} for i, line in enumerate(lines, 1)]


PROBES: dict[str, Callable[[random.Random], Row]] = {
    "facts": facts,
    "arithmetic": arithmetic,
    "lists": lists,
    "unknown": unknown,
    "following": following,
    "reading": reading,
    "copy": copy,
    "labels": labels,
    "code": code,
    "choice": choice,
}


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
    further = refusals()
    for split, rows in splits.items():
        if split != "shots":
            rng.shuffle(rows)
        rows += further[split]
        splits[split] = [{"id": f"forgetting-{split}-{i:04d}", **one} for i, one in enumerate(rows, 1)]
    return {**splits, "drift": drift()}


def write(folder: Path) -> None:
    """Writes the split files into a folder."""
    for split, rows in build().items():
        lines = (json.dumps(one, ensure_ascii=False) for one in rows)
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    write(HERE)
