"""The trainer: what is taught, that it equals a plain loop, and that breaking it off changes nothing."""

from __future__ import annotations

import copy
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, log_softmax

from harness.data import Model, TrainSpec
from harness.digests import adapter_digest
from harness.errors import AdapterError, ConfigError, HarnessError, MachineError, SuiteError
from harness.train import attention, forward, lora
from harness.train.card import TrainResult, read_card
from harness.train.data import Segment, Stream, TrainRow, check_rows, plan, rate, segments, share, stream
from harness.train.fused import _spread
from harness.train.loop import Wanted, load_base, train
from harness.train.probe import check_memory, time_groups
from harness.train.steps import Candidate, Trunk, fit, gradients, mean_loss, passes, prepare

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


def train_one(
    recipe: TrainSpec, model: Model, rows: list[TrainRow], dev: Sequence[TrainRow], out: Path, **options: Any
) -> TrainResult:
    (result,) = train([Wanted(recipe, rows, dev, out)], model, **options)
    if result.stopped:
        raise MachineError(result.stopped)
    return result


def ready(base: Any, recipe: TrainSpec, rows: list[TrainRow]) -> tuple[Trunk, Candidate]:
    trunk, (candidate,) = prepare(base, [("a", recipe, rows)])
    return trunk, candidate


def apart(rows: Sequence[TrainRow]) -> list[Segment]:
    return [Segment((row,)) for row in rows]


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
        ([TrainRow((5, 6), (7, EOS)), TrainRow((8,), (9, EOS))], (1, 2, 3, 4), (7, EOS, 9, EOS), "rows end to end"),
    ],
)
def test_the_loss_is_on_the_completion_only(
    rows: list[TrainRow], keep: tuple[int, ...], labels: tuple[int, ...], reason: str
) -> None:
    laid = stream(apart(rows))
    assert (laid.keep, tuple(label for part in laid.segments for label in part.labels)) == (keep, labels), reason
    assert laid.positions == tuple(i for row in rows for i in range(len(row) - 1)), "nobody looks at a row's last token"


def test_every_label_is_predicted_from_the_token_before_it() -> None:
    base, rows = tiny(), made_up(6)
    forward.choose(base, rows)
    together = torch.cat(forward.nats(base, stream([Segment(tuple(rows))]), fused=True))
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


def test_segments_hold_every_row_once_within_their_size() -> None:
    rows = made_up(30)
    groups = segments(rows, 40)
    assert sorted(row.id for group in groups for row in group.rows) == sorted(row.id for row in rows)
    assert all(len(group) <= 40 for group in groups)
    assert [len(group.rows) for group in segments(rows, 0)] == [1] * 30


def begun(count: int, seed: int = 0, length: int = 12) -> list[TrainRow]:
    """Rows whose prompts begin with the same tokens."""
    beginning = tuple(range(20, 20 + length))
    return [TrainRow(beginning + row.prompt_ids, row.completion_ids, row.id) for row in made_up(count, seed)]


def test_the_beginning_that_prompts_share_is_in_the_stream_once() -> None:
    (segment,) = segments(begun(5), 1000)
    assert segment.shared == 12
    assert len(stream([segment]).ids) == len(segment) == 12 + sum(len(row) - 13 for row in begun(5))
    assert [part.shared for part in segments(begun(5, length=7), 1000)] == [0]
    assert [part.shared for part in segments(begun(5), 1000, share=False)] == [0]
    asked = TrainRow(tuple(range(20, 40)), (5, EOS))
    (same,) = segments([asked, asked], 1000)
    assert same.shared == 19, "the last prompt token predicts, so it stays with its row"


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
    base, rows = _architectures()[name]().eval(), begun(7)
    alone = torch.cat([forward.nats(base, stream([Segment((row,))]))[0] for row in rows])
    way = forward.choose(base, rows)
    assert way.together
    assert way.apart == way.fused == (name in ("llama", "qwen2 with biases", "gpt2")) or name.startswith("mistral")
    for shared in (0, 12) if way.apart else (0,):
        together = forward.nats(base, stream([Segment(tuple(rows), shared)], grain=way.grain), way.fused)[0]
        assert torch.allclose(alone, together, atol=1e-5)


def _attended(laid: Stream, dtype: torch.dtype, heads: int = 4, groups: int = 2) -> list[torch.Tensor]:
    """What is found for made-up rows of a stream, (N, heads, 8), and the gradients of query, key and value."""
    draw = torch.Generator().manual_seed(0)
    sizes = [(number, len(laid.ids), 8) for number in (heads, groups, groups)]
    given = [torch.randn(size, generator=draw, dtype=dtype).requires_grad_() for size in sizes]
    blocks = attention.layout(laid, heads, torch.device("cpu"), dtype)
    found = attention.attend(*given, 8**-0.5, blocks)
    return [found.detach(), *torch.autograd.grad(found, given, torch.randn(found.shape, generator=draw, dtype=dtype))]


