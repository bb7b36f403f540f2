"""Back to the champion: the challenger is dropped. Going back by hand is :func:`retrain.ledger.overrule.roll_back`."""

from __future__ import annotations

from retrain.artifacts import Candidate, Request
from retrain.ledger import Ledger, Release
from retrain.ledger import release as machine
from retrain.ledger import trial as trials
from retrain.rollout import routing
from retrain.site import Site
from retrain.spec import Spec

UNDECIDED = "its canary ended without a decision"


def roll_back(spec: Spec, request: Request, candidate: Candidate, site: Site, reason: str = UNDECIDED) -> Release:
    """Drop the challenger; the champion answers everything. Where that has happened already, nothing is written."""
    ledger = site.ledger(spec.name)
    release = ledger.settle(lambda head: _roll_back(request, candidate, ledger, reason, head))
    routing.follow(spec, site)
    return release


def end_release(spec: Spec, request: Request, candidate: Candidate, site: Site, reason: str) -> None:
    """Drop the challenger of a run that is over, if it is still being tried: nobody watches it any more.

    If it is not, the target hears what was decided and may not have reached it.
    """
    if site.ledger(spec.name).release().tries(candidate.version):
        roll_back(spec, request, candidate, site, reason)
    else:
        routing.apply(spec, site)


def _roll_back(request: Request, candidate: Candidate, ledger: Ledger, reason: str, head: int) -> Release:
    trial = trials.find(ledger, candidate.version)
    if trial is None or trial.ending is not None:
        return ledger.release()
    dropped = machine.roll_back(trial.current.release, reason=reason)
    ledger.append(dropped, actor=request.actor, run=request.run, after=head)
    return dropped
