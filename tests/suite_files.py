"""The Python files of a shipped suite as modules: its generator, scorer, certificate."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from types import ModuleType

from harness.suite import shipped


@cache
def suite_file(suite: str, name: str) -> ModuleType:
    """suites/SUITE/NAME.py, loaded once."""
    spec = importlib.util.spec_from_file_location(f"{suite}_{name}", shipped() / suite / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module
