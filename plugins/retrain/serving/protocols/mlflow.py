"""MLflow's own JSON, as ``mlflow models serve`` speaks it, with request ids.

Rows come in any of MLflow's four forms::

    {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}}
    {"dataframe_records": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}
    {"instances": [{"a": 1, "b": 2}]}
    {"inputs": {"a": [1, 3], "b": [2, 4]}}          (or a list of row objects)

The answer is ``{"predictions": […], "request_ids": […]}``, an error ``{"error": what, "do": …}``.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from retrain.serving.invocation import Invocation, Refused, Reply, Row, request_id, row_ids, shown
from retrain.serving.protocols.base import Endpoint, HttpAnswer, HttpRequest, Predict, Protocol

FORMS = ("dataframe_split", "dataframe_records", "inputs", "instances")
OTHER_KEYS = frozenset({"request_ids", "params"})  # params is part of MLflow's protocol; these models have none
EXAMPLE = 'send {"dataframe_records": [{"column": value, …}]}.'


class Mlflow(Protocol):
    """MLflow's protocol."""

    @override
    def routes(self) -> tuple[Predict, ...]:
        """MLflow's path, and one for each pipeline."""
        return Predict("invocations", "/invocations"), Predict("invocations", "/pipelines/{name}/invocations")

    @override
    def read(self, request: HttpRequest, endpoint: Endpoint) -> Invocation:
        """Read rows in one of the four forms. Ids in the body come before those of the header."""
        content = request.json(EXAMPLE)
        given = [form for form in FORMS if form in content]
        if len(given) != 1:
            raise Refused(
                f"The body has {len(given)} of the keys {', '.join(FORMS)}; it needs exactly one.", do=EXAMPLE
            )
        if unknown := set(content) - OTHER_KEYS - set(given):
            raise Refused(f"The body has unknown keys: {_listed(unknown)}.", do=f"leave them out; {EXAMPLE}")
        rows = _rows(given[0], content[given[0]])
        if not rows:
            raise Refused("The request has no rows.", do=EXAMPLE)
        return Invocation(rows, _ids(content.get("request_ids"), request.request_id, len(rows)))

    @override
    def write(self, invocation: Invocation, reply: Reply) -> HttpAnswer:
        """MLflow's answer, and the ids that labels are sent by."""
        return HttpAnswer.json({"predictions": reply.outputs, "request_ids": reply.ids})

    @override
    def refuse(self, refused: Refused) -> HttpAnswer:
        """The gateway's own form."""
        return HttpAnswer(refused.to_json(), "application/json")


def _rows(form: str, value: Any) -> list[Row]:
    if form == "dataframe_split":
        return _split(value)
    if form == "inputs" and isinstance(value, dict):
        return _columns(value)
    if not isinstance(value, list):
        raise Refused(f"`{form}` is {shown(value)}, not a list of rows.", do=EXAMPLE)
    for row, record in enumerate(value):
        if not isinstance(record, dict):
            raise Refused(
                f"Row {row} of `{form}` is {shown(record)}, not an object of column names and values.",
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
        return row_ids(header, rows)
    if not isinstance(given, list) or len(given) != rows:
        raise Refused(f"`request_ids` is not a list of {rows} ids, one a row.", do="send one id a row, or none.")
    ids = [request_id(value) for value in given]
    if len(set(ids)) != rows:
        raise Refused("`request_ids` has an id twice.", do="give every row an id of its own; labels come by id.")
    return ids


def _listed(names: set[str]) -> str:
    return ", ".join(shown(name) for name in sorted(names)[:5])
