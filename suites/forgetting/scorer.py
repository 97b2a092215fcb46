"""One scorer for ten families of probes: each is judged as strictly as its question asks for."""

from __future__ import annotations

import ast

from harness.data import Completion, Sample, Score, Scorer
from harness.scorers.choice import choice
from harness.scorers.text import answer, exact, targets, visible

MAX_CODE = 200


def probe(*, suite_path: str) -> Scorer:
    """Judges by metadata `probe`: copying and instructions to the letter, code as a syntax tree, else as an answer."""
    by_probe: dict[str, Scorer] = {
        "arithmetic": answer(suite_path=suite_path, extra_words=8),
        "lists": answer(suite_path=suite_path, extra_words=6),
        "labels": answer(suite_path=suite_path, extra_words=4),
        "copy": exact(suite_path=suite_path, ignore_final_period=True),
        "following": exact(suite_path=suite_path, ignore_final_period=True),
        "code": _code,
        "choice": choice(suite_path=suite_path),
    }
    otherwise = answer(suite_path=suite_path)

    def score(sample: Sample, completion: Completion) -> Score:
        return by_probe.get(str(sample.metadata.get("probe")), otherwise)(sample, completion)

    return score


def _code(sample: Sample, completion: Completion) -> Score:
    """1 if the expression is, white space and quotes aside, the target or one of its aliases."""
    text = visible(completion.text).strip("`").strip()
    if not text or len(text) > MAX_CODE:
        return Score(0.0, text[:MAX_CODE], "no expression" if not text else "too long for one expression")
    tree = _tree(text)
    if tree is None:
        return Score(0.0, text, "not one Python expression")
    hit = tree in [_tree(target) for target in targets(sample)]
    return Score(float(hit), text, "" if hit else f"not the same expression as {sample.target}")


def _tree(text: str) -> str | None:
    try:
        return ast.dump(ast.parse(text, mode="eval"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
