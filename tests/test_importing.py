"""Logs of lm-eval and inspect as runs. What is read here those programs wrote: lm-eval during the test; logs/ by
inspect 0.3.285 (12 sums answered by its mock model, 6 and 9 of them right; and 3 sums answered twice, 2 of them right).
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.compare import compare, summarize
from harness.errors import RunError
from harness.gate import gate
from harness.importing import import_logs
from harness.report import write_report
from harness.store import read_run

LOGS = Path(__file__).parent / "logs"


def _lm_eval(folder: Path, right: int) -> list[Path]:
    """lm-eval's own files for a task of choices and one of writing, 40 documents each, so many of them right."""
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    class Model(LM):  # type: ignore[misc]
        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            return [(-1.0 if (i % 4 == 0) == (i // 4 < right) else -2.0, False) for i in range(len(requests))]

        def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
            return [-1.0] * len(requests)

        def generate_until(self, requests: list[Any]) -> list[str]:
            return [str(i) if i < right else "no" for i in range(len(requests))]

    tasks = folder / "tasks"
    tasks.mkdir(parents=True, exist_ok=True)
    rows = [{"q": f"number {i}?", "a": str(i), "choices": list("wxyz"), "gold": 0} for i in range(40)]
    (tasks / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = f"dataset_path: json\ndataset_kwargs: {{data_files: {{test: {tasks}/data.jsonl}}}}\ntest_split: test\n"
    common += 'doc_to_text: "{{q}}"\nmetadata: {version: 2.0}\n'
    (tasks / "mc.yaml").write_text(
        f"task: mc\noutput_type: multiple_choice\ndoc_to_target: gold\ndoc_to_choice: choices\n{common}"
    )
    (tasks / "gen.yaml").write_text(
        "task: gen\noutput_type: generate_until\ndoc_to_target: a\n"
        "generation_kwargs: {until: ['\\n'], max_gen_toks: 8}\n"
        f"metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]\n{common}"
    )
    manager = TaskManager(include_defaults=False, include_path=str(tasks))
    found = simple_evaluate(
        model=Model(), tasks=["mc", "gen"], task_manager=manager, bootstrap_iters=0, log_samples=True
    )
    samples = found.pop("samples")
    tracker = EvaluationTracker(output_path=str(folder / f"out-{right}"))
    tracker.save_results_aggregated(results=found, samples=samples)
    for name, mine in samples.items():
        tracker.save_results_samples(task_name=name, samples=mine)
    return sorted((folder / f"out-{right}").rglob("samples_*.jsonl"))


@pytest.fixture(scope="module")
def lm_eval_files(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[Path]]:
    folder = tmp_path_factory.mktemp("lm_eval")
    return {right: _lm_eval(folder, right) for right in (20, 30)}


def test_lm_eval_logs_are_compared_and_gated(lm_eval_files: dict[int, list[Path]], tmp_path: Path) -> None:
    import_logs("lm-eval", lm_eval_files[20], tmp_path / "run", "base")
    done = import_logs("lm-eval", lm_eval_files[30], tmp_path / "run", "lora", tuned=True)
    assert {(one.suite, one.arm, one.n): one.mean for one in summarize(done)} == {
        (suite, arm, 40): mean for suite in ("gen", "mc") for arm, mean in (("base", 0.5), ("lora", 0.75))
    }
    found = compare(done, "gen", "base", "lora")
    assert (found.scorer, found.wins, found.losses, found.missing) == ("exact_match", 10, 0, 0)
    assert done.manifest["engine"]["version"] == "0.4.13"
    assert done.manifest["suites"]["mc"]["version"] == 2.0
    assert gate(done, "base", done, "lora").status == "PASS"
    assert gate(done, "lora", done, "base").status == "FAIL"
    row = next(row for row in done.rows if (row.suite, row.arm, row.sample) == ("gen", "base", "gen/3"))
    assert (row.messages[0]["content"], row.completion.text, row.target) == ("number 3?", "3", "3")
    assert "lora" in write_report([done], tmp_path / "page.html").html.read_text("utf-8")


def test_runs_imported_apart_are_paired(lm_eval_files: dict[int, list[Path]], tmp_path: Path) -> None:
    old = import_logs("lm-eval", lm_eval_files[30], tmp_path / "old", "model")
    new = import_logs("lm-eval", lm_eval_files[20], tmp_path / "new", "model")
    assert gate(old, "model", new, "model").status == "FAIL"
    again = import_logs("lm-eval", lm_eval_files[30], tmp_path / "again", "model")
    assert gate(old, "model", again, "model").status == "INCONCLUSIVE"  # 40 equal answers rule out no 5 points


def test_another_metric_can_count(lm_eval_files: dict[int, list[Path]], tmp_path: Path) -> None:
    (file,) = [file for file in lm_eval_files[20] if "samples_mc" in file.name]
    done = import_logs("lm-eval", [file], tmp_path / "run", "base", "acc_norm")
    assert [s["name"] for s in done.manifest["suites"]["mc"]["scorers"] if s["primary"]] == ["acc_norm"]
    with pytest.raises(RunError, match=r"no metric 'acc_nrm'.*Did you mean 'acc_norm'"):
        import_logs("lm-eval", [file], tmp_path / "other", "base", "acc_nrm")


def test_inspect_logs_are_compared_and_gated(tmp_path: Path) -> None:
    import_logs("inspect", [LOGS / "nine.eval"], tmp_path / "run", "old")
    done = import_logs("inspect", [LOGS / "six.eval"], tmp_path / "run", "new", tuned=True)
    assert {one.arm: (one.n, one.mean, one.prompt_tokens) for one in summarize(done)} == {
        "old": (12, 0.75, 9), "new": (12, 0.5, 9),
    }  # fmt: skip
    found = compare(done, "sums", "old", "new")
    assert (found.scorer, found.wins, found.losses) == ("match", 0, 3)
    assert compare(done, "sums", "old", "new", "includes").difference == -0.25
    assert gate(done, "old", done, "new").status == "INCONCLUSIVE"
    row = next(row for row in done.rows if (row.arm, row.sample) == ("old", "sum-1"))
    assert (row.messages[0]["content"], row.completion.text, row.target) == ("What is 1 plus 1?", "2", "2")
    assert row.completion.seconds > 0


def test_inspects_epochs_are_answers_to_one_sample(tmp_path: Path) -> None:
    done = import_logs("inspect", [LOGS / "twice.json"], tmp_path / "run", "base")
    assert len(done.rows) == 6
    assert done.manifest["suites"]["sums"]["sampling"]["samples"] == 2
    (summary,) = summarize(done)
    assert (summary.n, summary.mean) == (3, pytest.approx(2 / 3))


def test_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    assert main(["import", "inspect", str(LOGS / "nine.eval"), "--arm", "old", "--out", out]) == 0
    assert main(["import", "inspect", str(LOGS / "six.eval"), "--arm", "new", "--out", out, "--tuned"]) == 0
    assert "old" in capfd.readouterr().out
    assert main(["gate", f"{out}:new", "--baseline", f"{out}:old"]) == 3
    assert main(["import", "inspect", str(LOGS / "six.eval"), "--arm", "new", "--out", out]) == 2
    assert "new has answered sums there. Give --arm another name." in capfd.readouterr().err
    assert main(["import", "lm-eval", str(LOGS / "six.eval"), "--arm", "new", "--out", out]) == 2
    assert "not lm-eval's samples_TASK_DATE.jsonl" in capfd.readouterr().err


def _broken(folder: Path, how: str) -> tuple[str, Path]:
    whole = json.loads((LOGS / "twice.json").read_text())
    file = folder / "log.json"
    samples = folder / "samples_gen_2026-01-02T03-04-05.6.jsonl"
    if how == "missing":
        return "inspect", folder / "nowhere.json"
    if how in ("version", "sample", "none"):
        changed = {
            "version": {**whole, "version": 3},
            "sample": {**whole, "samples": [{"id": 1}]},
            "none": {**whole, "samples": []},
        }[how]
        file.write_text(json.dumps(changed))
    elif how == "text":
        file.write_text("no log")
    elif how == "archive":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("other.txt", "x")
    elif how == "torn":
        data = (LOGS / "six.eval").read_bytes()
        middle = len(data) // 3
        file.write_bytes(data[:middle] + bytes(200) + data[middle + 200 :])
    else:
        line = {"empty": "", "old": '{"doc_id": 1}\n', "words": "x\ny\n"}[how]
        samples.write_text(line)
        return "lm-eval", samples
    return "inspect", file


@pytest.mark.parametrize(
    ("how", "says_what"),
    [
        ("missing", "no such file"),
        ("version", "log version 3, this harness reads 2"),
        ("sample", "a sample lacks 'input'"),
        ("none", "holds no scored samples"),
        ("text", "not JSON"),
        ("archive", "no header.json"),
        ("torn", "is damaged"),
        ("empty", "holds no scored samples"),
        ("old", "a sample lacks 'arguments'"),
        ("words", "not JSON"),
    ],
)
def test_a_file_that_is_no_such_log_is_one_line_and_leaves_no_run(tmp_path: Path, how: str, says_what: str) -> None:
    program, file = _broken(tmp_path, how)
    with pytest.raises(RunError, match=says_what) as caught:
        import_logs(program, [file], tmp_path / "run", "base")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_other_samples_do_not_go_into_the_same_run(tmp_path: Path) -> None:
    import_logs("inspect", [LOGS / "nine.eval"], tmp_path / "run", "old")
    with pytest.raises(RunError, match="sums asks other samples"):
        import_logs("inspect", [LOGS / "twice.json"], tmp_path / "run", "new")
    assert len(read_run(tmp_path / "run").rows) == 12


def _file(folder: Path, values: list[Any], date: str = "2026-01-02T03-04-05.6", model: str = "A") -> Path:
    """lm-eval's samples of a task "gen" with a metric "score", and its results, by hand."""
    folder.mkdir(exist_ok=True)
    lines = [
        {
            "doc_id": i, "doc": {}, "target": "t", "arguments": {"gen_args_0": {"arg_0": f"q{i}"}}, "resps": [["a"]],
            "filtered_resps": ["a"], "doc_hash": f"{i}", "target_hash": f"{i}", "metrics": ["score", "exact"],
            "score": value, "exact": 1.0,
        }
        for i, value in enumerate(values)
    ]  # fmt: skip
    file = folder / f"samples_gen_{date}.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / f"results_{date}.json").write_text(json.dumps({"config": {"model_args": f"pretrained={model}"}}))
    return file


def test_a_metric_with_values_beyond_1_is_no_metric(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = _file(tmp_path, [0, 35.2, 60.1, 1, 44])
    with pytest.raises(RunError, match=r"no metric 'score' with a value per sample, 0\.\.1"):
        import_logs("lm-eval", [file], tmp_path / "a", "base", "score")
    done = import_logs("lm-eval", [file], tmp_path / "b", "base")
    assert {score.scorer for score in done.scores} == {"exact"}
    assert "score is left out: it has values outside of 0..1" in capfd.readouterr().err


def test_two_files_of_one_task_are_refused(tmp_path: Path) -> None:
    files = [_file(tmp_path, [1, 1]), _file(tmp_path, [0, 0], "2026-02-02T03-04-05.6")]
    with pytest.raises(RunError, match=r"samples_gen_2026-02.*: gen is in .*2026-01.* too"):
        import_logs("lm-eval", files, tmp_path / "run", "base")
    assert not (tmp_path / "run").exists()


def test_an_arm_is_one_model(tmp_path: Path) -> None:
    first, other = _file(tmp_path / "a", [1, 1]), _file(tmp_path / "b", [1, 0], model="B")
    moved = other.rename(other.with_name(other.name.replace("_gen_", "_more_")))
    with pytest.raises(RunError, match=r"is of the model pretrained=B, .* of pretrained=A"):
        import_logs("lm-eval", [first, moved], tmp_path / "run", "base")
    import_logs("lm-eval", [first], tmp_path / "run", "base")
    with pytest.raises(RunError, match=r"base is the model pretrained=A there, these logs are of pretrained=B"):
        import_logs("lm-eval", [moved], tmp_path / "run", "base")
    assert len(read_run(tmp_path / "run").rows) == 2


def test_a_log_without_its_last_line_end_loses_nothing_and_a_torn_one_is_refused(tmp_path: Path) -> None:
    file = _file(tmp_path, [1, 1, 0])
    file.write_text(file.read_text().rstrip("\n"))
    assert len(import_logs("lm-eval", [file], tmp_path / "a", "base").rows) == 3
    file.write_text(file.read_text()[:-9])
    with pytest.raises(RunError, match=r"jsonl:3: not JSON: the log is torn"):
        import_logs("lm-eval", [file], tmp_path / "b", "base")
