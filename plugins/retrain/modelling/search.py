"""Model selection: which settings to try, fitting them, and how each does on the tuning stretch."""

from __future__ import annotations

import importlib
import itertools
import random
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retrain.errors import SpecError, TrainingError
from retrain.modelling import fitting, side_by_side
from retrain.spec import FILE, CandidateSpec, Spec
from retrain.spec.yamlfile import YamlFile

if TYPE_CHECKING:
    import numpy as np

    from retrain.modelling.design_matrix import DesignMatrix
    from retrain.modelling.side_by_side import Ended

LARGE = 5_000_000
"""From so many numbers on, rows × features, more cores save more than they cost; a process takes a second to start."""


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

    chosen = settings(spec)
    with closing(_answers(spec, chosen, train, tuning)) as answers:
        tried = [
            Tried(setting, spec.metric.loss(tuning.target, answered))
            for setting, answered in zip(chosen, answers, strict=True)
        ]
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
    """Fit one setting, in this process, on the threads that do not change the result."""
    estimator = build(spec, setting)
    try:
        return fitting.fit(estimator, rows.rows, rows.target, _cores(spec, rows))
    except Exception as error:
        raise _fit_failed(spec, setting, error) from error


def predict(spec: Spec, estimator: Any, rows: DesignMatrix) -> np.ndarray:
    """Probabilities, shape (rows, classes), or numbers, shape (rows,). A class never seen has probability 0."""
    return fitting.answers(estimator, rows.rows, _classes(spec, rows))


def _answers(spec: Spec, chosen: list[Setting], train: DesignMatrix, tuning: DesignMatrix) -> Generator[np.ndarray]:
    """What each setting answers to the tuning stretch: one after another, or side by side where that is faster."""
    cores, rows, asked = _cores(spec, train), train.rows, tuning.rows
    processes = min(len(chosen), cores)
    if processes > 1 and spec.train.jobs is None:
        processes = side_by_side.at_once(rows.nbytes, processes)
    if processes == 1:
        yield from (predict(spec, fit(spec, setting, train), tuning) for setting in chosen)
        return
    threads = cores // processes
    trials = [side_by_side.Trial(build(spec, setting), _classes(spec, train), threads) for setting in chosen]
    with closing(side_by_side.run(trials, side_by_side.Rows(rows, train.target, asked), processes)) as endings:
        for setting, ended in zip(chosen, endings, strict=True):
            yield _answered(spec, setting, ended, processes)


def _answered(spec: Spec, setting: Setting, ended: Ended, processes: int) -> np.ndarray:
    if ended.answers is not None:
        return ended.answers
    if ended.error is None:
        raise _killed(spec, setting, ended.status, processes)
    if ended.fitted:
        raise ended.error
    raise _fit_failed(spec, setting, ended.error) from ended.error


def _cores(spec: Spec, rows: DesignMatrix) -> int:
    """How many cores are worth using for a fit of these rows."""
    import joblib

    if len(rows) * rows.features.shape[1] < LARGE:
        return 1
    return spec.train.jobs or int(joblib.cpu_count())


def _classes(spec: Spec, rows: DesignMatrix) -> int | None:
    return None if spec.task == "regression" else len(rows.classes)


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


def _killed(spec: Spec, setting: Setting, status: int, processes: int) -> TrainingError:
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return TrainingError(
        f"{setting.candidate.estimator} with {setting.params or 'its defaults'} cannot be fitted for pipeline "
        f"'{spec.name}': its process {how}, one of {processes} side by side.",
        where=f"{spec.folder / FILE}, key `train.candidates.{setting.position}`",
        do=f"if memory ran out (signal 9), set `train.jobs` to less than {processes} (1: one after another, in this "
        "process), or give the task more; else see what it said above.",
    )
