"""`harness run --until-decided`: answer no more samples than the verdict needs.

The samples of each suite are asked in a seeded random order, those of one source together, every arm in lockstep. After
each of five declared looks the verdicts are formed with repeated confidence intervals (stats/sequential.py); a suite
whose candidates are all decided is not asked any further. The looks are declared in the manifest before the first
answer and cannot be changed afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from harness import ledger
from harness.data import Arm, Config, Run, Sample, Suite, Verdict
from harness.progress import say
from harness.rivals import choose, opened_for
from harness.runner import run
from harness.stats.sequential import LOOKS, order, schedule
from harness.store import read_run
from harness.verdict import decide
from harness.words import count, listing


def run_until_decided(
    config: Config,
    suites: Sequence[Suite],
    arms: Sequence[Arm],
    out: Path,
    *,
    engine: str | None = None,
    reuse: Sequence[Run] = (),
    root: Path | None = None,
    looks: int = LOOKS,
    seed: int = 0,
    dev: bool = True,
    dev_limit: int | None = None,
    twice: bool = False,
) -> Run:
    """`runner.run`, look by look, until every suite is decided or all samples are in. A folder is taken up again.

    What is chosen on dev (`rivals.choose`) is chosen once, before the first look.
    Raises what `runner.run` and `rivals.choose` raise, and RunError where the folder was begun with other looks or
    without any.
    """
    open_ = [declared(suite, looks, seed) for suite in suites]
    reached = _reached(out)
    with closing(opened_for(config, arms, engine)) as opened:
        chosen = choose(config, suites, arms, out, opened, dev=dev, limit=dev_limit, reuse=reuse, root=root)
        card = chosen.card()
        for look in range(1, looks + 1):
            open_ = [at(suite, max(look, reached.get(suite.name, 0))) for suite in open_]
            found = run(
                config, open_, arms, out, engine=engine, reuse=reuse, root=root, opened=opened,
                entrant=chosen.entrant, dev=card, twice=twice,
            )  # fmt: skip
            left = {verdict.suite for verdict in decide(found) if _is_open(verdict)}
            if settled := [suite for suite in open_ if suite.name not in left]:
                names = listing([f"{suite.name} ({suite.asked} of {len(suite.test)} samples)" for suite in settled])
                say(f"look {look} of {looks}: decided: {names}")
            open_ = [suite for suite in open_ if suite.name in left and suite.asked != len(suite.test)]
            if not open_:
                break
            say(f"look {look} of {looks}: {count(len(open_), 'suite')} still open")
    done = read_run(out)
    ledger.enter(done)
    return done


def _reached(out: Path) -> dict[str, int]:
    """The look that each suite of an existing run folder has come to."""
    if not (out / "run.json").is_file():
        return {}
    cards = read_run(out).manifest["suites"]
    return {name: int(card["looks"]["used"]) for name, card in cards.items() if card.get("looks")}


def declared(suite: Suite, looks: int = LOOKS, seed: int = 0) -> Suite:
    """The suite with its test samples in the order of asking and its looks declared."""
    places = order([_source(suite, sample) for sample in suite.test], seed)
    sizes = schedule(len(suite.test), looks)
    return replace(
        suite, test=tuple(suite.test[place] for place in places), looks={"sizes": list(sizes), "used": 0, "seed": seed}
    )


def at(suite: Suite, look: int) -> Suite:
    """A declared suite at one of its looks, 1, 2, ...; where it has fewer than that, at the last."""
    assert suite.looks is not None
    sizes = suite.looks["sizes"]
    used = min(look, len(sizes))
    return replace(suite, asked=sizes[used - 1], looks={**suite.looks, "used": used})


def _source(suite: Suite, sample: Sample) -> str:
    source = sample.metadata.get(suite.cluster) if suite.cluster else None
    return sample.digest if source is None else f"source {source}"


def _is_open(verdict: Verdict) -> bool:
    return verdict.suite != "overall" and verdict.decision not in ("adopt", "do not adopt")
