"""A trained model as it travels: raw rows in, answers out, with its own features code.

A model is an MLflow *pyfunc* folder. Under ``data/`` lie three files, and nothing else is needed to answer:

    estimator.pkl   the fitted scikit-learn estimator
    features.py     the pipeline's feature file, verbatim
    model.json      the card: task, inputs with their dtypes, feature names, classes (see :class:`Card`)

This very file is copied into the folder as MLflow's loader module, so ``mlflow models serve`` works where this
package is not installed. It therefore imports the standard library, numpy and pandas; whatever the pickle needs
(scikit-learn) comes with it.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

try:
    from retrain.errors import ModelError
except ImportError:  # inside a model, served where this package is not installed

    class ModelError(Exception):  # type: ignore[no-redef]
        """A model cannot be loaded or asked."""

        def __init__(self, what: str, *, where: object = None, do: str = "") -> None:
            super().__init__(" ".join([what] + [f"Where: {where}."] * bool(where) + [do] * bool(do)))


ESTIMATOR, FEATURES, CARD = "estimator.pkl", "features.py", "model.json"
Record = Mapping[str, Any]
Column = Callable[[str, list[Any]], Any]
# A number below the limit is an epoch in that unit: seconds until the year 5138, then milliseconds …
EPOCHS: dict[Any, float] = {"s": 1e11, "ms": 1e14, "us": 1e17}


@dataclass(frozen=True)
class Card:
    """What a model says of itself.

    :param task: ``binary``, ``multiclass`` or ``regression``.
    :param function: the feature function's name in ``features.py``.
    :param inputs: raw column → dtype in training, as pandas names it.
    :param features: the feature columns, in the estimator's order.
    :param classes: the labels as JSON values, in the estimator's order; the second is the positive one of a binary
        task; empty for a regression.
    :param metric: the pipeline's deciding metric.
    """

    task: str
    function: str
    inputs: dict[str, str]
    features: tuple[str, ...]
    classes: tuple[Any, ...]
    metric: str

    def to_json(self) -> str:
        """The card as the text of ``model.json``."""
        return json.dumps(asdict(self), indent=1, sort_keys=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read back what :meth:`to_json` wrote. Keys of a later format are ignored."""
        known = {name: value for name, value in json.loads(text).items() if name in cls.__dataclass_fields__}
        return cls(**{**known, "features": tuple(known["features"]), "classes": tuple(known["classes"])})


@dataclass(frozen=True)
class Answers:
    """What a model said to some rows.

    :param predictions: per row the class, or the number; plain JSON values.
    :param scores: per row P(positive class), or the number; NaN for a multiclass task.
    :param probabilities: per row and class; None for a regression.
    :param output: per row what a caller gets.
    """

    predictions: list[Any]
    scores: np.ndarray
    probabilities: np.ndarray | None
    output: list[dict[str, Any]]


