"""The comparison of a run's arms as a table: for a terminal, as Markdown, as CSV. Names and ids are untrusted text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.compare import summarize, tabulate
from harness.corpus_scores import corpus_scores
from harness.data import ArmSummary, Comparison, Run
from harness.failures import split
from harness.plain import plain
from harness.report.headline import headline
from harness.report.sheets import summary_csv
from harness.report.text import markdown
from harness.rungs import Ladder, ladders, unsolved
from harness.verdict import comparisons, decide, picks
from harness.words import points, size

HEADER = (
    "suite", "arm", "n", "score", "95% CI", "reference", "difference", "95% CI of it", "won/lost", "visible from",
    "tokens", "p95 s", "new failures", "word",
)  # fmt: skip
_DIFFERENCE = HEADER.index("difference")
Style = Callable[[str, str], str]
"""(text, "head" | "gain" | "loss") -> the text as the terminal shows it."""


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], style: Style | None = None) -> str:
    """Aligned columns of plain text."""
    lines = [[plain(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    rule = "-" * len("  ".join(padded[0]).rstrip())
    if style:
        padded = [[style(cell, "head") for cell in padded[0]], *([_tinted(line, style) for line in padded[1:]])]
    texts = ["  ".join(line).rstrip() for line in padded]
    return "\n".join([texts[0], rule, *texts[1:]])


def comparison(run: Run, style: Style | None = None) -> str:
    """Every arm beside its reference with its word, the decision in a sentence, and how firm it is, for a terminal."""
    said = [*_beside(run), "", decision(run)]
    return "\n".join([aligned(HEADER, _rows(run), style), "", *map(plain, said)]).replace("\n\n\n", "\n\n")


def comparison_markdown(run: Run) -> str:
    """The same as a Markdown table, without markup of anybody else's."""
    lines = [HEADER, ("---",) * len(HEADER), *_rows(run)]
    texts = [[cell if set(cell) == {"-"} else markdown(cell) for cell in line] for line in lines]
    table = "\n".join(f"| {' | '.join(line)} |" for line in texts)
    firm = "".join(f"- {markdown(sentence)}\n" for sentence in _beside(run))
    return f"{table}\n\n{firm}\nDecision: {markdown(decision(run))}".replace("\n\n\n", "\n\n")


def comparison_csv(run: Run) -> str:
    """The same as numbers: the columns of a report's summary.csv. A spreadsheet runs nothing of it."""
    return summary_csv(summarize(run), _primary(run).values())


def decision(run: Run) -> str:
    """Which arm to use on which suite, in a sentence or two."""
    return headline(decide(run), picks(run), unsolved(tabulate(run)))


def _primary(run: Run) -> dict[tuple[str, str], Comparison]:
    """By suite and arm; of the comparisons of an arm the first is by the primary scorer."""
    return {(c.suite, c.candidate): c for c in reversed(comparisons(run))}


def _beside(run: Run) -> list[str]:
    """How firm each decision is, and scores of all answers together."""
    whole = [f"{one.suite}: {one.sentence}." for one in corpus_scores(tabulate(run))]
    return [*(one.sentence for one in _ladders(run)), *whole]


def _ladders(run: Run) -> list[Ladder]:
    return ladders(tabulate(run), decide(run))


def _rows(run: Run) -> list[list[str]]:
    paired, table = _primary(run), tabulate(run)
    said = {(one.suite, one.candidate): one.decision for one in decide(run)}
    said |= {(one.suite, rung.arm): rung.decision for one in _ladders(run) for rung in one.rungs}
    rows = []
    for one in summarize(run):
        c = paired.get((one.suite, one.arm))
        apart = split(table, c.baseline, table, c.candidate, c.suite) if c else []
        failed = f"{apart[0].losses} of {apart[0].n}" + ", shown" * (apart[0].interval.high < 0) if apart else ""
        rows.append([*_row(one, c), failed, said.get((one.suite, one.arm), "")])
    return rows


def _row(s: ArmSummary, c: Comparison | None) -> list[str]:
    row = [s.suite, s.arm, str(s.n), size(s.mean), f"{size(s.interval.low)}..{size(s.interval.high)}"]
    if c is None:
        row += ["is the reference", "", "", "", ""]
    else:
        row += [c.baseline, points(c.difference), f"{points(c.interval.low)}..{points(c.interval.high)}"]
        row += [f"{c.wins}/{c.losses}", size(c.mde)]
    return [*row, f"{s.prompt_tokens + s.completion_tokens:.0f}", f"{s.seconds_p95:.2f}"]


def _tinted(line: Sequence[str], style: Style) -> list[str]:
    """Differences whose interval leaves out zero, in colour."""
    if len(line) != len(HEADER):
        return list(line)
    low, dots, high = line[_DIFFERENCE + 1].strip().partition("..")
    shown = "gain" if dots and low.startswith("+") and float(low) > 0 else "loss" if dots and float(high) < 0 else ""
    return [style(cell, shown) if shown and i == _DIFFERENCE else cell for i, cell in enumerate(line)]
