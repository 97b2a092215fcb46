"""Scorers for live traffic: the built-in ones by their two tables, and the law that none reads a gold answer."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from harness import live, scorers
from harness.data import Completion, Sample, Score, ScorerSpec, Suite
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
            values = [_value(score(bare, Completion(text))) for text in texts]
            again = [_value(score(Sample("x", bare.input, text, metadata=known), Completion(text))) for text in texts]
            assert values == again
            # where somebody is in danger the right answer is out of style; of some things the handbook does not know,
            # and a question in other words may not be near its passage
            plain = one.spec.name in ("style", "knows", "in_handbook")
            assert values[0] is None or values[0] >= 0.5 or plain, (one.spec.name, sample.id)
            assert not values[1]


def _value(found: Score | None) -> float | None:
    return None if found is None else found.value


def _live(name: str, function: str, asked: str, said: str) -> float | None:
    """What a suite's own check of live traffic gives; None where it has nothing to say."""
    suite = read_suite(name, ROOT)
    (spec,) = [one.spec for one in live.live_specs(suite) if one.spec.scorer == f"live.py:{function}"]
    return _value(scorers.load(spec, suite.path)(Sample("live", asked, ""), Completion(said)))


SHOWN = (
    "Use the passages to answer the question.\n\n[1] Leave. Staff get 27 days of leave.\n\nQuestion: How much leave?"
)


@pytest.mark.parametrize(("asked", "said", "value"), [
    (SHOWN, "27 days", 1), (SHOWN, "Staff get 27 days.", 1), (SHOWN, "25 days", 0), (SHOWN, "27 weeks", 0),
    (SHOWN, "", 0), (SHOWN, "I do not know.", None), (SHOWN, "Ask the front desk.", 0),
    ("Within what time must expenses be filed?", "30 days", 1),
    ("Within what time must expenses be filed?", "60 days", 0),
])  # fmt: skip
def test_what_the_handbook_says_nowhere_is_seen(asked: str, said: str, value: float | None) -> None:
    assert _live("handbook", "in_handbook", asked, said) == value


@pytest.mark.parametrize(("said", "value"), [
    ("27 days", 1), ("", 0), ("I don’t know.", 0), ("The handbook does not say.", 0), ("This is not mentioned.", 0),
])  # fmt: skip
def test_a_reply_that_knows_nothing_is_seen(said: str, value: float) -> None:
    assert _live("handbook", "knows", "How much leave?", said) == value


@pytest.mark.parametrize(("asked", "said", "value"), [
    ("Who is it? Use at most three words.", "Mr Hill", 1), ("Who is it? Use at most three words.", "It is Mr Hill", 0),
    ("Keep it under 10 characters, please.", "123456789", 1), ("Keep it under 10 characters.", "1234567890", 0),
    ('Who? Use small letters only. The last line should read "Bye".', "hill\nbye", 1),
    ('Who? Use small letters only. The last line should read "Bye".', "Hill\nbye", 0),
    ('Answer with exactly two bullet points. Open with a title line that reads "Eggs".', "Eggs\n- a\n- b", 1),
    ('Answer with exactly two bullet points. Open with a title line that reads "Eggs".', "Eggs\n- a\n- b\n- c", 0),
    ("Answer in two sentences. Commas are forbidden.", "It is. It was.", 1),
    ("Answer in two sentences. Commas are forbidden.", "It is, yes. It was.", 0),
    ('Do not use the words "old" and "new".', "An old one.", 0), ("No line may be longer than 2 words.", "a b\nc d", 1),
    ("Use at most three words.", "", 0), ("Who is it?", "Hill", None),
])  # fmt: skip
def test_instructions_are_read_from_the_request(asked: str, said: str, value: float | None) -> None:
    assert _live("instructions", "obeyed", asked, said) == value


def test_right_answers_obey_what_is_read_and_four_in_five_instructions_are() -> None:
    suite = read_suite("instructions", ROOT)
    read = scorers.from_file("live.py:instructions", suite.path, "here")
    score = scorers.load(next(one.spec for one in live.live_specs(suite)), suite.path)
    known, seen = 0, 0
    for sample in (*suite.test, *suite.dev):
        assert _value(score(Sample("live", str(sample.input), ""), Completion(sample.target))) == 1, sample.id
        kinds = [check["kind"] for check in sample.metadata["checks"]]
        known, seen = known + len(kinds), seen + len({check["kind"] for check in read(sample.input)} & set(kinds))
    assert seen >= 0.8 * known


