"""docs/gating-in-ci.md: its policy is read, and its commands run, in the order in which they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import click
import pytest
import yaml
from project import make_project

from harness.cli import cli

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "gating-in-ci.md").read_text("utf-8").replace("mytask", "sums")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
POLICY, GITHUB, GITLAB = (body for kind, body in BLOCKS if kind == "yaml")
COMMANDS = [line for kind, body in BLOCKS if kind == "sh" for line in body.splitlines()]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    make_project(folder, n=80)
    (folder / "gate.yaml").write_text(POLICY)
    return folder


def _run(folder: Path, commands: Iterable[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "GITHUB_ACTIONS")}
    for command in commands:
        line = command.replace("harness ", f"{sys.executable} -m harness ", 1)
        done = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
        assert (command, done.returncode, done.stderr.count("Traceback")) == (command, 0, 0), done.stderr


def test_every_command_of_the_page_on_gating_runs(project: Path) -> None:
    assert len(COMMANDS) == 9
    _run(project, COMMANDS)


def test_the_commands_before_a_merge_run(project: Path) -> None:
    _run(project, COMMANDS[:2])  # the baseline
    jobs = yaml.safe_load(GITHUB)["jobs"]["gate"]["steps"], yaml.safe_load(GITLAB)["gate"]["script"]
    steps = [step["run"] for step in jobs[0] if "run" in step]
    for commands in (steps, jobs[1]):
        assert commands[0] == "python -m pip install ./llm-decision-harness"
        _run(project, commands[1:])
    written = yaml.safe_load(GITLAB)["gate"]["artifacts"]
    for name in (*written["paths"], *written["reports"].values()):
        assert (project / name).is_file()


def test_the_action_has_the_inputs_that_the_page_gives_it() -> None:
    (given,) = [
        step["with"] for step in yaml.safe_load(GITHUB)["jobs"]["gate"]["steps"] if "candidate" in step.get("with", {})
    ]
    inputs = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))["inputs"]
    assert set(given) <= set(inputs)
    assert all(isinstance(value, str) for value in given.values())


def _examples(verb: str) -> list[str]:
    """The commands in a verb's help."""
    said = cli.get_command(click.Context(cli), verb)
    assert said is not None
    text = (said.help or "").partition("Example")[2]
    return [line.partition("harness ")[2] for line in text.splitlines() if "harness " in line]


@pytest.mark.parametrize("verb", ["compare", "report", "gate"])
def test_every_command_in_the_help_of_a_verb_that_reads_runs_works(project: Path, verb: str) -> None:
    if not (project / "runs/new").is_dir():
        _run(project, ["harness run -s sums --out runs/new", "harness baseline bless runs/new:lora --reason first"])
        for name in ("old", "sql", "may", "june", "patients"):
            shutil.copytree(project / "runs/new", project / "runs" / name)
    (project / "gate.yaml").write_text("baseline: runs/old:lora\ntiers: {full: {suites: [sums]}}\n")
    commands = [f"harness {line}".replace("-s sql", "-s sums") for line in _examples(verb)]
    assert len(commands) >= 3
    _run(project, commands)
    (project / "gate.yaml").write_text(POLICY)
