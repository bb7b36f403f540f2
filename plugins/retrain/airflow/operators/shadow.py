"""Shadow, as a task."""

from __future__ import annotations

from retrain.airflow.operators.watch import WatchOperator


class ShadowOperator(WatchOperator):
    """Lets the challenger answer unheard. If it alarms, what is left of the release is to roll it back."""

    stage = "shadow"
