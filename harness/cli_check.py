"""The verbs before anything is spent: demo, check, doctor, plan."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli_options import config as _config
from harness.cli_options import engine as _engine
from harness.cli_options import json as _json
from harness.cli_options import unsandboxed as _unsandboxed
from harness.errors import EXIT_MACHINE, EXIT_OK, EXIT_USER


@click.command()
@click.option("--fresh", is_flag=True, help="Forget an earlier demo: train and answer everything again.")
@_unsandboxed
@_engine
def demo(fresh: bool, engine: str | None) -> None:
    """Train, run and judge five arms of the embedded model; leaves reports/demo.html.

    \b
    Example: harness demo
    """
    from harness.demo import run_demo

    click.echo(run_demo(Path.cwd(), fresh=fresh, engine=engine))


@click.command()
@click.argument("suites", nargs=-1, metavar="[SUITE|DIR]...")
@click.option("--against", metavar="FILE", help="Also: which test samples occur in this JSONL file of training data?")
@click.option("--certify", is_flag=True, help="Also: does the score mean something? Writes certificate.json.")
@_unsandboxed
@_config
@_json
def check(suites: tuple[str, ...], against: str | None, certify: bool, config: str, as_json: bool) -> None:
    """Are models.yaml and the suites in order? Laws, leakage, token budgets, power.

    \b
    Examples: harness check
              harness check sql handbook
              harness check sql --certify
              harness check sql --against other/train.jsonl
              harness check path/to/suite --json
    """
    from harness.check import check_all

    report = check_all(suites, Path(config), certificates=certify)
    if against:
        from harness.contamination import check_against

        report = check_against(report, suites, Path(config).parent, Path(against))
    click.echo(json.dumps(report.as_dict(), indent=2) if as_json else report.as_text())
    raise SystemExit(EXIT_OK if report.ok else EXIT_USER)


@click.command()
@click.option(
    "--sandbox", is_flag=True, help="Try the sandbox: replay the list of attacks on this machine, about 20 s."
)
@_json
def doctor(sandbox: bool, as_json: bool) -> None:
    """What this machine can do: GPU, engines, sandbox, disk; each with the fix.

    \b
    Examples: harness doctor
              harness doctor --sandbox
    """
    from harness.doctor import attack, examine

    report = attack() if sandbox else examine()
    click.echo(json.dumps(report.as_dict(), indent=2) if as_json else report.as_text())
    raise SystemExit(EXIT_OK if report.ok else EXIT_MACHINE)


@click.command()
@click.option(
    "-s", "--suite", "suites", multiple=True, metavar="SUITE", help="Suite name or folder; repeat. Default: all."
)
@click.option("-a", "--arm", "arms", multiple=True, metavar="ARM", help="Arm of models.yaml; repeat. Default: all.")
@click.option(
    "--detect", type=click.FloatRange(0.1, 100), default=5.0, show_default=True, metavar="POINTS",
    help="The difference you want to see.",
)  # fmt: skip
@click.option("--from", "earlier", multiple=True, metavar="RUN", help="Learn from an earlier run; repeat.")
@click.option("--probe", type=click.IntRange(1), metavar="N", help="Time N dev samples per suite and arm.")
@_engine
@_config
@_json
def plan(
    suites: tuple[str, ...],
    arms: tuple[str, ...],
    detect: float,
    earlier: tuple[str, ...],
    probe: int | None,
    engine: str | None,
    config: str,
    as_json: bool,
) -> None:
    """Before spending: what can be seen, samples and seeds needed, tokens, time and cost per arm.

    \b
    Examples: harness plan -s sql --detect 3
              harness plan -s sql --from runs/try
              harness plan -s sql -a base -a lora --probe 8
    """
    from harness.config import pick, read_config
    from harness.plain import plain
    from harness.plan import make_plan
    from harness.store import read_run
    from harness.suite import all_suites, read_suite
    from harness.tables import aligned

    checked = read_config(config)
    root = Path(config).parent
    read = [read_suite(name, root) for name in dict.fromkeys(suites or all_suites(root))]
    chosen = pick(arms, checked.arms, Path(config).name, "arm")
    runs = [read_run(path) for path in earlier]
    made = make_plan(
        checked, read, chosen, detect=detect / 100, earlier=runs, probe=probe or 0, engine=engine, root=root
    )
    if as_json:
        click.echo(json.dumps(made.as_dict(), indent=2))
        return
    for title, header, rows in made.tables():
        click.echo(f"{plain(title)}\n{aligned(header, rows)}\n")
    for note in made.notes:
        click.echo(plain(note))
