"""Learning curves out of a run's candidates: who belongs to a curve, what it says, where it is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from runs import make_run

from harness.curves import curves
from harness.data import Run
from harness.report import write_report
from harness.verdict import verdict_json

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
    assert "80.0 % needs" in found.sentence
    (never,) = curves(_run(), target=0.99)
    assert "is not reached within 4 times the data" in never.sentence or "perhaps not" in never.sentence


def test_curves_are_in_verdict_json_and_drawn_in_the_report(tmp_path: Path) -> None:
    run = replace(_run(), path=str(tmp_path))
    (value,) = json.loads(json.dumps(verdict_json(run)["curves"], allow_nan=False))
    assert value["sentence"] == curves(run)[0].sentence
    page = write_report([run], tmp_path / "page.html").html.read_text("utf-8")
    assert "score against training size" in page
    assert 'class="band"' in page
