"""Every program that differs from a Python program in one small mistake: what recorded runs have to find out.

One change at one place of the syntax tree, of each kind that a writer may make by oversight. Palindrome's grow.py uses
it as well. What is not covered: two mistakes at once, and mistakes that need code of their own.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import itertools
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType
from typing import Any

LETTERS = 12
"""Of a longer text only the first and the last character are left out."""
ELEMENTS = 20
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt, ast.GtE, ast.NotEq), ast.LtE: (ast.Lt, ast.GtE, ast.Gt, ast.Eq),
    ast.Gt: (ast.GtE, ast.Lt, ast.LtE, ast.NotEq), ast.GtE: (ast.Gt, ast.LtE, ast.Lt, ast.Eq),
    ast.Eq: (ast.NotEq, ast.LtE, ast.GtE), ast.NotEq: (ast.Eq, ast.Lt, ast.Gt),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Mod: ast.Div,
}  # fmt: skip
METHODS = {
    "strip": ("lstrip", "rstrip"), "lstrip": ("strip", "rstrip"), "rstrip": ("strip", "lstrip"),
    "upper": ("lower", "title"), "lower": ("upper",), "title": ("upper",), "ljust": ("rjust",), "rjust": ("ljust",),
    "startswith": ("endswith", "__contains__"), "endswith": ("startswith", "__contains__"), "find": ("rfind",),
    "rfind": ("find",), "partition": ("rpartition",), "rpartition": ("partition",), "isdigit": ("isalnum",),
    "isalpha": ("isalnum",), "isalnum": ("isalpha",), "isupper": ("isalpha",), "islower": ("isalpha",),
    "removeprefix": ("removesuffix", "lstrip"), "removesuffix": ("removeprefix", "rstrip"),
}  # fmt: skip
"""Methods that are taken for each other."""
NEEDED = ("splitlines", "items", "values", "keys", "append", "add", "get", "update", "setdefault", "extend", "format")
"""Methods without which nothing runs: they are not left out."""
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}
WRAPPINGS = ("abs", "sorted", "reversed", "set", "int", "round", "tuple", "list", "dict")
"""Functions of which a writer may forget the call."""
SIGNED = ("int", "Decimal", "sum")
ROUNDINGS = tuple(f"ROUND_{way}" for way in ("DOWN", "HALF_UP", "HALF_EVEN", "HALF_DOWN", "UP", "FLOOR", "CEILING"))
IMPORT = f"from decimal import {', '.join(ROUNDINGS)}, Decimal"


def mutants(code: str) -> Iterator[tuple[str, str]]:
    """(kind of mistake, program): each program once, and none that is the given one.

    >>> sorted(text for kind, text in mutants("x = min(a, 2)") if kind in ("function", "argument"))
    ['x = 2', 'x = a', 'x = max(a, 2)', 'x = min(2, a)', 'x = min(a)']
    """
    tree = ast.parse(_rounding(code))
    pieces = [ast.unparse(statement) for statement in tree.body]
    seen = {"\n".join(pieces)}
    for kind, piece, top in _patched(tree):
        text = "\n".join([*pieces[:piece], ast.unparse(top), *pieces[piece + 1 :]])
        if text not in seen:
            seen.add(text)
            yield kind, text


def compiled(code: str) -> Iterator[tuple[str, tuple[CodeType, ...]]]:
    """The same without their text, ready to be run one part after the other, and much quicker; some come twice.

    A while loop calls `turned()` at every turn, which the namespace must hold: it may put an end to endless ones.
    """
    tree = ast.parse(_rounding(code))
    pieces = [compile(ast.Module([statement], []), "program", "exec") for statement in tree.body]
    endless = "while" in code
    turned = ast.parse("turned()").body[0]
    for kind, piece, top in _patched(tree):
        loops = [node for node in ast.walk(top) if isinstance(node, ast.While)] if endless else []
        bodies = [loop.body for loop in loops]
        for loop in loops:
            loop.body = [turned, *loop.body]
        with contextlib.suppress(SyntaxError, ValueError, TypeError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            part = compile(top, "program", "exec")
            yield kind, (*pieces[:piece], part, *pieces[piece + 1 :])
        for loop, body in zip(loops, bodies, strict=True):
            loop.body = body


def _rounding(code: str) -> str:
    """The program, with every kind of rounding at hand where it has one."""
    return re.sub(r"^from decimal import .*ROUND_.*$", IMPORT, code, flags=re.MULTILINE)


def _patched(tree: ast.Module) -> Iterator[tuple[str, int, ast.Module]]:
    """(kind, number of a statement at the top, the statement with one mistake in it, which is taken back later)."""
    others = dict(pair for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for pair in _names(node))
    for piece, statement in enumerate(tree.body):
        top = ast.Module([statement], [])
        for parent in list(ast.walk(top)):
            yield from ((kind, piece, top) for kind in _changed(parent, others))


def _changed(parent: ast.AST, others: Mapping[ast.AST, Sequence[ast.AST]]) -> Iterator[str]:
    """Makes each change of what is right below a node, one after the other, and says its kind; then takes it back."""
    for field, value in list(ast.iter_fields(parent)):
        items = value if isinstance(value, list) else [value]
        for place, node in enumerate(items):
            if not isinstance(node, ast.AST):
                continue
            for kind, changed in [*changes(node), *(("name", name) for name in others.get(node, ()))]:
                ast.fix_missing_locations(changed)
                inside = [*items[:place], changed, *items[place + 1 :]]
                setattr(parent, field, inside if isinstance(value, list) else changed)
                yield kind
        setattr(parent, field, value)


def _names(function: ast.FunctionDef) -> list[tuple[ast.AST, list[ast.AST]]]:
    """Each use of a function's own variables, with the others that may stand there by oversight."""
    nodes = list(ast.walk(function))
    inner = {id(n) for c in nodes if isinstance(c, ast.comprehension) for n in ast.walk(c.target)}
    stored = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and id(n) not in inner]
    own = list(dict.fromkeys([*(item.arg for item in function.args.args), *stored]))
    uses = [n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.id in own]
    return [(use, [ast.Name(name, ast.Load()) for name in own if name != use.id]) for use in uses]


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """(kind, what stands in the node's place) for each mistake that can be made there."""
    match node:
        case ast.Constant():
            yield from (("constant", ast.Constant(value)) for value in _values(node.value))
        case ast.Compare():
            yield from _compared(node)
        case ast.BinOp():
            yield from _calculated(node)
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield "and, or", ast.BoolOp(other, node.values)
            yield from (("condition", ast.BoolOp(node.op, rest)) for rest in _shorter(node.values) if len(rest) > 1)
            if len(node.values) == 2:
                yield from (("condition", value) for value in node.values)
        case ast.UnaryOp():
            yield "sign", node.operand
            yield from (("rounded up", other) for other in _rounded(node))
        case ast.IfExp():
            yield from (("branch", value) for value in (node.body, node.orelse))
            yield "branch", ast.IfExp(node.test, node.orelse, node.body)
        case ast.Subscript() if isinstance(node.slice, ast.Slice) and isinstance(node.ctx, ast.Load):
            yield "slice", node.value
            yield from (("blanks", _method(node, name)) for name in ("strip", "rstrip", "lstrip"))
        case ast.Slice():
            yield from _sliced(node)
        case ast.Call():
            yield from _called(node)
        case ast.ListComp() | ast.GeneratorExp() | ast.DictComp() | ast.SetComp():
            yield from _gathered(node)
        case ast.comprehension():
            yield from (("condition", _with(node, ifs=rest)) for rest in _shorter(node.ifs))
            turned = [ast.UnaryOp(ast.Not(), test) for test in node.ifs]
            if turned:
                yield "condition", _with(node, ifs=turned)
        case ast.List() | ast.Tuple() | ast.Set() if isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            if len(node.elts) <= ELEMENTS:
                yield from (("element", _with(node, elts=rest)) for rest in _shorter(node.elts))
        case ast.Dict() if len(node.keys) <= ELEMENTS:
            for keys, values in zip(_shorter(node.keys), _shorter(node.values), strict=True):
                yield "element", ast.Dict(keys, values)
        case ast.Name() if node.id in ROUNDINGS:
            yield from (("rounding", ast.Name(way, ast.Load())) for way in ROUNDINGS if way != node.id)
        case ast.AugAssign():
            yield "reset", ast.Assign([node.target], node.value)
            if type(node.op) in OPERATORS:
                yield "operator", ast.AugAssign(node.target, OPERATORS[type(node.op)](), node.value)
        case ast.If():
            yield from (("branch", _with(node, test=ast.Constant(value))) for value in (True, False))
            if node.orelse:
                yield "branch", _with(node, orelse=[])
        case ast.Continue():
            yield "statement", ast.Break()
        case ast.Break():
            yield "statement", ast.Continue()
    for field in ("body", "orelse"):
        block = getattr(node, field, None)
        if isinstance(block, list) and not isinstance(node, ast.Module):
            yield from (("statement", _with(node, **{field: other})) for other in _blocks(block))


