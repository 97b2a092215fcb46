"""The trainer: what is taught, that it equals a plain loop, and that breaking it off changes nothing."""

from __future__ import annotations

import copy
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, log_softmax

from harness.data import Model, TrainSpec
from harness.digests import adapter_digest
from harness.errors import AdapterError, ConfigError, HarnessError, MachineError, SuiteError
from harness.train import forward, lora
from harness.train.card import read_card
from harness.train.data import TrainRow, check_rows, micro_batches, plan, rate, share, stream
from harness.train.loop import train
from harness.train.steps import fit, mean_loss, one_step, prepare

EOS = 2
SHAPE = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 64}


def spec(**changes: Any) -> TrainSpec:
    return TrainSpec(**{"suites": ("s",), "rank": 4, "alpha": 8, "learning_rate": 1.0e-2, "batch_size": 4, **changes})


def made_up(count: int, seed: int = 0) -> list[TrainRow]:
    """Rows of different lengths; every completion ends with the end-of-turn token."""
    draw = torch.Generator().manual_seed(seed)

    def some(low: int, high: int) -> tuple[int, ...]:
        length = int(torch.randint(low, high + 1, (1,), generator=draw))
        return tuple(torch.randint(3, 64, (length,), generator=draw).tolist())

    return [TrainRow(some(2, 12), (*some(1, 6), EOS), f"row-{i}") for i in range(count)]


def tiny(seed: int = 0, **changes: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    sizes = SHAPE | {"num_key_value_heads": 2, "max_position_embeddings": 64, "eos_token_id": EOS, "pad_token_id": 0}
    config = LlamaConfig(**sizes, initializer_range=0.4, **changes)
    return LlamaForCausalLM(config).eval().requires_grad_(False)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("base")
    tiny().save_pretrained(folder)
    return Model("tiny", str(folder))


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "adapter_model.safetensors"))


def same(left: Path, right: Path) -> bool:
    return (left / "adapter_model.safetensors").read_bytes() == (right / "adapter_model.safetensors").read_bytes()


# --- what is taught ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "keep", "labels", "reason"),
    [
        ([TrainRow((5, 6, 7), (8, 9, EOS))], (2, 3, 4), (8, 9, EOS), "the last prompt token predicts the first answer"),
        ([TrainRow((5,), (EOS,))], (0,), (EOS,), "an answer may be the end of turn alone"),
        ([TrainRow((5, EOS, 6, EOS), (7, EOS))], (3, 4), (7, EOS), "an end of turn inside the prompt is no label"),
        ([TrainRow((0, 0, 5), (0, EOS))], (2, 3), (0, EOS), "a pad id in the answer is a label like any other"),
        ([TrainRow((5, 6), (7, EOS)), TrainRow((8,), (9, EOS))], (1, 2, 4, 5), (7, EOS, 9, EOS), "rows end to end"),
    ],
)
def test_the_loss_is_on_the_completion_only(
    rows: list[TrainRow], keep: tuple[int, ...], labels: tuple[int, ...], reason: str
) -> None:
    laid = stream(rows)
    assert (laid.keep, laid.labels) == (keep, labels), reason
    assert laid.positions == tuple(i for row in rows for i in range(len(row)))


def test_every_label_is_predicted_from_the_token_before_it() -> None:
    base, rows = tiny(), made_up(6)
    forward.choose(base, rows)
    together = forward.nats(base, stream(rows))
    plain = tiny()
    expected = []
    for row in rows:
        logits = plain(input_ids=torch.tensor([row.prompt_ids + row.completion_ids])).logits[0]
        for i, label in enumerate(row.completion_ids):
            expected.append(-log_softmax(logits[len(row.prompt_ids) + i - 1], -1)[label])
    assert torch.allclose(together, torch.stack(expected), atol=1e-5)


def test_all_steps_but_the_last_are_full_and_every_row_is_seen_in_turn() -> None:
    steps = plan(10, spec(epochs=2.5, batch_size=4))
    order = [number for step in steps for number in step]
    assert [len(step) for step in steps] == [4, 4, 4, 4, 4, 4, 1]
    assert sorted(order[:10]) == sorted(order[10:20]) == list(range(10))
    assert order[:10] != order[10:20]
    assert plan(10, spec(epochs=2.5, seed=1)) != steps
    assert plan(10, spec(epochs=2.5, max_steps=3)) == steps[:3]


