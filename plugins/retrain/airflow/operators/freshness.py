"""Freshness, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrain.airflow.operators.base import Input, StageOperator


class FreshnessOperator(StageOperator):
    """Asks whether the blessed challenger is still fresh. A stale one is not released.

    :param candidate: what was blessed.
    """

    stage = "freshness"
    template_fields: Sequence[str] = ("candidate",)

    def __init__(self, *, candidate: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.candidate = candidate
