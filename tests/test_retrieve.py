"""Passages: those an arm with `retrieve: k` finds, and those that `retrieve: gold` is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from project import make_project

from harness.check import check_all
from harness.config import read_config
from harness.data import Arm, Run
from harness.errors import SuiteError
from harness.retrieve import Retriever, passages
from harness.runner import run
from harness.suite import read_suite

GOLD = Arm("ceiling", "toy", retrieve="gold")


def with_corpus(folder: Path, named: object) -> Path:
    """The small project with two passages and an arm that is given those named in every test sample."""
    file = make_project(folder, n=4)
    file.write_text(file.read_text() + "  ceiling: {model: toy, retrieve: gold}\n")
    suite = folder / "suites" / "sums"
    corpus = [{"id": f"p{i}", "text": f"Sum number {i} is easy."} for i in range(2)]
    (suite / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus))
    rows = [json.loads(line) for line in (suite / "test.jsonl").read_text().splitlines()]
    rows = [row | {"metadata": {} if named is None else {"passages": named}} for row in rows]
    (suite / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def answered(file: Path) -> Run:
    config = read_config(file)
    return run(config, [read_suite("sums", file.parent)], [config.arms["ceiling"]], file.parent / "run")


def test_gold_passages_are_those_the_sample_names_in_its_order(tmp_path: Path) -> None:
    done = answered(with_corpus(tmp_path, ["p1", "p0"]))
    for row in done.rows:
        assert row.passages == ("p1", "p0")
        assert "[1] Sum number 1 is easy.\n[2] Sum number 0 is easy." in row.messages[-1]["content"]
    assert done.manifest["arms"]["ceiling"]["retrieve"] == "gold"


def test_a_question_that_no_passage_answers_is_asked_without_any(tmp_path: Path) -> None:
    done = answered(with_corpus(tmp_path, []))
    assert {row.passages for row in done.rows} == {()}
    assert not any("passages" in row.messages[-1]["content"] for row in done.rows)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (None, "suite sums: arm ceiling: sample test-0 names no passages for `retrieve: gold`. Add metadata"),
        (3, "names no passages"),
        (["p2"], "no passage 'p2' in corpus.jsonl."),
        ([7], "no passage '7' in corpus.jsonl"),
    ],
)
def test_a_suite_without_gold_passages_is_one_clear_line(tmp_path: Path, named: object, message: str) -> None:
    with pytest.raises(SuiteError) as caught:
        answered(with_corpus(tmp_path, named))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_suite_without_a_corpus_is_one_clear_line(tmp_path: Path) -> None:
    suite = read_suite("sums", make_project(tmp_path).parent)
    with pytest.raises(SuiteError, match="or leave the arm out with -a"):
        passages(suite, GOLD, suite.test[0], None)


def test_check_notes_a_suite_that_a_ceiling_cannot_answer(tmp_path: Path) -> None:
    make_project(tmp_path)
    config = tmp_path / "models.yaml"
    config.write_text("models: {toy: {path: embedded}}\narms: {ceiling: {model: toy, retrieve: gold}}\n")
    report = check_all((str(tmp_path / "suites" / "sums"),), config)
    assert [f.level for f in report.findings if "names no passages" in f.message] == ["note"]


@pytest.mark.parametrize("name", ["handbook", "contracts"])
def test_shipped_suites_with_a_corpus_name_their_gold_passages(name: str) -> None:
    suite = read_suite(name)
    assert all(isinstance(passages(suite, GOLD, sample, None), tuple) for sample in (*suite.test, *suite.dev))


def test_an_arm_with_k_passages_is_given_the_best_k(tmp_path: Path) -> None:
    suite = read_suite("sums", with_corpus(tmp_path, None).parent)
    retriever = Retriever(suite.corpus)
    assert len(passages(suite, Arm("rag", "toy", retrieve=1), suite.test[0], retriever)) == 1
    assert passages(suite, Arm("base", "toy"), suite.test[0], retriever) == ()
