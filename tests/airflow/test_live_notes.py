"""The note of a task that waits in the triggerer follows what is seen there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.utils.session import create_session
from fastapi import FastAPI

from airflow_world import DAG, RUN, TASK, hand_on, note, task_of
from retrain.airflow.live_notes import TRIGGER, LiveNotes, run_of
from retrain.airflow.notes import NoteKey, keep
from retrain.rollout.looks import TrialStory


@pytest.fixture
def deferred(airflow_server: FastAPI) -> Iterator[None]:
    """The task waits in the triggerer."""
    from airflow.models.trigger import Trigger

    def put(state: Any, trigger_id: int | None) -> None:
        with create_session() as session:
            row = task_of(session)
            row.state, row.trigger_id = state, trigger_id

    with create_session() as session:
        trigger = Trigger(classpath=TRIGGER, kwargs={})
        session.add(trigger)
        session.flush()
        number = trigger.id
    put("deferred", number)
    yield
    put(None, None)
    hand_on(None)


def read(path: str, *, status: int = 200) -> None:
    """Read tasks as Airflow's page does; its API answers ``status``."""

    async def public_api(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def whole() -> None:
        notes = LiveNotes(public_api)
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await notes({"type": "http", "method": "GET", "path": path}, None, send)
        assert len(sent) == 2
        await asyncio.gather(*notes._busy.values())

    asyncio.run(whole())


TASKS = f"/api/v2/dags/{DAG}/dagRuns/{RUN}/taskInstances"


@pytest.mark.parametrize("path", [TASKS, f"{TASKS}/{TASK}", f"{TASKS}/{TASK}/-1"])
def test_the_note_of_a_task_that_waits_follows_the_looks(
    deferred: None, trying: TrialStory, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    keep(NoteKey(DAG, RUN, TASK, -1, "note"), "step 1 of 1: no traffic yet")
    hand_on({"pipeline": DAG, "version": 2, "phase": "canary"})
    read(path, status=403)
    assert note() == "step 1 of 1: no traffic yet"
    read(path)
    assert note().startswith("step 1 of 1: 12 of 20 requests")
    assert "<script>" not in note()


def test_a_note_of_another_version_and_of_a_task_that_does_not_wait_stays(trying: TrialStory) -> None:
    keep(NoteKey(DAG, RUN, TASK, -1, "note"), "version 2 blessed")
    hand_on({"pipeline": DAG, "version": 2, "phase": "canary"})
    read(f"{TASKS}/{TASK}")
    assert note() == "version 2 blessed"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", TASKS), ("GET", "/api/v2/dags/{DAG}/dagRuns"), ("GET", f"{TASKS}/{TASK}/tries"), ("GET", "/")],
)
def test_only_who_reads_tasks_brings_notes_up_to_date(method: str, path: str) -> None:
    assert run_of({"type": "http", "method": method, "path": path}) is None
    assert run_of({"type": "websocket"}) is None


def test_what_merely_looks_like_the_route_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's page answers 200 to any other path, and to anybody."""
    assert run_of({"type": "http", "method": "GET", "path": f"/x{TASKS}"}) is None
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://h/team")
    assert run_of({"type": "http", "method": "GET", "path": f"/team{TASKS}"}) is not None
