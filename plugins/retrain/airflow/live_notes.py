"""The note of a task that waits in the triggerer follows what is seen there.

A trigger cannot write a note: Airflow 3.3 lets it push an XCom, but by an API of its own process, where nobody makes a
note of it as :mod:`retrain.airflow.notes` does in the API server. So whoever reads a note has it brought up to date:
when the API server has answered somebody who may read a run's tasks, those of them that wait for a release get the
newest look as their note. The page asks again every few seconds while a task waits, and then shows it. Nobody waits
for that, a store that hangs holds up no answer, and a note that a human has written is left alone.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from airflow.configuration import conf

from retrain.airflow.notes import App, Message, NoteKey, Receive, Send, keep, status_of
from retrain.airflow.ui.readers import Readers

log = logging.getLogger(__name__)

READ = re.compile(r"/api/v2/dags/([^/~]+)/dagRuns/([^/~]+)/taskInstances(?:/[^/]+(?:/-?\d+)?)?")
EVERY = 3.0
"""Seconds after which the notes of a run are looked at again."""

AT_ONCE = 4
"""So many runs are looked at at a time; the others come when they are read again."""

REMEMBERED = 1000
TRIGGER = "retrain.airflow.triggers.release.ReleaseTrigger"


class RunKey(NamedTuple):
    """Whose tasks were read."""

    dag_id: str
    run_id: str


class LiveNotes:
    """ASGI middleware around the whole API server; every request passes through untouched.

    :param app: what it is wrapped around.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._last: dict[RunKey, float] = {}
        self._busy: dict[RunKey, asyncio.Task[None]] = {}
        self._readers = Readers(AT_ONCE, "retrain-notes")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one request."""
        run = run_of(scope)
        if run is None:
            await self.app(scope, receive, send)
            return
        if await status_of(self.app, scope, receive, send) == 200 and self._is_due(run):
            self._busy[run] = asyncio.create_task(self._follow(run))

    def _is_due(self, run: RunKey) -> bool:
        present = time.monotonic()
        if run in self._busy or len(self._busy) >= AT_ONCE or present - self._last.get(run, -EVERY) < EVERY:
            return False
        if len(self._last) >= REMEMBERED:
            self._last.clear()
        self._last[run] = present
        return True

    async def _follow(self, run: RunKey) -> None:
        try:
            await asyncio.wrap_future(self._readers.submit(partial(follow, run)))
        except Exception:
            log.warning("The notes of %s could not be brought up to date", run, exc_info=True)
        finally:
            self._busy.pop(run, None)


def run_of(scope: Message) -> RunKey | None:
    """Whose tasks somebody reads, if it is that."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    below = urlsplit(str(conf.get("api", "base_url", fallback="") or "")).path.rstrip("/")
    found = READ.fullmatch(scope["path"].removeprefix(below))
    return None if found is None else RunKey(found[1], found[2])


def follow(run: RunKey) -> None:
    """Bring the notes of those tasks of a run up to date that wait for a release."""
    from retrain.airflow.ui.access import dags_of
    from retrain.airflow.ui.site import site
    from retrain.markdown import inert
    from retrain.rollout.looks import trial_story, unwatched

    for task_id, map_index, given in waiting(run):
        pipeline = str(given["pipeline"])
        if run.dag_id not in dags_of(pipeline):
            continue
        story = trial_story(pipeline, site())
        if story is None or story.version != given.get("version"):
            continue
        said = "; ".join(part for part in (story.summary, unwatched(pipeline, story)) if part)
        keep(NoteKey(run.dag_id, run.run_id, task_id, map_index, "note"), inert(said))


def waiting(run: RunKey) -> list[tuple[str, int, dict[str, Any]]]:
    """The tasks of a run that wait in the triggerer for a release, and what each has handed on."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import and_, select

    names = ("dag_id", "run_id", "task_id", "map_index")
    handed_on = and_(*(getattr(XComModel, name) == getattr(TaskInstance, name) for name in names))
    query = (
        select(TaskInstance.task_id, TaskInstance.map_index, XComModel.value)
        .join(Trigger, Trigger.id == TaskInstance.trigger_id)
        .join(XComModel, and_(handed_on, XComModel.key == "return_value"))
        .where(TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id)
        .where(TaskInstance.state == TaskInstanceState.DEFERRED, Trigger.classpath == TRIGGER)
    )
    with create_session() as session:
        found = [tuple(row) for row in session.execute(query)]
    return [row for row in found if isinstance(row[2], dict) and "pipeline" in row[2]]
