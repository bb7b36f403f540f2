"""The two arms of a canary compared by what is known at once: failures and latency.

Each metric asks three things of the same rows, and each may be asked at every look:

* *worse*: does the challenger do worse at all? A bet on the arm (:mod:`retrain.stats.arm_bet`), which assumes nothing
  of the outcomes but that we tossed the coin. It has the metric's part of ``canary.alpha``: all metrics together call a
  challenger that is no worse harmful with at most that probability (Bonferroni).
* *beyond*: is it worse by more than is allowed? A challenger within the margin passes for beyond it with a probability
  of at most BEYOND. Both together are harm.
* *within*: is harm beyond the margin excluded? Each metric has the whole of ``alpha``, because **all** of them must
  exclude harm before anything is promoted, and one that is truly harmful does so with at most this probability
  (intersection-union test; Berger 1982).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from retrain.monitoring.answers import Answers
from retrain.monitoring.blocks import Blocks
from retrain.monitoring.coins import Once
from retrain.monitoring.evidence import ArmComparison
from retrain.spec.canary import Canary, LatencyMetric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BEYOND = 0.1
"""Probability with which a challenger that is worse, but within the margin, may be called beyond it."""


class Errors:
    """Requests without a usable answer."""

    def __init__(self, canary: Canary) -> None:
        from retrain.stats.allowed_rate import AllowedRate
        from retrain.stats.arm_bet import EventBet
        from retrain.stats.mean_difference import MeanDifference

        self._margin, self._weight = canary.errors.margin, canary.weight_of("errors")
        self._worse, self._beyond = EventBet(canary.alpha_of("errors")), AllowedRate(BEYOND)
        self._within = MeanDifference(canary.alpha, bounds=(0.0, 1.0))
        self._blocks, self._failed, self._asked = Blocks(columns=2), Once(), Once()
        self._rows, self._failures = [0, 0], [0, 0]

    def take(self, rows: Answers) -> None:
        """Take up what came."""
        import numpy as np

        broken = np.flatnonzero(rows.failed)
        broken = broken[self._failed.first(rows.name[broken], rows.decision[broken])]
        broken = broken[rows.coin[broken]]
        self._worse.observe(tried=rows.tried[broken], chance=rows.chance[broken])
        own = np.flatnonzero(rows.tried & self._asked.first(rows.name, rows.decision))
        self._beyond.observe(failed=rows.failed[own], allowed=self._allowed(rows)[own])
        for arm in (0, 1):
            self._rows[arm] += int((rows.tried == bool(arm)).sum())
            self._failures[arm] += int((rows.failed & (rows.tried == bool(arm))).sum())
        for champion, challenger in self._blocks.add(
            rows.decision, rows.tried, np.column_stack([rows.failed, rows.whose])
        ):
            self._within.observe(
                champion=champion[:, 0],
                challenger=challenger[:, 0],
                champion_entities=champion[:, 1].astype(np.int64),
                challenger_entities=challenger[:, 1].astype(np.int64),
            )

    def compared(self) -> ArmComparison:
        """What they come to so far."""
        champion, challenger = (f / n if n else None for f, n in zip(self._failures, self._rows, strict=True))
        upper = self._within.upper
        said = (
            f"errors: challenger {self._failures[1]:,} of {self._rows[1]:,}, "
            f"champion {self._failures[0]:,} of {self._rows[0]:,}"
        )
        return comparison(
            "errors",
            said,
            noticed=self._worse.shown,
            beyond=self._beyond.shown,
            within=upper < self._margin,
            champion=champion,
            challenger=challenger,
            rows=self._rows,
            difference=self._within.difference,
            bounds=(self._within.lower, upper),
            margin=self._margin,
            unit="share",
            weight=self._weight,
            bound=f"at most {upper:+.2%}" if math.isfinite(upper) else "too few rows for a bound",
            allowed=f"{self._margin:.2%}",
        )

    def _allowed(self, rows: Answers) -> NDArray[np.float64]:
        """The rate that is allowed at each row: the champion's until then, and the margin."""
        import numpy as np

        asked = self._rows[0] + np.cumsum(~rows.tried)
        failed = self._failures[0] + np.cumsum(~rows.tried & rows.failed)
        return np.minimum((failed + 0.5) / (asked + 1.0) + self._margin, 0.99)


