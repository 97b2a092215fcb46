"""The formats suite: what counts as JSON, XML and a command line, what does not, and why."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from suite_files import suite_file

from harness import scorers
from harness.check import grams
from harness.data import Completion, Sample, Scorer
from harness.suite import read_suite, shipped

FOLDER = shipped() / "formats"
SUITE = read_suite(FOLDER)
COLUMNS = {spec.name: scorers.load(spec, SUITE.path) for spec in SUITE.scorers}


def module(name: str) -> ModuleType:
    return suite_file("formats", name)


def value(sample: Sample, text: str, column: str = "strict") -> float:
    scorer: Scorer = COLUMNS[column]
    return scorer(sample, Completion(text)).value


SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "day", "n", "paid", "tags", "mail"],
    "properties": {
        "name": {"type": "string"},
        "day": {"type": "string", "format": "date"},
        "n": {"type": "number"},
        "paid": {"type": "boolean"},
        "tags": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True},
        "mail": {"type": ["string", "null"], "format": "email"},
        "rows": {"type": "array", "items": {"type": "integer"}},
    },
}
GOLD = (
    '{"name": "O\'Hara \\"Gold\\" ü", "day": "2026-03-14", "n": 4.8, "paid": true, '
    '"tags": ["a", "b"], "mail": null, "rows": [1, 2]}'
)
JSON = Sample("j", "", GOLD, metadata={"kind": "json", "schema": json.dumps(SCHEMA)})


def changed(**parts: Any) -> str:
    return json.dumps({**json.loads(GOLD), **parts}, ensure_ascii=False)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(GOLD, id="the target"),
        pytest.param(json.dumps(json.loads(GOLD), indent=2), id="indented and escaped"),
        pytest.param(json.dumps(dict(reversed(json.loads(GOLD).items()))), id="keys in another order"),
        pytest.param(GOLD.replace("4.8", "4.80"), id="another spelling of the number"),
        pytest.param(GOLD.replace("4.8", "48E-1"), id="an exponent"),
        pytest.param(changed(tags=["b", "a"]), id="a set in another order"),
        pytest.param(GOLD.replace("ü", "u\u0308"), id="a decomposed letter"),
        pytest.param(f"\n  {GOLD}\n", id="white space around"),
        pytest.param(f"<think>a {{ brace }}</think>{GOLD}", id="thinking before"),
    ],
)
def test_right_json_scores_one(text: str) -> None:
    assert all(value(JSON, text, column) == 1 for column in COLUMNS)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (GOLD[:-1] + ', "n": 4.8}', "there twice"),
        (GOLD.replace("4.8", "NaN"), "NaN is no JSON"),
        (GOLD.replace("4.8", "-Infinity"), "Infinity is no JSON"),
        (GOLD.replace("4.8", "1e999"), "out of range"),
        (GOLD[:-1] + ",}", "not JSON"),
        (str(json.loads(GOLD)), "not JSON"),
        (GOLD.replace("{", "{ // facts\n", 1), "not JSON"),
        (f"{GOLD}{GOLD}", "Extra data"),
        (f"[{GOLD}]", "one JSON object"),
        (json.dumps(GOLD), "one JSON object"),
        (f"\ufeff{GOLD}", "BOM"),
        (GOLD[:-4], "not JSON"),
        (f"```json\n{GOLD}\n```", "not JSON"),
        (f"Here you are: {GOLD}", "not JSON"),
        (changed(n="4.8"), "is not of type"),
        (changed(paid="true"), "is not of type"),
        (changed(paid=1), "is not of type"),
        (changed(day="14.03.2026"), "is not a"),
        (changed(day="20260314"), "is not a"),
        (changed(day="2026-02-30"), "is not a"),
        (changed(mail="nobody"), "is not a"),
        (changed(tags=["a", "d"]), "is not one of"),
        (changed(tags=["a", "a"]), "non-unique"),
        (changed(extra=1), "Additional properties"),
        ('{"name": "x"}', "required"),
    ],
)
def test_json_that_does_not_validate_scores_zero(text: str, why: str) -> None:
    score = COLUMNS["strict"](JSON, Completion(text))
    assert score.value == 0
    assert why in score.explanation
    assert value(JSON, text, "valid") == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (changed(n=4.9), "/n: 4.9, not 4.8"),
        (changed(day="2026-03-15"), "/day"),
        (changed(paid=False), "/paid: false, not true"),
        (changed(mail="a@b.example"), "/mail"),
        (changed(rows=[2, 1]), "/rows/0"),
        (changed(rows=[1]), "/rows: 1 entries, not 2"),
        (changed(name='o\'hara "Gold" ü'), "/name"),
        (json.dumps({k: v for k, v in json.loads(GOLD).items() if k != "rows"}), "missing rows"),
    ],
)
def test_json_with_a_wrong_value_is_valid_and_not_right(text: str, why: str) -> None:
    score = COLUMNS["strict"](JSON, Completion(text))
    assert score.value == 0
    assert why in score.explanation
    assert value(JSON, text, "loose") == 0
    assert value(JSON, text, "valid") == 1


XSD = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="bill"><xs:complexType><xs:sequence>
<xs:element name="firm" type="xs:string"/>
<xs:element name="row" maxOccurs="unbounded"><xs:complexType><xs:simpleContent>
<xs:extension base="xs:decimal"><xs:attribute name="n" type="xs:integer" use="required"/>
<xs:attribute name="ok" type="xs:boolean"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>
</xs:sequence></xs:complexType></xs:element></xs:schema>"""
BILL = '<bill><firm>A &amp; "B" ü</firm><row n="1" ok="true">2.5</row><row n="2">3</row></bill>'
XML = Sample("x", "", BILL, metadata={"kind": "xml", "schema": XSD})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(BILL, id="the target"),
        pytest.param(
            '<?xml version="1.0" encoding="utf-8"?>\n' + BILL.replace("><", ">\n  <"), id="declared, indented"
        ),
        pytest.param(BILL.replace('n="1" ok="true"', "ok='1' n='01'"), id="attributes turned, other spellings"),
        pytest.param(BILL.replace("2.5", "2.50"), id="another spelling of the number"),
        pytest.param(BILL.replace('A &amp; "B" ü', '<![CDATA[A & "B" ü]]>'), id="CDATA"),
        pytest.param(BILL.replace("ü", "&#252;"), id="a character reference"),
    ],
)
def test_right_xml_scores_one(text: str) -> None:
    assert all(value(XML, text, column) == 1 for column in COLUMNS)


