"""The weighted area under the ROC curve agrees with scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from retrain.stats.roc_auc import WeightedRocAuc


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 4)), min_size=2, max_size=60))
def test_auc_equals_scikit_learn_with_ties_and_weights(rows: list[tuple[bool, int, int]]) -> None:
    labels, scores, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    ours = WeightedRocAuc(labels, scores)(weights)
    if labels @ weights == 0 or (1 - labels) @ weights == 0:
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights), abs=1e-12)


def test_refuses_bad_input() -> None:
    with pytest.raises(ValueError, match="finite"):
        WeightedRocAuc([0, 1], [math.nan, 1.0])
    with pytest.raises(ValueError, match="0 or 1"):
        WeightedRocAuc([0, 2], [0.0, 1.0])
    with pytest.raises(ValueError, match="match"):
        WeightedRocAuc([], [])
