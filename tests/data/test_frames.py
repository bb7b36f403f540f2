"""Tables in the store: the same frame gives the same bytes, and comes back as it was."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrain.data.frames import keep_frame, load_frame, read_frame, scratch, write_frame
from retrain.errors import DataError, ObjectMissing, StoreFull
from retrain.site import Site

ROWS = st.tuples(
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.floats(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([True, False, None]),
)


def a_frame(rows: int = 10) -> pd.DataFrame:
    at = pd.date_range("2013-01-01", periods=rows, freq="h", tz="UTC").as_unit("us")
    return pd.DataFrame({"at": at, "text": [f"t{n}" for n in range(rows)], "number": np.arange(rows) / 3})


@settings(max_examples=30)
@given(st.lists(ROWS, min_size=1, max_size=20))
def test_a_frame_comes_back_as_it_was_and_always_as_the_same_bytes(rows: list[tuple[object, ...]]) -> None:
    rows = [*rows, (None, 0.0, 0, None)]  # truth values without a null among them come back as bool
    frame = pd.DataFrame(rows, columns=["text", "number", "count", "flag"]).astype({"text": "str", "flag": "object"})
    with scratch() as folder:
        one, two = folder / "1", folder / "2"
        assert write_frame(one, frame) == len(frame)
        write_frame(two, frame.copy())
        pd.testing.assert_frame_equal(read_frame(one), frame)
        assert one.read_bytes() == two.read_bytes()


def test_frames_below_each_other_are_one_frame(tmp_path: Path) -> None:
    frame = a_frame(10).assign(text=[None] * 5 + ["x"] * 5).astype({"text": "str"})
    assert write_frame(tmp_path / "t", (frame.iloc[start : start + 3] for start in range(0, 10, 3))) == 10
    pd.testing.assert_frame_equal(read_frame(tmp_path / "t"), frame)
    assert list(read_frame(tmp_path / "t", ["number"]).columns) == ["number"]


def test_what_was_changed_or_lost_in_the_store_is_not_read(site: Site) -> None:
    ref = keep_frame(site, "p/data/t.parquet", a_frame())
    assert (ref.rows, len(load_frame(site, ref))) == (10, 10)
    site.store.put(ref.path, site.store.get(ref.path)[:-1])
    with pytest.raises(DataError, match="its hash differs"):
        load_frame(site, ref)
    site.store.delete(ref.path)
    with pytest.raises(ObjectMissing):
        load_frame(site, ref)


def test_a_full_disk_is_said_to_be_full() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.fail("this system has no /dev/full to stand for a full disk")
    with pytest.raises(StoreFull, match="TMPDIR") as caught, scratch():
        write_frame(full, a_frame(100_000))
    assert caught.value.retryable


def test_other_failures_of_the_disk_are_not_called_full() -> None:
    with pytest.raises(OSError, match="Input/output"), scratch():
        raise OSError(errno.EIO, "Input/output error")
