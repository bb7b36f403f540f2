"""Acme's sources."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from retrain.errors import SourceError, SourceLost
from retrain.sources.base import Place, Reading, Source, SourceFile, Window

if TYPE_CHECKING:
    from pandas import DataFrame

BATCH = 100
DAY = timedelta(days=1)


class Sqlite(Source):
    """A table of an SQLite database; its timestamps are text, ISO 8601 in UTC."""

    noun: ClassVar[str] = "table"

    database: str = Field(description="The database, below RETRAIN_DATA.")
    table: str = Field(description="The table.")

    @property
    def described(self) -> str:
        return f"`{self.table}` in `{self.database}`"

    def origins(self, place: Place) -> list[str]:
        if not (place.data / self.database).is_file():
            raise SourceError(f"There is no database {self.database}.", where=place.data, do="correct it.")
        return [f"{place.data / self.database}:{self.table}"]

    def columns(self, origin: str, place: Place) -> list[str]:
        with self._open(place) as database:
            return [row[1] for row in database.execute(f'PRAGMA table_info("{self.table}")')]

    def head(self, origin: str, rows: int, place: Place) -> DataFrame:
        import pandas as pd

        from retrain.data.event_time import moments

        with self._open(place) as database:
            frame = pd.read_sql(f'SELECT * FROM "{self.table}" LIMIT {rows}', database)
        if self.timestamp not in frame:
            return frame
        return frame.assign(**{self.timestamp: moments(frame[self.timestamp], self)})

    def newest(self, place: Place) -> datetime | None:
        with self._open(place) as database:
            ((newest,),) = database.execute(f'SELECT max("{self.timestamp}") FROM "{self.table}"')
        return None if newest is None else datetime.fromisoformat(newest)

    @contextmanager
    def read(self, window: Window, columns: list[str] | None, place: Place) -> Iterator[Reading]:
        (origin,) = self.origins(place)
        known = self.columns(origin, place)
        names = ", ".join(f'"{name}"' for name in known if columns is None or name in columns)
        # A day more on either side: exactly what lies in the window is for whoever collects it to say.
        near = [(moment + day).isoformat() for moment, day in ((window.start, -DAY), (window.end, DAY))]
        query = f'SELECT {names} FROM "{self.table}" WHERE "{self.timestamp}" BETWEEN ? AND ?'
        query += f' OR "{self.timestamp}" IS NULL ORDER BY rowid'
        with self._open(place) as database:
            database.execute("BEGIN")  # what is hashed is what is read
            hashed = hashlib.sha256()
            for row in database.execute(query, near):
                hashed.update(repr(row).encode())
            found = SourceFile(path=origin, sha256=hashed.hexdigest())
            yield Reading((found,), _batches(database, query, near))

    @contextmanager
    def _open(self, place: Place) -> Iterator[sqlite3.Connection]:
        file = place.data / self.database
        self.origins(place)
        try:
            with closing(sqlite3.connect(file, isolation_level=None)) as database:
                yield database
        except sqlite3.OperationalError as error:
            raise SourceLost(f"The database cannot be read: {error}.", where=file, do="see what locks it.") from error


def _batches(database: sqlite3.Connection, query: str, near: list[str]) -> Iterator[Any]:
    import pyarrow as pa

    cursor = database.execute(query, near)
    names = [column[0] for column in cursor.description]
    while rows := cursor.fetchmany(BATCH):
        yield pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
