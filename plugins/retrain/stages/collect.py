"""Collect: the rows of one window, out of the pipeline's source, as Parquet in the store, in parts.

The window is half open, ``[data_end - window, data_end)``. Timestamps become UTC in microseconds, rows are put in
the order of timestamp and key, and the snapshot is named by the hashes of what has rows in the window: the same
files give the same snapshot, byte for byte.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from retrain.artifacts import Request, Snapshot, SourceFile, identity, now
from retrain.data.event_time import Window, hour_after
from retrain.data.intake import rows
from retrain.data.partitions import keep_parts
from retrain.errors import EmptyWindow
from retrain.site import Site
from retrain.sources.base import Place, Reading
from retrain.spec import Spec
from retrain.words import moment

if TYPE_CHECKING:
    from pandas import DataFrame


def collect(spec: Spec, request: Request, site: Site) -> Snapshot:
    """Take the rows of the window out of the source.

    :raises SourceError: there is nothing to read, or it cannot be read.
    :raises SourceLost: it vanished or changed while it was read; trying again can help.
    :raises DataError: a column is missing, a timestamp is unreadable or in the future.
    :raises EmptyWindow: no row lies in the window.
    """
    end = request.data_end.astimezone(UTC)
    window = Window(end - spec.source.window, end)
    columns, place = _wanted_columns(spec), Place.of(spec, site.settings)
    with spec.source.read(window, columns, place) as reading:
        key = identity(
            "snapshot",
            source=spec.fragment("source"),
            columns=columns,
            files=[origin.sha256 for origin in reading.origins],
            start=window.start,
            end=window.end,
        )
        snapshot = site.once(
            Snapshot,
            spec.name,
            key,
            lambda: _make(spec, site, key, window, reading.origins, _rows(spec, window, reading, place)),
        )
    site.ledger(spec.name).record_stage("collect", snapshot, request)
    return snapshot


def end_of_data(spec: Spec, site: Site) -> datetime:
    """The first full hour after the newest row; now, if no timestamp can be read.

    What a retraining by hand uses rows up to, unless it is told. The same rows have the same end whenever they are
    looked at, so a retraining on them is the same retraining.

    :raises SourceError: there is nothing to read, or it cannot be read.
    """
    newest = spec.source.newest(Place.of(spec, site.settings))
    return now() if newest is None else hour_after(newest)


def _rows(spec: Spec, window: Window, reading: Reading, place: Place) -> DataFrame:
    """What was read, as far as it may be used."""
    where = ", ".join(origin.path for origin in reading.origins[:3]) + (" …" if len(reading.origins) > 3 else "")
    frame = rows(reading.batches, spec.source, window, spec.name, where)
    if frame.empty:
        newest = spec.source.newest(place)
        found = "the source holds none" if newest is None else f"the newest is of {moment(newest)}"
        raise EmptyWindow(
            f"Pipeline '{spec.name}' has no rows in the window {window}: {found}.",
            where=where,
            do="bring the source up to date, or retrain for a data_end that it covers.",
        )
    return frame


def _make(
    spec: Spec, site: Site, key: str, window: Window, sources: tuple[SourceFile, ...], frame: DataFrame
) -> Snapshot:
    """Keep the rows, which are in the order of time."""
    return Snapshot(
        key=key,
        pipeline=spec.name,
        start=window.start,
        end=window.end,
        newest=frame[spec.source.timestamp].iloc[-1].to_pydatetime(),
        parts=keep_parts(site, spec.name, frame, spec.source.timestamp, window.start, window.end),
        columns={str(name): str(dtype) for name, dtype in frame.dtypes.items()},
        sources=sources,
    )


# -- columns ---------------------------------------------------------------------------------------------------


def _wanted_columns(spec: Spec) -> list[str] | None:
    """The columns anybody asks for; None for all, where the spec lists no inputs or the suite counts columns."""
    source = spec.source
    if not source.inputs:
        return None
    suite = _suite_columns(spec.suite_file)
    return None if suite is None else sorted({*source.required_columns, *source.label_columns, *suite})


def _suite_columns(file: Path) -> set[str] | None:
    """The columns a suite names; None if it judges the table's columns as such, or cannot be read (yet)."""
    try:
        expectations = json.loads(file.read_text(encoding="utf-8"))["expectations"]
        if any(one["type"].startswith("expect_table_column") for one in expectations):
            return None
        named = [value for one in expectations for key, value in one["kwargs"].items() if key.startswith("column")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return {name for value in named for name in ([value] if isinstance(value, str) else value)}
