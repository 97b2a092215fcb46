"""harness monitor: live traffic held to an evaluated arm, from a log or an address; terminal, page and metrics."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from project import make_project

from harness import live
from harness.cli import main
from harness.config import read_config
from harness.data import Completion, Score
from harness.monitor import _begin, monitor
from harness.report.live import live_page, prometheus
from harness.runner import run
from harness.store import read_run
from harness.suite import read_suite
from harness.traffic import Exchange, exchange

SCORER = """
from harness.data import Score
from harness.scorers import gold_free


@gold_free()
def number(*, suite_path):
    return lambda sample, completion: Score(float(completion.text.strip().isdigit()), completion.text)
"""
SCORERS = "scorers: [{scorer: exact, primary: true}, {name: number, scorer: scorer.py:number}]"
BASELINE = "runs/sums:lora"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of 300 sums, answered by the arm lora, which knows them all."""
    folder = tmp_path_factory.mktemp("monitored")
    models = make_project(folder, n=300)
    suite = folder / "suites" / "sums"
    (suite / "suite.yaml").write_text((suite / "suite.yaml").read_text().replace("scorers: [{scorer: exact}]", SCORERS))
    (suite / "scorer.py").write_text(SCORER)
    config = read_config(models)
    arms = [config.arms["lora"], config.arms["base"]]
    run(config, [read_suite("sums", folder)], arms, folder / "runs" / "sums", root=folder)
    return folder


