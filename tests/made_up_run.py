"""A made-up Run for the tests of the report: five arms, three suites, and a few answers that mean harm."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from typing import Any

from harness.data import Completion, Row, Run, Score, ScoreRow

ARMS: Mapping[str, Mapping[str, Any]] = {
    "base": {"model": "embedded", "adapter": None, "system": False, "shots": 0, "retrieve": 0},
    "prompted": {"model": "embedded", "adapter": None, "system": True, "shots": 4, "retrieve": 0},
    "rag": {"model": "embedded", "adapter": None, "system": True, "shots": 0, "retrieve": 3},
    "lora": {"model": "embedded", "adapter": "staff", "system": False, "shots": 0, "retrieve": 0},
    "lora+rag": {"model": "embedded", "adapter": "staff", "system": False, "shots": 0, "retrieve": 3},
}
RATES = {
    "sql": {"base": 0.16, "prompted": 0.47, "rag": 0.45, "lora": 0.83, "lora+rag": 0.82},
    "handbook": {"base": 0.03, "prompted": 0.05, "rag": 0.77, "lora": 0.34, "lora+rag": 0.81},
    "forgetting": {"base": 0.79, "prompted": 0.80, "rag": 0.79, "lora": 0.72, "lora+rag": 0.71},
}
TITLES = {
    "sql": ("Questions over a schema, answered in SQL", "skill", "Can it turn a question into one correct query?"),
    "handbook": ("The staff handbook", "knowledge", "Does it know this year's rules, some of which changed?"),
    "forgetting": ("General abilities", "general", "Can it still do what it could do before training?"),
}
TOKENS = {"base": 62, "prompted": 338, "rag": 214, "lora": 62, "lora+rag": 201}
PROBES = ("arithmetic", "facts", "lists", "copy", "reading", "code", "following", "choice")
HOSTILE = (
    "</script><script>console.log('harm: script')</script><img src=x onerror=\"console.log('harm: image')\">",
    "<svg onload=alert(1)><!-- </style><style>body{display:none}</style>",
    "\x1b[31mred\x1b[0m \x00 nul \u202eright to left\u202c \u200b zero \ud800 half a pair",
    '"><a href="https://example.org/?q=1" onclick=alert(2)>click</a> ]]> {{ 7 * 7 }} {% raw %}',
    '=HYPERLINK("https://example.org","x")',
    "javascript:alert(3) ${alert(4)} `</textarea><form action=https://example.org><input autofocus onfocus=alert(5)>",
    "long " * 5_000,
)


def _ask(suite: str, number: int, draw: random.Random) -> tuple[str, str, str, dict[str, Any]]:
    """question, target, a wrong answer, metadata"""
    if suite == "sql":
        table, column = (
            draw.choice(["orders", "visits", "invoices", "shifts"]),
            draw.choice(["city", "owner", "status"]),
        )
        word = draw.choice(["Lyon", "Oslo", "Quito", "Turin", "Perth"])
        question = f"Tables:\n{table}(id, {column}, total)\nQuestion: How many {table} have {column} {word}? ({number})"
        right = f"SELECT COUNT(*) FROM {table} WHERE {column} = '{word}'"
        return question, right, right.replace("COUNT(*)", "*"), {"clause": draw.choice(["count", "filter", "group"])}
    if suite == "handbook":
        topic = draw.choice(["annual leave", "sick pay", "parking", "training", "travel"])
        days = draw.randint(5, 40)
        meta = {"changed": draw.choice(["yes", "no", "no", "new"]), "page": number}
        return f"How many days of {topic} does grade {number} get?", f"{days} days", f"{days + 3} days", meta
    a, b = draw.randint(2, 49), draw.randint(2, 49)
    return f"What is {a} + {b}? ({number})", str(a + b), str(a + b + 1), {"probe": PROBES[number % len(PROBES)]}


def _messages(arm: Mapping[str, Any], question: str, retrieved: bool) -> tuple[dict[str, str], ...]:
    turns: list[dict[str, str]] = []
    if arm["system"]:
        turns.append({"role": "system", "content": "Answer in one line and add nothing else."})
    for shot in range(arm["shots"]):
        turns += [
            {"role": "user", "content": f"An earlier question, number {shot}?"},
            {"role": "assistant", "content": f"An earlier answer, number {shot}."},
        ]
    if retrieved:
        passages = "\n".join(f"[{i}] Leave. Passage {i} says something about it." for i in (1, 2, 3))
        question = f"Use the passages to answer the question.\n\n{passages}\n\nQuestion: {question}"
    return (*turns, {"role": "user", "content": question})


def _manifest(samples: int) -> dict[str, Any]:
    train = {
        "format": 1,
        "recipe": {
            "suites": ["sql", "handbook"],
            "rank": 16,
            "alpha": 32,
            "learning_rate": 2.0e-4,
            "epochs": 3.0,
            "retrieve": 0,
        },
        "examples": 1100,
        "steps": 207,
        "tokens": 93_412,
        "trainable_parameters": 290_816,
        "seconds": 412.5,
        "peak_memory_mb": 912,
        "losses": [[step, round(0.2 + 3 / (1 + step / 12), 4)] for step in range(1, 208, 2)],
        "dev_loss": {"before": 3.1, "after": 0.35},
    }
    suites = {
        name: {
            "version": 1,
            "digest": hashlib.sha256(name.encode()).hexdigest()[:16],
            "kind": kind,
            "title": title,
            "question": question,
            "margin": 0.05,
            "chance": {},
            "scorers": [
                {"name": "exact", "scorer": "exact", "options": {}, "primary": True},
                {"name": "brief", "scorer": "brief", "options": {}, "primary": False},
            ],
            "n_test": samples,
            "corpus": name == "handbook",
            "sampling": {"max_tokens": 96, "temperature": 0.0, "top_p": 1.0, "seed": 0, "stop": []},
        }
        for name, (title, kind, question) in TITLES.items()
    }
    return {
        "format": 1,
        "harness": "0.1.0",
        "created": "2026-06-01T12:00:00Z",
        "engine": {"name": "transformers", "version": "4.57.0", "device": "cpu", "threads": 2},
        "hardware": {"cpu": "2 cores", "memory_gb": 24},
        "models": {"embedded": {"path": "embedded", "digest": "0f" * 8}},
        "adapters": {
            "staff": {
                "path": "adapters/staff",
                "digest": "a1" * 8,
                "model": "embedded",
                "train": train,
                "applied": {"max_logprob_difference": 3.4},
            }
        },
        "arms": {name: dict(arm) for name, arm in ARMS.items()},
        "suites": suites,
        "seconds": {name: {arm: samples * TOKENS[arm] / 2400 for arm in ARMS} for name in TITLES},
        "costs": {"gpu_hour_usd": 2.5, "requests_per_month": 100_000},
        "git": "c590615",
        "command": "harness run -s sql -s handbook -s forgetting",
    }


def made_up_run(samples: int = 200, seed: int = 7, suites: tuple[str, ...] = tuple(TITLES)) -> Run:
    """A run of `samples` samples per suite; the same arguments give the same run. Answers 3, 13, 23... are hostile."""
    draw = random.Random(seed)
    manifest = _manifest(samples)
    manifest["suites"] = {name: manifest["suites"][name] for name in suites}
    rows: list[Row] = []
    scores: list[ScoreRow] = []
    for suite in suites:
        for number in range(samples):
            identity = f"{suite}-{number + 1:04d}"
            question, target, wrong, metadata = _ask(suite, number, draw)
            difficulty, digest = draw.random(), hashlib.sha256(f"{suite}{question}".encode()).hexdigest()[:16]
            for name, arm in ARMS.items():
                retrieved = bool(arm["retrieve"]) and suite == "handbook"
                right = 0.7 * difficulty + 0.3 * draw.random() < 0.15 + 0.7 * RATES[suite][name]
                text = target if right else wrong
                if number % 10 == 3 and name in ("prompted", "lora") and not right:
                    text = HOSTILE[(number // 10) % len(HOSTILE)]
                cut = text.startswith("long")
                length = 14 if suite == "sql" else 4
                prompt = TOKENS[name] + len(question) // 4
                completion = Completion(
                    text,
                    prompt,
                    length,
                    "length" if cut else "stop",
                    round(0.04 + 0.02 * draw.random() + prompt / 9e3, 4),
                )
                messages = _messages(arm, question, retrieved)
                passages = ("leave-1", "leave-2", "leave-3") if retrieved else ()
                key = hashlib.sha256(f"{identity}{name}".encode()).hexdigest()[:16]
                rows.append(
                    Row(suite, name, identity, digest, key, messages, completion, target, metadata, passages, False)
                )
                why = "the same" if right else f"expected {target!r}"
                scores.append(ScoreRow(suite, name, identity, "exact", True, Score(float(right), text[:200], why)))
                brief = Score(1.0 if len(text) < 90 else 0.0, "", f"{len(text)} characters")
                scores.append(ScoreRow(suite, name, identity, "brief", False, brief))
    return Run("runs/made-up", manifest, tuple(rows), tuple(scores))
