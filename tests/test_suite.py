from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.check import CheckReport, check_suite
from harness.data import Arm
from harness.errors import SuiteError
from harness.prompt import fill, render
from harness.scorers import load
from harness.suite import read_suite

YAML = """
name: tiny
version: 1
prompt: {system: Be brief., template: "Q: {input}"}
scorers: [{scorer: exact}]
sampling: {max_tokens: 8}
"""


def row(identity: str, text: Any = "2+2?", target: str = "4", **more: Any) -> dict[str, Any]:
    return {"id": identity, "input": text, "target": target, **more}


def make(folder: Path, yaml: str = YAML, **files: list[dict[str, Any]] | str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "suite.yaml").write_text(yaml)
    files.setdefault("test", [row("t1"), row("t2", "3+3?", "6")])
    for name, rows in files.items():
        text = rows if isinstance(rows, str) else "".join(json.dumps(one) + "\n" for one in rows)
        (folder / f"{name}.jsonl").write_text(text)
    return folder


def test_a_suite_is_read(tmp_path: Path) -> None:
    suite = read_suite(make(tmp_path / "tiny", shots=[row("s1", "1+1?", "2")]))
    assert suite.scorers[0].primary
    arm = Arm("a", "m", system=True, shots=1)
    assert [(m["role"], m["content"]) for m in render(suite, arm, suite.test[0])] == [
        ("system", "Be brief."), ("user", "Q: 1+1?"), ("assistant", "2"), ("user", "Q: 2+2?"),
    ]  # fmt: skip


def test_identity_moves_with_what_moves_a_score_and_not_with_training_data(tmp_path: Path) -> None:
    first = read_suite(make(tmp_path / "a")).digest
    assert read_suite(make(tmp_path / "b", train=[row("x", "9?", "9")])).digest == first
    assert read_suite(make(tmp_path / "c", test=[row("t1"), row("t2", "3+3?", "7")])).digest != first
    assert read_suite(make(tmp_path / "d", YAML.replace("Be brief.", "Be long."))).digest != first


def test_order_of_rows_does_not_move_a_sample(tmp_path: Path) -> None:
    one = read_suite(make(tmp_path / "a"))
    two = read_suite(make(tmp_path / "b", test=[row("x2", "3+3?", "6"), row("x1")]))
    assert {sample.digest for sample in one.test} == {sample.digest for sample in two.test}


def test_braces_in_a_question_are_not_expanded() -> None:
    assert fill("{input} {style}", {"input": "{style}", "style": "x"}, "here") == "{style} x"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": []}, "no samples"),
        ({"test": "{"}, "test.jsonl:1: not JSON"),
        ({"test": "[1]"}, "test.jsonl:1: must be a mapping"),
        ({"test": [{"id": "a", "input": "x"}]}, "'target' is missing"),
        ({"test": [{"id": "a", "target": "x"}]}, "'input' is missing"),
        ({"test": [row("a"), row("a")]}, "id 'a' is already used"),
        ({"dev": [row("t1")]}, "id 't1' is already used in test.jsonl"),
        ({"test": [row("a", targets="x")]}, "unknown key 'targets'. Did you mean 'target'?"),
        ({"train": [row("a", target="")]}, "train.jsonl:1"),
        ({"train": [row("a", target=" ")]}, "the completion ('target') is empty"),
        ({"test": [row("a", choices=["5"])]}, "is not one of the choices"),
        ({"test": [row("a", [{"role": "assistant", "content": "x"}])]}, "must end with a user turn"),
        ({"test": [row("a", [{"role": "usr", "content": "x"}])]}, "no role 'usr'"),
        ({"yaml": YAML.replace("name:", "nam:")}, "unknown key 'nam'"),
        ({"yaml": YAML.replace("Q: {input}", "Q:")}, "{input} is missing"),
        ({"yaml": YAML.replace("[{scorer: exact}]", "[]")}, "exactly one must be"),
        ({"yaml": YAML.replace("max_tokens: 8", "max_tokens: many")}, "must be a whole number"),
        ({"yaml": YAML + "kind: skil\n"}, "no kind 'skil'. Did you mean 'skill'?"),
        ({"yaml": YAML + "kind: skill\nkind: style\n"}, "suite.yaml: line 8: the key 'kind' is given twice. Keep"),
        ({"yaml": YAML + "margin: 2026-13-01\n"}, "suite.yaml: not YAML: month must be in 1..12"),
        ({"yaml": YAML + "chance: {all: high}\n"}, "chance.all: must be a number, not text 'high'"),
        ({"yaml": YAML + "chance: {all: 50}\n"}, "chance.all: must be between 0 and 1, not 50"),
        ({"yaml": YAML.replace("max_tokens: 8", 'stop: ""')}, "sampling.stop: holds an empty text"),
        ({"yaml": YAML.replace("name: tiny", "name: ../../x")}, "suite.yaml: name: '../../x' is not a name"),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(SuiteError) as caught:
        read_suite(make(tmp_path / "tiny", **change))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_scorer_is_named_with_a_suggestion(tmp_path: Path) -> None:
    suite = read_suite(make(tmp_path / "tiny", YAML.replace("exact", "exakt")))
    with pytest.raises(SuiteError, match=r"unknown scorer 'exakt'\. Did you mean 'exact'"):
        load(suite.scorers[0], suite.path)


