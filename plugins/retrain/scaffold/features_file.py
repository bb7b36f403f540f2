"""``features.py`` and ``test_features.py``: a first set of features that runs as it is, to be edited by hand."""

from __future__ import annotations

import json
from typing import Any

from retrain.scaffold.profile import Column, Profile

FEATURES = '''\
"""What the model sees of a row: raw columns in, numbers out.

The same function makes the features of a training set and those of one live request. So a row's features may
depend on nothing but that row: no averages over the column, no row before it. What is missing, unreadable or not
among the known texts becomes NaN, which the model takes for "missing".

This file travels inside every model, so it imports nothing but numpy and pandas.
"""

import numpy as np
import pandas as pd

TIMESTAMP = {timestamp}
ZONE = {zone}  # hour and weekday are those of this zone's clocks

# Columns that are numbers (or true and false) already.
NUMBERS = {numbers}

# Text column -> its known values, the most frequent first. A value's code is its place in the list, so append new
# ones at the end.
CATEGORIES = {categories}


def build(frame: pd.DataFrame) -> pd.DataFrame:
    """Numeric features, row for row, on the same index."""
    out = {{}}
    for name in NUMBERS:
        out[name] = _numbers(frame[name])
    for name, known in CATEGORIES.items():
        out[name] = _codes(frame[name], known)
    moments = pd.to_datetime(frame[TIMESTAMP], utc=True, errors="coerce").dt.tz_convert(ZONE)
    out[{hour}] = _numbers(moments.dt.hour + moments.dt.minute / 60)
    out[{weekday}] = _numbers(moments.dt.day_of_week)  # Monday is 0
    return pd.DataFrame(out, index=frame.index)


def _numbers(column: pd.Series) -> np.ndarray:
    """The column as floats; what is no finite number is NaN."""
    if column.dtype == object:  # true and false with holes
        column = column.map({{True: 1.0, False: 0.0}}).where(column.isin([True, False]), column)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _codes(column: pd.Series, known: list[str]) -> np.ndarray:
    """Each text's place in the list of known ones; NaN for one that is missing or new."""
    places = {{value: float(place) for place, value in enumerate(known)}}
    return np.array([places.get(value, np.nan) if isinstance(value, str) else np.nan for value in column])
'''

TEST = '''\
"""The features of a row: one at a time or all at once, whole or with holes."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd

SPEC = importlib.util.spec_from_file_location({module}, Path(__file__).with_name("features.py"))
features = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(features)

# Real rows of the file this pipeline was made from.
ROWS = [
{rows}
]


def build(rows):
    return features.build(pd.DataFrame(rows, columns=list(ROWS[0])))


def test_every_feature_is_a_number():
    out = build(ROWS)
    assert len(out) == len(ROWS)
    assert all(dtype == np.float64 for dtype in out.dtypes)
    assert not np.isinf(out.to_numpy()).any()


def test_a_row_alone_has_the_same_features():
    together = build(ROWS)
    for place, row in enumerate(ROWS):
        np.testing.assert_array_equal(build([row]).to_numpy()[0], together.to_numpy()[place])


def test_a_row_of_nothing_has_features_too():
    empty = {{name: None for name in ROWS[0]}}
    assert build([empty]).isna().to_numpy().all()
'''


def features_py(profile: Profile, zone: str) -> str:
    """The text of ``features.py``."""
    numbers = [column.name for column in profile.inputs if column.kind in {"number", "truth"}]
    categories = {column.name: list(column.values) for column in profile.inputs if column.kind == "text"}
    names = {*numbers, *categories}
    return FEATURES.format(
        timestamp=_literal(profile.timestamp),
        zone=_literal(zone),
        numbers=_literal(numbers),
        categories=_literal(categories),
        hour=_literal(_free("hour_of_day", names)),
        weekday=_literal(_free("day_of_week", names)),
    )


def test_features_py(name: str, rows: list[dict[str, Any]]) -> str:
    """The text of ``test_features.py``."""
    module = f"{name.replace('-', '_')}_features"
    shown = ",\n".join(f"    {_indented(_literal(row))}" for row in rows)
    return TEST.format(module=_literal(module), rows=f"{shown},")


def sample_columns(profile: Profile) -> list[str]:
    """The columns the feature function reads."""
    used: list[Column] = [column for column in profile.inputs if column.kind in {"number", "truth", "text"}]
    return [profile.timestamp, *(column.name for column in used)]


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _literal(value: Any) -> str:
    """A value as Python writes it, with double quotes; one item a line where a line would be too long."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return _bracketed("{", [f"{_literal(key)}: {_literal(item)}" for key, item in value.items()], "}")
    if isinstance(value, list):
        return _bracketed("[", [_literal(item) for item in value], "]")
    return repr(value)


def _bracketed(opening: str, items: list[str], closing: str) -> str:
    flat = opening + ", ".join(items) + closing
    if len(flat) <= 90 and "\n" not in flat:
        return flat
    return opening + "\n" + "".join(f"    {_indented(item)},\n" for item in items) + closing


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
