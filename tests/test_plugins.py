"""Suites that the harness does not know: in somebody's folder, and in packages installed with pip."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from project import make_project
from third_party import word, write_suite

import harness
from harness.cli import main
from harness.errors import SuiteError
from harness.suite import all_suites, find_suite, read_suite, shipped

IMPORTED = "raise RuntimeError('a suite was looked for, and the package was run')\n"


def install(target: Path, package: str, entries: dict[str, str], suites: dict[str, Path]) -> None:
    """Builds a wheel of `package` with suite folders (path in the package -> folder) and installs it with pip."""
    distribution = package.replace("_", "-")
    info = f"{package}-1.0.dist-info"
    files = {f"{package}/__init__.py": IMPORTED.encode()}
    for below, folder in suites.items():
        files |= {f"{package}/{below}/{file.name}": file.read_bytes() for file in folder.iterdir() if file.is_file()}
    declared = "".join(f"{name} = {value}\n" for name, value in entries.items())
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = f"[harness.suites]\n{declared}".encode()
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]).encode()
    wheel = target.parent / f"{package}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-compile", "--target"]
    subprocess.run([*pip, str(target), str(wheel)], check=True, capture_output=True)
    importlib.invalidate_caches()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where acme-suites is installed: two suites in a folder each, and one named by its own entry."""
    folder = tmp_path_factory.mktemp("acme")
    source = write_suite(folder / "source")
    other = write_suite(folder / "other", "rivers")
    entries = {"acme": "acme_suites.tasks", "acme-letters": "acme_suites.letters"}
    inside = {"tasks/capitals": source, "tasks/rivers": other, "letters": write_suite(folder / "l", "letters")}
    install(folder / "site", "acme_suites", entries, inside)
    return folder / "site"


@pytest.fixture
def site(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of that folder on sys.path."""
    site = tmp_path / "site"
    shutil.copytree(package, site)
    monkeypatch.syspath_prepend(site)
    yield site
    importlib.invalidate_caches()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project on the fake engine, without suites of its own, whose adapter knows the capitals."""
    folder = tmp_path / "project"
    make_project(folder)
    shutil.rmtree(folder / "suites")
    rows = [{"prompt": f"of {word(i * 3)}?", "answer": word(2743 - i), "adapter": "tuned"} for i in range(60)]
    rows += [{key: value for key, value in row.items() if key != "adapter"} for row in rows[::2]]
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(folder)
    return folder


def _accuracy(run: Path) -> dict[str, float]:
    rows = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
    values: dict[str, list[float]] = {}
    for row in rows:
        if row["scorer"] == "city":
            values.setdefault(row["arm"], []).append(row["value"])
    return {arm: sum(found) / len(found) for arm, found in values.items()}


@pytest.mark.parametrize("where", ["installed", "folder"])
def test_a_third_partys_suite_is_checked_certified_and_run(
    where: str, site: Path, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "capitals" if where == "installed" else str(write_suite(tmp_path / "elsewhere" / "capitals"))
    folder = site / "acme_suites" / "tasks" / "capitals" if where == "installed" else Path(name)
    assert main(["check", name, "--certify"]) == 0
    assert "capitals: score validated" in capsys.readouterr().out
    assert json.loads((folder / "certificate.json").read_text())["valid"]
    assert main(["run", "-s", name, "-a", "base", "-a", "lora", "--engine", "fake", "--out", "runs/c"]) == 0
    assert _accuracy(project / "runs" / "c") == {"base": 0.5, "lora": 1.0}
    scorer = folder / "scorer.py"
    scorer.write_text(scorer.read_text().replace("float(right)", "float(not right)"))
    assert main(["score", "runs/c"]) == 0
    assert _accuracy(project / "runs" / "c") == {"base": 0.5, "lora": 0.0}
    assert main(["report", "runs/c", "--out", "c.html"]) == 0


def test_a_new_process_finds_an_installed_suite(site: Path, project: Path) -> None:
    path = os.pathsep.join([str(site), str(Path(harness.__file__).parents[1])])
    command = [sys.executable, "-m", "harness", "check", "rivers", "acme-letters"]
    done = subprocess.run(command, cwd=project, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "rivers v1" in done.stdout
    assert "letters v1" in done.stdout


def test_suites_are_found_by_folder_and_a_lone_one_by_its_entry(site: Path, project: Path) -> None:
    assert find_suite("rivers", project) == site / "acme_suites" / "tasks" / "rivers"
    assert find_suite("acme-letters", project) == site / "acme_suites" / "letters"
    assert read_suite("acme-letters", project).name == "letters"


def test_the_package_is_not_imported(site: Path, project: Path) -> None:
    read_suite("capitals", project)
    assert "acme_suites" not in sys.modules


def test_all_suites_are_ones_own_or_else_the_installed_and_the_shipped(site: Path, project: Path) -> None:
    assert {"capitals", "rivers", "acme-letters", "sql", "handbook"} <= set(all_suites(project))
    write_suite(project / "suites" / "mine")
    assert all_suites(project) == ["mine"]


def test_a_suite_of_ones_own_comes_before_an_installed_one(site: Path, project: Path) -> None:
    own = write_suite(project / "suites" / "capitals")
    assert find_suite("capitals", project) == own


def test_a_misspelt_installed_suite_is_suggested(site: Path, project: Path) -> None:
    with pytest.raises(SuiteError, match="Did you mean 'rivers'"):
        find_suite("river", project)


@pytest.mark.parametrize(("name", "other"), [("capitals", "acme-suites"), ("sql", "the harness")])
def test_a_name_that_two_have_is_an_error_naming_both(
    site: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, other: str
) -> None:
    rival = write_suite(tmp_path / "rival")
    install(tmp_path / "rivals", "rival_suites", {"rival": "rival_suites"}, {name: rival})
    monkeypatch.syspath_prepend(tmp_path / "rivals")
    with pytest.raises(SuiteError) as caught:
        find_suite(name, project)
    message = str(caught.value)
    theirs = tmp_path / "rivals" / "rival_suites" / name
    known = shipped() / name if name == "sql" else site / "acme_suites" / "tasks" / name
    assert f"{theirs} (rival-suites)" in message
    assert f"{known} ({other})" in message
    assert "\n" not in message
    assert find_suite("rivers", project).is_dir()


@pytest.mark.parametrize("value", ["nothing_there", "rival_suites.nowhere", "rival_suites"])
def test_a_package_that_declares_no_suite_is_named(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    install(tmp_path / "rivals", "rival_suites", {"rival": value}, {})
    monkeypatch.syspath_prepend(tmp_path / "rivals")
    with pytest.raises(SuiteError, match=f"package rival-suites: .*'rival' names no suite folder .{value}.") as caught:
        find_suite("capitals", project)
    assert "\n" not in str(caught.value)
