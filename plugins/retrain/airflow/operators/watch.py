"""Watching a release without holding a worker slot: what the shadow and the canary share."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from retrain import story
from retrain.airflow.operators.base import Run
from retrain.airflow.operators.release import ReleaseOperator, candidate_of
from retrain.errors import GatewayError

if TYPE_CHECKING:
    from retrain.airflow.triggers.release import ReleaseTrigger
    from retrain.artifacts import Candidate
    from retrain.rollout.phase import Phase
    from retrain.rollout.progress import Progress


class WatchOperator(ReleaseOperator):
    """Begins a phase of a release, and if that decides nothing yet waits in the triggerer.

    Every look at the evidence, the first one too, is the triggerer's: it may have days of the log to read.

    The ledger and the prediction log are its only memory: whoever dies, worker, triggerer or scheduler, the next
    one goes on from there. Clearing the task goes on, too; marking it failed ends the release, because the report,
    which always runs, rolls back a release that nobody watches any more.

    A pause has no end of its own. The task comes back for a moment to say it, to those who get alerts, and waits on.

    :param deferrable: wait in the triggerer; otherwise in the worker.
    """

    def __init__(self, *, deferrable: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable

    @override
    def execute(self, context: Any) -> None:
        with self.errors(context):
            run = self.open(context)
            candidate = candidate_of(run, self.candidate)
            phase = story.stage(self.stage).phase(run.spec, run.request, candidate, run.site)
            progress = phase.begin()
            if not progress.decided:
                self.show_waiting(run, candidate.version, progress)
                progress = self._wait(run, phase)
            self.conclude(run, progress)

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> None:
        """Go on when the trigger says that something was decided; promoting asks the ledger again.

        Where it was paused, tell whoever gets alerts, and wait on.
        """
        with self.errors(context):
            if "error" in event:
                raise GatewayError(event["error"], where=event["where"], do=event["do"])
            from retrain.rollout.progress import Progress

            run, pause = self.open(context), event.get("pause", 0)
            progress = Progress.model_validate({name: value for name, value in event.items() if name != "pause"})
            if pause:
                self.wait_on(run, progress, pause)
            else:
                self.conclude(run, progress)

    def wait_on(self, run: Run, progress: Progress, pause: int) -> None:
        """Say that it is paused, and go back to the triggerer.

        :param pause: the ledger entry of the pause.
        """
        candidate = candidate_of(run, self.candidate)
        self.show_waiting(run, candidate.version, progress)
        self.tell_of_pause(run, candidate.version, progress)
        self.defer(trigger=self._trigger(run, candidate, told=pause), method_name="execute_complete")

    def show_waiting(self, run: Run, version: int, progress: Progress) -> None:
        """Show how far it is, and hand on whom it watches: by this its page and its note follow while it waits."""
        watched = {"pipeline": run.spec.name, "version": version, **progress.model_dump(mode="json")}
        self.show(run.context, progress.summary, watched)

    def tell_of_pause(self, run: Run, version: int, progress: Progress) -> None:
        """Send the alerts the pipeline asks for: a human is waited for."""
        from retrain.airflow.notifier import in_airflow
        from retrain.alerts import tell
        from retrain.alerts.events import Paused

        name = run.spec.name
        headline = f"{name}: {progress.summary}"
        event = Paused(on="decision", pipeline=name, run=run.request.run, version=version, headline=headline)
        tell([in_airflow(alert, run.context) for alert in run.spec.alerts], event)

    def conclude(self, run: Run, progress: Progress) -> None:
        """Show what was decided and leave out the tasks it rules out."""
        result = {"pipeline": run.spec.name, **progress.model_dump(mode="json")}
        self.show(run.context, progress.summary, result)
        self.leave_out(run.context, story.ruled_out(self.stage, progress.state))

    def _wait(self, run: Run, phase: Phase) -> Progress:
        """Wait in the triggerer, or look here, until something is decided."""
        if self.deferrable:
            self.defer(trigger=self._trigger(run, phase.candidate), method_name="execute_complete")
        paused = False
        while not (progress := phase.look()).decided:
            self.show(run.context, progress.summary)
            if progress.state == "paused" and not paused:
                self.tell_of_pause(run, phase.version, progress)
            paused = progress.state == "paused"
            time.sleep(run.spec.canary.poll.total_seconds())
        return progress

    def _trigger(self, run: Run, candidate: Candidate, told: int = 0) -> ReleaseTrigger:
        from retrain.airflow.triggers.release import ReleaseTrigger

        return ReleaseTrigger.of(self.stage, run.spec, run.request, candidate, run.site, told=told)
