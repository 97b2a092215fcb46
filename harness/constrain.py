"""What an arm with `constrain: true` may write: the JSON Schema, regular expression or choices that its suite declares.

In suite.yaml one rule, or a list of which the first that fits a sample holds:

    constrain:
      - {where: {kind: json}, json: {metadata: schema}}     # the sample's own; or a mapping; or a file: forms/note.json
      - {where: {kind: shell}, regex: "[^\\n]+"}
      - {choice: ["yes", "no"]}                             # or {metadata: options}

A sample that no rule fits is answered freely. The target must be among what may be written (`harness check`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.data import Constraint, ConstraintRule, Sample
from harness.errors import SuiteError
from harness.fields import Fields, describe

KINDS = ("json", "regex", "choice")


def read_rules(value: Any, where: str, folder: Path) -> tuple[ConstraintRule, ...]:
    """`constrain:` of suite.yaml. Raises SuiteError."""
    rules = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(
        _rule(Fields(rule, f"{where}: constrain[{place}]", SuiteError), folder) for place, rule in enumerate(rules)
    )


def _rule(fields: Fields, folder: Path) -> ConstraintRule:
    fields.only(("where", *KINDS))
    kinds = [kind for kind in KINDS if fields.value.get(kind) is not None]
    if len(kinds) != 1:
        raise SuiteError(f"{fields.where}: needs exactly one of {', '.join(KINDS)}.")
    (kind,) = kinds
    given = fields.value[kind]
    fits = json.dumps(fields.get("where", dict, {}), sort_keys=True)
    if isinstance(given, dict) and set(given) == {"metadata"}:
        return ConstraintRule(kind, fits, key=str(given["metadata"]))
    if kind == "json" and isinstance(given, str):
        file = folder / given
        try:
            given = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as problem:
            raise SuiteError(f"{fields.where}.json: {file}: no JSON Schema there ({problem}).") from None
    return ConstraintRule(kind, fits, value=_checked(kind, given, f"{fields.where}.{kind}"))


def constraint_of(rules: Sequence[ConstraintRule], sample: Sample) -> Constraint | None:
    """What a sample's answer is held to; None where no rule fits. Raises SuiteError for metadata that holds none."""
    for rule in rules:
        if all(sample.metadata.get(key) == value for key, value in json.loads(rule.where).items()):
            if rule.key is None:
                return Constraint(rule.kind, rule.value)
            where = f"sample {sample.id}: metadata {rule.key}"
            given = sample.metadata.get(rule.key)
            if rule.kind == "json" and isinstance(given, str):
                try:
                    given = json.loads(given)
                except ValueError:
                    raise SuiteError(f"{where}: is not JSON. Give a JSON Schema.") from None
            return Constraint(rule.kind, _checked(rule.kind, given, where))
    return None


def _checked(kind: str, given: Any, where: str) -> str:
    """The constraint as text: canonical JSON, or the expression."""
    if kind == "regex":
        if not isinstance(given, str):
            raise SuiteError(f"{where}: must be a regular expression, not {describe(given)}.")
        try:
            re.compile(given)
        except re.error as problem:
            raise SuiteError(f"{where}: not a regular expression ({problem}).") from None
        return given
    if kind == "choice":
        if not isinstance(given, list) or not given or not all(isinstance(one, str) and one for one in given):
            raise SuiteError(f"{where}: must be a list of texts, not {describe(given)}.")
        return json.dumps(given)
    import jsonschema

    if not isinstance(given, dict):
        raise SuiteError(f"{where}: must be a JSON Schema, not {describe(given)}.")
    try:
        jsonschema.Draft202012Validator.check_schema(given)
    except jsonschema.SchemaError as problem:
        raise SuiteError(f"{where}: not a JSON Schema ({problem.message}).") from None
    return json.dumps(given)


def allows(constraint: Constraint, text: str) -> bool:
    """Whether the text may be written under the constraint.

    >>> allows(Constraint("choice", '["yes", "no"]'), "yes"), allows(Constraint("regex", "[a-z]+"), "A")
    (True, False)
    """
    if constraint.kind == "regex":
        return re.fullmatch(constraint.value, text) is not None
    if constraint.kind == "choice":
        return text in json.loads(constraint.value)
    import jsonschema

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return bool(jsonschema.Draft202012Validator(json.loads(constraint.value)).is_valid(value))
