"""The verbs that show a run: compare, report."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli_options import json as _json

if TYPE_CHECKING:
    from harness.data import Run


@click.command()
@click.argument("run_path", metavar="RUN")
@_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for spreadsheets.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a Markdown table, for issues and pull requests.")
def compare(run_path: str, as_json: bool, as_csv: bool, as_markdown: bool) -> None:
    """The arms of a run side by side, with paired differences and the decision.

    Scores and differences are in points of 100, each arm against the reference of its line on the same samples.
    "won/lost": samples that score higher, lower than the reference's. "visible from": the smallest difference that so
    many samples show four times in five. "new failures": answers that fell to 0, of a graded score.

    \b
    Examples: harness compare runs/sql
              harness compare runs/sql --markdown
              harness compare runs/sql --csv > sql.csv
    """
    from harness.store import read_run, without_collection

    if as_json + as_csv + as_markdown > 1:
        raise click.UsageError("--json, --csv and --markdown exclude each other.")
    with without_collection():
        print_comparison(read_run(run_path), as_json, as_csv, as_markdown)


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--out", metavar="FILE", help="Default: reports/RUN.html.")
@click.option("--title", metavar="TEXT", help="Heading of the page.")
@click.option("--no-text", is_flag=True, help="Scores and hashes only: no prompt, answer, target or metadata.")
@click.option(
    "--embed-budget", type=click.IntRange(min=0), metavar="MB", help="Sample texts in the HTML file. Default: 25."
)
@click.option(
    "--target", type=click.FloatRange(0, 1), metavar="X",
    help="Learning curves say how many training samples this score takes. Default: each suite's own target.",
)  # fmt: skip
def report(
    runs: tuple[str, ...],
    out: str | None,
    title: str | None,
    no_text: bool,
    embed_budget: int | None,
    target: float | None,
) -> None:
    """One offline HTML file with the decision; the same as Markdown, verdict.json and CSV beside it.

    Of several runs the newest is reported; the others are its history.

    \b
    Examples: harness report runs/sql
              harness report runs/sql --out reports/sql.html --title "SQL: prompt or fine-tune?"
              harness report runs/may runs/june --out reports/history.html
              harness report runs/patients --no-text
    """
    from harness.plain import plain
    from harness.report import write_report
    from harness.report.history import in_order
    from harness.store import read_run
    from harness.verdict import decide

    read = [read_run(path) for path in runs]
    newest = in_order(read)[-1]
    file = Path(out or f"reports/{Path(newest.path).resolve().name}.html")
    budget = None if embed_budget is None else embed_budget * 1_000_000
    paths = write_report(read, file, title=title, text=not no_text, budget=budget, target=target)
    for verdict in decide(newest):
        click.echo(plain(verdict.sentence))
    click.echo(f"Report: {paths.html}")


def print_comparison(run_: Run, as_json: bool = False, as_csv: bool = False, as_markdown: bool = False) -> None:
    """The comparison of a run's arms on stdout, as a table or as told."""
    from harness.tables import comparison, comparison_csv, comparison_markdown
    from harness.verdict import verdict_json

    if as_json:
        click.echo(json.dumps(verdict_json(run_), indent=2))
    elif as_csv:
        click.echo(comparison_csv(run_), nl=False)
    elif as_markdown:
        click.echo(comparison_markdown(run_))
    else:
        colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        click.echo(comparison(run_, _style if colours else None))


def _style(text: str, what: str) -> str:
    return click.style(text, bold=True, fg={"gain": "green", "loss": "red"}.get(what))
