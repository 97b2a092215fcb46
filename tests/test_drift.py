"""Drift: the divergence of an adapter from its base on neutral text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import make_adapter, make_model

from harness.config import read_config
from harness.data import AdapterRef, Completion, Model, Request, Run, Sampling
from harness.digests import adapter_digest, text_digest
from harness.drift import TOP, divergence, measure, neutral_texts
from harness.engines.hf import TransformersEngine
from harness.errors import SuiteError
from harness.report import write_report
from harness.runner import run
from harness.store import read_run
from harness.suite import read_suite
from tests.project import SUITE, make_project

TEXTS = ["The tram stops beside the old mill.", "To make a soup, cut two onions.", "Thank you for it.", "It rains."]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransformersEngine]:
    folder = tmp_path_factory.mktemp("drift")
    made = TransformersEngine(Model("tiny", str(make_model(folder / "base"))))
    yield made
    made.close()


def _adapter(engine: TransformersEngine, folder: Path, strength: float) -> AdapterRef:
    base = Path(str(engine.model.config._name_or_path))
    path = make_adapter(base, folder / f"a{strength}", seed=1, strength=strength)
    return AdapterRef(f"a{strength}", str(path), adapter_digest(path))


def _whole(engine: TransformersEngine, ids: list[int], ref: AdapterRef | None) -> np.ndarray:
    """The log-probabilities of all 300 tokens."""
    every = tuple((token,) for token in range(300))
    request = Request("whole", tuple(ids), Sampling(), ref, every, tuple(map(str, range(300))))
    ((_, said),) = engine.generate([request])
    return np.array(said.choice_logprobs)


def test_equal_distributions_have_no_divergence_and_others_have_the_textbook_one() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        p, q = rng.dirichlet([0.5] * 12), rng.dirichlet([0.5] * 12)
        whole = float(np.sum(p * np.log(p / q)))
        assert divergence(np.log(p).tolist(), np.log(q).tolist()) == pytest.approx(whole, abs=1e-9)
        assert divergence(np.log(p).tolist(), np.log(p).tolist()) == pytest.approx(0, abs=1e-9)
        top = np.argsort(-p)[:6]
        assert divergence(np.log(p[top]).tolist(), np.log(q[top]).tolist()) <= whole + 1e-9


def test_likeliest_tokens_are_those_of_the_whole_distribution(engine: TransformersEngine) -> None:
    prompts = [engine.tokenizer.encode(text, add_special_tokens=False) for text in TEXTS]
    for ids, found in zip(prompts, engine.likeliest(prompts, 5), strict=True):
        values, tokens = torch.tensor(_whole(engine, ids, None)).topk(5)
        assert [token for token, _ in found] == tokens.tolist()
        assert [value for _, value in found] == pytest.approx(values.tolist(), abs=1e-4)


def test_drift_is_near_the_divergence_over_the_whole_vocabulary_and_below_it(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    ref = _adapter(engine, tmp_path, 0.2)
    found = measure(engine, TEXTS[2:], "base", {"a": ref})["a"]
    whole = []
    for text in TEXTS[2:]:
        ids = engine.tokenizer.encode(text, add_special_tokens=False)
        for length in sorted({math.ceil(share * len(ids)) for share in (0.25, 0.5, 0.75, 1.0)}):
            p, q = (
                np.array([engine.token_logprobs(ids[:length], [token], who)[0] for token in range(300)])
                for who in (None, ref)
            )
            whole.append(float(np.sum(np.exp(p) * (p - q))))
    assert 0.25 * np.mean(whole) <= found["kl"] <= np.mean(whole) + 1e-6
    assert found["low"] < found["kl"] < found["high"]
    assert (found["texts"], found["contexts"]) == (2, len(whole))


class _Failing:
    """An engine of one token per letter that fails on contexts that end with a given one."""

    max_model_len = 100

    class tokenizer:
        @staticmethod
        def encode(text: str, add_special_tokens: bool = False) -> list[int]:
            return list(text.encode())

    def __init__(self, fails: str) -> None:
        self.fails = fails.encode()

    def likeliest(self, prompts: Sequence[Sequence[int]], count: int) -> list[list[tuple[int, float]]]:
        return [[(0, math.log(0.5)), (1, math.log(0.25))] for _ in prompts]

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Completion]]:
        for request in requests:
            moved = math.log(0.5 - request.prompt_ids[-1] / 1000), math.log(0.25)
            failed = request.prompt_ids[-1] in self.fails
            yield request, Completion("", finish_reason="error") if failed else Completion("", choice_logprobs=moved)


def test_contexts_on_which_the_engine_fails_are_left_out() -> None:
    ref = {"a": AdapterRef("a", "a", "digest")}
    whole, part = (measure(_Failing(fails), ["aaaa", "bbbb", "cccc"], "base", ref)["a"] for fails in ("", "c"))  # type: ignore[arg-type]
    assert (whole["texts"], whole["contexts"], part["texts"], part["contexts"]) == (3, 12, 2, 8)
    assert part["kl"] < whole["kl"]
    json.dumps(part, allow_nan=False)
    for fails, texts in (("bc", ["aaaa", "bbbb", "cccc"]), ("", ["aaaa", ""]), ("", ["", ""])):
        assert measure(_Failing(fails), texts, "base", ref) == {}  # type: ignore[arg-type]


def test_the_interval_of_two_texts_is_as_wide_as_two_texts_allow() -> None:
    found = measure(_Failing(""), ["aaaa", "dddd"], "base", {"a": AdapterRef("a", "a", "digest")})["a"]  # type: ignore[arg-type]
    apart = divergence([math.log(0.5), math.log(0.25)], [math.log(0.4), math.log(0.25)]) - divergence(
        [math.log(0.5), math.log(0.25)], [math.log(0.403), math.log(0.25)]
    )
    assert found["high"] - found["kl"] == pytest.approx(12.706 * abs(apart) / 2, abs=2e-5)


def test_more_training_drifts_further(engine: TransformersEngine, tmp_path: Path) -> None:
    refs = {str(s): _adapter(engine, tmp_path, s) for s in (0.02, 0.1, 0.4)}
    found = measure(engine, TEXTS, "base", refs)
    assert found["0.02"]["kl"] < found["0.1"]["kl"] < found["0.4"]["kl"]


def test_what_is_known_is_not_measured_again_and_a_retrained_adapter_is(
    engine: TransformersEngine, tmp_path: Path
) -> None:
    ref = _adapter(engine, tmp_path, 0.1)
    first = measure(engine, TEXTS, "base", {"a": ref})
    marked = {"a": {**first["a"], "kl": 123.0}}
    assert measure(engine, TEXTS, "base", {"a": ref}, marked)["a"]["kl"] == 123.0
    again = AdapterRef("a", ref.path, "another digest")
    assert measure(engine, TEXTS, "base", {"a": again}, marked)["a"]["kl"] == first["a"]["kl"]
    assert measure(engine, TEXTS[:3], "base", {"a": ref}, marked)["a"]["kl"] != 123.0
    assert measure(engine, TEXTS, "another base", {"a": ref}, marked)["a"]["kl"] == first["a"]["kl"]


def test_without_neutral_text_there_is_no_drift(engine: TransformersEngine, tmp_path: Path) -> None:
    assert measure(engine, [], "base", {"a": _adapter(engine, tmp_path, 0.1)}) == {}


def _general(folder: Path) -> Path:
    config = make_project(folder)
    (folder / "suites" / "sums" / "suite.yaml").write_text(SUITE + "kind: general\n")
    rows = "".join(json.dumps({"id": str(i), "text": text}) + "\n" for i, text in enumerate(TEXTS))
    (folder / "suites" / "sums" / "drift.jsonl").write_text(rows)
    return config


def test_a_run_measures_drift_once_and_the_report_calls_it_a_warning(tmp_path: Path) -> None:
    checked = read_config(_general(tmp_path))
    suite = read_suite("sums", tmp_path)
    arms = [checked.arms["base"], checked.arms["lora"]]
    done = run(checked, [suite], arms, tmp_path / "r", root=tmp_path)
    moved = done.manifest["adapters"]["tuned"]["drift"]
    assert (moved["texts"], TOP) == (4, 20)
    assert run(checked, [suite], arms, tmp_path / "r", root=tmp_path).manifest["adapters"]["tuned"]["drift"] == moved
    page = write_report([done], tmp_path / "page.html").html.read_text("utf-8")
    assert "On neutral text tuned has moved" in page
    assert "an early warning, no verdict" in page


def test_a_run_on_another_base_measures_drift_anew(tmp_path: Path) -> None:
    checked = read_config(_general(tmp_path))
    suite, arms = read_suite("sums", tmp_path), [checked.arms["base"], checked.arms["lora"]]
    run(checked, [suite], arms, tmp_path / "r", root=tmp_path)
    file = tmp_path / "r" / "run.json"
    manifest = json.loads(file.read_text())
    manifest["adapters"]["tuned"]["drift"]["kl"] = 123.0
    file.write_text(json.dumps(manifest))
    assert _drift_of(run(checked, [suite], arms, tmp_path / "r", root=tmp_path))["kl"] == 123.0
    answers = tmp_path / "answers.jsonl"
    answers.write_text(answers.read_text() + '{"prompt": "What is it?", "answer": "another base"}\n')
    assert _drift_of(run(checked, [suite], arms, tmp_path / "r", root=tmp_path))["kl"] != 123.0


def test_drift_of_an_older_harness_is_read_and_measured_once_more(tmp_path: Path) -> None:
    """Its digest does not say on which base."""
    checked = read_config(_general(tmp_path))
    suite, arms = read_suite("sums", tmp_path), [checked.arms["base"], checked.arms["lora"]]
    moved = _drift_of(run(checked, [suite], arms, tmp_path / "r", root=tmp_path))
    file = tmp_path / "r" / "run.json"
    manifest = json.loads(file.read_text())
    ref = manifest["adapters"]["tuned"]["digest"]
    manifest["adapters"]["tuned"]["drift"] = {**moved, "digest": text_digest(ref, TEXTS)}
    file.write_text(json.dumps(manifest))
    page = write_report([read_run(tmp_path / "r")], tmp_path / "page.html").html.read_text("utf-8")
    assert "On neutral text tuned has moved" in page
    assert _drift_of(run(checked, [suite], arms, tmp_path / "r", root=tmp_path)) == moved


def _drift_of(done: Run) -> dict[str, Any]:
    found: dict[str, Any] = done.manifest["adapters"]["tuned"]["drift"]
    return found


def test_bad_neutral_text_is_named(tmp_path: Path) -> None:
    _general(tmp_path)
    (tmp_path / "suites" / "sums" / "drift.jsonl").write_text('{"id": "1", "text": "a"}\n{"id": "2"}\n')
    with pytest.raises(SuiteError, match=r"drift\.jsonl:2"):
        neutral_texts([read_suite("sums", tmp_path)])
