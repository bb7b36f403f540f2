"""Rows out of Parquet and CSV files.

A reading of a window is named by the hashes of the files that have rows in it. Which those are is known only once
every file has been read, so they are read before anything is asked of them; a file must not change meanwhile.
"""

from __future__ import annotations

import glob
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator
from typing_extensions import override

from retrain.artifacts import digest_file
from retrain.data.event_time import moments
from retrain.data.intake import framed, inside, refuse_columns
from retrain.data.tabular import batches, column, head, header, is_text, typed
from retrain.errors import DataError, EmptyWindow, SourceError, SourceLost
from retrain.sources.base import Place, Reading, Source, SourceFile, Window
from retrain.spec.source import OneOrMany

if TYPE_CHECKING:
    from pandas import DataFrame

# Two changes within one tick of a file system's clock share a modification time.
CLOCK_TICK = 2_000_000_000
ADDRESS = re.compile(r"([A-Za-z][\w+.-]+):/")
"""How what lies elsewhere is named; a Path makes one slash of two."""


class Files(Source):
    """Parquet or CSV files, on a disk or share."""

    noun: ClassVar[str] = "file"

    files: OneOrMany = Field(
        description="Glob patterns of Parquet or CSV files. A bare path is below RETRAIN_DATA; one that begins "
        "with ./ lies beside this file; an absolute one is taken as it is. An address such as s3://… is refused."
    )

    @field_validator("files")
    @classmethod
    def _on_a_disk(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for scheme in filter(None, map(scheme_of, value)):
            raise ValueError(
                f"a path on a disk or share, since {scheme}:// cannot be read; mount it, or name a source of your own "
                "in source.kind"
            )
        return value

    @property
    @override
    def described(self) -> str:
        """The patterns."""
        return ", ".join(f"`{pattern}`" for pattern in self.files)

    @override
    def origins(self, place: Place) -> list[str]:
        """The files the patterns match, in the order of their paths.

        :raises SourceError: there are none.
        """
        patterns = [str((place.folder if p.startswith("./") else place.data) / p) for p in self.files]
        matched = {name for pattern in patterns for name in glob.glob(pattern, recursive=True)}
        files = sorted(file for file in map(Path, matched) if not file.is_dir())
        if not files:
            raise SourceError(
                f"Pipeline '{place.pipeline}' has no source file: nothing matches {', '.join(self.files)}.",
                where=", ".join(patterns),
                do="put the files there, correct `source.files`, or point RETRAIN_DATA at the folder they are in "
                f"(now {place.data}).",
            )
        return [str(file) for file in files]

    @override
    def columns(self, origin: str, place: Place) -> list[str]:
        """The header of one file."""
        with _reached(Path(origin)):
            return header(Path(origin))

    @override
    def head(self, origin: str, rows: int, place: Place) -> DataFrame:
        """The first rows of one file; the columns of a CSV file are typed by these alone."""
        import pyarrow as pa

        file, names = Path(origin), self.columns(origin, place)
        with _reached(file):
            table = head(file, names, rows)
            if self.timestamp in names:
                times = moments(table.column(self.timestamp).to_pandas(), self)
                table = table.set_column(names.index(self.timestamp), self.timestamp, pa.Array.from_pandas(times))
            return framed(typed(table) if is_text(file) else table)

    @override
    def newest(self, place: Place) -> datetime | None:
        """The newest timestamp in all files; None if none can be read."""
        found = [self._newest(file, place) for file in map(Path, self.origins(place))]
        return max((moment for moment in found if moment is not None), default=None)

    @contextmanager
    @override
    def read(self, window: Window, columns: list[str] | None, place: Place) -> Iterator[Reading]:
        """The rows of one window, read and hashed at once.

        :raises SourceError: no file matches, or one is neither Parquet nor CSV.
        :raises SourceLost: a file vanished or changed while it was read; trying again can help.
        :raises DataError: a column is missing, a timestamp is unreadable or in the future.
        :raises EmptyWindow: no row lies in the window.
        """
        found = self._read_all(window, columns, place)
        used = [rows for rows in found if rows.sha256]
        if not used:
            raise self._empty(window, place, [rows.file for rows in found])
        origins = tuple(SourceFile(path=str(rows.file), sha256=rows.sha256, bytes=rows.bytes) for rows in used)
        yield Reading(origins, _together(used))

    def _read_all(self, window: Window, columns: list[str] | None, place: Place) -> list[_Rows]:
        """Read every file, and those too that came while the others were read."""
        found: dict[str, _Rows] = {}
        while new := [origin for origin in self.origins(place) if origin not in found]:
            found |= {origin: self._read(Path(origin), window, columns, place) for origin in new}
        return [found[origin] for origin in sorted(found, key=Path)]

    def _read(self, file: Path, window: Window, columns: list[str] | None, place: Place) -> _Rows:
        """Read one file and hash what was read: it must not change in between."""
        with _reached(file):
            before = _stamp(file)
            early = digest_file(file) if time.time_ns() - file.stat().st_mtime_ns < CLOCK_TICK else None
            try:
                table = self._inside(file, window, columns, place)
            except DataError:
                if _stamp(file) != before:
                    raise _lost(file, "changed while it was read") from None
                raise
            sha256 = digest_file(file) if table.num_rows else ""
            if _stamp(file) != before or (early and sha256 and early != sha256):
                raise _lost(file, "changed while it was read")
            return _Rows(file, table, is_text(file), sha256, file.stat().st_size)

    def _inside(self, file: Path, window: Window, columns: list[str] | None, place: Place) -> Any:
        """A file's rows of the window, with their timestamps in UTC."""
        import pyarrow as pa

        names = header(file)
        refuse_columns(names, self, place.pipeline, file.name, file)
        chosen = names if columns is None else [name for name in names if name in columns]
        tables = batches(file, chosen, self.timestamp, window)
        return pa.concat_tables([inside(table, self, window, place.pipeline, file) for table in tables])

    def _empty(self, window: Window, place: Place, files: list[Path]) -> EmptyWindow:
        seen = [(newest, file) for file in files if (newest := self._newest(file, place)) is not None]
        found = "they hold no rows at all"
        if seen:
            moment, file = max(seen)
            found = f"the newest row is of {moment:%Y-%m-%d %H:%M} UTC, in {file.name}"
        return EmptyWindow(
            f"Pipeline '{place.pipeline}' has no rows in the window {window}: {len(files)} files match, {found}.",
            where=", ".join(map(str, files[:3])) + (" …" if len(files) > 3 else ""),
            do="bring the files up to date, or retrain for a data_end that they cover.",
        )

    def _newest(self, file: Path, place: Place) -> datetime | None:
        import pandas as pd

        with _reached(file):
            names = header(file)
            if self.timestamp not in names:
                refuse_columns(names, self, place.pipeline, file.name, file)
            newest = moments(column(file, self.timestamp), self).max()
            return None if pd.isna(newest) else newest.to_pydatetime()


@dataclass(frozen=True)
class _Rows:
    """What one file has of the window.

    :param table: of text but for the timestamp if ``text``.
    :param sha256: of the file; empty if it has no row of the window.
    """

    file: Path
    table: Any
    text: bool
    sha256: str
    bytes: int


def scheme_of(path: str) -> str | None:
    """``s3`` of ``s3://bucket/rows.csv``; None of a path on a disk."""
    found = ADDRESS.match(path)
    return found and found[1]


def pattern(file: Path, data: Path) -> str:
    """How ``files`` names one file: relative below RETRAIN_DATA, absolute elsewhere."""
    file = file.absolute()
    return glob.escape((file.relative_to(data) if file.is_relative_to(data) else file).as_posix())


def _together(used: list[_Rows]) -> Iterator[Any]:
    """The tables of all files; text is typed by what all CSV files hold."""
    import pyarrow as pa

    yield from (rows.table for rows in used if not rows.text)
    texts = [rows.table for rows in used if rows.text]
    if texts:
        yield typed(pa.concat_tables(texts, promote_options="default"))


@contextmanager
def _reached(file: Path) -> Iterator[None]:
    """Turn what a disk or share raises of a file into an error of ours."""
    try:
        yield
    except FileNotFoundError:
        raise _lost(file, "vanished while it was read") from None
    except PermissionError as error:
        raise SourceError(
            "A source file may not be read.", where=file, do="give the user that runs this the right to read it."
        ) from error
    except OSError as error:
        raise _lost(file, f"cannot be read now ({error.strerror or error})") from error


def _stamp(file: Path) -> tuple[int, ...]:
    """What changes when a file is written: its inode, size and times."""
    status = os.stat(file)
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _lost(file: Path, what: str) -> SourceLost:
    return SourceLost(
        f"A source file {what}.",
        where=file,
        do="run it again; if it happens every time, let the loader write under another name and rename when it is "
        "done, and check that the disk or share is mounted.",
    )
