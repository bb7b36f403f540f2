"""Is the challenger slower? Anytime-valid bounds for one latency quantile of each arm, and their ratio."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrain.stats.boundary import check_alpha, gamma_exponential_mixture, mixture_precision
from retrain.stats.pairing import Pairing, arm_weights

SHORTEST_MS = 1e-3
LONGEST_MS = 1e7
RESOLUTION = 0.005
EDGES: NDArray[np.float64] = np.geomspace(
    SHORTEST_MS, LONGEST_MS, 1 + math.ceil(math.log(LONGEST_MS / SHORTEST_MS) / math.log1p(RESOLUTION))
)
"""Upper edges of the bins, ms: a bin is 0.5% wide, and all of them take 37 kB an arm."""

TIGHTEST_AT = 50.0


class _Arm:
    """The weighted latencies of one arm as a histogram, and bounds for their quantile."""

    def __init__(self, quantile: float, alpha: float) -> None:
        self._quantile = quantile
        self._alpha = alpha
        self._rho = mixture_precision(TIGHTEST_AT * 4.0 * quantile * (1.0 - quantile), alpha)
        self._bins = np.zeros(len(EDGES) + 1)
        self._weight = 0.0
        self._squared_weight = 0.0
        self.value = math.nan
        self.interval = (0.0, math.inf)

    def add(self, latencies: NDArray[np.float64], weight: float) -> None:
        bins = np.searchsorted(EDGES, latencies)
        self._bins += weight * np.bincount(bins, minlength=len(self._bins))
        self._weight += weight * len(latencies)
        self._squared_weight += weight * weight * len(latencies)
        self._locate()

    def _locate(self) -> None:
        q, up_to = self._quantile, np.cumsum(self._bins)[:-1]  # weight at or below each edge
        variance = q * (1.0 - q) * self._squared_weight
        reach = gamma_exponential_mixture(variance, self._rho, self._alpha)
        slack = 1e-9 * self._weight
        below = np.flatnonzero(up_to <= q * self._weight - reach - slack)
        above = np.flatnonzero(up_to >= q * self._weight + reach + slack)
        self.interval = (
            float(EDGES[below[-1]]) if len(below) else 0.0,
            float(EDGES[above[0]]) if len(above) else math.inf,
        )
        at = min(int(np.searchsorted(up_to, q * self._weight - slack)), len(EDGES) - 1)
        self.value = float(math.sqrt(EDGES[at] * EDGES[max(at - 1, 0)]))


class QuantileRatio:
    """Is the challenger's latency quantile beyond `margin` times the champion's, plus `floor_ms`?

    Quantile confidence sequences after Howard & Ramdas ("Sequential estimation of quantiles with
    applications to A/B testing and best-arm identification", Bernoulli 2022): for the true q-quantile x,
    the indicators "latency <= x" are Bernoulli(q), so a time-uniform bound on their weighted sum bounds
    x. The bound is Bennett's (psi of a centred Bernoulli <= q (1 - q) (e^l - 1 - l) <= q (1 - q) psi_E)
    with the gamma-exponential mixture of Howard et al. 2021. Each arm has alpha/2 a side.

    Rows carry the Mantel-Haenszel weights of their block (:mod:`retrain.stats.pairing`), so both arms
    are weighted alike over the day and a ramp during rising load does not read as a slow challenger.
    Exact while each arm's latencies are alike over time; close to it where they move together.

    Latencies are kept in fixed bins 0.5% wide (0.001 ms to 10,000 s), so memory is bounded; a bound is
    the bin edge on the safe side, so the bins cost width (at most 0.5%) and no validity.

    :param alpha: probability that `harmful` is ever true without harm; the same for `acceptable`.
    :param quantile: which quantile, in (0, 1).
    :param margin: factor by which the challenger may be slower, at least 1 in most uses, above 0.
    :param floor_ms: ms that the challenger may be slower on top of that; not negative.
    :raises ValueError: for values outside those ranges.
    """

    def __init__(self, alpha: float, *, quantile: float = 0.5, margin: float, floor_ms: float = 0.0) -> None:
        check_alpha(alpha)
        if not 0.0 < quantile < 1.0:
            raise ValueError(f"quantile must be between 0 and 1, got {quantile!r}")
        if not (math.isfinite(margin) and margin > 0.0):
            raise ValueError(f"margin must be above 0, got {margin!r}")
        if not (math.isfinite(floor_ms) and floor_ms >= 0.0):
            raise ValueError(f"floor_ms must not be negative, got {floor_ms!r}")
        self._margin, self._floor_ms = margin, floor_ms
        self._champion, self._challenger = _Arm(quantile, alpha / 2.0), _Arm(quantile, alpha / 2.0)
        self._pairing = Pairing(columns=1)
        self._harmful = False

    def observe(self, *, champion: ArrayLike, challenger: ArrayLike) -> None:
        """Add one batch of latencies in ms, shapes (n,) and (m,), either of which may be empty.

        :raises ValueError: for nan, infinite or negative latencies.
        """
        block = self._pairing.add(_latencies(champion), _latencies(challenger))
        if block is None:
            return
        of_champion, of_challenger = arm_weights(len(block[0]), len(block[1]))
        self._champion.add(block[0][:, 0], of_champion)
        self._challenger.add(block[1][:, 0], of_challenger)
        allowed = self._margin * self.champion_interval[1] + self._floor_ms
        self._harmful = self._harmful or self.challenger_interval[0] > allowed

    @property
    def champion_value(self) -> float:
        """The champion's quantile, ms, within 0.5%; nan before evidence."""
        return self._champion.value

    @property
    def challenger_value(self) -> float:
        """The challenger's quantile, ms, within 0.5%; nan before evidence."""
        return self._challenger.value

    @property
    def champion_interval(self) -> tuple[float, float]:
        """Bounds for the champion's quantile, ms, each at 1 - alpha/2; (0, inf) before evidence."""
        return self._champion.interval

    @property
    def challenger_interval(self) -> tuple[float, float]:
        """Bounds for the challenger's quantile, ms, each at 1 - alpha/2; (0, inf) before evidence."""
        return self._challenger.interval

    @property
    def harmful(self) -> bool:
        """Whether the challenger was shown to be slower than allowed, now or earlier."""
        return self._harmful

    @property
    def acceptable(self) -> bool:
        """Whether, on all evidence so far, the challenger is shown to be no slower than allowed."""
        allowed = self._margin * self.champion_interval[0] + self._floor_ms
        return self.challenger_interval[1] <= allowed


def _latencies(values: ArrayLike) -> NDArray[np.float64]:
    """Return latencies as one column, shape (n, 1)."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"latencies must be one-dimensional, got shape {array.shape}")
    if not np.all(np.isfinite(array)) or (len(array) and array.min() < 0.0):
        raise ValueError("latencies must be finite and not negative")
    return array[:, None]
