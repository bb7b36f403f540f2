"""What this package adds to Airflow's own processes."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class RetrainPlugin(AirflowPlugin):
    """Registered by the entry point ``airflow.plugins``."""

    name = "retrain"
