"""Samples from JSONL, CSV, Parquet and hub datasets: the same suite from each; every mistake is one line."""

from __future__ import annotations

import csv
import datetime
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_server import serve

import harness
from harness.data import Suite
from harness.errors import SuiteError
from harness.suite import read_suite

YAML = """
name: tiny
version: 1
prompt: {system: Be brief., template: "{input}"}
scorers: [{scorer: exact}]
"""
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TURNS = [
    {"role": "user", "content": "Two and two?"},
    {"role": "assistant", "content": "Four."},
    {"role": "user", "content": 'And, then, "three"?\nSay it.'},
]
ROWS = [
    {"id": "1", "input": "2+2?", "target": "4", "metadata": {"topic": "sums"}},
    {"id": "2", "input": TURNS, "target": "Seven,\n“7”", "metadata": {"topic": "Größe"}},
    {"id": "3", "input": "Bigger?", "target": "a", "choices": ["a", "b, c"], "metadata": {"topic": "choice"}},
]


def make(folder: Path, data: str = "", **files: bytes | str | Sequence[Any]) -> Path:
    """A suite folder; files: name__suffix -> content, or rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "suite.yaml").write_text(YAML + (f"data: {data}\n" if data else ""), "utf-8")
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        if isinstance(content, bytes | str):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        elif path.suffix == ".csv":
            path.write_text(as_csv(content), "utf-8", newline="")
        elif path.suffix == ".parquet":
            columns = dict.fromkeys(key for row in content for key in row)
            pq.write_table(pa.table({key: [row.get(key) for row in content] for key in columns}), path)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in content), "utf-8")
    return folder


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Lists as JSON, metadata as columns."""
    flat = [{**{k: v for k, v in row.items() if k != "metadata"}, **row.get("metadata", {})} for row in rows]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(dict.fromkeys(key for row in flat for key in row)))
    writer.writeheader()
    for row in flat:
        writer.writerow({key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()})
    return out.getvalue()


