"""Test samples in training data: found when they are there, not found when they are not, and what the report says."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from project import make_project
from runs import make_run, right

from harness.cli import main
from harness.compare import tabulate
from harness.config import read_config
from harness.contamination import HASHES, jaccard, near_duplicates, of_adapter, overlaps, read_texts, signatures
from harness.data import Run, Sample
from harness.errors import SuiteError
from harness.report import write_report
from harness.seen import seen
from harness.suite import all_suites, read_suite, shipped, split_digest
from harness.train.candidate import train_candidates
from harness.train.card import read_card
from harness.verdict import decide, verdict_json

WORDS = [f"{a}{b}" for a in ("bar", "cel", "dor", "fin", "gal", "hem", "jut", "kol") for b in ("an", "em", "is", "or")]


def _text(seed: int, length: int = 60) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) + str(draw.randrange(50)) for _ in range(length))


def _samples(*texts: str) -> list[Sample]:
    return [Sample(f"t{place}", text, "x") for place, text in enumerate(texts)]


def _rows(*texts: str, answer: str = "x") -> list[tuple[str, str]]:
    return [(text, answer) for text in texts]


def test_each_kind_is_found_and_named() -> None:
    asked = _samples(_text(0), _text(1), _text(2, 12), _text(3), _text(4, 12))
    words = [str(sample.input).split() for sample in asked]
    shared = _text(90).split()[:30] + words[1][10:23] + _text(91).split()[:30]
    texts = ["  " + str(asked[0].input).upper() + "?!", " ".join(shared), " ".join([*words[2][:-1], "other"])]
    found = overlaps(asked, [*_rows(*texts, _text(50)), (" ".join([*words[4][:-1], "other"]), "another answer")])
    assert found == {"t0": "exact", "t1": "13-gram", "t2": "near"}


def test_answer_and_question_may_come_in_any_order() -> None:
    asked = _samples(_text(2, 12))
    assert overlaps(asked, [("x", str(asked[0].input) + " more")]) == {"t0": "near"}
    assert overlaps(asked, [(str(asked[0].input) + " more",)]) == {}


def test_a_sample_does_not_hide_by_being_trained_on_many_times() -> None:
    asked = _samples(*(_text(seed) for seed in range(20)))
    assert overlaps(asked, _rows(*[f"{asked[3].input} once more {i}" for i in range(500)])) == {"t3": "13-gram"}


def test_other_texts_and_texts_that_share_the_wording_of_the_task_are_not_found() -> None:
    wording = " ".join(WORDS[:25])
    asked = _samples(*(f"{wording} {_text(seed, 30)}" for seed in range(20)))
    assert overlaps(asked, _rows(*(f"{wording} {_text(seed, 30)}" for seed in range(100, 120)))) == {}
    assert overlaps(asked, []) == overlaps([], [("a text",)]) == {}
    assert overlaps(_samples("???", "!"), _rows("...", "")) == {}


@pytest.mark.parametrize("shared", [10, 35, 50, 70, 90])
def test_signatures_estimate_jaccard_similarity(shared: int) -> None:
    """The mean over 40 pairs lies within 4 standard errors of the exact value."""
    sets = []
    for pair in range(40):
        both = {f"{pair} both {i}" for i in range(2 * shared)}
        sets += [both | {f"{pair} {side} {i}" for i in range(100 - shared)} for side in "ab"]
    rows = signatures(sets)
    exact = jaccard(sets[0], sets[1])
    assert exact == pytest.approx(2 * shared / 200)
    estimates = [float(np.mean(rows[2 * pair] == rows[2 * pair + 1])) for pair in range(40)]
    error = (exact * (1 - exact) / HASHES) ** 0.5
    assert np.mean(estimates) == pytest.approx(exact, abs=4 * error / 40**0.5)
    assert np.std(estimates) < 2 * error
    assert (signatures(sets[:2]) == rows[:2]).all()


def test_signatures_of_empty_sets_meet_nothing() -> None:
    rows = signatures([set(), set(), {"a"}])
    assert not (rows[0] == rows[1]).any()
    assert not (rows[0] == rows[2]).any()


def test_near_duplicates_are_those_that_counting_every_pair_finds() -> None:
    draw = random.Random(3)
    pool = [f"g{i}" for i in range(4000)]
    trained = [set(draw.sample(pool, 60)) for _ in range(150)]
    tests = []
    for place in range(150):
        kept = draw.sample(sorted(trained[place]), draw.randrange(30, 61))
        tests.append(set(kept) | set(draw.sample(pool, 60 - len(kept))))
    brute = {
        i: close
        for i, mine in enumerate(tests)
        if (close := [place for place, other in enumerate(trained) if jaccard(mine, other) >= 0.7])
    }
    assert 20 < len(brute) < 130
    assert near_duplicates(tests, trained) == brute


@pytest.mark.parametrize("name", all_suites(shipped().parent))
def test_no_shipped_suite_has_test_samples_in_its_train_split(name: str) -> None:
    suite = read_suite(shipped() / name)
    card = {"recipe": {"suites": [str(shipped() / name)]}}
    assert of_adapter(card, [suite]) == {"basis": "assumed", "flagged": {suite.name: {}}}


# --- what an adapter's card tells ------------------------------------------------------------------------------------


def _leaky(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A project whose adapter was trained on three of its test samples; models.yaml and the card."""
    file = make_project(folder)
    train = folder / "suites" / "sums" / "train.jsonl"
    leaks = [{"id": f"leak-{i}", "input": f"what is  {i} plus {i + 100}", "target": "9"} for i in (30, 31, 32)]
    train.write_text(train.read_text() + "".join(json.dumps(row) + "\n" for row in leaks))
    data = {"sums": split_digest(read_suite("sums", folder).train)}
    card = {"training_digest": "t", "recipe": {"suites": ["sums"]}, "data": data}
    (folder / "tuned" / "training.json").write_text(json.dumps(card))
    return file, card


