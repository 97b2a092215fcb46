"""A suite and a models.yaml from a file of prompt/completion pairs: `harness init`."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.check import telling_grams
from harness.errors import HarnessError, SuiteError, did_you_mean
from harness.scorers import BUILTIN
from harness.store import write_text

MINIMUM = 30
SHOTS = 6

_README = """# {name}

Made by `harness init` from {source}: {test} test, {dev} dev, {train} train and {shots} few-shot samples.
The test split was set aside before anything was trained. Pairs with nearly the same prompt stay in one split.

The primary score is `{scorer}`: {explanation}
What the score does not see: write it here, and put a sharper scorer (`scorer.py:function`) where it matters.
"""

_SUITE = """# Check it with:  harness check {name}
name: {name}
version: 1                # raise it whenever a change moves a score
title: {name}
question: Can the model do {name}?
kind: skill               # skill, style, format, knowledge or general
prompt:
  # The instructions a prompted arm gets. Write them with care: they are what fine-tuning has to beat.
  system: |
    {system}
  template: "{{input}}"
scorers:
  - {{name: {scorer}, scorer: {scorer}, primary: true}}
sampling: {{max_tokens: {max_tokens}, temperature: 0}}
margin: 0.05              # the loss a gate still calls "no worse"
"""

_MODELS = """# What this project can run. Try:
#   harness check && harness train {name}-lora && harness run && harness report runs/{name}
models:
  base: {{path: {model}}}    # a hub id, a folder, or "embedded", the small model that ships
adapters:
  {name}-lora:
    model: base
    # three candidates, trained together; the best one on dev becomes the adapter
    train: {{suite: {name}, rank: 16, learning_rate: {rates}, epochs: 3, seed: 0}}
arms:    # a list in a dial, e.g. shots: [0, {shots}], is a choice made on dev
  base: {{model: base}}
  prompted: {{model: base, system: true, shots: {shots}}}
  lora: {{model: base, adapter: {name}-lora}}
