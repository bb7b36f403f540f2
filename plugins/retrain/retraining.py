"""One retraining in this process: the same stages in the same order as the Dag, without a scheduler."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from retrain.artifacts import Artifact, Candidate, Report, Request, Value
from retrain.errors import ReleaseError, RetrainError
from retrain.ledger.release import Release
from retrain.rollout.canary import Canary
from retrain.rollout.permission import approved
from retrain.rollout.phase import Phase
from retrain.rollout.progress import Progress
from retrain.rollout.shadow import Shadow
from retrain.site import Site
from retrain.spec import Spec
from retrain.stages.bless import bless
from retrain.stages.collect import collect
from retrain.stages.drift import drift, fresh_enough
from retrain.stages.evaluate import evaluate
from retrain.stages.features import features
from retrain.stages.freshness import freshness
from retrain.stages.promote import promote
from retrain.stages.rehearse import rehearse
from retrain.stages.report import STAGES, report
from retrain.stages.roll_back import roll_back
from retrain.stages.train import train
from retrain.stages.validate import require_valid, validate

T = TypeVar("T")

OnStage = Callable[[str, str, str], None]
"""Told of every change: the stage, its state (``running``, ``waiting``, ``success``, ``failed``), and one line."""

NOT_AGAINST = frozenset({"promoted", "fresh enough", "awaiting approval"})
LOST_LOOKS = 12
"""A release is given up, as it stands, when the store could not be reached in so many looks in a row."""


class Outcome(Value):
    """What came of a retraining.

    :param decision: e.g. ``promoted``, ``vetoed``, ``rolled back``; see :mod:`retrain.stages.report`.
    :param headline: the same in one sentence.
    """

    decision: str
    headline: str
    report: Report

    @property
    def exit_status(self) -> int:
        """0: done. 1: a decision against."""
        return 0 if self.decision in NOT_AGAINST else 1


def retrain(spec: Spec, request: Request, site: Site, *, on_stage: OnStage | None = None) -> Outcome:
    """Retrain, judge and release one pipeline, and wait for the release to be decided.

    Killed and started again with the same request it goes on where it was. A report is written whatever happens.

    :param on_stage: told of every stage as it goes; see :data:`OnStage`.
    :raises RetrainError: a stage failed; the report names it.
    """
    run = _Run(spec, request, site, on_stage or _quiet)
    try:
        _retrain(run)
    except Exception as error:
        error.add_note(run.report_anyway())
        raise
    made = run.report()
    return Outcome(decision=made.outcome, headline=made.headline, report=made)


def _retrain(run: _Run) -> None:
    candidate = _blessed_before(run) if run.request.redeploy is not None else _new_candidate(run)
    if candidate is None:
        return
    rehearsal = run.stage("rehearse", rehearse, candidate)
    if rehearsal.passed:
        _release(run, candidate)


def _new_candidate(run: _Run) -> Candidate | None:
    """Train a candidate; None if the run ends before its release, as the ledger then says."""
    snapshot = run.stage("collect", collect)
    validation = run.stage("validate", _valid, snapshot)
    drifted = run.stage("drift", drift, snapshot)
    if fresh_enough(run.spec, run.request, drifted, run.site) is not None:
        return None
    feature_set = run.stage("features", features, snapshot, validation)
    candidate = run.stage("train", train, feature_set, snapshot)
    scorecard = run.stage("evaluate", evaluate, candidate, feature_set)
    verdict = run.stage("bless", bless, scorecard)
    if verdict.outcome != "blessed":
        return None
    if run.spec.bless.approval.required and not approved(run.site.ledger(run.spec.name), candidate.version):
        return None
    fresh = run.stage("freshness", freshness, candidate)
    return candidate if fresh.fresh else None


def _blessed_before(run: _Run) -> Candidate:
    """The candidate of the version that is to be released again."""
    assert run.request.redeploy is not None
    version = run.site.ledger(run.spec.name).version(run.request.redeploy)
    if not version.blessed:
        raise ReleaseError(
            f"Version {version.version} of pipeline '{run.spec.name}' cannot be released again: it is "
            f"{version.standing} ({version.reason or 'no verdict yet'}).",
            do=f"bless it first with `retrain bless {run.spec.name} {version.version} --reason …`, or name another.",
        )
    return run.site.read(Candidate, version.candidate)


def _release(run: _Run, candidate: Candidate) -> None:
    for kind in (Shadow, Canary):
        progress = run.until_decided(kind(run.spec, run.request, candidate, run.site))
        if progress.state == "rolled_back":
            run.stage("roll_back", partial(roll_back, reason=progress.summary), candidate)
        if progress.state != "done":
            return
    run.stage("promote", promote, candidate)


def _valid(spec: Spec, request: Request, snapshot: Any, site: Site) -> Any:
    validation = validate(spec, request, snapshot, site)
    require_valid(spec, validation)
    return validation


class _Run:
    """One retraining on its way: calls stages and keeps how each ended."""

    def __init__(self, spec: Spec, request: Request, site: Site, tell: OnStage) -> None:
        self.spec, self.request, self.site, self.tell = spec, request, site, tell
        self.states: dict[str, str] = {}

    def stage(self, name: str, function: Callable[..., T], *inputs: object) -> T:
        """Call one stage with its inputs."""
        self._say(name, "running", "")
        try:
            result = function(self.spec, self.request, *inputs, self.site)
        except Exception as error:
            self._say(name, "failed", str(error))
            raise
        self._say(name, "success", _summary(result))
        return result

    def until_decided(self, phase: Phase) -> Progress:
        """Begin a phase of the release and look at it until it is decided or paused."""
        name = phase.name
        self._say(name, "running", "")
        try:
            progress = phase.begin()
            while progress.state == "waiting":
                self._say(name, "waiting", progress.summary)
                time.sleep(self.spec.canary.poll.total_seconds())
                progress = self._look(phase)
        except Exception as error:
            self._say(name, "failed", str(error))
            raise
        self._say(name, "success", progress.summary)
        return progress

    def _look(self, phase: Phase) -> Progress:
        """Look once; while the store is away, a few times more."""
        for _ in range(LOST_LOOKS - 1):
            try:
                return phase.look()
            except RetrainError as error:
                if not error.retryable:
                    raise
                time.sleep(self.spec.canary.poll.total_seconds())
        return phase.look()

    def report(self) -> Report:
        """Write the report."""
        self.states |= {stage: "skipped" for stage in STAGES if stage not in self.states}
        made = report(self.spec, self.request, self.site, self.states)
        self.tell("report", "success", made.headline)
        return made

    def report_anyway(self) -> str:
        """Write the report of a run that failed; what is wrong with the report must not hide why."""
        try:
            return self.report().headline
        except Exception as error:
            return f"The report could not be written: {error}"

    def _say(self, name: str, state: str, line: str) -> None:
        self.states[name] = state
        self.tell(name, state, line)


def _summary(result: object) -> str:
    if isinstance(result, Artifact | Progress):
        return result.summary
    return result.reason if isinstance(result, Release) else ""


def _quiet(stage: str, state: str, line: str) -> None:
    pass
