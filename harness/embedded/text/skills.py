"""Small general abilities: arithmetic, lists, copying, code, following, multiple choice."""

from __future__ import annotations

import random

from harness.embedded.text import examples, facts
from harness.embedded.text import words as w
from harness.embedded.text.document import Document

Branch = tuple[str, str]


def many(branches: list[Branch]) -> Document:
    """Independent short questions in one document; none of them sees another."""
    return Document(branches=tuple(branches))


def sum_question(rng: random.Random) -> Branch:
    """Addition or subtraction below 100 (results not below 0)."""
    a, b = rng.randint(0, 99), rng.randint(0, 99)
    if rng.random() < 0.35:
        a, b = rng.randint(0, 20), rng.randint(0, 20)
    if rng.random() < 0.5:
        return rng.choice(
            (
                "What is {a} + {b}?",
                "{a} + {b} =",
                "Add {a} and {b}.",
                "What is {a} plus {b}?",
                "Calculate {a} + {b}.",
                "Work out {a} + {b}.",
                "How much is {a} + {b}?",
                "How much is {a} plus {b}?",
                "{a} plus {b}?",
                "{a} + {b} is?",
            )
        ).format(a=a, b=b), str(a + b)
    a, b = max(a, b), min(a, b)
    return rng.choice(
        (
            "What is {a} - {b}?",
            "{a} - {b} =",
            "Subtract {b} from {a}.",
            "What is {a} minus {b}?",
            "Calculate {a} - {b}.",
            "Work out {a} - {b}.",
            "How much is {a} - {b}?",
            "Take {b} from {a}.",
            "How much is {a} minus {b}?",
            "Take {b} away: {a} - {b}.",
            "{a} - {b} is?",
        )
    ).format(a=a, b=b), str(a - b)


def arithmetic(rng: random.Random) -> Document:
    """Many sums."""
    return many([sum_question(rng) for _ in range(12)])


def list_question(rng: random.Random) -> Branch:
    """A question about a short list of words."""
    kind = rng.choice(
        (
            "reverse",
            "reverse",
            "last",
            "first",
            "count",
            "sort",
            "sort",
            "second",
            "longest",
            "join",
            "contains",
            "letters",
        )
    )
    if kind == "letters":
        one = w.word(rng)
        return rng.choice(
            (
                "How many letters has the word {}?",
                "Count the letters of the word {}.",
                "How many letters are in {}?",
                "Number of letters in {}?",
            )
        ).format(one), str(len(one))
    items = [
        x if rng.random() < 0.9 else x.capitalize()
        for x in w.words(rng, rng.randint(2, 6) if kind != "sort" else rng.randint(2, 4))
    ]
    sep = rng.choice((", ", " ", ", ", ", "))
    text = sep.join(items)
    if kind == "reverse":
        items = items[:5]
        text = sep.join(items)
        return rng.choice(
            (
                "Reverse this list: {}",
                "Reverse the list: {}",
                "Write these words in reverse order: {}",
                "Say these backwards: {}",
                "Write this backwards: {}",
                "Turn this list around: {}",
                "Give this list in reverse: {}",
                "List in reverse order: {}",
            )
        ).format(text), sep.join(reversed(items))
    if kind == "last":
        return rng.choice(
            (
                "What is the last word? {}",
                "Last item: {}",
                "Give the last word of this list: {}",
                "What is the last item of this list: {}?",
                "Which word comes last: {}?",
                "Which is the last word? {}",
                "Give the last item: {}",
            )
        ).format(text), items[-1]
    if kind == "first":
        return rng.choice(
            (
                "What is the first word? {}",
                "First item: {}",
                "Give the first word of this list: {}",
                "What is the first item of this list: {}?",
                "Which word comes first: {}?",
                "Which is the first word? {}",
                "Give the first item: {}",
            )
        ).format(text), items[0]
    if kind == "second":
        return rng.choice(
            ("What is the second word? {}", "Give the second item: {}", "What is the second item of this list: {}?")
        ).format(text), items[1]
    if kind == "count":
        return rng.choice(
            (
                "How many words are there? {}",
                "Count the words: {}",
                "How many items are in this list: {}?",
                "Count these: {}",
                "How many words: {}?",
                "How long is the list? {}",
                "How many things are listed: {}",
            )
        ).format(text), str(len(items))
    if kind == "sort":
        if rng.random() < 0.5:
            letters = rng.sample("abcdefghijklmnopqrstuvwxyz", rng.randint(2, 5))
            s = rng.choice((" ", ", "))
            return rng.choice(
                ("Sort these letters: {}", "Put these letters in alphabetical order: {}", "Sort the letters: {}")
            ).format(s.join(letters)), s.join(sorted(letters))
        low = sorted(x.lower() for x in items)
        return rng.choice(
            (
                "Sort alphabetically: {}",
                "Put in alphabetical order: {}",
                "Sort these words: {}",
                "Sort the list alphabetically: {}",
                "Put these words in alphabetical order: {}",
            )
        ).format(sep.join(x.lower() for x in items)), sep.join(low)
    if kind == "longest":
        numbers = rng.sample(range(1, 99), rng.randint(2, 4))
        most = rng.random() < 0.5
        return f"Which number is {'largest' if most else 'smallest'}: {', '.join(map(str, numbers))}?", str(
            max(numbers) if most else min(numbers)
        )
    if kind == "join":
        return rng.choice(("Join with dashes: {}", "Put dashes between these words: {}")).format(text), "-".join(items)
    probe = rng.choice(items) if rng.random() < 0.5 else w.word(rng)
    return f"Is {probe} in this list: {text}?", "yes" if probe in items else "no"


