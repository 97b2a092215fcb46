"""Scores of all answers of an arm together, such as BLEU and chrF: they are no mean over samples, and have no wins.

A suite names them (`corpus_scores: [bleu, chrf]`); they stand beside the primary score, and no verdict rests on them.
sacrebleu counts each answer against its target; the score is made of the sums. Difference of two arms: p by approximate
randomisation (stats/permutation.py: answers swapped at random, ties count), interval by a jackknife that leaves out a
sample, or a source, at a time. The paired bootstrap of sacrebleu is not used: it finds equal arms different in 12 % of
cases at a nominal 5 %.

What is not covered: meaning. And what corpus scores always miss: on which samples the difference lies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness import words
from harness.compare import Table, arm_names, pair, scorer_names, suite_names
from harness.data import Interval
from harness.roles import is_ceiling, reference
from harness.stats.paired import student_quantile
from harness.stats.permutation import corpus_p

MAX_CHARACTERS = 20_000
_ORDERS = 4
_BETA = 2.0


@dataclass(frozen=True)
class CorpusScore:
    """One arm on one suite by one metric, 0..1. difference: from `baseline`, on the n samples that both answered.

    baseline is "" for the reference itself. difference, interval and p are None for it, and where the two share fewer
    than two samples, or samples of one source only.
    """

    suite: str
    metric: str
    arm: str
    n: int
    score: float
    baseline: str
    difference: float | None
    interval: Interval | None
    p: float | None
    p_method: str = "approximate randomisation"

    @property
    def sentence(self) -> str:
        """E.g. "chrf over all answers: lora 61.0 %; against base +4.2 points (95 % CI +1.1 to +7.3), p = 0.004"."""
        text = f"{self.metric} over all answers: {self.arm} {words.percent(self.score)}"
        if not self.baseline:
            return f"{text}, the reference (n={self.n})"
        if self.difference is None or self.interval is None or self.p is None:
            return f"{text} (n={self.n}); too few samples or sources are shared with {self.baseline} to compare them"
        found = f"{words.points(self.difference)} points ({words.interval(self.interval)}, n={self.n})"
        return f"{text}; against {self.baseline} {found}, {words.p_value(self.p)}"


def corpus_scores(table: Table) -> list[CorpusScore]:
    """Every arm of every suite that names such scores, against the suite's reference."""
    found = []
    for suite in suite_names(table):
        for metric in table.suites[suite].get("corpus_scores") or ():
            found += _of_suite(table, suite, metric)
    return found


def _of_suite(table: Table, suite: str, metric: str) -> list[CorpusScore]:
    held_to, score = reference(table, suite)[0], METRICS[metric]
    counted = counts(table, suite, metric)
    found = []
    for arm, own in counted.items():
        shared = sorted(own.keys() & counted.get(held_to, {}).keys())
        pairs = pair(table, held_to, table, arm, suite, scorer_names(table, suite)[0])
        sources = [table.clusters[suite][digest] for digest in shared] if pairs.clusters else shared
        if arm == held_to or len(set(sources)) < 2:
            against = "" if arm == held_to else held_to
            whole = _score(score, own.values())
            found.append(CorpusScore(suite, metric, arm, len(own), whole, against, None, None, None))
            continue
        left, right = (_by_source([side[digest] for digest in shared], sources) for side in (counted[held_to], own))
        difference, p = corpus_p(left, right, score)
        interval = jackknife(left, right, score, 1 - pairs.error())
        found.append(
            CorpusScore(suite, metric, arm, len(shared), _score(score, right), held_to, difference, interval, p)
        )
    return found


def counts(table: Table, suite: str, metric: str) -> Mapping[str, Mapping[str, Any]]:
    """Per arm, ceilings aside, and sample digest the counts of `statistics`. A run without texts brings them along."""
    kept: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = table.suites[suite].get("corpus_counts")
    if kept is not None:
        return kept[metric]
    arms = [arm for arm in arm_names(table, suite) if not is_ceiling(table, arm)]
    found = {arm: _counted(table, suite, arm, metric) for arm in arms}
    return {arm: own for arm, own in found.items() if own}