def test_white_space_around_a_date_means_nothing() -> None:
    schema = XSD.replace('name="firm" type="xs:string"', 'name="firm" type="xs:date"')
    gold = BILL.replace('A &amp; "B" ü', "2026-09-25")
    sample = Sample("x", "", gold, metadata={"kind": "xml", "schema": schema})
    assert value(sample, gold.replace("2026-09-25", "\n  2026-09-25 ")) == 1
    assert value(sample, gold.replace("2026-09-25", "2026-09- 25")) == 0


BOMB = '<!DOCTYPE bill [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOMB + BILL.replace("A &amp;", "&b;"), "DOCTYPE"),
        ('<!DOCTYPE bill SYSTEM "file:///etc/passwd">' + BILL, "DOCTYPE"),
        (BILL + BILL, "well-formed"),
        (BILL.replace("&amp;", "&"), "well-formed"),
        (BILL.removesuffix("</bill>"), "well-formed"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>' + BILL, "UTF-8"),
        ('<?xml version="1.0" encoding="UTF-16"?>' + BILL, "UTF-8"),
        (BILL.replace("<firm>", "<!-- who --><firm>"), "comments"),
        ("<?style x?>" + BILL, "processing instructions"),
        (BILL.replace(' n="2"', ""), "validate"),
        (BILL.replace("<row", "<Row").replace("/row", "/Row"), "validate"),
        (BILL.replace("true", "yes"), "validate"),
        (BILL.replace("<firm>", "<x/><firm>"), "validate"),
        (f"```xml\n{BILL}\n```", "well-formed"),
        (f"The document:\n{BILL}", "well-formed"),
        ("<bill/>", "validate"),
    ],
)
def test_xml_that_does_not_validate_scores_zero(text: str, why: str) -> None:
    score = COLUMNS["strict"](XML, Completion(text))
    assert score.value == 0
    assert why in score.explanation
    assert value(XML, text, "valid") == 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(BILL.replace("2.5", "2.6"), id="another number"),
        pytest.param(BILL.replace("true", "false"), id="another truth"),
        pytest.param(BILL.replace(' ok="true"', ""), id="a lost attribute"),
        pytest.param(BILL.replace('<row n="2">3</row>', ""), id="a lost element"),
        pytest.param(BILL.replace("</bill>", '<row n="2">3</row></bill>'), id="an element twice"),
        pytest.param(BILL.replace("ü", "Ã¼"), id="a letter in the wrong encoding"),
    ],
)
def test_xml_with_a_wrong_value_is_valid_and_not_right(text: str) -> None:
    assert value(XML, text) == value(XML, text, "loose") == 0
    assert value(XML, text, "valid") == 1


