"""``retrain abort``: drop the version being released."""

from __future__ import annotations

from retrain.commands._output import Json
from retrain.commands._overrule import Name, Reason, show_release
from retrain.commands._place import actor, follow, open_ledger, open_site

PANEL = "Steer"


def abort(name: Name, reason: Reason, json: Json = False) -> None:
    """Drop the version being released; the champion answers everything, as before. Within a second."""
    from retrain.ledger.overrule import abort as write
    from retrain.ledger.release import Release

    site = open_site()
    ledger = open_ledger(name, site)
    challenger = ledger.release().challenger
    entry = write(ledger, actor=actor(), reason=reason)
    release = entry.body
    assert isinstance(release, Release)
    assert release.champion is not None
    dropped = f"version {challenger.version} is dropped; " if challenger is not None else ""
    show_release(entry, json, f"{dropped}version {release.champion.version} answers everything")
    follow(ledger, site)
