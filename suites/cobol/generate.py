"""Write test, dev, train and shots of this suite; the same bytes every time.

    python suites/cobol/generate.py [FOLDER]

The programs are hand-written, in programs/SPLIT.txt: COBOL and the Python that does the same, side by side, with places
where they vary (names, PICTUREs, constants, rounding, paragraphs that are there or not). No base serves two splits.
After a change of programs, run record.py: it asks GnuCOBOL what the programs print.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

HERE = Path(__file__).parent
SEED = 20260704
SIZES = {"test": 208, "dev": 56, "train": 308, "shots": 6}
ENVIRONMENT = jinja2.Environment(
    variable_start_string="<<", variable_end_string=">>", block_start_string="<%", block_end_string="%>",
    line_statement_prefix="%", comment_start_string="<#", comment_end_string="#>",
    trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined, autoescape=False,
)  # fmt: skip
PREFIXES = ("WS-", "W-", "WK-", "WRK-", "LS-")
INITIALS = ("R. Holm", "T. Okafor", "M. Sund", "D. Varga", "L. Pereira", "J. Nakata", "B. Quist", "A. Moreau")
LEADS = {
    "train": (
        "Translate this program.", "Here is a batch program of ours.", "Please port this to Python.",
        "This runs every night and must move to Python.", "Rewrite it in Python.", "Our last COBOL job of this kind:",
        "Port the program below.", "A program to be retired; the replacement is Python.", "Convert, please.",
        "We need the Python version of this.", "From the {area} department:",
    ),
    "test": (
        "Turn this into Python.", "This one is next on the migration list.", "What would this be in Python?",
        "The source follows. Output must not change.", "Migrate this job.", "Found in the {area} library:",
        "Python wanted, same results to the last character.", "Legacy source, to be replaced by Python:",
        "Nobody here reads COBOL any more. Translate it.", "The {area} people still depend on this.",
    ),
    "dev": (
        "Make a Python program of it.", "Can you express this in Python?", "An old {area} job, to be translated:",
        "Give me Python that behaves like this.",
    ),
    "shots": ("Translate to Python.", "Python, please.", "Please translate."),
}  # fmt: skip


@dataclass(frozen=True)
class Base:
    """One hand-written program. varies: name -> values. lets: name -> expression. files: (COBOL name, where) pairs."""

    key: str
    split: str
    level: int
    area: str
    title: str
    varies: dict[str, list[Any]]
    lets: dict[str, str]
    files: tuple[tuple[str, str], ...]
    spec: tuple[str, ...]
    cobol: str
    python: str
    note: str


@dataclass(frozen=True)
class Program:
    """One program as asked for, and the Python that does the same."""

    key: str
    base: Base
    cobol: str
    python: str
    note: str
    spec: tuple[str, ...]
    written: tuple[str, ...]
    area: str
    decimals: bool


def bases(split: str) -> list[Base]:
    """The hand-written programs of a split."""
    parts = re.split(r"^#### ", (HERE / "programs" / f"{split}.txt").read_text("utf-8"), flags=re.MULTILINE)[1:]
    return [_base(split, part) for part in parts]


def _base(split: str, part: str) -> Base:
    head, cobol, python, note = re.split(r"^---- (?:cobol|python|note)\n", part, flags=re.MULTILINE)
    first, *lines = head.strip().split("\n")
    key, level, area = first.split()
    found: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), []).append(value.strip())
    varies = {}
    for line in found.get("vary", []):
        name, *values = line.split()
        varies[name] = [int(value) if re.fullmatch(r"\d+", value) else value.replace("_", " ") for value in values]
    lets = dict(line.split(" ", 1) for line in found.get("let", []))
    files = tuple(
        (name, where) for name, _, where in (text.partition("=") for text in found.get("files", [""])[0].split())
    )
    return Base(
        key, split, int(level), area, found["title"][0], varies, lets, files, tuple(found["spec"]),
        cobol.strip("\n"), python.strip("\n"), " ".join(note.split()),
    )  # fmt: skip


def choices(base: Base, draw: random.Random) -> Iterator[dict[str, Any]]:
    """Ways to fill the base's variations, in an order in which neighbours differ a lot; none twice."""
    seen = set()
    decks: dict[str, list[Any]] = {name: [] for name in base.varies}
    for _ in range(500):
        picked = {}
        for name, values in base.varies.items():
            if not decks[name]:
                decks[name] = draw.sample(values, len(values))
            picked[name] = decks[name].pop()
        if tuple(picked.values()) not in seen:
            seen.add(tuple(picked.values()))
            yield picked
    for values in itertools.product(*base.varies.values()):
        if values not in seen:
            seen.add(values)
            yield dict(zip(base.varies, values, strict=True))


def loop(style: int, file: str, paragraph: str) -> str:
    """Reads a file to its end, a paragraph per record, in one of the three usual ways."""
    end = 'MOVE "Y" TO WS-EOF' if style < 2 else "SET END-OF-INPUT TO TRUE"
    until = 'WS-EOF = "Y"' if style < 2 else "END-OF-INPUT"
    if style == 1:
        read = f"READ {file} AT END {end} END-READ"
        return f"    {read}\n    PERFORM UNTIL {until}\n        PERFORM {paragraph}\n        {read}\n    END-PERFORM"
    return (
        f"    PERFORM UNTIL {until}\n        READ {file}\n            AT END {end}\n"
        f"            NOT AT END PERFORM {paragraph}\n        END-READ\n    END-PERFORM"
    )


