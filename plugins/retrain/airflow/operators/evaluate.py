"""Evaluate, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrain.airflow.operators.base import Input, StageOperator


class EvaluateOperator(StageOperator):
    """Scores the candidate, the champion and the baselines on the same held-out days.

    :param candidate: what was trained.
    :param feature_set: with the held-out rows.
    """

    stage = "evaluate"
    template_fields: Sequence[str] = ("candidate", "feature_set")

    def __init__(self, *, candidate: Input, feature_set: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.candidate = candidate
        self.feature_set = feature_set
