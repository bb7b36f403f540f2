"""Roll back, as a task."""

from __future__ import annotations

from retrain.airflow.operators.release import RoutingOperator


class RollBackOperator(RoutingOperator):
    """Leaves all traffic with the champion. Shadow and canary have seen to it already, unless ended by hand."""

    stage = "roll_back"
    said = "version {version} is not released: {reason}"
