"""harness export --verify on a real `vllm serve`: evaluated scores are reproduced, and a wrong server is found out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil
import pytest
from tiny_models import make_adapter

from harness import served
from harness.cli import main
from harness.digests import EMBEDDED
from harness.engines import processes
from harness.export import CARD
from harness.store import read_run
from harness.suite import read_suite

MODELS = """
models: {tiny: {path: MODEL, engine: {dtype: float32, device: cpu, max_model_len: 512}}}
adapters: {tuned: {model: tiny, path: tuned}}
arms: {lora: {model: tiny, adapter: tuned}}
"""
SUITE = """
name: talk
version: 1
prompt: {template: "{input}"}
scorers: [{scorer: similarity}]
sampling: {max_tokens: 16}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model with a random adapter, and what both said to 24 questions by the transformers engine."""
    folder = tmp_path_factory.mktemp("verified")
    make_adapter(EMBEDDED, folder / "tuned", seed=1, rank=16, strength=0.25)
    (folder / "models.yaml").write_text(MODELS.replace("MODEL", str(EMBEDDED)))
    (folder / "suites" / "talk").mkdir(parents=True)
    (folder / "suites" / "talk" / "suite.yaml").write_text(SUITE)
    rows = [
        {"id": f"t-{i}", "input": f"What is {i} + {2 * i + 3}?", "target": f"It is {3 * i + 3}."} for i in range(24)
    ]
    (folder / "suites" / "talk" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(["run", "-s", "talk", "--engine", "transformers", "--no-aa", "--out", "run"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_the_served_adapter_reproduces_its_evaluation(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    before, shared = processes.under(), set(os.listdir("/dev/shm"))
    code = main(["export", "tuned", "--out", "served", "--verify", "run:lora"])
    out = capsys.readouterr().out
    assert "The served model reproduces run:lora." in out, out
    assert code == 0
    card = json.loads((project / "served" / CARD).read_text())
    assert card["verified"]["reproduces"] is True
    (suite,) = card["verified"]["suites"]
    assert (suite["n"], suite["prompts"], suite["failed"]) == (24, 0, 0)
    assert suite["same"] >= 22
    assert not [one for one in processes.since(before) if one.status() != psutil.STATUS_ZOMBIE]
    assert {name for name in set(os.listdir("/dev/shm")) - shared if not name.startswith("sem.")} == set()


def test_a_server_without_the_adapter_is_found_out(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    command = f"vllm serve {EMBEDDED} --served-model-name tuned --dtype float32 --max-model-len 512"
    proof = served.prove(command, "tuned", read_run("run"), "lora", {"talk": read_suite("talk")})
    assert not proof.holds
    (suite,) = proof.suites
    assert (suite.prompts, suite.failed) == (0, 0)
    assert suite.same < 12
