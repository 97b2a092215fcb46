"""Models behind an address: the engine over the official client, against a server with every trouble there is."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_server import KEY, Reply, Server, chat, error, serve
from project import SUITE, make_project

from harness.cli import main
from harness.compare import summarize_arm, tabulate
from harness.config import read_config
from harness.costs import break_even, usd_per_request
from harness.data import Completion, Endpoint, Model, Request, Run, Sampling
from harness.digests import identity
from harness.engines import open_engine, replies
from harness.errors import ConfigError, EngineError, HarnessError, SuiteError
from harness.plan import make_plan
from harness.report import write_report
from harness.runner import rescore, run
from harness.store import read_run
from harness.suite import read_suite

FAST = {"retries": 2, "concurrency": 4}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("harness.engines.openai.FIRST_PAUSE", 0.01)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as found:
        yield found


def model(server: Server, name: str = "sums", **options: Any) -> Model:
    return Model("gpt", name, engine={**FAST, **options}, endpoint=Endpoint(server.url))


def sums(count: int, **more: Any) -> list[Request]:
    sampling = more.pop("sampling", Sampling(max_tokens=8))
    return [
        Request(str(i), (), sampling, messages=({"role": "user", "content": f"What is {i} plus 100?"},), **more)
        for i in range(count)
    ]


def ask(model: Model, requests: list[Request]) -> dict[str, Completion]:
    engine = open_engine(model)
    try:
        return {request.key: completion for request, completion in engine.generate(requests)}
    finally:
        engine.close()


# --- answers ---------------------------------------------------------------------------------------------------------


def test_answers_come_with_the_tokens_the_server_counted(server: Server) -> None:
    found = ask(model(server), sums(20))
    assert {key: said.text for key, said in found.items()} == {str(i): str(i + 100) for i in range(20)}
    assert {(said.prompt_tokens, said.completion_tokens, said.finish_reason) for said in found.values()} == {
        (10, 2, "stop")
    }


def test_requests_are_under_way_together_and_never_more_than_allowed() -> None:
    with serve(delay=0.05) as server:
        ask(model(server, concurrency=5), sums(25))
        assert server.most == 5


def test_the_pace_is_kept(server: Server) -> None:
    ask(model(server, requests_per_minute=1200), sums(8))
    gaps = [after - before for before, after in zip(server.times, server.times[1:], strict=False)]
    assert server.times[-1] - server.times[0] >= 7 * 0.05 * 0.8, gaps


def test_greedy_sends_no_seed_and_sampling_sends_one_per_question(server: Server) -> None:
    ask(model(server), sums(1, sampling=Sampling(max_tokens=5, stop=("x",))))
    ask(model(server), sums(2, sampling=Sampling(max_tokens=5, temperature=0.7, top_p=0.9)))
    greedy, *drawn = server.bodies
    assert (greedy["temperature"], greedy["max_tokens"], greedy["stop"]) == (0, 5, ["x"])
    assert not {"seed", "top_p"} & set(greedy)
    assert {body["top_p"] for body in drawn} == {0.9}
    assert len({body["seed"] for body in drawn}) == 2


def test_what_a_server_does_not_take_is_left_out_and_is_another_identity(server: Server) -> None:
    picky = model(server, leave_out=["temperature", "stop"])
    server.trouble = lambda number, body: chat("102; and more")
    found = ask(picky, sums(1, sampling=Sampling(stop=(";",))))
    assert found["0"].text == "102"
    assert not {"temperature", "stop"} & set(server.bodies[0])
    assert identity(picky) != identity(model(server))


def test_max_tokens_is_asked_for_in_the_newer_way_where_the_older_is_refused(server: Server) -> None:
    def newer(number: int, body: Mapping[str, Any]) -> Reply | None:
        said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return error(400, said, param="max_tokens") if "max_tokens" in body else None

    server.trouble = newer
    assert ask(model(server, concurrency=1), sums(2))["1"].text == "101"
    assert [sorted({"max_tokens", "max_completion_tokens"} & set(body)) for body in server.bodies] == [
        ["max_tokens"],
        ["max_completion_tokens"],
        ["max_completion_tokens"],
    ]


def test_half_a_character_is_sent_as_a_question_mark(server: Server) -> None:
    (request,) = sums(1)
    odd = Request("0", (), request.sampling, messages=({"role": "user", "content": "What is 1\ud800 plus 2?"},))
    assert ask(model(server), [odd])["0"].text == "3"
    assert server.bodies[0]["messages"][0]["content"] == "What is 1? plus 2?"


# --- troubles that pass ----------------------------------------------------------------------------------------------


def first(times: int, reply: Reply) -> Any:
    return lambda number, body: reply if number <= times else None


@pytest.mark.parametrize(
    "reply",
    [
        error(500, "oops"),
        error(503, "overloaded"),
        error(429, "slow down"),
        error(408, "timeout"),
        (200, {}, b'{"choices": [{"message": '),
        (200, {}, b"<html>Bad gateway</html>"),
        (200, {}, b'{"error": {"message": "upstream failed"}}'),
        (200, {}, b'{"choices": []}'),
        (200, {}, b"[]"),
        (200, {}, b"null"),
        (200, {}, b'{"choices": [{"message": {"content": 7}}]}'),
        (200, {"Content-Length": "500"}, b'{"choices"'),
    ],
)
def test_a_trouble_that_passes_is_not_seen(server: Server, reply: Reply) -> None:
    server.trouble = first(2, reply)
    found = ask(model(server), sums(3))
    assert {said.text for said in found.values()} == {"100", "101", "102"}
    assert len(server.bodies) == 5


def test_a_storm_of_429_is_sat_out_as_long_as_the_server_wishes(server: Server) -> None:
    def storm(number: int, body: Mapping[str, Any]) -> Reply | None:
        return error(429, "slow down", {"Retry-After": "1"}) if time.monotonic() < server.times[0] + 0.9 else None

    server.trouble = storm
    found = ask(model(server, concurrency=8), sums(40))
    assert [said.finish_reason for said in found.values()] == ["stop"] * 40
    assert len(server.bodies) <= 40 + 16  # the first eight are refused, and hardly one after them


def test_a_slow_answer_is_asked_for_again_and_then_given_up() -> None:
    def slow(number: int, body: Mapping[str, Any]) -> Reply | None:
        time.sleep(1.0 if body["messages"][0]["content"].startswith("What is 3 ") else 0)
        return None

    with serve(trouble=slow) as server:
        found = ask(model(server, timeout=0.3), sums(6))
        assert {key: said.finish_reason for key, said in found.items() if said.finish_reason != "stop"} == {
            "3": "error"
        }
        assert len(server.bodies) == 5 + 3


def test_a_request_that_fails_for_good_leaves_the_others_alone(
    server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    def long(number: int, body: Mapping[str, Any]) -> Reply | None:
        too_long = "This model's maximum context length is 8192 tokens."
        return error(400, too_long, code="context_length_exceeded") if " 7 " in str(body) else None

    server.trouble = long
    found = ask(model(server), sums(20))
    assert [key for key, said in found.items() if said.finish_reason == "error"] == ["7"]
    assert (found["7"].text, "maximum context length" in found["7"].error) == ("", True)
    assert (
        "1 requests failed for good and count as missing: 400: This model's maximum context" in capfd.readouterr().err
    )
    assert len(server.bodies) == 20


# --- troubles that do not --------------------------------------------------------------------------------------------


def stopped(model: Model, requests: list[Request], kind: type[HarnessError]) -> str:
    with pytest.raises(kind) as caught:
        ask(model, requests)
    message = str(caught.value)
    assert "\n" not in message
    assert KEY not in message
    return message


def test_no_server_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    message = stopped(model(Server(url)), sums(3), EngineError)
    assert "no answer from 127.0.0.1" in message
    assert "Is the server running" in message


def test_a_refused_key_is_one_line_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(key="another") as server:
        message = stopped(model(server), sums(3), ConfigError)
        assert "refuses the key in OPENAI_API_KEY (401: Incorrect API key provided: Bearer ***.)" in message
        monkeypatch.delenv("OPENAI_API_KEY")
        assert "wants a key, and OPENAI_API_KEY is not set" in stopped(model(server), sums(3), ConfigError)


def test_an_unknown_model_is_named_with_those_there_are(server: Server) -> None:
    message = stopped(model(server, "sum"), sums(30), ConfigError)
    assert "has no model 'sum'. Did you mean 'sums'? It offers: sums, sums-large" in message
    assert len(server.bodies) <= 8


def test_an_address_without_its_path_is_one_line(server: Server) -> None:
    server.trouble = lambda number, body: error(404, "Not Found")
    server.models = ()
    assert "nothing at 127.0.0.1" in stopped(model(server), sums(3), ConfigError)


@pytest.mark.parametrize("reply", [error(402, "pay"), error(429, "You exceeded it.", code="insufficient_quota")])
def test_a_used_up_account_stops_at_once(server: Server, reply: Reply) -> None:
    server.trouble = lambda number, body: reply
    assert "is used up" in stopped(model(server), sums(100), EngineError)
    assert len(server.bodies) <= 8


def test_answers_that_are_there_when_the_run_has_to_end_are_handed_over(server: Server) -> None:
    def refused(number: int, body: Mapping[str, Any]) -> Reply | None:
        which = int(body["messages"][0]["content"].split()[2])
        time.sleep(0.3 * which)
        return error(403, "no more") if which == 1 else None

    server.trouble = refused
    engine = open_engine(model(server))
    stream, kept = engine.generate(sums(3)), []
    kept.append(next(stream)[0].key)
    time.sleep(1.5)
    with pytest.raises(ConfigError, match="403"):
        kept.extend(request.key for request, _ in stream)
    engine.close()
    assert kept == ["0", "2"]


def test_a_wish_for_a_day_stops(server: Server) -> None:
    server.trouble = lambda number, body: error(429, "daily limit", {"Retry-After": "86400"})
    assert "asks to wait 86400 seconds" in stopped(model(server), sums(100), EngineError)


def test_failures_in_a_row_stop_before_everything_is_asked(server: Server) -> None:
    server.trouble = lambda number, body: error(500, "oops")
    assert "8 requests in a row failed, the last one: 500: oops." in stopped(model(server), sums(500), EngineError)
    assert len(server.bodies) <= 3 * (8 + 8)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("concurrency", 0, "concurrency: must be a number between 1 and 1000"),
        ("timeout", "soon", "timeout: must be a number"),
        ("concurency", 1, "unknown key 'concurency'. Did you mean 'concurrency'?"),
        ("dtype", "float32", "unknown key 'dtype'"),
        ("leave_out", ["model"], "leave_out: must be a list of temperature, top_p, seed, stop"),
    ],
)
def test_bad_options_are_one_line(server: Server, name: str, value: Any, said: str) -> None:
    assert said in stopped(model(server, **{name: value}), sums(1), ConfigError)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("NO_SUCH_VARIABLE", "environment variable NO_SUCH_VARIABLE is not set"),
        ("ftp://host", "not an address"),
        ("http://", "not an address"),
        ("http://host:port/v1", "not an address"),
        (f"http://me:{KEY}@localhost/v1", "Give the key with `key_env:`"),
    ],
)
def test_a_bad_address_is_one_line(address: str, said: str) -> None:
    assert said in stopped(Model("gpt", "sums", endpoint=Endpoint(address)), [], ConfigError)


@pytest.mark.parametrize("held", ["", "a\nb", "kéy"])
def test_a_bad_key_is_one_line(server: Server, held: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", held)
    other = Model("gpt", "sums", endpoint=Endpoint(server.url, "OTHER_KEY"))
    assert "environment variable OTHER_KEY" in stopped(other, [], ConfigError)


# --- multiple choice -------------------------------------------------------------------------------------------------


def tokens(*likeliest: tuple[str, float]) -> Reply:
    top = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in likeliest]
    content = [{"token": top[0]["token"], "logprob": top[0]["logprob"], "bytes": None, "top_logprobs": top}]
    return chat(str(top[0]["token"]), logprobs={"content": content})


def test_choices_are_told_apart_by_their_first_token(server: Server) -> None:
    server.trouble = lambda number, body: tokens(("Well", -0.5), (" B", -1.0), ("A", -2.0), ("B", -3.0), ("x", -9.0))
    (said,) = ask(model(server), sums(1, choice_texts=("A", "B", "C"))).values()
    assert (said.text, said.finish_reason) == ("B", "choice")
    assert said.choice_logprobs == pytest.approx((-2.0, -0.8730720, -9.0))
    assert (server.bodies[0]["top_logprobs"], server.bodies[0]["max_tokens"]) == (20, 1)


def test_choices_that_begin_alike_are_asked_for_in_words(server: Server) -> None:
    replies_to = [tokens(("The", -0.1), ("A", -3.0)), chat("The dog.")]
    server.trouble = lambda number, body: replies_to[number - 1]
    (said,) = ask(model(server), sums(1, choice_texts=("The cat", "The dog", "A bird"))).values()
    assert (said.text, said.choice_logprobs, said.prompt_tokens) == ("The dog", None, 20)
    assert server.bodies[1]["messages"][-1]["content"].endswith("nothing else:\n- The cat\n- The dog\n- A bird")
    assert "logprobs" not in server.bodies[1]


@pytest.mark.parametrize("reply", [None, error(400, "logprobs are not supported", param="logprobs")])
def test_a_server_without_logprobs_is_asked_for_them_once(server: Server, reply: Reply | None) -> None:
    server.trouble = lambda number, body: (reply if "logprobs" in body else None) or chat("both")
    found = ask(model(server, concurrency=1), sums(3, choice_texts=("1", "2", "both")))
    assert {said.text for said in found.values()} == {"both"}
    assert sum("logprobs" in body for body in server.bodies) == 1


@pytest.mark.parametrize(
    ("text", "picked"),
    [("B", "B"), (" b. ", "B"), ("Answer: B", "B"), ("**B**", "B"), ("A or B", "A or B"), ("neither", "neither")],
)
def test_a_reply_that_is_no_choice_stays_as_it_is(text: str, picked: str) -> None:
    assert replies.chosen_in(text, ("A", "B")) == picked


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Sat, 01 Jan 2028 00:00:30 GMT", "date": "Sat, 01 Jan 2028 00:00:00 GMT"}, 30),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "nan"}, 0),
        ({"retry-after": "-4"}, 0),
    ],
)
def test_the_wish_to_wait_is_read_in_all_its_forms(headers: dict[str, str], seconds: float) -> None:
    assert replies.wished(headers) == seconds


# --- runs ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sums of `make_project`, and beside its arms one that asks the server."""
    config = make_project(tmp_path, n=12)
    monkeypatch.setenv("SUMS_URL", server.url)
    entry = (
        "  gpt: {endpoint: SUMS_URL, name: sums, usd_per_million_tokens: {input: 2.0, output: 8}, engine: {retries: 1}}"
    )
    text = config.read_text().replace("adapters:\n", f"{entry}\nadapters:\n")
    config.write_text(text.replace("arms:\n", "arms:\n  bigger: {model: gpt, system: true, shots: 1}\n"))
    return config


