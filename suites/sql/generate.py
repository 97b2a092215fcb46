"""Writes test.jsonl, dev.jsonl, train.jsonl and shots.jsonl of this suite from schemas.json and phrases.yaml.

    python suites/sql/generate.py

The same seed gives the same bytes. No gold query occurs in two splits; the last two wordings of every intent, and half
of the house questions, are asked only in the test split. train_phrases.yaml holds wordings and house questions for the
train split alone.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
SEED = 20261
SIZES = {"test": 240, "dev": 60, "train": 1280}
HELD_OUT = 2
NEAR = 13
AGAIN = 2
"""How often a gold query of the train split is asked again, in other words."""
COMPARISONS = (
    (">", ("above {v}", "of more than {v}", "over {v}")),
    ("<", ("below {v}", "of less than {v}", "under {v}")),
    (">=", ("of at least {v}", "of {v} or more")),
    ("<=", ("of at most {v}", "of {v} or less")),
)
YEARS = ((">", "after"), ("<", "before"), ("=", "in"), (">=", "in or after"))
SHOTS = ("count", "per", "list_both", "top", "sum", "distinct", "lone", "per_avg")

Filter = dict[str, str]
Item = dict[str, Any]


def text_filters(spec: dict[str, Any], rng: random.Random) -> Iterator[Filter]:
    for value in spec["values"]:
        words = {"v": value}
        sql = f"{spec['col']} = '{value}'"
        yield {
            "sql": sql,
            "col": spec["col"],
            "post": spec["post"].format(**words),
            "pred": spec["pred"].format(**words),
        }
    for _ in range(3):
        a, b = rng.sample(spec["values"], 2)
        post = spec["pair"].format(a=a, b=b)
        done = post.split()[0] in ("placed", "handled", "driven", "booked", "given", "carrying")
        pred = post.removeprefix("that ") if post.startswith("that ") else f"{'were' if done else 'are'} {post}"
        yield {"sql": f"{spec['col']} IN ('{a}', '{b}')", "col": spec["col"], "post": post, "pred": pred}


def number_filters(spec: dict[str, Any], rng: random.Random) -> Iterator[Filter]:
    col, values = spec["col"], spec["values"]
    if "year" in spec:
        for value in values:
            sign, word = rng.choice(YEARS)
            post = spec["year"].format(w=word, v=value)
            yield {"sql": f"{col} {sign} {value}", "col": col, "post": post, "pred": _predicate(post)}
    else:
        for value in values:
            for sign, phrases in rng.sample(COMPARISONS, 2):
                phrase = f"{spec['a']} {rng.choice(phrases).format(v=value)}"
                yield {"sql": f"{col} {sign} {value}", "col": col, "post": f"with {phrase}", "pred": f"have {phrase}"}
    for _ in range(2):
        low, high = sorted(rng.sample(values, 2))
        sql = f"{col} BETWEEN {low} AND {high}"
        if "year" in spec:
            post = spec["year"].format(w="between", v=f"{low} and {high}")
            yield {"sql": sql, "col": col, "post": post, "pred": _predicate(post)}
        else:
            phrase = f"{spec['a']} between {low} and {high}"
            yield {"sql": sql, "col": col, "post": f"with {phrase}", "pred": f"have {phrase}"}


def _predicate(post: str) -> str:
    return post.removeprefix("who ") if post.startswith("who ") else f"were {post}"


def filters(view: dict[str, Any], rng: random.Random) -> list[Filter]:
    """Every condition a view can be asked for, as SQL and as words."""
    found = [one for spec in view["texts"] for one in text_filters(spec, rng)]
    found += [one for spec in view["nums"] for one in number_filters(spec, rng)]
    found += [{**fact, "col": fact["sql"].split()[0]} for fact in view.get("facts", ())]
    if "likes" in view:
        col = view["likes"]["col"]
        for letter in view["likes"]["letters"]:
            phrase = f"a {col} that starts with {letter}"
            sql = f"{col} LIKE '{letter}%'"
            found.append({"sql": sql, "col": col, "post": f"with {phrase}", "pred": f"have {phrase}"})
    return found


def draw(name: str, intent: dict[str, Any], view: dict[str, Any], rng: random.Random) -> dict[str, Any] | None:
    """One filled set of slots for an intent over a view, or None where they do not go together."""
    sql, joined = intent["sql"], " JOIN " in view["from"]
    conditions = filters(view, rng)
    f, g = rng.choice(conditions), rng.choice(conditions)
    m, p = rng.choice(view["nums"]), rng.choice(view["groups"])
    label, other = rng.choice(view["labels"]), rng.choice([*view["labels"], *view["groups"]])
    used = {f["col"]} if "{f}" in sql else set()
    if "{g}" in sql and (g["col"] == f["col"] or not any(f["col"] == t["col"] for t in view["texts"])):
        return None
    if "{sum}" in "".join(intent["wordings"]) and "sum" not in m:
        return None
    if "{p}" in sql and p["col"] in used | {m["col"]}:
        return None
    if "{l}" in sql and label["col"] in used | {g["col"]}:
        return None
    if "{k}" in sql and (other["col"] == label["col"] or other["col"] in used):
        return None
    if "{m}" in sql and "{f}" in sql and f["col"] == m["col"]:
        return None
    if joined and name in ("all", "above", "bottom"):
        return None
    if joined and not _needs_join(
        sql, view["from"].split()[0], {"f": f, "g": g, "m": m, "p": p, "l": label, "k": other}
    ):
        return None
    if intent.get("words") and label["many"] in ("ids", "numbers", "rooms"):
        return None
    return {key: view[key] for key in ("from", "one", "many")} | {
        "f": f["sql"],
        "post": f["post"],
        "pred": f["pred"],
        "g": g["sql"],
        "gpost": g["post"],
        "gpred": g["pred"],
        "m": m["col"],
        "the": m["the"],
        "a": m["a"],
        "sum": m.get("sum", ""),
        "high": m["high"],
        "low": m["low"],
        "l": label["col"],
        "ls": label["many"],
        "lone": label["one"],
        "k": other["col"],
        "kone": other["one"],
        "p": p["col"],
        "pone": p["one"],
        "ps": p["many"],
        "n": rng.choice((2, 3, 4, 5)) if name == "top_n" else rng.choice((1, 2, 3)),
    }


def _needs_join(sql: str, main: str, slots: dict[str, dict[str, Any]]) -> bool:
    """Whether a query reads the joined table and adds up what belongs to the main one: both are really asked for."""
    used = {slot: str(value["col"]) for slot, value in slots.items() if f"{{{slot}}}" in sql}
    reads_other = any(not col.startswith(f"{main}.") for col in used.values())
    return reads_other and ("m" not in used or used["m"].startswith(f"{main}."))


def golds(phrases: dict[str, Any], rng: random.Random) -> list[Item]:
    """Distinct gold queries, the intents taking turns, each with the slots its wordings need."""
    intents = list(phrases["intents"].items())
    views = list(phrases["views"].values())
    found: dict[str, Item] = {}
    for _ in range(150):
        for name, intent in intents:
            view = rng.choice(views)
            slots = draw(name, intent, view, rng)
            if slots is None:
                continue
            sql = intent["sql"].format(**slots)
            found.setdefault(sql, {"sql": sql, "schema": view["schema"], "intent": name, "slots": slots})
    for pair in phrases["lone"]:
        for label, many in pair["labels"].items():
            sql = pair["sql"].format(l=label)
            slots = {"many": pair["many"], "verb": pair["verb"], "child": pair["child"], "ls": many}
            found[sql] = {"sql": sql, "schema": pair["schema"], "intent": "lone", "slots": slots}
    items = list(found.values())
    rng.shuffle(items)
    return items


def ask(item: Item, phrases: dict[str, Any], held_out: bool, rng: random.Random) -> tuple[str, str]:
    """The question in words, and whether its wording is one the train split uses."""
    name = item["intent"]
    wordings = phrases["lone_wordings"] if name == "lone" else phrases["intents"][name]["wordings"]
    wording = rng.choice(wordings[-HELD_OUT:] if held_out else wordings[:-HELD_OUT])
    return _spoken(wording, item), "held out" if held_out else "seen"


def _spoken(wording: str, item: Item) -> str:
    text = wording.format(**item["slots"]).replace("the the ", "the ").replace("of of ", "of ")
    return text[0].upper() + text[1:]


def tables(schema: dict[str, Any]) -> str:
    """The tables as a prompt shows them: one line each, name(column, column)."""
    return "\n".join(f"{table}({', '.join(columns)})" for table, columns in schema.items())


def grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + NEAR]) for i in range(len(words) - NEAR + 1)}


def build() -> dict[str, list[Item]]:
    """Every split, in the order it is written."""
    rng = random.Random(SEED)
    schemas = json.loads((HERE / "schemas.json").read_text("utf-8"))
    phrases = yaml.safe_load((HERE / "phrases.yaml").read_text("utf-8"))
    house = [{"schema": s, "question": q, "sql": sql, "intent": "house"} for s, q, sql in phrases["house"]]
    rng.shuffle(house)
    asked_by_house = {item["sql"] for item in house}
    pool = [item for item in golds(phrases, rng) if item["sql"] not in asked_by_house]
    splits: dict[str, list[Item]] = {"shots": [], "test": [], "dev": [], "train": []}
    seen: set[str] = set()
    near: set[tuple[str, ...]] = set()
    taught: list[Item] = []

    def take(split: str, item: Item, question: str, wording: str) -> None:
        meta = {"schema": item["schema"], "intent": item["intent"], "wording": wording, "question": question}
        text = f"Tables:\n{tables(schemas[item['schema']])}\nQuestion: {question}"
        splits[split].append({"input": text, "target": item["sql"], "metadata": meta})
        seen.add(question.lower())
        if split != "train":
            near.update(grams(question))

    shown: set[str] = set()
    for intent in SHOTS:
        item = next(i for i in pool if i["intent"] == intent and i["schema"] not in shown)
        shown.add(item["schema"])
        pool.remove(item)
        take("shots", item, *ask(item, phrases, False, rng))
    cut = {"test": house[:40], "dev": house[40:46], "train": house[46:]}
    for split in ("test", "dev", "train"):
        for item in cut[split]:
            take(split, item, item["question"], "house")
        turn = 0
        while len(splits[split]) < SIZES[split]:
            if not pool:
                raise SystemExit(f"sql: not enough golds for {split}: {len(splits[split])}")
            item = _least_asked(pool, splits[split])
            pool.remove(item)
            turn += 1
            question, wording = ask(item, phrases, split == "test" and turn % 3 == 0, rng)
            if question.lower() in seen or (split != "test" and grams(question) & near):
                continue
            take(split, item, question, wording)
            taught += [item] if split == "train" else []
    more = yaml.safe_load((HERE / "train_phrases.yaml").read_text("utf-8"))
    asked = {row["target"] for split in ("shots", "test", "dev") for row in splits[split]}
    for item, question in [*_asked_again(taught, more["wordings"], rng), *_in_house(more["house"], asked)]:
        if question.lower() not in seen and not grams(question) & near:
            take("train", item, question, "house" if item["intent"] == "house" else "further")
    for split, rows in splits.items():
        if split != "shots":
            random.Random(f"{SEED} {split}").shuffle(rows)
        splits[split] = [{"id": f"sql-{split}-{i:04d}", **row} for i, row in enumerate(rows, 1)]
    return splits


def _asked_again(items: list[Item], wordings: dict[str, list[str]], rng: random.Random) -> Iterator[tuple[Item, str]]:
    for item in items:
        for wording in rng.sample(wordings[item["intent"]], AGAIN):
            yield item, _spoken(wording, item)


def _in_house(house: list[list[str]], asked: set[str]) -> Iterator[tuple[Item, str]]:
    for schema, question, sql in house:
        if sql not in asked:
            yield {"schema": schema, "sql": sql, "intent": "house"}, question


def _least_asked(pool: list[Item], rows: list[Item]) -> Item:
    """The next gold whose intent and schema the split has asked least, so that no kind of question dominates."""
    intents: dict[str, int] = {}
    schemas: dict[str, int] = {}
    for row in rows:
        meta = row["metadata"]
        intents[meta["intent"]] = intents.get(meta["intent"], 0) + 1
        schemas[meta["schema"]] = schemas.get(meta["schema"], 0) + 1
    return min(pool, key=lambda item: (intents.get(item["intent"], 0), schemas.get(item["schema"], 0)))


def write(folder: Path) -> None:
    """Writes the split files of the suite into a folder."""
    for split, rows in build().items():
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    write(HERE)
