"""Distances between a reference histogram and a current one.

Tests such as Kolmogorov-Smirnov or chi-squared at p < 0.05 alarm at any difference once samples are large, and at
none once days hang together. A distance measures how large the difference is; how large it gets with nothing wrong,
:mod:`retrain.stats.swings` knows.
"""

import math

import numpy as np
from numpy.typing import NDArray

from retrain.stats.histogram import Histogram, check_same_bins

PSEUDO_COUNT = 0.5

DEVIATIONS = math.sqrt(2.0 * math.pi * math.sqrt(3.0))
"""One over the mean square of the normal density, under the root: by how little a small shift moves the function."""


def psi(reference: Histogram, current: Histogram) -> float:
    """Return the population stability index, sum (q - p) ln(q / p) over bins, missing values included.

    Symmetric in its arguments, 0 for equal shares, unbounded (Siddiqi 2006: above 0.25 is a large shift).
    Half a count is added to every bin (Jeffreys' prior), so an empty bin does not make it infinite.

    :raises ValueError: for different bins or a histogram without rows.
    """
    p, q = _shares(reference, PSEUDO_COUNT), _shares(current, PSEUDO_COUNT)
    check_same_bins(reference, current)
    return float(np.sum((q - p) * np.log(q / p)))


def jensen_shannon(reference: Histogram, current: Histogram) -> float:
    """Return the Jensen-Shannon distance, 0 to 1: the root of the divergence in bits, missing included.

    Lin 1991; the root is a metric (Endres & Schindelin 2003).

    :raises ValueError: for different bins or a histogram without rows.
    """
    check_same_bins(reference, current)
    p, q = _shares(reference, 0.0), _shares(current, 0.0)
    middle = 0.5 * (p + q)
    divergence = 0.5 * (_relative_entropy(p, middle) + _relative_entropy(q, middle))
    return math.sqrt(min(1.0, max(0.0, divergence)))


def wasserstein_scaled(reference: Histogram, current: Histogram) -> float:
    """Return the 1-Wasserstein distance of the values present, in reference standard deviations.

    The area between the two distribution functions. Inside a bin the signed area follows exactly from
    the counts and the sum of the bin's values (integration by parts), also beyond the reference's range;
    so the result is exact unless the functions cross inside a bin, where it is a little less. inf where
    the reference is constant and the current is not equal to it. Missing values play no part: compare
    them with `psi` or `jensen_shannon`.

    :raises ValueError: for categories, different bins, or a histogram without values.
    """
    check_same_bins(reference, current)
    if reference.kind != "numeric":
        raise ValueError("the Wasserstein distance needs numbers; use jensen_shannon for categories")
    if not (sum(reference.counts) and sum(current.counts)):
        raise ValueError("a histogram has no values")
    distance = float(np.sum(np.abs(_areas(reference) - _areas(current))))
    if reference.sd == 0.0:
        elsewhere = sum(current.counts) - current.counts[int(np.argmax(reference.counts))]
        return math.inf if elsewhere else 0.0
    return distance / reference.sd


def cramer_von_mises(reference: Histogram, current: Histogram) -> float:
    """Return how far apart two distribution functions are on average, about in standard deviations.

    The root of the mean squared difference of the distribution functions, the mean being over the rows of both alike
    (Cramer 1928; Anderson 1962), and of the shares of missing values. It is scaled so that a normal column whose mean
    has moved by a small part of its standard deviation is about that part away. Bounded by ranks: one huge value
    counts as much as any other above all the rest.

    :raises ValueError: for categories, different bins, or a histogram without values.
    """
    check_same_bins(reference, current)
    if reference.kind != "numeric":
        raise ValueError("distribution functions need numbers; use jensen_shannon for categories")
    if not (sum(reference.counts) and sum(current.counts)):
        raise ValueError("a histogram has no values")
    p, q = _shares(reference, 0.0), _shares(current, 0.0)
    gaps, weights = np.cumsum(p - q)[:-1], (p + q)[:-1] / 2.0
    return DEVIATIONS * math.sqrt(float(weights @ gaps**2) + float(p[-1] - q[-1]) ** 2)


def _shares(histogram: Histogram, pseudo_count: float) -> NDArray[np.float64]:
    """Return each bin's share of the rows, the missing bin last."""
    if not histogram.total:
        raise ValueError("a histogram has no rows")
    counts = np.array([*histogram.counts, histogram.missing], dtype=np.float64) + pseudo_count
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def _relative_entropy(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Return sum p log2(p / q) over the bins where p is not 0."""
    held = p > 0.0
    return float(np.sum(p[held] * np.log2(p[held] / q[held])))


def _areas(histogram: Histogram) -> NDArray[np.float64]:
    """Return the area under the distribution function in each bin (above it in the last bin).

    Integral of F from a to b = b F(b) - a F(a) - E[X; a < X <= b].
    """
    rows = sum(histogram.counts)
    edges = np.array(histogram.edges)
    at_most = np.cumsum(histogram.counts)[:-1] / rows
    partial_means = np.array(histogram.sums) / rows
    last = partial_means[-1] - edges[-1] * (1.0 - at_most[-1])
    return np.append(np.diff(edges * at_most, prepend=0.0) - partial_means[:-1], last)