def test_a_smaller_share_is_a_subset_of_a_larger_one() -> None:
    rows = made_up(40)
    eighth, half = share(rows, 0.125, seed=3), share(rows, 0.5, seed=3)
    assert (len(eighth), len(half)) == (5, 20)
    assert set(eighth) < set(half)
    assert share(rows, 0.5, seed=4) != half
    assert len(share(rows, 0.001, seed=0)) == 1


def test_micro_batches_hold_every_row_once_within_their_size() -> None:
    rows = made_up(30)
    groups = micro_batches(rows, 40)
    assert sorted(row.id for group in groups for row in group) == sorted(row.id for row in rows)
    assert all(sum(len(row) for row in group) <= 40 for group in groups)
    assert [len(group) for group in micro_batches(rows, 0)] == [1] * 30


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_the_rate_warms_up_to_its_peak_and_no_step_is_wasted(schedule: Any) -> None:
    recipe = spec(schedule=schedule, warmup=0.1, learning_rate=1.0)
    rates = [rate(recipe, step, 100) for step in range(100)]
    assert rates[9] == rates[10] == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert min(rates) > 0
    assert rate(spec(warmup=0.0, learning_rate=1.0), 0, 1) == 1.0


# --- rows do not see each other ---------------------------------------------------------------------------------------


def _architectures() -> dict[str, Callable[[], Any]]:
    import transformers as t

    heads = {"num_key_value_heads": 2, "initializer_range": 0.2}
    return {
        "llama": tiny,
        "qwen2 with biases": lambda: t.Qwen2ForCausalLM(t.Qwen2Config(**SHAPE, **heads)),
        "mistral with a window shorter than a row": lambda: t.MistralForCausalLM(
            t.MistralConfig(**SHAPE, **heads, sliding_window=4)
        ),
        "gemma2 with soft caps": lambda: t.Gemma2ForCausalLM(t.Gemma2Config(**SHAPE, **heads, head_dim=8)),
        "gpt2": lambda: t.GPT2LMHeadModel(
            t.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=64, initializer_range=0.2)
        ),
    }


@pytest.mark.parametrize("name", list(_architectures()))
def test_neighbours_do_not_move_a_row(name: str) -> None:
    torch.manual_seed(0)
    base, rows = _architectures()[name]().eval(), made_up(7)
    alone = [forward.nats(base, stream([row])) for row in rows]
    assert forward.choose(base, rows)
    together = forward.nats(base, stream(rows)).split([len(row.completion_ids) for row in rows])
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(alone, together, strict=True))


def test_a_model_that_cannot_keep_rows_apart_gets_one_row_at_a_time() -> None:
    from transformers import MambaConfig, MambaForCausalLM

    torch.manual_seed(0)
    config = MambaConfig(hidden_size=16, num_hidden_layers=1, vocab_size=64, state_size=4, initializer_range=0.2)
    base, rows = MambaForCausalLM(config).eval(), made_up(4)
    assert not forward.choose(base, rows)
    candidate = prepare(base, spec(target_modules=("in_proj",)), rows)
    assert [len(group) for group in micro_batches(rows, candidate.stream_tokens)] == [1] * 4


# --- it equals a plain loop -------------------------------------------------------------------------------------------


def _double(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tiny model in float64 throughout: transformers' norm would go through float32."""
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    def norm(self: Any, x: Any) -> Any:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))

    monkeypatch.setattr(LlamaRMSNorm, "forward", norm)
    return tiny().double()


def test_it_equals_a_plain_peft_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    base, rows = _double(monkeypatch), made_up(18)
    recipe = spec(epochs=2.7, weight_decay=0.1, clip_norm=0.5, warmup=0.2, schedule="cosine", max_steps=12)
    plain = lora.attach(copy.deepcopy(base), recipe)
    assert {name.split(".")[-3] for name in lora.trainable(plain)} == {"lora_A", "lora_B"}

    candidate = prepare(base, recipe, rows)
    candidate.stream_tokens = 30
    fit(candidate)

    parameters = [p for p in plain.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=0.0, weight_decay=0.1, foreach=False)
    steps = plan(len(rows), recipe)
    assert len(steps) == 12
    for number, step in enumerate(steps):
        sums, count = [], 0
        for row in (rows[i] for i in step):
            ids = torch.tensor([row.prompt_ids + row.completion_ids])
            logits = plain(input_ids=ids).logits[0, len(row.prompt_ids) - 1 : -1]
            sums.append(cross_entropy(logits, torch.tensor(row.completion_ids), reduction="sum"))
            count += len(row.completion_ids)
        (torch.stack(sums).sum() / count).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 0.5)
        optimizer.param_groups[0]["lr"] = rate(recipe, number, 12)
        optimizer.step()
        optimizer.zero_grad()

    expected = lora.trainable(plain)
    assert max(float((candidate.weights[n].detach() - expected[n].detach()).abs().max()) for n in expected) <= 1e-10
    assert max(float(w.detach().abs().max()) for n, w in expected.items() if "lora_B" in n) > 1e-3


