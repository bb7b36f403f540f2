"""Approve, as a task: a human answers before anything is released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator

from retrain.airflow.links import EvidenceLink, LedgerLink
from retrain.airflow.operators.base import Input, StageOperator, pipeline_tasks
from retrain.artifacts import Verdict
from retrain.ledger.entries import TIMEOUT, Answered


class ApproveOperator(ApprovalOperator):
    """Asks a human. No answer in time is a rejection; a rejection is a decision and ends the run.

    :param folder: the pipeline's folder.
    :param verdict: what the gates said, shown to the human.
    """

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "verdict")
    operator_extra_links = (EvidenceLink("Verdict"), LedgerLink())

    def __init__(self, *, folder: str | Path, verdict: Input, site_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(defaults=self.REJECT, **kwargs)
        self.folder = str(folder)
        self.verdict = verdict
        self.site_conn_id = site_conn_id

    open = StageOperator.open
    show = StageOperator.show
    errors = StageOperator.errors

    def execute(self, context: Any) -> Any:
        """Put the question, with the evidence, and wait without a worker."""
        with self.errors(context):
            verdict = self.open(context).read(Verdict, self.verdict)
            self.body = evidence(verdict)
            self.show(context, f"waiting for an answer: {verdict.summary}", verdict.ref().model_dump())
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Write the answer into the ledger; a rejection ends the run."""
        answer = HITLOperator.execute_complete(self, context, event)
        with self.errors(context):
            run = self.open(context)
            verdict = run.read(Verdict, self.verdict)
            approved = answer["chosen_options"] == [self.APPROVE]
            actor, reason = answered(answer, approved)
            run.site.ledger(run.spec.name).append(
                Answered(version=verdict.version, approved=approved, reason=reason),
                actor=actor,
                run=run.request.run,
                once=f"{run.request.run}/approval/{verdict.version}",
            )
            self.show(context, f"version {verdict.version} {reason}", verdict.ref().model_dump())
        if not approved:
            self.skip(context["ti"], pipeline_tasks(self, self.folder))


def answered(answer: Mapping[str, Any], approved: bool) -> tuple[str, str]:
    """Who answered, and what, as the ledger keeps it."""
    user = answer["responded_by_user"]
    if not user:
        return TIMEOUT, "rejected: nobody answered in time"
    name = user["name"] if isinstance(user, Mapping) else user.name
    return f"airflow:{name}", f"{'approved' if approved else 'rejected'} by {name}"


def evidence(verdict: Verdict) -> str:
    """The verdict as Markdown, gate by gate."""
    rows = "\n".join(f"| {gate.gate} | {gate.outcome} | {_cell(gate.reason)} |" for gate in verdict.gates)
    return f"**{_cell(verdict.summary)}**\n\n| Gate | Outcome | Why |\n|---|---|---|\n{rows}\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
