"""The prediction log: every acknowledged line is read exactly once, whatever is killed in between."""

from __future__ import annotations

import asyncio
import resource
import shutil
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrain.errors import LogBroken, StoreError, UsageError
from retrain.log import parts as prediction_log
from retrain.log import shipper
from retrain.log.parts import LogReader, part_path, to_parquet
from retrain.log.segment import Segment, segments_in
from retrain.log.shipper import Shipper, line, plan_file
from retrain.log.writer import GatewayLog
from retrain.serving.options import Options
from retrain.store.local import LocalStore

NOW = datetime.now(UTC)
BEGINNING = NOW - timedelta(days=3)


def prediction(name: str, at: datetime = NOW, **changed: Any) -> dict[str, Any]:
    row = {
        "at": int(at.timestamp() * 1_000_000),
        "id": name,
        "release": 3,
        "arm": "champion",
        "version": 1,
        "entity": "N1",
        "inputs": {"x": 1.5, "ö": None},
        "output": {"prediction": True},
        "score": 0.25,
        "latency_ms": 4.5,
        "error": None,
        "served": True,
    }
    return {**row, **changed}


def label(name: str, value: Any = True) -> dict[str, Any]:
    return {"at": int(NOW.timestamp() * 1_000_000), "id": name, "label": value}


def put_part(store: LocalStore, *names: str, planned: datetime = NOW, part: int = 1, at: datetime = NOW) -> str:
    rows = [prediction(name, at, inputs="{}", output="{}") for name in names]
    path = part_path("flights", "predictions", planned, "segment", part)
    store.put(path, to_parquet("predictions", rows))
    return path


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def reader(store: LocalStore) -> LogReader:
    return LogReader(store, "flights", BEGINNING)


# -- reading -------------------------------------------------------------------------------------------------------


def test_an_empty_log_has_all_columns(reader: LogReader) -> None:
    predictions, labels = reader.poll()
    assert len(predictions) == len(labels) == 0
    assert list(predictions.columns) == prediction_log.schema("predictions").names
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
    monkeypatch.setattr(prediction_log, "SWEEP_SECONDS", 0.0)
    assert reader.poll()[0]["id"].tolist() == ["late"]
    assert len(reader.poll()[0]) == 0


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


# -- segments ------------------------------------------------------------------------------------------------------


def test_a_segment_whose_owner_lives_is_not_adopted(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path)
    segment.append(b"1\n")
    assert Segment.adopt(segment.path) is None
    segment.close()
    adopted = Segment.adopt(segment.path)
    assert adopted is not None
    assert adopted.read(0, 100) == b"1\n"
    assert Segment.adopt(segment.path) is None