def test_how_a_step_is_split_does_not_move_its_gradient() -> None:
    rows = made_up(8)
    after = []
    for tokens in (10_000, 40, 0):
        candidate = prepare(tiny(), spec(batch_size=8, clip_norm=1e9), rows)
        candidate.stream_tokens = tokens
        # the step itself would turn rounding into a whole step of Adam, so look at what reaches the optimizer
        candidate.optimizer.step = lambda: None
        candidate.optimizer.zero_grad = lambda set_to_none=True: None
        loss = one_step(candidate, range(8), 1.0e-2)
        gradient = torch.cat([w.grad.flatten() for w in candidate.weights.values() if w.grad is not None])
        after.append((loss, gradient))
    for loss, gradient in after[1:]:
        assert loss == pytest.approx(after[0][0], abs=1e-6)
        assert float((gradient - after[0][1]).norm() / after[0][1].norm()) < 1e-6


def test_the_base_is_left_as_it_was() -> None:
    base, rows = tiny(), made_up(8)
    candidate = prepare(base, spec(max_steps=2), rows)
    fit(candidate)
    fresh = {name.replace(".weight", ""): weight for name, weight in tiny().state_dict().items()}
    for name, weight in candidate.model.get_base_model().state_dict().items():
        if "lora_" not in name:
            assert torch.equal(weight, fresh[name.replace(".base_layer", "").replace(".weight", "")])


# --- what it learns ---------------------------------------------------------------------------------------------------


def test_twenty_rows_are_learned_by_heart_and_every_answer_ends(model: Model, tmp_path: Path) -> None:
    from peft import PeftModel

    rows = made_up(20, seed=5)
    recipe = spec(rank=8, alpha=16, learning_rate=2.0e-2, epochs=40, batch_size=10)
    result = train(recipe, model, rows, rows[:4], tmp_path / "a")
    assert result.card["dev_loss"]["after"] < 0.1 < 3 < result.card["dev_loss"]["before"]
    tuned = PeftModel.from_pretrained(tiny(), tmp_path / "a")
    right = 0
    for row in rows:
        prompt = torch.tensor([row.prompt_ids])
        out = tuned.generate(
            input_ids=prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=20, do_sample=False
        )
        right += tuple(out[0, len(row.prompt_ids) :].tolist()) == row.completion_ids
    assert right >= 19


def test_the_saved_adapter_gives_the_trainers_log_probabilities(tmp_path: Path) -> None:
    from peft import PeftModel

    rows = made_up(12)
    candidate = prepare(tiny(), spec(epochs=6), rows)
    fit(candidate)
    lora.save(candidate.model, tmp_path, "tiny")
    tuned = PeftModel.from_pretrained(tiny(), tmp_path)
    base = candidate.model.get_base_model()
    for row in rows:
        ours = -forward.nats(base, stream([row]))
        logits = tuned(input_ids=torch.tensor([row.prompt_ids + row.completion_ids])).logits[0]
        theirs = log_softmax(logits[len(row.prompt_ids) - 1 : -1], -1)[
            range(len(row.completion_ids)), list(row.completion_ids)
        ]
        assert float((ours - theirs).detach().abs().max()) <= 1e-5
    assert mean_loss(candidate, rows) == pytest.approx(candidate.losses[-1], rel=0.5)


def test_the_folder_is_a_plain_peft_adapter_without_this_machines_paths(model: Model, tmp_path: Path) -> None:
    (tmp_path / "base").symlink_to(model.path)
    rows = made_up(8)
    result = train(spec(max_steps=2), Model("m", "base"), rows, rows[:3], tmp_path / "out" / "a", root=tmp_path)
    folder = tmp_path / "out" / "a"
    config = json.loads((folder / "adapter_config.json").read_text())
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "training.json",
    ]
    assert (config["r"], config["lora_alpha"], config["peft_type"], config["bias"]) == (4, 8, "LORA", "none")
    assert config["base_model_name_or_path"] == "base"
    assert config["modules_to_save"] is None
    assert all(name.endswith(("lora_A.weight", "lora_B.weight")) for name in weights(folder))
    assert str(tmp_path) not in "".join(path.read_text() for path in folder.glob("*.json"))
    card = read_card(folder)
    assert card is not None
    assert card["adapter_digest"] == adapter_digest(folder)
    assert (
        card["trainable_parameters"] == result.trainable_parameters == sum(w.numel() for w in weights(folder).values())
    )
    assert (card["examples"], card["steps"], result.steps, len(card["losses"])) == (8, 2, 2, 2)
    assert card["recipe"]["rank"] == 4
    assert card["peak_memory_mb"] > 0


