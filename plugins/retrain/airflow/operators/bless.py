"""Bless, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrain.airflow.links import EvidenceLink, LedgerLink
from retrain.airflow.operators.base import Input, StageOperator


class BlessOperator(StageOperator):
    """Asks the gates. A veto, or no verdict, is a decision: the task succeeds and nothing is released.

    :param scorecard: how the candidate scored.
    """

    stage = "bless"
    template_fields: Sequence[str] = ("scorecard",)
    operator_extra_links = (EvidenceLink("Verdict"), LedgerLink())

    def __init__(self, *, scorecard: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scorecard = scorecard
