"""baselines/ARM.json: one arm's scores in a file small enough to review in git. Written by a person, never by CI.

Canonical: sorted keys, a line per sample, no texts, no clock; the same run and reason always give the same bytes.
`content` is a digest of all but the history, so that a file edited by hand is noticed. Read back, it is a Run without
texts, and stands wherever RUN:ARM may stand. Format 1:

    {"baseline": 1, "arm", "settings", "model", "adapter", "engine", "hardware", "harness", "content",
     "history": [{"reason", "answered", "git", "content"}, ...],      every blessing, the last one last
     "suites": {NAME: {... as in run.json, "means",
                       "measured": {"tokens", "seconds": {"mean", "p95", "each": by digest}, "engine_seconds"},
                       "samples": {DIGEST: {"id", "prompt": digest of what was sent, "scores": {SCORER: 0..1}}}}}}

A sample that was asked several times has lists for id and scores.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from harness import words
from harness.comparable import prompts
from harness.compare import (
    Pairs,
    Table,
    asked,
    attempted_suites,
    differences,
    pair,
    sample_scores,
    scorer_names,
    tabulate,
)
from harness.data import Completion, Row, Run, Score, ScoreRow
from harness.digests import text_digest
from harness.errors import RunError, did_you_mean
from harness.stats.paired import SAME, difference_interval, flips, mean
from harness.stats.ratio import p95
from harness.store import engine_seconds, write_bytes

FORMAT = 1
CI = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "TF_BUILD", "JENKINS_URL")
"""Environment variables that CI services set: there nobody blesses."""
LARGE = 1_000_000
"""Bytes from which a file had better be gzipped."""
_CARD = (
    "version", "digest", "kind", "margin", "cluster", "scorers", "graders", "n_test", "n_asked", "looks", "sampling",
)  # fmt: skip
_MACHINE = ("machine", "cores", "gpu")
_ENTRY = {"reason", "answered", "git", "content"}
"""What every line of the history has."""


def is_file(text: str) -> bool:
    """Whether a side of a comparison is named by a baseline file instead of RUN:ARM."""
    return text.endswith((".json", ".json.gz"))


# --- made ------------------------------------------------------------------------------------------------------------


def bless(run: Run, arm: str, reason: str, old: Mapping[str, Any] | None = None, partial: bool = False) -> Any:
    """The content of a baseline file. old: the file it replaces, whose history goes on.

    Raises RunError for an arm the run does not know, an empty reason, and unless `partial` for a run that was limited,
    not finished, or lacks a suite of the old file.
    """
    table = tabulate(run)
    if arm not in table.arms:
        raise RunError(f"{run.path}: no arm '{arm}'.{did_you_mean(arm, table.arms)}")
    if not reason.strip():
        raise RunError("bless: an empty reason. Say why this is the new baseline, with --reason TEXT.")
    tried = attempted_suites(table, arm)
    names = [suite for suite in tried if table.scores.get((suite, arm, scorer_names(table, suite)[0]))]
    gaps = _gaps(table, arm, tried) + [f"{s}: not in this run" for s in (old or {}).get("suites", ()) if s not in tried]
    if not names:
        raise RunError(f"{run.path}: {arm} has no scores. Run it first.")
    if gaps and not partial:
        raise RunError(f"{run.path}: {'; '.join(gaps)}. Run it to the end, or say --partial.")
    settings = dict(table.arms[arm])
    manifest = run.manifest
    content = {
        "baseline": FORMAT,
        "harness": manifest.get("harness"),
        "arm": arm,
        "settings": settings,
        "model": manifest.get("models", {}).get(settings.get("model"), {}).get("digest"),
        "adapter": manifest.get("adapters", {}).get(settings.get("adapter"), {}).get("digest"),
        "engine": {key: (manifest.get("engine") or {}).get(key) for key in ("name", "version")},
        "hardware": {key: (manifest.get("hardware") or {}).get(key) for key in _MACHINE},
        "suites": {suite: _suite(table, suite, arm) for suite in names},
    }
    content = json.loads(canonical(content))
    digest = text_digest(content)
    entry = {
        "reason": " ".join(reason.split()),
        "answered": manifest.get("created"),
        "git": manifest.get("git"),
        "content": digest,
    }
    history = list((old or {}).get("history", ()))
    if history[-1:] != [entry]:
        history.append(entry)
    return {**content, "content": digest, "history": history}


def _gaps(table: Table, arm: str, names: Sequence[str]) -> list[str]:
    gaps = [] if table.run.manifest.get("finished", True) else ["not finished"]
    for suite in names:
        about = table.suites[suite]
        found = sum(map(len, table.scores.get((suite, arm, scorer_names(table, suite)[0]), {}).values()))
        size = int(about.get("n_test") or found)
        if asked(about) < size:
            gaps.append(f"{suite}: only {asked(about)} of {size} samples were asked")
        elif found < size:
            gaps.append(f"{suite}: {size - found} of {size} samples are missing")
    return gaps


def _suite(table: Table, suite: str, arm: str) -> dict[str, Any]:
    about, run = table.suites[suite], table.run
    scorers = [name for name in scorer_names(table, suite) if table.scores.get((suite, arm, name))]
    sent = prompts(run, suite, arm)
    every = sample_scores(run)
    values = {scorer: every.get((suite, arm, scorer), {}) for scorer in scorers}
    draws: dict[str, list[Row]] = {}
    for row in table.rows[suite, arm]:
        draws.setdefault(row.sample, []).append(row)
    groups: dict[str, list[list[Row]]] = {}
    for name in sorted(draws):
        groups.setdefault(draws[name][0].sample_digest, []).append(draws[name])
    samples = {}
    for digest, found_rows in groups.items():
        rows = [drawn[0] for drawn in found_rows]
        scores = {s: _plain([values[s][r.sample] for r in rows if r.sample in values[s]]) for s in scorers}
        keys = ("probe", about.get("cluster") or "probe")
        kept = {key: rows[0].metadata[key] for key in keys if key in rows[0].metadata}
        samples[digest] = {
            "id": _plain([row.sample for row in rows]),
            "prompt": sent[digest],
            "scores": {name: found for name, found in scores.items() if found != []},
            **({"metadata": kept} if kept else {}),
        }
    return {
        **{key: about[key] for key in _CARD if key in about},
        "graded by": {name: card["digest"] for name, card in run.manifest.get("graders", {}).get(suite, {}).items()},
        "means": {name: mean([mean(v) for v in table.scores[suite, arm, name].values()]) for name in scorers},
        "measured": _with_each(measured(run, suite, arm), list(groups.values())),
        "samples": samples,
    }


def _with_each(summary: dict[str, Any], groups: Sequence[Sequence[Sequence[Row]]]) -> dict[str, Any]:
    """What was measured, and tokens and seconds sample by sample, in the order of the samples' digests.

    groups: of every digest the samples, of each its rows: the mean over its draws is kept.
    """
    each = sorted(groups, key=lambda group: group[0][0].sample_digest)
    tokens = [
        _plain([mean([r.completion.prompt_tokens + r.completion.completion_tokens for r in drawn]) for drawn in group])
        for group in each
    ]
    seconds = [_plain([mean([round(r.completion.seconds, 6) for r in drawn]) for drawn in group]) for group in each]
    return summary | {
        "tokens": {**summary["tokens"], "each": tokens},
        "seconds": {**summary["seconds"], "each": seconds},
    }


def measured(run: Run, suite: str, arm: str) -> dict[str, Any]:
    """Per request, over all answered samples: {"tokens": {"mean", "p95"}, "seconds": {...}, "engine_seconds"}.

    tokens: of prompt and answer. seconds: from submission to the last token. engine_seconds: of engine time, None where
    nothing was computed. A baseline file brings them along.
    """
    card = run.manifest["suites"].get(suite, {})
    if "measured" in card:
        return dict(card["measured"])
    rows = [row for row in run.rows if (row.suite, row.arm) == (suite, arm) and row.completion.finish_reason != "error"]
    engine = engine_seconds(run, suite, arm)
    return {
        "tokens": _spread([row.completion.prompt_tokens + row.completion.completion_tokens for row in rows]),
        "seconds": _spread([row.completion.seconds for row in rows]),
        "engine_seconds": None if engine is None else round(engine, 6),
    }


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"mean": None, "p95": None}
    return {"mean": round(mean(values), 6), "p95": round(p95(values), 6)}


def _plain(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


# --- written and read ------------------------------------------------------------------------------------------------


def canonical(value: Any, level: int = 0) -> str:
    """JSON with sorted keys, one line per entry down to the samples and one line for all below; 1.0 is written 1.

    >>> print(canonical({"b": {"y": 1.0}, "a": [2]}))
    {
     "a": [2],
     "b": {"y": 1}
    }
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if not isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=True, allow_nan=False)
    if isinstance(value, Mapping):
        parts = [f"{json.dumps(str(key))}: {canonical(value[key], level + 1)}" for key in sorted(value)]
        inner, left, right = list(value.values()), "{", "}"
    else:
        parts, inner, left, right = [canonical(item, level + 1) for item in value], list(value), "[", "]"
    if level > 3 or not any(isinstance(item, Mapping | list | tuple) for item in inner):
        return left + ", ".join(parts) + right
    indent = "\n" + " " * (level + 1)
    return left + indent + f",{indent}".join(parts) + "\n" + " " * level + right


