"""A check for live traffic, which has no gold answers: the instructions themselves say what can be seen in a reply."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from harness.data import Completion, Sample, Score
from harness.scorers import from_file, gold_free

_COUNTS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_COUNTS += ("thirteen", "fourteen", "fifteen")
_N = rf"(?P<n>\d{{1,3}}|{'|'.join(_COUNTS)})"
_LIMIT = r"(?:at most|no more than|not more than|up to|within|go over|a maximum of)"
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_QUOTED = re.compile(r'["“]([^"“”]{1,60})["”]')
_NO = r"\b(?:no|not|never|avoid|without|leave|forbidden|taboo|off limits|get by|find a way around|neither)\b"
_INCLUDE = r"\b(?:use|include|has to appear|must appear|work in|want to see|fit in)\b"
_TAKES: tuple[tuple[str, str, str], ...] = (
    ("line_words", rf"\blines?\b.*?{_N} words\b", "most"),
    ("line_words", rf"{_N} words.*\b(?:per|a) line\b", "most"),
    ("words_between", rf"(?P<a>\d+) (?:to|and|and no more than|-) {_N} words\b", "between"),
    ("words_exact", rf"(?:exactly|precisely|must count) {_N} words", "count"),
    ("words_exact", rf"{_N} words (?:exactly|long, to the word)", "count"),
    ("words_most", rf"{_LIMIT} {_N} words", "most"),
    ("words_most", rf"{_N} words (?:or fewer|at (?:the (?:very )?)?most|is the limit)", "most"),
    ("longest_word", rf"\bword.* (?:more than|longer than|over) {_N} letters", "most"),
    ("longest_word", rf"{_N} letters at most", "most"),
    ("sentences", rf"(?:exactly|in|consist of|make it|to) {_N} sentences?\b", "count"),
    ("characters_most", rf"(?:{_LIMIT}|shows|fit into) {_N} characters", "most"),
    ("characters_most", rf"{_N} characters (?:at most|or fewer)", "most"),
    ("characters_most", rf"(?:under|fewer than|less than) {_N} characters", "below"),
    ("bullets", rf"{_N} bullets?\b", "count"),
    ("bullets", rf"bulleted list of {_N}\b", "count"),
    ("numbered", rf"number.*\b1\.? to {_N}\b", "count"),
    ("numbered", rf"numbered list (?:with|of)(?: exactly)? {_N}\b", "count"),
)
"""(kind, what asks for it, the argument that the number is)"""
_SAYS: tuple[tuple[str, str], ...] = (
    ("title", r"\b(?:every|each)(?: single)? word\b.*\bcapital"),
    ("lower", r"\b(?:lower case|small letters only|no capital letters?|not a single capital letter)\b"),
    ("upper", r"\b(?:upper case|all caps|every letter must be a capital|everything in capital letters)\b"),
    ("no_commas", rf"{_NO}.*\bcommas?\b|\bcommas? (?:is|are) forbidden"),
    ("no_digits", r"\b(?:no|without|not).*\bdigits?\b|\bdigits (?:is|are) not allowed"),
    ("question_end", r"\b(?:end|last|finish|close)\b.*\b(?:question mark|question)\b"),
    ("no_final_stop", r"\bfull stop (?:at the end|after the last word)|\b(?:end|close) with a full stop"),
    ("no_repeats", r"\b(?:no word twice|no word may occur more than once|not repeat any word|one single time)\b"),
)
_NAMES: tuple[tuple[str, str, str], ...] = (
    ("sign_off", r"\b(?:last line|final line|(?:close|sign) .*\bline\b)", "text"),
    ("heading", r"\b(?:heading|title)\b", "text"),
    ("no_letter", r"\bletter\b|\bkey is broken\b", "letter"),
    ("once", r"\b(?:once|one time|a single time)\b", "word"),
    ("start", r"\b(?:start|begin|open)\b.* with\b|\bfirst word\b", "word"),
    ("end", r"\b(?:end with|last word|finish on|final word|closing word)\b", "word"),
    ("avoid", rf"{_NO}.*\bwords?\b|\bwords? .*(?:not allowed|taboo)|\bavoid both\b", "words"),
    ("include", _INCLUDE, "words"),
)


_LISTS = ("bullets", "numbered")


@gold_free()
def obeyed(*, suite_path: str) -> Callable[[Sample, Completion], Score | None]:
    """1 if every instruction that is recognised in the request holds in the reply; None where none is.

    What is not covered: whether the answer is right, and instructions in words that stand in no pattern here.
    """
    where = f"{suite_path}/suite.yaml: monitor"
    kinds: dict[str, Callable[[str, dict[str, Any]], str]] = from_file("scorer.py:KINDS", suite_path, where)
    spoken = from_file("scorer.py:spoken", suite_path, where)

    def score(sample: Sample, completion: Completion) -> Score | None:
        checks = instructions(str(sample.input))
        if not checks:
            return None
        text = spoken(completion.text)
        broken = [fault for check in checks if (fault := kinds[check["kind"]](text, check))] if text else ["empty"]
        return Score(float(not broken), text[:200], "; ".join(broken))

    return score


def instructions(asked: str) -> list[dict[str, Any]]:
    """The instructions of a request as the checks of scorer.py.

    >>> instructions('Who is it? Use at most six words. Do not use the word "old".')
    [{'kind': 'words_most', 'most': 6}, {'kind': 'avoid', 'words': ['old']}]
    """
    found = []
    for sentence in _SENTENCE.split(asked[:20_000].replace("’", "'")):
        plain = _QUOTED.sub('""', sentence).casefold()
        check = _numbered(plain) or _said(plain, _QUOTED.findall(sentence))
        found += [check] if check else []
    beside = sum(check["kind"] in ("heading", "sign_off") for check in found)
    return [{**check, "others": beside} if beside and check["kind"] in _LISTS else check for check in found]


def _numbered(plain: str) -> dict[str, Any] | None:
    """An instruction with a number in it."""
    for kind, pattern, argument in _TAKES:
        match = re.search(pattern, plain)
        if match:
            n = _COUNTS.index(match["n"]) + 1 if match["n"] in _COUNTS else int(match["n"])
            if argument == "between":
                return {"kind": kind, "least": int(match["a"]), "most": n}
            return {"kind": kind, "most": n - 1} if argument == "below" else {"kind": kind, argument: n}
    return None


def _said(plain: str, quoted: list[str]) -> dict[str, Any] | None:
    """An instruction without a number, or about a word in quotation marks."""
    for kind, pattern in _SAYS:
        if re.search(pattern, plain) and (not quoted or kind in ("title", "question_end")):
            return {"kind": kind}
    for kind, pattern, argument in _NAMES if quoted else ():
        if re.search(pattern, plain) and (argument != "letter" or len(quoted[0]) == 1):
            return {"kind": kind, argument: quoted if argument == "words" else quoted[0]}
    return None