def as_columns(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows for Parquet: a column has one type, so every question is a conversation or none is."""
    return [{**{k: v for k, v in row.items() if k != "metadata"}, **row["metadata"]} for row in rows]


def identity(suite: Suite) -> tuple[str, list[str]]:
    return suite.digest, [sample.id for sample in suite.test]


# --- files -----------------------------------------------------------------------------------------------------------


def test_csv_and_jsonl_make_the_same_suite(tmp_path: Path) -> None:
    suite = read_suite(make(tmp_path / "a", test__jsonl=ROWS))
    assert identity(read_suite(make(tmp_path / "b", test__csv=ROWS))) == identity(suite)
    with_mark = "\ufeff" + as_csv(ROWS)
    assert identity(read_suite(make(tmp_path / "c", test__csv=with_mark))) == identity(suite)
    assert suite.test[1].input == tuple(TURNS)


@pytest.mark.parametrize("rows", [ROWS[::2], ROWS[1:2]], ids=["texts", "conversations"])
@pytest.mark.parametrize("flat", [True, False], ids=["columns", "a metadata column"])
def test_parquet_and_jsonl_make_the_same_suite(tmp_path: Path, rows: list[dict[str, Any]], flat: bool) -> None:
    suite = read_suite(make(tmp_path / "a", test__jsonl=rows))
    other = read_suite(make(tmp_path / "b", test__parquet=as_columns(rows) if flat else rows))
    assert identity(other) == identity(suite)


def test_metadata_that_only_some_rows_have_is_not_filled_up_by_parquet(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "input": "a?", "target": "a", "metadata": {"year": 1}},
        {"id": "2", "input": "b?", "target": "b", "metadata": {"places": ["x", "y"]}},
    ]
    suite = read_suite(make(tmp_path / "a", test__parquet=rows))
    assert [dict(sample.metadata) for sample in suite.test] == [row["metadata"] for row in rows]


def test_empty_cells_of_named_columns_are_none_and_no_mistake(tmp_path: Path) -> None:
    rows = [
        {"q": {"text": "a?", "hint": None}, "target": "a", "options": None, "topic": "x"},
        {"q": {"text": "b?", "hint": "b"}, "target": "b", "options": ["b", "c"], "topic": None},
    ]
    data = "{fields: {input: q.text, choices: options, metadata: [topic, q.hint]}}"
    for suffix in ("parquet", "jsonl"):
        suite = read_suite(make(tmp_path / suffix, data, **{f"test__{suffix}": rows}))
        assert [(sample.choices, sample.metadata) for sample in suite.test] == [
            ((), {"topic": "x"}), (("b", "c"), {"q.hint": "b"}),
        ]  # fmt: skip


def test_a_split_may_lie_in_each_format(tmp_path: Path) -> None:
    train = [{"id": f"p{i}", "input": f"{i}?", "target": f"{i}"} for i in range(3)]
    passages = [{"id": "c1", "text": "All of it.", "source": "page 1"}]
    suite = read_suite(
        make(tmp_path, test__jsonl=ROWS, train__parquet=train, shots__csv=train[:0], corpus__csv=passages)
    )
    assert [len(split) for split in (suite.test, suite.train, suite.shots, suite.corpus)] == [3, 3, 0, 1]
    assert suite.corpus[0].metadata == {"source": "page 1"}


def test_dates_and_decimals_of_parquet_are_text(tmp_path: Path) -> None:
    row = {"id": 7, "input": "When?", "target": "x", "day": datetime.date(2026, 1, 2), "price": Decimal("4.50")}
    sample = read_suite(make(tmp_path, test__parquet=[row])).test[0]
    assert sample.id == "7"
    assert sample.metadata == {"day": "2026-01-02", "price": "4.50"}


def test_a_cell_longer_than_the_csv_module_allows_by_itself_is_read(tmp_path: Path) -> None:
    long = "word " * 60_000
    before = csv.field_size_limit()
    suite = read_suite(make(tmp_path, test__csv=f"id,input,target\n1,{long},x\n"))
    assert suite.test[0].input == long
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("text", ["[1, 2]", "[not json", "[]", '["a"]'])
def test_a_csv_cell_that_only_looks_like_a_conversation_is_text(tmp_path: Path, text: str) -> None:
    suite = read_suite(make(tmp_path, test__csv=[{"id": "1", "input": text, "target": "x"}]))
    assert suite.test[0].input == text


def test_rows_without_an_id_are_named_by_their_content(tmp_path: Path) -> None:
    rows = [{"input": "a?", "target": "a"}, {"input": "b?", "target": "b"}, {"input": "a?", "target": "a"}]
    first = [sample.id for sample in read_suite(make(tmp_path / "a", test__jsonl=rows, dev__jsonl=rows)).test]
    turned = [sample.id for sample in read_suite(make(tmp_path / "b", test__csv=rows[::-1])).test]
    assert len(set(first)) == 3
    assert sorted(first) == sorted(turned)
    assert first[2] == f"{first[0]}-2"
    changed = [{"input": "a?", "target": "c"}]
    assert read_suite(make(tmp_path / "c", test__jsonl=changed)).test[0].id not in first


# --- field mapping ---------------------------------------------------------------------------------------------------

OTHER_NAMES = [
    {"nr": 1, "asked": {"text": "2+2?"}, "said": "4", "topic": "sums", "by": "x"},
    {"nr": 2, "asked": {"text": "3+3?"}, "said": "6", "topic": "sums", "by": "y"},
]
FIELDS = "{fields: {id: nr, input: asked.text, target: said, metadata: [topic]}}"


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_fields_name_the_columns_and_leave_the_others_out(tmp_path: Path, suffix: str) -> None:
    suite = read_suite(make(tmp_path, FIELDS, **{f"test__{suffix}": OTHER_NAMES}))
    assert [(s.id, s.input, s.target, s.metadata) for s in suite.test] == [
        ("1", "2+2?", "4", {"topic": "sums"}), ("2", "3+3?", "6", {"topic": "sums"}),
    ]  # fmt: skip


def test_fields_of_a_split_stand_in_place_of_the_common_ones(tmp_path: Path) -> None:
    data = (
        "{fields: {input: q, target: a}, train: {fields: {input: frage, target: antwort}}, corpus: {fields: {text: t}}}"
    )
    train = [{"frage": "Was?", "antwort": "Das."}]
    suite = read_suite(make(tmp_path, data, test__csv="q,a\n1?,1\n", train__jsonl=train, corpus__csv="t\nall\n"))
    assert (suite.test[0].target, suite.train[0].target, suite.corpus[0].text) == ("1", "Das.", "all")


def test_a_change_of_the_mapping_is_another_suite(tmp_path: Path) -> None:
    rows = "id,q,a,b\n1,1?,x,y\n"
    one = read_suite(make(tmp_path / "a", "{fields: {input: q, target: a}}", test__csv=rows))
    two = read_suite(make(tmp_path / "b", "{fields: {input: q, target: b}}", test__csv=rows))
    same = read_suite(make(tmp_path / "c", test__jsonl=[{"id": "1", "input": "1?", "target": "x"}]))
    assert one.digest == same.digest != two.digest


def test_a_number_is_the_place_of_the_right_choice(tmp_path: Path) -> None:
    row = {"id": "1", "input": "?", "target": 1, "choices": ["a", "b"]}
    assert read_suite(make(tmp_path / "a", test__parquet=[row])).test[0].target == "b"
    with pytest.raises(SuiteError, match=r"row 1: target 2 is no place among 2 choices"):
        read_suite(make(tmp_path / "b", test__parquet=[{**row, "target": 2}]))


# --- mistakes --------------------------------------------------------------------------------------------------------

GOOD = "id,input,target\n1,2+2?,4\n"


@pytest.mark.parametrize(
    ("data", "files", "message"),
    [
        ("", {"test__csv": GOOD, "test__jsonl": ROWS}, "test.jsonl: test.csv is there too"),
        ("", {"test__csv": GOOD, "dev__csv": GOOD, "dev__parquet": ROWS[:1]}, "dev.csv: dev.parquet is there too"),
        ("", {"test__csv": ""}, "no samples"),
        ("", {"test__csv": "id;input;target\n1;2+2?;4\n"}, "test.csv: row 2: 'input' is missing"),
        ("", {"test__csv": "id,input,input\n1,2,3\n"}, "test.csv: row 1: every column needs a name of its own"),
        ("", {"test__csv": GOOD + "\n2,one,two,three\n"}, "test.csv: row 4: 4 cells under 3 columns"),
        ("", {"test__csv": GOOD + '2,"a"b,c\n'}, "test.csv: row 3: not CSV"),
        ("", {"test__csv": GOOD + '2,"a\n\n'}, "test.csv: row 3: not CSV"),
        ("", {"test__csv": GOOD.encode("utf-16")}, "test.csv: cannot be read as UTF-8"),
        ("", {"test__csv": "id,input,target,choices\n1,a?,b,b|c\n"}, "row 2: choices: must be a JSON list"),
        ("", {"test__csv": 'id,input,target,choices\n1,a?,d,"[""b"", ""c""]"\n'}, "'d' is not one of the choices"),
        ("", {"test__csv": 'input,target\n"[{""role"": ""user""}]",x\n'}, "row 2: input: 'content' is missing"),
        ("", {"test__csv": GOOD, "train__csv": "id,input,target\n2,a?,\n"}, "train.csv: row 2: the completion"),
        ("", {"test__csv": GOOD, "dev__csv": GOOD}, "dev.csv: id '1' is already used in test.csv"),
        ("", {"test__csv": GOOD, "corpus__csv": "id,body\n9,x\n"}, "corpus.csv: row 2: 'text' is missing"),
        ("", {"test__parquet": b"PAR1 but not really"}, "test.parquet: cannot be read as Parquet"),
        ("", {"test__parquet": [{"id": "1", "input": "a?", "target": 1.5}]}, "row 1.target: must be text, not 1.5"),
        ("", {"test__parquet": [{"input": "a?", "target": "b", "image": b"x"}]}, "column 'image': holds bytes"),
        ("", {"test__jsonl": [{"id": "1", "input": "a?", "target": True}]}, "test.jsonl:1.target: must be text"),
        ("{field: {}}", {"test__csv": GOOD}, "data: unknown key 'field'. Did you mean 'fields'?"),
        ("{fields: {inputs: q}}", {"test__csv": GOOD}, "data.fields: unknown key 'inputs'. Did you mean 'input'?"),
        ("{fields: {input: 3}}", {"test__csv": GOOD}, "data.fields.input: must be text, not 3"),
        ("{fields: {input: inputs}}", {"test__csv": GOOD}, "row 2: no column 'inputs'. Did you mean 'input'?"),
        ("{fields: {metadata: [topic]}}", {"test__csv": GOOD}, "row 2: no column 'topic'. Known: id, input, target."),
        ("{fields: {input: q}}", {"test__jsonl": [[1]]}, "test.jsonl:1: must be a mapping"),
        ("[a]", {"test__csv": GOOD}, "data: must be a mapping"),
        ("{revision: " + COMMIT + "}", {"test__csv": GOOD}, "data: 'revision' belongs to a hub dataset"),
        ("{test: {split: x}}", {"test__csv": GOOD}, "data.test: 'split' belongs to a hub dataset"),
        ("{hub: a/b, splits: {test: x}}", {}, "data: 'revision' is missing"),
        ("{hub: a/b, revision: main, splits: {test: x}}", {}, "data.revision: 'main' can move to other data"),
        ("{hub: a/b, revision: 0123abc, splits: {test: x}}", {}, "Give the commit: 40 hexadecimal digits"),
        ("{hub: a/b, revision: " + COMMIT + "}", {}, "data: 'splits' is missing"),
        (
            "{hub: a/b, revision: " + COMMIT + ", splits: {tst: x}}",
            {},
            "splits: unknown key 'tst'. Did you mean 'test'",
        ),
        ("{test: {hub: a/b, revision: " + COMMIT + "}}", {}, "data.test: 'split' is missing"),
        ("{hub: a/b, revision: " + COMMIT + ", splits: {test: x}}", {"test__csv": GOOD}, "test.csv: suite.yaml takes"),
    ],
)
def test_a_mistake_in_the_data_is_one_clear_line(
    tmp_path: Path, data: str, files: dict[str, Any], message: str
) -> None:
    with pytest.raises(SuiteError) as caught:
        read_suite(make(tmp_path / "tiny", data, **files))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("package", "data", "files"),
    [
        ("pyarrow", "", {"test__parquet": ROWS[:1]}),
        ("datasets", "{hub: a/b, revision: " + COMMIT + ", splits: {test: test}}", {}),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, data: str, files: dict[str, Any]
) -> None:
    make(tmp_path, data, **files)
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        SuiteError, match=rf"{package} is not installed\. Install it with: pip install '\.\[datasets\]'"
    ):
        read_suite(tmp_path)


# --- the hub ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where datasets keeps what it read; nothing is asked of the network."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


def repository(folder: Path) -> Path:
    """A dataset repository as the hub holds them: two configurations, two splits, class labels, nested columns."""
    label = datasets.ClassLabel(names=["no", "yes"])
    features = datasets.Features(
        question=datasets.Value("string"), answer=label, idx=datasets.Value("int64"),
        extra={"topic": datasets.Value("string"), "day": datasets.Value("date32")}, raw=datasets.Value("binary"),
    )  # fmt: skip
    for config, word in (("default", "big"), ("small", "small")):
        for split, count in (("validation", 4), ("train", 10)):
            rows = [
                {"question": f"Is {i} {word} for {split}?", "answer": i % 2, "idx": i + 100 * (split == "train"),
                 "extra": {"topic": word, "day": datetime.date(2026, 1, 1)}, "raw": b"x"}
                for i in range(count)
            ]  # fmt: skip
            path = folder / config / f"{split}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            datasets.Dataset.from_list(rows, features=features).to_parquet(str(path))
    (folder / "README.md").write_text(
        "---\nconfigs:\n"
        "- {config_name: default, data_dir: default, default: true}\n"
        "- {config_name: small, data_dir: small}\n---\n# Questions\n"
    )
    return folder


HUB = """
  hub: %s
  revision: %s
  config: %s
  splits: {test: validation, train: "train[:3]"}
  fields: {input: question, target: answer, id: idx, metadata: [extra.topic]}
"""


def test_a_hub_dataset_is_read_with_names_slices_and_class_labels(tmp_path: Path, cache: Path) -> None:
    repository(tmp_path / "owner" / "questions")
    dev = [{"id": "d", "input": "Is it?", "target": "no"}]
    suite = read_suite(make(tmp_path / "suite", HUB % ("../owner/questions", COMMIT, "small"), dev__jsonl=dev))
    assert [(sample.id, sample.input, sample.target) for sample in suite.test[:2]] == [
        ("0", "Is 0 small for validation?", "no"), ("1", "Is 1 small for validation?", "yes"),
    ]  # fmt: skip
    assert [len(split) for split in (suite.test, suite.dev, suite.train, suite.shots)] == [4, 1, 3, 0]
    assert suite.test[0].metadata == {"extra.topic": "small"}


def test_another_configuration_is_another_suite(tmp_path: Path, cache: Path) -> None:
    repository(tmp_path / "questions")
    digests = {
        config: read_suite(make(tmp_path / config, HUB % ("../questions", COMMIT, config))).digest
        for config in ("default", "small")
    }
    assert digests["default"] != digests["small"]


def test_a_split_and_a_corpus_may_name_hub_datasets_of_their_own(tmp_path: Path, cache: Path) -> None:
    repository(tmp_path / "questions")
    source = f"hub: ../questions, revision: {COMMIT}"
    data = (
        f"{{train: {{{source}, split: train, fields: {{input: question, target: answer}}}}, "
        f"corpus: {{{source}, split: validation, fields: {{text: question, id: idx}}}}}}"
    )
    suite = read_suite(make(tmp_path / "suite", data, test__jsonl=[{"id": "t", "input": "?", "target": "!"}]))
    assert (len(suite.test), len(suite.train), len(suite.corpus)) == (1, 10, 4)
    assert suite.train[0].id.startswith("train-")


def test_class_labels_count_the_choices_where_there_are_some(tmp_path: Path, cache: Path) -> None:
    features = datasets.Features(
        input=datasets.Value("string"), answer=datasets.ClassLabel(names=["A", "B"]),
        choices=datasets.List(datasets.Value("string")),
    )  # fmt: skip
    rows = [{"input": "Which?", "answer": 1, "choices": ["red", "blue"]}]
    (tmp_path / "mc").mkdir()
    datasets.Dataset.from_list(rows, features=features).to_parquet(str(tmp_path / "mc" / "test.parquet"))
    data = f"{{hub: ../mc, revision: {COMMIT}, splits: {{test: test}}, fields: {{target: answer, choices: choices}}}}"
    sample = read_suite(make(tmp_path / "suite", data)).test[0]
    assert (sample.target, sample.choices) == ("blue", ("red", "blue"))


def test_without_network_another_revision_is_never_read_in_place_of_the_pinned_one(tmp_path: Path, cache: Path) -> None:
    """What a first reading left in the cache is found again by the hub's name, for that revision alone."""
    repository(tmp_path / "questions")
    read_suite(make(tmp_path / "local", HUB % ("../questions", COMMIT, "default")))
    kept = cache / f"revision-{COMMIT}" / "questions"
    kept.rename(kept.with_name("owner___questions"))
    suite = read_suite(make(tmp_path / "suite", HUB % ("owner/questions", COMMIT, "default")))
    assert len(suite.test) == 4
    with pytest.raises(SuiteError, match="dataset owner/questions validation at ffffffffffff: cannot be loaded"):
        read_suite(make(tmp_path / "other", HUB % ("owner/questions", "f" * 40, "default")))


def test_a_dataset_by_name_is_asked_of_the_hub_at_its_commit_and_then_of_nobody(tmp_path: Path) -> None:
    """The whole way, with the real client and a hub on this machine: over the network once, then offline."""
    home = Path(harness.__file__).parents[1]
    make(tmp_path / "suite", HUB % ("owner/questions", COMMIT, "small"))
    make(tmp_path / "other", HUB % ("owner/questions", "f" * 40, "small"))
    about = {"HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(home)}
    about |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

    def check(suite: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "harness", "check", suite]
        environment = {**os.environ, **about, **more}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)

    with serve(repository(tmp_path / "questions"), "owner/questions", COMMIT) as (address, asked):
        online = check("suite", HF_ENDPOINT=address, HF_HUB_OFFLINE="0")
        wrong = check("other", HF_ENDPOINT=address, HF_HUB_OFFLINE="0")
    assert "tiny v1" in online.stdout, online.stderr
    assert "4 test, 0 dev, 3 train" in online.stdout
    of_data = [path for path in asked if "owner/questions" in path and "f" * 40 not in path]
    assert any(path.endswith("small/validation.parquet") for path in of_data)
    assert all(COMMIT in path for path in of_data)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert f"Revision '{'f' * 40}' doesn't exist" in wrong.stderr
    offline = check("suite", HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert offline.stdout == online.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("../questions", "../nowhere"), "cannot be loaded"),
        (("config: default", "config: large"), "BuilderConfig 'large' not found"),
        (("test: validation", "test: test"), 'Unknown split "test"'),
        (("input: question", "input: questions"), "validation: no column 'questions'. Did you mean 'question'?"),
        (("[extra.topic]", "[extra.subject]"), "row 1: no column 'subject'. Known: day, topic."),
        (("[extra.topic]", "[raw]"), "column 'raw': holds bytes"),
        (("id: idx", "id: extra"), "row 1.id: must be text, not a mapping"),
    ],
)
def test_a_mistake_about_a_hub_dataset_is_one_clear_line(
    tmp_path: Path, cache: Path, change: tuple[str, str], message: str
) -> None:
    repository(tmp_path / "questions")
    data = (HUB % ("../questions", COMMIT, "default")).replace(*change)
    with pytest.raises(SuiteError) as caught:
        read_suite(make(tmp_path / "suite", data))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_columns_that_happen_to_have_our_names_are_left_out_with_the_others(tmp_path: Path) -> None:
    rows = [{"id": "same", "question": f"{i}?", "answer": f"{i}", "choices": "A;B"} for i in range(2)]
    suite = read_suite(make(tmp_path, "{fields: {input: question, target: answer}}", test__jsonl=rows))
    assert [(one.input, one.target, one.choices) for one in suite.test] == [("0?", "0", ()), ("1?", "1", ())]
    assert len({one.id for one in suite.test}) == 2
