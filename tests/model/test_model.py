from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.errors import ModelError
from retrain.model import model as serving
from retrain.model import packaging
from retrain.model.model import Card, Model, frame_of, records_of

DTYPES = {
    "whole": "int64",
    "small": "int8",
    "number": "float64",
    "single": "float32",
    "truth": "bool",
    "text": "str",
    "at": "datetime64[us, UTC]",
    "local": "datetime64[ns]",
    "some": "Int64",
    "maybe": "boolean",
    "odd": "object",
}
FEATURES = """
import pandas as pd

def build(frame):
    return pd.DataFrame({"x": frame["x"] * SCALE, "red": (frame["colour"] == "red").astype(float)}, index=frame.index)

SCALE = 1.0
"""
INPUTS = {"x": "float64", "colour": "str"}


# -- rows and frames -------------------------------------------------------------------------------------------

moments = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1))
rows = st.fixed_dictionaries(
    {
        "whole": st.integers(-(2**63), 2**63 - 1),
        "small": st.integers(-128, 127),
        "number": st.none() | st.floats(allow_nan=False),
        "single": st.floats(width=32, allow_nan=False),
        "truth": st.booleans(),
        "text": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        "at": st.none() | moments.map(lambda moment: moment.replace(tzinfo=UTC)),
        "local": st.none() | moments,
        "some": st.none() | st.integers(-(2**63), 2**63 - 1),
        "maybe": st.none() | st.booleans(),
        "odd": st.none() | st.text(max_size=3),
    }
)


@given(st.lists(rows, max_size=5))
def test_rows_survive_the_way_through_json(records: list[dict[str, Any]]) -> None:
    frame = frame_of(records, DTYPES)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == DTYPES
    through = json.loads(json.dumps(records_of(frame)))
    pd.testing.assert_frame_equal(frame_of(through, DTYPES), frame)
    for plain, record in zip(through, records, strict=True):
        assert plain["whole"] == record["whole"]
        assert plain["number"] == record["number"]
        assert plain["text"] == record["text"]


@given(st.lists(rows, min_size=2, max_size=5))
def test_a_row_alone_is_the_row_among_others(records: list[dict[str, Any]]) -> None:
    whole = frame_of(records, DTYPES)
    alone = pd.concat([frame_of([record], DTYPES) for record in records], ignore_index=True)
    pd.testing.assert_frame_equal(whole, alone)


@pytest.mark.parametrize(
    ("column", "value", "becomes"),
    [
        ("whole", "12", 12),
        ("whole", 12.0, 12),
        ("whole", True, 1),
        ("whole", 12.5, 12.5),
        ("whole", 10**30, 1e30),
        ("number", "1.5", 1.5),
        ("number", 2, 2.0),
        ("truth", "True", True),
        ("truth", 0, False),
        ("text", 7, "7"),
        ("at", "2013-04-01T17:05:00+02:00", pd.Timestamp("2013-04-01T15:05Z")),
        ("at", "2013-04-01", pd.Timestamp("2013-04-01T00:00Z")),
        ("at", 1364836000, pd.Timestamp(1364836000, unit="s", tz="UTC")),
        ("at", 1364836000123, pd.Timestamp(1364836000123, unit="ms", tz="UTC")),
        ("local", "2013-04-01T17:05:00+02:00", pd.Timestamp("2013-04-01T15:05")),
        ("odd", [1, 2], [1, 2]),
    ],
)
def test_plain_meanings_are_understood(column: str, value: Any, becomes: Any) -> None:
    found = frame_of([{column: value}], {column: DTYPES[column]})[column].iloc[0]
    assert found == becomes
    assert isinstance(found, bool | np.bool_) == isinstance(becomes, bool)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("whole", "twelve"),
        ("whole", [1]),
        ("whole", ""),
        ("number", "x"),
        ("number", [1.0]),
        ("number", {"a": 1}),
        ("number", 10**400),
        ("truth", 2),
        ("truth", "perhaps"),
        ("truth", []),
        ("text", True),
        ("text", ["a"]),
        ("at", "yesterday"),
        ("at", "10"),
        ("at", True),
        ("at", 1e300),
        ("at", float("inf")),
        ("local", "9999-01-01"),
        ("some", "x"),
    ],
)
def test_an_impossible_value_is_refused_by_name(column: str, value: Any) -> None:
    with pytest.raises(ModelError, match=f"Column '{column}' of row 1"):
        frame_of([{}, {column: value}], {column: DTYPES[column]})


@given(
    st.dictionaries(
        st.sampled_from(sorted(DTYPES)),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
            max_leaves=3,
        ),
    )
)
def test_any_json_gives_a_frame_or_a_clear_error(record: dict[str, Any]) -> None:
    try:
        frame = frame_of([record], DTYPES)
    except ModelError as error:
        said = str(error)
    else:
        said = "Column '"
        assert list(frame) == list(DTYPES)
    assert "Column '" in said


def test_missing_and_unknown_keys() -> None:
    frame = frame_of([{"unknown": 1}, {"whole": 3, "truth": True}], DTYPES)
    assert list(frame) == list(DTYPES)
    assert frame.iloc[0].isna().all()
    assert frame["whole"].tolist()[1] == 3


