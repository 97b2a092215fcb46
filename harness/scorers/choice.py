"""Multiple choice: the likeliest choice where the engine measured it, else the one choice that the text names."""

from __future__ import annotations

import re

from harness.data import Completion, Sample, Score, Scorer
from harness.scorers.text import visible, words

MAX_CHARACTERS = 400
_LETTER = re.compile(r"(?<![\w'’])\(?([A-Za-z])(?![\w'’])\)?")
_LEAD = re.compile(r"\A(?:the )?(?:correct |right |best )?(?:answer|choice|option)(?: is)?\s*[:=]?\s*", re.IGNORECASE)


def choice(*, suite_path: str) -> Scorer:
    """1 if the chosen one of `sample.choices` is the target, else 0.

    With log-probabilities the likeliest choice counts; a tie is no choice. Without them the text has to name
    exactly one choice: "B", "(b)", "Answer: B", "B) Paris", or the words of the choice itself.
    """

    def score(sample: Sample, completion: Completion) -> Score:
        logprobs = completion.choice_logprobs
        if logprobs is not None and len(logprobs) == len(sample.choices):
            best = [one for one, value in zip(sample.choices, logprobs, strict=True) if value == max(logprobs)]
            return (
                _score(sample, best[0]) if len(best) == 1 else Score(0.0, "", f"{len(best)} choices are equally likely")
            )
        text = visible(completion.text)
        if not text:
            return Score(0.0, "", "empty answer")
        if len(text) > MAX_CHARACTERS:
            return Score(0.0, text[:80], f"{len(text)} characters name no single choice")
        named = _named(text, sample.choices or (sample.target,))
        if len(named) != 1:
            return Score(0.0, text, "names no choice" if not named else f"names {len(named)} choices")
        return _score(sample, named[0])

    return score


def _score(sample: Sample, picked: str) -> Score:
    hit = picked == sample.target
    return Score(float(hit), picked, "" if hit else f"chose '{picked[:60]}', not '{sample.target[:60]}'")


def _named(text: str, choices: tuple[str, ...]) -> list[str]:
    """The choices that a text names."""
    text = _LEAD.sub("", text.strip())
    same = [one for one in choices if words(one) == words(text) and words(one)] or [
        one for one in choices if one == text
    ]
    if same:
        return same
    if all(len(one) == 1 and one.isalpha() for one in choices):
        first = re.match(r"\(?([A-Za-z])\s*(?:[).:,-]|\Z)", text)
        letters = {match.upper() for match in _LETTER.findall(text) if match.isupper() or len(text) <= 3}
        if first and (first.group(1).isupper() or len(text) <= 3):
            others = letters - {first.group(1).upper(), "A", "I"}
            letters = {first.group(1).upper()} | (others & {one.upper() for one in choices})
        return [one for one in choices if one.upper() in letters]
    said = f" {' '.join(words(text))} "
    return [one for one in choices if words(one) and f" {' '.join(words(one))} " in said]
