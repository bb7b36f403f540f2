"""Time partitions: where a window is cut, and that its parts are the whole."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import fewer
from retrain.data.frames import as_typed, keep_frame, load_frame, load_parts, scratch
from retrain.data.partitions import keep_parts, stretches
from retrain.model.rows import TEXT
from retrain.settings import Settings
from retrain.site import Site

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
WINDOWS = st.timedeltas(timedelta(minutes=1), timedelta(days=1000))


@given(MOMENTS, WINDOWS)
def test_stretches_fill_the_window_without_a_gap(start: datetime, window: timedelta) -> None:
    found = stretches(start, start + window)
    assert (found[0][0], found[-1][1]) == (start, start + window)
    assert all(one[1] == other[0] and one[0] < one[1] for one, other in itertools.pairwise(found))
    assert len(found) <= max(24, window / (28 * DAY) + 2)


@given(MOMENTS, WINDOWS, WINDOWS)
def test_windows_of_one_length_are_cut_at_the_same_edges(start: datetime, window: timedelta, later: timedelta) -> None:
    def edges(begin: datetime) -> set[datetime]:
        return {edge for edge, _ in stretches(begin, begin + window)[1:]}

    shared = {edge for edge in edges(start) if edge > start + later}
    assert shared == {edge for edge in edges(start + later) if edge < start + window}


@pytest.mark.parametrize(
    ("start", "window", "edges"),
    [
        (datetime(2013, 2, 1), 120 * DAY, ["03-01", "04-01", "05-01"]),
        (datetime(2013, 1, 17, 6), 90 * DAY, ["02-01", "03-01", "04-01"]),
        (datetime(2013, 1, 1), 28 * DAY, ["01-07", "01-14", "01-21", "01-28"]),  # Mondays
        (datetime(2013, 1, 1, 12), 3 * DAY, ["01-02", "01-03", "01-04"]),
        (datetime(2013, 1, 1, 3), DAY, ["01-01 06", "01-01 12", "01-01 18", "01-02 00"]),
        (datetime(2013, 1, 1, 23, 30), 2 * HOUR, ["01-02 00", "01-02 01"]),
        (datetime(2013, 1, 1, 23), timedelta(minutes=30), []),
    ],
)
def test_a_window_is_cut_at_the_edges_of_the_calendar(start: datetime, window: timedelta, edges: list[str]) -> None:
    found = [edge for edge, _ in stretches(start.replace(tzinfo=UTC), start.replace(tzinfo=UTC) + window)[1:]]
    assert found == [datetime.fromisoformat(f"2013-{edge}").replace(tzinfo=UTC) for edge in edges]


ROWS = st.tuples(
    st.integers(0, 999),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.none() | st.floats(),
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.booleans(),
    st.none() | st.lists(st.integers(0, 9), max_size=3),
)


def as_collected(rows: list[tuple[Any, ...]], start: datetime, window: timedelta) -> pd.DataFrame:
    """Rows with the types that pandas gives what comes out of files, in the order of time."""
    frame = pd.DataFrame(rows, columns=["at", "text", "number", "count", "flag", "sizes"])
    frame["at"] = pd.to_datetime([start + window * int(share) // 1000 for share in frame["at"]], utc=True).as_unit("us")
    frame = frame.astype({"text": TEXT, "number": "float64", "flag": "object"})
    frame = frame if frame["flag"].isna().any() else frame.astype({"flag": "bool"})
    return frame.sort_values("at", kind="stable", ignore_index=True)


@fewer(40)
@given(st.lists(ROWS, min_size=1, max_size=30), MOMENTS, WINDOWS)
def test_parts_below_each_other_are_the_frame_that_one_file_would_be(
    rows: list[tuple[Any, ...]], start: datetime, window: timedelta
) -> None:
    frame = as_collected(rows, start, window)
    with scratch() as folder:
        site = Site(Settings.load({"RETRAIN_HOME": str(folder / "home")}))
        parts = keep_parts(site, "p", frame, "at", start, start + window)
        whole = load_frame(site, keep_frame(site, "p/whole.parquet", frame))
        pd.testing.assert_frame_equal(load_parts(site, parts), whole)
        dtypes = {str(name): str(dtype) for name, dtype in frame.dtypes.items()}
        below = pd.concat([as_typed(load_parts(site, [part]), dtypes) for part in parts], ignore_index=True)
        pd.testing.assert_frame_equal(below, as_typed(whole, dtypes))
        assert sum(part.rows for part in parts) == len(frame)
        assert keep_parts(site, "p", frame.copy(), "at", start, start + window) == parts
        for part in parts:
            inside = load_parts(site, [part], ["at"])["at"]
            assert (inside >= part.start).all()
            assert (inside < part.end).all()
