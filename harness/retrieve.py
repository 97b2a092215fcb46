"""Which passages a `retrieve: k` arm is given: Okapi BM25 over the suite's corpus."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from harness.data import Passage, Sample

_WORD = re.compile(r"\w+")
_STOP = frozenset(
    "a an and are as at be by can do does for from get have how i if in is it many may me much must my of on one or our "
    "should that the there this to us was we what when where which who whom why will with would you your".split()
)


def words(text: str) -> list[str]:
    """Lower-case content words, plural and verb endings cut so that "claims" meets "claim".

    >>> words("Which claims are paid?")
    ['claim', 'paid']
    """
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP]


def _stem(word: str) -> str:
    for ending in ("ies", "ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


class Retriever:
    """Ranks passages by Okapi BM25 (Robertson and Zaragoza 2009; k1 1.2, b 0.75). Ties keep corpus order."""

    def __init__(self, corpus: Sequence[Passage], k1: float = 1.2, b: float = 0.75) -> None:
        self.corpus = tuple(corpus)
        counts = [Counter(words(passage.text)) for passage in self.corpus]
        mean = sum(count.total() for count in counts) / max(1, len(counts)) or 1.0
        df = Counter(word for count in counts for word in count)
        self._postings: dict[str, list[tuple[int, float]]] = {}
        for index, count in enumerate(counts):
            norm = k1 * (1 - b + b * count.total() / mean)
            for word, tf in count.items():
                idf = math.log(1 + (len(counts) - df[word] + 0.5) / (df[word] + 0.5))
                self._postings.setdefault(word, []).append((index, idf * tf * (k1 + 1) / (tf + norm)))

    def top(self, query: str, k: int) -> tuple[Passage, ...]:
        """The k best passages for a query, best first; fewer when the corpus is smaller."""
        scores = [0.0] * len(self.corpus)
        for word in set(words(query)):
            for index, gain in self._postings.get(word, ()):
                scores[index] += gain
        order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
        return tuple(self.corpus[index] for index in order[:k])


def query(sample: Sample) -> str:
    """What is searched for: the question, or the last turn of a conversation."""
    return sample.input if isinstance(sample.input, str) else sample.input[-1]["content"]
