"""The stability gate: everything is a finite number, or missing as it was in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrain.gates.stability import Stability
from retrain.modelling.finiteness import finite


def test_everything_finite_passes(make_scorecard: Any, judged: Any) -> None:
    assert judged(Stability(), make_scorecard()).outcome == "passed"


def test_what_is_wrong_is_named(make_scorecard: Any, make_candidate: Any, judged: Any) -> None:
    weights = judged(Stability(), make_scorecard(), make_candidate(finite=False))
    assert weights.outcome == "failed"
    assert weights.reason == "the model's weights have NaN or infinite values"
    speed = "feature speed is infinite in 1 of 9 (11.11%) held-out and 0 of 80 (0.00%) training rows"
    feature = judged(Stability(), make_scorecard(finite=False, unstable=(speed,)))
    assert feature.outcome == "failed"
    assert feature.reason == speed
    assert judged(Stability(), make_scorecard(finite=False)).outcome == "failed"


def test_a_scorecard_that_names_a_feature_without_its_fault_still_fails(make_scorecard: Any, judged: Any) -> None:
    old = judged(Stability(), make_scorecard(finite=False, unstable=("feature speed",)))
    assert (old.outcome, old.reason) == ("failed", "feature speed")


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """Rows with missing values, and labels."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(300, 3))
    labels = (rows[:, 0] > 0).astype(int)
    rows[::5, 0] = np.nan
    return rows, labels


def estimators() -> list[Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return [
        HistGradientBoostingClassifier(max_iter=5),
        RandomForestClassifier(3),
        make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
    ]


@pytest.mark.parametrize("estimator", estimators(), ids=lambda e: type(e).__name__)
def test_a_healthy_estimator_is_finite_though_it_knows_of_missing_values(estimator: Any, data: Any) -> None:
    assert finite(estimator.fit(*data))


def test_one_nan_deep_inside_is_found(data: Any) -> None:
    trees, forest, pipeline = (estimator.fit(*data) for estimator in estimators())
    trees._predictors[3][0].nodes["value"][1] = np.nan
    forest.estimators_[1].tree_.value[0] = np.inf
    pipeline[-1].coef_[0, 1] = np.nan
    assert not finite(trees)
    assert not finite(forest)
    assert not finite(pipeline)
