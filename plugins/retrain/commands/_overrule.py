"""What ``retrain bless`` and ``retrain veto`` share: a human's verdict over the gates'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retrain.commands._output import say, show_json

if TYPE_CHECKING:
    from retrain.ledger import Entry

Name = Annotated[str, typer.Argument(help="The pipeline.")]
Version = Annotated[int, typer.Argument(min=1, help="The version.")]
Reason = Annotated[str, typer.Option(help="Why; the ledger keeps it.")]


def show(entry: Entry, version: int, json: bool, what: str) -> None:
    """Print the verdict that was written."""
    if json:
        return show_json(entry.model_dump(mode="json"))
    return say(f"{entry.pipeline}: version {version} {what} (ledger entry {entry.number}).")
