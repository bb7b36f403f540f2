"""Canary, as a task."""

from __future__ import annotations

from retrain.airflow.operators.watch import WatchOperator


class CanaryOperator(WatchOperator):
    """Gives the challenger a growing share of live traffic until harm is shown or excluded."""

    stage = "canary"
