# ruff: noqa: E501
"""Answers that must score 1, answers that must score 0, each with its reason; and texts that are no answers."""

from __future__ import annotations

import pytest

from harness.data import Completion, Sample, Score, Scorer
from harness.errors import SuiteError
from harness.scorers.idioms import findings, without
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


TESTS, IDIOM, STYLE = python_tests(suite_path="."), python_idiom(suite_path="."), python_style(suite_path=".")
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
    "a step is no habit": ("[x[i:i + n] for i in range(0, len(x), n)]", 0),
    "an append loop": ("for x in y:\n    if x:\n        out.append(x)", 1),
    "a loop that does more": ("for x in y:\n    if x not in seen:\n        seen.add(x)\n        out.append(x)", 0),
    "== True": ("if f(x) == True:\n    g()", 1),
    "== 1": ("if f(x) == 1:\n    g()", 0),
    "return True else False": ("def f(x):\n    if x:\n        return True\n    else:\n        return False", 1),
    "while and camel case": ("def fOo():\n    while True:\n        pass", 2),
    "bare except, global, print, lambda": ("f = lambda: 1\ndef g():\n    global f\n    try:\n        print(1)\n    except:\n        pass", 4),
    "idiomatic": (GOLD, 0),
}  # fmt: skip


@pytest.mark.parametrize(("code", "count"), STYLES.values(), ids=STYLES)
def test_habits_are_counted(code: str, count: int) -> None:
    assert len(findings(code)) == count


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
    "thinking is not counted": ("<think>" + "word " * 500 + "</think>" + answer(GOLD), 1.0),
}


@pytest.mark.parametrize(("text", "value"), BRIEF.values(), ids=BRIEF)
def test_brevity_counts_words_outside_code(text: str, value: float) -> None:
    assert scored(BREVITY, text).value == value


LAYOUT = {
    "the ideal answer": (answer(GOLD), 1.0),
    "a heading and a list": (f"## Solution\n\n{answer(GOLD)}\n\n- it is `O(n)`", 1.0),
    "no fence": (f"{GOLD}\n\n{PROSE}", 0.0),
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
