"""harness export --verify: what is said of a served model that does, or does not, answer as the evaluated one."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_server import Reply, chat, error, serve, solved
from project import make_project

from harness import served
from harness.config import read_config
from harness.data import Row, Run
from harness.engines import processes
from harness.errors import AdapterError, EngineError, HarnessError, RunError
from harness.runner import run
from harness.served import Proof, check_before, prove
from harness.suite import read_suite

Trouble = Callable[[int, Mapping[str, Any]], Reply | None]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """40 sums that the arm lora answered rightly, with prompts of ten tokens."""
    folder = tmp_path_factory.mktemp("served")
    config = read_config(make_project(folder))
    made = run(
        config, [read_suite("sums", folder)], [config.arms["lora"], config.arms["base"]], folder / "run", root=folder
    )

    def of_ten(row: Row) -> Row:
        return replace(row, completion=replace(row.completion, prompt_tokens=10))

    return replace(made, rows=tuple(map(of_ten, made.rows)))


def asked(evaluated: Run, monkeypatch: pytest.MonkeyPatch, trouble: Trouble, arm: str = "lora") -> Proof:
    """What a server with this trouble comes to."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")

    @contextmanager
    def stub(command: str) -> Iterator[str]:
        assert command == "vllm serve x"
        with serve(models=("tuned",), key="", trouble=trouble) as server:
            yield server.url.removesuffix("/v1")

    monkeypatch.setattr(served, "serving", stub)
    suite = read_suite(evaluated.manifest["suites"]["sums"]["path"])
    return prove("vllm serve x", "tuned", evaluated, arm, {"sums": suite}, ["merge: note"])


def test_the_same_answers_reproduce_the_scores(evaluated: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = asked(evaluated, monkeypatch, lambda number, body: None)
    assert (proof.holds, proof.exit_code) == (True, 0)
    text = proof.as_text()
    assert "sums (test, n=40): served 100.0 %, evaluated 100.0 %; 40 answers are the same" in text
    assert text.endswith(f"The served model reproduces {evaluated.path}:lora.")
    assert "merge" not in text
    assert proof.as_dict()["reproduces"] is True


def test_a_bit_of_noise_is_no_difference(evaluated: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = asked(evaluated, monkeypatch, lambda number, body: chat("0") if number <= 2 else None)
    assert proof.holds
    assert proof.suites[0].same == 38


def _other_template(number: int, body: Mapping[str, Any]) -> Reply:
    code, headers, content = solved(body)
    return code, headers, content.replace(b'"prompt_tokens": 10', b'"prompt_tokens": 14')


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (_other_template, "template: 40 of 40 prompts have another number of tokens"),
        (lambda number, body: chat("0") if number % 3 == 0 else None, "scores: -32.5 points (p < 0.001)"),
        (lambda number, body: error(400, "no") if number == 7 else None, "1 of 40 requests failed"),
    ],
)
def test_what_differs_is_said(evaluated: Run, monkeypatch: pytest.MonkeyPatch, trouble: Trouble, said: str) -> None:
    proof = asked(evaluated, monkeypatch, trouble)
    assert (proof.holds, proof.exit_code) == (False, 4)
    assert f"sums: differs: {said}" in proof.as_text()
    assert "merge: note" in proof.as_text()
    assert proof.as_dict()["suites"][0]["differs"].startswith(said)


def test_other_wrong_answers_are_another_model(evaluated: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base knows half of the sums; a server that is wrong on the rest in its own way has the same score."""
    kept = {row.messages[-1]["content"]: row.completion.text for row in evaluated.rows if row.arm == "base"}

    def wrong(number: int, body: Mapping[str, Any]) -> Reply | None:
        text = kept[body["messages"][-1]["content"]]
        return chat("Who knows?") if text == "I do not know." else chat(text)

    proof = asked(evaluated, monkeypatch, wrong, arm="base")
    assert "answers: only 20 of 40 greedy answers are the same (sampling, dtype or merge)" in proof.as_text()


def test_what_cannot_be_verified_is_said_before(evaluated: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = evaluated.manifest["adapters"]["tuned"]["digest"]
    with pytest.raises(RunError, match=r"no arm 'none'\. It has: lora, base"):
        check_before(evaluated, "none", "tuned", digest)
    with pytest.raises(RunError, match="arm 'base' does not answer with adapter 'tuned'"):
        check_before(evaluated, "base", "tuned", digest)
    with pytest.raises(AdapterError, match=r"are not those that .* evaluated"):
        check_before(evaluated, "lora", "tuned", "another")
    monkeypatch.setattr(served, "_installed", lambda name="": False)
    with pytest.raises(HarnessError, match=r"vLLM is not installed. Install it with: pip install '.\[vllm\]'"):
        check_before(evaluated, "lora", "tuned", digest)


def test_a_server_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "VLLM", "import sys; sys.exit('ValueError: no such model')")
    with (
        pytest.raises(EngineError, match="`vllm serve` did not start: ValueError: no such model"),
        served.serving("vllm serve x"),
    ):
        pass


HEALTHY = """
import http.server, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Health).serve_forever()
"""


def test_a_server_and_what_it_started_end_with_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "VLLM", HEALTHY)
    monkeypatch.setattr(served, "STARTS_WITHIN", 60.0)
    before = processes.under()
    with served.serving("vllm serve x --dtype float32") as address:
        assert urllib.request.urlopen(f"{address}/health", timeout=10).status == 200
        assert len(processes.since(before)) == 2
    assert processes.since(before) == []


def test_samples_that_the_suite_no_longer_has_cannot_be_asked(evaluated: Run) -> None:
    suite = read_suite(evaluated.manifest["suites"]["sums"]["path"])
    with pytest.raises(RunError, match="no written answers to samples that its suites still have"):
        prove("vllm serve x", "tuned", evaluated, "lora", {"sums": replace(suite, test=())})


def test_dev_is_asked_where_the_arm_answered_it(evaluated: Run, tmp_path: Path) -> None:
    suite = read_suite(evaluated.manifest["suites"]["sums"]["path"])
    assert served._kept(evaluated, "lora", suite)[0] == "test"
    folder = Path(evaluated.path).parent
    config = read_config(folder / "models.yaml")
    on_dev = replace(suite, test=suite.train[:10])
    run(config, [on_dev], [config.arms["lora"]], tmp_path / "dev", root=folder)
    split, pairs = served._kept(replace(evaluated, path=str(tmp_path)), "lora", replace(suite, dev=suite.train[:10]))
    assert (split, len(pairs)) == ("dev", 10)
