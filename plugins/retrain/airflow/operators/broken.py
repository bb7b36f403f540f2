"""What stands in a Dag for a stage of a pipeline that is described wrongly: it fails, or waits until that is mended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException
from typing_extensions import override

from retrain.airflow.operators.base import NOTE, RUN_NOTE
from retrain.artifacts import now

PAUSE = timedelta(seconds=30)
FIRST = "data.collect"


class BrokenOperator(BaseOperator):
    """Does nothing of its stage. A new run fails at its first task, with the mistake as its note.

    A run that had begun when the pipeline broke is not ended by it: its next task waits, without a worker, and goes
    on as what it was when the pipeline is mended. So nobody takes a canary's watch away by mistyping a key.

    :param mistake: what is wrong, where, and what to do.
    """

    ui_color = "#f8d7da"

    def __init__(self, *, mistake: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mistake = mistake

    @override
    def execute(self, context: Any) -> None:
        """Say the mistake and fail, or wait for its mending."""
        if self.task_id == FIRST:
            context["ti"].xcom_push(NOTE, self.mistake)
            context["ti"].xcom_push(RUN_NOTE, self.mistake)
            raise AirflowFailException(self.mistake)
        run_id = context["run_id"]
        found = context["ti"].get_task_states(dag_id=self.dag_id, task_ids=[FIRST], run_ids=[run_id])
        if str(found.get(run_id, {}).get(FIRST)) == "failed":
            raise AirflowSkipException("this run did not begin: its pipeline is described wrongly")
        context["ti"].xcom_push(NOTE, f"waits until the pipeline is mended: {self.mistake}")
        raise AirflowRescheduleException(now() + PAUSE)

    @override
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> None:
        """A watch that has come to an end waits, too; what it saw is in the ledger and in the log."""
        self.execute(context)
