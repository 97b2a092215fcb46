"""Questions answered from passages: the heaviest family. All organisations, people and figures are invented."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.embedded.text import clauses
from harness.embedded.text import values as v
from harness.embedded.text import words as w
from harness.embedded.text.document import Document
from harness.embedded.text.lists import items

UNKNOWN = "I do not know."
ATTRIBUTES = (
    ("exception", "phrase"),
    ("content", "phrase"),
    ("tool", "phrase"),
    ("gift", "phrase"),
    ("sign", "phrase"),
    ("size", "measure"),
    ("maximum", "measure"),
    ("reward", "money"),
    ("meeting point", "phrase"),
    ("helper", "phrase"),
    ("speed", "measure"),
    ("reason", "phrase"),
    ("prize", "phrase"),
    ("rhythm", "often"),
    ("limit", "count"),
    ("fee", "money"),
    ("allowance", "money"),
    ("price", "money"),
    ("budget", "money"),
    ("deadline", "date"),
    ("contact", "who"),
    ("owner", "person"),
    ("manager", "person"),
    ("code", "code"),
    ("location", "where"),
    ("colour", "colour"),
    ("start date", "date"),
    ("opening time", "time"),
    ("period", "span"),
    ("rate", "percent"),
    ("discount", "percent"),
    ("length", "minutes"),
    ("number", "phone"),
    ("name", "title"),
    ("day", "day"),
    ("rule", "how"),
    ("capital", "town"),
    ("leader", "person"),
    ("material", "stuff"),
    ("share", "percent"),
    ("bonus", "money"),
    ("interval", "span"),
    ("approver", "who"),
    ("office", "where"),
    ("form", "code"),
    ("channel", "how"),
)
FILLERS = (
    "Ask {p} if you are not sure.",
    "This rule applies to everybody.",
    "Please read the notice by the door.",
    "Nothing else has changed.",
    "{p} wrote this page.",
    "The rule was changed in {y}.",
    "More is said on page {n}.",
    "Exceptions are rare.",
    "Thank you for your help.",
    "Visitors are welcome.",
    "See also the page on {t}.",
    "The {t} is not part of this.",
    "It has been so for {n} years.",
    "{p} checks this every year.",
    "In {y} this was different.",
    "Most people find this easy.",
    "Keep a copy for yourself.",
    "We review this each {m}.",
)


@dataclass(frozen=True)
class Fact:
    """One stated thing: the sentences that say it, the questions that ask it, its answer, and what it is about."""

    statements: tuple[str, ...]
    questions: tuple[str, ...]
    answer: str
    about: str
    topic: str


@cache
def topics() -> tuple[tuple[tuple[str, ...], tuple[str, ...], str, str], ...]:
    """The hand-written topics: statements, questions, kind of value, kind of subject."""
    rows = []
    for line in Path(__file__).with_name("topics.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            said, asked, kind, about = (part.strip() for part in line.split("|"))
            rows.append((tuple(said.split(" / ")), tuple(asked.split(" / ")), kind, about))
    return tuple(rows)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _fill(text: str, about: str, answer: str) -> str:
    return _capital(text.replace("{g}", about).replace("{v}", answer))


@dataclass(frozen=True)
class Policy:
    """A rule as it is written: title, sentences with {slot}, questions for each slot, and the kind of each slot."""

    title: str
    text: str
    questions: tuple[tuple[str, tuple[str, ...]], ...]
    kinds: tuple[tuple[str, str], ...]
    made: bool = False


@cache
def policies() -> tuple[Policy, ...]:
    """The rules of policies*.txt."""
    return _parsed("policies*.txt")


@cache
def sentences() -> tuple[Policy, ...]:
    """The sentences of clauses.txt, of which rules are put together."""
    return _parsed("clauses.txt")


def _parsed(files: str) -> tuple[Policy, ...]:
    found: list[Policy] = []
    for file in sorted(Path(__file__).parent.glob(files)):
        lines = file.read_text("utf-8").strip().splitlines()[1:]
        found += [_policy(block) for block in "\n".join(lines).removeprefix("# ").split("\n# ")]
    return tuple(found)


def _policy(block: str) -> Policy:
    head, text, *lines = block.strip().splitlines()
    kinds = tuple(re.findall(r"\{(\w+):([^{}]+)\}", text))
    asked = ((line[2 : line.index(":")], line[line.index(":") + 1 :].strip()) for line in lines)
    questions = tuple((slot, tuple(forms.split(" | "))) for slot, forms in asked)
    return Policy(head, re.sub(r"\{(\w+):[^{}]+\}", r"{\1}", text), questions, kinds)


def held_out(rng: random.Random, count: int, known: bool = False) -> list[tuple[str, str, str]]:
    """(passage, question, answer) from the rules of held_out.txt, which are in no training text.

    known: from rules that training texts have, with values drawn anew.
    """
    found: list[tuple[str, str, str]] = []
    rules = [rule for rule in (policies() if known else _parsed("held_out.txt")) if rule.questions]
    while len(found) < count:
        chosen = rng.choice(rules)
        answers = _answers(rng, chosen)
        slot, forms = rng.choice(chosen.questions)
        body = _sentences(chosen.text.format(**answers))
        found.append((f"{chosen.title}. {body}", rng.choice(forms), answers[slot]))
    return found


def _answers(rng: random.Random, chosen: Policy) -> dict[str, str]:
    """A value for every slot; two slots of a rule rarely have the same one."""
    answers: dict[str, str] = {}
    for name, kind in chosen.kinds:
        answers[name] = v.value(kind, rng)
        for _ in range(3):
            if list(answers.values()).count(answers[name]) > 1:
                answers[name] = v.value(kind, rng)
    return answers


def policy(rng: random.Random, chosen: Policy) -> tuple[str, list[Fact]]:
    """A rule filled with random values; now and then some of its words give way to others, everywhere alike."""
    text, title = chosen.text, chosen.title
    asked = {name: list(forms) for name, forms in chosen.questions}
    if not chosen.made and rng.random() < 0.45:
        every = " ".join([text, title, *(q for forms in asked.values() for q in forms)])
        shared = sorted(
            {x for x in re.findall(r"(?<![\w{])[a-z]{4,}(?![\w}])", text) if every.count(x) > 1 and x not in KEPT}
        )
        for old in rng.sample(shared, min(len(shared), rng.randint(1, 3))):
            new = w.coin(rng) if rng.random() < 0.5 else rng.choice(w.NOUNS)
            swap = re.compile(rf"\b{old}\b")
            text, title = swap.sub(new, text), swap.sub(new, title)
            asked = {name: [swap.sub(new, q) for q in forms] for name, forms in asked.items()}
    elif rng.random() < REWORDED:
        text = reworded(text, rng)
        asked = {name: [reworded(q, rng) for q in forms] for name, forms in asked.items()}
    answers = _answers(rng, chosen)
    body = _sentences(text.format(**answers))
    stated = [Fact((body,), tuple(asked[name]), answers[name], title, f"p{chosen.title}{name}") for name in asked]
    return f"{title}. {body}" if rng.random() < 0.85 else body, stated


COMPOSED = 0.45
REWORDED = 0.5
KEPT = frozenset(items("not replaced"))


@cache
def _synonyms() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for group in items("synonyms"):
        words = group.split(" = ")
        for word in words:
            found.setdefault(word, []).extend(other for other in words if other != word)
    return found


def reworded(text: str, rng: random.Random) -> str:
    """The text with every fourth word that has a synonym replaced by one; slots in braces stay."""

    def other(match: re.Match[str]) -> str:
        known = _synonyms().get(match[0])
        return rng.choice(known) if known and rng.random() < 0.25 else match[0]

    return re.sub(r"(?<![\w{'-])[a-z]+(?![\w}'-])", other, text)


def _sentences(text: str) -> str:
    return re.sub(r"(^|[.] )([a-z])", lambda m: m[1] + m[2].upper(), text)


def put_together(rng: random.Random) -> Policy:
    """A rule of one to three sentences, often about the same things, so that the verbs tell them apart."""
    chosen = rng.sample(sentences(), rng.choice((1, 1, 2, 2, 3)))
    found, same = clauses.filling(rng), rng.random() < 0.4
    title = rng.choice((found["n"], found["m"], w.word(rng), rng.choice(v.TASKS), w.name(rng)))
    texts: list[str] = []
    questions: list[tuple[str, tuple[str, ...]]] = []
    kinds: list[tuple[str, str]] = []
    for number, one in enumerate(chosen):
        if number and not same:
            found = clauses.filling(rng)
        elif number:
            found = clauses.filling(rng) | {name: found[name] for name in "nmop"}
        names = {name: f"{name}{number}" for name, _ in one.kinds}
        text = re.sub(r"\{(\w+)\}", lambda m, names=names: f"{{{names[m[1]]}}}", one.text)  # type: ignore[misc]
        texts.append(clauses.filled(text, found))
        kinds += [(names[name], clauses.filled(kind, found)) for name, kind in one.kinds]
        asked = [(name, tuple(_capital(clauses.filled(q, found)) for q in forms)) for name, forms in one.questions]
        questions += [(names[name], forms) for name, forms in asked]
    return Policy(_capital(title), " ".join(_capital(t) for t in texts), tuple(questions), tuple(kinds), made=True)


def near(rng: random.Random, count: int) -> list[Policy]:
    """Different rules: some put together; others written, as often as not neighbours, about something alike."""
    made = sum(rng.random() < COMPOSED for _ in range(count))
    written = _neighbours(rng, count - made) if made < count else []
    chosen = [*written, *(put_together(rng) for _ in range(made))]
    rng.shuffle(chosen)
    return chosen


def _neighbours(rng: random.Random, count: int) -> list[Policy]:
    known = policies()
    first = rng.randrange(len(known))
    chosen = [first]
    while len(chosen) < count:
        other = (first + rng.randint(-9, 9)) % len(known) if rng.random() < 0.5 else rng.randrange(len(known))
        if other not in chosen:
            chosen.append(other)
    return [known[i] for i in chosen]


def policy_reading(rng: random.Random, count: int, asks: int) -> Document:
    """Passages from a book of rules, and questions that share them."""
    chosen = near(rng, count)
    texts, stated = [], []
    for one in chosen:
        text, facts_here = policy(rng, one)
        if rng.random() < 0.25:
            text += f" {filler(rng)}"
        texts.append(text)
        stated += facts_here
    trunk = (
        "Use the passages to answer the question.\n\n"
        + "\n".join(f"[{i}] {t}" for i, t in enumerate(texts, 1))
        + "\n\nQuestion:"
    )
    branches = []
    for asked in rng.sample(stated, min(asks, len(stated))):
        forms = rng.sample(asked.questions, min(len(asked.questions), 2 if len(stated) < asks else 1))
        branches += [(f" {text}", asked.answer) for text in forms]
    if rng.random() < 0.15:
        other = (
            policy(rng, rng.choice([p for p in policies() if p not in chosen]))[1]
            if rng.random() < 0.6
            else [fact(rng)]
        )
        branches.append((f" {question(rng.choice(other), rng)}", UNKNOWN))
    return Document(trunk=trunk, branches=tuple(branches))


def rule(rng: random.Random) -> Document:
    """One rule."""
    return policy_reading(rng, 1, 6)


def rules(rng: random.Random) -> Document:
    """Two to five rules."""
    return policy_reading(rng, rng.randint(2, 4), 9)


def topical(rng: random.Random, like: Fact | None = None) -> Fact:
    """A fact from the hand-written topics; `like` asks for the same topic about somebody else (a hard distractor)."""
    rows = topics()
    index = int(like.topic[1:]) if like and like.topic[0] == "t" else rng.randrange(len(rows))
    said, asked, kind, who = rows[index]
    about, answer = v.subject(who, rng), v.value(kind, rng)
    return Fact(
        tuple(_fill(s, about, answer) for s in said),
        tuple(_fill(q, about, answer) for q in asked),
        answer,
        about,
        f"t{index}",
    )


def composed(rng: random.Random, like: Fact | None = None) -> Fact:
    """A fact put together from open words: "The red harbour fee is 40 euros."."""
    attribute, kind = rng.choice(ATTRIBUTES)
    roll = rng.random()
    if roll < 0.35:
        about = f"{rng.choice(w.ADJECTIVES)} {w.word(rng)}"
    elif roll < 0.6:
        about = f"{w.word(rng)} {w.word(rng)}"
    elif roll < 0.8:
        about = w.name(rng)
    else:
        about = w.word(rng)
    if like and like.topic[0] == "c" and rng.random() < 0.5:
        about = like.about
        attribute, kind = rng.choice([a for a in ATTRIBUTES if a[0] != like.topic[1:]])
    elif like and like.topic[0] == "c":
        attribute, kind = next(a for a in ATTRIBUTES if a[0] == like.topic[1:])
    answer = v.value(kind, rng)
    the = "" if about[0].isupper() else "the "
    phrase = rng.choice(
        (f"{the}{about} {attribute}", f"the {attribute} of {the}{about}", f"the {attribute} for {the}{about}")
    )
    is_ = rng.choice(("is", "is", "is now", "is set to", "is still"))
    said = (f"{phrase} {is_} {answer}.", f"{answer} is {phrase}.", f"for {the}{about}, the {attribute} {is_} {answer}.")
    word = "Who is" if kind in ("who", "person") else "What is"
    asked: tuple[str, ...] = (
        f"{word} {phrase}?",
        f"{word} the {attribute} of {the}{about}?",
        f"{word} the {attribute} for {the}{about}?",
        f"Tell me {phrase}.",
        f"I need {phrase}. {word} it?",
        f"{word} {the}{about} {attribute}?",
    )
    if kind == "money":
        asked += (f"How much is {phrase}?",)
    if kind in ("span", "minutes"):
        asked += (f"How long is {phrase}?",)
    if kind in ("date", "time", "day"):
        asked += (f"When is {phrase}?",)
    if kind == "where":
        asked += (f"Where is {phrase}?",)
    return Fact(tuple(_capital(s) for s in said), asked, answer, about, f"c{attribute}")


def fact(rng: random.Random, like: Fact | None = None) -> Fact:
    """A topical or a composed fact."""
    maker: Callable[[random.Random, Fact | None], Fact] = topical if rng.random() < 0.62 else composed
    if like:
        maker = topical if like.topic[0] == "t" else composed
    return maker(rng, like)


def facts(rng: random.Random, count: int, hard: float = 0.4) -> list[Fact]:
    """Different facts; a share of them is about the same topic as an earlier one."""
    found: list[Fact] = []
    while len(found) < count:
        like = rng.choice(found) if found and rng.random() < hard else None
        one = fact(rng, like)
        if all(
            (one.topic, one.about) != (f.topic, f.about) and not set(one.questions) & set(f.questions) for f in found
        ):
            found.append(one)
    return found


def filler(rng: random.Random) -> str:
    """A sentence that answers nothing."""
    return rng.choice(FILLERS).format(
        p=w.person(rng),
        y=rng.randint(1990, 2030),
        n=rng.randint(2, 90),
        t=rng.choice(w.NOUNS),
        m=rng.choice(("year", "month", "spring")),
    )


def titled(body: list[str], about: str, rng: random.Random) -> str:
    """Sentences as one passage, mostly under a title."""
    text = " ".join(body)
    if rng.random() < 0.2:
        return text
    title = rng.choice(
        (
            about,
            rng.choice(v.TASKS),
            rng.choice(w.NOUNS),
            f"{rng.choice(v.OFFICES)} rules",
            w.name(rng),
            f"{rng.choice(w.ADJECTIVES)} {rng.choice(w.NOUNS)}",
        )
    )
    return f"{_capital(title)}. {text}"


def passages(rng: random.Random, count: int, per: tuple[int, int], hard: float = 0.4) -> tuple[list[str], list[Fact]]:
    """Passages and every fact that they state."""
    sizes = [rng.randint(*per) for _ in range(count)]
    stated = facts(rng, sum(sizes), hard)
    if rng.random() < 0.7:
        rng.shuffle(stated)
    out, at = [], 0
    for size in sizes:
        part = stated[at : at + size]
        at += size
        body = [rng.choice(f.statements) for f in part]
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            body.insert(rng.randint(0, len(body)), filler(rng))
        organisation = w.name(rng)
        if rng.random() < 0.15:
            body.insert(0, f"At {organisation} the following holds.")
        out.append(titled(body, part[0].about, rng))
    return out, stated


def question(one: Fact, rng: random.Random) -> str:
    """One wording of a question, now and then introduced by a few words."""
    text = rng.choice(one.questions)
    roll = rng.random()
    if roll < 0.06:
        return f"Can you tell me: {text[0].lower() if not text.startswith(one.about) else text[0]}{text[1:]}"
    if roll < 0.1:
        return f"{rng.choice(('Hello.', 'Quick question.', 'I wonder.', 'Please help.'))} {text}"
    return text


def reading(
    rng: random.Random, count: int, per: tuple[int, int], asks: int, unknown: float = 0.12, hard: float = 0.4
) -> Document:
    """Passages in the shape of a retrieval prompt, and several questions that share them."""
    texts, stated = passages(rng, count, per, hard)
    trunk = (
        "Use the passages to answer the question.\n\n"
        + "\n".join(f"[{i}] {t}" for i, t in enumerate(texts, 1))
        + "\n\nQuestion:"
    )
    branches = []
    wanted = rng.sample(stated, min(asks, len(stated)))
    wanted += [rng.choice(stated) for _ in range(min(asks - len(wanted), len(stated)))]
    for one in wanted:
        if rng.random() < unknown:
            other = fact(rng, one if rng.random() < 0.6 else None)
            if all(other.about != f.about for f in stated):
                branches.append((f" {question(other, rng)}", UNKNOWN))
                continue
        branches.append((f" {question(one, rng)}", one.answer))
    return Document(trunk=trunk, branches=tuple(branches))


def first_reading(rng: random.Random) -> Document:
    """One short passage of one to three facts, mostly about the same topic, so that only the names tell them apart."""
    return reading(rng, 1, (1, 3), 5, 0.08, 0.8)


def gold_reading(rng: random.Random) -> Document:
    """One passage of two to four facts."""
    return reading(rng, 1, (2, 4), 7)


def small_reading(rng: random.Random) -> Document:
    """Two passages."""
    return reading(rng, 2, (1, 3), 8)


def wide_reading(rng: random.Random) -> Document:
    """Three to five passages."""
    return reading(rng, rng.randint(3, 4), (1, 3), 10)


def plain_reading(rng: random.Random) -> Document:
    """The same skill in other dress: text first, question after it, several layouts, or as a conversation."""
    texts, stated = passages(rng, rng.randint(1, 2), (1, 3))
    text = " ".join(texts)
    picked = rng.sample(stated, min(4, len(stated)))
    roll = rng.random()
    if roll < 0.3:
        turns: list[tuple[str, str, float]] = []
        for i, one in enumerate(picked):
            asked = rng.choice(one.questions)
            turns += [("user", f"{text}\n{asked}" if i == 0 else asked, 0.0), ("assistant", one.answer, 1.0)]
        return Document(tuple(turns))
    head = rng.choice(
        (
            "Passage: {}\nQuestion:",
            "{}\n\nQuestion:",
            "Read the text and answer.\n{}\nQ:",
            "Text: {}\nAnswer this:",
            "Context: {}\n\nQuestion:",
            "{}\n",
        )
    )
    branches = tuple((f" {question(one, rng)}", one.answer) for one in picked)
    if head == "{}\n":
        branches = tuple((rest[1:], answer) for rest, answer in branches)
    return Document(trunk=head.format(text), branches=branches)


def unknown(rng: random.Random) -> Document:
    """Questions about things that nobody stated."""
    asked = [fact(rng) if rng.random() < 0.5 else rng.choice(policy(rng, rng.choice(policies()))[1]) for _ in range(4)]
    branches = tuple((question(one, rng), UNKNOWN) for one in asked)
    return Document(branches=branches)


def recall(rng: random.Random) -> Document:
    """A chat in which the user states facts and asks for them later."""
    stated = facts(rng, rng.randint(1, 3))
    note = " ".join(rng.choice(f.statements) for f in stated)
    turns: list[tuple[str, str, float]] = [
        ("user", note, 0.0),
        ("assistant", rng.choice(("Thank you, noted.", "All right.", "I will remember that.")), 0.1),
    ]
    for one in rng.sample(stated, len(stated)):
        turns += [("user", question(one, rng), 0.0), ("assistant", one.answer, 1.0)]
    return Document(tuple(turns))
