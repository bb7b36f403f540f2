"""The pages behind the tasks' links: what a task found, its pipeline's ledger, how the pipeline stands.

A page is named by a task instance, never by an artifact, and shows what that task handed on. So whoever may read a
Dag's XComs may read its pages, and nobody else; and of no pipeline that the Dag does not hold, whatever its tasks say.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.configuration import conf
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from fastapi import APIRouter, Depends, Path
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from sqlalchemy import select

from retrain import story
from retrain.airflow.links import PREFIX
from retrain.airflow.operators.request import named
from retrain.airflow.ui import access, evidence
from retrain.airflow.ui.api import briefly
from retrain.airflow.ui.page import HEADERS, link
from retrain.airflow.ui.site import site
from retrain.artifacts import Ref
from retrain.errors import RetrainError
from retrain.rollout.looks import trial_story
from retrain.status import status

TASK = "/dags/{dag_id}/runs/{run_id}/tasks/{task_id}"
Id = Annotated[str, Path(max_length=250)]
may_read = Depends(requires_access_dag(method="GET", access_entity=DagAccessEntity.XCOM))
router = APIRouter(include_in_schema=False, dependencies=[may_read])


def _handed_on(dag_id: Id, run_id: Id, task_id: Id, user: GetUserDep) -> dict[str, Any]:
    """A task's return value, if it is one of ours and of a pipeline the caller may see; else only which that is."""
    with create_session() as session:
        row = session.scalar(
            select(XComModel.value).where(
                XComModel.dag_id == dag_id,
                XComModel.run_id == run_id,
                XComModel.task_id == task_id,
                XComModel.key == "return_value",
            )
        )
    given = row if isinstance(row, dict) and isinstance(row.get("pipeline"), str) else {"pipeline": dag_id}
    dags = access.dags_of(given["pipeline"])
    mine = given["pipeline"] == dag_id or (dag_id in dags and access.may(user, "GET", DagAccessEntity.XCOM, dags))
    return given if mine else {"pipeline": dag_id}


Given = Annotated[dict[str, Any], Depends(_handed_on)]


@router.get(TASK)
async def task_page(dag_id: Id, run_id: Id, task_id: Id, given: Given) -> HTMLResponse:
    """What a task found: its validation, candidate, verdict or report."""
    return await _shown(_found, given, dag_id, run_id, task_id)


@router.get(f"{TASK}/ledger")
async def ledger_page(dag_id: Id, run_id: Id, task_id: Id, given: Given) -> HTMLResponse:
    """The ledger of the pipeline a task belongs to."""
    return await _shown(_ledger, given, dag_id, run_id, task_id)


@router.get(f"{TASK}/status")
async def status_page(dag_id: Id, run_id: Id, task_id: Id, given: Given) -> HTMLResponse:
    """How the pipeline a task belongs to stands now."""
    return await _shown(_status, given, dag_id, run_id, task_id)


Page = Callable[[dict[str, Any], str, str, str], HTMLResponse]


async def _shown(page: Page, given: dict[str, Any], dag_id: str, run_id: str, task_id: str) -> HTMLResponse:
    """A page, or why it cannot be shown now."""
    question = (page, dag_id, run_id, task_id)
    try:
        return await briefly.ask(
            question, partial(page, given, dag_id, run_id, task_id), about=dag_id, of="this task's evidence"
        )
    except RetrainError as error:
        nav = _nav(dag_id, run_id, task_id)
        return _answer(evidence.empty_page("This cannot be shown now", str(error), nav), 503)


def _ledger(given: dict[str, Any], dag_id: str, run_id: str, task_id: str) -> HTMLResponse:
    pipeline, nav = str(given["pipeline"]), _nav(dag_id, run_id, task_id)
    entries = site().ledger(pipeline).entries()
    return _answer(evidence.ledger_page(pipeline, entries, named(pipeline, dag_id, run_id), nav))


def _status(given: dict[str, Any], dag_id: str, run_id: str, task_id: str) -> HTMLResponse:
    return _answer(evidence.status_page(status(str(given["pipeline"]), site()), _nav(dag_id, run_id, task_id)))


def _found(given: dict[str, Any], dag_id: str, run_id: str, task_id: str) -> HTMLResponse:
    pipeline, nav = str(given["pipeline"]), _nav(dag_id, run_id, task_id)
    entries = site().ledger(pipeline).run_entries(named(pipeline, dag_id, run_id))
    if (kind := story.artifact_of(str(given.get("kind")))) is not None and (ref := _ref(given)) is not None:
        return _answer(evidence.artifact_page(site().read(kind, ref), entries, nav))
    if "phase" in given:
        return _answer(evidence.progress_page(pipeline, _live(pipeline, given), entries, nav))
    if entries:
        return _answer(evidence.run_page(pipeline, run_id, entries, nav))
    return _answer(evidence.empty_page("Nothing yet", f"{task_id} has handed on nothing in this run.", nav), 404)


def _ref(given: dict[str, Any]) -> Ref | None:
    try:
        return Ref.model_validate(given)
    except ValidationError:
        return None


def _live(pipeline: str, given: dict[str, Any]) -> dict[str, Any]:
    """What a task handed on; of one that waits for a release, how that goes now."""
    story = trial_story(pipeline, site()) if given.get("decided") is False else None
    if story is None or story.version != given.get("version"):
        return given
    told = story.model_dump(mode="json", exclude={"state", "summary", "looks"})
    return {**given, "state": story.state, "summary": story.summary, "evidence": told}


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
