"""The metrics a model is judged by, as statistics of weighted rows, so that a bootstrap can draw rows by weight.

Definitions: Brier 1950; log loss and average precision as in scikit-learn; AUC as Mann-Whitney (Hanley & McNeil
1982).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from retrain.spec import HIGHER_IS_BETTER

if TYPE_CHECKING:
    import numpy as np

Statistic = Callable[["np.ndarray"], float]
TINY = 1e-15
"""Probabilities are kept this far from 0 and 1 in the log loss, so that one sure mistake is not infinite."""


def better(metric: str) -> Literal["lower", "higher"]:
    """Which way is good."""
    return "higher" if metric in HIGHER_IS_BETTER else "lower"


def statistic(metric: str, target: np.ndarray, scores: np.ndarray) -> Statistic:
    """A metric of fixed answers, as a function of row weights. NaN where it is not defined.

    :param metric: one of :data:`retrain.spec.LOSSES`.
    :param target: the class's position per row, or the number; shape (rows,).
    :param scores: probabilities, shape (rows, classes), or numbers, shape (rows,).
    """
    import numpy as np

    if not np.isfinite(scores).all() or not len(target):
        return lambda weights: float("nan")
    if metric == "roc_auc":
        from retrain.stats.roc_auc import WeightedRocAuc

        return WeightedRocAuc(target, scores[:, 1])
    if metric == "average_precision":
        return _average_precision(target, scores[:, 1])
    losses = row_losses(metric, target, scores)
    if metric == "rmse":
        return lambda weights: float(np.sqrt(_mean(losses, weights)))
    return lambda weights: _mean(losses, weights)


def point(metric: str, target: np.ndarray, scores: np.ndarray) -> float:
    """A metric of some answers, all rows alike."""
    import numpy as np

    return float(statistic(metric, target, scores)(np.ones(len(target))))


def loss(metric: str, target: np.ndarray, scores: np.ndarray) -> float:
    """The same metric turned so that less is better: 1 − score for those of which more is better."""
    value = point(metric, target, scores)
    return 1.0 - value if metric in HIGHER_IS_BETTER else value


def defined(metric: str, target: np.ndarray) -> bool:
    """Can the metric be computed on these rows at all, whoever answers?"""
    return metric not in {"roc_auc", "average_precision"} or len(set(target.tolist())) == 2


def row_losses(metric: str, target: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """What each row adds to a metric that is a mean over rows (for rmse: to its square)."""
    import numpy as np

    if metric == "brier":
        losses = (scores[:, 1] - target) ** 2
    elif metric == "log_loss":
        losses = -np.log(np.clip(scores[np.arange(len(target)), target], TINY, 1.0))
    elif metric == "accuracy":
        losses = (scores.argmax(axis=1) == target).astype(np.float64)
    elif metric == "rmse":
        losses = (scores - target) ** 2
    elif metric == "mae":
        losses = np.abs(scores - target)
    else:
        raise ValueError(f"'{metric}' is not a mean over rows")
    return np.asarray(losses)


def _mean(losses: np.ndarray, weights: np.ndarray) -> float:
    total = float(weights.sum())
    return float(weights @ losses) / total if total else float("nan")


def _average_precision(target: np.ndarray, score: np.ndarray) -> Statistic:
    """Sum over thresholds of precision × the recall it adds; equal scores are one threshold."""
    import numpy as np

    order = np.argsort(-score, kind="stable")
    positive = target[order].astype(np.float64)
    last_of_score = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)

    def weighted(weights: np.ndarray) -> float:
        weight = weights[order]
        found = np.cumsum(weight * positive)[last_of_score]
        asked = np.cumsum(weight)[last_of_score]
        if not found[-1]:
            return float("nan")
        precision = np.divide(found, asked, out=np.zeros_like(found), where=asked > 0)
        return float(np.diff(found, prepend=0.0) @ precision / found[-1])

    return weighted
