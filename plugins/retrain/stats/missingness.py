"""Has a column lost its values? Few of them are no fault: a column may be sparse, and sparse in stretches."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

CHANCE = 1e-6
"""How improbable it is, by chance alone, that so few values are left."""

FALL = 10
"""How many times leaner than the leanest stretch before is beyond the past."""


def lost(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> bool:
    """Are so few values left as neither chance nor the column's own past explains?

    Both must fail to. *Chance*: were the values spread over all rows at random, so few of them would be
    among the later ones with a probability below CHANCE (Fisher's exact test: hypergeometric, given how
    many there are; Fisher, "The logic of inductive inference", 1935). That takes rows as independent, and
    those of one day, one promotion or one broken sensor are not. *The past*: the leanest of all stretches
    of as many rows before had at least FALL times the share. A column that had no value for so long
    before is sparse in stretches, and this is one.

    :param before: which of the earlier rows have a value, in order of time.
    :param after: which of the later rows have one.
    """
    if not len(before) or not len(after) or FALL * after.mean() >= _leanest(before, len(after)):
        return False
    values = int(before.sum() + after.sum())
    return bool(hypergeom.cdf(int(after.sum()), len(before) + len(after), values, len(after)) < CHANCE)


def _leanest(has: NDArray[np.bool_], rows: int) -> float:
    """The least share of values in any stretch of so many rows; in all of them if there are fewer."""
    length = min(rows, len(has))
    counts = np.concatenate([[0], np.cumsum(has)])
    return float((counts[length:] - counts[:-length]).min()) / length