def command(target: str, *programs: str, **metadata: Any) -> Sample:
    return Sample("s", "", target, metadata={"kind": "shell", "programs": list(programs), **metadata})


GREP = command("grep -rn 'a b' src > out.txt", "grep", same={"src/": "src"}, free={"grep": ["-H"]})
FIND = command("find logs -type f -name '*.log' -mtime +7 -delete", "find")
TAR = command("tar -czf a.tar.gz --exclude='*.o' src", "tar")
PIPE = command("sort f.txt | uniq -c", "sort", "uniq", accept=["sort < f.txt | uniq -c"])
CUT = command("cut -d ';' -f 2 f.csv", "cut")
PARCEL = command("parcel ship --express --weight 900 --note 'it'\"'\"'s $5' Cald Varn", "parcel")
CURL = command("curl -fL -m 9 -o x.zip 'https://a.example/?b=1&c=2'", "curl")
ECHO = command("echo '#1 > 2; & more' >> log.txt", "echo")
RUN = command("docker run -d --rm --name queue -p 80:90 app:1", "docker")


@pytest.mark.parametrize(
    ("sample", "text"),
    [
        (GREP, 'grep  -n -r "a b" src >out.txt'),
        (GREP, "grep --line-number --recursive a\\ b ./src/ > out.txt"),
        (GREP, "> out.txt grep -Hnr -- 'a b' src"),
        (GREP, "grep 'a b' src -rn 1> out.txt"),
        (FIND, "find logs -mtime +7 -name \\*.log -type f -delete"),
        (FIND, 'find logs -name "*.log" -type f -mtime +7 -delete'),
        (TAR, "tar czf a.tar.gz --exclude '*.o' src"),
        (TAR, 'tar --create --gzip --file=a.tar.gz --exclude="*.o" src'),
        (PIPE, "sort f.txt|uniq --count"),
        (PIPE, "sort <f.txt | uniq -c"),
        (CUT, "cut -d';' -f2 f.csv"),
        (CUT, "cut --fields=2 -d \\; f.csv"),
        (PARCEL, 'parcel ship -x -w 900 -n "it\'s \\$5" Cald Varn'),
        (PARCEL, "parcel ship Cald Varn --note=it\\'s\\ \\$5 --weight=900 --express"),
        (CURL, 'curl -L -f --max-time 9 "https://a.example/?b=1&c=2" --output x.zip'),
        (ECHO, 'echo "#1 > 2; & more" >>log.txt'),
        (command("grep -ic denied a.log", "grep"), "grep -ic denied < a.log"),
        (command("diff -u a b > c.patch", "diff"), "diff --unified a b > c.patch"),
        (command("diff -u a b > c.patch", "diff"), "diff -U 3 a b > c.patch"),
        (command("git commit -a -m x", "git"), "git commit --all --message=x"),
        (command("git log --oneline -n 5", "git"), "git log -5 --pretty=oneline"),
        (command("journalctl -u cups --since 2026-09-29", "journalctl"), 'journalctl -u cups -S "2026-09-29 00:00:00"'),
        (command("split -l 80 a.csv part_", "split"), "split -80 a.csv part_"),
        (RUN, "docker run --rm -d --publish=80:90 --name=queue app:1"),
    ],
)
def test_right_commands_score_one(sample: Sample, text: str) -> None:
    assert all(value(sample, text, column) == 1 for column in COLUMNS)


