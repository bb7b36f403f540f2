"""What Airflow's own processes get from this package: the plugin, the provider's description, notes, pages."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.app import create_auth_manager, init_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.plugins_manager import get_fastapi_plugins, get_import_errors
from airflow.providers_manager import ProvidersManager
from airflow.sdk import DAG
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from retrain import __version__
from retrain.airflow.live_notes import TRIGGER, LiveNotes, run_of
from retrain.airflow.notes import NoteKey, TaskNotes, keep, target_of
from retrain.airflow.provider import provider_info
from retrain.artifacts import GateResult, ModelRef, Ref, Verdict, canonical, now
from retrain.ledger import Judged, Served
from retrain.ledger import release as machine
from retrain.ledger import trial as trials
from retrain.rollout.looks import Looks, TrialStory, path, trial_story
from retrain.settings import NAMES
from retrain.site import Site

RUN = "manual__2024-04-01T00:00:00+00:00"
TASK = "verdict.bless"
EVIL = "<script>alert(1)</script>"


def test_the_provider_describes_itself() -> None:
    info = provider_info()
    assert info["versions"] == [__version__]
    assert set(info["config"]["retrain"]["options"]) == set(NAMES)
    manager = ProvidersManager()
    assert manager.providers["airflow-retrain"].version == __version__
    assert set(info["extra-links"]) <= set(manager.extra_links_class_names)
    assert manager.hooks["retrain"].hook_class_name == "retrain.airflow.hooks.site.SiteHook"


def test_the_plugin_is_registered_once_and_costs_the_tasks_nothing() -> None:
    apps, middlewares = get_fastapi_plugins()
    assert [a["url_prefix"] for a in apps if a["name"] == "retrain"] == ["/retrain"]
    assert [m["middleware"] for m in middlewares] == [TaskNotes, LiveNotes]
    assert not get_import_errors()
    code = (
        "import sys, retrain.airflow.plugin; "
        "print([m for m in ('fastapi', 'pandas', 'retrain.airflow.ui.app') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] in {"[]", "['fastapi']"}


def test_the_plugins_folder_does_not_register_it_again(root: Path) -> None:
    code = (
        "from airflow.plugins_manager import _get_plugins, get_import_errors;"
        "print([p.name for p in _get_plugins()[0]].count('retrain'), get_import_errors())"
    )
    environment = {**os.environ, "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip().splitlines()[-1] == "1 {}"


# -- pages -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database() -> None:
    """Airflow's tables in its temporary home, with one run of one Dag."""
    initdb()
    from airflow.models.dag import DagModel
    from airflow.models.dag_version import DagVersion
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.taskinstance import TaskInstance
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.types import DagRunType

    with DAG("visits", schedule=None) as dag:
        EmptyOperator(task_id=TASK)
    serialized = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    with create_session() as session:
        session.add(DagBundleModel(name="test"))
        session.flush()
        session.add(DagModel(dag_id="visits", bundle_name="test", fileloc="x", relative_fileloc="x"))
        session.flush()
        version = DagVersion(dag_id="visits", bundle_name="test", version_number=1)
        session.add(version)
        session.flush()
        run = DagRun(
            dag_id="visits", run_id=RUN, run_type=DagRunType.MANUAL, run_after=datetime(2024, 4, 1, tzinfo=UTC)
        )
        session.add(run)
        session.flush()
        task = TaskInstance(serialized.get_task(TASK), run_id=RUN, dag_version_id=version.id)
        task.dag_run = run
        session.add(task)


@pytest.fixture
def site_of_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site the API server sees."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("RETRAIN_HOME", str(tmp_path / "home"))
    from retrain.airflow.hooks.site import SiteHook

    return SiteHook().get_conn()


@pytest.fixture
def verdict(database: None, site_of_server: Site) -> Iterator[Verdict]:
    """A verdict that a task has handed on; its words are an attack."""
    ref = Ref(kind="scorecard", key="s", pipeline="visits")
    gate = GateResult(gate="change", outcome="failed", reason=EVIL, evidence={"bound": 0.25})
    made = Verdict(
        key="v", pipeline="visits", scorecard=ref, candidate=ref, version=2, champion=1, outcome="vetoed",
        gates=(gate,), reason=EVIL,
    )  # fmt: skip
    site_of_server.store.create(Verdict.path("visits", "v"), made.to_bytes())
    body = {"version": 2, "outcome": "vetoed", "reason": EVIL, "verdict": None, "by": "gates"}
    site_of_server.ledger("visits").append(Judged.model_validate(body), actor="airflow:alice", run=RUN)
    hand_on(made.ref().model_dump())
    yield made
    hand_on(None)


def hand_on(value: Any) -> None:
    with create_session() as session:
        where = {"dag_id": "visits", "run_id": RUN, "task_id": TASK, "key": "return_value", "session": session}
        XComModel.set(value=value, serialize=False, **where)


