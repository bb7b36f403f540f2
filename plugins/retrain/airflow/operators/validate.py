"""Validate, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrain.airflow.links import EvidenceLink, LedgerLink
from retrain.airflow.operators.base import Input, Run, StageOperator
from retrain.artifacts import Snapshot, Validation


class ValidateOperator(StageOperator):
    """Applies the suite. Broken expectations fail the run, with the evidence shown and the bad rows in quarantine.

    :param snapshot: what was collected.
    """

    template_fields: Sequence[str] = ("snapshot",)
    operator_extra_links = (EvidenceLink("Validation"), LedgerLink())

    def __init__(self, *, snapshot: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot

    def work(self, run: Run) -> Validation:
        from retrain.stages.validate import validate

        return validate(run.spec, run.request, run.read(Snapshot, self.snapshot), run.site)

    def decide(self, run: Run, artifact: Validation) -> None:
        from retrain.stages.validate import require_valid

        require_valid(run.spec, artifact)
