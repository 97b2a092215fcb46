"""A gate's answer in the formats that CI shows: JUnit XML, Markdown for GitHub, annotations, GitLab code quality.

Arms, samples and above all answers are text that others wrote. Here it is drawn, cut, and escaped for each format, so
that no file is broken, no runner obeys it, nobody is mentioned, and no link or image of its own is made. Answers are in
these files only where they are asked for.

The formats: JUnit as Jenkins reads it (testsuites, testsuite, testcase; failure, error, skipped), names unique over
the file, since GitLab shows the first of equal ones only. GitHub drops a step summary of more than 1 MiB and a comment
of more than 65,536 characters, and shows 10 annotations of a step. GitLab code quality is a list of description,
check_name, fingerprint, severity, location.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree import ElementTree

from harness import words
from harness.compare import Lost
from harness.digests import text_digest
from harness.gate import GateResult
from harness.plain import plain
from harness.report.text import markdown, preview

SUMMARY = 900_000
"""Bytes of a step summary; GitHub's limit is 1,048,576."""
LEAST = 5_000
"""Bytes that the head of a summary may take; with less room there is none."""
COMMENT = 60_000
"""Bytes of a comment; GitHub's limit is 65,536 characters."""
ANNOTATIONS = 10
SHOWN = 2_000
"""Characters of one answer that are shown."""

State = Literal["kept", "broken", "open"]
STATES: Mapping[State, str] = {"kept": "kept", "broken": "broken", "open": "not settled"}
Answers = Mapping[tuple[str, str], str]
"""Text of an answer by (suite, sample digest)."""


@dataclass(frozen=True)
class Finding:
    """One thing the gate looked at. suite: "" where it is about all of them. said: what was found, in words."""

    suite: str
    name: str
    state: State
    said: str


def findings(result: GateResult) -> list[Finding]:
    """The verdict, then what it rests on: suites, their mean, rules, or what kept the sides from being compared."""
    states: Mapping[str, State] = {"PASS": "kept", "FAIL": "broken"}
    found = [Finding("", "verdict", states.get(result.status, "open"), result.sentence)]
    for row in result.rows:
        state: State = "broken" if row.worse and result.status != "PASS" else "kept" if row.holds else "open"
        said = (
            f"{words.points(row.difference)} points, at least {words.points(row.lower)}, allowed "
            f"{words.points(-row.margin)}, n={row.n}, {words.count(row.wins, 'win')}, "
            f"{words.count(row.losses, 'loss', 'losses')}"
        )
        found.append(Finding(row.suite, f"no_worse_than({row.scorer})", state, said))
    if result.macro:
        m = result.macro
        broken = m.upper < 0 and result.status == "FAIL"
        said = (
            f"{words.points(m.difference)} points, at least {words.points(m.lower)}, allowed {words.points(-m.margin)}"
        )
        found.append(
            Finding("", "mean over suites", "broken" if broken else "kept" if m.lower > -m.margin else "open", said)
        )
    rules: Mapping[str, State] = {"holds": "kept", "violated": "broken", "open": "open"}
    found += [Finding(one.suite, one.name, rules[one.state], one.said) for one in result.checks]
    state = "broken" if result.status == "FAIL" else "open"
    found += [Finding("", f"comparable, {n}", state, text) for n, text in enumerate(result.differing, 1)]
    return found


# --- JUnit -----------------------------------------------------------------------------------------------------------


def junit_xml(result: GateResult, answers: Answers | None = None) -> bytes:
    """A test case for every finding, and for every lost sample that is listed of a suite that is shown worse.

    broken: a failure. open: skipped, but the verdict itself is an error unless the gate passes or fails.
    """
    cases: dict[str, list[ElementTree.Element]] = {}
    for finding in findings(result):
        case = _case(cases, finding.suite, finding.name)
        if finding.state == "broken":
            _outcome(case, "failure", "FAIL", finding.said)
        elif finding.state == "open":
            about_all = finding.name == "verdict"
            _outcome(case, "error" if about_all else "skipped", result.status, finding.said)
    worse = {(row.suite, row.scorer) for row in result.rows if row.worse and result.status == "FAIL"}
    for one in result.lost:
        if (one.suite, one.scorer) in worse:
            case = _case(cases, one.suite, f"sample {one.sample} ({one.digest}), {one.scorer}")
            _outcome(case, "failure", "lost", _fell(one), (answers or {}).get((one.suite, one.digest), ""))
    root = ElementTree.Element("testsuites", _counts([case for found in cases.values() for case in found]))
    root.set("name", "harness gate")
    for suite, found in cases.items():
        element = ElementTree.SubElement(root, "testsuite", {"name": _xml(f"gate {suite}".rstrip())} | _counts(found))
        element.set("skipped", str(sum(case.find("skipped") is not None for case in found)))
        element.extend(found)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, "unicode")}\n'.encode()


def _case(cases: dict[str, list[ElementTree.Element]], suite: str, name: str) -> ElementTree.Element:
    """A new test case among those of its suite; a name that is in the file already gets a number."""
    place, name = _xml(f"gate.{suite}".rstrip(".")), _xml(name)
    taken = {case.get("name") for found in cases.values() for case in found if case.get("classname") == place}
    unique = next(text for n in itertools.count(1) if (text := f"{name} #{n}" if n > 1 else name) not in taken)
    case = ElementTree.Element("testcase", {"classname": place, "name": unique, "time": "0"})
    cases.setdefault(suite, []).append(case)
    return case


def _outcome(case: ElementTree.Element, tag: str, kind: str, message: str, text: str = "") -> None:
    element = ElementTree.SubElement(case, tag, {"type": kind, "message": _xml(message)})
    if text:
        element.text = preview(text, SHOWN)


