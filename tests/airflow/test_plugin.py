"""What Airflow's own processes get from this package: the plugin and the provider's description."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from airflow.plugins_manager import get_fastapi_plugins, get_import_errors
from airflow.providers_manager import ProvidersManager

from retrain import __version__
from retrain.airflow.live_notes import LiveNotes
from retrain.airflow.notes import TaskNotes
from retrain.airflow.provider import provider_info
from retrain.settings import NAMES


def test_the_provider_describes_itself() -> None:
    info = provider_info()
    assert info["versions"] == [__version__]
    assert set(info["config"]["retrain"]["options"]) == set(NAMES)
    manager = ProvidersManager()
    assert manager.providers["airflow-retrain"].version == __version__
    assert set(info["extra-links"]) <= set(manager.extra_links_class_names)
    assert manager.hooks["retrain"].hook_class_name == "retrain.airflow.hooks.site.SiteHook"


def test_the_plugin_is_registered_once_and_costs_the_tasks_nothing() -> None:
    apps, middlewares = get_fastapi_plugins()
    assert [a["url_prefix"] for a in apps if a["name"] == "retrain"] == ["/retrain"]
    assert [m["middleware"] for m in middlewares] == [TaskNotes, LiveNotes]
    assert not get_import_errors()
    code = (
        "import sys, retrain.airflow.plugin; "
        "print([m for m in ('fastapi', 'pandas', 'retrain.airflow.ui.app') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] in {"[]", "['fastapi']"}


def test_the_plugins_folder_does_not_register_it_again(root: Path) -> None:
    code = (
        "from airflow.plugins_manager import _get_plugins, get_import_errors;"
        "print([p.name for p in _get_plugins()[0]].count('retrain'), get_import_errors())"
    )
    environment = {**os.environ, "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip().splitlines()[-1] == "1 {}"
