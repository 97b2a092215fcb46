"""Queries a person would write: rewrites that mean the same score 1, near misses that mean something else score 0.

None of them is made by a program, so they also try what the certificate's mutants do not.
"""

from __future__ import annotations

import pytest

from harness.data import Completion, Sample
from harness.scorers.sql import sql
from harness.suite import shipped

GOLDS: dict[str, tuple[str, str]] = {
    "lone": (
        "shop",
        "SELECT customers.name FROM customers LEFT JOIN orders ON orders.customer_id = customers.id "
        "WHERE orders.id IS NULL",
    ),
    "having": ("library", "SELECT author, COUNT(*) FROM books GROUP BY author HAVING COUNT(*) > 2"),
    "missing": ("clinic", "SELECT COUNT(*) FROM patients WHERE insurer IS NULL"),
    "ordered": (
        "school",
        "SELECT pupils.name, marks.score FROM marks JOIN pupils ON marks.pupil_id = pupils.id "
        "WHERE marks.subject = 'maths' ORDER BY marks.score DESC",
    ),
    "best": ("payroll", "SELECT job, AVG(salary) FROM staff GROUP BY job ORDER BY AVG(salary) DESC LIMIT 1"),
    "per": (
        "support",
        "SELECT agents.region, COUNT(*) FROM tickets JOIN agents ON tickets.agent_id = agents.id "
        "WHERE tickets.priority IN ('high', 'urgent') GROUP BY agents.region",
    ),
    "between": ("hotel", "SELECT guest, nights FROM stays WHERE nights BETWEEN 3 AND 7 AND source IS NOT NULL"),
    "sums": (
        "fleet",
        "SELECT vans.plate, SUM(trips.km) FROM trips JOIN vans ON trips.van_id = vans.id "
        "GROUP BY vans.plate HAVING SUM(trips.km) > 500",
    ),
    "distinct": ("shop", "SELECT COUNT(DISTINCT city) FROM customers WHERE since >= 2018"),
    "above mean": ("clinic", "SELECT doctor FROM visits WHERE cost > (SELECT AVG(cost) FROM visits)"),
}