def lists(rng: random.Random) -> Document:
    """Several list questions."""
    return many([list_question(rng) for _ in range(6)])


def _something(rng: random.Random) -> str:
    return rng.choice(
        (
            lambda: " ".join(w.words(rng, rng.randint(1, 6))),
            lambda: w.person(rng),
            lambda: " ".join(w.name(rng) for _ in range(rng.randint(1, 3))),
            lambda: f"{w.person(rng)} lives in {w.place(rng)}.",
            lambda: f"The {rng.choice(w.ADJECTIVES)} {w.word(rng)} is {rng.choice(w.ADJECTIVES)}.",
            lambda: " ".join(str(rng.randint(0, 99)) for _ in range(rng.randint(2, 5))),
            lambda: f"{w.coin(rng)}-{rng.randint(1, 99)}",
            lambda: f"The {w.word(rng)} saw a {rng.choice(w.ADJECTIVES)} {w.word(rng)} near the {w.word(rng)}.",
            lambda: " ".join(
                rng.choice((w.word(rng), w.name(rng), str(rng.randint(1, 99)), rng.choice(w.ADJECTIVES)))
                for _ in range(rng.randint(2, 6))
            ),
            lambda: " ".join(
                rng.choice((w.word(rng), w.name(rng), str(rng.randint(1, 99)), rng.choice(w.ADJECTIVES)))
                for _ in range(rng.randint(2, 6))
            ),
            lambda: f"{w.name(rng)} {rng.choice(w.VERBS)} {w.word(rng)} {rng.randint(2, 900)}",
        )
    )()


def copy_question(rng: random.Random) -> Branch:
    """Repeat exactly."""
    text = _something(rng)
    return rng.choice(
        (
            "Repeat exactly: {}",
            "Repeat: {}",
            "Say this again: {}",
            "Copy this: {}",
            "Copy exactly: {}",
            "Repeat after me: {}",
            "Write this down word for word: {}",
            'Repeat the text in quotes: "{}"',
            "Echo: {}",
            "Say exactly the same: {}",
            "Write the same words: {}",
            "Write this unchanged: {}",
            "Once more, please: {}",
        )
    ).format(text), text