@pytest.mark.parametrize(
    ("sample", "text", "why"),
    [
        (GREP, f"{GREP.target}; ls", "more than one command"),
        (GREP, f"{GREP.target} && ls", "more than one command"),
        (GREP, f"{GREP.target} &", "more than one command"),
        (GREP, f"({GREP.target})", "not allowed"),
        (GREP, 'grep -rn "$(cat p)" src > out.txt', "substitution"),
        (GREP, "grep -rn `cat p` src > out.txt", "substitution"),
        (GREP, "grep -rn 'a b' src > out.txt # done", "comment"),
        (GREP, f"cd x\n{GREP.target}", "one line"),
        (GREP, f"sudo {GREP.target}", "not one of the programs"),
        (GREP, f"$ {GREP.target}", "not one of the programs"),
        (GREP, f"```\n{GREP.target}\n```", "one line"),
        (GREP, "grep -rn 'a b src > out.txt", "never closed"),
        (GREP, "grep -rnZ9 'a b' src > out.txt", "no option"),
        (GREP, "grep -rn 'a b' src >", "without a file"),
        (PIPE, "sort f.txt |", "without a command"),
        (PIPE, "sort f.txt |& uniq -c", "not allowed"),
        (CURL, "curl -fL -m 9 -o x.zip https://a.example/?b=1&c=2", "more than one command"),
        (CUT, "cut -d ; -f 2 f.csv", "more than one command"),
    ],
)
def test_what_is_no_single_command_scores_zero(sample: Sample, text: str, why: str) -> None:
    score = COLUMNS["strict"](sample, Completion(text))
    assert score.value == 0
    assert why in score.explanation
    assert value(sample, text, "valid") == 0


@pytest.mark.parametrize(
    ("sample", "text", "why"),
    [
        (GREP, "grep -r 'a b' src > out.txt", "an option is lost"),
        (GREP, "grep -rni 'a b' src > out.txt", "an option too many"),
        (GREP, "grep -rn 'a b' src >> out.txt", "appends"),
        (GREP, "grep -rn 'a b' src 2> out.txt", "another stream"),
        (GREP, "grep -rn a b src > out.txt", "unquoted blank"),
        (GREP, "grep -rn src 'a b' > out.txt", "arguments swapped"),
        (FIND, "find logs -delete -type f -name '*.log' -mtime +7", "deletes before it tests"),
        (FIND, "find logs -type f -name *.log -mtime +7 -delete", "the shell would expand the pattern"),
        (FIND, "find logs -type f -name '*.log' -mtime 7 -delete", "exactly seven days"),
        (TAR, "tar -czf src a.tar.gz --exclude='*.o'", "archive and folder swapped"),
        (PARCEL, 'parcel ship -x -w 900 -n "it\'s $5" Cald Varn', "the shell would expand $5"),
        (PARCEL, 'parcel ship -x -w 0.9 -n "it\'s \\$5" Cald Varn', "kilograms"),
        (PIPE, "uniq -c f.txt | sort", "the wrong order"),
        (RUN, "docker run -d --rm -p 80:90 app:1 --name queue", "what follows the image goes to the container"),
        (GREP, "grep -rn 'a b' < src > out.txt", "with -r the input is not read"),
        (
            command("journalctl --since 2026-09-29", "journalctl"),
            'journalctl --since "2026-09-29 10:00"',
            "not midnight",
        ),
    ],
)
def test_another_command_is_valid_and_not_right(sample: Sample, text: str, why: str) -> None:
    assert value(sample, text) == value(sample, text, "loose") == 0, why
    assert value(sample, text, "valid") == 1


