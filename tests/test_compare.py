"""Two arms on the same samples: paired by content, refused when they were not measured the same way."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from runs import make_run, right

from harness.compare import compare, compare_runs, summarize
from harness.data import Completion, Run
from harness.errors import EXIT_NOT_COMPARABLE, NotComparable, RunError
from harness.stats.paired import mean_interval


def _two(candidate: list[float | None], **kwargs: Any) -> Run:
    return make_run({"sql": {"base": right(40, 100), "lora": candidate}}, **kwargs)


def test_a_comparison_holds_difference_interval_and_flips() -> None:
    c = compare(_two([*right(70, 100)]), "sql", "base", "lora")
    assert (c.n, c.missing, c.wins, c.losses, c.ties) == (100, 0, 30, 0, 70)
    assert c.difference == pytest.approx(0.3)
    assert c.interval.low < 0.3 < c.interval.high
    assert (c.interval.method, c.p_method) == ("Tango score", "mid-p McNemar")
    assert c.p < 1e-6
    assert c.mde == pytest.approx(2.80 * (0.3 / 100) ** 0.5, abs=0.001)
    assert c.note == ""


def test_shuffled_rows_give_the_same_result() -> None:
    plain = compare(_two([*right(70, 100)]), "sql", "base", "lora")
    shuffled = compare(_two([*right(70, 100)], shuffle=5), "sql", "base", "lora")
    assert shuffled == plain


def test_pairs_are_made_by_content_even_when_ids_differ() -> None:
    run = _two([*right(70, 100)])
    renamed = dataclasses.replace(
        run,
        rows=tuple(dataclasses.replace(row, sample=f"other-{row.sample}") for row in reversed(run.rows)),
        scores=tuple(dataclasses.replace(s, sample=f"other-{s.sample}") for s in run.scores),
    )
    assert compare_runs(run, "base", renamed, "lora", "sql") == compare(run, "sql", "base", "lora")


def test_graded_scores_take_the_paired_t_interval() -> None:
    run = make_run({"soap": {"base": [0.1, 0.5, 0.9] * 20, "lora": [0.3, 0.5, 1.0] * 20}})
    c = compare(run, "soap", "base", "lora")
    assert (c.interval.method, c.p_method) == ("paired t", "paired t")
    assert (c.wins, c.losses) == (40, 0)


def test_missing_rows_are_counted_not_hidden() -> None:
    c = compare(_two([*right(70, 100)[:60], *[None] * 40]), "sql", "base", "lora")
    assert (c.n, c.missing) == (60, 40)
    assert "40 of 100 samples are missing" in c.note


def test_samples_missing_on_both_sides_are_counted_too() -> None:
    gone: list[float | None] = [*right(40, 100)[:60], *[None] * 40]
    run = make_run({"sql": {"base": gone, "lora": gone}})
    run.manifest["suites"]["sql"]["n_test"] = 100
    assert compare(run, "sql", "base", "lora").missing == 40


def test_a_limited_run_is_held_to_its_limit() -> None:
    run = make_run({"sql": {"base": right(4, 10), "lora": right(5, 10)}})
    run.manifest["suites"]["sql"] |= {"n_test": 200, "n_asked": 10}
    assert compare(run, "sql", "base", "lora").missing == 0


def test_an_answer_the_engine_failed_to_give_is_missing_not_wrong() -> None:
    run = _two([*right(70, 100)])
    broken = dataclasses.replace(run.rows[-1], completion=Completion("", finish_reason="error"))
    c = compare(dataclasses.replace(run, rows=(*run.rows[:-1], broken)), "sql", "base", "lora")
    assert (c.n, c.missing) == (99, 1)


def test_a_repeated_row_counts_once_and_the_later_score_wins() -> None:
    run = _two([*right(70, 100)])
    again = dataclasses.replace(run, rows=run.rows + run.rows[:7], scores=run.scores + run.scores[:7])
    assert compare(again, "sql", "base", "lora") == compare(run, "sql", "base", "lora")


def test_a_question_asked_twice_counts_once_with_its_mean_score() -> None:
    run = make_run({"sql": {"base": [1, 0, 1, 0], "lora": [1, 1, 1, 0]}})
    same = {"h-sql-0000": "h-sql-0001"}
    twice = dataclasses.replace(
        run,
        rows=tuple(
            dataclasses.replace(row, sample_digest=same.get(row.sample_digest, row.sample_digest)) for row in run.rows
        ),
    )
    c = compare(twice, "sql", "base", "lora")
    assert (c.n, c.missing) == (3, 0)
    assert c.baseline_mean == pytest.approx((0.5 + 1 + 0) / 3)


@pytest.mark.parametrize(("value", "word"), [(0.0, "0 %"), (1.0, "100 %")])
def test_floor_and_ceiling_are_named(value: float, word: str) -> None:
    run = make_run({"sql": {"base": [value] * 50, "lora": [value] * 50}})
    assert compare(run, "sql", "base", "lora").note == f"both at {word}: this suite cannot tell them apart"


def test_few_samples_are_named() -> None:
    run = make_run({"sql": {"base": right(4, 10), "lora": right(5, 10)}})
    assert "only 10 samples" in compare(run, "sql", "base", "lora").note


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2, "digest": "d2"}, "suite version 1 and 2"),
        ({"digest": "d2"}, "suite digest digest-sql and d2"),
        ({"sampling": {"max_tokens": 8, "temperature": 0.0}}, "sampling"),
        ({"scorers": [{"name": "match", "scorer": "sql", "options": {}, "primary": True}]}, "scorers"),
    ],
)
def test_another_suite_version_scorer_or_sampling_is_refused_before_any_number(
    change: dict[str, Any], words: str
) -> None:
    a, b = _two([*right(70, 100)]), _two([*right(70, 100)], suite=change)
    with pytest.raises(NotComparable, match=f"sql: measured in two ways: .*{words}") as caught:
        compare_runs(a, "base", b, "lora", "sql")
    assert caught.value.exit_code == EXIT_NOT_COMPARABLE


@pytest.mark.parametrize("shared", [0, 1])
def test_fewer_than_two_shared_samples_are_refused(shared: int) -> None:
    values: list[float | None] = [1.0] * shared + [None] * (9 - shared)
    other: list[float | None] = [0.0] * shared + [None] * (8 - shared) + [1.0]
    run = make_run({"sql": {"base": [*values, 1.0, None], "lora": [*other, None, 1.0]}})
    with pytest.raises(NotComparable, match=f"share {shared} scored samples"):
        compare(run, "sql", "base", "lora")


@pytest.mark.parametrize(
    ("suite", "arm", "scorer", "words"),
    [
        ("sqll", "lora", None, "no suite 'sqll'. Did you mean 'sql'"),
        ("sql", "lorra", None, "no arm 'lorra'. Did you mean 'lora'"),
        ("sql", "lora", "macth", "no scorer 'macth'. Did you mean 'match'"),
    ],
)
def test_unknown_names_are_the_users_mistake(suite: str, arm: str, scorer: str | None, words: str) -> None:
    with pytest.raises(RunError, match=words):
        compare(_two([*right(70, 100)]), suite, "base", arm, scorer)


def test_a_summary_holds_score_tokens_and_engine_seconds() -> None:
    run = _two([*right(70, 100)], seconds={"sql": {"base": 5.0}})
    base, lora = summarize(run)
    assert (base.arm, base.n, base.mean, base.fine_tuned) == ("base", 100, 0.4, False)
    assert base.interval.method == "Wilson"
    assert (base.prompt_tokens, base.completion_tokens, base.seconds) == (20, 10, pytest.approx(0.1))
    assert base.engine_seconds == pytest.approx(0.05)
    assert lora.engine_seconds is None
    assert lora.fine_tuned


def test_reused_answers_do_not_dilute_engine_seconds() -> None:
    run = _two([*right(70, 100)], seconds={"sql": {"base": 5.0}})
    rows = tuple(dataclasses.replace(r, reused=i < 50) if r.arm == "base" else r for i, r in enumerate(run.rows))
    assert summarize(dataclasses.replace(run, rows=rows))[0].engine_seconds == pytest.approx(0.1)


SOURCES = {"sql": [{"text": f"t{i // 10}"} for i in range(200)]}
BY_TEXT = {"metadata": SOURCES, "suite": {"cluster": "text"}}


def test_samples_of_one_source_widen_the_interval_of_one_arm() -> None:
    scores = {"sql": {"base": right(100, 200), "lora": [0.5] * 100 + [0.9] * 100}}
    plain, by_text = summarize(make_run(scores)), summarize(make_run(scores, **BY_TEXT))
    for alone, apart in zip(plain, by_text, strict=True):
        assert apart.interval.low < alone.interval.low - 0.05
        assert apart.interval.high > alone.interval.high + 0.05
        assert apart.interval.method == f"{alone.interval.method}, by clusters"
    one = make_run(scores, metadata={"sql": [{"text": "t"}] * 200}, suite={"cluster": "text"})
    assert [(s.interval.low, s.interval.high) for s in summarize(one)] == [(0, 1), (0, 1)]


def test_the_intervals_of_one_arm_by_clusters_cover() -> None:
    """20 sources of 10 samples, each wholly right or wrong with probability 0.7: plain intervals hold in 40 %."""
    rng = np.random.default_rng(5)
    held = alone = 0
    for _ in range(400):
        values = [float(v) for v in np.repeat(rng.random(20) < 0.7, 10)]
        own = mean_interval(values, clusters=[f"g{i // 10}" for i in range(200)])
        held += own.low <= 0.7 <= own.high
        alone += (plain := mean_interval(values)).low <= 0.7 <= plain.high
    assert held >= 0.92 * 400
    assert alone <= 0.6 * 400
