"""What the page shows, as JSON, version 1: the same facts for anybody's program.

A fact is read from the ledger and from what stages handed on, never counted here. What can be decided is
:mod:`retrain.airflow.ui.steer`.
"""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from retrain.airflow.operators.request import named
from retrain.airflow.ui import access
from retrain.airflow.ui.access import Name, Reads, Steers
from retrain.airflow.ui.deadline import Deadline
from retrain.airflow.ui.faults import NO_STORE
from retrain.airflow.ui.site import site
from retrain.artifacts import Value
from retrain.ledger.page import LedgerPage, ledger_page
from retrain.rollout.looks import TrialStory, trial_story
from retrain.status import (
    DataStory,
    Fleet,
    History,
    PipelineStatus,
    Standing,
    VersionStory,
    data_story,
    fleet,
    history,
    quarantine_csv,
    standing,
    status,
    version_story,
    worst_first,
)

router = APIRouter(prefix="/api/v1", dependencies=[Depends(access.private)])
REACH = "see that the store can be reached from Airflow's API server; gateways go on serving meanwhile."
briefly = Deadline(1.8, "The store did not answer within {seconds} s when {of} was read.", REACH)
"""What a page shows: within two seconds it is there, or it is said what is wrong."""

patiently = Deadline(20.0, "The store did not answer within {seconds} s when {of} was read.", REACH)
SOON = 1.2
"""Seconds; a pipeline whose ledger is not read by then is told as unread, with all others."""


class OnePipeline(PipelineStatus):
    """How a pipeline stands, with the word and the sentence for it."""

    standing: Standing


class OfRun(Value):
    """Whose run an Airflow run is. :param version: which version it trained, or released again."""

    pipeline: str
    version: int | None


@router.get("/pipelines")
async def pipelines(user: GetUserDep) -> Fleet:
    """Every pipeline the caller may see, worst first."""
    dags, wrong = await run_in_threadpool(access.readable, user), await run_in_threadpool(access.broken)
    names = sorted(dags)
    found = await briefly.ask(
        ("fleet", *names), lambda: fleet(site(), names, within=SOON), about="all pipelines", of="the pipelines' ledgers"
    )
    told = (_placed(one, dags[one.pipeline], wrong.get(one.pipeline)) for one in found.pipelines)
    return found.model_copy(update={"pipelines": worst_first(told)})


def _placed(one: Standing, dag_id: str, wrong: str | None) -> Standing:
    """With its Dag; and broken, if Airflow knows that and we have not the file to see it."""
    seen = wrong is None or one.word in {"BROKEN", "UNREAD"}
    return one.model_copy(update={"dag_id": dag_id} if seen else {"dag_id": dag_id, "word": "BROKEN", "said": wrong})


@router.get("/pipelines/{p}")
async def pipeline(p: Name, dag_ids: Reads) -> OnePipeline:
    """How a pipeline stands."""
    found = await briefly.ask(("status", p), lambda: status(p, site()), about=p, of=f"the ledger of '{p}'")
    return OnePipeline(**dict(found), standing=standing(found, dag_ids[0]))


@router.get("/pipelines/{p}/history")
async def served(p: Name, _dags: Reads) -> History:
    """What served when, what was tried, what was judged."""
    return await briefly.ask(("history", p), lambda: history(site().ledger(p)), about=p, of=f"the ledger of '{p}'")


@router.get("/pipelines/{p}/versions/{version}")
async def version(p: Name, version: int, dag_ids: Reads) -> VersionStory:
    """What is known of one version, and why it was blessed or vetoed."""
    found = await briefly.ask(
        ("version", p, version), lambda: version_story(p, version, site()), about=p, of=f"version {version} of '{p}'"
    )
    return found.model_copy(update={"dag_id": dag_ids[0]})


@router.get("/pipelines/{p}/data")
async def data(p: Name, _dags: Reads) -> DataStory:
    """The last validations, and rows that broke them."""
    return await briefly.ask(("data", p), lambda: data_story(p, site()), about=p, of=f"the validations of '{p}'")


@router.get("/pipelines/{p}/data/{key}/quarantine")
async def quarantine(p: Name, key: str, _dags: Steers) -> StreamingResponse:
    """All rows that one validation put into quarantine, as CSV; for those who may steer the pipeline."""
    found = await patiently.ask(
        object(), lambda: quarantine_csv(p, key, site()), about=p, of=f"the quarantine of '{p}'"
    )
    name = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_") else "_" for sign in f"{p}-{key}")
    headers = {"Content-Disposition": f'attachment; filename="{name}-quarantine.csv"', **NO_STORE}
    return StreamingResponse(found, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/pipelines/{p}/trial")
async def trial(p: Name, _dags: Reads) -> TrialStory | None:
    """The challenger that is tried, or was last: what was seen of it, look by look."""
    return await briefly.ask(("trial", p), lambda: trial_story(p, site()), about=p, of=f"the trial of '{p}'")


@router.get("/pipelines/{p}/ledger")
async def entries(p: Name, _dags: Reads, before: Annotated[int | None, Query(ge=1)] = None) -> LedgerPage:
    """What was decided, newest first."""
    return await briefly.ask(
        ("ledger", p, before), lambda: ledger_page(site().ledger(p), before), about=p, of=f"the ledger of '{p}'"
    )


@router.get("/runs/{dag_id}/{run_id}")
async def run(dag_id: Name, run_id: Name, user: GetUserDep) -> OfRun:
    """Which pipeline a run of a Dag is of, and which version it is about."""
    if not await run_in_threadpool(access.may, user, "GET", DagAccessEntity.XCOM, [dag_id]):
        raise HTTPException(403, "You may not read this.")
    held = await run_in_threadpool(_seen, dag_id, user)
    if not held:
        raise HTTPException(404, f"'{dag_id}' holds no pipeline.")
    return await briefly.ask(
        ("run", dag_id, run_id), lambda: _of_run(held, dag_id, run_id), about=dag_id, of=f"the run '{run_id}'"
    )


def _seen(dag_id: str, user: BaseUser) -> list[str]:
    """The pipelines of a Dag that somebody may see."""
    held = access.held_by(dag_id)
    return [name for name in held if access.may(user, "GET", DagAccessEntity.XCOM, access.dags_of(name))]


def _of_run(held: list[str], dag_id: str, run_id: str) -> OfRun:
    """The first pipeline of a Dag that the run has written of."""
    for pipeline in held:
        mine = site().ledger(pipeline).run_entries(named(pipeline, dag_id, run_id))
        about = [version for entry in mine if (version := getattr(entry.body, "version", None)) is not None]
        if mine:
            return OfRun(pipeline=pipeline, version=about[-1] if about else None)
    return OfRun(pipeline=held[0], version=None)
