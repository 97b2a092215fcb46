"""Writes the corpus and the splits of this suite from handbook.txt, unanswerable.txt, circulars.txt and multihop.txt.

    python suites/handbook/generate.py

handbook.txt holds each passage with its facts in braces: {this year<last year} changed, {value} unchanged, {+value}
new; then one line per fact with three wordings of its question: two near the handbook's own words (a, b), one far from
them (c). One of the three, drawn per fact, is asked this year (test, dev, shots); the other two are what the helpdesk
was asked last year and answered from last year's edition (train). The same seed gives the same bytes.
circulars.txt and multihop.txt say themselves how they are written; their rows follow those of the handbook.
"""

from __future__ import annotations

import json
import random
import re
from calendar import month_name
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SEED = 20262
SHARES = {"yes": 0.38, "no": 0.52, "new": 0.10}
SIZES = {"test": 204, "dev": 52}
SHOTS = 7
MAX_WORDS = 45
WORDINGS = {"a": 3, "b": 3, "c": 2}
UNKNOWN = "I do not know."
_FACT = re.compile(r"\{([^}]+)\}")

Row = dict[str, Any]
NUMBER = r"\d[\d.,]*|half an|half|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty"
SHORTER = (
    re.compile(rf"(?:in |within |after |up to )?((?:{NUMBER}) \w+)(?: (?:a|an|per|for|of|before|after) .+)?"),
    re.compile(r"(?:extension|form|level|bell|channel|room|cabinet) (\S+)"),
    re.compile(r"(?:on|at|every) (\S+(?: \S+)?)"),
)


def slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def read() -> tuple[list[Row], list[Row]]:
    """(passages of this year's edition, facts) from handbook.txt."""
    passages: list[Row] = []
    facts: list[Row] = []
    for block in (HERE / "handbook.txt").read_text("utf-8").strip().split("\n\n"):
        title, text, *questions = block.split("\n")
        title = title.removeprefix("# ")
        values = _FACT.findall(text)
        if len(values) != len(questions) and not (len(questions) == 1 and not values):
            raise SystemExit(
                f"handbook.txt: '{title}' has {len(values)} facts and {len(questions)} lines of questions."
            )
        for i, (value, line) in enumerate(zip(values, questions, strict=False), 1):
            new, old = (*value.split("<"), None)[:2]
            changed = "new" if new.startswith("+") else "no" if old is None else "yes"
            new = new.removeprefix("+")
            wordings = dict(zip(WORDINGS, (text.strip() for text in line.removeprefix("? ").split("|")), strict=False))
            if len(wordings) != len(WORDINGS):
                raise SystemExit(f"handbook.txt: '{title}' has {len(wordings)} wordings for '{new}'.")
            last_year = None if changed == "new" else old or new
            key = f"{slug(title)}.{i}"
            facts.append({"fact": key, "changed": changed, "new": new, "old": last_year, "wordings": wordings})
        body = _FACT.sub(lambda match: match.group(1).split("<")[0].removeprefix("+"), text)
        words = len(f"{title}. {body}".split())
        if words > MAX_WORDS:
            raise SystemExit(f"handbook.txt: '{title}' has {words} words, more than {MAX_WORDS}.")
        passages.append({"id": f"passage-{slug(title)}", "text": f"{title}. {body}"})
    return passages, facts


