"""Collect in a run that somebody started by hand: of which rows, and who knows of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from airflow.sdk.exceptions import AirflowFailException

from retrain.airflow.operators.base import DATA_END
from retrain.artifacts import Ref, Snapshot
from retrain.stages.collect import end_of_data

NEWEST = datetime(2023, 7, 9, 13, 20, tzinfo=UTC)
AFTER = datetime(2023, 7, 9, 14, tzinfo=UTC)
"""The first full hour after the newest row, long before the world's run."""


def write(world: Any, newest: datetime = NEWEST, name: str = "old") -> None:
    folder: Path = world.site.settings.data / "visits"
    folder.mkdir(parents=True, exist_ok=True)
    at = [newest - timedelta(days=day) for day in range(50)]
    rows = {"visit": [f"{name}-{day}" for day in range(50)], "visitor": "v", "at": at, "pages": 3, "hour": 13}
    pd.DataFrame({**rows, "long": [True, False] * 25}).to_parquet(folder / f"{name}.parquet")


def collected(world: Any, context: Any) -> Snapshot:
    world.task("data.collect").execute(context)
    found: Snapshot = world.site.read(Snapshot, Ref.model_validate(context["ti"].pushed["return_value"]))
    return found


@pytest.mark.parametrize("run_type", ["manual", "asset_materialization"])
def test_a_run_by_hand_uses_all_rows_there_are_and_says_until_when(world: Any, run_type: str) -> None:
    write(world)
    context = world.context(run_type=run_type)
    snapshot = collected(world, context)
    assert (snapshot.end, snapshot.rows) == (AFTER, 50)
    assert context["ti"].note.endswith("; until 2023-07-09 14:00 UTC, the end of the data")


def test_it_is_the_end_that_the_command_line_uses(world: Any) -> None:
    write(world)
    spec, site = world.task("data.collect").open(world.context(run_type="scheduled")).spec, world.site
    assert end_of_data(spec, site) == AFTER


def test_every_later_task_of_the_run_means_the_same_end_whatever_has_come_meanwhile(world: Any) -> None:
    write(world)
    context = world.context()
    collected(world, context)
    write(world, NEWEST + timedelta(days=3), "new")
    handed_on = {("data.collect", DATA_END): context["ti"].pushed[DATA_END]}
    for task_id in ("data.drift", "verdict.freshness", "release.canary", "report"):
        assert world.task(task_id).open(world.context(handed_on=handed_on)).request.data_end == AFTER


def test_a_moment_in_the_form_wins(world: Any) -> None:
    write(world)
    context = world.context(params={"data_end": "2023-07-01T00:00:00Z"})
    assert collected(world, context).end == datetime(2023, 7, 1, tzinfo=UTC)
    assert "the end of the data" not in context["ti"].note


@pytest.mark.parametrize("run_type", ["scheduled", "asset_triggered", "operator_triggered", "backfill"])
def test_a_run_that_nobody_started_uses_no_rows_after_its_own_moment_and_misses_what_is_missing(
    world: Any, run_type: str
) -> None:
    write(world)
    with pytest.raises(AirflowFailException, match="no rows in the window"):
        collected(world, world.context(run_type=run_type))
