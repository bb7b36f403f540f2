"""Model selection: which settings to try, fitting them, and how each does on the tuning stretch."""

from __future__ import annotations

import importlib
import itertools
import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retrain.errors import SpecError, TrainingError
from retrain.spec import FILE, CandidateSpec, Spec
from retrain.spec.yamlfile import YamlFile

if TYPE_CHECKING:
    import numpy as np

    from retrain.modelling.design_matrix import DesignMatrix


@dataclass(frozen=True)
class Setting:
    """One estimator with one set of parameters.

    :param position: of the candidate in ``train.candidates``.
    """

    position: int
    candidate: CandidateSpec
    params: dict[str, Any]


@dataclass(frozen=True)
class Tried:
    """A setting and its loss on the tuning stretch."""

    setting: Setting
    loss: float


def settings(spec: Spec) -> list[Setting]:
    """The settings to try, within the budget: the whole grid, or a seeded sample of every candidate's.

    The order is the spec's, so that equal losses are decided alike everywhere.
    """
    grids = [list(_grid(position, candidate)) for position, candidate in enumerate(spec.train.candidates)]
    if sum(map(len, grids)) <= spec.train.budget:
        return list(itertools.chain.from_iterable(grids))
    shuffled = [random.Random(f"{spec.train.seed}/{n}").sample(grid, len(grid)) for n, grid in enumerate(grids)]
    in_turn = [setting for turn in itertools.zip_longest(*shuffled) for setting in turn if setting is not None]
    chosen = {id(setting) for setting in in_turn[: spec.train.budget]}
    return [setting for grid in grids for setting in grid if id(setting) in chosen]


def select(spec: Spec, train: DesignMatrix, tuning: DesignMatrix) -> list[Tried]:
    """Fit every setting on the rows before the tuning stretch and score it there; the best first.

    :raises TrainingError: if a fit fails, or no setting has a finite loss.
    """
    from math import isfinite

    tried = []
    for setting in settings(spec):
        estimator = fit(spec, setting, train)
        tried.append(Tried(setting, spec.metric.loss(tuning.target, predict(spec, estimator, tuning))))
    usable = sorted((t for t in tried if isfinite(t.loss)), key=lambda t: t.loss)  # sorted() keeps ties in order
    if not usable:
        raise TrainingError(
            f"None of the {len(tried)} settings of pipeline '{spec.name}' has a finite {spec.metric.name} on the "
            f"{len(tuning):,} rows of the tuning stretch.",
            where=f"{spec.folder / FILE}, key `train`",
            do="lengthen train.tuning if it holds one class only; else try other estimators or look for infinities "
            "among the features.",
        )
    return usable + [t for t in tried if not isfinite(t.loss)]


def fit(spec: Spec, setting: Setting, rows: DesignMatrix) -> Any:
    """Fit one setting, on one thread: sums over threads depend on their number, and the model's hash would too."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    estimator = build(spec, setting)
    try:
        with threadpool_limits(limits=1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return estimator.fit(rows.rows, rows.target)
    except Exception as error:
        raise _fit_failed(spec, setting, error) from error


def predict(spec: Spec, estimator: Any, rows: DesignMatrix) -> np.ndarray:
    """Probabilities, shape (rows, classes), or numbers, shape (rows,). A class never seen has probability 0."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        if spec.task == "regression":
            return np.asarray(estimator.predict(rows.rows), dtype=np.float64)
        probabilities = np.zeros((len(rows), len(rows.classes)))
        probabilities[:, estimator.classes_] = estimator.predict_proba(rows.rows)
        return probabilities


def build(spec: Spec, setting: Setting) -> Any:
    """The unfitted estimator of a setting; ``scale: true`` puts imputation and standardisation before it.

    :raises SpecError: if it cannot be imported, is no estimator of this task, or has no such parameter.
    """
    key = f"train.candidates.{setting.position}"
    path = setting.candidate.estimator
    kind = _import(spec, f"{key}.estimator", path)
    needed = ("fit", "predict", "get_params") if spec.task == "regression" else ("fit", "predict_proba", "get_params")
    if missing := [name for name in needed if not hasattr(kind, name)]:
        raise _mistake(
            spec, f"{key}.estimator", path, f"a scikit-learn estimator for a {spec.task} task; it lacks {missing[0]}()"
        )
    try:
        estimator = kind(**setting.params)
    except TypeError as error:
        raise _mistake(spec, f"{key}.params", setting.params, f"parameters that {path} takes ({error})") from None
    known = estimator.get_params()
    if known.get("random_state", 0) is None:
        estimator.set_params(random_state=spec.train.seed)
    if spec.task != "regression" and not hasattr(estimator, "predict_proba"):
        raise _mistake(spec, f"{key}.params", setting.params, "parameters with which it gives probabilities")
    return _scaled(estimator) if setting.candidate.scale else estimator


def _scaled(estimator: Any) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    impute = SimpleImputer(keep_empty_features=True)
    return Pipeline([("impute", impute), ("scale", StandardScaler()), ("estimator", estimator)])


def _grid(position: int, candidate: CandidateSpec) -> Iterator[Setting]:
    names = list(candidate.search)
    for values in itertools.product(*(candidate.search[name] for name in names)):
        yield Setting(position, candidate, {**candidate.params, **dict(zip(names, values, strict=True))})


def _import(spec: Spec, key: str, path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise _mistake(spec, key, path, f"the import path of an estimator that is installed here ({error})") from None


def _mistake(spec: Spec, key: str, value: object, expected: str) -> SpecError:
    return YamlFile.read(spec.folder / FILE).error(key, value, expected)


def _fit_failed(spec: Spec, setting: Setting, error: Exception) -> TrainingError:
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    missing = "contains NaN" in str(error)
    return TrainingError(
        f"{setting.candidate.estimator} with {setting.params or 'its defaults'} cannot be fitted for pipeline "
        f"'{spec.name}': {text}",
        where=f"{spec.folder / FILE}, key `train.candidates.{setting.position}`",
        do="set `scale: true`, which also fills missing values, or choose an estimator that takes them."
        if missing
        else "correct its parameters, or the features it cannot take.",
    )
