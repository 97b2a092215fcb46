"""The pipeline: suites x arms -> requests -> engine -> completions -> scores -> a run folder.

All arms on one base share an engine and a queue. Every answer is stored as it arrives, under the identity of its
computation; what is already stored is not computed again, which makes resuming and reusing the same thing.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

from harness import again, contamination, drift, reasoning, scorers
from harness import manifest as manifests
from harness.data import (
    AdapterRef,
    Arm,
    Completion,
    Config,
    Model,
    Row,
    Run,
    Scorer,
    ScoreRow,
    Suite,
)
from harness.digests import (
    adapter_digest,
    draws,
    located,
    sampling_parts,
)
from harness.engines import Chosen, Cluster, Described, Engine, open_engine
from harness.engines.supervised import Supervised
from harness.engines.unopened import Unopened
from harness.errors import AdapterError, RunError, SuiteError
from harness.grading import grade, look_over
from harness.progress import Progress, say
from harness.resume import Earlier, by_arm, prepared
from harness.scoring import Job, Scoring, score_sample
from harness.store import RunWriter, name_answers, read_run, row_to_json, without_collection, write_scores
from harness.tasks import Entrant, Place, Task, as_written, plan


def run(
    config: Config,
    suites: Sequence[Suite],
    arms: Sequence[Arm],
    out: Path,
    *,
    engine: Chosen = None,
    limit: int | None = None,
    reuse: Sequence[Run] = (),
    root: Path | None = None,
    opened: Opened | None = None,
    entrant: Entrant | None = None,
    dev: Mapping[str, Any] | None = None,
    twice: bool = False,
) -> Run:
    """Answers and scores every (suite, arm, sample); returns the finished run. An existing folder is continued.

    engine: "vllm", "transformers", "fake", a cluster, None for automatic. limit: only the first test samples.
    reuse: runs whose answers may stand in where the identity is the same. root: where relative model paths start.
    opened: keeps the engine open after this run, for the next one.
    entrant: how each arm answers each suite; None: as it is written. dev: what was chosen on dev, for run.json (see
    rivals.py, which finds both). twice: a few answers are asked for again, see again.py.
    Raises ConfigError, SuiteError, AdapterError, RunError (other suite version, locked), MachineError.
    """
    for suite, other in combinations(suites, 2):
        if suite.name == other.name:
            raise SuiteError(f"two suites are called '{suite.name}': {suite.path} and {other.path}. Rename one.")
    suites = [replace(suite, asked=limit) for suite in suites] if limit else suites
    by_suite = {suite.name: {spec.name: scorers.load(spec, suite.path) for spec in suite.scorers} for suite in suites}
    look_over(config, suites)
    refs = {arm.adapter: adapter_ref(config, arm.adapter) for arm in arms if arm.adapter}
    with ExitStack() as stack:
        opened = opened or stack.enter_context(closing(Opened(engine)))
        writer = stack.enter_context(RunWriter(out))
        existing = name_answers(read_run(out)) if (out / "run.json").is_file() else None
        past = [*reuse, existing] if existing else reuse
        known = {row.key: row.completion for one in past for row in one.rows if _answered(row)}
        for model in {arm.model: config.models[arm.model] for arm in arms}.values():
            mine = [arm for arm in arms if arm.model == model.name]
            adapters = {arm.adapter: refs[arm.adapter] for arm in mine if arm.adapter}
            _run_model(
                config, model, mine, adapters, suites, by_suite, writer, known, reuse, opened, root,
                entrant or as_written, dev, twice,
            )  # fmt: skip
        if any(suite.graders for suite in suites):
            opened.close()
        done = grade(config, suites, writer, engine, root)
        if done.manifest["finished"] or not _whole(done):
            return done
        return _finished(done, writer, datetime.now(UTC).isoformat(timespec="seconds"))


def _whole(run: Run) -> bool:
    """Whether the arms that have answers on a suite have as many as each other: an earlier call may have broken off."""
    counts = Counter((row.suite, row.arm) for row in run.rows)
    return all(count == max(counts[one] for one in counts if one[0] == suite) for (suite, _), count in counts.items())


def _finished(run: Run, writer: RunWriter, when: str | None) -> Run:
    manifest = {**run.manifest, "finished": when}
    writer.manifest(manifest)
    return replace(run, manifest=manifest)


def _asked_again(
    engine: Engine,
    tasks: Sequence[Task],
    by_suite: Mapping[str, Mapping[str, Scorer]],
    known: Mapping[str, Completion],
) -> dict[str, dict[str, Any]]:
    """See again.measure."""

    def score(task: Task, completion: Completion) -> float:
        job = Job(task.suite.name, task.arm.name, task.sample, completion)
        rows = score_sample(task.suite.scorers, by_suite[task.suite.name], job)
        return next(row.score.value for row in rows if row.primary)

    return again.measure(engine, by_arm(tasks), known, partial(reasoning.read, engine.tokenizer), score)


class Opened:
    """The engine that is open; another model, or adapters it does not hold, close it first.

    adapters: by the name of their model, opened with it even before an arm asks for them, so that it is opened once.
    """

    def __init__(self, name: Chosen = None, adapters: Mapping[str, Sequence[AdapterRef]] | None = None) -> None:
        self.name = name
        self._wanted = adapters or {}
        self._engine: Engine | None = None
        self._holds: tuple[Model, tuple[AdapterRef, ...]] | None = None

    def engine(self, model: Model, adapters: tuple[AdapterRef, ...]) -> Engine:
        """An engine for this model and these adapters, see `open_engine`."""
        adapters = tuple(dict.fromkeys((*self._wanted.get(model.name, ()), *adapters)))
        if self._engine is None or self._holds != (model, adapters):
            self.close()
            say(f"loading {model.name}")
            self._engine, self._holds = _opened(model, adapters, self.name), (model, adapters)
        return self._engine

    def close(self) -> None:
        """Closes what is open."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()


