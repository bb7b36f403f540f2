"""Freshness, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrain.airflow.operators.base import Input, Run, StageOperator
from retrain.artifacts import Candidate, Freshness


class FreshnessOperator(StageOperator):
    """Asks whether the blessed challenger is still fresh. A stale one is not released.

    :param candidate: what was blessed.
    """

    template_fields: Sequence[str] = ("candidate",)

    def __init__(self, *, candidate: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.candidate = candidate

    def work(self, run: Run) -> Freshness:
        from retrain.stages.freshness import freshness

        return freshness(run.spec, run.request, run.read(Candidate, self.candidate), run.site)

    def decide(self, run: Run, artifact: Freshness) -> None:
        if not artifact.fresh:
            self.end(run.context)
