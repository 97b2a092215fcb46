"""A run as a page that a person reads, a Markdown twin, and files that a program reads."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.data import Run
from harness.errors import HarnessError


@dataclass(frozen=True)
class Paths:
    """What `write_report` wrote."""

    html: Path
    markdown: Path
    verdict: Path
    samples: Path
    summary: Path


def write_report(
    runs: Sequence[Run],
    out: Path,
    *,
    title: str | None = None,
    text: bool = True,
    budget: int | None = None,
    target: float | None = None,
) -> Paths:
    """Writes `out` (one offline HTML file), `out` as .md, and a folder of the same name with verdict.json,
    samples.csv and summary.csv. The same runs give the same bytes: there is no clock and no chance in a report.

    Of several runs the newest is reported and decided; the others are its history, and their answers to the same
    samples stand beside its own. text=False leaves out every prompt, answer, target, explanation and metadata, and
    gives samples by their hash. budget: bytes of sample texts in the HTML file, about; beyond it, the page says what
    it left out (samples.csv holds it). None: block.BUDGET.

    The HTML file and samples.csv hold prompts and answers; the Markdown file, verdict.json and summary.csv do not,
    but for system prompts that an arm of models.yaml lists as text.
    Errors: HarnessError for no run, for a run without answers, for an `out` that does not end in .html, and where a
    file cannot be written. Files are replaced one by one, each at once.
    """
    from harness.report import block
    from harness.report.history import in_order
    from harness.report.page import html_page, markdown_page
    from harness.report.redact import without_text
    from harness.report.sheets import samples_csv, summary_csv
    from harness.report.view import view
    from harness.store import write_json, write_text
    from harness.verdict import verdict_json

    if not runs:
        raise HarnessError("report: no run given. Name a run folder, e.g. runs/demo.")
    if out.suffix.lower() not in (".html", ".htm"):
        raise HarnessError(f"{out}: a report is an .html file. Name it {out.name or 'report'}.html.")
    for run in runs:
        if not run.scores:
            raise HarnessError(f"{run.path}: holds no scored answers. Continue it with `harness run`.")
    folder = out.with_suffix("")
    paths = Paths(out, out.with_suffix(".md"), folder / "verdict.json", folder / "samples.csv", folder / "summary.csv")
    with _uncollected():
        ordered = in_order(runs) if text else [without_text(run) for run in in_order(runs)]
        page = view(ordered, title, text, target)
        summaries = [summary for suite in page.suites for summary in suite.summaries]
        comparisons = [comparison for suite in page.suites for comparison in suite.comparisons]
        write_json(paths.verdict, verdict_json(ordered[-1], target=target))
        write_text(paths.samples, samples_csv(page.cases, page.sample_arms, text))
        write_text(paths.summary, summary_csv(summaries, comparisons))
        write_text(paths.markdown, markdown_page(page))
        write_text(paths.html, html_page(page, block.BUDGET if budget is None else budget))
    return paths


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: a large run is millions of objects that stay; walking them takes a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
