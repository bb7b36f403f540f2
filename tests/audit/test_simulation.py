"""In a simulation time and chance are the run's own; outside of it nothing has changed."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path

import numpy as np

from retrain.artifacts import now
from retrain.audit.simulation import BEGIN, simulated
from retrain.ledger import Ledger, Release
from retrain.ledger import ledger as ledgers
from retrain.store.local import LocalStore


def test_a_ledger_counts_simulated_time_and_then_the_machines_again(tmp_path: Path) -> None:
    ledger = Ledger(LocalStore(tmp_path / "store"), "p")
    with simulated(np.random.default_rng(0)) as simulation:
        entry = ledger.append(Release(reason="first"), actor="test")
        assert entry.at == BEGIN
        simulation.wait(86_400)
        assert ledger.age(entry) == timedelta(days=1)
        assert ledger.doubt() is None
    assert ledgers.now is now
    assert abs(ledger.present() - now()) < timedelta(minutes=1)


def test_what_is_drawn_is_the_runs_own() -> None:
    drawn = []
    for seed in (1, 1, 2):
        with simulated(np.random.default_rng(seed)):
            drawn.append(secrets.token_hex(16))
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 32
    assert secrets.token_hex(16) != secrets.token_hex(16)


def test_it_ends_with_what_is_raised_in_it() -> None:
    try:
        with simulated(np.random.default_rng(0)):
            raise KeyError
    except KeyError:
        assert ledgers.now is now
