"""The gate: each exit code, and the ways a gate must not be fooled."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from runs import failed, make_run, right

from harness import margins
from harness.compare import Pairs, compare_pairs
from harness.data import Run
from harness.errors import EXIT_INCONCLUSIVE, EXIT_NOT_COMPARABLE, EXIT_OK, EXIT_REGRESSION, RunError
from harness.gate import GateResult, gate, gate_json, judge
from harness.margins import hold, macro_bounds
from harness.policy import MACRO_MARGIN, Policy, Rule
from harness.stats.sequential import schedule


def _run(suites: dict[str, list[Any]], path: str = "runs/r", **kwargs: Any) -> Run:
    return make_run({suite: {"lora": scores} for suite, scores in suites.items()}, path=path, **kwargs)


def _gate(
    base: dict[str, list[Any]], cand: dict[str, list[Any]], margin: float | None = None, **policy: Any
) -> GateResult:
    rules = (Rule("no_worse_than", margin),) if margin else ()
    return gate(_run(base, "runs/old"), "lora", _run(cand, "runs/new"), "lora", Policy(rules=rules, **policy))


def test_a_ceiling_is_held_to_nothing() -> None:
    run = make_run({"sql": {"base": right(100, 200), "ceiling": right(200, 200)}})
    for pair in (("base", "ceiling"), ("ceiling", "base")):
        with pytest.raises(RunError, match="arm 'ceiling' is shown the passages that hold the answer"):
            gate(run, pair[0], run, pair[1])


# --- each exit code --------------------------------------------------------------------------------------------------


def test_no_worse_holds() -> None:
    result = _gate({"sql": right(150, 200)}, {"sql": right(149, 200)})
    assert (result.status, result.exit_code) == ("PASS", EXIT_OK)
    assert result.sentence == (
        "PASS: runs/new:lora is no worse than runs/old:lora on 1 suite; closest: sql -0.5 points (at least -2.2, "
        "allowed -5.0, n=200, 0 wins, 1 loss)."
    )
    assert (result.baseline, result.candidate) == ("runs/old:lora", "runs/new:lora")


def test_a_regression_fails_and_names_its_suite() -> None:
    result = _gate({"sql": right(150, 200), "soap": right(90, 200)}, {"sql": right(150, 200), "soap": right(60, 200)})
    assert (result.status, result.exit_code) == ("FAIL", EXIT_REGRESSION)
    assert "worse than runs/old:lora on soap -15.0 points" in result.sentence
    assert "2 suites (Holm) tested" in result.sentence
    assert [row.worse for row in result.rows] == [False, True]


def test_too_few_samples_are_inconclusive_and_say_how_many_more() -> None:
    result = _gate({"sql": right(20, 40)}, {"sql": right(20, 40)})
    assert (result.status, result.exit_code) == ("INCONCLUSIVE", EXIT_INCONCLUSIVE)
    assert result.more_samples is not None
    assert "more samples per suite would tell." in result.sentence
    assert _gate({"sql": right(200, 400)}, {"sql": right(200, 400)}).more_samples is None


def test_a_mean_that_is_not_settled_says_how_many_more_samples_it_needs() -> None:
    base = {f"s{i}": right(30, 60) for i in range(2)}
    cand = {f"s{i}": right(30, 60, start=3) for i in range(2)}
    result = _gate(base, cand, margin=0.2)
    assert all(row.holds for row in result.rows)
    assert result.status == "INCONCLUSIVE"
    assert "the mean over suites 0.0 points, possibly -" in result.sentence
    assert result.more_samples is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "suite version 1 and 2"),
        ({"digest": "other"}, "suite digest digest-sql and other"),
        ({"sampling": {"max_tokens": 1}}, "sampling"),
        ({"scorers": [{"name": "match", "scorer": "other", "options": {}, "primary": True}]}, "scorers"),
    ],
)
def test_another_way_of_measuring_is_not_comparable(change: dict[str, Any], words: str) -> None:
    old, new = _run({"sql": right(150, 200)}), _run({"sql": right(150, 200)}, suite=change)
    result = gate(old, "lora", new, "lora")
    assert (result.status, result.exit_code) == ("NOT COMPARABLE", EXIT_NOT_COMPARABLE)
    assert words in result.sentence
    assert result.rows == ()


@pytest.mark.parametrize(
    ("arms", "suites", "words"),
    [
        (("lora", "lorra"), None, "no arm 'lorra'. Did you mean 'lora'"),
        (("lorra", "lora"), None, "no arm 'lorra'"),
        (("lora", "lora"), ["sqll"], "no suite 'sqll' in either run. Did you mean 'sql'"),
    ],
)
def test_unknown_names_are_the_users_mistake(arms: tuple[str, str], suites: list[str] | None, words: str) -> None:
    run = _run({"sql": right(150, 200)})
    with pytest.raises(RunError, match=words):
        gate(run, arms[0], run, arms[1], Policy(suites=suites and dict.fromkeys(suites, ())))


# --- ways to be fooled -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", [199, 100, 1, 0])
def test_missing_rows_never_pass(left: int) -> None:
    scores = right(150, 200)
    result = _gate({"sql": scores}, {"sql": [*scores[:left], *[None] * (200 - left)]})
    assert result.exit_code == EXIT_NOT_COMPARABLE
    assert result.differing == (f"sql: {200 - left} of 200 samples are missing in runs/new:lora",)


def test_rows_missing_on_both_sides_never_pass() -> None:
    half = [*right(80, 200)[:100], *[None] * 100]
    result = _gate({"sql": half}, {"sql": half})
    assert result.exit_code == EXIT_NOT_COMPARABLE
    assert "100 of 200 samples are missing" in result.sentence


def test_a_suite_the_candidate_did_not_run_never_passes() -> None:
    result = _gate({"sql": right(150, 200), "soap": right(90, 200)}, {"sql": right(150, 200)})
    assert result.exit_code == EXIT_NOT_COMPARABLE
    assert "soap: runs/new did not run it" in result.sentence


def test_a_suite_whose_answers_all_failed_never_passes() -> None:
    both = {"sql": right(150, 200), "soap": right(90, 200)}
    old, new = (failed(_run(both, path), "soap", "lora") for path in ("runs/old", "runs/new"))
    for missing in ("fail", "not comparable"):
        result = gate(old, "lora", new, "lora", Policy(missing=missing))  # type: ignore[arg-type]
        assert result.exit_code == EXIT_NOT_COMPARABLE
        assert "soap: 200 of 200 samples are missing in runs/old:lora" in result.sentence
    result = gate(_run(both, "runs/old"), "lora", new, "lora", Policy(missing="fail"))
    assert (result.status, result.differing) == ("FAIL", ("soap: 200 of 200 samples are missing in runs/new:lora",))


def test_a_gate_over_nothing_never_passes() -> None:
    run = make_run({"sql": {"base": right(9, 20), "lora": right(9, 20)}})
    empty = make_run({"sql": {"base": right(9, 20), "lora": [None] * 20}})
    assert gate(empty, "lora", run, "lora").exit_code == EXIT_NOT_COMPARABLE


def test_a_suite_only_the_candidate_ran_is_a_note() -> None:
    result = _gate({"sql": right(150, 200)}, {"sql": right(150, 200), "soap": right(90, 200)})
    assert result.status == "PASS"
    assert "not held to anything: soap" in result.notes


def test_another_engine_is_a_note() -> None:
    old, new = _run({"sql": right(150, 200)}), _run({"sql": right(150, 200)}, engine={"name": "vllm", "version": "9"})
    assert "engine differs: fake 1 and vllm 9" in gate(old, "lora", new, "lora").notes


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("n", "status"), [(10, "INCONCLUSIVE"), (60, "PASS"), (400, "PASS")])
def test_the_same_answers_never_fail_in_any_order(n: int, status: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = {f"s{i}": [float(v) for v in generator.integers(0, 2, n)] for i in range(3)}
    old, new = _run(scores), _run(scores, shuffle=seed)
    result = gate(old, "lora", new, "lora")
    assert result.status == status
    assert all(row.interval.low < row.interval.high for row in result.rows)


def test_graded_suites_with_equal_scores_do_not_pass_on_a_zero_width_interval() -> None:
    few = [0.5, 0.7] * 10
    assert _gate({"soap": few}, {"soap": few}).status == "INCONCLUSIVE"
    many = [0.5, 0.7] * 100
    assert _gate({"soap": many}, {"soap": many}).status == "PASS"


def test_one_arm_of_a_run_can_be_held_to_another_arm_of_it() -> None:
    run = make_run({"sql": {"base": right(100, 200), "lora": right(60, 200)}})
    assert gate(run, "base", run, "lora").status == "FAIL"
    assert gate(run, "lora", run, "base").status == "PASS"


# --- the rule --------------------------------------------------------------------------------------------------------


def test_a_loss_within_every_margin_fails_unless_small_losses_are_tolerated() -> None:
    base, cand = {"sql": right(900, 1000)}, {"sql": right(888, 1000)}
    assert _gate(base, cand).status == "FAIL"
    tolerant = _gate(base, cand, tolerate_small=True)
    assert tolerant.status == "PASS"
    assert "a loss is shown, but it is within every margin" in tolerant.notes


def test_a_small_loss_everywhere_fails_on_the_mean_though_no_suite_is_shown_worse() -> None:
    scores = {f"s{i}": right(150, 200) for i in range(8)}
    worse = {f"s{i}": right(147, 200) for i in range(8)}
    result = _gate(scores, worse)
    assert not any(row.worse for row in result.rows)
    assert result.macro is not None
    assert result.macro.upper < 0
    assert result.status == "FAIL"
    assert "the mean over suites -1.5 points" in result.sentence


def test_one_suite_alone_is_held_to_its_own_margin_only() -> None:
    base, cand = right(150, 200), right(150, 200, start=8)
    narrow = _gate({"sql": base}, {"sql": cand}, margin=0.03)
    assert narrow.status == "INCONCLUSIVE"
    wide = _gate({"sql": base}, {"sql": cand}, margin=0.10)
    assert (wide.status, wide.macro) == ("PASS", None)


def test_only_the_named_suites_are_held() -> None:
    base, cand = {"sql": right(150, 200), "soap": right(90, 200)}, {"sql": right(150, 200), "soap": right(60, 200)}
    result = _gate(base, cand, suites={"sql": ()})
    assert (result.status, [row.suite for row in result.rows]) == ("PASS", ["sql"])


@cache
def _table(wins: int, losses: int, n: int, look: int = 0, whole: int = 0) -> Pairs:
    """Scores of two arms with so many wins and losses; look: of five at `whole` samples, 0 for none."""
    rest = (1.0,) * (n - wins - losses)
    return Pairs(
        (0.0,) * wins + (1.0,) * losses + rest,
        (1.0,) * wins + (0.0,) * losses + rest,
        ("",) * n,
        0,
        sizes=schedule(whole) if look else (),
        look=look,
    )


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds and p values of the same table are worked out once."""
    for name in ("difference_bound", "difference_p"):
        monkeypatch.setattr(margins, name, cache(getattr(margins, name)))


