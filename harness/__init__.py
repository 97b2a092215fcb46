"""Prompt it, retrieve, fine-tune, or use a bigger model: a harness that measures the answer."""

__version__ = "0.1.0"
