"""harness export: the folder answers as the adapter did, and the command names what it must."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_models import make_adapter, make_model

from harness.cli import main
from harness.config import read_config
from harness.data import AdapterRef, Model, Request, Sampling
from harness.digests import adapter_digest
from harness.engines import open_engine
from harness.export import CARD, export_adapter

QUESTION = "What is the capital?"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    base = make_model(folder / "base")
    make_adapter(base, folder / "adapters" / "voice", seed=1, rank=12, strength=0.2)
    (folder / "models.yaml").write_text(
        "models: {tiny: {path: ./base, engine: {max_model_len: 512}}}\n"
        "adapters:\n  voice: {model: tiny, path: adapters/voice}\n"
        "  later: {model: tiny, train: {suite: sums}}\n"
        "arms: {base: {model: tiny}}\n"
    )
    return folder


def _answer(path: Path, adapter: Path | None = None) -> str:
    ref = AdapterRef("a", str(adapter), adapter_digest(adapter)) if adapter else None
    engine = open_engine(Model("m", str(path)), (ref,) if ref else (), "transformers")
    ids = tuple(engine.tokenizer.encode(QUESTION, add_special_tokens=False))
    ((_, said),) = engine.generate([Request("1", ids, Sampling(max_tokens=24), ref)])
    engine.close()
    return said.text


def test_merged_model_answers_as_base_and_adapter_did(project: Path, tmp_path: Path) -> None:
    config = read_config(project / "models.yaml")
    done = export_adapter(config, config.adapters["voice"], tmp_path / "out", merged=True, root=project)
    assert done.moved is not None
    assert done.moved < 1e-3
    beside = _answer(project / "base", project / "adapters" / "voice")
    assert _answer(tmp_path / "out") == beside
    assert _answer(project / "base") != beside
    assert (
        done.command
        == f"vllm serve {tmp_path / 'out'} --served-model-name voice --max-model-len 512 --generation-config vllm"
    )
    assert not (tmp_path / "out" / "adapter_config.json").exists()


def test_bare_adapter_answers_the_same_and_names_its_base(project: Path, tmp_path: Path) -> None:
    config = read_config(project / "models.yaml")
    done = export_adapter(config, config.adapters["voice"], tmp_path / "out", merged=False, root=project)
    base = str(project / "base")
    lora = f"--enable-lora --max-lora-rank 16 --lora-modules voice={tmp_path / 'out'}"
    assert done.command == f"vllm serve {base} {lora} --max-model-len 512 --generation-config vllm"
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["base_model_name_or_path"] == base
    assert _answer(project / "base", tmp_path / "out") == _answer(project / "base", project / "adapters" / "voice")
    card = json.loads((tmp_path / "out" / CARD).read_text())
    assert (card["merged"], card["command"]) == (False, done.command)


def test_a_rank_that_no_server_takes_is_exported_merged_alone(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "large"
    make_adapter(project / "base", folder, seed=1, rank=513, modules=("q_proj",))
    config = tmp_path / "models.yaml"
    config.write_text(
        f"models: {{tiny: {{path: {project / 'base'}}}}}\nadapters: {{large: {{model: tiny, path: {folder}}}}}\n"
        "arms: {large: {model: tiny, adapter: large}}\n"
    )
    capsys.readouterr()  # what making the adapter wrote
    asked = ["export", "large", "--config", str(config), "--out", str(tmp_path / "out")]
    assert main(asked) == 2
    error = capsys.readouterr().err.strip()
    assert "rank 513 is above vLLM's largest, 512" in error
    assert "--merged" in error
    assert "\n" not in error
    assert not (tmp_path / "out").exists()
    assert main([*asked, "--merged"]) == 0
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_command_line_prints_the_command_last(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "served"
    assert main(["export", "voice", "--config", str(project / "models.yaml"), "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("vllm serve ")
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


@pytest.mark.parametrize(
    ("name", "out", "said"),
    [
        ("voce", "x", "no adapter 'voce'. Did you mean 'voice'?"),
        ("later", "x", "Train it with: harness train later"),
        ("voice", ".", "is there already"),
    ],
)
def test_bad_input_is_one_line(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, out: str, said: str
) -> None:
    assert main(["export", name, "--config", str(project / "models.yaml"), "--out", str(tmp_path / out)]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert list(tmp_path.iterdir()) == []
