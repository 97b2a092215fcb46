"""harness plan: its numbers are those of the pipeline and of the statistics, and what is unknown is said as unknown."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from project import make_project
from runs import make_run, right
from scipy.stats import norm

from harness.cli import main
from harness.config import read_config
from harness.data import Arm, Config, Run
from harness.engines.fake import FakeTokenizer
from harness.plan import Plan, make_plan
from harness.runner import run
from harness.stats.power import seeds_for_difference
from harness.store import read_run
from harness.suite import read_suite
from harness.train.candidate import examples
from harness.train.card import data_digest

RECIPE = "train: {suite: sums, rank: 2, epochs: 2, batch_size: 8}"


def _project(folder: Path, dev: int = 0, trained: bool = True, more: str = "") -> Path:
    file = make_project(folder, more=more)
    if not trained:
        for part in (folder / "tuned").iterdir():
            part.unlink()
        (folder / "tuned").rmdir()
    rows = [{"id": f"dev-{i}", "input": f"What is {i} times 3?", "target": str(3 * i)} for i in range(dev)]
    (folder / "suites" / "sums" / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = file.read_text().replace("{model: toy, path:", "{model: toy, " + RECIPE + ", path:")
    file.write_text(text + "costs: {gpu_hour_usd: 36}\n")
    return file


def _plan(file: Path, arms: tuple[str, ...] = ("base", "prompted", "lora"), **options: Any) -> Plan:
    config = read_config(file)
    return make_plan(config, [read_suite("sums", file.parent)], _arms(config, arms), root=file.parent, **options)


def _arms(config: Config, names: tuple[str, ...]) -> list[Arm]:
    return [config.arms[name] for name in names]


def _run(file: Path, name: str = "r", arms: tuple[str, ...] = ("base", "lora")) -> Run:
    config = read_config(file)
    out = file.parent / name
    return run(config, [read_suite("sums", file.parent)], _arms(config, arms), out, root=file.parent)


# --- samples and seeds -----------------------------------------------------------------------------------------------


def test_visible_differences_are_those_of_the_published_table(tmp_path: Path) -> None:
    """2.80 sqrt(d / n) at n = 40, and 628 samples for 5 points where arms differ on 20 %."""
    (sight,) = _plan(_project(tmp_path)).sights
    expected = {f"{d:g}": pytest.approx(2.8016 * math.sqrt(d / 40), abs=1e-4) for d in (0.05, 0.1, 0.2, 0.3)}
    assert sight.visible == expected
    assert (sight.samples, sight.sources, sight.basis, sight.needed) == (40, 40, "assumed", 628)
    assert sight.smallest == sight.visible["0.2"]


def test_an_earlier_run_says_how_often_these_arms_differ(tmp_path: Path) -> None:
    file = _project(tmp_path)
    done = _run(file)
    (sight,) = _plan(file, earlier=[done]).sights
    assert sight.share == pytest.approx(0.5)
    assert sight.basis == f"{done.path}: lora, base"
    (other,) = _plan(file, ("base", "prompted"), earlier=[done]).sights
    assert other.basis == "assumed"
    old = replace(
        done, manifest={**done.manifest, "suites": {"sums": {**done.manifest["suites"]["sums"], "digest": "o"}}}
    )
    assert _plan(file, earlier=[old]).sights[0].basis.endswith("another version")


def test_samples_of_few_sources_are_said_to_be_few(tmp_path: Path) -> None:
    file = _project(tmp_path)
    suite = read_suite("sums", tmp_path)
    grouped = tuple(replace(s, metadata={"page": i // 10}) for i, s in enumerate(suite.test))
    config = read_config(file)
    plan = make_plan(config, [replace(suite, test=grouped, cluster="page")], _arms(config, ("base",)), root=tmp_path)
    assert plan.sights[0].sources == 4
    assert "40 samples of 4 sources" in plan.notes[0]


@pytest.mark.parametrize(("sd", "n", "difference"), [(0.02, 1000, 0.05), (0.04, 2000, 0.05), (0.03, 600, 0.08)])
def test_so_many_seeds_have_the_power_they_promise(sd: float, n: int, difference: float) -> None:
    """By simulation: the difference varies with seeds and samples; found in 80 % of cases, not with a seed less."""
    rng = np.random.default_rng(1)
    seeds = seeds_for_difference(sd, 0.2**0.5, n, difference)
    assert seeds is not None
    powers = []
    for count in (seeds, max(1, seeds - 1)):
        error = math.sqrt(sd**2 / count + 0.2 / n)
        over = rng.normal(0, sd, (40_000, count)).mean(axis=1) + rng.normal(0, math.sqrt(0.2 / n), 40_000)
        powers.append(float(np.mean(np.abs(difference + over) / error > norm.ppf(0.975))))
    assert powers[0] >= 0.795
    assert seeds == 3 or powers[1] < 0.8


def test_seeds_do_not_make_up_for_few_samples() -> None:
    assert seeds_for_difference(0.02, 0.2**0.5, 200, 0.05) is None
    assert seeds_for_difference(0.0, 0.2**0.5, 1000, 0.05) == 3
    assert seeds_for_difference(5.0, 0.2**0.5, 1000, 0.05) is None


def test_seed_variation_comes_from_earlier_candidates_of_one_recipe(tmp_path: Path) -> None:
    names = ("s0", "s1", "s2", "other")
    done = make_run(
        {"sums": {"base": right(10, 40)} | {n: right(k, 40) for n, k in zip(names, (20, 24, 28, 5), strict=True)}}
    )
    recipes = [{"suites": ["sums"], "rank": 2, "seed": seed} for seed in range(3)] + [{"suites": ["sums"], "rank": 9}]
    adapters = {name: {"train": {"recipe": recipe}} for name, recipe in zip(names, recipes, strict=True)}
    arms = {
        name: {"model": "m", "adapter": name if name in names else None, "system": False} for name in ("base", *names)
    }
    earlier = replace(done, manifest={**done.manifest, "arms": arms, "adapters": adapters})
    file = _project(tmp_path)
    (sight,) = _plan(file, earlier=[earlier], detect=0.5).sights
    assert sight.seed_sd == pytest.approx(0.1)
    assert sight.seed_basis == "3 earlier candidates"
    assert _plan(file).sights[0].seed_basis.startswith("assumed")


# --- tokens, time, cost ----------------------------------------------------------------------------------------------


def test_prompt_tokens_are_those_the_run_then_sends(tmp_path: Path) -> None:
    file = _project(tmp_path)
    arms = ("base", "prompted", "lora")
    plan = _plan(file, arms)
    done = _run(file, arms=arms)
    for work in plan.works:
        sent = [row.completion.prompt_tokens for row in done.rows if row.arm == work.arm]
        assert (work.requests, work.prompt_tokens) == (40, sum(sent))
        assert work.at_most == 40 * 8
        targets = [len(FakeTokenizer().encode(row.target)) + 1 for row in done.rows if row.arm == work.arm]
        assert (work.completion_tokens, work.basis) == (sum(targets), "length of targets")
        assert work.seconds is work.usd is None
        assert work.time_basis.startswith("unknown")


def test_time_is_that_of_the_same_arm_or_at_the_rate_of_its_model(tmp_path: Path) -> None:
    file = _project(tmp_path)
    done = _run(file)
    seconds = {"sums": {"base": 20.0, "lora": 40.0}}
    timed = replace(done, manifest={**done.manifest, "seconds": seconds})
    base, prompted, lora = _plan(file, earlier=[timed]).works
    assert (base.seconds, lora.seconds) == (pytest.approx(20), pytest.approx(40))
    assert base.usd == pytest.approx(0.2)
    assert base.time_basis == f"{done.path} (fake on cpu)"
    assert base.completion_tokens == sum(row.completion.completion_tokens for row in done.rows if row.arm == "base")
    tokens = sum(row.completion.prompt_tokens + row.completion.completion_tokens for row in done.rows)
    assert prompted.prompt_tokens is not None
    assert prompted.completion_tokens is not None
    expected = (prompted.prompt_tokens + prompted.completion_tokens) / (tokens / 60)
    assert prompted.seconds == pytest.approx(expected)
    assert "tokens/s of" in prompted.time_basis
    assert all(work.seconds is None for work in _plan(file, earlier=[timed], engine="vllm").works)
    other = replace(timed, manifest={**timed.manifest, "models": {"toy": {"path": "elsewhere"}}})
    assert all(work.seconds is None for work in _plan(file, earlier=[other]).works)


def test_a_probe_asks_dev_samples_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.engines.fake import FakeEngine

    asked = []
    generate = FakeEngine.generate

    def listen(self: FakeEngine, requests: Any) -> Any:
        for request, completion in generate(self, requests):
            asked.append(self.tokenizer.decode(request.prompt_ids))
            yield request, completion

    monkeypatch.setattr(FakeEngine, "generate", listen)
    plan = _plan(_project(tmp_path, dev=6, trained=False, more="delay: 0.01"), probe=4)
    assert len(asked) == 3 * 5
    assert all(" times 3?" in prompt for prompt in asked)
    base, _, lora = plan.works
    assert base.basis == base.time_basis == "probe of 4"
    assert lora.time_basis == "probe of 4, without its adapter"
    assert base.seconds is not None
    assert 0.4 <= base.seconds < 4
    assert base.completion_tokens == 40 * 4
    assert base.usd == pytest.approx(base.seconds / 100)


def test_without_dev_samples_nothing_is_probed(tmp_path: Path) -> None:
    plan = _plan(_project(tmp_path), probe=4)
    assert plan.works[0].seconds is None
    assert plan.notes == ("sums: has no dev split; it was not probed.",)


def test_what_cannot_be_asked_or_counted_is_said(tmp_path: Path) -> None:
    file = _project(tmp_path)
    file.write_text(file.read_text().replace("arms:", "arms:\n  gold: {model: toy, retrieve: gold}"))
    plan = _plan(file, ("gold", "base"))
    assert plan.works[0].basis == "cannot be asked"
    assert "names no passages" in plan.notes[0]
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_text("{}")
    file.write_text(file.read_text().replace("path: fake", "path: ./empty").replace("costs:", "# costs:"))
    plan = _plan(file, ("base", "lora"))
    assert plan.works[0].prompt_tokens is plan.works[0].completion_tokens is None
    assert plan.trainings[0].basis == "unknown: no tokenizer"
    assert any("Tokens are unknown: models.toy: cannot load" in note for note in plan.notes)
    assert any("no costs.gpu_hour_usd" in note for note in plan.notes)


# --- training --------------------------------------------------------------------------------------------------------


def test_training_is_counted_in_tokens_and_timed_by_earlier_trainings_on_the_base(tmp_path: Path) -> None:
    file = _project(tmp_path, trained=False)
    config, suite = read_config(file), read_suite("sums", tmp_path)
    spec = config.adapters["tuned"].train
    assert spec is not None
    rows = examples(FakeTokenizer(), suite, spec, "toy", "train")
    (training,) = _plan(file).trainings
    assert (training.done, training.examples, training.tokens) == (False, 50, 2 * sum(map(len, rows)))
    assert training.seconds is None
    assert training.basis.startswith("unknown")
    card = {"training_digest": "x", "model": {"path": "fake"}, "tokens": 1000, "seconds": 10.0}
    done = make_run({"sums": {"base": right(1, 4)}}, adapters={"old": {"train": card}})
    (training,) = _plan(file, earlier=[done]).trainings
    assert training.tokens is not None
    assert training.seconds == pytest.approx(training.tokens / 100)
    assert training.usd == pytest.approx(training.tokens / 100 / 100)
    assert training.basis == "1 earlier training on toy"


def test_an_adapter_that_is_trained_already_costs_nothing_more(tmp_path: Path) -> None:
    file = _project(tmp_path)
    spec = read_config(file).adapters["tuned"].train
    assert spec is not None
    rows = examples(FakeTokenizer(), read_suite("sums", tmp_path), spec, "toy", "train")
    card = {"training_digest": "x", "recipe": asdict(spec), "data_digest": data_digest(rows)}
    (tmp_path / "tuned" / "training.json").write_text(json.dumps(card))
    assert _plan(file).trainings[0].done
    (tmp_path / "tuned" / "training.json").write_text(json.dumps({**card, "data_digest": "other rows"}))
    assert not _plan(file).trainings[0].done


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_answers_in_tables_and_in_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _project(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "-s", "sums", "--detect", "20"]) == 0
    said = capsys.readouterr().out
    for words in ("What can be seen?", "for 20 points", "unknown", "What is to be trained?"):
        assert words in said
    assert main(["run", "-s", "sums"]) == 0
    capsys.readouterr()
    assert main(["plan", "-s", "sums", "--from", "runs/sums", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert [work["arm"] for work in value["works"]] == ["base", "prompted", "lora"]
    assert value["sights"][0]["basis"] == "runs/sums: lora, base"
    assert len(read_run("runs/sums").rows) == 120


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-s", "summs"], "Did you mean 'sums'"),
        (["-a", "bass"], "Did you mean 'base'"),
        (["--from", "nowhere"], "not a run folder"),
        (["--detect", "0"], "--detect"),
        (["--probe", "0"], "--probe"),
        (["--probe", "1", "--engine", "vlm"], "Did you mean 'vllm'"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    _project(tmp_path, dev=2)
    monkeypatch.chdir(tmp_path)
    assert main(["plan", *arguments]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


def test_planning_for_the_fake_loads_no_model(tmp_path: Path) -> None:
    _project(tmp_path)
    code = "import sys, harness.cli as c; c.main(['plan']); print(sorted({'torch', 'vllm'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert out.stdout.strip().endswith("[]")
