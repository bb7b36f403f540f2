"""^C in a real ``retrain audit``: it says how far it came, and neither a process nor a file stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from retrain.demo.waiting import looks

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

PROGRAM = "from retrain.cli import main; main()"


@contextmanager
def auditing(scratch: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """An audit whose processes have begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "audit", "--only", "equal arms", "--jobs", "2"],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        for _ in looks(120, pause=0.1):
            assert process.poll() is None, process.communicate()
            if any(scratch.glob("retrain-audit-*/*")):  # a release is under way
                break
        yield process, psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_says_how_far_it_came_and_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    with auditing(tmp_path) as (process, children):
        process.send_signal(how)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "Interrupted: 0 of " in err
    assert "Traceback" not in err
    assert len(children) >= 2
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert list(tmp_path.iterdir()) == []


def test_at_the_terminal_everybody_is_told_and_says_nothing(tmp_path: Path) -> None:
    with auditing(tmp_path) as (process, children):
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert list(tmp_path.iterdir()) == []


def test_killed_it_takes_its_processes_with_it(tmp_path: Path) -> None:
    with auditing(tmp_path) as (process, children):
        process.kill()
        process.wait(10)
        assert psutil.wait_procs(children, timeout=10)[1] == []
