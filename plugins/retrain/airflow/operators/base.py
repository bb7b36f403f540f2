"""What every operator does around its stage: open the site, read the inputs, show the evidence, end in good order."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import BaseOperator
from airflow.sdk.bases.operatorlink import BaseOperatorLink
from airflow.sdk.bases.skipmixin import SkipMixin
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowFailException
from typing_extensions import override

from retrain import story
from retrain.airflow.hooks.site import SiteHook
from retrain.airflow.links import EvidenceLink, LedgerLink
from retrain.airflow.operators.request import means_end_of_data, request_of
from retrain.errors import ObjectMissing, RetrainError, SpecError
from retrain.markdown import inert, plain
from retrain.spec import Spec

if TYPE_CHECKING:
    from retrain.artifacts import Artifact, Ref, Request
    from retrain.site import Site

A = TypeVar("A", bound="Artifact")
Input = Mapping[str, Any] | str | None
NOTE = "retrain_note"
RUN_NOTE = "retrain_run_note"
DATA_END = "retrain_data_end"
CHATTY = ("great_expectations", "alembic", "mlflow.store.db")


@dataclass(frozen=True)
class Run:
    """One task at work: what it was asked, for which pipeline, where, and for whom."""

    spec: Spec
    request: Request
    site: Site
    context: Mapping[str, Any]

    def read(self, kind: type[A], given: Input) -> A:
        """The artifact an input names.

        :raises ObjectMissing: the input is empty, or names another kind.
        """
        ref = as_ref(given)
        if ref is None or ref.kind != kind.kind:
            found = "nothing" if ref is None else f"a {ref.kind}"
            raise ObjectMissing(
                f"A task of '{self.spec.name}' needs a {kind.kind} and was given {found}.",
                where=f"run {self.request.run}",
                do="clear this run from its first task on, so that the tasks before this one hand it on again.",
            )
        return self.site.read(kind, ref)

    def take(self, name: str, given: Input) -> Artifact:
        """The artifact of an earlier stage; in a redeployment, of the older version instead of a trained one."""
        from retrain.stages.redeploy import redeployed

        again = redeployed(self.spec, self.request, self.site) if name == story.RELEASED else None
        return again or self.read(story.stage(name).kind, given)


class StageOperator(BaseOperator, SkipMixin):
    """Base of all operators of this package: calls its stage with its inputs, then asks what follows.

    :param folder: the pipeline's folder, with its ``pipeline.yaml``.
    :param site_conn_id: a connection of type ``retrain`` with settings; None reads ``[retrain]`` and ``RETRAIN_*``.
    """

    stage: str
    inherits_from_skipmixin = True
    template_fields: Sequence[str] = ()
    operator_extra_links: Sequence[BaseOperatorLink] = (EvidenceLink("Evidence"), LedgerLink())
    ui_color = "#e8f1fb"

    def __init__(self, *, folder: str | Path, site_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # At run time a task sees its Dag's Params anyway; copies of them on every task make Dags large.
        self.params: ParamsDict = ParamsDict.filter_params_by_source(self.params, source="task")
        self.folder = str(folder)
        self.site_conn_id = site_conn_id

    @classmethod
    def drawn(cls, _spec: Spec, /) -> dict[str, Any]:
        """Further arguments that follow from the pipeline, where the task is drawn for it."""
        return {}

    @override
    def execute(self, context: Any) -> None:
        """Do the stage's work, show its evidence, then decide what it means for the tasks that follow."""
        with self.errors(context):
            run = self.open(context)
            artifact = self.work(run)
            summary = self.summary(run, artifact)
            self.show(context, summary, artifact.ref().model_dump())
            self.decide(run, artifact, summary)

    # -- for those below -------------------------------------------------------------------------------------

    def work(self, run: Run) -> Any:
        """Call the stage and return what it hands on."""
        return story.stage(self.stage).call(run.spec, run.request, self.taken(run), run.site)

    def taken(self, run: Run) -> list[Any]:
        """What the stage takes, read."""
        stages = (story.stage(name) for name in story.stage(self.stage).inputs)
        return [run.take(stage.name, self.given(stage.argument)) for stage in stages]

    def given(self, argument: str) -> Input:
        """What this task was given as one of its stage's inputs."""
        given: Input = getattr(self, argument)
        return given

    def summary(self, _run: Run, artifact: Any, /) -> str:
        """What came of it, in a line."""
        said: str = artifact.summary
        return said

    def decide(self, run: Run, artifact: Any, summary: str) -> None:
        """Ask what follows from an artifact: go on, end the retraining here as a decision, or raise.

        Where it ends, the note says why, and what follows is skipped; only the report is still made.
        """
        reason = story.stage(self.stage).decide(run.spec, run.request, artifact, run.site)
        if reason is not None:
            self.show(run.context, story.line(summary, reason))
            self.leave_out(run.context, story.following(self.stage))

    def open(self, context: Mapping[str, Any]) -> Run:
        """Read the pipeline, the request and the site."""
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        spec = Spec.load(self.folder)
        request = request_of(context, spec.name, self.found_end(context))
        return Run(spec, request, SiteHook(self.site_conn_id).get_conn(), context)

    def found_end(self, context: Mapping[str, Any]) -> str | None:
        """The end of the data as this run's first task found it; None if it did not have to look."""
        if not means_end_of_data(context):
            return None
        first = next((task for task in self.relatives(upstream=True) if task.stage == story.STAGES[0]), None)
        return first and context["ti"].xcom_pull(task_ids=first.task_id, key=DATA_END)

    def show(self, context: Mapping[str, Any], summary: str, result: Mapping[str, Any] | None = None) -> None:
        """Hand on the result and write the task's note. Done before anything is raised."""
        self.log.info("%s", plain(summary))
        if result is not None:
            context["ti"].xcom_push("return_value", dict(result))
        context["ti"].xcom_push(NOTE, inert(summary))

    def leave_out(self, context: Mapping[str, Any], stages: Collection[str]) -> None:
        """Skip the tasks of some stages that follow in this pipeline."""
        self.skip(context["ti"], [task for task in self.relatives(upstream=False) if task.stage in stages])

    def relatives(self, *, upstream: bool) -> list[StageOperator]:
        """The tasks of this pipeline before this one, or after it."""
        tasks = self.get_flat_relatives(upstream=upstream)
        return [task for task in tasks if isinstance(task, StageOperator) and task.folder == self.folder]

    @contextmanager
    def errors(self, context: Mapping[str, Any]) -> Iterator[None]:
        """Write an error of ours into the note; fail at once where trying again cannot help.

        A pipeline that is described wrongly since a moment ago is tried again: by then Airflow has seen it, and its
        tasks wait until it is mended.
        """
        try:
            yield
        except RetrainError as error:
            self.show(context, str(error))
            if error.retryable or isinstance(error, SpecError):
                raise
            raise AirflowFailException(plain(str(error))) from error


def as_ref(given: Input) -> Ref | None:
    """An input as it comes out of XCom: a dict, or a template's JSON; None if there is none."""
    from retrain.artifacts import Ref

    if isinstance(given, str):
        return None if given in {"", "null", "None"} else Ref.model_validate_json(given)
    return Ref.model_validate(given) if given else None
