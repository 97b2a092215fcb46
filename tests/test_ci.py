"""What CI shows of a gate: the formats' own rules, their limits, and texts that mean harm in every one of them."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hostile import HOSTILE
from lxml import etree
from runs import make_run, right

from harness import ci
from harness.baseline import bless, write_baseline
from harness.ci import code_quality, comment, findings, junit_xml, log_commands, marker, summary
from harness.cli import main
from harness.data import Run
from harness.gate import LISTED, GateResult, gate, gate_json
from harness.plain import plain
from harness.policy import Policy, Rule
from harness.progress import say
from harness.report.sheets import cell
from harness.report.text import preview
from harness.store import write_json
from harness.tables import HEADER, comparison, comparison_csv, comparison_markdown

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parent / "junit.xsd"))
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\u2800\u3164\ud800-\udfff\ufe00-\ufe0d\ufeff\ufffe\uffff\U0001d159]"
)
RULES = (Rule("at_least", 0.5, by="lower bound"), Rule("at_least", 0.5, by="mean"), Rule("no_flip", 1))


def _runs(base: dict[str, list[Any]], cand: dict[str, list[Any]]) -> tuple[Run, Run]:
    old, new = ({suite: {"lora": scores} for suite, scores in side.items()} for side in (base, cand))
    return make_run(old, path="runs/old"), make_run(new, path="runs/new")


def _gate(base: dict[str, list[Any]], cand: dict[str, list[Any]], *rules: Rule) -> GateResult:
    old, new = _runs(base, cand)
    return gate(old, "lora", new, "lora", Policy(rules=rules, path="gate.yaml", tier="full", missing="fail"))


BASE = {"sql": right(150, 200), "soap": right(90, 200)}
RESULTS = {
    "PASS": _gate(BASE, BASE, Rule("no_worse_than", 0.1)),
    "FAIL": _gate(BASE, {"sql": right(150, 200), "soap": right(60, 200)}, *RULES),
    "INCONCLUSIVE": _gate({"sql": right(20, 40)}, {"sql": right(20, 40)}, *RULES),
    "missing": _gate(BASE, {"sql": right(150, 200), "soap": [None, *right(90, 199)]}),
    "NOT COMPARABLE": _gate({"sql": [None, *right(90, 199)]}, {"sql": right(90, 200)}),
}


def _junit(result: GateResult, answers: ci.Answers | None = None) -> Any:
    tree = etree.fromstring(junit_xml(result, answers), etree.XMLParser(resolve_entities=False, huge_tree=True))
    SCHEMA.assertValid(tree)
    names = [(case.get("classname"), case.get("name")) for case in tree.iter("testcase")]
    assert len(set(names)) == len(names)
    for element in (tree, *tree.iter("testsuite")):
        cases = list(element.iter("testcase"))
        assert int(element.get("tests")) == len(cases)
        for tag in ("failure", "error"):
            assert int(element.get(f"{tag}s")) == sum(case.find(tag) is not None for case in cases)
    return tree


# --- what they say ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "failures", "errors", "skipped"),
    [
        ("PASS", 0, 0, 0),
        ("FAIL", 26, 0, 0),  # the verdict, the mean, soap, three broken rules, 20 lost samples
        ("INCONCLUSIVE", 0, 1, 2),
        ("missing", 2, 0, 0),
        ("NOT COMPARABLE", 0, 1, 1),
    ],
)
def test_junit_counts_what_is_broken_and_never_calls_an_open_gate_a_success(
    name: str, failures: int, errors: int, skipped: int
) -> None:
    tree = _junit(RESULTS[name])
    assert [sum(1 for _ in tree.iter(tag)) for tag in ("failure", "error", "skipped")] == [failures, errors, skipped]


def test_the_names_of_test_cases_do_not_change_with_the_numbers() -> None:
    one, two = (_gate({"sql": right(n, 200)}, {"sql": right(n, 200)}, *RULES) for n in (150, 160))
    names = [[case.get("name") for case in _junit(result).iter("testcase")] for result in (one, two)]
    assert names[0] == names[1]
    assert names[0] == [
        "verdict", "no_worse_than(match)", "at_least(lower bound)", "at_least(mean)", "no_flip()",
    ]  # fmt: skip


def test_suites_and_samples_whose_names_look_the_same_are_told_apart() -> None:
    scores = {suite: right(20, 60) for suite in ("a b", "a  b", "a\tb")}
    result = _gate({suite: [1.0] * 60 for suite in scores}, scores)
    again = tuple(replace(one, sample="x" * 5_000, digest="") for one in result.lost)
    for lost in (result.lost, again):
        assert len(list(_junit(replace(result, lost=lost)).iter("testcase"))) == 5 + 3 * LISTED


@pytest.mark.parametrize("name", RESULTS)
def test_every_output_says_the_verdict(name: str) -> None:
    result = RESULTS[name]
    assert summary(result).startswith(f"## Gate: {result.status}\n")
    assert comment(result).splitlines()[:2] == [marker(result), f"## Gate: {result.status}"]
    assert (log_commands(result, {}) == []) == (result.status == "PASS")
    assert (code_quality(result, {}) == []) == (result.status == "PASS")
    assert findings(result)[0].said == result.sentence


def test_lost_samples_are_named_with_the_largest_losses_first_and_without_texts() -> None:
    base, cand = [1.0] * 100, [0.0, 0.5, *[1.0] * 98]
    result = _gate({"sql": base}, {"sql": cand})
    assert [(one.sample, one.now) for one in result.lost] == [("sql-0000", 0.0), ("sql-0001", 0.5)]
    assert gate_json(result)["lost"][0]["digest"] == "h-sql-0000"
    text = summary(result)
    assert "- Suite sql, sample sql-0000: match 1 before, 0 now" in text
    assert "```" not in text
    assert "```text\n  SELECT 1\n  ```" in summary(result, {("sql", "h-sql-0000"): "SELECT 1"})


def test_quarantine_and_notes_are_said() -> None:
    result = replace(RESULTS["PASS"], quarantined=("sql sql-1: disputed",), expired=("soap x",), notes=("engine",))
    text = summary(result)
    for line in ("In quarantine: sql sql-1: disputed", "Quarantine has expired: soap x", "Note: engine"):
        assert line in text


def test_the_marker_is_that_of_arm_and_policy_not_of_the_run() -> None:
    result = RESULTS["FAIL"]
    assert marker(replace(result, candidate="runs/other:lora")) == marker(result)
    assert marker(replace(result, candidate="runs/new:base")) != marker(result)
    assert marker(replace(result, policy="gate.yaml: smoke")) != marker(result)


# --- limits ----------------------------------------------------------------------------------------------------------


def test_outputs_of_many_suites_stay_within_what_ci_shows() -> None:
    base = {f"suite-{i:03d}": right(200, 200) for i in range(120)}
    cand = {suite: right(100, 200) for suite in base}
    old, new = _runs(base, cand)
    result = gate(old, "lora", new, "lora", Policy(rules=(Rule("no_flip", 0),)))
    answers = {(row.suite, row.sample_digest): "é" * 5_000 for row in new.rows}
    assert len(comment(result, answers)) <= 65_536
    for limit in (5_000, 100_000, ci.SUMMARY):
        text = summary(result, answers, limit)
        assert limit - 10_000 < len(text.encode()) <= limit
        assert text.count("```") % 2 == 0
        assert re.search(r"\d+ more lines in gate\.json\.\n$", text)
    commands = log_commands(result, {suite: f"suites/{suite}/suite.yaml" for suite in base})
    assert len(commands) == 10
    assert commands[1].startswith(
        "::error file=suites/suite-000/suite.yaml,line=1,title=suite-000 no_worse_than(match)::"
    )


def test_code_quality_has_what_gitlab_asks_for() -> None:
    entries = code_quality(RESULTS["FAIL"], {"soap": "suites/soap/suite.yaml"})
    assert len({entry["fingerprint"] for entry in entries}) == len(entries) == 6
    for entry in entries:
        assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert entry["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert entry["location"] == {"path": "suites/soap/suite.yaml", "lines": {"begin": 1}}


# --- texts that mean harm --------------------------------------------------------------------------------------------


def hostile_run(text: str, good: bool) -> Run:
    """60 answers with this text, by an arm on a suite and on samples that are named so, all right or all wrong."""
    suite, arm = text[:60] or "empty", f"{text[:60]}+"
    run = make_run({suite: {arm: [float(good)] * 60}}, path=f"runs/{good}")
    rows = tuple(
        replace(r, sample=text[:90] + r.sample[-4:], completion=replace(r.completion, text=text)) for r in run.rows
    )
    scores = tuple(replace(s, sample=text[:90] + s.sample[-4:]) for s in run.scores)
    return replace(run, rows=rows, scores=scores)


def hostile_gate(text: str) -> tuple[GateResult, dict[tuple[str, str], str]]:
    """A failed gate over `hostile_run`, and its answers."""
    old, new = hostile_run(text, True), hostile_run(text, False)
    arm = next(iter(new.manifest["arms"]))
    result = gate(old, arm, new, arm, Policy(rules=(Rule("no_flip", 0),)))
    assert (result.status, len(result.lost)) == ("FAIL", LISTED)
    return result, {(row.suite, row.sample_digest): row.completion.text for row in new.rows}


def test_the_corpus_is_large() -> None:
    assert len(set(HOSTILE.values())) == len(HOSTILE) >= 60


@pytest.mark.parametrize("name", HOSTILE)
def test_junit_holds_any_text_as_text(name: str) -> None:
    result, answers = hostile_gate(HOSTILE[name])
    tree = _junit(result, answers)
    assert not UNSEEN.search(junit_xml(result, answers).decode())
    lost = [case.find("failure") for case in tree.iter("testcase") if case.find("failure").get("type") == "lost"]
    assert len(lost) == LISTED
    assert lost[0].text == preview(HOSTILE[name], ci.SHOWN)
    assert len(tree) == 2  # no element of the text's own


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_holds_any_text_without_markup_of_its_own(name: str) -> None:
    result, answers = hostile_gate(HOSTILE[name])
    first, _, body = comment(result, answers).partition("\n")
    assert first == marker(result)
    for text in (body, summary(result), comparison_markdown(hostile_run(HOSTILE[name], True))):
        assert not UNSEEN.search(text)
        outside = re.sub(r"^  (`{3,})text\n(?:  (?!\1$).*\n)*  \1$", "", text, flags=re.MULTILINE)
        assert "```" not in re.sub(r"\\`", "", outside)
        assert not re.search(r"(?<!\\)[`\[\]*~]", outside.replace("**broken**", ""))
        assert not re.search(
            r"<(?!!-- -->)|@\w|//|\bwww\.|(?<!&)#\w|\$[^$|\n]*\$|%[\w\"]|&amp;\d|:[a-z+-][\w+-]*:", outside
        )
        assert outside.count("<!-- -->") == outside.count("-->") == outside.count("<!--")
    assert len(body.encode()) <= ci.COMMENT


@pytest.mark.parametrize("name", HOSTILE)
def test_a_runner_obeys_none_of_it(name: str) -> None:
    result, _ = hostile_gate(HOSTILE[name])
    lines = log_commands(result, dict.fromkeys((row.suite for row in result.rows), HOSTILE[name][:100]))
    assert 2 <= len(lines) <= 10
    for line in lines:
        assert re.fullmatch(r"::error (file=[^:,]*,line=1,)?title=[^:,]*::[^\n\r]*", line)
        assert not UNSEEN.search(line)
        assert not re.search(r"##\w*\[", line)
    for line in (plain(result.sentence), *comparison(hostile_run(HOSTILE[name], True)).splitlines()):
        assert not UNSEEN.search(line)
        assert not line.lstrip().startswith("::")
        assert not re.search(r"##\w*\[", line)


@pytest.mark.parametrize("name", HOSTILE)
def test_baseline_show_and_diff_and_progress_show_it_as_text(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for side, good in (("old", True), ("new", False)):
        run = hostile_run(HOSTILE[name], good)
        write_baseline(tmp_path / f"{side}.json", bless(run, next(iter(run.manifest["arms"])), HOSTILE[name] + "."))
    say(HOSTILE[name])
    assert main(["baseline", "show", str(tmp_path / "new.json")]) == 0
    assert main(["baseline", "diff", str(tmp_path / "old.json"), str(tmp_path / "new.json")]) == 0
    captured = capsys.readouterr()
    for line in (captured.out + captured.err).splitlines():
        assert not UNSEEN.search(line)
        assert not line.lstrip().startswith("::")
        assert not re.search(r"##\w*\[", line)
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_a_terminal_shows_it_in_its_row(name: str) -> None:
    text = comparison(hostile_run(HOSTILE[name], True))
    head, rule, row, empty, _ = text.split("\n")
    assert head.split() == " ".join(HEADER).split()
    assert (set(rule), empty) == ({"-"}, "")
    assert " 60 " in row


@pytest.mark.parametrize("name", HOSTILE)
def test_a_spreadsheet_runs_none_of_it(name: str) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow([cell(HOSTILE[name]), "next"])
    csv.field_size_limit(10**7)
    for text in (stream.getvalue(), comparison_csv(hostile_run(HOSTILE[name], True))):
        assert not UNSEEN.search(text)
        rows = list(csv.reader(io.StringIO(text)))
        assert len({len(row) for row in rows}) == 1
        cells = [value for row in rows for value in row]
        assert not [c for c in cells if re.match(r"\s*[=+@＝＋－＠﹦\t\r]|\s*-(?!\d*\.?\d+(e-?\d+)?$)", c)]


@pytest.mark.parametrize("name", HOSTILE)
def test_json_holds_it_as_it_was(name: str, tmp_path: Path) -> None:
    result, _ = hostile_gate(HOSTILE[name])
    write_json(tmp_path / "gate.json", gate_json(result))
    value = json.loads((tmp_path / "gate.json").read_text("utf-8"))
    assert value["lost"][0]["sample"] == result.lost[0].sample
    write_json(tmp_path / "quality.json", code_quality(result, {}))
    entries = json.loads((tmp_path / "quality.json").read_text("utf-8"))
    assert not UNSEEN.search("".join(entry["description"] for entry in entries))


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from project import make_project

    make_project(tmp_path, n=80)
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_SERVER_URL", "CI_JOB_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main(["run", "-s", "sums"]) == 0
    return tmp_path


GATE = ["gate", "runs/sums:base", "--baseline", "runs/sums:lora"]


def test_the_gate_writes_what_is_asked_for(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    files = ["--junit", "out/gate.xml", "--summary", "out/s.md", "--comment", "out/c.md", "--gitlab", "out/q.json"]
    assert main([*GATE, *files]) == 1
    assert capsys.readouterr().out.count("\n") == 1
    SCHEMA.assertValid(etree.parse("out/gate.xml"))
    assert (project / "out/s.md").read_text().startswith("## Gate: FAIL")
    assert (project / "out/c.md").read_text().startswith("<!-- harness gate ")
    entries = json.loads((project / "out/q.json").read_text())
    assert entries[1]["location"]["path"] == "suites/sums/suite.yaml"
    texts = "".join((project / "out" / name).read_text() for name in ("gate.xml", "s.md", "c.md", "q.json"))
    assert "I do not know." not in texts
    assert main([*GATE, *files, "--answers"]) == 1
    for name in ("gate.xml", "s.md", "c.md"):
        assert "I do not know." in (project / "out" / name).read_text()


def test_annotations_come_in_githubs_runner_only_and_never_into_json(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    capsys.readouterr()
    assert main(GATE) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line[:8] for line in lines] == ["FAIL: ba", "::error ", "::error "]
    assert "file=suites/sums/suite.yaml,line=1," in lines[2]
    assert main([*GATE, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["status"] == "FAIL"


def test_a_step_summary_is_appended_to_and_other_files_are_replaced(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "step.md")
    (project / "step.md").write_text("# Earlier\n\n" + "x" * 890_000 + "\n")
    for name in ("step.md", "other.md"):
        for _ in range(2):
            assert main([*GATE, "--summary", name]) == 1
    step = (project / "step.md").read_text()
    assert step.startswith("# Earlier")
    assert step.count("## Gate: FAIL") == 2
    assert len(step.encode()) < 1_048_576
    assert (project / "other.md").read_text().count("## Gate: FAIL") == 1
    (project / "step.md").write_text("x" * 1_040_000)
    assert main([*GATE, "--summary", "step.md"]) == 1
    assert "step.md: no room is left" in capsys.readouterr().err
    assert (project / "step.md").stat().st_size == 1_040_000


def test_compare_prints_one_format_at_a_time(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["compare", "runs/sums"]) == 0
    assert capsys.readouterr().out.endswith("\n\nUse lora for sums.\n")
    assert main(["compare", "runs/sums", "--markdown"]) == 0
    assert "| sums | lora | 80 | 100.0 |" in capsys.readouterr().out
    assert main(["compare", "runs/sums", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["arm"], row["difference"]) for row in rows] == [("base", ""), ("prompted", "0"), ("lora", "0.5")]
    assert main(["compare", "runs/sums", "--csv", "--json"]) == 2


def test_colours_are_for_differences_that_are_shown() -> None:
    run = make_run({"sql": {"prompted": right(100, 200), "lora": right(180, 200), "base": right(100, 200, start=3)}})
    text = comparison(run, lambda text, what: f"<{what}>{text}")
    tinted = [line.split()[1] for line in text.splitlines() if "<gain>" in line or "<loss>" in line]
    assert tinted == ["lora"]
    assert "<gain>+40.0" in text
