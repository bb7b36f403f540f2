"""What a benchmark gives back, and how a process is timed."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


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


def seconds(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> float:
    """The wall time of a process, start to exit."""
    begin = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin
