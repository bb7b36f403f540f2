"""A contest: the answers of two models to the same held-out rows, and how surely one is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, TypedDict

from retrain.artifacts import Score
from retrain.artifacts.scorecard import FEWEST_DAYS
from retrain.metrics.base import Better, Metric, Statistic
from retrain.modelling.level import levelled

if TYPE_CHECKING:
    import numpy as np

    from retrain.stats.long_run import Clusters, LeftOut


class Beside(TypedDict):
    """What a scorecard says of the baselines; see :class:`~retrain.artifacts.Scorecard`."""

    baselines: dict[str, Score]
    levelled: dict[str, Score]
    share: Score


@dataclass(frozen=True)
class Contest:
    """Answers to the same held-out rows.

    :param champion: None without a champion.
    :param clusters: what the rows hang together by.
    """

    target: np.ndarray
    challenger: np.ndarray
    champion: np.ndarray | None
    clusters: Clusters

    def among(self, rows: np.ndarray) -> Contest:
        """The same contest on some rows."""
        champion = None if self.champion is None else self.champion[rows]
        return Contest(self.target[rows], self.challenger[rows], champion, self.clusters.among(rows))

    def against(self, challenger: np.ndarray, champion: np.ndarray) -> Contest:
        """The same rows with the answers of others."""
        return Contest(self.target, challenger, champion, self.clusters)


def score(metric: Metric, contest: Contest, confidence: float) -> Score:
    """One metric of the challenger, the champion, and their difference, each with one-sided bounds."""
    return scores(metric, [contest], confidence)[0]


def scores(metric: Metric, contests: Sequence[Contest], confidence: float) -> list[Score]:
    """The same of several parts of one holdout; all bounds of one side hold together."""
    mine = [_left_out(metric.of(one.target, one.challenger), one) for one in contests]
    theirs = [None if one.champion is None else _left_out(metric.of(one.target, one.champion), one) for one in contests]
    return _scored(metric.name, metric.better, contests, mine, theirs, confidence)


def share(metric: Metric, contest: Contest, constant: np.ndarray, confidence: float) -> Score:
    """The loss of challenger and champion as a share of what a constant answer loses on the same rows.

    How hard the rows are, by their base rate for one, is in both and falls out.
    """

    def loss(answers: np.ndarray) -> LeftOut:
        return _loss(_left_out(metric.of(contest.target, answers), contest), metric.better)

    least = loss(constant)
    theirs = None if contest.champion is None else loss(contest.champion) / least
    return _scored(metric.name, "lower", [contest], [loss(contest.challenger) / least], [theirs], confidence)[0]


def beside(metric: Metric, contest: Contest, baselines: dict[str, np.ndarray], confidence: float) -> Beside:
    """The challenger beside each baseline: as they stand, and on the level of the labels; and its share of the loss.

    :param baselines: answers by name, the constant's first.
    """
    level = {name: levelled(metric, contest.target, answers) for name, answers in baselines.items()}
    mine, least = levelled(metric, contest.target, contest.challenger), next(iter(level.values()))
    return {
        "baselines": {
            name: score(metric, contest.against(contest.challenger, answers), confidence)
            for name, answers in baselines.items()
        },
        "levelled": {
            name: score(metric, contest.against(mine, answers), confidence) for name, answers in level.items()
        },
        "share": share(metric, contest, least, confidence),
    }


def _left_out(statistic: Statistic, contest: Contest) -> LeftOut:
    return contest.clusters.left_out(statistic)


def _loss(statistic: LeftOut, better: Better) -> LeftOut:
    return 1.0 - statistic if better == "higher" else statistic


def _scored(
    name: str,
    better: Better,
    contests: Sequence[Contest],
    mine: Sequence[LeftOut],
    theirs: Sequence[LeftOut | None],
    confidence: float,
) -> list[Score]:
    pairs = list(zip(mine, theirs, strict=True))
    parts: dict[str, Sequence[LeftOut | None]] = {
        "challenger": mine,
        "champion": theirs,
        "difference": [None if other is None else one - other for one, other in pairs],
        "ratio": [None if other is None else _loss(one, better) / _loss(other, better) for one, other in pairs],
    }
    found = {name: _bounds(part, contests, confidence) for name, part in parts.items()}
    return [
        Score(
            metric=name,
            better=better,
            rows=len(one.target),
            **{f"{part}{side}": value for part, all_ in found.items() for side, value in all_[position].items()},
        )
        for position, one in enumerate(contests)
    ]


def _bounds(
    statistics: Sequence[LeftOut | None], contests: Sequence[Contest], confidence: float
) -> list[dict[str, float | None]]:
    """Each statistic with its bounds; None for what cannot be computed, or not bounded."""
    from retrain.stats.long_run import half_widths

    bounded = {
        position: statistic
        for position, (statistic, one) in enumerate(zip(statistics, contests, strict=True))
        if statistic is not None and statistic.bounded and one.clusters.present >= FEWEST_DAYS
    }
    widths = dict(zip(bounded, half_widths(list(bounded.values()), confidence), strict=True))
    found: list[dict[str, float | None]] = []
    for position, statistic in enumerate(statistics):
        value = None if statistic is None or not isfinite(statistic.value) else statistic.value
        width = None if value is None else widths.get(position)
        sides = {"_lower": -1.0, "_upper": 1.0}
        ends = {side: None if value is None or width is None else value + sign * width for side, sign in sides.items()}
        found.append({"": value, **ends})
    return found
