"""The scorers `json` and `xml`: tables of answers that must score 1, and of answers that must score 0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.data import Completion, Sample, ScorerSpec
from harness.errors import SuiteError
from harness.scorers import load
from harness.scorers.documents import infer, read_json, read_xml

JSON = '{"name": "Ada Lund", "total": 4.80, "paid": true, "lines": [{"n": 1}, {"n": 2}], "note": null}'
XML = '<order id="7" day="Mon"><to>Ada &amp; Bo</to><line n="1"/><line n="2">two</line></order>'


def score(folder: Path, kind: str, target: str, answer: str, **options: Any) -> tuple[float, str]:
    schema = infer([read_json(target) if kind == "json" else read_xml(target)])
    (folder / "schema.json").write_text(json.dumps(schema))
    scorer = load(ScorerSpec(kind, kind, {"schema": "schema.json", **options}), str(folder))
    found = scorer(Sample("s", "q", target), Completion(answer))
    return found.value, found.explanation


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (JSON, "the target itself"),
        (f"\n {JSON}\n", "spaces around it"),
        (json.dumps(json.loads(JSON), indent=2, sort_keys=True), "other order of keys, other spacing, 4.8 for 4.80"),
        (JSON.replace("Ada", "\\u0041da"), "an escape"),
        (JSON.replace("4.80", "48e-1"), "another spelling of a number"),
        (JSON.replace('"n": 1', '"n": 1.0'), "a whole number with a point"),
    ],
)
def test_json_that_is_right(tmp_path: Path, answer: str, why: str) -> None:
    assert score(tmp_path, "json", JSON, answer) == (1.0, ""), why


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "empty"),
        ("I am sorry.", "not JSON"),
        (f"Here it is: {JSON}", "not JSON"),
        (f"```json\n{JSON}\n```", "not JSON"),
        (JSON[:-1], "not JSON"),
        (JSON[:-1] + ",}", "not JSON"),
        (JSON.replace('"paid": true', '"paid": true, "paid": true'), "twice"),
        (JSON.replace("4.80", "NaN"), "NaN"),
        (JSON.replace("4.80", "4.81"), "total: 4.81 instead of 4.8"),
        (JSON.replace("true", "1"), "paid"),
        (JSON.replace("true", '"true"'), "paid"),
        (JSON.replace(', "note": null', ""), "'note' is a required property"),
        (JSON.replace("null", 'null, "more": 1'), "unexpected"),
        (JSON.replace('{"n": 1}, {"n": 2}', '{"n": 2}, {"n": 1}'), "lines.0.n: 2 instead of 1"),
        (JSON.replace(', {"n": 2}', ""), "lines"),
        (JSON.replace("Ada Lund", "ada lund"), "name"),
        (f"[{JSON}]", "the whole"),
        (JSON + JSON, "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("1" * 6_000, "not JSON"),
        ("x" * 200_000, "200000 characters"),
    ],
    ids=lambda value: value[:20],
)
def test_json_that_is_wrong(tmp_path: Path, answer: str, why: str) -> None:
    value, explanation = score(tmp_path, "json", JSON, answer)
    assert value == 0.0
    assert why in explanation


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (XML, "the target itself"),
        (f'<?xml version="1.0" encoding="UTF-8"?>\n{XML}', "a declaration"),
        (XML.replace('id="7" day="Mon"', "day='Mon' id='7'"), "other quotes, other order of attributes"),
        (XML.replace("><", ">\n  <"), "spaces between elements"),
        (XML.replace("Ada &amp; Bo", "<![CDATA[ Ada & Bo ]]>"), "CDATA, spaces around a text"),
        (XML.replace('<line n="1"/>', '<line n="1"></line><!-- none -->'), "an empty pair of tags, a comment"),
    ],
)
def test_xml_that_is_right(tmp_path: Path, answer: str, why: str) -> None:
    assert score(tmp_path, "xml", XML, answer) == (1.0, ""), why


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "empty"),
        ("no", "not XML"),
        (XML + XML, "not XML"),
        (XML.replace("&amp;", "&"), "not XML"),
        (XML.replace("two", "tow"), "order.line.1.#text"),
        (XML.replace('id="7"', 'id="8"'), "order.@id"),
        (XML.replace(' day="Mon"', ""), "required"),
        (XML.replace('<line n="1"/>', ""), "order.line"),
        (XML.replace("order", "Order"), "required"),
        (XML.replace("<to>", "<extra/><to>"), "extra"),
        ('<!DOCTYPE a [<!ENTITY b "Ada">]>' + XML.replace("Ada", "&b;"), "DOCTYPE"),
        (XML.replace("Ada", "&nobody;"), "not XML"),
        ("<a>" * 50_000, "characters are no answer"),
        ("<a>" * 5_000, "not XML"),
        (XML.replace("two", "\x00"), "not XML"),
        (XML.replace("two", "\ud800"), "not XML"),
    ],
    ids=lambda value: ascii(value[:20]),
)
def test_xml_that_is_wrong(tmp_path: Path, answer: str, why: str) -> None:
    value, explanation = score(tmp_path, "xml", XML, answer)
    assert value == 0.0
    assert why in explanation


def test_values_false_asks_for_the_form_alone(tmp_path: Path) -> None:
    assert score(tmp_path, "json", JSON, JSON.replace("4.80", "9"), values=False)[0] == 1.0
    assert score(tmp_path, "json", JSON, JSON.replace("4.80", '"9"'), values=False)[0] == 0.0


def test_a_fence_is_forgiven_where_the_suite_says_so(tmp_path: Path) -> None:
    assert score(tmp_path, "json", JSON, f"```json\n{JSON}\n```", fenced=True)[0] == 1.0
    assert score(tmp_path, "json", JSON, f"Here: ```json\n{JSON}\n```", fenced=True)[0] == 0.0


def test_a_schema_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"type": "objekt"}')
    for name in ("bad.json", "missing.json"):
        with pytest.raises(SuiteError, match=rf"{name}: no JSON Schema there"):
            load(ScorerSpec("json", "json", {"schema": name}), str(tmp_path))


def test_a_schema_is_inferred() -> None:
    assert infer([{"a": 1}, {"a": None}, {"a": 2.5}])["properties"] == {"a": {"type": ["null", "number"]}}
    assert infer([{"a": [1, "x"]}, {"a": []}])["properties"] == {
        "a": {"type": "array", "items": {"type": ["integer", "string"]}}
    }
    open_keys = infer([{f"k{i}": i} for i in range(50)])
    assert open_keys == {"type": "object", "additionalProperties": {"type": "integer"}}
