"""Python for a COBOL program: does it print the same, how many recorded runs agree, and does it read like Python?

The recorded runs lie in cases.jsonl, a row per program: inputs drawn from its PICTUREs and what GnuCOBOL made of them
(record.py). A sample names its program by `metadata.program`. The sandbox gets the inputs, never what should come out.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.data import Completion, Sample, Score, Scorer
from harness.errors import SuiteError
from harness.sandbox import Call, CallResult, Limits, ready, run_calls
from harness.scorers.idioms import findings
from harness.scorers.lint import linter
from harness.scorers.python import extract_code, parse

ENTRY = "main"
LONGEST_ANSWER = 100_000
LONGEST_MAIN = 40
ALLOWED = ("a while loop over positions", "prints inside the function")
"""Habits of small functions that are none here, or that are looked for below in another way."""


@dataclass(frozen=True, eq=False)
class Run:
    """One recorded run: what goes in, and the lines that come out."""

    stdin: str
    files: Mapping[str, str]
    stdout: tuple[str, ...]
    written: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Outcome:
    """What an answer did: its code, how many runs agree, and the first that does not (or why there is no code)."""

    code: str
    right: int
    runs: int
    fault: str


def lines(text: str) -> tuple[str, ...]:
    r"""The lines of a text without the blanks at their ends; whether the last one ends in a newline is no difference.

    >>> lines("a  \nb\n") == lines("a\nb"), lines("a\n\n") == lines("a\n"), lines("")
    (True, False, ())
    """
    found = [line.rstrip(" ") for line in text.split("\n")]
    return tuple(found[:-1] if not found[-1] else found)


@lru_cache(maxsize=4)
def _recorded(path: str, changed: int) -> Mapping[str, tuple[Run, ...]]:
    rows = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines() if line.strip()]
    return {row["program"]: tuple(map(_run, row["cases"])) for row in rows}


def _run(case: Mapping[str, Any]) -> Run:
    written = {name: lines(text) for name, text in case["written"].items()}
    return Run(case["stdin"], case["files"], lines(case["stdout"]), written)


def _runs(sample: Sample, suite_path: str, cases: str) -> tuple[Run, ...]:
    path = Path(suite_path, cases)
    if not path.is_file():
        raise SuiteError(f"{path}: missing. Write it with record.py --write, which needs GnuCOBOL.")
    recorded = _recorded(str(path), path.stat().st_mtime_ns)
    name = str(sample.metadata.get("program", ""))
    if name not in recorded:
        raise SuiteError(f"{suite_path}: sample {sample.id}: metadata.program {name!r} is not in {cases}. Record it.")
    return recorded[name]


@lru_cache(maxsize=4096)
def _outcome(text: str, program: str, runs: tuple[Run, ...], limits: Limits) -> Outcome:
    code, fault = extract_code(text[:LONGEST_ANSWER])
    if fault:
        return Outcome("", 0, len(runs), f"no code: {fault}")
    tree = parse(code)
    if isinstance(tree, str) or not any(isinstance(n, ast.FunctionDef) and n.name == ENTRY for n in tree.body):
        return Outcome(code, 0, len(runs), f"no code: no function named {ENTRY} at top level")
    calls = [Call(ENTRY, (run.stdin, dict(run.files))) for run in runs]
    faults = [_difference(run, result) for run, result in zip(runs, run_calls(code, calls, limits), strict=True)]
    first = next((f"run {number}: {fault}" for number, fault in enumerate(faults, 1) if fault), "")
    return Outcome(code, faults.count(""), len(runs), first)


def _difference(run: Run, result: CallResult) -> str:
    """How a run differs from the recorded one; "" if it does not."""
    if result.status != "ok":
        return f"{result.status}: {result.detail}"
    value = result.value
    if not (type(value) is tuple and len(value) == 2 and type(value[0]) is str and type(value[1]) is dict):
        return "main does not return (text, dictionary of files)"
    stdout, written = value
    if any(type(name) is not str or type(text) is not str for name, text in written.items()):
        return "the dictionary of files does not map names to texts"
    wrong = _first_line("output", lines(stdout), run.stdout)
    if wrong:
        return wrong
    if set(written) != set(run.written):
        return f"files written: {sorted(written)!r:.80}, expected {sorted(run.written)!r:.80}"
    faults = (_first_line(name, lines(written[name]), run.written[name]) for name in sorted(written))
    return next(filter(None, faults), "")


def _first_line(where: str, given: Sequence[str], expected: Sequence[str]) -> str:
    for number, (mine, theirs) in enumerate(zip(given, expected, strict=False), 1):
        if mine != theirs:
            return f"{where}, line {number}: {mine!r:.60} instead of {theirs!r:.60}"
    if len(given) != len(expected):
        return f"{where}: {len(given)} lines instead of {len(expected)}"
    return ""


def _judge(suite_path: str, cases: str, cpu_seconds: int, memory_mb: int) -> Any:
    ready()
    limits = Limits(cpu_seconds=cpu_seconds, memory_mb=memory_mb)

    def judge(sample: Sample, completion: Completion) -> Outcome:
        runs = _runs(sample, suite_path, cases)
        return _outcome(completion.text, str(sample.metadata["program"]), runs, limits)

    return judge


def equivalent(*, suite_path: str, cases: str = "cases.jsonl", cpu_seconds: int = 2, memory_mb: int = 256) -> Scorer:
    """1 if the answer's main returns, for every recorded input, the text and the files that the COBOL program wrote.

    Blanks at line ends and a last newline are no difference; everything else is. What is not covered: inputs that were
    not recorded (about eighteen per program, at the edges of its fields), exit codes, and what COBOL leaves undefined,
    such as letters in a numeric field.
    """
    judge = _judge(suite_path, cases, cpu_seconds, memory_mb)

    def score(sample: Sample, completion: Completion) -> Score:
        found = judge(sample, completion)
        return Score(0.0 if found.fault else 1.0, found.code, found.fault or f"all {found.runs} recorded runs agree")

    return score


def share(*, suite_path: str, cases: str = "cases.jsonl", cpu_seconds: int = 2, memory_mb: int = 256) -> Scorer:
    """The share of recorded runs that agree: how near a wrong translation is. The easy runs count like the others."""
    judge = _judge(suite_path, cases, cpu_seconds, memory_mb)

    def score(sample: Sample, completion: Completion) -> Score:
        found = judge(sample, completion)
        said = found.fault or "all agree"
        return Score(found.right / found.runs, found.code, f"{found.right} of {found.runs} runs agree; {said}")

    return score


def idiom(
    *, suite_path: str, ruff: str, cases: str = "cases.jsonl", cpu_seconds: int = 2, memory_mb: int = 256
) -> Scorer:
    """Of an equivalent answer: 1, less a quarter for each COBOL habit (see `habits`), less what ruff finds (lint.py).

    0 if it is not equivalent. ruff: the version whose findings count; 50 per 100 lines leave nothing.
    What is not covered: whether names say what things are, and whether the division into functions is a good one.
    """
    lint = linter(ruff, suite_path)
    judge = _judge(suite_path, cases, cpu_seconds, memory_mb)

    def score(sample: Sample, completion: Completion) -> Score:
        found = judge(sample, completion)
        if found.fault:
            return Score(0.0, found.code, f"not counted, it is not equivalent: {found.fault}")
        seen, linted = habits(found.code, bool(sample.metadata.get("decimals"))), lint(found.code)
        said = "; ".join(filter(None, [*seen, str(linted)]))
        return Score(max(0.0, 1 - len(seen) / 4 - linted.loss), found.code, said or "nothing of COBOL left")

    return score


def habits(code: str, decimals: bool = False) -> list[str]:
    """What in a program that parses is COBOL in Python's clothes, each habit once.

    >>> habits("def main(stdin, files):\\n    WS_EOF = False\\n    while not WS_EOF:\\n        WS_EOF = True\\n")
    ['a name like a COBOL field: WS_EOF', 'a while loop that only waits for a flag']
    """
    nodes = list(ast.walk(ast.parse(code)))
    found = [habit for habit in findings(code) if habit not in ALLOWED]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    name = next(filter(None, map(_field_name, nodes)), "") or _shouted(functions)
    if name:
        found.append(f"a name like a COBOL field: {name[:40]}")
    if any(isinstance(node, ast.Global) for node in nodes):
        found.append("a global variable")
    if any(map(_waits, nodes)):
        found.append("a while loop that only waits for a flag")
    if any(map(_position_loop, nodes)):
        found.append("a loop over positions")
    if any(map(_displays, _imported(code))):
        found.append("prints instead of returning")
    if any(isinstance(node, ast.FunctionDef) and len(_statements(node)) > LONGEST_MAIN for node in nodes):
        found.append(f"a function of more than {LONGEST_MAIN} statements")
    if decimals and not any(isinstance(node, ast.Name | ast.Attribute) and _named(node) == "Decimal" for node in nodes):
        found.append("no Decimal, though the fields have decimals")
    if any(isinstance(node, ast.Call) and getattr(node.func, "id", "") == "float" for node in nodes):
        found.append("floats")
    return found


def _imported(code: str) -> list[ast.AST]:
    """What is there when the program is imported: all but what stands under `if __name__ == "__main__"`."""
    body = [
        node for node in ast.parse(code).body if not (isinstance(node, ast.If) and "__name__" in ast.dump(node.test))
    ]
    return list(ast.walk(ast.Module(body, [])))


def _displays(node: ast.AST) -> bool:
    """A call of print that does not say where to."""
    return (
        isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "print"
        and all(keyword.arg != "file" for keyword in node.keywords)
    )


def _named(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


def _statements(function: ast.FunctionDef) -> list[ast.stmt]:
    return [node for node in ast.walk(function) if isinstance(node, ast.stmt)][1:]


def _field_name(node: ast.AST) -> str:
    """A name with the prefix or suffix of a COBOL field."""
    name = node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""
    name = node.name if isinstance(node, ast.FunctionDef) else name
    return name if re.match(r"(?i)(ws|wk|wrk|ls|fd)_|\d{4}_|p\d{3,4}_", name) else ""


def _shouted(functions: Sequence[ast.FunctionDef]) -> str:
    """A function, an argument or a variable inside a function in capitals; constants at top level are no such thing."""
    for function in functions:
        names = [function.name, *(item.arg for item in function.args.args)]
        stores = [n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        for name in [*names, *stores]:
            if len(name) > 1 and name != name.lower():
                return name
    return ""


def _waits(node: ast.AST) -> bool:
    """while True with an end of its own making, or while on a lone flag that the loop sets."""
    if not isinstance(node, ast.While):
        return False
    test = node.test
    if isinstance(test, ast.Constant):
        return True
    flag = test.operand if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) else test
    if isinstance(flag, ast.Compare) and isinstance(flag.comparators[0], ast.Constant):
        flag = flag.left if isinstance(flag.comparators[0].value, str | bool) else flag
    return isinstance(flag, ast.Name) and any(
        isinstance(inner, ast.Assign)
        and isinstance(inner.value, ast.Constant)
        and isinstance(inner.value.value, str | bool)
        and any(isinstance(target, ast.Name) and target.id == flag.id for target in inner.targets)
        for inner in ast.walk(node)
    )


def _position_loop(node: ast.AST) -> bool:
    """while i < ...: ... i += 1 with items[i] inside."""
    if not isinstance(node, ast.While) or not isinstance(node.test, ast.Compare):
        return False
    counted = {
        step.target.id
        for step in node.body
        if isinstance(step, ast.AugAssign) and isinstance(step.target, ast.Name) and isinstance(step.op, ast.Add)
    }
    return any(
        isinstance(inner, ast.Subscript) and isinstance(inner.slice, ast.Name) and inner.slice.id in counted
        for inner in ast.walk(node)
    )
