"""A check for live traffic, which has no gold answers: the form of a reply, where the question settles it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence

from harness.data import Completion, Sample, Score
from harness.scorers import gold_free
from harness.scorers.text import visible, words

_CHOICE = re.compile(r"^([A-Z])\) (.+)$", re.MULTILINE)
_LABEL = re.compile(r"^\S.* -> *(.*)$", re.MULTILINE)
_COPY = re.compile(r"^(?:copy|repeat|say the same|write this once more)\b[^:\n]*: *(.+)$", re.IGNORECASE)
_SUM = re.compile(r"(\d{1,6}) (plus|and|\+|minus|-) (\d{1,6})\b")
_LIST = re.compile(r"[:?] *((?:[^\W\d]+, ){2,}[^\W\d]+)\W*\Z")


@gold_free()
def form(*, suite_path: str) -> Callable[[Sample, Completion], Score | None]:
    """1 if the reply has the form that the question settles; None where it settles none.

    One of the letters offered, or its words; one of the labels shown; the text to be copied; a Python expression; the
    sum or difference of two numbers; words of the list that was given, or a number. What is not covered: whether the
    letter, the label or the order is the right one.
    """

    def score(sample: Sample, completion: Completion) -> Score | None:
        fits = _fits(str(sample.input)[:20_000].strip(), visible(completion.text)[:2_000].strip())
        return None if fits is None else Score(float(fits), completion.text[:200])

    return score


def _fits(asked: str, said: str) -> bool | None:
    choices, labels, list_ = dict(_CHOICE.findall(asked)), _LABEL.findall(asked), _LIST.search(asked)
    copied, numbers = _COPY.match(asked), _SUM.search(asked)
    if len(choices) >= 2:
        return _is_choice(choices, said)
    if len(labels) >= 3 and not labels[-1]:
        return words(said) in [words(label) for label in labels[:-1]]
    if copied:
        return said.removesuffix(".") == copied[1].strip().removesuffix(".")
    if "python" in asked.casefold() and "expression" in asked:
        return _is_expression(asked, said.strip("`").strip())
    if numbers and len(asked) < 60:
        one, sign, other = int(numbers[1]), numbers[2], int(numbers[3])
        found = one - other if sign in ("minus", "-") else one + other
        return _numbers(said)[-1:] == [str(found)]
    if list_:
        return bool(said) and (set(words(said)) <= set(words(list_[1])) or words(said)[-1:] == _numbers(said)[-1:])
    return None


def _is_choice(choices: dict[str, str], said: str) -> bool:
    """ "B", "B) bread" or "bread"."""
    letter = re.match(r"\W*([A-Z])\b", said)
    rest = words(said[letter.end() :] if letter else said)
    if letter and letter[1] in choices:
        return not rest or rest == words(choices[letter[1]])
    return words(said) in [words(option) for option in choices.values()]


def _is_expression(asked: str, said: str) -> bool:
    """Python, and about a name of the question."""
    try:
        tree = ast.parse(said, mode="eval")
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return bool(names & set(re.findall(r"\w+", asked)))


def _numbers(said: str) -> Sequence[str]:
    return [word for word in words(said) if word.isdigit()]
