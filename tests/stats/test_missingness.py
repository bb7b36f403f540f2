"""A column has lost its values only if neither chance nor its own past explains that so few are left."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.stats.missingness import lost

SEEDS = st.integers(0, 2**32 - 1)
ROWS = st.integers(1, 3000)


def having(rows: int, every: int) -> np.ndarray:
    """Every so-manieth row has a value; none with 0."""
    return np.arange(rows) % every == 0 if every else np.zeros(rows, dtype=bool)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (having(10_000, 1), having(2_000, 0), True),  # always there, now never
        (having(10_000, 10), having(2_000, 0), True),
        (having(10_000, 1000), having(2_000, 0), False),  # 99.9 % missing: two values would have been expected
        (having(1_000_000, 1000), having(200_000, 0), True),  # … and here two hundred
        (having(10_000, 0), having(2_000, 0), False),  # never there
        (having(10_000, 0), having(2_000, 1), False),
        (having(10_000, 1), having(2_000, 1000), True),  # two values are as good as none
        (having(10_000, 1), having(2_000, 2), False),  # drift is another stage's question
        (having(1, 1), having(1, 0), False),
        (having(20, 1), having(10, 0), True),
        (having(0, 1), having(10, 0), False),
        (having(10, 1), having(0, 0), False),
    ],
)
def test_it_is_lost_or_sparse(before: np.ndarray, after: np.ndarray, expected: bool) -> None:
    assert lost(before, after) == expected


def test_a_promotion_that_is_over_is_no_loss() -> None:
    day = 200
    before = np.repeat([True] * 10 + [False] * 20 + [True] * 15 + [False] * 15, day)
    assert not lost(before, np.zeros(14 * day, dtype=bool))
    assert lost(before, np.zeros(40 * day, dtype=bool)), "it was never gone for so long"


@given(rows=ROWS, later=ROWS, share=st.floats(0, 1), seed=SEEDS)
def test_values_that_are_spread_at_random_are_never_lost(rows: int, later: int, share: float, seed: int) -> None:
    has = np.random.default_rng(seed).random(rows + later) < share
    assert not lost(has[:rows], has[rows:])


@given(gap=ROWS, later=ROWS, seed=SEEDS, place=st.floats(0, 1))
def test_what_was_gone_for_as_long_before_is_not_lost(gap: int, later: int, seed: int, place: float) -> None:
    before = np.random.default_rng(seed).random(5000) < 0.9
    begin = int(place * 5000)
    before = np.concatenate([before[:begin], np.zeros(max(gap, later), dtype=bool), before[begin:]])
    assert not lost(before, np.zeros(later, dtype=bool))


@given(rows=st.integers(20, 3000), later=st.integers(10, 3000))
def test_a_column_that_was_always_there_and_never_is_now_is_lost(rows: int, later: int) -> None:
    assert lost(np.ones(rows, dtype=bool), np.zeros(later, dtype=bool))


@given(rows=ROWS, later=st.integers(1, 300), share=st.floats(0, 1), seed=SEEDS)
def test_one_value_more_never_makes_it_lost(rows: int, later: int, share: float, seed: int) -> None:
    before = np.random.default_rng(seed).random(rows) < share
    verdicts = [lost(before, np.arange(later) < values) for values in range(later + 1)]
    assert verdicts == sorted(verdicts, reverse=True)
