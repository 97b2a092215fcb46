"""The endpoint engine on a real `vllm serve`, held to the transformers engine on the embedded model in float32."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tiny_models import LINEAR, make_adapter

from harness import prompt
from harness.data import AdapterRef, Arm, Completion, Endpoint, Message, Model, Request, Sampling
from harness.digests import EMBEDDED
from harness.engines import open_engine, processes
from harness.errors import ConfigError
from harness.served import VLLM
from harness.suite import read_suite

KEY = "sk-local-93b1f6"
STARTS_WITHIN = 600


@dataclass(frozen=True)
class Served:
    url: str
    adapter: AdapterRef


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`vllm serve` of the embedded model and of an adapter under its own name; gone without a trace afterwards."""
    folder = tmp_path_factory.mktemp("serve")
    make_adapter(EMBEDDED, folder / "tuned", seed=1, rank=16, strength=0.25)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "VLLM_API_KEY": KEY,
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    command = [
        *(sys.executable, "-c", VLLM, "serve", str(EMBEDDED), "--served-model-name", "embedded"),
        *("--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager", "--max-num-seqs", "16"),
        # one slot more than adapters: on a CPU a request without an adapter takes the last one
        *("--enable-lora", "--max-loras", "2", "--max-lora-rank", "16", "--lora-target-modules", *LINEAR),
        *("--lora-modules", f"tuned={folder / 'tuned'}"),
    ]
    log = folder / "log"
    before, shared = processes.under(), set(os.listdir("/dev/shm"))
    with log.open("w") as stream:
        server = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=os.environ | settings)
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", server, log)
        yield Served(f"http://127.0.0.1:{port}/v1", AdapterRef("tuned", str(folder / "tuned"), "tuned"))
    finally:
        started = processes.since(before)
        memory = processes.shared_memory(started)
        server.terminate()
        try:
            server.wait(60)
        finally:
            processes.end(started)
            processes.free(memory)
    assert not [one for one in started if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert {name for name in set(os.listdir("/dev/shm")) - shared if not name.startswith("sem.")} == set()
    assert KEY not in log.read_text()


def _wait_for(health: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(health, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"vllm serve did not start:\n{log.read_text()[-3000:]}")


def _model(served: Served, name: str = "embedded") -> Model:
    return Model("m", name, engine={"concurrency": 8}, endpoint=Endpoint(served.url))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def _asked() -> list[tuple[str, tuple[Message, ...], tuple[str, ...]]]:
    """A few dev samples of two suites, rendered; questions with choices among them."""
    found = []
    for name in ("handbook", "forgetting"):
        suite = read_suite(name)
        for sample in [*suite.dev[:6], *[one for one in suite.dev if one.choices][:6]]:
            messages = prompt.render(suite, Arm("base", "m", system=True), sample)
            found.append((f"{name}/{sample.id}", messages, sample.choices))
    return found


def _here(adapter: AdapterRef | None) -> dict[str, Completion]:
    """What the transformers engine answers."""
    adapters = [adapter] if adapter else []
    engine = open_engine(Model("m", "embedded", engine={"device": "cpu", "dtype": "float32"}), adapters, "transformers")
    requests = []
    for identity, messages, texts in _asked():
        choices = tuple(tuple(engine.tokenizer.encode(text, add_special_tokens=False)) for text in texts)
        ids = prompt.encode(engine.tokenizer, messages)
        requests.append(Request(identity, ids, Sampling(max_tokens=16), adapter, choices, texts))
    answers = {request.key: completion for request, completion in engine.generate(requests)}
    engine.close()
    return answers


def _there(model: Model) -> dict[str, Completion]:
    """What the endpoint answers."""
    engine = open_engine(model)
    requests = [
        Request(identity, (), Sampling(max_tokens=16), choice_texts=texts, messages=messages)
        for identity, messages, texts in _asked()
    ]
    answers = {request.key: completion for request, completion in engine.generate(requests)}
    engine.close()
    return answers


@pytest.mark.parametrize("name", ["embedded", "tuned"])
def test_a_served_model_answers_as_it_does_here(served: Served, name: str) -> None:
    here, there = _here(served.adapter if name == "tuned" else None), _there(_model(served, name))
    written = {identity for identity, said in here.items() if said.finish_reason != "choice"}
    assert len(written) >= 6
    assert {one: there[one].text for one in written} == {one: here[one].text for one in written}
    assert {one: there[one].prompt_tokens for one in written} == {one: here[one].prompt_tokens for one in written}
    assert {one: there[one].finish_reason for one in written} == {one: here[one].finish_reason for one in written}
    chosen = [one for one in here if one not in written and there[one].choice_logprobs]
    assert chosen
    assert [there[one].text for one in chosen] == [here[one].text for one in chosen]


def test_an_adapter_served_under_a_name_answers_otherwise_than_its_base(served: Served) -> None:
    base, tuned = _there(_model(served)), _there(_model(served, "tuned"))
    assert {one: said.text for one, said in base.items()} != {one: said.text for one, said in tuned.items()}


def test_an_unknown_model_is_named_with_those_there_are(served: Served) -> None:
    with pytest.raises(ConfigError, match=r"has no model 'embeded'\. Did you mean 'embedded'") as caught:
        _there(_model(served, "embeded"))
    assert "It offers: embedded, tuned" in str(caught.value)


def test_a_refused_key_is_one_line(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    with pytest.raises(ConfigError, match=r"refuses the key in OPENAI_API_KEY \(401"):
        open_engine(_model(served))


def test_a_prompt_beyond_the_context_fails_alone(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    engine = open_engine(_model(served))
    asked = {"long": "word " * 5000, "short": "What is 12 + 30?"}
    requests = [
        Request(key, (), Sampling(max_tokens=8), messages=({"role": "user", "content": text},))
        for key, text in asked.items()
    ]
    found = {request.key: said for request, said in engine.generate(requests)}
    engine.close()
    assert (found["long"].finish_reason, found["short"].finish_reason in ("stop", "length")) == ("error", True)
    assert "context length" in capfd.readouterr().err
