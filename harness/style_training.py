"""Fits the classifier of a style suite: python -m harness.style_training suites/NAME

Reads suites/NAME/sources/*.jsonl, one file per writer, rows {"prompt": ..., "text": ..., "styled": true or false}, and
sources/markers.txt (words that a naive list would look for, one a line). Writes style.npz, the model, and style.json,
what it is worth: every writer is held out in turn, together with every prompt of theirs, and the model fitted on the
others says which of the texts are in the style (AUROC, Hanley and McNeil 1982). The same protocol gives the baselines:
the length of the text alone, the number of marker words, and labels that were shuffled before fitting.
With the word "sentences" in sources/options.txt, the sentences of a text are trained on as well, beside the whole:
right for a style that runs through every sentence, as a voice does. Nothing is measured on them.
A source of one class alone widens what the model knows. It is trained on, and if neutral its false alarms when held out
are shown, but it has no AUROC, and threshold and calibration come from the writers of both classes.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import HarnessError, SuiteError
from harness.scorers.style import (
    BLOCKS,
    MAX_CHARACTERS,
    RECIPE,
    StyleModel,
    counts,
    hashed,
    read,
    save,
    standardised,
    tokens,
)

SEED = 0
PENALTY = 16.0
BLOCK_WEIGHTS = {"words": 1.0, "frame": 1.0, "letters": 1.0}
COUNTS_WEIGHT = 0.15
FALSE_ALARMS = 0.05
SHUFFLES = 5
BINS = 10
PIECE = 6
_SENTENCE = re.compile(r"(?<=[.!?;:])\s+|\n+")
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Texts:
    """The sources side by side: n texts, and who wrote each to which prompt. features: n x (hashed + counts).

    origin, pieces: further rows to train on, and the text (0..n-1) that each is a sentence of; often none.
    """

    texts: tuple[str, ...]
    styled: Array
    source: Array
    prompt: Array
    features: Any
    mean: Array
    deviation: Array
    origin: Array
    pieces: Any


def read_sources(folder: Path) -> tuple[Texts, dict[str, str]]:
    """Every text of sources/*.jsonl, and a digest per file. SuiteError: no files, or a row that is not such a row."""
    rows: list[tuple[str, str, str, bool]] = []
    digests = {}
    for file in sorted(folder.glob("sources/*.jsonl")):
        digests[file.stem] = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        for number, line in enumerate(file.read_text("utf-8").removesuffix("\n").split("\n"), 1):
            try:
                row = json.loads(line)
                held = (str(row["prompt"]), str(row["text"]), bool(row["styled"]))
            except (ValueError, KeyError, TypeError):
                wanted = '{"prompt": ..., "text": ..., "styled": true or false}'
                raise SuiteError(f"{file}:{number}: not a row of a source. Write {wanted}.") from None
            rows.append((file.stem, *held))
    if len({row[3] for row in rows}) < 2:
        raise SuiteError(f"{folder}/sources: needs texts in the style and neutral ones, one .jsonl file per writer.")
    source, prompt, texts, styled = zip(*rows, strict=True)
    texts = tuple(map(read, texts))
    dense = np.stack([counts(text) for text in texts])
    mean, deviation = dense.mean(0), dense.std(0) + 1e-3
    features = _matrix(texts, standardised(dense, mean, deviation))
    split = [(row, part) for row, text in enumerate(texts) for part in sentences(text)] if _by_sentence(folder) else []
    parts = [part for _, part in split]
    counted = np.stack([counts(part) for part in parts]) if parts else np.zeros((0, dense.shape[1]))
    pieces = _matrix(parts, standardised(counted, mean, deviation))
    origin = np.array([row for row, _ in split], int)
    labels = np.array(styled), np.array(source), np.array(prompt)
    return Texts(texts, *labels, features, mean, deviation, origin, pieces), digests


def _by_sentence(folder: Path) -> bool:
    file = folder / "sources" / "options.txt"
    words = file.read_text("utf-8").split() if file.is_file() else []
    for word in words:
        if word != "sentences":
            raise SuiteError(f"{file}: unknown option '{word}'. The only one is: sentences")
    return bool(words)


def sentences(text: str) -> list[str]:
    """Sentences and clauses of a text, short ones with their neighbour; none where there is only one.

    >>> sentences("So. That is a longer thing to say, friend. And this is one more of the kind.")
    ['So. That is a longer thing to say, friend.', 'And this is one more of the kind.']
    """
    found: list[str] = []
    for part in filter(str.strip, _SENTENCE.split(text)):
        if found and len(found[-1].split()) < PIECE:
            found[-1] += " " + part
        else:
            found.append(part)
    if len(found) > 1 and len(found[-1].split()) < PIECE:
        last = found.pop()
        found[-1] += " " + last
    return found if len(found) > 1 else []


def _matrix(texts: Sequence[str], dense: Array) -> Any:
    """n x (hashed + counts), sparse; blocks weighted."""
    from scipy import sparse

    scale = _scale()
    rows, columns, values = [], [], []
    for row, text in enumerate(texts):
        index, value = hashed(text)
        rows += [row] * len(index)
        columns += list(index)
        values += list(value * scale[index])
    shape = (len(texts), sum(BLOCKS.values()))
    return sparse.hstack([sparse.csr_matrix((values, (rows, columns)), shape), COUNTS_WEIGHT * dense]).tocsr()


def _scale() -> Array:
    return np.concatenate([np.full(size, BLOCK_WEIGHTS[block], np.float32) for block, size in BLOCKS.items()])


def fit_weights(features: Any, styled: Array) -> tuple[Array, float]:
    """(weights, bias) of an L2-penalised logistic regression, both classes weighing the same."""
    from sklearn.linear_model import LogisticRegression

    made = LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=2000, tol=1e-6)
    made.fit(features, styled)
    return made.coef_[0], float(made.intercept_[0])


def trained_on(data: Texts, keep: Array, styled: Array) -> tuple[Any, Array]:
    """(features, labels) of the texts to keep and of their sentences, if those are to be trained on."""
    from scipy import sparse

    inside = keep[data.origin]
    rows = sparse.vstack([data.features[keep], data.pieces[inside]]).tocsr()
    return rows, np.concatenate([styled[keep], styled[data.origin[inside]]])


def held_out(data: Texts, styled: Array, features: Array | None = None) -> Array:
    """A logit for every text from a model that has seen neither its writer nor any prompt of that writer.

    features: other ones than the data's, for a baseline; then no sentences are trained on.
    """
    logits = np.zeros(len(styled))
    for name in np.unique(data.source):
        out = data.source == name
        rest = ~out & ~np.isin(data.prompt, data.prompt[out])
        known = trained_on(data, rest, styled) if features is None else (features[rest], styled[rest])
        weights, bias = fit_weights(*known)
        logits[out] = (data.features if features is None else features)[out] @ weights + bias
    return logits


def auroc(styled: Array, values: Array) -> float:
    """The chance that a styled text has a higher value than a neutral one; ties count half. 0..1.

    >>> auroc(np.array([True, False, True, False]), np.array([3.0, 1.0, 2.0, 2.0]))
    0.875
    """
    from scipy.stats import rankdata

    ranks, n = rankdata(values), int(styled.sum())
    return float((ranks[styled].sum() - n * (n + 1) / 2) / (n * (len(styled) - n)))


def by_source(data: Texts, values: Array) -> dict[str, float]:
    """AUROC within each writer who wrote in both classes."""
    masks = {str(name): data.source == name for name in np.unique(data.source)}
    both = {name: mask for name, mask in masks.items() if len(set(data.styled[mask])) == 2}
    return {name: auroc(data.styled[mask], values[mask]) for name, mask in both.items()}


def platt(logits: Array, styled: Array) -> tuple[float, float]:
    """Slope and offset that turn logits into probabilities (Platt 1999)."""
    from sklearn.linear_model import LogisticRegression

    made = LogisticRegression(C=1e6, max_iter=2000).fit(logits[:, None], styled)
    return float(made.coef_[0, 0]), float(made.intercept_[0])


def calibration_error(probability: Array, styled: Array) -> float:
    """Expected calibration error, 0..1: distance of probability and share in ten equal bins, weighted by size."""
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    gaps = [abs(probability[place == b].mean() - styled[place == b].mean()) * (place == b).mean() for b in set(place)]
    return float(sum(gaps))


def _sigmoid(values: Array) -> Array:
    found: Array = 1 / (1 + np.exp(-values))
    return found


def _calibrated(data: Texts, logits: Array, paired: Array) -> Array:
    """Probabilities of each writer's texts, calibrated on the other writers; 0 for texts that are not `paired`."""
    found = np.zeros(len(logits))
    for name in np.unique(data.source[paired]):
        out = data.source == name
        slope, offset = platt(logits[paired & ~out], data.styled[paired & ~out])
        found[out] = _sigmoid(slope * logits[out] + offset)
    return found


def fit(folder: Path) -> tuple[StyleModel, dict[str, Any]]:
    """The model fitted on every source, and what style.json says of it."""
    data, digests = read_sources(folder)
    logits = held_out(data, data.styled)
    found = by_source(data, logits)
    if not found:
        raise SuiteError(f"{folder}/sources: no writer wrote in both classes, so nothing can be measured.")
    paired = np.isin(data.source, list(found))
    slope, offset = platt(logits[paired], data.styled[paired])
    probability = _sigmoid(slope * logits + offset)
    threshold = float(np.quantile(probability[paired & ~data.styled], 1 - FALSE_ALARMS, method="higher"))
    above = probability > threshold
    weights, bias = fit_weights(*trained_on(data, np.ones(len(data.styled), bool), data.styled))
    hashes = sum(BLOCKS.values())
    model = StyleModel(
        weights=(weights[:hashes] * _scale()).astype(np.float32),
        counts=(weights[hashes:] * COUNTS_WEIGHT).astype(np.float32),
        mean=data.mean.astype(np.float32),
        deviation=data.deviation.astype(np.float32),
        bias=bias,
        platt=(slope, offset),
        threshold=threshold,
    )
    masks = {str(name): data.source == name for name in np.unique(data.source)}
    about = {
        "recipe": RECIPE,
        "seed": SEED,
        "texts": {"styled": int(data.styled.sum()), "neutral": int((~data.styled).sum())},
        "auroc": _round(float(np.mean(list(found.values())))),
        "auroc_worst": _round(min(found.values())),
        "auroc_by_source": {name: _round(value) for name, value in found.items()},
        "threshold": _round(threshold),
        "recall_at_threshold": _round(float(above[paired & data.styled].mean())),
        "at_even_odds": {
            "recall": _round(float((probability > 0.5)[paired & data.styled].mean())),
            "false_alarms": _round(float((probability > 0.5)[paired & ~data.styled].mean())),
        },
        "false_alarms_by_source": {
            name: _round(float(above[mask & ~data.styled].mean()))
            for name, mask in masks.items()
            if (mask & ~data.styled).any()
        },
        "calibration_error": _round(calibration_error(_calibrated(data, logits, paired)[paired], data.styled[paired])),
        "baselines": baselines(folder, data),
        "sources": digests,
    }
    return model, about


def baselines(folder: Path, data: Texts) -> dict[str, float]:
    """AUROC, mean over the writers, of three classifiers that a good one has to beat."""
    file = folder / "sources" / "markers.txt"
    markers = set(file.read_text("utf-8").split()) if file.is_file() else set()
    words = [[token.lower() for token in tokens(text)] for text in data.texts]
    length = np.log1p(np.array([[len(text) for text in data.texts]])).T / np.log(MAX_CHARACTERS)
    listed = np.array([sum(word in markers for word in found) / max(1, len(found)) for found in words])
    rng = np.random.default_rng(SEED)
    shuffled = []
    for _ in range(SHUFFLES):
        labels = rng.permutation(data.styled)
        shuffled.append(np.mean(list(by_source(data, held_out(data, labels)).values())))
    by_length = held_out(data, data.styled, np.hstack([length, length**2]))
    return {
        "length_only": _round(float(np.mean(list(by_source(data, by_length).values())))),
        "marker_words": _round(float(np.mean(list(by_source(data, listed).values())))),
        "shuffled_labels": _round(float(np.mean(shuffled))),
    }


def _round(value: float) -> float:
    return round(value, 3)


def main(argv: Sequence[str]) -> int:
    """Fits, prints and writes. 0: done; 2: the user's mistake, in one line."""
    if len(argv) != 1 or argv[0].startswith("-"):
        print("usage: python -m harness.style_training suites/NAME", file=sys.stderr)
        return 2
    folder = Path(argv[0])
    try:
        model, about = fit(folder)
    except ImportError as problem:
        print(f"{problem.name} is not installed. Install it with: pip install '.[style]'", file=sys.stderr)
        return 2
    except HarnessError as problem:
        print(problem, file=sys.stderr)
        return 2
    # as written, weights are rounded: what is kept is what scores
    save(replace(model, threshold=about["threshold"]), folder / "style.npz")
    about["model"] = hashlib.sha256((folder / "style.npz").read_bytes()).hexdigest()[:16]
    text = json.dumps(about, indent=1) + "\n"
    (folder / "style.json").write_text(text, "utf-8", newline="\n")
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
