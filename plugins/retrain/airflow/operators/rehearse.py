"""Rehearse, as a task."""

from __future__ import annotations

from retrain.airflow.operators.release import ReleaseOperator


class RehearseOperator(ReleaseOperator):
    """Loads the challenger in a gateway of its own and asks it real requests. A failed rehearsal ends the run."""

    stage = "rehearse"
