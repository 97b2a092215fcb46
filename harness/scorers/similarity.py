"""Closeness of free text to a reference, for tasks without a sharper check: sacrebleu's chrF, rescaled."""

from __future__ import annotations

from harness.data import Completion, Sample, Score, Scorer

MAX_CHARACTERS = 20_000


def similarity(*, suite_path: str, floor: float = 0.3) -> Scorer:
    """A graded scorer: chrF (Popovic 2015, as in sacrebleu, beta 2, n 6) between answer and target.

    floor: the chrF, 0..1, that unrelated text of the same language reaches; it maps to 0, an equal text to 1.
    What is not covered: meaning. A paraphrase scores low and a wrong number scores high; write a sharper scorer
    for anything that matters.
    """
    from sacrebleu.metrics.chrf import CHRF

    metric = CHRF()

    def score(sample: Sample, completion: Completion) -> Score:
        text = completion.text.strip()[:MAX_CHARACTERS]
        if not text:
            return Score(0.0, "", "empty answer")
        chrf = metric.sentence_score(text, [sample.target]).score / 100
        return Score(max(0.0, min(1.0, (chrf - floor) / (1 - floor))), text, f"chrF {chrf:.2f} against the target")

    return score
