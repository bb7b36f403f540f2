"""Who may do what: every route × every method × (nobody, a stranger, viewer, user, op, admin), as the app has them.

The table is made from the app's own routes, so a route that somebody adds is in it, and fails it if it asks nobody.
"""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from airflow_world import DAG, OTHER, RUN, TASK, client, served
from retrain.ledger import Ledger

READERS = ("viewer", "user", "op", "admin")
WRITERS = ("user", "op", "admin")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
VALUES = {
    "dag_id": DAG, "run_id": RUN, "task_id": TASK, "p": DAG, "version": "2", "key": "nothing", "act": "veto",
    "name": "retrain.js",
}  # fmt: skip
ONLY_WRITERS = ("/acts/{act}", "/quarantine")


def routes() -> list[tuple[str, frozenset[str]]]:
    from retrain.airflow.ui.app import app

    found: dict[str, set[str]] = {}
    for route in app.routes:
        assert isinstance(route, APIRoute), f"{route} is mounted past the app's own question who asks"
        found.setdefault(route.path, set()).update(route.methods)
    return [(path, frozenset(methods)) for path, methods in sorted(found.items())]


def ask(app: FastAPI, role: str | None, method: str, path: str) -> int:
    asked = {"json": {"version": 2, "reason": "because", "head": 0}} if method != "GET" else {}
    asking = TestClient(app) if role == "nobody" else client(app, role)
    return asking.request(method, "/retrain" + path.format(**VALUES), follow_redirects=False, **asked).status_code


FOUND = {
    "/api/v1/pipelines/{p}/versions/{version}": 404,
    "/api/v1/pipelines/{p}/data/{key}/quarantine": 404,
    "/api/v1/pipelines/{p}/acts/{act}": 409,
    "/dags/{dag_id}/runs/{run_id}/tasks/{task_id}": 404,
}
"""What somebody who may is answered where it is not 200: there is no such version, nothing is in quarantine, …"""


def expected(path: str, role: str) -> int:
    if role == "nobody":
        return 401
    if path in {"/", "/static/{name}", "/api/v1/pipelines"}:  # they hold nothing of anybody's Dags
        return 200
    allowed = WRITERS if path.endswith(ONLY_WRITERS) else READERS
    return FOUND.get(path, 200) if role in allowed else 403


@pytest.mark.parametrize(("path", "methods"), routes())
@pytest.mark.parametrize("role", ["nobody", "stranger", *READERS])
def test_every_route_asks_who_you_are_and_whether_you_may(
    airflow_server: FastAPI, path: str, methods: frozenset[str], role: str
) -> None:
    who = None if role == "stranger" else role
    for method in METHODS:
        found = ask(airflow_server, who, method, path)
        assert found == (expected(path, role) if method in methods else 405), method


def test_nothing_is_changed_by_a_get(airflow_server: FastAPI, airflow_ledger: Ledger) -> None:
    before = airflow_ledger.head
    for path, methods in routes():
        for method in methods & {"GET", "HEAD"}:
            ask(airflow_server, "admin", method, path)
    assert airflow_ledger.head == before


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_no_list_and_no_count_shows_a_pipeline_that_one_may_not_read(
    airflow_server: FastAPI, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    def not_the_other(_self: Any, *, details: Any = None, **_: Any) -> bool:
        return details is None or details.id != OTHER

    def all_but_the_other(_self: Any, **_: Any) -> set[str]:
        return {DAG}

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", not_the_other)
    monkeypatch.setattr(SimpleAuthManager, "get_authorized_dag_ids", all_but_the_other)
    asking = client(airflow_server, role)
    fleet = asking.get("/retrain/api/v1/pipelines")
    assert [one["pipeline"] for one in fleet.json()["pipelines"]] == [DAG]
    assert OTHER not in fleet.text
    for path, methods in routes():
        if "{p}" in path or "{dag_id}" in path:
            for method in methods:
                there = path.format(**{**VALUES, "p": OTHER, "dag_id": OTHER})
                body = {"json": {"version": 2, "reason": "because", "head": 0}} if method == "POST" else {}
                assert asking.request(method, f"/retrain{there}", **body).status_code == 403, (method, path)


def test_a_page_of_another_site_decides_nothing(airflow_server: FastAPI, airflow_ledger: Ledger) -> None:
    path, body = f"/retrain/api/v1/pipelines/{DAG}/acts/veto", '{"version": 2, "reason": "because", "head": 0}'
    asking, before = client(airflow_server, "admin"), airflow_ledger.head
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        assert asking.post(path, content=body, headers={"Content-Type": kind}).status_code in {415, 422}
    json = {"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}
    assert asking.post(path, content=body, headers=json).status_code == 403
    assert airflow_ledger.head == before


def test_what_is_decided_is_written_in_the_name_of_who_decided_it(
    airflow_server: FastAPI, airflow_ledger: Ledger
) -> None:
    served(airflow_ledger, 1)
    served(airflow_ledger, 2)
    asking = client(airflow_server, "user", name="alice")
    acts = {one["act"]: one for one in asking.get(f"/retrain/api/v1/pipelines/{DAG}/acts").json()}
    assert acts["rollback"]["possible"]
    body = {"version": 1, "reason": "the price feed changed", "head": acts["rollback"]["head"]}
    done = asking.post(f"/retrain/api/v1/pipelines/{DAG}/acts/rollback", json=body)
    assert done.status_code == 200, done.text
    entry = airflow_ledger.entries()[done.json()["entry"] - 1]
    assert (entry.actor, entry.body.reason, entry.by) == ("airflow:alice", "the price feed changed", "human")
    assert airflow_ledger.champion().version == 1


def test_the_second_of_two_people_is_told_who_was_first(airflow_server: FastAPI, airflow_ledger: Ledger) -> None:
    served(airflow_ledger, 1)
    served(airflow_ledger, 2)
    served(airflow_ledger, 3)
    path = f"/retrain/api/v1/pipelines/{DAG}/acts"
    head = airflow_ledger.head
    alice, bob = (client(airflow_server, "user", name=name) for name in ("alice", "bob"))
    assert alice.post(f"{path}/rollback", json={"version": 2, "reason": "a", "head": head}).status_code == 200
    before = airflow_ledger.head
    second = bob.post(f"{path}/rollback", json={"version": 1, "reason": "b", "head": head})
    assert second.status_code == 409
    assert "alice" in second.json()["error"]
    assert airflow_ledger.head == before


def test_a_viewer_is_told_why_they_may_not(airflow_server: FastAPI, airflow_ledger: Ledger) -> None:
    served(airflow_ledger, 1)
    acts = client(airflow_server, "viewer").get(f"/retrain/api/v1/pipelines/{DAG}/acts").json()
    assert all(not one["possible"] and "start runs" in one["why_not"] and one["call"] is None for one in acts)


def test_a_reason_is_wanted(airflow_server: FastAPI, airflow_ledger: Ledger) -> None:
    served(airflow_ledger, 1)
    served(airflow_ledger, 2)
    body = {"version": 1, "reason": "  ", "head": airflow_ledger.head}
    answer = client(airflow_server, "user").post(f"/retrain/api/v1/pipelines/{DAG}/acts/rollback", json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "A reason is needed to roll back.")
