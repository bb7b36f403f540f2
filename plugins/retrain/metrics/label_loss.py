"""How wrong an answer was, once its label is known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from retrain.metrics.classes import spell
from retrain.metrics.task import Task


def losses(task: Task, answers: Iterable[Any], labels: Iterable[str], classes: tuple[str, ...]) -> list[float]:
    """The loss of each answer once its label is known; NaN where the label cannot be used.

    :param answers: P(positive), the predicted value, or, of a multiclass task, the output as JSON.
    :param labels: as JSON.
    :param classes: of the model, the positive one last; empty: 0 and 1.
    """
    loss = LABEL_LOSS[task]
    return [loss(answer, _parsed(label), classes) for answer, label in zip(answers, labels, strict=True)]


def _parsed(label: str) -> Any:
    try:
        return json.loads(label)
    except (ValueError, RecursionError):
        return None


def _brier(score: float, label: Any, classes: tuple[str, ...]) -> float:
    """The Brier score of one answer, (p - y)²."""
    negative, positive = [spell(one) for one in classes] if len(classes) == 2 else ["0", "1"]
    if label is None or spell(label) not in {negative, positive} or not 0.0 <= score <= 1.0:
        return math.nan
    return (score - (spell(label) == positive)) ** 2


def _brier_of_classes(output: str, label: Any, _classes: tuple[str, ...]) -> float:
    """Half the sum of (p_k - y_k)² over the classes an answer names: in [0, 1] too, and for two the Brier score."""
    answer = _parsed(output)
    given = answer.get("probabilities") if isinstance(answer, dict) else None
    if label is None or not isinstance(given, dict):
        return math.nan
    try:
        probabilities = {spell(name): float(p) for name, p in given.items()}
    except (TypeError, ValueError):
        return math.nan
    truth = spell(label)
    if truth not in probabilities or not all(0.0 <= p <= 1.0 for p in probabilities.values()):
        return math.nan
    return min(1.0, 0.5 * sum((p - (name == truth)) ** 2 for name, p in probabilities.items()))


def _squared_error(score: float, label: Any, _classes: tuple[str, ...]) -> float:
    if isinstance(label, bool) or not isinstance(label, int | float):
        return math.nan
    error = (score - float(label)) ** 2 if abs(label) < 1e150 and abs(score) < 1e150 else math.nan
    return error if math.isfinite(error) else math.nan


LABEL_LOSS: Mapping[Task, Callable[[Any, Any, tuple[str, ...]], float]] = {
    "binary": _brier,
    "multiclass": _brier_of_classes,
    "regression": _squared_error,
}
"""The loss of one live answer by its label, which a canary compares; for two classes and for several in [0, 1]."""
