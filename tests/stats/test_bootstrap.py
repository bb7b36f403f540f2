"""Block bootstrap: coverage with correlated days, agreement with scikit-learn, speed, edges."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from retrain.stats.bootstrap import Interval, block_bootstrap
from retrain.stats.roc_auc import WeightedRocAuc


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 4)), min_size=2, max_size=60))
def test_auc_equals_scikit_learn_with_ties_and_weights(rows: list[tuple[bool, int, int]]) -> None:
    labels, scores, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    ours = WeightedRocAuc(labels, scores)(weights)
    if labels @ weights == 0 or (1 - labels) @ weights == 0:
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights), abs=1e-12)


def mean_interval(values: np.ndarray, blocks: np.ndarray, **options: Any) -> Interval:
    """The interval of a mean."""
    return block_bootstrap(lambda w: float(w @ values / w.sum()), blocks, **options)


def test_the_same_seed_gives_the_same_interval() -> None:
    rng = np.random.default_rng(1)
    values, days = rng.random(600), rng.integers(0, 20, 600)
    once = mean_interval(values, days, seed=3)
    assert once.estimate == pytest.approx(values.mean())
    assert once == mean_interval(values, days, seed=3)
    assert once != mean_interval(values, days, seed=4)


def test_days_that_hang_together_need_day_blocks() -> None:
    rng = np.random.default_rng(2)
    runs, by_day, by_row = 200, 0, 0
    for _ in range(runs):
        days = np.repeat(np.arange(30), 40)
        difference = rng.normal(0, 0.3, 30)[days] + rng.normal(0, 1, 1200)
        for blocks in (days, np.arange(1200)):
            interval = mean_interval(difference, blocks, confidence=0.9, seed=5, replicates=200)
            covered = interval.lower <= 0.0 <= interval.upper
            if blocks is days:
                by_day += covered
            else:
                by_row += covered
    assert by_day / runs > 0.84
    assert by_row / runs < 0.75


def test_auc_interval_and_speed() -> None:
    rng = np.random.default_rng(3)
    rows = 15_000
    labels = rng.random(rows) < 0.2
    scores = rng.random(rows) + 0.3 * labels
    days = rng.integers(0, 30, rows)
    start = time.process_time()
    interval = block_bootstrap(WeightedRocAuc(labels, scores), days, confidence=0.9, seed=1)
    assert time.process_time() - start < 1.0
    assert interval.lower < roc_auc_score(labels, scores) < interval.upper
    assert interval.estimate == pytest.approx(roc_auc_score(labels, scores))
    assert (interval.confidence, interval.replicates) == (0.9, 500)


def test_one_block_is_refused_and_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="at least 2; resample rows instead"):
        block_bootstrap(lambda w: 0.0, ["monday", "monday"], seed=1)
    with pytest.raises(ValueError, match="at least 2"):
        block_bootstrap(lambda w: 0.0, [], seed=1)


def test_a_statistic_that_is_seldom_defined_is_refused() -> None:
    labels, scores = np.array([1, 0, 0, 0]), np.arange(4.0)
    with pytest.raises(ValueError, match="replicates only"):
        block_bootstrap(WeightedRocAuc(labels, scores), np.arange(4), seed=1)
    with pytest.raises(ValueError, match="on the data itself"):
        block_bootstrap(WeightedRocAuc(np.zeros(4), scores), np.arange(4), seed=1)


def test_refuses_bad_input() -> None:
    with pytest.raises(ValueError, match="shape"):
        block_bootstrap(lambda w: 0.0, [[0], [1]], seed=1)
    with pytest.raises(ValueError, match="confidence"):
        block_bootstrap(lambda w: 0.0, [0, 1], seed=1, confidence=95)
    with pytest.raises(ValueError, match="replicates"):
        block_bootstrap(lambda w: 0.0, [0, 1], seed=1, replicates=0)
    with pytest.raises(ValueError, match="finite"):
        WeightedRocAuc([0, 1], [math.nan, 1.0])
    with pytest.raises(ValueError, match="0 or 1"):
        WeightedRocAuc([0, 2], [0.0, 1.0])
    with pytest.raises(ValueError, match="match"):
        WeightedRocAuc([], [])
