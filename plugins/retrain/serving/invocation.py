"""What is asked of a pipeline and what it answers, by whatever protocol it comes: rows, their ids, refusals."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import orjson

from retrain.errors import GatewayError

ID_LENGTH = 200
SHOWN = 60

Row = dict[str, Any]


@dataclass(frozen=True)
class Invocation:
    """What is asked.

    :param rows: raw inputs by column name, plain JSON values; at least one row.
    :param ids: one a row, distinct.
    :param wanted: what the protocol that read it needs when it writes the answer; nobody else looks at it.
    """

    rows: list[Row]
    ids: list[str]
    wanted: Any = None


@dataclass(frozen=True)
class Reply:
    """What the caller gets.

    :param outputs: one a row: ``{"prediction": …}`` with, for classes, ``probability`` or ``probabilities``.
    :param ids: of the rows.
    :param versions: who answered, one a row.
    """

    outputs: list[Any]
    ids: list[str]
    versions: list[int]


class Refused(GatewayError):
    """A request that gets no answer.

    :param status: the HTTP status.
    :param retry_after: seconds after which trying again can help.
    :param rows: the rows it is about, counted from 0.
    :param ids: the ids of these rows.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int = 400,
        do: str | None = None,
        retry_after: int | None = None,
        rows: list[int] | None = None,
        ids: list[str] | None = None,
    ) -> None:
        super().__init__(what, do=do)
        self.status = status
        self.retry_after = retry_after
        self.rows = rows
        self.ids = ids

    def to_json(self) -> bytes:
        """In the gateway's own form: ``{"error": what, "do": …}``, and the rows if it is about some."""
        body: dict[str, Any] = {"error": self.what}
        if self.do:
            body["do"] = self.do
        if self.rows is not None:
            body["rows"] = self.rows
        if self.ids is not None:
            body["request_ids"] = self.ids
        return orjson.dumps(body)


def request_id(value: Any) -> str:
    """A request's id as text. Raises :class:`Refused` for what cannot be one."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not 0 < len(text) <= ID_LENGTH or not text.isprintable():
        raise Refused(
            f"{shown(value)} is not a request id.", do=f"use 1 to {ID_LENGTH} printable characters, e.g. a UUID."
        )
    return text


def row_ids(name: Any, rows: int) -> list[str]:
    """An id for each row of a request.

    :param name: of the request. It is the row's id; of several rows it is the first part of their ids (``<name>-0``,
        ``<name>-1``, …), because proxies add the header X-Request-Id unasked. None: chance names the rows.
    :raises Refused: it cannot be an id.
    """
    if name is None:
        return [uuid.uuid4().hex for _ in range(rows)]
    known = request_id(name)
    return [known] if rows == 1 else [f"{known}-{row}" for row in range(rows)]


def shown(value: Any) -> str:
    """A caller's value as an error names it: never longer than a few words."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}…"
