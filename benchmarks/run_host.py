"""One run of the instant engine of benchmarks.run, in a process of its own; prints its CPU seconds, children's too."""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import harness.runner
from benchmarks.run import Instant
from harness.config import read_config
from harness.runner import run
from harness.suite import read_suite


def main() -> None:
    folder, out = map(Path, sys.argv[1:])
    harness.runner.open_engine = lambda model, adapters, name: Instant(model, adapters)
    config, suite = read_config(folder / "models.yaml"), read_suite("sums", folder)
    start = time.process_time()
    run(config, [suite], [config.arms["base"]], out, root=folder)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(time.process_time() - start + children.ru_utime + children.ru_stime)


if __name__ == "__main__":
    main()
