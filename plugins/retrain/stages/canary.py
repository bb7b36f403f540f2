"""The challenger answers a growing share of live requests.

The state machine is :mod:`retrain.ledger.release`; this file says when each of its arrows is taken. What is undecided
stays where it is: no traffic, no labels or an unreadable log mean waiting, until patience ends.
"""

from __future__ import annotations

from typing import Any

from retrain.artifacts import Candidate, Request, now
from retrain.errors import LogBroken, StoreError
from retrain.ledger import Excluded, Ledger
from retrain.ledger import release as machine
from retrain.ledger.release import Release
from retrain.rollout import trial as trials
from retrain.rollout.evidence import Evidence
from retrain.rollout.progress import Progress, progress
from retrain.rollout.trial import Trial
from retrain.rollout.watch import Watch
from retrain.site import Site
from retrain.spec import Spec
from retrain.spec.durations import spell
from retrain.tracking import aliases

ACTOR = "canary"


def begin(spec: Spec, request: Request, candidate: Candidate, site: Site) -> Progress:
    """Start the ramp, or say why there is no canary; a release already under way is joined.

    May be called any number of times by any number of drivers.

    :raises ReleaseError: the ledger does not allow to release this version.
    :raises UsageError: the canary is to be skipped without a reason.
    """
    return site.ledger(spec.name).settle(lambda head: _begin(spec, request, candidate, site, head))


def advance(spec: Spec, request: Request, candidate: Candidate, site: Site, watch: Watch) -> Progress:
    """Look once at the live requests, take one step of the release if they allow or demand it, and write it.

    ``done`` means: promote. The wall clock of the release is the ledger's, so a driver may die and another go on.
    """
    return site.ledger(spec.name).settle(lambda head: _advance(spec, request, candidate, site, watch, head))


def _begin(spec: Spec, request: Request, candidate: Candidate, site: Site, head: int) -> Progress:
    ledger = site.ledger(spec.name)
    version = candidate.version
    trial = trials.of_run(ledger, request, version)
    if trial is not None and (trial.ending is not None or trial.current.release.state != "shadowing"):
        return _stands(ledger, trial)
    champion = ledger.champion()
    if champion is None:
        return progress("canary", "done", f"no champion: version {version} goes to everybody at once")
    if champion.version == version:
        return progress("canary", "done", f"version {version} is the champion already")
    if request.skip_canary:
        return progress("canary", "done", trials.require_reason(request))

    release = ledger.release()
    if trial is None:
        served = trials.releasable(spec, request, ledger, version)
        head = trials.drop_other(ledger, version, request=request, after=head)
        release = machine.start_shadow(
            ledger.release(), served, shadow=0.0, steps=spec.canary.steps, reason="no shadow was asked for"
        )
    ramping = machine.ramp(release, reason=f"step 1 of {len(release.steps)}")
    trials.write(ledger, ramping, actor=request.actor, run=request.run, after=head)
    aliases.mirror(ledger, site.settings)
    return progress("canary", "waiting", _at(ramping))


def _stands(ledger: Ledger, trial: Trial) -> Progress:
    """What a trial that is there already means for the canary."""
    if trial.ending is not None:
        return trials.ended(trial, "canary")
    release = trial.current.release
    if release.state == "paused":
        return progress("canary", "paused", f"version {trial.version} is paused: {release.reason}")
    passed = trials.passed(ledger, trial)
    if passed is not None:
        return _promote(trial.version, passed.reason, passed.evidence)
    return progress("canary", "waiting", _at(release))


