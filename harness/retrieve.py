"""Which passages an arm is given: with `retrieve: k` the best k by Okapi BM25, with `retrieve: gold` the right ones."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.data import Arm, Passage, Sample, Suite
from harness.errors import SuiteError, did_you_mean

_WORD = re.compile(r"\w+")
_STOP_WORDS = """
a an and are as at be by can do does for from get have how i if in is it many may me much must my of on one or our
should that the there this to us was we what when where which who whom why will with would you your
"""
_ASKING = re.compile(r"\bhow (long|far|often|soon|late|early|big|high|large)\b")
_STOP = frozenset(_STOP_WORDS.split())


def words(text: str) -> list[str]:
    """Lower-case content words, plural and verb endings cut so that "claims" meets "claim".

    >>> words("Which claims are paid?")
    ['claim', 'paid']
    >>> words("How long is long service leave?")
    ['long', 'service', 'leave']
    """
    return [_stem(word) for word in _WORD.findall(_ASKING.sub(" ", text.lower())) if word not in _STOP]


def _stem(word: str) -> str:
    for ending in ("ies", "ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


class Retriever:
    """Ranks passages by Okapi BM25 (Robertson and Zaragoza 2009; Lucene's form, k1 1.2, b 0.75) through bm25s.

    Ties keep corpus order, so the same question always gets the same passages.
    """

    def __init__(self, corpus: Sequence[Passage], k1: float = 1.2, b: float = 0.75) -> None:
        import bm25s

        self.corpus = tuple(corpus)
        self._index = bm25s.BM25(k1=k1, b=b)
        self._index.index([words(passage.text) or ["-"] for passage in self.corpus], show_progress=False)

    def top(self, query: str, k: int) -> tuple[Passage, ...]:
        """The k best passages for a query, best first; fewer when the corpus is smaller."""
        known = [word for word in words(query) if word in self._index.vocab_dict]
        if not known:
            return self.corpus[:k]
        scores = self._index.get_scores(known)
        order = sorted(range(len(self.corpus)), key=lambda index: (-float(scores[index]), index))
        return tuple(self.corpus[index] for index in order[:k])


def query(sample: Sample) -> str:
    """What is searched for: the question, or the last turn of a conversation."""
    return sample.input if isinstance(sample.input, str) else sample.input[-1]["content"]


def passages(suite: Suite, arm: Arm, sample: Sample, retriever: Retriever | None) -> tuple[Passage, ...]:
    """What an arm is shown for a sample; nothing where it does not retrieve, or the suite has no corpus.

    An arm with `retrieve: gold` on a sample that names no passages is a SuiteError.
    """
    if arm.retrieve == "gold":
        return gold(suite, arm, sample)
    return retriever.top(query(sample), arm.retrieve) if retriever and arm.retrieve else ()


def gold(suite: Suite, arm: Arm, sample: Sample) -> tuple[Passage, ...]:
    """The passages a sample names in its metadata: `passages`, a list of ids, or `passage`, one id.

    An empty list is for a question that no passage answers: it is asked without any.
    """
    where = f"suite {suite.name}: arm {arm.name}: sample {sample.id}"
    named = sample.metadata.get("passages", sample.metadata.get("passage"))
    named = [named] if isinstance(named, str) else named
    if not suite.corpus or not isinstance(named, list | tuple):
        raise SuiteError(
            f"{where} names no passages for `retrieve: gold`. Add metadata `passages`, a list of ids in corpus.jsonl, "
            f"or leave the arm out with -a."
        )
    known = {passage.id: passage for passage in suite.corpus}
    for name in map(str, named):
        if name not in known:
            raise SuiteError(f"{where}: no passage '{name}' in corpus.jsonl.{did_you_mean(name, known)}")
    return tuple(known[str(name)] for name in named)
