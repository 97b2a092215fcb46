"""The cobol suite: the generator writes its files, its golds agree with GnuCOBOL, its scorer tells right from wrong."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from cobol_translations import RIGHT as RIGHT_BUILT
from cobol_translations import WRONG as WRONG_BUILT
from suite_files import suite_file

from harness.data import Completion, Sample, Score
from harness.scorers import load
from harness.scorers.lint import installed, linter
from harness.suite import read_suite, shipped

FOLDER = shipped() / "cobol"
SUITE = read_suite(FOLDER)
SPLITS = {"test": SUITE.test, "dev": SUITE.dev, "train": SUITE.train, "shots": SUITE.shots}
EVERY = [sample for samples in SPLITS.values() for sample in samples]
SCORERS = {spec.name: load(spec, SUITE.path) for spec in SUITE.scorers}
LINT = linter(installed(), SUITE.path)
ROWS = {row["program"]: row for row in map(json.loads, (FOLDER / "cases.jsonl").read_text("utf-8").splitlines())}


def module(name: str) -> ModuleType:
    return suite_file("cobol", name)


CERTIFICATE, SCORER, INPUTS = module("certificate"), module("scorer"), module("inputs")


def sample_of(program: str) -> Sample:
    return next(sample for sample in EVERY if sample.metadata["program"] == program)


def value(text: str, program: str = "surcharge-01", scorer: str = "equivalent") -> float:
    return SCORERS[scorer](sample_of(program), Completion(text)).value


def fenced(code: str) -> str:
    return f"```python\n{code}\n```"


def main_of(target: str) -> Callable[..., Any]:
    """The gold itself: its code is ours, so it needs no sandbox."""
    namespace: dict[str, Any] = {}
    exec(CERTIFICATE.gold(target)[0], namespace)
    found: Callable[..., Any] = namespace["main"]
    return found


# --- the data --------------------------------------------------------------------------------------------------------


def test_generator_writes_the_committed_files(tmp_path: Path) -> None:
    module("generate").write(tmp_path)
    for split in SPLITS:
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (FOLDER / f"{split}.jsonl").read_bytes(), split


def test_no_base_program_serves_two_splits() -> None:
    bases = [{sample.metadata["base"] for sample in samples} for samples in SPLITS.values()]
    assert sum(map(len, bases)) == len(set().union(*bases)) >= 60


def test_bases_are_spread_evenly() -> None:
    counts = Counter(sample.metadata["base"] for sample in SUITE.test)
    assert max(counts.values()) <= 9
    assert len({sample.target for sample in EVERY}) == len(EVERY)


def test_every_program_was_recorded_on_many_inputs() -> None:
    assert set(ROWS) == {sample.metadata["program"] for sample in EVERY}
    for row in ROWS.values():
        assert "GnuCOBOL" in row["compiler"]
        assert len(row["cases"]) >= 12
        assert len({case["stdout"] + str(case["written"]) for case in row["cases"]}) >= 4, row["program"]


def test_golds_agree_with_every_recorded_run() -> None:
    for sample in EVERY:
        main = main_of(sample.target)
        for case in ROWS[str(sample.metadata["program"])]["cases"]:
            out, written = main(case["stdin"], dict(case["files"]))
            assert SCORER.lines(out) == SCORER.lines(case["stdout"]), sample.id
            assert set(written) == set(case["written"]), sample.id
            assert all(SCORER.lines(written[name]) == SCORER.lines(case["written"][name]) for name in written)


def test_golds_have_no_habit_of_cobol() -> None:
    for sample in EVERY[::3]:
        code = CERTIFICATE.gold(sample.target)[0]
        assert SCORER.habits(code, bool(sample.metadata["decimals"])) == [], sample.id
        assert LINT(code).codes == (), sample.id


@pytest.mark.skipif(not shutil.which("cobc"), reason="GnuCOBOL is not installed")
def test_gnucobol_still_prints_what_was_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("certificate", "generate", "inputs"):
        monkeypatch.setitem(sys.modules, name, module(name))
    record = module("record")
    made = next(made for made in record.programs("test") if made.decimals)
    row = ROWS[made.key]
    further = row["cases"][-row["grown"] :] if "grown" in row else ()
    assert record.recorded(made, "now", further)["cases"] == row["cases"]


def test_every_kind_of_mistake_is_made_and_shows() -> None:
    made = list(module("mutants").mutants("def main(a, b):\n    c = abs(a)\n    c += b\n    return min(c + a, 3)\n"))
    texts = {text for _, text in made}
    assert len(texts) == len(made)
    assert {"call", "reset", "statement", "operand", "constant", "name", "function", "tested before"} <= dict(
        made
    ).keys()
    assert "def main(a, b):\n    c = a\n    c += b\n    return min(c + a, 3)" in texts
    assert "def main(a, b):\n    c = abs(a)\n    c = b\n    return min(c + a, 3)" in texts


@pytest.mark.parametrize(
    ("code", "kind", "wrong"),
    [
        ("x = a if b else c", "branch", {"x = a", "x = c", "x = c if b else a"}),
        ("x = a < b", "comparison", {"x = a <= b", "x = a > b", "x = a >= b", "x = a != b"}),
        ("x = a and b", "and, or", {"x = a or b"}),
        ("x = a and b", "condition", {"x = a", "x = b"}),
        ("x = a - b", "order", {"x = b - a"}),
        ("x = a - b", "operand", {"x = a", "x = b"}),
        ("x = a // b", "rounded up", {"x = -(-a // b)", "x = a // b + 1"}),
        ("x = s[1:n]", "slice", {"x = s", "x = s[1:]", "x = s[:n]", "x = s[1 + 1:n]", "x = s[1 - 1:n]",
                                 "x = s[1:n + 1]", "x = s[1:n - 1]"}),
        ("x = any(a)", "function", {"x = all(a)"}),
        ("x = s.strip()", "function", {"x = s.lstrip()", "x = s.rstrip()"}),
        ("x = [a for a in s if a]", "condition", {"x = [a for a in s]", "x = [a for a in s if not a]"}),
        ("x = 10", "constant", {"x = 11", "x = 9", "x = 100", "x = 1"}),
        ("x = '05'", "constant", {"x = '06'", "x = '04'", "x = '0'", "x = '050'", "x = '5'"}),
        ("if a:\n    x = 1\nelse:\n    x = 2", "branch", {
            "if True:\n    x = 1\nelse:\n    x = 2", "if False:\n    x = 1\nelse:\n    x = 2", "if a:\n    x = 1"}),
    ],
)  # fmt: skip
def test_mistakes_of_a_kind_are_all_made(code: str, kind: str, wrong: set[str]) -> None:
    assert {text for of, text in module("mutants").mutants(code) if of == kind} == wrong


def test_compiled_mistakes_are_those_that_are_written_out() -> None:
    mutants = module("mutants")
    code = "def main(a, b):\n    c = abs(a)\n    while c > b:\n        c -= 1\n    return min(c + a, 3)\n"
    written = [kind for kind, _ in mutants.mutants(code)]
    ready = [kind for kind, _ in mutants.compiled(code)]
    assert set(written) == set(ready)
    assert len(ready) >= len(written) > 20


def test_grown_inputs_are_those_that_find_a_mistake_out(monkeypatch: pytest.MonkeyPatch) -> None:
    grow = module("grow")
    code = 'def main(stdin, files):\n    if int(stdin) > 5:\n        return "big", {}\n    return "small", {}\n'
    made = SimpleNamespace(python=code, key="made-up", base=SimpleNamespace(split="test"), spec=[])

    def cases(*numbers: int) -> list[dict[str, Any]]:
        return [{"stdin": str(number), "files": {}} for number in numbers]

    monkeypatch.setattr(grow, "pool", lambda made, seed: cases(0, 5, 1, 6, 9, 4))
    monkeypatch.setattr(grow, "BESIDES", 0)
    found, figures = grow.grown(made, cases(1, 9), False)
    assert found == cases(5, 6) or found == cases(6, 5), "the edges of the comparison; 0, 1, 9 and 4 find nothing"
    assert figures["before"] > 0
    assert figures["gained"] >= 2
    assert figures["crashes"] == []
    assert grow.grown(made, cases(1, 9, 5, 6), False)[0] == []
    monkeypatch.setattr(grow, "BESIDES", 2)
    assert grow.grown(made, cases(1, 9, 5, 6), False)[0] == cases(0)


def test_a_mistake_without_an_end_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    grow = module("grow")
    code = "def main(stdin, files):\n    n = int(stdin)\n    while n > 0:\n        n -= 1\n    return str(n), {}\n"
    made = SimpleNamespace(python=code, key="made-up", base=SimpleNamespace(split="test"), spec=[])
    monkeypatch.setattr(grow, "pool", lambda made, seed: [])
    monkeypatch.setattr(grow, "TURNS", 200)
    _, figures = grow.grown(made, [{"stdin": text, "files": {}} for text in ("3", "0")], False)
    assert figures["before"] > 0, "one of them adds where it should subtract, and has no end"


def test_related_inputs_meet_limits_and_end_with_a_negative() -> None:
    spec = ["stdin[1-4] | S9(3):lead"]
    found = [case["stdin"].split() for case in INPUTS.wide(spec, "seed", 200, [INPUTS.Decimal(250)])]
    numbers = [list(map(int, lines)) for lines in found]
    assert any(len(several) > 1 and sum(map(abs, several)) == 250 for several in numbers)
    assert any(several[-1] < 0 and all(n >= 0 for n in several[:-1]) for several in numbers if len(several) > 1)
    assert any(len(several) > 1 and abs(min(several)) == max(map(abs, several)) > max(several) for several in numbers)


def test_inputs_hold_the_edges_of_a_picture() -> None:
    edges = INPUTS.edges(INPUTS.field("S9(2)V99:lead @10"))
    assert {"+0000", "+0001", "-0001", "+9999", "-9999", "+0999", "+1000", "+1001"} <= set(edges)
    cases = INPUTS.cases(["stdin[0-3] | 9(2)"], "seed")
    assert cases[0] == {"stdin": "", "files": {}}
    assert {"stdin": "99\n99\n99\n", "files": {}} in cases
    assert cases == INPUTS.cases(["stdin[0-3] | 9(2)"], "seed")


# --- the scorer ------------------------------------------------------------------------------------------------------

GROSS = """
from decimal import ROUND_HALF_UP, Decimal


