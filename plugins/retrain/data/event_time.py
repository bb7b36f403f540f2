"""Event time: when a row happened, out of whatever a source's timestamp column holds, in UTC and microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from retrain.spec import Source

if TYPE_CHECKING:
    from pandas import Series

ZONED = r"[T ]\d{2}.*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"


@dataclass(frozen=True)
class Window:
    """A stretch of event time, half open."""

    start: datetime
    end: datetime

    @override
    def __str__(self) -> str:
        return f"[{self.start:%Y-%m-%d %H:%M} UTC, {self.end:%Y-%m-%d %H:%M} UTC)"


def hour_after(moment: datetime) -> datetime:
    """The first full hour after a moment, in UTC."""
    whole = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return whole + timedelta(hours=1)


def moments(column: Series[Any], source: Source) -> Series[Any]:
    """A column as moments in UTC; NaT where it cannot be read.

    Times without a zone are in the source's. In the hour that a clock goes through twice the first pass is meant;
    one that it leaps over is moved to the end of the leap.
    """
    import pandas as pd

    from retrain.model.rows import TEXT

    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return cast("Series[Any]", column.dt.tz_convert("UTC").dt.as_unit("us"))
    if column.dtype.kind == "M":
        return _localized(column, source.timezone)
    text = column.astype(TEXT)
    if source.timestamp_format:
        form, zoned = source.timestamp_format, pd.Series("%z" in source.timestamp_format, index=text.index)
    else:
        form, zoned = "ISO8601", text.str.contains(ZONED, na=False).astype(bool)
    read = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us, UTC]")
    if zoned.any():
        read[zoned] = pd.to_datetime(text[zoned], format=form, errors="coerce", utc=True).dt.as_unit("us")
    if not zoned.all():
        naive = pd.to_datetime(text[~zoned], format=form, errors="coerce")
        read[~zoned] = _localized(naive, source.timezone)
    return read


def _localized(column: Series[Any], zone: str) -> Series[Any]:
    import numpy as np

    first_pass = np.ones(len(column), dtype=bool)
    local = column.dt.as_unit("us").dt.tz_localize(zone, ambiguous=first_pass, nonexistent="shift_forward")
    return cast("Series[Any]", local.dt.tz_convert("UTC"))
