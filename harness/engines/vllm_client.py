"""vLLM's client of an engine's process: whoever waits hears of its death, and one thread alone shuts it down."""

from __future__ import annotations

import inspect
import multiprocessing.connection
import threading
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from contextlib import suppress
from typing import Any

WAIT_FOR_END = 1.0
"""Seconds that the engine's processes are given to end by themselves."""


def watch(core: Any) -> Callable[..., None]:
    """Sees to it that whoever waits for the engine hears of its death. Returns what shuts vLLM's client down.

    vLLM's blocking client notices a killed engine process, but leaves the caller waiting, and shuts itself down in a
    thread of its own: it closes sockets that the caller may be using, which is a segmentation fault. So that thread
    finds nothing to do, and `end` does it.
    """
    from vllm.v1.engine.exceptions import EngineDeadError

    shutdown: Callable[..., None] = core.shutdown
    queue, resources = getattr(core, "outputs_queue", None), getattr(core, "resources", None)
    manager: Any = getattr(resources, "engine_manager", None)
    if queue is None or resources is None or manager is None:
        return shutdown
    core.shutdown = lambda *_, **__: None
    ends, waiting = [process.sentinel for process in manager.processes], core.utility_results

    def wait() -> None:
        multiprocessing.connection.wait(ends)
        resources.engine_dead = True  # nothing more is sent
        for asked in list(waiting.values()):
            with suppress(InvalidStateError):
                asked.set_exception(EngineDeadError())
        queue.put(EngineDeadError())

    threading.Thread(target=wait, daemon=True, name="engine death").start()
    return shutdown


def end(core: Any, shutdown: Callable[..., None]) -> None:
    """Ends the engine's processes. They hold nothing to save, and are not given the 5 s to clean up that vLLM waits.

    The thread that reads answers goes first: its socket is its own to close, and vLLM would close it from here. The
    sockets' context, which vLLM leaves open, goes last.
    """
    reader, context = getattr(core, "output_queue_thread", None), getattr(core, "ctx", None)
    if reader is not None and context is not None:
        _stop(reader, context, core.resources)
    waits = "timeout" in inspect.signature(shutdown).parameters  # not in every release
    shutdown(**({"timeout": WAIT_FOR_END} if waits else {}))
    if reader is not None and context is not None and not reader.is_alive():
        context.destroy(linger=0)


def _stop(reader: threading.Thread, context: Any, resources: Any) -> None:
    import zmq

    with context.socket(zmq.PAIR) as bell:
        bell.linger = 0  # of one that nobody hears
        bell.connect(resources.shutdown_path)
        bell.send(b"")
        reader.join(WAIT_FOR_END)
    resources.shutdown_path = None
