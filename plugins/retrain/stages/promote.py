"""The challenger becomes the champion."""

from __future__ import annotations

from retrain.artifacts import Candidate, Request
from retrain.errors import ReleaseError
from retrain.ledger import Ledger, Release
from retrain.ledger import release as machine
from retrain.ledger import trial as trials
from retrain.rollout import permission, routing
from retrain.site import Site
from retrain.spec import Spec


def promote(spec: Spec, request: Request, candidate: Candidate, site: Site) -> Release:
    """Make the candidate the champion, once, if everything the ledger must hold for that is there.

    Blessed, approved where asked, fresh, rehearsed; and a passed canary, unless there was no champion to compare with
    or the canary is skipped with a reason. Doing it again changes nothing.

    :raises ReleaseError: something is missing, or the version was rolled back meanwhile.
    """
    ledger = site.ledger(spec.name)
    release = ledger.settle(lambda head: _promote(spec, request, candidate, ledger, head))
    routing.follow(spec, site)
    return release


def _promote(spec: Spec, request: Request, candidate: Candidate, ledger: Ledger, head: int) -> Release:
    version = candidate.version
    standing = ledger.release()
    if standing.serves(version):
        return standing
    served = permission.releasable(spec, request, ledger, version)
    reason = _allowed(request, ledger, version)
    head = routing.drop_other(ledger, version, request=request, after=head)
    promoted = machine.promote(ledger.release(), served, reason=reason)
    ledger.append(promoted, actor=request.actor, run=request.run, after=head)
    return promoted


def _allowed(request: Request, ledger: Ledger, version: int) -> str:
    """Why this version may be promoted now. Raises ReleaseError if it may not."""
    trial = trials.of_run(ledger, request, version)
    if trial is not None and trial.ending is not None:
        raise _refused(
            version, f"its release has ended: {trial.ending.release.reason}", "start a new run to try again."
        )
    if _promoted_before(ledger, request, version):
        raise _refused(version, "this run promoted it once and it was replaced since", "start a new run to try again.")
    if trial is not None and trial.current.release.state == "paused":
        raise _refused(version, f"it is paused: {trial.current.release.reason}", _resume(ledger.pipeline))
    if ledger.champion() is None:
        return f"version {version} is the first champion"
    if request.skip_canary:
        return permission.reason_to_skip(request)
    passed = trials.excluded(ledger, trial) if trial is not None else None
    if passed is not None:
        return f"the canary passed: {passed.reason}"
    raise _refused(version, "its canary has not passed", "run the canary to its end first, or skip it with a reason.")


def _resume(pipeline: str) -> str:
    return f"go on with `retrain resume {pipeline} --reason …`, or drop it with `retrain abort {pipeline} --reason …`."


def _promoted_before(ledger: Ledger, request: Request, version: int) -> bool:
    mine = (entry.body for entry in ledger.run_entries(request.run))
    return any(isinstance(body, Release) and body.serves(version) for body in mine)


def _refused(version: int, why: str, do: str) -> ReleaseError:
    return ReleaseError(f"Version {version} cannot be promoted: {why}.", do=do)
