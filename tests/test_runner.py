from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from project import make_project

from harness.config import read_config
from harness.data import Model, Run, ScoreRow
from harness.engines import Engine, open_engine
from harness.errors import AdapterError, EngineError, RunError, SuiteError
from harness.runner import rescore, run
from harness.store import engine_seconds, read_run
from harness.suite import read_suite


def _run(file: Path, out: Path, arms: tuple[str, ...] = ("base", "lora"), **options: object) -> Run:
    config = read_config(file)
    suite = read_suite("sums", file.parent)
    return run(config, [suite], [config.arms[name] for name in arms], out, **options)  # type: ignore[arg-type]


def _means(done: Run) -> dict[str, float]:
    totals: dict[str, list[float]] = {}
    for row in done.scores:
        totals.setdefault(row.arm, []).append(row.score.value)
    return {arm: sum(values) / len(values) for arm, values in totals.items()}


def _stored(folder: Path) -> Counter[tuple[str, str]]:
    lines = (folder / "completions.jsonl").read_text().splitlines()
    return Counter((row["arm"], row["sample"]) for row in map(json.loads, lines))


def test_every_arm_answers_every_sample_and_is_scored(tmp_path: Path) -> None:
    done = _run(make_project(tmp_path), tmp_path / "run", ("base", "prompted", "lora"))
    assert len(done.rows) == 120
    assert _means(done) == {"base": 0.5, "prompted": 0.5, "lora": 1.0}
    manifest = done.manifest
    assert manifest["finished"]
    assert manifest["suites"]["sums"]["n_test"] == 40
    assert manifest["adapters"]["tuned"]["applied"]["max_logprob_difference"] > 0
    assert manifest["arms"]["prompted"]["shots"] == 1


def test_an_existing_run_is_continued_and_nothing_is_answered_twice(tmp_path: Path) -> None:
    file = make_project(tmp_path, more="die_after: 25")
    with pytest.raises(EngineError):
        _run(file, tmp_path / "run")
    assert sum(_stored(tmp_path / "run").values()) == 25
    make_project(tmp_path)
    done = _run(file, tmp_path / "run")
    assert max(_stored(tmp_path / "run").values()) == 1
    assert len(done.rows) == 80
    again = _run(file, tmp_path / "run")
    assert max(_stored(tmp_path / "run").values()) == 1
    assert again.rows == done.rows
    assert {(row.arm, row.sample): row.score for row in again.scores} == {
        (row.arm, row.sample): row.score for row in done.scores
    }


def test_kill_9_at_any_moment_loses_nothing_that_was_counted(tmp_path: Path) -> None:
    file = make_project(tmp_path, more="delay: 0.01")
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_runner import _run; "
        f"from pathlib import Path; _run(Path({str(file)!r}), Path({str(tmp_path / 'run')!r}))"
    )
    completions = tmp_path / "run" / "completions.jsonl"
    seen = 0
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and child.poll() is None:
            lines = completions.read_bytes().count(b"\n") if completions.is_file() else 0
            if lines >= seen + 10:
                break
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        now = completions.read_bytes().count(b"\n")
        assert now >= min(seen + 10, 80)
        seen = now
    make_project(tmp_path)
    done = _run(file, tmp_path / "run")
    assert max(_stored(tmp_path / "run").values()) == 1
    fresh = _run(file, tmp_path / "fresh")
    assert _means(done) == _means(fresh) == {"base": 0.5, "lora": 1.0}
    assert {row.key for row in done.rows} == {row.key for row in fresh.rows}


def _second_model(file: Path) -> None:
    """Another model, of the arm `other`."""
    text = file.read_text().replace("adapters:\n", "  big: {path: fake, engine: {default: big}}\nadapters:\n")
    file.write_text(text + "  other: {model: big}\n")


def _only_toy_is_opened(model: Model, *_: object) -> Engine:
    if model.name != "toy":
        raise EngineError("out of memory")
    return open_engine(model, ())


def test_a_run_is_finished_when_its_last_model_has_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_project(tmp_path)
    _second_model(file)
    with monkeypatch.context() as patch:
        patch.setattr("harness.runner.open_engine", _only_toy_is_opened)
        with pytest.raises(EngineError):
            _run(file, tmp_path / "run", ("base", "other"))
    broken_off = read_run(tmp_path / "run")
    assert (len(broken_off.rows), broken_off.manifest["finished"]) == (40, None)
    done = _run(file, tmp_path / "run", ("base", "other"))
    assert done.manifest["finished"]
    assert done == read_run(tmp_path / "run")


