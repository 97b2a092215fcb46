"""The embedded model: what ships is what the card says, and the recipe that made it runs and repeats itself."""

from __future__ import annotations

import hashlib
import json
import random
import re
from pathlib import Path

import pytest

from harness.embedded import WEIGHTS, evaluate, pack, recipe, vocabulary
from harness.embedded.text import reading, sql
from harness.embedded.text.document import Document, ask, chats
from harness.embedded.text.mixture import FAMILIES, clean, digest, forbidden, stream
from harness.suite import read_suite

LIMIT = 12_000_000


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_digest_on_the_model_card_is_the_digest_of_the_file(name: str) -> None:
    card = (WEIGHTS / "MODEL_CARD.md").read_text("utf-8")
    assert sha256(WEIGHTS / name) in card


def test_weights_are_small_enough_to_ship() -> None:
    assert sum(file.stat().st_size for file in WEIGHTS.iterdir()) < LIMIT


def test_embedded_model_loads_and_answers_in_transformers() -> None:
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(WEIGHTS)
    model = transformers.AutoModelForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float32)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the opposite of hot?"}], tokenize=False, add_generation_prompt=True
    )
    ids = torch.tensor([tokenizer.encode(prompt, add_special_tokens=False)])
    out = model.generate(ids, max_new_tokens=8, do_sample=False)
    assert tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).strip() == "cold"


