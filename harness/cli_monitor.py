"""The verb that watches live traffic: monitor."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli_options import json as _json
from harness.cli_options import unsandboxed as _unsandboxed


@click.command()
@click.argument("log", metavar="LOG|URL")
@click.option("-s", "--suite", "suite_name", required=True, metavar="SUITE", help="Suite name or folder.")
@click.option("--baseline", required=True, metavar="RUN:ARM", help="The evaluated arm that the traffic is held to.")
@click.option("--model", metavar="NAME", help="Only replies of this model, by the name in the log.")
@click.option("--state", metavar="FILE", help="Where it is kept how far the log was read. Default: in RUN/monitor.")
@click.option("--fresh", is_flag=True, help="Forget what was read before, and begin a new watch.")
@click.option("--html", metavar="FILE", help="Also write one offline page.")
@click.option("--prometheus", "metrics", metavar="FILE", help="Also write metrics in Prometheus' text format.")
@_unsandboxed
@_json
def monitor(
    log: str,
    suite_name: str,
    baseline: str,
    model: str | None,
    state: str | None,
    fresh: bool,
    html: str | None,
    metrics: str | None,
    as_json: bool,
) -> None:
    """Hold live traffic to what was evaluated; the exit code says it: 0 no drift, 1 drift, 3 too few requests.

    LOG is a JSONL file, or the URL of one, of OpenAI chat requests with their replies. It may be looked at as often as
    one likes: the chance of ever saying drift where nothing changed is at most 5 %. A grown log is read on from where
    it was left. See docs/monitoring.md.

    \b
    Examples: harness monitor traffic.jsonl -s soap --baseline runs/soap:lora
              harness monitor traffic.jsonl -s soap --baseline runs/soap:lora --html drift.html --prometheus soap.prom
              harness monitor http://gateway/log.jsonl -s soap --baseline runs/soap:lora --model soap-r16
    """
    from harness.cli_gate import parted
    from harness.errors import HarnessError
    from harness.monitor import monitor as watch
    from harness.monitor import state_file
    from harness.plain import plain
    from harness.report.live import lines, live_page, prometheus
    from harness.store import read_run, write_text
    from harness.suite import read_suite

    if html and Path(html).suffix.lower() not in (".html", ".htm"):
        raise HarnessError(f"{html}: a page is an .html file. Name it {Path(html).name}.html.")
    path, arm = parted(baseline)
    run, suite = read_run(path), read_suite(suite_name)
    kept = Path(state) if state else state_file(run, suite.name, arm, log)
    found = watch(log, suite, run, arm, kept, model=model, fresh=fresh)
    if html:
        write_text(Path(html), live_page(found))
    if metrics:
        write_text(Path(metrics), prometheus(found))
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2))
    else:
        for line in lines(found):
            click.echo(line if "\n" in line else plain(line))  # a table, or a sentence
    raise SystemExit(found.exit_code)
