"""Workers on a Ray cluster, one actor each; see pool.py for what is done with them.

The driver holds the queue and writes the run; nodes need the same packages, the model, and the adapters at the same
paths. Nothing of Ray's is in the answers: the engine's name and version are those of the workers' engine.

Ray notices a worker that dies, not one that hangs. So each says every few seconds that it lives, and one that has said
nothing for `hang_after` seconds is gone. Only time in which the driver listened counts. What is not covered: one that
hangs while it starts its engine; the others go on without it.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from harness import __version__
from harness.data import AdapterRef, Model
from harness.engines import Cluster
from harness.engines.options import engine_options
from harness.engines.pool import Answered, Event, Gone, Handed, Pool, Ready, Returned, WorkerGone
from harness.engines.watchdog import HANG_AFTER
from harness.engines.worker import Worker
from harness.errors import HarnessError, MachineError

LOCAL, AUTO = "local", "auto"
REACHED_WITHIN = 10.0
"""Seconds for a cluster's address to take a connection; Ray itself would try for minutes."""
BEAT = 10.0
"""Seconds between two signs of life of a worker that has no answers; a quarter of `hang_after` if that is less."""
STORE = 200 << 20
"""Bytes of shared memory for the objects of a cluster on this machine: requests and answers are small."""


def open_pool(model: Model, adapters: Sequence[AdapterRef], cluster: Cluster) -> Pool:
    """An engine whose workers are on the cluster. Raises HarnessError (Ray, its address), and what `Pool` raises."""
    crew = RayCrew(model, adapters, cluster)
    try:
        return Pool(crew, crew.size)
    except BaseException:
        crew.close()
        raise


