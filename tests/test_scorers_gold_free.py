"""Scorers for live traffic: the built-in ones by their two tables, and the law that none reads a gold answer."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from harness import live, scorers
from harness.data import Completion, Sample, ScorerSpec, Suite
from harness.errors import SuiteError
from harness.suite import all_suites, read_suite

ROOT = Path(__file__).parent.parent
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
CODE = "```python\ndef f(x):\n    return x\n```\n"


def _score(name: str, text: str, suite_path: str = ".", metadata: object = None, **options: object) -> float:
    scorer = scorers.load(ScorerSpec(name, name, options), suite_path)
    return scorer(Sample("s", "q", "", metadata={"schema": metadata}), Completion(text)).value


@pytest.mark.parametrize("text", [CODE, "def f(x):\n    return x", f"Here it is:\n{CODE}It gives x back."])
def test_python_that_loads(text: str) -> None:
    assert _score("python_loads", text) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot help with that.",
        "```python\ndef f(x) return x\n```",
        "```python\ndef f(x):\n    return x",
        "```python\nimport nowhere\ndef f(x):\n    return x\n```",
        "```python\ndef f(x):\n    return x\nwhile True:\n    pass\n```",
        "```python\ndef f(x):\n    return x\nraise SystemExit\n```",
    ],
)
def test_python_that_does_not_load(text: str) -> None:
    assert _score("python_loads", text) == 0


@pytest.mark.parametrize(("text", "value"), [
    ("SELECT title FROM books", 1),
    ("```sql\nSELECT count(*) FROM books;\n```", 1),
    ("", 0), ("I do not know.", 0), ("SELECT nothing FROM nowhere", 0), ("SELECT FROM", 0), ("DROP TABLE books", 0),
    ("SELECT title FROM books; DELETE FROM books", 0),
])  # fmt: skip
def test_a_query_runs_on_the_tables_of_its_suite(text: str, value: float, tmp_path: Path) -> None:
    (tmp_path / "db.json").write_text('{"library": {"books": {"id": "key", "title": {"text": ["A", "B"]}}}}')
    assert _score("sql_runs", text, str(tmp_path), databases="db.json") == value


@pytest.mark.parametrize(("text", "schema", "value"), [
    ('{"n": 3}', SCHEMA, 1), (' {"n": 3}\n', '{"type": "object"}', 1), ("<think>hm</think>{}", {}, 1),
    ("", SCHEMA, 0), ('{"n": "3"}', SCHEMA, 0), ("{}", SCHEMA, 0), ('```json\n{"n": 3}\n```', SCHEMA, 0),
    ('Sure: {"n": 3}', SCHEMA, 0), ('{"n": 3}', {"type": 5}, 0), ('{"n": 3}', "no schema", 0),
    ("[" * 60_000, SCHEMA, 0),
    ('{"n": 3}', {"$ref": "http://127.0.0.1:9/schema"}, 0), ('"a"', {"pattern": "("}, 0),
])  # fmt: skip
def test_json_validates_against_the_schema_that_was_asked_for(text: str, schema: object, value: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # jsonschema warns where it is about to fetch
        assert _score("json_schema", text, metadata=schema) == value


@pytest.mark.parametrize("name", all_suites(ROOT))
def test_scorers_for_live_traffic_read_no_gold_answer(name: str) -> None:
    """The same value, whatever the target and the rest of the metadata are."""
    suite = read_suite(name, ROOT)
    for one in live.live_specs(suite):
        score = scorers.load(one.spec, suite.path)
        for sample in suite.dev[:6]:
            known = {key: sample.metadata.get(key) for key in (*one.needs, *one.where)}
            if any(known[key] != value for key, value in one.where.items()) or None in known.values():
                continue
            bare = Sample("live", str(sample.input), "", metadata=known)
            texts = (sample.target, "", "I'm sorry, I cannot help with that.")
            values = [score(bare, Completion(text)).value for text in texts]
            again = [score(Sample("x", bare.input, text, metadata=known), Completion(text)).value for text in texts]
            assert values == again
            plain = one.spec.name == "style"  # where somebody is in danger the right answer is out of style
            assert values[0] >= 0.5 or plain, (one.spec.name, sample.id)
            assert values[1] == 0


def test_the_suites_that_can_be_monitored() -> None:
    found = {name: [one.spec.name for one in live.live_specs(read_suite(name, ROOT))] for name in all_suites(ROOT)}
    assert {name: names for name, names in found.items() if names} == {
        "cobol": ["loads"],
        "contracts": ["format"],
        "formats": ["valid_json"],
        "palindrome": ["brevity", "markdown", "loads"],
        "sarcasm": ["style"],
        "shakespeare": ["style"],
        "soap": ["format", "format_loose"],
        "sql": ["runs"],
    }


def _suite(folder: Path, monitor: str) -> Suite:
    (folder / "test.jsonl").write_text('{"id": "1", "input": "a", "target": "b"}\n')
    (folder / "suite.yaml").write_text(f"name: x\nversion: 1\nscorers: [{{scorer: exact}}]\nmonitor: {monitor}\n")
    return read_suite(folder)


def test_what_a_suite_monitors_is_no_part_of_its_identity(tmp_path: Path) -> None:
    assert _suite(tmp_path, "[exact]").digest == _suite(tmp_path, "[]").digest


@pytest.mark.parametrize(
    ("monitor", "says"),
    [
        ("[exat]", r"monitor\[0\]: no scorer 'exat'. Did you mean 'exact'"),
        ("[{scorer: judge}]", r"monitor\[0\]: a judge asks a model"),
        ("[{scorer: exact, prime: true}]", "unknown key 'prime'"),
        ("[exact, exact]", "two have the same name"),
        ("exact", "must be a list"),
    ],
)
def test_mistakes_in_monitor_are_named(tmp_path: Path, monitor: str, says: str) -> None:
    with pytest.raises(SuiteError, match=says):
        _suite(tmp_path, monitor)
