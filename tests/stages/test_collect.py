"""Collect: which rows come into a snapshot, and what is said of files that cannot give any."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from retrain.data.event_time import moments
from retrain.errors import DataError, EmptyWindow, SourceError, SourceLost, StoreFull
from retrain.model.rows import TEXT
from retrain.site import Site
from retrain.sources import files as module
from retrain.spec import Source
from retrain.stages.collect import collect

DAY = timedelta(days=1)
START, END = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 3, 2, tzinfo=UTC)


def a_source(**keys: Any) -> Source:
    return Source.model_validate({"files": "x", "timestamp": "at", "label": "y"} | keys)


# -- the window --------------------------------------------------------------------------------------------------


def test_the_window_is_half_open(orders: Any) -> None:
    frame = orders.frame(days=4, per_day=1)
    frame["at"] = pd.to_datetime([START - timedelta(microseconds=1), START, END - timedelta(microseconds=1), END])
    orders.write(frame)
    snapshot = orders.collect()
    assert orders.rows(snapshot)["id"].tolist() == ["0-1", "0-2"]
    assert (snapshot.start, snapshot.end) == (START, END)
    assert snapshot.newest == END - timedelta(microseconds=1)
    assert snapshot.rows == 2


def test_rows_lie_in_the_order_of_timestamp_and_key_whatever_the_order_of_files(orders: Any) -> None:
    frame = orders.frame().assign(at=lambda f: f["at"].dt.floor("D"))
    mixed = frame.sample(frac=1, random_state=1)
    orders.write(mixed.iloc[:700], "b.parquet")
    orders.write(mixed.iloc[700:], "a.parquet")
    rows = orders.rows(orders.collect())
    assert rows["id"].tolist() == frame.sort_values(["at", "id"])["id"].tolist()


def test_only_files_with_rows_in_the_window_name_the_snapshot(orders: Any) -> None:
    inside = orders.write(orders.frame(), "now.parquet")
    orders.write(orders.frame(start=START - 90 * DAY, seed=1), "before.parquet")
    first = orders.collect()
    assert [source.path for source in first.sources] == [str(inside)]
    orders.write(orders.frame(start=START - 200 * DAY, seed=2), "long before.parquet")
    assert orders.collect().key == first.key


def test_the_same_work_is_done_once_and_written_down_once(orders: Any) -> None:
    orders.write(orders.frame())
    assert orders.collect() == orders.collect()
    stages = [entry for entry in orders.site.ledger("orders").entries() if entry.kind == "stage"]
    assert [entry.body.stage for entry in stages] == ["collect"]


def test_many_at_once_come_to_one_snapshot_and_one_entry(orders: Any) -> None:
    orders.write(orders.frame())
    sites = [Site(orders.site.settings) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        snapshots = list(pool.map(lambda site: collect(orders.spec(), orders.request(), site), sites))
    assert all(snapshot == snapshots[0] for snapshot in snapshots)
    assert Site(orders.site.settings).ledger("orders").head == 1


def test_the_same_files_give_the_same_bytes_elsewhere_and_other_bytes_another_key(
    orders: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = orders.write(orders.frame())
    first = orders.collect()
    os.utime(file, (0, 0))
    orders.site.store.delete(first.path("orders", first.key))
    again = orders.collect()
    assert (again.key, again.parts) == (first.key, first.parts)
    orders.write(orders.frame(seed=3))
    assert orders.collect().key != first.key


def test_row_groups_of_other_times_are_not_read(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = orders.frame(days=365, per_day=20, start=START - 305 * DAY)
    orders.write(frame, row_group_size=500)
    rows_read: list[int] = []
    original = module.batches

    def counted(*args: Any) -> Any:
        for table in original(*args):
            rows_read.append(table.num_rows)
            yield table

    monkeypatch.setattr(module, "batches", counted)
    snapshot = orders.collect()
    assert snapshot.rows == sum(frame["at"] >= START)
    assert sum(rows_read) < len(frame) / 3


def test_only_columns_that_are_asked_for_are_kept(orders: Any) -> None:
    orders.write(orders.frame().assign(secret=1, weight=2.0))
    orders.write_suite({"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "weight"}})
    assert set(orders.collect().columns) == {"id", "at", "shop", "price", "kind", "rain", "delay", "weight"}


def test_all_columns_are_kept_where_the_suite_counts_them_or_no_inputs_are_listed(orders: Any) -> None:
    orders.write(orders.frame().assign(extra=1))
    assert "extra" in orders.collect(orders.spec(source={"inputs": []})).columns
    orders.write_suite({"type": "expect_table_column_count_to_equal", "kwargs": {"value": 8}})
    assert "extra" in orders.collect().columns


# -- kinds of files ----------------------------------------------------------------------------------------------


def test_csv_and_parquet_give_the_same_rows(orders: Any) -> None:
    frame = orders.frame()
    file = orders.write(frame)
    rows = orders.rows(orders.collect())
    file.unlink()
    orders.write(frame.iloc[:600], "a.csv")
    orders.write(frame.iloc[600:], "b.csv.gz", sep=";")
    pd.testing.assert_frame_equal(orders.rows(orders.collect()), rows)


def test_a_csv_column_is_what_its_values_in_all_files_are(orders: Any) -> None:
    frame = orders.frame(days=30, per_day=4).assign(code="7", flag="true", nothing=None)
    orders.write(frame, "a.csv")
    orders.write(frame.assign(id="x" + frame["id"], code="A7", flag=""), "b.csv")
    columns = orders.collect(orders.spec(source={"inputs": []})).columns
    assert (columns["code"], columns["flag"], columns["nothing"]) == ("str", "object", "float64")
    assert columns["shop"] == "int64"


def test_types_without_an_equal_in_json_become_plain_ones(orders: Any) -> None:
    frame = orders.frame().assign(kind=lambda f: f["kind"].astype("category"))
    table = pa.Table.from_pandas(frame).append_column("day", pa.array([datetime(2013, 1, 5).date()] * len(frame)))
    file = orders.site.settings.data / "orders" / "orders.parquet"
    file.parent.mkdir(parents=True)
    parquet.write_table(table, file)
    columns = orders.collect(orders.spec(source={"inputs": []})).columns
    assert (columns["kind"], columns["day"]) == ("str", "datetime64[us]")


def test_a_column_that_came_later_is_null_before(orders: Any) -> None:
    orders.write(orders.frame(days=30), "1.parquet")
    orders.write(orders.frame(days=30, start=START + 30 * DAY, seed=1).assign(new="x"), "2.parquet")
    rows = orders.rows(orders.collect(orders.spec(source={"inputs": []})))
    assert rows["new"].isna().sum() == 600


def test_a_column_that_is_text_here_and_numbers_there_is_refused(orders: Any) -> None:
    orders.write(orders.frame(days=30), "1.parquet")
    orders.write(orders.frame(days=30, seed=1).assign(price="cheap"), "2.parquet")
    with pytest.raises(DataError, match=r"(?s)do not fit together.*price"):
        orders.collect()


def test_globs_begin_at_the_data_folder_beside_the_spec_or_at_the_root(orders: Any, tmp_path: Path) -> None:
    file = orders.write(orders.frame())
    beside = orders.folder / "here" / "deep" / "orders.parquet"
    beside.parent.mkdir(parents=True)
    beside.write_bytes(file.read_bytes())
    for pattern in ("orders/*.parquet", "./here/**/*.parquet", f"{file.parent}/*.parquet"):
        snapshot = orders.collect(orders.spec(source={"files": pattern}))
        assert Path(snapshot.sources[0].path) == (beside if pattern.startswith("./") else file)


# -- timestamps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "keys", "utc"),
    [
        ("2013-04-01T17:05:00Z", {}, "2013-04-01T17:05:00Z"),
        ("2013-04-01 17:05", {"timezone": "America/New_York"}, "2013-04-01T21:05:00Z"),
        ("2013-04-01T17:05:00+02:00", {"timezone": "America/New_York"}, "2013-04-01T15:05:00Z"),
        ("2013-04-01", {}, "2013-04-01T00:00:00Z"),
        ("20130401", {}, "2013-04-01T00:00:00Z"),
        ("01.04.2013 17h05", {"timestamp_format": "%d.%m.%Y %Hh%M"}, "2013-04-01T17:05:00Z"),
        ("01/04/2013 17:05 +0200", {"timestamp_format": "%d/%m/%Y %H:%M %z"}, "2013-04-01T15:05:00Z"),
        ("2013-11-03 01:30", {"timezone": "America/New_York"}, "2013-11-03T05:30:00Z"),  # twice: the first pass
        ("2013-03-10 02:30", {"timezone": "America/New_York"}, "2013-03-10T07:00:00Z"),  # leapt over: its end
    ],
)
def test_text_timestamps(text: str, keys: dict[str, Any], utc: str) -> None:
    assert moments(pd.Series([text]), a_source(**keys)).tolist() == [pd.Timestamp(utc)]


def test_local_times_in_parquet_are_in_the_sources_zone_up_to_the_edges_of_the_window(orders: Any) -> None:
    frame = orders.frame(days=90, start=START - 15 * DAY)
    expected = frame["id"][(frame["at"] >= START) & (frame["at"] < END)].tolist()
    orders.write(frame.assign(at=frame["at"].dt.tz_convert("Asia/Tokyo").dt.tz_localize(None)), row_group_size=50)
    snapshot = orders.collect(orders.spec(source={"timezone": "Asia/Tokyo"}))
    assert orders.rows(snapshot)["id"].tolist() == expected


@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), max_size=5), st.booleans())
def test_every_iso_timestamp_is_read_back(times: list[datetime], zoned: bool) -> None:
    text = [(time.replace(tzinfo=UTC) if zoned else time).isoformat() for time in times]
    read = moments(pd.Series(text, dtype=TEXT), a_source())
    assert [moment.to_pydatetime().replace(tzinfo=None) for moment in read] == times


@given(st.text(max_size=20))
def test_text_that_is_no_timestamp_is_nat_and_never_raises(text: str) -> None:
    read = moments(pd.Series([text, "2013-04-01"], dtype=TEXT), a_source())
    assert read.iloc[1] == pd.Timestamp("2013-04-01", tz="UTC")


def test_unreadable_timestamps_are_counted_and_shown(orders: Any) -> None:
    frame = orders.frame()
    frame["at"] = frame["at"].dt.strftime("%Y-%m-%d %H:%M:%S")
    frame.loc[[5, 9], "at"] = ["yesterday", None]
    for name in ("orders.csv", "orders.parquet"):
        file = orders.write(frame, name)
        with pytest.raises(DataError, match=r"2 rows .* 'yesterday' in `at`.*id='0-5'.*timestamp_format"):
            orders.collect()
        file.unlink()


def test_a_missing_timestamp_is_seen_even_in_a_row_group_of_another_time(orders: Any) -> None:
    frame = orders.frame(days=400, start=START - 340 * DAY)
    frame.loc[3, "at"] = pd.NaT
    orders.write(frame, row_group_size=100)
    with pytest.raises(DataError, match=r"1 rows .* no readable timestamp"):
        orders.collect()


def test_a_timestamp_in_the_future_is_counted_and_shown(orders: Any) -> None:
    frame = orders.frame()
    frame.loc[frame.index[-2:], "at"] = pd.Timestamp("2913-01-01", tz="UTC")
    orders.write(frame, row_group_size=100)
    with pytest.raises(DataError, match=r"2 rows .* in the future, e.g. 2913-01-01"):
        orders.collect()


# -- what is wrong -----------------------------------------------------------------------------------------------


def test_an_empty_window_says_the_window_the_files_and_the_newest_row(orders: Any) -> None:
    orders.write(orders.frame(), "one.parquet")
    orders.write(orders.frame(start=START - 90 * DAY), "two.csv")
    with pytest.raises(EmptyWindow, match=r"2014-04-02 00:00 UTC, 2014-06-01 00:00 UTC.*2 files.*2013-03-01 2\d:.*one"):
        orders.collect(end=datetime(2014, 6, 1, tzinfo=UTC))
    assert orders.site.ledger("orders").head == 0


def test_files_without_any_row_make_an_empty_window(orders: Any) -> None:
    orders.write(orders.frame().iloc[:0])
    orders.write(orders.frame().iloc[:0], "orders.csv")
    with pytest.raises(EmptyWindow, match="no rows at all"):
        orders.collect()


def test_no_file_at_all(orders: Any) -> None:
    with pytest.raises(SourceError, match=r"nothing matches orders/\*.*RETRAIN_DATA") as caught:
        orders.collect()
    assert not caught.value.retryable


@pytest.mark.parametrize("content", [b"", b"id,at\n1,2013-01-01\n", b"\x00" * 100])
def test_a_file_that_is_not_parquet(orders: Any, content: bytes) -> None:
    orders.write(orders.frame())
    file = orders.site.settings.data / "orders" / "wrong.parquet"
    file.write_bytes(content)
    with pytest.raises(SourceError, match=r"wrong\.parquet is not Parquet") as caught:
        orders.collect()
    assert str(file) in str(caught.value)
    assert not caught.value.retryable


def test_half_a_parquet_file(orders: Any) -> None:
    file = orders.write(orders.frame())
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(SourceError, match=r"orders\.parquet is not whole Parquet"):
        orders.collect()


@pytest.mark.parametrize(
    "content",
    [b"", b"id,at\n1,2,3\n4,5,6\n", b'id,at\n"1,2013-01-01\n', b"id,at\n\xff\xfe,2013\n", b"\x1f\x8b not gzip"],
)
def test_a_file_that_is_not_csv(orders: Any, content: bytes) -> None:
    spec = orders.spec(source={"key": [], "entity": None, "inputs": ["id"], "label_expression": "at"})
    name = "wrong.csv.gz" if content.startswith(b"\x1f") else "wrong.csv"
    file = orders.write(orders.frame(), name)
    file.write_bytes(content)
    with pytest.raises(SourceError, match=r"wrong\.csv"):
        orders.collect(spec)


def test_a_missing_column_is_named_with_the_file_and_the_nearest_name(orders: Any) -> None:
    for name in ("orders.csv", "orders.parquet"):
        file = orders.write(orders.frame().rename(columns={"price": "prices"}), name)
        with pytest.raises(
            DataError, match=rf"'price' .* not in {name}\. Did you mean 'prices'\? It has: id, at, shop"
        ):
            orders.collect()
        file.unlink()


def test_a_column_of_the_label_must_be_there(orders: Any) -> None:
    orders.write(orders.frame())
    with pytest.raises(DataError, match=r"'dealy'.*Did you mean 'delay'"):
        orders.collect(orders.spec(source={"label_expression": "dealy >= 0"}))


# -- while it is read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("happens", ["change", "replace", "vanish"])
def test_a_file_that_changes_while_it_is_read_is_lost_and_may_come_back(
    orders: Any, monkeypatch: pytest.MonkeyPatch, happens: str
) -> None:
    file = orders.write(orders.frame())
    other = orders.frame(seed=5)
    original = module.batches
    calls = []

    def meddled(*args: Any) -> Any:
        yield from original(*args)
        if calls:
            return
        calls.append(1)
        if happens == "change":
            file.write_bytes(file.read_bytes() + b"more")
        else:
            file.unlink()
            if happens == "replace":
                orders.write(other)

    monkeypatch.setattr(module, "batches", meddled)
    with pytest.raises(SourceLost) as caught:
        orders.collect()
    assert caught.value.retryable
    assert orders.site.ledger("orders").head == 0
    if happens == "replace":
        assert orders.rows(orders.collect())["id"].str.startswith("5-").all()


def test_a_change_within_one_tick_of_the_clock_is_seen(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = orders.write(orders.frame())
    monkeypatch.setattr(module, "_stamp", lambda file: (1, 2, 3, 4))
    original = module.batches

    def meddled(*args: Any) -> Any:
        yield from original(*args)
        file.write_bytes(file.read_bytes()[:-1] + b"!")

    monkeypatch.setattr(module, "batches", meddled)
    with pytest.raises(SourceLost, match="changed"):
        orders.collect()


def test_files_that_come_while_others_are_read_are_read_too(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    orders.write(orders.frame(days=30), "1.parquet")
    original = module.batches

    def meddled(*args: Any) -> Any:
        yield from original(*args)
        if not (orders.site.settings.data / "orders" / "2.parquet").exists():
            orders.write(orders.frame(days=30, seed=1), "2.parquet")

    monkeypatch.setattr(module, "batches", meddled)
    assert len(orders.collect().sources) == 2


def test_a_share_that_fails_is_lost_and_may_come_back(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    orders.write(orders.frame())

    def fails(*args: Any) -> Any:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(module, "batches", fails)
    with pytest.raises(SourceLost, match="Stale file handle"):
        orders.collect()


def test_a_full_disk_leaves_nothing_behind(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from retrain.data import frames

    def full(*args: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    orders.write(orders.frame())
    monkeypatch.setattr(frames, "write_frame", full)
    with pytest.raises(StoreFull, match="TMPDIR"):
        orders.collect()
    assert not Path(orders.site.store.uri).exists() or orders.site.store.list("") == []


def test_killed_after_the_rows_and_before_the_artifact_it_comes_to_the_same(
    orders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders.write(orders.frame())
    spec, request, site = orders.spec(), orders.request(), orders.site
    monkeypatch.setattr(site.store, "create", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        collect(spec, request, site)
    left = site.store.list("orders")
    monkeypatch.undo()
    snapshot = collect(spec, request, site)
    assert left == sorted(part.data.path for part in snapshot.parts)


def test_a_snapshot_that_was_changed_in_the_store_is_refused(orders: Any) -> None:
    orders.write(orders.frame())
    snapshot = orders.collect()
    orders.site.store.put(snapshot.parts[2].data.path, b"PAR1 something else")
    with pytest.raises(DataError, match="its hash differs"):
        orders.rows(snapshot)


# -- what the spec says of the source ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "columns"),
    [
        (None, {"y"}),
        ("delay >= 30", {"y", "delay"}),
        ("`arrival delay` > 0 and abs(x) < 3 or kind in ['JFK']", {"y", "arrival delay", "x", "kind"}),
        ("rain.isna() & (z == True)", {"y", "rain", "z"}),
    ],
)
def test_the_columns_a_label_is_read_from(expression: str | None, columns: set[str]) -> None:
    assert a_source(label_expression=expression).label_columns == columns


@pytest.mark.parametrize(
    ("key", "value"), [("label_expression", "delay >="), ("label_expression", "a = 1"), ("timezone", "Mars/Olympus")]
)
def test_an_expression_or_zone_that_is_none_is_refused_with_an_example(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"e\.g\. arr_delay >= 30|America/New_York"):
        a_source(**{key: value})
