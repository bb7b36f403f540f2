"""Is the challenger's arm the worse one? Wealth won by betting on which arm an outcome came from.

A canary is a randomised experiment whose chances we set ourselves: an entity's arm is a hash below the step's share. If
the arm makes no difference, it is independent of everything the entity did: how often it asked, whether it failed and
when, how heavy the tails are, when its label came and why. So nothing is assumed of the outcomes. They come one by one;
before an arm is revealed a stake is laid on it, at odds that are fair for a coin of the known chance. Wealth is then a
nonnegative martingale that begins at 1, and P(it ever reaches 1/alpha) <= alpha (Ville 1939).

Testing by betting: Shafer (JRSS A 2021). Betting on the assignment, given the outcomes: Duan, Ramdas & Wasserman,
"Interactive rank testing by betting" (CLeaR 2022). Several stakes at once, as one mixed wealth: Howard, Ramdas,
McAuliffe & Sekhon (Annals of Statistics 2021), section 3.5.

What may be bet on: each coin once, in an order that does not depend on coins not yet revealed, with its chance given
all that was revealed before; see :mod:`retrain.monitoring.coins`.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrain.stats.boundary import check_alpha

RATE_RATIOS: NDArray[np.float64] = np.geomspace(1.2, 15.0, 16)
"""How many times as often the challenger may fail: what failures are bet on. Affects power, never validity."""

SHARE_RATIOS: NDArray[np.float64] = np.concatenate([1.0 / RATE_RATIOS[::-1], RATE_RATIOS])
"""The same for what should be neither more nor less often the challenger's."""

STAKES = np.geomspace(0.03, 0.95, 8)
"""Shares of the largest stake that cannot lose everything: what sizes are bet on. Affects power, never validity."""

CLIPPED_AT = 0.99
"""A value is bet on as if it were no larger than this quantile of those seen before it."""

SEEN_FIRST = 20
"""Values of a stratum that are seen before the first bet on one: a rank among fewer says little."""

SEEN_GROWTH = 0.05
"""What was seen is sorted again when it has grown by this share: a look costs what is new, not what is known."""

PIECE = 4096
"""Bets that are worked on at once, so that memory does not grow with what is new."""


class Wealth:
    """The wealth of several stakes laid at once, each with its share of the first unit.

    :param alpha: wealth 1/alpha shows harm.
    :param prior: the share of each stake; sums to 1.
    """

    def __init__(self, alpha: float, prior: NDArray[np.float64]) -> None:
        self._alpha = check_alpha(alpha)
        self._log_prior = np.log(prior)
        self._log_wealth = np.zeros(len(prior))
        self._largest = 0.0

    def multiply(self, log_factors: NDArray[np.float64]) -> None:
        """Let bets be won and lost one after the other; shape (bets, stakes), logs."""
        for start in range(0, len(log_factors), PIECE):
            paths = self._log_wealth + np.cumsum(log_factors[start : start + PIECE], axis=0)
            self._log_wealth = paths[-1]
            self._largest = max(self._largest, float(_log_sums(paths + self._log_prior).max()))

    @property
    def p_value(self) -> float:
        """Anytime-valid p-value of "the challenger is no worse"; it only falls."""
        return min(1.0, math.exp(-self._largest))

    @property
    def shown(self) -> bool:
        """Whether it is shown. Once true, it stays true."""
        return self.p_value <= self._alpha


class EventBet(Wealth):
    """Do events (failures, say) come from the challenger more often than its chance?

    Given that an entity had one, its arm is the challenger's with probability p r / (1 - p + p r) where the challenger
    has them r times as often, and p where it does not; the factor of a bet is the ratio of the two. Mixed over r with
    weights that fall as 1/sqrt(r), or sqrt(r) below 1.

    :param alpha: probability of ever calling a challenger harmful that has them no more often than the champion.
    :param ratios: what is bet on; with some below 1 (SHARE_RATIOS) that it has them less often is shown too.
    """

    def __init__(self, alpha: float, ratios: NDArray[np.float64] = RATE_RATIOS) -> None:
        weights = np.exp(-0.5 * np.abs(np.log(ratios)))
        super().__init__(alpha, weights / weights.sum())
        self._ratios = ratios

    def observe(self, *, tried: ArrayLike, chance: ArrayLike) -> None:
        """Add events, each of another coin, in the order in which they came.

        :param tried: whether it is the challenger's, shape (n,).
        :param chance: the probability of that under "no difference", each in (0, 1), shape (n,).
        :raises ValueError: for chances that are none.
        """
        z, p = np.asarray(tried, dtype=bool)[:, None], _chances(chance)[:, None]
        self.multiply(np.where(z, np.log(self._ratios), 0.0) - np.log1p(p * (self._ratios - 1.0)))