costs: {{gpu_hour_usd: 2.50, requests_per_month: 100000}}
"""


def init_project(folder: Path, source: Path, *, model: str, scorer: str | None, seed: int) -> str:
    """Writes FOLDER/models.yaml and FOLDER/suites/NAME/. Nothing is overwritten. Returns what to do next."""
    name = re.sub(r"[^a-z0-9-]+", "-", folder.resolve().name.lower()).strip("-") or "task"
    if scorer is not None and scorer not in BUILTIN:
        raise SuiteError(f"--scorer: unknown scorer '{scorer}'.{did_you_mean(scorer, BUILTIN)}")
    if (folder / "models.yaml").exists() or (folder / "suites" / name).exists():
        raise HarnessError(f"{folder}: already holds a project. Choose another directory, or remove it.")
    pairs = read_pairs(source)
    splits = split_pairs(pairs, seed)
    if scorer is None:
        scorer = "exact" if all(len(pair["target"].split()) <= 6 for pair in pairs) else "similarity"
    explanation = {
        "exact": "1 if the answer equals the target, apart from case and spacing.",
        "similarity": "chrF closeness to the target, 0..1; it sees wording, not meaning.",
    }.get(scorer, "see its docstring.")
    system = next((pair["system"] for pair in pairs if pair["system"]), "Answer as in the examples.")
    longest = max(len(pair["target"]) for pair in pairs)
    suite = folder / "suites" / name
    for split, rows in splits.items():
        lines = [_row(f"{name}-{split}-{i:04d}", row) for i, row in enumerate(rows)]
        write_text(suite / f"{split}.jsonl", "".join(lines))
    counts = {split: len(rows) for split, rows in splits.items()}
    write_text(
        suite / "README.md",
        _README.format(name=name, source=source.name, scorer=scorer, explanation=explanation, **counts),
    )
    max_tokens = min(2048, max(16, 16 * ((longest // 2 + 15) // 16)))
    write_text(
        suite / "suite.yaml",
        _SUITE.format(name=name, system=system.strip().replace("\n", "\n    "), scorer=scorer, max_tokens=max_tokens),
    )
    rates = "[1.0e-3, 3.0e-3, 6.0e-3]" if model == "embedded" else "[1.0e-4, 2.0e-4, 5.0e-4]"
    write_text(
        folder / "models.yaml",
        _MODELS.format(name=name, model=json.dumps(model), rates=rates, shots=min(3, counts["shots"])),
    )
    return (
        f"{suite}: {', '.join(f'{count} {split}' for split, count in counts.items())}; scorer {scorer}\n"
        f"Next: cd {folder} && harness check && harness train {name}-lora && harness run && harness report runs/{name}"
    )


def read_pairs(source: Path) -> list[dict[str, Any]]:
    """Pairs of input and target, from {"prompt", "completion"} or {"messages": [...]} ending with the assistant."""
    try:
        lines = source.read_text("utf-8").split("\n")
    except FileNotFoundError:
        raise HarnessError(f"{source}: no such file. Give a JSONL file of prompt/completion pairs.") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise HarnessError(f"{source}: cannot be read as UTF-8 text ({problem}).") from None
    pairs, seen = [], set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{source}:{number}"
        try:
            pair = _pair(json.loads(line), where)
        except json.JSONDecodeError as problem:
            raise SuiteError(
                f"{where}: not JSON: {problem.msg} at column {problem.colno}. One object per line."
            ) from None
        if not pair["target"].strip():
            raise SuiteError(f"{where}: the completion is empty. Remove the row or give its answer.")
        key = json.dumps([pair["input"], pair["target"]])
        if key not in seen:
            seen.add(key)
            pairs.append(pair)
    if len(pairs) < MINIMUM:
        raise SuiteError(
            f"{source}: {len(pairs)} different pairs; at least {MINIMUM} are needed to test and train on. Add more."
        )
    return pairs


def _pair(row: Any, where: str) -> dict[str, Any]:
    if isinstance(row, Mapping) and isinstance(row.get("prompt"), str) and isinstance(row.get("completion"), str):
        return {"input": row["prompt"], "target": row["completion"], "system": None}
    turns = row.get("messages") if isinstance(row, Mapping) else None
    if not isinstance(turns, list) or len(turns) < 2:
        raise SuiteError(f'{where}: needs "prompt" and "completion", or "messages". Add the missing key.')
    for turn in turns:
        if (
            not isinstance(turn, Mapping)
            or not isinstance(turn.get("content"), str)
            or turn.get("role") not in ("system", "user", "assistant")
        ):
            raise SuiteError(f'{where}: a message needs "role" (system, user or assistant) and text "content".')
    if turns[-1]["role"] != "assistant" or turns[-2]["role"] != "user":
        raise SuiteError(f"{where}: messages must end with a user turn and the assistant's answer.")
    system = turns[0]["content"] if turns[0]["role"] == "system" else None
    asked = [{"role": turn["role"], "content": turn["content"]} for turn in (turns[1:-1] if system else turns[:-1])]
    return {
        "input": asked[0]["content"] if len(asked) == 1 else asked,
        "target": turns[-1]["content"],
        "system": system,
    }


def _text(pair: Mapping[str, Any]) -> str:
    asked = pair["input"]
    return asked if isinstance(asked, str) else "\n".join(turn["content"] for turn in asked)


def _row(identity: str, pair: Mapping[str, Any]) -> str:
    """A line of a split. Tasks that quote from their prompt are marked `open`: the answer may stand in the question."""
    row = {"id": identity, "input": pair["input"], "target": pair["target"]}
    if pair["target"].strip().lower() in _text(pair).lower():
        row["metadata"] = {"open": True}
    return json.dumps(row, ensure_ascii=False) + "\n"


def split_pairs(pairs: list[dict[str, Any]], seed: int) -> dict[str, list[dict[str, Any]]]:
    """test 30 % (at most 400), dev 10 % (at most 100), a few shots, train the rest. Near-duplicates stay together.

    Pairs whose prompts share a word 13-gram (one that is not the task's fixed wording) form a group; groups of more
    than one go to train as a whole.
    """
    group = list(range(len(pairs)))
    first: dict[str, int] = {}

    def find(index: int) -> int:
        while group[index] != index:
            group[index] = group[group[index]]
            index = group[index]
        return index

    for index, mine in enumerate(telling_grams([_text(pair) for pair in pairs])):
        for gram in sorted(mine):
            group[find(index)] = find(first.setdefault(gram, index))
    members: dict[int, list[int]] = {}
    for index in range(len(pairs)):
        members.setdefault(find(index), []).append(index)
    single = [rows[0] for rows in members.values() if len(rows) == 1]
    together = [index for rows in members.values() if len(rows) > 1 for index in rows]
    if len(single) < MINIMUM // 2:
        raise SuiteError(
            f"only {len(single)} prompts differ from all others by more than a few words, too few for a test split. "
            f"Vary the prompts, or build the suite by hand (docs/writing-a-suite.md)."
        )
    random.Random(seed).shuffle(single)
    test, dev = min(400, len(pairs) * 3 // 10, len(single) // 2), min(100, len(pairs) // 10, len(single) // 8)
    cuts = {"test": single[:test], "dev": single[test : test + dev], "shots": single[test + dev : test + dev + SHOTS]}
    cuts["train"] = sorted(single[test + dev + SHOTS :] + together)
    return {split: [pairs[index] for index in indices] for split, indices in cuts.items()}
