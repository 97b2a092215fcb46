"""A suite as somebody else writes one: in a folder of theirs, data in CSV, with their own scorer and certificate."""

from __future__ import annotations

import csv
from pathlib import Path

YAML = """
name: {name}
version: 1
title: Capitals of made-up lands
kind: knowledge
prompt:
  system: Answer with the name of the city, in capital letters.
  template: "{{input}} (year {{year}})"
scorers:
  - {{name: city, scorer: scorer.py:city, primary: true, options: {{capitals: true}}}}
  - {{name: exact, scorer: exact}}
sampling: {{max_tokens: 8}}
data: {{fields: {{id: number, input: question, target: capital, metadata: [year]}}}}
"""
SCORER = """
from harness.data import Completion, Sample, Score


def city(*, suite_path, capitals=False):
    def score(sample: Sample, completion: Completion) -> Score:
        said = completion.text.strip()
        right = said == sample.target.upper() if capitals else said.upper() == sample.target.upper()
        return Score(float(right), said, "right" if right else "another city")

    return score
"""
CERTIFICATE = """
def answers(sample):
    return {"paraphrase": [f" {sample.target} ", f"{sample.target}\\n"], "corrupted": [sample.target[:-1]]}
"""
_SYLLABLES = ("BA", "DE", "FI", "GO", "KU", "LA", "ME", "NI", "PO", "RU", "SA", "TE", "VI", "ZO")


def word(number: int) -> str:
    """A name of its own for every number below 14 ** 3."""
    return "".join(_SYLLABLES[number // 14**place % 14] for place in range(3))


def write_suite(folder: Path, name: str = "capitals") -> Path:
    """Writes the suite into `folder`: 60 test, 20 dev, 100 train, 6 shots; returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "suite.yaml").write_text(YAML.format(name=name), "utf-8")
    (folder / "scorer.py").write_text(SCORER, "utf-8")
    (folder / "certificate.py").write_text(CERTIFICATE, "utf-8")
    start = 0
    for split, count in (("test", 60), ("dev", 20), ("train", 100), ("shots", 6)):
        with (folder / f"{split}.csv").open("w", encoding="utf-8-sig", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["number", "question", "capital", "year", "remark"])
            for i in range(start, start + count):
                rows.writerow(
                    [f"land-{i}", f"What is the capital of {word(i * 3)}?", word(2743 - i), 1800 + i, "made up"]
                )
        start += count
    return folder