def unanswerable() -> dict[str, list[str]]:
    questions: dict[str, list[str]] = {}
    for line in (HERE / "unanswerable.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            split, question = line.split(": ", 1)
            questions.setdefault(split, []).append(question)
    return questions


def aliases(target: str) -> list[str]:
    """Answers that say the same: without "a month", "for the funeral", "extension", "within"; or in other words."""
    found = [match[1] for pattern in SHORTER if (match := pattern.fullmatch(target))]
    found += [other for answer in (target, *found) for other in other_words().get(answer, ())]
    return [other for other in dict.fromkeys(found) if other != target]


@cache
def other_words() -> dict[str, list[str]]:
    """aliases.txt: answer -> the same in words that the handbook does not use."""
    lines = (HERE / "aliases.txt").read_text("utf-8").splitlines()
    pairs = [line.split(" = ") for line in lines if not line.startswith("#")]
    return {answer: others.split(" | ") for answer, others in pairs}


def row(
    question: str,
    target: str,
    fact: str,
    changed: str,
    wording: str,
    passages: Sequence[str] = (),
    stale: str | None = None,
) -> Row:
    """stale: the answer that was right before, and is wrong now."""
    kind = {"a": "direct", "b": "direct", "c": "paraphrased"}.get(wording, wording)
    book = "open" if changed in ("yes", "new") or kind == "dated" else "closed"
    meta: Row = {"fact": fact, "changed": changed, "wording": wording, "kind": kind, "book": book}
    meta["passages"] = list(passages)
    if target == UNKNOWN:
        meta["open"] = True
    elif shorter := aliases(target):
        meta["aliases"] = shorter
    if stale and not _within(_singular(target), _singular(stale)):
        meta["rivals"] = [stale]
    return {"input": question, "target": target, "metadata": meta}


def this_year(fact: Row) -> Row:
    """The question of a fact as it is asked this year."""
    found = fact["fact"], fact["changed"], fact["asked"]
    stale = fact["old"] if fact["changed"] == "yes" else None
    return row(fact["wordings"][fact["asked"]], fact["new"], *found, passages=[passage_of(fact)], stale=stale)


def passage_of(fact: Row) -> str:
    """The id of the passage that holds a fact."""
    return f"passage-{fact['fact'].rsplit('.', 1)[0]}"


def last_year(fact: Row) -> list[Row]:
    """What the helpdesk was asked about a fact last year."""
    others = [name for name in WORDINGS if name != fact["asked"]]
    found = fact["fact"], fact["changed"]
    return [row(fact["wordings"][n], fact["old"], *found, n, passages=[passage_of(fact)]) for n in others]


def circulars() -> tuple[list[Row], dict[str, list[Row]]]:
    """(two dated passages per topic, rows by split): what holds now, what held then, what was told last year."""
    passages: list[Row] = []
    rows: dict[str, list[Row]] = {"test": [], "dev": [], "train": []}
    number = 10
    for block in (HERE / "circulars.txt").read_text("utf-8").strip().split("\n\n")[1:]:
        head, *rules, now, then, train = block.split("\n")
        split, title = head.removeprefix("# ").split(": ")
        values, ids = [], []
        for line in rules:
            number += 3
            date, text = line.split(": ", 1)
            values += _FACT.findall(text)
            ids.append(f"circular-{number}")
            passages.append(
                {"id": ids[-1], "text": f"Circular {number}, in force from {_day(date)}. {title}. {_bare(text)}"}
            )
        old, new = values
        key = f"circular-{slug(title)}"
        rows[split].append(row(now.removeprefix("now: "), new, key, "yes", "dated", ids[1:], stale=old))
        question, right = then.removeprefix("then: ").split(" = ")
        target = {"old": old, "new": new, "unknown": UNKNOWN}[right]
        changed = "yes" if right == "new" else "no"
        rows[split].append(row(question, target, key, changed, "dated", ids, stale={"old": new, "new": old}.get(right)))
        rows["train"] += [
            row(question, old, key, "yes", "dated", ids) for question in train.removeprefix("train: ").split(" | ")
        ]
    return passages, rows


def _day(date: str) -> str:
    year, month, day = map(int, date.split("-"))
    return f"{day} {month_name[month]} {year}"


def _bare(text: str) -> str:
    return _FACT.sub(lambda match: match.group(1), text)


def multihop() -> dict[str, list[Row]]:
    """Questions that need two passages, by split."""
    rows: dict[str, list[Row]] = {"test": [], "dev": [], "train": []}
    for line in (HERE / "multihop.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        split, answer, titles, question = line.split(" | ")
        target, _, wrong = answer.partition(" or ")
        target, _, old = target.partition("<")
        passages = [f"passage-{slug(title)}" for title in titles.split("; ")]
        changed = "yes" if old else "no"
        found = row(question, target, "+".join(map(slug, titles.split("; "))), changed, "multi-hop", passages, old)
        if wrong:
            found["metadata"] |= {"open": True, "rivals": [wrong, wrong.removeprefix("the ")]}
            found["metadata"]["aliases"] = [target.removeprefix("the ")]
        rows[split].append(found)
    return rows


def _within(a: str, b: str) -> bool:
    return a in b or b in a


def _singular(text: str) -> str:
    return re.sub(r"s\b", "", text.lower())


def build() -> dict[str, list[Row]]:
    """Every file of the suite, in the order it is written."""
    rng = random.Random(SEED)
    corpus, facts = read()
    gaps = unanswerable()
    for fact in facts:
        fact["asked"] = rng.choices(list(WORDINGS), list(WORDINGS.values()))[0]
    answers = [fact["new"].lower() for fact in facts]
    unique = [f for f in facts if f["changed"] == "no" and sum(_within(f["new"].lower(), a) for a in answers) == 1]
    shots = rng.sample(unique, SHOTS)
    left = [fact for fact in facts if fact not in shots]
    rng.shuffle(left)
    asked: dict[str, list[Row]] = {}
    for split, size in SIZES.items():
        asked[split] = []
        for changed, share in SHARES.items():
            kind = [fact for fact in left if fact["changed"] == changed]
            asked[split] += kind[: round(size * share)]
        left = [fact for fact in left if fact not in asked[split]]
    splits: dict[str, list[Row]] = {"shots": [this_year(fact) for fact in shots]}
    splits["shots"].insert(3, row(gaps["shots"][0], UNKNOWN, "none", "no", "unanswerable"))
    for split in SIZES:
        splits[split] = [this_year(fact) for fact in asked[split]]
        splits[split] += [row(question, UNKNOWN, "none", "no", "unanswerable") for question in gaps[split]]
    train = [fact for split in SIZES for fact in asked[split] if fact["old"] is not None]
    splits["train"] = [one for fact in train for one in last_year(fact)]
    splits["train"] += [row(question, UNKNOWN, "none", "no", "unanswerable") for question in gaps["train"]]
    passages, dated = circulars()
    hops = multihop()
    for split, rows in splits.items():
        if split != "shots":
            rng.shuffle(rows)
            rows += [*dated[split], *hops[split]]
        splits[split] = [{"id": f"handbook-{split}-{i:04d}", **one} for i, one in enumerate(rows, 1)]
    return {**splits, "corpus": [*corpus, *passages]}


def write(folder: Path) -> None:
    """Writes the split files and the corpus into a folder."""
    for split, rows in build().items():
        lines = (json.dumps(one, ensure_ascii=False) for one in rows)
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    write(HERE)
