"""From models.yaml to adapters: data that is looked at first, sweeps chosen on dev, losers dropped, curves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from click.testing import CliRunner
from project import make_project
from runs import make_run
from test_train import made_up, spec, tiny

from harness.cli import cli
from harness.config import read_config
from harness.data import Completion, Config, Model, Request
from harness.engines.fake import FakeTokenizer
from harness.errors import AdapterError, ConfigError, HarnessError, SuiteError
from harness.suite import read_suite
from harness.train.candidate import curve, train_candidates
from harness.train.card import read_card, training_digest
from harness.train.data import TrainRow
from harness.train.examine import examine
from harness.train.served import DevScores
from harness.train.steps import Candidate, Validation, drop_losers, fit, prepare
from harness.verdict import decide

YAML = """
models: {{small: {{path: embedded}}}}
adapters: {{a: {{model: small, train: {{suite: sums, rank: 1, batch_size: 4, {more}}}}}}}
arms: {{a: {{model: small, adapter: a}}, base: {{model: small}}}}
"""


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def project(folder: Path, more: str) -> Config:
    """sums, with a dev split of eight, and one adapter."""
    make_project(folder)
    rows = [json.dumps({"id": f"dev-{i}", "input": f"Is {i}{i} odd or even?", "target": "odd"}) for i in range(8)]
    (folder / "suites" / "sums" / "dev.jsonl").write_text("\n".join(rows) + "\n")
    (folder / "models.yaml").write_text(YAML.format(more=more))
    return read_config(folder / "models.yaml")


def train_rows(folder: Path, rows: list[tuple[str, str]]) -> None:
    lines = [json.dumps({"id": f"t-{i}", "input": q, "target": a}) for i, (q, a) in enumerate(rows)]
    (folder / "suites" / "sums" / "train.jsonl").write_text("\n".join(lines) + "\n")


# --- looked at before training ----------------------------------------------------------------------------------------


def test_the_train_split_is_examined_and_the_rows_are_named(tmp_path: Path) -> None:
    project(tmp_path, "max_steps: 1")
    plain = [(f"What is {i} times two, said in words and in figures?", f"it is {2 * i}") for i in range(20)]
    test = json.loads((tmp_path / "suites" / "sums" / "test.jsonl").read_text().splitlines()[0])
    train_rows(
        tmp_path, [*plain, plain[3], (plain[4][0], "it is 9"), ("Say yes.", "y"), (test["input"], test["target"])]
    )
    suite = read_suite("sums", tmp_path)
    rows = [TrainRow(tuple(s.input.encode()), (*s.target.encode(), 2), s.id) for s in suite.train]
    found = examine(suite, rows)
    assert (found.rows, found.score, found.failing) == (24, 1.0, ())
    assert found.repeated == ("t-20",)
    assert found.torn == ("t-4", "t-21")
    assert found.empty == ("t-22",)
    assert found.in_test == (test["id"],)
    assert found.in_dev == ()
    text = "\n".join(found.lines())
    assert "the completions score 100.0 % on the suite's own scorer" in text
    assert "1 repeat an earlier row: t-20" in text


def test_completions_that_fail_their_own_scorer_are_named_and_many_are_refused(tmp_path: Path) -> None:
    project(tmp_path, "max_steps: 1")
    scorer = (
        "from harness.data import Score\n\n\ndef short(suite_path):\n"
        "    return lambda sample, said: Score(float(len(said.text) < {most}))\n"
    )
    (tmp_path / "suites" / "sums" / "suite.yaml").write_text(
        'name: sums\nversion: 1\nprompt: {template: "{input}"}\nscorers: [{scorer: "scorer.py:short", name: short}]\n'
        "sampling: {max_tokens: 8}\n"
    )
    file = tmp_path / "suites" / "sums" / "scorer.py"
    file.write_text(scorer.format(most=6))
    train_rows(tmp_path, [(f"Question {i}?", "a very long answer" if i == 7 else "short") for i in range(20)])
    suite = read_suite("sums", tmp_path)
    rows = [TrainRow((5, i + 9), (6, 2)) for i in range(20)]
    found = examine(suite, rows)
    assert (found.score, found.failing) == (0.95, ("t-7",))
    file.write_text(scorer.format(most="3.0"))  # of another length: a module of the same second and size is cached
    with pytest.raises(SuiteError, match=r"20 training completions score 0\.0 % on its own scorer 'short' \(t-0, t-1"):
        examine(suite, rows)


# --- dev on the way ---------------------------------------------------------------------------------------------------


def scored(values: list[float]) -> Any:
    """A dev scorer that gives these means in turn, over two samples."""
    left = iter(values)
    return lambda base: [next(left)] * 2


def test_the_best_weights_on_dev_are_kept_and_patience_ends_a_training() -> None:
    recipe = spec(epochs=2, validate=6, patience=2)
    trunk, (one,) = prepare(tiny(), [("a", recipe, made_up(12))])
    one.score = scored([0.2, 0.6, 0.5, 0.6])
    fit(trunk, [one])
    assert [(v.step, v.mean) for v in one.dev] == [(1, 0.2), (2, 0.6), (3, 0.5), (4, 0.6)]
    assert one.ended == "stopped early at step 4: 2 validations without a better score"
    trunk, (two,) = prepare(tiny(), [("a", spec(epochs=2), made_up(12))])
    assert len(two.steps) == 6
    states = []
    fit(
        trunk,
        [two],
        progress=lambda step, *_: states.append({n: t.detach().clone() for n, t in two.weights.named().items()}),
    )
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in one.weights.named().items())
    assert not all(torch.equal(tensor, states[3][name]) for name, tensor in one.weights.named().items())


def rivals(*scores: list[list[float]]) -> list[Candidate]:
    names = "abcdef"
    wishes = [(names[place], spec(epochs=9), made_up(8)) for place in range(len(scores))]
    _, candidates = prepare(tiny(), wishes)
    for one, mine in zip(candidates, scores, strict=True):
        one.dev = [Validation(step, tuple(values)) for step, values in enumerate(mine, 1)]
        one.rival = "sums"
    return candidates


def test_a_candidate_clearly_behind_on_dev_is_dropped_and_a_close_one_is_not() -> None:
    best, close, far = [1.0] * 18 + [0.0] * 2, [1.0] * 16 + [0.0] * 4, [1.0] * 4 + [0.0] * 16
    candidates = rivals([best], [close], [far])
    drop_losers(candidates)
    assert [one.ended for one in candidates] == ["", "", "dropped at step 0: 70.0 points behind a on 20 dev samples"]
    other = rivals([best], [far])
    other[1].rival = "another suite"
    drop_losers(other)
    assert not any(one.ended for one in other)
    ahead = rivals([best, best], [far])
    drop_losers(ahead)
    assert ahead[1].ended, "it is compared with what the leader had after as many validations"


# --- whole trainings --------------------------------------------------------------------------------------------------


def test_a_sweep_is_chosen_on_dev_and_its_card_names_every_try(tmp_path: Path) -> None:
    config = project(tmp_path, "learning_rate: [1.0e-7, 2.0e-2], max_steps: 12, system: false")
    train_rows(tmp_path, [(f"Is {i} odd or even?", "odd") for i in range(11, 51)])
    (said,) = train_candidates(config, [config.adapters["a"]], tmp_path)
    card = read_card(config.adapters["a"].path)
    assert card is not None
    assert [(one["learning_rate"], one["dev_score"], one["n"]) for one in card["tries"]] == [
        (1e-7, 0.0, 8),
        (2e-2, 1.0, 8),
    ]
    assert card["chosen"] == 1
    assert card["recipe"]["learning_rate"] == 2e-2
    assert "chosen on dev among 2: learning_rate 0.02" in said
    assert card["served"]["max_nats"] <= 1e-5
    assert card["data_check"][0]["rows"] == 40
    (again,) = train_candidates(config, [config.adapters["a"]], tmp_path)
    assert "already trained" in again


def test_the_verdict_says_among_how_many_recipes_an_adapter_was_chosen() -> None:
    tries = [{"learning_rate": rate, "dev_score": 0.5, "n": 50} for rate in (1e-4, 2e-4, 5e-4)]
    adapters = {"a": {"model": "m", "digest": "d", "train": {"tries": tries, "chosen": 1}}}
    scores = {"sql": {"base": [0.0] * 40, "lora": [1.0] * 40}}
    (verdict,) = [one for one in decide(make_run(scores, adapters=adapters)) if one.suite == "sql"]
    assert "lora's adapter was chosen on dev among 3 training recipes (n=50)." in verdict.reasons
    (verdict,) = [one for one in decide(make_run(scores)) if one.suite == "sql"]
    assert not [reason for reason in verdict.reasons if "training recipes" in reason]


def test_candidates_of_one_sweep_may_be_dropped_and_the_card_says_so(tmp_path: Path) -> None:
    config = project(tmp_path, "learning_rate: [1.0e-7, 2.0e-2], max_steps: 16")
    train_rows(tmp_path, [(f"Is {i} odd or even?", "odd") for i in range(11, 51)])
    list(train_candidates(config, [config.adapters["a"]], tmp_path, drop_losers=True))
    card = read_card(config.adapters["a"].path)
    assert card is not None
    assert [bool(one["ended"]) for one in card["tries"]] == [True, False]
    assert "dropped at step" in card["tries"][0]["ended"]
    assert "points behind lr0.02" in card["tries"][0]["ended"]


def test_a_curve_has_five_sizes_of_three_seeds_and_a_config_to_run_them(tmp_path: Path) -> None:
    config = project(tmp_path, "max_steps: 1")
    adapters, text = curve(config, config.adapters["a"])
    recipes = [one.train for one in adapters if one.train]
    assert sorted({recipe.data_fraction for recipe in recipes}) == [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0]
    assert {recipe.seed for recipe in recipes} == {0, 1, 2}
    (tmp_path / "models.a-curve.yaml").write_text(text)
    written = read_config(tmp_path / "models.a-curve.yaml")
    assert [written.adapters[one.name].train for one in adapters] == recipes
    assert {written.arms[one.name].adapter for one in adapters} == {one.name for one in adapters}
    assert yaml.safe_load(text)["arms"]["base"] == {"model": "small"}


def test_the_curve_is_trained_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path, "max_steps: 1")
    monkeypatch.setattr("harness.train.candidate.CURVE_FRACTIONS", (0.25, 1.0))
    monkeypatch.setattr("harness.train.candidate.CURVE_SEEDS", (0, 1))
    done = CliRunner().invoke(cli, ["train", "a", "--curve", "--config", str(tmp_path / "models.yaml")])
    assert done.exit_code == 0, done.output
    assert "a-0.25-seed1: trained in" in done.output
    assert f"harness run --config {tmp_path / 'models.a-curve.yaml'} -s sums -a a-0.25-seed0" in done.output
    cards = [read_card(path.parent) for path in tmp_path.glob("adapters/a.curve/*/training.json")]
    assert sorted(card["examples"] for card in cards if card) == [12, 12, 50, 50]


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ("use_dora: true", ConfigError, "engines refuse DoRA"),
        ("bias: all", ConfigError, "engines refuse a trained bias"),
        ("rank: 0", ConfigError, "rank"),
        ("rank: 1024", ConfigError, "rank"),
        ("learning_rate: [1.0e-3]", ConfigError, "1 recipes; 2 to 24"),
        ("learning_rate: [1.0e-3, 1.0e-3]", ConfigError, "names a value twice"),
        ("batch_size: [1, 2]", ConfigError, "batch_size"),
        ("target_modules: [q_prj]", AdapterError, "the model has down_proj, .*Did you mean 'q_proj'"),
    ],
)
def test_what_an_engine_would_refuse_is_refused_before_training(
    tmp_path: Path, more: str, error: type[Exception], words: str
) -> None:
    def asked() -> None:
        project(tmp_path, "max_steps: 1")
        (tmp_path / "models.yaml").write_text(YAML.format(more=more).replace("rank: 1, batch_size: 4, r", "r"))
        config = read_config(tmp_path / "models.yaml")
        list(train_candidates(config, [config.adapters["a"]], tmp_path))

    with pytest.raises(error, match=words) as caught:
        asked()
    assert "\n" not in str(caught.value)


def test_answers_on_dev_that_would_not_fit_the_context_are_refused_before_training(tmp_path: Path) -> None:
    config = project(tmp_path, "max_steps: 1, validate: 2")
    file = tmp_path / "suites" / "sums" / "suite.yaml"
    file.write_text(file.read_text().replace("max_tokens: 8", "max_tokens: 1020"))
    with pytest.raises(HarnessError, match=r"1020 for the answer do not fit the model.s context of 1024"):
        list(train_candidates(config, [config.adapters["a"]], tmp_path))
    assert not (tmp_path / "adapters").exists()


def test_validation_without_a_dev_split_is_one_line(tmp_path: Path) -> None:
    config = project(tmp_path, "max_steps: 1, validate: 2")
    (tmp_path / "suites" / "sums" / "dev.jsonl").unlink()
    with pytest.raises(SuiteError, match="no dev split to validate on"):
        list(train_candidates(config, [config.adapters["a"]], tmp_path))


def test_another_dev_split_or_scorer_chooses_again(tmp_path: Path) -> None:
    config = project(tmp_path, "max_steps: 1, validate: 1, dev_limit: 4")
    suites = tmp_path / "suites" / "sums"
    adapter = config.adapters["a"]

    def chosen_by() -> str:
        assert adapter.train
        return DevScores(config.models["small"], [read_suite("sums", tmp_path)], adapter.train).identity

    first = chosen_by()
    lines = (suites / "dev.jsonl").read_text().splitlines()
    (suites / "dev.jsonl").write_text("\n".join([*lines[:-1], lines[-1].replace("77", "78")]) + "\n")
    assert chosen_by() == first, "beyond dev_limit"
    (suites / "dev.jsonl").write_text("\n".join([lines[0].replace("00", "02"), *lines[1:]]) + "\n")
    second = chosen_by()
    (suites / "suite.yaml").write_text((suites / "suite.yaml").read_text().replace("exact", "similarity"))
    assert len({first, second, chosen_by()}) == 3
    assert len({training_digest(spec(), "b", "d", said) for said in ("", first, second)}) == 3


def test_dev_answers_are_read_as_a_run_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the thinking, and all draws of a question."""
    config = project(tmp_path, "max_steps: 1, validate: 1")
    file = tmp_path / "suites" / "sums" / "suite.yaml"
    file.write_text(file.read_text().replace("max_tokens: 8", "max_tokens: 8, temperature: 1.0, samples: 2"))

    class Thinking:
        tokenizer = FakeTokenizer()

        def __init__(self, model: Model, weights: Any) -> None:
            pass

        def generate(self, requests: list[Request]) -> Any:
            for place, request in enumerate(requests):
                yield request, Completion(f"<think>hm</think>{'even' if place % 2 else 'odd'}")

    class Base:
        class config:
            _attn_implementation = "eager"

        def set_attn_implementation(self, name: str) -> None:
            pass

    monkeypatch.setattr("harness.engines.hf.TransformersEngine", Thinking)
    recipe = config.adapters["a"].train
    assert recipe
    assert DevScores(config.models["small"], [read_suite("sums", tmp_path)], recipe)(Base()) == [0.5] * 8


def test_an_engine_of_another_type_is_held_to_the_trainer_in_the_trainers(tmp_path: Path) -> None:
    config = project(tmp_path, "max_steps: 1")
    config = replace(config, models={"small": replace(config.models["small"], engine={"dtype": "bfloat16"})})
    list(train_candidates(config, [config.adapters["a"]], tmp_path))
    card = read_card(config.adapters["a"].path)
    assert card is not None
    assert card["served"]["max_nats"] <= 1e-5


def test_a_sweep_into_a_foreign_folder_is_refused_before_training(tmp_path: Path) -> None:
    config = project(tmp_path, "learning_rate: [1.0e-7, 2.0e-2], max_steps: 1")
    Path(config.adapters["a"].path).mkdir(parents=True)
    with pytest.raises(AdapterError, match="was not made by harness train"):
        list(train_candidates(config, [config.adapters["a"]], tmp_path))
    assert not Path(f"{config.adapters['a'].path}.tries").exists()
