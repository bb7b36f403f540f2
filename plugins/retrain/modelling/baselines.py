"""What a model must beat to be worth having: the majority class (or the mean), and the best single feature."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from retrain.spec import Spec

if TYPE_CHECKING:
    import numpy as np

    from retrain.modelling.design_matrix import DesignMatrix

ROWS = 20_000
"""The single feature is chosen on at most so many rows, evenly spread over time."""


def baselines(spec: Spec, train: DesignMatrix, holdout: DesignMatrix, split_at: datetime) -> dict[str, np.ndarray]:
    """Name of each baseline → its answers on the holdout, learnt from the training rows; the constant first."""
    constant = "mean" if spec.task == "regression" else "majority"
    return {constant: _constant(spec, train, holdout), "one_feature": _one_feature(spec, train, holdout, split_at)}


def _constant(spec: Spec, train: DesignMatrix, holdout: DesignMatrix) -> np.ndarray:
    """The same answer for every row: class shares (the largest is the majority's), or the metric's best constant."""
    import numpy as np

    if spec.task == "regression":
        return np.full(len(holdout), spec.metric.centre(train.target))
    shares = np.bincount(train.target, minlength=len(train.classes)) / len(train)
    return np.tile(shares, (len(holdout), 1))


def _one_feature(spec: Spec, train: DesignMatrix, holdout: DesignMatrix, split_at: datetime) -> np.ndarray:
    """A small tree on the one feature that does best on the tuning stretch."""
    import numpy as np

    tuned = (train.times >= split_at - spec.train.tuning).to_numpy()
    spread = np.arange(len(train)) % -(-len(train) // ROWS) == 0
    learn, tune = train.where(spread & ~tuned), train.where(spread & tuned)
    learn_rows, tune_rows = learn.rows, tune.rows

    def loss(column: int) -> float:
        tree = _tree(spec, learn_rows[:, [column]], learn.target)
        value = spec.metric.loss(tune.target, _ask(spec, tree, tune_rows[:, [column]], len(train.classes)))
        return value if np.isfinite(value) else np.inf

    best = min(range(learn_rows.shape[1]), key=loss) if len(learn) and len(tune) else 0
    tree = _tree(spec, train.rows[:, [best]], train.target)
    return _ask(spec, tree, holdout.rows[:, [best]], len(train.classes))


def _tree(spec: Spec, rows: np.ndarray, target: np.ndarray) -> Any:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    kind = DecisionTreeRegressor if spec.task == "regression" else DecisionTreeClassifier
    leaf = max(5, len(rows) // 200)
    return kind(max_depth=3, min_samples_leaf=leaf, random_state=spec.train.seed).fit(rows, target)


def _ask(spec: Spec, tree: Any, rows: np.ndarray, classes: int) -> np.ndarray:
    import numpy as np

    if spec.task == "regression":
        return np.asarray(tree.predict(rows), dtype=np.float64)
    probabilities = np.zeros((len(rows), classes))
    probabilities[:, tree.classes_] = tree.predict_proba(rows)
    return probabilities
