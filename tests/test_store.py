from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas
import pytest

from harness.data import Completion, Row, Score, ScoreRow
from harness.errors import MachineError, RunError
from harness.lines import read_lines
from harness.store import (
    RunWriter,
    read_run,
    row_from_json,
    row_to_json,
    score_to_json,
    write_json,
    write_text,
)


def _row(sample: str, text: str = "x") -> Row:
    messages = ({"role": "user", "content": "q\u2028"},)
    return Row("s", "a", sample, f"d-{sample}", f"k-{sample}", messages, Completion(text), "t")


def _write(folder: Path, *rows: Row) -> None:
    with RunWriter(folder) as writer:
        writer.manifest({"format": 1})
        for row in rows:
            writer.append("completions.jsonl", row_to_json(row))
            score = ScoreRow(row.suite, row.arm, row.sample, "exact", True, Score(1.0, "x", "y"))
            writer.append("scores.jsonl", score_to_json(score))


def test_rows_come_back_as_they_went() -> None:
    row = _row("1", "né\u202e\ud800 \x00")
    assert row_from_json(json.loads(json.dumps(row_to_json(row)))) == row


def test_a_run_is_read_back(tmp_path: Path) -> None:
    _write(tmp_path, _row("1"), _row("2"))
    run = read_run(tmp_path)
    assert [row.sample for row in run.rows] == ["1", "2"]
    assert run.scores[0].score == Score(1.0, "x", "y")


def test_pandas_reads_the_files(tmp_path: Path) -> None:
    _write(tmp_path, _row("1"), _row("2"))
    assert list(pandas.read_json(tmp_path / "completions.jsonl", lines=True)["sample"]) == [1, 2]


def test_a_torn_last_line_is_dropped_and_cut_before_appending(tmp_path: Path) -> None:
    _write(tmp_path, _row("1"))
    file = tmp_path / "completions.jsonl"
    with file.open("a") as stream:
        stream.write('{"suite": "s", "ar')
    assert len(read_run(tmp_path).rows) == 1
    _write(tmp_path, _row("2"))
    assert [row.sample for row in read_run(tmp_path).rows] == ["1", "2"]


def test_a_broken_line_in_the_middle_is_an_error_with_its_place(tmp_path: Path) -> None:
    _write(tmp_path, _row("1"), _row("2"))
    file = tmp_path / "completions.jsonl"
    file.write_text("{broken\n" + file.read_text())
    with pytest.raises(RunError, match=r"completions\.jsonl:1: not JSON"):
        read_run(tmp_path)


@pytest.mark.parametrize("place", [1, 2, 7])
def test_a_broken_line_has_its_place_and_a_torn_last_one_is_dropped(tmp_path: Path, place: int) -> None:
    file = tmp_path / "lines.jsonl"
    lines = [f'{{"n": {number}}}\n' for number in range(8)]
    file.write_text("".join(lines) + '{"n": 99}')
    assert [line["n"] for line in read_lines(file)] == list(range(8))
    for broken in ('{"n": 1, }\n', '{"n": 1}, {"n": 2}\n', "\n"):
        file.write_text("".join([*lines[: place - 1], broken, *lines[place:]]))
        with pytest.raises(RunError, match=rf"lines\.jsonl:{place}: not JSON"):
            list(read_lines(file))
    file.write_text("".join(lines) + "{torn}\n")
    assert len(list(read_lines(file))) == len(lines)


def test_what_json_alone_allows_is_read_as_it_was_written(tmp_path: Path) -> None:
    row = _row("1", "half \ud83d of a pair")
    row = replace(
        row,
        completion=replace(row.completion, choice_logprobs=(-1.5, -math.inf)),
        metadata={"large": 10**30, "nothing": math.nan},
    )
    _write(tmp_path, row)
    (read,) = read_run(tmp_path).rows
    assert read.completion == row.completion
    assert read.metadata["large"] == 10**30
    assert math.isnan(read.metadata["nothing"])


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("completions.jsonl", {"text": None}, r"completions\.jsonl:1: Expected `str`, got `null` - at `\$\.text`"),
        ("completions.jsonl", {"prompt_tokens": "9"}, r"Expected `int`, got `str` - at `\$\.prompt_tokens`"),
        ("scores.jsonl", {"value": "high"}, r"scores\.jsonl:1: .*at `\$\.value`"),
    ],
)
def test_a_row_of_another_kind_is_one_clear_line(tmp_path: Path, file: str, line: dict[str, object], said: str) -> None:
    _write(tmp_path, _row("1"))
    score = ScoreRow("s", "base", "1", "exact", True, Score(1.0))
    known = {"completions.jsonl": row_to_json(_row("1")), "scores.jsonl": score_to_json(score)}[file]
    (tmp_path / file).write_text(json.dumps({**known, **line}) + "\n")
    with pytest.raises(RunError, match=said):
        read_run(tmp_path)


