"""Back to the champion, or to an older one."""

from __future__ import annotations

from retrain import aliases, override
from retrain import release as machine
from retrain.artifacts import Candidate, Request
from retrain.ledger import Ledger
from retrain.release import Release
from retrain.site import Site
from retrain.spec import Spec
from retrain.trials import trial as trials


def roll_back(spec: Spec, request: Request, candidate: Candidate, site: Site, reason: str) -> Release:
    """Drop the challenger; the champion answers everything. Where that has happened already, nothing is written."""
    ledger = site.ledger(spec.name)
    release = trials.settle(ledger, lambda head: _roll_back(request, candidate, ledger, reason, head))
    aliases.mirror(ledger, site.settings)
    return release


def restore(spec: Spec, site: Site, to: int | None, actor: str, reason: str) -> Release:
    """By hand and at once: drop the challenger that is being tried, or return to an older champion.

    The ledger is written before anything slow is imported; gateways take it up within a second. See
    :func:`retrain.override.roll_back`. MLflow's aliases follow, if MLflow is up.

    :param to: a version that has served; None: the newest sound champion before this one.
    :param actor: who asks, e.g. ``cli:alice``.
    :raises ReleaseError: there is nothing to return to, or ``to`` has never served.
    """
    ledger = site.ledger(spec.name)
    entry = override.roll_back(ledger, to=to, actor=actor, reason=reason)
    aliases.mirror(ledger, site.settings)
    return Release.model_validate(entry.body)


def _roll_back(request: Request, candidate: Candidate, ledger: Ledger, reason: str, head: int) -> Release:
    trial = trials.find(ledger, candidate.version)
    if trial is None or trial.ending is not None:
        return ledger.release()
    dropped = machine.roll_back(trial.current.release, reason=reason)
    trials.write(ledger, dropped, actor=request.actor, run=request.run, after=head)
    return dropped
