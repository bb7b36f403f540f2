"""Distances between a reference histogram and a current one, and thresholds that hold a false-alarm rate.

Tests such as Kolmogorov-Smirnov or chi-squared at p < 0.05 alarm at any difference once samples are large.
A distance measures how large the difference is, and a threshold calibrated on the reference's own chunks
knows how much one week differs from the others with nothing wrong.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from retrain.stats.histogram import Histogram, check_same_bins, merge

LEAST_CHUNKS = 5
PSEUDO_COUNT = 0.5


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


def calibrated_threshold(
    chunks: Sequence[Histogram],
    false_alarm_rate: float,
    *,
    distance: Callable[[Histogram, Histogram], float] = jensen_shannon,
) -> float:
    """Return the distance that a chunk without drift exceeds with probability `false_alarm_rate`.

    Each chunk's distance is taken to the merge of all *other* chunks: with itself in the reference, a
    chunk looks closer than any new data ever will. With enough chunks, 1/rate - 1 (19 for 5%), the
    threshold is the conformal order statistic ceil((n + 1)(1 - rate)) (Vovk et al. 2005), which assumes
    no distribution. With fewer it is the upper prediction bound of the log distances under a normal law
    (Student's t), at least the largest distance seen.

    :param chunks: histograms on the same bins, of blocks of time like the window to be judged later: as
        long (a shorter window is noisier and alarms more), whole days or weeks, so that a weekday is not
        a drift.
    :param distance: of (reference, chunk).
    :raises ValueError: for fewer than 5 chunks or a rate outside (0, 1).
    """
    if not 0.0 < false_alarm_rate < 1.0:
        raise ValueError(f"false_alarm_rate must be between 0 and 1, got {false_alarm_rate!r}")
    if len(chunks) < LEAST_CHUNKS:
        raise ValueError(f"calibrating needs at least {LEAST_CHUNKS} chunks, got {len(chunks)}")
    distances = np.sort([distance(merge([*chunks[:i], *chunks[i + 1 :]]), chunk) for i, chunk in enumerate(chunks)])
    n = len(distances)
    rank = math.ceil((n + 1) * (1.0 - false_alarm_rate) - 1e-9)
    if rank <= n:
        return float(distances[rank - 1])
    logs = np.log(np.maximum(distances, 1e-12))
    beyond = float(student_t.ppf(1.0 - false_alarm_rate, n - 1)) * math.sqrt(1.0 + 1.0 / n)
    return max(float(distances[-1]), math.exp(float(logs.mean()) + beyond * float(logs.std(ddof=1))))


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
