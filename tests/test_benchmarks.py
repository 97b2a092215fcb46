"""The benchmarks run and write their figures. What the figures are is nobody's test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from benchmarks import monitor, report, run, run_arms, scale, stats, train
from harness.data import Arm, Model
from harness.digests import EMBEDDED
from harness.engines.loading import load_tokenizer
from harness.prompt import render, tokens
from harness.report import write_report


def test_the_benchmark_of_the_statistics_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "stats.json"
    assert stats.main(["--rounds", "2", "--scale", "0.001", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())
    assert (figures["large"]["pairs"], figures["compare"]["samples"]) == (1000, 100)
    assert len(figures["beside_scipy"]["ratio"]["rounds"]) == 2
    assert figures["compare"]["peak_mb"] >= figures["compare"]["run_mb"] > 10
    assert "bar 10 s: holds" in capsys.readouterr().out


def test_a_large_run_is_as_large_as_asked() -> None:
    run = stats.large_run(30)
    assert (len(run.rows), len(run.scores), len(run.manifest["arms"])) == (120, 120, 4)


def test_the_benchmark_of_a_run_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "run.json"
    assert run.main(["--rounds", "1", "--scale", "0.002", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())
    assert (figures["host"]["samples"], figures["compare"]["samples"]) == (40, 200)
    assert figures["host"]["median"] > 0
    assert figures["compare"]["peak_mb"] > 10
    told = capsys.readouterr().out
    assert "host path, samples per CPU second" in told
    assert "at least 5,000" in told


def test_the_benchmark_of_the_trainer_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "train.json"
    arguments = ["--tiny", "--rounds", "1", "--steps", "1", "--setting", "large batches"]
    assert train.main([*arguments, "--json", str(file)]) == 0
    figures = json.loads(file.read_text())["settings"]["large batches"]
    assert set(figures["tokens_per_cpu_second"]) == {train.OURS, train.ALONE}
    assert [one["over"] for one in figures["ratios"]] == [train.ALONE]
    assert figures["group"] in (1, 2, 4)
    assert "large batches: 4 candidates" in capsys.readouterr().out
    assert train.peak_mb(2, tiny=True) > 10


def test_the_run_of_the_reports_benchmark_is_as_large_as_asked_and_makes_a_report(tmp_path: Path) -> None:
    done = report.large_run(30)
    assert len(done.rows) == len(done.scores) == 120
    assert done.rows == report.large_run(30).rows
    written = write_report([done], tmp_path / "bench.html")
    assert 10_000 < written.html.stat().st_size < 300_000
    assert all(500 < len(row.completion.text) < 1000 for row in done.rows)


def test_the_benchmark_of_scaling_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "scale.json"
    assert scale.main(["--answers", "60", "--most", "4", "--at-once", "4", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())
    assert [row["workers"] for row in figures["rows"]] == [1, 2, 4]
    assert figures["saturates"] == pytest.approx(1e6 / (figures["keep_us"] + figures["ray_us"]))
    assert "the driver saturates at" in capsys.readouterr().out


def test_simulated_workers_add_up_until_the_driver_is_the_bottleneck() -> None:
    one, four = (scale.simulate(workers, 8, [1.0], 0.0001) for workers in (1, 4))
    assert 7 < one < 8
    assert four / one == pytest.approx(4, rel=0.05)
    assert 80 < scale.simulate(32, 8, [1.0], 0.01) < 100, "the driver needs a hundredth of a second per answer"


def test_lm_eval_is_asked_what_the_harness_asks(tmp_path: Path) -> None:
    suites = [run_arms._suite(tmp_path, name, 5) for name in run_arms.SUITES]
    run_arms._write_tasks(tmp_path / "tasks", suites, str(EMBEDDED))
    tokenizer = load_tokenizer(Model("m", str(EMBEDDED)))
    for suite in suites:
        task = yaml.safe_load((tmp_path / "tasks" / f"{suite.name}.yaml").read_text())
        assert task["generation_kwargs"]["max_gen_toks"] == suite.sampling.max_tokens
        rows = list(map(json.loads, (tmp_path / "tasks" / f"{suite.name}.jsonl").read_text().splitlines()))
        assert len(rows) == len(suite.test) == 5
        for row, sample in zip(rows, suite.test, strict=True):
            ids, choices = tokens(tokenizer, sample, render(suite, Arm("base", "m", system=True), sample))
            assert (tuple(tokenizer.encode(row["prompt"], add_special_tokens=False)), choices) == (ids, ())
            assert (row["id"], row["target"]) == (sample.id, sample.target)


def test_the_table_of_a_run_says_what_became_of_kills_and_who_was_faster() -> None:
    first = {"median": 6000.0, "holds": True}
    second = {"samples": 10, "seconds": 1.0, "peak_mb": 50.0, "holds": True}
    fate = {"killed_at": [1, 2], "answers": 40, "lost": 1, "twice": 0, "holds": False}
    beside = {"ratio": {"median": 3.21}, "same_scores": False, "holds": False}
    about = run.recipe(1, 1.0)
    told = run.table({"recipe": about, "host": first, "compare": second, "kills": fate, "lm_eval": beside})
    assert "2 engine kills, of 40 answers           1 lost, 0 twice       0, 0                    does not hold" in told
    assert "4 arms x 3 suites, times as fast        3.2, other scores     at least 3              does not hold" in told


def test_the_benchmark_of_the_monitor_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "monitor.json"
    assert monitor.main(["--scale", "0.001", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())
    assert (figures["recipe"]["months"], figures["recipe"]["requests"]) == (20, 500)
    assert [one["holds"] for one in figures["alone"]] == [one["false_alarms"] <= 0.05 for one in figures["alone"]]
    assert len(figures["power"]) == 4 * 4 * 4 * 2
    told = capsys.readouterr().out
    assert "False alarms in a month where nothing changes; bar 5%" in told
    assert "95 % pass: one check: 340, one of 8: 670" in told
