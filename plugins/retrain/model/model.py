"""A trained model as it travels: raw rows in, answers out, with its own features code.

A model is an MLflow *pyfunc* folder. Under ``data/`` lie three files, and nothing else is needed to answer:

    estimator.pkl   the fitted scikit-learn estimator
    features.py     the pipeline's feature file, verbatim
    model.json      the signature: task, inputs with their dtypes, feature names, classes (see :class:`Signature`)

This very file and :mod:`retrain.model.rows` are copied into the folder as MLflow's loader, so ``mlflow models serve``
works where this package is not installed. They therefore import the standard library, numpy, pandas and each other;
whatever the pickle needs (scikit-learn) comes with it.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# Relative, because inside a model the package has another name; and never the installed one, which may be another.
from .rows import ModelError, Record, column_of, frame_of

ESTIMATOR, FEATURES, SIGNATURE = "estimator.pkl", "features.py", "model.json"


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives.

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
        """The signature as the text of ``model.json``."""
        return json.dumps(asdict(self), indent=1, sort_keys=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Signature:
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

    :param signature: what it takes and gives.
    :param estimator: the fitted estimator; it sees a float64 matrix.
    :param build: the feature function.
    """

    def __init__(self, signature: Signature, estimator: Any, build: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # comes with scikit-learn

        self.signature = signature
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
            signature = Signature.from_json((data / SIGNATURE).read_text(encoding="utf-8"))
            estimator = pickle.loads((data / ESTIMATOR).read_bytes())
        except Exception as error:
            raise ModelError(
                f"The model cannot be loaded: {type(error).__name__}: {error}.",
                where=data,
                do="load it with the package versions its requirements.txt names; if a file is missing or damaged, "
                "fetch the model again from the store.",
            ) from error
        return cls(signature, estimator, feature_function(data / FEATURES, signature.function))

    def frame(self, records: Sequence[Record]) -> pd.DataFrame:
        """JSON rows as the raw frame the feature function knows from training. Raises :class:`ModelError`."""
        return frame_of(records, self.signature.inputs)

    def conform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A frame with this model's inputs and dtypes. Columns it lacks are missing values, others are dropped."""
        columns = {
            name: frame[name].reset_index(drop=True)
            if name in frame and str(frame[name].dtype) == dtype
            else column_of(name, frame[name].tolist() if name in frame else [None] * len(frame), dtype)
            for name, dtype in self.signature.inputs.items()
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
                where=f"{self.signature.function} in {FEATURES} of the model",
                do="see which input it cannot take; mend the feature function and retrain.",
            ) from error
        expected = list(self.signature.features)
        if len(features) != len(frame) or list(features.columns) != expected:
            raise ModelError(
                f"The feature function returned {len(features)} rows of {list(features.columns)}, "
                f"but {len(frame)} rows of {expected} are expected.",
                where=f"{self.signature.function} in {FEATURES} of the model",
                do="make it return one row for each row and always the same columns; then retrain.",
            )
        return features

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """What the estimator makes of features, unchecked: (n, classes) probabilities, or (n,) numbers.

        It runs on one thread: starting a team of threads for one row costs more than the row.
        """
        rows = matrix(features)
        with self._threads.limit(limits=1):
            if self.signature.task == "regression":
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
        return answers(self.signature, scores)


def answers(signature: Signature, scores: np.ndarray) -> Answers:
    """What the numbers of :meth:`Model.predict` mean: a binary task decides at one half."""
    if signature.task == "regression":
        values = scores.tolist()
        return Answers(values, scores, None, [{"prediction": value} for value in values])
    if signature.task == "binary":
        positive = scores[:, 1]
        chosen = [signature.classes[int(p >= 0.5)] for p in positive]
        output = [{"prediction": c, "probability": p} for c, p in zip(chosen, positive.tolist(), strict=True)]
        return Answers(chosen, positive, scores, output)
    chosen = [signature.classes[best] for best in scores.argmax(axis=1)]
    names = [_name(value) for value in signature.classes]
    output = [
        {"prediction": c, "probabilities": dict(zip(names, row, strict=True))}
        for c, row in zip(chosen, scores.tolist(), strict=True)
    ]
    return Answers(chosen, np.full(len(scores), np.nan), scores, output)


def _name(value: Any) -> str:
    """A class as a JSON key."""
    return value if isinstance(value, str) else json.dumps(value)


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


# -- MLflow ----------------------------------------------------------------------------------------------------


class Pyfunc:
    """The model as MLflow's pyfunc flavour wants it."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, model_input: Any) -> pd.DataFrame:
        """Answer raw rows: a frame, a list of row objects, or a mapping of columns."""
        if isinstance(model_input, list):
            frame = self.model.frame(model_input)
        else:
            frame = self.model.conform(pd.DataFrame(model_input))
        return pd.DataFrame(self.model.answer(frame).output)


def _load_pyfunc(data: str) -> Pyfunc:
    """The entry point MLflow calls with the model's data folder."""
    return Pyfunc(Model.read(Path(data)))
