"""Airflow's tables with two pipelines' Dags, our app behind its auth manager, and people of each role."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from ledger_world import body
from retrain.artifacts import ModelRef, Ref
from retrain.ledger import Ledger, Served
from retrain.ledger import release as machine

DAG, OTHER, FOREIGN = "shown", "hidden", "foreign"
RUN, TASK = "manual__2024-04-02T00:00:00+00:00", "verdict.bless"
EVIL = "<script>alert(1)</script>"


def tables() -> None:
    """Two Dags of ours and one of somebody else's, each with one run; that of the first has a task."""
    from airflow.models.dag import DagModel, DagTag
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunType

    initdb()
    with create_session() as session:
        if session.get(DagModel, DAG) is not None:
            return
        if session.get(DagBundleModel, "worlds") is None:
            session.add(DagBundleModel(name="worlds"))
            session.flush()
        for dag_id in (DAG, OTHER, FOREIGN):
            tags = [] if dag_id == FOREIGN else [DagTag(name=f"retrain:{dag_id}", dag_id=dag_id)]
            where = {"bundle_name": "worlds", "fileloc": dag_id, "relative_fileloc": dag_id}
            session.add(DagModel(dag_id=dag_id, is_paused=False, is_stale=False, tags=tags, **where))
            session.flush()
            when = datetime(2024, 4, 2, tzinfo=UTC)
            session.add(DagRun(dag_id=dag_id, run_id=RUN, run_type=DagRunType.MANUAL, run_after=when))
        session.flush()
        _add_task(session)


def _add_task(session: Any) -> None:
    """Give the run of the first Dag its task."""
    from airflow.models.dag_version import DagVersion
    from airflow.models.taskinstance import TaskInstance
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG as Dag
    from airflow.serialization.serialized_objects import DagSerialization

    with Dag(DAG, schedule=None) as dag:
        EmptyOperator(task_id=TASK)
    version = DagVersion(dag_id=DAG, bundle_name="worlds", version_number=1)
    session.add(version)
    session.flush()
    drawn = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    task = TaskInstance(drawn.get_task(TASK), run_id=RUN, dag_version_id=version.id)
    task.dag_run = _run(session)
    session.add(task)


def _run(session: Any) -> Any:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    return session.scalar(select(DagRun).where(DagRun.dag_id == DAG, DagRun.run_id == RUN))


def hand_on(value: Any) -> None:
    """The task hands on that; None takes it back."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        where = {"dag_id": DAG, "run_id": RUN, "task_id": TASK, "key": "return_value", "session": session}
        XComModel.set(value=value, serialize=False, **where)


def note(of: str = "note") -> Any:
    """The task's note, or its run's."""
    from airflow.utils.session import create_session

    with create_session() as session:
        return _run(session).note if of == "run_note" else task_of(session).note


def task_of(session: Any) -> Any:
    """The task, as the database has it."""
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    return session.scalar(select(TaskInstance).where(TaskInstance.dag_id == DAG, TaskInstance.run_id == RUN))


def server() -> FastAPI:
    """Our app where Airflow mounts it, behind its own auth manager."""
    from airflow.api_fastapi.app import create_auth_manager, init_auth_manager

    from retrain.airflow.ui.app import app

    whole = FastAPI()
    whole.mount("/retrain", app)
    create_auth_manager()
    init_auth_manager(whole)
    return whole


def client(app: FastAPI, role: str | None = "viewer", name: str = "x") -> TestClient:
    """Somebody of that role; None is known to Airflow and may do nothing."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=role))
    return TestClient(app, headers={"Authorization": f"Bearer {token}"})


def served(ledger: Ledger, number: int) -> None:
    """A version that was trained, blessed and promoted."""
    model = ModelRef(digest=f"{number:064x}", path=f"{ledger.pipeline}/models/{number}", files={})
    candidate: Any = Ref(kind="candidate", key=f"c{number}", pipeline=ledger.pipeline)
    fields = {"candidate": candidate, "model": model, "data_end": "2024-04-01T00:00:00Z"}
    ledger.append(body("trained", version=number, **fields), actor="test", run=RUN)
    ledger.append(body("verdict", version=number, outcome="blessed"), actor="gates", run=RUN)
    promoted = machine.promote(ledger.release(), Served(version=number, model=model), reason="better")
    ledger.append(promoted, actor="canary", run=RUN)
