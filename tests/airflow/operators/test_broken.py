"""What the tasks of a pipeline do that is described wrongly."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException

from retrain.airflow.dag import RetrainDag, discover

VISITS = Path(__file__).parents[2] / "system" / "pipelines" / "visits"


@pytest.fixture
def broken(tmp_path: Path, world: Any) -> DAG:
    """The small pipeline with a key that does not exist."""
    folder = tmp_path / "pipelines" / "visits"
    shutil.copytree(VISITS, folder)
    (folder / "pipeline.yaml").write_text((folder / "pipeline.yaml").read_text() + "\ncanry: 1\n")
    return discover(folder.parent)["visits"]


def test_a_new_run_fails_at_its_first_task_and_says_the_mistake(broken: DAG, world: Any) -> None:
    context = world.context()
    with pytest.raises(AirflowFailException, match="canry"):
        broken.get_task("data.collect").execute(context)
    assert "did you mean" in context["ti"].note
    assert "did you mean" in context["ti"].pushed["retrain_run_note"]


def test_a_run_that_did_not_begin_has_no_report(broken: DAG, world: Any) -> None:
    context = world.context()
    context["ti"].states = {"data.collect": "failed"}
    with pytest.raises(AirflowSkipException):
        broken.get_task("report").execute(context)


def test_a_run_under_way_waits_until_its_pipeline_is_mended(broken: DAG, world: Any) -> None:
    assert set(RetrainDag(VISITS).task_ids) <= set(broken.task_ids), "Airflow would remove a missing task from the run"
    context = world.context()
    context["ti"].states = {"data.collect": "success"}
    with pytest.raises(AirflowRescheduleException):
        broken.get_task("release.canary").resume_execution("execute_complete", {"event": {}}, context)
    assert "waits until the pipeline is mended" in context["ti"].note
    with pytest.raises(AirflowRescheduleException):
        broken.get_task("report").execute(context)
