"""The reference: its blocks of time, which columns have none, and its form in the store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from retrain.artifacts import canonical
from retrain.monitoring import reference as module
from retrain.monitoring.reference import Reference
from retrain.stats.histogram import Histogram, merge

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


def test_blocks_are_weeks_or_days_where_weeks_are_too_few_or_none_at_all() -> None:
    assert len(module._blocks(rows(60)["at"])) == 8
    assert len(module._blocks(rows(20)["at"])) == 19
    assert module._blocks(rows(3)["at"]) == []


def test_each_column_is_one_histogram_of_all_rows_and_one_of_each_block_on_the_same_bins() -> None:
    frame = rows(60)
    found = Reference.of(frame, "at")
    assert set(found.columns) == {"price", "kind"}
    for name, column in found.columns.items():
        assert column.whole == Histogram.from_values(frame[name].to_numpy())
        assert len(column.blocks) == 8
        assert merge(column.blocks).total == 8 * 7 * 100
    assert found.columns["price"].whole.missing == frame["price"].isna().sum()


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


def test_one_written_by_the_code_before_is_read() -> None:
    whole = {
        "kind": "categorical", "edges": [], "categories": ["toys", "food"], "counts": [20, 10, 0], "missing": 1,
        "sums": [], "sd": None,
    }  # fmt: skip
    kept = {"columns": {"kind": {"whole": whole, "blocks": [whole, whole]}}, "skipped": {"at": "a date"}}
    read = Reference.from_dict(json.loads(canonical(kept)))
    assert read.columns["kind"].whole.categories == ("toys", "food")
    assert [block.total for block in read.columns["kind"].blocks] == [31, 31]
    assert read.skipped == {"at": "a date"}
    assert canonical(read.to_dict()) == canonical(kept)