def test_an_unknown_option_of_a_scorer_is_an_error(tmp_path: Path) -> None:
    suite = read_suite(make(tmp_path / "tiny", YAML.replace("{scorer: exact}", "{scorer: exact, options: {nope: 1}}")))
    with pytest.raises(SuiteError, match="nope"):
        load(suite.scorers[0], suite.path)


def test_options_may_be_lists_and_mappings_and_move_the_identity(tmp_path: Path) -> None:
    digests = set()
    for option in ("{}", "[told]", "{seed: [told]}"):
        yaml = YAML.replace("{scorer: exact}", f"{{scorer: python_brevity, options: {{says: {option}}}}}")
        digests.add(read_suite(make(tmp_path, yaml)).digest)
    assert len(digests) == 3


def test_a_template_key_missing_from_a_sample_is_named(tmp_path: Path) -> None:
    suite = read_suite(make(tmp_path / "tiny", YAML.replace("Q: {input}", "{topic}: {input}")))
    with pytest.raises(SuiteError, match=r"template key '\{topic\}' is not in the sample"):
        render(suite, Arm("a", "m"), suite.test[0])


def test_a_suites_own_scorer_is_loaded(tmp_path: Path) -> None:
    folder = make(tmp_path / "tiny", YAML.replace("scorer: exact", "name: mine, scorer: scorer.py:mine"))
    (folder / "scorer.py").write_text(
        "from harness.data import Score\n"
        "def mine(*, suite_path):\n"
        "    return lambda sample, done: Score(1.0, done.text)\n"
    )
    suite = read_suite(folder)
    from harness.data import Completion

    assert load(suite.scorers[0], suite.path)(suite.test[0], Completion("x")).value == 1.0


def test_a_missing_suite_is_named_with_a_suggestion() -> None:
    with pytest.raises(SuiteError, match="Did you mean 'handbook'"):
        read_suite("handbok")


def test_a_long_option_is_no_file(tmp_path: Path) -> None:
    yaml = YAML.replace("{scorer: exact}", f"{{scorer: exact, options: {{told: {'x' * 300}}}}}")
    assert read_suite(make(tmp_path / "tiny", yaml)).scorers[0].options["told"] == "x" * 300


def test_a_samples_own_system_prompt_stands_before_the_worked_examples(tmp_path: Path) -> None:
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "2+2?"}]
    suite = read_suite(make(tmp_path / "tiny", test=[row("t1", turns)], shots=[row("s1", "1+1?", "2")]))
    said = render(suite, Arm("a", "m", system=True, shots=1), suite.test[0])
    assert [message["role"] for message in said] == ["system", "user", "assistant", "user"]
    assert said[0]["content"] == "Be kind."


def test_a_file_that_a_scorer_reads_unnamed_is_noticed(tmp_path: Path) -> None:
    """Only what an option names is part of the digest."""
    folder = make(tmp_path / "tiny", YAML.replace("scorer: exact", "name: mine, scorer: scorer.py:mine"))
    (folder / "scorer.py").write_text(
        "from pathlib import Path\nfrom harness.data import Score\n\n\ndef mine(*, suite_path, style='style.txt'):\n"
        "    told = (Path(suite_path) / style).read_text()\n"
        "    return lambda sample, done: Score(float(done.text == sample.target), told)\n"
    )
    (folder / "style.txt").write_text("x")
    (found,) = [one.message for one in check_suite(read_suite(folder)) if "digest" in one.law]
    assert "scorer.py names style.txt, which is in no scorer's options" in found
    first = read_suite(folder).digest
    yaml = YAML.replace("scorer: exact", "name: mine, scorer: scorer.py:mine, options: {style: style.txt}")
    (folder / "suite.yaml").write_text(yaml)
    second = read_suite(folder).digest
    assert not [one for one in check_suite(read_suite(folder)) if "digest" in one.law]
    (folder / "style.txt").write_text("y")
    assert len({first, second, read_suite(folder).digest}) == 3


def test_a_law_broken_often_is_told_five_times_and_counted(tmp_path: Path) -> None:
    rows = [row(f"t{i}", f"Say number{i} aloud.", f"number{i}") for i in range(8)]
    found = CheckReport((), tuple(check_suite(read_suite(make(tmp_path / "tiny", test=rows)))))
    lines = [line for line in found.as_text().splitlines() if "no prompt contains its target" in line or "more" in line]
    assert len(lines) == 6
    assert lines[-1] == "     tiny: and 3 more of this law; --json lists them"
    assert len([one for one in found.as_dict()["findings"] if one["law"] == "no prompt contains its target"]) == 8
