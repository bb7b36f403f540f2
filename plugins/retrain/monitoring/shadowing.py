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

        self._margin, self._weight = canary.errors.margin, canary.weight_of("shadow")
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
        self._compare(pairs.name, failed[:, 0], failed[:, 1])

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
            difference=(challenger - champion) / self._pairs if self._pairs else math.nan,
            margin=self._margin,
            unit="share",
            weight=self._weight,
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
            waiting_labels=None if paired is None else paired.waiting.unripe,
            metrics=(self.compared(), *losses),
        )

    def _compare(self, names: NDArray[np.int64], champion: NDArray[np.bool_], challenger: NDArray[np.bool_]) -> None:
        """Take up two answers to each of some requests: whether each failed."""
        import numpy as np

        before = self._failures[0] + np.cumsum(champion) - champion, self._pairs + np.arange(len(names))
        allowed = np.minimum((before[0] + 0.5) / (before[1] + 1.0) + self._margin, 0.99)
        met = _first(names, self._met)
        self._beyond.observe(failed=challenger[met], allowed=allowed[met])
        apart = np.flatnonzero(champion != challenger)
        apart = apart[_first(names[apart], self._parted)]
        self._worse.observe(tried=challenger[apart], chance=np.full(len(apart), EITHER))
        self._pairs += len(names)
        self._failures[0] += int(champion.sum())
        self._failures[1] += int(challenger.sum())


def _first(names: NDArray[np.int64], met: set[int]) -> NDArray[np.int64]:
    """The first row of each name that was not met before; now they are."""
    import numpy as np

    _, first = np.unique(names, return_index=True)
    first = np.array([row for row in np.sort(first).tolist() if int(names[row]) not in met], dtype=np.int64)
    met.update(names[first].tolist())
    return first
