"""Where the data are cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.errors import DataError
from retrain.scaffold.profile import Column, Profile
from retrain.scaffold.windows import Windows, windows

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def cut(
    when: pd.DatetimeIndex, label: object = None, task: str = "regression", delay: timedelta = timedelta(0)
) -> Windows:
    codes = () if label is None else tuple(pd.factorize(np.asarray(label))[0].tolist())
    y = Column("y", "number", missing=0, distinct=9, sd=1)
    found = Profile(
        rows=len(when), start=when[0].to_pydatetime(), newest=when[-1].to_pydatetime(),
        moments=tuple(moment.timestamp() for moment in when), codes=codes, step=HOUR, gap=HOUR, timestamp="when",
        label=y, task=task, classes=(), entity=None, key=(), columns=(),
    )  # type: ignore[arg-type]  # fmt: skip
    return windows(found, delay)


def hourly(rows: int) -> pd.DatetimeIndex:
    return pd.date_range("2024-04-01", periods=rows, freq="h", tz="UTC")


def test_two_weeks_of_hours_hold_out_the_days_that_a_verdict_needs() -> None:
    found = cut(hourly(336))
    assert found.data_end == datetime(2024, 4, 15, tzinfo=UTC)
    assert (found.window, found.holdout, found.tuning) == (14 * DAY, 7 * DAY, 2 * DAY)
    assert found.holdout_days >= 7


def test_a_row_a_week_holds_out_seven_of_them() -> None:
    found = cut(pd.date_range("2023-01-01", periods=40, freq="7D", tz="UTC"))
    assert found.holdout >= 6 * 7 * DAY
    assert found.holdout_days >= 7


def test_two_days_are_cut_in_hours() -> None:
    found = cut(hourly(48))
    assert found.window == 48 * HOUR
    assert found.holdout == 9 * HOUR
    assert found.holdout_days == 1


def test_years_are_not_all_used_where_a_shorter_stretch_is_enough() -> None:
    found = cut(pd.date_range("2020-01-01", periods=150_000, freq="10min", tz="UTC"))
    assert 340 * DAY < found.window < 360 * DAY
    assert (found.holdout, found.tuning) == (14 * DAY, 7 * DAY)


def test_a_label_that_comes_late_is_waited_for() -> None:
    assert cut(hourly(336), delay=2 * DAY).holdout_rows == cut(hourly(336 - 48)).holdout_rows


@pytest.mark.parametrize("rows", [2, 29])
def test_too_few_rows(rows: int) -> None:
    with pytest.raises(DataError, match="labelled rows"):
        cut(hourly(rows))


def test_all_at_one_moment_cannot_be_cut() -> None:
    with pytest.raises(DataError, match="too close together"):
        cut(pd.DatetimeIndex(["2024-04-01T00:00:00Z"] * 100))


def test_a_holdout_with_one_class_is_made_longer() -> None:
    label = np.array(["a", "b"] * 168)
    label[-90:] = "a"
    found = cut(hourly(336), label, "binary")
    assert len(set(label[-found.holdout_rows :])) == 2


def test_classes_that_come_one_after_the_other_cannot_be_cut() -> None:
    with pytest.raises(DataError, match="do not mix in time"):
        cut(hourly(300), np.repeat(["a", "b", "c"], 100), "multiclass")


@given(st.lists(st.integers(0, 60 * 24 * 400), min_size=30, max_size=300, unique=True))
def test_the_parts_fit_into_the_window_and_each_has_rows(minutes: list[int]) -> None:
    when = pd.DatetimeIndex(pd.Timestamp("2023-01-01", tz="UTC") + pd.to_timedelta(sorted(minutes), unit="min"))
    try:
        found = cut(when)
    except DataError:
        span = when[-1] - when[0]
        early = when[int(0.65 * len(when))] - when[0]
        assert span < pd.Timedelta(hours=6) or early < 0.35 * span, "only rows packed at one end are refused"
        return
    assert found.holdout + found.tuning < found.window
    assert found.data_end > when[-1]
    assert found.data_end - found.window <= when[0] or found.window >= 90 * DAY
    held = (when >= when[-1] - found.holdout).sum()
    assert 0 < held < len(when)
