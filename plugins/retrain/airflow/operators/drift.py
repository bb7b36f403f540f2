"""Drift, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrain.airflow.operators.base import Input, StageOperator


class DriftOperator(StageOperator):
    """Measures how far the data has moved. Ends a scheduled run whose champion is fresh and has not drifted.

    :param snapshot: what was collected.
    """

    stage = "drift"
    template_fields: Sequence[str] = ("snapshot",)

    def __init__(self, *, snapshot: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
