"""Python answers: hidden behavioural tests, the idiom that carries them, and their style. Three separate columns.

A sample names its tests by `metadata.function`, a row of the suite's cases file

    {"function": "keep_palindromes", "idioms": ["palindrome"],
     "cases": [{"name": "an empty list", "args": "([],)", "expected": "[]"}]}

or carries them itself as `metadata.cases` (and `metadata.idioms`). args and expected are Python literals as text, with
`*` and `+` for long ones ("(['ab' * 50000],)"). `metadata.entry` is the function's name where the prompt asks for one.
`"probe": ["Racecar", "Aa", "nurses run", ...]` in a row asks how a filter reads strings on which the prompt is silent:
the explanation reports it, no score depends on it, except that what comes back must be some of these very strings.
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
from harness.scorers import gold_free
from harness.scorers.idioms import findings, without
from harness.scorers.lint import linter
from harness.scorers.markdown import PYTHON_TAGS, after_thinking, fences

LONGEST_CODE = 20_000
"""Characters; beyond this a small function is no small function, and its parse tree no longer ours to hold."""

MOST_FENCES = 20
"""Of which it is asked whether they are examples."""

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
    """The hidden tests of one function, the idioms (idioms.py) of which one must carry the answer, and the probe."""

    function: str
    idioms: tuple[str, ...]
    cases: tuple[Case, ...]
    probe: tuple[str, ...] = ()


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
        return Task(row.get("function", "f"), tuple(row.get("idioms", ())), cases, tuple(row.get("probe", ())))
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

    Several fences are read as one program, without those that only use what others define; if that is none, the last
    that defines a function counts.
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
    for code in ["\n".join(_without_examples(texts)), *reversed(texts)]:
        tree = parse(code)
        if isinstance(tree, str):
            fault = tree if code.strip() else fault
        elif _functions(tree):
            return code, ""
        elif code.strip():
            fault = "the code defines no function"
    return "", fault


def _without_examples(texts: list[str]) -> list[str]:
    """The fences but for those that define no function and use one that another fence defines: calls to show it."""
    trees = [parse(text) for text in texts[:MOST_FENCES]]
    defined = {name for tree in trees if isinstance(tree, ast.Module) for name in _functions(tree)}

    def is_example(tree: ast.Module | str) -> bool:
        if isinstance(tree, str) or _functions(tree) or any(isinstance(node, ast.ClassDef) for node in tree.body):
            return False
        return any(isinstance(node, ast.Name) and node.id in defined for node in ast.walk(tree))

    kept = [text for text, tree in zip(texts, trees, strict=False) if not is_example(tree)]
    return kept + texts[MOST_FENCES:]


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


def _functions(tree: ast.Module) -> dict[str, ast.FunctionDef | ast.Lambda]:
    """The functions at top level, lambdas with a name included, in the order of their definition."""
    found: dict[str, ast.FunctionDef | ast.Lambda] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Lambda):
            names = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update({name.id: node.value for name in names if isinstance(name, ast.Name)})
    return found


def _takes(function: ast.FunctionDef | ast.Lambda, arguments: int) -> bool:
    spec = function.args
    given = len(spec.posonlyargs + spec.args)
    return given - len(spec.defaults) <= arguments and (spec.vararg is not None or arguments <= given)


def _entry(tree: ast.Module, arguments: int) -> str:
    """The function meant to be called: the last that no other calls and that takes this many arguments; "" if none.

    What main() or a test without arguments calls is not called by others in this sense.
    """
    functions = _functions(tree)
    fitting = [name for name, function in functions.items() if _takes(function, arguments)]
    used = {
        inner.id
        for name, function in functions.items()
        if name in fitting or not _takes(function, 0)
        for inner in ast.walk(function)
        if isinstance(inner, ast.Name) and inner.id != name
    }
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


@lru_cache(maxsize=4096)
def _reading(code: str, entry: str, probe: tuple[str, ...], limits: Limits) -> tuple[str, bool]:
    """(how a filter reads the strings of the probe, whether it gave a new list of these very strings, in order)."""
    own = f"{code}\n\n\ndef {OWN}(words):\n    return {entry}(words) is words\n"
    result, returned = run_calls(own, [Call(entry, (list(probe),)), Call(OWN, (["noon", "level"],))], limits)
    if result.status != "ok":
        return f"{result.status}: {result.detail}", False
    if returned.value is True:
        return "it gives back its own argument, not a new list", False
    kept = result.value if type(result.value) is list else None
    if kept is None or any(type(item) is not str for item in kept) or kept != [s for s in probe if s in kept]:
        return f"inconsistent, it gave {short(result.value)} for {short(list(probe))}", False
    return READINGS.get(tuple(kept), f"mixed, it kept {short(kept)}"), True


OWN = "gives_back_its_own_argument"
READINGS = {
    (): "strict",
    ("Racecar", "Aa"): "ignores case",
    ("nurses run", " noon"): "ignores spaces",
    ("Racecar", "Aa", "nurses run", " noon"): "ignores case and spaces",
    ("nurses run", "ab!a", "level!", " noon"): "letters and digits only",
    ("Racecar", "Aa", "nurses run", "ab!a", "level!", " noon"): "letters and digits only, ignores case",
}
"""Which of the probe's strings count as palindromes, and what that means."""


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
        said = f"all {len(task.cases)} hidden calls are right"
        if task.probe and not fault:
            said += f"; reads palindromes: {_reading(reading.code, reading.entry, task.probe, limits)[0]}"
        return Score(0.0 if fault else 1.0, reading.code, fault or said)

    return score


