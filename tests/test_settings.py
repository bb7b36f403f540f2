"""Settings: RETRAIN_* first, then airflow.cfg, then defaults below the working folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from retrain.settings import NAMES, Settings


def test_without_anything_all_lies_below_dot_retrain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = Settings.load({})
    assert found.home == tmp_path / ".retrain"
    assert found.store == str(tmp_path / ".retrain" / "store")
    assert found.mlflow_tracking_uri == f"sqlite:///{tmp_path}/.retrain/mlflow.db"
    assert found.pipelines == tmp_path / "include" / "pipelines"


def test_the_environment_wins_over_airflow_cfg_and_that_over_defaults() -> None:
    further = {"store": "s3://cfg/x", "gateway_url": "http://cfg:1", "home": ""}
    found = Settings.load({"RETRAIN_STORE": "s3://env/x"}, further=further)
    assert found.store == "s3://env/x"
    assert found.gateway_url == "http://cfg:1"
    assert found.home.name == ".retrain", "an empty value is no value"


def test_mlflows_own_variable_is_heard_unless_ours_is_set() -> None:
    theirs = {"MLFLOW_TRACKING_URI": "http://mlflow:5000"}
    assert Settings.load(theirs).mlflow_tracking_uri == "http://mlflow:5000"
    ours = Settings.load({**theirs, "RETRAIN_MLFLOW_TRACKING_URI": "http://ours:1"})
    assert ours.mlflow_tracking_uri == "http://ours:1"


def test_unknown_names_of_airflow_cfg_do_no_harm() -> None:
    assert Settings.load({}, further={"colour": "red"}) == Settings.load({})


def test_a_child_process_inherits_the_same_places(tmp_path: Path) -> None:
    found = Settings.load({"RETRAIN_HOME": str(tmp_path), "RETRAIN_STORE": "s3://b/p"})
    environment = found.environment()
    assert set(environment) == {f"RETRAIN_{name.upper()}" for name in NAMES}
    assert Settings.load(environment) == found


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings.load({}).store = "elsewhere"  # type: ignore[misc]
