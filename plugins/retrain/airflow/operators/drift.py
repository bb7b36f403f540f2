"""Drift, as a task; a scheduled run may end here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retrain.airflow.operators.base import Input, Run, StageOperator
from retrain.artifacts import Drift, Snapshot


class DriftOperator(StageOperator):
    """Measures how far the data has moved. Ends a scheduled run whose champion is fresh and has not drifted.

    :param snapshot: what was collected.
    """

    template_fields: Sequence[str] = ("snapshot",)

    def __init__(self, *, snapshot: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot

    def work(self, run: Run) -> Drift:
        from retrain.stages.drift import drift

        return drift(run.spec, run.request, run.read(Snapshot, self.snapshot), run.site)

    def decide(self, run: Run, artifact: Drift) -> None:
        from retrain.stages.drift import fresh_enough

        reason = fresh_enough(run.spec, run.request, artifact, run.site)
        if reason is not None:
            self.show(run.context, f"{artifact.summary}; ended here: {reason}")
            self.end(run.context)
