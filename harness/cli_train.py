"""The verbs about adapters: train, export."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli_gate import parted
from harness.cli_options import config as _config
from harness.cli_options import json as _json
from harness.cli_options import unsandboxed as _unsandboxed
from harness.errors import EXIT_OK


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--drop-losers", is_flag=True, help="End candidates that are clearly behind the others on dev.")
@click.option("--curve", is_flag=True, help="Train a learning curve of one adapter: five sizes, three seeds.")
@_config
def train(names: tuple[str, ...], drop_losers: bool, curve: bool, config: str) -> None:
    """Train LoRA candidates named in models.yaml, together where they share a base. Interrupted training goes on.

    \b
    Examples: harness train sql-r16
              harness train sql-r8 sql-r16 sql-r32 --drop-losers
              harness train sql-r16 --curve
    """
    from harness.config import pick, read_config
    from harness.train import candidate

    checked = read_config(config)
    chosen = pick(names, checked.adapters, Path(config).name, "adapter")
    following = ""
    if curve:
        if len(chosen) != 1 or drop_losers:
            raise click.UsageError("--curve takes one adapter, and trains all of its candidates to the end.")
        file = Path(config).with_name(f"{Path(config).stem}.{chosen[0].name}-curve.yaml")
        arms = " ".join(f"-s {name}" for name in chosen[0].train.suites) if chosen[0].train else ""
        chosen, text = candidate.curve(checked, chosen[0])
        file.write_text(text, "utf-8")
        following = f"Next: harness run --config {file} {arms} " + " ".join(f"-a {one.name}" for one in chosen)
    for line in candidate.train_candidates(checked, chosen, Path(config).parent, drop_losers=drop_losers):
        click.echo(line)
    if following:
        click.echo(following, err=True)


@click.command()
@click.argument("name", metavar="ADAPTER")
@click.option("--merged", is_flag=True, help="One model instead of an adapter beside its base.")
@click.option("--out", metavar="DIR", help="Default: exports/ADAPTER.")
@click.option(
    "--verify", metavar="RUN:ARM", help="Start that server and ask what the run asked: are its scores reproduced?"
)
@_unsandboxed
@_config
@_json
def export(name: str, merged: bool, out: str | None, verify: str | None, config: str, as_json: bool) -> None:
    """A trained adapter as a folder to serve, bare or merged, with the command that serves it.

    \b
    Examples: harness export sql-r16
              harness export sql-r16 --merged --out served/sql
              harness export sql-r16 --verify runs/sql:lora
    """
    from harness.config import pick, read_config
    from harness.export import CARD, export_adapter
    from harness.export import verify as verified
    from harness.plain import plain

    checked = read_config(config)
    (adapter,) = pick((name,), checked.adapters, Path(config).name, "adapter")
    folder = Path(out or f"exports/{name}").resolve()
    against = parted(verify) if verify else None
    done = export_adapter(checked, adapter, folder, merged=merged, root=Path(config).parent, against=against)
    proof = verified(done, against, Path(config).parent) if against else None
    click.echo((folder / CARD).read_text("utf-8").rstrip() if as_json else done.as_text())
    if proof and not as_json:
        click.echo("\n".join(map(plain, proof.as_text().split("\n"))))
    raise SystemExit(proof.exit_code if proof else EXIT_OK)
