"""Python answers: hidden behavioural tests, the idiom that carries them, and their style. Three separate columns.

A sample names its tests by `metadata.function`, a row of the suite's cases file

    {"function": "keep_palindromes", "idioms": ["palindrome"],
     "cases": [{"name": "an empty list", "args": "([],)", "expected": "[]"}]}

or carries them itself as `metadata.cases` (and `metadata.idioms`). args and expected are Python literals as text, with
`*` and `+` for long ones ("(['ab' * 50000],)"). `metadata.entry` is the function's name where the prompt asks for one.
"""

from __future__ import annotations

import ast
import json
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.data import Completion, Sample, Score, Scorer
from harness.errors import SuiteError
from harness.sandbox import Call, CallResult, Limits, ready, run_calls, same, shown
from harness.scorers.idioms import findings, without
from harness.scorers.markdown import PYTHON_TAGS, after_thinking, fences

LONGEST_CODE = 20_000
"""Characters; beyond this a small function is no small function, and its parse tree no longer ours to hold."""

_PARSING = threading.Lock()


# --- the tests -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One hidden call: the behaviour it is about, the arguments, what must come back (value and exact type)."""

    name: str
    args: tuple[Any, ...]
    expected: Any


@dataclass(frozen=True, eq=False)
class Task:
    """The hidden tests of one function, and the idioms (idioms.py) of which one must carry the answer."""

    function: str
    idioms: tuple[str, ...]
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Reading:
    """What was read out of an answer: runnable code and the function to call, or why there is none."""

    code: str = ""
    entry: str = ""
    fault: str = ""


def literal(text: str) -> Any:
    """The value of a Python literal, in which `*` repeats and `+` joins.

    >>> literal("('ab' * 2 + 'a', [1])")
    ('ababa', [1])
    """

    def value(node: ast.AST) -> Any:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            return value(node.left) * value(node.right)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return value(node.left) + value(node.right)
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            kind = {ast.Tuple: tuple, ast.List: list, ast.Set: set}[type(node)]
            return kind(value(item) for item in node.elts)
        if isinstance(node, ast.Dict):
            return {value(key): value(item) for key, item in zip(node.keys, node.values, strict=True) if key}
        if isinstance(node, ast.Call) and ast.unparse(node) == "set()":
            return set()
        return ast.literal_eval(node)

    return value(ast.parse(text, mode="eval").body)


def _task(row: Mapping[str, Any], where: str) -> Task:
    try:
        cases = tuple(
            Case(case.get("name", case["args"]), tuple(literal(case["args"])), literal(case["expected"]))
            for case in row["cases"]
        )
        return Task(row.get("function", "f"), tuple(row.get("idioms", ())), cases)
    except (KeyError, TypeError, ValueError, SyntaxError) as error:
        raise SuiteError(f"{where}: not a row of hidden tests ({error!r}). See harness/scorers/python.py.") from None


@lru_cache(maxsize=16)
def _tasks(path: str, changed: int) -> Mapping[str, Task]:
    lines = Path(path).read_text("utf-8").splitlines()
    tasks = [_task(json.loads(line), f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    return {task.function: task for task in tasks}


@lru_cache(maxsize=1024)
def _inline(text: str, where: str) -> Task:
    return _task(json.loads(text), where)


def _task_of(sample: Sample, suite_path: str, cases: str) -> Task:
    where = f"{suite_path}: sample {sample.id}"
    if "cases" in sample.metadata:
        return _inline(json.dumps(dict(sample.metadata), sort_keys=True), where)
    path = Path(suite_path, cases)
    if not path.is_file():
        raise SuiteError(f"{path}: missing. A suite of Python functions keeps its hidden tests there.")
    tasks = _tasks(str(path), path.stat().st_mtime_ns)
    function = str(sample.metadata.get("function", ""))
    if function not in tasks:
        raise SuiteError(f"{where}: metadata.function {function!r} is not in {cases}. Add its hidden tests.")
    return tasks[function]


# --- reading an answer -----------------------------------------------------------------------------------------------


def extract_code(text: str) -> tuple[str, str]:
    """(code, "") or ("", why there is none). Python fences first, else untagged ones, else bare code in the text.

    Several fences are read as one program; if that is none, the last that defines a function counts.
    An answer that stops inside its fence is not an answer. Reasoning before the answer is passed over.
    """
    text = after_thinking(text)
    blocks, _ = fences(text)
    if any(not block.closed for block in blocks):
        return "", "the code fence is never closed"
    tagged = [block.text for block in blocks if block.tag.split(" ")[0] in PYTHON_TAGS]
    texts = tagged or [block.text for block in blocks if not block.tag]
    if not blocks:
        texts = [bare_code(text)]
    fault = "no code in the answer"
    for code in ["\n".join(texts), *reversed(texts)]:
        tree = parse(code)
        if isinstance(tree, str):
            fault = tree if code.strip() else fault
        elif _functions(tree):
            return code, ""
        elif code.strip():
            fault = "the code defines no function"
    return "", fault


def bare_code(text: str) -> str:
    """The first run of lines that looks like a program in unfenced text, cut where prose goes on."""
    starts = ("def ", "import ", "from ", "@", "class ")
    lines = text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.startswith(starts)), len(lines))
    kept = []
    for line in lines[first:]:
        if line[:1].strip() and not line.startswith((*starts, "#", ")")):
            break
        kept.append(line)
    return "\n".join(kept)


def parse(code: str) -> ast.Module | str:
    """The syntax tree, or why there is none."""
    if len(code) > LONGEST_CODE:
        return f"the code is longer than {LONGEST_CODE} characters"
    try:
        with _PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except SyntaxError as error:
        return f"SyntaxError: {error.msg} (line {error.lineno})"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"not Python: {type(error).__name__}"


