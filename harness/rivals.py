"""Fair rivals: what is tried on a suite's dev split, before its test split is asked.

An arm may list several system prompts, shot counts and retrieval depths. Every combination answers dev, and the best
one answers test; another suite may have another winner. Where several arms without fine-tuning are compared, those
without lists answer dev too, so that the reference, the best of them, is not chosen on the samples that judge.

The answers are a run of their own, RUN/dev, kept and continued as any run; what came of it stands in run.json. What is
not covered: a prompt that fits the context on dev and not on test is refused only after dev has been answered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import stdev
from typing import Any

from harness import ledger, remote
from harness.compare import Table, tabulate
from harness.config import try_name
from harness.data import AdapterRef, Arm, Choice, Config, Run, Suite, Try
from harness.digests import text_digest
from harness.engines import Chosen
from harness.errors import ConfigError, SuiteError
from harness.grading import look_over
from harness.manifest import DIALS
from harness.progress import say
from harness.roles import LEAST
from harness.runner import Opened, adapter_ref, rescore, run
from harness.stats.paired import SAME, mean
from harness.store import RunWriter, read_run
from harness.words import count, percent

FOLDER = "dev"
WITHIN = 1.0
"""Standard errors of the paired difference within which a cheaper combination is as good as the best."""


@dataclass(frozen=True)
class Choices:
    """What was chosen on dev, by (suite, arm)."""

    made: Mapping[tuple[str, str], Choice] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)

    def entrant(self, suite: Suite, arm: Arm) -> Arm:
        """The arm with the dials that it answers this suite with."""
        choice = self.made.get((suite.name, arm.name))
        return replace(choice.tries[choice.chosen].arm, name=arm.name) if choice else replace(arm, tries=())

    def card(self) -> dict[str, Any]:
        """What run.json says: suite -> {"digest", "arms": arm -> {"chosen": place, "tries": [dials, n, mean, ...]}}."""
        found: dict[str, Any] = {}
        for (suite, arm), choice in self.made.items():
            tries = [
                {dial: getattr(one.arm, dial) for dial in DIALS}
                | {"n": one.n, "mean": round(one.mean, 6), "prompt_tokens": round(one.prompt_tokens, 1)}
                for one in choice.tries
            ]
            of_suite = found.setdefault(suite, {"digest": self.digests[suite], "arms": {}})
            of_suite["arms"][arm] = {"chosen": choice.chosen, "tries": tries}
        return found


def run_fairly(
    config: Config,
    suites: Sequence[Suite],
    arms: Sequence[Arm],
    out: Path,
    *,
    engine: Chosen = None,
    limit: int | None = None,
    dev: bool = True,
    dev_limit: int | None = None,
    reuse: Sequence[Run] = (),
    root: Path | None = None,
    twice: bool = False,
) -> Run:
    """`runner.run`, after choosing on dev; see `choose` for dev and dev_limit. limit caps both splits.

    Raises what `runner.run` and `choose` raise.
    """
    with closing(opened_for(config, arms, engine)) as opened:
        most = dev_limit or limit
        chosen = choose(config, suites, arms, out, opened, dev=dev, limit=most, reuse=reuse, root=root)
        done = run(
            config, suites, arms, out, engine=engine, limit=limit, reuse=reuse, root=root, opened=opened,
            entrant=chosen.entrant, dev=chosen.card(), twice=twice,
        )  # fmt: skip
    ledger.enter(done)
    return done


def rescore_fairly(path: Path, suites: Mapping[str, Suite], config: Config | None = None) -> Run:
    """`runner.rescore` of a run and of its answers on dev. Dials that have answered test stay; their scores are new."""
    done = rescore(path, suites, config)
    if not (dev_runs := _dev_of(done)):
        return done
    held = dev_runs[0].manifest["suites"]
    table = tabulate(
        rescore(path / FOLDER, {name: _dev_suite(suite) for name, suite in suites.items() if name in held})
    )
    dev: dict[str, Any] = {}
    for name, about in done.manifest.get("dev", {}).items():
        dev[name] = {"digest": suites[name].digest, "arms": {}}
        for arm, choice in about["arms"].items():
            several = len(choice["tries"]) > 1
            tries = []
            for one in choice["tries"]:
                own = try_name(arm, *(one[dial] for dial in DIALS)) if several else arm
                tries.append({**one, "mean": round(mean(_scores(table, suites[name], own, one["n"])), 6)})
            dev[name]["arms"][arm] = {**choice, "tries": tries}
    with RunWriter(path) as writer:
        writer.manifest({**done.manifest, "dev": dev})
    return read_run(path)


def opened_for(config: Config, arms: Sequence[Arm], engine: Chosen = None) -> Opened:
    """An engine holder that opens every model once, with all adapters of these arms."""
    adapters: dict[str, list[AdapterRef]] = {}
    for name in dict.fromkeys(arm.adapter for arm in arms if arm.adapter):
        adapters.setdefault(config.adapters[name].model, []).append(adapter_ref(config, name))
    return Opened(engine, adapters)


def choose(
    config: Config,
    suites: Sequence[Suite],
    arms: Sequence[Arm],
    out: Path,
    opened: Opened,
    *,
    dev: bool = True,
    limit: int | None = None,
    reuse: Sequence[Run] = (),
    root: Path | None = None,
) -> Choices:
    """Answers what has to be answered on dev, in out/dev, and picks. Test samples are not looked at.

    dev: False answers nothing there, which an arm with lists does not allow. limit: only the first dev samples.
    Raises ConfigError (lists without dev), SuiteError (lists, but no dev samples), and what `runner.run` raises.
    """
    look_over(config, suites)
    tried = wanted(suites, arms, _plain_before(out), dev, limit)
    if not tried:
        return Choices()
    entrants = {one.name: one for tries in tried.values() for one in tries}
    asked = {(suite, one.name) for (suite, _), tries in tried.items() for one in tries}
    about = {suite.name: suite for suite in suites if any(suite.name == name for name, _ in tried)}
    total = sum(len(about[suite].dev[:limit]) * len(tries) for (suite, _), tries in tried.items())
    kept_in = remote.name(out / FOLDER)
    say(f"dev: up to {count(total, 'answer')} to choose from, before test is asked (kept in {kept_in})")
    done = run(
        config,
        [_dev_suite(suite) for suite in about.values()],
        list(entrants.values()),
        out / FOLDER,
        limit=limit,
        reuse=[part for whole in reuse for part in (whole, *_dev_of(whole))],
        root=root,
        opened=opened,
        entrant=lambda suite, arm: arm if (suite.name, arm.name) in asked else None,
    )
    made = {(suite, arm): _choice(done, about[suite], tries, limit) for (suite, arm), tries in tried.items()}
    for (suite, arm), choice in made.items():
        if len(choice.tries) > 1:
            best = choice.tries[choice.chosen]
            said = f"{percent(best.mean)}, n={best.n}, {len(choice.tries)} tried"
            say(f"dev: {suite}: {arm} answers test as {best.arm.name} ({said})")
    return Choices(made, {name: suite.digest for name, suite in about.items()})


def wanted(
    suites: Sequence[Suite],
    arms: Sequence[Arm],
    before: Sequence[str] = (),
    dev: bool = True,
    limit: int | None = None,
) -> dict[tuple[str, str], tuple[Arm, ...]]:
    """(suite, arm) -> the combinations that answer dev. before: arms without fine-tuning that a run folder holds.

    A suite whose prompts no arm adds to has nothing to choose. Ceilings (`retrieve: gold`) are no rivals.
    """
    found: dict[tuple[str, str], tuple[Arm, ...]] = {}
    plain = {*before, *(arm.name for arm in arms if _is_plain(arm.adapter, arm.retrieve))}
    for suite in suites:
        if all(sample.as_is for sample in suite.test):
            continue
        several = dev and suite.kind != "general" and len(plain) > 1 and len(suite.dev[:limit]) >= LEAST
        for arm in arms:
            if arm.tries and not dev:
                raise ConfigError(
                    f"arm '{arm.name}': lists several dials, which are chosen on dev. Give it one value per dial, or "
                    f"leave out --no-dev."
                )
            if arm.tries and len(suite.dev[:limit]) < 2:
                raise SuiteError(
                    f"suite {suite.name}: {count(len(suite.dev[:limit]), 'dev sample')} to choose the dials of arm "
                    f"'{arm.name}' on. Add dev samples, raise the limit, or give the arm one value per dial."
                )
            if arm.tries or (several and _is_plain(arm.adapter, arm.retrieve)):
                found[suite.name, arm.name] = arm.tries or (arm,)
    return found


def pick(scores: Sequence[Sequence[float]], tokens: Sequence[float]) -> int:
    """The place of the cheapest (fewest tokens) whose mean is within WITHIN standard errors of the highest.

    scores: of each combination, on the same samples, 0..1. tokens: mean prompt tokens of each. Of equally cheap ones
    the first. One standard error: Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984. To
    ask for a difference shown at 95 % would cost the rival points: few dev samples show little.

    >>> pick([[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1]], [10, 9, 50])
    2
    """
    cheapest_first = sorted(range(len(scores)), key=lambda place: (tokens[place], place))
    top = max(cheapest_first, key=lambda place: mean(scores[place]))
    return next(place for place in cheapest_first if _as_good(scores[place], scores[top]))


def _as_good(scores: Sequence[float], top: Sequence[float]) -> bool:
    behind = [best - own for own, best in zip(scores, top, strict=True)]
    error = stdev(behind) / math.sqrt(len(behind)) if len(behind) > 1 else 0.0
    return mean(behind) <= WITHIN * error + SAME


def _choice(done: Run, suite: Suite, tries: Sequence[Arm], limit: int | None) -> Choice:
    """The scores on dev and the winner. An answer that is missing counts as 0."""
    table = tabulate(done)
    scores, tokens = [_scores(table, suite, one.name, limit) for one in tries], []
    digests = {sample.digest for sample in suite.dev[:limit]}
    for one in tries:
        rows = [row for row in table.rows.get((suite.name, one.name), ()) if row.sample_digest in digests]
        tokens.append(mean([row.completion.prompt_tokens for row in rows]) if rows else 0.0)
    measured = [Try(one, len(s), mean(s), t) for one, s, t in zip(tries, scores, tokens, strict=True)]
    return Choice(tuple(measured), pick(scores, tokens))


def _scores(table: Table, suite: Suite, name: str, limit: int | None) -> list[float]:
    """The primary scores of one combination, by its name, in the order of the suite's dev samples."""
    scorer = next(spec.name for spec in suite.scorers if spec.primary)
    found = table.scores.get((suite.name, name, scorer), {})
    return [mean(found[sample.digest]) if sample.digest in found else 0.0 for sample in suite.dev[:limit]]


def _dev_suite(suite: Suite) -> Suite:
    """The suite with its dev split in the place of test, without graders, under an identity of its own."""
    digest = text_digest(suite.digest, [sample.digest for sample in suite.dev])
    return replace(suite, test=suite.dev, dev=(), graders=(), looks=None, digest=digest)


def _dev_of(whole: Run) -> list[Run]:
    """Its answers on dev, without their scores, where it has some."""
    folder = remote.folder(whole.path) / FOLDER
    return [read_run(folder, scored=False)] if (folder / "run.json").is_file() else []


def _plain_before(out: Path) -> list[str]:
    """The arms without fine-tuning that a run folder holds already."""
    if not (out / "run.json").is_file():
        return []
    arms = read_run(out).manifest["arms"]
    return [name for name, about in arms.items() if _is_plain(about.get("adapter"), about.get("retrieve"))]


def _is_plain(adapter: str | None, retrieve: Any) -> bool:
    """Whether an arm can be the reference: not fine-tuned, and not shown the passages that hold the answer."""
    return not adapter and retrieve != "gold"