def test_long_rows_attend_as_short_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = begun(6)
    laid = stream([Segment(tuple(rows), 12), Segment(tuple(rows[:3]))], grain=7)
    expected = _attended(laid, torch.float64)
    monkeypatch.setitem(attention.SCORES, "cpu", 1)
    for long in (0, 4 * 14 * 14):
        monkeypatch.setattr(attention, "LONG", long)
        blocks = attention.layout(laid, 4, torch.device("cpu"), torch.float64)
        assert {block.kernel for block in blocks} == ({True} if not long else {True, False})
        for one, other in zip(_attended(laid, torch.float64), expected, strict=True):
            assert float((one - other).abs().max()) <= 1e-12


def test_the_scores_of_a_long_row_are_not_kept() -> None:
    laid = stream([Segment((TrainRow((5,) * 800, (EOS,)),))])
    kept: list[int] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        _attended(laid, torch.float32)
    assert max(kept) < 800 * 800, "one head alone has so many"


def test_a_mask_is_laid_out_only_where_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(attention.SCORES, "meta", attention.SCORES["cuda"])
    rows = begun(3)

    def shapes(device: str, laid: Stream) -> list[tuple[int, ...] | None]:
        blocks = attention.layout(laid, 4, torch.device(device), torch.float32)
        assert all(block.mask is None or block.mask.device.type == device for block in blocks)
        return [None if block.mask is None else tuple(block.mask.shape) for block in blocks]

    longest = max(map(len, rows)) - 1
    whole, parted = stream([Segment(tuple(rows))]), stream([Segment(tuple(rows), 12)])
    assert shapes("meta", whole) == [None], "a GPU's kernel needs none for rows that share nothing"
    assert shapes("meta", parted) == [None, (longest - 12, longest)]
    assert shapes("cpu", whole) == [(longest, longest)]
    assert shapes("cpu", stream([Segment((TrainRow((5,) * 800, (EOS,)),))])) == [None]


LATE = {
    "llama": {"self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"},
    "gpt2": {"attn.c_proj", "mlp.c_fc", "mlp.c_proj"},
    "gemma2 with soft caps": set(),
}


@pytest.mark.filterwarnings("ignore:fan_in_fan_out is set")
@pytest.mark.parametrize("name", list(LATE))
def test_the_last_block_is_computed_only_where_a_label_is_predicted(name: str) -> None:
    torch.manual_seed(0)
    base, rows = _architectures()[name]().eval().requires_grad_(False), begun(5)
    layers = lora.linears(base)
    targets = tuple({layer.rsplit(".", 1)[-1] for layer in layers})
    trunk, candidate = ready(base, spec(target_modules=targets), rows)
    assert {layer.split(".1.")[-1] for layer in trunk.way.late} == LATE[name]
    assert all(".1." in layer for layer in trunk.way.late), "of the second block of two"
    for weight in candidate.tensors:
        torch.nn.init.normal_(weight, 0, 0.1)
    found = []
    for late in (trunk.way.late, frozenset[str]()):
        trunk.way = replace(trunk.way, late=late)
        (nats,) = trunk.nats([(candidate, Segment(tuple(rows), 12 if trunk.way.apart else 0))])
        found.append((nats, torch.autograd.grad(nats.sum(), candidate.tensors)))
    (few, few_gradients), (all_of_them, gradients_of_all) = found
    assert torch.allclose(few, all_of_them, atol=1e-6)
    for one, other in zip(few_gradients, gradients_of_all, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)
        assert float(one.abs().max()) > 0


def test_what_fills_up_a_product_is_in_no_output() -> None:
    rows, places = torch.tensor([[1.0], [2.0], [9.0]]), torch.tensor([0, 3, 0])
    assert _spread(rows, (1, 4, 5), (places, 2)).flatten().tolist() == [1, 0, 0, 2]


def test_a_model_that_cannot_keep_rows_apart_gets_one_row_at_a_time() -> None:
    from transformers import MambaConfig, MambaForCausalLM

    torch.manual_seed(0)
    config = MambaConfig(hidden_size=16, num_hidden_layers=1, vocab_size=64, state_size=4, initializer_range=0.2)
    base, rows = MambaForCausalLM(config).eval(), made_up(4)
    assert not forward.choose(base, rows).together
    trunk, _ = ready(base, spec(target_modules=("in_proj",)), rows)
    assert [len(group.rows) for group in trunk.segments(rows)] == [1] * 4
    assert trunk.group == 1


# --- it equals a plain loop -------------------------------------------------------------------------------------------


def _double(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tiny model in float64 throughout: transformers' norm would go through float32."""
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    def norm(self: Any, x: Any) -> Any:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))

    monkeypatch.setattr(LlamaRMSNorm, "forward", norm)
    return tiny().double()