def test_the_basis_says_what_is_known(tmp_path: Path) -> None:
    _, card = _leaky(tmp_path)
    suite = read_suite("sums", tmp_path)
    found = {"test-30": "exact", "test-31": "exact", "test-32": "exact"}
    assert of_adapter(card, [suite], tmp_path) == {"basis": "recorded", "flagged": {"sums": found}}
    assert of_adapter({**card, "data": {"sums": "0"}}, [suite], tmp_path)["basis"] == "changed"
    assert of_adapter({**card, "data": {}}, [suite], tmp_path)["basis"] == "assumed"
    gone = of_adapter({"recipe": {"suites": ["gone"]}}, [suite], tmp_path)
    assert gone == {"basis": "changed", "flagged": {"sums": {}}}
    assert of_adapter(None, [suite]) == {"basis": "none", "flagged": {}}


def test_what_an_earlier_run_found_is_kept(tmp_path: Path) -> None:
    _, card = _leaky(tmp_path)
    suite = read_suite("sums", tmp_path)
    earlier = {"basis": "recorded", "flagged": {"sums": {"test-1": "near"}}}
    assert of_adapter(card, [suite], tmp_path, earlier) == earlier
    other = replace(suite, name="other")
    assert set(of_adapter(card, [suite, other], tmp_path, earlier)["flagged"]) == {"sums", "other"}


def test_a_leak_is_in_the_manifest_the_report_and_verdict_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _leaky(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "-s", "sums", "-a", "base", "-a", "lora"]) == 0
    manifest = json.loads(Path("runs/sums/run.json").read_text())
    about = manifest["adapters"]["tuned"]["contamination"]
    assert about["basis"] == "recorded"
    assert about["flagged"]["sums"] == {"test-30": "exact", "test-31": "exact", "test-32": "exact"}
    assert main(["report", "runs/sums"]) == 0
    page = Path("reports/sums.md").read_text()
    assert "3 of 40 test samples of sums occur in tuned's training data (exact 3)" in page
    assert "without them the difference of lora from base is +45.9 (95 % CI" in page
    assert "n=37) instead of +50.0 points" in page
    (one,) = json.loads(Path("reports/sums/verdict.json").read_text())["contamination"]
    assert (one["suite"], one["arm"], one["adapter"], one["n_test"]) == ("sums", "lora", "tuned", 40)
    assert set(one["flagged"]) == {"test-30", "test-31", "test-32"}
    assert one["with_them"]["difference"] == pytest.approx(20 / 40)
    assert one["without"]["difference"] == pytest.approx(17 / 37)
    assert one["without"]["interval"]["low"] < 17 / 37 < one["without"]["interval"]["high"]


def _with(run: Run, contamination: dict[str, Any]) -> Run:
    adapters = {"a": {**run.manifest["adapters"]["a"], "contamination": contamination}}
    return replace(run, manifest={**run.manifest, "adapters": adapters})


def test_the_verdict_itself_does_not_move_and_other_suites_keep_their_samples() -> None:
    run = make_run({name: {"base": right(50, 100), "lora": right(80, 100)} for name in ("sql", "soap")})
    leaky = _with(run, {"basis": "recorded", "flagged": {"sql": {f"sql-{i:04d}": "near" for i in range(60, 90)}}})
    assert decide(leaky) == decide(run)
    (one,) = seen(tabulate(leaky))
    assert (one.suite, one.with_them.difference) == ("sql", pytest.approx(0.3))
    assert one.without is not None
    assert (one.without.n, one.without.difference) == (70, pytest.approx(10 / 70))
    assert (one.n_test, one.with_them.missing, one.without.missing, one.without.note) == (100, 0, 0, "")
    assert verdict_json(run)["contamination"] == []


