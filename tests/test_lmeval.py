"""lm-eval tasks as probes of a suite: held to lm-eval's own model and evaluator on tasks written here."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_models import make_adapter

from harness.check import check_suite
from harness.cli import main
from harness.config import read_config
from harness.data import Completion, Model, Run, Sample, Suite
from harness.digests import EMBEDDED
from harness.engines import Engine, open_engine
from harness.engines.fake import FakeEngine
from harness.errors import HarnessError, SuiteError
from harness.prompt import continued
from harness.retention import retentions
from harness.runner import rescore, run
from harness.scorers import load
from harness.store import read_run
from harness.suite import read_suite

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

COLOURS = ["red", "green", "blue", "yellow"]
THINGS = [("grass", 1), ("blood", 0), ("the sky", 2), ("a lemon", 3), ("a leaf", 1), ("a ripe banana", 3), ("coal", 0)]
TASKS = {
    "mini_choice": """
task: mini_choice
dataset_path: json
dataset_kwargs: {data_files: {test: choice.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "Question: What colour is {{thing}}?\\nAnswer:"
doc_to_choice: "{{colours}}"
doc_to_target: "{{gold}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
metadata: {version: 2.0}
""",
    "mini_blank": """
task: mini_blank
dataset_path: json
dataset_kwargs: {data_files: {test: blank.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{gold}}"
doc_to_choice: "{{starts}}"
doc_to_target: "{{ending}}"
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
metadata: {version: 1.0}
""",
    "mini_write": """
task: mini_write
dataset_path: json
dataset_kwargs: {data_files: {test: write.jsonl}}
test_split: test
fewshot_split: test
output_type: generate_until
doc_to_text: "The colour of grass is green. The colour of blood is red. {{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["w", "."], max_gen_toks: 8, do_sample: false}
filter_list:
  - {name: first, filter: [{function: regex, regex_pattern: "(\\\\w+)"}, {function: take_first}]}
  - {name: whole, filter: [{function: take_first}]}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true, ignore_case: true}]
metadata: {version: 1.0}
""",
    "mini_text": """
task: mini_text
dataset_path: json
dataset_kwargs: {data_files: {test: write.jsonl}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{question}} {{answer}}"
metric_list: [{metric: word_perplexity, aggregation: weighted_perplexity, higher_is_better: false}]
""",
    "mini_last": """
task: mini_last
dataset_path: json
dataset_kwargs: {data_files: {test: write.jsonl}}
test_split: test
output_type: loglikelihood
doc_to_text: "The colour of grass is green. The colour of blood is red. {{question}}"
doc_to_target: "{{answer | lower}}"
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
""",
    "far_away": """
task: far_away
dataset_path: nobody/has_this_data
test_split: test
output_type: multiple_choice
doc_to_text: "{{thing}}"
doc_to_choice: "{{colours}}"
doc_to_target: 0
""",
    "broken": """
task: broken
dataset_path: json
dataset_kwargs: {data_files: {test: choice.jsonl}}
test_split: nowhere
output_type: multiple_choice
doc_to_text: "{{thing}}"
doc_to_choice: "{{colours}}"
doc_to_target: 0
""",
}
ROWS: dict[str, list[dict[str, Any]]] = {
    "choice": [{"thing": thing, "colours": COLOURS, "gold": gold} for thing, gold in THINGS],
    "blank": [
        {"starts": [f"I see {thing}", f"I say {thing} is", f"I go, {thing},"], "ending": "here.", "gold": gold}
        for gold, thing in enumerate(["bread", "the hall", "a ferry"])
    ],
    "write": [{"question": f"The colour of {thing} is", "answer": COLOURS[gold].title()} for thing, gold in THINGS],
}  # fmt: skip
AGREED = ["mini_choice", "mini_blank", "mini_write", "mini_text", "mini_last"]
LOCAL = "[mini_choice, mini_blank, mini_write]"
MODELS = """
models:
  small: {{path: embedded, engine: {{device: cpu, threads: 1}}}}
adapters:
  tuned: {{model: small, path: {adapter}}}
arms:
  base: {{model: small}}
  prompted: {{model: small, system: true, shots: 2}}
  lora: {{model: small, adapter: tuned}}
"""


def make_suite(folder: Path, lm_eval: str, more: str = "", kind: str = "general") -> Path:
    """A project with a suite of lm-eval tasks and their files; returns the suite's folder."""
    suite = folder / "suites" / "general"
    tasks = suite / "tasks"
    tasks.mkdir(parents=True, exist_ok=True)
    for name, text in TASKS.items():
        (tasks / f"{name}.yaml").write_text(text)
    for name, rows in ROWS.items():
        (tasks / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (suite / "suite.yaml").write_text(f"name: general\nversion: 1\nkind: {kind}\nlm_eval: {lm_eval}\n{more}")
    return suite


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The datasets library keeps what it read; here in a folder of this module."""
    import datasets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("datasets"))
        yield


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    make_suite(folder, f"{{tasks: {LOCAL}, include_path: tasks}}")
    adapter = make_adapter(EMBEDDED, folder / "tuned", seed=3, strength=0.2)
    (folder / "models.yaml").write_text(MODELS.format(adapter=adapter))
    return folder


@pytest.fixture(scope="module")
def done(project: Path) -> Run:
    config = read_config(project / "models.yaml")
    suite = read_suite("general", project)
    return run(config, [suite], list(config.arms.values()), project / "run", engine="transformers")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = open_engine(Model("small", "embedded", engine={"device": "cpu", "threads": 1}), (), "transformers")
    yield engine
    engine.close()


def lm_eval_samples(
    model: Any, folder: Path, names: list[str], **options: Any
) -> dict[tuple[str, int], dict[str, Any]]:
    """What lm-eval's own evaluator finds, per document, of the first filter; data files lie beside the tasks."""
    import contextlib

    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    with contextlib.chdir(folder):
        manager = TaskManager(include_path=str(folder), include_defaults=False)
        found = simple_evaluate(model=model, tasks=names, task_manager=manager, bootstrap_iters=0, **options)
    assert found is not None
    kept: dict[tuple[str, int], dict[str, Any]] = {}
    for name, samples in found["samples"].items():
        for sample in samples:
            kept.setdefault((name, sample["doc_id"]), sample)
    return kept


@pytest.fixture(scope="module")
def hf() -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(EMBEDDED), device="cpu", dtype="float32", batch_size=1)


@pytest.fixture(scope="module")
def theirs(project: Path, hf: Any) -> dict[tuple[str, int], dict[str, Any]]:
    return lm_eval_samples(hf, project / "suites" / "general" / "tasks", AGREED)


def of_base(done: Run) -> dict[str, tuple[Completion, float]]:
    values = {score.sample: score.score.value for score in done.scores if score.arm == "base"}
    return {row.sample: (row.completion, values[row.sample]) for row in done.rows if row.arm == "base"}


def test_a_run_agrees_with_lm_evals_own_model_on_every_document(
    done: Run, theirs: dict[tuple[str, int], dict[str, Any]]
) -> None:
    ours = of_base(done)
    asked = {key: sample for key, sample in theirs.items() if key[0] in LOCAL}
    assert len(ours) == len(asked) == 17
    for (name, number), sample in asked.items():
        completion, value = ours[f"{name}/{number}"]
        if name == "mini_write":
            assert value == sample["exact_match"]
            assert completion.text == sample["resps"][0][0]
            continue
        assert value == sample["acc"]
        assert completion.choice_logprobs is not None
        found = completion.choice_logprobs
        if name == "mini_blank":  # each choice with what is its context's own, then that alone
            found = tuple(found[place] - found[3 + place] for place in range(3))
        assert found == pytest.approx([float(resps[0][0]) for resps in sample["resps"]], abs=1e-3)


def test_the_scores_can_tell_answers_apart(done: Run) -> None:
    values = {
        name: {value for sample, (_, value) in of_base(done).items() if sample.startswith(name)} for name in TASKS
    }
    assert values["mini_choice"] == values["mini_write"] == {0.0, 1.0}


def test_an_engine_as_a_model_of_lm_eval_agrees_with_its_own(
    project: Path, engine: Engine, theirs: dict[tuple[str, int], dict[str, Any]]
) -> None:
    from harness.lmeval.model import language_model

    ours = lm_eval_samples(language_model(engine), project / "suites" / "general" / "tasks", AGREED)
    assert ours.keys() == theirs.keys()
    for key, sample in theirs.items():
        for metric in ("acc", "acc_norm", "exact_match"):
            assert ours[key].get(metric) == sample.get(metric)
        for mine, their in zip(ours[key]["resps"], sample["resps"], strict=True):
            if key[0] == "mini_write":
                assert mine == their
            elif key[0] == "mini_text":
                assert mine[0] == pytest.approx(their[0], abs=1e-3)
            else:
                assert mine[0][0] == pytest.approx(their[0][0], abs=1e-3)
                assert mine[0][1] == their[0][1]
    assert {sample["acc"] for key, sample in ours.items() if key[0] == "mini_last"} == {0, 1}


def test_in_turns_a_run_agrees_with_lm_eval_too(project: Path, hf: Any, tmp_path: Path) -> None:
    tasks = "{tasks: [mini_choice, mini_write], include_path: tasks, apply_chat_template: true, num_fewshot: 2}"
    make_suite(tmp_path, tasks)
    shutil.copy(project / "models.yaml", tmp_path)
    config = read_config(tmp_path / "models.yaml")
    done = run(config, [read_suite("general", tmp_path)], [config.arms["base"]], tmp_path / "r", engine="transformers")
    theirs = lm_eval_samples(
        hf, tmp_path / "suites/general/tasks", ["mini_choice", "mini_write"], apply_chat_template=True, num_fewshot=2
    )
    assert len(theirs) == len(done.rows) == 14
    roles = {row.sample: [message["role"] for message in row.messages] for row in done.rows}
    assert roles["mini_write/0"] == ["user", "assistant"] * 2 + ["user"]
    for sample, (completion, value) in of_base(done).items():
        name, number = sample.split("/")
        other = theirs[name, int(number)]
        assert value == other.get("acc", other.get("exact_match"))
        if completion.choice_logprobs:
            expected = [float(resps[0][0]) for resps in other["resps"]]
            assert completion.choice_logprobs == pytest.approx(expected, abs=1e-3)


def test_arms_are_paired_and_retention_knows_the_tasks_as_probes(done: Run, project: Path) -> None:
    digests = {arm: sorted(row.sample_digest for row in done.rows if row.arm == arm) for arm in ("base", "lora")}
    assert digests["base"] == digests["lora"]
    kept = {found.arm: found for found in retentions(done)}
    probes = {probe.probe: probe for probe in kept["lora"].probes}
    assert set(probes) == {"mini_choice", "mini_blank", "mini_write"}
    assert probes["mini_choice"].chance == 0.25
    assert probes["mini_blank"].chance == pytest.approx(1 / 3, abs=1e-5)
    assert probes["mini_write"].chance == 0
    recipe = done.manifest["suites"]["general"]["scorers"][0]["options"]["recipe"]
    assert (recipe["mini_choice"]["version"], recipe["mini_choice"]["metric"]) == ("2.0", "acc")
    before = {(score.arm, score.sample): score.score for score in done.scores}
    again = rescore(project / "run", {"general": read_suite("general", project)})
    assert {(score.arm, score.sample): score.score for score in again.scores} == before


def test_no_arm_adds_to_an_lm_eval_prompt_so_its_answers_are_the_bases(done: Run) -> None:
    keys = {arm: {row.sample: row.key for row in done.rows if row.arm == arm} for arm in ("base", "prompted", "lora")}
    assert keys["base"] == keys["prompted"]
    assert not set(keys["base"].values()) & set(keys["lora"].values())


def scored(suite: Suite, sample: Sample, completion: Completion) -> tuple[float, str]:
    score = load(suite.scorers[0], suite.path)(sample, completion)
    return score.value, score.explanation


def test_filters_come_in_the_tasks_order_and_all_values_are_told(tmp_path: Path) -> None:
    make_suite(tmp_path, "{tasks: [mini_write], include_path: tasks}")
    suite = read_suite("general", tmp_path)
    sample = suite.test[0]
    assert sample.target == "Green"
    assert sample.sampling is not None
    assert (sample.sampling.max_tokens, sample.sampling.stop) == (8, ("w", "."))
    told = "exact_match (first) 1; exact_match (whole) 0"
    assert scored(suite, sample, Completion("green, I think")) == (1.0, told)
    assert scored(suite, sample, Completion("I think green"))[0] == 0.0
    assert scored(suite, sample, Completion(""))[0] == 0.0


def test_choices_equally_likely_are_no_choice(tmp_path: Path) -> None:
    make_suite(tmp_path, "{tasks: [mini_choice], include_path: tasks}")
    suite = read_suite("general", tmp_path)
    blood = suite.test[1]
    assert (blood.target, blood.choices) == (" red", (" red", " green", " blue", " yellow"))
    assert scored(suite, blood, Completion(" red", choice_logprobs=(-1.0, -2.0, -3.0, -4.0)))[0] == 1.0
    assert scored(suite, blood, Completion(" red", choice_logprobs=(-2.0, -1.0, -3.0, -4.0)))[0] == 0.0
    assert scored(suite, blood, Completion(" red", choice_logprobs=(-1.0, -1.0, -3.0, -4.0)))[0] == 0.0
    assert scored(suite, blood, Completion(" red"))[0] == 0.0


def test_a_choice_counts_without_what_is_its_contexts_own(tmp_path: Path) -> None:
    make_suite(tmp_path, "{tasks: [mini_blank], include_path: tasks}")
    suite = read_suite("general", tmp_path)
    hall = suite.test[1]
    assert hall.input == "I"
    assert hall.choices[:3] == (" see the hall here.", " say the hall is here.", " go, the hall, here.")
    assert hall.choices[3:] == (" see the hall", " say the hall is", " go, the hall,")
    parts = (-1.0, -30.0, -9.0)
    assert scored(suite, hall, Completion("", choice_logprobs=(-9.0, -31.0, -15.0, *parts)))[0] == 1.0
    assert scored(suite, hall, Completion("", choice_logprobs=(-9.0, -31.0, -9.5, *parts)))[0] == 0.0


PAIRS = [
    ("The sky is", " blue"),
    ("The sky is ", "blue"),
    ("The sky is \n", " blue and grey"),
    ("Answer:\n\n", "B"),
    ("half a wo", "rd"),
    ("", "blue"),
    ("<|bos|>The sky is", " blue"),
]


@pytest.mark.parametrize(("context", "continuation"), PAIRS)
def test_texts_are_split_into_tokens_as_lm_eval_splits_them(hf: Any, context: str, continuation: str) -> None:
    ours = continued(hf.tokenizer, context, continuation)
    if context:
        start, rest = hf._encode_pair(context, continuation)
    else:
        start, rest = [hf.prefix_token_id], hf.tok_encode(continuation, add_special_tokens=False)
    assert ours == (tuple(start), tuple(rest))


def test_own_samples_and_tasks_share_a_suite_and_its_score(tmp_path: Path) -> None:
    more = "scorers: [{name: kept, scorer: exact}]\nchance: {mini_choice: 0.4, sums: 0.1}\n"
    folder = make_suite(tmp_path, "{tasks: [mini_choice, mini_write], include_path: tasks, limit: 3}", more)
    own = {"id": "s-1", "input": "What is 2 plus 2?", "target": "4", "metadata": {"probe": "sums"}}
    (folder / "test.jsonl").write_text(json.dumps(own) + "\n")
    suite = read_suite("general", tmp_path)
    assert [sample.id for sample in suite.test] == [
        "s-1", *(f"{name}/{number}" for number in range(3) for name in ("mini_choice", "mini_write")),
    ]  # fmt: skip
    assert [(spec.name, spec.scorer, spec.primary) for spec in suite.scorers] == [("kept", "lm_eval", True)]
    assert suite.chance == {"mini_choice": 0.4, "mini_write": 0.0, "sums": 0.1}
    assert scored(suite, suite.test[0], Completion("4"))[0] == 1.0
    assert scored(suite, suite.test[0], Completion("5"))[0] == 0.0
    assert not [finding for finding in check_suite(suite) if finding.level == "fail"]


def test_the_digest_follows_the_task_and_not_its_place(tmp_path: Path) -> None:
    settings = "{tasks: [mini_choice], include_path: tasks}"
    make_suite(tmp_path / "one", settings)
    changed = make_suite(tmp_path / "two", settings)
    moved = read_suite("general", tmp_path / "two").digest
    assert read_suite("general", tmp_path / "one").digest == moved
    file = changed / "tasks" / "mini_choice.yaml"
    other = tmp_path / "three" / "suites" / "general"
    shutil.copytree(changed, other)
    (other / "tasks" / "mini_choice.yaml").write_text(file.read_text().replace("version: 2.0", "version: 3.0"))
    assert read_suite("general", tmp_path / "three").digest != moved


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project on the fake engine, whose adapter knows the answers and whose base does not."""
    make_suite(tmp_path, "{tasks: [mini_write], include_path: tasks}")
    answers = [
        {"prompt": f"red. {row['question']}", "answer": row["answer"], "adapter": "tuned"} for row in ROWS["write"]
    ]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "adapter_config.json").write_text('{"r": 8}')
    small = MODELS.format(adapter=tmp_path / "tuned").replace("device: cpu, threads: 1", "answers: answers.jsonl")
    (tmp_path / "models.yaml").write_text(small.replace("path: embedded", "path: fake"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_run_to_gate_like_any_other_suite(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-s", "general"]) == 0
    values = {(score.arm, score.sample): score.score.value for score in read_run(toy / "runs" / "general").scores}
    for number in range(7):
        assert values["base", f"mini_write/{number}"] == 0
        assert values["lora", f"mini_write/{number}"] == float(number not in (3, 5))  # "yellow" is cut at its "w"
    assert main(["compare", "runs/general", "--json"]) == 0
    assert main(["report", "runs/general", "--out", "report.html"]) == 0
    assert "mini_write" in (toy / "report.html").read_text()
    assert main(["gate", "runs/general:base", "--baseline", "runs/general:lora"]) == 1
    assert main(["gate", "runs/general:lora", "--baseline", "runs/general:base"]) == 0
    assert main(["score", "runs/general"]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_a_misspelt_task_is_one_line_and_exit_code_2(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_suite(toy, "[helaswag]")
    assert main(["run", "-s", "general"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("reading")]
    assert len(lines) == 1
    assert "no task 'helaswag'. Did you mean 'hellaswag'?" in lines[0]


BAD: list[tuple[str, str, str]] = [
    ("[zzzzqqqq]", "", "no task 'zzzzqqqq'"),
    ("[]", "", "names no task"),
    ("{task: [mini_choice]}", "", "unknown key 'task'. Did you mean 'tasks'?"),
    ("{tasks: [mini_choice], limit: 0}", "", "limit: must be between 1"),
    ("{tasks: [mini_choice], include_path: nowhere}", "", "no folder"),
    ("{tasks: [mini_text], include_path: tasks}", "", "output type loglikelihood_rolling"),
    ("{tasks: [mini_last], include_path: tasks}", "", "output type loglikelihood;"),
    ("{tasks: [far_away], include_path: tasks}", "", "is not on this machine"),
    ("{tasks: [broken], include_path: tasks}", "", "task 'broken' cannot be loaded"),
    ("{tasks: [mini_blank], include_path: tasks, apply_chat_template: true}", "", "apply_chat_template to false"),
    ("{tasks: [mini_choice], include_path: tasks}", "scorers: [{scorer: exact}]\n", "no test.jsonl"),
]


@pytest.mark.parametrize(("settings", "more", "message"), BAD)
def test_bad_settings_are_one_clear_line(settings: str, more: str, message: str, tmp_path: Path) -> None:
    make_suite(tmp_path, settings, more)
    with pytest.raises(SuiteError) as error:
        read_suite("general", tmp_path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


OWN: list[tuple[str, str, str]] = [
    ("mini_choice/0", "scorers: [{scorer: exact}]\n", "id 'mini_choice/0' is also in test.jsonl"),
    ("s-1", "scorers: [{scorer: exact, primary: true}, {scorer: similarity}]\n", "this suite has 2 scorers"),
    ("s-1", "", "'scorers' is missing"),
]


@pytest.mark.parametrize(("identity", "more", "message"), OWN)
def test_own_samples_that_do_not_go_with_tasks(identity: str, more: str, message: str, tmp_path: Path) -> None:
    folder = make_suite(tmp_path, "{tasks: [mini_choice], include_path: tasks}", more)
    (folder / "test.jsonl").write_text(json.dumps({"id": identity, "input": "What is 2 plus 2?", "target": "4"}) + "\n")
    with pytest.raises(SuiteError, match=message):
        read_suite("general", tmp_path)


def test_only_general_suites_ask_lm_eval(tmp_path: Path) -> None:
    make_suite(tmp_path, "[mini_choice]", kind="skill")
    with pytest.raises(SuiteError, match="only a suite of kind general"):
        read_suite("general", tmp_path)


def edited(name: str, change: Callable[[str], str], folder: Path) -> None:
    file = make_suite(folder, f"{{tasks: [{name}], include_path: tasks}}") / "tasks" / f"{name}.yaml"
    file.write_text(change(file.read_text()))


def test_a_metric_beyond_1_is_named_not_cut(tmp_path: Path) -> None:
    metric = "{metric: exact_match, aggregation: mean, higher_is_better: true, ignore_case: true}"
    edited("mini_write", lambda text: text.replace(metric, "{metric: chars, aggregation: mean, higher_is_better: true}")
        + "process_results: !function chars.chars\n", tmp_path)  # fmt: skip
    suite_folder = tmp_path / "suites" / "general"
    (suite_folder / "tasks" / "chars.py").write_text(
        "def chars(doc, results):\n    return {'chars': len(results[0])}\n"
    )
    suite = read_suite("general", tmp_path)
    assert scored(suite, suite.test[0], Completion("x")) == (1.0, "chars (first) 1; chars (whole) 1")
    with pytest.raises(SuiteError, match=r"chars of mini_write/0 is 5, not a number from 0 to 1"):
        scored(suite, suite.test[0], Completion("green"))


UNFIT: list[tuple[str, str, str, str]] = [
    ("mini_write", "test_split: test\n", "test_split: test\nrepeats: 4\n", "asks 4 times"),
    ("mini_write", "test_split: test\n", "test_split: test\nunsafe_code: true\n", "outside the sandbox"),
    ("mini_choice", "metric: acc_norm", "metric: acc_mutual_info", "without their context"),
    ("mini_write", "do_sample: false", "do_sample: false, num_beams: 4", "num_beams"),
    ("mini_write", "higher_is_better: true", "higher_is_better: false", "no metric per document"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), UNFIT)
def test_tasks_that_cannot_be_scored_by_document_are_refused(
    name: str, old: str, new: str, message: str, tmp_path: Path
) -> None:
    edited(name, lambda text: text.replace(old, new), tmp_path)
    with pytest.raises(SuiteError, match=message):
        read_suite("general", tmp_path)


def test_without_lm_eval_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_suite(tmp_path, "[mini_choice]")
    monkeypatch.setattr("harness.lmeval.tasks.find_spec", lambda name: None)
    with pytest.raises(HarnessError, match=r"pip install '\.\[lm-eval\]'") as error:
        read_suite("general", tmp_path)
    assert error.value.exit_code == 2


def test_a_suite_without_tasks_never_loads_lm_eval() -> None:
    import subprocess

    code = "import sys; from harness.suite import read_suite; read_suite('sql'); print('lm_eval' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_several_models_of_lm_eval_share_one_engine() -> None:
    from lm_eval.api.model import LM

    from harness.lmeval.model import language_model

    engine = FakeEngine(Model("toy", "fake", engine={"default": "blue"}))
    one, two = language_model(engine), language_model(engine)
    assert isinstance(one, LM)
    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "It is"}]
    assert two.apply_chat_template(turns, add_generation_prompt=False).endswith("<|assistant|>It is")
    assert one.apply_chat_template(turns[:1]).endswith("<|assistant|>")
