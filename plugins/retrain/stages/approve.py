"""Approve: a human agrees to a release, or does not. Who is asked, and how, is for whoever runs the stages."""

from __future__ import annotations

from retrain.artifacts import Request, Verdict
from retrain.ledger import Answered
from retrain.rollout.permission import approved
from retrain.site import Site
from retrain.spec import Spec


def answer(spec: Spec, request: Request, verdict: Verdict, site: Site, *, yes: bool, actor: str, reason: str) -> None:
    """Write a human's answer into the ledger, once a run.

    :param actor: who answered, as the ledger names them.
    """
    site.ledger(spec.name).append(
        Answered(version=verdict.version, approved=yes, reason=reason),
        actor=actor,
        run=request.run,
        once=f"{request.run}/approval/{verdict.version}",
    )


def unapproved(spec: Spec, _request: Request, verdict: Verdict, site: Site) -> str | None:
    """Why a run ends before its release: nobody has agreed to this version, or somebody has said no."""
    ledger = site.ledger(spec.name)
    if approved(ledger, verdict.version):
        return None
    newest = next((body for _, body in ledger.of(Answered) if body.version == verdict.version), None)
    return f"nobody has approved version {verdict.version}" if newest is None else newest.reason
