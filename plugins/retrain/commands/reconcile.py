"""``retrain reconcile``: bring target and MLflow to agree with the ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from retrain.commands._output import say
from retrain.commands._place import follow, open_ledger, open_site

PANEL = "Steer"


def reconcile(name: Annotated[str, typer.Argument(help="The pipeline.")]) -> None:
    """Bring where it runs, and MLflow's aliases, to agree with the ledger. Safe at any time; changes no decision."""
    site = open_site()
    ledger = open_ledger(name, site)
    if not follow(ledger, site):
        say(f"{name}: not everything agrees with ledger entry {ledger.release_number()} yet; try again later.")
        raise typer.Exit(1)
    say(f"{name}: target and aliases agree with ledger entry {ledger.release_number()}.")
