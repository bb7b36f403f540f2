"""``retrain resume``: go on with a paused release where it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.commands._output import Json, say
from retrain.commands._overrule import Name, Reason, by_airflow, show_release
from retrain.commands._place import actor, follow, open_ledger, open_site

if TYPE_CHECKING:
    from retrain.ledger.release import Release

PANEL = "Steer"


def resume(name: Name, reason: Reason, json: Json = False) -> None:
    """Go on with a paused release where it stopped: what was seen counts, patience begins anew."""
    from retrain.ledger.overrule import resume as write
    from retrain.ledger.release import Release
    from retrain.rollout.looks import trial_story, unwatched

    if by_airflow(name, "resume", reason=reason, json=json):
        return
    site = open_site()
    ledger = open_ledger(name, site)
    story = trial_story(name, site)
    entry = write(ledger, actor=actor(), reason=reason)
    release = entry.body
    assert isinstance(release, Release)
    alone = None if story is None else unwatched(name, story)
    show_release(entry, json, _said(release), unwatched=alone)
    if alone is not None:
        say(f"Note: {alone}", err=True)
    follow(ledger, site)


def _said(release: Release) -> str:
    from retrain.words import share

    assert release.challenger is not None
    version = release.challenger.version
    if release.state == "shadowing":
        return f"version {version} goes on in its shadow"
    return f"version {version} goes on at step {release.step} of {len(release.steps)} with {share(release.share)}"
