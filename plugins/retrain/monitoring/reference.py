"""The reference: what the champion was trained on, as histograms, against which all later rows are compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from retrain.artifacts import Snapshot, canonical
from retrain.data.frames import load_parts
from retrain.site import Site

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from retrain.stats.histogram import Histogram

BLOCKS = (timedelta(days=7), timedelta(days=1))
LEAST_BLOCKS = 5
ID_LIKE = 0.9  # a text column with so large a share of different values names rows


@dataclass(frozen=True)
class ColumnReference:
    """One column of the champion's data: a histogram of all rows, and one of each block of time on the same bins."""

    whole: Histogram
    blocks: tuple[Histogram, ...]


@dataclass(frozen=True)
class Reference:
    """The champion's data, column by column.

    :param skipped: the columns that have no histogram → why.
    """

    columns: dict[str, ColumnReference]
    skipped: dict[str, str]

    @classmethod
    def of(cls, frame: DataFrame, timestamp: str) -> Reference:
        """Count the rows of a frame.

        :param timestamp: the column by which its blocks are told apart.
        """
        blocks = _blocks(frame[timestamp])
        skipped = {str(name): why for name in frame.columns if (why := _no_histogram(frame[name]))}
        columns = {str(name): _histograms(frame[name], blocks) for name in frame.columns if str(name) not in skipped}
        return cls(columns, skipped)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        columns = {
            name: {"whole": column.whole.to_dict(), "blocks": [block.to_dict() for block in column.blocks]}
            for name, column in self.columns.items()
        }
        return {"columns": columns, "skipped": self.skipped}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Reference:
        """What to_dict wrote."""
        from retrain.stats.histogram import Histogram

        columns = {
            name: ColumnReference(
                Histogram.from_dict(column["whole"]), tuple(Histogram.from_dict(block) for block in column["blocks"])
            )
            for name, column in data["columns"].items()
        }
        return cls(columns, data["skipped"])


def reference(snapshot: Snapshot, timestamp: str, site: Site) -> Reference:
    """The reference of a champion's snapshot; computed once, then kept beside it in the store.

    :raises ObjectMissing: the snapshot's rows are gone.
    """
    path = f"{snapshot.pipeline}/data/drift/{snapshot.key}/reference.json"
    if not site.store.exists(path):
        made = Reference.of(load_parts(site, snapshot.parts), timestamp)
        site.store.create(path, canonical(made.to_dict()))
    return Reference.from_dict(json.loads(site.store.get(path)))


def _histograms(column: Series[Any], blocks: list[Any]) -> ColumnReference:
    from retrain.stats.histogram import Histogram

    whole = Histogram.from_values(column.to_numpy())
    return ColumnReference(whole, tuple(whole.count(column[block].to_numpy()) for block in blocks))


def _blocks(times: Series[Any]) -> list[Any]:
    """Masks of the reference's whole weeks, or days where it has too few weeks, counted back from its newest row."""
    for length in BLOCKS:
        age = (times.max() - times) // length
        whole = (times.max() - times.min()) // length
        masks = [mask for number in range(whole) if (mask := (age == number).to_numpy()).any()]
        if len(masks) >= LEAST_BLOCKS:
            return masks
    return []


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
