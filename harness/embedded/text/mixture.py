"""How much of what: families, their weights in each stage, and the stream of documents."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.embedded.text import examples, facts, reading, skills, sql, words
from harness.embedded.text.document import Document, chats

Family = Callable[[random.Random], Document]
# family: generator, weights in the first lessons (copying and patterns), halfway, and in the full mixture
FAMILIES: dict[str, tuple[Family, float, float, float]] = {
    "reading, short": (reading.first_reading, 14, 12, 2),
    "reading, one passage": (reading.gold_reading, 8, 8, 6),
    "reading, two passages": (reading.small_reading, 3, 4, 2),
    "reading, many passages": (reading.wide_reading, 0, 0.7, 2),
    "rule": (reading.rule, 5, 12, 36),
    "rules": (reading.rules, 0, 1.5, 18),
    "reading, other layouts": (reading.plain_reading, 5, 5, 1.5),
    "recall": (reading.recall, 4, 4, 0.3),
    "unknown": (reading.unknown, 1, 2, 1.5),
    "sql": (sql.alone, 0, 3, 15),
    "sql, one table": (sql.small, 6, 6, 3),
    "sql by example": (sql.by_example, 0, 1, 9),
    "labels": (examples.labels, 4, 3, 0.3),
    "labels in prompt": (examples.labels_in_prompt, 3, 4, 2),
    "dictionary": (examples.dictionary, 6, 4, 0.3),
    "dictionary in prompt": (examples.dictionary_in_prompt, 5, 4, 0.6),
    "lookup": (examples.lookup, 12, 14, 2),
    "functions": (examples.functions, 4, 3, 0.3),
    "dialect": (examples.dialect, 3, 1, 0.2),
    "voice": (examples.voice, 2, 1, 0.3),
    "pairs": (examples.facts_by_name, 6, 4, 0.5),
    "copying": (skills.copying, 12, 4, 3),
    "copying, long": (skills.long_copying, 12, 1, 0.4),
    "lists": (skills.lists, 5, 6, 3),
    "arithmetic": (skills.arithmetic, 0, 4, 0.3),
    "code": (skills.code, 0, 4, 3),
    "following": (skills.following, 0, 5, 3),
    "choice": (skills.choices, 0, 4, 0.6),
    "facts": (facts.common, 0, 6, 3),
    "talk": (facts.talk, 0, 0.7, 0.3),
    "names": (facts.named, 1, 0.7, 0.2),
}
SYSTEMS = (
    "You are a helpful assistant.",
    "Answer briefly.",
    "Answer with as few words as possible.",
    "You are a careful clerk. Reply with the bare answer and no explanation.",
    "Be polite.",
    "Today is {day}. You work for {name}. Help people who ask and keep to what you were given.",
    "You answer questions of the visitors of {name}.",
    "You are the assistant of {person}. Give short answers. If you cannot tell, say so.",
    "Reply with the answer alone: no greeting, no full sentence. Where nothing tells you, reply: I do not know.",
    "Do what the user asks, exactly as asked.",
    "You help the staff of {name} with rules, forms and lists. Use the words of the text. Never guess.",
    "{word} {word2} {word}.",
    "You write what is wanted on one line. Use the names that you are shown. Add nothing else.",
    "Keep to the examples, if there are any.",
)
SUITES = Path(__file__).parents[3] / "suites"


def digest(prompt: str) -> str:
    """What a user turn is recognised by, whatever its case and spacing."""
    return hashlib.sha256(" ".join(prompt.lower().split()).encode()).hexdigest()


def forbidden(folder: Path = SUITES) -> frozenset[str]:
    """Digests of every suite's test inputs and bare questions: none may occur in the text."""
    found: set[str] = set()
    for file in sorted(folder.glob("*/test.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            row = json.loads(line)
            texts = [row["input"]] if isinstance(row["input"], str) else [m["content"] for m in row["input"]]
            question = row.get("metadata", {}).get("question")
            found.update(digest(text) for text in [*texts, *([question] if isinstance(question, str) else [])])
    return frozenset(found)


def mixed(rng: random.Random) -> Document:
    """A conversation of short questions that have nothing to do with each other."""
    kinds = (
        skills.sum_question,
        skills.list_question,
        skills.copy_question,
        skills.code_question,
        skills.follow_question,
        skills.choice_question,
        facts.fact_question,
    )
    same = rng.choice(kinds) if rng.random() < 0.4 else None
    turns: list[tuple[str, str, float]] = []
    for _ in range(rng.randint(3, 6)):
        asked, answer = (same or rng.choice(kinds))(rng)
        turns += [("user", asked, 0.0), ("assistant", answer, 1.0)]
    return Document(tuple(turns))


FAMILIES["conversation"] = (mixed, 0, 1.5, 0.6)


def dressed(document: Document, rng: random.Random) -> Document:
    """The same document, now and then under a system prompt, or after some talk that has nothing to do with it."""
    before: list[tuple[str, str, float]] = []
    if rng.random() < 0.12 and not any(role == "system" for role, _, _ in document.turns):
        system = " ".join(rng.sample(SYSTEMS, rng.choice((1, 1, 2))))
        system = system.format(
            day=rng.choice(words.DAYS),
            name=words.name(rng),
            person=words.person(rng),
            word=words.word(rng),
            word2=words.word(rng),
        )
        before.append(("system", system, 0.0))
    if document.trunk.startswith("Use the passages") and rng.random() < 0.08:
        for one in reading.facts(rng, rng.randint(1, 4)):
            before += [("user", reading.question(one, rng), 0.0), ("assistant", one.answer, 0.0)]
    return Document((*before, *document.turns), document.trunk, document.branches) if before else document


def clean(document: Document, banned: frozenset[str]) -> Document | None:
    """The document without branches that ask a test input; None where nothing is left or a turn is one."""
    if any(role == "user" and digest(text) in banned for role, text, _ in document.turns):
        return None
    if not document.branches:
        return document
    kept = tuple(
        (q, a) for q, a in document.branches if digest(document.trunk + q) not in banned and digest(q) not in banned
    )
    return Document(document.turns, document.trunk, kept) if kept else None


def stream(seed: int, stage: float, banned: frozenset[str] = frozenset()) -> Iterator[tuple[str, Document]]:
    """Endless (family, document); `stage` runs from 0 (first lessons) to 1 (full mixture)."""
    rng = random.Random(seed)
    names = list(FAMILIES)
    at, part = (1, 2 * stage) if stage < 0.5 else (2, 2 * stage - 1)
    weights = [FAMILIES[n][at] * (1 - part) + FAMILIES[n][at + 1] * part for n in names]  # type: ignore[operator]
    while True:
        family = rng.choices(names, weights)[0]
        document = clean(dressed(FAMILIES[family][0](rng), rng), banned)
        if document:
            yield family, document


def lines(seed: int, count: int) -> Iterator[str]:
    """Plain text for the tokenizer: the mixture, and common words so that they need few tokens."""
    made = stream(seed, 0.8)
    rng = random.Random(seed)
    for _ in range(count):
        yield f"{' '.join(rng.sample(words.COMMON, 8))} {rng.choice(words.COMMON).capitalize()}"
        for chat in chats(next(made)[1])[:2]:
            yield from (message["content"] for message in chat)
