"""Fitting: the same rows give the same model, to the byte, on however many cores.

Sums over threads depend on their number, and a model's hash would with them. So an estimator is fitted on one thread,
unless it is one of :data:`SAME_ON_THREADS`; ``tests/modelling/test_fitting.py`` proves each of them.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

BOOSTING = "one thread sums the histogram of a feature, in the order of the rows; all else is row by row"
FOREST = "one thread grows a tree, from a seed of its own"

SAME_ON_THREADS: dict[str, tuple[Literal["openmp", "joblib"], str]] = {
    "HistGradientBoostingClassifier": ("openmp", BOOSTING),
    "HistGradientBoostingRegressor": ("openmp", BOOSTING),
    "RandomForestClassifier": ("joblib", FOREST),
    "RandomForestRegressor": ("joblib", FOREST),
    "ExtraTreesClassifier": ("joblib", FOREST),
    "ExtraTreesRegressor": ("joblib", FOREST),
}
"""The estimators of ``sklearn.ensemble`` that many threads fit as one does: by whose threads, and why.

What multiplies matrices is not among them: the linear models, the neural networks, discriminant analysis.
"""


@dataclass(frozen=True)
class Recipe:
    """How an estimator is made, here or in another process; what is made the same way is the same to the byte.

    :param path: its import path.
    :param seed: for one that has a ``random_state`` and is given none.
    :param scale: put imputation and standardisation before it?
    """

    path: str
    params: dict[str, Any]
    seed: int
    scale: bool

    def kind(self) -> Any:
        """The class. Raises ImportError, AttributeError, ValueError."""
        module, _, name = self.path.rpartition(".")
        return getattr(importlib.import_module(module), name)

    def make(self) -> Any:
        """The unfitted estimator. Raises TypeError for a parameter that it does not have."""
        estimator = self.kind()(**self.params)
        if estimator.get_params().get("random_state", 0) is None:
            estimator.set_params(random_state=self.seed)
        return _scaled(estimator) if self.scale else estimator


def _scaled(estimator: Any) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    impute = SimpleImputer(keep_empty_features=True)
    return Pipeline([("impute", impute), ("scale", StandardScaler()), ("estimator", estimator)])


def fit(estimator: Any, rows: np.ndarray, target: np.ndarray, threads: int = 1) -> Any:
    """Fit an estimator, silently.

    :param threads: at most; one if its result would depend on their number.
    """
    with warnings.catch_warnings(), _threads(estimator, threads):
        warnings.simplefilter("ignore")
        fitted = estimator.fit(rows, target)
    _forget_threads(fitted)
    return fitted


def pickled(estimator: Any) -> bytes:
    """A fitted estimator as a model keeps it."""
    import cloudpickle

    made: bytes = cloudpickle.dumps(estimator, protocol=5)
    return made


def whose_threads(estimator: Any) -> str | None:
    """By whose threads an estimator may be fitted; None for a class of the same name as one that may."""
    kind = type(_last_step(estimator))
    if kind.__name__ not in SAME_ON_THREADS:
        return None
    from sklearn import ensemble

    return SAME_ON_THREADS[kind.__name__][0] if getattr(ensemble, kind.__name__) is kind else None


def answers(estimator: Any, rows: np.ndarray, classes: int | None) -> np.ndarray:
    """Probabilities, shape (rows, classes), or numbers, shape (rows,). A class never seen has probability 0.

    :param classes: how many there are; None for a regression.
    """
    import numpy as np

    with _threads(estimator, 1):
        if classes is None:
            return np.asarray(estimator.predict(rows), dtype=np.float64)
        probabilities = np.zeros((len(rows), classes))
        probabilities[:, estimator.classes_] = estimator.predict_proba(rows)
        return probabilities


@contextmanager
def _threads(estimator: Any, threads: int) -> Iterator[None]:
    """One thread for everything, but so many for what is the same on many."""
    import joblib
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    whose = whose_threads(estimator) if threads > 1 else None
    with threadpool_limits(limits=1):
        if whose == "openmp":
            with threadpool_limits(limits=threads, user_api="openmp"):
                yield
        elif whose == "joblib":
            with joblib.parallel_config(backend="threading", n_jobs=threads):
                yield
        else:
            yield


def _forget_threads(estimator: Any) -> None:
    """Boosting keeps the number of threads it was binned on, which says nothing about the model."""
    if whose_threads(estimator) == "openmp":
        _last_step(estimator)._bin_mapper.n_threads = 1


def _last_step(estimator: Any) -> Any:
    """The estimator behind imputation and standardisation."""
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
