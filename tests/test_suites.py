"""The laws, over every suite that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.check import check_suite
from harness.suite import read_suite, shipped

SUITES = sorted(path.parent.name for path in shipped().glob("*/suite.yaml"))


def test_the_suites_are_there() -> None:
    assert {"sql", "palindrome", "handbook", "forgetting"} <= set(SUITES)


@pytest.mark.parametrize("name", SUITES)
def test_suite_keeps_the_laws(name: str) -> None:
    broken = [finding for finding in check_suite(read_suite(shipped() / name)) if finding.level == "fail"]
    assert not broken, "\n".join(f"{finding.law}: {finding.message}" for finding in broken[:20])


@pytest.mark.parametrize("name", SUITES)
def test_suite_is_large_enough(name: str) -> None:
    suite = read_suite(shipped() / name)
    assert len(suite.test) >= 200
    assert len(suite.dev) >= 50
    assert len(suite.train) >= 300
    assert len(suite.shots) >= 4
    assert suite.system
    assert (Path(suite.path) / "README.md").is_file()


def test_handbook_has_a_corpus() -> None:
    assert len(read_suite(shipped() / "handbook").corpus) >= 150
