"""Holds the embedded model to its bars on the shipped suites, with the project's own renderer, engine and trainer.

    python -m harness.embedded.evaluate
    python -m harness.embedded.evaluate --model DIR --limit 60 --skip-training

Every figure comes with its n and its 95 % interval. The exit code is 0 if every bar holds, else 1.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import prompt
from harness.compare import tabulate
from harness.data import Adapter, Arm, Config, Costs, Model, Passage, Run, Sample, Suite, TrainSpec
from harness.embedded.text.reading import held_out
from harness.retention import retention_of
from harness.runner import run
from harness.scorers import load
from harness.stats.paired import difference_interval, mean_interval
from harness.suite import read_suite

GOLD = "handbook-gold"
LORA = TrainSpec(suites=("sql",), rank=32, alpha=64, learning_rate=6.0e-3, epochs=5, batch_size=16)
OVER = replace(LORA, epochs=25, data_fraction=0.05)


@dataclass(frozen=True)
class Bar:
    """One figure and what it is held to. `low` and `high` are its 95 % interval."""

    name: str
    n: int
    value: float
    low: float
    high: float
    wanted: str
    holds: bool


def gold(suite: Suite) -> Suite:
    """The handbook questions that a passage answers, each with exactly that passage in its prompt."""
    passages = {passage.id.removeprefix("passage-"): passage for passage in suite.corpus}
    samples = []
    for sample in suite.test:
        found = passages.get(str(sample.metadata.get("fact", "none")).rsplit(".", 1)[0])
        if found is not None:
            shown: list[Passage] = [found]
            text = prompt.render(suite, Arm("gold", "embedded", retrieve=1), sample, shown)[-1]["content"]
            samples.append(replace(sample, input=text))
    return replace(suite, name=GOLD, test=tuple(samples), corpus=(), template="{input}")


def plan(model: str, work: Path, lora: TrainSpec, over: TrainSpec) -> Config:
    """The models.yaml that this evaluation would have, without the file."""
    adapters = {
        "sql": Adapter("sql", "embedded", str(work / "sql"), lora),
        "sql-over": Adapter("sql-over", "embedded", str(work / "sql-over"), over),
    }
    arms = {
        "base": Arm("base", "embedded"),
        "prompted": Arm("prompted", "embedded", system=True),
        "shots": Arm("shots", "embedded", shots=4),
        "rag3": Arm("rag3", "embedded", retrieve=3),
        "rag4": Arm("rag4", "embedded", retrieve=4),
        "lora": Arm("lora", "embedded", adapter="sql"),
        "over": Arm("over", "embedded", adapter="sql-over"),
    }
    return Config(str(work / "models.yaml"), {"embedded": Model("embedded", model)}, adapters, arms, Costs())


def reading(suite: Suite, count: int, known: bool) -> tuple[Suite, Suite]:
    """Questions about a rule, with and without the rule's text; `suite` lends prompt and scorer.

    known: the rule is of a kind that training texts have, its values are drawn anew; else no training text has it.
    """
    passages, bare = [], []
    for number, (text, question, target) in enumerate(held_out(random.Random(7), count, known)):
        sample = Sample(f"{number:04d}", question, target, digest=f"held out {number}")
        turn = prompt.render(suite, Arm("gold", "embedded", retrieve=1), sample, [Passage("0", text)])[-1]
        passages.append(replace(sample, input=turn["content"]))
        bare.append(sample)
    empty = replace(suite, name="reading", corpus=(), template="{input}")
    return replace(empty, test=tuple(passages)), replace(empty, name="reading-closed", test=tuple(bare))


def marked(done: Run, suite: Suite) -> list[float]:
    """The answers to `gold(suite)` held to the bare questions, as the suite's own scorer holds a retrieving arm."""
    scorer = load(next(spec for spec in suite.scorers if spec.primary), suite.path)
    asked = {sample.id: sample for sample in suite.test}
    return [scorer(asked[row.sample], row.completion).value for row in done.rows]


def scores(done: Run, suite: str, arm: str) -> list[float]:
    """Primary scores of an arm on a suite, in the order of the samples' ids."""
    rows = {s.sample: s.score.value for s in done.scores if s.suite == suite and s.arm == arm and s.primary}
    return [rows[sample] for sample in sorted(rows)]


def _level(name: str, values: Sequence[float], wanted: str, low: float = 0.0, high: float = 1.0) -> Bar:
    found = mean_interval(values)
    mean = sum(values) / len(values)
    return Bar(name, len(values), mean, found.low, found.high, wanted, low <= mean <= high)


def _gain(name: str, base: Sequence[float], other: Sequence[float], least: float) -> Bar:
    found = difference_interval(base, other)
    gain = (sum(other) - sum(base)) / len(base)
    return Bar(
        name,
        len(base),
        gain,
        found.low,
        found.high,
        f">= {least:+.2f}, interval above 0",
        gain >= least and found.low > 0,
    )


