"""The first sentence of the report: per suite the arm on which the ladder ends. No numbers are made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.data import Verdict
from harness.report.text import one_line
from harness.verdict import OVERALL
from harness.words import listing


def headline(verdicts: Sequence[Verdict], ends: Mapping[str, str], unsolved: Sequence[str] = ()) -> str:
    """ "Use lora for sql, keep rag for handbook. lora is not for general use: ...".

    ends: suite -> the arm to use (rungs.ends); suites that are not in it hold no candidate to use, only a loss of
    general ability to bear. It is "use" where a candidate is adopted, else "keep", and candidates that are not decided
    are named. unsolved: suites on which no arm scores anything (rungs.unsolved); that is said instead of an arm.
    """
    use: dict[str, list[str]] = {}
    keep: dict[str, list[str]] = {}
    open_: dict[str, list[str]] = {}
    for suite, end in ends.items():
        if suite in unsolved:
            continue
        mine = [verdict for verdict in verdicts if verdict.suite == suite and verdict.reference]
        adopted = any(verdict.decision == "adopt" for verdict in mine)
        if mine:
            (use if adopted else keep).setdefault(one_line(end), []).append(one_line(suite))
        for verdict in mine:
            if not adopted and verdict.decision in ("not decided", "not comparable") and verdict.candidate != end:
                open_.setdefault(one_line(verdict.candidate), []).append(one_line(suite))
    parts = [f"use {arm} for {listing(suites)}" for arm, suites in use.items()]
    parts += [f"keep {arm} for {listing(suites)}" for arm, suites in keep.items()]
    sentences = [_sentence(", ".join(parts))] if parts else []
    named = [one_line(suite) for suite in unsolved]
    sentences += [f"No arm is of use for {listing(named)}: every one scores 0 %."] if named else []
    sentences += [_sentence(f"{arm} is not decided for {listing(suites)}") for arm, suites in open_.items()]
    empty = [one_line(v.suite) for v in verdicts if v.decision == "not comparable" and not v.reference]
    sentences += [f"Nothing was answered on {listing(empty)}."] if empty else []
    forgot = [
        one_line(verdict.candidate)
        for verdict in verdicts
        if verdict.suite not in (*ends, OVERALL)
        and verdict.decision == "do not adopt"
        and one_line(verdict.candidate) in use
    ]
    if forgot:
        sentences.append(
            _sentence(
                f"{listing(forgot)} {'is' if len(forgot) == 1 else 'are'} not for general use: general ability was lost"
            )
        )
    return " ".join(sentences) or "There is nothing to decide yet."


def _sentence(text: str) -> str:
    """With a capital only where the first word is ours: an arm's name stays as it is written."""
    ours = text.startswith(("use ", "keep "))
    return (text[:1].upper() + text[1:] if ours else text) + "."
