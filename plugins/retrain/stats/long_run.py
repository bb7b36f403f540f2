"""How sure is a statistic of rows, when one day resembles the next and the same entities come back?

*Days.* Leaving out one day at a time (the jackknife, Efron & Tibshirani 1993, chapter 11) gives each day's pull on the
statistic, whatever statistic it is; a little too large, by 1 in T, which few clusters need (CV₃ of MacKinnon, Nielsen &
Webb 2023). Were days independent, the spread of their pulls would do. They are not: weather, a promotion, a broken
sensor last. The long-run variance allows for it. It is estimated by the first few cosines of the series of pulls, the
slowest, and a bound is Student's t with as many degrees of freedom as there are cosines (EWC: Müller 2004; Lazarus,
Lewis, Stock & Watson 2018, whose rule is 0.41 T^⅔ cosines; with pulls as large as these 0.5 T^⅔ hold as well).

*Entities* that come back on other days tie those days together. What they add is the variance by entity beyond that by
entity and day (Cameron, Gelbach & Miller 2011). The two parts are joined as Banerjee 1960 does: the squares of their
bounds add up.

*Several statistics at once*, one a slice, share one factor, so that all bounds hold together. It is found by rotating
the mean and the cosines of all slices by the same rotations (Langsrud 2005), which keeps how slices hang together;
Bonferroni's would be far larger with so few degrees of freedom. One cosine less is used: whoever looks for the worst of
many finds the one whose days are tied most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.special import stdtrit

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

FEWEST_ENTITIES = 10
"""Fewer are no sample of entities to come but all there are; they are judged day by day."""

GROUPS = 100
"""More entities than that are left out by random groups (Wolter 2007, chapter 2): each costs a look at all rows."""

ROTATIONS = 10_000


def cosines(days: int) -> int:
    """How many cosines, and so degrees of freedom, a series of so many days has: 2 of 7, 3 of 14, 5 of 28, 10 of 90."""
    return max(2, round(0.5 * float(days ** (2 / 3))))


@dataclass(frozen=True)
class Clusters:
    """What rows hang together by, and the groups of rows that are left out one after the other.

    :param days: each row's day as a number: 0 for the first, and so on without a gap.
    :param count: how many days there are in all, though these rows may lack some.
    :param entities: each row's entity as a number; None where rows are about nobody in particular.
    """

    days: Codes
    count: int
    entities: Codes | None = None

    def among(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Clusters:
        """The same for some of the rows."""
        return Clusters(self.days[rows], self.count, None if self.entities is None else self.entities[rows])

    @property
    def present(self) -> int:
        """On how many days there are rows."""
        return len(np.unique(self.days))

    def left_out(self, statistic: Callable[[Floats], float]) -> LeftOut:
        """A statistic of row weights on all rows, and without each group of them."""
        without = tuple(_without(statistic, codes, count) for codes, count in self._groups())
        return LeftOut(float(statistic(np.ones(len(self.days)))), without)

    def _groups(self) -> list[tuple[Codes, int]]:
        """The days; and, where entities come back, groups of entities, and as many of their days."""
        groups = [(self.days, self.count)]
        if self.entities is None:
            return groups
        names, entity = np.unique(self.entities, return_inverse=True)
        cells, cell = np.unique(entity * self.count + self.days, return_inverse=True)
        if FEWEST_ENTITIES <= len(names) < len(cells):
            groups += [_at_random(entity, len(names)), _at_random(cell, len(cells))]
        return groups


@dataclass(frozen=True)
class LeftOut:
    """A statistic on all rows, and as it is without each group of them, by kind of group.

    Differences and shares of such statistics of the same rows are again such statistics.
    """

    value: float
    without: tuple[Floats, ...]

    def __rsub__(self, other: float) -> LeftOut:
        return LeftOut(other - self.value, tuple(other - part for part in self.without))

    def __sub__(self, other: LeftOut) -> LeftOut:
        return LeftOut(self.value - other.value, _each(np.subtract, self, other))

    def __truediv__(self, other: LeftOut) -> LeftOut:
        """A share; not a number where what it is a share of is not above zero."""
        value = self.value / other.value if other.value > 0.0 else float("nan")
        return LeftOut(value, _each(lambda mine, all_: np.where(all_ > 0.0, mine / all_, np.nan), self, other))

    @property
    def bounded(self) -> bool:
        """Is it a number whichever group is left out?"""
        return bool(np.isfinite(self.value)) and all(bool(np.isfinite(part).all()) for part in self.without)


def half_widths(statistics: Sequence[LeftOut], confidence: float) -> list[float]:
    """How far below and above its value each statistic is bounded, so that all bounds of one side hold together.

    :param statistics: each :attr:`LeftOut.bounded`, of rows with the same days.
    :param confidence: one-sided, that every bound of one side holds.
    """
    if not statistics:
        return []
    pulls = np.array([_pulls(one.value, one.without[0]) for one in statistics])
    series = dct(pulls, norm="ortho", axis=1)[:, 1:] * np.sqrt(pulls.shape[1])
    freedom = cosines(pulls.shape[1])
    day = _joint(series, freedom if len(series) == 1 else max(2, freedom - 1), confidence)
    entity = [_entities(one, 1.0 - (1.0 - confidence) / len(statistics)) for one in statistics]
    return [float(np.hypot(first, second)) for first, second in zip(day, entity, strict=True)]


def _joint(series: Floats, freedom: int, confidence: float) -> Floats:
    """The bounds by days, from the cosines of each statistic's pulls, shape (statistics, days - 1).

    Were all true values zero, the vector of the estimate and its slow cosines could be turned in any direction without
    being less probable. An estimate that lies ``k`` scales above zero is beyond the bound if a random direction q
    seldom gives as much: if ``q₀ k + max(q · cosines / scale)`` seldom exceeds ``k``.
    """
    slow = series[:, :freedom]
    if len(series) == 1:
        factor = float(stdtrit(freedom, confidence))
        return np.asarray(factor * np.sqrt((slow**2).mean(axis=1)))
    scale = np.sqrt((series**2).mean(axis=1))
    standard = np.divide(slow, scale[:, None], out=np.zeros_like(slow), where=scale[:, None] > 0.0)
    direction = np.random.default_rng(0).normal(size=(ROTATIONS, freedom + 1))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    highest = (direction[:, 1:] @ standard.T).max(axis=1)
    return np.asarray(np.quantile(highest / (1.0 - direction[:, 0]), confidence) * scale)


def _entities(statistic: LeftOut, confidence: float) -> float:
    """The bound by what entities add that come back."""
    if len(statistic.without) == 1:
        return 0.0
    by_entity, by_cell = (_pulls(statistic.value, part) for part in statistic.without[1:])
    added = _variance(by_entity) - _variance(by_cell)
    return float(stdtrit(len(by_entity) - 1, confidence)) * float(np.sqrt(max(0.0, added)))


def _pulls(value: float, without: Floats) -> Floats:
    """What each group adds to the statistic: their sum is about its error."""
    return value - without


def _variance(pulls: Floats) -> float:
    """Of a sum of independent pulls."""
    return float(((pulls - pulls.mean()) ** 2).sum()) * len(pulls) / (len(pulls) - 1)


def _without(statistic: Callable[[Floats], float], codes: Codes, count: int) -> Floats:
    return np.array([statistic((codes != code).astype(np.float64)) for code in range(count)])


def _at_random(codes: Codes, count: int) -> tuple[Codes, int]:
    """At most so many groups, of about as many each, the same in every process."""
    if count <= GROUPS:
        return codes.astype(np.int64), count
    return (np.random.default_rng(0).permutation(count) % GROUPS)[codes], GROUPS


def _each(operation: Callable[[Floats, Floats], Floats], one: LeftOut, other: LeftOut) -> tuple[Floats, ...]:
    with np.errstate(divide="ignore", invalid="ignore"):  # what comes of it is not bounded
        return tuple(operation(mine, theirs) for mine, theirs in zip(one.without, other.without, strict=True))
