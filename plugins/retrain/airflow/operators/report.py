"""Report, as a task: always, whatever happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk.module_loading import import_string

from retrain.airflow.links import EvidenceLink, LedgerLink
from retrain.airflow.operators.base import LONGEST_NOTE, RUN_NOTE, Input, Run, StageOperator
from retrain.airflow.operators.release import candidate_if_any
from retrain.artifacts import Report
from retrain.spec import Alert, Spec

BAD = frozenset({"failed", "upstream_failed"})


class ReportOperator(StageOperator):
    """Says what came of the run, rolls back a release nobody watches any more, and sends the alerts.

    :param candidate: what was trained in this run, if it came so far.
    """

    template_fields: Sequence[str] = ("candidate",)
    operator_extra_links = (EvidenceLink("Report"), LedgerLink())

    def __init__(self, *, candidate: Input = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.candidate = candidate

    def execute(self, context: Any) -> None:
        states = self.states(context)
        event = "failure" if BAD & set(states.values()) else "decision"
        try:
            with self.errors(context):
                run = self.open(context)
                self.abandon(run)
                report = self.work_on(run, states)
                if event != "failure" and states.get("promote") == "success":
                    event = "success"
                self.show(context, report.summary, report.ref().model_dump())
                context["ti"].xcom_push(RUN_NOTE, report.summary[:LONGEST_NOTE])
        finally:
            self.alert(context, event)

    def work_on(self, run: Run, states: Mapping[str, str]) -> Report:
        """Write the report."""
        from retrain.stages.report import report

        return report(run.spec, run.request, run.site, dict(states))

    def states(self, context: Mapping[str, Any]) -> dict[str, str]:
        """Stage → state of its task in this run."""
        dag = context["dag"]
        tasks = {
            task.task_id: task.task_id.rpartition(".")[2]
            for task in dag.tasks
            if getattr(task, "folder", None) == self.folder and task.task_id != self.task_id
        }
        run_id = context["run_id"]
        found = context["ti"].get_task_states(dag_id=dag.dag_id, task_ids=sorted(tasks), run_ids=[run_id])
        return {tasks[task_id]: str(state) for task_id, state in found[run_id].items() if state and task_id in tasks}

    def abandon(self, run: Run) -> None:
        """Roll back this run's release if it is still under way: all its tasks have ended, nobody watches it."""
        candidate = candidate_if_any(run, self.candidate)
        release = run.site.ledger(run.spec.name).release()
        mine = candidate and release.challenger and release.challenger.version == candidate.version
        if candidate and mine and release.under_way:
            from retrain.stages.roll_back import roll_back

            reason = "the run ended before anything was decided, so nobody watches it"
            roll_back(run.spec, run.request, candidate, run.site, reason)

    def alert(self, context: Any, event: str) -> None:
        """Send the alerts the pipeline asks for. One that cannot be sent does not keep the others back."""
        for alert in Spec.load(self.folder).alerts:
            if event in alert.on:
                try:
                    notifier(alert)(context)
                except Exception:
                    self.log.exception("The alert %s could not be sent", alert.notifier)


def notifier(alert: Alert) -> Any:
    """The Airflow notifier an alert names."""
    return import_string(alert.notifier)(**alert.arguments)
