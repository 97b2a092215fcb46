"""training.json: how an adapter was made, so that a report can say it and the same training is not done twice."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.data import TrainSpec
from harness.digests import adapter_digest, text_digest
from harness.errors import AdapterError, HarnessError, MachineError
from harness.train.data import TrainRow

CARD = "training.json"
DROPPED = "dropped"
"""How the card of a candidate begins to say why it ended, where its rivals were clearly better."""
FORMAT = 4
"""Part of an adapter's identity: raised when the trainer changes what it makes of the same recipe."""


@dataclass(frozen=True)
class TrainResult:
    """A finished adapter. card: its training.json. reused: it was there already, made by the same recipe.

    stopped: why there is no adapter of this candidate, "" if there is; it has no card then.
    """

    path: str
    card: Mapping[str, Any]
    reused: bool = False
    stopped: str = ""

    @property
    def steps(self) -> int:
        return int(self.card["steps"])

    @property
    def seconds(self) -> float:
        """Spent in steps, over all resumed parts."""
        return float(self.card["seconds"])

    @property
    def trainable_parameters(self) -> int:
        return int(self.card["trainable_parameters"])


def data_digest(rows: Sequence[TrainRow]) -> str:
    """Identity of training data: its token ids in order."""
    return text_digest([[row.prompt_ids, row.completion_ids] for row in rows])


def training_digest(spec: TrainSpec, base: str, data: str, chosen_by: str = "") -> str:
    """Identity of a training: the recipe, the base's digest, the data's digest. Same identity, same adapter.

    chosen_by: where dev has a say in what is kept, the identity of its samples, their decoding and scorers.
    """
    return text_digest(FORMAT, asdict(spec), base, data, *([chosen_by] if chosen_by else ()))


def read_card(folder: Path | str) -> dict[str, Any] | None:
    """The card of an adapter folder, or None for an adapter that was not trained here."""
    file = Path(folder) / CARD
    if not file.is_file():
        return None
    try:
        card = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise AdapterError(f"{file}: not JSON ({error}). Delete the folder and train again.") from None
    if not isinstance(card, dict) or "training_digest" not in card:
        raise AdapterError(f"{file}: not a training card. Delete the folder and train again.")
    return card


def finished(folder: Path, identity: str, dropped: bool = False) -> dict[str, Any] | None:
    """The card of a complete adapter of this identity whose files are those the training wrote; else None.

    dropped: one that was ended for being behind counts as complete.
    """
    card = read_card(folder)
    if card is not None and card.get("ended", "").startswith(DROPPED) and not dropped:
        return None
    if card is None or card["training_digest"] != identity or not (folder / "adapter_config.json").is_file():
        return None
    return card if card["adapter_digest"] == adapter_digest(folder) else None


def write_file(path: Path, content: bytes) -> None:
    """Writes a whole file or, on a crash at any moment, leaves the one that was there."""
    draft = path.with_name(path.name + ".tmp")
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(draft, path)


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    write_file(folder / CARD, json.dumps(card, indent=2, allow_nan=False).encode() + b"\n")


@contextlib.contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turns what a disk can refuse into one line."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        kind: type[HarnessError] = AdapterError
        hint = "Choose a path that can be written."
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            kind, hint = MachineError, "Free some space and run it again; it goes on where it stopped."
        raise kind(f"adapter {path}: {reason}. {hint}") from None