def test_a_finished_run_stays_so_where_an_arm_more_could_not_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_project(tmp_path)
    finished = _run(file, tmp_path / "run", ("base",)).manifest["finished"]
    _second_model(file)
    monkeypatch.setattr("harness.runner.open_engine", _only_toy_is_opened)
    with pytest.raises(EngineError):
        _run(file, tmp_path / "run", ("base", "other"))
    now = read_run(tmp_path / "run").manifest
    assert (list(now["arms"]), now["finished"]) == (["base"], finished)


def test_a_run_whose_answers_are_not_all_scored_is_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_project(tmp_path)
    assert _run(file, tmp_path / "run", ("base",)).manifest["finished"]
    scores = tmp_path / "run" / "scores.jsonl"
    scores.write_text("".join(scores.read_text().splitlines(keepends=True)[:10]))
    with monkeypatch.context() as patch:
        patch.setattr("harness.scorers.load", lambda *_: lambda sample, done: 1 / 0)
        with pytest.raises(RuntimeError, match="crashed"):
            _run(file, tmp_path / "run", ("base",))
    assert read_run(tmp_path / "run").manifest["finished"] is None
    assert _run(file, tmp_path / "run", ("base",)).manifest["finished"]


def test_a_call_for_one_arm_does_not_finish_another(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    _second_model(file)
    _run(file, tmp_path / "run", ("base", "other"))
    for name in ("completions.jsonl", "scores.jsonl"):  # as if it had broken off
        lines = (tmp_path / "run" / name).read_text().splitlines(keepends=True)
        (tmp_path / "run" / name).write_text("".join(lines[:55]))
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**about, "finished": None}))
    assert _run(file, tmp_path / "run", ("base",)).manifest["finished"] is None
    assert _run(file, tmp_path / "run", ("base", "other")).manifest["finished"]


def test_a_run_whose_scoring_again_broke_off_is_not_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_project(tmp_path)
    finished = _run(file, tmp_path / "run", ("base",)).manifest["finished"]
    suites = {"sums": read_suite("sums", tmp_path)}

    def written(path: Path, scores: Sequence[ScoreRow]) -> None:
        if scores:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("harness.runner.write_scores", written)
        with pytest.raises(KeyboardInterrupt):
            rescore(tmp_path / "run", suites)
    assert read_run(tmp_path / "run").manifest["finished"] is None
    _run(file, tmp_path / "run", ("base",))
    again = rescore(tmp_path / "run", suites)
    assert again.manifest["finished"]
    assert again == read_run(tmp_path / "run")
    assert finished


