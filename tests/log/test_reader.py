"""Reading the prediction log: every row once, whatever comes late or breaks."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from log_world import NOW, label, prediction, put_part
from retrain.errors import LogBroken, StoreError, UsageError
from retrain.log import reader as log_reader
from retrain.log.parts import part_path, schema, to_parquet
from retrain.log.reader import LogReader
from retrain.store.local import LocalStore


def test_an_empty_log_has_all_columns(reader: LogReader) -> None:
    predictions, labels = reader.poll()
    assert len(predictions) == len(labels) == 0
    assert list(predictions.columns) == schema("predictions").names
    assert list(labels.columns) == ["at", "id", "label"]


def test_rows_come_once_with_their_values(store: LocalStore, reader: LogReader) -> None:
    first = prediction("a", inputs='{"x":1.5}', output='{"prediction":true}')
    failed = prediction(
        "b", inputs="{}", output=None, score=None, entity=None, error="no", served=False, arm="challenger"
    )
    store.put(part_path("flights", "predictions", NOW, "s", 1), to_parquet("predictions", [first, failed]))
    store.put(part_path("flights", "labels", NOW, "s", 1), to_parquet("labels", [{**label("a"), "label": "true"}]))
    predictions, labels = reader.poll()
    assert predictions["id"].tolist() == ["a", "b"]
    assert predictions.loc[0, "at"] == pd.Timestamp(NOW)
    assert predictions.loc[0, "inputs"] == '{"x":1.5}'
    assert predictions["served"].tolist() == [True, False]
    assert predictions["version"].dtype == predictions["release"].dtype == "int64"
    assert predictions[["output", "score", "entity"]].isna().all(axis=1).tolist() == [False, True]
    assert labels[["id", "label"]].values.tolist() == [["a", "true"]]
    assert [len(frame) for frame in reader.poll()] == [0, 0]
    put_part(store, "c", part=2)
    assert reader.poll()[0]["id"].tolist() == ["c"]


def test_rows_before_the_beginning_are_left_out(store: LocalStore) -> None:
    since = NOW - timedelta(hours=2)
    put_part(store, "old", at=since - timedelta(seconds=1))
    put_part(store, "first", at=since, part=2)
    put_part(store, "older", at=since - timedelta(days=1), planned=since - timedelta(days=1), part=3)
    assert LogReader(store, "flights", since).poll()[0]["id"].tolist() == ["first"]


def test_a_part_that_comes_late_into_an_old_folder_is_found(
    store: LocalStore, reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_part(store, "now")
    assert len(reader.poll()[0]) == 1
    put_part(store, "late", planned=NOW - timedelta(days=2), part=9)
    monkeypatch.setattr(log_reader, "SWEEP_SECONDS", 0.0)
    assert reader.poll()[0]["id"].tolist() == ["late"]
    assert len(reader.poll()[0]) == 0


def test_parts_are_fetched_side_by_side_and_come_in_their_order(
    store: LocalStore, reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store far away answers each request after a while; a long canary has thousands of parts."""
    for part in range(1, 5):
        put_part(store, f"r{part}", part=part)
    get, together = LocalStore.get, threading.Barrier(4, timeout=20)

    def wait_for_the_others(self: LocalStore, path: str) -> bytes:
        together.wait()
        return get(self, path)

    monkeypatch.setattr(LocalStore, "get", wait_for_the_others)
    assert reader.poll()[0]["id"].tolist() == ["r1", "r2", "r3", "r4"]


def test_a_poll_lists_recent_folders_only(
    store: LocalStore, reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.poll()
    listed: list[str] = []
    list_all = LocalStore.list
    monkeypatch.setattr(LocalStore, "list", lambda self, prefix: listed.append(prefix) or list_all(self, prefix))
    reader.poll()
    assert 2 <= len(listed) <= 4
    assert all(len(prefix.rsplit("/", 1)[1]) == 2 for prefix in listed), "each is the folder of one hour"


def test_a_beginning_long_ago_is_one_listing(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put_part(store, "a", at=NOW - timedelta(days=400), planned=NOW - timedelta(days=400))
    put_part(store, "b")
    listed: list[str] = []
    list_all = LocalStore.list
    monkeypatch.setattr(LocalStore, "list", lambda self, prefix: listed.append(prefix) or list_all(self, prefix))
    assert sorted(LogReader(store, "flights", datetime(1970, 1, 1, tzinfo=UTC)).poll()[0]["id"]) == ["a", "b"]
    assert listed == ["flights/log/predictions", "flights/log/labels"]


def test_names_that_are_no_parts_are_ignored(store: LocalStore, reader: LogReader) -> None:
    path = put_part(store, "a")
    data = store.get(path)
    folder = path.rsplit("/", 1)[0]
    for name in (".partial-1", "x.parquet", "120000-s-1.parquet.tmp", "120000-s-1.parquet~", "notes.txt"):
        (store.root / folder / name).write_bytes(data[:100])
    assert reader.poll()[0]["id"].tolist() == ["a"]


def test_a_part_that_cannot_be_read_stops_the_reader_and_loses_nothing(store: LocalStore, reader: LogReader) -> None:
    put_part(store, "a", part=1)
    broken = put_part(store, "b", part=2)
    data = store.get(broken)
    store.put(broken, data[:-20])
    for _ in range(2):
        with pytest.raises(LogBroken, match="flights") as caught:
            reader.poll()
        assert broken in str(caught.value)
    store.put(broken, data)
    assert sorted(reader.poll()[0]["id"]) == ["a", "b"]


def test_a_store_that_fails_between_parts_loses_nothing(
    store: LocalStore, reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_part(store, "a", part=1)
    put_part(store, "b", part=2)
    get, calls = store.get, []

    def fails_on_the_second(path: str) -> bytes:
        calls.append(path)
        if len(calls) == 2:
            raise StoreError("away")
        return get(path)

    monkeypatch.setattr(store, "get", fails_on_the_second)
    with pytest.raises(StoreError, match="away"):
        reader.poll()
    assert sorted(reader.poll()[0]["id"]) == ["a", "b"]


def test_a_beginning_without_a_zone_is_refused(store: LocalStore) -> None:
    with pytest.raises(UsageError, match="time zone"):
        LogReader(store, "flights", datetime(2013, 1, 1))
