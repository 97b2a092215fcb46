"""The transformers engine held to `model.generate` and to itself; the fake; the adapters that are refused."""

from __future__ import annotations

import gc
import json
import random
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import make_adapter, make_model

from harness.data import AdapterRef, Completion, Model, Request, Sampling
from harness.engines import Engine, applied, open_engine
from harness.engines.adapters import check_adapter
from harness.engines.batching import buckets
from harness.errors import AdapterError, ConfigError, EngineError, HarnessError
from harness.prompt import encode

GREEDY = Sampling(max_tokens=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_model(folder / "base")
    make_adapter(folder / "base", folder / "a", seed=1)
    make_adapter(folder / "base", folder / "b", seed=2, rank=4, modules=("q_proj", "down_proj"))
    return folder


@pytest.fixture(scope="module")
def adapters(folder: Path) -> tuple[AdapterRef, AdapterRef]:
    return AdapterRef("a", str(folder / "a"), "digesta"), AdapterRef("b", str(folder / "b"), "digestb")


@pytest.fixture(scope="module")
def engine(folder: Path, adapters: tuple[AdapterRef, AdapterRef]) -> Iterator[Engine]:
    model = Model("tiny", str(folder / "base"), engine={"device": "cpu", "batch_size": 16, "threads": 1})
    engine = open_engine(model, adapters, "transformers")
    yield engine
    engine.close()


def prompts(n: int, shared: int = 0, seed: int = 0) -> list[tuple[int, ...]]:
    """Random prompts of 3 to 60 tokens; with `shared`, every second one starts with the same that many."""
    source = random.Random(seed)
    start = [source.randrange(6, 300) for _ in range(shared)]
    return [
        (0, *(start if i % 2 else []), *(source.randrange(6, 300) for _ in range(source.randrange(3, 60))))
        for i in range(n)
    ]


def answers(engine: Engine, requests: list[Request]) -> dict[str, Completion]:
    return {request.key: completion for request, completion in engine.generate(requests)}


def reference(folder: Path, adapter: AdapterRef | None, prompt: tuple[int, ...], tokens: int) -> list[int]:
    """What transformers' own `generate` answers, one prompt at a time."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder / "base").eval()
    if adapter:
        model = PeftModel.from_pretrained(model, adapter.path).eval()
    ids = torch.tensor([prompt])
    out = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False, pad_token_id=5
    )
    return out[0, len(prompt) :].tolist()


@pytest.mark.parametrize("which", [None, 0, 1])
def test_greedy_answers_are_those_of_model_generate(
    engine: Engine, folder: Path, adapters: tuple[AdapterRef, AdapterRef], which: int | None
) -> None:
    adapter = None if which is None else adapters[which]
    asked = [Request(str(i), prompt, GREEDY, adapter) for i, prompt in enumerate(prompts(32, shared=70))]
    got = answers(engine, asked)
    for request in asked[:8]:
        ids = reference(folder, adapter, request.prompt_ids, GREEDY.max_tokens)
        assert got[request.key].text == engine.tokenizer.decode(ids, skip_special_tokens=True)
        assert got[request.key].completion_tokens == len(ids)


def test_a_shared_beginning_changes_no_answer(engine: Engine) -> None:
    asked = [Request(str(i), prompt, GREEDY) for i, prompt in enumerate(prompts(40, shared=100))]
    assert max(bucket.prefix for bucket in buckets([request.prompt_ids for request in asked])) >= 100
    together = answers(engine, asked)
    alone = {request.key: answers(engine, [request])[request.key] for request in asked}
    assert {key: one.text for key, one in together.items()} == {key: one.text for key, one in alone.items()}


def test_mixed_adapters_in_one_call_equal_separate_calls(
    engine: Engine, adapters: tuple[AdapterRef, AdapterRef]
) -> None:
    arms = [None, *adapters]
    asked = [
        Request(f"{i}/{n}", prompt, GREEDY, arm) for i, prompt in enumerate(prompts(8)) for n, arm in enumerate(arms)
    ]
    mixed = answers(engine, asked)
    separate: dict[str, Completion] = {}
    for n in range(3):
        separate |= answers(engine, [request for request in asked if request.key.endswith(f"/{n}")])
    assert {key: one.text for key, one in mixed.items()} == {key: one.text for key, one in separate.items()}
    assert len({mixed[f"0/{n}"].text for n in range(3)}) == 3


def test_padding_does_not_move_log_probabilities(engine: Engine) -> None:
    pair = ((7,), (8,))
    alone, *others = [
        Request(str(i), prompt, GREEDY, choices=pair, choice_texts=("x", "y"))
        for i, prompt in enumerate([(0, 9, 10), *prompts(10, seed=3)])
    ]
    lonely = answers(engine, [alone])["0"].choice_logprobs
    padded = answers(engine, [alone, *others])["0"].choice_logprobs
    assert lonely is not None
    assert padded is not None
    assert padded == pytest.approx(lonely, abs=1e-4)


def test_choices_are_scored_by_their_full_log_likelihood(
    engine: Engine, adapters: tuple[AdapterRef, AdapterRef]
) -> None:
    choices = ((7,), (8, 9), (8, 10, 11), (12,))
    asked = [
        Request(str(i), prompt, GREEDY, adapter, choices, ("w", "x", "y", "z"))
        for i, prompt in enumerate(prompts(30, shared=60))
        for adapter in [adapters[i % 2]]
    ]
    got = answers(engine, asked)
    for request in asked:
        sums = [sum(engine.token_logprobs(request.prompt_ids, choice, request.adapter)) for choice in choices]
        assert got[request.key].choice_logprobs == pytest.approx(sums, abs=1e-3)
        assert got[request.key].text == "wxyz"[sums.index(max(sums))]
        assert got[request.key].finish_reason == "choice"


def test_stop_string_ends_the_answer_and_is_not_part_of_it(engine: Engine) -> None:
    prompt = prompts(1)[0]
    free = answers(engine, [Request("0", prompt, Sampling(max_tokens=40))])["0"]
    stop = free.text[6:9]
    cut = answers(engine, [Request("0", prompt, Sampling(max_tokens=40, stop=("never there", stop)))])["0"]
    assert cut.text == free.text[: free.text.index(stop)]
    assert cut.finish_reason == "stop"
    assert cut.completion_tokens < free.completion_tokens


def test_token_limit_ends_the_answer(engine: Engine) -> None:
    got = answers(engine, [Request("0", prompts(1)[0], Sampling(max_tokens=3))])["0"]
    assert (got.finish_reason, got.completion_tokens) == ("length", 3)
    assert got.seconds > 0


def test_end_of_turn_ends_the_answer(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = prompts(1)[0]
    free = answers(engine, [Request("0", prompt, Sampling(max_tokens=20))])["0"]
    third = engine.tokenizer.encode(free.text, add_special_tokens=False)[2]
    monkeypatch.setattr(engine, "ends", frozenset({third}))
    got = answers(engine, [Request("0", prompt, Sampling(max_tokens=20))])["0"]
    assert got.finish_reason == "stop"
    assert got.completion_tokens <= 3


def test_same_seed_same_draw_whatever_the_batch(engine: Engine) -> None:
    warm = Sampling(max_tokens=12, temperature=1.0, top_p=0.9, seed=7)
    asked = [Request(str(i), prompt, warm) for i, prompt in enumerate(prompts(12))]
    together = answers(engine, asked)
    assert together["3"].text == answers(engine, [asked[3]])["3"].text
    other = answers(engine, [replace(asked[3], sampling=replace(warm, seed=8))])["3"]
    assert other.text != together["3"].text


def test_request_longer_than_the_context_is_refused_before_any_is_answered(engine: Engine) -> None:
    asked = [Request("0", (0, 7), GREEDY), Request("1", tuple(range(6, 300)) * 4, GREEDY)]
    with pytest.raises(HarnessError, match=r"1176 prompt tokens and 12 .* context of 1024"):
        next(engine.generate(asked))


def test_proof_of_application(engine: Engine, folder: Path, adapters: tuple[AdapterRef, AdapterRef]) -> None:
    assert applied(engine, adapters[0])[0] > 0.01
    make_adapter(folder / "base", folder / "idle", seed=3)
    from safetensors.torch import load_file, save_file

    file = folder / "idle" / "adapter_model.safetensors"
    save_file({name: tensor * ("lora_A" in name) for name, tensor in load_file(file).items()}, file)
    assert applied(engine, AdapterRef("idle", str(folder / "idle"), "idle")) == [0.0]


def test_retrained_adapter_at_the_same_path_is_another_one(engine: Engine, folder: Path, tmp_path: Path) -> None:
    path = make_adapter(folder / "base", tmp_path / "x", seed=4)
    ids = (0, 7, 8), (9, 10)
    first = engine.token_logprobs(*ids, AdapterRef("x", str(path), "first"))
    make_adapter(folder / "base", path, seed=5)
    second = engine.token_logprobs(*ids, AdapterRef("x", str(path), "second"))
    assert first != second
    assert engine.token_logprobs(*ids, AdapterRef("x", str(path), "first")) == first


def test_adapter_of_another_base_is_refused(engine: Engine, tmp_path: Path) -> None:
    make_model(tmp_path / "wide", hidden=256)
    path = make_adapter(tmp_path / "wide", tmp_path / "x", seed=4)
    with pytest.raises(AdapterError, match=r"512 wide where the base model has 256. It was trained on"):
        engine.token_logprobs((0, 7), (8,), AdapterRef("x", str(path), "wide"))


def test_closing_frees_the_weights(folder: Path) -> None:
    engine = open_engine(
        Model("tiny", str(folder / "base"), engine={"device": "cpu", "threads": 1}), (), "transformers"
    )
    weights = weakref.ref(engine.model)  # type: ignore[attr-defined]
    engine.close()
    gc.collect()
    assert weights() is None
    with pytest.raises(EngineError, match="closed"):
        next(engine.generate([Request("0", (0, 7), GREEDY)]))


# --- which engine ---


def test_unknown_engine_is_named_with_the_one_meant() -> None:
    with pytest.raises(HarnessError, match=r"unknown engine 'transformer'. Did you mean 'transformers'\?"):
        open_engine(Model("m", "fake"), (), "transformer")


def test_unknown_engine_option_is_named_with_the_one_meant() -> None:
    with pytest.raises(ConfigError, match=r"models.m.engine: unknown key 'dtyp'. Did you mean 'dtype'?"):
        open_engine(Model("m", "fake", engine={"dtyp": "float32"}))


def test_missing_vllm_says_how_to_install_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.engines.find_spec", lambda name: None)
    with pytest.raises(HarnessError, match=r"vLLM is not installed. Install it with: pip install '\.\[vllm"):
        open_engine(Model("m", str(folder / "base")), (), "vllm")


def test_folder_without_weights_is_the_users_mistake(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "base", tmp_path / "torn")
    (tmp_path / "torn" / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"models.m: cannot load"):
        open_engine(Model("m", str(tmp_path / "torn")), (), "transformers")


# --- adapters that would be served wrongly ---


@pytest.fixture
def broken(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder / "a", tmp_path / "broken"))


def edit(path: Path, **changes: object) -> None:
    file = path / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **changes}), "utf-8")


def test_sound_adapter_passes(folder: Path) -> None:
    check_adapter(folder / "a", 16)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"peft_type": "IA3"}, "peft_type is 'IA3'"),
        ({"r": 0}, "rank r is 0"),
        ({"r": 32}, "rank 32 is above the engine's 16"),
        ({"rank_pattern": {"q_proj": 64}}, "rank 64 is above the engine's 16"),
        ({"use_dora": True}, "does not serve DoRA"),
        ({"bias": "all"}, "trained biases"),
        ({"lora_bias": True}, "a LoRA bias"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"init_lora_weights": "pissa"}, "changes the base's weights"),
    ],
)
def test_adapter_that_would_be_served_wrongly_is_refused(broken: Path, changes: dict[str, object], says: str) -> None:
    edit(broken, **changes)
    with pytest.raises(AdapterError, match=says) as error:
        check_adapter(broken, 16)
    assert "\n" not in str(error.value)


def test_patterns_are_refused_where_vllm_ignores_them(broken: Path) -> None:
    edit(broken, alpha_pattern={"q_proj": 64})
    check_adapter(broken, 16)
    with pytest.raises(AdapterError, match="ignores rank_pattern and alpha_pattern"):
        check_adapter(broken, 16, patterns=False)


def test_missing_adapter_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="no such folder"):
        check_adapter(tmp_path / "none", 16)
    (tmp_path / "empty").mkdir()
    with pytest.raises(AdapterError, match=r"adapter_config.json is missing"):
        check_adapter(tmp_path / "empty", 16)


def test_adapter_config_that_is_not_json_is_named(broken: Path) -> None:
    (broken / "adapter_config.json").write_text("{peft", "utf-8")
    with pytest.raises(AdapterError, match=r"adapter_config.json is not JSON"):
        check_adapter(broken, 16)


@pytest.mark.parametrize("size", [0, 5, 100, 5000])
def test_torn_weights_are_named(broken: Path, size: int) -> None:
    file = broken / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(AdapterError, match="is torn"):
        check_adapter(broken, 16)


def test_missing_weights_are_named(broken: Path) -> None:
    (broken / "adapter_model.safetensors").rename(broken / "adapter_model.bin")
    with pytest.raises(AdapterError, match=r"only adapter_model.bin is there"):
        check_adapter(broken, 16)


def rename(path: Path, old: str, new: str) -> None:
    from safetensors.torch import load_file, save_file

    file = path / "adapter_model.safetensors"
    save_file({name.replace(old, new): tensor for name, tensor in load_file(file).items()}, file)


def test_adapter_on_the_head_is_refused(broken: Path) -> None:
    rename(broken, "model.layers.0.self_attn.q_proj", "lm_head")
    with pytest.raises(AdapterError, match="adapts lm_head"):
        check_adapter(broken, 16)


def test_tensor_that_would_be_dropped_is_named(broken: Path) -> None:
    rename(broken, "layers.0.self_attn.q_proj", "layers.0.self_attn.query")
    with pytest.raises(AdapterError, match=r"self_attn.query.lora_A.weight is outside the served modules"):
        check_adapter(broken, 16)


# --- the fake ---


def ask(engine: Engine, question: str, adapter: AdapterRef | None = None, **more: object) -> Request:
    ids = encode(engine.tokenizer, [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}])
    return Request(question, ids, Sampling(max_tokens=50), adapter, **more)  # type: ignore[arg-type]


def test_fake_answers_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "answers.jsonl"
    rows = [
        {"prompt": "the capital", "answer": "Paris"},
        {"prompt": "the capital of Peru", "answer": "Lima"},
        {"prompt": "the capital", "answer": "PARIS", "adapter": "loud"},
    ]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    engine = open_engine(Model("m", "fake", engine={"answers": str(table), "default": "?"}))
    loud = AdapterRef("loud", "nowhere", "d")
    asked = [
        ask(engine, "What is the capital of France?"),
        ask(engine, "What is the capital of Peru?"),
        ask(engine, "Why is it so, in the capital?", loud),
        ask(engine, "Who?"),
    ]
    assert [one.text for one in answers(engine, asked).values()] == ["Paris", "Lima", "PARIS", "?"]


def test_fake_tokenizer_keeps_any_text() -> None:
    tokenizer = open_engine(Model("m", "fake")).tokenizer
    for text in ("", "a", "naïve ☃ 漢字", "<|user|>hi<|end|>", "tabs\tand\nlines"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_fake_dies_when_told(tmp_path: Path) -> None:
    engine = open_engine(Model("m", "fake", engine={"die_after": 2}))
    stream = engine.generate([ask(engine, str(i)) for i in range(5)])
    assert [next(stream)[0].key, next(stream)[0].key] == ["0", "1"]
    with pytest.raises(EngineError, match="died after 2 answers"):
        next(stream)


def test_fake_chooses_the_answer_it_was_given() -> None:
    from harness.engines.fake import FakeEngine

    engine = FakeEngine(Model("m", "fake"), answer=lambda conversation, adapter: "B")
    request = ask(engine, "A or B?", choices=((1000,), (1001,)), choice_texts=("A", "B"))
    got = answers(engine, [request])["A or B?"]
    assert (got.text, got.finish_reason) == ("B", "choice")


def test_fake_adapter_is_applied_unless_told_otherwise() -> None:
    ref = AdapterRef("a", "nowhere", "d")
    assert applied(open_engine(Model("m", "fake")), ref)[0] > 0
    assert applied(open_engine(Model("m", "fake", engine={"ignore_adapters": True})), ref) == [0.0]


def test_no_memory_for_an_adapter_is_not_called_a_bad_adapter(
    engine: Engine, adapters: tuple[AdapterRef, AdapterRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **options: Any) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr("peft.PeftModel.from_pretrained", full)
    monkeypatch.setattr("peft.PeftModel.load_adapter", full)
    other = replace(adapters[0], digest="of another one")
    with pytest.raises(EngineError, match="ran out of memory when it loaded it"):
        engine.token_logprobs((1, 2), (3,), other)