class RayCrew:
    """See `pool.Crew`. A cluster that was started for this one ends with it.

    size: how many workers; by default as many as the cluster has room for. A worker takes the GPUs that its model
    wants (tensor_parallel_size x pipeline_parallel_size) where the cluster has GPUs, and `threads` CPUs (1).
    """

    def __init__(self, model: Model, adapters: Sequence[AdapterRef], cluster: Cluster) -> None:
        self._actors: dict[int, Any] = {}
        self._awaited: dict[Any, tuple[int, str]] = {}
        self._kept: list[Event] = []
        self._silent: dict[int, float] = {}
        self._started = 0
        options = engine_options(model)
        self._hang_after = float(options.get("hang_after") or HANG_AFTER)
        self._beat = min(BEAT, self._hang_after / 4)
        self._cpus = int(options.get("threads") or 1)
        self._ours = _connect(cluster, self._cpus)
        import ray

        self._ray = ray
        name = cluster.engine or ("fake" if model.path == "fake" else None)
        room = ray.cluster_resources()
        per_worker = int(options.get("tensor_parallel_size") or 1) * int(options.get("pipeline_parallel_size") or 1)
        self._gpus = per_worker if room.get("GPU") and name != "fake" else 0
        fits = int(room["GPU"] // self._gpus if self._gpus else room.get("CPU", 1) // self._cpus)
        self.size = cluster.workers or max(1, fits)
        if self.size > fits:
            self.close()
            needed = f"{self._gpus} GPUs" if self._gpus else f"{self._cpus} CPUs"
            raise HarnessError(
                f"--ray-workers: the cluster has room for {fits} workers of {needed}, not {self.size}. Ask for fewer, "
                "or add nodes."
            )
        if not self._gpus:  # else each vLLM would take every core
            model = replace(model, engine={**options, "threads": self._cpus})
        self._made = (model, tuple(adapters), name, __version__)

    def start(self) -> int:
        """See `Crew.start`."""
        number = self._started = self._started + 1
        remote = self._ray.remote(Worker)
        actor = remote.options(
            num_cpus=self._cpus, num_gpus=self._gpus, max_restarts=0, max_task_retries=0, max_concurrency=5
        ).remote(*self._made)
        self._actors[number] = actor
        self._awaited[actor.start.remote()] = (number, "start")
        return number

    def give(self, worker: int, handed: Sequence[Handed]) -> None:
        """See `Crew.give`."""
        self._actors[worker].give.remote(list(handed))

    def take_back(self, worker: int, count: int) -> None:
        """See `Crew.take_back`."""
        self._awaited[self._actors[worker].take_back.remote(count)] = (worker, "take_back")

    def forget(self, worker: int, below: int) -> None:
        """See `Crew.forget`."""
        self._actors[worker].forget.remote(below)

    def ask(self, worker: int, what: str, *given: Any) -> Any:
        """See `Crew.ask`."""
        asked = self._actors[worker].ask.remote(what, *given)
        while not self._ray.wait([asked], timeout=0)[0]:
            self._kept += self._listen(1.0, asked)
            for event in self._kept:
                if isinstance(event, Gone) and event.worker == worker:
                    raise WorkerGone(event.why)
        try:
            return self._ray.get(asked)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            raise WorkerGone(_why(error)) from None

    def events(self, seconds: float) -> Sequence[Event]:
        """See `Crew.events`."""
        kept, self._kept = self._kept, []
        return kept or self._listen(seconds)

    def end(self, worker: int) -> None:
        """See `Crew.end`."""
        self._kept = [event for event in self._kept if event.worker != worker]
        self._leave(worker)
        actor = self._actors.pop(worker, None)
        if actor is not None:
            self._ray.kill(actor)

    def close(self) -> None:
        """See `Crew.close`. Engines get a moment to end their own processes."""
        if not self._ray.is_initialized():
            return
        closing = [actor.close.remote() for actor in self._actors.values()]
        if closing:
            self._ray.wait(closing, num_returns=len(closing), timeout=15)
        for worker in list(self._actors):
            self.end(worker)
        if self._ours:
            self._ray.shutdown()

    def _listen(self, seconds: float, *more: Any) -> list[Event]:
        """What happens within so many seconds; returns as soon as something has, to `more`, too."""
        waiting = [*more, *self._awaited]
        if not waiting:
            time.sleep(seconds)
            return []
        since = time.monotonic()
        done, _ = self._ray.wait(waiting, num_returns=1, timeout=seconds)
        if done:
            done, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        found = [event for reference in done for event in self._event(reference)]
        return found + self._hung(min(seconds, time.monotonic() - since))

    def _hung(self, seconds: float) -> list[Event]:
        """Workers that have been silent for too long; `seconds` came to it now."""
        self._silent = {worker: silent + seconds for worker, silent in self._silent.items()}
        hung = [worker for worker, silent in self._silent.items() if silent > self._hang_after]
        why = f"A worker gave no sign of life for {self._hang_after:g} seconds."
        return [self._gone(worker, why) for worker in hung]

    def _leave(self, worker: int) -> None:
        """Nothing more is awaited of this worker."""
        self._awaited = {reference: about for reference, about in self._awaited.items() if about[0] != worker}
        self._silent.pop(worker, None)

    def _gone(self, worker: int, why: str, error: HarnessError | None = None) -> Gone:
        self._leave(worker)
        return Gone(worker, why, error)

    def _event(self, reference: Any) -> list[Event]:
        worker, what = self._awaited.pop(reference, (0, ""))
        if not worker:  # of one that was ended meanwhile, or not an event
            return []
        try:
            found = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            return [self._gone(worker, _why(error))]
        if isinstance(found, HarnessError):
            return [self._gone(worker, str(found), found)]
        if what == "take_back":
            return [Returned(worker, found)]
        self._silent[worker] = 0.0
        self._awaited[self._actors[worker].take.remote(self._beat)] = (worker, "take")
        if what == "start":
            return [Ready(worker, found)]
        return [Answered(worker, *found)] if any(found) else []


def _connect(cluster: Cluster, cpus: int) -> bool:
    """Connects to the cluster, unless this process is; True where it was started for us. One line for what fails."""
    if find_spec("ray") is None:
        raise HarnessError("Ray is not installed. Install it with: pip install '.[ray]'")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        return False
    address = cluster.address or LOCAL
    more: dict[str, Any] = {}
    if address == LOCAL:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        more = {"num_cpus": max(cores, (cluster.workers or 1) * cpus), "object_store_memory": STORE}
        more |= {"include_dashboard": False}
        os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 leaves an engine little of a busy machine
    elif address != AUTO:
        _reach(address)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **more)
    except Exception as error:  # of a cluster that does not come up Ray says so with just that
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        todo = "" if address == LOCAL else " Start one with `ray start --head`, or use --ray for one on this machine."
        raise MachineError(f"--ray {address}: {reason.rstrip('.')}.{todo}") from None
    for number, handler in handlers.items():  # Ray's own would end us without a word
        signal.signal(number, handler)
    _quieten()
    return True


def _reach(address: str) -> None:
    """Raises where nothing listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise HarnessError(
            f"--ray {address}: not an address. Give HOST:PORT of the cluster's head (6379 by default), on a machine of "
            "the cluster, or 'auto' there."
        )
    try:
        socket.create_connection((host, int(port)), timeout=REACHED_WITHIN).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MachineError(
            f"--ray {address}: no cluster answers there ({reason}). Is its head running, and the port right? See "
            "`ray status`."
        ) from None


def _quieten() -> None:
    """Ray prints a paragraph on stdout for every worker that dies; we say it in a line on stderr."""
    import ray._private.worker as private

    if hasattr(private, "print_to_stdstream"):
        private.print_to_stdstream = lambda *_, **__: None


def _why(error: Exception) -> str:
    """One sentence on the end of a worker."""
    text = str(error)
    if "No module named 'harness'" in text:
        return "harness is not installed on a node of the cluster. Install it there too."
    if "Out of memory" in text or "OutOfMemory" in type(error).__name__ or "memory monitor" in text:
        return "A worker was ended for want of memory."
    where = next((line.split(":", 1)[1].strip() for line in text.splitlines() if line.strip().startswith("ip:")), "")
    return f"A worker{f' on {where}' if where else ''} died."
