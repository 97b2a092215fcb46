"""Baseline files: small, canonical, blessed by people, and as good as the run they were made of."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from project import make_project
from runs import failed, make_run, right

from harness.baseline import CI, bless, difference, read_baseline, read_content, write_baseline
from harness.cli import main
from harness.data import Run
from harness.digests import text_digest
from harness.errors import RunError
from harness.gate import gate
from harness.policy import Policy, Quarantined, Rule
from harness.store import read_run

BASE = right(150, 200)


def _run(scores: list[Any], path: str = "runs/r", **kwargs: Any) -> Run:
    extra = {"kept": {"sql": {"lora": [0.1 + value / 3 for value in scores]}}} if None not in scores else None
    return make_run({"sql": {"lora": scores}}, path=path, extra=extra, prompt="Answer.", **kwargs)


def _file(folder: Path, run: Run, **kwargs: Any) -> Run:
    write_baseline(folder / "lora.json", bless(run, "lora", "first", **kwargs))
    return read_baseline(folder / "lora.json")[0]


# --- the file --------------------------------------------------------------------------------------------------------


def test_the_same_run_gives_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    for name, shuffle in (("a.json", None), ("b.json", 1), ("c.json", 2)):
        write_baseline(tmp_path / name, bless(_run(BASE, path=f"runs/{name}", shuffle=shuffle), "lora", "first"))
    assert len({(tmp_path / name).read_bytes() for name in ("a.json", "b.json", "c.json")}) == 1
    for name in ("a.json.gz", "b.json.gz"):
        write_baseline(tmp_path / name, bless(_run(BASE), "lora", "first"))
    assert (tmp_path / "a.json.gz").read_bytes()[4:8] == bytes(4)  # no time of writing
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()
    assert read_content(tmp_path / "a.json.gz") == read_content(tmp_path / "a.json")


def test_a_file_is_small_has_a_line_per_sample_and_no_text(tmp_path: Path) -> None:
    write_baseline(tmp_path / "lora.json", bless(_run(BASE), "lora", "first"))
    text = (tmp_path / "lora.json").read_text()
    rows = [line for line in text.splitlines() if '"prompt":' in line]
    assert len(rows) == 200
    assert rows == sorted(rows)
    assert len(text) < 200 * 130 + 2000
    assert '"text"' not in text
    assert "Answer." not in text
    assert "runs/" not in text


def _timed(run: Run) -> Run:
    """Seconds and tokens that differ from sample to sample, and from run to run."""
    draw = random.Random(run.path)
    done = [
        replace(r.completion, seconds=round(draw.uniform(0.1, 0.2), 6), prompt_tokens=draw.randint(5, 50))
        for r in run.rows
    ]
    return replace(run, rows=tuple(replace(r, completion=c) for r, c in zip(run.rows, done, strict=True)))


def test_a_file_without_seconds_by_sample_leaves_a_latency_rule_open(tmp_path: Path) -> None:
    run = _timed(_run(BASE))
    content = bless(run, "lora", "first")
    del content["suites"]["sql"]["measured"]["seconds"]["each"]
    content["content"] = text_digest({key: content[key] for key in content if key not in ("content", "history")})
    write_baseline(tmp_path / "lora.json", content)
    result = gate(
        *read_baseline(tmp_path / "lora.json"), run, "lora", Policy(rules=(Rule("latency_ratio", 2.0, by="mean"),))
    )
    assert (result.status, result.checks[0].state) == ("INCONCLUSIVE", "open")


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("plain", {}),
        ("probes", {"probes": {"sql": ["facts", "lists"] * 100}}),
        (
            "sources",
            {"metadata": {"sql": [{"document": i // 5} for i in range(200)]}, "suite": {"cluster": "document"}},
        ),
        ("looks", {"suite": {"looks": {"sizes": [40, 80, 120, 160, 200], "used": 5, "seed": 0}}}),
    ],
)
def test_a_gate_says_the_same_of_a_file_as_of_its_run(tmp_path: Path, name: str, kwargs: dict[str, Any]) -> None:
    old, new = (_timed(run) for run in (_run(BASE, "runs/old", **kwargs), _run(right(140, 200, start=4), **kwargs)))
    file = _file(tmp_path, old)
    rules = (
        Rule("no_worse_than", 0.1, "kept"),
        Rule("at_least", 0.5, by="lower bound"),
        Rule("better_than", 0.0),
        Rule("no_flip", 3),
        Rule("tokens_ratio", 1.0, by="p95"),
        Rule("latency_ratio", 1.0, by="mean"),
    )
    for one, other, stored in ((old, new, (file, new)), (new, old, (new, file))):
        direct = gate(one, "lora", other, "lora", Policy(rules=rules))
        found = gate(*(stored[0], "lora"), *(stored[1], "lora"), Policy(rules=rules))
        assert (found.rows, found.checks, found.status) == (direct.rows, direct.checks, direct.status)


def test_repeated_questions_and_failed_answers_come_back_as_they_were(tmp_path: Path) -> None:
    run = _run(BASE)
    twice = {"sql-0001": "h-sql-0000"}  # asked twice: one digest, two ids
    rows = [replace(r, sample_digest=twice.get(r.sample, r.sample_digest)) for r in run.rows]
    rows[5] = replace(rows[5], completion=replace(rows[5].completion, finish_reason="error"))
    run = replace(run, rows=tuple(rows))
    with pytest.raises(RunError, match=r"sql: 1 of 200 samples are missing. Run it to the end, or say --partial"):
        bless(run, "lora", "first")
    file = _file(tmp_path, run, partial=True)
    assert read_content(tmp_path / "lora.json")["suites"]["sql"]["samples"]["h-sql-0000"]["id"] == [
        "sql-0000",
        "sql-0001",
    ]
    turned = replace(run, rows=run.rows[::-1], scores=run.scores[::-1])
    assert bless(turned, "lora", "first", partial=True) == read_content(tmp_path / "lora.json")
    assert "h-sql-0005" not in (tmp_path / "lora.json").read_text()
    assert gate(file, "lora", run, "lora").differing == (
        f"sql: 1 of 200 samples are missing in {file.path}:lora", "sql: 1 of 200 samples are missing in runs/r:lora",
    )  # fmt: skip


def test_a_changed_prompt_is_not_comparable_with_a_file(tmp_path: Path) -> None:
    file = _file(tmp_path, _run(BASE))
    other = replace(
        _run(BASE), rows=tuple(replace(r, messages=({"role": "user", "content": "?"},)) for r in _run(BASE).rows)
    )
    assert gate(file, "lora", _run(BASE), "lora").status == "PASS"
    assert gate(file, "lora", other, "lora").status == "NOT COMPARABLE"
    assert gate(file, "lora", other, "lora", Policy(prompts="may differ")).status == "PASS"


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda text: text.replace('"match": 0', '"match": 1', 1), "was edited by hand. Restore it from git"),
        (lambda text: text.replace('"n_test": 200', '"n_test": 10'), "was edited by hand"),
        (lambda text: text.replace('"baseline": 1', '"baseline": 2'), "baseline format 2, this harness reads 1"),
        (lambda text: text[:500], "not a baseline file"),
        (lambda text: "[]", "not a baseline file"),
        (lambda text: "{}", "not a baseline file"),
        (lambda text: text.replace('"history": [', '"old history": ['), "not a baseline file"),
        (lambda text: text.replace('"reason": "', '"why": "'), "not a baseline file"),
    ],
)
def test_a_file_that_is_not_what_was_blessed_is_one_line(tmp_path: Path, edit: Any, words: str) -> None:
    _file(tmp_path, _run(BASE))
    file = tmp_path / "lora.json"
    file.write_text(edit(file.read_text()))
    with pytest.raises(RunError) as caught:
        read_baseline(file)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_gzip_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "lora.json.gz"
    write_baseline(file, bless(_run(BASE), "lora", "first"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2 :] = bytes(255 - byte for byte in data[len(data) // 2 :])
    file.write_bytes(data)
    with pytest.raises(RunError, match="not a baseline file"):
        read_baseline(file)


def test_of_several_draws_the_mean_is_kept(tmp_path: Path) -> None:
    run = _run(BASE)
    rows, scores = [], []
    for draw, tokens in enumerate((10, 1001)):
        for row in run.rows:
            done = replace(row.completion, prompt_tokens=tokens, completion_tokens=0, seconds=tokens / 100)
            rows.append(replace(row, draw=draw, draws=2, completion=done))
        scores += [replace(score, draw=draw) for score in run.scores]
    run = replace(
        run, rows=tuple(rows), scores=tuple(scores), manifest={**run.manifest, "seconds": {"sql": {"lora": 9.0}}}
    )
    file = _file(tmp_path, run)
    rules = tuple(Rule(f"{kind}_ratio", 1.0) for kind in ("tokens", "latency", "cost"))
    result = gate(file, "lora", run, "lora", Policy(rules=rules))
    assert [(one.value, one.state) for one in result.checks] == [(1.0, "holds")] * 3
    turned = replace(run, rows=run.rows[::-1], scores=run.scores[::-1])
    assert bless(turned, "lora", "first") == read_content(tmp_path / "lora.json")


def test_quarantine_takes_its_share_of_the_engine_time_along(tmp_path: Path) -> None:
    run = _run(BASE, "runs/r", seconds={"sql": {"lora": 40.0}})
    entries = tuple(Quarantined("sql", f"sql-{i:04d}", date(2027, 1, 1), "broken") for i in range(20))
    policy = Policy(rules=(Rule("cost_ratio", 1.05),), quarantine=entries, share=0.2)
    for base in (_file(tmp_path, run), run):
        (found,) = gate(base, "lora", run, "lora", policy, date(2026, 1, 1)).checks
        assert (found.value, found.state) == (1.0, "holds")


def test_metadata_that_is_called_none_is_no_cluster() -> None:
    run = _run(BASE)
    named = replace(run, rows=tuple(replace(row, metadata={"None": "secret"}) for row in run.rows))
    assert "secret" not in json.dumps(bless(named, "lora", "first"))


# --- blessing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (_run(BASE, finished=None), "runs/r: not finished. Run it to the end, or say --partial"),
        (_run(BASE, suite={"n_test": 300, "n_asked": 200}), "sql: only 200 of 300 samples were asked"),
        (_run([None, *BASE[1:]]), "sql: 1 of 200 samples are missing"),
        (_run([None] * 200), "lora has no scores. Run it first"),
    ],
)
def test_what_is_not_whole_is_not_blessed_unless_told(run: Run, words: str) -> None:
    with pytest.raises(RunError, match=words):
        bless(run, "lora", "first")
    if "no scores" not in words:
        assert bless(run, "lora", "first", partial=True)["arm"] == "lora"


def test_a_suite_is_not_dropped_without_being_told() -> None:
    both = bless(make_run({"sql": {"lora": BASE}, "soap": {"lora": BASE}}), "lora", "first")
    with pytest.raises(RunError, match="soap: not in this run"):
        bless(_run(BASE), "lora", "second", old=both)
    assert list(bless(_run(BASE), "lora", "second", old=both, partial=True)["suites"]) == ["sql"]


def test_a_suite_whose_answers_all_failed_is_not_blessed_away() -> None:
    run = failed(make_run({"sql": {"lora": BASE}, "soap": {"lora": BASE}}), "soap", "lora")
    with pytest.raises(RunError, match="soap: 200 of 200 samples are missing"):
        bless(run, "lora", "first")
    assert list(bless(run, "lora", "first", partial=True)["suites"]) == ["sql"]


def test_every_blessing_stays_in_the_history_and_the_same_one_is_not_told_twice() -> None:
    first = bless(_run(BASE), "lora", "first release")
    assert bless(_run(BASE), "lora", "first release", old=first) == first
    second = bless(_run(right(160, 200), created="2026-12-01T10:00:00+00:00"), "lora", "June\ndata", old=first)
    assert [entry["reason"] for entry in second["history"]] == ["first release", "June data"]
    assert second["history"][0] == first["history"][0]
    assert second["history"][1] == {
        "reason": "June data", "answered": "2026-12-01T10:00:00+00:00", "git": None, "content": second["content"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arm", "reason", "words"), [("lorra", "x", "Did you mean 'lora'"), ("lora", " ", "an empty reason")]
)
def test_a_blessing_needs_an_arm_and_a_reason(arm: str, reason: str, words: str) -> None:
    with pytest.raises(RunError, match=words):
        bless(_run(BASE), arm, reason)


def test_a_difference_names_suites_means_and_flips(tmp_path: Path) -> None:
    file = _file(tmp_path, _run(BASE))
    header, rows, lines = difference(file, "lora", _run([0.0] * 12 + BASE[12:]), "lora")
    assert dict(zip(header, rows[0], strict=True)) == {
        "suite": "sql", "scorer": "match", "n": "200", "missing": "0", "old": "75.0 %", "new": "69.0 %",
        "difference": "-6.0", "95% CI of it": "-10.2..-3.5", "won/lost": "0/12",
    }  # fmt: skip
    assert lines == ["sql: lost: " + ", ".join(f"sql-{i:04d}" for i in range(10)) + " and 2 more"]
    assert difference(file, "lora", _run(BASE, suite={"version": 2}), "lora")[1:] == (
        [], ["sql: not comparable: suite version 1 and 2"],
    )  # fmt: skip


def test_diff_widens_with_shared_sources_and_with_looks() -> None:
    cand = [*[0.0] * 12, *BASE[12:]]
    about = {"metadata": {"sql": [{"document": i // 10} for i in range(200)]}, "suite": {"cluster": "document"}}
    looks = {"suite": {"looks": {"sizes": [40, 80, 120, 160, 200], "used": 2, "seed": 0}}}

    def reach(**how: Any) -> float:
        (row, *_) = difference(_run(BASE, **how), "lora", _run(cand, **how), "lora")[1]
        low, high = row[7].split("..")
        return float(high) - float(low)

    assert reach(**about) > reach() + 2
    assert reach(**looks) > reach() + 2


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_project(tmp_path, n=80)
    monkeypatch.chdir(tmp_path)
    for name in CI:
        monkeypatch.delenv(name, raising=False)
    assert main(["run", "-s", "sums"]) == 0
    return tmp_path


def test_bless_show_diff_and_gate_from_the_command_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baseline", "bless", "runs/sums:lora", "--reason", "first release"]) == 0
    file = project / "baselines" / "lora.json"
    before = file.read_bytes()
    assert main(["baseline", "bless", "runs/sums:lora", "--reason", "first release"]) == 0
    capsys.readouterr()
    assert main(["baseline", "show", "baselines/lora.json"]) == 0
    assert "first release" in capsys.readouterr().out
    assert main(["baseline", "show", "baselines/lora.json", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["suites"]["sums"]["means"] == {"exact": 1}
    assert main(["baseline", "diff", "baselines/lora.json", "runs/sums:base", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["won/lost"] == "0/40"
    assert main(["gate", "runs/sums:lora", "--baseline", "baselines/lora.json"]) == 0
    assert main(["gate", "runs/sums:base", "--baseline", "baselines/lora.json"]) == 1
    assert main(["gate", "baselines/lora.json", "--baseline", "runs/sums:base"]) == 0
    assert file.read_bytes() == before
    run = read_run("runs/sums")
    direct, stored = (gate(*side, run, "lora") for side in ((run, "lora"), read_baseline(file)))
    assert direct.rows == stored.rows


def test_a_policy_from_the_command_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baseline", "bless", "runs/sums:lora", "--reason", "first release"]) == 0
    (project / "gate.yaml").write_text(
        "baseline: baselines/lora.json\n"
        "tiers: {full: {rules: [at_least: {score: 0.8}]}, strict: {rules: [at_least: {score: 0.99}]}}\n"
        "quarantine: {at_most: 0.05, samples: [\n"
        "  {suite: sums, sample: test-1, until: 2999-01-01, reason: disputed},\n"
        "  {suite: sums, sample: test-2, until: 2020-01-01, reason: mended}]}\n"
    )
    capsys.readouterr()
    assert main(["gate", "runs/sums:lora", "--policy", "gate.yaml", "--tier", "full"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("PASS")
    assert "In quarantine: sums test-1" in captured.err
    assert "Quarantine has expired, the sample counts: sums test-2" in captured.err
    value = json.loads((project / "runs" / "sums" / "gate.json").read_text())
    assert (value["policy"], value["rows"][0]["n"], len(value["checks"])) == ("gate.yaml: full", 79, 1)
    assert main(["gate", "runs/sums:lora", "--policy", "gate.yaml", "--tier", "strict"]) == 3
    assert main(["run", "-s", "sums", "-a", "lora", "--limit", "40", "--out", "runs/short"]) == 0
    assert main(["gate", "runs/short:lora", "--policy", "gate.yaml", "--tier", "full"]) == 1
    assert main(["gate", "runs/short:lora", "--baseline", "baselines/lora.json"]) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gate", "runs/sums:lora"], "Missing option '--baseline', and no policy names one"),
        (["gate", "runs/sums:lora", "--policy", "none.yaml"], "none.yaml: no such file"),
        (["gate", "runs/sums:lora", "--baseline", "runs/sums:base", "--tier", "full"], "--tier needs --policy"),
        (["gate", "runs/sums:lora", "--policy", "gate.yaml", "--margin", "0.1"], "--policy excludes"),
        (
            ["gate", "runs/sums:lora", "--baseline", "none.json"],
            "none.json: no such file. Make it with: harness baseline",
        ),
        (["gate", "runs/sums:lora", "--baseline", "runs/sums/run.json"], "not a baseline file"),
        (["baseline"], "Missing command"),
        (["baseline", "bles"], "No such command 'bles'"),
        (["baseline", "bless", "runs/sums:lora"], "Missing option '--reason'"),
        (["baseline", "bless", "runs/sums", "--reason", "x"], "RUN:ARM"),
        (["baseline", "bless", "runs/none:lora", "--reason", "x"], "not a run folder"),
        (["baseline", "bless", "runs/sums:lora", "--reason", "x", "--out", "models.yaml"], "name ends with .json"),
        (["baseline", "show", "runs/sums/run.json"], "not a baseline file"),
        (["baseline", "diff", "none.json", "runs/sums:lora"], "none.json: no such file"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    before = (project / "models.yaml").read_bytes()
    capsys.readouterr()
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert (project / "models.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [("CI", "true", 2), ("CI", "1", 2), ("CI", "false", 0), ("CI", "", 0)]
    + [(name, "yes", 2) for name in ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "TF_BUILD", "JENKINS_URL")],
)
def test_nothing_is_blessed_where_ci_is_set(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, code: int
) -> None:
    monkeypatch.setenv(name, value)
    assert main(["baseline", "bless", "runs/sums:lora", "--reason", "x"]) == code
    assert (project / "baselines" / "lora.json").exists() == (code == 0)
