"""The steps of a training: one candidate on a frozen base, from the step it is at to the end of its plan."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.data import TrainSpec
from harness.errors import MachineError
from harness.train import forward, lora
from harness.train.data import TrainRow, micro_batches, plan, rate, stream

if TYPE_CHECKING:
    from torch import Tensor

Progress = Callable[[int, int, float, float], None]
"""Called after every step with (steps done, steps in all, the step's loss in nats per token, tokens per second)."""

CHECKPOINT_SECONDS = 30.0
STREAM_TOKENS = {"cpu": 2048, "cuda": 8192}
"""Tokens in one forward pass: large enough to keep the processor busy, small enough for its memory."""


class Diverged(MachineError):
    """The loss or its gradient is no longer a number."""


@dataclass
class Candidate:
    """A training under way. The one record here that changes, as its step, losses and seconds do."""

    model: Any
    spec: TrainSpec
    rows: Sequence[TrainRow]
    weights: dict[str, Tensor]
    optimizer: Any
    stream_tokens: int
    step: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    dev_before: float | None = None


def prepare(base: Any, spec: TrainSpec, rows: Sequence[TrainRow]) -> Candidate:
    """A candidate at step 0 on a loaded base, its rows checked against the model's context and vocabulary."""
    import torch

    from harness.train.fused import fuse

    together = forward.choose(base, rows)
    model = lora.attach(base, spec)
    fuse(model)
    weights = lora.trainable(model)
    optimizer = torch.optim.AdamW(weights.values(), lr=0.0, weight_decay=spec.weight_decay, fused=True)
    return Candidate(model, spec, rows, weights, optimizer, STREAM_TOKENS[base.device.type] if together else 0)


def one_step(candidate: Candidate, numbers: Sequence[int], learning_rate: float) -> float:
    """One optimizer step on these rows; returns the loss, the mean over the step's completion tokens in nats.

    The gradient is that of the sum over all tokens divided by their count, however the rows are split into streams.
    """
    import torch

    rows = [candidate.rows[number] for number in numbers]
    count = sum(len(row.completion_ids) for row in rows)
    base = candidate.model.get_base_model()
    total = 0.0
    for group in micro_batches(rows, candidate.stream_tokens):
        loss = forward.nats(base, stream(group)).sum() / count
        loss.backward()
        total += float(loss.detach())
    norm = torch.nn.utils.clip_grad_norm_(candidate.weights.values(), candidate.spec.clip_norm)
    if not math.isfinite(total) or not math.isfinite(float(norm)):
        raise Diverged(
            f"training diverged at step {candidate.step + 1}: the loss is {total:.3g}, its gradient {float(norm):.3g} "
            f"at learning_rate {candidate.spec.learning_rate:g}. Lower learning_rate."
        )
    for group in candidate.optimizer.param_groups:
        group["lr"] = learning_rate
    candidate.optimizer.step()
    candidate.optimizer.zero_grad(set_to_none=True)
    return total


def mean_loss(candidate: Candidate, rows: Sequence[TrainRow]) -> float | None:
    """The mean over all completion tokens of `rows`, in nats; None without rows."""
    import torch

    if not rows:
        return None
    base = candidate.model.get_base_model()
    with torch.no_grad():
        groups = micro_batches(rows, candidate.stream_tokens)
        total = sum((float(forward.nats(base, stream(group)).sum()) for group in groups), 0.0)
    return total / sum(len(row.completion_ids) for row in rows)


def fit(
    candidate: Candidate,
    *,
    progress: Progress | None = None,
    checkpoint: Callable[[Candidate], None] | None = None,
    every: float = CHECKPOINT_SECONDS,
) -> None:
    """Trains a candidate to the end of its plan, from the step it is at.

    Calls `checkpoint` every so many seconds. Ctrl-C lets the step finish, then checkpoints and raises
    KeyboardInterrupt; a second one stops at once.
    """
    steps = plan(len(candidate.rows), candidate.spec)
    start = saved = time.monotonic()
    before, tokens = candidate.seconds, 0
    with _interrupts() as interrupted:
        while candidate.step < len(steps):
            numbers = steps[candidate.step]
            loss = one_step(candidate, numbers, rate(candidate.spec, candidate.step, len(steps)))
            candidate.step += 1
            candidate.losses.append(loss)
            tokens += sum(len(candidate.rows[number]) for number in numbers)
            now = time.monotonic()
            candidate.seconds = before + now - start
            if checkpoint is not None and (interrupted() or now - saved >= every):
                checkpoint(candidate)
                saved = time.monotonic()
            if interrupted():
                raise KeyboardInterrupt
            if progress is not None:
                progress(candidate.step, len(steps), loss, tokens / (now - start))


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
