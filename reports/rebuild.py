"""Rebuilds the example report from the run that it shows.

    python reports/rebuild.py              writes example.html and example.md from example-run.tar.xz, and what
                                           docs/choosing.md quotes of them
    python reports/rebuild.py RUN_FOLDER   packs that run into example-run.tar.xz first

A test holds the committed report to what this writes.
"""

from __future__ import annotations

import io
import re
import sys
import tarfile
import tempfile
from pathlib import Path

import yaml

from harness.report import write_report
from harness.store import read_run

HERE = Path(__file__).parent
PACKED = HERE / "example-run.tar.xz"
CHOOSING = HERE.parent / "docs" / "choosing.md"
QUOTED = re.compile(r"(<!-- quoted from the demo: ([^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)
FILES = ("run.json", "completions.jsonl", "scores.jsonl")


def pack(run: Path) -> None:
    """Keeps what a report is made of: the manifest, the answers and the scores; of paths, the file names alone."""
    with tarfile.open(PACKED, "w:xz") as archive:
        for name in FILES:
            text = (run / name).read_text("utf-8")
            if name == "run.json":
                text = re.sub(r'"/[^"]*/([^"/]+)"', r'"\1"', text)
            member = tarfile.TarInfo(f"demo/{name}")
            member.size = len(content := text.encode())
            archive.addfile(member, io.BytesIO(content))


def rebuild(folder: Path) -> tuple[Path, Path]:
    """Writes the report of the packed run into `folder`; returns the HTML file and the Markdown file."""
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(PACKED) as archive:
        archive.extractall(scratch, filter="data")
        title = "Demo: prompt, retrieve or fine-tune?"
        paths = write_report([read_run(Path(scratch) / "demo")], Path(scratch) / "example.html", title=title)
        for path in (paths.html, paths.markdown):
            (folder / path.name).write_bytes(path.read_bytes())
    return folder / "example.html", folder / "example.md"


def quote(text: str) -> str:
    """The text of a page, its marked places filled from example.md as it is now.

    A place names a suite and an arm, whose verdict it gets, or "arms": the table of all.
    """
    report = (HERE / "example.md").read_text("utf-8")
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", report, re.DOTALL | re.MULTILINE))

    def filled(place: re.Match[str]) -> str:
        name = place[2]
        if name == "arms":
            said = re.findall(r"^\|.*$|^▲.*$", sections["All arms at a glance"], re.MULTILINE)
            return f"{place[1]}{chr(10).join(said[:-1])}\n\n{said[-1]}\n{place[3]}"
        suite, arm = name.split()
        title = yaml.safe_load((HERE.parent / "suites" / suite / "suite.yaml").read_text("utf-8"))["title"]
        (said,) = re.findall(rf"^- (\*\*.+\*\* {re.escape(arm)}: .+)$", sections[title], re.MULTILINE)
        return f"{place[1]}> {said}\n{place[3]}"

    return QUOTED.sub(filled, text)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        pack(Path(sys.argv[1]))
    print(*rebuild(HERE), sep="\n")
    CHOOSING.write_text(quote(CHOOSING.read_text("utf-8")), "utf-8")
