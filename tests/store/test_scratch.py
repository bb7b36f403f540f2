"""Scratch folders are gone afterwards, whatever happens to their process, and never while one works in them."""

from __future__ import annotations

import errno
import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from retrain.store import scratch

WORKER = """
import sys, time
from pathlib import Path
from retrain.store import scratch

with scratch.below(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half")
    print(folder, flush=True)
    time.sleep(600)
"""


@contextmanager
def a_process_at_work(where: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process and its scratch folder."""
    command = [sys.executable, "-c", WORKER, str(where)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_it_is_gone_afterwards_also_after_an_error(tmp_path: Path) -> None:
    with scratch.below(tmp_path) as folder:
        (folder / "file").write_text("x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyboardInterrupt), scratch.below(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_a_living_one_uses_is_not(tmp_path: Path) -> None:
    with a_process_at_work(tmp_path) as (killed, left), a_process_at_work(tmp_path) as (_, used):
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "half").exists()
        with scratch.below(tmp_path) as mine:
            assert sorted(tmp_path.iterdir()) == sorted([mine, used])
        assert (used / "half").read_text() == "half"


def test_nobody_is_taken_for_dead_while_many_come_and_go(tmp_path: Path) -> None:
    def come_and_go(number: int) -> None:
        for _ in range(50):
            scratch._remove_abandoned.cache_clear()  # as many processes as rounds
            with scratch.below(tmp_path) as folder:
                (folder / "mine").write_text(str(number))
                assert (folder / "mine").read_text() == str(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(come_and_go, range(4)))
    assert list(tmp_path.iterdir()) == []


def test_where_a_file_system_knows_no_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    perhaps_used = tmp_path / f"{scratch.PREFIX}1"
    perhaps_used.mkdir()

    def unknown(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unknown)
    with scratch.below(tmp_path) as folder:
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == [perhaps_used]


def test_what_is_not_ours_to_remove_is_no_error(tmp_path: Path) -> None:
    (tmp_path / f"{scratch.PREFIX}file").write_text("a file, not a folder")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    trap = tmp_path / f"{scratch.PREFIX}trap"
    trap.mkdir()
    (trap / scratch.LOCK).symlink_to(elsewhere / "made")
    with scratch.below(tmp_path):
        pass
    assert list(elsewhere.iterdir()) == []
