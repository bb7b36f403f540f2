"""Has a column died? One value from some moment on is no fault: a column may be constant, or empty, in stretches."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGER = 10
"""How many times as long as the longest stretch before is beyond the past."""

VARIED = 10
"""So many stretches must have ended, or the column has not varied: one that changes each month has no past here."""


@dataclass
class Runs:
    """The stretches of equal values of one column, in order of time.

    Were the rows independent, a stretch ten times as long as the longest of n rows before would have a probability of
    about n to the power of -10; where they hang together, as those of one day do, the past stretches say for how long.

    :param last: the value of the newest stretch. :param length: its rows.
    :param longest: the rows of the longest stretch that has ended. :param ended: how many have.
    """

    last: Any = None
    length: int = 0
    longest: int = 0
    ended: int = 0

    def feed(self, values: NDArray[Any]) -> None:
        """Go on with later values, none of them missing."""
        if not len(values):
            return
        changes = np.flatnonzero(values[1:] != values[:-1]) + 1
        lengths = np.diff([0, *changes, len(values)])
        if self.length and bool(values[0] == self.last):
            lengths[0] += self.length
        elif self.length:
            lengths = np.array([self.length, *lengths])
        self.longest = max(self.longest, int(lengths[:-1].max(initial=0)))
        self.ended += len(lengths) - 1
        self.last, self.length = values[-1], int(lengths[-1])

    @property
    def stuck(self) -> bool:
        """Has a column that varied kept one value beyond all its past?"""
        return self.ended >= VARIED and self.length > LONGER * self.longest


@dataclass
class Gaps:
    """The stretches without a value of one column, in order of time.

    :param length: the rows of the one at the end; 0 where the newest row has a value.
    :param longest: the rows of the longest that has ended.
    :param filled: has there ever been a value?
    """

    length: int = 0
    longest: int = 0
    filled: bool = False

    def feed(self, has: NDArray[np.bool_]) -> None:
        """Go on with which of the later rows have a value."""
        held = np.flatnonzero(has)
        if not len(held):
            self.length += len(has)
            return
        lengths = [self.length + int(held[0]), *(np.diff(held) - 1).tolist()]
        self.longest = max(self.longest, *lengths)
        self.length, self.filled = len(has) - 1 - int(held[-1]), True

    @property
    def empty(self) -> bool:
        """Has a column that had values had none beyond all its past?"""
        return self.filled and self.length > LONGER * self.longest
