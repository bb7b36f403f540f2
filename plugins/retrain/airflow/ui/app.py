"""The pages behind the tasks' links, served by Airflow's API server below ``/retrain``.

A page is named by a task instance, never by an artifact, and shows what that task handed on. So whoever may read a
Dag's XComs may read its pages, and nobody else. Only GET; nothing here changes anything.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from airflow.configuration import conf
from airflow.models.xcom import XComModel
from fastapi import Depends, FastAPI, Path
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from retrain import story
from retrain.airflow.hooks.site import SiteHook
from retrain.airflow.links import PREFIX
from retrain.airflow.ui import evidence
from retrain.airflow.ui.page import HEADERS, link
from retrain.artifacts import Ref
from retrain.errors import RetrainError
from retrain.ledger import Entry
from retrain.rollout.looks import trial_story
from retrain.site import Site
from retrain.status import status

TASK = "/dags/{dag_id}/runs/{run_id}/tasks/{task_id}"
Id = Annotated[str, Path(max_length=250)]

app = FastAPI(
    title="retrain",
    dependencies=[Depends(get_user)],
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
)
may_read = Depends(requires_access_dag(method="GET", access_entity=DagAccessEntity.XCOM))


@app.get(TASK, dependencies=[may_read])
def task_page(dag_id: Id, run_id: Id, task_id: Id, session: SessionDep) -> HTMLResponse:
    """What a task found: its validation, candidate, verdict or report."""
    nav = _nav(dag_id, run_id, task_id)
    given = _handed_on(session, dag_id, run_id, task_id)
    pipeline = str(given.get("pipeline", dag_id))
    try:
        site = SiteHook().get_conn()
        if (kind := story.artifact_of(str(given.get("kind")))) is not None:
            artifact = site.read(kind, Ref.model_validate(given))
            return _answer(evidence.artifact_page(artifact, _entries(site, pipeline, dag_id, run_id), nav))
        entries = _entries(site, pipeline, dag_id, run_id)
        progress = _live(pipeline, given, site)
    except RetrainError as error:
        return _answer(evidence.empty_page("This cannot be shown now", str(error), nav), 503)
    if "phase" in given:
        return _answer(evidence.progress_page(pipeline, progress, entries, nav))
    if entries:
        return _answer(evidence.run_page(pipeline, run_id, entries, nav))
    return _answer(evidence.empty_page("Nothing yet", f"{task_id} has handed on nothing in this run.", nav), 404)


@app.get(f"{TASK}/ledger", dependencies=[may_read])
def ledger_page(dag_id: Id, run_id: Id, task_id: Id, session: SessionDep) -> HTMLResponse:
    """The ledger of the pipeline a task belongs to."""
    nav = _nav(dag_id, run_id, task_id)
    pipeline = str(_handed_on(session, dag_id, run_id, task_id).get("pipeline", dag_id))
    try:
        entries = SiteHook().get_conn().ledger(pipeline).entries()
    except RetrainError as error:
        return _answer(evidence.empty_page("This cannot be shown now", str(error), nav), 503)
    return _answer(evidence.ledger_page(pipeline, entries, _run(pipeline, dag_id, run_id), nav))


@app.get(f"{TASK}/status", dependencies=[may_read])
def status_page(dag_id: Id, run_id: Id, task_id: Id, session: SessionDep) -> HTMLResponse:
    """How the pipeline a task belongs to stands now."""
    nav = _nav(dag_id, run_id, task_id)
    pipeline = str(_handed_on(session, dag_id, run_id, task_id).get("pipeline", dag_id))
    try:
        return _answer(evidence.status_page(status(pipeline, SiteHook().get_conn()), nav))
    except RetrainError as error:
        return _answer(evidence.empty_page("This cannot be shown now", str(error), nav), 503)


def _live(pipeline: str, given: dict[str, Any], site: Site) -> dict[str, Any]:
    """What a task handed on; of one that waits for a release, how that goes now."""
    story = trial_story(pipeline, site) if given.get("decided") is False else None
    if story is None or story.version != given.get("version"):
        return given
    told = story.model_dump(mode="json", exclude={"state", "summary", "looks"})
    return {**given, "state": story.state, "summary": story.summary, "evidence": told}


def _handed_on(session: Any, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
    """A task's return value, if it is one of ours; empty otherwise."""
    row = session.scalar(
        select(XComModel.value).where(
            XComModel.dag_id == dag_id,
            XComModel.run_id == run_id,
            XComModel.task_id == task_id,
            XComModel.key == "return_value",
        )
    )
    return row if isinstance(row, dict) else {}


def _entries(site: Site, pipeline: str, dag_id: str, run_id: str) -> list[Entry]:
    return site.ledger(pipeline).run_entries(_run(pipeline, dag_id, run_id))


def _run(pipeline: str, dag_id: str, run_id: str) -> str:
    return run_id if dag_id == pipeline else f"{dag_id}.{run_id}"


def _nav(dag_id: str, run_id: str, task_id: str) -> str:
    """Back to the task in Airflow, and to the ledger."""
    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    dag, run, task = (quote(part, safe="") for part in (dag_id, run_id, task_id))
    ours = f"{base}{PREFIX}/dags/{dag}/runs/{run}/tasks/{task}"
    places = {
        f"{dag_id} · {task_id}": f"{base}/dags/{dag}/runs/{run}/tasks/{task}",
        "evidence": ours,
        "ledger": f"{ours}/ledger",
        "status": f"{ours}/status",
    }
    return f"<nav>{' · '.join(link(text, href) for text, href in places.items())}</nav>"


def _answer(html: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(html, status_code=status, headers=HEADERS)
