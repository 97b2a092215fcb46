"""Before the first step: does it fit, how many candidates shall share a forward pass, and how long will it take?

Several candidates in one pass are faster where each alone is too small to keep the processor busy, and slower where
their data no longer fit its cache: so a few rounds without an optimizer step are timed. It changes no adapter: on a
CPU a group size is taken only where it gives the same gradients bit for bit as one candidate after another.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data import TrainSpec
from harness.errors import MachineError
from harness.train.ranks import current
from harness.train.steps import Candidate, Trunk, within_memory

WORTH = 0.97
"""A larger group is taken where a round takes less than this share of what it takes one after another."""
LEAST_ROUNDS = 30
"""A shorter training ends before a probe has paid."""
REPEATS = 3
PER_WEIGHT = 16
"""Bytes per trained number: itself, its gradient and AdamW's two moments, in float32."""

NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes per weight in four bits: itself, its block's scale in eight bits, and that one's in float32."""


@dataclass(frozen=True)
class Timing:
    """Seconds of a round by group size (empty: not timed), the group taken, and what all rounds will take."""

    group: int
    rounds: Mapping[int, float] = field(default_factory=dict)
    seconds: float | None = None


def time_groups(trunk: Trunk, candidates: Sequence[Candidate]) -> Timing:
    """Times the next round at several group sizes, interleaved; leaves no gradient behind. See the module."""
    import torch

    active = [one for one in candidates if one.active]
    rounds = max((len(one.steps) - one.step for one in active), default=0)
    if not trunk.way.apart or rounds < LEAST_ROUNDS or current().world > 1:
        return Timing(1)
    sizes = [size for size in (1, 2, 4, 8, 16, 32) if size < len(active)] + [len(active)]
    on_cpu = trunk.frozen.base.device.type == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    best = dict.fromkeys(sizes, float("inf"))
    first: list[Any] = []
    for _ in range(REPEATS if len(sizes) > 1 else 1):
        for size in [size for size in sizes if size in best]:
            trunk.group = size
            start = clock()
            within_memory(trunk, active)
            best[size] = min(best[size], clock() - start)
            found = [tensor.grad for one in active for tensor in one.tensors]
            first = first or found
            same = not on_cpu or all(_same(a, b, torch) for a, b in zip(found, first, strict=True))
            if trunk.group != size or not same:  # memory ran out on the way, or rounding differs
                del best[size]
            for one in active:
                one.optimizer.zero_grad(set_to_none=True)
    group = choose_group(best)
    return Timing(group, best, best[group] * sum(len(one.steps) - one.step for one in active) / len(active))


def choose_group(rounds: Mapping[int, float]) -> int:
    """The fastest group size, if it is worth it, else 1. rounds: seconds of a round by group size.

    >>> choose_group({1: 1.00, 2: 0.80, 4: 0.70}), choose_group({1: 1.00, 4: 0.98})
    (4, 1)
    """
    fastest = min(rounds, key=lambda size: rounds[size])
    return fastest if rounds[fastest] < WORTH * rounds[1] else 1


def _same(one: Any, other: Any, torch: Any) -> bool:
    return one is other is None or (one is not None and other is not None and bool(torch.equal(one, other)))


# --- memory -----------------------------------------------------------------------------------------------------------


def check_memory(
    skeleton: Any, wanted: Mapping[str, TrainSpec], width: float, free: int | None = None
) -> dict[str, int]:
    """What base and adapters take, in MB; raises MachineError with the numbers where that alone does not fit.

    skeleton: the model without its weights (on torch's meta device). wanted: the recipe of each candidate. width: bytes
    per number of the base; NF4 of its linear layers where the recipes quantize. free: bytes, by default those of the
    GPU or, without one, of this machine.
    What is not covered: activations. They are cut to what is left while training, see `steps.one_round`.
    """
    from harness.train.lora import linears

    shapes = {name: tuple(layer.weight.shape) for name, layer in linears(skeleton).items()}
    base = sum(weight.numel() for weight in skeleton.parameters()) * width
    if any(spec.quantize for spec in wanted.values()):
        base += sum(a * b for a, b in shapes.values()) * (NF4 - width)
    base = math.ceil(base)
    trained = {
        name: spec.rank
        * sum(sum(shape) for layer, shape in shapes.items() if layer.split(".")[-1] in spec.target_modules)
        for name, spec in wanted.items()
    }
    adapters = sum(trained.values()) * PER_WEIGHT
    free = free_memory() if free is None else free
    if base + adapters > free:
        raise MachineError(
            f"adapter {', '.join(wanted)}: needs {_gib(base)} for the base and {_gib(adapters)} for adapters and their "
            f"optimizer, and {_gib(free)} are free. Train fewer at once, use a smaller rank, or a smaller model."
        )
    return {"base_mb": round(base / 2**20), "adapters_mb": round(adapters / 2**20), "free_mb": round(free / 2**20)}


def free_memory() -> int:
    """Bytes: of the GPU if there is one, else what this machine, or the container it is, has left."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    lines = Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").is_file() else []
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and limit.read_text().strip() != "max":
        found.append(int(limit.read_text()) - int(used.read_text()))
    return min(found, default=2**62)


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
