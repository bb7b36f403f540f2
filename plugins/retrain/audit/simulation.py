"""Time and chance of a simulation: our modules ask it instead of this machine, in this process, while it lasts."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from retrain.artifacts import now

if TYPE_CHECKING:
    import numpy as np

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
"""When every simulation begins."""


class Simulation:
    """What time it is in a simulation, and what is drawn in it.

    :ivar at: the present moment.
    """

    def __init__(self, random: np.random.Generator) -> None:
        self.at = BEGIN
        self._random = random

    def now(self) -> datetime:
        """The present moment, as :func:`retrain.artifacts.now` gives it elsewhere."""
        return self.at

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)

    def token_hex(self, nbytes: int | None = None) -> str:
        """What :func:`secrets.token_hex` gives elsewhere, drawn by the run's own numbers: it can be had again."""
        return self._random.bytes(32 if nbytes is None else nbytes).hex()


@contextmanager
def simulated(random: np.random.Generator) -> Iterator[Simulation]:
    """Let each module of ours that has asked for the present moment ask a simulation for it.

    Those imported while it lasts ask the machine: import first what shall be simulated.
    """
    simulation, machine = Simulation(random), now
    ours = [module for name, module in sys.modules.items() if name.startswith("retrain.")]
    told = [vars(module) for module in ours if vars(module).get("now") is machine]
    drawn = secrets.token_hex
    try:
        secrets.token_hex = simulation.token_hex
        for names in told:
            names["now"] = simulation.now
        yield simulation
    finally:
        secrets.token_hex = drawn
        for names in told:
            names["now"] = machine