def _tested(sample: Sample, completion: Completion, task: Task, limits: Limits) -> tuple[Reading, str]:
    asked = str(sample.metadata.get("entry") or "")
    reading = _read(completion.text, asked, len(task.cases[0].args))
    fault = reading.fault or _failure(reading.code, reading.entry, task, limits)
    if task.probe and not fault:
        how, consistent = _reading(reading.code, reading.entry, task.probe, limits)
        fault = "" if consistent else f"the probe of readings: {how}"
    return reading, fault


@gold_free()
def python_loads(*, suite_path: str, cpu_seconds: int = 2, memory_mb: int = 256) -> Scorer:
    """1 if the answer holds Python that loads in the sandbox: it parses, defines a function and raises nothing; else 0.

    What is not covered: what its functions do; none of them is called.
    """
    ready()
    limits = Limits(cpu_seconds=cpu_seconds, memory_mb=memory_mb)

    def score(sample: Sample, completion: Completion) -> Score:
        code, fault = extract_code(completion.text[: 4 * LONGEST_CODE])
        if not fault:
            (loaded,) = run_calls(f"{code}\n\n\ndef {OWN}():\n    return True\n", [Call(OWN, ())], limits)
            fault = "" if loaded.status == "ok" else f"{loaded.status}: {loaded.detail}"
        return Score(float(not fault), code, fault)

    return score


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


def python_style(
    *, suite_path: str, ruff: str, cases: str = "cases.jsonl", cpu_seconds: int = 2, memory_mb: int = 256
) -> Scorer:
    """Of an answer that passes: 1, less a half for each un-Pythonic habit (idioms.py), less what ruff finds (lint.py).

    ruff: the version whose findings count; 50 per 100 lines leave nothing, and ten lines are the least that counts.
    """
    ready()
    limits = Limits(cpu_seconds=cpu_seconds, memory_mb=memory_mb)
    lint = linter(ruff, suite_path)

    def score(sample: Sample, completion: Completion) -> Score:
        task = _task_of(sample, suite_path, cases)
        reading, fault = _tested(sample, completion, task, limits)
        if fault:
            return Score(0.0, reading.code, f"not counted, the tests fail: {fault}")
        found, seen = findings(reading.code), lint(reading.code)
        said = "; ".join(filter(None, [*found, str(seen)]))
        return Score(max(0.0, 1 - len(found) / 2 - seen.loss), reading.code, said or "nothing un-Pythonic found")

    return score
