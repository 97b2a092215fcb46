"""The ledger: every finished run is counted once, re-runs are shown, and nothing that is wrong with it stops a run."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest
from project import make_project
from runs import make_run, right

from harness import ledger
from harness.cli import main
from harness.ledger import enter, met
from harness.store import read_run
from harness.verdict import verdict_json

ARMS = ("-a", "base", "-a", "lora")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(name: str, *more: str) -> None:
    assert main(["run", "-s", "sums", *ARMS, "--out", f"runs/{name}", *more]) == 0


def _lines() -> list[dict[str, object]]:
    return [json.loads(line) for line in Path("runs/ledger.jsonl").read_text().splitlines()]


def test_every_run_leaves_a_line_per_suite_and_arm(project: Path) -> None:
    _run("a")
    base, lora = _lines()
    assert (base["run"], base["suite"], base["arm"], base["n"], base["mean"]) == ("a", "sums", "base", 40, 0.5)
    assert (lora["arm"], lora["mean"], lora["answered"]) == ("lora", 1.0, 40)
    manifest = read_run("runs/a").manifest
    assert (base["digest"], base["date"]) == (manifest["suites"]["sums"]["digest"], manifest["finished"])
    assert base["candidate"] != lora["candidate"]


def test_a_run_that_is_taken_up_again_counts_once(project: Path) -> None:
    _run("a", "--limit", "10")
    _run("a")
    _run("a")
    assert [(line["arm"], line["n"]) for line in _lines()] == [("base", 10), ("lora", 10), ("base", 40), ("lora", 40)]
    assert met(read_run("runs/a")) == []
    _run("b")
    assert [(one.arm, one.runs) for one in met(read_run("runs/b"))] == [("base", ("a",)), ("lora", ("a",))]
    assert met(read_run("runs/a")) == []


def test_a_folder_made_anew_under_its_old_name_is_another_run(tmp_path: Path) -> None:
    first, second = (
        make_run({"sql": {"lora": right(n, 10)}}, path=str(tmp_path / "a"), created=f"2031-01-0{n}") for n in (4, 5)
    )
    enter(first)
    enter(second)
    (one,) = met(second)
    assert (one.runs, one.changed) == (("a",), (("a", 0.4),))
    assert met(first) == []


def test_reused_answers_and_other_candidates_are_no_meeting(project: Path) -> None:
    _run("a")
    _run("b", "--reuse", "runs/a")
    _run("c")
    assert [one.runs for one in met(read_run("runs/c"))] == [("a",), ("a",)]
    (project / "tuned" / "adapter_config.json").write_text('{"r": 4}')
    _run("d")
    assert [(one.arm, one.runs) for one in met(read_run("runs/d"))] == [("base", ("a", "c"))]
    suite = project / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace("version: 1", "version: 2"))
    _run("e")
    assert met(read_run("runs/e")) == []


def test_report_gate_and_verdict_json_say_it(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same model by its identity, which answers otherwise the second time."""
    monkeypatch.setattr("harness.resume.fake_identity", lambda model: "fake")
    _run("a")
    answers = project / "answers.jsonl"
    kept = answers.read_text().splitlines()
    answers.write_text("\n".join(kept[:-4]) + "\n")
    _run("b")
    said = "lora met sums once before (run a). The outcome changed: 100.0 % in a, 90.0 % here."
    capsys.readouterr()
    assert main(["gate", "runs/b:lora", "--baseline", "runs/b:base"]) == 0
    assert said in capsys.readouterr().err
    assert said in json.loads(Path("runs/b/gate.json").read_text())["notes"]
    assert main(["report", "runs/b"]) == 0
    page = Path("reports/b.md").read_text()
    assert said in page
    assert "base met" not in page
    value = verdict_json(read_run("runs/b"))["met_before"]
    assert [(one["arm"], one["runs"], one["changed"]) for one in value] == [
        ("base", ["a"], []),
        ("lora", ["a"], [["a", 1.0]]),
    ]
    before = Path("reports/b.html").read_bytes()
    _run("c")
    assert main(["report", "runs/b"]) == 0
    assert Path("reports/b.html").read_bytes() == before
    assert met(read_run("runs/c"))[1].sentence.startswith("lora met sums 2 times before (runs a and b).")


def test_looks_of_one_run_are_one_meeting(project: Path) -> None:
    make_project(project, n=60)
    _run("a", "--until-decided")
    _run("b", "--until-decided")
    assert [one.runs for one in met(read_run("runs/b"))] == [("a",), ("a",)]


def test_torn_and_foreign_lines_are_passed_over(project: Path) -> None:
    _run("a")
    file = Path("runs/ledger.jsonl")
    whole = file.read_bytes()
    file.write_bytes(b'[1]\n{"run": "x"}\n\xff\xfe\n' + b"[" * 9000 + b"\n" + whole + b'{"run": "torn", "suite": "su')
    assert met(read_run("runs/a")) == []
    _run("b")
    assert [one.runs for one in met(read_run("runs/b"))] == [("a",), ("a",)]
    assert file.read_bytes().count(b"\n") == 9
    listed = json.loads(whole.splitlines()[0]) | {"run": ["a", "list"]}
    file.write_bytes(json.dumps(listed).encode() + b"\n")
    assert met(read_run("runs/b")) == []


def test_a_ledger_that_cannot_be_written_is_one_warning(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs/ledger.jsonl").mkdir(parents=True)
    _run("a")
    warnings = [line for line in capsys.readouterr().err.splitlines() if "ledger" in line]
    assert len(warnings) == 1
    assert "cannot be written (Is a directory); the run itself is complete" in warnings[0]
    assert len(read_run("runs/a").rows) == 80
    assert met(read_run("runs/a")) == []


def test_it_can_be_turned_off(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_LEDGER", "off")
    _run("a")
    assert not Path("runs/ledger.jsonl").exists()


def _enter_many(folder: str, number: int) -> None:
    for turn in range(20):
        enter(make_run({"sql": {"lora": right(5, 10)}}, path=f"{folder}/r{number}-{turn}", created=str(turn)))


def test_runs_that_finish_together_lose_no_line(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_enter_many, args=(str(tmp_path), number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    lines = (tmp_path / ledger.FILE).read_text().splitlines()
    assert len({json.loads(line)["run"] for line in lines}) == len(lines) == 80
