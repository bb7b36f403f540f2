"""The reference: its days, which columns have none, what rows are compared with, and its form in the store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from retrain.artifacts import canonical
from retrain.monitoring.reference import Reference
from retrain.stats.histogram import Histogram

START = datetime(2013, 1, 1, tzinfo=UTC)


def rows(days: int, per_day: int = 100) -> pd.DataFrame:
    """Evenly spaced rows; a price that repeats, a kind, and what cannot be compared."""
    count = days * per_day
    at = pd.to_datetime([START + timedelta(days=number / per_day) for number in range(count)])
    price = np.random.default_rng(0).lognormal(2, 1, count).round(2)
    price[::9] = np.nan
    return pd.DataFrame(
        {
            "at": at,
            "id": [f"row-{number}" for number in range(count)],
            "price": price,
            "kind": np.where(np.arange(count) % 3 == 0, "food", "toys"),
            "empty": np.nan,
            "lists": [[1]] * count,
        }
    )


def test_each_column_is_one_histogram_of_all_rows_and_each_day_on_the_same_bins() -> None:
    frame = rows(60)
    found = Reference.of(frame, "at")
    assert set(found.columns) == {"price", "kind"}
    assert (found.weeks, found.per_day, found.rows.tolist()) == (8, 100, [100] * 60)
    for name, column in found.columns.items():
        assert column.whole == Histogram.from_values(frame[name].to_numpy())
        assert column.days.shape == (60, column.whole.width)
        newest = column.whole.of_cells(column.days[0], 100)
        assert newest.counts == column.whole.count(frame[name].tail(100).to_numpy()).counts
    assert found.columns["price"].whole.missing == frame["price"].isna().sum()


def test_rows_are_compared_with_all_whole_weeks_or_with_the_same_weeks_of_years_before() -> None:
    day = timedelta(days=1)
    short = Reference.of(rows(60, 5), "at")
    past = short.past(short.end + 30 * day, 28)
    assert (past.days.tolist(), past.length, past.cycle) == (list(range(56)), 56, False)
    long = Reference.of(rows(800, 5), "at")
    past = long.past(long.end + 30 * day, 28)
    assert past.days.tolist() == [*range(335, 363), *range(700, 728)]
    assert (past.length, past.cycle) == (56, True)
    less = Reference.of(rows(340, 5), "at")
    assert not less.past(less.end + 30 * day, 28).cycle
    whole = long.past(long.end + 400 * day, 399)
    assert (len(whole.days), whole.cycle) == (800, True), "a whole year is its own season"


def test_the_same_weeks_are_no_past_where_they_have_hardly_a_row() -> None:
    frame = rows(800, 5)
    age = (frame["at"].max() - frame["at"]) / timedelta(days=1)
    closed = frame[~age.between(330, 370) & ~age.between(690, 740)]
    long = Reference.of(closed, "at")
    past = long.past(long.end + timedelta(days=30), 28)
    assert (past.cycle, len(past.days)) == (False, 798)
    assert past.length == pytest.approx(798)


def test_only_three_years_are_kept_day_by_day() -> None:
    found = Reference.of(rows(1500, 2), "at")
    assert len(found.rows) == len(found.columns["kind"].days) == 1105
    assert found.columns["kind"].whole.total == 3000


def test_a_column_without_a_histogram_is_named_with_the_reason() -> None:
    assert Reference.of(rows(10), "at").skipped == {
        "at": "a date",
        "id": "names rows: nearly every value is different",
        "empty": "all null in the champion's data",
        "lists": "neither numbers nor text",
    }


def test_it_survives_the_store() -> None:
    made = Reference.of(rows(40), "at")
    read = Reference.from_dict(json.loads(canonical(made.to_dict())))
    assert read.to_dict() == made.to_dict()
    assert (read.end, read.skipped) == (made.end, made.skipped)
    assert np.allclose(read.columns["price"].days, made.columns["price"].days, rtol=1e-5)


def test_it_is_small() -> None:
    assert len(canonical(Reference.of(rows(120), "at").columns["price"].whole.to_dict())) < 2_000
    assert len(canonical(Reference.of(rows(120)[["at", "price"]], "at").to_dict())) < 40_000
