"""What somebody may decide, and how it is decided: one ledger entry in their name, or a route of Airflow's own.

Nothing is changed by a GET. What changes something is JSON by POST, which no page of another origin can send with this
one's cookie.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException
from fastapi.concurrency import run_in_threadpool

from retrain.airflow.ui import access, runs
from retrain.airflow.ui.access import NOT_ALLOWED, Name, Reads, Steers
from retrain.airflow.ui.api import briefly
from retrain.airflow.ui.deadline import Deadline
from retrain.airflow.ui.readers import Readers
from retrain.airflow.ui.site import site
from retrain.errors import UsageError
from retrain.ledger import Entry, overrule
from retrain.ledger.acts import Act, ActName, Asked, Done, acts
from retrain.rollout import routing

deciding = Deadline(
    20.0,
    "The store did not answer within {seconds} s while {of}: whether that is decided is not known.",
    "look at the ledger before you try again; it is either written there or it was not decided.",
)

DECISIONS: dict[ActName, Callable[..., Entry]] = {
    "rollback": overrule.roll_back,
    "abort": overrule.abort,
    "pause": overrule.pause,
    "resume": overrule.resume,
    "bless": overrule.bless,
    "veto": overrule.veto,
}
OF_A_VERSION = frozenset({"bless", "veto"})

log = logging.getLogger(__name__)
later = Readers(2, "retrain-follow")
router = APIRouter(prefix="/api/v1", dependencies=[Depends(access.private)])


@router.get("/pipelines/{p}/acts")
async def possible(p: Name, dag_ids: Reads, user: GetUserDep) -> list[Act]:
    """What the caller may decide now, and what each decision will do."""
    ours = await briefly.ask(("acts", p), lambda: acts(site().ledger(p)), about=p, of=f"the ledger of '{p}'")
    found = [*ours, *await run_in_threadpool(runs.acts, p, dag_ids, ours[0].head)]
    if await run_in_threadpool(access.may, user, "POST", DagAccessEntity.RUN, dag_ids):
        return found
    denied = NOT_ALLOWED.format(dags=", ".join(dag_ids))
    return [one.model_copy(update={"possible": False, "why_not": denied, "call": None}) for one in found]


@router.post("/pipelines/{p}/acts/{act}", dependencies=[Depends(access.says_json)])
async def decide(p: Name, act: ActName, asked: Asked, _dags: Steers, user: GetUserDep) -> Done:
    """Decide something: one ledger entry in the caller's name, or none, and then the answer says who was first."""
    if act not in DECISIONS:
        raise HTTPException(404, f"There is no act '{act}' here.")
    who = f"airflow:{user.get_name()}"
    question = ("act", p, act, asked, who)
    entry = await deciding.ask(
        question, partial(_decided, p, act, asked, who), about=p, of=f"'{p}' was to be steered ({act})"
    )
    return Done(act=act, said=entry.summary, entry=entry.number)


def _decided(pipeline: str, act: ActName, asked: Asked, who: str) -> Entry:
    """Write what was decided; then let target and MLflow follow it, which may fail. Gateways read it by themselves."""
    ledger = site().ledger(pipeline)
    by = partial(DECISIONS[act], ledger, actor=who, reason=asked.reason, seen=asked.head)
    if act == "rollback":
        entry = by(to=asked.version)
    elif act in OF_A_VERSION and asked.version is None:
        raise UsageError("No version is named.", do="name the version that it is about.")
    else:
        entry = by(number=asked.version) if act in OF_A_VERSION else by()
    later.submit(partial(_follow, pipeline))
    return entry


def _follow(pipeline: str) -> None:
    try:
        problems = routing.reconcile(pipeline, site())
    except Exception as error:  # nobody waits for it; the next decision, or `retrain reconcile`, brings it about
        problems = (f"{type(error).__name__}: {error}",)
    for problem in problems:
        log.warning("Pipeline '%s': %s", pipeline, problem)