def copying(rng: random.Random) -> Document:
    """Several texts to repeat."""
    return many([copy_question(rng) for _ in range(5)])


def long_copying(rng: random.Random) -> Document:
    """Longer texts to repeat: the densest lesson in finding what came before."""
    makers = (
        lambda: w.word(rng),
        lambda: w.coin(rng),
        lambda: w.name(rng),
        lambda: str(rng.randint(1, 99)),
        lambda: rng.choice(w.ADJECTIVES),
    )
    branches = []
    for _ in range(2):
        text = " ".join(rng.choice(makers)() for _ in range(rng.randint(6, 18)))
        branches.append(
            (
                rng.choice(
                    (
                        "Repeat exactly: {}",
                        "Copy this: {}",
                        "Write the same words: {}",
                        "{}\nRepeat this.",
                        "Say it again: {}",
                    )
                ).format(text),
                text,
            )
        )
    return many(branches)


CODE = (
    (("the length of {a}", "how long {a} is", "the number of items in {a}"), "len({a})"),
    (("the sum of {a}", "the total of {a}", "adding up {a}"), "sum({a})"),
    (("the largest item of {a}", "the maximum of {a}", "the biggest value in {a}"), "max({a})"),
    (("the smallest item of {a}", "the minimum of {a}", "the least value in {a}"), "min({a})"),
    (("{a} sorted", "{a} in sorted order", "a sorted copy of {a}"), "sorted({a})"),
    (("the first item of {a}", "the first element of {a}"), "{a}[0]"),
    (("the last item of {a}", "the last element of {a}"), "{a}[-1]"),
    (("{a} reversed", "{a} backwards", "the reverse of {a}"), "{a}[::-1]"),
    (("{a} in capital letters", "{a} in upper case"), "{a}.upper()"),
    (("{a} in small letters", "{a} in lower case"), "{a}.lower()"),
    (("{a} without spaces around it", "{a} stripped of spaces"), "{a}.strip()"),
    (("{a} plus {n}", "{n} added to {a}"), "{a} + {n}"),
    (("{a} times {n}", "{a} multiplied by {n}"), "{a} * {n}"),
    (("{a} minus {n}",), "{a} - {n}"),
    (("whether {a} is greater than {n}", "whether {a} is more than {n}"), "{a} > {n}"),
    (("whether {a} equals {n}", "whether {a} is equal to {n}"), "{a} == {n}"),
    (("whether {b} is in {a}", "whether {a} contains {b}"), "{b} in {a}"),
    (("the words of {a}", "{a} split at spaces", "{a} split into words"), "{a}.split()"),
    (("{a} joined with commas", "the items of {a} joined with commas"), "','.join({a})"),
    (("the first {n} items of {a}",), "{a}[:{n}]"),
    (("the distinct items of {a}", "{a} as a set"), "set({a})"),
    (("how often {b} occurs in {a}", "the number of times {b} occurs in {a}"), "{a}.count({b})"),
    (("{a} as a whole number", "{a} as an integer"), "int({a})"),
    (("{a} as text", "{a} as a string"), "str({a})"),
    (("whether {a} is even",), "{a} % 2 == 0"),
    (("the square of {a}", "{a} squared"), "{a} ** 2"),
    (("the square of every item of {a}", "the squares of {a}"), "[x ** 2 for x in {a}]"),
    (("the absolute value of {a}",), "abs({a})"),
    (("{a} rounded", "{a} rounded to a whole number"), "round({a})"),
    (("the sum of {a} and {b}", "{a} plus {b}"), "{a} + {b}"),
    (("the product of {a} and {b}", "{a} times {b}"), "{a} * {b}"),
    (("the text {a} reversed", "the text {a} backwards"), "{a}[::-1]"),
    (("the text {a} in capital letters", "the text {a} in capitals"), "{a}.upper()"),
    (("the text {a} in small letters",), "{a}.lower()"),
    (("the words of the text {a} as a list", "the text {a} split into words"), "{a}.split()"),
    (("the text {a} without spaces at its ends",), "{a}.strip()"),
    (("whether {a} is greater than {b}", "whether {a} is more than {b}"), "{a} > {b}"),
    (("whether {a} is in {b}", "whether {b} contains {a}"), "{a} in {b}"),
    (("the number {a} as text",), "str({a})"),
    (("the text {a} as a whole number",), "int({a})"),
    (("the different items of {a} as a set",), "set({a})"),
    (("the first three items of {a}",), "{a}[:3]"),
    (("the first two items of {a}",), "{a}[:2]"),
    (("{a} rounded to two decimals", "{a} rounded to 2 decimals"), "round({a}, 2)"),
    (("{a} rounded to one decimal",), "round({a}, 1)"),
    (("a list of the numbers from 0 to {a}", "the numbers below {a} as a list"), "list(range({a}))"),
)


