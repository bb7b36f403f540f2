"""How much larger is the challenger's mean? Bounds that hold at every look, also where rows hang together.

Arms are compared inside blocks of requests with Mantel-Haenszel weights n_A n_B / (n_A + n_B) (Greenland & Robins
1985): what is bounded is the difference at equal times, averaged over the canary, so neither a changing share nor a
busy hour that strikes both arms biases it. How far it may be off: :mod:`retrain.stats.reach`.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrain.stats.boundary import check_alpha
from retrain.stats.reach import Stretches, Sums, finite, reach


class MeanDifference:
    """Confidence sequence for mean(challenger) - mean(champion), each side with probability 1 - alpha.

    ``lower`` and ``upper`` are those of this moment, not the best so far: a challenger that turns bad late must not
    keep its early bound.

    :param alpha: probability that ``lower`` is ever above the truth; the same for ``upper``.
    :param bounds: the least and largest possible value.
    :raises ValueError: for alpha outside (0, 0.5) or bad bounds.
    """

    def __init__(self, alpha: float, *, bounds: tuple[float, float]) -> None:
        self._alpha = check_alpha(alpha)
        if not -math.inf < bounds[0] < bounds[1] < math.inf:
            raise ValueError(f"bounds must be finite and increasing, got {bounds!r}")
        self._bounds, self._span = bounds, bounds[1] - bounds[0]
        self._champion, self._challenger = Sums(), Sums()
        self._stretches = Stretches()

    def observe(
        self,
        *,
        champion: ArrayLike,
        challenger: ArrayLike,
        champion_entities: ArrayLike,
        challenger_entities: ArrayLike,
    ) -> None:
        """Add a block, in order of time: values of each arm, shapes (n,) and (m,), neither empty, and whose they are.

        :param champion_entities: integers; whoever has the same is one entity.
        :raises ValueError: for an empty arm, values that are not finite or outside the bounds.
        """
        a, b = self._scaled(champion), self._scaled(challenger)
        rows = len(a) + len(b)
        self._champion.add(a, len(b) / rows, np.asarray(champion_entities))
        self._challenger.add(b, len(a) / rows, np.asarray(challenger_entities))
        self._stretches.add(len(a) * len(b) / rows, (b.sum() * len(a) - a.sum() * len(b)) / rows)

    @property
    def difference(self) -> float:
        """The point estimate; nan before there is a block."""
        weight = self._challenger.weight
        return self._span * (self._challenger.total - self._champion.total) / weight if weight else math.nan

    @property
    def lower(self) -> float:
        """Lower bound; -inf before enough is known."""
        reach = self._reach()
        return self.difference - reach if reach < math.inf else -math.inf

    @property
    def upper(self) -> float:
        """Upper bound; inf before enough is known."""
        reach = self._reach()
        return self.difference + reach if reach < math.inf else math.inf

    def _scaled(self, values: ArrayLike) -> NDArray[np.float64]:
        array = finite(values)
        low, high = self._bounds
        if array.min() < low or array.max() > high:
            raise ValueError(f"values must lie in [{low}, {high}], got {array.min()} to {array.max()}")
        scaled: NDArray[np.float64] = (array - low) / self._span
        return scaled

    def _reach(self) -> float:
        return self._span * reach(self._alpha, (self._champion, self._challenger), self._stretches)
