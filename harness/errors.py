"""Every mistake the harness reports in one line.

    HarnessError            exit code 2: the user's mistake, unless a child says otherwise
    ├── ConfigError         models.yaml, gate.yaml
    ├── SuiteError          a suite folder, its data, its scorers
    ├── RunError            a run folder or baseline file that is missing, locked or not one
    ├── AdapterError        an adapter that is missing, broken, or does not fit its base or engine
    ├── NotComparable       exit code 4: two sides that were not measured the same way
    └── MachineError        exit code 5: engine, memory, disk, sandbox
        ├── EngineError
        │   └── EngineDied  the engine is gone, a new one may go on; EngineOutOfMemory: with fewer requests at once
        └── SandboxError

A message says where, what, and what to do. Our own mistakes are not HarnessErrors: they crash with a traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

EXIT_OK = 0
EXIT_REGRESSION = 1
EXIT_USER = 2
EXIT_INCONCLUSIVE = 3
EXIT_NOT_COMPARABLE = 4
EXIT_MACHINE = 5
EXIT_INTERRUPTED = 130


class HarnessError(Exception):
    exit_code = EXIT_USER


class ConfigError(HarnessError):
    pass


class SuiteError(HarnessError):
    pass


class RunError(HarnessError):
    pass


class AdapterError(HarnessError):
    pass


class NotComparable(HarnessError):
    exit_code = EXIT_NOT_COMPARABLE


class MachineError(HarnessError):
    exit_code = EXIT_MACHINE


class EngineError(MachineError):
    pass


class EngineDied(EngineError):
    pass


class EngineOutOfMemory(EngineDied):
    pass


class SandboxError(MachineError):
    pass


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence to append to an error: " Did you mean 'shots'?", or the known names, or nothing.

    >>> did_you_mean("shot", ["shots", "system"])
    " Did you mean 'shots'?"
    """
    names = sorted(map(str, known))
    close = difflib.get_close_matches(str(word), names, n=1)
    if close:
        return f" Did you mean '{close[0]}'?"
    return f" Known: {', '.join(names)}." if names else ""
