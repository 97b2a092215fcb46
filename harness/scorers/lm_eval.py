"""lm-eval's own score of its own documents; made from a suite's `lm_eval`, never named by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import scorers
from harness.data import Completion, Sample, Score, Scorer, ScorerSpec
from harness.lmeval.tasks import load, read_settings


def lm_eval(
    *,
    suite_path: str,
    tasks: Sequence[str],
    recipe: Mapping[str, Any],
    own: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Scorer:
    """Scores an lm-eval document as its task does; the suite's other samples as its `own` scorer does.

    tasks and settings: as in suite.yaml. recipe: versions, for the record. own: {"scorer": name, "options": {...}}.
    """
    where = f"{suite_path}/suite.yaml: lm_eval"
    found = load(read_settings({"tasks": list(tasks), **settings}, where), suite_path)
    by_id = {document.sample.id: document for document in found}
    other = scorers.load(ScorerSpec("own", own["scorer"], own["options"]), suite_path) if own else None

    def score(sample: Sample, completion: Completion) -> Score:
        if sample.id in by_id:
            return by_id[sample.id].score(completion)
        if other is None:
            return Score(0.0, completion.text, f"{sample.id} is no document of these tasks")
        return other(sample, completion)

    return score
