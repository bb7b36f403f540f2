"""What callers send and get: MLflow's own JSON, request ids, labels, and errors that say what to do.

Rows come in any of MLflow's four forms::

    {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}}
    {"dataframe_records": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}
    {"instances": [{"a": 1, "b": 2}]}
    {"inputs": {"a": [1, 3], "b": [2, 4]}}          (or a list of row objects)
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import orjson

from retrain.errors import GatewayError
from retrain.serving.runtime import Row

FORMS = ("dataframe_split", "dataframe_records", "inputs", "instances")
OTHER_KEYS = frozenset({"request_ids", "params"})  # params is part of MLflow's protocol; these models have none
ID_LENGTH = 200
EXAMPLE = 'send {"dataframe_records": [{"column": value, …}]}.'


class Refused(GatewayError):
    """A request that gets no answer.

    :param status: the HTTP status.
    :param retry_after: seconds after which trying again can help.
    :param rows: the rows it is about, counted from 0.
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
        """The response's body."""
        body: dict[str, Any] = {"error": self.what}
        if self.do:
            body["do"] = self.do
        if self.rows is not None:
            body["rows"] = self.rows
        if self.ids is not None:
            body["request_ids"] = self.ids
        return orjson.dumps(body)


@dataclass(frozen=True)
class Invocation:
    """What is asked.

    :param rows: raw inputs by column name.
    :param ids: one a row, distinct.
    """

    rows: list[Row]
    ids: list[str]


@dataclass(frozen=True)
class Label:
    """What turned out.

    :param id: of the request.
    :param value: a JSON scalar, as the pipeline's label is.
    """

    id: str
    value: Any


def read_invocation(body: bytes, request_id: str | None) -> Invocation:
    """Read a request for predictions.

    :param request_id: the header X-Request-Id. It names the row; of several rows it names the first part of their
        ids (``<id>-0``, ``<id>-1``, …), because proxies add the header unasked. Ids in the body come first.
    :raises Refused: with status 400.
    """
    content = _object(body)
    given = [form for form in FORMS if form in content]
    if len(given) != 1:
        raise Refused(f"The body has {len(given)} of the keys {', '.join(FORMS)}; it needs exactly one.", do=EXAMPLE)
    if unknown := set(content) - OTHER_KEYS - set(given):
        raise Refused(f"The body has unknown keys: {_listed(unknown)}.", do=f"leave them out; {EXAMPLE}")
    rows = _rows(given[0], content[given[0]])
    if not rows:
        raise Refused("The request has no rows.", do=EXAMPLE)
    return Invocation(rows, _ids(content.get("request_ids"), request_id, len(rows)))


def read_labels(body: bytes) -> list[Label]:
    """Read labels. Raises :class:`Refused` with status 400; then none of them is taken."""
    content = _object(body)
    labels = content.get("labels")
    do = 'send {"labels": [{"id": "…", "label": …}, …]}.'
    if set(content) != {"labels"} or not isinstance(labels, list) or not labels:
        raise Refused("The body needs the key `labels` with a list of labels, and nothing else.", do=do)
    return [_label(row, label, do) for row, label in enumerate(labels)]


def _label(row: int, label: Any, do: str) -> Label:
    if not isinstance(label, dict) or set(label) != {"id", "label"}:
        raise Refused(f"Label {row} is not an object with the keys `id` and `label`.", do=do, rows=[row])
    value = label["label"]
    if value is None or isinstance(value, dict | list):
        raise Refused(
            f"Label {row} is {_show(value)}.", do="send a number, text, true or false, once it is known.", rows=[row]
        )
    return Label(_id(label["id"]), value)


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(
            f"The body is not JSON: {error}.", do="JSON has no NaN or Infinity; send null for a missing value."
        ) from None
    if not isinstance(content, dict):
        raise Refused(f"The body is {_show(content)}, not a JSON object.", do=EXAMPLE)
    return content


def _rows(form: str, value: Any) -> list[Row]:
    if form == "dataframe_split":
        return _split(value)
    if form == "inputs" and isinstance(value, dict):
        return _columns(value)
    if not isinstance(value, list):
        raise Refused(f"`{form}` is {_show(value)}, not a list of rows.", do=EXAMPLE)
    for row, record in enumerate(value):
        if not isinstance(record, dict):
            raise Refused(
                f"Row {row} of `{form}` is {_show(record)}, not an object of column names and values.",
                do=EXAMPLE,
                rows=[row],
            )
    return value


def _split(value: Any) -> list[Row]:
    do = 'send {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}}.'
    if not isinstance(value, dict) or not {"columns", "data"} <= set(value) <= {"columns", "data", "index"}:
        raise Refused("`dataframe_split` is not an object with the keys `columns` and `data`.", do=do)
    columns, data = value["columns"], value["data"]
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise Refused("`columns` is not a list of names.", do=do)
    if len(set(columns)) != len(columns):
        raise Refused("`columns` names a column twice.", do="name each column once.")
    if not isinstance(data, list):
        raise Refused("`data` is not a list of rows.", do=do)
    for row, cells in enumerate(data):
        if not isinstance(cells, list) or len(cells) != len(columns):
            raise Refused(f"Row {row} of `data` is not a list of {len(columns)} values.", do=do, rows=[row])
    return [dict(zip(columns, cells, strict=True)) for cells in data]


def _columns(value: dict[str, Any]) -> list[Row]:
    columns = {name: cells if isinstance(cells, list) else [cells] for name, cells in value.items()}
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) > 1:
        raise Refused("The columns of `inputs` have different lengths.", do="send one value a row in every column.")
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _ids(given: Any, header: str | None, rows: int) -> list[str]:
    if given is None:
        if header is None:
            return [uuid.uuid4().hex for _ in range(rows)]
        name = _id(header)
        return [name] if rows == 1 else [f"{name}-{row}" for row in range(rows)]
    if not isinstance(given, list) or len(given) != rows:
        raise Refused(f"`request_ids` is not a list of {rows} ids, one a row.", do="send one id a row, or none.")
    ids = [_id(value) for value in given]
    if len(set(ids)) != rows:
        raise Refused("`request_ids` has an id twice.", do="give every row an id of its own; labels come by id.")
    return ids


def _id(value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not 0 < len(text) <= ID_LENGTH or not text.isprintable():
        raise Refused(
            f"{_show(value)} is not a request id.", do=f"use 1 to {ID_LENGTH} printable characters, e.g. a UUID."
        )
    return text


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _listed(names: set[str]) -> str:
    return ", ".join(_show(name) for name in sorted(names)[:5])
