"""``retrain rollback``: drop the version being released, or return to the champion before."""

from __future__ import annotations

from typing import Annotated

import typer

from retrain.commands._output import Json
from retrain.commands._overrule import show_release
from retrain.commands._place import actor, follow, open_ledger, open_site

PANEL = "Steer"


def rollback(
    name: Annotated[str, typer.Argument(help="The pipeline.")],
    to: Annotated[int | None, typer.Option(help="Return to this version, which must have served before.")] = None,
    reason: Annotated[str, typer.Option(help="Why; the ledger keeps it.")] = "rolled back by hand",
    json: Json = False,
) -> None:
    """Drop the version being released; if none is, return to the champion before. Takes effect within a second."""
    from retrain.ledger.overrule import roll_back
    from retrain.ledger.release import Release

    site = open_site()
    ledger = open_ledger(name, site)
    before = ledger.release()
    entry = roll_back(ledger, to=to, actor=actor(), reason=reason)
    release = entry.body
    assert isinstance(release, Release)
    left = before.challenger or before.champion
    champion = release.champion.version if release.champion else None
    dropped = f"version {left.version} is dropped; " if left else ""
    show_release(entry, json, f"{dropped}version {champion} answers everything")
    follow(ledger, site)
