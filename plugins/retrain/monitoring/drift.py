"""How far rows lie from a reference, column by column, and how far is too far.

The threshold is learnt from the reference itself: how far each of its weeks lies from all the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from retrain.artifacts import ColumnDrift
from retrain.errors import DriftError
from retrain.metrics import distances
from retrain.metrics.distances import Distance
from retrain.monitoring.reference import LEAST_BLOCKS, ColumnReference, Reference
from retrain.spec import FILE, Spec

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from retrain.stats.histogram import Histogram

    Measure = Callable[[Histogram, Histogram], float]

LARGEST = 1e9  # stands for an infinite distance, which JSON cannot say
WITHOUT_NUMBERS = "jensen_shannon"


@dataclass(frozen=True)
class Comparison:
    """What came of comparing rows with a reference.

    :param skipped: the columns that were not compared → why.
    """

    columns: tuple[ColumnDrift, ...]
    skipped: dict[str, str]


def compare(spec: Spec, rows: DataFrame, columns: Sequence[str], reference: Reference) -> Comparison:
    """Compare columns of some rows, of which there is at least one, with the same columns of the reference.

    :raises DriftError: the distance fails on a column, or what it returns is no number.
    """
    skipped = {name: why for name in columns if (why := _why_not(name, rows[name], reference))}
    compared = [name for name in columns if name not in skipped]
    return Comparison(tuple(_column(spec, name, rows[name], reference.columns[name]) for name in compared), skipped)


def _why_not(name: str, values: Series[Any], reference: Reference) -> str | None:
    """Why a column is not compared, or None."""
    if name in reference.skipped:
        return reference.skipped[name]
    if name not in reference.columns:
        return "not in the champion's data"
    numeric = reference.columns[name].whole.kind == "numeric"
    if numeric and values.dtype.kind not in "biuf" and values.notna().any():
        return f"numbers in the champion's data, now {values.dtype}"
    return None


def _column(spec: Spec, name: str, values: Series[Any], reference: ColumnReference) -> ColumnDrift:
    now = reference.whole.count(values.to_numpy())
    named, distance = _distance(spec, [reference.whole, now])
    measure = partial(_measured, spec, name, named, distance)
    value = min(measure(reference.whole, now), LARGEST)
    threshold = spec.drift.threshold or _threshold(spec, distance, measure, reference.blocks)
    return ColumnDrift(column=name, distance=named, value=value, threshold=threshold, drifted=value > threshold)


def _distance(spec: Spec, histograms: Sequence[Histogram]) -> tuple[str, Distance]:
    """The distance to use: the one wanted, unless it needs numbers and there are none."""
    distance = distances.find(spec.drift.distance)
    if distance.numeric_only and not all(_has_numbers(one) for one in histograms):
        return WITHOUT_NUMBERS, distances.find(WITHOUT_NUMBERS)
    return spec.drift.distance, distance


def _has_numbers(histogram: Histogram) -> bool:
    return histogram.kind == "numeric" and any(histogram.counts)


def _threshold(spec: Spec, distance: Distance, measure: Measure, blocks: Sequence[Histogram]) -> float:
    """The distance that a week like those of the reference exceeds at the rate of false alarms allowed."""
    from retrain.stats.drift import calibrated_threshold

    usable = [block for block in blocks if not distance.numeric_only or _has_numbers(block)]
    if len(usable) < LEAST_BLOCKS:
        return distance.threshold
    learnt = calibrated_threshold(usable, spec.drift.false_alarms, distance=measure)
    return learnt if math.isfinite(learnt) else LARGEST


def _measured(
    spec: Spec, column: str, named: str, distance: Distance, reference: Histogram, current: Histogram
) -> float:
    """A distance that is a number: one that is none would be above no threshold, and so would never alarm."""
    try:
        value = float(distance.function(reference, current))
    except Exception as error:  # whatever somebody's function raises
        raise _unmeasured(spec, column, named, f"raised {type(error).__name__}: {error}") from error
    if math.isnan(value) or value == -math.inf:
        raise _unmeasured(spec, column, named, f"returned {value}")
    return value


def _unmeasured(spec: Spec, column: str, named: str, what: str) -> DriftError:
    return DriftError(
        f"The drift of column '{column}' of pipeline '{spec.name}' cannot be measured: the distance '{named}' {what}.",
        where=f"{spec.folder / FILE}, key `drift.distance`",
        do="correct the distance or name another; or leave the column out of `drift.columns`.",
    )
