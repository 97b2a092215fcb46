"""The verbs that hold one side to another: gate, and baseline bless, show, diff."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli_options import json as _json
from harness.errors import RunError

if TYPE_CHECKING:
    from harness.data import Run
    from harness.gate import GateResult
    from harness.looks import Held


@click.command()
@click.argument("candidate", metavar="RUN:ARM")
@click.option("--baseline", metavar="RUN:ARM|FILE", help="What the candidate is held to. Default: the policy's.")
@click.option("--policy", "policy_file", metavar="FILE", help="Rules, tiers and quarantine, e.g. gate.yaml.")
@click.option("--tier", metavar="NAME", help="Tier of the policy; needed where it has several.")
@click.option(
    "-s", "--suite", "suites", multiple=True, metavar="SUITE", help="Only this suite; repeatable. Default: all."
)
@click.option(
    "--margin", type=click.FloatRange(0.001, 1), metavar="X", help="Allowed loss, 0..1. Default: each suite's own."
)
@click.option("--out", metavar="FILE", help="Write gate.json there. Default: RUN/gate.json, of the last arm gated.")
@click.option("--junit", metavar="FILE", help="Also write JUnit XML.")
@click.option("--summary", metavar="FILE", help="Also write Markdown; $GITHUB_STEP_SUMMARY is appended to.")
@click.option("--comment", metavar="FILE", help="Also write Markdown for a comment that is updated in place.")
@click.option("--gitlab", metavar="FILE", help="Also write a GitLab code quality report.")
@click.option("--answers", is_flag=True, help="Show in these files what the candidate answered on lost samples.")
@_json
def gate(
    candidate: str,
    baseline: str | None,
    policy_file: str | None,
    tier: str | None,
    suites: tuple[str, ...],
    margin: float | None,
    out: str | None,
    junit: str | None,
    summary: str | None,
    comment: str | None,
    gitlab: str | None,
    answers: bool,
    as_json: bool,
) -> None:
    """Hold a candidate to a baseline; the exit code says it: 0 holds, 1 regression, 3 inconclusive, 4 not comparable.

    \b
    Examples: harness gate runs/new:lora --baseline runs/old:lora
              harness gate runs/new:lora --baseline baselines/lora.json
              harness gate runs/sql:lora --baseline runs/sql:prompted -s sql
              harness gate runs/new:lora --policy gate.yaml --tier full
              harness gate runs/new:lora --policy gate.yaml --junit gate.xml --summary gate.md
    """
    from datetime import date

    from harness.gate import gate as hold
    from harness.gate import gate_json
    from harness.ledger import met_by
    from harness.plain import plain
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
    _write_for_ci(result, held[0], {"junit": junit, "summary": summary, "comment": comment, "gitlab": gitlab}, answers)
    if as_json:
        click.echo(json.dumps(value, indent=2))
    else:
        click.echo(plain(result.sentence))
        if len(result.rows) + len(result.checks) > 1:
            click.echo(_table(result))
        for line in result.quarantined:
            click.echo(plain(f"In quarantine: {line}"), err=True)
        for line in result.expired:
            click.echo(plain(f"Quarantine has expired, the sample counts: {line}"), err=True)
        for line in seen_before:
            click.echo(plain(line), err=True)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            from harness.ci import log_commands

            for line in log_commands(result, _places(held[0])):
                click.echo(line)
    raise SystemExit(result.exit_code)


def _table(result: GateResult) -> str:
    """What the answer rests on, a line per suite and rule, for a terminal."""
    from harness.ci import STATES, findings
    from harness.tables import aligned

    rows = [(STATES[one.state], one.suite, one.name, one.said) for one in findings(result)[1:]]
    return f"\n{aligned(('', 'suite', 'rule', 'found'), rows)}\n"


def _write_for_ci(result: GateResult, run: Run, files: Mapping[str, str | None], with_answers: bool) -> None:
    """The files that CI shows, each where its option names one."""
    if not any(files.values()):
        return
    from harness import ci
    from harness.progress import say
    from harness.store import write_bytes, write_json, write_text

    answers: dict[tuple[str, str], str] = {}
    if with_answers:
        arm = result.candidate.rpartition(":")[2]
        answers = {(row.suite, row.sample_digest): row.completion.text for row in run.rows if row.arm == arm}
    if name := files["junit"]:
        write_bytes(Path(name), ci.junit_xml(result, answers))
    if name := files["summary"]:
        before = ""
        if name == os.environ.get("GITHUB_STEP_SUMMARY") and Path(name).is_file():
            before = Path(name).read_text("utf-8", "replace")
        room = ci.SUMMARY - len(before.encode())
        if room < ci.LEAST:
            say(f"{name}: no room is left, GitHub shows 1 MiB of a step. Gate in a step of its own.")
        else:
            write_text(Path(name), before + ci.summary(result, answers, room, ci.run_link(os.environ)))
    if name := files["comment"]:
        write_text(Path(name), ci.comment(result, answers, ci.run_link(os.environ)))
    if name := files["gitlab"]:
        write_json(Path(name), ci.code_quality(result, _places(run)))


def _places(run: Run) -> dict[str, str]:
    """suite.yaml of every suite, as seen from the current folder."""
    folders = {name: Path(card.get("path") or f"suites/{name}") for name, card in run.manifest["suites"].items()}
    here = Path.cwd()
    inside = {name: f.relative_to(here) if f.is_relative_to(here) else f for name, f in folders.items()}
    return {name: (folder / "suite.yaml").as_posix() for name, folder in inside.items()}


@click.group(no_args_is_help=False)
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
    """Write an arm's scores as the new baseline. For people: it refuses inside a CI service.

    \b
    Example: harness baseline bless runs/sql:lora --reason "retrained on the June data"
    """
    from harness.baseline import CI, LARGE, is_file, read_content, write_baseline
    from harness.baseline import bless as make
    from harness.store import read_run

    if robot := next((name for name in CI if os.environ.get(name, "").lower() not in ("", "0", "false")), None):
        raise RunError(f"bless: {robot} is set, and only a person changes a baseline. Bless it on your own machine.")
    run_, arm = parted(run_arm)
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
    from harness.plain import plain
    from harness.tables import aligned

    content = read_content(file)
    if as_json:
        click.echo(json.dumps(content, indent=2))
        return
    header, rows, history = describe(content)
    lines = map(plain, (f"{file}: {content['arm']}", *history))
    click.echo("\n".join([next(lines), aligned(header, rows), "", "Blessed:", *lines]))


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
    from harness.plain import plain
    from harness.tables import aligned

    header, rows, lines = difference(*_side(old), *_side(new))
    if as_json:
        click.echo(
            json.dumps({"rows": [dict(zip(header, row, strict=True)) for row in rows], "notes": lines}, indent=2)
        )
    else:
        click.echo("\n".join([aligned(header, rows), *map(plain, lines)]))


def gate_that_ends(place: str, policy_file: str | None, tier: str | None, baseline_: str | None) -> Held | None:
    """The gate whose answer ends `run --until-decided` into `place`; None where no option names one."""
    given = {"--policy": policy_file, "--tier": tier, "--baseline": baseline_}
    if not any(given.values()):
        return None
    from datetime import date

    from harness.baseline import is_file
    from harness.looks import Held
    from harness.policy import Policy, read_policy
    from harness.remote import same

    if tier and not policy_file:
        raise click.UsageError("--tier needs --policy.")
    policy = read_policy(policy_file, tier) if policy_file else Policy()
    against = baseline_ or policy.baseline
    if against is None:
        raise click.UsageError("Missing option '--baseline', and no policy names one.")
    said = "".join(f" {name} {value}" for name, value in given.items() if value)
    if not is_file(against) and same(parted(against)[0], place):
        return Held(None, parted(against)[1], policy, said, date.today())
    return Held(*_side(against), policy, said, date.today())


def _side(text: str) -> tuple[Run, str]:
    """One side of a comparison: RUN:ARM, or a baseline file."""
    from harness.baseline import is_file, read_baseline
    from harness.store import read_run

    if is_file(text):
        return read_baseline(text)
    path, arm = parted(text)
    return read_run(path), arm


def _beside(candidate: str) -> Path:
    """Where gate.json goes: into the candidate's run folder; for a baseline file or an address, the current one."""
    from harness.baseline import is_file
    from harness.remote import folder, is_remote

    if is_file(candidate) or is_remote(candidate):
        return Path("gate.json")
    return folder(parted(candidate)[0]) / "gate.json"


def parted(text: str) -> tuple[str, str]:
    """RUN:ARM as its two parts. Raises RunError."""
    path, colon, arm = text.rpartition(":")
    if not colon or not path or not arm or arm.startswith("//"):
        raise RunError(f"'{text}': write a run folder and an arm as RUN:ARM, e.g. runs/sql:lora.")
    return path, arm
