# ruff: noqa: E501
# mostly tables, where an entry on one line reads best; references avoid the idiom they check
"""Write test, dev, train, shots and cases.jsonl of this suite; the same bytes every time.

    python suites/palindrome/generate.py [FOLDER]

No function is asked for in two splits, and no wording either: each split has its own frames and its own way to say what
is wanted. Hidden calls lie in cases.jsonl, a row per function; a sample holds the function's name and a digest of its row.
"""

from __future__ import annotations

import ast
import hashlib
import json
import random
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from functions import Function, grid
from small import SMALL

FURTHER: dict[str, list[str]] = json.loads((Path(__file__).parent / "further.json").read_text("utf-8"))
"""Arguments of further hidden calls, which grow.py writes."""
SEED = 20260701
SIZES = {"test": 240, "shots": 8, "dev": 60, "train": 400}
GRAM = 13
SHARE = {"test": 0.32, "dev": 0.10}  # of the grid's families; the rest is train
SHOTS = (
    "lengths/palindrome",
    "any/longer",
    "check/upper",
    "set/ending",
    "upper/palindrome_nocase",
    "keep/has_digit",
    "longest/vowel_start",
    "words/capital",
)

OPENINGS = {
    "train": (
        "Write a Python function that {does}.",
        "Write a small function in Python that {does}.",
        "I need a Python function that {does}.",
        "Please write Python: a function that {does}.",
        "Give me a short Python function that {does}.",
        "In Python, write a function that {does}.",
    ),
    "test": (
        "Write one Python function that {does}.",
        "Could you write a Python function which {does}?",
        "Python please: write a function which {does}.",
        "What does a Python function look like that {does}?",
        "Write, in Python, some function that {does}.",
        "Our Python code lacks a function that {does}. Write it.",
        "Show me a Python function which {does}.",
    ),
    "dev": (
        "Make a Python function that {does}.",
        "We want a function in Python that {does}.",
        "Define a Python function that {does}.",
    ),
}
OPENINGS["shots"] = OPENINGS["train"][:3]
CLOSINGS = {
    "train": (
        "Explain it briefly and use markdown.",
        "Answer in markdown with a brief explanation.",
        "Add a short explanation. Format: markdown.",
        "Use markdown and explain in a sentence or two.",
        "Explain briefly, in markdown.",
    ),
    "test": (
        "Explain briefly and format it as markdown.",
        "Keep the explanation brief; markdown, please.",
        "Reply in markdown: the code, then a brief explanation.",
        "Format the answer as markdown and explain it in brief.",
        "A brief explanation will do. Write markdown.",
    ),
    "dev": ("Explain in short, as markdown.", "In markdown, with one or two sentences of explanation."),
}
CLOSINGS["shots"] = CLOSINGS["train"][:2]
NAMED = {
    "train": "Call it `{name}`.",
    "test": "Its name must be `{name}`.",
    "dev": "Name it `{name}`.",
    "shots": "Call it `{name}`.",
}
SAYS = {"train": (0, 1), "shots": (0, 1), "test": (2, 3), "dev": (3, 0)}

PROBE = ("Racecar", "Aa", "nurses run", "ab!a", "level!", " noon")
"""Palindromes in one reading and not in another: reported for keep_palindromes, which leaves the reading open."""

