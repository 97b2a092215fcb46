"""Writes further.json: hidden calls to add to a function's own until every mistake that shows anywhere is found out.

    python suites/palindrome/grow.py

A mistake (cobol's mutants.py: one change at one place of the ideal code) shows if the result differs from the reference
on any of a pool of calls. The fewest are added, greedily, that find out what no call of the function's own does.
The pool holds only strings about which the prompt leaves no doubt (Property.clear), so no reading of it is punished.
Small functions, whose prompts leave more open, have their calls written by hand in small.py.
"""

from __future__ import annotations

import ast
import copy
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

HERE = Path(__file__).parent
POOL = 240
LONGEST = 200
"""Longer strings take part in no mutant's run."""
TURNS = 1_000
MARKS = "_-.,'!? "
sys.path[:0] = [str(HERE), str(HERE.parent / "cobol")]

from functions import EVERYTHING, OPERATIONS, OTHERS, PALINDROMES, Function, Operation, Property, untied  # noqa: E402
from generate import splits, written  # noqa: E402
from mutants import compiled  # noqa: E402

from harness.sandbox import same  # noqa: E402

Call = tuple[Any, ...]


class Endless(Exception):
    """A while loop turned too often."""


def function_of(parts: Sequence[CodeType], name: str) -> Callable[[Call], tuple[bool, Any]]:
    """A function of arguments that gives (did it return, what)."""
    turns = iter(range(TURNS))

    def turned() -> None:
        if next(turns, None) is None:
            raise Endless

    namespace: dict[str, Any] = {"turned": turned}

    def run(args: Call) -> tuple[bool, Any]:
        try:
            return True, namespace[name](*copy.deepcopy(args))
        except Exception:
            return False, None

    try:
        for part in parts:
            exec(part, namespace)
    except Exception:
        return lambda args: (False, None)
    return run


def differing(mutant: Callable[[Call], tuple[bool, Any]], calls: Sequence[tuple[Call, Any]]) -> Iterator[int]:
    """The numbers of the calls whose result a mutant gets wrong."""
    for number, (args, expected) in enumerate(calls):
        returned, value = mutant(args)
        try:
            right = returned and same(value, expected)
        except RecursionError:  # a list that holds itself
            right = False
        if not right:
            yield number


def strings(what: Property) -> list[str]:
    """Strings about which a property's wording leaves no doubt; each character that the ideal code names also alone."""
    constants = [node.value for node in ast.walk(ast.parse(what.code)) if isinstance(node, ast.Constant)]
    named = "".join(value for value in constants if isinstance(value, str))
    alone = [text for c in dict.fromkeys(named + "0123456789") for text in (c, f"{c}t", f"t{c}", f"t{c}p", f"my{c}th")]
    cuts = [(named[:n], named[-n:]) for n in range(1, len(named) + 1)]
    parts = [text for front, back in cuts for text in (front, back, f"t{front}", f"{back}t")]
    mirrored = ["abca", "abba", "abcba", "abcda", "abcdba", "aab", "baa", "abab", "aba", "ab", "abcdcbx", "xbcdcba"]
    marked = [text.replace("-", mark) for mark in MARKS for text in ("a-b-a", "a-ba", "a-b", "-a", "a-")]
    every = [*EVERYTHING, *alone, *parts, *mirrored, *marked, "A1a", "Ab1bA", "ABa", "aBBA", "tT", "Tt", "aa", "tt1"]
    return [text for text in dict.fromkeys(every) if what.clear(text)]


def pool(operation: Operation, what: Property, name: str) -> list[Any]:
    """Arguments: a string each, alone and beside others; pairs of near neighbours; some longer lists with repeats."""
    draw = random.Random(f"pool {name}")
    clear = [text for text in strings(what) if len(text) < LONGEST]
    if operation.argument == "sentence":
        clear = [text for text in clear if text and not any(c.isspace() for c in text)]
    draw.shuffle(clear)
    if operation.name == "check":
        return clear
    hits, misses = ([text for text in clear if what.holds(text) is wanted] for wanted in (True, False))
    lists = [[text] for text in clear] + [[text, one] for text in clear for one in (hits[0], misses[0])]
    lists += [draw.choices(draw.sample(clear, 5), k=draw.randint(2, 7)) for _ in range(POOL)]
    lists += [draw.sample(hits, min(len(hits), size)) for size in (2, 3, 4)] + [misses[:3]]
    if operation.name in ("longest", "shortest"):
        lists = [untied(operation, what, items) for items in lists]
    return [" ".join(items) for items in lists] if operation.argument == "sentence" else lists


def further(function: Function, calls: Sequence[tuple[Call, Any]]) -> tuple[list[Call], dict[str, Any]]:
    """(arguments of the calls to add, figures), where `calls` are candidates."""
    own = [(args, value) for _, args, value in function.cases if len(repr(args)) < 5 * LONGEST]
    figures: dict[str, Any] = {"function": function.key, "before": 0, "gained": 0, "hidden": []}
    hidden = []
    for kind, parts in compiled(function.code):
        mutant = function_of(parts, function.key)
        if next(differing(mutant, own), None) is None:
            hidden.append((kind, mutant))
        else:
            figures["before"] += 1
    kills = [(kind, set(differing(mutant, calls))) for kind, mutant in hidden]
    left = [where for _, where in kills if where]
    figures["gained"] = len(left)
    figures["hidden"] = [kind for kind, where in kills if not where]
    chosen: list[Call] = []
    while left:
        counts = Counter(number for where in left for number in where)
        best = max(counts, key=lambda number: (counts[number], -len(repr(calls[number])), -number))
        chosen.append(calls[best][0])
        left = [where for where in left if best not in where]
    return chosen, figures


def candidates(function: Function) -> list[tuple[Call, Any]]:
    """The pool of a function of the grid, with the reference's results; small functions have none."""
    for operation in OPERATIONS:
        for what in (*PALINDROMES, *OTHERS) if function.base.startswith(f"{operation.name}/") else ():
            if function.key in (f"is_{what.slug}", f"{operation.name}_{what.slug}"):
                return [((one,), function.reference(one)) for one in pool(operation, what, function.key)]
    return []


def main() -> None:
    """Works through the functions of test and dev, writes the file, prints what the calls find out."""
    functions = {function.key: function for several in splits().values() for function in several}
    found: dict[str, list[str]] = {}
    for split in ("test", "dev"):
        before = gained = 0
        lines = (HERE / f"{split}.jsonl").read_text("utf-8").splitlines()
        for key in dict.fromkeys(json.loads(line)["metadata"]["function"] for line in lines):
            calls, figures = further(functions[key], candidates(functions[key]))
            before, gained = before + figures["before"], gained + figures["gained"]
            if calls:
                found[key] = [written(args) for args in calls]
        print(f"{split}: {before} of {before + gained} mistakes found out by own calls, all with further ones")
    (HERE / "further.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    main()
