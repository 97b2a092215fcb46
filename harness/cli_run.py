"""The verbs that make a run: run, import, score."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli_gate import gate_that_ends
from harness.cli_options import config as _config
from harness.cli_options import engine as _engine
from harness.cli_options import json as _json
from harness.cli_options import unsandboxed as _unsandboxed
from harness.cli_report import print_comparison


@click.command()
@click.option(
    "-s", "--suite", "suites", multiple=True, metavar="SUITE", help="Suite name or folder; repeat. Default: all."
)
@click.option("-a", "--arm", "arms", multiple=True, metavar="ARM", help="Arm of models.yaml; repeat. Default: all.")
@click.option("--out", metavar="DIR|URL", help="Run folder, or s3://BUCKET/RUN. Default: runs/SUITE+SUITE.")
@click.option("--reuse", multiple=True, metavar="RUN", help="Take identical answers from another run; repeat.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Only the first N samples of each suite, of test and of dev."
)
@click.option(
    "--until-decided", is_flag=True, help="Stop asking a suite as soon as its verdict stands: five looks, declared."
)
@click.option(
    "--samples", type=click.IntRange(1, 1000), metavar="K", help="So many answers to each question; their mean counts."
)
@click.option("--dev-limit", type=click.IntRange(2), metavar="N", help="Choose on the first N dev samples only.")
@click.option("--no-dev", is_flag=True, help="Choose no reference on dev; saves its answers, and the report says so.")
@click.option("--no-aa", is_flag=True, help="Ask no questions again to see whether an arm repeats its answers.")
@click.option("--seed", default=0, show_default=True, help="Of the order in which --until-decided asks.")
@click.option(
    "--ray",
    is_flag=False,
    flag_value="local",
    metavar="[ADDRESS]",
    help="Workers on a Ray cluster: HOST:PORT, auto (this machine's), or one started here.",
)
@click.option(
    "--ray-workers", type=click.IntRange(1, 10_000), metavar="N", help="So many workers. Default: as many as fit."
)
@click.option("--policy", "policy_file", metavar="FILE", help="Decided is what this gate says; see harness gate.")
@click.option("--tier", metavar="NAME", help="Tier of that policy.")
@click.option(
    "--baseline", "baseline_", metavar="RUN:ARM|FILE", help="What that gate holds the arms to. Default: the policy's."
)
@_unsandboxed
@_engine
@_config
@_json
def run(
    suites: tuple[str, ...],
    arms: tuple[str, ...],
    out: str | None,
    reuse: tuple[str, ...],
    limit: int | None,
    until_decided: bool,
    samples: int | None,
    dev_limit: int | None,
    no_dev: bool,
    no_aa: bool,
    seed: int,
    ray: str | None,
    ray_workers: int | None,
    policy_file: str | None,
    tier: str | None,
    baseline_: str | None,
    engine: str | None,
    config: str,
    as_json: bool,
) -> None:
    """Answer and score. An existing run folder is continued; nothing is answered twice.

    \b
    Examples: harness run -s sql -a base -a prompted -a lora
              harness run -s sql --limit 20 --out runs/try
              harness run -s sql -a prompted -a lora --until-decided
              harness run -s sql -a lora --until-decided --policy gate.yaml --baseline baselines/lora.json
              harness run -s sql --ray 10.0.0.1:6379 --ray-workers 16
    """
    from harness.config import pick, read_config
    from harness.engines import Cluster
    from harness.remote import kept
    from harness.rivals import run_fairly
    from harness.store import read_run
    from harness.suite import all_suites, read_suite, with_samples

    checked = read_config(config)
    root = Path(config).parent
    read = with_samples([read_suite(name, root) for name in dict.fromkeys(suites or all_suites(root))], samples)
    chosen = pick(arms, checked.arms, Path(config).name, "arm")
    place = out or "runs/" + "+".join(suite.name for suite in read)
    others = [read_run(path, scored=False) for path in reuse]
    if no_dev and dev_limit:
        raise click.UsageError(
            "--no-dev and --dev-limit exclude each other: the one asks no dev samples, the other some."
        )
    if ray_workers and not ray:
        raise click.UsageError("--ray-workers needs --ray.")
    chosen_engine = Cluster(None if ray == "local" else ray, ray_workers, engine) if ray else engine
    held = gate_that_ends(place, policy_file, tier, baseline_)
    if held and not until_decided:
        raise click.UsageError("--policy, --tier and --baseline need --until-decided. Gate a finished run afterwards.")
    if until_decided and limit:
        raise click.UsageError("--limit and --until-decided exclude each other: looks are shares of all samples.")
    with kept(place) as folder:
        if until_decided:
            from harness.looks import run_until_decided

            done = run_until_decided(
                checked, read, chosen, folder, engine=chosen_engine, reuse=others, root=root, seed=seed,
                dev=not no_dev, dev_limit=dev_limit, held=held, twice=not no_aa,
            )  # fmt: skip
        else:
            done = run_fairly(
                checked, read, chosen, folder, engine=chosen_engine, limit=limit, reuse=others, root=root,
                dev=not no_dev, dev_limit=dev_limit, twice=not no_aa,
            )  # fmt: skip
    print_comparison(done, as_json)
    click.echo(f"Next: harness report {done.path}", err=True)


@click.command("import")
@click.argument("program", type=click.Choice(["lm-eval", "inspect"]))
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--arm", required=True, metavar="NAME", help="What answered, in your words.")
@click.option("--out", required=True, metavar="DIR", help="Run folder; one made by `harness import` gets another arm.")
@click.option("--metric", metavar="NAME", help="The score that counts. Default: the log's first.")
@click.option("--tuned", is_flag=True, help="The arm is fine-tuned: a candidate.")
def import_(program: str, files: tuple[str, ...], arm: str, out: str, metric: str | None, tuned: bool) -> None:
    """Read another harness's logs into a run folder, to compare, report and gate it.

    \b
    Examples: harness import lm-eval out/samples_gsm8k_*.jsonl --arm base --out runs/gsm8k
              harness import inspect logs/new.eval --arm lora --tuned --out runs/theirs
    """
    from harness.importing import import_logs
    from harness.remote import kept

    with kept(out) as folder:
        done = import_logs(program, [Path(file) for file in files], folder, arm, metric, tuned=tuned)
    print_comparison(done)


@click.command()
@click.argument("run_path", metavar="RUN")
@_config
def score(run_path: str, config: str) -> None:
    """Score stored answers again, after a scorer changed.

    \b
    Example: harness score runs/sql
    """
    from harness.config import read_config
    from harness.remote import kept
    from harness.rivals import rescore_fairly
    from harness.store import read_run
    from harness.suite import read_suite

    cards = read_run(run_path, scored=False).manifest["suites"]
    folders = {name: Path(card.get("path", name)) for name, card in cards.items()}
    there = {name: folder if (folder / "suite.yaml").is_file() else name for name, folder in folders.items()}
    suites = {name: read_suite(place, Path(config).parent) for name, place in there.items()}
    checked = read_config(config) if any(suite.graders for suite in suites.values()) else None
    with kept(run_path) as folder:
        done = rescore_fairly(folder, suites, checked)
    print_comparison(done)
