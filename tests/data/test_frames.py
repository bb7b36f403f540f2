"""Tables in the store: the same frame gives the same bytes, and comes back as it was."""

from __future__ import annotations

import errno
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from examples import fewer
from retrain.artifacts import Part
from retrain.data.frames import as_typed, keep_frame, keep_once, load_frame, load_parts, scratch, to_frame, write_frame
from retrain.errors import DataError, ObjectMissing, StoreFull
from retrain.model.rows import TEXT
from retrain.settings import Settings
from retrain.site import Site

ROWS = st.tuples(
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.floats(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([True, False, None]),
)


START, DAY, HOUR = datetime(2013, 1, 1, tzinfo=UTC), timedelta(days=1), timedelta(hours=1)


def a_frame(rows: int = 10) -> pd.DataFrame:
    at = pd.date_range("2013-01-01", periods=rows, freq="h", tz="UTC").as_unit("us")
    text = pd.array([f"t{n}" for n in range(rows)], dtype=TEXT)
    return pd.DataFrame({"at": at, "text": text, "number": np.arange(rows) / 3})


@fewer(30)
@given(st.lists(ROWS, min_size=1, max_size=20))
def test_a_frame_comes_back_as_it_was_and_always_as_the_same_bytes(rows: list[tuple[object, ...]]) -> None:
    rows = [*rows, (None, 0.0, 0, None)]  # truth values without a null among them come back as bool
    frame = pd.DataFrame(rows, columns=["text", "number", "count", "flag"]).astype({"text": TEXT, "flag": "object"})
    with scratch() as folder:
        site = Site(Settings.load({"RETRAIN_HOME": str(folder / "home")}))
        one, two = keep_frame(site, "p/1", frame), keep_frame(site, "p/2", frame.copy())
        assert one.rows == len(frame)
        pd.testing.assert_frame_equal(load_frame(site, one), frame)
        assert one.sha256 == two.sha256


def test_text_has_the_same_dtype_whichever_pandas_reads_it() -> None:
    """By itself pandas 2 makes `object` of Arrow's text; what is `object` in both stays that."""
    values = ["a", None, ""]
    table = pa.table(
        {"small": pa.array(values), "large": pa.array(values, pa.large_string()), "flag": [True, None, False]}
    )
    frame = to_frame(table)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "small": "str",
        "large": "str",
        "flag": "object",
    }
    for name in ("small", "large"):
        assert frame[name].isna().tolist() == [False, True, False]
        assert frame[name].dropna().tolist() == ["a", ""]
    assert frame["flag"].tolist() == [True, None, False]


def test_the_bytes_of_a_table_do_not_tell_which_pandas_wrote_it(tmp_path: Path) -> None:
    """One hash under pandas 2 and 3: both say exactly this. Only PyArrow writes its own version into the file."""
    frame = a_frame(3).drop(columns="at").assign(flag=pd.Series([True, None, False], dtype=object))
    write_frame(tmp_path / "t.parquet", frame)
    schema = parquet.read_schema(tmp_path / "t.parquet")
    assert [str(field.type) for field in schema] == ["large_string", "double", "bool"]
    kinds = {"text": ("object", "str"), "number": ("float64", "float64"), "flag": ("bool", "object")}
    columns = [
        {"name": name, "field_name": name, "pandas_type": logical, "numpy_type": dtype, "metadata": None}
        for name, (logical, dtype) in kinds.items()
    ]
    assert list(schema.metadata) == [b"pandas"]
    assert json.loads(schema.metadata[b"pandas"]) == {"index_columns": [], "column_indexes": [], "columns": columns}


def test_frames_below_each_other_are_one_frame(site: Site) -> None:
    frame = a_frame(10).assign(text=[None] * 5 + ["x"] * 5).astype({"text": TEXT})
    ref = keep_frame(site, "p/t", (frame.iloc[start : start + 3] for start in range(0, 10, 3)))
    assert ref.rows == 10
    pd.testing.assert_frame_equal(load_frame(site, ref), frame)
    assert list(load_frame(site, ref, ["number"]).columns) == ["number"]


def test_a_frame_that_lies_in_the_store_is_not_written_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first = keep_once(site, "p/data/rows", a_frame())
    assert first.path == f"p/data/rows/{first.sha256}.parquet"
    monkeypatch.setattr(site.store, "upload", lambda *_: pytest.fail("written again"))
    assert keep_once(site, "p/data/rows", a_frame()) == first


def days(site: Site) -> tuple[pd.DataFrame, list[Part]]:
    """Hours of three days, and a part for each day."""
    frame = a_frame(72)
    cut = [frame.iloc[24 * day : 24 * day + 24] for day in range(3)]
    return frame, [
        Part(start=START + DAY * day, end=START + DAY * (day + 1), data=keep_once(site, "p/data/rows", piece))
        for day, piece in enumerate(cut)
    ]


@pytest.mark.parametrize(
    ("since", "until", "rows", "read"),
    [
        (None, None, slice(0, 72), 3),
        (30, None, slice(30, 72), 2),
        (None, 24, slice(0, 24), 1),
        (24, 48, slice(24, 48), 1),
        (23, 49, slice(23, 49), 3),
        (72, None, slice(72, 72), 1),
    ],
)
def test_parts_are_one_frame_and_those_of_other_times_are_not_looked_at(
    site: Site, monkeypatch: pytest.MonkeyPatch, since: int | None, until: int | None, rows: slice, read: int
) -> None:
    frame, parts = days(site)
    fetched = []
    fetch = site.store.fetch
    monkeypatch.setattr(site.store, "fetch", lambda path: (fetched.append(path), fetch(path))[1])
    since_, until_ = (None if hours is None else START + HOUR * hours for hours in (since, until))
    found = load_parts(site, parts, ["text", "number"], time="at", since=since_, until=until_)
    pd.testing.assert_frame_equal(found, frame[["text", "number"]].iloc[rows].reset_index(drop=True))
    assert len(fetched) == read


def test_a_part_that_was_changed_in_the_store_is_not_read(site: Site) -> None:
    _, parts = days(site)
    site.store.put(parts[1].data.path, b"PAR1 something else")
    with pytest.raises(DataError, match=r"its hash differs.*delete it and the artifact"):
        load_parts(site, parts)


def test_truth_values_of_one_part_are_of_the_type_they_have_in_the_whole() -> None:
    part = pd.DataFrame({"flag": [True, False], "number": [1, 2]})
    typed = as_typed(part, {"number": "int64", "flag": "object", "other": "str"})
    pd.testing.assert_frame_equal(typed, part.astype({"flag": "object"}))
    assert as_typed(typed, {"number": "int64", "flag": "object"}) is typed


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
