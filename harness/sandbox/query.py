"""One query on one database that is handed over as bytes. Only the standard library: the zygote loads this file too.

The connection reads tables and calls the FUNCTIONS, and nothing else: no file, no write, no pragma, no extension. Work,
row count and the size of every value are bounded, so the same query stops at the same place everywhere.
What is not covered: a defect of SQLite itself, and single calls that take long; that is what the jail is for.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

MAX_QUERY = 4_000
MAX_ROWS = 2_000
MAX_OPERATIONS = 200_000
STEP = 1_000
MAX_VALUE = 1_500
_FUNCTIONS = """abs avg coalesce count date datetime dense_rank first_value glob group_concat ifnull iif instr julianday
    lag last_value lead length like lower ltrim max min nullif rank replace round row_number rtrim sign strftime substr
    substring sum time total trim typeof upper"""
FUNCTIONS = frozenset(_FUNCTIONS.split())

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Result:
    """What a query gave: its rows and how many columns they have, or why it gave nothing."""

    rows: Rows
    columns: int
    error: str = ""


def run(database: bytes, query: str) -> Result:
    """What a query gives; whatever is wrong with it is said in `error`."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(database)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_QUERY + 1)
        connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100)
        connection.setlimit(sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 20)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.set_authorizer(_authorize)
        left = [MAX_OPERATIONS // STEP]

        def tick() -> int:
            left[0] -= 1
            return int(left[0] < 0)

        connection.set_progress_handler(tick, STEP)
        cursor = connection.execute(query)
        rows: Rows = cursor.fetchmany(MAX_ROWS + 1)
        columns = len(cursor.description or ())
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        why = "the query runs too long" if str(error) == "interrupted" else f"the query fails: {str(error)[:200]}"
        return Result([], 0, why)
    finally:
        connection.close()
    return Result([], 0, f"more than {MAX_ROWS} rows") if len(rows) > MAX_ROWS else Result(rows, columns)


def _authorize(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    if action == sqlite3.SQLITE_READ:
        return sqlite3.SQLITE_DENY if str(first).lower().startswith("sqlite_") else sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_OK if str(second).lower() in FUNCTIONS else sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE) else sqlite3.SQLITE_DENY
