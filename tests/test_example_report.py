"""The committed example is what the code makes of the committed run."""

from __future__ import annotations

import runpy
from pathlib import Path

REPORTS = Path(__file__).parents[1] / "reports"


def test_example_report_is_up_to_date(tmp_path: Path) -> None:
    html, markdown = runpy.run_path(str(REPORTS / "rebuild.py"))["rebuild"](tmp_path)
    for made in (html, markdown):
        assert made.read_bytes() == (REPORTS / made.name).read_bytes(), "run: python reports/rebuild.py"