@pytest.fixture(scope="module")
def server(database: None) -> FastAPI:
    """Our pages where Airflow mounts them, behind its own auth manager."""
    from retrain.airflow.ui.app import app

    whole = FastAPI()
    whole.mount("/retrain", app)
    create_auth_manager()
    init_auth_manager(whole)
    return whole


def client(server: FastAPI, role: str | None = "viewer") -> TestClient:
    from airflow.api_fastapi.app import get_auth_manager

    user = SimpleAuthManagerUser(username="x", role=role)
    return TestClient(server, headers={"Authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"})


def address(page: str = "", *, dag_id: str = "visits") -> str:
    return f"/retrain/dags/{dag_id}/runs/{RUN}/tasks/{TASK}{page}"


def test_every_route_asks_who_you_are_and_whether_you_may(server: FastAPI, verdict: Verdict) -> None:
    from retrain.airflow.ui.app import app

    routes = [route for route in app.routes if hasattr(route, "methods")]
    assert len(routes) == 3
    for route in routes:
        assert route.methods <= {"GET", "HEAD"}
        path = "/retrain" + route.path.format(dag_id="visits", run_id=RUN, task_id=TASK)
        assert TestClient(server).get(path).status_code == 401
        assert TestClient(server, headers={"Authorization": "Bearer nonsense"}).get(path).status_code == 403
        assert client(server, role=None).get(path).status_code == 403
        assert client(server, role="viewer").get(path).status_code == 200
        assert client(server, role="admin").post(path).status_code == 405
    for path in ("/retrain/docs", "/retrain/openapi.json", "/retrain/redoc"):
        assert client(server, role="admin").get(path).status_code == 404


@pytest.mark.parametrize("page", ["", "/ledger", "/status"])
def test_pages_show_the_evidence_and_nothing_a_model_or_a_user_wrote_is_run(
    server: FastAPI, verdict: Verdict, page: str
) -> None:
    answer = client(server).get(address(page))
    assert "vetoed" in answer.text
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "http://" not in answer.text.replace("http://testserver", "").replace("http://localhost:8080", "")


def test_the_style_is_the_one_the_policy_allows(server: FastAPI, verdict: Verdict) -> None:
    import base64
    import hashlib

    answer = client(server).get(address())
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"sha256-{allowed}" in answer.headers["content-security-policy"]


def test_what_is_not_there_is_said_plainly(server: FastAPI, verdict: Verdict, site_of_server: Site) -> None:
    assert "handed on nothing" in client(server).get(address(dag_id="other")).text
    assert client(server).get(address(dag_id="other")).status_code == 404
    hand_on({"kind": "verdict", "key": "gone", "pipeline": "visits"})
    answer = client(server).get(address())
    assert answer.status_code == 503
    assert "cannot be shown now" in answer.text
    hand_on({"kind": "verdict", "key": "../../../etc/passwd", "pipeline": "visits"})
    assert client(server).get(address()).status_code == 503


def test_a_release_shows_how_far_it_came(server: FastAPI, verdict: Verdict) -> None:
    evidence = {"asked": {"7": 20}, "metrics": [{"metric": "errors", "harm": False, "p": 0.25}]}
    hand_on({"pipeline": "visits", "phase": "canary", "state": "rolled_back", "summary": "harm", "evidence": evidence})
    shown = client(server).get(address()).text
    assert "Canary of visits" in shown
    assert "<td>errors</td>" in shown
    hand_on({"pipeline": "visits"})
    assert "What this run wrote" in client(server).get(address()).text


def test_a_release_that_waits_shows_how_it_goes_now(server: FastAPI, verdict: Verdict, trying: TrialStory) -> None:
    waits = {"pipeline": "visits", "version": 2, "phase": "canary", "state": "waiting", "decided": False}
    hand_on({**waits, "summary": "step 1 of 3: no traffic yet", "evidence": {}})
    shown = client(server).get(address()).text
    assert "12 of 20 requests" in shown
    assert "no traffic yet" not in shown.partition("<pre")[0]
    assert EVIL not in shown
    hand_on({**waits, "version": 7, "summary": "of another trial", "evidence": {}})
    assert "of another trial" in client(server).get(address()).text


