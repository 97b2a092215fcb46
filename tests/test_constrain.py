"""Arms that may write only what the suite allows: declared by the suite, part of the identity, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import KEY, serve
from project import make_project

from harness.check import check_suite
from harness.cli import main
from harness.config import read_config
from harness.constrain import allows, constraint_of, read_rules
from harness.data import Arm, Constraint, Endpoint, Model, Request, Run, Sample, Sampling
from harness.digests import drawn, sampling_parts
from harness.engines import open_engine
from harness.engines.hf import TransformersEngine
from harness.errors import ConfigError, SuiteError
from harness.report import write_report
from harness.runner import run
from harness.suite import read_suite
from harness.tasks import plan

NUMBER = Constraint("regex", "[0-9]+")


def _project(folder: Path, rules: str = 'constrain: {regex: "[0-9]+"}') -> Path:
    """The fake's base wraps every number in words; held to the expression it writes the number alone."""
    file = make_project(folder)
    suite = folder / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text() + rules + "\n")
    rows = [{"prompt": f"What is {i} plus {i + 100}?", "answer": f"It is {2 * i + 100}."} for i in range(40)]
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file.write_text(file.read_text() + "  held: {model: toy, constrain: true}\n")
    return file


def _run(file: Path, out: Path, *names: str) -> Run:
    config = read_config(file)
    return run(config, [read_suite("sums", file.parent)], [config.arms[name] for name in names], out)


def test_a_constrained_arm_writes_only_what_the_suite_allows(tmp_path: Path) -> None:
    done = _run(_project(tmp_path), tmp_path / "run", "base", "held")
    right = {arm: sum(s.score.value for s in done.scores if s.arm == arm) for arm in ("base", "held")}
    assert right == {"base": 0, "held": 40}
    assert done.manifest["arms"]["held"]["constrain"] is True
    assert "constrain" not in done.manifest["arms"]["base"]
    keys = {arm: {row.key for row in done.rows if row.arm == arm} for arm in ("base", "held")}
    assert not keys["base"] & keys["held"]
    assert "constrained output" in write_report([done], tmp_path / "page.html").html.read_text("utf-8")


def test_another_expression_is_another_suite_and_another_identity(tmp_path: Path) -> None:
    first = _run(_project(tmp_path / "a"), tmp_path / "a" / "run", "held")
    second = _run(_project(tmp_path / "b", 'constrain: {regex: "[0-9]"}'), tmp_path / "b" / "run", "held")
    assert first.manifest["suites"]["sums"]["digest"] != second.manifest["suites"]["sums"]["digest"]
    assert not {row.key for row in first.rows} & {row.key for row in second.rows}


def test_a_suite_without_constraints_keeps_its_identity_and_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = _run(_project(tmp_path, ""), tmp_path / "run", "base", "held")
    assert "sums: has no `constrain` in suite.yaml; held answers it freely" in capfd.readouterr().err
    assert {row.key for row in done.rows if row.arm == "held"} == {row.key for row in done.rows if row.arm == "base"}


def test_the_transformers_engine_refuses_in_one_line_before_anything_is_asked(tmp_path: Path) -> None:
    file = _project(tmp_path)
    engine = open_engine(Model("m", "fake"))
    engine.constrains, engine.name = TransformersEngine.constrains, "transformers"
    with pytest.raises(ConfigError, match="the transformers engine cannot hold answers to a schema") as caught:
        list(plan(engine, "", [read_suite("sums", tmp_path)], [read_config(file).arms["held"]], {}))
    assert "\n" not in str(caught.value)


def test_identity_of_free_answers_is_what_it_was() -> None:
    assert sampling_parts(Sampling(max_tokens=8)) == {
        "max_tokens": 8, "temperature": 0.0, "top_p": 1.0, "seed": 0, "stop": (),
    }  # fmt: skip
    held = Sampling(temperature=1.0, samples=2, constraint=NUMBER)
    assert sampling_parts(drawn(held, 1))["constraint"] == {"kind": "regex", "value": "[0-9]+"}


SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


def _rules(value: Any, folder: Path = Path()) -> Any:
    return read_rules(value, "suite.yaml", folder)