SEEDS = (
    ("keep_palindromes", "Write a Python function that takes a list of strings and returns only the palindromes among them, in their original order. Explain briefly and format your answer as markdown."),
    ("keep_palindromes", "I have a list of strings. I want a Python function that gives me a new list with just the palindromes, order unchanged. Brief explanation, markdown formatting."),
    ("keep_palindromes", "Filter palindromes: Python function, list of strings in, list of palindromic strings out, same order. Markdown, short explanation."),
    ("keep_palindromes", "How do I keep only the strings that are palindromes in a Python list without disturbing their order? A function, a brief explanation, markdown."),
    ("keep_palindromes", "Task: given strings in a list, return those equal to their own reverse, first to last. Language: Python. Format: markdown with a brief explanation."),
    ("keep_palindromes", "Please give me the most Pythonic function you can for picking the palindromes from a list of strings (order kept). Explain it in a sentence or two, in markdown."),
    ("keep_palindromes", "Some of my strings read the same forwards and backwards. Write a Python function that takes the list and returns those, in the order they came. Brief, and in markdown."),
    ("keep_palindromes", "Coding challenge! From a list of strings, return every palindrome in order, repeats included. Python function, markdown, brief words on how it works."),
    ("keep_palindromes", "Write a one-line Python function body that selects the palindromes of a list of strings. Keep order. Explain concisely using markdown."),
    ("keep_palindromes", "As a code reviewer I like list comprehensions. Show me a Python function that returns the palindromes in a list of strings, in order, explained briefly in markdown."),
    ("keep_palindromes", "Implement palindrome filtering in Python: the argument is a list of strings, which must stay as it is; the result is a new list of its palindromes in order. Markdown and a brief explanation."),
    ("keep_palindromes", "Drop every string that is not a palindrome from a list, without changing the list itself: what would that Python function look like? Markdown, explained in brief."),
    ("keep_palindromes", "Which strings in a list are palindromes? Answer with a Python function that returns them as a list, order as given, plus a brief explanation in markdown."),
    ("keep_palindromes", "def wanted: takes strings (a list), returns palindromes (a list, order kept). Python. Short explanation. Markdown."),
    ("keep_palindromes", "My teacher asks for a Python function from a list of strings to the list of those that are palindromes, order preserved. Could you write it in markdown and explain it briefly?"),
    ("keep_palindromes", "Write Python that returns only palindromic entries of a list of strings. The empty string counts as a palindrome. Preserve order. Format as markdown and explain briefly."),
    ("keep_palindromes", "For a list such as [\"level\", \"tea\", \"noon\"] I expect [\"level\", \"noon\"]: only palindromes, in order. Write the Python function, explain it briefly, use markdown."),
    ("keep_palindromes", "Give a brief markdown answer: a Python function returning those items of a list of strings which are spelled the same in both directions, order retained."),
    ("keep_exact_palindromes", "Write a Python function that keeps the palindromes in a list of strings, where \"Anna\" is no palindrome because A and a differ. Keep order. Markdown, brief explanation."),
    ("keep_exact_palindromes", "Return the palindromes of a list of strings in order; the comparison is case-sensitive, so \"Level\" is out. A Python function in markdown, explained briefly."),
    ("keep_palindromes_ignoring_case", "Write a Python function for a list of strings that returns the palindromes in order, where \"Anna\" counts too: ignore case, but return the strings as they are. Brief markdown answer."),
    ("keep_palindromes_ignoring_case", "From a list of strings keep the ones that are palindromes regardless of upper and lower case, unchanged and in order. Python function, markdown, short explanation."),
    ("keep_palindromes_ignoring_case", "I need case-insensitive palindrome filtering in Python: list of strings in, the matching strings out in their original spelling and order. Markdown; explain in brief."),
    ("keep_palindromes_ignoring_spaces", "Write a Python function that returns from a list of strings those that are palindromes once spaces are taken out, such as \"nurses run\". Original strings, original order. Markdown, brief."),
    ("keep_palindromes_ignoring_spaces", "Spaces should not matter: pick, in order, the strings of a list that read the same backwards without their spaces. Python function, brief explanation, markdown format."),
    ("keep_loose_palindromes", "Write a Python function that finds phrases like \"Madam, I'm Adam\" in a list of strings: palindromes if only letters and digits count and case does not. Return them as given, in order. Brief, markdown."),
    ("keep_loose_palindromes", "Keep the strings of a list that are palindromes after dropping everything but letters and digits and ignoring case. Order and strings unchanged. Python, markdown, explain briefly."),
    ("keep_non_palindromes", "Remove the palindromes: a Python function that takes a list of strings and returns the others in order. Explain briefly in markdown."),
    ("words_palindromes", "Write a Python function that takes a sentence and returns the list of its words that are palindromes, in order. Explain briefly and use markdown formatting."),
    ("words_palindromes", "Which words of a sentence, split at spaces, are palindromes? Return them as a list from a Python function. Markdown, short explanation."),
    ("words_palindromes_ignoring_case", "A sentence comes in; the words that are palindromes, whatever their case, go out as a list, in order and as they were written. Python function in markdown, explained in brief."),
    ("count_palindromes", "Write a Python function that takes a list of strings and returns how many of them are palindromes. Format as markdown, with a brief explanation."),
    ("count_palindromes", "Count the palindromic strings of a list in Python, as a function. Repeats count each time. Brief explanation in markdown."),
    ("longest_palindromes", "Write a Python function that returns the longest palindrome in a list of strings, or None if it has none. Explain it briefly; format as markdown."),
    ("first_palindromes", "Write a Python function that returns the first palindrome in a list of strings and None where there is none. Markdown with a brief explanation, please."),
    ("flags_palindromes", "Write a Python function that turns a list of strings into a dictionary: each string as key, and whether it is a palindrome (True or False) as value. Brief explanation, in markdown."),
    ("positions_palindromes", "At which positions, counted from zero, does a list of strings hold palindromes? Write the Python function that returns them as a list; markdown, explained briefly."),
    ("sorted_palindromes", "Write a Python function that returns the palindromes of a list of strings sorted alphabetically, repeats included. Keep the explanation short and the format markdown."),
    ("set_palindromes", "Write a Python function that collects the distinct palindromes of a list of strings in a set. Short explanation, markdown."),
    ("is_palindromes", "Write a Python function that takes a string and returns True if it is a palindrome, else False. Explain briefly, as markdown."),
    ("is_palindromes_ignoring_case", "Is a string a palindrome when upper and lower case are the same to us? A Python function that returns True or False, a brief explanation, markdown."),
)  # fmt: skip


