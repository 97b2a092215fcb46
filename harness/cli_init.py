"""`harness init`: what the examples say, a few questions on a terminal, and the files."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.pairs import Pair
    from harness.proposal import Proposal, Wishes


@click.command()
@click.argument("directory", metavar="DIR")
@click.option(
    "--from", "source", required=True, metavar="FILE",
    help="JSONL, CSV or Parquet: prompt and completion, input and target, question and answer, or chat messages.",
)  # fmt: skip
@click.option("-y", "--yes", is_flag=True, help="Ask nothing: take what is proposed. So it is where no terminal is.")
@click.option("--model", default="embedded", show_default=True, help="Model path or hub id to write into models.yaml.")
@click.option(
    "--answers", metavar="KIND", help="What the answers are: label, json, xml, sql, code, number, short, text."
)
@click.option("--scorer", metavar="NAME", help="Built-in scorer; default: chosen from the data.")
@click.option("--teaches", metavar="KIND", help="What a gain would mean: skill, style, format or knowledge.")
@click.option("--system", metavar="TEXT", help="The instructions of the prompted arm. Default: those in the data.")
@click.option("--rubric", metavar="TEXT", help="Also let a model judge by this rubric, in a column of its own.")
@click.option("--group", metavar="COLUMN", help="Rows that share its value come from one source; or: none.")
@click.option("--test", type=click.IntRange(10), metavar="N", help="At most so many test samples.  [default: 400]")
@click.option(
    "--detect", type=click.FloatRange(0.1, 100), metavar="POINTS", help="The difference worth having.  [default: 10]"
)
@click.option("--seed", default=0, show_default=True, help="Seed of the split.")
def init(
    directory: str,
    source: str,
    yes: bool,
    model: str,
    answers: str | None,
    scorer: str | None,
    teaches: str | None,
    system: str | None,
    rubric: str | None,
    group: str | None,
    test: int | None,
    detect: float | None,
    seed: int,
) -> None:
    """Make a suite and a models.yaml from examples: what they are, scorer, split, and what the split can show.

    \b
    Examples: harness init mytask --from pairs.jsonl
              harness init mytask --from pairs.csv --yes --answers text --group customer --detect 5
    """
    from harness.init import project_name, write_project
    from harness.pairs import read_pairs
    from harness.plain import plain
    from harness.proposal import DETECT, Wishes, propose

    project_name(Path(directory))
    pairs, repeats = read_pairs(Path(source))
    wishes = Wishes(answers, scorer, teaches, system, group, rubric, test, detect / 100 if detect else DETECT, seed)
    proposal = propose(pairs, repeats, wishes)
    click.echo("\n".join(map(plain, proposal.lines)))
    if not yes and on_terminal():
        wanted = interview(pairs, proposal, wishes, detect)
        if wanted != wishes:
            told = proposal.lines
            proposal = propose(pairs, repeats, wanted)
            click.echo("\n".join(plain(line) for line in proposal.lines if line not in told))
    click.echo(write_project(Path(directory), Path(source), proposal, model=model))


def on_terminal() -> bool:
    """Is there somebody to ask?"""
    return sys.stdin.isatty() and sys.stdout.isatty()


def interview(pairs: Sequence[Pair], proposal: Proposal, wishes: Wishes, detect: float | None) -> Wishes:
    """Asks what no option has said; Enter takes the proposal. Returns the wishes, changed where an answer differs."""
    from harness.proposal import ANSWERS, DETECT, columns, propose
    from harness.scorers import BUILTIN
    from harness.suite import KINDS

    click.echo("\nEnter takes what stands in brackets.")
    if wishes.answers is None:
        said = _choice("What are the answers?", ANSWERS, proposal.answers)
        if said != proposal.answers:
            wishes = replace(wishes, answers=said)
            proposal = propose(pairs, 0, wishes)
    if wishes.scorer is None:
        said = _choice("Which scorer?", [name for name in BUILTIN if name != "lm_eval"], proposal.scorer)
        wishes = wishes if said == proposal.scorer else replace(wishes, scorer=said)
    if wishes.teaches is None:
        said = _choice("What would a gain mean?", [kind for kind in KINDS if kind != "general"], proposal.teaches)
        wishes = wishes if said == proposal.teaches else replace(wishes, teaches=said)
    if wishes.group is None and (there := columns(pairs)):
        now = proposal.group or "none"
        said = _choice("Which column says where rows come from, so that they stay together?", ["none", *there], now)
        wishes = wishes if said == now else replace(wishes, group=said)
    if wishes.system is None:
        said = click.prompt("What is the prompted arm told? It is what fine-tuning has to beat", proposal.system)
        wishes = wishes if said == proposal.system else replace(wishes, system=said)
    if wishes.rubric is None and proposal.answers == "text":
        said = click.prompt("A rubric for a judge, in a sentence (empty: none)", "", show_default=False)
        wishes = replace(wishes, rubric=said) if said.strip() else wishes
    if detect is None:
        points = click.prompt(
            "Which difference is worth having, in points?", 100 * DETECT, type=click.FloatRange(0.1, 100)
        )
        wishes = replace(wishes, detect=points / 100)
    return wishes


def _choice(question: str, known: Iterable[str], default: str) -> str:
    said: str = click.prompt(question, default, type=click.Choice(list(known)))
    return said
