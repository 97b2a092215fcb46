"""Where the numbers come from: how adapters were made, what ran, with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from harness.data import Run
from harness.report.charts import loss_curve
from harness.report.text import number, one_line, seconds


@dataclass(frozen=True)
class TrainingCard:
    """How one adapter was made: facts in words, and the curve of the training loss where it was recorded."""

    title: str
    facts: tuple[tuple[str, str], ...]
    curve: Markup | None


def training_cards(run: Run) -> list[TrainingCard]:
    """A card per adapter of the run, from the training.json that its manifest holds."""
    cards = []
    for name, adapter in run.manifest.get("adapters", {}).items():
        train = dict(adapter.get("train") or {})
        facts = [("base model", number(adapter.get("model"))), ("digest", number(adapter.get("digest")))]
        if not train:
            facts.append(("recipe", "not recorded: trained elsewhere"))
        losses = [pair for pair in train.pop("losses", None) or [] if len(pair) == 2]
        for key, value in {**recipe(train), **train}.items():
            if key not in ("recipe", "format", "model"):
                facts.append(
                    (one_line(str(key)).replace("_", " "), seconds(value) if key == "seconds" else _flat(value))
                )
        title = one_line(str(name))
        cards.append(TrainingCard(title, tuple(facts), loss_curve(title, losses) if len(losses) > 1 else None))
    return cards


def recipe(train: Mapping[str, Any]) -> Mapping[str, Any]:
    """The recipe (fields of TrainSpec) of a training card."""
    found = train.get("recipe")
    return found if isinstance(found, Mapping) else {}


def method(run: Run) -> tuple[tuple[str, str], ...]:
    manifest = run.manifest
    facts = [
        ("command", number(manifest.get("command"))),
        ("harness", number(manifest.get("harness"))),
        ("git", _flat(manifest.get("git"))),
        ("engine", _flat(manifest.get("engine", {}))),
        ("hardware", _flat(manifest.get("hardware", {}))),
        ("costs", _flat(manifest.get("costs", {}))),
    ]
    facts += [(f"model {one_line(str(name))}", _flat(about)) for name, about in manifest.get("models", {}).items()]
    for name, about in manifest.get("suites", {}).items():
        scorers = ", ".join(f"{spec.get('name')} ({spec.get('scorer')})" for spec in about.get("scorers", ()))
        identity = f"version {number(about.get('version'))}, digest {number(about.get('digest'))}"
        facts.append((f"suite {one_line(name)}", identity))
        facts.append((f"suite {one_line(name)}: scorers", one_line(scorers, 400)))
        facts.append((f"suite {one_line(name)}: decoding", _flat(about.get("sampling", {}))))
    statistics = (
        "scores: Wilson interval (0/1) or t interval; differences: Tango score interval and mid-p McNemar test (0/1), "
        "or paired t; 95 %, two-sided; samples are paired by content hash"
    )
    return (*facts, ("statistics", statistics))


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{one_line(str(key))} {number(item)}" for key, item in value.items()) or "–"
    return number(value)
