"""A/A: a few questions are asked again, the same ones each time, and what differs is in the manifest and the report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from project import make_project

import harness.runner
from harness.cli import main
from harness.config import read_config
from harness.data import AdapterRef, Completion, Model, Request, Run
from harness.engines.fake import FakeEngine
from harness.report import write_report
from harness.runner import run
from harness.store import read_run
from harness.suite import read_suite


def _run(file: Path, out: Path, twice: bool = True) -> Run:
    config = read_config(file)
    arms = [config.arms[name] for name in ("base", "lora")]
    return run(config, [read_suite("sums", file.parent)], arms, out, twice=twice)


def test_an_engine_that_repeats_itself_has_no_flips(tmp_path: Path) -> None:
    done = _run(make_project(tmp_path, n=60), tmp_path / "run")
    again = done.manifest["again"]
    assert {arm: (about["n"], about["texts"], about["scores"]) for arm, about in again.items()} == {
        "base": (8, 0, 0), "lora": (8, 0, 0),
    }  # fmt: skip
    assert len(done.rows) == 120
    page = write_report([done], tmp_path / "page.html").html.read_text("utf-8")
    assert "Asked again, all of 16 answers came out the same." in page


def test_an_engine_that_changes_its_mind_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question is right when asked first, and wrong on 3 occasions when asked again."""
    seen: set[tuple[str, str]] = set()
    left = [3]

    class Fickle(FakeEngine):
        def __init__(self, model: Model, adapters: Sequence[AdapterRef] = ()) -> None:
            super().__init__(model, adapters)
            sure = self.answer

            def answer(text: str, adapter: str) -> str | Sequence[str]:
                again, place = (text, adapter) in seen, (text, adapter)
                seen.add(place)
                if again and adapter and left[0]:
                    left[0] -= 1
                    return "never mind"
                return sure(text, adapter)

            self.answer = answer

    monkeypatch.setattr(harness.runner, "open_engine", lambda model, adapters, name: Fickle(model, adapters))
    done = _run(make_project(tmp_path), tmp_path / "run")
    lora = done.manifest["again"]["lora"]
    assert (lora["n"], lora["texts"], lora["scores"]) == (8, 3, 3)
    assert done.manifest["again"]["base"]["texts"] == 0
    assert {s.score.value for s in done.scores if s.arm == "lora"} == {1.0}
    page = write_report([done], tmp_path / "page.html").html.read_text("utf-8")
    assert "some answers came out otherwise: lora 3 of 8, 3 with another score" in page


def test_the_same_in_other_words_is_another_text_and_no_other_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[str, str]] = set()

    class Wordy(FakeEngine):
        def __init__(self, model: Model, adapters: Sequence[AdapterRef] = ()) -> None:
            super().__init__(model, adapters)
            sure = self.answer

            def answer(text: str, adapter: str) -> str | Sequence[str]:
                again = (text, adapter) in seen
                seen.add((text, adapter))
                return f" {sure(text, adapter)}\n" if again else sure(text, adapter)

            self.answer = answer

    monkeypatch.setattr(harness.runner, "open_engine", lambda model, adapters, name: Wordy(model, adapters))
    lora = _run(make_project(tmp_path), tmp_path / "run").manifest["again"]["lora"]
    assert (lora["n"], lora["texts"], lora["scores"]) == (8, 8, 0)


def test_a_run_that_is_taken_up_asks_nothing_a_third_time(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    first = _run(file, tmp_path / "run")
    make_project(tmp_path, more="die_after: 0")
    assert _run(file, tmp_path / "run").manifest["again"] == first.manifest["again"]


def test_a_retrained_adapter_is_asked_again(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    first = _run(file, tmp_path / "run")
    (tmp_path / "tuned" / "adapter_config.json").write_text('{"r": 16}')
    second = _run(file, tmp_path / "run")
    assert first.manifest["again"]["base"] == second.manifest["again"]["base"]
    assert first.manifest["again"]["lora"]["digest"] != second.manifest["again"]["lora"]["digest"]


def test_the_command_asks_again_unless_told_not_to(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    command = ["run", "--config", str(file), "-s", "sums", "-a", "base", "--no-dev", "--out"]
    assert main([*command, str(tmp_path / "a")]) == 0
    assert main([*command, str(tmp_path / "b"), "--no-aa"]) == 0
    assert read_run(tmp_path / "a").manifest["again"]["base"]["n"] == 8
    assert "again" not in read_run(tmp_path / "b").manifest
    assert len(json.loads((tmp_path / "a" / "run.json").read_text())["again"]) == 1


def test_what_was_asked_again_of_a_part_is_asked_again_of_the_whole(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    config = read_config(file)
    suite, arms = read_suite("sums", tmp_path), [config.arms["base"]]
    part = run(config, [suite], arms, tmp_path / "run", limit=4, twice=True)
    whole = run(config, [suite], arms, tmp_path / "run", twice=True)
    assert (part.manifest["again"]["base"]["n"], whole.manifest["again"]["base"]["n"]) == (4, 8)


def test_where_nothing_could_be_compared_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(FakeEngine):
        def generate(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Completion]]:
            for request in requests:
                yield request, Completion("", finish_reason="error", error="no")

    file = make_project(tmp_path)
    _run(file, tmp_path / "run", twice=False)
    with monkeypatch.context() as patched:
        patched.setattr(harness.runner, "open_engine", lambda model, adapters, name: Silent(model, adapters))
        assert _run(file, tmp_path / "run").manifest["again"] == {}
    assert _run(file, tmp_path / "run").manifest["again"]["base"]["n"] == 8