def program(base: Base, number: int, picked: dict[str, Any], draw: random.Random) -> Program:
    """The base filled with one set of choices, in one writer's manner."""
    values: dict[str, Any] = dict(picked)
    for name, expression in base.lets.items():
        values[name] = eval(expression, {}, dict(values))
    if "rounded" in values:
        exactly = values["rounded"] == "no"
        values |= {"R": "" if exactly else " ROUNDED", "Q": "ROUND_DOWN" if exactly else "ROUND_HALF_UP"}
    style = draw.randrange(3)
    values["loop"] = lambda file, paragraph: loop(style, file, paragraph)
    values["eof"] = '01  WS-EOF              PIC X VALUE "N".' + (
        '\n    88  END-OF-INPUT    VALUE "Y".' if style == 2 else ""
    )
    letters = re.sub(r"[^A-Z]", "", base.key.upper())[: draw.choice((5, 6, 7))]
    head = ["IDENTIFICATION DIVISION.", f"PROGRAM-ID. {letters}{number:02d}."]
    if draw.random() < 0.35:
        head.append(f"AUTHOR. {draw.choice(INITIALS)}.")
    if draw.random() < 0.5:
        head.append(f"*> {fill(base.title, values)[:1].upper()}{fill(base.title, values)[1:]}.")
    files = [(fill(name, values), fill(where, values)) for name, where in base.files]
    if files:
        head += ["ENVIRONMENT DIVISION.", "INPUT-OUTPUT SECTION.", "FILE-CONTROL."]
    for name, where in files:
        place = "KEYBOARD" if where == "stdin" else f'"{where.rstrip(">")}"'
        head += [f"    SELECT {name} ASSIGN TO {place}", "        ORGANIZATION IS LINE SEQUENTIAL."]
    text = "\n".join([*head, "DATA DIVISION.", fill(base.cobol, values)])
    own = base.key.upper()
    text = text.replace("WS-EOF", f"WS-{own}-EOF").replace("END-OF-INPUT", f"{own}-ENDED")
    prefix = draw.choice(PREFIXES)
    text = re.sub(r"\bWS-", prefix, text)
    if draw.random() < 0.3:
        text = "".join(part if part[:1] == '"' else part.lower() for part in re.split(r'("[^"\n]*"|\*>.*)', text))
    python = re.sub(r'Decimal\("(-?\d+)"\)', r"Decimal(\1)", fill(base.python, values).strip("\n"))
    return Program(
        key=f"{base.key}-{number:02d}", base=base, cobol=laid_out(text), python=python, note=fill(base.note, values),
        spec=tuple(fill(line, values) for line in base.spec),
        written=tuple(where.rstrip(">") for _, where in files if where.endswith(">")),
        area=base.area, decimals="Decimal(" in python,
    )  # fmt: skip


def fill(text: str, values: dict[str, Any]) -> str:
    """A template with its places filled."""
    return _template(text).render(values)


@cache
def _template(text: str) -> jinja2.Template:
    return ENVIRONMENT.from_string(text)


def laid_out(text: str) -> str:
    """No blanks at line ends, no two empty lines in a row."""
    return re.sub(r"\n{2,}", "\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip("\n")


def programs(split: str) -> list[Program]:
    """Every program of a split; the bases in equal shares."""
    found: list[Program] = []
    every = bases(split)
    for index, base in enumerate(every):
        share = (SIZES[split] - len(found)) // (len(every) - index)
        draw = random.Random(f"{SEED} {base.key}")
        seen: set[str] = set()
        for picked in choices(base, draw):
            if len(seen) == share:
                break
            made = program(base, len(seen) + 1, picked, draw)
            if made.python not in seen:
                seen.add(made.python)
                found.append(made)
    random.Random(f"{SEED} order {split}").shuffle(found)
    return found


def row(number: int, split: str, made: Program, draw: random.Random) -> dict[str, Any]:
    """One sample."""
    lead = draw.choice(LEADS[split]).format(area=made.area)
    return {
        "id": f"cobol-{split}-{number:04d}",
        "input": f"{lead}\n\n```cobol\n{made.cobol}\n```",
        "target": f"```python\n{made.python}\n```\n\n{made.note}",
        "metadata": {
            "program": made.key,
            "base": made.base.key,
            "level": made.base.level,
            "decimals": made.decimals,
        },
    }


def write(folder: Path) -> None:
    """Writes the four splits."""
    for split in SIZES:
        draw = random.Random(f"{SEED} leads {split}")
        samples = [row(number, split, made, draw) for number, made in enumerate(programs(split), 1)]
        lines = "".join(json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples)
        (folder / f"{split}.jsonl").write_text(lines, "utf-8")
        print(f"{split}: {len(samples)} samples of {len({s['metadata']['base'] for s in samples})} base programs")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
