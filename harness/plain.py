"""Untrusted text where lines are commands: terminals and the logs of CI runners."""

from __future__ import annotations

import re

from harness.report.text import visible

_COMMAND = re.compile(r"##(?=\w*\[)")


def plain(text: str) -> str:
    """Text for a terminal or a CI log, in one line: control codes drawn, and nothing that a CI runner obeys.

    GitHub's runner obeys lines that start with two colons, and ##[ anywhere in a line; Azure's ##vso[, TeamCity
    ##teamcity[.

    >>> plain("::add-mask::x"), plain("a\\x1b[2Jb\\nc ##[error]d")
    (': :add-mask::x', 'a⟨ESC⟩[2Jb c ## [error]d')
    """
    line = _COMMAND.sub("## ", " ".join(visible(text).split()))
    return f": {line[1:]}" if line.startswith("::") else line
