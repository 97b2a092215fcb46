"""The samples and passages of a suite: rows from its files or from a hub dataset, named by `data:` in suite.yaml.

Without `data:` a split is NAME.jsonl, NAME.csv or NAME.parquet beside suite.yaml, with the columns id, input, target,
choices and metadata (a passage: id, text, metadata). Other keys of a JSONL row are mistakes; other columns of a table
are metadata. With `fields:` the named columns are read and all others are left out, `id` and `choices` too; input,
target and text keep their names where no other column is named for them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data import Passage, Sample
from harness.digests import text_digest
from harness.errors import SuiteError
from harness.fields import Fields, describe
from harness.rows import Hub, cell, find_file, read_hub, read_rows

SPLITS = ("test", "dev", "train", "shots")
_SAMPLE_KEYS = ("id", "input", "target", "choices", "metadata")
_PASSAGE_KEYS = ("id", "text", "metadata")


@dataclass(frozen=True)
class _Source:
    """Where a split comes from (`hub`, or a file where that is None), and its columns by our name for them."""

    hub: Hub | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    metadata: tuple[str, ...] | None = None

    @property
    def named(self) -> bool:
        """Are any columns named, so that the others are left out?"""
        return bool(self.columns) or self.metadata is not None


def read_data(
    folder: Path, file: Path, data: Any, *, test_needed: bool = True
) -> tuple[dict[str, tuple[Sample, ...]], tuple[Passage, ...]]:
    """The samples of every split and the corpus. data: `data:` of suite.yaml (`file`), or None. Raises SuiteError.

    test_needed: without test samples it is no suite.
    """
    sources = _sources(data, file)
    labels: dict[str, str] = {}
    splits: dict[str, tuple[Sample, ...]] = {}
    for split in SPLITS:
        labels[split], rows = _rows(folder, split, sources.get(split, _Source()), _SAMPLE_KEYS)
        splits[split] = tuple(_samples(rows, split))
    labels["corpus"], rows = _rows(folder, "corpus", sources.get("corpus", _Source()), _PASSAGE_KEYS)
    corpus = tuple(_passages(rows))
    if test_needed and not splits["test"]:
        raise SuiteError(f"{folder / labels['test']}: no samples. A suite needs a test split; write one row per line.")
    _unique_ids(folder, splits, corpus, labels)
    return splits, corpus


def _sources(data: Any, file: Path) -> dict[str, _Source]:
    """`data:` of suite.yaml, per split. What a split says for itself stands in place of what is said for all."""
    top = Fields(data or {}, f"{file}: data", SuiteError)
    top.only(("hub", "revision", "config", "splits", "fields", *SPLITS, "corpus"))
    named = Fields(top.value.get("splits") or {}, f"{top.where}.splits", SuiteError)
    named.only(SPLITS)
    if top.value.get("hub") is not None and not named.value:
        raise SuiteError(f"{top.where}: 'splits' is missing. Say which of its splits are ours, e.g. {{test: test}}.")
    sources = {}
    for split in (*SPLITS, "corpus"):
        if top.value.get(split) is not None:
            own = Fields(top.value[split], f"{top.where}.{split}", SuiteError)
            own.only(("hub", "revision", "config", "split", "fields"))
            sources[split] = _source(own, split, own.get("split", str))
        elif split != "corpus" and (top.value.get("hub") is None or named.value.get(split) is not None):
            sources[split] = _source(top, split, named.get(split, str))
    return sources


def _source(fields: Fields, split: str, name: str | None) -> _Source:
    """name: which split of the hub dataset is meant."""
    hub = None
    if fields.value.get("hub") is not None:
        revision = fields.need("revision", str)
        if not re.fullmatch(r"[0-9a-f]{40}", revision):
            raise SuiteError(
                f"{fields.where}.revision: '{revision}' can move to other data. Give the commit: 40 hexadecimal digits."
            )
        if name is None:
            raise SuiteError(f"{fields.where}: 'split' is missing. Say which split of the dataset, e.g. split: train.")
        hub = Hub(fields.need("hub", str), revision, fields.get("config", str), name)
    for key in ("revision", "config", "split", "splits"):
        if hub is None and fields.value.get(key) is not None:
            raise SuiteError(f"{fields.where}: '{key}' belongs to a hub dataset. Add hub: owner/name, or remove it.")
    columns = Fields(fields.value.get("fields") or {}, f"{fields.where}.fields", SuiteError)
    keys = _PASSAGE_KEYS if split == "corpus" else _SAMPLE_KEYS
    columns.only(keys)
    metadata = columns.names("metadata") if columns.value.get("metadata") is not None else None
    given = {key: columns.get(key, str) for key in keys[:-1] if columns.value.get(key) is not None}
    return _Source(hub, given, metadata)


def _rows(folder: Path, split: str, source: _Source, keys: tuple[str, ...]) -> tuple[str, Iterator[tuple[str, Any]]]:
    """(what to call the source, its rows under our names). A split without a source has no rows."""
    path = find_file(folder, split)
    hub = source.hub
    if hub is not None:
        if path:
            raise SuiteError(f"{path}: suite.yaml takes {split} from {hub.name}. Keep one of them.")
        needed = (*source.columns.values(), *(source.metadata or ()))
        places = source.columns.get("target", "target"), source.columns.get("choices", "choices")
        rows = read_hub(hub, folder, needed, keys if source.named else (), places)
        return f"{hub.name} {hub.split}", _renamed(rows, source, keys, _as_is)
    if path is None:
        return f"{split}.jsonl", iter(())
    if path.suffix == ".jsonl" and not source.named:
        return path.name, read_rows(path)
    return path.name, _renamed(read_rows(path), source, keys, _from_csv if path.suffix == ".csv" else _as_is)


def _renamed(
    rows: Iterator[tuple[str, Any]],
    source: _Source,
    keys: tuple[str, ...],
    typed: Callable[[dict[str, Any], str], dict[str, Any]],
) -> Iterator[tuple[str, Any]]:
    """Rows as a JSONL file would hold them: our keys, and the other columns as metadata."""
    for where, value in rows:
        row = Fields(value, where, SuiteError).value
        known = [key for key in keys[:-1] if not source.columns or key not in ("id", "choices")]
        named = {key: row[key] for key in known if key in row}
        named |= {key: cell(row, column, where) for key, column in source.columns.items()}
        if source.metadata is not None:
            named["metadata"] = {column: cell(row, column, where) for column in source.metadata}
        else:
            own = row.get("metadata")
            metadata = dict(own) if isinstance(own, Mapping) else {}
            taken = {*keys[:-1], *(("metadata",) if isinstance(own, Mapping) else ())}
            others = {} if source.named else {key: value for key, value in row.items() if key not in taken}
            named["metadata"] = {**others, **metadata}
        yield where, typed(_without_nulls(named), where)


def _without_nulls(value: Any) -> Any:
    """Mappings without the keys that a table fills up where a row has none."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


