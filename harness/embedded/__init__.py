"""The small model that ships with the package, and the recipe that made it."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