SAME: dict[str, tuple[str, ...]] = {
    "lone": (
        "SELECT name FROM customers WHERE NOT EXISTS (SELECT 1 FROM orders WHERE orders.customer_id = customers.id)",
        "SELECT name FROM customers WHERE id NOT IN (SELECT customer_id FROM orders WHERE customer_id IS NOT NULL)",
        "WITH buyers AS (SELECT DISTINCT customer_id AS id FROM orders) SELECT c.name FROM customers AS c "
        "LEFT JOIN buyers AS b ON b.id = c.id WHERE b.id IS NULL",
        "SELECT c.name FROM customers c WHERE (SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id) = 0",
        "SELECT name FROM customers WHERE id IN (SELECT id FROM customers EXCEPT SELECT customer_id FROM orders)",
    ),
    "having": (
        "SELECT author, n FROM (SELECT author, COUNT(*) AS n FROM books GROUP BY author) WHERE n >= 3",
        "WITH per AS (SELECT author, COUNT(id) AS n FROM books GROUP BY 1) SELECT author, n FROM per WHERE n > 2",
        "SELECT author, SUM(1) FROM books GROUP BY author HAVING SUM(1) > 2",
        "SELECT DISTINCT author, COUNT(*) OVER (PARTITION BY author) FROM books AS b "
        "WHERE (SELECT COUNT(*) FROM books AS x WHERE x.author = b.author) > 2",
    ),
    "missing": (
        "SELECT COUNT(*) - COUNT(insurer) FROM patients",
        "SELECT COUNT(CASE WHEN insurer IS NULL THEN 1 END) FROM patients",
        "SELECT SUM(CASE WHEN insurer IS NULL THEN 1 ELSE 0 END) FROM patients",
        "SELECT COUNT(*) FROM patients WHERE COALESCE(insurer, '') = ''",
        "SELECT COUNT(*) FILTER (WHERE insurer IS NULL) FROM patients",
    ),
    "ordered": (
        "SELECT p.name, m.score FROM pupils AS p INNER JOIN marks AS m ON m.pupil_id = p.id AND m.subject = 'maths' "
        "ORDER BY m.score DESC",
        "SELECT p.name, m.score FROM pupils p, marks m WHERE p.id = m.pupil_id AND m.subject = 'maths' ORDER BY 2 DESC",
        "WITH m AS (SELECT pupil_id, score FROM marks WHERE subject = 'maths') SELECT name, score FROM pupils "
        "JOIN m ON m.pupil_id = pupils.id ORDER BY score DESC, name",
        "SELECT (SELECT name FROM pupils WHERE pupils.id = marks.pupil_id) AS who, score AS points FROM marks "
        "WHERE subject IN ('maths') ORDER BY points DESC",
    ),
    "best": (
        "SELECT job, SUM(salary) * 1.0 / COUNT(salary) AS mean FROM staff GROUP BY job ORDER BY mean DESC LIMIT 1",
        "WITH m AS (SELECT job, AVG(salary) AS a FROM staff GROUP BY job) SELECT job, a FROM m "
        "WHERE a = (SELECT MAX(a) FROM m)",
        "SELECT job, a FROM (SELECT job, AVG(salary) AS a, RANK() OVER (ORDER BY AVG(salary) DESC) AS place "
        "FROM staff GROUP BY job) WHERE place = 1",
    ),
    "per": (
        "SELECT a.region, COUNT(t.id) FROM agents a JOIN tickets t ON t.agent_id = a.id "
        "WHERE t.priority = 'high' OR t.priority = 'urgent' GROUP BY a.region",
        "SELECT region, SUM(n) FROM (SELECT agent_id, COUNT(*) AS n FROM tickets WHERE priority IN ('urgent', 'high') "
        "GROUP BY agent_id) JOIN agents ON agents.id = agent_id GROUP BY region",
        "SELECT agents.region, SUM(CASE WHEN priority IN ('high', 'urgent') THEN 1 ELSE 0 END) AS n FROM tickets "
        "JOIN agents ON tickets.agent_id = agents.id GROUP BY agents.region HAVING n > 0",
        "SELECT region, COUNT(*) FROM (SELECT agent_id FROM tickets WHERE priority = 'high' UNION ALL "
        "SELECT agent_id FROM tickets WHERE priority = 'urgent') AS t JOIN agents AS a ON a.id = t.agent_id "
        "GROUP BY region",
    ),
    "between": (
        "SELECT guest, nights FROM stays WHERE nights >= 3 AND nights <= 7 AND NOT source IS NULL",
        "SELECT guest, nights FROM stays WHERE source IN (SELECT source FROM stays) AND nights IN (3, 4, 5, 6, 7)",
        "SELECT guest, nights FROM stays WHERE source = source AND NOT (nights < 3 OR nights > 7)",
        "SELECT guest, nights FROM (SELECT * FROM stays WHERE source IS NOT NULL) WHERE nights > 2 AND nights < 8",
        "SELECT guest, nights FROM stays WHERE LENGTH(source) > 0 AND nights BETWEEN 3 AND 7 ORDER BY nights",
    ),
    "sums": (
        "SELECT plate, SUM(km) AS far FROM vans JOIN trips ON van_id = vans.id GROUP BY plate HAVING far > 500",
        "WITH far AS (SELECT v.plate AS plate, SUM(t.km) AS km FROM vans v JOIN trips t ON t.van_id = v.id "
        "GROUP BY v.plate) SELECT plate, km FROM far WHERE NOT km <= 500",
        "SELECT vans.plate, TOTAL(trips.km) FROM trips JOIN vans ON trips.van_id = vans.id GROUP BY vans.plate "
        "HAVING TOTAL(trips.km) > 500",
        "SELECT * FROM (SELECT plate, SUM(km) AS s FROM vans JOIN trips ON trips.van_id = vans.id GROUP BY plate) "
        "WHERE s >= 501",
    ),
    "distinct": (
        "SELECT COUNT(*) FROM (SELECT DISTINCT city FROM customers WHERE since >= 2018)",
        "SELECT COUNT(*) FROM (SELECT city FROM customers WHERE since > 2017 GROUP BY city)",
        "SELECT COUNT(DISTINCT CASE WHEN since >= 2018 THEN city END) FROM customers",
    ),
    "above mean": (
        "WITH m AS (SELECT AVG(cost) AS a FROM visits) SELECT doctor FROM visits, m WHERE cost > a",
        "SELECT doctor FROM (SELECT doctor, cost, AVG(cost) OVER () AS a FROM visits) WHERE cost > a",
        "SELECT v.doctor FROM visits v WHERE v.cost * (SELECT COUNT(*) FROM visits) > (SELECT SUM(cost) FROM visits)",
        "SELECT doctor FROM visits WHERE cost > (SELECT SUM(cost) / COUNT(*) FROM visits)",
    ),
}

