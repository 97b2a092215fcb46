"""What arms on suites will take: tokens counted, time and money as earlier runs or a probe measured them.

Time from an earlier run of the same arm or from a probe is seconds per request; from other arms on the same model it
is tokens per second, prompt and answer alike, which is coarse: an answer's tokens take longer than a prompt's. Either
holds for that machine and load; a probe is too small to fill a GPU, so its time is rather too long.
What is not covered: loading models, graders (judge, likelihood ratio), the drift probe, scoring.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import words
from harness.compare import Table, summarize_arm
from harness.data import Adapter, AdapterRef, Arm, ArmSummary, Config, Endpoint, Model, Suite
from harness.digests import adapter_digest, draws, located
from harness.engines import Described, open_engine
from harness.errors import ConfigError, HarnessError, SuiteError
from harness.progress import Progress
from harness.store import engine_seconds
from harness.suite import read_suite
from harness.tasks import Task
from harness.tasks import plan as tasks_of


@dataclass(frozen=True)
class Work:
    """One arm on one suite, in all: tokens, seconds of engine time, US dollars; None is unknown.

    at_most: completion tokens if every answer ran to its limit. basis, time_basis: where the figures come from.
    """

    suite: str
    arm: str
    requests: int
    prompt_tokens: int | None
    completion_tokens: int | None
    at_most: int | None
    basis: str
    seconds: float | None
    time_basis: str
    usd: float | None


@dataclass(frozen=True)
class Training:
    """One adapter that the arms need. done: it is there, made by this recipe from these rows; then all else is None."""

    adapter: str
    done: bool
    examples: int | None
    tokens: int | None
    seconds: float | None
    basis: str
    usd: float | None


@dataclass(frozen=True)
class _Rendering:
    """What tasks.plan asks of an engine in order to render prompts; nothing is generated."""

    tokenizer: Any
    name: str = "plan"
    version: str = ""
    max_model_len: int = 1 << 60
    constrains: bool = True


def tokenizers_of(config: Config, arms: Sequence[Arm], root: Path | None, notes: list[str]) -> dict[str, Any]:
    """The tokenizer of every arm's model; None, with a note, where it is not to be had."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(arm.model for arm in arms):
        model = config.models[name]
        try:
            if model.endpoint:
                found[name] = None
                notes.append(
                    f"{name} is an endpoint, which counts the tokens itself: --probe N or --from RUN shows them."
                )
            elif model.path == "fake":
                from harness.engines.fake import FakeTokenizer

                found[name] = FakeTokenizer()
            else:
                from harness.engines.loading import load_tokenizer

                found[name] = load_tokenizer(located(model, root))
        except ConfigError as problem:
            found[name] = None
            notes.append(f"Tokens are unknown: {problem}")
    return found


def _tasks(suite: Suite, arm: Arm, engine: Described, ref: AdapterRef | None = None) -> list[Task]:
    refs = {arm.adapter: ref or AdapterRef(arm.adapter, "", "")} if arm.adapter else {}
    return list(tasks_of(engine, "", [suite], [arm], refs))


def work_of(
    config: Config,
    suite: Suite,
    arm: Arm,
    tokenizer: Any,
    tables: Sequence[Table],
    probed: Probed | None,
    engine: str | None,
    notes: list[str],
) -> Work:
    """What one arm takes on one suite. A probe goes before earlier runs, and the last of those before others."""
    n, price = sum(draws(suite, sample) for sample in suite.test), config.costs.gpu_hour_usd
    endpoint = config.models[arm.model].endpoint
    try:
        tasks = _tasks(suite, arm, _Rendering(tokenizer)) if tokenizer is not None or endpoint else []
    except SuiteError as problem:
        notes.append(f"{arm.name} cannot answer {suite.name}: {problem}")
        return Work(suite.name, arm.name, 0, None, None, None, "cannot be asked", None, "cannot be asked", None)
    named = [(table, same_arm(config, table, arm)) for table in tables]
    met = [(table, found) for table, name in named if name and (found := _summary(table, suite.name, name))]
    completion, basis = _completion_tokens(suite, tokenizer, met, probed)
    limits = [t.request.choices or t.request.sampling.max_tokens for t in tasks]
    prompt_tokens = sum(len(task.request.prompt_ids) for task in tasks) if tasks else None
    if endpoint:
        prompt_tokens = round(probed.prompt_tokens / probed.requests * n) if probed else None
        prompt_tokens = round(met[-1][1].prompt_tokens * n) if met and not probed else prompt_tokens
    tokens = None if prompt_tokens is None or completion is None else prompt_tokens + completion
    timed = [table for table in tables if engine in (None, (table.run.manifest.get("engine") or {}).get("name"))]
    exact = [(table, found.engine_seconds) for table, found in met if table in timed and found.engine_seconds]
    rates = [(table, rate) for table in timed if (rate := _rate(table, config.models[arm.model]))]
    seconds, time_basis = None, "unknown: give --from RUN or --probe N"
    if probed:
        seconds, time_basis = probed.seconds / probed.requests * n, f"probe of {probed.requests}{probed.note}"
    elif exact:
        seconds, time_basis = exact[-1][1] * n, _where(exact[-1][0])
    elif rates and tokens is not None:
        seconds, time_basis = tokens / rates[-1][1], f"{rates[-1][1]:,.0f} tokens/s of {_where(rates[-1][0])}"
    return Work(
        suite=suite.name,
        arm=arm.name,
        requests=n,
        prompt_tokens=prompt_tokens,
        completion_tokens=None if completion is None else round(completion),
        at_most=sum(one if isinstance(one, int) else max(map(len, one)) for one in limits) if limits else None,
        basis=basis,
        seconds=seconds,
        time_basis=time_basis,
        usd=_usd_of_tokens(endpoint, prompt_tokens, completion) if endpoint else usd_of(seconds, price),
    )