def code_question(rng: random.Random) -> Branch:
    """A Python one-liner over an open vocabulary of names."""
    said, written = rng.choice(CODE)
    names = [
        "names",
        "words",
        "items",
        "numbers",
        "values",
        "prices",
        "scores",
        "text",
        "line",
        "data",
        "rows",
        "total",
        "count",
        "age",
        "price",
        "letters",
        "points",
        "result",
        "users",
        "files",
    ]
    a = rng.choice(names) if rng.random() < 0.5 else w.word(rng)
    b = rng.choice(("x", "item", "name", "word", w.word(rng), rng.choice(names)))
    n = rng.randint(1, 99) if "[" not in written else rng.randint(2, 9)
    form = rng.choice(
        (
            "Write a Python expression for {}.",
            "Python expression for {}:",
            "Give a Python expression for {}.",
            "In Python, how do I write {}?",
            "Python: {}",
            "What is the Python expression for {}?",
            "Python, one line: {}.",
            "One Python expression: {}.",
            "In Python, how can I get {}?",
            "Give one expression in Python: {}.",
            "Python, a single expression: {}.",
        )
    )
    return form.format(rng.choice(said).format(a=a, b=b, n=n)), written.format(a=a, b=b, n=n)


def code(rng: random.Random) -> Document:
    """Several one-liners."""
    return many([code_question(rng) for _ in range(6)])


