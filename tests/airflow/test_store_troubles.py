"""The API server stays up when the store is slow, gone or broken: the page says which, within two seconds."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from airflow_world import DAG, client, served
from retrain.airflow.ui.site import site
from retrain.ledger import Ledger
from retrain.store.local import LocalStore

FACTS = ("", "/history", "/trial", "/ledger", "/acts", "/data", "/versions/1")
WITHIN = 2.0


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A store that does not answer, as a file system that was lost does not."""
    come = threading.Event()

    def waits(*_: Any) -> Any:
        come.wait(60)
        raise OSError("lost")

    for name in ("get", "exists", "list", "create", "put"):
        monkeypatch.setattr(LocalStore, name, waits)
    yield
    come.set()


@pytest.mark.usefixtures("stuck")
@pytest.mark.parametrize("fact", FACTS)
def test_a_store_that_hangs_is_said_in_time(airflow_server: FastAPI, fact: str) -> None:
    began = time.monotonic()
    answer = client(airflow_server, "viewer").get(f"/retrain/api/v1/pipelines/{DAG}{fact}")
    assert answer.status_code == 503
    assert "did not answer within" in answer.json()["error"]
    assert "gateways go on serving" in answer.json()["do"]
    assert time.monotonic() - began < WITHIN + 1.0  # a second for a machine that is busy


@pytest.mark.usefixtures("stuck")
def test_of_all_pipelines_those_that_hang_are_rows_that_say_so(airflow_server: FastAPI) -> None:
    found = client(airflow_server, "viewer").get("/retrain/api/v1/pipelines")
    assert found.status_code == 200
    assert {one["word"] for one in found.json()["pipelines"]} == {"UNREAD"}


def test_whoever_asks_often_while_it_hangs_takes_nothing_from_the_others(
    airflow_server: FastAPI, airflow_ledger: Ledger, stuck: None
) -> None:
    asking = client(airflow_server, "viewer")
    for _ in range(3):
        assert asking.get(f"/retrain/api/v1/pipelines/{DAG}").status_code == 503
    assert asking.get("/retrain/").status_code == 200
    assert asking.get("/retrain/static/retrain.js").status_code == 200


def test_a_decision_that_cannot_be_written_is_said_and_nothing_is_half_done(
    airflow_server: FastAPI, airflow_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(airflow_ledger, 1)
    served(airflow_ledger, 2)
    before = airflow_ledger.head

    def full(*_: Any) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("retrain.store.local._write_synced", full)
    body = {"version": 1, "reason": "wrong", "head": before}
    answer = client(airflow_server, "user").post(f"/retrain/api/v1/pipelines/{DAG}/acts/rollback", json=body)
    assert answer.status_code == 503
    assert answer.json()["do"]
    monkeypatch.undo()
    assert airflow_ledger.head == before
    assert airflow_ledger.champion().version == 2


def test_a_store_that_is_gone_is_named(airflow_server: FastAPI, airflow_ledger: Ledger) -> None:
    served(airflow_ledger, 1)
    shutil.rmtree(site().settings.store)
    answer = client(airflow_server, "viewer").get(f"/retrain/api/v1/pipelines/{DAG}")
    assert answer.status_code == 503
    assert answer.json()["error"]
    assert answer.json()["do"]


def test_a_broken_ledger_is_named_and_the_others_are_told(airflow_server: FastAPI, airflow_ledger: Ledger) -> None:
    from airflow_world import OTHER

    served(airflow_ledger, 1)
    path = site().store.root / airflow_ledger.path(2)  # type: ignore[attr-defined]
    path.write_bytes(path.read_bytes().replace(b"because", b"becausf"))
    site()._ledgers.clear()
    asking = client(airflow_server, "viewer")
    answer = asking.get(f"/retrain/api/v1/pipelines/{DAG}")
    assert (answer.status_code, "broken at entry 3" in answer.json()["error"]) == (503, True)
    words = {one["pipeline"]: one["word"] for one in asking.get("/retrain/api/v1/pipelines").json()["pipelines"]}
    assert words[DAG] == "UNREAD"
    assert words[OTHER] != "UNREAD"