def asked(config: Config, work: Path, limit: int | None) -> list[Bar]:
    """The bars that need no training."""
    handbook, sql, forgetting = (read_suite(name) for name in ("handbook", "sql", "forgetting"))
    arms = config.arms
    book = run(config, [handbook], [arms[a] for a in ("base", "rag3", "rag4")], work / "handbook", limit=limit)
    given = run(config, [gold(handbook)], [arms["base"]], work / "gold", limit=limit)
    rest = run(config, [sql, forgetting], [arms[a] for a in ("base", "prompted", "shots")], work / "rest", limit=limit)
    fresh, closed_fresh = reading(handbook, 1000, known=True)
    read, closed_read = reading(handbook, 240, known=False)
    drawn = run(config, [fresh], [arms["base"]], work / "fresh")
    shown = run(config, [read], [arms["base"]], work / "reading")
    hidden = run(config, [closed_fresh], [arms["base"]], work / "closed")
    answerable = {s.id for s in gold(handbook).test}
    closed = [s.score.value for s in book.scores if s.arm == "base" and s.primary and s.sample in answerable]
    return [
        _level("reading, new passages", marked(drawn, closed_fresh), ">= 0.80", 0.80),
        _level("the same without the passage", marked(hidden, closed_fresh), "<= 0.35", 0, 0.35),
        _level("reading, kinds of rules kept from training", marked(shown, closed_read), ""),
        _level("handbook, gold passage", marked(given, handbook), ">= 0.80", 0.80),
        _level("handbook, 3 passages by BM25", scores(book, "handbook", "rag3"), ">= 0.60", 0.60),
        _level("handbook, 4 passages by BM25", scores(book, "handbook", "rag4"), ">= 0.60", 0.60),
        _level("handbook, closed book", closed, "<= 0.35", 0, 0.35),
        _level("sql, base", scores(rest, "sql", "base"), "<= 0.30", 0, 0.30),
        _level("sql, system prompt", scores(rest, "sql", "prompted"), ""),
        _gain("sql, 4 shots - base", scores(rest, "sql", "base"), scores(rest, "sql", "shots"), 0.05),
        _level("forgetting, base", scores(rest, "forgetting", "base"), "0.55 .. 0.90", 0.55, 0.90),
    ]


def trained(config: Config, work: Path, limit: int | None) -> list[Bar]:
    """The bars on two LoRA adapters: one trained as one should, one five times too long."""
    from harness.train.candidate import train_candidates

    list(train_candidates(config, list(config.adapters.values()), work))
    sql, forgetting = read_suite("sql"), read_suite("forgetting")
    arms = [config.arms[a] for a in ("base", "lora", "over")]
    done = run(config, [sql, forgetting], arms, work / "trained", limit=limit)
    bars = [
        _level("sql, LoRA", scores(done, "sql", "lora"), ">= 0.75", 0.75),
        _level("sql, over-trained", scores(done, "sql", "over"), ""),
    ]
    table = tabulate(done)
    for arm, wanted in (("lora", ""), ("over", "< 0.90, interval below 1")):
        kept = retention_of(table, "forgetting", arm)
        if kept is None or kept.macro is None or kept.interval is None:
            raise SystemExit("the base is at chance on every probe: nothing can be forgotten")
        held = not wanted or (kept.macro < 0.9 and kept.interval.high < 1)
        bars.append(
            Bar(f"forgetting, kept by {arm}", kept.n, kept.macro, kept.interval.low, kept.interval.high, wanted, held)
        )
    return bars


def probes(done: Run, arm: str) -> dict[str, float]:
    """Mean score for every probe family of the forgetting suite."""
    families = {s.id: str(s.metadata.get("probe")) for s in read_suite("forgetting").test}
    found: dict[str, list[float]] = {}
    for row in done.scores:
        if row.suite == "forgetting" and row.arm == arm and row.primary:
            found.setdefault(families[row.sample], []).append(row.score.value)
    return {name: round(sum(values) / len(values), 3) for name, values in sorted(found.items())}


def table(bars: Sequence[Bar]) -> str:
    """The bars as a Markdown table."""
    lines = ["| what | n | value | 95 % interval | wanted | holds |", "|---|---|---|---|---|---|"]
    for bar in bars:
        held = "" if not bar.wanted else "yes" if bar.holds else "NO"
        lines.append(
            f"| {bar.name} | {bar.n} | {bar.value:.3f} | {bar.low:.3f} .. {bar.high:.3f} | {bar.wanted} | {held} |"
        )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Prints the bars of a model; 0 if all hold."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="embedded", help='"embedded" or a model folder')
    parser.add_argument("--limit", type=int, help="only the first test samples of each suite")
    parser.add_argument("--skip-training", action="store_true", help="only the bars that need no adapter")
    parser.add_argument("--only-training", action="store_true", help="only the bars that need one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the LoRA recipe")
    parser.add_argument("--out", type=Path, help="keep the runs and adapters in this folder")
    given = parser.parse_args(argv)
    changed: dict[str, Any] = {key: json.loads(value) for key, value in (text.split("=", 1) for text in given.set)}
    with tempfile.TemporaryDirectory() as scratch:
        work = given.out or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        config = plan(given.model, work, replace(LORA, **changed), OVER)
        bars = [] if given.only_training else asked(config, work, given.limit)
        bars += [] if given.skip_training else trained(config, work, given.limit)
    print(table(bars))
    return 0 if all(bar.holds for bar in bars) else 1


if __name__ == "__main__":
    raise SystemExit(main())
