"""What a run need not ask again: what its folder, and the runs whose answers may stand in, say of engine and adapters.

Everything is held to digests of content, never to names or dates: what has changed since is found out, and asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from harness import again
from harness.data import AdapterRef, Model, Request, Run
from harness.engines import Chosen
from harness.engines.unopened import Unopened, unopened

T = TypeVar("T")


@dataclass(frozen=True)
class Earlier:
    """old: the run that the folder holds; None in a new folder. others: those of `--reuse`."""

    old: Run | None
    others: Sequence[Run]

    @property
    def manifests(self) -> list[Mapping[str, Any]]:
        """The folder's own first."""
        return [run.manifest for run in (*([self.old] if self.old else ()), *self.others)]

    def engine_of(self, model: Model, chosen: Chosen) -> Unopened | None:
        """The engine of a located model without opening it; None where it has to be opened to know what it is."""
        return unopened(model, chosen, [one for said in self.manifests for one in said.get("opened", {}).values()])

    def proven(self, engine: Unopened, adapters: Mapping[str, AdapterRef]) -> dict[str, Mapping[str, Any]]:
        """What run.json says of those adapters that have been proven to be applied by this very engine."""
        found: dict[str, Mapping[str, Any]] = {}
        for manifest in reversed(self.manifests):
            opened = manifest.get("opened", {})
            for about in manifest.get("adapters", {}).values():
                if (opened.get(about.get("model")) or {}).get("of") == engine.card.get("of"):
                    found |= {name: about for name, ref in adapters.items() if ref.digest == about["digest"]}
        return found

    def drifts(self, proven: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """The drift that was measured, by adapter; `drift.measure` looks whether it still holds."""
        before = self.old.manifest["adapters"] if self.old else {}
        return {name: about.get("drift") or {} for name, about in {**proven, **before}.items()}

    def repeated(self, asked: Mapping[str, Sequence[tuple[Request, T]]]) -> dict[str, dict[str, Any]]:
        """What asking the very same questions again has shown, by arm."""
        return again.known(asked, [manifest.get("again") or {} for manifest in self.manifests])
