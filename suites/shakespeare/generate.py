"""Writes the samples of this suite from hand-written topics, frames and crisis prompts.

    python suites/shakespeare/generate.py

A topic has questions, the facts an answer must hold, and answers in the voice; frames.yaml holds what stands around
them (an opening, a closing, pressure to drop the voice and a retort to it), each for one split alone. Half the prompts
are asked bare, some under pressure, some as the last turn of a conversation. The same seed gives the same bytes.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
SEED = 20268
PRESSED = {"test": 62, "dev": 14, "train": 86}
TALKS = {"test": (2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, *[4] * 8, *[5] * 16), "dev": (2, 3, 4, *[5] * 7)}
TALKS["train"] = (*[2] * 9, *[3] * 9, *[4] * 10, *[5] * 20)
EXACT = ("geography", "history", "science", "arithmetic", "sport", "nature", "arts")
Row = dict[str, Any]


@dataclass
class Topic:
    """A question in several wordings, and answers. golds: in the voice; other: more of them; plain: modern."""

    category: str
    asks: list[str] = field(default_factory=list)
    facts: list[list[str]] = field(default_factory=list)
    rivals: list[str] = field(default_factory=list)
    golds: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)


def topics(split: str) -> list[Topic]:
    """The topics of topics-SPLIT.txt, in order."""
    found: list[Topic] = []
    for line in (HERE / f"topics-{split}.txt").read_text("utf-8").splitlines():
        if line.startswith("@"):
            found.append(Topic(line[1:]))
            continue
        mark, text = line.split(" ", 1)
        topic = found[-1]
        if mark == "f":
            topic.facts = [part.split(" / ") for part in text.split(" ; ")]
        elif mark == "r":
            topic.rivals = text.split(" / ")
        else:
            {"?": topic.asks, "g": topic.golds, "p": topic.other, "m": topic.plain}[mark].append(text)
    return found


FRAMES: dict[str, Any] = yaml.safe_load((HERE / "frames.yaml").read_text("utf-8"))
CRISES: dict[str, Any] = yaml.safe_load((HERE / "crisis.yaml").read_text("utf-8"))


class Deck:
    """Deals items in a shuffled order, all of them before any comes again."""

    def __init__(self, rng: random.Random, items: list[str]) -> None:
        self.rng, self.items, self.left = rng, items, list[str]()

    def deal(self) -> str:
        if not self.left:
            self.left = self.rng.sample(self.items, len(self.items))
        return self.left.pop()


class Split:
    """Makes the rows of one split."""

    def __init__(self, name: str, rng: random.Random) -> None:
        self.name, self.rng = name, rng
        self.topics = topics(name)
        if name == "shots":
            return
        self.openings, self.closings, self.retorts, self.turns, self.replies = (
            Deck(rng, FRAMES[key][name]) for key in ("openings", "closings", "retorts", "turns", "replies")
        )
        self.other_retorts = Deck(rng, FRAMES["retorts"]["paraphrase"])
        self.other_openings = Deck(rng, FRAMES["openings"]["paraphrase"])
        self.kinds = Deck(rng, list(FRAMES["pressure"]))
        self.pressure = {kind: Deck(rng, wordings[name]) for kind, wordings in FRAMES["pressure"].items()}

    def framed(self, text: str) -> str:
        """An answer alone, or with an opening, a closing, or both."""
        shape = self.rng.random()
        opening = [self.openings.deal()] if 0.35 <= shape < 0.6 or shape >= 0.88 else []
        closing = [self.closings.deal()] if shape >= 0.6 else []
        return " ".join([*opening, text, *closing])

    def pressed(self, ask: str) -> tuple[str, str]:
        """(kind, the question under pressure)."""
        kind = self.kinds.deal()
        return kind, self.pressure[kind].deal().replace("{q}", ask)

    def bare(self, topic: Topic, which: int) -> Row:
        gold = self.framed(topic.golds[which % len(topic.golds)])
        return self.row(topic, topic.asks[which % len(topic.asks)], gold, "question", 1)

    def under_pressure(self, topic: Topic, which: int) -> Row:
        kind, ask = self.pressed(topic.asks[which % len(topic.asks)])
        gold = topic.golds[which % len(topic.golds)]
        return self.row(topic, ask, f"{self.retorts.deal()} {gold}", kind, 1)

    def talk(self, topic: Topic, which: int, turn: int) -> Row:
        """The question as the last of `turn` user turns; the turns before are other topics and complaints."""
        others = [one for one in self.topics if one is not topic and one.category != topic.category]
        earlier = self.rng.sample(others, turn)
        messages = []
        for i in range(turn - 1):
            if i % 2:
                user, reply = self.turns.deal(), self.replies.deal()
            else:
                user, reply = self.rng.choice(earlier[i].asks), self.rng.choice(earlier[i].golds)
            messages += [{"role": "user", "content": user}, {"role": "assistant", "content": reply}]
        kind, ask = self.pressed(topic.asks[which % len(topic.asks)])
        gold = f"{self.retorts.deal()} {topic.golds[which % len(topic.golds)]}"
        return self.row(topic, [*messages, {"role": "user", "content": ask}], gold, kind, turn)

    def row(self, topic: Topic, ask: Any, gold: str, kind: str, turn: int) -> Row:
        metadata: Row = {"category": topic.category, "pressure": kind, "turn": turn, "facts": topic.facts}
        if topic.rivals:
            metadata["rivals"] = topic.rivals
        found: Row = {"input": ask, "target": gold, "metadata": metadata}
        if self.name == "test":
            found["known"] = {"paraphrase": self.paraphrases(topic, kind), "corrupted": self.corrupted(topic)}
        return found

    def paraphrases(self, topic: Topic, kind: str) -> list[str]:
        """Other right answers: other words for the topic, in frames that no gold has."""
        before = self.other_openings if kind == "question" else self.other_retorts
        return [text for own in topic.other for text in (own, f"{before.deal()} {own}")]

    def corrupted(self, topic: Topic) -> list[str]:
        """Wrong answers: modern, with pasted clichés; in the voice without the fact, with a wrong one, with two."""
        plain = topic.plain[0]
        found = [plain, *(self.rng.choice(FRAMES[key]).replace("{m}", plain) for key in ("pasted", "pasted", "chatty"))]
        found.append(self.rng.choice(FRAMES["evasions"]))
        stranger = self.rng.choice([one for one in self.topics if one.category != topic.category])
        if topic.category not in ("smalltalk", "writing", "advice"):
            found.append(stranger.golds[0])
        if topic.rivals:
            false = topic.rivals[0].removeprefix("#")
            right = topic.facts[0][0].removeprefix("#").removesuffix("*")
            found += [self.rng.choice(FRAMES["wrong"]).replace("{x}", false)]
            found += [FRAMES["torn"][0].replace("{a}", right).replace("{b}", false)]
        return list(dict.fromkeys(found))

    def crises(self) -> list[Row]:
        rows = []
        for one in CRISES[self.name]:
            metadata = {"category": "crisis", "pressure": "question", "turn": 1, "facts": [], "needs": one["needs"]}
            row: Row = {"input": one["ask"], "target": one["gold"], "metadata": metadata}
            if self.name == "test":
                wrong = [*CRISES["corrupted"], self.rng.choice(self.topics).golds[0]]
                row["known"] = {"paraphrase": [one["paraphrase"]], "corrupted": wrong}
            rows.append(row)
        return rows

    def rows(self) -> list[Row]:
        if self.name == "shots":
            return [self.row(topic, topic.asks[0], topic.golds[0], "question", 1) for topic in self.topics]
        rows = [self.bare(topic, 0) for topic in self.topics]
        if self.name == "train":
            rows += [self.bare(topic, 1) for topic in self.topics]
        exact = [topic for topic in self.topics if topic.category in EXACT and not shared(topic)]
        asked = self.rng.sample(self.topics, len(self.topics))
        rows += [self.under_pressure(topic, 1) for topic in asked[: PRESSED[self.name]]]
        rest = asked[PRESSED[self.name] :] if self.name == "test" else []
        last = (rest + self.rng.sample(exact, len(exact)) + asked) * 2
        picked = list(dict.fromkeys(id(one) for one in last if one in exact))
        by_id = {id(one): one for one in exact}
        turns = TALKS[self.name]
        rows += [self.talk(by_id[picked[i % len(picked)]], i // len(picked), turn) for i, turn in enumerate(turns)]
        rows += self.crises()
        self.rng.shuffle(rows)
        return rows


def shared(topic: Topic) -> bool:
    """Whether a fact is too common a word to tell whether an earlier turn has said it already."""
    return any(len(form) < 3 and not form.startswith("#") for fact in topic.facts for form in fact)


def build() -> dict[str, list[Row]]:
    """Every split, and `answers`: right and wrong answers to the test samples."""
    rng = random.Random(SEED)
    made = {name: Split(name, rng).rows() for name in ("test", "dev", "train", "shots")}
    splits = {
        name: [{"id": f"shakespeare-{name}-{i:04d}", **row} for i, row in enumerate(rows, 1)]
        for name, rows in made.items()
    }
    splits["answers"] = [{"id": row["id"], **row.pop("known")} for row in splits["test"]]
    return splits


def write(folder: Path) -> None:
    """Writes the split files and the known answers into a folder."""
    for name, rows in build().items():
        lines = (json.dumps(one, ensure_ascii=False) for one in rows)
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    write(HERE)
