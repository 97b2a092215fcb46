"""Common knowledge, listed by hand, and small talk."""

from __future__ import annotations

import random

from harness.embedded.text import words as w
from harness.embedded.text.document import Document
from harness.embedded.text.lists import items, pairs

CAPITALS = pairs("facts capitals")
OPPOSITES = pairs("facts opposites")
PLURALS = pairs("facts plurals")
PASTS = pairs("facts pasts")
YOUNG = pairs("facts young")
SOUNDS = pairs("facts sounds")
FEMALES = pairs("facts females")
COLOURS = pairs("facts colours")
COUNTS = pairs("facts counts")
SINGLE = pairs("facts single")
NUMBERS = items("numbers")
CONTINENTS = pairs("facts continents")


def _next(items: list[str]) -> list[tuple[str, str]]:
    return [(x, items[(i + 1) % len(items)]) for i, x in enumerate(items)]


FAMILIES: tuple[tuple[list[tuple[str, str]], tuple[str, ...]], ...] = (
    (
        CAPITALS,
        (
            "What is the capital of {}?",
            "Which city is the capital of {}?",
            "Name the capital of {}.",
            "Capital of {}?",
            "The capital of {} is",
            "What is the capital city of {}?",
        ),
    ),
    (
        [(b, a) for a, b in CAPITALS],
        (
            "Of which country is {} the capital?",
            "{} is the capital of which country?",
            "Which country has the capital {}?",
        ),
    ),
    (
        OPPOSITES,
        (
            "What is the opposite of {}?",
            "Opposite of {}?",
            "Name the opposite of {}.",
            "Which word is the opposite of {}?",
            "Give the opposite of the word {}.",
            "Give the opposite of {}.",
            "Which word means the opposite: {}?",
        ),
    ),
    (
        PLURALS,
        (
            "What is the plural of {}?",
            "Plural of {}?",
            "Give the plural of {}.",
            "One {}, two what?",
            "One {}, many what?",
            "Write the plural of {}.",
            "What is the plural of the word {}?",
        ),
    ),
    (
        PASTS,
        (
            "What is the past tense of {}?",
            "Past tense of {}?",
            "Give the past tense of {}.",
            "I {} today. What did I do yesterday? Give the verb.",
            "Today I {}, yesterday I what?",
            "Write {} in the past tense.",
            "What is the past tense of the verb {}?",
        ),
    ),
    (
        YOUNG,
        (
            "What is a young {} called?",
            "What do you call a baby {}?",
            "Name the young of a {}.",
            "What do we call a young {}?",
        ),
    ),
    (SOUNDS, ("What sound does a {} make?", "Which sound does a {} make?", "How does a {} sound?")),
    (FEMALES, ("What is the female form of {}?", "What is the female of {}?", "Which word is the female form of {}?")),
    (
        COLOURS,
        ("What colour is {}?", "Which colour does {} have?", "Name the colour of {}.", "What is the colour of {}?"),
    ),
    (
        CONTINENTS,
        (
            "On which continent is {}?",
            "Which continent is {} in?",
            "In which continent is {}?",
            "Name the continent of {}.",
        ),
    ),
    (
        COUNTS,
        (
            "How many {}?",
            "Tell me how many {}.",
            "Say how many {}.",
            "Do you know how many {}?",
            "Please say how many {}.",
        ),
    ),
    (SINGLE, ("{}", "Tell me: {}", "Question: {}", "{} Answer briefly.")),
    (
        _next(w.DAYS),
        (
            "Which day comes after {}?",
            "What day follows {}?",
            "What is the day after {}?",
            "If today is {}, what day is tomorrow?",
            "Name the day after {}.",
            "Today is {}. Which day is tomorrow?",
        ),
    ),
    (
        [(b, a) for a, b in _next(w.DAYS)],
        ("Which day comes before {}?", "What is the day before {}?", "If today is {}, what day was yesterday?"),
    ),
    (
        _next(w.MONTHS),
        (
            "Which month comes after {}?",
            "What month follows {}?",
            "What is the month after {}?",
            "Name the month after {}.",
            "It is {} now. What is the next month?",
        ),
    ),
    (
        [(b, a) for a, b in _next(w.MONTHS)],
        ("Which month comes before {}?", "What is the month before {}?", "Name the month before {}."),
    ),
    (
        [(x, str(i)) for i, x in enumerate(NUMBERS, 1)],
        ("Write {} as a number.", "Write {} in digits.", "Which number is {}?", "What is {} in figures?"),
    ),
    (
        [(str(i), x) for i, x in enumerate(NUMBERS, 1)],
        ("Write {} as a word.", "Spell the number {}.", "Write {} in words."),
    ),
    (
        _next(list("abcdefghijklmnopqrstuvwxyz"))[:-1],
        (
            "Which letter comes after {}?",
            "What is the letter after {}?",
            "Which letter follows {} in the alphabet?",
            "What letter comes after {} in the alphabet?",
        ),
    ),
)


