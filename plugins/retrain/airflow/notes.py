"""Task notes. A running task cannot write its own note in Airflow 3.3, so the API server does it for ours.

The task pushes the XCom ``retrain_note`` (``retrain_run_note`` for its run), as any task may push its own XComs; the
execution API checks that it may. When that call has succeeded, this middleware copies the text into the note. A note
that a human has written is left alone. If the API server runs without our plugin there are no notes, and nothing
else is lost.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from retrain.markdown import LONGEST, shortened

log = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[..., Awaitable[None]]

PUSHED = re.compile(r"/execution/xcoms/([^/]+)/([^/]+)/([^/]+)/retrain_(note|run_note)$")


class NoteKey(NamedTuple):
    """Whose note it is."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    of: str


class TaskNotes:
    """ASGI middleware around the whole API server; all but those XComs pass through untouched.

    :param app: what it is wrapped around.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one request."""
        target = target_of(scope)
        if target is None:
            await self.app(scope, receive, send)
            return
        body = bytearray()

        async def read() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        if await status_of(self.app, scope, read, send) == 201:
            try:
                await asyncio.to_thread(keep, target, shortened(str(json.loads(body)), LONGEST))
            except Exception:
                log.warning("The note of %s could not be kept", target, exc_info=True)


async def status_of(app: App, scope: Message, receive: Receive, send: Send) -> int:
    """Let an app handle one HTTP request, untouched.

    :return: the status of its answer; 0 if it gave none.
    """
    status = 0

    async def write(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        await send(message)

    await app(scope, receive, write)
    return status


def target_of(scope: Message) -> NoteKey | None:
    """Whose note a request carries, if it carries one."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    found = PUSHED.search(scope["path"])
    if found is None:
        return None
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    index = query.get("map_index", ["-1"])[0]
    return NoteKey(found[1], found[2], found[3], int(index) if index.lstrip("-").isdigit() else -1, found[4])


def keep(target: NoteKey, text: str) -> None:
    """Write a note, unless a human wrote the one that is there."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        if target.of == "run_note":
            query: Any = select(DagRun).where(DagRun.dag_id == target.dag_id, DagRun.run_id == target.run_id)
        else:
            query = select(TaskInstance).where(
                TaskInstance.dag_id == target.dag_id,
                TaskInstance.run_id == target.run_id,
                TaskInstance.task_id == target.task_id,
                TaskInstance.map_index == target.map_index,
            )
        row = session.scalar(query)
        if row is None:
            return
        note = row.dag_run_note if target.of == "run_note" else row.task_instance_note
        if note is None:
            row.note = text
        elif note.user_id is None:
            note.content = text
