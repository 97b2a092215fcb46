"""Answers whose worth is known: the gold query written otherwise, and with one small change that makes it wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from harness.data import Sample
from harness.sandbox.query import run
from harness.scorers.sql import compare, expectations

SWAPS: dict[type, tuple[type, ...]] = {
    exp.GT: (exp.GTE, exp.LT),
    exp.LT: (exp.LTE, exp.GT),
    exp.GTE: (exp.GT, exp.LTE),
    exp.LTE: (exp.LT, exp.GTE),
    exp.EQ: (exp.NEQ,),
    exp.Sum: (exp.Avg, exp.Max),
    exp.Avg: (exp.Sum, exp.Min),
    exp.Max: (exp.Min,),
    exp.Min: (exp.Max,),
    exp.And: (exp.Or,),
    exp.Or: (exp.And,),
}


KILLERS, TRIED = 100, 150
"""Databases on which a change must show at least once to count as one: some change nothing that a question asks for.
And how many are tried to find so many that can be used."""


def answers(sample: Sample) -> dict[str, list[str]]:
    """Other spellings of the gold, and those mutants of it that differ from it on some database."""
    schema = schemas()[str(sample.metadata["schema"])]
    tree = sqlglot.parse_one(sample.target, dialect="sqlite")
    plain = tree.sql(dialect="sqlite")
    return {
        "paraphrase": [
            f"```sql\n{plain};\n```",
            tree.sql(dialect="sqlite", pretty=True),
            f"SQL: {plain}",
            qualified(tree),
        ],
        "corrupted": [text for name, text in mutants(sample.target, schema).items() if differs(sample, schema, text)],
    }


@cache
def schemas() -> dict[str, Any]:
    """schemas.json."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("schemas.json").read_text("utf-8"))
    return found


def qualified(tree: exp.Expression) -> str:
    """The query with every column named by its table, where it reads one table only."""
    copy = tree.copy()
    tables = list(copy.find_all(exp.Table))
    if len(tables) == 1 and not tables[0].alias:
        for column in copy.find_all(exp.Column):
            column.set("table", exp.to_identifier(tables[0].name))
    return copy.sql(dialect="sqlite").replace("SELECT", "select")


def differs(sample: Sample, schema: dict[str, Any], query: str) -> bool:
    """Does the query give other rows than the gold on any of many databases?"""
    return any(compare(one, run(one.database, query)) for one in many(sample.target, str(sample.metadata["schema"])))


@lru_cache(8)
def many(gold: str, name: str) -> Any:
    """Many databases for a gold query, with what it gives on them."""
    return expectations(schemas()[name], gold, KILLERS, gold, further().get(gold, ()), TRIED)


@cache
def further() -> dict[str, list[int]]:
    """further.json: databases that grow.py added; none before it has run."""
    file = Path(__file__).with_name("further.json")
    return json.loads(file.read_text("utf-8")) if file.is_file() else {}


def mutants(gold: str, schema: dict[str, Any]) -> dict[str, str]:
    """Wrong queries by name of the change; none has the text of the gold."""
    tree = sqlglot.parse_one(gold, dialect="sqlite")
    found: dict[str, str] = {}
    for name, mutant in _all(tree, schema):
        text = mutant.sql(dialect="sqlite")
        if text != tree.sql(dialect="sqlite") and text not in found.values():
            found[f"{name} {len(found)}"] = text
    return found


def _each(tree: exp.Expression, kinds: Any, change: Callable[[Any], None]) -> Iterator[exp.Expression]:
    """One copy of the tree per node of the kinds, with that node changed."""
    for index in range(len(list(tree.find_all(kinds)))):
        copy = tree.copy()
        change(list(copy.find_all(kinds))[index])
        yield copy


def _all(tree: exp.Expression, schema: dict[str, Any]) -> Iterator[tuple[str, exp.Expression]]:
    for kind, others in SWAPS.items():
        for other in others:
            for mutant in _each(tree, kind, lambda node, other=other: node.replace(_like(node, other))):
                if not mutant.find(exp.Join) or mutant.find(exp.Join).args["on"].key == "eq":
                    yield f"{kind.__name__} becomes {other.__name__}", mutant
    for key in ("where", "distinct", "order", "limit", "having", "group"):
        if tree.args.get(key) and not (key == "group" and tree.args.get("having")):
            copy = tree.copy()
            copy.set(key, None)
            yield f"no {key}", copy
    if not tree.args.get("distinct"):
        copy = tree.copy()
        copy.set("distinct", exp.Distinct())
        yield "a distinct", copy
    for ordered in _each(tree, exp.Ordered, lambda node: node.set("desc", not node.args.get("desc"))):
        yield "the other order", ordered
    for limited in _each(
        tree, exp.Limit, lambda node: node.set("expression", exp.Literal.number(int(node.expression.this) + 1))
    ):
        yield "another limit", limited
    for joined in _each(tree, exp.And, lambda node: node.replace(node.left)):
        yield "a condition less", joined
    for joined in _each(tree, exp.Or, lambda node: node.replace(node.right)):
        yield "an alternative less", joined
    for listed in _each(
        tree, exp.In, lambda node: node.set("expressions", node.expressions[:1]) if node.expressions else None
    ):
        yield "a value less", listed
    for flipped in _each(tree, exp.Not, lambda node: node.replace(node.this)):
        yield "no not", flipped
    for number in _each(
        tree, exp.Literal, lambda node: None if node.is_string else node.set("this", str(int(node.this) + 1))
    ):
        yield "another number", number
    for count in _each(
        tree, exp.Count, lambda node: node.replace(exp.Count(this=exp.Distinct(expressions=[_some(tree, schema)])))
    ):
        yield "count distinct", count
    yield from _columns(tree, schema)


def _like(node: exp.Expression, kind: type) -> exp.Expression:
    made: exp.Expression = kind(
        **{key: value.copy() if hasattr(value, "copy") else value for key, value in node.args.items()}
    )
    return made


def _some(tree: exp.Expression, schema: dict[str, Any]) -> exp.Expression:
    """A column of the first table that is no key."""
    table = tree.find(exp.Table).name  # type: ignore[union-attr]
    name = next(name for name, spec in schema[table].items() if spec != "key")
    return exp.column(name, table=table)


def _columns(tree: exp.Expression, schema: dict[str, Any]) -> Iterator[tuple[str, exp.Expression]]:
    """Another column of the same table in one place of the query."""
    tables = [table.name for table in tree.find_all(exp.Table)]
    for index, column in enumerate(list(tree.find_all(exp.Column))):
        if column.find_ancestor(exp.Join):
            continue
        table = column.table or next((name for name in tables if column.name in schema[name]), tables[0])
        for other in schema[table]:
            if other != column.name:
                copy = tree.copy()
                list(copy.find_all(exp.Column))[index].set("this", exp.to_identifier(other))
                yield f"{other} for {column.name}", copy
