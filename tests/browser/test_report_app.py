"""The committed script is what its sources and its lock file give."""

from __future__ import annotations

import subprocess
from pathlib import Path

from conftest import APP, npm

BUILT = APP.parent / "templates" / "report.js"


def test_committed_script_is_what_the_sources_build(app: Path, tmp_path: Path) -> None:
    command, environment = npm()
    subprocess.run([*command, "run", "build", "--", str(tmp_path / "report.js")], cwd=app, env=environment, check=True)
    said = "run: npm ci && npm run build in harness/report/app"
    assert (tmp_path / "report.js").read_bytes() == BUILT.read_bytes(), said


def test_types_of_the_sources_hold(app: Path) -> None:
    command, environment = npm()
    checked = subprocess.run([*command, "run", "check"], cwd=app, env=environment, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_script_is_small_and_names_the_licences_of_what_it_holds() -> None:
    text = BUILT.read_text("utf-8")
    assert len(text) < 60_000
    assert text.count("Permission is hereby granted") >= 3
    assert "Redistribution and use in source and binary forms" in text
