"""The format of the prediction log: what was asked, who answered what, how fast, and the labels that came later.

In the store it is a heap of small Parquet files ("parts"), two tables beside each other::

    <pipeline>/log/predictions/2026-03-01/14/142530-<segment>-<part>.parquet
    <pipeline>/log/labels/2026-03-01/14/142530-<segment>-<part>.parquet

A part is named by the moment its shipping was planned, the gateway segment it was cut from and its number in that
segment. A part is written once and never changed, so "every row exactly once" is "every name exactly once". Because
the folder is the hour of *shipping*, rows of ``since`` or later can only lie in the folders of ``since`` or later,
and parts that come late (a gateway that could not reach the store) nearly always lie in the newest folders.

:mod:`~retrain.log.segment`, :mod:`~retrain.log.shipper` and :mod:`~retrain.log.writer` write it;
:mod:`~retrain.log.reader` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

LogTable = Literal["predictions", "labels"]
Arm = Literal["champion", "challenger", "shadow", "fallback"]

PART_PATH = re.compile(r"/(\d{4}-\d{2}-\d{2}/\d{2})/\d{6}-[0-9a-zA-Z_]+-\d+\.parquet$")
"""How the path of a part ends; the group is the hour of its shipping."""


def part_path(pipeline: str, table: LogTable, planned: datetime, segment: str, part: int) -> str:
    """Where a part lies in the store.

    :param planned: when its shipping was decided; kept with the segment, so a repeated upload has the same name.
    """
    at = planned.astimezone(UTC)
    return f"{pipeline}/log/{table}/{at:%Y-%m-%d}/{at:%H}/{at:%H%M%S}-{segment}-{part:06d}.parquet"


@cache
def schema(table: LogTable) -> Any:
    """The columns of a table, as a pyarrow schema.

    predictions: ``at`` when the request came; ``id``; ``release`` the ledger number of the routing decision;
    ``arm``; ``version`` who was asked; ``entity``; ``inputs`` and ``output`` as JSON; ``score``; ``latency_ms`` from
    asking the arm to its answer, waiting included (for ``fallback``: from asking the challenger); ``error``;
    ``served`` whether the caller got this answer.
    labels: ``at`` when the label came; ``id``; ``label`` as JSON.
    """
    import pyarrow as pa

    moment = pa.timestamp("us", tz="UTC")
    if table == "labels":
        return pa.schema([("at", moment), ("id", pa.string()), ("label", pa.string())])
    return pa.schema(
        [
            ("at", moment),
            ("id", pa.string()),
            ("release", pa.int64()),
            ("arm", pa.string()),
            ("version", pa.int64()),
            ("entity", pa.string()),
            ("inputs", pa.string()),
            ("output", pa.string()),
            ("score", pa.float64()),
            ("latency_ms", pa.float64()),
            ("error", pa.string()),
            ("served", pa.bool_()),
        ]
    )


def to_parquet(table: LogTable, rows: Iterable[Mapping[str, Any]]) -> bytes:
    """One part. ``at`` is a datetime or whole microseconds since 1970; the same rows give the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema(table)), sink, compression="zstd")
    return bytes(sink.getvalue())