def _run(config: Path, arms: tuple[str, ...] = ("bigger",), folder: str = "run") -> Run:
    checked = read_config(config)
    suite = read_suite("sums", config.parent)
    return run(checked, [suite], [checked.arms[arm] for arm in arms], config.parent / folder, root=config.parent)


def _mean(done: Run, arm: str) -> float:
    summary = summarize_arm(tabulate(done), "sums", arm)
    assert summary is not None
    return summary.mean


def test_an_endpoint_is_compared_with_models_on_this_machine(project: Path, server: Server) -> None:
    for arms in (("base", "lora", "bigger"), ("bigger", "base", "lora")):
        done = _run(project, arms, folder="-".join(arms))
        assert [_mean(done, arm) for arm in ("base", "lora", "bigger")] == [0.5, 1.0, 1.0]
        assert done.manifest["engine"]["name"] == "fake"
        again = _run(project, arms, folder="-".join(arms))
        assert again.rows == done.rows
    assert len(server.bodies) == 24
    assert server.bodies[0]["messages"][0] == {"role": "system", "content": "Answer with the number."}


def test_what_is_asked_again_is_in_the_usage_too(project: Path, server: Server) -> None:
    checked = read_config(project)
    suite = read_suite("sums", project.parent)
    done = run(checked, [suite], [checked.arms["bigger"]], project.parent / "run", root=project.parent, twice=True)
    card = done.manifest["models"]["gpt"]
    assert (card["requests"], card["prompt_tokens"]) == (len(server.bodies), 10 * len(server.bodies)) == (20, 200)


