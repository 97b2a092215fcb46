"""action.yml: its shell steps, run one after the other as GitHub's runner would, with a `gh` that keeps comments."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from project import make_project

from harness.cli import cli

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
GH = """#!{python}
import json, os, pathlib, re, sys
store = pathlib.Path(os.environ["STORE"])
comments = json.loads(store.read_text())
words = sys.argv[1:]
if os.environ["GH_TOKEN"] != "token of the job" or words[0] != "api":
    sys.exit("gh: not allowed")
method = words[words.index("--method") + 1] if "--method" in words else "GET"
(address,) = [word for word in words if word.startswith("repos/o/r/issues/")]
if method == "GET":
    (marker,) = re.findall(r'startswith[(]"(.*?)"[)]', words[words.index("--jq") + 1])
    assert '.user.type == "Bot"' in words[words.index("--jq") + 1] and address.endswith("/issues/7/comments")
    for comment in comments:
        if comment["type"] == "Bot" and comment["body"].startswith(marker):
            print(comment["id"])
    sys.exit()
body = pathlib.Path(words[words.index("--field") + 1].removeprefix("body=@")).read_text()
if method == "PATCH":
    (old,) = [comment for comment in comments if str(comment["id"]) == address.rpartition("/")[2]]
    old["body"] = body
else:
    comments.append({{"id": len(comments) + 1, "type": "Bot", "body": body}})
