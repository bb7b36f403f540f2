"""Shipping: every acknowledged line is read exactly once, whatever is killed in between."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import fewer
from log_world import BEGINNING, label, prediction, raises
from retrain.errors import LogBroken, StoreError
from retrain.log import shipper
from retrain.log.reader import LogReader
from retrain.log.segment import Segment, line
from retrain.log.shipper import Shipper, plan_file
from retrain.store.local import LocalStore


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


@fewer(40)
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
            with patch.context() as inner, pytest.raises(StoreError) if self.shipper.behind else nullcontext():
                inner.setattr(LocalStore, "create", raises(StoreError("away")))
                self.shipper.ship()
        else:
            self.kill(step, patch)

    def kill(self, where: str, patch: pytest.MonkeyPatch) -> None:
        with patch.context() as inner:
            if where == "killed before planning":
                inner.setattr(Shipper, "_write_plan", raises(Killed()))
            elif where == "killed before upload":
                inner.setattr(LocalStore, "create", raises(Killed()))
            else:
                upload = Shipper._upload

                def upload_and_die(this: Shipper) -> None:
                    upload(this)
                    raise Killed

                inner.setattr(Shipper, "_upload", upload_and_die)
            with pytest.raises(Killed) if self.shipper.behind else nullcontext():
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
