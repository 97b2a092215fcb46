"""Graders: scorers that ask a model. After the answers are in, their questions go to that model as one more queue.

What a grader's model said is kept in grades.jsonl under the digest of model, conversation and choices, and is never
asked twice. The agreement of a judge with the suite's labelled replies goes into the manifest beside its numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import prompt, scorers
from harness.data import (
    Completion,
    Config,
    Grader,
    Label,
    Model,
    Question,
    Request,
    Row,
    Run,
    Sample,
    Sampling,
    ScoreRow,
    ScorerSpec,
    Suite,
)
from harness.digests import identity, located, text_digest
from harness.engines import Chosen, Cluster, Engine, open_engine
from harness.engines.supervised import Supervised
from harness.errors import ConfigError, SuiteError, did_you_mean
from harness.lines import read_lines
from harness.progress import Progress, say
from harness.scoring import checked
from harness.stats.agreement import kappa
from harness.store import RunWriter, read_run, score_to_json

FILE = "grades.jsonl"


@dataclass(frozen=True)
class Job:
    """One answer for one grader: what an arm said, or a reply that people have judged (`label`)."""

    suite: Suite
    spec: ScorerSpec
    grader: Grader
    model: Model
    sample: Sample
    completion: Completion
    arm: str
    label: Label | None
    questions: tuple[tuple[str, Question], ...]
    draw: int = 0
    key: str = ""


def grade(
    config: Config, suites: Sequence[Suite], writer: RunWriter, engine: Chosen = None, root: Path | None = None
) -> Run:
    """Puts the graders' questions about a run's answers to their models; returns the run with their scores.

    Nothing happens for suites without graders. engine, root: as in `runner.run`. Raises ConfigError (a model that
    models.yaml lacks), SuiteError (a label for a sample that the suite lacks), MachineError.
    """
    run = read_run(writer.folder)
    digests: dict[str, str] = {}
    jobs = [job for suite in suites for spec in suite.graders for job in _jobs(config, suite, spec, run, digests, root)]
    if not jobs:
        return run
    known = {line["key"]: _completion(line) for line in read_lines(writer.folder / FILE)}
    for model in {job.model.name: job.model for job in jobs}.values():
        wanted = {key: question for job in jobs if job.model == model for key, question in job.questions}
        missing = {key: question for key, question in wanted.items() if key not in known}
        if missing:
            known |= dict(_kept(located(model, root), missing, writer, engine))
    stored = {(s.suite, s.arm, s.sample, s.scorer, s.draw): s.score for s in run.scores}
    graded: dict[tuple[str, str], list[tuple[Job, float | None]]] = defaultdict(list)
    for job in jobs:
        answers = [known[key] for key, _ in job.questions if key in known]
        mine = graded[job.suite.name, job.spec.name]
        if len(answers) < len(job.questions):  # too long for the grader's model: no score, which counts as missing
            mine.append((job, None))
            continue
        score = job.grader.score(job.sample, job.completion, answers)
        score = checked(score, job.suite.name, job.spec.name, job.sample.id)
        mine.append((job, score.value))
        row = ScoreRow(job.suite.name, job.arm, job.sample.id, job.spec.name, False, score, job.draw, job.key)
        if job.label is None and stored.get((row.suite, row.arm, row.sample, row.scorer, row.draw)) != score:
            writer.append("scores.jsonl", score_to_json(row))
    cards: dict[str, dict[str, Any]] = defaultdict(dict, run.manifest.get("graders", {}))
    for (suite, scorer), found in graded.items():
        cards[suite][scorer] = _card(found, digests)
    writer.manifest({**run.manifest, "graders": cards})
    return read_run(writer.folder)


def look_over(config: Config, suites: Sequence[Suite]) -> None:
    """Raises SuiteError or ConfigError for a grader that could not be asked, before anything is spent on answers."""
    for suite in suites:
        for spec in suite.graders:
            scorers.load_grader(spec, suite.path)
            model = _model(config, spec, suite)
            if model.endpoint and spec.scorer == "likelihood_ratio":
                raise SuiteError(
                    f"{suite.path}/suite.yaml: scorers.{spec.name}: needs the log-probability of a whole reply, which "
                    f"the endpoint '{model.name}' does not give. Name a model on this machine: options: {{model: ...}}."
                )


def _jobs(
    config: Config, suite: Suite, spec: ScorerSpec, run: Run, digests: dict[str, str], root: Path | None
) -> Iterator[Job]:
    samples = {sample.id: sample for sample in suite.test}
    by_id = {sample.id: sample for sample in (*suite.test, *suite.dev)}
    grader, model = scorers.load_grader(spec, suite.path), _model(config, spec, suite)
    if model.name not in digests:
        digests[model.name] = identity(located(model, root))

    def job(sample: Sample, said: Completion, arm: str, label: Label | None = None, row: Row | None = None) -> Job:
        asked = grader.ask(sample, said)
        keys = tuple((text_digest(digests[model.name], one.messages, one.choices), one) for one in asked)
        draw, key = (row.draw, row.key) if row else (0, "")
        return Job(suite, spec, grader, model, sample, said, arm, label, keys, draw, key)

    for row in run.rows:
        sample = samples.get(row.sample) if row.suite == suite.name else None
        if sample and sample.digest == row.sample_digest and row.completion.finish_reason != "error":
            yield job(sample, row.completion, row.arm, row=row)
    for label in grader.labels:
        if label.sample not in by_id:
            raise SuiteError(
                f"{suite.path}: {spec.name}: a label is for sample '{label.sample}', which is not in test or dev."
                f"{did_you_mean(label.sample, by_id)}"
            )
        yield job(by_id[label.sample], Completion(label.reply), label.arm, label)


def _model(config: Config, spec: ScorerSpec, suite: Suite) -> Model:
    """The model a grader asks: its own option, else models.yaml's `judge`, else the first arm's."""
    name = spec.options.get("model") or config.judge or next(iter(config.arms.values())).model
    if name not in config.models:
        raise ConfigError(
            f"{suite.path}/suite.yaml: scorers.{spec.name}: model '{name}' is not in models.yaml."
            f"{did_you_mean(str(name), config.models)}"
        )
    return config.models[name]


def put(engine: Engine, questions: Mapping[str, Question]) -> Iterator[tuple[str, Completion]]:
    """(key, what the model chose) as it comes; left out: a question too long for it, a reply that is no choice."""
    requests = []
    for key, question in questions.items():
        if engine.tokenizer is None:
            requests.append(
                Request(key, (), Sampling(), choice_texts=question.choices, messages=tuple(question.messages))
            )
            continue
        ids = prompt.encode(engine.tokenizer, question.messages)
        choices = tuple(tuple(engine.tokenizer.encode(one, add_special_tokens=False)) for one in question.choices)
        if len(ids) + max(map(len, choices)) <= engine.max_model_len:
            requests.append(Request(key, ids, Sampling(), None, choices, question.choices))
    for request, completion in engine.generate(requests):
        if completion.text in request.choice_texts and completion.finish_reason != "error":
            yield request.key, completion


def _kept(
    model: Model, questions: Mapping[str, Question], writer: RunWriter, engine_name: Chosen
) -> Iterator[tuple[str, Completion]]:
    """`put` to a model that is opened for it; every answer is stored before it is counted."""
    say(f"loading {model.name} to grade")
    engine: Engine = (
        open_engine(model, (), engine_name)
        if model.endpoint or isinstance(engine_name, Cluster)
        else Supervised(lambda: open_engine(model, (), engine_name))
    )
    with closing(engine), Progress(f"grading ({model.name})", len(questions), "questions") as progress:
        for key, said in put(engine, questions):
            writer.append(FILE, {"key": key, "text": said.text, "choice_logprobs": said.choice_logprobs})
            progress.update()
            yield key, said


def _completion(line: Mapping[str, Any]) -> Completion:
    logprobs = line["choice_logprobs"]
    return Completion(line["text"], finish_reason="choice", choice_logprobs=tuple(logprobs) if logprobs else None)


def _card(found: Sequence[tuple[Job, float | None]], digests: Mapping[str, str]) -> dict[str, Any]:
    """What run.json says of a grader: its model, answers without a score, and its agreement with people, per arm."""
    job = found[0][0]
    judged = [(one.label, value >= 1) for one, value in found if one.label and value is not None]
    groups: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for label, said in judged:
        groups[label.arm].append((label.good, said))
        groups["all"].append((label.good, said)) if label.arm != "all" else None
    return {
        "grader": job.spec.scorer,
        "model": job.model.name,
        "digest": digests[job.model.name],
        "not_graded": sum(value is None for _, value in found),
        "wants_labels": job.grader.wants_labels,
        "labels": len(judged),
        "torn": sum(value == 0.5 for one, value in found if one.label is None),
        "kappa": {arm: _agreement(pairs) for arm, pairs in groups.items()},
    }


def _agreement(pairs: Sequence[tuple[bool, bool]]) -> dict[str, Any]:
    found = kappa([good for good, _ in pairs], [said for _, said in pairs])
    if found is None:
        return {"n": len(pairs), "kappa": None, "low": None, "high": None}
    value, interval = found
    return {"n": len(pairs), "kappa": round(value, 4), "low": round(interval.low, 4), "high": round(interval.high, 4)}
