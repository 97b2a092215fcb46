"""Writes further.json: databases to add to a question's own until every killable mutant of its gold is found out.

    python suites/sql/grow.py

A mutant is killable if it differs from the gold on any of the certificate's many databases, or of 400. Those that the
scorer's own databases miss are given the fewest further ones, greedily. The same golds give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.sandbox.query import run
from harness.scorers import from_file
from harness.scorers.sql import INSTANCES, Expected, compare, expectations
from harness.suite import read_suite

HERE = Path(__file__).parent
WIDE = 400
FILE = "certificate.py"
OWN = {name: from_file(f"{FILE}:{name}", str(HERE), FILE) for name in ("many", "mutants", "schemas")}


def missing(gold: str, name: str) -> list[int]:
    """Numbers of the databases to add for a gold; none where its own find out every killable mutant."""
    schema: dict[str, Any] = OWN["schemas"]()[name]
    databases: Sequence[Expected] = OWN["many"](gold, name)
    first = expectations(schema, gold, INSTANCES, gold)
    unseen = [m for m in OWN["mutants"](gold, schema).values() if not any(_differs(one, m) for one in first)]
    kills = {one.attempt: {m for m in unseen if _differs(one, m)} for one in databases}
    if unkilled := set(unseen) - set().union(*kills.values()):
        wider = expectations(schema, gold, WIDE, gold, attempts=WIDE * 3 // 2)
        kills |= {one.attempt: found for one in wider if (found := {m for m in unkilled if _differs(one, m)})}
    left = set().union(*kills.values())
    added: list[int] = []
    while left:
        best = max(kills, key=lambda attempt: (len(kills[attempt] & left), -attempt))
        added.append(best)
        left -= kills[best]
    return added


def _differs(one: Expected, query: str) -> bool:
    return bool(compare(one, run(one.database, query)))


def main() -> None:
    """Works through the test and dev golds and writes the file."""
    suite = read_suite(str(HERE))
    found = {s.target: missing(s.target, str(s.metadata["schema"])) for s in (*suite.test, *suite.dev)}
    kept = {gold: numbers for gold, numbers in sorted(found.items()) if numbers}
    (HERE / "further.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    main()
