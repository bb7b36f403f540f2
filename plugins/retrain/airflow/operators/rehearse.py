"""Rehearse, as a task."""

from __future__ import annotations

from retrain.airflow.operators.base import Run
from retrain.airflow.operators.release import ReleaseOperator, candidate_of
from retrain.artifacts import Rehearsal


class RehearseOperator(ReleaseOperator):
    """Loads the challenger in a gateway of its own and asks it real requests. A failed rehearsal ends the run."""

    def work(self, run: Run) -> Rehearsal:
        from retrain.stages.rehearse import rehearse

        return rehearse(run.spec, run.request, candidate_of(run, self.candidate), run.site)

    def decide(self, run: Run, artifact: Rehearsal) -> None:
        if not artifact.passed:
            self.end(run.context)
