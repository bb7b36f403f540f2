"""How far a champion has fallen from what it was blessed at.

Whoever compares only two models does not see what befalls both. The champion's score on today's holdout is therefore
compared with its score on the holdout by which it was blessed. How hard the rows are differs from month to month, so
both are taken as shares of what the best constant loses on the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, isfinite

from retrain.artifacts import Score, Scorecard
from retrain.metrics.harm import loss


@dataclass(frozen=True)
class Fall:
    """How far the champion has fallen, in shares of what the best constant loses.

    :param before: what it lost when it was blessed. :param now: what it loses now.
    :param least: the growth's lower bound. :param regained: what the challenger loses less now, its lower bound.
    :param beyond: by how much the challenger is better now than the champion was then, its lower bound.
    """

    before: float
    now: float
    least: float
    regained: float
    beyond: float

    @classmethod
    def between(cls, then: Score, now: Score | None) -> Fall | None:
        """None if a number is missing. The two holdouts are of different days: the squares of their bounds add up."""
        if now is None:
            return None
        needed = (
            *(then.challenger, then.challenger_lower, then.challenger_upper),
            *(now.champion, now.champion_lower, now.challenger, now.challenger_upper, now.difference_upper),
        )
        known = [number for number in needed if number is not None and isfinite(number)]
        if len(known) < len(needed):
            return None
        before, before_lower, before_upper, today, today_lower, other, other_upper, difference_upper = known
        least = today - before - hypot(today - today_lower, before_upper - before)
        beyond = before - other - hypot(other_upper - other, before - before_lower)
        return cls(before, today, least, -difference_upper, beyond)


def at_blessing(past: Scorecard | None, metric: str) -> Score | None:
    """The share that the champion lost then; of a scorecard of before, beside the training rows' constant.

    None if there is none: of another metric, or of one by which the constant loses nothing.
    """
    if past is None:
        return None
    if past.share is not None:
        return past.share if past.share.metric == metric and past.share.challenger is not None else None
    score, constant = past.score(metric), past.baselines.get("majority") or past.baselines.get("mean")
    if score is None or constant is None or constant.metric != metric or loss(constant) <= 0.0:
        return None
    ends = (score.challenger, score.challenger_lower, score.challenger_upper)
    lost = [None if end is None else (end if score.better == "lower" else 1.0 - end) / loss(constant) for end in ends]
    point, low, high = lost if score.better == "lower" else (lost[0], lost[2], lost[1])
    return Score(
        metric=metric, better="lower", rows=score.rows, challenger=point, challenger_lower=low, challenger_upper=high
    )
