"""What a run need not ask again: what its folder, and the runs whose answers may stand in, say of engine and adapters.

Everything is held to digests of content, never to names or dates: what has changed since is found out, and asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from harness import again, drift
from harness.data import AdapterRef, Completion, Model, Request, Run
from harness.digests import fake_identity, identity
from harness.engines import Chosen, Described, Engine, applied
from harness.engines.unopened import Unopened, card, unopened
from harness.errors import AdapterError
from harness.tasks import Task

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
                by = opened.get(about.get("model")) or {}
                if all(by.get(key) == engine.card.get(key) for key in ("of", "name")):
                    found |= {name: about for name, ref in adapters.items() if ref.digest == about["digest"]}
        return found

    def drifts(self, proven: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """The drift that was measured, by adapter; `drift.measure` looks whether it still holds."""
        before = self.old.manifest["adapters"] if self.old else {}
        return {name: about.get("drift") or {} for name, about in {**proven, **before}.items()}

    def repeated(self, asked: Mapping[str, Sequence[tuple[Request, T]]]) -> dict[str, dict[str, Any]]:
        """What asking the very same questions again has shown, by arm."""
        return again.known(asked, [manifest.get("again") or {} for manifest in self.manifests])


@dataclass(frozen=True)
class Prepared:
    """All answers wanted of one model, rendered, and what gives them. engine: None where nothing is left to ask of it.

    said: by what the answers are named. digest: of the base model. proof: of each adapter, in nats. drifts, repeated:
    what has been measured before, per adapter and per arm. kept: what run.json is to keep of the engine.
    """

    tasks: Sequence[Task]
    engine: Engine | None
    said: Engine | Unopened
    digest: str
    proof: Mapping[str, float]
    drifts: Mapping[str, Mapping[str, Any]]
    repeated: Mapping[str, Mapping[str, Any]]
    kept: Mapping[str, Any]


def prepared(
    here: Model,
    adapters: Mapping[str, AdapterRef],
    planned: Callable[[Described, str], list[Task]],
    earlier: Earlier,
    known: Mapping[str, Completion],
    chosen: Chosen,
    refuse: Callable[[Unopened, Sequence[Task]], None],
    open_: Callable[[], Engine],
    texts: Sequence[str],
    twice: bool,
) -> Prepared:
    """What is left to ask is found first; the engine is opened where that is something.

    here: the located model. planned: renders for an engine and a base model's digest. known: answers by their keys.
    refuse: raises where the folder cannot be taken up, before anything is opened. texts: neutral ones, for drift.
    twice: whether some questions are asked again (again.py).
    Raises what `planned`, `refuse` and `open_` raise, and AdapterError where an adapter is not applied.
    """
    look = earlier.engine_of(here, chosen) if known else None
    tasks = planned(look, look.identity) if look else []
    proven = earlier.proven(look, adapters) if look else {}
    drifts, repeated = earlier.drifts(proven), earlier.repeated(by_arm(tasks)) if twice else {}
    if (
        look
        and all(task.request.key in known for task in tasks)
        and not (adapters.keys() - proven.keys() or drift.unmeasured(texts, look.identity, adapters, drifts))
        and not (twice and by_arm(tasks).keys() - repeated.keys())
    ):
        proof = {name: float(about["applied"]["max_logprob_difference"]) for name, about in proven.items()}
        return Prepared(tasks, None, look, look.identity, proof, drifts, repeated, look.card)
    if look:
        refuse(look, tasks)
    engine = open_()
    digest = getattr(engine, "identity", None) or (fake_identity(here) if engine.name == "fake" else identity(here))
    proof = dict(zip(adapters, applied(engine, *adapters.values()), strict=True))
    for name, difference in proof.items():
        if difference == 0.0:
            raise AdapterError(
                f"adapter '{name}': the engine answers as if it were not there. Train it again, or check its path."
            )
    if look is None or not look.is_like(engine, digest):
        tasks = planned(engine, digest)
        repeated = earlier.repeated(by_arm(tasks)) if twice else {}
    return Prepared(tasks, engine, engine, digest, proof, drifts, repeated, card(engine, here, digest, chosen))


def by_arm(tasks: Sequence[Task]) -> dict[str, list[tuple[Request, Task]]]:
    """What may be asked again; of a suite with looks, samples of the first: they stay the same in the later ones."""
    suites = {task.suite.name: task.suite for task in tasks}.values()
    first = {one.name: {s.id for s in one.test[: one.looks["sizes"][0]]} for one in suites if one.looks}
    found: dict[str, list[tuple[Request, Task]]] = defaultdict(list)
    for task in tasks:
        if task.suite.name not in first or task.sample.id in first[task.suite.name]:
            found[task.arm.name].append((task.request, task))
    return found
