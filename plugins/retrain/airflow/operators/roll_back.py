"""Roll back, as a task."""

from __future__ import annotations

from typing import Any

from retrain.airflow.operators.release import ReleaseOperator, candidate_of


class RollBackOperator(ReleaseOperator):
    """Leaves all traffic with the champion. Shadow and canary have seen to it already, unless ended by hand."""

    def execute(self, context: Any) -> None:
        with self.errors(context):
            from retrain.stages.roll_back import roll_back

            run = self.open(context)
            candidate = candidate_of(run, self.candidate)
            reason = "its canary ended without a decision"
            release = roll_back(run.spec, run.request, candidate, run.site, reason)
            self.show(
                context, f"version {candidate.version} is not released: {release.reason}", {"pipeline": run.spec.name}
            )
