"""Features, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrain.airflow.operators.base import Input, StageOperator


class FeaturesOperator(StageOperator):
    """Labels the rows, makes their features and splits them by time.

    :param snapshot: what was collected.
    :param validation: what the suite said of it.
    """

    stage = "features"
    template_fields: Sequence[str] = ("snapshot", "validation")

    def __init__(self, *, snapshot: Input, validation: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.validation = validation
