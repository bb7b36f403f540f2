"""An API server with our app in it, for the tests of what it answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI

import airflow_world
from retrain.ledger import Ledger


@pytest.fixture
def airflow_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """Our app behind Airflow's auth manager, on a site of its own."""
    monkeypatch.setenv("RETRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RETRAIN_PIPELINES", str(tmp_path / "pipelines"))
    airflow_world.tables()
    return airflow_world.server()


@pytest.fixture
def airflow_ledger(airflow_server: FastAPI) -> Ledger:
    """The ledger of the pipeline that everybody is shown, as the server reads it."""
    from retrain.airflow.ui.site import site

    return site().ledger(airflow_world.DAG)
