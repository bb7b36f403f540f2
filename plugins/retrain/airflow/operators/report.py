"""Report, as a task: always, whatever happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from retrain.airflow.links import EvidenceLink, LedgerLink
from retrain.airflow.operators.base import NOTE, RUN_NOTE, Input, Run, StageOperator, as_ref
from retrain.airflow.operators.release import candidate_of
from retrain.errors import UsageError
from retrain.markdown import LONGEST, inert, plain, shortened, unlinked
from retrain.spec import Spec

if TYPE_CHECKING:
    from retrain.alerts.events import Event
    from retrain.artifacts import Candidate, Report


class ReportOperator(StageOperator):
    """Says what came of the run, rolls back a release nobody watches any more, and sends the alerts.

    :param candidate: what was trained in this run, if it came so far.
    """

    stage = "report"
    template_fields: Sequence[str] = ("candidate",)
    operator_extra_links = (EvidenceLink("Report"), LedgerLink())

    def __init__(self, *, candidate: Input = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.candidate = candidate

    @override
    def execute(self, context: Any) -> None:
        from retrain.alerts.events import of_report

        states = self.states(context)
        try:
            with self.errors(context):
                report = self.write(self.open(context), states)
        except Exception as error:
            self.alert(context, self.unreported(context, states, error))
            raise
        self.alert(context, of_report(report))

    def write(self, run: Run, states: dict[str, str]) -> Report:
        """Write the report, and show it as the run's note, too."""
        from retrain.stages.report import report

        self.end_release(run)
        made = report(run.spec, run.request, run.site, states)
        self.show(run.context, made.summary, made.ref().model_dump())
        run.context["ti"].xcom_push(RUN_NOTE, self.run_note(run, made, states))
        return made

    @override
    def open(self, context: Mapping[str, Any]) -> Run:
        """As every task, also in a run that all others refuse because its form was filled in wrongly."""
        try:
            return super().open(context)
        except UsageError:
            return super().open({**context, "params": {}})

    def run_note(self, run: Run, made: Report, states: Mapping[str, str]) -> str:
        """What came of the run; of one that failed, with the note of the task it failed at: why, and what to do."""
        said = inert(made.summary)
        failed = [task.task_id for task in self.relatives(upstream=True) if states.get(task.stage) == "failed"]
        notes = [run.context["ti"].xcom_pull(task_ids=task_id, key=NOTE) for task_id in failed[:1]]
        return shortened(". ".join([said, *(str(note) for note in notes if note)]), LONGEST)

    def states(self, context: Mapping[str, Any]) -> dict[str, str]:
        """Stage → state of its task in this run."""
        dag = context["dag"]
        stages = {
            task.task_id: task.stage
            for task in dag.tasks
            if getattr(task, "folder", None) == self.folder and getattr(task, "stage", "report") != "report"
        }
        run_id = context["run_id"]
        found = context["ti"].get_task_states(dag_id=dag.dag_id, task_ids=sorted(stages), run_ids=[run_id])
        return {stages[task_id]: str(state) for task_id, state in found[run_id].items() if state and task_id in stages}

    def end_release(self, run: Run) -> None:
        """All tasks of this run have ended. Roll its release back if it is under way still: nobody watches it.

        Otherwise see that the target follows what was decided; the task that decided it may not have reached it.

        :raises RetrainError: the target cannot be reached, so that what was decided is not what is.
        """
        candidate = self.candidate_if_any(run)
        if candidate is not None:
            from retrain.stages.roll_back import end_release

            reason = "the run ended before anything was decided, so nobody watches it"
            end_release(run.spec, run.request, candidate, run.site, reason)

    def candidate_if_any(self, run: Run) -> Candidate | None:
        """The candidate of a run that may have ended before it had one."""
        again = run.request.redeploy
        if again is None and as_ref(self.candidate) is None:
            return None
        if again is not None and again not in {one.version for one in run.site.ledger(run.spec.name).versions()}:
            return None
        return candidate_of(run, self.candidate)

    def unreported(self, context: Mapping[str, Any], states: Mapping[str, str], error: Exception) -> Event:
        """What to tell of a run whose report could not be written."""
        from retrain.alerts.events import RunFailed

        pipeline = Spec.load(self.folder).name
        failed = ", ".join(stage for stage, state in states.items() if state == "failed")
        what = f"failed at {failed}, and its" if failed else "its"
        headline = f"{pipeline}: {what} report could not be written: {error}"
        return RunFailed(on="failure", pipeline=pipeline, run=context["run_id"], headline=unlinked(plain(headline)))

    def alert(self, context: Mapping[str, Any], event: Event) -> None:
        """Send the alerts the pipeline asks for."""
        from retrain.airflow.notifier import in_airflow
        from retrain.alerts import tell

        tell([in_airflow(alert, context) for alert in Spec.load(self.folder).alerts], event)