def _advance(spec: Spec, request: Request, candidate: Candidate, site: Site, watch: Watch, head: int) -> Progress:
    ledger = site.ledger(spec.name)
    trial = trials.find(ledger, candidate.version)
    if trial is None or (trial.ending is None and trial.current.release.state == "shadowing"):
        return _begin(spec, request, candidate, site, head)
    veto = trials.vetoed(ledger, trial.version) if trial.ending is None else None
    if veto is not None:
        return _roll_back(ledger, trial, veto, site, head)
    if trial.ending is not None or trial.current.release.state == "paused":
        return _stands(ledger, trial)

    out_of_patience = now() - trial.since("ramping") > spec.canary.patience
    try:
        seen = watch.canary()
    except (StoreError, LogBroken) as error:
        unread = f"the prediction log cannot be read: {error}"
        if out_of_patience:
            return _lose_patience(spec, ledger, trial, unread, site, head)
        return progress("canary", "waiting", unread)

    evidence = seen.model_dump(mode="json")
    if seen.harm is not None:
        return _roll_back(ledger, trial, f"harm is shown: {seen.harm}", site, head, evidence)
    step = _step_lacks(spec, trial, seen)
    last = trial.current.release.step == len(trial.current.release.steps)
    if last and step is None and seen.missing is None:
        return _pass(ledger, request, trial, seen, head, evidence)
    if out_of_patience:
        return _lose_patience(
            spec, ledger, trial, step or seen.missing or _at(trial.current.release), site, head, evidence
        )
    if not last and step is None:
        return _ramp(ledger, request, trial, seen, head, evidence)
    waiting_for = step or f"not excluded yet: {seen.missing}"
    return progress("canary", "waiting", f"{_at(trial.current.release)}: {waiting_for}", evidence)


def _step_lacks(spec: Spec, trial: Trial, seen: Evidence) -> str | None:
    """What this step of the ramp still waits for; None if it has its least requests and time."""
    asked = seen.asked.get(trial.current.entry.number, 0)
    needed = spec.canary.step_requests
    if not asked:
        return "no traffic yet"
    if asked < needed:
        return f"{asked:,} of {needed:,} requests"
    lasted = now() - trial.current.entry.at
    if lasted < spec.canary.step_time:
        return f"{lasted.total_seconds():.0f} s of {spell(spec.canary.step_time)}"
    return None


def _ramp(
    ledger: Ledger, request: Request, trial: Trial, seen: Evidence, head: int, evidence: dict[str, Any]
) -> Progress:
    release = trial.current.release
    next_ = machine.ramp(release, reason=f"step {release.step + 1} of {len(release.steps)}: no harm; {seen.summary}")
    trials.write(ledger, next_, actor=ACTOR, run=trial.begun.entry.run, after=head)
    return progress("canary", "waiting", _at(next_), evidence)


def _pass(
    ledger: Ledger, request: Request, trial: Trial, seen: Evidence, head: int, evidence: dict[str, Any]
) -> Progress:
    """Write that the canary allows a promotion; without this entry nothing is promoted."""
    if trials.passed(ledger, trial) is None:
        body = Excluded(version=trial.version, passed=True, reason=seen.summary, evidence=evidence)
        once = f"{request.run}/canary/{trial.version}"
        ledger.append(body, actor=ACTOR, run=request.run, once=once, after=head)
    return _promote(trial.version, seen.summary, evidence)


def _promote(version: int, reason: str, evidence: dict[str, Any]) -> Progress:
    return progress("canary", "done", f"promote version {version}: {reason}", evidence)


def _lose_patience(
    spec: Spec,
    ledger: Ledger,
    trial: Trial,
    lacking: str,
    site: Site,
    head: int,
    evidence: dict[str, Any] | None = None,
) -> Progress:
    reason = f"{spell(spec.canary.patience)} are over and nothing is shown: {lacking}"
    if spec.canary.on_patience == "rollback":
        return _roll_back(ledger, trial, reason, site, head, evidence)
    paused = machine.pause(trial.current.release, reason=reason)
    trials.write(ledger, paused, actor=ACTOR, run=trial.begun.entry.run, after=head)
    return progress("canary", "paused", f"version {trial.version} is paused: {reason}", evidence)


def _roll_back(
    ledger: Ledger, trial: Trial, reason: str, site: Site, head: int, evidence: dict[str, Any] | None = None
) -> Progress:
    dropped = machine.roll_back(trial.current.release, reason=reason)
    trials.write(ledger, dropped, actor=ACTOR, run=trial.begun.entry.run, after=head)
    aliases.mirror(ledger, site.settings)
    return progress("canary", "rolled_back", f"version {trial.version} was rolled back: {reason}", evidence)


def _at(release: Release) -> str:
    return f"step {release.step} of {len(release.steps)} at {release.share:.0%}"