@pytest.mark.parametrize(
    ("sample", "text"),
    [
        (JSON, f"```json\n{GOLD}\n```"),
        (JSON, f"Here it is:\n\n{GOLD}\n\nAnything else?"),
        (JSON, f"Sure!\n```\n{GOLD}\n```\nDone."),
        (XML, f"```xml\n{BILL}\n```"),
        (XML, f"The document: {BILL} as asked"),
        (GREP, f"```bash\n{GREP.target}\n```"),
        (GREP, f"Use `{GREP.target}` for that."),
        (GREP, f"$ {GREP.target}"),
    ],
)
def test_loose_forgives_what_stands_around_and_strict_does_not(sample: Sample, text: str) -> None:
    assert value(sample, text, "loose") == 1
    assert value(sample, text) == value(sample, text, "valid") == 0


@pytest.mark.parametrize(
    ("sample", "text"),
    [
        (JSON, f"```\n{GOLD}\n```\n```\n{changed(n=5)}\n```"),
        (JSON, f"Either {GOLD} or {changed(n=5)}"),
        (XML, f"{BILL}\n{BILL}"),
        (GREP, f"Use `{GREP.target}` or `ls`."),
        (GREP, f"{GREP.target}\n{GREP.target}"),
        (JSON, f"<think>{GOLD}</think>"),
        (JSON, f"<think>{GOLD}"),
        (JSON, "I cannot tell."),
    ],
)
def test_two_answers_and_none_score_zero_in_every_column(sample: Sample, text: str) -> None:
    assert all(value(sample, text, column) == 0 for column in COLUMNS)


HOSTILE = [
    "",
    "\x00\x01\xff",
    "a" * 1_000_000,
    "{" * 8_000,
    '{"a":' * 1_500,
    "[" * 8_000,
    "<a>" * 2_600,
    "```\n" * 2_000,
    "'" * 7_999,
    "{a,b}" * 300,
    "1>2 " * 400,
    '{"name": "\\ud800"}',
    '{"n": ' + "9" * 5_000 + "}",
    "\ud800",
    "<a>\ud800</a>",
    "全部",
    "</think>" * 900,
    "find . -exec",
    "tar -C",
    "\U000f0041",
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_answers_score_zero_quickly(number: int) -> None:
    for sample in (JSON, XML, GREP, FIND, TAR):
        for scorer in COLUMNS.values():
            start = time.process_time()
            score = scorer(sample, Completion(HOSTILE[number]))
            assert time.process_time() - start < 3
            assert score.value == 0
            assert score.explanation
            assert "\n" not in score.explanation
            score.explanation.encode()


def test_generator_reproduces_the_committed_files(tmp_path: Path) -> None:
    module("generate").write(tmp_path)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(path.name for path in FOLDER.glob("*.jsonl"))
    for file in written:
        assert (tmp_path / file).read_bytes() == (FOLDER / file).read_bytes(), file


def test_certificate_holds_on_a_part_of_the_test_split() -> None:
    answers = module("certificate").answers
    for sample in SUITE.test[::4]:
        found = answers(sample)
        assert found == answers(sample)
        assert 2 <= len(found["paraphrase"]) <= 3 or sample.metadata["kind"] == "shell"
        assert 4 <= len(found["corrupted"]) <= 10
        assert value(sample, sample.target) == 1
        assert [text for text in found["paraphrase"] if value(sample, text) != 1] == []
        assert [text for text in found["corrupted"] if value(sample, text) != 0] == []


def told(split: tuple[Sample, ...]) -> set[str]:
    return {gram for s in split for gram in grams(re.findall(r"\w+", str(s.metadata["question"]).lower()))}


def test_splits_share_no_telling_and_no_target() -> None:
    splits = (SUITE.test, SUITE.dev, SUITE.train, SUITE.shots)
    for i, one in enumerate(splits):
        for other in splits[i + 1 :]:
            assert not told(one) & told(other)
            assert not {s.target for s in one} & {s.target for s in other}


def test_part_of_the_test_split_asks_for_unknown_schemas() -> None:
    known = {sample.metadata["task"] for sample in (*SUITE.train, *SUITE.dev, *SUITE.shots)}
    held = [sample for sample in SUITE.test if sample.metadata["wording"] == "held out"]
    assert not {sample.metadata["task"] for sample in held} & known
    assert 0.25 <= len(held) / len(SUITE.test) <= 0.45
