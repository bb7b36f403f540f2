"""The prediction log: what was asked, who answered what, how fast, and the labels that came later.

In the store it is a heap of small Parquet files ("parts"), two tables beside each other::

    <pipeline>/log/predictions/2026-03-01/14/142530-<segment>-<part>.parquet
    <pipeline>/log/labels/2026-03-01/14/142530-<segment>-<part>.parquet

A part is named by the moment its shipping was planned, the gateway segment it was cut from and its number in that
segment. A part is written once and never changed, so "every row exactly once" is "every name exactly once". Because
the folder is the hour of *shipping*, rows of ``since`` or later can only lie in the folders of ``since`` or later,
and parts that come late (a gateway that could not reach the store) nearly always lie in the newest folders.

:mod:`~retrain.log.segment` and :mod:`~retrain.log.writer` write it; :class:`LogReader` reads it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from retrain.artifacts import now
from retrain.errors import LogBroken, UsageError
from retrain.store.base import ObjectStore

if TYPE_CHECKING:
    import pandas as pd

Table = Literal["predictions", "labels"]
Arm = Literal["champion", "challenger", "shadow", "fallback"]

SWEEP_SECONDS = 60.0
"""How often every folder since the beginning is listed again, for parts planned long ago and uploaded late."""

RECENT = (timedelta(minutes=-15), timedelta(minutes=5))
"""The folders that every poll lists: around now, with room for a slow upload and for clocks that differ."""

DAYS_LISTED_SINGLY = 62
"""Beyond this many days one listing of the whole table is cheaper than one a day."""

_NAME = re.compile(r"/(\d{4}-\d{2}-\d{2}/\d{2})/\d{6}-[0-9a-zA-Z_]+-\d+\.parquet$")


def part_path(pipeline: str, table: Table, planned: datetime, segment: str, part: int) -> str:
    """Where a part lies in the store.

    :param planned: when its shipping was decided; kept with the segment, so a repeated upload has the same name.
    """
    at = planned.astimezone(UTC)
    return f"{pipeline}/log/{table}/{at:%Y-%m-%d}/{at:%H}/{at:%H%M%S}-{segment}-{part:06d}.parquet"


@cache
def schema(table: Table) -> Any:
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


def to_parquet(table: Table, rows: Iterable[Mapping[str, Any]]) -> bytes:
    """One part. ``at`` is a datetime or whole microseconds since 1970; the same rows give the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema(table)), sink, compression="zstd")
    return bytes(sink.getvalue())


class LogReader:
    """Reads a pipeline's prediction log as it grows; every row comes exactly once.

    :param store: the object store the gateways ship to.
    :param pipeline: whose log.
    :param since: rows before this moment are left out (aware datetime).
    """

    def __init__(self, store: ObjectStore, pipeline: str, since: datetime) -> None:
        if since.tzinfo is None:
            raise UsageError(
                f"The log cannot be read since {since}: it has no time zone.", do="pass an aware datetime."
            )
        self.store = store
        self.pipeline = pipeline
        self.since = since.astimezone(UTC)
        self._seen: set[str] = set()
        self._swept: float | None = None

    def poll(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The prediction rows and the label rows that came since the last poll.

        Either everything new is returned and counted as read, or an error is raised and nothing is.

        :raises StoreError: the store cannot be read now; poll again later.
        :raises LogBroken: a part is there but cannot be read.
        """
        sweep = self._swept is None or time.monotonic() - self._swept >= SWEEP_SECONDS
        predictions, labels = self._new_parts("predictions", sweep=sweep), self._new_parts("labels", sweep=sweep)
        frames = self._read("predictions", predictions), self._read("labels", labels)
        self._seen.update(predictions, labels)
        if sweep:
            self._swept = time.monotonic()
        return frames

    def _new_parts(self, table: Table, *, sweep: bool) -> list[str]:
        oldest = f"{self.since:%Y-%m-%d/%H}"
        folders = self._all_folders(table) if sweep else self._recent_folders(table)
        listed = (path for folder in folders for path in self.store.list(folder) if path not in self._seen)
        return [path for path in listed if (found := _NAME.search(path)) and found[1] >= oldest]

    def _all_folders(self, table: Table) -> list[str]:
        top = f"{self.pipeline}/log/{table}"
        days = (now() + RECENT[1]).date() - self.since.date()
        if days.days > DAYS_LISTED_SINGLY:
            return [top]
        return [f"{top}/{self.since.date() + timedelta(days=day)}" for day in range(days.days + 1)]

    def _recent_folders(self, table: Table) -> list[str]:
        moments = {f"{now() + shift:%Y-%m-%d/%H}" for shift in RECENT}
        return [f"{self.pipeline}/log/{table}/{hour}" for hour in sorted(moments)]

    def _read(self, table: Table, paths: list[str]) -> pd.DataFrame:
        import pyarrow as pa

        rows = pa.concat_tables([schema(table).empty_table(), *(self._read_part(table, path) for path in paths)])
        frame: pd.DataFrame = rows.to_pandas()
        return frame[frame["at"] >= self.since].reset_index(drop=True) if paths else frame

    def _read_part(self, table: Table, path: str) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        data = self.store.get(path)
        try:
            return pq.ParquetFile(pa.BufferReader(data)).read(columns=schema(table).names).cast(schema(table))
        except (pa.ArrowException, ValueError, OSError) as error:
            raise LogBroken(
                f"A part of the prediction log of pipeline '{self.pipeline}' cannot be read: {error}",
                where=f"{self.store.uri}/{path}",
                do="restore that object from a backup, or delete it and accept that its rows are lost. No canary is "
                "decided until then; the champion keeps serving.",
            ) from None


__all__ = ["Arm", "LogReader", "Table", "part_path", "schema", "to_parquet"]
