"""Several servers behind one model: work goes where there is room, and away from a server that is down."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from chat_server import KEY, Reply, Server, error, serve
from project import make_project

from harness.config import read_config
from harness.data import Completion, Endpoint, Model, Request, Sampling
from harness.digests import identity
from harness.engines import balanced, open_engine
from harness.engines.balanced import BalancedEngine
from harness.errors import ConfigError, EngineError
from harness.runner import run
from harness.suite import read_suite

NOBODY = "http://127.0.0.1:9/v1"
FAST = {"retries": 2, "concurrency": 4}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("harness.engines.openai.FIRST_PAUSE", 0.01)
    monkeypatch.setattr(balanced, "ASIDE", 0.3)


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serve()) for _ in range(3)]


def model(*addresses: str | tuple[str, int], **options: Any) -> Model:
    (first, *others) = [one if isinstance(one, tuple) else (one, None) for one in addresses]
    replicas = tuple(Endpoint(address, concurrency=most) for address, most in others)
    served = Endpoint(first[0], concurrency=first[1], replicas=replicas)
    return Model("gpt", "sums", engine={**FAST, **options}, endpoint=served)


def sums(count: int) -> list[Request]:
    return [
        Request(str(i), (), Sampling(max_tokens=8), messages=({"role": "user", "content": f"What is {i} plus 100?"},))
        for i in range(count)
    ]


def ask(model: Model, requests: list[Request]) -> dict[str, Completion]:
    engine = open_engine(model)
    try:
        found = list(engine.generate(requests))
    finally:
        engine.close()
    assert len({request.key for request, _ in found}) == len(found) == len(requests)
    return {request.key: completion for request, completion in found}


def right(found: Mapping[str, Completion]) -> bool:
    return all(said.text == str(int(key) + 100) for key, said in found.items())


def test_every_server_works_within_its_own_limit(servers: list[Server]) -> None:
    for one in servers:
        one.delay = 0.03
    limits = [2, 4, 6]
    assert right(ask(model(*[(one.url, most) for one, most in zip(servers, limits, strict=True)]), sums(96)))
    assert all(1 < one.most <= most for one, most in zip(servers, limits, strict=True))
    assert len(servers[2].bodies) > len(servers[0].bodies)


def test_a_slow_server_is_asked_less(servers: list[Server]) -> None:
    servers[0].delay, servers[1].delay = 0.5, 0.0
    assert right(ask(model(servers[0].url, servers[1].url), sums(80)))
    assert len(servers[1].bodies) > len(servers[0].bodies)


def test_a_server_that_is_down_is_left_aside_and_the_others_answer(
    servers: list[Server], capsys: pytest.CaptureFixture[str]
) -> None:
    assert right(ask(model(NOBODY, servers[0].url), sums(20)))
    assert "It is put aside; the others go on." in capsys.readouterr().err


def test_a_server_that_goes_down_under_way_loses_nothing() -> None:
    with serve(delay=0.02) as stays, serve(delay=0.02) as goes:
        engine = open_engine(model(stays.url, goes.url, retries=6))
        stream = engine.generate(sums(60))
        found = [next(stream) for _ in range(10)]
        goes.trouble = lambda number, body: (500, {"Connection": "close"}, b"")
        found += list(stream)
        engine.close()
    assert right({request.key: said for request, said in found})
    assert len({request.key for request, _ in found}) == 60


def test_a_server_that_comes_back_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(delay=0.05) as stays, serve(delay=0.05) as returns:
        engine = open_engine(model((stays.url, 1), (returns.url, 1)))
        assert isinstance(engine, BalancedEngine)
        engine.servers[1].put_aside(EngineError("gone."))
        assert not engine.servers[1].is_back()
        assert right({request.key: said for request, said in engine.generate(sums(40))})
        engine.close()
        assert "answers again" in capsys.readouterr().err
        assert len(returns.bodies) >= 1


def test_no_server_at_all_is_one_line() -> None:
    with pytest.raises(EngineError, match=r"no answer from 127\.0\.0\.1:10/v1") as e:
        open_engine(model(NOBODY, "http://127.0.0.1:10/v1"))
    assert "\n" not in str(e.value)


def test_all_servers_gone_under_way_end_the_run_in_one_line() -> None:
    with ExitStack() as stack:
        both = [stack.enter_context(serve(delay=0.02)) for _ in range(2)]
        engine = open_engine(model(*[one.url for one in both]))
        stream = engine.generate(sums(200))
        next(stream)
        threading.Thread(target=stack.close).start()
        with pytest.raises(EngineError, match="no answer from"):
            list(stream)
        engine.close()


def test_a_trouble_of_one_server_is_answered_by_the_other(servers: list[Server]) -> None:
    servers[0].trouble = lambda number, body: error(503, "overloaded")
    assert right(ask(model(servers[0].url, servers[1].url, retries=8), sums(12)))


def test_a_request_that_every_server_fails_is_given_up(servers: list[Server]) -> None:
    def refused(number: int, body: Mapping[str, Any]) -> Reply | None:
        return error(500, "bug") if " 3 " in body["messages"][-1]["content"] else None

    for one in servers:
        one.trouble = refused
    found = ask(model(*[one.url for one in servers]), sums(12))
    assert [key for key, said in found.items() if said.finish_reason == "error"] == ["3"]
    assert sum(" 3 " in body["messages"][-1]["content"] for one in servers for body in one.bodies) == 4


def test_the_first_server_gives_the_identity(servers: list[Server]) -> None:
    one, two, three = (server.url for server in servers)
    assert identity(model(one)) == identity(model(one, two)) == identity(model(one, three, two))
    assert identity(model(one)) != identity(model(two, one))


def test_a_refused_key_ends_it_at_once(servers: list[Server]) -> None:
    servers[1].key = "another"
    with pytest.raises(ConfigError, match="refuses the key in OPENAI_API_KEY"):
        open_engine(model(servers[0].url, servers[1].url))


def test_leaving_early_waits_for_no_answer(servers: list[Server]) -> None:
    servers[0].delay = servers[1].delay = 1.5
    engine = open_engine(model(servers[0].url, servers[1].url, NOBODY))
    stream = engine.generate(sums(100))
    threading.Timer(0.1, lambda: setattr(servers[0], "delay", 0.0)).start()
    next(stream)
    start = time.monotonic()
    stream.close()  # type: ignore[attr-defined]
    engine.close()
    assert time.monotonic() - start < 1


# --- models.yaml, and a whole run ------------------------------------------------------------------------------------


def _project(folder: Path, endpoint: str) -> Path:
    file = make_project(folder)
    file.write_text(f"models: {{gpt: {{endpoint: {endpoint}, name: sums}}}}\narms: {{bigger: {{model: gpt}}}}\n")
    return file


def test_a_run_with_more_servers_goes_on_where_one_with_fewer_ended(tmp_path: Path, servers: list[Server]) -> None:
    suite = read_suite("sums", make_project(tmp_path).parent)
    config = read_config(_project(tmp_path, servers[0].url))
    run(config, [suite], [config.arms["bigger"]], tmp_path / "run", limit=10)
    more = f"[{servers[0].url}, {{address: {servers[1].url}, concurrency: 2}}]"
    config = read_config(_project(tmp_path, more))
    done = run(config, [suite], [config.arms["bigger"]], tmp_path / "run")
    assert len(done.rows) == 40
    assert sum(len(one.bodies) for one in servers) == 40
    assert len(done.manifest["models"]["gpt"]["endpoints"]) == 2
    assert done.manifest["models"]["gpt"]["requests"] == 40


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("[]", r"models.gpt.endpoint: names no server"),
        ("[http://a/v1, http://a/v1]", r"models.gpt.endpoint: names a server twice"),
        ("[http://a/v1, {address: http://b/v1, concurency: 2}]", r"endpoint.2: unknown key 'concurency'. Did you mean"),
        ("[http://a/v1, {address: http://b/v1, concurrency: 0}]", r"endpoint.2.concurrency: must be between 1 and"),
        ("[http://a/v1, 5]", r"endpoint.2.address: must be text"),
        ("5", r"models.gpt.endpoint: must be text"),
    ],
)
def test_mistakes_in_models_yaml_are_one_line(tmp_path: Path, endpoint: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as e:
        read_config(_project(tmp_path, endpoint))
    assert "\n" not in str(e.value)
