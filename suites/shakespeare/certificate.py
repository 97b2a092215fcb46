"""What the primary scorer is proven on: for a test sample, other right answers and answers with one defect each.

The generator writes them to answers.jsonl. Right: other words for the same facts, alone and in frames that no gold has.
Wrong: a modern answer with every fact, the same with old words pasted on, the voice without the fact, with a wrong fact
or undecided between two, and the answer to another question; for a crisis, the voice, and soothing without help.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any


def answers(sample: Any) -> Mapping[str, Sequence[str]]:
    """{"paraphrase": [...], "corrupted": [...]} of a test sample."""
    return {kind: texts for kind, texts in _known()[sample.id].items() if kind != "id"}


@cache
def _known() -> dict[str, dict[str, Any]]:
    lines = Path(__file__).with_name("answers.jsonl").read_text("utf-8").splitlines()
    return {str(row["id"]): row for row in map(json.loads, lines)}