def test_a_retrained_adapter_at_the_same_path_is_answered_again(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    first = _run(file, tmp_path / "run")
    (tmp_path / "tuned" / "adapter_config.json").write_text('{"r": 16}')
    second = _run(file, tmp_path / "run")
    keys = {(row.arm, row.sample): row.key for row in first.rows}
    changed = {arm for (arm, sample), key in keys.items() for row in second.rows
               if (row.arm, row.sample) == (arm, sample) and row.key != key}  # fmt: skip
    assert changed == {"lora"}
    assert len(second.rows) == 80


def test_identical_answers_are_taken_from_another_run(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    first = _run(file, tmp_path / "one", ("base",))
    make_project(tmp_path, more="die_after: 40")
    done = _run(file, tmp_path / "two", ("base", "lora"), reuse=[first])
    assert sum(row.reused for row in done.rows) == 40
    assert _means(done) == {"base": 0.5, "lora": 1.0}


def test_an_adapter_that_changes_nothing_is_refused_before_it_is_scored(tmp_path: Path) -> None:
    file = make_project(tmp_path, more="ignore_adapters: true")
    with pytest.raises(AdapterError, match="as if it were not there"):
        _run(file, tmp_path / "run")
    assert not (tmp_path / "run" / "completions.jsonl").exists()


def test_a_missing_adapter_says_how_to_train_it(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    file.write_text(file.read_text().replace(f"path: {tmp_path}/tuned", "train: {suite: sums}"))
    with pytest.raises(AdapterError, match="harness train tuned"):
        _run(file, tmp_path / "run")


def test_a_run_of_another_suite_version_is_refused(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    _run(file, tmp_path / "run")
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace("version: 1", "version: 2"))
    with pytest.raises(RunError, match=r"version 1 .* now it is version 2"):
        _run(file, tmp_path / "run")


def test_an_arm_with_other_settings_is_refused(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    _run(file, tmp_path / "run", ("prompted",))
    file.write_text(file.read_text().replace("shots: 1", "shots: 2"))
    with pytest.raises(RunError, match="arm 'prompted' was answered with other settings"):
        _run(file, tmp_path / "run", ("prompted",))


def test_a_prompt_longer_than_the_context_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    file = make_project(tmp_path, more="max_model_len: 12")
    with pytest.raises(SuiteError, match=r"suite sums, arm base, sample test-0: \d+ prompt tokens and 8"):
        _run(file, tmp_path / "run")


def test_scoring_again_uses_the_stored_answers(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    _run(file, tmp_path / "run", ("base",))
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace("scorer: exact", "scorer: similarity"))
    again = rescore(tmp_path / "run", {"sums": read_suite("sums", tmp_path)})
    assert {row.scorer for row in again.scores} == {"similarity"}
    assert again.rows == read_run(tmp_path / "run").rows


def test_a_crashing_scorer_is_named_with_its_sample(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    suite = tmp_path / "suites" / "sums"
    (suite / "suite.yaml").write_text(
        (suite / "suite.yaml").read_text().replace("scorer: exact", "scorer: scorer.py:bad")
    )
    (suite / "scorer.py").write_text("def bad(*, suite_path):\n    return lambda sample, done: 1 / 0\n")
    with pytest.raises(RuntimeError, match=r"scorer 'scorer.py:bad' of suite 'sums' crashed on sample 'test-\d+'"):
        _run(file, tmp_path / "run")


@pytest.mark.parametrize("value", ["float('nan')", "float('inf')", "150.0", "-0.1", "None"])
def test_a_score_outside_0_to_1_is_named_with_its_sample(tmp_path: Path, value: str) -> None:
    file = make_project(tmp_path, n=3)
    folder = tmp_path / "suites" / "sums"
    (folder / "scorer.py").write_text(
        "from harness.data import Score\n\ndef wrong(*, suite_path):\n"
        f"    return lambda sample, done: Score({value}, '', '')\n"
    )
    text = (folder / "suite.yaml").read_text()
    (folder / "suite.yaml").write_text(re.sub(r"scorer: \w+", "scorer: scorer.py:wrong", text, count=1))
    with pytest.raises(SuiteError, match=r"sums: scorer '.*' gave .* on sample '.*', a score lies in 0\.\.1"):
        _run(file, tmp_path / "run")
    assert len((tmp_path / "run" / "completions.jsonl").read_text().splitlines()) >= 1


def _own_scorer(file: Path, score: str) -> None:
    folder = file.parent / "suites" / "sums"
    (folder / "scorer.py").write_text(
        "from harness.data import Score\n\ndef own(*, suite_path):\n" + f"    return lambda sample, done: {score}\n"
    )
    text = (folder / "suite.yaml").read_text()
    (folder / "suite.yaml").write_text(re.sub(r"scorer: \S+}", "scorer: scorer.py:own}", text, count=1))


@pytest.mark.parametrize(
    ("texts", "answer", "explanation"),
    [("42", "42", ""), ("0.5, 7", "0.5", "7"), ("None, None", "", ""), ("'x', True", "x", "True")],
)
def test_a_score_with_a_number_or_nothing_for_text_is_stored_as_text(
    tmp_path: Path, texts: str, answer: str, explanation: str
) -> None:
    file = make_project(tmp_path, n=3)
    _own_scorer(file, f"Score(1.0, {texts})")
    done = _run(file, tmp_path / "run", ("base",))
    assert {(row.score.answer, row.score.explanation) for row in done.scores} == {(answer, explanation)}
    lines = [json.loads(line) for line in (tmp_path / "run" / "scores.jsonl").read_text().splitlines()]
    assert {(line["answer"], line["explanation"]) for line in lines} == {(answer, explanation)}


def test_a_score_whose_text_is_none_names_its_scorer_and_the_corrected_one_goes_on(tmp_path: Path) -> None:
    file = make_project(tmp_path, n=3)
    _own_scorer(file, "Score(1.0, '', [sample.id])")
    said = r"^suite sums: scorer 'scorer.py:own' gave the explanation \['test-\d'\] on sample 'test-\d', which is no"
    with pytest.raises(SuiteError, match=said):
        _run(file, tmp_path / "run", ("base",))
    assert (tmp_path / "run" / "completions.jsonl").read_text()
    _own_scorer(file, "Score(1.0, '', sample.id)")
    config = read_config(file)
    rescore(tmp_path / "run", {"sums": read_suite("sums", tmp_path)}, config)
    assert _means(_run(file, tmp_path / "run", ("base",))) == {"base": 1.0}


def test_a_limited_run_lacks_nothing_it_did_not_ask(tmp_path: Path) -> None:
    from harness.compare import compare

    file = make_project(tmp_path)
    done = _run(file, tmp_path / "run", limit=10)
    assert (len(done.rows), compare(done, "sums", "base", "lora").missing) == (20, 0)
    whole = _run(file, tmp_path / "run")
    assert (len(whole.rows), whole.manifest["suites"]["sums"]["n_asked"]) == (80, 40)
    assert max(_stored(tmp_path / "run").values()) == 1


# --- a retrained adapter ---------------------------------------------------------------------------------------------


def _retrained(file: Path, *, right: bool) -> None:
    """Another adapter at the same path, that answers all or none of the questions."""
    folder = file.parent
    (folder / "tuned" / "adapter_config.json").write_text(json.dumps({"r": 16 + right}))
    rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    for row in rows:
        if row.get("adapter"):
            row["answer"] = row["answer"].removesuffix("!") if right else f"{row['answer'].removesuffix('!')}!"
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_an_interrupted_run_of_a_retrained_adapter_keeps_no_score_of_the_old_one(tmp_path: Path) -> None:
    """The parcel with the scores of the last answers is lost, as by kill -9: their old scores must not stand in."""
    file = make_project(tmp_path)
    assert _means(_run(file, tmp_path / "run", ("lora",))) == {"lora": 1.0}
    _retrained(file, right=False)
    file.write_text(file.read_text().replace("engine: {", "engine: {die_after: 30, "))
    with pytest.raises(EngineError):
        _run(file, tmp_path / "run", ("lora",))
    scores = tmp_path / "run" / "scores.jsonl"
    lines = scores.read_text().splitlines(keepends=True)
    scores.write_text("".join(lines[:40]))
    broken_off = read_run(tmp_path / "run")
    assert (len(broken_off.rows), len(broken_off.scores)) == (30, 0)
    file.write_text(file.read_text().replace("die_after: 30, ", ""))
    done = _run(file, tmp_path / "run", ("lora",))
    assert (len(done.scores), _means(done)) == (40, {"lora": 0.0})


def test_a_run_of_an_older_harness_is_read_and_goes_on(tmp_path: Path) -> None:
    """Its scores do not say which answer they are of, its rows not who gave them."""
    file = make_project(tmp_path)
    whole = _run(file, tmp_path / "run", ("lora",))
    for name, key in (("completions.jsonl", "by"), ("scores.jsonl", "key")):
        rows = [json.loads(line) for line in (tmp_path / "run" / name).read_text().splitlines()]
        assert all(row.pop(key) for row in rows)
        (tmp_path / "run" / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    old = read_run(tmp_path / "run")
    assert (len(old.rows), _means(old)) == (40, {"lora": 1.0})
    again = _run(file, tmp_path / "run", ("lora",))
    assert max(_stored(tmp_path / "run").values()) == 1
    assert [score.score for score in again.scores] == [score.score for score in whole.scores]
    _retrained(file, right=False)
    assert _means(_run(file, tmp_path / "run", ("lora",))) == {"lora": 0.0}


@pytest.mark.parametrize("part", ["samples", "arms"])
def test_old_answers_of_a_retrained_adapter_are_not_mixed_with_new_ones(tmp_path: Path, part: str) -> None:
    file = make_project(tmp_path)
    file.write_text(file.read_text() + "  lora2: {model: toy, adapter: tuned, system: true}\n")
    _run(file, tmp_path / "run", ("lora", "lora2"))
    _retrained(file, right=False)
    arms, limit = (("lora", "lora2"), 10) if part == "samples" else (("lora",), None)
    with pytest.raises(RunError, match=r"adapter 'tuned' has changed since; its answers by lora\d? on sums are old"):
        _run(file, tmp_path / "run", arms, limit=limit)
    assert _means(_run(file, tmp_path / "run", ("lora", "lora2"))) == {"lora": 0.0, "lora2": 0.0}


def test_what_an_interrupted_run_has_not_asked_again_does_not_count(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    file.write_text(file.read_text() + "  lora2: {model: toy, adapter: tuned, system: true}\n")
    _run(file, tmp_path / "run", ("lora", "lora2"))
    _retrained(file, right=False)
    file.write_text(file.read_text().replace("engine: {", "engine: {die_after: 30, "))
    with pytest.raises(EngineError):
        _run(file, tmp_path / "run", ("lora", "lora2"))
    file.write_text(file.read_text().replace("die_after: 30, ", ""))
    assert _means(_run(file, tmp_path / "run", ("lora",))) == {"lora": 0.0}


def test_two_models_with_the_same_files_and_other_options_share_no_answer(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    file.write_text(
        file.read_text().replace("adapters:\n", "  big: {path: fake, engine: {default: big}}\nadapters:\n")
        + "  other: {model: big}\n"
    )
    done = _run(file, tmp_path / "run", ("base", "other"))
    assert {row.completion.text for row in done.rows if row.arm == "other"} == {"big"}


def test_engine_seconds_are_those_of_the_requests_they_were_spent_on(tmp_path: Path) -> None:
    """Before and after a break, and of an adapter before and after it was trained again."""
    file = make_project(tmp_path, more="delay: 0.01, die_after: 36")
    with pytest.raises(EngineError):
        _run(file, tmp_path / "run", ("lora",))
    file.write_text(file.read_text().replace(", die_after: 36", ""))
    done = _run(file, tmp_path / "run", ("lora",))
    assert done.manifest["timed"] == {"sums": {"lora": 40}}
    spent = done.manifest["seconds"]["sums"]["lora"]
    assert spent > 0.4
    _retrained(file, right=False)
    again = _run(file, tmp_path / "run", ("lora",))
    assert again.manifest["timed"] == {"sums": {"lora": 80}}
    each = engine_seconds(again, "sums", "lora")
    assert each is not None
    assert each == again.manifest["seconds"]["sums"]["lora"] / 80 < spent / 20
    del again.manifest["timed"]  # type: ignore[attr-defined]
    assert engine_seconds(again, "sums", "lora") == again.manifest["seconds"]["sums"]["lora"] / 40


# --- scoring again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("was", "now"), [("Answer with the number", "Answer"), ("max_tokens: 8", "max_tokens: 200")])
def test_scoring_again_refuses_answers_to_another_prompt(tmp_path: Path, was: str, now: str) -> None:
    file = make_project(tmp_path)
    _run(file, tmp_path / "run", ("prompted",))
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace(was, now))
    before = (tmp_path / "run" / "run.json").read_bytes()
    with pytest.raises(RunError, match="suite 'sums' asks otherwise now"):
        rescore(tmp_path / "run", {"sums": read_suite("sums", tmp_path)})
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_equal_samples_are_both_scored_again(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    test = tmp_path / "suites" / "sums" / "test.jsonl"
    first = json.loads(test.read_text().splitlines()[0])
    test.write_text(test.read_text() + json.dumps({**first, "id": "twin"}) + "\n")
    done = _run(file, tmp_path / "run", ("base",))
    again = rescore(tmp_path / "run", {"sums": read_suite("sums", tmp_path)})
    assert len(again.scores) == len(done.scores) == 41


def test_scoring_again_stops_at_the_first_crash(tmp_path: Path) -> None:
    file = make_project(tmp_path)
    _run(file, tmp_path / "run", ("base",))
    suite = tmp_path / "suites" / "sums"
    (suite / "suite.yaml").write_text((suite / "suite.yaml").read_text().replace("exact", "scorer.py:bad"))
    (suite / "scorer.py").write_text(
        "import pathlib, time\ndef bad(*, suite_path):\n    def score(sample, done):\n"
        "        with open(pathlib.Path(suite_path) / 'seen', 'a') as file:\n            file.write('x')\n"
        "        time.sleep(0.05)\n        return 1 / 0\n    return score\n"
    )
    before = (tmp_path / "run" / "scores.jsonl").read_bytes()
    with pytest.raises(RuntimeError, match="crashed on sample"):
        rescore(tmp_path / "run", {"sums": read_suite("sums", tmp_path)})
    assert len((suite / "seen").read_text()) < 30
    assert (tmp_path / "run" / "scores.jsonl").read_bytes() == before


def test_two_suites_of_one_name_are_refused(tmp_path: Path) -> None:
    config = read_config(make_project(tmp_path / "one"))
    make_project(tmp_path / "two")
    suites = [read_suite("sums", tmp_path / name) for name in ("one", "two")]
    with pytest.raises(SuiteError, match=r"two suites are called 'sums': .*one.* and .*two"):
        run(config, suites, [config.arms["base"]], tmp_path / "run")