@pytest.fixture
def trying(site_of_server: Site) -> TrialStory:
    """Version 2 is in its canary; its newest look says things that are an attack."""
    ledger = site_of_server.ledger("visits")
    served = [
        Served(version=number, model=ModelRef(digest=f"{number:064x}", path=f"m/{number}", files={}))
        for number in (1, 2)
    ]
    first = machine.promote(ledger.release(), served[0], reason="first")
    shadowed = machine.start_shadow(first, served[1], shadow=1.0, steps=(0.5,), reason="try")
    for release in (first, shadowed, machine.ramp(shadowed, reason="step 1")):
        ledger.append(release, actor="canary", run=RUN)
    trial = trials.newest(ledger)
    assert trial is not None
    looks = Looks(
        version=2, decision=ledger.head, phase="canary", looked_at=now(), due=now(), alpha=0.05, patience_ends=None,
        on_patience="rollback", summary=f"step 1 of 1: 12 of 20 requests; ![x](http://evil.example) {EVIL}",
    )  # fmt: skip
    site_of_server.store.put(path("visits", trial), canonical(looks))
    told = trial_story("visits", site_of_server)
    assert told is not None
    return told


# -- notes of tasks that wait ------------------------------------------------------------------------------------


@pytest.fixture
def deferred(database: None) -> Iterator[None]:
    """The task waits in the triggerer."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger

    def put(state: Any, trigger_id: int | None) -> None:
        with create_session() as session:
            row = session.scalar(select(TaskInstance).where(TaskInstance.run_id == RUN))
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


TASKS = f"/api/v2/dags/visits/dagRuns/{RUN}/taskInstances"


@pytest.mark.parametrize("path", [TASKS, f"{TASKS}/{TASK}", f"{TASKS}/{TASK}/-1"])
def test_the_note_of_a_task_that_waits_follows_the_looks(
    deferred: None, trying: TrialStory, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    keep(NoteKey("visits", RUN, TASK, -1, "note"), "step 1 of 1: no traffic yet")
    hand_on({"pipeline": "visits", "version": 2, "phase": "canary"})
    read(path.replace(RUN, RUN.replace("+", "%2B")), status=403)
    assert note() == "step 1 of 1: no traffic yet"
    read(path.replace(RUN, RUN.replace("+", "%2B")))
    assert note().startswith("step 1 of 1: 12 of 20 requests")
    assert "<script>" not in note()


def test_a_note_of_another_version_and_of_a_task_that_does_not_wait_stays(database: None, trying: TrialStory) -> None:
    keep(NoteKey("visits", RUN, TASK, -1, "note"), "version 2 blessed")
    hand_on({"pipeline": "visits", "version": 2, "phase": "canary"})
    read(f"{TASKS}/{TASK}")
    assert note() == "version 2 blessed"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", TASKS), ("GET", "/api/v2/dags/visits/dagRuns"), ("GET", f"{TASKS}/{TASK}/tries"), ("GET", "/")],
)
def test_only_who_reads_tasks_brings_notes_up_to_date(method: str, path: str) -> None:
    assert run_of({"type": "http", "method": method, "path": path}) is None
    assert run_of({"type": "websocket"}) is None


# -- notes -----------------------------------------------------------------------------------------------------


def note(of: str = "note") -> Any:
    with create_session() as session:
        if of == "run_note":
            return session.scalar(select(DagRun).where(DagRun.run_id == RUN)).note
        from airflow.models.taskinstance import TaskInstance

        return session.scalar(select(TaskInstance).where(TaskInstance.run_id == RUN)).note


def push(key: str, value: str, *, status: int = 201) -> None:
    """Push an XCom as a task does; the execution API answers ``status``."""

    async def execution_api(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    api = TestClient(TaskNotes(execution_api))
    answer = api.post(f"/execution/xcoms/visits/{RUN}/{TASK}/{key}", content=json.dumps(value))
    assert answer.status_code == status


@pytest.mark.parametrize("of", ["note", "run_note"])
def test_a_task_writes_its_note_and_writes_it_anew(database: None, of: str) -> None:
    push(f"retrain_{of}", "version 2 blessed")
    assert note(of) == "version 2 blessed"
    push(f"retrain_{of}", "x" * 5000)
    assert note(of) == "x" * 1000


def test_a_refused_push_writes_no_note(database: None) -> None:
    push("retrain_note", "mine")
    push("retrain_note", "somebody else's", status=403)
    assert note() == "mine"


def test_a_note_that_a_human_wrote_stays(database: None) -> None:
    from airflow.models.taskinstance import TaskInstance

    push("retrain_note", "ours")
    with create_session() as session:
        session.scalar(select(TaskInstance).where(TaskInstance.run_id == RUN)).task_instance_note.user_id = "alice"
    push("retrain_note", "ours again")
    assert note() == "ours"
    with create_session() as session:
        session.scalar(select(TaskInstance).where(TaskInstance.run_id == RUN)).task_instance_note.user_id = None


def test_a_note_that_cannot_be_kept_does_not_fail_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("database is locked")

    monkeypatch.setattr("retrain.airflow.notes.keep", broken)
    push("retrain_note", "lost")


def test_a_note_for_nobody_is_dropped(database: None) -> None:
    keep(NoteKey("visits", RUN, "no.such.task", -1, "note"), "lost")


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