def main(stdin, files):
    rows = []
    for room in files["rooms.txt"].splitlines():
        gross = (Decimal(room[3:8]) * Decimal("0.01065")).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        rows.append("%-3s%7.2f" % (room[:3], gross))
    return "", {"prices.out": "\\n".join(rows)}
"""
CENTS = """
def main(stdin, files):
    out = ""
    for room in files["rooms.txt"].splitlines():
        mills = int(room[3:]) * 1065
        whole, part = divmod((mills + 500) // 1000, 100)
        out += f"{room[:3]}{whole:4}.{part:02}\\n"
    return "", {"prices.out": out}
"""
RIGHT = [
    (fenced(GROSS), "written in another way, no last newline"),
    (fenced(CENTS), "whole cents do as well"),
    (GROSS, "bare code"),
    (f"<think>Is it rounded?</think>{fenced(GROSS)}", "thinking is passed over"),
    (f"Here:\n\n```\n{GROSS}\n```\nDone.", "an untagged fence and prose"),
    (fenced(GROSS.replace("%7.2f", "%7.2f   ")), "blanks at line ends"),
    (fenced(GROSS + "\nprint('at import')"), "noise on its own standard output"),
    (fenced(GROSS) + "\n\n" + fenced("print(main('', {'rooms.txt': ''}))"), "an example in a second fence"),
]
WRONG = [
    (fenced(GROSS.replace("HALF_UP", "HALF_EVEN")), "rounded to even"),
    (fenced(GROSS.replace("HALF_UP", "DOWN")), "cut"),
    (fenced(GROSS.replace("%7.2f", "%6.2f")), "a column too few"),
    (fenced(GROSS.replace("%-3s", "%s ")), "a column too many"),
    (fenced(GROSS.replace('"0.01065"', '"1.065"')), "the implied point"),
    (fenced(GROSS.replace('return "", ', 'return "DONE", ')), "output that is not there"),
    (fenced(GROSS.replace("prices.out", "prices.txt")), "another file"),
    (fenced(GROSS.replace("splitlines()", "splitlines()[:-1]")), "the last record"),
    (fenced(GROSS.replace('return "", {', 'return {"": "", ')), "not a pair"),
    (fenced(GROSS.replace("def main", "def run")), "no main"),
    (fenced(GROSS.replace("def main", "async def main")), "not a function that returns"),
    (fenced("def main(stdin, files):\n    while True:\n        pass"), "no end"),
    (fenced("def main(stdin, files):\n    return '', files"), "the input handed back"),
    (fenced("import os\nos._exit(0)\ndef main(stdin, files):\n    return '', {}"), "an early exit"),
    (f"```python\n{GROSS}", "a fence never closed"),
    (f"<think>{fenced(GROSS)}", "only thinking"),
    (sample_of("surcharge-01").input, "the question again"),
    ("Here is a Python program that rounds half up.", "only prose"),
    ("", "nothing"),
    ("x" * 1_000_000, "a megabyte"),
    ("```python\n" + "(" * 5_000 + "\n```", "deep nesting"),
    ("\0\ud800\x1b[2J" * 1000, "control codes"),
    ("Das Programm berechnet die Preise.", "another language"),
]


@pytest.mark.parametrize(("text", "reason"), RIGHT, ids=[reason for _, reason in RIGHT])
def test_right_answers_score_one(text: str, reason: str) -> None:
    assert value(text) == 1, reason


@pytest.mark.parametrize(("text", "reason"), WRONG, ids=[reason for _, reason in WRONG])
def test_wrong_answers_score_zero(text: str, reason: str) -> None:
    score = SCORERS["equivalent"](sample_of("surcharge-01"), Completion(text))
    assert score.value == 0
    assert score.explanation
    assert "\n" not in score.explanation


def translated(built: str, old: str = "", new: str = "") -> Score:
    """What a translation of cobol_translations.py scores, with a text in it replaced by another."""
    program, code = RIGHT_BUILT[built]
    assert old in code
    return SCORERS["equivalent"](sample_of(program), Completion(fenced(code.replace(old, new) if old else code)))


@pytest.mark.parametrize("built", RIGHT_BUILT)
def test_faithful_translation_in_another_build_scores_one(built: str) -> None:
    assert translated(built).explanation.endswith("recorded runs agree")


@pytest.mark.parametrize(("built", "mistake", "old", "new"), WRONG_BUILT, ids=[f"{m[0]}: {m[1]}" for m in WRONG_BUILT])
def test_subtly_wrong_translation_scores_zero(built: str, mistake: str, old: str, new: str) -> None:
    assert translated(built, old, new).value == 0, mistake


def test_idiom_of_a_wrong_answer_is_not_counted() -> None:
    assert value(WRONG[0][0], scorer="idiom") == 0


def test_share_of_cases_tells_near_from_far() -> None:
    near = value(fenced(GROSS.replace("HALF_UP", "HALF_EVEN")), scorer="cases")
    assert 0.5 < near < 1
    assert value(fenced("def main(stdin, files):\n    return '?', {}"), scorer="cases") == 0
    assert value(fenced(GROSS), scorer="cases") == 1


HABITS = [
    ("def main(stdin, files):\n    return stdin, {}", ""),
    ("TOTAL = 3\ndef main(stdin, files):\n    return str(TOTAL), {}", ""),
    ("def main(stdin, files):\n    ws_total = 1\n    return str(ws_total), {}", "a name like a COBOL field: ws_total"),
    ("def main(stdin, files):\n    TOTAL = 1\n    return str(TOTAL), {}", "a name like a COBOL field: TOTAL"),
    ("def READ_REC():\n    pass", "a name like a COBOL field: READ_REC"),
    ("def f():\n    global total\n    total = 1", "a global variable"),
    ("def f():\n    while True:\n        break", "a while loop that only waits for a flag"),
    ("def f():\n    done = False\n    while not done:\n        done = True", "a while loop that only waits for a flag"),
    ("def f():\n    eof = 'N'\n    while eof != 'Y':\n        eof = 'Y'", "a while loop that only waits for a flag"),
    ("def f(debt):\n    while debt > 0:\n        debt -= 1", ""),
    ("def f(a):\n    i = 0\n    while i < 3:\n        g(a[i])\n        i += 1", "a loop over positions"),
    ("def f(a):\n    for i in range(len(a)):\n        g(a[i])", "counts with range(len(...))"),
    (
        "def f(a):\n    b = []\n    for x in a:\n        b.append(x)\n    return b",
        "an append loop instead of a comprehension",
    ),
    ("def f(a):\n    print(a)", "prints instead of returning"),
    ("def f(a, out):\n    print(a, file=out)", ""),
    ("def f(a):\n    return a\nif __name__ == '__main__':\n    print(f(1))", ""),
    ("def f(a):\n" + "    a = a + 1\n" * 50, "a function of more than 40 statements"),
    ("def f(a):\n    return float(a)", "floats"),
]


@pytest.mark.parametrize(("code", "habit"), HABITS)
def test_habits(code: str, habit: str) -> None:
    assert SCORER.habits(code) == ([habit] if habit else [])


def test_decimals_want_decimal() -> None:
    assert value(fenced(CENTS), scorer="idiom") == 0.75
    assert value(sample_of("surcharge-01").target, scorer="idiom") == 1


# --- the certificate -------------------------------------------------------------------------------------------------


def test_certificate_on_some_of_the_test_split() -> None:
    missed = made = 0
    for sample in SUITE.test[3::41]:
        found = CERTIFICATE.answers(sample)
        assert found == CERTIFICATE.answers(sample)
        assert 4 <= len(found["corrupted"]) <= 10
        assert len(found["paraphrase"]) == 3
        for text in found["paraphrase"]:
            assert SCORERS["equivalent"](sample, Completion(text)).value == 1, text
        values = [SCORERS["equivalent"](sample, Completion(text)).value for text in found["corrupted"]]
        missed += values.count(1.0)
        made += len(values)
    assert missed <= 0.05 * made
