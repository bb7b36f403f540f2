"""What Airflow itself knows of a pipeline: who waits for an answer, and how a run is started.

These acts are Airflow's own routes, with Airflow's own checks: to retrain is to start a run, to approve is to answer a
task that waits for a human.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from airflow.models.dag import DagModel
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select
from sqlalchemy.orm import Session

from retrain.airflow.operators.approve import subject
from retrain.ledger.acts import Act, ActName, Call

API = "/api/v2"
APPROVE, REJECT = "Approve", "Reject"
WAITING = (TaskInstanceState.AWAITING_INPUT, TaskInstanceState.DEFERRED)


def acts(pipeline: str, dag_ids: Sequence[str], head: int) -> tuple[Act, ...]:
    """To retrain, and to answer the approval that is waited for.

    :param dag_ids: the Dags that hold it; its own first.
    :param head: of the ledger, on which this rests.
    """
    with create_session() as session:
        waiting = _waiting(pipeline, dag_ids, session)
        return (
            _retrain(pipeline, dag_ids, head, session),
            _answer("approve", APPROVE, "is released: rehearsed, tried, and promoted if no harm shows.", waiting, head),
            _answer("reject", REJECT, "is not released, and its run ends. What serves goes on serving.", waiting, head),
        )


def _retrain(pipeline: str, dag_ids: Sequence[str], head: int, session: Session) -> Act:
    own = next((dag_id for dag_id in dag_ids if dag_id == pipeline), None)
    dag = session.get(DagModel, own) if own is not None else None
    why_not = None
    if dag is None:
        why_not = f"It is a part of {', '.join(dag_ids)}: start a run there."
    elif dag.is_paused:
        why_not = "Its Dag is paused, so a run would wait: unpause it in Airflow first."
    elif dag.is_stale:
        why_not = "Its Dag is not there any more."
    return Act(
        act="retrain",
        title="Retrain now",
        will=f"A run of {pipeline} starts now, with all data there is. What it trains goes through every gate, and is "
        "released only through shadow and canary. What serves goes on serving.",
        possible=why_not is None,
        why_not=why_not,
        head=head,
        call=Call(
            method="POST",
            path=f"{API}/dags/{quote(pipeline, safe='')}/dagRuns",
            body={"logical_date": None, "conf": {"force": True, "reason": ""}},
        ),
    )


def _answer(act: ActName, option: str, then: str, waiting: TaskInstance | None, head: int) -> Act:
    call = None
    if waiting is not None:
        dag, run, task = (quote(part, safe="") for part in (waiting.dag_id, waiting.run_id, waiting.task_id))
        path = f"{API}/dags/{dag}/dagRuns/{run}/taskInstances/{task}/{waiting.map_index}/hitlDetails"
        call = Call(method="PATCH", path=path, body={"chosen_options": [option], "params_input": {"reason": ""}})
    return Act(
        act=act,
        title=option,
        will=f"The version that {f'run {waiting.run_id} asks about' if waiting else 'waits for an answer'} {then}",
        possible=waiting is not None,
        why_not=None if waiting is not None else "No version waits for an answer.",
        head=head,
        call=call,
    )


def _waiting(pipeline: str, dag_ids: Sequence[str], session: Session) -> TaskInstance | None:
    """The approval of this pipeline that waits for an answer; the newest, if runs overlap. A Dag may hold others."""
    found = session.scalars(
        select(TaskInstance)
        .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
        .where(TaskInstance.dag_id.in_(dag_ids), TaskInstance.operator == "ApproveOperator")
        .where(TaskInstance.state.in_(WAITING), HITLDetail.responded_at.is_(None))
        .where(HITLDetail.subject == subject(pipeline))
        .order_by(HITLDetail.created_at.desc())
    )
    return found.first()
