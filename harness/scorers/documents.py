"""JSON and XML answers: can the text be read as it stands, does it fit a schema, does it hold the target's values?

An XML element is read as a mapping: "@name" for an attribute, a list under the name of each child, "#text" for its
text. So one JSON Schema describes either, and `infer` makes it from examples. Nothing is expanded or fetched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.data import Completion, Sample, Score, Scorer
from harness.errors import SuiteError
from harness.scorers.text import visible

MAX_CHARACTERS = 100_000
OPEN_KEYS = 30
"""A mapping with more different keys than this, most of them rare, holds data in its keys: any key fits."""

Read = Callable[[str], Any]


class Unreadable(Exception):
    """A text that is no such document; the message says why."""


def json_document(*, suite_path: str, schema: str | None = None, values: bool = True, fenced: bool = False) -> Scorer:
    """1 if the text is one JSON value that fits the schema and equals the target; else 0, with the first difference.

    schema: a file of the suite with a JSON Schema. values: false asks for a fitting document, whatever it says. fenced:
    one code fence around the answer is forgiven.
    Free are the order of keys, spacing, escapes and the spelling of numbers (4.8, 4.80). A key that is there twice, NaN
    and a word beside the answer are not. Lists keep their order.
    """
    return _scorer(read_json, suite_path, schema, values, fenced)


def xml_document(*, suite_path: str, schema: str | None = None, values: bool = True, fenced: bool = False) -> Scorer:
    """As `json_document`, for one XML document; the schema describes it as `read_xml` reads it.

    Free are quotes, the order of attributes and of children with different names, comments, and spaces around texts.
    What is not covered: where the text stands between children.
    """
    return _scorer(read_xml, suite_path, schema, values, fenced)


def _scorer(read: Read, suite_path: str, schema: str | None, values: bool, fenced: bool) -> Scorer:
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(_schema(Path(suite_path, schema))) if schema else None

    def score(sample: Sample, completion: Completion) -> Score:
        text = visible(completion.text) if fenced else completion.text.strip()
        if not text or len(text) > MAX_CHARACTERS:
            return Score(0.0, text[:80], "empty answer" if not text else f"{len(text)} characters are no answer")
        why = _judged(read, validator, sample.target if values else None, text, fenced)
        return Score(float(not why), text[:2_000], why[:300])

    return score


def _schema(file: Path) -> dict[str, Any]:
    from jsonschema import Draft202012Validator, SchemaError

    try:
        schema: dict[str, Any] = json.loads(file.read_text("utf-8"))
        Draft202012Validator.check_schema(schema)
    except (OSError, ValueError, SchemaError) as problem:
        reason = problem.message if isinstance(problem, SchemaError) else problem
        raise SuiteError(f"{file}: no JSON Schema there ({reason}). Option `schema` names one.") from None
    return schema


def _judged(read: Read, validator: Any, target: str | None, text: str, fenced: bool) -> str:
    """What is wrong first, "" if nothing."""
    try:
        said = read(text)
        problem = next(validator.iter_errors(said), None) if validator else None
    except Unreadable as unreadable:
        return str(unreadable)
    except RecursionError:
        return "nested too deeply"
    if problem is not None:
        return f"{'.'.join(map(str, problem.absolute_path)) or 'the whole'}: {ascii(problem.message)[1:-1]}"
    return difference(read(visible(target) if fenced else target), said) if target is not None else ""


def read_json(text: str) -> Any:
    """A JSON value by the letter of RFC 8259, every key once. Raises Unreadable."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as problem:
        raise Unreadable(f"not JSON: {problem.msg} at character {problem.pos}") from None
    except (ValueError, RecursionError) as problem:
        raise Unreadable(f"not JSON: {str(problem)[:80]}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise Unreadable("not JSON: a key is there twice")
    return dict(pairs)


def _no_constant(name: str) -> float:
    raise Unreadable(f"not JSON: {name}")


def read_xml(text: str) -> Any:
    """An XML document as a mapping, without entities, DTD or network. Raises Unreadable.

    >>> read_xml('<a n="1"><b>x</b><b/></a>')
    {'a': {'@n': '1', 'b': [{'#text': 'x'}, {}]}}
    """
    from lxml import etree

    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Unreadable("not such XML: a DOCTYPE is not allowed")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except (etree.XMLSyntaxError, ValueError) as problem:
        raise Unreadable(f"not XML: {ascii(str(problem))[1:121]}") from None
    return {str(root.tag): _element(root)}


def _element(node: Any) -> dict[str, Any]:
    found: dict[str, Any] = {f"@{name}": str(value) for name, value in node.attrib.items()}
    for child in node:
        if isinstance(child.tag, str):  # not an entity that was left as it stands
            found.setdefault(child.tag, []).append(_element(child))
    text = " ".join(" ".join([node.text or "", *(child.tail or "" for child in node)]).split())
    return {**found, "#text": text} if text else found


def difference(wanted: Any, said: Any, place: str = "") -> str:
    """The first place where two documents differ, "" where they are equal. True is not 1, and 4.80 is 4.8.

    >>> difference({"a": [1, 2.0]}, {"a": [1, 2]}), difference({"a": [1]}, {"a": [True]})
    ('', 'a.0: true instead of 1')
    """
    if isinstance(wanted, dict) and isinstance(said, dict):
        for key in (*wanted, *said):
            here = f"{place}.{key}".removeprefix(".")[:80]
            if key not in said or key not in wanted:
                return f"{here}: {'missing' if key in wanted else 'not asked for'}"
            if why := difference(wanted[key], said[key], here):
                return why
        return ""
    if isinstance(wanted, list) and isinstance(said, list) and len(wanted) == len(said):
        both = enumerate(zip(wanted, said, strict=True))
        return next((why for i, (a, b) in both if (why := difference(a, b, f"{place}.{i}".removeprefix(".")))), "")
    if isinstance(wanted, bool) == isinstance(said, bool) and wanted == said:
        return ""
    return f"{place or 'the whole'}: {json.dumps(said)[:60]} instead of {json.dumps(wanted)[:60]}"


def infer(examples: Sequence[Any]) -> dict[str, Any]:
    """The JSON Schema of examples: types, keys, which of them are always there; no other keys, no ranges, no lists of
    values.

    >>> infer([{"a": 1}, {"a": 2.5, "b": "x"}])["required"]
    ['a']
    """
    kinds = sorted({_kind(value) for value in examples})
    if "number" in kinds and "integer" in kinds:
        kinds.remove("integer")
    schema: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds}
    mappings = [value for value in examples if isinstance(value, dict)]
    if mappings:
        keys = list(dict.fromkeys(key for one in mappings for key in one))
        if len(keys) > OPEN_KEYS and sum(map(len, mappings)) < len(keys) * len(mappings) / 10:
            return {**schema, "additionalProperties": infer([value for one in mappings for value in one.values()])}
        schema["properties"] = {key: infer([one[key] for one in mappings if key in one]) for key in keys}
        schema["required"] = [key for key in keys if all(key in one for one in mappings)]
        schema["additionalProperties"] = False
    items = [item for value in examples if isinstance(value, list) for item in value]
    return {**schema, "items": infer(items)} if items else schema


def _kind(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")