def follow_question(rng: random.Random) -> Branch:
    """A verifiable instruction about a word or two."""
    a, b, c = w.words(rng, 3)
    numbers = {2: "two times", 3: "three times", 4: "four times"}
    n = rng.choice(list(numbers))
    times = rng.choice((numbers[n], f"{n} times", {2: "twice"}.get(n, numbers[n])))
    mark = rng.choice(
        (
            ("plus sign", "+"),
            ("star", "*"),
            ("dash", "-"),
            ("slash", "/"),
            ("hash", "#"),
            ("full stop", "."),
            ("colon", ":"),
        )
    )
    options: tuple[Branch, ...] = (
        (
            rng.choice(
                (
                    "Write the word {a} in capital letters.",
                    "Write {a} in upper case.",
                    "Put {a} in capitals.",
                    "Write the word {a} in capitals.",
                )
            ).format(a=a),
            a.upper(),
        ),
        (
            rng.choice(
                (
                    "Say {a} {t}, separated by commas.",
                    "Write the word {a} {t}, separated by commas.",
                    "Repeat {a} {t} with commas.",
                )
            ).format(a=a, t=times),
            ", ".join([a] * n),
        ),
        (
            rng.choice(("Say {a} {t}.", "Write {a} {t}.", "Write the word {a} {t}.", "Say the word {a} {t}.")).format(
                a=a, t=times
            ),
            " ".join([a] * n),
        ),
        (
            rng.choice(
                ("Write {a} in quotes.", "Put {a} in quotation marks.", "Write the word {a} in quotation marks.")
            ).format(a=a),
            f'"{a}"',
        ),
        (
            rng.choice(("Write {a} and {b} with a dash between them.", "Join {a} and {b} with a dash.")).format(
                a=a, b=b
            ),
            f"{a}-{b}",
        ),
        (
            rng.choice(("Start with {b} and end with {a}.", "Write {b}, then {a}.", "Say {b} and then {a}.")).format(
                a=a, b=b
            ),
            f"{b} {a}",
        ),
        (
            rng.choice(
                (
                    "Write the words {a}, {b} and {c} on one line, separated by semicolons.",
                    "Separate {a}, {b} and {c} with semicolons.",
                )
            ).format(a=a, b=b, c=c),
            f"{a}; {b}; {c}",
        ),
        (
            rng.choice(
                (
                    "Answer with the word {a} only.",
                    "Reply with only the word {a}.",
                    "Just say {a}.",
                    "Only write {a}.",
                    "Reply only with the word {a}.",
                )
            ).format(a=a),
            a,
        ),
        (
            rng.choice(
                ("Put {a} in brackets.", "Write {a} in round brackets.", "Write the word {a} in brackets.")
            ).format(a=a),
            f"({a})",
        ),
        (
            rng.choice(("Write {a} with a capital first letter.", "Start {a} with a capital letter.")).format(a=a),
            a.capitalize(),
        ),
        (
            rng.choice(
                (
                    "End this with a question mark: {a}",
                    "Add a question mark to: {a}",
                    "Add a question mark after the word {a}.",
                )
            ).format(a=a),
            f"{a}?",
        ),
        (
            rng.choice(
                (
                    "Add an exclamation mark to: {a}",
                    "Write {a} with an exclamation mark.",
                    "End with an exclamation mark: {a}",
                )
            ).format(a=a),
            f"{a}!",
        ),
        (
            rng.choice(
                ("Write a list with {a} and {b}, one per line, each after a dash.", "Make a list with dashes: {a}, {b}")
            ).format(a=a, b=b),
            f"- {a}\n- {b}",
        ),
        (
            rng.choice(("Count from {i} to {j}.", "Write the numbers from {i} to {j}.")).format(i=n, j=n + 4),
            " ".join(str(i) for i in range(n, n + 5)),
        ),
        (
            rng.choice(
                ("Replace {a} with {b}: the {a} is here", "In this text, write {b} instead of {a}: the {a} is here")
            ).format(a=a, b=b),
            f"the {b} is here",
        ),
        (f"Answer as JSON with the key {a} and the value {b}.", f'{{"{a}": "{b}"}}'),
        (
            rng.choice(
                (
                    "Join {a} and {b} with a {n}, no spaces.",
                    "Put a {n} between {a} and {b}.",
                    "Write {a} and {b} with a {n} between them, without spaces.",
                )
            ).format(a=a, b=b, n=mark[0]),
            f"{a}{mark[1]}{b}",
        ),
        (
            rng.choice(
                (
                    "Put a {n} before and after the word {a}.",
                    "Write {a} with a {n} on both sides.",
                    "Put a {n} before and a {n} after {a}.",
                )
            ).format(a=a, n=mark[0]),
            f"{mark[1]}{a}{mark[1]}",
        ),
        (
            rng.choice(
                (
                    "Put {a} in square brackets.",
                    "Write the word {a} in square brackets.",
                    "Put square brackets around {a}.",
                )
            ).format(a=a),
            f"[{a}]",
        ),
        (rng.choice(("Put {a} between two stars.", "Write a star, {a} and a star.")).format(a=a), f"*{a}*"),
        (
            rng.choice(
                (
                    "Join {a}, {b} and {c} with a {n}, no spaces.",
                    "Write {a}, {b} and {c} with a {n} between them, without spaces.",
                )
            ).format(a=a, b=b, c=c, n=mark[0]),
            mark[1].join((a, b, c)),
        ),
        (
            rng.choice(("Say {a} twice with a comma between.", "Write {a} two times, separated by a comma.")).format(
                a=a
            ),
            f"{a}, {a}",
        ),
        (
            rng.choice(
                (
                    "Spell {a} with dashes.",
                    "Spell the word {a} with a dash between letters.",
                    "Put dashes between the letters of {a}.",
                    "Write {a} letter by letter, with dashes.",
                )
            ).format(a=a),
            "-".join(a),
        ),
        (
            rng.choice(
                (
                    "Spell {a} with dashes.",
                    "Put dashes between the letters of {a}.",
                    "Write the letters of {a} with dashes between them.",
                )
            ).format(a=a),
            "-".join(a),
        ),
        (rng.choice(("Write {a} in double quotes.", "Put the word {a} in double quotes.")).format(a=a), f'"{a}"'),
        (
            rng.choice(("Write {a} {t} with commas in between.", "Write {a} {t}, commas between.")).format(
                a=a, t=times
            ),
            ", ".join([a] * n),
        ),
        (
            rng.choice(
                ("Answer with one word: {a}.", "Write nothing but the word {a}.", "Reply with nothing but {a}.")
            ).format(a=a),
            a,
        ),
        (
            rng.choice(("Write the numbers from 1 to {n}, separated by commas.", "Count to {n} with commas.")).format(
                n=n + 2
            ),
            ", ".join(str(i) for i in range(1, n + 3)),
        ),
        (
            rng.choice(
                ("What is the first letter of {a}?", "Which letter does {a} start with?", "First letter of {a}:")
            ).format(a=a),
            a[0],
        ),
    )
    return rng.choice(options)


