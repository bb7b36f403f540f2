"""How far rows lie from a reference, column by column, and how far is too far.

Whole weeks are compared with whole weeks: with the same weeks of years before, where the reference has them. How far
is too far is learnt from the reference: how far weeks so long stray from it with nothing wrong, given how its days
hang together (:mod:`retrain.stats.swings`); and jointly for all columns, by the greatest of their distances (Westfall
& Young 1993), so that the rate of false alarms is that of the run. See docs/decisions/0011-drift.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zlib import crc32

from retrain.artifacts import ColumnDrift
from retrain.errors import DriftError
from retrain.metrics import distances
from retrain.metrics.distances import Distance
from retrain.monitoring.reference import WEEK, YEAR, ColumnReference, Past, Reference
from retrain.spec import FILE, Spec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame, Series

    from retrain.stats.histogram import Histogram

LARGEST = 1e9  # stands for an infinite distance, which JSON cannot say
WITHOUT_NUMBERS = "jensen_shannon"
DRAWS = 499
NOBODYS_BUSINESS = 0.1
"""Of a distance's customary threshold: less than this part of it is no drift, however sure it is."""


@dataclass(frozen=True)
class Comparison:
    """What came of comparing rows with a reference.

    :param columns: those that were compared.
    :param skipped: those that were not → why.
    :param incomparable: those that could be compared before and cannot now → why. That is drift.
    :param calibration: in words, what the thresholds were learnt from, or why not.
    """

    columns: tuple[ColumnDrift, ...]
    skipped: dict[str, str]
    incomparable: dict[str, str]
    calibration: str


@dataclass(frozen=True)
class Measured:
    """One column's distance.

    :param before: the past it is compared with, on the bins of the whole reference.
    :param rows: of now.
    """

    spec: Spec
    column: str
    named: str
    distance: Distance
    before: Histogram
    rows: int

    def from_before(self, current: Histogram) -> float:
        """A distance that is a number: one that is none would be above no threshold, and so would never alarm.

        :raises DriftError: it is none, or there is none.
        """
        try:
            value = float(self.distance.function(self.before, current))
        except Exception as error:  # whatever somebody's function raises
            raise self._unmeasured(f"raised {type(error).__name__}: {error}") from error
        if math.isnan(value) or value == -math.inf:
            raise self._unmeasured(f"returned {value}")
        return min(value, LARGEST)

    def _unmeasured(self, what: str) -> DriftError:
        return DriftError(
            f"The drift of column '{self.column}' of pipeline '{self.spec.name}' cannot be measured: "
            f"the distance '{self.named}' {what}.",
            where=f"{self.spec.folder / FILE}, key `drift.distance`",
            do="correct the distance or name another; or leave the column out of `drift.columns`.",
        )


def compare(spec: Spec, rows: DataFrame, columns: Sequence[str], reference: Reference) -> Comparison:
    """Compare columns of some rows, of which there is at least one, with the same columns of the reference.

    :param rows: with their timestamp. Of them the newest whole weeks are compared, or all of less than a week.
    :raises DriftError: the distance fails on a column, or what it returns is no number.
    """
    times = rows[spec.source.timestamp]
    days = WEEK * max(1, int((times.max() - times.min() + timedelta(days=1)) / timedelta(days=WEEK)))
    rows = rows[times > times.max() - timedelta(days=days)]
    skipped = {name: why for name in columns if (why := _never(name, reference))}
    incomparable = {name: why for name in columns if name not in skipped and (why := _no_more(rows[name], reference))}
    past = reference.past(times.max().to_pydatetime(), days)
    compared = [name for name in columns if name not in skipped and name not in incomparable]
    now = {name: reference.columns[name].whole.count(rows[name].to_numpy()) for name in compared}
    measured = {name: _measured(spec, name, reference.columns[name], past, now[name]) for name in compared}
    values = {name: one.from_before(now[name]) for name, one in measured.items()}
    limits, calibration = _thresholds(spec, reference, past, list(measured.values()), float(days))
    found = [
        ColumnDrift(
            column=name,
            distance=measured[name].named,
            value=values[name],
            threshold=limits[name],
            drifted=values[name] > limits[name],
        )
        for name in compared
    ]
    return Comparison(tuple(found), skipped, incomparable, calibration)


def _never(name: str, reference: Reference) -> str | None:
    """Why a column could not be compared before either, or None."""
    if name in reference.skipped:
        return reference.skipped[name]
    return None if name in reference.columns else "not in the champion's data"


def _no_more(values: Series[Any], reference: Reference) -> str | None:
    """Why a column of the reference cannot be compared now, or None."""
    numeric = reference.columns[str(values.name)].whole.kind == "numeric"
    if numeric and values.dtype.kind not in "biuf" and values.notna().any():
        return f"numbers in the champion's data, now {values.dtype}"
    return None