def _counts(cases: Sequence[ElementTree.Element]) -> dict[str, str]:
    count = {f"{tag}s": sum(case.find(tag) is not None for case in cases) for tag in ("failure", "error")}
    return {"tests": str(len(cases)), **{key: str(value) for key, value in count.items()}, "time": "0"}


def _xml(text: str) -> str:
    """An attribute's value. What XML cannot hold is drawn with the rest that is not seen."""
    return plain(text[: 2 * SHOWN])[:SHOWN]


# --- Markdown --------------------------------------------------------------------------------------------------------


def summary(result: GateResult, answers: Answers | None = None, limit: int = SUMMARY, link: str = "") -> str:
    """The answer, what it rests on, and lost samples, as Markdown of at most `limit` bytes, cut between lines."""
    head = [f"## Gate: {result.status}", "", _inline(result.sentence), ""]
    if link:
        head += [f"[The run]({link})", ""]
    blocks = ["| | suite | rule | found |\n| --- | --- | --- | --- |"]
    blocks += [
        f"| {_bold(f.state)} | {_inline(f.suite)} | {_inline(f.name)} | {_inline(f.said)} |"
        for f in findings(result)[1:]
    ]
    said = [("In quarantine", result.quarantined), ("Quarantine has expired", result.expired), ("Note", result.notes)]
    blocks += [f"\n{what}: {_inline(text)}" for what, texts in said for text in texts]
    if result.lost:
        blocks.append("\n### Lost samples\n")
    for one in result.lost:
        text = (answers or {}).get((one.suite, one.digest))
        blocks.append(
            f"- {_inline(f'Suite {one.suite}, sample {one.sample}: {one.scorer} {_fell(one)}')}{_fenced(text)}"
        )
    return _cut("\n".join(head), blocks if len(blocks) > 1 else [], limit)


def comment(result: GateResult, answers: Answers | None = None, link: str = "") -> str:
    """`summary` within the limit of a comment, under the marker by which the comment is found again."""
    first = f"{marker(result)}\n"
    return first + summary(result, answers, COMMENT - len(first), link)


def marker(result: GateResult) -> str:
    """A line that a reader does not see, the same for the same candidate arm, policy and tier."""
    return f"<!-- harness gate {text_digest(result.candidate.rpartition(':')[2], result.policy)} -->"


def _fell(one: Lost) -> str:
    return f"{one.before:.3g} before, {one.now:.3g} now"


def _bold(state: State) -> str:
    return f"**{STATES[state]}**" if state == "broken" else STATES[state]


def _inline(text: str) -> str:
    return markdown(plain(text))


def _fenced(text: str | None) -> str:
    """A code block inside a list item, with a fence longer than any in the text."""
    if text is None:
        return ""
    shown = preview(text, SHOWN)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    body = "\n".join(f"  {line}" for line in [f"{fence}text", *shown.split("\n"), fence])
    return f"\n\n{body}\n"


def _cut(head: str, blocks: Sequence[str], limit: int) -> str:
    left = limit - len(head.encode()) - 200
    kept = []
    for block in blocks:
        left -= len(block.encode()) + 1
        if left < 0:
            break
        kept.append(block)
    rest = len(blocks) - len(kept)
    tail = [f"\n{words.count(rest, 'more line')} in gate.json."] if rest else []
    return "\n".join([head, *kept, *tail]) + "\n"


def run_link(environment: Mapping[str, str]) -> str:
    """The address of the CI job this runs in, "" elsewhere."""
    if server := environment.get("GITHUB_SERVER_URL"):
        return f"{server}/{environment.get('GITHUB_REPOSITORY')}/actions/runs/{environment.get('GITHUB_RUN_ID')}"
    return environment.get("CI_JOB_URL", "")


# --- runners ---------------------------------------------------------------------------------------------------------


def log_commands(result: GateResult, places: Mapping[str, str]) -> list[str]:
    """Commands for GitHub's runner, at most 10: the verdict, then what is broken or open. None where the gate passes.

    places: file by suite, to which an annotation is put.
    """
    if result.status == "PASS":
        return []
    found = [finding for finding in findings(result) if finding.state != "kept"]
    lines = []
    for finding in found[:ANNOTATIONS]:
        level = "error" if finding.state == "broken" or result.status == "NOT COMPARABLE" else "warning"
        title = f"Gate {result.status}" if finding.name == "verdict" else f"{finding.suite} {finding.name}".strip()
        place = f"file={_property(places[finding.suite])},line=1," if finding.suite in places else ""
        lines.append(f"::{level} {place}title={_property(title)}::{_data(finding.said)}")
    return lines


def _data(text: str) -> str:
    return plain(text[:SHOWN]).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def code_quality(result: GateResult, places: Mapping[str, str]) -> list[dict[str, Any]]:
    """GitLab's code quality report: an entry for everything broken or open; fingerprints that no other entry has."""
    found = [finding for finding in findings(result) if finding.state != "kept"] if result.status != "PASS" else []
    return [
        {
            "description": plain(f"{finding.suite} {finding.name}: {finding.said}".lstrip())[:SHOWN],
            "check_name": f"harness gate {finding.name.partition('(')[0]}",
            "fingerprint": text_digest(finding.suite, finding.name, result.candidate.rpartition(":")[2], result.policy),
            "severity": "critical" if finding.state == "broken" else "minor",
            "location": {"path": places.get(finding.suite) or _first(places.values()), "lines": {"begin": 1}},
        }
        for finding in found
    ]


def _first(places: Iterable[str]) -> str:
    return next(iter(places), "suite.yaml")