def following(rng: random.Random) -> Document:
    """Several instructions."""
    return many([follow_question(rng) for _ in range(6)])


def choice_question(rng: random.Random) -> Branch:
    """A multiple-choice question answered by its letter."""
    roll = rng.random()
    count = rng.choice((3, 4, 4, 4))
    if roll < 0.5:
        kind = rng.choice(list(examples.CLASSES))
        answer = rng.choice(examples.CLASSES[kind])
        others = [
            rng.choice(examples.CLASSES[k]) for k in rng.sample([k for k in examples.CLASSES if k != kind], count - 1)
        ]
        article = "an" if kind[0] in "aeiou" else "a"
        asked = rng.choice(
            (
                f"Which of these is {article} {kind}?",
                f"Which word is {article} {kind}?",
                f"Which one is {article} {kind}?",
                f"Choose the {kind}.",
                f"One of these is {article} {kind}. Which one?",
                f"Find the {kind}.",
            )
        )
        if kind in ("clothes", "body", "weather", "music", "food"):
            asked = {
                "clothes": "Which of these do you wear?",
                "body": "Which is a part of the body?",
                "weather": "Which is a kind of weather?",
                "music": "Which is a musical instrument?",
                "food": "Which of these can you eat?",
            }[kind]
    elif roll < 0.85:
        asked, answer, others = facts.with_distractors(rng, count - 1)
    else:
        a, b = rng.randint(1, 20), rng.randint(1, 20)
        asked, answer = f"What is {a} + {b}?", str(a + b)
        others = [str(x) for x in rng.sample([i for i in range(2, 41) if i != a + b], count - 1)]
    others = [x for x in dict.fromkeys(others) if x != answer]
    options = [answer, *others]
    rng.shuffle(options)
    letters = "ABCDE"
    style = rng.choice(("{}. {}", "{}) {}", "{}: {}"))
    lines = rng.choice(("\n", "\n", " ")).join(style.format(x, y) for x, y in zip(letters, options, strict=False))
    tail = rng.choice(
        (
            "",
            "\nAnswer with one letter.",
            "\nAnswer:",
            "\nReply with the letter only.",
            "\nGive only the letter.",
            "\nAnswer with the letter.",
            "\nAnswer with the letter.",
        )
    )
    return f"{asked}\n{lines}{tail}", letters[options.index(answer)]


def choices(rng: random.Random) -> Document:
    """Several multiple-choice questions."""
    return many([choice_question(rng) for _ in range(4)])
