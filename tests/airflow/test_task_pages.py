"""The pages behind a task's links: the evidence of what it handed on, whoever wrote what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from airflow_world import DAG, EVIL, RUN, TASK, client, hand_on
from hostile import HOSTILE
from retrain.airflow.ui import page as pages
from retrain.artifacts import GateResult, Ref, Verdict
from retrain.ledger import Judged
from retrain.rollout.looks import TrialStory
from retrain.site import Site


@pytest.fixture
def verdict(airflow_site: Site) -> Iterator[Verdict]:
    """A verdict that a task has handed on; its words are an attack."""
    ref = Ref(kind="scorecard", key="s", pipeline=DAG)
    gate = GateResult(gate="change", outcome="failed", reason=EVIL, evidence={"bound": 0.25})
    made = Verdict(
        key="v", pipeline=DAG, scorecard=ref, candidate=ref, version=2, champion=1, outcome="vetoed",
        gates=(gate,), reason=EVIL,
    )  # fmt: skip
    airflow_site.store.create(Verdict.path(DAG, "v"), made.to_bytes())
    body = {"version": 2, "outcome": "vetoed", "reason": EVIL, "verdict": None, "by": "gates"}
    airflow_site.ledger(DAG).append(Judged.model_validate(body), actor="airflow:alice", run=RUN)
    hand_on(made.ref().model_dump())
    yield made
    hand_on(None)


def address(page: str = "", *, dag_id: str = DAG) -> str:
    return f"/retrain/dags/{dag_id}/runs/{RUN}/tasks/{TASK}{page}"


def test_the_routes_are_described_to_nobody_who_only_looks_around(airflow_server: FastAPI) -> None:
    for hidden in ("/retrain/docs", "/retrain/openapi.json", "/retrain/redoc"):
        assert client(airflow_server, role="admin").get(hidden).status_code == 404


def test_a_browser_without_a_session_goes_to_the_login_and_comes_back(
    airflow_server: FastAPI, verdict: Verdict
) -> None:
    browser = TestClient(airflow_server, headers={"Accept": "text/html,application/xhtml+xml"}, follow_redirects=False)
    answer = browser.get(f"{address('/ledger')}?a=b")
    assert answer.status_code == 302
    login = urlsplit(answer.headers["location"])
    assert (login.netloc, login.path) == ("", "/api/v2/auth/login")
    assert parse_qs(login.query) == {"next": [f"{address('/ledger')}?a=b"]}
    assert browser.post(address()).status_code == 405
    assert TestClient(airflow_server, headers={"Accept": "application/json"}).get(address()).status_code == 401


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_from_the_data_is_only_text_on_a_page(name: str) -> None:
    shown = pages.table([{name: name}]) + pages.paragraph(name) + pages.source(name) + pages.heading(name)
    assert not set("\x00\x07\x1b\u202e\u2066\u200f") & set(shown)
    assert "<img" not in shown
    assert "<script" not in shown
    assert len(pages.paragraph(name)) < 15_000


@pytest.mark.parametrize("page", ["", "/ledger", "/status"])
def test_pages_show_the_evidence_and_nothing_a_model_or_a_user_wrote_is_run(
    airflow_server: FastAPI, verdict: Verdict, page: str
) -> None:
    answer = client(airflow_server).get(address(page))
    assert "vetoed" in answer.text
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "http://" not in answer.text.replace("http://testserver", "").replace("http://localhost:8080", "")


def test_the_style_is_the_one_the_policy_allows(airflow_server: FastAPI, verdict: Verdict) -> None:
    import base64
    import hashlib

    answer = client(airflow_server).get(address())
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"sha256-{allowed}" in answer.headers["content-security-policy"]


def test_what_is_not_there_is_said_plainly(airflow_server: FastAPI, verdict: Verdict, airflow_site: Site) -> None:
    assert "handed on nothing" in client(airflow_server).get(address(dag_id="other")).text
    assert client(airflow_server).get(address(dag_id="other")).status_code == 404
    hand_on({"kind": "verdict", "key": "gone", "pipeline": DAG})
    answer = client(airflow_server).get(address())
    assert answer.status_code == 503
    assert "cannot be shown now" in answer.text
    hand_on({"kind": "verdict", "key": "../../../etc/passwd", "pipeline": DAG})
    assert client(airflow_server).get(address()).status_code == 503


def test_a_release_shows_how_far_it_came(airflow_server: FastAPI, verdict: Verdict) -> None:
    evidence = {"asked": {"7": 20}, "metrics": [{"metric": "errors", "harm": False, "p": 0.25}]}
    hand_on({"pipeline": DAG, "phase": "canary", "state": "rolled_back", "summary": "harm", "evidence": evidence})
    shown = client(airflow_server).get(address()).text
    assert f"Canary of {DAG}" in shown
    assert "<td>errors</td>" in shown
    hand_on({"pipeline": DAG})
    assert "What this run wrote" in client(airflow_server).get(address()).text


def test_a_release_that_waits_shows_how_it_goes_now(
    airflow_server: FastAPI, verdict: Verdict, trying: TrialStory
) -> None:
    waits = {"pipeline": DAG, "version": 2, "phase": "canary", "state": "waiting", "decided": False}
    hand_on({**waits, "summary": "step 1 of 3: no traffic yet", "evidence": {}})
    shown = client(airflow_server).get(address()).text
    assert "12 of 20 requests" in shown
    assert "no traffic yet" not in shown.partition("<pre")[0]
    assert EVIL not in shown
    hand_on({**waits, "version": 7, "summary": "of another trial", "evidence": {}})
    assert "of another trial" in client(airflow_server).get(address()).text
