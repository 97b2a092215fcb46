"""Retention: what a candidate kept of its base, with chance taken off and an interval that keeps its word."""

from __future__ import annotations

import math

import numpy as np
import pytest
from runs import make_run, right

from harness.errors import RunError
from harness.retention import chance_of
from harness.stats.forgetting import macro_retention, probe_retention
from harness.verdict import decide, retention, retentions


def test_retention_takes_chance_off_both_sides() -> None:
    found = probe_retention("choice", right(75, 100), right(50, 100), chance=0.25)
    assert found.retention == pytest.approx((0.5 - 0.25) / (0.75 - 0.25))
    assert found.difference == pytest.approx(-0.25)
    assert (found.negative_flips, found.positive_flips) == (25, 0)


def test_back_to_guessing_is_retention_zero() -> None:
    found = probe_retention("choice", right(75, 100), right(25, 100), chance=0.25)
    assert found.retention == pytest.approx(0)


@pytest.mark.parametrize("correct", [0, 20, 25, 30])
def test_a_probe_with_the_base_at_chance_is_named_and_never_divided_by(correct: int) -> None:
    found = probe_retention("choice", right(correct, 100), right(10, 100), chance=0.25)
    assert found.retention is None
    assert found.retention_interval is None
    assert "choice: the base is at chance" in found.note


def test_a_probe_at_chance_stays_out_of_the_macro() -> None:
    kept = probe_retention("facts", right(80, 100), right(60, 100))
    guessed = probe_retention("choice", right(26, 100), right(0, 100), chance=0.25)
    macro, interval = macro_retention([kept, guessed])
    assert macro == pytest.approx(0.75)
    assert interval is not None
    assert interval.low < 0.75 < interval.high
    assert macro_retention([guessed]) == (None, None)


@pytest.mark.parametrize("candidate", [right(80, 100), right(0, 100), [1.0] * 100])
def test_no_interval_has_zero_width(candidate: list[float]) -> None:
    found = probe_retention("facts", right(80, 100), candidate)
    assert found.retention is not None
    assert found.retention_interval is not None
    assert found.retention_interval.low < found.retention < found.retention_interval.high


def test_graded_probes_with_equal_scores_leave_room() -> None:
    found = probe_retention("rouge", [0.5] * 30 + [0.7] * 30, [0.5] * 30 + [0.7] * 30)
    assert found.retention == pytest.approx(1)
    assert found.retention_interval is not None
    assert found.retention_interval.low < 1 < found.retention_interval.high


def test_the_macro_of_several_probes_is_more_certain_than_one_probe() -> None:
    one = probe_retention("a", right(40, 50), right(35, 50))
    _, narrow = macro_retention([one] * 4)
    assert narrow is not None
    assert one.retention_interval is not None
    width = one.retention_interval.high - one.retention_interval.low
    assert narrow.high - narrow.low == pytest.approx(width / 2)


@pytest.mark.parametrize(
    ("base", "lost", "won", "chance"),
    [(0.8, 0.1, 0.05, 0.0), (0.8, 0.3, 0.02, 0.25), (0.6, 0.05, 0.05, 0.0), (0.9, 0.5, 0.0, 0.25), (0.7, 0.02, 0.2, 0)],
)
@pytest.mark.parametrize("n", [40, 100])
def test_the_interval_covers_93_percent(base: float, lost: float, won: float, chance: float, n: int) -> None:
    """lost: share of all samples that the base has right and the candidate wrong; won: the other way round."""
    generator = np.random.default_rng(7)
    truth = 1 + (won - lost) / (base - chance)
    hits = runs = 0
    for counts in generator.multinomial(n, [base - lost, lost, won, 1 - base - won], size=500):
        both, only_base, only_candidate, neither = map(int, counts)
        b = [1.0] * (both + only_base) + [0.0] * (only_candidate + neither)
        c = [1.0] * both + [0.0] * only_base + [1.0] * only_candidate + [0.0] * neither
        found = probe_retention("p", b, c, chance).retention_interval
        if found is not None:
            runs += 1
            hits += found.low <= truth <= found.high
    assert runs >= 480
    assert hits / runs >= 0.93 - 2 * math.sqrt(0.93 * 0.07 / 500), hits / runs


PROBES = ["facts", "choice"] * 50


