"""A run that is finished needs no engine; what has changed since is found out without one, and asked with one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import KEY, serve
from project import SUITE, make_project

import harness.runner
from harness.cli import main
from harness.config import read_config
from harness.data import AdapterRef, Completion, Model, Request, Run
from harness.engines import open_engine
from harness.engines.fake import FakeEngine
from harness.errors import EngineError, RunError
from harness.runner import run
from harness.store import read_run
from harness.suite import read_suite

OPENED = "weights are loaded"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models whose engine was opened, in order."""
    names: list[str] = []

    def noted(model: Model, adapters: tuple[AdapterRef, ...], name: Any) -> Any:
        names.append(model.name)
        return open_engine(model, adapters, name)

    monkeypatch.setattr(harness.runner, "open_engine", noted)
    return names


def _run(file: Path, out: Path, arms: tuple[str, ...] = ("base", "lora"), **options: Any) -> Run:
    config = read_config(file)
    suite = read_suite("sums", file.parent)
    return run(config, [suite], [config.arms[name] for name in arms], out, **{"twice": True, **options})


def _answered_by(manifest: Any) -> dict[str, Any]:
    """What run.json says of how its answers came to be."""
    names = ("engine", "hardware", "git", "harness", "finished", "opened", "again", "seconds", "timed", "models")
    return {name: manifest.get(name) for name in (*names, "adapters", "arms", "suites", "created")}


# --- finished --------------------------------------------------------------------------------------------------------


