"""Learning curves by simulation; randomisation tests against scipy and sacrebleu."""

from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics.chrf import CHRF
from scipy import stats

from harness.stats.curve import learning_curve
from harness.stats.permutation import corpus_p, sign_flip_p

SIZES = (50, 100, 200, 400, 800)


def _trained(
    truth: tuple[float, float, float], seeds: int, rng: np.random.Generator, n: int = 300
) -> dict[int, list[list[float]]]:
    """Candidates whose true accuracy is a power law; seed spread 1.5 points, samples of unequal difficulty."""
    ceiling, scale, rate = truth
    difficulty = rng.normal(size=n)
    scores: dict[int, list[list[float]]] = {}
    for size in SIZES:
        scores[size] = []
        for _ in range(seeds):
            p = np.clip(ceiling - scale * size**-rate + rng.normal(0, 0.015), 0.01, 0.99)
            latent = np.sqrt(0.5) * (difficulty + rng.normal(size=n))
            scores[size].append((latent < stats.norm.ppf(p)).astype(float).tolist())
    return scores


@pytest.mark.parametrize(
    ("truth", "n"),
    [((0.9, 2.0, 0.5), 300), ((0.95, 1.2, 0.3), 300), ((1.0, 2.0, 0.5), 300), ((1.0, 2.0, 0.5), 1000)],
)
def test_the_band_covers_the_truth_at_twice_and_four_times_the_data(truth: tuple[float, float, float], n: int) -> None:
    rng = np.random.default_rng(1)
    runs = 60
    held = {1600: 0, 3200: 0}
    for run in range(runs):
        found = learning_curve(_trained(truth, 3, rng, n), seed=run, draws=150)
        for point in found.fitted:
            if point.size in held:
                true = truth[0] - truth[1] * point.size ** -truth[2]
                held[point.size] += point.interval.low <= true <= point.interval.high
                assert point.interval.high - point.interval.low < 0.3
    assert min(held.values()) / runs >= 0.83


def test_nothing_is_said_beyond_four_times_the_largest_size() -> None:
    found = learning_curve(_trained((0.9, 2.0, 0.5), 3, np.random.default_rng(2)), draws=50)
    assert [point.size for point in found.fitted] == [*SIZES, 1600, 3200]


def test_data_needed_for_a_target_is_a_range_that_holds_the_truth() -> None:
    found = learning_curve(_trained((0.9, 2.0, 0.5), 5, np.random.default_rng(3), n=1000), target=0.84, draws=200)
    assert found.needed is not None
    low, high = found.needed
    assert low <= (2.0 / 0.06) ** 2 <= (high or 10**9)


def test_a_target_above_the_band_is_out_of_reach() -> None:
    found = learning_curve(_trained((0.7, 2.0, 0.5), 3, np.random.default_rng(4)), target=0.95, draws=50)
    assert found.needed is None


@pytest.mark.parametrize(
    ("seeds", "sizes", "said"), [(1, 5, "3 training seeds per size, got 1"), (3, 2, "3 training sizes, got 2")]
)
def test_too_little_to_draw_a_curve_from_is_refused(seeds: int, sizes: int, said: str) -> None:
    scores = _trained((0.9, 2.0, 0.5), seeds, np.random.default_rng(5), n=50)
    with pytest.raises(ValueError, match=said):
        learning_curve(dict(list(scores.items())[:sizes]))


def test_a_curve_of_one_seed_at_one_size_is_refused_too() -> None:
    scores = _trained((0.9, 2.0, 0.5), 3, np.random.default_rng(5), n=50)
    scores[100] = scores[100][:1]
    with pytest.raises(ValueError, match="got 1"):
        learning_curve(scores)


def test_equal_scores_everywhere_make_a_flat_curve() -> None:
    found = learning_curve({size: [[1.0, 0.0] * 20] * 3 for size in SIZES}, draws=50)
    assert all(point.score == pytest.approx(0.5) for point in found.fitted)
    assert all(point.interval.high > point.interval.low for point in found.fitted)


# --- randomisation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [13, 50, 400])
def test_sign_flips_agree_with_scipy(n: int) -> None:
    d = np.random.default_rng(n).normal(0.12, 1, n)
    theirs = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=20_000, rng=1)
    assert sign_flip_p(d, draws=20_000) == pytest.approx(theirs.pvalue, abs=0.012)


def test_sign_flips_of_clusters_are_those_of_their_sums() -> None:
    d = np.random.default_rng(0).normal(0.3, 1, 60)
    clusters = [f"c{i // 6}" for i in range(60)]
    assert sign_flip_p(d, clusters=clusters) == pytest.approx(sign_flip_p(d.reshape(10, 6).sum(axis=1)), abs=0.01)


@pytest.mark.parametrize("discordance", [0.05, 0.2])
def test_sign_flips_of_tied_scores_keep_their_level(discordance: float) -> None:
    rng = np.random.default_rng(3)
    p = [
        sign_flip_p(rng.choice([-1.0, 0.0, 1.0], 200, p=[discordance / 2, 1 - discordance, discordance / 2]), draws=400)
        for _ in range(400)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.08


def _chrf(sums: np.ndarray) -> np.ndarray:
    metric = CHRF()
    return np.array([metric._compute_f_score(row.tolist()) for row in sums])


def test_corpus_chrf_agrees_with_sacrebleu_and_its_randomisation() -> None:
    from sacrebleu.significance import PairedTest

    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(60)]
    references = [" ".join(rng.choice(words, 12)) for _ in range(80)]

    def system(noise: float) -> list[str]:
        return [" ".join(str(rng.choice(words)) if rng.random() < noise else w for w in r.split()) for r in references]

    a, b = system(0.40), system(0.36)
    metric = CHRF(references=[references])
    one, two = (np.array(metric._extract_corpus_statistics(s, None)) for s in (a, b))
    difference, p = corpus_p(one, two, _chrf, draws=2_000)
    theirs = metric.corpus_score(b, None).score - metric.corpus_score(a, None).score
    assert difference == pytest.approx(theirs, abs=1e-9)
    test = PairedTest(
        [("a", a), ("b", b)], {"chrf": CHRF(references=[references])}, None, test_type="ar", n_samples=2_000
    )
    _, results = test()
    (result,) = (found[1] for name, found in results.items() if "chrf" in name.lower())
    assert p == pytest.approx(result.p_value, abs=0.05)


@pytest.mark.parametrize("shapes", [((3, 2), (4, 2)), ((1, 2), (1, 2))])
def test_corpora_that_do_not_fit_are_refused(shapes: tuple[tuple[int, int], tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="need the same two or more samples"):
        corpus_p(np.zeros(shapes[0]), np.zeros(shapes[1]), _chrf)


def test_no_band_is_a_line_where_every_answer_is_alike() -> None:
    for value in (0.0, 1.0):
        found = learning_curve({size: [[value] * 40] * 3 for size in SIZES}, draws=50)
        assert all(point.interval.high - point.interval.low > 0.05 for point in found.fitted)