def test_the_manifest_says_host_model_usage_and_cost(project: Path, server: Server) -> None:
    card = _run(project).manifest["models"]["gpt"]
    host = server.url.removeprefix("http://")
    assert (card["path"], card["endpoint"], card["requests"]) == ("sums", host, 12)
    assert (card["prompt_tokens"], card["completion_tokens"]) == (120, 24)
    assert card["usd"] == pytest.approx((120 * 2 + 24 * 8) / 1e6)
    assert _run(project).manifest["models"]["gpt"] == card
    table = tabulate(read_run(project.parent / "run"))
    assert usd_per_request(table, summarize_arm(table, "sums", "bigger")) == pytest.approx(36e-6)


def test_the_report_shows_the_price_of_a_thousand_requests(project: Path) -> None:
    page = write_report([_run(project, ("base", "bigger"))], project.parent / "page.html").html.read_text("utf-8")
    assert "$0.036" in page


def test_a_plan_prices_an_endpoint_by_an_earlier_run_or_a_probe(project: Path, server: Server) -> None:
    done, checked = _run(project), read_config(project)
    suite, arm = read_suite("sums", project.parent), checked.arms["bigger"]
    with_dev = replace(suite, dev=suite.train[:5])
    before = len(server.bodies)
    (blind,) = make_plan(checked, [suite], [arm], root=project.parent).works
    (met,) = make_plan(checked, [suite], [arm], earlier=[done], root=project.parent).works
    assert len(server.bodies) == before
    (probed,) = make_plan(checked, [with_dev], [arm], probe=3, root=project.parent).works
    assert (blind.requests, blind.prompt_tokens, blind.at_most, blind.usd) == (12, None, 12 * 8, None)
    for work in (met, probed):
        assert (work.prompt_tokens, work.completion_tokens) == (120, 24)
        assert work.usd == pytest.approx(12 * 36e-6)


