"""The command line: one verb, one function. Heavy imports happen inside the verbs, so that help comes at once."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import __version__
from harness.errors import (
    EXIT_INTERRUPTED,
    EXIT_MACHINE,
    EXIT_OK,
    EXIT_USER,
    HarnessError,
    RunError,
)

if TYPE_CHECKING:
    from harness.data import Run

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
_config = click.option(
    "--config", default="models.yaml", metavar="FILE", show_default=True, help="Models, adapters and arms."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_engine = click.option(
    "--engine",
    metavar="NAME",
    help="vllm, transformers or fake, for models on this machine. Default: vLLM on a GPU, else transformers.",
)


def _accept(_: click.Context, __: click.Parameter, given: bool) -> None:
    if given:
        from harness.sandbox import accept_unsandboxed

        accept_unsandboxed()


_unsandboxed = click.option(
    "--i-accept-unsandboxed-code",
    is_flag=True,
    expose_value=False,
    callback=_accept,
    help="Run code of a model even where this machine has no sandbox for it; the report will say so.",
)


@click.group(context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Prompt it, retrieve, fine-tune, or use a bigger model? And did the new candidate make anything worse?

    \b
    harness demo                          the whole story on the model that ships with the package
    harness init mytask --from pairs.jsonl    your own task
    harness train NAME && harness run -s mytask && harness report runs/mytask

    \b
    Exit codes: 0 holds or done, 1 regression, 2 your mistake, 3 inconclusive, 4 not comparable,
    5 the machine failed, 130 interrupted.
    """


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
@click.argument("directory", metavar="DIR")
@click.option("--from", "source", required=True, metavar="FILE", help="JSONL: prompt/completion, or chat messages.")
@click.option("--model", default="embedded", show_default=True, help="Model path or hub id to write into models.yaml.")
@click.option("--scorer", metavar="NAME", help="Built-in scorer; default: chosen from the data.")
@click.option("--seed", default=0, show_default=True, help="Seed of the split.")
def init(directory: str, source: str, model: str, scorer: str | None, seed: int) -> None:
    """Make a suite and a models.yaml from prompt/completion pairs.

    \b
    Example: harness init mytask --from pairs.jsonl
    """
    from harness.init import init_project

    click.echo(init_project(Path(directory), Path(source), model=model, scorer=scorer, seed=seed))


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
    from harness.plan import make_plan
    from harness.store import read_run
    from harness.suite import all_suites, read_suite

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
        click.echo(f"{title}\n{table(header, rows)}\n")
    for note in made.notes:
        click.echo(note)


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_config
def train(names: tuple[str, ...], config: str) -> None:
    """Train LoRA candidates named in models.yaml. Interrupted training is taken up where it stopped.

    \b
    Example: harness train sql-r16
    """
    from harness.config import pick, read_config
    from harness.train.candidate import train_candidate

    checked = read_config(config)
    for adapter in pick(names, checked.adapters, Path(config).name, "adapter"):
        result = train_candidate(checked, adapter, Path(config).parent)
        click.echo(result)


@cli.command()
@click.option(
    "-s", "--suite", "suites", multiple=True, metavar="SUITE", help="Suite name or folder; repeat. Default: all."
)
@click.option("-a", "--arm", "arms", multiple=True, metavar="ARM", help="Arm of models.yaml; repeat. Default: all.")
@click.option("--out", metavar="DIR", help="Run folder. Default: runs/SUITE+SUITE.")
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
    engine: str | None,
    config: str,
    as_json: bool,
) -> None:
    """Answer and score. An existing run folder is continued; nothing is answered twice.

    \b
    Examples: harness run -s sql -a base -a prompted -a lora
              harness run -s sql --limit 20 --out runs/try
              harness run -s sql -a prompted -a lora --until-decided
    """
    from harness.config import pick, read_config
    from harness.rivals import run_fairly
    from harness.store import read_run
    from harness.suite import all_suites, read_suite, with_samples

    checked = read_config(config)
    root = Path(config).parent
    read = with_samples([read_suite(name, root) for name in dict.fromkeys(suites or all_suites(root))], samples)
    chosen = pick(arms, checked.arms, Path(config).name, "arm")
    folder = Path(out or "runs/" + "+".join(suite.name for suite in read))
    others = [read_run(path) for path in reuse]
    if no_dev and dev_limit:
        raise click.UsageError(
            "--no-dev and --dev-limit exclude each other: the one asks no dev samples, the other some."
        )
    if until_decided:
        from harness.looks import run_until_decided

        if limit:
            raise click.UsageError("--limit and --until-decided exclude each other: looks are shares of all samples.")
        done = run_until_decided(
            checked, read, chosen, folder, engine=engine, reuse=others, root=root, seed=seed, dev=not no_dev,
            dev_limit=dev_limit, twice=not no_aa,
        )  # fmt: skip
    else:
        done = run_fairly(
            checked, read, chosen, folder, engine=engine, limit=limit, reuse=others, root=root, dev=not no_dev,
            dev_limit=dev_limit, twice=not no_aa,
        )  # fmt: skip
    _print_comparison(done, as_json, as_csv=False)
    click.echo(f"Next: harness report {folder}", err=True)


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

    done = import_logs(program, [Path(file) for file in files], Path(out), arm, metric, tuned=tuned)
    _print_comparison(done, as_json=False, as_csv=False)


