"""Does an arm answer the same question twice alike? A few of its questions are asked again after the run: A/A.

Greedy decoding and fixed seeds promise the same answer; other company in a batch can change the last bits of a logit,
and a server may promise nothing. What differs here is noise that no sample size takes away from a single answer.
Bounded: SHARE of an arm's questions, at least FEWEST and at most MOST. The same adapter is not asked the same twice.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from harness.data import Completion, Request
from harness.digests import text_digest
from harness.engines import Engine
from harness.progress import say

SHARE, FEWEST, MOST = 0.05, 8, 32
T = TypeVar("T")


def known(
    asked: Mapping[str, Sequence[tuple[Request, T]]], earlier: Iterable[Mapping[str, Mapping[str, Any]]]
) -> dict[str, dict[str, Any]]:
    """What `measure` has found before of the arms whose very questions it would ask now. earlier: of several runs."""
    digests = {arm: _digest(chosen(arm, questions)) for arm, questions in asked.items()}
    return {
        arm: dict(found[arm])
        for found in reversed(list(earlier))
        for arm, digest in digests.items()
        if (found.get(arm) or {}).get("digest") == digest
    }


def measure(
    engine: Engine,
    asked: Mapping[str, Sequence[tuple[Request, T]]],
    first: Mapping[str, Completion],
    read: Callable[[Request, Completion], Completion],
    score: Callable[[T, Completion], float],
) -> dict[str, dict[str, Any]]:
    """Per arm {"n", "texts", "scores", "digest"}: questions asked again, answers that differ, primary scores that do.

    asked: per arm its requests, and what `score` needs to know of each. first: the answers by request key. read: what
    is done to an engine's answer before it is scored.
    """
    wanted = {arm: chosen(arm, questions) for arm, questions in asked.items()}
    requests = {request.key: request for questions in wanted.values() for request, _ in questions}
    if not requests:
        return {}
    say(f"asking {len(requests)} questions again, to see whether the answers are the same (--no-aa leaves it out)")
    second = {
        request.key: read(request, completion)
        for request, completion in engine.generate(requests.values())
        if completion.finish_reason != "error"
    }
    found: dict[str, dict[str, Any]] = {}
    for arm, questions in wanted.items():
        counts: dict[str, int] = defaultdict(int)
        for request, about in questions:
            before, after = first.get(request.key), second.get(request.key)
            if before is None or after is None or before.finish_reason == "error":
                continue
            counts["n"] += 1
            counts["texts"] += before.text != after.text
            counts["scores"] += before.text != after.text and score(about, before) != score(about, after)
        if counts["n"]:
            found[arm] = {name: counts[name] for name in ("n", "texts", "scores")} | {"digest": _digest(questions)}
    return found


def _digest(questions: Sequence[tuple[Request, T]]) -> str:
    return text_digest([request.key for request, _ in questions])


def chosen(arm: str, questions: Sequence[T]) -> list[T]:
    """The questions that an arm is asked again: always the same ones, spread at random.

    >>> len(chosen("base", range(200))), len(chosen("base", range(5))), len(chosen("base", range(10_000)))
    (10, 5, 32)
    """
    count = min(len(questions), MOST, max(FEWEST, round(SHARE * len(questions))))
    return random.Random(f"again {arm}").sample(list(questions), count)
