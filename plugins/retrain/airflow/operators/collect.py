"""Collect, as a task."""

from __future__ import annotations

from typing import Any

from retrain.airflow.operators.base import Run, StageOperator
from retrain.airflow.operators.release import ReleaseOperator
from retrain.artifacts import Snapshot
from retrain.errors import ReleaseError


class CollectOperator(StageOperator):
    """Takes the rows of the window out of the source. A redeployment goes straight to the release instead."""

    def execute(self, context: Any) -> None:
        with self.errors(context):
            run = self.open(context)
            if run.request.redeploy is not None:
                version = run.site.ledger(run.spec.name).version(run.request.redeploy)
                if not version.blessed:
                    raise ReleaseError(
                        f"Version {version.version} of '{run.spec.name}' cannot be released again: it is "
                        f"{version.standing}.",
                        do=f"bless it first: `retrain bless {run.spec.name} {version.version} --reason …`.",
                    )
                self.show(context, f"version {version.version} is released again; nothing is trained")
                self.leave_out(context, [task for task in self.following() if not isinstance(task, ReleaseOperator)])
                return
        super().execute(context)

    def work(self, run: Run) -> Snapshot:
        from retrain.stages.collect import collect

        return collect(run.spec, run.request, run.site)