def splits() -> dict[str, list[Function]]:
    """Each function in exactly one split. What differs in a number or a letter only stays together."""
    functions = {function.key: function for function in grid()}
    of_test = {functions[key].base for key, _ in SEEDS}
    draw = random.Random(f"{SEED} splits")
    families = sorted({function.base for function in functions.values()} - of_test - set(SHOTS))
    draw.shuffle(families)
    where = {**dict.fromkeys(of_test, "test"), **dict.fromkeys(SHOTS, "shots")}
    for split, share in SHARE.items():
        taken, families = families[: round(share * len(families))], families[round(share * len(families)) :]
        where.update(dict.fromkeys(taken, split))
    found: dict[str, list[Function]] = {split: [] for split in SIZES}
    for function in functions.values():
        found[where.get(function.base, "train")].append(function)
    for split, function in SMALL:
        found[split].append(function)
    return found


def chosen(split: str, functions: list[Function], n: int) -> list[Function]:
    """n times a function: the kinds in fixed shares, every family before any comes again, then other members of it."""
    draw = random.Random(f"{SEED} {split}")
    if split == "shots":
        return [next(function for function in functions if function.base == base) for base in SHOTS]
    picked: list[Function] = []
    for kind, share in {"small": 0.25, "palindrome": 0.30, "filter": 0.45}.items():
        families: dict[str, list[Function]] = {}
        for function in functions:
            if function.kind == kind:
                families.setdefault(function.base, []).append(function)
        names = sorted(families)
        draw.shuffle(names)
        for turn in range(round(share * n)):
            members = families[names[turn % len(names)]]
            picked.append(members[turn // len(names) % len(members)])
    draw.shuffle(picked)
    return picked


def asked(split: str, function: Function, turn: int, draw: random.Random) -> tuple[str, str]:
    """(prompt, the name it asks for or ""): the turn-th prompt for this function in this split."""
    roles = SAYS[split] if len(function.says) == 4 else tuple(range(3))
    does = function.says[roles[turn % len(roles)]]
    name = function.key if draw.random() < 0.25 else ""
    opening = draw.choice(OPENINGS[split])
    if opening.endswith("?") and ("?" in does or ":" in does):
        opening = OPENINGS[split][0]
    parts = [opening.format(does=does), NAMED[split].format(name=name) if name else "", draw.choice(CLOSINGS[split])]
    return " ".join(filter(None, parts)).replace("?.", "?"), name


def row(number: int, split: str, function: Function, prompt: str, name: str, kind: str) -> dict[str, Any]:
    metadata = {"kind": kind, "function": function.key, "tests": digest(function)}
    if name:
        metadata["entry"] = name
    target = f"```python\n{function.code}\n```\n\n{function.why}"
    return {"id": f"palindrome-{split}-{number:04d}", "input": prompt, "target": target, "metadata": metadata}


def phrases(text: str) -> set[str]:
    """Every run of GRAM words."""
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[i : i + GRAM]) for i in range(max(1, len(words) - GRAM + 1))}


