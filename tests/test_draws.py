"""Several answers to a question: each a row with a seed of its own, together one sample."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from project import make_project

from harness.baseline import bless
from harness.cli import main
from harness.compare import compare, compare_runs, pair, sample_scores, summarize_arm, tabulate
from harness.config import read_config
from harness.data import Completion, Row, Run, Score, ScoreRow
from harness.errors import EngineError, NotComparable, RunError, SuiteError
from harness.gate import gate
from harness.ledger import met
from harness.looks import run_until_decided
from harness.plan import make_plan
from harness.policy import Policy
from harness.report import write_report
from harness.report.cases import cases
from harness.runner import rescore, run
from harness.store import read_run, row_from_json, row_to_json
from harness.suite import read_suite, with_samples
from tests.runs import make_run

ARMS = ("base", "lora")


def _project(folder: Path, samples: int = 4, n: int = 40, more: str = "") -> Path:
    """The project of the fake engine with answers drawn: the base is right about a quarter of the time, lora 3/4."""
    file = make_project(folder, n, more)
    suite = folder / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace("max_tokens: 8", f"max_tokens: 8, temperature: 1.0, samples: {samples}"))
    rows = []
    for i in range(n):
        question, right = f"What is {i} plus {i + 100}?", str(2 * i + 100)
        rows.append({"prompt": question, "answer": [right, "1", "2", "3"]})
        rows.append({"prompt": question, "answer": [right, right, right, "3"], "adapter": "tuned"})
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def _run(file: Path, out: Path, samples: int | None = None, **options: object) -> Run:
    config = read_config(file)
    suites = with_samples([read_suite("sums", file.parent)], samples)
    return run(config, suites, [config.arms[name] for name in ARMS], out, **options)  # type: ignore[arg-type]


def _written(folder: Path) -> Counter[tuple[str, str, int]]:
    lines = (folder / "completions.jsonl").read_text().splitlines()
    return Counter((row["arm"], row["sample"], row.get("draw", 0)) for row in map(json.loads, lines))


def test_each_answer_is_a_row_with_its_own_identity_and_the_sample_counts_once(tmp_path: Path) -> None:
    done = _run(_project(tmp_path), tmp_path / "run")
    assert len(done.rows) == 40 * 4 * 2
    assert len({row.key for row in done.rows}) == len(done.rows)
    assert {(row.draw, row.draws) for row in done.rows} == {(draw, 4) for draw in range(4)}
    table = tabulate(done)
    by_hand = [
        sum(s.score.value for s in done.scores if (s.arm, s.sample) == ("lora", f"test-{i}")) / 4 for i in range(40)
    ]
    summary = summarize_arm(table, "sums", "lora")
    assert summary is not None
    assert (summary.n, summary.mean) == (40, pytest.approx(sum(by_hand) / 40))
    assert 0.6 < summary.mean < 0.9
    found = compare(done, "sums", "base", "lora")
    assert (found.n, found.missing, found.p_method) == (40, 0, "paired t")


def test_answers_differ_by_draw_and_are_the_same_in_another_run(tmp_path: Path) -> None:
    file = _project(tmp_path)
    first, second = _run(file, tmp_path / "a"), _run(file, tmp_path / "b")
    texts = {(row.arm, row.sample, row.draw): row.completion.text for row in first.rows}
    assert texts == {(row.arm, row.sample, row.draw): row.completion.text for row in second.rows}
    assert any(len({texts["lora", f"test-{i}", draw] for draw in range(4)}) > 1 for i in range(40))


def test_rows_come_back_as_they_went() -> None:
    row = Row("s", "a", "1", "d", "k", (), Completion("x"), "t", draw=2, draws=4)
    assert row_from_json(json.loads(json.dumps(row_to_json(row)))) == row
    assert "draw" not in row_to_json(replace(row, draw=0, draws=1))


def test_a_broken_off_run_is_taken_up_and_nothing_is_answered_twice(tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        _run(_project(tmp_path, more="die_after: 70"), tmp_path / "run")
    file = _project(tmp_path)
    done = _run(file, tmp_path / "run")
    assert set(_written(tmp_path / "run").values()) == {1}
    assert sample_scores(done) == sample_scores(_run(file, tmp_path / "whole"))


def test_more_answers_are_added_to_those_there_are(tmp_path: Path) -> None:
    file = _project(tmp_path, samples=1)
    before = _run(file, tmp_path / "run")
    after = _run(file, tmp_path / "run", samples=4)
    assert set(_written(tmp_path / "run").values()) == {1}
    assert len(after.rows) == 4 * len(before.rows)
    assert after.manifest["suites"]["sums"]["sampling"]["samples"] == 4
    again = _run(file, tmp_path / "run", samples=2)
    assert again.manifest["suites"]["sums"]["sampling"]["samples"] == 4
    assert compare(again, "sums", "base", "lora").missing == 0
    fresh = _run(file, tmp_path / "fresh", samples=4, reuse=[before])
    assert sum(row.reused for row in fresh.rows) == len(before.rows)


def test_other_samples_in_the_suite_are_another_suite_and_of_the_run_not_comparable(tmp_path: Path) -> None:
    one, four = _run(_project(tmp_path, 1), tmp_path / "1"), _run(_project(tmp_path, 1), tmp_path / "4", samples=4)
    with pytest.raises(NotComparable, match="sampling"):
        compare_runs(one, "base", four, "lora", "sums")
    with pytest.raises(RunError, match="Scores of two versions are never mixed"):
        _run(_project(tmp_path, 2), tmp_path / "1")


def _without(done: Run, sample: str, draw: int) -> Run:
    def gone(row: Row | ScoreRow) -> bool:
        return (row.arm, row.sample, row.draw) == ("lora", sample, draw)

    return replace(
        done,
        rows=tuple(row for row in done.rows if not gone(row)),
        scores=tuple(row for row in done.scores if not gone(row)),
    )


def test_a_sample_that_lacks_an_answer_is_missing(tmp_path: Path) -> None:
    done = _without(_run(_project(tmp_path), tmp_path / "run"), "test-3", 2)
    found = compare(done, "sums", "base", "lora")
    assert (found.n, found.missing) == (39, 1)
    assert gate(done, "base", done, "lora").status == "NOT COMPARABLE"
    assert gate(done, "base", done, "lora", replace(Policy(), missing="fail")).status == "FAIL"
    page = write_report([done], tmp_path / "page.html").html.read_text("utf-8")
    assert "lora on sums: 39 of 40" in page


def test_an_answer_the_engine_failed_to_give_makes_the_sample_missing(tmp_path: Path) -> None:
    done = _run(_project(tmp_path), tmp_path / "run")
    failed = [
        replace(row, completion=Completion("", finish_reason="error"))
        if (row.arm, row.sample, row.draw) == ("base", "test-0", 1)
        else row
        for row in done.rows
    ]
    assert compare(replace(done, rows=tuple(failed)), "sums", "base", "lora").missing == 1


def test_gate_and_baseline_work_on_sample_means(tmp_path: Path) -> None:
    done = _run(_project(tmp_path, n=60), tmp_path / "run")
    assert gate(done, "base", done, "lora").status == "PASS"
    assert gate(done, "lora", done, "base").status == "FAIL"
    kept = bless(done, "base", "first")
    scores = [sample["scores"]["exact"] for sample in kept["suites"]["sums"]["samples"].values()]
    assert len(scores) == 60
    assert sum(scores) / 60 == pytest.approx(compare(done, "sums", "base", "lora").baseline_mean)


def test_the_ledger_counts_samples(tmp_path: Path) -> None:
    file = _project(tmp_path)
    command = ["run", "--config", str(file), "-s", "sums", "-a", "base", "-a", "lora", "--no-dev"]
    for name in ("a", "b"):
        assert main([*command, "--out", str(tmp_path / name)]) == 0
    found = [one for one in met(read_run(tmp_path / "b")) if one.arm == "lora"]
    assert [(one.n, one.changed) for one in found] == [(40, ())]


def test_until_decided_asks_every_answer_of_a_sample(tmp_path: Path) -> None:
    file = _project(tmp_path, n=60)
    config = read_config(file)
    arms = [config.arms[name] for name in ARMS]
    done = run_until_decided(config, [read_suite("sums", tmp_path)], arms, tmp_path / "r", root=tmp_path)
    asked = done.manifest["suites"]["sums"]["n_asked"]
    assert asked < 60
    assert set(Counter((row.arm, row.sample) for row in done.rows).values()) == {4}
    assert compare(done, "sums", "base", "lora").n == asked


def test_scoring_again_scores_every_answer(tmp_path: Path) -> None:
    file = _project(tmp_path, samples=1)
    done = _run(file, tmp_path / "run", samples=4)
    again = rescore(tmp_path / "run", {"sums": read_suite("sums", file.parent)})
    assert sample_scores(again) == sample_scores(done)
    assert again.manifest["suites"]["sums"]["sampling"]["samples"] == 4


def test_a_case_shows_the_first_answer_and_the_mean(tmp_path: Path) -> None:
    done = _run(_project(tmp_path), tmp_path / "run")
    case = next(case for case in cases(done) if case.sample == "test-1")
    answer = case.answers["lora"]
    assert answer.row.draw == 0
    assert answer.value == sample_scores(done)["sums", "lora", "exact"]["test-1"]
    assert answer.primary is not None
    assert answer.primary.score.explanation.startswith("4 answers: ")


def test_plan_counts_every_answer(tmp_path: Path) -> None:
    file = _project(tmp_path)
    config = read_config(file)
    made = make_plan(config, [read_suite("sums", tmp_path)], [config.arms["base"]], root=tmp_path)
    assert made.works[0].requests == 160


def test_several_greedy_answers_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = _project(tmp_path)
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace("temperature: 1.0", "temperature: 0.0"))
    with pytest.raises(SuiteError, match=r"sampling\.samples: 4 greedy answers"):
        read_suite("sums", tmp_path)
    suite.write_text(suite.read_text().replace(", samples: 4", ""))
    assert main(["run", "--config", str(file), "-s", "sums", "--samples", "3", "--out", str(tmp_path / "r")]) == 2
    told = capfd.readouterr().err
    assert "--samples 3: sums decode greedily" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("value", ["0", "many", "5000"])
def test_a_bad_number_of_samples_is_one_line(tmp_path: Path, value: str) -> None:
    _project(tmp_path)
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace("samples: 4", f"samples: {value}"))
    with pytest.raises(SuiteError, match=r"sampling\.samples: must be"):
        read_suite("sums", tmp_path)


def test_a_question_asked_in_two_rows_with_several_answers_counts_once() -> None:
    made = make_run({"s": {"base": [0, 0, 0], "lora": [1, 1, 1]}})
    rows = [replace(row, sample_digest="same", draw=draw, draws=2) for row in made.rows for draw in range(2)]
    scores = [replace(s, draw=draw, score=Score(float(draw))) for s in made.scores for draw in range(2)]
    table = tabulate(replace(made, rows=tuple(rows), scores=tuple(scores)))
    assert table.scores["s", "lora", "match"] == {"same": (0.5, 0.5, 0.5)}


def test_intervals_cover_when_answers_to_a_question_agree(tmp_path: Path) -> None:
    """4 correlated answers each (the same question is easy or hard for both arms): >= 93 % coverage at n = 60.

    Counting answers as samples of their own, which this test also does, covers far less.
    """
    rng = random.Random(5)
    n, k, rounds = 60, 4, 400
    covered = naive = 0
    for _ in range(rounds):
        scores: dict[str, list[float]] = {"base": [], "lora": []}
        for _ in range(n):
            ease = rng.betavariate(0.6, 0.6)
            for arm, chance in (("base", ease), ("lora", rng.betavariate(1 + 3 * ease, 4 - 3 * ease))):
                scores[arm] += [float(rng.random() < chance) for _ in range(k)]
        truth = 0.5 - 0.5  # both arms are right half the time: E[ease] = 1/2 and E[(1 + 3 ease) / 5] = 1/2
        flat = make_run({"s": scores})
        found = compare(flat, "s", "base", "lora").interval
        naive += found.low <= truth <= found.high
        rows = tuple(
            replace(row, sample=f"s-{i % (n * k) // k}", sample_digest=f"h-{i % (n * k) // k}", draw=i % k, draws=k)
            for i, row in enumerate(flat.rows)
        )
        values = tuple(replace(s, sample=f"s-{i % (n * k) // k}", draw=i % k) for i, s in enumerate(flat.scores))
        suites = {"s": {**flat.manifest["suites"]["s"], "n_test": n}}
        drawn = replace(flat, rows=rows, scores=values, manifest={**flat.manifest, "suites": suites})
        table = tabulate(drawn)
        assert len(pair(table, "base", table, "lora", "s", "match").baseline) == n
        found = compare(drawn, "s", "base", "lora").interval
        covered += found.low <= truth <= found.high
    assert covered / rounds >= 0.93
    assert naive / rounds < 0.90
