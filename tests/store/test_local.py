"""The local store: one winner, whole objects only, and nothing outside its folder."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.errors import ObjectMissing, StoreError, StoreFull, StoreMissing, UsageError
from retrain.store import open_store, scratch
from retrain.store.base import checked
from retrain.store.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_is_put_is_there(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"two" * 100_000)
    store.put("a/one", b"1")
    store.put("a/one", b"one")
    store.upload("a/b/two", source)
    assert (store.get("a/one"), store.fetch("a/b/two").read_bytes()) == (b"one", source.read_bytes())
    assert (store.list("a"), store.list("a/b"), store.list("c")) == (["a/b/two", "a/one"], ["a/b/two"], [])
    assert store.list("") == ["a/b/two", "a/one"]
    store.delete("a/one")
    store.delete("a/one")
    assert not store.exists("a/one")


def test_a_store_is_opened_by_its_address(tmp_path: Path) -> None:
    assert open_store(f"file://{tmp_path}").uri == open_store(str(tmp_path)).uri == str(tmp_path)


def test_create_has_one_winner_among_many_threads(store: LocalStore) -> None:
    start = threading.Barrier(16)

    def create(writer: int, round_: int) -> bool:
        start.wait()
        return store.create(f"ledger/{round_}", f"{writer}".encode())

    with ThreadPoolExecutor(16) as pool:
        for round_ in range(10):
            won = list(pool.map(lambda writer, round_=round_: create(writer, round_), range(16)))
            assert sum(won) == 1
            assert store.get(f"ledger/{round_}") == f"{won.index(True)}".encode()
    assert len(files_in(store.root)) == 10


@pytest.mark.parametrize("read", ["get", "fetch"])
def test_an_object_that_is_missing(store: LocalStore, read: str) -> None:
    store.put("there", b"")
    with pytest.raises(ObjectMissing, match="'not/there'"):
        getattr(store, read)("not/there")


@pytest.mark.parametrize("read", ["get", "fetch"])
def test_a_store_that_is_missing(store: LocalStore, read: str) -> None:
    with pytest.raises(StoreMissing, match="mount it"):
        getattr(store, read)("a")


def test_a_store_below_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "unmounted" / "store")
    for write in (store.put, store.create):
        with pytest.raises(StoreMissing, match="does not exist"):
            write("a", b"")
    assert not (tmp_path / "unmounted").exists()


# -- paths -------------------------------------------------------------------------------------------------------

OUTSIDE = ["", "/etc/passwd", "../a", "a/../../b", "a//b", "./a", "a/.", "a/", "a\\b", "a\x00b", "a\nb", ".."]


@pytest.mark.parametrize("path", OUTSIDE)
def test_paths_that_could_leave_the_store_are_refused(store: LocalStore, tmp_path: Path, path: str) -> None:
    (tmp_path / "source").write_bytes(b"")
    operations: list[Any] = [store.get, store.exists, store.delete, store.fetch]
    operations += [lambda path: store.put(path, b""), lambda path: store.create(path, b"")]
    operations += [lambda path: store.upload(path, tmp_path / "source")]
    for operation in operations:
        with pytest.raises(UsageError, match="not a path"):
            operation(path)
    assert files_in(tmp_path) == ["source"]


@given(st.text(st.sampled_from("ab./\\\x00~ é"), max_size=12))
def test_a_path_that_is_accepted_stays_inside(path: str) -> None:
    try:
        found = Path("/store") / checked(path)
    except UsageError:
        return
    assert os.path.normpath(found) == str(found)
    assert found.is_relative_to("/store")
    assert found != Path("/store")


def test_a_name_too_long_for_the_disk_is_an_error_of_ours(store: LocalStore) -> None:
    for operation in (store.exists, store.get, lambda path: store.create(path, b"")):
        with pytest.raises(StoreError):
            operation("a" * 5000)


# -- faults ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB, if this machine lets us mount one."""
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("needs root, to mount a small tmpfs; the test below simulates the same")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def test_a_really_full_disk_leaves_nothing_half_written(small_disk: Path, tmp_path: Path) -> None:
    store = LocalStore(small_disk / "store")
    store.put("kept", b"old")
    big = tmp_path / "big"
    big.write_bytes(os.urandom(1 << 20))
    for write in (store.put, store.create):
        with pytest.raises(StoreFull, match="No room left"):
            write("kept" if write == store.put else "new", big.read_bytes())
    with pytest.raises(StoreFull, match="free space"):
        store.upload("new", big)
    assert files_in(small_disk) == ["store/kept"]
    assert store.get("kept") == b"old"
    assert store.create("new", b"small")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["fsync", "link", "replace"])
def test_a_disk_that_fills_up_leaves_nothing_half_written(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    store.put("kept", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StoreFull, match="nothing half-written"):
            store.create("new", b"new") if call == "link" else store.put("kept", b"new")
    assert files_in(store.root) == ["kept"]
    assert store.get("kept") == b"old"


def test_a_disk_that_fails_otherwise_is_a_store_error(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StoreError, match="Input/output error") as caught:
        store.put("a", b"")
    assert caught.value.retryable
    assert files_in(store.root) == []


def test_a_writer_killed_half_way_shows_nothing_and_leaves_nothing_to_the_next(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        child = os.fork()
        if child == 0:
            store.put("a", b"half")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert b"half" in [file.read_bytes() for file in store.root.rglob("*") if file.is_file()]
    assert (store.list(""), store.exists("a")) == ([], False)
    store.put("a", b"whole")
    assert files_in(store.root) == store.list("") == ["a"]


def test_another_user_s_scratch_is_not_entered(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("a", b"")
    scan = os.scandir

    def denied(folder: Any) -> Any:
        if scratch.PREFIX in str(folder):
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scan(folder)

    with scratch.below(store.root):
        monkeypatch.setattr(os, "scandir", denied)
        assert store.list("") == ["a"]
        monkeypatch.undo()


def test_half_a_file_of_an_earlier_release_is_not_listed(store: LocalStore) -> None:
    store.put("a/b", b"")
    (store.root / "a" / ".partial-1").write_bytes(b"half")
    assert store.list("a") == ["a/b"]


def test_a_folder_that_cannot_be_read_does_not_look_empty(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("a/b", b"")

    def denied(folder: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(StoreError, match="Permission denied"):
        store.list("a")


def test_a_file_where_a_folder_belongs_is_an_error_and_no_lost_race(tmp_path: Path) -> None:
    """``create`` must not say "somebody else has won": the ledger would try again for ever."""
    store = LocalStore(tmp_path / "store")
    store.put("p/ledger", b"")
    for write in (store.put, store.create):
        with pytest.raises(StoreError, match="Not a directory"):
            write("p/ledger/00000001.json", b"{}")
