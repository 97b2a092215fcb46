"""The steps of a training: candidates on one frozen base, each from the step it is at to the end of its plan.

They advance together, a step each per round. What a round computes is cut into forward passes that hold at most one
segment of a candidate, so that how many candidates share a pass moves none of them: rows, loss, clipping, rate and
optimizer are each candidate's own.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import stdev
from typing import TYPE_CHECKING, Any

from harness.data import TrainSpec
from harness.train import forward, lora
from harness.train.card import DROPPED
from harness.train.data import Segment, TrainRow, plan, rate, segments, stream
from harness.train.ranks import current

if TYPE_CHECKING:
    from torch import Tensor

Progress = Callable[[int, int, float, float], None]
"""Called after every round with (steps done, steps in all, mean loss in nats per token, tokens per second)."""

CHECKPOINT_SECONDS = 30.0
LEAST_TOKENS = 16
STREAM_TOKENS = {"cpu": 2048, "cuda": 8192}
"""Tokens in one forward pass: large enough to keep the processor busy, small enough for its memory."""


DevScorer = Callable[[Any], list[float]]
"""Called with the base, whose forward passes go through a candidate: its score of every dev sample, 0..1."""
BEHIND = 2.0
"""Standard errors of the paired difference on dev by which a candidate that is dropped is behind the best."""
COMPARED = 8
"""Dev samples without which none is dropped."""


@dataclass(frozen=True)
class Validation:
    """Scores of the dev samples, 0..1, after a step."""

    step: int
    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        return sum(self.scores) / len(self.scores)


@dataclass
class Candidate:
    """A training under way; with `Trunk` the one record that changes.

    stopped: why there will be no adapter, "" if there will. ended: why it ended before its last step. dev: what was
    measured on the way, `best` the weights at the best of it. rival: candidates of one rival name are compared.
    """

    name: str
    spec: TrainSpec
    rows: Sequence[TrainRow]
    steps: Sequence[Sequence[int]]
    weights: lora.Weights
    optimizer: Any
    step: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    dev_before: float | None = None
    stopped: str = ""
    ended: str = ""
    dev: list[Validation] = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    score: DevScorer | None = None
    rival: str = ""

    @property
    def active(self) -> bool:
        return not self.stopped and not self.ended and self.step < len(self.steps)

    @property
    def top(self) -> Validation | None:
        """The best validation, the earliest of equal ones."""
        return max(self.dev, key=lambda one: (one.mean, -one.step), default=None)

    @property
    def due(self) -> bool:
        """Whether a validation belongs here: `validate` of them, evenly over the plan, the last one at its end."""
        wanted = self.spec.validate if self.score else 0
        places = {math.ceil(len(self.steps) * number / wanted) for number in range(1, wanted + 1)}
        return self.step in places and self.step not in {one.step for one in self.dev}

    @property
    def tensors(self) -> list[Tensor]:
        return list(self.weights.named().values())


@dataclass
class Trunk:
    """The base that candidates share. tokens: the most in one forward pass. group: the most candidates in one.

    splits: how often either was cut, because memory ran out.
    """

    frozen: lora.Frozen
    way: forward.Way
    tokens: int
    group: int = 1
    splits: int = 0

    def shrink(self) -> bool:
        """Smaller forward passes after memory ran out; the rows of a step stay. False where they are small already."""
        if self.group == 1 and self.tokens < LEAST_TOKENS:
            return False
        self.tokens = self.tokens // 2 if self.group == 1 else self.tokens
        self.group, self.splits = 1, self.splits + 1
        return True

    def segments(self, rows: Sequence[TrainRow]) -> list[Segment]:
        """A step's rows as this base takes them; the same whoever else is trained."""
        return segments(rows, self.tokens if self.way.together else 0, self.way.apart)

    def nats(self, work: Sequence[tuple[Candidate, Segment]]) -> list[Tensor]:
        """One forward pass: per segment, minus the log-probability of its labels under its candidate, in nats."""
        laid = stream([segment for _, segment in work], self.way.least, self.way.grain)
        ends = list(itertools.accumulate((len(segment.labels) for _, segment in work), initial=0))
        parts = [
            lora.Part(start, stop, candidate.weights, labels)
            for (candidate, _), start, stop, labels in zip(
                work, laid.starts, laid.starts[1:], itertools.pairwise(ends), strict=False
            )
        ]
        with self.frozen.through(parts, forward.late(self.frozen.base, laid, self.way)):
            return forward.nats(self.frozen.base, laid, self.way.fused)


