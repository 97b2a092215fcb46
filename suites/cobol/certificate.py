"""Right and wrong translations of every test program, to prove the scorer with: it must tell them apart.

Right ones are the gold written another way. Wrong ones are the gold with one mistake that translators make: cut, not
rounded; float for Decimal; sign or leading zeros lost; a comparison or a loop off by one; digits kept that do not fit.
A mistake that changes nothing on sixty ordinary inputs (drawn anew, not the recorded ones) is no mistake and is left
out, and so is one that ends in an exception on all of them.
"""

from __future__ import annotations

import ast
import copy
import importlib.util
import json
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
FUZZ = 60
LINE_ENDS = re.compile(r" +$", re.MULTILINE)
MOST = 10


def answers(sample: Any) -> Mapping[str, Sequence[str]]:
    """{"paraphrase": right answers, "corrupted": wrong ones} of a sample with `target` and `metadata`."""
    code, note = gold(sample.target)
    return {"paraphrase": paraphrases(code, note), "corrupted": corrupted(code, str(sample.metadata["program"]))}


def gold(target: str) -> tuple[str, str]:
    """The code and the sentence of a target."""
    found = re.fullmatch(r"```python\n(.*)\n```\n\n(.*)", target, re.DOTALL)
    if not found:
        raise ValueError("not a target of this suite")
    return found[1], found[2]


# --- right answers ---------------------------------------------------------------------------------------------------


def paraphrases(code: str, note: str) -> list[str]:
    """Three right answers: other names and layout, no prose; reasoning first and looser line ends; two fences."""
    renamed = ast.unparse(_Renamed(code).visit(ast.parse(code)))
    loose = code.replace("def main(", "def translated(") + LOOSE
    return [
        f"```py\n{renamed}\n```",
        f"<think>Fields first, then the rounding.</think>Here:\n\n```\n{loose}\n```\n{note} All else is as it was.",
        f"{note}\n\n```python\nimport decimal\n```\n\nThe program:\n\n~~~python\n{code}\n~~~",
    ]


LOOSE = '''


def main(stdin: str, files: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Same text; no newline after the last line, blanks at the ends of lines."""
    out, written = translated(stdin, files)
    return "  \\n".join(out.split("\\n")).removesuffix("\\n"), {name: text for name, text in written.items()}
'''