_compared = cache(lambda pairs: compare_pairs("s", "match", "a", "b", pairs))


def _status(pairs: list[Pairs]) -> str:
    rows = hold([_compared(p) for p in pairs], pairs, [0.10] * len(pairs))
    return judge(rows, macro_bounds(pairs, MACRO_MARGIN))[0]


def _rates(change: list[float], runs: int, n: int = 300) -> tuple[float, float]:
    """(share of FAIL, share of PASS) at 20 % disagreement."""
    generator = np.random.default_rng(2)
    counts = {"FAIL": 0, "PASS": 0, "INCONCLUSIVE": 0}
    rates = [[(0.2 + d) / 2, (0.2 - d) / 2, 0.8] for d in change]
    for _ in range(runs):
        drawn = [generator.multinomial(n, rate) for rate in rates]
        counts[_status([_table(int(wins), int(losses), n) for wins, losses, _ in drawn])] += 1
    return counts["FAIL"] / runs, counts["PASS"] / runs


UNCHANGED, ONE_DOWN, ALL_DOWN = [0.0] * 10, [0.0] * 9 + [-0.10], [-0.03] * 10


@pytest.mark.usefixtures("remembered")
def test_ten_suites_unchanged_pass_and_rarely_fail_and_a_loss_hardly_ever_passes() -> None:
    fail, passed = _rates(UNCHANGED, runs=4_000)
    assert fail <= 0.05
    assert passed >= 0.78
    fail, passed = _rates(ONE_DOWN, runs=4_000)
    assert fail >= 0.78
    assert passed <= 0.05
    assert _rates(ALL_DOWN, runs=4_000)[1] <= 0.05


