"""How much worse one score is than another, whichever way its metric points."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from retrain.artifacts import Score


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

    def evidence(self) -> dict[str, float]:
        """Its numbers, for a gate's evidence."""
        return {"harm": self.point, "harm_lower": self.least, "harm_upper": self.most}


def missing(score: Score | None, metric: str) -> str:
    """Why there is no :class:`Harm`: what a failing gate says."""
    if score is None:
        return f"there is no {metric} on the held-out rows"
    who = [name for name in ("challenger", "champion") if getattr(score, name) is None]
    if who:
        return f"the {metric} of the {' and of the '.join(who)} cannot be computed"
    return f"the bounds of the {metric} cannot be computed on {score.rows:,} rows"