def peft_loop(base: Any, recipe: TrainSpec, rows: list[TrainRow]) -> dict[str, Any]:
    """What peft and torch make of a recipe, row by row with full logits: tensors by their name in a PEFT folder."""
    from peft import get_peft_model, get_peft_model_state_dict

    torch.manual_seed(recipe.seed)
    plain = get_peft_model(copy.deepcopy(base), lora.config_of(recipe))
    parameters = [p for p in plain.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=0.0, weight_decay=recipe.weight_decay, foreach=False)
    steps = plan(len(rows), recipe)
    for number, step in enumerate(steps):
        sums, count = [], 0
        for row in (rows[i] for i in step):
            ids = torch.tensor([row.prompt_ids + row.completion_ids])
            logits = plain(input_ids=ids).logits[0, len(row.prompt_ids) - 1 : -1]
            sums.append(cross_entropy(logits, torch.tensor(row.completion_ids), reduction="sum"))
            count += len(row.completion_ids)
        (torch.stack(sums).sum() / count).backward()
        torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
        optimizer.param_groups[0]["lr"] = rate(recipe, number, len(steps))
        optimizer.step()
        optimizer.zero_grad()
    return {name: weight.detach() for name, weight in get_peft_model_state_dict(plain).items()}


Wish = tuple[str, TrainSpec, list[TrainRow]]


def four(most: int = 24) -> list[Wish]:
    """Candidates that differ in everything they may differ in; b ends first, d has longer rows."""
    attention = ("q_proj", "v_proj")
    return [
        (
            "a",
            spec(epochs=6, weight_decay=0.1, clip_norm=0.5, warmup=0.2, schedule="cosine", max_steps=most),
            begun(18),
        ),
        (
            "b",
            spec(rank=8, alpha=4, batch_size=3, max_steps=min(9, most), seed=1, learning_rate=3.0e-3),
            made_up(12, 1),
        ),
        ("c", spec(rank=2, target_modules=attention, batch_size=1, max_steps=most, seed=2, epochs=2), made_up(20, 2)),
        ("d", spec(rank=5, epochs=12, schedule="constant", max_steps=most, batch_size=7, seed=3), begun(15, 3, 30)),
    ]


def trained(base: Any, wanted: Sequence[Wish], tokens: int = 2048) -> dict[str, dict[str, Any]]:
    trunk, candidates = prepare(base, wanted)
    trunk.tokens = tokens
    fit(trunk, candidates)
    return {one.name: one.weights.named() for one in candidates}


