"""Rebuilds the example report from the run that it shows.

    python reports/rebuild.py              writes example.html and example.md from example-run.tar.xz
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

from harness.report import write_report
from harness.store import read_run

HERE = Path(__file__).parent
PACKED = HERE / "example-run.tar.xz"
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


if __name__ == "__main__":
    if len(sys.argv) > 1:
        pack(Path(sys.argv[1]))
    print(*rebuild(HERE), sep="\n")
