"""The report of a large run: how long it takes to build, how large it is, how it behaves in a browser.

    python benchmarks/report.py                    10,000 samples x 4 arms, then 50,000
    python benchmarks/report.py --samples 10000    one size
    python benchmarks/report.py --promptfoo DIR    the same rows in promptfoo's HTML page as well; DIR: an unpacked
                                                   npm package (npm pack promptfoo), of which one template is read

Needs playwright and a Chromium (see tests/browser). Answers are about 600 characters, made of this repository's own
documentation by a word chain; those to one question have most of their clauses in common, so that all of it packs
about three and a half times, as answers do.

build    seconds in write_report for a run in memory, all files included; cpu: of the processor
MB       size of the HTML file; packed: characters of all answers for each of its bytes, before base64 makes 4 of 3
ready    from the start of loading to the first rows of the list           filter   "Regressed" clicked to rows shown
search   a word typed to the rows that hold it, all texts read once        again    the same with another word
memory   resident memory of the page's process after all that
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import random
import re
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from harness.data import Completion, Row, Run, Score, ScoreRow
from harness.report import write_report

ROOT = Path(__file__).parents[1]
ARMS = {
    "base": {"model": "m", "adapter": None},
    "prompted": {"model": "m", "adapter": None, "system": True, "shots": 4},
    "rag": {"model": "m", "adapter": None, "retrieve": 3},
    "lora": {"model": "m", "adapter": "tuned"},
}
RATES = {"base": 0.3, "prompted": 0.6, "rag": 0.62, "lora": 0.7}
CLAUSE, CLAUSES, SHARED = 60, 10, 0.6
"""An answer: characters of a clause, clauses, and the share of them that it has in common with other answers."""


class Prose:
    """A chain of words that follows the documentation of this repository, two words at a time."""

    def __init__(self, seed: int = 0) -> None:
        text = " ".join(path.read_text("utf-8") for path in sorted(ROOT.glob("**/*.md")) if ".tox" not in path.parts)
        words = re.findall(r"\S+", text)
        self.next: dict[str, list[str]] = defaultdict(list)
        for one, two in itertools.pairwise(words):
            self.next[one].append(two)
        self.words, self.draw = words, random.Random(seed)

    def text(self, length: int) -> str:
        word, found, size = self.draw.choice(self.words), [], 0
        while size < length:
            found.append(word)
            size += len(word) + 1
            word = self.draw.choice(self.next.get(word) or self.words)
        return " ".join(found)

    def clauses(self, count: int) -> list[str]:
        return [self.text(CLAUSE) for _ in range(count)]

    def answer(self, common: Sequence[str]) -> str:
        """An answer that shares part of its clauses with the other answers to the same question."""
        return " ".join(one if self.draw.random() < SHARED else self.text(CLAUSE) for one in common)


def large_run(samples: int) -> Run:
    """`samples` samples of one suite, answered by four arms; the same number gives the same run."""
    prose = Prose()
    rows, scores = [], []
    for number in range(samples):
        name, question, common = f"bench-{number:06d}", prose.text(120), prose.clauses(CLAUSES)
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        for arm, rate in RATES.items():
            right = prose.draw.random() < rate
            completion = Completion(prose.answer(common), 150, 140, "stop", round(0.5 + prose.draw.random(), 4))
            messages = ({"role": "user", "content": question},)
            rows.append(Row("bench", arm, name, digest, digest + arm, messages, completion, common[0], {}, (), False))
            scores.append(ScoreRow("bench", arm, name, "exact", True, Score(float(right), "", "checked")))
    about = {
        "version": 1, "digest": "0" * 16, "kind": "skill", "title": "A large suite", "n_test": samples, "margin": 0.05,
        "scorers": [{"name": "exact", "scorer": "exact", "primary": True}], "sampling": {}, "chance": {},
    }  # fmt: skip
    manifest = {"format": 1, "arms": ARMS, "suites": {"bench": about}, "adapters": {"tuned": {}}, "models": {"m": {}}}
    return Run("runs/bench", manifest, tuple(rows), tuple(scores))


def memory(process: int) -> float:
    """Resident megabytes of the largest renderer below a browser's process."""
    import psutil

    found = [
        child for child in psutil.Process(process).children(recursive=True) if "renderer" in " ".join(child.cmdline())
    ]
    return max(child.memory_info().rss for child in found) / 1e6


def look(page_file: Path) -> dict[str, float]:
    """Opens a report as a person would; milliseconds and megabytes."""
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=executable, args=["--no-sandbox", "--headless=new"]
        )
        page = context.new_page()
        page.goto(page_file.as_uri() + "#samples")
        page.wait_for_selector("html[data-ready=yes]", timeout=120_000)
        page.wait_for_selector("[role=grid] .rows .row")
        ready = page.evaluate("performance.getEntriesByName('ready')[0].startTime")
        filtered = page.evaluate(TIMED, ["button[value=regressed]", None])
        page.evaluate(TIMED, ["button[value=all]", None])
        search = page.evaluate(TIMED, ["#find", "margin"])
        again = page.evaluate(TIMED, ["#find", "baseline"])
        found = {"ready": ready, "filter": filtered, "search": search, "again": again}
        page.evaluate("document.querySelector('#find').value")
        found["memory"] = memory(_browser_process(profile))
        context.close()
    return found


def _browser_process(profile: str) -> int:
    import psutil

    return next(
        one.pid
        for one in psutil.process_iter(["cmdline"])
        if f"--user-data-dir={profile}" in (one.info["cmdline"] or []) and "--type" not in " ".join(one.info["cmdline"])
    )


TIMED = """([at, words]) => new Promise((done) => {
    const start = performance.now(), status = document.getElementById("status"), before = status.textContent;
    const told = new MutationObserver(() => {
        if (status.textContent === before || status.textContent.startsWith("Searching")) return;
        told.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
    });
    told.observe(status, {characterData: true, subtree: true, childList: true});
    const element = document.querySelector(at);
    if (words === null) return element.click();
    element.value = words;
    element.dispatchEvent(new InputEvent("input", {bubbles: true}));
})"""


def main() -> None:
    options = argparse.ArgumentParser(description="The report of a large run, measured.")
    options.add_argument("--samples", type=int, action="append", help="samples of a run; repeat for several runs")
    options.add_argument("--out", type=Path, help="keep the reports in this folder")
    wanted = options.parse_args()
    heads = (
        "samples",
        "arms",
        "build s",
        "cpu s",
        "MB",
        "packed",
        "ready ms",
        "filter",
        "search",
        "again",
        "memory MB",
    )
    print(" ".join(f"{head:>9}" for head in heads))
    with tempfile.TemporaryDirectory() as scratch:
        for samples in wanted.samples or (10_000, 50_000):
            run = large_run(samples)
            letters = sum(len(row.completion.text) for row in run.rows)
            start, cpu = time.perf_counter(), time.process_time()
            written = write_report([run], (wanted.out or Path(scratch)) / f"report-{samples}.html")
            built, spent = time.perf_counter() - start, time.process_time() - cpu
            del run
            seen = look(written.html)
            size = written.html.stat().st_size
            times = (seen[name] for name in ("ready", "filter", "search", "again", "memory"))
            figures = (samples, len(ARMS), built, spent, size / 1e6, 4 / 3 * letters / size, *times)
            print(" ".join(f"{figure:>9.1f}" if isinstance(figure, float) else f"{figure:>9}" for figure in figures))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
