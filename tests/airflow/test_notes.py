"""The API server copies into a task's note what the task pushes as its XCom."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.utils.session import create_session
from fastapi import FastAPI
from fastapi.testclient import TestClient

from airflow_world import DAG, RUN, TASK, note, task_of
from retrain.airflow.notes import NoteKey, TaskNotes, keep, target_of


def push(key: str, value: str, *, status: int = 201) -> None:
    """Push an XCom as a task does; the execution API answers ``status``."""

    async def execution_api(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    api = TestClient(TaskNotes(execution_api))
    answer = api.post(f"/execution/xcoms/{DAG}/{RUN}/{TASK}/{key}", content=json.dumps(value))
    assert answer.status_code == status


@pytest.mark.parametrize("of", ["note", "run_note"])
def test_a_task_writes_its_note_and_writes_it_anew(airflow_server: FastAPI, of: str) -> None:
    push(f"retrain_{of}", "version 2 blessed")
    assert note(of) == "version 2 blessed"
    push(f"retrain_{of}", "x" * 5000)
    assert note(of) == f"{'x' * 665} … {'x' * 332}", "the end, where it says what to do, is kept"


def test_a_refused_push_writes_no_note(airflow_server: FastAPI) -> None:
    push("retrain_note", "mine")
    push("retrain_note", "somebody else's", status=403)
    assert note() == "mine"


def test_a_note_that_a_human_wrote_stays(airflow_server: FastAPI) -> None:
    push("retrain_note", "ours")
    with create_session() as session:
        task_of(session).task_instance_note.user_id = "alice"
    push("retrain_note", "ours again")
    assert note() == "ours"
    with create_session() as session:
        task_of(session).task_instance_note.user_id = None


def test_a_note_that_cannot_be_kept_does_not_fail_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("database is locked")

    monkeypatch.setattr("retrain.airflow.notes.keep", broken)
    push("retrain_note", "lost")


def test_a_note_for_nobody_is_dropped(airflow_server: FastAPI) -> None:
    keep(NoteKey(DAG, RUN, "no.such.task", -1, "note"), "lost")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/execution/xcoms/d/r/t/retrain_note"),
        ("POST", "/execution/xcoms/d/r/t/return_value"),
        ("POST", "/execution/xcoms/d/r/t/my_retrain_note"),
        ("POST", "/api/v2/xcoms/d/r/t/retrain_note"),
    ],
)
def test_every_other_request_passes_untouched(method: str, path: str) -> None:
    assert target_of({"type": "http", "method": method, "path": path, "query_string": b""}) is None


def test_the_note_of_a_mapped_task_knows_its_index() -> None:
    scope = {"type": "http", "method": "POST", "path": "/x/execution/xcoms/d/r/t/retrain_note"}
    assert target_of({**scope, "query_string": b"map_index=3"}) == NoteKey("d", "r", "t", 3, "note")
    assert target_of({**scope, "query_string": b"map_index=x"}) == NoteKey("d", "r", "t", -1, "note")
