"""What this package adds to Airflow's own processes."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from retrain.airflow.links import PREFIX


class RetrainPlugin(AirflowPlugin):
    """Registered by the entry point ``airflow.plugins``.

    Every Airflow process loads it, also every task's; so what only the API server needs is made when that asks.
    """

    name = "retrain"

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        """The pages that tasks link to."""
        from retrain.airflow.ui.app import app

        return [{"name": "retrain", "app": app, "url_prefix": PREFIX}]

    @property
    def fastapi_root_middlewares(self) -> list[dict[str, Any]]:
        """What keeps the tasks' notes, also of those that wait."""
        from retrain.airflow.live_notes import LiveNotes
        from retrain.airflow.notes import TaskNotes

        kept = {"retrain notes": TaskNotes, "retrain live notes": LiveNotes}
        return [{"name": name, "middleware": one, "args": [], "kwargs": {}} for name, one in kept.items()]
