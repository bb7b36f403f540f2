"""What has become of the champion's loss: on rows of now that have a label, and on those held out at its training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrain.artifacts import Decay
from retrain.metrics.classes import spell
from retrain.modelling.design_matrix import DesignMatrix
from retrain.spec import Spec

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame, Series

    from retrain.model.model import Model

LEAST_ROWS = 100


def decay(spec: Spec, model: Model, now: DataFrame, labels: Series[Any], held_out: DesignMatrix) -> Decay | None:
    """The deciding metric then and now; None where too few rows have a label yet.

    :param now: raw rows. :param labels: theirs, null where not known.
    :param held_out: what the model was judged on when it was trained.
    :raises ModelError: the model cannot take the rows.
    :raises MetricError: the metric fails.
    """
    known = labels.notna().to_numpy()
    classes = [spell(value) for value in model.signature.classes]
    target = _target(spec, labels[known], classes)
    if len(target) < LEAST_ROWS or ((target < 0).any() and classes) or not spec.metric.defined(target):
        return None
    answers = model.predict(model.features(model.conform(now[known])))
    return Decay(
        metric=spec.metric.name,
        then=spec.metric.point(held_out.target, model.predict(held_out.features)),
        now=spec.metric.point(target, answers),
        rows=len(target),
    )


def _target(spec: Spec, labels: Series[Any], classes: list[str]) -> np.ndarray:
    """The numbers, or the positions of the classes; -1 for one the model does not know."""
    if spec.task == "regression":
        return labels.to_numpy(dtype="float64")
    positions = {spelt: position for position, spelt in enumerate(classes)}
    return labels.map({value: positions.get(spell(value), -1) for value in labels.unique().tolist()}).to_numpy(
        dtype="int64"
    )
