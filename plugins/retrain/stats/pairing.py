"""Blocks of requests that hold both arms, and the weights under which the arms compare like with like.

Traffic changes over the day and the challenger's share changes over the ramp. Pooled over a whole
ramp, the challenger's requests are later ones than the champion's, and a busy hour looks like a bad
model (Simpson's paradox). So the arms are compared inside short blocks of time, and the blocks'
differences are averaged with Mantel-Haenszel weights n_A n_B / (n_A + n_B) (Greenland & Robins 1985),
the weights of least variance for a constant difference. The counts are those really seen: how a
router splits traffic, sticky or not, exactly at its nominal share or not, does not matter, so long
as the split does not look at the outcomes.
"""

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 5
"""A block closes when each arm has this many rows; a rule that looks at counts, never at outcomes."""

WAITING_ROWS = 10_000
"""While one arm gets no traffic, only this many newest rows of the other are kept."""


def arm_weights(champion_rows: int, challenger_rows: int) -> tuple[float, float]:
    """Return the weight of one champion row and of one challenger row in a block: n_B/n and n_A/n."""
    rows = champion_rows + challenger_rows
    return challenger_rows / rows, champion_rows / rows


class Pairing:
    """Rows of two arms, waiting until both arms have enough of them to be one block.

    :param columns: numbers a row has.
    """

    def __init__(self, columns: int) -> None:
        self._champion: NDArray[np.float64] = np.empty((0, columns))
        self._challenger: NDArray[np.float64] = np.empty((0, columns))

    def add(
        self, champion: NDArray[np.float64], challenger: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Add rows (shape: rows x columns) and return the block they complete, or None."""
        self._champion = np.concatenate([self._champion, champion])
        self._challenger = np.concatenate([self._challenger, challenger])
        if min(len(self._champion), len(self._challenger)) < BLOCK_ROWS:
            self._champion = self._champion[-WAITING_ROWS:]
            self._challenger = self._challenger[-WAITING_ROWS:]
            return None
        block = self._champion, self._challenger
        self._champion, self._challenger = self._champion[:0], self._challenger[:0]
        return block