OTHER: dict[str, tuple[str, ...]] = {
    "lone": (
        "SELECT name FROM customers WHERE id NOT IN (SELECT customer_id FROM orders)",
        "SELECT customers.name FROM customers JOIN orders ON orders.customer_id = customers.id WHERE orders.id IS NULL",
        "SELECT name FROM customers WHERE id NOT IN (SELECT id FROM orders)",
        "SELECT name FROM customers EXCEPT SELECT c.name FROM customers c JOIN orders o ON o.customer_id = c.id",
        "SELECT name FROM customers WHERE EXISTS (SELECT 1 FROM orders WHERE orders.customer_id = customers.id)",
    ),
    "having": (
        "SELECT author, COUNT(*) FROM books GROUP BY author HAVING COUNT(*) >= 2",
        "SELECT author, COUNT(DISTINCT title) FROM books GROUP BY author HAVING COUNT(DISTINCT title) > 2",
        "SELECT COUNT(*), author FROM books GROUP BY author HAVING COUNT(*) > 2",
        "SELECT author, SUM(copies) FROM books GROUP BY author HAVING COUNT(*) > 2",
        "SELECT author, COUNT(*) FROM books WHERE copies > 2 GROUP BY author",
    ),
    "missing": (
        "SELECT COUNT(insurer) FROM patients WHERE insurer IS NULL",
        "SELECT COUNT(*) FROM patients WHERE insurer = ''",
        "SELECT COUNT(*) FROM patients WHERE insurer = 'NULL'",
        "SELECT COUNT(DISTINCT town) FROM patients WHERE insurer IS NULL",
        "SELECT COUNT(CASE WHEN insurer IS NULL THEN 1 ELSE 0 END) FROM patients",
    ),
    "ordered": (
        "SELECT p.name, m.score FROM marks m JOIN pupils p ON m.pupil_id = p.id WHERE m.subject = 'maths'",
        "SELECT p.name, m.score FROM marks m JOIN pupils p ON m.pupil_id = p.id WHERE m.subject = 'maths' "
        "ORDER BY m.score",
        "SELECT name, score FROM (SELECT p.name, m.score FROM marks m JOIN pupils p ON m.pupil_id = p.id "
        "WHERE m.subject = 'maths' ORDER BY m.score DESC) ORDER BY name",
        "SELECT m.score, p.name FROM marks m JOIN pupils p ON m.pupil_id = p.id WHERE m.subject = 'maths' "
        "ORDER BY m.score DESC",
        "SELECT p.name, m.score FROM marks m JOIN pupils p ON m.pupil_id = p.id WHERE m.subject LIKE 'ma%' "
        "ORDER BY m.score DESC",
        "SELECT p.name, m.score FROM marks m JOIN pupils p ON m.id = p.id WHERE m.subject = 'maths' "
        "ORDER BY m.score DESC",
        "SELECT p.name, MAX(m.score) FROM marks m JOIN pupils p ON m.pupil_id = p.id WHERE m.subject = 'maths' "
        "GROUP BY p.id ORDER BY 2 DESC",
    ),
    "best": (
        "SELECT job, MAX(salary) FROM staff",
        "SELECT job, AVG(salary) FROM staff GROUP BY job ORDER BY COUNT(*) DESC LIMIT 1",
        "SELECT job, SUM(salary) / COUNT(*) FROM staff GROUP BY job ORDER BY AVG(salary) DESC LIMIT 1",
        "SELECT job, AVG(salary) FROM staff GROUP BY job ORDER BY AVG(salary) DESC LIMIT 2",
        "SELECT job, AVG(DISTINCT salary) FROM staff GROUP BY job ORDER BY AVG(DISTINCT salary) DESC LIMIT 1",
    ),
    "per": (
        "SELECT region, COUNT(*) FROM (SELECT agent_id FROM tickets WHERE priority = 'high' UNION "
        "SELECT agent_id FROM tickets WHERE priority = 'urgent') AS t JOIN agents AS a ON a.id = t.agent_id "
        "GROUP BY region",
        "SELECT a.region, SUM(CASE WHEN t.priority IN ('high', 'urgent') THEN 1 ELSE 0 END) FROM agents a "
        "LEFT JOIN tickets t ON t.agent_id = a.id GROUP BY a.region",
        "SELECT a.region, COUNT(*) FROM tickets t JOIN agents a ON t.agent_id = a.id "
        "WHERE t.priority = 'high' AND t.priority = 'urgent' GROUP BY a.region",
        "SELECT a.region, COUNT(DISTINCT a.id) FROM tickets t JOIN agents a ON t.agent_id = a.id "
        "WHERE t.priority IN ('high', 'urgent') GROUP BY a.region",
        "SELECT a.region, COUNT(*) FROM tickets t JOIN agents a ON t.agent_id = a.id "
        "WHERE t.priority IN ('high', 'urgent') GROUP BY a.id",
        "SELECT a.region, COUNT(*) FROM tickets t LEFT JOIN agents a ON t.agent_id = a.id "
        "WHERE t.priority IN ('high', 'urgent') GROUP BY a.region",
    ),
    "between": (
        "SELECT guest, nights FROM stays WHERE nights > 3 AND nights < 7 AND source IS NOT NULL",
        "SELECT guest, nights FROM stays WHERE nights BETWEEN 7 AND 3 AND source IS NOT NULL",
        "SELECT guest, nights FROM stays WHERE nights BETWEEN 3 AND 7 AND source != NULL",
        "SELECT guest, nights FROM stays WHERE nights BETWEEN 3 AND 7 OR source IS NOT NULL",
        "SELECT DISTINCT guest, nights FROM stays WHERE nights BETWEEN 3 AND 7 AND source IS NOT NULL",
        "SELECT guest, nights FROM stays WHERE nights BETWEEN 3 AND 7 INTERSECT "
        "SELECT guest, nights FROM stays WHERE source IS NOT NULL",
    ),
    "sums": (
        "SELECT v.plate, SUM(t.km) FROM trips t JOIN vans v ON t.van_id = v.id GROUP BY v.id HAVING SUM(t.km) > 500",
        "SELECT v.plate, SUM(t.km) FROM trips t JOIN vans v ON t.van_id = v.id WHERE t.km > 500 GROUP BY v.plate",
        "SELECT v.plate, SUM(DISTINCT t.km) FROM trips t JOIN vans v ON t.van_id = v.id GROUP BY v.plate "
        "HAVING SUM(DISTINCT t.km) > 500",
        "SELECT v.plate, SUM(t.km) FROM trips t JOIN vans v ON t.van_id = v.id GROUP BY v.plate "
        "HAVING SUM(t.km) >= 500",
        "SELECT v.plate, SUM(t.km + t.toll) FROM trips t JOIN vans v ON t.van_id = v.id GROUP BY v.plate "
        "HAVING SUM(t.km) > 500",
    ),
    "distinct": (
        "SELECT COUNT(city) FROM customers WHERE since >= 2018",
        "SELECT DISTINCT COUNT(city) FROM customers WHERE since >= 2018",
        "SELECT COUNT(DISTINCT name) FROM customers WHERE since >= 2018",
        "SELECT COUNT(*) FROM (SELECT DISTINCT city, since FROM customers WHERE since >= 2018)",
    ),
    "above mean": (
        "SELECT doctor FROM visits WHERE cost > (SELECT AVG(cost) FROM visits AS x WHERE x.doctor = visits.doctor)",
        "SELECT doctor FROM visits GROUP BY doctor HAVING AVG(cost) > (SELECT AVG(cost) FROM visits)",
        "SELECT DISTINCT doctor FROM visits WHERE cost > (SELECT AVG(cost) FROM visits)",
    ),
}


def judged(name: str, query: str) -> tuple[float, str]:
    schema, gold = GOLDS[name]
    scorer = sql(suite_path=str(shipped() / "sql"), databases="schemas.json")
    score = scorer(Sample("s", "?", gold, metadata={"schema": schema}), Completion(query))
    return score.value, score.explanation


def test_there_are_forty_of_each() -> None:
    assert sum(map(len, SAME.values())) >= 40
    assert sum(map(len, OTHER.values())) >= 40


@pytest.mark.parametrize("name", GOLDS)
def test_rewrites_that_mean_the_same_score_one(name: str) -> None:
    judged_wrong = {query: why for query in SAME[name] for value, why in [judged(name, query)] if value != 1}
    assert not judged_wrong


@pytest.mark.parametrize("name", GOLDS)
def test_near_misses_score_zero(name: str) -> None:
    assert not [query for query in OTHER[name] if judged(name, query)[0] != 0]
