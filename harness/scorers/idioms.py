"""Idioms in a syntax tree: take one out and see whether anything changes; and the habits lint.py does not see."""

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


_CHANGES = {"palindrome": _palindrome, "reverse": _reverse, "slice": _slice, "comprehension": _comprehension}


def findings(code: str) -> list[str]:
    """Un-Pythonic habits in a program that parses that lint.py does not see, each at most once, in a fixed order."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
        return [name for name, found in _HABITS.items() if any(map(found, nodes))]
    except RecursionError:
        return ["nested too deeply", "unreadable"]


def _range_len(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and bool(re.fullmatch(r"range\((0, )?len\([^()]*\)\)", ast.unparse(node)))


def _half_way(node: ast.AST) -> bool:
    """range(len(s) // 2), which compares both ends position by position."""
    return isinstance(node, ast.Call) and bool(re.fullmatch(r"range\((0, )?len\([^()]*\) // 2\)", ast.unparse(node)))


def _append_loop(node: ast.AST) -> bool:
    """for x in xs: (if ...:) result.append(...), a comprehension spelled out; continue, +=, a name between too."""
    if not isinstance(node, ast.For) or node.orelse:
        return False
    body = node.body
    while len(body) > 1 and (_skips(body[0]) or _names(body[0])):
        body = body[1:]
    while len(body) == 1 and isinstance(body[0], ast.If) and not body[0].orelse:
        body = body[0].body
    if len(body) == 1 and isinstance(body[0], ast.AugAssign) and isinstance(body[0].op, ast.Add):
        return isinstance(body[0].value, ast.List)
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
        return False
    return call.func.attr in ("append", "add") and isinstance(call.func.value, ast.Name)


def _skips(node: ast.stmt) -> bool:
    """if ...: continue"""
    return isinstance(node, ast.If) and not node.orelse and isinstance(node.body[0], ast.Continue)


def _names(node: ast.stmt) -> bool:
    """name = ..., where what is named does not depend on what the name meant before."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    name = node.targets[0].id
    return not any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node.value))


def _prints(node: ast.AST) -> bool:
    """A function with arguments that prints; main() may."""
    return (
        isinstance(node, ast.FunctionDef)
        and bool(node.args.args)
        and any(isinstance(inner, ast.Call) and getattr(inner.func, "id", "") == "print" for inner in ast.walk(node))
    )


_HABITS: dict[str, Callable[[ast.AST], bool]] = {
    "counts with range(len(...))": _range_len,
    "compares both ends by position": _half_way,
    "a while loop over positions": lambda node: isinstance(node, ast.While),
    "an append loop instead of a comprehension": _append_loop,
    "prints inside the function": _prints,
}
