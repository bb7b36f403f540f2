"""A claim about a decision, and one simulated run of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Section = Literal["canary", "canary, through the product", "verdict", "drift"]


@dataclass(frozen=True)
class Claim:
    """What is said, and how it is found out.

    :param name: what happens in these runs, and what is counted: "equal arms, a client always fails: rolled back".
    :param section: under which heading it stands.
    :param run: one run with its own random numbers; 1.0 or 0.0 for whether it happened, or the number whose median
        is claimed (infinity for "never").
    :param holds: must what is measured be at most, or at least, what is stated?
    :param stated: the share of runs in [0, 1], or the median.
    :param measure: which of the two.
    :param cost: seconds that a run takes, about; the dear ones are run less often.
    """

    name: str
    section: Section
    run: Callable[[np.random.Generator], float]
    holds: Literal["at most", "at least"]
    stated: float
    measure: Literal["share", "median"] = "share"
    cost: float = 0.1
