"""What ``retrain check`` verifies: everything that can be known of a pipeline without running it.

Every mistake is found, not only the first. Of the data only the header and a few rows are read.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain.data.frames import scratch
from retrain.errors import MetricError, RetrainError, SpecError
from retrain.metrics import distances
from retrain.metrics.registry import METRICS
from retrain.settings import Settings
from retrain.sources.base import Place
from retrain.spec import FILE, CandidateSpec, Spec, Task
from retrain.spec.alert import Problem
from retrain.spec.yamlfile import YamlFile

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

HEAD = 50
ALONE = 10


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    :param subject: what, in a word or two.
    :param what: what was found.
    :param where: the file, line and key.
    :param do: what to do; may also be given where nothing is wrong.
    """

    subject: str
    ok: bool
    what: str
    where: str | None = None
    do: str | None = None


def check(folder: Path, settings: Settings) -> list[Finding]:
    """Look at a pipeline's folder."""
    try:
        spec = Spec.load(folder)
    except SpecError as error:
        return [_wrong(FILE, each) for each in (error, *error.also)]
    place = Place.of(spec, settings)
    looks = {
        "source": _source(spec, place),
        "features": _features(spec, place),
        "suite": _suite(spec, place),
        "metric": _metric(spec),
        "distance": _distance(spec),
        "estimators": _estimators(spec),
        "schedule": _schedule(spec),
        "alerts": _alerts(spec),
        "dag": _dag(spec),
    }
    found = [Finding(FILE, True, f"{spec.task} of `{spec.source.label}`, every key is known")]
    return found + [finding for subject, look in looks.items() for finding in _looked(subject, look)]


def _looked(subject: str, look: Iterator[Finding]) -> Iterator[Finding]:
    """What one check finds; an error of ours that it meets is a finding too."""
    try:
        yield from look
    except RetrainError as error:
        yield _wrong(subject, error)


def _wrong(subject: str, error: RetrainError) -> Finding:
    return Finding(subject, False, error.what, error.where, error.do)


def _mistake(spec: Spec, key: str, what: str, do: str) -> SpecError:
    """A mistake at a key of ``pipeline.yaml``."""
    file = spec.folder / FILE
    return SpecError(what, file=file, line=YamlFile.read(file).line(key), key=key, do=do)


# -- data ------------------------------------------------------------------------------------------------------


def _source(spec: Spec, place: Place) -> Iterator[Finding]:
    needed, origins = _needed(spec), _asked(spec, place, "origins")
    wrong = False
    for origin in origins:
        try:
            columns = _asked(spec, place, "columns", origin)
        except RetrainError as error:
            wrong = True
            yield _wrong("source", error)
            continue
        for column in sorted(needed - set(columns)):
            wrong = True
            what = f"Column '{column}' is not in {origin.rpartition('/')[2]}."
            yield Finding("source", False, what, origin, _near(column, columns))
    if not wrong:
        yield Finding("source", True, f"{len(origins)} {spec.source.noun}s match, with all {len(needed)} columns")
        yield from _timestamps(spec, place, origins[-1])


def _asked(spec: Spec, place: Place, method: str, *arguments: object) -> Any:
    """What the source answers.

    :raises SpecError: its code fails.
    """
    try:
        return getattr(spec.source, method)(*arguments, place)
    except RetrainError:
        raise
    except Exception as error:  # whatever somebody's source raises
        what = f"The source '{spec.source.kind}' does not say its {method}: {type(error).__name__}: {error}."
        raise _mistake(spec, "source.kind", what, f"mend its method `{method}`, or the settings it reads.") from error


def _timestamps(spec: Spec, place: Place, origin: str) -> Iterator[Finding]:
    frame = _asked(spec, place, "head", origin, HEAD)
    unread = frame[spec.source.timestamp].isna()
    if unread.any():
        expected = spec.source.timestamp_format or "ISO 8601"
        yield Finding(
            "source",
            False,
            f"{int(unread.sum())} of the first {len(frame)} values of '{spec.source.timestamp}' are not {expected}.",
            origin,
            "set `source.timestamp_format` to the strptime format of the column.",
        )


def _needed(spec: Spec) -> set[str]:
    """Every column that the spec names."""
    return {*spec.source.required_columns, *_judged(spec), *spec.drift.columns}


def _judged(spec: Spec) -> set[str]:
    """Every column that a gate reads."""
    needed: set[str] = set()
    for position, (name, gate) in enumerate(spec.bless.asked.items()):
        try:
            needed |= set(gate.needs())
        except Exception as error:  # whatever a gate of the user's may raise
            what = f"The gate '{name}' does not say which columns it reads: {type(error).__name__}: {error}."
            do = "mend its method `needs`, or leave the gate out."
            raise _mistake(spec, f"bless.gates.{position}", what, do) from error
    return needed


