"""Model selection: which settings to try, fitting them, and how each does on the tuning stretch."""

from __future__ import annotations

import itertools
import pickle
import random
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retrain.errors import SpecError, TrainingError
from retrain.modelling import fitting, side_by_side
from retrain.modelling.fitting import Recipe
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


@dataclass(frozen=True)
class Learnt:
    """A fitted estimator, and the same as a model keeps it."""

    estimator: Any
    pickled: bytes


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


def learn(spec: Spec, setting: Setting, rows: DesignMatrix) -> Learnt:
    """Fit one setting for good, on all threads that do not change the result.

    :raises TrainingError: if it fails.
    """
    cores = _cores(spec, rows)
    if cores > 1 and fitting.whose_threads(build(spec, setting)) == "openmp":
        given = side_by_side.Rows(rows.rows, rows.target, _classes(spec, rows))
        with closing(side_by_side.run([_recipe(spec, setting)], given, 1, cores)) as endings:
            pickled = _result(spec, setting, next(endings), 1)
        return Learnt(pickle.loads(pickled), pickled)
    estimator = fit(spec, setting, rows)
    return Learnt(estimator, fitting.pickled(estimator))


def fit(spec: Spec, setting: Setting, rows: DesignMatrix) -> Any:
    """Fit one setting in this process."""
    estimator = build(spec, setting)
    threads = _cores(spec, rows) if fitting.whose_threads(estimator) == "joblib" else 1
    try:
        return fitting.fit(estimator, rows.rows, rows.target, threads)
    except Exception as error:
        raise _fit_failed(spec, setting, error) from error


def predict(spec: Spec, estimator: Any, rows: DesignMatrix) -> np.ndarray:
    """Probabilities, shape (rows, classes), or numbers, shape (rows,). A class never seen has probability 0."""
    return fitting.answers(estimator, rows.rows, _classes(spec, rows))


def _answers(spec: Spec, chosen: list[Setting], train: DesignMatrix, tuning: DesignMatrix) -> Generator[np.ndarray]:
    """What each setting answers to the tuning stretch: one after another, or side by side where that is faster."""
    cores = _cores(spec, train)
    if cores == 1:
        yield from (predict(spec, fit(spec, setting, train), tuning) for setting in chosen)
        return
    for setting in chosen:
        build(spec, setting)  # a mistake is said at once
    rows = side_by_side.Rows(train.rows, train.target, _classes(spec, train), tuning.rows)
    processes = min(len(chosen), spec.train.jobs or side_by_side.at_once(rows.learnt.nbytes, cores))
    recipes = [_recipe(spec, setting) for setting in chosen]
    with closing(side_by_side.run(recipes, rows, processes, cores // processes)) as endings:
        for setting, ended in zip(chosen, endings, strict=True):
            yield _result(spec, setting, ended, processes)


def _result(spec: Spec, setting: Setting, ended: Ended, processes: int) -> Any:
    if ended.result is not None:
        return ended.result
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
    recipe, key = _recipe(spec, setting), f"train.candidates.{setting.position}"
    try:
        kind = recipe.kind()
    except (ImportError, AttributeError, ValueError) as error:
        expected = f"the import path of an estimator that is installed here ({error})"
        raise _mistake(spec, f"{key}.estimator", recipe.path, expected) from None
    needed = ("fit", "predict", "get_params") if spec.task == "regression" else ("fit", "predict_proba", "get_params")
    if missing := [name for name in needed if not hasattr(kind, name)]:
        expected = f"a scikit-learn estimator for a {spec.task} task; it lacks {missing[0]}()"
        raise _mistake(spec, f"{key}.estimator", recipe.path, expected)
    try:
        estimator = recipe.make()
    except TypeError as error:
        expected = f"parameters that {recipe.path} takes ({error})"
        raise _mistake(spec, f"{key}.params", setting.params, expected) from None
    if spec.task != "regression" and not hasattr(estimator, "predict_proba"):
        raise _mistake(spec, f"{key}.params", setting.params, "parameters with which it gives probabilities")
    return estimator


def _recipe(spec: Spec, setting: Setting) -> Recipe:
    return Recipe(setting.candidate.estimator, setting.params, spec.train.seed, setting.candidate.scale)


def _grid(position: int, candidate: CandidateSpec) -> Iterator[Setting]:
    names = list(candidate.search)
    for values in itertools.product(*(candidate.search[name] for name in names)):
        yield Setting(position, candidate, {**candidate.params, **dict(zip(names, values, strict=True))})


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
    how += f", one of {processes} side by side" if processes > 1 else ""
    return TrainingError(
        f"{setting.candidate.estimator} with {setting.params or 'its defaults'} cannot be fitted for pipeline "
        f"'{spec.name}': its process {how}.",
        where=f"{spec.folder / FILE}, key `train.candidates.{setting.position}`",
        do="if memory ran out (signal 9), lower `train.jobs` (1: one fit after another, in this process), or give the "
        "task more; else see what the process said above.",
    )
