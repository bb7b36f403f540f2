"""``retrain pause``: give the version being released no more requests, until somebody resumes or aborts."""

from __future__ import annotations

from retrain.commands._output import Json
from retrain.commands._overrule import Name, Reason, show_release
from retrain.commands._place import actor, follow, open_ledger, open_site

PANEL = "Steer"


def pause(name: Name, reason: Reason, json: Json = False) -> None:
    """Give the version being released no more requests, until it is resumed or aborted. Within a second."""
    from retrain.ledger.overrule import pause as write
    from retrain.ledger.release import Release

    site = open_site()
    ledger = open_ledger(name, site)
    entry = write(ledger, actor=actor(), reason=reason)
    release = entry.body
    assert isinstance(release, Release)
    assert release.challenger is not None
    assert release.champion is not None
    said = (
        f"version {release.challenger.version} is paused and gets no requests; version {release.champion.version} "
        f"answers everything. Go on with `retrain resume {name} --reason …`, or drop it with `retrain abort {name} "
        "--reason …`"
    )
    show_release(entry, json, said)
    follow(ledger, site)
