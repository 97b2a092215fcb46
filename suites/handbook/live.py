"""Checks for live traffic, which has no gold answers: what the handbook says nowhere, and "I do not know"."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from harness.data import Completion, Passage, Sample, Score, Scorer
from harness.retrieve import Retriever
from harness.scorers import gold_free
from harness.scorers.text import visible, words

LOOKED_UP = 5
"""Passages nearest to a question that may answer it, where the request shows none."""
_SHOWN = re.compile(r"^\[\d+\] (.+)$", re.MULTILINE)
_UNKNOWN = re.compile(
    r"\b(?:i (?:do not|don't|cannot|can't|could not) (?:know|tell|say|find)|(?:not|isn't|is not) (?:stated|mentioned|"
    r"said|given|specified|covered)|no (?:such )?(?:information|rule|mention)|does not (?:say|state|mention))\b"
)
_SMALL = frozenset(words("at by for from in of on to and or is are it you your within up after before per with until"))


@gold_free()
def in_handbook(*, suite_path: str) -> Callable[[Sample, Completion], Score | None]:
    """1 if the words of the reply stand together in one passage; None for "I do not know".

    The passages are those that the request shows, else the five nearest to the question; its words are free.
    What is not covered: a fact of another rule in the same passage, last year's where its passage is shown, and right
    answers to a question in other words than the handbook's, where no passage is shown.
    """
    rows = map(json.loads, (Path(suite_path) / "corpus.jsonl").read_text("utf-8").splitlines())
    retriever = Retriever([Passage(str(row["id"]), str(row["text"])) for row in rows])

    def score(sample: Sample, completion: Completion) -> Score | None:
        asked, said = str(sample.input)[:20_000], visible(completion.text)[:2_000]
        if unknown(said):
            return None
        question = asked.rpartition("\nQuestion: ")[2]
        passages = _SHOWN.findall(asked) or [one.text for one in retriever.top(question, LOOKED_UP)]
        told = set(words(said)) - set(words(question)) - _SMALL
        held = bool(words(said)) and any(told <= set(words(passage)) for passage in passages)
        return Score(float(held), said[:200], "" if held else "in no passage")

    return score


@gold_free()
def knows(*, suite_path: str) -> Scorer:
    """1 if the reply is an answer, 0 if it is empty or says that it does not know.

    More of the latter may mean that retrieval finds less, or that more is asked of which the handbook says nothing.
    """

    def score(sample: Sample, completion: Completion) -> Score:
        said = visible(completion.text)[:2_000]
        return Score(float(bool(said.strip()) and not unknown(said)), said[:200])

    return score


def unknown(said: str) -> bool:
    """Whether a reply says that it does not know.

    >>> unknown("I don’t know."), unknown("27 days")
    (True, False)
    """
    return bool(_UNKNOWN.search(said.casefold().replace("’", "'")))