def _near(column: str, columns: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(column, columns, n=1)
    return f"did you mean `{near[0]}`?" if near else f"the file has: {', '.join(columns)}."


# -- features --------------------------------------------------------------------------------------------------


def _features(spec: Spec, place: Place) -> Iterator[Finding]:
    from retrain.model.model import feature_function

    spec.require_file(spec.feature_file, "features", "the module that holds the feature function")
    build = feature_function(spec.feature_file, spec.feature_function)
    head = _asked(spec, place, "head", _asked(spec, place, "origins")[-1], HEAD)
    inputs = head[[name for name in spec.source.input_columns(head.columns) if name in head]]
    problem = _problem(build, inputs)
    test = spec.folder / "test_features.py"
    do = f"test it: pytest {test}" if test.is_file() else f"write a test for it: {test}"
    if problem:
        yield Finding("features", False, problem, str(spec.feature_file), "mend the function; " + do)
    else:
        yield Finding(
            "features", True, f"{spec.features} makes the same features of a row alone as among others", None, do
        )


def _problem(build: Callable[[DataFrame], DataFrame], inputs: DataFrame) -> str:
    """What is wrong with a feature function, tried on a few rows; empty if nothing is."""
    import numpy as np
    import pandas as pd

    try:
        together = build(inputs.copy())
        if not isinstance(together, pd.DataFrame) or not together.index.equals(inputs.index):
            return "It does not return a DataFrame with one row for each row, on the same index."
        texts = [str(name) for name in together.columns if not pd.api.types.is_numeric_dtype(together[name].dtype)]
        if texts:
            return f"These features are not numbers: {', '.join(texts)}."
        for place in range(min(ALONE, len(inputs))):
            alone = build(inputs.iloc[[place]].copy())
            here = together.iloc[[place]]
            if not np.array_equal(
                alone.to_numpy(np.float64, na_value=np.nan), here.to_numpy(np.float64, na_value=np.nan), equal_nan=True
            ):
                return f"Row {place} alone has other features than among other rows: it is not row-wise."
    except Exception as error:
        return f"It fails on the first rows of the data: {type(error).__name__}: {error}."
    return ""


# -- suite -----------------------------------------------------------------------------------------------------


def _suite(spec: Spec, place: Place) -> Iterator[Finding]:
    spec.require_file(spec.suite_file, "validate.expectations", "a Great Expectations suite")
    try:
        expectations = json.loads(spec.suite_file.read_text(encoding="utf-8"))["expectations"]
        kinds = [(one["type"], one.get("kwargs", {})) for one in expectations]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        yield Finding(
            "suite",
            False,
            f"It is no Great Expectations suite: {type(error).__name__}: {error}.",
            str(spec.suite_file),
            'write it as GX stores it: {"name": …, "expectations": [{"type": …, "kwargs": {…}}, …]}.',
        )
        return
    unknown = {kind for kind, _ in kinds} - _known_expectations()
    for kind in sorted(unknown):
        yield Finding(
            "suite",
            False,
            f"GX has no expectation '{kind}'.",
            str(spec.suite_file),
            _near(kind, sorted(_known_expectations())),
        )
    columns = set(_asked(spec, place, "columns", _asked(spec, place, "origins")[-1]))
    for column in sorted({name for _, kwargs in kinds for name in _columns(kwargs)} - columns):
        yield Finding(
            "suite",
            False,
            f"It names column '{column}', which the data lack.",
            str(spec.suite_file),
            _near(column, sorted(columns)),
        )
    if not unknown:
        yield Finding("suite", True, f"{len(kinds)} expectations, each known to Great Expectations")


def _columns(kwargs: dict[str, Any]) -> list[str]:
    """The columns an expectation names."""
    named = [kwargs.get(key) for key in ("column", "column_A", "column_B")]
    lists = [kwargs.get(key) or [] for key in ("column_list", "column_set")]
    return [name for name in (*named, *(name for names in lists for name in names)) if isinstance(name, str)]


def _known_expectations() -> set[str]:
    """The expectations this installation of GX has, by their files: importing GX takes seconds."""
    spec = importlib.util.find_spec("great_expectations")
    folder = Path((spec and spec.origin) or "").parent / "expectations" / "core"
    return {file.stem for file in folder.glob("expect_*.py")} | {"unexpected_rows_expectation"}


# -- measures --------------------------------------------------------------------------------------------------


def _metric(spec: Spec) -> Iterator[Finding]:
    """Somebody's metric, tried on rows that are made up; ours are tried by our tests."""
    if spec.metric in METRICS.values():
        return
    target, answers, weights = _made_up(spec.task)
    try:
        if spec.task == "regression":
            spec.metric.centre(target)
        spec.metric.of(target, answers)(weights)
    except MetricError as error:
        raise _mistake(spec, "bless.metric", error.what, error.do or "mend it.") from error
    yield Finding("metric", True, f"{spec.metric.name} can be computed")


def _made_up(task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sixty rows: a target, answers, and weights."""
    import numpy as np

    rows = np.arange(60)
    if task == "regression":
        return rows / 10, rows / 9, rows % 3.0
    classes = 2 if task == "binary" else 3
    answers = np.full((len(rows), classes), 0.2)
    answers[rows, rows // 7 % classes] = 1 - 0.2 * (classes - 1)
    return rows % classes, answers, rows % 3.0


def _distance(spec: Spec) -> Iterator[Finding]:
    """Somebody's distance, tried on columns that are made up; ours are tried by our tests."""
    import numpy as np

    from retrain.stats.histogram import Histogram

    named, distance = spec.drift.distance, distances.find(spec.drift.distance)
    if named in distances.DISTANCES:
        return
    columns = {"numbers": np.arange(60.0)}
    if not distance.numeric_only:
        columns["texts"] = np.array(["a", "b", "c"] * 20)
    for kind, values in columns.items():
        before = Histogram.from_values(values)
        try:
            far = float(distance.function(before, before.count(values[:20])))
        except Exception as error:  # whatever somebody's distance raises
            what = f"The distance '{named}' fails on {kind}: {type(error).__name__}: {error}."
            raise _mistake(spec, "drift.distance", what, "mend it, or name another.") from error
        if math.isnan(far) or far < 0:
            what = f"The distance '{named}' is {far} on {kind}."
            raise _mistake(spec, "drift.distance", what, "let it be 0 where nothing moved, and more where it did.")
    yield Finding("distance", True, f"{named} can be measured")


# -- training --------------------------------------------------------------------------------------------------


def _estimators(spec: Spec) -> Iterator[Finding]:
    wrong = False
    for number, candidate in enumerate(spec.train.candidates):
        problem = _estimator_problem(candidate)
        if problem:
            wrong = True
            do = "correct the import path or the parameter."
            yield _wrong("estimators", _mistake(spec, f"train.candidates.{number}", problem, do))
    if not wrong:
        names = ", ".join(candidate.estimator.rpartition(".")[2] for candidate in spec.train.candidates)
        yield Finding("estimators", True, f"{names} can be made with these parameters")


def _estimator_problem(candidate: CandidateSpec) -> str:
    module, _, name = candidate.estimator.rpartition(".")
    try:
        made = getattr(importlib.import_module(module), name)(**candidate.params)
        unknown = sorted(set(candidate.search) - set(made.get_params()))
    except Exception as error:  # whatever a module of the user's may raise
        return f"{candidate.estimator} cannot be made: {type(error).__name__}: {error}."
    return f"{name} has no parameter '{unknown[0]}' to search." if unknown else ""


# -- Airflow ---------------------------------------------------------------------------------------------------


def _schedule(spec: Spec) -> Iterator[Finding]:
    from croniter import croniter  # type: ignore[import-untyped]

    if spec.schedule is None:
        yield Finding("schedule", True, "by hand and by events only")
    elif croniter.is_valid(spec.schedule):
        yield Finding("schedule", True, f"'{spec.schedule}'")
    else:
        do = 'write five fields, e.g. "0 6 * * 1" for Mondays at six, or null.'
        yield _wrong("schedule", _mistake(spec, "schedule", f"'{spec.schedule}' is no cron expression.", do))


def _alerts(spec: Spec) -> Iterator[Finding]:
    for number, alert in enumerate(spec.alerts):
        try:
            problem = alert.problem()
        except Exception as error:  # whatever somebody's sender raises
            what = f"The alert '{alert.name}' does not say what is wrong with it: {type(error).__name__}: {error}."
            problem = Problem("to", what, "mend its method `problem`.")
        if problem is None:
            yield Finding("alerts", True, f"{alert.name}, on {', '.join(alert.on)}")
        else:
            yield _wrong("alerts", _mistake(spec, f"alerts.{number}.{problem.key}", problem.what, problem.do))


def _dag(spec: Spec) -> Iterator[Finding]:
    """Would Airflow import it? Airflow's own folder is not touched."""
    with scratch() as home:
        os.environ.setdefault("AIRFLOW_HOME", str(home))
        try:
            from retrain.airflow.dag import RetrainDag

            dag = RetrainDag(spec.folder)
        except RetrainError:
            raise
        except Exception as error:
            yield Finding(
                "dag", False, f"Its Dag cannot be made: {type(error).__name__}: {error}.", str(spec.folder), None
            )
            return
        finally:
            if os.environ["AIRFLOW_HOME"] == str(home):
                del os.environ["AIRFLOW_HOME"]
    yield Finding("dag", True, f"`{dag.dag_id}`, {len(dag.tasks)} tasks")
