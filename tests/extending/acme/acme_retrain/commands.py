"""Acme's commands."""

from __future__ import annotations

from typing import Annotated

import typer


def versions(name: Annotated[str, typer.Argument(help="The pipeline.")]) -> None:
    """Every version of a pipeline, and how it stands."""
    from retrain.site import Site

    for version in Site().ledger(name).versions():
        typer.echo(f"{version.version}  {version.standing}  {version.reason}")