class Model:
    """A model that answers.

    :param card: what it says of itself.
    :param estimator: the fitted estimator; it sees a float64 matrix.
    :param build: the feature function.
    """

    def __init__(self, card: Card, estimator: Any, build: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # comes with scikit-learn

        self.card = card
        self.estimator = estimator
        self.build = build
        self._threads = ThreadpoolController()

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """Load an MLflow model folder. It runs code of the folder: check its hashes first.

        :raises ModelError: if a file is missing or cannot be read.
        """
        return cls.read(Path(folder) / "data")

    @classmethod
    def read(cls, data: Path) -> Model:
        """Load the ``data`` folder of a model; see :meth:`load`."""
        try:
            card = Card.from_json((data / CARD).read_text(encoding="utf-8"))
            estimator = pickle.loads((data / ESTIMATOR).read_bytes())
        except Exception as error:
            raise ModelError(
                f"The model cannot be loaded: {type(error).__name__}: {error}.",
                where=data,
                do="load it with the package versions its requirements.txt names; if a file is missing or damaged, "
                "fetch the model again from the store.",
            ) from error
        return cls(card, estimator, feature_function(data / FEATURES, card.function))

    def frame(self, records: Sequence[Record]) -> pd.DataFrame:
        """JSON rows as the raw frame the feature function knows from training; see :func:`frame_of`."""
        return frame_of(records, self.card.inputs)

    def conform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A frame with this model's inputs and dtypes. Columns it lacks are missing values, others are dropped."""
        columns = {
            name: frame[name].reset_index(drop=True)
            if name in frame and str(frame[name].dtype) == dtype
            else _column(dtype)(name, frame[name].tolist() if name in frame else [None] * len(frame))
            for name, dtype in self.card.inputs.items()
        }
        return pd.DataFrame(columns, index=pd.RangeIndex(len(frame)), copy=False)

    def features(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The features of raw rows, in the estimator's order.

        :raises ModelError: if the feature function fails or returns other rows or columns than in training.
        """
        try:
            features = self.build(frame)
        except Exception as error:
            raise ModelError(
                f"The feature function failed: {type(error).__name__}: {error}.",
                where=f"{self.card.function} in {FEATURES} of the model",
                do="see which input it cannot take; mend the feature function and retrain.",
            ) from error
        expected = list(self.card.features)
        if len(features) != len(frame) or list(features.columns) != expected:
            raise ModelError(
                f"The feature function returned {len(features)} rows of {list(features.columns)}, "
                f"but {len(frame)} rows of {expected} are expected.",
                where=f"{self.card.function} in {FEATURES} of the model",
                do="make it return one row for each row and always the same columns; then retrain.",
            )
        return features

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """What the estimator makes of features, unchecked: (n, classes) probabilities, or (n,) numbers.

        It runs on one thread: starting a team of threads for one row costs more than the row.
        """
        rows = matrix(features)
        with self._threads.limit(limits=1):
            if self.card.task == "regression":
                return np.asarray(self.estimator.predict(rows), dtype=np.float64).reshape(len(rows))
            return np.asarray(self.estimator.predict_proba(rows), dtype=np.float64)

    def answer(self, frame: pd.DataFrame) -> Answers:
        """Answer raw rows.

        :raises ModelError: if the features fail, or an answer is NaN or infinite: that is no answer.
        """
        scores = self.predict(self.features(frame))
        if not np.isfinite(scores).all():
            bad = int(np.flatnonzero(~np.isfinite(scores.reshape(len(scores), -1)).all(axis=1))[0])
            raise ModelError(
                f"The model's answer to row {bad} is not a finite number.",
                do="see that row's inputs; a model that does this on ordinary rows should be rolled back.",
            )
        return answers(self.card, scores)


def answers(card: Card, scores: np.ndarray) -> Answers:
    """What the numbers of :meth:`Model.predict` mean: a binary task decides at one half."""
    if card.task == "regression":
        values = scores.tolist()
        return Answers(values, scores, None, [{"prediction": value} for value in values])
    if card.task == "binary":
        positive = scores[:, 1]
        chosen = [card.classes[int(p >= 0.5)] for p in positive]
        output = [{"prediction": c, "probability": p} for c, p in zip(chosen, positive.tolist(), strict=True)]
        return Answers(chosen, positive, scores, output)
    chosen = [card.classes[best] for best in scores.argmax(axis=1)]
    names = [_name(value) for value in card.classes]
    output = [
        {"prediction": c, "probabilities": dict(zip(names, row, strict=True))}
        for c, row in zip(chosen, scores.tolist(), strict=True)
    ]
    return Answers(chosen, np.full(len(scores), np.nan), scores, output)


def matrix(features: pd.DataFrame) -> np.ndarray:
    """Features as the float64 matrix an estimator is fitted on and asked with; missing values are NaN."""
    return features.to_numpy(dtype=np.float64, na_value=np.nan)


def feature_function(file: Path, name: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A function of a feature file, imported under a private name, so that two versions live in one process.

    No bytecode is written beside the file: a model's folder keeps its hash.

    :raises ModelError: if the file cannot be run or does not define the function.
    """
    try:
        source = file.read_bytes()
        module = types.ModuleType(f"_retrain_features_{hashlib.sha256(str(file).encode() + source).hexdigest()[:24]}")
        module.__file__ = str(file)
        sys.modules[module.__name__] = module
        exec(compile(source, str(file), "exec"), module.__dict__)
        function: Callable[[pd.DataFrame], pd.DataFrame] = getattr(module, name)
    except Exception as error:
        raise ModelError(
            f"The feature function '{name}' cannot be imported: {type(error).__name__}: {error}.",
            where=file,
            do="the file may import only what is installed where the model serves; mend it and retrain.",
        ) from error
    return function


# -- JSON rows and frames --------------------------------------------------------------------------------------


def frame_of(records: Sequence[Record], dtypes: Mapping[str, str]) -> pd.DataFrame:
    """JSON rows as a frame with the given columns and dtypes.

    Missing keys, nulls and NaN are missing values; keys that are no column are ignored. Values are converted where
    the meaning is plain (``"12"`` for a number, ``1`` for a boolean, ISO 8601 text or an epoch for a timestamp). An
    integer or boolean column with missing values becomes float64 or object, as pandas itself does.

    :param dtypes: column → dtype, as pandas names it.
    :raises ModelError: for a value that cannot be what its column holds; it names row and column.
    """
    for row, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise ModelError(f"Row {row} is {_show(record)}, not a JSON object of column names and values.")
    columns = {name: _column(dtype)(name, [r.get(name) for r in records]) for name, dtype in dtypes.items()}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(records)), copy=False)


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as JSON-able dicts; the inverse of :func:`frame_of`. Missing values become None."""
    columns = {str(name): [_plain(value) for value in frame[name].tolist()] for name in frame.columns}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@lru_cache(maxsize=256)
def _column(dtype: str) -> Column:
    """How a column of this dtype is made of JSON values."""
    name = dtype.lower()
    if name.startswith("float"):
        return partial(_floats, dtype=dtype)
    if name.startswith(("int", "uint")):
        return partial(_integers, dtype=dtype)
    if name.startswith("bool"):
        return partial(_booleans, dtype=dtype)
    if name.startswith("datetime64"):
        return partial(_timestamps, dtype=dtype)
    if name.startswith(("str", "category")):
        return partial(_texts, dtype="str" if name == "category" else dtype)
    if name == "object":
        return _objects
    raise ModelError(
        f"A raw input of dtype '{dtype}' cannot come as JSON.",
        do="turn that column into numbers, booleans, text or timestamps at the source, then retrain.",
    )


def _floats(name: str, values: list[Any], dtype: str) -> Any:
    try:
        column = np.array(values, dtype=np.float64)  # None becomes NaN, "1.5" becomes 1.5
    except (TypeError, ValueError, OverflowError):
        column = np.array([_number(name, row, value) for row, value in enumerate(values)], dtype=np.float64)
    if column.ndim != 1:
        raise _impossible(name, 0, values[0], "a number")
    return column if dtype == "float64" else _array(column, dtype)


def _integers(name: str, values: list[Any], dtype: str) -> Any:
    whole = [_whole(name, row, value) for row, value in enumerate(values)]
    if dtype[0].isupper():
        if all(value is None or isinstance(value, int) for value in whole):
            return _array(whole, dtype)
    elif all(isinstance(value, int) for value in whole):
        try:
            return np.array(whole, dtype=dtype)
        except OverflowError:
            pass
    return _floats(name, whole, "float64")


def _booleans(name: str, values: list[Any], dtype: str) -> Any:
    truth = [_boolean(name, row, value) for row, value in enumerate(values)]
    if dtype == "bool" and None in truth:
        return _objects(name, truth)
    return np.array(truth, dtype=bool) if dtype == "bool" else _array(truth, dtype)


def _texts(name: str, values: list[Any], dtype: str) -> Any:
    return _array([_text(name, row, value) for row, value in enumerate(values)], dtype)


def _objects(name: str, values: list[Any]) -> Any:
    column = np.empty(len(values), dtype=object)
    column[:] = [None if _missing(value) else value for value in values]
    return pd.Series(column, dtype=object)  # as an array, its strings would become dtype str


def _array(values: Any, dtype: Any) -> Any:
    return pd.array(values, dtype=dtype)


def _timestamps(name: str, values: list[Any], dtype: str) -> Any:
    unit, _, zone = dtype[len("datetime64[") : -1].partition(", ")
    moments = [_timestamp(name, row, value, unit) for row, value in enumerate(values)]
    index = pd.DatetimeIndex(np.array(moments, dtype=f"datetime64[{unit}]"))
    return index.tz_localize("UTC").tz_convert(zone) if zone else index


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def _number(name: str, row: int, value: Any) -> float:
    if _missing(value):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise _impossible(name, row, value, "a number") from None


def _whole(name: str, row: int, value: Any) -> int | float | None:
    """An int where the value is a whole number, a float where it is another number, None where it is missing."""
    if _missing(value):
        return None
    if isinstance(value, int | np.integer | np.bool_):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    number = _number(name, row, value)
    return int(number) if number.is_integer() else number


def _boolean(name: str, row: int, value: Any) -> bool | None:
    if _missing(value):
        return None
    known = {True: True, False: False, "true": True, "false": False, "1": True, "0": False}
    key = value.strip().lower() if isinstance(value, str) else value
    try:
        return known[key]
    except (KeyError, TypeError):
        raise _impossible(name, row, value, "true or false") from None


def _text(name: str, row: int, value: Any) -> str | None:
    if _missing(value):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return str(value)
    raise _impossible(name, row, value, "text")


def _timestamp(name: str, row: int, value: Any, unit: Any) -> np.datetime64:
    """A moment in UTC. Text is ISO 8601; without a zone it is UTC. A number is an epoch in s, ms, µs or ns by size."""
    if _missing(value):
        return np.datetime64("NaT", "s")
    try:
        moment = _moment(value)
        if moment.tzinfo is not None:
            moment = moment.tz_convert("UTC").tz_localize(None)
        return moment.as_unit(unit).to_datetime64()
    except (TypeError, ValueError, OverflowError):
        raise _impossible(name, row, value, "a timestamp, e.g. 2013-04-01T17:05:00Z or an epoch") from None


def _moment(value: Any) -> pd.Timestamp:
    if isinstance(value, str):
        datetime.fromisoformat(value)  # refuses what pandas would complete with today's date
        return pd.Timestamp(value)
    if isinstance(value, int | float | np.integer) and not isinstance(value, bool):
        unit = next((unit for unit, limit in EPOCHS.items() if abs(float(value)) < limit), "ns")
        return pd.Timestamp(value, unit=unit)
    if isinstance(value, date | np.datetime64):  # datetimes and pandas' timestamps are dates too
        return pd.Timestamp(value)
    raise TypeError


def _plain(value: Any) -> Any:
    """One cell as a JSON value."""
    if _missing(value):
        return None
    if isinstance(value, pd.Timestamp | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, np.generic):
        return value.item()
    return value


def _name(value: Any) -> str:
    """A class as a JSON key."""
    return value if isinstance(value, str) else json.dumps(value)


def _impossible(name: str, row: int, value: Any, expected: str) -> ModelError:
    return ModelError(
        f"Column '{name}' of row {row} is {_show(value)}, but should be {expected}.",
        do="correct the request; send null where the value is not known.",
    )


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


# -- MLflow ----------------------------------------------------------------------------------------------------


class Pyfunc:
    """The model as MLflow's pyfunc flavour wants it."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answer raw rows: a frame, a list of row objects, or a mapping of columns."""
        if isinstance(model_input, list):
            frame = self.model.frame(model_input)
        else:
            frame = self.model.conform(pd.DataFrame(model_input))
        return pd.DataFrame(self.model.answer(frame).output)


def _load_pyfunc(data: str) -> Pyfunc:
    """The entry point MLflow calls with the model's data folder."""
    return Pyfunc(Model.read(Path(data)))
