"""What every operator does around its stage: open the site, read the inputs, show the evidence, end in good order."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from airflow.sdk import BaseOperator
from airflow.sdk.bases.operatorlink import BaseOperatorLink
from airflow.sdk.bases.skipmixin import SkipMixin
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowFailException

from retrain.airflow.hooks.site import SiteHook
from retrain.airflow.links import EvidenceLink, LedgerLink
from retrain.airflow.operators.request import request_of
from retrain.artifacts import Artifact, Ref, Request
from retrain.errors import ObjectMissing, RetrainError
from retrain.site import Site
from retrain.spec import Spec

A = TypeVar("A", bound=Artifact)
Input = Mapping[str, Any] | str | None
NOTE = "retrain_note"
RUN_NOTE = "retrain_run_note"
LONGEST_NOTE = 1000
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


class StageOperator(BaseOperator, SkipMixin):
    """Base of all operators of this package.

    :param folder: the pipeline's folder, with its ``pipeline.yaml``.
    :param site_conn_id: a connection of type ``retrain`` with settings; None reads ``[retrain]`` and ``RETRAIN_*``.
    """

    inherits_from_skipmixin = True
    template_fields: Sequence[str] = ()
    operator_extra_links: Sequence[BaseOperatorLink] = (EvidenceLink("Evidence"), LedgerLink())
    ui_color = "#e8f1fb"

    def __init__(self, *, folder: str | Path, site_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # At run time a task sees its Dag's Params anyway; copies of them on every task are what makes parsing slow.
        self.params: ParamsDict = ParamsDict.filter_params_by_source(self.params, source="task")
        self.folder = str(folder)
        self.site_conn_id = site_conn_id

    def work(self, run: Run) -> Artifact:
        """Call the stage."""
        raise NotImplementedError

    def decide(self, run: Run, artifact: Any) -> None:
        """Look at what came of it: go on (return), end the run here, or raise."""

    def execute(self, context: Any) -> None:
        """Do the stage's work, show its evidence, then decide what it means for the tasks that follow."""
        with self.errors(context):
            run = self.open(context)
            artifact = self.work(run)
            self.show(context, artifact.summary, artifact.ref().model_dump())
            self.decide(run, artifact)

    # -- for those below -------------------------------------------------------------------------------------

    def open(self, context: Mapping[str, Any]) -> Run:
        """Read the pipeline, the request and the site."""
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        spec = Spec.load(self.folder)
        return Run(spec, request_of(context, spec.name), SiteHook(self.site_conn_id).get_conn(), context)

    def show(self, context: Mapping[str, Any], summary: str, result: Mapping[str, Any] | None = None) -> None:
        """Hand on the result and write the task's note. Done before anything is raised."""
        self.log.info("%s", summary)
        if result is not None:
            context["ti"].xcom_push("return_value", dict(result))
        context["ti"].xcom_push(NOTE, summary[:LONGEST_NOTE])

    def end(self, context: Mapping[str, Any]) -> None:
        """End the retraining here, as a decision: what follows is skipped, only the report is still made."""
        self.skip(context["ti"], self.following())

    def leave_out(self, context: Mapping[str, Any], tasks: Iterable[BaseOperator]) -> None:
        """Skip some of the tasks that follow."""
        self.skip(context["ti"], tasks)

    def following(self) -> list[BaseOperator]:
        """The tasks of this pipeline that come after this one, without the report."""
        return pipeline_tasks(self, self.folder)

    @contextmanager
    def errors(self, context: Mapping[str, Any]) -> Iterator[None]:
        """Write an error of ours into the note; fail at once where trying again cannot help."""
        try:
            yield
        except RetrainError as error:
            self.show(context, str(error))
            if error.retryable:
                raise
            raise AirflowFailException(str(error)) from error


def pipeline_tasks(task: BaseOperator, folder: str) -> list[BaseOperator]:
    """The tasks after ``task`` that belong to the same pipeline, without those that run whatever happens."""
    return [
        other
        for other in task.get_flat_relatives(upstream=False)
        if getattr(other, "folder", None) == folder and not other.is_teardown
    ]


def as_ref(given: Input) -> Ref | None:
    """An input as it comes out of XCom: a dict, or a template's JSON; None if there is none."""
    if isinstance(given, str):
        return None if given in {"", "null", "None"} else Ref.model_validate_json(given)
    return Ref.model_validate(given) if given else None
