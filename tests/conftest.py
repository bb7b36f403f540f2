"""Fixtures every test may use."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest

from retrain.settings import Settings
from retrain.site import Site

# A property is tried with the same examples in every run and on every machine, however slow: what was green before a
# change is red only for what changed. Other examples are looked for by the long profile (`make test-slow`).
ANYWHERE = {
    "deadline": None,
    "suppress_health_check": [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
}
hypothesis.settings.register_profile("same", derandomize=True, **ANYWHERE)
hypothesis.settings.register_profile("long", max_examples=1000, print_blob=True, **ANYWHERE)
hypothesis.settings.load_profile("same")  # `--hypothesis-profile` comes after this

ROOT = Path(__file__).parent.parent
# Airflow reads its configuration, and writes into its home, when it is imported: never in ~/airflow.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="retrain-airflow-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A place of its own: store, ledger, MLflow database and data below a temporary folder."""
    return Site(
        Settings.load({"RETRAIN_HOME": str(tmp_path / "home"), "RETRAIN_PIPELINES": str(tmp_path / "pipelines")})
    )


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT
