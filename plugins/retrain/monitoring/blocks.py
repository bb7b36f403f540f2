"""Requests cut into blocks that hold enough of both arms, each within one routing decision.

A block ends at the first row where each arm has BLOCK_ROWS rows, or BLOCK_GROWTH of its rows under that decision, if
that is more: a rule that looks at counts, never at outcomes. What is closed stays as it is; rows that come late go into
the block that is open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK_ROWS = 5
BLOCK_GROWTH = 0.05


@dataclass
class _Open:
    """The rows of one decision that wait for their block's end; and how many of each arm are in closed ones."""

    rows: NDArray[np.float64]
    tried: NDArray[np.bool_]
    closed: list[int] = field(default_factory=lambda: [0, 0])


class Blocks:
    """Cuts rows as they come.

    :param columns: numbers a row has.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._open: dict[int, _Open] = {}

    def add(
        self, decisions: NDArray[np.int64], tried: NDArray[np.bool_], rows: NDArray[np.float64]
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Add rows, shape (rows, columns), in order; gives the champion's and the challenger's of each block that ends.

        :param decisions: the ledger's numbers, shape (rows,).
        """
        import numpy as np

        for decision in np.unique(decisions):
            mine = decisions == decision
            waiting = self._open.get(int(decision))
            if waiting is None:
                waiting = _Open(np.empty((0, self._columns)), np.empty(0, dtype=bool))
                self._open[int(decision)] = waiting
            waiting.rows = np.concatenate([waiting.rows, rows[mine]])
            waiting.tried = np.concatenate([waiting.tried, tried[mine]])
            yield from _closed(waiting)


def _closed(waiting: _Open) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The blocks that are complete; they leave."""
    import numpy as np

    places = (np.flatnonzero(~waiting.tried), np.flatnonzero(waiting.tried))
    start, taken = 0, [0, 0]
    while True:
        wanted = [max(BLOCK_ROWS, math.ceil(BLOCK_GROWTH * rows)) for rows in waiting.closed]
        ends = [seen + need for seen, need in zip(taken, wanted, strict=True)]
        if any(len(place) < end for place, end in zip(places, ends, strict=True)):
            break
        stop = 1 + max(int(place[end - 1]) for place, end in zip(places, ends, strict=True))
        rows, tried = waiting.rows[start:stop], waiting.tried[start:stop]
        start, before = stop, taken
        taken = [int(np.searchsorted(place, stop)) for place in places]
        waiting.closed = [c + n - o for c, n, o in zip(waiting.closed, taken, before, strict=True)]
        yield rows[~tried], rows[tried]
    waiting.rows, waiting.tried = waiting.rows[start:], waiting.tried[start:]
