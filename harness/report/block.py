"""The samples as the page carries them: a small index, and the texts in shards that are unpacked when looked at.

Every block is JSON, gzipped without a clock, in base64: it cannot hold a "<", and the same run gives the same bytes.

Index: {"arms": [name], "suites": [{name, title, candidate, reference}], "shard": n, "keys": [[suite, id, anchor]],
"values": [[score or null per arm]]}; candidate and reference are places in "arms", suite a place in "suites".
Shard: {"texts": [str], "cases": [{q, t, m, a: [[arm, text, finish, tokens, seconds, value, read, why, others, prompt,
passages]]}]}; q, t, text, read, why and the prompt's turns are places in "texts", so that a system prompt is stored
once per shard.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.report.cases import Answer, Case
from harness.report.text import number, one_line, preview

SHARD = 200
"""Samples per shard: small enough to unpack in a blink, large enough that gzip sees the repeated prompts."""


def pack(record: Any) -> str:
    """JSON, gzip, base64; deterministic.

    >>> unpack(pack({"a": ["<script>"]}))
    {'a': ['<script>']}
    """
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0)).decode("ascii")


def unpack(block: str) -> Any:
    """What `pack` packed."""
    return json.loads(gzip.decompress(base64.b64decode(block)))


def index(cases: Sequence[Case], arms: Sequence[str], suites: Sequence[Mapping[str, str | int]]) -> dict[str, Any]:
    """What filters need to know about every sample without unpacking a text."""
    places = {suite["name"]: place for place, suite in enumerate(suites)}
    return {
        "arms": [one_line(arm) for arm in arms],
        "suites": list(suites),
        "shard": SHARD,
        "keys": [[places[one_line(case.suite)], one_line(case.sample), case.anchor] for case in cases],
        "values": [[_rounded(case.value(arm)) for arm in arms] for case in cases],
    }


def shards(cases: Sequence[Case], arms: Sequence[str]) -> list[dict[str, Any]]:
    """The texts of all samples, SHARD samples at a time, invisible characters drawn and long texts cut."""
    return [_shard(cases[start : start + SHARD], arms) for start in range(0, len(cases), SHARD)]


def _shard(cases: Sequence[Case], arms: Sequence[str]) -> dict[str, Any]:
    texts: dict[str, int] = {}

    def place(text: str) -> int:
        return texts.setdefault(text, len(texts))

    def answer(arm: int, given: Answer) -> list[Any]:
        completion, score = given.row.completion, given.primary.score if given.primary else None
        return [
            arm,
            place(completion.text),
            one_line(completion.finish_reason),
            [completion.prompt_tokens, completion.completion_tokens],
            round(completion.seconds, 4),
            _rounded(given.value),
            place(score.answer if score else ""),
            place(score.explanation if score else "not scored"),
            [[one_line(o.scorer), _rounded(o.score.value), one_line(o.score.explanation)] for o in given.others],
            [[one_line(turn["role"]), place(turn["content"])] for turn in given.row.messages],
            [one_line(name) for name in given.row.passages],
        ]

    packed = [
        {
            "q": place(case.question),
            "t": place(case.target),
            "m": [[one_line(str(key)), number(value)] for key, value in case.metadata.items()],
            "a": [answer(place_, case.answers[arm]) for place_, arm in enumerate(arms) if arm in case.answers],
        }
        for case in cases
    ]
    return {"texts": [preview(text) for text in texts], "cases": packed}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
