"""A training that can be broken off at any moment: one file that is either the old state or the new one."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

from harness.train.card import on_disk, write_file
from harness.train.steps import Candidate, Validation


def write_checkpoint(file: Path, identity: str, candidate: Candidate) -> None:
    """The adapter, the optimizer and the step, in one file that is either the old one or the new one."""
    import torch

    buffer = io.BytesIO()
    content = {
        "identity": identity,
        "step": candidate.step,
        "losses": candidate.losses,
        "seconds": candidate.seconds,
        "dev_before": candidate.dev_before,
        "dev": [(one.step, one.scores) for one in candidate.dev],
        "best": candidate.best,
        "ended": candidate.ended,
        "weights": {name: weight.detach() for name, weight in candidate.weights.named().items()},
        "optimizer": candidate.optimizer.state_dict(),
    }
    torch.save(content, buffer)
    with on_disk(file.parent):
        write_file(file, buffer.getvalue())


def read_checkpoint(file: Path, identity: str, candidate: Candidate) -> bool:
    """Sets the candidate to where its checkpoint stands. False if there is none, or it is another training's."""
    import torch

    if not file.is_file():
        return False
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError):
        return False
    if content["identity"] != identity:
        return False
    with torch.no_grad():
        for name, weight in candidate.weights.named().items():
            weight.copy_(content["weights"][name])
    candidate.optimizer.load_state_dict(content["optimizer"])
    candidate.step, candidate.losses = content["step"], content["losses"]
    candidate.seconds, candidate.dev_before = content["seconds"], content["dev_before"]
    candidate.dev = [Validation(step, tuple(scores)) for step, scores in content["dev"]]
    candidate.best, candidate.ended = content["best"], content["ended"]
    return True
