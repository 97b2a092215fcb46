"""A check for live traffic, which has no gold answers: the form of a reply, where the question settles it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from itertools import pairwise

from harness.data import Completion, Sample, Score
from harness.scorers import gold_free
from harness.scorers.text import visible, words

LONGEST = 20_000
"""Characters of a question; a longer one settles nothing. A reply may be as long again, to be compared whole."""
_CHOICE = re.compile(r"^([A-Z])\) (.+)$", re.MULTILINE)
_ONE_OF = re.compile(r"\bletter\b|\bwhich of (?:these|the following)\b", re.IGNORECASE)
_MORE = re.compile(r"\b(?:why|explain|reason|justify|because|both|all|rank|order|each|every)\b", re.IGNORECASE)
_BARE_LETTER = re.compile(r"\W*([A-Za-z])(?:[).:]+(.*)|\W*)\Z", re.DOTALL)
_LABEL = re.compile(r"^\S.* -> *(.*)$", re.MULTILINE)
_COPY = re.compile(
    r"(?:please )?(?:copy|repeat|say the same|write this once more)(?:,? (?:this|these|the|following|same|text|words?|"
    r"sentence|line|exactly|unchanged|again|after me|once more|word for word))* ?: *(\S.*)",
    re.IGNORECASE,
)
_EXPRESSION = re.compile(r"\b(?:write|give(?: me)?) (?:a|one) python expression\b|\bone expression\b", re.IGNORECASE)
_CODE = re.compile(r"```(?:\w+\n)?([^`]+)```|`([^`\n]+)`")
_SUM = re.compile(
    r"(?:please )?(?:(?:what is|what's|how much is|calculate|compute|work out):? )?"
    r"(?:(\d{1,6}) (plus|\+|minus|-) (\d{1,6})|(?:add|the sum of) (\d{1,6}) and (\d{1,6}))[ =?.!]*",
    re.IGNORECASE,
)
_LIST = re.compile(r"[:?] *((?:[^\W\d]+, ){2,}[^\W\d]+)\W*\Z")
_ORDER = re.compile(r"\b(?:alphabetical(?:ly)?|backwards|reverse (?:this|these|the|order)|in reverse)\b", re.IGNORECASE)
_COUNT = re.compile(r"\b(?:count the items|how many items|how long is this list)\b", re.IGNORECASE)
_PICK = re.compile(r"\b(?:first|last) (?:word|item)(?: of this list)?:|\bword comes (?:first|last)\b", re.IGNORECASE)


@gold_free()
def form(*, suite_path: str) -> Callable[[Sample, Completion], Score | None]:
    """1 if the reply has the form that the question settles; None where it settles none, or where that is in doubt.

    One of the letters offered, or its words; one of the labels shown; the text to be copied; a Python expression; the
    sum or difference of two numbers; words of the list that was given, or a number. What is not covered: whether the
    letter, the label or the order is the right one.
    """

    def score(sample: Sample, completion: Completion) -> Score | None:
        asked = str(sample.input)
        fits = None if len(asked) > LONGEST else _fits(asked.strip(), visible(completion.text)[: 2 * LONGEST].strip())
        return None if fits is None else Score(float(fits), completion.text[:200])

    return score


def _fits(asked: str, said: str) -> bool | None:
    choices, labels, list_ = dict(_CHOICE.findall(asked)), _LABEL.findall(asked), _LIST.search(asked)
    copied, sum_ = _COPY.fullmatch(asked), _SUM.fullmatch(asked)
    if copied:
        wanted = _bare(copied[1])
        return wanted in (_bare(said), _bare(said.partition(":\n")[2])) if wanted else None
    said = said[:2_000]
    if len(choices) >= 2:
        return _is_choice(choices, said) if _ONE_OF.search(asked) and not _MORE.search(asked) else None
    if len(labels) >= 3 and not labels[-1]:
        known = [words(label) for label in labels[:-1]]
        return any(_holds(said, label) for label in labels[:-1]) if _repeated(known) else None
    if "python" in asked.casefold() and _EXPRESSION.search(asked):
        return any(_is_expression(asked, code) for code in _codes(said))
    if sum_:
        return _is_sum(sum_, said)
    return _is_of_list(asked, list_[1], said) if list_ else None


def _bare(text: str) -> str:
    """The text without the marks around it, in small letters and with single spaces."""
    return " ".join(text.split()).strip("\"'`*“”‘’ ").rstrip(".!").casefold()


def _holds(said: str, part: str) -> bool:
    """Whether the words of a part stand in what was said, side by side.

    >>> _holds("It is the bread.", "bread"), _holds("breadth", "bread")
    (True, False)
    """
    return f" {' '.join(words(part))} " in f" {' '.join(words(said))} "


def _repeated(known: list[list[str]]) -> bool:
    """Whether a label is shown twice: then there is a set of labels to choose from, and no dictionary."""
    return len({tuple(label) for label in known}) < len(known)


def _is_choice(choices: dict[str, str], said: str) -> bool:
    """ "B", "B) bread", "bread", or either in a sentence; not a letter with the words of another."""
    bare = _BARE_LETTER.match(said)
    if bare and len(bare[1]) == 1 and (bare[2] or len(said) < 10):
        letter, rest = bare[1].upper(), bare[2] or ""
        others = [option for key, option in choices.items() if key != letter and words(rest) == words(option)]
        return letter in choices and not (others and words(choices[letter]) != words(rest))
    named = set(re.findall(r"(?<![\w'’])[A-Z](?![\w'’])", said)) & set(choices)
    return bool(named) or any(_holds(said, option) for option in choices.values())


def _codes(said: str) -> list[str]:
    """What may be the code: all of it, what is marked as code, and the last line."""
    return [said.strip("`").strip(), *map("".join, _CODE.findall(said)), said[said.rfind("\n") + 1 :].strip()]


def _is_expression(asked: str, said: str) -> bool:
    """Python, and not a bare word that the question does not have."""
    try:
        body = ast.parse(said).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    named = [one.value.id for one in body if isinstance(one, ast.Expr) and isinstance(one.value, ast.Name)]
    return bool(body) and set(named) <= set(re.findall(r"\w+", asked))


def _is_sum(asked: re.Match[str], said: str) -> bool | None:
    """Whether the result stands in the reply beside the two numbers; None where it may be written out in words."""
    one, other = (asked[1], asked[3]) if asked[1] else (asked[4], asked[5])
    found = int(one) - int(other) if asked[2] and asked[2].lower() in ("minus", "-") else int(one) + int(other)
    said = re.sub(r"(?<=\d)[,.' \u00a0\u202f](?=\d{3}(?!\d))", "", said.replace("−", "-"))
    said = re.sub(rf"(?<!\d){one}\s*(?:plus|and|\+|minus|-)\s*{other}(?!\d)", " ", said)
    said = re.sub(r"(?<!\d)(?<!\d )(?:-(?=\d)|\b(?:minus|negative) )", " minus ", said, flags=re.IGNORECASE)
    spoken = ["", *words(said)]
    if {"hundred", "thousand", "million", "dozen", "nothing", "nought", "none"} & set(spoken):
        return None
    numbers = ["-" * (before == "minus") + word for before, word in pairwise(spoken)]
    return str(found) in numbers


def _is_of_list(asked: str, list_: str, said: str) -> bool | None:
    """All words of a list that was to be put in order, one of those to pick from, or how many there are."""
    items = list_.split(", ")
    if _ORDER.search(asked):
        return all(_holds(said, item) for item in items)
    if _COUNT.search(asked):
        return any(word.isdigit() for word in words(said))
    return any(_holds(said, item) for item in items) if _PICK.search(asked) else None
