"""The level of answers: their mean, or their shares of classes, beside that of the labels.

Base rates move. A model that knows nothing but had the luckier base rate beats the training rows' constant, and one
that knows much may lose to it in a month that differs. Brought to the level of the labels themselves, the constant is
the best there is on these rows, and no model is better by its level: what is left is what it knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.metrics.base import Metric

if TYPE_CHECKING:
    import numpy as np

ROUNDS, NEAR = 200, 1e-6
"""How often odds are multiplied at most, and how near their means are then near enough."""


def levelled(metric: Metric, target: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Answers brought to the level of the labels, if that is better.

    Numbers are moved by as much as their centre lies off; odds are multiplied, the same in every row. Which row lies
    above which stays.
    """
    import numpy as np

    if not np.isfinite(answers).all():
        return answers
    if answers.ndim == 1:
        moved = answers + (metric.centre(target) - metric.centre(answers))
    else:
        moved = _with_shares(target, answers)
    return moved if metric.loss(target, moved) <= metric.loss(target, answers) else answers


def _with_shares(target: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Probabilities whose odds are multiplied, the same in every row, until their means are the labels' shares."""
    import numpy as np

    shares = np.bincount(target, minlength=probabilities.shape[1]) / len(target)
    moved = probabilities
    for _ in range(ROUNDS):
        means = moved.mean(axis=0)
        if np.abs(means - shares).max() < NEAR:
            break
        weighed = moved * np.divide(shares, means, out=np.ones_like(means), where=means > 0.0)
        total = weighed.sum(axis=1, keepdims=True)
        moved = np.divide(weighed, total, out=np.tile(shares, (len(target), 1)), where=total > 0.0)
    return moved
