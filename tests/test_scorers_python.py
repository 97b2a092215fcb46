# ruff: noqa: E501
"""Answers that must score 1, answers that must score 0, each with its reason; and texts that are no answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import harness
from harness.data import Completion, Sample, Score, Scorer
from harness.errors import SuiteError
from harness.scorers.idioms import findings, without
from harness.scorers.lint import installed, linter
from harness.scorers.markdown import after_thinking, brevity, fences, markdown
from harness.scorers.python import extract_code, literal, python_idiom, python_style, python_tests

CASES = [
    {"name": "order and duplicates", "args": "(['noon', 'tea', 'noon', 'a'],)", "expected": "['noon', 'noon', 'a']"},
    {"name": "an empty list", "args": "([],)", "expected": "[]"},
    {"name": "the empty string", "args": "(['', 'ab'],)", "expected": "['']"},
    {"name": "accented letters", "args": "(['été', 'año'],)", "expected": "['été']"},
    {"name": "capital letters are returned as they are", "args": "(['XX', 'Xy'],)", "expected": "['XX']"},
    {"name": "long strings", "args": "(['ab' * 20000 + 'a', 'ab' * 20000],)", "expected": "['ab' * 20000 + 'a']"},
]
SAMPLE = Sample(
    "p-1", "Keep the palindromes.", "", metadata={"function": "keep", "idioms": ["palindrome"], "cases": CASES}
)
NAMED = Sample("p-2", "Call it keep.", "", metadata={**SAMPLE.metadata, "entry": "keep"})
GOLD = "def keep(words):\n    return [w for w in words if w == w[::-1]]"
PROSE = "The comprehension keeps the words that equal their own reverse, in order."


def answer(code: str, prose: str = PROSE) -> str:
    return f"```python\n{code}\n```\n\n{prose}"


def scored(scorer: Scorer, text: str, sample: Sample = SAMPLE) -> Score:
    return scorer(sample, Completion(text))


TESTS, IDIOM = python_tests(suite_path="."), python_idiom(suite_path=".")
STYLE, LINT = python_style(suite_path=".", ruff=installed()), linter(installed(), ".")
BREVITY, MARKDOWN = brevity(suite_path="."), markdown(suite_path=".")

RIGHT = {
    "the ideal answer": answer(GOLD),
    "prose first": f"{PROSE}\n\n```python\n{GOLD}\n```",
    "no fence": f"{GOLD}\n\nIt compares each word with its reverse.",
    "prose, bare code, prose": f"Here it is:\n\n{GOLD}\n\nDone.",
    "an untagged fence": f"```\n{GOLD}\n```",
    "a py fence": f"```py\n{GOLD}\n```",
    "tildes": f"~~~python\n{GOLD}\n~~~",
    "thinking first": f"<think>```python\ndef keep(w): return []\n```</think>{answer(GOLD)}",
    "an example of use in a second fence": answer(GOLD) + "\n\n```python\nprint(keep(['noon']))\n```",
    "output in a text fence": answer(GOLD) + "\n\n```text\n['noon']\n```",
    "a second fence that corrects the first": answer("def keep(w): return []") + "\n" + answer(GOLD),
    "a helper function": answer("def same(w):\n    return w == w[::-1]\n\ndef keep(words):\n    return [w for w in words if same(w)]"),
    "another name": answer(GOLD.replace("keep", "only_palindromes")),
    "type hints": answer("from typing import List\n\ndef keep(words: List[str]) -> List[str]:\n    return [w for w in words if w == w[::-1]]"),
    "two pointers": answer("def keep(words):\n    out = []\n    for w in words:\n        i, j = 0, len(w) - 1\n        while i < j and w[i] == w[j]:\n"
                           "            i += 1\n            j -= 1\n        if i >= j:\n            out.append(w)\n    return out"),
    "reversed": answer("def keep(words):\n    return [w for w in words if w == ''.join(reversed(w))]"),
    "a lambda with a name": answer("keep = lambda words: list(filter(lambda w: w == w[::-1], words))"),
    "a noisy program": answer("print('loading')\n" + GOLD + "\nprint(keep(['noon']))"),
    "a main guard": answer(GOLD + "\n\nif __name__ == '__main__':\n    raise SystemExit(1)"),
    "windows line ends": answer(GOLD).replace("\n", "\r\n"),
    "fences in a docstring": answer('def keep(words):\n    """Keep.\n\n    ```python\n    keep([])\n    ```\n    """\n    return [w for w in words if w == w[::-1]]'),
    "an example first": f"```python\nprint(keep(['noon']))\n```\n\n{answer(GOLD)}",
    "an example first, with a name": f"```python\nfound = keep(['noon'])\nprint(found)\n```\n\n{answer(GOLD)}",
    "an example that reads input": answer(GOLD) + "\n\n```python\nprint(keep(input().split()))\n```",
    "a fence in a list": "1. Code:\n\n   ```python\n   def keep(words):\n       return [w for w in words if w == w[::-1]]\n   ```\n\n2. Done.",
    "a fence deep in a list": "1.  Code:\n\n    ```python\n    def keep(words):\n        return [w for w in words if w == w[::-1]]\n    ```",
    "a helper last, and main": answer("def keep(ws):\n    return [w for w in ws if ok(w)]\n\ndef ok(w):\n    return w == w[::-1]\n\ndef main():\n    print(keep(['a']))"),
    "lambdas, the helper last": answer("keep = lambda ws: [w for w in ws if ok(w)]\nok = lambda w: w == w[::-1]"),
    "an annotated lambda": answer("from typing import Any\nkeep: Any = lambda words: [w for w in words if w == w[::-1]]"),
    "a helper class": answer("class P:\n    def ok(self, w):\n        return w == w[::-1]\n\ndef keep(words):\n    return [w for w in words if P().ok(w)]"),
    "case ignored": answer("def keep(words):\n    return [w for w in words if w.casefold() == w.casefold()[::-1]]"),
    "letters and digits only": answer("def keep(words):\n    def bare(s):\n        return [c.lower() for c in s if c.isalnum()]\n    return [w for w in words if bare(w) == bare(w)[::-1]]"),
}  # fmt: skip

WRONG = {
    "nothing": ("", "no code"),
    "a refusal": ("I'm sorry, I can't help with that.", "no code"),
    "an empty fence": ("```python\n```", "no code"),
    "an echo": ("Write a Python function that returns the palindromes.", "no code"),
    "only thinking": (f"<think>{answer(GOLD)}", "no code"),
    "a fence never closed": (f"```python\n{GOLD}", "never closed"),
    "another language": ("```javascript\nconst keep = w => w;\n```", "no code"),
    "no function": (answer("[w for w in words if w == w[::-1]]"), "defines no function"),
    "a class": (answer("class Keep:\n    def keep(self, words):\n        return words"), "defines no function"),
    "a syntax error": (answer("def keep(words) return words"), "SyntaxError"),
    "two arguments": (answer("def keep(a, b):\n    return a"), "no function that takes 1"),
    "everything": (answer("def keep(words):\n    return list(words)"), "order and duplicates"),
    "nothing kept": (answer("def keep(words):\n    return []"), "order and duplicates"),
    "duplicates lost": (answer("def keep(words):\n    return list(dict.fromkeys(w for w in words if w == w[::-1]))"), "duplicates"),
    "order lost": (answer("def keep(words):\n    return sorted(w for w in words if w == w[::-1])"), "order"),
    "the empty string lost": (answer("def keep(words):\n    return [w for w in words if w and w == w[::-1]]"), "the empty string"),
    "ASCII only": (answer("def keep(words):\n    return [w for w in words if w.isascii() and w == w[::-1]]"), "accented letters"),
    "lower-cased results": (answer("def keep(words):\n    return [w.lower() for w in words if w == w[::-1]]"), "capital letters"),
    "recursion": (answer("def p(w):\n    return len(w) < 2 or (w[0] == w[-1] and p(w[1:-1]))\n\ndef keep(words):\n    return [w for w in words if p(w)]"), "long strings"),
    "a generator": (answer("def keep(words):\n    return (w for w in words if w == w[::-1])"), "generator"),
    "a tuple": (answer("def keep(words):\n    return tuple(w for w in words if w == w[::-1])"), "order"),
    "changes its argument": (answer("def keep(words):\n    for w in words[:]:\n        if w != w[::-1]:\n            words.remove(w)\n    return list(words)"), "changed its argument"),
    "shared list between calls": (answer("def keep(words, out=[]):\n    out += [w for w in words if w == w[::-1]]\n    return out"), "an empty list"),
    "prints instead": (answer("def keep(words):\n    print([w for w in words if w == w[::-1]])"), "gave None"),
    "exits": (answer("import os\n" + GOLD + "\nos._exit(0)"), "crash"),
    "async": (answer("async def keep(words):\n    return [w for w in words if w == w[::-1]]"), "defines no function"),
    "yield": (answer("def keep(words):\n    for w in words:\n        if w == w[::-1]:\n            yield w"), "generator"),
    "a set": (answer("def keep(words):\n    return {w for w in words if w == w[::-1]}"), "order"),
    "a prompt of Python": (answer(">>> def keep(words):\n...     return words"), "SyntaxError"),
    "always equal": (answer("class A(list):\n    def __eq__(s, o): return True\ndef keep(words):\n    return A()"), "Opaque"),
}  # fmt: skip


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_right_answer_scores_1(text: str) -> None:
    score = scored(TESTS, text)
    assert (score.value, score.explanation) == (1.0, "all 6 hidden calls are right")


@pytest.mark.parametrize(("text", "reason"), WRONG.values(), ids=WRONG)
def test_wrong_answer_scores_0_and_says_why(text: str, reason: str) -> None:
    score = scored(TESTS, text)
    assert score.value == 0.0
    assert reason in score.explanation


def test_prompt_that_asks_for_a_name_gets_that_name() -> None:
    assert scored(TESTS, answer(GOLD), NAMED).value == 1
    assert scored(TESTS, answer(GOLD.replace("keep", "filter_them")), NAMED).value == 0


HOSTILE = {
    "a megabyte of prose": "palindrome " * 100_000,
    "a megabyte of code": answer("x = 1\n" * 150_000 + GOLD),
    "a megabyte of backticks": "`" * 1_000_000,
    "many fences": "```python\n```\n" * 20_000,
    "many opening fences": "```python\n" * 50_000,
    "nested brackets": answer("(" * 10_000),
    "nested operators": answer("x = " + "-" * 15_000 + "1\n" + GOLD),
    "a long attribute chain": answer("def keep(w):\n    return w" + ".a" * 9_000),
    "many additions": answer("def keep(w):\n    return " + "+".join(["w"] * 5_000)),
    "binary": bytes(range(256)).decode("latin-1") * 50,
    "null bytes": answer("def keep(w):\n    return '\0'"),
    "surrogates": answer("def keep(w):\n    return '\ud800'"),
    "another language": "回文を返す関数です。" * 100,
    "a bad escape": answer("def keep(w):\n    return '\\d'"),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_scores_0_and_never_raises(text: str) -> None:
    assert [scored(scorer, text).value for scorer in (TESTS, IDIOM, STYLE)] == [0, 0, 0]
    assert {scored(scorer, text).value for scorer in (BREVITY, MARKDOWN)} <= {0.0, 0.5, 1.0}


IDIOMATIC = {
    "the ideal answer": GOLD,
    "the reverse first": "def keep(words):\n    return [w for w in words if w[::-1] == w]",
    "filter": "def keep(words):\n    return list(filter(lambda w: w == w[::-1], words))",
    "a helper": "def p(w):\n    return w == w[::-1]\n\ndef keep(words):\n    return [w for w in words if p(w)]",
    "named on the way": "def keep(words):\n    return [w for w in words if (v := w) == v[::-1]]",
}
UNIDIOMATIC = {
    "reversed": ("def keep(words):\n    return [w for w in words if w == ''.join(reversed(w))]", "not carried by"),
    "a decoy": (
        "def keep(words):\n    'x' == 'x'[::-1]\n    return [w for w in words if list(w) == list(reversed(w))]",
        "not carried by",
    ),
    "other sides": ("def keep(words):\n    return [w for w in words if str(w) == w[::-1]]", "not carried by"),
    "the idiom, but wrong": ("def keep(words):\n    return {w for w in words if w == w[::-1]}", "the tests fail"),
}


@pytest.mark.parametrize("code", IDIOMATIC.values(), ids=IDIOMATIC)
def test_idiom_that_carries_the_answer_scores_1(code: str) -> None:
    assert scored(IDIOM, answer(code)).value == 1


@pytest.mark.parametrize(("code", "reason"), UNIDIOMATIC.values(), ids=UNIDIOMATIC)
def test_answer_without_a_load_bearing_idiom_scores_0(code: str, reason: str) -> None:
    score = scored(IDIOM, answer(code))
    assert score.value == 0
    assert reason in score.explanation


@pytest.mark.parametrize(
    ("idiom", "code", "broken"),
    [
        ("palindrome", "s != s[::-1]", "s == s[::-1]"),
        ("palindrome", "s == t[::-1]", ""),
        ("reverse", "s[::-1]", "s"),
        ("slice", "s[1:]", "s"),
        ("comprehension", "[x for x in y]", "[x for x in ()]"),
        ("comprehension", "map(f, y)", "()"),
        ("call:max", "max(y)", "None"),
        ("call:fromkeys", "dict.fromkeys(y)", "None"),
        ("call:max", "min(y)", ""),
    ],
)
def test_idiom_is_taken_out(idiom: str, code: str, broken: str) -> None:
    assert without(idiom, code) == broken


STYLES = {
    "range(len())": ("for i in range(len(x)):\n    f(x[i])", 1),
    "half way": ("all(x[i] == x[-1 - i] for i in range(len(x) // 2))", 1),
    "a step is no habit": ("[x[i:i + n] for i in range(0, len(x), n)]", 0),
    "an append loop": ("for x in y:\n    if x:\n        out.append(x)", 1),
    "an append loop with continue": ("for x in y:\n    if x:\n        continue\n    out.append(x)", 1),
    "an append loop with a name between": ("for x in y:\n    z = x[::-1]\n    if x == z:\n        out.append(x)", 1),
    "a list joined on": ("for x in y:\n    out += [x]", 1),
    "a loop that sums": ("for x in y:\n    out += x", 0),
    "a loop that remembers": ("for x in y:\n    n = n + x\n    out.append(n)", 0),
    "a loop that does more": ("for x in y:\n    if x not in seen:\n        seen.add(x)\n        out.append(x)", 0),
    "a while loop that prints": ("def f(x):\n    while True:\n        print(x)", 2),
    "main prints": ("def main():\n    print(1)", 0),
    "idiomatic": (GOLD, 0),
}  # fmt: skip


@pytest.mark.parametrize(("code", "count"), STYLES.values(), ids=STYLES)
def test_habits_are_counted(code: str, count: int) -> None:
    assert len(findings(code)) == count


RULED = {
    "== True": ("def f(x):\n    return 1 if x == True else 2", {"E712"}),
    "== 1": ("def f(x):\n    return 1 if x == 1 else 2", set()),
    "a number of the question": ("def f(x):\n    return 1 if len(x) > 17 else 2", set()),
    "return True else False": ("def f(x):\n    if x == 3:\n        return True\n    return False", {"SIM103"}),
    "camel case": ("def fOo(x):\n    return x", {"N802"}),
    "a bare except": ("def f(x):\n    try:\n        return x[0]\n    except:\n        return x", {"E722"}),
    "a lambda with a name": ("f = lambda x: x + 1", {"E731"}),
    "a global": ("X = 1\ndef f(x):\n    global X\n    X = x", {"PLW0603"}),
    "typing.List": ("from typing import List\ndef f(x: List[str]) -> str:\n    return x[0]", {"UP006", "UP035"}),
    "an unused import": ("import re\ndef f(x):\n    return x", {"F401"}),
    "noqa is not obeyed": ("import re  # noqa: F401\ndef f(x):\n    return x", {"F401"}),
    "ruff: noqa is not obeyed": ("# ruff: noqa\nimport re\ndef f(x):\n    return x", {"F401", "ERA001"}),
    "idiomatic": (GOLD, set()),
}  # fmt: skip


@pytest.mark.parametrize(("code", "codes"), RULED.values(), ids=RULED)
def test_ruff_finds(code: str, codes: set[str]) -> None:
    assert set(LINT(code).codes) == codes


@pytest.mark.parametrize("code", ["x = a" + "()" * 900, "x = a" + ".b()" * 450])
def test_long_chains_of_calls_are_a_finding_and_no_crash(code: str) -> None:
    assert findings(code) == ["nested too deeply", "unreadable"]


def test_findings_are_counted_per_100_lines() -> None:
    short, long = LINT("import re\nimport os\n"), LINT("import re\n" + "x = 1\n\n" * 39)
    assert (short.codes, short.per_100, short.loss) == (("F401", "F401"), 20, 0.4)
    assert (long.per_100, long.loss) == (2.5, 0.05)
    assert str(short) == "ruff: F401 x2 (20 per 100 lines)"
    assert LINT("x = " + "-" * 900 + "1").loss == 1


def test_ruff_looks_at_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ruff.toml").write_text('lint.ignore = ["F401"]\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUFF_OUTPUT_FILE", str(tmp_path / "written"))
    assert LINT("import json\n").codes == ("F401",)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ruff.toml"]


def test_another_ruff_is_one_clear_line() -> None:
    with pytest.raises(SuiteError, match=r"^x/suite.yaml: option ruff: 0.1.2 is asked for, \S+ is installed. Install"):
        python_style(suite_path="x", ruff="0.1.2")


def test_one_version_of_ruff_everywhere() -> None:
    project = Path(harness.__file__).parents[1]
    pins = [
        re.findall(r"ruff\W{1,3}(\d+\.\d+\.\d+)", (project / file).read_text("utf-8"))
        for file in ("pyproject.toml", "tox.ini", "suites/palindrome/suite.yaml", "suites/cobol/suite.yaml")
    ]
    assert all(pins)
    assert {pin for found in pins for pin in found} == {installed()}


PROBED = Sample("p-3", "", "", metadata={**SAMPLE.metadata, "probe": ["Racecar", "Aa", "nurses run", "ab!a", "level!", " noon"]})  # fmt: skip
READ = {
    "strict": (GOLD, 1, "reads palindromes: strict"),
    "casefold": (GOLD.replace("w == w", "w.lower() == w.lower()"), 1, "ignores case"),
    "no spaces": ("def keep(words):\n    return [w for w in words if (v := w.replace(' ', '')) == v[::-1]]", 1, "ignores spaces"),
    "bare": ("def keep(words):\n    return [w for w in words if (v := [c.lower() for c in w if c.isalnum()]) == v[::-1]]", 1, "only, ignores case"),
    "stripped ends": ("def keep(words):\n    return [w for w in words if (v := w.strip()) == v[::-1]]", 1, "mixed, it kept [' noon']"),
    "changed strings": ("def keep(words):\n    return [w for w in (w.strip('!') for w in words) if w == w[::-1]]", 0, "inconsistent"),
    "its own argument": ("def keep(words):\n    return words if all(w == w[::-1] for w in words) else [w for w in words if w == w[::-1]]", 0, "its own argument"),
}  # fmt: skip


@pytest.mark.parametrize(("code", "value", "said"), READ.values(), ids=READ)
def test_probe_reports_the_reading(code: str, value: int, said: str) -> None:
    score = scored(TESTS, answer(code), PROBED)
    assert score.value == value
    assert said in score.explanation
    assert scored(IDIOM, answer(code), PROBED).value <= value


def test_style_counts_only_for_answers_that_pass() -> None:
    assert scored(STYLE, RIGHT["the ideal answer"]).value == 1
    assert scored(STYLE, RIGHT["two pointers"]).value == 0.5
    assert scored(STYLE, answer("def keep(words):\n    return []")).value == 0


BRIEF = {
    "a sentence": (answer(GOLD), 1.0),
    "nothing said": (f"```python\n{GOLD}\n```", 0.0),
    "too little": (answer(GOLD, "A list comprehension."), 0.0),
    "long": (answer(GOLD, "word " * 120), 0.5),
    "an essay": (answer(GOLD, "word " * 200), 0.0),
    "filler": (answer(GOLD, "Certainly! " + PROSE), 0.0),
    "sure": (answer(GOLD, "Sure thing. " + PROSE), 0.0),
    "to be sure": (answer(GOLD, "To make sure, it compares. " + PROSE), 1.0),
    "a refusal": ("I am sorry, but this is something that I can not help you with today.", 0.0),
    "no fence": (f"{GOLD}\n\n{PROSE}", 0.0),
    "a fence never closed": (f"{PROSE}\n```python\n{GOLD}", 0.0),
    "thinking is not counted": ("<think>" + "word " * 500 + "</think>" + answer(GOLD), 1.0),
}


@pytest.mark.parametrize(("text", "value"), BRIEF.values(), ids=BRIEF)
def test_brevity_counts_words_outside_code(text: str, value: float) -> None:
    assert scored(BREVITY, text).value == value


def test_brevity_wants_the_explanation_to_say_how() -> None:
    scorer = brevity(suite_path=".", says={"seed": ["revers", "[::-1]"]})
    seed = Sample("p-4", "", "", metadata={"kind": "seed"})
    assert scored(scorer, answer(GOLD), seed).value == 1
    assert (
        scored(scorer, answer(GOLD, "It does just what was asked for and keeps the strings that fit."), seed).value
        == 0.5
    )
    assert scored(scorer, answer(GOLD, "It does just what was asked for and keeps the strings that fit.")).value == 1


LAYOUT = {
    "the ideal answer": (answer(GOLD), 1.0),
    "a heading and a list": (f"## Solution\n\n{answer(GOLD)}\n\n- it is `O(n)`", 1.0),
    "no fence": (f"{GOLD}\n\n{PROSE}", 0.0),
    "tildes": (answer(GOLD).replace("```", "~~~"), 1.0),
    "a title": (answer(GOLD).replace("```python", '```python title="keep.py"'), 1.0),
    "fences in a docstring": (RIGHT["fences in a docstring"], 1.0),
    "two fences": (answer(GOLD) + answer(GOLD), 0.0),
    "untagged": (f"```\n{GOLD}\n```\n{PROSE}", 0.0),
    "never closed": (f"{PROSE}\n```python\n{GOLD}", 0.0),
    "empty": ("```python\n```\n" + PROSE, 0.0),
    "no prose": (f"```python\n{GOLD}\n```", 0.0),
    "code repeated outside": (answer(GOLD, GOLD), 0.0),
    "a stray backtick": (answer(GOLD, "It is `[::-1] that turns the word round."), 0.0),
    "nothing": ("", 0.0),
}


@pytest.mark.parametrize(("text", "value"), LAYOUT.values(), ids=LAYOUT)
def test_markdown_wants_one_python_fence_and_prose(text: str, value: float) -> None:
    assert scored(MARKDOWN, text).value == value


def test_fences_follow_commonmark() -> None:
    blocks, prose = fences("a\n````md\n```\nx\n```\n````\nb\n~~~\ny")
    assert [(block.tag, block.text, block.closed) for block in blocks] == [
        ("md", "```\nx\n```", True),
        ("", "y", False),
    ]
    assert prose == "a\nb"
    assert after_thinking("<think>a</think> b </think>c") == "c"


def test_code_is_what_defines_a_function() -> None:
    assert extract_code("```python\nx = 1\n```\n```python\ndef f(): pass\n```") == ("x = 1\ndef f(): pass", "")
    assert extract_code("```python\nthis is no python\n```\n```python\ndef f(): pass\n```") == ("def f(): pass", "")


def test_literals_may_be_long_but_not_programs() -> None:
    assert literal("({'a': {1}}, set(), -1, 'ab' * 2 + 'a')") == ({"a": {1}}, set(), -1, "ababa")
    with pytest.raises(ValueError, match="malformed"):
        literal("__import__('os').getcwd()")


def test_sample_without_hidden_tests_is_an_authors_mistake() -> None:
    with pytest.raises(SuiteError, match="missing"):
        scored(TESTS, answer(GOLD), Sample("p-3", "x", "y", metadata={"function": "f"}))
    with pytest.raises(SuiteError, match="not a row of hidden tests"):
        scored(TESTS, answer(GOLD), Sample("p-4", "x", "y", metadata={"cases": [{"args": "(1"}]}))