def _usd_of_tokens(endpoint: Endpoint, prompt: float | None, completion: float | None) -> float | None:
    if prompt is None or completion is None or endpoint.usd_input is None or endpoint.usd_output is None:
        return None
    return (prompt * endpoint.usd_input + completion * endpoint.usd_output) / 1e6


def _completion_tokens(
    suite: Suite, tokenizer: Any, met: Sequence[tuple[Table, ArmSummary]], probed: Probed | None
) -> tuple[float | None, str]:
    """(completion tokens of all answers, where from): a probe, else an earlier run, else the targets' own length."""
    n = sum(draws(suite, sample) for sample in suite.test)
    if probed:
        return probed.completion_tokens / probed.requests * n, f"probe of {probed.requests}"
    if met:
        return met[-1][1].completion_tokens * n, met[-1][0].run.path
    if tokenizer is None:
        return None, "unknown"
    lengths = [
        draws(suite, sample) * (len(tokenizer.encode(sample.target, add_special_tokens=False)) + 1)
        for sample in suite.test
    ]
    return sum(lengths), "length of targets"


def usd_of(seconds: float | None, price: float | None) -> float | None:
    """US dollars of so many GPU seconds; price: of an hour."""
    return None if seconds is None or price is None else seconds * price / 3600


def _summary(table: Table, suite: str, arm: str) -> ArmSummary | None:
    return summarize_arm(table, suite, arm) if (suite, arm) in table.rows else None


def same_arm(config: Config, table: Table, arm: Arm) -> str | None:
    """The arm of an earlier run with the same model and dials, whatever its name was."""
    mine = _plain({key: value for key, value in asdict(arm).items() if key != "name"})
    if (table.run.manifest.get("models", {}).get(arm.model) or {}).get("path") != config.models[arm.model].path:
        return None
    same = [name for name, about in table.arms.items() if all(about.get(key, mine[key]) == mine[key] for key in mine)]
    return arm.name if arm.name in same else next(iter(same), None)


def _rate(table: Table, model: Model) -> float | None:
    """Tokens per second of engine time, over all arms of an earlier run that are on this model."""
    if (table.run.manifest.get("models", {}).get(model.name) or {}).get("path") != model.path:
        return None
    tokens, seconds = 0, 0.0
    for suite, spent in table.run.manifest.get("seconds", {}).items():
        for arm in spent:
            if (table.arms.get(arm) or {}).get("model") == model.name:
                done = [row.completion for row in table.rows.get((suite, arm), ()) if not row.reused]
                tokens += sum(c.prompt_tokens + c.completion_tokens for c in done)
                seconds += len(done) * (engine_seconds(table.run, suite, arm) or 0.0)
    return tokens / seconds if tokens and seconds else None


def _where(table: Table) -> str:
    engine = table.run.manifest.get("engine") or {}
    device = f" on {engine['device']}" if engine.get("device") else ""
    return f"{table.run.path} ({engine.get('name', 'unknown engine')}{device})"


# --- a probe ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Probed:
    """What a few dev samples took. note: what was not as it will be."""

    requests: int
    completion_tokens: int
    seconds: float
    note: str = ""
    prompt_tokens: int = 0