def prepare(base: Any, wanted: Sequence[tuple[str, TrainSpec, Sequence[TrainRow]]]) -> tuple[Trunk, list[Candidate]]:
    """The base made ready, and a candidate at step 0 for every (name, spec, rows)."""
    import torch

    way = forward.choose(base, [row for _, _, rows in wanted for row in rows])
    candidates = []
    for name, spec, rows in wanted:
        weights = lora.start(base, spec)
        tensors = list(weights.named().values())
        optimizer = torch.optim.AdamW(tensors, lr=0.0, weight_decay=spec.weight_decay, fused=True)
        candidates.append(Candidate(name, spec, rows, plan(len(rows), spec), weights, optimizer))
    tokens = STREAM_TOKENS[base.device.type]
    return Trunk(lora.Frozen(base), way, tokens, len(candidates) if way.apart else 1), candidates


def passes(
    work: Sequence[tuple[Candidate, Sequence[Segment]]], group: int, tokens: int
) -> Iterator[list[tuple[Candidate, Segment]]]:
    """A round's segments as forward passes of at most `group` candidates and `tokens` tokens (or one longer segment).

    A candidate's segments keep their order, and no pass holds two of them.
    """
    queues = [(candidate, deque(mine)) for candidate, mine in work]
    while any(queue for _, queue in queues):
        room = tokens
        chosen: list[tuple[Candidate, Segment]] = []
        for candidate, queue in queues:
            if queue and len(chosen) < group and (not chosen or len(queue[0]) <= room):
                room -= len(queue[0])
                chosen.append((candidate, queue.popleft()))
        yield chosen


def gradients(trunk: Trunk, candidates: Sequence[Candidate]) -> list[float]:
    """Backward passes over the next step of each; returns their losses, means over completion tokens, in nats.

    The gradient is that of the sum over all tokens divided by their count, however the rows are split into segments.
    """
    steps = [[one.rows[number] for number in one.steps[one.step]] for one in candidates]
    counts = {
        one.name: sum(len(row.completion_ids) for row in rows) for one, rows in zip(candidates, steps, strict=True)
    }
    totals = dict.fromkeys(counts, 0.0)
    ranks = current()
    mine = [ranks.share(rows) for rows in steps]
    work = [(one, trunk.segments(rows)) for one, rows in zip(candidates, mine, strict=True) if rows]
    for together in passes(work, trunk.group, trunk.tokens):
        found = trunk.nats(together)
        losses = [nats.sum() / counts[one.name] for (one, _), nats in zip(together, found, strict=True)]
        sum(losses[1:], losses[0]).backward()
        for (one, _), loss in zip(together, losses, strict=True):
            totals[one.name] += float(loss.detach())
    ranks.add([tensor for one in candidates for tensor in one.tensors])
    return [sum(losses) for losses in zip(*ranks.all(list(totals.values())), strict=True)]


def one_round(trunk: Trunk, candidates: Sequence[Candidate]) -> None:
    """One optimizer step of each candidate. One whose loss or gradient is no longer a number is stopped instead."""
    import torch

    for one, loss in zip(candidates, within_memory(trunk, candidates), strict=True):
        tensors, step = one.tensors, one.step
        norm = float(torch.nn.utils.clip_grad_norm_(tensors, one.spec.clip_norm))
        if not math.isfinite(loss) or not math.isfinite(norm):
            one.stopped = (
                f"training diverged at step {step + 1}: the loss is {loss:.3g}, its gradient {norm:.3g} "
                f"at learning_rate {one.spec.learning_rate:g}. Lower learning_rate."
            )
            continue
        for group in one.optimizer.param_groups:
            group["lr"] = rate(one.spec, step, len(one.steps))
        one.optimizer.step()
        one.optimizer.zero_grad(set_to_none=True)
        one.step += 1
        one.losses.append(loss)


def within_memory(trunk: Trunk, candidates: Sequence[Candidate]) -> list[float]:
    """`gradients`; where memory runs out, again in smaller passes: the same rows, the same sums, the same recipe."""
    import torch

    while True:
        try:
            return gradients(trunk, candidates)
        except RuntimeError as error:
            out = isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
            if not out:
                raise
            if not trunk.shrink():
                raise torch.OutOfMemoryError(str(error)) from None
        for one in candidates:
            one.optimizer.zero_grad(set_to_none=True)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def mean_loss(trunk: Trunk, candidate: Candidate, rows: Sequence[TrainRow]) -> float | None:
    """The mean over all completion tokens of `rows`, in nats; None without rows."""
    import torch

    if not rows:
        return None
    with torch.no_grad():
        total = sum((float(trunk.nats([(candidate, part)])[0].sum()) for part in trunk.segments(rows)), 0.0)
    return total / sum(len(row.completion_ids) for row in rows)


