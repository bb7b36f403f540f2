"""Runs side by side: the same figures however they are shared out, and no process that stays."""

from __future__ import annotations

import multiprocessing
from typing import Any

import pytest

from retrain.audit import pool, suite
from retrain.audit.claim import Claim
from retrain.audit.pool import DEAR_RUNS, RUNS, Batch, Done, measure, runs_of


def claim(name: str, run: Any, *, cost: float = 0.1) -> Claim:
    return Claim(name, "canary", run, "at most", 0.5, cost=cost)


def test_a_run_is_given_the_random_numbers_of_its_seed_and_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    drawn: list[float] = []
    one = claim("it draws", lambda random: drawn.append(random.random()) or 0.0)
    list(measure([one], runs=5, seed=7, jobs=1))
    assert drawn == [np.random.default_rng([7, k]).random() for k in range(5)]
    drawn.clear()
    monkeypatch.setattr(pool, "BATCH_SECONDS", 0.1)
    list(measure([one], runs=5, seed=7, jobs=1))
    assert drawn == [np.random.default_rng([7, k]).random() for k in range(5)]


def test_what_costs_much_is_run_less_often_unless_somebody_says_how_often() -> None:
    cheap, dear = claim("cheap", None), claim("dear", None, cost=3.0)
    assert (runs_of(cheap, None), runs_of(dear, None)) == (RUNS, DEAR_RUNS)
    assert (runs_of(cheap, 7), runs_of(dear, 7)) == (7, 7)


def test_a_claim_that_breaks_is_no_end_of_the_others() -> None:
    def breaks(random: Any) -> float:
        raise ZeroDivisionError("no")

    broken, sound = measure([claim("breaks", breaks), claim("is sound", lambda _: 0.0)], runs=3, seed=0, jobs=1)
    assert broken.broke == "run 0 of seed 0: ZeroDivisionError: no"
    assert (broken.verdict, sound.verdict, sound.runs) == ("broke", "holds", 3)


def test_it_is_told_of_every_run() -> None:
    told: list[int] = []

    def tell(batch: Batch, done: Done) -> None:
        told.append(batch.end - batch.first)
        assert len(done.values) == told[-1]

    list(measure([claim("dear", lambda _: 0.0, cost=1.0)], runs=5, seed=0, jobs=1, told=tell))
    assert told == [2, 2, 1]


def test_processes_come_to_the_same_figures_and_end_with_the_measuring() -> None:
    mine = suite.chosen("failures 1.0 % → 10.0 %")
    here = [one.figure for one in measure(mine, runs=2, seed=3, jobs=1)]
    assert [one.figure for one in measure(mine, runs=2, seed=3, jobs=2)] == here
    assert multiprocessing.active_children() == []


def test_whoever_leaves_early_leaves_no_process() -> None:
    found = measure(suite.chosen("failures 1.0 % → 10.0 %"), runs=40, seed=0, jobs=2, told=lambda _b, _d: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert multiprocessing.active_children() == []
