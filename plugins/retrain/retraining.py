"""One retraining in this process: the same stages in the same order as the Dag, without a scheduler."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from retrain import story
from retrain.alerts import tell
from retrain.alerts.events import Event, RunFailed, of_report
from retrain.artifacts import Artifact, Report, Request, Value
from retrain.errors import RetrainError
from retrain.site import Site
from retrain.spec import Spec
from retrain.stages.redeploy import redeployed, require_redeployable
from retrain.story import Stage

if TYPE_CHECKING:
    from retrain.rollout.phase import Phase
    from retrain.rollout.progress import Progress

OnStage = Callable[[str, str, str], None]
"""Told of every change: the stage, its state (``running``, ``waiting``, ``success``, ``failed``, ``interrupted``), and
one line."""

NOT_AGAINST = frozenset({"promoted", "fresh enough", "awaiting approval"})
LOST_LOOKS = 12
"""A release is given up, as it stands, when the store could not be reached in so many looks in a row."""

INTERRUPTED = 130
"""The exit status of what a person stopped, as shells have it."""


class Ended(Value):
    """What came of a retraining.

    :param decision: e.g. ``promoted``, ``vetoed``, ``rolled back``; see :mod:`retrain.stages.report`.
    :param headline: the same in one sentence.
    """

    decision: str
    headline: str
    report: Report

    @property
    def exit_status(self) -> int:
        """0: done. 1: a decision against. 130: interrupted."""
        if self.decision == "interrupted":
            return INTERRUPTED
        return 0 if self.decision in NOT_AGAINST else 1


class Interrupted(KeyboardInterrupt):
    """A retraining was stopped from outside; its release, if one was under way, is rolled back and its report written.

    :param ended: what came of it.
    """

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.headline)
        self.ended = ended


def retrain(spec: Spec, request: Request, site: Site, *, on_stage: OnStage | None = None) -> Ended:
    """Retrain, judge and release one pipeline, and wait for the release to be decided.

    Killed and started again with the same request it goes on where it was. A report is written and the alerts are
    sent whatever happens.

    :param on_stage: told of every stage as it goes; see :data:`OnStage`.
    :raises RetrainError: a stage failed; the report names it.
    :raises Interrupted: on ``KeyboardInterrupt``. A second one ends it as it stands.
    """
    run = _Run(spec, request, site, on_stage or _quiet)
    try:
        run.walk()
    except KeyboardInterrupt:
        made = run.stop()
        tell(spec.alerts, of_report(made))
        raise Interrupted(_ended(made)) from None
    except Exception as error:
        event = run.report_anyway()
        error.add_note(event.headline)
        tell(spec.alerts, event)
        raise
    try:
        made = run.report()
    except Exception as error:
        tell(spec.alerts, run.unreported(error))
        raise
    tell(spec.alerts, of_report(made))
    return _ended(made)


def _ended(made: Report) -> Ended:
    return Ended(decision=made.outcome, headline=made.headline, report=made)


class _Run:
    """One retraining on its way: calls stages and keeps how each ended, what it handed on, and what is left out."""

    def __init__(self, spec: Spec, request: Request, site: Site, on_stage: OnStage) -> None:
        self.spec, self.request, self.site, self.on_stage = spec, request, site, on_stage
        self.states: dict[str, str] = {}
        self.made: dict[str, Any] = {}
        self.left_out: set[str] = set()
        self.at = story.STORY[0]

    def walk(self) -> None:
        """Do one stage after another, but for those that are left out."""
        require_redeployable(self.spec, self.request, self.site)
        again = redeployed(self.spec, self.request, self.site)
        if again is not None:
            self.made[story.RELEASED] = again
            self.left_out |= story.BEFORE_RELEASE
        for stage in story.told(self.spec):
            if stage.group is None or stage.name in self.left_out:
                continue
            self.at = stage
            if stage.function is None:
                self.require_human(stage)
            elif stage.watched:
                self.watch(stage)
            else:
                self.do(stage)

    def do(self, stage: Stage) -> None:
        """Call a stage, and end the run where what it found says so."""
        self._say(stage, "running", "")
        try:
            made = stage.call(self.spec, self.request, self._inputs(stage), self.site)
            reason = stage.decide(self.spec, self.request, made, self.site)
        except Exception as error:
            self._say(stage, "failed", str(error))
            raise
        self.made[stage.name] = made
        self._say(stage, "success", story.line(_summary(made), reason))
        self._end(stage, reason)

    def require_human(self, stage: Stage) -> None:
        """End the run before what only a human can do, unless it is done."""
        self._end(stage, stage.decide(self.spec, self.request, self._inputs(stage)[0], self.site))

    def watch(self, stage: Stage) -> None:
        """Begin a phase of the release and look at it until it is decided or paused."""
        self._say(stage, "running", "")
        try:
            phase = stage.phase(self.spec, self.request, self.made[story.RELEASED], self.site)
            progress = phase.begin()
            while progress.state == "waiting":
                self._say(stage, "waiting", progress.summary)
                time.sleep(self.spec.canary.poll.total_seconds())
                progress = self._look(phase)
        except Exception as error:
            self._say(stage, "failed", str(error))
            raise
        self._say(stage, "success", progress.summary)
        self.left_out |= story.ruled_out(stage.name, progress.state)

    def stop(self) -> Report:
        """Roll back the release that this run watched, because nobody does any more, and write the report."""
        from retrain.stages.roll_back import end_release

        self._say(self.at, "interrupted", "")
        if any(story.stage(name).watched for name in self.states):
            reason = "the run was interrupted, so nobody watches it"
            end_release(self.spec, self.request, self.made[story.RELEASED], self.site, reason)
        return self.report()

    def report(self) -> Report:
        """Write the report, once the target knows of everything that was decided."""
        from retrain.rollout import routing
        from retrain.stages.report import report

        if story.RELEASED in self.made:
            routing.apply(self.spec, self.site)

        states = {**dict.fromkeys(story.STAGES, "skipped"), **self.states}
        made = report(self.spec, self.request, self.site, states)
        self.on_stage("report", "success", made.headline)
        return made

    def report_anyway(self) -> Event:
        """Write the report of a run that failed; what is wrong with the report must not hide why."""
        try:
            return of_report(self.report())
        except Exception as error:
            return self.unreported(error)

    def unreported(self, error: Exception) -> Event:
        """What to tell of a run whose report could not be written."""
        headline = f"{self.spec.name}: how it ended is not known. The report could not be written: {error}"
        return RunFailed(on="failure", pipeline=self.spec.name, run=self.request.run, headline=headline)

    def _inputs(self, stage: Stage) -> list[Any]:
        return [self.made[name] for name in stage.inputs]

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

    def _end(self, stage: Stage, reason: str | None) -> None:
        if reason is not None:
            self.left_out |= story.following(stage.name)

    def _say(self, stage: Stage, state: str, line: str) -> None:
        self.states[stage.name] = state
        self.on_stage(stage.name, state, line)


def _summary(made: Any) -> str:
    """What a stage that hands on an artifact, or a release, says came of it."""
    return made.summary if isinstance(made, Artifact) else str(getattr(made, "reason", ""))


def _quiet(stage: str, state: str, line: str) -> None:
    pass
