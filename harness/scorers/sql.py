"""SQL answers, judged by what they return: run beside the gold query on several small databases made for the question.

The databases hold values at and next to the gold's literals, NULLs, duplicates, ties and orphans, so a query that
merely looks alike gives other rows on at least one of them. The answer runs in the sandbox; it can read those tables
and do nothing else.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import isclose
from pathlib import Path
from typing import Any

from harness.data import Completion, Sample, Score, Scorer
from harness.errors import SuiteError, did_you_mean
from harness.sandbox import Result, ready, run_queries
from harness.sandbox.query import MAX_QUERY, Rows, run
from harness.scorers import gold_free
from harness.scorers.text import visible

INSTANCES = 8
ATTEMPTS = 60
MAX_TEXT = 100_000
ROWS = (9, 14, 20, 27, 34, 12, 23, 40)
_START = re.compile(r"^\s*(?:sql\s*[:=]\s*)?(?=(?:select|with)\b)", re.IGNORECASE | re.MULTILINE)
_FENCES = re.compile(r"```[\w+-]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_LITERAL = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)

Schema = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Expected:
    """What the gold query gives on one database, and the sort key of each row where the order counts.

    attempt: the number of the database; with schema and gold it makes the same one again.
    """

    database: bytes
    rows: Rows
    columns: int
    keys: Rows | None
    attempt: int = 0


def sql(*, suite_path: str, databases: str, instances: int = INSTANCES, further: str | None = None) -> Scorer:
    """1 if the answer's query returns what the gold query returns, on every one of several databases; else 0.

    databases: a JSON file in the suite, {schema: {table: {column: "key" | {"int": [low, high]} | {"text": [...]} |
    {"ref": "table.column"}, each with an optional "null" share, 0..1}}}; the sample's metadata `schema` picks one.
    instances: how many databases per question; they depend on schema and gold only.
    further: a JSON file in the suite, {gold query: [numbers of databases to add]}, for golds whose wrong neighbours the
    first ones do not all find out.
    Rows are compared as a bag, and in order where the gold's outermost query has ORDER BY (rows with equal keys in any
    order). Column names do not matter, their number and order do; numbers agree to one in a million.
    What is not covered: a wrong query that differs on none of the databases; the README of the suite says how rare.
    """
    ready()
    file = Path(suite_path, databases)
    schemas: dict[str, Schema] = _read(file, "databases")
    added: dict[str, list[int]] = _read(Path(suite_path, further), "further") if further else {}

    @cache
    def expected(name: str, gold: str, identity: str, count: int) -> tuple[Expected, ...]:
        if name not in schemas:
            raise SuiteError(f"{file}: sample {identity}: no schema '{name}'.{did_you_mean(name, schemas)}")
        return expectations(schemas[name], gold, count, identity, added.get(gold, ()) if count > 1 else ())

    def score(sample: Sample, completion: Completion) -> Score:
        query, why = extract(completion.text)
        if not query:
            return Score(0.0, "", why)
        count = 1 if query == sample.target.strip() else instances  # the same text gives the same rows anywhere
        wanted = expected(str(sample.metadata.get("schema", "")), sample.target, sample.id, count)
        for one, result in zip(wanted, run_queries([one.database for one in wanted], query), strict=True):
            difference = compare(one, result)
            if difference:
                return Score(0.0, query, difference)
        return Score(1.0, query, "")

    return score


@gold_free()
def sql_runs(*, suite_path: str, databases: str) -> Scorer:
    """1 if the answer is one query that runs in the sandbox on the tables of one of the suite's schemas; else 0.

    databases: as for `sql`. The question need not say which schema it is about, and a query that runs on another one
    counts. What is not covered: what the query returns.
    """
    ready()
    schemas: dict[str, Schema] = _read(Path(suite_path, databases), "databases")
    images = [fill(schema, {}, 0, _rows(schema, set(schema), 4)) for schema in schemas.values()]

    def score(sample: Sample, completion: Completion) -> Score:
        query, why = extract(completion.text)
        if not query:
            return Score(0.0, "", why)
        results = run_queries(images, query)
        runs = any(not result.error for result in results)
        return Score(float(runs), query, "" if runs else results[0].error)

    return score


def _read(file: Path, option: str) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as problem:
        raise SuiteError(f"{file}: not readable ({problem}). Option `{option}` names a JSON file.") from None


# --- the answer ------------------------------------------------------------------------------------------------------


def extract(text: str) -> tuple[str, str]:
    """(the one query in an answer, "") or ("", why there is none). Fences, "SQL:" and words around it are cut off."""
    if len(text) > MAX_TEXT:
        return "", f"{len(text)} characters are no query"
    fences = [block for block in _FENCES.findall(text) if block.strip()] if "```" in text else []
    text = visible("\n\n".join(fences) if fences else text)
    start = _START.search(text)
    if not start:
        return "", "no query (one begins with SELECT or WITH)"
    body = text[start.end() :]
    bare = _LITERAL.sub(lambda match: "x" * len(match.group()), body)
    end = bare.find(";")
    gap = re.search(r"\n\s*\n", bare)
    if end < 0:
        end = gap.start() if gap else len(bare)
    rest = bare[end:].lstrip("; \n")
    if _START.search(rest) or re.match(r"\w+\s+(?:table|into|from|database|view|index)\b", rest, re.IGNORECASE):
        return "", "more than one statement"
    query = body[:end].strip().rstrip("`").strip()
    if len(query) > MAX_QUERY:
        return "", f"the query has {len(query)} characters, more than {MAX_QUERY}"
    return query, ""


# --- the comparison --------------------------------------------------------------------------------------------------


def compare(expected: Expected, result: Result) -> str:
    """ "" if a query gave what the gold gave, else what differs. An error equals nothing."""
    rows = result.rows
    if result.error:
        return result.error
    if result.columns != expected.columns:
        return f"{result.columns} columns instead of {expected.columns}"
    if len(rows) != len(expected.rows):
        return f"{len(rows)} rows instead of {len(expected.rows)}"
    if expected.keys is None:
        return "" if _same_bag(rows, expected.rows) else "other rows"
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or expected.keys[end] != expected.keys[start]:
            if not _same_bag(rows[start:end], expected.rows[start:end]):
                return "other rows, or another order"
            start = end
    return ""


def _same_bag(left: Rows, right: Rows) -> bool:
    pairs = zip(sorted(left, key=_sort_key), sorted(right, key=_sort_key), strict=True)
    return all(_same(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))


def _sort_key(row: tuple[Any, ...]) -> tuple[tuple[int, Any], ...]:
    return tuple(
        (0, 0) if value is None else (1, round(value, 4)) if isinstance(value, int | float) else (2, str(value))
        for value in row
    )


def _same(a: Any, b: Any) -> bool:
    """Equal values: numbers to one in a million, text only with text, NULL only with NULL."""
    if isinstance(a, int | float) and isinstance(b, int | float):
        return isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
    return type(a) is type(b) and bool(a == b)


# --- the databases ---------------------------------------------------------------------------------------------------


def expectations(
    schema: Schema, gold: str, instances: int, identity: str, further: Sequence[int] = (), attempts: int = ATTEMPTS
) -> tuple[Expected, ...]:
    """Databases for a gold query with its results. Those that a right query could not be held to are passed over:
    LIMIT cutting through a tie. Those with nothing to see (no rows, only NULLs) are used when there are no others.
    further: numbers of databases to add. attempts: how many are tried for `instances` that can be used."""
    import sqlglot

    tree = sqlglot.parse_one(gold, dialect="sqlite")
    keyed, limit = _with_sort_keys(tree)
    near = literals(tree)
    used = {table.name for table in tree.find_all(sqlglot.exp.Table)}

    def database(attempt: int) -> Expected | None:
        image = fill(schema, near, _seed(gold, attempt), _rows(schema, used, ROWS[attempt % len(ROWS)]))
        result = run(image, gold)
        if result.error:
            raise SuiteError(f"sample {identity}: its own target does not work: {result.error}. Mend target or schema.")
        keys = _keys(result, run(image, keyed)) if keyed else None
        if keys and limit and limit < len(keys) and keys[limit - 1] == keys[limit]:
            return None
        return Expected(image, result.rows, result.columns, keys, attempt)

    telling: list[Expected] = []
    blank: list[Expected] = []
    for attempt in range(attempts):
        one = database(attempt)
        if one is None:
            continue
        seen = any(value not in (None, 0) for row in one.rows for value in row)
        (telling if seen else blank).append(one)
        if len(telling) == instances:
            break
    found_all = (telling + blank)[:instances]
    if not found_all:
        raise SuiteError(
            f"sample {identity}: LIMIT cuts through a tie on every database. Give the question a total order."
        )
    return (*found_all, *(one for one in map(database, further) if one))


def _keys(result: Result, keyed: Result) -> Rows:
    """The sort key of each row, further rows that LIMIT cut off included; plain positions where they cannot be read."""
    if keyed.error or len(keyed.rows) < len(result.rows):
        return [(index,) for index in range(len(result.rows))]
    return [row[result.columns :] for row in keyed.rows]


def _with_sort_keys(tree: Any) -> tuple[str, int | None]:
    """(the gold without LIMIT, its sort keys as further columns, or "" where order does not count; its LIMIT)."""
    from sqlglot import exp

    order, limit = tree.args.get("order"), tree.args.get("limit")
    if order is None or not isinstance(tree, exp.Select):
        return "", None
    keyed = tree.copy()
    keyed.set("limit", None)
    if not tree.args.get("distinct"):
        keyed = keyed.select(*[ordered.this.copy() for ordered in order.expressions])
    value = limit.expression.this if limit is not None and isinstance(limit.expression, exp.Literal) else None
    return keyed.sql(dialect="sqlite"), int(value) if value is not None else None


def literals(tree: Any) -> dict[str, list[Any]]:
    """Column name -> values the gold compares it with, as text or numbers; columns of the same name share them."""
    from sqlglot import exp

    near: dict[str, list[Any]] = {}
    for node in tree.find_all(exp.Literal):
        parent = node.find_ancestor(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.Like)
        column = parent.find(exp.Column) if parent is not None else None
        if column is None:
            continue
        value: Any = str(node.this)
        if not node.is_string:
            value = float(value) if "." in value else int(value)
        near.setdefault(column.name, []).append(value)
    return near


def fill(schema: Schema, near: dict[str, list[Any]], seed: int, rows: dict[str, int]) -> bytes:
    """A database with so many rows per table, as bytes. Some parents stay without children, some children share one."""
    rng = random.Random(seed)
    connection = sqlite3.connect(":memory:")
    keys: dict[str, list[int]] = {}
    for table in sorted(schema, key=lambda name: _refers(schema[name])):
        columns: dict[str, dict[str, Any]] = {
            name: spec if isinstance(spec, dict) else {str(spec): True} for name, spec in schema[table].items()
        }
        count = rows[table]
        values: list[list[Any]] = []
        for name, spec in columns.items():
            if "key" in spec:
                keys[f"{table}.{name}"] = rng.sample(range(1, 4 * count), count)
                values.append(keys[f"{table}.{name}"])
                continue
            parents = keys[spec["ref"]] if "ref" in spec else []
            pool = parents[: max(2, len(parents) * 3 // 4)] or _pool(spec, near.get(name, []), rng)
            drawn = rng.choices(pool, k=count)
            share = spec.get("null", 0)
            values.append([None if share and rng.random() < share else value for value in drawn])
        connection.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", zip(*values, strict=True))
    connection.commit()
    image = connection.serialize()
    connection.close()
    return image


def _refers(columns: dict[str, Any]) -> bool:
    return any(isinstance(spec, dict) and "ref" in spec for spec in columns.values())


def _rows(schema: Schema, used: set[str], size: int) -> dict[str, int]:
    """Rows per table: parents are fewer than children, and tables the gold does not read are nearly empty."""
    return {
        table: 4 if table not in used else size if _refers(columns) else max(6, size * 2 // 3)
        for table, columns in schema.items()
    }


def _pool(spec: dict[str, Any], wanted: Sequence[Any], rng: random.Random) -> list[Any]:
    """Values a column is drawn from: its own, and what lies at and next to the literals it is compared with."""
    numbers = [value for value in wanted if not isinstance(value, str)]
    texts = [value for value in wanted if isinstance(value, str)]
    if "text" in spec:
        own = rng.sample(spec["text"], min(len(spec["text"]), rng.choice((3, 4, 6))))
        near = [form for text in texts for form in _like(text)]
    else:
        low, high = spec["int"]
        own = [rng.randint(low, high) for _ in range(rng.choice((5, 12, 40)))]
        near = [value + step for value in numbers for step in (-1, 0, 0, 1)]
    return own + near * max(1, len(own) // max(1, len(near)))


def _like(text: str) -> list[str]:
    """A literal and its neighbours: what a pattern with % takes in and what it leaves out, or a longer word."""
    core = text.replace("%", "")
    if core != text:
        return [core, f"{core}lto", f"Mo{core.lower()}", f"Re{core.lower()}n", f"{core}nd"]
    return [text, text, text, f"{text} II"]


def _seed(gold: str, attempt: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{gold}\n{attempt}".encode()).digest()[:8], "big")
