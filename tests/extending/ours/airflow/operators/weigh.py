"""Weigh, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrain.airflow.links import EvidenceLink, LedgerLink
from retrain.airflow.operators.base import Input, StageOperator


class WeighOperator(StageOperator):
    """Asks whether the candidate fits on a device.

    :param candidate: what was trained.
    """

    stage = "weigh"
    template_fields: Sequence[str] = ("candidate",)
    operator_extra_links = (EvidenceLink("Weight"), LedgerLink())

    def __init__(self, *, candidate: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.candidate = candidate
