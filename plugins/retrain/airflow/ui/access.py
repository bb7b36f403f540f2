"""Who may see and steer which pipeline: whoever may read, or start runs of, the Dags it is in.

A Dag says by a tag which pipelines it holds, and who writes Dags is believed: they have the store's keys anyway.
Nothing is shown of pipelines that are in no Dag. A session of the database is held for a query, never while a store is
waited for: there are few of them, and Airflow's own routes need them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel, DagTag
from airflow.utils.session import create_session
from fastapi import Depends, HTTPException, Path, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from retrain.airflow.dag import BROKEN, HOLDS
from retrain.airflow.ui.faults import NO_STORE

NOT_ALLOWED = "You may read this and not change it: that needs the right to start runs of {dags}."

Name = Annotated[str, Path(max_length=250, pattern=r"^[^/\\\x00-\x1f]+$")]


def readable(user: BaseUser) -> dict[str, str]:
    """Every pipeline that somebody may see → a Dag it is in; they may read all that hold it, with their XComs."""
    with create_session() as session:
        listed = get_auth_manager().get_authorized_dag_ids(user=user, method="GET", session=session)
        holdings = _holdings(session)
        teams = DagModel.get_dag_id_to_team_name_mapping([dag_id for dag_id, _ in holdings], session=session)
    refused = {
        pipeline
        for dag_id, pipeline in holdings
        if dag_id not in listed or not _may(user, "GET", DagAccessEntity.XCOM, dag_id, teams.get(dag_id))
    }
    return {pipeline: dag_id for dag_id, pipeline in reversed(holdings) if pipeline not in refused}


def broken() -> dict[str, str]:
    """Every pipeline whose Dag stands for one that is described wrongly → what is wrong, in a line."""
    with create_session() as session:
        named = select(DagModel.dag_id, DagModel._dag_display_property_value).join(DagTag)
        wrong = dict(session.execute(named.where(DagTag.name == BROKEN, ~DagModel.is_stale)).all())
        return {pipeline: str(wrong[dag_id] or dag_id) for dag_id, pipeline in _holdings(session) if dag_id in wrong}


def dags_of(pipeline: str) -> list[str]:
    """The Dags that a pipeline is in; its own first."""
    with create_session() as session:
        held = [dag_id for dag_id, name in _holdings(session) if name == pipeline]
    return sorted(held, key=lambda dag_id: (dag_id != pipeline, dag_id))


def held_by(dag_id: str) -> list[str]:
    """The pipelines that a Dag holds."""
    with create_session() as session:
        return sorted(pipeline for holder, pipeline in _holdings(session) if holder == dag_id)


def _holdings(session: Session) -> list[tuple[str, str]]:
    """Every Dag of ours that is there with each pipeline it holds, sorted."""
    tagged = select(DagTag.dag_id, DagTag.name).join(DagModel, DagModel.dag_id == DagTag.dag_id)
    rows = session.execute(tagged.where(DagTag.name.startswith(HOLDS), ~DagModel.is_stale))
    return sorted((dag_id, name.removeprefix(HOLDS)) for dag_id, name in rows)


def may(user: BaseUser, method: ResourceMethod, entity: DagAccessEntity, dag_ids: Iterable[str]) -> bool:
    """May somebody do this with all of these Dags?

    :param entity: what of the Dag it is done with.
    """
    return all(_may(user, method, entity, dag_id, DagModel.get_team_name(dag_id)) for dag_id in dag_ids)


def _may(user: BaseUser, method: ResourceMethod, entity: DagAccessEntity, dag_id: str, team: str | None) -> bool:
    details = DagDetails(id=dag_id, team_name=team)
    return bool(get_auth_manager().is_authorized_dag(method=method, access_entity=entity, details=details, user=user))


def reads(p: Name, user: GetUserDep) -> list[str]:
    """The Dags of a pipeline that the caller may read, with what its tasks handed on.

    Refuses with 403 if they may not; 404 if no such pipeline is in any Dag.
    """
    dag_ids = dags_of(p)
    if not may(user, "GET", DagAccessEntity.XCOM, dag_ids or [p]):
        raise HTTPException(403, "You may not read this.")
    if not dag_ids:
        raise HTTPException(404, f"No Dag holds a pipeline '{p}'.")
    return dag_ids


Reads = Annotated[list[str], Depends(reads)]


def steers(dag_ids: Reads, user: GetUserDep) -> list[str]:
    """The Dags of a pipeline that the caller may start runs of, and so steer.

    Refuses with 403 if they may not.
    """
    if not may(user, "POST", DagAccessEntity.RUN, dag_ids):
        raise HTTPException(403, NOT_ALLOWED.format(dags=", ".join(dag_ids)))
    return dag_ids


Steers = Annotated[list[str], Depends(steers)]


def says_json(request: Request) -> None:
    """Refuse what a page of another origin could have sent with the caller's cookie.

    Refuses with 415 if the body is not said to be JSON; 403 if the browser says it comes from elsewhere.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send JSON, with the header Content-Type: application/json.")
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise HTTPException(403, "This was sent by a page of another site.")


def private(response: Response) -> None:
    """Let nothing that only some may see be kept by a browser or a proxy."""
    response.headers.update(NO_STORE)
