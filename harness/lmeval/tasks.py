"""`lm_eval` of a suite.yaml: which tasks, and how they are asked; loaded with lm-eval's own task manager."""

from __future__ import annotations

import contextlib
import difflib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from harness.digests import text_digest
from harness.errors import HarnessError, SuiteError, did_you_mean
from harness.fields import Fields, in_range
from harness.lmeval.documents import Document, documents
from harness.progress import say

KEYS = ("tasks", "include_path", "limit", "num_fewshot", "apply_chat_template")
SEED = 1234
"""Of the draw of worked examples: the one lm-eval's command line uses."""


@dataclass(frozen=True)
class Settings:
    """Which tasks (names of tasks, groups or tags), and how they are asked.

    include_path: a folder of task files of one's own. limit: only the first documents of each task.
    num_fewshot: worked examples, None for what each task says. apply_chat_template: ask in turns, not as a text.
    """

    tasks: tuple[str, ...]
    include_path: str | None = None
    limit: int | None = None
    num_fewshot: int | None = None
    apply_chat_template: bool = False


def read_settings(value: Any, where: str) -> Settings:
    """A list of task names, or a mapping with `tasks` and the other settings. Raises SuiteError."""
    fields = Fields(value if isinstance(value, Mapping) else {"tasks": value}, where, SuiteError)
    fields.only(KEYS)
    settings = Settings(
        tuple(dict.fromkeys(fields.names("tasks"))),
        fields.get("include_path", str),
        fields.get("limit", int),
        fields.get("num_fewshot", int),
        fields.get("apply_chat_template", bool, False),
    )
    if not settings.tasks:
        raise SuiteError(f"{where}: names no task. Give a list of lm-eval task names.")
    if settings.limit is not None:
        in_range(fields, "limit", settings.limit, 1, 10**9)
    if settings.num_fewshot is not None:
        in_range(fields, "num_fewshot", settings.num_fewshot, 0, 1000)
    return settings


def load(settings: Settings, folder: str | Path) -> tuple[Document, ...]:
    """Every document of the tasks, the tasks taking turns. `folder` is where include_path starts from.

    Raises HarnessError where lm-eval is not installed, SuiteError for a task that is unknown, needs data that is not
    here, or has no score per document. The same tasks are loaded once per process.
    """
    if find_spec("lm_eval") is None:
        raise HarnessError("lm-eval is not installed. Install it with: pip install '.[lm-eval]'")
    own = Path(folder, settings.include_path).resolve() if settings.include_path else None
    if own and not own.is_dir():
        raise SuiteError(f"{folder}/suite.yaml: lm_eval.include_path: no folder {own}. Give one relative to the suite.")
    return _load(settings, str(own) if own else None, f"{folder}/suite.yaml: lm_eval")


def recipe(found: Sequence[Document]) -> dict[str, Any]:
    """What moves the scores besides the documents: lm-eval's version; version, configuration and metric of each task.

    A task's configuration is a digest over all of it but where its files lie.
    """
    from lm_eval import __version__

    return {"lm-eval": __version__} | {
        document.probe: {
            "version": str(document.task.VERSION),
            "config": _config_digest(document.task),
            "metric": document.metric,
        }
        for document in {document.probe: document for document in found}.values()
    }


def options(settings: Settings, found: Sequence[Document], own: Mapping[str, Any] | None) -> dict[str, Any]:
    """The options of the scorer `lm_eval` in a suite with these tasks; `own` scores the suite's other samples."""
    said = {key: value for key, value in asdict(settings).items() if value is not None}
    return {**said, "tasks": list(settings.tasks), "recipe": recipe(found), **({"own": dict(own)} if own else {})}


@lru_cache(maxsize=4)
def _load(settings: Settings, include_path: str | None, where: str) -> tuple[Document, ...]:
    with _quiet(), contextlib.chdir(include_path or "."):  # data files are named relative to the task's folder
        manager = _manager(settings.tasks, include_path, where)
        by_task = []
        for name in settings.tasks:
            for task in _tasks(manager, name, where):
                _prepare(task, settings)
                by_task.append(documents(task, settings.limit, settings.apply_chat_template, where))
    taking_turns = chain.from_iterable(zip_longest(*by_task))
    return tuple(document for document in taking_turns if document is not None)


def _manager(names: Sequence[str], include_path: str | None, where: str) -> Any:
    """A task manager that knows the names; lm-eval's own 13,000 files are read only if a name is not in the folder."""
    if include_path:
        manager = _index(include_path, defaults=False)
        if set(names) <= set(manager.all_subtasks):
            return manager
    manager = _index(include_path, defaults=True)
    for name in names:
        if name not in manager.task_index:
            near = difflib.get_close_matches(name, manager.all_tasks, n=1)
            hint = did_you_mean(name, near) or " `lm-eval ls tasks` lists lm-eval's own; include_path adds a folder."
            raise SuiteError(f"{where}: no task '{name}'.{hint}")
    return manager


@lru_cache(maxsize=2)
def _index(include_path: str | None, defaults: bool) -> Any:
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=include_path, include_defaults=defaults)


def _tasks(manager: Any, name: str, where: str) -> list[Any]:
    try:
        return list(manager.load([name])["tasks"].values())
    except Exception as error:  # whatever a task's file, its code or its download raises: it is not ours to know
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if isinstance(error, OSError):
            raise SuiteError(
                f"{where}: task '{name}': its data is not on this machine and cannot be fetched ({reason}). "
                "Run once with a network, or name a task of your own with include_path."
            ) from error
        raise SuiteError(f"{where}: task '{name}' cannot be loaded ({type(error).__name__}: {reason}).") from error


def _prepare(task: Any, settings: Settings) -> None:
    """Worked examples as lm-eval's evaluator sets them: a task that says 0 keeps 0."""
    said = task.get_config("num_fewshot")
    if said is None or (settings.num_fewshot is not None and said != 0):
        task.set_config(key="num_fewshot", value=settings.num_fewshot or 0)
    task.set_fewshot_seed(seed=SEED)


def _config_digest(task: Any) -> str:
    config = {key: value for key, value in task.dump_config().items() if key != "dataset_kwargs"}
    config["metadata"] = {key: value for key, value in config.get("metadata", {}).items() if key != "config_source"}
    return text_digest(json.dumps(config, sort_keys=True, default=lambda value: type(value).__name__))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Says that it takes a while; without the progress bars of lm-eval and its `datasets`."""
    import datasets

    say("reading lm-eval tasks")
    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        if not shown:
            datasets.enable_progress_bars()
