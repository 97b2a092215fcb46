"""README.md and docs/*.md: every command runs, in the order in which it stands, page by page, in a folder of its own.

What needs a GPU, a model hub or half an hour is listed in CANNOT_RUN; its options are parsed instead.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
import yaml
from project import make_project

from harness.cli import cli
from harness.config import read_config

ROOT = Path(__file__).parent.parent
PAGES = {path.stem: path.read_text("utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
CANNOT_RUN = {
    r"pip install ": "changes the environment",
    r"harness demo\b": "takes minutes",
    r"harness (train|run|report) .*\b(sql-r16|sql\+forgetting)": "trains a model of the hub, or a large one",
    r"harness run .*(sarcasm|shakespeare|formats|sql)": "answers hundreds of samples",
    r"harness export .*--verify": "starts a server of vLLM; tests/vllm runs it",
    r"harness monitor ": "needs live traffic; tests/test_monitor.py runs these very commands on some",
    r"lm_eval ": "fetches a model of the hub",
}
"""Commands that are parsed only, and why. Each of them must stand on some page."""
ELSEWHERE = ("torchrun", "vllm", "docker", "kubectl", "sbatch", "srun", "ssh", "ray", "inspect", "tox", "accelerate")
"""Programs of other machines: never run; a `harness` command behind them is parsed."""
FOREIGN = {
    *("--model", "--model_args", "--tasks", "--output_path", "--log_samples"),  # lm_eval
    *("--nproc-per-node", "--version", "--help"),
    "--generation-config",  # vllm serve
    *("--run", "--vllm", "--kills", "--lm-eval"),  # benchmarks.scale, benchmarks.run
}


# --- what stands on the pages ----------------------------------------------------------------------------------------


def commands(page: str) -> list[str]:
    """The commands of a page's ```sh and ```console blocks, each with its continued lines and here-documents."""
    found: list[str] = []
    for kind, body in re.findall(r"^```(sh|console)\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE):
        lines = iter(body.splitlines())
        for line in lines:
            if kind == "console":
                if not line.startswith("$ "):
                    continue
                line = line.removeprefix("$ ")
            if not line.strip() or line.startswith("#"):
                continue
            while line.endswith("\\"):
                line = f"{line[:-1]} {next(lines).removeprefix('> ').strip()}"
            if here := re.search(r"<<'?(\w+)'?", line):
                inside = itertools.takewhile(lambda one, end=here[1]: one != end, lines)
                line = "\n".join([line, *inside, here[1]])
            found.append(line)
    return found


def parsed_only(command: str) -> bool:
    return command.split()[0] in ELSEWHERE or any(re.search(f"^{rule}", command) for rule in CANNOT_RUN)


ALL = [(page, command) for page in PAGES for command in commands(page)]


def test_every_rule_is_about_a_command() -> None:
    idle = [rule for rule in CANNOT_RUN if not any(re.search(f"^{rule}", command) for _, command in ALL)]
    assert not idle
    assert sum(not parsed_only(command) for _, command in ALL) >= 40


# --- commands that run -----------------------------------------------------------------------------------------------


def _project(folder: Path) -> None:
    make_project(folder, n=80, name="mytask")


def _readme(folder: Path) -> None:
    """The newcomer's path on a seventh of its pairs."""
    rows = (ROOT / "docs" / "example" / "pairs.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "docs" / "example").mkdir(parents=True)
    (folder / "docs" / "example" / "pairs.jsonl").write_text("".join(rows[:80]))
    (folder / "pairs.jsonl").write_text("".join(rows[:80]))


def _gating(folder: Path) -> None:
    _project(folder)
    (folder / "gate.yaml").write_text(_blocks("gating-in-ci", "yaml")[0])


def _other_harnesses(folder: Path) -> None:
    logs = ROOT / "tests" / "logs"
    for arm in ("base", "tuned"):
        shutil.copytree(logs / "lm-eval" / arm, folder / "out" / arm / "model")
    shutil.copytree(logs, folder / "logs")


STAGES: dict[str, Callable[[Path], None]] = {
    "README": _readme,
    "suite-in-15-minutes": _readme,
    "gating-in-ci": _gating,
    "comparing-other-harnesses": _other_harnesses,
}


def _run(folder: Path, lines: list[str]) -> None:
    """Runs commands in one shell, which stops at the first that fails and names it."""
    tools = folder / ".tools"
    tools.mkdir(exist_ok=True)
    for name, call in (("harness", "-m harness"), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable} {call} "$@"\n')
        (tools / name).chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if key not in ("CI", "GITHUB_ACTIONS")}
    environment = {**kept, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    script = "\n".join(["set -eo pipefail", "trap 'echo \"FAILED: $BASH_COMMAND\" >&2' ERR", *lines])
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr, done.stderr[-3000:]


@pytest.mark.parametrize("page", [page for page in PAGES if not all(map(parsed_only, commands(page)))])
def test_the_commands_of_a_page_run_in_order(page: str, tmp_path: Path) -> None:
    STAGES.get(page, _project)(tmp_path)
    lines = [command for command in commands(page) if not parsed_only(command)]
    if page == "README":  # so few pairs may leave the gate undecided
        assert lines[-1].startswith("harness gate ")
        lines[-1] = f"{lines[-1].split('#')[0]} || test $? -eq 3"
    _run(tmp_path, lines)


# --- commands that cannot run here -----------------------------------------------------------------------------------


def _calls(command: str) -> Iterator[list[str]]:
    """The arguments of every `harness` in a command line, and of every other program with its name."""
    words = shlex.split(command, comments=True)
    for together, part in itertools.groupby(words, lambda word: word in ("&&", "||", "|", ";")):
        if not together:
            yield list(part)


def _parse(arguments: list[str]) -> None:
    """Takes arguments as `harness` does, without doing it. Raises click's UsageError."""
    command: click.Command = cli
    context = command.make_context("harness", list(arguments), resilient_parsing=False)
    while isinstance(command, click.Group):
        name, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert inner is not None
        command, context = inner, inner.make_context(name, rest, parent=context)


@pytest.mark.parametrize("command", sorted({command for _, command in ALL if parsed_only(command)}))
def test_a_command_that_cannot_run_here_has_options_that_exist(command: str) -> None:
    known = ""
    for call in _calls(command):
        if "harness" in call:
            _parse(call[call.index("harness") + 1 :])
        elif call[0] == "lm_eval":
            asked = [sys.executable, "-m", "lm_eval", "run", "--help"]
            known = known or subprocess.run(asked, capture_output=True, text=True, check=True).stdout
            assert [word for word in call if word.startswith("--") and word not in known] == []
        elif call[:2] == ["pip", "install"]:
            extras = set(re.findall(r"\.\[([\w,-]+)\]", " ".join(call)))
            assert extras <= set(_pyproject()["project"]["optional-dependencies"])
        else:
            assert call[0] in ELSEWHERE


def test_the_parser_of_commands_refuses_what_harness_refuses() -> None:
    _parse(["baseline", "bless", "runs/a:b", "--reason", "x"])
    for wrong in (["run", "--sute", "sql"], ["rnu"], ["baseline", "bles", "runs/a:b"], ["gate"]):
        with pytest.raises(click.UsageError):
            _parse(wrong)


def _pyproject() -> dict[str, dict[str, dict[str, list[str]]]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


# --- what else the pages say -----------------------------------------------------------------------------------------


def _options(command: click.Command) -> set[str]:
    mine = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    return (
        mine.union(*(_options(one) for one in command.commands.values())) if isinstance(command, click.Group) else mine
    )


@pytest.mark.parametrize("page", PAGES)
def test_options_in_the_text_of_a_page_exist(page: str) -> None:
    quoted = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", PAGES[page], flags=re.DOTALL | re.MULTILINE))
    named = {word for text in quoted for word in re.findall(r"(?<!\S)--[a-z][\w-]*", text) if "git " not in text}
    foreign = {word for text in quoted if text.split()[0] in ("pip", *ELSEWHERE) for word in text.split()}
    assert named - foreign - FOREIGN <= _options(cli)


def test_the_readme_lists_every_command() -> None:
    (block,) = re.findall(r"^## Commands\n\n```\n(.*?)```", PAGES["README"], re.DOTALL | re.MULTILINE)
    assert {line.split()[1] for line in block.splitlines()} == set(cli.commands)


def test_links_between_the_pages_lead_somewhere() -> None:
    for page, text in PAGES.items():
        folder = ROOT if page == "README" else ROOT / "docs"
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (folder / target).exists(), f"{page}: {target}"


def test_the_yaml_of_the_pages_is_read(tmp_path: Path) -> None:
    for page in PAGES:
        for body in _blocks(page, "yaml"):
            assert yaml.safe_load(body) is not None
    models = [body for body in _blocks("README", "yaml") if body.startswith("models:") and "adapters:" in body]
    (tmp_path / "models.yaml").write_text(models[0])
    assert set(read_config(tmp_path / "models.yaml").arms) == {"base", "prompted", "lora"}


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE)


# --- figures ---------------------------------------------------------------------------------------------------------


def test_the_demo_quoted_on_choosing_is_the_committed_one() -> None:
    filled = runpy.run_path(str(ROOT / "reports" / "rebuild.py"))["quote"](PAGES["choosing"])
    assert filled == PAGES["choosing"], "run: python reports/rebuild.py"


def test_every_other_figure_of_choosing_stands_in_the_page_it_links_to() -> None:
    """Whoever measures anew changes the source; this says which sentences have to follow."""
    own = re.sub(r"<!-- quoted.*?<!-- end -->", "", PAGES["choosing"], flags=re.DOTALL)
    for part in own.split("\n\n"):
        figures = re.findall(r"\d[\d,]*(?:\.\d+)?(?= %| steps)", part)
        links = [ROOT / "docs" / link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", part)]
        said = " ".join(path.read_text("utf-8") for path in links if path.suffix == ".md")
        for figure in figures:
            share = f"{float(figure.replace(',', '')) / 100:.3f}"
            assert re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d])", said) or share in said, f"{figure}: {part}"


def test_the_example_is_what_its_program_writes() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "example" / "make_pairs.py"))["make"]()
    file = ROOT / "docs" / "example" / "pairs.jsonl"
    assert file.read_text("utf-8") == "".join(json.dumps(pair) + "\n" for pair in made)


