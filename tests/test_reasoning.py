"""Thinking is separated before scoring, kept in the row, counted, and its own status where it never ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from project import make_project

from harness.compare import summarize
from harness.config import read_config
from harness.data import Completion, Constraint, Request, Run, Sampling
from harness.engines import replies
from harness.engines.fake import FakeTokenizer
from harness.reasoning import counted, opens, read, separated
from harness.report import write_report
from harness.runner import run
from harness.store import read_run
from harness.suite import read_suite


@pytest.mark.parametrize(
    ("text", "opened", "answer", "thought"),
    [
        ("<think>2 + 2 is 4</think>\n\n4", False, "4", "2 + 2 is 4"),
        ("\n<thinking>\nhm\n</thinking>4", False, "4", "hm"),
        ("[THINK]hm[/THINK]4", False, "4", "hm"),
        ("hm</think>4", True, "4", "hm"),
        ("hm</think>4", False, "4", "hm"),
        ("<think></think>4", False, "4", ""),
        ("<think>a</think>b </think> c", False, "b </think> c", "a"),
        ("4", False, "4", ""),
        ("Write <think>x</think> like this.", False, "Write <think>x</think> like this.", ""),
        ("<reasoning>an element</reasoning>", False, "<reasoning>an element</reasoning>", ""),
        ("<thinker>an element</thinker>", False, "<thinker>an element</thinker>", ""),
        ("", False, "", ""),
    ],
)
def test_thinking_is_taken_off(text: str, opened: bool, answer: str, thought: str) -> None:
    found = separated(Completion(text, 5, 9, "stop", 0.5), opened)
    assert (found.text, found.reasoning, found.finish_reason) == (answer, thought, "stop")
    assert (found.prompt_tokens, found.completion_tokens, found.seconds) == (5, 9, 0.5)


@pytest.mark.parametrize(
    ("done", "opened"),
    [
        (Completion("<think>on and on", finish_reason="length"), False),
        (Completion("<think>on and on", finish_reason="stop"), False),
        (Completion("on and on", finish_reason="length"), True),
        (Completion("", finish_reason="length", reasoning="on and on"), False),
    ],
)
def test_thinking_that_never_ends_is_its_own_status(done: Completion, opened: bool) -> None:
    found = separated(done, opened)
    assert (found.text, found.reasoning, found.finish_reason) == ("", "on and on", "thinking")


def test_an_answer_that_is_cut_off_after_the_thinking_is_merely_cut_off() -> None:
    assert separated(Completion("<think>a</think>bb", finish_reason="length")).finish_reason == "length"
    assert separated(Completion("", finish_reason="error", error="no")) == Completion(
        "", finish_reason="error", error="no"
    )


def test_a_template_that_opens_the_thinking_is_noticed() -> None:
    tokenizer = FakeTokenizer()
    assert opens(tokenizer, tokenizer.encode("What?<|end|><|assistant|><think>\n"))
    assert not opens(tokenizer, tokenizer.encode("What is <think>?<|end|><|assistant|>"))
    assert not opens(None, ())


def test_tokens_of_thinking_are_counted_once() -> None:
    tokenizer = FakeTokenizer()
    assert counted(Completion("4", completion_tokens=9, reasoning="a" * 16), tokenizer).reasoning_tokens == 4
    assert counted(Completion("4", completion_tokens=3, reasoning="a" * 16), tokenizer).reasoning_tokens == 3
    told = Completion("4", completion_tokens=90, reasoning="a", reasoning_tokens=70)
    assert counted(told, tokenizer) == told
    assert counted(Completion("4", completion_tokens=9), tokenizer).reasoning_tokens == 0


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_a_servers_reasoning_is_kept(field: str) -> None:
    body: dict[str, Any] = {
        "choices": [{"message": {"content": "4", field: "2 + 2"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 8, "completion_tokens_details": {"reasoning_tokens": 6}},
    }
    reply = replies.read(body)
    assert (reply.text, reply.reasoning, reply.reasoning_tokens, reply.completion_tokens) == ("4", "2 + 2", 6, 8)


def _run(folder: Path, thoughts: str) -> Run:
    file = make_project(folder)
    suite = folder / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace("max_tokens: 8", "max_tokens: 30"))
    rows = [{"prompt": f"What is {i} plus {i + 100}?", "answer": f"{thoughts}{2 * i + 100}"} for i in range(40)]
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = read_config(file)
    return run(config, [read_suite("sums", folder)], [config.arms["base"]], folder / "run")


def test_a_run_scores_the_answer_and_keeps_the_thinking(tmp_path: Path) -> None:
    done = _run(tmp_path, "<think>I add the numbers.</think>\n")
    assert {s.score.value for s in done.scores} == {1.0}
    completion = read_run(tmp_path / "run").rows[0].completion
    assert completion.reasoning == "I add the numbers."
    assert 0 < completion.reasoning_tokens < completion.completion_tokens
    assert done == _run(tmp_path, "<think>I add the numbers.</think>\n")


def test_a_run_whose_thinking_never_ends_says_so(tmp_path: Path) -> None:
    done = _run(tmp_path, "<think>" + "I wonder. " * 30)
    assert {row.completion.finish_reason for row in done.rows} == {"thinking"}
    assert {s.score.value for s in done.scores} == {0.0}
    assert summarize(done)[0].cut_off == 40
    page = write_report([done], tmp_path / "page.html").html.read_text("utf-8")
    assert "tokens ran out while the model was thinking (base on sums: 100" in page


def test_what_is_held_to_a_schema_has_no_thinking_where_the_template_opens_it() -> None:
    tokenizer = FakeTokenizer()
    ids = tuple(tokenizer.encode("What?<|end|><|assistant|><think>\n"))
    held = Request("k", ids, Sampling(constraint=Constraint("json", "{}")))
    said = Completion('{"a": 1}', completion_tokens=3)
    assert read(tokenizer, held, said) == said
    assert read(tokenizer, Request("k", ids, Sampling()), said).finish_reason == "thinking"
