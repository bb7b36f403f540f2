"""Times as counts in fixed bins, so that a quantile of millions of them takes 37 kB."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

SHORTEST_MS = 1e-3
LONGEST_MS = 1e7
RESOLUTION = 0.005
EDGES: NDArray[np.float64] = np.geomspace(
    SHORTEST_MS, LONGEST_MS, 1 + math.ceil(math.log(LONGEST_MS / SHORTEST_MS) / math.log1p(RESOLUTION))
)
"""Upper edges of the bins, ms: a bin is 0.5% wide."""


class Milliseconds:
    """The times of one arm.

    :ivar count: how many there are.
    """

    def __init__(self) -> None:
        self.count = 0
        self._bins = np.zeros(len(EDGES) + 1, dtype=np.int64)

    def add(self, times: ArrayLike) -> None:
        """Add times, ms, finite and not negative, shape (n,)."""
        values = np.asarray(times, dtype=np.float64)
        self.count += len(values)
        self._bins += np.bincount(np.searchsorted(EDGES, values), minlength=len(self._bins))

    def quantile(self, share: float) -> float | None:
        """The time that this share of them takes at most, within 0.5%; None where there are none."""
        if not self.count:
            return None
        at = self._bin(share)
        return float(math.sqrt(EDGES[min(at, len(EDGES) - 1)] * EDGES[max(at - 1, 0)]))

    def at_least(self, share: float) -> float | None:
        """A time that at least 1 - share of them take: the lower edge of the quantile's bin."""
        if not self.count:
            return None
        at = self._bin(share)
        return float(EDGES[at - 1]) if at else 0.0

    def _bin(self, share: float) -> int:
        return int(np.searchsorted(np.cumsum(self._bins), share * self.count))
