"""Which outcomes were decided by a coin that nobody had seen before, and how that coin was weighted.

Whoever is named in a request has one number between 0 and 1 for the whole trial, drawn by a hash, and is the
challenger's while it lies below the step's share. So in a step of share s the arm of somebody new is a coin of chance
s. Who was the champion's at share s' has a number above s', hence a chance of (s - s') / (1 - s') in a later step; who
was the challenger's stays so, and tells nothing more. Each decision's outcomes are given what earlier ones showed, so
that it does not matter that a step ends by what was seen in it. A row that names nobody has a coin of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FIRST_ROOM = 1024


class Coins:
    """What is known of each name's number.

    :ivar broken: names whose arm changed though their number and the shares say otherwise: a router that errs.
    """

    def __init__(self) -> None:
        import numpy as np

        self.broken = 0
        self._low, self._high = np.zeros(FIRST_ROOM), np.ones(FIRST_ROOM)
        self._decision = np.zeros(FIRST_ROOM, dtype=np.int64)  # under which it was met last, …
        self._share, self._tried = np.zeros(FIRST_ROOM), np.zeros(FIRST_ROOM, dtype=bool)  # … and what came of it

    def chances(
        self,
        names: NDArray[np.int64],
        decisions: NDArray[np.int64],
        shares: NDArray[np.float64],
        tried: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """The chance that each row had of being the challenger's, given earlier decisions; NaN where it was sure.

        All rows of one name under one decision have the same coin: who bets on it does so once.

        :param names: numbers from 0 on; -1 for a row that names nobody. Shape (rows,), as the others.
        :param decisions: the ledger's numbers, above 0.
        :param shares: the challenger's, under that decision.
        """
        import numpy as np

        chances = np.where((shares > 0.0) & (shares < 1.0), shares, np.nan)
        self._make_room(int(names.max(initial=-1)) + 1)
        for decision in np.unique(decisions):
            mine = np.flatnonzero((decisions == decision) & (names >= 0))
            if len(mine):
                met, first, whose = np.unique(names[mine], return_index=True, return_inverse=True)
                rows = mine[first]
                chances[mine] = self._meet(met, int(decision), float(shares[rows[0]]), tried[rows])[whose]
        return chances

    def _meet(
        self, names: NDArray[np.int64], decision: int, share: float, tried: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """The coins of some names under a decision."""
        import numpy as np

        later, known = self._decision[names] < decision, self._decision[names] == decision
        self.broken += int((self._tried[names] != tried)[known].sum())
        self._settle(names[later])
        low, high = self._low[names], self._high[names]
        chance = (min(max(share, 0.0), 1.0) - low) / (high - low)
        self.broken += int((later & np.where(tried, chance <= 0.0, chance >= 1.0)).sum())
        now = names[later]
        self._decision[now], self._share[now], self._tried[now] = decision, share, tried[later]
        sure = (chance <= 0.0) | (chance >= 1.0) | ~(later | known)
        return np.where(sure, np.nan, chance)

    def _settle(self, names: NDArray[np.int64]) -> None:
        """What the decision before has shown of them."""
        import numpy as np

        met = names[self._decision[names] > 0]
        tried, share = self._tried[met], self._share[met]
        high = np.where(tried, np.minimum(self._high[met], share), self._high[met])
        low = np.where(tried, self._low[met], np.maximum(self._low[met], share))
        sound = low < high
        self._high[met[sound]], self._low[met[sound]] = high[sound], low[sound]

    def _make_room(self, names: int) -> None:
        import numpy as np

        if names <= len(self._low):
            return
        more = max(names, 2 * len(self._low)) - len(self._low)
        self._low = np.concatenate([self._low, np.zeros(more)])
        self._high = np.concatenate([self._high, np.ones(more)])
        self._decision = np.concatenate([self._decision, np.zeros(more, dtype=np.int64)])
        self._share = np.concatenate([self._share, np.zeros(more)])
        self._tried = np.concatenate([self._tried, np.zeros(more, dtype=bool)])


class Once:
    """Lets each coin be bet on once, and none that a later decision has shown already."""

    def __init__(self) -> None:
        import numpy as np

        self._newest = np.zeros(FIRST_ROOM, dtype=np.int64)

    def first(self, names: NDArray[np.int64], decisions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which rows are their name's first under their decision, among all asked so far. Rows of nobody all are."""
        import numpy as np

        room = int(names.max(initial=-1)) + 1
        if room > len(self._newest):
            more = max(room, 2 * len(self._newest)) - len(self._newest)
            self._newest = np.concatenate([self._newest, np.zeros(more, dtype=np.int64)])
        fresh = names < 0
        rows = _firsts(names, decisions)
        if len(rows):
            many = int(decisions.max()) + 1
            met = names[rows] * many + decisions[rows]  # grows with the name, and within one with its decision
            so_far = np.maximum.accumulate(met)
            risen = np.concatenate([[True], met[1:] > so_far[:-1]]) & (decisions[rows] > self._newest[names[rows]])
            fresh[rows[risen]] = True
            np.maximum.at(self._newest, names[rows], decisions[rows])
        return fresh


def _firsts(names: NDArray[np.int64], decisions: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first row of each name and decision, by name, and of one name in the order of the rows."""
    import numpy as np

    named = np.flatnonzero(names >= 0)
    if not len(named):
        return named
    pairs = decisions[named] * (int(names.max()) + 1) + names[named]
    first = named[np.sort(np.unique(pairs, return_index=True)[1])]
    by_name: NDArray[np.int64] = first[np.argsort(names[first], kind="stable")]
    return by_name
