"""Shadow, as a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.airflow.operators.base import Run
from retrain.airflow.operators.canary import CanaryOperator
from retrain.airflow.operators.promote import PromoteOperator
from retrain.airflow.operators.watch import WatchOperator

if TYPE_CHECKING:
    from retrain.rollout.progress import Progress


class ShadowOperator(WatchOperator):
    """Lets the challenger answer unheard. If it alarms, what is left of the release is to roll it back."""

    phase = "shadow"

    def branch(self, run: Run, progress: Progress) -> None:
        if progress.state == "rolled_back":
            ruled_out = [task for task in self.following() if isinstance(task, CanaryOperator | PromoteOperator)]
            self.leave_out(run.context, ruled_out)
