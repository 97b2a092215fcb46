"""What ruff says about a program: findings of a fixed set of rules, per 100 lines.

ruff reads the program from its standard input and never runs it. No configuration of the user's is looked at
(`--isolated`), no `noqa` in the program is obeyed, nothing is written. The version is an option of the suite, so that
it is part of the suite's digest: another version has other rules and gives other scores.
"""

from __future__ import annotations

import ast
import json
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from harness.errors import SuiteError

RULES = "B,C4,SIM,PERF,PIE,UP,RET,FURB,N,PLR,PLW,PTH,C90,ERA,F,E7,RUF"
IGNORED = "PLR2004,PERF401,RUF001,RUF002,RUF003"
"""Numbers, which the question gives; append loops, which idioms.py sees in more forms; dashes and quotes in prose."""

FEWEST_LINES = 10
"""A shorter program counts as this long, or one finding in two lines would be 50 per 100."""
MOST_PER_100 = 50.0
"""Findings per 100 lines that leave nothing of a score; a line-by-line translation of COBOL has about as many."""
DEEPEST = 200
"""Levels of a syntax tree; ruff runs out of stack some thousand levels down."""
SECONDS = 10

_OPTIONS = (
    *("check", "--isolated", "--no-cache", "--ignore-noqa", "--exit-zero", "--target-version", "py311"),
    *("--select", RULES, "--ignore", IGNORED, "--output-format", "json", "--stdin-filename", "answer.py", "-"),
)


@dataclass(frozen=True)
class Lint:
    """The rules that were broken, once per finding; findings per 100 lines; or why ruff could not read the program."""

    codes: tuple[str, ...]
    per_100: float
    fault: str = ""

    @property
    def loss(self) -> float:
        """0..1: what the findings take from a score."""
        return 1.0 if self.fault else min(1.0, self.per_100 / MOST_PER_100)

    def __str__(self) -> str:
        """One line; "" if there is nothing to say."""
        if self.fault or not self.codes:
            return self.fault
        counted = (f"{code} x{n}" if n > 1 else code for code, n in sorted(Counter(self.codes).items()))
        return f"ruff: {', '.join(counted)} ({self.per_100:.0f} per 100 lines)"


def linter(version: str, suite_path: str) -> Callable[[str], Lint]:
    """A function from a program that parses to its Lint. SuiteError if ruff is missing or is not of this version.

    >>> linter(installed(), ".")("def f(x):\\n    return x\\n").codes
    ()
    """
    found = installed()
    if found != version:
        raise SuiteError(
            f"{suite_path}/suite.yaml: option ruff: {version} is asked for, {found or 'none'} is installed. "
            f"Install it with: pip install ruff=={version}"
        )
    return _lint


@lru_cache(maxsize=1)
def installed() -> str:
    """The version of the ruff in this environment, "" if there is none."""
    try:
        return _ruff("--version").decode().removeprefix("ruff ").strip()
    except (ImportError, OSError, subprocess.SubprocessError):
        return ""


@lru_cache(maxsize=4096)
def _lint(code: str) -> Lint:
    if _depth(ast.parse(code)) > DEEPEST:
        return Lint((), 0.0, "nested too deeply to be read by ruff")
    try:
        found = json.loads(_ruff(*_OPTIONS, given=code.encode("utf-8", "replace")))
    except subprocess.TimeoutExpired:
        return Lint((), 0.0, f"ruff did not finish within {SECONDS} seconds")
    except (subprocess.CalledProcessError, ValueError):
        return Lint((), 0.0, "ruff could not read it")
    lines = sum(bool(line.strip()) for line in code.splitlines())
    codes = tuple(str(finding["code"]) for finding in found)
    return Lint(codes, 100 * len(codes) / max(FEWEST_LINES, lines))


def _ruff(*options: str, given: bytes = b"") -> bytes:
    """What ruff prints; an empty environment, because RUFF_ variables change its options."""
    from ruff import find_ruff_bin

    command = [find_ruff_bin(), *options]
    return subprocess.run(command, input=given, capture_output=True, timeout=SECONDS, check=True, env={}).stdout


def _depth(tree: ast.AST) -> int:
    """Levels of a syntax tree, counted without recursion up to a little more than DEEPEST."""
    level, depth = [tree], 0
    while level and depth <= DEEPEST:
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        depth += 1
    return depth
