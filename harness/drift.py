"""How far an adapter has moved the model on text that has nothing to do with its task: an early warning of forgetting.

The Kullback-Leibler divergence of the adapter's next-token distribution from the base's, KL(base || adapter), in nats,
at several places of neutral texts. Engines give the likeliest tokens only, so the base's 20 likeliest are compared one
by one and the rest as one: a lower bound of the whole divergence, close to it for peaked distributions (data
processing inequality). RL's Razor (Shenfeld et al. 2025, arXiv 2509.04259) finds forgetting predicted by such a
divergence. What is not covered: any loss of ability. A verdict never rests on drift; the general suites measure that.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.data import AdapterRef, Request, Sampling, Suite
from harness.digests import text_digest
from harness.engines import Engine
from harness.errors import SuiteError
from harness.stats.clusters import cluster_error
from harness.stats.paired import student_quantile

FILE = "drift.jsonl"
TOP = 20
PLACES = (0.25, 0.5, 0.75, 1.0)
"""Where in a text the next token is asked for, as shares of its tokens."""


def neutral_texts(suites: Sequence[Suite]) -> list[str]:
    """The texts of drift.jsonl, one {"id", "text"} a line, of the suites of kind general that have it."""
    texts = []
    for suite in suites:
        file = Path(suite.path, FILE)
        if suite.kind != "general" or not file.is_file():
            continue
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    texts.append(str(json.loads(line)["text"]))
                except (ValueError, KeyError, TypeError):
                    raise SuiteError(f'{file}:{number}: not {{"id": ..., "text": ...}}. Correct the line.') from None
    return texts


def measure(
    engine: Engine | None,
    texts: Sequence[str],
    base_digest: str,
    adapters: Mapping[str, AdapterRef],
    known: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, dict[str, Any]]:
    """Per adapter: {"kl": mean in nats, "low", "high": 95 %, "texts", "contexts", "digest"}.

    Contexts on which the engine fails are left out, and adapters with fewer than two texts.
    base_digest: of the base model's content, as run.json has it. known: earlier results per adapter, kept where base,
    adapter and texts are the same (their "digest"); where that is all, there need be no engine.
    """
    identity = {name: _digest(texts, base_digest, ref) for name, ref in adapters.items()}
    left = unmeasured(texts, base_digest, adapters, known or {})
    found = {name: dict(one) for name, one in (known or {}).items() if one.get("digest") == identity.get(name)}
    if left:
        assert engine is not None
        contexts, sources = _contexts(engine, texts)
        base = engine.likeliest(contexts, TOP)
        for name, ref in left.items():
            moved = _divergences(engine, contexts, base, ref)
            values = [value for value in moved if value is not None]
            of = [source for source, value in zip(sources, moved, strict=True) if value is not None]
            if len(set(of)) < 2:
                continue
            error, df = cluster_error(values, of)
            mean, reach = math.fsum(values) / len(values), student_quantile(0.975, df) * error
            found[name] = {
                "kl": round(mean, 5),
                "low": round(max(0.0, mean - reach), 5),
                "high": round(mean + reach, 5),
                "texts": len(set(of)),
                "contexts": len(values),
                "digest": identity[name],
            }
    return found


def unmeasured(
    texts: Sequence[str],
    base_digest: str,
    adapters: Mapping[str, AdapterRef],
    known: Mapping[str, Mapping[str, Any]],
) -> dict[str, AdapterRef]:
    """The adapters that `measure` would ask an engine about."""
    if len(texts) < 2:
        return {}
    measured = {name: known.get(name, {}).get("digest") for name in adapters}
    return {name: ref for name, ref in adapters.items() if measured[name] != _digest(texts, base_digest, ref)}


def divergence(base: Sequence[float], other: Sequence[float]) -> float:
    """KL(base || other) in nats from log-probabilities of the same tokens; what they leave is one further outcome.

    >>> divergence([math.log(0.5)], [math.log(0.5)])
    0.0
    """
    p, q = [math.exp(x) for x in base], [math.exp(x) for x in other]
    rest, other_rest = max(0.0, 1 - math.fsum(p)), max(1e-12, 1 - math.fsum(q))
    parts = [mine * (x - y) for mine, x, y in zip(p, base, other, strict=True)]
    parts.append(rest * math.log(rest / other_rest) if rest > 1e-12 else 0.0)
    return max(0.0, math.fsum(parts))


def _digest(texts: Sequence[str], base_digest: str, ref: AdapterRef) -> str:
    return text_digest(base_digest, ref.digest, list(texts))


def _contexts(engine: Engine, texts: Sequence[str]) -> tuple[list[tuple[int, ...]], list[str]]:
    """Beginnings of the texts as token ids, and the text that each is of."""
    contexts, sources = [], []
    for number, text in enumerate(texts):
        ids = engine.tokenizer.encode(text, add_special_tokens=False)[: engine.max_model_len - 1]
        for length in sorted({math.ceil(share * len(ids)) for share in PLACES} - {0}):
            contexts.append(tuple(ids[:length]))
            sources.append(f"text {number}")
    return contexts, sources


def _divergences(
    engine: Engine,
    contexts: Sequence[tuple[int, ...]],
    base: Sequence[Sequence[tuple[int, float]]],
    ref: AdapterRef,
) -> list[float | None]:
    """Context by context; None where the engine failed."""
    requests = [
        Request(
            str(place), ids, Sampling(max_tokens=1), ref, tuple((t,) for t, _ in top), tuple(str(t) for t, _ in top)
        )
        for place, (ids, top) in enumerate(zip(contexts, base, strict=True))
    ]
    values: list[float | None] = [None] * len(requests)
    for request, said in engine.generate(requests):
        place = int(request.key)
        if said.choice_logprobs:
            values[place] = divergence([logprob for _, logprob in base[place]], said.choice_logprobs)
    return values
