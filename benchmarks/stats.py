"""How fast and how big are the statistics: a million paired samples, scipy beside us, and a comparison of large runs.

    python -m benchmarks.stats                             # a few minutes
    python -m benchmarks.stats --rounds 1 --scale 0.02     # only to see that it works
    python -m benchmarks.stats --json benchmarks/stats.json

1. stats.permutation.sign_flip_p on 1,000,000 paired differences with 10,000 permutations, in CPU seconds of one core.
2. The same test beside scipy.stats.permutation_test (permutation_type "samples", vectorized, in batches of 1,000, which
   is faster than all permutations at once) on 2,000 differences with 10,000 permutations. Rounds are interleaved and a
   ratio is taken within a round. The two p values must agree within their Monte-Carlo error, or nothing is printed.
3. compare.tabulate and verdict.comparisons on a made-up run of 100,000 samples x 4 arms: seconds, and the peak memory
   of a process of its own with the run in it.

What is not covered: reading a run from disk.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import re
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.sandbox import one_core, positive, spread
from harness.data import Completion, Row, Run, Score, ScoreRow
from harness.errors import MachineError

PAIRS, SMALL, DRAWS = 1_000_000, 2_000, 10_000
SAMPLES, ARMS = 100_000, 4
BAR = 10.0
"""CPU seconds that a million pairs may take."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints, writes. 0 whatever the figures are; two p values that disagree end it with 5."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stats", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=positive(int), default=5, help="default 5")
    parser.add_argument("--scale", type=positive(float), default=1.0, help="of all sizes, for a trial (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args(argv)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # before numpy is imported: one core means one
    sizes = {name: max(20, int(options.scale * size)) for name, size in (("pairs", PAIRS), ("samples", SAMPLES))}
    try:
        with one_core() as core:
            figures = {
                "recipe": recipe(core, options.rounds, sizes),
                "large": large(sizes["pairs"], options.rounds),
                "beside_scipy": beside_scipy(options.rounds),
                "compare": compare(sizes["samples"], options.rounds),
            }
    except MachineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def made_up(n: int) -> Any:
    """n paired differences of 0/1 scores: a fifth differ, a little more often for the better."""
    import numpy as np

    return np.random.default_rng(0).choice([-1.0, 0.0, 1.0], size=n, p=[0.099, 0.8, 0.101])


def large(n: int, rounds: int) -> dict[str, Any]:
    """CPU seconds per round, and the peak memory of this process after."""
    from harness.stats.permutation import sign_flip_p

    differences = made_up(n)
    found = spread([cpu_seconds(lambda: sign_flip_p(differences, draws=DRAWS)) for _ in range(rounds)])
    return {**found, "pairs": n, "bar": BAR, "holds": found["median"] < BAR, "peak_mb": peak_mb()}


def beside_scipy(rounds: int) -> dict[str, Any]:
    """CPU seconds of both, and how many times as long scipy takes, round by round."""
    from scipy.stats import permutation_test

    from harness.stats.permutation import sign_flip_p

    differences = made_up(SMALL)

    def ours() -> float:
        return sign_flip_p(differences, draws=DRAWS)

    def theirs() -> float:
        found = permutation_test(
            (differences,), lambda x, axis: x.mean(axis=axis), permutation_type="samples", vectorized=True,
            n_resamples=DRAWS, batch=1000, rng=0,
        )  # fmt: skip
        return float(found.pvalue)

    p, q = ours(), theirs()
    error = math.sqrt((p * (1 - p) + q * (1 - q)) / DRAWS)
    if abs(p - q) > 5 * error + 2 / DRAWS:
        raise MachineError(f"our p is {p:.4f}, scipy's {q:.4f}: they test different things. Nothing was measured.")
    both = [(cpu_seconds(ours), cpu_seconds(theirs)) for _ in range(rounds)]
    return {
        "pairs": SMALL,
        "p": {"ours": p, "scipy": q},
        "ours": spread([mine for mine, _ in both]),
        "scipy": spread([other for _, other in both]),
        "ratio": spread([other / mine for mine, other in both]),
    }


def compare(samples: int, rounds: int) -> dict[str, Any]:
    """CPU seconds and memory, in a process of its own so that its peak is its own."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=compare_child, args=(sending, samples, rounds))
    child.start()
    sending.close()
    try:
        found: dict[str, Any] = receiving.recv()
    except EOFError:
        raise MachineError("the comparison of a large run ended early: out of memory? Use --scale 0.1.") from None
    finally:
        child.join()
    return found


def compare_child(sending: Any, samples: int, rounds: int) -> None:
    """Sends the figures of `compare`."""
    from harness.compare import tabulate
    from harness.verdict import comparisons

    run = large_run(samples)
    comparisons(large_run(20))  # imports what it needs
    before = peak_mb()
    tabulating = [cpu_seconds(lambda: tabulate(run)) for _ in range(rounds)]
    comparing = [cpu_seconds(lambda: comparisons(run)) for _ in range(rounds)]
    sending.send(
        {
            "samples": samples,
            "arms": ARMS,
            "tabulate": spread(tabulating),
            "comparisons": spread(comparing),
            "run_mb": before,
            "peak_mb": peak_mb(),
        }
    )
    sending.close()


def large_run(samples: int) -> Run:
    """A made-up run of one suite and four arms with 0/1 scores."""
    import numpy as np

    rng = np.random.default_rng(0)
    names = ["base", "prompted", "rag", "lora"]
    right = rng.random((ARMS, samples)) < np.array([0.5, 0.6, 0.62, 0.65])[:, None]
    rows, scores = [], []
    for place, arm in enumerate(names):
        for number in range(samples):
            sample, answer = f"s-{number}", Completion("text", 100 * (place + 1), 10, "stop", 0.1)
            rows.append(Row("big", arm, sample, f"h-{number}", f"{arm}-{number}", (), answer, "x"))
            scores.append(ScoreRow("big", arm, sample, "exact", True, Score(float(right[place, number]))))
    dials = {"model": "m", "adapter": None, "system": False, "shots": 0, "retrieve": 0}
    suite = {"version": 1, "digest": "d", "kind": "skill", "scorers": [{"name": "exact", "primary": True}]}
    manifest = {
        "format": 1,
        "models": {"m": {"path": "m", "digest": "m"}},
        "adapters": {"a": {"digest": "a", "model": "m"}},
        "arms": {name: dials | ({"adapter": "a"} if name == "lora" else {}) for name in names},
        "suites": {"big": {**suite, "n_test": samples, "sampling": {}}},
    }
    return Run("runs/big", manifest, tuple(rows), tuple(scores))


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of this process, so that other processes cost nothing but cache."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peak_mb() -> float:
    """The largest memory this process has held, in MB."""
    status = Path("/proc/self/status")
    if status.is_file():  # what getrusage says on Linux may be the parent's: it outlives exec
        return round(int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 2**10, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 2**20 if sys.platform == "darwin" else peak / 2**10, 1)


def recipe(core: int | None, rounds: int, sizes: Mapping[str, int]) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": {name: version(name) for name in ("numpy", "scipy")},
        "core": core,
        "load_before": os.getloadavg()[0],
        "rounds": rounds,
        "permutations": DRAWS,
        **sizes,
    }


def table(figures: Mapping[str, Any]) -> str:
    """The figures as text."""
    about, big, both, run = (figures[key] for key in ("recipe", "large", "beside_scipy", "compare"))
    where = "all cores: it could not be pinned" if about["core"] is None else f"core {about['core']} only"
    libraries = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        f"{about['rounds']} rounds, {DRAWS:,} permutations, {where}",
        f"Python {about['python']}, {libraries}, {about['machine']}, load {about['load_before']:.1f} before",
        "",
        f"{'CPU seconds':<44}{'median':>8}  min..max",
        _line(f"sign flips, {big['pairs']:,} pairs", big)
        + f"  bar {big['bar']:g} s: {'holds' if big['holds'] else 'does not hold'}, peak {big['peak_mb']:,.0f} MB",
        _line(f"sign flips, {both['pairs']:,} pairs", both["ours"]),
        _line(f"scipy permutation_test, {both['pairs']:,} pairs", both["scipy"]),
        _line("scipy / ours within a round", both["ratio"]) + "  times",
        _line(f"tabulate, {run['samples']:,} samples x {run['arms']} arms", run["tabulate"]),
        _line(f"comparisons, {run['samples']:,} samples x {run['arms']} arms", run["comparisons"])
        + f"  peak {run['peak_mb']:,.0f} MB, {run['run_mb']:,.0f} of it with the run alone",
        "",
        f"p at {both['pairs']:,} pairs: ours {both['p']['ours']:.4f}, scipy {both['p']['scipy']:.4f}",
    ]
    return "\n".join(lines)


def _line(name: str, row: Mapping[str, Any]) -> str:
    return f"{name:<44}{row['median']:>8.3f}  {row['min']:.3f}..{row['max']:.3f}"


if __name__ == "__main__":
    sys.exit(main())
