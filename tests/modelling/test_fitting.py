"""The same model, to the byte, on one thread and on many."""

from __future__ import annotations

import time
from typing import Any

import cloudpickle
import numpy as np
import pytest
from sklearn import ensemble
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

from retrain.modelling import fitting

ROWS, FEATURES, THREADS = 20_000, 8, 4
BOOSTED: dict[str, list[dict[str, Any]]] = {
    "HistGradientBoostingClassifier": [
        {"early_stopping": False},
        {"early_stopping": True, "categorical_features": [0], "max_features": 0.5, "class_weight": "balanced"},
        {"early_stopping": True, "scoring": "roc_auc", "interaction_cst": [[0, 1, 2], [3, 4]]},
    ],
    "HistGradientBoostingRegressor": [
        {"loss": loss} for loss in ("squared_error", "absolute_error", "gamma", "poisson")
    ]
    + [{"loss": "quantile", "quantile": 0.8, "monotonic_cst": [0, 1, *[0] * 6]}],
}
GROWN: list[dict[str, Any]] = [{}, {"bootstrap": True, "oob_score": True, "max_features": 3}]


def cases() -> list[Any]:
    made = []
    for name in fitting.SAME_ON_THREADS:
        kind = getattr(ensemble, name)
        size = {"max_iter": 20} if name in BOOSTED else {"n_estimators": 8, "max_depth": 8}
        for params in BOOSTED.get(name, GROWN):
            made.append(pytest.param(kind(random_state=1, **size, **params), id=f"{name}{params or ''}"))
    return made


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """A matrix as a frame gives it: column by column, with missing values."""
    random = np.random.default_rng(0)
    made = np.asfortranarray(random.normal(size=(ROWS, FEATURES)))
    made[:, 0] = random.integers(0, 12, ROWS)
    made[random.random(made.shape) < 0.05] = np.nan
    return made


@pytest.fixture(scope="module")
def number(rows: np.ndarray) -> np.ndarray:
    """What the rows say, and some noise."""
    said: np.ndarray = np.nan_to_num(rows) @ np.linspace(-1, 1, FEATURES)
    return said + np.random.default_rng(1).normal(size=ROWS)


def target_of(estimator: Any, number: np.ndarray, classes: int = 2) -> np.ndarray:
    if hasattr(estimator, "predict_proba"):
        return np.digitize(number, np.quantile(number, np.linspace(0, 1, classes + 1)[1:-1]))
    return np.exp(number / 10)


@pytest.mark.parametrize("estimator", cases())
def test_many_threads_fit_what_one_does_to_the_byte(
    estimator: Any, rows: np.ndarray, number: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(THREADS))  # scikit-learn would start no more threads than there are cores
    target = target_of(estimator, number)
    one = fitting.fit(clone(estimator), rows, target)
    began = time.process_time(), time.thread_time()
    many = fitting.fit(clone(estimator), rows, target, THREADS)
    all_threads, this_thread = time.process_time() - began[0], time.thread_time() - began[1]
    assert this_thread < 0.8 * all_threads  # others have worked
    assert cloudpickle.dumps(many, protocol=5) == cloudpickle.dumps(one, protocol=5)
    classes = 2 if hasattr(estimator, "predict_proba") else None
    assert fitting.answers(many, rows, classes).tobytes() == fitting.answers(one, rows, classes).tobytes()


def test_many_threads_fit_many_classes_and_what_is_scaled_as_one_does(
    rows: np.ndarray, number: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(THREADS))
    boosting = ensemble.HistGradientBoostingClassifier(max_iter=10, random_state=1)
    scaled = make_pipeline(StandardScaler(), boosting)
    target = target_of(boosting, number, classes=4)
    one, many = (fitting.fit(clone(scaled), rows, target, threads) for threads in (1, THREADS))
    assert cloudpickle.dumps(many, protocol=5) == cloudpickle.dumps(one, protocol=5)


class Watching(BaseEstimator):
    """Keeps on how many threads it was fitted."""

    def fit(self, rows: np.ndarray, target: np.ndarray) -> Watching:
        self.threads_ = {pool["num_threads"] for pool in threadpool_info()}
        return self


RandomForestClassifier = type("RandomForestClassifier", (Watching,), {})


@pytest.mark.parametrize("kind", [Watching, RandomForestClassifier])
def test_what_is_not_in_the_table_is_fitted_on_one_thread(kind: Any) -> None:
    LogisticRegression().fit([[0.0], [1.0]], [0, 1])  # its libraries are loaded
    assert fitting.fit(kind(), np.zeros((2, 1)), np.zeros(2), THREADS).threads_ == {1}


def test_only_boostings_own_threads_are_let_loose(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = ensemble.HistGradientBoostingRegressor.fit
    seen = []

    def watch(*arguments: Any) -> Any:
        seen.append({pool["user_api"]: pool["num_threads"] for pool in threadpool_info()})
        return fit(*arguments)

    monkeypatch.setattr(ensemble.HistGradientBoostingRegressor, "fit", watch)
    fitting.fit(ensemble.HistGradientBoostingRegressor(max_iter=1), np.zeros((50, 1)), np.arange(50.0), THREADS)
    assert seen == [{"openmp": THREADS, "blas": 1}]
