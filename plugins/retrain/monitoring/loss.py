"""The two arms of a canary compared by how wrong their answers turned out, as far as labels are known.

*Worse* and *beyond* are bets on the arm, in the order in which labels come: when they come, and why, does not matter to
them. *Within* bounds the difference of means among answers that have ripened, in the order in which they were asked.
See :mod:`retrain.monitoring.arms` for the three, :mod:`retrain.monitoring.ripening` for what is ripe.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from retrain.metrics.task import Task
from retrain.monitoring.answers import Answers
from retrain.monitoring.arms import BEYOND, comparison
from retrain.monitoring.blocks import Blocks
from retrain.monitoring.cap import Cap
from retrain.monitoring.coins import Once
from retrain.monitoring.evidence import ArmComparison
from retrain.spec.canary import Canary, LossMetric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from retrain.stats.mean_difference import MeanDifference


class Loss:
    """How wrong the answers were."""

    def __init__(self, canary: Canary, wanted: LossMetric, task: Task) -> None:
        from retrain.stats.arm_bet import SizeBet
        from retrain.stats.mean_difference import MeanDifference

        self._canary, self._wanted, self._squared = canary, wanted, task == "regression"
        self._worse, self._beyond = SizeBet(canary.alpha_of("loss")), SizeBet(BEYOND)
        self._once, self._known = Once(), _Means()
        self._blocks, self._ripe = Blocks(columns=2), _Means()
        self._cap = Cap(squared=self._squared)
        self._waiting: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []  # blocks, until there is a cap
        self._within: MeanDifference | None = None
        self._gross = MeanDifference(canary.alpha, bounds=(0.0, 1.0))

    def know(self, rows: Answers, loss: NDArray[np.float64]) -> None:
        """Take up losses whose labels have come, in the order in which they came."""
        import numpy as np

        first = np.flatnonzero(self._once.first(rows.name, rows.decision) & rows.coin)
        margins = self._known.margins(self._wanted, loss, rows.tried, squared=self._squared)[first]
        tried, chance, strata, values = rows.tried[first], rows.chance[first], rows.decision[first], loss[first]
        self._worse.observe(values=values, tried=tried, chance=chance, strata=strata)
        self._beyond.observe(values=values - margins * tried, tried=tried, chance=chance, strata=strata)
        self._known.add(loss, rows.tried)

    def ripen(self, rows: Answers, loss: NDArray[np.float64]) -> None:
        """Take up labelled answers that have ripened, in the order in which they were asked."""
        import numpy as np

        self._ripe.add(loss, rows.tried)
        columns = np.column_stack([loss, rows.whose])
        self._waiting += self._blocks.add(rows.decision, rows.tried, columns)
        if self._waiting:
            self._cap.learn(np.concatenate([champion[:, 0] for champion, _ in self._waiting]))
        if self._cap.at is not None:
            self._compare(self._cap.at)

    def compared(self) -> ArmComparison:
        """What they come to so far."""
        shown = self._ripe if self._ripe.count[1] else self._known
        champion, challenger = shown.mean(0), shown.mean(1)
        own, theirs = (in_words(mean, squared=self._squared) for mean in (challenger, champion))
        margin = self._ripe.margin(self._wanted, squared=self._squared)
        difference, lower, upper = math.nan, -math.inf, math.inf
        if self._within is not None:
            difference, lower, upper = self._within.difference, self._within.lower, self._within.upper
        bound = "too few labels for a bound"
        if math.isfinite(upper):
            capped = self._cap.line(self._gross.upper, self._wanted.rare)
            bound = f"at most {rooted(upper, champion, squared=self._squared):+.4g}{capped}"
        return comparison(
            "loss",
            f"{'rmse' if self._squared else 'loss'}: {own} on {self._known.count[1]:,} labels, champion {theirs} on "
            f"{self._known.count[0]:,}, {sum(self._ripe.count):,} ripe",
            noticed=self._worse.shown,
            beyond=self._beyond.shown,
            within=upper < margin and (not self._squared or self._gross.upper < self._wanted.rare),
            **shown_as(champion, challenger, difference, (lower, upper), margin, squared=self._squared),
            rows=self._known.count,
            weight=self._canary.weight_of("loss"),
            bound=bound,
            allowed=f"{rooted(margin, champion, squared=self._squared):.4g}" if margin else "the margin",
            required=self._wanted.required,
        )

    def _compare(self, cap: float) -> None:
        """Compare the blocks that wait."""
        import numpy as np

        from retrain.stats.mean_difference import MeanDifference

        if self._within is None:
            self._within = MeanDifference(self._canary.alpha, bounds=(0.0, cap))
        for champion, challenger in self._waiting:
            (theirs, gross), (own, own_gross) = (
                self._cap.capped(arm, block[:, 0]) for arm, block in enumerate((champion, challenger))
            )
            whose = {
                "champion_entities": champion[:, 1].astype(np.int64),
                "challenger_entities": challenger[:, 1].astype(np.int64),
            }
            self._within.observe(champion=theirs, challenger=own, **whose)
            self._gross.observe(champion=gross, challenger=own_gross, **whose)
        self._waiting = []


class _Means:
    """Count and sum of each arm's losses, and the margin they give."""

    def __init__(self) -> None:
        self.count = [0, 0]
        self._sum = [0.0, 0.0]

    def add(self, loss: NDArray[np.float64], tried: NDArray[np.bool_]) -> None:
        """Add losses of both arms."""
        for arm in (0, 1):
            self.count[arm] += int((tried == bool(arm)).sum())
            self._sum[arm] += float(loss[tried == bool(arm)].sum())

    def mean(self, arm: int) -> float | None:
        """Of one arm; None without losses."""
        return self._sum[arm] / self.count[arm] if self.count[arm] else None

    def margin(self, wanted: LossMetric, *, squared: bool) -> float:
        """How much more loss is allowed, as far as the champion's is known; 0 before."""
        mean = self.mean(0)
        return 0.0 if mean is None else float(allowed(wanted, mean, squared=squared))

    def margins(
        self, wanted: LossMetric, loss: NDArray[np.float64], tried: NDArray[np.bool_], *, squared: bool
    ) -> NDArray[np.float64]:
        """The same as it stood when each of the next losses came."""
        import numpy as np

        own = np.where(tried, 0.0, loss)
        sums, counts = self._sum[0] + np.cumsum(own) - own, self.count[0] + np.cumsum(~tried) - ~tried
        margins: NDArray[np.float64] = allowed(wanted, sums / np.maximum(counts, 1), squared=squared)
        return margins


