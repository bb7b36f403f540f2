"""How many requests a challenger gets until the canary shows that it fails on 5 % of them, and not on 1 %.

What is shipped is asked: the release's own machine in a ledger, the canary's own fold over rows of a prediction log,
and the defaults of ``pipeline.yaml`` for steps, requests a step, blocks, and the part of ``alpha`` that failures
have. Only the rows are drawn. It is looked at after every request, and a shadow has shown nothing before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import numpy as np
import pandas as pd
from measure import Figure, figure

from retrain.artifacts import ModelRef
from retrain.ledger import Ledger, Served
from retrain.ledger import release as machine
from retrain.ledger import trial as trials
from retrain.ledger.trial import Trial
from retrain.monitoring import arms
from retrain.spec.canary import Canary, Shadow
from retrain.store.local import LocalStore

RUNS = 1000
CHAMPION_FAILS, CHALLENGER_FAILS = 0.01, 0.05
MOST_REQUESTS = 2000
RESAMPLES = 500

SHIPPED = Canary()
ERRORS_ALONE = Canary(shadow=Shadow(requests=0), latency=None, loss=None)
"""One test only, which has the whole of ``alpha``."""


def measure(*, short: bool) -> list[Figure]:
    """Simulate many canaries."""
    runs = 30 if short else RUNS
    with tempfile.TemporaryDirectory() as scratch:
        trial = _ramped(Ledger(LocalStore(scratch), "simulated"), SHIPPED)
        shipped = [_requests(SHIPPED, trial, seed) for seed in range(runs)]
        alone = [_requests(ERRORS_ALONE, trial, seed) for seed in range(runs)]
    quartiles = "quartiles {:.0f} and {:.0f}".format(*np.quantile(shipped, [0.25, 0.75]))
    peer = f"{quartiles}; standard error of the median {_standard_error(shipped):.1f}; {runs} simulated canaries"
    whole = f"standard error {_standard_error(alone):.1f}; in the literature, at the same alpha: 121"
    return [
        figure("canary: requests to the challenger until 1 % → 5 % failures is shown", shipped, "requests", peer=peer),
        figure("… where failures are all that is looked at", alone, "requests", peer=whole),
    ]


def _ramped(ledger: Ledger, canary: Canary) -> Trial:
    """A trial that has gone through every step."""
    served = [Served(version=n, model=ModelRef(digest=f"{n:064x}", path=str(n), files={})) for n in (1, 2)]
    current = machine.promote(ledger.release(), served[0], reason="benchmark")
    ledger.append(current, actor="benchmark")
    current = machine.start_shadow(current, served[1], shadow=0.0, steps=canary.steps, reason="benchmark")
    for _ in canary.steps:
        current = machine.ramp(current, reason="benchmark")
        ledger.append(current, actor="benchmark")
    trial = trials.find(ledger, 2)
    assert trial is not None
    return trial


def _requests(canary: Canary, trial: Trial, seed: int) -> int:
    """The challenger's requests up to the block at whose end harm is shown first."""
    rows = pd.concat(list(_steps(canary, trial, np.random.default_rng(seed))), ignore_index=True)
    tried = rows["tried"].to_numpy()
    ends = [block.stop for block in arms.blocks(tried)]
    low, high = 0, len(ends)
    while low < high:  # what was shown to be worse stays so
        middle = (low + high) // 2
        if arms.errors(canary, trial, rows[: ends[middle]], required=True).harm:
            high = middle
        else:
            low = middle + 1
    return int(tried[: ends[low]].sum()) if low < len(ends) else MOST_REQUESTS


def _steps(canary: Canary, trial: Trial, random: np.random.Generator) -> Iterator[pd.DataFrame]:
    """The rows of each step: as long as it must last, the last one until many requests are through."""
    for decision in trial.decisions:
        last = decision is trial.current
        wanted = MOST_REQUESTS if last else canary.step_requests
        share = decision.release.share
        tried = random.random(int(wanted / share * 2)) < share
        tried = tried[: int(np.flatnonzero(tried)[wanted - 1]) + 1]
        failed = random.random(len(tried)) < np.where(tried, CHALLENGER_FAILS, CHAMPION_FAILS)
        yield pd.DataFrame({"release": decision.entry.number, "tried": tried, "failed": failed})


def _standard_error(values: list[int]) -> float:
    """Of the median, by the bootstrap."""
    draws = np.random.default_rng(0).choice(values, size=(RESAMPLES, len(values)))
    return float(np.median(draws, axis=1).std())
