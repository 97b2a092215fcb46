"""Collected only by `tox -e ray`: these tests need Ray. They share the projects of the other tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
