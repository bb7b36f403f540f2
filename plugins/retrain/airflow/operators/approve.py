"""Approve, as a task: a human answers before anything is released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from typing_extensions import override

from retrain.airflow.links import EvidenceLink, LedgerLink
from retrain.airflow.operators.base import Input, StageOperator
from retrain.ledger.entries import TIMEOUT
from retrain.markdown import inert

if TYPE_CHECKING:
    from retrain.artifacts import Verdict
    from retrain.spec import Spec


class ApproveOperator(StageOperator, ApprovalOperator):
    """Asks a human. No answer in time is a rejection; a rejection is a decision and ends the run.

    :param verdict: what the gates said, shown to the human.
    """

    stage = "approve"
    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "verdict")
    operator_extra_links = (EvidenceLink("Verdict"), LedgerLink())
    ui_color = ApprovalOperator.ui_color

    def __init__(self, *, verdict: Input, **kwargs: Any) -> None:
        super().__init__(defaults=self.REJECT, **kwargs)
        self.verdict = verdict

    @classmethod
    @override
    def drawn(cls, spec: Spec) -> dict[str, Any]:
        """Whom to ask what, and how long to wait."""
        approval = spec.bless.approval
        return {
            "subject": f"Release the new {spec.name}?",
            "assigned_users": [{"id": name, "name": name} for name in approval.by] or None,
            "response_timeout": approval.within,
        }

    @override
    def execute(self, context: Any) -> Any:
        """Put the question, with the evidence, and wait without a worker."""
        with self.errors(context):
            (verdict,) = self.taken(self.open(context))
            self.body = evidence(verdict)
            self.show(context, f"waiting for an answer: {verdict.summary}", verdict.ref().model_dump())
        return ApprovalOperator.execute(self, context)

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
            summary = f"version {verdict.version} {reason}"
            self.show(context, summary, verdict.ref().model_dump())
            self.decide(run, verdict, summary)


def answered(answer: Mapping[str, Any], approved: bool) -> tuple[str, str]:
    """Who answered, and what, as the ledger keeps it."""
    user = answer["responded_by_user"]
    if not user:
        return TIMEOUT, "rejected: nobody answered in time"
    name = user["name"] if isinstance(user, Mapping) else user.name
    return f"airflow:{name}", f"{'approved' if approved else 'rejected'} by {name}"


def evidence(verdict: Verdict) -> str:
    """The verdict as Markdown, gate by gate."""
    rows = "\n".join(f"| {gate.gate} | {gate.outcome} | {inert(gate.reason)} |" for gate in verdict.gates)
    return f"**{inert(verdict.summary)}**\n\n| Gate | Outcome | Why |\n|---|---|---|\n{rows}\n"
