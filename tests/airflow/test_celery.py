"""On Celery workers: what is pinned can be imported, and the setting of docs/operations.md warms a worker."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

STARTED = """
import json, sys
from airflow.providers.celery.executors.celery_executor import app
before = [name for name in HEAVY if name in sys.modules]
app.loader.init_worker()  # what a worker does before it forks
print(json.dumps([before, [name for name in HEAVY if name in sys.modules]]))
"""
HEAVY = ["great_expectations", "mlflow", "sklearn.ensemble", "retrain.stages.train"]


def test_a_worker_with_the_setting_has_imported_what_tasks_need(root: Path) -> None:
    page = (root / "docs" / "operations.md").read_text()
    (setting,) = re.findall(r"^ +\[celery\] +extra_celery_config = (\{.*\})$", page, re.MULTILINE)
    assert json.loads(setting)
    environment = {**os.environ, "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": setting}
    environment |= {"AIRFLOW__CELERY__BROKER_URL": "memory://", "AIRFLOW__CELERY__RESULT_BACKEND": "cache+memory://"}
    code = f"HEAVY = {HEAVY}{STARTED}"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout.splitlines()[-1])
    assert (before, after) == ([], HEAVY)
