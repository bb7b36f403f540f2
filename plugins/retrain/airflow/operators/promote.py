"""Promote, as a task."""

from __future__ import annotations

from typing import Any

from retrain.airflow.operators.release import ReleaseOperator, candidate_of


class PromoteOperator(ReleaseOperator):
    """Makes the challenger the champion, if the ledger holds all that it takes."""

    def execute(self, context: Any) -> None:
        with self.errors(context):
            from retrain.stages.promote import promote

            run = self.open(context)
            candidate = candidate_of(run, self.candidate)
            release = promote(run.spec, run.request, candidate, run.site)
            self.show(
                context, f"version {candidate.version} is the champion: {release.reason}", {"pipeline": run.spec.name}
            )
