"""What a Dag run was asked to do."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from retrain.airflow.operators.request import request_of
from retrain.errors import UsageError

MARCH, APRIL, MAY = (datetime(2024, month, 1, tzinfo=UTC) for month in (3, 4, 5))


def event(**extra: str) -> SimpleNamespace:
    return SimpleNamespace(extra=extra)


@pytest.mark.parametrize(
    ("params", "run", "expected"),
    [
        ({"data_end": "2024-03-01T00:00:00Z"}, {"consumed_asset_events": [event(data_end="2024-05-01T00:00Z")]}, MARCH),
        ({"data_end": "2024-03-01T02:00:00+02:00"}, {}, MARCH),
        ({}, {"consumed_asset_events": [event(data_end=f"2024-0{m}-01T00:00:00Z") for m in (3, 5, 4)]}, MAY),
        ({}, {"run_type": "scheduled", "data_interval_end": MARCH}, MARCH),
        ({}, {"run_type": "backfill", "data_interval_end": MARCH}, MARCH),
        ({}, {"run_type": "asset_triggered", "data_interval_end": None, "run_after": APRIL}, APRIL),
        ({}, {"run_type": "operator_triggered", "data_interval_end": None, "run_after": APRIL}, APRIL),
        ({}, {"run_type": "asset_triggered", "consumed_asset_events": [event(other="x")], "run_after": MAY}, APRIL),
    ],
)
def test_the_data_ends_where_the_form_the_event_or_the_interval_says(
    world: Any, params: dict[str, Any], run: dict[str, Any], expected: datetime
) -> None:
    assert request_of(world.context(params=params, **run), "visits").data_end == expected


@pytest.mark.parametrize(
    ("run_type", "trigger"),
    [("scheduled", "schedule"), ("manual", "manual"), ("backfill", "backfill"), ("asset_triggered", "asset")],
)
def test_who_asked_follows_from_the_run(world: Any, run_type: str, trigger: str) -> None:
    by_hand = request_of(world.context(run_type=run_type), "visits")
    by_itself = request_of(world.context(run_type=run_type, triggering_user_name=None), "visits")
    assert (by_hand.trigger, by_hand.actor, by_itself.actor) == (trigger, "airflow:alice", f"airflow:{trigger}")


def test_the_same_run_gives_the_same_request(world: Any) -> None:
    asked = {"force": True, "redeploy": 3, "reason": "holiday"}
    first, second = (request_of(world.context(params=asked), "visits") for _ in range(2))
    assert first == second
    assert (first.force, first.redeploy, first.reason) == (True, 3, "holiday")


def test_two_dags_may_hold_the_same_pipeline_and_run_at_the_same_time(world: Any) -> None:
    own, guest = (request_of(world.context(dag_id=dag_id), "visits") for dag_id in ("visits", "nightly"))
    assert own.run != guest.run


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_skipping_the_canary_needs_a_reason(world: Any, reason: str | None) -> None:
    with pytest.raises(UsageError, match="gives no reason"):
        request_of(world.context(params={"skip_canary": True, "reason": reason}), "visits")
    assert request_of(world.context(params={"skip_canary": True, "reason": "outage"}), "visits").skip_canary


@pytest.mark.parametrize("text", ["yesterday", "2024-03-01T00:00:00", "2024-13-01"])
def test_a_data_end_that_is_no_moment_is_refused(world: Any, text: str) -> None:
    with pytest.raises(UsageError, match="data_end"):
        request_of(world.context(params={"data_end": text}), "visits")