def validate(trunk: Trunk, candidate: Candidate) -> None:
    """Scores a candidate on dev, keeps its weights if they are its best, and ends it if it has lost its patience."""
    assert candidate.score is not None
    scores: tuple[float, ...] = ()
    if current().first:
        with trunk.frozen.through([lora.Part(0, None, candidate.weights)]):
            scores = tuple(candidate.score(trunk.frozen.base))
    candidate.dev.append(Validation(candidate.step, current().told(scores)))
    if candidate.top is candidate.dev[-1]:
        candidate.best = {name: weight.detach().clone() for name, weight in candidate.weights.named().items()}
    without = len(candidate.dev) - 1 - candidate.dev.index(candidate.top) if candidate.top else 0
    if candidate.spec.patience and without >= candidate.spec.patience and candidate.step < len(candidate.steps):
        candidate.ended = f"stopped early at step {candidate.step}: {without} validations without a better score"


def drop_losers(candidates: Sequence[Candidate]) -> None:
    """Ends those that are clearly behind the best of their rivals after as many validations, on the same samples."""
    for one in candidates:
        number = len(one.dev)
        rivals = [other for other in candidates if other.rival == one.rival and len(other.dev) >= number > 0]
        if not one.active or len(rivals) < 2:
            continue
        leader = max(rivals, key=lambda other: other.dev[number - 1].mean)
        pairs = zip(leader.dev[number - 1].scores, one.dev[-1].scores, strict=True)
        behind = [theirs - own for theirs, own in pairs]
        mean = sum(behind) / len(behind)
        error = stdev(behind) / math.sqrt(len(behind)) if len(behind) > 1 else math.inf
        if mean > BEHIND * error and mean > 0 and len(behind) >= COMPARED:
            said = f"{100 * mean:.1f} points behind {Path(leader.name).name} on {len(behind)} dev samples"
            one.ended = f"{DROPPED} at step {one.step}: {said}"


def fit(
    trunk: Trunk,
    candidates: Sequence[Candidate],
    *,
    progress: Progress | None = None,
    checkpoint: Callable[[Candidate], None] | None = None,
    every: float = CHECKPOINT_SECONDS,
    drop: bool = False,
) -> None:
    """Trains candidates to the end of their plans, from the steps they are at. What was validated ends at its best.

    drop: end those that are clearly behind their rivals on dev.
    Calls `checkpoint` every so many seconds for each, and when one is done. Ctrl-C lets the round finish, then
    checkpoints and raises KeyboardInterrupt; a second one stops at once.
    """
    import torch

    saved = time.monotonic()
    tokens, spent, in_all = 0, 0.0, sum(len(one.steps) for one in candidates)
    with _interrupts() as interrupted:
        while active := [one for one in candidates if one.active]:
            start = time.monotonic()
            sizes = [sum(len(one.rows[number]) for number in one.steps[one.step]) for one in active]
            one_round(trunk, active)
            now = time.monotonic()
            tokens, spent = tokens + sum(sizes), spent + now - start
            for one, size in zip(active, sizes, strict=True):
                one.seconds += (now - start) * size / sum(sizes)
            for one in active:
                if one.due and not one.stopped:
                    validate(trunk, one)
            if drop:
                drop_losers(candidates)
            stop = any(current().all(interrupted()))
            due = stop or now - saved >= every
            for one in active:
                if checkpoint is not None and not one.stopped and (due or not one.active):
                    checkpoint(one)
            saved = time.monotonic() if due else saved
            if stop:
                raise KeyboardInterrupt
            last = [one.losses[-1] for one in active if one.losses]
            if progress is not None and last:
                progress(sum(one.step for one in candidates), in_all, sum(last) / len(last), tokens / spent)
    with torch.no_grad():
        for one in candidates:
            for name, weight in (one.best or {}).items():
                one.weights.named()[name].copy_(weight)


@contextlib.contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Holds Ctrl-C back, as an optimizer stopped halfway could not be resumed. Asks nothing outside the main thread."""
    asked: list[int] = []

    def note(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    previous = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, previous)
