"""A run as a page that a person reads, a Markdown twin, and files that a program reads."""

from __future__ import annotations

from collections.abc import Sequence
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


def write_report(runs: Sequence[Run], out: Path, *, title: str | None = None) -> Paths:
    """Writes `out` (one offline HTML file), `out` as .md, and a folder of the same name with verdict.json,
    samples.csv and summary.csv. The same run gives the same bytes: there is no clock and no chance in a report.

    The HTML file and samples.csv hold prompts and answers; the Markdown file, verdict.json and summary.csv do not,
    but for system prompts that an arm of models.yaml lists as text.
    Errors: HarnessError for anything but one run, for a run without answers, for an `out` that does not end in
    .html, and where a file cannot be written. Files are replaced one by one, each at once.
    """
    from harness.report.page import html_page, markdown_page
    from harness.report.sheets import samples_csv, summary_csv
    from harness.report.view import view
    from harness.store import write_json, write_text
    from harness.verdict import verdict_json

    if len(runs) != 1:
        raise HarnessError(f"report: {len(runs)} runs given, a report holds one. Name one run folder.")
    if out.suffix.lower() not in (".html", ".htm"):
        raise HarnessError(f"{out}: a report is an .html file. Name it {out.name or 'report'}.html.")
    run = runs[0]
    if not run.scores:
        raise HarnessError(f"{run.path}: holds no scored answers. Continue it with `harness run`.")
    page = view(run, title)
    summaries = [summary for suite in page.suites for summary in suite.summaries]
    comparisons = [comparison for suite in page.suites for comparison in suite.comparisons]
    folder = out.with_suffix("")
    paths = Paths(out, out.with_suffix(".md"), folder / "verdict.json", folder / "samples.csv", folder / "summary.csv")
    write_json(paths.verdict, verdict_json(run))
    write_text(paths.samples, samples_csv(page.cases, page.arm_names))
    write_text(paths.summary, summary_csv(summaries, comparisons))
    write_text(paths.markdown, markdown_page(page))
    write_text(paths.html, html_page(page))
    return paths
