"""Logs of other harnesses as a run folder: lm-eval's samples_*.jsonl, inspect's .json and .eval. Then compare, gate.

A log file becomes one suite (its task) answered by one arm; a second file goes into the same folder as another suite or
arm. Samples of two files are paired by a hash of their content, as everywhere. The scores are those of the log: what
was measured, and how well, is that harness's doing. Formats read: lm-eval 0.4 (tried with 0.4.13), inspect's log
version 2 (tried with 0.3.285).
What is not covered: costs, latency where a log has none, and whether an adapter was applied.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import __version__
from harness.data import Completion, Message, Row, Run, Score, ScoreRow
from harness.digests import text_digest
from harness.errors import RunError, did_you_mean
from harness.progress import say
from harness.store import FORMAT, RunWriter, read_run, row_to_json, score_to_json

LM_EVAL = "lm-eval"
_ZSTANDARD = 93
INSPECT = "inspect"
_NAMED = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d-]+(?:\.\d+)?)\.jsonl")
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_REASONS = {"stop": "stop", "max_tokens": "length", "model_length": "length"}


@dataclass(frozen=True)
class Answer:
    """One answer of a log: to what, with which scores (metric -> value 0..1). unfit: metrics with another number."""

    sample: str
    digest: str
    messages: tuple[Message, ...]
    target: str
    completion: Completion
    scores: Mapping[str, float]
    metadata: Mapping[str, Any]
    draw: int = 0
    unfit: tuple[str, ...] = ()


@dataclass(frozen=True)
class Log:
    """A log file as read. metrics: in the log's order; lower: those where less is better."""

    program: str
    version: str
    task: str
    task_version: Any
    model: str
    sampling: Mapping[str, Any]
    answers: Sequence[Answer]
    metrics: tuple[str, ...]
    lower: tuple[str, ...] = ()
    shots: int = 0
    draws: int = 1


def import_logs(
    program: str, files: Sequence[Path], out: Path, arm: str, metric: str | None = None, *, tuned: bool = False
) -> Run:
    """Adds log files to a run folder as the answers of `arm`; returns the run.

    metric: the score that counts where a log has several; None: its first. tuned: the arm is fine-tuned, a candidate.
    Raises RunError for a file that is no such log, or of another version, and for an arm that is there already.
    """
    logs = [_lm_eval(file) if program == LM_EVAL else _inspect(file) for file in files]
    for file, log in zip(files, logs, strict=True):
        if not log.answers:
            raise RunError(f"{file}: holds no scored samples. Run {program} with its samples logged, to the end.")
    for file, log in zip(files, logs, strict=True):
        same = next((other for other, one in zip(files, logs, strict=True) if one.task == log.task))
        if same != file:
            raise RunError(f"{file}: {log.task} is in {same} too. Give one of them, or import them as two arms.")
        if log.model != logs[0].model:
            raise RunError(
                f"{file}: is of the model {log.model}, {files[0]} of {logs[0].model}. Import them as two arms."
            )
    with RunWriter(out) as writer:
        old = read_run(out) if (out / "run.json").is_file() else None
        manifest = dict(old.manifest) if old else _empty(program, logs[0])
        if manifest.get("imported") != program:
            raise RunError(f"{out}: holds other answers than {program}'s. Use another --out folder.")
        if arm in manifest["arms"] and manifest["arms"][arm]["model"] != logs[0].model:
            raise RunError(
                f"{out}: {arm} is the model {manifest['arms'][arm]['model']} there, these logs are of "
                f"{logs[0].model}. Give --arm another name."
            )
        for file, log in zip(files, logs, strict=True):
            primary = _primary(file, log, metric)
            card = _suite_card(log, primary)
            there = manifest["suites"].get(log.task)
            if old and any((row.suite, row.arm) == (log.task, arm) for row in old.rows):
                raise RunError(f"{out}: {arm} has answered {log.task} there. Give --arm another name.")
            if there and (there["digest"] != card["digest"] or there["scorers"] != card["scorers"]):
                raise RunError(
                    f"{file}: {log.task} asks other samples, or scores them otherwise, than what {out} holds. Use "
                    f"another --out folder."
                )
            manifest["suites"] = {**manifest["suites"], log.task: card}
            manifest["models"] = {**manifest["models"], log.model: {"path": log.model, "digest": log.model}}
            adapter = f"{arm}'s" if tuned else None
            manifest["arms"] = {
                **manifest["arms"],
                arm: {"model": log.model, "adapter": adapter, "system": False, "shots": log.shots, "retrieve": 0},
            }
            if adapter:
                manifest["adapters"] = {
                    **manifest["adapters"],
                    adapter: {"path": log.model, "digest": text_digest(log.model, arm), "model": log.model,
                              "train": None, "applied": {}},
                }  # fmt: skip
            for answer in log.answers:
                writer.append("completions.jsonl", row_to_json(_row(log, arm, answer)))
                for name, value in answer.scores.items():
                    score = Score(value, answer.completion.text[:200])
                    row = ScoreRow(log.task, arm, answer.sample, name, name == primary, score, answer.draw)
                    writer.append("scores.jsonl", score_to_json(row))
        manifest["command"] = f"harness import {program}"
        manifest["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
        writer.manifest(manifest)
    return read_run(out)


def _primary(file: Path, log: Log, metric: str | None) -> str:
    usable = [name for name in log.metrics if name not in log.lower]
    if metric is None and usable:
        return usable[0]
    if metric is None or metric not in usable:
        asked = f"no metric '{metric}'" if metric else "no metric"
        hint = did_you_mean(metric or "", usable) if usable else ""
        raise RunError(
            f"{file}: {asked} with a value per sample, 0..1, higher is better.{hint or ' Score it otherwise.'}"
        )
    return metric


def _empty(program: str, log: Log) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "harness": __version__,
        "imported": program,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "engine": {"name": program, "version": log.version, "device": "unknown"},
        "hardware": {},
        **{key: {} for key in ("models", "adapters", "arms", "suites", "seconds", "dev")},
        "costs": {"gpu_hour_usd": None, "requests_per_month": None},
    }


