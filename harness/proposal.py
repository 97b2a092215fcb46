"""What a few hundred examples say about the suite to make of them: what the answers are, scorer, split, and its power.

Nothing here asks or writes; `harness init` does. A scorer is proposed only after it was tried on a spread of the
examples: the target must score 1, and an answer that is none, or an echo of the question, 0.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness import words
from harness.certify import NON_ANSWERS, score_of
from harness.check import FULL, NONE
from harness.data import Sample, Scorer, ScorerSpec
from harness.errors import HarnessError, SuiteError, did_you_mean
from harness.pairs import MINIMUM, MOST_TEST, Pair, repeated, split_pairs
from harness.scorers import BUILTIN, load
from harness.scorers.documents import Unreadable, infer, read_json, read_xml
from harness.scorers.text import visible
from harness.stats.power import samples_for_difference, smallest_difference
from harness.suite import KINDS

DETECT = 0.10
"""The difference, 0..1, that is worth having unless somebody says otherwise."""
SPREAD = 0.2**0.5
"""Of the differences where two arms differ on one answer in five, as `harness plan` assumes too."""
HOPELESS = 0.20
"""A test split that shows only differences beyond this decides nothing that is in doubt."""
FEWEST_SOURCES = 10
TRIED = 200
MOST_LABELS, PER_LABEL, MOST_WORDS = 20, 5, 6
MOSTLY = 0.8
_NUMBER = re.compile(r"[-+−]?[$€£]?\s?\d[\d,. ]*(?:[eE][-+]?\d+)?\s?(?:%|[$€£])?")
_SQL = re.compile(
    r"\s*(?:select\b.*\bfrom\b|with\b.*\bas\s*\(|insert\s+into\b|update\b.*\bset\b|delete\s+from\b|create\s+table\b)",
    re.IGNORECASE | re.DOTALL,
)
_SOURCE = re.compile(
    r"(?:.*_)?(?:source|group|doc|document|file|url|user|author|customer|client|account|patient|conversation|thread|"
    r"session|ticket|case|page|article|chapter|speaker|writer)(?:_?(?:id|name|no))?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Kind:
    """What answers may be. scorers: tried in this order. why: for the first. teaches: `kind` of suite.yaml."""

    scorers: tuple[str, ...]
    why: str
    teaches: str
    system: str


ANSWERS = {
    "label": Kind(
        ("exact",),
        "a program reads a label, so it must be that word; case and a final period do not count.",
        "skill",
        "Reply with one of these and nothing else: {labels}.",
    ),
    "json": Kind(
        ("json",),
        "it must be read as it stands, fit schema.json (inferred from the examples: read it) and hold the same values.",
        "format",
        "Reply with one JSON object and nothing else: no explanation, no code fence. Its keys: {keys}.",
    ),
    "xml": Kind(
        ("xml",),
        "it must be read as it stands, fit schema.json (inferred from the examples: read it) and hold the same values.",
        "format",
        "Reply with one XML document and nothing else: no explanation, no code fence. Its root: {keys}.",
    ),
    "sql": Kind(
        ("similarity",),
        "for a start; it sees wording. `sql` compares the rows returned, once you describe your tables.",
        "skill",
        "Reply with one SQL query and nothing else.",
    ),
    "code": Kind(
        ("similarity",),
        "for a start; it sees wording. `python_tests` runs the code, once your samples have tests.",
        "skill",
        "Reply with the code and nothing else.",
    ),
    "number": Kind(
        ("answer", "exact", "similarity"),
        "the same value counts, alone or in a short sentence; another number beside it does not.",
        "skill",
        "Reply with the number and nothing else.",
    ),
    "short": Kind(
        ("answer", "exact", "similarity"),
        "the same fact counts, alone or in a short sentence; a hedge or a second answer does not.",
        "skill",
        "Reply with the answer alone, in a few words.",
    ),
    "text": Kind(
        ("similarity",),
        "no check sees what free text means: chrF compares wording. Write a rubric for a judge, or better a scorer "
        "of your own for what must be right.",
        "skill",
        "Answer as in the examples.",
    ),
}
ABOUT = {
    "exact": "1 if the answer is the target.",
    "json": "1 if the answer fits schema.json and holds the values of the target.",
    "xml": "1 if the answer fits schema.json and holds the values of the target.",
    "answer": "1 if the answer says the target, alone or in a short sentence.",
    "similarity": "chrF closeness to the target, 0..1; it sees wording, not meaning.",
}


@dataclass(frozen=True)
class Wishes:
    """What somebody wants instead of the proposal; None leaves it. detect: 0..1. group: "none" keeps none together."""

    answers: str | None = None
    scorer: str | None = None
    teaches: str | None = None
    system: str | None = None
    group: str | None = None
    rubric: str | None = None
    test: int | None = None
    detect: float = DETECT
    seed: int = 0


@dataclass(frozen=True)
class Proposal:
    """A suite to be. lines: what was seen and what is proposed, and why, for a reader. constrain: for suite.yaml."""

    answers: str
    scorer: str
    options: Mapping[str, Any]
    schema: Mapping[str, Any] | None
    constrain: list[dict[str, Any]] | None
    teaches: str
    system: str
    group: str | None
    rubric: str | None
    splits: Mapping[str, Sequence[Pair]]
    lines: tuple[str, ...] = field(default=())


def propose(pairs: Sequence[Pair], repeats: int = 0, wishes: Wishes | None = None) -> Proposal:
    """The suite that these pairs make. repeats: rows that were left out. Raises SuiteError: too few, unknown names."""
    wishes = wishes or Wishes()
    if len(pairs) < MINIMUM:
        raise SuiteError(
            f"{len(pairs)} different pairs are too few to decide anything; at least {MINIMUM} are needed for a suite, "
            f"about {_whole(wishes.detect)} show a difference of {words.plain_points(wishes.detect)}. Add more."
        )
    for option, value, known in (
        ("--answers", wishes.answers, ANSWERS),
        ("--scorer", wishes.scorer, BUILTIN),
        ("--teaches", wishes.teaches, KINDS),
    ):
        if value is not None and value not in known:
            raise SuiteError(f"{option}: unknown {option[2:]} '{value}'.{did_you_mean(value, known)}")
    seen, seen_lines = look(pairs)
    answers = wishes.answers or (wishes.scorer if wishes.scorer in ("json", "xml") else seen)
    kind = ANSWERS[answers]
    schema = _schema(pairs, answers)
    scorer, options, why = _scorer(pairs, answers, wishes.scorer)
    group = _group(pairs, wishes.group)
    needed = samples_for_difference(SPREAD, wishes.detect) or MOST_TEST
    splits = split_pairs(pairs, wishes.seed, most_test=wishes.test or max(MOST_TEST, needed), group=group)
    labels = list(dict.fromkeys(pair.target for pair in pairs)) if answers == "label" else []
    system = wishes.system or next((pair.system for pair in pairs if pair.system), None)
    keys = list((schema or {}).get("properties", {}))
    constrain: list[dict[str, Any]] | None = None
    if labels:
        constrain = [{"choice": labels}]
    elif schema and answers == "json" and "fenced" not in options:
        constrain = [{"json": "schema.json"}]
    return Proposal(
        answers=answers,
        scorer=scorer,
        options=options,
        schema=schema,
        constrain=constrain,
        teaches=wishes.teaches or kind.teaches,
        system=system or kind.system.format(labels=", ".join(labels), keys=", ".join(keys)),
        group=group,
        rubric=wishes.rubric,
        splits=splits,
        lines=(
            _examples(pairs, repeats),
            *seen_lines,
            f"Scorer: {scorer}: {why}",
            _split(pairs, splits, group, wishes.seed),
            *_power(pairs, splits["test"], group, wishes.detect),
        ),
    )


# --- what the answers are --------------------------------------------------------------------------------------------


def look(pairs: Sequence[Pair]) -> tuple[str, tuple[str, ...]]:
    """(the kind of the answers, what was seen, a line or two)."""
    targets = [pair.target for pair in pairs]
    for name, fits in (("json", _is_json), ("xml", _is_xml), ("sql", _is_sql), ("code", _is_code)):
        wrong = [pair for pair in pairs if not fits(pair.target)]
        if not wrong:
            return name, (f"Answers: {name.upper() if name != 'code' else 'Python'}.",)
        if name in ("json", "xml") and len(wrong) <= len(pairs) * (1 - MOSTLY):
            told = f"{len(pairs) - len(wrong)} of {len(pairs)} are {name.upper()}, but not {wrong[0].where}"
            return "text", (
                f"Answers: {told}{_and_others(wrong)}. Mend or remove what is not, to have all checked as {name}.",
            )
    labels = Counter(" ".join(target.split()).casefold() for target in targets)
    if len(labels) <= MOST_LABELS and len(pairs) >= PER_LABEL * len(labels) and _short(labels, MOST_WORDS):
        common = [f"{label[:30]} {words.percent(n / len(pairs), 0)}" for label, n in labels.most_common(5)]
        more = f", {len(labels) - 5} more" if len(labels) > 5 else ""
        return "label", (
            f"Answers: {words.count(len(labels), 'label')} ({', '.join(common)}{more}). Always saying the commonest "
            f"one scores {words.percent(labels.most_common(1)[0][1] / len(pairs), 0)}.",
        )
    if all(_NUMBER.fullmatch(target.strip()) for target in targets):
        return "number", ("Answers: numbers.",)
    lengths = sorted(len(target.split()) for target in targets)
    if lengths[-1] <= MOST_WORDS:
        return "short", (f"Answers: a few words, at most {lengths[-1]}.",)
    return "text", (f"Answers: free text, {lengths[len(lengths) // 2]} words as a rule, {lengths[-1]} at most.",)


def _short(texts: Mapping[str, int], most: int) -> bool:
    return all(len(text.split()) <= most for text in texts)


def _read(read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(visible(text))
    except Unreadable:
        return None


def _is_json(text: str) -> bool:
    return visible(text)[:1] in ("{", "[") and _read(read_json, text) is not None


def _is_xml(text: str) -> bool:
    return visible(text)[:1] == "<" and _read(read_xml, text) is not None


def _is_sql(text: str) -> bool:
    return bool(_SQL.match(visible(text)))


def _is_code(text: str) -> bool:
    """Python with something in it that no short answer is ("x = 5" is one): a definition, an import, a loop."""
    try:
        body = ast.parse(visible(text)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    slight = ast.Expr | ast.Assign | ast.AnnAssign | ast.Pass | ast.Break | ast.Continue
    return any(not isinstance(node, slight) for node in body) or sum(isinstance(node, ast.Assign) for node in body) > 1


def _and_others(wrong: Sequence[Pair]) -> str:
    return f" and {words.count(len(wrong) - 1, 'other')}" if len(wrong) > 1 else ""


def _schema(pairs: Sequence[Pair], answers: str) -> dict[str, Any] | None:
    if answers not in ("json", "xml"):
        return None
    examples = []
    for pair in pairs:
        found = _read(read_json if answers == "json" else read_xml, pair.target)
        if found is None:
            raise SuiteError(f"{pair.where}: the answer is not {answers.upper()}. Mend or remove it.")
        examples.append(found)
    return infer(examples)


# --- scorer ----------------------------------------------------------------------------------------------------------


def _scorer(pairs: Sequence[Pair], answers: str, wanted: str | None) -> tuple[str, dict[str, Any], str]:
    """(scorer, its options, why): the wanted one, or the first of the kind's that no example speaks against."""
    if wanted:
        return wanted, _options(pairs, wanted, answers), ABOUT.get(wanted, "as you say; its docstring tells more.")
    kind = ANSWERS[answers]
    *first, name = kind.scorers
    why = kind.why
    for one in first:
        why_not = _speaks_against(load(ScorerSpec(one, one, _options(pairs, one, answers)), "."), pairs)
        if not why_not:
            return one, _options(pairs, one, answers), why
        why = f"{ABOUT[kind.scorers[kind.scorers.index(one) + 1]]} ({one} does not do: {why_not}.)"
    return name, _options(pairs, name, answers), why


