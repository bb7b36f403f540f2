"""What the unheard answers of a challenger say of it, beside the champion's answers to the same requests.

Both answer one request, so there is no coin: where exactly one of them fails, it is the challenger with probability one
half at most if it fails no more often. One such request of each entity counts.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from retrain.monitoring.answers import Answers
from retrain.monitoring.arms import BEYOND, comparison
from retrain.monitoring.evidence import ArmComparison, LiveEvidence
from retrain.monitoring.paired_loss import PairedLoss
from retrain.spec.canary import Canary

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

EITHER = 0.5


class Shadowing:
    """Folds the rows of a shadow as they come."""

    def __init__(self, canary: Canary) -> None:
        from retrain.stats.allowed_rate import AllowedRate
        from retrain.stats.arm_bet import EventBet

        self._margin = canary.errors.margin
        self._worse, self._beyond = EventBet(canary.alpha_of("shadow")), AllowedRate(BEYOND)
        self._met, self._parted = set[int](), set[int]()
        self._pairs, self._failures = 0, [0, 0]
        self._champion, self._asked = 0, Counter[int]()

    def take(self, rows: pd.DataFrame, pairs: Answers, failed: NDArray[np.bool_]) -> None:
        """Take up what came.

        :param rows: of the log, of the arms champion and shadow.
        :param pairs: the requests that both have answered, or failed on, by now.
        :param failed: which of the two did, shape (pairs, 2).
        """
        unheard = rows["arm"] == "shadow"
        self._champion += int((~unheard).sum())
        self._asked.update(rows.loc[unheard, "release"].tolist())
        for name, (champion, challenger) in zip(pairs.name.tolist(), failed.tolist(), strict=True):
            self._compare(name, champion, challenger)

    def compared(self) -> ArmComparison:
        """What failures come to so far; they need not be excluded before there is a canary."""
        champion, challenger = self._failures
        return comparison(
            "errors",
            f"errors: challenger {challenger:,}, champion {champion:,} of the same {self._pairs:,}",
            noticed=self._worse.shown,
            beyond=self._beyond.shown,
            within=False,
            champion=champion / self._pairs if self._pairs else None,
            challenger=challenger / self._pairs if self._pairs else None,
            rows=[self._pairs, self._pairs],
            upper=math.inf,
            margin=self._margin,
            bound="",
            allowed=f"{self._margin:.2%}",
            required=False,
        )

    def evidence(self, paired: PairedLoss | None) -> LiveEvidence:
        """What it comes to so far, with the losses where those of the shadow count."""
        losses = [] if paired is None else [paired.compared(required=False)]
        return LiveEvidence(
            champion=self._champion,
            challenger=self._asked.total(),
            asked=dict(self._asked),
            labels=0 if paired is None else paired.waiting.known,
            metrics=(self.compared(), *losses),
        )

    def _compare(self, name: int, champion: bool, challenger: bool) -> None:
        """Take up two answers to one request: whether each failed."""
        rate = (self._failures[0] + 0.5) / (self._pairs + 1.0)
        if name not in self._met:
            self._met.add(name)
            self._beyond.observe(failed=[challenger], allowed=[min(rate + self._margin, 0.99)])
        if champion != challenger and name not in self._parted:
            self._parted.add(name)
            self._worse.observe(tried=[challenger], chance=[EITHER])
        self._pairs += 1
        self._failures[0] += champion
        self._failures[1] += challenger