@pytest.mark.parametrize("text", [42, 1.0, True, None, ["x"]])
def test_what_is_only_shown_is_read_as_text_whatever_an_older_harness_let_through(tmp_path: Path, text: object) -> None:
    shown = "" if text is None else str(text)
    score = score_to_json(ScoreRow("s", "a", "1", "exact", True, Score(1.0))) | {"answer": text, "explanation": text}
    _write(tmp_path)
    (tmp_path / "completions.jsonl").write_text(json.dumps({**row_to_json(_row("1")), "target": text}) + "\n")
    (tmp_path / "scores.jsonl").write_text(json.dumps(score) + "\n")
    run = read_run(tmp_path)
    assert run.rows == (replace(_row("1"), target=shown),)
    assert run.scores[0].score == Score(1.0, shown, shown)


def test_whole_numbers_may_have_a_point(tmp_path: Path) -> None:
    _write(tmp_path)
    line = {**row_to_json(_row("1")), "prompt_tokens": 7.0, "reasoning_tokens": 0.0, "draws": 1.0}
    (tmp_path / "completions.jsonl").write_text(json.dumps(line) + "\n")
    (read,) = read_run(tmp_path).rows
    assert (read.completion.prompt_tokens, type(read.completion.prompt_tokens)) == (7, int)
    (tmp_path / "completions.jsonl").write_text(json.dumps({**line, "prompt_tokens": 7.5}) + "\n")
    with pytest.raises(RunError, match=r"completions\.jsonl:1: Expected `int`, got `float` - at `\$\.prompt_tokens`"):
        read_run(tmp_path)


@pytest.mark.parametrize("line", ["{broken", '{"suite": "s"}', "[]"])
def test_scores_that_cannot_be_read_cost_no_answers(tmp_path: Path, line: str) -> None:
    _write(tmp_path, _row("1"), _row("2"))
    (tmp_path / "scores.jsonl").write_text(f"{line}\n" * 2)
    with pytest.raises(RunError, match=r"scores\.jsonl:1: .* with: harness score RUN$"):
        read_run(tmp_path)
    run = read_run(tmp_path, scored=False)
    assert ([row.sample for row in run.rows], run.scores) == (["1", "2"], ())


def test_the_last_answer_of_a_sample_counts(tmp_path: Path) -> None:
    _write(tmp_path, _row("1", "old"), _row("1", "new"))
    assert [row.completion.text for row in read_run(tmp_path).rows] == ["new"]


@pytest.mark.parametrize("manifest", [None, "{", "[]", '{"format": 99}', "{}"])
def test_a_folder_that_is_no_run_is_one_clear_line(tmp_path: Path, manifest: str | None) -> None:
    if manifest is not None:
        (tmp_path / "run.json").write_text(manifest)
    with pytest.raises(RunError) as caught:
        read_run(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_second_writer_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    code = f"""
import os, sys, pathlib
from harness.store import RunWriter
with RunWriter(pathlib.Path({str(tmp_path)!r})):
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdin is not None
    pid = holder.stdout.readline().strip()
    with pytest.raises(RunError, match=f"in use by process {pid}"):
        RunWriter(tmp_path)
    holder.stdin.close()
    holder.wait()
    holder.stdout.close()
    RunWriter(tmp_path).close()


def test_a_full_disk_is_one_clear_line() -> None:
    with pytest.raises(MachineError, match="No space left"):
        write_text_to_full()


def write_text_to_full() -> None:
    from harness.store import writing

    with writing(Path("/dev/full")), open("/dev/full", "w") as stream:
        stream.write("x" * 100_000)


def test_a_file_is_replaced_at_once(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1})
    write_text(tmp_path / "a.json", "new")
    assert (tmp_path / "a.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_broken_last_line_with_its_end_is_cut_before_appending(tmp_path: Path) -> None:
    _write(tmp_path, _row("1"))
    file = tmp_path / "completions.jsonl"
    with file.open("a") as stream:
        stream.write('{"suite": "s", "ar\n')
    assert len(read_run(tmp_path).rows) == 1
    _write(tmp_path, _row("2"))
    assert [row.sample for row in read_run(tmp_path).rows] == ["1", "2"]
    assert file.read_bytes().count(b"\n") == 2


def test_a_score_counts_for_the_answer_it_names_alone(tmp_path: Path) -> None:
    _write(tmp_path, _row("1"), _row("2"))
    one, two = (ScoreRow("s", "a", n, "exact", True, Score(0.5), 0, key) for n, key in (("1", "k-1"), ("2", "other")))
    with RunWriter(tmp_path) as writer:
        for score in (one, two):
            writer.append("scores.jsonl", score_to_json(score))
    assert [score.score.value for score in read_run(tmp_path).scores] == [0.5, 1.0]
