"""The shape of an answer in markdown: its fences, its prose, and two scorers that look at nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.data import Completion, Sample, Score, Scorer
from harness.scorers import gold_free

FILLER = (
    "certainly",
    "of course",
    "absolutely",
    "great question",
    "happy to help",
    "let me know",
    "hope this helps",
    "happy coding",
    "feel free",
    "as an ai",
)
OPENER = re.compile(r"(?:^|[\n.!] *)sure\b")
"""\"Sure, here it is\", but not "to make sure, it compares"."""
PYTHON_TAGS = ("python", "py", "python3")


@dataclass(frozen=True)
class Fence:
    """A fenced block: its tag in lower case ("" if none), what is in it, and whether it is closed."""

    tag: str
    text: str
    closed: bool


def after_thinking(text: str) -> str:
    """The answer without the reasoning some models write first; nothing if the reasoning never ends.

    >>> after_thinking("<think>hm</think>yes"), after_thinking("<think>hm")
    ('yes', '')
    """
    for tag in ("think", "thinking"):
        if f"</{tag}>" in text:
            text = text.rpartition(f"</{tag}>")[2]
        elif text.lstrip().startswith(f"<{tag}>"):
            return ""
    return text


def fences(text: str) -> tuple[list[Fence], str]:
    """The fenced blocks in order, and the prose around them (CommonMark's rules for fences; one pass).

    A block that stands in a list is indented; its lines lose as many blanks as its first mark has in front.
    """
    blocks: list[Fence] = []
    prose: list[str] = []
    inside: list[str] = []
    mark = tag = ""
    indent, listed = 0, False
    for line in text.replace("\r\n", "\n").split("\n"):
        bare = line.strip()
        blanks = len(line) - len(line.lstrip())
        run = len(bare) - len(bare.lstrip(bare[:1])) if bare[:1] in ("`", "~") else 0
        if mark:
            if bare[:1] == mark[0] and run >= len(mark) and run == len(bare) and blanks < indent + 4:
                blocks.append(Fence(tag, "\n".join(inside), True))
                mark, inside = "", []
            else:
                inside.append(line[min(indent, blanks) :])
        elif run >= 3 and (blanks < 4 or listed) and not (bare[0] == "`" and "`" in bare[run:]):
            mark, tag, indent = bare[:run], bare[run:].strip().lower(), blanks
        else:
            prose.append(line)
            listed = listed or bool(re.match(r" {0,3}([-*+]|\d{1,9}[.)]) ", line))
    if mark:
        blocks.append(Fence(tag, "\n".join(inside), False))
    return blocks, "\n".join(prose).strip()


@gold_free()
def markdown(*, suite_path: str, tag: str = "python") -> Scorer:
    """1 if the answer is one closed fence tagged `tag` with something in it, and prose outside, else 0.

    Code outside the fence, a stray fence mark and an odd number of backticks in the prose also give 0.
    What is not covered: whether the prose is true, or the code in the fence right.
    """
    tags = PYTHON_TAGS if tag == "python" else (tag.lower(),)

    def score(sample: Sample, completion: Completion) -> Score:
        blocks, prose = fences(after_thinking(completion.text))
        fault = _fault(blocks, prose, tags)
        return Score(0.0 if fault else 1.0, prose[:500], fault or f"one {tag} fence, prose outside")

    return score


def _fault(blocks: list[Fence], prose: str, tags: tuple[str, ...]) -> str:
    """The first thing wrong with the layout, "" if nothing is."""
    if len(blocks) != 1:
        return f"{len(blocks)} code fences instead of one"
    if not blocks[0].closed:
        return "the code fence is never closed"
    if blocks[0].tag.split(" ")[0] not in tags:
        return f"the fence is tagged {blocks[0].tag[:20]!r}, not {tags[0]!r}"
    if not blocks[0].text.strip():
        return "the code fence is empty"
    if not re.search(r"\w", prose):
        return "no prose outside the fence"
    if "```" in prose or prose.count("`") % 2:
        return "a stray backtick in the prose"
    if re.search(r"^\s*(def \w+\(|return |import )", prose, re.MULTILINE):
        return "code outside the fence"
    return ""


@gold_free()
def brevity(
    *, suite_path: str, shortest: int = 10, longest: int = 80, says: Mapping[str, Sequence[str]] | None = None
) -> Scorer:
    """How brief the explanation is: words outside fences; 1 within shortest..longest, 0.5 to twice that, else 0.

    0 for filler ("Certainly", "let me know", ...), and where no closed fence holds something to explain. says: for a
    `metadata.kind`, pieces of words of which the prose must hold one, or the score is half.
    What is not covered: whether the explanation is true.
    """
    wanted = {kind: tuple(piece.lower() for piece in pieces) for kind, pieces in (says or {}).items()}

    def score(sample: Sample, completion: Completion) -> Score:
        blocks, prose = fences(after_thinking(completion.text))
        if not any(block.closed and block.text.strip() for block in blocks):
            return Score(0.0, prose[:500], "no fenced code to explain")
        words = len(re.findall(r"\w+", prose))
        lower = prose.lower()
        filler = next((phrase for phrase in FILLER if phrase in lower), "sure" if OPENER.search(lower) else "")
        if filler:
            return Score(0.0, prose[:500], f"filler: {filler!r}")
        value = 1.0 if shortest <= words <= longest else 0.5 if longest < words <= 2 * longest else 0.0
        said = f"{words} words outside the code; {shortest} to {longest} score 1"
        pieces = wanted.get(str(sample.metadata.get("kind")), ())
        if pieces and not any(piece in lower for piece in pieces):
            return Score(value / 2, prose[:500], f"{said}; half, for it does not say how: no {', '.join(pieces)}")
        return Score(value, prose[:500], said)

    return score
