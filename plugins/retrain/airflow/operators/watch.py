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
    from retrain.rollout.phase import Phase
    from retrain.rollout.progress import Progress


class WatchOperator(ReleaseOperator):
    """Begins a phase of a release, and if that decides nothing yet waits in the triggerer.

    Every look at the evidence, the first one too, is the triggerer's: it may have days of the log to read.

    The ledger and the prediction log are its only memory: whoever dies, worker, triggerer or scheduler, the next
    one goes on from there. Clearing the task goes on, too; marking it failed ends the release, because the report,
    which always runs, rolls back a release that nobody watches any more.

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
                # also while it waits: by this the task's page and its note know what it watches
                watched = {"pipeline": run.spec.name, "version": candidate.version, **progress.model_dump(mode="json")}
                self.show(context, progress.summary, watched)
                progress = self._wait(run, phase)
            self.conclude(run, progress)

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> None:
        """Go on when the trigger says that something was decided; promoting asks the ledger again."""
        with self.errors(context):
            if "error" in event:
                raise GatewayError(event["error"], where=event["where"], do=event["do"])
            from retrain.rollout.progress import Progress

            self.conclude(self.open(context), Progress.model_validate(event))

    def conclude(self, run: Run, progress: Progress) -> None:
        """Show what was decided and leave out the tasks it rules out."""
        result = {"pipeline": run.spec.name, **progress.model_dump(mode="json")}
        self.show(run.context, progress.summary, result)
        self.leave_out(run.context, story.ruled_out(self.stage, progress.state))

    def _wait(self, run: Run, phase: Phase) -> Progress:
        """Wait in the triggerer, or look here, until something is decided."""
        from retrain.airflow.triggers.release import ReleaseTrigger

        if self.deferrable:
            trigger = ReleaseTrigger.of(self.stage, run.spec, run.request, phase.candidate, run.site)
            self.defer(trigger=trigger, method_name="execute_complete")
        while not (progress := phase.look()).decided:
            self.show(run.context, progress.summary)
            time.sleep(run.spec.canary.poll.total_seconds())
        return progress
