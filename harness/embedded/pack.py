"""Documents as rows of token ids: many documents in a row, none of which sees another.

python -m harness.embedded.pack TOKENIZER OUT --seed 1 --stage 0.5 --tokens 1000000
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.embedded.text.document import Document
from harness.embedded.vocabulary import ASSISTANT, BOS, END, ROLES, USER

if TYPE_CHECKING:
    import numpy as np

LENGTHS = (256, 512, 1024)
SHARE = 3 / 8


@dataclass(frozen=True)
class Encoded:
    """One document: per token `ids`, `position`, `branch`; per supervised place its index, next token and weight."""

    ids: list[int]
    position: list[int]
    branch: list[int]
    place: list[int]
    target: list[int]
    weight: list[float]


def texts(document: Document) -> list[str]:
    """The pieces that are tokenised by themselves, in the order that `encode` uses them."""
    pieces = [text for _, text, _ in document.turns] + [document.trunk]
    return pieces + [piece for branch in document.branches for piece in branch]


def encode(document: Document, pieces: list[list[int]]) -> Encoded:
    """A document from the token ids of its `texts`; an answer of n tokens weighs n ** 0.5 in all."""
    out = Encoded([BOS], [0], [0], [], [], [])

    def add(tokens: list[int], branch: int, start: int) -> int:
        out.ids.extend(tokens)
        out.position.extend(range(start, start + len(tokens)))
        out.branch.extend([branch] * len(tokens))
        return start + len(tokens)

    def learn(first: int, tokens: list[int], weight: float) -> None:
        out.place.extend(range(first, first + len(tokens)))
        out.target.extend(tokens)
        out.weight.extend([weight / len(tokens) ** 0.5] * len(tokens))

    at, piece = 1, iter(pieces)
    for role, _, weight in document.turns:
        tokens = [*next(piece), END]
        at = add([ROLES[role]], 0, at)
        if weight:
            learn(len(out.ids) - 1, tokens, weight)
        at = add(tokens, 0, at)
    trunk = next(piece)
    if document.branches:
        at = add([USER, *trunk], 0, at)
    for number, _ in enumerate(document.branches, 1):
        question, answer = next(piece), [*next(piece), END]
        here = add([*question, END, ASSISTANT], number, at)
        learn(len(out.ids) - 1, answer, 1.0)
        add(answer, number, here)
    return out


def encode_all(documents: list[Document], tokenizer: Any) -> list[Encoded]:
    """Every document encoded; one call of the tokenizer for all."""
    pieces = [texts(d) for d in documents]
    flat = tokenizer.encode_batch_fast([p for group in pieces for p in group], add_special_tokens=False)
    ids = iter(e.ids for e in flat)
    return [encode(d, [next(ids) for _ in group]) for d, group in zip(documents, pieces, strict=True)]


def fitted(documents: list[Encoded], length: int, fillers: list[Encoded]) -> list[list[Encoded]]:
    """Documents packed best-fit into rows; what room is left is filled from `fillers`, which shrinks."""
    places = int(length * SHARE)
    done: list[list[Encoded]] = []
    free: list[list[Any]] = []
    for one in documents:
        fits = [row for row in free if len(one.ids) <= row[0] and len(one.place) <= row[1]]
        row = min(fits, key=lambda r: r[0], default=None)
        if row is None:
            if len(free) >= 40:
                fullest = min(range(len(free)), key=lambda i: free[i][0])
                done.append(free.pop(fullest)[2])
            row = [length, places, []]
            free.append(row)
        row[0], row[1] = row[0] - len(one.ids), row[1] - len(one.place)
        row[2].append(one)
    done.extend(row[2] for row in free)
    for row in done:
        room, left = length - sum(len(x.ids) for x in row), places - sum(len(x.place) for x in row)
        for _ in range(6):
            index = next(
                (
                    i
                    for i in range(len(fillers) - 1, max(-1, len(fillers) - 30), -1)
                    if len(fillers[i].ids) <= room and len(fillers[i].place) <= left
                ),
                None,
            )
            if index is None:
                break
            one = fillers.pop(index)
            row.append(one)
            room, left = room - len(one.ids), left - len(one.place)
    return done


def rows(documents: list[Encoded], length: int, fillers: list[Encoded] | None = None) -> dict[str, np.ndarray]:
    """Documents packed into rows of `length`, as the arrays that `network.loss` reads."""
    import numpy as np

    places = int(length * SHARE)
    done = fitted(documents, length, fillers if fillers is not None else [])
    count = len(done)
    out = {name: np.zeros((count, length), np.int16) for name in ("ids", "position", "group", "branch")}
    out["group"][:] = -1
    out |= {"place": np.zeros((count, places), np.int16), "target": np.zeros((count, places), np.int16)}
    out["weight"] = np.zeros((count, places), np.float32)
    for r, row in enumerate(done):
        at = k = 0
        for g, one in enumerate(row):
            n, s = len(one.ids), min(len(one.place), places - k)
            out["ids"][r, at : at + n], out["position"][r, at : at + n] = one.ids, one.position
            out["branch"][r, at : at + n], out["group"][r, at : at + n] = one.branch, g
            out["place"][r, k : k + s] = [at + p for p in one.place[:s]]
            out["target"][r, k : k + s], out["weight"][r, k : k + s] = one.target[:s], one.weight[:s]
            at, k = at + n, k + s
    return out


def chapter(tokenizer: Any, seed: int, stage: float, tokens: int) -> dict[str, np.ndarray]:
    """About `tokens` tokens of text, packed by length: arrays named "256.ids", "256.place", and so on."""
    from harness.embedded.text.mixture import forbidden, stream

    source = stream(seed, stage, forbidden())
    bins: dict[int, list[Encoded]] = {length: [] for length in LENGTHS}
    total = 0
    while total < tokens:
        for one in encode_all([next(source)[1] for _ in range(500)], tokenizer):
            length = next((x for x in LENGTHS if len(one.ids) <= x and len(one.place) <= x * SHARE), None)
            if length:
                bins[length].append(one)
                total += len(one.ids)
    made = {
        length: rows(bins[length], length, bins[LENGTHS[0]] if length > LENGTHS[0] else None)
        for length in reversed(LENGTHS)
    }
    return {f"{length}.{name}": array for length, found in made.items() for name, array in found.items()}


def main(argv: list[str] | None = None) -> int:
    """Writes one chapter of training rows to an .npz file."""
    import numpy as np
    from tokenizers import Tokenizer

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stage", type=float, default=1.0)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    given = parser.parse_args(argv)
    made = chapter(Tokenizer.from_file(str(given.tokenizer)), given.seed, given.stage, given.tokens)
    partial = given.out.with_suffix(".part.npz")
    np.savez(partial, **made)  # type: ignore[arg-type]
    partial.replace(given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
