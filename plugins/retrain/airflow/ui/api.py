"""What the page shows and does, as JSON, version 1: the same facts and acts for anybody's program.

A fact is read from the ledger and from what stages handed on, never counted here. An act is one ledger entry, written
with the caller's name, or a route of Airflow's own. Nothing is changed by a GET; what changes something is JSON, which
no page of another origin can send with this one's cookie.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from retrain.airflow.ui import access, runs
from retrain.airflow.ui.access import NOT_ALLOWED, Name, Reads, Steers
from retrain.airflow.ui.deadline import Deadline
from retrain.airflow.ui.site import site
from retrain.artifacts import Value
from retrain.errors import UsageError
from retrain.ledger import Entry, Ledger, overrule
from retrain.ledger.acts import Act, ActName, Asked, Done, acts
from retrain.ledger.page import LedgerPage, ledger_page
from retrain.rollout import routing
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
)

T = TypeVar("T")

log = logging.getLogger(__name__)
router = APIRouter(prefix="/api/v1")
reading = Deadline()
SOON = 1.2
"""Seconds; a pipeline whose ledger is not read by then is told as unread, with all others."""

deciding = Deadline(seconds=20.0)
"""A decision that is being written is waited for longer: whoever asked must know whether it was."""


class OnePipeline(PipelineStatus):
    """How a pipeline stands, with the word and the sentence for it."""

    standing: Standing


class OfRun(Value):
    """Whose run an Airflow run is. :param version: which version it trained, or released again."""

    pipeline: str
    version: int | None


OURS: dict[ActName, Callable[[Ledger, Asked, str], Entry]] = {
    "rollback": lambda ledger, asked, who: overrule.roll_back(
        ledger, to=asked.version, actor=who, reason=asked.reason, seen=asked.head
    ),
    "abort": lambda ledger, asked, who: overrule.abort(ledger, actor=who, reason=asked.reason, seen=asked.head),
    "pause": lambda ledger, asked, who: overrule.pause(ledger, actor=who, reason=asked.reason, seen=asked.head),
    "resume": lambda ledger, asked, who: overrule.resume(ledger, actor=who, reason=asked.reason, seen=asked.head),
    "veto": lambda ledger, asked, who: overrule.veto(
        ledger, _version(asked), actor=who, reason=asked.reason, seen=asked.head
    ),
    "bless": lambda ledger, asked, who: overrule.bless(
        ledger, _version(asked), actor=who, reason=asked.reason, seen=asked.head
    ),
}


@router.get("/pipelines")
async def pipelines(session: SessionDep, user: GetUserDep) -> Fleet:
    """Every pipeline the caller may see, worst first."""
    names = await run_in_threadpool(access.readable, session, user)
    found = await _read(
        ("fleet", *sorted(names)), lambda: fleet(site(), sorted(names), within=SOON), of="the pipelines' ledgers"
    )
    told = [one.model_copy(update={"dag_id": names[one.pipeline]}) for one in found.pipelines]
    return found.model_copy(update={"pipelines": tuple(told)})


@router.get("/pipelines/{p}")
async def pipeline(p: Name, dag_ids: Reads) -> OnePipeline:
    """How a pipeline stands."""
    found = await _read(("status", p), lambda: status(p, site()), of=f"the ledger of '{p}'")
    return OnePipeline(**dict(found), standing=standing(found, dag_ids[0]))


@router.get("/pipelines/{p}/history")
async def served(p: Name, _dags: Reads) -> History:
    """What served when, what was tried, what was judged."""
    return await _read(("history", p), lambda: history(site().ledger(p)), of=f"the ledger of '{p}'")


@router.get("/pipelines/{p}/versions/{version}")
async def version(p: Name, version: int, _dags: Reads) -> VersionStory:
    """What is known of one version, and why it was blessed or vetoed."""
    return await _read(
        ("version", p, version), lambda: version_story(p, version, site()), of=f"version {version} of '{p}'"
    )


@router.get("/pipelines/{p}/data")
async def data(p: Name, _dags: Reads) -> DataStory:
    """The last validations, and rows that broke them."""
    return await _read(("data", p), lambda: data_story(p, site()), of=f"the validations of '{p}'")


@router.get("/pipelines/{p}/data/{key}/quarantine")
async def quarantine(p: Name, key: str, _dags: Steers) -> Response:
    """All rows that one validation put into quarantine, as CSV; for those who may steer the pipeline."""
    found = await deciding.ask(("rows", p, key), lambda: quarantine_csv(p, key, site()), of=f"the quarantine of '{p}'")
    name = "".join(sign if sign.isalnum() or sign in "-_" else "_" for sign in f"{p}-{key}")
    headers = {
        "Content-Disposition": f'attachment; filename="{name}-quarantine.csv"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(found, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/pipelines/{p}/trial")
async def trial(p: Name, _dags: Reads) -> TrialStory | None:
    """The challenger that is tried, or was last: what was seen of it, look by look."""
    return await _read(("trial", p), lambda: trial_story(p, site()), of=f"the trial of '{p}'")


@router.get("/pipelines/{p}/ledger")
async def entries(p: Name, _dags: Reads, before: Annotated[int | None, Query(ge=1)] = None) -> LedgerPage:
    """What was decided, newest first."""
    return await _read(("ledger", p, before), lambda: ledger_page(site().ledger(p), before), of=f"the ledger of '{p}'")


@router.get("/runs/{dag_id}/{run_id}")
async def run(dag_id: Name, run_id: Name, session: SessionDep, user: GetUserDep) -> OfRun:
    """Which pipeline a run of a Dag is of, and which version it is about."""
    if not await run_in_threadpool(access.may, user, "GET", DagAccessEntity.XCOM, [dag_id]):
        raise HTTPException(403, "You may not read this.")
    held = await run_in_threadpool(access.held_by, dag_id, session)
    if not held:
        raise HTTPException(404, f"'{dag_id}' holds no pipeline.")
    return await _read(("run", dag_id, run_id), lambda: _of_run(held, dag_id, run_id), of=f"the run '{run_id}'")


@router.get("/pipelines/{p}/acts")
async def possible(p: Name, dag_ids: Reads, session: SessionDep, user: GetUserDep) -> list[Act]:
    """What the caller may decide now, and what each decision will do."""
    ours = await _read(("acts", p), lambda: acts(site().ledger(p)), of=f"the ledger of '{p}'")
    found = [*ours, *await run_in_threadpool(runs.acts, p, dag_ids, ours[0].head, session)]
    if await run_in_threadpool(access.may, user, "POST", DagAccessEntity.RUN, dag_ids):
        return found
    denied = NOT_ALLOWED.format(dags=", ".join(dag_ids))
    return [one.model_copy(update={"possible": False, "why_not": denied, "call": None}) for one in found]


@router.post("/pipelines/{p}/acts/{act}", dependencies=[Depends(access.says_json)])
async def decide(p: Name, act: ActName, asked: Asked, _dags: Steers, user: GetUserDep, later: BackgroundTasks) -> Done:
    """Decide something: one ledger entry in the caller's name, or none, and then the answer says who was first."""
    if act not in OURS:
        raise HTTPException(404, f"There is no act '{act}' here.")
    who = f"airflow:{user.get_name()}"
    question = ("act", p, act, asked.version, asked.head, who, asked.reason)
    entry = await deciding.ask(question, lambda: OURS[act](site().ledger(p), asked, who), of=f"'{p}' while deciding")
    later.add_task(_follow, p)
    return Done(act=act, said=entry.summary, entry=entry.number)


def _follow(pipeline: str) -> None:
    """Let target and MLflow follow what was decided; gateways read it by themselves."""
    for problem in routing.reconcile(pipeline, site()):
        log.warning("Pipeline '%s': %s", pipeline, problem)


def _of_run(held: list[str], dag_id: str, run_id: str) -> OfRun:
    """The first pipeline of a Dag that the run has written of."""
    for pipeline in held:
        mine = site().ledger(pipeline).run_entries(run_id if dag_id == pipeline else f"{dag_id}.{run_id}")
        about = [version for entry in mine if (version := getattr(entry.body, "version", None)) is not None]
        if mine:
            return OfRun(pipeline=pipeline, version=about[-1] if about else None)
    return OfRun(pipeline=held[0], version=None)


def _version(asked: Asked) -> int:
    if asked.version is None:
        raise UsageError("No version is named.", do="name the version that it is about.")
    return asked.version


async def _read(question: tuple[Any, ...], answer: Callable[[], T], *, of: str) -> T:
    return await reading.ask(question, answer, of=of)
