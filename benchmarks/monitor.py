"""How often the monitor is wrong, and how soon it finds a drop of 5 points: its bars, by simulation.

    python -m benchmarks.monitor                           # a few minutes
    python -m benchmarks.monitor --scale 0.02              # only to see that it works
    python -m benchmarks.monitor --json benchmarks/monitor.json

1. False alarms of one check in 1,000 simulated months of 30,000 requests each, looked at after every 25, where nothing
   changes; each month has an evaluation of its own, by number and share of answers that pass. Bar: 5 %.
2. The same for the eight checks of a suite at once, with alpha divided among them as `harness monitor` does it: checks
   that fail apart, and checks that fail together.
3. How often a drop of 5 points is found within 1,000 requests, by evaluated answers, share that passes, number of
   checks and requests before the drop. Bar: 80 %. Beside it what any test could find at most: a z test that is told
   when the drop begins and is used once, 1,000 requests later.
4. What dividing alpha by need changes for the six checks of a usual suite, beside equal shares.
5. How many evaluated answers find it four times in five where it is there from the first request on.

What is not covered: requests that hang together, and evaluated answers that do.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.sandbox import positive
from harness.stats import drop
from harness.stats.drop import ALPHA, EVERY, SMALL, SOON, SURE, Watch

MONTHS, REQUESTS = 1000, 30_000
TOGETHER = 3_000
"""Requests of a month with eight checks."""
NULLS = ((50, 0.9), (100, 0.95), (240, 0.95), (240, 0.5), (1000, 0.95), (300, 0.995))
"""(evaluated answers, share that passes)"""
EIGHT = (1.0, 0.99, 0.98, 0.95, 0.95, 0.95, 0.9, 0.82)
SIX = (1.0, 1.0, 0.98, 0.95, 0.95, 0.9)
ANSWERS, SHARES, BEGINS, CHECKS = (240, 500, 1000, 2000), (0.99, 0.95, 0.9, 0.82), (0, 1000, 3000, 10_000), (1, 8)
PART = 5
"""Months computed at a time."""


def main(argv: Sequence[str] | None = None) -> int:
    """Simulates, prints, writes. 0 whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.monitor", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scale", type=positive(float), default=1.0, help="of months and requests (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args(argv)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # before numpy is imported
    months = max(20, int(MONTHS * options.scale))
    requests = {size: max(500, int(size * options.scale)) for size in (REQUESTS, TOGETHER)}
    begun = time.process_time()
    figures: dict[str, Any] = {
        "recipe": recipe(months, requests[REQUESTS], requests[TOGETHER]),
        "alone": [alone(n, share, months, requests[REQUESTS]) for n, share in NULLS],
        "eight": [eight(240, apart, months, requests[TOGETHER]) for apart in (True, False)],
        "power": [found for n in ANSWERS for share in SHARES for found in powers(n, share, months)],
        "divided": [divided(n) for n in ANSWERS],
        "enough": [needed(share) for share in SHARES],
    }
    figures["recipe"]["cpu_seconds"] = time.process_time() - begun
    print(table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def peaks(evaluated: Any, n: int, good: Any, after: int = 0) -> Any:
    """The highest log evidence of each month at the looks behind `after` requests.

    evaluated: passed among the n evaluated answers, shape (months,). good: passed up to each look, (months, looks).
    """
    import numpy as np

    looks = EVERY * np.arange(1, good.shape[1] + 1)
    highest = np.empty(len(good))
    for part in np.split(np.arange(len(good)), range(PART, len(good), PART)):
        whole = np.full((len(part), len(looks)), -np.inf)
        for start in [0, *drop.later_starts(0, int(looks[-1]) - 1)]:
            seen = looks > max(start, after)
            before = good[part, start // EVERY - 1] if start else np.zeros(len(part))
            since = good[np.ix_(part, seen)] - before[:, None]
            known = evaluated[part] + before
            ratio = drop.log_ratio(known, n + start - known, since, looks[seen] - start - since)
            whole[:, seen] = np.logaddexp(whole[:, seen], math.log(drop.weight(start)) + ratio)
        highest[part] = whole.max(axis=1)
    return highest


def alone(n: int, share: float, months: int, requests: int) -> dict[str, Any]:
    """Months in which one check says drift where there is none."""
    import numpy as np

    random = np.random.default_rng([n, round(1000 * share)])
    good = np.cumsum(random.binomial(EVERY, share, (months, requests // EVERY)), axis=1).astype(float)
    wrong = peaks(random.binomial(n, share, months).astype(float), n, good) >= -math.log(ALPHA)
    return {"answers": n, "share": share, "false_alarms": float(wrong.mean()), "holds": bool(wrong.mean() <= ALPHA)}


def eight(n: int, apart: bool, months: int, requests: int) -> dict[str, Any]:
    """Months in which any of eight checks says drift where there is none, each with its share of alpha.

    apart: whether a reply fails each check by a chance of its own, or all those that are as strict as its one chance.
    """
    import numpy as np

    random = np.random.default_rng([n, apart])
    shares = np.array(EIGHT)
    evaluated, good = np.empty((months, len(EIGHT))), np.empty((months, len(EIGHT), requests // EVERY))
    for month in range(months):
        chance = random.random((n + requests // EVERY * EVERY, len(EIGHT) if apart else 1))
        passed = chance < shares
        evaluated[month] = passed[:n].sum(axis=0)
        good[month] = passed[n:].reshape(-1, EVERY, len(EIGHT)).sum(axis=1).cumsum(axis=0).T
    bars = np.array(
        [[-math.log(one.alpha) for one in drop.shared([Watch(float(s), n) for s in row])] for row in evaluated]
    )
    highest = np.stack([peaks(evaluated[:, place], n, good[:, place]) for place in range(len(EIGHT))], axis=1)
    wrong = (highest >= bars).any(axis=1)
    return {"answers": n, "apart": apart, "false_alarms": float(wrong.mean()), "holds": bool(wrong.mean() <= ALPHA)}


def powers(n: int, share: float, months: int) -> list[dict[str, Any]]:
    """How often a drop is found within SOON requests, and by a z test used once, by begin and number of checks."""
    import numpy as np

    rows = []
    for after in BEGINS:
        random = np.random.default_rng([n, round(1000 * share), after])
        live = np.repeat([share, share - SMALL], [after // EVERY, SOON // EVERY])
        good = np.cumsum(random.binomial(EVERY, live, (months, len(live))), axis=1).astype(float)
        highest = peaks(random.binomial(n, share, months).astype(float), n, good, after)
        for checks in CHECKS:
            once = drop.power_once(Watch(share * (n + after), n + after, ALPHA / checks), SMALL)
            rows.append(
                {
                    "answers": n,
                    "share": share,
                    "begin": after,
                    "checks": checks,
                    "found": float((highest >= -math.log(ALPHA / checks)).mean()),
                    "at_most": once,
                }
            )
    return rows


def divided(n: int) -> dict[str, Any]:
    """The power of each of SIX, with equal shares of alpha and as `drop.shared` gives them."""
    watches = [Watch(share * n, n, ALPHA / len(SIX)) for share in SIX]
    equal, shared = ([drop.power(one, SMALL) for one in some] for some in (watches, drop.shared(watches)))
    return {"answers": n, "equal": equal, "shared": shared}


def needed(share: float) -> dict[str, Any]:
    """Evaluated answers that find the drop four times in five, by number of checks; None: not even drop.MOST."""
    of = {str(checks): drop.enough(Watch(share * 1000, 1000, ALPHA / checks), SMALL) for checks in CHECKS}
    return {"share": share, "answers": of}


def recipe(months: int, requests: int, together: int) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("numpy", "scipy")},
        "months": months,
        "requests": requests,
        "requests_of_eight": together,
        "alpha": ALPHA,
        "drop": SMALL,
        "within": SOON,
    }


def table(figures: Mapping[str, Any]) -> str:
    """The figures as text."""
    about = figures["recipe"]
    rows = [*figures["alone"], *figures["eight"]]
    worst = max(row["false_alarms"] for row in rows)
    lines = [
        f"{about['months']:,} months, Python {about['python']}, "
        + ", ".join(f"{name} {number}" for name, number in about["versions"].items()),
        "",
        f"False alarms in a month where nothing changes; bar {ALPHA:.0%}: "
        f"{'holds' if worst <= ALPHA else 'does not hold'}",
    ]
    for row in figures["alone"]:
        what = f"one check, {row['answers']:,} evaluated answers, {100 * row['share']:g} % pass"
        lines.append(
            f"  {what + ', ' + format(about['requests'], ',') + ' requests':<72}{_percent(row['false_alarms'])}"
        )
    for row in figures["eight"]:
        what = f"eight checks that fail {'apart' if row['apart'] else 'together'}, {row['answers']:,} evaluated answers"
        what += f", {about['requests_of_eight']:,} requests"
        lines.append(f"  {what:<72}{_percent(row['false_alarms'])}")
    lines += [
        "",
        f"A drop of {100 * SMALL:g} points, found within {SOON:,} requests (at most, by any test); bar {SURE:.0%}",
        f"  {'checks':>6}{'evaluated':>11}{'pass':>7}   "
        + "".join(f"{f'begins after {begin:,}':>22}" for begin in BEGINS),
    ]
    of = {(row["checks"], row["share"], row["answers"], row["begin"]): row for row in figures["power"]}
    for checks in CHECKS:
        for share in SHARES:
            for n in ANSWERS:
                cells = [of[checks, share, n, begin] for begin in BEGINS]
                told = "".join(f"{_percent(one['found']) + ' (' + _percent(one['at_most']) + ')':>22}" for one in cells)
                lines.append(f"  {checks:>6}{n:>11,}{100 * share:>5g} %   {told}")
    told = ", ".join(f"{100 * share:g}" for share in SIX)
    lines += ["", f"Six checks, {told} % pass: found where it is there from the first request on"]
    for row in figures["divided"]:
        for name in ("equal", "shared"):
            found = "".join(f"{_percent(value):>8}" for value in row[name])
            lines.append(f"  {row['answers']:>6,} answers, alpha {'alike' if name == 'equal' else 'by need':<8}{found}")
    lines += ["", f"Evaluated answers that find it in {SURE:.0%}, where it is there from the first request on"]
    for row in figures["enough"]:
        told = ", ".join(
            f"{'one check' if checks == '1' else f'one of {checks}'}: "
            + (f"more than {drop.MOST:,}" if n is None else f"{n:,}")
            for checks, n in row["answers"].items()
        )
        lines.append(f"  {100 * row['share']:g} % pass: {told}")
    return "\n".join(lines)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %" if value < 0.1 else f"{100 * value:.0f} %"


if __name__ == "__main__":
    sys.exit(main())