# --- again, and broken off --------------------------------------------------------------------------------------------


def test_the_same_recipe_gives_the_same_bytes_and_another_seed_does_not(model: Model, tmp_path: Path) -> None:
    rows = made_up(12)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(spec(seed=seed), model, rows, (), tmp_path / name)
    assert same(tmp_path / "a", tmp_path / "b")
    assert adapter_digest(tmp_path / "a") == adapter_digest(tmp_path / "b")
    assert not same(tmp_path / "a", tmp_path / "c")


def test_what_is_trained_is_kept_until_the_recipe_or_the_files_change(model: Model, tmp_path: Path) -> None:
    rows, out = made_up(8), tmp_path / "a"
    first = train(spec(max_steps=2), model, rows, (), out)
    again = train(spec(max_steps=2), model, rows, (), out)
    assert (first.reused, again.reused, again.card) == (False, True, json.loads(json.dumps(first.card)))
    assert not train(spec(max_steps=2, rank=2), model, rows, (), out).reused
    assert not train(spec(max_steps=2, rank=2), model, rows[1:], (), out).reused
    file = out / "adapter_config.json"
    file.write_text(file.read_text().replace('"r": 2', '"r": 3'))
    assert not train(spec(max_steps=2, rank=2), model, rows[1:], (), out).reused
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


TRAIN_SLOWLY = """
import sys, torch
from pathlib import Path
from harness.train.loop import train
torch.set_num_threads(1)
sys.path.insert(0, {tests!r})
import test_train as t
show = lambda step, *rest: print(step, flush=True)
rows, dev, base = t.made_up(24), t.made_up(3), t.Model("tiny", {base!r})
train(t.spec(epochs=9), base, rows, dev, Path({out!r}), progress=show, checkpoint_every=0)
"""


def test_a_killed_training_goes_on_where_it_stopped_bit_for_bit(model: Model, tmp_path: Path) -> None:
    code = TRAIN_SLOWLY.format(tests=str(Path(__file__).parent), base=model.path, out=str(tmp_path / "killed"))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "7":
            process.kill()
            break
    process.wait()
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    steps: list[int] = []
    train(
        spec(epochs=9),
        model,
        made_up(24),
        made_up(3),
        tmp_path / "killed",
        progress=lambda step, *_: steps.append(step),
    )
    whole = train(spec(epochs=9), model, made_up(24), made_up(3), tmp_path / "whole")
    assert 7 < steps[0] < 54 == steps[-1]
    assert same(tmp_path / "killed", tmp_path / "whole")
    card = read_card(tmp_path / "killed")
    assert card is not None
    assert (card["losses"], card["dev_loss"]) == (json.loads(json.dumps(whole.card["losses"])), whole.card["dev_loss"])
    assert train(spec(epochs=9), model, made_up(24), (), tmp_path / "killed").reused


