"""Features: labels, the split by time, and the proof that training and serving see the same numbers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from retrain.data.holdout import raw_holdout
from retrain.errors import DataError, FeatureError, SpecError, ValidationFailed
from retrain.stages import features as module

DAY = timedelta(days=1)
NO_LABEL_EXPRESSION: dict[str, Any] = {"label": "delay", "label_expression": None}


def a_function(*lines: str) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"import numpy as np\nimport pandas as pd\n\ndef build(frame):\n{body}\n"


def test_rows_with_a_label_are_split_by_time(orders: Any) -> None:
    frame = orders.frame()
    orders.write(frame)
    made = orders.features()
    train, holdout, raw = orders.train(made), orders.holdout(made), raw_holdout(made, orders.site)
    labelled = frame[frame["delay"].notna()]
    newest = labelled["at"].max()
    assert made.split_at == newest - 14 * DAY
    assert train["__time__"].max() < made.split_at <= holdout["__time__"].min()
    assert (len(train), len(holdout)) == (made.train_rows, made.holdout_rows)
    assert len(train) + len(holdout) == len(labelled)
    assert made.features == ("price", "rain", "kind", "hour")
    assert list(train.columns) == [*made.features, "__label__", "__time__", "__entity__"]
    assert list(raw.columns) == list(made.inputs) == ["at", "shop", "price", "kind", "rain"]
    np.testing.assert_array_equal(raw["price"], holdout["price"])
    expected = (labelled["delay"] >= 0).tolist()
    assert [*train["__label__"], *holdout["__label__"]] == expected
    assert [*train["__entity__"], *holdout["__entity__"]] == labelled["shop"].astype(str).tolist()
    assert made.classes == ("false", "true")
    assert made.parity_rows == len(labelled)


@pytest.mark.parametrize("shops", [["Kiel", None], [7, None]])
def test_an_entity_that_is_missing_is_missing_and_no_text(orders: Any, shops: list[Any]) -> None:
    frame = orders.frame()
    orders.write(frame.assign(shop=[shops[row % 2] for row in range(len(frame))]))
    made = orders.features()
    entities = pd.concat([orders.train(made)["__entity__"], orders.holdout(made)["__entity__"]])
    assert set(entities.dropna()) == {str(shops[0])}
    assert 0 < entities.isna().sum() < len(entities)
    assert str(entities.dtype) == "str"


def test_it_is_done_once_and_anew_for_other_code(orders: Any) -> None:
    orders.write(orders.frame())
    first = orders.features()
    assert orders.features() == first
    orders.site.store.delete(first.path("orders", first.key))
    when = {"made_at", "validation"}
    assert orders.features().model_dump(exclude=when) == first.model_dump(exclude=when)
    orders.write_features(a_function("return frame[['price']]"))
    other = orders.features()
    assert (other.key != first.key, other.code != first.code) == (True, True)


def test_chunks_make_no_difference(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    orders.write(orders.frame())
    whole = orders.features()
    rows = orders.train(whole)
    for path in (whole.path("orders", whole.key), *orders.site.store.list("orders/data/features")):
        orders.site.store.delete(path)
    monkeypatch.setattr(module, "CHUNK", 97)
    pieces = orders.features()
    pd.testing.assert_frame_equal(orders.train(pieces), rows)
    assert pieces.parity_rows == whole.parity_rows


def test_the_function_sees_inputs_only(orders: Any) -> None:
    orders.write(orders.frame())
    orders.write_features(a_function("assert list(frame.columns) == ['price', 'kind']", "return frame[['price']]"))
    orders.features(orders.spec(source={"inputs": ["price", "kind"]}))


def test_by_default_it_sees_all_but_the_label_and_the_key(orders: Any) -> None:
    orders.write(orders.frame())
    orders.write_features(a_function("return frame[['price']]"))
    assert set(orders.features(orders.spec(source={"inputs": []})).inputs) == {"at", "shop", "price", "kind", "rain"}


def test_what_the_function_does_to_its_rows_stays_there(orders: Any) -> None:
    orders.write(orders.frame())
    orders.write_features(a_function("frame['price'] = frame['price'] * 2", "return frame[['price']]"))
    made = orders.features()
    assert (raw_holdout(made, orders.site)["price"] * 2 == orders.holdout(made)["price"]).all()


def test_infinity_is_kept_for_the_gate_to_judge(orders: Any) -> None:
    frame = orders.frame()
    frame.loc[1, "price"] = 0.0
    orders.write(frame)
    orders.write_features(a_function("return pd.DataFrame({'inverse': 1 / frame['price']})"))
    assert np.isinf(orders.train(orders.features())["inverse"]).sum() == 1


def test_nothing_is_written_beside_the_feature_file(orders: Any) -> None:
    orders.write(orders.frame())
    orders.features()
    assert sorted(file.name for file in orders.folder.iterdir()) == ["expectations.json", "features.py"]


def test_invalid_data_makes_no_features(orders: Any) -> None:
    frame = orders.frame()
    frame.loc[3, "price"] = np.nan
    orders.write(frame)
    with pytest.raises(ValidationFailed):
        orders.features(validation=orders.validate())


# -- labels ------------------------------------------------------------------------------------------------------


def test_rows_newer_than_the_label_delay_are_not_used(orders: Any) -> None:
    orders.write(orders.frame())
    made = orders.features(orders.spec(source={"label_delay": "10d"}))
    newest = orders.holdout(made)["__time__"].max()
    end = datetime.fromisoformat("2013-03-02T00:00:00+00:00")
    assert end - 11 * DAY < newest < end - 10 * DAY


@pytest.mark.parametrize("part", ["training rows", "held-out rows"])
def test_a_label_with_one_class_is_refused(orders: Any, part: str) -> None:
    frame = orders.frame()
    late = frame["at"] >= frame["at"].max() - 14.1 * DAY
    frame.loc[late if part == "held-out rows" else frame["at"] < frame["at"].max() - 13 * DAY, "delay"] = 5.0
    orders.write(frame)
    with pytest.raises(DataError, match=rf"one class only in the [\d,]+ {part}: True"):
        orders.features()


@pytest.mark.parametrize(
    ("task", "label", "match"),
    [
        ("binary", [0, 1, 2], "two classes, and these are 3: 0, 1, 2"),
        ("binary", [0.5, 1.5], "classes cannot be fractions, e.g. 0.5"),
        ("multiclass", [pd.Timestamp("2013-01-01")], "datetime"),
        ("regression", ["a", "b"], "a regression needs numbers, and these are string"),
        ("regression", [True, False], "a regression needs numbers, and these are boolean"),
        ("regression", [1.0, np.inf], "are infinite"),
    ],
)
def test_a_label_that_does_not_fit_the_task(orders: Any, task: str, label: list[Any], match: str) -> None:
    frame = orders.frame()
    orders.write(frame.assign(delay=[label[row % len(label)] for row in range(len(frame))]))
    with pytest.raises(DataError, match=match):
        orders.features(orders.spec(source=NO_LABEL_EXPRESSION, task=task))


@pytest.mark.parametrize(
    ("task", "label", "dtype", "classes"),
    [
        ("binary", [0.0, 1.0, None], "int64", ("0", "1")),
        ("binary", ["yes", "no", None], "str", ("no", "yes")),
        ("binary", [True, False, None], "bool", ("false", "true")),
        ("multiclass", [3, 1, 2], "int64", ("1", "2", "3")),
        ("regression", [1, 2, 3], "float64", ()),
    ],
)
def test_labels_have_the_type_that_fits(
    orders: Any, task: str, label: list[Any], dtype: str, classes: tuple[str, ...]
) -> None:
    frame = orders.frame()
    orders.write(frame.assign(delay=[label[row % len(label)] for row in range(len(frame))]))
    made = orders.features(orders.spec(source=NO_LABEL_EXPRESSION, task=task))
    train = orders.train(made)["__label__"]
    assert (str(train.dtype), made.classes) == (dtype, classes)
    assert train.notna().all()


def test_a_class_that_only_the_holdout_has_is_refused(orders: Any) -> None:
    frame = orders.frame()
    frame["delay"] = np.arange(len(frame)) % 2
    frame.loc[frame.index[-1], "delay"] = 7
    orders.write(frame)
    with pytest.raises(DataError, match="class that no training row has: 7"):
        orders.features(orders.spec(source=NO_LABEL_EXPRESSION, task="multiclass"))


def test_no_label_at_all(orders: Any) -> None:
    orders.write(orders.frame().assign(delay=np.nan))
    with pytest.raises(DataError, match="of 1,200 rows, 1,200 have no label"):
        orders.features()


def test_too_little_history_to_hold_anything_out(orders: Any) -> None:
    orders.write(orders.frame().iloc[-50:])
    with pytest.raises(DataError, match=r"nothing to train on.*holdout 2w"):
        orders.features()


@pytest.mark.parametrize(
    ("expression", "match"), [("delay.nosuch()", "cannot be computed"), ("delay + kind", "cannot be computed")]
)
def test_a_label_expression_that_fails(orders: Any, expression: str, match: str) -> None:
    orders.write(orders.frame())
    with pytest.raises(DataError, match=match):
        orders.features(orders.spec(source={"label_expression": expression, "inputs": ["price"]}))


def test_a_row_lacks_a_label_where_any_column_of_the_expression_is_null(orders: Any) -> None:
    frame = orders.frame()
    orders.write(frame)
    spec = orders.spec(source={"label_expression": "delay >= 0 or rain > 1", "inputs": ["price"]})
    orders.write_features(a_function("return frame[['price']]"))
    made = orders.features(spec)
    assert made.train_rows + made.holdout_rows == (frame["delay"].notna() & frame["rain"].notna()).sum()


# -- the function ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "match"),
    [
        ("def other(frame):\n    return frame\n", "'build' .* is not there"),
        ("import nosuchmodule\n", "nosuchmodule"),
        ("def build(frame:\n", "SyntaxError"),
        (a_function("return frame[['price']].to_numpy()"), "returned ndarray, not a DataFrame"),
        (a_function("return frame[['price']].dropna().head(10)"), "returned 10 rows for"),
        (a_function("return frame[['price']].set_axis(range(1, len(frame) + 1))"), "rows on another index"),
        (a_function("return frame[['price', 'kind']]"), "'kind' .* not a number but str, e.g. '(food|toys)'"),
        (a_function("return frame[['at']]"), "'at' .* not a number but datetime64"),
        (a_function("return frame[['price']].astype(complex)"), "not a number but complex"),
        (a_function("return frame[['price', 'price']]"), r"returned columns \['price', 'price'\]"),
        (a_function("return frame[['price']].rename(columns={'price': '__label__'})"), "__label__"),
        (a_function("return frame[[]]"), r"returned columns \[\]"),
        (a_function("return frame[['cost']]"), "KeyError.*It fails on no row|KeyError.*first such row"),
    ],
)
def test_a_function_that_is_wrong(orders: Any, code: str, match: str) -> None:
    orders.write(orders.frame())
    orders.write_features(code)
    with pytest.raises(FeatureError, match=match) as caught:
        orders.features()
    assert str(orders.folder / "features.py") in str(caught.value)
    assert not caught.value.retryable


def test_a_missing_feature_file(orders: Any) -> None:
    orders.write(orders.frame())
    (orders.folder / "features.py").unlink()
    with pytest.raises(SpecError, match=r"features\.py.*key `features`"):
        orders.features()


def test_a_function_that_raises_is_shown_with_the_first_row_it_raises_on(orders: Any) -> None:
    frame = orders.frame()
    frame.loc[[601, 703], "kind"] = "n/a"
    orders.write(frame)
    lines = [
        "codes = {'food': 0.0, 'toys': 1.0}",
        "return pd.DataFrame({'kind': [codes[k] for k in frame['kind']]}, index=frame.index)",
    ]
    orders.write_features(a_function(*lines))
    with pytest.raises(FeatureError, match=r"raised KeyError: 'n/a'.*first such row is id=0-601.*features\.py, line 6"):
        orders.features()


def test_a_feature_file_that_changes_while_it_is_read(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from retrain.model import model

    orders.write(orders.frame())
    original = model.feature_function

    def meddled(*args: Any) -> Any:
        orders.write_features(a_function("return frame[['price']]"))
        return original(*args)

    monkeypatch.setattr(model, "feature_function", meddled)
    with pytest.raises(FeatureError, match="changed while it was read"):
        orders.features()


# -- row by row --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "return pd.DataFrame({'p': frame['price'] - frame['price'].mean()})",
        "return pd.DataFrame({'p': frame['price'].rank()})",
        "return pd.DataFrame({'p': frame['price'].shift(1)})",
        "return pd.DataFrame({'p': frame['kind'].astype('category').cat.codes})",
        "return pd.DataFrame({'p': np.arange(len(frame))})",
        "return pd.DataFrame({'p': np.random.default_rng().random(len(frame))})",
        "return pd.get_dummies(frame['kind'])",
        "return pd.DataFrame({'p': frame['price'].fillna(0) + (len(frame) > 1)})",
        "return pd.DataFrame({'p': frame['shop'].duplicated()})",
        "return pd.DataFrame({'p': pd.cut(frame['price'], 3, labels=False)})",
    ],
)
def test_a_function_that_looks_beyond_the_row_is_refused(orders: Any, line: str) -> None:
    orders.write(orders.frame())
    orders.write_features(a_function(line))
    with pytest.raises(FeatureError, match="is not row-wise"):
        orders.features()


def test_the_feature_and_the_row_that_differ_are_named(orders: Any) -> None:
    orders.write(orders.frame())
    orders.write_features(
        a_function("return pd.DataFrame({'price': frame['price'], 'n': frame['price'] * len(frame)})")
    )
    with pytest.raises(FeatureError, match=r"feature 'n' of the row id=0-\d+ is .* in training and .*"):
        orders.features()


def test_a_function_that_cannot_take_what_json_brings_is_refused(orders: Any) -> None:
    orders.write(orders.frame().assign(sizes=lambda f: [[1.0, 2.0]] * len(f)))
    orders.write_features(a_function("return pd.DataFrame({'size': [v.sum() for v in frame['sizes']]})"))
    with pytest.raises(FeatureError, match="through JSON"):
        orders.features(orders.spec(source={"inputs": ["sizes"]}))


def test_an_input_that_no_json_can_carry_is_refused(orders: Any) -> None:
    frame = orders.frame()
    orders.write(frame.assign(took=pd.to_timedelta(frame["price"], unit="s").astype("timedelta64[us]")))
    orders.write_features(a_function("return frame[['price']]"))
    with pytest.raises(FeatureError, match=r"through JSON.*(?i:timedelta)"):
        orders.features(orders.spec(source={"inputs": ["price", "took"]}))


def test_missing_values_come_through_json_as_they_are(orders: Any) -> None:
    frame = orders.frame().assign(seats=lambda f: np.where(f.index % 3, f["shop"], np.nan))
    frame.loc[::5, "kind"] = None
    orders.write(frame)
    lines = ["return pd.DataFrame({'gap': frame['kind'].isna() * 1.0, 'seats': frame['seats'], 'rain': frame['rain']})"]
    orders.write_features(a_function(*lines))
    made = orders.features(orders.spec(source={"inputs": ["kind", "seats", "rain"]}))
    assert 0 < orders.train(made)["gap"].mean() < 1