@pytest.fixture(params=["short rows", "long and short rows"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of every way there is to attend: long ones begin at 11 tokens here."""
    if request.param == "long and short rows":
        monkeypatch.setitem(attention.SCORES, "cpu", 4 * 200)
        monkeypatch.setattr(attention, "LONG", 4 * 100)


@pytest.mark.usefixtures("ways")
def test_four_candidates_equal_four_plain_peft_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    base = _double(monkeypatch)
    expected = {name: peft_loop(base, recipe, rows) for name, recipe, rows in four()}
    found = trained(base, four())
    assert [len(plan(len(rows), recipe)) for _, recipe, rows in four()] == [24, 9, 24, 24]
    for name, tensors in expected.items():
        assert found[name].keys() == tensors.keys()
        assert max(float((found[name][n].detach() - tensors[n]).abs().max()) for n in tensors) <= 1e-12
        assert max(float(tensor.abs().max()) for n, tensor in tensors.items() if "lora_B" in n) > 1e-3


@pytest.mark.usefixtures("ways")
@pytest.mark.parametrize(("threads", "steps"), [(1, 24), (2, 2)])
def test_a_candidate_is_the_same_alone_and_beside_others_bit_for_bit(threads: int, steps: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    wishes = four(steps)
    try:
        alone = {wish[0]: trained(tiny(), [wish])[wish[0]] for wish in wishes}
        for others in (wishes, wishes[::-1], [wishes[2], wishes[0]]):
            found = trained(tiny(), others)
            assert all(torch.equal(found[name][n], alone[name][n]) for name in found for n in found[name])
    finally:
        torch.set_num_threads(before)


def test_how_many_share_a_pass_moves_nothing() -> None:
    whole = trained(tiny(), four())
    trunk, candidates = prepare(tiny(), four())
    for trunk.group in (1, 2, 4):
        for one in candidates:
            one.step = 0
        work = [(one, trunk.segments(one.rows)) for one in candidates]
        done = list(passes(work, trunk.group, 150))
        assert all(
            len(together) <= trunk.group and len({one.name for one, _ in together}) == len(together)
            for together in done
        )
        for one, mine in work:
            assert [part for together in done for owner, part in together if owner is one] == mine
    trunk, candidates = prepare(tiny(), four())
    trunk.group = 2
    fit(trunk, candidates)
    assert all(torch.equal(whole[one.name][n], t) for one in candidates for n, t in one.weights.named().items())


def test_how_a_step_is_split_does_not_move_its_gradient() -> None:
    rows = begun(8)
    after = []
    for tokens in (10_000, 60, 0):
        trunk, candidate = ready(tiny(), spec(batch_size=8), rows)
        trunk.tokens = tokens
        (loss,) = gradients(trunk, [candidate])
        gradient = torch.cat([w.grad.flatten() for w in candidate.tensors if w.grad is not None])
        after.append((loss, gradient))
    for loss, gradient in after[1:]:
        assert loss == pytest.approx(after[0][0], abs=1e-6)
        assert float((gradient - after[0][1]).norm() / after[0][1].norm()) < 1e-6


def test_it_equals_transformers_trainer_with_peft(tmp_path: Path) -> None:
    import transformers as t
    from peft import get_peft_model, get_peft_model_state_dict

    rows = made_up(24)
    recipe = spec(batch_size=4, epochs=2, warmup=0.0, learning_rate=1.0e-3, weight_decay=0.01)
    order = [rows[i] for step in plan(len(rows), recipe) for i in step]
    longest = max(map(len, order))

    def padded(row: TrainRow) -> dict[str, list[int]]:
        pad, ids = longest - len(row), row.prompt_ids + row.completion_ids
        labels = [-100] * len(row.prompt_ids) + [*row.completion_ids] + [-100] * pad
        return {"input_ids": [*ids, *[0] * pad], "attention_mask": [1] * len(row) + [0] * pad, "labels": labels}

    class InOrder(t.Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, dataset: Any = None) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    base = tiny()
    torch.manual_seed(recipe.seed)
    model = get_peft_model(base, lora.config_of(recipe))
    arguments = t.TrainingArguments(
        output_dir=str(tmp_path), per_device_train_batch_size=4, num_train_epochs=1, learning_rate=1.0e-3,
        weight_decay=0.01, lr_scheduler_type="linear", optim="adamw_torch", report_to=[], save_strategy="no",
        disable_tqdm=True, use_cpu=True, logging_strategy="no",
    )  # fmt: skip
    trainer = InOrder(model, arguments, train_dataset=[padded(row) for row in order])
    trainer.train()
    theirs = get_peft_model_state_dict(model)
    ours = trained(tiny(), [("a", recipe, rows)])["a"]
    assert ours.keys() == theirs.keys()
    gap = sum(float((ours[name].detach() - theirs[name]).norm() ** 2) for name in theirs)
    assert (gap / sum(float(tensor.norm() ** 2) for tensor in theirs.values())) ** 0.5 <= 1e-4
    assert max(float(tensor.abs().max()) for name, tensor in theirs.items() if "lora_B" in name) > 1e-3


def test_longer_neighbours_do_not_move_the_first_loss() -> None:
    longer = begun(15, 9, 40)
    trunk, candidates = prepare(tiny(), [("a", spec(), made_up(8)), ("b", spec(), longer)])
    assert trunk.group == 2
    beside = gradients(trunk, candidates)[0]
    trunk, (candidate,) = prepare(tiny(), [("a", spec(), made_up(8))])
    assert gradients(trunk, [candidate]) == [beside]


def test_a_quantised_layer_is_refused() -> None:
    class Quantised(torch.nn.Linear):  # type: ignore[misc]
        """Stands for one whose weight is not a plain matrix."""

    base = tiny()
    base.model.layers[1].mlp.up_proj = Quantised(32, 48, bias=False)
    with pytest.raises(AdapterError, match=r"model\.layers\.1\.mlp\.up_proj is a Quantised, no plain linear layer"):
        ready(base, spec(), made_up(8))
    ready(base, spec(target_modules=("q_proj",)), made_up(8))


def test_the_base_is_left_as_it_was() -> None:
    base, rows = tiny(), made_up(8)
    trunk, candidate = ready(base, spec(max_steps=2), rows)
    fit(trunk, [candidate])
    fresh = tiny().state_dict()
    assert base.state_dict().keys() == fresh.keys()
    assert all(torch.equal(weight, fresh[name]) for name, weight in base.state_dict().items())
    ids = torch.tensor([rows[0].prompt_ids])
    base.set_attn_implementation("eager")
    assert torch.allclose(base(input_ids=ids).logits, tiny()(input_ids=ids).logits, atol=1e-5)


# --- what it learns ---------------------------------------------------------------------------------------------------


def test_twenty_rows_are_learned_by_heart_and_every_answer_ends(model: Model, tmp_path: Path) -> None:
    from peft import PeftModel

    rows = made_up(20, seed=5)
    recipe = spec(rank=8, alpha=16, learning_rate=2.0e-2, epochs=40, batch_size=10)
    result = train_one(recipe, model, rows, rows[:4], tmp_path / "a")
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
    trunk, candidate = ready(tiny(), spec(epochs=6), rows)
    fit(trunk, [candidate])
    lora.save(candidate.weights, candidate.spec, tmp_path, "tiny")
    tuned = PeftModel.from_pretrained(tiny(), tmp_path)
    for row in rows:
        ours = -trunk.nats([(candidate, Segment((row,)))])[0]
        logits = tuned(input_ids=torch.tensor([row.prompt_ids + row.completion_ids])).logits[0]
        theirs = log_softmax(logits[len(row.prompt_ids) - 1 : -1], -1)[
            range(len(row.completion_ids)), list(row.completion_ids)
        ]
        assert float((ours - theirs).detach().abs().max()) <= 1e-5
    assert mean_loss(trunk, candidate, rows) == pytest.approx(candidate.losses[-1], rel=0.5)


def test_the_folder_is_a_plain_peft_adapter_without_this_machines_paths(model: Model, tmp_path: Path) -> None:
    (tmp_path / "base").symlink_to(model.path)
    rows = made_up(8)
    result = train_one(spec(max_steps=2), Model("m", "base"), rows, rows[:3], tmp_path / "out" / "a", root=tmp_path)
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
        train_one(spec(seed=seed), model, rows, (), tmp_path / name)
    assert same(tmp_path / "a", tmp_path / "b")
    assert adapter_digest(tmp_path / "a") == adapter_digest(tmp_path / "b")
    assert not same(tmp_path / "a", tmp_path / "c")


def test_what_is_trained_is_kept_until_the_recipe_or_the_files_change(model: Model, tmp_path: Path) -> None:
    rows, out = made_up(8), tmp_path / "a"
    first = train_one(spec(max_steps=2), model, rows, (), out)
    again = train_one(spec(max_steps=2), model, rows, (), out)
    assert (first.reused, again.reused, again.card) == (False, True, json.loads(json.dumps(first.card)))
    assert not train_one(spec(max_steps=2, rank=2), model, rows, (), out).reused
    assert not train_one(spec(max_steps=2, rank=2), model, rows[1:], (), out).reused
    file = out / "adapter_config.json"
    file.write_text(file.read_text().replace('"r": 2', '"r": 3'))
    assert not train_one(spec(max_steps=2, rank=2), model, rows[1:], (), out).reused
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


TRAIN_SLOWLY = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
sys.path.insert(0, {tests!r})
import test_train as t
show = lambda step, *rest: print(step, flush=True)
rows, dev, base = t.made_up(24), t.made_up(3), t.Model("tiny", {base!r})
t.train_one(t.spec(epochs=9), base, rows, dev, Path({out!r}), progress=show, checkpoint_every=0)
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
    train_one(
        spec(epochs=9),
        model,
        made_up(24),
        made_up(3),
        tmp_path / "killed",
        progress=lambda step, *_: steps.append(step),
    )
    whole = train_one(spec(epochs=9), model, made_up(24), made_up(3), tmp_path / "whole")
    assert 7 < steps[0] < 54 == steps[-1]
    assert same(tmp_path / "killed", tmp_path / "whole")
    card = read_card(tmp_path / "killed")
    assert card is not None
    assert (card["losses"], card["dev_loss"]) == (json.loads(json.dumps(whole.card["losses"])), whole.card["dev_loss"])
    assert train_one(spec(epochs=9), model, made_up(24), (), tmp_path / "killed").reused


def test_ctrl_c_finishes_the_step_and_leaves_a_checkpoint(model: Model, tmp_path: Path) -> None:
    def stop_at_three(step: int, *rest: Any) -> None:
        if step == 3:
            signal.raise_signal(signal.SIGINT)

    rows = made_up(12)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_one(spec(), model, rows, (), tmp_path / "a", progress=stop_at_three)
    assert signal.getsignal(signal.SIGINT) is handler
    steps: list[int] = []
    train_one(spec(), model, rows, (), tmp_path / "a", progress=lambda step, *_: steps.append(step))
    train_one(spec(), model, rows, (), tmp_path / "b")
    assert steps[0] == 5
    assert same(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("damage", ["another recipe", "a torn file", "resume=False"])
def test_a_checkpoint_that_does_not_fit_is_not_used(model: Model, tmp_path: Path, damage: str) -> None:
    def stop(step: int, *rest: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    rows = made_up(8)
    with pytest.raises(KeyboardInterrupt):
        train_one(spec(seed=damage == "another recipe"), model, rows, (), tmp_path / "a", progress=stop)
    file = tmp_path / "a.partial" / "checkpoint"
    if damage == "a torn file":
        file.write_bytes(file.read_bytes()[:1000])
    steps: list[int] = []
    train_one(
        spec(), model, rows, (), tmp_path / "a",
        resume=damage != "resume=False", progress=lambda step, *_: steps.append(step),
    )  # fmt: skip
    assert steps[0] == 1


def test_an_adapter_is_replaced_only_when_the_new_one_is_complete(model: Model, tmp_path: Path) -> None:
    rows, out = made_up(8), tmp_path / "a"
    train_one(spec(max_steps=2), model, rows, (), out)
    before = adapter_digest(out)

    def stop(step: int, *rest: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_one(spec(seed=9), model, rows, (), out, progress=stop)
    assert adapter_digest(out) == before
    train_one(spec(seed=9), model, rows, (), out)
    assert adapter_digest(out) != before


def test_a_crash_between_the_two_renames_loses_nothing(model: Model, tmp_path: Path) -> None:
    rows, out = made_up(8), tmp_path / "a"
    train_one(spec(max_steps=2), model, rows, (), out)
    out.rename(tmp_path / ".a.old")
    assert train_one(spec(max_steps=2), model, rows, (), out).reused
    out.rename(tmp_path / "a.partial")
    assert train_one(spec(max_steps=2), model, rows, (), out).steps == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


# --- several at once --------------------------------------------------------------------------------------------------


def test_candidates_trained_together_leave_the_same_bytes_as_alone(model: Model, tmp_path: Path) -> None:
    recipes = {"a": spec(max_steps=5), "b": spec(rank=2, seed=4, max_steps=3), "c": spec(learning_rate=2.0e-3)}
    rows, dev = begun(12), made_up(3, 8)
    results = train([Wanted(r, rows, dev, tmp_path / name) for name, r in recipes.items()], model)
    assert [result.steps for result in results] == [5, 3, 9]
    for name, recipe in recipes.items():
        alone = train_one(recipe, model, rows, dev, tmp_path / "alone" / name)
        assert same(tmp_path / name, tmp_path / "alone" / name)
        card = read_card(tmp_path / name)
        assert card is not None
        kept = ("losses", "dev_loss", "training_digest", "adapter_digest", "tokens")
        assert [card[key] for key in kept] == [json.loads(json.dumps(alone.card))[key] for key in kept]


def test_one_that_diverges_is_named_and_the_others_go_on(model: Model, tmp_path: Path) -> None:
    wild = spec(learning_rate=1.0e30, clip_norm=1.0e30)
    results = train(
        [
            Wanted(recipe, made_up(8), (), tmp_path / name)
            for name, recipe in (("a", spec()), ("b", wild), ("c", spec()))
        ],
        model,
    )
    assert [bool(result.stopped) for result in results] == [False, True, False]
    assert "adapter b: training diverged" in results[1].stopped
    assert "learning_rate 1e+30" in results[1].stopped
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]
    train_one(spec(), model, made_up(8), (), tmp_path / "alone")
    assert same(tmp_path / "a", tmp_path / "alone")


def test_ctrl_c_leaves_a_checkpoint_of_every_candidate(model: Model, tmp_path: Path) -> None:
    def stop(step: int, *rest: Any) -> None:
        if step >= 8:
            signal.raise_signal(signal.SIGINT)

    wanted = [Wanted(spec(seed=seed), made_up(12), (), tmp_path / f"{seed}") for seed in range(3)]
    with pytest.raises(KeyboardInterrupt):
        train(wanted, model, progress=stop)
    assert len(list(tmp_path.glob("*.partial/checkpoint"))) == 3
    train(wanted[::-1], model)
    for seed in range(3):
        train_one(spec(seed=seed), model, made_up(12), (), tmp_path / f"alone-{seed}")
        assert same(tmp_path / f"{seed}", tmp_path / f"alone-{seed}")


TRAIN_IN_TWO = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
sys.path.insert(0, {tests!r})
import test_train as t
wanted = [t.Wanted(recipe, rows, t.made_up(3), Path({out!r}) / name) for name, recipe, rows in t.four(4)]
results = t.train(wanted, t.Model("tiny", {base!r}))
assert [result.steps for result in results] == [4, 4, 4, 4], results
"""


def test_two_processes_train_what_one_does(model: Model, tmp_path: Path) -> None:
    code = tmp_path / "two.py"
    code.write_text(TRAIN_IN_TWO.format(tests=str(Path(__file__).parent), base=model.path, out=str(tmp_path / "two")))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    results = train([Wanted(recipe, rows, made_up(3), tmp_path / name) for name, recipe, rows in four(4)], model)
    for (name, _, _), result in zip(four(4), results, strict=True):
        ours, theirs = weights(tmp_path / name), weights(tmp_path / "two" / name)
        gap = sum(float((ours[n] - theirs[n]).norm() ** 2) for n in ours) / sum(
            float(t.norm() ** 2) for t in ours.values()
        )
        assert gap**0.5 <= 1e-4
        card = read_card(tmp_path / "two" / name)
        assert card is not None
        assert (card["processes"], result.card["processes"]) == (2, 1)
        assert [loss for _, loss in card["losses"]] == pytest.approx(
            [loss for _, loss in result.card["losses"]], abs=1e-3
        )


# --- the probe --------------------------------------------------------------------------------------------------------


def test_the_probe_times_groups_and_leaves_nothing_behind() -> None:
    wishes = [(name, spec(seed=seed, epochs=40), made_up(8)) for seed, name in enumerate("abc")]
    trunk, candidates = prepare(tiny(), wishes)
    timing = time_groups(trunk, candidates)
    assert list(timing.rounds) == [1, 2, 3]
    assert timing.group in timing.rounds
    assert timing.seconds == pytest.approx(timing.rounds[timing.group] * 80)
    assert all(tensor.grad is None for one in candidates for tensor in one.tensors)
    assert all(one.step == 0 for one in candidates)
    assert time_groups(*prepare(tiny(), [("a", spec(epochs=1), made_up(8))])).group == 1


def test_a_group_whose_gradients_differ_in_a_bit_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    wishes = [(name, spec(seed=seed, epochs=40), made_up(8)) for seed, name in enumerate("ab")]
    trunk, candidates = prepare(tiny(), wishes)

    def off(trunk: Trunk, active: Sequence[Candidate]) -> list[float]:
        found = gradients(trunk, active)
        if trunk.group == 2:
            active[1].tensors[0].grad = torch.nextafter(active[1].tensors[0].grad, torch.tensor(1.0))
        return found

    monkeypatch.setattr("harness.train.probe.within_memory", off)
    timing = time_groups(trunk, candidates)
    assert list(timing.rounds) == [1]
    assert timing.group == 1


def test_memory_that_runs_out_splits_the_step_and_keeps_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    real, most = Trunk.nats, 40

    def small(self: Trunk, work: Any) -> Any:
        if sum(len(segment) for _, segment in work) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(self, work)

    wishes = [("a", spec(max_steps=4, batch_size=8), made_up(12)), ("b", spec(max_steps=4), made_up(12, 1))]
    whole = trained(tiny(), wishes)
    trunk, candidates = prepare(tiny(), wishes)
    with monkeypatch.context() as patch:
        patch.setattr(Trunk, "nats", small)
        fit(trunk, candidates)
    assert (trunk.group, trunk.tokens) == (1, 32)
    assert trunk.splits == 7
    for one in candidates:
        assert one.step == 4
        gap = max(
            float((tensor - whole[one.name][n]).detach().abs().max()) for n, tensor in one.weights.named().items()
        )
        assert gap < 1e-4
    monkeypatch.setattr(Trunk, "nats", lambda self, work: small(self, [*work, (None, range(100))]))
    trunk, candidates = prepare(tiny(), wishes)
    with pytest.raises(torch.OutOfMemoryError):
        fit(trunk, candidates)


def test_what_does_not_fit_is_refused_with_numbers_before_the_weights_are_read(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.train.probe.free_memory", lambda: 50_000)
    with pytest.raises(MachineError, match=r"adapter a: needs .* GiB for the base and .* GiB .* are free\."):
        train_one(spec(), model, made_up(8), (), tmp_path / "a")
    base = tiny()
    found = check_memory(base, {"a": spec(rank=4)}, 4, 10**9)
    _, candidate = ready(base, spec(rank=4), made_up(8))
    assert found["base_mb"] == round(sum(weight.numel() for weight in tiny().parameters()) * 4 / 2**20)
    assert found["adapters_mb"] == round(sum(tensor.numel() for tensor in candidate.tensors) * 16 / 2**20)


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
        (
            {"target_modules": ("lm_head",)},
            None,
            AdapterError,
            ["adapter a", "'lm_head'", "has down_proj, gate_proj, k_p"],
        ),
        ({"learning_rate": 1.0e30, "clip_norm": 1.0e30}, None, MachineError, ["diverged", "learning_rate 1e+30"]),
    ],
)
def test_a_mistake_is_one_line_that_names_it(
    model: Model, tmp_path: Path, changes: dict[str, Any], rows: list[TrainRow] | None, error: Any, words: list[str]
) -> None:
    with pytest.raises(error) as caught:
        train_one(spec(**changes), model, made_up(8) if rows is None else rows, (), tmp_path / "a")
    message = str(caught.value)
    assert "\n" not in message
    assert not [word for word in words if word not in message], message
    assert not (tmp_path / "a").exists()


def test_a_dev_row_is_checked_too() -> None:
    with pytest.raises(SuiteError, match="dev row d-1: empty completion"):
        check_rows([TrainRow((5,), (), "d-1")], None, 64, "dev")


def test_a_model_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", **SHAPE}))
    with pytest.raises(ConfigError, match=r"^models\.broken: cannot load .*") as caught:
        train_one(spec(), Model("broken", str(tmp_path)), made_up(3), (), tmp_path / "a")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_ours_is_never_replaced(model: Model, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(AdapterError, match="was not made by harness train"):
        train_one(spec(), model, made_up(3), (), tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "all of it"


def test_a_path_that_cannot_be_written_is_one_line(model: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AdapterError, match=r"Not a directory\. Choose a path"):
        train_one(spec(), model, made_up(3), (), tmp_path / "file" / "a")


def test_a_full_disk_is_one_line_and_training_goes_on_later(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*paths: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    rows, steps = made_up(8), []
    with monkeypatch.context() as patch:
        patch.setattr("harness.train.lora.write_file", full)
        with pytest.raises(MachineError, match=r"No space left on device\. Free some space"):
            train_one(spec(), model, rows, (), tmp_path / "a", checkpoint_every=0)
    train_one(spec(), model, rows, (), tmp_path / "a", progress=lambda step, *_: steps.append(step))
    assert not steps
    assert (tmp_path / "a" / "adapter_config.json").is_file()


def test_two_processes_do_not_train_the_same_adapter(model: Model, tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "a.partial").mkdir()
    handle = os.open(tmp_path / "a.partial", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(HarnessError, match="another process is training it"):
            train_one(spec(), model, made_up(3), (), tmp_path / "a")
    finally:
        os.close(handle)


def test_a_folder_beside_the_adapter_is_never_touched(model: Model, tmp_path: Path) -> None:
    """Somebody's backup, whatever it is called."""
    for name in ("a.old", ".a.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text("x")
    train_one(spec(), model, made_up(8), (), tmp_path / "a")
    train_one(spec(), model, made_up(8), (), tmp_path / "a")
    assert all((tmp_path / name / "mine").is_file() for name in ("a.old", ".a.old"))


# --- a base in four bits ----------------------------------------------------------------------------------------------


def test_on_four_bits_it_equals_pefts_own_layers_on_the_same_base(model: Model) -> None:
    from bitsandbytes.nn import Linear4bit

    recipe, rows = spec(max_steps=6, quantize="nf4", learning_rate=1.0e-3), made_up(16)
    base = load_base(model, model.path, "nf4")
    assert {type(layer) for layer in lora.linears(base).values()} == {Linear4bit}
    expected = peft_loop(base, recipe, rows)
    found = trained(load_base(model, model.path, "nf4"), [("a", recipe, rows)])["a"]
    assert found.keys() == expected.keys()
    assert max(float((found[name].detach() - expected[name]).abs().max()) for name in expected) <= 1e-5
    whole = trained(tiny(), [("a", recipe, rows)])["a"]
    assert max(float((found[name] - whole[name]).detach().abs().max()) for name in whole) > 1e-4


def test_what_was_trained_on_four_bits_is_held_to_the_base_that_is_served(model: Model, tmp_path: Path) -> None:
    recipe, rows = spec(max_steps=4, quantize="nf4"), made_up(8)

    def served(model: Model, folder: str, wanted: Any) -> dict[str, list[float]]:
        """peft itself, on the base in its own type."""
        from peft import PeftModel

        found = {}
        for ref, mine in wanted:
            tuned, found[ref.name] = PeftModel.from_pretrained(tiny(), ref.path), []
            for row in mine:
                logits = tuned(input_ids=torch.tensor([row.prompt_ids + row.completion_ids])).logits[0]
                nats = log_softmax(logits[len(row.prompt_ids) - 1 : -1], -1)
                found[ref.name] += [-float(nats[i, label]) for i, label in enumerate(row.completion_ids)]
        return found

    result = train_one(recipe, model, rows, (), tmp_path / "a", served=served)
    card = result.card
    assert card["recipe"]["quantize"] == "nf4"
    assert card["served"]["max_nats"] <= 1e-5 < 1e-3 < card["served"]["max_nats_quantized"]
    assert train_one(recipe, model, rows, (), tmp_path / "a").reused
    assert not train_one(replace(recipe, quantize=""), model, rows, (), tmp_path / "a").reused


def test_four_bits_need_less_memory_and_their_package(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tiny()
    whole, bits = (check_memory(base, {"a": spec(quantize=one)}, 10**6, 10**15)["base_mb"] for one in ("", "nf4"))
    linear = sum(layer.weight.numel() for layer in lora.linears(base).values())
    assert whole - bits == pytest.approx(linear * 10**6 / 2**20, rel=1e-3)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"bitsandbytes is not installed\. Install it with: pip install '\.\[quant"):
        train_one(spec(quantize="nf4"), model, made_up(8), (), tmp_path / "a")
