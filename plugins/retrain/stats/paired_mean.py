"""How much larger is the challenger's loss on the same requests? Bounds that hold at every look.

Where both models answered a request its difficulty cancels: fewer labels say as much as two arms do. Variance and
boundary are those of :mod:`retrain.stats.reach`, with one stream of differences in place of two arms.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from retrain.stats.boundary import check_alpha
from retrain.stats.reach import Stretches, Sums, finite, reach


class PairedMean:
    """Confidence sequence for the mean of differences, each side with probability 1 - alpha.

    :param alpha: probability that ``lower`` is ever above the truth; the same for ``upper``.
    :param largest: no difference is larger, whatever its sign.
    :raises ValueError: for alpha outside (0, 0.5), or a largest difference that is none.
    """

    def __init__(self, alpha: float, *, largest: float) -> None:
        self._alpha = check_alpha(alpha)
        if not 0.0 < largest < math.inf:
            raise ValueError(f"the largest difference must be above 0, got {largest!r}")
        self._span = 2.0 * largest
        self._sums, self._stretches = Sums(), Stretches()

    def observe(self, *, differences: ArrayLike, entities: ArrayLike) -> None:
        """Add differences, in order of time, shape (n,), n > 0, and whose they are.

        :raises ValueError: for none, or such as are not finite or too large.
        """
        values = finite(differences) / self._span
        if np.abs(values).max() > 0.5:
            raise ValueError(
                f"differences must lie within {self._span / 2:g}, got {np.abs(values).max() * self._span:g}"
            )
        self._sums.add(values, 1.0, np.asarray(entities))
        self._stretches.add(float(len(values)), float(values.sum()))

    @property
    def difference(self) -> float:
        """The point estimate; nan before there is any."""
        return self._span * self._sums.total / self._sums.weight if self._sums.weight else math.nan

    def bounds(self, alpha: float | None = None) -> tuple[float, float]:
        """Lower and upper bound; infinite before enough is known.

        :param alpha: of each side, where it is another one.
        """
        away = self._span * reach(alpha or self._alpha, [self._sums], self._stretches)
        return (self.difference - away, self.difference + away) if away < math.inf else (-math.inf, math.inf)