def test_break_even_with_an_endpoint_is_a_matter_of_money(project: Path) -> None:
    done = _run(project, ("lora", "bigger"))
    assert "prices are not all known" in break_even(done, "sums", "lora", "bigger").reason
    manifest: dict[str, Any] = json.loads(json.dumps(done.manifest))
    manifest["costs"]["gpu_hour_usd"] = 3.6
    manifest["adapters"]["tuned"]["train"] = {"seconds": 1000.0}
    manifest["seconds"] = {"sums": {"lora": 12 * 0.006}}  # 6 millionths of a dollar each
    found = break_even(Run(done.path, manifest, done.rows, done.scores), "sums", "lora", "bigger")
    assert found.requests == pytest.approx(1.0 / 30e-6, abs=1.01)
    assert found.against_usd_per_1000 == pytest.approx(0.036)


def test_a_run_broken_off_goes_on_and_loses_nothing(project: Path, server: Server) -> None:
    server.trouble = lambda number, body: error(403, "no more") if number > 7 else None
    with pytest.raises(ConfigError, match="403"):
        _run(project)
    kept = read_run(project.parent / "run")
    assert len(kept.rows) == 7
    assert kept.manifest["models"]["gpt"]["requests"] == len(kept.rows)
    before = len(server.bodies)
    server.trouble = lambda number, body: None
    done = _run(project)
    assert len(done.rows) == 12
    assert len(server.bodies) == before + 12 - len(kept.rows)
    assert done.manifest["models"]["gpt"]["requests"] == 12


