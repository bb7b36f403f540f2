"""``retrain veto``: forbid a version."""

from __future__ import annotations

from retrain.commands._output import Json
from retrain.commands._overrule import Name, Reason, Version, by_airflow, show
from retrain.commands._place import actor, follow, open_ledger, open_site

PANEL = "Steer"


def veto(name: Name, version: Version, reason: Reason, json: Json = False) -> None:
    """Forbid a version; if it is being released, it is dropped at once."""
    from retrain.ledger.overrule import veto as write

    if by_airflow(name, "veto", version=version, reason=reason, json=json):
        return
    site = open_site()
    ledger = open_ledger(name, site)
    entry = write(ledger, version, actor=actor(), reason=reason)
    show(entry, version, json, "is vetoed and will not be released")
    follow(ledger, site)