def _measured(spec: Spec, name: str, column: ColumnReference, past: Past, now: Histogram) -> Measured:
    cells = column.days[past.days].sum(axis=0) if past.length else None
    before = column.whole if cells is None else column.whole.of_cells(cells, round(_rows(column.whole, cells)))
    named, distance = _distance(spec, [before, now])
    return Measured(spec, name, named, distance, before, now.total)


def _rows(whole: Histogram, cells: NDArray[np.float64]) -> float:
    return float(cells[: len(whole.counts) + 1].sum())


def _distance(spec: Spec, histograms: Sequence[Histogram]) -> tuple[str, Distance]:
    """The distance to use: the one wanted, unless it needs numbers and there are none."""
    distance = distances.find(spec.drift.distance)
    if distance.numeric_only and not all(_has_numbers(one) for one in histograms):
        return WITHOUT_NUMBERS, distances.find(WITHOUT_NUMBERS)
    return spec.drift.distance, distance


def _has_numbers(histogram: Histogram) -> bool:
    return histogram.kind == "numeric" and any(histogram.counts)


# -- how far is too far ----------------------------------------------------------------------------------------


def _thresholds(
    spec: Spec, reference: Reference, past: Past, measured: Sequence[Measured], window: float
) -> tuple[dict[str, float], str]:
    """The distance that each column may have, and what it was learnt from.

    A run without drift exceeds any of them at the rate of false alarms allowed.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from retrain.stats.swings import how_many

    if spec.drift.threshold is not None:
        return dict.fromkeys((one.column for one in measured), spec.drift.threshold), "a fixed threshold"
    filled = int((reference.rows[: reference.weeks * WEEK] > 0).sum())
    count = how_many(reference.weeks * WEEK, filled)
    if not count:
        return {one.column: one.distance.threshold for one in measured}, (
            f"{reference.weeks} whole weeks with rows on {filled} days are too few to learn thresholds from: each "
            "distance's customary one, at no stated rate of false alarms"
        )
    if not measured:
        return {}, ""
    with threadpool_limits(limits=1):  # small sums: waiting for other threads costs more than adding
        apart = _apart(spec, reference, past, measured, window, count)
    return _greatest(spec.drift.false_alarms, apart, measured), _learnt(reference, past)


def _learnt(reference: Reference, past: Past) -> str:
    if past.cycle:
        return f"learnt from {reference.weeks} weeks; compared with the same weeks of years before"
    return f"learnt from {reference.weeks} weeks, which is less than a year: a season looks like a drift"


def _apart(
    spec: Spec, reference: Reference, past: Past, measured: Sequence[Measured], window: float, count: int
) -> NDArray[np.float64]:
    """How far each column may be from its past with nothing wrong, draw by draw, shape (draws, columns)."""
    import numpy as np

    from retrain.stats.swings import slow_cosines, strays

    random = np.random.default_rng(crc32(b"".join(reference.columns[one.column].days.tobytes() for one in measured)))
    draws = max(DRAWS, math.ceil(5.0 / spec.drift.false_alarms) - 1)
    common = random.standard_normal((draws, count))
    days = reference.weeks * WEEK
    cosines = slow_cosines(days, count, YEAR if past.cycle else None)
    apart = np.empty((draws, len(measured)))
    for number, one in enumerate(measured):
        cells = reference.columns[one.column].days[:days]
        shares = cells.sum(axis=0) / _rows(one.before, cells.sum(axis=0))
        swings = cosines @ ((cells - reference.rows[:days, None] * shares) / reference.per_day)[::-1]
        now = min(window, one.rows / reference.per_day)
        base = _shares(one.before)
        for draw, strayed in enumerate(strays(swings, common, now, past.length, random)):
            apart[draw, number] = _drawn(one, base + strayed)
    return apart


def _shares(histogram: Histogram) -> NDArray[np.float64]:
    import numpy as np

    return np.array([*histogram.counts, histogram.missing, *histogram.sums], dtype=np.float64) / histogram.total


def _drawn(one: Measured, cells: NDArray[np.float64]) -> float:
    made = one.before.of_cells(cells, one.rows)
    if one.distance.numeric_only and not _has_numbers(made):
        return LARGEST  # so few rows, so few of them numbers: nothing would be unusual
    return one.from_before(made)


def _greatest(rate: float, apart: NDArray[np.float64], measured: Sequence[Measured]) -> dict[str, float]:
    """The thresholds that the greatest of all distances exceeds at a rate, each being as unusual as the others.

    Each column's distances are measured by the one that it alone would exceed at that rate.
    """
    import numpy as np

    place = math.ceil((len(apart) + 1) * (1.0 - rate) - 1e-9) - 1
    alone = np.sort(apart, axis=0)[place]
    moving = alone > 0.0
    together = 1.0
    if moving.any():
        together = float(np.sort((apart[:, moving] / alone[moving]).max(axis=1))[place])
    return {
        one.column: min(max(limit * together, NOBODYS_BUSINESS * one.distance.threshold), LARGEST)
        for one, limit in zip(measured, alone.tolist(), strict=True)
    }
