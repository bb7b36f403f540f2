"""``retrain demo`` as a process: it does what it says, and whatever ends it, nothing of it is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

RETRAIN = Path(sys.executable).with_name("retrain")
PATIENCE = 240


class Demo:
    """One ``retrain demo`` in a folder; what it says goes to a file."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.output = folder / f"said-{time.monotonic_ns()}.txt"
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "RETRAIN_", "MLFLOW_"))
        }
        with self.output.open("wb") as stream:
            self.process = subprocess.Popen(
                [str(RETRAIN), "demo", *arguments],
                cwd=folder,
                env={**environment, "HOME": str(folder / "home")},
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def await_words(self, words: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while words not in self.said:
            assert self.process.poll() is None, f"the demo ended before it said {words!r}:\n{self.said}"
            assert time.monotonic() < deadline, f"the demo never said {words!r}:\n{self.said}"
            time.sleep(0.2)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


def alive(folder: Path) -> list[str]:
    """Every process that has to do with the folder: by its command, its working folder or its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            traces = [*process.cmdline(), process.cwd(), *process.environ().values()]
        except (psutil.Error, OSError):
            continue
        if process.pid != os.getpid() and any(str(folder / ".retrain") in trace for trace in traces):
            found.append(f"{process.pid} {' '.join(process.cmdline())[:80]}")
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "home").mkdir()
    yield tmp_path
    for each in alive(tmp_path):
        psutil.Process(int(each.split()[0])).kill()


def test_first_model_from_an_empty_folder(folder: Path) -> None:
    demo = Demo(folder, "--once", "--scenario", "first-model")
    status = demo.process.wait(timeout=PATIENCE)
    said = demo.said
    assert status == 0, said
    assert "1 of 1 steps went as expected" in said
    assert "release.promote" in said
    assert "\x1b" not in said  # without a terminal: plain lines
    assert alive(folder) == []
    assert {path.name for path in folder.iterdir()} - {demo.output.name} == {".retrain", "home"}
    assert not (folder / "home" / "airflow").exists()
    ledger = sorted((folder / ".retrain" / "demo" / "store" / "flights" / "ledger").iterdir())
    assert len(ledger) > 10


def test_interrupted_then_killed_leaves_nothing_and_starts_again(folder: Path) -> None:
    demo = Demo(folder)
    demo.await_words("data.collect")
    second = Demo(folder)
    assert second.process.wait(timeout=60) == 2
    assert "running here already" in second.said
    assert demo.process.poll() is None
    assert demo.end(signal.SIGINT) == 130
    assert alive(folder) == []

    killed = Demo(folder)
    killed.await_words("everything is up")
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    left = alive(folder)
    assert left  # nobody stopped them

    again = Demo(folder)
    again.await_words("cleared away")
    again.await_words("everything is up")
    assert not set(left) & set(alive(folder))
    assert again.end(signal.SIGTERM) == 130
    assert alive(folder) == []
