"""``retrain bless`` and ``retrain veto``: a human's verdict over the gates'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retrain.commands.output import Json, say, show_json
from retrain.commands.place import actor, follow, open_ledger, open_site

if TYPE_CHECKING:
    from retrain.ledger import Entry

Name = Annotated[str, typer.Argument(help="The pipeline.")]
Version = Annotated[int, typer.Argument(min=1, help="The version.")]
Reason = Annotated[str, typer.Option(help="Why; the ledger keeps it.")]


def bless(name: Name, version: Version, reason: Reason, json: Json = False) -> None:
    """Allow a version that was vetoed or left undecided."""
    from retrain.ledger.overrule import bless as write

    entry = write(open_ledger(name, open_site()), version, actor=actor(), reason=reason)
    _show(entry, version, json, f"is blessed; release it with `retrain run {name} --redeploy {version}`")


def veto(name: Name, version: Version, reason: Reason, json: Json = False) -> None:
    """Forbid a version; if it is being released, it is dropped at once."""
    from retrain.ledger.overrule import veto as write

    site = open_site()
    ledger = open_ledger(name, site)
    entry = write(ledger, version, actor=actor(), reason=reason)
    _show(entry, version, json, "is vetoed and will not be released")
    follow(ledger, site)


def _show(entry: Entry, version: int, json: bool, what: str) -> None:
    if json:
        return show_json(entry.model_dump(mode="json"))
    return say(f"{entry.pipeline}: version {version} {what} (ledger entry {entry.number}).")
