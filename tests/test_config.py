from __future__ import annotations

from pathlib import Path

import pytest

from harness.config import read_config
from harness.demo import demo_config
from harness.errors import ConfigError

GOOD = """
models:
  small: {path: embedded}
  big: {path: some/model, engine: {dtype: bfloat16}}
adapters:
  tuned:
    model: small
    train: {suite: sql, learning_rate: 2.0e-4}
arms:
  base: {model: small}
  prompted: {model: small, system: true, shots: 2}
  lora: {model: small, adapter: tuned}
"""


def _read(tmp_path: Path, text: str) -> object:
    (tmp_path / "models.yaml").write_text(text)
    return read_config(tmp_path / "models.yaml")


def test_a_good_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(GOOD)
    config = read_config(tmp_path / "models.yaml")
    assert config.arms["prompted"].shots == 2
    assert config.arms["prompted"].system
    assert config.adapters["tuned"].train is not None
    assert config.adapters["tuned"].train.suites == ("sql",)
    assert config.adapters["tuned"].path == str(tmp_path / "adapters" / "tuned")


def test_an_arm_may_be_given_gold_passages(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(GOOD.replace("shots: 2", "retrieve: gold"))
    assert read_config(tmp_path / "models.yaml").arms["prompted"].retrieve == "gold"


def test_the_shipped_models_yaml_is_read() -> None:
    assert {"base", "prompted", "rag", "lora", "lora+rag"} <= set(read_config(demo_config()).arms)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("shots: 2", "shot: 2", "arms.prompted: unknown key 'shot'. Did you mean 'shots'?"),
        ("shots: 2", "shots: two", "arms.prompted.shots: must be a whole number, not text 'two'."),
        ("shots: 2", "shots: -1", "arms.prompted.shots: must be between 0 and 100, not -1."),
        ("shots: 2", "shots: true", "must be a whole number"),
        ("shots: 2", "retrieve: golden", "arms.prompted.retrieve: must be a whole number, not text 'golden'."),
        ("system: true", "system: 1", "arms.prompted.system: must be true, false, text or {file: PATH}, not 1."),
        ("system: true", "system: ''", "arms.prompted.system: the text is empty."),
        ("system: true", "system: {file: none.txt}", "none.txt: cannot be read (No such file or directory)."),
        ("system: true", "system: {path: none.txt}", "arms.prompted.system: unknown key 'path'."),
        ("shots: 2", "shots: []", "arms.prompted.shots: is an empty list."),
        ("shots: 2", "shots: [2, two]", "arms.prompted.shots: must be a whole number, not text 'two'."),
        ("shots: 2", "shots: [0, 101]", "arms.prompted.shots: must be between 0 and 100, not 101."),
        ("shots: 2", "shots: [2, null]", "'shots' is missing"),
        ("shots: 2", "shots: [2, 4, 2]", "arms.prompted: a list names a value twice."),
        (
            "shots: 2",
            "shots: [0, 1, 2, 3, 4], retrieve: [0, 1, 2, 3, 4]",
            "make 25 combinations, at most 24 are tried.",
        ),
        ("shots: 2", "retrieve: [1, gold]", "arms.prompted.retrieve: 'gold' is a ceiling, not a choice."),
        ("2.0e-4", "2e-4", "YAML reads 2e-4 as text; write it as 0.0002"),
        ("adapter: tuned", "adapter: tunned", "no adapter 'tunned'. Did you mean 'tuned'?"),
        ("lora: {model: small,", "lora: {model: big,", "belongs to model 'small', not 'big'"),
        ("base: {model: small}", "base: {model: smal}", "no model 'smal'. Did you mean 'small'?"),
        ("{model: small}", "{}", "'model' is missing"),
        ("train: {suite: sql, learning_rate: 2.0e-4}", "path: 3", "must be text"),
        ("train: {suite: sql, learning_rate: 2.0e-4}", "{}", "models.yaml"),
        ("learning_rate: 2.0e-4", "quantize: int8", "tuned.train.quantize: no type 'int8' of four bits. Write nf4"),
        ("suite: sql, ", "", "'suite' is missing"),
        ("  small: {path: embedded}", "  small: embedded", "models.small: must be a mapping, not text 'embedded'"),
        ("models:", "model:", "unknown key 'model'. Did you mean 'models'?"),
        ("  base:", "  ../base:", "is not a name"),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        _read(tmp_path, GOOD.replace(old, new, 1))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "\tmodels: 1", "- 1\n- 2", "", "7", "models: {a: {path: x}}"])
def test_a_file_of_another_kind_is_one_clear_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"models\.yaml") as caught:
        _read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="harness init"):
        read_config(tmp_path / "models.yaml")
