"""The vLLM engine on the real thing, held to the transformers engine on the embedded model in float32."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from project import make_project
from tiny_models import make_adapter, make_model

from harness.constrain import allows
from harness.data import AdapterRef, Completion, Constraint, Model, Request, Sampling
from harness.digests import EMBEDDED
from harness.engines import Engine, applied, open_engine
from harness.engines.supervised import Supervised
from harness.errors import AdapterError, EngineDied, HarnessError
from harness.prompt import encode

OPTIONS = {"dtype": "float32", "max_num_seqs": 16, "kv_cache_gib": 1, "threads": 1}
TWO_WORKERS = {**OPTIONS, "tensor_parallel_size": 2}
"""Processes of their own beside the engine's, and shared memory between them."""
QUESTIONS = [
    "What is the capital of France?",
    "Say blue three times, separated by commas.",
    "What is 12 + 30?",
    "Write a Python expression for the length of names.",
    "What is the opposite of hot?",
    "Reverse the list: river, stone, cloud.",
    "Copy exactly: the green boat left at nine.",
    "Use the passages to answer the question.\n\n[1] Leave. Full-time staff get 27 days of annual leave.\n\n"
    "Question: How many days of annual leave do full-time staff get?",
]
CHOICES = ((70,), (71,), (72, 90), (72, 91, 92))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shipped = (EMBEDDED / "config.json").is_file()
    return EMBEDDED if shipped else make_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def adapters(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[AdapterRef, AdapterRef]:
    folder = tmp_path_factory.mktemp("adapters")
    make_adapter(base, folder / "a", seed=1, rank=16, strength=0.25)
    make_adapter(base, folder / "b", seed=2, rank=4, modules=("q_proj", "down_proj"), strength=0.3)
    return AdapterRef("a", str(folder / "a"), "digesta"), AdapterRef("b", str(folder / "b"), "digestb")


@pytest.fixture(scope="module")
def vllm(base: Path, adapters: tuple[AdapterRef, AdapterRef]) -> Iterator[Engine]:
    engine = open_engine(Model("m", str(base), engine=OPTIONS), adapters, "vllm")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def reference(base: Path, adapters: tuple[AdapterRef, AdapterRef]) -> Iterator[Engine]:
    options = {"device": "cpu", "dtype": "float32"}
    engine = open_engine(Model("m", str(base), engine=options), adapters, "transformers")
    yield engine
    engine.close()


def ask(engine: Engine, adapters: tuple[AdapterRef, AdapterRef], **more: object) -> list[Request]:
    """Every question to the base and to both adapters, taking turns."""
    sampling = Sampling(max_tokens=16)
    asked = []
    for number, question in enumerate(QUESTIONS):
        ids = encode(engine.tokenizer, [{"role": "user", "content": question}])
        asked += [
            Request(f"{number}/{arm}", ids, sampling, adapter, **more)  # type: ignore[arg-type]
            for arm, adapter in enumerate([None, *adapters])
        ]
    return asked


def answers(engine: Engine, requests: list[Request]) -> dict[str, Completion]:
    return {request.key: completion for request, completion in engine.generate(requests)}


def test_base_and_two_adapters_in_one_batch_answer_as_alone(
    vllm: Engine, adapters: tuple[AdapterRef, AdapterRef]
) -> None:
    asked = ask(vllm, adapters)
    mixed = answers(vllm, asked)
    for arm in range(3):
        alone = answers(vllm, [request for request in asked if request.key.endswith(f"/{arm}")])
        assert {key: one.text for key, one in alone.items()} == {key: mixed[key].text for key in alone}
    assert len({tuple(mixed[f"{number}/{arm}"].text for number in range(len(QUESTIONS))) for arm in range(3)}) >= 2


def test_greedy_answers_are_those_of_the_transformers_engine(
    vllm: Engine, reference: Engine, adapters: tuple[AdapterRef, AdapterRef]
) -> None:
    asked = ask(vllm, adapters)
    served, expected = answers(vllm, asked), answers(reference, asked)
    differing = [key for key in served if served[key].text != expected[key].text]
    assert len(differing) <= 1  # the two likeliest tokens may be as likely up to rounding
    for key in served.keys() - set(differing):
        assert served[key].finish_reason == expected[key].finish_reason
        assert served[key].completion_tokens == expected[key].completion_tokens
        assert served[key].prompt_tokens == expected[key].prompt_tokens


def test_log_probabilities_are_those_of_the_transformers_engine(
    vllm: Engine, reference: Engine, adapters: tuple[AdapterRef, AdapterRef]
) -> None:
    ids = encode(vllm.tokenizer, [{"role": "user", "content": QUESTIONS[-1]}])
    for adapter in (None, *adapters):
        served = vllm.token_logprobs(ids[:20], ids[20:], adapter)
        assert served == pytest.approx(reference.token_logprobs(ids[:20], ids[20:], adapter), abs=0.05)


def test_choices_are_scored_as_by_the_transformers_engine(
    vllm: Engine, reference: Engine, adapters: tuple[AdapterRef, AdapterRef]
) -> None:
    asked = ask(vllm, adapters, choices=CHOICES, choice_texts=("w", "x", "y", "z"))
    served, expected = answers(vllm, asked), answers(reference, asked)
    for key, completion in expected.items():
        assert completion.choice_logprobs is not None
        assert served[key].choice_logprobs == pytest.approx(completion.choice_logprobs, abs=0.01)
        assert (served[key].text, served[key].finish_reason) == (completion.text, "choice")


def test_likeliest_tokens_are_those_of_the_transformers_engine(vllm: Engine, reference: Engine) -> None:
    prompts = [vllm.tokenizer.encode(text, add_special_tokens=False) for text in ("The tram", "To make a soup", "It")]
    for mine, theirs in zip(vllm.likeliest(prompts, 20), reference.likeliest(prompts, 20), strict=True):
        assert len(mine) == 20
        assert [value for _, value in mine] == pytest.approx([value for _, value in theirs], abs=0.05)
        assert mine[0][0] == theirs[0][0]


def test_more_choices_than_one_request_may_name_are_all_scored(vllm: Engine, reference: Engine) -> None:
    choices = tuple((token,) for token in range(6, 206))
    request = Request("0", (1, 70, 71), Sampling(), None, choices, tuple(map(str, range(200))))
    served, expected = answers(vllm, [request])["0"], answers(reference, [request])["0"]
    assert served.choice_logprobs == pytest.approx(expected.choice_logprobs, abs=0.05)


def test_adapters_are_proven_to_be_applied(vllm: Engine, adapters: tuple[AdapterRef, AdapterRef]) -> None:
    assert min(applied(vllm, *adapters)) > 0.01


FORM = {
    "type": "object", "required": ["city", "known"], "additionalProperties": False,
    "properties": {"city": {"enum": ["Rome", "Paris"]}, "known": {"type": "boolean"}},
}  # fmt: skip


@pytest.mark.parametrize(
    "constraint",
    [
        Constraint("json", json.dumps(FORM)),
        Constraint("regex", "(cat|dog)-[0-9]{3}"),
        Constraint("choice", '["perhaps", "never again"]'),
    ],
    ids=lambda one: one.kind,
)
def test_constrained_answers_keep_to_the_constraint_beside_free_ones(
    vllm: Engine, adapters: tuple[AdapterRef, AdapterRef], constraint: Constraint
) -> None:
    free = ask(vllm, adapters)
    sampling = Sampling(max_tokens=40, constraint=constraint)
    held = [replace(request, key=f"held {request.key}", sampling=sampling) for request in free]
    found = answers(vllm, [*free, *held])
    assert [key for key in found if key.startswith("held") and not allows(constraint, found[key].text)] == []
    alone = answers(vllm, free)
    assert {key: one.text for key, one in alone.items()} == {key: found[key].text for key in alone}


def test_a_schema_the_engine_cannot_hold_to_is_one_line_and_the_engine_lives(vllm: Engine) -> None:
    bad = Constraint("regex", "(?<=a)b")
    with pytest.raises(HarnessError, match="vLLM cannot hold answers to this regex") as error:
        answers(vllm, [Request("0", (1, 70), Sampling(constraint=bad))])
    assert "\n" not in str(error.value)
    assert vllm.token_logprobs((1, 70), (71,), None)


def test_stop_string_and_token_limit_end_the_answer(vllm: Engine) -> None:
    prompt = encode(vllm.tokenizer, [{"role": "user", "content": QUESTIONS[1]}])
    free = answers(vllm, [Request("0", prompt, Sampling(max_tokens=8))])["0"]
    stop = free.text[2:4]
    cut = answers(vllm, [Request("0", prompt, Sampling(max_tokens=8, stop=(stop,)))])["0"]
    assert (cut.text, cut.finish_reason) == (free.text[: free.text.index(stop)], "stop")
    short = answers(vllm, [Request("0", prompt, Sampling(max_tokens=1))])["0"]
    assert (short.completion_tokens, short.finish_reason) == (1, "length")


def test_retrained_adapter_at_the_same_path_is_not_mistaken_for_the_old_one(
    vllm: Engine, base: Path, tmp_path: Path
) -> None:
    path = make_adapter(base, tmp_path / "x", seed=4)
    ids = (1, 70, 71), (72, 73)
    first = vllm.token_logprobs(*ids, AdapterRef("x", str(path), "first"))
    make_adapter(base, path, seed=5)
    second = vllm.token_logprobs(*ids, AdapterRef("x", str(path), "second"))
    assert max(abs(a - b) for a, b in zip(first, second, strict=True)) > 0.01
    assert vllm.token_logprobs(*ids, AdapterRef("x", str(path), "first")) == pytest.approx(first, abs=1e-4)


def test_adapter_the_engine_would_serve_wrongly_is_refused_and_the_engine_lives(
    vllm: Engine, base: Path, tmp_path: Path
) -> None:
    wide = make_adapter(base, tmp_path / "wide", seed=6, rank=32)
    dora = make_adapter(base, tmp_path / "dora", seed=6, use_dora=True)
    for path, says in ((wide, "rank 32 is above the engine's 16"), (dora, "DoRA"), (tmp_path, "is missing")):
        with pytest.raises(AdapterError, match=says) as error:
            vllm.token_logprobs((1, 70), (71,), AdapterRef("bad", str(path), path.name))
        assert "\n" not in str(error.value)
    assert vllm.token_logprobs((1, 70), (71,), None)


def test_request_longer_than_the_context_is_refused_and_the_engine_lives(vllm: Engine) -> None:
    with pytest.raises(HarnessError, match="do not fit the model's context"):
        answers(vllm, [Request("0", (1, 70) * vllm.max_model_len, Sampling())])
    assert vllm.token_logprobs((1, 70), (71,), None)


def descendants() -> set[int]:
    """Processes under this one, without multiprocessing's own resource tracker, which lives as long as Python does."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue  # it ended meanwhile
    found: set[int] = set()
    wave = {os.getpid()}
    while wave := {pid for pid, parent in parents.items() if parent in wave} - found:
        found |= wave
    return {pid for pid in found if "resource_tracker" not in command(pid)}


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def shared() -> set[str]:
    """Shared memory; not semaphores, which go when this Python does."""
    return {name for name in os.listdir("/dev/shm") if not name.startswith("sem.")}


def left_behind(before: tuple[set[int], set[str]]) -> tuple[set[int], set[str]]:
    """Processes and shared memory that were not there before; ended ones get half a minute to disappear."""
    for _ in range(60):
        found = descendants() - before[0], shared() - before[1]
        if found == (set(), set()):
            break
        time.sleep(0.5)
    return found


def test_one_worker_lives_in_the_engine_s_process_with_its_threads_bound(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VLLM_CPU_OMP_THREADS_BIND", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    before = descendants()
    options = {name: value for name, value in OPTIONS.items() if name != "threads"}
    with closing(open_engine(Model("m", str(base), engine=options), (), "vllm")) as engine:
        assert "OMP_NUM_THREADS" not in os.environ
        (process,) = descendants() - before
        cores = len(os.sched_getaffinity(0))
        assert len(os.sched_getaffinity(process)) <= max(1, cores - 1)  # one is left to the harness
        assert len(list(engine.generate(asked(engine, 3)))) == 3


def test_closing_leaves_no_process_and_no_shared_memory(base: Path, adapters: tuple[AdapterRef, AdapterRef]) -> None:
    before = descendants(), shared()
    engine = open_engine(Model("m", str(base), engine=TWO_WORKERS), adapters, "vllm")
    assert len(descendants() - before[0]) >= 3
    assert shared() > before[1]
    assert applied(engine, adapters[0])[0] > 0
    engine.close()
    engine.close()
    assert left_behind(before) == (set(), set())


OPENED = """
import json, sys, time
from harness.data import Model
from harness.engines import open_engine
engine = open_engine(Model("m", sys.argv[1], engine=json.loads(sys.argv[2])), (), "vllm")
print("open", flush=True)
time.sleep(600)
"""


def test_kill_of_the_harness_leaves_no_engine_and_no_shared_memory(base: Path) -> None:
    before = descendants(), shared()
    harness = [sys.executable, "-c", OPENED, str(base), json.dumps(TWO_WORKERS)]
    child = subprocess.Popen(harness, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert "open\n" in iter(child.stdout.readline, "")
    started = descendants() - before[0] - {child.pid}
    assert len(started) >= 3
    assert shared() > before[1]
    child.kill()
    child.wait()
    child.stdout.close()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (any(map(command, started)) or shared() - before[1]):
        time.sleep(0.5)
    assert not any(map(command, started))
    assert shared() - before[1] == set()


def asked(engine: Engine, count: int = 200) -> list[Request]:
    ids = encode(engine.tokenizer, [{"role": "user", "content": QUESTIONS[0]}])
    return [Request(str(i), (*ids, 70 + i), Sampling(max_tokens=16)) for i in range(count)]


def test_death_of_the_engine_is_one_line_and_keeps_what_was_answered(base: Path) -> None:
    before = descendants(), shared()
    engine = open_engine(Model("m", str(base), engine=OPTIONS), (), "vllm")
    requests = asked(engine)
    stream = engine.generate(requests)
    assert next(stream)[1].prompt_tokens == len(requests[0].prompt_ids)
    for pid in descendants() - before[0]:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineDied, match=r"The vLLM engine died .* Finished answers are kept") as error:
        list(stream)
    assert "\n" not in str(error.value)
    for thread in threading.enumerate():
        if thread.name == "MPClientEngineMonitor":
            thread.join(10)
    assert not engine.engine.engine_core.resources.input_socket.closed  # vLLM's thread leaves what this one may use
    engine.close()
    assert left_behind(before) == (set(), set())


def test_death_of_the_engine_while_it_loads_an_adapter_is_heard_of(
    base: Path, adapters: tuple[AdapterRef, AdapterRef]
) -> None:
    before = descendants()
    with closing(open_engine(Model("m", str(base), engine=OPTIONS), adapters[:1], "vllm")) as engine:
        for pid in (born := descendants() - before):
            os.kill(pid, signal.SIGSTOP)
        threading.Timer(1, lambda: [os.kill(pid, signal.SIGKILL) for pid in born]).start()
        with pytest.raises(EngineDied, match="died when it was to load an adapter"):
            list(engine.generate([replace(asked(engine, 1)[0], adapter=adapters[1])]))


def test_an_engine_that_is_killed_and_one_that_hangs_are_started_again_and_everything_is_answered_once(
    base: Path, reference: Engine
) -> None:
    before = descendants(), shared()
    options = {**OPTIONS, "hang_after": 40}
    engine = Supervised(lambda: open_engine(Model("m", str(base), engine=options), (), "vllm"))
    requests = asked(engine, 120)
    found: list[tuple[Request, Completion]] = []
    for request, completion in engine.generate(requests):
        found.append((request, completion))
        if len(found) in (10, 60):
            for pid in descendants() - before[0]:
                os.kill(pid, signal.SIGKILL if len(found) == 10 else signal.SIGSTOP)
    engine.close()
    assert engine.deaths == 2
    assert sorted(request.key for request, _ in found) == sorted(request.key for request in requests)
    expected = answers(reference, requests)
    differing = [request.key for request, completion in found if completion.text != expected[request.key].text]
    assert len(differing) <= 2  # the two likeliest tokens may be as likely up to rounding
    assert left_behind(before) == (set(), set())


INTERRUPTED = """
import sys
from pathlib import Path
from harness.cli import main
sys.exit(main(["run", "--config", sys.argv[1], "-s", "sums", "-a", "base", "--no-dev", "--engine", "vllm",
               "--out", sys.argv[2]]))
"""


def test_ctrl_c_ends_the_run_and_its_engine_and_the_run_is_taken_up(base: Path, tmp_path: Path) -> None:
    before = descendants(), shared()
    config = make_project(tmp_path, n=200)
    config.write_text(
        f"models: {{toy: {{path: {base}, engine: {OPTIONS!r}}}}}\narms: {{base: {{model: toy}}}}\n".replace("'", '"')
    )
    suite = tmp_path / "suites" / "sums" / "suite.yaml"
    suite.write_text(suite.read_text().replace("max_tokens: 8", "max_tokens: 64"))
    command = [sys.executable, "-c", INTERRUPTED, str(config), str(tmp_path / "run")]
    completions = tmp_path / "run" / "completions.jsonl"
    child = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline and not (completions.is_file() and completions.read_bytes().count(b"\n") >= 3):
        assert child.poll() is None
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does: to the engine too
    _, told = child.communicate(timeout=120)
    assert child.returncode == 130, told[-2000:]
    assert told.strip().splitlines()[-1].startswith("harness: interrupted.")
    assert left_behind(before) == (set(), set())
    assert 3 <= completions.read_bytes().count(b"\n") < 200
    assert subprocess.run(command, capture_output=True, timeout=600).returncode == 0
    assert completions.read_bytes().count(b"\n") == 200
    assert left_behind(before) == (set(), set())
