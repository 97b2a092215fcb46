"""What is known of training data before a second of training is spent on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any

from harness import scorers
from harness.certify import score_of
from harness.check import question
from harness.contamination import overlaps
from harness.data import Suite
from harness.errors import SuiteError
from harness.stats.paired import mean
from harness.train.data import TrainRow
from harness.words import count, percent

NAMED = 9
"""Rows that a message names; the card has them all."""
LEAST = 0.5
"""A mean score of the gold completions below this is refused: the suite would call a perfect candidate wrong."""


@dataclass(frozen=True)
class Examined:
    """The train split of one suite. Rows are named by their sample ids.

    score: mean of the primary score over the gold completions, 0..1. failing: rows whose own completion scores below 1.
    repeated: further copies of an earlier row. torn: rows whose prompt also stands before another completion. in_test,
    in_dev: test and dev samples that occur in the training rows (see harness.contamination). empty: completions of one
    token or none before the end. tokens: the median and the longest row.
    """

    suite: str
    rows: int
    score: float
    failing: tuple[str, ...]
    repeated: tuple[str, ...]
    torn: tuple[str, ...]
    in_test: tuple[str, ...]
    in_dev: tuple[str, ...]
    empty: tuple[str, ...]
    tokens: tuple[int, int]

    def lines(self) -> list[str]:
        """For a terminal: how the completions score, then what is wrong."""
        said = f"{self.suite}: {self.rows} rows, {self.tokens[0]} tokens (longest {self.tokens[1]}); "
        found = [said + f"the completions score {percent(self.score)} on the suite's own scorer"]
        for rows, text in (
            (self.failing, "score below 1 on the suite's own scorer"),
            (self.repeated, "repeat an earlier row"),
            (self.torn, "have the prompt of another row and another completion"),
            (self.empty, "have a completion of one token or none"),
            (self.in_test, "of the test samples occur in the training rows: scores on them will be flagged"),
            (self.in_dev, "of the dev samples occur in the training rows: what is chosen on dev is chosen too well"),
        ):
            if rows:
                names = ", ".join(rows[:NAMED]) + (", ..." if len(rows) > NAMED else "")
                found.append(f"{self.suite}: {len(rows)} {text}: {names}")
        return found

    def as_dict(self) -> dict[str, Any]:
        """For the card."""
        return asdict(self)


def examine(suite: Suite, rows: Sequence[TrainRow]) -> Examined:
    """Looks at a suite's train split. rows: its samples as token ids, in their order.

    Raises SuiteError where the completions score below LEAST on the suite's own scorer.
    """
    spec = next(spec for spec in suite.scorers if spec.primary)
    scorer = scorers.load(spec, suite.path)
    with ThreadPoolExecutor(2) as pool:
        scores = list(pool.map(partial(_gold, scorer), suite.train))
    names = [sample.id for sample in suite.train]
    failing = tuple(name for name, score in zip(names, scores, strict=True) if score < 1)
    score = mean(scores)
    if score < LEAST:
        raise SuiteError(
            f"suite {suite.name}: its {count(len(names), 'training completion')} score {percent(score)} on its own "
            f"scorer '{spec.name}' ({', '.join(failing[:NAMED])}, ...). Correct train.jsonl or the scorer."
        )
    whole = Counter((row.prompt_ids, row.completion_ids) for row in rows)
    prompts = Counter(prompt for prompt, _ in whole)
    seen: set[TrainRow] = set()
    repeated = [name for name, row in zip(names, rows, strict=True) if _again(seen, row)]
    texts = [(question(sample), sample.target) for sample in suite.train]
    lengths = [len(row) for row in rows]
    return Examined(
        suite.name,
        len(rows),
        score,
        failing,
        tuple(repeated),
        tuple(name for name, row in zip(names, rows, strict=True) if prompts[row.prompt_ids] > 1),
        tuple(overlaps(suite.test, texts)),
        tuple(overlaps(suite.dev, texts)),
        tuple(name for name, row in zip(names, rows, strict=True) if len(row.completion_ids) <= 2),
        (round(median(lengths)), max(lengths)),
    )


def _gold(scorer: Any, sample: Any) -> float:
    return score_of(scorer, sample, sample.target)


def _again(seen: set[TrainRow], row: TrainRow) -> bool:
    """Whether a row was seen, whatever it is called; from now on it is."""
    plain = TrainRow(row.prompt_ids, row.completion_ids)
    known = plain in seen
    seen.add(plain)
    return known
