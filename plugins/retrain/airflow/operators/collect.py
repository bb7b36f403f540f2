"""Collect, as a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from typing_extensions import override

from retrain import story
from retrain.airflow.operators.base import DATA_END, Run, StageOperator
from retrain.airflow.operators.request import means_end_of_data
from retrain.words import moment


class CollectOperator(StageOperator):
    """Takes the rows of the window out of the source. A redeployment goes straight to the release instead.

    In a run that means the end of the data it looks where that is, once, and hands it on.
    """

    stage = "collect"

    @override
    def execute(self, context: Any) -> None:
        with self.errors(context):
            from retrain.stages.redeploy import require_redeployable

            run = super().open(context)
            if run.request.redeploy is not None:
                require_redeployable(run.spec, run.request, run.site)
                self.show(context, f"version {run.request.redeploy} is released again; nothing is trained")
                self.leave_out(context, story.BEFORE_RELEASE)
                return
        super().execute(context)

    @override
    def open(self, context: Mapping[str, Any]) -> Run:
        run = super().open(context)
        if not means_end_of_data(context):
            return run
        from retrain.stages.collect import end_of_data

        end = end_of_data(run.spec, run.site)
        context["ti"].xcom_push(DATA_END, end.isoformat())
        self.log.info("The data ends at %s", moment(end))
        return replace(run, request=run.request.model_copy(update={"data_end": end}))

    @override
    def summary(self, run: Run, artifact: Any) -> str:
        said = super().summary(run, artifact)
        if means_end_of_data(run.context):
            said += f"; until {moment(run.request.data_end)}, the end of the data"
        return said