def test_training_log_has_a_row_for_every_few_minutes() -> None:
    rows = [json.loads(line) for line in (WEIGHTS / "training_log.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) > 20
    assert [row["tokens"] for row in rows] == sorted(row["tokens"] for row in rows)


def test_no_family_writes_a_test_input() -> None:
    banned = forbidden()
    assert len(banned) > 500
    made = stream(5, 1.0, banned)
    for _ in range(1500):
        for chat in chats(next(made)[1]):
            assert not {digest(m["content"]) for m in chat if m["role"] == "user"} & banned


def test_a_test_input_is_recognised_whatever_its_spacing() -> None:
    question = read_suite("forgetting").test[0].input
    assert isinstance(question, str)
    banned = forbidden()
    assert clean(ask(f" {question.upper()} ", "x"), banned) is None
    assert clean(Document(branches=((question, "x"), ("Something else?", "y"))), banned) == Document(
        branches=(("Something else?", "y"),)
    )


def test_text_never_names_the_company_of_the_handbook() -> None:
    made = stream(6, 1.0)
    text = "\n".join(m["content"] for _ in range(800) for chat in chats(next(made)[1]) for m in chat)
    assert not re.search(r"Halden|Frey\b", text)


def test_no_passage_of_the_handbook_is_in_the_text() -> None:
    corpus = {digest(sentence) for p in read_suite("handbook").corpus for sentence in p.text.split(". ")}
    rng = random.Random(3)
    for rule in reading.policies():
        text, _ = reading.policy(rng, rule)
        assert not {digest(sentence) for sentence in text.split(". ") if len(sentence.split()) > 3} & corpus


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_family_repeats_itself_with_its_seed(family: str) -> None:
    first, second = (FAMILIES[family][0](random.Random(11)) for _ in range(2))
    assert first == second
    assert all(chat[-1]["role"] == "assistant" and chat[-1]["content"] for chat in chats(first))


def test_every_answer_from_a_passage_is_in_the_passage() -> None:
    rng = random.Random(2)
    for maker in (reading.gold_reading, reading.wide_reading, reading.rules):
        for _ in range(50):
            document = maker(rng)
            for _, answer in document.branches:
                assert answer == reading.UNKNOWN or answer.lower() in document.trunk.lower()


def test_sql_of_the_text_runs() -> None:
    import sqlite3

    rng = random.Random(4)
    for _ in range(60):
        tables = sql.schema(rng)
        with sqlite3.connect(":memory:") as database:
            for table in tables:
                keys = ["id", *([table.key] if table.key else []), *(name for name, _ in table.columns)]
                database.execute(f"CREATE TABLE {table.name} ({', '.join(keys)})")
            for terse in (True, False):
                database.execute(sql.draw(rng, tables, terse)[1])
        database.close()


def test_branches_see_their_trunk_and_not_each_other() -> None:
    tokenizer = vocabulary.train(["one two three four"] * 20, 300)
    document = Document(trunk="one two", branches=((" three", "four"), (" four", "three")))
    one = pack.encode_all([document], tokenizer)[0]
    assert set(one.branch) == {0, 1, 2}
    first = [i for i, b in enumerate(one.branch) if b == 1]
    second = [i for i, b in enumerate(one.branch) if b == 2]
    assert one.position[first[0]] == one.position[second[0]] == len([b for b in one.branch if b == 0])


def test_packing_keeps_every_document_once() -> None:
    tokenizer = vocabulary.train(["one two three four"] * 20, 300)
    documents = pack.encode_all([ask(f"one {i}", "two") for i in range(40)], tokenizer)
    rows = pack.rows(documents, 64)
    assert (rows["group"] >= 0).sum() == sum(len(d.ids) for d in documents)
    assert (rows["weight"] > 0).sum() == sum(len(d.place) for d in documents)


def test_packed_rows_give_the_same_loss_as_documents_by_themselves() -> None:
    import torch

    from harness.embedded import network

    tokenizer = vocabulary.train(["one two three four"] * 20, 300)
    documents = pack.encode_all([ask("one two", "three"), ask("four", "two one"), ask("three three", "one")], tokenizer)
    shape = network.Shape(vocabulary=300, hidden=32, layers=2, heads=2, kv_heads=1, head_size=16, mlp=48, positions=64)
    parameters, tables = network.initial(shape, 0), network.rotation(shape)

    def weighted(rows: dict[str, object]) -> tuple[float, float]:
        batch = recipe.gather({f"64.{k}": v for k, v in rows.items()}, 64, list(range(len(rows["ids"]))))  # type: ignore[arg-type]
        weight = float(batch["weight"].sum())
        return float(network.loss(parameters, batch, tables, shape)) * weight, weight

    together = weighted(pack.rows(documents, 64))
    apart = [weighted(pack.rows([document], 64)) for document in documents]
    assert together[1] == pytest.approx(sum(w for _, w in apart))
    assert together[0] == pytest.approx(sum(x for x, _ in apart), rel=1e-4)
    assert torch.isfinite(torch.tensor(together[0]))


def test_exported_weights_answer_like_the_network_that_was_trained(tmp_path: Path) -> None:
    import torch
    import transformers

    from harness.embedded import network

    tokenizer = vocabulary.train(["one two three four"] * 20, 300)
    shape = network.Shape(vocabulary=300, hidden=32, layers=2, heads=2, kv_heads=1, head_size=16, mlp=48, positions=64)
    parameters = {k: v.bfloat16().float() for k, v in network.initial(shape, 0).items()}
    recipe.export(parameters, shape, tokenizer, tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    one = pack.encode_all([ask("one two", "three four")], tokenizer)[0]
    theirs = model(torch.tensor([one.ids])).logits[0, one.place].argmax(-1).tolist()
    assert network.predictions(parameters, one, network.rotation(shape), shape) == theirs


def test_recipe_runs_and_repeats_itself(tmp_path: Path) -> None:
    plan = recipe.SMOKE | {"seed": 0, "tokens": 6_000, "chapter": 12_000, "lines": 60}
    for name in ("a", "b"):
        recipe.make(tmp_path / name, plan, workers=1)
    first, second = (tmp_path / name / "model" / "model.safetensors" for name in ("a", "b"))
    assert sha256(first) == sha256(second)


def test_gold_suite_shows_each_question_its_own_passage() -> None:
    handbook = read_suite("handbook")
    suite = evaluate.gold(handbook)
    assert len(suite.test) >= 150
    assert all(sample.input.count("\n[") == 1 for sample in suite.test if isinstance(sample.input, str))