def rows(split: str, functions: list[Function], taken: set[str]) -> list[dict[str, Any]]:
    """The samples of a split, none of which has a run of GRAM words in common with `taken`, the splits before."""
    draw = random.Random(f"{SEED} wording {split}")
    by_key = {function.key: function for function in functions}
    found = [(by_key[key], text, "", "seed") for key, text in SEEDS] if split == "test" else []
    seen = {text for _, text, _, _ in found}
    turns: dict[str, int] = {}
    for function in chosen(split, functions, SIZES[split] - len(found)):
        for _ in range(50):
            turn = turns.get(function.key, 0)
            turns[function.key] = turn + 1
            prompt, name = asked(split, function, turn, draw)
            if prompt not in seen and not phrases(prompt) & taken:
                seen.add(prompt)
                found.append((function, prompt, name, function.kind))
                break
    return [row(number, split, *item) for number, item in enumerate(found, 1)]


def case_row(function: Function) -> dict[str, Any]:
    """A row of cases.jsonl: the function's own calls, and those that grow.py found to be missing."""
    given = [ast.literal_eval(args) for args in FURTHER.get(function.key, ())]
    more = [("a call that tells it from a near mistake", args, function.reference(*args)) for args in given]
    cases = [
        {"name": name, "args": written(args), "expected": written(expected)}
        for name, args, expected in (*function.cases, *more)
    ]
    row: dict[str, Any] = {"function": function.key, "idioms": list(function.idioms), "cases": cases}
    return {**row, "probe": list(PROBE)} if function.key == "keep_palindromes" else row


def digest(function: Function) -> str:
    """Ties a sample to its hidden calls: when these change, the sample is another one."""
    return hashlib.sha256(json.dumps(case_row(function)).encode()).hexdigest()[:12]


def written(value: Any) -> str:
    """A value as a Python literal, in which a long run of the same two characters is 'ab' * n."""
    run = re.search(r"(..)\1{99,}", value) if isinstance(value, str) else None
    if run:
        sides = [repr(value[: run.start()]), f"{run[1]!r} * {len(run[0]) // 2}", written(value[run.end() :])]
        return " + ".join(side for side in sides if side != "''")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(key)}: {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, set):
        return "{" + ", ".join(map(written, sorted(value))) + "}" if value else "set()"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, tuple):
        return "(" + "".join(f"{written(item)}, " for item in value).rstrip() + ")"
    return repr(value)


def lines(items: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)


def main(folder: Path) -> None:
    found = splits()
    used: set[str] = set()
    taken: set[str] = set()
    for split, functions in found.items():
        samples = rows(split, functions, taken)
        taken |= {phrase for sample in samples for phrase in phrases(sample["input"])}
        used |= {sample["metadata"]["function"] for sample in samples}
        (folder / f"{split}.jsonl").write_text(lines(samples), "utf-8")
        print(f"{split}: {len(samples)} samples, {len({s['metadata']['function'] for s in samples})} functions")
    every = [function for functions in found.values() for function in functions if function.key in used]
    tasks = [case_row(function) for function in every]
    (folder / "cases.jsonl").write_text(lines(tasks), "utf-8")
    print(f"cases: {len(tasks)} functions, {sum(len(task['cases']) for task in tasks)} hidden calls")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
