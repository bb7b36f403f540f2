"""Collect: the rows of one window, out of Parquet and CSV files, as Parquet in the store, in parts.

The window is half open, ``[data_end - window, data_end)``. Timestamps become UTC in microseconds, rows are put in
the order of timestamp and key, and the snapshot is named by the hashes of the files that have rows in the window:
the same files give the same snapshot, byte for byte.
"""

from __future__ import annotations

import glob
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain.artifacts import Request, Snapshot, SourceFile, digest_file, identity, now
from retrain.data.event_time import moments
from retrain.data.partitions import keep_parts
from retrain.errors import DataError, EmptyWindow, SourceError, SourceLost
from retrain.settings import Settings
from retrain.site import Site
from retrain.sources.tabular import Window, batches, is_text, joined, wanted_columns
from retrain.spec import Spec

if TYPE_CHECKING:
    from pandas import Series

# Two changes within one tick of a file system's clock share a modification time.
CLOCK_TICK = 2_000_000_000


@dataclass(frozen=True)
class Reading:
    """What one file has of the window.

    :param rows: an Arrow table; of text but for the timestamp if ``text``.
    :param sha256: of the file; empty if it has no row of the window.
    :param newest: the newest timestamp seen; row groups of other times were not looked at.
    """

    file: Path
    rows: Any
    text: bool
    sha256: str
    bytes: int
    newest: datetime | None


def collect(spec: Spec, request: Request, site: Site) -> Snapshot:
    """Take the rows of the window out of the source's files.

    :raises SourceError: no file matches, or one is neither Parquet nor CSV.
    :raises SourceLost: a file vanished or changed while it was read; trying again can help.
    :raises DataError: a column is missing, a timestamp is unreadable or in the future.
    :raises EmptyWindow: no row lies in the window.
    """
    end = request.data_end.astimezone(UTC)
    window = Window(end - spec.source.window, end)
    readings = _read_all(spec, site.settings, window)
    used = [reading for reading in readings if reading.sha256]
    if not used:
        raise _empty(spec, window, readings)
    key = identity(
        "snapshot",
        source=spec.fragment("source"),
        columns=wanted_columns(spec),
        files=[reading.sha256 for reading in used],
        start=window.start,
        end=window.end,
    )
    snapshot = site.once(Snapshot, spec.name, key, lambda: _make(spec, site, key, window, used))
    site.ledger(spec.name).record_stage("collect", snapshot, request)
    return snapshot


def _make(spec: Spec, site: Site, key: str, window: Window, readings: list[Reading]) -> Snapshot:
    timestamp = spec.source.timestamp
    texts = [reading.rows for reading in readings if reading.text]
    tables = [reading.rows for reading in readings if not reading.text]
    frame = joined(texts, tables, timestamp)
    order = list(dict.fromkeys((timestamp, *spec.source.row_key)))
    frame = frame.sort_values(order, kind="stable", ignore_index=True)
    return Snapshot(
        key=key,
        pipeline=spec.name,
        start=window.start,
        end=window.end,
        newest=frame[timestamp].iloc[-1].to_pydatetime(),
        parts=keep_parts(site, spec.name, frame, timestamp, window.start, window.end),
        columns={str(name): str(dtype) for name, dtype in frame.dtypes.items()},
        sources=tuple(SourceFile(path=str(r.file), sha256=r.sha256, bytes=r.bytes) for r in readings),
    )


# -- files -----------------------------------------------------------------------------------------------------


def source_files(spec: Spec, settings: Settings) -> list[Path]:
    """The files the source's patterns match, in the order of their paths.

    :raises SourceError: there are none.
    """
    patterns = [str((spec.folder if p.startswith("./") else settings.data) / p) for p in spec.source.files]
    matched = {Path(name) for pattern in patterns for name in glob.glob(pattern, recursive=True)}
    files = sorted(path for path in matched if not path.is_dir())
    if not files:
        raise SourceError(
            f"Pipeline '{spec.name}' has no source file: nothing matches {', '.join(spec.source.files)}.",
            where=", ".join(patterns),
            do="put the files there, correct `source.files`, or point RETRAIN_DATA at the folder they are in "
            f"(now {settings.data}).",
        )
    return files


