"""How much a model leans on each feature: what it loses when that feature's values are dealt out anew.

Breiman, Random Forests, Machine Learning 45 (2001), section 10; on rows that the model has not learnt from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    from retrain.metrics.base import Metric

MOST_ROWS = 2000
MOST_FEATURES = 100


def importances(
    features: DataFrame, target: np.ndarray, ask: Callable[[DataFrame], np.ndarray], metric: Metric
) -> dict[str, float]:
    """Feature → by how much the loss grows without it; the same for the same rows. Empty where there are too many.

    :param ask: the model's answers to features.
    """
    import numpy as np

    random = np.random.default_rng(0)
    rows = np.sort(random.permutation(len(target))[:MOST_ROWS])
    features, target = features.iloc[rows], target[rows]
    if len(features.columns) > MOST_FEATURES or not metric.defined(target):
        return {}
    whole = metric.loss(target, ask(features))
    found = {}
    for name in features.columns:
        dealt = features.assign(**{name: features[name].array[random.permutation(len(target))]})
        found[str(name)] = float(metric.loss(target, ask(dealt)) - whole)
    return found
