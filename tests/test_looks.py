"""run --until-decided: no more samples than the verdict needs, and the looks are declared."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from harness.baseline import CI
from harness.cli import main
from harness.config import read_config
from harness.data import Run
from harness.errors import RunError
from harness.gate import gate
from harness.looks import Held, declared, run_until_decided
from harness.policy import Policy, Rule
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


# --- held to a whole run, and to a gate ------------------------------------------------------------------------------


def _whole(config: Path, name: str = "whole") -> Run:
    checked = read_config(config)
    suite, arms = read_suite("sums", config.parent), [checked.arms[arm] for arm in ("base", "lora")]
    return run(checked, [suite], arms, config.parent / name, root=config.parent)


def test_an_early_stop_is_gated_against_a_whole_run_on_what_it_asked(tmp_path: Path) -> None:
    config = make_project(tmp_path, n=200)
    short, whole = _run(config), _whole(config)
    assert _sums(short)["n_asked"] == 40
    fails = Policy(missing="fail")
    for old, new in ((whole, short), (short, whole)):
        same = gate(old, "lora", new, "lora", replace(fails, rules=(Rule("no_worse_than", 0.5),)))
        assert (same.status, same.rows[0].n, same.rows[0].missing) == ("PASS", 40, 0)
        assert "sums was asked until decided: look 1 of 5, 40 of 200 samples" in same.notes[0]
    worse = gate(whole, "lora", short, "base", fails)
    assert (worse.status, worse.rows[0].n) == ("FAIL", 40)
    assert worse.rows[0].interval.method == "Tango score, repeated looks"
    assert worse.rows[0] == gate(short, "lora", short, "base", fails).rows[0]


def test_a_baseline_file_holds_an_early_stop_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_project(tmp_path, n=200)
    _run(config), _whole(config)
    for name in CI:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["baseline", "bless", "whole:lora", "--reason", "first"]) == 0
    assert main(["gate", "r:lora", "--baseline", "baselines/lora.json", "--margin", "0.5"]) == 0
    assert main(["baseline", "bless", "r:lora", "--reason", "early", "--partial", "--out", "early.json"]) == 0
    assert main(["gate", "whole:lora", "--baseline", "early.json", "--margin", "0.5"]) == 0
    assert main(["gate", "whole:base", "--baseline", "early.json", "--margin", "0.5"]) == 1


@pytest.mark.parametrize("side", ["early stop", "whole run"])
@pytest.mark.parametrize("way", ["no answer", "no row"])
def test_a_sample_that_was_asked_and_not_answered_never_passes(tmp_path: Path, side: str, way: str) -> None:
    config = make_project(tmp_path, n=200)
    short, whole = _run(config), _whole(config)
    held = replace(Policy(missing="fail"), rules=(Rule("no_worse_than", 0.5),))
    assert gate(whole, "base", short, "lora", held).status == "PASS"
    lost = next(row for row in short.rows if row.arm == "lora")

    def without(one: Run) -> Run:
        failed = replace(lost, completion=replace(lost.completion, finish_reason="error"))
        rows = [failed if (row.arm, row.sample) == (lost.arm, lost.sample) else row for row in one.rows]
        return replace(one, rows=tuple(row for row in rows if way == "no answer" or row is not failed))

    if side == "early stop":
        result = gate(whole, "base", without(short), "lora", held)
    else:
        result = gate(short, "base", without(whole), "lora", held)
    assert result.status == "FAIL"
    assert "1 of 40 samples are missing" in result.sentence


def test_two_early_stops_in_other_orders_are_not_comparable(tmp_path: Path) -> None:
    config = make_project(tmp_path, n=200)
    one, two = _run(config, seed=1, name="one"), _run(config, seed=2, name="two")
    result = gate(one, "lora", two, "lora")
    assert result.status == "NOT COMPARABLE"
    assert "asked until decided in two orders (--seed 1 and 2)" in result.sentence
    again = _run(config, seed=1, name="again")
    assert gate(one, "base", again, "lora").status == "PASS"


def test_what_an_early_stop_did_not_ask_may_be_lost_too(tmp_path: Path) -> None:
    config = make_project(tmp_path, n=200)
    short, whole = _run(config), _whole(config)
    rule = Policy(rules=(Rule("no_worse_than", 0.5), Rule("no_flip", 0)))
    (one,) = gate(whole, "base", short, "lora", rule).checks
    assert (one.state, "so far lost: 0" in one.said) == ("open", True)
    assert gate(whole, "base", whole, "lora", rule).checks[0].state == "holds"
    assert gate(whole, "lora", short, "base", rule).checks[0].state == "violated"


def _held(base: Run | None, arm: str, **policy: Any) -> Held:
    return Held(base, arm, Policy(missing="fail", **policy), " --policy gate.yaml", date(2026, 11, 1))


def _run_held(config: Path, held: Held, arms: tuple[str, ...] = ("lora",), name: str = "held") -> Run:
    checked = read_config(config)
    chosen = [checked.arms[arm] for arm in arms]
    suite = read_suite("sums", config.parent)
    return run_until_decided(checked, [suite], chosen, config.parent / name, root=config.parent, held=held)


def test_a_run_stops_on_the_answer_of_its_gate(tmp_path: Path) -> None:
    config = make_project(tmp_path, n=200)
    whole = _whole(config)
    wide = _held(whole, "lora", rules=(Rule("no_worse_than", 0.2),))
    done = _run_held(config, wide)
    assert _sums(done)["n_asked"] == 80
    assert gate(whole, "lora", done, "lora", wide.policy).status == "PASS"
    assert _sums(_run_held(config, _held(whole, "lora"), ("base",), "worse"))["n_asked"] == 40  # shown worse
    narrow = _run_held(config, _held(whole, "lora", rules=(Rule("no_worse_than", 0.01),)), name="narrow")
    assert _sums(narrow)["n_asked"] == 200
    both = _run_held(config, _held(None, "base"), ("base", "lora"), "both")
    assert _sums(both)["n_asked"] == 40


def test_a_gate_that_cannot_compare_ends_the_run_at_once(tmp_path: Path) -> None:
    config = make_project(tmp_path, n=200)
    whole = _whole(config)
    other = replace(whole, manifest=json.loads(json.dumps(whole.manifest).replace('"version": 1,', '"version": 2,')))
    with pytest.raises(RunError, match="NOT COMPARABLE: sums: suite version 2 and 1"):
        _run_held(config, _held(other, "lora"))


def test_the_command_and_the_looks_are_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path, n=200)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "-s", "sums", "-a", "base", "-a", "lora", "--until-decided", "--seed", "3"]) == 0
    manifest = json.loads(Path("runs/sums/run.json").read_text())
    said = "harness run -s sums -a base -a lora --until-decided --seed 3"
    assert manifest["command"] == said
    assert main(["report", "runs/sums"]) == 0
    assert said in Path("reports/sums.html").read_text("utf-8")
    looks = json.loads(Path("reports/sums/verdict.json").read_text())["looks"]
    assert looks == {"sums": {"sizes": [40, 80, 120, 160, 200], "used": 2, "seed": 3, "asked": 80, "n_test": 200}}
    Path("gate.yaml").write_text("baseline: runs/sums:lora\ntiers: {full: {rules: [no_worse_than: {margin: 0.2}]}}")
    command = ["run", "-s", "sums", "-a", "lora", "--seed", "3", "--out", "runs/new", "--policy", "gate.yaml"]
    assert main([*command, "--until-decided"]) == 0
    manifest = json.loads(Path("runs/new/run.json").read_text())
    assert manifest["command"] == "harness run -s sums -a lora --until-decided --seed 3 --policy gate.yaml"
    assert main(command) == 2


def test_no_look_parts_samples_of_one_source(tmp_path: Path) -> None:
    config = make_project(tmp_path, n=60)
    suite = read_suite("sums", config.parent)
    test = tuple(replace(sample, metadata={"text": i // 7}) for i, sample in enumerate(suite.test))
    made = declared(replace(suite, test=test, cluster="text"), seed=4)
    assert made.looks is not None
    parts = [{sample.metadata["text"] for sample in made.test[:size]} for size in made.looks["sizes"]]
    rest = [{sample.metadata["text"] for sample in made.test[size:]} for size in made.looks["sizes"]]
    assert made.looks["sizes"][-1] == 60
    assert all(not asked & left for asked, left in zip(parts, rest, strict=True))
