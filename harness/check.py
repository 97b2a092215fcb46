"""Is everything in order before anything is trained? The laws every suite keeps, leakage, token budgets, power."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from harness import prompt, retrieve, scorers
from harness.certify import NON_ANSWERS, certify, keep, score_of, text_of
from harness.config import read_config
from harness.constrain import allows, constraint_of
from harness.data import Arm, Config, Sample, Scorer, Suite
from harness.digests import resolve_model
from harness.errors import SuiteError
from harness.samples import SPLITS
from harness.suite import all_suites, read_suite

GRAM = 13
FULL, NONE = 0.9, 0.1
PROBED = 60
SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """One thing found. level: "fail" breaks a law, "note" is worth knowing. samples: all of many it is about."""

    suite: str
    level: str
    law: str
    message: str
    samples: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckReport:
    """What was checked (a line each) and what was found."""

    checked: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """No law is broken."""
        return not any(finding.level == "fail" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {
            "ok": self.ok,
            "checked": list(self.checked),
            "findings": [asdict(finding) for finding in self.findings],
        }

    def as_text(self) -> str:
        """Lines for a terminal; of a law that one suite breaks often, the first SHOWN."""
        found = []
        alike = Counter((one.suite, one.level, one.law) for one in self.findings)
        told = Counter[tuple[str, str, str]]()
        for one in self.findings:
            kind = one.suite, one.level, one.law
            told[kind] += 1
            if told[kind] <= SHOWN:
                found.append(f"{one.level.upper()} {one.suite}: {one.law}: {one.message}")
            elif told[kind] == SHOWN + 1:
                found.append(f"     {one.suite}: and {alike[kind] - SHOWN} more of this law; --json lists them")
        return "\n".join([*self.checked, *found, "in order" if self.ok else "not in order: fix the lines marked FAIL"])


def check_all(names: Sequence[str], config_path: Path, certificates: bool = False) -> CheckReport:
    """Checks models.yaml (when it is there) and the named suites, or all of them.

    certificates: also works out each suite's validity certificate and writes it into its folder.
    """
    config = read_config(config_path) if config_path.is_file() or not names else None
    root = config_path.parent
    checked, findings = [], []
    if config:
        checked.append(
            f"{config_path}: {len(config.models)} models, {len(config.adapters)} adapters, {len(config.arms)} arms"
        )
    for name in names or all_suites(root):
        suite = read_suite(name, root)
        size = f"{len(suite.test)} test, {len(suite.dev)} dev, {len(suite.train)} train, {len(suite.shots)} shots"
        size += f", {len(suite.corpus)} passages" if suite.corpus else ""
        checked.append(f"{suite.name} v{suite.version} ({suite.digest}): {size}")
        findings += check_suite(suite)
        findings += [*choosable(suite, config), *token_budget(suite, config, root)] if config else []
        if certificates:
            certificate = certify(suite)
            checked += certificate.as_lines()
            if not certificate.valid:
                findings.append(Finding(suite.name, "fail", "the score is validated", "see the lines above"))
            keep(certificate, Path(suite.path))
    return CheckReport(tuple(checked), tuple(findings))


Law = Callable[[Suite], Iterator[tuple[str, str, str]]]
"""(level, law, message) of each place where a suite breaks it."""


def check_suite(suite: Suite) -> list[Finding]:
    """The laws, on every sample where that is cheap and on an even spread of them where a scorer has to run."""
    laws: list[Callable[[Suite], Iterator[tuple[str, str, str]]]] = [
        scoring,
        writable,
        no_answer_in_prompt,
        no_leak,
        size,
        named,
    ]
    return [Finding(suite.name, level, law, message) for check in laws for level, law, message in check(suite)]


def scoring(suite: Suite) -> Iterator[tuple[str, str, str]]:
    """The target scores 1 on every scorer (0.9 where graded); non-answers and an echo of the prompt score 0."""
    loaded = {spec.name: scorers.load(spec, suite.path) for spec in suite.scorers}
    for spec in suite.graders:
        scorers.load_grader(spec, suite.path)
    samples = (*suite.test, *suite.dev, *suite.shots, *suite.train)
    with ThreadPoolExecutor(2) as pool:
        for spec in suite.scorers:
            scorer = loaded[spec.name]
            values = pool.map(partial(_of_target, scorer), samples)
            for sample, value in zip(samples, values, strict=True):
                if value < FULL:
                    yield "fail", "the target scores 1", f"{sample.id}: {spec.name} gives its own target {value:g}"
        primary = next(loaded[spec.name] for spec in suite.scorers if spec.primary)
        probed = suite.test[:: max(1, len(suite.test) // PROBED)]
        for sample in probed:
            answers = {**NON_ANSWERS, "an echo of the prompt": text_of(suite, sample)}
            for name, text in answers.items():
                if sample.target.strip() == text.strip():
                    continue
                value = score_of(primary, sample, text)
                if value > NONE:
                    yield "fail", "a non-answer scores 0", f"{sample.id}: {name} scores {value:g}"


def _of_target(scorer: Scorer, sample: Sample) -> float:
    return score_of(scorer, sample, sample.target)


def writable(suite: Suite) -> Iterator[tuple[str, str, str]]:
    """What `constrain` allows includes the target."""
    for sample in (*suite.test, *suite.dev) if suite.constraints else ():
        constraint = constraint_of(suite.constraints, sample)
        if constraint and not allows(constraint, sample.target):
            yield "fail", "the target may be written", f"{sample.id}: its {constraint.kind} does not allow its target"


def no_answer_in_prompt(suite: Suite) -> Iterator[tuple[str, str, str]]:
    """No rendered prompt gives its target away. Exempt: choices, and metadata `open: true` (reading, copying)."""
    others = [{"role": "system", "content": system} for system in suite.systems.values()]
    for sample in suite.test:
        text = [*prompt.render(suite, Arm("check", "none", system=True), sample), *others]
        target = sample.target.strip()
        if sample.choices or sample.metadata.get("open") or len(target) < 4:
            continue
        pattern = rf"(?<!\w){re.escape(target)}(?!\w)"
        if any(re.search(pattern, message["content"], re.IGNORECASE) for message in text):
            yield "fail", "no prompt contains its target", f"{sample.id}: the prompt contains '{target[:60]}'"


def question(sample: Sample) -> str:
    """What two samples must not share: metadata `question` if given, else the input."""
    text = sample.input if isinstance(sample.input, str) else "\n".join(turn["content"] for turn in sample.input)
    return str(sample.metadata.get("question") or text)


def grams(tokens: Sequence[str], size: int = GRAM) -> set[str]:
    """Word n-grams, by default 13-grams; a shorter text is one gram.

    >>> grams(["how", "many", "days"])
    {'how many days'}
    """
    return {" ".join(tokens[i : i + size]) for i in range(max(1, len(tokens) - size + 1))}


def telling_grams(texts: Sequence[str]) -> list[set[str]]:
    """What is each text's own: its 13-grams of normalised words, without the fixed wording of the task.

    Fixed wording is the beginning and the end that all share, and any 13-gram in over a tenth (and over 5) of them.
    """
    words = [re.findall(r"\w+", text.lower()) for text in texts]
    start = _shared_start(words)
    end = _shared_start([tokens[start:][::-1] for tokens in words])
    found = [grams(tokens[start : len(tokens) - end]) for tokens in words]
    counts = Counter(gram for mine in found for gram in mine)
    fixed = {gram for gram, count in counts.items() if count > max(5, len(texts) // 10)}
    return [mine - fixed for mine in found]


def _shared_start(texts: Sequence[Sequence[str]]) -> int:
    """How many first words all texts have in common."""
    columns = zip(*texts, strict=False)
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))


def no_leak(suite: Suite) -> Iterator[tuple[str, str, str]]:
    """Splits share no question and no telling 13-gram of words."""
    items = [(split, sample) for split in ("test", "dev", "train", "shots") for sample in getattr(suite, split)]
    seen: dict[str, tuple[str, str]] = {}
    exact: dict[str, tuple[str, str]] = {}
    for (split, sample), mine in zip(items, telling_grams([question(sample) for _, sample in items]), strict=True):
        same = exact.setdefault(" ".join(question(sample).lower().split()), (split, sample.id))
        repeats = [same] + [seen.setdefault(gram, (split, sample.id)) for gram in sorted(mine)]
        for other, identity in repeats:
            if other != split:
                yield "fail", "splits share nothing", f"{sample.id} ({split}) repeats {identity} ({other})"
                break


def size(suite: Suite) -> Iterator[tuple[str, str, str]]:
    """How small a difference this many test samples can show."""
    n = len(suite.test)
    visible = 2.8 * (0.2 / n) ** 0.5
    if n < 100:
        yield (
            "note",
            "power",
            f"{n} test samples show differences from {100 * visible:.0f} points up; 200 show 9, 500 show 6",
        )
    if suite.kind != "general" and len(suite.train) < 50:
        yield (
            "note",
            "training data",
            f"{len(suite.train)} train samples are few for a LoRA candidate; a few hundred are usual",
        )


def named(suite: Suite) -> Iterator[tuple[str, str, str]]:
    """What a suite's own scorer reads is part of the suite's digest: it is named in the scorer's options.

    What is not covered: a file whose name the scorer's code puts together.
    """
    folder, specs = Path(suite.path), (*suite.scorers, *suite.graders)
    told = {value for spec in specs for value in spec.options.values() if isinstance(value, str)}
    for code in sorted({folder / spec.scorer.split(":")[0] for spec in specs}):
        for file in sorted(folder.iterdir()) if code.suffix == ".py" and code.is_file() else ():
            apart = file.stem in (*SPLITS, "corpus", "suite") or file.suffix in (".py", ".md") or not file.is_file()
            if not apart and file.name not in told and file.name in code.read_text("utf-8", "replace"):
                yield (
                    "note",
                    "a digest of all that moves a score",
                    f"{code.name} names {file.name}, which is in no scorer's options: another {file.name} would "
                    f"not make it another suite. Give it as an option",
                )


def choosable(suite: Suite, config: Config) -> list[Finding]:
    """Can every arm answer this suite: are there dev samples for its lists, and the system prompts that it names?"""
    found = []
    for arm in config.arms.values():
        if arm.tries and len(suite.dev) < 2:
            message = f"arm {arm.name} lists dials, which are chosen on dev; {len(suite.dev)} dev samples are too few"
            found.append(Finding(suite.name, "note", "dials are chosen on dev", message))
        for one in {one.system: one for one in arm.tries or (arm,)}.values():
            if lacks := _lacks(suite, one):
                found.append(Finding(suite.name, "note", "system prompts exist", lacks))
    return found


def _lacks(suite: Suite, arm: Arm) -> str:
    """What is wrong with the system prompt that an arm asks a suite for, "" if nothing."""
    try:
        prompt.system_prompt(suite, arm)
    except SuiteError as error:
        return str(error)
    return ""


def token_budget(suite: Suite, config: Config, root: Path) -> list[Finding]:
    """Does the longest prompt of every arm fit its model's context? Only for models whose files are on this machine.

    An arm whose prompts do not fit cannot answer this suite, and `harness run` refuses it: worth knowing beforehand.
    """
    findings = []
    retriever = retrieve.Retriever(suite.corpus) if suite.corpus else None
    for model in {arm.model: config.models[arm.model] for arm in config.arms.values()}.values():
        if model.endpoint:
            continue
        folder = Path(resolve_model(model.path, root))
        if not (folder / "config.json").is_file():
            continue
        from transformers import AutoTokenizer

        # the limit is held below; the tokenizer's own would only write a warning to stderr
        tokenizer = AutoTokenizer.from_pretrained(str(folder), model_max_length=10**9)
        limit = json.loads((folder / "config.json").read_text("utf-8")).get("max_position_embeddings", 10**9)
        limit = int(model.engine.get("max_model_len", limit))
        mine = [one for arm in config.arms.values() if arm.model == model.name for one in arm.tries or (arm,)]
        for arm in mine:
            if _lacks(suite, arm):
                continue
            try:
                for sample in suite.test if arm.retrieve == "gold" else ():
                    retrieve.gold(suite, arm, sample)
            except SuiteError as problem:
                findings.append(Finding(suite.name, "note", "gold passages are named", str(problem)))
                continue
            longest = max(
                suite.test,
                key=lambda sample: sum(len(message["content"]) for message in _messages(suite, arm, sample, retriever)),
            )
            ids, choices = prompt.tokens(tokenizer, longest, _messages(suite, arm, longest, retriever))
            sampling = longest.sampling or suite.sampling
            wanted = max(map(len, choices)) if choices and longest.as_is else sampling.max_tokens
            if len(ids) + wanted > limit:
                message = f"arm {arm.name}: {longest.id} needs {len(ids)} + {wanted} tokens of {limit}"
                findings.append(Finding(suite.name, "note", "prompts fit the context", message))
    return findings


def _messages(suite: Suite, arm: Arm, sample: Sample, retriever: retrieve.Retriever | None) -> Any:
    return prompt.render(suite, arm, sample, retrieve.passages(suite, arm, sample, retriever))
