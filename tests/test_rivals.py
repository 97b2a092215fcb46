"""Arms with lists of dials, and the reference: chosen on dev, never on test."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import pytest

import harness.rivals
import harness.runner
from harness.check import check_all
from harness.cli import main
from harness.config import read_config
from harness.data import AdapterRef, Model, Run
from harness.engines.fake import FakeEngine
from harness.errors import ConfigError, EngineError, RunError, SuiteError
from harness.looks import run_until_decided
from harness.prompt import render
from harness.report import write_report
from harness.rivals import WITHIN, pick, rescore_fairly, run_fairly
from harness.roles import reference
from harness.runner import rescore, run
from harness.store import read_run
from harness.suite import read_suite
from harness.verdict import decide, verdict_json

MODELS = """
models:
  toy: {{path: fake, engine: {{{engine}}}}}
adapters:
  tuned: {{model: toy, path: {folder}/tuned}}
arms:
  base: {{model: toy}}
  prompted: {{model: toy, system: [true, false], shots: [0, 2, 4]}}
  lora: {{model: toy, adapter: tuned}}
"""
SUITE = """
name: {name}
version: 1
prompt: {{system: Answer with the number., template: "{{input}}"}}
scorers: [{{scorer: exact}}]
sampling: {{max_tokens: 8}}
"""
SIZES = {"test": 60, "dev": 40, "shots": 4}
ANSWERS = 6 * 40 + 3 * 60
"""What an engine is asked: six combinations on dev, one of them the same as `base`, then three arms on test."""
Knows = Callable[[str, str, int, bool, int, str], bool]
"""(suite, split, number, system prompt?, shots, adapter) -> is the answer right?"""


def _project(folder: Path, suites: Sequence[str] = ("sums",), engine: str = "", **sizes: int) -> Path:
    for name in suites:
        suite = folder / "suites" / name
        suite.mkdir(parents=True, exist_ok=True)
        (suite / "suite.yaml").write_text(SUITE.format(name=name))
        for split, size in (SIZES | sizes).items():
            rows = [
                {"id": f"{split}-{i}", "input": f"{name} {split} {i} of it?", "target": str(i)} for i in range(size)
            ]
            (suite / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "tuned").mkdir(exist_ok=True)
    (folder / "tuned" / "adapter_config.json").write_text('{"r": 8}')
    (folder / "models.yaml").write_text(MODELS.format(folder=folder, engine=engine))
    return folder / "models.yaml"


def _knowing(monkeypatch: pytest.MonkeyPatch, knows: Knows) -> list[FakeEngine]:
    """Every engine opened from now on answers by the rule; returns them."""
    opened: list[FakeEngine] = []

    def answer(conversation: str, adapter: str) -> str:
        suite, split, number = conversation.rsplit("<|user|>", 1)[1].rsplit("Question: ", 1)[-1].split(" ")[:3]
        shots = conversation.count("<|user|>") - 1
        right = knows(suite, split, int(number), "<|system|>" in conversation, shots, adapter)
        return number if right else "no"

    def open_fake(model: Model, adapters: Sequence[AdapterRef], name: str | None = None) -> FakeEngine:
        opened.append(FakeEngine(model, adapters, answer))
        return opened[-1]

    monkeypatch.setattr(harness.runner, "open_engine", open_fake)
    return opened


def _two_shots_on_dev(suite: str, split: str, number: int, system: bool, shots: int, adapter: str) -> bool:
    """On dev two shots and the system prompt are best; on test that is the worst choice."""
    chosen = system and shots == 2
    return bool(adapter) or (chosen if split == "dev" else not chosen)


def _run(file: Path, arms: Sequence[str] = (), suites: Sequence[str] = ("sums",), **options: object) -> Run:
    config = read_config(file)
    chosen = [config.arms[name] for name in arms or config.arms]
    read = [read_suite(name, file.parent) for name in suites]
    return run_fairly(config, read, chosen, file.parent / "run", root=file.parent, **options)  # type: ignore[arg-type]


def _chosen(done: Run, suite: str = "sums", arm: str = "prompted") -> tuple[object, int]:
    about = done.manifest["dev"][suite]["arms"][arm]
    dials = about["tries"][about["chosen"]]
    return dials["system"], dials["shots"]


def _mean(done: Run, arm: str, suite: str = "sums") -> float:
    scores = [row.score.value for row in done.scores if (row.suite, row.arm) == (suite, arm)]
    return sum(scores) / len(scores)


# --- the choice ------------------------------------------------------------------------------------------------------


def test_the_best_on_dev_answers_test_even_where_it_is_worst_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _knowing(monkeypatch, _two_shots_on_dev)
    done = _run(_project(tmp_path))
    assert _chosen(done) == (True, 2)
    assert _mean(done, "prompted") == 0.0
    assert {len(row.messages) for row in done.rows if row.arm == "prompted"} == {6}
    tries = done.manifest["dev"]["sums"]["arms"]["prompted"]["tries"]
    assert [(one["system"], one["shots"], one["n"], one["mean"]) for one in tries] == [
        (True, 0, 40, 0.0),
        (True, 2, 40, 1.0),
        (True, 4, 40, 0.0),
        (False, 0, 40, 0.0),
        (False, 2, 40, 0.0),
        (False, 4, 40, 0.0),
    ]
    assert done.manifest["arms"]["prompted"] == {
        "model": "toy", "adapter": None, "system": [True, False], "shots": [0, 2, 4], "retrieve": 0,
    }  # fmt: skip


def test_nothing_about_test_moves_the_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name, on_test in (("a", True), ("b", False)):

        def knows(suite: str, split: str, number: int, system: bool, shots: int, adapter: str) -> bool:
            asked.append(split)
            return bool(adapter) or (shots == 4 and number % 2 == 0 if split == "dev" else on_test)  # noqa: B023

        _knowing(monkeypatch, knows)
        done = _run(_project(tmp_path / name))
        assert _chosen(done) == (False, 4)
        assert asked == sorted(asked), "every dev sample is asked before the first test sample"
        asked.clear()


def test_another_suite_may_have_another_winner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _knowing(monkeypatch, lambda suite, split, number, system, shots, adapter: shots == {"sums": 2, "more": 4}[suite])
    done = _run(_project(tmp_path, ("sums", "more")), suites=("sums", "more"))
    assert (_chosen(done, "sums"), _chosen(done, "more")) == ((False, 2), (False, 4))
    assert _mean(done, "prompted", "sums") == _mean(done, "prompted", "more") == 1.0


def test_an_arm_with_an_adapter_may_have_lists_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _project(tmp_path)
    file.write_text(file.read_text().replace("adapter: tuned}", "adapter: tuned, shots: [0, 4]}"))
    _knowing(monkeypatch, lambda suite, split, number, system, shots, adapter: bool(adapter) and shots == 4)
    done = _run(file, ("base", "lora"))
    assert _chosen(done, arm="lora") == (False, 4)
    assert _mean(done, "lora") == 1.0


@pytest.mark.parametrize(
    ("scores", "tokens", "winner"),
    [
        ([[1, 0, 1, 0], [1, 0, 1, 0]], [9, 5], 1),  # a tie: fewer tokens
        ([[1, 0, 1, 0], [1, 0, 1, 0]], [5, 5], 0),  # the same in all: the first
        ([[0] * 10, [1] * 10], [5, 900], 1),  # plainly better: whatever it costs
        ([[1] * 30 + [0] * 30, [1] * 30 + [0] * 29 + [1]], [5, 900], 0),  # one sample of sixty shows nothing
        ([[1] * 30 + [0] * 30, [1] * 40 + [0] * 20], [5, 900], 1),  # ten of sixty do
        ([[0] * 40] * 3, [7, 3, 5], 1),  # nobody knows anything: the cheapest
    ],
)
def test_ties_and_differences_that_are_not_shown_go_to_the_cheapest(
    scores: list[list[float]], tokens: list[float], winner: int
) -> None:
    assert pick(scores, tokens) == winner


def _lost(monkeypatch: pytest.MonkeyPatch, within: float) -> float:
    """Mean true score that the choice falls short of the best: 6 combinations around 55 %, s.d. 6 points, 60 samples.

    Harder samples are harder for all; dearer combinations are no better on average than cheaper ones.
    """
    monkeypatch.setattr(harness.rivals, "WITHIN", within)
    rng, lost = random.Random(0), []
    for _ in range(500):
        truth = [min(0.98, rng.gauss(0.55, 0.06)) for _ in range(6)]
        limits = [NormalDist().inv_cdf(t) * 1.64**0.5 for t in truth]
        hard = [rng.gauss(0, 1) for _ in range(60)]
        scores = [[float(h + 0.8 * rng.gauss(0, 1) < limit) for h in hard] for limit in limits]
        lost.append(max(truth) - truth[pick(scores, range(6))])
    return sum(lost) / len(lost)


def test_one_standard_error_costs_the_rival_little(monkeypatch: pytest.MonkeyPatch) -> None:
    best, ours, shown = (_lost(monkeypatch, within) for within in (0.0, WITHIN, 1.96))
    assert best + 0.02 > ours
    assert shown > ours + 0.015


# --- nothing twice ---------------------------------------------------------------------------------------------------


def _stored(folder: Path) -> Counter[tuple[str, str]]:
    lines = (folder / "completions.jsonl").read_text().splitlines()
    return Counter((row["arm"], row["sample"]) for row in map(json.loads, lines))


@pytest.mark.parametrize("die_after", [100, 300])  # while dev is answered, and while test is
def test_a_run_broken_off_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, die_after: int) -> None:
    opened = _knowing(monkeypatch, _two_shots_on_dev)
    file = _project(tmp_path, engine=f"die_after: {die_after}")
    with pytest.raises(EngineError):
        _run(file)
    _project(tmp_path)
    done = _run(file)
    assert sum(engine._given for engine in opened) == ANSWERS
    for folder, rows in ((tmp_path / "run", 180), (tmp_path / "run" / "dev", 280)):
        assert max(_stored(folder).values()) == 1
        assert sum(_stored(folder).values()) == rows
    again = _run(file)
    assert (again.rows, again.manifest["dev"]) == (done.rows, done.manifest["dev"])
    assert sum(engine._given for engine in opened) == ANSWERS


def test_kill_9_while_dev_is_answered_loses_nothing(tmp_path: Path) -> None:
    file = _project(tmp_path, engine="delay: 0.01")
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_rivals import _run; "
        f"from pathlib import Path; _run(Path({str(file)!r}))"
    )
    completions = tmp_path / "run" / "dev" / "completions.jsonl"
    seen = 0
    for _ in range(2):
        child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and child.poll() is None:
            lines = completions.read_bytes().count(b"\n") if completions.is_file() else 0
            if lines >= seen + 10:
                break
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        now = completions.read_bytes().count(b"\n")
        assert now >= seen + 10
        seen = now
    _project(tmp_path)
    done = _run(file)
    assert max(_stored(tmp_path / "run" / "dev").values()) == max(_stored(tmp_path / "run").values()) == 1
    assert len(read_run(tmp_path / "run" / "dev").rows) == 280
    assert _chosen(done) == (False, 0)


def test_dev_and_test_share_one_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = _knowing(monkeypatch, _two_shots_on_dev)
    _run(_project(tmp_path))
    assert len(opened) == 1


def test_dev_answers_of_another_run_are_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = _knowing(monkeypatch, _two_shots_on_dev)
    file = _project(tmp_path)
    first = _run(file)
    (tmp_path / "run").rename(tmp_path / "first")
    done = _run(file, reuse=[read_run(tmp_path / "first")])
    assert sum(engine._given for engine in opened) == ANSWERS
    assert {row.key for row in done.rows} == {row.key for row in first.rows}


def test_until_decided_chooses_before_its_first_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = _knowing(
        monkeypatch,
        lambda suite, split, number, system, shots, adapter: bool(adapter) or (shots == 2 and number % 2 > 0),
    )
    file = _project(tmp_path)
    config = read_config(file)
    suite, arms = read_suite("sums", tmp_path), list(config.arms.values())
    done = run_until_decided(config, [suite], arms, tmp_path / "run", root=tmp_path)
    assert _chosen(done) == (False, 2)
    assert done.manifest["suites"]["sums"]["n_asked"] < 60
    assert [v.decision for v in decide(done) if v.suite == "sums"] == ["adopt"]
    given = sum(engine._given for engine in opened)
    assert given == 240 + len(done.rows)
    again = run_until_decided(config, [suite], arms, tmp_path / "run", root=tmp_path)
    assert (sum(engine._given for engine in opened), again.rows) == (given, done.rows)


# --- limits and mistakes ---------------------------------------------------------------------------------------------


def test_dev_limit_asks_the_first_dev_samples_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _knowing(monkeypatch, _two_shots_on_dev)
    done = _run(_project(tmp_path), dev_limit=10)
    assert {one["n"] for one in done.manifest["dev"]["sums"]["arms"]["prompted"]["tries"]} == {10}
    assert "base" not in done.manifest["dev"]["sums"]["arms"], "ten samples choose no reference"
    assert len(read_run(tmp_path / "run" / "dev").rows) == 60


def test_more_dev_samples_that_choose_otherwise_need_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _knowing(
        monkeypatch,
        lambda suite, split, number, system, shots, adapter: bool(adapter) or (shots == (2 if number < 10 else 4)),
    )
    file = _project(tmp_path)
    assert _chosen(_run(file, dev_limit=10)) == (False, 2)
    with pytest.raises(RunError, match=r"chosen on 10 dev samples; on 40 others are chosen\. Use the same"):
        _run(file)


def test_other_dev_samples_need_another_folder(tmp_path: Path) -> None:
    file = _project(tmp_path)
    _run(file)
    _project(tmp_path, dev=41)
    with pytest.raises(RunError, match="dev: holds suite 'sums' version 1"):
        _run(file)


def test_the_tries_are_a_run_of_their_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _run(_project(tmp_path))
    assert main(["compare", str(tmp_path / "run" / "dev"), "--csv"]) == 0
    assert capfd.readouterr().out.count('sums,"prompted/system=') == 6


@pytest.mark.parametrize(
    ("sizes", "options", "error", "message"),
    [
        ({"dev": 0}, {}, SuiteError, "suite sums: 0 dev samples to choose the dials of arm 'prompted' on. Add"),
        ({}, {"dev": False}, ConfigError, "arm 'prompted': lists several dials, which are chosen on dev. Give it"),
    ],
)
def test_lists_that_cannot_be_chosen_from_are_one_clear_line(
    tmp_path: Path, sizes: dict[str, int], options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        _run(_project(tmp_path, **sizes), **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "dev" / "completions.jsonl").exists()


def test_check_says_that_lists_need_dev_samples(tmp_path: Path) -> None:
    file = _project(tmp_path, dev=0)
    assert "prompted lists dials, which are chosen on dev; 0 dev samples are too few" in check_all((), file).as_text()


def test_the_bare_pipeline_refuses_lists(tmp_path: Path) -> None:
    config = read_config(_project(tmp_path))
    suite = read_suite("sums", tmp_path)
    with pytest.raises(ConfigError, match="arm 'prompted': lists several dials, which are chosen on dev before sums"):
        run(config, [suite], [config.arms["prompted"]], tmp_path / "run", root=tmp_path)


def test_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["run", "--config", str(_project(tmp_path)), "-s", "sums", "--out", str(tmp_path / "cli")]
    assert main([*command, "--no-dev"]) == 2
    assert "leave out --no-dev" in capfd.readouterr().err
    assert main([*command, "--no-dev", "--dev-limit", "5"]) == 2
    assert "exclude each other" in capfd.readouterr().err
    assert main([*command, "--dev-limit", "5"]) == 0
    told = capfd.readouterr().err
    assert "dev: up to 30 answers to choose from, before test is asked" in told
    assert "prompted answers test as prompted/system=false,shots=0,retrieve=0 (0.0 %, n=5, 6 tried)" in told
    assert main([*command[:-1], str(tmp_path / "plain"), "-a", "base", "-a", "lora", "--no-dev"]) == 0
    assert not (tmp_path / "plain" / "dev").exists()


# --- system prompts --------------------------------------------------------------------------------------------------


def test_system_prompts_by_name_as_text_and_from_a_file(tmp_path: Path) -> None:
    file = _project(tmp_path)
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace("prompt: {", "prompt: {systems: {terse: 'Only digits, please.'}, "))
    (tmp_path / "long.txt").write_text("You are careful.\nCheck twice.\n")
    listed = "system: [true, false, terse, Be a clerk., {file: long.txt}], shots: [0]"
    file.write_text(file.read_text().replace("system: [true, false], shots: [0, 2, 4]", listed))
    read = read_suite("sums", tmp_path)
    tries = read_config(file).arms["prompted"].tries
    said = [[turn["content"] for turn in render(read, one, read.test[0])[:-1]] for one in tries]
    assert said == [
        ["Answer with the number."],
        [],
        ["Only digits, please."],
        ["Be a clerk."],
        ["You are careful.\nCheck twice."],
    ]
    assert len({one.name for one in tries}) == 5
    done = _run(file, ("prompted",))
    assert len(done.manifest["dev"]["sums"]["arms"]["prompted"]["tries"]) == 5


def test_a_name_that_the_suite_lacks_is_one_clear_line(tmp_path: Path) -> None:
    file = _project(tmp_path)
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace("prompt: {", "prompt: {systems: {terse: 'Only digits, please.'}, "))
    file.write_text(file.read_text().replace("system: [true, false]", "system: [true, terce]"))
    with pytest.raises(SuiteError, match=r"no system prompt 'terce'\. Did you mean 'terse'\?") as caught:
        _run(file)
    assert "\n" not in str(caught.value)
    assert "no system prompt 'terce'" in check_all((), file).as_text()


@pytest.mark.parametrize(
    ("systems", "message"),
    [
        ("{two words: Be terse.}", "prompt.systems: 'two words' is not a name. Use one word"),
        ("{terse: ''}", "prompt.systems.terse: the prompt is empty."),
        ("{terse: 3}", "prompt.systems.terse: must be text, not 3."),
        ("[terse]", "prompt.systems: must be a mapping, not a list."),
        ("{yes: Be terse.}", "prompt.systems: 'True' is not a name."),
    ],
)
def test_a_mistake_in_systems_is_one_clear_line(tmp_path: Path, systems: str, message: str) -> None:
    _project(tmp_path)
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace("prompt: {", f"prompt: {{systems: {systems}, "))
    with pytest.raises(SuiteError) as caught:
        read_suite("sums", tmp_path)
    assert message in str(caught.value)


def test_a_named_system_prompt_is_part_of_the_suite(tmp_path: Path) -> None:
    _project(tmp_path)
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    text = suite.read_text()
    digests = {read_suite("sums", tmp_path).digest}
    for prompt in ("Be terse.", "Be brief."):
        suite.write_text(text.replace("prompt: {", f"prompt: {{systems: {{terse: {prompt}}}, "))
        digests.add(read_suite("sums", tmp_path).digest)
    assert len(digests) == 3


def test_no_system_prompt_of_a_suite_may_give_an_answer_away(tmp_path: Path) -> None:
    file = _project(tmp_path)
    suite = tmp_path / "suites" / "sums"
    (suite / "test.jsonl").write_text('{"id": "t", "input": "The capital of Peru?", "target": "Lima, Peru"}\n')
    (suite / "suite.yaml").write_text(
        (suite / "suite.yaml").read_text().replace("prompt: {", "prompt: {systems: {spoiled: 'Say Lima, Peru.'}, ")
    )
    assert "FAIL sums: no prompt contains its target: t" in check_all((), file).as_text()


# --- the reference ---------------------------------------------------------------------------------------------------


def _base_wins_on_test(suite: str, split: str, number: int, system: bool, shots: int, adapter: str) -> bool:
    """The prompted arm is the better one on dev, the bare one on test; the adapter knows more than both."""
    if adapter:
        return number % 10 > 0
    return number % 2 == 0 if (shots == 2) == (split == "dev") else number % 10 == 1


def _plain_project(folder: Path, suites: Sequence[str] = ("sums",), **sizes: int) -> Path:
    file = _project(folder, suites, **sizes)
    file.write_text(file.read_text().replace("system: [true, false], shots: [0, 2, 4]", "shots: 2"))
    return file


def _trust(done: Run, folder: Path) -> str:
    return write_report([done], folder / "page.html").markdown.read_text("utf-8")


def test_the_reference_is_chosen_on_dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.compare import tabulate

    _knowing(monkeypatch, _base_wins_on_test)
    done = _run(_plain_project(tmp_path))
    assert _mean(done, "base") > _mean(done, "prompted")
    assert reference(tabulate(done), "sums") == ("prompted", "the best arm without fine-tuning, chosen on dev")
    (verdict,) = [v for v in decide(done) if v.suite == "sums"]
    assert verdict.reference == "prompted"
    assert "for prompted, the best arm without fine-tuning, chosen on dev: " in verdict.sentence
    said = _trust(done, tmp_path)
    assert "The reference was chosen on dev samples, not on these: sums." in said
    assert "on these same samples" not in said


def test_the_report_tells_suites_with_and_without_dev_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _knowing(monkeypatch, _base_wins_on_test)
    file = _plain_project(tmp_path, suites=("sums", "more"))
    (tmp_path / "suites" / "more" / "dev.jsonl").unlink()
    said = _trust(_run(file, suites=("sums", "more")), tmp_path)
    assert "The reference was chosen on dev samples, not on these: sums." in said
    assert "The reference of more is the best of 2 arms on these same samples." in said


@pytest.mark.parametrize("how", ["no dev", "few dev samples", "an arm added without dev", "scored anew"])
def test_otherwise_the_reference_is_chosen_on_the_same_samples_and_the_report_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    from harness.compare import tabulate

    _knowing(monkeypatch, _base_wins_on_test)
    file = _plain_project(tmp_path, dev=29 if how == "few dev samples" else 40)
    if how == "an arm added without dev":
        _run(file, ("base", "lora"))
    done = _run(file, dev=how != "no dev")
    if how == "scored anew":
        suite = tmp_path / "suites" / "sums" / "suite.yaml"
        suite.write_text(suite.read_text().replace("scorer: exact", "scorer: answer"))
        done = rescore(tmp_path / "run", {"sums": read_suite("sums", tmp_path)})
    if how == "an arm added without dev":
        assert reference(tabulate(done), "sums")[0] == "prompted", "base answers dev with the second call"
        return
    assert reference(tabulate(done), "sums") == ("base", "the best arm without fine-tuning")
    assert "The reference of each suite is the best of 2 arms on these same samples." in _trust(done, tmp_path)


@pytest.mark.parametrize("line", ["{broken", '{"suite": "sums", "value": null}'])
def test_scoring_again_needs_no_scores_that_can_be_read(
    tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = read_config(_project(tmp_path))
    before = run_fairly(config, [read_suite("sums", tmp_path)], list(config.arms.values()), tmp_path / "run")
    for folder in (tmp_path / "run", tmp_path / "run" / "dev"):
        assert read_run(folder).scores
        (folder / "scores.jsonl").write_text(f"{line}\n" * 2)
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "run"]) == 2
    assert "harness score RUN" in capsys.readouterr().err
    assert main(["score", "run"]) == 0
    after = read_run(tmp_path / "run")
    assert (sorted(map(str, after.scores)), after.manifest["dev"]) == (
        sorted(map(str, before.scores)), before.manifest["dev"],
    )  # fmt: skip


def test_scoring_anew_scores_dev_anew_and_the_run_can_be_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.compare import tabulate

    _knowing(monkeypatch, _two_shots_on_dev)
    file = _project(tmp_path)
    _run(file)
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace("scorer: exact", "scorer: similarity"))
    done = rescore_fairly(tmp_path / "run", {"sums": read_suite("sums", tmp_path)})
    assert _chosen(done) == (True, 2)
    assert reference(tabulate(done), "sums")[1] == "the best arm without fine-tuning, chosen on dev"
    assert {row.scorer for row in read_run(tmp_path / "run" / "dev").scores} == {"similarity"}
    tries = done.manifest["dev"]["sums"]["arms"]["prompted"]["tries"]
    assert [one["mean"] for one in tries] == [0, 1, 0, 0, 0, 0]
    again = _run(file)
    assert (again.rows, again.manifest["dev"]) == (done.rows, done.manifest["dev"])


def test_a_ceiling_is_no_rival(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _knowing(monkeypatch, _base_wins_on_test)
    file = _plain_project(tmp_path)
    file.write_text(file.read_text().replace("shots: 2}", "shots: 2}\n  ceiling: {model: toy, retrieve: gold}"))
    suite = tmp_path / "suites" / "sums"
    (suite / "corpus.jsonl").write_text('{"id": "p", "text": "A passage."}\n')
    rows = [json.loads(line) for line in (suite / "test.jsonl").read_text().splitlines()]
    named = [row | {"metadata": {"passage": "p"}} for row in rows]
    (suite / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in named))
    done = _run(file)
    assert set(done.manifest["dev"]["sums"]["arms"]) == {"base", "prompted"}
    assert "chosen on dev samples, not on these: sums." in _trust(done, tmp_path)


def test_prompts_that_no_arm_adds_to_leave_nothing_to_choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _knowing(monkeypatch, _base_wins_on_test)
    file = _project(tmp_path)
    config, suite = read_config(file), read_suite("sums", tmp_path)
    turns = [{"role": "user", "content": "sums test 1 of it?"}]
    whole = replace(suite, test=tuple(replace(one, input=tuple(turns), as_is=True) for one in suite.test[:5]), dev=())
    done = run_fairly(config, [whole], list(config.arms.values()), tmp_path / "run", root=tmp_path)
    assert (done.manifest["dev"], len(done.rows)) == ({}, 15)
    assert decide(done)


def test_general_suites_ask_no_dev_samples_of_arms_without_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _knowing(monkeypatch, _base_wins_on_test)
    file = _plain_project(tmp_path)
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text() + "kind: general\n")
    assert _run(file).manifest["dev"] == {}
    assert not (tmp_path / "run" / "dev").exists()


# --- what is said ----------------------------------------------------------------------------------------------------


def test_report_and_verdict_show_the_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _knowing(monkeypatch, _two_shots_on_dev)
    done = _run(_project(tmp_path))
    (verdict,) = [v for v in decide(done) if v.suite == "sums"]
    assert "prompted answers with dials chosen on dev among 6 combinations (n=40)." in verdict.reasons
    paths = write_report([done], tmp_path / "page.html")
    page, text = paths.html.read_text("utf-8"), paths.markdown.read_text("utf-8")
    assert "chosen on dev among 6: system prompt, 2 examples" in page
    assert page.count('<span class="tag">answers test</span>') == 2
    assert "Dials were chosen on dev, never on test: prompted among 6 combinations." in page
    rows = [line for line in text.splitlines() if line.startswith("| prompted |") and "| 40 |" in line]
    assert len(rows) == 6
    assert [row for row in rows if row.endswith("| yes |")] == [rows[1]]
    assert "| prompted | system prompt, 2 examples | 100.0\xa0% | 40 |" in rows[1]
    assert verdict_json(done)["dev"]["sums"]["arms"]["prompted"]["chosen"] == 1
    assert json.dumps(verdict_json(done))


def test_different_dials_on_different_suites_are_named_by_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _knowing(monkeypatch, lambda suite, split, number, system, shots, adapter: shots == {"sums": 2, "more": 4}[suite])
    done = _run(_project(tmp_path, ("sums", "more")), suites=("sums", "more"))
    assert "chosen on dev among 6: sums: 2 examples; more: 4 examples" in _trust(done, tmp_path)


def test_few_dev_samples_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _knowing(monkeypatch, _two_shots_on_dev)
    done = _run(_project(tmp_path), dev_limit=10)
    assert "Fewer than 30 dev samples chose the dials of prompted on sums." in _trust(done, tmp_path)