def test_a_run_gives_retention_per_probe_against_the_arm_with_the_same_dials() -> None:
    base, rag = [1.0] * 80 + [0.0] * 20, [1.0] * 90 + [0.0] * 10
    lora, both = [1.0] * 40 + [0.0] * 60, [1.0] * 90 + [0.0] * 10
    run = make_run(
        {"forgetting": {"base": base, "rag": rag, "lora": lora, "lora+rag": both}},
        kinds={"forgetting": "general"},
        probes={"forgetting": PROBES},
        chance={"forgetting": {"choice": 0.25}},
    )
    found = {r.arm: r for r in retentions(run)}
    assert found["lora"].base == "base"
    assert found["lora+rag"].base == "rag"
    assert found["lora+rag"].macro == pytest.approx(1)
    assert [p.probe for p in found["lora"].probes] == ["choice", "facts"]
    facts = (0.4 - 0) / (0.8 - 0)
    choice = (0.4 - 0.25) / (0.8 - 0.25)
    assert found["lora"].macro == pytest.approx((facts + choice) / 2)
    assert found["lora"].negative_flips == 40
    assert found["lora"].negative_flip_rate == pytest.approx(0.4)
    one = retention(run, "lora")
    assert one == found["lora"]
    assert "base" not in found


def test_a_run_without_general_suite_has_no_retention() -> None:
    run = make_run({"sql": {"base": right(5, 20), "lora": right(9, 20)}})
    assert retentions(run) == []
    assert retention(run, "lora") is None


def test_a_probe_of_a_single_sample_is_left_out_and_named() -> None:
    scores = {"base": [*right(80, 100), 1.0], "lora": [*right(75, 100), 0.0]}
    probes = {"all": ["facts"] * 100 + ["rare"]}
    run = make_run({"all": scores}, kinds={"all": "general"}, probes=probes)
    (found,) = retentions(run)
    assert (found.n, found.left_out) == (100, ("rare",))
    (verdict, _) = decide(run)
    assert "Left out, fewer than two samples were answered by both: rare." in verdict.reasons


def test_retention_of_an_unknown_arm_says_which_are_known() -> None:
    run = make_run({"sql": {"base": right(5, 20), "lora": right(9, 20)}})
    with pytest.raises(RunError, match=r"no arm 'lore'\. Did you mean 'lora'"):
        retention(run, "lore")


def test_chance_may_be_one_number_or_one_per_probe() -> None:
    assert chance_of({"chance": 0.25}, "anything") == 0.25
    assert chance_of({"chance": {"choice": 0.25}}, "choice") == 0.25
    assert chance_of({"chance": {"choice": 0.25, "all": 0.1}}, "facts") == 0.1
    assert chance_of({}, "facts") == 0


def _in_texts(probes: list[str], texts: list[int]) -> dict[str, object]:
    return {
        "kinds": {"forgetting": "general"},
        "probes": {"forgetting": probes},
        "suite": {"cluster": "text"},
        "metadata": {"forgetting": [{"text": f"t{number}"} for number in texts]},
    }


def test_samples_of_one_source_widen_retention() -> None:
    base, lora = right(190, 200), [*[0.0] * 20, *right(170, 180)]
    scores = {"forgetting": {"base": base, "lora": lora}}
    probes = ["facts"] * 100 + ["code"] * 100
    (alone,) = retentions(make_run(scores, **_in_texts(probes, list(range(200)))))
    (apart,) = retentions(make_run(scores, **_in_texts(probes, [i // 10 for i in range(200)])))
    (across,) = retentions(make_run(scores, **_in_texts(probes, [i % 100 // 5 for i in range(200)])))
    assert alone.interval is not None
    assert apart.interval is not None
    assert across.interval is not None
    assert apart.macro == alone.macro
    assert apart.interval.low < alone.interval.low - 0.02
    assert across.interval.low < alone.interval.low
    for one, other in zip(alone.probes, apart.probes, strict=True):
        assert other.interval.low <= one.interval.low
        assert other.interval.high >= one.interval.high


def test_the_sentence_about_sources_does_not_contradict_itself() -> None:
    """A loss that is not shown by sources must not stand beside a share kept that is shown to be below all."""
    base, lora = right(200, 200), [0.0 if i < 20 else 1.0 for i in range(200)]
    about = _in_texts(["facts"] * 200, [i // 20 for i in range(200)])
    run = make_run({"forgetting": {"base": base, "lora": lora}}, **about)
    (verdict,) = [v for v in decide(run) if v.suite == "forgetting"]
    (kept,) = retentions(run)
    assert verdict.decision == "not decided"
    assert kept.interval is not None
    assert kept.interval.high > 1
    (said,) = [reason for reason in verdict.reasons if reason.startswith("It keeps")]
    assert said == "It keeps 90 % of its base's ability above chance (95 % CI 67 % to 113 %)."