def test_a_segment_is_adopted_by_one_only_and_never_after_its_end(tmp_path: Path) -> None:
    """A second adopter that opened the file before it was deleted must not ship it again."""
    segment = Segment.create(tmp_path)
    segment.append(b"1\n")
    segment.close()
    found: list[Segment] = []
    start = threading.Barrier(8)

    def adopt_and_finish() -> None:
        start.wait()
        if (adopted := Segment.adopt(segment.path)) is not None:
            found.append(adopted)
            adopted.remove()

    threads = [threading.Thread(target=adopt_and_finish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


@pytest.mark.parametrize("torn", [b"", b"2", b'{"id": "x"', b"x" * 200_000])
def test_a_torn_last_line_is_left_out(tmp_path: Path, torn: bytes) -> None:
    segment = Segment.create(tmp_path)
    segment.append(b"1\n2\n")
    segment.close()
    with segment.path.open("ab") as stream:
        stream.write(torn)
    adopted = Segment.adopt(segment.path)
    assert adopted is not None
    assert adopted.size == 4
    assert adopted.read(0, 1 << 20) == b"1\n2\n"


def test_a_file_without_a_whole_line_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"x" * 100_000)
    adopted = Segment.adopt(tmp_path / "a.jsonl")
    assert adopted is not None
    assert adopted.size == 0


def test_reading_never_cuts_a_line(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path)
    segment.append(b"1234567890\n" * 10 + b"x" * 500 + b"\n")
    assert segment.read(0, 25) == b"1234567890\n" * 2
    assert segment.read(110, 25) == b"x" * 500 + b"\n"
    assert segment.read(611, 25) == b""


def test_a_full_disk_leaves_no_half_line_behind(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path)
    segment.append(b"first\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))  # the kernel itself writes only a part of what follows
    try:
        with pytest.raises(OSError, match=r"bytes|too large"):
            segment.append(b"second\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert segment.path.read_bytes() == b"first\n"
    segment.append(b"third\n")
    assert segment.path.read_bytes() == b"first\nthird\n"


# -- shipping, and being killed anywhere ---------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 5)),
        st.tuples(st.just("ship"), st.none()),
        st.tuples(st.just("torn"), st.integers(1, 30)),
        st.tuples(st.just("store away"), st.none()),
        st.tuples(
            st.sampled_from(["killed before planning", "killed before upload", "killed after upload"]), st.none()
        ),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=40)
@given(STEPS, st.sampled_from([60, 500, 1 << 20]))
def test_every_acknowledged_line_is_read_exactly_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]], part_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    store = LocalStore(folder / "store")
    reader = LogReader(store, "flights", BEGINNING)
    world = World(store, folder / "segments")
    read: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shipper, "PART_BYTES", part_bytes)
        for step, argument in steps:
            world.take(step, argument, patch)
            read += reader.poll()[0]["id"].tolist()
        world.restart()
        world.shipper.ship()
    read += reader.poll()[0]["id"].tolist()
    assert sorted(read) == sorted(world.acknowledged)
    again = LogReader(store, "flights", BEGINNING).poll()
    assert sorted(again[0]["id"]) == sorted(world.acknowledged) == sorted(again[1]["id"])


