"""Promote, as a task."""

from __future__ import annotations

from retrain.airflow.operators.release import RoutingOperator


class PromoteOperator(RoutingOperator):
    """Makes the challenger the champion, if the ledger holds all that it takes."""

    stage = "promote"
    said = "version {version} is the champion: {reason}"