def _read_all(spec: Spec, settings: Settings, window: Window) -> list[Reading]:
    """Read every file, and those too that came while the others were read."""
    readings: dict[Path, Reading] = {}
    while new := [file for file in source_files(spec, settings) if file not in readings]:
        readings |= {file: _read(file, spec, window) for file in new}
    return [readings[file] for file in sorted(readings)]


def _read(file: Path, spec: Spec, window: Window) -> Reading:
    """Read one file and hash what was read: it must not change in between."""
    try:
        before = _stamp(file)
        early = digest_file(file) if time.time_ns() - file.stat().st_mtime_ns < CLOCK_TICK else None
        try:
            rows, newest = _rows(file, spec, window)
        except DataError:
            if _stamp(file) != before:
                raise _lost(file, "changed while it was read") from None
            raise
        sha256 = digest_file(file) if rows.num_rows else ""
        if _stamp(file) != before or (early and sha256 and early != sha256):
            raise _lost(file, "changed while it was read")
        return Reading(file, rows, is_text(file), sha256, file.stat().st_size, newest)
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


# -- rows ------------------------------------------------------------------------------------------------------


def _rows(file: Path, spec: Spec, window: Window) -> tuple[Any, datetime | None]:
    """A file's rows of the window with their timestamps in UTC, and the newest timestamp seen in passing."""
    import pyarrow as pa

    kept: list[Any] = []
    newest: datetime | None = None
    for table in batches(file, spec, window):
        position = table.schema.get_field_index(spec.source.timestamp)
        times = moments(table.column(position).to_pandas(), spec.source)
        _refuse_unreadable(file, spec, table, times)
        _refuse_future(file, spec, times)
        if len(times):
            newest = max(filter(None, (newest, times.max().to_pydatetime())))
        inside = ((times >= window.start) & (times < window.end)).to_numpy()
        table = table.set_column(position, spec.source.timestamp, pa.Array.from_pandas(times))
        kept.append(table.filter(pa.array(inside)))
    return pa.concat_tables(kept), newest


def _refuse_unreadable(file: Path, spec: Spec, table: Any, times: Series[Any]) -> None:
    bad = times.isna().to_numpy().nonzero()[0]
    if not len(bad):
        return
    source = spec.source
    row = table.slice(int(bad[0]), 1).to_pylist()[0]
    shown = ", ".join(f"{name}={value!r}" for name, value in list(row.items())[:8])
    raise DataError(
        f"{len(bad):,} rows of pipeline '{spec.name}' have no readable timestamp. The first has "
        f"{row[source.timestamp]!r} in `{source.timestamp}`, where "
        f"{source.timestamp_format or 'ISO 8601 such as 2013-04-01T17:05:00Z'} is expected; the row: {shown}.",
        where=file,
        do="correct these rows, or set `source.timestamp_format` (strptime) to what the column holds.",
    )


def _refuse_future(file: Path, spec: Spec, times: Series[Any]) -> None:
    present = now()
    late = times[times > present]
    if len(late):
        raise DataError(
            f"{len(late):,} rows of pipeline '{spec.name}' have a timestamp in the future, e.g. "
            f"{late.max().isoformat()} in `{spec.source.timestamp}`; now it is {present:%Y-%m-%d %H:%M} UTC.",
            where=file,
            do=f"correct them, or check `source.timezone` (now {spec.source.timezone}) and this machine's clock.",
        )


def _empty(spec: Spec, window: Window, readings: list[Reading]) -> EmptyWindow:
    seen = [(newest, r.file) for r in readings if (newest := r.newest or _newest(r, spec))]
    found = "they hold no rows at all"
    if seen:
        moment, file = max(seen)
        found = f"the newest row is of {moment:%Y-%m-%d %H:%M} UTC, in {file.name}"
    return EmptyWindow(
        f"Pipeline '{spec.name}' has no rows in the window {window}: {len(readings)} files match, {found}.",
        where=", ".join(str(r.file) for r in readings[:3]) + (" …" if len(readings) > 3 else ""),
        do="bring the files up to date, or retrain for a data_end that they cover.",
    )


def _newest(reading: Reading, spec: Spec) -> datetime | None:
    """The newest timestamp of a file of which no row was looked at; that can only be a Parquet file."""
    if reading.text:
        return None
    from pyarrow import parquet

    column = parquet.read_table(reading.file, columns=[spec.source.timestamp]).column(0)
    newest: datetime | None = moments(column.to_pandas(), spec.source).max().to_pydatetime() if len(column) else None
    return newest
