"""How often did this candidate meet this suite? A line per finished run, suite and arm in ledger.jsonl beside the runs.

Looking again and again until the answer is welcome makes errors of 5 % into errors of 13 to 39 %, and no single run
shows it. So every finished `harness run` writes down what it measured, in the folder that holds its run folder;
reports and gates say which earlier runs there were. HARNESS_LEDGER=off writes nothing. A ledger that cannot be written
is a line of warning and fails no run.

Of runs in object storage the ledger is kept in runs/ of the working folder.

What is not covered: runs kept in another folder or on another machine, runs with the ledger off, and a ledger that
somebody edited or deleted. A run whose answers all came from another one (`--reuse`) met nothing anew: not counted.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import words
from harness.compare import sample_scores
from harness.data import Run
from harness.digests import text_digest
from harness.progress import say
from harness.remote import is_remote

FILE = "ledger.jsonl"
_SAME = 1e-9
_IDENTITY = ("suite", "digest", "candidate")


@dataclass(frozen=True)
class Met:
    """Earlier runs in which the same candidate answered the same suite, oldest first.

    n, mean: of this run. changed: (run, its mean) of the earlier ones that asked as many samples and came out
    otherwise.
    """

    suite: str
    arm: str
    runs: tuple[str, ...]
    n: int
    mean: float
    changed: tuple[tuple[str, float], ...]

    @property
    def sentence(self) -> str:
        """E.g. "lora met sql 2 times before (runs a and b)"."""
        times = "once" if len(self.runs) == 1 else f"{len(self.runs)} times"
        noun = "run" if len(self.runs) == 1 else "runs"
        text = f"{self.arm} met {self.suite} {times} before ({noun} {words.listing(self.runs)})"
        if not self.changed:
            return f"{text}."
        others = words.listing([f"{words.percent(mean)} in {run}" for run, mean in self.changed])
        return f"{text}. The outcome changed: {others}, {words.percent(self.mean)} here."


def enter(run: Run) -> None:
    """Appends what a finished run measured, a line per suite and arm; lines that are there already are left out."""
    if os.environ.get("HARNESS_LEDGER", "").lower() == "off":
        return
    file = _file(run)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            stream.seek(0)
            content = stream.read()
            last = {_place(entry): entry for entry in _parsed(content)}
            fresh = [entry for entry in _entries(run) if _differs(entry, last.get(_place(entry)))]
            torn = b"\n" if content and not content.endswith(b"\n") else b""
            if fresh:
                stream.write(torn + b"".join(json.dumps(entry).encode() + b"\n" for entry in fresh))
    except OSError as problem:
        say(f"{file}: the ledger cannot be written ({problem.strerror or problem}); the run itself is complete.")


def met(run: Run) -> list[Met]:
    """Per suite and arm of a run that the ledger knows: the earlier runs with the same candidate on the same suite."""
    try:
        entries = list(_parsed(_file(run).read_bytes()))
    except OSError:
        return []
    found = []
    for mine in _entries(run):
        place = _place(mine)
        own = [number for number, entry in enumerate(entries) if _place(entry) == place]
        earlier: dict[tuple[Any, ...], Mapping[str, Any]] = {}
        for entry in entries[: own[0]] if own else ():
            other = (entry["run"], entry["created"]) != (mine["run"], mine["created"])
            if other and entry["answered"] and all(entry[key] == mine[key] for key in _IDENTITY):
                earlier[_place(entry)] = entry
        if earlier:
            changed = [
                (str(one["run"]), float(one["mean"]))
                for one in earlier.values()
                if one["n"] == mine["n"] and abs(one["mean"] - mine["mean"]) > _SAME
            ]
            names = tuple(str(one["run"]) for one in earlier.values())
            found.append(Met(mine["suite"], mine["arm"], names, mine["n"], mine["mean"], tuple(changed)))
    return found


def met_by(run: Run, arm: str, suites: Sequence[str]) -> list[Met]:
    """`met`, of one arm on some suites."""
    return [one for one in met(run) if one.arm == arm and one.suite in suites]


def _file(run: Run) -> Path:
    return (Path("runs/run") if is_remote(run.path) else Path(run.path)).resolve().parent / FILE


def _entries(run: Run) -> Iterator[dict[str, Any]]:
    manifest = run.manifest
    primary = {(row.suite, row.scorer) for row in run.scores if row.primary}
    values: dict[tuple[str, str], dict[str, float]] = {}
    for (suite, arm, scorer), found in sample_scores(run).items():
        if (suite, scorer) in primary:
            values.setdefault((suite, arm), {}).update(found)
    answered: dict[tuple[str, str], int] = {}
    for done in run.rows:
        answered[done.suite, done.arm] = answered.get((done.suite, done.arm), 0) + (not done.reused)
    for (suite, arm), scores in sorted(values.items()):
        yield {
            "date": manifest.get("finished") or datetime.now(UTC).isoformat(timespec="seconds"),
            "run": Path(run.path).resolve().name,
            "created": manifest.get("created"),
            "suite": suite,
            "digest": manifest.get("suites", {}).get(suite, {}).get("digest"),
            "arm": arm,
            "candidate": candidate(manifest, arm),
            "n": len(scores),
            "answered": answered.get((suite, arm), 0),
            "mean": round(math.fsum(scores.values()) / len(scores), 9),
        }


def candidate(manifest: Mapping[str, Any], arm: str) -> str:
    """Identity of what answered: the model's content, the adapter's, and the dials. Its name does not matter.

    A run without texts (report/redact.py) brings it along, since its dials are no longer whole.
    """
    kept: Mapping[str, str] = manifest.get("candidates", {})
    if arm in kept:
        return kept[arm]
    about = manifest.get("arms", {}).get(arm, {})
    model = manifest.get("models", {}).get(about.get("model"), {}).get("digest")
    adapter = manifest.get("adapters", {}).get(about.get("adapter"), {}).get("digest")
    return text_digest(model, adapter, {key: about[key] for key in about if key not in ("model", "adapter")})


def _place(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """A run folder counts once however often it is taken up; made anew under the old name, it is another run."""
    return (entry["run"], entry["created"], *(entry[key] for key in _IDENTITY), entry["arm"])


def _differs(entry: Mapping[str, Any], other: Mapping[str, Any] | None) -> bool:
    return other is None or any(entry[key] != other[key] for key in ("n", "mean", "answered"))


def _parsed(content: bytes) -> Iterable[dict[str, Any]]:
    """The entries of a ledger; torn and foreign lines are passed over."""
    keys = {"run", "created", "arm", "n", "answered", "mean", *_IDENTITY}
    for line in content.split(b"\n"):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        plain = isinstance(entry, dict) and not any(isinstance(value, list | dict) for value in entry.values())
        if plain and keys <= entry.keys() and isinstance(entry["mean"], int | float):
            yield entry