def allowed(wanted: LossMetric, mean: NDArray[np.float64] | float, *, squared: bool) -> NDArray[np.float64]:
    """What is allowed beyond the champion's mean loss: the smaller where a share and an amount are given.

    Of squared errors both are of the root.
    """
    import numpy as np

    base = np.sqrt(mean) if squared else np.asarray(mean)
    given = [] if wanted.margin is None else [np.full_like(base, wanted.margin)]
    given += [] if wanted.share is None else [wanted.share * base]
    allowed = np.minimum.reduce(given)
    result: NDArray[np.float64] = (base + allowed) ** 2 - base**2 if squared else allowed
    return result


def rooted(difference: float, champion: float | None, *, squared: bool) -> float:
    """A difference of mean losses in the unit that is shown: of squared errors, by how much their root is more."""
    if not squared or champion is None or not math.isfinite(difference):
        return difference
    return math.sqrt(max(champion + difference, 0.0)) - math.sqrt(champion)


def shown_as(
    champion: float | None,
    challenger: float | None,
    difference: float,
    bounds: tuple[float, float],
    margin: float,
    *,
    squared: bool,
) -> Any:
    """Mean losses and what is between them in the unit that is shown, as :func:`comparison` takes them."""
    between = [rooted(one, champion, squared=squared) for one in (difference, *bounds, margin)]
    means = [math.sqrt(mean) if squared and mean is not None else mean for mean in (champion, challenger)]
    return {
        "champion": means[0],
        "challenger": means[1],
        "difference": between[0],
        "bounds": (between[1], between[2]),
        "margin": between[3],
        "unit": "rmse" if squared else "brier",
    }


def in_words(mean: float | None, *, squared: bool) -> str:
    """A mean loss in the unit that is shown."""
    return "none" if mean is None else f"{math.sqrt(mean) if squared else mean:.4g}"