class World:
    """A gateway that writes, ships, and is killed."""

    def __init__(self, store: LocalStore, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.acknowledged: list[str] = []
        self.shipper = Shipper(store, "flights", Segment.create(folder))

    def take(self, step: str, argument: Any, patch: pytest.MonkeyPatch) -> None:
        if step == "append":
            names = [f"{len(self.acknowledged) + number}" for number in range(argument)]
            rows = [line("predictions", prediction(name)) for name in names]
            self.shipper.segment.append(b"".join([*rows, *[line("labels", label(name)) for name in names]]))
            self.acknowledged += names
        elif step == "ship":
            self.shipper.ship()
        elif step == "torn":
            with self.shipper.segment.path.open("ab") as stream:
                stream.write(line("predictions", prediction("torn"))[:argument])
            self.restart()
        elif step == "store away":
            with patch.context() as inner, pytest.raises(StoreError) if self.shipper.behind else _nothing():
                inner.setattr(LocalStore, "create", _raise(StoreError("away")))
                self.shipper.ship()
        else:
            self.kill(step, patch)

    def kill(self, where: str, patch: pytest.MonkeyPatch) -> None:
        with patch.context() as inner:
            if where == "killed before planning":
                inner.setattr(Shipper, "_write_plan", _raise(Killed()))
            elif where == "killed before upload":
                inner.setattr(LocalStore, "create", _raise(Killed()))
            else:
                upload = Shipper._upload

                def upload_and_die(this: Shipper) -> None:
                    upload(this)
                    raise Killed

                inner.setattr(Shipper, "_upload", upload_and_die)
            with pytest.raises(Killed) if self.shipper.behind else _nothing():
                self.shipper.ship()
        self.restart()

    def restart(self) -> None:
        self.shipper.segment.close()
        adopted = Segment.adopt(self.shipper.segment.path)
        assert adopted is not None
        self.shipper = Shipper(self.store, "flights", adopted)
        torn = adopted.path.stat().st_size - adopted.size
        if torn:  # a living gateway would begin a new segment; to go on with this one, cut it
            with adopted.path.open("r+b") as stream:
                stream.truncate(adopted.size)


def _raise(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: Any) -> None: ...


def test_a_damaged_line_costs_only_itself(store: LocalStore, reader: LogReader, tmp_path: Path) -> None:
    segment = Segment.create(tmp_path / "segments")
    segment.append(line("predictions", prediction("a")) + b"\0\0\0\n{}\n[]\n" + line("predictions", prediction("b")))
    Shipper(store, "flights", segment).ship()
    assert reader.poll()[0]["id"].tolist() == ["a", "b"]


def test_a_damaged_plan_is_an_error_that_names_the_file(store: LocalStore, tmp_path: Path) -> None:
    segment = Segment.create(tmp_path / "segments")
    plan_file(segment.path).write_bytes(b"")
    with pytest.raises(LogBroken) as caught:
        Shipper(store, "flights", segment)
    assert str(plan_file(segment.path)) in str(caught.value)


def test_the_same_part_is_not_written_twice(store: LocalStore, tmp_path: Path) -> None:
    segment = Segment.create(tmp_path / "segments")
    segment.append(line("predictions", prediction("a")))
    ships = Shipper(store, "flights", segment)
    ships.ship()
    before = plan_file(segment.path).read_bytes()
    paths = store.list("flights/log")
    ships.ship()
    assert (plan_file(segment.path).read_bytes(), store.list("flights/log")) == (before, paths)
    assert len(paths) == 1


def test_a_plan_speaks_only_of_bytes_that_were_synced(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer goes on while the shipper syncs; what comes in between waits for the next part."""
    segment = Segment.create(tmp_path / "segments")
    segment.append(line("predictions", prediction("a")))
    ships = Shipper(store, "flights", segment)
    synced, sync, plan = [0], Segment.sync, Shipper._write_plan
    late = [line("predictions", prediction("b"))]

    def sync_while_written(this: Segment) -> None:
        synced[0] = this.size
        sync(this)
        if late:
            this.append(late.pop())

    def check(this: Shipper, next_: Any) -> None:
        assert next_.end <= synced[0]
        plan(this, next_)

    monkeypatch.setattr(Segment, "sync", sync_while_written)
    monkeypatch.setattr(Shipper, "_write_plan", check)
    ships.ship()
    assert (ships.behind, segment.size) == (0, synced[0])


# -- the gateway's log ---------------------------------------------------------------------------------------------


@pytest.fixture
def open_log(store: LocalStore, tmp_path: Path) -> Any:
    opened: list[GatewayLog] = []

    def make(**options: Any) -> GatewayLog:
        chosen = Options(**{"ship_every": 0.02, **options})
        log = GatewayLog(store, "flights", tmp_path / "segments", chosen)
        log.start()
        opened.append(log)
        return log

    yield make
    for log in opened:
        log.close(5)


def wait_for(true: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + 20
    while not (found := true()):
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.005)
    return found


def test_what_is_appended_is_shipped_and_nothing_stays(
    open_log: Callable[..., GatewayLog], reader: LogReader, tmp_path: Path
) -> None:
    log = open_log(segment_bytes=500)

    async def append() -> None:
        lines = [line("predictions", prediction(str(number))) for number in range(50)]
        await asyncio.gather(*(log.append([one]) for one in lines[:25]))
        for one in lines[25:]:
            await log.append([one])

    asyncio.run(append())
    log.close(10)
    assert sorted(map(int, reader.poll()[0]["id"])) == list(range(50))
    assert log.lag == 0
    assert list((tmp_path / "segments").iterdir()) == []


def test_orphans_of_dead_gateways_are_shipped_and_those_of_living_ones_are_not(
    open_log: Callable[..., GatewayLog], reader: LogReader, tmp_path: Path
) -> None:
    dead, living = Segment.create(tmp_path / "segments"), Segment.create(tmp_path / "segments")
    for segment, name in ((dead, "dead"), (living, "living")):
        segment.append(line("predictions", prediction(name)))
    dead.close()
    open_log()
    assert wait_for(lambda: reader.poll()[0]["id"].tolist(), "the orphan") == ["dead"]
    wait_for(lambda: segments_in(tmp_path / "segments") == [living.path], "the orphan's end")
    living.close()


def test_an_orphan_with_a_damaged_plan_holds_up_nobody(
    open_log: Callable[..., GatewayLog], reader: LogReader, tmp_path: Path
) -> None:
    orphan = Segment.create(tmp_path / "segments")
    orphan.append(line("predictions", prediction("orphan")))
    plan_file(orphan.path).write_bytes(b"{}")
    orphan.close()
    log = open_log()
    asyncio.run(log.append([line("predictions", prediction("mine"))]))
    assert wait_for(lambda: reader.poll()[0]["id"].tolist(), "my row") == ["mine"]
    assert log.orphan_error is not None
    assert orphan.path.exists()


def test_while_the_store_is_away_lines_wait_here(
    open_log: Callable[..., GatewayLog], store: LocalStore, reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log()
    with monkeypatch.context() as away:
        away.setattr(store, "create", _raise(StoreError("away")))
        asyncio.run(log.append([line("predictions", prediction("a"))]))
        wait_for(lambda: log.ship_error, "the error")
        assert "away" in (log.ship_error or "")
        assert log.unshipped > 0
        assert log.usable
    assert wait_for(lambda: reader.poll()[0]["id"].tolist(), "the row") == ["a"]
    wait_for(lambda: log.ship_error is None and log.unshipped == 0, "the end of the error")


def test_a_disk_that_cannot_be_written_is_said_and_recovers(
    open_log: Callable[..., GatewayLog], reader: LogReader, tmp_path: Path
) -> None:
    (tmp_path / "segments").write_text("a file where the folder should be")
    log = open_log()
    row = line("predictions", prediction("a"))
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        asyncio.run(log.append([row]))
    assert not log.usable
    (tmp_path / "segments").unlink()
    asyncio.run(log.append([row]))
    assert log.usable
    assert wait_for(lambda: reader.poll()[0]["id"].tolist(), "the row") == ["a"]


def test_a_disk_that_hangs_is_waited_for_once(
    open_log: Callable[..., GatewayLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(log_patience=0.05)
    go_on = threading.Event()
    append = Segment.append

    def hang(this: Segment, lines: bytes) -> None:
        assert go_on.wait(20)
        append(this, lines)

    monkeypatch.setattr(Segment, "append", hang)
    row = line("predictions", prediction("a"))
    with pytest.raises(OSError, match="longer than"):
        asyncio.run(log.append([row]))
    with pytest.raises(OSError, match="hangs"):
        asyncio.run(log.append([row]))
    assert not log.usable
    go_on.set()
    wait_for(lambda: log.usable, "the disk")


def test_fsync_always_syncs_before_the_answer(
    open_log: Callable[..., GatewayLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(Segment, "sync", lambda self: synced.append(self.size))
    log = open_log(fsync="always", ship_every=100.0)
    row = line("predictions", prediction("a"))
    asyncio.run(log.append([row]))
    assert synced == [len(row)]


def test_a_lost_folder_is_made_again(open_log: Callable[..., GatewayLog], reader: LogReader, tmp_path: Path) -> None:
    log = open_log(segment_age=0.001)
    asyncio.run(log.append([line("predictions", prediction("a"))]))
    wait_for(lambda: len(reader.poll()[0]), "the first row")
    shutil.rmtree(tmp_path / "segments")
    asyncio.run(log.append([line("predictions", prediction("b"))]))
    assert log.usable
