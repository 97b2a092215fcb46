"""Does a suite's score mean something? Its validity certificate, computed on the whole test split.

A suite may have a `certificate.py` with a function

    answers(sample) -> {"paraphrase": [right answers in other words], "corrupted": [answers with one defect each]}

The primary scorer must give every target 1, at least 95 % of paraphrases 1, at least 97 % of corrupted answers less,
and every answer that is none (empty, a refusal, an empty fence, the prompt itself) less.
A suite with a style classifier (style.json, see harness/style_training.py) must also show an AUROC of at least 0.90 on
writers that the classifier has not seen, for the very model it scores with.
What a scorer accepts wrongly moves every comparison; a report that shows no such figures says "score not validated".
The result is kept as certificate.json in the suite's folder and holds for that digest of the suite alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import __version__, prompt, scorers
from harness.data import Arm, Completion, Sample, Scorer, Suite
from harness.errors import SuiteError
from harness.stats.paired import wilson

REFUSAL = "I'm sorry, but I cannot help with that."
NON_ANSWERS = {"an empty answer": "", "a refusal": REFUSAL, "an empty code fence": "```\n```"}
FILE, RESULT = "certificate.py", "certificate.json"
LEAST = {"gold": 1.0, "paraphrase": 0.95, "corrupted": 0.97, "non-answer": 1.0}
"""The share of each kind that must be scored as it should be."""
MOST_EXAMPLES = 20
STYLE, MODEL, LEAST_AUROC = "style.json", "style.npz", 0.90

Answers = Callable[[Sample], Mapping[str, Sequence[str]]]


@dataclass
class Tally:
    """How many answers of a kind there were, how many were scored as they should be, and some that were not."""

    n: int = 0
    held: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """0..1."""
        return self.held / self.n if self.n else 0.0

    @property
    def accepted(self) -> tuple[float, float, float] | None:
        """For wrong answers: the share taken for right, 0..1, and its 95 % interval (Wilson). None without any."""
        if not self.n:
            return None
        found = wilson(self.n - self.held, self.n)
        return (self.n - self.held) / self.n, found.low, found.high


@dataclass(frozen=True)
class Certificate:
    """What the primary scorer made of answers whose worth is known."""

    suite: str
    digest: str
    tallies: Mapping[str, Tally]
    style: Mapping[str, float] | None = None
    """Of a style classifier: "auroc" on unseen writers, "auroc_worst", and its baselines."""

    @property
    def valid(self) -> bool:
        """Every kind was tried and scored as it should be, and a style classifier knows the style of unseen writers."""
        kinds = all(tally.n and tally.share >= LEAST[kind] for kind, tally in self.tallies.items())
        return kinds and (self.style is None or self.style["auroc"] >= LEAST_AUROC)

    def as_dict(self) -> dict[str, Any]:
        """What certificate.json holds."""
        kinds: dict[str, dict[str, Any]] = {
            kind: {"n": tally.n, "held": tally.held} for kind, tally in self.tallies.items()
        }
        if found := self.tallies["corrupted"].accepted:
            rate, low, high = (round(value, 6) for value in found)
            kinds["corrupted"]["false_accepts"] = {"rate": rate, "low": low, "high": high, "method": "Wilson, 95 %"}
        style = {"style": dict(self.style)} if self.style else {}
        about = {"suite": self.suite, "digest": self.digest, "harness": __version__, "valid": self.valid}
        return {**about, **kinds, **style}

    def as_lines(self) -> Iterator[str]:
        """Lines for a terminal."""
        for kind, tally in self.tallies.items():
            verb = "scored 1" if kind in ("gold", "paraphrase") else "scored less than 1"
            mark = "ok  " if tally.n and tally.share >= LEAST[kind] else "FAIL"
            said = f"{tally.held} of {tally.n} {verb} (at least {100 * LEAST[kind]:.0f} %)" if tally.n else "none given"
            if kind == "corrupted" and tally.accepted:
                rate, low, high = (f"{100 * value:.2f}" for value in tally.accepted)
                said += f"; residual false-accept rate {rate} % (95 % CI {low} to {high} %, n={tally.n})"
            yield f"{mark} {self.suite}: {kind}: {said}"
            yield from (f"     {example}" for example in tally.wrong[:MOST_EXAMPLES])
        if self.style:
            mark = "ok  " if self.style["auroc"] >= LEAST_AUROC else "FAIL"
            known = f"AUROC {self.style['auroc']:.3f} on unseen writers (at least {LEAST_AUROC:.2f}), "
            rivals = f"length alone {self.style['length_only']:.3f}, marker words {self.style['marker_words']:.3f}"
            yield f"{mark} {self.suite}: style classifier: {known}{rivals}"
        yield f"{self.suite}: " + ("score validated" if self.valid else "score not validated")


def certify(suite: Suite) -> Certificate:
    """Scores every known answer to every test sample with the primary scorer. SuiteError: a bad certificate.py."""
    scorer = scorers.load(next(spec for spec in suite.scorers if spec.primary), suite.path)
    given = _given(suite)
    tallies = {kind: Tally() for kind in LEAST}
    samples = enumerate(suite.test)
    asked = [(kind, sample, text) for i, sample in samples for kind, text in _answers(suite, i, given)]
    with ThreadPoolExecutor(2) as threads:
        values = threads.map(lambda one: score_of(scorer, one[1], one[2]), asked)
        for (kind, sample, text), value in zip(asked, values, strict=True):
            held = value == 1 if kind in ("gold", "paraphrase") else value < 1
            tally = tallies[kind]
            tally.n += 1
            tally.held += held
            if not held:
                tally.wrong.append(f"{sample.id}: {value:g} for {' '.join(text.split())[:160]!r}")
    return Certificate(suite.name, suite.digest, tallies, _style(Path(suite.path)))


def _style(folder: Path) -> dict[str, float] | None:
    """What style.json says of the suite's classifier. SuiteError: no such figures, or those of another model."""
    if not (folder / MODEL).is_file():
        return None
    again = f"Fit it again with: python -m harness.style_training {folder}"
    try:
        about = json.loads((folder / STYLE).read_text("utf-8"))
        found = {key: float(about[key]) for key in ("auroc", "auroc_worst", "calibration_error")}
        found |= {key: float(value) for key, value in about["baselines"].items()}
        model = str(about["model"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise SuiteError(f"{folder / STYLE}: no figures of a style classifier. {again}") from None
    if model != hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()[:16]:
        raise SuiteError(f"{folder / STYLE}: these figures are of another {MODEL}. {again}")
    return found


def keep(certificate: Certificate, folder: Path) -> None:
    """Writes certificate.json."""
    (folder / RESULT).write_text(json.dumps(certificate.as_dict(), indent=1) + "\n", "utf-8")


def kept(suite: Suite) -> dict[str, Any] | None:
    """The suite's certificate, if it has one for the suite as it is now."""
    try:
        found: dict[str, Any] = json.loads(Path(suite.path, RESULT).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("digest") == suite.digest else None


def score_of(scorer: Scorer, sample: Sample, text: str) -> float:
    """What a scorer gives a text; for a multiple choice, the choice that has this text."""
    logprobs = tuple(0.0 if choice == text else -1.0 for choice in sample.choices) or None
    return scorer(
        sample, Completion(text, finish_reason="choice" if logprobs else "stop", choice_logprobs=logprobs)
    ).value


def text_of(suite: Suite, sample: Sample) -> str:
    """The prompt of a sample as one text."""
    return "\n".join(message["content"] for message in prompt.render(suite, Arm("certify", "none"), sample))


def _answers(suite: Suite, index: int, given: Answers | None) -> Iterator[tuple[str, str]]:
    sample = suite.test[index]
    yield "gold", sample.target
    own = given(sample) if given else {}
    for kind in ("paraphrase", "corrupted"):
        for text in own.get(kind, ()):
            if text != sample.target:
                yield kind, text
    for text in (*NON_ANSWERS.values(), text_of(suite, sample)):
        if text.strip() != sample.target.strip():
            yield "non-answer", text


def _given(suite: Suite) -> Answers | None:
    if not Path(suite.path, FILE).is_file():
        return None
    module = scorers.from_file(f"{FILE}:answers", suite.path, f"{suite.path}/{FILE}")

    def answers(sample: Sample) -> Mapping[str, Sequence[str]]:
        found = module(sample)
        if not isinstance(found, Mapping) or not set(found) <= {"paraphrase", "corrupted"}:
            raise SuiteError(f"{suite.path}/{FILE}: answers({sample.id}) must give paraphrase and corrupted, as lists.")
        return found

    return answers
