"""How much worse one score is than another, whichever way its metric points, and how much worse it may be."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite

from retrain.artifacts import Score

OF_A_SLICE = 0.15
"""How much worse a slice may be where no margin is given, as a share of the champion's loss."""

FAR = 10
"""A holdout that many times as long is no advice."""


@dataclass(frozen=True)
class Harm:
    """By how much the challenger is worse, in units of the metric; below zero it is better.

    :param point: the estimate. :param least: its lower bound. :param most: its upper bound.
    """

    point: float
    least: float
    most: float

    @classmethod
    def of(cls, score: Score) -> Harm | None:
        """The harm a score shows; None if the score lacks a number it needs."""
        numbers = (score.difference, score.difference_lower, score.difference_upper, score.challenger, score.champion)
        known = [number for number in numbers if number is not None and isfinite(number)]
        if len(known) < len(numbers):
            return None
        point, least, most = known[:3]
        return cls(point, least, most) if score.better == "lower" else cls(-point, -most, -least)

    @classmethod
    def relative(cls, score: Score) -> Harm | None:
        """The same by the ratio of the losses; by their difference where the champion's is not above zero."""
        harm, numbers = cls.of(score), (score.ratio, score.ratio_lower, score.ratio_upper)
        if harm is None or loss(score) <= 0.0:
            return harm
        known = [number for number in numbers if number is not None and isfinite(number)]
        return cls(*((ratio - 1.0) * loss(score) for ratio in known)) if len(known) == len(numbers) else None

    def evidence(self) -> dict[str, float]:
        """Its numbers, for a gate's evidence."""
        return {"harm": self.point, "harm_lower": self.least, "harm_upper": self.most}

    def days_wanted(self, margin: float, days: int) -> str:
        """How many held-out days would tell on which side of a margin it lies, if it stays as it was measured.

        A bound narrows with the square root of the days.
        """
        half, distance = (self.most - self.least) / 2, abs(self.point - margin)
        if not distance or half / distance > FAR**0.5:
            return f"it is too near to be told apart by {FAR} times the {days} days held out"
        wanted = max(days + 1, ceil(days * (half / distance) ** 2))
        return f"about {wanted} days of `train.holdout` would tell, {days} were held out"


@dataclass(frozen=True)
class Margin:
    """How much worse a score may be, and how much worse it is as far as that margin is concerned.

    :param width: in units of the metric. :param said: the same in words, with the share of the champion's loss it is.
    """

    width: float
    said: str
    harm: Harm

    @classmethod
    def of(cls, score: Score, absolute: float | None, relative: float | None, default: float) -> list[Margin]:
        """Those that are given: in units of the metric, and as a share of the champion's loss. None without bounds.

        :param default: the share where neither is given.
        """
        share = default if absolute is None and relative is None else relative
        by_difference, by_ratio, given = Harm.of(score), Harm.relative(score), []
        if absolute is not None and by_difference is not None:
            given.append(cls(absolute, f"{absolute:.4g}", by_difference))
        if share is not None and by_ratio is not None:
            width = share * abs(loss(score))
            given.append(cls(width, f"{width:.4g} ({100 * share:.3g} % of the champion's loss)", by_ratio))
        return given if len(given) == (absolute is not None) + (share is not None) else []


def loss(score: Score) -> float:
    """What the champion's score lacks: the score itself, or 1 − score where more is better."""
    champion = score.champion or 0.0
    return champion if score.better == "lower" else 1.0 - champion


def missing(score: Score | None, metric: str) -> str:
    """Why there is no :class:`Harm`: what a failing gate says."""
    if score is None:
        return f"there is no {metric} on the held-out rows"
    who = [name for name in ("challenger", "champion") if getattr(score, name) is None]
    if who:
        return f"the {metric} of the {' and of the '.join(who)} cannot be computed"
    return f"the bounds of the {metric} cannot be computed on {score.rows:,} rows"
