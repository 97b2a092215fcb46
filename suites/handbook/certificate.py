"""Answers whose worth is known: the rule said otherwise, and wrong in one way each."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.data import Sample

UNKNOWN = "I do not know."
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def answers(sample: Sample) -> dict[str, list[str]]:
    """Paraphrases; corruptions: a rule that does not hold, another rule's answer or number, a denial, not knowing."""
    target = sample.target
    if target == UNKNOWN:
        return {
            "paraphrase": ["I don't know.", "The handbook does not say.", "Sorry, I do not know that."],
            "corrupted": [others()[sum(map(ord, sample.id)) % len(others())], "27 days", "Ask Mia Lund.", "Yes."],
        }
    return {
        "paraphrase": [
            f"It is {target}.",
            f"**{target}**",
            target.upper() if target.islower() else target + ".",
            f"According to the handbook, it is {target}.",
            *map(str, sample.metadata.get("aliases", ())),
        ],
        "corrupted": [
            *wrong_numbers(target),
            *last_year(sample),
            *stale(sample),
            UNKNOWN,
            re.sub(r"\bnot ", "", target) if re.search(r"\bnot\b", target) else f"not {target}",
            f"{target} or 99 days",
        ],
    }


def wrong_numbers(target: str) -> list[str]:
    """The target with each number in it made another one."""
    found = [re.sub(r"\d+", lambda m: str(int(m[0]) + 1), target, count=1)] if re.search(r"\d", target) else []
    for word, other in pairwise(NUMBERS):
        if re.search(rf"\b{word}\b", target):
            found.append(re.sub(rf"\b{word}\b", other, target))
            break
    return found


def last_year(sample: Sample) -> list[str]:
    """What the rule was before it changed."""
    return [old for old in before().get(str(sample.metadata["fact"]), []) if old.lower() != sample.target.lower()]


def stale(sample: Sample) -> list[str]:
    """The rule that does not hold, alone, beside the right one, and with the two exchanged."""
    rivals = list(map(str, sample.metadata.get("rivals", ())))
    said = [(f"{old}, no longer {sample.target}", f"{sample.target} or {old}") for old in rivals]
    return [*rivals, *(text for pair in said for text in pair)]


@cache
def before() -> dict[str, list[str]]:
    """Last year's answer to each fact."""
    found: dict[str, list[str]] = {}
    for row in rows("train"):
        if row["target"] not in found.setdefault(row["metadata"]["fact"], []):
            found[row["metadata"]["fact"]].append(row["target"])
    return found


@cache
def others() -> list[str]:
    """Answers to other questions."""
    return sorted({row["target"] for row in rows("dev") if row["target"] != UNKNOWN})


def rows(split: str) -> list[dict[str, Any]]:
    """The rows of a split file."""
    file = Path(__file__).with_name(f"{split}.jsonl")
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]
