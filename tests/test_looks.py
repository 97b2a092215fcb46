"""run --until-decided: no more samples than the verdict needs, and the looks are declared."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from harness.cli import main
from harness.config import read_config
from harness.data import Run
from harness.errors import RunError
from harness.gate import gate
from harness.looks import run_until_decided
from harness.report import write_report
from harness.runner import run
from harness.suite import read_suite
from harness.verdict import decide, verdict_json
from tests.project import make_project


def _run(config: Path, seed: int = 0, name: str = "r", arms: tuple[str, ...] = ("base", "lora")) -> Run:
    checked = read_config(config)
    suite = read_suite("sums", config.parent)
    chosen = [checked.arms[arm] for arm in arms]
    return run_until_decided(checked, [suite], chosen, config.parent / name, root=config.parent, seed=seed)


def _sums(run: Run) -> dict[str, object]:
    card: dict[str, object] = run.manifest["suites"]["sums"]
    return card


def test_a_large_gain_is_decided_early(tmp_path: Path) -> None:
    done = _run(make_project(tmp_path, n=60))
    assert _sums(done)["n_asked"] == 24
    assert len(done.rows) == 48
    looks = _sums(done)["looks"]
    assert isinstance(looks, dict)
    assert (looks["sizes"], looks["used"]) == ([12, 24, 36, 48, 60], 2)
    assert [v.decision for v in decide(done) if v.suite == "sums"] == ["adopt"]


def test_equal_arms_are_asked_everything(tmp_path: Path) -> None:
    done = _run(make_project(tmp_path, n=100), arms=("base", "prompted"))
    assert _sums(done)["n_asked"] == 100
    looks = _sums(done)["looks"]
    assert isinstance(looks, dict)
    assert looks["used"] == 5


def test_samples_are_asked_in_a_seeded_order(tmp_path: Path) -> None:
    config = make_project(tmp_path, n=60)
    first = {row.sample for row in _run(config, seed=1, name="a").rows}
    assert first == {row.sample for row in _run(config, seed=1, name="b").rows}
    assert first != {row.sample for row in _run(config, seed=2, name="c").rows}
    assert first != {f"test-{i}" for i in range(len(first))}


def test_every_look_has_all_arms(tmp_path: Path) -> None:
    done = _run(make_project(tmp_path, n=60))
    asked = {arm: {row.sample for row in done.rows if row.arm == arm} for arm in ("base", "lora")}
    assert asked["base"] == asked["lora"]


def test_again_answers_nothing_again_and_comes_to_the_same(tmp_path: Path) -> None:
    config = make_project(tmp_path, n=60)
    first = _run(config)
    lines = (tmp_path / "r" / "completions.jsonl").read_text()
    again = _run(config)
    assert (tmp_path / "r" / "completions.jsonl").read_text() == lines
    assert verdict_json(again)["verdicts"] == verdict_json(first)["verdicts"]
    assert _sums(again)["looks"] == _sums(first)["looks"]


def test_a_run_broken_off_is_taken_up(tmp_path: Path) -> None:
    whole = _run(make_project(tmp_path, n=60), name="whole")
    config = make_project(tmp_path, n=60, more="die_after: 30")
    with pytest.raises(Exception, match="died"):
        _run(config)
    done = _run(make_project(tmp_path, n=60))
    assert verdict_json(done)["verdicts"] == verdict_json(whole)["verdicts"]
    assert len({(row.arm, row.sample) for row in done.rows}) == len(done.rows) == 48


@pytest.mark.parametrize("how", ["seed", "plain"])
def test_looks_cannot_be_changed_afterwards(tmp_path: Path, how: str) -> None:
    config = make_project(tmp_path, n=60)
    _run(config)
    checked = read_config(config)
    suite, base = read_suite("sums", tmp_path), checked.arms["base"]
    again = {
        "seed": lambda: _run(config, seed=9),
        "plain": lambda: run(checked, [suite], [base], tmp_path / "r", root=tmp_path),
    }[how]
    with pytest.raises(RunError, match="declared beforehand"):
        again()


def test_the_verdict_uses_wider_intervals_and_says_so(tmp_path: Path) -> None:
    done = _run(make_project(tmp_path, n=60))
    (found,) = [c for c in verdict_json(done)["comparisons"] if c["candidate"] == "lora"]
    assert found["interval"]["method"] == "Tango score, repeated looks"
    assert found["interval"]["level"] == pytest.approx(0.95)
    checked = read_config(tmp_path / "models.yaml")
    suite = read_suite("sums", tmp_path)
    plain = run(checked, [suite], list(checked.arms.values())[::2], tmp_path / "plain", limit=24, root=tmp_path)
    (narrow,) = [c for c in verdict_json(plain)["comparisons"] if c["candidate"] == "lora"]
    assert found["interval"]["high"] - found["interval"]["low"] > narrow["interval"]["high"] - narrow["interval"]["low"]
    page = write_report([done], tmp_path / "page.html").html.read_text("utf-8")
    assert "sums was asked until decided: look 2 of 5, 24 of 60 samples" in page
    assert "Answers are missing" not in page


def test_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = make_project(tmp_path, n=60)
    out = str(tmp_path / "cli")
    command = ["run", "--config", str(config), "-s", "sums", "-a", "base", "-a", "lora", "--out", out]
    assert main([*command, "--until-decided"]) == 0
    told = capfd.readouterr().err
    assert "look 1 of 5: 1 suite still open" in told
    assert "look 2 of 5: decided: sums (24 of 60 samples)" in told
    assert main([*command, "--until-decided", "--limit", "5"]) == 2
    assert "exclude each other" in capfd.readouterr().err


def test_half_true_gains_are_seldom_adopted(tmp_path: Path) -> None:
    """Two arms that are right on the same share of samples at random: 40 seeds, at most a few wrong verdicts."""
    wrong = 0
    for seed in range(40):
        rng = random.Random(seed)
        folder = tmp_path / str(seed)
        config = make_project(folder, n=60)
        rows = []
        for i in range(60):
            for adapter in (None, "tuned"):
                right = rng.random() < 0.5
                row = {"prompt": f"What is {i} plus {i + 100}?", "answer": str(2 * i + 100) if right else "no"}
                rows.append(row | ({"adapter": adapter} if adapter else {}))
        (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        done = _run(config, seed=seed)
        wrong += any(v.decision == "adopt" for v in decide(done) if v.suite == "sums")
    assert wrong <= 4


def test_gate_uses_the_looks_of_the_run(tmp_path: Path) -> None:
    done = _run(make_project(tmp_path, n=60))
    assert gate(done, "base", done, "lora").status == "PASS"
    assert gate(done, "lora", done, "base").status == "FAIL"
