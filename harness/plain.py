"""Untrusted text where lines are commands: terminals and the logs of CI runners."""

from __future__ import annotations

from harness.report.text import visible


def plain(text: str) -> str:
    """Text for a terminal or a CI log, in one line: control codes drawn, and nothing that a CI runner obeys.

    GitHub's runner obeys lines that start with two colons, and ##[ anywhere in a line.

    >>> plain("::add-mask::x"), plain("a\\x1b[2Jb\\nc ##[error]d")
    (': :add-mask::x', 'a⟨ESC⟩[2Jb c ## [error]d')
    """
    line = " ".join(visible(text).split()).replace("##[", "## [")
    return f": {line[1:]}" if line.startswith("::") else line
