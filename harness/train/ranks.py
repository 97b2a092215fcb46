"""Data parallel: under `torchrun` every process takes its share of a step's rows, and gradients are added up.

The first process alone reads what is there, writes, and answers dev; the others follow it. What a step computes is the
same sum over the same rows, so adapters equal those of one process up to rounding. What is not covered: a base that
does not fit one GPU.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, rows: Sequence[Any]) -> Sequence[Any]:
        """This process's rows of a step; there may be none."""
        return rows[self.rank :: self.world]

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Adds up gradients over all processes; a tensor without one counts as zero."""
        import torch

        if self.world == 1:
            return
        for tensor in tensors:
            if tensor.grad is None:
                tensor.grad = torch.zeros_like(tensor)
        flat = torch.cat([tensor.grad.flatten() for tensor in tensors if tensor.grad is not None])
        torch.distributed.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.grad = part.view_as(tensor)

    def told(self, thing: Any) -> Any:
        """What the first process has here, in every process."""
        import torch

        if self.world == 1:
            return thing
        box = [thing]
        torch.distributed.broadcast_object_list(box)
        return box[0]

    def all(self, thing: Any) -> list[Any]:
        """What every process has here."""
        import torch

        if self.world == 1:
            return [thing]
        found: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(found, thing)
        return found


@functools.cache
def current() -> Ranks:
    """This process among those that torchrun started; alone without it."""
    import torch

    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1 or "MASTER_ADDR" not in os.environ:
        return Ranks()
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if cuda else "gloo")
    return Ranks(torch.distributed.get_rank(), world)
