"""MLflow that is locked or away while a run is logged."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy

from retrain.errors import DatabaseLocked, TrackingError
from retrain.settings import Settings
from retrain.tracking.runs import RunRecord, Tracking


def settings(home: Path, uri: str) -> Settings:
    return Settings.load({"RETRAIN_HOME": str(home), "RETRAIN_MLFLOW_TRACKING_URI": uri})


def record(candidate: str = "c") -> RunRecord:
    return RunRecord(candidate, "name", {"a": 1}, {"m": 1.0}, {"t": "x"}, dataset="d", data="p")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Something like a model's folder."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text("flavors: {}\n")
    return tmp_path / "model"


def test_a_database_that_is_locked_is_worth_another_try(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = sqlalchemy.text  # MLflow waits 20 s for a lock; so long a test need not take
    monkeypatch.setattr(
        "sqlalchemy.sql.text", lambda said: text(said.replace("busy_timeout = 20000", "busy_timeout = 9"))
    )
    file = tmp_path / "mlflow.db"
    tracking = Tracking(settings(tmp_path, f"sqlite:///{file}?timeout=0.1"), "p")
    first = tracking.log_run(record(), model)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(DatabaseLocked, match="locked by another process") as caught:
            tracking.log_run(record("other"), model)
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert caught.value.retryable
    assert tracking.log_run(record("other"), model) != first
    tracking.remove_other_runs("c", keep=first)
    assert tracking.alias("champion") is None
    assert not (Path.cwd() / "mlruns").exists()


def test_a_server_that_is_not_there_is_worth_another_try(tmp_path: Path, model: Path) -> None:
    with pytest.raises(TrackingError, match="could not be reached") as caught:
        Tracking(settings(tmp_path, "http://user:secret@127.0.0.1:9"), "p").log_run(record(), model)
    assert caught.value.retryable
    assert "secret" not in str(caught.value)