def _opened(model: Model, adapters: tuple[AdapterRef, ...], name: Chosen) -> Engine:
    """An engine that is started again when it dies; not an endpoint's server, and a cluster replaces its own."""
    if model.endpoint or isinstance(name, Cluster):
        return open_engine(model, adapters, name)
    return Supervised(lambda: open_engine(model, adapters, name))


def _run_model(
    config: Config,
    model: Model,
    arms: Sequence[Arm],
    adapters: Mapping[str, AdapterRef],
    suites: Sequence[Suite],
    by_suite: Mapping[str, Mapping[str, Scorer]],
    writer: RunWriter,
    known: dict[str, Completion],
    reuse: Sequence[Run],
    opened: Opened,
    root: Path | None,
    entrant: Entrant,
    dev: Mapping[str, Any] | None,
    twice: bool,
) -> None:
    def planned(said: Described, digest: str) -> list[Task]:
        with without_collection():
            return list(plan(said, digest, suites, arms, adapters, entrant))

    def open_() -> Engine:
        return opened.engine(here, tuple(adapters.values()))

    here, texts = located(model, root), drift.neutral_texts(suites)
    old = read_run(writer.folder) if (writer.folder / "run.json").is_file() else None

    def described(
        said: Engine | Unopened, digest: str, proof: Mapping[str, float], tasks: Sequence[Task]
    ) -> dict[str, Any]:
        new = manifests.describe(
            config, suites, arms, manifests.engine_card(said), {model.name: digest}, adapters, proof, dev
        )
        if old is None:
            return new
        manifest = manifests.continued(old.manifest, new, writer.folder)
        manifests.refuse_left_over(old, new, {task.place for task in tasks}, writer.folder)
        return manifest

    def refuse(look: Unopened, tasks: Sequence[Task]) -> None:
        described(look, look.identity, dict.fromkeys(adapters, 0.0), tasks)

    ready = prepared(here, adapters, planned, Earlier(old, reuse), known, opened.name, refuse, open_, texts, twice)
    engine, tasks = ready.engine, ready.tasks
    manifest = described(ready.said, ready.digest, ready.proof, tasks)
    stored = {(row.suite, row.arm, row.sample, row.draw): row.key for row in old.rows if _answered(row)} if old else {}
    last = {suite.name: suite.scorers[-1].name for suite in suites}  # a crash may have torn off the later scores
    scored = {(s.suite, s.arm, s.sample, s.draw) for s in old.scores if s.scorer == last.get(s.suite)} if old else set()
    if old and engine is None:
        manifest |= {key: old.manifest[key] for key in manifests.OF_ANSWERS if key in old.manifest}
        if any(stored.get(task.place) != task.request.key or task.place not in scored for task in tasks):
            manifest["finished"] = None
    if ready.kept:
        manifest["opened"][model.name] = ready.kept
    for name, moved in drift.measure(engine, texts, ready.digest, adapters, ready.drifts).items():
        manifest["adapters"][name]["drift"] = moved
    before = old.manifest["adapters"] if old else {}
    for name, ref in adapters.items():
        about = manifest["adapters"][name]
        same = before.get(name) if before.get(name, {}).get("digest") == ref.digest else None
        about["contamination"] = contamination.of_adapter(
            about["train"], suites, root, (same or {}).get("contamination")
        )
    writer.manifest(manifest)
    spent: dict[tuple[str, str], tuple[float, int]] = {}
    try:
        _say_kept(model, tasks, known, stored, scored, engine)
        answer(engine, tasks, by_suite, writer, known, stored, scored, spent)
    finally:
        manifests.add_usage(manifest, model, engine)
        manifests.add_deaths(manifest, model, engine)
        if not model.endpoint:
            workers = getattr(engine, "workers", 1)  # an hour of four is four hours
            hours = {place: (workers * seconds, requests) for place, (seconds, requests) in spent.items()}
            manifests.add_seconds(manifest, hours, old.rows if old else ())
        writer.manifest(manifest)
    if twice:
        past = manifest.setdefault("again", {})
        past.update(ready.repeated)
        if engine:
            left = [task for task in tasks if task.arm.name not in ready.repeated]
            past.update(_asked_again(engine, left, by_suite, known))
            manifests.add_usage(manifest, model, engine)
        writer.manifest(manifest)


def _say_kept(
    model: Model,
    tasks: Sequence[Task],
    known: Mapping[str, Completion],
    stored: Mapping[Place, str],
    scored: set[Place],
    engine: Engine | None,
) -> None:
    """A line on the answers that are there, where some are."""
    there = [task for task in tasks if task.request.key in known]
    kept = [task for task in there if stored.get(task.place) == task.request.key]
    unscored = sum(task.place not in scored for task in kept)
    if there:
        how = "kept from before" + (f" ({unscored:,} of them scored now)" if unscored else "")
        said = [(len(kept), how), (len(there) - len(kept), "taken over from other runs")]
        (first, how), *more = [(count, how) for count, how in said if count]
        text = f"{model.name}: {first:,} of {len(tasks):,} answers {how}" + "".join(f", {n:,} {how}" for n, how in more)
        say(text + ("" if engine else "; nothing to ask"))


def _answered(row: Row) -> bool:
    """Whether there is an answer; one that the engine failed to give is asked for again."""
    return row.completion.finish_reason != "error"


def answer(
    engine: Engine | None,
    tasks: Sequence[Task],
    by_suite: Mapping[str, Mapping[str, Scorer]],
    writer: RunWriter,
    known: dict[str, Completion],
    stored: Mapping[Place, str],
    scored: set[Place],
    spent: dict[tuple[str, str], tuple[float, int]],
) -> None:
    """Generates what is not known, stores and scores it. `spent` takes engine seconds and requests per (suite, arm).

    engine: None where all is known. The queue's wall time is shared out in proportion to the time each request was in
    flight; also where this ends by an error.
    """
    waiting: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        waiting[task.request.key].append(task)
    fresh = [group[0].request for key, group in waiting.items() if key not in known]
    flight: dict[tuple[str, str], list[float]] = defaultdict(list)
    start = time.monotonic()
    with ExitStack() as stack:
        suites = list({task.suite.name: task.suite for task in tasks}.values())
        scoring = stack.enter_context(Scoring(suites, by_suite, len(tasks)))

        def keep(task: Task, completion: Completion, reused: bool) -> None:
            if stored.get(task.place) != task.request.key:
                writer.append("completions.jsonl", row_to_json(_row(task, completion, reused)))
            elif task.place in scored:
                return
            if completion.finish_reason != "error":
                key = task.request.key
                scoring.put(Job(task.suite.name, task.arm.name, task.sample, completion, task.draw, key))
            for lines in scoring.done():
                writer.lines("scores.jsonl", lines)

        for key, group in waiting.items():
            for task in group if key in known else ():
                keep(task, known[key], reused=True)
        if fresh:
            assert engine is not None
            left = sum(len(group) for key, group in waiting.items() if key not in known)
            progress = stack.enter_context(Progress(f"answering ({engine.name})", left, "answers"))
            try:
                for request, completion in engine.generate(fresh):
                    group = waiting[request.key]
                    completion = reasoning.read(engine.tokenizer, request, completion)
                    known[request.key] = completion
                    flight[group[0].place[:2]].append(completion.seconds)
                    for task in group:
                        keep(task, completion, reused=task is not group[0])
                    progress.update(len(group))
            finally:
                seconds, total = time.monotonic() - start, sum(map(sum, flight.values())) or 1.0
                spent.update({place: (seconds * sum(each) / total, len(each)) for place, each in flight.items()})
        for lines in scoring.done(all_of_them=True):
            writer.lines("scores.jsonl", lines)


