"""docs/gating-in-ci.md: its policy is read and its commands run, in the order in which they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from project import make_project

PAGE = Path(__file__).parent.parent / "docs" / "gating-in-ci.md"


def test_every_command_of_the_page_on_gating_runs(tmp_path: Path) -> None:
    make_project(tmp_path, n=80)
    text = PAGE.read_text("utf-8").replace("mytask", "sums")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (policy,) = [body for kind, body in blocks if kind == "yaml"]
    (tmp_path / "gate.yaml").write_text(policy)
    commands = [line for kind, body in blocks if kind == "sh" for line in body.splitlines()]
    assert len(commands) == 8
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    for command in commands:
        line = command.replace("harness ", f"{sys.executable} -m harness ", 1)
        done = subprocess.run(line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (command, done.returncode, done.stderr.count("Traceback")) == (command, 0, 0), done.stderr