def _suite_card(log: Log, primary: str) -> dict[str, Any]:
    digests = sorted({answer.digest for answer in log.answers})
    scorers = [{"name": name, "scorer": f"{log.program}:{name}", "options": {}, "primary": name == primary}
               for name in log.metrics if name not in log.lower]  # fmt: skip
    samples = len({answer.sample for answer in log.answers})
    sampling = {**log.sampling, **({"samples": log.draws} if log.draws > 1 else {})}
    return {
        "version": log.task_version, "path": "", "digest": text_digest(log.task, str(log.task_version), digests),
        "kind": "skill", "title": log.task, "question": "", "margin": 0.05, "chance": {}, "cluster": None,
        "scorers": scorers, "graders": [], "n_test": samples, "n_asked": samples, "looks": None, "corpus": False,
        "sampling": sampling,
    }  # fmt: skip


def _row(log: Log, arm: str, answer: Answer) -> Row:
    key = text_digest(log.program, log.version, log.model, answer.digest, answer.messages, log.sampling, answer.draw)
    return Row(
        log.task, arm, answer.sample, answer.digest, key, answer.messages, answer.completion, answer.target,
        answer.metadata, draw=answer.draw, draws=log.draws,
    )  # fmt: skip


# --- lm-eval ---------------------------------------------------------------------------------------------------------