def statistics(metric: str, answers: Sequence[str], targets: Sequence[str]) -> Any:
    """(n, k) counts of each answer against its target, whose sums over samples make the score."""
    import numpy as np
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    kind = BLEU() if metric == "bleu" else CHRF()
    return np.asarray(kind._extract_corpus_statistics(list(answers), [list(targets)]), dtype=float)


def bleu(sums: Any) -> Any:
    """(m,) BLEU, 0..1, of (m, 10) sums: lengths of answer and target, matches and totals of 1- to 4-grams.

    Papineni et al. 2002, smoothed as in sacrebleu ("exp"): Chen and Cherry 2014, method 3.
    """
    import numpy as np

    answered, wanted = sums[:, 0], sums[:, 1]
    logs, halved = np.zeros(len(sums)), np.ones(len(sums))
    for order in range(_ORDERS):
        matches, total = sums[:, 2 + order], sums[:, 2 + _ORDERS + order]
        halved = np.where(matches < 0.5, 2 * halved, halved)
        counts = np.where(matches < 0.5, 1 / halved, matches)
        logs += np.where(total < 0.5, -np.inf, np.log(counts / np.maximum(total, 0.5)))
    short = np.minimum(0.0, 1 - wanted / np.maximum(answered, 0.5))
    nothing = sums[:, 2 : 2 + _ORDERS].max(axis=1) < 0.5
    return np.where(nothing, 0.0, np.exp(short + logs / _ORDERS))


def chrf(sums: Any) -> Any:
    """(m,) chrF, 0..1, of (m, 18) sums: n-grams of the answer, of the target, and matches, for 1 to 6 characters.

    Popovic 2015, beta 2, as in sacrebleu.
    """
    import numpy as np

    answered, wanted, matches = (np.maximum(sums[:, start::3], 0.0) for start in range(3))
    seen = (answered > 0.5) & (wanted > 0.5)
    orders = np.maximum(1, seen.sum(axis=1))
    precision = (np.where(seen, matches / np.maximum(answered, 0.5), 0.0)).sum(axis=1) / orders
    recall = (np.where(seen, matches / np.maximum(wanted, 0.5), 0.0)).sum(axis=1) / orders
    below = _BETA**2 * precision + recall
    return np.where(below > 0, (1 + _BETA**2) * precision * recall / np.where(below > 0, below, 1.0), 0.0)


METRICS: Mapping[str, Callable[[Any], Any]] = {"bleu": bleu, "chrf": chrf}


def jackknife(left: Any, right: Any, score: Callable[[Any], Any], level: float = 0.95) -> Interval:
    """Interval of the difference right - left of a corpus score, from (n, k) statistics, n >= 2.

    Equal answers leave room: what share of samples that differ could have stayed unseen in n.
    """
    n = len(left)
    whole = float(score(right.sum(axis=0)[None])[0] - score(left.sum(axis=0)[None])[0])
    without = score(right.sum(axis=0) - right) - score(left.sum(axis=0) - left)
    error = math.sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    unseen = 1 - ((1 - level) / 2) ** (1 / n)
    reach = student_quantile((1 + level) / 2, n - 1) * error if error > 1e-9 else unseen
    return Interval(max(-1.0, whole - reach), min(1.0, whole + reach), level, "jackknife")


def _score(score: Callable[[Any], Any], rows: Any) -> float:
    return float(score(sum(rows)[None])[0])


def _counted(table: Table, suite: str, arm: str, metric: str) -> dict[str, Any]:
    rows = {row.sample_digest: row for row in table.rows[suite, arm] if row.draw == 0}
    if not rows:
        return {}
    texts = [row.completion.text.strip()[:MAX_CHARACTERS] for row in rows.values()]
    return dict(zip(rows, statistics(metric, texts, [row.target for row in rows.values()]), strict=True))


def _by_source(rows: Sequence[Any], sources: Sequence[str]) -> Any:
    """The statistics summed up by source."""
    import numpy as np

    _, place = np.unique(np.asarray(sources), return_inverse=True)
    summed = np.zeros((place.max() + 1, len(rows[0])))
    np.add.at(summed, place, np.asarray(rows))
    return summed
