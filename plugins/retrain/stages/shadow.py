"""The challenger answers beside the champion and is not heard."""

from __future__ import annotations

from retrain.artifacts import Candidate, Request, now
from retrain.errors import LogBroken, StoreError
from retrain.ledger import Ledger
from retrain.ledger import release as machine
from retrain.rollout import trial as trials
from retrain.rollout.progress import Progress, progress
from retrain.rollout.trial import Trial
from retrain.rollout.watch import Watch
from retrain.site import Site
from retrain.spec import Spec
from retrain.spec.durations import spell
from retrain.tracking import aliases

ACTOR = "shadow"


def begin(spec: Spec, request: Request, candidate: Candidate, site: Site) -> Progress:
    """Start to shadow the champion, or say why there is no shadow; a release already under way is joined.

    May be called any number of times by any number of drivers.

    :raises ReleaseError: the ledger does not allow to release this version.
    :raises UsageError: the canary is to be skipped without a reason.
    """
    return site.ledger(spec.name).settle(lambda head: _begin(spec, request, candidate, site, head))


def advance(spec: Spec, request: Request, candidate: Candidate, site: Site, watch: Watch) -> Progress:
    """Look once at the shadow answers, and decide if they allow it.

    Enough answers and no alarm: done. Harm, a veto, or the end of patience: rolled back, and written.
    """
    return site.ledger(spec.name).settle(lambda head: _advance(spec, request, candidate, site, watch, head))


def _begin(spec: Spec, request: Request, candidate: Candidate, site: Site, head: int) -> Progress:
    ledger = site.ledger(spec.name)
    version = candidate.version
    trial = trials.of_run(ledger, request, version)
    if trial is not None:
        return _stands(trial)
    champion = ledger.champion()
    if champion is None:
        return progress("shadow", "done", "no champion: nothing to shadow")
    if champion.version == version:
        return progress("shadow", "done", f"version {version} is the champion already")
    if request.skip_canary:
        return progress("shadow", "done", trials.require_reason(request))
    if spec.canary.shadow.requests == 0:
        return progress("shadow", "done", "the pipeline asks for no shadow")

    served = trials.releasable(spec, request, ledger, version)
    head = trials.drop_other(ledger, version, request=request, after=head)
    reason = f"version {version} shadows version {champion.version}"
    shadowing = machine.start_shadow(
        ledger.release(), served, shadow=spec.canary.shadow.share, steps=spec.canary.steps, reason=reason
    )
    trials.write(ledger, shadowing, actor=request.actor, run=request.run, after=head)
    aliases.mirror(ledger, site.settings)
    return progress("shadow", "waiting", reason)


def _stands(trial: Trial) -> Progress:
    """What a trial that is there already means for the shadow."""
    if trial.ending is not None:
        return trials.ended(trial, "shadow")
    if trial.current.release.state == "shadowing":
        return progress("shadow", "waiting", trial.current.release.reason)
    return progress("shadow", "done", f"version {trial.version} is past its shadow")


def _advance(spec: Spec, request: Request, candidate: Candidate, site: Site, watch: Watch, head: int) -> Progress:
    ledger = site.ledger(spec.name)
    trial = trials.find(ledger, candidate.version)
    if trial is None:
        return _begin(spec, request, candidate, site, head)
    if trial.ending is not None or trial.current.release.state != "shadowing":
        return _stands(trial)

    veto = trials.vetoed(ledger, trial.version)
    if veto is not None:
        return _roll_back(ledger, trial, veto, site, head)
    waited = now() - trial.since("shadowing")
    out_of_patience = waited > spec.canary.shadow.patience
    try:
        seen = watch.shadow()
    except (StoreError, LogBroken) as error:
        if out_of_patience:
            return _roll_back(ledger, trial, f"{spell(spec.canary.shadow.patience)} are over: {error}", site, head)
        return progress("shadow", "waiting", f"the prediction log cannot be read: {error}")

    evidence = seen.model_dump(mode="json")
    needed = spec.canary.shadow.requests
    count = f"{seen.challenger:,} of {needed:,} shadow answers"
    if seen.harm is not None:
        return _roll_back(ledger, trial, f"harm in the shadow: {seen.harm}", site, head, evidence)
    if seen.challenger >= needed:
        return progress("shadow", "done", f"{count}, none alarming; {seen.summary}", evidence)
    if out_of_patience:
        reason = f"{spell(spec.canary.shadow.patience)} are over with {count}"
        return _roll_back(ledger, trial, reason, site, head, evidence)
    return progress("shadow", "waiting", count if seen.challenger else "no traffic yet", evidence)


def _roll_back(
    ledger: Ledger, trial: Trial, reason: str, site: Site, head: int, evidence: dict[str, object] | None = None
) -> Progress:
    dropped = machine.roll_back(trial.current.release, reason=reason)
    trials.write(ledger, dropped, actor=ACTOR, run=trial.begun.entry.run, after=head)
    aliases.mirror(ledger, site.settings)
    return progress("shadow", "rolled_back", f"version {trial.version} was rolled back: {reason}", evidence)
