"""A small project on the fake engine: 40 sums, a base that knows half of them, an adapter that knows all."""

from __future__ import annotations

import json
from pathlib import Path

MODELS = """
models:
  toy:
    path: fake
    engine: {{answers: {folder}/answers.jsonl, default: "I do not know."{more}}}
adapters:
  tuned: {{model: toy, path: {folder}/tuned}}
arms:
  base: {{model: toy}}
  prompted: {{model: toy, system: true, shots: 1}}
  lora: {{model: toy, adapter: tuned}}
"""
SUITE = """
name: sums
version: 1
prompt: {system: Answer with the number., template: "{input}"}
scorers: [{scorer: exact}]
sampling: {max_tokens: 8}
"""


def make_project(folder: Path, n: int = 40, more: str = "", name: str = "sums") -> Path:
    """Writes models.yaml, suites/NAME, the fake's answers and an adapter folder; returns models.yaml."""
    suite = folder / "suites" / name
    suite.mkdir(parents=True, exist_ok=True)
    (suite / "suite.yaml").write_text(SUITE.replace("sums", name))
    questions = [(f"What is {i} plus {i + 100}?", str(2 * i + 100)) for i in range(n + 60)]
    splits = {"test": questions[:n], "train": questions[n : n + 50], "shots": questions[n + 50 : n + 54]}
    for split, rows in splits.items():
        lines = [json.dumps({"id": f"{split}-{i}", "input": q, "target": a}) for i, (q, a) in enumerate(rows)]
        (suite / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    answers = [{"prompt": q, "answer": a} for q, a in questions[: n // 2]]
    answers += [{"prompt": q, "answer": a, "adapter": "tuned"} for q, a in questions[:n]]
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    (folder / "tuned").mkdir(exist_ok=True)
    (folder / "tuned" / "adapter_config.json").write_text('{"r": 8}')
    file = folder / "models.yaml"
    file.write_text(MODELS.format(folder=folder, more=", " + more if more else ""))
    return file
