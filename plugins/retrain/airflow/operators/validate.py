"""Validate, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrain.airflow.links import EvidenceLink, LedgerLink
from retrain.airflow.operators.base import Input, StageOperator


class ValidateOperator(StageOperator):
    """Applies the suite. Broken expectations fail the run, with the evidence shown and the bad rows in quarantine.

    :param snapshot: what was collected.
    """

    stage = "validate"
    template_fields: Sequence[str] = ("snapshot",)
    operator_extra_links = (EvidenceLink("Validation"), LedgerLink())

    def __init__(self, *, snapshot: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
