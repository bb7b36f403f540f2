"""The features of a flight: one row at a time or all at once, whole or with holes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

FLIGHT: dict[str, Any] = {
    "carrier": "UA",
    "origin": "EWR",
    "dest": "IAH",
    "sched_dep": "2013-05-01T00:30:00Z",  # Tuesday 30 April, 20:30, in New York
    "sched_dep_time": 2030,
    "sched_arr_time": 2315,
    "distance": 1400,
    "airport_delay": 12.5,
    "wind_dir": 230,
    "wind_speed": 10.4,
    "wind_gust": None,
    "precip": 0.0,
    "visib": 10.0,
}


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("flights_features", Path(__file__).with_name("features.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


features = load()


def flight(**changes: Any) -> pd.Series:
    """The features of one flight, asked for as the gateway does: a frame made from JSON."""
    return features.build(pd.DataFrame([{**FLIGHT, **changes}])).iloc[0]


def test_known_flight() -> None:
    row = flight()
    assert row["departure"] == 20 * 60 + 30
    assert row["duration"] == 2 * 60 + 45
    assert row["weekday"] == 1
    assert row["carrier"] == features.CARRIERS.index("UA")
    assert row["airport_delay"] == 12.5
    assert np.isnan(row["wind_gust"])


def test_arrival_past_midnight() -> None:
    assert flight(sched_dep_time=2350, sched_arr_time=130)["duration"] == 100
    assert flight(sched_dep_time=2300, sched_arr_time=2400)["duration"] == 60


@pytest.mark.parametrize(
    "when",
    ["2013-05-01T00:30:00+00:00", "2013-04-30T20:30:00-04:00", pd.Timestamp("2013-05-01T00:30", tz="UTC")],
)
def test_time_in_any_form(when: Any) -> None:
    assert flight(sched_dep=when)["weekday"] == 1


def test_unseen_category_and_nonsense_are_missing_values() -> None:
    row = flight(carrier="ZZ", origin=7, dest="XXX", sched_dep="soon", distance="far", visib=float("inf"))
    assert row[["carrier", "origin", "dest", "weekday", "distance", "visib"]].isna().all()
    assert row["departure"] == 20 * 60 + 30


def test_everything_missing() -> None:
    row = flight(**dict.fromkeys(FLIGHT))
    assert row.isna().all()


def test_no_rows() -> None:
    out = features.build(pd.DataFrame([FLIGHT]).iloc[:0])
    assert list(out.columns) == features.FEATURES
    assert out.empty


def test_each_row_depends_on_itself_alone() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"carrier": None, "airport_delay": None},
        {"carrier": "ZZ", "sched_dep": "2013-01-07T12:00:00Z"},
        {"origin": "JFK", "dest": "HNL", "distance": 4983, "wind_gust": 31.1},
        {"sched_dep_time": 2359, "sched_arr_time": 5, "wind_dir": None},
    ]
    rows = [{**FLIGHT, **change} for change in changes]
    together = features.build(pd.DataFrame(rows, index=[9, 7, 5, 3, 1]))
    assert list(together.index) == [9, 7, 5, 3, 1]
    assert (together.dtypes == np.float64).all()
    for row, expected in zip(rows, together.to_numpy(), strict=True):
        np.testing.assert_array_equal(features.build(pd.DataFrame([row])).to_numpy()[0], expected)
    backwards = features.build(pd.DataFrame(rows[::-1])).to_numpy()
    np.testing.assert_array_equal(backwards[::-1], together.to_numpy())