def _lm_eval(file: Path) -> Log:
    named = _NAMED.fullmatch(file.name)
    if not named:
        raise RunError(f"{file}: not lm-eval's samples_TASK_DATE.jsonl. Run lm_eval with --log_samples --output_path.")
    task = named["task"]
    beside = file.with_name(f"results_{named['date']}.json")
    results: Mapping[str, Any] = _json(beside.read_bytes(), beside) if beside.is_file() else {}
    config = (results.get("configs") or {}).get(task) or {}
    better = (results.get("higher_is_better") or {}).get(task) or {}
    answers: dict[str, Answer] = {}
    metrics: dict[str, None] = {}
    try:
        for line in _lines(file):
            found = _lm_eval_answer(task, line)
            metrics |= dict.fromkeys(found.scores)
            before = answers.setdefault(found.sample, found)
            answers[found.sample] = replace(
                before, scores={**found.scores, **before.scores}, unfit=before.unfit + found.unfit
            )
    except (KeyError, TypeError, AttributeError, IndexError) as problem:
        raise RunError(f"{file}: a sample lacks {problem}. It is of another version than lm-eval 0.4.") from None
    asked = results.get("config") or {}
    model = asked.get("model_args") or asked.get("model") or "unknown"
    return Log(
        program=LM_EVAL,
        version=str(results.get("lm_eval_version") or "unknown"),
        task=task,
        task_version=(results.get("versions") or {}).get(task),
        model=model if isinstance(model, str) else json.dumps(model, sort_keys=True),
        sampling={"output_type": config.get("output_type"), **(config.get("generation_kwargs") or {})},
        **_fit(file, list(answers.values()), metrics),
        lower=tuple(name for name in metrics if better.get(name.split(",")[0]) is False),
        shots=int((results.get("n-shot") or {}).get(task) or 0),
    )


def _lm_eval_answer(task: str, line: Mapping[str, Any]) -> Answer:
    """A metric of a filter of its own (several lines per document) is called METRIC,FILTER."""
    requests = list(line["arguments"].values())
    prompt = str(requests[0]["arg_0"])
    suffix = "" if line.get("filter", "none") == "none" else f",{line['filter']}"
    scores = {f"{name}{suffix}": line[name] for name in line["metrics"]}
    chosen = None
    if len(requests) > 1:
        logprobs = tuple(float(one[0] if isinstance(one, list) else one) for one in line["filtered_resps"])
        chosen = logprobs.index(max(logprobs))
        completion = Completion(str(requests[chosen]["arg_1"]), 0, 0, "choice", 0.0, logprobs)
    else:
        said = line["resps"][0]
        completion = Completion(str(said[0] if isinstance(said, list) else said))
    return Answer(
        sample=f"{task}/{line['doc_id']}",
        digest=text_digest(task, line["doc_hash"], line["target_hash"]),
        messages=({"role": "user", "content": prompt},),
        target=str(line["target"]),
        completion=completion,
        scores={name: float(value) for name, value in scores.items() if _is_share(value)},
        metadata={"doc": line["doc"]},
        unfit=tuple(name for name, value in scores.items() if _is_number(value) and not _is_share(value)),
    )


# --- inspect ---------------------------------------------------------------------------------------------------------


def _inspect(file: Path) -> Log:
    header, samples = _inspect_parts(file)
    version = header.get("version")
    if version != 2 or not isinstance(header.get("eval"), dict):
        raise RunError(f"{file}: log version {version}, this harness reads 2. Convert it: inspect log convert.")
    about = header["eval"]
    answers, metrics = [], dict[str, None]()
    try:
        for sample in samples:
            found = _inspect_answer(str(about["task"]), sample)
            metrics |= dict.fromkeys(found.scores)
            answers.append(found)
    except (KeyError, TypeError, AttributeError, IndexError) as problem:
        raise RunError(f"{file}: a sample lacks {problem}. It is of another version than inspect's log 2.") from None
    config = {**(about.get("model_generate_config") or {}), **((header.get("plan") or {}).get("config") or {})}
    return Log(
        program=INSPECT,
        version=str((about.get("packages") or {}).get("inspect_ai") or "unknown"),
        task=str(about["task"]).split("/")[-1],
        task_version=about.get("task_version"),
        model=str(about.get("model") or "unknown"),
        sampling={key: config[key] for key in sorted(config) if config[key] is not None},
        **_fit(file, answers, metrics),
        draws=max((answer.draw + 1 for answer in answers), default=1),
    )


