"""Reads a prediction log as it grows."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from retrain.artifacts import now
from retrain.data.frames import to_frame
from retrain.errors import LogBroken, UsageError
from retrain.log.parts import PART_PATH, LogTable, schema
from retrain.store.base import ObjectStore

if TYPE_CHECKING:
    import pandas as pd

SWEEP_SECONDS = 60.0
"""How often every folder since the beginning is listed again, for parts planned long ago and uploaded late."""

RECENT = (timedelta(minutes=-15), timedelta(minutes=5))
"""The folders that every poll lists: around now, with room for a slow upload and for clocks that differ."""

READERS = 16
"""How many parts are fetched at a time: the first poll of a long canary has thousands."""

DAYS_LISTED_SINGLY = 62
"""Beyond this many days one listing of the whole table is cheaper than one a day."""


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

    def _new_parts(self, table: LogTable, *, sweep: bool) -> list[str]:
        oldest = f"{self.since:%Y-%m-%d/%H}"
        folders = self._all_folders(table) if sweep else self._recent_folders(table)
        listed = (path for folder in folders for path in self.store.list(folder) if path not in self._seen)
        return [path for path in listed if (found := PART_PATH.search(path)) and found[1] >= oldest]

    def _all_folders(self, table: LogTable) -> list[str]:
        top = f"{self.pipeline}/log/{table}"
        days = (now() + RECENT[1]).date() - self.since.date()
        if days.days > DAYS_LISTED_SINGLY:
            return [top]
        return [f"{top}/{self.since.date() + timedelta(days=day)}" for day in range(days.days + 1)]

    def _recent_folders(self, table: LogTable) -> list[str]:
        moments = {f"{now() + shift:%Y-%m-%d/%H}" for shift in RECENT}
        return [f"{self.pipeline}/log/{table}/{hour}" for hour in sorted(moments)]

    def _read(self, table: LogTable, paths: list[str]) -> pd.DataFrame:
        import pyarrow as pa

        with ThreadPoolExecutor(READERS) as pool:
            parts = pool.map(lambda path: self._read_part(table, path), paths)
            frame = to_frame(pa.concat_tables([schema(table).empty_table(), *parts]))
        return frame[frame["at"] >= self.since].reset_index(drop=True) if paths else frame

    def _read_part(self, table: LogTable, path: str) -> Any:
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
