"""`harness run --until-decided`: answer no more samples than the verdict needs.

The samples of each suite are asked in a seeded random order, those of one source together, every arm in lockstep. After
each of five declared looks the verdicts are formed with repeated confidence intervals (stats/sequential.py); a suite
whose candidates are all decided is not asked any further. With a gate it is the gate's answer that ends the run, for
all suites together. The looks are declared in the manifest before the first answer and cannot be changed afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from harness import ledger
from harness.data import Arm, Config, Run, Sample, Suite, Verdict
from harness.engines import Chosen
from harness.errors import RunError
from harness.gate import gate, stands
from harness.policy import Policy
from harness.progress import say
from harness.rivals import choose, opened_for
from harness.runner import run
from harness.stats.sequential import LOOKS, order, schedule
from harness.store import read_run
from harness.verdict import decide
from harness.words import count, listing


@dataclass(frozen=True)
class Held:
    """The gate whose answer ends a run: every other arm of the run is held to this arm.

    run: of the baseline; None: the run itself. said: the options that name all this. today: for quarantine.
    """

    run: Run | None
    arm: str
    policy: Policy
    said: str
    today: date


def run_until_decided(
    config: Config,
    suites: Sequence[Suite],
    arms: Sequence[Arm],
    out: Path,
    *,
    engine: Chosen = None,
    reuse: Sequence[Run] = (),
    root: Path | None = None,
    looks: int = LOOKS,
    seed: int = 0,
    dev: bool = True,
    dev_limit: int | None = None,
    twice: bool = False,
    held: Held | None = None,
) -> Run:
    """`runner.run`, look by look, until every suite is decided or all samples are in. A folder is taken up again.

    What is chosen on dev (`rivals.choose`) is chosen once, before the first look. held: go by this gate's answer.
    Raises what `runner.run` and `rivals.choose` raise, and RunError where the folder was begun with other looks or
    without any, or the gate says that the two sides cannot be compared.
    """
    open_ = [declared(suite, looks, seed, held.said if held else "") for suite in suites]
    reached = _reached(out)
    with closing(opened_for(config, arms, engine)) as opened:
        chosen = choose(config, suites, arms, out, opened, dev=dev, limit=dev_limit, reuse=reuse, root=root)
        card = chosen.card()
        for look in range(1, looks + 1):
            open_ = [at(suite, max(look, reached.get(suite.name, 0))) for suite in open_]
            found = run(
                config, open_, arms, out, engine=engine, reuse=reuse, root=root, opened=opened,
                entrant=chosen.entrant, dev=card, twice=twice and look == 1,
            )  # fmt: skip
            left = _open_of_gate(found, arms, held) if held else {v.suite for v in decide(found) if _is_open(v)}
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


def declared(suite: Suite, looks: int = LOOKS, seed: int = 0, gate: str = "") -> Suite:
    """The suite with its test samples in the order of asking and its looks declared; gate: the options that name it.

    No look parts samples of one source: a size goes up to the end of the source it falls into.
    """
    sources = [_source(suite, sample) for sample in suite.test]
    places = order(sources, seed)
    ends = [
        end for end in range(1, len(places) + 1)
        if end == len(places) or sources[places[end]] != sources[places[end - 1]]
    ]  # fmt: skip
    sizes = sorted({next(end for end in ends if end >= size) for size in schedule(len(suite.test), looks)})
    card = {"sizes": sizes, "used": 0, "seed": seed} | ({"gate": gate} if gate else {})
    return replace(suite, test=tuple(suite.test[place] for place in places), looks=card)


def at(suite: Suite, look: int) -> Suite:
    """A declared suite at one of its looks, 1, 2, ...; where it has fewer than that, at the last."""
    assert suite.looks is not None
    sizes = suite.looks["sizes"]
    used = min(look, len(sizes))
    return replace(suite, asked=sizes[used - 1], looks={**suite.looks, "used": used})


def _source(suite: Suite, sample: Sample) -> str:
    source = sample.metadata.get(suite.cluster) if suite.cluster else None
    return sample.digest if source is None else f"source {source}"


def _open_of_gate(found: Run, arms: Sequence[Arm], held: Held) -> set[str]:
    """All suites, as long as more samples could turn the gate's answer about an arm; then none."""
    open_ = False
    for arm in arms:
        if arm.retrieve == "gold" or (held.run is None and arm.name == held.arm):
            continue
        result = gate(held.run or found, held.arm, found, arm.name, held.policy, held.today)
        failed = any(row.completion.finish_reason == "error" for row in found.rows)
        if result.status == "NOT COMPARABLE" and not failed:
            raise RunError(result.sentence)
        say(f"gate: {arm.name}: {result.sentence}")
        open_ = open_ or not stands(result, held.policy.tolerate_small)
    return set(found.manifest["suites"]) if open_ else set()


def _is_open(verdict: Verdict) -> bool:
    return verdict.suite != "overall" and verdict.decision not in ("adopt", "do not adopt")