def write_baseline(path: Path, content: Mapping[str, Any]) -> int:
    """Writes the file, gzipped (without a time) where its name ends with .gz; returns the number of bytes."""
    data = (canonical(content) + "\n").encode("ascii")
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    write_bytes(path, data)
    return len(data)


def read_content(path: Path | str) -> dict[str, Any]:
    """The parsed file. RunError where it is missing, no baseline, of another format, or edited by hand."""
    path = Path(path)
    try:
        data = path.read_bytes()
        content = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
        number, signed = content["baseline"], content["content"]
        unsigned = {key: value for key, value in content.items() if key not in ("content", "history")}
        if any(not entry.keys() >= _ENTRY for entry in content["history"]):
            raise ValueError
    except FileNotFoundError:
        raise RunError(f"{path}: no such file. Make it with: harness baseline bless RUN:ARM --out {path}") from None
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError):
        raise RunError(f"{path}: not a baseline file. Make one with `harness baseline bless`.") from None
    if number != FORMAT:
        raise RunError(f"{path}: baseline format {number}, this harness reads {FORMAT}. Use the harness that made it.")
    if text_digest(unsigned) != signed:
        raise RunError(f"{path}: its content was edited by hand. Restore it from git, or bless a run again.")
    found: dict[str, Any] = content
    return found