def test_what_failed_counts_as_missing_and_is_asked_again(project: Path, server: Server) -> None:
    server.trouble = lambda number, body: error(400, "bad") if "3 plus 103" in str(body["messages"][-1]) else None
    done = _run(project)
    assert [row.sample for row in done.rows if row.completion.finish_reason == "error"] == ["test-3"]
    assert len(tabulate(done).rows["sums", "bigger"]) == 11
    server.trouble = lambda number, body: None
    again = _run(project)
    assert len(server.bodies) == 13
    assert len(tabulate(again).rows["sums", "bigger"]) == 12
    assert len(again.rows) == 12


def test_an_endpoint_may_be_the_judge(project: Path, server: Server) -> None:
    judged = SUITE.replace(
        "scorers: [{scorer: exact}]",
        "scorers:\n  - {scorer: exact, primary: true}\n"
        '  - {name: manners, scorer: judge, options: {rubric: "Gives the number, politely.", model: gpt}}',
    )
    (project.parent / "suites/sums/suite.yaml").write_text(judged)
    server.trouble = lambda number, body: chat("Both" if number <= 12 else "hm, hard to say")
    done = _run(project, ("base",))
    card = done.manifest["graders"]["sums"]["manners"]
    found = {s.sample: s.score.value for s in done.scores if s.scorer == "manners"}
    assert set(found.values()) == {1.0}
    assert 1 <= len(found) < 12
    assert card["not_graded"] == 12 - len(found)
    server.trouble = lambda number, body: chat("neither")
    after = rescore(project.parent / "run", {"sums": read_suite("sums", project.parent)}, read_config(project))
    assert after.manifest["graders"]["sums"]["manners"]["not_graded"] == 0
    (project.parent / "suites/sums/suite.yaml").write_text(
        judged.replace("judge", "likelihood_ratio").replace('rubric: "Gives the number, politely.", ', "")
    )
    for name in ("shots", "neutral"):
        (project.parent / f"suites/sums/{name}.jsonl").write_text('{"id": "x", "input": "a", "target": "b"}\n')
    with pytest.raises(SuiteError, match="the endpoint 'gpt' does not give"):
        _run(project, ("base",), "other")