def test_a_row_that_is_no_object_is_refused() -> None:
    with pytest.raises(ModelError, match="Row 1 is 'x', not a JSON object"):
        frame_of([{}, "x"], DTYPES)  # type: ignore[list-item]


# -- models ----------------------------------------------------------------------------------------------------


def write(
    folder: Path,
    estimator: Any,
    *,
    task: str = "binary",
    classes: tuple[Any, ...] = (False, True),
    code: str = FEATURES,
) -> Path:
    """A model's folder, as the train stage writes it."""
    source = folder.with_suffix(".py")
    source.write_text(code)
    card = Card(task, "build", INPUTS, ("x", "red"), classes, "brier")
    packaging.write_model(folder, estimator, card, source, packaging.environment("sklearn.linear_model.Ridge"))
    return folder


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """Features x and red, and a class that follows x."""
    random = np.random.default_rng(0)
    x = random.normal(size=400)
    return np.column_stack([x, random.integers(0, 2, 400)]), (x > 0).astype(int)


@pytest.fixture
def binary(tmp_path: Path, data: Any) -> Path:
    """A binary model's folder."""
    from sklearn.linear_model import LogisticRegression

    return write(tmp_path / "binary", LogisticRegression().fit(*data))


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
    model = Model.load(write(tmp_path / "m", fitted, task="multiclass", classes=("low", 7, "high")))
    answers = model.answer(model.frame([{"x": 3.0}, {"x": 0.0}]))
    assert answers.predictions == ["high", 7]
    assert set(answers.output[0]["probabilities"]) == {"low", "7", "high"}
    assert np.isnan(answers.scores).all()
    json.dumps(answers.output)


def test_a_regression_answers(tmp_path: Path, data: Any) -> None:
    from sklearn.linear_model import Ridge

    model = Model.load(write(tmp_path / "r", Ridge().fit(data[0], data[0][:, 0]), task="regression", classes=()))
    answers = model.answer(model.frame([{"x": 1.0}]))
    assert answers.predictions == answers.scores.tolist() == pytest.approx([1.0], abs=0.01)
    assert answers.output == [{"prediction": answers.predictions[0]}]


def test_two_versions_live_in_one_process(tmp_path: Path, data: Any) -> None:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression().fit(*data)
    one = Model.load(write(tmp_path / "one", fitted))
    two = Model.load(write(tmp_path / "two", fitted, code=FEATURES.replace("SCALE = 1.0", "SCALE = -1.0")))
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
    card = Card("binary", "build", {"x": "float64"}, ("x", "y"), (0, 1), "brier")
    model = Model(card, NaN(), lambda frame: pd.DataFrame({"x": frame["x"], "y": frame["x"]}))
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

    return write(tmp_path / "m", LogisticRegression().fit(*data), code=code)


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


def test_the_same_model_has_the_same_bytes(tmp_path: Path, data: Any) -> None:
    from sklearn.linear_model import LogisticRegression

    from retrain.model.store import manifest

    first, second = (write(tmp_path / name, LogisticRegression().fit(*data)) for name in ("a", "b"))
    assert manifest(first) == manifest(second)


def test_mlflow_serves_it_where_this_package_is_not_installed(binary: Path) -> None:
    """Raw rows through MLflow's own scoring code, in a process that cannot import retrain."""
    rows = [{"x": 2, "colour": "red"}, {"x": -2, "colour": "blue"}]
    script = f"""
import sys
sys.modules["retrain"] = None
import mlflow.pyfunc
from mlflow.pyfunc.scoring_server import invocations
model = mlflow.pyfunc.load_model({str(binary)!r})
body = {json.dumps({"dataframe_records": rows})!r}
print(invocations(body, "application/json", model, model.metadata.get_input_schema()).response)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    predictions = json.loads(done.stdout.strip().splitlines()[-1])["predictions"]
    model = Model.load(binary)
    assert predictions == model.answer(model.frame(rows)).output


def test_mlflows_signature_lets_missing_values_and_zones_through(tmp_path: Path) -> None:
    import mlflow.pyfunc

    inputs = {"n": "int64", "x": "float64", "at": "datetime64[us, UTC]", "ok": "bool", "text": "str"}
    card = Card("binary", "build", inputs, ("x",), (0, 1), "brier")
    from sklearn.dummy import DummyClassifier

    source = tmp_path / "f.py"
    source.write_text("def build(frame):\n    return frame[['x']]\n")
    estimator = DummyClassifier().fit([[0.0], [1.0]], [0, 1])
    packaging.write_model(tmp_path / "m", estimator, card, source, packaging.environment("sklearn.dummy.X"))
    model = mlflow.pyfunc.load_model(str(tmp_path / "m"))
    whole = frame_of([{"n": 1, "x": 1.0, "at": "2020-01-01T00:00:00Z", "ok": True, "text": "a"}], inputs)
    assert len(model.predict(whole)) == 1
    assert len(model.predict(frame_of([{"n": None, "x": None, "at": None, "text": None}], inputs))) == 1
    assert serving.Card.from_json((tmp_path / "m" / "data" / "model.json").read_text()) == card
