"""Our metrics: the one place that lists them.

Definitions: Brier 1950; log loss and average precision as in scikit-learn; AUC as Mann-Whitney (Hanley & McNeil
1982).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING

from retrain import extensions
from retrain.metrics.base import Metric, Statistic, mean_of
from retrain.metrics.task import Task

if TYPE_CHECKING:
    import numpy as np

TINY = 1e-15
"""Probabilities are kept this far from 0 and 1 in the log loss, so that one sure mistake is not infinite."""


def find(name: str) -> Metric:
    """The metric that a name means: one of ours, an import path, or an entry point of ``retrain.metrics``.

    :raises UnknownKind: there is none, it cannot be imported, it is no :class:`Metric`, or it is called as one of ours.
    """
    metric: Metric = extensions.find("retrain.metrics", name, Metric, registry=METRICS)
    if METRICS.get(metric.name, metric) is not metric:
        raise extensions.UnknownKind(
            f"The metric '{name}' is called {metric.name}, as one of ours is.",
            do="give it another name, or scorecards could not tell them apart.",
        )
    return metric


def home(name: str) -> str | None:
    """The module of a metric that is not ours; None of ours."""
    return extensions.home("retrain.metrics", name, METRICS)


def for_task(task: Task) -> tuple[Metric, ...]:
    """Our metrics of a task, the one that decides by default first."""
    return tuple(metric for metric in METRICS.values() if task in metric.tasks)


def _brier(target: np.ndarray, answers: np.ndarray) -> np.ndarray:
    losses: np.ndarray = (answers[:, 1] - target) ** 2
    return losses


def _log_loss(target: np.ndarray, answers: np.ndarray) -> np.ndarray:
    import numpy as np

    losses: np.ndarray = -np.log(np.clip(answers[np.arange(len(target)), target], TINY, 1.0))
    return losses


def _hit(target: np.ndarray, answers: np.ndarray) -> np.ndarray:
    hits: np.ndarray = answers.argmax(axis=1) == target
    return hits


def _squared_error(target: np.ndarray, answers: np.ndarray) -> np.ndarray:
    squared: np.ndarray = (answers - target) ** 2
    return squared


def _absolute_error(target: np.ndarray, answers: np.ndarray) -> np.ndarray:
    absolute: np.ndarray = abs(answers - target)
    return absolute


def _root_mean_squared_error(target: np.ndarray, answers: np.ndarray) -> Statistic:
    squared = mean_of(_squared_error)(target, answers)
    return lambda weights: sqrt(squared(weights))


def _median(target: np.ndarray) -> float:
    import numpy as np

    return float(np.median(target))


def _roc_auc(target: np.ndarray, answers: np.ndarray) -> Statistic:
    from retrain.stats.roc_auc import WeightedRocAuc

    return WeightedRocAuc(target, answers[:, 1])


def _average_precision(target: np.ndarray, answers: np.ndarray) -> Statistic:
    """Sum over thresholds of precision × the recall it adds; equal scores are one threshold."""
    import numpy as np

    score = answers[:, 1]
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


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("brier", ("binary",), mean_of(_brier)),
        Metric("log_loss", ("binary", "multiclass"), mean_of(_log_loss)),
        Metric("roc_auc", ("binary",), _roc_auc, "higher", two_classes=True),
        Metric("average_precision", ("binary",), _average_precision, "higher", two_classes=True),
        Metric("accuracy", ("multiclass",), mean_of(_hit), "higher"),
        Metric("rmse", ("regression",), _root_mean_squared_error),
        Metric("mae", ("regression",), mean_of(_absolute_error), constant=_median),
    )
}
"""By name. The first that is made for a task decides where ``bless.metric`` names none."""