class SizeBet(Wealth):
    """Do large values (losses, milliseconds) come from the challenger more often than its chance?

    The factor of a bet is 1 + l g (z - p): z is 1 for the challenger, p its chance, and g in [-1, 1] says how large the
    value is among those of its stratum seen before it. Half the unit is laid on its rank, which heavy tails do not
    move; half on its clipped size, which sees answers that scatter more without being larger on the whole. Mixed over
    l.

    :param alpha: probability of ever calling a challenger harmful whose values are not the larger ones.
    """

    def __init__(self, alpha: float) -> None:
        super().__init__(alpha, np.full(2 * len(STAKES), 0.5 / len(STAKES)))
        self._seen: dict[int, _Seen] = {}

    def observe(self, *, values: ArrayLike, tried: ArrayLike, chance: ArrayLike, strata: ArrayLike) -> None:
        """Add values, each of another coin, in the order in which they became known.

        :param values: any unit, the larger the worse, shape (n,). What the challenger is allowed more is taken off its
            values before.
        :param tried: whether it is the challenger's, shape (n,).
        :param chance: the probability of that under "no difference", each in (0, 1), shape (n,).
        :param strata: a value is compared with those of the same number, shape (n,).
        :raises ValueError: for chances that are none, or values that are not finite.
        """
        x, z, p = np.asarray(values, dtype=np.float64), np.asarray(tried, dtype=bool), _chances(chance)
        if not np.isfinite(x).all():
            raise ValueError("values must be finite")
        sizes = np.zeros((len(x), 2))
        for stratum in np.unique(strata):
            mine = np.asarray(strata) == stratum
            sizes[mine] = self._seen.setdefault(int(stratum), _Seen()).sizes(x[mine])
        won = (z - p) / np.maximum(p, 1.0 - p)  # 1 at most: of a stake below 1 something is always left
        for start in range(0, len(x), PIECE):
            piece = slice(start, start + PIECE)
            gain = won[piece, None, None] * sizes[piece, :, None] * STAKES
            self.multiply(np.log1p(gain).reshape(-1, 2 * len(STAKES)))


class _Seen:
    """The values of one stratum so far: what the size of the next one is measured by."""

    def __init__(self) -> None:
        self._sorted: NDArray[np.float64] = np.empty(0)
        self._fresh: list[NDArray[np.float64]] = []
        self._room = SEEN_FIRST

    def sizes(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """How large each value is among those before it, in [-1, 1], shape (n, 2): by rank, and by clipped size.

        Takes the values up. In how many pieces they come changes nothing.
        """
        sizes = []
        while len(values):
            now, values = values[: self._room], values[self._room :]
            sizes.append(self._measured(now))
            self._take(now)
        return np.concatenate([np.empty((0, 2)), *sizes])

    def _measured(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        count = len(self._sorted)
        if not count:
            return np.zeros((len(values), 2))
        ranks = np.searchsorted(self._sorted, values, "left") + np.searchsorted(self._sorted, values, "right")
        middle, top = self._sorted[count // 2], self._sorted[min(int(CLIPPED_AT * count), count - 1)]
        beyond = values - middle
        clipped = np.clip(beyond / (top - middle), -1.0, 1.0) if top > middle else np.sign(beyond)
        return np.column_stack([ranks / count - 1.0, clipped])

    def _take(self, values: NDArray[np.float64]) -> None:
        self._fresh.append(values)
        self._room -= len(values)
        if self._room == 0:
            self._sorted = np.sort(np.concatenate([self._sorted, *self._fresh]), kind="stable")
            self._fresh, self._room = [], math.ceil(SEEN_GROWTH * len(self._sorted))


def _log_sums(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of each row's sum, of numbers given as logarithms."""
    largest = logs.max(axis=1)
    sums: NDArray[np.float64] = largest + np.log(np.exp(logs - largest[:, None]).sum(axis=1))
    return sums


def _chances(chance: ArrayLike) -> NDArray[np.float64]:
    p = np.asarray(chance, dtype=np.float64)
    if not ((p > 0.0) & (p < 1.0)).all():
        raise ValueError("a coin's chance lies between 0 and 1")
    return p
