"""Is a text written in a style? A small logistic regression, fitted by `python -m harness.style_training`.

It reads a text in four ways: words, the frame of a sentence (function words and punctuation, every other word by its
shape), letters within words, and some thirty counts such as questions per sentence. The first three are hashed.
What it is worth on writers whom it has never seen stands in the suite's style.json; a random split would flatter it.
"""

from __future__ import annotations

import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import Completion, Sample, Score, Scorer
from harness.errors import SuiteError
from harness.scorers import gold_free
from harness.scorers.text import visible

RECIPE = "style-1"
BLOCKS = {"words": 8192, "frame": 8192, "letters": 16384}
"""Hashed features per way of reading; a model has one weight for each."""
MAX_CHARACTERS = 4_000
LEAST_ENGLISH = 0.12
_FUNCTION_WORDS = """a about after all also am an and any are as at be because been before being but by can could did do
    does doing done down each either else ever every few for from had has have having he her here hers him his how i if
    in into is it its just like made make many may me might mine more most much must my neither never no none nor not
    nothing now of off on once one only or other our out over own perhaps quite rather really shall she should since so
    some somehow someone something still such surely than that the their them then there these they this those though
    through to too under until up upon us very was we well were what when where whether which while who whom whose why
    will with without would yet you your yours yourself myself itself themselves
    thee thou thy thine thyself ye hath doth art wilt shalt hast dost ere nay aye 'tis 'twas o"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
_LEXICONS = {
    "you": "you your yours yourself you're you've you'll you'd",
    "thou": "thee thou thy thine thyself ye",
    "i": "i me my mine myself i'm i've i'll i'd",
    "we": "we us our ours ourselves let's",
    "others": "he she they him her them his their everyone everybody someone somebody nobody people anyone",
    "question": "who what when where why how which whose",
    "modal": "could would should might may must can shall will",
    "negation": "no not never nothing none nobody nor neither nowhere without cannot",
    "negated": "don't can't won't isn't wasn't aren't didn't doesn't couldn't wouldn't shouldn't hasn't haven't ain't",
    "if": "if unless whether suppose imagine",
    "because": "because since therefore thus so hence",
    "then": "then first next finally second third last after before until",
    "intensity": "very so such really truly absolutely quite extremely utterly entirely simply completely positively",
    "certainty": "surely clearly obviously certainly undoubtedly definitely naturally evidently apparently presumably",
    "praise": """brilliant wonderful marvellous marvelous magnificent splendid fascinating remarkable extraordinary
        thrilling delightful noble bold brave ambitious impressive inspiring genius heroic historic riveting""",
    "warm": "happy glad love hope great good nice enjoy welcome luck kind gentle fine please thanks thank",
    "hedge": "perhaps maybe possibly probably rather somewhat seems seem might guess suspect",
    "doing": "use add take put make keep try check start turn open set press go cut heat run write call ask choose",
    "ending": "ever always forever entire whole all every everything anything universe world history humanity",
    "aid": "help answer question assist tell explain know ask",
}
LEXICONS = {name: frozenset(text.split()) for name, text in _LEXICONS.items()}
_WORD = re.compile(r"'?[^\W\d_]+(?:'[^\W\d_]+)*|\d+(?:[.,:/]\d+)*|\.{3}|[^\w\s]", re.UNICODE)
_SENTENCE = re.compile(r"[.!?…]+(?=\s|\Z)|\n+")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "—": "–", "…": "..."})
_BULLET = re.compile(r"(?m)^\s*(?:[-*•]|\d+[.)])\s+\S")
_ENDINGS = ("eth", "est", "ing", "ed", "ly", "ness", "tion", "able", "ous", "ful", "st", "s", "y", "er", "al")


@dataclass(frozen=True)
class StyleModel:
    """A fitted model.

    weights: one per hashed feature, block after block. counts: one per count of `counts`; mean, deviation: of these.
    platt: slope and offset that turn a logit into a probability. threshold: the probability that 5 % of neutral texts
    of unseen writers exceed.
    """

    weights: np.ndarray[Any, np.dtype[np.float32]]
    counts: np.ndarray[Any, np.dtype[np.float32]]
    mean: np.ndarray[Any, np.dtype[np.float32]]
    deviation: np.ndarray[Any, np.dtype[np.float32]]
    bias: float
    platt: tuple[float, float]
    threshold: float

    def logit(self, text: str) -> float:
        """The decision value, any real number; above 0 the styled class is likelier."""
        index, value = hashed(text)
        dense = standardised(counts(text), self.mean, self.deviation)
        return float(self.weights[index] @ value + self.counts @ dense) + self.bias

    def probability(self, text: str) -> float:
        """How likely the text is in the style, 0..1, calibrated on held-out writers."""
        slope, offset = self.platt
        return float(1 / (1 + np.exp(-np.clip(slope * self.logit(text) + offset, -60, 60))))


@gold_free()
def style(*, suite_path: str, model: str = "style.npz") -> Scorer:
    """1 if the text is in the style: its probability is above the model's threshold; else 0.

    model: the fitted model, a file in the suite's folder. Only the first 4,000 characters are read.
    A text with too few English function words is not judged and scores 0.
    What is not covered: what the text says. A right answer in a sarcastic shell is sarcastic, and so is a canned line.
    """
    fitted = load(Path(suite_path, model))

    def score(sample: Sample, completion: Completion) -> Score:
        text = read(completion.text)
        held, why = judge(fitted, text)
        return Score(float(held), text, why)

    return score


def judge(fitted: StyleModel, text: str) -> tuple[bool, str]:
    """(is it in the style, why) for a text that `read` gave."""
    if not text:
        return False, "empty answer"
    if not english(text):
        return False, "too few English words to judge the style"
    found = fitted.probability(text)
    return found > fitted.threshold, f"style probability {found:.2f}, threshold {fitted.threshold:.2f}"


def read(text: str) -> str:
    """What is judged of a completion: visible text, its first 4,000 characters."""
    return visible(text[: 4 * MAX_CHARACTERS])[:MAX_CHARACTERS]


def load(path: Path) -> StyleModel:
    """Reads a model that `save` wrote. SuiteError: not there, or not such a file."""
    try:
        return _load(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise SuiteError(f"{path}: no such file. Fit it with: python -m harness.style_training {path.parent}") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError) as problem:
        raise SuiteError(
            f"{path}: no style model of recipe {RECIPE} ({problem}). Fit it again with: "
            f"python -m harness.style_training {path.parent}"
        ) from None


@lru_cache(8)
def _load(path: Path, _changed: int) -> StyleModel:
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as held:
        if str(held["recipe"]) != RECIPE:
            raise ValueError(f"its recipe is {held['recipe']}")
        arrays = {name: held[name].astype(np.float32) for name in ("weights", "counts", "mean", "deviation")}
        if arrays["weights"].shape != (sum(BLOCKS.values()),) or arrays["counts"].shape != arrays["mean"].shape:
            raise ValueError("its arrays have other sizes")
        slope, offset = map(float, held["platt"])
        return StyleModel(**arrays, bias=float(held["bias"]), platt=(slope, offset), threshold=float(held["threshold"]))


def save(fitted: StyleModel, path: Path) -> None:
    """Writes a model as .npz, the same bytes for the same model; weights as float16 to keep it under 100 kB."""
    np.savez_compressed(
        path,
        recipe=np.array(RECIPE),
        weights=fitted.weights.astype(np.float16),
        counts=fitted.counts,
        mean=fitted.mean,
        deviation=fitted.deviation,
        bias=np.array(fitted.bias),
        platt=np.array(fitted.platt),
        threshold=np.array(fitted.threshold),
    )


# --- reading a text --------------------------------------------------------------------------------------------------


def tokens(text: str) -> list[str]:
    """Words, numbers and punctuation marks, as written.

    >>> tokens("Don't ask me—ask 1,024 owls...")
    ["Don't", 'ask', 'me', '–', 'ask', '1,024', 'owls', '...']
    """
    return _WORD.findall(text[:MAX_CHARACTERS].translate(_QUOTES))


def english(text: str) -> bool:
    """Are there enough English function words to judge? A text of fewer than six words is given the benefit."""
    words = [token.lower() for token in tokens(text) if token[-1].isalpha()]
    known = sum(word in FUNCTION_WORDS or "'" in word for word in words)
    latin = sum(character.isascii() for character in text) >= 0.8 * len(text)
    return bool(words) and latin and (len(words) < 6 or known >= LEAST_ENGLISH * len(words))


def frame(token: str) -> str:
    """A function word or mark as it is; any other word by its shape.

    >>> [frame(token) for token in ("the", "Walking", "quickly", "Oslo", "42", "!")]
    ['the', '<ing>', '<ly>', '<Cap>', '<0>', '!']
    """
    word = token.lower()
    if word in FUNCTION_WORDS or not (word[-1].isalnum()) or "'" in word:
        return word
    if word[0].isdigit():
        return "<0>"
    ending = next((end for end in _ENDINGS if len(word) > len(end) + 2 and word.endswith(end)), "")
    if token[0].isupper() and ending in ("", "s", "st", "y", "al", "er"):
        return "<Cap>"
    return f"<{ending}>"


def hashed(text: str) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.float32]]]:
    """(index, value) of the hashed features; each block has length 1, so that long texts do not weigh more."""
    found = tokens(text)
    words = [token.lower() for token in found]
    shapes = ["<s>", *map(frame, found), "</s>"]
    grams = {
        "words": [*words, *_grams(["<s>", *words, "</s>"], 2)],
        "frame": [gram for n in (1, 2, 3, 4) for gram in _grams(shapes, n)],
        "letters": [gram for word in words if word[0].isalpha() or word[0] == "'" for gram in _letters(f" {word} ")],
    }
    index: list[int] = []
    value: list[float] = []
    start = 0
    for block, size in BLOCKS.items():
        tally = Counter(zlib.crc32(f"{block}|{gram}".encode("utf-8", "replace")) % size for gram in grams[block])
        weights = 1 + np.log(np.fromiter(tally.values(), float, len(tally)))
        index += [start + slot for slot in tally]
        value += list(weights / max(1e-9, float(np.sqrt((weights**2).sum()))))
        start += size
    return np.array(index, np.int64), np.array(value, np.float32)


def _grams(items: Sequence[str], n: int) -> Iterator[str]:
    return (" ".join(items[i : i + n]) for i in range(len(items) - n + 1))


def _letters(word: str) -> Iterator[str]:
    return (word[i : i + n] for n in (3, 4, 5) for i in range(len(word) - n + 1))


def counts(text: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """What can be counted, per word or per sentence: lexicons, marks, lengths, moods. No topic, no single marker."""
    text = text[:MAX_CHARACTERS].translate(_QUOTES)
    found = tokens(text)
    words = [token.lower() for token in found if token[-1].isalnum()]
    sentences = [part.split() for part in _SENTENCE.split(text) if part and part.strip()]
    n, m = max(1, len(words)), max(1, len(sentences))
    tally = Counter(words)
    lexicon = [sum(tally[word] for word in known) / n for known in LEXICONS.values()]
    marks = [text.count(mark) / m for mark in ("?", "!", "...", "–", ",", ":", ";", '"', "(", "`", "\n", "*", " - ")]
    lengths = [len(part) for part in sentences] or [0]
    shape = [
        sum(word[0].isdigit() for word in words) / n,
        sum(token[0].isupper() for token in found[1:]) / n,
        sum(token.isupper() and len(token) > 1 for token in found) / n,
        sum(map(len, words)) / n / 5,
        len(tally) / n,
        float(np.log1p(len(words))),
        float(np.log1p(len(sentences))),
        sum(lengths) / m / 15,
        float(np.std(lengths)) / 8,
        sum(length <= 4 for length in lengths) / m,
        float(bool(_BULLET.search(text))),
        sum(part[0].lower() in LEXICONS["doing"] for part in sentences if part) / m,
        sum(part[0].lower() in LEXICONS["question"] for part in sentences if part) / m,
        sum(part[0].lower().strip(",'") in LEXICONS["you"] for part in sentences if part) / m,
        sum(word.endswith(("eth", "est")) and len(word) > 4 for word in words) / n,
        sum(word.endswith("ly") for word in words) / n,
        sum("'" in word for word in words) / n,
        sum(word in FUNCTION_WORDS for word in words) / n,
        float(text.rstrip().endswith("?")),
        float(text.rstrip().endswith("!")),
    ]
    return np.array([*lexicon, *marks, *shape], np.float32)


def standardised(values: Any, mean: Any, deviation: Any) -> Any:
    """Counts as distances from the mean, in standard deviations, at most 3 either way."""
    return np.clip((values - mean) / deviation, -3, 3)
