"""What the ledger must hold before a version may be released. In doubt nothing is released."""

from __future__ import annotations

from retrain.artifacts import Request
from retrain.errors import ReleaseError, UsageError
from retrain.ledger import Answered, Ledger, Rehearsed, Served, Stale
from retrain.spec import Spec


def releasable(spec: Spec, request: Request, ledger: Ledger, version: int) -> Served:
    """The version, if the ledger allows to release it: blessed, approved where asked, fresh, rehearsed.

    :raises ReleaseError: naming what is missing.
    """
    known = ledger.version(version)
    if not known.blessed:
        raise _refused(version, f"it is {known.standing}, not blessed ({known.reason or 'no verdict yet'})", "bless")
    if spec.bless.approval.required and not approved(ledger, version):
        raise _refused(version, "nobody has approved it", "approve")
    mine = (entry.body for entry in ledger.run_entries(request.run))
    if any(isinstance(body, Stale) and body.version == version for body in mine):
        raise _refused(version, "it is stale", "freshness")
    rehearsal = next((body for _, body in ledger.of(Rehearsed) if body.version == version), None)
    if rehearsal is None or not rehearsal.passed:
        raise _refused(version, "no rehearsal of it has passed", "rehearse")
    return known.served


def approved(ledger: Ledger, version: int) -> bool:
    """Has a human agreed to release this version? The newest answer counts."""
    newest = next((body for _, body in ledger.of(Answered) if body.version == version), None)
    return newest is not None and newest.approved


def revoked(ledger: Ledger, version: int) -> str | None:
    """Why this version may no longer be tried, if somebody took its blessing back."""
    known = ledger.version(version)
    return None if known.blessed else f"it is no longer blessed: {known.reason or known.standing}"


def reason_to_skip(request: Request) -> str:
    """Why the canary is skipped. Raises :class:`UsageError` if no reason is given."""
    if not (request.reason or "").strip():
        raise UsageError(
            "The canary is to be skipped without a reason.",
            where=f"run {request.run}",
            do="say why in `reason`; the ledger keeps it.",
        )
    return f"canary skipped by {request.actor}: {request.reason}"


def _refused(version: int, why: str, stage: str) -> ReleaseError:
    return ReleaseError(
        f"Version {version} cannot be released: {why}.",
        do=f"see its standing with `retrain status`; run `{stage}` for it again, or release another version.",
    )
