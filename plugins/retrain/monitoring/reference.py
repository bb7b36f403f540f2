"""The reference: what the champion was trained on, as histograms, against which all later rows are compared.

All rows of a column are one histogram, and the rows of each day are counted on its bins, so that any weeks of the past
can be put together, and the slow swings of the past be seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from retrain.artifacts import Snapshot, canonical
from retrain.data.frames import load_parts
from retrain.site import Site

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

    from retrain.stats.histogram import Histogram

DAY = timedelta(days=1)
WEEK = 7
YEAR = 365.2425
"""Days. Whole weeks have each weekday as often, wherever they begin."""

MOST_DAYS = 3 * 366 + WEEK
"""So many newest days are kept one by one."""

ID_LIKE = 0.9  # a text column with so large a share of different values names rows


@dataclass(frozen=True)
class ColumnReference:
    """One column of the champion's data.

    :param whole: a histogram of all rows.
    :param days: the cells of each day on the same bins, the newest day first, shape (days, ``whole.width``).
    """

    whole: Histogram
    days: NDArray[np.float64]


@dataclass(frozen=True)
class Past:
    """The days of a reference that some rows are compared with.

    :param days: their places among the reference's days.
    :param length: how many days like its others they are worth, having so many rows.
    :param cycle: are they the same weeks of years before?
    """

    days: NDArray[np.int64]
    length: float
    cycle: bool


@dataclass(frozen=True)
class Reference:
    """The champion's data, column by column.

    :param columns: those that have a histogram.
    :param skipped: the others → why.
    :param end: when its newest row happened.
    :param rows: the rows of each day, the newest first.
    """

    columns: dict[str, ColumnReference]
    skipped: dict[str, str]
    end: datetime
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, frame: DataFrame, timestamp: str) -> Reference:
        """Count the rows of a frame.

        :param timestamp: the column by which its days are told apart, backwards from its newest row.
        """
        import numpy as np

        times = frame[timestamp]
        age = ((times.max() - times) // DAY).to_numpy(dtype=np.int64)
        days = min(round((times.max() - times.min()) / DAY), MOST_DAYS)
        skipped = {str(name): why for name in frame.columns if (why := _no_histogram(frame[name]))}
        columns = {str(name): _counted(frame[name], age, days) for name in frame.columns if str(name) not in skipped}
        rows = np.bincount(age[age < days], minlength=days)
        return cls(columns, skipped, times.max().to_pydatetime(), rows)

    @property
    def weeks(self) -> int:
        """How many whole weeks it has day by day."""
        return len(self.rows) // WEEK

    @property
    def per_day(self) -> float:
        """Rows of a day, on average over its whole weeks; 0 without one."""
        return float(self.rows[: self.weeks * WEEK].mean()) if self.weeks else 0.0

    def past(self, newest: datetime, days: int) -> Past:
        """What rows of so many days up to a moment are to be compared with.

        The same weeks of years before, if most of them are there, so that a season is no drift; else all whole weeks.
        """
        import numpy as np

        later = round((newest - self.end) / DAY)
        starts = [round(YEAR * years) - later for years in range(1, 2 + int((len(self.rows) + later) / YEAR))]
        found = {day for start in starts for day in range(start, start + days) if 0 <= day < len(self.rows)}
        same = np.array(sorted(found), dtype=np.int64)
        if 2.0 * self._worth(same) >= days:
            return Past(same, self._worth(same), True)
        every = np.arange(self.weeks * WEEK)
        return Past(every, self._worth(every), False)

    def _worth(self, days: NDArray[np.int64]) -> float:
        """How many days of its usual rows some of its days are."""
        return min(float(len(days)), float(self.rows[days].sum()) / self.per_day) if self.per_day else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        columns = {
            name: {"whole": column.whole.to_dict(), "days": _plain(column)} for name, column in self.columns.items()
        }
        return {"columns": columns, "skipped": self.skipped, "end": self.end.isoformat(), "rows": self.rows.tolist()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Reference:
        """What to_dict wrote."""
        import numpy as np

        from retrain.stats.histogram import Histogram

        columns = {}
        for name, column in data["columns"].items():
            whole = Histogram.from_dict(column["whole"])
            cells = np.array(column["days"], dtype=np.float64).reshape(-1, whole.width)
            columns[name] = ColumnReference(whole, cells)
        rows = np.array(data["rows"], dtype=np.int64)
        return cls(columns, data["skipped"], datetime.fromisoformat(data["end"]), rows)


def reference(snapshot: Snapshot, timestamp: str, site: Site) -> Reference:
    """The reference of a champion's snapshot; computed once, then kept beside it in the store.

    :raises ObjectMissing: the snapshot's rows are gone.
    """
    path = f"{snapshot.pipeline}/data/drift/{snapshot.key}/days.json"  # reference.json was that of earlier releases
    if not site.store.exists(path):
        made = Reference.of(load_parts(site, snapshot.parts), timestamp)
        site.store.create(path, canonical(made.to_dict()))
    return Reference.from_dict(json.loads(site.store.get(path)))


def _counted(column: Series[Any], age: NDArray[np.int64], days: int) -> ColumnReference:
    from retrain.stats.histogram import Histogram

    values = column.to_numpy()
    whole = Histogram.from_values(values)
    kept = age < days
    return ColumnReference(whole, whole.cells(values[kept], age[kept], days))


def _plain(column: ColumnReference) -> list[list[float]]:
    """The days in few characters: counts are whole, and of a bin's sum six digits are enough."""
    counts = column.days[:, : len(column.whole.counts) + 1].astype(int).tolist()
    sums = column.days[:, len(column.whole.counts) + 1 :].tolist()
    return [[*held, *(float(f"{one:.6g}") for one in summed)] for held, summed in zip(counts, sums, strict=True)]


def _no_histogram(column: Series[Any]) -> str | None:
    """Why a column cannot be compared, or None."""
    kind = column.dtype.kind
    if kind in "mM":
        return "a date"
    values = column.dropna()
    if values.empty:
        return "all null in the champion's data"
    try:
        share = values.nunique() / len(values)
    except TypeError:
        return "neither numbers nor text"
    if (kind not in "biuf" and share > ID_LIKE) or (kind in "iu" and share == 1):
        return "names rows: nearly every value is different"
    return None
