"""How far the average of some days strays from that of other days with nothing wrong, where days hang together.

Rows of one day are alike, and so are days that follow each other; a formula for independent rows is far too sure. What
an average of weeks strays by is in the slow swings of the series of days, and there only. Weighted with a few slow
cosines, the days give as many numbers as there are cosines, that are independent, normal, and as variable as the
average itself (Müller 2007; Lazarus, Lewis, Stock & Watson 2018, whose count of cosines this is). The ratio of the
average's deviation to their root mean square is Student's t with so many degrees of freedom, whatever the correlation
of days, if it fades within a few of them. The weekday is no slow swing and plays no part.
"""

import math

import numpy as np
from numpy.typing import NDArray

WEEK = 7

FEWEST = 3
"""Cosines that must be left, or nothing is known: three weeks of days."""

HARMONICS = 3
"""So many sines and cosines of a yearly cycle are taken out first, where there is a year."""

INDEPENDENT = 0.3
"""A cosine of which less than this part is new beside those before it tells nothing of its own."""


def how_many(days: int, filled: int) -> int:
    """Return how many slow cosines to take of so many days, of which some have rows; 0 if those are too few."""
    count = min(round(0.41 * days ** (2.0 / 3.0)), filled // 2)
    return count if count >= FEWEST else 0


def slow_cosines(days: int, count: int, cycle: float | None = None) -> NDArray[np.float64]:
    """Return orthonormal slow cosines over whole weeks of days, shape (count, days), free of the mean and of cycles.

    Their product with the deviations of days from their mean are the slow swings: each as variable as the root of n
    times a mean of n days.

    :param cycle: the length in days of one beside the week, if it is known.
    """
    at = np.arange(days) + 0.5
    known = [(np.arange(days) % WEEK == weekday).astype(float) for weekday in range(WEEK)]
    if cycle is not None:
        turns = [2.0 * math.pi * number * at / cycle for number in range(1, HARMONICS + 1)]
        known += [wave(turn) for turn in turns for wave in (np.sin, np.cos)]
    tried = min(count + 2 * len(known), days - len(known))
    cosines = [np.cos(math.pi * number * at / days) for number in range(1, tried + 1)]
    basis = np.column_stack([*known, *cosines])
    basis /= np.linalg.norm(basis, axis=0)
    orthogonal, rest = np.linalg.qr(basis)
    new = np.abs(np.diag(rest)) > INDEPENDENT
    new[: len(known)] = False
    slow: NDArray[np.float64] = orthogonal[:, new][:, :count].T
    return slow


def strays(
    swings: NDArray[np.float64], common: NDArray[np.float64], length: float, other: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Return how far the mean of `length` days may stray from that of `other` days, draw by draw, shape (draws, k).

    Each of the k is Student's t in the end. The normal part of a draw is the same for all who are given the same
    `common` numbers, so that columns that swing together stray together; the part that stands for not knowing the
    variance is each caller's own.

    :param common: standard normal, shape (draws, swings).
    """
    draws, count = common.shape
    spread = np.sqrt(random.chisquare(count, size=(draws, 1)))
    return common @ swings / spread * math.sqrt(1.0 / length + 1.0 / other)
