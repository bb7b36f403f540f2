"""What the commands share by which a human overrules the machine: what they are given, and what they print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

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


def show_release(entry: Entry, json: bool, said: str, **more: Any) -> None:
    """Print the routing decision that was written.

    :param more: what a program is told besides.
    """
    if json:
        release = entry.body.model_dump(mode="json")
        return show_json(
            {"pipeline": entry.pipeline, "entry": entry.number, "at": entry.at, "release": release, **more}
        )
    return say(f"{entry.pipeline}: {said} (ledger entry {entry.number}).")