def _inspect_parts(file: Path) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    """The log without its samples, and the samples."""
    if not file.is_file():
        raise RunError(f"{file}: no such file. Give a log that inspect wrote.")
    if not zipfile.is_zipfile(file):
        whole = _json(file.read_bytes(), file)
        return whole, iter(whole.get("samples") or ())
    archive = zipfile.ZipFile(file)
    names = archive.namelist()
    if "header.json" not in names:
        raise RunError(f"{file}: no header.json in it: not an inspect log, or of a run that did not end.")

    def part(name: str) -> dict[str, Any]:
        about = archive.getinfo(name)
        return _json(_unpacked(file, about) if about.compress_type == _ZSTANDARD else archive.read(name), file)

    return part("header.json"), (part(name) for name in sorted(names) if name.startswith("samples/"))


def _unpacked(file: Path, about: zipfile.ZipInfo) -> bytes:
    """A member of the archive that is compressed by Zstandard, which Python's zipfile does not know."""
    try:
        import zstandard
    except ImportError:
        raise RunError(
            f"{file}: is packed by Zstandard. Install it: pip install '.[inspect]'; or: inspect log convert --to json."
        ) from None
    with file.open("rb") as stream:
        stream.seek(about.header_offset)
        header = stream.read(30)  # of a local file: lengths of its name and its extra field at 26 and 28
        stream.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
        packed = stream.read(about.compress_size)
    try:
        unpacked: bytes = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    except zstandard.ZstdError as problem:
        raise RunError(f"{file}: is damaged ({about.filename}: {problem}). Copy it again.") from None
    return unpacked


def _inspect_answer(task: str, sample: Mapping[str, Any]) -> Answer:
    asked = sample["input"]
    turns = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    messages = tuple({"role": str(turn["role"]), "content": _text(turn["content"])} for turn in turns)
    target = sample["target"] if isinstance(sample["target"], str) else "\n".join(map(str, sample["target"]))
    output = sample.get("output") or {}
    choice = (output.get("choices") or [{}])[0]
    usage = output.get("usage") or {}
    completion = Completion(
        _text((choice.get("message") or {}).get("content") or ""),
        int(usage.get("input_tokens") or 0),
        int(usage.get("output_tokens") or 0),
        "error" if sample.get("error") else _REASONS.get(str(choice.get("stop_reason")), "stop"),
        float(sample.get("working_time") or sample.get("total_time") or 0.0),
        error=str((sample.get("error") or {}).get("message", ""))[:300],
    )
    values = dict(_inspect_scores(sample.get("scores") or {}))
    return Answer(
        sample=str(sample["id"]),
        digest=text_digest(task, messages, target, sample.get("choices") or []),
        messages=messages,
        target=target,
        completion=completion,
        scores={name: value for name, value in values.items() if _is_share(value)},
        metadata=sample.get("metadata") or {},
        draw=int(sample.get("epoch") or 1) - 1,
        unfit=tuple(name for name, value in values.items() if not _is_share(value)),
    )


def _inspect_scores(scores: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """C, P, I and N as numbers, as inspect reads them; a score of several values is several metrics."""
    for name, score in scores.items():
        value = score["value"]
        parts = {f"{name}/{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
        for metric, part in parts.items():
            number = _LETTERS.get(part, part) if isinstance(part, str) else part
            if _is_number(number):
                yield metric, float(number)


def _text(content: Any) -> str:
    """The text of a message, whose parts may be a list."""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))


def _fit(file: Path, answers: Sequence[Answer], metrics: Iterable[str]) -> dict[str, Any]:
    """The answers and metrics of a log without the metrics that have a number outside of 0..1, said on stderr."""
    unfit = {name for answer in answers for name in answer.unfit}
    for name in sorted(unfit):
        say(f"{file.name}: {name} is left out: it has values outside of 0..1")
    kept = [replace(one, scores={k: v for k, v in one.scores.items() if k not in unfit}) for one in answers]
    return {"answers": kept, "metrics": tuple(name for name in metrics if name not in unfit)}


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """A log's lines, all of them: one that is torn is a RunError."""
    if not file.is_file():
        return
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield _json(line, file, f"{file}:{number}: not JSON: the log is torn or was edited. Copy it again.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _json(data: bytes, file: Path, otherwise: str = "") -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RunError(otherwise or f"{file}: not JSON, or not a log. Give a file that the other harness wrote.")
    return found
