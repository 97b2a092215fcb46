"""Which test samples occur in training data: word for word, in a telling 13-gram, or nearly.

    exact     the same question after normalisation (case, spaces, punctuation)
    13-gram   a run of 13 words shared with a training text that is not fixed wording of the task
    near      the same answer, and a question whose word 5-grams, fixed wording left out, have a Jaccard similarity of
              NEAR or more; found by MinHash (Broder 1997), then counted

13-grams as in Brown et al. 2020 (GPT-3, appendix C). The same answer, because short questions of one kind differ in a
word and are two questions; longer near duplicates share a 13-gram. What is not covered: paraphrases, translations, and
whatever the base model saw before anybody here trained it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from harness import words
from harness.check import GRAM, CheckReport, Finding, grams, question
from harness.data import Sample, Suite
from harness.errors import SuiteError
from harness.suite import all_suites, read_suite, split_digest

KINDS = ("exact", "13-gram", "near")
NEAR = 0.7
SHINGLE = 5
HASHES = 128
SHOWN = 5
BAND = 4
"""Hashes per band: two texts of similarity 0.7 share one of 32 bands with probability 0.9998, two of 0.3 with 0.23."""
_PRIME = 4_294_967_311


def overlaps(asked: Sequence[Sample], rows: Sequence[Sequence[str]]) -> dict[str, str]:
    """{sample id: how} for the test samples that occur in training rows; how is the first of KINDS that holds.

    rows: the texts of each training example, question and answer in any order.
    """
    if not asked or not rows:
        return {}
    questions = [normal(question(sample)) for sample in asked]
    texts = [(normal(text), place) for place, row in enumerate(rows) for text in row]
    trained, answers = [text for text, _ in texts], [{_answer(text) for text in row} for row in rows]
    same = set(trained) - {""}
    long, known = telling(questions, trained, GRAM)
    seen = set().union(*known)
    close = near_duplicates(*telling(questions, trained, SHINGLE))
    found = {}
    for place, sample in enumerate(asked):
        near = (answers[texts[other][1]] for other in close.get(place, ()))
        held = (
            questions[place] in same,
            not long[place].isdisjoint(seen),
            any(_answer(sample.target) in said for said in near),
        )
        if any(held):
            found[sample.id] = KINDS[held.index(True)]
    return found


def _answer(text: str) -> str:
    return " ".join(text.lower().split())


def telling(asked: Sequence[str], trained: Sequence[str], size: int) -> tuple[list[set[str]], list[set[str]]]:
    """Word n-grams of normal texts without the fixed wording of the task: n-grams in over a tenth (over 5) of `asked`.

    What is fixed is judged by the test split alone, so that a sample does not hide by being trained on many times.
    """
    of_asked, of_trained = ([grams(text.split(), size) for text in texts] for texts in (asked, trained))
    counts = Counter(gram for mine in of_asked for gram in mine)
    fixed = {gram for gram, count in counts.items() if count > max(5, len(asked) // 10)}
    fixed.add("")
    return [mine - fixed for mine in of_asked], [mine - fixed for mine in of_trained]


def normal(text: str) -> str:
    """Lower-case words with one space between them.

    >>> normal("How many days?  ")
    'how many days'
    """
    return " ".join(re.findall(r"\w+", text.lower()))


# --- near duplicates -------------------------------------------------------------------------------------------------


def jaccard(one: set[str], other: set[str]) -> float:
    """Shared members as a share of all, 0..1; 0 for two empty sets."""
    return len(one & other) / (len(one | other) or 1)


def signatures(sets: Sequence[set[str]], hashes: int = HASHES, seed: int = 0) -> Any:
    """(sets, hashes) MinHash signatures: the share of equal places of two rows estimates their Jaccard similarity.

    The standard error of that estimate is sqrt(J (1 - J) / hashes), 0.04 at most with 128. An empty set gets a row of
    its own that equals no other.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    a = rng.integers(1, _PRIME, size=(hashes, 1), dtype=np.uint64)
    b = rng.integers(0, _PRIME, size=(hashes, 1), dtype=np.uint64)
    rows = np.empty((len(sets), hashes), dtype=np.uint64)
    for place, members in enumerate(sets):
        if not members:
            rows[place] = _PRIME + place  # beyond every hash, so it meets no text
            continue
        values = np.array([_hash(member) for member in members], dtype=np.uint64)
        rows[place] = ((a * values + b) % np.uint64(_PRIME)).min(axis=1)
    return rows


