"""Writing the log on a gateway: lines are written, shipped and gone; disks fill and hang, stores go away."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from log_world import prediction, raises
from retrain.errors import StoreError
from retrain.log.options import LogOptions
from retrain.log.reader import LogReader
from retrain.log.segment import Segment, line, segments_in
from retrain.log.shipper import plan_file
from retrain.log.writer import LogWriter
from retrain.store.local import LocalStore
from waiting import wait_for


@pytest.fixture
def open_log(store: LocalStore, tmp_path: Path) -> Any:
    opened: list[LogWriter] = []

    def make(**options: Any) -> LogWriter:
        chosen = LogOptions(**{"ship_every": 0.02, **options})
        log = LogWriter(store, "flights", tmp_path / "segments", chosen)
        log.start()
        opened.append(log)
        return log

    yield make
    for log in opened:
        log.close(5)


def test_what_is_appended_is_shipped_and_nothing_stays(
    open_log: Callable[..., LogWriter], reader: LogReader, tmp_path: Path
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
    open_log: Callable[..., LogWriter], reader: LogReader, tmp_path: Path
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
    open_log: Callable[..., LogWriter], reader: LogReader, tmp_path: Path
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
    open_log: Callable[..., LogWriter], store: LocalStore, reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log()
    with monkeypatch.context() as away:
        away.setattr(store, "create", raises(StoreError("away")))
        asyncio.run(log.append([line("predictions", prediction("a"))]))
        wait_for(lambda: log.ship_error, "the error")
        assert "away" in (log.ship_error or "")
        assert log.unshipped > 0
        assert log.usable
    assert wait_for(lambda: reader.poll()[0]["id"].tolist(), "the row") == ["a"]
    wait_for(lambda: log.ship_error is None and log.unshipped == 0, "the end of the error")


def test_a_disk_that_cannot_be_written_is_said_and_recovers(
    open_log: Callable[..., LogWriter], reader: LogReader, tmp_path: Path
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
    open_log: Callable[..., LogWriter], monkeypatch: pytest.MonkeyPatch
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
    open_log: Callable[..., LogWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(Segment, "sync", lambda self: synced.append(self.size))
    log = open_log(fsync="always", ship_every=100.0)
    row = line("predictions", prediction("a"))
    asyncio.run(log.append([row]))
    assert synced == [len(row)]


def test_a_lost_folder_is_made_again(open_log: Callable[..., LogWriter], reader: LogReader, tmp_path: Path) -> None:
    log = open_log(segment_age=0.001)
    asyncio.run(log.append([line("predictions", prediction("a"))]))
    wait_for(lambda: len(reader.poll()[0]), "the first row")
    shutil.rmtree(tmp_path / "segments")
    asyncio.run(log.append([line("predictions", prediction("b"))]))
    assert log.usable