def test_ctrl_c_finishes_the_step_and_leaves_a_checkpoint(model: Model, tmp_path: Path) -> None:
    def stop_at_three(step: int, *rest: Any) -> None:
        if step == 3:
            signal.raise_signal(signal.SIGINT)

    rows = made_up(12)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(spec(), model, rows, (), tmp_path / "a", progress=stop_at_three)
    assert signal.getsignal(signal.SIGINT) is handler
    steps: list[int] = []
    train(spec(), model, rows, (), tmp_path / "a", progress=lambda step, *_: steps.append(step))
    train(spec(), model, rows, (), tmp_path / "b")
    assert steps[0] == 5
    assert same(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("damage", ["another recipe", "a torn file", "resume=False"])
def test_a_checkpoint_that_does_not_fit_is_not_used(model: Model, tmp_path: Path, damage: str) -> None:
    def stop(step: int, *rest: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    rows = made_up(8)
    with pytest.raises(KeyboardInterrupt):
        train(spec(seed=damage == "another recipe"), model, rows, (), tmp_path / "a", progress=stop)
    file = tmp_path / "a.partial" / "checkpoint"
    if damage == "a torn file":
        file.write_bytes(file.read_bytes()[:1000])
    steps: list[int] = []
    train(
        spec(), model, rows, (), tmp_path / "a",
        resume=damage != "resume=False", progress=lambda step, *_: steps.append(step),
    )  # fmt: skip
    assert steps[0] == 1


def test_an_adapter_is_replaced_only_when_the_new_one_is_complete(model: Model, tmp_path: Path) -> None:
    rows, out = made_up(8), tmp_path / "a"
    train(spec(max_steps=2), model, rows, (), out)
    before = adapter_digest(out)

    def stop(step: int, *rest: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(spec(seed=9), model, rows, (), out, progress=stop)
    assert adapter_digest(out) == before
    train(spec(seed=9), model, rows, (), out)
    assert adapter_digest(out) != before


def test_a_crash_between_the_two_renames_loses_nothing(model: Model, tmp_path: Path) -> None:
    rows, out = made_up(8), tmp_path / "a"
    train(spec(max_steps=2), model, rows, (), out)
    out.rename(tmp_path / "a.old")
    assert train(spec(max_steps=2), model, rows, (), out).reused
    out.rename(tmp_path / "a.partial")
    assert train(spec(max_steps=2), model, rows, (), out).steps == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


# --- mistakes, in one line --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "rows", "error", "words"),
    [
        ({}, [], SuiteError, ["adapter a", "no training rows", "suite s"]),
        ({}, [TrainRow((5,), (), "sql-0007")], SuiteError, ["train row sql-0007", "empty completion"]),
        ({}, [TrainRow((), (5, EOS))], SuiteError, ["train row 1", "empty prompt"]),
        ({}, [TrainRow((5,) * 60, (5,) * 5, "x-1")], SuiteError, ["train row x-1", "65 tokens", "takes 64"]),
        ({}, [TrainRow((5,), (64,), "x-1")], SuiteError, ["train row x-1", "64 tokens", "tokenizer"]),
        ({"target_modules": ("q_prj",)}, None, AdapterError, ["'q_prj'", "Did you mean 'q_proj'?"]),
        ({"target_modules": ("lm_head",)}, None, AdapterError, ["'lm_head'"]),
        ({"learning_rate": 1.0e30, "clip_norm": 1.0e30}, None, MachineError, ["diverged", "learning_rate 1e+30"]),
    ],
)
def test_a_mistake_is_one_line_that_names_it(
    model: Model, tmp_path: Path, changes: dict[str, Any], rows: list[TrainRow] | None, error: Any, words: list[str]
) -> None:
    with pytest.raises(error) as caught:
        train(spec(**changes), model, made_up(8) if rows is None else rows, (), tmp_path / "a")
    message = str(caught.value)
    assert "\n" not in message
    assert not [word for word in words if word not in message], message
    assert not (tmp_path / "a").exists()


def test_a_dev_row_is_checked_too() -> None:
    with pytest.raises(SuiteError, match="dev row d-1: empty completion"):
        check_rows([TrainRow((5,), (), "d-1")], None, 64, "dev")


def test_a_model_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama", "vocab_size": 64}')
    with pytest.raises(ConfigError, match=r"^models\.broken: cannot load .*") as caught:
        train(spec(), Model("broken", str(tmp_path)), made_up(3), (), tmp_path / "a")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_ours_is_never_replaced(model: Model, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(AdapterError, match="was not made by harness train"):
        train(spec(), model, made_up(3), (), tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "all of it"


def test_a_path_that_cannot_be_written_is_one_line(model: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AdapterError, match=r"Not a directory\. Choose a path"):
        train(spec(), model, made_up(3), (), tmp_path / "file" / "a")


def test_a_full_disk_is_one_line_and_training_goes_on_later(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*paths: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    rows, steps = made_up(8), []
    with monkeypatch.context() as patch:
        patch.setattr("harness.train.lora.write_file", full)
        with pytest.raises(MachineError, match=r"No space left on device\. Free some space"):
            train(spec(), model, rows, (), tmp_path / "a", checkpoint_every=0)
    train(spec(), model, rows, (), tmp_path / "a", progress=lambda step, *_: steps.append(step))
    assert not steps
    assert (tmp_path / "a" / "adapter_config.json").is_file()


def test_two_processes_do_not_train_the_same_adapter(model: Model, tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "a.partial").mkdir()
    handle = os.open(tmp_path / "a.partial", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(HarnessError, match="another process is training it"):
            train(spec(), model, made_up(3), (), tmp_path / "a")
    finally:
        os.close(handle)
