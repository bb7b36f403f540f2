"""How far a weighted mean may be from the truth, at any time, where rows hang together.

They do so in two ways, and neither is known beforehand: rows of one entity, which sees one arm, and rows of one stretch
of time. So the variance of the weighted sum is estimated three ways, and the largest counts:

* rows, as if each were by itself (the prediction errors of a running mean, which is predictable);
* entities: the squares of their sums (Liang & Zeger 1986);
* stretches of time: the squares of their differences (batch means), times (1 + r) / (1 - r) for what is left of the
  correlation r between one stretch and the next (Andrews 1991, an AR(1) plug-in).

The boundary is time-uniform, for values with bounds: empirical Bernstein with the gamma-exponential mixture (Howard,
Ramdas, McAuliffe & Sekhon 2021, Theorem 4 and Proposition 9), exact for rows by themselves at every size, asymptotic
where they hang together. A variance from few clusters is itself
uncertain: the boundary is widened as Student's quantile is beyond the normal one, with one degree of freedom less than
there are stretches, or entities of equal weight that would say as much (Carter, Schnepel & Steigerwald 2017).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from scipy.stats import t as student_t

from retrain.stats.boundary import gamma_exponential_mixture, mixture_precision

BUCKETS = 4096
"""Entities are kept as so many groups of them: independent clusters put together are independent clusters (the random
groups method, Wolter, "Introduction to Variance Estimation"), and memory does not grow."""

STRETCHES = 32
"""Blocks are put together to at least this many stretches, at most twice as many."""

LEAST = 4
"""Fewer stretches, or fewer entities an arm that would say as much, bound nothing."""

TIGHTEST_AT_VARIANCE = 10.0
"""Where the bounds are tightest: accumulated variance of values scaled to [0, 1]. Affects width only."""

TIGHTEST_QUANTILE = 2.8
"""How many deviations a boundary of alpha .05 allows where it is tightest."""


class Sums:
    """Weighted sums over the rows of an arm, and their variance by rows and by entities."""

    def __init__(self) -> None:
        self.weight = self.total = self.squares = 0.0
        self._count, self._sum = 0, 0.0
        self._weights, self._sums = np.zeros(BUCKETS), np.zeros(BUCKETS)

    def add(self, values: NDArray[np.float64], weight: float, entities: NDArray[np.int64]) -> None:
        """Add values, each with the same weight."""
        if not self._count:
            self._sum, self._count = float(values[0]), 1  # so that the mean is near from the first row on
        before = self._sum + np.concatenate([[0.0], np.cumsum(values)[:-1]])
        predicted = before / (self._count + np.arange(len(values)))
        self.squares += weight * weight * float(np.sum((values - predicted) ** 2))
        self._sum += float(values.sum())
        self._count += len(values)
        self.weight += weight * len(values)
        self.total += weight * float(values.sum())
        groups = _groups(entities)
        self._weights += weight * np.bincount(groups, minlength=BUCKETS)
        self._sums += weight * np.bincount(groups, weights=values, minlength=BUCKETS)

    @property
    def effective_entities(self) -> float:
        """Entities of equal weight that would say as much, if all rows of one were alike."""
        squared = self._weights**2
        fourth = float(squared @ squared)
        return float(squared.sum()) ** 2 / fourth if fourth else 0.0

    @property
    def entity_variance(self) -> float:
        """Variance of the weighted sum, by entities."""
        count = int(np.count_nonzero(self._weights))
        residuals = self._sums - self._weights * (self.total / self.weight)
        return float(residuals @ residuals) * count / max(count - 1, 1)


class Stretches:
    """Blocks put together in order of time, ever longer ones, so that there are never more than twice STRETCHES."""

    def __init__(self) -> None:
        self._closed: list[tuple[float, float]] = []
        self._open: list[tuple[float, float]] = []
        self._blocks = 1  # that a stretch holds

    def add(self, weight: float, difference: float) -> None:
        """Add a block's weight and its weighted difference."""
        self._open.append((weight, difference))
        if len(self._open) == self._blocks:
            self._closed.append(_put_together(self._open))
            self._open = []
        if len(self._closed) == 2 * STRETCHES:
            pairs = zip(self._closed[::2], self._closed[1::2], strict=True)
            self._closed, self._blocks = [_put_together(pair) for pair in pairs], 2 * self._blocks

    @property
    def count(self) -> int:
        """How many there are, the one that is not yet full among them."""
        return len(self._closed) + bool(self._open)

    @property
    def variance(self) -> float:
        """Variance of the weighted sum, by stretches."""
        all_ = [*self._closed, _put_together(self._open)] if self._open else self._closed
        weights, sums = np.array(all_).T
        residuals = sums - weights * (sums.sum() / weights.sum())
        count = len(residuals)
        return float(residuals @ residuals) * count / max(count - 1, 1) * _left_over(residuals / np.sqrt(weights))


def _put_together(blocks: tuple[tuple[float, float], ...] | list[tuple[float, float]]) -> tuple[float, float]:
    return sum(weight for weight, _ in blocks), sum(difference for _, difference in blocks)


def _left_over(residuals: NDArray[np.float64]) -> float:
    """(1 + r) / (1 - r) of the correlation r between neighbours, where it is beyond chance; 1 otherwise."""
    count, power = len(residuals), float(residuals @ residuals)
    if count < LEAST or power == 0.0:
        return 1.0
    r = float(residuals[1:] @ residuals[:-1]) / power
    if r < 1.0 / math.sqrt(count):
        return 1.0
    r = min(r + (1.0 + 3.0 * r) / count, 0.98)  # Kendall 1954: the estimate is too small by so much
    return (1.0 + r) / (1.0 - r)


def _groups(entities: NDArray[np.int64]) -> NDArray[np.int64]:
    """The group of each entity, 0 to BUCKETS - 1."""
    mixed = entities.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing
    return (mixed >> np.uint64(52)).astype(np.int64)


def _students(freedom: float) -> float:
    """How many times farther Student's quantile lies than the normal one, where such boundaries are tightest."""
    return float(student_t.isf(ndtr(-TIGHTEST_QUANTILE), freedom)) / TIGHTEST_QUANTILE


def finite(values: ArrayLike) -> NDArray[np.float64]:
    """The values of a block, shape (n,), of which there are some.

    :raises ValueError: there are none, or not all are finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"a block has values of both arms, got shape {array.shape}")
    if not np.all(np.isfinite(array)):
        raise ValueError("values must be finite: nan or infinity found")
    return array


def reach(alpha: float, arms: Sequence[Sums], stretches: Stretches) -> float:
    """How far a weighted mean may be from the truth: at any time, with probability alpha, on one side.

    :param arms: of values in [0, 1], or a shifted interval as long; their variances add, each has the mean's weight.
    """
    effective = min([float(stretches.count), *(arm.effective_entities for arm in arms)])
    if effective < LEAST:
        return math.inf
    rows, entities = sum(arm.squares for arm in arms), sum(arm.entity_variance for arm in arms)
    precision = mixture_precision(TIGHTEST_AT_VARIANCE, alpha)
    wide = gamma_exponential_mixture(max(rows, entities, stretches.variance), precision, alpha)
    return wide * _students(effective - 1.0) / arms[0].weight
