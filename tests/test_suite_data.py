"""The committed data of the suites: what their generators write, and what the README promises of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from suite_files import suite_file

from harness.data import Completion
from harness.retrieve import Retriever
from harness.scorers import load
from harness.suite import read_suite, shipped

SUITES = ("sql", "handbook", "forgetting")
LONGEST_PROMPT = 1_700


def generator(name: str) -> ModuleType:
    return suite_file(name, "generate")


@pytest.mark.parametrize("name", SUITES)
def test_generator_reproduces_the_committed_files(name: str, tmp_path: Path) -> None:
    generator(name).write(tmp_path)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(path.name for path in (shipped() / name).glob("*.jsonl"))
    for file in written:
        assert (tmp_path / file).read_bytes() == (shipped() / name / file).read_bytes(), file


@pytest.mark.parametrize("name", SUITES)
def test_prompts_with_four_shots_fit_a_small_model(name: str) -> None:
    suite = read_suite(shipped() / name)
    shots = sum(len(str(shot.input)) + len(shot.target) for shot in suite.shots[:4])
    longest = max(len(str(sample.input)) for sample in (*suite.test, *suite.dev))
    assert len(str(suite.system)) + shots + longest <= LONGEST_PROMPT


def test_sql_asks_no_gold_query_in_two_splits() -> None:
    suite = read_suite(shipped() / "sql")
    golds = [{sample.target for sample in split} for split in (suite.test, suite.dev, suite.train, suite.shots)]
    assert sum(map(len, golds)) == len(set().union(*golds))


def test_sql_covers_its_schemas_and_intents_evenly() -> None:
    suite = read_suite(shipped() / "sql")
    schemas = Counter(sample.metadata["schema"] for sample in suite.test)
    intents = Counter(sample.metadata["intent"] for sample in suite.test)
    assert len(schemas) == 8
    assert min(schemas.values()) >= 20
    assert len(intents) >= 28
    assert max(count for intent, count in intents.items() if intent != "house") <= 10


def handbook_facts() -> list[dict[str, Any]]:
    return list(generator("handbook").read()[1])


def test_handbook_answers_stand_word_for_word_in_this_years_passage() -> None:
    suite = read_suite(shipped() / "handbook")
    passages = {passage.id: passage.text for passage in suite.corpus}
    for sample in (*suite.test, *suite.dev):
        if sample.target != "I do not know." and not sample.metadata.get("open"):
            assert any(sample.target in passages[name] for name in sample.metadata["passages"]), sample.id


@pytest.mark.parametrize(
    ("text", "value"),
    [("4 weeks or more", 1), ("After four weeks or longer.", 1), ("four weeks or less", 0), ("three weeks or more", 0)],
)
def test_handbook_a_bound_may_stand_behind_its_value(text: str, value: float) -> None:
    suite = read_suite(shipped() / "handbook")
    (sample,) = (one for one in suite.test if one.id == "handbook-test-0170")
    scorer = load(next(spec for spec in suite.scorers if spec.primary), suite.path)
    assert scorer(sample, Completion(text)).value == value


def test_handbook_asks_every_kind_of_question() -> None:
    suite = read_suite(shipped() / "handbook")
    kinds = Counter(str(sample.metadata["kind"]) for sample in suite.test)
    assert set(kinds) == {"direct", "paraphrased", "multi-hop", "dated", "unanswerable"}
    assert min(kinds.values()) >= 20
    for sample in (*suite.test, *suite.dev):
        if sample.metadata["kind"] == "multi-hop":
            assert len(set(sample.metadata["passages"])) == 2
    books = Counter(str(sample.metadata["book"]) for sample in suite.test)
    assert min(books.values()) >= 100


def test_handbook_circulars_disagree_and_both_stay_in_the_corpus() -> None:
    suite = read_suite(shipped() / "handbook")
    retriever = Retriever(suite.corpus)
    trapped = 0
    for sample in suite.test:
        if sample.metadata["kind"] == "dated":
            found = retriever.top(str(sample.input), 4)
            wanted = {sample.target, *map(str, sample.metadata.get("rivals", ()))} - {"I do not know."}
            assert all(any(value in passage.text for passage in found) for value in wanted), sample.id
            trapped += len(wanted) == 2
    assert trapped >= 25


def test_handbook_stale_answers_have_a_column_of_their_own() -> None:
    suite = read_suite(shipped() / "handbook")
    (spec,) = (spec for spec in suite.scorers if spec.name == "not_stale")
    scorer = load(spec, suite.path)
    for sample in suite.test:
        for rival in sample.metadata.get("rivals", ()):
            assert scorer(sample, Completion(f"It is {rival}.")).value == 0
            assert scorer(sample, Completion(sample.target)).value == 1


@pytest.mark.parametrize(
    ("asked", "text", "value"),
    [
        ("shared parental leave", "up to 37 weeks", 1),
        ("shared parental leave", "at least 37 weeks", 0),
        ("shared parental leave", "more than 37 weeks", 0),
        ("leave request be made", "at least 2 weeks", 1),
        ("leave request be made", "at most two weeks", 0),
        ("is a receipt needed", "over 15 euros", 1),
        ("documents translated", "Lingua", 1),
        ("documents translated", "the Lingua list", 0),
        ("documents translated", "", 0),
    ],
)
def test_handbook_bounds_and_names_are_those_of_the_passage(asked: str, text: str, value: int) -> None:
    suite = read_suite(shipped() / "handbook")
    scorer = load(suite.scorers[0], suite.path)
    (sample,) = (sample for sample in suite.test if asked in str(sample.input))
    score = scorer(sample, Completion(text))
    assert score.value == value, score.explanation
    assert bool(score.explanation) != bool(value)


def test_handbook_aliases_are_of_answers_that_are_asked_for() -> None:
    suite = read_suite(shipped() / "handbook")
    asked = {sample.target for split in (suite.test, suite.dev, suite.train, suite.shots) for sample in split}
    assert set(generator("handbook").other_words()) <= asked


def test_handbook_train_split_knows_only_last_year() -> None:
    suite = read_suite(shipped() / "handbook")
    facts = {fact["fact"]: fact for fact in handbook_facts()}
    this_year = {(sample.metadata["fact"], sample.target) for sample in (*suite.test, *suite.dev)}
    for sample in suite.train:
        changed = sample.metadata["changed"]
        assert changed != "new"
        if sample.metadata["kind"] == "dated":
            now = [one for one in (*suite.test, *suite.dev) if one.metadata["fact"] == sample.metadata["fact"]]
            assert all(one.target != sample.target for one in now if one.metadata["changed"] == "yes"), sample.id
        if sample.metadata["kind"] in ("dated", "multi-hop"):
            continue
        if sample.metadata["fact"] != "none":
            assert sample.target == facts[str(sample.metadata["fact"])]["old"]
            assert ((sample.metadata["fact"], sample.target) in this_year) == (changed == "no")


def test_handbook_has_changed_new_and_unanswerable_questions() -> None:
    test = read_suite(shipped() / "handbook").test
    changed = Counter(str(sample.metadata["changed"]) for sample in test)
    unanswerable = sum(sample.target == "I do not know." for sample in test)
    assert 0.3 <= changed["yes"] / len(test) <= 0.4
    assert changed["new"] >= 15
    assert 0.06 <= unanswerable / len(test) <= 0.12


def test_handbook_passages_are_short_and_can_be_found() -> None:
    suite = read_suite(shipped() / "handbook")
    assert max(len(passage.text.split()) for passage in suite.corpus) <= 45
    retriever = Retriever(suite.corpus)
    asked = [sample for sample in suite.test if sample.metadata["kind"] in ("direct", "paraphrased")]
    found = 0
    for sample in asked:
        top = [passage.id for passage in retriever.top(str(sample.input), 4)]
        found += set(sample.metadata["passages"]) <= set(top)
    assert found / len(asked) >= 0.75


def test_forgetting_probes_are_balanced_in_every_split() -> None:
    suite = read_suite(shipped() / "forgetting")
    for split in (suite.test, suite.dev, suite.train, suite.shots):
        probes = Counter(sample.metadata["probe"] for sample in split)
        assert len(probes) == 11
        assert len(set(probes.values())) == 1


def test_forgetting_choices_have_no_favourite_letter() -> None:
    suite = read_suite(shipped() / "forgetting")
    letters = Counter(sample.target for sample in (*suite.test, *suite.train) if sample.metadata["probe"] == "choice")
    assert max(letters.values()) <= 0.4 * sum(letters.values())


def test_rows_are_one_json_object_per_line_with_known_keys() -> None:
    for name in SUITES:
        for path in (shipped() / name).glob("*.jsonl"):
            for line in path.read_text("utf-8").splitlines():
                assert set(json.loads(line)) <= {"id", "input", "target", "choices", "metadata", "text"}
