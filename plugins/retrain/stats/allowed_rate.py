"""Does the challenger fail more often than is allowed: than the champion, and a tolerated share of requests more?

A bet on each request of the challenger. Wealth is multiplied by q / a where it failed and (1 - q) / (1 - a) where not;
a is the rate that is allowed, q a larger one. While the challenger's chance of failing is at most a, whatever happened
before, wealth is a nonnegative supermartingale: P(it ever reaches 1/alpha) <= alpha (Ville 1939; testing by betting:
Shafer, JRSS A 2021). Mixed over q.

The champion's rate is estimated from its requests up to then, so that this is exact only as far as they tell; and an
outage that strikes both arms raises both rates. It is therefore never asked alone, but together with
:class:`retrain.stats.arm_bet.EventBet`, which assumes neither.
"""

import numpy as np
from numpy.typing import ArrayLike

from retrain.stats.arm_bet import Wealth

TIMES = np.geomspace(1.2, 12.0, 12)
"""How many times the allowed rate is bet on. Affects power, never validity."""

LARGEST = 0.999
"""No rate that is bet on is larger: a single success does not end everything."""


class AllowedRate(Wealth):
    """Sequential test of "the challenger's rate is at most what is allowed".

    :param alpha: probability of ever showing more though there is none.
    """

    def __init__(self, alpha: float) -> None:
        super().__init__(alpha, TIMES**-0.5 / (TIMES**-0.5).sum())

    def observe(self, *, failed: ArrayLike, allowed: ArrayLike) -> None:
        """Add requests of the challenger, in order.

        :param failed: shape (n,).
        :param allowed: the rate that was allowed when each came, in (0, 1), shape (n,).
        :raises ValueError: for rates outside (0, 1).
        """
        y, a = np.asarray(failed, dtype=bool)[:, None], np.asarray(allowed, dtype=np.float64)[:, None]
        if not ((a > 0.0) & (a < 1.0)).all():
            raise ValueError("an allowed rate lies between 0 and 1")
        q = np.maximum(np.minimum(a * TIMES, LARGEST), a)
        self.multiply(np.where(y, np.log(q / a), np.log((1.0 - q) / (1.0 - a))))
