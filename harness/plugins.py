"""Suites of installed packages. A package declares where its suite folders lie, and no code of it runs to find them:

    [project.entry-points."harness.suites"]
    acme = "acme_suites"              # suite folders in the package's folder: each is found by its own name
    refunds = "acme_refunds.suite"   # one suite folder itself: found by the name on the left

What is not covered: a suite's scorer.py and certificate.py are code of that package, and run when the suite is used.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from harness.errors import SuiteError

GROUP = "harness.suites"


def installed() -> dict[str, list[tuple[str, Path]]]:
    """Suite name -> (package, folder) of every installed package that has it. SuiteError: a declaration of nothing."""
    found: dict[str, list[tuple[str, Path]]] = {}
    for entry in entry_points(group=GROUP):
        package = entry.dist.name if entry.dist else entry.value
        suites = [(name, path) for folder in _folders(entry) for name, path in _suites(entry.name, folder)]
        if not suites:
            raise SuiteError(
                f"package {package}: its entry point '{entry.name}' names no suite folder ({entry.value}). "
                f"Install it again, or uninstall it."
            )
        for name, path in suites:
            if path not in [other for _, other in found.setdefault(name, [])]:
                found[name].append((package, path))
    return found


def _folders(entry: EntryPoint) -> Iterator[Path]:
    """The folder that an entry point names: a package, or a folder below it. The package is not imported."""
    top, *below = entry.value.split(":")[0].strip().split(".")
    try:
        spec = importlib.util.find_spec(top) if top else None
    except ValueError:  # a module without a spec
        spec = None
    for location in (spec and spec.submodule_search_locations) or ():
        yield Path(location, *below)


def _suites(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    if (folder / "suite.yaml").is_file():
        yield name, folder
    else:
        yield from ((path.parent.name, path.parent) for path in sorted(folder.glob("*/suite.yaml")))
