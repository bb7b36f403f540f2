"""Intake: which rows of a source are taken, and what is refused of them, whatever kind of source it is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain.artifacts import now
from retrain.data.event_time import Window, moments
from retrain.data.frames import to_frame
from retrain.errors import DataError
from retrain.spec import Source

if TYPE_CHECKING:
    from pandas import DataFrame, Series


def rows(tables: Iterable[Any], source: Source, window: Window, pipeline: str, where: str) -> DataFrame:
    """The rows of a window in one frame, in the order of timestamp and key; empty if there are none.

    A column that only some tables have is null in the others.

    :param tables: Arrow tables, with timestamps as the source stores them.
    :param where: what they come from, for messages.
    :raises DataError: a column is missing, or has types that do not fit together; a timestamp is unreadable or in the
        future.
    """
    import pandas as pd

    kept = [_taken(table, source, window, pipeline, where) for table in tables]
    if not any(table.num_rows for table in kept):
        return pd.DataFrame()
    frame = _joined(kept, source.noun)
    order = list(dict.fromkeys((source.timestamp, *source.row_key)))
    return frame.sort_values(order, kind="stable", ignore_index=True)


def inside(table: Any, source: Source, window: Window, pipeline: str, where: str | Path) -> Any:
    """The rows of one Arrow table that lie in the window, with their timestamps in UTC.

    :raises DataError: a timestamp is unreadable or in the future.
    """
    import pyarrow as pa

    position = table.schema.get_field_index(source.timestamp)
    times = moments(table.column(position).to_pandas(), source)
    _refuse_unreadable(table, times, source, pipeline, where)
    _refuse_future(times, source, pipeline, where)
    taken = ((times >= window.start) & (times < window.end)).to_numpy()
    table = table.set_column(position, source.timestamp, pa.Array.from_pandas(times))
    return table if taken.all() else table.filter(pa.array(taken))


def framed(table: Any) -> DataFrame:
    """An Arrow table as a frame; a column of which no value is known is one of numbers."""
    import pyarrow as pa

    known = [field.with_type(pa.float64()) if pa.types.is_null(field.type) else field for field in table.schema]
    return to_frame(table.cast(pa.schema(known)))


def refuse_columns(names: list[str], source: Source, pipeline: str, origin: str, where: str | Path) -> None:
    """Refuse an origin of rows by the names of its columns: one is missing, or stands twice.

    :param origin: what it is called.
    :raises DataError: names the column and the nearest one there is.
    """
    missing = sorted(source.required_columns - set(names))
    if missing:
        from difflib import get_close_matches

        near = get_close_matches(missing[0], names, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        also = f" Also missing: {', '.join(missing[1:])}." if missing[1:] else ""
        raise DataError(
            f"Column '{missing[0]}' of pipeline '{pipeline}' is not in {origin}.{hint} "
            f"It has: {', '.join(names)}.{also}",
            where=where,
            do=f"correct the column names in pipeline.yaml, or have the {source.noun} written with that column.",
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"Column '{twice[0]}' stands twice in {origin}.", where=where, do="have it written with one of them."
        )


def _taken(table: Any, source: Source, window: Window, pipeline: str, where: str) -> Any:
    refuse_columns(table.column_names, source, pipeline, "what its source gives", where)
    return inside(table, source, window, pipeline, where)


def _refuse_unreadable(table: Any, times: Series[Any], source: Source, pipeline: str, where: str | Path) -> None:
    bad = times.isna().to_numpy().nonzero()[0]
    if not len(bad):
        return
    row = table.slice(int(bad[0]), 1).to_pylist()[0]
    shown = ", ".join(f"{name}={value!r}" for name, value in list(row.items())[:8])
    raise DataError(
        f"{len(bad):,} rows of pipeline '{pipeline}' have no readable timestamp. The first has "
        f"{row[source.timestamp]!r} in `{source.timestamp}`, where "
        f"{source.timestamp_format or 'ISO 8601 such as 2013-04-01T17:05:00Z'} is expected; the row: {shown}.",
        where=where,
        do="correct these rows, or set `source.timestamp_format` (strptime) to what the column holds.",
    )


def _refuse_future(times: Series[Any], source: Source, pipeline: str, where: str | Path) -> None:
    present = now()
    late = times[times > present]
    if len(late):
        raise DataError(
            f"{len(late):,} rows of pipeline '{pipeline}' have a timestamp in the future, e.g. "
            f"{late.max().isoformat()} in `{source.timestamp}`; now it is {present:%Y-%m-%d %H:%M} UTC.",
            where=where,
            do=f"correct them, or check `source.timezone` (now {source.timezone}) and this machine's clock.",
        )


def _joined(tables: list[Any], noun: str) -> DataFrame:
    import pyarrow as pa

    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        raise DataError(
            f"The source {noun}s do not fit together: {error}.",
            do=f"have all {noun}s written with the same column types.",
        ) from error
    return framed(table)
