"""The report of a large run: how long it takes to build, how large it is, how it behaves in a browser.

    python benchmarks/report.py                    10,000 samples x 4 arms, then 50,000
    python benchmarks/report.py --samples 10000    one size
    python benchmarks/report.py --promptfoo DIR    beside promptfoo's HTML page of two of the four arms, which takes
                                                   gigabytes for 10,000 samples; DIR: its npm package, unpacked

promptfoo 0.121.20 at 10,000 samples, two answers of about 600 characters each, on two quiet cores: 87 MB, 47 s until
painted, 250,000 elements, 3.3 GB; another machine with two cores took 98.9 s and 5.6 GB. Ours there with four answers,
medians of five: 11 MB, built in 4.7 s, ready after 0.24 s, filter 93 ms (81 to 108), 315 MB. 50,000, once: built
in 16 s, ready after 0.43 s. On a busy machine times mean little: look at the cpu.

Needs playwright and a Chromium (see tests/browser). Answers are about 600 characters, made of this repository's own
documentation by a word chain; those to one question have most of their clauses in common, so that all of it packs
about three and a half times, as answers do.

build    seconds in write_report for a run in memory, all files included; cpu: of the processor
MB       size of the HTML file; packed: characters of all answers for each of its bytes, before base64 makes 4 of 3
ready    from the start of loading to the first rows of the list; cpu: of the page's process until then, start included
filter   "Regressed" clicked to rows shown
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
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
        pages = [path for path in sorted(ROOT.glob("**/*.md")) if not {".tox", "node_modules"} & {*path.parts}]
        text = " ".join(path.read_text("utf-8") for path in pages)
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


def rival_page(package: Path, run: Run, arms: Sequence[str]) -> str:
    """The same answers as promptfoo writes them to HTML: its own template, filled the way its exporter fills it.

    The template is Nunjucks; Jinja reads it but for `.slice(1)`.
    """
    from jinja2 import Environment

    source = (package / "dist" / "src" / "tableOutput.html").read_text("utf-8").replace(".slice(1)", "[1:]")
    values = {(score.sample, score.arm): score.score.value for score in run.scores}
    table: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in run.rows:
        if row.arm not in arms:
            continue
        question = row.messages[-1]["content"]
        if not table[row.sample]:
            table[row.sample].append({"kind": "variable", "name": "question", "text": question})
        status = "pass" if values[row.sample, row.arm] else "fail"
        about = {"status": status, "statusLabel": status.upper(), "score": "1.00", "namedScores": [], "reason": ""}
        more = {"detailId": f"{row.sample}-{row.arm}", "detailTitle": row.sample, "prompt": question, "error": ""}
        table[row.sample].append({"kind": "output", "text": row.completion.text, **about, **more})
    counts = {"totalResults": len(run.rows), "totalRows": len(table), "promptCount": len(arms), "passRateDisplay": "-"}
    rows = [["question", *arms], *table.values()]
    template = Environment(autoescape=False).from_string(source)
    return template.render(config={}, metadata={}, report=counts, table=rows)


@contextmanager
def browser() -> Iterator[tuple[Any, str]]:
    """A page of a Chromium of its own, and the folder of its profile."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"]
        )
        yield context.new_page(), profile
        context.close()


def look_at_rival(file: Path) -> dict[str, float]:
    """Milliseconds until promptfoo's page is loaded and painted, and megabytes."""
    with browser() as (page, profile):
        page.set_default_timeout(600_000)
        page.goto(file.as_uri(), wait_until="load", timeout=600_000)
        painted = (
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"
        )
        found = {"ready": page.evaluate(painted), "elements": page.evaluate("document.querySelectorAll('*').length")}
        found["cpu"] = 1000 * sum(renderer(profile).cpu_times()[:2])
        found["memory"] = renderer(profile).memory_info().rss / 1e6
    return found


def look(file: Path) -> dict[str, float]:
    """Opens a report as a person would; milliseconds and megabytes."""
    with browser() as (page, profile):
        page.goto(file.as_uri() + "#samples")
        page.wait_for_selector("html[data-ready=yes]", timeout=120_000)
        page.wait_for_selector("[role=grid] .rows .row")
        found = {"cpu": 1000 * sum(renderer(profile).cpu_times()[:2])}
        found["ready"] = page.evaluate("performance.getEntriesByName('ready')[0].startTime")
        found["filter"] = page.evaluate(TIMED, ["button[value=regressed]", None])
        page.evaluate(TIMED, ["button[value=all]", None])
        found["search"] = page.evaluate(TIMED, ["#find", "margin"])
        found["again"] = page.evaluate(TIMED, ["#find", "baseline"])
        found["memory"] = renderer(profile).memory_info().rss / 1e6
    return found


def renderer(profile: str) -> Any:
    """The process of the page (psutil.Process): the largest renderer of the browser that uses this profile."""
    import psutil

    def command(one: Any) -> list[str]:
        try:
            return list(one.cmdline())
        except psutil.Error:
            return []

    browsers = [one for one in psutil.process_iter() if f"--user-data-dir={profile}" in command(one)]
    below = [child for browser in browsers for child in browser.children(recursive=True)]
    return max((one for one in below if "--type=renderer" in command(one)), key=lambda one: one.memory_info().rss)


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
"""Clicks or types, and waits until the count of samples has changed and two frames are drawn."""

HEADS = "samples arms build cpu_s MB packed ready cpu_ms filter search again memory"


def main() -> None:
    options = argparse.ArgumentParser(description="The report of a large run, measured.")
    options.add_argument("--samples", type=int, action="append", help="samples of a run; repeat for several runs")
    options.add_argument("--promptfoo", type=Path, metavar="DIR", help="its unpacked npm package, to compare with")
    options.add_argument("--out", type=Path, help="keep the reports in this folder")
    wanted = options.parse_args()
    print(" ".join(f"{head:>8}" for head in HEADS.split()))
    with tempfile.TemporaryDirectory() as scratch:
        for samples in wanted.samples or (10_000, 50_000):
            run = large_run(samples)
            if wanted.promptfoo:
                rival = Path(scratch) / "promptfoo.html"
                rival.write_text(rival_page(wanted.promptfoo, run, list(ARMS)[:2]), "utf-8")
                seen = look_at_rival(rival)
                said = ", ".join(f"{name} {value:.0f}" for name, value in seen.items())
                print(f"promptfoo, {samples} samples x 2 arms: {rival.stat().st_size / 1e6:.1f} MB, {said}", flush=True)
            letters = sum(len(row.completion.text) for row in run.rows)
            start, cpu = time.perf_counter(), time.process_time()
            file = write_report([run], (wanted.out or Path(scratch)) / f"report-{samples}.html").html
            built, spent = time.perf_counter() - start, time.process_time() - cpu
            del run
            seen, size = look(file), file.stat().st_size
            times = [seen[name] for name in ("ready", "cpu", "filter", "search", "again", "memory")]
            figures = [built, spent, size / 1e6, 4 / 3 * letters / size, *times]
            print(f"{samples:>8} {len(ARMS):>8} " + " ".join(f"{figure:>8.1f}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
