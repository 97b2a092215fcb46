"""What a generator returns: one chat, or one trunk with several question-and-answer branches that share it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """Turns are (role, text, weight); only assistant turns with weight > 0 are learned.

    `trunk` is the opening of a last user turn, and each branch is (rest of that turn, answer): every branch reads
    exactly like a chat with the one question, but the passage before it is computed once.
    """

    turns: tuple[tuple[str, str, float], ...] = ()
    trunk: str = ""
    branches: tuple[tuple[str, str], ...] = ()


def ask(question: str, answer: str, system: str = "") -> Document:
    """A single question and its answer."""
    before = (("system", system, 0.0),) if system else ()
    return Document((*before, ("user", question, 0.0), ("assistant", answer, 1.0)))


def chats(document: Document) -> list[list[dict[str, str]]]:
    """The document as ordinary message lists, one for every branch (or just one)."""
    turns = [{"role": role, "content": text} for role, text, _ in document.turns]
    if not document.branches:
        return [turns]
    return [
        [*turns, {"role": "user", "content": document.trunk + rest}, {"role": "assistant", "content": answer}]
        for rest, answer in document.branches
    ]
