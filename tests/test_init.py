"""`harness init`: examples become a suite that keeps the laws; what is proposed follows from the examples."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import cli_init
from harness.check import check_suite
from harness.cli import main
from harness.config import read_config
from harness.data import Suite
from harness.errors import HarnessError
from harness.init import write_project
from harness.pairs import Pair, read_pairs, split_pairs
from harness.proposal import Proposal, Wishes, look, propose
from harness.suite import read_suite

ANIMALS = ["cat", "dog", "cow", "pig", "hen", "fox", "owl", "bat", "ant", "bee", "elk", "emu"]
LABELS = ["refund", "delivery", "invoice"]


def pairs(n: int = 60) -> list[dict[str, Any]]:
    return [{"prompt": f"How many {ANIMALS[i % 12]}s are {i} and {i * 3}?", "completion": str(4 * i)} for i in range(n)]


def answered(answer: Callable[[int], str], n: int = 60) -> list[dict[str, Any]]:
    return [{**row, "completion": answer(i)} for i, row in enumerate(pairs(n))]


def chats(n: int = 60) -> list[dict[str, Any]]:
    return [
        {"messages": [{"role": "system", "content": "Be a clerk."}, {"role": "user", "content": row["prompt"]},
                      {"role": "assistant", "content": row["completion"]}]}
        for row in pairs(n)
    ]  # fmt: skip


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def proposed(folder: Path, rows: list[dict[str, Any]], **wishes: Any) -> Proposal:
    return propose(*read_pairs(write(folder, rows)), Wishes(**wishes))


def init(folder: Path, source: Path, **wishes: Any) -> Suite:
    write_project(folder, source, propose(*read_pairs(source), Wishes(**wishes)), model="embedded")
    (name,) = (path.name for path in (folder / "suites").iterdir())
    return read_suite(name, folder)


@pytest.mark.parametrize("rows", [pairs(), chats()])
def test_pairs_become_a_suite_that_keeps_the_laws(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    suite = init(tmp_path / "my task", write(tmp_path, rows))
    assert suite.name == "my-task"
    assert set(read_config(tmp_path / "my task" / "models.yaml").arms) == {"base", "prompted", "lora"}
    assert len(suite.test) + len(suite.dev) + len(suite.train) + len(suite.shots) == 60
    assert not [finding for finding in check_suite(suite) if finding.level == "fail"]
    assert suite.scorers[0].scorer == "answer"


KINDS_OF_ANSWERS = [
    (lambda i: LABELS[i % 3], "label", "exact"),
    (lambda i: json.dumps({"number": i, "name": ANIMALS[i % 12], **({"note": "x"} if i % 2 else {})}), "json", "json"),
    (lambda i: f"```json\n[{i}, {{}}]\n```", "json", "json"),
    (lambda i: f"<order n='{i}'><item>{ANIMALS[i % 12]}</item></order>", "xml", "xml"),
    (lambda i: f"SELECT name FROM animals WHERE legs > {i}", "sql", "similarity"),
    (lambda i: f"def animal_{i}(n):\n    return n * {i}", "code", "similarity"),
    (lambda i: f"{i * 7},{i:03d}.50", "number", "answer"),
    (lambda i: f"the {ANIMALS[i % 12]} of {i} Mill Street", "short", "answer"),
    (lambda i: f"Thank you for the {ANIMALS[i % 12]}. Another one will come by the {i} of May.", "text", "similarity"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "kind", "scorer"), KINDS_OF_ANSWERS, ids=lambda value: str(value)[:9])
def test_the_scorer_follows_from_the_answers(
    tmp_path: Path, answer: Callable[[int], str], kind: str, scorer: str
) -> None:
    rows = answered(answer)
    found = proposed(tmp_path, rows)
    assert (found.answers, found.scorer) == (kind, scorer)
    suite = init(tmp_path / "task", write(tmp_path, rows))
    assert not [finding for finding in check_suite(suite) if finding.level == "fail"]


def test_labels_are_named_counted_and_all_that_a_constrained_arm_may_write(tmp_path: Path) -> None:
    rows = answered(lambda i: LABELS[0 if i < 30 else 1 + i % 2])
    found = proposed(tmp_path, rows)
    assert found.lines[1] == (
        "Answers: 3 labels (refund 50 %, delivery 25 %, invoice 25 %). Always saying the commonest one scores 50 %."
    )
    assert found.system == "Reply with one of these and nothing else: refund, delivery, invoice."
    assert found.constrain == [{"choice": ["refund", "delivery", "invoice"]}]


def test_the_schema_of_json_answers_is_inferred(tmp_path: Path) -> None:
    rows = answered(lambda i: json.dumps({"n": i, **({"note": "x"} if i % 2 else {})}))
    init(tmp_path / "task", write(tmp_path, rows))
    schema = json.loads((tmp_path / "task" / "suites" / "task" / "schema.json").read_text())
    assert schema == {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "note": {"type": "string"}},
        "required": ["n"],
        "additionalProperties": False,
    }


def test_answers_that_are_mostly_json_name_the_row_that_is_not(tmp_path: Path) -> None:
    rows = answered(lambda i: "none" if i in (20, 21) else json.dumps({"n": i}))
    found = proposed(tmp_path, rows)
    assert found.answers == "text"
    assert "58 of 60 are JSON, but not" in found.lines[1]
    assert "pairs.jsonl:21 and 1 other." in found.lines[1]
    for wish in ({"answers": "json"}, {"scorer": "json"}):
        with pytest.raises(HarnessError, match=r"pairs.jsonl:21: the answer is not JSON"):
            proposed(tmp_path, rows, **wish)


def test_prose_is_no_code_and_no_query() -> None:
    for text in (
        "yes",
        "Select a seat, please",
        "note: call back",
        "hello world",
        "<b>bold",
        "{curly} start",
        "x =",
        "pass",
    ):
        rows = [Pair(f"q {i}", f"{text} {i}", f"f:{i}") for i in range(40)]
        assert look(rows)[0] in ("short", "text"), text


def test_a_scorer_that_an_example_speaks_against_is_not_proposed(tmp_path: Path) -> None:
    rows = answered(lambda i: f"{ANIMALS[i % 12]} {i}")
    assert proposed(tmp_path, rows).scorer == "answer"
    rows[7]["prompt"] = "Say bat 7"
    found = proposed(tmp_path, rows)
    assert found.scorer == "exact"
    assert "(answer does not do: it takes an echo of the question for right at" in found.lines[2]
    assert found.lines[2].endswith("pairs.jsonl:8.)")


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (60, "TOO SMALL to decide anything that is in doubt: a difference of 10 points takes 157 test samples, about"),
        (300, "Too small: a difference of 10 points takes 157 test samples, about 230"),
        (600, ""),
    ],
)  # fmt: skip
def test_too_few_examples_are_said_with_how_many_more(tmp_path: Path, n: int, words: str) -> None:
    lines = proposed(tmp_path, pairs(n)).lines
    assert words in lines[-1]
    assert lines[-1].startswith("Power: 180 test samples show differences from 9 points up") == (n == 600)


def test_a_smaller_difference_takes_more_and_a_larger_test_split(tmp_path: Path) -> None:
    assert len(proposed(tmp_path, pairs(2200)).splits["test"]) == 400
    found = proposed(tmp_path, pairs(2200), detect=0.05)
    assert len(found.splits["test"]) == 628
    assert "Too small" not in found.lines[-1]
    assert len(proposed(tmp_path, pairs(2200), test=50).splits["test"]) == 50


def test_rows_of_one_source_stay_together_and_count_as_one(tmp_path: Path) -> None:
    rows = [{**row, "customer": f"c{i // 3}", "mood": i % 4} for i, row in enumerate(pairs(120))]
    found = proposed(tmp_path, rows)
    assert found.group == "customer"
    assert "rows of one customer stay together" in found.lines[3]
    assert "36 test samples of 12 sources, which count as 12" in found.lines[4]
    places = [{pair.metadata["customer"] for pair in split} for split in found.splits.values()]
    assert sum(map(len, places)) == len(set().union(*places)) == 40
    suite = init(tmp_path / "task", tmp_path / "pairs.jsonl")
    assert suite.cluster == "customer"
    assert suite.test[0].metadata["mood"] in range(4)
    assert proposed(tmp_path, rows, group="none").group is None
    few = proposed(tmp_path, [{**row, "mood": i % 12} for i, row in enumerate(rows)], group="mood")
    assert "fewer than 10 sources give no verdict" in few.lines[5]
    with pytest.raises(HarnessError, match=r"--group: not every row has a column 'custmer'. Did you mean 'customer'"):
        proposed(tmp_path, rows, group="custmer")


def test_repeats_and_questions_with_two_answers_are_counted(tmp_path: Path) -> None:
    rows = [*pairs(), *pairs(5), {**pairs()[3], "completion": "13"}]
    found = proposed(tmp_path, rows)
    assert found.lines[0].startswith("Examples: 61 different pairs, 5 repeated rows left out. 1 question with two")


def test_the_system_message_of_chats_becomes_the_suites(tmp_path: Path) -> None:
    assert init(tmp_path / "task", write(tmp_path, chats())).system == "Be a clerk."
    assert init(tmp_path / "two", tmp_path / "pairs.jsonl", system="Be brief.").system == "Be brief."


def test_other_columns_and_csv_are_read(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    lines = [f"{row['prompt']},{row['completion']},{i % 2}" for i, row in enumerate(pairs())]
    file.write_text("question,answer,part\n" + "\n".join(lines) + "\n")
    assert read_pairs(file)[0][1].metadata == {"part": "1"}
    rows = [{"id": "x", "input": [{"role": "user", "content": row["prompt"]}], "target": "1"} for row in pairs()]
    assert read_pairs(write(tmp_path, rows))[0][2].text == pairs()[2]["prompt"]


def test_near_duplicates_stay_in_one_split(tmp_path: Path) -> None:
    long = "please tell me in one short line what the word on page {} of the big red book by the door of the hall means"
    rows = pairs(60)
    for i in range(20):
        text = f"{ANIMALS[i % 12]} {i}: " + long.format(i // 2)
        rows.append({"prompt": text, "completion": f"word {i}"})
    suite = init(tmp_path / "task", write(tmp_path, rows))
    assert not [f for f in check_suite(suite) if f.law == "splits share nothing"]


def test_a_shared_instruction_does_not_make_all_prompts_duplicates(tmp_path: Path) -> None:
    start = "Read the line below and then answer with exactly one number and nothing else at all, please: "
    rows = [{**row, "prompt": start + row["prompt"]} for row in pairs()]
    assert len(init(tmp_path / "task", write(tmp_path, rows)).test) == 18


def test_the_same_file_and_seed_give_the_same_suite(tmp_path: Path) -> None:
    source = write(tmp_path, pairs())
    one, two = (init(tmp_path / x / "task", source) for x in "ab")
    assert one.digest == two.digest
    assert init(tmp_path / "c" / "task", source, seed=1).digest != one.digest


def test_a_rubric_becomes_a_column_that_is_not_primary(tmp_path: Path) -> None:
    rows = answered(lambda i: f"Dear guest, your {ANIMALS[i % 12]} will come on day {i} of the month.")
    suite = init(tmp_path / "task", write(tmp_path, rows), rubric='Names the "animal".')
    assert suite.graders[0].options == {"rubric": 'Names the "animal".'}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (pairs(10), "10 different pairs are too few to decide anything; at least 30 are needed for a suite, about 530"),
        ([*pairs(), {"prompt": "x", "completion": " "}], "pairs.jsonl:61: the completion is empty"),
        ([*pairs(), {"prompt": "x"}], 'needs "prompt" and "completion", or "messages"'),
        ([{"messages": [{"role": "user", "content": "x"}]}], "pairs.jsonl:1"),
        ([{"messages": [{"role": "user", "content": "x"}, {"role": "bot", "content": "y"}]}], '"role"'),
        ([{"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]}], "must end with"),
        ([{"input": [{"role": "assistant", "content": "x"}], "target": "y"}], "must end with a user turn"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[dict[str, Any]], message: str
) -> None:
    assert main(["init", str(tmp_path / "task"), "--from", str(write(tmp_path, rows))]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "task").exists()


@pytest.mark.parametrize("option", ["--answers", "--scorer", "--teaches"])
def test_an_unknown_name_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert main(["init", str(tmp_path / "task"), "--from", str(write(tmp_path, pairs())), option, "numbr"]) == 2
    assert f"{option}: unknown {option[2:]} 'numbr'." in capsys.readouterr().err
    assert not (tmp_path / "task").exists()


def test_where_no_terminal_is_nothing_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "task"), "--from", str(write(tmp_path, pairs(300)))]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == [
        "Examples", "Answers", "Scorer", "Split", "Power", "Too small", "Written", "Next"
    ]  # fmt: skip
    assert main(["init", str(tmp_path / "task"), "--from", str(tmp_path / "pairs.jsonl")]) == 2
    assert "already holds a project" in capsys.readouterr().err


def test_on_a_terminal_it_asks_and_takes_the_answers(tmp_path: Path) -> None:
    """A real terminal: Enter takes a proposal, a word replaces it, a wrong word is asked again."""
    source = write(tmp_path, [{**row, "customer": i // 2} for i, row in enumerate(pairs(120))])
    terminal, ours = pty.openpty()
    command = [sys.executable, "-m", "harness", "init", str(tmp_path / "task"), "--from", str(source)]
    with subprocess.Popen(command, stdin=ours, stdout=ours, stderr=ours, env={**os.environ, "TERM": "dumb"}) as asked:
        os.close(ours)
        os.write(terminal, b"shrot\nshort\n\nknowledge\nnone\nBe terse, clerk.\n20\n")
        said = b""
        while True:
            try:
                said += os.read(terminal, 65536)
            except OSError:  # Linux: the other end is closed
                break
    os.close(terminal)
    assert asked.returncode == 0, said.decode()
    assert "'shrot' is not one of" in said.decode()
    suite = read_suite("task", tmp_path / "task")
    assert (suite.kind, suite.cluster, suite.system) == ("knowledge", None, "Be terse, clerk.")
    assert suite.scorers[0].scorer == "answer"


def test_enter_to_every_question_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path, [{**row, "customer": i // 2} for i, row in enumerate(pairs(120))])
    assert main(["init", str(tmp_path / "a" / "task"), "--from", str(source), "--yes"]) == 0
    monkeypatch.setattr(cli_init, "on_terminal", lambda: True)
    asked: list[str] = []
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: asked.append(prompt) or "")
    assert main(["init", str(tmp_path / "b" / "task"), "--from", str(source)]) == 0
    one, two = (read_suite("task", tmp_path / x / "task") for x in "ab")
    assert one.digest == two.digest
    assert len(asked) == 6


def test_too_few_that_differ_are_said() -> None:
    page = "tell me please what you think of the {} long and winding story of the last page of the big red book, number"
    rows = [Pair(f"{i} {page.format(ANIMALS[i // 4] * 3)} {i}", "x", f"f:{i}") for i in range(40)]
    rows += [Pair(f"{i} apples", "y", f"f:{i}") for i in range(4)]
    with pytest.raises(HarnessError, match="only 4 prompts differ from all others"):
        split_pairs(rows, 0)
