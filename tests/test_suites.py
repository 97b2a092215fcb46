"""The laws, over every suite that ships and one that somebody else wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from third_party import write_suite

from harness.certify import kept
from harness.check import check_suite
from harness.data import Completion, Score
from harness.scorers import load
from harness.suite import read_suite, shipped

SUITES = sorted(path.parent.name for path in shipped().glob("*/suite.yaml"))
OTHERS = "a third party's"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Suite -> its folder; one is somebody else's, outside the checkout."""
    return {**{name: shipped() / name for name in SUITES}, OTHERS: write_suite(tmp_path_factory.mktemp("theirs"))}


def test_the_suites_are_there() -> None:
    assert {"sql", "palindrome", "handbook", "forgetting"} <= set(SUITES)


@pytest.mark.parametrize("name", [*SUITES, OTHERS])
def test_suite_keeps_the_laws(name: str, folders: dict[str, Path]) -> None:
    broken = [finding for finding in check_suite(read_suite(folders[name])) if finding.level == "fail"]
    assert not broken, "\n".join(f"{finding.law}: {finding.message}" for finding in broken[:20])


def test_a_third_partys_suite_that_breaks_laws_is_told(tmp_path: Path) -> None:
    folder = write_suite(tmp_path / "capitals")
    (folder / "dev.csv").write_text((folder / "test.csv").read_text("utf-8-sig").replace("land-", "more-"), "utf-8")
    scorer = folder / "scorer.py"
    scorer.write_text(scorer.read_text("utf-8").replace("float(right)", "float('I' in said)"), "utf-8")
    broken = {finding.law for finding in check_suite(read_suite(folder)) if finding.level == "fail"}
    assert broken == {"the target scores 1", "a non-answer scores 0", "splits share nothing"}


@pytest.mark.parametrize("name", SUITES)
def test_suite_is_large_enough(name: str) -> None:
    suite = read_suite(shipped() / name)
    assert len(suite.test) >= 200
    assert len(suite.dev) >= 50
    assert len(suite.train) >= 300
    assert len(suite.shots) >= 4
    assert suite.system
    assert (Path(suite.path) / "README.md").is_file()


def test_handbook_has_a_corpus() -> None:
    assert len(read_suite(shipped() / "handbook").corpus) >= 150


# --- no text makes a scorer raise, and none of these is an answer

HOSTILE = {
    "empty": "",
    "blank": " \n\t\r\n",
    "1 MB of one letter": "a" * 1_000_000,
    "1 MB of words": "no idea what this is about " * 37_000,
    "1 MB of lines": "\n" * 1_000_000,
    "1 MB of brackets": "(" * 500_000 + "[{" * 250_000,
    "binary": bytes(range(256)).decode("latin-1") * 40,
    "NUL and half a surrogate pair": "\x00\ud800\udfff\x1b[31m",
    "another language": "Je ne sais pas répondre à cette question, désolé. 分かりません。 لا أعرف",
    "thinking only": "<think>The user wants an answer. Let me see.</think>",
    "thinking that never ends": "<think>First I would look at the question again and again",
    "an empty fence of another kind": "~~~yaml\n~~~",
    "a fence in a fence": "````markdown\n```\n```\n````",
    "a fence that never ends": "```python\n",
    "markup": "<html><body><script>alert(1)</script></body></html>",
    "direction marks": "\u202e\u2066abc\u2069\u202c",
    "a template": "{{ 7 * 7 }} ${jndi:x} %s %n {0}",
}


@pytest.mark.parametrize("name", [*SUITES, OTHERS])
def test_no_text_makes_a_scorer_raise_and_none_of_these_scores(name: str, folders: dict[str, Path]) -> None:
    suite = read_suite(folders[name])
    loaded = [(spec, load(spec, suite.path)) for spec in suite.scorers]
    step = max(1, len(suite.test) // 8)
    for sample in suite.test[::step]:
        for what, text in HOSTILE.items():
            for spec, scorer in loaded:
                score = scorer(sample, Completion(text))
                assert isinstance(score, Score), f"{sample.id}: {spec.name}: {what}"
                assert 0 <= score.value <= 1, f"{sample.id}: {spec.name}: {what}"
                assert score.value == 1 or score.explanation, f"{sample.id}: {spec.name}: {what}: no explanation"
                assert len(score.explanation) < 5_000, f"{sample.id}: {spec.name}: {what}: a long explanation"
                if spec.primary:
                    assert score.value < 1, f"{sample.id}: {spec.name}: {what} passes"


@pytest.mark.parametrize("name", [*SUITES, OTHERS])
def test_two_answers_are_not_one(name: str, folders: dict[str, Path]) -> None:
    """The target and then another sample's: the primary scorer comes to a defined score and says why."""
    suite = read_suite(folders[name])
    scorer = load(next(spec for spec in suite.scorers if spec.primary), suite.path)
    for sample, other in zip(suite.test[::40], suite.test[20::40], strict=False):
        score = scorer(sample, Completion(f"{sample.target}\n\n{other.target}"))
        assert 0 <= score.value <= 1
        assert score.value == 1 or score.explanation


def test_every_suite_has_a_certificate_for_what_it_is_now() -> None:
    for name in SUITES:
        card = kept(read_suite(shipped() / name))
        assert card is not None, f"{name}: no certificate of this version; harness check {name} --certify"
        assert card["valid"], name
