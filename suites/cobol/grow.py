"""Further inputs for the programs of test and dev, until the recorded runs find out every mistake that shows anywhere.

    python suites/cobol/grow.py [PROGRAM...]    adds to cases.jsonl what is missing; prints figures
    python suites/cobol/grow.py --measure       the figures alone

A mistake (mutants.py) shows if the Python with it differs from the gold on any of POOL related inputs (inputs.wide).
Of these inputs the fewest are kept, greedily, that find out what no recorded run does, and a few more. GnuCOBOL says
what is right.
What then stays hidden is counted on as many inputs of another seed (--measure). Training programs are never scored and
stay as they are.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from multiprocessing import Pool
from pathlib import Path
from types import CodeType
from typing import Any

HERE = Path(__file__).parent
POOL = 600
BESIDES = 8
"""So many inputs of the pool are kept whatever they find out, for the mistakes that are more than one small change."""
TURNS = 20_000
SPLITS = ("test", "dev")
sys.path.insert(0, str(HERE))

from certificate import returned  # noqa: E402
from generate import SEED, Program, programs  # noqa: E402
from inputs import Case, wide  # noqa: E402
from mutants import compiled  # noqa: E402
from record import built, ran  # noqa: E402

Values = list[Any]


class Endless(Exception):
    """A while loop turned too often."""


class Runner:
    """Runs parts of a compiled program on inputs; None where it raises."""

    def __init__(self) -> None:
        self.turns = 0

    def turned(self) -> None:
        self.turns += 1
        if self.turns > TURNS:
            raise Endless

    def main(self, parts: Sequence[CodeType]) -> Callable[[Case], Any]:
        """The program as a function of an input."""
        namespace: dict[str, Any] = {"turned": self.turned}
        try:
            for part in parts:
                exec(part, namespace)
        except Exception:
            return lambda case: None

        def run(case: Case) -> Any:
            self.turns = 0
            return returned(namespace["main"], case)

        return run


def limits(code: str) -> list[Decimal]:
    """The numbers in a program, as amounts that its inputs may meet."""
    found = re.findall(r"(?<![\w.{:<>*,%])(\d[\d_]*(?:\.\d+)?)(?![\w}])", code)
    return [Decimal(text) for text in dict.fromkeys(text.replace("_", "") for text in found)]


def pool(made: Program, seed: str) -> list[Case]:
    return wide(made.spec, f"{SEED} {seed} {made.key}", POOL, limits(made.python))


def killed_by(mutant: Callable[[Case], Any], cases: Sequence[Case], right: Values) -> Iterator[int]:
    """The numbers of the inputs on which a mutant differs."""
    return (number for number, case in enumerate(cases) if mutant(case) != right[number])


def grown(made: Program, runs: Sequence[Case], measure: bool) -> tuple[list[Case], dict[str, Any]]:
    """(inputs to add, figures) of a program with these runs."""
    runner = Runner()
    gold = runner.main([compile(made.python, "program", "exec")])
    right = [gold(case) for case in runs]
    figures: dict[str, Any] = {"program": made.key, "split": made.base.split, "before": 0, "gained": 0, "missed": []}
    hidden = []
    for kind, parts in compiled(made.python):
        mutant = runner.main(parts)
        if next(killed_by(mutant, runs, right), None) is None:
            hidden.append((kind, mutant))
        else:
            figures["before"] += 1
    tried = [(case, gold(case)) for case in pool(made, "grow")]
    figures["crashes"] = [case for case, value in tried if value is None][:2]
    cases = [case for case, value in tried if value is not None]
    expected = [value for _, value in tried if value is not None]
    kills = [(kind, mutant, set(killed_by(mutant, cases, expected))) for kind, mutant in hidden]
    left = [where for _, _, where in kills if where]
    figures["gained"] = len(left)
    chosen: list[int] = []
    while left:
        counts = Counter(number for where in left for number in where)
        best = max(counts, key=lambda number: (counts[number], -len(repr(cases[number])), -number))
        chosen.append(best)
        left = [where for where in left if best not in where]
    others = [case for case in pool(made, "measure") if gold(case) is not None] if measure else []
    anew = [gold(case) for case in others]
    figures["missed"] = [
        kind for kind, mutant, where in kills if not where and next(killed_by(mutant, others, anew), None) is not None
    ]
    known = [(run["stdin"], run["files"]) for run in runs]
    besides = [number for number in range(min(BESIDES, len(cases))) if number not in chosen]
    further = [cases[number] for number in (*chosen, *besides)]
    return [case for case in further if (case["stdin"], case["files"]) not in known], figures


def worked(task: tuple[Program, Mapping[str, Any], bool]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(row with the further runs, figures) of a program."""
    made, row, only_measure = task
    further, figures = grown(made, row["cases"], only_measure)
    if only_measure:
        return dict(row), figures
    gold = Runner().main([compile(made.python, "program", "exec")])
    with tempfile.TemporaryDirectory() as place:
        folder = built(made, Path(place))
        figures["wrong"] = []
        rows = []
        for case in further:
            said = ran(folder, case, made)
            if gold(case) != returned(lambda *_, said=said: (said["stdout"], said["written"]), case):
                figures["wrong"].append(said)
            else:
                rows.append(said)
    known = row.get("grown", 0) + len(rows)
    return {**row, "grown": known, "cases": [*row["cases"], *rows]}, figures


def main(arguments: list[str]) -> int:
    """Exit code: 0 where the gold is right on every input tried."""
    path = HERE / "cases.jsonl"
    rows = {row["program"]: row for row in map(json.loads, path.read_text("utf-8").splitlines())}
    asked = [name for name in arguments if not name.startswith("--")]
    every = [made for split in SPLITS for made in programs(split) if not asked or made.key in asked]
    measure = "--measure" in arguments
    found = []
    with Pool(2) as workers:
        for row, figures in workers.imap(worked, [(made, rows[made.key], measure) for made in every]):
            rows[row["program"]] = row
            found.append(figures)
            print(json.dumps(figures), file=sys.stderr, flush=True)
    if not measure:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows.values()), "utf-8")
    summed(found, measure)
    return 1 if any(figures.get("wrong") or figures["crashes"] for figures in found) else 0


def summed(found: Sequence[Mapping[str, Any]], measure: bool) -> None:
    """Prints how many mistakes the runs find out, of those that show anywhere."""
    for split in SPLITS:
        shares = []
        for one in (one for one in found if one["split"] == split):
            caught = one["before"] + (0 if measure else one["gained"])
            shares.append((caught, one["before"] + one["gained"] + len(one["missed"])))
        if shares:
            caught, shown = (sum(values) for values in zip(*shares, strict=True))
            least = min(part / whole for part, whole in shares)
            print(f"{split}: {caught} of {shown} mistakes found out ({caught / shown:.2%}), {least:.1%} of the worst")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