store.write_text(json.dumps(comments))
"""


class Runner:
    """As much of GitHub's runner as the action needs: contexts, conditions, and the files that steps write."""

    def __init__(self, folder: Path, number: str = "7") -> None:
        self.folder, self.number = folder, number
        self.home = folder / "runner"
        tools = self.home / "bin"
        tools.mkdir(parents=True)
        (tools / "harness").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n')
        (tools / "gh").write_text(GH.format(python=sys.executable))
        for tool in tools.iterdir():
            tool.chmod(0o755)
        self.store = self.home / "comments.json"
        self.store.write_text("[]")
        self.summary = self.home / "summary.md"
        self.tools = tools
        self.artifact: Path | None = None

    def value(self, expression: str, inputs: dict[str, str], outputs: dict[str, str]) -> str:
        """An expression of the few kinds that occur."""
        name = expression.strip()
        if name.startswith("inputs."):
            return inputs[name.removeprefix("inputs.")]
        if name.startswith("steps.gate.outputs."):
            return outputs.get(name.removeprefix("steps.gate.outputs."), "")
        return {"github.token": "token of the job", "github.event.pull_request.number": self.number}[name]

    def filled(self, text: object, inputs: dict[str, str], outputs: dict[str, str]) -> str:
        return re.sub(r"\$\{\{(.*?)\}\}", lambda found: self.value(found[1], inputs, outputs), str(text))

    def holds(self, condition: str, inputs: dict[str, str], outputs: dict[str, str]) -> bool:
        for part in condition.split("&&"):
            left, sign, right = re.fullmatch(r"\s*(\S+) (==|!=) '(.*)'\s*", part).groups()  # type: ignore[union-attr]
            if (self.value(left, inputs, outputs) == right) != (sign == "=="):
                return False
        return True

    def run(self, **given: str) -> tuple[int, str, dict[str, str]]:
        """(exit code of the last step, everything printed, outputs of the gate step)"""
        given = {name.replace("_", "-"): value for name, value in given.items()}
        inputs = {name: given.get(name, about.get("default", "")) for name, about in ACTION["inputs"].items()}
        assert set(given) <= set(inputs)
        outputs: dict[str, str] = {}
        printed, code = "", 0
        for step in ACTION["runs"]["steps"]:
            if "if" in step and not self.holds(step["if"], inputs, outputs):
                continue
            if "uses" in step:
                self.artifact = Path(self.filled(step["with"]["path"], inputs, outputs))
                continue
            written = self.home / "output.txt"
            written.write_text("")
            script = self.home / "script.sh"
            script.write_text(step["run"])
            environment = {
                "PATH": f"{self.tools}:{os.environ['PATH']}", "HOME": str(self.home), "CI": "true",
                "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT)), "STORE": str(self.store),
                "GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(written), "GITHUB_STEP_SUMMARY": str(self.summary),
                "GITHUB_ACTION_PATH": str(ROOT), "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "5",
                "GITHUB_SERVER_URL": "https://github.example", "RUNNER_TEMP": str(self.home),
            } | {name: self.filled(value, inputs, outputs) for name, value in step.get("env", {}).items()}  # fmt: skip
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
                cwd=self.folder, env=environment, capture_output=True, text=True,
            )  # fmt: skip
            printed, code = printed + done.stdout + done.stderr, done.returncode
            if step.get("id") == "gate":
                outputs = dict(line.split("=", 1) for line in written.read_text().splitlines())
            if code:
                break
        return code, printed, outputs

    def comments(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.store.read_text())
        return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    make_project(folder, n=80)
    subprocess.run([sys.executable, "-m", "harness", "run", "-s", "sums"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def runner(finished: Path, tmp_path: Path) -> Runner:
    (tmp_path / "runs").symlink_to(finished / "runs")
    return Runner(tmp_path)


def test_a_failed_gate_fails_the_job_and_shows_everything(runner: Runner) -> None:
    code, printed, outputs = runner.run(candidate="runs/sums:base", baseline="runs/sums:lora", install="false")
    assert (code, outputs["status"], outputs["exit-code"]) == (1, "FAIL", "1")
    assert "::error title=Gate FAIL::FAIL: base is worse" in printed
    assert runner.summary.read_text().startswith("## Gate: FAIL")
    assert runner.artifact is not None
    assert {"gate.json", "gate.xml", "comment.md", "report.html", "report.md"} <= {
        path.name for path in runner.artifact.iterdir()
    }
    (comment,) = runner.comments()
    assert "[The run](https://github.example/o/r/actions/runs/5)" in comment["body"]
    assert "I do not know." not in comment["body"]


def test_the_comment_is_updated_in_place_and_nobody_elses_is_touched(runner: Runner) -> None:
    runner.run(candidate="runs/sums:base", baseline="runs/sums:lora", install="false")
    first = runner.comments()[0]["body"]
    marker = first.splitlines()[0]
    others = [{"id": 1, "type": "User", "body": f"{marker}\nmine"}, {"id": 2, "type": "Bot", "body": "another"}]
    runner.store.write_text(json.dumps([*others, {"id": 3, "type": "Bot", "body": f"{marker}\nold"}]))
    runner.run(candidate="runs/sums:base", baseline="runs/sums:lora", install="false", answers="true")
    assert runner.comments()[:2] == others
    assert len(runner.comments()) == 3
    assert "I do not know." in runner.comments()[2]["body"]
    runner.run(candidate="runs/sums:lora", baseline="runs/sums:lora", install="false")
    assert len(runner.comments()) == 4  # another candidate, another comment


def test_a_gate_that_holds_lets_the_job_pass_and_says_so(runner: Runner) -> None:
    code, printed, outputs = runner.run(candidate="runs/sums:lora", baseline="runs/sums:base", install="false")
    assert (code, outputs["status"]) == (0, "PASS")
    assert "::error" not in printed
    assert runner.comments()[0]["body"].splitlines()[1] == "## Gate: PASS"


@pytest.mark.parametrize(("inconclusive", "code"), [("fail", 3), ("pass", 0)])
def test_an_inconclusive_gate_is_the_users_to_judge(runner: Runner, inconclusive: str, code: int) -> None:
    (runner.folder / "gate.yaml").write_text(
        "baseline: runs/sums:base\ntiers: {a: {}, strict: {rules: [at_least: {score: 0.99}]}}\n"
    )
    done, _, outputs = runner.run(
        candidate="runs/sums:lora", policy="gate.yaml", tier="strict", install="false", inconclusive=inconclusive
    )
    assert (done, outputs["status"]) == (code, "INCONCLUSIVE")


@pytest.mark.parametrize(
    "candidate",
    ["runs/none:lora", "--help", "runs/sums", "$(touch harm)", "`touch harm`", "x; touch harm", 'a" && touch harm "'],
)
def test_a_mistake_fails_the_job_without_a_comment_and_nothing_is_run_of_it(runner: Runner, candidate: str) -> None:
    code, printed, outputs = runner.run(candidate=candidate, baseline="runs/sums:lora", install="false")
    assert (code, outputs["status"], outputs["exit-code"]) == (2, "", "2")
    assert "harness: " in printed
    assert runner.comments() == []
    assert runner.artifact is None
    assert not (runner.folder / "harm").exists()


def test_outside_of_a_pull_request_there_is_no_comment(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to(finished / "runs")
    runner = Runner(tmp_path, number="")
    code, _, _ = runner.run(candidate="runs/sums:lora", baseline="runs/sums:base", install="false")
    assert (code, runner.comments()) == (0, [])


def test_a_token_that_may_not_write_costs_the_comment_and_nothing_else(runner: Runner) -> None:
    (runner.tools / "gh").write_text("#!/bin/sh\nexit 1\n")
    code, printed, _ = runner.run(candidate="runs/sums:lora", baseline="runs/sums:base", install="false")
    assert code == 0
    assert "::warning title=harness gate::No comment" in printed


GATE = {
    "candidate": "candidate", "baseline": "baseline", "policy_file": "policy", "tier": "tier", "suites": "suite",
    "margin": "margin", "junit": "junit", "comment": "comment", "gitlab": "gitlab", "answers": "answers",
    "out": None, "summary": None,  # always written, into the folder and the step's summary
    "as_json": None,  # gate.json is there
}  # fmt: skip
REPORT = {
    "runs": "candidate", "no_text": "no-text", "out": None, "title": None, "embed_budget": None, "target": None,
}  # fmt: skip


@pytest.mark.parametrize(("verb", "step", "known"), [("gate", "Gate", GATE), ("report", "Report", REPORT)])
def test_every_option_is_an_input_or_left_out_knowingly(verb: str, step: str, known: dict[str, str | None]) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    assert {parameter.name for parameter in command.params} - {"help"} == set(known)
    used = json.dumps(STEPS[step]) + json.dumps([one.get("if", "") for one in STEPS.values()])
    for name in filter(None, known.values()):
        assert name in ACTION["inputs"]
        assert f"inputs.{name} " in used, name


def test_every_input_is_described_and_does_something() -> None:
    steps = json.dumps(ACTION["runs"]["steps"])
    for name, about in ACTION["inputs"].items():
        assert len(about["description"]) > 10
        assert re.search(rf"inputs\.{name}(?![\w-])", steps), name
        assert about.get("required") or isinstance(about["default"], str)


def test_suites_margin_and_paths_reach_the_gate(runner: Runner) -> None:
    code, printed, outputs = runner.run(
        candidate="runs/sums:base", baseline="runs/sums:lora", install="false", suite=" sums \n", margin="0.9",
        junit="tests out/gate.xml", gitlab="quality.json",
    )  # fmt: skip
    assert (code, outputs["status"]) == (1, "FAIL"), printed
    answer = json.loads((Path(outputs["folder"]) / "gate.json").read_text())
    assert [row["margin"] for row in answer["rows"]] == [0.9]
    one, two = (runner.folder / "tests out/gate.xml", Path(outputs["folder"]) / "gate.xml")
    assert one.read_bytes() == two.read_bytes() != b""
    assert json.loads((runner.folder / "quality.json").read_text())
    code, printed, _ = runner.run(
        candidate="runs/sums:base", baseline="runs/sums:lora", install="false", suite="sums other"
    )
    assert code == 2
    assert "other" in printed


@pytest.mark.parametrize(("no_text", "there"), [("false", True), ("true", False)])
def test_the_report_goes_without_texts_where_that_is_asked(runner: Runner, no_text: str, there: bool) -> None:
    runner.run(candidate="runs/sums:base", baseline="runs/sums:lora", install="false", no_text=no_text)
    assert runner.artifact is not None
    assert ("I do not know." in (runner.artifact / "report/samples.csv").read_text()) == there
    assert ("It holds no prompt and no answer" in (runner.artifact / "report.html").read_text()) != there


def test_no_input_is_written_into_a_script() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
        assert step.get("shell") == "bash" or "uses" in step
    assert STEPS["Install"]["run"] == 'python -m pip install --quiet "$GITHUB_ACTION_PATH"'