def read_baseline(path: Path | str) -> tuple[Run, str]:
    """A baseline file as a Run without texts, and the one arm in it."""
    content = read_content(path)
    arm = str(content["arm"])
    rows: list[Row] = []
    scores: list[ScoreRow] = []
    suites = {}
    for suite, about in content["suites"].items():
        primary = next(spec["name"] for spec in about["scorers"] if spec.get("primary"))
        taken = _each(about, "tokens"), _each(about, "seconds")
        for digest, sample in about["samples"].items():
            for number, (name, found) in enumerate(_answers(sample)):
                tokens, seconds = (side[digest][number] if digest in side else 0 for side in taken)
                done = Completion("", prompt_tokens=cast("int", tokens), seconds=float(seconds))  # a mean over draws
                rows.append(Row(suite, arm, name, digest, "", (), done, "", sample.get("metadata", {})))
                scores += [ScoreRow(suite, arm, name, s, s == primary, Score(float(v))) for s, v in found.items()]
        suites[suite] = {key: value for key, value in about.items() if key != "samples"} | {
            "prompts": {digest: sample["prompt"] for digest, sample in about["samples"].items()}
        }
    manifest = {
        "harness": content["harness"],
        "engine": content["engine"],
        "hardware": content["hardware"],
        "arms": {arm: content["settings"]},
        "suites": suites,
        "graders": {
            suite: {name: {"digest": digest} for name, digest in about["graded by"].items()}
            for suite, about in content["suites"].items()
        },
    }
    return Run(str(path), manifest, tuple(rows), tuple(scores)), arm


