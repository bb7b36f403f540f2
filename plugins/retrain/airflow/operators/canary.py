"""Canary, as a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.airflow.operators.base import Run
from retrain.airflow.operators.promote import PromoteOperator
from retrain.airflow.operators.roll_back import RollBackOperator
from retrain.airflow.operators.watch import WatchOperator

if TYPE_CHECKING:
    from retrain.rollout.progress import Progress


class CanaryOperator(WatchOperator):
    """Gives the challenger a growing share of live traffic until harm is shown or excluded."""

    phase = "canary"

    def branch(self, run: Run, progress: Progress) -> None:
        other = RollBackOperator if progress.state == "done" else PromoteOperator
        self.leave_out(run.context, [task for task in self.following() if isinstance(task, other)])
