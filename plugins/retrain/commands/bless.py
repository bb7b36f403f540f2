"""``retrain bless``: allow a version that the gates did not."""

from __future__ import annotations

from retrain.commands._output import Json
from retrain.commands._overrule import Name, Reason, Version, by_airflow, show
from retrain.commands._place import actor, follow, open_ledger, open_site

PANEL = "Steer"


def bless(name: Name, version: Version, reason: Reason, json: Json = False) -> None:
    """Allow a version that was vetoed or left undecided."""
    from retrain.ledger.overrule import bless as write

    if by_airflow(name, "bless", version=version, reason=reason, json=json):
        return
    site = open_site()
    ledger = open_ledger(name, site)
    entry = write(ledger, version, actor=actor(), reason=reason)
    show(entry, version, json, f"is blessed; release it with `retrain run {name} --redeploy {version}`")
    follow(ledger, site)
