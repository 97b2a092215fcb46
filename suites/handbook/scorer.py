"""The right fact as the handbook means it, and the stale-fact trap as a column of its own."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from harness.data import Completion, Sample, Score, Scorer
from harness.scorers.text import answer, targets, visible, words
from harness.scorers.values import plain

_NAMED = re.compile(r"(?:the )?((?:[A-Z]\w+ )+)(?:account|agency|app|code|intranet|line|list|plant|portal|team|tool)")
MAX_NAME = 200
"""Characters of a text that may be a name alone."""
_DAY = re.compile(r"[A-Z]\w+day ")
_BOUNDS = {
    "most": r"up to|at most|(?:no|not) (?:more|later|longer) than|maximum(?: of)?|within|limit is",
    "least": r"at least|(?:no|not) (?:less|fewer|earlier|sooner|shorter) than|minimum(?: of)?",
    "over": r"(?<!no )(?<!not )(?:more|longer|greater|higher) than|over|above|exceed\w*|beyond",
    "under": r"(?<!no )(?<!not )(?:less|fewer|shorter|lower|younger) than|under|below|almost|nearly",
}
"""What may stand before a value, by direction."""
_AFTER = re.compile(
    r"(?<![\w.,])([\w.,]+(?: [a-z]+)?) or (?:(more|longer|over|above|later)|less|fewer|under|below|earlier)\b", re.I
)
"""A bound behind its value: "four weeks or more"."""


def right_fact(*, suite_path: str) -> Scorer:
    """`answer`, and besides: a bound ("at least", "over") must be the one that the passage or the question gives.

    "up to" is wrong only where the handbook says "at least". A name may stand without its kind: "Lingua" for "the
    Lingua team".
    """
    judge = answer(suite_path=suite_path)
    rows = map(json.loads, (Path(suite_path) / "corpus.jsonl").read_text("utf-8").splitlines())
    passages = {str(row["id"]): str(row["text"]) for row in rows}

    def score(sample: Sample, completion: Completion) -> Score:
        completion = replace(completion, text=_bound_first(completion.text))
        found = judge(sample, completion)
        if _is_name(sample.target, completion):
            return replace(found, value=1.0, explanation="")
        named = map(str, sample.metadata.get("passages", ()))
        texts = [_bound_first(passages[name]) for name in named if name in passages]
        wrong = _other_bound(sample, texts, visible(completion.text)) if found.value else ""
        return replace(found, value=0.0, explanation=f"'{wrong}' is not what the handbook says") if wrong else found

    return score


def not_stale(*, suite_path: str) -> Scorer:
    """0 if the text answers with one of the sample's `rivals` (last year's rule, the other circular's), else 1.

    An answer that is merely wrong, or none, scores 1: read it beside the primary score.
    """
    judge = answer(suite_path=suite_path)

    def score(sample: Sample, completion: Completion) -> Score:
        for rival in map(str, sample.metadata.get("rivals", ())):
            old = replace(sample, target=rival, metadata={})
            if _is_name(rival, completion) or judge(old, completion).value == 1:
                return Score(0.0, completion.text, f"'{rival}' does not hold")
        return Score(1.0, completion.text, "")

    return score


def _bound_first(text: str) -> str:
    """The text with "at least four weeks" for "four weeks or more"; "or" alone would offer two answers."""
    return _AFTER.sub(lambda found: f"at {'least' if found[2] else 'most'} {found[1]}", text)


def _is_name(target: str, completion: Completion) -> bool:
    """Whether the text is a name's own part alone: "Lingua", "the Kindred" for "the Kindred list"."""
    if len(completion.text) > MAX_NAME:
        return False
    named = _NAMED.fullmatch(target)
    return bool(named) and not _DAY.match(named[1]) and words(visible(completion.text)) == words(named[1])


def _other_bound(sample: Sample, passages: list[str], text: str) -> str:
    """The bound before a number of the text that neither passage, question nor target knows, or ""."""
    asked = sample.input if isinstance(sample.input, str) else str(sample.input[-1]["content"])
    known = " ".join([asked, *targets(sample)]).casefold()
    values = {word for target in targets(sample) for word in words(plain(target)) if word[0].isdigit()}
    for passage in passages:
        said = words(plain(passage))
        known += " ".join(f" ... {' '.join(said[max(0, i - 4) : i])}" for i, word in enumerate(said) if word in values)
    plainly = " ".join(words(plain(text)))
    for direction, bound in _BOUNDS.items():
        found = re.search(rf"\b(?:{bound}) (?=\d)", plainly)
        same = re.search(rf"\b(?:{bound})\b", known)
        other = direction == "most" and not re.search(rf"\b(?:{_BOUNDS['least']})\b", known)
        if found and not same and not other:
            return found[0].strip()
    return ""
