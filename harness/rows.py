"""Rows of data as they lie: a JSONL, CSV or Parquet file, or a dataset of the hub. Every row comes with its place.

Rows are mappings from column to value. JSON says its types itself; every cell of a CSV is text; what Parquet and the
hub give is made plain: text, numbers, lists, mappings and None.
pyarrow and datasets are imported where they are used (extra `datasets`).
"""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import json
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import SuiteError, did_you_mean

FORMATS = ("jsonl", "csv", "parquet")
_LONGEST_CELL = 2**31 - 1


@dataclass(frozen=True)
class Hub:
    """A split of a dataset on the hub. revision: a commit, 40 hex digits; split: "train" or "train[:300]".

    name may be a folder with such a dataset, as a clone of its repository is; it is read the same way.
    """

    name: str
    revision: str
    config: str | None
    split: str


def find_file(folder: Path, name: str) -> Path | None:
    """NAME.jsonl, NAME.csv or NAME.parquet in `folder`; None if there is none. Two of them are a SuiteError."""
    found = [path for path in (folder / f"{name}.{suffix}" for suffix in FORMATS) if path.is_file()]
    if len(found) > 1:
        raise SuiteError(f"{found[0]}: {found[1].name} is there too. Keep one of them.")
    return found[0] if found else None


def read_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """(place, row) of every row of a file: CSV, Parquet, else JSONL. Blank lines are passed over. Raises SuiteError."""
    return {".csv": _csv, ".parquet": _parquet}.get(path.suffix, _jsonl)(path)


def read_hub(
    hub: Hub, folder: Path, needed: Collection[str] = (), also: Collection[str] = (), places: tuple[str, str] = ("", "")
) -> Iterator[tuple[str, Any]]:
    """(place, row) of every row of a hub dataset's split; class labels by their names. Raises SuiteError.

    folder: where a relative path starts. needed: columns that must be there, or parts of them ("answers.text"); also:
    columns that may be; all are read when both are empty. places: class labels of the first column stay numbers where
    there is the second, whose entries they count. Rows are cached by revision, so that without network no other
    revision can take their place.
    """
    try:
        import datasets
    except ImportError:
        raise SuiteError(_missing(f"dataset {hub.name}", "datasets")) from None
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    label = f"{hub.name} {hub.split}"
    local = folder / Path(hub.name).expanduser()
    try:
        table = datasets.load_dataset(
            str(local.resolve()) if local.is_dir() else hub.name,
            hub.config,
            split=hub.split,
            revision=hub.revision,
            cache_dir=str(Path(datasets.config.HF_DATASETS_CACHE) / f"revision-{hub.revision}"),
        )
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as problem:
        reason = " ".join(str(problem).split())[:240]
        raise SuiteError(
            f"dataset {label} at {hub.revision[:12]}: cannot be loaded ({reason}). "
            f"Check hub, revision, config and splits; a first reading needs the network."
        ) from None
    for name in needed:
        if not {name, name.split(".")[0]} & set(table.column_names):
            raise SuiteError(f"{label}: no column '{name}'.{did_you_mean(name, table.column_names)}")
    tops = {part for name in (*needed, *also) for part in (name, name.split(".")[0])} or set(table.column_names)
    columns = [name for name in table.column_names if name in tops]
    labels = {name: table.features[name] for name in columns if isinstance(table.features[name], datasets.ClassLabel)}
    if places[1].split(".")[0] in columns:
        labels.pop(places[0], None)
    for number, row in enumerate(table.select_columns(columns), 1):
        where = f"{label}: row {number}"
        yield where, _plain_row({**row, **{name: _label(labels[name], row[name]) for name in labels}}, where)


def _label(feature: Any, value: int | None) -> str | None:
    """The name of a class; the hub writes -1 where there is none."""
    return None if value in (None, -1) else str(feature.int2str(value))


def cell(row: Mapping[str, Any], column: str, where: str) -> Any:
    """The value of a column, or of a part of it: "answers.text". A column that is not there is a SuiteError."""
    if column in row:
        return row[column]
    first, _, rest = column.partition(".")
    if rest and isinstance(row.get(first), Mapping):
        return cell(row[first], rest, where)
    raise SuiteError(f"{where}: no column '{column}'.{did_you_mean(column, row)}")


def _jsonl(path: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(_text(path, "utf-8").split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            yield where, json.loads(line)
        except json.JSONDecodeError as problem:
            raise SuiteError(
                f"{where}: not JSON: {problem.msg} at column {problem.colno}. One object per line."
            ) from None


def _csv(path: Path) -> Iterator[tuple[str, Any]]:
    """Rows are counted as a spreadsheet counts them: the header is row 1."""
    reader = csv.reader(io.StringIO(_text(path, "utf-8-sig"), newline=""), strict=True)
    lines: list[list[str]] = []
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        lines.extend(reader)
    except csv.Error as problem:
        raise SuiteError(
            f"{path}: row {len(lines) + 1}: not CSV: {problem}. Put cells with commas, quotes or line ends in quotes."
        ) from None
    finally:
        csv.field_size_limit(limit)
    header = lines[0] if lines else []
    if len(set(header)) < len(header) or "" in header:
        raise SuiteError(
            f"{path}: row 1: every column needs a name of its own, not {', '.join(header)}. Fix the header."
        )
    for number, cells in enumerate(lines[1:], 2):
        if not cells:
            continue
        where = f"{path}: row {number}"
        if len(cells) != len(header):
            raise SuiteError(f"{where}: {len(cells)} cells under {len(header)} columns. Quote cells with commas.")
        yield where, dict(zip(header, cells, strict=True))


def _parquet(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        import pyarrow.parquet
    except ImportError:
        raise SuiteError(_missing(str(path), "pyarrow")) from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            rows = file.read().to_pylist()
    except (OSError, ValueError, pyarrow.ArrowException) as problem:
        reason = " ".join(str(problem).split())[:240]
        raise SuiteError(f"{path}: cannot be read as Parquet ({reason}). Write the file again.") from None
    for number, row in enumerate(rows, 1):
        where = f"{path}: row {number}"
        yield where, _plain_row(row, where)


def _text(path: Path, encoding: str) -> str:
    try:
        with path.open(encoding=encoding, newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as problem:
        raise SuiteError(f"{path}: cannot be read as UTF-8 text ({problem}).") from None


def _missing(what: str, package: str) -> str:
    return f"{what}: {package} is not installed. Install it with: pip install '.[datasets]'"


def _plain_row(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {column: _plain(value, f"{where}: column '{column}'") for column, value in row.items()}


def _plain(value: Any, where: str) -> Any:
    """What JSON can say; dates and decimals as text. Anything else is a SuiteError."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(part, where) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, where) for part in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    raise SuiteError(
        f"{where}: holds {type(value).__name__}, not text, numbers or lists. Name the columns to read: data.fields."
    )
