"""Time and chance of a simulation: our modules ask it instead of this machine, in this process, while it lasts."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator
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
    """Let modules of ours that ask for the present moment ask a simulation for it, also those imported meanwhile."""
    simulation, machine = Simulation(random), now
    told, drawn = simulation.now, secrets.token_hex
    try:
        secrets.token_hex = simulation.token_hex
        _let_ask(told, instead_of=machine)
        yield simulation
    finally:
        secrets.token_hex = drawn
        _let_ask(machine, instead_of=told)


def _let_ask(clock: Callable[[], datetime], *, instead_of: Callable[[], datetime]) -> None:
    """Exchange the clock of every module of ours that has the other one."""
    for name, module in list(sys.modules.items()):
        if name.startswith("retrain.") and vars(module).get("now") == instead_of:
            vars(module)["now"] = clock
