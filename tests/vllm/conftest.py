"""Collected only by `tox -e vllm`: these tests need vLLM. They share the model builder of the other tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
