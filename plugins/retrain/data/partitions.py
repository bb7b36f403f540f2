"""Time partitions: the rows of a window cut at the edges of the calendar.

Two windows that overlap are cut at the same edges, so that of a later one only the first part, the last and what came
in between are new: all other parts have the same rows, hence the same bytes and the same name in the store.
"""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from retrain.artifacts import Part
from retrain.data.frames import keep_once
from retrain.site import Site

if TYPE_CHECKING:
    from pandas import DataFrame

DAY = timedelta(days=1)
UNITS = (
    (30 * DAY, "D", "MS"),
    (7 * DAY, "D", "W-MON"),
    (DAY, "D", "D"),
    (DAY / 4, "6h", "6h"),
    (DAY / 24, "h", "h"),
)
"""Months, weeks from Monday, days, quarters of a day, hours, all in UTC: about how long, and how pandas says it."""
FEWEST = 3
"""A window is cut into the largest units of which it holds so many."""


def stretches(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """What a window is cut into, half open, in order; the first and the last end where the window does.

    :param start, end: the window, half open, in UTC.
    """
    import pandas as pd

    _, grain, unit = next((u for u in UNITS if end - start >= FEWEST * u[0]), UNITS[-1])
    inner = pd.date_range(pd.Timestamp(start).ceil(grain), end, freq=unit, inclusive="left")
    edges = [start, *(edge.to_pydatetime() for edge in inner if edge > start), end]
    return list(itertools.pairwise(edges))


def keep_parts(
    site: Site, pipeline: str, frame: DataFrame, time: str, start: datetime, end: datetime
) -> tuple[Part, ...]:
    """Put the rows of a window into the store in parts, but for those that lie there.

    All parts have the schema of the whole, so that below each other they are the frame again.

    :param frame: in the order of its column ``time``.
    :param start, end: the window, half open, in UTC.
    :raises StoreFull: no room here or there; what was put there is found by the next attempt.
    """
    import pyarrow as pa

    schema = pa.Schema.from_pandas(frame, preserve_index=False)
    kept = []
    for since, until in stretches(start, end):
        first, stop = frame[time].searchsorted([since, until])
        if first < stop:
            data = keep_once(site, f"{pipeline}/data/rows", frame.iloc[first:stop], schema)
            kept.append(Part(start=since, end=until, data=data))
    return tuple(kept)