def test_a_bare_text_is_refused_before_anything_is_asked(project: Path, server: Server) -> None:
    checked, suite = read_config(project), read_suite("sums", project.parent)
    bare = replace(suite, test=tuple(replace(sample, as_is=True) for sample in suite.test))
    with pytest.raises(SuiteError, match="goes on with a bare text"):
        run(checked, [bare], [checked.arms["bigger"]], project.parent / "run", root=project.parent)
    assert not server.bodies


@pytest.mark.parametrize("code", [401, 500])
def test_the_key_is_in_no_file_no_log_and_no_message(
    project: Path, server: Server, code: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    command = ["run", "--config", str(project), "-s", "sums", "-a", "bigger", "--out", str(project.parent / "run")]
    assert main(command) == 0
    server.trouble = lambda number, body: error(code, f"Bad key: Bearer {KEY}")
    assert main([*command[:-1], str(project.parent / "other")]) == (2 if code == 401 else 5)
    said = capfd.readouterr()
    assert "Traceback" not in said.err
    assert "***" in said.err
    files = [file.read_bytes() for file in project.parent.rglob("*") if file.is_file()]
    assert len(files) > 8
    assert not [text for text in (said.out, said.err, caplog.text) if KEY in text]
    assert not [content for content in files if KEY.encode() in content]


def test_ctrl_c_leaves_at_once_and_keeps_what_was_answered(project: Path, server: Server) -> None:
    server.trouble = lambda number, body: time.sleep(0 if number <= 5 else 30)  # type: ignore[func-returns-value]
    command = [sys.executable, "-m", "harness", "run", "--config", str(project), "-s", "sums", "-a", "bigger"]
    out = project.parent / "run"
    child = subprocess.Popen(
        [*command, "--out", str(out)],
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        text=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(server.bodies) < 12:
        time.sleep(0.05)
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, said = child.communicate(timeout=20)
    assert time.monotonic() - start < 5
    assert child.returncode == 130
    assert "interrupted" in said
    assert len(read_run(out).rows) == 5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: sums, ", "", "models.gpt: 'name' is missing"),
        ("endpoint: SUMS_URL, ", "", "models.gpt.name: belongs to an endpoint"),
        ("name: sums, ", "name: sums, path: fake, ", "models.gpt.path: belongs to a model on this machine"),
        ("output: 8", "outptu: 8", "usd_per_million_tokens: unknown key 'outptu'"),
        (", output: 8", "", "'output' is missing"),
        ("input: 2.0", "input: -2.0", "must be between 0 and 1e+06"),
        ("tuned: {model: toy,", "tuned: {model: gpt,", "'gpt' is an endpoint, which takes no adapter"),
    ],
)
def test_mistakes_in_models_yaml_are_one_line(project: Path, old: str, new: str, said: str) -> None:
    text = project.read_text()
    assert old in text
    project.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        read_config(project)
    assert said in str(caught.value)


def _refused(number: int, body: Mapping[str, Any]) -> Reply | None:
    return error(400, "flagged") if "plus 100" in body["messages"][0]["content"] else None


def test_questions_that_are_refused_for_themselves_do_not_stop_the_others(server: Server) -> None:
    """As when a run is taken up again and just those are left; one plain question tells."""
    server.trouble = _refused
    good = replace(sums(1)[0], key="good", messages=({"role": "user", "content": "What is 1 plus 2?"},))
    found = ask(model(server), [*sums(30), good])
    assert (found["good"].text, {found[str(i)].finish_reason for i in range(30)}) == ("3", {"error"})
    assert len(server.bodies) == 32