def _options(pairs: Sequence[Pair], scorer: str, answers: str) -> dict[str, Any]:
    if scorer in ("json", "xml"):
        fenced = any(pair.target.strip() != visible(pair.target) for pair in pairs)
        return {"schema": "schema.json", **({"fenced": True} if fenced else {})}
    return {"ignore_case": True, "ignore_final_period": True} if scorer == "exact" and answers == "label" else {}


def _speaks_against(scorer: Scorer, pairs: Sequence[Pair]) -> str:
    """Where a scorer breaks a law of `harness check` on an even spread of the pairs, "" if nowhere."""
    for pair in pairs[:: max(1, len(pairs) // TRIED)]:
        sample = Sample(pair.where, pair.input, pair.target, metadata=pair.metadata)
        if score_of(scorer, sample, pair.target) < FULL:
            return f"it does not take the answer of {pair.where} for right"
        for name, text in {**NON_ANSWERS, "an echo of the question": pair.text}.items():
            if text.strip() != pair.target.strip() and score_of(scorer, sample, text) > NONE:
                return f"it takes {name} for right at {pair.where}"
    return ""


# --- split and power -------------------------------------------------------------------------------------------------


def columns(pairs: Sequence[Pair]) -> dict[str, int]:
    """The columns that every row has with a text or a number, and how many different values each has."""
    return {
        key: len({str(pair.metadata[key]) for pair in pairs})
        for key in pairs[0].metadata
        if all(isinstance(pair.metadata.get(key), str | int) for pair in pairs)
    }


def _group(pairs: Sequence[Pair], wanted: str | None) -> str | None:
    """The column that says which rows come from one source: the wanted one, or one that is called so."""
    there = columns(pairs)
    if wanted == "none":
        return None
    if wanted is not None:
        if wanted not in there:
            raise HarnessError(f"--group: not every row has a column '{wanted}'.{did_you_mean(wanted, there)}")
        return wanted
    found = [key for key, n in there.items() if _SOURCE.fullmatch(key) and 3 * FEWEST_SOURCES <= n < len(pairs)]
    return found[0] if found else None


def _examples(pairs: Sequence[Pair], repeats: int) -> str:
    answers: dict[str, set[str]] = {}
    for pair in pairs:
        answers.setdefault(json.dumps(pair.input), set()).add(pair.target.strip())
    torn = sum(len(one) > 1 for one in answers.values())
    left_out = f", {words.count(repeats, 'repeated row')} left out" if repeats else ""
    told = f" {words.count(torn, 'question')} with two answers: nobody can get both right." if torn else ""
    return f"Examples: {len(pairs):,} different pairs{left_out}.{told}"


def _split(pairs: Sequence[Pair], splits: Mapping[str, Sequence[Pair]], group: str | None, seed: int) -> str:
    sizes = ", ".join(f"{len(rows)} {split}" for split, rows in splits.items())
    near = repeated(pairs)
    kept = [f"rows of one {group} stay together"] if group else []
    kept += [f"{near:,} near-duplicates stay together, in train"] if near else ["no near-duplicates"]
    few = " Under 30 in dev: the rival of a candidate will be chosen on test." if len(splits["dev"]) < 30 else ""
    return f"Split: {sizes}, drawn with seed {seed}; {'; '.join(kept)}.{few}"


def _power(pairs: Sequence[Pair], test: Sequence[Pair], group: str | None, detect: float) -> list[str]:
    """What the test split can show, and how many more examples it takes where that is too little."""
    sources = len({pair.metadata[group] for pair in test}) if group else len(test)
    n = sources if group else len(test)
    smallest = smallest_difference(SPREAD, n)
    who = f"{len(test)} test samples"
    who += f" of {sources} sources, which count as {sources} if those of one source are alike," if group else ""
    lines = [
        f"Power: {who} show differences from {words.plain_points(smallest, 0)} up, four times in five, where two arms "
        f"differ on one answer in five."
    ]
    if group and sources < FEWEST_SOURCES:
        lines.append(f"TOO SMALL: samples from fewer than {FEWEST_SOURCES} sources give no verdict. Add sources.")
    if smallest > detect:
        needed = samples_for_difference(SPREAD, detect) or 0
        more = words.about(max(1, math.ceil(needed * len(pairs) / n) - len(pairs)))
        start = "TOO SMALL to decide anything that is in doubt" if smallest > HOPELESS else "Too small"
        what = "sources" if group else "test samples"
        lines.append(
            f"{start}: a difference of {words.plain_points(detect)} takes {needed:,} {what}, about {more} more "
            f"examples like these. A report will mostly say: not decided."
        )
    return lines


def _whole(detect: float) -> str:
    """How many pairs a difference takes, at 30 % of them for test."""
    return words.about(math.ceil((samples_for_difference(SPREAD, detect) or 0) / 0.3))