def test_where_every_sample_was_seen_nothing_is_left() -> None:
    run = make_run({"sql": {"base": right(5, 10), "lora": right(9, 10)}})
    (one,) = seen(tabulate(_with(run, {"basis": "recorded", "flagged": {"sql": dict.fromkeys(_ids(10), "exact")}})))
    assert one.without is None


def _ids(n: int) -> list[str]:
    return [f"sql-{i:04d}" for i in range(n)]


@pytest.mark.parametrize(
    ("contamination", "words"),
    [
        ({"basis": "recorded", "flagged": {"sql": {}}}, "No test sample occurs in a's training data"),
        ({"basis": "none", "flagged": {}}, "What a was trained on is not recorded"),
        ({"basis": "changed", "flagged": {"sql": {}}}, "have changed since"),
        ({"basis": "assumed", "flagged": {"sql": {}}}, "may have changed"),
        ({"basis": "recorded", "flagged": {"sql": dict.fromkeys(_ids(10), "exact")}}, "nothing is left to compare"),
    ],
)
def test_the_report_says_what_was_looked_at(tmp_path: Path, contamination: dict[str, Any], words: str) -> None:
    run = _with(make_run({"sql": {"base": right(5, 10), "lora": right(9, 10)}}), contamination)
    assert words in write_report([run], tmp_path / "r.html").markdown.read_text()


# --- harness check --against -----------------------------------------------------------------------------------------


def test_check_against_a_file_whatever_its_columns_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    rows = [{"messages": [{"role": "user", "content": "What is 7 plus 107?"}]}, {"prompt": "Name a colour.", "n": 3}]
    Path("theirs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["check", "sums", "--against", "theirs.jsonl"]) == 2
    said = capsys.readouterr().out
    assert "sums: 1 of 40 test samples occur in theirs.jsonl" in said
    assert (
        "FAIL sums: no test sample in the training data: 1 of 40 test samples occur in theirs.jsonl: test-7 (exact)"
        in said
    )
    Path("theirs.jsonl").write_text(json.dumps(rows[1]) + "\n\n")
    assert main(["check", "sums", "--against", "theirs.jsonl", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_many_samples_in_a_file_are_one_line_and_json_names_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    shutil.copy("suites/sums/test.jsonl", "theirs.jsonl")
    assert main(["check", "sums", "--against", "theirs.jsonl"]) == 2
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAIL")]
    assert "40 of 40 test samples occur in theirs.jsonl: test-0 (exact), test-1 (exact)" in line
    assert line.endswith("test-4 (exact) and 35 more (--json names them)")
    assert main(["check", "sums", "--against", "theirs.jsonl", "--json"]) == 2
    (found,) = [one for one in json.loads(capsys.readouterr().out)["findings"] if one["level"] == "fail"]
    assert found["samples"] == [f"test-{i}" for i in range(40)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        (b'{"a": "b"}\n{"a": \n', r"f.jsonl:2: not JSON"),
        (b"", "holds no text"),
        (b"[1, 2]\n", "holds no text"),
        (b'{"a": "\xff"}\n', "cannot be read"),
        (b"[" * 100_000, "f.jsonl:1: not JSON"),
    ],
)
def test_a_file_that_is_no_training_data_is_one_line(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "f.jsonl"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SuiteError, match=words) as caught:
        read_texts(file)
    assert "\n" not in str(caught.value)


def test_only_a_line_feed_ends_a_row_of_training_data(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    file.write_text('{"a": "x\u2028y"}\r\n{"a": "v\u0085w"}\n', "utf-8", newline="")
    assert read_texts(file) == [["x\u2028y"], ["v\u0085w"]]


def test_training_records_which_split_it_was(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "models.yaml").write_text(
        "models: {small: {path: embedded}}\n"
        "adapters: {a: {model: small, train: {suite: sums, rank: 1, batch_size: 2, max_steps: 1}}}\n"
        "arms: {a: {model: small, adapter: a}}\n"
    )
    config = read_config(tmp_path / "models.yaml")
    list(train_candidates(config, [config.adapters["a"]], tmp_path))
    card = read_card(config.adapters["a"].path)
    suite = read_suite("sums", tmp_path)
    assert card is not None
    assert card["data"] == {"sums": split_digest(suite.train)}
    assert of_adapter(card, [suite], tmp_path) == {"basis": "recorded", "flagged": {"sums": {}}}
