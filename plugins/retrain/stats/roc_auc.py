"""Area under the ROC curve with row weights, for many weightings of the same rows."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


class WeightedRocAuc:
    """Sorts once; each call with new weights is then linear in the rows.

    AUC = P(score of a positive > score of a negative) + P(equal) / 2 under the weights: the weighted
    Mann-Whitney statistic (Hanley & McNeil 1982).

    :param labels: shape (rows,), true or 1 where positive, false or 0 where negative.
    :param scores: shape (rows,), higher means more likely positive.
    :raises ValueError: for nan scores, labels other than 0 and 1, shapes that differ, no rows.
    """

    def __init__(self, labels: ArrayLike, scores: ArrayLike) -> None:
        label = np.asarray(labels, dtype=np.float64)
        score = np.asarray(scores, dtype=np.float64)
        if label.ndim != 1 or label.shape != score.shape or not len(label):
            raise ValueError(f"labels and scores must match, got shapes {label.shape} and {score.shape}")
        if not np.all((label == 0.0) | (label == 1.0)):
            raise ValueError("labels must be 0 or 1")
        if not np.all(np.isfinite(score)):
            raise ValueError("scores must be finite: nan or infinity found")
        self._order = np.argsort(score, kind="stable")
        self._positive = label[self._order]
        ordered = score[self._order]
        self._group_starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))

    def __call__(self, weights: NDArray[np.float64]) -> float:
        """Return the AUC under weights, shape (rows,), not negative; nan if a class has no weight."""
        weight = weights[self._order]
        positive = np.add.reduceat(weight * self._positive, self._group_starts)
        every = np.add.reduceat(weight, self._group_starts)
        negative = every - positive
        below = np.cumsum(negative) - 0.5 * negative
        pairs = float(positive.sum()) * float(negative.sum())
        return float(np.sum(positive * below)) / pairs if pairs > 0.0 else math.nan
