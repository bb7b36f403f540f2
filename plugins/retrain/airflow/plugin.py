"""What this package adds to Airflow's own processes."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import conf

from retrain.airflow.links import PREFIX

PLACES = {
    "nav": "retraining",
    "dag": "retraining-dag",
    "dag_run": "retraining-run",
    "task": "retraining-task",
    "task_instance": "retraining-task-instance",
}
"""Where in Airflow's pages the operators' page stands → its part of the address, which must differ."""


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
    def react_apps(self) -> list[dict[str, Any]]:
        """The operators' page, in the navigation and as a tab.

        All places bear one name: Airflow keeps what a script gave it under the name, and runs a script once.
        The address is a path. Airflow 3.2 imports it as it stands, where a relative one would be refused.
        """
        from retrain.airflow.ui.bundle import SCRIPT, address

        base = urlsplit(str(conf.get("api", "base_url", fallback="") or "")).path.rstrip("/") + PREFIX
        page = {
            "name": "Retraining",
            "bundle_url": f"{base}/{address(SCRIPT)}",
            "icon": f"{base}/{address('retrain.svg')}",
            "icon_dark_mode": f"{base}/{address('retrain-dark.svg')}",
        }
        return [
            {**page, "destination": destination, "url_route": route, "nav_top_level": destination == "nav"}
            for destination, route in PLACES.items()
        ]

    @property
    def fastapi_root_middlewares(self) -> list[dict[str, Any]]:
        """What keeps the tasks' notes, also of those that wait."""
        from retrain.airflow.live_notes import LiveNotes
        from retrain.airflow.notes import TaskNotes

        kept = {"retrain notes": TaskNotes, "retrain live notes": LiveNotes}
        return [{"name": name, "middleware": one, "args": [], "kwargs": {}} for name, one in kept.items()]
