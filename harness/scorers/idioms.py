"""Idioms in a syntax tree: take one out and see whether anything changes; and habits that are not Python's."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

IDIOMS: dict[str, str] = {
    "palindrome": "E == E[::-1], the same expression on both sides",
    "reverse": "E[::-1]",
    "slice": "E[a:b]",
    "comprehension": "a comprehension, a generator expression, filter() or map()",
    "call:NAME": "a call of NAME or of a method NAME",
}


class _Swap(ast.NodeTransformer):
    """Replaces every node for which `change` returns another; counts them."""

    def __init__(self, change: Callable[[ast.AST], ast.AST | None]) -> None:
        self.change = change
        self.count = 0

    def visit(self, node: ast.AST) -> ast.AST:
        changed = self.change(node)
        if changed is None:
            return self.generic_visit(node)
        self.count += 1
        return changed


def without(idiom: str, code: str) -> str:
    """The program with the idiom broken: a comparison flipped, a comprehension emptied, a call replaced by None.

    "" where the idiom does not occur (or the program nests too deeply to look).
    """
    change = _CHANGES.get(idiom) or _call(idiom.removeprefix("call:"))
    swap = _Swap(change)
    try:
        tree = swap.visit(ast.parse(code))
        return ast.unparse(ast.fix_missing_locations(tree)) if swap.count else ""
    except (RecursionError, ValueError):
        return ""


def _is_reversal(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice)):
        return False
    cut = node.slice
    return cut.lower is None and cut.upper is None and cut.step is not None and ast.unparse(cut.step) == "-1"


def _palindrome(node: ast.AST) -> ast.AST | None:
    if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq | ast.NotEq)):
        return None
    for plain, turned in ((node.left, node.comparators[0]), (node.comparators[0], node.left)):
        if isinstance(turned, ast.Subscript) and _is_reversal(turned):
            name = plain.target if isinstance(plain, ast.NamedExpr) else plain
            if ast.unparse(name) == ast.unparse(turned.value):
                flipped = ast.NotEq() if isinstance(node.ops[0], ast.Eq) else ast.Eq()
                return ast.Compare(node.left, [flipped], node.comparators)
    return None


def _reverse(node: ast.AST) -> ast.AST | None:
    return node.value if isinstance(node, ast.Subscript) and _is_reversal(node) else None


def _slice(node: ast.AST) -> ast.AST | None:
    return node.value if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) else None


def _comprehension(node: ast.AST) -> ast.AST | None:
    nothing = ast.Tuple([], ast.Load())
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("filter", "map"):
        return nothing
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        node.generators[0].iter = nothing
        return node
    return None


def _call(name: str) -> Callable[[ast.AST], ast.AST | None]:
    def change(node: ast.AST) -> ast.AST | None:
        if not isinstance(node, ast.Call):
            return None
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return ast.Constant(None) if called == name else None

    return change


_CONSTANTS = ("True", "False", "None")
_CHANGES = {"palindrome": _palindrome, "reverse": _reverse, "slice": _slice, "comprehension": _comprehension}


def findings(code: str) -> list[str]:
    """Un-Pythonic habits in a program that parses, each at most once, in a fixed order."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except RecursionError:
        return ["nested too deeply", "unreadable"]
    return [name for name, found in _HABITS.items() if any(map(found, nodes))]


def _range_len(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and bool(re.fullmatch(r"range\((0, )?len\([^()]*\)\)", ast.unparse(node)))


def _append_loop(node: ast.AST) -> bool:
    """for x in xs: (if ...:) result.append(...), which is a comprehension spelled out."""
    if not isinstance(node, ast.For) or node.orelse:
        return False
    body = node.body
    if len(body) == 1 and isinstance(body[0], ast.If) and not body[0].orelse:
        body = body[0].body
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
        return False
    return call.func.attr in ("append", "add") and isinstance(call.func.value, ast.Name)


def _compares_constant(node: ast.AST) -> bool:
    return isinstance(node, ast.Compare) and any(
        isinstance(op, ast.Eq | ast.NotEq) and isinstance(side, ast.Constant) and repr(side.value) in _CONSTANTS
        for op, side in zip(node.ops, node.comparators, strict=True)
    )


def _returns_verdict(node: ast.AST) -> bool:
    """if condition: return True, else return False."""
    if not isinstance(node, ast.If) or len(node.body) != 1 or len(node.orelse) != 1:
        return False
    ends = [*node.body, *node.orelse]
    values = [end.value.value for end in ends if isinstance(end, ast.Return) and isinstance(end.value, ast.Constant)]
    return sorted(map(repr, values)) == ["False", "True"]


def _named_lambda(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda)


def _odd_name(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name != node.name.lower()


def _prints(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        isinstance(inner, ast.Call) and getattr(inner.func, "id", "") == "print" for inner in ast.walk(node)
    )


_HABITS: dict[str, Callable[[ast.AST], bool]] = {
    "counts with range(len(...))": _range_len,
    "a while loop over positions": lambda node: isinstance(node, ast.While),
    "an append loop instead of a comprehension": _append_loop,
    "a comparison with True, False or None": _compares_constant,
    "if ... return True else return False": _returns_verdict,
    "a lambda given a name": _named_lambda,
    "a function name that is not snake_case": _odd_name,
    "a bare except": lambda node: isinstance(node, ast.ExceptHandler) and node.type is None,
    "a global variable": lambda node: isinstance(node, ast.Global),
    "prints inside the function": _prints,
}
