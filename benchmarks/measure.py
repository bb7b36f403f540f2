"""What a benchmark gives back, and how a process is run and timed."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TAIL = 2000
"""Characters of what a process said that an error shows."""


@dataclass(frozen=True)
class Figure:
    """One measured figure: its median over several runs, its goal, and what it was compared with."""

    what: str
    median: float
    low: float
    high: float
    unit: str
    goal: str = ""
    peer: str = ""


def figure(what: str, values: Sequence[float], unit: str, *, goal: str = "", peer: str = "") -> Figure:
    """Summarise several runs."""
    return Figure(what, statistics.median(values), min(values), max(values), unit, goal, peer)


def output(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """What a process says on its standard output. Raises RuntimeError with the end of what it said, if it fails."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr)[-TAIL:]
        raise RuntimeError(f"`{' '.join(command)[:TAIL]}` ended with status {done.returncode}: …{said}")
    return done.stdout


def seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """The wall time of a process, start to exit. Raises as :func:`output` does."""
    begin = time.perf_counter()
    output(command, environment)
    return time.perf_counter() - begin