CHOICES = "Which of these is food?\nA) bicycle\nB) bread\nAnswer with the letter."
LABELS = "Follow the examples.\ncamel -> animal\nrice -> food\nsoup -> food\npie ->"
LONG = "a b " * 900


@pytest.mark.parametrize(("asked", "said", "value"), [
    (CHOICES, "B", 1), (CHOICES, "B) bread", 1), (CHOICES, "bread", 1), (CHOICES, "C", 0), (CHOICES, "A) bread", 0),
    (CHOICES, "I do not know.", 0), (LABELS, "food", 1), (LABELS, "tool", 0), ("Copy this: 15 barrel", "15 barrel", 1),
    ("Copy this: 15 barrel", "15 barrels", 0), ("Give a Python expression: the length of words.", "len(words)", 1),
    ("Give a Python expression: the length of words.", "len(words", 0),
    ("Give a Python expression: the length of words.", "food", 0), ("What is 45 - 14?", "31", 1),
    ("What is 45 - 14?", "45 - 14 = 31", 1), ("What is 45 - 14?", "59", 0), ("Add 54 and 7.", "61", 1),
    ("Write this list backwards: feather, paddle, velvet", "velvet, paddle, feather", 1),
    ("Write this list backwards: feather, paddle, velvet", "velvet, saddle", 0),
    ("How many items are in this list: market, letter, copper", "3", 1), ("What day follows Sunday?", "Friday", None),
    ("What is 5 minus 9?", "-4", 1), ("What is 5 - 9?", "5 − 9 = −4", 1), ("What is 5 minus 9?", "Minus four.", 1),
    ("What is 5 minus 9?", "4", 0), ("What is 33 - 14?", "-19", 0), ("What is 10 minus 5?", "10 minus 5 is 4.", 0),
    ("What is 999999 plus 1?", "1,000,000", 1), ("What is 56 plus 44?", "One hundred.", None),
    ("What is 20 plus 1?", "Twenty-one", 1), ("What is 9 minus 5?", "The answer is 4 (9-5).", 1),
    ("Which number lies between 3 and 5?", "4", None), ("What is 5 + 6 + 7?", "18", None),
    ("Which war was fought between 1914 and 1918?", "The First World War.", None), ("What is 1.5 + 2?", "3.5", None),
    ("Copy this: " + LONG, LONG.strip(), 1), ("Copy this: " + LONG, LONG[:-8], 0), ("Copy this: a b", '"a b"', 1),
    ("Copy this in French: cat", "chat", None), ("Repeat customers: how do I get more?", "Be kind.", None),
    ("Copy this: " + "a " * 10_001, "a", None), (CHOICES, "The answer is B.", 1), (CHOICES, "b", 1),
    ("Which do you like, and why?\nA) tea\nB) milk", "Tea, as it is warm.", None), (LABELS, "pie -> food", 1),
    ("dog -> chien\ncat -> chat\nhorse ->", "cheval", None),
    ("Explain a regular expression in Python.", "A pattern.", None),
    ("Write a Python expression for the root of 2.", "2 ** 0.5", 1),
    ("Write a Python expression for the sum of x.", "Use `sum(x)`.", 1),
    ("Translate into French: dog, cat, horse", "chien, chat, cheval", None),
    ("Write a story with these: dragon, knight, castle", "Once a dragon met a knight.", None),
    ("What do these share: apple, pear, plum?", "They are fruits.", None),
])  # fmt: skip
def test_the_form_that_a_question_settles(asked: str, said: str, value: float | None) -> None:
    assert _live("forgetting", "form", asked, said) == value


def test_the_suites_that_can_be_monitored() -> None:
    found = {name: [one.spec.name for one in live.live_specs(read_suite(name, ROOT))] for name in all_suites(ROOT)}
    assert {name: names for name, names in found.items() if names} == {
        "cobol": ["loads"],
        "contracts": ["format"],
        "forgetting": ["form"],
        "formats": ["valid_json"],
        "handbook": ["in_handbook", "knows"],
        "instructions": ["obeyed"],
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
