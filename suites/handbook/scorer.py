"""The stale-fact trap as a column of its own: is the answer the rule that no longer holds?"""

from __future__ import annotations

from dataclasses import replace

from harness.data import Completion, Sample, Score, Scorer
from harness.scorers.text import answer


def not_stale(*, suite_path: str) -> Scorer:
    """0 if the text answers with one of the sample's `rivals` (last year's rule, the other circular's), else 1.

    An answer that is merely wrong, or none, scores 1: read it beside the primary score.
    """
    judge = answer(suite_path=suite_path)

    def score(sample: Sample, completion: Completion) -> Score:
        for rival in map(str, sample.metadata.get("rivals", ())):
            if judge(replace(sample, target=rival, metadata={}), completion).value == 1:
                return Score(0.0, completion.text, f"'{rival}' does not hold")
        return Score(1.0, completion.text, "")

    return score
