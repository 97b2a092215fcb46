"""The first sentence of the report: per suite the arm to use, as the verdicts say it. No numbers are made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.data import Verdict
from harness.report.text import one_line
from harness.words import listing

OVERALL = "overall"


def headline(verdicts: Sequence[Verdict], kinds: Mapping[str, str]) -> str:
    """ "Use lora for sql, keep rag for handbook. lora is not for general use: ...", from verdicts alone.

    kinds: suite -> kind; suites of kind "general" hold no candidate to use, only a loss to bear. An arm is used where
    its verdict is "adopt" (the last one of the ladder); elsewhere the reference is kept, and an arm that is not
    decided is named.
    """
    targets = [verdict for verdict in verdicts if verdict.suite != OVERALL and kinds.get(verdict.suite) != "general"]
    use: dict[str, list[str]] = {}
    keep: dict[str, list[str]] = {}
    open_: dict[str, list[str]] = {}
    for suite in dict.fromkeys(verdict.suite for verdict in targets):
        mine = [verdict for verdict in targets if verdict.suite == suite]
        adopted = [verdict.candidate for verdict in mine if verdict.decision == "adopt"]
        if adopted:
            use.setdefault(one_line(adopted[-1]), []).append(one_line(suite))
            continue
        for verdict in mine:
            if verdict.reference and verdict.decision in ("not decided", "not comparable"):
                open_.setdefault(one_line(verdict.candidate), []).append(one_line(suite))
        if mine[0].reference:
            keep.setdefault(one_line(mine[0].reference), []).append(one_line(suite))
    parts = [f"use {arm} for {listing(suites)}" for arm, suites in use.items()]
    parts += [f"keep {arm} for {listing(suites)}" for arm, suites in keep.items()]
    sentences = [_sentence(", ".join(parts))] if parts else []
    sentences += [_sentence(f"{arm} is not decided for {listing(suites)}") for arm, suites in open_.items()]
    forgot = [
        one_line(verdict.candidate)
        for verdict in verdicts
        if kinds.get(verdict.suite) == "general"
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
