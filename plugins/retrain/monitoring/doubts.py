"""What makes the evidence itself doubtful: reasons to hold a release, whatever its metrics say.

* the challenger gets more or fewer entities than its share (a router that errs, a log that loses rows, a crash loop);
* an entity changed arms without a decision;
* labels come for one arm's answers more often than for the other's;
* labels come after the answers had ripened: `source.label_delay` is too short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.monitoring.answers import Answers
from retrain.monitoring.coins import Coins, Once
from retrain.monitoring.ripening import Waiting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SURE = 0.001
"""Probability with which each is ever doubted though nothing is wrong."""

LATE = 0.02
"""A larger share of labels than this may not come late."""

STRAYED = 0.01
"""A larger share of entities than this may not have changed arms."""


class Doubts:
    """Watches the coin, and the coverage by labels."""

    def __init__(self) -> None:
        from retrain.stats.arm_bet import SHARE_RATIOS, EventBet

        self._asked, self._labelled, self._unlabelled = (EventBet(SURE, SHARE_RATIOS) for _ in range(3))
        self._once = [Once() for _ in range(3)]
        self._got, self._due, self._names = 0, 0.0, 0
        self._covered, self._ripe = [0, 0], [0, 0]

    def take(self, rows: Answers) -> None:
        """Take up what was asked."""
        import numpy as np

        first = np.flatnonzero(self._once[0].first(rows.name, rows.decision) & rows.coin)
        self._asked.observe(tried=rows.tried[first], chance=rows.chance[first])
        self._got += int(rows.tried[first].sum())
        self._due += float(rows.chance[first].sum())
        self._names += len(first)

    def ripen(self, rows: Answers, loss: NDArray[np.float64]) -> None:
        """Take up answers that have ripened; NaN: without a label."""
        import numpy as np

        for bet, once, which in zip(
            (self._labelled, self._unlabelled), self._once[1:], (~np.isnan(loss), np.isnan(loss)), strict=True
        ):
            mine = np.flatnonzero(which)
            mine = mine[once.first(rows.name[mine], rows.decision[mine])]
            mine = mine[rows.coin[mine]]
            bet.observe(tried=rows.tried[mine], chance=rows.chance[mine])
        for arm in (0, 1):
            self._ripe[arm] += int((rows.tried == bool(arm)).sum())
            self._covered[arm] += int(((rows.tried == bool(arm)) & ~np.isnan(loss)).sum())

    def found(self, coins: Coins, waiting: Waiting | None) -> tuple[str, ...]:
        """What is doubtful, and what to do about it."""
        found = []
        if self._asked.shown:
            found.append(
                f"the challenger got {self._got:,} entities where its share is {self._due:,.0f} of {self._names:,}: "
                "see whether all gateways route by the same release and ship their logs"
            )
        if coins.broken > max(5, STRAYED * self._names):
            found.append(
                f"{coins.broken:,} entities changed arms without a decision: see whether all gateways know the "
                "pipeline's `source.entity`"
            )
        if self._labelled.shown or self._unlabelled.shown:
            champion, challenger = (c / max(r, 1) for c, r in zip(self._covered, self._ripe, strict=True))
            found.append(
                f"labels come for {challenger:.1%} of the challenger's answers and {champion:.1%} of the champion's: "
                "their losses cannot be compared; see what decides who gets a label"
            )
        if waiting is not None and waiting.late > LATE * (waiting.late + waiting.known):
            found.append(
                f"{waiting.late:,} of {waiting.late + waiting.known:,} labels came for answers older than "
                f"{waiting.delay}: set `source.label_delay` to the time after which labels are complete"
            )
        return tuple(found)