def _looked(change: list[float], runs: int, n: int = 300) -> tuple[float, float, float]:
    """(share of FAIL, share of PASS, share of samples used) with five looks, at 20 % disagreement."""
    generator = np.random.default_rng(4)
    sizes = schedule(n)
    counts, used = {"FAIL": 0, "PASS": 0, "INCONCLUSIVE": 0}, 0
    for _ in range(runs):
        draws = generator.random((len(change), n))
        wins = np.array([np.cumsum(draws[i] < (0.2 + d) / 2) for i, d in enumerate(change)])
        losses = np.array([np.cumsum(draws[i] > 1 - (0.2 - d) / 2) for i, d in enumerate(change)])
        for look, size in enumerate(sizes, 1):
            tables = zip(wins[:, size - 1], losses[:, size - 1], strict=True)
            status = _status([_table(int(w), int(b), size, look, n) for w, b in tables])
            if status != "INCONCLUSIVE":
                break
        counts[status] += 1
        used += size
    return counts["FAIL"] / runs, counts["PASS"] / runs, used / runs / n


@pytest.mark.usefixtures("remembered")
@pytest.mark.parametrize(("n", "least", "most"), [(300, 0.78, 0.90), (500, 0.95, 0.71)])
def test_five_looks_pass_an_unchanged_candidate_with_fewer_samples(n: int, least: float, most: float) -> None:
    fail, passed, used = _looked(UNCHANGED, 2_000, n)
    assert fail <= 0.05
    assert passed >= least
    assert used <= most


@pytest.mark.usefixtures("remembered")
@pytest.mark.parametrize("change", [ONE_DOWN, ALL_DOWN])
def test_five_looks_do_not_pass_a_loss(change: list[float]) -> None:
    _, passed, used = _looked(change, 2_000)
    assert passed <= 0.05
    assert used <= 0.9


# --- gate.json -------------------------------------------------------------------------------------------------------


def test_gate_json_is_json_with_status_exit_code_and_rows() -> None:
    value = json.loads(
        json.dumps(gate_json(_gate({"sql": right(150, 200)}, {"sql": right(120, 200)})), allow_nan=False)
    )
    assert (value["format"], value["status"], value["exit_code"]) == (1, "FAIL", 1)
    assert value["rows"][0]["suite"] == "sql"
    assert value["rows"][0]["interval"]["method"] == "Tango score"
    unequal = gate(_run({"sql": right(9, 20)}), "lora", _run({"sql": right(9, 20)}, suite={"version": 2}), "lora")
    assert json.loads(json.dumps(gate_json(unequal)))["differing"] == ["sql: suite version 1 and 2"]