def _row(task: Task, completion: Completion, reused: bool) -> Row:
    sample = task.sample
    return Row(
        *task.place[:3], sample.digest, task.request.key, task.messages, completion, sample.target, sample.metadata,
        task.passages, reused, task.draw, draws(task.suite, sample), task.by,
    )  # fmt: skip


def rescore(path: Path, suites: Mapping[str, Suite], config: Config | None = None) -> Run:
    """Scores a run's stored answers again, after a scorer changed. The manifest takes the suites' new identity.

    With `config`, graders are asked again too, what they have not been asked yet; without it their scores go.

    Raises RunError when a stored question is not in the suite any more, or would be asked otherwise now.
    """
    with RunWriter(path) as writer:
        run = read_run(path, scored=False)
        for name, suite in suites.items():
            manifests.refuse_asked_otherwise(run.manifest["suites"][name], suite, path)
        samples = {(name, sample.id): sample for name, suite in suites.items() for sample in suite.test}
        table = {
            name: {spec.name: scorers.load(spec, suite.path) for spec in suite.scorers}
            for name, suite in suites.items()
        }
        scores: list[ScoreRow] = []
        with Progress("scoring", len(run.rows), "answers") as progress, ExitStack() as stack:
            pool = ThreadPoolExecutor(2)
            stack.callback(pool.shutdown, wait=False, cancel_futures=True)
            futures = []
            for row in filter(_answered, run.rows):
                sample = samples.get((row.suite, row.sample))
                if sample is None or sample.digest != row.sample_digest:
                    raise RunError(
                        f"{path}: suite '{row.suite}' no longer asks {row.sample}. Run it again with `harness run`."
                    )
                job = Job(row.suite, row.arm, sample, row.completion, row.draw, row.key)
                futures.append(pool.submit(score_sample, suites[row.suite].scorers, table[row.suite], job))
            for future in futures:
                scores += future.result()
                progress.update()
        write_scores(path, ())  # a crash leaves answers without scores, never scores of another suite's scorer
        manifest: dict[str, Any] = {**run.manifest, "finished": None}
        manifest["suites"] = {
            **manifest["suites"],
            **{
                name: manifests.suite_card(suite)
                | {key: manifest["suites"][name].get(key) for key in ("n_asked", "looks")}
                | {"sampling": {**sampling_parts(suite.sampling), **_samples(manifest["suites"][name])}}
                for name, suite in suites.items()
            },
        }
        writer.manifest(manifest)
        write_scores(path, scores)
        root = Path(config.path).parent if config else None
        done = grade(config, list(suites.values()), writer, root=root) if config else read_run(path)
        return _finished(done, writer, run.manifest["finished"])


def _samples(about: Mapping[str, Any]) -> dict[str, Any]:
    """The answers per question that a run has asked for, where it was more than one."""
    return {key: value for key, value in about["sampling"].items() if key == "samples"}


def adapter_ref(config: Config, name: str) -> AdapterRef:
    """An adapter of models.yaml with the digest of what lies at its path. Raises AdapterError if nothing does."""
    adapter = config.adapters[name]
    if not Path(adapter.path).is_dir():
        todo = f"Train it with: harness train {name}" if adapter.train else "Fix its path in models.yaml."
        raise AdapterError(f"adapter '{name}': nothing at {adapter.path}. {todo}")
    return AdapterRef(name, adapter.path, adapter_digest(adapter.path))
