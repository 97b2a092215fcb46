"""Answers whose worth is known: the same function written otherwise, and broken in one way each."""

from __future__ import annotations

import ast
from collections.abc import Callable

from harness.data import Sample
from harness.scorers.python import extract_code

SAID = "It walks through the input once and keeps what passes the test."


def answers(sample: Sample) -> dict[str, list[str]]:
    """Other layout, other names, no explanation; and wrong results, wrong types, no result, no closed fence."""
    code, _ = extract_code(sample.target)
    changes: tuple[Callable[[str], str], ...] = (negated, none, wrapped, printed, reversed_condition)
    broken = [changed for change in changes if (changed := change(code)) not in ("", code)]
    return {
        "paraphrase": [
            f"{SAID}\n\n```python\n{renamed(code)}\n```\n",
            f"```py\n{ast.unparse(ast.parse(code))}\n```",
            f"Here is the function:\n\n```python\n{code}\n```\n\n{SAID} {SAID}",
        ],
        "corrupted": [f"```python\n{text}\n```\n\n{SAID}" for text in broken] + [f"```python\n{code}\n\n{SAID}"],
    }


def renamed(code: str) -> str:
    """The code with its parameters called otherwise."""
    tree = ast.parse(code)
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    names = {arg.arg: f"{arg.arg}_given" for arg in function.args.args}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names:
            node.id = names[node.id]
        elif isinstance(node, ast.arg):
            node.arg = names.get(node.arg, node.arg)
    return ast.unparse(tree)


class _Returns(ast.NodeTransformer):
    def __init__(self, change: Callable[[ast.expr], ast.stmt]) -> None:
        self.change = change

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        return self.change(node.value or ast.Constant(None))


def _with_returns(code: str, change: Callable[[ast.expr], ast.stmt]) -> str:
    return ast.unparse(ast.fix_missing_locations(_Returns(change).visit(ast.parse(code))))


def none(code: str) -> str:
    """It works it out and gives nothing back."""
    return _with_returns(code, ast.Expr)


def wrapped(code: str) -> str:
    """The right value in a tuple."""
    return _with_returns(code, lambda value: ast.Return(ast.Tuple([value], ast.Load())))


def printed(code: str) -> str:
    """It prints instead of returning."""
    return _with_returns(code, lambda value: ast.Expr(ast.Call(ast.Name("print", ast.Load()), [value], [])))


def negated(code: str) -> str:
    """The first comparison turned round; "" where there is none."""
    tree = ast.parse(code)
    turned: dict[type, type] = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Lt: ast.GtE}
    turned |= {ast.LtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is}
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            node.ops[0] = turned[type(node.ops[0])]()
            return ast.unparse(tree)
    return ""


def reversed_condition(code: str) -> str:
    """The first condition of a comprehension denied; "" where there is none."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.comprehension) and node.ifs:
            node.ifs[0] = ast.UnaryOp(ast.Not(), node.ifs[0])
            return ast.unparse(ast.fix_missing_locations(tree))
    return ""
