"""A suite and a models.yaml from examples: `harness init`. What stands in them is harness.proposal's doing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.pairs import Pair
from harness.proposal import ABOUT, Proposal
from harness.store import write_json, write_text

_README = """# {name}

Made by `harness init` from {source}: {test} test, {dev} dev, {train} train and {shots} few-shot samples.
The test split was set aside before anything was trained. What was seen and proposed:

{lines}

The primary score is `{scorer}`: {explanation}
What the score does not see: write it here, and put a sharper scorer (`scorer.py:function`) where it matters.
"""

_SUITE = """# Check it with:  harness check {name}
name: {name}
version: 1                # raise it whenever a change moves a score
title: {name}
question: Can the model do {name}?
kind: {teaches:<18}  # skill, style, format, knowledge or general
prompt:
  # The instructions a prompted arm gets. Write them with care: they are what fine-tuning has to beat.
  system: |
    {system}
  template: "{{input}}"
scorers:
{scorers}
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


def project_name(folder: Path) -> str:
    """The suite's name: that of the folder. Raises HarnessError where a project is there already."""
    name = re.sub(r"[^a-z0-9-]+", "-", folder.resolve().name.lower()).strip("-") or "task"
    if (folder / "models.yaml").exists() or (folder / "suites" / name).exists():
        raise HarnessError(f"{folder}: already holds a project. Choose another directory, or remove it.")
    return name


def write_project(folder: Path, source: Path, proposal: Proposal, *, model: str) -> str:
    """Writes FOLDER/models.yaml and FOLDER/suites/NAME/. Nothing is overwritten. Returns what to do next."""
    name = project_name(folder)
    suite = folder / "suites" / name
    for split, rows in proposal.splits.items():
        lines = [_row(f"{name}-{split}-{i:04d}", row, proposal) for i, row in enumerate(rows)]
        write_text(suite / f"{split}.jsonl", "".join(lines))
    counts = {split: len(rows) for split, rows in proposal.splits.items()}
    if proposal.schema is not None:
        write_json(suite / "schema.json", proposal.schema)
    write_text(
        suite / "README.md",
        _README.format(
            name=name,
            source=source.name,
            lines="\n".join(f"- {line}" for line in proposal.lines),
            scorer=proposal.scorer,
            explanation=ABOUT.get(proposal.scorer, "see its docstring."),
            **counts,
        ),
    )
    longest = max(len(row.target) for rows in proposal.splits.values() for row in rows)
    write_text(
        suite / "suite.yaml",
        _SUITE.format(
            name=name,
            teaches=proposal.teaches,
            system=proposal.system.strip().replace("\n", "\n    "),
            scorers=_scorers(proposal),
            max_tokens=min(2048, max(16, 16 * ((longest // 2 + 15) // 16))),
        )
        + _rest(proposal),
    )
    rates = "[1.0e-3, 3.0e-3, 6.0e-3]" if model == "embedded" else "[1.0e-4, 2.0e-4, 5.0e-4]"
    write_text(
        folder / "models.yaml",
        _MODELS.format(name=name, model=json.dumps(model), rates=rates, shots=min(3, counts["shots"])),
    )
    return (
        f"Written: {suite} and {folder / 'models.yaml'}\n"
        f"Next: cd {folder} && harness check && harness train {name}-lora && harness run && harness report runs/{name}"
    )


def _scorers(proposal: Proposal) -> str:
    """The scorers of suite.yaml: the primary one, what stands beside it, and what could."""
    options = f", options: {json.dumps(proposal.options)}" if proposal.options else ""
    lines = [f"{{name: {proposal.scorer}, scorer: {proposal.scorer}, primary: true{options}}}"]
    if proposal.scorer in ("json", "xml"):
        loose = json.dumps({**proposal.options, "values": False})
        lines.append(f"{{name: valid, scorer: {proposal.scorer}, options: {loose}}}    # fits, whatever it says")
    if proposal.rubric:
        lines.append(f"{{name: rubric, scorer: judge, options: {json.dumps({'rubric': proposal.rubric})}}}")
    text = "\n".join(f"  - {line}" for line in lines)
    if proposal.answers == "text" and not proposal.rubric:
        text += "\n  # a column of a model's opinion (docs/writing-a-suite.md):"
        text += '\n  # - {name: rubric, scorer: judge, options: {rubric: "Names the amount, promises nothing."}}'
    return text


def _rest(proposal: Proposal) -> str:
    text = ""
    if proposal.group:
        text += f"cluster: {json.dumps(proposal.group)}    # samples that share its value do not count as independent\n"
    if proposal.constrain:
        text += f"constrain: {json.dumps(proposal.constrain)}    # what an arm with `constrain: true` may write\n"
    return text


def _row(identity: str, pair: Pair, proposal: Proposal) -> str:
    """A line of a split. Where the prompt holds the answer (labels, quotations), the sample is marked `open`."""
    row: dict[str, Any] = {"id": identity, "input": pair.input, "target": pair.target}
    metadata: Mapping[str, Any] = pair.metadata
    if pair.target.strip().lower() in f"{proposal.system}\n{pair.text}".lower():
        metadata = {**metadata, "open": True}
    if metadata:
        row["metadata"] = metadata
    return json.dumps(row, ensure_ascii=False, default=list) + "\n"
