"""Run a model's Python and SQL where it can neither harm nor lie, and get its results back as plain values.

    run_calls(code, [Call("double", (3,))], Limits()) -> [CallResult(status="ok", value=6, args=(3,))]

The process gets a program and calls, never expected values and never a checker: right or wrong is decided out here,
so a program that prints PASS, exits early or patches the interpreter gains nothing but a wrong answer.
"""

from __future__ import annotations

from harness.sandbox.pool import Tier, tiers
from harness.sandbox.process import (
    Call,
    CallResult,
    Limits,
    accept_unsandboxed,
    accepted,
    described,
    ready,
    run_calls,
    run_queries,
    tier,
)
from harness.sandbox.query import Result
from harness.sandbox.values import Opaque, same, shown

__all__ = [
    "Call", "CallResult", "Limits", "Opaque", "Result", "Tier", "accept_unsandboxed", "accepted", "described", "ready",
    "run_calls", "run_queries", "same", "shown", "tier", "tiers",
]  # fmt: skip
