"""Losses that have no bound of their own, capped: what lies beyond is counted, shown, and excluded apart.

The mean of squared errors hangs on the rare gross ones, which a few hundred answers may lack; no bound on it can be
believed. So the mean that is compared is that of errors up to a cap, and of those beyond it how many there are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEARNT_FROM = 200
"""Losses of the champion that the cap is learnt from."""

QUANTILE, TIMES = 0.99, 4.0
"""It lies at so many times this quantile of theirs."""


class Cap:
    """The largest loss that counts as it is.

    :param squared: are losses squared errors? Else they are at most 1.
    :ivar at: the cap; None until enough of the champion's losses are known.
    """

    def __init__(self, *, squared: bool) -> None:
        self.at = None if squared else 1.0
        self._squared = squared
        self._beyond = [0, 0]

    def learn(self, champion: NDArray[np.float64]) -> None:
        """Look at all losses of the champion so far; the first that are enough decide."""
        import numpy as np

        if self.at is None and len(champion) >= LEARNT_FROM:
            self.at = TIMES * float(np.quantile(champion, QUANTILE)) or 1.0

    def capped(self, model: int, loss: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Losses with the cap for what lies beyond it, and which do; counted.

        :param model: 0 for the champion's, 1 for the challenger's.
        """
        import numpy as np

        assert self.at is not None
        beyond = loss > self.at
        self._beyond[model] += int(beyond.sum())
        return np.minimum(loss, self.at), beyond

    def line(self, upper: float, rare: float) -> str:
        """What was capped, in words; nothing of losses that are bounded by themselves.

        :param upper: how many more of the challenger's may be, at most, as a share. :param rare: … and are allowed.
        """
        if not self._squared or self.at is None:
            return ""
        champion, challenger = self._beyond
        excluded = f"more than {rare:.2%} of them {'is' if upper < rare else 'is not'} excluded"
        whose = f"{challenger:,} of the challenger, {champion:,} of the champion"
        return f", errors capped at {math.sqrt(self.at):.4g}: {whose}; {excluded}"
