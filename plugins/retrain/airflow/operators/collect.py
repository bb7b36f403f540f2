"""Collect, as a task."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from retrain import story
from retrain.airflow.operators.base import StageOperator


class CollectOperator(StageOperator):
    """Takes the rows of the window out of the source. A redeployment goes straight to the release instead."""

    stage = "collect"

    @override
    def execute(self, context: Any) -> None:
        with self.errors(context):
            from retrain.stages.redeploy import require_redeployable

            run = self.open(context)
            if run.request.redeploy is not None:
                require_redeployable(run.spec, run.request, run.site)
                self.show(context, f"version {run.request.redeploy} is released again; nothing is trained")
                self.leave_out(context, story.BEFORE_RELEASE)
                return
        super().execute(context)
