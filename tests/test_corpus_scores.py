"""BLEU and chrF of all answers of an arm: sacrebleu's numbers, an honest p, and where they are shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from project import make_project
from runs import make_run
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from harness.cli import main
from harness.compare import tabulate
from harness.corpus_scores import METRICS, corpus_scores, jackknife, statistics
from harness.data import Run
from harness.errors import SuiteError
from harness.report import write_report
from harness.stats.permutation import corpus_p
from harness.suite import read_suite
from harness.tables import comparison
from harness.verdict import verdict_json

WORDS = (
    "the", "a", "one", "old", "new", "red", "river", "house", "stone", "runs", "falls", "stands", "slowly", "at",
)  # fmt: skip


def _texts(seed: int, n: int, wrong: float) -> tuple[list[str], list[str]]:
    """(answers, targets): each word of the target is replaced with probability `wrong`."""
    rng = np.random.default_rng(seed)
    targets = [rng.choice(WORDS, int(rng.integers(6, 14))).tolist() for _ in range(n)]
    answers = [[str(rng.choice(WORDS)) if rng.random() < wrong else word for word in target] for target in targets]
    return [" ".join(a) for a in answers], [" ".join(t) for t in targets]


def _run(wrong: dict[str, float], n: int = 120, **about: object) -> Run:
    answers = {arm: _texts(3, n, share)[0] for arm, share in wrong.items()}
    targets = _texts(3, n, 0.0)[1]
    run = make_run({"poems": {arm: [0.5] * n for arm in wrong}}, suite={"corpus_scores": ["bleu", "chrf"], **about})
    rows = []
    for row in run.rows:
        place = int(row.sample.split("-")[1])
        completion = replace(row.completion, text=answers[row.arm][place])
        rows.append(replace(row, completion=completion, target=targets[place], metadata={"book": place // 6}))
    return replace(run, rows=tuple(rows))


@pytest.mark.parametrize("wrong", [0.0, 0.2, 0.6, 0.95])
def test_scores_are_sacrebleus(wrong: float) -> None:
    for n in (2, 3, 60):
        answers, targets = _texts(1, n, wrong)
        for metric, theirs in (("bleu", BLEU()), ("chrf", CHRF())):
            ours = METRICS[metric](statistics(metric, answers, targets).sum(axis=0)[None])[0]
            assert 100 * ours == pytest.approx(theirs.corpus_score(answers, [targets]).score, abs=1e-6)


@pytest.mark.parametrize("answers", [["", "b"], ["x y", "q"], ["the cat", "a"]])
def test_short_and_empty_answers_are_sacrebleus_too(answers: list[str]) -> None:
    targets = ["the cat sat", "a b c d e"]
    for metric, theirs in (("bleu", BLEU()), ("chrf", CHRF())):
        ours = METRICS[metric](statistics(metric, answers, targets).sum(axis=0)[None])[0]
        assert 100 * ours == pytest.approx(theirs.corpus_score(answers, [targets]).score, abs=1e-6)


def test_a_better_arm_is_shown_with_p_and_interval() -> None:
    found = {(one.metric, one.arm): one for one in corpus_scores(tabulate(_run({"base": 0.4, "lora": 0.2})))}
    assert found["bleu", "base"].difference is None
    for metric in ("bleu", "chrf"):
        lora = found[metric, "lora"]
        assert lora.interval is not None
        assert lora.p is not None
        assert (lora.baseline, lora.p < 0.001, lora.interval.low > 0) == ("base", True, True)


def test_samples_of_one_source_have_no_difference() -> None:
    run = _run({"base": 0.4, "lora": 0.2}, n=5, cluster="book")
    for one in corpus_scores(tabulate(run)):
        assert (one.difference, one.interval, one.p, one.n) == (None, None, None, 5)
        ending = "the reference (n=5)" if one.arm == "base" else "sources are shared with base to compare them"
        assert one.sentence.endswith(ending)
    assert "sources are shared with base to compare them" in comparison(run)


def test_an_arm_whose_first_draws_all_failed_has_no_corpus_score() -> None:
    run = _run({"base": 0.4, "lora": 0.2})
    rows = [replace(row, draw=1, draws=2) if row.arm == "lora" else row for row in run.rows]
    assert {one.arm for one in corpus_scores(tabulate(replace(run, rows=tuple(rows))))} == {"base"}


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_equal_arms_are_seldom_found_different(metric: str) -> None:
    p_low = outside = 0
    for seed in range(150):
        sides = [statistics(metric, *_again(seed, which)) for which in (1, 2)]
        p_low += corpus_p(sides[0], sides[1], METRICS[metric], draws=500)[1] <= 0.05
        interval = jackknife(sides[0], sides[1], METRICS[metric])
        outside += not interval.low <= 0 <= interval.high
    assert p_low <= 15  # 7.5 expected; 16 or more has a chance below 1 in 200
    assert outside <= 15


def _again(seed: int, which: int) -> tuple[list[str], list[str]]:
    """Two arms of the same quality on the same targets."""
    rng, (_, targets) = np.random.default_rng([seed, which]), _texts(seed, 60, 0.0)
    noisy = [[str(rng.choice(WORDS)) if rng.random() < 0.3 else word for word in t.split()] for t in targets]
    return [" ".join(words) for words in noisy], targets


def test_equal_answers_leave_room_and_sources_widen() -> None:
    same = [one for one in corpus_scores(tabulate(_run({"base": 0.3, "lora": 0.3}))) if one.interval]
    assert all(one.interval and one.interval.low < 0 < one.interval.high and one.p == 1 for one in same)
    plain = corpus_scores(tabulate(_run({"base": 0.4, "lora": 0.3})))[1]
    apart = corpus_scores(tabulate(_run({"base": 0.4, "lora": 0.3}, cluster="book")))[1]
    assert plain.difference == pytest.approx(apart.difference)
    assert plain.interval != apart.interval


def test_they_are_shown_in_table_report_and_json(tmp_path: Path) -> None:
    run = _run({"base": 0.4, "lora": 0.2})
    said = "chrf over all answers: lora "
    assert said in comparison(run)
    paths = write_report([run], tmp_path / "r.html")
    assert said in paths.markdown.read_text("utf-8")
    assert said in paths.html.read_text("utf-8")
    assert len(verdict_json(run)["corpus_scores"]) == 4
    assert json.loads(paths.verdict.read_text())["corpus_scores"][1]["metric"] == "bleu"


def test_a_suite_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_project(tmp_path)
    file = tmp_path / "suites" / "sums" / "suite.yaml"
    file.write_text(file.read_text() + "corpus_scores: [chrf]\n")
    monkeypatch.chdir(tmp_path)
    assert main(["run", "-s", "sums", "-a", "base", "-a", "lora"]) == 0
    assert "sums: chrf over all answers: lora 100.0 %; against base +" in capsys.readouterr().out
    file.write_text(file.read_text().replace("[chrf]", "[chrff]"))
    with pytest.raises(SuiteError, match=r"corpus_scores: no score 'chrff'. Did you mean 'chrf'"):
        read_suite("sums", tmp_path)