# --- docs/gating-in-ci.md: its pipelines -----------------------------------------------------------------------------


def test_the_commands_before_a_merge_run(tmp_path: Path) -> None:
    _gating(tmp_path)
    _policy, github, gitlab = (yaml.safe_load(body) for body in _blocks("gating-in-ci", "yaml"))
    _run(tmp_path, commands("gating-in-ci")[:2])  # the baseline
    steps = [step["run"] for step in github["jobs"]["gate"]["steps"] if "run" in step]
    for lines in (steps, gitlab["gate"]["script"]):
        assert lines[0] == "python -m pip install ./llm-decision-harness"
        _run(tmp_path, lines[1:])
    written = gitlab["gate"]["artifacts"]
    for name in (*written["paths"], *written["reports"].values()):
        assert (tmp_path / name).is_file()


def test_the_action_has_the_inputs_that_the_page_gives_it() -> None:
    steps = yaml.safe_load(_blocks("gating-in-ci", "yaml")[1])["jobs"]["gate"]["steps"]
    (given,) = [step["with"] for step in steps if "candidate" in step.get("with", {})]
    inputs = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))["inputs"]
    assert set(given) <= set(inputs)
    assert all(isinstance(value, str) for value in given.values())


# --- the examples in the help of the verbs that read runs ------------------------------------------------------------


def _examples(verb: str) -> list[str]:
    """The commands in a verb's help."""
    text = (cli.commands[verb].help or "").partition("Example")[2]
    return [line.partition("harness ")[2] for line in text.splitlines() if "harness " in line]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    make_project(folder, n=80)
    _run(folder, ["harness run -s sums --out runs/new", "harness baseline bless runs/new:lora --reason first"])
    for name in ("old", "sql", "may", "june", "patients"):
        shutil.copytree(folder / "runs/new", folder / "runs" / name)
    (folder / "gate.yaml").write_text("baseline: runs/old:lora\ntiers: {full: {suites: [sums]}}\n")
    return folder


@pytest.mark.parametrize("verb", ["compare", "report", "gate"])
def test_every_command_in_the_help_of_a_verb_that_reads_runs_works(runs: Path, verb: str) -> None:
    lines = [f"harness {line}".replace("-s sql", "-s sums") for line in _examples(verb)]
    assert len(lines) >= 3
    _run(runs, lines)
