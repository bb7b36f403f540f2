"""How wrong an answer was, once its label is known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any


def losses(task: str, answers: Iterable[Any], labels: Iterable[str], classes: tuple[str, ...]) -> list[float]:
    """The loss of each answer once its label is known; NaN where the label cannot be used.

    binary: the Brier score, (p - y)². multiclass: half the sum of (p_k - y_k)² over the classes, which lies in
    [0, 1] too and is the Brier score for two. regression: the squared error.

    :param answers: P(positive), the predicted value, or, of a multiclass task, the output as JSON.
    :param labels: as JSON.
    :param classes: of the model, the positive one last; empty: 0 and 1.
    """
    per_row: dict[str, Callable[[Any, Any], float]] = {
        "binary": partial(_brier, classes=classes),
        "multiclass": _brier_of_classes,
        "regression": _squared_error,
    }
    loss = per_row[task]
    return [loss(answer, _parsed(label)) for answer, label in zip(answers, labels, strict=True)]


def spell(label: Any) -> str:
    """One spelling for a class, whatever type it came in: ``True``, ``1``, ``1.0`` and ``"true"`` are one class.

    Text that only looks like a number, such as ``"007"``, stays as it is.
    """
    if isinstance(label, str):
        label = _number_or_truth(label)
    if isinstance(label, bool | int):
        return str(int(label))
    if isinstance(label, float):
        return str(int(label)) if label.is_integer() else str(label)
    return str(label)


def _number_or_truth(text: str) -> Any:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if str(value) == text:
            return value
    return text


def _parsed(label: str) -> Any:
    try:
        return json.loads(label)
    except (ValueError, RecursionError):
        return None


def _brier(score: float, label: Any, *, classes: tuple[str, ...]) -> float:
    negative, positive = [spell(one) for one in classes] if len(classes) == 2 else ["0", "1"]
    if label is None or spell(label) not in {negative, positive} or not 0.0 <= score <= 1.0:
        return math.nan
    return (score - (spell(label) == positive)) ** 2


def _brier_of_classes(output: str, label: Any) -> float:
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


def _squared_error(score: float, label: Any) -> float:
    if isinstance(label, bool) or not isinstance(label, int | float):
        return math.nan
    error = (score - float(label)) ** 2 if abs(label) < 1e150 and abs(score) < 1e150 else math.nan
    return error if math.isfinite(error) else math.nan
