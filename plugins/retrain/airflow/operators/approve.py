"""Approve, as a task: a human answers before anything is released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk import Param
from typing_extensions import override

from retrain.airflow.links import EvidenceLink, LedgerLink, address
from retrain.airflow.operators.base import Input, Run, StageOperator
from retrain.airflow.question import question
from retrain.artifacts import Scorecard, now
from retrain.ledger.entries import TIMEOUT, Answered
from retrain.markdown import inert, plain
from retrain.words import moment

if TYPE_CHECKING:
    from retrain.artifacts import Verdict
    from retrain.spec import Spec

LONGEST_REASON = 500
"""Characters of a reason that the ledger keeps, as of one given in the trigger form."""


class ApproveOperator(StageOperator, ApprovalOperator):
    """Asks a human. No answer in time is a rejection; a rejection is a decision and ends the run.

    :param verdict: what the gates said, shown to the human.
    """

    stage = "approve"
    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "verdict")
    operator_extra_links = (EvidenceLink("Verdict"), LedgerLink())
    ui_color = ApprovalOperator.ui_color

    def __init__(self, *, verdict: Input, **kwargs: Any) -> None:
        # Airflow shows the default as the first of the buttons. It stays Reject: silence never releases anything, and
        # an answer after the deadline is refused.
        super().__init__(defaults=self.REJECT, params=asked_with_the_answer(), **kwargs)
        self.verdict = verdict

    @classmethod
    @override
    def drawn(cls, spec: Spec) -> dict[str, Any]:
        """Whom to ask what, and how long to wait."""
        approval = spec.bless.approval
        return {
            "subject": subject(spec.name),
            "assigned_users": [{"id": name, "name": name} for name in approval.by] or None,
            "response_timeout": approval.within,
        }

    @override
    def execute(self, context: Any) -> Any:
        """Put the question, with the evidence, and wait without a worker."""
        with self.errors(context):
            run = self.open(context)
            (verdict,) = self.taken(run)
            if (given := self.given_before(run, verdict)) is not None:
                self.conclude(run, verdict, given)
                return None
            self.body = question(verdict, run.read(Scorecard, verdict.scorecard.model_dump()), self.facts(run))
            self.show(context, f"waiting for an answer: {verdict.summary}", verdict.ref().model_dump())
        return ApprovalOperator.execute(self, context)

    def facts(self, run: Run) -> list[str]:
        """What whoever answers should know besides, as Markdown: until when, who may, why, and where to look."""
        approval = run.spec.bless.approval
        who = inert(", ".join(approval.by)) if approval.by else "anybody who may run this Dag"
        until = moment(now() + approval.within)
        where = address(run.context["dag_run"].dag_id, run.context["run_id"], self.task_id)
        return [
            f"Answer until **{until}** ({who}). No answer in time is a rejection; the champion serves on.",
            f"Asked by {inert(run.request.actor)}{f': {inert(run.request.reason)}' if run.request.reason else ''}.",
            f"[All the evidence]({where})",
        ]

    @override
    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Write the answer into the ledger; a rejection ends the run."""
        chosen = HITLOperator.execute_complete(self, context, event)
        with self.errors(context):
            from retrain.stages.approve import answer

            run = self.open(context)
            (verdict,) = self.taken(run)
            yes = chosen["chosen_options"] == [self.APPROVE]
            actor, reason = answered(chosen, yes)
            answer(run.spec, run.request, verdict, run.site, yes=yes, actor=actor, reason=reason)
            self.conclude(run, verdict, reason)

    def conclude(self, run: Run, verdict: Verdict, reason: str) -> None:
        """Say what was answered; a rejection ends the run."""
        summary = f"version {verdict.version} {reason}"
        self.show(run.context, summary, verdict.ref().model_dump())
        self.decide(run, verdict, summary)

    def given_before(self, run: Run, verdict: Verdict) -> str | None:
        """The answer that an earlier try of this task has written down; nobody is asked twice in a run."""
        entries = run.site.ledger(run.spec.name).run_entries(run.request.run)
        given = [entry.body for entry in entries if isinstance(entry.body, Answered)]
        return next((body.reason for body in given if body.version == verdict.version), None)


def asked_with_the_answer() -> dict[str, Param]:
    """The form beside the buttons."""
    reason = "Why you approve or reject; kept in the ledger with your name."
    return {"reason": Param(None, type=["null", "string"], title="Reason", description=reason)}


def subject(pipeline: str) -> str:
    """What is asked; by it the page knows whose question it is."""
    return f"Release the new {pipeline}?"


def answered(answer: Mapping[str, Any], approved: bool) -> tuple[str, str]:
    """Who answered, and what, as the ledger keeps it."""
    user = answer["responded_by_user"]
    if not user:
        return TIMEOUT, "rejected: nobody answered in time"
    name = user["name"] if isinstance(user, Mapping) else user.name
    why = plain(str((answer["params_input"] or {}).get("reason") or ""), LONGEST_REASON)
    return f"airflow:{name}", f"{'approved' if approved else 'rejected'} by {name}{f': {why}' if why else ''}"