def fact_question(rng: random.Random) -> tuple[str, str]:
    """One thing that everybody knows."""
    items, forms = FAMILIES[rng.choices(range(len(FAMILIES)), [len(f[0]) ** 0.6 for f in FAMILIES])[0]]
    asked, answer = rng.choice(items)
    return rng.choice(forms).format(asked), answer


def with_distractors(rng: random.Random, count: int) -> tuple[str, str, list[str]]:
    """A question with wrong answers of the same kind."""
    while True:
        items, forms = rng.choice(FAMILIES)
        answers = list(dict.fromkeys(b for _, b in items))
        asked, answer = rng.choice(items)
        if "{}?" in forms[0] and len(answers) > count + 1:
            return (
                rng.choice([f for f in forms if f.endswith("?")]).format(asked),
                answer,
                rng.sample([x for x in answers if x != answer], count),
            )


def common(rng: random.Random) -> Document:
    """Several facts, each asked by itself."""
    return Document(branches=tuple(fact_question(rng) for _ in range(8)))


TALK = (
    (("Hello.", "Hi.", "Good morning.", "Hello there!"), ("Hello! How can I help?",)),
    (("How are you?", "How do you do?"), ("I am well, thank you. How can I help?",)),
    (("Thank you.", "Thanks.", "Thanks a lot!"), ("You are welcome.",)),
    (("Goodbye.", "Bye.", "See you later."), ("Goodbye!",)),
    (("Who are you?", "What are you?"), ("I am a small language model.",)),
    (("Can you help me?", "I need help.", "Please help me."), ("Of course. What do you need?",)),
    (("Are you a human?", "Are you real?"), ("No, I am a small language model.",)),
    (("What can you do?",), ("I can answer short questions, read passages and follow simple instructions.",)),
    (("Tell me a joke.",), ("Why did the book go to the doctor? It had lost its pages.",)),
    (("I am sad today.", "I feel bad."), ("I am sorry to hear that. I hope it gets better soon.",)),
    (("I am happy today.", "I feel great."), ("That is good to hear!",)),
)


def talk(rng: random.Random) -> Document:
    """Small talk of two to four turns, mixed with facts."""
    turns: list[tuple[str, str, float]] = []
    for _ in range(rng.randint(2, 4)):
        if rng.random() < 0.6:
            asked, said = rng.choice(TALK)
            turns += [("user", rng.choice(asked), 0.0), ("assistant", rng.choice(said), 0.5)]
        else:
            question, answer = fact_question(rng)
            turns += [("user", question, 0.0), ("assistant", answer, 1.0)]
    return Document(tuple(turns))


def named(rng: random.Random) -> Document:
    """The user gives a name; the model uses it."""
    who = w.person(rng).split()[0]
    turns = (
        ("user", rng.choice((f"My name is {who}.", f"I am {who}.", f"Hello, I am called {who}.")), 0.0),
        ("assistant", f"Hello, {who}! How can I help?", 1.0),
        ("user", rng.choice(("What is my name?", "Who am I?", "What am I called?")), 0.0),
        ("assistant", who, 1.0),
    )
    return Document(turns)