def probe_arms(
    config: Config, suites: Sequence[Suite], arms: Sequence[Arm], n: int, name: str | None, root: Path | None,
    notes: list[str],
) -> dict[tuple[str, str], Probed]:  # fmt: skip
    """Seconds and tokens of the first n dev samples per suite and arm. An adapter that is not there yet is left off."""
    found = {}
    with_dev = [replace(suite, test=suite.dev[:n], asked=None) for suite in suites if suite.dev]
    notes += [f"{suite.name}: has no dev split; it was not probed." for suite in suites if not suite.dev]
    for model in {arm.model: config.models[arm.model] for arm in arms}.values():
        mine = [arm for arm in arms if arm.model == model.name]
        refs = {a: ref for arm in mine if (a := arm.adapter) and (ref := _trained(config, a))}
        if not with_dev:
            break
        with (
            closing(open_engine(located(model, root), tuple(refs.values()), name)) as engine,
            Progress(f"probing {model.name} ({engine.name})", len(with_dev) * len(mine), "arms") as progress,
        ):
            for suite in with_dev:
                for arm in mine:
                    there = not arm.adapter or arm.adapter in refs
                    try:
                        asked = _tasks(
                            suite, arm if there else replace(arm, adapter=None), engine, refs.get(arm.adapter or "")
                        )
                    except SuiteError as problem:
                        notes.append(f"{arm.name} was not probed on {suite.name}: {problem}")
                        continue
                    requests = [task.request for task in asked]
                    list(engine.generate(requests[:1]))  # the first request of an engine is slow
                    start = time.monotonic()
                    done = [completion for _, completion in engine.generate(requests)]
                    found[suite.name, arm.name] = Probed(
                        len(done),
                        sum(completion.completion_tokens for completion in done),
                        time.monotonic() - start,
                        "" if there else ", without its adapter",
                        sum(completion.prompt_tokens for completion in done),
                    )
                    progress.update()
    return found


def _trained(config: Config, name: str) -> AdapterRef | None:
    path = config.adapters[name].path
    try:
        return AdapterRef(name, path, adapter_digest(path))
    except HarnessError:
        return None


# --- what is to be trained -------------------------------------------------------------------------------------------


def trainings_of(
    config: Config, arms: Sequence[Arm], tokenizers: Mapping[str, Any], tables: Sequence[Table], root: Path | None
) -> Iterator[Training]:
    """What the arms' adapters take to train; those on disk and those of earlier runs tell how fast that is."""
    from harness.train.card import read_card

    cards = [read_card(adapter.path) for adapter in config.adapters.values()]
    cards += [about.get("train") for table in tables for about in table.run.manifest.get("adapters", {}).values()]
    for name in dict.fromkeys(arm.adapter for arm in arms if arm.adapter):
        adapter = config.adapters[name]
        base = config.models[adapter.model].path
        rates = [
            card["tokens"] / card["seconds"]
            for card in cards
            if card and (card.get("model") or {}).get("path") == base and card.get("tokens") and card.get("seconds")
        ]
        yield _training(adapter, tokenizers[adapter.model], rates, config.costs.gpu_hour_usd, root)


def _training(
    adapter: Adapter, tokenizer: Any, rates: Sequence[float], price: float | None, root: Path | None
) -> Training:
    """rates: tokens per second of earlier trainings on the same base."""
    from harness.train.candidate import examples
    from harness.train.card import data_digest, read_card
    from harness.train.data import plan as steps_of
    from harness.train.data import share

    name, spec = adapter.name, adapter.train
    if spec is None:
        there = (Path(adapter.path) / "adapter_config.json").is_file()
        basis = "trained elsewhere" if there else f"nothing at {adapter.path}, and no recipe"
        return Training(name, there, None, None, None, basis, None)
    if tokenizer is None:
        return Training(name, False, None, None, None, "unknown: no tokenizer", None)
    suites = [read_suite(suite, root) for suite in spec.suites]
    rows = [row for suite in suites for row in examples(tokenizer, suite, spec, adapter.model, "train")]
    if not rows:
        return Training(name, False, 0, 0, None, "its suites have no train split", None)
    used = share(rows, spec.data_fraction, spec.seed)
    card = read_card(adapter.path)
    recipes = adapter.tries or (spec,)
    known = card and card.get("recipe") in [_plain(asdict(one)) for one in recipes]
    if card and known and card.get("data_digest") == data_digest(used):
        return Training(name, True, None, None, None, "trained already, by this recipe", None)
    tokens = sum(len(used[number]) for one in recipes for step in steps_of(len(used), one) for number in step)
    seconds = tokens / statistics.median(rates) if rates else None
    basis = "unknown: nothing was trained on its base yet"
    if rates:
        basis = f"{words.count(len(rates), 'earlier training')} on {adapter.model}"
    return Training(name, False, len(used), tokens, seconds, basis, usd_of(seconds, price))


def _plain(value: Any) -> Any:
    """As it comes back from JSON."""
    return json.loads(json.dumps(value))