@cli.command()
@click.argument("run_path", metavar="RUN")
@_config
def score(run_path: str, config: str) -> None:
    """Score stored answers again, after a scorer changed.

    \b
    Example: harness score runs/sql
    """
    from harness.config import read_config
    from harness.rivals import rescore_fairly
    from harness.store import read_run
    from harness.suite import read_suite

    cards = read_run(run_path).manifest["suites"]
    folders = {name: Path(card.get("path", name)) for name, card in cards.items()}
    there = {name: folder if (folder / "suite.yaml").is_file() else name for name, folder in folders.items()}
    suites = {name: read_suite(place, Path(config).parent) for name, place in there.items()}
    checked = read_config(config) if any(suite.graders for suite in suites.values()) else None
    _print_comparison(rescore_fairly(Path(run_path), suites, checked), as_json=False, as_csv=False)


@cli.command()
@click.argument("run_path", metavar="RUN")
@_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def compare(run_path: str, as_json: bool, as_csv: bool) -> None:
    """The arms of a run side by side, with paired differences.

    \b
    Example: harness compare runs/sql
    """
    from harness.store import read_run

    _print_comparison(read_run(run_path), as_json, as_csv)


@cli.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--out", metavar="FILE", help="Default: reports/RUN.html.")
@click.option("--title", metavar="TEXT", help="Heading of the page.")
def report(runs: tuple[str, ...], out: str | None, title: str | None) -> None:
    """One offline HTML file with the decision; report.md, verdict.json and CSV beside it.

    \b
    Example: harness report runs/sql --out reports/sql.html
    """
    from harness.report import write_report
    from harness.store import read_run
    from harness.verdict import decide

    read = [read_run(path) for path in runs]
    target = Path(out or f"reports/{Path(runs[0]).resolve().name}.html")
    paths = write_report(read, target, title=title)
    for one in read:
        for verdict in decide(one):
            click.echo(verdict.sentence)
    click.echo(f"Report: {paths.html}")


@cli.command()
@click.argument("name", metavar="ADAPTER")
@click.option("--merged", is_flag=True, help="One model instead of an adapter beside its base.")
@click.option("--out", metavar="DIR", help="Default: exports/ADAPTER.")
@_config
@_json
def export(name: str, merged: bool, out: str | None, config: str, as_json: bool) -> None:
    """A trained adapter as a folder to serve, bare or merged, with the command that serves it.

    \b
    Examples: harness export sql-r16
              harness export sql-r16 --merged --out served/sql
    """
    from harness.config import pick, read_config
    from harness.export import CARD, export_adapter

    checked = read_config(config)
    (adapter,) = pick((name,), checked.adapters, Path(config).name, "adapter")
    folder = Path(out or f"exports/{name}").resolve()
    done = export_adapter(checked, adapter, folder, merged=merged, root=Path(config).parent)
    click.echo((folder / CARD).read_text("utf-8").rstrip() if as_json else done.as_text())


