"""The demo's processes: each carries a mark in its environment, so that it and all it starts can be found again.

Every process the demo starts, and every process those start, inherits the mark. Stopping the demo, and clearing away
what a killed demo left behind, are therefore one and the same: end whoever carries the mark. No list of process ids
is kept, so none can be out of date or name a stranger.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from retrain.errors import UsageError

MARK = "RETRAIN_DEMO_PROCESS"
SWEEPS = 5


def marks(home: Path) -> dict[str, str]:
    """What a process's environment must hold to be known as one of this demo's."""
    # Airflow names its processes with setproctitle, which would otherwise write over the environment.
    return {MARK: str(home), "SPT_NOENV": "1"}


def inherited() -> dict[str, str]:
    """The environment of this process without what it says about another Airflow, MLflow or site of ours."""
    others = ("AIRFLOW", "MLFLOW_", "RETRAIN_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spawn(command: Sequence[str], environment: Mapping[str, str], log: Path, *, cwd: Path) -> subprocess.Popen[bytes]:
    """Start a process out of reach of the terminal's Ctrl-C; what it says goes to ``log``.

    :param environment: all of it, with the demo's :func:`marks` if it is one of the demo's.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        return subprocess.Popen(
            command,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def running(home: Path) -> list[psutil.Process]:
    """Every process of the demo in this folder, but not the one that asks."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == str(home):
                found.append(process)
    return found


def stop_all(home: Path, *, grace: float = 3) -> int:
    """End every process of the demo in this folder and return how many there were.

    :param grace: seconds between SIGTERM and SIGKILL.
    """
    first = running(home)
    _signal(first, signal.SIGTERM)
    _, left = psutil.wait_procs(first, timeout=grace)
    for _ in range(SWEEPS):  # whoever was started meanwhile is found by the next look
        left = running(home)
        if not left:
            break
        _signal(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=5)
    return len(first)


def _signal(processes: list[psutil.Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def end_tree(pids: list[int], *, grace: float) -> None:
    """End processes and all their descendants: SIGTERM to the processes, then SIGKILL to whoever is left.

    :param pids: in the order in which they are to be told.
    :param grace: seconds between the two; 0 kills at once.
    """
    roots: list[psutil.Process] = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            roots.append(psutil.Process(pid))
    family = list(roots)
    for root in roots:
        with suppress(psutil.NoSuchProcess):
            family += root.children(recursive=True)
    if grace > 0:
        for root in roots:
            with suppress(psutil.NoSuchProcess):
                root.send_signal(signal.SIGTERM)
        psutil.wait_procs(family, timeout=grace)
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=grace or 5)


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the folder's lock as long as the block runs. The system lets go of it when this process dies.

    :raises UsageError: another demo of this folder is running.
    """
    file = home.with_name(f"{home.name}.lock")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise UsageError(
                f"A demo is running here already (process {lock.read().strip() or 'unknown'}).",
                where=home,
                do="stop it with Ctrl-C in its terminal, or start this one in another folder.",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