def _each(about: Mapping[str, Any], what: str) -> dict[str, list[float]]:
    """Tokens or seconds by sample digest, one per answer; empty for a file that is older than they are."""
    values = about["measured"][what].get("each", [])
    return {d: v if isinstance(v, list) else [v] for d, v in zip(sorted(about["samples"]), values, strict=False)}


def _answers(sample: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    names = sample["id"] if isinstance(sample["id"], list) else [sample["id"]]
    lists = {name: value if isinstance(value, list) else [value] for name, value in sample["scores"].items()}
    for number, name in enumerate(names):
        yield name, {scorer: values[number] for scorer, values in lists.items() if number < len(values)}


# --- looked at -------------------------------------------------------------------------------------------------------


def describe(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]], list[str]]:
    """(header, rows) of a table of means, and the lines of the history."""
    rows = []
    for suite, about in content["suites"].items():
        for scorer, value in about["means"].items():
            n = sum(scorer in sample["scores"] for sample in about["samples"].values())
            tokens = about["measured"]["tokens"]["mean"]
            rows.append([suite, str(about["version"]), scorer, str(n), words.percent(value), f"{tokens:.0f}"])
    history = [f"{entry['content'][:8]}  {entry['answered'] or ''}  {entry['reason']}" for entry in content["history"]]
    return ["suite", "version", "scorer", "n", "score", "tokens"], rows, history


def difference(old: Run, old_arm: str, new: Run, new_arm: str) -> tuple[list[str], list[list[str]], list[str]]:
    """(header, rows) of a table of what changed from old to new, and lines that name the flipped samples."""
    a, b = tabulate(old), tabulate(new)
    rows: list[list[str]] = []
    lines: list[str] = []
    for suite in dict.fromkeys([*a.suites, *b.suites]):
        sides = [(suite, arm) in table.rows for table, arm in ((a, old_arm), (b, new_arm))]
        if not all(sides):
            if any(sides):
                lines.append(f"{suite}: only in {old.path if sides[0] else new.path}")
            continue
        unlike = differences(a, b, suite)
        if unlike:
            lines.append(f"{suite}: not comparable: {'; '.join(unlike)}")
            continue
        one, two = prompts(old, suite, old_arm), prompts(new, suite, new_arm)
        if changed := sum(one[digest] != two[digest] for digest in one.keys() & two.keys()):
            lines.append(f"{suite}: {words.count(changed, 'prompt')} changed")
        for scorer in scorer_names(a, suite):
            pairs = pair(a, old_arm, b, new_arm, suite, scorer)
            if len(pairs.baseline) > 1:
                rows.append(_changed(suite, scorer, pairs))
        lines += _flipped(a, old_arm, b, new_arm, suite)
    header = ["suite", "scorer", "n", "missing", "old", "new", "difference", "95% CI of it", "won/lost"]
    return header, rows, lines


def _changed(suite: str, scorer: str, pairs: Pairs) -> list[str]:
    old, new = pairs.baseline, pairs.candidate
    interval = difference_interval(old, new, 1 - pairs.error(), pairs.clusters)
    won, lost = flips(old, new)
    return [
        suite,
        scorer,
        str(len(old)),
        str(pairs.missing),
        words.percent(mean(old)),
        words.percent(mean(new)),
        words.points(mean(new) - mean(old)),
        f"{words.points(interval.low)}..{words.points(interval.high)}",
        f"{won}/{lost}",
    ]


def _flipped(a: Table, old_arm: str, b: Table, new_arm: str, suite: str, most: int = 10) -> list[str]:
    scorer = scorer_names(a, suite)[0]
    left, right = a.scores.get((suite, old_arm, scorer), {}), b.scores.get((suite, new_arm, scorer), {})
    names = {row.sample_digest: row.sample for row in a.rows[suite, old_arm]}
    lines = []
    for word, sign in (("lost", 1), ("won", -1)):
        found = sorted(names[d] for d in left.keys() & right.keys() if sign * (mean(left[d]) - mean(right[d])) > SAME)
        if found:
            rest = f" and {len(found) - most} more" if len(found) > most else ""
            lines.append(f"{suite}: {word}: {', '.join(found[:most])}{rest}")
    return lines