def _hash(member: str) -> int:
    """31 bits, so that the products above stay within 64."""
    return int.from_bytes(hashlib.blake2b(member.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big") >> 1


def near_duplicates(
    tests: Sequence[set[str]], trained: Sequence[set[str]], least: float = NEAR
) -> dict[int, list[int]]:
    """{place of a test set: places of the trained sets of similarity `least` or more}; the others are left out."""
    bands: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for place, row in enumerate(signatures(trained)):
        for key in _bands(row):
            bands[key].append(place)
    found = {}
    for place, row in enumerate(signatures(tests)):
        met = sorted({other for key in _bands(row) for other in bands.get(key, ())}) if tests[place] else []
        if close := [other for other in met if jaccard(tests[place], trained[other]) >= least]:
            found[place] = close
    return found


def _bands(row: Any) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(row), BAND):
        yield start, row[start : start + BAND].tobytes()


# --- what a candidate has seen ---------------------------------------------------------------------------------------


def of_adapter(
    card: Mapping[str, Any] | None,
    suites: Sequence[Suite],
    root: Path | None = None,
    earlier: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """{"basis": ..., "flagged": {suite: {sample id: how}}}: test samples in the data an adapter was trained on.

    card: its training.json. basis: "recorded" (the train splits are those it was trained on), "changed" (they are not
    any more, or not there), "assumed" (the card names the suites, not their content), "none" (trained elsewhere).
    root: where suites are looked for. earlier: what an earlier run found for the same adapter; its suites are kept.
    Where a part of the data was used (`data_fraction`) the whole split is looked through: too many are flagged, none is
    missed.
    """
    known = dict((earlier or {}).get("flagged") or {})
    asked = [suite for suite in suites if suite.name not in known]
    if earlier and not asked:
        return dict(earlier)
    names = ((card or {}).get("recipe") or {}).get("suites") or ()
    if not names:
        return {"basis": "none", "flagged": {}}
    recorded = (card or {}).get("data") or {}
    bases: list[str] = []
    rows: list[tuple[str, str]] = []
    for name in names:
        try:
            train = read_suite(name, root).train
        except SuiteError:
            bases.append("changed")
            continue
        said = recorded.get(name)
        bases.append("assumed" if said is None else "recorded" if said == split_digest(train) else "changed")
        rows += [(question(sample), sample.target) for sample in train]
    basis = next(word for word in ("changed", "assumed", "recorded") if word in bases)
    return {"basis": basis, "flagged": known | {suite.name: overlaps(suite.test, rows) for suite in asked}}


# --- a file of training data -----------------------------------------------------------------------------------------


def check_against(report: CheckReport, names: Sequence[str], root: Path, file: Path) -> CheckReport:
    """The report with a FAIL per suite whose test samples occur in a JSONL file, whatever its columns are called."""
    rows, checked, findings = read_texts(file), list(report.checked), list(report.findings)
    law = "no test sample in the training data"
    for suite in [read_suite(name, root) for name in names or all_suites(root)]:
        found = overlaps(suite.test, rows)
        said = f"{len(found)} of {words.count(len(suite.test), 'test sample')} occur in {file}"
        checked.append(f"{suite.name}: {said}")
        if found:
            shown = ", ".join(f"{name} ({how})" for name, how in islice(found.items(), SHOWN))
            more = f" and {len(found) - SHOWN} more (--json names them)" if len(found) > SHOWN else ""
            findings.append(Finding(suite.name, "fail", law, f"{said}: {shown}{more}", tuple(found)))
    return CheckReport(tuple(checked), tuple(findings))


def read_texts(file: Path) -> list[list[str]]:
    """The texts in each row of a JSONL file: strings at any depth, keys left out. Raises SuiteError."""
    try:
        lines = file.read_text("utf-8").split("\n")  # a JSON string may hold other line ends
    except FileNotFoundError:
        raise SuiteError(f"{file}: no such file. Give a JSONL file of training data.") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise SuiteError(f"{file}: cannot be read ({problem}). Give a JSONL file in UTF-8.") from None
    found: list[list[str]] = []
    for number, line in enumerate(lines, 1):
        try:
            found += [list(_strings(json.loads(line)))] if line.strip() else []
        except (ValueError, RecursionError):
            raise SuiteError(f"{file}:{number}: not JSON. Correct the line; one row per line.") from None
    if not any(found):
        raise SuiteError(f"{file}: holds no text. Give a JSONL file of training data.")
    return found


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
