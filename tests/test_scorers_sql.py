"""SQL answers: what counts, what does not, what a hostile one can do, how many wrong ones are found out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.data import Completion, Sample, Score, Scorer
from harness.errors import SuiteError
from harness.scorers import from_file
from harness.scorers.sql import Result, compare, expectations, extract, run, sql
from harness.suite import shipped

SUITE = shipped() / "sql"
mutants = from_file("certificate.py:mutants", str(SUITE), "certificate.py")
SCHEMAS = json.loads((SUITE / "schemas.json").read_text("utf-8"))
GOLD = "SELECT item FROM orders WHERE total > 100"


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return sql(suite_path=str(SUITE), databases="schemas.json")


def judged(scorer: Scorer, text: str, gold: str = GOLD, schema: str = "shop") -> Score:
    return scorer(Sample("s", "?", gold, metadata={"schema": schema}), Completion(text))


COUNT = "SELECT city, COUNT(*) FROM customers GROUP BY city"
TOP = "SELECT name FROM customers ORDER BY since DESC LIMIT 3"
JOINED = (
    "SELECT orders.item FROM orders JOIN customers ON orders.customer_id = customers.id WHERE customers.city = 'Lyon'"
)
AVERAGE = "SELECT AVG(total) FROM orders"
DISTINCT = "SELECT DISTINCT city FROM customers WHERE since > 2015"
MISSING = "SELECT COUNT(*) FROM orders WHERE customer_id IS NULL"
EMPTY = "SELECT item FROM orders WHERE total > 100 AND total < 50"

RIGHT = [
    (GOLD, GOLD, "itself"),
    (GOLD.lower(), GOLD, "in small letters"),
    (f"{GOLD};", GOLD, "with a semicolon"),
    (f"```sql\n{GOLD}\n```", GOLD, "in a fence"),
    (f"Here is the query:\n\n```sql\n{GOLD};\n```\nIt lists the items.", GOLD, "in a fence with words around it"),
    (f"SQL: {GOLD}", GOLD, "behind a label"),
    (f"The query is:\n{GOLD};\nIt lists the items.", GOLD, "between sentences"),
    (f"<think>SELECT 1</think>\n{GOLD}", GOLD, "after thinking"),
    ("SELECT item\nFROM orders\nWHERE total > 100", GOLD, "on several lines"),
    ("SELECT o.item FROM orders AS o WHERE o.total >= 101", GOLD, "said otherwise"),
    ("SELECT item FROM orders WHERE NOT total <= 100 ORDER BY item", GOLD, "an order nobody asked for"),
    ("WITH big AS (SELECT * FROM orders WHERE total > 100) SELECT item FROM big", GOLD, "with a WITH"),
    ("SELECT item AS what FROM orders WHERE total > 100", GOLD, "under another column name"),
    ("SELECT city, COUNT(id) FROM customers GROUP BY 1", COUNT, "the same groups"),
    ("SELECT name FROM customers ORDER BY since DESC, id LIMIT 3", TOP, "a finer order"),
    (
        "SELECT o.item FROM customers c JOIN orders o ON c.id = o.customer_id AND c.city = 'Lyon'",
        JOINED,
        "the join turned round",
    ),
    (
        "SELECT item FROM orders WHERE customer_id IN (SELECT id FROM customers WHERE city = 'Lyon')",
        JOINED,
        "a subquery for a join",
    ),
    ("SELECT SUM(total) * 1.0 / COUNT(total) FROM orders", AVERAGE, "the mean worked out"),
    ("SELECT city FROM customers WHERE since > 2015 GROUP BY city", DISTINCT, "groups for distinct"),
    ("SELECT SUM(customer_id IS NULL) FROM orders", MISSING, "a sum of truths"),
    (EMPTY, EMPTY, "no rows on either side"),
    ("SELECT ';' || item || ';' FROM orders", "SELECT ';' || item || ';' FROM orders", "a semicolon in a text"),
]
WRONG = [
    ("", GOLD, "nothing"),
    ("I cannot help with that.", GOLD, "a refusal"),
    ("```\n```", GOLD, "an empty fence"),
    ("```sql\n```", GOLD, "an empty SQL fence"),
    ("<think>" + GOLD + "</think>", GOLD, "only thinking"),
    (
        "Tables:\norders(id, customer_id, item, total, status)\nQuestion: Which items cost over 100?",
        GOLD,
        "the prompt recited",
    ),
    ("SELECT item FROM orders WHERE total >= 100", GOLD, "the bound included"),
    ("SELECT item FROM orders WHERE total > 101", GOLD, "another bound"),
    ("SELECT item FROM orders", GOLD, "no condition"),
    ("SELECT DISTINCT item FROM orders WHERE total > 100", GOLD, "duplicates dropped"),
    ("SELECT item, total FROM orders WHERE total > 100", GOLD, "a column too many"),
    ("SELECT status FROM orders WHERE total > 100", GOLD, "another column"),
    ("SELECT item FROM orders WHERE total > 100 LIMIT 5", GOLD, "cut short"),
    ("SELECT COUNT(*), city FROM customers GROUP BY city", COUNT, "columns swapped"),
    ("SELECT COUNT(*) FROM customers GROUP BY city", COUNT, "a column missing"),
    ("SELECT name FROM customers ORDER BY since LIMIT 3", TOP, "the other end"),
    ("SELECT name FROM customers LIMIT 3", TOP, "any three"),
    ("SELECT name FROM (" + TOP + ") ORDER BY name DESC", TOP, "the right rows in another order"),
    ("SELECT orders.item FROM orders, customers WHERE customers.city = 'Lyon'", JOINED, "no join condition"),
    (
        "SELECT item FROM orders JOIN customers ON orders.id = customers.id WHERE city = 'Lyon'",
        JOINED,
        "joined on the wrong key",
    ),
    ("SELECT ROUND(AVG(total)) FROM orders", AVERAGE, "rounded"),
    ("SELECT CAST(AVG(total) AS TEXT) FROM orders", AVERAGE, "a text is no number"),
    ("SELECT city FROM customers WHERE since > 2015", DISTINCT, "duplicates kept"),
    ("SELECT COUNT(*) FROM orders WHERE customer_id = NULL", MISSING, "nothing equals NULL"),
    ("SELECT item, total FROM orders WHERE total > 100 AND total < 50", EMPTY, "no rows, but two columns"),
    (f"{GOLD}; {GOLD}", GOLD, "two statements"),
    (f"{GOLD};\n{AVERAGE};", GOLD, "two answers"),
    (f"```sql\n{GOLD}\n```\nor\n```sql\n{AVERAGE}\n```", GOLD, "two fences"),
    (f"{GOLD}\n\nOr:\n{AVERAGE}", GOLD, "an alternative"),
    (f"{GOLD}; DROP TABLE orders", GOLD, "a second statement that drops"),
    ("SELECT item FROM order WHERE total > 100", GOLD, "no such table"),
    ("SELECT item FORM orders", GOLD, "a slip of the pen"),
    ("DROP TABLE orders", GOLD, "no query at all"),
    (f"EXPLAIN {GOLD}", GOLD, "a plan is not the rows"),
    ("VALUES ('lamp')", GOLD, "made-up rows"),
]


@pytest.mark.parametrize(("text", "gold", "why"), RIGHT)
def test_right_query_scores_one(scorer: Scorer, text: str, gold: str, why: str) -> None:
    score = judged(scorer, text, gold)
    assert score.value == 1, f"{why}: {score.explanation}"


@pytest.mark.parametrize(("text", "gold", "why"), WRONG)
def test_wrong_query_scores_zero_and_says_why(scorer: Scorer, text: str, gold: str, why: str) -> None:
    score = judged(scorer, text, gold)
    assert score.value == 0, why
    assert score.explanation


COUNTER = "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) "
HOSTILE = [
    "\x00\x01",
    "A" * 1_000_000,
    "SELECT " * 100_000,
    "SELECT '" + "x" * 50_000,
    "\ud800 SELECT 1",
    "SELECT '\ud800'",
    "SELECT 'a\x00b'",
    "select\n" * 10_000,
    ";" * 50_000,
    "```" * 20_000,
    "SELECT " + "(" * 1_500 + "1" + ")" * 1_500,
    "SELECT " + "1+" * 1_500 + "1",
    "DELETE FROM orders",
    "DROP TABLE orders",
    "ATTACH 'stolen.db' AS s",
    "SELECT 1; ATTACH 'stolen.db' AS s",
    "VACUUM INTO 'stolen.db'",
    "PRAGMA writable_schema = 1",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM sqlite_master",
    "SELECT load_extension('x')",
    "SELECT writefile('stolen.db', 'x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT random()",
    "WITH x AS (SELECT 1) DELETE FROM orders",
    "WITH x AS (SELECT 1) INSERT INTO orders SELECT 1, 1, 1, 1, 1",
    COUNTER + "SELECT COUNT(*) FROM t",
    COUNTER + "SELECT x FROM t",
    COUNTER + "SELECT SUM(x) OVER (ORDER BY x) FROM t",
    "SELECT printf('%.*c', 900000000, 'x')",
    "SELECT format('%.*c', 900000000, 'x')",
    "SELECT zeroblob(900000000)",
    "SELECT hex(randomblob(900000000))",
    "SELECT replace(replace(replace('aaaaaaaa', 'a', 'aaaaaaaaaaaaaaaa'), 'a', 'aaaaaaaaaaa'), 'a', 'aaaa')",
    "SELECT COUNT(*) FROM orders a, orders b, orders c, orders d, orders e, orders f, orders g",
    "SELECT group_concat(a.item) FROM orders a, orders b, orders c",
    "WITH RECURSIVE t(x) AS (SELECT 'a' UNION ALL SELECT substr(x || x, 1, 700) FROM t) "
    "SELECT COUNT(*) FROM t WHERE x LIKE '%a%a%a%a%b'",
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_answer_scores_zero_and_leaves_no_trace(
    scorer: Scorer, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    score = judged(scorer, HOSTILE[number])
    assert score.value == 0
    assert len(score.explanation) < 300
    assert not list(tmp_path.iterdir())
    assert judged(scorer, GOLD).value == 1


def test_work_of_a_query_is_bounded_by_operations_not_by_time() -> None:
    database = expectations(SCHEMAS["shop"], GOLD, 1, "s")[0].database
    assert run(database, COUNTER + "SELECT COUNT(*) FROM t").error == "the query runs too long"
    assert run(database, COUNTER + "SELECT x FROM t").error == "more than 2000 rows"


def test_two_errors_are_not_equal(scorer: Scorer) -> None:
    with pytest.raises(SuiteError, match="its own target does not work"):
        judged(scorer, "SELECT nothing FROM nowhere", "SELECT nothing FROM nowhere")


def test_unknown_schema_is_the_suite_authors_mistake(scorer: Scorer) -> None:
    with pytest.raises(SuiteError, match="Did you mean 'shop'"):
        judged(scorer, GOLD, schema="shops")


def test_missing_schema_file_is_named() -> None:
    with pytest.raises(SuiteError, match=r"none\.json"):
        sql(suite_path=str(SUITE), databases="none.json")


def test_databases_are_the_same_every_time() -> None:
    once = expectations(SCHEMAS["shop"], JOINED, 3, "s")
    again = expectations(SCHEMAS["shop"], JOINED, 3, "s")
    assert [one.database for one in once] == [one.database for one in again]


def test_limit_never_cuts_through_a_tie() -> None:
    for one in expectations(SCHEMAS["shop"], TOP, 6, "s"):
        wider = run(one.database, "SELECT since FROM customers ORDER BY since DESC LIMIT 4").rows
        assert wider[2] != wider[3]


def test_rows_with_equal_sort_keys_may_come_in_any_order() -> None:
    gold = "SELECT item, total FROM orders ORDER BY total DESC"
    for one in expectations(SCHEMAS["shop"], gold, 4, "s"):
        rows = sorted(one.rows, key=lambda row: (-row[1], row[0]))
        assert compare(one, Result(rows, 2)) == ""
        assert compare(one, Result(rows[::-1], 2)) == "other rows, or another order"


def test_null_is_neither_zero_nor_empty() -> None:
    one = expectations(SCHEMAS["library"], "SELECT fine FROM loans", 1, "s")[0]
    assert any(row == (None,) for row in one.rows)
    for filler in (0, ""):
        rows = [(filler if row[0] is None else row[0],) for row in one.rows]
        assert compare(one, Result(rows, 1)) == "other rows"


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("SELECT 1", "SELECT 1"),
        ("  select 1 ;  ", "select 1"),
        ("sql: SELECT 1", "SELECT 1"),
        ("```sqlite\nSELECT 1\n```", "SELECT 1"),
        ("```\nSELECT 1", "SELECT 1"),
        ("`SELECT 1`", ""),
        ("SELECT 'a;b'; thanks", "SELECT 'a;b'"),
        ("I would select a table.", ""),
    ],
)
def test_query_is_taken_out_of_an_answer(text: str, query: str) -> None:
    assert extract(text)[0] == query


def test_simple_mutations_of_a_gold_score_zero() -> None:
    rows = [json.loads(line) for line in (SUITE / "test.jsonl").read_text("utf-8").splitlines()][::16]
    killed, alive = 0, []
    for row in rows:
        schema = SCHEMAS[row["metadata"]["schema"]]
        databases = expectations(schema, row["target"], 8, row["id"])
        for name, mutant in mutants(row["target"], schema).items():
            if any(compare(one, run(one.database, mutant)) for one in databases):
                killed += 1
            elif not name.startswith("a distinct"):  # distinct changes nothing where rows are unique anyway
                alive.append(f"{row['target']}  |  {mutant}")
    assert killed > 100
    assert len(alive) <= 0.02 * killed, "\n".join(alive)