@cli.command()
@click.argument("candidate", metavar="RUN:ARM")
@click.option("--baseline", metavar="RUN:ARM|FILE", help="What the candidate is held to. Default: the policy's.")
@click.option("--policy", "policy_file", metavar="FILE", help="Rules, tiers and quarantine, e.g. gate.yaml.")
@click.option("--tier", metavar="NAME", help="Tier of the policy; needed where it has several.")
@click.option(
    "-s", "--suite", "suites", multiple=True, metavar="SUITE", help="Only these suites; repeat. Default: all."
)
@click.option(
    "--margin", type=click.FloatRange(0.001, 1), metavar="X", help="Allowed loss, 0..1. Default: each suite's own."
)
@click.option("--out", metavar="FILE", help="Write gate.json there. Default: RUN/gate.json of the candidate.")
@_json
def gate(
    candidate: str,
    baseline: str | None,
    policy_file: str | None,
    tier: str | None,
    suites: tuple[str, ...],
    margin: float | None,
    out: str | None,
    as_json: bool,
) -> None:
    """Hold a candidate to a baseline; the exit code says it: 0 holds, 1 regression, 3 inconclusive, 4 not comparable.

    \b
    Examples: harness gate runs/new:lora --baseline runs/old:lora
              harness gate runs/sql:lora --baseline runs/sql:prompted -s sql
              harness gate runs/new:lora --policy gate.yaml --tier full
    """
    from datetime import date

    from harness.gate import gate as hold
    from harness.gate import gate_json
    from harness.ledger import met_by
    from harness.policy import Policy, Rule, read_policy
    from harness.store import write_json

    if policy_file and (suites or margin):
        raise click.UsageError("--policy excludes --suite and --margin: write them into the policy.")
    if tier and not policy_file:
        raise click.UsageError("--tier needs --policy.")
    if policy_file:
        policy = read_policy(policy_file, tier)
    else:
        rules = (Rule("no_worse_than", margin),) if margin else ()
        policy = Policy(suites=dict.fromkeys(suites, ()) if suites else None, rules=rules)
    against = baseline or policy.baseline
    if against is None:
        raise click.UsageError("Missing option '--baseline', and no policy names one.")
    held, base = _side(candidate), _side(against)
    result = hold(*base, *held, policy, date.today())
    seen_before = [one.sentence for one in met_by(*held, [row.suite for row in result.rows])]
    result = replace(result, notes=(*result.notes, *seen_before))
    value = gate_json(result)
    write_json(Path(out) if out else _beside(candidate), value)
    if as_json:
        click.echo(json.dumps(value, indent=2))
    else:
        click.echo(result.sentence)
        for line in result.quarantined:
            click.echo(f"In quarantine: {line}", err=True)
        for line in result.expired:
            click.echo(f"Quarantine has expired, the sample counts: {line}", err=True)
        for line in seen_before:
            click.echo(line, err=True)
    raise SystemExit(result.exit_code)


@cli.group(no_args_is_help=False)
def baseline() -> None:
    """The small reviewed file that a gate compares with: bless, show, diff.

    \b
    Example: harness baseline bless runs/sql:lora --reason "first release"
    """


@baseline.command()
@click.argument("run_arm", metavar="RUN:ARM")
@click.option("--reason", required=True, metavar="TEXT", help="Why this is the new baseline; kept in the file.")
@click.option("--out", metavar="FILE", help="Default: baselines/ARM.json. A name that ends with .gz is gzipped.")
@click.option("--partial", is_flag=True, help="Accept a run that is unfinished, limited, or lacks a suite.")
def bless(run_arm: str, reason: str, out: str | None, partial: bool) -> None:
    """Write an arm's scores as the new baseline. For people: it refuses where CI is set.

    \b
    Example: harness baseline bless runs/sql:lora --reason "retrained on the June data"
    """
    from harness.baseline import LARGE, is_file, read_content, write_baseline
    from harness.baseline import bless as make
    from harness.store import read_run

    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        raise RunError("bless: CI is set, and only a person changes a baseline. Bless it on your own machine.")
    run_, arm = _run_arm(run_arm)
    target = Path(out or f"baselines/{arm}.json")
    if not is_file(target.name):
        raise RunError(f"{target}: a baseline file's name ends with .json or .json.gz. Give another --out.")
    old = read_content(target) if target.exists() else None
    size = write_baseline(target, make(read_run(run_), arm, reason, old, partial))
    click.echo(f"Baseline: {target}")
    if size > LARGE and target.suffix != ".gz":
        click.echo(f"It has {size / 1e6:.1f} MB; with --out {target}.gz it is smaller.", err=True)


