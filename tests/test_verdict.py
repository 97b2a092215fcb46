"""The decision: words, sentences, and what they rest on."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import ARMS, failed, make_run, right

from harness.compare import Pairs, tabulate
from harness.data import Completion, Run, Verdict
from harness.ladder import judge_gain, judge_loss
from harness.report import write_report
from harness.report.trust import checks
from harness.report.view import view
from harness.roles import by_cost
from harness.tables import comparison, comparison_markdown, decision
from harness.verdict import break_even, comparisons, decide, picks, verdict_json


def _of(run: Run, suite: str, candidate: str = "lora", **kwargs: Any) -> Verdict:
    (found,) = [v for v in decide(run, **kwargs) if (v.suite, v.candidate) == (suite, candidate)]
    return found


def _sql(lora: list[float | None], **kwargs: Any) -> Run:
    prompted = right(45, 200)
    for i in (197, 198, 199):
        prompted[i] = 1.0
    return make_run({"sql": {"base": right(5, 200), "prompted": prompted, "lora": lora}}, **kwargs)


KNOWS: list[float | None] = [*right(157, 200)]


# --- one suite -------------------------------------------------------------------------------------------------------


def test_adapter_that_knows_the_answers_is_adopted() -> None:
    verdict = _of(_sql(KNOWS), "sql")
    assert (verdict.decision, verdict.reference) == ("adopt", "prompted")
    assert verdict.sentence == (
        "sql: adopt lora. It answers 78.5 % right against 24.0 % for prompted, the best arm without fine-tuning: "
        "+54.5 points (95 % CI +46.9 to +61.5, n=200 paired, 112 wins, 3 losses)."
    )
    assert verdict.more_samples is None


def test_a_ceiling_is_neither_the_reference_nor_adopted() -> None:
    scores = {"base": right(5, 200), "ceiling": right(200, 200), "lora": KNOWS, "lora+ceiling": right(200, 200)}
    run = make_run({"sql": scores})
    (verdict,) = [v for v in decide(run) if v.suite == "sql"]
    assert (verdict.decision, verdict.candidate, verdict.reference) == ("adopt", "lora", "base")
    assert picks(run) == {"sql": "lora"}
    assert {c.baseline for c in comparisons(run)} == {"base"}
    assert {c.candidate for c in comparisons(run)} == {"lora", "ceiling", "lora+ceiling"}


@pytest.mark.parametrize("arms", [("base", "ceiling"), ("ceiling",), ("ceiling", "lora+ceiling")])
def test_a_ceiling_beside_nothing_to_choose_from_decides_nothing(arms: tuple[str, ...]) -> None:
    run = make_run({"sql": {arm: right(150, 200) for arm in arms}})
    assert {v.decision for v in decide(run)} == {"not decided"}
    assert picks(run) == ({"sql": "base"} if "base" in arms else {})


def test_a_suite_whose_answers_all_failed_is_not_left_out() -> None:
    run = failed(
        make_run({"sql": {"base": right(9, 60), "lora": right(50, 60)}, "soap": {"base": [1.0] * 60}}), "soap", "base"
    )
    verdict = _of(run, "soap", "base")
    assert verdict.decision == "not comparable"
    assert "base answered no sample, the engine failed on all of them" in verdict.sentence
    (coverage,) = [check.text for check in checks(tabulate(run), decide(run)) if check.text.startswith("Answers are")]
    assert "base on soap: 0 of 60" in coverage
    assert comparison(run).endswith("Use lora for sql. Nothing was answered on soap.")


@pytest.mark.parametrize("arms", [("base", "lora"), ("base", "prompted", "lora")])
@pytest.mark.parametrize("kind", ["skill", "general"])
def test_a_candidate_whose_answers_all_failed_is_not_comparable(
    arms: tuple[str, ...], kind: str, tmp_path: Path
) -> None:
    run = failed(make_run({"sql": {arm: right(30, 60) for arm in arms}}, kinds={"sql": kind}), "sql", "lora")
    verdict = _of(run, "sql")
    assert (verdict.decision, verdict.reference) == ("not comparable", "base")
    assert verdict.sentence == "sql: not comparable: lora and base share 0 scored samples. Finish the run."
    assert "share 0 scored samples" in write_report([run], tmp_path / "r.html").markdown.read_text("utf-8")


def test_a_general_suite_of_plain_arms_alone_is_not_decided(tmp_path: Path) -> None:
    plain = dict(ARMS["base"])
    run = make_run({"all": {"base": right(30, 60), "large": right(40, 60)}}, kinds={"all": "general"})
    run.manifest["arms"]["large"] = plain | {"model": "m7"}
    (verdict,) = decide(run)
    assert (verdict.suite, verdict.decision) == ("all", "not decided")
    assert "no arm has its base beside it" in verdict.sentence
    assert write_report([run], tmp_path / "r.html").html.is_file()


def test_adapter_that_knows_nothing_is_not_adopted() -> None:
    verdict = _of(_sql([0.0] * 200), "sql")
    assert verdict.decision == "do not adopt"
    assert verdict.sentence.startswith("sql: do not adopt lora. It answers 0.0 % right against 24.0 % for prompted")


def test_the_same_answers_from_few_samples_decide_nothing() -> None:
    run = make_run({"sql": {"base": right(20, 40), "lora": right(20, 40)}})
    verdict = _of(run, "sql")
    assert verdict.decision == "not decided"
    assert "0.0 points (95 % CI -8.8 to +8.8, n=40 paired, 0 wins, 0 losses)" in verdict.sentence
    assert "This run can see differences from" in verdict.sentence
    assert verdict.more_samples is not None


def test_the_same_answers_from_many_samples_keep_the_cheaper_arm() -> None:
    run = make_run({"sql": {"base": right(300, 500), "lora": right(300, 500)}})
    verdict = _of(run, "sql")
    assert verdict.decision == "do not adopt"
    assert "a gain of 3 points or more is ruled out" in verdict.sentence


def test_a_small_gain_is_not_decided_and_says_how_many_more_samples_would() -> None:
    base, lora = right(50, 100), right(52, 100, start=10)
    run = make_run({"sql": {"base": base, "lora": lora}})
    verdict = _of(run, "sql")
    assert verdict.decision == "not decided"
    assert verdict.more_samples is not None
    assert verdict.more_samples > 100
    assert "more samples would decide it" in verdict.sentence
    assert verdict.would_change.startswith("About ")


def test_a_shown_gain_below_what_counts_is_not_bought() -> None:
    base = right(900, 2000)
    lora = right(940, 2000)
    verdict = _of(make_run({"sql": {"base": base, "lora": lora}}), "sql")
    assert verdict.decision == "do not adopt"
    assert "a gain of 3 points or more is ruled out" in verdict.sentence
    assert _of(make_run({"sql": {"base": base, "lora": lora}}), "sql", gain=0.01).decision == "adopt"


@pytest.mark.parametrize("wins", [1_000, 1_400])
def test_more_samples_rule_out_a_gain_that_does_not_count(wins: int) -> None:
    """A true gain of 1 point, or one of 2 shown to be below 3, is refused however many samples show it above zero."""
    base, other = [0.0] * wins + [1.0] * 59_000, [1.0] * wins + [0.0] * 400 + [1.0] * 58_600
    assert judge_gain(Pairs(tuple(base), tuple(other), (), 0)) == ("do not adopt", "ruled out")


def test_a_suite_nobody_can_answer_is_not_decided() -> None:
    verdict = _of(make_run({"sql": {"base": [0.0] * 200, "lora": [0.0] * 200}}), "sql")
    assert verdict.decision == "not decided"
    assert "both at 0 %: this suite cannot tell them apart" in verdict.sentence
    assert verdict.more_samples is None


def test_a_suite_everybody_answers_says_so() -> None:
    verdict = _of(make_run({"sql": {"base": [1.0] * 40, "lora": [1.0] * 40}}), "sql")
    assert verdict.decision == "not decided"
    assert any("Both at 100 %: this suite cannot tell them apart." in reason for reason in verdict.reasons)


def test_every_verdict_says_what_the_run_can_see() -> None:
    for verdict in decide(_sql(KNOWS)):
        if verdict.suite != "overall":
            assert verdict.reasons[0].startswith("This run can see differences from")


def test_a_reference_chosen_on_the_same_samples_is_said() -> None:
    assert (
        "Reference prompted was chosen among 2 arms on the same samples, which favours it: an equal candidate is shown "
        "worse in up to 5.0 % of runs, not 2.5 %."
    ) in _of(_sql(KNOWS), "sql").reasons
    one = make_run({"sql": {"base": right(5, 200), "lora": KNOWS}})
    assert "the only arm without fine-tuning" in _of(one, "sql").sentence
    assert not any("chosen" in reason for reason in _of(one, "sql").reasons)


def test_shuffled_rows_give_the_same_verdicts() -> None:
    assert decide(_sql(KNOWS, shuffle=3)) == decide(_sql(KNOWS))


def test_missing_rows_that_could_turn_the_decision_are_not_comparable() -> None:
    verdict = _of(_sql([*KNOWS[:80], *[None] * 120]), "sql")
    assert verdict.decision == "not comparable"
    assert "120 of 200 samples are missing, which could turn the decision" in verdict.sentence


def test_missing_rows_that_could_not_turn_the_decision_are_shown() -> None:
    verdict = _of(_sql([*KNOWS[:198], None, None]), "sql")
    assert verdict.decision == "adopt"
    assert any("2 of 200 samples are missing" in reason for reason in verdict.reasons)


def test_no_shared_sample_is_not_comparable() -> None:
    lora: list[float | None] = [None] * 199 + [1.0]
    verdict = _of(_sql(lora), "sql")
    assert verdict.decision == "not comparable"
    assert "share 1 scored sample" in verdict.sentence


def test_graded_scores_are_said_as_scores_not_as_right_answers() -> None:
    run = make_run({"soap": {"base": [0.1, 0.5, 0.6] * 30, "lora": [0.6, 0.8, 1.0] * 30}})
    verdict = _of(run, "soap")
    assert verdict.decision == "adopt"
    assert verdict.sentence.startswith("soap: adopt lora. It scores 80.0 % against 40.0 % for base")


def test_complete_failures_of_a_graded_score_have_a_row_of_their_own() -> None:
    base, lora = [0.8] * 200, [0.9] * 192 + [0.0] * 8
    found = comparisons(make_run({"soap": {"prompted": base, "lora": lora}}))
    assert [c.scorer for c in found] == ["match", "match above 0", "match where both are above 0"]
    mean, failures, rest = found
    assert mean.difference > 0
    assert (failures.losses, failures.p_method) == (8, "mid-p McNemar")
    assert failures.interval.high < 0
    assert (rest.n, rest.difference) == (192, pytest.approx(0.1))
    assert [c.scorer for c in comparisons(make_run({"soap": {"prompted": base, "lora": [0.9] * 200}}))] == ["match"]


def test_new_complete_failures_are_said_wherever_the_comparison_is(tmp_path: Path) -> None:
    base, lora = [0.8] * 200, [0.9] * 192 + [0.0] * 8
    run = make_run({"soap": {"prompted": base, "lora": lora}})
    said = "4.0 % new complete failures (score 0 or no answer; 8 of 200, 0 the other way)"
    verdict = _of(run, "soap")
    assert verdict.decision == "adopt"
    assert any(reason.startswith(said) and reason.endswith(", shown.") for reason in verdict.reasons)
    paths = write_report([run], tmp_path / "r.html")
    assert said in paths.markdown.read_text("utf-8").replace("\\", "")
    assert said in paths.html.read_text("utf-8").replace("\u00a0", " ").replace("&nbsp;", " ")
    assert comparison(run).splitlines()[3].endswith("8 of 200, shown  adopt")


def test_an_answer_that_was_not_given_is_a_complete_failure() -> None:
    run = make_run({"soap": {"prompted": [0.8] * 200, "lora": [0.9] * 200}})
    rows = [
        dataclasses.replace(row, completion=Completion("", finish_reason="error"))
        if row.arm == "lora" and row.sample < "soap-0009"
        else row
        for row in run.rows
    ]
    mean, failures, rest = comparisons(dataclasses.replace(run, rows=tuple(rows)))
    assert (mean.n, mean.missing) == (191, 9)
    assert (failures.n, failures.missing, failures.losses) == (200, 0, 9)
    assert rest.n == 191


def test_one_arm_alone_decides_nothing() -> None:
    (verdict,) = decide(make_run({"sql": {"base": right(5, 20)}}))
    assert verdict.decision == "not decided"
    assert verdict.sentence.startswith("sql: not decided: only one arm (base) was run.")


def test_an_empty_run_has_no_verdict() -> None:
    assert decide(make_run({})) == []


def test_without_a_fine_tuned_arm_the_dearer_arms_are_held_to_the_cheapest() -> None:
    run = make_run({"sql": {"prompted": right(90, 200), "base": right(20, 200), "bigger": right(30, 200)}})
    verdicts = {v.candidate: v for v in decide(run) if v.suite == "sql"}
    assert set(verdicts) == {"prompted", "bigger"}
    assert verdicts["prompted"].decision == "adopt"
    assert "for base, the cheapest arm" in verdicts["prompted"].sentence


def test_a_dearer_candidate_must_beat_the_adopted_cheaper_one() -> None:
    run = make_run(
        {"sql": {"base": right(20, 400), "rag": right(40, 400), "lora": right(300, 400), "lora+rag": right(302, 400)}}
    )
    assert _of(run, "sql", "lora").decision == "adopt"
    both = _of(run, "sql", "lora+rag")
    assert both.decision == "do not adopt"
    assert "but lora, which costs less, is adopted already: against it lora+rag is +0.5 points" in both.sentence


def test_a_dearer_candidate_that_beats_the_cheaper_one_is_adopted_too() -> None:
    run = make_run({"sql": {"base": right(20, 400), "lora": right(200, 400), "lora+rag": right(300, 400)}})
    assert [v.decision for v in decide(run) if v.suite == "sql"] == ["adopt", "adopt"]
    assert picks(run) == {"sql": "lora+rag"}


def test_a_bigger_model_as_reference_is_said_and_the_own_model_is_compared_too() -> None:
    run = make_run({"sql": {"prompted": right(60, 200), "bigger": right(150, 200), "lora": right(100, 200)}})
    verdict = _of(run, "sql")
    assert (verdict.decision, verdict.reference) == ("do not adopt", "bigger")
    assert any(r.startswith("On its own model, against prompted (30.0 %): +20.0 points") for r in verdict.reasons)


# --- knowledge -------------------------------------------------------------------------------------------------------


def _handbook(lora: list[float], rag: list[float] | None = None) -> Run:
    arms = {"base": right(5, 200), "prompted": right(10, 200), "lora": lora} | ({"rag": rag} if rag else {})
    return make_run({"handbook": arms}, kinds={"handbook": "knowledge"})


def test_facts_that_can_be_looked_up_are_not_trained() -> None:
    verdict = _of(_handbook(right(30, 200), rag=right(184, 200)), "handbook")
    assert verdict.sentence == (
        "handbook: do not adopt lora: do not fine-tune for facts that can be looked up. rag, the best arm without "
        "fine-tuning, answers 92.0 % right, lora 15.0 %: -77.0 points (95 % CI -82.3 to -70.7, n=200 paired, 0 wins, "
        "154 losses)."
    )


def test_a_knowledge_suite_without_retrieval_says_what_to_try_first() -> None:
    verdict = _of(_handbook(right(100, 200)), "handbook")
    assert "No arm retrieves: for facts, add an arm with `retrieve` before training." in verdict.reasons


def test_a_knowledge_suite_says_what_retrieval_does_even_when_it_is_not_the_reference() -> None:
    verdict = _of(_handbook(right(100, 200), rag=right(8, 200)), "handbook")
    assert any(r.startswith("Looking up against training: rag 4.0 %, lora 50.0 %") for r in verdict.reasons)


# --- general ability -------------------------------------------------------------------------------------------------


def _with_general(lora: list[float], base: list[float] | None = None, **kwargs: Any) -> Run:
    held = base or right(160, 250)
    return make_run(
        {"sql": {"base": right(20, 200), "lora": right(150, 200)}, "forgetting": {"base": held, "lora": lora}},
        kinds={"forgetting": "general"},
        **kwargs,
    )


def test_a_candidate_that_forgets_is_not_adopted_as_a_general_model() -> None:
    run = _with_general(right(130, 250))
    verdict = _of(run, "overall")
    assert verdict.decision == "do not adopt"
    assert verdict.sentence == (
        "lora: adopt for sql; it forgot 12.0 points of general ability (95 % CI 8.5 to 16.6, n=250 paired), more than "
        "the allowed 5: do not adopt as a general model."
    )
    general = _of(run, "forgetting")
    assert general.decision == "do not adopt"
    assert "it keeps 81 % of its base's ability above chance (95 % CI" in general.sentence


def test_a_candidate_that_keeps_its_ability_is_adopted() -> None:
    run = _with_general(right(159, 250))
    assert _of(run, "forgetting").decision == "adopt"
    verdict = _of(run, "overall")
    assert verdict.decision == "adopt"
    assert "it kept general ability within the allowed loss of 5 points (-0.4 points" in verdict.sentence


def test_a_loss_that_is_neither_shown_nor_ruled_out_is_not_decided() -> None:
    base, lora = right(60, 100), right(60, 100, start=4)
    run = _with_general(lora, base)
    general = _of(run, "forgetting")
    assert general.decision == "not decided"
    assert general.more_samples is not None
    assert _of(run, "overall").decision == "not decided"


def test_the_allowed_loss_can_be_given() -> None:
    run = _with_general(right(130, 250))
    assert _of(run, "forgetting", margin=0.2).decision == "adopt"


def test_a_base_at_chance_has_nothing_to_forget() -> None:
    run = _with_general(right(60, 250, start=3), right(62, 250), chance={"forgetting": {"all": 0.25}})
    verdict = _of(run, "forgetting")
    assert verdict.decision == "not decided"
    assert "base is at chance" in verdict.sentence


def test_unmeasured_general_ability_is_said() -> None:
    verdict = _of(_sql(KNOWS), "overall")
    assert verdict.decision == "not decided"
    assert verdict.sentence == (
        "lora: adopt for sql; general ability was not measured: not decided as a general model."
    )


def test_a_candidate_without_its_base_is_not_comparable() -> None:
    scores = {
        "sql": {"bigger": right(20, 200), "lora": KNOWS},
        "forgetting": {"bigger": right(9, 50), "lora": right(9, 50)},
    }
    verdict = _of(make_run(scores, kinds={"forgetting": "general"}), "forgetting")
    assert verdict.decision == "not comparable"
    assert "no arm answers with m without an adapter" in verdict.sentence


def test_missing_general_rows_are_not_a_pass() -> None:
    lora: list[Any] = [*right(159, 250)[:125], *[None] * 125]
    assert _of(_with_general(lora), "forgetting").decision == "not comparable"


# --- the rules under simulation --------------------------------------------------------------------------------------


def test_equal_arms_are_adopted_in_at_most_3_percent_and_forgetting_by_the_margin_passes_in_at_most_4() -> None:
    generator = np.random.default_rng(11)
    n, runs, adopted, kept = 200, 400, 0, 0
    for _ in range(runs):
        wins, losses, _ = map(int, generator.multinomial(n, [0.1, 0.1, 0.8]))
        base = [0.0] * wins + [1.0] * (n - wins)
        other = [1.0] * wins + [0.0] * losses + [1.0] * (n - wins - losses)
        adopted += judge_gain(Pairs(tuple(base), tuple(other), (), 0))[0] == "adopt"
        wins, losses, _ = map(int, generator.multinomial(n, [0.05, 0.10, 0.85]))
        base = [0.0] * wins + [1.0] * (n - wins)
        other = [1.0] * wins + [0.0] * losses + [1.0] * (n - wins - losses)
        kept += judge_loss(Pairs(tuple(base), tuple(other), (), 0), 0.05)[0] == "adopt"
    slack = 3 * math.sqrt(0.025 * 0.975 / runs)
    assert adopted / runs <= 0.03 + slack
    assert kept / runs <= 0.04 + slack


def test_the_ladder_keeps_the_cheapest_of_equal_arms() -> None:
    generator = np.random.default_rng(5)
    names = ["base", "prompted", "rag", "lora", "lora+rag"]
    dear = 0
    for _ in range(60):
        ease = generator.normal(0, 1, 120)
        scores = {a: [float(e + generator.normal(0, 0.6) > 0) for e in ease] for a in names}
        dear += picks(make_run({"sql": scores}))["sql"] != "base"
    assert dear <= 8  # 5 % of 60 is 3; 9 or more has a chance below 1 in 200


def test_the_favour_of_a_reference_chosen_on_test_is_as_large_as_said() -> None:
    generator = np.random.default_rng(2)
    worse = {1: 0, 5: 0}
    for _ in range(2000):
        ease = generator.normal(0, 1, 150)
        lora, *rivals = (ease + generator.normal(0, 0.6, (6, 150)) > 0).astype(float)
        for number in worse:
            best = max(rivals[:number], key=lambda scores: float(scores.mean()))
            worse[number] += judge_gain(Pairs(tuple(best), tuple(lora), (), 0))[1] == "worse"
    assert worse[1] / 2000 <= 0.035
    assert 2 * worse[1] < worse[5] <= 0.125 * 2000


# --- one word for every arm ------------------------------------------------------------------------------------------


def _ladder(run: Run) -> dict[str, Any]:
    (found,) = verdict_json(run)["ladders"]
    assert found["end"] == picks(run)[found["suite"]]
    return dict(found)


def test_six_arms_get_one_word_each_and_the_ladder_an_end() -> None:
    scores = {
        "base": right(40, 1000), "prompted": right(400, 1000), "rag": right(420, 1000), "bigger": right(700, 1000),
        "lora": right(900, 1000), "lora+rag": right(905, 1000),
    }  # fmt: skip
    found = _ladder(make_run({"sql": scores}))
    assert {rung["arm"]: rung["decision"] for rung in found["rungs"]} == {
        "base": "do not adopt", "prompted": "do not adopt", "rag": "do not adopt", "bigger": "do not adopt",
        "lora": "adopt", "lora+rag": "do not adopt",
    }  # fmt: skip
    assert (found["end"], found["grade"], found["more_samples"]) == ("lora", "settled", None)
    assert found["sentence"] == "sql: the ladder ends on lora, settled: no other arm can be better by 3 points or more."
    (base,) = [rung for rung in found["rungs"] if rung["arm"] == "base"]
    assert base["sentence"].startswith("sql: do not adopt base. base against lora, where the ladder ends: -86.0 points")


def test_an_end_that_others_may_pass_is_leaning_and_says_how_many_samples_settle_it() -> None:
    found = _ladder(make_run({"sql": {"base": right(30, 60), "prompted": right(30, 60, 3), "lora": right(30, 60)}}))
    assert {rung["decision"] for rung in found["rungs"]} == {"adopt", "not decided"}
    assert (found["end"], found["grade"]) == ("base", "leaning")
    assert found["more_samples"] > 0
    assert "prompted and lora may still be better by 3 points or more. About" in found["sentence"]


def test_no_arm_is_adopted_where_none_scores_anything() -> None:
    run = make_run({"sql": {"base": right(0, 60), "lora": right(0, 60)}})
    found = _ladder(run)
    assert all(rung["decision"] != "adopt" for rung in found["rungs"])
    assert found["rungs"][0]["sentence"] == "sql: do not adopt base. Every arm scores 0 %."
    assert not any(line.split()[-2:-1] != ["not"] for line in comparison(run).splitlines() if line.endswith(" adopt"))


def test_an_arm_that_lacks_samples_is_not_comparable() -> None:
    lost: list[float | None] = [1.0] * 50 + [None] * 50
    scores = {"base": right(50, 100), "prompted": lost, "lora": right(95, 100)}
    found = _ladder(make_run({"sql": scores}))
    words = {rung["arm"]: rung["decision"] for rung in found["rungs"]}
    assert words["prompted"] == "not comparable"
    assert found["grade"] == "leaning"


def _timed(scores: dict[str, list[float]], seconds: dict[str, float], monthly: int | None, **more: Any) -> Run:
    return make_run(
        {"sql": scores}, engine={"name": "vllm", "version": "1"}, seconds={"sql": seconds},
        costs={"gpu_hour_usd": None, "requests_per_month": monthly}, **more,
    )  # fmt: skip


def test_arms_are_ordered_by_what_a_request_was_measured_to_cost() -> None:
    scores = {arm: right(50, 100) for arm in ("base", "prompted", "bigger", "lora", "lora+rag")}
    seconds = {"base": 10.0, "prompted": 50.0, "bigger": 4000.0, "lora": 10.5, "lora+rag": 60.0}

    def order(monthly: int | None) -> list[str]:
        return by_cost(tabulate(_timed(scores, seconds, monthly)), "sql")

    assert order(100_000) == ["base", "lora", "prompted", "lora+rag", "bigger"]
    assert order(1) == ["base", "prompted", "bigger", "lora", "lora+rag"]  # an hour of training for twelve requests
    assert order(None) == ["base", "prompted", "bigger", "lora", "lora+rag"]
    priced = _timed(scores, seconds, None, models={"m": {}, "m7": {"endpoint": "x"}})
    assert by_cost(tabulate(priced), "sql") == ["base", "prompted", "bigger", "lora", "lora+rag"]


@pytest.mark.parametrize(
    ("monthly", "word", "said"),
    [
        (100_000, "adopt", "cheaper after 91 requests, less than a day at the stated volume."),
        (2, "do not adopt", "cheaper after 91 requests, 45.5 months at the stated volume: too late."),
        (None, "not decided", "cheaper after 91 requests. State costs.requests_per_month to decide it."),
    ],
)
def test_an_equal_adapter_that_costs_a_400th_is_judged_by_its_break_even(
    monthly: int | None, word: str, said: str
) -> None:
    scores = {"base": right(100, 1000), "bigger": right(800, 1000), "lora": right(799, 1000)}
    seconds = {"base": 100.0, "bigger": 40_000.0, "lora": 100.0}
    run = _timed(scores, seconds, monthly)
    verdict = _of(run, "sql")
    assert (verdict.decision, verdict.reference) == (word, "bigger")
    assert (
        "Equally good (a loss of 3 points is ruled out) at 0.2 % of the engine seconds per request" in verdict.sentence
    )
    assert verdict.sentence.endswith(said)
    assert _ladder(run)["end"] == ("lora" if word == "adopt" else "bigger")


def test_beside_an_adopted_adapter_another_one_is_no_bargain() -> None:
    scores = {"base": right(100, 400), "bigger": right(200, 400), "lora": right(300, 400), "lora+rag": right(302, 400)}
    run = _timed(scores, {"base": 10.0, "bigger": 4000.0, "lora": 10.0, "lora+rag": 100.0}, None)
    assert [_of(run, "sql", arm).decision for arm in ("lora", "lora+rag")] == ["adopt", "do not adopt"]


def test_a_cheaper_adapter_that_may_be_worse_is_no_bargain() -> None:
    scores = {"base": right(10, 60), "bigger": right(48, 60), "lora": right(47, 60)}
    run = _timed(scores, {"base": 6.0, "bigger": 2400.0, "lora": 6.0}, 100_000)
    assert _of(run, "sql").decision == "not decided"
    assert "Equally good" not in _of(run, "sql").sentence


def test_the_words_stand_in_report_and_table(tmp_path: Path) -> None:
    run = make_run({"sql": {"base": right(40, 400), "prompted": right(160, 400), "lora": right(360, 400)}})
    paths = write_report([run], tmp_path / "r.html")
    text = paths.markdown.read_text("utf-8")
    assert "| prompted | do not adopt | " in text
    assert "the ladder ends on lora, settled" in text
    assert "One word for every arm" in paths.html.read_text("utf-8")
    out = comparison(run).splitlines()
    assert [line.split("  ")[-1].strip() for line in out[2:5]] == ["do not adopt", "do not adopt", "adopt"]
    assert out[6].startswith("sql: the ladder ends on lora")
    assert comparison_markdown(run).splitlines()[-3].startswith("- sql: the ladder ends on lora, settled")


def _said_by_four(run: Run) -> tuple[str, str, list[str], str]:
    """The arm of suite s by picks, by the ladder, by the column of words, and the headline."""
    (found,) = verdict_json(run)["ladders"]
    lines = [line.split() for line in comparison(run).splitlines() if line.startswith("s  ")]
    adopted = [line[1] for line in lines if line[-1] == "adopt" and line[-2:] != ["not", "adopt"]]
    assert [rung["arm"] for rung in found["rungs"] if rung["decision"] == "adopt"] == [found["end"]]
    return picks(run)["s"], found["end"], adopted, decision(run)


def test_headline_picks_ladder_and_words_agree_on_many_small_runs() -> None:
    generator = np.random.default_rng(8)
    names = ["base", "prompted", "rag", "bigger", "lora", "lora+rag"]
    ends = set()
    for _ in range(150):
        arms = ["base", *[arm for arm in names[1:] if generator.random() < 0.6]]
        arms = arms if len(arms) > 1 else ["base", "lora"]
        n, rates = int(generator.integers(8, 60)), generator.uniform(0, 1, len(arms))
        scores = {arm: [float(x) for x in generator.random(n) < rate] for arm, rate in zip(arms, rates, strict=True)}
        dev = {arm: {"chosen": 0, "tries": [_dev(arm, float(generator.random()))]} for arm in arms}
        run = make_run(
            {"s": scores}, dev={"s": {"digest": "digest-s", "arms": dev}} if generator.random() < 0.5 else {}
        )
        picked, end, adopted, said = _said_by_four(run)
        assert picked == end
        assert adopted == [end]
        assert said.startswith((f"Use {end} for s.", f"Keep {end} for s."))
        ends.add(end)
    assert ends == set(names)


def _dev(arm: str, mean: float) -> dict[str, Any]:
    return {key: ARMS[arm][key] for key in ("system", "shots", "retrieve")} | {
        "n": 50,
        "mean": mean,
        "prompt_tokens": 10.0,
    }


def test_where_the_reference_is_not_the_end_the_headline_names_the_end() -> None:
    run = make_run({"s": {"base": right(100, 200), "prompted": right(104, 200), "lora": right(90, 200)}})
    assert _said_by_four(run) == ("base", "base", ["base"], "Keep base for s.")
    assert [tile.title for tile in view([run]).tiles] == ["Keep base"]
    scores = {"base": right(20, 200), "prompted": right(30, 200), "bigger": right(190, 200), "lora": right(90, 200)}
    dev = {
        arm: {"chosen": 0, "tries": [_dev(arm, mean)]}
        for arm, mean in (("base", 0.1), ("prompted", 0.9), ("bigger", 0.5))
    }
    run = make_run(
        {"s": scores}, engine={"name": "vllm", "version": "1"}, dev={"s": {"digest": "digest-s", "arms": dev}},
        seconds={"s": {"base": 10.0, "prompted": 10.0, "lora": 10.0, "bigger": 4000.0}},
        costs={"gpu_hour_usd": None, "requests_per_month": 100_000},
    )  # fmt: skip
    assert _of(run, "s").decision == "adopt"
    assert _said_by_four(run) == ("bigger", "bigger", ["bigger"], "Use bigger for s.")
    assert [(tile.title, tile.detail) for tile in view([run]).tiles] == [
        ("Use bigger", "95.0\xa0%; prompted has 15.0\xa0%")
    ]


def test_a_difference_of_nothing_has_no_sign() -> None:
    base, lora = [0.5] * 60, [0.5] * 59 + [0.4999]
    assert "-0.0" not in comparison(make_run({"s": {"base": base, "lora": lora}}))


# --- money -----------------------------------------------------------------------------------------------------------


def test_break_even_is_training_over_engine_time_saved() -> None:
    run = _sql(
        KNOWS,
        seconds={"sql": {"prompted": 40.0, "lora": 10.0}},
        costs={"gpu_hour_usd": 2.5, "requests_per_month": 100_000},
    )
    found = break_even(run, "sql", "lora", "prompted")
    assert found.requests == pytest.approx(3600 / (0.2 - 0.05), abs=1)
    assert found.training_usd == pytest.approx(2.5)
    assert found.against_usd_per_1000 == pytest.approx(0.2 * 1000 * 2.5 / 3600)
    assert found.months == pytest.approx(0.24, abs=0.01)
    assert any("Training pays back against prompted after 24,00" in reason for reason in _of(run, "sql").reasons)


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ({}, "engine seconds were not measured"),
        ({"seconds": {"sql": {"prompted": 10.0, "lora": 40.0}}}, "takes no less engine time"),
        (
            {"seconds": {"sql": {"prompted": 40.0, "lora": 10.0}}, "adapters": {"a": {"train": None}}},
            "the training of lora was not recorded",
        ),
    ],
)
def test_no_break_even_has_a_reason(manifest: dict[str, Any], reason: str) -> None:
    found = break_even(_sql(KNOWS, **manifest), "sql", "lora", "prompted")
    assert found.requests is None
    assert reason in found.reason


# --- what programs read ----------------------------------------------------------------------------------------------


def test_comparisons_hold_every_arm_against_its_reference_and_sub_scores_for_information() -> None:
    scores = {"sql": {"base": right(5, 50), "prompted": right(20, 50), "lora": right(40, 50)}}
    run = make_run(scores, extra={"style": {"sql": {a: [0.5] * 50 for a in scores["sql"]}}})
    found = [(c.scorer, c.baseline, c.candidate) for c in comparisons(run)]
    assert found == [
        ("match", "prompted", "base"),
        ("match", "prompted", "lora"),
        ("style", "prompted", "base"),
        ("style", "prompted", "lora"),
    ]


def test_general_suites_compare_every_arm_with_its_base() -> None:
    found = [(c.suite, c.baseline, c.candidate) for c in comparisons(_with_general(right(130, 250)))]
    assert found == [("sql", "base", "lora"), ("forgetting", "base", "lora")]


def test_verdict_json_is_json_and_holds_everything() -> None:
    run = _with_general(right(130, 250), seconds={"sql": {"base": 40.0, "lora": 10.0}})
    value = json.loads(json.dumps(verdict_json(run), allow_nan=False))
    assert set(value) == {
        *(
            "format",
            "harness",
            "gain",
            "verdicts",
            "picks",
            "ladders",
            "summaries",
            "comparisons",
            "retentions",
            "break_even",
            "curves",
            "recipes",
            "corpus_scores",
            "contamination",
            "met_before",
            "looks",
            "costs",
            "dev",
        ),
    }
    assert value["format"] == 1
    assert {v["suite"] for v in value["verdicts"]} == {"sql", "forgetting", "overall"}
    assert value["picks"] == {"sql": "lora"}
    assert all(c["primary"] for c in value["comparisons"])
    assert value["retentions"][0]["probes"][0]["negative_flips"] == 30
    assert value["break_even"][0]["requests"] is not None
