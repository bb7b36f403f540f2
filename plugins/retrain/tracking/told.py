"""What MLflow is told of each version besides its numbers: its verdict and where it stands, as the ledger has them.

A model that was vetoed may have the best number of all. So nobody should read MLflow's table without this.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from retrain.ledger import Judged, Ledger
from retrain.markdown import inert, plain

VERDICT, STANDING, REASON = "retrain.verdict", "retrain.standing", "retrain.reason"
LONGEST = 500
"""Characters of a reason: MLflow's narrowest place for a tag has room for them."""


class Told(NamedTuple):
    """What one version is called and tagged.

    :param name: of its run: ``flights v3, vetoed``.
    :param description: Markdown that says just this.
    """

    version: int
    name: str
    tags: dict[str, str]
    description: str


def told(ledger: Ledger) -> Iterable[Told]:
    """Every version of a ledger, oldest first."""
    release = ledger.release()
    serving = {"champion": release.champion, "challenger": release.challenger}
    roles = {served.version: role for role, served in serving.items() if served is not None}
    verdicts: dict[int, str] = {}
    for _, body in ledger.of(Judged):  # the newest first
        verdicts.setdefault(body.version, body.outcome)
    for version in ledger.versions():
        standing = roles.get(version.version, version.standing)
        reason = plain(version.reason, LONGEST)
        yield Told(
            version.version,
            f"{ledger.pipeline} v{version.version}, {standing}",
            {VERDICT: verdicts.get(version.version, "none yet"), STANDING: standing, REASON: reason},
            inert(f"Version {version.version}, {standing}{f': {reason}' if reason else ''}"),
        )
