"""How `canary.weights` should share alpha: what each share costs each metric, in requests of the challenger.

    python benchmarks/weights.py

Simulates the shipped bets until wealth passes 1/(weight · alpha), at the shipped steps' chances, and prints the medians
for several ways to share. docs/decisions/0005-canary.md has the table and the choice.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from retrain.spec.canary import Canary
from retrain.stats.arm_bet import EventBet, SizeBet, Wealth

RUNS = 300
ALPHA = 0.05
CHANCE = 0.1
"""The challenger's share."""

PIECE = 10
"""It is looked at after so many values."""

SHARES = {
    "equal": (0.25, 0.25, 0.25, 0.25),
    ".4 .3 .2 .1": (0.4, 0.3, 0.2, 0.1),
    ".5 .3 .15 .05": (0.5, 0.3, 0.15, 0.05),
    ".7 .15 .1 .05": (0.7, 0.15, 0.1, 0.05),
    ".85 .08 .05 .02": (0.85, 0.08, 0.05, 0.02),
}
"""Failures, loss, latency, shadow."""

Path = NDArray[np.float64]


def main() -> None:
    """Simulate, and print the table as Markdown."""
    random = np.random.default_rng(0)
    worlds: dict[str, tuple[int, Callable[[], Path]]] = {
        "failures 1 → 10 %": (0, lambda: _failures(random, 0.01, 0.10, 3_000)),
        "failures 1 → 5 %": (0, lambda: _failures(random, 0.01, 0.05, 8_000)),
        "failures 1 → 2 %": (0, lambda: _failures(random, 0.01, 0.02, 60_000)),
        "loss +.3 sd": (1, lambda: _sizes(random, 0.3, 1.0, 30_000)),
        "loss scatters × 1.5": (1, lambda: _sizes(random, 0.0, 1.5, 30_000)),
        "latency × 1.3": (2, lambda: _sizes(random, math.log(1.3) / 0.5, 1.0, 20_000)),
        "latency × 2": (2, lambda: _sizes(random, math.log(2) / 0.5, 1.0, 5_000)),
        "shadow fails 1 → 10 %": (3, lambda: _failures(random, 0.01, 0.10, 3_000, chance=0.5)),
    }
    print(f"Defaults: {Canary().weights}; {RUNS} runs, alpha {ALPHA}, the challenger's share {CHANCE:.0%}\n")
    print("| the challenger's requests, median ± its error |", " | ".join(SHARES), "|")
    print("| --- |", " | ".join("---:" for _ in SHARES), "|")
    for name, (metric, world) in worlds.items():
        paths = [world() for _ in range(RUNS)]
        cells = [_cell(paths, weights[metric] * ALPHA) for weights in SHARES.values()]
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


def _cell(paths: list[Path], alpha: float) -> str:
    """The median of the challenger's requests until wealth passes 1/alpha, and its standard error."""
    found = [float(path[np.argmax(path[:, 1] >= -math.log(alpha)), 0]) if path[-1, 1] >= -math.log(alpha) else math.inf
             for path in paths]  # fmt: skip
    median = float(np.median(found))
    if math.isinf(median):
        return "never"
    drawn = np.random.default_rng(1).choice(found, (500, len(found)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.1587, 0.8413], method="inverted_cdf")
    return f"{median:,.0f} ± {(high - low) / 2:,.0f}"


def _failures(random: np.random.Generator, before: float, after: float, most: int, chance: float = CHANCE) -> Path:
    """Wealth against requests of the challenger: only who fails is bet on."""
    tried = random.random(most) < chance
    failed = np.flatnonzero(random.random(most) < np.where(tried, after, before))
    bet, asked = EventBet(ALPHA), np.cumsum(tried)
    return _followed(bet, [(asked[at], {"tried": tried[[at]], "chance": [chance]}) for at in failed])


def _sizes(random: np.random.Generator, shift: float, scale: float, most: int) -> Path:
    """The same of values: t with 5 degrees of freedom, the challenger's shifted, or squared of a larger scale."""
    tried = random.random(most) < CHANCE
    drawn = random.standard_t(5, most)
    values = (
        np.where(tried, drawn * scale + shift, drawn) if scale == 1.0 else np.where(tried, drawn * scale, drawn) ** 2
    )
    asked, pieces = np.cumsum(tried), range(0, most, PIECE)
    given = [
        (
            asked[min(first + PIECE, most) - 1],
            {
                "values": values[first : first + PIECE],
                "tried": tried[first : first + PIECE],
                "chance": np.full(len(tried[first : first + PIECE]), CHANCE),
                "strata": np.zeros(len(tried[first : first + PIECE]), dtype=int),
            },
        )
        for first in pieces
    ]
    return _followed(SizeBet(ALPHA), given)


def _followed(bet: EventBet | SizeBet, given: list[tuple[int, dict[str, object]]]) -> Path:
    path: list[tuple[float, float]] = [(0.0, 0.0)]
    enough = -math.log(ALPHA * 0.01)
    for asked, values in given:
        bet.observe(**values)  # type: ignore[arg-type]
        path.append((float(asked), -math.log(_p(bet))))
        if path[-1][1] >= enough:
            break
    return np.array(path)


def _p(bet: Wealth) -> float:
    return max(bet.p_value, sys.float_info.min)


if __name__ == "__main__":
    main()
