"""The palindrome suite: its files come from its generator, and its hidden calls tell its functions apart."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.data import Completion, Sample
from harness.sandbox import same
from harness.scorers import load
from harness.scorers.idioms import findings, without
from harness.scorers.lint import installed, linter
from harness.scorers.python import Task, _tasks, extract_code
from harness.suite import read_suite, shipped

FOLDER = shipped() / "palindrome"
SUITE = read_suite(FOLDER)
TASKS: Mapping[str, Task] = _tasks(str(FOLDER / "cases.jsonl"), 0)
LINT = linter(installed(), str(FOLDER))
SPLITS = {"test": SUITE.test, "dev": SUITE.dev, "train": SUITE.train, "shots": SUITE.shots}
EVERY = [sample for samples in SPLITS.values() for sample in samples]
GOLDS = {str(sample.metadata["function"]): extract_code(sample.target)[0] for sample in EVERY}


def loaded(code: str, entry: str) -> Callable[..., Any]:
    """The function itself: gold code is ours, so it needs no sandbox."""
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    function: Callable[..., Any] = namespace[entry]
    return function


def passes(code: str, entry: str, task: Task) -> bool:
    function = loaded(code, entry)
    try:
        return all(same(function(*copy.deepcopy(case.args)), case.expected) for case in task.cases)
    except Exception:
        return False


def test_generator_writes_the_committed_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, FOLDER / "generate.py", tmp_path], check=True, capture_output=True)
    for name in ("test", "dev", "train", "shots", "cases"):
        assert (tmp_path / f"{name}.jsonl").read_bytes() == (FOLDER / f"{name}.jsonl").read_bytes(), name


def test_sizes_and_kinds() -> None:
    assert len(SUITE.test) >= 200
    assert len(SUITE.dev) >= 50
    assert len(SUITE.train) >= 300
    kinds = Counter(sample.metadata["kind"] for sample in SUITE.test)
    assert kinds["seed"] >= 30
    assert min(kinds["palindrome"], kinds["filter"], kinds["small"]) >= 40


def test_splits_share_no_function_and_no_run_of_13_words() -> None:
    functions = [{sample.metadata["function"] for sample in samples} for samples in SPLITS.values()]
    assert sum(map(len, functions)) == len(set().union(*functions))
    seen: dict[str, str] = {}
    for split, samples in SPLITS.items():
        for sample in samples:
            words = re.findall(r"\w+", str(sample.input).lower())
            for i in range(max(1, len(words) - 12)):
                assert seen.setdefault(" ".join(words[i : i + 13]), split) == split, sample.id


def test_every_operation_of_the_test_split_occurs_in_training() -> None:
    def operations(samples: tuple[Sample, ...]) -> set[str]:
        return {str(s.metadata["function"]).partition("_")[0] for s in samples if s.metadata["kind"] != "small"}

    assert operations(SUITE.test) <= operations(SUITE.train)
    assert sum("[::-1]" in sample.target for sample in SUITE.train) >= 60


@pytest.mark.parametrize("name", sorted(GOLDS))
def test_ideal_code_passes_and_rests_on_its_idiom(name: str) -> None:
    code, task = GOLDS[name], TASKS[name]
    assert passes(code, name, task)
    assert not findings(code)
    assert not LINT(code).codes
    assert any(broken and not passes(broken, name, task) for broken in (without(idiom, code) for idiom in task.idioms))


LENIENT = {
    "palindromes": (
        "exact_palindromes",
        "palindromes_ignoring_case",
        "palindromes_ignoring_spaces",
        "loose_palindromes",
    ),
    "exact_palindromes": ("palindromes_ignoring_spaces",),
    "palindromes_ignoring_case": ("loose_palindromes",),
    "palindromes_ignoring_spaces": ("loose_palindromes",),
}
"""Where a prompt leaves open what counts, the looser reading passes as well: no hidden call is about such a string."""


def test_hidden_calls_tell_every_function_from_its_relatives() -> None:
    """A wrong answer here is the right answer to another prompt: same operation or same property, same argument."""
    accepted = []
    for name, task in TASKS.items():
        operation, _, what = name.replace("count_words", "count-words").partition("_")
        for other, code in GOLDS.items():
            related = other.startswith(operation.replace("-", "_") + "_") or other.endswith(f"_{what}")
            comparable = argument(code) == argument(GOLDS[name]) and body(code) != body(GOLDS[name])
            looser = other.removeprefix("count_words_").removeprefix(f"{operation}_") in LENIENT.get(what, ())
            if related and comparable and not looser and passes(code, other, task):
                accepted.append((name, other))
    capitals = {"keep_digit_strings", "upper_digit_strings", "keep_capital_strings", "upper_capital_strings"}
    assert [pair for pair in accepted if not capitals.issuperset(pair)] == []


def body(code: str) -> str:
    return code.rpartition("def ")[2].partition("(")[2]


def argument(code: str) -> str:
    return body(code).partition(")")[0]


def test_samples_are_tied_to_their_hidden_calls() -> None:
    ties = {str(sample.metadata["function"]): sample.metadata["tests"] for sample in EVERY}
    assert set(ties) == set(TASKS)
    assert all(re.fullmatch(r"[0-9a-f]{12}", tie) for tie in ties.values())


def test_no_hidden_call_is_in_a_prompt() -> None:
    rows = {row["function"]: row for row in map(json.loads, (FOLDER / "cases.jsonl").read_text("utf-8").splitlines())}
    for sample in EVERY:
        hidden = [case["args"][1:-2] for case in rows[str(sample.metadata["function"])]["cases"]]
        assert not any(text in str(sample.input) for text in hidden if len(text) > 12), sample.id


@pytest.mark.parametrize("sample", SUITE.test[:: len(SUITE.test) // 12], ids=lambda sample: str(sample.id))
def test_ideal_answer_scores_1_on_every_scorer(sample: Sample) -> None:
    for spec in SUITE.scorers:
        assert load(spec, str(FOLDER))(sample, Completion(sample.target)).value == 1.0, spec.name


def test_text_columns_are_1_for_every_ideal_answer() -> None:
    for spec in SUITE.scorers:
        if spec.name in ("brevity", "markdown"):
            scorer = load(spec, str(FOLDER))
            assert all(scorer(sample, Completion(sample.target)).value == 1.0 for sample in EVERY)


def test_answers_are_small() -> None:
    assert max(len(sample.target) for sample in EVERY) < 360
    assert max(len(str(sample.input)) for sample in EVERY) < 320
