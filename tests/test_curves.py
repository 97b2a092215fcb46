"""Learning curves out of a run's candidates: who belongs to a curve, what it says, where it is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from project import make_project
from runs import make_run

from harness.cli import main
from harness.curves import curves
from harness.data import Run
from harness.report import write_report
from harness.sentences import ONE_SEED
from harness.stats.paired import paired_t
from harness.stats.seeds import over_seeds
from harness.suite import read_suite
from harness.verdict import decide, verdict_json

SIZES = (50, 100, 200, 400)


def _run(seeds: int = 3, rates: dict[str, float] | None = None) -> Run:
    """Arms base, and one per training size and seed; accuracy rises with size."""
    rng = np.random.default_rng(0)
    names = [f"n{size}-s{seed}" for size in SIZES for seed in range(seeds)]
    right = {"base": [0.0] * 200}
    adapters = {}
    for name in names:
        size, seed = (int(part[1:]) for part in name.split("-"))
        rate = (rates or {}).get(name, 0.9 - 2.5 * size**-0.5)
        right[name] = (rng.random(200) < rate).astype(float).tolist()
        recipe = {"suites": ["sql"], "rank": 16, "learning_rate": 1e-3, "data_fraction": size / 400, "seed": seed}
        adapters[name] = {"train": {"recipe": recipe, "examples": size}, "digest": name, "model": "m"}
    run = make_run({"sql": right})
    arms = {
        name: {"model": "m", "adapter": None if name == "base" else name, "system": False, "shots": 0, "retrieve": 0}
        for name in right
    }
    return replace(run, manifest={**run.manifest, "arms": arms, "adapters": adapters})


def test_candidates_of_one_recipe_make_one_curve() -> None:
    (found,) = curves(_run())
    assert found.suite == "sql"
    assert len(found.arms) == 12
    assert found.curve is not None
    assert [(size, seeds) for size, _, seeds in found.curve.measured] == [(size, 3) for size in SIZES]
    assert "at 800" in found.sentence
    assert "at 1,600" in found.sentence
    assert "90 % band" in found.sentence


def test_one_seed_is_refused_and_says_so() -> None:
    (found,) = curves(_run(seeds=1))
    assert found.curve is None
    assert found.sentence.endswith("a learning curve needs at least 3 training seeds per size, got 1.")


def test_another_recipe_is_another_curve() -> None:
    run = _run()
    adapters = dict(run.manifest["adapters"])
    card = adapters["n50-s0"]["train"]
    adapters["n50-s0"] = {**adapters["n50-s0"], "train": {**card, "recipe": {**card["recipe"], "rank": 4}}}
    found = curves(replace(run, manifest={**run.manifest, "adapters": adapters}))
    assert len(found) == 1
    assert "n50-s0" not in found[0].arms


def test_one_size_alone_is_no_curve() -> None:
    run = _run()
    arms = {name: dials for name, dials in run.manifest["arms"].items() if name == "base" or name.startswith("n50-")}
    kept = replace(run, manifest={**run.manifest, "arms": arms}, rows=tuple(r for r in run.rows if r.arm in arms))
    assert curves(kept) == []


def test_target_is_answered_with_a_range() -> None:
    (found,) = curves(_run(), target=0.8)
    needed = "80.0 % needs 266 up, and perhaps not within 4 times the data training samples."
    assert found.sentence.endswith(needed)
    flat = {f"n{size}-s{seed}": 0.5 for size in SIZES for seed in range(3)}
    (never,) = curves(_run(rates=flat), target=0.99)
    assert never.sentence.endswith("99.0 % is not reached within 4 times the data.")


@pytest.mark.parametrize("shared", [0, 1])
def test_without_samples_that_every_candidate_answered_there_is_no_curve(shared: int) -> None:
    run = _run()
    kept = {f"sql-{i:04d}" for i in range(shared)}
    scores = tuple(s for s in run.scores if s.arm != "n50-s0" or s.sample in kept)
    (found,) = curves(replace(run, scores=scores))
    assert found.curve is None
    assert found.sentence.endswith(f"at least 2 test samples that every candidate answered, got {shared}.")


def test_curves_are_in_verdict_json_and_drawn_in_the_report(tmp_path: Path) -> None:
    run = replace(_run(), path=str(tmp_path))
    (value,) = json.loads(json.dumps(verdict_json(run)["curves"], allow_nan=False))
    assert value["sentence"] == curves(run)[0].sentence
    page = write_report([run], tmp_path / "page.html").html.read_text("utf-8")
    assert "score against training size" in page
    assert 'class="band"' in page
    assert "Score against training size: sql: with 400" in (tmp_path / "page.md").read_text("utf-8")


def test_the_target_comes_from_the_suite_or_the_command(tmp_path: Path) -> None:
    run = _run()
    suites = {"sql": {**run.manifest["suites"]["sql"], "target": 0.8}}
    asked = replace(run, manifest={**run.manifest, "suites": suites})
    assert "80.0 % needs" in curves(asked)[0].sentence
    assert "needs" not in curves(run)[0].sentence
    paths = write_report([asked], tmp_path / "r.html", target=0.7)
    assert "70.0 % needs" in json.loads(paths.verdict.read_text())["curves"][0]["sentence"]
    assert "70.0 % needs" in paths.html.read_text("utf-8").replace("\u00a0", " ").replace("&nbsp;", " ")


def test_a_suites_target_reaches_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path)
    file = tmp_path / "suites" / "sums" / "suite.yaml"
    before = read_suite("sums", tmp_path).digest
    file.write_text(file.read_text() + "target: 0.8\n")
    assert read_suite("sums", tmp_path).digest == before
    monkeypatch.chdir(tmp_path)
    assert main(["run", "-s", "sums"]) == 0
    assert json.loads(Path("runs/sums/run.json").read_text())["suites"]["sums"]["target"] == 0.8
    assert main(["report", "runs/sums", "--target", "0.9"]) == 0
    assert main(["report", "runs/sums", "--target", "9"]) == 2
    file.write_text(file.read_text().replace("target: 0.8", "target: 80"))
    assert main(["check", "sums"]) == 2


# --- recipes ---------------------------------------------------------------------------------------------------------


def test_three_seeds_say_something_about_the_recipe() -> None:
    (overall,) = [v for v in decide(_run()) if (v.suite, v.candidate) == ("overall", "n400-s0")]
    (said,) = [reason for reason in overall.reasons if "recipe" in reason]
    assert said.startswith("sql: the recipe of n400-s0, n400-s1 and n400-s2 (mean of 3 training seeds) against base: +")
    assert "over samples and seeds, n=200" in said
    found = verdict_json(_run())["recipes"]
    assert [len(one["arms"]) for one in found] == [3] * len(SIZES)


def test_fewer_seeds_say_that_it_is_about_this_adapter() -> None:
    (overall,) = [v for v in decide(_run(seeds=2)) if (v.suite, v.candidate) == ("overall", "n400-s0")]
    assert overall.reasons[-1] == ONE_SEED
    assert verdict_json(_run(seeds=2))["recipes"] == []


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.05])
def test_the_interval_of_a_recipe_covers_its_next_training(spread: float) -> None:
    """Three trainings with a seed's standard deviation of `spread`, 300 samples: one seed alone holds in far fewer."""
    rng = np.random.default_rng(4)
    held = alone = 0
    for _ in range(400):
        ease = rng.normal(0, 0.3, 300)
        rows = [(0.05 + rng.normal(0, spread) + ease + rng.normal(0, 0.2, 300)).clip(-1, 1).tolist() for _ in range(3)]
        _, interval = over_seeds(rows)
        held += interval.low <= 0.05 <= interval.high
        own = paired_t(rows[0])
        alone += own.low <= 0.05 <= own.high
    assert held >= 0.93 * 400
    if spread == 0.05:
        assert alone <= 0.8 * 400


def test_equal_trainings_leave_room_and_two_are_refused() -> None:
    assert over_seeds([[0.1] * 50] * 3)[1].low < 0.1 < over_seeds([[0.1] * 50] * 3)[1].high
    with pytest.raises(ValueError, match="3 trainings"):
        over_seeds([[0.1] * 50] * 2)
