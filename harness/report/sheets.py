"""samples.csv and summary.csv. A spreadsheet opens them without running what a model wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.data import ArmSummary, Comparison
from harness.report.cases import Case
from harness.report.text import PREVIEW, harmless, preview

_STARTS_A_FORMULA = ("=", "+", "-", "@", *"＝＋－＠", *"\ufe66\ufe62\ufe63\ufe6b")
"""Also in their full-width and small forms, which a spreadsheet may take for the plain ones."""

_LINES = ("\t", "\r", "\n")


def cell(value: object) -> str:
    """One cell: numbers as they are; text with invisible characters drawn, and a leading apostrophe where a
    spreadsheet would take it for a formula.

    >>> cell("=1+1"), cell(-1.5), cell(None)
    ("'=1+1", '-1.5', '')
    """
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return f"{value:.6g}" if isinstance(value, float) else str(value)
    return _guarded(preview(str(value)))


def _guarded(text: str) -> str:
    return f"'{text}" if text[:1] in _LINES or text.lstrip().startswith(_STARTS_A_FORMULA) else text


def samples_csv(cases: Iterable[Case], arms: Sequence[str], text: bool = True) -> str:
    """One line per sample: suite, sample, content hash, question, target; then score and answer of every arm.

    Without text: no question, target and answers.
    """
    head = ["suite", "sample", "digest", *(["question", "target"] if text else [])]
    head += [f"{arm}: {what}" for arm in arms for what in (("score", "answer") if text else ("score",))]
    return _lines([head, *(_sample(case, arms, text) for case in cases)])


def _sample(case: Case, arms: Sequence[str], text: bool) -> list[object]:
    digest = next(iter(case.answers.values())).row.sample_digest
    line: list[object] = [case.suite, case.sample, digest, *([case.question, case.target] if text else [])]
    for arm in arms:
        answer = case.answers.get(arm)
        line.append(answer.value if answer else None)
        line += [answer.row.completion.text if answer else None] if text else []
    return line


def summary_csv(summaries: Iterable[ArmSummary], comparisons: Iterable[Comparison]) -> str:
    """One line per suite and arm: score and interval, paired difference against the reference, tokens, seconds."""
    found = {(c.suite, c.candidate): c for c in comparisons}
    head = (
        "suite,arm,fine_tuned,scorer,n,score,score_low,score_high,reference,difference,difference_low,difference_high,"
        "p,wins,losses,ties,smallest_visible,prompt_tokens,completion_tokens,seconds,seconds_p95,engine_seconds,cut_off"
    )
    lines: list[list[object]] = [list(head.split(","))]
    for s in summaries:
        c = found.get((s.suite, s.arm))
        pair: list[object] = [None] * 9
        if c is not None:
            pair = [c.baseline, c.difference, c.interval.low, c.interval.high, c.p, c.wins, c.losses, c.ties, c.mde]
        score = [s.suite, s.arm, int(s.fine_tuned), s.scorer, s.n, s.mean, s.interval.low, s.interval.high]
        spent = [s.prompt_tokens, s.completion_tokens, s.seconds, s.seconds_p95, s.engine_seconds, s.cut_off]
        lines.append([*score, *pair, *spent])
    return _lines(lines)


def _lines(lines: Iterable[Sequence[object]]) -> str:
    return "".join(",".join(map(_quoted, _cells(line))) + "\n" for line in lines)


def _cells(line: Sequence[object]) -> list[str]:
    """`cell` of each value, with one look at all texts."""
    texts = [value for value in line if isinstance(value, str)]
    if any(len(text) > PREVIEW for text in texts) or not harmless("".join(texts)):
        return [cell(value) for value in line]
    return [_guarded(value) if isinstance(value, str) else cell(value) for value in line]


def _quoted(text: str) -> str:
    """As csv.writer quotes, in a quarter of its time."""
    if '"' in text:
        return '"' + text.replace('"', '""') + '"'
    return f'"{text}"' if "," in text or "\n" in text or "\r" in text else text
