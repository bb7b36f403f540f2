"""Fixtures every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrain.settings import Settings
from retrain.site import Site

ROOT = Path(__file__).parent.parent


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A place of its own: store, ledger, MLflow database and data below a temporary folder."""
    return Site(Settings.load({"RETRAIN_HOME": str(tmp_path / "home"), "RETRAIN_PIPELINES": str(tmp_path / "pipelines")}))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT
