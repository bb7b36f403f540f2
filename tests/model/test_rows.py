"""JSON rows and frames, there and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retrain.errors import ModelError
from retrain.model.rows import frame_of, records_of

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
        ("some", 12, 12),
        ("some", 2**63, float(2**63)),
        ("some", -(2**63) - 1, -float(2**63)),
        ("some", 10**30, 1e30),
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


@example({"some": 2**63})  # no int64
@example({"some": -(2**63) - 1})
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