@baseline.command()
@click.argument("file", metavar="FILE")
@_json
def show(file: str, as_json: bool) -> None:
    """What a baseline file holds, and why it was blessed.

    \b
    Example: harness baseline show baselines/lora.json
    """
    from harness.baseline import describe, read_content

    content = read_content(file)
    if as_json:
        click.echo(json.dumps(content, indent=2))
        return
    header, rows, history = describe(content)
    click.echo("\n".join([f"{file}: {content['arm']}", table(header, rows), "", "Blessed:", *history]))


@baseline.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@_json
def diff(old: str, new: str, as_json: bool) -> None:
    """What changed from OLD to NEW, suite by suite; each is a baseline file or RUN:ARM.

    \b
    Example: harness baseline diff baselines/lora.json runs/new:lora
    """
    from harness.baseline import difference

    header, rows, lines = difference(*_side(old), *_side(new))
    if as_json:
        click.echo(
            json.dumps({"rows": [dict(zip(header, row, strict=True)) for row in rows], "notes": lines}, indent=2)
        )
    else:
        click.echo("\n".join([table(header, rows), *lines]))


def _side(text: str) -> tuple[Run, str]:
    """One side of a comparison: RUN:ARM, or a baseline file."""
    from harness.baseline import is_file, read_baseline
    from harness.store import read_run

    if is_file(text):
        return read_baseline(text)
    path, arm = _run_arm(text)
    return read_run(path), arm


def _beside(candidate: str) -> Path:
    """Where gate.json goes: into the candidate's run folder, or for a baseline file into the current one."""
    from harness.baseline import is_file

    return Path("gate.json") if is_file(candidate) else Path(_run_arm(candidate)[0]) / "gate.json"


def _run_arm(text: str) -> tuple[str, str]:
    path, colon, arm = text.rpartition(":")
    if not colon or not path or not arm:
        raise RunError(f"'{text}': write a run folder and an arm as RUN:ARM, e.g. runs/sql:lora.")
    return path, arm


def _print_comparison(run_: Run, as_json: bool, as_csv: bool) -> None:
    from harness.verdict import verdict_json

    value = verdict_json(run_)
    if as_json:
        click.echo(json.dumps(value, indent=2))
        return
    header, rows = _comparison_rows(value)
    if as_csv:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *rows])
        click.echo(text.getvalue(), nl=False)
    else:
        click.echo(table(header, rows))


def _comparison_rows(value: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    header = [
        "suite",
        "arm",
        "n",
        "score",
        "95% CI",
        "reference",
        "difference",
        "95% CI of it",
        "won/lost",
        "visible from",
    ]
    paired = {(c["suite"], c["candidate"]): c for c in value["comparisons"] if c["primary"]}
    rows = []
    for summary in value["summaries"]:
        if not summary["primary"]:
            continue
        row = [summary["suite"], summary["arm"], str(summary["n"]), f"{100 * summary['mean']:.1f}"]
        row.append(f"{100 * summary['interval']['low']:.1f}..{100 * summary['interval']['high']:.1f}")
        one = paired.get((summary["suite"], summary["arm"]))
        if one is None:
            row += ["is the reference", "", "", "", ""]
        else:
            low, high = 100 * one["interval"]["low"], 100 * one["interval"]["high"]
            row += [one["baseline"], f"{100 * one['difference']:+.1f}", f"{low:+.1f}..{high:+.1f}"]
            row += [f"{one['wins']}/{one['losses']}", f"{100 * one['mde']:.1f}"]
        rows.append(row)
    return header, rows


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns of plain text."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code; the user's mistakes are one line on stderr."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        cli.main(args=arguments, prog_name="harness", standalone_mode=False)
    except HarnessError as error:
        return _fail(str(error), error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message() + " See harness --help.", EXIT_USER)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted. What was finished is kept; the same command takes it up again.", EXIT_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
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
    one_line = " ".join(message.split())
    print(f"harness: {one_line}", file=sys.stderr, flush=True)
    return code


def entry() -> None:
    """The console script. SIGTERM ends it as Ctrl-C does: what was finished is kept, no engine is left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = main()
    sys.stdout.flush()
    sys.exit(code)


if __name__ == "__main__":
    entry()
