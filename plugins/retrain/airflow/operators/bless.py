"""Bless, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrain.airflow.links import EvidenceLink, LedgerLink
from retrain.airflow.operators.base import Input, Run, StageOperator
from retrain.artifacts import Scorecard, Verdict


class BlessOperator(StageOperator):
    """Asks the gates. A veto, or no verdict, is a decision: the task succeeds and nothing is released.

    :param scorecard: how the candidate scored.
    """

    template_fields: Sequence[str] = ("scorecard",)
    operator_extra_links = (EvidenceLink("Verdict"), LedgerLink())

    def __init__(self, *, scorecard: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scorecard = scorecard

    def work(self, run: Run) -> Verdict:
        from retrain.stages.bless import bless

        return bless(run.spec, run.request, run.read(Scorecard, self.scorecard), run.site)

    def decide(self, run: Run, artifact: Verdict) -> None:
        if artifact.outcome != "blessed":
            self.end(run.context)
