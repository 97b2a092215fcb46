"""Scorers: functions (Sample, Completion) -> Score. A wrong answer scores 0 and says why; no text makes one raise.

A scorer is made by a factory that takes the options of suite.yaml as keyword arguments, and `suite_path`. A grader is a
scorer that asks a model: its factory makes a `data.Grader`, which harness.grading puts to that model after the run.
A factory marked `gold_free` makes scorers that look at the answer and its question alone, so that live traffic can be
scored (`harness monitor`).
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from harness.data import Grader, Scorer, ScorerSpec
from harness.errors import SuiteError, did_you_mean

Factory = TypeVar("Factory", bound=Callable[..., Any])

BUILTIN = {
    "answer": "harness.scorers.text:answer",
    "exact": "harness.scorers.text:exact",
    "choice": "harness.scorers.choice:choice",
    "json": "harness.scorers.documents:json_document",
    "xml": "harness.scorers.documents:xml_document",
    "json_schema": "harness.scorers.schema:json_schema",
    "similarity": "harness.scorers.similarity:similarity",
    "style": "harness.scorers.style:style",
    "sql": "harness.scorers.sql:sql",
    "sql_runs": "harness.scorers.sql:sql_runs",
    "python_tests": "harness.scorers.python:python_tests",
    "python_idiom": "harness.scorers.python:python_idiom",
    "python_style": "harness.scorers.python:python_style",
    "python_brevity": "harness.scorers.markdown:brevity",
    "python_loads": "harness.scorers.python:python_loads",
    "markdown": "harness.scorers.markdown:markdown",
    "lm_eval": "harness.scorers.lm_eval:lm_eval",
}

GRADERS = {
    "judge": "harness.scorers.judge:judge",
    "likelihood_ratio": "harness.scorers.likelihood:likelihood_ratio",
}


def gold_free(*needs: str) -> Callable[[Factory], Factory]:
    """Marks a factory whose scorers need no gold answer: neither target nor choices. needs: metadata that they read.

    One that suite.yaml names under `monitor` alone may give None: it has nothing to say about this reply.

    >>> from harness.data import Score
    >>> @gold_free()
    ... def polite(*, suite_path):
    ...     return lambda sample, completion: Score(float("please" in completion.text))
    >>> polite.gold_free
    ()
    """

    def mark(factory: Factory) -> Factory:
        factory.gold_free = needs  # type: ignore[attr-defined]
        return factory

    return mark


def needs_of(spec: ScorerSpec, suite_path: str) -> tuple[str, ...] | None:
    """The metadata that a gold-free scorer reads, () for none; None where the scorer needs a gold answer."""
    found: tuple[str, ...] | None = getattr(_factory(spec, suite_path), "gold_free", None)
    return found


def load(spec: ScorerSpec, suite_path: str) -> Scorer:
    """The scorer a suite names. Unknown names, files and options are SuiteErrors."""
    scorer: Scorer = _made(spec, dict(spec.options), suite_path)
    return scorer


def load_grader(spec: ScorerSpec, suite_path: str) -> Grader:
    """The grader a suite names; its option `model` says who is asked and is not the factory's concern."""
    grader: Grader = _made(spec, {key: value for key, value in spec.options.items() if key != "model"}, suite_path)
    return grader


def _made(spec: ScorerSpec, options: dict[str, Any], suite_path: str) -> Any:
    where = _where(spec, suite_path)
    factory = _factory(spec, suite_path)
    try:
        inspect.signature(factory).bind(suite_path=suite_path, **options)
    except TypeError as error:
        raise SuiteError(f"{where}: {error}. See the docstring of scorer '{spec.scorer}'.") from None
    return factory(suite_path=suite_path, **options)


def _factory(spec: ScorerSpec, suite_path: str) -> Callable[..., Any]:
    where = _where(spec, suite_path)
    return from_file(spec.scorer, suite_path, where) if ":" in spec.scorer else _built_in(spec.scorer, where)


def _where(spec: ScorerSpec, suite_path: str) -> str:
    return f"{suite_path}/suite.yaml: scorers.{spec.name}"


def _built_in(name: str, where: str) -> Callable[..., Any]:
    known = BUILTIN | GRADERS
    if name not in known:
        raise SuiteError(f"{where}: unknown scorer '{name}'.{did_you_mean(name, known)}")
    module, function = known[name].split(":")
    factory: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return factory


def from_file(name: str, suite_path: str, where: str) -> Callable[..., Any]:
    """A function of a suite's own file, named 'file.py:function'."""
    file, function = name.split(":", 1)
    path = Path(suite_path, file)
    if not path.is_file():
        raise SuiteError(f"{where}: no file {path}. A suite's own scorer is named 'scorer.py:function'.")
    spec = importlib.util.spec_from_file_location(f"suite_scorer_{abs(hash(str(path)))}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look for it there
    spec.loader.exec_module(module)
    if not hasattr(module, function):
        raise SuiteError(f"{where}: {path} has no function '{function}'.{did_you_mean(function, vars(module))}")
    factory: Callable[..., Any] = getattr(module, function)
    return factory
