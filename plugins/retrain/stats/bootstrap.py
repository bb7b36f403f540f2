"""Block bootstrap intervals: how sure is a metric, when rows of one day (or entity) hang together?

Whole blocks are drawn with replacement and a draw is handed on as row weights (how often each row was
drawn), so nothing is copied. Percentile intervals: Efron & Tibshirani 1993, chapter 13; resampling
clusters: Davison & Hinkley 1997, section 3.8.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

DEFINED_SHARE = 0.9
"""A statistic must be defined in this share of the replicates, or there is no interval."""


@dataclass(frozen=True)
class Interval:
    """An estimate and its two-sided percentile interval.

    `replicates` counts those in which the statistic was defined; `deviation` is its standard deviation
    over them, the bootstrap standard error.
    """

    estimate: float
    lower: float
    upper: float
    confidence: float
    replicates: int
    deviation: float = math.nan


def block_bootstrap(
    statistic: Callable[[NDArray[np.float64]], float],
    blocks: ArrayLike,
    *,
    replicates: int = 500,
    confidence: float = 0.95,
    seed: int,
) -> Interval:
    """Return the interval of a statistic under resampling of blocks.

    :param statistic: from row weights, shape (rows,), to a number; nan where it is not defined (an AUC
        with one class). The weights' array is its own to keep.
    :param blocks: the block of each row, shape (rows,): a day, an entity; anything np.unique sorts.
    :param confidence: two-sided; 0.90 gives one-sided 95% bounds.
    :raises ValueError: for fewer than two blocks (resample rows: `blocks=np.arange(rows)`), for a
        statistic that is nan on the data or in more than a tenth of the replicates, and for
        `replicates` or `confidence` out of range.
    """
    _check(replicates, confidence)
    block_of, count = _blocks(blocks)
    estimate = float(statistic(np.ones(len(block_of))))
    values = np.empty(replicates)
    for i, drawn in enumerate(_draws(count, replicates, seed)):
        times = np.bincount(drawn, minlength=count).astype(np.float64)
        values[i] = statistic(times[block_of])
    return _interval(estimate, values, confidence)


def _blocks(blocks: ArrayLike) -> tuple[NDArray[np.int64], int]:
    """Return each row's block number, shape (rows,), and how many blocks there are."""
    array = np.asarray(blocks)
    if array.ndim != 1:
        raise ValueError(f"blocks must be one-dimensional, got shape {array.shape}")
    names, block_of = np.unique(array, return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"{len(names)} block(s): resampling blocks needs at least 2; resample rows instead (blocks=np.arange(rows))"
        )
    return block_of.astype(np.int64), len(names)


def _draws(count: int, replicates: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield, for each replicate, `count` block numbers drawn with replacement."""
    random = np.random.default_rng(seed)
    for _ in range(replicates):
        yield random.integers(0, count, size=count)


def _interval(estimate: float, values: NDArray[np.float64], confidence: float) -> Interval:
    defined = values[np.isfinite(values)]
    if not np.isfinite(estimate):
        raise ValueError("the statistic is not defined on the data itself")
    if len(defined) < DEFINED_SHARE * len(values):
        raise ValueError(
            f"the statistic is defined in {len(defined)} of {len(values)} replicates only; use more or larger blocks"
        )
    tail = (1.0 - confidence) / 2.0
    lower, upper = np.quantile(defined, [tail, 1.0 - tail])
    return Interval(estimate, float(lower), float(upper), confidence, len(defined), float(defined.std()))


def _check(replicates: int, confidence: float) -> None:
    if replicates < 1:
        raise ValueError(f"replicates must be at least 1, got {replicates!r}")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence!r}")