def _with(node: ast.AST, **fields: object) -> Any:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _shorter(items: Sequence[Any]) -> Iterator[list[Any]]:
    """The items without one of them."""
    for number in range(len(items)):
        yield [*items[:number], *items[number + 1 :]]


def _blocks(block: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """A block with a statement left out, or moved behind another: also behind the test that reads what it sets."""
    for number, statement in enumerate(block):
        rest = [*block[:number], *block[number + 1 :]]
        yield rest or [ast.Pass()]
        if isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr):
            yield from ([*rest[:later], statement, *rest[later:]] for later in range(number + 1, len(block)))


def _values(value: object) -> Iterator[object]:
    """Constants for which another one may stand by oversight."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1)
        if value % 10 == 0 and value:
            yield from (value * 10, value // 10)
    elif isinstance(value, str) and re.fullmatch(r"-?\d*\.?\d+", value):
        yield from (value[:-1] + str((int(value[-1]) + step) % 10) for step in (1, -1))
        yield from (value[:-1] or "", value + "0", value.removeprefix("0") or "1")
    elif isinstance(value, str) and value:
        places = range(len(value)) if len(value) <= LETTERS else (0, len(value) - 1)
        yield from (value[:place] + value[place + 1 :] for place in places)
        yield from (text for text in (value + " ", value.swapcase()) if text != value)
        if found := re.search(r"\d+", value):
            widths = (int(found[0]) + step for step in (1, -1))
            yield from (f"{value[: found.start()]}{width}{value[found.end() :]}" for width in widths)
    elif value == "":
        yield " "


def _compared(node: ast.Compare) -> Iterator[tuple[str, ast.AST]]:
    for number, operator in enumerate(node.ops):
        for other in COMPARISONS[type(operator)]:
            ops = [*node.ops[:number], other(), *node.ops[number + 1 :]]
            yield "comparison", ast.Compare(node.left, ops, node.comparators)
    if len(node.ops) > 1:
        yield "comparison", ast.Compare(node.left, node.ops[:1], node.comparators[:1])
        yield "comparison", ast.Compare(node.comparators[0], node.ops[1:], node.comparators[1:])


def _calculated(node: ast.BinOp) -> Iterator[tuple[str, ast.AST]]:
    yield from (("operand", value) for value in (node.left, node.right))
    yield "order", ast.BinOp(node.right, node.op, node.left)
    if type(node.op) in OPERATORS:
        yield "operator", ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
    if isinstance(node.op, ast.FloorDiv):
        yield (
            "rounded up",
            ast.UnaryOp(ast.USub(), ast.BinOp(ast.UnaryOp(ast.USub(), node.left), ast.FloorDiv(), node.right)),
        )
        yield "rounded up", ast.BinOp(node, ast.Add(), ast.Constant(1))


def _rounded(node: ast.UnaryOp) -> Iterator[ast.AST]:
    """-(-a // b), which rounds up: as a // b and as a // b + 1."""
    inner = node.operand
    if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.FloorDiv) and isinstance(inner.left, ast.UnaryOp):
        down = ast.BinOp(inner.left.operand, ast.FloorDiv(), inner.right)
        yield from (down, ast.BinOp(down, ast.Add(), ast.Constant(1)))


