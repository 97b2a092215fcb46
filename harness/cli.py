"""The command line: one verb, one function. Heavy imports happen inside the verbs, so that help comes at once."""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import click

from harness import __version__
from harness.cli_gate import baseline, gate, gate_that_ends, parted
from harness.cli_init import init
from harness.cli_monitor import monitor
from harness.cli_options import config as _config
from harness.cli_options import engine as _engine
from harness.cli_options import json as _json
from harness.cli_options import unsandboxed as _unsandboxed
from harness.errors import (
    EXIT_INTERRUPTED,
    EXIT_MACHINE,
    EXIT_OK,
    EXIT_USER,
    HarnessError,
)

if TYPE_CHECKING:
    from harness.data import Run

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(context_settings=_CONTEXT, invoke_without_command=True)
@click.version_option(__version__, prog_name="harness")
@click.pass_context
def cli(context: click.Context) -> None:
    """Prompt it, retrieve, fine-tune, or use a bigger model? And did the new candidate make anything worse?

    \b
    harness demo                          the whole story on the model that ships with the package
    harness init mytask --from pairs.jsonl    your own task
    harness train NAME && harness run -s mytask && harness report runs/mytask

    \b
    Exit codes: 0 holds or done, 1 regression, 2 your mistake, 3 inconclusive, 4 not comparable,
    5 the machine failed, 130 interrupted.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
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


@cli.command()
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


@cli.command()
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


@cli.command()
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


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--drop-losers", is_flag=True, help="End candidates that are clearly behind the others on dev.")
@click.option("--curve", is_flag=True, help="Train a learning curve of one adapter: five sizes, three seeds.")
@_config
def train(names: tuple[str, ...], drop_losers: bool, curve: bool, config: str) -> None:
    """Train LoRA candidates named in models.yaml, together where they share a base. Interrupted training goes on.

    \b
    Examples: harness train sql-r16
              harness train sql-r8 sql-r16 sql-r32 --drop-losers
              harness train sql-r16 --curve
    """
    from harness.config import pick, read_config
    from harness.train import candidate

    checked = read_config(config)
    chosen = pick(names, checked.adapters, Path(config).name, "adapter")
    following = ""
    if curve:
        if len(chosen) != 1 or drop_losers:
            raise click.UsageError("--curve takes one adapter, and trains all of its candidates to the end.")
        file = Path(config).with_name(f"{Path(config).stem}.{chosen[0].name}-curve.yaml")
        arms = " ".join(f"-s {name}" for name in chosen[0].train.suites) if chosen[0].train else ""
        chosen, text = candidate.curve(checked, chosen[0])
        file.write_text(text, "utf-8")
        following = f"Next: harness run --config {file} {arms} " + " ".join(f"-a {one.name}" for one in chosen)
    for line in candidate.train_candidates(checked, chosen, Path(config).parent, drop_losers=drop_losers):
        click.echo(line)
    if following:
        click.echo(following, err=True)


@cli.command()
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
    others = [read_run(path) for path in reuse]
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
    _print_comparison(done, as_json)
    click.echo(f"Next: harness report {done.path}", err=True)


@cli.command("import")
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
    _print_comparison(done)


@cli.command()
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

    cards = read_run(run_path).manifest["suites"]
    folders = {name: Path(card.get("path", name)) for name, card in cards.items()}
    there = {name: folder if (folder / "suite.yaml").is_file() else name for name, folder in folders.items()}
    suites = {name: read_suite(place, Path(config).parent) for name, place in there.items()}
    checked = read_config(config) if any(suite.graders for suite in suites.values()) else None
    with kept(run_path) as folder:
        done = rescore_fairly(folder, suites, checked)
    _print_comparison(done)


@cli.command()
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
        _print_comparison(read_run(run_path), as_json, as_csv, as_markdown)


@cli.command()
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


@cli.command()
@click.argument("name", metavar="ADAPTER")
@click.option("--merged", is_flag=True, help="One model instead of an adapter beside its base.")
@click.option("--out", metavar="DIR", help="Default: exports/ADAPTER.")
@click.option(
    "--verify", metavar="RUN:ARM", help="Start that server and ask what the run asked: are its scores reproduced?"
)
@_unsandboxed
@_config
@_json
def export(name: str, merged: bool, out: str | None, verify: str | None, config: str, as_json: bool) -> None:
    """A trained adapter as a folder to serve, bare or merged, with the command that serves it.

    \b
    Examples: harness export sql-r16
              harness export sql-r16 --merged --out served/sql
              harness export sql-r16 --verify runs/sql:lora
    """
    from harness.config import pick, read_config
    from harness.export import CARD, export_adapter
    from harness.export import verify as verified
    from harness.plain import plain

    checked = read_config(config)
    (adapter,) = pick((name,), checked.adapters, Path(config).name, "adapter")
    folder = Path(out or f"exports/{name}").resolve()
    against = parted(verify) if verify else None
    done = export_adapter(checked, adapter, folder, merged=merged, root=Path(config).parent, against=against)
    proof = verified(done, against, Path(config).parent) if against else None
    click.echo((folder / CARD).read_text("utf-8").rstrip() if as_json else done.as_text())
    if proof and not as_json:
        click.echo("\n".join(map(plain, proof.as_text().split("\n"))))
    raise SystemExit(proof.exit_code if proof else EXIT_OK)


cli.add_command(init)
cli.add_command(gate)
cli.add_command(baseline)
cli.add_command(monitor)


def _print_comparison(run_: Run, as_json: bool = False, as_csv: bool = False, as_markdown: bool = False) -> None:
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


class _Unbroken:
    """A stream that goes on into nothing once its reader is gone, as in `harness compare RUN | head -1`.

    Without it click ends the verb with 1, "a regression", wherever it is.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._into_nothing():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._into_nothing():
            self._stream.flush()

    @contextmanager
    def _into_nothing(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code; the user's mistakes are one line on stderr."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", _Unbroken(stream)) if stream else stream for stream in streams)
    try:
        code = _main(arguments)
        if sys.stdout:  # None where there is none at all, as in `harness compare RUN >&-`
            sys.stdout.flush()
        return code
    finally:
        sys.stdout, sys.stderr = streams


def _main(arguments: Sequence[str] | None) -> int:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        cli.main(args=arguments, prog_name="harness", standalone_mode=False)
    except HarnessError as error:
        return _fail(str(error), error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message() + " See harness --help.", EXIT_USER)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted. What was finished is kept; the same command takes it up again.", EXIT_INTERRUPTED)
    except MemoryError:
        return _fail("out of memory. Use a smaller model, batch or context.", EXIT_MACHINE)
    except OSError as error:
        return _fail(f"{error.filename or 'file system'}: {error.strerror or error}.", EXIT_MACHINE)
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else EXIT_OK
    except Exception:
        traceback.print_exc()
        return _fail(
            "this is a defect of the harness, not of your input; please report it with the lines above.", EXIT_MACHINE
        )
    return EXIT_OK


def _fail(message: str, code: int) -> int:
    from harness.plain import plain

    print(f"harness: {plain(message)}", file=sys.stderr, flush=True)
    return code


def entry() -> None:
    """The console script. SIGTERM ends it as Ctrl-C does: what was finished is kept, no engine is left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    atexit.register(gc.freeze)  # else the end looks for cycles among all that vLLM holds: 2 s
    sys.exit(main())


if __name__ == "__main__":
    entry()