def _as_is(row: dict[str, Any], where: str) -> dict[str, Any]:
    return row


def _from_csv(row: dict[str, Any], where: str) -> dict[str, Any]:
    """Choices are a JSON list; a question that is a JSON list of messages is a conversation; an empty id is none."""
    given = {key: value for key, value in row.items() if value or key not in ("id", "choices")}
    if "choices" in given:
        given["choices"] = _json(given["choices"])
        if not isinstance(given["choices"], list):
            raise SuiteError(f"{where}: choices: must be a JSON list of texts, not {describe(row['choices'])}.")
    turns = _json(given["input"]) if str(given.get("input", "")).lstrip().startswith("[") else None
    if isinstance(turns, list) and turns and all(isinstance(turn, dict) and "role" in turn for turn in turns):
        given["input"] = turns
    return given


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _samples(rows: Iterator[tuple[str, Any]], split: str) -> Iterator[Sample]:
    made: Counter[str] = Counter()
    for where, value in rows:
        row = Fields(value, where, SuiteError)
        row.only(_SAMPLE_KEYS)
        text = value.get("input")
        if isinstance(text, list):
            text = _conversation(text, where)
        elif not isinstance(text, str) or not text.strip():
            raise SuiteError(
                f"{where}: 'input' is missing or empty. Give the question as text, or as a list of messages."
            )
        choices = row.names("choices")
        target = _target(row, choices)
        if split == "train" and not target.strip():
            raise SuiteError(f"{where}: the completion ('target') is empty. Remove the row or give its answer.")
        if choices and target not in choices:
            raise SuiteError(f"{where}: target '{target[:40]}' is not one of the choices. Give it word for word.")
        metadata = row.get("metadata", dict, {})
        digest = text_digest(text, target, choices, metadata)
        yield Sample(_identity(row, f"{split}-{digest}", made), text, target, choices, metadata, digest)


def _target(row: Fields, choices: tuple[str, ...]) -> str:
    """A whole number is its digits, or with choices the place of the right one, from 0."""
    value = row.value.get("target")
    if not isinstance(value, int) or isinstance(value, bool):
        return str(row.need("target", str))
    if not choices:
        return str(value)
    if not 0 <= value < len(choices):
        raise SuiteError(f"{row.where}: target {value} is no place among {len(choices)} choices. Count from 0.")
    return choices[value]


def _identity(row: Fields, content: str, made: Counter[str]) -> str:
    """The row's id; without one, a name made of its content, and a number where the same content comes again."""
    value = row.value.get("id")
    if value is not None:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else str(row.need("id", str))
    made[content] += 1
    return content if made[content] == 1 else f"{content}-{made[content]}"


def _conversation(turns: list[Any], where: str) -> tuple[Mapping[str, str], ...]:
    for turn in turns:
        message = Fields(turn, f"{where}: input", SuiteError)
        message.only(("role", "content"))
        message.need("content", str)
        if message.need("role", str) not in ("system", "user", "assistant"):
            raise SuiteError(f"{where}: input: no role '{turn['role']}'. Use system, user or assistant.")
    if not turns or turns[-1]["role"] != "user":
        raise SuiteError(f"{where}: a conversation must end with a user turn.")
    return tuple(turns)


def _passages(rows: Iterator[tuple[str, Any]]) -> Iterator[Passage]:
    made: Counter[str] = Counter()
    for where, value in rows:
        row = Fields(value, where, SuiteError)
        row.only(_PASSAGE_KEYS)
        text = row.need("text", str)
        yield Passage(_identity(row, f"passage-{text_digest(text)}", made), text, row.get("metadata", dict, {}))


def _unique_ids(
    folder: Path, splits: Mapping[str, tuple[Sample, ...]], corpus: tuple[Passage, ...], labels: Mapping[str, str]
) -> None:
    seen: dict[str, str] = {}
    ids = [(item.id, labels[split]) for split, items in splits.items() for item in items]
    for identity, file in [*ids, *((passage.id, labels["corpus"]) for passage in corpus)]:
        if identity in seen:
            raise SuiteError(
                f"{folder / file}: id '{identity}' is already used in {seen[identity]}. Ids must be unique."
            )
        seen[identity] = file