def test_a_finished_run_opens_no_engine_and_changes_nothing(
    tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_project(tmp_path)
    first = _run(file, tmp_path / "run", ("base", "prompted", "lora"))
    kept = {name: (tmp_path / "run" / f"{name}.jsonl").read_bytes() for name in ("completions", "scores")}
    assert "answering (fake): 120 answers" in capsys.readouterr().err
    monkeypatch.setattr("harness.manifest.hardware", lambda: {"gpu": "another one"})
    again = _run(file, tmp_path / "run", ("base", "prompted", "lora"))
    assert opened == ["toy"]
    assert capsys.readouterr().err == "toy: 120 of 120 answers kept from before; nothing to ask\n"
    assert _answered_by(again.manifest) == _answered_by(first.manifest)
    assert {name: (tmp_path / "run" / f"{name}.jsonl").read_bytes() for name in kept} == kept


def test_a_part_of_a_finished_run_opens_no_engine(tmp_path: Path, opened: list[str]) -> None:
    file = make_project(tmp_path)
    first = _run(file, tmp_path / "run", twice=False)
    again = _run(file, tmp_path / "run", ("lora",), limit=10, twice=False)
    assert (opened, len(again.rows)) == (["toy"], len(first.rows))


def test_what_is_left_of_a_run_is_counted_apart_from_what_is_kept(
    tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = make_project(tmp_path, more="die_after: 25")
    with pytest.raises(EngineError):
        _run(file, tmp_path / "run")
    make_project(tmp_path)
    capsys.readouterr()
    _run(file, tmp_path / "run", twice=False)
    said = capsys.readouterr().err
    assert re.search(r"^toy: 25 of 80 answers kept from before( \(\d+ of them scored now\))?$", said, re.MULTILINE)
    assert "answering (fake): 55 answers in 0 s" in said


def test_scores_that_are_missing_are_made_without_an_engine(
    tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = make_project(tmp_path)
    first = _run(file, tmp_path / "run")
    scores = tmp_path / "run" / "scores.jsonl"
    lines = scores.read_text().splitlines(keepends=True)
    scores.write_text("".join(lines[:50]))
    capsys.readouterr()
    again = _run(file, tmp_path / "run")
    assert opened == ["toy"]
    assert capsys.readouterr().err == "toy: 80 of 80 answers kept from before (30 of them scored now); nothing to ask\n"
    assert {(s.arm, s.sample): s.score for s in again.scores} == {(s.arm, s.sample): s.score for s in first.scores}


def test_of_two_models_only_the_one_with_work_is_opened(
    tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = make_project(tmp_path)
    file.write_text(
        file.read_text().replace("adapters:\n", "  big: {path: fake, engine: {default: big}}\nadapters:\n")
        + "  other: {model: big}\n"
    )
    _run(file, tmp_path / "run")
    opened.clear()
    capsys.readouterr()
    _run(file, tmp_path / "run", ("base", "lora", "other"))
    assert opened == ["big"]
    said = capsys.readouterr().err
    assert "toy: 80 of 80 answers kept from before; nothing to ask\nloading big\n" in said
    assert "answering (fake): 40 answers" in said
    _run(file, tmp_path / "run", ("base", "lora", "other"))
    assert opened == ["big"]


def test_a_run_chosen_on_dev_and_one_until_decided_open_no_engine_again(tmp_path: Path, opened: list[str]) -> None:
    file = make_project(tmp_path, n=60)
    test = (tmp_path / "suites" / "sums" / "test.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "suites" / "sums" / "test.jsonl").write_text("".join(test[:40]))
    (tmp_path / "suites" / "sums" / "dev.jsonl").write_text("".join(test[40:]).replace('"test-', '"dev-'))
    for more in ([], ["--until-decided"]):
        command = ["run", "--config", str(file), "-s", "sums", "--out", str(tmp_path / f"run{len(more)}"), *more]
        opened.clear()
        assert main(command) == 0
        assert opened
        opened.clear()
        assert main(command) == 0
        assert not opened


# --- what has changed ------------------------------------------------------------------------------------------------


def _retrained(folder: Path) -> None:
    (folder / "tuned" / "adapter_config.json").write_text('{"r": 16}')


def _other_answers(folder: Path) -> None:
    (folder / "answers.jsonl").write_text('{"prompt": "What", "answer": "7"}\n')


@pytest.mark.parametrize(
    ("change", "asked"), [(_retrained, 40), (_other_answers, 80), (lambda folder: None, 0)], ids=["lora", "model", "no"]
)
def test_what_has_changed_is_asked_again(tmp_path: Path, opened: list[str], change: Any, asked: int) -> None:
    file = make_project(tmp_path)
    _run(file, tmp_path / "run")
    change(tmp_path)
    _run(file, tmp_path / "run")
    assert len(opened) == 1 + bool(asked)
    assert len((tmp_path / "run" / "completions.jsonl").read_text().splitlines()) == 80 + asked


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ('template: "{input}"', 'template: "Well: {input}"'),
        ("max_tokens: 8", "max_tokens: 9"),
        ("system: Answer with the number.", "system: Say it."),
        ("max_tokens: 8", "max_tokens: 8, temperature: 0.5"),
        ("max_tokens: 8", 'max_tokens: 8, stop: ["x"]'),
    ],
)
def test_answers_to_another_question_are_not_taken_over(tmp_path: Path, opened: list[str], was: str, now: str) -> None:
    file = make_project(tmp_path)
    first = _run(file, tmp_path / "one", ("prompted",))
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace(was, now))
    with pytest.raises(RunError, match="Scores of two versions are never mixed"):
        _run(file, tmp_path / "one", ("prompted",))
    assert opened == ["toy"]
    done = _run(file, tmp_path / "two", ("prompted",), reuse=[first])
    assert opened == ["toy", "toy"]
    assert not any(row.reused for row in done.rows)


@pytest.mark.parametrize("what", ["packages", "accelerators", "options", "engine"])
def test_an_engine_that_may_be_another_is_opened(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    file = make_project(tmp_path)
    _run(file, tmp_path / "run")
    if what == "packages":
        monkeypatch.setattr("harness.engines.unopened.importlib.metadata.version", lambda name: "99")
    elif what == "accelerators":
        monkeypatch.setattr("harness.engines.unopened._accelerators", lambda: ["another"])
    elif what == "options":
        make_project(tmp_path, more="batch_size: 2")
    else:
        card = json.loads((tmp_path / "run" / "run.json").read_text())
        card["opened"]["toy"]["name"] = card["opened"]["toy"]["chosen"] = "vllm"
        (tmp_path / "run" / "run.json").write_text(json.dumps(card))
    _run(file, tmp_path / "run", engine="fake")
    assert opened == ["toy", "toy"]


def test_an_engine_that_is_another_after_all_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that its identity hangs on has changed, but there is something left to ask, and it says otherwise."""
    file = make_project(tmp_path)
    _run(file, tmp_path / "run", ("base",))

    class Newer(FakeEngine):
        def __init__(self, model: Model, adapters: Any) -> None:
            super().__init__(model, adapters)
            self.version = "2"

    monkeypatch.setattr(harness.runner, "open_engine", lambda model, adapters, name: Newer(model, adapters))
    with pytest.raises(RunError, match="was answered by fake 1, now it would be fake 2"):
        _run(file, tmp_path / "run")


def test_a_run_of_an_older_harness_opens_its_engine_once_more(tmp_path: Path, opened: list[str]) -> None:
    file = make_project(tmp_path)
    first = _run(file, tmp_path / "run")
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    del manifest["opened"]
    (tmp_path / "run" / "run.json").write_text(json.dumps(manifest))
    again = _run(file, tmp_path / "run")
    assert (again.rows, again.manifest["again"]) == (first.rows, first.manifest["again"])
    _run(file, tmp_path / "run")
    assert opened == ["toy", "toy"]


def test_what_the_engine_failed_to_answer_is_left_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(FakeEngine):
        def generate(self, requests: Any) -> Iterator[tuple[Request, Completion]]:
            for place, (request, completion) in enumerate(super().generate(requests)):
                yield request, completion if place else Completion("", finish_reason="error", error="no")

    file = make_project(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(harness.runner, "open_engine", lambda model, adapters, name: Failing(model, adapters))
        _run(file, tmp_path / "run", ("base",), twice=False)
    done = _run(file, tmp_path / "run", ("base",), twice=False)
    assert not [row for row in done.rows if row.completion.error]


def test_questions_that_were_never_asked_again_are_left_to_ask(tmp_path: Path, opened: list[str]) -> None:
    file = make_project(tmp_path)
    _run(file, tmp_path / "run", twice=False)
    assert _run(file, tmp_path / "run").manifest["again"]["base"]["n"] == 8
    assert opened == ["toy", "toy"]


# --- taken over ------------------------------------------------------------------------------------------------------


def test_a_run_of_answers_from_another_opens_no_engine(
    tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = make_project(tmp_path)
    first = _run(file, tmp_path / "one")
    capsys.readouterr()
    done = _run(file, tmp_path / "two", reuse=[first])
    assert opened == ["toy"]
    assert capsys.readouterr().err == "toy: 80 of 80 answers taken over from other runs; nothing to ask\n"
    assert all(row.reused for row in done.rows)
    assert {(s.arm, s.sample): s.score for s in done.scores} == {(s.arm, s.sample): s.score for s in first.scores}
    for name in ("again", "opened", "engine"):
        assert done.manifest[name] == first.manifest[name]
    assert done.manifest["adapters"]["tuned"]["applied"] == first.manifest["adapters"]["tuned"]["applied"]
    assert done.manifest["seconds"] == {}


def test_answers_kept_and_taken_over_are_told_apart(
    tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = make_project(tmp_path)
    first = _run(file, tmp_path / "one")
    _run(file, tmp_path / "two", ("base",), limit=10, twice=False)
    capsys.readouterr()
    _run(file, tmp_path / "two", reuse=[first], twice=False)
    said = "toy: 10 of 80 answers kept from before, 70 taken over from other runs; nothing to ask\n"
    assert capsys.readouterr().err == said


def test_an_adapter_that_the_other_run_has_not_proven_opens_the_engine(tmp_path: Path, opened: list[str]) -> None:
    file = make_project(tmp_path)
    first = _run(file, tmp_path / "one")
    other = {**first.manifest, "adapters": {}}
    _run(file, tmp_path / "two", reuse=[Run(first.path, other, first.rows, first.scores)])
    assert opened == ["toy", "toy"]


# --- endpoints -------------------------------------------------------------------------------------------------------


def test_a_finished_run_of_an_endpoint_needs_neither_server_nor_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serve() as server:
        prices = "usd_per_million_tokens: {input: 1, output: 2}"
        Path("models.yaml").write_text(
            f"models:\n  gpt: {{endpoint: '{server.url}', name: sums, {prices}}}\narms:\n  base: {{model: gpt}}\n"
        )
        assert main(["run", "-s", "sums"]) == 0
        assert len(server.bodies) == 48
    monkeypatch.delenv("OPENAI_API_KEY")
    before = read_run("runs/sums")
    capsys.readouterr()
    assert main(["run", "-s", "sums"]) == 0
    assert "gpt: 40 of 40 answers kept from before; nothing to ask\n" in capsys.readouterr().err
    after = read_run("runs/sums")
    assert _answered_by(after.manifest) == _answered_by(before.manifest)
    assert after.manifest["models"]["gpt"]["requests"] == 48
    assert main(["run", "-s", "sums", "--reuse", "runs/sums", "--out", "runs/copy"]) == 0
    assert "gpt: 40 of 40 answers taken over from other runs; nothing to ask\n" in capsys.readouterr().err
    copy = read_run("runs/copy").manifest
    assert (copy["models"]["gpt"]["requests"], copy["models"]["gpt"]["usd"]) == (0, 0)
    assert copy["again"] == before.manifest["again"]
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    suite.write_text(SUITE.replace("max_tokens: 8", "max_tokens: 9"))
    assert main(["run", "-s", "sums", "--reuse", "runs/sums", "--out", "runs/other"]) == 5
    assert "no answer from 127.0.0.1" in capsys.readouterr().err


# --- engines of weights ----------------------------------------------------------------------------------------------


def test_a_finished_run_loads_a_tokenizer_and_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path)
    file = tmp_path / "models.yaml"
    file.write_text("models:\n  small: {path: embedded}\narms:\n  base: {model: small, system: true}\n")
    first = _run(file, tmp_path / "run", ("base",), limit=3, engine="transformers")

    def never(*_: object) -> None:
        raise AssertionError(OPENED)

    monkeypatch.setattr("harness.engines.hf.load_weights", never)
    again = _run(file, tmp_path / "run", ("base",), limit=3, engine="transformers")
    assert _answered_by(again.manifest) == _answered_by(first.manifest)
    with pytest.raises(AssertionError, match=OPENED):
        _run(file, tmp_path / "run", ("base",), limit=4, engine="transformers")
