"""The command line as a user meets it: exit codes, one-line mistakes, answers on stdout and nothing else there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import make_project

from harness.cli import main


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _one_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if not line.startswith(("loading", "answering"))]
    assert len(lines) == 1, captured.err
    assert captured.out == ""
    return lines[0]


def test_the_main_line_from_run_to_gate(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-s", "sums"]) == 0
    assert "lora" in capsys.readouterr().out
    assert main(["compare", "runs/sums", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert {row["arm"]: row["mean"] for row in value["summaries"]} == {"base": 0.5, "prompted": 0.5, "lora": 1.0}
    assert main(["compare", "runs/sums", "--csv"]) == 0
    assert capsys.readouterr().out.startswith("suite,arm,")
    assert main(["report", "runs/sums", "--out", "reports/sums.html"]) == 0
    assert "adopt" in capsys.readouterr().out
    assert (project / "reports" / "sums.html").is_file()
    assert (project / "reports" / "sums.md").is_file()
    assert (project / "reports" / "sums" / "verdict.json").is_file()
    assert main(["gate", "runs/sums:lora", "--baseline", "runs/sums:base", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exit_code"] == 0
    assert main(["gate", "runs/sums:base", "--baseline", "runs/sums:lora"]) == 1
    assert json.loads((project / "runs" / "sums" / "gate.json").read_text())["exit_code"] == 1
    assert main(["score", "runs/sums"]) == 0


def test_a_gate_of_several_rules_is_also_a_table(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-s", "sums"]) == 0
    rules = "tiers: {full: {rules: [at_least: {score: 0.9}, no_flip: {at_most: 0}]}}"
    (project / "gate.yaml").write_text(rules)
    capsys.readouterr()
    assert main(["gate", "runs/sums:base", "--baseline", "runs/sums:lora", "--policy", "gate.yaml"]) == 1
    sentence, _, header, line, *rest = capsys.readouterr().out.splitlines()
    assert sentence.startswith("FAIL: base breaks")
    assert header.split() == ["suite", "rule", "found"]
    assert set(line) == {"-"}
    assert [re.split(" {2,}", one)[:3] for one in rest if one] == [
        ["broken", "sums", "no_worse_than(exact)"],
        ["broken", "sums", "at_least(lower bound)"],
        ["broken", "sums", "no_flip()"],
    ]
    assert main(["gate", "runs/sums:lora", "--baseline", "runs/sums:base"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_check_says_what_is_in_order(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "sums", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    train = project / "suites" / "sums" / "train.jsonl"
    train.write_text(
        train.read_text() + json.dumps({"id": "x", "input": "What is 3 plus 103?", "target": "106"}) + "\n"
    )
    assert main(["check", "sums"]) == 2
    assert "repeats" in capsys.readouterr().out


def test_doctor_answers_in_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--json"])
    names = {item["name"] for item in json.loads(capsys.readouterr().out)["items"]}
    assert {"GPU", "vLLM", "sandbox", "disk", "embedded model"} <= names


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "-s", "summs"], 2, "Did you mean 'sums'"),
        (["run", "-s", "sums", "-a", "bass"], 2, "Did you mean 'base'"),
        (["run", "--config", "none.yaml"], 2, "none.yaml"),
        (["run", "-s", "sums", "--engine", "vlm"], 2, "Did you mean 'vllm'"),
        (["run", "--limit", "0"], 2, "--limit"),
        (["rnu"], 2, "rnu"),
        (["run", "--nope"], 2, "--nope"),
        (["compare", "nowhere"], 2, "not a run folder"),
        (["report", "nowhere"], 2, "not a run folder"),
        (["gate", "runs/x", "--baseline", "runs/y:z"], 2, "RUN:ARM"),
        (["gate", "runs/x:a"], 2, "--baseline"),
        (["train", "tunned"], 2, "Did you mean 'tuned'"),
        (["train", "tuned"], 2, "has no `train:`"),
        (["init", "new", "--from", "none.jsonl"], 2, "no such file"),
        (["init", ".", "--from", "answers.jsonl"], 2, "already holds a project"),
        (["check", "suites"], 2, "no suite.yaml"),
    ],
)
def test_a_mistake_is_one_line_with_the_right_code(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    before = sorted(project.rglob("*"))
    assert main(arguments) == code
    assert words in _one_line(capsys)
    assert [path for path in sorted(project.rglob("*")) if "runs" not in path.parts] == before


def test_a_candidate_measured_on_another_version_is_not_comparable(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "-s", "sums", "--out", "runs/old"]) == 0
    suite = project / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace("version: 1", "version: 2"))
    assert main(["run", "-s", "sums", "--out", "runs/new"]) == 0
    assert main(["gate", "runs/new:lora", "--baseline", "runs/old:lora"]) == 4


def test_an_engine_that_dies_is_one_line_and_code_5(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_project(project, more="die_after: 3")
    assert main(["run", "-s", "sums"]) == 5
    assert "died after 3 answers" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "file").write_text("")
    assert main(["run", "-s", "sums", "--out", "file/run"]) == 5
    assert "file/run" in _one_line(capsys)


def test_ctrl_c_is_code_130_and_the_run_goes_on(project: Path) -> None:
    make_project(project, more="delay: 0.3")
    command = [sys.executable, "-m", "harness", "run", "-s", "sums"]
    child = subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    file = project / "runs" / "sums" / "completions.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (file.is_file() and file.stat().st_size):
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    make_project(project)
    assert main(["run", "-s", "sums"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("--help", 0),
        ("compare runs/sums --json", 0),
        ("gate runs/sums:lora --baseline runs/sums:base", 0),
        ("gate runs/sums:base --baseline runs/sums:lora", 1),
        ("gate runs/sums:base --baseline runs/sums:nobody", 2),
    ],
)
@pytest.mark.parametrize("closed", ["stdout", "both"])
def test_a_closed_pipe_does_not_change_the_exit_code(project: Path, arguments: str, code: int, closed: str) -> None:
    assert main(["run", "-s", "sums"]) == 0
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "harness", *arguments.split()]
    stderr = writer if closed == "both" else subprocess.PIPE
    done = subprocess.run(command, cwd=project, stdout=writer, stderr=stderr, text=True, check=False)
    os.close(writer)
    assert done.returncode == code
    if closed == "stdout" and code != 2:
        assert done.stderr == ""


def test_no_argument_is_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    alone = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == alone
    assert len(alone.splitlines()) > 20


@pytest.fixture
def no_jail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sandbox.pool.tiers", lambda: ())
    monkeypatch.setattr("harness.sandbox.pool.why_not", lambda tier: "this kernel has no Landlock")
    monkeypatch.setattr("harness.sandbox.process._accepted", False)


@pytest.mark.usefixtures("project", "no_jail")
def test_suites_that_run_code_are_refused_where_there_is_no_sandbox(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "palindrome"]) == 5
    line = _one_line(capsys)
    assert "this kernel has no Landlock" in line
    assert "--i-accept-unsandboxed-code" in line
    assert main(["doctor"]) == 5
    assert "fail  sandbox" in capsys.readouterr().out


@pytest.mark.usefixtures("project", "no_jail")
def test_code_without_a_sandbox_is_accepted_by_name_and_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-s", "sums", "-a", "base", "--i-accept-unsandboxed-code"]) == 0
    assert main(["report", "runs/sums", "--out", "sums.html"]) == 0
    capsys.readouterr()
    assert "ran WITHOUT a sandbox" in Path("sums.md").read_text()


def test_sandbox_that_leaks_is_exit_code_5(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from harness.sandbox.attacks import ATTACKS
    from harness.sandbox.siege import Finding

    monkeypatch.setattr("harness.sandbox.tiers", lambda: ("T1",))
    for outcome, code in (("blocked", 0), ("leaked", 5)):
        found = [("T1", Finding(ATTACKS[0], outcome, "read it\n"))]  # type: ignore[arg-type]
        monkeypatch.setattr("harness.sandbox.siege.replay_all", lambda tiers, progress, found=found: found)
        assert main(["doctor", "--sandbox"]) == code
        assert f"{outcome:<9}  T1  H01   read a file outside" in capsys.readouterr().out
    assert main(["doctor", "--sandbox", "--json"]) == 5
    assert json.loads(capsys.readouterr().out)["items"][0]["outcome"] == "leaked"


def test_the_end_of_a_command_does_what_was_left_for_it_and_loses_no_output() -> None:
    """Temporary copies of runs in object storage are removed then."""
    code = "import atexit, sys; from harness.cli import entry; atexit.register(print, 'seen to'); "
    code += "sys.argv = ['harness', 'compare', 'nowhere']; sys.stdout.write('no line end'); entry()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == "no line endseen to\n"
