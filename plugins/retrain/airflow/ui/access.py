"""Who may see and steer which pipeline: whoever may read, or start runs of, the Dags it is in.

A pipeline is in the Dag of its name; a Dag of somebody's own that holds it as a task group, or that has another name,
says so by a tag. Nothing is known of pipelines that are in no Dag.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel, DagTag
from fastapi import Depends, HTTPException, Path, Request
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from retrain.airflow.dag import HOLDS, TAG

NOT_ALLOWED = "You may read this and not change it: that needs the right to start runs of {dags}."

Name = Annotated[str, Path(max_length=250, pattern=r"^[^/\\\x00-\x1f]+$")]


def readable(session: Session, user: BaseUser) -> dict[str, str]:
    """Every pipeline that somebody may see → a Dag it is in that they may read."""
    tagged = select(DagTag.dag_id, DagTag.name).where(or_(DagTag.name == TAG, DagTag.name.startswith(HOLDS)))
    allowed = get_auth_manager().get_authorized_dag_ids(user=user, method="GET", session=session)
    rows = sorted((dag_id, name) for dag_id, name in session.execute(tagged) if dag_id in allowed)
    held = {name.removeprefix(HOLDS): dag_id for dag_id, name in rows if name != TAG}
    named = {dag_id: dag_id for dag_id, name in rows if name == TAG and dag_id not in set(held.values())}
    return {**held, **named}


def dags_of(pipeline: str, session: Session) -> list[str]:
    """The Dags that a pipeline is in."""
    held = select(DagTag.dag_id).where(
        or_(DagTag.name == f"{HOLDS}{pipeline}", (DagTag.name == TAG) & (DagTag.dag_id == pipeline))
    )
    return sorted(set(session.scalars(held)))


def held_by(dag_id: str, session: Session) -> list[str]:
    """The pipelines that a Dag holds."""
    tags = set(session.scalars(select(DagTag.name).where(DagTag.dag_id == dag_id)))
    held = sorted(tag.removeprefix(HOLDS) for tag in tags if tag.startswith(HOLDS))
    return held or ([dag_id] if TAG in tags else [])


def may(user: BaseUser, method: ResourceMethod, entity: DagAccessEntity, dag_ids: Iterable[str]) -> bool:
    """May somebody do this with all of these Dags?"""
    return all(
        get_auth_manager().is_authorized_dag(
            method=method,
            access_entity=entity,
            details=DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id)),
            user=user,
        )
        for dag_id in dag_ids
    )


def reads(p: Name, session: SessionDep, user: GetUserDep) -> list[str]:
    """The Dags of a pipeline that the caller may read, with what its tasks handed on.

    Refuses with 403 if they may not; 404 if no such pipeline is in any Dag.
    """
    dag_ids = dags_of(p, session)
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
