"""What a model answers, and what it says when it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model_world import FEATURES, write_model
from retrain.errors import ModelError
from retrain.model.model import Model, Signature


def test_a_binary_model_answers(binary: Path) -> None:
    model = Model.load(binary)
    answers = model.answer(model.frame([{"x": 2.0, "colour": "red"}, {"x": "-2"}]))
    assert answers.predictions == [True, False]
    assert answers.output[0] == {"prediction": True, "probability": answers.scores[0]}
    assert answers.scores[0] > 0.9 > 0.1 > answers.scores[1]
    json.dumps(answers.output)


def test_a_multiclass_model_answers(tmp_path: Path, data: Any) -> None:
    from sklearn.linear_model import LogisticRegression

    target = np.digitize(data[0][:, 0], [-0.5, 0.5])
    fitted = LogisticRegression().fit(data[0], target)
    model = Model.load(write_model(tmp_path / "m", fitted, task="multiclass", classes=("low", 7, "high")))
    answers = model.answer(model.frame([{"x": 3.0}, {"x": 0.0}]))
    assert answers.predictions == ["high", 7]
    assert set(answers.output[0]["probabilities"]) == {"low", "7", "high"}
    assert np.isnan(answers.scores).all()
    json.dumps(answers.output)


def test_a_regression_answers(tmp_path: Path, data: Any) -> None:
    from sklearn.linear_model import Ridge

    model = Model.load(write_model(tmp_path / "r", Ridge().fit(data[0], data[0][:, 0]), task="regression", classes=()))
    answers = model.answer(model.frame([{"x": 1.0}]))
    assert answers.predictions == answers.scores.tolist() == pytest.approx([1.0], abs=0.01)
    assert answers.output == [{"prediction": answers.predictions[0]}]


def test_two_versions_live_in_one_process(tmp_path: Path, data: Any) -> None:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit(*data)
    one = Model.load(write_model(tmp_path / "one", fitted))
    two = Model.load(write_model(tmp_path / "two", fitted, code=FEATURES.replace("SCALE = 1.0", "SCALE = -1.0")))
    row = [{"x": 2.0, "colour": "red"}]
    assert one.answer(one.frame(row)).predictions == [True]
    assert two.answer(two.frame(row)).predictions == [False]
    assert one.answer(one.frame(row)).predictions == [True]


def test_loading_leaves_nothing_behind(binary: Path) -> None:
    before = sorted(binary.rglob("*"))
    model = Model.load(binary)
    model.answer(model.frame([{"x": 1.0}]))
    assert sorted(binary.rglob("*")) == before


def test_no_rows_give_no_answers(binary: Path) -> None:
    model = Model.load(binary)
    assert model.frame([]).empty
    assert model.conform(pd.DataFrame({"x": []})).empty


def test_a_frame_is_conformed_to_what_the_model_knows(binary: Path) -> None:
    model = Model.load(binary)
    frame = model.conform(pd.DataFrame({"colour": ["red"], "x": [1], "more": [0]}, index=[7]))
    pd.testing.assert_frame_equal(frame, model.frame([{"x": 1.0, "colour": "red"}]))
    assert model.conform(pd.DataFrame({"x": [1.0, 2.0]}))["colour"].isna().all()


class NaN:
    """An estimator that answers nothing."""

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        return np.where(rows > 1, np.nan, 0.5)


def test_an_answer_that_is_not_a_number_is_no_answer() -> None:
    signature = Signature("binary", "build", {"x": "float64"}, ("x", "y"), (0, 1), "brier")
    model = Model(signature, NaN(), lambda frame: pd.DataFrame({"x": frame["x"], "y": frame["x"]}))
    assert model.answer(model.frame([{"x": 0.0}])).predictions == [1]
    with pytest.raises(ModelError, match="answer to row 1 is not a finite number"):
        model.answer(model.frame([{"x": 0.0}, {"x": 2.0}]))


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def build(frame):\n    return frame[['x']]\n", r"2 rows of \['x'\]"),
        ("def build(frame):\n    return frame[['x']].assign(red=0.0).head(1)\n", "1 rows of"),
        ("def build(frame):\n    return 1 / 0\n", "ZeroDivisionError"),
        ("def build(frame):\n    return frame['no such']\n", "KeyError"),
    ],
)
def test_features_that_fail_are_a_model_error(tmp_path: Path, data: Any, code: str, says: str) -> None:
    model = Model.load(_with(tmp_path, data, code))
    with pytest.raises(ModelError, match=says):
        model.answer(model.frame([{"x": 1.0}, {"x": 2.0}]))


def _with(tmp_path: Path, data: Any, code: str) -> Path:
    from sklearn.linear_model import LogisticRegression

    return write_model(tmp_path / "m", LogisticRegression().fit(*data), code=code)


@pytest.mark.parametrize(
    "code", ["def build(frame:\n", "import no_such_package\n\ndef build(frame): ...\n", "def make(frame): ...\n"]
)
def test_feature_code_that_cannot_be_imported_is_a_model_error(tmp_path: Path, data: Any, code: str) -> None:
    with pytest.raises(ModelError, match="feature function 'build' cannot be imported"):
        Model.load(_with(tmp_path, data, code))


@pytest.mark.parametrize("name", ["estimator.pkl", "model.json", "features.py"])
def test_a_folder_that_is_not_whole_is_a_model_error(binary: Path, name: str) -> None:
    (binary / "data" / name).unlink()
    with pytest.raises(ModelError):
        Model.load(binary)


def test_a_damaged_file_is_a_model_error(binary: Path) -> None:
    (binary / "data" / "estimator.pkl").write_bytes(b"no pickle")
    with pytest.raises(ModelError, match="cannot be loaded: UnpicklingError"):
        Model.load(binary)
