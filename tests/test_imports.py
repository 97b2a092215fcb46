"""The architecture: imports go one way, and the command line starts without the heavy packages."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import harness

PACKAGE = Path(harness.__file__).parent
HEAVY = {"torch", "transformers", "peft", "vllm", "lm_eval", "pandas", "scipy", "sacrebleu", "sqlglot", "bm25s"}
HEAVY |= {"pyarrow", "datasets", "sklearn", "openai", "ray"}
# what a part must never import: a later step of the pipeline, or an engine where numbers are made
FORBIDDEN = {
    "stats": {"engines", "runner", "store", "report", "train", "gate", "verdict", "compare", "cli"},
    "scorers": {"engines", "runner", "store", "report", "train", "gate", "verdict", "cli"},
    "sandbox": {"engines", "runner", "store", "report", "train", "gate", "verdict", "cli", "scorers"},
    "engines": {"runner", "store", "report", "train", "gate", "verdict", "cli", "suite"},
    "lmeval": {"runner", "store", "report", "train", "gate", "verdict", "cli", "suite", "scorers"},
    "train": {"runner", "report", "gate", "verdict", "cli", "store"},
    "report": {"engines", "train", "runner", "cli"},
    "baseline": {"engines", "train", "runner", "cli", "report", "gate", "rules"},
    "comparable": {"engines", "train", "runner", "cli", "report", "gate", "rules"},
    "policy": {"engines", "train", "runner", "cli", "report", "gate", "rules", "compare"},
    "margins": {"engines", "train", "runner", "store", "cli", "report", "gate", "rules"},
    "rules": {"engines", "train", "runner", "cli", "report", "gate"},
    "gate": {"engines", "train", "runner", "cli", "report"},
    "verdict": {"engines", "train", "runner", "cli", "report", "gate"},
    "prices": {"engines", "train", "runner", "cli", "report", "gate", "verdict", "roles"},
    "failures": {"engines", "train", "runner", "cli", "report", "gate", "verdict"},
    "rungs": {"engines", "train", "runner", "cli", "report", "gate", "verdict"},
    "recipes": {"engines", "train", "runner", "cli", "report", "gate", "verdict"},
    "corpus_scores": {"engines", "train", "runner", "cli", "report", "gate", "verdict"},
    "compare": {"engines", "train", "runner", "cli", "report", "gate", "verdict"},
    "scoring": {"engines", "runner", "report", "gate", "verdict", "cli", "train"},
    "runner": {"report", "gate", "verdict", "cli", "train"},
    "tasks": {"runner", "resume", "report", "gate", "verdict", "cli", "train", "suite", "store"},
    "resume": {"runner", "report", "gate", "verdict", "cli", "train", "suite", "store"},
    "prompt": {"engines", "runner", "store", "suite", "cli"},
    "rows": {"suite", "samples", "prompt", "engines", "store", "runner", "cli"},
    "samples": {"suite", "plugins", "prompt", "engines", "store", "runner", "cli"},
    "plugins": {"suite", "scorers", "samples", "engines", "store", "runner", "cli"},
    "data": {"errors", "config", "suite", "prompt", "engines", "store", "runner", "cli"},
}


def _imports(path: Path, top_level_only: bool) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            if node.module == "harness":
                found |= {f"harness.{alias.name}" for alias in node.names}
    return found


def _files() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if "_shipped" not in path.parts]


def test_imports_go_one_way() -> None:
    wrong = []
    for path in _files():
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for name in _imports(path, top_level_only=False):
            target = name.split(".")[1] if name.startswith("harness.") else ""
            if target in FORBIDDEN.get(part, ()):
                wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert not wrong


def test_heavy_packages_are_imported_where_they_are_used() -> None:
    wrong = []
    for path in _files():
        if path.relative_to(PACKAGE).parts[0] in ("embedded",):  # the recipe is a program of its own
            continue
        wrong += [f"{path.name}: {name}" for name in _imports(path, True) if name.split(".")[0] in HEAVY]
    assert not wrong


def test_help_loads_nothing_heavy() -> None:
    heavy = sorted(HEAVY | {"numpy"})
    code = f"import sys, harness.cli as c; c.main(['--help']); print(sorted(set(sys.modules) & set({heavy})))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip().endswith("[]")


def test_no_module_shadows_the_standard_library() -> None:
    assert not [path.name for path in _files() if path.stem in {"types", "token", "code", "utils", "common", "helpers"}]
