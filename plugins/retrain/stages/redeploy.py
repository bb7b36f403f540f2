"""Redeploy: an older version is released again instead of a new one. Everything before the release is left out."""

from __future__ import annotations

from retrain.artifacts import Candidate, Request
from retrain.errors import ReleaseError
from retrain.site import Site
from retrain.spec import Spec
from retrain.stages.train import require_numbered


def redeployed(spec: Spec, request: Request, site: Site) -> Candidate | None:
    """The candidate that is released again; None if the run trains one of its own.

    Whether it may still be released is for the stages of the release, which see a veto that comes later.

    :raises ArtifactChanged: what lies in its place is another.
    """
    if request.redeploy is None:
        return None
    candidate = site.read(Candidate, site.ledger(spec.name).version(request.redeploy).candidate)
    require_numbered(candidate, site)
    return candidate


def require_redeployable(spec: Spec, request: Request, site: Site) -> None:
    """Ask before anything is done whether a run may release the version it was asked to release again.

    :raises ReleaseError: the ledger does not know that version, or it is not blessed.
    """
    if request.redeploy is None:
        return
    version = site.ledger(spec.name).version(request.redeploy)
    if not version.blessed:
        raise ReleaseError(
            f"Version {version.version} of pipeline '{spec.name}' cannot be released again: it is "
            f"{version.standing} ({version.reason or 'no verdict yet'}).",
            do=f"bless it first with `retrain bless {spec.name} {version.version} --reason …`, or name another.",
        )
