"""Runs made in memory for the tests of the decision layer: arms and their scores in, a Run out."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.data import Completion, Row, Run, Score, ScoreRow

ARMS: dict[str, dict[str, Any]] = {
    "base": {"model": "m", "adapter": None, "system": False, "shots": 0, "retrieve": 0},
    "prompted": {"model": "m", "adapter": None, "system": True, "shots": 4, "retrieve": 0},
    "rag": {"model": "m", "adapter": None, "system": True, "shots": 0, "retrieve": 4},
    "lora": {"model": "m", "adapter": "a", "system": False, "shots": 0, "retrieve": 0},
    "lora+rag": {"model": "m", "adapter": "a", "system": True, "shots": 0, "retrieve": 4},
    "ceiling": {"model": "m", "adapter": None, "system": True, "shots": 0, "retrieve": "gold"},
    "lora+ceiling": {"model": "m", "adapter": "a", "system": True, "shots": 0, "retrieve": "gold"},
    "bigger": {"model": "m7", "adapter": None, "system": True, "shots": 4, "retrieve": 0},
}
TOKENS = {"base": 20, "prompted": 400, "rag": 600, "lora": 20, "lora+rag": 600, "bigger": 400}
Scores = Mapping[str, Mapping[str, Sequence[float | None]]]


def make_run(
    scores: Scores,
    *,
    path: str = "runs/r",
    kinds: Mapping[str, str] | None = None,
    probes: Mapping[str, Sequence[str]] | None = None,
    chance: Mapping[str, Any] | None = None,
    suite: Mapping[str, Any] | None = None,
    extra: Mapping[str, Scores] | None = None,
    shuffle: int | None = None,
    metadata: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    prompt: str = "",
    **manifest: Any,
) -> Run:
    """scores: suite -> arm -> one score per sample, None for a sample without an answer.

    kinds: suite -> kind ("skill"). probes: suite -> probe per sample. suite: overrides in every suite's entry.
    metadata: suite -> metadata per sample. prompt: what every sample was asked.
    extra: scorer -> suite -> arm -> scores, besides the primary scorer "match". shuffle: seed for the rows' order.
    """
    others = extra or {}
    rows: list[Row] = []
    found: list[ScoreRow] = []
    suites: dict[str, dict[str, Any]] = {}
    for name, arms in scores.items():
        size = max(len(values) for values in arms.values())
        scorers = [{"name": "match", "scorer": "exact", "options": {}, "primary": True}]
        scorers += [{"name": s, "scorer": s, "options": {}, "primary": False} for s in others if name in others[s]]
        suites[name] = {
            "version": 1,
            "digest": f"digest-{name}",
            "kind": (kinds or {}).get(name, "skill"),
            "title": name,
            "question": "",
            "margin": 0.05,
            "chance": (chance or {}).get(name, {}),
            "scorers": scorers,
            "n_test": size,
            "corpus": False,
            "sampling": {"max_tokens": 96, "temperature": 0.0},
        } | dict(suite or {})
        for arm, values in arms.items():
            for i, value in enumerate(values):
                if value is None:
                    continue
                sample = f"{name}-{i:04d}"
                about = {"probe": probes[name][i]} if probes and name in probes else {}
                about |= metadata[name][i] if metadata and name in metadata else {}
                asked = ({"role": "user", "content": prompt},)
                completion = Completion("text", TOKENS.get(arm, 50), 10, "stop", 0.1)
                rows.append(Row(name, arm, sample, f"h-{sample}", f"{arm}-{sample}", asked, completion, "x", about))
                found.append(ScoreRow(name, arm, sample, "match", True, Score(float(value))))
                for scorer, other in others.items():
                    if name in other:
                        found.append(ScoreRow(name, arm, sample, scorer, False, Score(float(other[name][arm][i] or 0))))
    if shuffle is not None:
        random.Random(shuffle).shuffle(rows)
        random.Random(shuffle + 1).shuffle(found)
    names = list(dict.fromkeys(arm for arms in scores.values() for arm in arms))
    content: dict[str, Any] = {
        "format": 1,
        "harness": "0.1.0",
        "engine": {"name": "fake", "version": "1"},
        "models": {"m": {"path": "m", "digest": "m"}, "m7": {"path": "m7", "digest": "m7"}},
        "adapters": {"a": {"path": "a", "digest": "a", "model": "m", "train": {"seconds": 3600.0}}},
        "arms": {name: ARMS.get(name, ARMS["base"]) for name in names},
        "suites": suites,
        "seconds": {},
        "costs": {"gpu_hour_usd": None, "requests_per_month": None},
    }
    return Run(path, content | manifest, tuple(rows), tuple(found))


def failed(run: Run, suite: str, *arms: str) -> Run:
    """The run with every answer of these arms on a suite failed by the engine, and not scored."""
    gone = {(suite, arm) for arm in arms}
    error = Completion("", finish_reason="error")
    return replace(
        run,
        rows=tuple(replace(row, completion=error) if (row.suite, row.arm) in gone else row for row in run.rows),
        scores=tuple(score for score in run.scores if (score.suite, score.arm) not in gone),
    )


def right(n: int, of: int, start: int = 0) -> list[float]:
    """`of` scores with n ones in a row from position `start` (wrapping round)."""
    scores = [0.0] * of
    for i in range(n):
        scores[(start + i) % of] = 1.0
    return scores