class _Renamed(ast.NodeTransformer):
    """Other names for the helpers and for what is assigned, and no docstrings."""

    def __init__(self, code: str) -> None:
        tree = ast.parse(code)
        names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name != "main"]
        names += [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        self.names = {name: f"{name.lower()}_{number}" for number, name in enumerate(dict.fromkeys(names), 1)}

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self.names.get(node.arg, node.arg)
        self.generic_visit(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name)
        if ast.get_docstring(node):
            node.body = node.body[1:]
        self.generic_visit(node)
        return node


# --- wrong answers ---------------------------------------------------------------------------------------------------

Mutation = Callable[[ast.AST], ast.AST | None]


def _comparison(node: ast.AST) -> ast.AST | None:
    turned = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
    if isinstance(node, ast.Compare) and type(node.ops[0]) in turned:
        return ast.Compare(node.left, [turned[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    return None


def _equality(node: ast.AST) -> ast.AST | None:
    turned: dict[type, type] = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In}
    if isinstance(node, ast.Compare) and type(node.ops[0]) in turned:
        return ast.Compare(node.left, [turned[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    return None


def _no_size_truncation(node: ast.AST) -> ast.AST | None:
    big = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.right, ast.Constant)
    if big and isinstance(node, ast.BinOp) and re.fullmatch(r"10+", ast.unparse(node.right)):
        return node.left
    return None


def _sign_lost(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.IfExp) and isinstance(node.body, ast.Constant) and node.body.value in ("-", "CR", "DB"):
        return node.orelse
    return None


def _sign_kept(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "abs":
        return node.args[0]
    return None


def _padding(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"0\d+(\.\d)?[df]$", node.value):
        return ast.Constant(node.value.lstrip("0"))
    return None


def _unpadded(node: ast.AST) -> ast.AST | None:
    text = node.value if isinstance(node, ast.Constant) else None
    if isinstance(text, str) and re.match(r"[>*]*[<>]?\d+,?(\.\d)?f$", text):
        return ast.Constant(re.sub(r"^\D*\d+", "", text, count=1))
    return None


def _commas(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"\D?\d+,", node.value):
        return ast.Constant(node.value.replace(",", ""))
    return None


def _slice_end(node: ast.AST) -> ast.AST | None:
    if not isinstance(node, ast.Slice) or not isinstance(node.upper, ast.Constant) or type(node.upper.value) is not int:
        return None
    return ast.Slice(node.lower, ast.Constant(node.upper.value - 1), node.step)


def _loop_end(node: ast.AST) -> ast.AST | None:
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "range"
        and len(node.args) == 2
    ):
        return ast.Call(node.func, [node.args[0], ast.BinOp(node.args[1], ast.Sub(), ast.Constant(1))], [])
    return None


def _loop_start(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "enumerate" and node.args[1:]:
        return ast.Call(node.func, node.args[:1], [])
    return None


def _scale(node: ast.AST) -> ast.AST | None:
    scaled = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.left, ast.Call)
    if (
        scaled
        and isinstance(node, ast.BinOp)
        and ast.unparse(node.left).startswith("Decimal(")
        and isinstance(node.right, ast.Constant)
    ):
        return node.left
    return None


def _constant(node: ast.AST) -> ast.AST | None:
    """A constant of the rules one too high (a rate, a limit), at the top level or in Decimal("...")."""
    decimal = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Decimal"
    if decimal and isinstance(node, ast.Call) and isinstance(node.args[0], ast.Constant):
        text = str(node.args[0].value)
        if re.fullmatch(r"-?[0.]*1?", text):
            return None
        return ast.Call(node.func, [ast.Constant(text[:-1] + str((int(text[-1]) + 1) % 10))], [])
    return None


def _limit(node: ast.AST) -> ast.AST | None:
    """A whole number of the rules one too high: compared with, added, taken away, divided by, or given a name."""
    if isinstance(node, ast.Compare) and _whole(node.comparators[0]):
        return ast.Compare(node.left, node.ops, [_next(node.comparators[0]), *node.comparators[1:]])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.FloorDiv) and _whole(node.right):
        return ast.BinOp(node.left, node.op, _next(node.right))
    if isinstance(node, ast.Assign) and _whole(node.value):
        return ast.Assign(node.targets, _next(node.value))
    return None


def _whole(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value > 1


def _next(node: ast.expr) -> ast.expr:
    return ast.Constant(int(ast.unparse(node)) + 1)


def _first_for_last(node: ast.AST) -> ast.AST | None:
    turned = {"min": "max", "max": "min"}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in turned:
        return ast.Call(ast.Name(turned[node.func.id], ast.Load()), node.args, node.keywords)
    return None


def _floor(node: ast.AST) -> ast.AST | None:
    """-(-a // b), which rounds up, as a // b."""
    text = ast.unparse(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and text.startswith("-(-") and "//" in text:
        return ast.parse("(" + text[3:-1] + ")", mode="eval").body
    return None


def _stripped(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("ljust", "upper"):
        return node.func.value
    return None


ONE_BY_ONE: dict[str, Mutation] = {
    "comparison": _comparison,
    "equality": _equality,
    "no size truncation": _no_size_truncation,
    "sign lost": _sign_lost,
    "sign kept": _sign_kept,
    "zero padding": _padding,
    "column width": _unpadded,
    "commas": _commas,
    "field end": _slice_end,
    "loop end": _loop_end,
    "loop start": _loop_start,
    "implied point": _scale,
    "constant": _constant,
    "limit": _limit,
    "minimum and maximum": _first_for_last,
    "rounded down": _floor,
    "field not filled": _stripped,
}


def whole_program(code: str) -> Iterator[tuple[str, str]]:
    """Mistakes about all of a program: the kind of rounding, floats, a header or a record forgotten."""
    if "ROUND_HALF_UP" in code:
        yield "cut, not rounded", code.replace("ROUND_HALF_UP", "ROUND_DOWN")
        yield "half to even", code.replace("ROUND_HALF_UP", "ROUND_HALF_EVEN")
    if "ROUND_DOWN" in code:
        yield "rounded, not cut", code.replace("ROUND_DOWN", "ROUND_HALF_UP")
    if "quantize" in code:
        yield "floats", FLOATS + re.sub(r"^from decimal import .*$", "", code, flags=re.MULTILINE)
    yield "the last record forgotten", code.replace(".splitlines()", ".splitlines()[:-1]")
    yield "stops at an empty line", code.replace(".splitlines()", '.split("\\n\\n")[0].splitlines()')


FLOATS = '''
ROUND_HALF_UP = ROUND_DOWN = None


class Decimal(float):
    """Arithmetic in floats, rounded by round()."""

    def quantize(self, unit, rounding=None):
        return round(float(self), len(str(float(unit))) - 2)


def _wrapped(name):
    plain = getattr(float, name)
    return lambda self, *others: Decimal(plain(self, *map(float, others)))


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "mod", "neg", "abs"):
    setattr(Decimal, f"__{_name}__", _wrapped(f"__{_name}__"))
'''


def mutants(code: str) -> Iterator[tuple[str, str]]:
    """(mistake, program) for every place where a mistake can be made; what does not change the text is left out."""
    for name, text in whole_program(code):
        if text != code:
            yield name, text
    tree = ast.parse(code)
    plain = ast.unparse(tree)
    for name, change in ONE_BY_ONE.items():
        for place in range(sum(change(node) is not None for node in ast.walk(tree))):
            text = ast.unparse(ast.fix_missing_locations(_Once(change, place).visit(copy.deepcopy(tree))))
            if text != plain:
                yield name, text


class _Once(ast.NodeTransformer):
    """Makes a change at one of the places where it can be made."""

    def __init__(self, change: Mutation, place: int) -> None:
        self.change = change
        self.left = place

    def visit(self, node: ast.AST) -> ast.AST:
        changed = self.change(node)
        if changed is not None:
            self.left -= 1
            if self.left == -1:
                return changed
        return self.generic_visit(node)


def corrupted(code: str, program: str) -> list[str]:
    """At most ten wrong answers, of as many kinds of mistake as there are."""
    draw = random.Random(f"certificate {program}")
    kinds: dict[str, list[str]] = {}
    for name, text in mutants(code):
        kinds.setdefault(name, []).append(text)
    queues = [draw.sample(texts, len(texts)) for texts in kinds.values()]
    draw.shuffle(queues)
    inputs = _fuzz(program)
    expected = behaviour(code, inputs)
    found: list[str] = []
    while len(found) < MOST and any(queues):
        for queue in filter(None, queues):
            text = queue.pop()
            seen = behaviour(text, inputs)
            if len(found) < MOST and seen != expected and any(value is not None for value in seen):
                found.append(f"```python\n{text.strip()}\n```\n\nThe fields and the rounding are as in the original.")
    return found


def behaviour(code: str, inputs: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What a program returns for each input, None for an exception. The code is ours, so it needs no sandbox."""
    namespace: dict[str, Any] = {}
    try:
        exec(compile(code, "program", "exec"), namespace)
    except Exception:
        return [None] * len(inputs)
    return [returned(namespace["main"], case) for case in inputs]


def returned(main: Callable[..., Any], case: Mapping[str, Any]) -> Any:
    try:
        out, written = main(case["stdin"], dict(case["files"]))
        return _tidy(out), {name: _tidy(text) for name, text in written.items()}
    except Exception:
        return None


def _tidy(text: str) -> str:
    return LINE_ENDS.sub("", text).removesuffix("\n")


def _fuzz(program: str) -> list[dict[str, Any]]:
    """Ordinary inputs of a program, none of them chosen for its edges, and some of many records."""
    spec, seed = _specs()[program], f"fuzz {program}"
    return [*_inputs().cases(spec, seed, FUZZ, fuzz=True), *_inputs().crowds(spec, seed)]


@lru_cache(maxsize=1)
def _specs() -> dict[str, list[str]]:
    rows = map(json.loads, (HERE / "cases.jsonl").read_text("utf-8").splitlines())
    return {row["program"]: row["spec"] for row in rows}


@lru_cache(maxsize=1)
def _inputs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cobol_suite_inputs", HERE / "inputs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