def _functions(tree: ast.Module) -> dict[str, ast.arguments]:
    """The functions at top level, lambdas with a name included, in the order of their definition."""
    found: dict[str, ast.arguments] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node.args
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            found.update({name.id: node.value.args for name in node.targets if isinstance(name, ast.Name)})
    return found


def _entry(tree: ast.Module, arguments: int) -> str:
    """The function meant to be called: the last that no other calls and that takes this many arguments; "" if none."""
    functions = _functions(tree)
    used = {
        inner.id
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and inner.id != node.name
    }
    fitting = [
        name
        for name, spec in functions.items()
        if len(spec.posonlyargs + spec.args) - len(spec.defaults) <= arguments
        and (spec.vararg or arguments <= len(spec.posonlyargs + spec.args))
    ]
    free = [name for name in fitting if name not in used]
    return (free or fitting or [""])[-1]


@lru_cache(maxsize=4096)
def _read(text: str, asked: str, arguments: int) -> Reading:
    code, fault = extract_code(text)
    tree = parse(code)
    if fault or isinstance(tree, str):
        return Reading(fault=f"no code: {fault}")
    if asked and asked not in _functions(tree):
        return Reading(code, fault=f"no function named {asked}, which the prompt asks for")
    entry = asked or _entry(tree, arguments)
    return Reading(code, entry, "" if entry else f"no function that takes {arguments} argument(s)")


# --- running it ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _failure(code: str, entry: str, task: Task, limits: Limits) -> str:
    """The first hidden behaviour that fails, "" if all hold."""
    calls = [Call(entry, case.args) for case in task.cases]
    for case, result in zip(task.cases, run_calls(code, calls, limits), strict=True):
        fault = _verdict(case, result)
        if fault:
            return f"{case.name}: {fault}"
    return ""


def _verdict(case: Case, result: CallResult) -> str:
    given = ", ".join(map(short, case.args))
    if result.status != "ok":
        return f"f({given}): {result.status}: {result.detail}"
    if not same(result.value, case.expected):
        return f"f({given}) gave {short(result.value)}, expected {short(case.expected)}"
    return "" if same(result.args, case.args) else f"f({given}) changed its argument"


def short(value: Any, longest: int = 80) -> str:
    """A value on at most `longest` characters, whatever its size."""
    text = repr(value[:longest]) if isinstance(value, str) else shown(value)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def python_tests(*, suite_path: str, cases: str = "cases.jsonl", cpu_seconds: int = 2, memory_mb: int = 256) -> Scorer:
    """1 if every hidden call returns exactly what it must (value and type) and leaves its arguments alone, else 0.

    The explanation names the first behaviour that fails. The function is the one the prompt names, else the last
    at top level that no other calls. What is not covered: see harness/sandbox/process.py; and an answer right on all
    hidden calls but wrong elsewhere scores 1.
    """
    ready()
    limits = Limits(cpu_seconds=cpu_seconds, memory_mb=memory_mb)

    def score(sample: Sample, completion: Completion) -> Score:
        task = _task_of(sample, suite_path, cases)
        reading, fault = _tested(sample, completion, task, limits)
        return Score(0.0 if fault else 1.0, reading.code, fault or f"all {len(task.cases)} hidden calls are right")

    return score


def _tested(sample: Sample, completion: Completion, task: Task, limits: Limits) -> tuple[Reading, str]:
    asked = str(sample.metadata.get("entry") or "")
    reading = _read(completion.text, asked, len(task.cases[0].args))
    return reading, reading.fault or _failure(reading.code, reading.entry, task, limits)


def python_idiom(*, suite_path: str, cases: str = "cases.jsonl", cpu_seconds: int = 2, memory_mb: int = 256) -> Scorer:
    """1 if the answer passes and one of the task's idioms carries it: without the idiom its results change.

    For palindromes that is `s == s[::-1]`: with the comparison flipped the results must differ, so a decoy beside a
    two-pointer loop counts for nothing.
    """
    ready()
    limits = Limits(cpu_seconds=cpu_seconds, memory_mb=memory_mb)

    def score(sample: Sample, completion: Completion) -> Score:
        task = _task_of(sample, suite_path, cases)
        reading, fault = _tested(sample, completion, task, limits)
        if fault:
            return Score(0.0, reading.code, f"not counted, the tests fail: {fault}")
        for idiom in task.idioms:
            broken = without(idiom, reading.code)
            if broken and _failure(broken, reading.entry, task, limits):
                return Score(1.0, reading.code, f"carried by the idiom {idiom}")
        return Score(0.0, reading.code, f"not carried by: {', '.join(task.idioms)}")

    return score


def python_style(*, suite_path: str, cases: str = "cases.jsonl", cpu_seconds: int = 2, memory_mb: int = 256) -> Scorer:
    """Of an answer that passes: 1 without an un-Pythonic habit (see idioms.py), 0.5 with one, 0 with more."""
    ready()
    limits = Limits(cpu_seconds=cpu_seconds, memory_mb=memory_mb)

    def score(sample: Sample, completion: Completion) -> Score:
        task = _task_of(sample, suite_path, cases)
        reading, fault = _tested(sample, completion, task, limits)
        if fault:
            return Score(0.0, reading.code, f"not counted, the tests fail: {fault}")
        found = findings(reading.code)
        return Score(max(0.0, 1 - len(found) / 2), reading.code, "; ".join(found) or "nothing un-Pythonic found")

    return score
