"""The demo's data: what is written, what is asked live, and that nothing from the future is in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from retrain.demo import data


@pytest.fixture(scope="module")
def april() -> pd.DataFrame:
    return data.month_frame(4)


def test_months_are_written_once_and_the_same(tmp_path: Path, april: pd.DataFrame) -> None:
    first = data.write_months(tmp_path / "a", [4, 2])
    again = data.write_months(tmp_path / "b", [4, 2])
    assert [path.name for path in first] == ["2013-04.parquet", "2013-02.parquet"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["2013-02.parquet", "2013-04.parquet"]
    pd.testing.assert_frame_equal(pd.read_parquet(first[0]), april)


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "2013-04.parquet"
    target.write_bytes(b"old")

    def full(self: pd.DataFrame, path: Path, **_: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(OSError, match="No space left"):
        data.write_frame(pd.DataFrame({"a": [1]}), target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_columns_and_keys(april: pd.DataFrame) -> None:
    assert tuple(april.columns) == data.COLUMNS
    assert april[data.KEY].is_unique
    assert april[[data.KEY, data.ENTITY, data.TIMESTAMP, "carrier", "origin"]].notna().all(axis=None)
    assert april[data.TIMESTAMP].is_monotonic_increasing
    assert str(april[data.TIMESTAMP].dtype) == "datetime64[us, UTC]"
    assert april[data.TIMESTAMP].dt.month.eq(4).all()
    assert not {"dep_time", "dep_delay", "arr_time", "air_time"} & set(april.columns)
    # Only cancelled flights lack an aircraft, and they have no label: the demo's story rests on it.
    assert april.loc[april[data.OUTCOME].notna(), "tailnum"].notna().all()


def test_known_flight() -> None:
    flight = data.month_frame(1).set_index(data.KEY).loc["2013-01-01-UA1545-EWR-0515"]
    assert flight["sched_dep"] == pd.Timestamp("2013-01-01T10:15", tz="UTC")
    assert (flight["flight_no"], flight["tailnum"], flight["dest"]) == ("UA1545", "N14228", "IAH")
    assert (flight["arr_delay"], flight["temp"]) == (11.0, 39.02)


def test_months_hold_every_flight_once() -> None:
    """All flights of 2013 by UTC, which is all but the last evening in New York."""
    frame = data.flights()
    later = int((frame[data.TIMESTAMP] >= pd.Timestamp("2014-01-01", tz="UTC")).sum())
    assert len(frame) == 336_776
    assert later < 250
    assert sum(len(data.month_frame(month)) for month in range(1, 13)) == len(frame) - later
    with pytest.raises(ValueError, match="month 13"):
        data.month_frame(13)


def test_recent_delay_is_what_was_known_half_an_hour_before() -> None:
    at = pd.to_datetime(["2013-01-01T10:00Z", "2013-01-01T10:10Z", "2013-01-01T11:00Z", "2013-01-01T13:00Z"])
    frame = pd.DataFrame({"sched_dep": at, "dep_delay": [10.0, 40.0, np.nan, 5.0], "origin": "EWR"})
    delay = data._recent_delay(frame, ["origin"])
    # At 10:30 the first has left (10:10) and the second has not (10:50); at 12:30 only the second is recent.
    np.testing.assert_array_equal(delay, [np.nan, np.nan, 10.0, 40.0])


def test_live_requests(april: pd.DataFrame) -> None:
    sample = april.sample(500, random_state=1)
    requests = list(data.live_requests(sample))
    assert [request.at for request in requests] == sorted(request.at for request in requests)
    assert len({request.id for request in requests}) == 500
    outcomes = sample.set_index(data.KEY)[data.OUTCOME]
    for request in requests:
        assert tuple(request.payload) == data.INPUTS
        assert json.loads(json.dumps(request.payload, allow_nan=False)) == request.payload
        assert datetime.fromisoformat(request.payload["sched_dep"]) == request.at
        assert request.at.tzinfo == UTC
        outcome = outcomes[request.id]
        assert request.outcome == outcome or (request.outcome is None and np.isnan(outcome))
    assert any(request.outcome is None for request in requests)
