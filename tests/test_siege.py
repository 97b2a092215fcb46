"""The list of attacks on every tier, as this user and as one who is not root; and that the list can find a leak."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import harness
from harness.sandbox import pool, tiers
from harness.sandbox.attacks import ATTACKS, Attack
from harness.sandbox.jail import strangers_read
from harness.sandbox.siege import Finding, replay

NOBODY = 65534
BY_ID = {attack.id: attack for attack in ATTACKS}
PLACES = [(tier, user) for tier in ("T2", "T1") for user in ("this user", "nobody")]
SEEN_WITHOUT_A_JAIL = ["H01", "H02", "H03", "H05", "H06", "H09", "H10", "H11", "H12", "H14", "H19", "H35", "H13"]


def test_ids_are_unique_and_the_whole_list_is_there() -> None:
    assert len(BY_ID) == len(ATTACKS)
    wanted = [
        f"{letter}{number:02d}"
        for letter, most in (("H", 46), ("V", 26), ("C", 19), ("X", 20))
        for number in range(1, most + 1)
    ]
    assert set(wanted) <= BY_ID.keys()


@pytest.fixture(scope="module")
def strangers() -> Iterator[Path]:
    """A copy of the sandbox where any user may read it."""
    folder = Path(tempfile.mkdtemp(prefix="harness-siege-"))
    package = Path(harness.__file__).parent
    shutil.copytree(package / "sandbox", folder / "harness" / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "errors.py"):
        shutil.copy(package / name, folder / "harness" / name)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@cache
def as_this_user(tier: pool.Tier) -> dict[str, tuple[str, str]]:
    return {one.attack.id: (one.outcome, one.detail) for one in replay(tier)}


@cache
def as_nobody(tier: str, folder: Path) -> dict[str, tuple[str, str]]:
    """The same in a process of another user, with a Python that this user may run."""
    python = sys.executable if strangers_read(os.path.dirname(os.__file__)) else "/usr/bin/python3"
    done = subprocess.run(
        [python, "-m", "harness.sandbox.siege", "--tier", tier, "--json"],
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"},
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout, done.stderr
    return {row["id"]: (row["outcome"], row["detail"]) for row in json.loads(done.stdout)}


@pytest.mark.parametrize("attack", [*BY_ID, "END"])
@pytest.mark.parametrize(("tier", "user"), PLACES, ids=lambda value: value.replace(" ", "-"))
def test_attack_is_blocked(tier: pool.Tier, user: str, attack: str, strangers: Path) -> None:
    if tier == "T2" and tier not in tiers():
        pytest.skip(f"no namespaces here: {pool.why_not('T2')}")
    if user == "nobody" and os.geteuid() != 0:
        pytest.skip("this user is not root already")
    found = as_this_user(tier) if user == "this user" else as_nobody(tier, strangers)
    if attack != "END":
        assert found[attack][0] in ("blocked", "passed"), found[attack]
    else:
        assert attack not in found, found


@pytest.fixture(scope="module")
def open_field() -> dict[str, Finding]:
    """Some of the list on a sandbox without a jail."""
    chosen: list[Attack] = [BY_ID[name] for name in SEEN_WITHOUT_A_JAIL]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.sandbox.process._accepted", True)
        return {found.attack.id: found for found in replay("T0", chosen)}


@pytest.mark.parametrize("attack", SEEN_WITHOUT_A_JAIL)
def test_attack_is_seen_where_there_is_no_jail(attack: str, open_field: dict[str, Finding]) -> None:
    assert open_field[attack].outcome == "leaked", open_field[attack].detail


def test_attacks_hold_with_many_open_descriptors() -> None:
    """A control socket with a high number must not stay open in the programs."""
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(120)]
    try:
        pool.close()
        found = replay(tiers()[0], [BY_ID[name] for name in ("H41", "V20", "X02", "C18", "P01")])
        assert [one.outcome for one in found] == ["blocked"] * 4 + ["passed"]
    finally:
        for number in held:
            os.close(number)
