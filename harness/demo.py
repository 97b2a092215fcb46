"""The whole story on the embedded model: train a candidate, run five arms on three suites, decide, report."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from harness.config import read_config
from harness.digests import PACKAGE
from harness.progress import say
from harness.suite import read_suite, shipped

SUITES = ("sql", "handbook", "forgetting")
ARMS = ("base", "prompted", "rag", "lora", "lora+rag")


def demo_config() -> Path:
    """models.yaml as shipped: inside the package, or at the top of a checkout."""
    inside = PACKAGE / "_shipped" / "models.yaml"
    return inside if inside.is_file() else PACKAGE.parent / "models.yaml"


def run_demo(folder: Path, *, fresh: bool = False, engine: str | None = None) -> str:
    """Runs the demo in `folder` and returns what it decided. Interrupted, it goes on where it stopped.

    Leaves folder/runs/demo (answers, scores, the adapter) and folder/reports/demo.html, demo.md and demo/verdict.json.
    """
    from harness.report import write_report
    from harness.rivals import run_fairly
    from harness.train.candidate import train_candidates
    from harness.verdict import decide

    start = time.monotonic()
    work = folder / "runs" / "demo"
    if fresh and work.exists():
        shutil.rmtree(work)
    config = read_config(demo_config(), root=work)
    suites = [read_suite(shipped() / name) for name in SUITES]
    arms = [config.arms[name] for name in ARMS]
    say(f"demo: {len(arms)} arms of the embedded model on {', '.join(SUITES)}")
    adapters = [config.adapters[name] for name in dict.fromkeys(arm.adapter for arm in arms if arm.adapter)]
    for line in train_candidates(config, adapters, shipped().parent):
        say(line)
    done = run_fairly(config, suites, arms, work / "run", engine=engine)
    paths = write_report([done], folder / "reports" / "demo.html", title="Demo: prompt, retrieve or fine-tune?")
    lines = [verdict.sentence for verdict in decide(done)]
    return "\n\n".join([*lines, f"Report: {paths.html} (after {time.monotonic() - start:.0f} s)"])