@pytest.fixture
def project(made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The project, and a place for logs and states."""
    monkeypatch.chdir(made)
    return tmp_path


def line(i: int, reply: str | None = None, asked: str | None = None, **more: Any) -> str:
    """A logged request: a sum and its answer, unless something else is given."""
    number = 77 * i % 300  # the sums in a mixed order, as if they came from many people
    prompt = asked or f"What is {number} plus {number + 100}?"
    said = {
        "model": "tuned",
        "choices": [{"message": {"content": reply or str(2 * number + 100)}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2},
    }  # fmt: skip
    request = {"messages": [{"role": "user", "content": prompt}]}
    return (
        json.dumps({"request": request, "response": said, "time": 1_760_000_000 + i, "latency_s": 0.2, **more}) + "\n"
    )


def watch(project: Path, log: str, *more: str) -> int:
    return main(["monitor", log, "-s", "sums", "--baseline", BASELINE, "--state", str(project / "state.json"), *more])


def _log(project: Path, lines: Sequence[str], name: str = "log.jsonl") -> str:
    (project / name).write_text("".join(lines))
    return str(project / name)


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return value


def _check(found: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = [one for one in found["checks"] if one["name"] == name]
    return dict(one)


def test_traffic_like_the_evaluated_is_no_drift(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = _log(project, [line(i) for i in range(1000)])
    assert watch(project, log) == 0
    out = capsys.readouterr().out
    assert out.startswith("No drift: 1,000 requests, 5 checks of behaviour. If nothing changes, the chance of ever")
    assert "at most 5 %" in out
    assert "The prompts: no drift found." in out
    assert "No check knows the right answer" in out
    assert re.search(r"Not watched: numbers \(only 0\.\d % of the evaluated answers pass\)\.", out)
    assert "2025-10-09 to 2025-10-09" in out
    assert "Completion tokens per request: 2 " in out
    assert re.search(r"Seconds, median: 0\.2", out)


def test_a_drop_is_named_with_where_it_began(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refusal = "I'm sorry, but I cannot help with that."
    log = _log(project, [line(i, refusal if i >= 500 and i % 10 == 0 else None) for i in range(900)])
    assert watch(project, log, "--json") == 1
    found = _json(capsys)
    assert (found["status"], found["exit_code"]) == ("drift", 1)
    for name in ("number", "answers"):
        one = _check(found, name)
        assert 500 < one["drifted_at"] <= 900
        assert one["since"] in (250, 500)
        assert one["live_since"] < one["live"] < one["evaluated"]
    assert _check(found, "number")["latest"] == [851, 861, 871, 881, 891]
    assert _check(found, "complete")["drifted_at"] is None
    assert re.search(r"^Drift: .* Also: .* and .*\.$", found["sentence"])
    assert "The prompts: no drift found." in found["input"]
    assert watch(project, log) == 1  # what was found stays found
    assert "DRIFT after about" in capsys.readouterr().out


def test_other_prompts_are_named_apart(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = "Сколько будет {} плюс {}, и почему это так важно знать каждому из нас сегодня?"
    log = _log(project, [line(i, asked=asked.format(i, i + 1)) for i in range(200)])
    assert watch(project, log, "--json") == 0
    found = _json(capsys)
    assert found["status"] == "no drift"
    moved = {one["name"] for one in found["checks"] if one["drifted_at"] is not None}
    assert moved == {"prompt_not_longer", "known_words", "language"}
    assert "A change of behaviour may come from that." in found["input"]


def test_another_system_prompt_is_seen(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turns = [{"role": "system", "content": "Be funny."}, {"role": "user", "content": "What is 1 plus 101?"}]
    log = _log(project, [line(i, request={"messages": turns}) for i in range(100)])
    assert watch(project, log, "--json") == 0
    assert _check(_json(capsys), "system_prompt")["drifted_at"] == 25


def test_portions_come_to_the_same_as_the_whole(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line(i, "no" if i % 9 == 0 else None, latency_s=0.1 + i / 1000) for i in range(700)]
    whole = _log(project, lines, "whole.jsonl")
    assert watch(project, whole, "--json") == 1
    once = _json(capsys)
    kept = json.loads((project / "state.json").read_text())
    (project / "state.json").unlink()
    for end in (130, 131, 131, 400, 700):
        log = _log(project, lines[:end], "grown.jsonl")
        with Path(log).open("a") as stream:
            stream.write(lines[end][:40] if end < 700 else "")  # a line that is being written
        watch(project, log, "--json")
        found = _json(capsys)
        assert found["requests"] == end
    assert {**found, "log": ""} == {**once, "log": ""}
    assert json.loads((project / "state.json").read_text()) == kept
    assert "What is" not in (project / "state.json").read_text()


def test_a_rotated_log_goes_on_the_count(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = _log(project, [line(i) for i in range(100)])
    assert watch(project, log) == 0
    _log(project, [line(i) for i in range(200, 260)])
    assert watch(project, log, "--json") == 0
    out = capsys.readouterr()
    assert '"requests": 160' in out.out
    assert "is another file than the one read before (rotated?)" in out.err
    assert watch(project, log, "--json", "--fresh") == 0
    assert _json(capsys)["requests"] == 60


@pytest.mark.parametrize(("seen", "watched"), [(19, False), (20, True)])
def test_a_check_that_sees_few_of_the_evaluated_answers_is_not_watched(seen: int, watched: bool) -> None:
    base = [one for i in range(100) if isinstance(one := exchange(line(i), i + 1), Exchange)]
    check = live.Check("rare", "behaviour", "", lambda one: 1.0 if one.line <= seen else None)
    begun, unwatched = _begin([check], base, [str(one.line) for one in base])
    told = [] if watched else [("rare", "19 evaluated answers it can look at")]
    assert (list(begun), unwatched) == (["rare"] if watched else [], told)


def test_too_few_requests_are_inconclusive(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert watch(project, _log(project, [line(i) for i in range(24)])) == 3
    assert capsys.readouterr().out.startswith("Too few requests to say: 24 requests, and the first look is after 25.")


def test_the_state_is_kept_in_the_run_folder_by_default(made: Path, project: Path) -> None:
    log = _log(project, [line(i) for i in range(30)])
    assert main(["monitor", log, "-s", "sums", "--baseline", BASELINE]) == 0
    (kept,) = (made / "runs" / "sums" / "monitor").iterdir()
    assert json.loads(kept.read_text())["requests"] == 30
    assert read_run(made / "runs" / "sums").rows


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()


def test_a_log_behind_an_address_is_read_and_read_on(
    project: Path, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _log(project, [line(i) for i in range(50)], "served/log.jsonl")
    assert watch(project, f"{server}/log.jsonl?token=secret", "--json") == 0
    _log(project, [line(i) for i in range(80)], "served/log.jsonl")
    capsys.readouterr()
    assert watch(project, f"{server}/log.jsonl?token=secret", "--json") == 0
    out = capsys.readouterr().out
    assert json.loads(out)["requests"] == 80
    assert "secret" not in out
    assert watch(project, f"{server}/other.jsonl") == 5
    assert "/other.jsonl: answers 404" in capsys.readouterr().err


def test_only_replies_of_one_model(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = {"model": "x", "choices": [{"message": {"content": "no"}}]}
    log = _log(project, [text for i in range(60) for text in (line(i), line(i, response=other))])
    assert watch(project, log, "--json", "--model", "tuned") == 0
    found = _json(capsys)
    assert (found["requests"], found["other_models"]) == (60, 60)


def test_broken_lines_are_named_and_left_out(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = _log(project, [line(0), "{oops\n", "\n", *(line(i) for i in range(1, 40)), '{"a": 1}\n'])
    assert watch(project, log, "--json") == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["requests"], found["broken"]) == (40, 2)
    assert f"{log}:2: not JSON. Left out." in captured.err
    assert f"{log}:43: no messages" in captured.err


@pytest.mark.parametrize("crashing", [[6], list(range(30))])
def test_a_check_that_crashes_on_a_reply_says_nothing_of_it_and_the_others_do(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, crashing: list[int]
) -> None:
    others = live.checks

    def crashes(one: Exchange) -> float:
        return 1.0 if not one.line else {i + 1: 1.0 for i in range(30) if i not in crashing}[one.line]

    check = live.Check("fragile", "behaviour", "a reply that it can read", crashes)
    monkeypatch.setattr(live, "checks", lambda *given: [*others(*given), check])
    log = _log(project, [line(i) for i in range(30)])
    assert watch(project, log, "--json") == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["requests"], found["broken"], found["crashes"]) == (30, 0, {"fragile": len(crashing)})
    for one in found["checks"]:
        assert one["n"] == (30 - len(crashing) if one["name"] == "fragile" else 30)
    told = [one for one in captured.err.splitlines() if "the check 'fragile' crashes on this reply" in one]
    assert told[0].endswith(
        f"{log}:{crashing[0] + 1}: the check 'fragile' crashes on this reply (KeyError). It says nothing of this reply."
    )
    assert len(told) == min(3, len(crashing))
    assert ("checks crashed 30 times in all" in captured.err) == (len(crashing) == 30)
    assert watch(project, log) == 0
    assert f"says nothing of that reply: fragile (on {len(crashing)} repl" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more", [{"latency_s": 1.79e308}, {"time": "9999-12-31T23:59:59-01:00"}, {"response": [{"choices": 5}]}]
)
def test_no_line_ends_the_watch(project: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any]) -> None:
    log = _log(project, [line(i, **(more if i == 6 else {})) for i in range(30)])
    for options in (["--json"], ["--html", str(project / "page.html"), "--prometheus", str(project / "m.prom")]):
        assert watch(project, log, *options) == 0
        assert "Traceback" not in capsys.readouterr().err


def test_an_address_that_answers_badly_for_a_moment_changes_nothing(
    project: Path, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log, lines = f"{server}/log.jsonl", [line(i) for i in range(60)]
    _log(project, lines[:50], "served/log.jsonl")
    assert watch(project, log) == 0
    kept = (project / "state.json").read_text()
    for text in ("".join(lines[:20]), "<html>\nLater.\n</html>\n", ""):
        _log(project, [text], "served/log.jsonl")
        capsys.readouterr()
        assert watch(project, log) == 5
        assert "Try again" in _one_line(capsys)
        assert (project / "state.json").read_text() == kept
    _log(project, lines, "served/log.jsonl")
    assert watch(project, log, "--json") == 0
    assert _json(capsys)["requests"] == 60


def _one_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    said = [text for text in captured.err.splitlines() if text.startswith("harness: ")]
    assert len(said) == 1, captured.err
    assert "Traceback" not in captured.err
    return said[0]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nowhere.jsonl", "-s", "sums", "--baseline", BASELINE], 2, "nowhere.jsonl: no such file"),
        ([".", "-s", "sums", "--baseline", BASELINE], 2, ".: no such file"),
        (["http://127.0.0.1:9/log", "-s", "sums", "--baseline", BASELINE], 5, "http://127.0.0.1:9/log: no answer"),
        (["LOG", "-s", "sums", "--baseline", "runs/sums:lorra"], 2, "no arm 'lorra' on suite 'sums'. Did you"),
        (["LOG", "-s", "sums", "--baseline", "runs/sums"], 2, "write a run folder and an arm as RUN:ARM"),
        (["LOG", "-s", "sums", "--baseline", "runs/none:lora"], 2, "not a run folder"),
        (["LOG", "-s", "handbook", "--baseline", BASELINE], 2, "did not run suite 'handbook'. It ran: sums"),
        (["LOG", "-s", "sums", "--baseline", BASELINE, "--html", "page.txt"], 2, "a page is an .html file"),
        (["BROKEN", "-s", "sums", "--baseline", BASELINE], 2, "none of 2 lines is a request with its reply"),
        (["LOG", "-s", "sums", "--baseline", BASELINE, "--state", "LOG"], 2, "not the state of a monitor"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    logs = {"LOG": _log(project, [line(0)]), "BROKEN": _log(project, ["{\n", "5\n"], "broken.jsonl")}
    state = [] if "--state" in arguments else ["--state", str(project / "state.json")]
    assert main(["monitor", *[logs.get(one, one) for one in arguments], *state]) == code
    assert says in _one_line(capsys)


def test_a_suite_without_a_check_of_its_own_is_held_to_those_of_every_suite(
    made: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = read_config(make_project(project / "plain", n=20, name="plain"))
    suite = project / "plain" / "suites" / "plain"
    run(config, [read_suite("plain", project / "plain")], [config.arms["lora"]], project / "run", root=project)
    log = _log(project, [line(i) for i in range(30)])
    capsys.readouterr()
    state = str(project / "state.json")
    assert (
        main(["monitor", log, "-s", str(suite), "--baseline", f"{project}/run:lora", "--state", state, "--json"]) == 0
    )
    captured = capsys.readouterr()
    assert {one["name"] for one in json.loads(captured.out)["checks"]} >= {"complete", "answers", "not_longer"}
    assert "none of its scorers can do without gold answers, so only the checks of every suite" in captured.err


def test_an_evaluation_that_is_too_small_says_how_many_answers_would_do(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = _log(project, [line(i) for i in range(30)])
    assert watch(project, log) == 0
    assert "Too few evaluated answers" not in capsys.readouterr().out  # of 300 all pass
    given = ["monitor", log, "-s", "sums", "--baseline", "runs/sums:base", "--state", str(project / "base.json")]
    assert main([*given, "--html", str(project / "page.html")]) == 0
    out = capsys.readouterr().out
    (said,) = [one for one in out.splitlines() if one.startswith("Too few evaluated answers")]
    assert "to find a drop of 5 points within the first 1,000 requests four times in five: number (" in said
    assert re.search(r"number \(\d+ % with 300 answers, with any test at most \d+ %; not even 20,000 would do\)", said)
    assert "can see" in out
    assert "Too few evaluated answers" in (project / "page.html").read_text()
    assert main([*given, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["too_small"] == said
    number = _check(found, "number")
    assert number["power"] <= number["power_once"] < 0.8
    assert number["detects"] > 0.05


def test_a_state_of_another_arm_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = _log(project, [line(i) for i in range(30)])
    assert watch(project, log) == 0
    capsys.readouterr()
    arguments = ["monitor", log, "-s", "sums", "--baseline", "runs/sums:base", "--state", str(project / "state.json")]
    assert main(arguments) == 2
    assert "of another suite version, arm, answers, checks or model. Begin anew with --fresh" in _one_line(capsys)


def test_a_state_of_a_check_that_was_another_then_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, others = _log(project, [line(i) for i in range(30)]), live.checks

    def one_more(value: float) -> None:
        check = live.Check("more", "behaviour", "the same words", lambda one: value)
        monkeypatch.setattr(live, "checks", lambda *given: [*others(*given), check])

    for then, now in ((1.0, 0.5), (0.0, 1.0)):  # 0: too few pass for it to be watched
        one_more(then)
        assert watch(project, log, "--fresh") == 0
        assert watch(project, log) == 0
        one_more(now)
        capsys.readouterr()
        assert watch(project, log) == 2
        assert "of another suite version, arm, answers, checks or model. Begin anew" in _one_line(capsys)
        assert watch(project, log, "--fresh") == 0


def test_a_state_of_another_format_is_refused_and_begun_anew(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, state = _log(project, [line(i) for i in range(30)]), project / "state.json"
    assert watch(project, log) == 0
    state.write_text(json.dumps({**json.loads(state.read_text()), "format": 1}))
    capsys.readouterr()
    assert watch(project, log) == 2
    assert "state.json: is a state of format 1; this harness keeps format 2" in _one_line(capsys)
    assert watch(project, log, "--fresh") == 0


@pytest.mark.parametrize("more", [{"last": 253402304399.0}, {"first": -6e10}, {"bins": {"14546": 1}}])
def test_a_state_with_what_can_be_no_time_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any]
) -> None:
    log, state = _log(project, [line(i) for i in range(30)]), project / "state.json"
    assert watch(project, log) == 0
    state.write_text(json.dumps({**json.loads(state.read_text()), **more}))
    capsys.readouterr()
    assert watch(project, log) == 2
    assert "state.json: not the state of a monitor. Remove it, or give another --state." in _one_line(capsys)


def test_the_chance_of_false_alarms_is_divided_among_the_checks_of_a_group(project: Path) -> None:
    assert watch(project, _log(project, [line(i) for i in range(30)])) == 0
    kept = json.loads((project / "state.json").read_text())["watches"]
    behaviour = {"number", "complete", "answers", "not_longer", "not_shorter"}
    for names in (behaviour, set(kept) - behaviour):
        assert len(names) == 5
        assert sum(kept[name]["alpha"] for name in names) == pytest.approx(0.05)


def test_the_page_runs_nothing_and_holds_no_text_of_the_traffic(made: Path, project: Path) -> None:
    log = _log(project, [line(i, "<b>secret</b>", asked="What is a trade secret?") for i in range(60)], "a<i>&.jsonl")
    page = project / "page.html"
    assert watch(project, log, "--html", str(page)) == 1
    text = page.read_text("utf-8")
    assert "Drift: number: 0.0 % of 60 requests pass from the first on, 100.0 % of the evaluated did" in text
    assert "secret" not in text
    assert "<script" not in text
    assert "<i>" not in text
    assert "a&lt;i&gt;&amp;.jsonl" in text
    assert re.search(r"Content-Security-Policy\" content=\"default-src (?:'|&#39;)none(?:'|&#39;)", text)
    assert not re.search(r"\s(?:style|on\w+)=", text)
    assert "http" not in text.replace("Content-Security-Policy", "").replace("http-equiv", "")


SAMPLE = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\} [-+0-9.eE]+')


def test_metrics_are_valid_by_the_rules_of_the_format(made: Path, project: Path) -> None:
    log = _log(project, [line(i, latency_s=0.05 * (i + 1)) for i in range(60)])
    assert watch(project, log, "--prometheus", str(project / "m.prom")) == 0
    text = (project / "m.prom").read_text()
    assert text.endswith("\n")
    typed: dict[str, str] = {}
    series: dict[str, float] = {}
    for one in text.splitlines():
        if one.startswith("# TYPE "):
            _, _, name, kind = one.split(" ")
            assert name not in typed
            typed[name] = kind
        elif not one.startswith("# HELP "):
            assert SAMPLE.fullmatch(one), one
            key, value = one.rsplit(" ", 1)
            assert key not in series
            series[key] = float(value)
            name = key.partition("{")[0]
            assert re.sub(r"_(?:bucket|sum|count)$", "", name) in typed or name in typed
            assert typed.get(name) != "counter" or name.endswith("_total")
    label = 'suite="sums",baseline="runs/sums:lora"'
    assert series[f"harness_monitor_requests_total{{{label}}}"] == 60
    assert series[f'harness_monitor_drift{{{label},group="behaviour"}}'] == 0
    assert series[f'harness_monitor_check_share{{{label},check="number",group="behaviour"}}'] == 1
    buckets = [value for key, value in series.items() if key.startswith("harness_monitor_latency_seconds_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == series[f"harness_monitor_latency_seconds_count{{{label}}}"] == 60
    assert series[f'harness_monitor_latency_seconds_bucket{{{label},le="1"}}'] in (19, 20)
    assert series[f"harness_monitor_latency_seconds_sum{{{label}}}"] == pytest.approx(0.05 * 60 * 61 / 2)


def test_labels_are_escaped(made: Path, project: Path) -> None:
    log = _log(project, [line(i) for i in range(30)])
    base = read_run(made / "runs" / "sums")
    found = monitor(log, read_suite("sums"), base, "lora", project / "state.json")
    text = prometheus(replace(found, baseline='a"b\\c\nd'))
    assert 'baseline="a\\"b\\\\c\\nd"' in text
    assert all(SAMPLE.fullmatch(one) for one in text.splitlines() if not one.startswith("#"))
    assert "<x>" not in live_page(replace(found, suite="<x>"))


def test_tokens_are_priced_where_the_run_knows_prices(made: Path, project: Path) -> None:
    known = read_run(made / "runs" / "sums")
    prices = {"endpoint": "host", "usd_per_million_input": 2.0, "usd_per_million_output": 10.0}
    models = {name: {**card, **prices} for name, card in known.manifest["models"].items()}
    priced = replace(known, manifest={**known.manifest, "models": models})
    found = monitor(_log(project, [line(0)]), read_suite("sums"), priced, "lora", project / "state.json")
    assert found.live.usd_per_1000 == pytest.approx((10 * 2 + 2 * 10) / 1000)


# --- the checks ------------------------------------------------------------------------------------------------------


def _said(text: str, asked: str = "Pay 120 EUR by 3 May.", reason: str = "stop") -> Exchange:
    return Exchange(1, ({"role": "user", "content": asked},), Completion(text, finish_reason=reason))


BASE = [_said(f"Reply {'x' * i}", f"Pay {i} EUR by 3 May.") for i in range(20, 60)]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("complete", "Fine.", 1), ("complete", "  ", 0), ("complete", "", 0),
        ("answers", "You owe 120 EUR.", 1), ("answers", "I’m sorry, but I can't help with that.", 0),
        ("answers", "As an AI language model, I have no opinion.", 0), ("answers", "He said he cannot help it.", 1),
        ("answers", "", None),
        ("numbers", "You pay 120 EUR.", 1), ("numbers", "One hundred and twenty? No: 120.", 0),
        ("numbers", "You pay 99 EUR.", 0),
        ("numbers", "1. Pay.\n2. Rest.\n10. Done.", 1), ("numbers", "In 2 steps.", 1), ("numbers", "", None),
        ("not_longer", "x" * 63, 1), ("not_longer", "x" * 65, 0),
        ("not_shorter", "x" * 28, 1), ("not_shorter", "x" * 20, 0),
    ],
)  # fmt: skip
def test_checks_of_replies(name: str, text: str, value: float | None) -> None:
    (check,) = [one for one in live._replies(BASE) if one.name == name]
    assert check.of(_said(text)) == value


def test_a_schema_that_takes_long_gives_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = read_suite("formats", Path(__file__).parent.parent)
    (spec,) = [one for one in live.live_specs(suite) if one.spec.name == "valid_json"]
    check = live._scored(suite, spec)

    def value(reply: str, schema: dict[str, Any]) -> float | None:
        return check.of(replace(_said(reply), metadata={"kind": "json", "schema": schema}))

    assert value('"aaa"', {"pattern": "^(a+)+$"}) == 1
    assert value('"b"', {"pattern": "^(a+)+$"}) == 0
    monkeypatch.setattr(live, "SECONDS", 0.3)
    check = live._scored(suite, spec)
    assert value(f'"{"a" * 40}!"', {"pattern": "^(a+)+$"}) is None
    twice = {str(i): {"allOf": [{"$ref": f"#/$defs/{i + 1}"}] * 2} for i in range(40)}
    assert value("1", {"$ref": "#/$defs/0", "$defs": {**twice, "40": {}}}) is None


def test_a_busy_machine_takes_no_verdict_away_and_another_timer_goes_on() -> None:
    def waits(*_: object) -> Score:
        time.sleep(0.1)  # as a process does that other processes leave no time to
        return Score(1.0)

    signal.setitimer(signal.ITIMER_REAL, 600)
    try:
        assert live._within(0.02, waits, None, None) == Score(1.0)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_a_reply_of_empty_lines_is_looked_at_at_once() -> None:
    (check,) = [one for one in live._replies(BASE) if one.name == "numbers"]
    began = time.process_time()
    assert check.of(_said("x" + "\n" * 19_999)) == 1
    assert check.of(_said("x" + "\n- " * 6_000)) == 1
    assert time.process_time() - began < 2


@pytest.mark.parametrize("reason", ["length", "error", "thinking"])
def test_a_reply_that_was_cut_is_not_complete(reason: str) -> None:
    (check,) = [one for one in live._replies(BASE) if one.name == "complete"]
    assert check.of(_said("Fine", reason=reason)) == 0


@pytest.mark.parametrize(
    ("name", "asked", "value"),
    [
        ("prompt_not_longer", "Pay 30 EUR by 3 May, and then wait for the mail.", 0),
        ("prompt_not_longer", "Pay 30 EUR by 3 May.", 1),
        ("prompt_not_shorter", "Pay.", 0), ("known_words", "Write a poem on owls", 0), ("known_words", "Pay 7 EUR", 1),
        ("language", "Bitte zahle den Betrag von zwanzig Talern umgehend", 0), ("language", "заплати", 0),
        ("language", "You will have to pay it by the end of May.", 1),
    ],
)  # fmt: skip
def test_checks_of_prompts(name: str, asked: str, value: float) -> None:
    base = (
        [_said("x", f"You have to pay the {i} EUR by the 3 May.") for i in range(20, 60)]
        if name == "language"
        else BASE
    )
    (check,) = [one for one in live._prompts(base) if one.name == name]
    assert check.of(_said("x", asked)) == value


def test_the_commands_of_the_page_on_monitoring_run(made: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parent.parent / "docs" / "monitoring.md").read_text("utf-8")
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    commands = [one.split() for block in blocks for one in block.splitlines() if one.startswith("harness monitor")]
    assert len(commands) == 3
    log = _log(project, [line(i) for i in range(30)], "traffic.jsonl")
    places = {"traffic.jsonl": log, "drift.html": str(project / "drift.html"), "mytask.prom": str(project / "m.prom")}
    for command in commands:
        assert main([places.get(part, part).replace("mytask", "sums") for part in command[1:]]) == 0
    assert (project / "drift.html").is_file()
    assert (project / "m.prom").is_file()
    logged = re.findall(r"^\{.*\}$", text, re.MULTILINE)
    assert len(logged) == 3
    assert all(isinstance(exchange(one, 1), Exchange) for one in logged)