def test_the_first_rule_that_fits_a_sample_holds(tmp_path: Path) -> None:
    (tmp_path / "form.json").write_text(json.dumps(SCHEMA))
    rules = _rules(
        [
            {"where": {"kind": "own"}, "json": {"metadata": "schema"}},
            {"where": {"kind": "file"}, "json": "form.json"},
            {"where": {"kind": "list"}, "choice": {"metadata": "options"}},
            {"where": {"kind": "line"}, "regex": "a+"},
        ],
        tmp_path,
    )

    def of(**metadata: Any) -> Constraint | None:
        return constraint_of(rules, Sample("1", "q", "t", metadata=metadata))

    form = Constraint("json", json.dumps(SCHEMA))
    assert of(kind="own", schema=json.dumps(SCHEMA)) == of(kind="own", schema=SCHEMA) == of(kind="file") == form
    assert of(kind="list", options=["x", "y"]) == Constraint("choice", '["x", "y"]')
    assert of(kind="line") == Constraint("regex", "a+")
    assert of(kind="other") is None
    with pytest.raises(SuiteError, match="sample 1: metadata schema: must be a JSON Schema, not nothing"):
        of(kind="own")


@pytest.mark.parametrize(
    ("rule", "says_what"),
    [
        ({"regex": "[", "where": {}}, "not a regular expression"),
        ({"json": {"type": "objekt"}}, "not a JSON Schema"),
        ({"json": "nowhere.json"}, "no JSON Schema there"),
        ({"choice": []}, "must be a list of texts"),
        ({"choice": "yes"}, "must be a list of texts"),
        ({"regex": "a", "choice": ["b"]}, "needs exactly one of json, regex, choice"),
        ({"regexp": "a"}, "unknown key 'regexp'. Did you mean 'regex'"),
        ("json", "must be a mapping"),
    ],
)
def test_a_bad_rule_is_one_line(rule: Any, says_what: str) -> None:
    with pytest.raises(SuiteError, match=rf"^suite\.yaml: constrain\[0\].*{says_what}") as caught:
        _rules(rule)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("constraint", "text", "may"),
    [
        (NUMBER, "12", True),
        (NUMBER, "12.", False),
        (Constraint("json", json.dumps(SCHEMA)), '{"n": 1}', True),
        (Constraint("json", json.dumps(SCHEMA)), '{"n": "1"}', False),
        (Constraint("json", json.dumps(SCHEMA)), "n = 1", False),
        (Constraint("choice", '["a"]'), "b", False),
    ],
)
def test_what_may_be_written(constraint: Constraint, text: str, may: bool) -> None:
    assert allows(constraint, text) is may


def test_check_finds_a_target_that_may_not_be_written(tmp_path: Path) -> None:
    _project(tmp_path, 'constrain: {regex: "[a-z]+"}')
    found = [one for one in check_suite(read_suite("sums", tmp_path)) if one.law == "the target may be written"]
    assert len(found) == 40


def test_a_value_that_is_no_switch_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = _project(tmp_path)
    file.write_text(file.read_text().replace("constrain: true", "constrain: json"))
    assert main(["run", "--config", str(file), "-s", "sums"]) == 2
    assert "arms.held.constrain: must be true or false" in capfd.readouterr().err


def test_every_target_of_the_suite_formats_may_be_written() -> None:
    suite = read_suite("formats")
    found = [(sample, constraint_of(suite.constraints, sample)) for sample in (*suite.test, *suite.dev)]
    assert {one.kind for _, one in found if one} == {"json", "regex"}
    assert all(one is not None and allows(one, sample.target) for sample, one in found)


def test_arm_differs_by_the_dial_alone() -> None:
    assert Arm("a", "m", constrain=True) != Arm("a", "m")


@pytest.mark.parametrize(
    ("constraint", "sent"),
    [
        (NUMBER, {"structured_outputs": {"regex": "[0-9]+"}}),
        (Constraint("choice", '["a", "b"]'), {"structured_outputs": {"choice": ["a", "b"]}}),
        (
            Constraint("json", json.dumps(SCHEMA)),
            {"response_format": {"type": "json_schema",
                                 "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}},
        ),
    ],
)  # fmt: skip
def test_an_endpoint_is_told_the_constraint(
    constraint: Constraint, sent: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serve() as server:
        engine = open_engine(Model("m", "sums", endpoint=Endpoint(server.url)))
        asked = ({"role": "user", "content": "1 plus 2"},)
        list(engine.generate([Request("0", (), Sampling(constraint=constraint), messages=asked)]))
        engine.close()
        (body,) = server.bodies
    assert {key: body[key] for key in sent} == sent