def _sliced(node: ast.Slice) -> Iterator[tuple[str, ast.AST]]:
    for field in ("lower", "upper"):
        if end := getattr(node, field):
            yield "slice", _with(node, **{field: None})
            for operator in (ast.Add(), ast.Sub()):
                yield "slice", _with(node, **{field: ast.BinOp(end, operator, ast.Constant(1))})
    if node.step:
        yield "slice", _with(node, step=None)


def _method(value: ast.expr, name: str) -> ast.Call:
    return ast.Call(ast.Attribute(value, name, ast.Load()), [], [])


def _called(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in FUNCTIONS:
        yield "function", _with(node, func=ast.Name(FUNCTIONS[name], ast.Load()))
    if name in ("min", "max") and len(node.args) > 1:
        yield from (("argument", value) for value in node.args)
        yield from _before(node)
    if name in WRAPPINGS and node.args:
        yield "call", node.args[0]
    if name in SIGNED:
        yield "sign", ast.Call(ast.Name("abs", ast.Load()), [node], [])
    if name == "sum" and isinstance(node.args[0], ast.GeneratorExp):
        once = ast.SetComp(node.args[0].elt, node.args[0].generators)
        yield "repeats", _with(node, args=[once, *node.args[1:]])
    if isinstance(node.func, ast.Attribute):
        yield from _asked(node, node.func)
    if len(node.args) > 1:
        yield "argument", _with(node, args=node.args[:-1])
        yield "argument", _with(node, args=[node.args[1], node.args[0], *node.args[2:]])
    yield from (("keyword", _with(node, keywords=rest)) for rest in _shorter(node.keywords))


def _asked(node: ast.Call, func: ast.Attribute) -> Iterator[tuple[str, ast.AST]]:
    """Mistakes about a method: not called, or another one."""
    if func.attr not in NEEDED:
        yield "call", func.value
    for other in METHODS.get(func.attr, ()):
        yield "function", _with(node, func=ast.Attribute(func.value, other, ast.Load()))
    if func.attr == "split" and node.args:
        yield "argument", _with(node, args=[])
    if func.attr == "split" and not node.args:
        yield "argument", _with(node, args=[ast.Constant(" ")])
    if func.attr == "splitlines":
        for text in ("[:-1]", "[1:]"):
            yield "records", _expression("_" + text, node)
        for text in ("[x for x in _ if x.strip()]", "[x.strip() for x in _]", "sorted(_)", "list(dict.fromkeys(_))"):
            yield "records", _expression(text, node)
        yield "records", _expression('(_ or [""])', node)


def _expression(text: str, node: ast.expr) -> ast.AST:
    """An expression with `node` for its name _."""

    class Filled(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.AST:
            return node if name.id == "_" else name

    return Filled().visit(ast.parse(text, mode="eval").body)


def _before(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    """min(a + b, c), where c is taken if a alone reaches it: the limit tested before an update."""
    upwards = isinstance(node.func, ast.Name) and node.func.id == "max"
    operators = (ast.Gt(), ast.GtE()) if upwards else (ast.Lt(), ast.LtE())
    for place in (0, 1):
        value, limit = node.args[place], node.args[1 - place]
        if len(node.args) == 2 and isinstance(value, ast.BinOp):
            for tested, operator in itertools.product(_without_a_term(value), operators):
                yield "tested before", ast.IfExp(ast.Compare(tested, [operator], [limit]), value, limit)


def _without_a_term(node: ast.expr) -> Iterator[ast.expr]:
    """A sum without one of its terms."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield node.left
        if isinstance(node.op, ast.Add):
            yield node.right
        yield from (ast.BinOp(left, node.op, node.right) for left in _without_a_term(node.left))


def _gathered(node: ast.ListComp | ast.GeneratorExp | ast.DictComp | ast.SetComp) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.ListComp):
        yield "repeats", _expression("list(dict.fromkeys(_))", node)
        yield from (("order", _expression(text, node)) for text in ("_[::-1]", "sorted(_)"))
        yield from (("records", _expression(text, node)) for text in ("_[1:]", "_[:-1]"))
    if isinstance(node, ast.SetComp):
        yield "repeats", ast.ListComp(node.elt, node.generators)
