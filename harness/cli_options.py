"""Options that several verbs share."""

from __future__ import annotations

import click

config = click.option(
    "--config", default="models.yaml", metavar="FILE", show_default=True, help="Models, adapters and arms."
)
json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
engine = click.option(
    "--engine",
    metavar="NAME",
    help="vllm, transformers or fake, for models on this machine. Default: vLLM on a GPU, else transformers.",
)


def _accept(_: click.Context, __: click.Parameter, given: bool) -> None:
    if given:
        from harness.sandbox import accept_unsandboxed

        accept_unsandboxed()


unsandboxed = click.option(
    "--i-accept-unsandboxed-code",
    is_flag=True,
    expose_value=False,
    callback=_accept,
    help="Run code of a model even where this machine has no sandbox for it; the report will say so.",
)