class Latency:
    """How long the answers took: a quantile of each arm."""

    def __init__(self, canary: Canary, wanted: LatencyMetric) -> None:
        from retrain.stats.arm_bet import SizeBet
        from retrain.stats.mean_difference import MeanDifference
        from retrain.stats.milliseconds import Milliseconds

        self._wanted, self._weight = wanted, canary.weight_of("latency")
        self._worse = SizeBet(canary.alpha_of("latency"))
        self._slower = MeanDifference(canary.alpha, bounds=(0.0, 1.0))
        self._blocks, self._once = Blocks(columns=2), Once()
        self._seen = (Milliseconds(), Milliseconds())
        self._warm = 0

    def take(self, rows: Answers) -> None:
        """Take up what came."""
        import numpy as np

        rows = self._warmed(rows)
        rows = rows[np.isfinite(rows.latency_ms) & (rows.latency_ms >= 0.0) & ~rows.failed]
        values = self._comparable(rows)
        first = np.flatnonzero(self._once.first(rows.name, rows.decision) & rows.coin)
        self._worse.observe(
            values=values[first], tried=rows.tried[first], chance=rows.chance[first], strata=rows.decision[first]
        )
        columns = np.column_stack([rows.latency_ms, rows.whose])
        for champion, challenger in self._blocks.add(rows.decision, rows.tried, columns):
            self._compare(champion, challenger)

    def compared(self) -> ArmComparison:
        """What they come to so far. What is bounded is how many answers are slow, so milliseconds have no bounds."""
        wanted = self._wanted
        champion, challenger = (seen.quantile(wanted.quantile) for seen in self._seen)
        leaves_out = f", the first {self._warm:,} left out" if self._warm else ""
        return comparison(
            "latency",
            f"latency: {_ms(challenger)} against {_ms(champion)}{leaves_out}",
            noticed=self._worse.shown,
            beyond=self._slower.lower > 0.0,
            within=self._slower.upper < 0.0,
            champion=champion,
            challenger=challenger,
            rows=[seen.count for seen in self._seen],
            difference=math.nan if champion is None or challenger is None else challenger - champion,
            margin=(wanted.ratio - 1.0) * (champion or 0.0) + wanted.floor,
            unit="ms",
            weight=self._weight,
            allowed=f"{wanted.ratio:g} times + {wanted.floor:g} ms",
        )

    def _warmed(self, rows: Answers) -> Answers:
        """Without what came until the challenger had answered often enough: its first answers are slow by loading.

        The champion's rows of that time are left out too, and whoever was asked then is not bet on: else it would be
        the arm that says which rows count.
        """
        import numpy as np

        lacking = self._wanted.warmup - self._warm
        if lacking <= 0:
            return rows
        cold = np.cumsum(rows.tried) - rows.tried < lacking
        self._warm += int((rows.tried & cold).sum())
        self._once.first(rows.name[cold], rows.decision[cold])
        return rows[~cold]

    def _comparable(self, rows: Answers) -> NDArray[np.float64]:
        """Milliseconds with what is allowed taken off the challenger's: alike in both arms at the margin."""
        import numpy as np

        own = np.maximum(rows.latency_ms - self._wanted.floor, 0.0) / self._wanted.ratio
        return np.where(rows.tried, own, rows.latency_ms)

    def _compare(self, champion: NDArray[np.float64], challenger: NDArray[np.float64]) -> None:
        """Compare how many answers take as long as the champion's quantile of the blocks before."""
        import numpy as np

        line = self._seen[0].at_least(self._wanted.quantile)
        if line is not None:
            self._slower.observe(
                champion=champion[:, 0] >= line,
                challenger=challenger[:, 0] >= self._wanted.ratio * line + self._wanted.floor,
                champion_entities=champion[:, 1].astype(np.int64),
                challenger_entities=challenger[:, 1].astype(np.int64),
            )
        for seen, block in zip(self._seen, (champion, challenger), strict=True):
            seen.add(block[:, 0])


def comparison(
    name: str,
    said: str,
    *,
    noticed: bool,
    beyond: bool,
    within: bool,
    champion: float | None,
    challenger: float | None,
    rows: list[int],
    difference: float,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    margin: float,
    unit: str,
    weight: float,
    bound: str = "",
    allowed: str,
    required: bool = True,
) -> ArmComparison:
    """One metric's judgement, with its words."""
    if within:
        judged = f"harm beyond {allowed} is excluded"
    elif noticed and beyond:
        judged = f"shown to be worse by more than {allowed}"
    elif noticed:
        judged = f"shown to be worse; harm beyond {allowed} is neither shown nor excluded"
    else:
        judged = f"harm beyond {allowed} is not excluded"
    return ArmComparison(
        name=name,
        worse=noticed and beyond,
        noticed=noticed,
        within=within,
        required=required,
        champion=champion,
        challenger=challenger,
        champion_rows=rows[0],
        challenger_rows=rows[1],
        difference=_known(difference),
        lower=_known(bounds[0]),
        upper=_known(bounds[1]),
        margin=margin,
        unit=unit,
        weight=weight,
        summary=f"{said} ({'; '.join(part for part in (bound, judged) if part)})",
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ms(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.3g} ms"
